/* SPDX-License-Identifier: Apache-2.0
 *
 * What the tests of the planner share. */
#ifndef SP_TEST_PLAN_SUPPORT_H
#define SP_TEST_PLAN_SUPPORT_H

#include "topologies/plan_priv.h"

/* web-1 (both families), web-2 (web), db-1, old without a probe (data), dev-1 (dev). */
enum { WEB1, WEB2, DB1, OLD, DEV1 };
struct sp_model *sp_ts_shop(void);
/* A plan that must succeed; sp_ts_plan: seed 7, everything selected. */
struct sp_plan *sp_ts_planned(const struct sp_model *m, const struct sp_plan_options *options);
struct sp_plan *sp_ts_plan(const struct sp_model *m, enum sp_depth depth);
/* NULL when there is none. */
const struct sp_test *sp_ts_find_test(const struct sp_plan *plan, uint32_t from, uint32_t to,
                                      uint8_t family, uint8_t proto, uint16_t port);
const struct sp_pair *sp_ts_find_pair(const struct sp_plan *plan, uint32_t from, uint32_t to,
                                      uint8_t family);
/* The same, where the plan must have it. */
const struct sp_test *sp_ts_test(const struct sp_plan *plan, uint32_t from, uint32_t to,
                                 uint8_t family, uint8_t proto, uint16_t port);
const struct sp_pair *sp_ts_pair(const struct sp_plan *plan, uint32_t from, uint32_t to,
                                 uint8_t family);
/* The sum of points left out for a reason and protocol (SP_PROTO_COUNT: pairs). */
uint64_t sp_ts_skipped(const struct sp_plan *plan, enum sp_reason reason, uint8_t proto);
/* Fails unless all that must be true of every plan is. */
void sp_ts_check(const struct sp_plan *plan, const struct sp_model *m);

#endif
