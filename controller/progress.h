/* SPDX-License-Identifier: Apache-2.0
 *
 * Progress on standard error: one line that is rewritten on a terminal, plain lines elsewhere (CI).
 * Verbose: each stage leaves a line with how far it came and how long it took. A stage that tells
 * its speed (a sweep) also gets the time that is left, and elsewhere than on a terminal a line now
 * and then: every 10 s in its first minute, then every minute. */
#ifndef SP_CONTROLLER_PROGRESS_H
#define SP_CONTROLLER_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

/* Where a run stands. */
struct sp_progress_info {
    const char *stage;
    uint64_t done, of; /* steps of the stage; of a sweep, packets */
    uint64_t pps;      /* of a sweep: packets a second just now */
    uint32_t repeats;  /* of a sweep: volleys that were sent again */
    bool is_sweep;
    bool is_paused; /* nothing new is sent until it goes on */
};

/* How fast a stage comes forward, whatever its packets are. */
struct sp_progress_speed {
    uint64_t first_us, first_done; /* where it began: what an earlier run did counts for nothing */
    uint64_t last_us, last_done;
    double per_s; /* smoothed; 0 = not known yet */
};

struct sp_progress {
    bool is_off, is_verbose, is_terminal, is_paused;
    uint64_t started_us, drawn_us, told_us;
    uint64_t stage_us, done, of; /* the stage: when it began, how far it is */
    struct sp_progress_speed speed;
    char stage[48];
};

/* verbosity: below 0 nothing is shown, above it stages leave a line. */
void sp_progress_init(struct sp_progress *progress, int verbosity);
/* arg is a struct sp_progress; fits struct sp_run_options. */
void sp_progress_step(void *arg, const struct sp_progress_info *info);
/* Wipes the line, and ends the last stage. */
void sp_progress_end(struct sp_progress *progress);

/* Notes how far it is. Time while it is paused does not count. */
void sp_progress_speed_note(struct sp_progress_speed *speed, uint64_t now_us, uint64_t done,
                            bool is_paused);
/* Seconds until of; UINT64_MAX when nobody can know yet. */
uint64_t sp_progress_speed_left(const struct sp_progress_speed *speed, uint64_t of);

#endif
