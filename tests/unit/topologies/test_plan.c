/* SPDX-License-Identifier: Apache-2.0 */
#include "topologies/plan.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "probe/base/buf.h"
#include "probe/base/mem.h"
#include "tests/support/model_builder.h"
#include "tests/support/sp_cmocka.h"
#include "topologies/plan_priv.h"

/* web-1 (both families), web-2 (web), db-1, old without a probe (data), dev-1 (dev). */
static struct sp_model *shop(void)
{
    struct sp_model *m = sp_mb_new();
    (void)sp_mb_network(m, "prod", NULL, SP_NET_VPC, "10.10.0.0/16,fd00:10::/32");
    (void)sp_mb_network(m, "web", "prod", SP_NET_SUBNET, "10.10.1.0/24,fd00:10:1::/64");
    (void)sp_mb_network(m, "data", "prod", SP_NET_SUBNET, "10.10.2.0/24,fd00:10:2::/64");
    (void)sp_mb_network(m, "dev", NULL, SP_NET_VPC, "10.20.0.0/16");
    (void)sp_mb_host(m, "web-1", "web", "10.10.1.11,fd00:10:1::11", "netns");
    (void)sp_mb_host(m, "web-2", "web", "10.10.1.12", "netns");
    (void)sp_mb_host(m, "db-1", "data", "10.10.2.11,fd00:10:2::11", "netns");
    (void)sp_mb_host(m, "old", "data", "10.10.2.99", NULL);
    (void)sp_mb_host(m, "dev-1", "dev", "10.20.0.11", "netns");
    return m;
}
enum { WEB1, WEB2, DB1, OLD, DEV1 };

static struct sp_plan *planned(const struct sp_model *m, const struct sp_plan_options *options)
{
    struct sp_policy *policy = NULL;
    struct sp_plan *plan = NULL;
    struct sp_diag diag = {0};
    assert_int_equal(sp_policy_new(m, &policy), SP_OK);
    enum sp_rc rc = sp_plan_new(policy, m, options, &plan, &diag);
    if (rc != SP_OK) {
        fail_msg("%s", diag.text);
    }
    sp_policy_free(policy);
    return plan;
}

static struct sp_plan *plan_of(const struct sp_model *m, enum sp_depth depth)
{
    return planned(m, &(struct sp_plan_options){.depth = depth, .seed = 7});
}

static const struct sp_test *find_test(const struct sp_plan *plan, uint32_t from, uint32_t to,
                                       uint8_t family, uint8_t proto, uint16_t port)
{
    for (size_t i = 0; i < plan->ntests; i++) {
        const struct sp_test *t = &plan->tests[i];
        const struct sp_pair *pair = &plan->pairs[t->pair];
        if (pair->from == from && pair->to == to && pair->family == family && t->proto == proto &&
            t->port == port) {
            return t;
        }
    }
    return NULL;
}

static const struct sp_pair *find_pair(const struct sp_plan *plan, uint32_t from, uint32_t to,
                                       uint8_t family)
{
    for (size_t i = 0; i < plan->npairs; i++) {
        if (plan->pairs[i].from == from && plan->pairs[i].to == to &&
            plan->pairs[i].family == family) {
            return &plan->pairs[i];
        }
    }
    return NULL;
}

/* The same, where the plan must have it. */
static const struct sp_test *need_test(const struct sp_plan *plan, uint32_t from, uint32_t to,
                                       uint8_t family, uint8_t proto, uint16_t port)
{
    const struct sp_test *t = find_test(plan, from, to, family, proto, port);
    if (!t) {
        fail_msg("no test %u -> %u ipv%u proto %u port %u", from, to, family, proto, port);
        abort();
    }
    return t;
}

static const struct sp_pair *need_pair(const struct sp_plan *plan, uint32_t from, uint32_t to,
                                       uint8_t family)
{
    const struct sp_pair *pair = find_pair(plan, from, to, family);
    if (!pair) {
        fail_msg("no pair %u -> %u ipv%u", from, to, family);
        abort();
    }
    return pair;
}

/* The sum of points left out for a reason and protocol (SP_PROTO_COUNT: pairs). */
static uint64_t skipped(const struct sp_plan *plan, enum sp_reason reason, uint8_t proto)
{
    uint64_t n = 0;
    for (size_t i = 0; i < plan->nskips; i++) {
        if (plan->skips[i].reason == sp_reason_str(reason) && plan->skips[i].proto == proto) {
            n += plan->skips[i].points;
        }
    }
    return n;
}

