/* SPDX-License-Identifier: Apache-2.0
 *
 * IP protocols without ports in a plan: of a protocol and two addresses one direction only, never a
 * number that no packet can have, nothing judged behind a firewall where no probe sees it. */
#include <string.h>

#include "probe/base/ipproto.h"
#include "tests/support/model_builder.h"
#include "tests/support/sp_cmocka.h"
#include "tests/unit/topologies/plan_support.h"

static const uint8_t families[] = {SP_FAMILY_IPV4, SP_FAMILY_IPV6};

/* a and b, each in a network of its own, with both families; everything may be sent. */
static struct sp_model *two(void)
{
    struct sp_model *m = sp_mb_new();
    m->limits.hazard = 'B';
    (void)sp_mb_network(m, "left", NULL, SP_NET_SUBNET, "10.1.0.0/24,fd00:1::/64");
    (void)sp_mb_network(m, "right", NULL, SP_NET_SUBNET, "10.2.0.0/24,fd00:2::/64");
    (void)sp_mb_host(m, "a", "left", "10.1.0.1,fd00:1::1", "netns");
    (void)sp_mb_host(m, "b", "right", "10.2.0.2,fd00:2::2", "netns");
    return m;
}

/* How many tests of IP protocols go from one host to another; checks all that holds for each. */
static size_t count(const struct sp_plan *plan, uint32_t from, uint32_t to)
{
    size_t n = 0;
    for (size_t i = 0; i < plan->ntests; i++) {
        const struct sp_test *t = &plan->tests[i];
        const struct sp_pair *pair = &plan->pairs[t->pair];
        if (t->proto != SP_PROTO_IP || pair->from != from || pair->to != to) {
            continue;
        }
        n++;
        assert_string_equal(sp_technique_at(t->technique)->name, "ip_proto");
        assert_true(sp_ip_is_testable(pair->family, t->port));
        assert_null(sp_ts_find_test(plan, to, from, pair->family, SP_PROTO_IP, t->port));
        if (t->expect != SP_EXPECT_DENY || pair->layer == SP_LAYER_HOST) {
            assert_true(sp_ip_is_witnessed(t->port));
        }
    }
    return n;
}

static void one_direction_of_each(void **state)
{
    (void)state;
    struct sp_model *m = two();
    for (uint64_t seed = 1; seed < 30; seed++) {
        struct sp_plan *plan =
            sp_ts_planned(m, &(struct sp_plan_options){.depth = SP_DEPTH_STANDARD, .seed = seed});
        size_t there = count(plan, 0, 1), back = count(plan, 1, 0);
        /* 9 of the risk list, both ends, and a random one of each direction, unless they meet. */
        uint64_t left = sp_ts_skipped(plan, SP_REASON_PORTLESS, SP_PROTO_IP);
        assert_true(there > 0 && back > 0);
        assert_true(there + back >= 2 * 11 && there + back <= 2 * 13);
        assert_int_equal(left + there + back >= 2 * 2 * 11, 1);
        sp_plan_free(plan);
    }
    sp_mb_free(m);
}

static void what_is_named_goes_before_what_is_denied_by_default(void **state)
{
    (void)state;
    struct sp_model *m = two();
    (void)sp_mb_rule(m, SP_RULE_ALLOW, "vpn", "a", "b", "gre,esp");
    (void)sp_mb_rule(m, SP_RULE_DENY, "no-esp", "b", "a", "esp");
    (void)sp_mb_rule(m, SP_RULE_PERMIT, "maybe", "b", "a", "ip/253");
    struct sp_plan *plan = sp_ts_plan(m, SP_DEPTH_STANDARD);
    assert_true(count(plan, 0, 1) > 0 && count(plan, 1, 0) > 0);
    for (size_t i = 0; i < 2; i++) {
        const struct sp_test *t = sp_ts_test(plan, 0, 1, families[i], SP_PROTO_IP, 47);
        assert_int_equal(t->expect, SP_EXPECT_ALLOW);
        t = sp_ts_test(plan, 1, 0, families[i], SP_PROTO_IP, 50);
        assert_int_equal(t->expect, SP_EXPECT_DENY);
        t = sp_ts_test(plan, 0, 1, families[i], SP_PROTO_IP, 253);
        assert_int_equal(t->expect, SP_EXPECT_DENY);
    }
    sp_plan_free(plan);
    sp_mb_free(m);
}

