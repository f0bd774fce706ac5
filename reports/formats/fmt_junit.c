/* SPDX-License-Identifier: Apache-2.0
 *
 * JUnit XML in the dialect that the strictest readers share: testcases carry name, classname and
 * time only, testsuites has no count of the skipped, and times are plain decimals. One case stands
 * for a pair, family, protocol, expectation and rule; names hold neither ports nor times, so that a
 * case keeps its name from run to run. finding = failure, inconclusive = error, not tested or not
 * observable = skipped. A run that proved nothing has an error of its own, never an empty green
 * file. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "probe/base/mem.h"
#include "probe/techniques/registry.h"
#include "reports/escape.h"
#include "reports/formats/format.h"
#include "reports/group.h"

#define SP_JUNIT_MESSAGE_PORTS 200U

enum state { STATE_PASS, STATE_FAILURE, STATE_ERROR, STATE_SKIPPED };

/* What makes tests one case. */
struct key {
    uint32_t from, to, rule;
    uint8_t family, proto, expect;
};

/* A finding or an open question, filed under its case. */
struct file {
    struct key key;
    size_t index;
};

struct junit {
    const struct sp_summary *summary;
    struct sp_buf *out;
    struct sp_entry *entries; /* by case; owned */
    struct file *findings;    /* by case; owned */
    uint64_t counts[STATE_SKIPPED + 1];
};

static int cmp_key(const struct key *a, const struct key *b)
{
    SP_CMP(a->from, b->from);
    SP_CMP(a->to, b->to);
    SP_CMP(a->family, b->family);
    SP_CMP(a->proto, b->proto);
    SP_CMP(a->expect, b->expect);
    SP_CMP(a->rule, b->rule);
    return 0;
}

static struct key key_of(const struct sp_entry *e)
{
    return (struct key){.from = e->from,
                        .to = e->to,
                        .rule = e->rule,
                        .family = e->family,
                        .proto = e->proto,
                        .expect = e->expect};
}

static int cmp_entry(const void *pa, const void *pb)
{
    const struct sp_entry *a = pa;
    const struct sp_entry *b = pb;
    struct key ka = key_of(a);
    struct key kb = key_of(b);
    int order = cmp_key(&ka, &kb);
    if (order == 0) {
        SP_CMP(a->port, b->port);
        SP_CMP(a->test, b->test);
    }
    return order;
}

static int cmp_file(const void *pa, const void *pb)
{
    const struct file *a = pa;
    const struct file *b = pb;
    int order = cmp_key(&a->key, &b->key);
    if (order == 0) {
        SP_CMP(a->index, b->index);
    }
    return order;
}

static enum sp_rc prepare(struct junit *junit)
{
    const struct sp_summary *summary = junit->summary;
    junit->entries = sp_calloc(summary->nentries, sizeof(*junit->entries));
    junit->findings = sp_calloc(summary->nfindings, sizeof(*junit->findings));
    if (!junit->entries || !junit->findings) {
        return SP_E_NOMEM;
    }
    for (size_t i = 0; i < summary->nentries; i++) {
        junit->entries[i] = summary->entries[i];
    }
    for (size_t i = 0; i < summary->nfindings; i++) {
        const struct sp_finding *f = &summary->findings[i];
        junit->findings[i] = (struct file){.key = {.from = f->from,
                                                   .to = f->to,
                                                   .rule = f->rule,
                                                   .family = f->family,
                                                   .proto = f->proto,
                                                   .expect = f->expect},
                                           .index = i};
    }
    qsort(junit->entries, summary->nentries, sizeof(*junit->entries), cmp_entry);
    qsort(junit->findings, summary->nfindings, sizeof(*junit->findings), cmp_file);
    return SP_OK;
}

/* ------------------------------------------------------------------ one case */

/* The end of the case that begins at entry i. */
static size_t case_end(const struct junit *junit, size_t i)
{
    struct key key = key_of(&junit->entries[i]);
    size_t end = i + 1;
    for (; end < junit->summary->nentries; end++) {
        struct key next = key_of(&junit->entries[end]);
        if (cmp_key(&key, &next) != 0) {
            break;
        }
    }
    return end;
}

static enum state case_state(const struct sp_entry *run, size_t n)
{
    bool holds = false;
    bool open = false;
    for (size_t i = 0; i < n; i++) {
        if (sp_verdict_is_finding(run[i].verdict)) {
            return STATE_FAILURE;
        }
        open = open || run[i].verdict == SP_VERDICT_INCONCLUSIVE;
        holds = holds || run[i].verdict == SP_VERDICT_HOLDS;
    }
    return open ? STATE_ERROR : holds ? STATE_PASS : STATE_SKIPPED;
}

static void open_case(struct sp_buf *out, const char *classname)
{
    sp_buf_str(out, "    <testcase classname=\"");
    sp_escape_xml(out, classname);
    sp_buf_str(out, "\" name=\"");
}

/* A message is shown on one line: of a very long list it has the beginning, and the text below it
 * all. */
