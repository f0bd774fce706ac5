/* SPDX-License-Identifier: Apache-2.0
 *
 * `segproof check`: what is wrong with a topology, and with -v what was understood of it. */
#include <cjson/cJSON.h>
#include <stdio.h>

#include "controller/commands/check_presets.h"
#include "probe/base/buf.h"
#include "topologies/preset.h"
#include "topologies/schema.h"

#define SP_CHECK_MAX_BYTES (64U << 20)

struct options {
    struct sp_common common;
    unsigned schema, presets;
    const char *preset;
};

static const struct sp_opt opts[] = {
    {.name = "schema",
     .kind = SP_OPT_FLAG,
     .offset = offsetof(struct options, schema),
     .help = "print the JSON Schema of topologies and exit"},
    {.name = "presets",
     .kind = SP_OPT_FLAG,
     .offset = offsetof(struct options, presets),
     .help = "list the presets that `use` may name, and exit"},
    {.name = "preset",
     .kind = SP_OPT_STRING,
     .metavar = "PRESET",
     .offset = offsetof(struct options, preset),
     .help = "print a preset, each line with its source, and exit"},
};

static const struct sp_opt common[] = {SP_COMMON_OPTS(
    "the problems and the numbers as JSON, also when the topology is wrong",
    "no warnings, and nothing when it is good", "also every network, host and rule as understood")};

