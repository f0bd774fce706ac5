/* SPDX-License-Identifier: Apache-2.0
 *
 * Sweeps of a result: the ports that nobody told anything of, which must never look like ports that
 * hold; and all sweeps put together for people. */
#include <stdlib.h>
#include <string.h>

#include "probe/base/mem.h"
#include "probe/base/portset.h"
#include "reports/group.h"

/* A range that a sweep found. */
struct found {
    uint32_t pair;
    uint8_t proto;
    uint16_t lo, hi;
};

static int cmp_lane(const struct found *a, const struct found *b)
{
    SP_CMP(a->pair, b->pair);
    SP_CMP(a->proto, b->proto);
    return 0;
}

static int cmp_found(const void *pa, const void *pb)
{
    const struct found *a = pa;
    const struct found *b = pb;
    int order = cmp_lane(a, b);
    if (order == 0) {
        SP_CMP(a->lo, b->lo);
        SP_CMP(a->hi, b->hi);
    }
    return order;
}

/* All ranges of the result, by lane and port; *ret_found is freed with sp_free(). */
static enum sp_rc list_found(const struct sp_result *result, struct found **ret_found,
                             size_t *ret_n)
{
    size_t n = 0;
    for (size_t i = 0; i < result->ntests; i++) {
        n += result->tests[i].why == SP_WHY_SWEPT;
    }
    struct found *found = sp_calloc(n, sizeof(*found));
    if (!found) {
        return SP_E_NOMEM;
    }
    n = 0;
    for (size_t i = 0; i < result->ntests; i++) {
        const struct sp_test *test = &result->tests[i];
        if (test->why == SP_WHY_SWEPT) {
            found[n++] =
                (struct found){.pair = test->pair,
                               .proto = test->proto,
                               .lo = test->port,
                               .hi = test->port_hi > test->port ? test->port_hi : test->port};
        }
    }
    qsort(found, n, sizeof(*found), cmp_found);
    *ret_found = found;
    *ret_n = n;
    return SP_OK;
}

/* The first range of a sweep's lane. */
static size_t find_lane(const struct found *found, size_t n, const struct sp_plan_sweep *sweep)
{
    struct found key = {.pair = sweep->pair, .proto = sweep->proto};
    size_t lo = 0;
    size_t hi = n;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if (cmp_found(&found[mid], &key) < 0) {
            lo = mid + 1;
        } else {
            hi = mid;
        }
    }
    return lo;
}

static bool is_of(const struct found *found, const struct sp_plan_sweep *sweep)
{
    return found->pair == sweep->pair && found->proto == sweep->proto;
}

enum sp_rc sp_count_unswept(const struct sp_result *result, uint64_t *ret_ports)
{
    const struct sp_plan *plan = result->plan;
    struct found *found = NULL;
    size_t n = 0;
    *ret_ports = 0;
    enum sp_rc rc = plan->nsweeps > 0 ? list_found(result, &found, &n) : SP_OK;
    for (size_t s = 0; rc == SP_OK && s < plan->nsweeps; s++) {
        uint64_t asked = (uint64_t)plan->sweeps[s].denied + plan->sweeps[s].allowed;
        uint64_t told = 0;
        uint32_t next = 0; /* what is below is told already */
        for (size_t i = find_lane(found, n, &plan->sweeps[s]);
             i < n && is_of(&found[i], &plan->sweeps[s]); i++) {
            uint32_t lo = found[i].lo > next ? found[i].lo : next;
            if (found[i].hi >= lo) {
                told += found[i].hi - lo + 1U;
                next = found[i].hi + 1U;
            }
        }
        *ret_ports += asked > told ? asked - told : 0;
    }
    sp_free(found);
    return rc;
}

/* ------------------------------------------------------------------ what nobody judged */

static enum sp_rc add_range(struct sp_result *result, const struct sp_plan_sweep *sweep,
                            const struct sp_interval *iv, uint16_t lo, uint16_t hi,
                            enum sp_unsound why)
{
    struct sp_test test = {.pair = sweep->pair,
                           .rule = iv->rule,
                           .port = lo,
                           .port_hi = hi,
                           .proto = sweep->proto,
                           .expect = iv->expect,
                           .technique = sweep->technique,
                           .why = SP_WHY_SWEPT};
    struct sp_outcome outcome = {.seen = {.unsound = why, .elsewhere_host = SP_NONE},
                                 .judged = {.verdict = SP_VERDICT_INCONCLUSIVE,
                                            .row = 3,
                                            .noted = SP_VERDICT_INCONCLUSIVE,
                                            .reason = why}};
    return sp_result_add(result, &test, &outcome);
}

/* The ports of a set, in ranges that end where an interval does. */
static enum sp_rc add_ranges(struct sp_result *result, const struct sp_plan_sweep *sweep,
                             struct sp_intervals list, const struct sp_portset *left,
                             enum sp_unsound why)
{
    enum sp_rc rc = SP_OK;
    uint32_t port = sp_portset_next(left, 0);
    while (rc == SP_OK && port < SP_PORTSET_PORTS) {
        const struct sp_interval *iv = sp_intervals_find(list, (uint16_t)port);
        uint32_t hi = port;
        while (iv && hi < iv->hi && sp_portset_has(left, (uint16_t)(hi + 1))) {
            hi++;
        }
        rc = iv ? add_range(result, sweep, iv, (uint16_t)port, (uint16_t)hi, why) : SP_OK;
        port = sp_portset_next(left, hi + 1);
    }
    return rc;
}

static enum sp_rc add_rest(struct sp_result *result, struct sp_policy *policy, size_t at,
                           const struct found *found, size_t n, enum sp_unsound why)
{
    const struct sp_plan_sweep *sweep = &result->plan->sweeps[at];
    const struct sp_pair *pair = &result->plan->pairs[sweep->pair];
    struct sp_portset left = {0};
    enum sp_rc rc = sp_plan_sweep_ports(result->plan, result->model, policy, at, &left, &left);
    uint32_t next = 0; /* each port once, however ranges overlap */
    for (size_t i = find_lane(found, n, sweep); i < n && is_of(&found[i], sweep); i++) {
        for (next = found[i].lo > next ? found[i].lo : next; next <= found[i].hi; next++) {
            sp_portset_remove(&left, (uint16_t)next);
        }
    }
    if (rc != SP_OK) {
        return rc;
    }
    struct sp_intervals list = sp_policy_pair(policy, pair->from, pair->to, sweep->proto);
    return list.n == 0 ? SP_E_NOMEM : add_ranges(result, sweep, list, &left, why);
}

enum sp_rc sp_result_add_unswept(struct sp_result *result, struct sp_policy *policy,
                                 enum sp_unsound why)
{
    struct found *found = NULL;
    size_t n = 0;
    enum sp_rc rc = result->plan->nsweeps > 0 ? list_found(result, &found, &n) : SP_OK;
    for (size_t s = 0; rc == SP_OK && s < result->plan->nsweeps; s++) {
        rc = add_rest(result, policy, s, found, n, why);
    }
    sp_free(found);
    return rc;
}
