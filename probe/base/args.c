/* SPDX-License-Identifier: Apache-2.0
 *
 * The parser of the option table. getopt_long is not used: it keeps its state in globals, accepts
 * abbreviations and prints its own errors. */
#include "probe/base/args.h"

#include <stdio.h>
#include <string.h>

#include "probe/base/mem.h"
#include "probe/base/str.h"

struct parser {
    const struct sp_cmdline *cmd;
    int argc;
    char *const *argv;
    int next; /* the next element of argv to read */
    unsigned char *into;
    struct sp_args *args;
    size_t args_cap;
    struct sp_diag *diag;
};

static const struct sp_opt help_opt = {
    .name = "help", .letter = 'h', .kind = SP_OPT_FLAG, .help = "show this help and exit"};

const struct sp_opt *sp_args_opt_at(const struct sp_cmdline *cmd, size_t index)
{
    if (index < cmd->nopts) {
        return &cmd->opts[index];
    }
    index -= cmd->nopts;
    if (index < cmd->ncommon) {
        return &cmd->common[index];
    }
    return index == cmd->ncommon ? &help_opt : NULL;
}

static const struct sp_opt *find_long(const struct sp_cmdline *cmd, const char *name, size_t len)
{
    const struct sp_opt *opt = NULL;
    for (size_t i = 0; (opt = sp_args_opt_at(cmd, i)) != NULL; i++) {
        if (strlen(opt->name) == len && strncmp(opt->name, name, len) == 0) {
            break;
        }
    }
    return opt;
}

static const struct sp_opt *find_letter(const struct sp_cmdline *cmd, char letter)
{
    const struct sp_opt *opt = NULL;
    for (size_t i = 0; (opt = sp_args_opt_at(cmd, i)) != NULL; i++) {
        if (opt->letter != '\0' && opt->letter == letter) {
            break;
        }
    }
    return opt;
}

const char *sp_args_suggest(const char *wrong, size_t count,
                            const char *(*name_at)(const void *ctx, size_t i), const void *ctx)
{
    const char *best = NULL;
    size_t len = strlen(wrong);
    /* One error in three letters still looks like a slip. */
    size_t limit = len < 3 ? 2 : len / 3 + 2;
    for (size_t i = 0; i < count; i++) {
        const char *name = name_at(ctx, i);
        bool is_start = len >= 2 && strncmp(name, wrong, len) == 0;
        size_t distance = is_start ? 1 : sp_edit_distance(wrong, name);
        if (distance < limit && distance < strlen(name)) {
            limit = distance;
            best = name;
        }
    }
    return best;
}

static const char *opt_name_at(const void *ctx, size_t i)
{
    const struct sp_opt *opt = sp_args_opt_at(ctx, i);
    return opt ? opt->name : "";
}

static const char *choice_at(const void *ctx, size_t i)
{
    const char *const *choices = ctx;
    return choices[i];
}

static enum sp_rc unknown_long(const struct parser *p, const char *name, size_t len)
{
    char word[64];
    const char *near = NULL;
    if (len < sizeof(word)) {
        memcpy(word, name, len);
        word[len] = '\0';
        near = sp_args_suggest(word, p->cmd->nopts + p->cmd->ncommon + 1, opt_name_at, p->cmd);
    }
    if (near) {
        return sp_fail(p->diag, SP_E_INVALID, p->cmd->name,
                       "unknown option '--%.*s': did you mean '--%s'?", (int)(len < 64 ? len : 64),
                       name, near);
    }
    return sp_fail(p->diag, SP_E_INVALID, p->cmd->name,
                   "unknown option '--%.*s': '%s --help' lists the options",
                   (int)(len < 64 ? len : 64), name, p->cmd->name);
}

/* size comes from the option's kind; memcpy keeps every alignment and aliasing question away. */
static void store(const struct parser *p, const struct sp_opt *opt, const void *value, size_t size)
{
    memcpy(p->into + opt->offset, value, size);
}

