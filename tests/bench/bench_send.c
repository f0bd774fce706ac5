/* SPDX-License-Identifier: Apache-2.0
 *
 * The send loop of a sweep without the rest of a probe: the engine, the injector and nothing else,
 * so that a profiler counts what a packet costs. Needs root, in a namespace whose ADDRESS DST
 * answers neighbour requests.
 *
 *   bench_send SRC DST TECHNIQUE PACKETS
 *
 * Prints packets, seconds, and user and system nanoseconds a packet. */
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#include "probe/base/clock.h"
#include "probe/base/portset.h"
#include "probe/base/str.h"
#include "probe/engine.h"
#include "probe/packet/inject.h"

#define VOLLEY 4096U

struct world {
    int netlink;
    struct sp_injector *injector;
    bool is_armed, is_refused;
    uint64_t sent, volleyed, failed;
};

static void tell(void *arg, const struct sp_record *record)
{
    struct world *world = arg;
    if (record->type == SP_REC_VOLLEYED) {
        world->volleyed++;
        world->sent += record->u.volleyed.sent;
        world->failed += record->u.volleyed.failed;
    }
    world->is_armed = world->is_armed || record->type == SP_REC_ARMED;
    world->is_refused =
        world->is_refused || record->type == SP_REC_REFUSED || record->type == SP_REC_ERROR;
}

static int send_raw(void *arg, const struct sp_spec *spec, uint32_t iface)
{
    return sp_inject_raw(((struct world *)arg)->injector, spec, iface);
}

static int burst(void *arg, const struct sp_burst_packet *const *packets, size_t n,
                 size_t *ret_sent)
{
    return sp_inject_burst(((struct world *)arg)->injector, packets, n, ret_sent);
}

static uint64_t tx_dropped(void *arg, uint32_t iface)
{
    return sp_iface_tx_dropped(((struct world *)arg)->netlink, iface);
}

static bool can_link(void *arg, uint32_t iface)
{
    return sp_injector_has_link(((struct world *)arg)->injector, iface);
}

static enum sp_rc netinfo(void *arg, struct sp_netinfo *ret_info)
{
    return sp_netinfo_read(((struct world *)arg)->netlink, ret_info, NULL);
}

static enum sp_rc route(void *arg, const struct sp_addr *src, const struct sp_addr *dst,
                        struct sp_route *ret_route)
{
    return sp_route_get(((struct world *)arg)->netlink, src, dst, ret_route, NULL);
}

static enum sp_rc neighbour(void *arg, uint32_t iface, const struct sp_addr *addr,
                            uint8_t ret_mac[static 6])
{
    return sp_neighbour_get(((struct world *)arg)->netlink, iface, addr, ret_mac, NULL);
}

static enum sp_rc set_listening(void *arg, bool on, uint16_t lo, uint16_t hi)
{
    (void)arg;
    (void)on;
    (void)lo;
    (void)hi;
    return SP_OK;
}

static struct sp_counters counters(void *arg)
{
    (void)arg;
    return (struct sp_counters){0};
}

static void unstand(void *arg)
{
    (void)arg;
}

static bool arm(struct sp_engine *engine, const struct world *world, const struct sp_addr *src,
                const struct sp_addr *dst, const char *technique)
{
    struct sp_record r = {.type = SP_REC_BATCH};
    r.u.batch = (struct sp_rec_batch){.batch = 1,
                                      .sport_lo = 40000,
                                      .sport_hi = 42000,
                                      .max_pps = 10000000,
                                      .budget = UINT32_MAX,
                                      .lifetime_ms = 3600000};
    sp_engine_order(engine, &r);
    r = (struct sp_record){.type = SP_REC_SWEEP};
    r.u.sweep = (struct sp_rec_sweep){.batch = 1,
                                      .block = 10,
                                      .passes = 1,
                                      .flags = SP_BLOCK_SENDER | SP_BLOCK_LINK,
                                      .src = *src,
                                      .dst = *dst,
                                      .sport = 40100};
    (void)snprintf(r.u.sweep.technique, sizeof(r.u.sweep.technique), "%s", technique);
    sp_engine_order(engine, &r);
    for (uint16_t chunk = 0; chunk < SP_PORTSET_CHUNKS; chunk++) {
        r = (struct sp_record){.type = SP_REC_MASK};
        r.u.mask = (struct sp_rec_mask){.batch = 1, .block = 10, .chunk = chunk};
        memset(r.u.mask.bits, 0xff, sizeof(r.u.mask.bits));
        sp_engine_order(engine, &r);
    }
    r = (struct sp_record){.type = SP_REC_ARM, .u.arm.batch = 1};
    sp_engine_order(engine, &r);
    r = (struct sp_record){.type = SP_REC_FIRE, .u.fire.batch = 1};
    sp_engine_order(engine, &r);
    return world->is_armed && !world->is_refused;
}

