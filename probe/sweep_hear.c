/* SPDX-License-Identifier: Apache-2.0
 *
 * Sweeps at the two inbound witnesses: what an arrival, a beat or a stray means. A packet costs two
 * look-ups by its block id and one bit; only the first of its port and pass costs more. */
#include <string.h>

#include "probe/base/clock.h"
#include "probe/base/mem.h"
#include "probe/hearing.h"

struct sp_hearing *sp_engine_hearing(struct sp_engine *engine)
{
    struct sp_sweeps *sweeps = &engine->sweeps;
    if (!sweeps->hearing) {
        sweeps->hearing = sp_calloc(1, sizeof(*sweeps->hearing));
    }
    if (!sweeps->hearing) {
        engine->batch.untagged_overflow = true;
    }
    return sweeps->hearing;
}

void sp_hearing_free(struct sp_sweeps *sweeps)
{
    struct sp_hearing *hearing = sweeps->hearing;
    if (!hearing) {
        return;
    }
    for (size_t i = 0; i < hearing->nunknown; i++) {
        sp_free(hearing->unknown[i].ports);
    }
    for (size_t i = 0; i < sweeps->nsweeps; i++) {
        if (hearing->crafted) {
            sp_free(hearing->crafted[i]);
        }
        if (hearing->served) {
            sp_free(hearing->served[i]);
        }
    }
    sp_free(hearing->crafted);
    sp_free(hearing->served);
    sp_free(hearing->samples);
    sp_free(hearing->unknown);
    sp_free(hearing->unknown_at);
    sp_free(hearing->tuples);
    sp_free(hearing->buckets);
    sp_free(hearing->replies);
    sp_free(hearing);
    sweeps->hearing = NULL;
}

void sp_engine_mark(struct sp_engine *engine, struct sp_portset **set, uint16_t port)
{
    if (!sp_sweep_mark(set, port)) {
        engine->batch.untagged_overflow = true;
    }
}

struct sp_portset **sp_engine_set_of(struct sp_engine *engine, struct sp_portset ***by_sweep,
                                     size_t row)
{
    if (!*by_sweep) {
        *by_sweep = sp_calloc(engine->sweeps.nsweeps, sizeof(**by_sweep));
    }
    return *by_sweep ? &(*by_sweep)[row] : NULL;
}

/* ---- samples ---- */

bool sp_engine_sample(struct sp_engine *engine, enum sp_sample_kind kind,
                      const struct sp_rec_seen *seen)
{
    static const uint8_t roles[SP_SAMPLE_END] = {
        [SP_SAMPLE_NEWS] = SP_KEPT_ARRIVED, [SP_SAMPLE_REWRITTEN] = SP_KEPT_ARRIVED,
        [SP_SAMPLE_STRAY] = SP_KEPT_STRAY,  [SP_SAMPLE_ANSWER] = SP_KEPT_ANSWER,
        [SP_SAMPLE_REPLY] = SP_KEPT_REPLY,
    };
    struct sp_hearing *hearing = sp_engine_hearing(engine);
    uint32_t most = kind == SP_SAMPLE_NEWS ? SP_SAMPLES_NEWS : SP_SAMPLES_OTHER;
    /* A sample is evidence: when there is no memory for it, the bits still tell what arrived. */
    if (!hearing || hearing->nkind[kind] >= most ||
        sp_grow((void **)&hearing->samples, hearing->nsamples, &hearing->cap_samples,
                sizeof(*seen)) != 0) {
        return false;
    }
    hearing->nkind[kind]++;
    hearing->samples[hearing->nsamples++] = *seen;
    sp_engine_keep(engine, roles[kind], seen->block, seen->port);
    return true;
}

static struct sp_rec_seen seen_of(const struct sp_engine *engine, enum sp_seen_kind kind,
                                  const struct sp_pkt *pkt, uint16_t block, uint16_t port,
                                  uint32_t iface)
{
    bool icmp = pkt->ip_proto == SP_IPPROTO_ICMP || pkt->ip_proto == SP_IPPROTO_ICMP6;
    return (struct sp_rec_seen){.batch = engine->order.batch,
                                .kind = (uint8_t)kind,
                                .block = block,
                                .port = port,
                                .count = 1,
                                .at_us = sp_engine_since(engine, sp_mono_us()),
                                .code = pkt->payload_len > 0,
                                .ttl = pkt->ttl,
                                .iface = iface,
                                .src = pkt->src,
                                .dst = pkt->dst,
                                .sport = icmp ? pkt->echo_id : pkt->sport,
                                .dport = icmp ? pkt->echo_seq : pkt->dport};
}

