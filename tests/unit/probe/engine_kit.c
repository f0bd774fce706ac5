/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/probe/engine_kit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "probe/base/clock.h"
#include "probe/base/mem.h"
#include "tests/support/sp_cmocka.h"

uint64_t kit_now_us;

static uint64_t now(void)
{
    return kit_now_us;
}

static void tell(void *arg, const struct sp_record *record)
{
    struct kit *kit = arg;
    uint8_t bytes[SP_RECORD_BYTES];
    struct sp_record again;
    sp_record_encode(record, bytes); /* whatever is told must survive the wire */
    assert_int_equal(sp_record_decode(bytes, &again, NULL), SP_OK);
    if (kit->ntold < KIT_RECORDS) {
        kit->told[kit->ntold++] = again;
    }
}

static int keep(struct kit *kit, const struct sp_spec *spec, uint32_t iface, bool is_link)
{
    if (kit->send_errno == 0 && kit->nsent < KIT_SENDS) {
        kit->sent[kit->nsent].spec = *spec;
        kit->sent[kit->nsent].iface = iface;
        kit->sent[kit->nsent].is_link = is_link;
        kit->sent[kit->nsent++].at_us = kit_now_us;
    }
    return kit->send_errno;
}

static int send_raw(void *arg, const struct sp_spec *spec, uint32_t iface)
{
    return keep(arg, spec, iface, false);
}

static int send_link(void *arg, const struct sp_spec *spec, uint32_t iface,
                     const uint8_t src_mac[static 6], const uint8_t dst_mac[static 6])
{
    assert_int_equal(src_mac[5], iface);
    assert_int_equal(dst_mac[5], 0x77);
    return keep(arg, spec, iface, true);
}

static int burst(void *arg, const struct sp_burst_packet *const *packets, size_t n,
                 size_t *ret_sent)
{
    struct kit *kit = arg;
    *ret_sent = 0;
    assert_in_range(n, 1, SP_BURST_MAX);
    kit->bursts++;
    for (size_t i = 0; i < n; i++) {
        const struct sp_burst_packet *packet = packets[i];
        assert_true(sp_burst_same_way(packet->to, packets[0]->to));
        if (kit->burst_room == 0 && kit->is_burst_bound) {
            return kit->burst_errno;
        }
        kit->burst_room -= kit->burst_room > 0;
        size_t skip = packet->to->is_link ? 14 : 0;
        struct sp_pkt pkt;
        assert_true(sp_pkt_parse(packet->bytes + skip, packet->len - skip, &pkt));
        assert_true(kit_checksums_ok(packet->bytes + skip, packet->len - skip));
        if (kit->refuse_port && pkt.dport == kit->refuse_port) {
            return kit->refuse_errno;
        }
        (*ret_sent)++;
        if (kit->nburst < KIT_BURST) {
            kit->burst[kit->nburst++] = (struct kit_burst){.pkt = pkt,
                                                           .is_link = packet->to->is_link,
                                                           .sent_before = kit->nsent,
                                                           .at_us = kit_now_us};
        }
        kit->burst_total++;
    }
    return 0;
}

static uint64_t tx_dropped(void *arg, uint32_t iface)
{
    assert_int_equal(iface, 2);
    return ((struct kit *)arg)->tx_dropped;
}

static bool can_link(void *arg, uint32_t iface)
{
    return !((struct kit *)arg)->no_link && iface == 2;
}

static enum sp_rc netinfo(void *arg, struct sp_netinfo *ret_info)
{
    static const struct {
        const char *addr;
        uint32_t iface;
    } own[] = {{"127.0.0.1", 1}, {KIT_ME, 2}, {KIT_ME6, 2}, {"10.1.0.1", 3}};
    static const char *const names[] = {"lo", "eth0", "eth1"};
    struct kit *kit = arg;
    struct sp_netinfo info = {0};
    if (kit->no_netinfo) {
        return SP_E_SYSTEM;
    }
    info.ifaces = sp_calloc(3, sizeof(*info.ifaces));
    info.own = sp_calloc(4, sizeof(*info.own));
    if (!info.ifaces || !info.own) {
        sp_netinfo_release(&info);
        return SP_E_NOMEM;
    }
    for (uint32_t i = 0; i < 3; i++) {
        struct sp_iface *iface = &info.ifaces[info.nifaces++];
        iface->index = i + 1;
        iface->mac[5] = (uint8_t)(i + 1);
        iface->is_loopback = i == 0;
        iface->is_up = i != 2 || !kit->eth1_down;
        iface->has_xdp = i == 1 && kit->eth0_xdp;
        (void)snprintf(iface->name, sizeof(iface->name), "%s", names[i]);
    }
    for (size_t i = 0; i < 4; i++) {
        info.own[info.nown++] =
            (struct sp_own){.iface = own[i].iface, .addr = kit_addr(own[i].addr)};
    }
    *ret_info = info;
    return SP_OK;
}