/* Who chooses one direction gets all of it. */
static void one_direction_alone_is_whole(void **state)
{
    (void)state;
    struct sp_model *m = two();
    struct sp_bits a = {0}, b = {0};
    assert_int_equal(sp_select(m, "a", &a, NULL), SP_OK);
    assert_int_equal(sp_select(m, "b", &b, NULL), SP_OK);
    struct sp_plan *plan = sp_ts_planned(
        m,
        &(struct sp_plan_options){.depth = SP_DEPTH_EXHAUSTIVE, .seed = 1, .from = &a, .to = &b});
    /* 256 without the 8 that have an axis or no header; of IPv6 without 7 extension headers. */
    assert_int_equal(count(plan, 0, 1), 2 * (256 - 8) - 7);
    assert_int_equal(sp_ts_skipped(plan, SP_REASON_PORTLESS, SP_PROTO_IP), 0);
    sp_plan_free(plan);
    plan = sp_ts_plan(m, SP_DEPTH_EXHAUSTIVE);
    assert_int_equal(count(plan, 0, 1) + count(plan, 1, 0), 2 * (256 - 8) - 7);
    assert_int_equal(sp_ts_skipped(plan, SP_REASON_PORTLESS, SP_PROTO_IP), 2 * (256 - 8) - 7);
    sp_plan_free(plan);
    sp_bits_release(&a);
    sp_bits_release(&b);
    sp_mb_free(m);
}

static void what_no_probe_sees_is_left_out_with_its_reason(void **state)
{
    (void)state;
    struct sp_model *m = two();
    (void)sp_mb_rule(m, SP_RULE_ALLOW, "odd", "a", "b", "ip/99,ip/33");
    (void)sp_mb_rule(m, SP_RULE_ALLOW, "range", "a", "b", "ip/100-104");
    struct sp_plan *plan = sp_ts_plan(m, SP_DEPTH_STANDARD);
    for (size_t i = 0; i < 2; i++) {
        assert_null(sp_ts_find_test(plan, 0, 1, families[i], SP_PROTO_IP, 99));
        assert_null(sp_ts_find_test(plan, 0, 1, families[i], SP_PROTO_IP, 33));
        (void)sp_ts_test(plan, 0, 1, families[i], SP_PROTO_IP, 103);
    }
    assert_int_equal(sp_ts_skipped(plan, SP_REASON_IP_WITNESS, SP_PROTO_IP), 2);
    assert_int_equal(sp_ts_skipped(plan, SP_REASON_IP_NUMBER, SP_PROTO_IP), 2);
    sp_plan_free(plan);
    uint32_t own = sp_mb_enforcement(m, "own", "left,right");
    m->enforcements[own].layer = SP_LAYER_HOST;
    plan = sp_ts_plan(m, SP_DEPTH_EXHAUSTIVE);
    (void)count(plan, 0, 1);
    (void)count(plan, 1, 0);
    sp_plan_free(plan);
    sp_mb_free(m);
}

static void without_consent_or_a_probe_there_is_none(void **state)
{
    (void)state;
    struct sp_model *m = two();
    (void)sp_mb_host(m, "blind", "right", "10.2.0.9", NULL);
    struct sp_plan *plan = sp_ts_plan(m, SP_DEPTH_STANDARD);
    assert_int_equal(count(plan, 0, 2), 0);
    assert_int_equal(sp_ts_skipped(plan, SP_REASON_PORTLESS_END, SP_PROTO_IP), 1);
    sp_plan_free(plan);
    m->limits.hazard = 'A';
    plan = sp_ts_plan(m, SP_DEPTH_STANDARD);
    assert_int_equal(count(plan, 0, 1) + count(plan, 1, 0), 0);
    assert_true(sp_ts_skipped(plan, SP_REASON_HAZARD, SP_PROTO_IP) > 0);
    sp_plan_free(plan);
    sp_mb_free(m);
}

/* ---- ICMP ---- */

