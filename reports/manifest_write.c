/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "probe/base/hash.h"
#include "probe/base/mem.h"
#include "probe/base/table.h"
#include "probe/techniques/registry.h"
#include "reports/formats/json_out.h"
#include "reports/group.h"
#include "reports/manifest.h"

#define SP_SELECTOR_SHOWN 4000 /* bytes of a selector that a manifest holds */

/* ---- files ---- */

void sp_manifest_files_release(struct sp_manifest_files *files)
{
    sp_free(files->at);
    *files = (struct sp_manifest_files){0};
}

enum sp_rc sp_manifest_files_add(struct sp_manifest_files *files, const char *name,
                                 const struct sp_buf *content, uint64_t packets)
{
    if (sp_grow((void **)&files->at, files->n, &files->cap, sizeof(*files->at)) != 0) {
        return SP_E_NOMEM;
    }
    struct sp_manifest_file *file = &files->at[files->n];
    *file = (struct sp_manifest_file){.bytes = content->len, .packets = packets};
    (void)snprintf(file->name, sizeof(file->name), "%s", name);
    enum sp_rc rc = sp_sha256(sp_buf_text(content), content->len, file->sha256);
    files->n += rc == SP_OK;
    return rc;
}

bool sp_manifest_is_file(const char *name)
{
    return strlen(name) < SP_EVIDENCE_NAME_MAX &&
           (strcmp(name, SP_MANIFEST_TOPOLOGY) == 0 || strcmp(name, SP_MANIFEST_TRACE) == 0 ||
            sp_evidence_is_name(name));
}

/* ---- the chain ---- */

struct chain {
    const struct sp_summary *summary;
    struct sp_buf *out;
    uint64_t n; /* lines so far */
    uint64_t of[SP_LINE_COUNT];
    char first[SP_SHA256_STRLEN], prev[SP_SHA256_STRLEN];
    enum sp_rc rc;
};

static struct sp_json begin(struct chain *chain, enum sp_line_type type)
{
    struct sp_json json = sp_json_begin();
    chain->n++;
    chain->of[type]++;
    sp_json_u64(&json, "n", chain->n);
    sp_json_str(&json, "prev", chain->prev);
    sp_json_str(&json, "type", sp_line_str(type));
    return json;
}

static void end(struct chain *chain, struct sp_json *json)
{
    size_t start = chain->out->len;
    sp_json_print(json, chain->out);
    size_t len = chain->out->len - start;
    if (chain->rc == SP_OK) {
        chain->rc = chain->out->rc != SP_OK            ? chain->out->rc
                    : len > SP_JLINE_MAX_BYTES         ? SP_E_LIMIT
                    : chain->n > SP_MANIFEST_MAX_LINES ? SP_E_LIMIT
                                                       : SP_OK;
    }
    if (chain->rc == SP_OK) {
        chain->rc = sp_sha256(chain->out->data + start, len, chain->prev);
    }
    if (chain->n == 1) {
        memcpy(chain->first, chain->prev, sizeof(chain->first));
    }
    sp_buf_char(chain->out, '\n');
}

static void opt_str(struct sp_json *json, const char *key, const char *text)
{
    if (text && text[0]) {
        sp_json_str(json, key, text);
    }
}

static void opt_u64(struct sp_json *json, const char *key, uint64_t value)
{
    if (value > 0) {
        sp_json_u64(json, key, value);
    }
}

static void opt_bool(struct sp_json *json, const char *key, bool value)
{
    if (value) {
        sp_json_bool(json, key, true);
    }
}

static void opt_addr(struct sp_json *json, const char *key, const struct sp_addr *addr)
{
    char text[SP_ADDR_STRLEN];
    if (addr->family != SP_FAMILY_NONE) {
        sp_json_str(json, key, sp_addr_str(addr, text));
    }
}

/* ---- what the run was ---- */

static void cut(struct sp_json *json, const char *key, const char *text)
{
    char shown[SP_SELECTOR_SHOWN + 1];
    if (text) {
        (void)snprintf(shown, sizeof(shown), "%s", text);
        opt_str(json, key, shown);
    }
}

