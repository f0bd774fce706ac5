/* SPDX-License-Identifier: Apache-2.0
 *
 * Nodes: what their probes read of them without any privilege, against what is declared. */
#include <stdio.h>
#include <string.h>

#include "controller/ask.h"
#include "controller/inspect/inspect.h"
#include "controller/inspect/nodes.h"
#include "controller/round.h"
#include "probe/base/mem.h"

#define SP_FACTS_TIMEOUT_MS 15000U
#define SP_FACTS_AT_ONCE    1U
#define SP_FACTS_TEXT_MAX   16384U

/* Facts of which a note is made where nothing is declared; their names are those of the claims. */
static const unsigned noted[] = {
    SP_FLOOR_KERNEL,    SP_FLOOR_OS,         SP_FLOOR_FIPS,        SP_FLOOR_LOCKDOWN,
    SP_FLOOR_LSM,       SP_FLOOR_LSM_LABEL,  SP_FLOOR_MITIGATIONS, SP_FLOOR_VIRTUALISATION,
    SP_FLOOR_MEMORY,    SP_FLOOR_CPUS,       SP_FLOOR_LISTENERS,   SP_FLOOR_SSHD,
    SP_FLOOR_RP_FILTER, SP_FLOOR_FORWARDING, SP_FLOOR_CONNTRACK,   SP_FLOOR_PORT_RANGE,
    SP_FLOOR_ZONE,      SP_FLOOR_MODULES,
};

static bool is_wanted(const struct sp_inspect *inspect, const struct sp_model *model, uint32_t host)
{
    return model->hosts[host].via &&
           (sp_inspect_is_from(inspect, host) || sp_inspect_is_to(inspect, host));
}

static void want(const struct sp_inspect *inspect, const struct sp_model *model,
                 struct sp_bits *hosts)
{
    for (size_t f = 0; f < model->nfloors; f++) {
        const struct sp_floor *floor = &model->floors[f];
        bool needs_probe = false;
        for (size_t i = 0; i < floor->nlines; i++) {
            needs_probe = needs_probe || floor->lines[i].check != SP_FLOOR_KUBE_BENCH;
        }
        for (uint32_t h = 0; needs_probe && h < model->nhosts; h++) {
            if (sp_bits_get(&floor->hosts, h) && is_wanted(inspect, model, h)) {
                sp_bits_set(hosts, h);
            }
        }
    }
}

bool sp_nodes_counts(const struct sp_nodes *nodes, const struct sp_floor *floor, unsigned check,
                     uint32_t host)
{
    return nodes->hosts[host].is_wanted && sp_floor_counts(nodes->model, floor, check, host);
}

/* ---- asking ---- */

/* What a question about a host asks by name: paths and modules. */
static void ask_of(const struct sp_model *model, uint32_t host, struct sp_buf *text)
{
    static const struct {
        unsigned check;
        const char *key;
    } asked[] = {{SP_FLOOR_DISK_ENCRYPTION, "disk"}, {SP_FLOOR_MODULES, "module"}};
    for (size_t f = 0; f < model->nfloors; f++) {
        for (size_t k = 0; k < SP_ARRAY_LEN(asked); k++) {
            const struct sp_floor_line *line = sp_floor_find(&model->floors[f], asked[k].check);
            if (!line || !sp_floor_counts(model, &model->floors[f], asked[k].check, host)) {
                continue;
            }
            for (size_t i = 0; i < line->nwords; i++) {
                sp_fields_add(text, asked[k].key, line->words[i]);
            }
        }
    }
}

static enum sp_rc take_answer(struct sp_node_told *host, const struct sp_question *question)
{
    static const char *const states[] = {[SP_TOLD_NONE] = "its probe did not answer in time",
                                         [SP_TOLD_LOST] = "its probe is gone",
                                         [SP_TOLD_BAD] = "what its probe told was no answer"};
    enum sp_rc rc = SP_OK;
    host->reason[0] = '\0';
    if (question->state != SP_TOLD_WHOLE) {
        (void)snprintf(host->reason, sizeof(host->reason), "%s", states[question->state]);
        return SP_OK;
    }
    rc = sp_told_read(sp_buf_text(&question->answer), question->answer.len, &host->told);
    if (rc != SP_OK || host->told.error) {
        (void)snprintf(host->reason, sizeof(host->reason), "%s%.200s",
                       rc != SP_OK ? states[SP_TOLD_BAD] : "its probe says: ",
                       rc != SP_OK ? "" : host->told.error);
        sp_told_release(&host->told);
    }
    return rc == SP_E_NOMEM ? rc : SP_OK;
}

