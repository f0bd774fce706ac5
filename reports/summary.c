/* SPDX-License-Identifier: Apache-2.0 */
#include "reports/summary.h"

#include <stdlib.h>

#include "probe/base/mem.h"
#include "reports/group.h"

static int cmp_entry(const void *pa, const void *pb)
{
    const struct sp_entry *a = pa;
    const struct sp_entry *b = pb;
    SP_CMP(a->from, b->from);
    SP_CMP(a->to, b->to);
    SP_CMP(a->family, b->family);
    SP_CMP(a->proto, b->proto);
    SP_CMP(a->port, b->port);
    SP_CMP(a->test, b->test);
    return 0;
}

/* A permit that only earns a note. */
static bool is_note(const struct sp_judgement *judged)
{
    return judged->is_note && judged->verdict == SP_VERDICT_HOLDS &&
           sp_verdict_is_finding(judged->noted);
}

static enum sp_rc list_entries(struct sp_summary *summary)
{
    const struct sp_result *result = summary->result;
    const struct sp_plan *plan = result->plan;
    size_t ntargets = sp_model_ntargets(result->model);
    summary->entries = sp_calloc(result->ntests, sizeof(*summary->entries));
    if (!summary->entries) {
        return SP_E_NOMEM;
    }
    for (size_t i = 0; i < result->ntests; i++) {
        const struct sp_test *test = &result->tests[i];
        const struct sp_judgement *judged = &result->outcomes[i].judged;
        if (i >= SP_NONE || test->pair >= plan->npairs ||
            plan->pairs[test->pair].from >= ntargets || plan->pairs[test->pair].to >= ntargets) {
            return SP_E_INVALID;
        }
        const struct sp_pair *pair = &plan->pairs[test->pair];
        summary->entries[i] = (struct sp_entry){
            .from = pair->from,
            .to = pair->to,
            .rule = test->rule < result->model->nrules ? test->rule : SP_NONE,
            .test = (uint32_t)i,
            .port = test->port,
            .port_hi = test->port_hi > test->port ? test->port_hi : test->port,
            .family = pair->family,
            .proto = test->proto,
            .technique = test->technique,
            .expect = test->expect,
            /* What is no verdict is not a pass either. */
            .verdict = judged->verdict < SP_VERDICT_COUNT ? (uint8_t)judged->verdict
                                                          : (uint8_t)SP_VERDICT_INCONCLUSIVE,
            .is_note = is_note(judged),
            .is_bypass = test->why == SP_WHY_BYPASS,
        };
    }
    summary->nentries = result->ntests;
    qsort(summary->entries, summary->nentries, sizeof(*summary->entries), cmp_entry);
    return SP_OK;
}

static void count_holds(struct sp_counts *counts, const struct sp_outcome *outcome, uint8_t expect,
                        uint64_t n)
{
    counts->holds += n;
    counts->notes += is_note(&outcome->judged) ? n : 0;
    counts->lossy += outcome->judged.lossy ? n : 0;
    if (expect == SP_EXPECT_DENY) {
        counts->by_grade[outcome->grade <= SP_GRADE_PAIR ? outcome->grade : SP_GRADE_NONE] += n;
        counts->on_one_attempt += outcome->seen.attempts == 1 ? n : 0;
    } else if (!is_note(&outcome->judged)) {
        counts->by_arrival += n;
        counts->by_syn_proxy += outcome->seen.proxy == SP_PROXY_SYN ? n : 0;
    }
}

void sp_counts_add(struct sp_counts *counts, const struct sp_outcome *outcome, uint8_t expect,
                   uint64_t n)
{
    enum sp_verdict verdict = outcome->judged.verdict < SP_VERDICT_COUNT ? outcome->judged.verdict
                                                                         : SP_VERDICT_INCONCLUSIVE;
    if (verdict == SP_VERDICT_HOLDS) {
        count_holds(counts, outcome, expect, n);
    }
    counts->failed += sp_verdict_is_finding(verdict) ? n : 0;
    counts->inconclusive += verdict == SP_VERDICT_INCONCLUSIVE ? n : 0;
    counts->not_observable += verdict == SP_VERDICT_NOT_OBSERVABLE ? n : 0;
    counts->not_tested += verdict == SP_VERDICT_NOT_TESTED ? n : 0;
}

