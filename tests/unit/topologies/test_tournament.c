/* SPDX-License-Identifier: Apache-2.0 */
#include "topologies/tournament.h"

#include <string.h>

#include "probe/base/hash.h"
#include "probe/base/mem.h"
#include "tests/support/sp_cmocka.h"

struct games {
    struct sp_match *at;
    size_t n;
    uint32_t rounds;
};

static void play(struct games *games, size_t nhosts)
{
    assert_int_equal(sp_tournament(games->at, games->n, nhosts, &games->rounds), SP_OK);
}

/* Sorted by round without a gap; in a round each host sends once and receives once at most.
 * Returns the most matches that one host sends or receives. */
static uint32_t check(const struct games *games, size_t nhosts)
{
    uint32_t *sends = sp_calloc(nhosts, sizeof(*sends));
    uint32_t *receives = sp_calloc(nhosts, sizeof(*receives));
    uint32_t *busy = sp_calloc(nhosts * 2, sizeof(*busy));
    uint32_t most = 0;
    assert_non_null(sends);
    assert_non_null(receives);
    assert_non_null(busy);
    for (size_t i = 0; i < games->n; i++) {
        const struct sp_match *match = &games->at[i];
        uint32_t before = i > 0 ? games->at[i - 1].round : 0;
        assert_true(match->round == before || (i > 0 && match->round == before + 1));
        assert_true(match->from < nhosts && match->to < nhosts);
        assert_true(sends[match->from] <= match->round); /* 1 + its last round */
        assert_true(receives[match->to] <= match->round);
        sends[match->from] = receives[match->to] = match->round + 1;
        uint32_t from = ++busy[(size_t)match->from * 2];
        uint32_t to = ++busy[(size_t)match->to * 2 + 1];
        most = from > most ? from : most;
        most = to > most ? to : most;
    }
    assert_int_equal(games->rounds, games->n > 0 ? games->at[games->n - 1].round + 1 : 0);
    assert_true(games->rounds <= 2 * most);
    sp_free(sends);
    sp_free(receives);
    sp_free(busy);
    return most;
}

static struct games all_meet_all(size_t n)
{
    struct games games = {.at = sp_calloc(n * n, sizeof(*games.at))};
    assert_non_null(games.at);
    for (uint32_t i = 0; i < n; i++) {
        for (uint32_t k = 0; k < n; k++) {
            if (i != k) {
                games.at[games.n++] = (struct sp_match){.from = i, .to = k};
            }
        }
    }
    return games;
}

static void complete_graphs_take_the_least(void **state)
{
    (void)state;
    for (size_t n = 2; n <= 40; n++) {
        struct games games = all_meet_all(n);
        play(&games, n);
        (void)check(&games, n);
        assert_int_equal(games.rounds, n - 1);
        for (size_t i = 0; i < games.n; i++) {
            assert_int_equal(games.at[i].round, i / n); /* every host in every round */
        }
        sp_free(games.at);
    }
}

/* Hosts that take no part leave no gaps. */
static void who_stays_away_does_not_matter(void **state)
{
    (void)state;
    struct games games = all_meet_all(9);
    for (size_t i = 0; i < games.n; i++) {
        games.at[i].from = games.at[i].from * 100 + 7;
        games.at[i].to = games.at[i].to * 100 + 7;
    }
    play(&games, 1000);
    (void)check(&games, 1000);
    assert_int_equal(games.rounds, 8);
    sp_free(games.at);
}

static void nothing_is_lost_or_invented(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 60; seed++) {
        struct sp_rng rng = {seed};
        size_t n = 2 + (size_t)sp_rng_below(&rng, 30);
        struct sp_match matches[200];
        uint8_t asked[32 * 32] = {0};
        struct games games = {.at = matches, .n = (size_t)sp_rng_below(&rng, 200)};
        for (size_t i = 0; i < games.n; i++) {
            uint32_t from = (uint32_t)sp_rng_below(&rng, n);
            uint32_t to = (uint32_t)((from + 1 + sp_rng_below(&rng, n - 1)) % n);
            matches[i] = (struct sp_match){.from = from, .to = to, .round = 12345};
            asked[from * 32 + to]++; /* some twice: they fall into different rounds */
        }
        play(&games, n);
        (void)check(&games, n);
        for (size_t i = 0; i < games.n; i++) {
            assert_true(asked[matches[i].from * 32 + matches[i].to]-- > 0);
        }
        for (size_t i = 0; i < sizeof(asked); i++) {
            assert_int_equal(asked[i], 0);
        }
    }
}

