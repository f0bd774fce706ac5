/* SPDX-License-Identifier: Apache-2.0
 *
 * Why an attempt's absence would prove nothing: the controls around it, the probes at both ends,
 * and packets that may have been ours. Here lives the rule that absence counts only between two
 * good controls. */
#include <errno.h>
#include <stdlib.h>

#include "controller/round_priv.h"
#include "probe/techniques/registry.h"

/* How far a control may be from the attempt it guards, by the sender's own clock (design section
 * 6). */
#define SP_GUARD_US 1000000

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
void sp_round_count_controls(struct sp_round *round)
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

enum sp_rc sp_round_collect_untagged(const struct sp_round *round, struct sp_table *ports)
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

bool sp_round_is_untagged(const struct sp_round *round, const struct sp_table *ports, uint32_t host,
                          uint8_t proto, uint8_t family, uint16_t port)
{
    return round->batch->hosts[host].untagged_overflow ||
           sp_table_get(ports, port_key(host, proto, family, port)) != SP_NO_ROW;
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

bool sp_round_is_served(const struct sp_shot_seen *shot)
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
    if (round->batch->blocks[shot->block].talks && !sp_round_is_served(shot)) {
        return false;
    }
    for (size_t i = 0; (host = sp_model_receiver(run->model, pair->to, i)) != SP_NONE; i++) {
        if (sp_round_is_untagged(round, untagged, host, lane->proto, pair->family, port)) {
            return true;
        }
    }
    return false;
}

/* Why this attempt's absence would prove nothing; SP_SOUND when it would. */
enum sp_unsound sp_round_doubt(const struct sp_round *round, const struct sp_attempt *a,
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