/* What must be true of every plan. */
static void check_plan(const struct sp_plan *plan, const struct sp_model *m)
{
    struct sp_policy *policy = NULL;
    assert_int_equal(sp_policy_new(m, &policy), SP_OK);
    assert_true(plan->sport_hi - plan->sport_lo + 1 >= 256);
    for (size_t i = 0; i < plan->ntests; i++) {
        const struct sp_test *t = &plan->tests[i];
        assert_true(t->pair < plan->npairs);
        const struct sp_pair *pair = &plan->pairs[t->pair];
        const struct sp_interval *iv =
            sp_policy_decide(policy, pair->from, pair->to, t->proto, t->port);
        assert_int_equal(t->expect, iv->expect);
        assert_int_equal(t->rule, iv->rule);
        if (t->proto == SP_PROTO_TCP || t->proto == SP_PROTO_UDP) {
            assert_false(t->port >= plan->sport_lo && t->port <= plan->sport_hi);
            assert_true(t->port != 0);
        } else {
            assert_int_equal(t->proto,
                             pair->family == SP_FAMILY_IPV4 ? SP_PROTO_ICMP : SP_PROTO_ICMP6);
        }
        const struct sp_technique_info *info = sp_technique_at(t->technique);
        assert_ptr_equal(info, sp_technique_for(t->proto, pair->family));
        if (i == 0) {
            continue;
        }
        const struct sp_test *before = &plan->tests[i - 1];
        assert_true(before->pair <= t->pair); /* grouped by pair */
        if (before->pair == t->pair) {        /* denied first, and no point twice */
            assert_false(before->expect != SP_EXPECT_DENY && t->expect == SP_EXPECT_DENY);
            assert_false(before->proto == t->proto && before->port == t->port);
        }
    }
    assert_int_equal(plan->cost.tests, plan->ntests);
    assert_true(plan->coverage.pairs_tested <= plan->coverage.pairs_of);
    assert_true(plan->coverage.intervals_tested <= plan->coverage.intervals_of);
    assert_true(plan->coverage.edges_tested <= plan->coverage.edges_of);
    assert_true(plan->coverage.rules_tested <= plan->coverage.rules_of);
    assert_true(plan->coverage.denied_ports_swept <= 1.0);
    sp_policy_free(policy);
}

static void quick_has_one_point_per_interval(void **state)
{
    (void)state;
    struct sp_model *m = shop();
    uint32_t r = sp_mb_rule(m, SP_RULE_ALLOW, "web-to-db", "web", "data", "tcp/5432,icmp/echo");
    struct sp_bits from = {0}, to = {0};
    assert_int_equal(sp_select(m, "web-1", &from, NULL), SP_OK);
    assert_int_equal(sp_select(m, "db-1", &to, NULL), SP_OK);
    struct sp_plan *plan =
        planned(m, &(struct sp_plan_options){.seed = 7, .from = &from, .to = &to});
    check_plan(plan, m);
    /* v4: tcp 3 intervals, udp 1, echo; v6: the same, echo denied. */
    assert_int_equal(plan->npairs, 2);
    assert_int_equal(plan->ntests, 10);
    const struct sp_test *t = need_test(plan, WEB1, DB1, SP_FAMILY_IPV4, SP_PROTO_TCP, 5432);
    assert_int_equal(t->rule, r);
    assert_int_equal(t->expect, SP_EXPECT_ALLOW);
    assert_int_equal(t->why, SP_WHY_REPRESENTATIVE);
    assert_string_equal(sp_technique_at(t->technique)->name, "tcp_syn");
    t = need_test(plan, WEB1, DB1, SP_FAMILY_IPV4, SP_PROTO_ICMP, SP_PORT_ICMP_ECHO);
    assert_int_equal(t->expect, SP_EXPECT_ALLOW);
    t = need_test(plan, WEB1, DB1, SP_FAMILY_IPV6, SP_PROTO_ICMP6, SP_PORT_ICMP6_ECHO);
    assert_int_equal(t->expect, SP_EXPECT_DENY);
    assert_int_equal(plan->coverage.pairs_tested, 1);
    assert_int_equal(plan->coverage.pairs_of, 1);
    assert_int_equal(plan->coverage.rules_tested, 1);
    assert_int_equal(plan->coverage.rules_of, 1);
    /* v4: tcp 3, udp 1, icmp 3, sctp 1, ip 1; v6: tcp 3, udp 1, icmp6 1, sctp 1, ip 1. */
    assert_int_equal(plan->coverage.intervals_of, 16);
    assert_int_equal(plan->coverage.intervals_tested, 10);
    assert_int_equal(skipped(plan, SP_REASON_ICMP_TYPE, SP_PROTO_ICMP), 2);
    assert_int_equal(skipped(plan, SP_REASON_NO_TECHNIQUE, SP_PROTO_SCTP), 2);
    assert_int_equal(skipped(plan, SP_REASON_NO_TECHNIQUE, SP_PROTO_IP), 2);
    /* 7 denied twice and 3 allowed 21 times; controls: (tcp 23, udp 2, icmp 21) + (23, 2, 2). */
    assert_int_equal(plan->cost.packets, 7 * 2 + 3 * 21 + 6 * (23 + 2 + 21 + 23 + 2 + 2));
    assert_int_equal(plan->cost.seconds, 1 + 22);
    sp_plan_free(plan);
    sp_bits_release(&from);
    sp_bits_release(&to);
    sp_mb_free(m);
}

