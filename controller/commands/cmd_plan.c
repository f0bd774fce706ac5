/* SPDX-License-Identifier: Apache-2.0
 *
 * `segproof plan`: what a verification would test. */
#include <cjson/cJSON.h>
#include <stdio.h>

#include "controller/commands/cmd.h"
#include "controller/commands/lasting.h"
#include "probe/base/buf.h"
#include "probe/base/mem.h"

struct options {
    struct sp_common common;
    struct sp_selection selection;
    uint64_t rolling;
};

static const struct sp_opt opts[] = {
    SP_SELECTION_OPTS(struct options),
    {.name = "rolling",
     .kind = SP_OPT_UINT,
     .metavar = "N",
     .min = SP_ROLLING_LEAST,
     .max = SP_ROLLING_MOST,
     .offset = offsetof(struct options, rolling),
     .help = "a run of 'verify --rolling N': one of N parts of the denied ports"},
};

static const struct sp_opt common[] = {
    SP_COMMON_OPTS("the plan as JSON, one line", "one line: tests, packets, time; no warnings",
                   "also every test, and every host that is left out")};

static const struct sp_cmdline cmdline = {
    .name = "segproof plan",
    .usage = "TOPOLOGY [OPTION]...",
    .summary =
        "Prints what a verification would test: how many tests and packets, how long at the allowed rates, what is "
        "covered, and what will not be tested and why. Sends nothing.",
    .opts = opts,
    .nopts = SP_ARRAY_LEN(opts),
    .common = common,
    .ncommon = SP_ARRAY_LEN(common),
    .positional = "TOPOLOGY",
    .min_positional = 1,
    .max_positional = 1,
    .examples = "  segproof plan shop.yaml\n"
                "  segproof plan shop.yaml --depth quick --from web --to data -v\n"
                "  segproof plan shop.yaml --depth exhaustive\n",
};

static enum sp_rc add_listeners(cJSON *root, const struct sp_plan *plan,
                                const struct sp_model *model)
{
    struct sp_listener_plan *list = NULL;
    size_t n = 0;
    enum sp_rc rc = sp_plan_listeners(plan, model, &list, &n);
    cJSON *balancers = cJSON_AddArrayToObject(root, "load_balancers");
    for (size_t i = 0; rc == SP_OK && i < n; i++) {
        const struct sp_balancer *balancer = &model->balancers[list[i].balancer];
        const struct sp_listener *listener = &balancer->listeners[list[i].listener];
        char port[SP_PORTSPEC_STRLEN];
        cJSON *entry = cJSON_CreateObject();
        (void)cJSON_AddStringToObject(entry, "name", balancer->name);
        (void)cJSON_AddStringToObject(entry, "port", sp_portspec_str(&listener->port, port));
        (void)cJSON_AddNumberToObject(entry, "tests", (double)list[i].tests);
        (void)cJSON_AddNumberToObject(entry, "flows_needed", list[i].flows);
        if (list[i].untested) {
            (void)cJSON_AddStringToObject(entry, "not_tested", list[i].untested);
        } else {
            (void)cJSON_AddNullToObject(entry, "not_tested");
        }
        (void)cJSON_AddItemToArray(balancers, entry);
    }
    sp_free(list);
    return rc;
}

static void add_ratio(cJSON *to, const char *name, uint64_t tested, uint64_t of)
{
    cJSON *ratio = cJSON_AddObjectToObject(to, name);
    (void)cJSON_AddNumberToObject(ratio, "tested", (double)tested);
    (void)cJSON_AddNumberToObject(ratio, "of", (double)of);
}

static void add_sweeps(cJSON *root, const struct sp_plan *plan)
{
    uint64_t denied = 0;
    uint64_t allowed = 0;
    for (size_t i = 0; i < plan->nsweeps; i++) {
        denied += plan->sweeps[i].denied;
        allowed += plan->sweeps[i].allowed;
    }
    cJSON *sweeps = cJSON_AddObjectToObject(root, "sweeps");
    (void)cJSON_AddNumberToObject(sweeps, "lanes", (double)plan->nsweeps);
    (void)cJSON_AddNumberToObject(sweeps, "denied_ports", (double)denied);
    (void)cJSON_AddNumberToObject(sweeps, "allowed_ports", (double)allowed);
    if (plan->slice.of > 0) {
        (void)cJSON_AddNumberToObject(sweeps, "slice", plan->slice.at + 1.0);
        (void)cJSON_AddNumberToObject(sweeps, "slices", plan->slice.of);
    }
}

