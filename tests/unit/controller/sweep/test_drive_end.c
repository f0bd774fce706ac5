/* SPDX-License-Identifier: Apache-2.0
 *
 * What a batch of sweeps orders when, and how it ends: with its work, its hosts, its lanes or the
 * numbers of its beats. */
#include "controller/sweep/drive.h"

#include <string.h>

#include "probe/base/volley.h"
#include "tests/support/sp_cmocka.h"
#include "tests/unit/controller/sweep/sweep_kit.h"

#define GAP_US 1000000U
#define PORTS  2000U

static void little_waits_at_the_sender(void **state)
{
    (void)state;
    struct sp_sk *sk = sp_sk_start(0);
    struct sp_bundle *bundle =
        sp_sk_bundle(sk, (struct sp_sk_wish){.ports = 60000, .ceiling = 100000});
    (void)sp_sweep_drive(&sk->sb, sk->now_us);
    assert_int_equal(bundle->waiting, 3);
    assert_true(bundle->volleys[0].count == SP_VOLLEY_PORTS);
    (void)sp_sweep_drive(&sk->sb, sk->now_us);
    assert_int_equal(bundle->nvolleys, 3);
    sp_sk_deliver(sk, bundle, 1);
    (void)sp_sweep_drive(&sk->sb, sk->now_us);
    assert_int_equal(bundle->waiting, 3);
    sp_sk_end(sk);
    /* A slow one gets short volleys: a quarter of a second, but a cell at least. */
    sk = sp_sk_start(0);
    bundle = sp_sk_bundle(sk, (struct sp_sk_wish){.ports = PORTS, .ceiling = 1024, .cell = 64});
    (void)sp_sk_bundle(sk, (struct sp_sk_wish){.ports = PORTS, .ceiling = 100, .cell = 64});
    (void)sp_sweep_drive(&sk->sb, sk->now_us);
    assert_int_equal(bundle->volleys[0].count, 256);
    assert_int_equal(sk->sb.bundles[1].volleys[0].count, 64);
    sp_sk_end(sk);
    /* Each two clean volleys double what a volley holds, up to the most. */
    static const uint32_t most[] = {4096, 4096, 8192, 8192, 16384, 16384, 16384};
    for (unsigned clean = 0; clean < 40; clean++) {
        sk = sp_sk_start(0);
        bundle = sp_sk_bundle(sk, (struct sp_sk_wish){.ports = 60000, .ceiling = 100000});
        bundle->rate.clean = clean;
        (void)sp_sweep_drive(&sk->sb, sk->now_us);
        assert_int_equal(bundle->volleys[0].count, clean < 7 ? most[clean] : SP_VOLLEY_MOST);
        sp_sk_end(sk);
    }
    /* After a rate that was too high little is risked at once; and the queue there has an end. */
    sk = sp_sk_start(0);
    bundle = sp_sk_bundle(sk, (struct sp_sk_wish){.ports = 60000, .ceiling = 100000, .cell = 16});
    bundle->rate.epoch = 1;
    bundle->achieved = 100000;
    (void)sp_sweep_drive(&sk->sb, sk->now_us);
    assert_int_equal(bundle->volleys[0].count, 16);
    assert_int_equal(bundle->waiting, SP_VOLLEYS_MAX / 2);
    sp_sk_end(sk);
}

static void nothing_is_ordered_while_it_is_paused(void **state)
{
    (void)state;
    volatile bool paused = false;
    struct sp_sk *sk = sp_sk_start(0);
    struct sp_bundle *bundle = sp_sk_bundle(sk, (struct sp_sk_wish){.ports = PORTS});
    sk->run.pause_flag = &paused;
    (void)sp_sweep_drive(&sk->sb, sk->now_us);
    size_t n = bundle->nvolleys;
    paused = true;
    while (bundle->waiting > 0) {
        sp_sk_deliver(sk, bundle, (uint32_t)n - bundle->waiting + 1);
    }
    assert_int_equal(sp_sweep_drive(&sk->sb, sk->now_us), 2000);
    assert_true(bundle->nvolleys == n && bundle->outstanding == 0);
    paused = false;
    assert_true(sp_sk_run(sk));
    sp_sk_end(sk);
}

