/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/topologies/plan_support.h"

#include <stdlib.h>

#include "tests/support/model_builder.h"
#include "tests/support/sp_cmocka.h"

/* web-1 (both families), web-2 (web), db-1, old without a probe (data), dev-1 (dev). */
struct sp_model *sp_ts_shop(void)
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

struct sp_plan *sp_ts_planned(const struct sp_model *m, const struct sp_plan_options *options)
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

struct sp_plan *sp_ts_plan(const struct sp_model *m, enum sp_depth depth)
{
    return sp_ts_planned(m, &(struct sp_plan_options){.depth = depth, .seed = 7});
}

const struct sp_test *sp_ts_find_test(const struct sp_plan *plan, uint32_t from, uint32_t to,
                                      uint8_t family, uint8_t proto, uint16_t port)
{
    for (size_t i = 0; i < plan->ntests; i++) {
        const struct sp_test *t = &plan->tests[i];
        const struct sp_pair *pair = &plan->pairs[t->pair];
        if (pair->from == from && pair->to == to && pair->family == family && t->proto == proto &&
            t->port == port && t->why != SP_WHY_BYPASS) {
            return t;
        }
    }
    return NULL;
}

const struct sp_pair *sp_ts_find_pair(const struct sp_plan *plan, uint32_t from, uint32_t to,
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
const struct sp_test *sp_ts_test(const struct sp_plan *plan, uint32_t from, uint32_t to,
                                 uint8_t family, uint8_t proto, uint16_t port)
{
    const struct sp_test *t = sp_ts_find_test(plan, from, to, family, proto, port);
    if (!t) {
        fail_msg("no test %u -> %u ipv%u proto %u port %u", from, to, family, proto, port);
        abort();
    }
    return t;
}

const struct sp_pair *sp_ts_pair(const struct sp_plan *plan, uint32_t from, uint32_t to,
                                 uint8_t family)
{
    const struct sp_pair *pair = sp_ts_find_pair(plan, from, to, family);
    if (!pair) {
        fail_msg("no pair %u -> %u ipv%u", from, to, family);
        abort();
    }
    return pair;
}

/* The sum of points left out for a reason and protocol (SP_PROTO_COUNT: pairs). */
uint64_t sp_ts_skipped(const struct sp_plan *plan, enum sp_reason reason, uint8_t proto)
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
void sp_ts_check(const struct sp_plan *plan, const struct sp_model *m)
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
        if (t->proto == SP_PROTO_TCP || t->proto == SP_PROTO_UDP || t->proto == SP_PROTO_SCTP) {
            assert_false(t->port >= plan->sport_lo && t->port <= plan->sport_hi);
            assert_true(t->port != 0);
        } else if (t->proto != SP_PROTO_IP) {
            assert_int_equal(t->proto,
                             pair->family == SP_FAMILY_IPV4 ? SP_PROTO_ICMP : SP_PROTO_ICMP6);
        }
        const struct sp_technique_info *info = sp_technique_at(t->technique);
        bool bypass = t->why == SP_WHY_BYPASS;
        if (bypass) {
            assert_true(sp_bypass_fits(t->technique, pair, t->proto));
            assert_int_equal(t->expect, SP_EXPECT_DENY);
            assert_false(pair->one_sided || pair->is_balanced);
        } else {
            assert_true(sp_technique_talks(t->technique) ||
                        info == sp_technique_at_point(t->proto, pair->family, t->port));
            assert_int_equal(t->sport, 0);
        }
        if (i == 0) {
            continue;
        }
        const struct sp_test *before = &plan->tests[i - 1];
        assert_true(before->pair <= t->pair); /* grouped by pair */
        if (before->pair == t->pair) {        /* denied first, and no point twice */
            assert_false(before->expect != SP_EXPECT_DENY && t->expect == SP_EXPECT_DENY);
            assert_false(before->proto == t->proto && before->port == t->port &&
                         before->technique == t->technique && before->sport == t->sport);
        }
    }
    uint64_t swept = 0;
    for (size_t i = 0; i < plan->nsweeps; i++) {
        assert_true(plan->sweeps[i].pair < plan->npairs);
        swept += (uint64_t)plan->sweeps[i].denied + plan->sweeps[i].allowed;
    }
    assert_int_equal(plan->cost.tests, plan->ntests + swept);
    assert_true(plan->coverage.pairs_tested <= plan->coverage.pairs_of);
    assert_true(plan->coverage.intervals_tested <= plan->coverage.intervals_of);
    assert_true(plan->coverage.edges_tested <= plan->coverage.edges_of);
    assert_true(plan->coverage.rules_tested <= plan->coverage.rules_of);
    assert_true(plan->coverage.denied_ports_swept <= 1.0);
    sp_policy_free(policy);
}
