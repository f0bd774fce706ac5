/* SPDX-License-Identifier: Apache-2.0
 *
 * The judge, row by row of design section 7. Each case fails when its row is gone. */
#include <string.h>

#include "tests/unit/reports/verdict_rows.h"

#define DENY    SP_EXPECT_DENY
#define ALLOW   SP_EXPECT_ALLOW
#define PERMIT  SP_EXPECT_PERMIT
#define NETWORK SP_LAYER_NETWORK
#define HOST    SP_LAYER_HOST
#define X(...)                                                                                     \
    {                                                                                              \
        .expect = 77, __VA_ARGS__                                                                  \
    }
/* A capture that is not lossless. */
#define U(...)                                                                                     \
    {                                                                                              \
        .capture_lossless = false, __VA_ARGS__                                                     \
    }
#define SENT(n) .capture_lossless = true, .attempts = (n)

/* Rows 1 and 2: an arrival needs no control. */
static void test_denied_arrival(void **state)
{
    (void)state;
    static const struct row rows[] = {
        ROW("1 network, NIC", D(.layer = NETWORK), S(.attempts = 2, .nic = 1), SP_VERDICT_LEAK, 1,
            0, 0),
        ROW("1 network, host only", D(.layer = NETWORK), S(.attempts = 2, .host = 1),
            SP_VERDICT_LEAK, 1, 0, 0),
        ROW("1 network, rewritten", D(.layer = NETWORK), S(.attempts = 2, .rewritten = 1),
            SP_VERDICT_LEAK, 1, 0, 0),
        ROW("1 host", D(.layer = HOST), S(.attempts = 2, .nic = 2, .host = 1), SP_VERDICT_LEAK, 1,
            0, 0),
        ROW("1 without a control", D(.layer = NETWORK),
            S(.attempts = 2, .nic = 1, .unsound = SP_UNSOUND_NO_CONTROL), SP_VERDICT_LEAK, 1, 0, 0),
        ROW("1 with capture drops", D(.layer = HOST), U(.host = 1), SP_VERDICT_LEAK, 1, 0, 0),
        ROW("1 by the sender's policy too", D(.layer = NETWORK),
            S(.attempts = 0, .nic = 1, .sender_policy = true), SP_VERDICT_LEAK, 1, 0, 0),
        ROW("1 although a proxy answers", D(.layer = NETWORK),
            S(.attempts = 2, .nic = 2, .answer = SP_ANSWER_SYN_ACK), SP_VERDICT_LEAK, 1, 0, 0),
        ROW("1 although rejected by declaration", D(.layer = NETWORK, .reject_declared = true),
            S(.attempts = 2, .nic = 1, .answer = SP_ANSWER_RST), SP_VERDICT_LEAK, 1, 0, 0),
        ROW("1 one-sided", D(.layer = NETWORK, .one_sided = true), S(.attempts = 2, .nic = 1),
            SP_VERDICT_LEAK, 1, 0, 0),
        ROW("2 network", D(.layer = NETWORK), S(.attempts = 2, .elsewhere = 1), SP_VERDICT_LEAK, 2,
            0, 0),
        ROW("2 host, NIC only", D(.layer = HOST), S(.attempts = 2, .nic = 2, .elsewhere = 1),
            SP_VERDICT_LEAK, 2, 0, 0),
        ROW("2 unsound", D(.layer = NETWORK), U(.elsewhere = 1), SP_VERDICT_LEAK, 2, 0, 0),
        ROW("2 one-sided", D(.layer = NETWORK, .one_sided = true), S(.attempts = 2, .elsewhere = 1),
            SP_VERDICT_LEAK, 2, 0, 0),
    };
    CHECK(rows);
}

