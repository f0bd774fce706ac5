/* SPDX-License-Identifier: Apache-2.0 */
#include "controller/trace/session.h"

#include <event2/event.h>
#include <stdio.h>
#include <string.h>

#include "controller/evidence.h"
#include "controller/progress.h"
#include "controller/run_priv.h"
#include "probe/base/mem.h"
#include "probe/techniques/registry.h"

/* TTLs that are tried while nobody knows how far away the receiver is. */
#define SP_TRACE_TTLS      12U
/* Linux sends one ICMP error a second to the same host, after a few at once. */
#define SP_TRACE_GAP_US    1200000U
/* A Linux router that has no route counts every packet twice against that (once for the error, once
 * for its message), so that it says so only after two seconds of silence. */
#define SP_TRACE_SLOW_US   2400000U
#define SP_TRACE_BESIDE_US 5000U
#define SP_WATCHERS_MAX    16U
#define SP_OTHERS_MAX      16U
#define SP_WATCHER_WAIT    10000U

/* ---- the tests that are traced ---- */

enum sp_rc sp_trace_session_init(struct sp_trace_session *session, const struct sp_plan *plan,
                                 const struct sp_model *model, const struct sp_result *result)
{
    enum sp_rc rc = sp_bits_init(&session->watchers, model->nhosts);
    session->result = result;
    for (uint32_t i = 0; rc == SP_OK && i < plan->ntests; i++) {
        const struct sp_test *test = &plan->tests[i];
        const struct sp_pair *pair = &plan->pairs[test->pair];
        if (pair->from != session->from || pair->to != session->to ||
            (test->proto != session->proto &&
             !(session->proto == SP_PROTO_ICMP && test->proto == SP_PROTO_ICMP6)) ||
            (test->port != session->port && test->proto != SP_PROTO_ICMP6) ||
            sp_technique_talks(test->technique)) {
            continue;
        }
        if (sp_grow((void **)&session->traced, session->n, &session->cap,
                    sizeof(*session->traced)) != 0) {
            return SP_E_NOMEM;
        }
        session->traced[session->n++] =
            (struct sp_traced){.test = i,
                               .trace = {.model = model,
                                         .pair = pair,
                                         .test = test,
                                         .elsewhere = SP_NONE,
                                         .outcome = &result->outcomes[i]}};
    }
    return rc == SP_OK ? sp_evidence_new(session->n, &session->packets) : rc;
}

void sp_trace_session_release(struct sp_trace_session *session)
{
    sp_bits_release(&session->watchers);
    sp_evidence_free(session->packets);
    sp_free(session->traced);
}

/* ---- the flow that the hops are learnt with ---- */

struct sp_control_flow sp_trace_flow(const struct sp_pair *pair, const struct sp_test *test)
{
    return (struct sp_control_flow){.from = pair->from,
                                    .to = pair->one_sided ? SP_NONE : pair->to,
                                    .src = pair->src,
                                    .dst = pair->dst,
                                    .own = pair->own,
                                    .src_seen = pair->src_seen,
                                    .technique = test->technique,
                                    .port = test->port};
}

static bool is_arriving(const struct sp_outcome *outcome)
{
    return outcome->seen.nic > 0 && outcome->seen.nic == outcome->seen.attempts &&
           outcome->seen.elsewhere == 0;
}

/* An allowed flow between the same two addresses that was delivered, of the same protocol if there
 * is one; else the flow itself if it arrives; else an echo, which routers let pass most often. */
static void choose_reference(struct sp_trace_session *session, struct sp_traced *traced,
                             const struct sp_run_state *run)
{
    const struct sp_plan *plan = run->plan;
    const struct sp_test *own = traced->trace.test;
    const struct sp_pair *pair = traced->trace.pair;
    const struct sp_test *best = NULL;
    for (size_t i = 0; i < plan->ntests; i++) {
        const struct sp_test *test = &plan->tests[i];
        if (i != traced->test && test->pair == own->pair && test->expect != SP_EXPECT_DENY &&
            !sp_technique_talks(test->technique) && is_arriving(&run->outcomes[i]) &&
            (!best || (best->proto != own->proto && test->proto == own->proto))) {
            best = test;
        }
    }
    bool v6 = pair->family == SP_FAMILY_IPV6;
    const struct sp_technique_info *echo = sp_technique_find("icmp_echo");
    bool is_own = !best && (is_arriving(&run->outcomes[traced->test]) || !echo ||
                            own->technique == sp_technique_index(echo));
    const struct sp_test made = {.proto = v6 ? SP_PROTO_ICMP6 : SP_PROTO_ICMP,
                                 .port = v6 ? SP_PORT_ICMP6_ECHO : SP_PORT_ICMP_ECHO,
                                 .technique = echo ? (uint8_t)sp_technique_index(echo) : 0};
    const struct sp_test *test = best ? best : is_own ? own : &made;
    char port[SP_PORTSPEC_STRLEN];
    traced->reference = sp_trace_flow(pair, test);
    traced->trace.has_reference = true;
    session->is_slow = session->is_slow || (!best && !is_arriving(&run->outcomes[traced->test]));
    traced->trace.reference_is_flow = is_own;
    (void)snprintf(traced->trace.reference, sizeof(traced->trace.reference), "%s/%s",
                   sp_proto_str(test->proto), sp_proto_port_str(test->proto, test->port, port));
}