static void add_head_of_ports(struct sp_buf *out, const char *ports)
{
    size_t len = strlen(ports);
    if (len <= SP_JUNIT_MESSAGE_PORTS) {
        sp_buf_str(out, ports);
        return;
    }
    for (len = SP_JUNIT_MESSAGE_PORTS; len > 0 && ports[len] != ',';) {
        len--;
    }
    sp_buf_add(out, ports, len);
    sp_buf_str(out, ",...");
}

/* Two lines for each finding: its ports and its cause. */
static void add_failure(struct junit *junit, const struct key *key)
{
    const struct sp_summary *summary = junit->summary;
    struct file want = {.key = *key};
    size_t lo = 0;
    size_t hi = summary->nfindings;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if (cmp_file(&junit->findings[mid], &want) < 0) {
            lo = mid + 1;
        } else {
            hi = mid;
        }
    }
    for (size_t i = lo; i < summary->nfindings && cmp_key(&junit->findings[i].key, key) == 0; i++) {
        const struct sp_finding *f = &summary->findings[junit->findings[i].index];
        if (i == lo) {
            sp_buf_fmt(junit->out, "\n      <failure type=\"%s\" message=\"%s on %s/",
                       sp_verdict_str(f->verdict), sp_verdict_str(f->verdict),
                       sp_proto_str(f->proto));
            add_head_of_ports(junit->out, f->ports);
            sp_buf_str(junit->out, "\">");
        }
        bool by = sp_technique_is_bypass(f->technique);
        sp_buf_fmt(junit->out, "\n%s (%s) on %s/%s%s%s, finding %s, declared in ",
                   sp_verdict_str(f->verdict), sp_severity_str(f->severity), sp_proto_str(f->proto),
                   f->ports, by ? " by " : "", by ? sp_technique_name(f->technique) : "", f->id);
        sp_escape_xml(junit->out, f->line);
        sp_buf_fmt(junit->out,
                   "\n%u of %u delivered; sender: %s, receiver: %s, egress: %s; control: %s\n",
                   (unsigned)f->delivered, (unsigned)f->attempts, f->sender, f->receiver, f->egress,
                   sp_grade_str(f->grade));
        sp_escape_xml(junit->out, f->cause);
        sp_buf_str(junit->out, "\n");
        sp_escape_xml(junit->out, f->repeat);
    }
    sp_buf_str(junit->out, "\n      </failure>\n    ");
}

static bool keep_open(const struct sp_entry *entry, const void *ctx)
{
    (void)ctx;
    return entry->verdict == SP_VERDICT_INCONCLUSIVE;
}

static enum sp_rc add_error(struct junit *junit, const struct sp_entry *run, size_t n)
{
    size_t first = 0;
    struct sp_buf ports;
    while (first + 1 < n && run[first].verdict != SP_VERDICT_INCONCLUSIVE) {
        first++;
    }
    const struct sp_outcome *outcome = &junit->summary->result->outcomes[run[first].test];
    enum sp_unsound reason =
        outcome->judged.reason != SP_SOUND ? outcome->judged.reason : outcome->seen.unsound;
    sp_buf_init(&ports, SP_PORTS_MAX_BYTES);
    sp_ports_of(&ports, run, n, keep_open, NULL);
    sp_buf_str(junit->out, "\n      <error type=\"inconclusive\" message=\"");
    sp_escape_xml(junit->out, sp_unsound_str(reason));
    sp_buf_fmt(junit->out, "\">%s/%s</error>\n    ", sp_proto_str(run[0].proto),
               sp_buf_text(&ports));
    enum sp_rc rc = ports.rc;
    sp_buf_release(&ports);
    return rc;
}

static void add_skipped(struct junit *junit, const struct sp_entry *run)
{
    const char *reason = junit->summary->result->outcomes[run[0].test].not_tested;
    if (run[0].verdict == SP_VERDICT_NOT_OBSERVABLE) {
        reason = "the target has no probe, and silence proves nothing";
    }
    sp_buf_str(junit->out, "\n      <skipped message=\"");
    sp_escape_xml(junit->out, reason ? reason : "no reason given");
    sp_buf_str(junit->out, "\"/>\n    ");
}

static enum sp_rc add_case(struct junit *junit, const struct sp_entry *run, size_t n)
{
    const struct sp_model *model = junit->summary->result->model;
    const char *policy = sp_rule_name(model, run[0].rule, run[0].expect);
    struct key key = key_of(&run[0]);
    enum sp_rc rc = SP_OK;
    open_case(junit->out, policy);
    sp_escape_xml(junit->out, sp_model_target_name(model, run[0].from));
    sp_buf_str(junit->out, " -&gt; ");
    sp_escape_xml(junit->out, sp_model_target_name(model, run[0].to));
    sp_buf_fmt(junit->out, " %s %s %s (", sp_proto_str(run[0].proto), sp_family_str(run[0].family),
               sp_expect_str(run[0].expect));
    sp_escape_xml(junit->out, policy);
    sp_buf_str(junit->out, ")\" time=\"0.000000\">");
    switch (case_state(run, n)) {
    case STATE_FAILURE:
        add_failure(junit, &key);
        break;
    case STATE_ERROR:
        rc = add_error(junit, run, n);
        break;
    case STATE_SKIPPED:
        add_skipped(junit, run);
        break;
    case STATE_PASS:
        break;
    }
    sp_buf_str(junit->out, "</testcase>\n");
    return rc;
}

