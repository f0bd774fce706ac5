/* SPDX-License-Identifier: Apache-2.0
 *
 * What many flows, rates and silences say of a path, and the causes that follow. */
#include <stdio.h>
#include <string.h>

#include "reports/trace_priv.h"
#include "tests/support/report_golden.h"
#include "tests/support/sp_cmocka.h"

/* web-1 -> db-1, two routers. */
struct world {
    struct sp_sample *sample;
    struct sp_trace t;
};

static struct sp_addr v4(uint8_t c, uint8_t d)
{
    const uint8_t bytes[4] = {10, 10, c, d};
    return sp_addr_from_bytes(SP_FAMILY_IPV4, bytes);
}

static struct world begin(uint8_t expect, struct sp_seen seen)
{
    struct world w = {.sample = sp_sample_new()};
    uint32_t rule = expect == SP_EXPECT_DENY ? SP_NONE : SAMPLE_RULE_WEB_TO_DB;
    uint16_t port = expect == SP_EXPECT_DENY ? 22 : 5432;
    size_t test = sp_sample_add(w.sample, SAMPLE_WEB_1, SAMPLE_DB_1, SP_FAMILY_IPV4, SP_PROTO_TCP,
                                port, expect, rule, seen);
    sp_sample_judge(w.sample);
    w.t = (struct sp_trace){.model = w.sample->model,
                            .pair = &w.sample->plan.pairs[w.sample->plan.tests[test].pair],
                            .test = &w.sample->plan.tests[test],
                            .outcome = &w.sample->result->outcomes[test],
                            .is_tested = true,
                            .tries = 4,
                            .left = 4,
                            .elsewhere = SP_NONE,
                            .is_distance_known = true,
                            .nhops = 2};
    w.t.hops[0] = (struct sp_trace_hop){.addr = v4(1, 1), .host = SAMPLE_JUMP, .asked = 2};
    w.t.hops[1] = (struct sp_trace_hop){.addr = v4(9, 2), .host = SP_NONE, .asked = 2};
    w.t.flows = (struct sp_trace_flows){.n = 16, .times = 3, .firsts = 16, .passed = 16};
    return w;
}

static struct world works(void)
{
    struct world w = begin(SP_EXPECT_ALLOW, sp_seen_works());
    w.t.nic = w.t.host = w.t.answer_left = w.t.answered = 4;
    w.t.egress = w.t.answer = SP_ANSWER_RST;
    w.t.answerer = w.t.pair->dst;
    return w;
}

static void end(struct world *w)
{
    sp_sample_free(w->sample);
}

static void expect(struct world *w, enum sp_trace_cause cause, int code, const char *words)
{
    sp_trace_explain(&w->t);
    if (!strstr(w->t.sentence, words)) {
        fail_msg("'%s' is not in: %s", words, w->t.sentence);
    }
    assert_string_equal(sp_trace_cause_str(w->t.cause), sp_trace_cause_str(cause));
    assert_int_equal(sp_trace_exit(&w->t), code);
    assert_true(strlen(w->t.remedy) > 0);
}

static void golden(struct world *w, const char *file)
{
    static const struct sp_trace_style style = {.width = 80, .ascii = true};
    struct sp_buf out;
    sp_buf_init(&out, 1U << 20);
    sp_trace_print(&w->t, &style, &out);
    assert_int_equal(out.rc, SP_OK);
    sp_assert_golden(file, &out);
    sp_buf_release(&out);
}

static void part(struct sp_trace_flows *flows, uint8_t passed, uint8_t lost, uint8_t mixed)
{
    flows->passed = passed;
    flows->lost = lost;
    flows->mixed = mixed;
}

static void test_parallel(void **state)
{
    (void)state;
    struct world w = works();
    part(&w.t.flows, 9, 7, 0);
    w.t.flows.is_located = true;
    w.t.flows.hop = 0;
    w.t.flows.last = v4(1, 1);
    w.t.flows.other = v4(9, 2);
    expect(&w, SP_TRACE_PARALLEL, 1,
           "7 of 16 flows are lost, and always the same ones: one of several parallel paths drops "
           "them, behind 10.10.1.1 (jump), where the others go on to 10.10.9.2");
    assert_int_equal(w.t.place, SP_TRACE_BEFORE_HOP);
    assert_int_equal(w.t.hop, 1);
    w.t.hops[1].paths[0] = v4(9, 2);
    w.t.hops[1].paths[1] = v4(8, 2);
    w.t.hops[1].npaths = 2;
    w.t.hops[1].path_answers = 11;
    w.t.flows.hop = 1;
    w.t.flows.last = v4(8, 2);
    w.t.flows.is_member = true;
    expect(&w, SP_TRACE_PARALLEL, 1, "by or behind 10.10.8.2, where the others go through 10.10.9");
    assert_int_equal(w.t.place, SP_TRACE_AT_HOP);
    golden(&w, "trace-parallel.txt");
    w.t.flows.hop = SIZE_MAX; /* not even the first hop answers for them */
    w.t.flows.last = (struct sp_addr){0};
    w.t.flows.is_member = false;
    expect(&w, SP_TRACE_PARALLEL, 1, "behind web-1");
    end(&w);
}