static enum sp_rc ask(struct sp_nodes *nodes, struct sp_run_state *run)
{
    size_t nhosts = nodes->model->nhosts;
    struct sp_question *questions = sp_calloc(nhosts, sizeof(*questions));
    struct sp_buf *texts = sp_calloc(nhosts, sizeof(*texts));
    size_t n = 0;
    enum sp_rc rc = questions && texts ? SP_OK : SP_E_NOMEM;
    for (uint32_t h = 0; rc == SP_OK && h < nhosts; h++) {
        if (!nodes->hosts[h].is_wanted || run->fleet->sessions[h].state != SP_PROBE_READY) {
            continue;
        }
        sp_buf_init(&texts[n], SP_FACTS_TEXT_MAX);
        ask_of(nodes->model, h, &texts[n]);
        rc = texts[n].rc == SP_E_NOMEM ? SP_E_NOMEM : SP_OK;
        questions[n] = (struct sp_question){.host = h,
                                            .topic = SP_TOPIC_FACTS,
                                            .text = sp_buf_text(&texts[n]),
                                            .len = texts[n].len,
                                            .timeout_ms = SP_FACTS_TIMEOUT_MS};
        n++;
    }
    if (rc == SP_OK) {
        rc = sp_ask_all(run->fleet, questions, n, SP_FACTS_AT_ONCE);
        for (size_t i = 0; i < n && rc == SP_OK; i++) {
            rc = take_answer(&nodes->hosts[questions[i].host], &questions[i]);
        }
        sp_questions_release(questions, n);
    }
    for (size_t i = 0; i < n; i++) {
        sp_buf_release(&texts[i]);
    }
    sp_free(texts);
    sp_free(questions);
    return rc;
}

/* ---- claims ---- */

/* The addresses that the sensor told when it started. */
static enum sp_rc own_addrs(const struct sp_nodes *nodes, uint32_t host, struct sp_addr **ret_addrs,
                            size_t *ret_n)
{
    const struct sp_session *session = &nodes->fleet->sessions[host];
    struct sp_addr *addrs = sp_calloc(session->nown, sizeof(*addrs));
    if (!addrs) {
        return SP_E_NOMEM;
    }
    for (size_t i = 0; i < session->nown; i++) {
        addrs[i] = session->own[i].addr;
    }
    *ret_addrs = addrs;
    *ret_n = session->nown;
    return SP_OK;
}

static const char *text_or_null(const struct sp_buf *buf)
{
    return buf->len > 0 ? sp_buf_text(buf) : NULL;
}

static enum sp_rc add_line(struct sp_nodes *nodes, uint32_t host, const struct sp_floor_line *line)
{
    const struct sp_node_told *told = &nodes->hosts[host];
    struct sp_addr *addrs = NULL;
    struct sp_buf expected;
    struct sp_node_look look = {
        .model = nodes->model, .host = host, .line = line, .told = &told->told};
    sp_node_look_init(&look);
    sp_buf_init(&expected, SP_FACTS_TEXT_MAX);
    sp_node_expected(line, &expected);
    enum sp_rc rc = own_addrs(nodes, host, &addrs, &look.naddrs);
    look.addrs = addrs;
    if (rc == SP_OK && told->reason[0]) {
        sp_node_is(&look, SP_CLAIM_UNKNOWN);
        sp_node_because(&look, "%s", told->reason);
    } else if (rc == SP_OK) {
        rc = sp_node_judge(&look);
    }
    rc = rc == SP_OK && expected.rc == SP_E_NOMEM ? SP_E_NOMEM : rc;
    if (rc == SP_OK) {
        const struct sp_claim claim = {.kind = SP_CLAIM_NODE,
                                       .verdict = look.verdict,
                                       .severity = sp_node_severity(line->check),
                                       .host = host,
                                       .target = host,
                                       .check = sp_node_check_name(line->check),
                                       .subject = nodes->model->hosts[host].name,
                                       .expected = sp_buf_text(&expected),
                                       .observed = text_or_null(&look.observed),
                                       .source = look.source,
                                       .cause = text_or_null(&look.cause),
                                       .remedy = look.remedy,
                                       .pos = line->pos};
        rc = sp_claims_add(&nodes->result->claims, &claim);
    }
    sp_buf_release(&expected);
    sp_node_look_release(&look);
    sp_free(addrs);
    return rc;
}