/* ---- blocks and shots ---- */

struct sp_block_plan sp_trace_block(const struct sp_control_flow *flow, uint16_t attempts)
{
    return (struct sp_block_plan){.from = flow->from,
                                  .to = flow->to,
                                  .src = flow->src,
                                  .dst = flow->dst,
                                  .own = flow->own,
                                  .src_seen = flow->src_seen,
                                  .technique = flow->technique,
                                  .attempts = attempts};
}

bool sp_trace_add_shot(struct sp_run_state *run, struct sp_batch *batch, uint32_t block,
                       uint16_t attempt, uint16_t port, uint32_t at_us)
{
    const struct sp_block_plan *plan = &batch->blocks[block];
    uint16_t sport = sp_ledger_take(run->ledger, &plan->src, &plan->dst,
                                    sp_technique_at(plan->technique)->proto, port, true);
    return sport && sp_batch_add_shot(batch, block, attempt, port, sport, at_us) != SP_NONE;
}

/* One packet per TTL. */
static uint32_t add_ttls(struct sp_run_state *run, struct sp_batch *batch,
                         const struct sp_control_flow *flow, uint8_t limit, uint32_t at_us)
{
    struct sp_block_plan plan = sp_trace_block(flow, limit);
    double step = sp_round_spacing_us(run, flow->from);
    plan.ttl = 1;
    uint32_t block = sp_batch_add_block(batch, &plan);
    for (uint16_t k = 0; block != SP_NONE && k < limit; k++) {
        if (!sp_trace_add_shot(run, batch, block, k, flow->port, at_us + (uint32_t)(step * k))) {
            return SP_NONE;
        }
    }
    return block;
}

static bool is_stopped(const struct sp_run_state *run)
{
    return run->stop_flag && *run->stop_flag;
}

static enum sp_rc carry_out(struct sp_run_state *run, struct sp_batch *batch, struct sp_diag *diag)
{
    enum sp_rc rc = batch->nshots > 0 ? sp_batch_run(batch, diag) : SP_OK;
    if (rc == SP_OK && batch->nshots > 0) {
        run->max_rtt_us = batch->max_rtt_us > run->max_rtt_us ? batch->max_rtt_us : run->max_rtt_us;
        sp_round_add_counters(run, batch);
    }
    return rc;
}

/* ---- the steps ---- */

bool sp_trace_can(const struct sp_traced *traced, const struct sp_run_state *run)
{
    return traced->trace.is_tested &&
           run->fleet->sessions[traced->trace.pair->from].state == SP_PROBE_READY;
}

/* The hops, with a flow that is known to pass. */
static enum sp_rc learn(struct sp_trace_session *session, struct sp_run_state *run,
                        struct sp_diag *diag)
{
    struct sp_batch *batch = NULL;
    struct sp_trace_shots *shots = sp_calloc(session->n, sizeof(*shots));
    enum sp_rc rc = shots ? sp_round_new_batch(run, &batch) : SP_E_NOMEM;
    for (size_t i = 0; rc == SP_OK && i < session->n; i++) {
        struct sp_traced *traced = &session->traced[i];
        shots[i] = (struct sp_trace_shots){.reference = {SP_NONE, SP_NONE}};
        traced->limit = SP_TRACE_TTLS;
        for (unsigned k = 0; sp_trace_can(traced, run) && k < 2 && rc == SP_OK; k++) {
            uint32_t at = session->is_slow ? (k + 1) * SP_TRACE_SLOW_US : k * SP_TRACE_GAP_US;
            shots[i].reference[k] = add_ttls(run, batch, &traced->reference, traced->limit, at);
            rc = shots[i].reference[k] == SP_NONE ? SP_E_LIMIT : SP_OK;
        }
    }
    if (rc == SP_OK) {
        rc = carry_out(run, batch, diag);
    }
    for (size_t i = 0; rc == SP_OK && i < session->n; i++) {
        if (shots[i].reference[0] != SP_NONE) {
            sp_trace_learn(&session->traced[i], batch, &shots[i], run->model);
        }
    }
    sp_batch_free(batch);
    sp_free(shots);
    return rc;
}