/* Loss that takes other flows each time is no matter of paths. */
static void test_loss_is_not_parallel(void **state)
{
    (void)state;
    struct world w = works();
    part(&w.t.flows, 8, 2, 6);
    expect(&w, SP_TRACE_WORKS, 0, "it works");
    part(&w.t.flows, 14, 0, 2);
    expect(&w, SP_TRACE_WORKS, 0, "it works");
    part(&w.t.flows, 13, 1, 2);
    assert_true(sp_trace_is_parted(&w.t));
    part(&w.t.flows, 12, 1, 3);
    assert_false(sp_trace_is_parted(&w.t));
    end(&w);
}

/* What passes though it is denied is told, even where the ordinary test saw nothing. */
static void test_denied(void **state)
{
    (void)state;
    struct world w = begin(SP_EXPECT_DENY, sp_seen_silence());
    part(&w.t.flows, 0, 16, 0);
    expect(&w, SP_TRACE_DROPPED, 0, "as declared");
    part(&w.t.flows, 8, 8, 0);
    expect(&w, SP_TRACE_PARALLEL, 1, "8 of 16 flows pass, though it is denied");
    part(&w.t.flows, 0, 12, 4);
    expect(&w, SP_TRACE_PASSES, 1, "now and then it reaches db-1, though it is denied");
    part(&w.t.flows, 0, 16, 0);
    w.t.nic = 1;
    expect(&w, SP_TRACE_PASSES, 1, "1 of 4 packets");
    end(&w);
}

static void test_first_lost(void **state)
{
    (void)state;
    struct world w = begin(SP_EXPECT_ALLOW, sp_seen_silence());
    part(&w.t.flows, 0, 0, 16);
    w.t.flows.first_lost = w.t.flows.again_passed = 16;
    expect(&w, SP_TRACE_FIRST_LOST, 1,
           "the first SYN of every flow is dropped between 10.10.9.2 and db-1");
    golden(&w, "trace-first.txt");
    w.t.flows.again_passed = 13; /* some repetitions are lost, too: it is loss */
    assert_false(sp_trace_is_first_lost(&w.t));
    w.t.flows.first_lost = 15; /* one came at once: nothing drops first packets */
    w.t.flows.again_passed = 15;
    assert_false(sp_trace_is_first_lost(&w.t));
    end(&w);
    w = begin(SP_EXPECT_DENY, sp_seen_silence());
    part(&w.t.flows, 0, 0, 16);
    w.t.flows.first_lost = w.t.flows.again_passed = 16;
    expect(&w, SP_TRACE_FIRST_LOST, 1, "though it is denied");
    end(&w);
}

static void train(struct world *w, uint32_t pps, uint16_t sent, uint16_t arrived)
{
    w->t.rates[w->t.nrates++] =
        (struct sp_trace_rate){.pps = pps, .sent = sent, .arrived = arrived};
}

static void test_rates(void **state)
{
    (void)state;
    uint32_t good, bad, through;
    struct world w = works();
    assert_false(sp_trace_knee(&w.t, &good, &bad, &through));
    train(&w, 100, 35, 35);
    train(&w, 200, 70, 68); /* by chance */
    expect(&w, SP_TRACE_WORKS, 0, "it works");
    assert_true(sp_trace_knee(&w.t, &good, &bad, &through));
    assert_int_equal(good, 200);
    assert_int_equal(bad, 0);
    train(&w, 400, 140, 60);
    train(&w, 800, 280, 70);
    expect(&w, SP_TRACE_POLICED, 0, "200 packets a second arrive, at 400 some are lost, and 200");
    golden(&w, "trace-policed.txt");
    train(&w, 1600, 560, 560); /* a higher rate loses nothing: whatever it was, it was no limit */
    assert_false(sp_trace_knee(&w.t, &good, &bad, &through));
    expect(&w, SP_TRACE_WORKS, 0, "it works");
    w.t.nrates = 0;
    train(&w, 100, 35, 7);
    expect(&w, SP_TRACE_POLICED, 0, "to less than 100 packets a second: 20 a second");
    end(&w);
}

static void talk(struct world *w, uint32_t silent_ms, uint8_t survived, uint8_t reset)
{
    w->t.idle[w->t.nidle++] = (struct sp_trace_idle){
        .silent_ms = silent_ms, .opened = 2, .survived = survived, .reset = reset};
}