static void the_seed_decides_the_random_ports(void **state)
{
    (void)state;
    struct sp_model *m = shop();
    (void)sp_mb_rule(m, SP_RULE_ALLOW, "a", "web", "data", "tcp/2000-3000");
    struct sp_plan *a = planned(m, &(struct sp_plan_options){.seed = 1});
    struct sp_plan *b = planned(m, &(struct sp_plan_options){.seed = 1});
    struct sp_plan *c = planned(m, &(struct sp_plan_options){.seed = 2});
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
    struct sp_model *m = shop();
    (void)sp_mb_rule(m, SP_RULE_ALLOW, "web-to-db", "web", "db-1", "tcp/5432,tcp/8000-8100");
    (void)sp_mb_rule(m, SP_RULE_PERMIT, "dev", "dev", "db-1", "tcp/3000-4000");
    (void)sp_mb_rule(m, SP_RULE_ALLOW, "udp", "db-1", "web-1", "udp/7000");
    struct sp_plan *plan = plan_of(m, SP_DEPTH_STANDARD);
    check_plan(plan, m);
    static const uint16_t edges[] = {1, 5431, 5433, 7999, 8000, 8100, 8101, 65535};
    for (size_t i = 0; i < SP_ARRAY_LEN(edges); i++) {
        const struct sp_test *t =
            need_test(plan, WEB1, DB1, SP_FAMILY_IPV6, SP_PROTO_TCP, edges[i]);
        assert_int_equal(t->why, SP_WHY_EDGE);
    }
    /* The risk list, where it is denied. */
    assert_int_equal(need_test(plan, WEB1, DB1, SP_FAMILY_IPV4, SP_PROTO_TCP, 22)->why,
                     SP_WHY_RISK);
    assert_int_equal(need_test(plan, WEB1, DB1, SP_FAMILY_IPV4, SP_PROTO_UDP, 161)->why,
                     SP_WHY_RISK);
    assert_int_equal(need_test(plan, WEB1, DB1, SP_FAMILY_IPV4, SP_PROTO_TCP, 5432)->expect,
                     SP_EXPECT_ALLOW);
    /* The other protocol, the other direction, another source. */
    assert_int_equal(need_test(plan, WEB1, DB1, SP_FAMILY_IPV4, SP_PROTO_UDP, 8100)->why,
                     SP_WHY_MUTATION);
    assert_int_equal(need_test(plan, DB1, WEB1, SP_FAMILY_IPV4, SP_PROTO_TCP, 8000)->why,
                     SP_WHY_MUTATION);
    assert_int_equal(need_test(plan, WEB1, DB1, SP_FAMILY_IPV4, SP_PROTO_UDP, 7000)->why,
                     SP_WHY_MUTATION);
    assert_int_equal(need_test(plan, DB1, WEB1, SP_FAMILY_IPV4, SP_PROTO_UDP, 7000)->expect,
                     SP_EXPECT_ALLOW);
    assert_int_equal(need_test(plan, DEV1, DB1, SP_FAMILY_IPV4, SP_PROTO_TCP, 8100)->why,
                     SP_WHY_MUTATION);
    assert_null(find_test(plan, WEB2, OLD, SP_FAMILY_IPV4, SP_PROTO_TCP, 8100));
    /* A permit is looked at once; its edges belong to what is denied around it. */
    size_t permits = 0;
    for (size_t i = 0; i < plan->ntests; i++) {
        permits += plan->tests[i].expect == SP_EXPECT_PERMIT;
    }
    assert_int_equal(permits, 1);
    assert_non_null(find_test(plan, DEV1, DB1, SP_FAMILY_IPV4, SP_PROTO_TCP, 2999));
    assert_non_null(find_test(plan, DEV1, DB1, SP_FAMILY_IPV4, SP_PROTO_TCP, 4001));
    assert_true(plan->coverage.denied_ports_swept > 0);
    assert_true(plan->coverage.denied_ports_swept < 0.01);
    sp_plan_free(plan);
    sp_mb_free(m);
}

