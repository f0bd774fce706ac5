/* SPDX-License-Identifier: Apache-2.0
 *
 * The report "segproof-report/1" (design section 9), from which every other tool is meant to read.
 * One finding, pair or node per line, so that a report also reads well in a diff. Keys are never
 * renamed; new ones may come. */
#include <inttypes.h>
#include <stdio.h>

#include "probe/base/clock.h"
#include "reports/formats/format.h"
#include "reports/formats/json_out.h"
#include "reports/group.h"

static const char *name_of(const struct sp_summary *summary, uint32_t target)
{
    return sp_model_target_name(summary->result->model, target);
}

static const char *network_of(const struct sp_summary *summary, uint32_t target)
{
    const struct sp_model *model = summary->result->model;
    uint32_t network = sp_model_target_network(model, target);
    return network < model->nnetworks ? model->networks[network].name : NULL;
}

/* ------------------------------------------------------------------ single objects */

static void add_object(struct sp_buf *out, const char *key, struct sp_json *json)
{
    sp_buf_fmt(out, ",\n \"%s\":", key);
    sp_json_print(json, out);
}

static void add_run(const struct sp_summary *summary, struct sp_buf *out)
{
    const struct sp_result *result = summary->result;
    char text[24];
    struct sp_json run = sp_json_begin();
    sp_json_str(&run, "id", result->run_id);
    sp_json_str(&run, "topology", result->model->name ? result->model->name : "");
    sp_json_str(&run, "topology_sha256", result->model->sha256);
    sp_json_str(&run, "depth", sp_depth_str(result->plan->depth));
    sp_wall_str(result->started_s, text);
    sp_json_str(&run, "started", text);
    sp_wall_str(result->finished_s, text);
    sp_json_str(&run, "finished", text);
    sp_json_str(&run, "version", SP_VERSION);
    (void)snprintf(text, sizeof(text), "%" PRIu64, result->plan->seed);
    sp_json_str(&run, "seed", text);
    sp_json_str(&run, "file", result->model->file ? result->model->file : "-");
    sp_json_u64(&run, "duration_ms", result->duration_ms);
    sp_json_bool(&run, "interrupted", result->interrupted);
    sp_json_attempts(summary, &run);
    const struct sp_slice *slice = &result->plan->slice;
    (void)snprintf(text, sizeof(text), "%" PRIu64 "/%" PRIu32, (uint64_t)slice->at + 1, slice->of);
    sp_json_str(&run, "slice", slice->of > 0 ? text : NULL);
    add_object(out, "run", &run);
}

static void add_summary(const struct sp_summary *summary, struct sp_buf *out)
{
    const struct sp_counts *counts = &summary->counts;
    struct sp_json json = sp_json_begin();
    uint64_t pairs = 0;
    uint64_t intervals = 0;
    uint64_t ports = 0;
    for (size_t i = 0; i < summary->nuntested; i++) {
        pairs += summary->untested[i].pairs;
        intervals += summary->untested[i].intervals;
        ports += summary->untested[i].ports;
    }
    sp_json_str(&json, "verdict", sp_overall_str(summary->overall));
    sp_json_u64(&json, "checks", counts->checks);
    sp_json_u64(&json, "holds", counts->holds);
    sp_json_u64(&json, "findings", summary->nfindings);
    sp_json_u64(&json, "inconclusive", counts->inconclusive);
    sp_json_u64(&json, "packets_sent", summary->result->packets_sent);
    sp_json_u64(&json, "packets_captured", summary->result->packets_captured);
    sp_json_u64(&json, "capture_drops", summary->result->capture_drops);
    sp_json_u64(&json, "failed_checks", counts->failed);
    sp_json_u64(&json, "not_observable", counts->not_observable);
    sp_json_u64(&json, "not_tested", counts->not_tested);
    sp_json_u64(&json, "not_tested_intervals", intervals);
    sp_json_u64(&json, "not_tested_pairs", pairs);
    sp_json_u64(&json, "not_tested_ports", ports);
    sp_json_u64(&json, "notes", summary->nnotes);
    sp_json_u64(&json, "lossy", counts->lossy);
    sp_json_u64(&json, "probes_failed", counts->probes_failed);
    sp_json_u64(&json, "exit_code", (uint64_t)summary->exit_code);
    struct sp_json proof = sp_json_begin();
    for (uint8_t grade = SP_GRADE_NONE; grade <= SP_GRADE_PAIR; grade++) {
        sp_json_u64(&proof, sp_grade_str(grade), counts->by_grade[grade]);
    }
    sp_json_u64(&proof, "arrival", counts->by_arrival);
    sp_json_object(&json, "holds_by_proof", &proof);
    sp_json_u64(&json, "holds_on_one_attempt", counts->on_one_attempt);
    sp_json_claim_counts(summary, &json);
    add_object(out, "summary", &json);
}

