/* SPDX-License-Identifier: Apache-2.0
 *
 * What rounds and the scout put into a batch, and how many packets a proof needs. */
#include "controller/round_priv.h"
#include "probe/techniques/registry.h"

/* Control packets at one checkpoint; more where the path is known to lose some. */
#define SP_TRIES_MIN      3U
#define SP_TRIES_MAX      12U
#define SP_ATTEMPTS_MAX   20U
/* Source ports are not without end: enough for 289 paths. */
#define SP_FLOWS_MAX      2000U
#define SP_IPPROTO_OF_UDP 17U

/* ---- how many ---- */

static double loss_of(const struct sp_lane *lane)
{
    return lane->control_sent ? (double)lane->control_lost / lane->control_sent : 0;
}

unsigned sp_attempts_least(const struct sp_run_state *run)
{
    return run->attempts_min ? run->attempts_min : SP_PLAN_DENY_ATTEMPTS;
}

/* Of k paths one may be open: a flow misses it with 1 - 1/k, and where it is hit a packet is lost
 * with p. Loss comes in bursts, so passes alone must be enough against it. */
struct sp_need sp_attempts_needed(const struct sp_run_state *run, const struct sp_lane *lane)
{
    double p = loss_of(lane);
    unsigned n = sp_plan_flows_past(1, p);
    n = n < sp_attempts_least(run) ? sp_attempts_least(run) : n;
    unsigned ways = sp_plan_ways(run->model, &run->plan->pairs[lane->pair]);
    unsigned flows = sp_plan_flows_past(ways, p);
    if (n > SP_ATTEMPTS_MAX || flows > SP_FLOWS_MAX) {
        return (struct sp_need){0};
    }
    return (struct sp_need){.passes = n, .flows = flows < n ? n : flows};
}

uint16_t sp_flows_per_pass(const struct sp_run_state *run, const struct sp_lane *lane)
{
    struct sp_need need = sp_attempts_needed(run, lane);
    return (uint16_t)(need.passes ? (need.flows + need.passes - 1) / need.passes : 1);
}

unsigned sp_passes_lacking(const struct sp_run_state *run, const struct sp_lane *lane,
                           const struct sp_tally *tally)
{
    struct sp_need need = sp_attempts_needed(run, lane);
    unsigned per_pass = sp_flows_per_pass(run, lane);
    unsigned wanted = tally->asked_passes > need.passes ? tally->asked_passes : need.passes;
    unsigned passes = wanted > tally->passes ? wanted - tally->passes : 0;
    unsigned flows = need.flows > tally->counted ? need.flows - tally->counted : 0;
    unsigned by_flows = (flows + per_pass - 1) / per_pass;
    return need.passes == 0 ? 0 : by_flows > passes ? by_flows : passes;
}

unsigned sp_round_flows(const struct sp_run_state *run, const struct sp_lane *lane,
                        unsigned attempts)
{
    for (size_t i = 0; i < lane->ntests; i++) {
        const struct sp_listener *listener =
            sp_result_listener(run->model, run->plan, &run->plan->tests[lane->tests[i]]);
        unsigned flows = listener ? sp_plan_flows_for(listener->nbackends) : 0;
        attempts = flows > attempts ? flows : attempts;
    }
    return attempts;
}

uint16_t sp_round_tries(const struct sp_lane *lane)
{
    unsigned n = sp_plan_flows_past(1, loss_of(lane));
    n = n < SP_TRIES_MAX ? n + 1 : n;
    return (uint16_t)(n < SP_TRIES_MIN ? SP_TRIES_MIN : n > SP_TRIES_MAX ? SP_TRIES_MAX : n);
}

/* The rate that one sender may have of what enforcement points allow; 0 = they declare none. */
static double enforced_rate(const struct sp_run_state *run)
{
    double senders = 0;
    double rate = 0;
    for (size_t i = 0; i < run->model->nhosts; i++) {
        senders += run->model->hosts[i].via != NULL;
    }
    for (size_t i = 0; i < run->model->nenforcements; i++) {
        const struct sp_enforcement *e = &run->model->enforcements[i];
        if (e->max_rate && (rate <= 0 || e->max_rate / senders < rate)) {
            rate = e->max_rate / senders;
        }
    }
    return rate;
}

