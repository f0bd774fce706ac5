/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "tests/support/model_builder.h"
#include "tests/support/sp_cmocka.h"
#include "tests/unit/topologies/plan_support.h"

static void both_networks_consent_to_hazard(void **state)
{
    (void)state;
    struct sp_model *m = sp_ts_shop();
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
    struct sp_model *m = sp_ts_shop();
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
    struct sp_plan *plan = sp_ts_plan(m, SP_DEPTH_STANDARD);
    sp_ts_check(plan, m);
    assert_int_equal(sp_ts_pair(plan, WEB1, DB1, SP_FAMILY_IPV4)->layer, SP_LAYER_HOST);
    assert_false(sp_ts_pair(plan, WEB1, DB1, SP_FAMILY_IPV4)->reject_declared);
    assert_int_equal(sp_ts_pair(plan, DB1, WEB2, SP_FAMILY_IPV4)->layer, SP_LAYER_HOST);
    assert_int_equal(sp_ts_pair(plan, DEV1, DB1, SP_FAMILY_IPV4)->layer, SP_LAYER_NETWORK);
    assert_true(sp_ts_pair(plan, DEV1, DB1, SP_FAMILY_IPV4)->reject_declared);
    /* The rule's own word beats that of the point; allowed tests never expect a reject. */
    assert_true(sp_ts_test(plan, WEB1, DB1, SP_FAMILY_IPV4, SP_PROTO_TCP, 23)->reject_declared);
    assert_false(sp_ts_test(plan, WEB1, DB1, SP_FAMILY_IPV4, SP_PROTO_TCP, 22)->reject_declared);
    assert_false(sp_ts_test(plan, DEV1, DB1, SP_FAMILY_IPV4, SP_PROTO_TCP, 22)->reject_declared);
    assert_true(sp_ts_test(plan, DEV1, DB1, SP_FAMILY_IPV4, SP_PROTO_TCP, 23)->reject_declared);
    assert_false(sp_ts_test(plan, DEV1, DB1, SP_FAMILY_IPV4, SP_PROTO_TCP, 80)->reject_declared);
    assert_int_equal(plan->coverage.enforcements_of, 3);
    assert_int_equal(plan->coverage.enforcements_tested, 2);
    sp_plan_free(plan);
    sp_mb_free(m);
}