static void add_ratio(struct sp_json *json, const char *key, uint64_t tested, uint64_t of)
{
    struct sp_json ratio = sp_json_begin();
    sp_json_u64(&ratio, "tested", tested);
    sp_json_u64(&ratio, "of", of);
    sp_json_object(json, key, &ratio);
}

static void add_coverage(const struct sp_summary *summary, struct sp_buf *out)
{
    const struct sp_coverage *c = &summary->coverage;
    struct sp_json json = sp_json_begin();
    add_ratio(&json, "pairs", c->pairs_tested, c->pairs_of);
    add_ratio(&json, "intervals", c->intervals_tested, c->intervals_of);
    add_ratio(&json, "rules", c->rules_tested, c->rules_of);
    sp_json_share(&json, "denied_ports_swept", c->denied_ports_swept);
    add_ratio(&json, "edges", c->edges_tested, c->edges_of);
    add_ratio(&json, "denied_ports", c->denied_tested, c->denied_of);
    sp_json_rolling(summary, &json);
    add_ratio(&json, "enforcements", c->enforcements_tested, c->enforcements_of);
    add_object(out, "coverage", &json);
}

static void add_bypasses(const struct sp_summary *summary, struct sp_buf *out)
{
    sp_json_open_array(out, "bypass_techniques");
    for (size_t i = 0; i < summary->nbypasses; i++) {
        const struct sp_technique_row *row = &summary->bypasses[i];
        struct sp_json json = sp_json_begin();
        sp_json_str(&json, "technique", sp_technique_name(row->technique));
        sp_json_str(&json, "family", sp_family_str(row->family));
        sp_json_u64(&json, "tests", row->tests);
        sp_json_u64(&json, "holds", row->holds);
        sp_json_u64(&json, "failed", row->failed);
        sp_json_u64(&json, "inconclusive", row->inconclusive);
        sp_json_u64(&json, "not_tested", row->not_tested);
        sp_json_add_line(out, &json, i);
    }
    sp_json_close_array(out, summary->nbypasses);
}

/* ------------------------------------------------------------------ findings and what they share
 */

static void add_flow(const struct sp_summary *summary, struct sp_json *json, uint32_t from,
                     uint32_t to, uint8_t family, uint8_t proto)
{
    sp_json_str(json, "from", name_of(summary, from));
    sp_json_str(json, "to", name_of(summary, to));
    sp_json_str(json, "family", sp_family_str(family));
    sp_json_str(json, "protocol", sp_proto_str(proto));
}

static void add_findings(const struct sp_summary *summary, const char *key,
                         const struct sp_finding *findings, size_t n, struct sp_buf *out)
{
    sp_json_open_array(out, key);
    for (size_t i = 0; i < n; i++) {
        const struct sp_finding *f = &findings[i];
        const struct sp_judgement *judged = &summary->result->outcomes[f->sample].judged;
        struct sp_json json = sp_json_begin();
        sp_json_str(&json, "id", f->id);
        sp_json_str(&json, "verdict", sp_verdict_str(f->verdict));
        sp_json_str(&json, "severity", sp_severity_str(f->severity));
        add_flow(summary, &json, f->from, f->to, f->family, f->proto);
        sp_json_str(&json, "ports", f->ports);
        sp_json_str(&json, "technique", sp_technique_name(f->technique));
        if (f->sports) {
            sp_json_str(&json, "source_ports", f->sports);
        }
        sp_json_str(&json, "expected", sp_expect_str(f->expect));
        sp_json_str(&json, "policy", f->policy);
        sp_json_str(&json, "line", f->line);
        struct sp_json observed = sp_json_begin();
        sp_json_str(&observed, "sender", f->sender);
        sp_json_str(&observed, "receiver", f->receiver);
        sp_json_str(&observed, "egress", f->egress);
        sp_json_str(&observed, "path",
                    sp_proxy_str(summary->result->outcomes[f->sample].seen.proxy));
        sp_json_captured(&observed, f->proto, &summary->result->outcomes[f->sample].seen.captured);
        sp_json_object(&json, "observed", &observed);
        sp_json_str(&json, "control", sp_grade_str(f->grade));
        sp_json_u64(&json, "attempts", f->attempts);
        sp_json_u64(&json, "delivered", f->delivered);
        sp_json_str(&json, "where", f->where);
        sp_json_str(&json, "evidence", f->evidence);
        sp_json_u64(&json, "tests", f->tests);
        sp_json_str(&json, "by", sp_by_str((uint8_t)judged->by));
        sp_json_u64(&json, "row", judged->row);
        sp_json_str(&json, "cause", f->cause);
        sp_json_str(&json, "remedy", f->remedy);
        sp_json_str(&json, "repeat", f->repeat);
        sp_json_str(&json, "injected", f->injected);
        sp_json_add_line(out, &json, i);
    }
    sp_json_close_array(out, n);
}