static bool is_router_role(const struct sp_host *host)
{
    static const char *const roles[] = {"router", "gateway", "firewall"};
    for (size_t i = 0; host->role && i < SP_ARRAY_LEN(roles); i++) {
        if (strcmp(host->role, roles[i]) == 0) {
            return true;
        }
    }
    return false;
}

/* What does not arrive may arrive elsewhere: hosts beside the receiver listen, too. */
static size_t start_others(const struct sp_trace_session *session, struct sp_run_state *run)
{
    size_t n = 0;
    bool is_lost = false;
    const struct sp_model *model = run->model;
    for (size_t i = 0; i < session->n; i++) {
        is_lost = is_lost || session->traced[i].trace.outcome->seen.nic == 0;
    }
    for (uint32_t h = 0; is_lost && h < model->nhosts && n < SP_OTHERS_MAX; h++) {
        const struct sp_host *host = &model->hosts[h];
        if (host->via && host->naddrs > 0 && host->network == model->hosts[session->to].network &&
            run->fleet->sessions[h].state == SP_PROBE_UNUSED) {
            sp_fleet_start(run->fleet, h, host->addrs, 1);
            n++;
        }
    }
    return n;
}

/* Probes on declared hosts that stand on the way, or say that they route. */
static void start_watchers(struct sp_trace_session *session, struct sp_run_state *run)
{
    size_t n = 0;
    for (uint32_t h = 0; h < run->model->nhosts && n < SP_WATCHERS_MAX; h++) {
        const struct sp_host *host = &run->model->hosts[h];
        bool stands = is_router_role(host);
        for (size_t i = 0; i < session->n && !stands; i++) {
            const struct sp_trace *t = &session->traced[i].trace;
            for (size_t k = 0; k < t->nhops && !stands; k++) {
                stands = t->hops[k].host == h;
            }
        }
        if (!stands || !host->via || h == session->from || h == session->to ||
            session->no_watchers || host->naddrs == 0) {
            continue;
        }
        if (run->fleet->sessions[h].state == SP_PROBE_UNUSED) {
            sp_fleet_start(run->fleet, h, host->addrs, 1); /* it only looks */
            n++;
        }
        sp_bits_set(&session->watchers, h);
    }
    n += start_others(session, run);
    if (n > 0) {
        sp_fleet_wait(run->fleet, SP_WATCHER_WAIT);
    }
    for (uint32_t h = 0; h < run->model->nhosts; h++) {
        const struct sp_session *probe = &run->fleet->sessions[h];
        if (sp_bits_get(&session->watchers, h) && probe->state == SP_PROBE_LOST) {
            (void)fprintf(stderr,
                          "segproof: warning: no probe on %s, which stands on the way: %s\n",
                          run->model->hosts[h].name, probe->reason);
        }
    }
}

/* The flow itself: by TTL, and whole, while everybody on the way looks. */
static enum sp_rc add_flow(const struct sp_trace_session *session, struct sp_run_state *run,
                           struct sp_batch *batch, struct sp_traced *traced,
                           struct sp_trace_shots *shots)
{
    uint32_t gap = session->is_slow ? SP_TRACE_SLOW_US : SP_TRACE_GAP_US;
    uint32_t first = session->is_slow ? gap : 0;
    uint32_t whole = session->is_slow ? gap : gap / 2; /* together: no silence is lost between */
    const struct sp_control_flow flow = sp_trace_flow(traced->trace.pair, traced->trace.test);
    struct sp_block_plan plan = sp_trace_block(&flow, SP_TRACE_PLAIN);
    plan.is_watched = true;
    plan.flags = traced->trace.test->expect == SP_EXPECT_DENY ? 0 : SP_BLOCK_REPLY;
    shots->plain = sp_batch_add_block(batch, &plan);
    for (uint16_t k = 0; shots->plain != SP_NONE && k < SP_TRACE_PLAIN; k++) {
        if (!sp_trace_add_shot(run, batch, shots->plain, k, flow.port, whole + k * gap)) {
            return SP_E_LIMIT;
        }
    }
    for (unsigned k = 0; k < SP_ARRAY_LEN(shots->flow); k++) {
        shots->flow[k] =
            add_ttls(run, batch, &flow, traced->limit, first + k * gap + SP_TRACE_BESIDE_US);
        if (shots->flow[k] == SP_NONE) {
            return SP_E_LIMIT;
        }
    }
    return shots->plain == SP_NONE ? SP_E_LIMIT : SP_OK;
}

