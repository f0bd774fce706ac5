/* SPDX-License-Identifier: Apache-2.0
 *
 * Progress on standard error: one line that is rewritten on a terminal, plain lines elsewhere (CI).
 * Verbose: each stage leaves a line with how far it came and how long it took. */
#ifndef SP_CONTROLLER_PROGRESS_H
#define SP_CONTROLLER_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

struct sp_progress {
    bool is_off, is_verbose, is_terminal;
    uint64_t started_us, drawn_us;
    uint64_t stage_us, done, of; /* the stage: when it began, how far it is */
    char stage[48];
};

/* verbosity: below 0 nothing is shown, above it stages leave a line. */
void sp_progress_init(struct sp_progress *progress, int verbosity);
/* arg is a struct sp_progress; fits struct sp_run_options. */
void sp_progress_step(void *arg, const char *stage, uint64_t done, uint64_t of);
/* Wipes the line, and ends the last stage. */
void sp_progress_end(struct sp_progress *progress);

#endif