/* A pass of a cell begins when the one before has ended, even where that was its last try. */
static void what_is_under_way_is_waited_for(void **state)
{
    (void)state;
    struct sp_sk *sk = sp_sk_start(0);
    struct sp_bundle *bundle = sp_sk_bundle(sk, (struct sp_sk_wish){.ports = 64, .cell = 64});
    bundle->cells[0].tries = SP_VOLLEY_TRIES - 1;
    (void)sp_sweep_drive(&sk->sb, sk->now_us);
    (void)sp_sweep_drive(&sk->sb, sk->now_us + 1000000);
    assert_int_equal(bundle->nvolleys, 1);
    sp_sk_lose(sk, SP_NONE, 0, 5);
    sp_sk_deliver(sk, bundle, 1);
    sk->now_us += 1000000;
    (void)sp_sweep_drive(&sk->sb, sk->now_us);
    assert_int_equal(bundle->nvolleys, 2);
    assert_int_equal(bundle->volleys[1].pass, 1);
    sp_sk_end(sk);
}

/* Cells are repeated first, by the volley, but no volley is of two passes. */
static void repeats_go_first_and_pass_by_pass(void **state)
{
    (void)state;
    static uint32_t again[] = {5, 6, 7, 8, 9, 2};
    static const uint32_t first[] = {5 * 64, 0, 2 * 64};
    static const uint32_t count[] = {3 * 64, 2 * 64, 64};
    struct sp_sk *sk = sp_sk_start(0);
    struct sp_bundle *bundle = sp_sk_bundle(sk, (struct sp_sk_wish){.ports = 512, .cell = 64});
    assert_int_equal(bundle->ncells, 8);
    bundle->again = again;
    bundle->nagain = bundle->cap_again = SP_ARRAY_LEN(again);
    (void)sp_sweep_drive(&sk->sb, sk->now_us);
    assert_int_equal(bundle->nvolleys, 3);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(bundle->volleys[i].pass, i == 1);
        assert_int_equal(bundle->volleys[i].first, first[i]);
        assert_int_equal(bundle->volleys[i].count, count[i]);
    }
    bundle->again = NULL;
    sp_sk_end(sk);
}

/* What is to be repeated is not forgotten where nothing may be sent just now. */
static void a_pause_is_no_end(void **state)
{
    (void)state;
    volatile bool paused = true;
    struct sp_sk *sk = sp_sk_start(0);
    struct sp_bundle *bundle =
        sp_sk_bundle(sk, (struct sp_sk_wish){.ports = 64, .cell = 64, .passes = 1});
    (void)sp_sweep_drive(&sk->sb, sk->now_us);
    sp_sk_lose(sk, SP_NONE, 2, 2);
    sp_sk_deliver(sk, bundle, 1);
    sk->run.pause_flag = &paused;
    sk->now_us += 1000000;
    assert_int_equal(sp_sweep_drive(&sk->sb, sk->now_us), 2000);
    assert_true(bundle->nagain == 1 && bundle->outstanding == 0);
    paused = false;
    assert_true(sp_sk_run(sk));
    assert_true(bundle->repeats == 1 && bundle->cells[0].step[0] > 0);
    sp_sk_end(sk);
}

