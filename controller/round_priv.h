/* SPDX-License-Identifier: Apache-2.0
 *
 * Shared by round.c (the timetable) and round_count.c (what came of it). */
#ifndef SP_CONTROLLER_ROUND_PRIV_H
#define SP_CONTROLLER_ROUND_PRIV_H

#include "controller/round.h"

/* Control packets sent together: first[k] .. first[k] + tries - 1 are the shots of the lane's k-th
 * control flow. */
struct sp_checkpoint {
    uint32_t lane;
    uint32_t first[2];
    uint16_t tries;
};

/* One attempt of one test and the checkpoints around it. */
struct sp_attempt {
    uint32_t test, lane, shot;
    uint32_t before, after;
};

struct sp_round {
    struct sp_run_state *run;
    enum sp_round_kind kind;
    struct sp_batch *batch;
    struct sp_checkpoint *checkpoints;
    size_t ncheckpoints, cap_checkpoints;
    struct sp_attempt *attempts;
    size_t nattempts, cap_attempts;
};

/* Counts everything the batch saw into the tallies. */
enum sp_rc sp_round_count(struct sp_round *round) SP_MUST_CHECK;
/* Did this control packet get through? */
bool sp_control_delivered(const struct sp_batch *batch, uint32_t shot);
/* Adds the hosts' counters of a finished batch to the run's. */
void sp_round_add_counters(struct sp_run_state *run, const struct sp_batch *batch);

#endif
