/* SPDX-License-Identifier: Apache-2.0
 *
 * The lanes of a volley: which controls stand for which, when one is given up, and that nobody
 * waits for it any more. */
#include "controller/sweep/volleys.h"

#include "tests/support/sp_cmocka.h"
#include "tests/unit/controller/sweep/sweep_kit.h"

static void order(struct sp_sk *sk, struct sp_bundle *bundle, size_t first, uint32_t n)
{
    assert_true(sp_volley_send(&sk->sb, bundle, first, n));
}

static void judge(struct sp_sk *sk, struct sp_bundle *bundle)
{
    sp_volleys_judge(&sk->sb, bundle, sk->now_us);
}

/* Only silence at a low rate says that a control is dead and not merely outpaced. */
static void a_control_dies_at_low_rates_only(void **state)
{
    (void)state;
    static const struct {
        uint32_t ceiling, now;
        bool dies;
    } cases[] = {{16000, 16000, false}, {16000, 1001, false}, {16000, 1000, true},
                 {64000, 4001, false},  {64000, 4000, true},  {500, 500, true}};
    for (size_t i = 0; i < SP_ARRAY_LEN(cases); i++) {
        struct sp_sk *sk = sp_sk_start(0);
        struct sp_bundle *bundle = sp_sk_bundle(
            sk, (struct sp_sk_wish){.nlanes = 2, .ceiling = cases[i].ceiling, .cell = 16});
        struct sp_sweep_lane *lane = bundle->lanes;
        sp_sk_lose(sk, lane->guards[0], 0, UINT32_MAX);
        for (unsigned n = 1; n <= 5; n++) {
            bundle->rate.now = cases[i].now;
            sp_sk_go(sk, bundle, n, 1);
            assert_int_equal(lane->is_dead, cases[i].dies && n >= 4);
        }
        /* The steady flow came through all the time: its entry lasts, new ones find no room. */
        assert_int_equal(lane->is_state_full, cases[i].dies);
        assert_false(bundle->lanes[1].is_dead);
        /* A dead lane is not waited for, and asks nothing any more. */
        bundle->rate.now = cases[i].now;
        size_t again = bundle->nagain;
        order(sk, bundle, 6, 1);
        sp_sk_deliver(sk, bundle, 6);
        judge(sk, bundle);
        assert_int_equal(bundle->outstanding, !cases[i].dies);
        assert_int_equal(bundle->nagain, again);
        assert_int_equal(sp_sk_counts(bundle, 1, 6), cases[i].dies);
        sp_sk_end(sk);
    }
}

static void a_control_that_comes_back_is_not_dead(void **state)
{
    (void)state;
    struct sp_sk *sk = sp_sk_start(0);
    struct sp_bundle *bundle = sp_sk_bundle(sk, (struct sp_sk_wish){.ceiling = 500, .cell = 16});
    struct sp_sweep_lane *lane = bundle->lanes;
    sp_sk_lose(sk, SP_NONE, 0, UINT32_MAX);
    for (unsigned n = 0; n < 3; n++) {
        bundle->rate.now = 500;
        sp_sk_go(sk, bundle, n, 1);
    }
    sk->hole.from = sk->beats[SP_SK_A] + 1; /* a single beat */
    sp_sk_go(sk, bundle, 3, 1);
    assert_true(lane->dead_volleys == 0 && !lane->is_dead && !sp_sk_counts(bundle, 0, 3));
    sk->hole.from = 0;
    for (unsigned n = 4; n < 8; n++) {
        assert_false(lane->is_dead);
        bundle->rate.now = 500;
        sp_sk_go(sk, bundle, n, 1);
    }
    assert_true(lane->is_dead && !lane->is_state_full); /* the steady flow was dead as well */
    /* Where no beat left, nothing is known of the path. */
    sp_sk_end(sk);
    sk = sp_sk_start(0);
    bundle = sp_sk_bundle(sk, (struct sp_sk_wish){.ceiling = 500, .cell = 16});
    for (unsigned n = 0; n < 6; n++) {
        order(sk, bundle, n, 1);
        sp_sk_deliver(sk, bundle, n + 1);
        sk->sb.guards[0].left = sk->sb.guards[0].nic = (struct sp_portset){0};
        sk->now_us += 1000000;
        judge(sk, bundle);
        assert_false(sp_sk_counts(bundle, 0, n));
    }
    assert_false(bundle->lanes[0].is_dead);
    sp_sk_end(sk);
}

static void refused_lanes_are_left_alone(void **state)
{
    (void)state;
    for (int what = 0; what < 3; what++) {
        struct sp_sk *sk = sp_sk_start(0);
        struct sp_bundle *bundle = sp_sk_bundle(sk, (struct sp_sk_wish){.nlanes = 2});
        struct sp_sweep_lane *lane = bundle->lanes;
        lane->sender_refused = what == 0 ? SP_REFUSED_LINK : 0;
        lane->receiver_refused = what == 1 ? SP_REFUSED_CAPTURE : 0;
        lane->control.nflows = what == 2 ? 0 : 1;
        sp_sk_go(sk, bundle, 0, 1);
        assert_false(sp_sk_counts(bundle, 0, 0));
        assert_true(sp_sk_counts(bundle, 1, 0));
        assert_int_equal(bundle->nagain, 0);
        assert_int_equal(lane->beats, 0);
        sp_sk_end(sk);
    }
}

/* A third host's control beats by its own clock: those around the volley are meant. */
static void controls_of_third_hosts_stand_around_it(void **state)
{
    (void)state;
    /* The volley is at 1.000 .. 1.0064 s; the third host beats every 100 ms. */
    static const struct {
        uint32_t from, to;
        bool counts;
    } cases[] = {{0, 7, true},    {0, 8, false},   {9, 9, false},
                 {10, 10, false}, {12, 12, false}, {13, 99, true}};
    for (size_t i = 0; i < SP_ARRAY_LEN(cases); i++) {
        struct sp_sk *sk = sp_sk_start(0);
        struct sp_bundle *bundle =
            sp_sk_bundle(sk, (struct sp_sk_wish){.to = SP_SK_C, .first = SP_PROTO_UDP});
        sp_sk_lose(sk, bundle->lanes[0].guards[1], cases[i].from, cases[i].to);
        sk->now_us += 1000000;
        order(sk, bundle, 0, 1);
        sp_sk_deliver(sk, bundle, 1);
        sk->now_us += 150000 + 300000 - 1;
        judge(sk, bundle);
        assert_int_equal(bundle->outstanding, !cases[i].counts); /* its last come later */
        sk->now_us++;
        judge(sk, bundle);
        assert_int_equal(bundle->outstanding, 0);
        assert_int_equal(sp_sk_counts(bundle, 0, 0), cases[i].counts);
        sp_sk_end(sk);
    }
    /* And at the lowest rate some of them must have come, whatever the path loses. */
    struct sp_sk *sk = sp_sk_start(0);
    struct sp_bundle *bundle = sp_sk_bundle(
        sk, (struct sp_sk_wish){.to = SP_SK_C, .first = SP_PROTO_UDP, .own_loss = 0.4});
    sp_sk_lose(sk, bundle->lanes[0].guards[1], 0, UINT32_MAX);
    sp_sk_go(sk, bundle, 0, 1);
    assert_false(sp_sk_counts(bundle, 0, 0));
    sp_sk_end(sk);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_control_dies_at_low_rates_only),
        cmocka_unit_test(a_control_that_comes_back_is_not_dead),
        cmocka_unit_test(refused_lanes_are_left_alone),
        cmocka_unit_test(controls_of_third_hosts_stand_around_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
