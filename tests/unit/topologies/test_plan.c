/* SPDX-License-Identifier: Apache-2.0 */
#include "topologies/plan.h"

#include <stdio.h>
#include <string.h>

#include "probe/base/buf.h"
#include "probe/base/mem.h"
#include "tests/support/model_builder.h"
#include "tests/support/sp_cmocka.h"
#include "tests/unit/topologies/plan_support.h"

static void quick_has_one_point_per_interval(void **state)
{
    (void)state;
    struct sp_model *m = sp_ts_shop();
    uint32_t r = sp_mb_rule(m, SP_RULE_ALLOW, "web-to-db", "web", "data", "tcp/5432,icmp/echo");
    struct sp_bits from = {0}, to = {0};
    assert_int_equal(sp_select(m, "web-1", &from, NULL), SP_OK);
    assert_int_equal(sp_select(m, "db-1", &to, NULL), SP_OK);
    struct sp_plan *plan =
        sp_ts_planned(m, &(struct sp_plan_options){.seed = 7, .from = &from, .to = &to});
    sp_ts_check(plan, m);
    /* v4: tcp 3 intervals, udp 1, echo; v6: the same, echo denied. */
    assert_int_equal(plan->npairs, 2);
    assert_int_equal(plan->ntests, 10);
    const struct sp_test *t = sp_ts_test(plan, WEB1, DB1, SP_FAMILY_IPV4, SP_PROTO_TCP, 5432);
    assert_int_equal(t->rule, r);
    assert_int_equal(t->expect, SP_EXPECT_ALLOW);
    assert_int_equal(t->why, SP_WHY_REPRESENTATIVE);
    assert_string_equal(sp_technique_at(t->technique)->name, "tcp_syn");
    t = sp_ts_test(plan, WEB1, DB1, SP_FAMILY_IPV4, SP_PROTO_ICMP, SP_PORT_ICMP_ECHO);
    assert_int_equal(t->expect, SP_EXPECT_ALLOW);
    t = sp_ts_test(plan, WEB1, DB1, SP_FAMILY_IPV6, SP_PROTO_ICMP6, SP_PORT_ICMP6_ECHO);
    assert_int_equal(t->expect, SP_EXPECT_DENY);
    assert_int_equal(plan->coverage.pairs_tested, 1);
    assert_int_equal(plan->coverage.pairs_of, 1);
    assert_int_equal(plan->coverage.rules_tested, 1);
    assert_int_equal(plan->coverage.rules_of, 1);
    /* v4: tcp 3, udp 1, icmp 3, sctp 1, ip 1; v6: tcp 3, udp 1, icmp6 1, sctp 1, ip 1. */
    assert_int_equal(plan->coverage.intervals_of, 16);
    assert_int_equal(plan->coverage.intervals_tested, 10);
    assert_int_equal(sp_ts_skipped(plan, SP_REASON_HAZARD, SP_PROTO_ICMP), 2);
    assert_int_equal(sp_ts_skipped(plan, SP_REASON_HAZARD, SP_PROTO_SCTP), 2);
    assert_int_equal(sp_ts_skipped(plan, SP_REASON_HAZARD, SP_PROTO_IP), 2);
    /* 7 denied twice, the 4 of tcp once more, and 3 allowed 21 times; controls: (tcp 23, udp 2,
     * icmp 21) + (23, 2, 2). */
    assert_int_equal(plan->cost.packets, 7 * 2 + 4 + 3 * 21 + 6 * (23 + 2 + 21 + 23 + 2 + 2));
    assert_int_equal(plan->cost.seconds, 1 + 22);
    sp_plan_free(plan);
    sp_bits_release(&from);
    sp_bits_release(&to);
    sp_mb_free(m);
}

static void the_seed_decides_the_random_ports(void **state)
{
    (void)state;
    struct sp_model *m = sp_ts_shop();
    (void)sp_mb_rule(m, SP_RULE_ALLOW, "a", "web", "data", "tcp/2000-3000");
    struct sp_plan *a = sp_ts_planned(m, &(struct sp_plan_options){.seed = 1});
    struct sp_plan *b = sp_ts_planned(m, &(struct sp_plan_options){.seed = 1});
    struct sp_plan *c = sp_ts_planned(m, &(struct sp_plan_options){.seed = 2});
    assert_int_equal(a->ntests, b->ntests);
    assert_int_equal(a->ntests, c->ntests);
    size_t same = 0;
    for (size_t i = 0; i < a->ntests; i++) {
        assert_int_equal(a->tests[i].port, b->tests[i].port);
        same += a->tests[i].port == c->tests[i].port;
    }
    assert_true(same < a->ntests / 2);
    sp_plan_free(a);
    sp_plan_free(b);
    sp_plan_free(c);
    sp_mb_free(m);
}