static uint64_t cpu_us(const struct timeval *tv)
{
    return (uint64_t)tv->tv_sec * 1000000U + (uint64_t)tv->tv_usec;
}

static void run(struct sp_engine *engine, struct world *world, uint64_t packets)
{
    struct rusage before;
    struct rusage after;
    uint64_t start = sp_mono_us();
    (void)getrusage(RUSAGE_SELF, &before);
    for (uint32_t at = 0; at < packets; at += VOLLEY) {
        struct sp_record r = {.type = SP_REC_VOLLEY};
        r.u.volley = (struct sp_rec_volley){
            .batch = 1, .serial = at, .first = at % 65536, .count = VOLLEY, .order = 7};
        uint64_t want = world->volleyed + 1;
        sp_engine_order(engine, &r);
        while (world->volleyed < want) {
            (void)sp_engine_tick(engine);
        }
    }
    (void)getrusage(RUSAGE_SELF, &after);
    double n = (double)world->sent;
    printf("{\"sent\": %llu, \"failed\": %llu, \"pps\": %.0f, \"user_ns\": %.0f, \"system_ns\": "
           "%.0f}\n",
           (unsigned long long)world->sent, (unsigned long long)world->failed,
           n / (double)(sp_mono_us() - start) * 1e6,
           (double)(cpu_us(&after.ru_utime) - cpu_us(&before.ru_utime)) / n * 1e3,
           (double)(cpu_us(&after.ru_stime) - cpu_us(&before.ru_stime)) / n * 1e3);
}

int main(int argc, char **argv)
{
    struct world world = {0};
    const struct sp_engine_io io = {.arg = &world,
                                    .tell = tell,
                                    .send_raw = send_raw,
                                    .burst = burst,
                                    .tx_dropped = tx_dropped,
                                    .can_link = can_link,
                                    .netinfo = netinfo,
                                    .route = route,
                                    .neighbour = neighbour,
                                    .listen = set_listening,
                                    .counters = counters,
                                    .unstand = unstand};
    struct sp_addr src;
    struct sp_addr dst;
    struct sp_prefix target;
    uint64_t packets;
    struct sp_engine *engine = NULL;
    struct sp_netinfo info = {0};
    struct sp_diag diag = {0};
    if (argc != 5 || sp_addr_parse(argv[1], &src) != SP_OK ||
        sp_addr_parse(argv[2], &dst) != SP_OK || sp_prefix_parse(argv[2], &target) != SP_OK ||
        sp_parse_uint(argv[4], 100000000, &packets) != SP_OK) {
        (void)fputs("usage: bench_send SRC DST TECHNIQUE PACKETS\n", stderr);
        return 2;
    }
    const struct sp_bounds bounds = {.targets = &target,
                                     .ntargets = 1,
                                     .max_pps = 10000000,
                                     .hazard = 'A',
                                     .link_injection = true};
    world.netlink = sp_netlink_open(&diag);
    if (world.netlink < 0 || sp_netinfo_read(world.netlink, &info, &diag) != SP_OK ||
        sp_injector_open(&info, true, &world.injector, &diag) != SP_OK ||
        sp_engine_new(&io, &bounds, 0, &engine) != SP_OK ||
        !arm(engine, &world, &src, &dst, argv[3])) {
        (void)fprintf(stderr, "bench_send: cannot start: %s %s\n", diag.where, diag.text);
        return 1;
    }
    run(engine, &world, packets);
    sp_engine_free(engine);
    sp_injector_free(world.injector);
    sp_netinfo_release(&info);
    return 0;
}
