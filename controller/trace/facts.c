/* SPDX-License-Identifier: Apache-2.0
 *
 * From what a batch saw to the facts of a trace: who answers at which distance, how far the
 * receiver is, what passed the probes on the way. */
#include <stdio.h>
#include <string.h>

#include "controller/trace/session.h"

static const struct sp_shot_seen *shot_of(const struct sp_batch *batch, uint32_t block,
                                          uint16_t attempt)
{
    for (size_t i = 0; i < batch->nshots; i++) {
        if (batch->shots[i].block == block && batch->shots[i].attempt == attempt) {
            return &batch->shots[i];
        }
    }
    return NULL;
}

static uint32_t host_at(const struct sp_model *model, const struct sp_addr *addr)
{
    for (uint32_t h = 0; h < model->nhosts; h++) {
        for (size_t i = 0; i < model->hosts[h].naddrs; i++) {
            if (sp_addr_eq(&model->hosts[h].addrs[i], addr)) {
                return h;
            }
        }
    }
    return SP_NONE;
}

static bool arrived(const struct sp_shot_seen *shot)
{
    return shot->at_nic || shot->at_host;
}

/* An answer of the target itself, or one in its name, shows that the TTL was enough. */
static bool is_from_target(const struct sp_trace *t, const struct sp_shot_seen *shot)
{
    return shot->answer != SP_ANSWER_NONE && shot->answer != SP_ANSWER_EXPIRED &&
           sp_addr_eq(&shot->answerer, &t->pair->dst);
}

/* Notes who answered for one TTL; the first address stays. */
static void note_hop(struct sp_trace *t, size_t k, const struct sp_shot_seen *shot,
                     const struct sp_model *model)
{
    struct sp_trace_hop *hop = &t->hops[k];
    if (hop->addr.family == SP_FAMILY_NONE) {
        hop->addr = shot->answerer;
        hop->host = host_at(model, &shot->answerer);
    }
}

/* Who refuses a packet stands no further away than its TTL reaches: it is that hop when the one
 * before it is known. */
static bool note_refusal(struct sp_trace *t, size_t k, const struct sp_shot_seen *shot,
                         const struct sp_model *model)
{
    for (size_t i = 0; i < k; i++) {
        if (t->hops[i].addr.family == SP_FAMILY_NONE ||
            sp_addr_eq(&t->hops[i].addr, &shot->answerer)) {
            return false;
        }
    }
    if (shot->answer != SP_ANSWER_UNREACHABLE || t->hops[k].addr.family != SP_FAMILY_NONE ||
        sp_addr_eq(&shot->answerer, &t->pair->dst)) {
        return false;
    }
    note_hop(t, k, shot, model);
    return true;
}

/* Hops that exist are those before the receiver, or up to the last that answers. */
static void trim(struct sp_trace *t, uint8_t distance)
{
    size_t last = 0;
    for (size_t k = 0; k < t->nhops; k++) {
        last = t->hops[k].addr.family != SP_FAMILY_NONE ? k + 1 : last;
    }
    t->nhops = t->is_distance_known ? distance : last;
}

void sp_trace_learn(struct sp_traced *traced, const struct sp_batch *batch,
                    const struct sp_trace_shots *shots, const struct sp_model *model)
{
    struct sp_trace *t = &traced->trace;
    uint8_t distance = traced->limit;
    t->nhops = traced->limit;
    for (size_t k = 0; k < t->nhops; k++) {
        t->hops[k] = (struct sp_trace_hop){.host = SP_NONE};
    }
    for (uint16_t k = 0; k < traced->limit; k++) {
        for (size_t i = 0; i < 2; i++) {
            const struct sp_shot_seen *shot = shot_of(batch, shots->reference[i], k);
            if (!shot) {
                continue;
            }
            if (shot->answer == SP_ANSWER_EXPIRED) {
                note_hop(t, k, shot, model);
                t->hops[k].reference++;
            } else if (note_refusal(t, k, shot, model)) {
                t->hops[k].reference++;
            }
            bool is_there = arrived(shot) || (t->pair->one_sided && is_from_target(t, shot));
            if (is_there && k < distance) {
                distance = (uint8_t)k;
                t->is_distance_known = true;
            }
        }
    }
    t->reference_arrives = t->is_distance_known;
    trim(t, distance);
    /* One more than is known to be there: the receiver. */
    size_t limit = t->nhops + (t->is_distance_known ? 1 : 2);
    traced->limit = (uint8_t)(limit < traced->limit ? limit : traced->limit);
}

static const char *iface_name(const struct sp_session *session, uint32_t index)
{
    for (size_t i = 0; i < session->nifaces; i++) {
        if (session->ifaces[i].index == index) {
            return session->ifaces[i].name;
        }
    }
    return "?";
}

