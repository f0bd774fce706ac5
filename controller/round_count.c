/* SPDX-License-Identifier: Apache-2.0
 *
 * From what a batch saw to the tallies of its tests: which attempts count (round_doubt.c), which
 * arrivals happened, what answered, and what is settled. */
#include <errno.h>
#include <stdlib.h>

#include "controller/evidence.h"
#include "controller/round_priv.h"
#include "probe/base/mem.h"
#include "probe/techniques/registry.h"

/* How far apart two attempts of a denied flow must have been sent to count as two. */
#define SP_APART_US 1000000

/* ---- attempts ---- */

/* An ICMP error is an answer, but it only explains: firewalls pass it as related to a flow whose
 * replies they drop, so it does not show that a reply comes back. */
static bool is_reply(uint8_t answer)
{
    return answer != SP_ANSWER_NONE && answer != SP_ANSWER_UNREACHABLE;
}

/* Of a conversation the data counts: the handshake may be a proxy's. A stand-in always answers it;
 * a real service may only acknowledge it. */
static bool came_back(const struct sp_batch *batch, const struct sp_shot_seen *shot)
{
    if (!batch->blocks[shot->block].talks) {
        return is_reply(shot->answer);
    }
    bool acked = shot->answer == SP_ANSWER_SYN_ACK && shot->egress != SP_ANSWER_DATA &&
                 (shot->answer_code & SP_ANSWER_DATA_ACKED) != 0;
    return sp_round_is_served(shot) || acked;
}

static void count_answers(struct sp_tally *tally, const struct sp_shot_seen *shot, bool deny,
                          bool back)
{
    bool left = deny ? shot->egress != SP_ANSWER_NONE : is_reply(shot->egress);
    tally->answer_left = (uint16_t)(tally->answer_left + left);
    tally->answered = (uint16_t)(tally->answered + back);
    /* The receiver knows whether the RST that came back was the host's own or ours. */
    uint8_t answer = shot->egress == SP_ANSWER_CRAFTED && shot->answer == SP_ANSWER_RST
                         ? (uint8_t)SP_ANSWER_CRAFTED
                         : shot->answer;
    if (sp_answer_strength(answer) > sp_answer_strength(tally->answer)) {
        tally->answer = answer;
        tally->answer_code = shot->answer_code;
        tally->answer_ttl = shot->answer_ttl;
        tally->answerer = shot->answerer;
    }
}

/* The host's own answer shows how far away it is. */
static void learn_ttl(struct sp_run_state *run, uint32_t pair_index,
                      const struct sp_shot_seen *shot)
{
    bool own = shot->egress != SP_ANSWER_NONE && shot->egress != SP_ANSWER_CRAFTED &&
               shot->egress != SP_ANSWER_UNREACHABLE && shot->answer == shot->egress;
    if (own && sp_addr_eq(&shot->answerer, &run->plan->pairs[pair_index].dst)) {
        run->baseline_ttl[pair_index] = shot->answer_ttl;
    }
}

/* Which backend of a balancer got an allowed flow; served by nobody who is known: foreign. */
static void count_backend(struct sp_round *round, const struct sp_attempt *a)
{
    const struct sp_run_state *run = round->run;
    const struct sp_shot_seen *shot = &round->batch->shots[a->shot];
    const struct sp_listener *listener =
        sp_result_listener(run->model, run->plan, &run->plan->tests[a->test]);
    if (!listener) {
        return;
    }
    if (sp_round_is_served(shot) && !shot->at_nic && !shot->opened && shot->elsewhere == SP_NONE) {
        run->tallies[a->test].foreign++;
    }
    for (size_t i = 0; shot->at_host && i < listener->nbackends; i++) {
        run->outcomes[a->test].backend_flows[i] =
            (uint16_t)(run->outcomes[a->test].backend_flows[i] +
                       (listener->backends[i] == shot->arrived_at));
    }
}

/* Whether it arrived where it decides: at the witness of its layer, or at another probe. */
static bool deciding_arrival(const struct sp_round *round, const struct sp_attempt *a)
{
    const struct sp_plan *plan = round->run->plan;
    const struct sp_shot_seen *shot = &round->batch->shots[a->shot];
    bool host_layer = plan->pairs[plan->tests[a->test].pair].layer == SP_LAYER_HOST;
    return shot->at_host || (shot->at_nic && !host_layer) || shot->elsewhere != SP_NONE;
}

