/* SPDX-License-Identifier: Apache-2.0
 *
 * Openings: which leaking ports one rule would explain. On one lane (hosts, family, protocol) the
 * leaking ports between two denied ports that hold are one run; a rule that opens more of it would
 * have opened what holds. Runs of different lanes through one place are one opening while no port
 * that any of them saw hold lies between them: 22 from three hosts to four in both families is one,
 * 22 and 8080 are two where 443 holds. Ports that nobody tested part nothing.
 *
 * A lane with more than SP_OPENINGS_OF_LANE runs is no matter of single ports any more: all of it
 * is one opening, so that a report stays small whatever a firewall does.
 *
 * The order of tests does not matter: runs are sorted by what they say before they are put
 * together. Time: O(n log n) for n runs, and each is compared with the openings that reach it. */
#include <stdlib.h>

#include "probe/base/mem.h"
#include "reports/group.h"

#define SP_OPENINGS_OF_LANE 32U

/* Ports lo .. hi leak; below and above are the nearest ones that hold, -1 and 65536 without. */
struct sp_run {
    struct sp_place place;
    uint32_t from, to;
    int32_t lo, hi, below, above;
    uint32_t opening;
    uint8_t family, proto;
};

/* All members leak within lo .. hi, and none saw a port hold there. */
struct opening {
    int32_t lo, hi, below, above;
};

static int cmp_place(const void *pa, const void *pb)
{
    const struct sp_run *a = pa;
    const struct sp_run *b = pb;
    int order = sp_place_cmp(&a->place, &b->place);
    if (order != 0) {
        return order;
    }
    SP_CMP(a->proto, b->proto);
    SP_CMP(a->lo, b->lo);
    SP_CMP(a->hi, b->hi);
    SP_CMP(a->below, b->below);
    SP_CMP(a->above, b->above);
    SP_CMP(a->from, b->from);
    SP_CMP(a->to, b->to);
    SP_CMP(a->family, b->family);
    return 0;
}

static int cmp_lane(const void *pa, const void *pb)
{
    const struct sp_run *a = pa;
    const struct sp_run *b = pb;
    SP_CMP(a->from, b->from);
    SP_CMP(a->to, b->to);
    SP_CMP(a->family, b->family);
    SP_CMP(a->proto, b->proto);
    SP_CMP(a->lo, b->lo);
    return 0;
}

static bool same_lane(const struct sp_span *a, const struct sp_span *b)
{
    return a->from == b->from && a->to == b->to && a->family == b->family && a->proto == b->proto;
}

/* The runs of one lane: spans first .. end. */
static enum sp_rc add_runs(struct sp_openings *openings, const struct sp_lookup *lookup,
                           const struct sp_place *place, size_t first, size_t end, size_t *cap)
{
    struct sp_run *run = NULL;
    int32_t below = -1;
    size_t start = openings->n;
    for (size_t i = first; i < end; i++) {
        const struct sp_span *span = &lookup->flows.at[i];
        if (!(span->facts & SP_FACT_DENIED_LEAKS)) {
            if (span->facts & SP_FACT_DENIED_HOLDS) {
                below = span->hi;
                if (run) {
                    run->above = span->lo;
                }
                run = NULL;
            }
            continue;
        }
        if (!run) {
            if (sp_grow((void **)&openings->runs, openings->n, cap, sizeof(*openings->runs)) != 0) {
                return SP_E_NOMEM;
            }
            run = &openings->runs[openings->n++];
            *run = (struct sp_run){.place = *place,
                                   .from = span->from,
                                   .to = span->to,
                                   .lo = span->lo,
                                   .below = below,
                                   .above = UINT16_MAX + 1,
                                   .family = span->family,
                                   .proto = span->proto};
        }
        run->hi = span->hi;
    }
    if (openings->n - start > SP_OPENINGS_OF_LANE) {
        const struct sp_run *last = &openings->runs[openings->n - 1];
        openings->runs[start].hi = last->hi;
        openings->runs[start].above = last->above;
        openings->n = start + 1;
    }
    return SP_OK;
}

static bool fits(const struct opening *opening, const struct sp_run *run)
{
    int32_t lo = opening->lo < run->lo ? opening->lo : run->lo;
    int32_t hi = opening->hi > run->hi ? opening->hi : run->hi;
    return opening->below < lo && run->below < lo && opening->above > hi && run->above > hi;
}

