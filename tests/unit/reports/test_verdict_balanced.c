/* SPDX-License-Identifier: Apache-2.0
 *
 * The judge at a load balancer's address, row by row. Each case fails when its row is gone. */
#include "tests/unit/reports/verdict_rows.h"

#define SENT(n) .attempts = (n)

/* A balancer's address: .backends with a probe, .backends_blind without. */
#define BALANCED .balanced = true
#define TWO(n)   .backends = 2, .backends_reached = (n)

static void test_balanced_deny(void **state)
{
    (void)state;
    static const struct row rows[] = {
        ROW("a backend got it", D(BALANCED), S(SENT(2), GOT(1)), SP_VERDICT_LEAK, 1, SP_BY_NOBODY,
            SP_SOUND),
        ROW("another probe got it", D(BALANCED), S(SENT(2), .elsewhere = 1), SP_VERDICT_LEAK, 2,
            SP_BY_NOBODY, SP_SOUND),
        ROW("the address serves", D(BALANCED), S(SENT(2), .answered = 2, .answer = SP_ANSWER_DATA),
            SP_VERDICT_LEAK, SP_ROW_ONE_SIDED_LEAK, SP_BY_NOBODY, SP_SOUND),
        ROW("it serves, whatever the controls say", D(BALANCED),
            S(SENT(2), .unsound = SP_UNSOUND_NO_CONTROL, .answered = 1,
              .answer = SP_ANSWER_SYN_ACK),
            SP_VERDICT_LEAK, SP_ROW_ONE_SIDED_LEAK, SP_BY_NOBODY, SP_SOUND),
        ROW("no control", D(BALANCED), S(SENT(2), .unsound = SP_UNSOUND_NO_CONTROL), OPEN, 3,
            SP_BY_NOBODY, SP_UNSOUND_NO_CONTROL),
        ROW("the sender's own policy", D(BALANCED), S(SENT(0), .sender_policy = true), OPEN, 4,
            SP_BY_NOBODY, SP_UNSOUND_SENDER_POLICY),
        ROW("refused, by whomever", D(BALANCED),
            S(SENT(2), .answered = 2, .answer = SP_ANSWER_RST, .answerer = SP_ANSWERER_DESTINATION),
            HOLDS, 6, SP_BY_ANSWERER, SP_SOUND),
        ROW("silent, but not all backends have a probe", D(BALANCED),
            S(SENT(2), .backends_blind = 1), SP_VERDICT_NOT_OBSERVABLE, SP_ROW_ONE_SIDED_DENIED,
            SP_BY_NOBODY, SP_SOUND),
        ROW("refused, perhaps by a backend without a probe", D(BALANCED),
            S(SENT(2), .answered = 2, .answer = SP_ANSWER_RST, .backends_blind = 1),
            SP_VERDICT_NOT_OBSERVABLE, SP_ROW_ONE_SIDED_DENIED, SP_BY_NOBODY, SP_SOUND),
        ROW("silent", D(BALANCED), S(SENT(2), .answerer = 0), HOLDS, 7, SP_BY_PATH, SP_SOUND),
        ROW("a backend answered what it never saw", D(BALANCED), S(SENT(2), .answer_left = 1), OPEN,
            6, SP_BY_NOBODY, SP_UNSOUND_CONTRADICTION),
    };
    CHECK(rows);
}

