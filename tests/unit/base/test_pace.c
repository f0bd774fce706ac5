/* SPDX-License-Identifier: Apache-2.0
 *
 * The token bucket, by a clock that is moved by hand: exact in the long run at every rate, small
 * groups, and nothing made up for after a stall. */
#include "probe/base/attr.h"
#include "probe/base/hash.h"
#include "probe/base/pace.h"
#include "tests/support/sp_cmocka.h"

#define SECOND 1000000ULL

static const uint32_t rates[] = {1,      2,      3,       7,       49,       100,   999,
                                 1000,   1001,   9999,    10000,   10001,    33333, 200000,
                                 333333, 700001, 1000000, 3999999, 100000000};

/* Sends what is allowed, with a timer that is up to late_us late; returns the packets of a time. */
static uint64_t run(struct sp_pace *pace, uint64_t *now_us, uint64_t for_us, uint64_t late_us,
                    uint32_t *ret_longest)
{
    struct sp_rng rng = {pace->pps};
    uint64_t end = *now_us + for_us;
    uint64_t sent = 0;
    *ret_longest = 0;
    while (*now_us < end) {
        uint32_t n = sp_pace_allowed(pace, *now_us);
        sp_pace_take(pace, n);
        sent += n;
        *ret_longest = n > *ret_longest ? n : *ret_longest;
        uint64_t next = sp_pace_next(pace, *now_us);
        assert_true(next > *now_us);
        *now_us = next + sp_rng_below(&rng, late_us + 1);
    }
    *now_us = end;
    return sent;
}

static void exact_at_every_rate(void **state)
{
    (void)state;
    for (size_t i = 0; i < SP_ARRAY_LEN(rates); i++) {
        static const uint64_t lates[] = {0, 60, 150};
        for (size_t k = 0; k < SP_ARRAY_LEN(lates); k++) {
            struct sp_pace pace = {0};
            uint64_t now = 12345;
            uint32_t longest;
            uint64_t seconds = rates[i] < 100 ? 1000 : 20;
            sp_pace_set(&pace, rates[i], now);
            uint64_t sent = run(&pace, &now, seconds * SECOND, lates[k], &longest);
            uint64_t wanted = rates[i] * seconds;
            /* The first goes at once, and the last group may still wait. */
            uint64_t group = rates[i] / 10000 + 1;
            assert_in_range(sent, wanted - 4 * group - (wanted > group ? 1 : 0), wanted + 1);
            assert_true(longest <= 2 * group);
        }
    }
}

/* Ten hours, in which any rounding would add up. */
static void no_drift(void **state)
{
    (void)state;
    struct sp_pace pace = {0};
    uint64_t now = 1;
    uint32_t longest;
    sp_pace_set(&pace, 333, now);
    uint64_t sent = run(&pace, &now, 36000 * SECOND, 0, &longest);
    assert_in_range(sent, 333 * 36000 - 1, 333 * 36000 + 1);
    assert_int_equal(longest, 1);
}

static void a_stall_is_not_made_up_for(void **state)
{
    (void)state;
    for (size_t i = 0; i < SP_ARRAY_LEN(rates); i++) {
        struct sp_pace pace = {0};
        uint64_t now = SECOND;
        uint32_t longest;
        sp_pace_set(&pace, rates[i], now);
        (void)run(&pace, &now, SECOND, 0, &longest);
        uint64_t behind = pace.due_us > now ? pace.due_us : now;
        now = behind + SP_PACE_STALL_US + 1000 + SECOND;
        assert_int_equal(sp_pace_allowed(&pace, now), 1);
        uint64_t sent = run(&pace, &now, SECOND, 0, &longest);
        assert_true(sent <= rates[i] + 1ULL);
        assert_true(longest <= rates[i] / 10000 + 1);
    }
}

/* A short one is, at no more than twice the rate. */
static void a_short_delay_is(void **state)
{
    (void)state;
    struct sp_pace pace = {0};
    uint64_t now = SECOND;
    uint32_t longest;
    sp_pace_set(&pace, 100000, now);
    uint64_t sent = run(&pace, &now, SECOND, 0, &longest);
    now += 15000;
    sent += run(&pace, &now, 5000, 0, &longest);
    assert_true(sent <= 100000 + 2 * 500 + 40); /* not all of it at once */
    assert_true(longest <= 20);
    sent += run(&pace, &now, 980000, 0, &longest);
    assert_in_range(sent, 200000 - 40, 200001);
}

static void another_rate(void **state)
{
    (void)state;
    struct sp_pace pace = {0};
    uint64_t now = SECOND;
    sp_pace_set(&pace, 10, now);
    assert_int_equal(sp_pace_allowed(&pace, now), 1);
    sp_pace_take(&pace, 1);
    sp_pace_set(&pace, 1000, now + 10); /* what was sent counts: nothing for 100 ms */
    assert_int_equal(sp_pace_allowed(&pace, now + 99999), 0);
    assert_int_equal(sp_pace_allowed(&pace, now + 100000), 1);
    sp_pace_take(&pace, 3);
    assert_int_equal(sp_pace_allowed(&pace, now + 102999), 0);
    sp_pace_set(&pace, 1000, now + 5 * SECOND); /* a pause is no credit */
    assert_int_equal(sp_pace_allowed(&pace, now + 5 * SECOND), 1);
    assert_int_equal(sp_pace_allowed(&pace, now), 0); /* a clock does not go back; if it did */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(exact_at_every_rate),
        cmocka_unit_test(no_drift),
        cmocka_unit_test(a_stall_is_not_made_up_for),
        cmocka_unit_test(a_short_delay_is),
        cmocka_unit_test(another_rate),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
