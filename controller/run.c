/* SPDX-License-Identifier: Apache-2.0 */
#include "controller/run.h"

#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controller/evidence.h"
#include "controller/inspect/inspect.h"
#include "controller/run_priv.h"
#include "controller/suspect.h"
#include "controller/sweep/judge.h"
#include "controller/sweep/proof.h"
#include "controller/sweep/sweeps.h"
#include "probe/base/clock.h"
#include "probe/base/hash.h"
#include "probe/base/mem.h"
#include "probe/techniques/registry.h"

/* How often a test whose evidence was not sound is tried again. */
#define SP_ROUNDS_MAX 3U

static void progress(const struct sp_run_options *options, const char *stage, uint64_t done,
                     uint64_t of)
{
    if (options->progress) {
        struct sp_progress_info info = {.stage = stage, .done = done, .of = of};
        options->progress(options->progress_arg, &info);
    }
}

/* A stage and the batch that runs in it: checks done before it, and how many it can settle. */
struct stage {
    const struct sp_run_options *options;
    const char *name;
    uint64_t before, batch, of;
};

static void on_batch_progress(void *arg, uint64_t done_us, uint64_t of_us)
{
    const struct stage *stage = arg;
    uint64_t part = of_us ? stage->batch * done_us / of_us : 0;
    progress(stage->options, stage->name, stage->before + part, stage->of);
}

static bool stopped(const struct sp_run_options *options)
{
    return options->stop_flag && *options->stop_flag;
}

bool sp_run_is_paused(const struct sp_run_state *run)
{
    bool is_stopped = run->stop_flag && *run->stop_flag;
    return run->pause_flag && *run->pause_flag && !is_stopped;
}

/* Waits while it is, serving the probes; returns when it goes on or was stopped. */
static void wait_paused(struct sp_run_state *run, const struct sp_progress_info *info)
{
    static const struct timeval turn = {.tv_usec = 50000};
    struct sp_progress_info paused = *info;
    paused.is_paused = true;
    while (sp_run_is_paused(run)) {
        if (run->tell) {
            run->tell(run->tell_arg, &paused);
        }
        (void)event_base_loopexit(run->fleet->base, &turn);
        (void)event_base_loop(run->fleet->base, EVLOOP_ONCE);
    }
}

/* ---- starting the fleet ---- */

static enum sp_rc add_target(struct sp_addr **targets, size_t *n, size_t *cap,
                             const struct sp_addr *addr)
{
    for (size_t i = 0; i < *n; i++) {
        if (sp_addr_eq(&(*targets)[i], addr)) {
            return SP_OK;
        }
    }
    if (sp_grow((void **)targets, *n, cap, sizeof(**targets)) != 0) {
        return SP_E_NOMEM;
    }
    (*targets)[(*n)++] = *addr;
    return SP_OK;
}

/* Whoever may use a balancer, and its backends, look at how it behaves. */
static enum sp_rc add_balancer(const struct sp_model *model, size_t index, uint32_t host,
                               struct sp_addr **targets, size_t *n, size_t *cap)
{
    const struct sp_balancer *balancer = &model->balancers[index];
    bool is_part = sp_bits_get(&balancer->from, host);
    enum sp_rc rc = SP_OK;
    for (size_t l = 0; l < balancer->nlisteners; l++) {
        is_part = is_part || sp_listener_has(&balancer->listeners[l], host);
    }
    for (size_t l = 0; sp_inspect_is_prober(model, balancer, host) && l < balancer->nlisteners;
         l++) {
        for (size_t i = 0; i < balancer->listeners[l].nbackends && rc == SP_OK; i++) {
            const struct sp_host *backend = &model->hosts[balancer->listeners[l].backends[i]];
            for (size_t a = 0; a < backend->naddrs && rc == SP_OK; a++) {
                rc = add_target(targets, n, cap, &backend->addrs[a]);
            }
        }
    }
    for (size_t i = 0; is_part && i < balancer->naddrs && rc == SP_OK; i++) {
        rc = add_target(targets, n, cap, &balancer->addrs[i]);
    }
    return rc;
}

/* A probe may send to the addresses that the plan makes its host send to, and to whom it answers.
 */