static void translations_give_the_address_to_use(void **state)
{
    (void)state;
    struct sp_model *m = sp_ts_shop();
    (void)sp_mb_host(m, "multi", "dev", "10.20.0.21,10.20.0.22,fd00:20::21", "netns");
    sp_mb_seen_as(m, 5, "prod", "192.0.2.21"); /* only its first IPv4 address */
    sp_mb_seen_as(m, DB1, "prod", "192.0.2.1");
    sp_mb_seen_as(m, DB1, "web", "192.0.2.2"); /* more specific */
    sp_mb_nat(m, true, "dev", "old", "192.0.2.99");
    sp_mb_nat(m, false, "web-2", "dev", "192.0.2.77");
    struct sp_plan *plan = sp_ts_plan(m, SP_DEPTH_QUICK);
    char text[SP_ADDR_STRLEN];
    const struct sp_pair *pair = sp_ts_pair(plan, WEB1, DB1, SP_FAMILY_IPV4);
    assert_string_equal(sp_addr_str(&pair->dst, text), "192.0.2.2");
    assert_string_equal(sp_addr_str(&pair->own, text), "10.10.2.11");
    assert_string_equal(sp_addr_str(&pair->src, text), "10.10.1.11");
    pair = sp_ts_pair(plan, WEB1, DB1, SP_FAMILY_IPV6); /* another family: as it is */
    assert_string_equal(sp_addr_str(&pair->dst, text), "fd00:10:2::11");
    pair = sp_ts_pair(plan, DEV1, DB1, SP_FAMILY_IPV4);
    assert_string_equal(sp_addr_str(&pair->dst, text), "10.10.2.11");
    pair = sp_ts_pair(plan, DB1, WEB1, SP_FAMILY_IPV4); /* how the receiver sees the sender */
    assert_string_equal(sp_addr_str(&pair->src, text), "10.10.2.11");
    assert_string_equal(sp_addr_str(&pair->src_seen, text), "192.0.2.2");
    pair = sp_ts_pair(plan, DEV1, OLD, SP_FAMILY_IPV4);
    assert_string_equal(sp_addr_str(&pair->dst, text), "192.0.2.99");
    pair = sp_ts_pair(plan, WEB2, DEV1, SP_FAMILY_IPV4);
    assert_string_equal(sp_addr_str(&pair->src_seen, text), "192.0.2.77");
    pair = sp_ts_pair(plan, WEB1, DEV1, SP_FAMILY_IPV4);
    assert_string_equal(sp_addr_str(&pair->src_seen, text), "10.10.1.11");
    pair = sp_ts_pair(plan, WEB1, 5, SP_FAMILY_IPV4);
    assert_string_equal(sp_addr_str(&pair->own, text), "10.20.0.21");
    /* The second address is not reachable as itself: web-1, web-2 and db-1 skip it. */
    assert_int_equal(sp_ts_skipped(plan, SP_REASON_UNTRANSLATED, SP_PROTO_COUNT), 3);
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
    struct sp_model *m = sp_ts_shop();
    (void)sp_mb_network(m, "twin", NULL, SP_NET_VPC, "10.10.0.0/16"); /* overlaps prod */
    (void)sp_mb_network(m, "internet", NULL, SP_NET_EXTERNAL, "0.0.0.0/0,::/0");
    (void)sp_mb_network(m, "bare", NULL, SP_NET_VPC, NULL);
    (void)sp_mb_network(m, "leaf", "bare", SP_NET_SUBNET, "10.20.0.0/24"); /* overlaps dev */
    enum { SAME = 5, OTHER, OUT, LEAF };
    (void)sp_mb_host(m, "same", "twin", "10.10.2.11", "netns"); /* the address of db-1 */
    (void)sp_mb_host(m, "other", "twin", "10.10.7.7", "netns");
    (void)sp_mb_host(m, "out", "internet", "198.51.100.7", "netns");
    (void)sp_mb_host(m, "leaf-1", "leaf", "10.20.0.50", "netns");
    struct sp_plan *plan = sp_ts_plan(m, SP_DEPTH_QUICK);
    /* Inside its own VPC the local one is meant; from elsewhere nobody can tell. */
    assert_non_null(sp_ts_find_pair(plan, WEB1, DB1, SP_FAMILY_IPV4));
    assert_null(sp_ts_find_pair(plan, WEB1, SAME, SP_FAMILY_IPV4));
    assert_null(sp_ts_find_pair(plan, DEV1, DB1, SP_FAMILY_IPV4));
    assert_null(sp_ts_find_pair(plan, DEV1, SAME, SP_FAMILY_IPV4));
    assert_null(sp_ts_find_pair(plan, SAME, DB1, SP_FAMILY_IPV4)); /* it is the sender's own */
    assert_null(sp_ts_find_pair(plan, OUT, DB1, SP_FAMILY_IPV4));
    /* The sender's VPC holds that range itself; an external network does not count. */
    assert_null(sp_ts_find_pair(plan, WEB1, OTHER, SP_FAMILY_IPV4));
    assert_null(sp_ts_find_pair(plan, OTHER, WEB1, SP_FAMILY_IPV4));
    assert_null(sp_ts_find_pair(plan, LEAF, DEV1, SP_FAMILY_IPV4));
    assert_non_null(sp_ts_find_pair(plan, DEV1, OTHER, SP_FAMILY_IPV4));
    assert_non_null(sp_ts_find_pair(plan, OUT, WEB1, SP_FAMILY_IPV4));
    assert_non_null(sp_ts_find_pair(plan, WEB1, DB1, SP_FAMILY_IPV6));
    assert_true(sp_ts_skipped(plan, SP_REASON_AMBIGUOUS, SP_PROTO_COUNT) > 6);
    sp_plan_free(plan);
    /* A declared translation resolves it, unless somebody else is seen so too. */
    sp_mb_seen_as(m, SAME, "prod", "192.0.2.11");
    plan = sp_ts_plan(m, SP_DEPTH_QUICK);
    char text[SP_ADDR_STRLEN];
    assert_string_equal(sp_addr_str(&sp_ts_pair(plan, WEB1, SAME, SP_FAMILY_IPV4)->dst, text),
                        "192.0.2.11");
    sp_plan_free(plan);
    sp_mb_seen_as(m, DEV1, "web", "192.0.2.11");
    plan = sp_ts_plan(m, SP_DEPTH_QUICK);
    assert_null(sp_ts_find_pair(plan, WEB1, SAME, SP_FAMILY_IPV4));
    assert_null(sp_ts_find_pair(plan, WEB1, DEV1, SP_FAMILY_IPV4));
    sp_plan_free(plan);
    sp_mb_free(m);
}

