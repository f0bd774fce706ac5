/* SPDX-License-Identifier: Apache-2.0 */
#include "controller/batch_seen.h"

#include <string.h>

#include "probe/base/clock.h"
#include "probe/base/mem.h"
#include "probe/base/proto.h"
#include "probe/techniques/registry.h"

static struct sp_shot_seen *find_shot(struct sp_batch *batch, uint16_t id, uint16_t port)
{
    uint32_t index = sp_table_get(&batch->by_tag, (uint64_t)id << 16 | port);
    return index < batch->nshots ? &batch->shots[index] : NULL;
}

static bool has_addr(const struct sp_addr *addrs, size_t n, const struct sp_addr *addr)
{
    for (size_t i = 0; i < n; i++) {
        if (sp_addr_eq(&addrs[i], addr)) {
            return true;
        }
    }
    return false;
}

/* Did the balancer rewrite it as it declares: to the backend's port and address, from the client
 * (preserved) or from its own addresses (rewritten)? */
static bool is_balanced_wrong(const struct sp_model *model, const struct sp_block_plan *block,
                              const struct sp_listener *listener, uint32_t host,
                              const struct sp_rec_seen *seen)
{
    const struct sp_balancer *balancer = &model->balancers[block->to - model->nhosts];
    const struct sp_host *at = &model->hosts[host];
    bool from_client = sp_addr_eq(&seen->src, &block->src_seen);
    bool good_source = !sp_listener_rewrites(listener) ? from_client
                       : balancer->nsources > 0
                           ? has_addr(balancer->sources, balancer->nsources, &seen->src)
                           : !from_client;
    return !good_source || seen->dport != listener->backend_port ||
           !has_addr(at->addrs, at->naddrs, &seen->dst);
}

/* Anything on the wire that is not what the block declares: another source, destination or port. */
static bool is_rewritten(const struct sp_batch *batch, uint32_t host,
                         const struct sp_shot_seen *shot, const struct sp_rec_seen *seen)
{
    const struct sp_model *model = batch->fleet->model;
    const struct sp_block_plan *block = &batch->blocks[shot->block];
    uint8_t proto = sp_technique_at(block->technique)->proto;
    if (block->to >= model->nhosts && block->to != SP_NONE) {
        const struct sp_listener *listener = sp_model_listener(model, block->to, proto, shot->port);
        return listener && is_balanced_wrong(model, block, listener, host, seen);
    }
    bool has_ports = seen->pieces != SP_PIECES_TAIL; /* which begins behind them */
    bool has_dport =
        has_ports && (proto == SP_PROTO_TCP || proto == SP_PROTO_UDP || proto == SP_PROTO_SCTP);
    bool declared_nat = !sp_addr_eq(&block->src, &block->src_seen);
    return (has_ports && seen->sport != shot->sport && !declared_nat) ||
           (has_dport && seen->dport != shot->port) || !sp_addr_eq(&seen->src, &block->src_seen) ||
           !sp_addr_eq(&seen->dst, &block->own);
}

/* Notes how a packet came in another shape than declared, the first of them. */
static bool note_shape(const struct sp_batch *batch, uint32_t host, struct sp_shot_seen *shot,
                       const struct sp_rec_seen *seen)
{
    bool rewritten = is_rewritten(batch, host, shot, seen);
    if (rewritten && shot->captured.src.family == SP_FAMILY_NONE) {
        shot->captured = (struct sp_tuple){
            .src = seen->src, .dst = seen->dst, .sport = seen->sport, .dport = seen->dport};
    }
    return rewritten;
}

static void on_control_arrival(struct sp_batch *batch, const struct sp_block_plan *block)
{
    if ((block->flags & SP_BLOCK_CONTROL) != 0 && batch->controls_out > 0) {
        batch->controls_out--;
        batch->last_control_us = sp_mono_us();
    }
}

static void on_arrival(struct sp_batch *batch, uint32_t host, struct sp_shot_seen *shot,
                       const struct sp_rec_seen *seen)
{
    const struct sp_block_plan *block = &batch->blocks[shot->block];
    if (!sp_batch_receives(batch, block, host)) {
        return; /* only the receiver can tell its own arrivals */
    }
    const struct sp_listener *listener = sp_model_listener(
        batch->fleet->model, block->to, sp_technique_at(block->technique)->proto, shot->port);
    if (listener && !sp_listener_has(listener, host)) {
        shot->elsewhere = host; /* a backend, but of another listener */
        (void)note_shape(batch, host, shot, seen);
        return;
    }
    shot->arrived_at = host;
    shot->seen_src = seen->src;
    if (block->talks && seen->code == 0) {
        shot->opened = true; /* a handshake alone is no conversation */
    } else if (seen->kind == SP_SEEN_NIC) {
        if (!shot->at_nic) {
            on_control_arrival(batch, block);
        }
        shot->at_nic = true;
        shot->nic_count = seen->count;
        shot->pieces = seen->pieces;
        shot->nic_iface = seen->iface;
        shot->nic_ttl = seen->ttl;
        shot->nic_us = seen->at_us;
    } else {
        shot->at_host = true;
        shot->host_count = seen->count;
    }
    shot->is_rewritten = note_shape(batch, host, shot, seen) || shot->is_rewritten;
}

