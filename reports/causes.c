/* SPDX-License-Identifier: Apache-2.0
 *
 * Causes: findings that one change would end. Each finding is in exactly one, whatever the order of
 * tests was. What makes two findings one:
 *
 *   a rule for ports        the place (see place.h), the protocol and the opening (openings.c)
 *   nothing filters         the place: a missing default deny is one, over protocols and families;
 *                           IPv6 without any rules is one
 *   a technique             the place and what it shows; of a trusted source port the protocol too
 *   an allowed flow fails   the place and the rule that declares it; the place alone where nothing
 *                           allowed works in that family, since then no single rule is missing
 *   a host's own firewall   the host
 *   a host is not covered   the place and the host: no rule for a port is the reason
 *   a load balancer         who has to be changed
 *
 * Different places are never one: they need different changes. */
#include <stdlib.h>
#include <string.h>

#include "probe/base/mem.h"
#include "reports/group.h"
#include "reports/severity.h"

/* What a finding's cause is told apart by; fields that do not matter to its kind are SP_NONE. */
struct ref {
    struct sp_place place;
    uint32_t rule, opening, proto, family, host;
    uint32_t finding;
    uint8_t kind; /* LET_THROUGH stands for all that a rule for ports explains */
    uint8_t verdict;
    const char *remedy; /* words that name whom one repair is about; borrowed, or "" */
};

static int cmp_same(const struct ref *a, const struct ref *b)
{
    SP_CMP(a->kind, b->kind);
    SP_CMP(a->verdict, b->verdict);
    int order = sp_place_cmp(&a->place, &b->place);
    if (order != 0) {
        return order;
    }
    SP_CMP(a->rule, b->rule);
    SP_CMP(a->opening, b->opening);
    SP_CMP(a->proto, b->proto);
    SP_CMP(a->family, b->family);
    SP_CMP(a->host, b->host);
    return strcmp(a->remedy, b->remedy);
}

static int cmp_ref(const void *pa, const void *pb)
{
    const struct ref *a = pa;
    const struct ref *b = pb;
    int order = cmp_same(a, b);
    if (order == 0) {
        SP_CMP(a->finding, b->finding);
    }
    return order;
}

static int cmp_cause(const void *pa, const void *pb)
{
    const struct sp_cause_group *a = pa;
    const struct sp_cause_group *b = pb;
    SP_CMP(b->severity, a->severity);
    SP_CMP(b->nflows, a->nflows);
    SP_CMP(a->findings[0], b->findings[0]);
    return 0;
}

/* ------------------------------------------------------------------ places where nothing works */

struct worked {
    struct sp_place place;
    uint8_t family;
    bool any; /* an allowed flow of this family gets through there */
};

struct working {
    struct worked *at; /* one for each place and family with a failing allowed flow; owned */
    size_t n;
};

static int cmp_worked(const void *pa, const void *pb)
{
    const struct worked *a = pa;
    const struct worked *b = pb;
    int order = sp_place_cmp(&a->place, &b->place);
    if (order == 0) {
        SP_CMP(a->family, b->family);
    }
    return order;
}

static const struct sp_pair *pair_of(const struct sp_summary *summary, uint32_t test)
{
    const struct sp_result *result = summary->result;
    return &result->plan->pairs[result->tests[test].pair];
}

static struct worked *find_worked(const struct working *working, const struct sp_place *place,
                                  uint8_t family)
{
    struct worked key = {.place = *place, .family = family};
    return working->n > 0 ? bsearch(&key, working->at, working->n, sizeof(*working->at), cmp_worked)
                          : NULL;
}

static enum sp_rc find_working(const struct sp_summary *summary, struct working *working)
{
    const struct sp_model *model = summary->result->model;
    working->at = sp_calloc(summary->nfindings, sizeof(*working->at));
    if (!working->at) {
        return SP_E_NOMEM;
    }
    for (size_t i = 0; i < summary->nfindings; i++) {
        const struct sp_finding *f = &summary->findings[i];
        if (f->expect != SP_EXPECT_DENY) {
            working->at[working->n++] = (struct worked){
                .place = sp_place_of(model, pair_of(summary, f->sample)), .family = f->family};
        }
    }
    if (working->n == 0) {
        return SP_OK;
    }
    qsort(working->at, working->n, sizeof(*working->at), cmp_worked);
    size_t n = 1;
    for (size_t i = 1; i < working->n; i++) {
        if (cmp_worked(&working->at[n - 1], &working->at[i]) != 0) {
            working->at[n++] = working->at[i];
        }
    }
    working->n = n;
    for (size_t i = 0; i < summary->nentries; i++) {
        const struct sp_entry *e = &summary->entries[i];
        if (e->expect != SP_EXPECT_ALLOW || e->verdict != SP_VERDICT_HOLDS) {
            continue;
        }
        struct sp_place place = sp_place_of(model, pair_of(summary, e->test));
        struct worked *found = find_worked(working, &place, e->family);
        if (found) {
            found->any = true;
        }
    }
    return SP_OK;
}