void sp_nodes_fact_text(const struct sp_told_list *told, const char *name, struct sp_buf *out,
                        bool *is_known)
{
    *is_known = false;
    for (size_t i = 0; i < told->n; i++) {
        const struct sp_told *fact = &told->at[i];
        if (strcmp(fact->name, name) != 0 || (!fact->unknown && fact->nvalues == 0)) {
            continue;
        }
        sp_buf_str(out, out->len > 0 ? "; " : "");
        if (fact->of) {
            sp_buf_fmt(out, "%s: ", fact->of);
        }
        if (fact->unknown) {
            sp_buf_fmt(out, "unknown (%s)", fact->unknown);
            continue;
        }
        *is_known = true;
        for (size_t k = 0; k < fact->nvalues; k++) {
            sp_buf_fmt(out, "%s%s", k > 0 ? ", " : "", fact->values[k]);
        }
        sp_buf_str(out, fact->is_cut ? ", ..." : "");
    }
}

static enum sp_rc add_note(struct sp_nodes *nodes, uint32_t host, unsigned check)
{
    const struct sp_told_list *told = &nodes->hosts[host].told;
    const char *name = sp_node_check_name(check);
    const char *source = NULL;
    bool is_known = false;
    struct sp_buf text;
    sp_buf_init(&text, SP_FACTS_TEXT_MAX);
    sp_nodes_fact_text(told, name, &text, &is_known);
    for (size_t i = told->n; i > 0; i--) {
        source = strcmp(told->at[i - 1].name, name) == 0 ? told->at[i - 1].source : source;
    }
    enum sp_rc rc = text.rc == SP_E_NOMEM ? SP_E_NOMEM : SP_OK;
    if (rc == SP_OK && text.len > 0) {
        const struct sp_claim claim = {.kind = SP_CLAIM_NODE,
                                       .verdict = SP_CLAIM_NOTE,
                                       .host = host,
                                       .target = host,
                                       .check = name,
                                       .subject = nodes->model->hosts[host].name,
                                       .observed = sp_buf_text(&text),
                                       .source = source};
        rc = sp_claims_add(&nodes->result->claims, &claim);
    }
    sp_buf_release(&text);
    return rc;
}

static enum sp_rc add_host(struct sp_nodes *nodes, uint32_t host)
{
    bool is_declared[SP_FLOOR_COUNT] = {false};
    enum sp_rc rc = SP_OK;
    for (size_t f = 0; f < nodes->model->nfloors; f++) {
        const struct sp_floor *floor = &nodes->model->floors[f];
        for (size_t i = 0; i < floor->nlines && rc == SP_OK; i++) {
            const struct sp_floor_line *line = &floor->lines[i];
            if (line->check != SP_FLOOR_DRIFT && line->check != SP_FLOOR_KUBE_BENCH &&
                sp_nodes_counts(nodes, floor, line->check, host)) {
                is_declared[line->check] = true;
                rc = add_line(nodes, host, line);
            }
        }
    }
    for (size_t i = 0; i < SP_ARRAY_LEN(noted) && rc == SP_OK; i++) {
        if (!is_declared[noted[i]]) {
            rc = add_note(nodes, host, noted[i]);
        }
    }
    return rc;
}

static enum sp_rc look(const struct sp_inspect *inspect, struct sp_run_state *run,
                       struct sp_diag *diag)
{
    struct sp_nodes nodes = {.model = run->model, .result = inspect->result, .fleet = run->fleet};
    nodes.hosts = sp_calloc(run->model->nhosts, sizeof(*nodes.hosts));
    if (!nodes.hosts) {
        return sp_fail(diag, SP_E_NOMEM, "nodes", "out of memory");
    }
    for (uint32_t h = 0; h < run->model->nhosts; h++) {
        nodes.hosts[h].is_wanted = is_wanted(inspect, run->model, h);
        (void)snprintf(nodes.hosts[h].reason, sizeof(nodes.hosts[h].reason),
                       "its probe is not there");
    }
    enum sp_rc rc = ask(&nodes, run);
    for (uint32_t h = 0; h < run->model->nhosts && rc == SP_OK; h++) {
        rc = nodes.hosts[h].is_wanted ? add_host(&nodes, h) : SP_OK;
    }
    rc = rc == SP_OK ? sp_nodes_judge_drift(&nodes) : rc;
    rc = rc == SP_OK ? sp_nodes_judge_bench(&nodes) : rc;
    for (uint32_t h = 0; h < run->model->nhosts; h++) {
        sp_told_release(&nodes.hosts[h].told);
    }
    sp_free(nodes.hosts);
    return rc == SP_OK ? SP_OK : sp_fail(diag, rc, "nodes", "%s", sp_rc_str(rc));
}

const struct sp_inspector sp_inspect_nodes = {.want = want, .look = look};