static void standard_adds_edges_risks_and_mutations(void **state)
{
    (void)state;
    struct sp_model *m = sp_ts_shop();
    (void)sp_mb_rule(m, SP_RULE_ALLOW, "web-to-db", "web", "db-1", "tcp/5432,tcp/8000-8100");
    (void)sp_mb_rule(m, SP_RULE_PERMIT, "dev", "dev", "db-1", "tcp/3000-4000");
    (void)sp_mb_rule(m, SP_RULE_ALLOW, "udp", "db-1", "web-1", "udp/7000");
    struct sp_plan *plan = sp_ts_plan(m, SP_DEPTH_STANDARD);
    sp_ts_check(plan, m);
    static const uint16_t edges[] = {1, 5431, 5433, 7999, 8000, 8100, 8101, 65535};
    for (size_t i = 0; i < SP_ARRAY_LEN(edges); i++) {
        const struct sp_test *t =
            sp_ts_test(plan, WEB1, DB1, SP_FAMILY_IPV6, SP_PROTO_TCP, edges[i]);
        assert_int_equal(t->why, SP_WHY_EDGE);
    }
    /* The risk list, where it is denied. */
    assert_int_equal(sp_ts_test(plan, WEB1, DB1, SP_FAMILY_IPV4, SP_PROTO_TCP, 22)->why,
                     SP_WHY_RISK);
    assert_int_equal(sp_ts_test(plan, WEB1, DB1, SP_FAMILY_IPV4, SP_PROTO_UDP, 161)->why,
                     SP_WHY_RISK);
    assert_int_equal(sp_ts_test(plan, WEB1, DB1, SP_FAMILY_IPV4, SP_PROTO_TCP, 5432)->expect,
                     SP_EXPECT_ALLOW);
    /* The other protocol, the other direction, another source. */
    assert_int_equal(sp_ts_test(plan, WEB1, DB1, SP_FAMILY_IPV4, SP_PROTO_UDP, 8100)->why,
                     SP_WHY_MUTATION);
    assert_int_equal(sp_ts_test(plan, DB1, WEB1, SP_FAMILY_IPV4, SP_PROTO_TCP, 8000)->why,
                     SP_WHY_MUTATION);
    assert_int_equal(sp_ts_test(plan, WEB1, DB1, SP_FAMILY_IPV4, SP_PROTO_UDP, 7000)->why,
                     SP_WHY_MUTATION);
    assert_int_equal(sp_ts_test(plan, DB1, WEB1, SP_FAMILY_IPV4, SP_PROTO_UDP, 7000)->expect,
                     SP_EXPECT_ALLOW);
    assert_int_equal(sp_ts_test(plan, DEV1, DB1, SP_FAMILY_IPV4, SP_PROTO_TCP, 8100)->why,
                     SP_WHY_MUTATION);
    assert_null(sp_ts_find_test(plan, WEB2, OLD, SP_FAMILY_IPV4, SP_PROTO_TCP, 8100));
    /* A permit is looked at once; its edges belong to what is denied around it. */
    size_t permits = 0;
    for (size_t i = 0; i < plan->ntests; i++) {
        permits += plan->tests[i].expect == SP_EXPECT_PERMIT;
    }
    assert_int_equal(permits, 1);
    assert_non_null(sp_ts_find_test(plan, DEV1, DB1, SP_FAMILY_IPV4, SP_PROTO_TCP, 2999));
    assert_non_null(sp_ts_find_test(plan, DEV1, DB1, SP_FAMILY_IPV4, SP_PROTO_TCP, 4001));
    assert_true(plan->coverage.denied_ports_swept > 0);
    assert_true(plan->coverage.denied_ports_swept < 0.01);
    sp_plan_free(plan);
    sp_mb_free(m);
}

