/* SPDX-License-Identifier: Apache-2.0
 *
 * `segproof help`: the commands, or one of them; as JSON, everything that the tables of options
 * know. tests/lint/man.py holds the man page against that. */
#include <cjson/cJSON.h>
#include <stdio.h>

#include "controller/commands/cmd.h"
#include "probe/base/buf.h"

#define SP_HELP_MAX_BYTES (1U << 20)

struct options {
    struct sp_common common;
};

static const struct sp_opt common[] = {
    SP_COMMON_OPTS("everything about every command, or about one, as JSON",
                   "the names of the commands alone, or the usage of one",
                   "the help of every command, one after the other")};

static const struct sp_cmdline cmdline = {
    .name = "segproof help",
    .usage = "[COMMAND] [OPTION]...",
    .summary = "Lists the commands, or tells what one of them does, its options and examples: the "
               "same as 'segproof COMMAND --help'.",
    .common = common,
    .ncommon = SP_ARRAY_LEN(common),
    .positional = "COMMAND",
    .max_positional = 1,
    .examples = "  segproof help\n"
                "  segproof help verify\n"
                "  segproof help --json\n",
};

struct fact {
    const char *name, *help;
};

static const struct {
    int code;
    const char *help;
} exit_codes[] = {
    {SP_EXIT_HOLDS, "everything that was tested holds; for other commands: done"},
    {SP_EXIT_FINDINGS, "at least one finding; for report: evidence does not match"},
    {SP_EXIT_USAGE, "the command line or the topology is wrong, or output could not be written"},
    {SP_EXIT_INCOMPLETE, "incomplete: no finding, but something inconclusive or a probe missing"},
    {SP_EXIT_INTERRUPTED, "interrupted; what was measured is reported"},
};

/* All that the program reads; the lint of the man page compares this with its calls of getenv. */
static const struct fact environment[] = {
    {"CI", "true: neither colours nor a progress bar"},
    {"CLICOLOR_FORCE", "colours without a terminal, too, unless empty or 0"},
    {"COLUMNS", "width of the report, in place of the terminal's"},
    {"HOME", "where state is kept, see the man page"},
    {"NO_COLOR", "no colours, when it is not empty"},
    {"PATH", "where ssh is found, in absolute folders only"},
    {"TERM", "dumb: neither colours nor a progress bar"},
    {"XDG_STATE_HOME", "where state is kept, see the man page"},
};

static const struct fact files[] = {
    {"/var/lib/segproof/ledger", "the flows of the last minutes, of root"},
    {"$XDG_STATE_HOME/segproof/ledger", "the same, when that is set"},
    {"~/.local/state/segproof/ledger", "the same, of others"},
    {"/var/lib/segproof/runs", "runs that can be resumed; beside the ledger for others, too"},
    {"/var/lib/segproof/rolling", "what cycles of --rolling have covered; the same"},
    {"/var/lib/segproof/evidence.key", "the key that signs evidence; the same"},
    {"/var/lib/segproof/evidence.pub", "its public half, for whoever checks; the same"},
};

static void add_overview(struct sp_buf *out)
{
    const struct sp_command *command;
    sp_buf_str(out, "Usage: segproof COMMAND [ARGUMENT]... [OPTION]...\n"
                    "Proves, with packets, that a network keeps the segmentation its owner "
                    "declared.\n\nCommands:\n");
    for (size_t i = 0; (command = sp_command_at(i)) != NULL; i++) {
        sp_buf_fmt(out, "  %-11s %s\n", command->name, command->brief);
    }
    sp_buf_str(out, "\nExit status:\n");
    for (size_t i = 0; i < SP_ARRAY_LEN(exit_codes); i++) {
        sp_buf_fmt(out, "  %-3d %s\n", exit_codes[i].code, exit_codes[i].help);
    }
    sp_buf_str(out, "\nEnvironment:\n");
    for (size_t i = 0; i < SP_ARRAY_LEN(environment); i++) {
        sp_buf_fmt(out, "  %-15s %s\n", environment[i].name, environment[i].help);
    }
    sp_buf_str(out, "\nExamples:\n"
                    "  segproof check shop.yaml\n"
                    "  segproof plan shop.yaml\n"
                    "  segproof verify shop.yaml\n"
                    "\n'segproof COMMAND --help' tells its options, with examples.\n");
}

static void add_text(struct sp_buf *out, const struct sp_command *one,
                     const struct sp_common *given)
{
    const struct sp_command *command;
    if (one && given->quiet) {
        sp_buf_fmt(out, "%s %s\n", one->cmdline->name, one->cmdline->usage);
    } else if (one) {
        sp_args_help(one->cmdline, out);
    } else if (!given->quiet) {
        add_overview(out);
    }
    for (size_t i = 0; !one && (command = sp_command_at(i)) != NULL; i++) {
        if (given->quiet) {
            sp_buf_fmt(out, "%s\n", command->name);
        } else if (given->verbose) {
            sp_buf_char(out, '\n');
            sp_args_help(command->cmdline, out);
        }
    }
}

