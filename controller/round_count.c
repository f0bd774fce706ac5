/* SPDX-License-Identifier: Apache-2.0
 *
 * From what a batch saw to the tallies of its tests: which attempts count, which arrivals happened,
 * what answered. Here lives the rule that absence counts only between two good controls. */
#include <errno.h>
#include <stdlib.h>

#include "controller/evidence.h"
#include "controller/round_priv.h"
#include "probe/base/mem.h"
#include "probe/techniques/registry.h"

/* How far a control may be from the attempt it guards, by the sender's own clock (design section
 * 6). */
#define SP_GUARD_US 1000000
/* How far apart two attempts of a denied flow must have been sent to count as two. */
#define SP_APART_US 1000000

/* ---- controls ---- */

bool sp_control_delivered(const struct sp_batch *batch, uint32_t index)
{
    const struct sp_shot_seen *shot = &batch->shots[index];
    const struct sp_block_plan *block = &batch->blocks[shot->block];
    if (batch->hosts[block->from].is_lost || !shot->has_left) {
        return false;
    }
    if ((block->flags & SP_BLOCK_SELF) != 0) {
        return shot->answer == SP_ANSWER_ECHO;
    }
    return shot->at_nic && !batch->hosts[shot->arrived_at].is_lost && !shot->is_rewritten;
}

/* One flow of a checkpoint is good when a packet of it came through, near enough in time to the
 * attempt. Clocks of other senders began at their own FIRE, at most a few milliseconds apart.
 * host: past the receiver's firewall, too. */
static bool flow_good(const struct sp_round *round, const struct sp_checkpoint *c, unsigned k,
                      const struct sp_shot_seen *attempt, bool host)
{
    const struct sp_batch *batch = round->batch;
    for (uint16_t i = 0; i < c->tries; i++) {
        const struct sp_shot_seen *shot = &batch->shots[c->first[k] + i];
        int64_t apart = (int64_t)shot->sent_us - (int64_t)attempt->sent_us;
        if (sp_control_delivered(batch, c->first[k] + i) && (!host || shot->at_host) &&
            llabs(apart) <= SP_GUARD_US) {
            return true;
        }
    }
    return false;
}

static bool guarded(const struct sp_round *round, const struct sp_attempt *a)
{
    const struct sp_lane *lane = &round->run->lanes.at[a->lane];
    const struct sp_control *control = &lane->control;
    const struct sp_shot_seen *shot = &round->batch->shots[a->shot];
    /* A denied flow at the interface and not behind the firewall: only a control that was seen
     * behind it shows that somebody was looking there. */
    bool deny = round->run->plan->tests[a->test].expect == SP_EXPECT_DENY;
    bool stopped_by_host = deny && shot->at_nic && !shot->at_host;
    bool host_proven = !stopped_by_host;
    for (unsigned k = 0; k < control->nflows; k++) {
        bool inward = control->flows[k].to == round->run->plan->pairs[lane->pair].to;
        bool host = stopped_by_host && inward;
        if (!flow_good(round, &round->checkpoints[a->before], k, shot, host) ||
            !flow_good(round, &round->checkpoints[a->after], k, shot, host)) {
            return false;
        }
        host_proven = host_proven || inward;
    }
    return host_proven;
}

/* Every probe that could have seen it was there and lost nothing. */
static bool receivers_whole(const struct sp_batch *batch, const struct sp_block_plan *block)
{
    uint32_t host;
    bool whole = true;
    for (size_t i = 0; (host = sp_model_receiver(batch->fleet->model, block->to, i)) != SP_NONE;
         i++) {
        whole = whole && !batch->hosts[host].is_lost && !batch->hosts[host].has_drops;
    }
    return whole;
}

/* The loss that the controls of each lane saw. Packets of a lost host say nothing about the path.
 */
static void count_controls(struct sp_round *round)
{
    const struct sp_batch *batch = round->batch;
    for (size_t i = 0; i < round->ncheckpoints; i++) {
        const struct sp_checkpoint *c = &round->checkpoints[i];
        struct sp_lane *lane = &round->run->lanes.at[c->lane];
        for (unsigned k = 0; k < lane->control.nflows; k++) {
            for (uint16_t j = 0; j < c->tries; j++) {
                const struct sp_shot_seen *shot = &batch->shots[c->first[k] + j];
                const struct sp_block_plan *block = &batch->blocks[shot->block];
                const struct sp_host_batch *from = &batch->hosts[block->from];
                bool usable = shot->has_left && !from->is_lost && !from->has_drops &&
                              receivers_whole(batch, block);
                if (usable) {
                    lane->control_sent++;
                    bool lost = !sp_control_delivered(batch, c->first[k] + j);
                    lane->control_lost += lost;
                    lane->flow_lost[k] += lost;
                }
            }
        }
    }
}