static void count_attempt(struct sp_round *round, const struct sp_attempt *a,
                          const struct sp_table *untagged)
{
    struct sp_run_state *run = round->run;
    struct sp_tally *tally = &run->tallies[a->test];
    const struct sp_shot_seen *shot = &round->batch->shots[a->shot];
    bool deny = run->plan->tests[a->test].expect == SP_EXPECT_DENY;
    bool arrived =
        shot->at_nic || shot->at_host; /* who is past the firewall came by the interface */
    bool one_way = sp_technique_is_one_way(round->batch->blocks[shot->block].technique);
    bool back = one_way ? shot->at_host : came_back(round->batch, shot);
    bool whole = shot->at_host && back;
    enum sp_unsound why = sp_round_doubt(round, a, untagged);
    /* What arrived is proof in itself, only absence needs a sound attempt. */
    uint64_t at_us = round->batch->fired_us + shot->sent_us;
    bool is_new_pass = a->pass != tally->last_pass;
    if (deny && why == SP_SOUND && tally->counted > 0 && is_new_pass &&
        at_us < tally->last_us + SP_APART_US) {
        why = SP_UNSOUND_ATTEMPTS; /* a drop often takes the next packet, too */
    }
    bool counts = why == SP_SOUND || (whole && !deny);
    sp_evidence_consider(round, a, counts);
    if (shot->elsewhere != SP_NONE) {
        tally->elsewhere++;
        tally->elsewhere_host = shot->elsewhere;
    }
    tally->rewritten =
        (uint16_t)(tally->rewritten + ((arrived || shot->opened) && shot->is_rewritten));
    if (tally->captured.src.family == SP_FAMILY_NONE) {
        tally->captured = shot->captured;
    }
    tally->refused_policy = (uint16_t)(tally->refused_policy + (shot->err == EPERM));
    learn_ttl(run, run->plan->tests[a->test].pair, shot);
    if (counts || deny) {
        tally->nic = (uint16_t)(tally->nic + arrived);
        tally->host = (uint16_t)(tally->host + shot->at_host);
        bool in_parts = arrived && !shot->at_host;
        tally->tails = (uint16_t)(tally->tails + (in_parts && shot->pieces == SP_PIECES_TAIL));
        tally->heads = (uint16_t)(tally->heads + (in_parts && shot->pieces == SP_PIECES_HEAD));
        tally->opened = (uint16_t)(tally->opened + (shot->opened && !shot->at_host));
        count_answers(tally, shot, deny, back);
        count_backend(round, a);
    }
    if (counts) {
        tally->passes = (uint16_t)(tally->passes + is_new_pass);
        tally->last_pass = a->pass;
        tally->missed = (uint16_t)(tally->missed + !deciding_arrival(round, a));
        tally->last_us = at_us > tally->last_us ? at_us : tally->last_us;
        tally->counted++;
        tally->round_sent++;
        tally->round_back = (uint16_t)(tally->round_back + whole);
    } else {
        tally->unsound = (uint8_t)why;
        tally->round_unknown++;
    }
}

/* ---- settling ---- */

static void settle_deny(const struct sp_round *round, const struct sp_attempt *a)
{
    const struct sp_run_state *run = round->run;
    struct sp_tally *tally = &run->tallies[a->test];
    const struct sp_lane *lane = &run->lanes.at[a->lane];
    const struct sp_pair *pair = &run->plan->pairs[lane->pair];
    uint16_t arrived = pair->layer == SP_LAYER_HOST ? tally->host : tally->nic;
    struct sp_need need = sp_attempts_needed(run, lane);
    bool enough = need.passes > 0 && sp_passes_lacking(run, lane, tally) == 0;
    bool refused = tally->refused_policy >= SP_PLAN_DENY_ATTEMPTS;
    tally->is_sound = enough;
    tally->is_settled = arrived > 0 || tally->elsewhere > 0 || enough || refused;
}

/* A backend with a probe that no flow has reached. */
static bool misses_backend(const struct sp_run_state *run, uint32_t test)
{
    const struct sp_listener *listener =
        sp_result_listener(run->model, run->plan, &run->plan->tests[test]);
    for (size_t i = 0; listener && i < listener->nbackends; i++) {
        if (run->model->hosts[listener->backends[i]].via &&
            run->outcomes[test].backend_flows[i] == 0) {
            return true;
        }
    }
    return false;
}

static void settle_allow(const struct sp_round *round, const struct sp_attempt *a)
{
    const struct sp_run_state *run = round->run;
    struct sp_tally *tally = &run->tallies[a->test];
    if (tally->round_sent == 0) {
        tally->round_unknown = 0;
        return; /* done before, or nothing counts: one more round may help */
    }
    double loss = 1.0 - (double)tally->round_back / tally->round_sent;
    bool missing = misses_backend(run, a->test);
    if (loss > run->model->limits.loss || missing) {
        tally->lossy_rounds++;
    }
    /* Attempts of which nothing can be said leave the round open: what is missing could be loss. */
    bool complete = tally->round_unknown == 0;
    tally->is_settled = (complete && tally->round_back == tally->round_sent && !missing) ||
                        tally->lossy_rounds >= 2 ||
                        (complete && tally->counted >= 2 * SP_PLAN_ALLOW_ATTEMPTS);
    tally->round_sent = tally->round_back = tally->round_unknown = 0;
}

void sp_round_add_counters(struct sp_run_state *run, const struct sp_batch *batch)
{
    bool drops = false;
    sp_evidence_note(run, batch);
    for (size_t h = 0; h < run->model->nhosts; h++) {
        const struct sp_host_batch *host = &batch->hosts[h];
        drops = drops || host->has_drops;
        run->hosts[h].packets_sent += host->sent;
        run->hosts[h].packets_captured += host->captured;
        run->hosts[h].capture_drops += host->drops;
        run->packets_sent += host->sent;
        run->packets_captured += host->captured;
        run->capture_drops += host->drops;
    }
    run->slow = drops && run->slow < 8 ? run->slow * 2 : run->slow;
}

enum sp_rc sp_round_count(struct sp_round *round)
{
    struct sp_table untagged;
    sp_table_init(&untagged);
    enum sp_rc rc = sp_round_collect_untagged(round, &untagged);
    if (rc == SP_OK) {
        sp_round_count_controls(round);
        for (size_t i = 0; i < round->nattempts; i++) {
            count_attempt(round, &round->attempts[i], &untagged);
        }
        for (size_t i = 0; i < round->nattempts; i++) {
            if (round->kind == SP_ROUND_DENY) {
                settle_deny(round, &round->attempts[i]);
            } else {
                settle_allow(round, &round->attempts[i]);
            }
        }
        sp_round_add_counters(round->run, round->batch);
    }
    sp_table_release(&untagged);
    return rc;
}
