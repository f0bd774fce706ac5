/* SPDX-License-Identifier: Apache-2.0
 *
 * Finds out what the word under the cursor is, in the same way as the parser (probe/base/args.c),
 * and lists what it may be. */
#include "controller/commands/complete.h"

#include <stdlib.h>
#include <string.h>

#include "controller/commands/cmd.h"
#include "controller/inspect/inspect.h"
#include "controller/journal.h"
#include "controller/state_dir.h"
#include "probe/base/mem.h"
#include "probe/techniques/registry.h"
#include "reports/formats/format.h"
#include "topologies/preset.h"

#define SP_SEEN_MAX 64U /* options of one command */

enum value {
    VALUE_NOTHING, /* a number, a time: nothing to offer */
    VALUE_COMMAND,
    VALUE_FILE,
    VALUE_FOLDER,
    VALUE_PORT,
    VALUE_PRESET,
    VALUE_REPORT,
    VALUE_RUN,
    VALUE_SELECTOR,
    VALUE_SHELL,
    VALUE_TECHNIQUE,
    VALUE_TOPOLOGY,
};

/* What the words of option tables and usages stand for. Choices need no line. */
static const struct {
    const char *metavar;
    enum value value;
} values[] = {
    {"BYTES", VALUE_NOTHING},     {"COMMAND", VALUE_COMMAND},     {"DIR", VALUE_FOLDER},
    {"FILE", VALUE_FILE},         {"FOLDER", VALUE_FOLDER},       {"FORMAT=FILE", VALUE_REPORT},
    {"FROM", VALUE_SELECTOR},     {"N", VALUE_NOTHING},           {"PATH", VALUE_FILE},
    {"KEY", VALUE_FILE},          {"PORT", VALUE_PORT},           {"RUN", VALUE_RUN},
    {"PRESET", VALUE_PRESET},     {"SELECTOR", VALUE_SELECTOR},   {"SHELL", VALUE_SHELL},
    {"T", VALUE_NOTHING},         {"TECHNIQUE", VALUE_TECHNIQUE}, {"TO", VALUE_SELECTOR},
    {"TOPOLOGY", VALUE_TOPOLOGY},
};

/* The word under the cursor, and what the rest of the line says. */
struct place {
    const struct sp_cmdline *cmd;
    const char *word;
    size_t skip;              /* bytes of the word before the value */
    const struct sp_opt *opt; /* the word is its value */
    bool is_option;           /* the word is, or may become, the name of an option */
    size_t positional;        /* else: which argument it is */
    char *topology;           /* named elsewhere on the line, or NULL; owned */
    bool seen[SP_SEEN_MAX];   /* options given elsewhere */
};

static bool find_value(const char *metavar, size_t len, enum value *ret_value)
{
    for (size_t i = 0; i < SP_ARRAY_LEN(values); i++) {
        if (strlen(values[i].metavar) == len && strncmp(values[i].metavar, metavar, len) == 0) {
            *ret_value = values[i].value;
            return true;
        }
    }
    return false;
}

bool sp_complete_knows(const char *metavar)
{
    enum value value;
    return find_value(metavar, strlen(metavar), &value);
}

/* The name of the positional argument, or NULL when there is none so far back. */
static const char *positional_at(const struct sp_cmdline *cmd, size_t index, size_t *ret_len)
{
    const char *word = cmd->positional;
    for (size_t i = 0; word && i < index; i++) {
        word = strchr(word, ' ');
        word = word ? word + 1 : NULL;
    }
    *ret_len = word ? strcspn(word, " ") : 0;
    return word;
}

/* A word without its quotes and backslashes. Nothing is expanded but a leading "~/". */
static char *unquote(const char *word)
{
    const char *home = strncmp(word, "~/", 2) == 0 ? getenv("HOME") : NULL;
    size_t room = strlen(word) + (home ? strlen(home) : 0) + 1;
    char *plain = sp_calloc(room, 1);
    char quote = '\0';
    size_t at = 0;
    if (plain && home) {
        at = strlen(home);
        memcpy(plain, home, at);
        word++;
    }
    for (; plain && *word; word++) {
        if (quote == '\0' && (*word == '\'' || *word == '"')) {
            quote = *word;
        } else if (quote != '\0' && *word == quote) {
            quote = '\0';
        } else if (*word == '\\' && quote != '\'' && word[1]) {
            plain[at++] = *++word;
        } else {
            plain[at++] = *word;
        }
    }
    return plain;
}

/* ------------------------------------------------------------------ where the cursor is */

