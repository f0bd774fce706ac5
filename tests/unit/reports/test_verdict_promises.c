/* SPDX-License-Identifier: Apache-2.0
 *
 * The judge against every combination of what can be seen: promises from the design that no row may
 * break, above all that nothing holds without proof. */
#include "probe/base/attr.h"
#include "reports/verdict.h"
#include "tests/support/sp_cmocka.h"

static bool serves(uint8_t answer)
{
    return answer == SP_ANSWER_SYN_ACK || answer == SP_ANSWER_DATA || answer == SP_ANSWER_ECHO;
}

/* Returns the promise that is broken, or NULL. Written from the design, not from the judge. */
static const char *broken(const struct sp_case *c, const struct sp_seen *s,
                          const struct sp_judgement *j)
{
    bool sound = s->unsound == SP_SOUND && s->capture_lossless;
    bool holds = j->verdict == SP_VERDICT_HOLDS;
    bool arrived =
        c->layer == SP_LAYER_HOST ? s->host > 0 : s->nic > 0 || s->host > 0 || s->rewritten > 0;
    if (j->verdict >= SP_VERDICT_COUNT || j->verdict == SP_VERDICT_NOT_TESTED || j->row == 0) {
        return "a verdict of the table";
    }
    if ((j->verdict == SP_VERDICT_INCONCLUSIVE) != (j->reason != SP_SOUND)) {
        return "inconclusive, and nothing else, has a reason";
    }
    if (!j->is_note && j->noted != j->verdict) {
        return "only notes differ from what they note";
    }
    if (c->expect == SP_EXPECT_ALLOW || c->expect == SP_EXPECT_PERMIT) {
        if (j->verdict == SP_VERDICT_LEAK || j->verdict == SP_VERDICT_NOT_OBSERVABLE) {
            return "no leak of an allowed flow";
        }
        if (holds && !j->is_note) {
            if (s->host == 0 && !c->proxy_declared && !c->one_sided) {
                return "holds without delivery";
            }
            if (s->answered == 0 || s->attempts == 0 || 2 * s->answered < s->attempts) {
                return "holds without answers";
            }
            if (s->elsewhere > 0 || (s->rewritten > 0 && !c->one_sided)) {
                return "holds although misdelivered";
            }
            if (!j->lossy && s->answered < s->attempts) {
                return "loss is told";
            }
            if (s->loss_confirmed && s->answered < s->attempts && sound) {
                return "confirmed loss is partial";
            }
        }
        enum sp_verdict v = j->noted;
        if (!sound && !c->one_sided && sp_verdict_is_finding(v) && v != SP_VERDICT_MISDELIVERED) {
            return "a finding that rests on absence without a control";
        }
        return NULL;
    }
    if (j->is_note ||
        (!holds && j->verdict != SP_VERDICT_LEAK && j->verdict != SP_VERDICT_PROXIED &&
         j->verdict != SP_VERDICT_INCONCLUSIVE && j->verdict != SP_VERDICT_NOT_OBSERVABLE)) {
        return "no verdict of a denied flow";
    }
    if ((arrived || s->elsewhere > 0) && j->verdict != SP_VERDICT_LEAK) {
        return "an arrival is a leak";
    }
    if (j->verdict == SP_VERDICT_NOT_OBSERVABLE && !c->one_sided) {
        return "only targets without a probe are not observable";
    }
    if (!holds) {
        return NULL;
    }
    if (!sound || c->one_sided || serves(s->answer)) {
        return "holds without proof";
    }
    if (s->attempts == 0 && !(s->sender_policy && c->layer == SP_LAYER_HOST)) {
        return "holds though nothing was sent";
    }
    if (s->attempts > 0 && s->nic == 0 && s->rewritten == 0 &&
        (s->answer == SP_ANSWER_CRAFTED || s->answer_left > 0)) {
        return "holds though the receiver answered";
    }
    if (s->attempts > 0 && s->answer == SP_ANSWER_RST && s->answerer != SP_ANSWERER_BEFORE &&
        !c->reject_declared) {
        return "holds on an RST that nobody placed";
    }
    return NULL;
}

/* What a balancer's address adds: written from the design, too. */
static const char *broken_balanced(const struct sp_case *c, const struct sp_seen *s,
                                   const struct sp_judgement *j)
{
    bool allow = c->expect == SP_EXPECT_ALLOW || c->expect == SP_EXPECT_PERMIT;
    bool holds = j->verdict == SP_VERDICT_HOLDS && !j->is_note;
    bool sound = s->unsound == SP_SOUND && s->capture_lossless;
    if (j->verdict >= SP_VERDICT_COUNT || j->row == 0) {
        return "a verdict of the table";
    }
    if ((j->verdict == SP_VERDICT_INCONCLUSIVE) != (j->reason != SP_SOUND)) {
        return "inconclusive, and nothing else, has a reason";
    }
    if (!allow) {
        bool arrived = c->layer == SP_LAYER_HOST ? s->host > 0 : s->nic > 0 || s->host > 0;
        if ((arrived || s->elsewhere > 0 || serves(s->answer)) && j->verdict != SP_VERDICT_LEAK) {
            return "who gets it or serves it leaks";
        }
        return holds && (!sound || s->attempts == 0) ? "holds without proof" : NULL;
    }
    if (j->verdict == SP_VERDICT_LEAK) {
        return "no leak of an allowed flow";
    }
    if (!holds) {
        return NULL;
    }
    if (s->host == 0 || s->elsewhere > 0 || s->rewritten > 0) {
        return "holds though no backend got it, or somebody else did";
    }
    if (sound && s->foreign > 0 && s->backends_blind == 0) {
        return "holds though somebody unknown served it";
    }
    if (s->backends_reached < s->backends) {
        return "holds though a backend was never reached";
    }
    return s->answered <= s->foreign && s->backends_blind > 0 ? "holds without answers" : NULL;
}

