/* SPDX-License-Identifier: Apache-2.0
 *
 * The book of state table entries. */
#include "controller/sweep/state.h"

#include <string.h>

#include "probe/base/hash.h"
#include "probe/base/mem.h"
#include "tests/support/sp_cmocka.h"

#define S  1000000ULL
#define T0 (5000 * S) /* the machine has been up for a while */

static struct {
    struct sp_network networks[4];
    struct sp_host hosts[3];
    uint32_t between[2];
    struct sp_enforcement points[2];
    struct sp_model model;
    struct sp_state_book book;
} w;

static void open_book(uint32_t capacity, uint64_t timeout_ms)
{
    memset(&w, 0, sizeof(w));
    for (size_t i = 0; i < 4; i++) {
        w.networks[i].parent = SP_NONE;
    }
    w.hosts[1].network = 1;
    w.hosts[2].network = 2;
    w.between[1] = 1;
    w.points[0] = (struct sp_enforcement){.between = w.between,
                                          .nbetween = 2,
                                          .state_capacity = capacity,
                                          .syn_timeout_ms = timeout_ms,
                                          .udp_timeout_ms = timeout_ms / 2};
    w.model = (struct sp_model){.networks = w.networks,
                                .nnetworks = 4,
                                .hosts = w.hosts,
                                .nhosts = 3,
                                .enforcements = w.points,
                                .nenforcements = 1};
    assert_int_equal(sp_state_book_init(&w.book, &w.model), SP_OK);
}

static void close_book(void)
{
    sp_state_book_release(&w.book);
    assert_null(w.book.points);
}

static uint32_t room(uint64_t at)
{
    return sp_state_room(&w.book, 0, at, 0);
}

static void the_point_between(void **state)
{
    (void)state;
    open_book(1000, 10000);
    assert_int_equal(sp_state_point_between(&w.model, 0, 1), 0);
    assert_int_equal(sp_state_point_between(&w.model, 1, 0), 0);
    assert_int_equal(sp_state_point_between(&w.model, 0, 2), SP_NONE);
    close_book();
}

static void without_a_capacity_there_is_always_room(void **state)
{
    (void)state;
    open_book(0, 10000);
    sp_state_note(&w.book, 0, T0, 1000000);
    assert_int_equal(room(T0), UINT32_MAX);
    assert_int_equal(sp_state_room(&w.book, SP_NONE, T0, 5), UINT32_MAX);
    sp_state_note(&w.book, SP_NONE, T0, 5);
    close_book();
}

static void entries_expire(void **state)
{
    (void)state;
    open_book(1000, 10000);
    assert_int_equal(room(T0), 500);
    sp_state_note(&w.book, 0, T0, 200);
    assert_int_equal(room(T0), 300);
    assert_int_equal(sp_state_room(&w.book, 0, T0, 100), 200);
    assert_int_equal(sp_state_room(&w.book, 0, T0, 300), 0);
    assert_int_equal(sp_state_room(&w.book, 0, T0, UINT64_MAX / 2), 0);
    sp_state_note(&w.book, 0, T0 + 4 * S, 100);
    assert_int_equal(room(T0 + 10 * S), 200); /* not before the timeout has passed */
    assert_int_equal(room(T0 + 12 * S), 400);
    assert_int_equal(room(T0 + 14 * S), 400);
    assert_int_equal(room(T0 + 16 * S), 500);
    assert_int_equal(w.book.points[0].most, 300);
    close_book();
}

/* The clock may stand, go back a little (it does not, but nothing may break), and jump. */
static void time_jumps(void **state)
{
    (void)state;
    open_book(1000, 60000);
    sp_state_note(&w.book, 0, T0, 100);
    sp_state_note(&w.book, 0, T0 - 5 * S, 100);
    assert_int_equal(room(T0 - 5 * S), 300);
    assert_int_equal(room(T0), 300);
    assert_int_equal(room(T0 + 100000 * S), 500);
    sp_state_note(&w.book, 0, T0 + 100000 * S, 100);
    assert_int_equal(room(T0 + 100000 * S), 400);
    assert_int_equal(room(T0 + 100065 * S), 500);
    assert_int_equal(room(0), 500);
    close_book();
}