static enum sp_rc set_number(const struct parser *p, const struct sp_opt *opt, const char *text)
{
    uint64_t value = 0;
    uint64_t max = opt->max ? opt->max : UINT64_MAX;
    bool is_time = opt->kind == SP_OPT_DURATION;
    enum sp_rc rc =
        is_time ? sp_parse_duration_ms(text, &value) : sp_parse_uint(text, UINT64_MAX, &value);
    if (rc == SP_E_INVALID) {
        return sp_fail(p->diag, SP_E_INVALID, p->cmd->name,
                       is_time ? "--%s: '%s' is not a duration: write 250ms, 5s, 10m or 1h"
                               : "--%s: '%s' is not a whole number without a sign",
                       opt->name, text);
    }
    if (rc != SP_OK || value < opt->min || value > max) {
        const char *unit = is_time ? " ms" : "";
        if (opt->max == 0 && rc != SP_OK) {
            return sp_fail(p->diag, SP_E_INVALID, p->cmd->name, "--%s: %s is too large", opt->name,
                           text);
        }
        if (opt->max == 0) { /* its largest value is the type's and says nothing */
            return sp_fail(p->diag, SP_E_INVALID, p->cmd->name,
                           "--%s: %s is out of range: use %llu%s or more", opt->name, text,
                           (unsigned long long)opt->min, unit);
        }
        return sp_fail(p->diag, SP_E_INVALID, p->cmd->name,
                       "--%s: %s is out of range: use %llu%s to %llu%s", opt->name, text,
                       (unsigned long long)opt->min, unit, (unsigned long long)max, unit);
    }
    store(p, opt, &value, sizeof(value));
    return SP_OK;
}

static enum sp_rc set_choice(const struct parser *p, const struct sp_opt *opt, const char *text)
{
    unsigned count = 0;
    for (; opt->choices[count]; count++) {
        if (strcmp(opt->choices[count], text) == 0) {
            store(p, opt, &count, sizeof(count));
            return SP_OK;
        }
    }
    const char *near = sp_args_suggest(text, count, choice_at, opt->choices);
    if (near) {
        return sp_fail(p->diag, SP_E_INVALID, p->cmd->name, "--%s: no '%s': did you mean '%s'?",
                       opt->name, text, near);
    }
    char all[160] = "";
    size_t at = 0;
    for (unsigned i = 0; i < count && at < sizeof(all); i++) {
        int n = snprintf(all + at, sizeof(all) - at, "%s%s", i ? ", " : "", opt->choices[i]);
        at += n > 0 ? (size_t)n : 0;
    }
    return sp_fail(p->diag, SP_E_INVALID, p->cmd->name, "--%s: no '%s': use one of %s", opt->name,
                   text, all);
}

static enum sp_rc add_item(const struct parser *p, const struct sp_opt *opt, const char *text)
{
    struct sp_args_list list;
    memcpy(&list, p->into + opt->offset, sizeof(list));
    void *array = list.items;
    if (sp_grow(&array, list.count, &list.cap, sizeof(*list.items)) != 0) {
        return sp_fail(p->diag, SP_E_NOMEM, p->cmd->name, "out of memory");
    }
    list.items = array;
    list.items[list.count++] = text;
    store(p, opt, &list, sizeof(list));
    return SP_OK;
}

static enum sp_rc set_value(const struct parser *p, const struct sp_opt *opt, const char *text)
{
    switch (opt->kind) {
    case SP_OPT_STRING:
        store(p, opt, &text, sizeof(text));
        return SP_OK;
    case SP_OPT_LIST:
        return add_item(p, opt, text);
    case SP_OPT_UINT:
    case SP_OPT_DURATION:
        return set_number(p, opt, text);
    case SP_OPT_CHOICE:
        return set_choice(p, opt, text);
    case SP_OPT_FLAG:
        break;
    }
    return SP_E_INVALID;
}

static void set_flag(const struct parser *p, const struct sp_opt *opt)
{
    if (opt == &help_opt) {
        p->args->help = true;
        return;
    }
    unsigned times = 0;
    memcpy(&times, p->into + opt->offset, sizeof(times));
    times++;
    store(p, opt, &times, sizeof(times));
}

/* The value that stands in the next element of argv, or NULL. Something that looks like an option
 * is no value: "--report --json" is a slip more often than a file of that name. */
static const char *take_next(struct parser *p, const struct sp_opt *opt)
{
    const char *text = p->next < p->argc ? p->argv[p->next] : NULL;
    const char *metavar = opt->metavar ? opt->metavar : "VALUE";
    if (!text) {
        (void)sp_fail(p->diag, SP_E_INVALID, p->cmd->name, "--%s needs a value: --%s=%s", opt->name,
                      opt->name, metavar);
        return NULL;
    }
    if (text[0] == '-' && text[1] != '\0') {
        (void)sp_fail(p->diag, SP_E_INVALID, p->cmd->name,
                      "--%s needs a value before '%s': write --%s=%s, with '=' if the value "
                      "itself starts with a dash",
                      opt->name, text, opt->name, metavar);
        return NULL;
    }
    p->next++;
    return text;
}

