/* SPDX-License-Identifier: Apache-2.0
 *
 * Findings and notes: tests of one flow with one verdict become one line for people, shown by the
 * test that proves it best. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "probe/base/mem.h"
#include "reports/group.h"

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
    return 0;
}

void sp_finding_release(struct sp_finding *finding)
{
    sp_free(finding->ports);
    sp_free(finding->sports);
    sp_free(finding->where);
    sp_free(finding->line);
    sp_free(finding->cause);
    sp_free(finding->remedy);
    sp_free(finding->repeat);
    sp_free(finding->evidence);
    sp_free(finding->proof);
}

static bool is_external(const struct sp_model *model, uint32_t target)
{
    uint32_t network = sp_model_target_network(model, target);
    for (size_t steps = 0; network < model->nnetworks && steps <= model->nnetworks; steps++) {
        if (model->networks[network].kind == SP_NET_EXTERNAL) {
            return true;
        }
        network = model->networks[network].parent;
    }
    return false;
}

static enum sp_severity severity_of(const struct sp_model *model, const struct sp_finding *finding)
{
    if (finding->verdict == SP_VERDICT_LEAK) {
        return is_external(model, finding->from) ? SP_SEVERITY_CRITICAL : SP_SEVERITY_HIGH;
    }
    if (finding->cause_kind == SP_CAUSE_BACKEND_FOREIGN ||
        finding->cause_kind == SP_CAUSE_BACKEND_UNKNOWN) {
        return SP_SEVERITY_HIGH; /* clients talk to who was never meant to serve them */
    }
    bool is_low = (finding->verdict == SP_VERDICT_PARTIAL &&
                   finding->cause_kind != SP_CAUSE_BACKEND_MISSED) ||
                  finding->verdict == SP_VERDICT_PROXIED;
    return is_low ? SP_SEVERITY_LOW : SP_SEVERITY_MEDIUM;
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

