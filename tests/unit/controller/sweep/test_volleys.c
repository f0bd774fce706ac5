/* SPDX-License-Identifier: Apache-2.0
 *
 * One volley and what becomes of it: it counts for a lane where the lane's controls came through
 * beside it, its sender sent all of it, and its receiver dropped nothing; else it is sent again. */
#include "controller/sweep/volleys.h"

#include "controller/sweep/drive.h"
#include "probe/base/mem.h"
#include "probe/base/volley.h"
#include "tests/support/sp_cmocka.h"
#include "tests/unit/controller/sweep/sweep_kit.h"

#define CELL 64U

static const struct sp_guard_plan *guard_of(const struct sp_sk *sk, const struct sp_bundle *bundle,
                                            size_t lane, unsigned k)
{
    return &sk->sb.guards[bundle->lanes[lane].guards[k]];
}

/* Which beats are lost: those of one guard (SP_NONE: of every one), from .. to by number. */
struct hole {
    uint32_t guard, from, to;
};

static bool in_hole(struct sp_sk *sk, const struct sp_volley *volley,
                    const struct sp_guard_plan *guard, uint32_t beat)
{
    const struct hole *hole = sk->arg;
    (void)volley;
    return (hole->guard == SP_NONE || guard == &sk->sb.guards[hole->guard]) && beat >= hole->from &&
           beat <= hole->to;
}

static void lose(struct sp_sk *sk, struct hole *hole)
{
    sk->loses = in_hole;
    sk->arg = hole;
}

static void order(struct sp_sk *sk, struct sp_bundle *bundle, size_t first, uint32_t n)
{
    assert_true(sp_volley_send(&sk->sb, bundle, first, n));
}

static void judge(struct sp_sk *sk, struct sp_bundle *bundle)
{
    sp_volleys_judge(&sk->sb, bundle, sk->now_us);
}

/* Sends cells, tells of them, waits for as long as it takes. */
static void go(struct sp_sk *sk, struct sp_bundle *bundle, size_t first, uint32_t n)
{
    order(sk, bundle, first, n);
    sp_sk_deliver(sk, bundle, (uint32_t)bundle->nvolleys);
    sk->now_us += 2000000;
    judge(sk, bundle);
    assert_true(bundle->volleys[bundle->nvolleys - 1].is_judged);
}

static bool counts(const struct sp_bundle *bundle, size_t lane, size_t cell)
{
    return bundle->cells[cell].step[lane] > 0;
}

static void a_volley_is_ordered_as_its_cells_are(void **state)
{
    (void)state;
    struct sp_sk *sk = sp_sk_start(0);
    struct sp_bundle *bundle = sp_sk_bundle(sk, (struct sp_sk_wish){.ports = 200});
    order(sk, bundle, 1, 2);
    order(sk, bundle, bundle->ncells + 3, 1); /* the second pass of the last, which is short */
    assert_int_equal(sk->norders, 2);
    const struct sp_rec_volley *one = &sk->orders[0].record.u.volley;
    const struct sp_rec_volley *two = &sk->orders[1].record.u.volley;
    assert_true(sk->orders[0].host == SP_SK_A && sk->orders[0].record.type == SP_REC_VOLLEY);
    assert_true(one->serial == 1 && one->pass == 0 && one->first == CELL && one->count == 2 * CELL);
    assert_true(two->serial == 2 && two->pass == 1 && two->first == 3 * CELL && two->count == 8);
    assert_true(one->batch == 5 && one->order == bundle->order && one->pps == bundle->rate.now);
    assert_true(bundle->outstanding == 2 && bundle->outstanding_ports == 2 * CELL + 8);
    assert_true(bundle->waiting == 2 && bundle->waiting_ports == 2 * CELL + 8);
    assert_true(bundle->cells[1].is_out && bundle->cells[2].is_out && !bundle->cells[0].is_out);
    assert_true(bundle->cells[bundle->ncells + 3].is_out && bundle->cells[2].tries == 1);
    assert_int_equal(bundle->repeats, 0);
    order(sk, bundle, 2, 1);
    assert_int_equal(bundle->repeats, 1);
    assert_int_equal(bundle->cells[2].tries, 2);
    sp_sk_end(sk);
}