/* Row 3 for every reason and every expectation: silence proves nothing then. */
static void test_unsound(void **state)
{
    (void)state;
    for (int why = SP_UNSOUND_SENDER_LOST; why < SP_UNSOUND_COUNT; why++) {
        for (uint8_t expect = DENY; expect <= PERMIT; expect++) {
            for (uint8_t layer = NETWORK; layer <= HOST; layer++) {
                struct sp_case what = {.expect = expect, .layer = layer};
                struct sp_seen seen = {SENT(2), .unsound = (enum sp_unsound)why};
                struct sp_judgement got = sp_judge(&what, &seen);
                assert_int_equal(got.verdict, SP_VERDICT_INCONCLUSIVE);
                assert_int_equal(got.row, 3);
                assert_int_equal(got.reason, why);
                assert_false(got.is_note);
            }
        }
    }
    static const struct row rows[] = {
        ROW("3 capture drops", D(.layer = NETWORK), U(.attempts = 2), OPEN, 3, 0,
            SP_UNSOUND_CAPTURE_DROPS),
        ROW("3 capture drops, allow", A(.layer = NETWORK), U(.attempts = 21, .nic = 21), OPEN, 3, 0,
            SP_UNSOUND_CAPTURE_DROPS),
        ROW("3 capture drops before the answer", D(.layer = NETWORK),
            U(.attempts = 2, .answer = SP_ANSWER_RST, .answerer = SP_ANSWERER_BEFORE), OPEN, 3, 0,
            SP_UNSOUND_CAPTURE_DROPS),
        ROW("3 nothing sent", D(.layer = NETWORK), S(.attempts = 0), OPEN, 3, 0,
            SP_UNSOUND_NOT_SENT),
        ROW("3 nothing sent, allow", A(.layer = NETWORK), S(.attempts = 0), OPEN, 3, 0,
            SP_UNSOUND_NOT_SENT),
        ROW("3 nothing sent yet delivered", A(.layer = NETWORK),
            S(.attempts = 0, .nic = 1, .host = 1, .answered = 1, .answer = SP_ANSWER_SYN_ACK), OPEN,
            3, 0, SP_UNSOUND_NOT_SENT),
        ROW("3 before 5", D(.layer = NETWORK),
            S(.attempts = 2, .unsound = SP_UNSOUND_NO_CONTROL, .answer = SP_ANSWER_SYN_ACK), OPEN,
            3, 0, SP_UNSOUND_NO_CONTROL),
        ROW("3 before 4", D(.layer = HOST),
            S(.attempts = 0, .unsound = SP_UNSOUND_SENDER_LOST, .sender_policy = true), OPEN, 3, 0,
            SP_UNSOUND_SENDER_LOST),
        ROW("3 unknown reason", D(.layer = NETWORK),
            S(.attempts = 2, .unsound = (enum sp_unsound)99), OPEN, 3, 0, SP_UNSOUND_NO_CONTROL),
        ROW("3 the first unknown reason", D(.layer = NETWORK),
            S(.attempts = 2, .unsound = SP_UNSOUND_COUNT), OPEN, 3, 0, SP_UNSOUND_NO_CONTROL),
        ROW("3 no loss without a control", A(.layer = NETWORK),
            S(.attempts = 21, .unsound = SP_UNSOUND_CONTROL_LOST, .nic = 20, .host = 20,
              .answered = 20, .answer = SP_ANSWER_RST, .loss_confirmed = true),
            OPEN, 3, 0, SP_UNSOUND_CONTROL_LOST),
        ROW("3 no return_blocked without a control", A(.layer = NETWORK),
            S(.attempts = 21, .unsound = SP_UNSOUND_CONTROL_LOST, .nic = 21, .host = 21), OPEN, 3,
            0, SP_UNSOUND_CONTROL_LOST),
        ROW("3 no proxied without a control", A(.layer = NETWORK),
            S(.attempts = 21, .unsound = SP_UNSOUND_NO_CONTROL, .answer = SP_ANSWER_SYN_ACK,
              .answered = 21),
            OPEN, 3, 0, SP_UNSOUND_NO_CONTROL),
        ROW("3 no blocked by the sender when its probe was lost", A(.layer = NETWORK),
            S(.attempts = 0, .unsound = SP_UNSOUND_SENDER_LOST, .sender_policy = true), OPEN, 3, 0,
            SP_UNSOUND_SENDER_LOST),
    };
    CHECK(rows);
}