static void write_run(struct chain *chain, const struct sp_manifest_how *how)
{
    const struct sp_result *result = chain->summary->result;
    const struct sp_plan *plan = result->plan;
    char seed[24];
    struct sp_json json = begin(chain, SP_LINE_RUN);
    (void)snprintf(seed, sizeof(seed), "%llu", (unsigned long long)plan->seed);
    sp_json_str(&json, "format", SP_MANIFEST_FORMAT);
    sp_json_str(&json, "run", result->run_id);
    sp_json_str(&json, "version", SP_VERSION);
    sp_json_str(&json, "key", how->fingerprint);
    sp_json_str(&json, "topology", result->model->name ? result->model->name : "");
    sp_json_str(&json, "topology_sha256", result->model->sha256);
    cut(&json, "topology_file", result->model->file);
    sp_json_str(&json, "depth", sp_depth_str(plan->depth));
    sp_json_str(&json, "seed", seed);
    sp_json_u64(&json, "started", result->started_s);
    sp_json_u64(&json, "finished", result->finished_s);
    opt_bool(&json, "interrupted", result->interrupted);
    opt_bool(&json, "resumed", how->is_resumed);
    sp_json_str(&json, "inject", how->inject ? how->inject : "auto");
    opt_u64(&json, "attempts", result->attempts_min);
    opt_u64(&json, "parts", plan->slice.of);
    opt_u64(&json, "part", plan->slice.of > 0 ? plan->slice.at + 1U : 0);
    cut(&json, "from", how->from);
    cut(&json, "to", how->to);
    cut(&json, "only", how->only);
    cut(&json, "skip", how->skip);
    end(chain, &json);
}

static void write_host(struct chain *chain, const struct sp_host_status *status)
{
    struct sp_json json = begin(chain, SP_LINE_HOST);
    sp_json_str(&json, "host", sp_model_target_name(chain->summary->result->model, status->host));
    sp_json_bool(&json, "ok", status->ok);
    opt_str(&json, "version", status->version);
    opt_str(&json, "reason", status->reason);
    opt_str(&json, "privilege", status->privilege);
    opt_str(&json, "interfaces", status->interfaces);
    sp_json_u64(&json, "sent", status->packets_sent);
    sp_json_u64(&json, "captured", status->packets_captured);
    sp_json_u64(&json, "drops", status->capture_drops);
    end(chain, &json);
}

static void write_batch(struct chain *chain, const struct sp_batch_note *note)
{
    struct sp_json json = begin(chain, SP_LINE_BATCH);
    sp_json_u64(&json, "batch", note->id);
    sp_json_str(&json, "kind", note->kind);
    sp_json_u64(&json, "fired_us", note->fired_us);
    sp_json_u64(&json, "packets", note->shots);
    sp_json_u64(&json, "controls", note->controls);
    sp_json_u64(&json, "controls_left", note->controls_left);
    sp_json_u64(&json, "controls_arrived", note->controls_arrived);
    sp_json_u64(&json, "hosts", note->hosts);
    opt_u64(&json, "hosts_lost", note->hosts_lost);
    opt_u64(&json, "drops", note->drops);
    opt_u64(&json, "longest_gap_us", note->longest_gap_us);
    end(chain, &json);
}

static void write_flow(struct sp_json *json, const struct sp_result *result,
                       const struct sp_pair *pair)
{
    sp_json_str(json, "from", sp_model_target_name(result->model, pair->from));
    sp_json_str(json, "to", sp_model_target_name(result->model, pair->to));
    opt_addr(json, "src", &pair->src);
    opt_addr(json, "dst", &pair->dst);
    if (!sp_addr_eq(&pair->own, &pair->dst)) {
        opt_addr(json, "own", &pair->own);
    }
    if (!sp_addr_eq(&pair->src_seen, &pair->src)) {
        opt_addr(json, "src_seen", &pair->src_seen);
    }
}

static void write_sweep(struct chain *chain, size_t index)
{
    const struct sp_result *result = chain->summary->result;
    const struct sp_plan_sweep *sweep = &result->plan->sweeps[index];
    const struct sp_sweep_status *status = &result->sweeps[index];
    struct sp_json json = begin(chain, SP_LINE_SWEEP);
    write_flow(&json, result, &result->plan->pairs[sweep->pair]);
    sp_json_str(&json, "protocol", sp_proto_str(sweep->proto));
    sp_json_str(&json, "technique", sp_technique_name(sweep->technique));
    sp_json_u64(&json, "denied", sweep->denied);
    sp_json_u64(&json, "allowed", sweep->allowed);
    sp_json_bool(&json, "is_run", status->is_run);
    opt_bool(&json, "resumed", status->is_resumed);
    sp_json_str(&json, "injected", status->injected_link ? "link" : "raw");
    sp_json_str(&json, "grade", sp_grade_str(status->grade));
    sp_json_u64(&json, "passes", status->passes);
    sp_json_u64(&json, "volleys", status->volleys);
    sp_json_u64(&json, "repeats", status->repeats);
    sp_json_u64(&json, "packets", status->packets);
    sp_json_u64(&json, "controls", status->beats);
    sp_json_u64(&json, "controls_lost", status->beats_lost);
    sp_json_u64(&json, "pps_lowest", status->pps_lowest);
    sp_json_u64(&json, "pps_highest", status->pps_highest);
    opt_u64(&json, "pilot", status->pilot_sent);
    opt_u64(&json, "pilot_refused", status->pilot_refused);
    end(chain, &json);
}