static void going_around_a_balancer_is_tested(void **state)
{
    (void)state;
    struct sp_model *m = sp_ts_shop();
    uint32_t lb = sp_mb_balancer(m, "lb", "10.10.9.10");
    sp_mb_listener(m, lb, "tcp/443", "web", 8443);
    sp_mb_listener(m, lb, "udp/53", "db-1", 62000); /* moves the source ports, too */
    struct sp_plan *plan = sp_ts_plan(m, SP_DEPTH_STANDARD);
    sp_ts_check(plan, m);
    const struct sp_test *t = sp_ts_test(plan, DEV1, WEB2, SP_FAMILY_IPV4, SP_PROTO_TCP, 8443);
    assert_int_equal(t->expect, SP_EXPECT_DENY);
    assert_int_equal(t->why, SP_WHY_MUTATION);
    assert_null(sp_ts_find_test(plan, DEV1, DB1, SP_FAMILY_IPV4, SP_PROTO_TCP, 8443));
    t = sp_ts_test(plan, DEV1, DB1, SP_FAMILY_IPV4, SP_PROTO_UDP, 62000);
    assert_int_equal(t->why, SP_WHY_MUTATION);
    assert_int_equal(plan->sport_lo, 11212); /* the widest range below the ephemeral ports */
    sp_plan_free(plan);
    sp_mb_free(m);
}

static void what_cannot_be_tested_says_why(void **state)
{
    (void)state;
    struct sp_model *m = sp_ts_shop();
    (void)sp_mb_host(m, "v6", "dev", "fd00:20::1", "netns");
    (void)sp_mb_host(m, "lo", "dev", "127.0.0.1", "netns");
    (void)sp_mb_balancer(m, "lb", "10.10.9.10");
    (void)sp_mb_rule(m, SP_RULE_DENY, "wide", "any", "any", "tcp/22");
    struct sp_plan *plan = sp_ts_plan(m, SP_DEPTH_QUICK);
    sp_ts_check(plan, m);
    assert_int_equal(sp_ts_skipped(plan, SP_REASON_SOURCE_PROBE, SP_PROTO_COUNT),
                     6); /* old to others */
    /* web-1 and web-2, db-1 and old, and the three of dev, both ways. */
    assert_int_equal(sp_ts_skipped(plan, SP_REASON_SUBNET, SP_PROTO_COUNT), 2 + 2 + 6);
    assert_int_equal(sp_ts_skipped(plan, SP_REASON_FAMILY, SP_PROTO_COUNT), 4);
    assert_int_equal(sp_ts_skipped(plan, SP_REASON_SPECIAL, SP_PROTO_COUNT), 4 + 4);
    assert_null(sp_ts_find_pair(plan, OLD, WEB1, SP_FAMILY_IPV4));
    assert_null(sp_ts_find_pair(plan, WEB1, WEB2, SP_FAMILY_IPV4));
    const struct sp_pair *one_sided = sp_ts_pair(plan, WEB1, OLD, SP_FAMILY_IPV4);
    assert_true(one_sided->one_sided);
    assert_false(sp_ts_pair(plan, WEB1, DB1, SP_FAMILY_IPV4)->one_sided);
    assert_non_null(sp_ts_find_pair(plan, WEB1, 5, SP_FAMILY_IPV6));
    assert_null(sp_ts_find_pair(plan, WEB1, 5, SP_FAMILY_IPV4));
    /* 7 hosts: 7 x 7 ordered pairs with another target, less those of one subnet. */
    assert_int_equal(plan->coverage.pairs_of, 49 - 10);
    assert_int_equal(plan->coverage.pairs_tested, plan->coverage.pairs_of - 6 - 4 - 8);
    sp_plan_free(plan);
    sp_mb_free(m);
}

