/* SPDX-License-Identifier: Apache-2.0
 *
 * Between the files of the policy compiler only. */
#ifndef SP_TOPOLOGIES_POLICY_PRIV_H
#define SP_TOPOLOGIES_POLICY_PRIV_H

#include "topologies/policy.h"

/* How strong a rule is on some ports; the smallest wins, then the lowest rule index. */
enum sp_strength {
    SP_STRENGTH_ISOLATION,
    SP_STRENGTH_DENY,
    SP_STRENGTH_ALLOW,
    SP_STRENGTH_PERMIT, /* a permit, or an allow written with a wildcard */
};

/* One rule on one stretch of ports. */
struct sp_sweep_item {
    uint64_t rank; /* strength << 32 | rule */
    uint32_t lo, hi;
};

/* What a rule does on one of its port specs. */
enum sp_strength sp_rule_strength(const struct sp_rule *rule, const struct sp_portspec *spec);
/* The part of a spec that lies on a protocol's axis; false when there is none. */
bool sp_portspec_on(const struct sp_portspec *spec, uint8_t proto, uint32_t *ret_lo,
                    uint32_t *ret_hi);

/* Room that sp_sweep needs in out for n items. */
#define SP_SWEEP_ROOM(n) (2 * (n) + 1)
/* The maximal intervals of lo..hi under these items; what no item covers gets rest. Sorts items and
 * uses heap (n places) as scratch. Returns the number of intervals written. */
size_t sp_sweep(struct sp_sweep_item *items, size_t n, struct sp_sweep_item *heap, uint32_t lo,
                uint32_t hi, uint8_t rest, struct sp_interval *out);

/* Numbers the classes of all targets into class_of (one place per target). */
enum sp_rc sp_policy_classify(const struct sp_model *model, uint32_t *class_of,
                              size_t *ret_n) SP_MUST_CHECK;

/* Visits every rule that applies to an ordered pair, in rising index, once each; stops when fn
 * returns false. Rules of any protocol are visited. */
void sp_policy_each_rule(struct sp_policy *policy, uint32_t from, uint32_t to,
                         bool (*fn)(void *ctx, uint32_t rule), void *ctx);
#endif