static void duplicates_and_one_way(void **state)
{
    (void)state;
    struct sp_match same[5] = {{.from = 3, .to = 1}, {.from = 3, .to = 1}, {.from = 3, .to = 1}};
    struct games games = {.at = same, .n = 3};
    play(&games, 4);
    (void)check(&games, 4);
    assert_int_equal(games.rounds, 3);
    /* One sender to all: as many rounds as receivers; all to one: as many as senders. */
    struct sp_match fan[20];
    for (uint32_t dir = 0; dir < 2; dir++) {
        for (uint32_t i = 0; i < 20; i++) {
            fan[i] = dir ? (struct sp_match){.from = i + 1, .to = 0}
                         : (struct sp_match){.from = 0, .to = i + 1};
        }
        games = (struct games){.at = fan, .n = 20};
        play(&games, 21);
        (void)check(&games, 21);
        assert_int_equal(games.rounds, 20);
    }
    /* There and back between two hosts is one round: each sends and receives once. */
    same[0] = (struct sp_match){.from = 0, .to = 1};
    same[1] = (struct sp_match){.from = 1, .to = 0};
    games = (struct games){.at = same, .n = 2};
    play(&games, 2);
    assert_int_equal(games.rounds, 1);
    games.n = 0;
    play(&games, 2);
    assert_int_equal(games.rounds, 0);
}

/* The order of the list says nothing. */
static void it_is_the_same_every_time(void **state)
{
    (void)state;
    struct games a = all_meet_all(12);
    struct games b = all_meet_all(12);
    for (size_t i = 0; i < b.n / 2; i++) {
        struct sp_match t = b.at[i];
        b.at[i] = b.at[b.n - 1 - i];
        b.at[b.n - 1 - i] = t;
    }
    play(&a, 12);
    play(&b, 12);
    for (size_t i = 0; i < a.n; i++) {
        assert_int_equal(a.at[i].from, b.at[i].from);
        assert_int_equal(a.at[i].to, b.at[i].to);
        assert_int_equal(a.at[i].round, b.at[i].round);
    }
    sp_free(a.at);
    sp_free(b.at);
}

static void a_thousand_hosts(void **state)
{
    (void)state;
    struct games games = all_meet_all(1000);
    play(&games, 1000);
    (void)check(&games, 1000);
    assert_int_equal(games.rounds, 999);
    /* Half of the matches, at random: nearly as few rounds as the busiest host needs. */
    struct sp_rng rng = {4};
    size_t n = 0;
    for (size_t i = 0; i < games.n; i++) {
        if (sp_rng_below(&rng, 2)) {
            games.at[n++] = games.at[i];
        }
    }
    games.n = n;
    play(&games, 1000);
    uint32_t most = check(&games, 1000);
    assert_true(games.rounds <= most + most / 2);
    sp_free(games.at);
}

static void out_of_memory(void **state)
{
    (void)state;
    for (size_t nth = 1; nth < 10; nth++) {
        struct games games = all_meet_all(4);
        (void)sp_mem_fail_at(nth, 1);
        enum sp_rc rc = sp_tournament(games.at, games.n, 4, &games.rounds);
        (void)sp_mem_fail_at(0, 0);
        sp_free(games.at);
        assert_true(rc == SP_E_NOMEM || rc == SP_OK);
        if (rc == SP_OK) {
            assert_true(nth > 3);
            return;
        }
    }
    fail_msg("it never ends");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(complete_graphs_take_the_least),
        cmocka_unit_test(who_stays_away_does_not_matter),
        cmocka_unit_test(nothing_is_lost_or_invented),
        cmocka_unit_test(duplicates_and_one_way),
        cmocka_unit_test(it_is_the_same_every_time),
        cmocka_unit_test(a_thousand_hosts),
        cmocka_unit_test(out_of_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
