/* SPDX-License-Identifier: Apache-2.0
 *
 * Packets from arbitrary bytes: the parser stays inside them, no technique takes them for its own
 * unless the tag is right, and an armed engine with blocks, sweeps and guards lives through any
 * sequence of them without ever telling an arrival. The first byte says where the packet comes
 * from, and whether it gets a tag that is right: then arrivals may be told, but no other. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "probe/base/clock.h"
#include "probe/base/mem.h"
#include "probe/engine.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint64_t now_us = 1000000;

static uint64_t now(void)
{
    return now_us;
}

/* Block ids beside those of the blocks: sweeps received and sent (4 passes each), guards. */
enum { SWEEP_IN = 20000, SWEEP_OUT = 20100, GUARD_IN = 20200, GUARD_OUT, GUARD_SELF };

static bool is_tagged; /* a packet of this input was given a tag */

static bool is_in(uint32_t block, uint32_t first, uint32_t n)
{
    return block >= first && block < first + n;
}

/* Nobody without the keys can make any of these; and with them only at their receiver. */
static void tell(void *arg, const struct sp_record *record)
{
    (void)arg;
    const struct sp_rec_seen *seen = &record->u.seen;
    const struct sp_rec_swept *swept = &record->u.swept;
    const struct sp_rec_heard *heard = &record->u.heard;
    bool came =
        record->type == SP_REC_SEEN
            ? seen->kind == SP_SEEN_NIC || seen->kind == SP_SEEN_HOST || seen->kind == SP_SEEN_STRAY
        : record->type == SP_REC_SWEPT
            ? swept->kind != SP_SWEPT_ANSWER && swept->kind != SP_SWEPT_REFUSED
            : record->type == SP_REC_HEARD;
    if (came && !is_tagged) {
        abort();
    }
    if (record->type == SP_REC_SWEPT && !is_in(swept->block, SWEEP_IN, 40) &&
        (swept->kind == SP_SWEPT_NIC || swept->kind == SP_SWEPT_HOST ||
         swept->kind == SP_SWEPT_EGRESS || swept->kind == SP_SWEPT_REWRITTEN)) {
        abort();
    }
    if (record->type == SP_REC_SWEPT && swept->kind == SP_SWEPT_ANSWER &&
        !is_in(swept->block, SWEEP_OUT, 40)) {
        abort();
    }
    if (record->type == SP_REC_HEARD &&
        (heard->block == GUARD_IN) != (heard->kind != SP_HEARD_LEFT) &&
        heard->block != GUARD_SELF) {
        abort();
    }
}

static int send_raw(void *arg, const struct sp_spec *spec, uint32_t iface)
{
    (void)arg;
    (void)spec;
    (void)iface;
    return 0;
}

static bool can_link(void *arg, uint32_t iface)
{
    (void)arg;
    (void)iface;
    return false;
}

static enum sp_rc netinfo(void *arg, struct sp_netinfo *ret_info)
{
    (void)arg;
    *ret_info = (struct sp_netinfo){.ifaces = sp_calloc(1, sizeof(*ret_info->ifaces)),
                                    .own = sp_calloc(2, sizeof(*ret_info->own)),
                                    .nifaces = 1,
                                    .nown = 2};
    if (!ret_info->ifaces || !ret_info->own) {
        abort();
    }
    ret_info->ifaces[0].index = 1;
    ret_info->ifaces[0].is_up = true;
    for (size_t i = 0; i < 2; i++) {
        ret_info->own[i].iface = 1;
        if (sp_addr_parse(i ? "2001:db8::1" : "10.0.0.1", &ret_info->own[i].addr) != SP_OK) {
            abort();
        }
    }
    return SP_OK;
}

static enum sp_rc route(void *arg, const struct sp_addr *src, const struct sp_addr *dst,
                        struct sp_route *ret_route)
{
    (void)arg;
    (void)src;
    *ret_route = (struct sp_route){.iface = 1};
    if (dst->family == SP_FAMILY_IPV4 &&
        sp_addr_parse("10.0.0.254", &ret_route->gateway) != SP_OK) {
        abort();
    }
    return SP_OK;
}

static enum sp_rc listening(void *arg, bool on, uint16_t lo, uint16_t hi)
{
    (void)arg;
    (void)on;
    (void)lo;
    (void)hi;
    return SP_OK;
}

static int hold(void *arg, const struct sp_addr *addr, uint16_t port, uint32_t iface)
{
    (void)arg;
    (void)addr;
    (void)port;
    (void)iface;
    return 0;
}

static void release_hold(void *arg, const struct sp_addr *addr, uint16_t port)
{
    (void)arg;
    (void)addr;
    (void)port;
}

static struct sp_counters counters(void *arg)
{
    (void)arg;
    return (struct sp_counters){0};
}

