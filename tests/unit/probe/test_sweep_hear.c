/* SPDX-License-Identifier: Apache-2.0
 *
 * What a packet of a sweep or a guard counts as where it arrives. The unforgivable mistakes are an
 * arrival that leaves no bit and an absence that looks proven. */
#include <stdio.h>
#include <string.h>

#include "probe/base/mem.h"
#include "probe/hearing.h"
#include "tests/support/sp_cmocka.h"
#include "tests/unit/probe/hear_kit.h"

#define SEND SP_BLOCK_SENDER
#define RECV SP_BLOCK_RECEIVER
#define BLOCK                                                                                      \
    3000 /* the sweep received here: 3 passes of tcp_syn; its IPv6 one is at +100, udp +200 */
#define GUARD 4000

static struct kit *armed(uint16_t extra_flags, uint32_t keep_bytes)
{
    struct kit *kit = kit_new();
    hear_batch(kit, keep_bytes);
    hear_sweep(kit, BLOCK, 3, (uint16_t)(RECV | extra_flags), "tcp_syn", KIT_PEER, KIT_ME);
    hear_sweep(kit, BLOCK + 100, 3, (uint16_t)(RECV | extra_flags), "tcp_syn", KIT_PEER6, KIT_ME6);
    hear_sweep(kit, BLOCK + 200, 3, (uint16_t)(RECV | extra_flags), "udp", KIT_PEER, KIT_ME);
    hear_guard(kit, GUARD, RECV, "tcp_syn", KIT_PEER, KIT_ME);
    kit_arm(kit);
    kit_fire(kit);
    assert_int_equal(kit_count(kit, SP_REC_ERROR), 0);
    assert_int_equal(kit_count(kit, SP_REC_REFUSED), 0);
    return kit;
}

static struct sp_spec to_me(const struct kit *kit, uint16_t pass, uint16_t port)
{
    return hear_spec(kit, "tcp_syn", KIT_PEER, KIT_ME, BLOCK, pass, port);
}

static bool is_overflow(const struct kit *kit)
{
    return kit_told(kit, SP_REC_COLLECTED, 0)->u.collected.untagged_overflow != 0;
}

static void arrivals_are_bits(void **state)
{
    (void)state;
    static const struct {
        const char *tech, *src, *dst;
        uint16_t block;
    } sweeps[] = {{"tcp_syn", KIT_PEER, KIT_ME, BLOCK},
                  {"tcp_syn", KIT_PEER6, KIT_ME6, BLOCK + 100},
                  {"udp", KIT_PEER, KIT_ME, BLOCK + 200}};
    static const uint16_t ports[] = {1, 511, 512, 40000, 49999, 65535};
    for (size_t s = 0; s < SP_ARRAY_LEN(sweeps); s++) {
        struct kit *kit = armed(0, 0);
        for (size_t i = 0; i < SP_ARRAY_LEN(ports); i++) {
            struct sp_spec in = hear_spec(kit, sweeps[s].tech, sweeps[s].src, sweeps[s].dst,
                                          sweeps[s].block, 1, ports[i]);
            kit_in(kit, &in);
            kit_in(kit, &in); /* a copy made by the network */
            if (i % 2 == 0) {
                kit_host(kit, &in, 2);
            }
        }
        kit_collect(kit);
        uint16_t id = (uint16_t)(sweeps[s].block + 1);
        for (size_t i = 0; i < SP_ARRAY_LEN(ports); i++) {
            assert_true(hear_has(kit, id, SP_SWEPT_NIC, 0, ports[i]));
            assert_int_equal(hear_has(kit, id, SP_SWEPT_HOST, 0, ports[i]), i % 2 == 0);
        }
        assert_int_equal(hear_told(kit, id, SP_SWEPT_NIC, 0), SP_ARRAY_LEN(ports));
        assert_int_equal(hear_told(kit, id, SP_SWEPT_HOST, 0), 3);
        assert_int_equal(hear_told(kit, (uint16_t)(id - 1), SP_SWEPT_NIC, 0), 0);
        assert_int_equal(hear_told(kit, sweeps[s].block, SP_SWEPT_REWRITTEN, 0), 0);
        assert_int_equal(hear_told(kit, sweeps[s].block, SP_SWEPT_STRAY, 0), 0);
        assert_int_equal(kit_count_seen(kit, SP_SEEN_STRAY), 0);
        assert_int_equal(kit_count_seen(kit, SP_SEEN_UNTAGGED), 0);
        assert_int_equal(hear_health(kit)->arrived, 12);
        assert_false(is_overflow(kit));
        kit_free(kit);
    }
}

