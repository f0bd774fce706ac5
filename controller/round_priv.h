/* SPDX-License-Identifier: Apache-2.0
 *
 * Shared by the parts of a round: round.c (the timetable), round_fill.c (what goes into a batch),
 * scout.c (candidate controls) and round_count.c (what came of it). */
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
    uint64_t pass; /* unique in the run; flows of one pass are sent together */
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

/* Microseconds between two packets of a host. Declared rates of enforcement points are shared by
 * all senders. */
double sp_round_spacing_us(const struct sp_run_state *run, uint32_t host);
/* Microseconds between two tests of a lane: its technique's packets, and room for those that go out
 * again within what enforcement points allow. */
double sp_round_step_us(const struct sp_round *round, const struct sp_lane *lane);
/* Attempts of an allowed flow in one batch: at least so many, and enough to meet every backend. */
unsigned sp_round_flows(const struct sp_run_state *run, const struct sp_lane *lane,
                        unsigned attempts);
/* Control packets at one checkpoint of this lane. */
uint16_t sp_round_tries(const struct sp_lane *lane);
/* How many shots of one pass may share a port: tests of a lane that differ in their source port. */
unsigned sp_round_variants(const struct sp_lane *lane);

enum sp_rc sp_round_new_batch(struct sp_run_state *run, struct sp_batch **ret_batch) SP_MUST_CHECK;
/* Rows of new blocks, SP_NONE when the batch is full. */
uint32_t sp_round_add_control(struct sp_round *round, const struct sp_control_flow *flow,
                              uint16_t attempts);
uint32_t sp_round_add_tests(struct sp_round *round, const struct sp_lane *lane, uint16_t attempts);
/* The same flow with another technique, a conversation for which no stand-in listens; mute: without
 * data. */
uint32_t sp_round_add_conversation(struct sp_round *round, const struct sp_lane *lane,
                                   uint8_t technique, bool mute, uint16_t attempts);
/* The shot with a source port of its own; SP_NONE when there is none left. */
uint32_t sp_round_add_shot(struct sp_round *round, uint32_t block, uint16_t attempt, uint16_t port,
                           double at_us);

/* The same for the nth try of a test, in the block of its lane's tests. */
uint32_t sp_round_add_attempt(struct sp_round *round, const struct sp_lane *lane, uint32_t block,
                              unsigned nth, uint32_t test, double at_us);

/* Somebody took the data and answered it; a proxy that has nobody to pass it on to may say so. */
bool sp_round_is_served(const struct sp_shot_seen *shot);
/* The loss that the controls of each lane saw. */
void sp_round_count_controls(struct sp_round *round);
/* Packets without a tag that nothing explains, into a table that sp_round_doubt() asks. */
enum sp_rc sp_round_collect_untagged(const struct sp_round *round,
                                     struct sp_table *ports) SP_MUST_CHECK;
/* Did such packets come to that port of a host? */
bool sp_round_is_untagged(const struct sp_round *round, const struct sp_table *ports, uint32_t host,
                          uint8_t proto, uint8_t family, uint16_t port);
/* Why this attempt's absence would prove nothing; SP_SOUND when it would. */
enum sp_unsound sp_round_doubt(const struct sp_round *round, const struct sp_attempt *a,
                               const struct sp_table *untagged);
/* Counts everything the batch saw into the tallies. */
enum sp_rc sp_round_count(struct sp_round *round) SP_MUST_CHECK;
/* Did this control packet get through? */
bool sp_control_delivered(const struct sp_batch *batch, uint32_t shot);
/* Adds the hosts' counters of a finished batch to the run's. */
void sp_round_add_counters(struct sp_run_state *run, const struct sp_batch *batch);

#endif