static enum sp_rc parse_long(struct parser *p, const char *name)
{
    size_t len = strcspn(name, "=");
    const char *value = name[len] == '=' ? name + len + 1 : NULL;
    const struct sp_opt *opt = find_long(p->cmd, name, len);
    if (!opt) {
        return unknown_long(p, name, len);
    }
    if (opt->kind == SP_OPT_FLAG) {
        if (value) {
            return sp_fail(p->diag, SP_E_INVALID, p->cmd->name, "--%s takes no value", opt->name);
        }
        set_flag(p, opt);
        return SP_OK;
    }
    value = value ? value : take_next(p, opt);
    return value ? set_value(p, opt, value) : SP_E_INVALID;
}

static enum sp_rc parse_letters(struct parser *p, const char *letters)
{
    for (const char *at = letters; *at; at++) {
        const struct sp_opt *opt = find_letter(p->cmd, *at);
        if (!opt) {
            bool is_plain = *at > ' ' && *at < 0x7f;
            return sp_fail(p->diag, SP_E_INVALID, p->cmd->name,
                           "unknown option '-%c': '%s --help' lists the options",
                           is_plain ? *at : '?', p->cmd->name);
        }
        if (opt->kind == SP_OPT_FLAG) {
            set_flag(p, opt);
            continue;
        }
        const char *value = at[1] != '\0' ? at + 1 : take_next(p, opt);
        return value ? set_value(p, opt, value) : SP_E_INVALID;
    }
    return SP_OK;
}

static enum sp_rc add_positional(struct parser *p, const char *text)
{
    void *array = p->args->items;
    if (sp_grow(&array, p->args->count, &p->args_cap, sizeof(*p->args->items)) != 0) {
        return sp_fail(p->diag, SP_E_NOMEM, p->cmd->name, "out of memory");
    }
    p->args->items = array;
    p->args->items[p->args->count++] = text;
    return SP_OK;
}

static enum sp_rc check_count(const struct parser *p)
{
    size_t count = p->args->count;
    if (count > p->cmd->max_positional) {
        return sp_fail(p->diag, SP_E_INVALID, p->cmd->name,
                       "one argument too many: '%s'; usage: %s %s",
                       p->args->items[p->cmd->max_positional], p->cmd->name, p->cmd->usage);
    }
    if (count >= p->cmd->min_positional) {
        return SP_OK;
    }
    const char *word = p->cmd->positional ? p->cmd->positional : "";
    for (size_t i = 0; i < count; i++) {
        word += strcspn(word, " ");
        word += strspn(word, " ");
    }
    int len = (int)strcspn(word, " ");
    return sp_fail(p->diag, SP_E_INVALID, p->cmd->name, "%.*s is missing; usage: %s %s",
                   len ? len : 11, len ? word : "an argument", p->cmd->name, p->cmd->usage);
}

static enum sp_rc parse_all(struct parser *p)
{
    bool ended = false;
    while (p->next < p->argc && !p->args->help) {
        const char *text = p->argv[p->next++];
        enum sp_rc rc = SP_OK;
        if (ended || text[0] != '-' || text[1] == '\0') {
            rc = add_positional(p, text);
            ended = ended || p->cmd->stop_at_positional;
        } else if (text[1] != '-') {
            rc = parse_letters(p, text + 1);
        } else if (text[2] == '\0') {
            ended = true;
        } else {
            rc = parse_long(p, text + 2);
        }
        if (rc != SP_OK) {
            return rc;
        }
    }
    return p->args->help ? SP_OK : check_count(p);
}

enum sp_rc sp_args_parse(const struct sp_cmdline *cmd, int argc, char *const *argv, void *into,
                         struct sp_args *ret_args, struct sp_diag *diag)
{
    struct sp_args args = {0};
    struct parser p = {.cmd = cmd,
                       .argc = argc,
                       .argv = argv,
                       .next = 1,
                       .into = into,
                       .args = &args,
                       .diag = diag};
    enum sp_rc rc = parse_all(&p);
    if (rc != SP_OK) {
        sp_args_release(cmd, into, &args);
        return rc;
    }
    *ret_args = args;
    return SP_OK;
}

void sp_args_release(const struct sp_cmdline *cmd, void *into, struct sp_args *args)
{
    const struct sp_opt *opt = NULL;
    for (size_t i = 0; (opt = sp_args_opt_at(cmd, i)) != NULL; i++) {
        if (opt->kind == SP_OPT_LIST) {
            struct sp_args_list list;
            unsigned char *at = (unsigned char *)into + opt->offset;
            memcpy(&list, at, sizeof(list));
            sp_free(list.items);
            memset(at, 0, sizeof(list));
        }
    }
    sp_free(args->items);
    *args = (struct sp_args){0};
}
