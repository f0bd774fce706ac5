/* SPDX-License-Identifier: Apache-2.0
 *
 * The witnesses' side of the engine: what a packet that was captured, or that passed the host's
 * firewall, means for the current batch. Packets are hostile; everything here is bounded and
 * decides by tag, direction and addresses. */
#include <errno.h>
#include <string.h>

#include "probe/base/clock.h"
#include "probe/base/proto.h"
#include "probe/engine_state.h"
#include "probe/hearing.h"
#include "probe/packet/sctpform.h"

/* Of several techniques that begin with the same packet, the block says whose it is. NULL:
 * nobody's, or refused. */
static const struct sp_technique *owner(const struct sp_engine *engine, uint16_t id)
{
    uint16_t pass;
    const struct sp_sweep *sweep = sp_sweeps_find(&engine->sweeps, id, &pass);
    const struct sp_guard *guard = sweep ? NULL : sp_sweeps_find_guard(&engine->sweeps, id);
    if (sweep || guard) {
        return sweep ? sweep->tech : guard->tech;
    }
    uint32_t row = sp_batch_find_block(&engine->batch, id);
    return row == SP_NO_ROW ? NULL : engine->batch.blocks[row].tech;
}

/* A probe packet of this batch? By the outer protocol first, then by the tag. A sweep's packets are
 * many and alike: the technique of the last one is tried first. */
const struct sp_technique *sp_engine_match(const struct sp_engine *engine, const struct sp_pkt *pkt,
                                           uint16_t *block, uint16_t *port)
{
    struct sp_hearing *hearing = engine->sweeps.hearing;
    const struct sp_technique **likely =
        hearing ? &hearing->likely[pkt->ip_proto == SP_IPPROTO_TCP] : NULL;
    const struct sp_technique *tech = likely ? *likely : NULL;
    const struct sp_technique *first = NULL;
    if (tech && sp_tech_takes(tech, pkt->src.family, pkt->ip_proto) &&
        tech->match(&engine->keys, pkt, block, port) && owner(engine, *block) == tech) {
        return tech;
    }
    for (size_t i = 0; (tech = sp_technique_code(i)) != NULL; i++) {
        if (!sp_tech_takes(tech, pkt->src.family, pkt->ip_proto) ||
            !tech->match(&engine->keys, pkt, block, port)) {
            continue;
        }
        if (owner(engine, *block) == tech) {
            if (likely) {
                *likely = tech;
            }
            return tech;
        }
        first = first ? first : tech;
    }
    return first;
}

/* The row of the block if this packet is of its technique and it is this probe's to receive. */
static uint32_t receiving_block(const struct sp_engine *engine, const struct sp_technique *tech,
                                uint16_t id, const struct sp_pkt *pkt)
{
    uint32_t row = sp_batch_find_block(&engine->batch, id);
    if (row == SP_NO_ROW) {
        return SP_NO_ROW;
    }
    const struct sp_block *block = &engine->batch.blocks[row];
    bool mine = (block->flags & SP_BLOCK_RECEIVER) != 0 && block->refused == SP_REFUSED_NONE &&
                block->tech == tech &&
                /* A proxy may pass a conversation on in the other family. */
                (tech->on_packet || block->dst.family == pkt->dst.family);
    return mine ? row : SP_NO_ROW;
}

static void conversation(const struct sp_pkt *pkt, bool quoted, uint16_t *ret_sport,
                         uint16_t *ret_dport)
{
    bool icmp = !quoted && (pkt->ip_proto == SP_IPPROTO_ICMP || pkt->ip_proto == SP_IPPROTO_ICMP6);
    *ret_sport = quoted ? pkt->quoted.sport : icmp ? pkt->echo_id : pkt->sport;
    *ret_dport = quoted ? pkt->quoted.dport : icmp ? pkt->echo_seq : pkt->dport;
}

/* ---- leaving ---- */

/* An answer of this host to an arrival: seen leaving. In an echo reply both numbers are the
 * request's. */