/* ---- what was found ---- */

static uint64_t key_of(uint32_t from, uint32_t to, uint32_t rule, const uint8_t small[5])
{
    static const struct sp_hash_key fixed = {0x736567706d616e69ULL, 0x666573742d763100ULL};
    uint8_t bytes[17];
    memcpy(bytes, &from, 4);
    memcpy(bytes + 4, &to, 4);
    memcpy(bytes + 8, &rule, 4);
    memcpy(bytes + 12, small, 5);
    return sp_siphash(&fixed, bytes, sizeof(bytes));
}

/* Which finding each verdict belongs to. Leaks of one flow may be several, each with its ports. */
struct index {
    struct sp_table last; /* by key */
    uint32_t *before;     /* the one before it with the same key, SP_NO_ROW; owned */
};

static enum sp_rc index_findings(const struct sp_summary *summary, struct index *index)
{
    enum sp_rc rc = SP_OK;
    index->before = sp_calloc(summary->nfindings + 1, sizeof(*index->before));
    if (!index->before) {
        return SP_E_NOMEM;
    }
    for (size_t i = 0; rc == SP_OK && i < summary->nfindings; i++) {
        const struct sp_finding *f = &summary->findings[i];
        const uint8_t small[5] = {f->family, f->proto, f->technique, f->expect,
                                  (uint8_t)f->verdict};
        uint64_t key = key_of(f->from, f->to, f->rule, small);
        index->before[i] = sp_table_get(&index->last, key);
        rc = sp_table_put(&index->last, key, (uint32_t)i);
    }
    return rc;
}

static bool has_port(const struct sp_finding *finding, uint16_t port)
{
    bool has = false;
    for (size_t i = 0; i < finding->nspans && !has; i++) {
        has = finding->spans[i].lo <= port && port <= finding->spans[i].hi;
    }
    return has;
}

/* The number of its finding, from 1; 0: it has none. */
static uint32_t finding_of(const struct sp_summary *summary, const struct index *index,
                           uint32_t test)
{
    const struct sp_result *result = summary->result;
    const struct sp_test *t = &result->tests[test];
    const struct sp_pair *pair = &result->plan->pairs[t->pair];
    enum sp_verdict verdict = result->outcomes[test].judged.verdict;
    if (!sp_verdict_is_finding(verdict)) {
        return 0;
    }
    const uint8_t small[5] = {pair->family, t->proto, t->technique, t->expect, (uint8_t)verdict};
    uint32_t rule = t->rule < result->model->nrules ? t->rule : SP_NONE;
    uint32_t row = sp_table_get(&index->last, key_of(pair->from, pair->to, rule, small));
    while (row != SP_NO_ROW && !has_port(&summary->findings[row], t->port)) {
        row = index->before[row];
    }
    return row == SP_NO_ROW ? 0 : row + 1;
}

static void write_captured(struct sp_json *json, const struct sp_tuple *captured)
{
    if (captured->src.family != SP_FAMILY_NONE) {
        struct sp_json inner = sp_json_begin();
        opt_addr(&inner, "src", &captured->src);
        opt_addr(&inner, "dst", &captured->dst);
        opt_u64(&inner, "sport", captured->sport);
        opt_u64(&inner, "dport", captured->dport);
        sp_json_object(json, "captured", &inner);
    }
}

/* A backend without a flow is told as well: that may be the finding. */
static void write_backends(struct sp_json *json, const struct sp_result *result, uint32_t test)
{
    const struct sp_outcome *outcome = &result->outcomes[test];
    const struct sp_listener *listener =
        sp_result_listener(result->model, result->plan, &result->tests[test]);
    struct sp_buf text;
    if (!outcome->backend_flows || !listener) {
        return;
    }
    sp_buf_init(&text, SP_JLINE_MAX_BYTES / 2);
    for (size_t i = 0; i < listener->nbackends; i++) {
        sp_buf_fmt(&text, "%s%s %u", i > 0 ? ", " : "",
                   sp_model_target_name(result->model, listener->backends[i]),
                   (unsigned)outcome->backend_flows[i]);
    }
    sp_json_str(json, "backend_flows", text.rc == SP_OK ? sp_buf_text(&text) : "too many");
    sp_buf_release(&text);
}

