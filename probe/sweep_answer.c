/* SPDX-License-Identifier: Apache-2.0
 *
 * Sweeps and what is answered to them: at the sender what comes back, at the receiver what leaves.
 *
 * An answer says which sweep it belongs to by both addresses, the protocol and the port that the
 * sender chose; the other port is the swept one. A table finds the sweep by these. Its rows are the
 * controller's orders alone, so no packet makes a chain long. */
#include <string.h>

#include "probe/base/mem.h"
#include "probe/hearing.h"

enum role {
    ROLE_SENT = 1, /* a sweep of this sender's; port: its own */
    ROLE_CAME,     /* a sweep to this receiver; port: the sender's, 0 = any */
    ROLE_BEAT,     /* a guard of this sender's; port: its target's */
};

static uint8_t proto_of(const struct sp_technique *tech, uint8_t family)
{
    return family == SP_FAMILY_IPV4 ? tech->ip_proto4 : tech->ip_proto6;
}

/* ---- the table ---- */

static uint64_t fold(uint64_t hash, const struct sp_addr *addr)
{
    uint64_t words[2];
    memcpy(words, addr->bytes, sizeof(words));
    hash = (hash ^ words[0]) * 0x9e3779b97f4a7c15ULL;
    hash = (hash ^ hash >> 29 ^ words[1]) * 0xbf58476d1ce4e5b9ULL;
    return hash ^ hash >> 32;
}

/* peer and own as this probe sees them. */
static uint32_t bucket_of(const struct sp_hearing *hearing, enum role role, uint8_t ip_proto,
                          const struct sp_addr *peer, const struct sp_addr *own, uint16_t port)
{
    uint64_t hash = (uint64_t)role << 32 | (uint32_t)ip_proto << 16 | port;
    return (uint32_t)fold(fold(hash, peer), own) & (hearing->nbuckets - 1);
}

static bool add_tuple(struct sp_hearing *hearing, const struct sp_sweep_tuple *tuple)
{
    if (sp_grow((void **)&hearing->tuples, hearing->ntuples, &hearing->cap_tuples,
                sizeof(*tuple)) != 0) {
        return false;
    }
    hearing->tuples[hearing->ntuples++] = *tuple;
    return true;
}

static bool add_passes(struct sp_hearing *hearing, const struct sp_sweep *sweep, uint16_t row,
                       enum role role)
{
    bool any = role == ROLE_CAME && (sweep->order.flags & SP_BLOCK_TRANSLATED) != 0;
    for (uint16_t pass = 0; pass < (any ? 1 : sweep->order.passes); pass++) {
        struct sp_sweep_tuple tuple = {
            .row = row,
            .pass = pass,
            .role = (uint8_t)role,
            .port = any ? 0 : (uint16_t)(sweep->order.sport + pass),
        };
        if (!add_tuple(hearing, &tuple)) {
            return false;
        }
        tuple.port = (uint16_t)(sweep->order.alt_sport + pass);
        if (!any && sweep->order.alt_sport && !add_tuple(hearing, &tuple)) {
            return false;
        }
    }
    return true;
}

static bool add_all(const struct sp_sweeps *sweeps, struct sp_hearing *hearing)
{
    bool ok = true;
    for (size_t i = 0; ok && i < sweeps->nsweeps; i++) {
        const struct sp_sweep *sweep = &sweeps->sweeps[i];
        bool usable = sweep->refused == SP_REFUSED_NONE && sweep->tech;
        if (usable && (sweep->order.flags & SP_BLOCK_SENDER) != 0) {
            ok = add_passes(hearing, sweep, (uint16_t)i, ROLE_SENT);
        }
        if (ok && usable && (sweep->order.flags & SP_BLOCK_RECEIVER) != 0) {
            ok = add_passes(hearing, sweep, (uint16_t)i, ROLE_CAME);
        }
    }
    for (size_t i = 0; ok && i < sweeps->nguards; i++) {
        const struct sp_guard *guard = &sweeps->guards[i];
        const struct sp_sweep_tuple tuple = {
            .row = (uint16_t)i, .role = ROLE_BEAT, .port = guard->order.port};
        if (guard->refused == SP_REFUSED_NONE && guard->tech &&
            (guard->order.flags & SP_BLOCK_SENDER) != 0) {
            ok = add_tuple(hearing, &tuple);
        }
    }
    return ok;
}