double sp_round_spacing_us(const struct sp_run_state *run, uint32_t host)
{
    double rate = sp_model_host_rate(run->model, host);
    double enforced = enforced_rate(run);
    rate = enforced > 0 && enforced < rate ? enforced : rate;
    return run->slow * 1e6 / (rate < 1 ? 1 : rate);
}

/* A denied TCP flow's first attempt is sent again as TCP would, unless it was answered. */
static bool goes_again(const struct sp_round *round, const struct sp_lane *lane)
{
    return round->kind == SP_ROUND_DENY && lane->proto == SP_PROTO_TCP &&
           !sp_technique_talks(lane->technique) && !sp_technique_is_bypass(lane->technique);
}

double sp_round_step_us(const struct sp_round *round, const struct sp_lane *lane)
{
    const struct sp_run_state *run = round->run;
    const struct sp_pair *pair = &run->plan->pairs[lane->pair];
    uint32_t from = pair->from;
    const struct sp_technique_info *info = sp_technique_at(lane->technique);
    unsigned packets = sp_plan_packets(run->model, pair, lane->technique);
    double step = sp_round_spacing_us(run, from) * packets;
    double enforced = enforced_rate(run);
    double slow = 1e6 / SP_PLAN_INTRUSIVE_PPS * packets;
    if (info->hazard >= 'C' && step < slow) {
        return slow;
    }
    /* A host's own rate is kept by its probe; an enforcement point's only by the timetable. */
    bool tight = enforced > 0 && enforced < sp_model_host_rate(run->model, from);
    return goes_again(round, lane) && tight ? 2 * step : step;
}

/* ---- blocks and shots ---- */

enum sp_rc sp_round_new_batch(struct sp_run_state *run, struct sp_batch **ret_batch)
{
    enum sp_rc rc = sp_batch_new(run->fleet, run->run_id, ++run->next_batch, run->plan->sport_lo,
                                 run->plan->sport_hi, ret_batch);
    if (rc == SP_OK) {
        (*ret_batch)->max_rtt_us = run->max_rtt_us;
        (*ret_batch)->stop_flag = run->stop_flag;
        (*ret_batch)->on_progress = run->on_progress;
        (*ret_batch)->progress_arg = run->progress_arg;
        (*ret_batch)->keep_bytes = run->evidence ? SP_BATCH_KEEP_BYTES : 0;
    }
    return rc;
}

static uint16_t common_flags(const struct sp_run_state *run)
{
    return run->link_injection ? SP_BLOCK_LINK : 0;
}

uint32_t sp_round_add_control(struct sp_round *round, const struct sp_control_flow *flow,
                              uint16_t attempts)
{
    const struct sp_block_plan block = {.from = flow->from,
                                        .to = flow->to,
                                        .src = flow->src,
                                        .dst = flow->dst,
                                        .own = flow->own,
                                        .src_seen = flow->src_seen,
                                        .technique = flow->technique,
                                        .attempts = attempts,
                                        .flags =
                                            (uint16_t)(common_flags(round->run) | SP_BLOCK_CONTROL |
                                                       (flow->is_http ? SP_BLOCK_HTTP : 0U) |
                                                       (flow->is_self ? SP_BLOCK_SELF : 0U)),
                                        .talks = sp_technique_talks(flow->technique)};
    return sp_batch_add_block(round->batch, &block);
}

/* The block of a lane's pair of addresses. */
static struct sp_block_plan block_of(const struct sp_round *round, const struct sp_lane *lane,
                                     uint16_t attempts)
{
    const struct sp_pair *pair = &round->run->plan->pairs[lane->pair];
    struct sp_block_plan block = {.from = pair->from,
                                  .to = pair->one_sided ? SP_NONE : pair->to,
                                  .src = pair->src,
                                  .dst = pair->dst,
                                  .own = pair->own,
                                  .src_seen = pair->src_seen,
                                  .technique = lane->technique,
                                  .attempts = attempts,
                                  .flags = common_flags(round->run)};
    if (sp_technique_needs_link(lane->technique)) {
        block.flags |= SP_BLOCK_LINK;
    }
    enum sp_other other = sp_plan_other(round->run->model, pair, lane->technique, &block.other);
    if (other == SP_OTHER_SOURCE) {
        block.flags |= SP_BLOCK_FORGED;
        block.src_seen = block.other;
    } else if (other == SP_OTHER_ROUTER) {
        block.flags |= SP_BLOCK_VIA;
    }
    block.nouters = (uint8_t)sp_plan_outers(round->run->model, pair, lane->technique, block.outers);
    return block;
}