/* ------------------------------------------------------------------ the key of a finding */

/* Of flows that are allowed and fail. */
static void key_of_failing(const struct sp_finding *finding, const struct working *working,
                           struct ref *ref)
{
    const struct worked *worked = find_worked(working, &ref->place, finding->family);
    bool any = !worked || worked->any;
    switch ((int)finding->cause_kind) {
    case SP_CAUSE_HOST_FILTER:
    case SP_CAUSE_REVERSE_PATH:
    case SP_CAUSE_NO_ANSWER:
        ref->place = sp_place_host(finding->to);
        return;
    case SP_CAUSE_SENDER_POLICY:
        ref->place = sp_place_host(finding->from);
        return;
    case SP_CAUSE_TWIN_IPV6:
    case SP_CAUSE_TWIN_IPV4:
    case SP_CAUSE_NO_WAY:
    case SP_CAUSE_NOT_FROM_HERE:
    case SP_CAUSE_DROPPED:
        /* Some flows of one rule may have a twin, others none. */
        ref->kind = SP_CAUSE_DROPPED;
        ref->family = any ? SP_NONE : finding->family;
        break;
    default:
        break;
    }
    ref->rule = any ? finding->rule : SP_NONE;
}

static struct ref ref_of(const struct sp_summary *summary, const struct working *working,
                         uint32_t index)
{
    const struct sp_finding *finding = &summary->findings[index];
    enum sp_cause kind = (enum sp_cause)finding->cause_kind;
    struct ref ref = {
        .place = sp_place_of(summary->result->model, pair_of(summary, finding->sample)),
        .rule = SP_NONE,
        .opening = SP_NONE,
        .proto = SP_NONE,
        .family = SP_NONE,
        .host = SP_NONE,
        .finding = index,
        .kind = finding->cause_kind,
        .verdict = (uint8_t)finding->verdict,
        .remedy = "",
    };
    if (finding->expect == SP_EXPECT_DENY && sp_cause_is_opening(kind)) {
        ref.kind = SP_CAUSE_LET_THROUGH;
        ref.opening = finding->opening;
        ref.proto = finding->proto;
    } else if (kind >= SP_CAUSE_KNOWN_ADDRESS && kind != SP_CAUSE_AROUND) {
        ref.remedy = finding->remedy;
        ref.opening = kind == SP_CAUSE_BALANCER_PORT ? finding->opening : SP_NONE;
    } else if (kind == SP_CAUSE_SOURCE_PORT) {
        ref.proto = finding->proto;
        ref.remedy = finding->cause; /* names the source ports */
    } else if (kind == SP_CAUSE_NOT_TO_HERE) {
        ref.host = finding->to;
    } else if (kind == SP_CAUSE_BYPASS) {
        ref.host = finding->technique;
    } else if (kind == SP_CAUSE_ELSEWHERE || kind == SP_CAUSE_REWRITTEN) {
        ref.rule = finding->rule;
        ref.host = kind == SP_CAUSE_ELSEWHERE
                       ? summary->result->outcomes[finding->sample].seen.elsewhere_host
                       : SP_NONE;
    } else if (finding->expect != SP_EXPECT_DENY) {
        key_of_failing(finding, working, &ref);
    }
    return ref;
}

/* ------------------------------------------------------------------ making causes */

void sp_cause_release(struct sp_cause_group *cause)
{
    sp_free(cause->findings);
    sp_free(cause->where);
    sp_free(cause->repeat);
}

