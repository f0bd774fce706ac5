/* SPDX-License-Identifier: Apache-2.0
 *
 * `segproof explain`: which rule decides a flow. */
#include <cjson/cJSON.h>
#include <stdio.h>

#include "controller/commands/cmd.h"
#include "probe/base/buf.h"
#include "topologies/explain.h"

struct options {
    struct sp_common common;
};

static const struct sp_opt common[] = {
    SP_COMMON_OPTS("the answer as JSON, with every pair and every rule that would match too",
                   "one line per answer: the flow, what is declared, the rule; no warnings",
                   "also every pair that an answer is true of")};

static const struct sp_cmdline cmdline = {
    .name = "segproof explain",
    .usage = "TOPOLOGY FROM TO PORT [OPTION]...",
    .summary =
        "Says which rule decides a flow and which others would match. Sends nothing. FROM and TO are names of hosts, "
        "networks, groups or balancers, or selectors such as label:app=web; PORT is tcp/22, udp/53, icmp/echo, any, "
        "or the name of a service.",
    .common = common,
    .ncommon = SP_ARRAY_LEN(common),
    .positional = "TOPOLOGY FROM TO PORT",
    .min_positional = 4,
    .max_positional = 4,
    .examples = "  segproof explain shop.yaml web-1 db-1 tcp/5432\n"
                "  segproof explain shop.yaml internet data tcp/22\n"
                "  segproof explain shop.yaml label:app=web data any --json\n",
};

static void add_rule(cJSON *to, const struct sp_model *model, uint32_t rule)
{
    if (rule == SP_NONE) {
        (void)cJSON_AddStringToObject(to, "policy", "default deny");
        return;
    }
    (void)cJSON_AddStringToObject(to, "policy", model->rules[rule].name);
    (void)cJSON_AddNumberToObject(to, "line", model->rules[rule].pos.line);
    if (model->rules[rule].source) {
        (void)cJSON_AddStringToObject(to, "source", model->rules[rule].source);
    }
}

static void add_piece(cJSON *pieces, const struct sp_model *model,
                      const struct sp_explain_piece *piece)
{
    char ports[SP_PORTSPEC_STRLEN];
    const struct sp_portspec spec = {.proto = piece->proto, .lo = piece->lo, .hi = piece->hi};
    cJSON *p = cJSON_CreateObject();
    (void)cJSON_AddStringToObject(p, "ports", sp_portspec_str(&spec, ports));
    (void)cJSON_AddStringToObject(p, "expected", sp_expect_str(piece->expect));
    add_rule(p, model, piece->rule);
    cJSON *others = cJSON_AddArrayToObject(p, "would_match_too");
    for (size_t i = 0; i < piece->nmatches; i++) {
        if (!piece->matches[i].decides) {
            cJSON *other = cJSON_CreateObject();
            add_rule(other, model, piece->matches[i].rule);
            (void)cJSON_AddStringToObject(other, "loses", piece->matches[i].loses);
            (void)cJSON_AddItemToArray(others, other);
        }
    }
    if (piece->untested) {
        (void)cJSON_AddStringToObject(p, "not_tested", piece->untested);
    }
    if (piece->listener) {
        const struct sp_listener *listener = piece->listener;
        cJSON *l = cJSON_AddObjectToObject(p, "listener");
        cJSON *backends = cJSON_AddArrayToObject(l, "backends");
        for (size_t i = 0; i < listener->nbackends; i++) {
            (void)cJSON_AddItemToArray(
                backends, cJSON_CreateString(model->hosts[listener->backends[i]].name));
        }
        (void)cJSON_AddNumberToObject(l, "backend_port", listener->backend_port);
        (void)cJSON_AddStringToObject(l, "mode", listener->mode);
        (void)cJSON_AddStringToObject(l, "source", listener->source);
        (void)cJSON_AddNumberToObject(l, "flows_needed", piece->flows);
        (void)cJSON_AddBoolToObject(l, "conversation", piece->talks);
    }
    (void)cJSON_AddItemToArray(pieces, p);
}