static void ends_of(const struct sp_sweeps *sweeps, const struct sp_sweep_tuple *tuple,
                    const struct sp_addr **ret_peer, const struct sp_addr **ret_own,
                    uint8_t *ret_proto)
{
    if (tuple->role == ROLE_BEAT) {
        const struct sp_guard *guard = &sweeps->guards[tuple->row];
        *ret_peer = &guard->order.dst;
        *ret_own = &guard->order.src;
        *ret_proto = proto_of(guard->tech, guard->order.src.family);
        return;
    }
    const struct sp_sweep *sweep = &sweeps->sweeps[tuple->row];
    bool sent = tuple->role == ROLE_SENT;
    *ret_peer = sent ? &sweep->order.dst : &sweep->order.src;
    *ret_own = sent ? &sweep->order.src : &sweep->order.dst;
    *ret_proto = proto_of(sweep->tech, sweep->order.dst.family);
}

/* Orders come before ARM, packets count after it: once made, the table stays true. */
static struct sp_hearing *indexed(struct sp_engine *engine)
{
    struct sp_sweeps *sweeps = &engine->sweeps;
    if (sweeps->nsweeps == 0 && sweeps->nguards == 0) {
        return NULL;
    }
    struct sp_hearing *hearing = sp_engine_hearing(engine);
    if (!hearing || hearing->is_indexed) {
        return hearing;
    }
    hearing->ntuples = 0;
    bool ok = add_all(sweeps, hearing);
    hearing->nbuckets = 64;
    while (hearing->nbuckets < 2 * hearing->ntuples) {
        hearing->nbuckets *= 2;
    }
    hearing->buckets = ok ? sp_calloc(hearing->nbuckets, sizeof(*hearing->buckets)) : NULL;
    if (!hearing->buckets) {
        engine->batch.untagged_overflow = true;
        return NULL;
    }
    for (size_t i = 0; i < hearing->ntuples; i++) {
        struct sp_sweep_tuple *tuple = &hearing->tuples[i];
        const struct sp_addr *peer;
        const struct sp_addr *own;
        uint8_t proto;
        ends_of(sweeps, tuple, &peer, &own, &proto);
        uint32_t at = bucket_of(hearing, (enum role)tuple->role, proto, peer, own, tuple->port);
        tuple->next = hearing->buckets[at];
        hearing->buckets[at] = (uint32_t)(i + 1);
    }
    hearing->is_indexed = true;
    return hearing;
}

static const struct sp_sweep_tuple *find(const struct sp_sweeps *sweeps,
                                         const struct sp_hearing *hearing, enum role role,
                                         uint8_t ip_proto, const struct sp_addr *peer,
                                         const struct sp_addr *own, uint16_t port)
{
    uint32_t at = bucket_of(hearing, role, ip_proto, peer, own, port);
    for (uint32_t i = hearing->buckets[at]; i != 0; i = hearing->tuples[i - 1].next) {
        const struct sp_sweep_tuple *tuple = &hearing->tuples[i - 1];
        const struct sp_addr *its_peer;
        const struct sp_addr *its_own;
        uint8_t its_proto;
        ends_of(sweeps, tuple, &its_peer, &its_own, &its_proto);
        if (tuple->role == role && tuple->port == port && its_proto == ip_proto &&
            sp_addr_eq(its_peer, peer) && sp_addr_eq(its_own, own)) {
            return tuple;
        }
    }
    return NULL;
}

/* ---- what an answer says ---- */

/* Both ends of the packet that is answered, from its sender's point of view. */
struct ends {
    const struct sp_addr *src, *dst;
    uint16_t sport, dport;
    uint8_t ip_proto;
    bool is_quoted;
};

static struct ends ends_answered(const struct sp_pkt *pkt)
{
    if (sp_pkt_is_unreachable(pkt)) {
        return (struct ends){.src = &pkt->quoted.src,
                             .dst = &pkt->quoted.dst,
                             .sport = pkt->quoted.sport,
                             .dport = pkt->quoted.dport,
                             .ip_proto = pkt->quoted.ip_proto,
                             .is_quoted = true};
    }
    return (struct ends){.src = &pkt->dst,
                         .dst = &pkt->src,
                         .sport = pkt->dport,
                         .dport = pkt->sport,
                         .ip_proto = pkt->ip_proto};
}

static uint8_t answer_of(const struct sp_engine *engine, const struct sp_sweep *sweep,
                         uint16_t pass, const struct ends *ends, const struct sp_pkt *pkt)
{
    const struct sp_flow flow = {.src = sweep->order.src,
                                 .dst = sweep->order.dst,
                                 .block = (uint16_t)(sweep->order.block + pass),
                                 .port = ends->dport,
                                 .sport = ends->sport,
                                 .dport = ends->dport};
    if (ends->is_quoted) {
        return sweep->tech->quoted(&engine->keys, &flow, pkt) ? SP_ANSWER_UNREACHABLE
                                                              : SP_ANSWER_NONE;
    }
    return (uint8_t)sweep->tech->answer(&engine->keys, &flow, pkt);
}

/* ---- at the sender ---- */

