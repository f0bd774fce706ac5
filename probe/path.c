/* SPDX-License-Identifier: Apache-2.0
 *
 * The engine's view of the path: who says that a packet of ours ended on the way (its TTL ran out,
 * a link was too small for it), and, on a host between the two ends, which packets pass here. A
 * packet that passes is never an arrival.
 *
 * An ICMP error is matched by the addresses and ports that it quotes; over TCP also by the quoted
 * sequence number alone, since a translation on the way may have changed the rest. Limits:
 * SP_TRANSITS_MAX sightings a batch; what is over it makes absence prove nothing. */
#include <string.h>

#include "probe/base/clock.h"
#include "probe/base/mem.h"
#include "probe/engine_state.h"

#define SP_TRANSITS_MAX 1024U

/* The first packet of one shot that passed one interface in one direction. */
struct transit {
    struct sp_flow flow; /* as captured */
    const struct sp_technique *tech;
    uint32_t iface, count, at_us;
    uint16_t wire_dport;
    uint8_t answer; /* enum sp_answer; NONE = the packet itself */
    uint8_t ttl, ip_proto;
    bool is_out;
};

struct sp_transits {
    struct transit *at;
    size_t n, cap;
};

void sp_engine_transits_end(struct sp_engine *engine)
{
    if (engine->transits) {
        sp_free(engine->transits->at);
        sp_free(engine->transits);
        engine->transits = NULL;
    }
}

/* ---- errors about packets of ours ---- */

/* The shot that an error quotes; NULL = none of ours. */
static struct sp_shot *quoted_shot(const struct sp_engine *engine, const struct sp_pkt *pkt)
{
    uint16_t block;
    uint16_t port;
    struct sp_shot *shot =
        sp_batch_shot_by_tuple(&engine->batch, &pkt->quoted.dst, pkt->quoted.ip_proto,
                               pkt->quoted.dport, pkt->quoted.sport);
    /* Of several with these addresses and ports, the newest that it can be of. */
    while (shot && !(shot->is_sent && engine->batch.blocks[shot->block_row].tech->quoted(
                                          &engine->keys, &shot->flow, pkt))) {
        shot = sp_batch_older_shot(&engine->batch, shot);
    }
    if (shot || pkt->quoted.ip_proto != SP_IPPROTO_TCP) {
        return shot;
    }
    sp_tag_unseal(&engine->keys, pkt->quoted.seq, &block, &port);
    return sp_batch_shot_by_tag(&engine->batch, block, port);
}

bool sp_engine_path_error(struct sp_engine *engine, const struct sp_pkt *pkt)
{
    bool expired = sp_pkt_is_expired(pkt);
    bool too_big = sp_pkt_is_too_big(pkt);
    struct sp_shot *shot =
        engine->batch.nshots > 0 && (expired || too_big) ? quoted_shot(engine, pkt) : NULL;
    if (!shot || !shot->is_sent) {
        return false;
    }
    const struct sp_block *block = &engine->batch.blocks[shot->block_row];
    bool is_asked = expired ? block->ttl != 0 : block->bytes != 0;
    if (!is_asked || !block->tech->quoted(&engine->keys, &shot->flow, pkt)) {
        return false;
    }
    uint8_t answer = expired ? SP_ANSWER_EXPIRED : SP_ANSWER_TOO_BIG;
    sp_engine_keep(engine, SP_KEPT_ANSWER, shot->flow.block, shot->flow.port);
    if (sp_answer_strength(answer) > sp_answer_strength(shot->answer)) {
        shot->answer = answer;
        shot->code = pkt->icmp_code;
        shot->ttl = pkt->ttl;
        shot->answerer = pkt->src;
        shot->answer_us = sp_engine_since(engine, sp_mono_us());
        shot->mtu = pkt->mtu;
        shot->quoted = (struct sp_tuple){.src = pkt->quoted.src,
                                         .dst = pkt->quoted.dst,
                                         .sport = pkt->quoted.sport,
                                         .dport = pkt->quoted.dport};
    }
    return true;
}

/* ---- packets that pass ---- */

static void add(struct sp_engine *engine, const struct transit *seen)
{
    struct sp_transits *transits = engine->transits;
    for (size_t i = 0; i < transits->n; i++) {
        struct transit *t = &transits->at[i];
        if (t->flow.block == seen->flow.block && t->flow.port == seen->flow.port &&
            t->iface == seen->iface && t->is_out == seen->is_out && t->answer == seen->answer) {
            t->count++;
            return;
        }
    }
    if (transits->n >= SP_TRANSITS_MAX ||
        sp_grow((void **)&transits->at, transits->n, &transits->cap, sizeof(*transits->at)) != 0) {
        engine->batch.untagged_overflow = true;
        return;
    }
    transits->at[transits->n++] = *seen;
}

/* The packet that was seen passing before, of which this one is the other half: by the tuple of an
 * answer, or by what an ICMP error quotes. */