/* Of a bridge and its ports, the one that has addresses stands for all. */
static bool has_address(const struct sp_session *session, uint32_t iface)
{
    for (size_t i = 0; i < session->nown; i++) {
        if (session->own[i].iface == iface && !sp_addr_is_special(&session->own[i].addr)) {
            return true;
        }
    }
    return false;
}

static void add_pass(struct sp_trace *t, const struct sp_session *session,
                     const struct sp_transit_seen *seen)
{
    const char *iface = iface_name(session, seen->iface);
    for (size_t i = 0; i < t->npasses; i++) {
        struct sp_trace_pass *pass = &t->passes[i];
        if (pass->host == seen->host && pass->is_out == seen->is_out &&
            pass->answer == seen->answer && strcmp(pass->iface, iface) == 0) {
            pass->count += seen->count;
            return;
        }
    }
    if (t->npasses < SP_TRACE_MAX_PASSES && has_address(session, seen->iface)) {
        struct sp_trace_pass *pass = &t->passes[t->npasses++];
        *pass = (struct sp_trace_pass){.host = seen->host,
                                       .is_out = seen->is_out,
                                       .answer = seen->answer,
                                       .count = seen->count,
                                       .tuple = seen->tuple};
        (void)snprintf(pass->iface, sizeof(pass->iface), "%s", iface);
    }
}

static void take_passes(struct sp_trace *t, const struct sp_run_state *run,
                        const struct sp_batch *batch, uint32_t block,
                        const struct sp_bits *watchers)
{
    for (size_t i = 0; i < batch->ntransits; i++) {
        const struct sp_transit_seen *seen = &batch->transits[i];
        if (batch->shots[seen->shot].block == block) {
            add_pass(t, &run->fleet->sessions[seen->host], seen);
        }
    }
    for (size_t k = 0; k < t->nhops; k++) {
        struct sp_trace_hop *hop = &t->hops[k];
        hop->is_watched = hop->host != SP_NONE && sp_bits_get(watchers, hop->host) &&
                          batch->hosts[hop->host].is_collected &&
                          !batch->hosts[hop->host].is_lost && !batch->hosts[hop->host].has_drops;
    }
}

/* A router that answers no expired packets has no place in the list but that of its probe: an
 * unnamed hop whose neighbours do not have it. */
static void place_watchers(struct sp_trace *t, const struct sp_bits *watchers)
{
    for (size_t i = 0; i < t->npasses; i++) {
        uint32_t host = t->passes[i].host;
        size_t open = t->nhops;
        bool known = !sp_bits_get(watchers, host);
        for (size_t k = 0; k < t->nhops; k++) {
            known = known || t->hops[k].host == host;
            if (t->hops[k].addr.family == SP_FAMILY_NONE && open == t->nhops) {
                open = k;
            }
        }
        if (!known && open < t->nhops) {
            t->hops[open].host = host;
            t->hops[open].addr = t->model->hosts[host].addrs[0];
            t->hops[open].is_watched = true;
        }
    }
}

/* The name of an interface that has an address: ports of bridges see the same packets. */
static void take_iface(const struct sp_session *session, uint32_t index, char out[static 16])
{
    if (index && out[0] == '\0' && has_address(session, index)) {
        (void)snprintf(out, 16, "%s", iface_name(session, index));
    }
}

/* Where it turned round: packets that the receiver's own stack, or nobody on the way, answered. */
static void take_ifaces(struct sp_trace *t, const struct sp_run_state *run,
                        const struct sp_shot_seen *shot)
{
    const struct sp_session *from = &run->fleet->sessions[t->pair->from];
    take_iface(from, shot->left_iface, t->left_by);
    if (shot->egress != SP_ANSWER_NONE && sp_addr_eq(&shot->answerer, &t->pair->dst)) {
        take_iface(from, shot->answer_iface, t->answer_by);
    }
    if (t->pair->to < run->model->nhosts) {
        const struct sp_session *to = &run->fleet->sessions[t->pair->to];
        take_iface(to, shot->nic_iface, t->arrived_by);
        take_iface(to, shot->egress_iface, t->reply_by);
    }
}

static void take_plain(struct sp_trace *t, const struct sp_shot_seen *shot)
{
    t->tries++;
    t->left = (uint8_t)(t->left + shot->has_left);
    t->nic = (uint8_t)(t->nic + arrived(shot));
    t->host = (uint8_t)(t->host + shot->at_host);
    t->answer_left = (uint8_t)(t->answer_left + (shot->egress != SP_ANSWER_NONE));
    t->answered = (uint8_t)(t->answered + (shot->answer != SP_ANSWER_NONE &&
                                           shot->answer != SP_ANSWER_UNREACHABLE));
    t->send_err = shot->err ? shot->err : t->send_err;
    t->egress_err = shot->egress_err ? shot->egress_err : t->egress_err;
    t->egress = shot->egress ? shot->egress : t->egress;
    if (sp_answer_strength(shot->answer) > sp_answer_strength(t->answer)) {
        t->answer = shot->answer;
        t->answer_code = shot->answer_code;
        t->answer_ttl = shot->answer_ttl;
        t->answerer = shot->answerer;
    }
    if (shot->elsewhere != SP_NONE) {
        t->elsewhere = shot->elsewhere;
    }
    if (t->captured.src.family == SP_FAMILY_NONE) {
        t->captured = shot->captured;
    }
    t->sport = t->sport ? t->sport : shot->sport;
}