static void test_no_promise_of_balancers_broken(void **state)
{
    (void)state;
    static const enum sp_unsound reasons[] = {SP_SOUND, SP_UNSOUND_NO_CONTROL, SP_UNSOUND_STANDIN};
    static const uint8_t expects[] = {SP_EXPECT_DENY, SP_EXPECT_ALLOW, SP_EXPECT_PERMIT, 77};
    for (unsigned bits = 0; bits < 1U << 10; bits++) {
        struct sp_case what = {
            .balanced = true, .layer = bits & 1U, .reject_declared = (bits >> 1 & 1U) != 0};
        struct sp_seen seen = {.sender_policy = (bits >> 2 & 1U) != 0,
                               .capture_lossless = (bits >> 3 & 1U) != 0,
                               .nic = (bits >> 4 & 1U) * 2,
                               .answer_left = bits >> 5 & 1U,
                               .elsewhere = bits >> 6 & 1U,
                               .rewritten = bits >> 7 & 1U,
                               .foreign = bits >> 8 & 1U,
                               .loss_confirmed = (bits >> 9 & 1U) != 0,
                               .backends = 2};
        for (unsigned rest = 0; rest < 4 * 3 * 2 * 27 * 3; rest++) {
            what.expect = expects[rest % 4];
            seen.unsound = reasons[rest / 4 % 3];
            seen.backends_blind = (uint16_t)(rest / 12 % 2);
            seen.attempts = (uint16_t)(rest / 24 % 3);
            seen.host = (uint16_t)(rest / 72 % 3);
            seen.answered = (uint16_t)(rest / 216 % 3);
            seen.backends_reached = (uint16_t)(rest / 648 % 3);
            for (uint8_t answer = 0; answer <= SP_ANSWER_UNREACHABLE + 1; answer++) {
                seen.answer = answer;
                struct sp_judgement judged = sp_judge(&what, &seen);
                const char *promise = broken_balanced(&what, &seen, &judged);
                if (promise) {
                    fail_msg("broken: %s (bits %x rest %u answer %u expect %u) -> %s row %u",
                             promise, bits, rest, answer, what.expect,
                             sp_verdict_str(judged.verdict), judged.row);
                }
            }
        }
    }
}

static void check_all_answers(const struct sp_case *what, struct sp_seen *seen)
{
    for (uint8_t answer = 0; answer <= SP_ANSWER_UNREACHABLE + 1; answer++) {
        for (uint8_t answerer = 0; answerer <= SP_ANSWERER_BEFORE; answerer++) {
            seen->answer = answer;
            seen->answerer = answerer;
            struct sp_judgement judged = sp_judge(what, seen);
            const char *promise = broken(what, seen, &judged);
            if (promise) {
                fail_msg("broken: %s (expect %u layer %u reject %d proxy %d one-sided %d; unsound "
                         "%d policy %d lossless %d attempts %u nic %u host %u left %u answered %u "
                         "elsewhere %u rewritten %u answer %u answerer %u loss %d) -> %s row %u",
                         promise, what->expect, what->layer, what->reject_declared,
                         what->proxy_declared, what->one_sided, (int)seen->unsound,
                         seen->sender_policy, seen->capture_lossless, seen->attempts, seen->nic,
                         seen->host, seen->answer_left, seen->answered, seen->elsewhere,
                         seen->rewritten, answer, answerer, seen->loss_confirmed,
                         sp_verdict_str(judged.verdict), judged.row);
            }
        }
    }
}

static void test_no_promise_broken(void **state)
{
    (void)state;
    static const enum sp_unsound reasons[] = {SP_SOUND, SP_UNSOUND_SENDER_LOST,
                                              SP_UNSOUND_NO_CONTROL, (enum sp_unsound)99};
    static const uint8_t expects[] = {SP_EXPECT_DENY, SP_EXPECT_ALLOW, SP_EXPECT_PERMIT, 77};
    for (unsigned bits = 0; bits < 1U << 11; bits++) {
        struct sp_case what = {.layer = bits & 1U,
                               .reject_declared = (bits >> 1 & 1U) != 0,
                               .proxy_declared = (bits >> 2 & 1U) != 0,
                               .one_sided = (bits >> 3 & 1U) != 0};
        struct sp_seen seen = {.sender_policy = (bits >> 4 & 1U) != 0,
                               .capture_lossless = (bits >> 5 & 1U) != 0,
                               .nic = (bits >> 6 & 1U) * 2,
                               .answer_left = bits >> 7 & 1U,
                               .elsewhere = bits >> 8 & 1U,
                               .rewritten = bits >> 9 & 1U,
                               .loss_confirmed = (bits >> 10 & 1U) != 0};
        for (unsigned rest = 0; rest < 4 * 4 * 27; rest++) {
            what.expect = expects[rest % 4];
            seen.unsound = reasons[rest / 4 % 4];
            seen.attempts = (uint16_t)(rest / 16 % 3 * 2);
            seen.host = (uint16_t)(rest / 48 % 3);
            seen.answered = (uint16_t)(rest / 144 % 3);
            check_all_answers(&what, &seen);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_no_promise_broken),
        cmocka_unit_test(test_no_promise_of_balancers_broken),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
