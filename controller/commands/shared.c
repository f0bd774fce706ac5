/* SPDX-License-Identifier: Apache-2.0 */
#include <cjson/cJSON.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "controller/commands/cmd.h"
#include "controller/deployers/deployer.h"
#include "controller/inspect/inspect.h"
#include "probe/base/buf.h"
#include "probe/base/hash.h"
#include "probe/base/mem.h"
#include "probe/techniques/registry.h"
#include "reports/sink.h"
#include "topologies/loader.h"

const char *const sp_depth_choices[] = {"quick", "standard", "exhaustive", NULL};

/* ---- parsing, loading, printing ---- */

int sp_cmd_misuse(const struct sp_cmdline *cmdline, const char *fmt, ...)
{
    char text[1024];
    va_list ap;
    va_start(ap, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    (void)fprintf(stderr, "%s: %s\nTry '%s --help'.\n", cmdline->name, text, cmdline->name);
    return SP_EXIT_USAGE;
}

int sp_cmd_parse(const struct sp_cmdline *cmdline, int argc, char **argv, void *into,
                 struct sp_args *ret_args)
{
    struct sp_diag diag;
    enum sp_rc rc = sp_args_parse(cmdline, argc, argv, into, ret_args, &diag);
    if (rc != SP_OK) {
        return sp_cmd_misuse(cmdline, "%s", diag.text);
    }
    const struct sp_common *common = into;
    if (!ret_args->help && common->quiet && common->verbose) {
        sp_args_release(cmdline, into, ret_args);
        return sp_cmd_misuse(cmdline, "--quiet and --verbose contradict each other: give one");
    }
    if (!ret_args->help) {
        return -1;
    }
    struct sp_buf text;
    sp_buf_init(&text, 1U << 16);
    sp_args_help(cmdline, &text);
    int code = sp_cmd_print(&text);
    sp_buf_release(&text);
    sp_args_release(cmdline, into, ret_args);
    return code;
}

/* Where what is wrong with a topology goes: to people or into a list. */
struct told {
    const char *file;
    const struct sp_common *common;
    struct cJSON *list;      /* or NULL */
    const struct sp_buf *in; /* the topology's text */
    struct sp_buf out;       /* for people, until it is printed */
};

static void tell(struct told *told, const struct sp_problem *problem)
{
    if (told->list) {
        cJSON *one = cJSON_CreateObject();
        (void)cJSON_AddStringToObject(one, "severity", problem->is_error ? "error" : "warning");
        if (problem->pos.line) {
            (void)cJSON_AddNumberToObject(one, "line", problem->pos.line);
            (void)cJSON_AddNumberToObject(one, "column", problem->pos.col);
        }
        (void)cJSON_AddStringToObject(one, "pointer", problem->pointer ? problem->pointer : "");
        (void)cJSON_AddStringToObject(one, "text", problem->text);
        (void)cJSON_AddItemToArray(told->list, one);
    } else if (problem->is_error || !told->common->quiet) {
        sp_problem_print(problem, told->file, told->in->data, told->in->len,
                         sp_cmd_color(told->common, STDERR_FILENO), &told->out);
    }
}

/* What the topology asks for and this version cannot do: better said now than by verify. */
static void warn_of_deployers(struct told *told, const struct sp_model *model)
{
    for (size_t h = 0; h < model->nhosts; h++) {
        const struct sp_host *host = &model->hosts[h];
        struct sp_buf text;
        char pointer[320];
        if (!host->via || sp_deployer_find(host->via)) {
            continue;
        }
        sp_buf_init(&text, 4096);
        sp_buf_fmt(&text, "this version cannot start probes via %s (it can:", host->via);
        for (size_t i = 0; i < sp_deployer_count(); i++) {
            sp_buf_fmt(&text, " %s", sp_deployer_at(i)->name);
        }
        sp_buf_fmt(&text, "); %s will be named as failed", host->name);
        (void)snprintf(pointer, sizeof(pointer), "/hosts/%s/probe/via", host->name);
        if (told->list && text.rc == SP_OK) {
            struct sp_problem problem = {.pos = host->pos, .pointer = pointer, .text = text.data};
            tell(told, &problem);
        } else if (!told->common->quiet) {
            (void)fprintf(stderr, "%s:%u:%u: warning: %s\n", told->file, host->pos.line,
                          host->pos.col, sp_buf_text(&text));
        }
        sp_buf_release(&text);
    }
}

/* Why there is no model, where no problem of the topology says it. */
static void tell_failure(struct told *told, enum sp_rc rc, const struct sp_problems *problems,
                         const struct sp_diag *diag)
{
    if (told->list && problems->nerrors == 0) {
        char words[sizeof(diag->text)];
        char nowhere[] = "";
        (void)snprintf(words, sizeof(words), "%s", diag->text[0] ? diag->text : sp_rc_str(rc));
        struct sp_problem problem = {.is_error = true, .pointer = nowhere, .text = words};
        tell(told, &problem);
    }
    if (problems->nerrors > 0) {
        if (!told->list) {
            (void)fprintf(stderr, "segproof: %s: %zu error%s\n", told->file, problems->nerrors,
                          problems->nerrors == 1 ? "" : "s");
        }
    } else if (diag->text[0]) {
        sp_cmd_complain(diag);
    } else {
        (void)fprintf(stderr, "segproof: %s: %s\n", told->file, sp_rc_str(rc));
    }
}

struct sp_model *sp_cmd_load(const char *file, const struct sp_common *common,
                             struct cJSON *problems_json)
{
    struct sp_problems problems = {0};
    struct sp_model *model = NULL;
    struct sp_diag diag = {0};
    struct sp_buf text;
    struct told told = {.file = file, .common = common, .list = problems_json, .in = &text};
    sp_buf_init(&text, SP_TOPOLOGY_MAX_BYTES);
    sp_buf_init(&told.out, 16U << 20);
    enum sp_rc rc = sp_topology_read(file, &text, &problems, &diag);
    if (rc == SP_OK) {
        rc = sp_topology_load_text(file, sp_buf_text(&text), text.len, &model, &problems);
    }
    for (size_t i = 0; i < problems.n; i++) {
        tell(&told, &problems.at[i]);
    }
    (void)fputs(sp_buf_text(&told.out), stderr);
    if (rc == SP_OK) {
        warn_of_deployers(&told, model);
    } else {
        tell_failure(&told, rc, &problems, &diag);
    }
    sp_buf_release(&told.out);
    sp_buf_release(&text);
    sp_problems_release(&problems);
    return rc == SP_OK ? model : NULL;
}

void sp_cmd_complain(const struct sp_diag *diag)
{
    (void)fprintf(stderr, "segproof: %s%s%s\n", diag->where, diag->where[0] ? ": " : "",
                  diag->text);
}

int sp_cmd_print(const struct sp_buf *text)
{
    struct sp_diag diag = {0};
    if (text->rc != SP_OK) {
        (void)fprintf(stderr, "segproof: %s\n", sp_rc_str(text->rc));
        return SP_EXIT_USAGE;
    }
    if (sp_sink_write_file("-", text, &diag) != SP_OK && diag.saved_errno != EPIPE) {
        sp_cmd_complain(&diag);
        return SP_EXIT_USAGE;
    }
    return 0;
}

int sp_cmd_print_json(struct cJSON *json, bool is_line)
{
    struct sp_buf out;
    sp_buf_init(&out, 256U << 20);
    char *text = is_line ? cJSON_PrintUnformatted(json) : cJSON_Print(json);
    cJSON_Delete(json);
    if (text) {
        sp_buf_str(&out, text);
        sp_buf_char(&out, '\n');
        cJSON_free(text);
    } else {
        out.rc = SP_E_NOMEM;
    }
    int code = sp_cmd_print(&out);
    sp_buf_release(&out);
    return code;
}

/* ---- the selection ---- */

/* SP_CLAIM_KIND_COUNT: it is no kind of claims. */
static unsigned find_kind(const char *name)
{
    unsigned kind = 0;
    while (kind < SP_CLAIM_KIND_COUNT && strcmp(name, sp_inspect_kind_name(kind)) != 0) {
        kind++;
    }
    return kind;
}

static enum sp_rc pick_techniques(const struct sp_selection *s, bool *techniques)
{
    size_t n = sp_technique_count();
    for (size_t i = 0; i < n; i++) {
        techniques[i] = s->only.count == 0;
    }
    for (size_t k = 0; k < s->only.count + s->skip.count; k++) {
        bool only = k < s->only.count;
        const char *name = only ? s->only.items[k] : s->skip.items[k - s->only.count];
        const struct sp_technique_info *info = sp_technique_find(name);
        if (find_kind(name) < SP_CLAIM_KIND_COUNT) {
            continue; /* sp_selection_inspect() */
        }
        if (!info) {
            (void)fprintf(stderr, "segproof: --%s: there is no technique '%s'; there are:",
                          only ? "only" : "skip", name);
            for (size_t i = 0; i < n; i++) {
                (void)fprintf(stderr, " %s", sp_technique_at(i)->name);
            }
            for (unsigned i = 0; i < SP_CLAIM_KIND_COUNT; i++) {
                (void)fprintf(stderr, " %s", sp_inspect_kind_name(i));
            }
            (void)fputc('\n', stderr);
            return SP_E_INVALID;
        }
        techniques[sp_technique_index(info)] = only;
    }
    return SP_OK;
}

static void name_option(struct sp_diag *diag, enum sp_rc rc, const char *option)
{
    if (rc != SP_OK && !diag->where[0]) {
        (void)snprintf(diag->where, sizeof(diag->where), "%s", option);
    }
}

enum sp_rc sp_selection_plan(const struct sp_model *model, const struct sp_selection *selection,
                             struct sp_policy **ret_policy, struct sp_plan **ret_plan)
{
    struct sp_bits from = {0};
    struct sp_bits to = {0};
    struct sp_diag diag = {0};
    struct sp_policy *policy = NULL;
    struct sp_plan_options options = {.depth = (enum sp_depth)selection->depth,
                                      .seed = selection->seed,
                                      .slice = selection->slice};
    bool *techniques = sp_calloc(sp_technique_count(), sizeof(*techniques));
    if (!techniques) {
        return SP_E_NOMEM;
    }
    while (options.seed == 0) {
        sp_random_bytes(&options.seed, sizeof(options.seed));
        options.seed >>= 11; /* a number that JSON readers keep exactly */
    }
    options.techniques = techniques;
    enum sp_rc rc = pick_techniques(selection, techniques);
    bool told = rc != SP_OK;
    if (rc == SP_OK && selection->from) {
        rc = sp_select(model, selection->from, &from, &diag);
        name_option(&diag, rc, "--from");
        options.from = &from;
    }
    if (rc == SP_OK && selection->to) {
        rc = sp_select(model, selection->to, &to, &diag);
        name_option(&diag, rc, "--to");
        options.to = &to;
    }
    if (rc == SP_OK) {
        rc = sp_policy_new(model, &policy);
    }
    if (rc == SP_OK) {
        rc = sp_plan_new(policy, model, &options, ret_plan, &diag);
    }
    sp_bits_release(&from);
    sp_bits_release(&to);
    sp_free(techniques);
    if (rc == SP_OK) {
        *ret_policy = policy;
        return SP_OK;
    }
    sp_policy_free(policy);
    if (!told && diag.text[0]) {
        sp_cmd_complain(&diag);
    } else if (!told) {
        (void)fprintf(stderr, "segproof: %s\n", sp_rc_str(rc));
    }
    return rc;
}

enum sp_rc sp_selection_inspect(const struct sp_model *model, const struct sp_selection *selection,
                                struct sp_inspect *ret_inspect)
{
    struct sp_inspect inspect = {0};
    struct sp_diag diag = {0};
    for (unsigned k = 0; k < SP_CLAIM_KIND_COUNT; k++) {
        inspect.kinds[k] = selection->only.count == 0;
    }
    for (size_t i = 0; i < selection->only.count + selection->skip.count; i++) {
        bool only = i < selection->only.count;
        unsigned kind = find_kind(only ? selection->only.items[i]
                                       : selection->skip.items[i - selection->only.count]);
        if (kind < SP_CLAIM_KIND_COUNT) {
            inspect.kinds[kind] = only;
        }
    }
    enum sp_rc rc = SP_OK;
    if (selection->from) {
        rc = sp_select(model, selection->from, &inspect.from, &diag);
    }
    if (rc == SP_OK && selection->to) {
        rc = sp_select(model, selection->to, &inspect.to, &diag);
    }
    if (rc != SP_OK) {
        sp_inspect_release(&inspect);
        sp_cmd_complain(&diag);
        return rc;
    }
    *ret_inspect = inspect;
    return SP_OK;
}
