/* SPDX-License-Identifier: Apache-2.0
 *
 * Looking up how ports turned out, while causes are guessed. The tests of a flow may be ranges and
 * may overlap (several addresses, a sweep beside tests); here they are cut into spans that do not:
 * each has the facts of every test that covers it. A question about a range then walks the spans
 * it meets, never its ports. What a bypass technique found says nothing of the rule for a port, and
 * is left out. */
#include <stdlib.h>

#include "probe/base/mem.h"
#include "reports/group.h"

/* A test begins or ends here. */
struct event {
    uint32_t from, to;
    uint32_t port; /* ends: the first port behind it */
    uint8_t family, proto;
    uint8_t facts;
    int8_t step; /* 1 begins, -1 ends */
};

static int cmp_event(const void *pa, const void *pb)
{
    const struct event *a = pa;
    const struct event *b = pb;
    SP_CMP(a->from, b->from);
    SP_CMP(a->to, b->to);
    SP_CMP(a->family, b->family);
    SP_CMP(a->proto, b->proto);
    SP_CMP(a->port, b->port);
    return 0;
}

static bool same_flow(const struct event *a, const struct event *b)
{
    return a->from == b->from && a->to == b->to && a->family == b->family && a->proto == b->proto;
}

static uint8_t facts_of(const struct sp_entry *e)
{
    unsigned facts = 0;
    if (e->expect == SP_EXPECT_DENY) {
        facts |= e->verdict == SP_VERDICT_HOLDS ? SP_FACT_DENIED_HOLDS : 0U;
        facts |= e->verdict == SP_VERDICT_LEAK ? SP_FACT_DENIED_LEAKS : 0U;
        return (uint8_t)facts;
    }
    facts |= SP_FACT_OPENED;
    facts |= e->verdict == SP_VERDICT_HOLDS && !e->is_note ? SP_FACT_ALLOWED_HOLDS : 0U;
    facts |= sp_verdict_is_finding(e->verdict) || e->is_note ? SP_FACT_ALLOWED_FAILS : 0U;
    return (uint8_t)facts;
}

/* How many tests of each fact cover the port that the walk has reached. */
struct open {
    uint64_t counts[8];
};

static uint8_t walk(struct open *open, const struct event *event)
{
    uint8_t facts = 0;
    for (unsigned bit = 0; bit < 8; bit++) {
        if (event->facts >> bit & 1) {
            open->counts[bit] += event->step > 0 ? 1 : UINT64_MAX; /* minus one */
        }
        facts |= (uint8_t)(open->counts[bit] > 0 ? 1U << bit : 0U);
    }
    return facts;
}

static enum sp_rc add_span(struct sp_spans *spans, const struct event *event, uint32_t end,
                           uint8_t facts, size_t *cap)
{
    struct sp_span *last = spans->n > 0 ? &spans->at[spans->n - 1] : NULL;
    if (facts == 0 || event->port >= end) {
        return SP_OK;
    }
    if (last && last->from == event->from && last->to == event->to &&
        last->family == event->family && last->proto == event->proto && last->facts == facts &&
        last->hi + 1U == event->port) {
        last->hi = (uint16_t)(end - 1);
        return SP_OK;
    }
    if (sp_grow((void **)&spans->at, spans->n, cap, sizeof(*spans->at)) != 0) {
        return SP_E_NOMEM;
    }
    spans->at[spans->n++] = (struct sp_span){.from = event->from,
                                             .to = event->to,
                                             .lo = (uint16_t)event->port,
                                             .hi = (uint16_t)(end - 1),
                                             .family = event->family,
                                             .proto = event->proto,
                                             .facts = facts};
    return SP_OK;
}

int sp_entry_cmp_flow(const struct sp_entry *a, const struct sp_entry *b)
{
    SP_CMP(a->from, b->from);
    SP_CMP(a->to, b->to);
    SP_CMP(a->family, b->family);
    SP_CMP(a->proto, b->proto);
    return 0;
}

static enum sp_rc cut(struct event *events, size_t n, struct sp_spans *spans)
{
    size_t cap = 0;
    enum sp_rc rc = SP_OK;
    qsort(events, n, sizeof(*events), cmp_event);
    for (size_t i = 0, end; i < n && rc == SP_OK; i = end) {
        struct open open = {0};
        for (end = i; end < n && same_flow(&events[i], &events[end]) && rc == SP_OK; end++) {
            uint8_t facts = walk(&open, &events[end]);
            bool is_last = end + 1 == n || !same_flow(&events[end], &events[end + 1]);
            if (!is_last && facts != 0) {
                rc = add_span(spans, &events[end], events[end + 1].port, facts, &cap);
            }
        }
    }
    return rc;
}