static void a_frozen_sender_is_lost(void **state)
{
    (void)state;
    for (int slow = 0; slow < 2; slow++) {
        struct sp_sk *sk = sp_sk_start(0);
        struct sp_bundle *bundle = sp_sk_bundle(
            sk, (struct sp_sk_wish){.ports = PORTS, .ceiling = slow ? 16 : 6400, .cell = 64});
        (void)sp_sweep_drive(&sk->sb, sk->now_us);
        uint64_t patience =
            15000000 + 8000000ULL * bundle->volleys[1].count / bundle->volleys[1].pps;
        sp_sk_deliver(sk, bundle, 1);
        uint64_t told = sk->now_us;
        sk->now_us = told + patience;
        (void)sp_sweep_drive(&sk->sb, sk->now_us);
        assert_int_equal(sk->sessions[SP_SK_A].state, SP_PROBE_READY);
        sk->now_us++;
        (void)sp_sweep_drive(&sk->sb, sk->now_us);
        assert_int_equal(sk->sessions[SP_SK_A].state, SP_PROBE_LOST);
        assert_non_null(strstr(sk->sessions[SP_SK_A].reason, "sweeping"));
        assert_int_equal(sk->sessions[SP_SK_B].state, SP_PROBE_READY);
        sp_sk_end(sk);
    }
    /* Who has sent all that was ordered is not frozen, however long nothing is ordered. */
    struct sp_sk *sk = sp_sk_start(0);
    struct sp_bundle *bundle = sp_sk_bundle(sk, (struct sp_sk_wish){.gap_us = 100 * GAP_US});
    (void)sp_sweep_drive(&sk->sb, sk->now_us);
    while (bundle->waiting > 0) {
        sp_sk_deliver(sk, bundle, (uint32_t)bundle->nvolleys - bundle->waiting + 1);
    }
    (void)sp_sweep_drive(&sk->sb, sk->now_us);
    sk->now_us += 90000000;
    (void)sp_sweep_drive(&sk->sb, sk->now_us);
    assert_int_equal(sk->sessions[SP_SK_A].state, SP_PROBE_READY);
    sp_sk_end(sk);
    /* Nor who is far away, and whose beats are waited for. */
    sk = sp_sk_start(0);
    bundle = sp_sk_bundle(sk, (struct sp_sk_wish){.ports = 64, .cell = 64});
    sk->batch.max_rtt_us = 20000000;
    sp_sk_lose(sk, SP_NONE, 0, 5);
    (void)sp_sweep_drive(&sk->sb, sk->now_us);
    sp_sk_deliver(sk, bundle, 1);
    sk->now_us += 30000000;
    (void)sp_sweep_drive(&sk->sb, sk->now_us);
    assert_int_equal(bundle->outstanding, 1);
    assert_int_equal(sk->sessions[SP_SK_A].state, SP_PROBE_READY);
    sp_sk_end(sk);
}

static void it_ends_with_its_hosts(void **state)
{
    (void)state;
    static const uint8_t why[] = {SP_UNSOUND_SENDER_LOST, SP_UNSOUND_RECEIVER_LOST,
                                  SP_UNSOUND_INTERFACE, SP_UNSOUND_SENDER_LOST, SP_SOUND};
    for (int what = 0; what < 5; what++) {
        struct sp_sk *sk = sp_sk_start(0);
        struct sp_bundle *bundle = sp_sk_bundle(sk, (struct sp_sk_wish){.ports = PORTS});
        (void)sp_sweep_drive(&sk->sb, sk->now_us);
        sk->hosts[SP_SK_A].is_lost = what == 0 || what == 3;
        sk->hosts[SP_SK_B].is_lost = what == 1 || what == 2 || what == 3;
        sk->hosts[SP_SK_B].is_interface = what == 2;
        sk->hosts[SP_SK_C].is_lost = what == 4;
        uint64_t wait = sp_sweep_drive(&sk->sb, sk->now_us);
        assert_int_equal(bundle->is_over, what < 4);
        assert_true(wait == (what < 4 ? UINT64_MAX : 2000));
        assert_int_equal(bundle->unsound, why[what]);
        sp_sk_end(sk);
    }
}

static void it_ends_with_a_lane_that_cannot_be_sent(void **state)
{
    (void)state;
    struct sp_sk *sk = sp_sk_start(0);
    struct sp_bundle *bundle =
        sp_sk_bundle(sk, (struct sp_sk_wish){.ports = 512, .nlanes = 2, .passes = 2});
    /* One that cannot be received is asked once, for what others hear; the other goes on. */
    bundle->lanes[0].receiver_refused = SP_REFUSED_NOT_OWN;
    assert_true(sp_sk_run(sk));
    bool enough;
    assert_int_equal(sp_cell_attempts(bundle, &bundle->lanes[1], 0, &enough), 2);
    assert_int_equal(sp_cell_attempts(bundle, &bundle->lanes[0], 0, &enough), 0);
    sp_sk_end(sk);
    sk = sp_sk_start(0);
    bundle = sp_sk_bundle(sk, (struct sp_sk_wish){.ports = 512, .nlanes = 2});
    bundle->lanes[1].sender_refused = SP_REFUSED_LINK;
    assert_true(sp_sweep_drive(&sk->sb, sk->now_us) == UINT64_MAX);
    assert_int_equal(bundle->nvolleys, 0);
    sp_sk_end(sk);
    /* Without any control one pass is asked: what leaks is seen, and nothing else is proven. */
    sk = sp_sk_start(0);
    sk->run.scouts.n = 0;
    bundle = sp_sk_bundle(sk, (struct sp_sk_wish){.ports = 512, .passes = 3});
    assert_int_equal(bundle->lanes[0].control.nflows, 0);
    assert_true(sp_sk_run(sk));
    assert_int_equal(bundle->packets, 512);
    assert_int_equal(sp_cell_attempts(bundle, bundle->lanes, 0, &enough), 0);
    sp_sk_end(sk);
}