static enum sp_rc start_host(struct sp_fleet *fleet, const struct sp_plan *plan, uint32_t host,
                             bool looks)
{
    struct sp_addr *targets = NULL;
    size_t n = 0;
    size_t cap = 0;
    enum sp_rc rc = SP_OK;
    for (size_t i = 0; i < plan->npairs && rc == SP_OK; i++) {
        const struct sp_pair *pair = &plan->pairs[i];
        if (pair->from == host) {
            rc = add_target(&targets, &n, &cap, &pair->dst);
        }
        uint32_t receiver;
        for (size_t k = 0; (receiver = sp_model_receiver(fleet->model, pair->to, k)) != SP_NONE;
             k++) {
            if (receiver == host && rc == SP_OK) {
                rc = add_target(&targets, &n, &cap, &pair->src_seen);
            }
        }
    }
    for (size_t b = 0; looks && b < fleet->model->nbalancers && rc == SP_OK; b++) {
        rc = add_balancer(fleet->model, b, host, &targets, &n, &cap);
    }
    for (size_t i = 0; i < plan->ntests && rc == SP_OK; i++) {
        const struct sp_test *test = &plan->tests[i];
        const struct sp_pair *pair = &plan->pairs[test->pair];
        struct sp_addr other;
        if (test->why != SP_WHY_BYPASS || pair->from != host) {
            continue;
        }
        enum sp_other is = sp_plan_other(fleet->model, pair, test->technique, &other);
        rc = is == SP_OTHER_SOURCE   ? sp_fleet_allow_source(fleet, host, &other)
             : is == SP_OTHER_ROUTER ? add_target(&targets, &n, &cap, &other)
                                     : SP_OK;
        struct sp_plan_outer outers[SP_PLAN_OUTERS];
        size_t nouters = sp_plan_outers(fleet->model, pair, test->technique, outers);
        for (size_t k = 0; k < nouters && rc == SP_OK; k++) {
            rc = add_target(&targets, &n, &cap, &outers[k].dst);
        }
    }
    if (rc == SP_OK) {
        sp_fleet_start(fleet, host, targets, n);
    }
    sp_free(targets);
    return rc;
}

static enum sp_rc start_fleet(struct sp_run_state *run, const struct sp_run_options *options)
{
    enum sp_rc rc = SP_OK;
    for (size_t i = 0; i < run->plan->npairs; i++) {
        const struct sp_pair *pair = &run->plan->pairs[i];
        uint32_t host;
        run->hosts[pair->from].wanted = true;
        for (size_t k = 0; (host = sp_model_receiver(run->model, pair->to, k)) != SP_NONE; k++) {
            run->hosts[host].wanted = true;
        }
    }
    uint64_t wanted = 0;
    if (options->before) {
        rc = options->before(options->after_arg, run->fleet);
    }
    for (uint32_t h = 0; h < run->model->nhosts && rc == SP_OK; h++) {
        if (options->also && sp_bits_get(options->also, h)) {
            run->hosts[h].wanted = true;
        }
        if (run->hosts[h].wanted) {
            rc = start_host(run->fleet, run->plan, h,
                            options->also && sp_bits_get(options->also, h));
            wanted++;
        }
    }
    progress(options, "starting probes", 0, wanted);
    if (rc == SP_OK) {
        sp_fleet_wait(run->fleet, options->timeout_ms);
        progress(options, "starting probes", wanted, wanted);
    }
    return rc;
}

/* ---- before the packets ---- */

static void choose_controls(struct sp_run_state *run, enum sp_control_for purpose)
{
    for (size_t i = 0; i < run->lanes.n; i++) {
        sp_lane_choose_control(&run->lanes.at[i], run->model, run->plan, &run->scouts, purpose);
        if (purpose == SP_CONTROL_FOR_DENY) {
            run->lanes.at[i].deny_grade = run->lanes.at[i].control.grade;
        }
    }
}

/* ---- rounds ---- */

static uint64_t count_settled(const struct sp_run_state *run)
{
    uint64_t n = 0;
    for (size_t i = 0; i < run->plan->ntests; i++) {
        n += run->tallies[i].is_settled;
    }
    return n;
}

static uint64_t count_left(const struct sp_run_state *run, enum sp_round_kind kind)
{
    uint64_t n = 0;
    for (size_t i = 0; i < run->plan->ntests; i++) {
        bool deny = run->plan->tests[i].expect == SP_EXPECT_DENY;
        n += !run->tallies[i].is_settled && deny == (kind == SP_ROUND_DENY);
    }
    return n;
}