static void on_egress(struct sp_engine *engine, const struct sp_pkt *pkt)
{
    uint16_t sport;
    uint16_t dport;
    bool quoted = sp_pkt_is_unreachable(pkt);
    conversation(pkt, quoted, &sport, &dport);
    bool icmp = pkt->ip_proto == SP_IPPROTO_ICMP || pkt->ip_proto == SP_IPPROTO_ICMP6;
    bool as_request = quoted || icmp; /* the numbers stand as in the arrival, not reversed */
    struct sp_arrival *a =
        sp_batch_arrival_by_tuple(&engine->batch, quoted ? &pkt->quoted.src : &pkt->dst,
                                  quoted ? pkt->quoted.ip_proto : pkt->ip_proto,
                                  as_request ? sport : dport, as_request ? dport : sport);
    if (!a || a->block_row == SP_NO_ROW) {
        return;
    }
    const struct sp_technique *tech = engine->batch.blocks[a->block_row].tech;
    uint8_t answer = quoted ? (tech->quoted(&engine->keys, &a->flow, pkt) ? SP_ANSWER_UNREACHABLE
                                                                          : SP_ANSWER_NONE)
                            : (uint8_t)tech->answer(&engine->keys, &a->flow, pkt);
    if (answer == SP_ANSWER_RST && a->is_crafted) {
        answer = SP_ANSWER_CRAFTED; /* it looks like the host's own: remember whose it is */
    }
    if (answer != SP_ANSWER_NONE) {
        sp_engine_keep(engine, SP_KEPT_REPLY, a->flow.block, a->flow.port);
    }
    if (sp_answer_strength(answer) > sp_answer_strength(a->egress)) {
        a->egress = answer;
        a->egress_iface = engine->at_hand->iface;
        a->egress_code = quoted ? pkt->icmp_code : 0;
    }
}

/* Of a conversation every packet is evidence, also those without a tag. */
static void keep_talk(struct sp_engine *engine, const struct sp_shot *shot, uint8_t role)
{
    if (shot && shot->is_sent && engine->batch.blocks[shot->block_row].tech->on_packet) {
        sp_engine_keep(engine, role, shot->flow.block, shot->flow.port);
    }
}

static void on_out(struct sp_engine *engine, const struct sp_pkt *pkt)
{
    uint16_t block = 0;
    uint16_t port = 0;
    const struct sp_technique *tech = sp_engine_match(engine, pkt, &block, &port);
    if (sp_engine_sweep_out(engine, tech, pkt, block, port)) {
        return;
    }
    struct sp_shot *shot = tech ? sp_batch_shot_by_tag(&engine->batch, block, port) : NULL;
    if (shot) {
        if (!shot->has_left) {
            shot->has_left = 1;
            shot->left_us = sp_engine_since(engine, sp_mono_us());
            shot->left_iface = engine->at_hand->iface;
            sp_engine_keep(engine, SP_KEPT_SENT, block, port);
        } else {
            keep_talk(engine, shot, SP_KEPT_SENT);
        }
        return;
    }
    keep_talk(
        engine,
        sp_batch_shot_by_tuple(&engine->batch, &pkt->dst, pkt->ip_proto, pkt->dport, pkt->sport),
        SP_KEPT_SENT);
    on_egress(engine, pkt);
}

/* ---- arriving ---- */

static void tell_arrival(struct sp_engine *engine, const struct sp_arrival *a,
                         enum sp_seen_kind kind)
{
    struct sp_record record = {.type = SP_REC_SEEN};
    record.u.seen = (struct sp_rec_seen){
        .batch = engine->order.batch,
        .kind = (uint8_t)kind,
        .block = a->flow.block,
        .port = a->flow.port,
        .count = kind == SP_SEEN_HOST ? a->host_count : a->nic_count,
        .code = kind == SP_SEEN_HOST ? a->host_data : a->nic_data,
        .ttl = a->ttl,
        .iface = a->iface,
        .at_us = kind == SP_SEEN_HOST ? a->host_us : a->nic_us,
        .src = a->flow.src,
        .dst = a->flow.dst,
        .sport = a->flow.sport,
        .dport = a->wire_dport,
        .pieces = kind == SP_SEEN_HOST ? 0U : sp_engine_pieces_of(engine, a),
    };
    if (kind == SP_SEEN_EGRESS) {
        record.u.seen.count = 1;
        record.u.seen.answer = a->egress;
        record.u.seen.iface = a->egress_iface;
        record.u.seen.code = a->egress_code;
        record.u.seen.err = a->reply_err;
    } else if (kind == SP_SEEN_STRAY) {
        record.u.seen.count = a->nic_count + a->host_count;
        record.u.seen.code = a->nic_data || a->host_data;
    }
    engine->io.tell(engine->io.arg, &record);
}

/* A later segment of a conversation: no new arrival, and it is told apart from a second copy. */
static bool is_later_segment(const struct sp_technique *tech, const struct sp_pkt *pkt)
{
    return tech->on_packet && pkt->ip_proto == SP_IPPROTO_TCP && (pkt->tcp_flags & SP_TCP_SYN) == 0;
}

