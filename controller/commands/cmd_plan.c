/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "controller/commands/cmd.h"

struct options {
    struct sp_common common;
    struct sp_selection selection;
};

static const struct sp_opt opts[] = {SP_SELECTION_OPTS(struct options)};

static const struct sp_cmdline cmdline = {
    .name = "segproof plan",
    .usage = "TOPOLOGY [OPTION]...",
    .summary =
        "Prints what a verification would test: how many tests and packets, how long at the allowed rates, what is "
        "covered, and what will not be tested and why. Sends nothing.",
    .opts = opts,
    .nopts = SP_ARRAY_LEN(opts),
    .common = sp_common_opts,
    .ncommon = SP_ARRAY_LEN(sp_common_opts),
    .positional = "TOPOLOGY",
    .min_positional = 1,
    .max_positional = 1,
    .examples = "  segproof plan shop.yaml\n"
                "  segproof plan shop.yaml --depth quick --from web --to data -v\n",
};

static void print_json(const struct sp_plan *plan)
{
    const struct sp_coverage *c = &plan->coverage;
    (void)printf(
        "{\"depth\":\"%s\",\"seed\":\"%llu\",\"tests\":%llu,\"packets\":%llu,\"seconds\":%llu,",
        sp_depth_str(plan->depth), (unsigned long long)plan->seed,
        (unsigned long long)plan->cost.tests, (unsigned long long)plan->cost.packets,
        (unsigned long long)plan->cost.seconds);
    (void)printf(
        "\"coverage\":{\"pairs\":{\"tested\":%llu,\"of\":%llu},\"intervals\":{\"tested\":%llu,\"of\":%llu},",
        (unsigned long long)c->pairs_tested, (unsigned long long)c->pairs_of,
        (unsigned long long)c->intervals_tested, (unsigned long long)c->intervals_of);
    (void)printf("\"edges\":{\"tested\":%llu,\"of\":%llu},\"rules\":{\"tested\":%llu,\"of\":%llu},",
                 (unsigned long long)c->edges_tested, (unsigned long long)c->edges_of,
                 (unsigned long long)c->rules_tested, (unsigned long long)c->rules_of);
    (void)printf(
        "\"enforcements\":{\"tested\":%llu,\"of\":%llu},\"denied_ports_swept\":%.9f},\"not_tested\":[",
        (unsigned long long)c->enforcements_tested, (unsigned long long)c->enforcements_of,
        c->denied_ports_swept);
    for (size_t i = 0; i < plan->nskips; i++) {
        (void)printf("%s{\"reason\":\"%s\",\"points\":%llu}", i ? "," : "", plan->skips[i].reason,
                     (unsigned long long)plan->skips[i].points);
    }
    (void)puts("]}");
}

static int plan_it(const char *file, const struct options *options)
{
    struct sp_policy *policy = NULL;
    struct sp_plan *plan = NULL;
    struct sp_model *model = sp_cmd_load(file, options->common.quiet > 0);
    int code = SP_EXIT_USAGE;
    if (model && sp_selection_plan(model, &options->selection, &policy, &plan) == SP_OK) {
        if (options->common.json) {
            print_json(plan);
            code = fflush(stdout) == 0 ? SP_EXIT_HOLDS : SP_EXIT_USAGE;
        } else {
            struct sp_buf out;
            sp_buf_init(&out, 256U << 20);
            sp_plan_print(plan, model, options->common.verbose > 0, &out);
            code = sp_cmd_print(&out);
            sp_buf_release(&out);
        }
    }
    sp_plan_free(plan);
    sp_policy_free(policy);
    sp_model_free(model);
    return code;
}

static int run(int argc, char **argv)
{
    struct options options = {.selection.depth = SP_DEPTH_STANDARD};
    struct sp_args args;
    int code = sp_cmd_parse(&cmdline, argc, argv, &options, &args);
    if (code >= 0) {
        return code;
    }
    code = plan_it(args.items[0], &options);
    sp_args_release(&cmdline, &options, &args);
    return code;
}

const struct sp_command sp_cmd_plan = {.name = "plan",
                                       .brief = "tells what would be tested, and what not",
                                       .cmdline = &cmdline,
                                       .run = run};
