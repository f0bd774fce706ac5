/* SPDX-License-Identifier: Apache-2.0
 *
 * The command line from one table: it drives the parser, the text of --help and, by reading the
 * table, man pages and shell completion. Reentrant: no globals, argv is never changed.
 *
 * Options may stand before or after positional arguments. "--name=value", "--name value", "-n
 * value", "-nvalue" and clusters of flags ("-qv") are accepted; "--" ends the options; "-" is a
 * positional argument. Long names are never abbreviated: a script must not change its meaning when
 * an option is added. An option given twice counts the last time, except flags (which count) and
 * lists (which collect). "-h" and "--help" exist in every table by themselves. */
#ifndef SP_BASE_ARGS_H
#define SP_BASE_ARGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "probe/base/buf.h"
#include "probe/base/rc.h"

/* What an option takes, and the type of the field it fills in the caller's struct. Options that are
 * not given leave their field alone: the caller sets the defaults before parsing. */
enum sp_opt_kind {
    SP_OPT_FLAG,     /* unsigned: how often it was given */
    SP_OPT_STRING,   /* const char *: borrowed from argv */
    SP_OPT_LIST,     /* struct sp_args_list: may be repeated */
    SP_OPT_UINT,     /* uint64_t: min..max */
    SP_OPT_DURATION, /* uint64_t: milliseconds, min..max; "250ms", "5s", "10m", "1h" */
    SP_OPT_CHOICE,   /* unsigned: the index in choices */
};

struct sp_opt {
    const char *name; /* without the dashes: "depth" */
    char letter;      /* 'd' for -d, or 0 */
    enum sp_opt_kind kind;
    const char *metavar;        /* what --help calls the value; NULL for a flag */
    const char *help;           /* one sentence without a full stop */
    const char *const *choices; /* SP_OPT_CHOICE: ends with NULL */
    uint64_t min, max;          /* SP_OPT_UINT, SP_OPT_DURATION; max 0: the largest of the type */
    size_t offset;              /* offsetof() the field in the struct given to sp_args_parse */
};

struct sp_cmdline {
    const char *name;          /* "segproof verify": how errors and --help call it */
    const char *usage;         /* "TOPOLOGY [OPTION]...": what follows the name */
    const char *summary;       /* what it does, one or more sentences */
    const struct sp_opt *opts; /* its own options */
    size_t nopts;
    const struct sp_opt *common; /* options shared with other commands, shown last; offsets are in
                                  * the same struct, so put a shared struct first in it */
    size_t ncommon;
    const char *examples;   /* whole lines, or NULL */
    const char *positional; /* the names of the positional arguments: "TOPOLOGY FROM TO" */
    size_t min_positional;
    size_t max_positional;   /* SIZE_MAX: any number */
    bool stop_at_positional; /* what follows the first positional argument is not looked at: for
                              * "segproof [OPTION]... COMMAND [ARGUMENT]..." */
};

/* The values of a SP_OPT_LIST, in the order given. Zero it before parsing. */
struct sp_args_list {
    const char **items; /* the array is owned, the strings are borrowed from argv */
    size_t count;
    size_t cap;
};

struct sp_args {
    bool help;          /* -h or --help was given; nothing else was checked */
    const char **items; /* the positional arguments: array owned, strings borrowed from argv */
    size_t count;
};

/* Parses argv[1] .. argv[argc - 1] into *into and *ret_args. On success the caller ends with
 * sp_args_release(). On failure everything is released already and diag says which option is wrong
 * and what to write instead (SP_E_INVALID), or memory is out (SP_E_NOMEM). */
enum sp_rc sp_args_parse(const struct sp_cmdline *cmd, int argc, char *const *argv, void *into,
                         struct sp_args *ret_args, struct sp_diag *diag) SP_MUST_CHECK;
/* Frees the arrays of all lists in *into and of *args; the strings stay where they are. */
void sp_args_release(const struct sp_cmdline *cmd, void *into, struct sp_args *args);

/* Appends the text of --help, at most 80 columns wide where words allow it. */
void sp_args_help(const struct sp_cmdline *cmd, struct sp_buf *out);

/* Every option of the command, common ones last; NULL past the end. For generators. */
const struct sp_opt *sp_args_opt_at(const struct sp_cmdline *cmd, size_t index);

/* The closest of count names, or NULL if none is close: for "did you mean". name_at(ctx, i) gives
 * the names. */
const char *sp_args_suggest(const char *wrong, size_t count,
                            const char *(*name_at)(const void *ctx, size_t i), const void *ctx);

/* Tests only: is the table itself sound (names, letters, help, choices, ranges)? */
enum sp_rc sp_args_check(const struct sp_cmdline *cmd, struct sp_diag *diag) SP_MUST_CHECK;

#endif