/* ---- untagged packets ---- */

static uint64_t port_key(uint32_t host, uint8_t proto, uint8_t family, uint16_t port)
{
    return (uint64_t)host << 32 | (uint64_t)proto << 24 | (uint64_t)family << 16 | port;
}

/* Did the balancer pass one of our flows on from this address? Only of listeners that rewrite the
 * source: elsewhere it is the client's own address, from which other packets may come, too. */
static bool passed_on_from(const struct sp_batch *batch, uint32_t target,
                           const struct sp_addr *addr)
{
    for (size_t i = 0; i < batch->nshots; i++) {
        const struct sp_shot_seen *shot = &batch->shots[i];
        const struct sp_block_plan *block = &batch->blocks[shot->block];
        if (block->to == target && shot->at_nic && !shot->is_rewritten &&
            sp_addr_eq(&shot->seen_src, addr)) {
            uint8_t proto = sp_technique_at(block->technique)->proto;
            const struct sp_listener *listener =
                sp_model_listener(batch->fleet->model, target, proto, shot->port);
            return listener && sp_listener_rewrites(listener);
        }
    }
    return false;
}

/* A balancer's own connection to its backend: from an address that is declared for it, or from
 * which it was seen to pass on our flows in this batch. */
static bool is_from_balancer(const struct sp_round *round, const struct sp_untagged_seen *u)
{
    const struct sp_model *model = round->run->model;
    for (size_t b = 0; b < model->nbalancers; b++) {
        const struct sp_balancer *balancer = &model->balancers[b];
        bool offers = false;
        for (size_t i = 0; i < balancer->nlisteners; i++) {
            const struct sp_listener *listener = &balancer->listeners[i];
            offers =
                offers || (listener->port.proto == u->proto && listener->backend_port == u->port &&
                           sp_listener_has(listener, u->host));
        }
        for (size_t i = 0; offers && i < balancer->nsources; i++) {
            if (sp_addr_eq(&balancer->sources[i], &u->src)) {
                return true;
            }
        }
        if (offers && passed_on_from(round->batch, (uint32_t)(model->nhosts + b), &u->src)) {
            return true;
        }
    }
    return false;
}

/* A packet without a tag is explained when a declared host may send it: real traffic. */
static bool is_explained(const struct sp_round *round, const struct sp_untagged_seen *u)
{
    const struct sp_model *model = round->run->model;
    if (is_from_balancer(round, u)) {
        return true;
    }
    for (uint32_t h = 0; u->src.family != SP_FAMILY_NONE && h < model->nhosts; h++) {
        for (size_t i = 0; i < model->hosts[h].naddrs; i++) {
            if (sp_addr_eq(&model->hosts[h].addrs[i], &u->src)) {
                const struct sp_interval *in =
                    h == u->host
                        ? NULL
                        : sp_policy_decide(round->run->policy, h, u->host, u->proto, u->port);
                return in && in->expect != SP_EXPECT_DENY;
            }
        }
    }
    return false;
}

static enum sp_rc collect_untagged(const struct sp_round *round, struct sp_table *ports)
{
    enum sp_rc rc = SP_OK;
    for (size_t i = 0; i < round->batch->nuntagged && rc == SP_OK; i++) {
        const struct sp_untagged_seen *u = &round->batch->untagged[i];
        if (!is_explained(round, u)) {
            rc = sp_table_put(ports, port_key(u->host, u->proto, u->dst.family, u->port), 0);
        }
    }
    return rc;
}

/* ---- attempts ---- */

/* Why a probe that should have seen it would not have. */
static enum sp_unsound doubt_receiver(const struct sp_batch *batch, uint32_t host)
{
    const struct sp_host_batch *to = &batch->hosts[host];
    if (to->is_lost) {
        return to->is_interface ? SP_UNSOUND_INTERFACE : SP_UNSOUND_RECEIVER_LOST;
    }
    return to->has_drops ? SP_UNSOUND_CAPTURE_DROPS : SP_SOUND;
}