/* Every port of a pass, in both witnesses: complete, and no record for each of them. */
static void a_whole_pass(void **state)
{
    (void)state;
    struct kit *kit = armed(0, 0);
    struct kit_bytes b;
    for (uint32_t port = 1; port < 65536; port++) {
        struct sp_spec in = to_me(kit, 2, (uint16_t)port);
        kit_build(&in, &b);
        kit_bytes_in(kit, b.at, b.len);
        struct sp_pkt pkt;
        assert_true(sp_pkt_parse(b.at, b.len, &pkt));
        sp_engine_host(kit->engine, &pkt, 2);
    }
    kit_collect(kit);
    assert_int_equal(hear_told(kit, BLOCK + 2, SP_SWEPT_NIC, 0), 65535);
    assert_int_equal(hear_told(kit, BLOCK + 2, SP_SWEPT_HOST, 0), 65535);
    assert_int_equal(kit_count(kit, SP_REC_SEEN), 1); /* one interval, which began at port 1 */
    assert_true(kit->ntold < 400);
    kit_free(kit);
}

static void leaving_transit_and_others_never_count(void **state)
{
    (void)state;
    struct kit *kit = armed(0, 0);
    struct sp_spec in = to_me(kit, 0, 80);
    kit_capture(kit, &in, SP_DIR_OUT, 2, false);
    kit_capture(kit, &in, SP_DIR_OTHER, 2, false); /* to another MAC */
    struct sp_spec transit = in;
    transit.dst = kit_addr("10.0.0.77");
    kit_in(kit, &transit);
    kit_collect(kit);
    assert_int_equal(kit_count(kit, SP_REC_SWEPT), 0);
    assert_int_equal(kit_count(kit, SP_REC_SEEN), 0);
    kit_free(kit);
}

static void nothing_counts_before_arm(void **state)
{
    (void)state;
    struct kit *kit = kit_new();
    hear_batch(kit, 0);
    hear_sweep(kit, BLOCK, 1, RECV, "tcp_syn", KIT_PEER, KIT_ME);
    struct sp_spec in = to_me(kit, 0, 80);
    kit_in(kit, &in);
    kit_host(kit, &in, 2);
    kit_arm(kit);
    kit_collect(kit);
    assert_int_equal(kit_count(kit, SP_REC_SWEPT), 0);
    kit_free(kit);
}

/* One flipped bit, or the keys of another batch: untagged, never an arrival. */
static void forged_tags(void **state)
{
    (void)state;
    for (uint32_t bit = 0; bit < 65; bit += 4) {
        struct kit *kit = armed(0, 0);
        struct sp_spec in = to_me(kit, 0, 80);
        in.seq ^= bit < 32 ? 1U << bit : 0;
        in.tsval ^= bit >= 32 && bit < 64 ? 1U << (bit - 32) : 0;
        if (bit == 64) {
            kit->key[20] ^= 1;
            in = to_me(kit, 0, 80);
        }
        kit_in(kit, &in);
        kit_host(kit, &in, 2);
        struct sp_spec beat = kit_probe_spec(kit, "tcp_syn", KIT_PEER, KIT_ME, GUARD, 7, HEAR_BEAT);
        beat.tsval ^= 1U << bit % 32;
        beat.dport = 443;
        kit_in(kit, &beat);
        kit_run(kit, 10000);
        kit_collect(kit);
        assert_int_equal(kit_count(kit, SP_REC_SWEPT), 0);
        assert_int_equal(kit_count(kit, SP_REC_HEARD), 0);
        assert_int_equal(kit_count_seen(kit, SP_SEEN_STRAY), 0);
        assert_int_equal(kit_count_seen(kit, SP_SEEN_UNTAGGED), 2);
        kit_free(kit);
    }
}

/* Another source, address of this host, port or source port than declared: arrived, and so marked.
 */