static void between_good_controls_it_counts(void **state)
{
    (void)state;
    struct sp_sk *sk = sp_sk_start(0);
    struct sp_bundle *bundle = sp_sk_bundle(sk, (struct sp_sk_wish){.nlanes = 2});
    order(sk, bundle, 0, 3);
    sp_sk_deliver(sk, bundle, 1);
    judge(sk, bundle); /* all is heard: at once */
    uint8_t step = (uint8_t)(1 + sp_rate_step_of(10000));
    for (size_t c = 0; c < 4; c++) {
        assert_int_equal(bundle->cells[c].step[0], c < 3 ? step : 0);
        assert_int_equal(bundle->cells[c].step[1], c < 3 ? step : 0);
        assert_int_equal(bundle->cells[c].end_us, c < 3 ? 3 * CELL * 100 : 0);
        assert_false(bundle->cells[c].is_out);
    }
    assert_true(bundle->outstanding == 0 && bundle->outstanding_ports == 0);
    assert_true(bundle->nagain == 0 && bundle->first_open == 1 && bundle->drops == 0);
    assert_true(bundle->packets == 3ULL * CELL && bundle->sent_us == 3ULL * CELL * 100);
    assert_true(bundle->pps_lowest == 10000 && bundle->pps_highest == 10000);
    assert_true(bundle->lanes[0].beats == 6 && bundle->lanes[0].beats_lost == 0);
    assert_true(bundle->rate.good == 10000 && bundle->rate.epoch == 0);
    sp_sk_end(sk);
}

static void a_lost_beat_is_waited_for_and_then_it_does_not_count(void **state)
{
    (void)state;
    struct hole hole = {SP_NONE, 2, 2};
    struct sp_sk *sk = sp_sk_start(0);
    struct sp_bundle *bundle = sp_sk_bundle(sk, (struct sp_sk_wish){.nlanes = 2});
    sk->batch.max_rtt_us = 40000;
    hole.guard = bundle->lanes[0].guards[0];
    lose(sk, &hole);
    order(sk, bundle, 1, 2);
    sp_sk_deliver(sk, bundle, 1);
    sk->now_us += 150000 + 2 * 40000 - 1;
    judge(sk, bundle);
    assert_int_equal(bundle->outstanding, 1);
    sk->now_us++;
    judge(sk, bundle);
    assert_int_equal(bundle->outstanding, 0);
    for (size_t c = 1; c < 3; c++) {
        assert_false(counts(bundle, 0, c));
        assert_true(counts(bundle, 1, c)); /* its own control came through */
    }
    assert_int_equal(bundle->nagain, 2);
    assert_true(bundle->again[0] == 1 && bundle->again[1] == 2);
    assert_int_equal(bundle->lanes[0].beats_lost, 1);
    assert_int_equal(bundle->lanes[0].steps[sp_rate_step_of(10000)].lost, 1);
    assert_int_equal(bundle->rate.now, 5000);
    sp_sk_end(sk);
}

static void a_beat_that_comes_late_is_one(void **state)
{
    (void)state;
    struct hole hole = {SP_NONE, 5, 5};
    struct sp_sk *sk = sp_sk_start(0);
    struct sp_bundle *bundle = sp_sk_bundle(sk, (struct sp_sk_wish){0});
    hole.guard = bundle->lanes[0].guards[0];
    lose(sk, &hole);
    order(sk, bundle, 0, 1);
    sp_sk_deliver(sk, bundle, 1);
    judge(sk, bundle);
    assert_int_equal(bundle->outstanding, 1);
    sp_sk_beat(sk, guard_of(sk, bundle, 0, 0), SP_HEARD_NIC, 5, 5);
    judge(sk, bundle);
    assert_int_equal(bundle->outstanding, 0);
    assert_true(counts(bundle, 0, 0));
    /* One that never left proves nothing, and loses nothing. */
    order(sk, bundle, 1, 1);
    sp_sk_deliver(sk, bundle, 2);
    for (uint16_t beat = 8; beat < 10; beat++) {
        sp_portset_remove(&sk->sb.guards[hole.guard].left, beat);
        sp_portset_remove(&sk->sb.guards[hole.guard].nic, beat);
    }
    sk->now_us += 1000000;
    judge(sk, bundle);
    assert_true(counts(bundle, 0, 1));
    assert_int_equal(bundle->lanes[0].beats, 6 + 4);
    sp_sk_end(sk);
}