/* Routers say it now and then only: to which of the packets is chance. */
static void take_refusal(struct sp_trace *t, size_t k, const struct sp_shot_seen *shot,
                         const struct sp_model *model)
{
    if (k < t->nhops && note_refusal(t, k, shot, model)) {
        t->hops[k].asked++;
    }
    if (t->answer == SP_ANSWER_NONE) {
        t->answer = shot->answer;
        t->answer_code = shot->answer_code;
        t->answer_ttl = shot->answer_ttl;
        t->answerer = shot->answerer;
    }
}

static void note_path(struct sp_trace_hop *hop, const struct sp_addr *addr)
{
    hop->path_answers++;
    for (size_t i = 0; i < hop->npaths; i++) {
        if (sp_addr_eq(&hop->paths[i], addr)) {
            return;
        }
    }
    if (hop->npaths < SP_TRACE_MAX_PATHS) {
        hop->paths[hop->npaths++] = *addr;
    }
}

void sp_trace_note_expired(struct sp_trace *t, size_t k, const struct sp_shot_seen *shot,
                           const struct sp_model *model)
{
    for (; t->nhops <= k; t->nhops++) {
        t->hops[t->nhops] = (struct sp_trace_hop){.host = SP_NONE};
    }
    note_hop(t, k, shot, model);
    note_path(&t->hops[k], &shot->answerer);
    t->hops[k].asked = (uint8_t)(t->hops[k].asked + (t->hops[k].asked < UINT8_MAX));
}

static void take_ttls(struct sp_traced *traced, const struct sp_batch *batch,
                      const struct sp_trace_shots *shots, const struct sp_model *model)
{
    struct sp_trace *t = &traced->trace;
    const struct sp_pair *pair = t->pair;
    bool has_ports = t->test->proto == SP_PROTO_TCP || t->test->proto == SP_PROTO_UDP;
    size_t known = t->nhops;
    for (uint16_t k = 0; k < traced->limit; k++) {
        for (size_t i = 0; i < SP_ARRAY_LEN(shots->flow); i++) {
            const struct sp_shot_seen *shot = shot_of(batch, shots->flow[i], k);
            if (!shot || k >= SP_TRACE_MAX_HOPS) {
                continue;
            }
            if (shot->answer == SP_ANSWER_UNREACHABLE) {
                take_refusal(t, k, shot, model);
            }
            if (shot->answer != SP_ANSWER_EXPIRED) {
                continue;
            }
            sp_trace_note_expired(t, k, shot, model);
            bool moved = !sp_addr_eq(&shot->quoted.dst, &pair->dst) ||
                         (has_ports && (shot->quoted.dport != t->test->port ||
                                        shot->quoted.sport != shot->sport));
            if (moved && !t->hops[k].is_translated) {
                t->hops[k].is_translated = true;
                t->hops[k].quoted = shot->quoted;
            }
        }
    }
    if (t->is_distance_known && t->nhops > known) {
        t->is_distance_known = false; /* the flow goes another way than its reference */
    }
}

void sp_trace_take(struct sp_traced *traced, const struct sp_run_state *run,
                   const struct sp_batch *batch, const struct sp_trace_shots *shots,
                   const struct sp_bits *watchers)
{
    struct sp_trace *t = &traced->trace;
    for (uint16_t k = 0; k < SP_TRACE_PLAIN; k++) {
        const struct sp_shot_seen *shot = shot_of(batch, shots->plain, k);
        if (shot && shot->is_sent) {
            take_plain(t, shot);
            take_ifaces(t, run, shot);
        }
    }
    t->sender_refused = batch->blocks[shots->plain].sender_refused;
    t->receiver_refused = batch->blocks[shots->plain].receiver_refused;
    take_ttls(traced, batch, shots, run->model);
    take_passes(t, run, batch, shots->plain, watchers);
    place_watchers(t, watchers);
    bool is_own = t->answer_left > 0 && t->answered > 0 && t->answer_ttl > 0 &&
                  sp_addr_eq(&t->answerer, &t->pair->dst);
    if (is_own) {
        uint8_t set = t->answer_ttl > 128 ? 255 : t->answer_ttl > 64 ? 128 : 64;
        t->back_hops = (uint8_t)(set - t->answer_ttl + 1);
    }
}