static void left_out_techniques_are_counted(void **state)
{
    (void)state;
    struct sp_model *m = sp_ts_shop();
    bool wanted[SP_NO_TECHNIQUE] = {false};
    wanted[sp_technique_index(sp_technique_find("udp"))] = true;
    struct sp_plan *plan = sp_ts_planned(m, &(struct sp_plan_options){.techniques = wanted});
    sp_ts_check(plan, m);
    for (size_t i = 0; i < plan->ntests; i++) {
        assert_int_equal(plan->tests[i].proto, SP_PROTO_UDP);
    }
    assert_int_equal(sp_ts_skipped(plan, SP_REASON_LEFT_OUT, SP_PROTO_TCP), plan->npairs);
    sp_plan_free(plan);
    wanted[sp_technique_index(sp_technique_find("udp"))] = false;
    plan = sp_ts_planned(m, &(struct sp_plan_options){.techniques = wanted});
    assert_int_equal(plan->ntests, 0);
    assert_int_equal(plan->npairs, 0);
    assert_int_equal(plan->coverage.pairs_tested, 0);
    assert_int_equal(plan->cost.seconds, 0);
    sp_plan_free(plan);
    sp_mb_free(m);
}

static void too_many_tests_is_an_error(void **state)
{
    (void)state;
    struct sp_model *m = sp_ts_shop();
    struct sp_policy *policy = NULL;
    struct sp_plan *plan = NULL;
    struct sp_diag diag = {0};
    assert_int_equal(sp_policy_new(m, &policy), SP_OK);
    struct sp_plan_options options = {.depth = SP_DEPTH_STANDARD, .max_tests = 100};
    assert_int_equal(sp_plan_new(policy, m, &options, &plan, &diag), SP_E_LIMIT);
    assert_null(plan);
    assert_non_null(strstr(diag.text, "more than 100 tests"));
    assert_non_null(strstr(diag.text, "--from"));
    sp_policy_free(policy);
    sp_mb_free(m);
}

static void rates_come_from_the_busiest_host(void **state)
{
    (void)state;
    struct sp_model *m = sp_ts_shop();
    struct sp_plan *plan = sp_ts_plan(m, SP_DEPTH_STANDARD);
    uint64_t fast = plan->cost.seconds;
    sp_plan_free(plan);
    assert_int_equal(fast, 1 + 1); /* only denied tests: two attempts, a second apart */
    m->networks[sp_mb_find_network(m, "prod")].max_rate = 10; /* inherited */
    assert_int_equal(sp_model_host_rate(m, WEB1), 10);
    assert_int_equal(sp_model_host_rate(m, DEV1), 5000);
    m->limits.max_rate = 0;
    assert_int_equal(sp_model_host_rate(m, DEV1), 5000);
    plan = sp_ts_plan(m, SP_DEPTH_STANDARD);
    uint64_t sent = 0, received = 0, most = 0;
    for (uint32_t h = 0; h < 4; h++) {
        sent = received = 0;
        for (size_t i = 0; i < plan->ntests; i++) {
            uint64_t n = plan->tests[i].proto == SP_PROTO_TCP ? 3 : 2; /* a SYN goes out again */
            sent += plan->pairs[plan->tests[i].pair].from == h ? n : 0;
            received += plan->pairs[plan->tests[i].pair].to == h ? n : 0;
        }
        for (size_t i = 0; i < plan->npairs; i++) { /* three protocols, two attempts */
            sent += plan->pairs[i].from == h ? 36 : 0;
            received += plan->pairs[i].to == h ? 36 : 0;
        }
        most = sent > most ? sent : most;
        most = received > most ? received : most;
    }
    assert_int_equal(plan->cost.seconds, (most + 9) / 10 + 1);
    sp_plan_free(plan);
    sp_mb_free(m);
}

static void has_text(const char *text, const char *words)
{
    if (!strstr(text, words)) {
        fail_msg("'%s' is not in:\n%s", words, text);
    }
}

static void has_width(const char *text)
{
    for (const char *p = text; *p; p += strcspn(p, "\n") + 1) {
        size_t len = strcspn(p, "\n");
        if (len > 80) {
            fail_msg("%zu columns: %.*s", len, (int)len, p);
        }
    }
}