static void rewritten_is_noticed(void **state)
{
    (void)state;
    for (int shape = 0; shape < 6; shape++) {
        for (int translated = 0; translated < 2; translated++) {
            struct kit *kit = armed(translated ? SP_BLOCK_TRANSLATED : 0, 65536);
            struct sp_spec in = to_me(kit, 1, 80);
            in.src = shape == 1 ? kit_addr("10.0.0.9") : in.src;
            in.dst = shape == 2 ? kit_addr("10.1.0.1") : in.dst;
            in.dport = shape == 3 ? 8080 : in.dport;
            in.sport = shape == 4 ? HEAR_SPORT : in.sport; /* of pass 0 */
            in.sport = shape == 5 ? HEAR_ALT + 1 : in.sport;
            kit_in(kit, &in);
            kit_collect(kit);
            bool rewritten = shape > 0 && (shape < 4 || !translated);
            assert_true(hear_has(kit, BLOCK + 1, SP_SWEPT_NIC, 0, 80));
            assert_int_equal(hear_told(kit, BLOCK, SP_SWEPT_REWRITTEN, 0), rewritten);
            assert_int_equal(hear_has(kit, BLOCK, SP_SWEPT_REWRITTEN, 0, 80), rewritten);
            const struct sp_rec_seen *seen = kit_seen(kit, SP_SEEN_NIC, BLOCK + 1, 80);
            assert_non_null(seen);
            assert_true(sp_addr_eq(&seen->src, &in.src) && sp_addr_eq(&seen->dst, &in.dst));
            assert_int_equal(seen->sport, in.sport);
            assert_int_equal(seen->dport, in.dport);
            kit_free(kit);
        }
    }
}

/* The alternative source port is right where it is declared, and only there. */
static void the_other_source_port(void **state)
{
    (void)state;
    struct kit *kit = armed(0, 0);
    static const uint16_t ports[] = {39999, 40000, 49999, 50000};
    for (size_t i = 0; i < 4; i++) {
        struct sp_spec in = to_me(kit, 0, ports[i]);
        in.sport = i % 2 == 0 ? HEAR_ALT : HEAR_SPORT;
        kit_in(kit, &in);
    }
    kit_collect(kit);
    assert_int_equal(hear_told(kit, BLOCK, SP_SWEPT_REWRITTEN, 0), 2);
    assert_true(hear_has(kit, BLOCK, SP_SWEPT_REWRITTEN, 0, 39999));
    assert_true(hear_has(kit, BLOCK, SP_SWEPT_REWRITTEN, 0, 40000));
    kit_free(kit);
}

/* The right tag in another technique or family, or where this probe only sends. */
static void strays(void **state)
{
    (void)state;
    struct kit *kit = kit_new();
    hear_batch(kit, 65536);
    hear_sweep(kit, BLOCK, 3, RECV, "tcp_syn", KIT_PEER, KIT_ME);
    hear_sweep(kit, 5000, 2, SEND, "udp", KIT_ME, KIT_PEER);
    kit_arm(kit);
    kit_fire(kit);
    struct sp_spec in = hear_spec(kit, "udp", KIT_PEER, KIT_ME, BLOCK, 0, 53);
    kit_in(kit, &in);
    kit_host(kit, &in, 2);
    in = hear_spec(kit, "tcp_syn", KIT_PEER6, KIT_ME6, BLOCK, 1, 54);
    kit_in(kit, &in);
    in = hear_spec(kit, "udp", "10.0.0.9", KIT_ME, 5000, 0, 55); /* of our own, by a hairpin */
    kit_in(kit, &in);
    kit_collect(kit);
    assert_int_equal(hear_told(kit, BLOCK, SP_SWEPT_STRAY, 0), 2);
    assert_true(hear_has(kit, BLOCK, SP_SWEPT_STRAY, 0, 53));
    assert_true(hear_has(kit, BLOCK, SP_SWEPT_STRAY, 0, 54));
    assert_true(hear_has(kit, 5000, SP_SWEPT_STRAY, 0, 55));
    assert_int_equal(hear_told(kit, BLOCK, SP_SWEPT_NIC, 0), 0);
    assert_int_equal(kit_count_seen(kit, SP_SEEN_STRAY), 3);
    assert_non_null(kit_seen(kit, SP_SEEN_STRAY, BLOCK + 1, 54));
    kit_free(kit);
}

