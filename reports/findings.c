/* SPDX-License-Identifier: Apache-2.0
 *
 * Findings and notes: tests of one flow with one verdict become one line for people, shown by the
 * test that proves it best. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "probe/base/mem.h"
#include "probe/techniques/registry.h"
#include "reports/group.h"
#include "reports/known.h"
#include "reports/severity.h"

/* All that the id of a finding is made of. */
static int cmp_key(const struct sp_entry *a, const struct sp_entry *b)
{
    SP_CMP(a->from, b->from);
    SP_CMP(a->to, b->to);
    SP_CMP(a->family, b->family);
    SP_CMP(a->proto, b->proto);
    SP_CMP(a->technique, b->technique);
    SP_CMP(a->expect, b->expect);
    SP_CMP(a->rule, b->rule);
    return 0;
}

static int cmp_group(const struct sp_entry *a, const struct sp_entry *b)
{
    int order = cmp_key(a, b);
    if (order == 0) {
        SP_CMP(a->verdict, b->verdict);
    }
    return order;
}

static int cmp_entry(const void *pa, const void *pb)
{
    const struct sp_entry *a = pa;
    const struct sp_entry *b = pb;
    int order = cmp_group(a, b);
    if (order == 0) {
        SP_CMP(a->port, b->port);
        SP_CMP(a->test, b->test);
    }
    return order;
}

static int cmp_finding(const void *pa, const void *pb)
{
    const struct sp_finding *a = pa;
    const struct sp_finding *b = pb;
    SP_CMP(b->severity, a->severity);
    SP_CMP(a->verdict, b->verdict);
    SP_CMP(a->from, b->from);
    SP_CMP(a->to, b->to);
    SP_CMP(a->family, b->family);
    SP_CMP(a->proto, b->proto);
    SP_CMP(a->technique, b->technique);
    SP_CMP(a->expect, b->expect);
    SP_CMP(a->rule, b->rule);
    SP_CMP(a->opening, b->opening);
    return 0;
}

void sp_finding_release(struct sp_finding *finding)
{
    sp_free(finding->ports);
    sp_free(finding->spans);
    sp_free(finding->sports);
    sp_free(finding->where);
    sp_free(finding->line);
    sp_free(finding->cause);
    sp_free(finding->remedy);
    sp_free(finding->repeat);
    sp_free(finding->evidence);
    sp_free(finding->proof);
}

/* Attempts that arrived at the witness that decides. */
static uint16_t delivered_of(const struct sp_result *result, const struct sp_entry *entry)
{
    const struct sp_seen *seen = &result->outcomes[entry->test].seen;
    const struct sp_pair *pair = &result->plan->pairs[result->tests[entry->test].pair];
    if (pair->one_sided) {
        return seen->answered;
    }
    bool at_host = entry->expect != SP_EXPECT_DENY || pair->layer == SP_LAYER_HOST;
    uint16_t arrived = at_host || seen->host > seen->nic ? seen->host : seen->nic;
    if (arrived > 0 || entry->expect != SP_EXPECT_DENY) {
        return arrived;
    }
    /* Who serves at a balancer's address got it, though no probe saw him. */
    return seen->elsewhere == 0 && pair->is_balanced ? seen->answered : seen->elsewhere;
}

static const char *receiver_of(const struct sp_seen *seen, uint8_t parts, bool one_sided)
{
    if (one_sided) {
        return "no_probe";
    }
    if (parts != SP_PIECES_WHOLE) {
        return parts == SP_PIECES_TAIL ? "later_fragments" : "first_fragments";
    }
    if (seen->rewritten > 0) {
        return "rewritten";
    }
    if (seen->foreign > 0 && seen->backends_blind == 0) {
        return "foreign";
    }
    if (seen->host > 0) {
        return "intact";
    }
    if (seen->nic > 0) {
        return "nic_only";
    }
    return seen->elsewhere > 0 ? "elsewhere" : "none";
}