static int print_json(const struct sp_explanation *explanation, const struct sp_model *model)
{
    cJSON *root = cJSON_CreateObject();
    cJSON *answers = cJSON_AddArrayToObject(root, "answers");
    for (size_t i = 0; i < explanation->nanswers; i++) {
        const struct sp_explain_answer *answer = &explanation->answers[i];
        cJSON *a = cJSON_CreateObject();
        cJSON *pairs = cJSON_AddArrayToObject(a, "pairs");
        for (size_t k = 0; k < answer->nmembers; k++) {
            cJSON *pair = cJSON_CreateObject();
            (void)cJSON_AddStringToObject(pair, "from",
                                          sp_model_target_name(model, answer->members[k].from));
            (void)cJSON_AddStringToObject(pair, "to",
                                          sp_model_target_name(model, answer->members[k].to));
            (void)cJSON_AddItemToArray(pairs, pair);
        }
        cJSON *pieces = cJSON_AddArrayToObject(a, "flows");
        for (size_t k = 0; k < answer->npieces; k++) {
            add_piece(pieces, model, &answer->pieces[k]);
        }
        (void)cJSON_AddItemToArray(answers, a);
    }
    return sp_cmd_print_json(root, false);
}

/* -q: one line per stretch of ports and group of pairs. */
static void print_short(const struct sp_explanation *explanation, const struct sp_model *model,
                        struct sp_buf *out)
{
    for (size_t i = 0; i < explanation->nanswers; i++) {
        const struct sp_explain_answer *answer = &explanation->answers[i];
        bool is_one = explanation->nanswers == 1;
        for (size_t k = 0; k < answer->npieces; k++) {
            const struct sp_explain_piece *piece = &answer->pieces[k];
            const struct sp_portspec spec = {
                .proto = piece->proto, .lo = piece->lo, .hi = piece->hi};
            char ports[SP_PORTSPEC_STRLEN];
            size_t more = is_one ? 0 : answer->nmembers - 1;
            sp_buf_fmt(
                out, "%s -> %s",
                is_one ? explanation->from : sp_model_target_name(model, answer->members[0].from),
                is_one ? explanation->to : sp_model_target_name(model, answer->members[0].to));
            if (more > 0) {
                sp_buf_fmt(out, " and %zu more", more);
            }
            sp_buf_fmt(out, "  %s  %s  %s\n", sp_portspec_str(&spec, ports),
                       sp_expect_str(piece->expect),
                       piece->rule == SP_NONE ? "default deny" : model->rules[piece->rule].name);
        }
    }
}

/* -v: whom each answer is about. */
static void print_members(const struct sp_explanation *explanation, const struct sp_model *model,
                          struct sp_buf *out)
{
    for (size_t i = 0; i < explanation->nanswers; i++) {
        const struct sp_explain_answer *answer = &explanation->answers[i];
        sp_buf_fmt(out, "Answer %zu is true of %zu pair%s\n", i + 1, answer->nmembers,
                   answer->nmembers == 1 ? "" : "s");
        for (size_t k = 0; k < answer->nmembers; k++) {
            sp_buf_fmt(out, "  %s -> %s\n", sp_model_target_name(model, answer->members[k].from),
                       sp_model_target_name(model, answer->members[k].to));
        }
    }
}

static int explain(const struct sp_args *args, const struct options *options)
{
    /* What is only doubtful elsewhere in the file does not belong to this answer. */
    const struct sp_common calm = {.quiet = 1, .color = options->common.color};
    struct sp_model *model = sp_cmd_load(args->items[0], &calm, NULL);
    struct sp_policy *policy = NULL;
    struct sp_explanation *explanation = NULL;
    struct sp_diag diag = {0};
    struct sp_buf out;
    if (!model) {
        return SP_EXIT_USAGE;
    }
    sp_buf_init(&out, 64U << 20);
    enum sp_rc rc = sp_policy_new(model, &policy);
    if (rc == SP_OK) {
        rc = sp_explanation_new(policy, model, args->items[1], args->items[2], args->items[3],
                                &explanation, &diag);
    }
    int code = SP_EXIT_USAGE;
    if (rc != SP_OK && diag.text[0]) {
        sp_cmd_complain(&diag);
    } else if (rc != SP_OK) {
        (void)fprintf(stderr, "segproof: %s\n", sp_rc_str(rc));
    } else if (options->common.json) {
        code = print_json(explanation, model);
    } else {
        if (options->common.quiet) {
            print_short(explanation, model, &out);
        } else {
            sp_explanation_print(explanation, model, &out);
        }
        if (options->common.verbose) {
            print_members(explanation, model, &out);
        }
        code = sp_cmd_print(&out);
    }
    sp_buf_release(&out);
    sp_explanation_free(explanation);
    sp_policy_free(policy);
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
    code = explain(&args, &options);
    sp_args_release(&cmdline, &options, &args);
    return code;
}

const struct sp_command sp_cmd_explain = {
    .name = "explain", .brief = "tells which rule decides a flow", .cmdline = &cmdline, .run = run};