static void add_to_class(struct sp_engine *engine, struct sp_sweep *sweep, uint16_t pass,
                         const struct sp_sweep_class *like, uint16_t port)
{
    for (size_t i = 0; i < sweep->nclasses; i++) {
        struct sp_sweep_class *class = &sweep->classes[i];
        if (class->answer == like->answer && class->code == like->code && class->ttl == like->ttl &&
            sp_addr_eq(&class->addr, &like->addr)) {
            sp_engine_mark(engine, &class->ports, port);
            return;
        }
    }
    if (!sweep->classes) {
        sweep->classes = sp_calloc(SP_SWEEP_CLASSES_MAX, sizeof(*sweep->classes));
        engine->batch.untagged_overflow = engine->batch.untagged_overflow || !sweep->classes;
    }
    if (!sweep->classes || sweep->nclasses >= SP_SWEEP_CLASSES_MAX) {
        sweep->classes_overflow = true;
        return;
    }
    sweep->classes[sweep->nclasses] = *like;
    sp_engine_mark(engine, &sweep->classes[sweep->nclasses].ports, port);
    sweep->nclasses++;
    const struct sp_rec_seen seen = {.batch = engine->order.batch,
                                     .kind = SP_SEEN_ANSWER,
                                     .block = (uint16_t)(sweep->order.block + pass),
                                     .port = port,
                                     .count = 1,
                                     .answer = like->answer,
                                     .code = like->code,
                                     .ttl = like->ttl,
                                     .src = like->addr,
                                     .dst = sweep->order.src};
    (void)sp_engine_sample(engine, SP_SAMPLE_ANSWER, &seen);
}

/* The next hop's own answer to an echo: the block id comes back as its sequence number. */
static bool on_echo(struct sp_engine *engine, const struct sp_pkt *pkt)
{
    enum sp_tag_kind kind;
    uint16_t block;
    uint16_t beat;
    struct sp_guard *guard = sp_sweeps_find_guard(&engine->sweeps, pkt->echo_seq);
    if (!guard || (guard->order.flags & SP_BLOCK_SENDER) == 0 || !guard->tech ||
        guard->refused != SP_REFUSED_NONE ||
        !sp_tag_read(&engine->keys, pkt->payload, pkt->payload_len, &kind, &block, &beat)) {
        return false;
    }
    bool is_self = (guard->order.flags & SP_BLOCK_SELF) != 0;
    const struct sp_flow flow = {.src = guard->order.src,
                                 .dst = is_self ? guard->hop : guard->order.dst,
                                 .block = guard->order.block,
                                 .port = beat,
                                 .sport = pkt->echo_id};
    if (!sp_addr_eq(&pkt->src, &flow.dst) || !sp_addr_eq(&pkt->dst, &flow.src) ||
        guard->tech->answer(&engine->keys, &flow, pkt) == SP_ANSWER_NONE) {
        return false;
    }
    if (is_self) {
        sp_engine_beat(engine, guard, SP_HEARD_NIC, beat);
    }
    return true;
}

/* What a guard's target answers is nobody's news, and must not count as untagged. */
static bool is_of_guard(const struct sp_engine *engine, const struct sp_hearing *hearing,
                        const struct ends *ends, const struct sp_pkt *pkt)
{
    enum sp_tag_kind kind;
    uint16_t block;
    uint16_t beat;
    const struct sp_sweep_tuple *tuple = find(&engine->sweeps, hearing, ROLE_BEAT, ends->ip_proto,
                                              ends->dst, ends->src, ends->dport);
    if (!tuple) {
        return false;
    }
    const struct sp_rec_guard *order = &engine->sweeps.guards[tuple->row].order;
    if (ends->sport < order->sport_lo || ends->sport > order->sport_hi) {
        return false;
    }
    bool tagged = !ends->is_quoted &&
                  sp_tag_read(&engine->keys, pkt->payload, pkt->payload_len, &kind, &block, &beat);
    return !tagged || block == order->block;
}