/* Our own packet, sent back by an echo service: an answer at most. */
static void reflected_is_no_arrival(void **state)
{
    (void)state;
    struct kit *kit = kit_new();
    hear_batch(kit, 0);
    hear_sweep(kit, 5000, 2, SEND | RECV, "tcp_syn", KIT_ME, KIT_PEER);
    hear_guard(kit, GUARD, SEND, "tcp_syn", KIT_ME, KIT_PEER);
    kit_arm(kit);
    kit_fire(kit);
    struct sp_spec back = hear_spec(kit, "tcp_syn", KIT_PEER, KIT_ME, 5000, 0, 80);
    kit_in(kit, &back);
    kit_host(kit, &back, 2);
    back = kit_probe_spec(kit, "tcp_syn", KIT_PEER, KIT_ME, GUARD, 1, HEAR_BEAT);
    kit_in(kit, &back);
    kit_collect(kit);
    assert_int_equal(kit_count(kit, SP_REC_SWEPT), 0);
    assert_int_equal(kit_count(kit, SP_REC_SEEN), 0);
    kit_free(kit);
}

/* A probe that was never told of the sweep: memory is bounded, every port is told. */
static void strays_at_a_bystander(void **state)
{
    (void)state;
    struct kit *kit = kit_new();
    hear_batch(kit, 0);
    kit_arm(kit);
    kit_fire(kit);
    for (uint32_t port = 1; port <= 3000; port++) {
        struct sp_spec in = hear_spec(kit, "tcp_syn", KIT_PEER, KIT_ME, 777, 0, (uint16_t)port);
        kit_in(kit, &in);
    }
    kit_collect(kit);
    assert_int_equal(kit_count_seen(kit, SP_SEEN_STRAY), SP_STRAY_ROWS);
    assert_int_equal(hear_told(kit, 777, SP_SWEPT_STRAY, 0), 3000 - SP_STRAY_ROWS);
    for (uint32_t port = 1; port <= 3000; port++) {
        assert_true(kit_seen(kit, SP_SEEN_STRAY, 777, (uint16_t)port) ||
                    hear_has(kit, 777, SP_SWEPT_STRAY, 0, (uint16_t)port));
    }
    assert_false(is_overflow(kit));
    kit_free(kit);
}

/* More blocks than it can remember: admitted, so that absence proves nothing. */
static void too_many_strays(void **state)
{
    (void)state;
    for (int extra = 0; extra < 2; extra++) {
        struct kit *kit = kit_new();
        hear_batch(kit, 0);
        kit_arm(kit);
        kit_fire(kit);
        uint32_t rows = 0;
        for (uint32_t i = 0; i < SP_STRAY_ROWS_ALL + 20; i++) {
            uint16_t block = (uint16_t)(100 + i / SP_STRAY_ROWS);
            struct sp_spec in = hear_spec(kit, "udp", KIT_PEER, KIT_ME, block, 0,
                                          (uint16_t)(1 + i % SP_STRAY_ROWS));
            kit_in(kit, &in);
            rows++;
        }
        for (uint32_t i = 0; i < SP_STRAY_BLOCKS - 20U + 10U * (uint32_t)extra; i++) {
            struct sp_spec in = hear_spec(kit, "udp", KIT_PEER, KIT_ME, (uint16_t)(1000 + i), 0, 9);
            kit_in(kit, &in);
        }
        kit_collect(kit);
        assert_int_equal(rows, SP_STRAY_ROWS_ALL + 20);
        assert_int_equal(is_overflow(kit), extra);
        kit_free(kit);
    }
}

/* ---- evidence ---- */

static size_t wanted(struct kit *kit, uint16_t block, uint16_t port)
{
    struct sp_record r = {.type = SP_REC_WANT};
    r.u.want = (struct sp_rec_want){.batch = kit->batch, .block = block, .port = port};
    kit_order(kit, &r);
    size_t n = kit_count(kit, SP_REC_WANTED);
    return kit_told(kit, SP_REC_WANTED, n - 1)->u.wanted.packets;
}

