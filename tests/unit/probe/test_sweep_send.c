/* SPDX-License-Identifier: Apache-2.0
 *
 * The sender of sweeps, by a clock that is moved by hand: which packets go, how fast, what is
 * counted, and when the guards beat. */
#include <errno.h>
#include <string.h>

#include "probe/base/volley.h"
#include "tests/support/sp_cmocka.h"
#include "tests/unit/probe/sweep_kit.h"

static void every_port_once(void **state)
{
    (void)state;
    struct kit *kit = sk_setup(100000, 100000);
    sk_sweep(kit, SWEEP, 1, 600);
    sk_sweep_on(kit, 200, "udp", SP_BLOCK_SENDER, KIT_ME6, KIT_PEER6); /* nothing is asked of it */
    sk_sweep(kit, 300, 39990, 40010);
    sk_mask(kit, 300, SP_MASK_RAW, 40000, 40001);
    sk_arm_and_fire(kit);
    assert_int_equal(kit_count(kit, SP_REC_REFUSED), 0);
    for (uint16_t pass = 0; pass < 3; pass++) {
        sk_volley(kit, 0, 300, pass, 0);
        sk_volley(kit, 300, 321, pass, 0);
    }
    kit_run(kit, 1000000);
    assert_int_equal(kit_count(kit, SP_REC_VOLLEYED), 6);
    sk_check_counts(kit, 300, 0, 0, 0);
    assert_true(sk_told(kit, 0)->first_beat > sk_told(kit, 0)->last_beat); /* no guards, no beats */
    assert_int_equal(kit->burst_total, 3 * 621);
    assert_int_equal(kit->nsent, 0);
    for (uint16_t pass = 0; pass < 3; pass++) {
        for (uint16_t port = 0; port < 700; port++) {
            assert_int_equal(sk_times(kit, SWEEP, pass, port), port >= 1 && port <= 600);
        }
        for (uint16_t port = 39980; port < 40020; port++) {
            assert_int_equal(sk_times(kit, 300, pass, port), port >= 39990 && port <= 40010);
        }
    }
    for (size_t i = 0; i < kit->nburst; i++) {
        const struct sp_pkt *pkt = &kit->burst[i].pkt;
        uint16_t pass = (uint16_t)(pkt->sport % 100);
        assert_true(pass < 3);
        assert_int_equal(pkt->sport - pass, pkt->dport >= 40000 ? 40200 : 40100);
        assert_int_equal(kit->burst[i].is_link, pkt->dport != 40000 && pkt->dport != 40001);
    }
    kit_free(kit);
}

/* The order is that of probe/base/volley.h over all sweeps. */
static void in_the_order(void **state)
{
    (void)state;
    struct kit *kit = sk_setup(100000, 100000);
    struct sp_volley_order order;
    sk_sweep(kit, SWEEP, 1000, 1099);
    sk_sweep(kit, 200, 5000, 5099);
    sk_arm_and_fire(kit);
    sk_volley(kit, 50, 120, 2, 0);
    kit_run(kit, 100000);
    sp_volley_order_init(&order, 5, 200, 2, 50, 120);
    assert_int_equal(kit->nburst, 120);
    for (uint32_t k = 0; k < 120; k++) {
        uint32_t number = sp_volley_order_at(&order, k);
        uint32_t port = number < 100 ? 1000 + number : 5000 + number - 100;
        assert_int_equal(kit->burst[k].pkt.dport, port);
    }
    kit_free(kit);
}

