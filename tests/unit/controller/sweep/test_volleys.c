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

static void order(struct sp_sk *sk, struct sp_bundle *bundle, size_t first, uint32_t n)
{
    assert_true(sp_volley_send(&sk->sb, bundle, first, n));
}

static void judge(struct sp_sk *sk, struct sp_bundle *bundle)
{
    sp_volleys_judge(&sk->sb, bundle, sk->now_us);
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
    struct sp_sk *sk = sp_sk_start(0);
    struct sp_bundle *bundle = sp_sk_bundle(sk, (struct sp_sk_wish){.nlanes = 2});
    sk->batch.max_rtt_us = 40000;
    sp_sk_lose(sk, bundle->lanes[0].guards[0], 2, 2);
    order(sk, bundle, 1, 2);
    sp_sk_deliver(sk, bundle, 1);
    sk->now_us += 150000 + 2 * 40000 - 1;
    judge(sk, bundle);
    assert_int_equal(bundle->outstanding, 1);
    sk->now_us++;
    judge(sk, bundle);
    assert_int_equal(bundle->outstanding, 0);
    for (size_t c = 1; c < 3; c++) {
        assert_false(sp_sk_counts(bundle, 0, c));
        assert_true(sp_sk_counts(bundle, 1, c)); /* its own control came through */
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
    struct sp_sk *sk = sp_sk_start(0);
    struct sp_bundle *bundle = sp_sk_bundle(sk, (struct sp_sk_wish){0});
    sp_sk_lose(sk, bundle->lanes[0].guards[0], 5, 5);
    order(sk, bundle, 0, 1);
    sp_sk_deliver(sk, bundle, 1);
    judge(sk, bundle);
    assert_int_equal(bundle->outstanding, 1);
    sp_sk_beat(sk, guard_of(sk, bundle, 0, 0), SP_HEARD_NIC, 5, 5);
    judge(sk, bundle);
    assert_int_equal(bundle->outstanding, 0);
    assert_true(sp_sk_counts(bundle, 0, 0));
    /* One that never left proves nothing, and loses nothing. */
    order(sk, bundle, 1, 1);
    sp_sk_deliver(sk, bundle, 2);
    for (uint16_t beat = 8; beat < 10; beat++) {
        sp_portset_remove(&sk->sb.guards[sk->hole.guard].left, beat);
        sp_portset_remove(&sk->sb.guards[sk->hole.guard].nic, beat);
    }
    sk->now_us += 1000000;
    judge(sk, bundle);
    assert_true(sp_sk_counts(bundle, 0, 1));
    assert_int_equal(bundle->lanes[0].beats, 6 + 4);
    sp_sk_end(sk);
}

/* What the path loses anyway does not spoil a volley; an edge without any beat does. */
static void a_lossy_path_still_needs_both_edges(void **state)
{
    (void)state;
    static const struct {
        uint32_t from, to;
        bool counts;
    } cases[] = {{0, 1, true},  {0, 2, false}, {4, 5, true},
                 {3, 5, false}, {1, 4, true},  {0, 5, false}};
    for (size_t i = 0; i < SP_ARRAY_LEN(cases); i++) {
        struct sp_sk *sk = sp_sk_start(0);
        struct sp_bundle *bundle = sp_sk_bundle(sk, (struct sp_sk_wish){.own_loss = 0.2});
        sp_sk_lose(sk, SP_NONE, cases[i].from, cases[i].to);
        sp_sk_go(sk, bundle, 0, 1);
        assert_int_equal(sp_sk_counts(bundle, 0, 0), cases[i].counts);
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
    assert_false(sp_sk_counts(bundle, 0, 0));
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
        sp_sk_go(sk, bundle, 0, 1);
        bool spoilt = what < 4;
        assert_int_equal(sp_sk_counts(bundle, 0, 0), !spoilt);
        assert_int_equal(sp_sk_counts(bundle, 1, 0), !spoilt);
        assert_int_equal(bundle->nagain, spoilt);
        assert_int_equal(bundle->drops, what == 0);
        assert_int_equal(bundle->rate.epoch, spoilt);
        assert_int_equal(bundle->pps_lowest > 0, !spoilt);
        /* Once more, and nothing happens: now it counts. */
        sk->on_sent = NULL;
        sp_sk_go(sk, bundle, 0, 1);
        assert_true(sp_sk_counts(bundle, 0, 0));
        sp_sk_end(sk);
    }
}

static void volleys_are_judged_each_and_settled_in_turn(void **state)
{
    (void)state;
    struct sp_sk *sk = sp_sk_start(0);
    struct sp_bundle *bundle = sp_sk_bundle(sk, (struct sp_sk_wish){0});
    sp_sk_lose(sk, bundle->lanes[0].guards[0], 1, 1);
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
    assert_true(!sp_sk_counts(bundle, 0, 0) && sp_sk_counts(bundle, 0, 1) &&
                !sp_sk_counts(bundle, 0, 2));
    assert_int_equal(bundle->rate.epoch, 1);
    /* The third was ordered at the old rate: the new one is not judged by it. */
    sp_sk_lose(sk, SP_NONE, 0, UINT32_MAX);
    sp_sk_deliver(sk, bundle, 3);
    sk->now_us += 10000000;
    judge(sk, bundle);
    assert_int_equal(bundle->rate.epoch, 1);
    sp_sk_end(sk);
}

/* A path has its breath in pauses: what it was offered is less than what was ordered. */
static void pauses_are_part_of_what_the_path_was_offered(void **state)
{
    (void)state;
    struct sp_sk *sk = sp_sk_start(0);
    struct sp_bundle *bundle = sp_sk_bundle(sk, (struct sp_sk_wish){.ceiling = 64000});
    sp_sk_go(sk, bundle, 0, 1); /* the first: at the rate that was reached */
    assert_int_equal(bundle->rate.fresh[sp_rate_step_of(64000)].sent, 6);
    sp_sk_go(sk, bundle, 1, 1); /* 64 in 2.001 s */
    assert_int_equal(bundle->rate.fresh[sp_rate_step_of(31)].sent, 6);
    assert_int_equal(bundle->rate.steps[sp_rate_step_of(64000)].sent, 12);
    sp_sk_end(sk);
}

static void a_cell_is_tried_so_often_and_no_more(void **state)
{
    (void)state;
    struct sp_sk *sk = sp_sk_start(0);
    struct sp_bundle *bundle = sp_sk_bundle(sk, (struct sp_sk_wish){.ceiling = 100000});
    sp_sk_lose(sk, SP_NONE, 0, UINT32_MAX);
    for (unsigned n = 1; n <= SP_VOLLEY_TRIES; n++) {
        bundle->rate.now = 100000; /* it never dies */
        sp_sk_go(sk, bundle, 2, 1);
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
    struct sp_sk *sk = sp_sk_start(0);
    struct sp_bundle *bundle = sp_sk_bundle(sk, (struct sp_sk_wish){0});
    sp_sk_go(sk, bundle, 0, 1);
    uint8_t step = bundle->cells[0].step[0];
    sp_sk_lose(sk, SP_NONE, 0, UINT32_MAX);
    sp_sk_go(sk, bundle, 0, 1);
    assert_int_equal(bundle->cells[0].step[0], step);
    assert_int_equal(bundle->nagain, 0);
    sk->loses = NULL;
    bundle->rate.now = 1000;
    sp_sk_go(sk, bundle, 0, 1);
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
    struct sp_sk *sk = sp_sk_start(0);
    struct sp_bundle *bundle = sp_sk_bundle(sk, (struct sp_sk_wish){0});
    (void)sp_mem_fail_at(1, 1);
    assert_false(sp_volley_send(&sk->sb, bundle, 0, 1));
    (void)sp_mem_fail_at(0, 0);
    assert_true(sk->sb.is_out_of_memory);
    assert_true(bundle->nvolleys == 0 && bundle->outstanding == 0 && sk->norders == 0);
    sk->sb.is_out_of_memory = false;
    sp_sk_lose(sk, SP_NONE, 0, UINT32_MAX);
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
        cmocka_unit_test(volleys_are_judged_each_and_settled_in_turn),
        cmocka_unit_test(pauses_are_part_of_what_the_path_was_offered),
        cmocka_unit_test(a_cell_is_tried_so_often_and_no_more),
        cmocka_unit_test(what_counted_once_counts),
        cmocka_unit_test(the_rate_is_that_which_was_reached),
        cmocka_unit_test(without_memory_it_says_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