/* Everything that the sample says. */
static enum sp_rc show_sample(const struct sp_result *result, struct sp_finding *finding,
                              const struct sp_entry *sample)
{
    const struct sp_seen *seen = &result->outcomes[sample->test].seen;
    const struct sp_pair *pair = &result->plan->pairs[result->tests[sample->test].pair];
    finding->sample = sample->test;
    finding->attempts = seen->attempts;
    finding->delivered = delivered_of(result, sample);
    finding->sender = sp_answer_str(
        seen->answered > 0 || seen->answer_left == 0 ? seen->answer : (uint8_t)SP_ANSWER_NONE);
    finding->receiver = receiver_of(seen, result->outcomes[sample->test].parts, pair->one_sided);
    finding->egress = sp_answer_str(seen->answer_left > 0 ? seen->answer : (uint8_t)SP_ANSWER_NONE);

    char text[SP_ADDR_STRLEN];
    const char *where = NULL;
    if (finding->cause_kind == SP_CAUSE_BACKEND_MISSED) {
        struct sp_buf missed;
        sp_buf_init(&missed, SP_PORTS_MAX_BYTES);
        (void)sp_served_missed(result, sample->test, SIZE_MAX, &missed);
        finding->where = sp_buf_take(&missed);
        sp_buf_release(&missed);
        return finding->where ? SP_OK : SP_E_NOMEM;
    }
    if (seen->elsewhere > 0 && seen->elsewhere_host < result->model->nhosts) {
        where = sp_model_target_name(result->model, seen->elsewhere_host);
    } else if (seen->answerer_addr.family != SP_FAMILY_NONE &&
               seen->answerer != SP_ANSWERER_DESTINATION) {
        where = sp_addr_str(&seen->answerer_addr, text);
    }
    if (where && !(finding->where = sp_strdup(where))) {
        return SP_E_NOMEM;
    }
    return SP_OK;
}

/* The test that proves the finding best: a denied flow that arrived most, an allowed one that
 * arrived least; the first of equals. */
static const struct sp_entry *best_sample(const struct sp_result *result,
                                          const struct sp_entry *run, size_t n)
{
    const struct sp_entry *best = &run[0];
    bool wants_more = run[0].expect == SP_EXPECT_DENY;
    for (size_t i = 1; i < n; i++) {
        /* a/b against c/d without division; attempts of 0 count as 1 */
        uint32_t attempts = result->outcomes[run[i].test].seen.attempts;
        uint32_t best_attempts = result->outcomes[best->test].seen.attempts;
        uint64_t mine = (uint64_t)delivered_of(result, &run[i]) * (best_attempts | !best_attempts);
        uint64_t theirs = (uint64_t)delivered_of(result, best) * (attempts | !attempts);
        if (wants_more ? mine > theirs : mine < theirs) {
            best = &run[i];
        }
    }
    return best;
}

/* The cause, and what it means for a port that is known. What a technique shows is not about ports.
 */
static char *cause_of(const struct sp_result *result, const struct sp_finding *finding,
                      const char *subject)
{
    struct sp_buf buf;
    char *words = sp_cause_words(sp_cause_str((enum sp_cause)finding->cause_kind), subject);
    sp_buf_init(&buf, SP_PORTS_MAX_BYTES);
    sp_buf_str(&buf, words ? words : "");
    if (finding->expect != SP_EXPECT_DENY ||
        sp_cause_technique(finding->technique, true) == SP_CAUSE_BYPASS) {
        sp_known_tell(result, finding, &buf);
    }
    sp_free(words);
    char *told = words ? sp_buf_take(&buf) : NULL;
    sp_buf_release(&buf);
    return told;
}

enum sp_rc sp_finding_words(const struct sp_result *result, struct sp_finding *finding)
{
    enum sp_cause cause = (enum sp_cause)finding->cause_kind;
    const struct sp_entry sample = {
        .from = finding->from,
        .to = finding->to,
        .test = finding->sample,
        .port = result->tests[finding->sample].port,
        .proto = finding->proto,
    };
    char *subject = cause == SP_CAUSE_SOURCE_PORT
                        ? sp_strdup(finding->sports ? finding->sports : "of the sender")
                        : sp_cause_subject(cause, result, &sample);
    char *words = subject ? cause_of(result, finding, subject) : NULL;
    char *remedy = subject ? sp_cause_words(sp_cause_remedy(cause), subject) : NULL;
    sp_free(subject);
    if (!words || !remedy) {
        sp_free(words);
        sp_free(remedy);
        return SP_E_NOMEM;
    }
    sp_free(finding->cause);
    sp_free(finding->remedy);
    finding->cause = words;
    finding->remedy = remedy;
    return SP_OK;
}