/* Rows 4 to 7. */
static void test_denied_silence(void **state)
{
    (void)state;
    static const struct row rows[] = {
        ROW("4 host", D(.layer = HOST), S(.attempts = 0, .sender_policy = true), HOLDS, 4,
            SP_BY_SENDER, 0),
        ROW("4 network", D(.layer = NETWORK), S(.attempts = 0, .sender_policy = true), OPEN, 4, 0,
            SP_UNSOUND_SENDER_POLICY),
        ROW("4 not once something left", D(.layer = HOST), S(.attempts = 1, .sender_policy = true),
            HOLDS, 7, SP_BY_PATH, 0),
        ROW("4 not when something answered", D(.layer = HOST),
            S(.attempts = 0, .sender_policy = true, .answer = SP_ANSWER_RST), OPEN, 4, 0,
            SP_UNSOUND_CONTRADICTION),
        ROW("4 not when something arrived", D(.layer = HOST),
            S(.attempts = 0, .sender_policy = true, .nic = 1), OPEN, 4, 0,
            SP_UNSOUND_CONTRADICTION),
        ROW("5 SYN/ACK", D(.layer = NETWORK),
            S(.attempts = 2, .answer = SP_ANSWER_SYN_ACK, .answered = 1), SP_VERDICT_PROXIED, 5,
            SP_BY_ANSWERER, 0),
        ROW("5 data", D(.layer = HOST), S(.attempts = 2, .answer = SP_ANSWER_DATA, .answered = 1),
            SP_VERDICT_PROXIED, 5, SP_BY_ANSWERER, 0),
        ROW("5 echo", D(.layer = NETWORK),
            S(.attempts = 2, .answer = SP_ANSWER_ECHO, .answered = 2), SP_VERDICT_PROXIED, 5,
            SP_BY_ANSWERER, 0),
        ROW("5 host layer with the packet at the NIC", D(.layer = HOST),
            S(.attempts = 2, .nic = 2, .answer = SP_ANSWER_SYN_ACK, .answered = 2),
            SP_VERDICT_PROXIED, 5, SP_BY_ANSWERER, 0),
        ROW("5 a declared proxy does not open a denied flow",
            D(.layer = NETWORK, .proxy_declared = true),
            S(.attempts = 2, .answer = SP_ANSWER_SYN_ACK, .answered = 2), SP_VERDICT_PROXIED, 5,
            SP_BY_ANSWERER, 0),
        ROW("6 RST from before", D(.layer = NETWORK),
            S(.attempts = 2, .answer = SP_ANSWER_RST, .answered = 2,
              .answerer = SP_ANSWERER_BEFORE),
            HOLDS, 6, SP_BY_ANSWERER, 0),
        ROW("6 unreachable from before", D(.layer = HOST),
            S(.attempts = 2, .answer = SP_ANSWER_UNREACHABLE, .answered = 1,
              .answerer = SP_ANSWERER_BEFORE),
            HOLDS, 6, SP_BY_ANSWERER, 0),
        ROW("6 declared", D(.layer = NETWORK, .reject_declared = true),
            S(.attempts = 2, .answer = SP_ANSWER_RST, .answered = 2,
              .answerer = SP_ANSWERER_DESTINATION),
            HOLDS, 6, SP_BY_ANSWERER, 0),
        ROW("6 unplaced RST", D(.layer = NETWORK),
            S(.attempts = 2, .answer = SP_ANSWER_RST, .answered = 2), OPEN, 6, 0,
            SP_UNSOUND_ANSWERER),
        ROW("6 RST from the destination", D(.layer = NETWORK),
            S(.attempts = 2, .answer = SP_ANSWER_RST, .answered = 2,
              .answerer = SP_ANSWERER_DESTINATION),
            OPEN, 6, 0, SP_UNSOUND_ANSWERER),
        ROW("6 host layer, RST from the destination with the packet at the NIC", D(.layer = HOST),
            S(.attempts = 2, .nic = 2, .answer = SP_ANSWER_RST, .answered = 2,
              .answerer = SP_ANSWERER_DESTINATION),
            OPEN, 6, 0, SP_UNSOUND_ANSWERER),
        ROW("6 host layer, unreachable from the destination, nothing at the NIC", D(.layer = HOST),
            S(.attempts = 2, .answer = SP_ANSWER_UNREACHABLE, .answered = 2,
              .answerer = SP_ANSWERER_DESTINATION),
            OPEN, 6, 0, SP_UNSOUND_ANSWERER),
        ROW("6 the probe's own reply without an arrival", D(.layer = NETWORK),
            S(.attempts = 2, .answer = SP_ANSWER_CRAFTED, .answered = 1), OPEN, 6, 0,
            SP_UNSOUND_CONTRADICTION),
        ROW("6 an answer left although nothing arrived", D(.layer = NETWORK),
            S(.attempts = 2, .answer_left = 1), OPEN, 6, 0, SP_UNSOUND_CONTRADICTION),
        ROW("6 the same with a reject from before", D(.layer = NETWORK),
            S(.attempts = 2, .answer_left = 1, .answer = SP_ANSWER_RST,
              .answerer = SP_ANSWERER_BEFORE),
            OPEN, 6, 0, SP_UNSOUND_CONTRADICTION),
        ROW("6 a nameless answer", D(.layer = NETWORK), S(.attempts = 2, .answered = 1), OPEN, 6, 0,
            SP_UNSOUND_CONTRADICTION),
        ROW("6 an unknown kind of answer", D(.layer = HOST), S(.attempts = 2, .answer = 77), OPEN,
            6, 0, SP_UNSOUND_CONTRADICTION),
        ROW("7 network", D(.layer = NETWORK), S(.attempts = 2), HOLDS, 7, SP_BY_PATH, 0),
        ROW("7 host, nothing", D(.layer = HOST), S(.attempts = 2), HOLDS, 7, SP_BY_PATH, 0),
        ROW("7 host, NIC only", D(.layer = HOST), S(.attempts = 2, .nic = 2), HOLDS, 7,
            SP_BY_RECEIVER, 0),
        ROW("7 host, one at the NIC", D(.layer = HOST), S(.attempts = 2, .nic = 1), HOLDS, 7,
            SP_BY_RECEIVER, 0),
        ROW("7 host, rewritten NIC only", D(.layer = HOST), S(.attempts = 2, .rewritten = 1), HOLDS,
            7, SP_BY_RECEIVER, 0),
        ROW("7 host, its own reject", D(.layer = HOST),
            S(.attempts = 2, .nic = 2, .answer = SP_ANSWER_UNREACHABLE, .answered = 2,
              .answer_left = 2, .answerer = SP_ANSWERER_DESTINATION),
            HOLDS, 7, SP_BY_RECEIVER, 0),
        ROW("7 host, the probe's own reply to the NIC's packet", D(.layer = HOST),
            S(.attempts = 2, .nic = 2, .answer = SP_ANSWER_CRAFTED, .answered = 2,
              .answer_left = 2),
            HOLDS, 7, SP_BY_RECEIVER, 0),
        ROW("an expectation that does not exist is a deny", X(.layer = NETWORK),
            S(.attempts = 2, .nic = 1), SP_VERDICT_LEAK, 1, 0, 0),
    };
    CHECK(rows);
}

