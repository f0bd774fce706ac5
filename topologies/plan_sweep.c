/* SPDX-License-Identifier: Apache-2.0
 *
 * Which pairs of addresses are swept, and which ports a sweep asks. A plan holds one record per
 * sweep; its ports are counted by intervals and made as sets only when somebody sends them.
 *
 * A slice is a part of the denied ports: a keyed permutation numbers the ports 1 .. 65535, and
 * slice `at` of `of` has those whose number is `at` modulo `of`. The slices of one key are disjoint
 * and together all ports. */
#include <string.h>

#include "probe/base/mem.h"
#include "probe/base/permute.h"
#include "probe/base/portset.h"
#include "topologies/plan_priv.h"

#define SP_SLICE_PORTS 65535U /* port 0 is never sent */

static void numbering_init(struct sp_permutation *numbering, const struct sp_slice *slice)
{
    sp_permutation_init(numbering, slice->key, SP_SLICE_PORTS);
}

static bool numbered_has(const struct sp_permutation *numbering, const struct sp_slice *slice,
                         uint32_t port)
{
    return port > 0 && sp_permutation_at(numbering, port - 1) % slice->of == slice->at;
}

bool sp_slice_has(const struct sp_slice *slice, uint16_t port)
{
    if (slice->of == 0) {
        return port > 0;
    }
    struct sp_permutation numbering;
    numbering_init(&numbering, slice);
    return numbered_has(&numbering, slice, port);
}

enum sp_rc sp_slice_table(const struct sp_slice *slice, uint32_t **ret_table)
{
    struct sp_permutation numbering;
    uint32_t *table = sp_calloc(SP_SLICE_PORTS + 2U, sizeof(*table));
    if (!table) {
        return SP_E_NOMEM;
    }
    if (slice->of > 0) {
        numbering_init(&numbering, slice);
    }
    for (uint32_t port = 0; port <= SP_SLICE_PORTS; port++) {
        bool has = slice->of == 0 ? port > 0 : numbered_has(&numbering, slice, port);
        table[port + 1] = table[port] + has;
    }
    *ret_table = table;
    return SP_OK;
}

enum sp_reason sp_sweep_hindrance(const struct sp_pair *pair)
{
    return pair->is_balanced ? SP_REASON_SWEEP_BALANCED
           : pair->one_sided ? SP_REASON_SWEEP_BLIND
                             : SP_REASON_NONE;
}

uint32_t sp_points_denied(struct sp_intervals list, const struct sp_points *points,
                          const uint32_t *table)
{
    uint32_t n = 0;
    size_t at = 0;
    for (size_t i = 0; i < points->n; i++) {
        uint16_t port = points->at[i].port;
        while (at < list.n && list.at[at].hi < port) {
            at++;
        }
        n += at < list.n && list.at[at].expect == SP_EXPECT_DENY &&
             (!table || table[port + 1U] == table[port]);
    }
    return n;
}

uint32_t sp_intervals_denied(struct sp_intervals list)
{
    uint32_t n = 0;
    for (size_t i = 0; i < list.n; i++) {
        n += list.at[i].expect == SP_EXPECT_DENY ? list.at[i].hi - list.at[i].lo + 1U : 0;
    }
    return n;
}

void sp_sweep_count(struct sp_intervals list, const struct sp_points *points, const uint32_t *table,
                    struct sp_plan_sweep *sweep)
{
    sweep->denied = sweep->allowed = 0;
    for (size_t i = 0; i < list.n; i++) {
        const struct sp_interval *iv = &list.at[i];
        if (iv->expect == SP_EXPECT_DENY) {
            sweep->denied += table[iv->hi + 1U] - table[iv->lo];
        } else if (iv->expect == SP_EXPECT_ALLOW) {
            sweep->allowed += iv->hi - iv->lo + 1U;
        }
    }
    sweep->denied += sp_points_denied(list, points, table);
}