/* What the path loses anyway does not spoil a volley; an edge without any beat does. */
static void a_lossy_path_still_needs_both_edges(void **state)
{
    (void)state;
    static const struct {
        struct hole hole;
        bool counts;
    } cases[] = {{{SP_NONE, 0, 1}, true},  {{SP_NONE, 0, 2}, false}, {{SP_NONE, 4, 5}, true},
                 {{SP_NONE, 3, 5}, false}, {{SP_NONE, 1, 4}, true},  {{SP_NONE, 0, 5}, false}};
    for (size_t i = 0; i < SP_ARRAY_LEN(cases); i++) {
        struct hole hole = cases[i].hole;
        struct sp_sk *sk = sp_sk_start(0);
        struct sp_bundle *bundle = sp_sk_bundle(sk, (struct sp_sk_wish){.own_loss = 0.2});
        lose(sk, &hole);
        go(sk, bundle, 0, 1);
        assert_int_equal(counts(bundle, 0, 0), cases[i].counts);
        assert_int_equal(bundle->nagain, !cases[i].counts);
        sp_sk_end(sk);
    }
    /* Without any beat it never counts. */
    struct sp_sk *sk = sp_sk_start(0);
    struct sp_bundle *bundle = sp_sk_bundle(sk, (struct sp_sk_wish){.own_loss = 0.2});
    sp_sk_beat(sk, guard_of(sk, bundle, 0, 0), SP_HEARD_LEFT, 0, 9);
    sp_sk_beat(sk, guard_of(sk, bundle, 0, 0), SP_HEARD_NIC, 0, 9);
    order(sk, bundle, 0, 1);
    struct sp_record record = {.type = SP_REC_VOLLEYED};
    record.u.volleyed =
        (struct sp_rec_volleyed){.batch = 5, .serial = 1, .sent = CELL, .first_beat = 1};
    sp_sk_tell(sk, SP_SK_A, record);
    sk->now_us += 1000000;
    judge(sk, bundle);
    assert_false(counts(bundle, 0, 0));
    sp_sk_end(sk);
}

static void spoil(struct sp_sk *sk, const struct sp_bundle *bundle, const struct sp_volley *volley,
                  struct sp_rec_volleyed *told)
{
    const int *what = sk->arg;
    (void)volley;
    sk->drops[bundle->to] += *what == 0;
    told->failed = *what == 1;
    told->tx_drops = *what == 2 ? 1 : *what == 3 ? UINT32_MAX : 0;
    told->refused = *what == 4; /* that is an answer: by the sender's own policy */
    sk->drops[bundle->from] += *what == 5;
    told->sent -= told->failed + told->refused;
}

static void packets_that_were_dropped_or_not_sent_spoil_it(void **state)
{
    (void)state;
    for (int what = 0; what < 6; what++) {
        struct sp_sk *sk = sp_sk_start(0);
        struct sp_bundle *bundle = sp_sk_bundle(sk, (struct sp_sk_wish){.nlanes = 2});
        sk->on_sent = spoil;
        sk->arg = &what;
        sk->drops[SP_SK_B] = 3; /* before it was ordered */
        sp_sk_health(sk, SP_SK_B);
        sp_sk_health(sk, SP_SK_A);
        go(sk, bundle, 0, 1);
        bool spoilt = what < 4;
        assert_int_equal(counts(bundle, 0, 0), !spoilt);
        assert_int_equal(counts(bundle, 1, 0), !spoilt);
        assert_int_equal(bundle->nagain, spoilt);
        assert_int_equal(bundle->drops, what == 0);
        assert_int_equal(bundle->rate.epoch, spoilt);
        assert_int_equal(bundle->pps_lowest > 0, !spoilt);
        /* Once more, and nothing happens: now it counts. */
        sk->on_sent = NULL;
        go(sk, bundle, 0, 1);
        assert_true(counts(bundle, 0, 0));
        sp_sk_end(sk);
    }
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
        struct hole hole = {SP_NONE, 0, UINT32_MAX};
        struct sp_sk *sk = sp_sk_start(0);
        struct sp_bundle *bundle = sp_sk_bundle(
            sk, (struct sp_sk_wish){.nlanes = 2, .ceiling = cases[i].ceiling, .cell = 16});
        struct sp_sweep_lane *lane = bundle->lanes;
        hole.guard = lane->guards[0];
        lose(sk, &hole);
        for (unsigned n = 1; n <= 5; n++) {
            bundle->rate.now = cases[i].now;
            go(sk, bundle, n, 1);
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
        assert_int_equal(counts(bundle, 1, 6), cases[i].dies);
        sp_sk_end(sk);
    }
}