static const struct sp_opt *find_opt(struct place *place, const char *name, size_t len, char letter)
{
    const struct sp_opt *opt;
    for (size_t i = 0; (opt = sp_args_opt_at(place->cmd, i)) != NULL; i++) {
        if (name ? strlen(opt->name) == len && strncmp(opt->name, name, len) == 0
                 : opt->letter != '\0' && opt->letter == letter) {
            if (i < SP_SEEN_MAX) {
                place->seen[i] = true;
            }
            return opt;
        }
    }
    return NULL;
}

/* A word that begins with '-'. Returns the option whose value it ends before. *ret_value: where a
 * value begins in the word itself, or NULL. */
static const struct sp_opt *read_option(struct place *place, const char *word,
                                        const char **ret_value)
{
    const struct sp_opt *opt = NULL;
    *ret_value = NULL;
    if (word[1] == '-') {
        size_t len = strcspn(word + 2, "=");
        opt = find_opt(place, word + 2, len, '\0');
        if (word[2 + len] == '=') {
            *ret_value = word + 2 + len + 1;
        }
        return opt && opt->kind != SP_OPT_FLAG ? opt : NULL;
    }
    for (const char *at = word + 1; *at; at++) {
        opt = find_opt(place, NULL, 0, *at);
        if (opt && opt->kind != SP_OPT_FLAG) {
            *ret_value = at[1] ? at + 1 : NULL;
            return opt;
        }
    }
    return NULL;
}

/* The word under the cursor, where an option may stand. */
static void at_option(struct place *place)
{
    const char *value = NULL;
    bool seen[SP_SEEN_MAX];
    memcpy(seen, place->seen, sizeof(seen));
    const struct sp_opt *opt = read_option(place, place->word, &value);
    memcpy(place->seen, seen, sizeof(seen)); /* it does not hide itself */
    if (value) {
        place->opt = opt;
        place->skip = (size_t)(value - place->word);
    } else {
        place->is_option = true;
    }
    place->positional = SIZE_MAX;
}

/* Walks the line; at is the index of the word under the cursor. Option values and arguments behind
 * the cursor count as well: the topology may stand there. */
static void walk(struct place *place, size_t at, size_t n, char *const *words)
{
    const struct sp_opt *pending = NULL; /* its value is the next word */
    bool ended = false;
    size_t positional = 0;
    for (size_t i = 2; i < n; i++) {
        const char *word = words[i];
        const char *value = NULL;
        bool is_here = i == at;
        bool may_be_option = !ended && word[0] == '-' && (word[1] || is_here);
        if (pending) {
            place->opt = is_here ? pending : place->opt;
            place->positional = is_here ? SIZE_MAX : place->positional;
            pending = NULL;
        } else if (may_be_option && is_here) {
            at_option(place);
        } else if (may_be_option && strcmp(word, "--") == 0) {
            ended = true;
        } else if (may_be_option) {
            const struct sp_opt *opt = read_option(place, word, &value);
            pending = value ? NULL : opt;
        } else if (is_here) {
            place->positional = positional++;
        } else {
            enum value kind;
            size_t len;
            const char *name = positional_at(place->cmd, positional++, &len);
            if (name && !place->topology && find_value(name, len, &kind) &&
                kind == VALUE_TOPOLOGY) {
                place->topology = unquote(word);
            }
        }
    }
}

/* ------------------------------------------------------------------ what may stand there */

static void add(struct sp_buf *out, const char *before, const char *value, const char *help)
{
    sp_buf_fmt(out, "%s%s\t%s\n", before, value, help);
}

static void start_words(struct sp_buf *out, size_t skip)
{
    sp_buf_fmt(out, "words %zu\n", skip);
}

static void list_commands(struct sp_buf *out)
{
    const struct sp_command *command;
    start_words(out, 0);
    for (size_t i = 0; (command = sp_command_at(i)) != NULL; i++) {
        add(out, "", command->name, command->brief);
    }
}

static void list_options(const struct place *place, struct sp_buf *out)
{
    const struct sp_opt *opt;
    start_words(out, 0);
    for (size_t i = 0; (opt = sp_args_opt_at(place->cmd, i)) != NULL; i++) {
        if (opt->kind == SP_OPT_LIST || i >= SP_SEEN_MAX || !place->seen[i]) {
            add(out, "--", opt->name, opt->help);
        }
    }
}

/* FORMAT= first, then the name of a file. */
static void list_report(const struct place *place, struct sp_buf *out)
{
    const char *equals = strchr(place->word + place->skip, '=');
    const struct sp_format *format;
    if (equals) {
        sp_buf_fmt(out, "files %zu\n", (size_t)(equals + 1 - place->word));
        return;
    }
    start_words(out, place->skip);
    for (size_t i = 0; (format = sp_format_at(i)) != NULL; i++) {
        sp_buf_fmt(out, "%s=\t%s\n", format->name, format->summary);
    }
}

static void add_run(void *out, const char *run_id)
{
    add(out, "", run_id, "a run that was interrupted");
}