static void beats_begin_and_end(void **state)
{
    (void)state;
    struct kit *kit = sk_setup(100000, 100000);
    sk_sweep(kit, SWEEP, 1, 100);
    sk_guard(kit, GUARD);
    sk_guard_on(kit, 901, "udp", SP_BLOCK_SENDER | SP_BLOCK_STEADY, KIT_PEER, 0);
    sk_guard_on(kit, 902, "icmp_echo", SP_BLOCK_SENDER | SP_BLOCK_SELF, "10.9.0.1", 0);
    sk_guard_on(kit, 903, "udp", SP_BLOCK_RECEIVER, KIT_PEER, 0);
    sk_arm_and_fire(kit);
    assert_int_equal(sk_reason(kit, 903), SP_REFUSED_NOT_OWN);
    sk_volley(kit, 0, 100, 0, 0);
    sk_volley(kit, 0, 100, 1, 0);
    kit_run(kit, 1000000);
    assert_int_equal(kit->nburst, 200);
    assert_int_equal(kit->nsent, 2 * 6 * 3);
    assert_int_equal(sk_told(kit, 0)->first_beat, 0);
    assert_int_equal(sk_told(kit, 0)->last_beat, 5);
    assert_int_equal(sk_told(kit, 1)->first_beat, 6);
    assert_int_equal(sk_told(kit, 1)->last_beat, 11);
    /* Three before the first packet, three after the last. */
    assert_int_equal(kit->burst[0].sent_before, 9);
    assert_int_equal(kit->burst[99].sent_before, 9);
    assert_int_equal(kit->burst[100].sent_before, 27);
    struct sp_tag_keys keys;
    sp_tag_keys_init(&keys, kit->key);
    for (uint16_t i = 0; i < 36; i++) {
        const struct sp_spec *spec = &kit->sent[i].spec;
        uint16_t beat = i / 3;
        uint16_t block = 0;
        uint16_t port = 0;
        enum sp_tag_kind kind;
        if (i % 3 == 0) {
            assert_true(sp_tag_check(&keys, spec->seq, spec->tsval, &block, &port));
            assert_int_equal(spec->dport, 443);
            assert_int_equal(spec->sport, 40300 + beat % 10);
            assert_true(kit->sent[i].is_link);
        } else {
            assert_true(sp_tag_read(&keys, spec->payload, spec->payload_len, &kind, &block, &port));
            assert_false(kit->sent[i].is_link);
        }
        if (i % 3 == 1) {
            assert_int_equal(spec->dport, 443);
            assert_int_equal(spec->sport, 40300);
        }
        if (i % 3 == 2) {
            struct sp_addr hop = kit_addr("10.0.0.254");
            assert_true(sp_addr_eq(&spec->dst, &hop));
        }
        assert_int_equal(block, GUARD + i % 3);
        assert_int_equal(port, beat);
    }
    kit_free(kit);
}

/* Within a volley: by packets, by time, and never without end. */
static void beats_between(void **state)
{
    (void)state;
    static const struct {
        uint32_t pps, count, lo, hi;
    } rows[] = {
        {10000, 4000, 6 + 4000 / 266, 6 + 4000 / 256}, /* by packets */
        {10000000, 6000, 6 + 2, 6 + 3},                /* SOON has not passed: by MOST */
        {100, 200, 6 + 7, 6 + 8},                      /* by time */
        {1, 10, 6 + 9, 6 + 10},                        /* never two without a packet */
    };
    for (size_t i = 0; i < SP_ARRAY_LEN(rows); i++) {
        struct kit *kit = sk_setup(10000000, 100000);
        sk_sweep(kit, SWEEP, 1, (uint16_t)rows[i].count);
        sk_guard(kit, GUARD);
        sk_arm_and_fire(kit);
        sk_volley(kit, 0, rows[i].count, 0, rows[i].pps);
        kit_run(kit, 100000000);
        sk_check_counts(kit, rows[i].count, 0, 0, 0);
        uint32_t beats = sk_told(kit, 0)->last_beat + 1;
        assert_int_equal(kit->nsent, beats);
        assert_in_range(beats, rows[i].lo, rows[i].hi);
        kit_free(kit);
    }
}

static void beats_of_their_own(void **state)
{
    (void)state;
    struct kit *kit = sk_setup(1000, 100000);
    sk_guard_on(kit, GUARD, "icmp_echo", SP_BLOCK_SENDER | SP_BLOCK_SELF, "10.9.0.1", 100000);
    sk_guard_on(kit, 901, "udp", SP_BLOCK_SENDER, KIT_PEER, 250000);
    kit_arm(kit);
    kit_run(kit, 1000000);
    assert_int_equal(kit->nsent, 0);
    kit_fire(kit);
    kit_run(kit, 1000000);
    assert_in_range(kit->nsent, 10 + 4, 11 + 5);
    size_t before = kit->nsent;
    kit_now_us += 5000000; /* a stall is not made up for */
    kit_run(kit, 90000);
    assert_int_equal(kit->nsent, before + 2);
    kit_collect(kit);
    before = kit->nsent;
    kit_run(kit, 1000000);
    assert_int_equal(kit->nsent, before);
    kit_free(kit);
}