/* The narrowest depth at which a test of these runs again: all that an exhaustive plan tests
 * besides its sweeps is what a standard one tests. */
static enum sp_depth repeat_depth(const struct sp_result *result, const struct sp_entry *run,
                                  size_t n)
{
    bool by_sweep = true;
    for (size_t i = 0; i < n && by_sweep; i++) {
        by_sweep = result->tests[run[i].test].why == SP_WHY_SWEPT;
    }
    return by_sweep || result->plan->depth != SP_DEPTH_EXHAUSTIVE ? result->plan->depth
                                                                  : SP_DEPTH_STANDARD;
}

static enum sp_rc list_ports(const struct sp_entry *run, size_t n, struct sp_finding *finding)
{
    struct sp_buf ports;
    sp_buf_init(&ports, SP_PORTS_MAX_BYTES);
    sp_ports_of(&ports, run, n, NULL, NULL);
    enum sp_rc rc = ports.rc;
    finding->ports = sp_buf_take(&ports);
    sp_buf_release(&ports);
    finding->spans = sp_calloc(n, sizeof(*finding->spans));
    if (rc != SP_OK || !finding->ports || !finding->spans) {
        return rc != SP_OK ? rc : SP_E_NOMEM;
    }
    for (size_t i = 0; i < n; i++) {
        struct sp_port_span *last = i > 0 ? &finding->spans[finding->nspans - 1] : NULL;
        if (last && run[i].port <= last->hi + 1) {
            last->hi = run[i].port_hi > last->hi ? run[i].port_hi : last->hi;
            continue;
        }
        finding->spans[finding->nspans++] =
            (struct sp_port_span){.lo = run[i].port, .hi = run[i].port_hi};
    }
    return SP_OK;
}

/* A bypass is a finding of its own where the plain packet holds at each of its ports. */
static enum sp_severity severity_of(const struct sp_lookup *lookup, const struct sp_result *result,
                                    const struct sp_finding *finding, const struct sp_entry *run,
                                    size_t n)
{
    if (finding->verdict == SP_VERDICT_LEAK && finding->parts != SP_PIECES_WHOLE) {
        /* Nobody can put together what came; but nothing should have come. */
        return finding->parts == SP_PIECES_TAIL ? SP_SEVERITY_LOW : SP_SEVERITY_MEDIUM;
    }
    struct sp_risk risk = sp_risk_of(result, finding, run, n);
    risk.is_bypass = run[0].is_bypass;
    risk.plain_holds = true;
    for (size_t i = 0; i < n && risk.is_bypass && risk.plain_holds; i++) {
        risk.plain_holds = sp_spans_all(&lookup->flows, &run[i], SP_FACT_DENIED_HOLDS) &&
                           !sp_spans_any(&lookup->flows, &run[i], SP_FACT_DENIED_LEAKS);
    }
    enum sp_severity severity = sp_risk_severity(&risk);
    bool is_told = finding->cause_kind == SP_CAUSE_KNOWN_ADDRESS; /* whoever it is that answers */
    return is_told && severity < SP_SEVERITY_HIGH ? SP_SEVERITY_HIGH : severity;
}

static const char *injected_of(const struct sp_result *result, const struct sp_entry *run, size_t n)
{
    size_t by_link = 0;
    for (size_t i = 0; i < n; i++) {
        by_link += result->outcomes[run[i].test].injected_link;
    }
    return by_link == 0 ? "raw" : by_link == n ? "link" : "raw, link";
}