static void the_plan_reads_well(void **state)
{
    (void)state;
    struct sp_model *m = sp_ts_shop();
    for (unsigned i = 0; i < 5; i++) {
        char name[16], addr[24];
        (void)snprintf(name, sizeof(name), "blind-%u", i);
        (void)snprintf(addr, sizeof(addr), "10.20.9.%u", i + 1);
        (void)sp_mb_host(m, name, "dev", addr, NULL);
    }
    (void)sp_mb_rule(m, SP_RULE_ALLOW, "a", "web", "data", "tcp/5432,tcp/8000-8001,icmp/echo");
    m->limits.max_rate = 1;
    struct sp_plan *plan = sp_ts_plan(m, SP_DEPTH_STANDARD);
    struct sp_buf out;
    sp_buf_init(&out, 1 << 20);
    sp_plan_print(plan, m, false, &out);
    const char *text = sp_buf_text(&out);
    has_text(text, "Plan for built: depth standard, seed 7\n");
    has_text(text, "  time          40 min ");
    has_text(text, "  source ports  61000-65095 are kept");
    has_text(text, "  rules               1 of 1 (100 %)\n");
    has_text(text, "  enforcement points  0 of 0\n");
    has_text(text, "Not tested\n");
    has_text(text, "the source has no probe: old, blind-0, blind-1\n"
                   "                               and 3 more\n");
    has_text(text, "sctp intervals");
    has_text(text, "the hazard class of its technique is not allowed\n");
    assert_null(strstr(text, "Tests\n"));
    has_width(text);
    sp_buf_clear(&out);
    sp_plan_print(plan, m, true, &out);
    text = sp_buf_text(&out);
    has_text(text, "the source has no probe: blind-4\n");
    has_text(text, "  web-1 -> old  10.10.1.11 -> 10.10.2.99  (target without a probe)\n");
    has_text(text, "    icmp   allow   echo\n");
    has_text(text, "    tcp    allow   5432,8000-8001\n");
    has_text(text, ",\n                   "); /* ports go on below the ports */
    has_width(text);
    sp_buf_release(&out);
    sp_plan_free(plan);

    struct sp_plan empty = {.cost = {.seconds = 125}};
    sp_buf_init(&out, 1 << 16);
    sp_plan_print(&empty, m, false, &out);
    has_text(sp_buf_text(&out), "Everything that is declared will be tested.\n");
    has_text(sp_buf_text(&out), "2 min 5 s");
    sp_buf_clear(&out);
    empty.cost.seconds = 7300;
    sp_plan_print(&empty, m, false, &out);
    has_text(sp_buf_text(&out), "2 h 1 min");
    sp_buf_release(&out);
    sp_mb_free(m);
}

/* Verbose, a host has one row for both families, and hosts stay apart. */
static void skips_are_put_together(void **state)
{
    (void)state;
    struct sp_model *m = sp_ts_shop();
    static const char reason[] = "no technique for this protocol in this version";
    struct sp_skip skips[] = {
        {.from = 0, .to = SP_NONE, .family = 4, .proto = SP_PROTO_SCTP, .points = 2},
        {.from = 1, .to = SP_NONE, .family = 4, .proto = SP_PROTO_SCTP, .points = 1},
        {.from = 0, .to = SP_NONE, .family = 6, .proto = SP_PROTO_SCTP, .points = 3},
        {.from = SP_NONE, .to = SP_NONE, .family = 0, .proto = SP_PROTO_COUNT, .points = 1},
        {.from = 0, .to = SP_NONE, .family = 4, .proto = SP_PROTO_COUNT, .points = 1},
        {.from = 0, .to = SP_NONE, .family = 6, .proto = SP_PROTO_COUNT, .points = 1},
    };
    for (size_t i = 0; i < sizeof(skips) / sizeof(skips[0]); i++) {
        skips[i].reason = reason;
        skips[i].family = skips[i].family == 4   ? SP_FAMILY_IPV4
                          : skips[i].family == 6 ? SP_FAMILY_IPV6
                                                 : 0;
    }
    struct sp_plan plan = {.skips = skips, .nskips = sizeof(skips) / sizeof(skips[0])};
    struct sp_buf out;
    sp_buf_init(&out, 1 << 16);
    sp_plan_print(&plan, m, true, &out);
    char want[1024], name[2][32];
    for (uint32_t i = 0; i < 2; i++) {
        (void)snprintf(name[i], sizeof(name[i]), "%s", sp_model_target_name(m, i));
    }
    (void)snprintf(
        want, sizeof(want),
        "Not tested\n"
        "        5  sctp intervals      no technique for this protocol in this version:\n"
        "                               %s\n"
        "        1  sctp interval       no technique for this protocol in this version:\n"
        "                               %s\n"
        "        1  pair                no technique for this protocol in this version\n"
        "        1  ipv4 address pair   no technique for this protocol in this version:\n"
        "                               %s\n"
        "        1  ipv6 address pair   no technique for this protocol in this version:\n"
        "                               %s\nTests\n",
        name[0], name[1], name[0], name[0]);
    has_text(sp_buf_text(&out), want);
    sp_buf_clear(&out);
    sp_plan_print(&plan, m, false, &out);
    has_text(sp_buf_text(&out), "        6  sctp intervals ");
    sp_buf_release(&out);
    sp_mb_free(m);
}

