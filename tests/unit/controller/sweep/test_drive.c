/* SPDX-License-Identifier: Apache-2.0
 *
 * Whole batches over paths that are made up, against oracles that count for themselves: every port
 * in every pass, none too soon, none too often, no state table too full; and the end comes. */
#include "controller/sweep/drive.h"

#include <math.h>
#include <string.h>

#include "probe/base/hash.h"
#include "probe/base/mem.h"
#include "probe/base/volley.h"
#include "tests/support/sp_cmocka.h"
#include "tests/unit/controller/sweep/sweep_kit.h"

#define GAP_US 1000000U
#define PORTS  2000U
#define PASSES SP_SWEEP_PASSES_MAX

/* What went out, by the numbers of ports: counted by who sends, not by the books of the driver. */
struct counted {
    uint8_t asked[PASSES][2 * PORTS];
    uint32_t end_us[PASSES][2 * PORTS];
    uint32_t least_gap_us;
    unsigned passes; /* the last that was sent, plus one */
    uint32_t volleys;
    unsigned per_mille; /* of beats that are lost */
    struct sp_rng rng;
};

static void count(struct sp_sk *sk, const struct sp_bundle *bundle, const struct sp_volley *volley,
                  struct sp_rec_volleyed *told)
{
    struct counted *counted = sk->arg;
    struct sp_volley_order order;
    sp_volley_order_init(&order, bundle->order, bundle->total, volley->pass, volley->first,
                         volley->count);
    assert_true(volley->count > 0 && volley->count <= SP_VOLLEY_PORTS);
    assert_true(volley->first + volley->count <= bundle->total);
    assert_true(volley->pps <= bundle->rate.ceiling);
    counted->volleys++;
    counted->passes = volley->pass + 1U > counted->passes ? volley->pass + 1U : counted->passes;
    for (uint32_t k = 0; k < volley->count; k++) {
        uint32_t number = sp_volley_order_at(&order, k);
        counted->asked[volley->pass][number]++;
        counted->end_us[volley->pass][number] = told->end_us;
        if (volley->pass > 0) {
            assert_true(counted->asked[volley->pass - 1][number] > 0);
            uint32_t before = counted->end_us[volley->pass - 1][number];
            uint32_t gap = told->start_us > before ? told->start_us - before : 0;
            counted->least_gap_us = gap < counted->least_gap_us ? gap : counted->least_gap_us;
        }
    }
}

static bool by_chance(struct sp_sk *sk, const struct sp_volley *volley,
                      const struct sp_guard_plan *guard, uint32_t beat)
{
    struct counted *counted = sk->arg;
    (void)volley;
    (void)guard;
    (void)beat;
    return sp_rng_below(&counted->rng, 1000) < counted->per_mille;
}

static void watch(struct sp_sk *sk, struct counted *counted, unsigned per_mille)
{
    *counted = (struct counted){
        .least_gap_us = UINT32_MAX, .per_mille = per_mille, .rng = {20261123 + per_mille}};
    sk->arg = counted;
    sk->on_sent = count;
    sk->loses = per_mille ? by_chance : NULL;
}

static struct counted *new_counted(void)
{
    struct counted *counted = sp_calloc(1, sizeof(*counted));
    assert_non_null(counted);
    return counted;
}

