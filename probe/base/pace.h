/* SPDX-License-Identifier: Apache-2.0
 *
 * A token bucket that stands on one number: when the next packet is due (the virtual scheduling
 * form of the leaky bucket, ITU-T I.371). Whole numbers only, with the remainder carried on, so
 * that the long run is exact at any rate. What is late by less than SP_PACE_STALL_US is caught up
 * with, at most at twice the rate; what is later is forgotten: a stopped process does not come back
 * with a burst.
 *
 * Packets go in groups of what SP_PACE_STEP_US are worth, or one by one where the rate is lower. */
#ifndef SP_BASE_PACE_H
#define SP_BASE_PACE_H

#include <stdint.h>

#define SP_PACE_STEP_US  100U
#define SP_PACE_STALL_US 20000U

struct sp_pace {
    uint32_t pps;    /* > 0 */
    uint64_t due_us; /* of the next packet, and what is over, in parts of pps of a microsecond */
    uint64_t over;
};

/* Sets the rate; all zero before the first time. What was sent before still counts: the next packet
 * is not due sooner; nor is what was late forgotten as long as the rate stays the same. */
void sp_pace_set(struct sp_pace *pace, uint32_t pps, uint64_t now_us);
/* How many packets may go now, as one group. */
uint32_t sp_pace_allowed(struct sp_pace *pace, uint64_t now_us);
void sp_pace_take(struct sp_pace *pace, uint32_t packets);
/* When to come again after that: when a whole group is due. */
uint64_t sp_pace_next(const struct sp_pace *pace, uint64_t now_us);

#endif
