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

/* Options that every command has; the first member of every command's own options. */
struct sp_common {
    unsigned json, quiet, verbose;
};

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

extern const struct sp_opt sp_common_opts[3];

/* ---- what commands share ---- */

/* Parses; prints help or the error. Returns -1 to go on, else the exit code. *ret_args is released
 * by the caller with sp_args_release when -1 was returned. */
int sp_cmd_parse(const struct sp_cmdline *cmdline, int argc, char **argv, void *into,
                 struct sp_args *ret_args);
/* Loads and checks a topology, printing every problem to standard error. NULL: printed, exit
 * with 2. */
struct sp_model *sp_cmd_load(const char *file, bool quiet);
/* Colour on this stream? A terminal, and neither NO_COLOR nor TERM=dumb. */
bool sp_cmd_color(int fd);
/* Does the user's locale speak UTF-8 (LC_ALL, LC_CTYPE, LANG)? */
bool sp_cmd_utf8(void);
/* Columns of the terminal on this stream, 0 when it is none. */
unsigned sp_cmd_width(int fd);
/* "segproof: where: text" to standard error. */
void sp_cmd_complain(const struct sp_diag *diag);
/* Writes a buffer to standard output; 0, or 2 when that failed. */
struct sp_buf;
int sp_cmd_print(const struct sp_buf *text);

/* What selects the part of the topology to be planned; shared by plan and verify. */
struct sp_selection {
    const char *from, *to;
    struct sp_args_list only, skip;
    unsigned depth;
    uint64_t seed; /* 0 = random */
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
     .help = "only this technique (icmp_echo, tcp_syn, udp); may be repeated"}, \
    {.name = "skip", .kind = SP_OPT_LIST, .metavar = "TECHNIQUE", \
     .offset = offsetof(options, selection.skip), .help = "not this technique; may be repeated"}, \
    {.name = "seed", .kind = SP_OPT_UINT, .metavar = "N", .min = 1, \
     .offset = offsetof(options, selection.seed), \
     .help = "choose the same random ports and order again (default random)"}
/* clang-format on */
/* Compiles the policy and the plan. On failure it has been printed. */
enum sp_rc sp_selection_plan(const struct sp_model *model, const struct sp_selection *selection,
                             struct sp_policy **ret_policy,
                             struct sp_plan **ret_plan) SP_MUST_CHECK;
extern const char *const sp_depth_choices[];

#endif