/* What all its findings say, else what is true of each. */
static uint8_t common_kind(const struct sp_summary *summary, const struct ref *refs, size_t n)
{
    const struct sp_finding *first = &summary->findings[refs[0].finding];
    uint8_t kind = first->cause_kind;
    for (size_t i = 1; i < n; i++) {
        const struct sp_finding *other = &summary->findings[refs[i].finding];
        if (other->cause_kind == kind && strcmp(other->remedy, first->remedy) == 0) {
            continue; /* also about the same load balancer */
        }
        if (refs[0].kind == SP_CAUSE_LET_THROUGH && refs[0].place.kind == SP_PLACE_HOST) {
            return SP_CAUSE_HOST_OPEN;
        }
        return refs[0].kind == SP_CAUSE_DROPPED && refs[0].rule == SP_NONE
                   ? (uint8_t)SP_CAUSE_NO_WAY
                   : refs[0].kind;
    }
    return kind;
}

static int cmp_number(const void *pa, const void *pb)
{
    const uint32_t *a = pa;
    const uint32_t *b = pb;
    SP_CMP(*a, *b);
    return 0;
}

/* How many different hosts are received at. */
static enum sp_rc count_hosts(const struct sp_summary *summary, const struct sp_cause_group *cause,
                              size_t *ret_hosts)
{
    size_t hosts = 0;
    uint32_t *to = sp_calloc(cause->nfindings, sizeof(*to));
    if (!to) {
        return SP_E_NOMEM;
    }
    for (size_t i = 0; i < cause->nfindings; i++) {
        to[i] = summary->findings[cause->findings[i]].to;
    }
    qsort(to, cause->nfindings, sizeof(*to), cmp_number);
    for (size_t i = 0; i < cause->nfindings; i++) {
        hosts += i == 0 || to[i] != to[i - 1];
    }
    sp_free(to);
    *ret_hosts = hosts;
    return SP_OK;
}

/* A flow as a cause counts it. */
struct flow {
    uint32_t from, to;
    uint8_t family, proto;
};

static int cmp_flow(const void *pa, const void *pb)
{
    const struct flow *a = pa;
    const struct flow *b = pb;
    SP_CMP(a->from, b->from);
    SP_CMP(a->to, b->to);
    SP_CMP(a->family, b->family);
    SP_CMP(a->proto, b->proto);
    return 0;
}

static enum sp_rc count_flows(const struct sp_summary *summary, struct sp_cause_group *cause)
{
    struct flow *flows = sp_calloc(cause->nfindings, sizeof(*flows));
    if (!flows) {
        return SP_E_NOMEM;
    }
    for (size_t i = 0; i < cause->nfindings; i++) {
        const struct sp_finding *f = &summary->findings[cause->findings[i]];
        flows[i] = (struct flow){f->from, f->to, f->family, f->proto};
    }
    qsort(flows, cause->nfindings, sizeof(*flows), cmp_flow);
    for (size_t i = 0; i < cause->nfindings; i++) {
        cause->nflows += i == 0 || cmp_flow(&flows[i - 1], &flows[i]) != 0;
    }
    sp_free(flows);
    return SP_OK;
}

/* The findings say what their cause turned out to be. */
static enum sp_rc tell_findings(struct sp_summary *summary, const struct sp_cause_group *cause)
{
    for (size_t i = 0; i < cause->nfindings; i++) {
        struct sp_finding *finding = &summary->findings[cause->findings[i]];
        if (finding->cause_kind != cause->kind) { /* which then names nobody */
            finding->cause_kind = cause->kind;
            enum sp_rc rc = sp_finding_words(summary->result, finding);
            if (rc != SP_OK) {
                return rc;
            }
        }
    }
    return SP_OK;
}