static void a_clean_path_is_asked_so_often_and_no_more(void **state)
{
    (void)state;
    struct counted *counted = new_counted();
    for (unsigned passes = 1; passes <= 4; passes++) {
        struct sp_sk *sk = sp_sk_start(0);
        struct sp_bundle *bundle = sp_sk_bundle(
            sk,
            (struct sp_sk_wish){.nlanes = 2, .ports = PORTS, .passes = passes, .gap_us = GAP_US});
        watch(sk, counted, 0);
        assert_true(sp_sk_run(sk));
        for (unsigned p = 0; p < PASSES; p++) {
            for (uint32_t n = 0; n < 2 * PORTS; n++) {
                assert_int_equal(counted->asked[p][n], p < passes);
            }
        }
        assert_true(passes == 1 || counted->least_gap_us >= GAP_US);
        assert_true(bundle->repeats == 0 && bundle->unsound == SP_SOUND);
        assert_true(bundle->packets == (uint64_t)passes * 2 * PORTS);
        for (uint32_t c = 0; c < bundle->ncells; c++) {
            for (int lane = 0; lane < 2; lane++) {
                bool enough;
                assert_int_equal(sp_cell_attempts(bundle, &bundle->lanes[lane], c, &enough),
                                 passes);
                assert_true(enough);
            }
        }
        sp_sk_end(sk);
    }
    sp_free(counted);
}

/* The chance that loss explains all attempts of a cell, counted anew from the volleys. */
static void check_attempts(const struct sp_bundle *bundle, double loss)
{
    for (uint32_t c = 0; c < bundle->ncells; c++) {
        bool enough;
        unsigned n = sp_cell_attempts(bundle, bundle->lanes, c, &enough);
        unsigned good = 0;
        for (unsigned p = 0; p < bundle->npasses; p++) {
            const struct sp_cell_pass *at = &bundle->cells[p * bundle->ncells + c];
            assert_true(at->tries <= SP_VOLLEY_TRIES && !at->is_out);
            good += at->step[0] > 0;
        }
        assert_int_equal(n, good);
        assert_true(enough); /* they go on until it is */
        assert_true(pow(loss, n) < 0.002 && n >= 2);
    }
}

static void a_lossy_path_is_asked_until_it_is_enough(void **state)
{
    (void)state;
    static const unsigned losses[] = {5, 20, 100, 200};
    struct counted *counted = new_counted();
    for (size_t i = 0; i < SP_ARRAY_LEN(losses); i++) {
        struct sp_sk *sk = sp_sk_start(0);
        double loss = losses[i] / 1000.0;
        struct sp_bundle *bundle = sp_sk_bundle(
            sk, (struct sp_sk_wish){
                    .ports = PORTS, .ceiling = 1000, .gap_us = GAP_US, .own_loss = loss});
        watch(sk, counted, losses[i]);
        assert_true(sp_sk_run(sk));
        double found = (double)bundle->lanes[0].beats_lost / bundle->lanes[0].beats;
        assert_true(fabs(found - loss) < 0.05);
        check_attempts(bundle, loss * 0.8);
        assert_true(counted->least_gap_us >= GAP_US);
        assert_true(counted->passes >= 2U + (losses[i] >= 100));
        for (unsigned p = 0; p < PASSES; p++) {
            for (uint32_t n = 0; n < PORTS; n++) {
                assert_true(counted->asked[p][n] <= SP_VOLLEY_TRIES);
            }
        }
        sp_sk_end(sk);
    }
    sp_free(counted);
}

/* Beats of the first lane are lost in every volley of which the sum of pass and cell is odd, for so
 * many tries: only its cells are asked again, and each comes to its two attempts. */
static bool now_and_then(struct sp_sk *sk, const struct sp_volley *volley,
                         const struct sp_guard_plan *guard, uint32_t beat)
{
    const struct sp_bundle *bundle = sk->sb.bundles;
    uint32_t cell = volley->first / bundle->cell;
    (void)beat;
    return guard == &sk->sb.guards[bundle->lanes[0].guards[0]] && (volley->pass + cell) % 2 == 1 &&
           bundle->cells[volley->pass * bundle->ncells + cell].tries < 3;
}

