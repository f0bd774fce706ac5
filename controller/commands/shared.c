/* SPDX-License-Identifier: Apache-2.0 */
#include <langinfo.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "controller/commands/cmd.h"
#include "controller/deployers/deployer.h"
#include "probe/base/buf.h"
#include "probe/base/hash.h"
#include "probe/base/mem.h"
#include "probe/techniques/registry.h"
#include "reports/sink.h"
#include "topologies/loader.h"

const char *const sp_depth_choices[] = {"quick", "standard", NULL};

const struct sp_opt sp_common_opts[3] = {
    {.name = "json",
     .kind = SP_OPT_FLAG,
     .offset = offsetof(struct sp_common, json),
     .help = "machine-readable output on standard output"},
    {.name = "quiet",
     .letter = 'q',
     .kind = SP_OPT_FLAG,
     .offset = offsetof(struct sp_common, quiet),
     .help = "only what matters: no progress, no warnings"},
    {.name = "verbose",
     .letter = 'v',
     .kind = SP_OPT_FLAG,
     .offset = offsetof(struct sp_common, verbose),
     .help = "more detail"},
};

int sp_cmd_parse(const struct sp_cmdline *cmdline, int argc, char **argv, void *into,
                 struct sp_args *ret_args)
{
    struct sp_diag diag;
    enum sp_rc rc = sp_args_parse(cmdline, argc, argv, into, ret_args, &diag);
    if (rc != SP_OK) {
        (void)fprintf(stderr, "%s: %s\nTry '%s --help'.\n", cmdline->name, diag.text,
                      cmdline->name);
        return SP_EXIT_USAGE;
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

/* What the topology asks for and this version cannot do: better said now than by verify. */
static void warn_of_deployers(const struct sp_model *model, const char *file)
{
    for (size_t h = 0; h < model->nhosts; h++) {
        const struct sp_host *host = &model->hosts[h];
        if (host->via && !sp_deployer_find(host->via)) {
            (void)fprintf(
                stderr, "%s:%u:%u: warning: this version cannot start probes via %s (it can:", file,
                host->pos.line, host->pos.col, host->via);
            for (size_t i = 0; i < sp_deployer_count(); i++) {
                (void)fprintf(stderr, " %s", sp_deployer_at(i)->name);
            }
            (void)fprintf(stderr, "); %s will be named as failed\n", host->name);
        }
    }
}

struct sp_model *sp_cmd_load(const char *file, bool quiet)
{
    struct sp_problems problems = {0};
    struct sp_model *model = NULL;
    struct sp_diag diag = {0};
    struct sp_buf text;
    struct sp_buf out;
    sp_buf_init(&text, SP_TOPOLOGY_MAX_BYTES);
    sp_buf_init(&out, 16U << 20);
    enum sp_rc rc = sp_topology_read(file, &text, &problems, &diag);
    if (rc == SP_OK) {
        rc = sp_topology_load_text(file, sp_buf_text(&text), text.len, &model, &problems);
    }
    bool color = sp_cmd_color(STDERR_FILENO);
    for (size_t i = 0; i < problems.n; i++) {
        if (problems.at[i].is_error || !quiet) {
            sp_problem_print(&problems.at[i], file, text.data, text.len, color, &out);
        }
    }
    (void)fputs(sp_buf_text(&out), stderr);
    if (rc != SP_OK && problems.nerrors > 0) {
        (void)fprintf(stderr, "segproof: %s: %zu error%s\n", file, problems.nerrors,
                      problems.nerrors == 1 ? "" : "s");
    } else if (rc != SP_OK && diag.text[0]) {
        sp_cmd_complain(&diag);
    } else if (rc != SP_OK) {
        (void)fprintf(stderr, "segproof: %s: %s\n", file, sp_rc_str(rc));
    }
    if (rc == SP_OK && !quiet) {
        warn_of_deployers(model, file);
    }
    sp_buf_release(&out);
    sp_buf_release(&text);
    sp_problems_release(&problems);
    return rc == SP_OK ? model : NULL;
}

bool sp_cmd_color(int fd)
{
    const char *no = getenv("NO_COLOR");
    const char *term = getenv("TERM");
    return isatty(fd) == 1 && !(no && no[0]) && !(term && strcmp(term, "dumb") == 0);
}

bool sp_cmd_utf8(void)
{
    return setlocale(LC_CTYPE, "") && strcmp(nl_langinfo(CODESET), "UTF-8") == 0;
}

unsigned sp_cmd_width(int fd)
{
    struct winsize size;
    return isatty(fd) == 1 && ioctl(fd, TIOCGWINSZ, &size) == 0 ? size.ws_col : 0;
}

void sp_cmd_complain(const struct sp_diag *diag)
{
    (void)fprintf(stderr, "segproof: %s%s%s\n", diag->where, diag->where[0] ? ": " : "",
                  diag->text);
}

int sp_cmd_print(const struct sp_buf *text)
{
    struct sp_diag diag;
    if (text->rc != SP_OK) {
        (void)fprintf(stderr, "segproof: %s\n", sp_rc_str(text->rc));
        return SP_EXIT_USAGE;
    }
    if (sp_sink_write_file("-", text, &diag) != SP_OK) {
        sp_cmd_complain(&diag);
        return SP_EXIT_USAGE;
    }
    return 0;
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
        if (!info) {
            (void)fprintf(stderr, "segproof: --%s: there is no technique '%s'; there are:",
                          only ? "only" : "skip", name);
            for (size_t i = 0; i < n; i++) {
                (void)fprintf(stderr, " %s", sp_technique_at(i)->name);
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
                                      .seed = selection->seed};
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
