/* SPDX-License-Identifier: Apache-2.0
 *
 * The text of --help from the option table, and the check of the table itself. */
#include <string.h>

#include "probe/base/args.h"

#define HELP_WIDTH  80U
#define HELP_COLUMN 28U /* where the descriptions start */

static void pad(struct sp_buf *out, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        sp_buf_char(out, ' ');
    }
}

/* Words of text from column at on, wrapped and indented; ends the line. */
static void wrap(struct sp_buf *out, const char *text, size_t at, size_t indent)
{
    size_t column = at;
    while (*text) {
        size_t len = strcspn(text, " \n");
        if (column > indent && column + 1 + len > HELP_WIDTH) {
            sp_buf_char(out, '\n');
            pad(out, indent);
            column = indent;
        }
        if (column > indent) {
            sp_buf_char(out, ' ');
            column++;
        }
        sp_buf_add(out, text, len);
        column += len;
        text += len;
        text += strspn(text, " \n");
    }
    sp_buf_char(out, '\n');
}

static void add_choices(struct sp_buf *text, const struct sp_opt *opt)
{
    sp_buf_str(text, ": ");
    for (size_t i = 0; opt->choices[i]; i++) {
        sp_buf_fmt(text, "%s%s", i ? ", " : "", opt->choices[i]);
    }
}

static void help_opt_line(struct sp_buf *out, const struct sp_opt *opt)
{
    size_t start = out->len;
    if (opt->letter) {
        sp_buf_fmt(out, "  -%c, --%s", opt->letter, opt->name);
    } else {
        sp_buf_fmt(out, "      --%s", opt->name);
    }
    if (opt->kind != SP_OPT_FLAG) {
        sp_buf_fmt(out, " %s%s", opt->metavar, opt->kind == SP_OPT_LIST ? "..." : "");
    }
    size_t width = out->len - start;
    if (width + 2 > HELP_COLUMN) {
        sp_buf_char(out, '\n');
        width = 0;
    }
    pad(out, HELP_COLUMN - width);
    struct sp_buf text;
    sp_buf_init(&text, 2048);
    sp_buf_str(&text, opt->help);
    if (opt->kind == SP_OPT_CHOICE) {
        add_choices(&text, opt);
    }
    if (text.rc != SP_OK && out->rc == SP_OK) {
        out->rc = text.rc;
    }
    wrap(out, sp_buf_text(&text), HELP_COLUMN, HELP_COLUMN);
    sp_buf_release(&text);
}

void sp_args_help(const struct sp_cmdline *cmd, struct sp_buf *out)
{
    sp_buf_fmt(out, "Usage: %s %s\n", cmd->name, cmd->usage);
    wrap(out, cmd->summary, 0, 0);
    sp_buf_str(out, "\nOptions:\n");
    const struct sp_opt *opt = NULL;
    for (size_t i = 0; (opt = sp_args_opt_at(cmd, i)) != NULL; i++) {
        help_opt_line(out, opt);
    }
    if (cmd->examples) {
        sp_buf_fmt(out, "\nExamples:\n%s", cmd->examples);
        if (out->len && out->data[out->len - 1] != '\n') {
            sp_buf_char(out, '\n');
        }
    }
}

static enum sp_rc check_opt(const struct sp_cmdline *cmd, const struct sp_opt *opt,
                            struct sp_diag *diag)
{
    size_t len = strlen(opt->name);
    if (len < 2 || strspn(opt->name, "abcdefghijklmnopqrstuvwxyz0123456789-") != len) {
        return sp_fail(diag, SP_E_INVALID, cmd->name, "'%s' is not a good option name", opt->name);
    }
    if (!opt->help || opt->help[0] == '\0' || opt->help[strlen(opt->help) - 1] == '.') {
        return sp_fail(diag, SP_E_INVALID, cmd->name, "--%s: help is missing or ends in '.'",
                       opt->name);
    }
    if ((opt->kind == SP_OPT_FLAG) != (opt->metavar == NULL)) {
        return sp_fail(diag, SP_E_INVALID, cmd->name, "--%s: metavar is for values", opt->name);
    }
    if ((opt->kind == SP_OPT_CHOICE) != (opt->choices && opt->choices[0])) {
        return sp_fail(diag, SP_E_INVALID, cmd->name, "--%s: choices are for SP_OPT_CHOICE",
                       opt->name);
    }
    if (opt->max && opt->min > opt->max) {
        return sp_fail(diag, SP_E_INVALID, cmd->name, "--%s: min is above max", opt->name);
    }
    const struct sp_opt *other = NULL;
    for (size_t i = 0; (other = sp_args_opt_at(cmd, i)) != opt; i++) {
        if (strcmp(other->name, opt->name) == 0 || (opt->letter && other->letter == opt->letter)) {
            return sp_fail(diag, SP_E_INVALID, cmd->name, "--%s and --%s: same name or letter",
                           other->name, opt->name);
        }
    }
    return SP_OK;
}

enum sp_rc sp_args_check(const struct sp_cmdline *cmd, struct sp_diag *diag)
{
    if (!cmd->name || !cmd->usage || !cmd->summary || cmd->min_positional > cmd->max_positional ||
        (cmd->max_positional && !cmd->positional)) {
        return sp_fail(diag, SP_E_INVALID, cmd->name,
                       "name, usage, summary or the positional arguments are not declared");
    }
    const struct sp_opt *opt = NULL;
    for (size_t i = 0; (opt = sp_args_opt_at(cmd, i)) != NULL; i++) {
        enum sp_rc rc = check_opt(cmd, opt, diag);
        if (rc != SP_OK) {
            return rc;
        }
    }
    return SP_OK;
}