void sp_engine_arrived(struct sp_engine *engine, const struct sp_technique *tech,
                       const struct sp_pkt *pkt, uint16_t id, uint16_t port, uint32_t iface)
{
    uint32_t row = receiving_block(engine, tech, id, pkt);
    struct sp_arrival *a = sp_batch_arrival(&engine->batch, id, port, row, pkt);
    if (!a) {
        engine->batch.untagged_overflow = true; /* out of memory: absence proves nothing any more */
        return;
    }
    bool later = is_later_segment(tech, pkt);
    bool is_first = a->nic_count == 0;
    if (later && is_first) {
        /* The SYN of a full proxy's own connection carried no tag, and is this very arrival. */
        const struct sp_untagged syn = {
            .src = pkt->src, .dst = pkt->dst, .port = pkt->dport, .proto = SP_PROTO_TCP};
        sp_batch_explain_untagged(&engine->batch, &syn);
    }
    a->nic_count += is_first || !later;
    a->iface = iface;
    if (is_first) {
        a->nic_us = sp_engine_since(engine, sp_mono_us());
        a->ttl = pkt->ttl;
    }
    /* A conversation has come through when its data has. */
    bool is_news = tech->on_packet ? pkt->payload_len > 0 && !a->nic_data : is_first;
    a->nic_data = a->nic_data || pkt->payload_len > 0;
    if (is_first || later || (row != SP_NO_ROW && tech->on_packet)) {
        sp_engine_keep(engine, row == SP_NO_ROW ? SP_KEPT_STRAY : SP_KEPT_ARRIVED, id, port);
    }
    if (is_news && row != SP_NO_ROW && (engine->batch.blocks[row].flags & SP_BLOCK_CONTROL) != 0) {
        tell_arrival(engine, a, SP_SEEN_NIC);
    }
}

static bool on_answer(struct sp_engine *engine, const struct sp_pkt *pkt)
{
    uint16_t sport;
    uint16_t dport;
    if (engine->batch.nshots == 0) {
        return false;
    }
    bool quoted = sp_pkt_is_unreachable(pkt);
    conversation(pkt, quoted, &sport, &dport);
    bool icmp = pkt->ip_proto == SP_IPPROTO_ICMP || pkt->ip_proto == SP_IPPROTO_ICMP6;
    bool as_request = quoted || icmp;
    struct sp_shot *shot =
        sp_batch_shot_by_tuple(&engine->batch, quoted ? &pkt->quoted.dst : &pkt->src,
                               quoted ? pkt->quoted.ip_proto : pkt->ip_proto,
                               as_request ? dport : sport, as_request ? sport : dport);
    shot = sp_engine_answered(engine, shot, pkt, quoted);
    if (!shot) {
        return false;
    }
    const struct sp_technique *tech = engine->batch.blocks[shot->block_row].tech;
    if (tech->on_packet && !quoted) {
        if ((pkt->tcp_flags & (SP_TCP_SYN | SP_TCP_ACK)) == SP_TCP_SYN) {
            return false; /* a probe of somebody's, not an answer */
        }
        keep_talk(engine, shot, SP_KEPT_ANSWER);
        sp_engine_dialog_packet(engine, shot, pkt, sp_mono_us());
        return true;
    }
    uint8_t answer = sp_engine_answer_of(engine, shot, pkt, quoted);
    if (answer != SP_ANSWER_NONE) {
        sp_engine_keep(engine, SP_KEPT_ANSWER, shot->flow.block, shot->flow.port);
        shot->answer_iface = engine->at_hand->iface;
    }
    if (sp_answer_strength(answer) > sp_answer_strength(shot->answer)) {
        shot->answer = answer;
        shot->code = quoted ? pkt->icmp_code : 0;
        shot->ttl = pkt->ttl;
        shot->answerer = pkt->src;
        shot->answer_us = sp_engine_since(engine, sp_mono_us());
    }
    return answer != SP_ANSWER_NONE;
}

/* No technique takes a bare SYN for an answer, and a sweep sends nothing else. */
static bool may_answer(const struct sp_pkt *pkt)
{
    return pkt->ip_proto != SP_IPPROTO_TCP ||
           (pkt->tcp_flags & (SP_TCP_SYN | SP_TCP_ACK | SP_TCP_RST)) != SP_TCP_SYN;
}