/* by_target: whoever sends, and only what somebody may. */
static enum sp_rc make_spans(const struct sp_summary *summary, bool by_target,
                             struct sp_spans *spans)
{
    struct event *events = sp_calloc(summary->nentries, 2 * sizeof(*events));
    size_t n = 0;
    if (!events) {
        return SP_E_NOMEM;
    }
    for (size_t i = 0; i < summary->nentries; i++) {
        const struct sp_entry *e = &summary->entries[i];
        uint8_t facts = e->is_bypass ? 0 : facts_of(e);
        if (facts == 0 || (by_target && !(facts & SP_FACT_OPENED))) {
            continue;
        }
        struct event event = {.from = by_target ? SP_NONE : e->from,
                              .to = e->to,
                              .port = e->port,
                              .family = e->family,
                              .proto = e->proto,
                              .facts = by_target ? facts & (SP_FACT_OPENED | SP_FACT_ALLOWED_HOLDS)
                                                 : facts,
                              .step = 1};
        events[n++] = event;
        event.port = e->port_hi + 1U;
        event.step = -1;
        events[n++] = event;
    }
    enum sp_rc rc = cut(events, n, spans);
    sp_free(events);
    return rc;
}

enum sp_rc sp_lookup_init(struct sp_lookup *lookup, const struct sp_summary *summary)
{
    *lookup = (struct sp_lookup){.entries = summary->entries, .n = summary->nentries};
    enum sp_rc rc = make_spans(summary, false, &lookup->flows);
    if (rc == SP_OK) {
        rc = make_spans(summary, true, &lookup->targets);
    }
    if (rc != SP_OK) {
        sp_lookup_release(lookup);
    }
    return rc;
}

void sp_lookup_release(struct sp_lookup *lookup)
{
    sp_free(lookup->flows.at);
    sp_free(lookup->targets.at);
    *lookup = (struct sp_lookup){0};
}

const struct sp_entry *sp_lookup_lane(const struct sp_lookup *lookup, const struct sp_span *span)
{
    size_t lo = 0;
    size_t hi = lookup->n;
    const struct sp_entry key = {
        .from = span->from, .to = span->to, .family = span->family, .proto = span->proto};
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if (sp_entry_cmp_flow(&lookup->entries[mid], &key) < 0) {
            lo = mid + 1;
        } else {
            hi = mid;
        }
    }
    return lo < lookup->n && sp_entry_cmp_flow(&lookup->entries[lo], &key) == 0
               ? &lookup->entries[lo]
               : NULL;
}

/* Is the span before the flow and port of key? */
static bool is_before(const struct sp_span *span, const struct sp_entry *key)
{
    if (span->from != key->from) {
        return span->from < key->from;
    }
    if (span->to != key->to) {
        return span->to < key->to;
    }
    if (span->family != key->family) {
        return span->family < key->family;
    }
    if (span->proto != key->proto) {
        return span->proto < key->proto;
    }
    return span->hi < key->port;
}

static size_t first_span(const struct sp_spans *spans, const struct sp_entry *key)
{
    size_t lo = 0;
    size_t hi = spans->n;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if (is_before(&spans->at[mid], key)) {
            lo = mid + 1;
        } else {
            hi = mid;
        }
    }
    return lo;
}

static bool meets(const struct sp_span *span, const struct sp_entry *key)
{
    return span->from == key->from && span->to == key->to && span->family == key->family &&
           span->proto == key->proto && span->lo <= key->port_hi;
}

bool sp_spans_all(const struct sp_spans *spans, const struct sp_entry *key, uint8_t fact)
{
    uint32_t next = key->port;
    for (size_t i = first_span(spans, key); i < spans->n && meets(&spans->at[i], key); i++) {
        if (spans->at[i].lo > next || !(spans->at[i].facts & fact)) {
            return false;
        }
        next = spans->at[i].hi + 1U;
    }
    return next > key->port_hi;
}

bool sp_spans_any(const struct sp_spans *spans, const struct sp_entry *key, uint8_t facts)
{
    for (size_t i = first_span(spans, key); i < spans->n && meets(&spans->at[i], key); i++) {
        if (spans->at[i].facts & facts) {
            return true;
        }
    }
    return false;
}