static const struct sp_cmdline cmdline = {
    .name = "segproof check",
    .usage = "TOPOLOGY [OPTION]...",
    .summary =
        "Loads a topology and lints its meaning: overlaps, contradictions, rules that never match, unknown names. "
        "Tells every flow of the presets it uses, with its source. Sends nothing. Every problem is printed at once, with its place in the file. "
        "TOPOLOGY may be -, standard input.",
    .opts = opts,
    .nopts = SP_ARRAY_LEN(opts),
    .common = common,
    .ncommon = SP_ARRAY_LEN(common),
    .positional = "TOPOLOGY",
    .max_positional = 1,
    .examples = "  segproof check shop.yaml\n"
                "  segproof check shop.yaml --json\n"
                "  segproof check --presets\n"
                "  segproof check --preset gloo-mesh\n"
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

static void add_count(struct sp_buf *out, const char *before, size_t n, const char *what)
{
    sp_buf_fmt(out, "%s%zu %s%s", before, n, what, n == 1 ? "" : "s");
}

static void add_labels(struct sp_buf *out, const struct sp_host *host)
{
    for (size_t i = 0; i < host->nlabels; i++) {
        sp_buf_fmt(out, "%s%s=%s", i ? ", " : "; ", host->labels[i].key, host->labels[i].value);
    }
}

static const char *kind_word(enum sp_rule_kind kind)
{
    static const char *const words[] = {
        [SP_RULE_DENY] = "deny",
        [SP_RULE_ALLOW] = "allow",
        [SP_RULE_PERMIT] = "permit",
        [SP_RULE_ISOLATION] = "isolate",
    };
    return words[kind];
}

/* -v: what stands in the file, as it was understood. */
static void add_detail(struct sp_buf *out, const struct sp_model *model)
{
    char text[SP_ADDR_STRLEN];
    sp_buf_str(out, "Networks\n");
    for (size_t i = 0; i < model->nnetworks; i++) {
        const struct sp_network *network = &model->networks[i];
        size_t hosts = 0;
        for (size_t h = 0; h < model->nhosts; h++) {
            hosts += sp_model_network_within(model, model->hosts[h].network, (uint32_t)i);
        }
        sp_buf_fmt(out, "  %s", network->name);
        if (network->parent != SP_NONE) {
            sp_buf_fmt(out, ", in %s", model->networks[network->parent].name);
        }
        add_count(out, ": ", hosts, "host");
        sp_buf_char(out, '\n');
    }
    sp_buf_str(out, "Hosts\n");
    for (size_t i = 0; i < model->nhosts; i++) {
        const struct sp_host *host = &model->hosts[i];
        sp_buf_fmt(out, "  %s, in %s: ", host->name, model->networks[host->network].name);
        for (size_t k = 0; k < host->naddrs; k++) {
            sp_buf_fmt(out, "%s%s", k ? ", " : "", sp_addr_str(&host->addrs[k], text));
        }
        sp_buf_fmt(out, "%s%s", host->via ? "; probe via " : "; no probe",
                   host->via ? host->via : "");
        add_labels(out, host);
        sp_buf_char(out, '\n');
    }
    sp_buf_str(out, "Rules\n");
    for (size_t i = 0; i < model->nrules; i++) {
        const struct sp_rule *rule = &model->rules[i];
        sp_buf_fmt(out, "  %s (line %u): %s", rule->name, (unsigned)rule->pos.line,
                   kind_word(rule->kind));
        for (size_t k = 0; k < rule->nports; k++) {
            char port[SP_PORTSPEC_STRLEN];
            sp_buf_fmt(out, "%s%s", k ? "," : " ", sp_portspec_str(&rule->ports[k], port));
        }
        add_count(out, ", ", sp_bits_count(&rule->from), "sender");
        add_count(out, ", ", sp_bits_count(&rule->to), "receiver");
        sp_buf_char(out, '\n');
    }
}

static int print_model(const char *file, const struct sp_model *model,
                       const struct sp_common *given)
{
    struct sp_buf out;
    sp_buf_init(&out, SP_CHECK_MAX_BYTES);
    if (!given->quiet) {
        sp_buf_fmt(&out, "%s: good: ", file);
        add_count(&out, "", model->nnetworks, "network");
        add_count(&out, ", ", model->nhosts, "host");
        add_count(&out, ", ", model->nrules, "rule");
        add_count(&out, ", ", model->nbalancers, "balancer");
        sp_buf_char(&out, '\n');
        sp_uses_print(model, &out);
    }
    if (given->verbose) {
        add_detail(&out, model);
    }
    int code = sp_cmd_print(&out);
    sp_buf_release(&out);
    return code;
}

static int check_json(const char *file, const struct sp_common *given)
{
    cJSON *root = cJSON_CreateObject();
    cJSON *problems = cJSON_CreateArray();
    struct sp_model *model = sp_cmd_load(file, given, problems);
    (void)cJSON_AddBoolToObject(root, "good", model != NULL);
    if (model) {
        (void)cJSON_AddStringToObject(root, "topology", model->sha256);
        (void)cJSON_AddNumberToObject(root, "networks", (double)model->nnetworks);
        (void)cJSON_AddNumberToObject(root, "hosts", (double)model->nhosts);
        (void)cJSON_AddNumberToObject(root, "rules", (double)model->nrules);
        (void)cJSON_AddNumberToObject(root, "balancers", (double)model->nbalancers);
        sp_check_add_presets(root, model);
    }
    (void)cJSON_AddItemToObject(root, "problems", problems);
    int code = sp_cmd_print_json(root, true);
    code = code == SP_EXIT_HOLDS && !model ? SP_EXIT_USAGE : code;
    sp_model_free(model);
    return code;
}

static int check(const char *file, const struct options *options)
{
    if (options->common.json) {
        return check_json(file, &options->common);
    }
    struct sp_model *model = sp_cmd_load(file, &options->common, NULL);
    int code = model ? print_model(file, model, &options->common) : SP_EXIT_USAGE;
    sp_model_free(model);
    return code;
}

static int run(int argc, char **argv)
{
    struct options options = {0};
    struct sp_args args;
    int code = sp_cmd_parse(&cmdline, argc, argv, &options, &args);
    if (code >= 0) {
        return code;
    }
    const char *alone = options.schema    ? "--schema"
                        : options.presets ? "--presets"
                        : options.preset  ? "--preset"
                                          : NULL;
    if (alone && args.count > 0) {
        code = sp_cmd_misuse(&cmdline, "%s looks at no topology: leave out '%s'", alone,
                             args.items[0]);
    } else if (options.schema) {
        code = print_schema();
    } else if (options.presets) {
        code = sp_check_list_presets(&options.common);
    } else if (options.preset) {
        code = sp_check_print_preset(&cmdline, options.preset);
    } else if (args.count == 0) {
        code = sp_cmd_misuse(&cmdline, "name the topology file");
    } else {
        code = check(args.items[0], &options);
    }
    sp_args_release(&cmdline, &options, &args);
    return code;
}

const struct sp_command sp_cmd_check = {
    .name = "check", .brief = "finds mistakes in a topology", .cmdline = &cmdline, .run = run};
