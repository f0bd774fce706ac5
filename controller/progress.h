/* SPDX-License-Identifier: Apache-2.0
 *
 * Progress on standard error: one line that is rewritten on a terminal, plain lines elsewhere (CI).
 */
#ifndef SP_CONTROLLER_PROGRESS_H
#define SP_CONTROLLER_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

struct sp_progress {
    bool is_off, is_terminal;
    uint64_t started_us, drawn_us;
    char stage[48];
};

void sp_progress_init(struct sp_progress *progress, bool is_off);
/* arg is a struct sp_progress; fits struct sp_run_options. */
void sp_progress_step(void *arg, const char *stage, uint64_t done, uint64_t of);
/* Wipes the line. */
void sp_progress_end(struct sp_progress *progress);

#endif