/* What the planner's points of this lane were. */
static enum sp_rc points_of(const struct sp_plan *plan, const struct sp_model *model,
                            struct sp_policy *policy, const struct sp_plan_sweep *sweep,
                            struct sp_intervals list, struct sp_points *points)
{
    const struct sp_pair *pair = &plan->pairs[sweep->pair];
    uint8_t other = sweep->proto == SP_PROTO_TCP ? (uint8_t)SP_PROTO_UDP : (uint8_t)SP_PROTO_TCP;
    struct sp_ports open = {0};
    struct sp_point_source source = {.pair = pair,
                                     .proto = sweep->proto,
                                     .depth = plan->depth,
                                     .seed = plan->seed,
                                     .sport_lo = plan->sport_lo,
                                     .sport_hi = plan->sport_hi,
                                     .list = list,
                                     .twin = sp_policy_pair(policy, pair->from, pair->to, other),
                                     .reverse =
                                         sp_policy_pair(policy, pair->to, pair->from, sweep->proto),
                                     .open = &open};
    enum sp_rc rc = source.twin.n == 0 || source.reverse.n == 0
                        ? SP_E_NOMEM
                        : sp_ports_open(model, pair->to, sweep->proto, &open);
    if (rc == SP_OK) {
        rc = sp_points_build(points, &source);
    }
    sp_ports_release(&open);
    return rc;
}

static void add_slice(const struct sp_permutation *numbering, const struct sp_slice *slice,
                      const struct sp_interval *iv, struct sp_portset *denied)
{
    for (uint32_t port = iv->lo; port <= iv->hi; port++) {
        if (numbered_has(numbering, slice, port)) {
            sp_portset_add(denied, (uint16_t)port);
        }
    }
}

static enum sp_rc add_points(const struct sp_plan *plan, const struct sp_model *model,
                             struct sp_policy *policy, const struct sp_plan_sweep *sweep,
                             struct sp_intervals list, struct sp_portset *denied)
{
    struct sp_points points = {0};
    enum sp_rc rc = points_of(plan, model, policy, sweep, list, &points);
    for (size_t i = 0; rc == SP_OK && i < points.n; i++) {
        const struct sp_interval *iv = sp_intervals_find(list, points.at[i].port);
        if (iv && iv->expect == SP_EXPECT_DENY) {
            sp_portset_add(denied, points.at[i].port);
        }
    }
    sp_points_release(&points);
    return rc;
}

enum sp_rc sp_plan_sweep_ports(const struct sp_plan *plan, const struct sp_model *model,
                               struct sp_policy *policy, size_t sweep, struct sp_portset *denied,
                               struct sp_portset *allowed)
{
    if (sweep >= plan->nsweeps) {
        return SP_E_INVALID;
    }
    const struct sp_plan_sweep *of = &plan->sweeps[sweep];
    const struct sp_pair *pair = &plan->pairs[of->pair];
    struct sp_intervals list = sp_policy_pair(policy, pair->from, pair->to, of->proto);
    struct sp_permutation numbering;
    bool is_sliced = plan->slice.of > 0;
    if (list.n == 0) {
        return SP_E_NOMEM;
    }
    if (is_sliced) {
        numbering_init(&numbering, &plan->slice);
    }
    for (size_t i = 0; i < list.n; i++) {
        const struct sp_interval *iv = &list.at[i];
        if (iv->expect == SP_EXPECT_ALLOW) {
            sp_portset_add_range(allowed, iv->lo, iv->hi);
        } else if (iv->expect == SP_EXPECT_DENY && is_sliced) {
            add_slice(&numbering, &plan->slice, iv, denied);
        } else if (iv->expect == SP_EXPECT_DENY) {
            sp_portset_add_range(denied, iv->lo, iv->hi);
        }
    }
    return is_sliced ? add_points(plan, model, policy, of, list, denied) : SP_OK;
}