void sp_engine_keep_declared(struct sp_engine *engine, uint8_t role, uint16_t block, uint16_t port)
{
    struct sp_hearing *hearing = sp_engine_hearing(engine);
    if (hearing && hearing->declared_kept < SP_DECLARED_KEPT) {
        hearing->declared_kept++;
        sp_engine_keep(engine, role, block, port);
    }
}

/* ---- strays ---- */

static struct sp_unknown *find_unknown(struct sp_hearing *hearing, uint16_t block)
{
    if (!hearing->unknown_at) {
        hearing->unknown_at = sp_calloc(UINT16_MAX + 1U, sizeof(*hearing->unknown_at));
    }
    if (!hearing->unknown_at) {
        return NULL;
    }
    if (hearing->unknown_at[block] > 0) {
        return &hearing->unknown[hearing->unknown_at[block] - 1];
    }
    if (hearing->nunknown >= SP_STRAY_BLOCKS ||
        sp_grow((void **)&hearing->unknown, hearing->nunknown, &hearing->cap_unknown,
                sizeof(*hearing->unknown)) != 0) {
        return NULL;
    }
    hearing->unknown[hearing->nunknown] = (struct sp_unknown){.block = block};
    hearing->unknown_at[block] = (uint8_t)++hearing->nunknown;
    return &hearing->unknown[hearing->nunknown - 1];
}

/* A packet of a block that this probe was not told of: false = as of a shot. */
static bool on_unknown(struct sp_engine *engine, uint16_t block, uint16_t port)
{
    struct sp_hearing *hearing = sp_engine_hearing(engine);
    struct sp_unknown *unknown = hearing ? find_unknown(hearing, block) : NULL;
    bool room = hearing && hearing->stray_rows < SP_STRAY_ROWS_ALL;
    if (room && unknown && unknown->rows < SP_STRAY_ROWS) {
        hearing->stray_rows++;
        unknown->rows++;
        return false;
    }
    if (unknown) {
        sp_engine_mark(engine, &unknown->ports, port);
    } else {
        engine->batch.untagged_overflow = true;
    }
    return true;
}

static void on_stray(struct sp_engine *engine, struct sp_sweep *sweep, const struct sp_pkt *pkt,
                     uint16_t block, uint16_t port, uint32_t iface)
{
    if (sp_in_set(sweep->stray, port)) {
        return;
    }
    sp_engine_mark(engine, &sweep->stray, port);
    const struct sp_rec_seen seen = seen_of(engine, SP_SEEN_STRAY, pkt, block, port, iface);
    (void)sp_engine_sample(engine, SP_SAMPLE_STRAY, &seen);
}

/* ---- beats ---- */

void sp_engine_beat(struct sp_engine *engine, struct sp_guard *guard, enum sp_heard_kind kind,
                    uint16_t beat)
{
    struct sp_hearing *hearing = sp_engine_hearing(engine);
    if (!hearing || sp_in_set(guard->seen[kind], beat)) {
        return;
    }
    sp_engine_mark(engine, &guard->seen[kind], beat);
    guard->is_news[kind][beat / SP_PORTSET_CHUNK] = true;
    hearing->is_heard_news = true;
    /* What comes back to its own sender is an answer. */
    bool is_answer = kind == SP_HEARD_NIC && (guard->order.flags & SP_BLOCK_SENDER) != 0;
    if (kind != SP_HEARD_HOST && sp_beat_is_kept(beat) && hearing->beats_kept < SP_BEATS_KEPT) {
        hearing->beats_kept++;
        sp_engine_keep(engine,
                       kind == SP_HEARD_LEFT ? SP_KEPT_SENT
                       : is_answer           ? SP_KEPT_ANSWER
                                             : SP_KEPT_ARRIVED,
                       guard->order.block, beat);
    }
}

/* Sent from here and sent back with its ends swapped: an answer, not an arrival. */
static bool is_reflected(uint16_t flags, const struct sp_addr *src, const struct sp_addr *dst,
                         const struct sp_pkt *pkt)
{
    return (flags & SP_BLOCK_SENDER) != 0 && !sp_addr_eq(src, dst) && sp_addr_eq(&pkt->src, dst) &&
           sp_addr_eq(&pkt->dst, src);
}

static bool on_guard(struct sp_engine *engine, struct sp_guard *guard,
                     const struct sp_technique *tech, const struct sp_pkt *pkt, uint16_t beat,
                     bool at_host)
{
    const struct sp_rec_guard *order = &guard->order;
    if (is_reflected(order->flags, &order->src, &order->dst, pkt)) {
        return true;
    }
    bool mine = (order->flags & SP_BLOCK_RECEIVER) != 0 && (order->flags & SP_BLOCK_SELF) == 0 &&
                guard->refused == SP_REFUSED_NONE && guard->tech == tech &&
                order->dst.family == pkt->dst.family;
    if (!mine) {
        return on_unknown(engine, order->block, beat);
    }
    sp_engine_beat(engine, guard, at_host ? SP_HEARD_HOST : SP_HEARD_NIC, beat);
    return true;
}