static void a_control_that_comes_back_is_not_dead(void **state)
{
    (void)state;
    struct hole hole = {SP_NONE, 0, UINT32_MAX};
    struct sp_sk *sk = sp_sk_start(0);
    struct sp_bundle *bundle = sp_sk_bundle(sk, (struct sp_sk_wish){.ceiling = 500, .cell = 16});
    struct sp_sweep_lane *lane = bundle->lanes;
    lose(sk, &hole);
    for (unsigned n = 0; n < 3; n++) {
        bundle->rate.now = 500;
        go(sk, bundle, n, 1);
    }
    hole.from = sk->beats[SP_SK_A] + 1; /* a single beat */
    go(sk, bundle, 3, 1);
    assert_true(lane->dead_volleys == 0 && !lane->is_dead && !counts(bundle, 0, 3));
    hole.from = 0;
    for (unsigned n = 4; n < 8; n++) {
        assert_false(lane->is_dead);
        bundle->rate.now = 500;
        go(sk, bundle, n, 1);
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
        assert_false(counts(bundle, 0, n));
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
        go(sk, bundle, 0, 1);
        assert_false(counts(bundle, 0, 0));
        assert_true(counts(bundle, 1, 0));
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
        struct hole hole = {bundle->lanes[0].guards[1], cases[i].from, cases[i].to};
        lose(sk, &hole);
        sk->now_us += 1000000;
        order(sk, bundle, 0, 1);
        sp_sk_deliver(sk, bundle, 1);
        sk->now_us += 150000 + 300000 - 1;
        judge(sk, bundle);
        assert_int_equal(bundle->outstanding, !cases[i].counts); /* its last come later */
        sk->now_us++;
        judge(sk, bundle);
        assert_int_equal(bundle->outstanding, 0);
        assert_int_equal(counts(bundle, 0, 0), cases[i].counts);
        sp_sk_end(sk);
    }
    /* And at the lowest rate some of them must have come, whatever the path loses. */
    struct sp_sk *sk = sp_sk_start(0);
    struct sp_bundle *bundle = sp_sk_bundle(
        sk, (struct sp_sk_wish){.to = SP_SK_C, .first = SP_PROTO_UDP, .own_loss = 0.4});
    struct hole hole = {bundle->lanes[0].guards[1], 0, UINT32_MAX};
    lose(sk, &hole);
    go(sk, bundle, 0, 1);
    assert_false(counts(bundle, 0, 0));
    sp_sk_end(sk);
}

static void volleys_are_judged_each_and_settled_in_turn(void **state)
{
    (void)state;
    struct sp_sk *sk = sp_sk_start(0);
    struct sp_bundle *bundle = sp_sk_bundle(sk, (struct sp_sk_wish){0});
    struct hole hole = {bundle->lanes[0].guards[0], 1, 1};
    lose(sk, &hole);
    for (unsigned n = 0; n < 3; n++) {
        order(sk, bundle, n, 1);
    }
    sp_sk_deliver(sk, bundle, 1);
    sp_sk_deliver(sk, bundle, 2);
    judge(sk, bundle);
    assert_true(!bundle->volleys[0].is_judged && bundle->volleys[1].is_judged);
    assert_true(bundle->first_open == 0 && bundle->outstanding == 2);
    judge(sk, bundle); /* not twice */
    assert_int_equal(bundle->outstanding, 2);
    sk->now_us += 10000000;
    judge(sk, bundle); /* what was not sent is not judged, however long it takes */
    assert_true(bundle->first_open == 2 && bundle->outstanding == 1);
    assert_true(!counts(bundle, 0, 0) && counts(bundle, 0, 1) && !counts(bundle, 0, 2));
    assert_int_equal(bundle->rate.epoch, 1);
    /* The third was ordered at the old rate: the new one is not judged by it. */
    hole = (struct hole){SP_NONE, 0, UINT32_MAX};
    sp_sk_deliver(sk, bundle, 3);
    sk->now_us += 10000000;
    judge(sk, bundle);
    assert_int_equal(bundle->rate.epoch, 1);
    sp_sk_end(sk);
}