static enum sp_rc route(void *arg, const struct sp_addr *src, const struct sp_addr *dst,
                        struct sp_route *ret_route)
{
    struct kit *kit = arg;
    struct sp_prefix near;
    bool v6 = dst->family == SP_FAMILY_IPV6;
    (void)src;
    if (kit->no_route) {
        return SP_E_NOTFOUND;
    }
    *ret_route = (struct sp_route){.iface = 2};
    assert_int_equal(sp_prefix_parse(v6 ? "fd00::/64" : "10.0.0.0/16", &near), SP_OK);
    if (!sp_prefix_has(&near, dst) && !kit->no_gateway) {
        ret_route->gateway = kit_addr(v6 ? "fd00::fe" : "10.0.0.254");
    }
    return SP_OK;
}

static enum sp_rc neighbour(void *arg, uint32_t iface, const struct sp_addr *addr,
                            uint8_t ret_mac[static 6])
{
    (void)iface;
    (void)addr;
    memset(ret_mac, 0x77, 6);
    return ((struct kit *)arg)->no_neighbour ? SP_E_NOTFOUND : SP_OK;
}

static enum sp_rc set_listening(void *arg, bool on, uint16_t lo, uint16_t hi)
{
    struct kit *kit = arg;
    kit->lo = lo;
    kit->hi = hi;
    kit->is_listening = on;
    kit->listens++;
    return kit->no_listen && on ? SP_E_SYSTEM : SP_OK;
}

static int hold(void *arg, const struct sp_addr *addr, uint16_t port, uint32_t iface)
{
    struct kit *kit = arg;
    assert_true(addr->family != 0 && port != 0 && iface != 0);
    kit->holds += kit->hold_errno == 0;
    return kit->hold_errno;
}

static void release_hold(void *arg, const struct sp_addr *addr, uint16_t port)
{
    struct kit *kit = arg;
    assert_true(addr->family != 0 && port != 0 && kit->holds > 0);
    kit->holds--;
}

static int stand(void *arg, const struct sp_addr *addr, uint16_t port, uint32_t iface)
{
    struct kit *kit = arg;
    assert_true(addr->family != 0 && port != 0 && iface != 0);
    kit->stands += kit->stand_errno == 0;
    return kit->stand_errno;
}

static void unstand(void *arg)
{
    ((struct kit *)arg)->stands = 0;
}

static struct sp_counters counters(void *arg)
{
    return ((struct kit *)arg)->counters;
}

void kit_restart(struct kit *kit, uint32_t generation)
{
    const struct sp_engine_io io = {.arg = kit,
                                    .tell = tell,
                                    .send_raw = send_raw,
                                    .send_link = send_link,
                                    .burst = burst,
                                    .tx_dropped = tx_dropped,
                                    .can_link = can_link,
                                    .netinfo = netinfo,
                                    .route = route,
                                    .neighbour = neighbour,
                                    .listen = set_listening,
                                    .hold = hold,
                                    .release = release_hold,
                                    .counters = counters,
                                    .stand = stand,
                                    .unstand = unstand};
    sp_engine_free(kit->engine);
    kit->engine = NULL;
    assert_int_equal(sp_engine_new(&io, &kit->bounds, generation, &kit->engine), SP_OK);
}

struct kit *kit_new(void)
{
    struct kit *kit = calloc(1, sizeof(*kit));
    assert_non_null(kit);
    kit_now_us = 1000000;
    sp_clock_inject(now, NULL);
    assert_int_equal(sp_prefix_parse("10.0.0.0/8", &kit->targets[0]), SP_OK);
    assert_int_equal(sp_prefix_parse("fd00::/8", &kit->targets[1]), SP_OK);
    kit->bounds = (struct sp_bounds){.targets = kit->targets,
                                     .ntargets = 2,
                                     .max_pps = 1000000,
                                     .hazard = 'A',
                                     .link_injection = true};
    for (uint8_t i = 0; i < 32; i++) {
        kit->key[i] = (uint8_t)(i * 11 + 3);
    }
    kit->batch = 42;
    kit_restart(kit, 0);
    return kit;
}

void kit_free(struct kit *kit)
{
    sp_engine_free(kit->engine);
    sp_clock_inject(NULL, NULL);
    free(kit);
}

void kit_order(struct kit *kit, const struct sp_record *record)
{
    sp_engine_order(kit->engine, record);
    (void)sp_engine_tick(kit->engine);
}

void kit_batch(struct kit *kit, uint32_t max_pps, uint32_t budget, uint32_t lifetime_ms)
{
    struct sp_record r = {.type = SP_REC_BATCH};
    r.u.batch = (struct sp_rec_batch){.batch = kit->batch,
                                      .sport_lo = 40000,
                                      .sport_hi = 49999,
                                      .max_pps = max_pps,
                                      .budget = budget,
                                      .lifetime_ms = lifetime_ms};
    memcpy(r.u.batch.key, kit->key, 32);
    kit_order(kit, &r);
}

void kit_block(struct kit *kit, uint16_t id, uint16_t attempts, uint16_t flags, const char *tech,
               const char *src, const char *dst)
{
    struct sp_record r = {.type = SP_REC_BLOCK};
    r.u.block = (struct sp_rec_block){.batch = kit->batch,
                                      .block = id,
                                      .attempts = attempts,
                                      .flags = flags,
                                      .src = kit_addr(src),
                                      .dst = kit_addr(dst)};
    (void)snprintf(r.u.block.technique, sizeof(r.u.block.technique), "%s", tech);
    kit_order(kit, &r);
}