static void what_cannot_be_tested_says_why(void **state)
{
    (void)state;
    struct sp_model *m = shop();
    (void)sp_mb_host(m, "v6", "dev", "fd00:20::1", "netns");
    (void)sp_mb_host(m, "lo", "dev", "127.0.0.1", "netns");
    (void)sp_mb_balancer(m, "lb", "10.10.9.10");
    (void)sp_mb_rule(m, SP_RULE_DENY, "wide", "any", "any", "tcp/22");
    struct sp_plan *plan = plan_of(m, SP_DEPTH_QUICK);
    check_plan(plan, m);
    assert_int_equal(skipped(plan, SP_REASON_SOURCE_PROBE, SP_PROTO_COUNT), 6); /* old to others */
    assert_int_equal(skipped(plan, SP_REASON_BALANCER, SP_PROTO_COUNT), 6);     /* all but old */
    /* web-1 and web-2, db-1 and old, and the three of dev, both ways. */
    assert_int_equal(skipped(plan, SP_REASON_SUBNET, SP_PROTO_COUNT), 2 + 2 + 6);
    assert_int_equal(skipped(plan, SP_REASON_FAMILY, SP_PROTO_COUNT), 4 - 1);
    assert_int_equal(skipped(plan, SP_REASON_SPECIAL, SP_PROTO_COUNT), 4 + 3);
    assert_null(find_pair(plan, OLD, WEB1, SP_FAMILY_IPV4));
    assert_null(find_pair(plan, WEB1, WEB2, SP_FAMILY_IPV4));
    const struct sp_pair *one_sided = need_pair(plan, WEB1, OLD, SP_FAMILY_IPV4);
    assert_true(one_sided->one_sided);
    assert_false(need_pair(plan, WEB1, DB1, SP_FAMILY_IPV4)->one_sided);
    assert_non_null(find_pair(plan, WEB1, 5, SP_FAMILY_IPV6));
    assert_null(find_pair(plan, WEB1, 5, SP_FAMILY_IPV4));
    /* 7 hosts: 7 x 7 ordered pairs with another target, less those of one subnet. */
    assert_int_equal(plan->coverage.pairs_of, 49 - 10);
    assert_int_equal(plan->coverage.pairs_tested, plan->coverage.pairs_of - 6 - 6 - 3 - 7);
    sp_plan_free(plan);
    sp_mb_free(m);
}

static void left_out_techniques_are_counted(void **state)
{
    (void)state;
    struct sp_model *m = shop();
    bool wanted[16] = {false};
    wanted[sp_technique_index(sp_technique_find("udp"))] = true;
    struct sp_plan *plan = planned(m, &(struct sp_plan_options){.techniques = wanted});
    check_plan(plan, m);
    for (size_t i = 0; i < plan->ntests; i++) {
        assert_int_equal(plan->tests[i].proto, SP_PROTO_UDP);
    }
    assert_int_equal(skipped(plan, SP_REASON_LEFT_OUT, SP_PROTO_TCP), plan->npairs);
    sp_plan_free(plan);
    wanted[sp_technique_index(sp_technique_find("udp"))] = false;
    plan = planned(m, &(struct sp_plan_options){.techniques = wanted});
    assert_int_equal(plan->ntests, 0);
    assert_int_equal(plan->npairs, 0);
    assert_int_equal(plan->coverage.pairs_tested, 0);
    assert_int_equal(plan->cost.seconds, 0);
    sp_plan_free(plan);
    sp_mb_free(m);
}