enum sp_overall sp_counts_conclude(struct sp_counts *counts, bool interrupted, int *ret_exit_code)
{
    counts->inconclusive += counts->unswept;
    counts->checks = counts->holds + counts->failed + counts->inconclusive;
    if (counts->failed > 0 || counts->claims_failed > 0) {
        *ret_exit_code = 1;
        return SP_OVERALL_FAILS;
    }
    uint64_t judged = counts->checks + counts->claims_held;
    if (counts->inconclusive > 0 || counts->claims_unknown > 0 || counts->probes_failed > 0 ||
        judged == 0 || interrupted) {
        *ret_exit_code = 3;
        return SP_OVERALL_INCOMPLETE;
    }
    *ret_exit_code = 0;
    return SP_OVERALL_HOLDS;
}

static void count(struct sp_summary *summary)
{
    const struct sp_result *result = summary->result;
    struct sp_counts *counts = &summary->counts;
    for (size_t i = 0; i < summary->nentries; i++) {
        const struct sp_entry *e = &summary->entries[i];
        sp_counts_add(counts, &result->outcomes[e->test], e->expect, sp_entry_checks(e));
    }
    for (size_t i = 0; i < result->claims.n; i++) {
        sp_counts_add_claim(counts, result->claims.at[i].verdict);
    }
    for (size_t i = 0; i < result->model->nhosts; i++) {
        counts->probes_failed += result->hosts[i].wanted && !result->hosts[i].ok;
    }
    summary->overall = sp_counts_conclude(counts, result->interrupted, &summary->exit_code);
}

enum sp_rc sp_summary_new(const struct sp_result *result, struct sp_summary **ret_summary)
{
    static enum sp_rc (*const parts[])(struct sp_summary *) = {
        sp_group_findings, sp_name_evidence, sp_group_causes,   sp_group_open,   sp_group_untested,
        sp_group_pairs,    sp_group_matrix,  sp_group_coverage, sp_group_served, sp_group_bypasses,
    };
    struct sp_summary *summary = sp_calloc(1, sizeof(*summary));
    if (!summary) {
        return SP_E_NOMEM;
    }
    summary->result = result;
    enum sp_rc rc = list_entries(summary);
    if (rc == SP_OK) {
        rc = sp_count_unswept(result, &summary->counts.unswept);
    }
    if (rc == SP_OK) {
        count(summary);
    }
    for (size_t i = 0; i < SP_ARRAY_LEN(parts) && rc == SP_OK; i++) {
        rc = parts[i](summary);
    }
    if (rc != SP_OK) {
        sp_summary_free(summary);
        return rc;
    }
    *ret_summary = summary;
    return SP_OK;
}

static void free_findings(struct sp_finding *findings, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        sp_finding_release(&findings[i]);
    }
    sp_free(findings);
}

void sp_summary_free(struct sp_summary *summary)
{
    if (!summary) {
        return;
    }
    free_findings(summary->findings, summary->nfindings);
    free_findings(summary->notes, summary->nnotes);
    for (size_t i = 0; i < summary->nopen; i++) {
        sp_free(summary->open[i].ports);
    }
    for (size_t i = 0; i < summary->npairs; i++) {
        struct sp_pair_row *row = &summary->pairs[i];
        sp_free(row->allowed);
        sp_free(row->permitted);
        sp_free(row->denied);
        sp_free(row->tested);
        sp_free(row->leaks);
        sp_free(row->failing);
        sp_free(row->delivered);
        sp_free(row->syn_proxy);
    }
    for (size_t i = 0; i < summary->ncauses; i++) {
        sp_cause_release(&summary->causes[i]);
    }
    sp_free(summary->entries);
    sp_free(summary->open);
    sp_free(summary->untested);
    sp_free(summary->pairs);
    sp_free(summary->segments);
    sp_free(summary->cells);
    sp_free(summary->causes);
    sp_free(summary->served);
    sp_free(summary->bypasses);
    sp_free(summary);
}

const char *sp_overall_str(enum sp_overall overall)
{
    static const char *const names[] = {"holds", "fails", "incomplete"};
    return overall < SP_ARRAY_LEN(names) ? names[overall] : "unknown";
}

const char *sp_severity_str(enum sp_severity severity)
{
    static const char *const names[] = {"low", "medium", "high", "critical"};
    return severity < SP_ARRAY_LEN(names) ? names[severity] : "unknown";
}
