/* SPDX-License-Identifier: Apache-2.0
 *
 * Counts while a plan is made: coverage, skips by reason, and the load on every host. Nothing
 * allocates between sp_tally_new and sp_tally_finish. */
#ifndef SP_TOPOLOGIES_PLAN_TALLY_H
#define SP_TOPOLOGIES_PLAN_TALLY_H

#include "topologies/plan_priv.h"

struct sp_tally;

/* The model must outlive the tally. */
enum sp_rc sp_tally_new(const struct sp_model *model, struct sp_tally **ret_tally) SP_MUST_CHECK;
void sp_tally_free(struct sp_tally *tally);
/* What the declaration asks of one pair of addresses, tested or not; lists per protocol. */
void sp_tally_intent(struct sp_tally *tally, uint8_t family, const struct sp_intervals *lists);
/* Leaves something out. who: the host or balancer that the reason lies in, SP_NONE = many. */
void sp_tally_skip(struct sp_tally *tally, enum sp_reason reason, uint32_t who, uint8_t family,
                   uint8_t proto, uint64_t points);
/* The points of one pair of addresses and protocol, tested in these ways. sweep: what asks its
 * denied ports, or NULL. */
void sp_tally_points(struct sp_tally *tally, const struct sp_pair *pair, uint8_t proto,
                     struct sp_intervals list, const struct sp_points *points,
                     const struct sp_ways *ways, const struct sp_plan_sweep *sweep);
/* Tests of a bypass technique, which all rest on controls of their own: they cost, and cover
 * nothing. */
void sp_tally_bypass(struct sp_tally *tally, const struct sp_pair *pair, uint8_t technique,
                     uint64_t tests);
/* The passes over a sweep's ports, and its packets with their guards. */
uint32_t sp_tally_passes(const struct sp_tally *tally, const struct sp_pair *pair);
uint64_t sp_tally_sweep_packets(const struct sp_plan_sweep *sweep, uint32_t passes);
/* Writes coverage (all but the pairs, which the planner counts), cost and skips into the plan.
 * sweep_seconds: besides what the tests take. */
enum sp_rc sp_tally_finish(struct sp_tally *tally, uint64_t sweep_seconds,
                           struct sp_plan *plan) SP_MUST_CHECK;

#endif