static const char *receiver_of(const struct sp_seen *seen, bool one_sided)
{
    if (one_sided) {
        return "no_probe";
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
    finding->receiver = receiver_of(seen, pair->one_sided);
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

/* Everything that decides which ports are tested and how, so that the same test runs again: the
 * ports of an interval are chosen by the seed and the depth. A sweep chooses its injection itself.
 */
static char *repeat_of(const struct sp_result *result, const struct sp_finding *finding,
                       const struct sp_entry *run, size_t n)
{
    enum sp_depth depth = repeat_depth(result, run, n);
    bool by_link = result->outcomes[run[0].test].injected_link && depth != SP_DEPTH_EXHAUSTIVE;
    const struct sp_model *model = result->model;
    const struct sp_plan *plan = result->plan;
    struct sp_buf buf;
    sp_buf_init(&buf, SP_PORTS_MAX_BYTES);
    sp_buf_str(&buf, "segproof verify ");
    const char *file = model->file ? model->file : "-";
    if (file[0] == '-' && file[1] != '\0') {
        sp_buf_str(&buf, "./");
    }
    sp_shell_word(&buf, file);
    sp_buf_str(&buf, " --from ");
    sp_shell_word(&buf, sp_model_target_name(model, finding->from));
    sp_buf_str(&buf, " --to ");
    sp_shell_word(&buf, sp_model_target_name(model, finding->to));
    sp_buf_str(&buf, " --only ");
    sp_shell_word(&buf, sp_technique_name(finding->technique));
    if (depth != SP_DEPTH_STANDARD) {
        sp_buf_fmt(&buf, " --depth %s", sp_depth_str(depth));
    }
    sp_buf_str(&buf, by_link ? " --inject link" : "");
    if (result->ssh_config) {
        sp_buf_str(&buf, " --ssh-config ");
        sp_shell_word(&buf, result->ssh_config);
    }
    if (plan->seed != 0) { /* which the command line does not take */
        sp_buf_fmt(&buf, " --seed %" PRIu64, plan->seed);
    }
    char *text = sp_buf_take(&buf);
    sp_buf_release(&buf);
    return text;
}

static enum sp_rc tell_cause(const struct sp_result *result, struct sp_finding *finding,
                             const struct sp_entry *sample)
{
    enum sp_cause cause = (enum sp_cause)finding->cause_kind;
    if (cause == SP_CAUSE_BYPASS) {
        const char *sports = finding->sports ? finding->sports : "";
        finding->cause = sp_cause_words(sp_bypass_cause(finding->technique), sports);
        finding->remedy = sp_cause_words(sp_bypass_remedy(finding->technique), sports);
        return finding->cause && finding->remedy ? SP_OK : SP_E_NOMEM;
    }
    char *subject = sp_cause_subject(cause, result, sample);
    if (subject) {
        finding->cause = sp_cause_words(sp_cause_str(cause), subject);
        finding->remedy = sp_cause_words(sp_cause_remedy(cause), subject);
    }
    sp_free(subject);
    return finding->cause && finding->remedy ? SP_OK : SP_E_NOMEM;
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
                               const struct sp_entry *run, size_t n, bool is_second,
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
    for (size_t i = 0; i < n; i++) {
        uint8_t grade = result->outcomes[run[i].test].grade;
        finding->tests += sp_entry_checks(&run[i]);
        grade = grade > SP_GRADE_PAIR ? (uint8_t)SP_GRADE_NONE : grade;
        finding->grade = grade < finding->grade ? grade : finding->grade;
    }
    finding->cause_kind = (uint8_t)sp_cause_guess(lookup, result, run, n);
    finding->severity = severity_of(result->model, finding);

    struct sp_buf ports;
    sp_buf_init(&ports, SP_PORTS_MAX_BYTES);
    sp_ports_of(&ports, run, n, NULL, NULL);
    enum sp_rc rc = ports.rc;
    if (rc == SP_OK) {
        rc = sp_bypass_sports(result, run, n, &finding->sports);
    }
    finding->ports = sp_buf_take(&ports);
    sp_buf_release(&ports);
    finding->line = sp_rule_line(result->model, run[0].rule);
    finding->repeat = repeat_of(result, finding, run, n);
    if (rc != SP_OK || !finding->ports || !finding->line || !finding->repeat) {
        return rc != SP_OK ? rc : SP_E_NOMEM;
    }
    const struct sp_entry *sample = best_sample(result, run, n);
    rc = show_sample(result, finding, sample);
    if (rc == SP_OK) {
        rc = tell_cause(result, finding, sample);
    }
    if (rc == SP_OK) {
        rc = sp_finding_proof(result, run, n, finding);
    }
    if (rc != SP_OK) {
        return rc;
    }
    return sp_finding_id(result->model, finding,
                         is_second ? sp_verdict_str(finding->verdict) : NULL, finding->id);
}

/* Groups what sorted entries say into *ret_findings; on failure the caller releases them too. */
static enum sp_rc group(struct sp_summary *summary, const struct sp_lookup *lookup,
                        const struct sp_entry *entries, size_t n, struct sp_finding **findings,
                        size_t *nfindings)
{
    size_t cap = 0;
    for (size_t i = 0, end; i < n; i = end) {
        for (end = i + 1; end < n && cmp_group(&entries[i], &entries[end]) == 0;) {
            end++;
        }
        if (sp_grow((void **)findings, *nfindings, &cap, sizeof(**findings)) != 0) {
            return SP_E_NOMEM;
        }
        struct sp_finding *finding = &(*findings)[(*nfindings)++];
        memset(finding, 0, sizeof(*finding));
        bool is_second = i > 0 && cmp_key(&entries[i - 1], &entries[i]) == 0;
        enum sp_rc rc = make_finding(summary, lookup, entries + i, end - i, is_second, finding);
        if (rc != SP_OK) {
            return rc;
        }
    }
    if (*nfindings > 0) {
        qsort(*findings, *nfindings, sizeof(**findings), cmp_finding);
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

enum sp_rc sp_group_findings(struct sp_summary *summary)
{
    struct sp_lookup lookup;
    struct sp_entry *picked = NULL;
    size_t n = 0;
    enum sp_rc rc = sp_lookup_init(&lookup, summary);
    if (rc != SP_OK) {
        return rc;
    }
    for (int notes = 0; notes <= 1 && rc == SP_OK; notes++) {
        rc = pick(summary, notes != 0, &picked, &n);
        if (rc == SP_OK) {
            rc = group(summary, &lookup, picked, n, notes ? &summary->notes : &summary->findings,
                       notes ? &summary->nnotes : &summary->nfindings);
        }
        sp_free(picked);
        picked = NULL;
    }
    sp_lookup_release(&lookup);
    return rc;
}

/* ------------------------------------------------------------------ causes */

static int cmp_cause(const void *pa, const void *pb)
{
    const struct sp_cause_group *a = pa;
    const struct sp_cause_group *b = pb;
    SP_CMP(b->severity, a->severity);
    SP_CMP(b->nfindings, a->nfindings);
    SP_CMP(a->findings[0], b->findings[0]);
    return 0;
}

/* A finding's place in the order of causes. */
struct ref {
    uint32_t rule, finding;
    uint8_t cause;
    const char *remedy; /* names the host or balancer that one repair is about; borrowed */
};

static bool same_repair(const struct ref *a, const struct ref *b)
{
    return a->rule == b->rule && a->cause == b->cause && strcmp(a->remedy, b->remedy) == 0;
}

static int cmp_ref(const void *pa, const void *pb)
{
    const struct ref *a = pa;
    const struct ref *b = pb;
    SP_CMP(a->rule, b->rule);
    SP_CMP(a->cause, b->cause);
    int order = strcmp(a->remedy, b->remedy);
    if (order != 0) {
        return order;
    }
    SP_CMP(a->finding, b->finding);
    return 0;
}

static enum sp_rc add_cause(struct sp_summary *summary, const struct ref *refs, size_t n,
                            size_t *cap)
{
    if (sp_grow((void **)&summary->causes, summary->ncauses, cap, sizeof(*summary->causes)) != 0) {
        return SP_E_NOMEM;
    }
    const struct sp_finding *first = &summary->findings[refs[0].finding];
    struct sp_cause_group made = {.cause = first->cause,
                                  .remedy = first->remedy,
                                  .policy = first->policy,
                                  .rule = first->rule,
                                  .nfindings = n};
    made.findings = sp_calloc(n, sizeof(*made.findings));
    if (!made.findings) {
        return SP_E_NOMEM;
    }
    for (size_t i = 0; i < n; i++) {
        made.findings[i] = refs[i].finding;
        enum sp_severity severity = summary->findings[refs[i].finding].severity;
        made.severity = severity > made.severity ? severity : made.severity;
    }
    summary->causes[summary->ncauses++] = made;
    return SP_OK;
}

enum sp_rc sp_group_causes(struct sp_summary *summary)
{
    enum sp_rc rc = SP_OK;
    size_t cap = 0;
    struct ref *refs = sp_calloc(summary->nfindings, sizeof(*refs));
    if (!refs) {
        return SP_E_NOMEM;
    }
    for (size_t i = 0; i < summary->nfindings; i++) {
        refs[i] = (struct ref){.rule = summary->findings[i].rule,
                               .finding = (uint32_t)i,
                               .cause = summary->findings[i].cause_kind,
                               .remedy = summary->findings[i].remedy};
    }
    qsort(refs, summary->nfindings, sizeof(*refs), cmp_ref);
    for (size_t i = 0, end; i < summary->nfindings && rc == SP_OK; i = end) {
        for (end = i + 1; end < summary->nfindings && same_repair(&refs[end], &refs[i]);) {
            end++;
        }
        rc = add_cause(summary, refs + i, end - i, &cap);
    }
    sp_free(refs);
    if (rc == SP_OK && summary->ncauses > 0) {
        qsort(summary->causes, summary->ncauses, sizeof(*summary->causes), cmp_cause);
    }
    return rc;
}