static const char *unit_of(const struct sp_skip *skip)
{
    return skip->is_ports                 ? "ports"
           : skip->is_tests               ? "tests"
           : skip->proto < SP_PROTO_COUNT ? "intervals"
                                          : "pairs";
}

static int print_json(const struct sp_plan *plan, const struct sp_model *model)
{
    const struct sp_coverage *c = &plan->coverage;
    char seed[24];
    cJSON *root = cJSON_CreateObject();
    (void)snprintf(seed, sizeof(seed), "%llu", (unsigned long long)plan->seed);
    (void)cJSON_AddStringToObject(root, "depth", sp_depth_str(plan->depth));
    (void)cJSON_AddStringToObject(root, "seed", seed);
    (void)cJSON_AddNumberToObject(root, "tests", (double)plan->cost.tests);
    double bypasses = 0;
    for (size_t i = 0; i < plan->ntests; i++) {
        bypasses += plan->tests[i].why == SP_WHY_BYPASS;
    }
    (void)cJSON_AddNumberToObject(root, "bypass_tests", bypasses);
    (void)cJSON_AddNumberToObject(root, "packets", (double)plan->cost.packets);
    (void)cJSON_AddNumberToObject(root, "seconds", (double)plan->cost.seconds);
    add_sweeps(root, plan);
    cJSON *coverage = cJSON_AddObjectToObject(root, "coverage");
    add_ratio(coverage, "pairs", c->pairs_tested, c->pairs_of);
    add_ratio(coverage, "intervals", c->intervals_tested, c->intervals_of);
    add_ratio(coverage, "edges", c->edges_tested, c->edges_of);
    add_ratio(coverage, "rules", c->rules_tested, c->rules_of);
    add_ratio(coverage, "enforcements", c->enforcements_tested, c->enforcements_of);
    (void)cJSON_AddNumberToObject(coverage, "denied_ports_swept", c->denied_ports_swept);
    cJSON *skips = cJSON_AddArrayToObject(root, "not_tested");
    for (size_t i = 0; i < plan->nskips; i++) {
        cJSON *skip = cJSON_CreateObject();
        (void)cJSON_AddStringToObject(skip, "reason", plan->skips[i].reason);
        (void)cJSON_AddNumberToObject(skip, "points", (double)plan->skips[i].points);
        (void)cJSON_AddStringToObject(skip, "unit", unit_of(&plan->skips[i]));
        (void)cJSON_AddItemToArray(skips, skip);
    }
    if (add_listeners(root, plan, model) != SP_OK) {
        cJSON_Delete(root);
        return sp_cmd_print_json(NULL, true);
    }
    return sp_cmd_print_json(root, true);
}

static int print_text(const struct sp_plan *plan, const struct sp_model *model,
                      const struct sp_common *given)
{
    struct sp_buf out;
    sp_buf_init(&out, 256U << 20);
    if (given->quiet) {
        sp_buf_fmt(&out, "%llu tests, %llu packets, %llu s\n", (unsigned long long)plan->cost.tests,
                   (unsigned long long)plan->cost.packets, (unsigned long long)plan->cost.seconds);
    } else {
        sp_plan_print(plan, model, given->verbose > 0, &out);
    }
    int code = sp_cmd_print(&out);
    sp_buf_release(&out);
    return code;
}

static int plan_it(const char *file, const struct options *options)
{
    struct sp_policy *policy = NULL;
    struct sp_plan *plan = NULL;
    struct sp_model *model = sp_cmd_load(file, &options->common, NULL);
    int code = SP_EXIT_USAGE;
    if (model && sp_selection_plan(model, &options->selection, &policy, &plan) == SP_OK) {
        code = options->common.json ? print_json(plan, model)
                                    : print_text(plan, model, &options->common);
    }
    sp_plan_free(plan);
    sp_policy_free(policy);
    sp_model_free(model);
    return code;
}

static int run(int argc, char **argv)
{
    struct options options = {.selection.depth = SP_UNCHOSEN};
    struct sp_args args;
    int code = sp_cmd_parse(&cmdline, argc, argv, &options, &args);
    if (code >= 0) {
        return code;
    }
    code = SP_EXIT_USAGE;
    if (sp_lasting_depth(&cmdline, options.rolling, &options.selection.depth)) {
        options.selection.slice.of = (uint32_t)options.rolling;
        code = plan_it(args.items[0], &options);
    }
    sp_args_release(&cmdline, &options, &args);
    return code;
}

const struct sp_command sp_cmd_plan = {.name = "plan",
                                       .brief = "tells what would be tested, and what not",
                                       .cmdline = &cmdline,
                                       .run = run};
