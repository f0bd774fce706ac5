/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "controller/commands/cmd.h"
#include "probe/base/mem.h"

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

/* Names are outside text, but a topology's names hold nothing that JSON would have to escape. */
static bool print_listeners(const struct sp_plan *plan, const struct sp_model *model)
{
    struct sp_listener_plan *list = NULL;
    size_t n = 0;
    if (sp_plan_listeners(plan, model, &list, &n) != SP_OK) {
        return false;
    }
    for (size_t i = 0; i < n; i++) {
        const struct sp_balancer *balancer = &model->balancers[list[i].balancer];
        char port[SP_PORTSPEC_STRLEN];
        (void)printf("%s{\"name\":\"%s\",\"port\":\"%s\",\"tests\":%llu,\"flows_needed\":%u,",
                     i ? "," : "", balancer->name,
                     sp_portspec_str(&balancer->listeners[list[i].listener].port, port),
                     (unsigned long long)list[i].tests, list[i].flows);
        if (list[i].untested) {
            (void)printf("\"not_tested\":\"%s\"}", list[i].untested);
        } else {
            (void)printf("\"not_tested\":null}");
        }
    }
    sp_free(list);
    return true;
}

static bool print_json(const struct sp_plan *plan, const struct sp_model *model)
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
    (void)printf("],\"load_balancers\":[");
    bool whole = print_listeners(plan, model);
    (void)puts("]}");
    return whole;
}

static int plan_it(const char *file, const struct options *options)
{
    struct sp_policy *policy = NULL;
    struct sp_plan *plan = NULL;
    struct sp_model *model = sp_cmd_load(file, options->common.quiet > 0);
    int code = SP_EXIT_USAGE;
    if (model && sp_selection_plan(model, &options->selection, &policy, &plan) == SP_OK) {
        if (options->common.json) {
            bool whole = print_json(plan, model);
            code = whole && fflush(stdout) == 0 ? SP_EXIT_HOLDS : SP_EXIT_USAGE;
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