/* The packets of the first whole attempts, from everybody who may have seen them. */
static void fetch_packets(struct sp_trace_session *session, struct sp_run_state *run,
                          struct sp_batch *batch, const struct sp_trace_shots *shots)
{
    if (!run->evidence) {
        return;
    }
    struct sp_gather *gather = sp_evidence_open(run, batch, session->packets);
    for (uint32_t i = 0; i < session->n; i++) {
        for (uint16_t k = 0; shots[i].plain != SP_NONE && k < 2; k++) {
            const struct sp_block_plan *block = &batch->blocks[shots[i].plain];
            for (uint32_t h = 0; h < run->model->nhosts; h++) {
                bool is_part = h == block->from || h == block->to ||
                               h == session->traced[i].trace.elsewhere ||
                               sp_bits_get(&session->watchers, h);
                if (!is_part || !batch->hosts[h].is_collected || batch->hosts[h].is_lost) {
                    continue;
                }
                const struct sp_want want = {.host = h,
                                             .test = i,
                                             .block = (uint16_t)(block->first + k),
                                             .port = session->traced[i].trace.test->port,
                                             .attempt = (uint16_t)(k + 1)};
                sp_gather_add(gather, &want);
            }
        }
    }
    sp_evidence_ask(run);
    for (uint32_t i = 0; i < session->n; i++) {
        sp_trace_add_packets(&session->traced[i].trace, session->packets, i);
    }
}

static enum sp_rc ask(struct sp_trace_session *session, struct sp_run_state *run,
                      struct sp_diag *diag)
{
    struct sp_batch *batch = NULL;
    struct sp_trace_shots *shots = sp_calloc(session->n, sizeof(*shots));
    enum sp_rc rc = shots ? sp_round_new_batch(run, &batch) : SP_E_NOMEM;
    for (size_t i = 0; rc == SP_OK && i < session->n; i++) {
        shots[i] = (struct sp_trace_shots){.plain = SP_NONE};
        if (sp_trace_can(&session->traced[i], run)) {
            rc = add_flow(session, run, batch, &session->traced[i], &shots[i]);
        }
    }
    if (rc == SP_OK) {
        batch->watchers = &session->watchers;
        rc = carry_out(run, batch, diag);
    }
    for (size_t i = 0; rc == SP_OK && i < session->n; i++) {
        if (shots[i].plain != SP_NONE) {
            sp_trace_take(&session->traced[i], run, batch, &shots[i], &session->watchers);
        }
    }
    if (rc == SP_OK && batch->nshots > 0) {
        fetch_packets(session, run, batch, shots);
    }
    sp_batch_free(batch);
    sp_free(shots);
    return rc;
}

static void begin(struct sp_trace_session *session, struct sp_traced *traced,
                  const struct sp_run_state *run)
{
    struct sp_trace *t = &traced->trace;
    const uint32_t ends[2] = {t->pair->from, t->pair->to};
    t->is_tested = !t->outcome->not_tested;
    for (size_t i = 0; i < SP_ARRAY_LEN(ends); i++) {
        const struct sp_session *probe =
            ends[i] < run->model->nhosts ? &run->fleet->sessions[ends[i]] : NULL;
        if (probe && probe->state == SP_PROBE_LOST && t->host_reason[0] == '\0') {
            (void)snprintf(t->host_reason, sizeof(t->host_reason), "no probe on %.60s: %.80s",
                           run->model->hosts[ends[i]].name, probe->reason);
        }
    }
    choose_reference(session, traced, run);
}

static void tell(const struct sp_run_state *run, const char *stage, uint64_t done)
{
    if (run->tell) {
        const struct sp_progress_info info = {.stage = stage, .done = done, .of = 1};
        run->tell(run->tell_arg, &info);
    }
}

enum sp_rc sp_trace_session_run(void *arg, struct sp_run_state *run, struct sp_diag *diag)
{
    struct sp_trace_session *session = arg;
    for (size_t i = 0; i < session->n; i++) {
        begin(session, &session->traced[i], run);
    }
    tell(run, "looking for hops", 0);
    enum sp_rc rc = learn(session, run, diag);
    if (rc == SP_OK && !is_stopped(run)) {
        start_watchers(session, run);
        tell(run, "following the flow", 0);
        rc = ask(session, run, diag);
    }
    if (rc == SP_OK && !is_stopped(run)) {
        tell(run, "trying sizes and flows", 0);
        rc = sp_trace_sizes(session, run, diag);
    }
    if (rc == SP_OK && session->with_rates && !is_stopped(run)) {
        tell(run, "trying rates", 0);
        rc = sp_trace_rates(session, run, diag);
    }
    if (rc == SP_OK && session->idle_ms > 0 && !is_stopped(run)) {
        tell(run, "waiting in silence", 0);
        rc = sp_trace_idle(session, run, diag);
    }
    for (size_t i = 0; i < session->n; i++) {
        sp_trace_explain(&session->traced[i].trace);
    }
    return rc == SP_OK || diag->text[0] ? rc : sp_fail(diag, rc, "trace", "%s", sp_rc_str(rc));
}