static enum sp_rc make_finding(struct sp_summary *summary, const struct sp_lookup *lookup,
                               const struct sp_entry *run, size_t n, const char *ninth,
                               struct sp_finding *finding)
{
    const struct sp_result *result = summary->result;
    finding->verdict = run[0].verdict;
    finding->from = run[0].from;
    finding->to = run[0].to;
    finding->rule = run[0].rule;
    finding->family = run[0].family;
    finding->proto = run[0].proto;
    finding->technique = run[0].technique;
    finding->expect = run[0].expect;
    finding->policy = sp_rule_name(result->model, run[0].rule, run[0].expect);
    finding->grade = SP_GRADE_PAIR;
    finding->injected = injected_of(result, run, n);
    finding->parts = SP_PIECES_TAIL;
    for (size_t i = 0; i < n; i++) {
        uint8_t grade = result->outcomes[run[i].test].grade;
        uint8_t parts = result->outcomes[run[i].test].parts;
        finding->parts = parts == SP_PIECES_WHOLE || finding->parts == SP_PIECES_WHOLE
                             ? (uint8_t)SP_PIECES_WHOLE
                         : parts == SP_PIECES_HEAD ? parts
                                                   : finding->parts;
        finding->tests += sp_entry_checks(&run[i]);
        grade = grade > SP_GRADE_PAIR ? (uint8_t)SP_GRADE_NONE : grade;
        finding->grade = grade < finding->grade ? grade : finding->grade;
    }
    finding->cause_kind =
        (uint8_t)sp_cause_of_parts(sp_cause_guess(lookup, result, run, n), finding->parts);
    finding->opening = run[0].opening;
    finding->group = SP_NONE;
    finding->severity = severity_of(lookup, result, finding, run, n);
    finding->depth = (uint8_t)repeat_depth(result, run, n);
    finding->by_link = result->outcomes[run[0].test].injected_link &&
                       finding->depth != SP_DEPTH_EXHAUSTIVE &&
                       !sp_technique_needs_link(finding->technique);
    enum sp_rc rc = list_ports(run, n, finding);
    if (rc == SP_OK) {
        rc = sp_bypass_sports(result, run, n, &finding->sports);
    }
    if (rc != SP_OK) {
        return rc;
    }
    const uint32_t itself = 0;
    finding->line = sp_rule_line(result->model, run[0].rule);
    finding->repeat = sp_repeat_of(result, finding, &itself, 1);
    if (!finding->line || !finding->repeat) {
        return SP_E_NOMEM;
    }
    const struct sp_entry *sample = best_sample(result, run, n);
    rc = show_sample(result, finding, sample);
    if (rc == SP_OK) {
        rc = sp_finding_words(result, finding);
    }
    if (rc == SP_OK) {
        rc = sp_finding_proof(result, run, n, finding);
    }
    if (rc != SP_OK) {
        return rc;
    }
    return sp_finding_id(result->model, finding, ninth, finding->id);
}

static int cmp_opening(const void *pa, const void *pb)
{
    const struct sp_entry *a = pa;
    const struct sp_entry *b = pb;
    SP_CMP(a->opening, b->opening);
    return cmp_entry(pa, pb);
}

/* What is being grouped. */
struct grouping {
    struct sp_summary *summary;
    const struct sp_lookup *lookup;
    const struct sp_openings *openings;
    struct sp_finding **findings;
    size_t *nfindings;
    size_t cap;
};

/* Leaks that a rule for ports explains are parted by their openings. */
static void part(const struct grouping *grouping, struct sp_entry *run, size_t n)
{
    bool by_port =
        run[0].verdict == SP_VERDICT_LEAK && !sp_cause_unfiltered(grouping->lookup, &run[0]);
    const struct sp_lookup *lookup = grouping->lookup;
    for (size_t i = 0; i < n; i++) {
        bool is_plain = sp_spans_any(&lookup->flows, &run[i], SP_FACT_DENIED_LEAKS);
        run[i].opening = by_port && is_plain ? sp_opening_of(grouping->openings, &run[i]) : SP_NONE;
    }
    if (by_port) {
        qsort(run, n, sizeof(*run), cmp_opening);
    }
}

/* What sets a finding apart from those before it of the same key: another verdict, the first port
 * of another opening, or both. NULL for the first; else text. */
static const char *ninth_of(const struct sp_entry *run, bool is_first, bool same_key,
                            char text[static 48])
{
    char port[SP_PORTSPEC_STRLEN];
    if (is_first && !same_key) {
        return NULL;
    }
    if (is_first) {
        return sp_verdict_str((enum sp_verdict)run->verdict);
    }
    (void)snprintf(text, 48, "%s/%s", sp_verdict_str((enum sp_verdict)run->verdict),
                   sp_proto_port_str(run->proto, run->port, port));
    return text;
}