static enum sp_rc fill_cause(struct sp_summary *summary, const struct ref *refs, size_t n,
                             struct sp_cause_group *cause)
{
    struct sp_finding *findings = summary->findings;
    enum sp_severity worst = SP_SEVERITY_LOW;
    size_t hosts = 0;
    cause->kind = common_kind(summary, refs, n);
    cause->verdict = refs[0].verdict;
    cause->place = refs[0].place;
    cause->findings = sp_calloc(n, sizeof(*cause->findings));
    if (!cause->findings) {
        return SP_E_NOMEM;
    }
    cause->nfindings = n;
    cause->policy = findings[refs[0].finding].policy;
    for (size_t i = 0; i < n; i++) {
        const struct sp_finding *f = &findings[refs[i].finding];
        cause->findings[i] = refs[i].finding;
        worst = f->severity > worst ? f->severity : worst;
        cause->policy = f->rule == findings[refs[0].finding].rule ? cause->policy : NULL;
    }
    enum sp_rc rc = tell_findings(summary, cause);
    rc = rc == SP_OK ? count_flows(summary, cause) : rc;
    rc = rc == SP_OK ? count_hosts(summary, cause, &hosts) : rc;
    if (rc != SP_OK) {
        return rc;
    }
    cause->severity = cause->verdict == SP_VERDICT_LEAK ? sp_risk_scope(worst, hosts) : worst;
    cause->cause = findings[refs[0].finding].cause;
    cause->remedy = findings[refs[0].finding].remedy;
    cause->repeat = sp_repeat_of(summary->result, findings, cause->findings, n);
    struct sp_buf where;
    sp_buf_init(&where, SP_PORTS_MAX_BYTES);
    sp_place_str(summary->result->model, &cause->place, &where);
    cause->where = sp_buf_take(&where);
    sp_buf_release(&where);
    return cause->repeat && cause->where ? SP_OK : SP_E_NOMEM;
}

static enum sp_rc group(struct sp_summary *summary, struct ref *refs)
{
    size_t cap = 0;
    enum sp_rc rc = SP_OK;
    qsort(refs, summary->nfindings, sizeof(*refs), cmp_ref);
    for (size_t i = 0, end; i < summary->nfindings && rc == SP_OK; i = end) {
        for (end = i + 1; end < summary->nfindings && cmp_same(&refs[end], &refs[i]) == 0;) {
            end++;
        }
        if (sp_grow((void **)&summary->causes, summary->ncauses, &cap, sizeof(*summary->causes)) !=
            0) {
            return SP_E_NOMEM;
        }
        struct sp_cause_group *cause = &summary->causes[summary->ncauses++];
        memset(cause, 0, sizeof(*cause));
        rc = fill_cause(summary, refs + i, end - i, cause);
    }
    if (rc != SP_OK || summary->ncauses == 0) {
        return rc;
    }
    qsort(summary->causes, summary->ncauses, sizeof(*summary->causes), cmp_cause);
    for (size_t i = 0; i < summary->ncauses; i++) {
        for (size_t k = 0; k < summary->causes[i].nfindings; k++) {
            summary->findings[summary->causes[i].findings[k]].group = (uint32_t)i;
        }
    }
    return SP_OK;
}

enum sp_rc sp_group_causes(struct sp_summary *summary)
{
    struct working working = {0};
    struct ref *refs = sp_calloc(summary->nfindings, sizeof(*refs));
    enum sp_rc rc = refs ? find_working(summary, &working) : SP_E_NOMEM;
    for (size_t i = 0; i < summary->nfindings && rc == SP_OK; i++) {
        refs[i] = ref_of(summary, &working, (uint32_t)i);
    }
    if (rc == SP_OK) {
        rc = group(summary, refs);
    }
    sp_free(working.at);
    sp_free(refs);
    return rc;
}

/* ------------------------------------------------------------------ its ports */

static int cmp_ports(const void *pa, const void *pb)
{
    const struct sp_entry *a = pa;
    const struct sp_entry *b = pb;
    SP_CMP(a->port, b->port);
    SP_CMP(a->port_hi, b->port_hi);
    return 0;
}

enum sp_rc sp_cause_ports(const struct sp_summary *summary, const struct sp_cause_group *cause,
                          uint8_t proto, struct sp_buf *out)
{
    struct sp_entry *spans = NULL;
    size_t n = 0;
    size_t cap = 0;
    for (size_t i = 0; i < cause->nfindings; i++) {
        const struct sp_finding *f = &summary->findings[cause->findings[i]];
        for (size_t k = 0; f->proto == proto && k < f->nspans; k++) {
            if (sp_grow((void **)&spans, n, &cap, sizeof(*spans)) != 0) {
                sp_free(spans);
                return SP_E_NOMEM;
            }
            spans[n++] = (struct sp_entry){
                .port = f->spans[k].lo, .port_hi = f->spans[k].hi, .proto = proto};
        }
    }
    if (n > 0) {
        qsort(spans, n, sizeof(*spans), cmp_ports);
        sp_ports_of(out, spans, n, NULL, NULL);
    }
    sp_free(spans);
    return out->rc;
}