bool sp_engine_sweep_answer(struct sp_engine *engine, const struct sp_pkt *pkt)
{
    struct sp_sweeps *sweeps = &engine->sweeps;
    struct sp_hearing *hearing = indexed(engine);
    if (!hearing) {
        return false;
    }
    bool echo = pkt->ip_proto == SP_IPPROTO_ICMP    ? pkt->icmp_type == SP_ICMP_ECHO_REPLY
                : pkt->ip_proto == SP_IPPROTO_ICMP6 ? pkt->icmp_type == SP_ICMP6_ECHO_REPLY
                                                    : false;
    if (echo) {
        return on_echo(engine, pkt);
    }
    const struct ends ends = ends_answered(pkt);
    const struct sp_sweep_tuple *tuple =
        find(sweeps, hearing, ROLE_SENT, ends.ip_proto, ends.dst, ends.src, ends.sport);
    if (!tuple) {
        return is_of_guard(engine, hearing, &ends, pkt);
    }
    struct sp_sweep *sweep = &sweeps->sweeps[tuple->row];
    uint8_t answer = SP_ANSWER_NONE;
    if (sp_sweep_sport(&sweep->order, tuple->pass, ends.dport) == ends.sport &&
        sp_in_set(sweep->send, ends.dport)) {
        answer = answer_of(engine, sweep, tuple->pass, &ends, pkt);
    }
    if (answer == SP_ANSWER_NONE) {
        return false;
    }
    const struct sp_sweep_class like = {.answer = answer,
                                        .code = ends.is_quoted ? pkt->icmp_code : 0,
                                        .ttl = pkt->ttl,
                                        .addr = pkt->src};
    add_to_class(engine, sweep, tuple->pass, &like, ends.dport);
    return true;
}

/* ---- at the receiver ---- */

/* Did this port arrive in a pass, and is this the answer to it? */
static uint8_t left_for(const struct sp_engine *engine, const struct sp_sweep *sweep, uint16_t pass,
                        const struct ends *ends, const struct sp_pkt *pkt)
{
    const struct sp_sweep_pass *seen = &sweep->passes[pass];
    return sp_in_set(seen->nic, ends->dport) || sp_in_set(seen->host, ends->dport)
               ? answer_of(engine, sweep, pass, ends, pkt)
               : SP_ANSWER_NONE;
}

static bool on_egress(struct sp_engine *engine, const struct sp_pkt *pkt)
{
    struct sp_sweeps *sweeps = &engine->sweeps;
    struct sp_hearing *hearing = sweeps->arrived > 0 ? indexed(engine) : NULL;
    if (!hearing) {
        return false;
    }
    const struct ends ends = ends_answered(pkt);
    const struct sp_sweep_tuple *tuple =
        find(sweeps, hearing, ROLE_CAME, ends.ip_proto, ends.src, ends.dst, ends.sport);
    if (!tuple) {
        tuple = find(sweeps, hearing, ROLE_CAME, ends.ip_proto, ends.src, ends.dst, 0);
    }
    struct sp_sweep *sweep = tuple ? &sweeps->sweeps[tuple->row] : NULL;
    if (!sweep || !sweep->passes) {
        return false;
    }
    bool any = (sweep->order.flags & SP_BLOCK_TRANSLATED) != 0;
    uint16_t pass = tuple->pass;
    uint8_t answer = left_for(engine, sweep, pass, &ends, pkt);
    while (any && answer == SP_ANSWER_NONE && ++pass < sweep->order.passes) {
        answer = left_for(engine, sweep, pass, &ends, pkt);
    }
    if (answer == SP_ANSWER_NONE) {
        return false;
    }
    if (!sp_in_set(sweep->egress, ends.dport) && hearing->replies_kept < SP_REPLIES_KEPT) {
        hearing->replies_kept++;
        sp_engine_keep(engine, SP_KEPT_REPLY, (uint16_t)(sweep->order.block + pass), ends.dport);
    }
    sp_engine_mark(engine, &sweep->egress, ends.dport);
    bool own = answer != SP_ANSWER_CRAFTED &&
               !sp_in_row(hearing->crafted, tuple->row, ends.dport) &&
               sp_answer_strength(answer) > sp_answer_strength(SP_ANSWER_CRAFTED);
    struct sp_portset **served =
        own ? sp_engine_set_of(engine, &hearing->served, tuple->row) : NULL;
    if (served) {
        sp_engine_mark(engine, served, ends.dport);
    }
    return true;
}

bool sp_engine_sweep_out(struct sp_engine *engine, const struct sp_technique *tech,
                         const struct sp_pkt *pkt, uint16_t block, uint16_t port)
{
    uint16_t pass;
    const struct sp_sweep *sweep = tech ? sp_sweeps_find(&engine->sweeps, block, &pass) : NULL;
    struct sp_guard *guard = tech && !sweep ? sp_sweeps_find_guard(&engine->sweeps, block) : NULL;
    if (guard && (guard->order.flags & SP_BLOCK_SENDER) != 0 && guard->tech == tech &&
        sp_addr_eq(&pkt->src, &guard->order.src)) {
        sp_engine_beat(engine, guard, SP_HEARD_LEFT, port);
        return true;
    }
    if (sweep && (sweep->order.flags & SP_BLOCK_SENDER) != 0 &&
        sp_addr_eq(&pkt->src, &sweep->order.src)) {
        if (sp_in_set(sweep->raw, port)) {
            sp_engine_keep_declared(engine, SP_KEPT_SENT, block, port);
        }
        return true;
    }
    return on_egress(engine, pkt);
}