/* Rows 8 to 11. */
static void test_allowed_undelivered(void **state)
{
    (void)state;
    static const struct row rows[] = {
        ROW("8 elsewhere", A(.layer = NETWORK), S(.attempts = 21, .elsewhere = 1),
            SP_VERDICT_MISDELIVERED, 8, 0, 0),
        ROW("8 elsewhere without a control", A(.layer = HOST), U(.elsewhere = 1),
            SP_VERDICT_MISDELIVERED, 8, 0, 0),
        ROW("8 rewritten", A(.layer = NETWORK),
            S(.attempts = 21, .nic = 21, .host = 21, .answered = 21, .answer = SP_ANSWER_RST,
              .rewritten = 21),
            SP_VERDICT_MISDELIVERED, 8, 0, 0),
        ROW("8 rewritten once", A(.layer = NETWORK), S(.attempts = 21, .rewritten = 1),
            SP_VERDICT_MISDELIVERED, 8, 0, 0),
        ROW("9 proxied", A(.layer = NETWORK),
            S(.attempts = 21, .answer = SP_ANSWER_SYN_ACK, .answered = 21), SP_VERDICT_PROXIED, 9,
            SP_BY_ANSWERER, 0),
        ROW("9 proxied behind the NIC", A(.layer = NETWORK),
            S(.attempts = 21, .nic = 21, .answer = SP_ANSWER_DATA, .answered = 21),
            SP_VERDICT_PROXIED, 9, SP_BY_ANSWERER, 0),
        ROW("9 declared", A(.layer = NETWORK, .proxy_declared = true),
            S(.attempts = 21, .answer = SP_ANSWER_SYN_ACK, .answered = 21), HOLDS, 9, 0, 0),
        ROW("9 declared, a single attempt", A(.layer = NETWORK, .proxy_declared = true),
            S(.attempts = 1, .answer = SP_ANSWER_DATA, .answered = 1), HOLDS, 9, 0, 0),
        ROW("9 declared, answers prove themselves", A(.layer = NETWORK, .proxy_declared = true),
            S(.attempts = 21, .answer = SP_ANSWER_ECHO, .answered = 21,
              .unsound = SP_UNSOUND_NO_CONTROL),
            HOLDS, 9, 0, 0),
        ROW("9 declared, with confirmed loss", A(.layer = NETWORK, .proxy_declared = true),
            S(.attempts = 42, .answer = SP_ANSWER_SYN_ACK, .answered = 30, .loss_confirmed = true),
            SP_VERDICT_PARTIAL, 13, SP_BY_PATH, 0),
        ROW("10 dropped", A(.layer = NETWORK), S(.attempts = 21), SP_VERDICT_BLOCKED, 10,
            SP_BY_PATH, 0),
        ROW("10 dropped, proxy declared", A(.layer = NETWORK, .proxy_declared = true),
            S(.attempts = 21), SP_VERDICT_BLOCKED, 10, SP_BY_PATH, 0),
        ROW("10 rejected", A(.layer = HOST),
            S(.attempts = 21, .answer = SP_ANSWER_UNREACHABLE, .answered = 21), SP_VERDICT_BLOCKED,
            10, SP_BY_ANSWERER, 0),
        ROW("10 by the sender", A(.layer = NETWORK), S(.attempts = 0, .sender_policy = true),
            SP_VERDICT_BLOCKED, 10, SP_BY_SENDER, 0),
        ROW("10 not when the receiver answered", A(.layer = NETWORK),
            S(.attempts = 21, .answer_left = 3), OPEN, 10, 0, SP_UNSOUND_CONTRADICTION),
        ROW("10 not when its probe replied", A(.layer = NETWORK),
            S(.attempts = 21, .answer = SP_ANSWER_CRAFTED, .answered = 3), OPEN, 10, 0,
            SP_UNSOUND_CONTRADICTION),
        ROW("11", A(.layer = NETWORK), S(.attempts = 21, .nic = 1), SP_VERDICT_HOST_FILTERED, 11,
            SP_BY_RECEIVER, 0),
        ROW("11 with a reject by the host", A(.layer = HOST),
            S(.attempts = 21, .nic = 21, .answer = SP_ANSWER_UNREACHABLE, .answered = 21,
              .answer_left = 21, .answerer = SP_ANSWERER_DESTINATION),
            SP_VERDICT_HOST_FILTERED, 11, SP_BY_RECEIVER, 0),
        ROW("11 needs soundness", A(.layer = NETWORK),
            S(.attempts = 21, .nic = 21, .unsound = SP_UNSOUND_INTERFACE), OPEN, 3, 0,
            SP_UNSOUND_INTERFACE),
    };
    CHECK(rows);
}

