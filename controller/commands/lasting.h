/* SPDX-License-Identifier: Apache-2.0
 *
 * What of a verification outlives it: its journal (controller/journal.h), from which it is resumed,
 * and the cycle it is part of (controller/rolling.h). Between the options of `segproof verify` and
 * the plan and run that follow from them; everything that goes wrong is told here. */
#ifndef SP_CONTROLLER_LASTING_H
#define SP_CONTROLLER_LASTING_H

#include <limits.h>

#include "controller/commands/cmd.h"
#include "controller/journal.h"
#include "controller/rolling.h"

/* No choice was made. */
#define SP_UNCHOSEN UINT_MAX

/* Options of verify that --resume takes from the run that it resumes. */
struct sp_lasting_options {
    struct sp_selection *selection; /* depth: SP_UNCHOSEN when it was not given */
    const char *resume;             /* the run, or NULL */
    uint64_t rolling, attempts;     /* 0 = not given */
    unsigned inject;                /* which choice of --inject, SP_UNCHOSEN */
};

struct sp_lasting {
    struct sp_journal *journal; /* NULL: nothing to be resumed */
    struct sp_rolling *rolling; /* NULL: no cycle */
    uint64_t run_id;            /* 0 = any */
    bool is_resumed;
    const char **names; /* techniques that the journal names; owned, they are not */
};

/* Settles the depth: as given, exhaustive with --rolling, else standard. False: told that they
 * contradict each other. */
bool sp_lasting_depth(const struct sp_cmdline *cmdline, uint64_t rolling, unsigned *depth);
/* Completes the options (from the journal with --resume, else with defaults) and makes the plan.
 * False: told, exit with 2. Released with sp_lasting_release in any case, after the plan. */
bool sp_lasting_plan(struct sp_lasting *lasting, struct sp_lasting_options *options,
                     const struct sp_cmdline *cmdline, const struct sp_model *model, bool is_quiet,
                     struct sp_policy **ret_policy, struct sp_plan **ret_plan);
/* Before the run: begins its journal, when there is something to resume. That this cannot be done
 * is a warning. */
void sp_lasting_begin(struct sp_lasting *lasting, const struct sp_lasting_options *options,
                      const struct sp_model *model, const struct sp_plan *plan, bool is_quiet);
/* After the run, before its reports: notes in the cycle what it covered, and in the result how far
 * the cycle is. */
void sp_lasting_record(struct sp_lasting *lasting, struct sp_result *result);
/* After the reports. is_done: the run came to its end and every report was written; else standard
 * error tells how to resume it. */
void sp_lasting_end(struct sp_lasting *lasting, const struct sp_model *model, bool is_done);
void sp_lasting_release(struct sp_lasting *lasting);

#endif