static void both_networks_consent_to_hazard(void **state)
{
    (void)state;
    struct sp_model *m = shop();
    assert_true(sp_hazard_allowed(m, WEB1, DB1, 'A'));
    assert_false(sp_hazard_allowed(m, WEB1, DB1, 'B'));
    m->networks[sp_mb_find_network(m, "prod")].hazard = 'C'; /* inherited by web and data */
    assert_true(sp_hazard_allowed(m, WEB1, DB1, 'C'));
    assert_false(sp_hazard_allowed(m, DEV1, DB1, 'B'));
    assert_false(sp_hazard_allowed(m, DB1, DEV1, 'B'));
    m->limits.hazard = 'B';
    assert_true(sp_hazard_allowed(m, DB1, DEV1, 'B'));
    m->networks[sp_mb_find_network(m, "data")].hazard = 'A'; /* its own word counts */
    assert_false(sp_hazard_allowed(m, WEB1, DB1, 'B'));
    m->limits.hazard = 0;
    assert_true(sp_hazard_allowed(m, DEV1, DEV1, 'A'));
    /* Below A nothing runs: the plan tells it. */
    m->limits.hazard = '@';
    uint8_t technique;
    assert_int_equal(sp_reason_proto(m, NULL, DEV1, WEB1, SP_PROTO_TCP, SP_FAMILY_IPV4, &technique),
                     SP_REASON_HAZARD);
    sp_mb_free(m);
}

static void enforcement_gives_layer_and_reject(void **state)
{
    (void)state;
    struct sp_model *m = shop();
    uint32_t wide = sp_mb_enforcement(m, "core", "prod,dev");
    uint32_t fw = sp_mb_enforcement(m, "fw", "web,data");
    (void)sp_mb_enforcement(m, "never", "dev,dev");
    m->enforcements[wide].action = SP_ACTION_REJECT;
    m->enforcements[fw].layer = SP_LAYER_HOST;
    uint32_t drop = sp_mb_rule(m, SP_RULE_DENY, "drop", "dev", "data", "tcp/22");
    uint32_t reject = sp_mb_rule(m, SP_RULE_DENY, "reject", "web", "data", "tcp/23");
    (void)sp_mb_rule(m, SP_RULE_ALLOW, "open", "dev", "data", "tcp/80");
    m->rules[drop].action = SP_ACTION_DROP;
    m->rules[reject].action = SP_ACTION_REJECT;
    struct sp_plan *plan = plan_of(m, SP_DEPTH_STANDARD);
    check_plan(plan, m);
    assert_int_equal(need_pair(plan, WEB1, DB1, SP_FAMILY_IPV4)->layer, SP_LAYER_HOST);
    assert_false(need_pair(plan, WEB1, DB1, SP_FAMILY_IPV4)->reject_declared);
    assert_int_equal(need_pair(plan, DB1, WEB2, SP_FAMILY_IPV4)->layer, SP_LAYER_HOST);
    assert_int_equal(need_pair(plan, DEV1, DB1, SP_FAMILY_IPV4)->layer, SP_LAYER_NETWORK);
    assert_true(need_pair(plan, DEV1, DB1, SP_FAMILY_IPV4)->reject_declared);
    /* The rule's own word beats that of the point; allowed tests never expect a reject. */
    assert_true(need_test(plan, WEB1, DB1, SP_FAMILY_IPV4, SP_PROTO_TCP, 23)->reject_declared);
    assert_false(need_test(plan, WEB1, DB1, SP_FAMILY_IPV4, SP_PROTO_TCP, 22)->reject_declared);
    assert_false(need_test(plan, DEV1, DB1, SP_FAMILY_IPV4, SP_PROTO_TCP, 22)->reject_declared);
    assert_true(need_test(plan, DEV1, DB1, SP_FAMILY_IPV4, SP_PROTO_TCP, 23)->reject_declared);
    assert_false(need_test(plan, DEV1, DB1, SP_FAMILY_IPV4, SP_PROTO_TCP, 80)->reject_declared);
    assert_int_equal(plan->coverage.enforcements_of, 3);
    assert_int_equal(plan->coverage.enforcements_tested, 2);
    sp_plan_free(plan);
    sp_mb_free(m);
}