/* Rows 12 to 14. */
static void test_allowed_delivered(void **state)
{
    (void)state;
    static const struct row rows[] = {
        ROW("12 the receiver is silent", A(.layer = NETWORK),
            S(.attempts = 21, .nic = 21, .host = 21), SP_VERDICT_RETURN_BLOCKED, 12, SP_BY_RECEIVER,
            0),
        ROW("12 the way back", A(.layer = NETWORK),
            S(.attempts = 21, .nic = 21, .host = 21, .answer_left = 21, .answer = SP_ANSWER_RST),
            SP_VERDICT_RETURN_BLOCKED, 12, SP_BY_PATH, 0),
        ROW("12 somebody else refuses", A(.layer = NETWORK),
            S(.attempts = 21, .nic = 21, .host = 21, .answer_left = 21, .answered = 21,
              .answer = SP_ANSWER_RST, .answerer = SP_ANSWERER_BEFORE),
            SP_VERDICT_RETURN_BLOCKED, 12, SP_BY_ANSWERER, 0),
        ROW("13 host", A(.layer = NETWORK),
            S(.attempts = 42, .nic = 30, .host = 30, .answered = 30, .answer = SP_ANSWER_SYN_ACK,
              .loss_confirmed = true),
            SP_VERDICT_PARTIAL, 13, SP_BY_PATH, 0),
        ROW("13 answers", A(.layer = NETWORK),
            S(.attempts = 42, .nic = 42, .host = 42, .answered = 30, .answer = SP_ANSWER_SYN_ACK,
              .loss_confirmed = true),
            SP_VERDICT_PARTIAL, 13, SP_BY_PATH, 0),
        ROW("13 most lost, in one batch only", A(.layer = NETWORK),
            S(.attempts = 21, .nic = 10, .host = 10, .answered = 10, .answer = SP_ANSWER_SYN_ACK),
            OPEN, 13, 0, SP_UNSOUND_LOSS),
        ROW("14 answered", A(.layer = NETWORK),
            S(.attempts = 21, .nic = 21, .host = 21, .answered = 21, .answer = SP_ANSWER_SYN_ACK),
            HOLDS, 14, 0, 0),
        ROW("14 service closed", A(.layer = HOST),
            S(.attempts = 21, .nic = 21, .host = 21, .answered = 21, .answer = SP_ANSWER_RST,
              .answerer = SP_ANSWERER_DESTINATION),
            HOLDS, 14, 0, 0),
        ROW("14 proves itself", A(.layer = NETWORK),
            U(.attempts = 21, .nic = 21, .host = 21, .answered = 21, .answer = SP_ANSWER_RST,
              .unsound = SP_UNSOUND_NO_CONTROL),
            HOLDS, 14, 0, 0),
        ROW("14 the capture missed some that were answered", A(.layer = NETWORK),
            U(.attempts = 21, .nic = 20, .host = 20, .answered = 21, .answer = SP_ANSWER_SYN_ACK),
            HOLDS, 14, 0, 0),
    };
    CHECK(rows);
    /* Little loss, not confirmed: it holds, and says so. */
    struct sp_case what = {.expect = ALLOW};
    struct sp_seen seen = {SENT(42), GOT(41), .answered = 41, .answer = SP_ANSWER_SYN_ACK};
    struct sp_judgement got = sp_judge(&what, &seen);
    assert_int_equal(got.verdict, SP_VERDICT_HOLDS);
    assert_int_equal(got.row, 14);
    assert_true(got.lossy);
    seen.answered = 42; /* the receiver missed one that was answered: told as well */
    assert_true(sp_judge(&what, &seen).lossy);
    seen.host = 42;
    assert_false(sp_judge(&what, &seen).lossy);
    seen.host = seen.answered = 21; /* exactly half is not "most lost" */
    assert_int_equal(sp_judge(&what, &seen).verdict, SP_VERDICT_HOLDS);
    seen.host = seen.answered = 20;
    assert_int_equal(sp_judge(&what, &seen).verdict, SP_VERDICT_INCONCLUSIVE);
}