static void source_ports_keep_clear_of_every_edge(void **state)
{
    (void)state;
    struct sp_model *m = sp_ts_shop();
    uint16_t lo = 0, hi = 0;
    struct sp_diag diag = {0};
    assert_int_equal(sp_plan_sports(m, SP_DEPTH_STANDARD, &lo, &hi, &diag), SP_OK);
    assert_int_equal(lo, 61000);
    assert_int_equal(hi, 61000 + 4095);
    (void)sp_mb_rule(m, SP_RULE_ALLOW, "a", "web", "data", "udp/61100");
    assert_int_equal(sp_plan_sports(m, SP_DEPTH_STANDARD, &lo, &hi, &diag),
                     SP_OK); /* moved behind its neighbour */
    assert_int_equal(lo, 61102);
    assert_int_equal(hi, 61102 + 4095);
    struct sp_plan *plan = sp_ts_plan(m, SP_DEPTH_STANDARD);
    sp_ts_check(plan, m);
    sp_plan_free(plan);
    (void)sp_mb_rule(m, SP_RULE_ALLOW, "a", "web", "data", "tcp/63000-64000");
    assert_int_equal(sp_plan_sports(m, SP_DEPTH_STANDARD, &lo, &hi, &diag),
                     SP_OK); /* below the ephemeral ports */
    assert_int_equal(hi - lo + 1, 4096);
    assert_true(lo >= 10000 && hi <= 32767);
    /* No 4,096 free ports anywhere: the widest range will do. */
    char ports[1024] = "tcp/12000";
    for (unsigned p = 15000; p < 32768; p += 3000) {
        size_t len = strlen(ports);
        (void)snprintf(ports + len, sizeof(ports) - len, ",tcp/%u", p);
    }
    (void)sp_mb_rule(m, SP_RULE_ALLOW, "b", "web", "data", ports);
    assert_int_equal(sp_plan_sports(m, SP_DEPTH_STANDARD, &lo, &hi, &diag), SP_OK);
    assert_true(lo >= 61000);
    assert_in_range(hi - lo + 1, 256, 4095);
    plan = sp_ts_plan(m, SP_DEPTH_STANDARD);
    sp_ts_check(plan, m);
    sp_plan_free(plan);
    sp_mb_free(m);

    /* Ports all over the range: an error that says so. */
    m = sp_ts_shop();
    for (unsigned p = 200; p < 65535; p += 200) {
        char one[16];
        (void)snprintf(one, sizeof(one), "tcp/%u", p);
        (void)sp_mb_rule(m, SP_RULE_ALLOW, "c", "web", "data", one);
    }
    assert_int_equal(sp_plan_sports(m, SP_DEPTH_STANDARD, &lo, &hi, &diag), SP_E_LIMIT);
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
    struct sp_model *m = sp_ts_shop();
    (void)sp_mb_rule(m, SP_RULE_ALLOW, "a", "web", "data", "tcp/60998-65534,udp/60000-65535");
    for (uint64_t seed = 0; seed < 200; seed++) {
        struct sp_plan *plan = sp_ts_planned(
            m, &(struct sp_plan_options){.depth = seed % 2 ? SP_DEPTH_STANDARD : SP_DEPTH_QUICK,
                                         .seed = seed});
        sp_ts_check(plan, m);
        sp_plan_free(plan);
    }
    sp_mb_free(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_networks_consent_to_hazard),
        cmocka_unit_test(enforcement_gives_layer_and_reject),
        cmocka_unit_test(translations_give_the_address_to_use),
        cmocka_unit_test(ambiguous_addresses_are_not_tested),
        cmocka_unit_test(source_ports_keep_clear_of_every_edge),
        cmocka_unit_test(random_ports_avoid_the_source_ports),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