static void translations_give_the_address_to_use(void **state)
{
    (void)state;
    struct sp_model *m = shop();
    (void)sp_mb_host(m, "multi", "dev", "10.20.0.21,10.20.0.22,fd00:20::21", "netns");
    sp_mb_seen_as(m, 5, "prod", "192.0.2.21"); /* only its first IPv4 address */
    sp_mb_seen_as(m, DB1, "prod", "192.0.2.1");
    sp_mb_seen_as(m, DB1, "web", "192.0.2.2"); /* more specific */
    sp_mb_nat(m, true, "dev", "old", "192.0.2.99");
    sp_mb_nat(m, false, "web-2", "dev", "192.0.2.77");
    struct sp_plan *plan = plan_of(m, SP_DEPTH_QUICK);
    char text[SP_ADDR_STRLEN];
    const struct sp_pair *pair = need_pair(plan, WEB1, DB1, SP_FAMILY_IPV4);
    assert_string_equal(sp_addr_str(&pair->dst, text), "192.0.2.2");
    assert_string_equal(sp_addr_str(&pair->own, text), "10.10.2.11");
    assert_string_equal(sp_addr_str(&pair->src, text), "10.10.1.11");
    pair = need_pair(plan, WEB1, DB1, SP_FAMILY_IPV6); /* another family: as it is */
    assert_string_equal(sp_addr_str(&pair->dst, text), "fd00:10:2::11");
    pair = need_pair(plan, DEV1, DB1, SP_FAMILY_IPV4);
    assert_string_equal(sp_addr_str(&pair->dst, text), "10.10.2.11");
    pair = need_pair(plan, DB1, WEB1, SP_FAMILY_IPV4); /* how the receiver sees the sender */
    assert_string_equal(sp_addr_str(&pair->src, text), "10.10.2.11");
    assert_string_equal(sp_addr_str(&pair->src_seen, text), "192.0.2.2");
    pair = need_pair(plan, DEV1, OLD, SP_FAMILY_IPV4);
    assert_string_equal(sp_addr_str(&pair->dst, text), "192.0.2.99");
    pair = need_pair(plan, WEB2, DEV1, SP_FAMILY_IPV4);
    assert_string_equal(sp_addr_str(&pair->src_seen, text), "192.0.2.77");
    pair = need_pair(plan, WEB1, DEV1, SP_FAMILY_IPV4);
    assert_string_equal(sp_addr_str(&pair->src_seen, text), "10.10.1.11");
    pair = need_pair(plan, WEB1, 5, SP_FAMILY_IPV4);
    assert_string_equal(sp_addr_str(&pair->own, text), "10.20.0.21");
    /* The second address is not reachable as itself: web-1, web-2 and db-1 skip it. */
    assert_int_equal(skipped(plan, SP_REASON_UNTRANSLATED, SP_PROTO_COUNT), 3);
    size_t n = 0;
    for (size_t i = 0; i < plan->npairs; i++) { /* both of its addresses send, seen as one */
        if (plan->pairs[i].from == 5 && plan->pairs[i].to == DB1 &&
            plan->pairs[i].family == SP_FAMILY_IPV4) {
            assert_string_equal(sp_addr_str(&plan->pairs[i].src_seen, text), "192.0.2.21");
            n++;
        }
    }
    assert_int_equal(n, 2);
    sp_plan_free(plan);
    sp_mb_free(m);
}

static void ambiguous_addresses_are_not_tested(void **state)
{
    (void)state;
    struct sp_model *m = shop();
    (void)sp_mb_network(m, "twin", NULL, SP_NET_VPC, "10.10.0.0/16"); /* overlaps prod */
    (void)sp_mb_network(m, "internet", NULL, SP_NET_EXTERNAL, "0.0.0.0/0,::/0");
    (void)sp_mb_network(m, "bare", NULL, SP_NET_VPC, NULL);
    (void)sp_mb_network(m, "leaf", "bare", SP_NET_SUBNET, "10.20.0.0/24"); /* overlaps dev */
    enum { SAME = 5, OTHER, OUT, LEAF };
    (void)sp_mb_host(m, "same", "twin", "10.10.2.11", "netns"); /* the address of db-1 */
    (void)sp_mb_host(m, "other", "twin", "10.10.7.7", "netns");
    (void)sp_mb_host(m, "out", "internet", "198.51.100.7", "netns");
    (void)sp_mb_host(m, "leaf-1", "leaf", "10.20.0.50", "netns");
    struct sp_plan *plan = plan_of(m, SP_DEPTH_QUICK);
    /* Inside its own VPC the local one is meant; from elsewhere nobody can tell. */
    assert_non_null(find_pair(plan, WEB1, DB1, SP_FAMILY_IPV4));
    assert_null(find_pair(plan, WEB1, SAME, SP_FAMILY_IPV4));
    assert_null(find_pair(plan, DEV1, DB1, SP_FAMILY_IPV4));
    assert_null(find_pair(plan, DEV1, SAME, SP_FAMILY_IPV4));
    assert_null(find_pair(plan, SAME, DB1, SP_FAMILY_IPV4)); /* it is the sender's own */
    assert_null(find_pair(plan, OUT, DB1, SP_FAMILY_IPV4));
    /* The sender's VPC holds that range itself; an external network does not count. */
    assert_null(find_pair(plan, WEB1, OTHER, SP_FAMILY_IPV4));
    assert_null(find_pair(plan, OTHER, WEB1, SP_FAMILY_IPV4));
    assert_null(find_pair(plan, LEAF, DEV1, SP_FAMILY_IPV4));
    assert_non_null(find_pair(plan, DEV1, OTHER, SP_FAMILY_IPV4));
    assert_non_null(find_pair(plan, OUT, WEB1, SP_FAMILY_IPV4));
    assert_non_null(find_pair(plan, WEB1, DB1, SP_FAMILY_IPV6));
    assert_true(skipped(plan, SP_REASON_AMBIGUOUS, SP_PROTO_COUNT) > 6);
    sp_plan_free(plan);
    /* A declared translation resolves it, unless somebody else is seen so too. */
    sp_mb_seen_as(m, SAME, "prod", "192.0.2.11");
    plan = plan_of(m, SP_DEPTH_QUICK);
    char text[SP_ADDR_STRLEN];
    assert_string_equal(sp_addr_str(&need_pair(plan, WEB1, SAME, SP_FAMILY_IPV4)->dst, text),
                        "192.0.2.11");
    sp_plan_free(plan);
    sp_mb_seen_as(m, DEV1, "web", "192.0.2.11");
    plan = plan_of(m, SP_DEPTH_QUICK);
    assert_null(find_pair(plan, WEB1, SAME, SP_FAMILY_IPV4));
    assert_null(find_pair(plan, WEB1, DEV1, SP_FAMILY_IPV4));
    sp_plan_free(plan);
    sp_mb_free(m);
}