static void order(struct sp_engine *engine, uint8_t type, const void *body, size_t len)
{
    struct sp_record r = {.type = type};
    memcpy(&r.u, body, len);
    sp_engine_order(engine, &r);
}

static void add_blocks(struct sp_engine *engine)
{
    const struct sp_technique_info *info;
    for (uint16_t i = 0; (info = sp_technique_at(i)) != NULL; i++) {
        for (uint16_t way = 0; way < 4; way++) {
            struct sp_rec_block block = {.batch = 1,
                                         .block = (uint16_t)(i * 40 + way * 10),
                                         .attempts = 10,
                                         .flags = way % 2 ? SP_BLOCK_SENDER
                                                          : SP_BLOCK_RECEIVER | SP_BLOCK_REPLY};
            const char *me = way / 2 ? "2001:db8::1" : "10.0.0.1";
            const char *peer = way / 2 ? "2001:db8::2" : "10.0.0.2";
            if (sp_addr_parse(way % 2 ? me : peer, &block.src) != SP_OK ||
                sp_addr_parse(way % 2 ? peer : me, &block.dst) != SP_OK) {
                abort();
            }
            memcpy(block.technique, info->name, strlen(info->name));
            order(engine, SP_REC_BLOCK, &block, sizeof(block));
            if (way % 2 && sp_technique_outer(i) != 0) {
                struct sp_rec_outer outer = {
                    .batch = 1, .block = block.block, .src = block.src, .dst = block.dst};
                order(engine, SP_REC_OUTER, &outer, sizeof(outer));
            }
        }
    }
}

static void add_guard(struct sp_engine *engine, uint16_t id, uint16_t flags, const char *technique)
{
    bool sends = (flags & SP_BLOCK_SENDER) != 0;
    struct sp_rec_guard guard = {
        .batch = 1, .block = id, .flags = flags, .port = 443, .sport_lo = 40050, .sport_hi = 40059};
    if (sp_addr_parse(sends ? "10.0.0.1" : "10.0.0.2", &guard.src) != SP_OK ||
        sp_addr_parse(sends ? "10.0.0.2" : "10.0.0.1", &guard.dst) != SP_OK) {
        abort();
    }
    memcpy(guard.technique, technique, strlen(technique));
    order(engine, SP_REC_GUARD, &guard, sizeof(guard));
}

/* TCP and UDP, both families, both ways. */
static void add_sweeps(struct sp_engine *engine)
{
    for (uint16_t i = 0; i < 8; i++) {
        bool sends = i % 2;
        const char *me = i & 2 ? "2001:db8::1" : "10.0.0.1";
        const char *peer = i & 2 ? "2001:db8::2" : "10.0.0.2";
        const char *technique = i & 4 ? "udp" : "tcp_syn";
        struct sp_rec_sweep sweep = {
            .batch = 1,
            .block = (uint16_t)((sends ? SWEEP_OUT : SWEEP_IN) + i / 2 * 10),
            .passes = 4,
            .flags = sends ? SP_BLOCK_SENDER : SP_BLOCK_RECEIVER | SP_BLOCK_REPLY,
            .sport = 40060,
            .alt_sport = 40070,
            .alt_lo = 40000,
            .alt_hi = 40100};
        if (sp_addr_parse(sends ? me : peer, &sweep.src) != SP_OK ||
            sp_addr_parse(sends ? peer : me, &sweep.dst) != SP_OK) {
            abort();
        }
        memcpy(sweep.technique, technique, strlen(technique));
        order(engine, SP_REC_SWEEP, &sweep, sizeof(sweep));
        struct sp_rec_mask mask = {
            .batch = 1, .block = sweep.block, .kind = sends ? SP_MASK_SEND : SP_MASK_EXPECTED};
        memset(mask.bits, 0xff, sizeof(mask.bits));
        order(engine, SP_REC_MASK, &mask, sizeof(mask));
    }
    add_guard(engine, GUARD_IN, SP_BLOCK_RECEIVER, "tcp_syn");
    add_guard(engine, GUARD_OUT, SP_BLOCK_SENDER, "udp");
    add_guard(engine, GUARD_SELF, SP_BLOCK_SENDER | SP_BLOCK_RECEIVER | SP_BLOCK_SELF, "icmp_echo");
}

static void put(uint8_t *at, uint64_t value, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        at[i] = (uint8_t)(value >> 8 * (len - 1 - i));
    }
}

/* Makes a fragment of TCP over IPv4 one of a train's (fragments.h): by its place the first, second
 * or third of frag_tiny, or frag_tail's. */