static void numbers_of_beats_end(void **state)
{
    (void)state;
    struct kit *kit = sk_setup(1000000, 10000000);
    sk_sweep(kit, SWEEP, 1, 1);
    sk_guard(kit, GUARD);
    sk_arm_and_fire(kit);
    bool ended = false;
    for (unsigned i = 0; i < 11000 && !ended; i++) {
        kit_forget(kit);
        sk_volley(kit, 0, 1, 0, 0);
        kit_run(kit, 1000);
        ended = sk_told(kit, 0)->err == EOVERFLOW;
        assert_true(sk_told(kit, 0)->last_beat < SP_SWEEP_BEATS_MAX || ended);
    }
    assert_true(ended);
    kit_forget(kit);
    sk_volley(kit, 0, 1, 0, 0);
    kit_run(kit, 1000);
    sk_check_counts(kit, 0, 0, 1, EOVERFLOW);
    assert_int_equal(kit->nsent, 0);
    kit_free(kit);
}

static void pace(void **state)
{
    (void)state;
    static const struct {
        uint32_t pps, max, count;
        uint64_t us;
    } rows[] = {{100, 1000000, 500, 5000000},   {10000, 1000000, 5000, 500000},
                {200000, 1000000, 6000, 30000}, {1, 1000000, 10, 10000000},
                {0, 1000, 1000, 1000000}, /* 0: as the batch permits */
                {5000, 1000, 1000, 1000000}};
    for (size_t i = 0; i < SP_ARRAY_LEN(rows); i++) {
        struct kit *kit = sk_setup(rows[i].max, 100000);
        sk_sweep(kit, SWEEP, 1, (uint16_t)rows[i].count);
        sk_arm_and_fire(kit);
        kit_run(kit, 1000000);
        sk_volley(kit, 0, rows[i].count, 0, rows[i].pps);
        kit_run(kit, 20000000);
        const struct sp_rec_volleyed *v = sk_told(kit, 0);
        assert_int_equal(v->sent, rows[i].count);
        uint64_t us = v->end_us - v->start_us;
        assert_in_range(us, rows[i].us - rows[i].us / rows[i].count - 200, rows[i].us + 200);
        uint32_t pps = rows[i].pps && rows[i].pps < rows[i].max ? rows[i].pps : rows[i].max;
        assert_true(v->longest_burst <= 1 + pps / 5000);
        kit_free(kit);
    }
}

/* A probe that was stopped for a while goes on at its pace. */
static void no_burst_after_a_stall(void **state)
{
    (void)state;
    struct kit *kit = sk_setup(1000000, 100000);
    sk_sweep(kit, SWEEP, 1, 10000);
    sk_arm_and_fire(kit);
    sk_volley(kit, 0, 10000, 0, 20000);
    kit_run(kit, 100000);
    assert_in_range(kit->burst_total, 1998, 2001);
    kit_now_us += 200000;
    size_t before = kit->burst_total;
    kit_run(kit, 100000);
    assert_in_range(kit->burst_total - before, 1998, 2001);
    kit_run(kit, 1000000);
    assert_true(sk_told(kit, 0)->longest_burst <= 4);
    kit_free(kit);
}