static void join(struct opening *opening, const struct sp_run *run)
{
    opening->lo = opening->lo < run->lo ? opening->lo : run->lo;
    opening->hi = opening->hi > run->hi ? opening->hi : run->hi;
    opening->below = opening->below > run->below ? opening->below : run->below;
    opening->above = opening->above < run->above ? opening->above : run->above;
}

/* Gives every run of one place and protocol its opening. *next numbers them. */
static void part(struct sp_run *runs, size_t n, struct opening *made, uint32_t *next)
{
    size_t nmade = 0;
    size_t live = 0; /* openings before it end below every run to come */
    for (size_t i = 0; i < n; i++) {
        size_t k = live;
        while (live < nmade && made[live].above <= runs[i].lo) {
            k = ++live;
        }
        while (k < nmade && !fits(&made[k], &runs[i])) {
            k++;
        }
        if (k == nmade) {
            made[nmade++] = (struct opening){
                .lo = runs[i].lo, .hi = runs[i].hi, .below = runs[i].below, .above = runs[i].above};
        } else {
            join(&made[k], &runs[i]);
        }
        runs[i].opening = *next + (uint32_t)k;
    }
    *next += (uint32_t)nmade;
}

static enum sp_rc part_all(struct sp_openings *openings)
{
    struct opening *made = sp_calloc(openings->n, sizeof(*made));
    uint32_t next = 0;
    if (!made) {
        return SP_E_NOMEM;
    }
    qsort(openings->runs, openings->n, sizeof(*openings->runs), cmp_place);
    for (size_t i = 0, end; i < openings->n; i = end) {
        const struct sp_run *first = &openings->runs[i];
        for (end = i + 1; end < openings->n && openings->runs[end].proto == first->proto &&
                          sp_place_cmp(&openings->runs[end].place, &first->place) == 0;) {
            end++;
        }
        part(openings->runs + i, end - i, made, &next);
    }
    qsort(openings->runs, openings->n, sizeof(*openings->runs), cmp_lane);
    sp_free(made);
    return SP_OK;
}

enum sp_rc sp_openings_init(struct sp_openings *openings, const struct sp_lookup *lookup,
                            const struct sp_result *result)
{
    const struct sp_spans *spans = &lookup->flows;
    size_t cap = 0;
    enum sp_rc rc = SP_OK;
    *openings = (struct sp_openings){0};
    for (size_t i = 0, end; i < spans->n && rc == SP_OK; i = end) {
        bool leaks = false;
        for (end = i; end < spans->n && same_lane(&spans->at[i], &spans->at[end]); end++) {
            leaks = leaks || (spans->at[end].facts & SP_FACT_DENIED_LEAKS) != 0;
        }
        const struct sp_entry *entry = leaks ? sp_lookup_lane(lookup, &spans->at[i]) : NULL;
        if (entry) {
            const struct sp_pair *pair = &result->plan->pairs[result->tests[entry->test].pair];
            struct sp_place place = sp_place_of(result->model, pair);
            rc = add_runs(openings, lookup, &place, i, end, &cap);
        }
    }
    if (rc == SP_OK && openings->n > 0) {
        rc = part_all(openings);
    }
    if (rc != SP_OK) {
        sp_openings_release(openings);
    }
    return rc;
}

void sp_openings_release(struct sp_openings *openings)
{
    sp_free(openings->runs);
    *openings = (struct sp_openings){0};
}

/* Is the run before the lane and port of entry? */
static bool is_before(const struct sp_run *run, const struct sp_entry *entry)
{
    if (run->from != entry->from) {
        return run->from < entry->from;
    }
    if (run->to != entry->to) {
        return run->to < entry->to;
    }
    if (run->family != entry->family) {
        return run->family < entry->family;
    }
    if (run->proto != entry->proto) {
        return run->proto < entry->proto;
    }
    return run->hi < (int32_t)entry->port;
}

uint32_t sp_opening_of(const struct sp_openings *openings, const struct sp_entry *entry)
{
    size_t lo = 0;
    size_t hi = openings->n;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if (is_before(&openings->runs[mid], entry)) {
            lo = mid + 1;
        } else {
            hi = mid;
        }
    }
    const struct sp_run *run = lo < openings->n ? &openings->runs[lo] : NULL;
    bool is_in = run && run->from == entry->from && run->to == entry->to &&
                 run->family == entry->family && run->proto == entry->proto &&
                 run->lo <= (int32_t)entry->port_hi;
    return is_in ? run->opening : SP_NONE;
}