static void on_sender(struct sp_batch *batch, uint32_t host, struct sp_shot_seen *shot,
                      const struct sp_rec_seen *seen)
{
    if (host != batch->blocks[shot->block].from) {
        return;
    }
    if (seen->kind == SP_SEEN_ANSWER) {
        shot->answer = seen->answer;
        shot->answer_code = seen->code;
        shot->answer_iface = seen->iface;
        shot->answer_ttl = seen->ttl;
        shot->answerer = seen->src;
        shot->rtt_us = seen->at_us;
        if (seen->answer == SP_ANSWER_EXPIRED) {
            const struct sp_block_plan *block = &batch->blocks[shot->block];
            shot->quoted = (struct sp_tuple){
                .src = block->src, .dst = seen->dst, .sport = seen->sport, .dport = seen->dport};
        }
        shot->mtu = seen->answer == SP_ANSWER_TOO_BIG ? seen->count : 0;
        bool has_ended = (seen->answer == SP_ANSWER_SYN_ACK || seen->answer == SP_ANSWER_DATA) &&
                         (seen->code & SP_ANSWER_CLOSED) != 0;
        shot->status = seen->err;
        shot->silent_ms = has_ended ? seen->count : 0;
        if (seen->answer != SP_ANSWER_CRAFTED && seen->at_us > batch->max_rtt_us &&
            seen->at_us < 2000000) {
            batch->max_rtt_us = seen->at_us;
        }
        return;
    }
    shot->is_sent = true;
    shot->is_repeated = seen->count > 1;
    shot->left_iface = seen->iface;
    shot->has_left = seen->kind == SP_SEEN_LEFT;
    shot->err = seen->err;
    shot->sent_us = seen->at_us;
}

static void on_untagged(struct sp_batch *batch, uint32_t host, const struct sp_rec_seen *seen)
{
    if (sp_grow((void **)&batch->untagged, batch->nuntagged, &batch->cap_untagged,
                sizeof(*batch->untagged)) != 0) {
        batch->hosts[host].untagged_overflow = true;
        return;
    }
    batch->untagged[batch->nuntagged++] = (struct sp_untagged_seen){.host = host,
                                                                    .proto = seen->code,
                                                                    .port = seen->port,
                                                                    .src = seen->src,
                                                                    .dst = seen->dst,
                                                                    .count = seen->count};
}

static void on_transit(struct sp_batch *batch, uint32_t host, const struct sp_shot_seen *shot,
                       const struct sp_rec_seen *seen)
{
    if (sp_grow((void **)&batch->transits, batch->ntransits, &batch->cap_transits,
                sizeof(*batch->transits)) != 0) {
        batch->hosts[host].untagged_overflow = true;
        return;
    }
    batch->transits[batch->ntransits++] = (struct sp_transit_seen){
        .host = host,
        .shot = (uint32_t)(shot - batch->shots),
        .iface = seen->iface,
        .count = seen->count,
        .at_us = seen->at_us,
        .tuple = {.src = seen->src, .dst = seen->dst, .sport = seen->sport, .dport = seen->dport},
        .answer = seen->answer,
        .ttl = seen->ttl,
        .is_out = seen->code != 0};
}