/* Whatever the queue takes at a time: nothing is lost, nothing goes twice. */
static void a_full_queue(void **state)
{
    (void)state;
    static const int errors[] = {EAGAIN, ENOBUFS};
    struct kit *kit = sk_setup(1000000, 100000);
    sk_sweep(kit, SWEEP, 1, 500);
    sk_mask(kit, SWEEP, SP_MASK_RAW, 100, 300);
    sk_guard(kit, GUARD);
    sk_arm_and_fire(kit);
    sk_volley(kit, 0, 500, 0, 0);
    kit->is_burst_bound = true;
    for (unsigned i = 0; kit_count(kit, SP_REC_VOLLEYED) == 0; i++) {
        assert_true(i < 100000);
        kit->burst_room = i % 7;
        kit->burst_errno = errors[i % 2];
        kit_run(kit, 300);
    }
    sk_check_counts(kit, 500, 0, 0, 0);
    assert_int_equal(kit->burst_total, 500);
    for (uint16_t port = 1; port <= 500; port++) {
        assert_int_equal(sk_times(kit, SWEEP, 0, port), 1);
    }
    assert_in_range(sk_told(kit, 0)->last_beat, 5, 6);
    assert_int_equal(kit->burst[499].sent_before, kit->nsent - 3); /* behind the last packet */

    /* One that never empties ends the volley. */
    kit_forget(kit);
    sk_volley(kit, 0, 500, 1, 0);
    kit->burst_room = 100;
    kit_run(kit, 5000000);
    sk_check_counts(kit, 100, 0, 400, ENOBUFS);
    kit_free(kit);
}

static void what_the_kernel_refuses(void **state)
{
    (void)state;
    struct kit *kit = sk_setup(1000000, 100000);
    sk_sweep(kit, SWEEP, 1, 200);
    sk_arm_and_fire(kit);
    kit->refuse_port = 77;
    kit->refuse_errno = EPERM;
    sk_volley(kit, 0, 200, 0, 0);
    kit_run(kit, 100000);
    sk_check_counts(kit, 199, 1, 0, 0);
    assert_int_equal(kit->burst_total, 199);
    assert_int_equal(sk_times(kit, SWEEP, 0, 77), 0);
    kit->refuse_errno = ENETUNREACH;
    kit_forget(kit);
    sk_volley(kit, 0, 200, 1, 0);
    kit_run(kit, 100000);
    sk_check_counts(kit, 199, 0, 1, ENETUNREACH);
    kit_free(kit);
}

static void drops_of_the_interface(void **state)
{
    (void)state;
    struct kit *kit = sk_setup(1000, 100000);
    sk_sweep(kit, SWEEP, 1, 200);
    sk_sweep(kit, 200, 1, 200); /* the same interface: counted once */
    sk_arm_and_fire(kit);
    kit->tx_dropped = 40;
    sk_volley(kit, 0, 200, 0, 0);
    kit->tx_dropped = 45;
    kit_run(kit, 1000000);
    assert_int_equal(sk_told(kit, 0)->tx_drops, 5);
    kit_forget(kit);
    sk_volley(kit, 0, 200, 0, 0);
    kit->tx_dropped = UINT64_MAX;
    kit_run(kit, 1000000);
    assert_int_equal(sk_told(kit, 0)->tx_drops, UINT32_MAX); /* unknown is never none */
    kit_free(kit);
}

static void budget(void **state)
{
    (void)state;
    struct kit *kit = sk_setup(100000, 150);
    sk_sweep(kit, SWEEP, 1, 200);
    sk_guard(kit, GUARD);
    sk_arm_and_fire(kit);
    sk_volley(kit, 0, 200, 0, 0);
    sk_volley(kit, 0, 100, 0, 0);
    kit_run(kit, 1000000);
    sk_check_counts(kit, 147, 0, 53, EDQUOT); /* three went as beats */
    assert_int_equal(kit->burst_total + kit->nsent, 150);
    assert_int_equal(sk_told(kit, 1)->failed, 100);
    assert_int_equal(sk_told(kit, 1)->err, EDQUOT);
    kit_collect(kit);
    assert_int_equal(kit_told(kit, SP_REC_COLLECTED, 0)->u.collected.sent, 150);
    kit_free(kit);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_port_once),
        cmocka_unit_test(in_the_order),
        cmocka_unit_test(beats_begin_and_end),
        cmocka_unit_test(beats_between),
        cmocka_unit_test(beats_of_their_own),
        cmocka_unit_test(numbers_of_beats_end),
        cmocka_unit_test(pace),
        cmocka_unit_test(no_burst_after_a_stall),
        cmocka_unit_test(a_full_queue),
        cmocka_unit_test(what_the_kernel_refuses),
        cmocka_unit_test(drops_of_the_interface),
        cmocka_unit_test(budget),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
