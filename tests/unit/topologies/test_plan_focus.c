/* SPDX-License-Identifier: Apache-2.0
 *
 * A plan for one flow: that flow, what can serve as its controls, and nothing else. */
#include <string.h>

#include "tests/support/model_builder.h"
#include "tests/support/sp_cmocka.h"
#include "tests/unit/topologies/plan_support.h"

static struct sp_plan *focused(const struct sp_model *m, const struct sp_plan_focus *focus)
{
    return sp_ts_planned(
        m, &(struct sp_plan_options){.depth = SP_DEPTH_QUICK, .seed = 7, .focus = focus});
}

static void one_flow(void **state)
{
    (void)state;
    struct sp_model *m = sp_ts_shop();
    (void)sp_mb_rule(m, SP_RULE_ALLOW, "db", "web-1", "db-1", "tcp/5432,tcp/8000-8100,udp/53");
    struct sp_plan_focus focus = {.from = WEB1, .to = DB1, .proto = SP_PROTO_TCP, .port = 22};
    struct sp_plan *plan = focused(m, &focus);
    size_t others = 0;
    for (size_t i = 0; i < plan->ntests; i++) {
        const struct sp_test *test = &plan->tests[i];
        const struct sp_pair *pair = &plan->pairs[test->pair];
        bool is_it = test->proto == SP_PROTO_TCP && test->port == 22;
        assert_int_equal(pair->from, WEB1);
        assert_int_equal(pair->to, DB1);
        assert_int_equal(test->expect, is_it ? SP_EXPECT_DENY : SP_EXPECT_ALLOW);
        others += !is_it;
    }
    assert_non_null(sp_ts_find_test(plan, WEB1, DB1, SP_FAMILY_IPV4, SP_PROTO_TCP, 22));
    assert_non_null(sp_ts_find_test(plan, WEB1, DB1, SP_FAMILY_IPV6, SP_PROTO_TCP, 22));
    assert_int_equal(others, 2 * (2 + 1)); /* per family: two of tcp, one of udp */
    sp_plan_free(plan);
    focus.family = SP_FAMILY_IPV6;
    focus.port = 5432; /* an allowed one is itself the flow */
    plan = focused(m, &focus);
    assert_null(sp_ts_find_test(plan, WEB1, DB1, SP_FAMILY_IPV4, SP_PROTO_TCP, 5432));
    assert_non_null(sp_ts_find_test(plan, WEB1, DB1, SP_FAMILY_IPV6, SP_PROTO_TCP, 5432));
    assert_null(sp_ts_find_test(plan, WEB1, DB1, SP_FAMILY_IPV6, SP_PROTO_TCP, 22));
    sp_plan_free(plan);
    sp_model_free(m);
}

/* Nothing is allowed between the two: flows of each with somebody else are the controls. */
static void partners(void **state)
{
    (void)state;
    struct sp_model *m = sp_ts_shop();
    (void)sp_mb_rule(m, SP_RULE_ALLOW, "a", "web-1", "dev-1", "tcp/80");
    (void)sp_mb_rule(m, SP_RULE_ALLOW, "b", "web-2", "db-1", "tcp/80");
    (void)sp_mb_rule(m, SP_RULE_ALLOW, "c", "web-2", "dev-1", "tcp/80");
    struct sp_plan_focus focus = {.from = WEB1, .to = DB1, .proto = SP_PROTO_TCP, .port = 22};
    struct sp_plan *plan = focused(m, &focus);
    assert_int_equal(plan->ntests, 2); /* two families */
    sp_plan_free(plan);
    focus.with_partners = true;
    plan = focused(m, &focus);
    assert_non_null(sp_ts_find_test(plan, WEB1, DB1, SP_FAMILY_IPV4, SP_PROTO_TCP, 22));
    assert_non_null(sp_ts_find_test(plan, WEB1, DEV1, SP_FAMILY_IPV4, SP_PROTO_TCP, 80));
    assert_non_null(sp_ts_find_test(plan, WEB2, DB1, SP_FAMILY_IPV4, SP_PROTO_TCP, 80));
    assert_null(sp_ts_find_test(plan, WEB2, DEV1, SP_FAMILY_IPV4, SP_PROTO_TCP, 80));
    sp_plan_free(plan);
    sp_model_free(m);
}

/* icmp/echo stands for its twin over IPv6. */
static void echo(void **state)
{
    (void)state;
    struct sp_model *m = sp_ts_shop();
    struct sp_plan_focus focus = {
        .from = WEB1, .to = DB1, .proto = SP_PROTO_ICMP, .port = SP_PORT_ICMP_ECHO};
    struct sp_plan *plan = focused(m, &focus);
    assert_int_equal(plan->ntests, 2);
    assert_non_null(
        sp_ts_find_test(plan, WEB1, DB1, SP_FAMILY_IPV4, SP_PROTO_ICMP, SP_PORT_ICMP_ECHO));
    assert_non_null(
        sp_ts_find_test(plan, WEB1, DB1, SP_FAMILY_IPV6, SP_PROTO_ICMP6, SP_PORT_ICMP6_ECHO));
    sp_plan_free(plan);
    sp_model_free(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_flow),
        cmocka_unit_test(partners),
        cmocka_unit_test(echo),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