static void percents_are_rounded_down(void **state)
{
    (void)state;
    char out[SP_PERCENT_STRLEN];
    assert_string_equal(sp_percent_str(0.00038599, out), "0.0385");
    assert_string_equal(sp_percent_str(0.0, out), "0.0000");
    assert_string_equal(sp_percent_str(-1.0, out), "0.0000");
    assert_string_equal(sp_percent_str(0.99999999, out), "99.9999");
    assert_string_equal(sp_percent_str(1.0, out), "100.0000");
    assert_string_equal(sp_percent_str(7.0, out), "100.0000");
}

static void names_are_words(void **state)
{
    (void)state;
    assert_string_equal(sp_depth_str(SP_DEPTH_QUICK), "quick");
    assert_string_equal(sp_expect_str(SP_EXPECT_PERMIT), "permit");
    assert_string_equal(sp_expect_str(9), "?");
    assert_string_equal(sp_why_str(SP_WHY_MUTATION), "mutation");
    assert_string_equal(sp_why_str(9), "?");
    assert_string_equal(sp_reason_str(SP_REASON_COUNT), "?");
    for (size_t i = 0; i < SP_REASON_COUNT; i++) {
        assert_non_null(sp_reason_str((enum sp_reason)i));
    }
    for (size_t i = 1; sp_risk_at(i); i++) { /* sorted, each once */
        const struct sp_risk *a = sp_risk_at(i - 1), *b = sp_risk_at(i);
        assert_true(a->proto < b->proto || (a->proto == b->proto && a->port < b->port));
    }
}

static void out_of_memory_is_told(void **state)
{
    (void)state;
    struct sp_model *m = sp_ts_shop();
    (void)sp_mb_enforcement(m, "fw", "web,data");
    (void)sp_mb_rule(m, SP_RULE_ALLOW, "a", "web", "data", "tcp/5432,tcp/8000-8001,udp/1");
    size_t n = 1;
    for (bool failed = true; failed; n++) {
        struct sp_policy *policy = NULL;
        struct sp_plan *plan = NULL;
        struct sp_diag diag = {0};
        (void)sp_mem_fail_at(n, 0);
        enum sp_rc rc = sp_policy_new(m, &policy);
        if (rc == SP_OK) {
            struct sp_plan_options options = {.depth = SP_DEPTH_STANDARD};
            rc = sp_plan_new(policy, m, &options, &plan, &diag);
            if (rc != SP_OK) {
                assert_string_equal(diag.text, "out of memory while planning");
            }
        }
        (void)sp_mem_fail_at(0, 0);
        failed = rc != SP_OK;
        if (failed) {
            assert_int_equal(rc, SP_E_NOMEM);
            assert_null(plan);
        } else {
            sp_ts_check(plan, m);
        }
        sp_plan_free(plan);
        sp_policy_free(policy);
    }
    assert_true(n > 50);
    sp_mb_free(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(quick_has_one_point_per_interval),
        cmocka_unit_test(the_seed_decides_the_random_ports),
        cmocka_unit_test(standard_adds_edges_risks_and_mutations),
        cmocka_unit_test(going_around_a_balancer_is_tested),
        cmocka_unit_test(what_cannot_be_tested_says_why),
        cmocka_unit_test(left_out_techniques_are_counted),
        cmocka_unit_test(too_many_tests_is_an_error),
        cmocka_unit_test(rates_come_from_the_busiest_host),
        cmocka_unit_test(the_plan_reads_well),
        cmocka_unit_test(skips_are_put_together),
        cmocka_unit_test(percents_are_rounded_down),
        cmocka_unit_test(names_are_words),
        cmocka_unit_test(out_of_memory_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
