/* SPDX-License-Identifier: Apache-2.0
 *
 * What conversations with whoever answered do to a verdict: every combination of what they can show
 * goes through the judge, and no denied flow that somebody serves may come out as holding, no
 * allowed one without a delivery and an answer of the receiver's own. */
#include <string.h>

#include "controller/run_priv.h"
#include "tests/support/sp_cmocka.h"

#define TRIED 3U

static const uint8_t flag_sets[] = {0,
                                    SP_ANSWER_WINDOW_ZERO,
                                    SP_ANSWER_TTL_CHANGED,
                                    SP_ANSWER_DATA_ACKED,
                                    SP_ANSWER_WINDOW_ZERO | SP_ANSWER_TTL_CHANGED,
                                    SP_ANSWER_RESET,
                                    0xFF};

static struct sp_tally tally_of(struct sp_unmasked unmasked)
{
    return (struct sp_tally){.unmasked = unmasked, .elsewhere = unmasked.elsewhere};
}

/* As run_judge.c fills it for a test that was answered by SYN/ACK and did not arrive. */
static struct sp_seen masked(uint8_t answerer, uint16_t elsewhere)
{
    return (struct sp_seen){.capture_lossless = true,
                            .attempts = 21,
                            .answered = 21,
                            .answer = SP_ANSWER_SYN_ACK,
                            .answerer = answerer,
                            .elsewhere = elsewhere,
                            .elsewhere_host = SP_NONE,
                            .loss_confirmed = true};
}

/* Returns the promise that is broken, or NULL. Written from the design, not from the code. */
static const char *broken(const struct sp_case *what, const struct sp_unmasked *u,
                          const struct sp_seen *seen, const struct sp_judgement *judged)
{
    bool deny = what->expect == SP_EXPECT_DENY;
    bool holds = judged->verdict == SP_VERDICT_HOLDS && !judged->is_note;
    bool crossed = u->host > 0 || u->elsewhere > 0 || (u->nic > 0 && what->layer != SP_LAYER_HOST);
    if (seen->nic > seen->attempts || seen->host > seen->attempts ||
        seen->answered > seen->attempts || seen->answer_left > seen->attempts) {
        return "more than was tried";
    }
    if (deny && holds) {
        return "a denied flow that somebody serves holds";
    }
    if (deny && crossed && judged->verdict != SP_VERDICT_LEAK) {
        return "what arrives leaks";
    }
    if (deny && !crossed && !what->one_sided && judged->verdict == SP_VERDICT_LEAK) {
        return "a leak without an arrival";
    }
    if (judged->verdict == SP_VERDICT_LEAK && judged->row == SP_ROW_ONE_SIDED_LEAK &&
        (u->held == 0 || (u->flags & SP_ANSWER_WINDOW_ZERO) != 0 ||
         (!u->is_mute && u->back == 0)) &&
        !crossed) {
        return "a one-sided leak that nothing confirmed";
    }
    if (!deny && !what->one_sided && holds &&
        (u->host == 0 || 2U * u->back < u->tried || u->elsewhere > 0)) {
        return "holds without a delivery and an answer";
    }
    if (!deny && what->one_sided && holds && u->held > 0 &&
        (u->flags & SP_ANSWER_WINDOW_ZERO) != 0) {
        return "a SYN proxy's answer holds";
    }
    if (!deny && what->one_sided && holds && u->held > 0 && !u->is_mute &&
        2U * u->back < u->tried) {
        return "holds though nobody took the data";
    }
    return NULL;
}

static void check(const struct sp_case *what, const struct sp_unmasked *unmasked, uint8_t answerer)
{
    struct sp_tally tally = tally_of(*unmasked);
    struct sp_seen seen = masked(answerer, tally.elsewhere);
    sp_run_apply_unmasked(&tally, what, &seen);
    struct sp_judgement judged = sp_judge(what, &seen);
    const char *promise = broken(what, unmasked, &seen, &judged);
    if (promise) {
        fail_msg("%s: %s; expect %u layer %u one-sided %d; tried %u held %u nic %u host %u left %u "
                 "back %u elsewhere %u flags %u mute %d answerer %u",
                 promise, sp_verdict_str(judged.verdict), what->expect, what->layer,
                 what->one_sided, unmasked->tried, unmasked->held, unmasked->nic, unmasked->host,
                 unmasked->left, unmasked->back, unmasked->elsewhere, unmasked->flags,
                 unmasked->is_mute, answerer);
    }
}