static void a_small_table(void **state)
{
    (void)state;
    open_book(1, 10000);
    assert_int_equal(room(T0), 1);
    sp_state_note(&w.book, 0, T0, 1);
    assert_int_equal(room(T0), 0);
    assert_int_equal(room(T0 + 20 * S), 1);
    close_book();
}

/* An entry that lasts for hours still counts for hours. */
static void long_timeouts(void **state)
{
    (void)state;
    static const uint64_t seconds[] = {899, 900, 1000, 3600, 86400, 432000};
    for (size_t i = 0; i < sizeof(seconds) / sizeof(seconds[0]); i++) {
        open_book(1000, seconds[i] * 1000);
        sp_state_note(&w.book, 0, T0, 200);
        for (uint64_t t = 0; t < 10; t++) {
            assert_int_equal(room(T0 + seconds[i] * t * S / 10), 300);
        }
        assert_int_equal(room(T0 + seconds[i] * S), 300);
        assert_int_equal(room(T0 + seconds[i] * 2 * S), 500);
        close_book();
    }
}

/* A probe may tell any number: it hinders itself until that has expired, no longer. */
static void absurd_numbers_expire_too(void **state)
{
    (void)state;
    open_book(1000, 10000);
    sp_state_note(&w.book, 0, T0, 100);
    sp_state_note(&w.book, 0, T0, UINT64_MAX);
    assert_int_equal(room(T0), 0);
    sp_state_note(&w.book, 0, T0, UINT64_MAX - 50);
    sp_state_note(&w.book, 0, T0 + S, 1ULL << 32);
    assert_int_equal(room(T0 + S), 0);
    assert_int_equal(room(T0 + 30 * S), 500);
    close_book();
}

/* Whoever asks for room and takes no more than it gets never holds more than half, by the count of
 * somebody who keeps every entry. */
static void half_is_never_exceeded(void **state)
{
    (void)state;
    enum { SECONDS = 2000, TIMEOUT = 30 };
    static uint32_t made[SECONDS];
    struct sp_rng rng = {11};
    open_book(5000, TIMEOUT * UINT64_C(1000));
    memset(made, 0, sizeof(made));
    uint64_t most = 0;
    for (uint64_t t = 0; t < SECONDS; t += sp_rng_below(&rng, 10) == 0 ? 1 + t % 70 : 1) {
        for (unsigned i = 0; i < 3; i++) {
            uint64_t now = T0 + t * S + i * S / 4;
            uint32_t take = sp_state_room(&w.book, 0, now, 0);
            take = (uint32_t)sp_rng_below(&rng, take + 1U);
            sp_state_note(&w.book, 0, now, take);
            made[t] += take;
        }
        uint64_t alive = 0;
        for (uint64_t s = t > TIMEOUT ? t - TIMEOUT : 0; s <= t; s++) {
            alive += made[s];
        }
        assert_true(alive <= 2500);
        most = alive > most ? alive : most;
    }
    assert_true(most > 2000); /* and it is used */
    close_book();
}

static void out_of_memory(void **state)
{
    (void)state;
    open_book(1000, 10000);
    close_book();
    (void)sp_mem_fail_at(1, 0);
    assert_int_equal(sp_state_book_init(&w.book, &w.model), SP_E_NOMEM);
    (void)sp_mem_fail_at(0, 0);
    close_book();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_point_between),
        cmocka_unit_test(without_a_capacity_there_is_always_room),
        cmocka_unit_test(entries_expire),
        cmocka_unit_test(time_jumps),
        cmocka_unit_test(a_small_table),
        cmocka_unit_test(long_timeouts),
        cmocka_unit_test(absurd_numbers_expire_too),
        cmocka_unit_test(half_is_never_exceeded),
        cmocka_unit_test(out_of_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