uint32_t sp_round_add_tests(struct sp_round *round, const struct sp_lane *lane, uint16_t attempts)
{
    struct sp_block_plan block = block_of(round, lane, attempts);
    block.flags |= (lane->is_http ? SP_BLOCK_HTTP : 0U) |
                   (round->kind == SP_ROUND_ALLOW ? SP_BLOCK_REPLY : 0U);
    block.talks = sp_technique_talks(lane->technique);
    /* Of several passes the first is repeated: the next one begins no earlier. */
    if (goes_again(round, lane) && attempts > 1) {
        block.flags |= SP_BLOCK_AGAIN;
    }
    return sp_batch_add_block(round->batch, &block);
}

uint32_t sp_round_add_conversation(struct sp_round *round, const struct sp_lane *lane,
                                   uint8_t technique, bool mute, uint16_t attempts)
{
    struct sp_block_plan block = block_of(round, lane, attempts);
    block.technique = technique;
    block.flags |= mute ? SP_BLOCK_MUTE : 0U;
    return sp_batch_add_block(round->batch, &block);
}

struct shot_plan {
    uint16_t attempt, port;
    uint16_t sport; /* 0 = one of its own */
    double at_us;
};

static uint32_t add_shot(struct sp_round *round, uint32_t block, struct shot_plan shot)
{
    const struct sp_block_plan *plan = &round->batch->blocks[block];
    bool must_be_fresh = round->kind == SP_ROUND_DENY && (plan->flags & SP_BLOCK_CONTROL) == 0;
    uint8_t proto = sp_technique_at(plan->technique)->proto;
    struct sp_ledger *ledger = round->run->ledger;
    uint16_t sport =
        shot.sport
            ? sp_ledger_note(ledger, &plan->src, &plan->dst, proto, shot.sport, shot.port)
            : sp_ledger_take(ledger, &plan->src, &plan->dst, proto, shot.port, must_be_fresh);
    if (sport && proto == SP_PROTO_IP &&
        !sp_ledger_note_portless(ledger, &plan->src, &plan->own, shot.port)) {
        return SP_NONE;
    }
    uint8_t outer = sp_technique_outer(plan->technique);
    for (size_t i = 0; sport && i < plan->nouters && outer != SP_IPPROTO_OF_UDP; i++) {
        if (!sp_ledger_note_portless(ledger, &plan->outers[i].src, &plan->outers[i].dst, outer)) {
            return SP_NONE;
        }
    }
    return sport ? sp_batch_add_shot(round->batch, block, shot.attempt, shot.port, sport,
                                     (uint32_t)shot.at_us)
                 : SP_NONE;
}

uint32_t sp_round_add_shot(struct sp_round *round, uint32_t block, uint16_t attempt, uint16_t port,
                           double at_us)
{
    return add_shot(round, block,
                    (struct shot_plan){.attempt = attempt, .port = port, .at_us = at_us});
}

unsigned sp_round_variants(const struct sp_lane *lane)
{
    return lane->has_sports ? (unsigned)lane->ntests : 1;
}

/* Which of the lane's tests it is. */
static unsigned variant_of(const struct sp_lane *lane, uint32_t test)
{
    unsigned i = 0;
    while (lane->has_sports && i + 1 < lane->ntests && lane->tests[i] != test) {
        i++;
    }
    return i;
}

uint32_t sp_round_add_attempt(struct sp_round *round, const struct sp_lane *lane, uint32_t block,
                              unsigned nth, uint32_t test, double at_us)
{
    const struct sp_test *of = &round->run->plan->tests[test];
    unsigned attempt = nth * sp_round_variants(lane) + variant_of(lane, test);
    return add_shot(
        round, block,
        (struct shot_plan){
            .attempt = (uint16_t)attempt, .port = of->port, .sport = of->sport, .at_us = at_us});
}