static void every_flag(const struct sp_case *what, struct sp_unmasked unmasked)
{
    for (size_t f = 0; f < SP_ARRAY_LEN(flag_sets); f++) {
        for (uint8_t rest = 0; rest < 6; rest++) {
            unmasked.flags = flag_sets[f];
            unmasked.is_mute = rest % 2 != 0;
            check(what, &unmasked, rest / 2);
        }
    }
}

static void no_promise_is_broken(void **state)
{
    (void)state;
    const unsigned n = TRIED + 1;
    for (unsigned bits = 0; bits < 3 * 2 * 2; bits++) {
        const struct sp_case what = {.expect = (uint8_t)(bits % 3),
                                     .layer = (uint8_t)(bits / 3 % 2),
                                     .one_sided = bits / 6 != 0};
        for (unsigned i = 0; i < n * n * n * n * n * 2; i++) {
            struct sp_unmasked unmasked = {.tried = TRIED,
                                           .held = (uint16_t)(i % n),
                                           .nic = (uint16_t)(i / n % n),
                                           .host = (uint16_t)(i / (n * n) % n),
                                           .left = (uint16_t)(i / (n * n * n) % n),
                                           .back = (uint16_t)(i / (n * n * n * n) % n),
                                           .elsewhere = (uint16_t)(i / (n * n * n * n * n))};
            bool possible = unmasked.back <= unmasked.held &&
                            !(what.one_sided && unmasked.nic + unmasked.host + unmasked.left > 0);
            if (possible) {
                every_flag(&what, unmasked);
            }
        }
    }
}

static struct sp_seen applied(struct sp_unmasked unmasked, uint8_t expect, bool one_sided,
                              struct sp_judgement *ret_judged)
{
    const struct sp_case what = {.expect = expect, .one_sided = one_sided};
    struct sp_tally tally = tally_of(unmasked);
    struct sp_seen seen = masked(SP_ANSWERER_UNKNOWN, unmasked.elsewhere);
    sp_run_apply_unmasked(&tally, &what, &seen);
    *ret_judged = sp_judge(&what, &seen);
    return seen;
}

/* Without a conversation nothing is known, and nothing changes. */
static void nothing_tried_changes_nothing(void **state)
{
    (void)state;
    struct sp_judgement judged;
    const struct sp_seen before = masked(SP_ANSWERER_UNKNOWN, 0);
    struct sp_seen seen = applied((struct sp_unmasked){0}, SP_EXPECT_DENY, false, &judged);
    assert_memory_equal(&seen, &before, sizeof(seen));
    assert_int_equal(judged.row, 5);
    seen = applied((struct sp_unmasked){0}, SP_EXPECT_DENY, true, &judged);
    assert_int_equal(judged.row, SP_ROW_ONE_SIDED_PROXIED);
    seen = applied((struct sp_unmasked){.tried = 3}, SP_EXPECT_DENY, true, &judged);
    assert_int_equal(judged.row, SP_ROW_ONE_SIDED_PROXIED); /* nobody answered any more */
    assert_int_equal(seen.proxy, SP_PROXY_NONE);
}