static void test_one_sided(void **state)
{
    (void)state;
#define TO_DENY  D(.layer = NETWORK, .one_sided = true)
#define TO_ALLOW A(.layer = NETWORK, .one_sided = true)
    static const struct row rows[] = {
        ROW("15 answered", TO_DENY,
            S(.attempts = 2, .answer = SP_ANSWER_SYN_ACK, .answered = 1,
              .answerer = SP_ANSWERER_DESTINATION),
            SP_VERDICT_LEAK, 15, 0, 0),
        ROW("15 without a control", TO_DENY,
            U(.answer = SP_ANSWER_ECHO, .answered = 1, .answerer = SP_ANSWERER_DESTINATION,
              .unsound = SP_UNSOUND_NO_CONTROL),
            SP_VERDICT_LEAK, 15, 0, 0),
        ROW("16 not shown to be the target", TO_DENY,
            S(.attempts = 2, .answer = SP_ANSWER_SYN_ACK, .answered = 1), SP_VERDICT_PROXIED, 16,
            SP_BY_ANSWERER, 0),
        ROW("16 from before the target", TO_DENY,
            S(.attempts = 2, .answer = SP_ANSWER_DATA, .answered = 1,
              .answerer = SP_ANSWERER_BEFORE),
            SP_VERDICT_PROXIED, 16, SP_BY_ANSWERER, 0),
        ROW("17 silent", TO_DENY, S(.attempts = 2), SP_VERDICT_NOT_OBSERVABLE, 17, 0, 0),
        ROW("17 no control is needed to say so", TO_DENY,
            U(.attempts = 2, .unsound = SP_UNSOUND_NO_CONTROL), SP_VERDICT_NOT_OBSERVABLE, 17, 0,
            0),
        ROW("17 rejected on the way", TO_DENY,
            S(.attempts = 2, .answer = SP_ANSWER_RST, .answered = 2,
              .answerer = SP_ANSWERER_BEFORE),
            SP_VERDICT_NOT_OBSERVABLE, 17, 0, 0),
        ROW("17 an RST of its own shows an arrival", TO_DENY,
            S(.attempts = 2, .answer = SP_ANSWER_RST, .answered = 2,
              .answerer = SP_ANSWERER_DESTINATION),
            OPEN, 17, 0, SP_UNSOUND_ANSWERER),
        ROW("17 an impossible reply", TO_DENY, S(.attempts = 2, .answer = SP_ANSWER_CRAFTED), OPEN,
            17, 0, SP_UNSOUND_CONTRADICTION),
        ROW("3 the sender was lost", TO_DENY, S(.attempts = 2, .unsound = SP_UNSOUND_SENDER_LOST),
            OPEN, 3, 0, SP_UNSOUND_SENDER_LOST),
        ROW("3 the sender refused", TO_DENY, S(.attempts = 2, .unsound = SP_UNSOUND_SENDER_ARM),
            OPEN, 3, 0, SP_UNSOUND_SENDER_ARM),
        ROW("3 no route", TO_DENY, S(.attempts = 2, .unsound = SP_UNSOUND_NO_ROUTE), OPEN, 3, 0,
            SP_UNSOUND_NO_ROUTE),
        ROW("3 interrupted", TO_ALLOW, S(.attempts = 2, .unsound = SP_UNSOUND_INTERRUPTED), OPEN, 3,
            0, SP_UNSOUND_INTERRUPTED),
        ROW("3 not seen leaving", TO_DENY, S(.attempts = 2, .unsound = SP_UNSOUND_NOT_SENT), OPEN,
            3, 0, SP_UNSOUND_NOT_SENT),
        ROW("3 nothing sent", TO_DENY, S(.attempts = 0), OPEN, 3, 0, SP_UNSOUND_NOT_SENT),
        ROW("3 the sender's policy never proves a one-sided block",
            D(.layer = HOST, .one_sided = true), S(.attempts = 0, .sender_policy = true), OPEN, 3,
            0, SP_UNSOUND_SENDER_POLICY),
        ROW("8 elsewhere", TO_ALLOW, S(.attempts = 21, .elsewhere = 1), SP_VERDICT_MISDELIVERED, 8,
            0, 0),
        ROW("16 allowed, from before", TO_ALLOW,
            S(.attempts = 21, .answer = SP_ANSWER_SYN_ACK, .answered = 21,
              .answerer = SP_ANSWERER_BEFORE),
            SP_VERDICT_PROXIED, 16, SP_BY_ANSWERER, 0),
        ROW("18 through a declared proxy",
            A(.layer = NETWORK, .one_sided = true, .proxy_declared = true),
            S(.attempts = 21, .answer = SP_ANSWER_SYN_ACK, .answered = 21,
              .answerer = SP_ANSWERER_BEFORE),
            HOLDS, 18, 0, 0),
        ROW("18 answered", TO_ALLOW, S(.attempts = 21, .answer = SP_ANSWER_SYN_ACK, .answered = 21),
            HOLDS, 18, 0, 0),
        ROW("18 a single attempt", TO_ALLOW,
            S(.attempts = 1, .answer = SP_ANSWER_ECHO, .answered = 1), HOLDS, 18, 0, 0),
        ROW("18 service closed", TO_ALLOW,
            S(.attempts = 21, .answer = SP_ANSWER_RST, .answered = 21,
              .answerer = SP_ANSWERER_DESTINATION),
            HOLDS, 18, 0, 0),
        ROW("13 one-sided loss", TO_ALLOW,
            S(.attempts = 42, .answer = SP_ANSWER_SYN_ACK, .answered = 30, .loss_confirmed = true),
            SP_VERDICT_PARTIAL, 13, SP_BY_PATH, 0),
        ROW("19 silent", TO_ALLOW, S(.attempts = 21), OPEN, 19, 0, SP_UNSOUND_SILENT),
        ROW("19 refused by somebody", TO_ALLOW,
            S(.attempts = 21, .answer = SP_ANSWER_RST, .answered = 21,
              .answerer = SP_ANSWERER_BEFORE),
            OPEN, 19, 0, SP_UNSOUND_ANSWERER),
        ROW("19 an ICMP error may be its firewall's", TO_ALLOW,
            S(.attempts = 21, .answer = SP_ANSWER_UNREACHABLE, .answered = 21,
              .answerer = SP_ANSWERER_DESTINATION),
            OPEN, 19, 0, SP_UNSOUND_ANSWERER),
    };
    CHECK(rows);
}