/* Beats have numbers of 16 bits: it ends before they begin anew, whatever else waits by then. */
static void it_ends_with_the_numbers_of_beats(void **state)
{
    (void)state;
    struct sp_sk *sk = sp_sk_start(0);
    struct sp_bundle *bundle =
        sp_sk_bundle(sk, (struct sp_sk_wish){.ports = PORTS, .ceiling = 500, .passes = 30});
    sk->beats[SP_SK_A] = 64000;
    assert_true(sp_sk_run(sk));
    assert_true(sk->beats[SP_SK_A] > 65000 && sk->beats[SP_SK_A] <= SP_SWEEP_BEATS_MAX);
    assert_true(bundle->is_over && bundle->nvolleys > 100);
    bool enough;
    assert_true(sp_cell_attempts(bundle, bundle->lanes, 0, &enough) > 2);
    assert_false(enough);
    sp_sk_end(sk);
}

static void a_hopeless_rate_ends_it(void **state)
{
    (void)state;
    struct sp_sk *sk = sp_sk_start(0);
    struct sp_bundle *bundle = sp_sk_bundle(sk, (struct sp_sk_wish){.ports = PORTS});
    (void)sp_sweep_drive(&sk->sb, sk->now_us);
    size_t n = bundle->nvolleys;
    bundle->rate.is_hopeless = true;
    assert_int_equal(sp_sweep_drive(&sk->sb, sk->now_us), 2000); /* some are under way */
    while (bundle->waiting > 0) {
        sp_sk_deliver(sk, bundle, (uint32_t)n - bundle->waiting + 1);
    }
    sk->sb.guards[0].nic = (struct sp_portset){0};
    sk->now_us += 1000000;
    bundle->rate.epoch++; /* nothing that is judged now gives hope */
    assert_true(sp_sweep_drive(&sk->sb, sk->now_us) == UINT64_MAX);
    assert_true(bundle->nvolleys == n && bundle->nagain == 0);
    sp_sk_end(sk);
}

static void progress_is_what_was_sent(void **state)
{
    (void)state;
    uint64_t done;
    uint64_t of;
    struct sp_sk *sk = sp_sk_start(0);
    struct sp_bundle *bundle =
        sp_sk_bundle(sk, (struct sp_sk_wish){.ports = PORTS, .cell = 64, .gap_us = GAP_US});
    sp_sweep_progress(&sk->sb, &done, &of);
    assert_true(done == 0 && of == 2ULL * PORTS);
    (void)sp_sweep_drive(&sk->sb, sk->now_us);
    sp_sweep_progress(&sk->sb, &done, &of);
    assert_true(done < 64); /* ordered is not sent; the last cell is short */
    uint32_t first = bundle->volleys[0].count;
    sp_sk_deliver(sk, bundle, 1);
    (void)sp_sweep_drive(&sk->sb, sk->now_us);
    sp_sweep_progress(&sk->sb, &done, &of);
    assert_true(done >= first && done < first + 64);
    assert_true(sp_sk_run(sk));
    sp_sweep_progress(&sk->sb, &done, &of);
    assert_true(done == 2ULL * PORTS && of == 2ULL * PORTS);
    sp_sk_end(sk);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(little_waits_at_the_sender),
        cmocka_unit_test(nothing_is_ordered_while_it_is_paused),
        cmocka_unit_test(what_is_under_way_is_waited_for),
        cmocka_unit_test(repeats_go_first_and_pass_by_pass),
        cmocka_unit_test(a_pause_is_no_end),
        cmocka_unit_test(a_frozen_sender_is_lost),
        cmocka_unit_test(it_ends_with_its_hosts),
        cmocka_unit_test(it_ends_with_a_lane_that_cannot_be_sent),
        cmocka_unit_test(it_ends_with_the_numbers_of_beats),
        cmocka_unit_test(a_hopeless_rate_ends_it),
        cmocka_unit_test(progress_is_what_was_sent),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