static void the_first_of_an_unexpected_interval(void **state)
{
    (void)state;
    struct kit *kit = kit_new();
    hear_batch(kit, 1U << 20);
    hear_sweep(kit, BLOCK, 3, RECV, "tcp_syn", KIT_PEER, KIT_ME);
    hear_mask(kit, BLOCK, SP_MASK_EXPECTED, 443, 445);
    kit_arm(kit);
    kit_fire(kit);
    static const uint16_t ports[] = {443, 80, 81, 79, 82, 100, 445, 446, 65535, 0};
    for (size_t i = 0; i < SP_ARRAY_LEN(ports); i++) {
        struct sp_spec in = to_me(kit, 0, ports[i]);
        kit_in(kit, &in);
    }
    struct sp_spec again = to_me(kit, 1, 81); /* of another pass: an interval of its own */
    kit_in(kit, &again);
    kit_in(kit, &again);
    kit_collect(kit);
    static const uint16_t news[] = {80, 100, 65535, 0};
    assert_int_equal(kit_count_seen(kit, SP_SEEN_NIC), 5);
    for (size_t i = 0; i < SP_ARRAY_LEN(news); i++) {
        const struct sp_rec_seen *seen = kit_seen(kit, SP_SEEN_NIC, BLOCK, news[i]);
        assert_non_null(seen);
        assert_int_equal(seen->ttl, 64);
        assert_int_equal(seen->iface, 2);
        assert_int_equal(wanted(kit, BLOCK, news[i]), 1);
    }
    assert_int_equal(wanted(kit, BLOCK + 1, 81), 1);
    assert_int_equal(wanted(kit, BLOCK, 81), 0);
    assert_int_equal(wanted(kit, BLOCK, 443), 1); /* what is to pass is kept, and not told of */
    kit_free(kit);
}

static void evidence_is_bounded(void **state)
{
    (void)state;
    struct kit *kit = armed(0, 4U << 20);
    for (uint32_t port = 1; port < 20000; port += 2) {
        struct sp_spec in = to_me(kit, 0, (uint16_t)port);
        kit_in(kit, &in);
        in = hear_spec(kit, "tcp_syn", "10.0.0.9", KIT_ME, BLOCK, 1, (uint16_t)port);
        kit_in(kit, &in);
        in = hear_spec(kit, "udp", KIT_PEER, KIT_ME, BLOCK, 0, (uint16_t)port);
        kit_in(kit, &in);
    }
    kit_collect(kit);
    assert_int_equal(kit_count_seen(kit, SP_SEEN_NIC), SP_SAMPLES_NEWS + SP_SAMPLES_OTHER);
    assert_int_equal(kit_count_seen(kit, SP_SEEN_STRAY), SP_SAMPLES_OTHER);
    assert_int_equal(hear_told(kit, BLOCK, SP_SWEPT_NIC, 0), 10000);
    assert_int_equal(hear_told(kit, BLOCK, SP_SWEPT_REWRITTEN, 0), 10000);
    assert_int_equal(hear_told(kit, BLOCK, SP_SWEPT_STRAY, 0), 10000);
    kit_free(kit);
}

/* ---- foreign traffic ---- */

static void foreign_traffic_beside_a_sweep(void **state)
{
    (void)state;
    struct kit *kit = armed(0, 0);
    struct sp_spec udp = {.src = kit_addr("10.5.5.5"),
                          .dst = kit_addr(KIT_ME),
                          .ip_proto = SP_IPPROTO_UDP,
                          .sport = 1,
                          .dport = 514,
                          .payload_len = 100};
    struct kit_bytes foreign;
    kit_build(&udp, &foreign);
    for (uint32_t i = 0; i < 60000; i++) {
        kit_bytes_in(kit, foreign.at, foreign.len);
        if (i % 20 == 0) {
            struct sp_spec in = to_me(kit, 0, (uint16_t)(i / 20 + 1));
            kit_in(kit, &in);
        }
    }
    kit_collect(kit);
    assert_int_equal(kit_seen(kit, SP_SEEN_UNTAGGED, 0, 514)->count, 60000);
    assert_int_equal(kit_count_seen(kit, SP_SEEN_UNTAGGED), 1);
    assert_int_equal(hear_told(kit, BLOCK, SP_SWEPT_NIC, 0), 3000);
    assert_false(is_overflow(kit));
    kit_free(kit);
}