/* A permit that does not work is a note, and keeps what it would have been. */
static void test_permit(void **state)
{
    (void)state;
    static const struct {
        struct sp_seen seen;
        enum sp_verdict noted;
    } notes[] = {
        {{SENT(21), .elsewhere = 1}, SP_VERDICT_MISDELIVERED},
        {{SENT(21), .answer = SP_ANSWER_SYN_ACK, .answered = 1}, SP_VERDICT_PROXIED},
        {{SENT(21)}, SP_VERDICT_BLOCKED},
        {{SENT(21), .nic = 1}, SP_VERDICT_HOST_FILTERED},
        {{SENT(21), .nic = 1, .host = 1}, SP_VERDICT_RETURN_BLOCKED},
        {{SENT(42), .nic = 30, .host = 30, .answered = 30, .answer = SP_ANSWER_RST,
          .loss_confirmed = true},
         SP_VERDICT_PARTIAL},
    };
    struct sp_case what = {.expect = PERMIT};
    for (size_t i = 0; i < SP_ARRAY_LEN(notes); i++) {
        struct sp_judgement got = sp_judge(&what, &notes[i].seen);
        assert_int_equal(got.verdict, SP_VERDICT_HOLDS);
        assert_true(got.is_note);
        assert_int_equal(got.noted, notes[i].noted);
    }
    struct sp_seen works = {SENT(21), GOT(21), .answered = 21, .answer = SP_ANSWER_RST};
    struct sp_judgement got = sp_judge(&what, &works);
    assert_int_equal(got.verdict, SP_VERDICT_HOLDS);
    assert_false(got.is_note);
}