/* Our own packet sent back with its ends swapped (an echo service does that): an answer, not an
 * arrival. */
static bool is_reflected(const struct sp_engine *engine, const struct sp_pkt *pkt, uint16_t block,
                         uint16_t port)
{
    const struct sp_shot *shot = sp_batch_shot_by_tag(&engine->batch, block, port);
    return shot && !sp_addr_eq(&shot->flow.src, &shot->flow.dst) &&
           sp_addr_eq(&pkt->src, &shot->flow.dst) && sp_addr_eq(&pkt->dst, &shot->flow.src);
}

/* ICMP that somebody asks on purpose. Errors and what belongs to one link come all the time, and
 * nobody rewrites the quote of one. */
static bool is_question(const struct sp_pkt *pkt)
{
    uint8_t type = pkt->icmp_type;
    if (pkt->ip_proto == SP_IPPROTO_ICMP) {
        return (type >= 13 && type <= 18) || type == 0 || type == 42 || type == 43;
    }
    return pkt->ip_proto == SP_IPPROTO_ICMP6 &&
           (type == 129 || (type >= 138 && type <= 140) || type == 160 || type == 161);
}

/* A packet that could be the tested one with its tag rewritten: it makes an absence doubtful. */
/* A segment of no connection whose timestamps were stripped or rewritten on the way: its sequence
 * number still names a block that this probe receives, and its port. Not sure enough to be an
 * arrival (a stranger's number does so once in some million), and too likely to be ignored. */
static bool is_stripped(const struct sp_engine *engine, const struct sp_pkt *pkt)
{
    uint16_t id, port;
    sp_tag_unseal(&engine->keys, pkt->seq, &id, &port);
    uint32_t row = port == pkt->dport ? sp_batch_find_block(&engine->batch, id) : SP_NO_ROW;
    return row != SP_NO_ROW && (engine->batch.blocks[row].flags & SP_BLOCK_RECEIVER) != 0;
}

static void on_untagged(struct sp_engine *engine, const struct sp_pkt *pkt)
{
    struct sp_untagged seen = {.src = pkt->src, .dst = pkt->dst, .port = pkt->dport};
    bool syn = (pkt->tcp_flags & (SP_TCP_SYN | SP_TCP_ACK | SP_TCP_RST)) == SP_TCP_SYN;
    if (pkt->ip_proto == SP_IPPROTO_TCP && (syn || is_stripped(engine, pkt))) {
        seen.proto = SP_PROTO_TCP;
    } else if (pkt->ip_proto == SP_IPPROTO_UDP) {
        seen.proto = SP_PROTO_UDP;
    } else if (pkt->ip_proto == SP_IPPROTO_ICMP && pkt->icmp_type == SP_ICMP_ECHO) {
        seen.proto = SP_PROTO_ICMP;
        seen.port = SP_PORT_ICMP_ECHO;
    } else if (pkt->ip_proto == SP_IPPROTO_ICMP6 && pkt->icmp_type == SP_ICMP6_ECHO) {
        seen.proto = SP_PROTO_ICMP6;
        seen.port = SP_PORT_ICMP6_ECHO;
    } else if (pkt->ip_proto == SP_IPPROTO_SCTP && pkt->sctp_chunk == SP_SCTP_INIT) {
        seen.proto = SP_PROTO_SCTP;
    } else if (is_question(pkt)) {
        seen.proto = pkt->ip_proto == SP_IPPROTO_ICMP ? SP_PROTO_ICMP : SP_PROTO_ICMP6;
        seen.port = (uint16_t)(pkt->icmp_type << 8 | pkt->icmp_code);
    } else if (sp_pkt_is_portless(pkt->ip_proto)) {
        seen.proto = SP_PROTO_IP;
        seen.port = pkt->ip_proto;
    } else {
        return;
    }
    seen.first_us = sp_engine_since(engine, sp_mono_us());
    sp_batch_count_untagged(&engine->batch, &seen);
}

