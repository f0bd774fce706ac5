/* SPDX-License-Identifier: Apache-2.0
 *
 * What a packet costs the witnesses of a sweep in user space: an engine is handed packets from
 * memory, every port of a pass in an order of its own. Prints nanoseconds per packet, the median of
 * several rounds; never fails on time.
 *
 *   bench_hear [rounds, default 7] */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "probe/base/clock.h"
#include "probe/base/permute.h"
#include "tests/unit/probe/hear_kit.h"

#define SP_BENCH_PORTS 65535U
#define SP_BENCH_BLOCK 3000

struct packets {
    uint8_t (*bytes)[96];
    size_t *lens;
    size_t n;
};

static uint64_t now_ns(void)
{
    struct timespec ts;
    (void)clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * 1000000000U + (uint64_t)ts.tv_nsec;
}

static struct packets make(const struct kit *kit, const char *tech, bool v6, bool is_answer)
{
    struct packets p = {.bytes = calloc(SP_BENCH_PORTS, sizeof(*p.bytes)),
                        .lens = calloc(SP_BENCH_PORTS, sizeof(*p.lens)),
                        .n = SP_BENCH_PORTS};
    struct sp_permutation order;
    if (!p.bytes || !p.lens) {
        exit(2);
    }
    sp_permutation_init(&order, 42, SP_BENCH_PORTS);
    for (uint32_t i = 0; i < SP_BENCH_PORTS; i++) {
        struct kit_bytes b;
        uint16_t port = (uint16_t)(sp_permutation_at(&order, i) + 1);
        const char *me = v6 ? KIT_ME6 : KIT_ME;
        const char *peer = v6 ? KIT_PEER6 : KIT_PEER;
        struct sp_spec spec = hear_spec(kit, tech, is_answer ? me : peer, is_answer ? peer : me,
                                        SP_BENCH_BLOCK, 0, port);
        if (is_answer) {
            struct sp_spec rst = {.src = spec.dst,
                                  .dst = spec.src,
                                  .ip_proto = SP_IPPROTO_TCP,
                                  .sport = spec.dport,
                                  .dport = spec.sport,
                                  .ack = spec.seq + 1,
                                  .tcp_flags = SP_TCP_RST | SP_TCP_ACK};
            spec = rst;
        }
        kit_build(&spec, &b);
        p.lens[i] = b.len < sizeof(*p.bytes) ? b.len : sizeof(*p.bytes);
        memcpy(p.bytes[i], b.at, p.lens[i]);
    }
    return p;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a;
    double y = *(const double *)b;
    return x < y ? -1 : x > y;
}

/* One pass over all packets, each round in a batch of its own. */
static void measure(const char *what, const char *tech, bool v6, bool is_answer, bool at_host,
                    unsigned rounds)
{
    double ns[64];
    for (unsigned r = 0; r < rounds; r++) {
        struct kit *kit = kit_new();
        struct packets p = make(kit, tech, v6, is_answer);
        const char *me = v6 ? KIT_ME6 : KIT_ME;
        const char *peer = v6 ? KIT_PEER6 : KIT_PEER;
        hear_batch(kit, 1U << 20);
        hear_sweep(kit, SP_BENCH_BLOCK, 2, is_answer ? SP_BLOCK_SENDER : SP_BLOCK_RECEIVER, tech,
                   is_answer ? me : peer, is_answer ? peer : me);
        hear_mask(kit, SP_BENCH_BLOCK, SP_MASK_SEND, 1, 65535);
        kit_arm(kit);
        kit_fire(kit);
        sp_clock_inject(NULL, NULL); /* a real clock costs time too */
        uint64_t start = now_ns();
        for (size_t i = 0; i < p.n; i++) {
            struct sp_pkt pkt;
            if (!at_host) {
                kit_bytes_in(kit, p.bytes[i], p.lens[i]);
            } else if (sp_pkt_parse(p.bytes[i], p.lens[i], &pkt)) {
                sp_engine_host(kit->engine, &pkt, 2);
            }
        }
        ns[r] = (double)(now_ns() - start) / (double)p.n;
        free(p.bytes);
        free(p.lens);
        kit_free(kit);
    }
    qsort(ns, rounds, sizeof(ns[0]), by_value);
    printf("%-44s %7.0f ns per packet\n", what, ns[rounds / 2]);
}

int main(int argc, char **argv)
{
    unsigned rounds = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 10) : 7;
    rounds = rounds < 1 ? 1 : rounds > 64 ? 64 : rounds;
    measure("TCP SYN at the interface, IPv4", "tcp_syn", false, false, false, rounds);
    measure("TCP SYN at the interface, IPv6", "tcp_syn", true, false, false, rounds);
    measure("TCP SYN behind the INPUT rules", "tcp_syn", false, false, true, rounds);
    measure("UDP at the interface", "udp", false, false, false, rounds);
    measure("RST that answers, at the sender", "tcp_syn", false, true, false, rounds);
    return 0;
}