static void list_runs(const struct place *place, struct sp_buf *out)
{
    char folder[4096];
    start_words(out, place->skip);
    if (sp_state_name("runs", folder, sizeof(folder))) {
        sp_journal_list(folder, add_run, out);
    }
}

static void list_techniques(const struct place *place, struct sp_buf *out)
{
    const struct sp_technique_info *info;
    start_words(out, place->skip);
    for (size_t i = 0; (info = sp_technique_at(i)) != NULL; i++) {
        add(out, "", info->name, info->summary);
    }
    for (unsigned k = 0; sp_inspect_kind_name(k); k++) {
        add(out, "", sp_inspect_kind_name(k), "what is declared of them beside flows");
    }
}

/* One term of a list with commas. */
static void list_selectors(const struct place *place, struct sp_buf *out)
{
    const char *term = strrchr(place->word + place->skip, ',');
    term = term ? term + 1 : place->word + place->skip;
    bool is_not = strncmp(term, "not:", 4) == 0;
    term += is_not ? 4 : 0;
    start_words(out, (size_t)(term - place->word));
    if (!is_not) {
        add(out, "", "any", "everything");
        add(out, "", "not:", "all but this");
    }
    if (place->topology) {
        sp_complete_selectors(place->topology, out);
    }
}

static void list_ports(const struct place *place, struct sp_buf *out)
{
    start_words(out, place->skip);
    add(out, "", "any", "every protocol and port");
    add(out, "", "icmp/echo", "ping");
    for (unsigned proto = 0; proto < SP_PROTO_COUNT; proto++) {
        if (proto != SP_PROTO_ICMP && proto != SP_PROTO_ICMP6) {
            sp_buf_fmt(out, "%s/\tand its number\n", sp_proto_str((uint8_t)proto));
        }
    }
    if (place->topology) {
        sp_complete_services(place->topology, out);
    }
}

static void list_value(const struct place *place, enum value value, struct sp_buf *out)
{
    switch (value) {
    case VALUE_COMMAND:
        list_commands(out);
        return;
    case VALUE_FILE:
        sp_buf_fmt(out, "files %zu\n", place->skip);
        return;
    case VALUE_FOLDER:
        sp_buf_fmt(out, "folders %zu\n", place->skip);
        return;
    case VALUE_PORT:
        list_ports(place, out);
        return;
    case VALUE_PRESET:
        start_words(out, place->skip);
        for (size_t i = 0; sp_preset_name_at(i); i++) {
            add(out, "", sp_preset_name_at(i), "");
        }
        return;
    case VALUE_REPORT:
        list_report(place, out);
        return;
    case VALUE_RUN:
        list_runs(place, out);
        return;
    case VALUE_SELECTOR:
        list_selectors(place, out);
        return;
    case VALUE_SHELL:
        start_words(out, place->skip);
        for (size_t i = 0; sp_completion_shells[i]; i++) {
            add(out, "", sp_completion_shells[i], "");
        }
        return;
    case VALUE_TECHNIQUE:
        list_techniques(place, out);
        return;
    case VALUE_TOPOLOGY:
        sp_buf_fmt(out, "topologies %zu\n", place->skip);
        return;
    case VALUE_NOTHING:
        break;
    }
    sp_buf_str(out, "nothing 0\n");
}

static void list_choices(const struct place *place, struct sp_buf *out)
{
    start_words(out, place->skip);
    for (size_t i = 0; place->opt->choices[i]; i++) {
        add(out, "", place->opt->choices[i], "");
    }
}

static void list_place(const struct place *place, struct sp_buf *out)
{
    enum value value = VALUE_NOTHING;
    if (place->is_option) {
        list_options(place, out);
    } else if (place->opt && place->opt->choices) {
        list_choices(place, out);
    } else if (place->opt) {
        (void)find_value(place->opt->metavar, strlen(place->opt->metavar), &value);
        list_value(place, value, out);
    } else {
        size_t len = 0;
        const char *name = positional_at(place->cmd, place->positional, &len);
        if (name) {
            (void)find_value(name, len, &value);
        }
        list_value(place, value, out);
    }
}

void sp_complete(size_t at, size_t n, char *const *words, struct sp_buf *out)
{
    if (at == 1 && at < n) {
        list_commands(out);
        return;
    }
    char *name = at < n && n > 1 ? unquote(words[1]) : NULL;
    const struct sp_command *command = name ? sp_command_find(name) : NULL;
    sp_free(name);
    if (!command || at == 0) {
        sp_buf_str(out, "nothing 0\n");
        return;
    }
    struct place place = {.cmd = command->cmdline, .word = words[at]};
    walk(&place, at, n, words);
    list_place(&place, out);
    sp_free(place.topology);
}