/* Who stopped the denied flows that hold: dropped in the path, by the receiver's or the sender's
 * own firewall, or refused by whoever answered. */
static void add_held_by(struct sp_json *json, const struct sp_pair_row *row)
{
    struct sp_json by = sp_json_begin();
    for (uint8_t i = SP_BY_PATH; i <= SP_BY_ANSWERER; i++) {
        sp_json_u64(&by, sp_by_str(i), row->held_by[i]);
    }
    sp_json_object(json, "held_by", &by);
}

static void add_pairs(const struct sp_summary *summary, struct sp_buf *out)
{
    sp_json_open_array(out, "pairs");
    for (size_t i = 0; i < summary->npairs; i++) {
        const struct sp_pair_row *row = &summary->pairs[i];
        struct sp_json json = sp_json_begin();
        add_flow(summary, &json, row->from, row->to, row->family, row->proto);
        sp_json_str(&json, "allowed", row->allowed);
        sp_json_str(&json, "denied", row->denied);
        sp_json_str(&json, "tested", row->tested);
        sp_json_str(&json, "delivered", row->delivered);
        sp_json_str(&json, "control", sp_grade_str(row->grade));
        sp_json_str(&json, "verdict", sp_verdict_str(row->verdict));
        sp_json_str(&json, "permitted", row->permitted);
        sp_json_bool(&json, "lossy", row->lossy);
        sp_json_u64(&json, "tests", row->tests);
        sp_json_u64(&json, "holds", row->holds);
        sp_json_u64(&json, "failed", row->failed);
        sp_json_u64(&json, "inconclusive", row->inconclusive);
        add_held_by(&json, row);
        sp_json_str(&json, "syn_proxy", row->syn_proxy);
        sp_json_add_line(out, &json, i);
    }
    sp_json_close_array(out, summary->npairs);
}

static void add_open(const struct sp_summary *summary, struct sp_buf *out)
{
    sp_json_open_array(out, "inconclusive");
    for (size_t i = 0; i < summary->nopen; i++) {
        const struct sp_open *open = &summary->open[i];
        struct sp_json json = sp_json_begin();
        sp_json_str(&json, "reason",
                    open->never_ready ? "the host has no probe" : sp_unsound_str(open->reason));
        if (open->host != SP_NONE) {
            sp_json_str(&json, "host", name_of(summary, open->host));
            sp_json_str(&json, "detail", open->detail);
        } else if (open->from != SP_NONE) {
            add_flow(summary, &json, open->from, open->to, open->family, open->proto);
            sp_json_str(&json, "ports", open->ports);
            sp_json_str(&json, "technique", sp_technique_name(open->technique));
        }
        sp_json_u64(&json, "tests", open->tests);
        sp_json_add_line(out, &json, i);
    }
    sp_json_close_array(out, summary->nopen);
}

static void add_untested(const struct sp_summary *summary, struct sp_buf *out)
{
    sp_json_open_array(out, "not_tested");
    for (size_t i = 0; i < summary->nuntested; i++) {
        const struct sp_untested *line = &summary->untested[i];
        struct sp_json json = sp_json_begin();
        sp_json_str(&json, "reason", line->reason);
        sp_json_str(&json, "host", line->host != SP_NONE ? name_of(summary, line->host) : NULL);
        sp_json_u64(&json, "tests", line->tests);
        sp_json_u64(&json, "pairs", line->pairs);
        sp_json_u64(&json, "intervals", line->intervals);
        sp_json_u64(&json, "ports", line->ports);
        sp_json_add_line(out, &json, i);
    }
    sp_json_close_array(out, summary->nuntested);
}