/* Nobody is left who could receive it. */
static bool is_lost(const struct sp_run_state *run, uint32_t target)
{
    uint32_t host;
    bool lost = false;
    for (size_t i = 0; (host = sp_model_receiver(run->model, target, i)) != SP_NONE; i++) {
        if (run->fleet->sessions[host].state != SP_PROBE_LOST) {
            return false;
        }
        lost = true;
    }
    return lost;
}

/* What cannot get better by trying again is settled as it is. */
static void give_up_hopeless(struct sp_run_state *run)
{
    for (size_t i = 0; i < run->plan->ntests; i++) {
        struct sp_tally *tally = &run->tallies[i];
        const struct sp_pair *pair = &run->plan->pairs[run->plan->tests[i].pair];
        bool from_lost = run->fleet->sessions[pair->from].state == SP_PROBE_LOST;
        bool to_lost = is_lost(run, pair->to);
        if (tally->is_settled) {
            continue;
        }
        if (from_lost || to_lost) {
            tally->unsound = from_lost ? SP_UNSOUND_SENDER_LOST : SP_UNSOUND_RECEIVER_LOST;
            tally->is_settled = true;
        } else if (tally->fired > 0 && (tally->unsound == SP_UNSOUND_SENDER_ARM ||
                                        tally->unsound == SP_UNSOUND_RECEIVER_ARM ||
                                        tally->unsound == SP_UNSOUND_NO_ROUTE)) {
            tally->is_settled = true;
        }
    }
}

/* Sensors that restart (an interface changed) get a moment to come back. */
static void wait_for_restarts(struct sp_run_state *run)
{
    sp_fleet_wait(run->fleet, 3000);
}

/* What was counted next to a control that lost packets is not proof by the measure of a clean one.
 */
static void forget_attempts(struct sp_run_state *run, const struct sp_lane *lane)
{
    for (size_t k = 0; k < lane->ntests; k++) {
        struct sp_tally *tally = &run->tallies[lane->tests[k]];
        if (!tally->is_settled && run->plan->tests[lane->tests[k]].expect == SP_EXPECT_DENY) {
            tally->counted = 0;
            tally->passes = 0;
        }
    }
}

/* Lanes whose control lost packets try another one, if there is: a broken flow must not stand for
 * the path. Of two flows only the one that lost is replaced, or two with one good candidate each
 * might never meet. What the old one lost is forgotten; the new one has to show its own. */
static void next_controls(struct sp_run_state *run, enum sp_control_for purpose)
{
    for (size_t i = 0; i < run->lanes.n; i++) {
        struct sp_lane *lane = &run->lanes.at[i];
        bool open = false;
        for (size_t k = 0; k < lane->ntests; k++) {
            open = open || !run->tallies[lane->tests[k]].is_settled;
        }
        bool moved = false;
        for (size_t k = 0; open && k < SP_ARRAY_LEN(lane->choice); k++) {
            if (lane->flow_lost[k] > 0 && lane->choice[k] + 1 < lane->candidates[k]) {
                lane->choice[k]++;
                moved = true;
            }
        }
        if (moved) {
            lane->control_sent = lane->control_lost = 0;
            lane->flow_lost[0] = lane->flow_lost[1] = 0;
            forget_attempts(run, lane);
        }
    }
    choose_controls(run, purpose);
}

/* Passes that the lane with the greatest need still lacks, at least the minimum. */
static unsigned attempts_for(const struct sp_run_state *run)
{
    unsigned most = sp_attempts_least(run);
    for (size_t i = 0; i < run->lanes.n; i++) {
        const struct sp_lane *lane = &run->lanes.at[i];
        for (size_t k = 0; k < lane->ntests; k++) {
            const struct sp_tally *tally = &run->tallies[lane->tests[k]];
            bool deny = run->plan->tests[lane->tests[k]].expect == SP_EXPECT_DENY;
            unsigned lacking = sp_passes_lacking(run, lane, tally);
            most = deny && !tally->is_settled && lacking > most ? lacking : most;
        }
    }
    return most;
}