static void test_silence(void **state)
{
    (void)state;
    uint32_t good, bad;
    bool is_reset;
    struct world w = works();
    assert_false(sp_trace_silences(&w.t, &good, &bad, &is_reset));
    talk(&w, 0, 0, 0);
    talk(&w, 1000, 2, 0); /* not even without a silence: nothing can be said */
    assert_false(sp_trace_silences(&w.t, &good, &bad, &is_reset));
    w.t.idle[0].survived = 2;
    assert_true(sp_trace_silences(&w.t, &good, &bad, &is_reset));
    assert_int_equal(good, 1000);
    assert_int_equal(bad, 0);
    expect(&w, SP_TRACE_WORKS, 0, "it works");
    talk(&w, 2000, 0, 0); /* lost by chance: a longer one survives */
    talk(&w, 3000, 1, 0);
    talk(&w, 4500, 0, 0);
    talk(&w, 6000, 0, 0);
    expect(&w, SP_TRACE_IDLE_CUT, 0, "3.0 s of silence survive, 4.5 s do not, and nobody says so");
    w.t.idle[4].reset = w.t.idle[5].reset = 2;
    expect(&w, SP_TRACE_IDLE_CUT, 0, "and a RST says so");
    golden(&w, "trace-idle.txt");
    end(&w);
}

/* The two ways differ: told, and named where the answer is lost. */
static void test_turns(void **state)
{
    (void)state;
    struct world w = works();
    (void)snprintf(w.t.left_by, sizeof(w.t.left_by), "eth0");
    (void)snprintf(w.t.answer_by, sizeof(w.t.answer_by), "eth1");
    (void)snprintf(w.t.arrived_by, sizeof(w.t.arrived_by), "eth0");
    (void)snprintf(w.t.reply_by, sizeof(w.t.reply_by), "eth0");
    assert_true(sp_trace_turns_at_sender(&w.t));
    assert_false(sp_trace_turns_at_receiver(&w.t));
    expect(&w, SP_TRACE_WORKS, 0, "it works");
    golden(&w, "trace-turns.txt");
    end(&w);
    struct sp_seen seen = sp_seen_works();
    seen.answered = 0;
    seen.answer = SP_ANSWER_NONE;
    w = begin(SP_EXPECT_ALLOW, seen);
    w.t.nic = w.t.host = w.t.answer_left = 4;
    w.t.egress = SP_ANSWER_RST;
    expect(&w, SP_TRACE_WAY_BACK, 1, "lost on the way back to web-1");
    (void)snprintf(w.t.arrived_by, sizeof(w.t.arrived_by), "eth0");
    (void)snprintf(w.t.reply_by, sizeof(w.t.reply_by), "wan\x1b");
    expect(&w, SP_TRACE_WAY_BACK, 1, "comes to db-1 by eth0, and the answer leaves by wan");
    golden(&w, "trace-turns-back.txt");
    end(&w);
}

/* What was asked for and not measured is said; what was not asked for is not. */
static void test_json(void **state)
{
    (void)state;
    struct world w = works();
    const struct sp_trace *list[] = {&w.t};
    const struct sp_trace_head head = {.model = w.t.model, .run_id = "0123", .version = SP_VERSION};
    struct sp_buf out;
    part(&w.t.flows, 9, 7, 0);
    w.t.flows.is_located = true;
    w.t.flows.last = v4(1, 1);
    train(&w, 100, 35, 35);
    train(&w, 200, 70, 20);
    talk(&w, 0, 2, 0);
    talk(&w, 1000, 0, 2);
    sp_trace_explain(&w.t);
    sp_buf_init(&out, 1U << 20);
    sp_trace_json(&head, list, 1, &out);
    assert_int_equal(out.rc, SP_OK);
    sp_assert_golden("trace-path.json", &out);
    sp_buf_clear(&out);
    w.t.nrates = w.t.nidle = 0;
    sp_trace_json(&head, list, 1, &out);
    assert_null(strstr(sp_buf_text(&out), "\"rates\""));
    assert_null(strstr(sp_buf_text(&out), "\"silence\""));
    sp_buf_clear(&out);
    w.t.no_rates = "it is denied";
    w.t.no_idle = "only TCP";
    sp_trace_json(&head, list, 1, &out);
    assert_non_null(strstr(sp_buf_text(&out), "\"not_measured\":\"it is denied\""));
    assert_non_null(strstr(sp_buf_text(&out), "\"not_measured\":\"only TCP\""));
    sp_buf_release(&out);
    end(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parallel), cmocka_unit_test(test_loss_is_not_parallel),
        cmocka_unit_test(test_denied),   cmocka_unit_test(test_first_lost),
        cmocka_unit_test(test_rates),    cmocka_unit_test(test_silence),
        cmocka_unit_test(test_turns),    cmocka_unit_test(test_json),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