static void look_at(struct sp_engine *engine, const struct sp_captured *captured)
{
    struct sp_pkt pkt;
    if (!sp_engine_is_armed(engine) ||
        (engine->only_iface && captured->iface != engine->only_iface)) {
        return;
    }
    bool parses = sp_pkt_parse(captured->ip, captured->len, &pkt);
    if (!parses || pkt.is_fragment) {
        /* Of a packet that was cut on the way, the first part carries the tag and counts. */
        if (sp_engine_piece(engine, captured) || !parses) {
            return;
        }
    }
    if (sp_engine_wrapped(engine, captured)) {
        return;
    }
    sp_engine_transit(engine, captured, &pkt);
    if (captured->dir == SP_DIR_OUT || captured->is_loopback) {
        on_out(engine, &pkt);
    }
    if (captured->is_flooded) {
        sp_engine_flooded(engine, captured, &pkt);
        return;
    }
    bool inbound = captured->dir == SP_DIR_IN;
    if (!inbound || !sp_netinfo_find(&engine->net, &pkt.dst)) {
        return; /* transit, or for somebody else */
    }
    if (sp_engine_path_error(engine, &pkt)) {
        return;
    }
    /* First: a service that sends our own bytes back is an answer, though it carries a probe's tag.
     */
    if (may_answer(&pkt) && (on_answer(engine, &pkt) || sp_engine_sweep_answer(engine, &pkt))) {
        return;
    }
    uint16_t block;
    uint16_t port;
    const struct sp_technique *tech = sp_engine_match(engine, &pkt, &block, &port);
    if (tech && sp_engine_sweep_arrival(engine, tech, &pkt, block, port, captured->iface, false)) {
        return;
    }
    if (tech && is_reflected(engine, &pkt, block, port)) {
        (void)on_answer(engine, &pkt);
    } else if (tech) {
        sp_engine_arrived(engine, tech, &pkt, block, port, captured->iface);
    } else {
        on_untagged(engine, &pkt);
    }
}

void sp_engine_captured(struct sp_engine *engine, const struct sp_captured *captured)
{
    engine->at_hand = captured;
    look_at(engine, captured);
    engine->at_hand = NULL;
}

void sp_engine_host(struct sp_engine *engine, const struct sp_pkt *pkt, uint32_t iface)
{
    uint16_t id;
    uint16_t port;
    if (!sp_engine_is_armed(engine)) {
        return;
    }
    const struct sp_technique *tech = engine->only_iface && iface != engine->only_iface
                                          ? NULL
                                          : sp_engine_match(engine, pkt, &id, &port);
    if (!tech || sp_engine_sweep_arrival(engine, tech, pkt, id, port, iface, true) ||
        is_reflected(engine, pkt, id, port)) {
        return;
    }
    uint32_t row = receiving_block(engine, tech, id, pkt);
    struct sp_arrival *a = sp_batch_arrival(&engine->batch, id, port, row, pkt);
    if (!a) {
        engine->batch.untagged_overflow = true;
        return;
    }
    uint32_t now_us = sp_engine_since(engine, sp_mono_us());
    a->host_data = a->host_data || pkt->payload_len > 0;
    if (is_later_segment(tech, pkt) && a->host_count > 0) {
        return;
    }
    if (a->host_count++ == 0) {
        a->host_us = now_us;
        if (row != SP_NO_ROW && (engine->batch.blocks[row].flags & SP_BLOCK_REPLY) != 0 &&
            tech->reply) {
            a->reply_pending = 1;
            a->reply_us = now_us + SP_REPLY_AFTER_US;
            engine->replies_due++;
        }
    }
}

/* ---- crafted replies ---- */

struct emitter {
    struct sp_engine *engine;
    const struct sp_block *block;
};

static int emit(struct sp_tech_io *io, const struct sp_spec *spec)
{
    struct emitter *emitter = io->arg;
    if (!sp_engine_is_target(emitter->engine, &spec->dst)) {
        return EACCES; /* a source that was translated on the way, and that nobody declared */
    }
    /* Replies always take the host's own way: they stand in for what its stack would send. */
    struct sp_block raw = *emitter->block;
    raw.flags &= (uint16_t)~SP_BLOCK_LINK;
    raw.iface = 0;
    return sp_engine_emit(emitter->engine, &raw, spec);
}