static enum sp_rc rounds(struct sp_run_state *run, const struct sp_run_options *options,
                         enum sp_round_kind kind, struct sp_diag *diag)
{
    const char *stage = kind == SP_ROUND_DENY ? "denied flows" : "allowed flows";
    enum sp_control_for purpose =
        kind == SP_ROUND_DENY ? SP_CONTROL_FOR_DENY : SP_CONTROL_FOR_ALLOW;
    choose_controls(run, purpose);
    for (unsigned round = 0;
         round < SP_ROUNDS_MAX && count_left(run, kind) > 0 && !stopped(options); round++) {
        bool left = true;
        if (round > 0) {
            wait_for_restarts(run);
            next_controls(run, purpose);
        }
        unsigned attempts = kind == SP_ROUND_DENY ? attempts_for(run) : SP_PLAN_ALLOW_ATTEMPTS;
        give_up_hopeless(run);
        run->round++;
        while (left && count_left(run, kind) > 0 && !stopped(options)) {
            uint64_t before = count_settled(run);
            struct stage now = {options, stage, before, count_left(run, kind), run->plan->ntests};
            run->on_progress = on_batch_progress;
            run->progress_arg = &now;
            wait_paused(run, &(struct sp_progress_info){
                                 .stage = stage, .done = before, .of = run->plan->ntests});
            progress(options, stage, before, run->plan->ntests);
            enum sp_rc rc = sp_round_run(run, kind, attempts, &left, diag);
            run->on_progress = NULL;
            if (rc != SP_OK) {
                return rc;
            }
        }
        give_up_hopeless(run);
    }
    progress(options, stage, count_settled(run), run->plan->ntests);
    return SP_OK;
}

/* ---- verdicts ---- */

/* "eth0 up, lo up loopback, br0 down xdp", as far as it fits. */
static void tell_interfaces(const struct sp_session *session, char *out, size_t size)
{
    size_t at = 0;
    for (size_t i = 0; i < session->nifaces && at < size; i++) {
        const struct sp_rec_iface *iface = &session->ifaces[i];
        int n = snprintf(out + at, size - at, "%s%s %s%s%s", at > 0 ? ", " : "", iface->name,
                         (iface->flags & SP_IFACE_UP) != 0 ? "up" : "down",
                         (iface->flags & SP_IFACE_LOOPBACK) != 0 ? " loopback" : "",
                         (iface->flags & SP_IFACE_XDP) != 0 ? " xdp" : "");
        at += n > 0 ? (size_t)n : size;
    }
}

static enum sp_rc finish(struct sp_run_state *run, struct sp_result *result)
{
    for (size_t i = 0; i < run->lanes.n; i++) {
        const struct sp_lane *lane = &run->lanes.at[i];
        for (size_t k = 0; k < lane->ntests; k++) {
            sp_run_judge(run, lane, lane->tests[k]);
        }
    }
    sp_fleet_settle(run->fleet);
    enum sp_rc rc = run->swept ? sp_sweep_judge(run, run->swept, result) : SP_OK;
    if (rc == SP_OK) {
        sp_sweep_proof_attach(run->proof, result);
    }
    for (uint32_t h = 0; h < run->model->nhosts; h++) {
        const struct sp_session *session = &run->fleet->sessions[h];
        struct sp_host_status *status = &run->hosts[h];
        status->host = h;
        status->ok = status->wanted && session->state == SP_PROBE_READY;
        (void)snprintf(status->version, sizeof(status->version), "%s", session->version);
        status->privilege = session->privilege;
        tell_interfaces(session, status->interfaces, sizeof(status->interfaces));
        (void)snprintf(status->reason, sizeof(status->reason), "%s",
                       status->ok ? "" : session->reason);
    }
    return rc;
}

/* ---- the whole ---- */

static enum sp_rc measure(struct sp_run_state *run, const struct sp_run_options *options,
                          struct sp_diag *diag)
{
    sp_run_leave_services(run);
    enum sp_rc rc = sp_run_leave_remembered(run);
    if (rc != SP_OK) {
        return rc;
    }
    give_up_hopeless(run);
    if (count_settled(run) == run->plan->ntests && run->plan->nsweeps == 0) {
        return SP_OK; /* no two ends are left: there is nothing to send */
    }
    rc = sp_scouts_build(run->model, run->plan, &run->lanes, run->outcomes, &run->scouts);
    if (rc == SP_OK) {
        rc = sp_scouts_add_unplanned(run, &run->scouts);
    }
    if (rc != SP_OK) {
        return sp_fail(diag, rc, "run", "out of memory");
    }
    progress(options, "scouting controls", 0, 1);
    rc = sp_round_scout(run, diag);
    if (rc == SP_OK) {
        rc = rounds(run, options, SP_ROUND_DENY, diag);
    }
    if (rc == SP_OK) {
        rc = run->plan->nsweeps > 0 ? sp_sweeps_run(run, &run->swept, diag) : SP_OK;
    }
    if (rc == SP_OK) {
        rc = sp_suspects_run(run, diag);
    }
    if (rc == SP_OK) {
        rc = rounds(run, options, SP_ROUND_ALLOW, diag);
    }
    if (rc == SP_OK && !stopped(options)) {
        rc = sp_run_unmask(run, diag);
    }
    return rc;
}