static void what_stands_on_the_path_is_named(void **state)
{
    (void)state;
    struct sp_judgement judged;
    struct sp_unmasked u = {.tried = 3, .held = 3};
    assert_int_equal(applied(u, SP_EXPECT_DENY, false, &judged).proxy, SP_PROXY_OTHER);
    assert_int_equal(applied(u, SP_EXPECT_DENY, true, &judged).proxy, SP_PROXY_NONE);
    u.flags = SP_ANSWER_WINDOW_ZERO;
    assert_int_equal(applied(u, SP_EXPECT_DENY, false, &judged).proxy, SP_PROXY_SYN);
    assert_int_equal(applied(u, SP_EXPECT_DENY, true, &judged).proxy, SP_PROXY_SYN);
    u = (struct sp_unmasked){.tried = 3, .held = 3, .nic = 2, .host = 2};
    assert_int_equal(applied(u, SP_EXPECT_DENY, false, &judged).proxy, SP_PROXY_SYN);
    assert_string_equal(sp_proxy_str(SP_PROXY_SYN), "syn_proxy");
    assert_string_equal(sp_proxy_str(SP_PROXY_OTHER), "proxy");
    assert_null(sp_proxy_str(SP_PROXY_NONE));
    assert_null(sp_proxy_str(SP_PROXY_COUNT));
}

/* Of an allowed flow the conversations are the attempts: the SYNs before them prove nothing. */
static void allowed_flows_stand_on_their_conversations(void **state)
{
    (void)state;
    struct sp_judgement judged;
    struct sp_unmasked u = {.tried = 3, .held = 3, .nic = 3, .host = 3, .left = 3, .back = 3};
    struct sp_seen seen = applied(u, SP_EXPECT_ALLOW, false, &judged);
    assert_int_equal(judged.verdict, SP_VERDICT_HOLDS);
    assert_int_equal(seen.attempts, 3);
    u.back = 0;
    (void)applied(u, SP_EXPECT_ALLOW, false, &judged);
    assert_int_equal(judged.verdict, SP_VERDICT_RETURN_BLOCKED);
    assert_int_equal(judged.by, SP_BY_PATH);
    u.back = 1;
    (void)applied(u, SP_EXPECT_ALLOW, false, &judged);
    assert_int_equal(judged.verdict, SP_VERDICT_INCONCLUSIVE);
    u = (struct sp_unmasked){.tried = 3, .held = 3, .nic = 3};
    (void)applied(u, SP_EXPECT_ALLOW, false, &judged);
    assert_int_equal(judged.verdict, SP_VERDICT_PROXIED);
}

static void one_sided_conversations_confirm(void **state)
{
    (void)state;
    struct sp_judgement judged;
    struct sp_unmasked u = {.tried = 3, .held = 3, .is_mute = true};
    (void)applied(u, SP_EXPECT_DENY, true, &judged);
    assert_int_equal(judged.row, SP_ROW_ONE_SIDED_LEAK);
    (void)applied(u, SP_EXPECT_ALLOW, true, &judged);
    assert_int_equal(judged.row, SP_ROW_ONE_SIDED_ALLOWED);
    u.flags = SP_ANSWER_TTL_CHANGED; /* whoever shook hands is not who went on */
    (void)applied(u, SP_EXPECT_DENY, true, &judged);
    assert_int_equal(judged.row, SP_ROW_ONE_SIDED_PROXIED);
    u = (struct sp_unmasked){.tried = 3, .held = 3}; /* data that nobody took */
    (void)applied(u, SP_EXPECT_DENY, true, &judged);
    assert_int_equal(judged.row, SP_ROW_ONE_SIDED_PROXIED);
    (void)applied(u, SP_EXPECT_ALLOW, true, &judged);
    assert_int_equal(judged.verdict, SP_VERDICT_INCONCLUSIVE);
    u.back = 3;
    (void)applied(u, SP_EXPECT_DENY, true, &judged);
    assert_int_equal(judged.row, SP_ROW_ONE_SIDED_LEAK);
    u.flags = SP_ANSWER_WINDOW_ZERO;
    (void)applied(u, SP_EXPECT_DENY, true, &judged);
    assert_int_equal(judged.row, SP_ROW_ONE_SIDED_PROXIED);
    (void)applied(u, SP_EXPECT_ALLOW, true, &judged);
    assert_int_equal(judged.row, SP_ROW_ONE_SIDED_PROXIED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_promise_is_broken),
        cmocka_unit_test(nothing_tried_changes_nothing),
        cmocka_unit_test(what_stands_on_the_path_is_named),
        cmocka_unit_test(allowed_flows_stand_on_their_conversations),
        cmocka_unit_test(one_sided_conversations_confirm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