/* ------------------------------------------------------------------ JSON */

static cJSON *option_json(const struct sp_opt *opt)
{
    static const char *const kinds[] = {
        [SP_OPT_FLAG] = "flag", [SP_OPT_STRING] = "string",     [SP_OPT_LIST] = "list",
        [SP_OPT_UINT] = "uint", [SP_OPT_DURATION] = "duration", [SP_OPT_CHOICE] = "choice",
    };
    char letter[] = {opt->letter, '\0'};
    cJSON *one = cJSON_CreateObject();
    (void)cJSON_AddStringToObject(one, "name", opt->name);
    (void)cJSON_AddStringToObject(one, "letter", letter);
    (void)cJSON_AddStringToObject(one, "kind", kinds[opt->kind]);
    (void)cJSON_AddStringToObject(one, "value", opt->metavar ? opt->metavar : "");
    (void)cJSON_AddStringToObject(one, "help", opt->help);
    if (opt->choices) {
        cJSON *choices = cJSON_AddArrayToObject(one, "choices");
        for (size_t i = 0; opt->choices[i]; i++) {
            (void)cJSON_AddItemToArray(choices, cJSON_CreateString(opt->choices[i]));
        }
    }
    if (opt->kind == SP_OPT_UINT || opt->kind == SP_OPT_DURATION) {
        (void)cJSON_AddNumberToObject(one, "min", (double)opt->min);
        if (opt->max) {
            (void)cJSON_AddNumberToObject(one, "max", (double)opt->max);
        }
    }
    return one;
}

static cJSON *command_json(const struct sp_command *command)
{
    const struct sp_cmdline *cmd = command->cmdline;
    const struct sp_opt *opt;
    cJSON *one = cJSON_CreateObject();
    (void)cJSON_AddStringToObject(one, "name", command->name);
    (void)cJSON_AddStringToObject(one, "brief", command->brief);
    (void)cJSON_AddStringToObject(one, "usage", cmd->usage);
    (void)cJSON_AddStringToObject(one, "summary", cmd->summary);
    (void)cJSON_AddStringToObject(one, "examples", cmd->examples);
    cJSON *options = cJSON_AddArrayToObject(one, "options");
    for (size_t i = 0; (opt = sp_args_opt_at(cmd, i)) != NULL; i++) {
        cJSON *entry = option_json(opt);
        (void)cJSON_AddBoolToObject(entry, "common", i >= cmd->nopts);
        (void)cJSON_AddItemToArray(options, entry);
    }
    return one;
}

static void add_facts(cJSON *root, const char *name, const struct fact *facts, size_t n)
{
    cJSON *list = cJSON_AddObjectToObject(root, name);
    for (size_t i = 0; i < n; i++) {
        (void)cJSON_AddStringToObject(list, facts[i].name, facts[i].help);
    }
}

static int print_json(const struct sp_command *one)
{
    const struct sp_command *command;
    if (one) {
        return sp_cmd_print_json(command_json(one), false);
    }
    cJSON *root = cJSON_CreateObject();
    cJSON *commands = cJSON_AddArrayToObject(root, "commands");
    for (size_t i = 0; (command = sp_command_at(i)) != NULL; i++) {
        (void)cJSON_AddItemToArray(commands, command_json(command));
    }
    cJSON *codes = cJSON_AddObjectToObject(root, "exit_status");
    for (size_t i = 0; i < SP_ARRAY_LEN(exit_codes); i++) {
        char code[16];
        (void)snprintf(code, sizeof(code), "%d", exit_codes[i].code);
        (void)cJSON_AddStringToObject(codes, code, exit_codes[i].help);
    }
    add_facts(root, "environment", environment, SP_ARRAY_LEN(environment));
    add_facts(root, "files", files, SP_ARRAY_LEN(files));
    return sp_cmd_print_json(root, false);
}

static int help(const char *name, const struct sp_common *given)
{
    const struct sp_command *one = name ? sp_command_find(name) : NULL;
    if (name && !one) {
        const char *near = sp_args_suggest(name, sp_command_count(), sp_command_name_at, NULL);
        return sp_cmd_misuse(&cmdline, "there is no command '%s'%s%s%s", name,
                             near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "");
    }
    if (given->json) {
        return print_json(one);
    }
    struct sp_buf out;
    sp_buf_init(&out, SP_HELP_MAX_BYTES);
    add_text(&out, one, given);
    int code = sp_cmd_print(&out);
    sp_buf_release(&out);
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
    code = help(args.count ? args.items[0] : NULL, &options.common);
    sp_args_release(&cmdline, &options, &args);
    return code;
}

const struct sp_command sp_cmd_help = {.name = "help",
                                       .brief = "lists the commands, or tells about one",
                                       .cmdline = &cmdline,
                                       .run = run};