static void what_did_not_count_is_asked_again(void **state)
{
    (void)state;
    struct counted *counted = new_counted();
    struct sp_sk *sk = sp_sk_start(0);
    struct sp_bundle *bundle = sp_sk_bundle(
        sk, (struct sp_sk_wish){.ports = 512, .ceiling = 500, .gap_us = GAP_US, .nlanes = 2});
    watch(sk, counted, 0);
    sk->loses = now_and_then;
    assert_true(sp_sk_run(sk));
    assert_false(bundle->lanes[0].is_dead);
    assert_true(bundle->repeats > 8);
    assert_true(counted->least_gap_us >= GAP_US);
    for (uint32_t c = 0; c < bundle->ncells; c++) {
        for (int lane = 0; lane < 2; lane++) {
            bool enough;
            assert_true(sp_cell_attempts(bundle, &bundle->lanes[lane], c, &enough) >= 2);
        }
    }
    sp_sk_end(sk);
    sp_free(counted);
}

static void a_dead_path_is_given_up(void **state)
{
    (void)state;
    struct counted *counted = new_counted();
    for (int what = 0; what < 2; what++) {
        struct sp_sk *sk = sp_sk_start(0);
        struct sp_bundle *bundle = sp_sk_bundle(
            sk, (struct sp_sk_wish){.ports = PORTS, .ceiling = what ? 1000 : 100000, .passes = 3});
        watch(sk, counted, 1000);
        assert_true(sp_sk_run(sk));
        assert_true(bundle->lanes[0].is_dead || bundle->rate.is_hopeless);
        assert_true(counted->volleys < 200);
        assert_int_equal(counted->passes, 1); /* nothing more is asked for nothing */
        for (uint32_t c = 0; c < bundle->ncells; c++) {
            bool enough;
            assert_int_equal(sp_cell_attempts(bundle, bundle->lanes, c, &enough), 0);
            assert_false(enough);
        }
        sp_sk_end(sk);
    }
    sp_free(counted);
}

/* p ^ n <= 0.001, and never fewer than are wanted. */
static void attempts_are_enough_by_what_the_path_loses(void **state)
{
    (void)state;
    struct sp_sk *sk = sp_sk_start(0);
    struct sp_bundle *bundle = sp_sk_bundle(sk, (struct sp_sk_wish){.passes = 1, .nlanes = 2});
    struct sp_sweep_lane *lane = &bundle->lanes[1];
    static const struct {
        unsigned lost, wanted, needed; /* of 1000 */
    } cases[] = {{0, 1, 1},   {1, 1, 1},   {2, 1, 2},   {0, 2, 2},    {31, 2, 2},   {40, 2, 3},
                 {100, 2, 3}, {110, 2, 4}, {0, 3, 3},   {500, 2, 10}, {500, 1, 10}, {100, 1, 3},
                 {250, 2, 5}, {100, 5, 5}, {600, 2, 0}, {1000, 2, 0}};
    for (size_t i = 0; i < SP_ARRAY_LEN(cases); i++) {
        for (int whose = 0; whose < 4; whose++) {
            struct sp_rate_step sum = {.sent = 1000, .lost = cases[i].lost};
            /* Of the bundle or of the lane: the worse of both; neighbours count, others do not. */
            bundle->rate.steps[40] = whose == 0 ? sum : (struct sp_rate_step){1000, 0};
            lane->steps[39] = whose == 1 ? sum : (struct sp_rate_step){0, 0};
            lane->steps[41] = whose == 2 ? sum : (struct sp_rate_step){0, 0};
            lane->steps[42] = whose == 3 ? sum : (struct sp_rate_step){0, 0};
            lane->steps[38] = lane->steps[42];
            bundle->lanes[0].steps[40] = (struct sp_rate_step){1000, 1000}; /* another's */
            bundle->passes_wanted = (uint16_t)cases[i].wanted;
            unsigned needed = whose < 3 ? cases[i].needed : cases[i].wanted;
            memset(bundle->cells, 0, sizeof(*bundle->cells) * bundle->npasses * bundle->ncells);
            for (unsigned n = 1; n <= bundle->npasses; n++) {
                bool enough;
                /* Which of the passes counted is all one. */
                unsigned pass = (n * 3) % bundle->npasses;
                bundle->cells[pass * bundle->ncells + 5].step[1] = 41;
                bundle->cells[pass * bundle->ncells + 5].step[0] = 41;
                bundle->cells[pass * bundle->ncells + 6].step[0] = 41; /* not of this lane */
                assert_int_equal(sp_cell_attempts(bundle, lane, 5, &enough), n);
                assert_int_equal(enough, needed > 0 && n >= needed);
                assert_int_equal(sp_cell_attempts(bundle, lane, 6, &enough), 0);
                assert_false(enough);
            }
        }
    }
    sp_sk_end(sk);
}