/* ---- arrivals ---- */

/* Anything on the wire that is not what the sweep declares. */
static bool is_rewritten(const struct sp_sweep *sweep, uint16_t pass, uint16_t port,
                         const struct sp_pkt *pkt)
{
    const struct sp_rec_sweep *order = &sweep->order;
    bool has_ports = pkt->ip_proto == SP_IPPROTO_TCP || pkt->ip_proto == SP_IPPROTO_UDP;
    bool same_ports =
        !has_ports || (pkt->dport == port && ((order->flags & SP_BLOCK_TRANSLATED) != 0 ||
                                              pkt->sport == sp_sweep_sport(order, pass, port)));
    return !same_ports || !sp_addr_eq(&pkt->src, &order->src) ||
           !sp_addr_eq(&pkt->dst, &order->dst);
}

/* The first packet of a port in its pass. */
static void on_first(struct sp_engine *engine, struct sp_sweep *sweep, uint16_t pass,
                     const struct sp_pkt *pkt, uint16_t port, uint32_t iface, bool at_host)
{
    if (at_host) {
        /* In which shape it came is the interface's to say: the host may translate its own. */
        sp_engine_sweep_reply(engine, sweep, pass, pkt, port);
        return;
    }
    const struct sp_portset *nic = sweep->passes[pass].nic;
    bool beside = (port > 0 && sp_in_set(nic, (uint16_t)(port - 1))) ||
                  (port < UINT16_MAX && sp_in_set(nic, (uint16_t)(port + 1)));
    bool is_news = !beside && !sp_in_set(sweep->expected, port);
    bool rewritten = is_rewritten(sweep, pass, port, pkt) && !sp_in_set(sweep->rewritten, port);
    uint16_t block = (uint16_t)(sweep->order.block + pass);
    if (rewritten) {
        sp_engine_mark(engine, &sweep->rewritten, port);
    }
    if (is_news || rewritten) {
        const struct sp_rec_seen told = seen_of(engine, SP_SEEN_NIC, pkt, block, port, iface);
        bool sampled = is_news && sp_engine_sample(engine, SP_SAMPLE_NEWS, &told);
        if (rewritten && !sampled) {
            (void)sp_engine_sample(engine, SP_SAMPLE_REWRITTEN, &told);
        }
    } else if (sp_in_set(sweep->expected, port)) {
        sp_engine_keep_declared(engine, SP_KEPT_ARRIVED, block, port);
    }
}

static void on_arrival(struct sp_engine *engine, struct sp_sweep *sweep, uint16_t pass,
                       const struct sp_pkt *pkt, uint16_t port, uint32_t iface, bool at_host)
{
    engine->sweeps.arrived += !at_host;
    if (!sweep->passes) {
        sweep->passes = sp_calloc(sweep->order.passes, sizeof(*sweep->passes));
    }
    if (!sweep->passes) {
        engine->batch.untagged_overflow = true;
        return;
    }
    struct sp_portset **set = at_host ? &sweep->passes[pass].host : &sweep->passes[pass].nic;
    if (!sp_in_set(*set, port)) {
        sp_engine_mark(engine, set, port);
        on_first(engine, sweep, pass, pkt, port, iface, at_host);
    }
}

bool sp_engine_sweep_arrival(struct sp_engine *engine, const struct sp_technique *tech,
                             const struct sp_pkt *pkt, uint16_t block, uint16_t port,
                             uint32_t iface, bool at_host)
{
    uint16_t pass = 0;
    struct sp_sweep *sweep = sp_sweeps_find(&engine->sweeps, block, &pass);
    if (!sweep) {
        struct sp_guard *guard = sp_sweeps_find_guard(&engine->sweeps, block);
        if (guard) {
            return on_guard(engine, guard, tech, pkt, port, at_host);
        }
        bool known = sp_batch_find_block(&engine->batch, block) != SP_NO_ROW;
        return !known && on_unknown(engine, block, port);
    }
    const struct sp_rec_sweep *order = &sweep->order;
    if (is_reflected(order->flags, &order->src, &order->dst, pkt)) {
        return true;
    }
    bool mine = (order->flags & SP_BLOCK_RECEIVER) != 0 && sweep->refused == SP_REFUSED_NONE &&
                sweep->tech == tech && order->dst.family == pkt->dst.family;
    if (mine) {
        on_arrival(engine, sweep, pass, pkt, port, iface, at_host);
    } else {
        on_stray(engine, sweep, pkt, block, port, iface);
    }
    return true;
}