static bool give_piece_tag(uint8_t *bytes, const struct sp_pkt *pkt, const struct sp_tag_keys *keys)
{
    const struct sp_technique_info *info =
        sp_technique_find(pkt->offset == 40 ? "frag_tail" : "frag_tiny");
    if (!pkt->payload) {
        return false;
    }
    uint16_t block = (uint16_t)(sp_technique_index(info) * 40 + pkt->ttl % 2 * 10);
    uint8_t *body = bytes + (pkt->payload - bytes);
    struct sp_tag tag = sp_tag_make(keys, block, 22);
    if (pkt->payload_len >= SP_TAG_BYTES && pkt->offset == 40) {
        sp_tag_write(keys, block, 22, SP_TAG_PROBE, 0, body);
    } else if (pkt->payload_len >= 8 && pkt->offset == 0) {
        put(body + 2, 22, 2);
        put(body + 4, tag.seq, 4);
    } else if (pkt->payload_len >= 8 && pkt->offset == 8) {
        put(body, tag.seq, 4);
        put(body + 6, tag.mac >> 48, 2);
    } else if (pkt->payload_len >= 20 && pkt->offset == 16) {
        put(body + 12, tag.tsval, 4);
        put(body + 16, tag.seq, 4);
    } else {
        return false;
    }
    put(bytes + 4, tag.ip_id, 2);
    return true;
}

/* A right tag of a technique that wraps, in a segment that is still closed: it never arrives, so
 * that is_tagged stays as it is. */
static void give_inner_tag(uint8_t *ip, size_t len, const struct sp_tag_keys *keys,
                           const struct sp_pkt *pkt, unsigned which)
{
    static const char *const names[] = {"encap_ipip", "encap_gre", "encap_vxlan", "encap_geneve"};
    const struct sp_technique_info *info = sp_technique_find(names[which % 4]);
    uint16_t block = (uint16_t)(sp_technique_index(info) * 40 + which / 4 % 2 * 10);
    struct sp_tag tag = sp_tag_make(keys, block, pkt->dport);
    size_t at = (size_t)(ip[0] & 15) * 4;
    for (size_t i = at + 20; i + 10 <= len; i++) {
        if (ip[i] == 8 && ip[i + 1] == 10) {
            put(ip + at + 4, tag.seq, 4);
            put(ip + i + 2, tag.tsval, 4);
            break;
        }
    }
}

/* Gives the packet a tag that is right, of a block that `from` names, where it has room for one. */
static void give_tag(uint8_t *bytes, size_t len, uint8_t from)
{
    static const uint16_t ids[16] = {
        SWEEP_IN,  SWEEP_IN + 3,   SWEEP_IN + 10,  SWEEP_IN + 21,  SWEEP_IN + 30,
        SWEEP_OUT, SWEEP_OUT + 11, SWEEP_OUT + 20, SWEEP_OUT + 33, GUARD_IN,
        GUARD_OUT, GUARD_SELF,     5000,           SWEEP_IN + 4,   40,
        50};
    struct sp_pkt pkt;
    struct sp_tag_keys keys;
    uint8_t key[32];
    memset(key, 0x5c, sizeof(key));
    sp_tag_keys_init(&keys, key);
    if (sp_pkt_parse_piece(bytes, len, &pkt) && pkt.src.family == SP_FAMILY_IPV4 &&
        pkt.ip_proto == SP_IPPROTO_TCP) {
        is_tagged = give_piece_tag(bytes, &pkt, &keys) || is_tagged;
        return;
    }
    struct sp_unwrapped in;
    if (sp_pkt_unwrap(bytes, len, &in) && sp_pkt_parse(in.ip, in.len, &pkt) && pkt.has_timestamps &&
        pkt.src.family == SP_FAMILY_IPV4) {
        give_inner_tag(bytes + (in.ip - bytes), in.len, &keys, &pkt, from >> 4);
        return;
    }
    if (!sp_pkt_parse(bytes, len, &pkt)) {
        return;
    }
    uint16_t block = ids[from >> 4];
    bool v6 = pkt.src.family == SP_FAMILY_IPV6;
    size_t at = v6 ? 40 : (size_t)(bytes[0] & 15) * 4;
    if (pkt.ip_proto == SP_IPPROTO_TCP && pkt.has_timestamps && at + 20 <= len) {
        struct sp_tag tag = sp_tag_make(&keys, block, pkt.dport);
        for (size_t i = 0; i < 4; i++) {
            bytes[at + 4 + i] = (uint8_t)(tag.seq >> (24 - 8 * i));
        }
        for (size_t i = at + 20; i + 10 <= len; i++) {
            if (bytes[i] == 8 && bytes[i + 1] == 10) {
                for (size_t k = 0; k < 4; k++) {
                    bytes[i + 2 + k] = (uint8_t)(tag.tsval >> (24 - 8 * k));
                }
                break;
            }
        }
        is_tagged = true;
    } else if (pkt.payload_len >= SP_TAG_BYTES) {
        uint16_t port = sp_pkt_is_portless(pkt.ip_proto) ? pkt.ip_proto : pkt.dport;
        sp_tag_write(&keys, block, port, pkt.ttl % 8 ? SP_TAG_PROBE : SP_TAG_REPLY, 0,
                     bytes + (pkt.payload - bytes));
        is_tagged = true;
    }
}

