/* SPDX-License-Identifier: Apache-2.0
 *
 * One row per ordered pair of targets, family and protocol: what was declared, what was tested with
 * a conclusion, what arrived. */
#include <string.h>

#include "probe/base/mem.h"
#include "reports/group.h"

uint8_t sp_verdict_worse(uint8_t a, uint8_t b)
{
    /* What stays unseen outranks "holds": a row must not claim more than its tests. */
    static const uint8_t rank[SP_VERDICT_COUNT] = {
        [SP_VERDICT_LEAK] = 10,          [SP_VERDICT_MISDELIVERED] = 9,
        [SP_VERDICT_BLOCKED] = 8,        [SP_VERDICT_HOST_FILTERED] = 7,
        [SP_VERDICT_RETURN_BLOCKED] = 6, [SP_VERDICT_PARTIAL] = 5,
        [SP_VERDICT_PROXIED] = 4,        [SP_VERDICT_INCONCLUSIVE] = 3,
        [SP_VERDICT_NOT_OBSERVABLE] = 2, [SP_VERDICT_HOLDS] = 1,
        [SP_VERDICT_NOT_TESTED] = 0,
    };
    return rank[b] > rank[a] ? b : a;
}

bool sp_verdict_is_conclusive(uint8_t verdict)
{
    return verdict == SP_VERDICT_HOLDS || sp_verdict_is_finding(verdict);
}

static bool keep_tested(const struct sp_entry *entry, const void *ctx)
{
    (void)ctx;
    return sp_verdict_is_conclusive(entry->verdict) && !entry->is_bypass;
}

static bool keep_leak(const struct sp_entry *entry, const void *ctx)
{
    (void)ctx;
    return entry->verdict == SP_VERDICT_LEAK;
}

static bool keep_failing(const struct sp_entry *entry, const void *ctx)
{
    (void)ctx;
    return entry->verdict != SP_VERDICT_LEAK && sp_verdict_is_finding(entry->verdict);
}

static bool keep_delivered(const struct sp_entry *entry, const void *ctx)
{
    const struct sp_result *result = ctx;
    const struct sp_seen *seen = &result->outcomes[entry->test].seen;
    const struct sp_pair *pair = &result->plan->pairs[result->tests[entry->test].pair];
    return entry->verdict != SP_VERDICT_NOT_TESTED && !entry->is_bypass &&
           (seen->host > 0 || seen->nic > 0 || (pair->one_sided && seen->answered > 0));
}

static bool keep_syn_proxy(const struct sp_entry *entry, const void *ctx)
{
    const struct sp_result *result = ctx;
    return entry->verdict != SP_VERDICT_NOT_TESTED &&
           result->outcomes[entry->test].seen.proxy == SP_PROXY_SYN;
}

static bool keep_expect(const struct sp_entry *entry, const void *ctx)
{
    const uint8_t *expect = ctx;
    return entry->expect == *expect;
}

/* A list made of the entries that pass keep(). */
static char *list(const struct sp_entry *run, size_t n,
                  bool (*keep)(const struct sp_entry *entry, const void *ctx), const void *ctx,
                  enum sp_rc *rc)
{
    struct sp_buf buf;
    sp_buf_init(&buf, SP_PORTS_MAX_BYTES);
    sp_ports_of(&buf, run, n, keep, ctx);
    *rc = buf.rc;
    char *text = sp_buf_take(&buf);
    *rc = *rc == SP_OK && !text ? SP_E_NOMEM : *rc;
    sp_buf_release(&buf);
    return text;
}

/* The declared intervals of one expectation; the tested points when there is no policy. */
static char *declared(const struct sp_result *result, const struct sp_entry *run, size_t n,
                      uint8_t expect, enum sp_rc *rc)
{
    if (!result->policy) {
        return list(run, n, keep_expect, &expect, rc);
    }
    struct sp_intervals intervals =
        sp_policy_pair(result->policy, run[0].from, run[0].to, run[0].proto);
    struct sp_buf buf;
    sp_buf_init(&buf, SP_PORTS_MAX_BYTES);
    if (intervals.n == 0) {
        buf.rc = SP_E_NOMEM;
    }
    /* Neighbours that differ in their rule only are one range here. */
    for (size_t i = 0, end; i < intervals.n; i = end) {
        for (end = i + 1;
             end < intervals.n && intervals.at[end].expect == intervals.at[i].expect;) {
            end++;
        }
        if (intervals.at[i].expect == expect) {
            sp_ports_range(&buf, run[0].proto, intervals.at[i].lo, intervals.at[end - 1].hi);
        }
    }
    *rc = buf.rc;
    char *text = sp_buf_take(&buf);
    *rc = *rc == SP_OK && !text ? SP_E_NOMEM : *rc;
    sp_buf_release(&buf);
    return text;
}

