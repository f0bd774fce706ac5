/* SPDX-License-Identifier: Apache-2.0
 *
 * The traced flow from many source ports: routers with parallel paths choose one of them by the
 * ports (techniques.md T20), and some firewalls drop the first packet of every flow and pass its
 * repetition. Each source port is sent a few times, in another order each time: who loses some
 * packets of many flows loses others each time, a dead path loses the same flows every time. Where
 * flows part, packets of the same flows whose TTL runs out tell the place. */
#include <string.h>

#include "controller/run_priv.h"
#include "controller/trace/session.h"
#include "probe/base/mem.h"
#include "probe/techniques/registry.h"

#define SP_FLOW_TIMES   3U
/* Enough for four equal paths with 95 %; more where more are declared. */
#define SP_FLOWS_LEAST  16U
/* Apart, so that what limits a rate of some ten packets a second takes all of them. */
#define SP_FLOW_STEP_US 20000U
/* Between packets of one source port, when there is room: the repetition of the first one stands a
 * second behind it. */
#define SP_FLOW_GAP_US  1200000U
/* A second packet is one when it comes so much later than the first would have. */
#define SP_AGAIN_US     600000U
/* Packets whose TTL runs out, for one hop: a router sends six errors at once, then one a second. */
#define SP_PATHS_BURST  6U
#define SP_PATHS_TRIES  8U
#define SP_LOCATE_FLOWS 2U
#define SP_RUNG_US      100000U

/* ---- how many ---- */

/* The smallest n with k (1 - 1/k)^n <= 0.05 (techniques.md T20). */
static unsigned flows_for(unsigned ways)
{
    unsigned n = 0;
    double miss = ways;
    while (ways > 1 && miss > 0.05 && n < SP_TRACE_MAX_FLOWS) {
        miss *= 1 - 1.0 / ways;
        n++;
    }
    return n < SP_FLOWS_LEAST ? SP_FLOWS_LEAST : n;
}

/* ---- sending ---- */

/* Which source port is sent as the nth of one turn: each turn goes another way through them. */
static unsigned in_turn(unsigned turn, unsigned nth, unsigned n)
{
    unsigned half = (n + 1) / 2;
    switch (turn % 3) {
    case 0:
        return nth;
    case 1:
        return n - 1 - nth;
    default:
        return nth < half ? (2 * nth + 1) % n : (2 * (nth - half)) % n;
    }
}

/* One block for each source port. */
static enum sp_rc add_wholes(struct sp_traced *traced, struct sp_run_state *run,
                             struct sp_batch *batch, const struct sp_control_flow *flow)
{
    struct sp_trace_volleys *v = &traced->volleys;
    double least = 2 * sp_round_spacing_us(run, flow->from); /* repetitions go between them */
    double step = least > SP_FLOW_STEP_US ? least : SP_FLOW_STEP_US;
    double gap = step * v->n > SP_FLOW_GAP_US ? step * v->n : SP_FLOW_GAP_US;
    struct sp_block_plan plan = sp_trace_block(flow, SP_FLOW_TIMES);
    plan.flags = SP_BLOCK_AGAIN;
    for (unsigned i = 0; i < v->n; i++) {
        uint32_t block = sp_batch_add_block(batch, &plan);
        v->first = i == 0 ? block : v->first;
        v->sports[i] = sp_ledger_take(run->ledger, &plan.src, &plan.dst,
                                      sp_technique_at(plan.technique)->proto, flow->port, true);
        if (block == SP_NONE || v->sports[i] == 0) {
            return SP_E_LIMIT;
        }
    }
    for (uint16_t turn = 0; turn < SP_FLOW_TIMES; turn++) {
        for (unsigned k = 0; k < v->n; k++) {
            unsigned i = in_turn(turn, k, v->n);
            if (sp_batch_add_shot(batch, v->first + i, turn, flow->port, v->sports[i],
                                  (uint32_t)(gap * turn + step * k)) == SP_NONE) {
                return SP_E_LIMIT;
            }
        }
    }
    return SP_OK;
}

