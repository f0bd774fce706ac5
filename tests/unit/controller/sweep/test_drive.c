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
    assert_true(volley->count > 0 && volley->count <= SP_VOLLEY_MOST);
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
        assert_true(sk->sb.bundles[0].packets >= 2ULL * PORTS); /* and yet it comes to an end */
        sp_free(table);
        sp_sk_end(sk);
    }
}

/* Spare passes are for the cells that lack something; their neighbours are left in peace. */
static void only_what_lacks_is_asked_more_often(void **state)
{
    (void)state;
    struct sp_sk *sk = sp_sk_start(0);
    struct sp_bundle *bundle = sp_sk_bundle(sk, (struct sp_sk_wish){.ports = 512});
    for (uint32_t i = 0; i < 2 * bundle->ncells; i++) {
        bool lacks = i == bundle->ncells + 3 || i == bundle->ncells + 5 || i == 0;
        bundle->cells[i].tries = lacks ? SP_VOLLEY_TRIES : 1;
        bundle->cells[i].step[0] = lacks ? 0 : 41;
    }
    bundle->next = 2 * (size_t)bundle->ncells;
    assert_true(sp_sk_run(sk));
    assert_int_equal(bundle->packets, 3 * 64);
    assert_int_equal(bundle->nvolleys, 3);
    for (uint32_t c = 0; c < bundle->ncells; c++) {
        bool enough;
        assert_int_equal(sp_cell_attempts(bundle, bundle->lanes, c, &enough), 2);
        assert_true(enough);
    }
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
        cmocka_unit_test(only_what_lacks_is_asked_more_often),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