static void a_cell_is_tried_so_often_and_no_more(void **state)
{
    (void)state;
    struct hole hole = {SP_NONE, 0, UINT32_MAX};
    struct sp_sk *sk = sp_sk_start(0);
    struct sp_bundle *bundle = sp_sk_bundle(sk, (struct sp_sk_wish){.ceiling = 100000});
    lose(sk, &hole);
    for (unsigned n = 1; n <= SP_VOLLEY_TRIES; n++) {
        bundle->rate.now = 100000; /* it never dies */
        go(sk, bundle, 2, 1);
        assert_int_equal(bundle->cells[2].tries, n);
        assert_int_equal(bundle->nagain, n < SP_VOLLEY_TRIES);
        bundle->nagain = 0;
    }
    assert_int_equal(bundle->repeats, SP_VOLLEY_TRIES - 1);
    sp_sk_end(sk);
}

/* A good attempt stays one, and keeps the rate at which it was made. */
static void what_counted_once_counts(void **state)
{
    (void)state;
    struct hole hole = {SP_NONE, 0, UINT32_MAX};
    struct sp_sk *sk = sp_sk_start(0);
    struct sp_bundle *bundle = sp_sk_bundle(sk, (struct sp_sk_wish){0});
    go(sk, bundle, 0, 1);
    uint8_t step = bundle->cells[0].step[0];
    lose(sk, &hole);
    go(sk, bundle, 0, 1);
    assert_int_equal(bundle->cells[0].step[0], step);
    assert_int_equal(bundle->nagain, 0);
    sk->loses = NULL;
    bundle->rate.now = 1000;
    go(sk, bundle, 0, 1);
    assert_int_equal(bundle->cells[0].step[0], step);
    sp_sk_end(sk);
}

static void the_rate_is_that_which_was_reached(void **state)
{
    (void)state;
    struct sp_volley volley = {.pps = 1000, .told = {.sent = 100, .end_us = 200000}};
    assert_int_equal(sp_volley_rate(&volley), 500);
    volley.told.start_us = 190000;
    assert_int_equal(sp_volley_rate(&volley), 1000); /* never more than ordered */
    volley.told.start_us = 200000;
    assert_int_equal(sp_volley_rate(&volley), 1000);
}

static void without_memory_it_says_so(void **state)
{
    (void)state;
    struct hole hole = {SP_NONE, 0, UINT32_MAX};
    struct sp_sk *sk = sp_sk_start(0);
    struct sp_bundle *bundle = sp_sk_bundle(sk, (struct sp_sk_wish){0});
    (void)sp_mem_fail_at(1, 1);
    assert_false(sp_volley_send(&sk->sb, bundle, 0, 1));
    (void)sp_mem_fail_at(0, 0);
    assert_true(sk->sb.is_out_of_memory);
    assert_true(bundle->nvolleys == 0 && bundle->outstanding == 0 && sk->norders == 0);
    sk->sb.is_out_of_memory = false;
    lose(sk, &hole);
    order(sk, bundle, 0, 1);
    sp_sk_deliver(sk, bundle, 1);
    sk->now_us += 1000000;
    (void)sp_mem_fail_at(1, 1);
    judge(sk, bundle);
    (void)sp_mem_fail_at(0, 0);
    assert_true(sk->sb.is_out_of_memory);
    sp_sk_end(sk);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_volley_is_ordered_as_its_cells_are),
        cmocka_unit_test(between_good_controls_it_counts),
        cmocka_unit_test(a_lost_beat_is_waited_for_and_then_it_does_not_count),
        cmocka_unit_test(a_beat_that_comes_late_is_one),
        cmocka_unit_test(a_lossy_path_still_needs_both_edges),
        cmocka_unit_test(packets_that_were_dropped_or_not_sent_spoil_it),
        cmocka_unit_test(a_control_dies_at_low_rates_only),
        cmocka_unit_test(a_control_that_comes_back_is_not_dead),
        cmocka_unit_test(refused_lanes_are_left_alone),
        cmocka_unit_test(controls_of_third_hosts_stand_around_it),
        cmocka_unit_test(volleys_are_judged_each_and_settled_in_turn),
        cmocka_unit_test(a_cell_is_tried_so_often_and_no_more),
        cmocka_unit_test(what_counted_once_counts),
        cmocka_unit_test(the_rate_is_that_which_was_reached),
        cmocka_unit_test(without_memory_it_says_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