static enum sp_rc prepare(struct sp_run_state *run, const struct sp_run_options *options,
                          struct event_base *base, struct sp_diag *diag)
{
    run->tallies = sp_calloc(run->plan->ntests, sizeof(*run->tallies));
    run->baseline_ttl = sp_calloc(run->plan->npairs, sizeof(*run->baseline_ttl));
    enum sp_rc rc = run->tallies && run->baseline_ttl
                        ? sp_lanes_build(run->model, run->plan, &run->lanes)
                        : SP_E_NOMEM;
    if (rc == SP_OK) {
        rc = sp_ledger_open(options->ledger_path, run->plan->sport_lo, run->plan->sport_hi,
                            run->seed, &run->ledger);
    }
    if (rc != SP_OK) {
        return sp_fail(diag, rc, "run", "%s", sp_rc_str(rc));
    }
    struct sp_fleet_options fleet = options->fleet;
    fleet.timeout_ms = options->timeout_ms;
    fleet.stop_flag = options->stop_flag;
    return sp_fleet_new(run->model, base, &fleet, &run->fleet, diag);
}

enum sp_rc sp_run(const struct sp_model *model, struct sp_policy *policy,
                  const struct sp_plan *plan, const struct sp_run_options *options,
                  struct sp_result *result, struct sp_diag *diag)
{
    struct event_base *base = event_base_new();
    struct sp_run_state run = {.model = model,
                               .policy = policy,
                               .plan = plan,
                               .outcomes = result->outcomes,
                               .hosts = result->hosts,
                               .slow = 1,
                               .seed = plan->seed,
                               .link_injection = options->inject_link,
                               .sweep_link = options->fleet.link_injection && !options->sweep_raw,
                               .stop_flag = options->stop_flag,
                               .pause_flag = options->pause_flag,
                               .attempts_min = options->attempts_min,
                               .journal = options->journal,
                               .tell = options->progress,
                               .tell_arg = options->progress_arg,
                               .run_id = options->run_id};
    uint64_t start_us = sp_mono_us();
    if (!base) {
        return sp_fail(diag, SP_E_NOMEM, "run", "out of memory");
    }
    while (run.run_id == 0) {
        sp_random_bytes(&run.run_id, sizeof(run.run_id));
    }
    (void)snprintf(result->run_id, sizeof(result->run_id), "%016llx",
                   (unsigned long long)run.run_id);
    result->started_s = sp_wall_s();
    enum sp_rc rc = prepare(&run, options, base, diag);
    if (rc == SP_OK) {
        rc = sp_evidence_run_new(model, plan, result->evidence, &run.evidence);
    }
    if (rc == SP_OK) {
        rc = sp_sweep_proof_new(result, &run.proof);
    }
    if (rc == SP_OK) {
        rc = start_fleet(&run, options);
    }
    if (rc == SP_OK) {
        rc = measure(&run, options, diag);
    }
    if (rc == SP_OK) {
        rc = finish(&run, result);
        if (rc == SP_OK && options->after && !stopped(options)) {
            rc = options->after(options->after_arg, &run, diag);
        }
        struct sp_diag ledger;
        if (sp_ledger_save(run.ledger, &ledger) != SP_OK) {
            (void)fprintf(stderr, "segproof: warning: %s: %s\n", ledger.where, ledger.text);
        }
    }
    result->packets_sent = run.packets_sent;
    result->packets_captured = run.packets_captured;
    result->capture_drops = run.capture_drops;
    result->interrupted = stopped(options);
    result->finished_s = sp_wall_s();
    sp_fleet_free(run.fleet);
    sp_sweep_proof_free(run.proof);
    sp_evidence_run_free(run.evidence);
    sp_ledger_free(run.ledger);
    sp_scouts_release(&run.scouts);
    sp_lanes_release(&run.lanes);
    sp_sweeps_free(run.swept, plan->nsweeps);
    sp_free(run.tallies);
    sp_free(run.baseline_ttl);
    event_base_free(base);
    result->duration_ms = (sp_mono_us() - start_us) / 1000;
    return rc;
}