static struct sp_engine *armed_engine(void)
{
    static struct sp_prefix targets[2];
    static const struct sp_engine_io io = {.tell = tell,
                                           .send_raw = send_raw,
                                           .can_link = can_link,
                                           .netinfo = netinfo,
                                           .route = route,
                                           .listen = listening,
                                           .hold = hold,
                                           .release = release_hold,
                                           .counters = counters};
    const struct sp_bounds bounds = {
        .targets = targets, .ntargets = 2, .max_pps = 1000000, .hazard = 'C'};
    struct sp_engine *engine = NULL;
    if (sp_prefix_parse("10.0.0.0/8", &targets[0]) != SP_OK ||
        sp_prefix_parse("2001:db8::/32", &targets[1]) != SP_OK ||
        sp_engine_new(&io, &bounds, 0, &engine) != SP_OK) {
        abort();
    }
    struct sp_rec_batch batch = {.batch = 1,
                                 .sport_lo = 40000,
                                 .sport_hi = 40100,
                                 .max_pps = 1000000,
                                 .budget = 1000,
                                 .lifetime_ms = 3600000};
    memset(batch.key, 0x5c, sizeof(batch.key));
    const struct sp_rec_arm arm = {.batch = 1};
    order(engine, SP_REC_BATCH, &batch, sizeof(batch));
    add_blocks(engine);
    add_sweeps(engine);
    order(engine, SP_REC_ARM, &arm, sizeof(arm));
    for (uint16_t i = 0; i < (uint16_t)sp_technique_count(); i++) {
        for (uint16_t v6 = 0; v6 < 2; v6++) {
            const struct sp_rec_shot shot = {.batch = 1,
                                             .block = (uint16_t)(i * 40 + 10 + v6 * 20),
                                             .port = (uint16_t)(53 + i),
                                             .sport = (uint16_t)(40000 + i)};
            order(engine, SP_REC_SHOT, &shot, sizeof(shot));
        }
    }
    const struct sp_rec_fire fire = {.batch = 1};
    order(engine, SP_REC_FIRE, &fire, sizeof(fire));
    (void)sp_engine_tick(engine);
    return engine;
}

static void one_packet(struct sp_engine *engine, uint8_t from, const uint8_t *bytes, size_t len)
{
    struct sp_pkt pkt;
    const struct sp_captured captured = {.dir = (enum sp_direction)((from & 3) % 3),
                                         .is_loopback = (from & 4) != 0,
                                         .is_flooded = (from & 3) % 3 == SP_DIR_OTHER,
                                         .iface = 1,
                                         .ip = bytes,
                                         .len = len};
    sp_engine_captured(engine, &captured);
    struct sp_unwrapped in;
    if (sp_pkt_unwrap(bytes, len, &in) &&
        (in.len == 0 || in.ip < bytes || in.ip + in.len > bytes + len)) {
        abort();
    }
    if (sp_pkt_parse_piece(bytes, len, &pkt) && pkt.payload_len &&
        (pkt.payload < bytes || pkt.payload + pkt.payload_len > bytes + len)) {
        abort();
    }
    if (!sp_pkt_parse(bytes, len, &pkt)) {
        return;
    }
    if (pkt.payload_len && (pkt.payload < bytes || pkt.payload + pkt.payload_len > bytes + len)) {
        abort();
    }
    sp_engine_host(engine, &pkt, 1);
    struct sp_pkt bare = {.ip_proto = from, .src = pkt.src, .dst = pkt.dst};
    (void)sp_pkt_parse_transport(bytes, len, &bare);
}

/* Packets one after another: origin 1 byte, length 1 byte, bytes. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    sp_clock_inject(now, NULL);
    is_tagged = false;
    struct sp_engine *engine = armed_engine();
    while (size >= 2) {
        size_t len = data[1] < size - 2 ? data[1] : size - 2;
        uint8_t *exact = malloc(len ? len : 1);
        if (!exact) {
            abort();
        }
        memcpy(exact, data + 2, len);
        if (data[0] & 8) {
            give_tag(exact, len, data[0]);
        }
        one_packet(engine, data[0], exact, len);
        free(exact);
        now_us += data[0] & 32 ? 100000 : 1000;
        (void)sp_engine_tick(engine);
        data += 2 + len;
        size -= 2 + len;
    }
    const struct sp_rec_collect collect = {.batch = 1};
    order(engine, SP_REC_COLLECT, &collect, sizeof(collect));
    sp_engine_free(engine);
    now_us = 1000000;
    return 0;
}