uint64_t sp_engine_replies(struct sp_engine *engine, uint64_t now_us)
{
    uint64_t next = sp_engine_sweep_replies(engine, now_us);
    if (engine->replies_due == 0) {
        return next;
    }
    uint32_t since = sp_engine_since(engine, now_us);
    for (size_t i = 0; i < engine->batch.narrivals; i++) {
        struct sp_arrival *a = &engine->batch.arrivals[i];
        if (!a->reply_pending) {
            continue;
        }
        if (a->reply_us > since) {
            uint64_t due = engine->fired_us + a->reply_us;
            next = due < next ? due : next;
            continue;
        }
        bool answered = sp_answer_strength(a->egress) >= sp_answer_strength(SP_ANSWER_CRAFTED);
        if (!answered && !sp_engine_may_send(engine)) {
            uint64_t at = sp_engine_token_at(engine, now_us);
            return at < next ? at : next;
        }
        a->reply_pending = 0;
        engine->replies_due--;
        if (!answered) {
            struct emitter emitter = {engine, &engine->batch.blocks[a->block_row]};
            struct sp_tech_io io = {
                .keys = &engine->keys, .now_us = now_us, .emit = emit, .arg = &emitter};
            struct sp_flow flow = a->flow;
            flow.dport = a->wire_dport;
            a->reply_err = (uint16_t)emitter.block->tech->reply(&flow, &io);
            a->is_crafted = a->reply_err == 0;
        }
    }
    return next;
}

/* ---- telling ---- */

static void tell_shot(struct sp_engine *engine, const struct sp_shot *shot)
{
    struct sp_record record = {.type = SP_REC_SEEN};
    struct sp_rec_seen *seen = &record.u.seen;
    *seen = (struct sp_rec_seen){.batch = engine->order.batch,
                                 .block = shot->flow.block,
                                 .port = shot->flow.port,
                                 .kind = shot->has_left ? SP_SEEN_LEFT : SP_SEEN_SENT,
                                 .count = shot->again_us ? 2 : 1,
                                 .at_us = shot->sent_us,
                                 .err = shot->err,
                                 .iface = shot->left_iface,
                                 .src = shot->flow.src,
                                 .dst = shot->flow.dst,
                                 .sport = shot->flow.sport};
    engine->io.tell(engine->io.arg, &record);
    if (shot->answer != SP_ANSWER_NONE) {
        seen->kind = SP_SEEN_ANSWER;
        seen->answer = shot->answer;
        seen->iface = shot->answer_iface;
        seen->code = shot->code;
        seen->ttl = shot->ttl;
        seen->src = shot->answerer;
        if (shot->answer == SP_ANSWER_EXPIRED) {
            seen->dst = shot->quoted.dst;
            seen->sport = shot->quoted.sport;
            seen->dport = shot->quoted.dport;
        }
        bool has_ended = (shot->answer == SP_ANSWER_SYN_ACK || shot->answer == SP_ANSWER_DATA) &&
                         (shot->code & SP_ANSWER_CLOSED) != 0;
        seen->count = shot->answer == SP_ANSWER_TOO_BIG ? shot->mtu : 1;
        seen->err = shot->status;
        seen->count = has_ended ? shot->silent_ms : seen->count;
        /* how long it took, so that the controller learns the round-trip time */
        bool late = shot->again_us && shot->answer_us >= shot->again_us;
        uint32_t from_us = late ? shot->again_us : shot->sent_us;
        seen->at_us = shot->answer_us > from_us ? shot->answer_us - from_us : 0;
        engine->io.tell(engine->io.arg, &record);
    }
}

void sp_engine_tell_seen(struct sp_engine *engine)
{
    const struct sp_batch_state *batch = &engine->batch;
    for (size_t i = 0; i < batch->nshots; i++) {
        if (batch->shots[i].is_sent) {
            tell_shot(engine, &batch->shots[i]);
        }
    }
    for (size_t i = 0; i < batch->narrivals; i++) {
        const struct sp_arrival *a = &batch->arrivals[i];
        if (a->block_row == SP_NO_ROW) {
            tell_arrival(engine, a, SP_SEEN_STRAY);
            continue;
        }
        if (a->nic_count) {
            tell_arrival(engine, a, SP_SEEN_NIC);
        }
        if (a->host_count) {
            tell_arrival(engine, a, SP_SEEN_HOST);
        }
        if (a->egress != SP_ANSWER_NONE || a->reply_err) {
            tell_arrival(engine, a, SP_SEEN_EGRESS);
        }
    }
    for (size_t i = 0; i < batch->nuntagged; i++) {
        const struct sp_untagged *u = &batch->untagged[i];
        if (u->count == 0) {
            continue;
        }
        struct sp_record record = {.type = SP_REC_SEEN};
        record.u.seen = (struct sp_rec_seen){.batch = engine->order.batch,
                                             .kind = SP_SEEN_UNTAGGED,
                                             .port = u->port,
                                             .count = u->count,
                                             .at_us = u->first_us,
                                             .src = u->src,
                                             .dst = u->dst,
                                             .code = u->proto};
        engine->io.tell(engine->io.arg, &record);
    }
}