static void write_rule(struct sp_json *json, const struct sp_model *model, uint32_t rule,
                       uint8_t expect)
{
    if (rule < model->nrules) {
        sp_json_u64(json, "rule", rule);
    }
    sp_json_str(json, "policy", sp_rule_name(model, rule, expect));
}

static void write_test(struct chain *chain, const struct index *findings, uint32_t index)
{
    const struct sp_result *result = chain->summary->result;
    const struct sp_test *test = &result->tests[index];
    const struct sp_outcome *outcome = &result->outcomes[index];
    const struct sp_seen *seen = &outcome->seen;
    const struct sp_case what = sp_result_case(result->model, result->plan, test);
    struct sp_json json = begin(chain, SP_LINE_TEST);
    sp_json_u64(&json, "test", index);
    write_flow(&json, result, &result->plan->pairs[test->pair]);
    sp_json_str(&json, "protocol", sp_proto_str(test->proto));
    sp_json_u64(&json, "port", test->port);
    opt_u64(&json, "port_hi", test->port_hi > test->port ? test->port_hi : 0);
    sp_json_str(&json, "technique", sp_technique_name(test->technique));
    sp_json_str(&json, "why", sp_why_str(test->why));
    write_rule(&json, result->model, test->rule, test->expect);
    sp_set_write(SP_SET_CASE, &what, &json);
    struct sp_json inner = sp_json_begin();
    sp_set_write(SP_SET_SEEN, seen, &inner);
    if (seen->elsewhere > 0 && seen->elsewhere_host < sp_model_ntargets(result->model)) {
        sp_json_str(&inner, "elsewhere_host",
                    sp_model_target_name(result->model, seen->elsewhere_host));
    }
    opt_addr(&inner, "answerer_addr", &seen->answerer_addr);
    sp_json_object(&json, "seen", &inner);
    write_captured(&json, &seen->captured);
    write_backends(&json, result, index);
    sp_json_str(&json, "grade", sp_grade_str(outcome->grade));
    opt_u64(&json, "controls", outcome->control_sent);
    opt_u64(&json, "controls_lost", outcome->control_lost);
    sp_json_str(&json, "injected", outcome->injected_link ? "link" : "raw");
    sp_set_write(SP_SET_JUDGED, &outcome->judged, &json);
    opt_str(&json, "not_tested", outcome->not_tested);
    opt_u64(&json, "finding", finding_of(chain->summary, findings, index));
    end(chain, &json);
}

static void write_finding(struct chain *chain, const struct sp_finding *finding)
{
    const struct sp_model *model = chain->summary->result->model;
    struct sp_json json = begin(chain, SP_LINE_FINDING);
    sp_json_u64(&json, "finding", chain->of[SP_LINE_FINDING]);
    sp_json_str(&json, "id", finding->id);
    sp_json_str(&json, "verdict", sp_verdict_str(finding->verdict));
    sp_json_str(&json, "severity", sp_severity_str(finding->severity));
    sp_json_str(&json, "from", sp_model_target_name(model, finding->from));
    sp_json_str(&json, "to", sp_model_target_name(model, finding->to));
    sp_json_str(&json, "family", sp_family_str(finding->family));
    sp_json_str(&json, "protocol", sp_proto_str(finding->proto));
    sp_json_str(&json, "technique", sp_technique_name(finding->technique));
    sp_json_str(&json, "expect", sp_expect_str(finding->expect));
    write_rule(&json, model, finding->rule, finding->expect);
    sp_json_u64(&json, "checks", finding->tests);
    opt_str(&json, "evidence", finding->evidence);
    opt_str(&json, "no_evidence", finding->evidence ? NULL : finding->no_evidence);
    end(chain, &json);
}

