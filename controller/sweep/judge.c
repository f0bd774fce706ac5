/* SPDX-License-Identifier: Apache-2.0 */
#include "controller/sweep/judge.h"

#include "controller/run_priv.h"
#include "controller/sweep/observe.h"
#include "probe/base/mem.h"

/* Datagrams carry data: they never go to a real service that is not marked for it. */
enum sp_rc sp_sweep_ports(const struct sp_run_state *run, uint32_t sweep, struct sp_portset *denied,
                          struct sp_portset *allowed, struct sp_portset *served)
{
    const struct sp_plan_sweep *plan = &run->plan->sweeps[sweep];
    const struct sp_pair *pair = &run->plan->pairs[plan->pair];
    enum sp_rc rc = sp_plan_sweep_ports(run->plan, run->model, run->policy, sweep, denied, allowed);
    const struct sp_session *session = &run->fleet->sessions[pair->to];
    for (size_t i = 0; plan->proto == SP_PROTO_UDP && i < session->nlisteners; i++) {
        uint16_t port = session->listeners[i].port;
        bool asked = sp_portset_has(denied, port) || sp_portset_has(allowed, port);
        if (asked && sp_run_is_service(run, pair, plan->proto, port)) {
            sp_portset_remove(denied, port);
            sp_portset_remove(allowed, port);
            sp_portset_add(served, port);
        }
    }
    return rc;
}

/* One range under one rule. */
static enum sp_rc judge_range(struct sp_run_state *run, uint32_t sweep,
                              const struct sp_sweep_found *found, const struct sp_sweep_span *span,
                              const struct sp_interval *iv, const char *not_tested,
                              struct sp_result *result)
{
    const struct sp_plan_sweep *plan = &run->plan->sweeps[sweep];
    const struct sp_pair *pair = &run->plan->pairs[plan->pair];
    enum sp_rule_action action =
        iv->rule < run->model->nrules ? run->model->rules[iv->rule].action : SP_ACTION_UNSET;
    bool reject =
        action == SP_ACTION_REJECT || (action == SP_ACTION_UNSET && pair->reject_declared);
    const struct sp_test test = {.pair = plan->pair,
                                 .rule = iv->rule,
                                 .port = span->lo > iv->lo ? span->lo : iv->lo,
                                 .port_hi = span->hi < iv->hi ? span->hi : iv->hi,
                                 .proto = plan->proto,
                                 .expect = iv->expect,
                                 .technique = plan->technique,
                                 .why = SP_WHY_SWEPT,
                                 .reject_declared = iv->expect == SP_EXPECT_DENY && reject};
    const struct sp_case what = sp_result_case(run->model, run->plan, &test);
    const struct sp_sweep_status *status = &found->status;
    struct sp_outcome outcome = {
        .seen = span->seen,
        .judged = not_tested ? (struct sp_judgement){.verdict = SP_VERDICT_NOT_TESTED}
                             : sp_judge(&what, &span->seen),
        .grade = span->grade,
        .control_sent = (uint16_t)(status->beats < UINT16_MAX ? status->beats : UINT16_MAX),
        .control_lost =
            (uint16_t)(status->beats_lost < UINT16_MAX ? status->beats_lost : UINT16_MAX),
        .injected_link = span->injected_link,
        .not_tested = not_tested};
    return sp_result_add(result, &test, &outcome);
}

/* A range may lie under several rules. */
static enum sp_rc judge_span(struct sp_run_state *run, uint32_t sweep,
                             const struct sp_sweep_found *found, const struct sp_sweep_span *span,
                             const char *not_tested, struct sp_result *result)
{
    const struct sp_plan_sweep *plan = &run->plan->sweeps[sweep];
    const struct sp_pair *pair = &run->plan->pairs[plan->pair];
    struct sp_intervals list = sp_policy_pair(run->policy, pair->from, pair->to, plan->proto);
    enum sp_rc rc = list.n > 0 ? SP_OK : SP_E_NOMEM;
    for (size_t i = 0; i < list.n && rc == SP_OK; i++) {
        const struct sp_interval *iv = &list.at[i];
        if (iv->lo <= span->hi && iv->hi >= span->lo && iv->expect != SP_EXPECT_PERMIT) {
            rc = judge_range(run, sweep, found, span, iv, not_tested, result);
        }
    }
    return rc;
}

/* All ports of a set, range by range, with one and the same observation. */
static enum sp_rc judge_set(struct sp_run_state *run, uint32_t sweep,
                            const struct sp_sweep_found *found, const struct sp_portset *ports,
                            uint8_t unsound, const char *not_tested, struct sp_result *result)
{
    enum sp_rc rc = SP_OK;
    for (uint32_t lo = sp_portset_next(ports, 0), hi; lo < SP_PORTSET_PORTS && rc == SP_OK;
         lo = sp_portset_next(ports, hi + 1)) {
        for (hi = lo; hi + 1 < SP_PORTSET_PORTS && sp_portset_has(ports, (uint16_t)(hi + 1));) {
            hi++;
        }
        struct sp_sweep_span span = {
            .lo = (uint16_t)lo,
            .hi = (uint16_t)hi,
            .seen = {.unsound = (enum sp_unsound)unsound, .elsewhere_host = SP_NONE}};
        rc = judge_span(run, sweep, found, &span, not_tested, result);
    }
    return rc;
}

static uint8_t why_never(const struct sp_run_state *run, const struct sp_pair *pair)
{
    bool from_lost = run->fleet->sessions[pair->from].state == SP_PROBE_LOST;
    bool to_lost = run->fleet->sessions[pair->to].state == SP_PROBE_LOST;
    return from_lost                           ? SP_UNSOUND_SENDER_LOST
           : to_lost                           ? SP_UNSOUND_RECEIVER_LOST
           : run->stop_flag && *run->stop_flag ? SP_UNSOUND_INTERRUPTED
                                               : SP_UNSOUND_NOT_SWEPT;
}

enum sp_rc sp_sweep_judge(struct sp_run_state *run, const struct sp_sweep_found *found,
                          struct sp_result *result)
{
    enum sp_rc rc = SP_OK;
    for (uint32_t s = 0; s < run->plan->nsweeps && rc == SP_OK; s++) {
        const struct sp_pair *pair = &run->plan->pairs[run->plan->sweeps[s].pair];
        struct sp_portset denied = {0};
        struct sp_portset allowed = {0};
        struct sp_portset served = {0};
        result->sweeps[s] = found[s].status;
        rc = sp_sweep_ports(run, s, &denied, &allowed, &served);
        if (rc == SP_OK) {
            rc = judge_set(run, s, &found[s], &served, SP_SOUND,
                           "a real service listens there, and it is not marked `data: ok`", result);
        }
        for (size_t i = 0; i < found[s].nspans && rc == SP_OK; i++) {
            rc = judge_span(run, s, &found[s], &found[s].spans[i], NULL, result);
        }
        if (found[s].nspans == 0 && rc == SP_OK) {
            sp_portset_unite(&denied, &allowed);
            rc = judge_set(run, s, &found[s], &denied, why_never(run, pair), NULL, result);
        }
    }
    return rc;
}
