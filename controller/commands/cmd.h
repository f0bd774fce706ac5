/* SPDX-License-Identifier: Apache-2.0
 *
 * A command: one file cmd_x.c and one line in registry.def. Its option table drives parsing, --help
 * and the man page. */
#ifndef SP_CONTROLLER_CMD_H
#define SP_CONTROLLER_CMD_H

#include <stdbool.h>

#include "probe/base/args.h"
#include "topologies/plan.h"

/* Exit codes (design section 8). */
#define SP_EXIT_HOLDS       0
#define SP_EXIT_FINDINGS    1
#define SP_EXIT_USAGE       2
#define SP_EXIT_INCOMPLETE  3
#define SP_EXIT_INTERRUPTED 130

/* Options that every command has; the first member of every command's own options. Giving one twice
 * is the same as once; --quiet together with --verbose is refused by sp_cmd_parse. */
struct sp_common {
    unsigned json, quiet, verbose;
    unsigned color; /* enum sp_color */
};
enum sp_color { SP_COLOR_AUTO, SP_COLOR_ALWAYS, SP_COLOR_NEVER };
extern const char *const sp_color_choices[];

/* The lines of a command's table of common options. What each of the three does differs from
 * command to command, so each command says it. */
/* clang-format off */
#define SP_COMMON_OPTS(json_help, quiet_help, verbose_help) \
    {.name = "json", .kind = SP_OPT_FLAG, .offset = offsetof(struct sp_common, json), \
     .help = (json_help)}, \
    {.name = "quiet", .letter = 'q', .kind = SP_OPT_FLAG, \
     .offset = offsetof(struct sp_common, quiet), .help = (quiet_help)}, \
    {.name = "verbose", .letter = 'v', .kind = SP_OPT_FLAG, \
     .offset = offsetof(struct sp_common, verbose), .help = (verbose_help)}, \
    {.name = "color", .kind = SP_OPT_CHOICE, .metavar = "WHEN", .choices = sp_color_choices, \
     .offset = offsetof(struct sp_common, color), .help = "colours (default auto)"}
/* clang-format on */

struct sp_command {
    const char *name;
    const char *brief; /* for the list of commands */
    const struct sp_cmdline *cmdline;
    /* The command line is parsed anew into the command's own struct. Returns the exit code. */
    int (*run)(int argc, char **argv);
};

#define SP_ENTRY(name) extern const struct sp_command sp_cmd_##name;
#include "controller/commands/registry.def"
#undef SP_ENTRY

size_t sp_command_count(void);
const struct sp_command *sp_command_at(size_t index); /* NULL past the end */
const struct sp_command *sp_command_find(const char *name);
/* For sp_args_suggest. */
const char *sp_command_name_at(const void *unused, size_t index);

/* ---- what commands share ---- */

/* Parses; prints help or the error. Returns -1 to go on, else the exit code. *ret_args is released
 * by the caller with sp_args_release when -1 was returned. into begins with a struct sp_common. */
int sp_cmd_parse(const struct sp_cmdline *cmdline, int argc, char **argv, void *into,
                 struct sp_args *ret_args);
/* "segproof verify: text" and where to find help, to standard error; always SP_EXIT_USAGE. */
int sp_cmd_misuse(const struct sp_cmdline *cmdline, const char *fmt, ...) SP_PRINTF(2, 3);
/* Loads and checks a topology. Every problem is printed to standard error, warnings not when quiet;
 * or, when problems is a JSON array, added to it as an object. NULL: told, exit with 2. */
struct cJSON;
struct sp_model *sp_cmd_load(const char *file, const struct sp_common *common,
                             struct cJSON *problems);
/* Colour on this stream? As --color says; else NO_COLOR and CLICOLOR_FORCE decide; else it must be
 * a terminal that is neither dumb nor that of a build server (CI=true). */
bool sp_cmd_color(const struct sp_common *common, int fd);
/* Does the user's locale speak UTF-8 (LC_ALL, LC_CTYPE, LANG)? */
bool sp_cmd_utf8(void);
/* COLUMNS when it is a number, else the columns of the terminal on this stream, 0 when it is none.
 */
unsigned sp_cmd_width(int fd);
/* "segproof: where: text" to standard error. */
void sp_cmd_complain(const struct sp_diag *diag);
/* Writes a buffer to standard output; 0, or 2 when that failed. A reader that has seen enough
 * ("| head -1") is no failure. */
struct sp_buf;
int sp_cmd_print(const struct sp_buf *text);
/* The same for a JSON value, which it frees; NULL is out of memory. is_line: on one line. */
int sp_cmd_print_json(struct cJSON *json, bool is_line);

/* What selects the part of the topology to be planned; shared by plan and verify. */
struct sp_selection {
    const char *from, *to;
    struct sp_args_list only, skip;
    unsigned depth;
    uint64_t seed;         /* 0 = random */
    struct sp_slice slice; /* no option of its own; see --rolling */
};
/* The options that fill it: lines of the option table of a command whose struct is `options` and
 * has a member `selection`. */
/* clang-format off */
#define SP_SELECTION_OPTS(options) \
    {.name = "depth", .letter = 'd', .kind = SP_OPT_CHOICE, .metavar = "DEPTH", \
     .choices = sp_depth_choices, .offset = offsetof(options, selection.depth), \
     .help = "how thoroughly (default standard)"}, \
    {.name = "from", .kind = SP_OPT_STRING, .metavar = "SELECTOR", \
     .offset = offsetof(options, selection.from), .help = "only flows that start there"}, \
    {.name = "to", .kind = SP_OPT_STRING, .metavar = "SELECTOR", \
     .offset = offsetof(options, selection.to), .help = "only flows that end there"}, \
    {.name = "only", .kind = SP_OPT_LIST, .metavar = "TECHNIQUE", \
     .offset = offsetof(options, selection.only), \
     .help = "only this technique ('segproof version -v' lists them), or nodes, endpoints or " \
             "balancers; may be repeated"}, \
    {.name = "skip", .kind = SP_OPT_LIST, .metavar = "TECHNIQUE", \
     .offset = offsetof(options, selection.skip), .help = "not this technique, nor nodes, endpoints or balancers; may be repeated"}, \
    {.name = "seed", .kind = SP_OPT_UINT, .metavar = "N", .min = 1, \
     .offset = offsetof(options, selection.seed), \
     .help = "choose the same random ports and order again (default random)"}
/* clang-format on */
/* What of the topology is looked at beside flows. On failure it has been printed. Release it. */
struct sp_inspect;
enum sp_rc sp_selection_inspect(const struct sp_model *model, const struct sp_selection *selection,
                                struct sp_inspect *ret_inspect) SP_MUST_CHECK;
/* Compiles the policy and the plan. On failure it has been printed. */
enum sp_rc sp_selection_plan(const struct sp_model *model, const struct sp_selection *selection,
                             struct sp_policy **ret_policy,
                             struct sp_plan **ret_plan) SP_MUST_CHECK;
extern const char *const sp_depth_choices[];

#endif