static void source_ports_keep_clear_of_every_edge(void **state)
{
    (void)state;
    struct sp_model *m = shop();
    uint16_t lo = 0, hi = 0;
    struct sp_diag diag = {0};
    assert_int_equal(sp_plan_sports(m, &lo, &hi, &diag), SP_OK);
    assert_int_equal(lo, 61000);
    assert_int_equal(hi, 61000 + 4095);
    (void)sp_mb_rule(m, SP_RULE_ALLOW, "a", "web", "data", "udp/61100");
    assert_int_equal(sp_plan_sports(m, &lo, &hi, &diag), SP_OK); /* moved behind its neighbour */
    assert_int_equal(lo, 61102);
    assert_int_equal(hi, 61102 + 4095);
    struct sp_plan *plan = plan_of(m, SP_DEPTH_STANDARD);
    check_plan(plan, m);
    sp_plan_free(plan);
    (void)sp_mb_rule(m, SP_RULE_ALLOW, "a", "web", "data", "tcp/63000-64000");
    assert_int_equal(sp_plan_sports(m, &lo, &hi, &diag), SP_OK); /* below the ephemeral ports */
    assert_int_equal(hi - lo + 1, 4096);
    assert_true(lo >= 10000 && hi <= 32767);
    /* No 4,096 free ports anywhere: the widest range will do. */
    char ports[1024] = "tcp/12000";
    for (unsigned p = 15000; p < 32768; p += 3000) {
        size_t len = strlen(ports);
        (void)snprintf(ports + len, sizeof(ports) - len, ",tcp/%u", p);
    }
    (void)sp_mb_rule(m, SP_RULE_ALLOW, "b", "web", "data", ports);
    assert_int_equal(sp_plan_sports(m, &lo, &hi, &diag), SP_OK);
    assert_true(lo >= 61000);
    assert_in_range(hi - lo + 1, 256, 4095);
    plan = plan_of(m, SP_DEPTH_STANDARD);
    check_plan(plan, m);
    sp_plan_free(plan);
    sp_mb_free(m);

    /* Ports all over the range: an error that says so. */
    m = shop();
    for (unsigned p = 200; p < 65535; p += 200) {
        char one[16];
        (void)snprintf(one, sizeof(one), "tcp/%u", p);
        (void)sp_mb_rule(m, SP_RULE_ALLOW, "c", "web", "data", one);
    }
    assert_int_equal(sp_plan_sports(m, &lo, &hi, &diag), SP_E_LIMIT);
    assert_non_null(strstr(diag.text, "source ports"));
    struct sp_policy *policy = NULL;
    assert_int_equal(sp_policy_new(m, &policy), SP_OK);
    assert_int_equal(sp_plan_new(policy, m, &(struct sp_plan_options){0}, &plan, &diag),
                     SP_E_LIMIT);
    sp_policy_free(policy);
    sp_mb_free(m);
}

