/* SPDX-License-Identifier: Apache-2.0
 *
 * Coverage as it turned out. A plan counts what it means to test; only tests with a conclusion
 * covered anything, so each number is cut by the share of its units that have one; denied ports are
 * counted one by one. */
#include "probe/base/mem.h"
#include "reports/group.h"

/* How many units have tests, and how many have one with a conclusion. */
struct share {
    uint64_t planned, concluded;
};

/* planned_by_plan * concluded / planned, rounded down and without overflow. Where both count the
 * same units this is exactly `concluded`. */
static uint64_t cut(uint64_t planned_by_plan, struct share share)
{
    if (share.planned == 0) {
        return 0;
    }
    return planned_by_plan / share.planned * share.concluded +
           planned_by_plan % share.planned * share.concluded / share.planned;
}

static void add_unit(struct share *share, bool concluded)
{
    share->planned++;
    share->concluded += concluded;
}

static bool same_pair(const struct sp_entry *a, const struct sp_entry *b)
{
    return a->from == b->from && a->to == b->to;
}

/* Neighbouring tests of one flow under one rule stand in one interval. */
static bool same_interval(const struct sp_entry *a, const struct sp_entry *b)
{
    return same_pair(a, b) && a->family == b->family && a->proto == b->proto &&
           a->rule == b->rule && a->expect == b->expect;
}

/* Bypass techniques conclude something of how a filter looks at packets, and cover no port. */
static bool concludes(const struct sp_entry *entry)
{
    return sp_verdict_is_conclusive(entry->verdict) && !entry->is_bypass;
}

static struct share count_runs(const struct sp_summary *summary,
                               bool (*same)(const struct sp_entry *a, const struct sp_entry *b))
{
    struct share share = {0};
    for (size_t i = 0, end; i < summary->nentries; i = end) {
        bool concluded = false;
        bool any = false;
        for (end = i; end < summary->nentries && same(&summary->entries[i], &summary->entries[end]);
             end++) {
            any = any || !summary->entries[end].is_bypass;
            concluded = concluded || concludes(&summary->entries[end]);
        }
        if (any) {
            add_unit(&share, concluded);
        }
    }
    return share;
}

/* Bit 1: has a test; bit 2: has one with a conclusion. */
static struct share count_marks(const uint8_t *marks, size_t n)
{
    struct share share = {0};
    for (size_t i = 0; i < n; i++) {
        if (marks[i]) {
            add_unit(&share, marks[i] > 1);
        }
    }
    return share;
}

static enum sp_rc count_rules(const struct sp_summary *summary, struct share *ret_share)
{
    size_t nrules = summary->result->model->nrules;
    uint8_t *marks = sp_calloc(nrules, 1);
    if (!marks) {
        return SP_E_NOMEM;
    }
    for (size_t i = 0; i < summary->nentries; i++) {
        const struct sp_entry *e = &summary->entries[i];
        if (e->rule < nrules && !e->is_bypass) {
            marks[e->rule] |= concludes(e) ? 3 : 1;
        }
    }
    *ret_share = count_marks(marks, nrules);
    sp_free(marks);
    return SP_OK;
}

static enum sp_rc count_enforcements(const struct sp_summary *summary, struct share *ret_share)
{
    const struct sp_model *model = summary->result->model;
    uint8_t *marks = sp_calloc(model->nenforcements, 1);
    if (!marks) {
        return SP_E_NOMEM;
    }
    for (size_t i = 0, end; i < summary->nentries && model->nenforcements > 0; i = end) {
        const struct sp_entry *first = &summary->entries[i];
        const struct sp_enforcement *point =
            sp_model_enforcement(model, sp_model_target_network(model, first->from),
                                 sp_model_target_network(model, first->to));
        uint8_t mark = 0;
        for (end = i; end < summary->nentries && same_pair(first, &summary->entries[end]); end++) {
            const struct sp_entry *e = &summary->entries[end];
            mark |= e->is_bypass ? 0 : concludes(e) ? 3 : 1;
        }
        if (point) {
            marks[point - model->enforcements] |= mark;
        }
    }
    *ret_share = count_marks(marks, model->nenforcements);
    sp_free(marks);
    return SP_OK;
}

/* Edges of denied intervals that sweeps ask: the first and last port of a run of ranges under one
 * rule. What lies between two runs has been tested otherwise, or the run would go on. */
static struct share count_swept_edges(const struct sp_summary *summary)
{
    struct share share = {0};
    const struct sp_entry *entries = summary->entries;
    for (size_t i = 0, end; i < summary->nentries; i = end) {
        for (end = i + 1; end < summary->nentries && same_interval(&entries[i], &entries[end]);) {
            end++;
        }
        if (entries[i].expect != SP_EXPECT_DENY ||
            summary->result->tests[entries[i].test].why != SP_WHY_SWEPT) {
            continue;
        }
        add_unit(&share, sp_verdict_is_conclusive(entries[i].verdict));
        if (entries[end - 1].port_hi > entries[i].port) {
            add_unit(&share, sp_verdict_is_conclusive(entries[end - 1].verdict));
        }
    }
    return share;
}

enum sp_rc sp_group_coverage(struct sp_summary *summary)
{
    const struct sp_plan *plan = summary->result->plan;
    struct share edges = count_swept_edges(summary);
    uint64_t denied = 0;
    struct share rules = {0};
    struct share enforcements = {0};
    for (size_t i = 0; i < summary->nentries; i++) {
        const struct sp_entry *e = &summary->entries[i];
        bool concluded = concludes(e);
        if (summary->result->tests[e->test].why == SP_WHY_EDGE) {
            add_unit(&edges, concluded);
        }
        if (concluded && e->expect == SP_EXPECT_DENY &&
            (e->proto == SP_PROTO_TCP || e->proto == SP_PROTO_UDP)) {
            denied += sp_entry_checks(e);
        }
    }
    enum sp_rc rc = count_rules(summary, &rules);
    if (rc == SP_OK) {
        rc = count_enforcements(summary, &enforcements);
    }
    if (rc != SP_OK) {
        return rc;
    }
    struct sp_coverage *coverage = &summary->coverage;
    *coverage = plan->coverage;
    coverage->pairs_tested = cut(coverage->pairs_tested, count_runs(summary, same_pair));
    coverage->intervals_tested =
        cut(coverage->intervals_tested, count_runs(summary, same_interval));
    coverage->rules_tested = cut(coverage->rules_tested, rules);
    coverage->edges_tested = cut(coverage->edges_tested, edges);
    coverage->enforcements_tested = cut(coverage->enforcements_tested, enforcements);
    coverage->denied_tested = denied < coverage->denied_of ? denied : coverage->denied_of;
    coverage->denied_ports_swept =
        coverage->denied_of > 0 ? (double)coverage->denied_tested / (double)coverage->denied_of
                                : 0.0;
    return SP_OK;
}