static const struct transit *forward_of(const struct sp_engine *engine, const struct sp_pkt *pkt)
{
    bool icmp = pkt->ip_proto == SP_IPPROTO_ICMP || pkt->ip_proto == SP_IPPROTO_ICMP6;
    bool quoted = pkt->is_icmp_error;
    const struct sp_addr *src = quoted ? &pkt->quoted.src : &pkt->dst;
    const struct sp_addr *dst = quoted ? &pkt->quoted.dst : &pkt->src;
    uint8_t proto = quoted ? pkt->quoted.ip_proto : pkt->ip_proto;
    uint16_t sport = quoted ? pkt->quoted.sport : icmp ? pkt->echo_id : pkt->dport;
    uint16_t dport = quoted ? pkt->quoted.dport : icmp ? pkt->echo_seq : pkt->sport;
    for (size_t i = 0; i < engine->transits->n; i++) {
        const struct transit *t = &engine->transits->at[i];
        if (t->answer == SP_ANSWER_NONE && t->ip_proto == proto && t->flow.sport == sport &&
            t->wire_dport == dport && sp_addr_eq(&t->flow.src, src) &&
            sp_addr_eq(&t->flow.dst, dst)) {
            return t;
        }
    }
    return NULL;
}

static uint8_t answer_of(const struct sp_engine *engine, const struct transit *forward,
                         const struct sp_pkt *pkt)
{
    if (!pkt->is_icmp_error) {
        return (uint8_t)forward->tech->answer(&engine->keys, &forward->flow, pkt);
    }
    return sp_pkt_is_too_big(pkt)       ? SP_ANSWER_TOO_BIG
           : sp_pkt_is_unreachable(pkt) ? SP_ANSWER_UNREACHABLE
           : sp_pkt_is_expired(pkt)     ? SP_ANSWER_EXPIRED
                                        : SP_ANSWER_NONE;
}

void sp_engine_transit(struct sp_engine *engine, const struct sp_captured *captured,
                       const struct sp_pkt *pkt)
{
    if (!engine->is_watching) {
        return;
    }
    struct transit seen = {.iface = captured->iface,
                           .count = 1,
                           .at_us = sp_engine_since(engine, sp_mono_us()),
                           .ttl = pkt->ttl,
                           .ip_proto = pkt->ip_proto,
                           .is_out = captured->dir == SP_DIR_OUT};
    bool icmp = pkt->ip_proto == SP_IPPROTO_ICMP || pkt->ip_proto == SP_IPPROTO_ICMP6;
    if (captured->dir == SP_DIR_OTHER || captured->is_loopback) {
        return;
    }
    if (!engine->transits) {
        engine->transits = sp_calloc(1, sizeof(*engine->transits));
        if (!engine->transits) {
            engine->batch.untagged_overflow = true;
            return;
        }
    }
    seen.flow = (struct sp_flow){.src = pkt->src,
                                 .dst = pkt->dst,
                                 .sport = icmp ? pkt->echo_id : pkt->sport,
                                 .dport = icmp ? pkt->echo_seq : pkt->dport};
    seen.wire_dport = seen.flow.dport;
    seen.tech =
        pkt->is_icmp_error ? NULL : sp_engine_match(engine, pkt, &seen.flow.block, &seen.flow.port);
    uint32_t row = seen.tech ? sp_batch_find_block(&engine->batch, seen.flow.block) : SP_NO_ROW;
    if (row != SP_NO_ROW) {
        if ((engine->batch.blocks[row].flags & SP_BLOCK_WATCH) != 0) {
            sp_engine_keep(engine, SP_KEPT_STRAY, seen.flow.block, seen.flow.port);
            add(engine, &seen);
        }
        return;
    }
    const struct transit *forward = forward_of(engine, pkt);
    seen.answer = forward ? answer_of(engine, forward, pkt) : SP_ANSWER_NONE;
    if (seen.answer != SP_ANSWER_NONE) {
        seen.flow.block = forward->flow.block;
        seen.flow.port = forward->flow.port;
        add(engine, &seen);
    }
}

void sp_engine_tell_transits(struct sp_engine *engine)
{
    for (size_t i = 0; engine->transits && i < engine->transits->n; i++) {
        const struct transit *t = &engine->transits->at[i];
        struct sp_record record = {.type = SP_REC_SEEN};
        record.u.seen = (struct sp_rec_seen){.batch = engine->order.batch,
                                             .kind = SP_SEEN_TRANSIT,
                                             .block = t->flow.block,
                                             .port = t->flow.port,
                                             .count = t->count,
                                             .at_us = t->at_us,
                                             .answer = t->answer,
                                             .code = t->is_out,
                                             .ttl = t->ttl,
                                             .iface = t->iface,
                                             .src = t->flow.src,
                                             .dst = t->flow.dst,
                                             .sport = t->flow.sport,
                                             .dport = t->wire_dport};
        engine->io.tell(engine->io.arg, &record);
    }
}
