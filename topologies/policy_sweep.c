/* SPDX-License-Identifier: Apache-2.0
 *
 * The interval sweep: port ranges with ranks become maximal intervals with the strongest rule of
 * each. Items enter a heap at their lower end and leave it lazily, so n items cost n log n. Nothing
 * here allocates. */
#include <stdlib.h>
#include <string.h>

#include "topologies/policy_priv.h"

#define SP_SMALL_SORT 32U

static uint8_t strength_expect(enum sp_strength strength)
{
    switch (strength) {
    case SP_STRENGTH_ALLOW:
        return SP_EXPECT_ALLOW;
    case SP_STRENGTH_PERMIT:
        return SP_EXPECT_PERMIT;
    case SP_STRENGTH_ISOLATION:
    case SP_STRENGTH_DENY:
        break;
    }
    return SP_EXPECT_DENY;
}

enum sp_strength sp_rule_strength(const struct sp_rule *rule, const struct sp_portspec *spec)
{
    switch (rule->kind) {
    case SP_RULE_ISOLATION:
        return SP_STRENGTH_ISOLATION;
    case SP_RULE_ALLOW:
        return spec && spec->is_wild ? SP_STRENGTH_PERMIT : SP_STRENGTH_ALLOW;
    case SP_RULE_PERMIT:
        return SP_STRENGTH_PERMIT;
    case SP_RULE_DENY:
        break;
    }
    return SP_STRENGTH_DENY;
}

bool sp_portspec_on(const struct sp_portspec *spec, uint8_t proto, uint32_t *ret_lo,
                    uint32_t *ret_hi)
{
    uint32_t min = sp_proto_min(proto), max = sp_proto_max(proto);
    bool every = spec->proto >= SP_PROTO_COUNT;
    if (!every && spec->proto != proto) {
        return false;
    }
    uint32_t lo = every || spec->lo < min ? min : spec->lo;
    uint32_t hi = every || spec->hi > max ? max : spec->hi;
    *ret_lo = lo;
    *ret_hi = hi;
    return lo <= hi;
}

static int by_lo(const void *a, const void *b)
{
    const struct sp_sweep_item *x = a, *y = b;
    return (x->lo > y->lo) - (x->lo < y->lo);
}

/* Most pairs have a handful of items: no call per comparison for those. */
static void sort_items(struct sp_sweep_item *items, size_t n)
{
    if (n > SP_SMALL_SORT) {
        qsort(items, n, sizeof(*items), by_lo);
        return;
    }
    for (size_t i = 1; i < n; i++) {
        struct sp_sweep_item item = items[i];
        size_t at = i;
        for (; at > 0 && items[at - 1].lo > item.lo; at--) {
            items[at] = items[at - 1];
        }
        items[at] = item;
    }
}

static void heap_push(struct sp_sweep_item *heap, size_t n, struct sp_sweep_item item)
{
    while (n > 0 && heap[(n - 1) / 2].rank > item.rank) {
        heap[n] = heap[(n - 1) / 2];
        n = (n - 1) / 2;
    }
    heap[n] = item;
}

/* Removes the first of n elements. */
static void heap_pop(struct sp_sweep_item *heap, size_t n)
{
    struct sp_sweep_item last = heap[--n];
    size_t at = 0;
    for (;;) {
        size_t child = 2 * at + 1;
        if (child >= n) {
            break;
        }
        if (child + 1 < n && heap[child + 1].rank < heap[child].rank) {
            child++;
        }
        if (heap[child].rank >= last.rank) {
            break;
        }
        heap[at] = heap[child];
        at = child;
    }
    heap[at] = last;
}

size_t sp_sweep(struct sp_sweep_item *items, size_t n, struct sp_sweep_item *heap, uint32_t lo,
                uint32_t hi, uint8_t rest, struct sp_interval *out)
{
    size_t next = 0, active = 0, count = 0;
    sort_items(items, n);
    for (uint32_t at = lo; at <= hi;) {
        for (; next < n && items[next].lo <= at; next++) {
            heap_push(heap, active++, items[next]);
        }
        while (active > 0 && heap[0].hi < at) {
            heap_pop(heap, active--);
        }
        uint32_t end = active > 0 && heap[0].hi < hi ? heap[0].hi : hi;
        if (next < n && items[next].lo <= end) {
            end = items[next].lo - 1;
        }
        uint8_t expect = rest;
        uint32_t rule = SP_NONE;
        if (active > 0) {
            expect = strength_expect((enum sp_strength)(heap[0].rank >> 32));
            rule = (uint32_t)heap[0].rank;
        }
        if (count > 0 && out[count - 1].expect == expect && out[count - 1].rule == rule) {
            out[count - 1].hi = (uint16_t)end;
        } else {
            out[count++] = (struct sp_interval){
                .lo = (uint16_t)at, .hi = (uint16_t)end, .expect = expect, .rule = rule};
        }
        at = end + 1;
    }
    return count;
}