/* Why the attempt itself was none: refused, not sent, or nobody to take its data. */
static enum sp_unsound doubt_sending(const struct sp_batch *batch, const struct sp_shot_seen *shot)
{
    const struct sp_block_plan *block = &batch->blocks[shot->block];
    if (block->receiver_refused != SP_REFUSED_NONE) {
        bool iface = block->receiver_refused == SP_REFUSED_XDP ||
                     block->receiver_refused == SP_REFUSED_IFACE_DOWN;
        return iface ? SP_UNSOUND_INTERFACE : SP_UNSOUND_RECEIVER_ARM;
    }
    if (block->sender_refused != SP_REFUSED_NONE) {
        bool route = block->sender_refused == SP_REFUSED_NO_ROUTE ||
                     block->sender_refused == SP_REFUSED_IFACE_DOWN;
        return route ? SP_UNSOUND_NO_ROUTE : SP_UNSOUND_SENDER_ARM;
    }
    if (shot->err == ENETUNREACH || shot->err == EHOSTUNREACH || shot->err == ENETDOWN ||
        shot->err == ENODEV || shot->err == ENXIO) {
        return SP_UNSOUND_NO_ROUTE;
    }
    if (shot->no_standin) {
        return SP_UNSOUND_STANDIN;
    }
    return shot->has_left ? SP_SOUND : SP_UNSOUND_NOT_SENT;
}

/* Somebody took the data and answered it; a proxy that has nobody to pass it on to may say so. */
static bool is_served(const struct sp_shot_seen *shot)
{
    return shot->answer == SP_ANSWER_DATA && (shot->answer_code & SP_ANSWER_UNSERVED) == 0;
}

/* Packets that could be the attempt with its tag rewritten. Of a conversation that nobody served,
 * the SYN of whoever passes it on is none: its data would have been answered. */
static bool is_untagged_there(const struct sp_round *round, const struct sp_attempt *a,
                              const struct sp_table *untagged)
{
    const struct sp_run_state *run = round->run;
    const struct sp_lane *lane = &run->lanes.at[a->lane];
    const struct sp_pair *pair = &run->plan->pairs[lane->pair];
    const struct sp_shot_seen *shot = &round->batch->shots[a->shot];
    uint16_t port = sp_batch_port_at(round->batch, shot);
    uint32_t host;
    if (round->batch->blocks[shot->block].talks && !is_served(shot)) {
        return false;
    }
    for (size_t i = 0; (host = sp_model_receiver(run->model, pair->to, i)) != SP_NONE; i++) {
        if (round->batch->hosts[host].untagged_overflow ||
            sp_table_get(untagged, port_key(host, lane->proto, pair->family, port)) != SP_NO_ROW) {
            return true;
        }
    }
    return false;
}

/* Why this attempt's absence would prove nothing; SP_SOUND when it would. */
static enum sp_unsound doubt(const struct sp_round *round, const struct sp_attempt *a,
                             const struct sp_table *untagged)
{
    const struct sp_run_state *run = round->run;
    const struct sp_batch *batch = round->batch;
    const struct sp_lane *lane = &run->lanes.at[a->lane];
    const struct sp_pair *pair = &run->plan->pairs[lane->pair];
    const struct sp_host_batch *from = &batch->hosts[pair->from];
    enum sp_unsound why = batch->is_stopped ? SP_UNSOUND_INTERRUPTED
                          : from->is_lost   ? SP_UNSOUND_SENDER_LOST
                                            : SP_SOUND;
    enum sp_unsound drops = SP_SOUND;
    uint32_t host;
    for (size_t i = 0;
         why == SP_SOUND && (host = sp_model_receiver(run->model, pair->to, i)) != SP_NONE; i++) {
        enum sp_unsound at = doubt_receiver(batch, host);
        drops =
            at == SP_UNSOUND_CAPTURE_DROPS || from->has_drops ? SP_UNSOUND_CAPTURE_DROPS : drops;
        why = at == SP_UNSOUND_CAPTURE_DROPS ? SP_SOUND : at;
    }
    if (why == SP_SOUND) {
        why = doubt_sending(batch, &batch->shots[a->shot]);
    }
    if (why == SP_SOUND) {
        why = drops;
    }
    if (why == SP_SOUND && lane->control.nflows == 0) {
        why = SP_UNSOUND_NO_CONTROL;
    }
    if (why == SP_SOUND && !guarded(round, a)) {
        why = SP_UNSOUND_CONTROL_LOST;
    }
    return why == SP_SOUND && is_untagged_there(round, a, untagged) ? SP_UNSOUND_UNTAGGED : why;
}

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
    return is_served(shot) || acked;
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
    if (is_served(shot) && !shot->at_nic && !shot->opened && shot->elsewhere == SP_NONE) {
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
    bool back = came_back(round->batch, shot);
    bool whole = shot->at_host && back;
    enum sp_unsound why = doubt(round, a, untagged);
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
    enum sp_rc rc = collect_untagged(round, &untagged);
    if (rc == SP_OK) {
        count_controls(round);
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
