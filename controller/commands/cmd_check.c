/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "controller/commands/cmd.h"
#include "topologies/schema.h"

struct options {
    struct sp_common common;
    unsigned schema;
};

static const struct sp_opt opts[] = {
    {.name = "schema",
     .kind = SP_OPT_FLAG,
     .offset = offsetof(struct options, schema),
     .help = "print the JSON Schema of topologies and exit"},
};

static const struct sp_cmdline cmdline = {
    .name = "segproof check",
    .usage = "TOPOLOGY [OPTION]...",
    .summary =
        "Loads a topology and lints its meaning: overlaps, contradictions, rules that never match, unknown names. "
        "Sends nothing. Every problem is printed at once, with its place in the file.",
    .opts = opts,
    .nopts = SP_ARRAY_LEN(opts),
    .common = sp_common_opts,
    .ncommon = SP_ARRAY_LEN(sp_common_opts),
    .positional = "TOPOLOGY",
    .max_positional = 1,
    .examples = "  segproof check shop.yaml\n"
                "  segproof check --schema > topology.schema.json\n",
};

static int print_schema(void)
{
    struct sp_buf out;
    sp_buf_init(&out, 4U << 20);
    sp_topology_schema(&out);
    int code = sp_cmd_print(&out);
    sp_buf_release(&out);
    return code;
}

static int check(const char *file, const struct options *options)
{
    struct sp_model *model = sp_cmd_load(file, options->common.quiet > 0);
    if (!model) {
        return SP_EXIT_USAGE;
    }
    if (options->common.json) {
        (void)printf(
            "{\"topology\":\"%s\",\"networks\":%zu,\"hosts\":%zu,\"rules\":%zu,\"balancers\":%zu}\n",
            model->sha256, model->nnetworks, model->nhosts, model->nrules, model->nbalancers);
    } else if (!options->common.quiet) {
        (void)printf("%s: good: %zu network%s, %zu host%s, %zu rule%s, %zu balancer%s\n", file,
                     model->nnetworks, model->nnetworks == 1 ? "" : "s", model->nhosts,
                     model->nhosts == 1 ? "" : "s", model->nrules, model->nrules == 1 ? "" : "s",
                     model->nbalancers, model->nbalancers == 1 ? "" : "s");
    }
    sp_model_free(model);
    return fflush(stdout) == 0 ? SP_EXIT_HOLDS : SP_EXIT_USAGE;
}

static int run(int argc, char **argv)
{
    struct options options = {0};
    struct sp_args args;
    int code = sp_cmd_parse(&cmdline, argc, argv, &options, &args);
    if (code >= 0) {
        return code;
    }
    if (options.schema) {
        code = print_schema();
    } else if (args.count == 0) {
        (void)fputs("segproof check: name the topology file\nTry 'segproof check --help'.\n",
                    stderr);
        code = SP_EXIT_USAGE;
    } else {
        code = check(args.items[0], &options);
    }
    sp_args_release(&cmdline, &options, &args);
    return code;
}

const struct sp_command sp_cmd_check = {
    .name = "check", .brief = "finds mistakes in a topology", .cmdline = &cmdline, .run = run};