static void on_seen(struct sp_batch *batch, uint32_t host, const struct sp_rec_seen *seen)
{
    struct sp_shot_seen *shot =
        seen->kind == SP_SEEN_UNTAGGED ? NULL : find_shot(batch, seen->block, seen->port);
    switch (seen->kind) {
    case SP_SEEN_UNTAGGED:
        on_untagged(batch, host, seen);
        break;
    case SP_SEEN_SENT:
    case SP_SEEN_LEFT:
    case SP_SEEN_ANSWER:
        if (shot) {
            on_sender(batch, host, shot, seen);
        }
        break;
    case SP_SEEN_NIC:
    case SP_SEEN_HOST:
        if (shot) {
            on_arrival(batch, host, shot, seen);
        }
        break;
    case SP_SEEN_EGRESS:
        if (shot && sp_batch_receives(batch, &batch->blocks[shot->block], host)) {
            shot->egress = seen->answer;
            shot->egress_iface = seen->iface;
            shot->egress_err = seen->err;
        }
        break;
    case SP_SEEN_STRAY:
        /* At the sender itself it is a hairpin copy. At the receiver it came in another shape than
         * declared (another family, to an address that was refused): it arrived all the same. */
        if (shot && sp_batch_receives(batch, &batch->blocks[shot->block], host)) {
            bool whole = !batch->blocks[shot->block].talks || seen->code != 0;
            shot->pieces = whole && !shot->at_nic ? seen->pieces : shot->pieces;
            shot->at_nic = shot->at_nic || whole;
            shot->opened = shot->opened || !whole;
            shot->arrived_at = host;
            shot->is_rewritten = note_shape(batch, host, shot, seen) || shot->is_rewritten;
        } else if (shot && host != batch->blocks[shot->block].from) {
            shot->elsewhere = host;
            (void)note_shape(batch, host, shot, seen);
        }
        break;
    case SP_SEEN_HEARD:
        if (shot && sp_batch_receives(batch, &batch->blocks[shot->block], host)) {
            shot->is_heard = true;
            shot->is_changed = shot->is_changed || seen->answer != SP_ANSWER_NONE;
            shot->heard_at = host;
            shot->head = seen->code;
            shot->told = seen->src;
        }
        break;
    case SP_SEEN_TRANSIT:
        if (shot) {
            on_transit(batch, host, shot, seen);
        }
        break;
    default:
        break;
    }
}

static void on_refused(struct sp_batch *batch, uint32_t host, const struct sp_rec_refused *refused)
{
    uint32_t row = batch->block_of_id[refused->block];
    if (row < batch->nblocks && batch->blocks[row].first == refused->block) {
        if (batch->blocks[row].from == host) {
            batch->blocks[row].sender_refused = refused->reason;
        }
        if (sp_batch_receives(batch, &batch->blocks[row], host)) {
            batch->blocks[row].receiver_refused = refused->reason;
        }
    }
}

static void on_unstood(struct sp_batch *batch, uint32_t host, const struct sp_rec_unstood *unstood)
{
    for (size_t i = 0; i < batch->nshots; i++) {
        struct sp_shot_seen *shot = &batch->shots[i];
        const struct sp_block_plan *block = &batch->blocks[shot->block];
        if (block->talks && sp_batch_port_at(batch, shot) == unstood->port &&
            block->dst.family == unstood->addr.family && sp_batch_receives(batch, block, host)) {
            shot->no_standin = true;
        }
    }
}

static void on_collected(struct sp_host_batch *host, const struct sp_rec_collected *c)
{
    host->is_collected = true;
    host->sent = c->sent;
    host->captured = c->captured;
    host->drops = c->capture_drops + c->softnet_drops;
    host->has_drops = host->drops > 0;
    host->untagged_overflow = host->untagged_overflow || c->untagged_overflow != 0;
    host->longest_gap_us = c->longest_gap_us;
}

static void on_record(struct sp_session *session, const struct sp_record *record, void *arg)
{
    struct sp_batch *batch = arg;
    struct sp_host_batch *host = &batch->hosts[session->host];
    if (!host->is_used || host->is_lost) {
        return;
    }
    if (batch->guest) {
        batch->guest->on_record(batch->guest->arg, session->host, record);
    }
    if (record->type == SP_REC_SEEN && record->u.seen.batch == batch->id) {
        on_seen(batch, session->host, &record->u.seen);
    } else if (record->type == SP_REC_REFUSED && record->u.refused.batch == batch->id) {
        on_refused(batch, session->host, &record->u.refused);
    } else if (record->type == SP_REC_UNSTOOD && record->u.unstood.batch == batch->id) {
        on_unstood(batch, session->host, &record->u.unstood);
    } else if (record->type == SP_REC_ARMED && record->u.armed.batch == batch->id) {
        host->is_armed = true;
    } else if (record->type == SP_REC_DONE && record->u.done.batch == batch->id) {
        host->is_done = true;
    } else if (record->type == SP_REC_COLLECTED && record->u.collected.batch == batch->id) {
        on_collected(host, &record->u.collected);
    }
}

static void on_state(struct sp_session *session, void *arg)
{
    struct sp_batch *batch = arg;
    struct sp_host_batch *host = &batch->hosts[session->host];
    if (host->is_used &&
        (session->state == SP_PROBE_LOST || session->state == SP_PROBE_RESTARTING)) {
        host->is_lost = true;
        host->is_interface = session->state == SP_PROBE_RESTARTING;
    }
}

const struct sp_fleet_ops sp_batch_seen_ops = {.on_record = on_record, .on_state = on_state};