static void test_balanced_allow(void **state)
{
    (void)state;
#define WORKS(n) SENT(n), GOT(n), .answered = (n), .answer = SP_ANSWER_DATA
    static const struct row rows[] = {
        ROW("all backends", A(BALANCED), S(WORKS(21), TWO(2)), HOLDS, 14, SP_BY_NOBODY, SP_SOUND),
        ROW("another probe got some", A(BALANCED), S(WORKS(21), TWO(2), .elsewhere = 1),
            SP_VERDICT_MISDELIVERED, 8, SP_BY_NOBODY, SP_SOUND),
        ROW("not as declared", A(BALANCED), S(WORKS(21), TWO(2), .rewritten = 1),
            SP_VERDICT_MISDELIVERED, 8, SP_BY_NOBODY, SP_SOUND),
        ROW("the handshake passes, the data is lost", A(BALANCED),
            S(SENT(21), TWO(0), .opened = 21, .answer = SP_ANSWER_SYN_ACK), SP_VERDICT_BLOCKED, 10,
            SP_BY_PATH, SP_SOUND),
        ROW("somebody unknown serves", A(BALANCED),
            S(SENT(21), GOT(20), TWO(2), .answered = 21, .answer = SP_ANSWER_DATA, .foreign = 1),
            SP_VERDICT_MISDELIVERED, 8, SP_BY_NOBODY, SP_SOUND),
        ROW("a backend without a probe may serve", A(BALANCED),
            S(SENT(21), GOT(20), .backends = 1, .backends_reached = 1, .backends_blind = 1,
              .answered = 21, .answer = SP_ANSWER_DATA, .foreign = 1),
            HOLDS, 14, SP_BY_NOBODY, SP_SOUND),
        ROW("only the unseen one serves", A(BALANCED),
            S(SENT(21), .backends = 1, .backends_blind = 1, .answered = 21,
              .answer = SP_ANSWER_DATA, .foreign = 21),
            OPEN, 9, SP_BY_NOBODY, SP_UNSOUND_SILENT),
        ROW("nothing, and no control", A(BALANCED),
            S(SENT(21), TWO(0), .unsound = SP_UNSOUND_NO_CONTROL), OPEN, 3, SP_BY_NOBODY,
            SP_UNSOUND_NO_CONTROL),
        ROW("the sender's own policy", A(BALANCED), S(SENT(0), TWO(0), .sender_policy = true),
            SP_VERDICT_BLOCKED, 10, SP_BY_SENDER, SP_SOUND),
        ROW("a backend's own firewall", A(BALANCED), S(SENT(21), TWO(0), .nic = 21),
            SP_VERDICT_HOST_FILTERED, 11, SP_BY_RECEIVER, SP_SOUND),
        ROW("nobody behind it", A(BALANCED),
            S(SENT(21), TWO(0), .answered = 21, .answer = SP_ANSWER_RST), SP_VERDICT_BLOCKED, 10,
            SP_BY_ANSWERER, SP_SOUND),
        ROW("it takes the handshake alone", A(BALANCED),
            S(SENT(21), TWO(0), .answered = 21, .answer = SP_ANSWER_SYN_ACK), SP_VERDICT_BLOCKED,
            10, SP_BY_ANSWERER, SP_SOUND),
        ROW("silent", A(BALANCED), S(SENT(21), TWO(0)), SP_VERDICT_BLOCKED, 10, SP_BY_PATH,
            SP_SOUND),
        ROW("one backend is never reached", A(BALANCED),
            S(WORKS(42), TWO(1), .loss_confirmed = true), SP_VERDICT_PARTIAL, 13, SP_BY_PATH,
            SP_SOUND),
        ROW("never reached, in one batch only", A(BALANCED), S(WORKS(21), TWO(1)), OPEN, 13,
            SP_BY_NOBODY, SP_UNSOUND_LOSS),
        ROW("never reached, without a control", A(BALANCED),
            S(WORKS(21), TWO(1), .unsound = SP_UNSOUND_NO_CONTROL), OPEN, 3, SP_BY_NOBODY,
            SP_UNSOUND_NO_CONTROL),
        ROW("more strangers than flows", A(BALANCED),
            S(SENT(2), GOT(1), .backends = 1, .backends_reached = 1, .backends_blind = 1,
              .answered = 0, .foreign = 9, .answer = SP_ANSWER_DATA),
            OPEN, 3, SP_BY_NOBODY, SP_UNSOUND_NOT_SENT),
    };
    CHECK(rows);
#undef WORKS
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_balanced_deny),
        cmocka_unit_test(test_balanced_allow),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