/* ------------------------------------------------------------------ hosts */

static void add_nodes(const struct sp_summary *summary, struct sp_buf *out)
{
    const struct sp_result *result = summary->result;
    size_t n = 0;
    sp_json_open_array(out, "nodes");
    for (size_t i = 0; i < result->model->nhosts; i++) {
        const struct sp_host_status *host = &result->hosts[i];
        if (!host->wanted) {
            continue;
        }
        struct sp_json json = sp_json_begin();
        sp_json_str(&json, "host", name_of(summary, (uint32_t)i));
        sp_json_str(&json, "network", network_of(summary, (uint32_t)i));
        sp_json_bool(&json, "ok", host->ok);
        sp_json_str(&json, "reason", host->ok ? NULL : host->reason);
        sp_json_str(&json, "version", host->version);
        sp_json_str(&json, "privilege", host->privilege);
        sp_json_u64(&json, "packets_sent", host->packets_sent);
        sp_json_u64(&json, "packets_captured", host->packets_captured);
        sp_json_u64(&json, "capture_drops", host->capture_drops);
        sp_json_add_line(out, &json, n++);
    }
    sp_json_close_array(out, n);
}

static void add_endpoints(const struct sp_summary *summary, struct sp_buf *out)
{
    const struct sp_model *model = summary->result->model;
    size_t n = 0;
    sp_json_open_array(out, "endpoints");
    for (size_t i = 0; i < model->nhosts; i++) {
        for (size_t k = 0; k < model->hosts[i].naddrs; k++) {
            char text[SP_ADDR_STRLEN];
            struct sp_json json = sp_json_begin();
            sp_json_str(&json, "host", name_of(summary, (uint32_t)i));
            sp_json_str(&json, "address", sp_addr_str(&model->hosts[i].addrs[k], text));
            sp_json_str(&json, "network", network_of(summary, (uint32_t)i));
            sp_json_bool(&json, "probe", model->hosts[i].via != NULL);
            sp_json_add_line(out, &json, n++);
        }
    }
    sp_json_close_array(out, n);
}

static void add_matrix(const struct sp_summary *summary, struct sp_buf *out)
{
    sp_json_open_array(out, "matrix");
    for (size_t i = 0; i < summary->ncells; i++) {
        const struct sp_cell *cell = &summary->cells[i];
        struct sp_json json = sp_json_begin();
        sp_json_str(&json, "from", summary->segments[cell->from].name);
        sp_json_str(&json, "to", summary->segments[cell->to].name);
        sp_json_str(&json, "verdict", sp_verdict_str(cell->worst));
        sp_json_u64(&json, "holds", cell->holds);
        sp_json_u64(&json, "failed", cell->failed);
        sp_json_u64(&json, "inconclusive", cell->inconclusive);
        sp_json_u64(&json, "not_observable", cell->not_observable);
        sp_json_u64(&json, "not_tested", cell->not_tested);
        sp_json_add_line(out, &json, i);
    }
    sp_json_close_array(out, summary->ncells);
}

static enum sp_rc render(const struct sp_summary *summary, const struct sp_format_options *options,
                         struct sp_buf *out)
{
    (void)options; /* the same report for everybody */
    sp_buf_str(out, "{\"format\":\"segproof-report/1\"");
    add_run(summary, out);
    add_summary(summary, out);
    add_coverage(summary, out);
    add_findings(summary, "findings", summary->findings, summary->nfindings, out);
    add_pairs(summary, out);
    sp_json_causes(summary, out);
    add_nodes(summary, out);
    sp_json_balancers(summary, out);
    sp_json_claims(summary, out);
    sp_json_sweeps(summary, out);
    add_endpoints(summary, out);
    add_open(summary, out);
    add_findings(summary, "notes", summary->notes, summary->nnotes, out);
    add_untested(summary, out);
    add_bypasses(summary, out);
    add_matrix(summary, out);
    sp_json_checklist(summary, out);
    sp_buf_str(out, "\n}\n");
    return out->rc;
}

const struct sp_format sp_fmt_json = {
    .name = "json",
    .extension = ".json",
    .summary = "the whole report for programs (segproof-report/1)",
    .render = render,
};