/* Packets whose TTL runs out at each hop, from source ports of their own. */
static enum sp_rc add_paths(struct sp_traced *traced, struct sp_run_state *run,
                            struct sp_batch *batch, const struct sp_control_flow *flow)
{
    struct sp_trace_volleys *v = &traced->volleys;
    double step = sp_round_spacing_us(run, flow->from) * SP_PATHS_TRIES;
    /* Where the way ends nobody knows for sure: the flows of another path may show more of it. */
    size_t beyond = traced->trace.nhops + (traced->trace.is_distance_known ? 0 : 2);
    uint16_t hops = (uint16_t)(beyond < SP_TRACE_MAX_HOPS ? beyond : SP_TRACE_MAX_HOPS);
    struct sp_block_plan plan = sp_trace_block(flow, hops);
    plan.ttl = 1;
    for (unsigned i = 0; hops > 0 && i < SP_PATHS_TRIES; i++) {
        uint32_t block = sp_batch_add_block(batch, &plan);
        uint32_t later = i < SP_PATHS_BURST ? 0 : (i - SP_PATHS_BURST + 1) * SP_FLOW_GAP_US;
        v->paths = i == 0 ? block : v->paths;
        for (uint16_t k = 0; k < hops; k++) {
            if (block == SP_NONE || !sp_trace_add_shot(run, batch, block, k, flow->port,
                                                       later + (uint32_t)(step * k))) {
                return SP_E_LIMIT;
            }
        }
        v->npaths = (uint8_t)(i + 1);
    }
    return SP_OK;
}

enum sp_rc sp_trace_add_flows(struct sp_traced *traced, struct sp_run_state *run,
                              struct sp_batch *batch)
{
    const struct sp_trace *t = &traced->trace;
    const struct sp_control_flow flow = sp_trace_flow(t->pair, t->test);
    traced->volleys =
        (struct sp_trace_volleys){.n = (uint8_t)flows_for(sp_plan_ways(run->model, t->pair))};
    if (t->pair->one_sided || sp_technique_talks(t->test->technique)) {
        traced->volleys.n = 0;
        return SP_OK;
    }
    enum sp_rc rc = add_wholes(traced, run, batch, &flow);
    return rc == SP_OK ? add_paths(traced, run, batch, &flow) : rc;
}

/* ---- what came of it ---- */

static bool arrived(const struct sp_shot_seen *shot)
{
    return shot->at_nic || shot->at_host;
}

/* By how much later a packet arrives than it is sent, by clocks that began a moment apart. */
static int64_t delay_of(const struct sp_shot_seen *shot)
{
    return (int64_t)shot->nic_us - (int64_t)shot->sent_us;
}

/* The least of the packets that were sent once: what separates the two clocks, and the way. */
static int64_t least_delay(const struct sp_trace_volleys *v, const struct sp_batch *batch)
{
    int64_t least = INT64_MAX;
    for (size_t i = 0; i < batch->nshots; i++) {
        const struct sp_shot_seen *shot = &batch->shots[i];
        if (shot->block >= v->first && shot->block < v->first + v->n && shot->at_nic &&
            !shot->is_repeated && delay_of(shot) < least) {
            least = delay_of(shot);
        }
    }
    return least;
}

/* The first packet of its flow was lost, and what came is its repetition. */
static bool is_second(const struct sp_shot_seen *shot, int64_t least)
{
    return shot->is_repeated && shot->at_nic && least != INT64_MAX &&
           delay_of(shot) - least >= SP_AGAIN_US;
}

struct count {
    uint8_t sent, arrived;
};

static void take_whole(struct sp_trace_flows *flows, const struct sp_shot_seen *shot, int64_t least,
                       struct count *count)
{
    bool second = is_second(shot, least);
    if (!shot->is_sent || shot->err != 0) {
        return;
    }
    count->sent++;
    count->arrived = (uint8_t)(count->arrived + arrived(shot));
    if (shot->attempt == 0) {
        bool both = shot->is_repeated && !arrived(shot);
        flows->firsts++;
        flows->first_lost = (uint8_t)(flows->first_lost + (second || both));
        flows->again_passed = (uint8_t)(flows->again_passed + second);
    }
}

void sp_trace_take_flows(struct sp_traced *traced, const struct sp_run_state *run,
                         const struct sp_batch *batch)
{
    struct sp_trace *t = &traced->trace;
    struct sp_trace_volleys *v = &traced->volleys;
    struct count counts[SP_TRACE_MAX_FLOWS] = {{0}};
    int64_t least = least_delay(v, batch);
    t->flows = (struct sp_trace_flows){.n = v->n, .times = SP_FLOW_TIMES};
    for (size_t i = 0; i < batch->nshots && v->n > 0; i++) {
        const struct sp_shot_seen *shot = &batch->shots[i];
        if (shot->block >= v->first && shot->block < v->first + v->n) {
            take_whole(&t->flows, shot, least, &counts[shot->block - v->first]);
        } else if (shot->block >= v->paths && shot->block < v->paths + v->npaths &&
                   shot->answer == SP_ANSWER_EXPIRED && shot->attempt < SP_TRACE_MAX_HOPS) {
            sp_trace_note_expired(t, shot->attempt, shot, run->model);
        }
    }
    for (unsigned i = 0; i < v->n; i++) {
        const struct count *count = &counts[i];
        v->is_lost[i] = count->sent > 0 && count->arrived == 0;
        v->is_passed[i] = count->sent > 0 && count->arrived == count->sent;
        t->flows.lost = (uint8_t)(t->flows.lost + v->is_lost[i]);
        t->flows.passed = (uint8_t)(t->flows.passed + v->is_passed[i]);
        t->flows.mixed =
            (uint8_t)(t->flows.mixed + (count->sent > 0 && !v->is_lost[i] && !v->is_passed[i]));
    }
}