/* ---- state tables ---- */

struct table {
    uint32_t capacity;
    uint64_t most;
    struct {
        uint64_t at_us;
        uint32_t n;
    } made[20000];
    size_t nmade;
};

/* A table as it is: every packet makes an entry, which lasts 2 s. */
static void fill(struct sp_sk *sk, const struct sp_bundle *bundle, const struct sp_volley *volley,
                 struct sp_rec_volleyed *told)
{
    struct table *table = sk->arg;
    uint64_t alive = 0;
    (void)bundle;
    assert_true(table->nmade < SP_ARRAY_LEN(table->made));
    table->made[table->nmade].at_us = told->end_us;
    table->made[table->nmade++].n = volley->count;
    for (size_t i = 0; i < table->nmade; i++) {
        alive += table->made[i].at_us + 2000000 > told->end_us ? table->made[i].n : 0;
    }
    table->most = alive > table->most ? alive : table->most;
}

static void no_more_than_half_a_state_table_is_filled(void **state)
{
    (void)state;
    for (uint32_t capacity = 400; capacity <= 3200; capacity *= 8) {
        struct table *table = sp_calloc(1, sizeof(*table));
        struct sp_sk *sk = sp_sk_start(capacity);
        assert_non_null(table);
        sk->arg = table;
        sk->on_sent = fill;
        /* Both ways lead through it. */
        (void)sp_sk_bundle(sk, (struct sp_sk_wish){.ports = PORTS, .cell = 16});
        (void)sp_sk_bundle(
            sk, (struct sp_sk_wish){.from = SP_SK_B, .to = SP_SK_A, .ports = PORTS, .cell = 16});
        assert_true(sp_sk_run(sk));
        assert_true(table->most <= capacity / 2);
        assert_true(table->most > capacity / 4);
        assert_true(sk->sb.bundles[0].packets >= 2 * PORTS); /* and yet it comes to an end */
        sp_free(table);
        sp_sk_end(sk);
    }
}

/* ---- ordering ---- */

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

/* ---- the end ---- */

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
    assert_true(done == 0 && of == 2 * PORTS);
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
    assert_true(done == 2 * PORTS && of == 2 * PORTS);
    sp_sk_end(sk);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_clean_path_is_asked_so_often_and_no_more),
        cmocka_unit_test(a_lossy_path_is_asked_until_it_is_enough),
        cmocka_unit_test(what_did_not_count_is_asked_again),
        cmocka_unit_test(a_dead_path_is_given_up),
        cmocka_unit_test(attempts_are_enough_by_what_the_path_loses),
        cmocka_unit_test(no_more_than_half_a_state_table_is_filled),
        cmocka_unit_test(little_waits_at_the_sender),
        cmocka_unit_test(nothing_is_ordered_while_it_is_paused),
        cmocka_unit_test(a_frozen_sender_is_lost),
        cmocka_unit_test(it_ends_with_its_hosts),
        cmocka_unit_test(it_ends_with_a_lane_that_cannot_be_sent),
        cmocka_unit_test(it_ends_with_the_numbers_of_beats),
        cmocka_unit_test(a_hopeless_rate_ends_it),
        cmocka_unit_test(progress_is_what_was_sent),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