static size_t types_of(const struct sp_plan *plan, uint8_t proto)
{
    size_t n = 0;
    for (size_t i = 0; i < plan->ntests; i++) {
        const struct sp_test *t = &plan->tests[i];
        if (t->proto == proto && plan->pairs[t->pair].from == 0) {
            bool echo =
                t->port == (proto == SP_PROTO_ICMP ? SP_PORT_ICMP_ECHO : SP_PORT_ICMP6_ECHO);
            assert_string_equal(sp_technique_at(t->technique)->name,
                                echo ? "icmp_echo" : "icmp_type");
            assert_true(echo || sp_icmp_is_askable(proto, t->port));
            n += !echo;
        }
    }
    return n;
}

static void icmp_types_beside_the_echo(void **state)
{
    (void)state;
    struct sp_model *m = two();
    (void)sp_mb_rule(m, SP_RULE_ALLOW, "ping", "a", "b", "icmp/echo,icmp6/echo,icmp/13,icmp6/2.0");
    struct sp_plan *plan = sp_ts_plan(m, SP_DEPTH_STANDARD);
    /* The 11 and 8 of the risk list, of which one each is allowed, and still asked. */
    assert_int_equal(types_of(plan, SP_PROTO_ICMP), 11);
    assert_int_equal(types_of(plan, SP_PROTO_ICMP6), 8);
    assert_int_equal(sp_ts_test(plan, 0, 1, SP_FAMILY_IPV4, SP_PROTO_ICMP, 13 << 8)->expect,
                     SP_EXPECT_ALLOW);
    assert_int_equal(sp_ts_test(plan, 0, 1, SP_FAMILY_IPV6, SP_PROTO_ICMP6, 2 << 8)->expect,
                     SP_EXPECT_ALLOW);
    sp_plan_free(plan);
    plan = sp_ts_plan(m, SP_DEPTH_QUICK); /* one per interval */
    assert_true(types_of(plan, SP_PROTO_ICMP) <= 4);
    assert_true(types_of(plan, SP_PROTO_ICMP) >= 3);
    sp_plan_free(plan);
    plan = sp_ts_plan(m, SP_DEPTH_EXHAUSTIVE); /* every type but redirects; those of one link */
    assert_true(types_of(plan, SP_PROTO_ICMP) >= 254);
    assert_true(types_of(plan, SP_PROTO_ICMP6) >= 246);
    sp_plan_free(plan);
    m->limits.hazard = 'A';
    plan = sp_ts_plan(m, SP_DEPTH_STANDARD);
    assert_int_equal(types_of(plan, SP_PROTO_ICMP), 0);
    (void)sp_ts_test(plan, 0, 1, SP_FAMILY_IPV4, SP_PROTO_ICMP, SP_PORT_ICMP_ECHO);
    assert_true(sp_ts_skipped(plan, SP_REASON_HAZARD, SP_PROTO_ICMP) > 0);
    sp_plan_free(plan);
    sp_mb_free(m);
}

static void redirects_and_neighbour_discovery_are_never_asked(void **state)
{
    (void)state;
    assert_false(sp_icmp_is_askable(SP_PROTO_ICMP, 5 << 8 | 1));
    for (uint32_t type = 133; type <= 137; type++) {
        assert_false(sp_icmp_is_askable(SP_PROTO_ICMP6, type << 8));
    }
    struct sp_model *m = two();
    (void)sp_mb_rule(m, SP_RULE_ALLOW, "odd", "a", "b", "icmp/5");
    struct sp_plan *plan = sp_ts_plan(m, SP_DEPTH_STANDARD);
    assert_int_equal(sp_ts_skipped(plan, SP_REASON_ICMP_TYPE, SP_PROTO_ICMP), 1);
    sp_plan_free(plan);
    sp_mb_free(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_direction_of_each),
        cmocka_unit_test(what_is_named_goes_before_what_is_denied_by_default),
        cmocka_unit_test(one_direction_alone_is_whole),
        cmocka_unit_test(what_no_probe_sees_is_left_out_with_its_reason),
        cmocka_unit_test(without_consent_or_a_probe_there_is_none),
        cmocka_unit_test(icmp_types_beside_the_echo),
        cmocka_unit_test(redirects_and_neighbour_discovery_are_never_asked),
    };
    return cmocka_run_group_tests_name("plan_portless", tests, NULL, NULL);
}