/* ---- where they part ---- */

/* Who answered at one distance, for lost flows and for those that pass. */
struct rung {
    struct sp_addr lost, passed;
};

/* The nth source port of which every packet was lost, or arrived; n when there is none. */
static unsigned find_port(const struct sp_trace_volleys *v, bool lost, unsigned nth)
{
    for (unsigned i = 0; i < v->n; i++) {
        if ((lost ? v->is_lost[i] : v->is_passed[i]) && nth-- == 0) {
            return i;
        }
    }
    return v->n;
}

/* One packet for each hop, of one flow. Answers may quote no more than the ports: each packet goes
 * out when the one before it has been answered. */
static enum sp_rc add_rungs(const struct sp_traced *traced, struct sp_batch *batch, uint16_t sport,
                            uint32_t at_us)
{
    const struct sp_control_flow flow = sp_trace_flow(traced->trace.pair, traced->trace.test);
    struct sp_block_plan plan = sp_trace_block(&flow, (uint16_t)traced->trace.nhops);
    plan.ttl = 1;
    uint32_t block = sp_batch_add_block(batch, &plan);
    for (uint16_t k = 0; k < traced->trace.nhops; k++) {
        if (block == SP_NONE || sp_batch_add_shot(batch, block, k, flow.port, sport,
                                                  at_us + k * SP_RUNG_US) == SP_NONE) {
            return SP_E_LIMIT;
        }
    }
    return SP_OK;
}

static enum sp_rc ask_rungs(const struct sp_traced *traced, struct sp_run_state *run,
                            struct rung *rungs, struct sp_diag *diag)
{
    const struct sp_trace_volleys *v = &traced->volleys;
    bool of_lost[2 * SP_LOCATE_FLOWS];
    size_t nblocks = 0;
    struct sp_batch *batch = NULL;
    enum sp_rc rc = sp_round_new_batch(run, &batch);
    for (unsigned i = 0; rc == SP_OK && i < 2 * SP_LOCATE_FLOWS; i++) {
        unsigned port = find_port(v, i % 2 == 0, i / 2);
        if (port < v->n) {
            /* Routers have a second or two to be allowed another error. */
            uint32_t at = SP_FLOW_GAP_US + i / 2 * 2 * SP_FLOW_GAP_US + i % 2 * SP_RUNG_US / 2;
            of_lost[nblocks++] = i % 2 == 0;
            rc = add_rungs(traced, batch, v->sports[port], at);
        }
    }
    rc = rc == SP_OK ? sp_batch_run(batch, diag) : rc;
    for (size_t i = 0; rc == SP_OK && i < batch->nshots; i++) {
        const struct sp_shot_seen *shot = &batch->shots[i];
        if (shot->answer == SP_ANSWER_EXPIRED && shot->block < nblocks) {
            struct rung *rung = &rungs[shot->attempt];
            *(of_lost[shot->block] ? &rung->lost : &rung->passed) = shot->answerer;
        }
    }
    if (rc == SP_OK) {
        sp_round_add_counters(run, batch);
    }
    sp_batch_free(batch);
    return rc;
}

enum sp_rc sp_trace_locate_flows(struct sp_traced *traced, struct sp_run_state *run,
                                 struct sp_diag *diag)
{
    struct sp_trace *t = &traced->trace;
    struct sp_trace_flows *flows = &t->flows;
    struct rung rungs[SP_TRACE_MAX_HOPS];
    if (!sp_trace_is_parted(t) || t->nhops == 0 || (run->stop_flag && *run->stop_flag)) {
        return SP_OK;
    }
    memset(rungs, 0, sizeof(rungs));
    enum sp_rc rc = ask_rungs(traced, run, rungs, diag);
    flows->is_located = rc == SP_OK;
    flows->hop = SIZE_MAX;
    for (size_t k = 0; rc == SP_OK && k < t->nhops; k++) {
        const struct rung *rung = &rungs[k];
        if (rung->lost.family != SP_FAMILY_NONE) {
            flows->hop = k;
            flows->last = rung->lost;
            flows->is_member =
                rung->passed.family != SP_FAMILY_NONE && !sp_addr_eq(&rung->passed, &rung->lost);
        }
    }
    size_t next = flows->hop == SIZE_MAX ? 0 : flows->hop + (flows->is_member ? 0 : 1);
    flows->other = next < t->nhops ? rungs[next].passed : (struct sp_addr){0};
    return rc;
}