/* Whichever allocation fails: what came is told, or that absence proves nothing. */
static void without_memory(void **state)
{
    (void)state;
    size_t broken = 0;
    for (size_t n = 1; n < 24; n++) {
        struct kit *kit = kit_new();
        hear_batch(kit, 0);
        hear_sweep(kit, BLOCK, 3, RECV | SP_BLOCK_REPLY, "tcp_syn", KIT_PEER, KIT_ME);
        hear_mask(kit, BLOCK, SP_MASK_EXPECTED, 80, 80);
        hear_sweep(kit, 5000, 2, SEND, "tcp_syn", KIT_ME, KIT_PEER);
        hear_mask(kit, 5000, SP_MASK_SEND, 1, 100);
        hear_guard(kit, GUARD, RECV, "tcp_syn", KIT_PEER, KIT_ME);
        kit_arm(kit);
        kit_fire(kit);
        struct sp_spec came = to_me(kit, 1, 80);
        came.dst = kit_addr("10.1.0.1");
        struct sp_spec beat = kit_probe_spec(kit, "tcp_syn", KIT_PEER, KIT_ME, GUARD, 7, HEAR_BEAT);
        struct sp_spec stray = hear_spec(kit, "udp", KIT_PEER, KIT_ME, BLOCK, 0, 53);
        struct sp_spec unknown = hear_spec(kit, "udp", KIT_PEER, KIT_ME, 777, 0, 9);
        struct sp_spec out = hear_spec(kit, "tcp_syn", KIT_ME, KIT_PEER, 5000, 0, 81);
        struct sp_spec answer = {.src = out.dst,
                                 .dst = out.src,
                                 .ip_proto = SP_IPPROTO_TCP,
                                 .sport = out.dport,
                                 .dport = out.sport,
                                 .ack = out.seq + 1,
                                 .tcp_flags = SP_TCP_RST | SP_TCP_ACK};
        (void)sp_mem_fail_at(n, 0);
        kit_in(kit, &came);
        kit_host(kit, &came, 2);
        kit_in(kit, &beat);
        kit_in(kit, &stray);
        kit_in(kit, &unknown);
        kit_in(kit, &answer);
        kit_run(kit, 100000);
        (void)sp_mem_fail_at(0, 0);
        kit_collect(kit);
        bool all = hear_has(kit, BLOCK + 1, SP_SWEPT_NIC, 0, 80) &&
                   hear_has(kit, BLOCK + 1, SP_SWEPT_HOST, 0, 80) &&
                   hear_has(kit, BLOCK, SP_SWEPT_REWRITTEN, 0, 80) &&
                   hear_has(kit, BLOCK, SP_SWEPT_STRAY, 0, 53) &&
                   hear_has(kit, 5000, SP_SWEPT_ANSWER, 0, 81) &&
                   hear_beat(kit, GUARD, SP_HEARD_NIC, 7) && kit_seen(kit, SP_SEEN_STRAY, 777, 9) &&
                   kit->nsent == 1;
        assert_true(all || is_overflow(kit));
        broken += !all;
        kit_free(kit);
    }
    assert_in_range(broken, 6, 20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(arrivals_are_bits),
        cmocka_unit_test(a_whole_pass),
        cmocka_unit_test(leaving_transit_and_others_never_count),
        cmocka_unit_test(nothing_counts_before_arm),
        cmocka_unit_test(forged_tags),
        cmocka_unit_test(rewritten_is_noticed),
        cmocka_unit_test(the_other_source_port),
        cmocka_unit_test(strays),
        cmocka_unit_test(reflected_is_no_arrival),
        cmocka_unit_test(strays_at_a_bystander),
        cmocka_unit_test(too_many_strays),
        cmocka_unit_test(the_first_of_an_unexpected_interval),
        cmocka_unit_test(evidence_is_bounded),
        cmocka_unit_test(foreign_traffic_beside_a_sweep),
        cmocka_unit_test(without_memory),
    };
    return cmocka_run_group_tests_name("sweep_hear", tests, NULL, NULL);
}