static void write_claim(struct chain *chain, const struct sp_claim *claim)
{
    const struct sp_model *model = chain->summary->result->model;
    const char *verdict = sp_claim_verdict_str(claim->verdict);
    struct sp_json json = begin(chain, SP_LINE_CLAIM);
    sp_json_str(&json, "kind", sp_claim_kind_str(claim->kind));
    sp_json_str(&json, "check", claim->check);
    sp_json_str(&json, "subject", claim->subject);
    sp_json_str(&json, "verdict", verdict ? verdict : sp_claim_verdict_str(SP_CLAIM_UNKNOWN));
    if (claim->verdict == SP_CLAIM_FAILS) {
        sp_json_str(&json, "severity", sp_severity_str(claim->severity));
    }
    if (claim->host < model->nhosts) {
        sp_json_str(&json, "host", model->hosts[claim->host].name);
    }
    opt_str(&json, "expected", claim->expected);
    opt_str(&json, "observed", claim->observed);
    opt_str(&json, "source", claim->source);
    opt_str(&json, "cause", claim->cause);
    opt_u64(&json, "line", claim->pos.line);
    end(chain, &json);
}

static void write_file(struct chain *chain, const struct sp_manifest_file *file)
{
    struct sp_json json = begin(chain, SP_LINE_FILE);
    sp_json_str(&json, "name", file->name);
    sp_json_u64(&json, "bytes", file->bytes);
    sp_json_str(&json, "sha256", file->sha256);
    opt_u64(&json, "packets", file->packets);
    end(chain, &json);
}

static void write_end(struct chain *chain)
{
    const struct sp_summary *summary = chain->summary;
    struct sp_json json = begin(chain, SP_LINE_END);
    sp_json_str(&json, "verdict", sp_overall_str(summary->overall));
    sp_json_u64(&json, "exit_code", (uint64_t)summary->exit_code);
    struct sp_json inner = sp_json_begin();
    sp_set_write(SP_SET_COUNTS, &summary->counts, &inner);
    sp_json_object(&json, "counts", &inner);
    inner = sp_json_begin();
    for (unsigned type = 0; type < SP_LINE_COUNT; type++) {
        sp_json_u64(&inner, sp_line_str(type), chain->of[type]);
    }
    sp_json_object(&json, "lines", &inner);
    sp_json_u64(&json, "packets_sent", summary->result->packets_sent);
    sp_json_u64(&json, "packets_captured", summary->result->packets_captured);
    sp_json_u64(&json, "capture_drops", summary->result->capture_drops);
    opt_u64(&json, "packets_not_kept", summary->result->evidence->lost);
    end(chain, &json);
}

enum sp_rc sp_manifest_write(const struct sp_summary *summary, const struct sp_manifest_how *how,
                             const struct sp_manifest_files *files, struct sp_buf *out,
                             struct sp_seal *ret_seal)
{
    const struct sp_result *result = summary->result;
    struct chain chain = {.summary = summary, .out = out, .prev = SP_MANIFEST_NO_PREV};
    struct index findings = {.before = NULL};
    sp_table_init(&findings.last);
    chain.rc = result->evidence ? index_findings(summary, &findings) : SP_E_INVALID;
    if (chain.rc == SP_OK) {
        write_run(&chain, how);
    }
    for (size_t h = 0; chain.rc == SP_OK && h < result->model->nhosts; h++) {
        if (result->hosts[h].wanted) {
            write_host(&chain, &result->hosts[h]);
        }
    }
    for (size_t i = 0; chain.rc == SP_OK && i < result->evidence->nbatches; i++) {
        write_batch(&chain, &result->evidence->batches[i]);
    }
    for (size_t i = 0; chain.rc == SP_OK && i < result->plan->nsweeps; i++) {
        write_sweep(&chain, i);
    }
    for (uint32_t i = 0; chain.rc == SP_OK && i < result->ntests; i++) {
        write_test(&chain, &findings, i);
    }
    for (size_t i = 0; chain.rc == SP_OK && i < result->claims.n; i++) {
        write_claim(&chain, &result->claims.at[i]);
    }
    for (size_t i = 0; chain.rc == SP_OK && i < summary->nfindings; i++) {
        write_finding(&chain, &summary->findings[i]);
    }
    for (size_t i = 0; chain.rc == SP_OK && i < files->n; i++) {
        write_file(&chain, &files->at[i]);
    }
    if (chain.rc == SP_OK) {
        write_end(&chain);
    }
    sp_table_release(&findings.last);
    sp_free(findings.before);
    if (chain.rc == SP_OK) {
        *ret_seal = (struct sp_seal){.lines = chain.n};
        memcpy(ret_seal->run_id, result->run_id, sizeof(ret_seal->run_id));
        memcpy(ret_seal->header, chain.first, sizeof(ret_seal->header));
        memcpy(ret_seal->chain, chain.prev, sizeof(ret_seal->chain));
    }
    return chain.rc;
}