void kit_arm(struct kit *kit)
{
    struct sp_record r = {.type = SP_REC_ARM};
    r.u.arm.batch = kit->batch;
    kit_order(kit, &r);
}

void kit_shot(struct kit *kit, uint16_t block, uint16_t port, uint16_t sport, uint32_t at_us)
{
    struct sp_record r = {.type = SP_REC_SHOT};
    r.u.shot = (struct sp_rec_shot){
        .batch = kit->batch, .block = block, .port = port, .sport = sport, .at_us = at_us};
    kit_order(kit, &r);
}

void kit_fire(struct kit *kit)
{
    struct sp_record r = {.type = SP_REC_FIRE};
    r.u.fire.batch = kit->batch;
    kit_order(kit, &r);
}

void kit_collect(struct kit *kit)
{
    struct sp_record r = {.type = SP_REC_COLLECT};
    r.u.collect.batch = kit->batch;
    kit_order(kit, &r);
}

void kit_run(struct kit *kit, uint64_t us)
{
    uint64_t end = kit_now_us + us;
    for (;;) {
        uint64_t wait = sp_engine_tick(kit->engine);
        if (wait == UINT64_MAX || kit_now_us + wait > end) {
            kit_now_us = end;
            (void)sp_engine_tick(kit->engine);
            return;
        }
        kit_now_us += wait ? wait : 1;
    }
}

static int keep_spec(struct sp_tech_io *io, const struct sp_spec *spec)
{
    *(struct sp_spec *)io->arg = *spec;
    return 0;
}

struct sp_spec kit_probe_spec(const struct kit *kit, const char *tech, const char *src,
                              const char *dst, uint16_t block, uint16_t port, uint16_t sport)
{
    const struct sp_technique_info *info = sp_technique_find(tech);
    struct sp_tag_keys keys;
    struct sp_spec spec = {0};
    struct sp_tech_io io = {.keys = &keys, .emit = keep_spec, .arg = &spec};
    const struct sp_flow flow = {
        .src = kit_addr(src), .dst = kit_addr(dst), .block = block, .port = port, .sport = sport};
    assert_non_null(info);
    sp_tag_keys_init(&keys, kit->key);
    assert_int_equal(sp_technique_code(sp_technique_index(info))->start(&flow, &io), 0);
    return spec;
}

void kit_capture(struct kit *kit, const struct sp_spec *spec, enum sp_direction dir, uint32_t iface,
                 bool loopback)
{
    struct kit_bytes b;
    kit_build(spec, &b);
    const struct sp_captured c = {
        .dir = dir, .is_loopback = loopback, .iface = iface, .ip = b.at, .len = b.len};
    sp_engine_captured(kit->engine, &c);
}

void kit_in(struct kit *kit, const struct sp_spec *spec)
{
    kit_capture(kit, spec, SP_DIR_IN, 2, false);
}

void kit_out(struct kit *kit, const struct sp_spec *spec)
{
    kit_capture(kit, spec, SP_DIR_OUT, 2, false);
}

void kit_bytes_in(struct kit *kit, const uint8_t *bytes, size_t len)
{
    const struct sp_captured c = {.dir = SP_DIR_IN, .iface = 2, .ip = bytes, .len = len};
    sp_engine_captured(kit->engine, &c);
}

void kit_host(struct kit *kit, const struct sp_spec *spec, uint32_t iface)
{
    struct kit_bytes b;
    struct sp_pkt pkt;
    kit_build(spec, &b);
    assert_true(sp_pkt_parse(b.at, b.len, &pkt));
    sp_engine_host(kit->engine, &pkt, iface);
}

const struct sp_record *kit_told(const struct kit *kit, uint8_t type, size_t index)
{
    for (size_t i = 0; i < kit->ntold; i++) {
        if (kit->told[i].type == type && index-- == 0) {
            return &kit->told[i];
        }
    }
    return NULL;
}

size_t kit_count(const struct kit *kit, uint8_t type)
{
    size_t n = 0;
    for (size_t i = 0; i < kit->ntold; i++) {
        n += kit->told[i].type == type;
    }
    return n;
}

const struct sp_rec_seen *kit_seen(const struct kit *kit, uint8_t kind, uint16_t block,
                                   uint16_t port)
{
    for (size_t i = 0; i < kit->ntold; i++) {
        const struct sp_rec_seen *s = &kit->told[i].u.seen;
        if (kit->told[i].type == SP_REC_SEEN && s->kind == kind && s->block == block &&
            s->port == port) {
            return s;
        }
    }
    return NULL;
}

size_t kit_count_seen(const struct kit *kit, uint8_t kind)
{
    size_t n = 0;
    for (size_t i = 0; i < kit->ntold; i++) {
        n += kit->told[i].type == SP_REC_SEEN && kit->told[i].u.seen.kind == kind;
    }
    return n;
}

void kit_forget(struct kit *kit)
{
    kit->ntold = 0;
    kit->nsent = 0;
}