static void test_words(void **state)
{
    (void)state;
    assert_string_equal(sp_verdict_str(SP_VERDICT_HOLDS), "holds");
    assert_string_equal(sp_verdict_str(SP_VERDICT_RETURN_BLOCKED), "return_blocked");
    assert_string_equal(sp_verdict_str(SP_VERDICT_INCONCLUSIVE), "inconclusive");
    assert_string_equal(sp_verdict_str(SP_VERDICT_NOT_TESTED), "not_tested");
    assert_string_equal(sp_verdict_str(SP_VERDICT_COUNT), "unknown");
    assert_string_equal(sp_grade_str(SP_GRADE_PAIR), "pair");
    assert_string_equal(sp_grade_str(9), "unknown");
    assert_string_equal(sp_answer_str(SP_ANSWER_SYN_ACK), "syn_ack");
    assert_string_equal(sp_answer_str(SP_ANSWER_UNREACHABLE), "unreachable");
    assert_string_equal(sp_answer_str(99), "unknown");
    assert_string_equal(sp_by_str(SP_BY_PATH), "path");
    assert_string_equal(sp_by_str(99), "unknown");
    assert_string_equal(sp_unsound_str(SP_UNSOUND_COUNT), "unknown");
    for (int why = SP_SOUND; why < SP_UNSOUND_COUNT; why++) {
        const char *words = sp_unsound_str((enum sp_unsound)why);
        assert_non_null(words);
        assert_true(strlen(words) > 3);
    }
    for (int verdict = 0; verdict < SP_VERDICT_COUNT; verdict++) {
        bool is_finding = verdict >= SP_VERDICT_LEAK && verdict <= SP_VERDICT_PROXIED;
        assert_int_equal(sp_verdict_is_finding((enum sp_verdict)verdict), is_finding);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_denied_arrival),
        cmocka_unit_test(test_unsound),
        cmocka_unit_test(test_denied_silence),
        cmocka_unit_test(test_allowed_undelivered),
        cmocka_unit_test(test_allowed_delivered),
        cmocka_unit_test(test_one_sided),
        cmocka_unit_test(test_permit),

        cmocka_unit_test(test_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
