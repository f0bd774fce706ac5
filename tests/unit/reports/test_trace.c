/* SPDX-License-Identifier: Apache-2.0
 *
 * From facts to the named cause and its place, and the pictures of them. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "reports/trace.h"
#include "tests/support/report_golden.h"
#include "tests/support/sp_cmocka.h"

/* web-1 -> db-1, two routers, of which jump is the first. */
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
                            .has_reference = true,
                            .reference = "icmp/echo",
                            .reference_arrives = true,
                            .is_distance_known = true,
                            .nhops = 2};
    w.t.hops[0] = (struct sp_trace_hop){.addr = v4(1, 1), .host = SAMPLE_JUMP, .reference = 2};
    w.t.hops[1] = (struct sp_trace_hop){.addr = v4(9, 2), .host = SP_NONE, .reference = 2};
    return w;
}

static struct world lost(uint8_t asked_first, uint8_t asked_second)
{
    struct world w = begin(SP_EXPECT_ALLOW, sp_seen_silence());
    w.t.hops[0].asked = asked_first;
    w.t.hops[1].asked = asked_second;
    return w;
}

static void end(struct world *w)
{
    sp_sample_free(w->sample);
}

static void expect(struct world *w, enum sp_trace_cause cause, enum sp_trace_place place,
                   size_t hop, const char *words)
{
    sp_trace_explain(&w->t);
    if (!strstr(w->t.sentence, words)) {
        fail_msg("'%s' is not in: %s", words, w->t.sentence);
    }
    assert_string_equal(sp_trace_cause_str(w->t.cause), sp_trace_cause_str(cause));
    assert_int_equal(w->t.place, place);
    assert_int_equal(w->t.hop, hop);
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

static void test_places(void **state)
{
    (void)state;
    struct world w = lost(0, 0);
    expect(&w, SP_TRACE_DROPPED, SP_TRACE_BEFORE_HOP, 0, "between web-1 and 10.10.1.1 (jump)");
    end(&w);
    w = lost(3, 0);
    expect(&w, SP_TRACE_DROPPED, SP_TRACE_BEFORE_HOP, 1, "between 10.10.1.1 (jump) and 10.10.9.2");
    assert_int_equal(sp_trace_exit(&w.t), 1);
    golden(&w, "trace-dropped.txt");
    end(&w);
    w = lost(0, 1); /* one answer of the later hop is enough: the earlier one lets it through */
    expect(&w, SP_TRACE_DROPPED, SP_TRACE_BEFORE_HOP, 2, "between 10.10.9.2 and db-1");
    end(&w);
    w = lost(3, 0); /* nobody is heard of beyond: nothing says where it ends */
    w.t.hops[1] = (struct sp_trace_hop){.host = SP_NONE};
    expect(&w, SP_TRACE_DROPPED, SP_TRACE_BEFORE_HOP, 1, "lost behind 10.10.1.1 (jump)");
    end(&w);
    w = lost(0, 0);
    w.t.nhops = 0;
    w.t.is_distance_known = w.t.reference_arrives = false;
    expect(&w, SP_TRACE_DROPPED, SP_TRACE_BEFORE_HOP, 0, "no router on the way answers");
    end(&w);
}

static void pass(struct world *w, bool is_out, const char *iface, uint8_t answer)
{
    struct sp_trace_pass *p = &w->t.passes[w->t.npasses++];
    *p = (struct sp_trace_pass){.host = SAMPLE_JUMP,
                                .is_out = is_out,
                                .answer = answer,
                                .count = 4,
                                .tuple = {.src = v4(1, 11), .dst = v4(2, 11), .dport = 5432}};
    (void)snprintf(p->iface, sizeof(p->iface), "%s", iface);
    w->t.hops[0].is_watched = true;
}

static void test_watched(void **state)
{
    (void)state;
    struct world w = lost(3, 0);
    pass(&w, false, "eth0", SP_ANSWER_NONE);
    expect(&w, SP_TRACE_DROPPED_INSIDE, SP_TRACE_AT_HOP, 0, "came in on eth0 and never left");
    golden(&w, "trace-inside.txt");
    pass(&w, true, "eth1", SP_ANSWER_NONE);
    expect(&w, SP_TRACE_DROPPED, SP_TRACE_BEFORE_HOP, 1, "between 10.10.1.1 (jump) and 10.10.9.2");
    end(&w);
}

static void answered_by(struct world *w, uint8_t answer, uint8_t code, uint8_t ttl,
                        struct sp_addr who)
{
    w->t.answer = answer;
    w->t.answer_code = code;
    w->t.answer_ttl = ttl;
    w->t.answerer = who;
}

static void test_refusals(void **state)
{
    (void)state;
    struct world w = lost(3, 3);
    answered_by(&w, SP_ANSWER_UNREACHABLE, 13, 63, v4(9, 2));
    expect(&w, SP_TRACE_REJECTED, SP_TRACE_AT_HOP, 1, "rejected by 10.10.9.2");
    golden(&w, "trace-rejected.txt");
    answered_by(&w, SP_ANSWER_UNREACHABLE, 0, 64, v4(1, 1));
    expect(&w, SP_TRACE_NO_ROUTE, SP_TRACE_AT_HOP, 0, "10.10.1.1 (jump) has no route to db-1");
    answered_by(&w, SP_ANSWER_UNREACHABLE, 1, 63, v4(9, 2));
    expect(&w, SP_TRACE_NO_NEIGHBOUR, SP_TRACE_AT_HOP, 1, "no answer to ARP");
    /* The TTL of a RST tells how far away it was made. */
    answered_by(&w, SP_ANSWER_RST, 0, 64, w.t.pair->dst);
    expect(&w, SP_TRACE_REJECTED, SP_TRACE_AT_HOP, 0, "in the name of db-1");
    answered_by(&w, SP_ANSWER_RST, 0, 63, w.t.pair->dst);
    expect(&w, SP_TRACE_REJECTED, SP_TRACE_AT_HOP, 1, "rejected by 10.10.9.2");
    answered_by(&w, SP_ANSWER_RST, 0, 62, w.t.pair->dst);
    expect(&w, SP_TRACE_ELSEWHERE, SP_TRACE_BEFORE_HOP, 2, "as far away as db-1");
    answered_by(&w, SP_ANSWER_SYN_ACK, 0, 62, w.t.pair->dst);
    expect(&w, SP_TRACE_PROXY, SP_TRACE_BEFORE_HOP, 2, "in place of db-1");
    end(&w);
}

static void test_ends(void **state)
{
    (void)state;
    struct world w = lost(0, 0);
    w.t.send_err = EPERM;
    w.t.left = 0;
    expect(&w, SP_TRACE_SENDER_POLICY, SP_TRACE_AT_SENDER, 0, "web-1's own firewall");
    end(&w);
    struct sp_seen seen = sp_seen_works();
    seen.host = seen.answer_left = seen.answered = 0;
    seen.answer = SP_ANSWER_NONE;
    w = begin(SP_EXPECT_ALLOW, seen);
    w.t.nic = 4;
    w.t.hops[0].asked = 1; /* the second is silent this time, and the flow came through */
    expect(&w, SP_TRACE_RECEIVER_POLICY, SP_TRACE_AT_RECEIVER, 0, "db-1's own firewall drops it");
    golden(&w, "trace-host.txt");
    end(&w);
    seen = sp_seen_works();
    seen.answered = 0;
    seen.answer = SP_ANSWER_NONE;
    w = begin(SP_EXPECT_ALLOW, seen);
    w.t.nic = w.t.host = w.t.answer_left = 4;
    w.t.egress = SP_ANSWER_RST;
    expect(&w, SP_TRACE_WAY_BACK, SP_TRACE_ON_WAY_BACK, 0, "lost on the way back to web-1");
    pass(&w, false, "eth1", SP_ANSWER_RST);
    expect(&w, SP_TRACE_WAY_BACK, SP_TRACE_ON_WAY_BACK, 0, "dropped inside 10.10.1.1 (jump)");
    w.t.answer_left = 0;
    w.t.egress = SP_ANSWER_NONE;
    w.t.egress_err = EPERM;
    expect(&w, SP_TRACE_RECEIVER_OUT, SP_TRACE_AT_RECEIVER, 0, "outbound rules");
    w.t.egress_err = 0;
    expect(&w, SP_TRACE_RECEIVER_SILENT, SP_TRACE_AT_RECEIVER, 0, "sends no answer");
    end(&w);
}

static void test_unsound(void **state)
{
    (void)state;
    struct world w = begin(SP_EXPECT_ALLOW, sp_seen_unsound(SP_UNSOUND_NO_CONTROL));
    expect(&w, SP_TRACE_UNKNOWN, SP_TRACE_NOWHERE, 0, "no control");
    assert_int_equal(sp_trace_exit(&w.t), 3);
    w.t.receiver_refused = SP_REFUSED_IFACE_DOWN;
    expect(&w, SP_TRACE_RECEIVER_DOWN, SP_TRACE_AT_RECEIVER, 0, "is down");
    w.t.sender_refused = SP_REFUSED_NO_ROUTE;
    expect(&w, SP_TRACE_SENDER_ROUTE, SP_TRACE_AT_SENDER, 0, "no route");
    w.t.sender_refused = w.t.receiver_refused = 0;
    w.t.hops[0].asked = w.t.hops[1].asked = 1;
    w.t.hops[2] = (struct sp_trace_hop){.addr = v4(1, 1), .host = SAMPLE_JUMP, .asked = 1};
    w.t.nhops = 3;
    expect(&w, SP_TRACE_LOOP, SP_TRACE_AT_HOP, 1, "circle");
    w.t.is_tested = false;
    sp_trace_explain(&w.t);
    assert_int_equal(w.t.cause, SP_TRACE_UNKNOWN);
    assert_int_equal(sp_trace_exit(&w.t), 3);
    end(&w);
}

static struct world works(uint8_t expect_what)
{
    struct world w =
        begin(expect_what, expect_what == SP_EXPECT_DENY ? sp_seen_leak() : sp_seen_works());
    w.t.nic = w.t.host = w.t.answer_left = w.t.answered = 4;
    w.t.egress = w.t.answer = SP_ANSWER_RST;
    w.t.answerer = w.t.pair->dst;
    w.t.answer_ttl = 62;
    w.t.back_hops = 3;
    w.t.hops[0].asked = w.t.hops[1].asked = 3;
    return w;
}

static void test_works(void **state)
{
    (void)state;
    struct world w = works(SP_EXPECT_ALLOW);
    w.t.mss_sent = 1460;
    w.t.mss_seen = 1360;
    w.t.sizes[0] = (struct sp_trace_size){.bytes = 1500, .tries = 3, .mtu = 1400, .who = v4(9, 2)};
    w.t.sizes[1] = (struct sp_trace_size){.bytes = 1400, .tries = 3, .arrived = 3};
    w.t.nsizes = 2;
    expect(&w, SP_TRACE_WORKS, SP_TRACE_NOWHERE, 0, "it works");
    assert_int_equal(sp_trace_exit(&w.t), 0);
    w.t.packets[0] = (struct sp_trace_packet){.host = SAMPLE_WEB_1,
                                              .iface = "eth0",
                                              .role = SP_KEPT_SENT,
                                              .text = "10.10.1.11.40001 > 10.10.2.11.5432 tcp S"};
    w.t.npackets = 1;
    golden(&w, "trace-works.txt");
    /* The same without a word is a black hole. */
    w.t.sizes[0].mtu = 0;
    expect(&w, SP_TRACE_BLACK_HOLE, SP_TRACE_NOWHERE, 0, "1400 bytes arrive, 1500 bytes do not");
    assert_int_equal(sp_trace_exit(&w.t), 1);
    /* The ends' own links tell when they explain it, and only then. */
    w.t.mtu_from = 1500;
    w.t.mtu_to = 1400;
    expect(&w, SP_TRACE_BLACK_HOLE, SP_TRACE_NOWHERE, 0, "the MTUs do not match: ");
    w.t.mtu_to = 1300;
    expect(&w, SP_TRACE_BLACK_HOLE, SP_TRACE_NOWHERE, 0, "1400 bytes arrive, 1500 bytes do not");
    w.t.mtu_to = 9000;
    expect(&w, SP_TRACE_BLACK_HOLE, SP_TRACE_NOWHERE, 0, "1400 bytes arrive, 1500 bytes do not");
    assert_int_equal(sp_trace_exit(&w.t), 1);
    end(&w);
    w = works(SP_EXPECT_DENY);
    expect(&w, SP_TRACE_PASSES, SP_TRACE_NOWHERE, 0, "though it is denied");
    assert_int_equal(sp_trace_exit(&w.t), 1);
    end(&w);
}

static void test_elsewhere(void **state)
{
    (void)state;
    struct world w = lost(3, 3);
    w.t.elsewhere = SAMPLE_WEB_2;
    w.t.captured =
        (struct sp_tuple){.src = v4(1, 11), .dst = v4(2, 13), .sport = 40001, .dport = 5432};
    expect(&w, SP_TRACE_ELSEWHERE, SP_TRACE_BEFORE_HOP, 2, "web-2 gets it, as 10.10.2.13:5432");
    w.t.hops[1].is_translated = true; /* it quotes what it got: the hop before it did that */
    expect(&w, SP_TRACE_ELSEWHERE, SP_TRACE_AT_HOP, 0, "at 10.10.1.1 (jump)");
    end(&w);
}

static void test_json(void **state)
{
    (void)state;
    struct world w = lost(3, 0);
    const struct sp_trace *list[] = {&w.t};
    const struct sp_trace_head head = {.model = w.t.model, .run_id = "0123", .version = SP_VERSION};
    struct sp_buf out;
    pass(&w, false, "eth0", SP_ANSWER_NONE);
    sp_trace_explain(&w.t);
    sp_buf_init(&out, 1U << 20);
    sp_trace_json(&head, list, 1, &out);
    assert_int_equal(out.rc, SP_OK);
    sp_assert_golden("trace.json", &out);
    sp_buf_release(&out);
    end(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_places),    cmocka_unit_test(test_watched),
        cmocka_unit_test(test_refusals),  cmocka_unit_test(test_ends),
        cmocka_unit_test(test_unsound),   cmocka_unit_test(test_works),
        cmocka_unit_test(test_elsewhere), cmocka_unit_test(test_json),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