/* A wide allow that covers the source ports: they are not tested, the rest of it is. */
static void random_ports_avoid_the_source_ports(void **state)
{
    (void)state;
    struct sp_model *m = shop();
    (void)sp_mb_rule(m, SP_RULE_ALLOW, "a", "web", "data", "tcp/60998-65534,udp/60000-65535");
    for (uint64_t seed = 0; seed < 200; seed++) {
        struct sp_plan *plan =
            planned(m, &(struct sp_plan_options){
                           .depth = seed % 2 ? SP_DEPTH_STANDARD : SP_DEPTH_QUICK, .seed = seed});
        check_plan(plan, m);
        sp_plan_free(plan);
    }
    sp_mb_free(m);
}

static void too_many_tests_is_an_error(void **state)
{
    (void)state;
    struct sp_model *m = shop();
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
    struct sp_model *m = shop();
    struct sp_plan *plan = plan_of(m, SP_DEPTH_STANDARD);
    uint64_t fast = plan->cost.seconds;
    sp_plan_free(plan);
    assert_int_equal(fast, 1 + 1); /* only denied tests: two attempts, a second apart */
    m->networks[sp_mb_find_network(m, "prod")].max_rate = 10; /* inherited */
    assert_int_equal(sp_model_host_rate(m, WEB1), 10);
    assert_int_equal(sp_model_host_rate(m, DEV1), 5000);
    m->limits.max_rate = 0;
    assert_int_equal(sp_model_host_rate(m, DEV1), 5000);
    plan = plan_of(m, SP_DEPTH_STANDARD);
    uint64_t sent = 0, received = 0, most = 0;
    for (uint32_t h = 0; h < 4; h++) {
        sent = received = 0;
        for (size_t i = 0; i < plan->ntests; i++) {
            sent += plan->pairs[plan->tests[i].pair].from == h ? 2 : 0;
            received += plan->pairs[plan->tests[i].pair].to == h ? 2 : 0;
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

static void the_plan_reads_well(void **state)
{
    (void)state;
    struct sp_model *m = shop();
    for (unsigned i = 0; i < 5; i++) {
        char name[16], addr[24];
        (void)snprintf(name, sizeof(name), "blind-%u", i);
        (void)snprintf(addr, sizeof(addr), "10.20.9.%u", i + 1);
        (void)sp_mb_host(m, name, "dev", addr, NULL);
    }
    (void)sp_mb_rule(m, SP_RULE_ALLOW, "a", "web", "data", "tcp/5432,tcp/8000-8001,icmp/echo");
    m->limits.max_rate = 1;
    struct sp_plan *plan = plan_of(m, SP_DEPTH_STANDARD);
    struct sp_buf out;
    sp_buf_init(&out, 1 << 20);
    sp_plan_print(plan, m, false, &out);
    const char *text = sp_buf_text(&out);
    has_text(text, "Plan for built: depth standard, seed 7\n");
    has_text(text, "  time          35 min ");
    has_text(text, "  source ports  61000-65095 are kept");
    has_text(text, "  rules               1 of 1 (100 %)\n");
    has_text(text, "  enforcement points  0 of 0\n");
    has_text(text, "Not tested\n");
    has_text(text, "the source has no probe: old, blind-0, blind-1 and 3 more\n");
    has_text(text, "sctp intervals");
    has_text(text, "no technique for this protocol in this version\n");
    assert_null(strstr(text, "Tests\n"));
    sp_buf_clear(&out);
    sp_plan_print(plan, m, true, &out);
    text = sp_buf_text(&out);
    has_text(text, "the source has no probe: blind-4\n");
    has_text(text, "  web-1 -> old  10.10.1.11 -> 10.10.2.99  (target without a probe)\n");
    has_text(text, "    icmp   allow   echo\n");
    has_text(text, "    tcp    allow   5432,8000-8001\n");
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
    struct sp_model *m = shop();
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
            check_plan(plan, m);
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
        cmocka_unit_test(what_cannot_be_tested_says_why),
        cmocka_unit_test(left_out_techniques_are_counted),
        cmocka_unit_test(both_networks_consent_to_hazard),
        cmocka_unit_test(enforcement_gives_layer_and_reject),
        cmocka_unit_test(translations_give_the_address_to_use),
        cmocka_unit_test(ambiguous_addresses_are_not_tested),
        cmocka_unit_test(source_ports_keep_clear_of_every_edge),
        cmocka_unit_test(random_ports_avoid_the_source_ports),
        cmocka_unit_test(too_many_tests_is_an_error),
        cmocka_unit_test(rates_come_from_the_busiest_host),
        cmocka_unit_test(the_plan_reads_well),
        cmocka_unit_test(names_are_words),
        cmocka_unit_test(out_of_memory_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