static void count_row(struct sp_pair_row *row, const struct sp_result *result,
                      const struct sp_entry *run, size_t n)
{
    uint8_t weakest = SP_GRADE_PAIR + 1;
    uint8_t strongest = SP_GRADE_NONE;
    row->verdict = SP_VERDICT_NOT_TESTED;
    for (size_t i = 0; i < n; i++) {
        const struct sp_outcome *outcome = &result->outcomes[run[i].test];
        uint8_t grade = outcome->grade <= SP_GRADE_PAIR ? outcome->grade : (uint8_t)SP_GRADE_NONE;
        bool holds = run[i].verdict == SP_VERDICT_HOLDS;
        uint32_t checks = sp_entry_checks(&run[i]);
        row->tests += checks;
        row->verdict = sp_verdict_worse(row->verdict, run[i].verdict);
        row->holds += holds ? checks : 0;
        row->failed += sp_verdict_is_finding(run[i].verdict) ? checks : 0;
        row->inconclusive += run[i].verdict == SP_VERDICT_INCONCLUSIVE ? checks : 0;
        row->lossy = row->lossy || (holds && outcome->judged.lossy);
        if (holds && run[i].expect == SP_EXPECT_DENY && outcome->judged.by <= SP_BY_ANSWERER) {
            row->held_by[outcome->judged.by] += checks;
        }
        strongest = grade > strongest ? grade : strongest;
        if (holds && run[i].expect == SP_EXPECT_DENY && grade < weakest) {
            weakest = grade;
        }
    }
    row->grade = weakest <= SP_GRADE_PAIR ? weakest : strongest;
}

static enum sp_rc make_row(const struct sp_result *result, const struct sp_entry *run, size_t n,
                           struct sp_pair_row *row)
{
    enum sp_rc rc = SP_OK;
    *row = (struct sp_pair_row){
        .from = run[0].from, .to = run[0].to, .family = run[0].family, .proto = run[0].proto};
    count_row(row, result, run, n);
    row->allowed = declared(result, run, n, SP_EXPECT_ALLOW, &rc);
    if (rc == SP_OK) {
        row->permitted = declared(result, run, n, SP_EXPECT_PERMIT, &rc);
    }
    if (rc == SP_OK) {
        row->denied = declared(result, run, n, SP_EXPECT_DENY, &rc);
    }
    if (rc == SP_OK) {
        row->tested = list(run, n, keep_tested, NULL, &rc);
    }
    if (rc == SP_OK) {
        row->leaks = list(run, n, keep_leak, NULL, &rc);
    }
    if (rc == SP_OK) {
        row->failing = list(run, n, keep_failing, NULL, &rc);
    }
    if (rc == SP_OK) {
        row->delivered = list(run, n, keep_delivered, result, &rc);
    }
    if (rc == SP_OK) {
        row->syn_proxy = list(run, n, keep_syn_proxy, result, &rc);
    }
    return rc;
}

enum sp_rc sp_group_pairs(struct sp_summary *summary)
{
    const struct sp_entry *entries = summary->entries;
    size_t cap = 0;
    for (size_t i = 0, end; i < summary->nentries; i = end) {
        for (end = i + 1; end < summary->nentries && entries[end].from == entries[i].from &&
                          entries[end].to == entries[i].to &&
                          entries[end].family == entries[i].family &&
                          entries[end].proto == entries[i].proto;) {
            end++;
        }
        if (sp_grow((void **)&summary->pairs, summary->npairs, &cap, sizeof(*summary->pairs)) !=
            0) {
            return SP_E_NOMEM;
        }
        enum sp_rc rc =
            make_row(summary->result, entries + i, end - i, &summary->pairs[summary->npairs++]);
        if (rc != SP_OK) {
            return rc;
        }
    }
    return SP_OK;
}