/* The findings of entries with one key and verdict; same_key: an earlier verdict has this key. */
static enum sp_rc add_findings(struct grouping *grouping, struct sp_entry *run, size_t n,
                               bool same_key)
{
    char text[48];
    part(grouping, run, n);
    for (size_t i = 0, end; i < n; i = end) {
        for (end = i + 1; end < n && run[end].opening == run[i].opening;) {
            end++;
        }
        if (sp_grow((void **)grouping->findings, *grouping->nfindings, &grouping->cap,
                    sizeof(**grouping->findings)) != 0) {
            return SP_E_NOMEM;
        }
        struct sp_finding *finding = &(*grouping->findings)[(*grouping->nfindings)++];
        memset(finding, 0, sizeof(*finding));
        const char *ninth = ninth_of(&run[i], i == 0, same_key, text);
        enum sp_rc rc =
            make_finding(grouping->summary, grouping->lookup, run + i, end - i, ninth, finding);
        if (rc != SP_OK) {
            return rc;
        }
    }
    return SP_OK;
}

/* Groups what sorted entries say; on failure the caller releases the findings too. */
static enum sp_rc group(struct grouping *grouping, struct sp_entry *entries, size_t n)
{
    for (size_t i = 0, end; i < n; i = end) {
        for (end = i + 1; end < n && cmp_group(&entries[i], &entries[end]) == 0;) {
            end++;
        }
        bool same_key = i > 0 && cmp_key(&entries[i - 1], &entries[i]) == 0;
        enum sp_rc rc = add_findings(grouping, entries + i, end - i, same_key);
        if (rc != SP_OK) {
            return rc;
        }
    }
    if (*grouping->nfindings > 0) {
        qsort(*grouping->findings, *grouping->nfindings, sizeof(**grouping->findings), cmp_finding);
    }
    return SP_OK;
}

static bool is_picked(const struct sp_entry *entry, bool notes)
{
    return notes ? entry->is_note : sp_verdict_is_finding(entry->verdict);
}

/* The entries of one kind, sorted for grouping; a note takes the verdict it would have been. */
static enum sp_rc pick(const struct sp_summary *summary, bool notes, struct sp_entry **ret_picked,
                       size_t *ret_n)
{
    size_t n = 0;
    for (size_t i = 0; i < summary->nentries; i++) {
        n += is_picked(&summary->entries[i], notes);
    }
    struct sp_entry *picked = sp_calloc(n, sizeof(*picked));
    if (!picked) {
        return SP_E_NOMEM;
    }
    n = 0;
    for (size_t i = 0; i < summary->nentries; i++) {
        const struct sp_entry *e = &summary->entries[i];
        if (is_picked(e, notes)) {
            picked[n] = *e;
            if (notes) {
                picked[n].verdict = (uint8_t)summary->result->outcomes[e->test].judged.noted;
            }
            n++;
        }
    }
    qsort(picked, n, sizeof(*picked), cmp_entry);
    *ret_picked = picked;
    *ret_n = n;
    return SP_OK;
}

static enum sp_rc group_both(struct sp_summary *summary, const struct sp_lookup *lookup,
                             const struct sp_openings *openings)
{
    enum sp_rc rc = SP_OK;
    for (int notes = 0; notes <= 1 && rc == SP_OK; notes++) {
        struct sp_entry *picked = NULL;
        size_t n = 0;
        struct grouping grouping = {
            .summary = summary,
            .lookup = lookup,
            .openings = openings,
            .findings = notes ? &summary->notes : &summary->findings,
            .nfindings = notes ? &summary->nnotes : &summary->nfindings,
        };
        rc = pick(summary, notes != 0, &picked, &n);
        if (rc == SP_OK) {
            rc = group(&grouping, picked, n);
        }
        sp_free(picked);
    }
    return rc;
}

enum sp_rc sp_group_findings(struct sp_summary *summary)
{
    struct sp_lookup lookup;
    struct sp_openings openings;
    enum sp_rc rc = sp_lookup_init(&lookup, summary);
    if (rc != SP_OK) {
        return rc;
    }
    rc = sp_openings_init(&openings, &lookup, summary->result);
    if (rc == SP_OK) {
        rc = group_both(summary, &lookup, &openings);
        sp_openings_release(&openings);
    }
    sp_lookup_release(&lookup);
    return rc;
}