/* ------------------------------------------------------------------ the run itself */

/* Why the run as a whole proves less than it should, or NULL. */
static const char *run_fault(const struct sp_summary *summary)
{
    if (summary->result->interrupted) {
        return "the run was interrupted";
    }
    return summary->counts.checks == 0 ? "nothing was checked" : NULL;
}

static void add_error_line(struct sp_buf *out, const char *type, const char *message)
{
    sp_buf_fmt(out, "\n      <error type=\"%s\" message=\"", type);
    sp_escape_xml(out, message);
    sp_buf_str(out, "\"/>\n    ");
}

static void add_own_cases(struct junit *junit)
{
    const struct sp_result *result = junit->summary->result;
    const char *fault = run_fault(junit->summary);
    open_case(junit->out, "segproof.run");
    sp_buf_str(junit->out, "the run finished with results\" time=\"0.000000\">");
    if (fault) {
        add_error_line(junit->out, "incomplete", fault);
    }
    sp_buf_str(junit->out, "</testcase>\n");
    for (size_t i = 0; i < result->model->nhosts; i++) {
        const struct sp_host_status *host = &result->hosts[i];
        if (!host->wanted) {
            continue;
        }
        open_case(junit->out, "segproof.probe");
        sp_buf_str(junit->out, "the probe on ");
        sp_escape_xml(junit->out, result->model->hosts[i].name);
        sp_buf_str(junit->out, " works\" time=\"0.000000\">");
        if (!host->ok) {
            add_error_line(junit->out, "probe", host->reason[0] ? host->reason : "no reason given");
        }
        sp_buf_str(junit->out, "</testcase>\n");
    }
}

static void count_cases(struct junit *junit)
{
    const struct sp_result *result = junit->summary->result;
    for (size_t i = 0, end; i < junit->summary->nentries; i = end) {
        end = case_end(junit, i);
        junit->counts[case_state(junit->entries + i, end - i)]++;
    }
    junit->counts[run_fault(junit->summary) ? STATE_ERROR : STATE_PASS]++;
    for (size_t i = 0; i < result->model->nhosts; i++) {
        if (result->hosts[i].wanted) {
            junit->counts[result->hosts[i].ok ? STATE_PASS : STATE_ERROR]++;
        }
    }
}

static void add_counts(struct junit *junit, const char *element)
{
    const struct sp_result *result = junit->summary->result;
    const uint64_t *counts = junit->counts;
    sp_buf_fmt(junit->out, "%s name=\"", element);
    sp_escape_xml(junit->out, result->model->name ? result->model->name : "segproof");
    sp_buf_fmt(junit->out,
               "\" tests=\"%" PRIu64 "\" failures=\"%" PRIu64 "\" errors=\"%" PRIu64
               "\" time=\"%" PRIu64 ".%03" PRIu64 "000\"",
               counts[STATE_PASS] + counts[STATE_FAILURE] + counts[STATE_ERROR] +
                   counts[STATE_SKIPPED],
               counts[STATE_FAILURE], counts[STATE_ERROR], result->duration_ms / 1000U,
               result->duration_ms % 1000U);
}

static enum sp_rc render(const struct sp_summary *summary, const struct sp_format_options *options,
                         struct sp_buf *out)
{
    (void)options; /* the same file for everybody */
    struct junit junit = {.summary = summary, .out = out};
    enum sp_rc rc = prepare(&junit);
    if (rc == SP_OK) {
        count_cases(&junit);
        sp_buf_str(out, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
        add_counts(&junit, "<testsuites");
        sp_buf_str(out, ">\n");
        add_counts(&junit, "  <testsuite");
        sp_buf_fmt(out, " skipped=\"%" PRIu64 "\">\n", junit.counts[STATE_SKIPPED]);
        add_own_cases(&junit);
        for (size_t i = 0, end; i < summary->nentries && rc == SP_OK; i = end) {
            end = case_end(&junit, i);
            rc = add_case(&junit, junit.entries + i, end - i);
        }
        sp_buf_str(out, "  </testsuite>\n</testsuites>\n");
    }
    sp_free(junit.entries);
    sp_free(junit.findings);
    if (rc != SP_OK && out->rc == SP_OK) {
        out->rc = rc;
    }
    return out->rc;
}

const struct sp_format sp_fmt_junit = {
    .name = "junit",
    .extension = ".xml",
    .summary = "JUnit XML for CI systems",
    .render = render,
};
