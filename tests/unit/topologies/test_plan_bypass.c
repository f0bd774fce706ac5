/* SPDX-License-Identifier: Apache-2.0
 *
 * Bypass techniques in a plan: which denied ports they ask, whose consent they need, what they
 * cost, and that they cover nothing. */
#include <stdio.h>
#include <string.h>

#include "probe/base/buf.h"
#include "probe/base/mem.h"
#include "tests/support/model_builder.h"
#include "tests/support/sp_cmocka.h"
#include "tests/unit/topologies/plan_support.h"

#define V4  SP_FAMILY_IPV4
#define TCP SP_PROTO_TCP

static uint8_t tech(const char *name)
{
    const struct sp_technique_info *info = sp_technique_find(name);
    assert_non_null(info);
    return (uint8_t)sp_technique_index(info);
}

static struct sp_model *shop(char hazard)
{
    struct sp_model *m = sp_ts_shop();
    m->limits.hazard = hazard;
    (void)sp_mb_rule(m, SP_RULE_ALLOW, "web-to-data", "web", "data", "tcp/5432,tcp/8000-8100");
    return m;
}

/* The bypass tests of one pair of addresses and technique. */
static size_t find(const struct sp_plan *plan, uint32_t from, uint32_t to, const char *name,
                   const struct sp_test **out, size_t max)
{
    size_t n = 0;
    for (size_t i = 0; i < plan->ntests; i++) {
        const struct sp_test *t = &plan->tests[i];
        const struct sp_pair *pair = &plan->pairs[t->pair];
        if (t->technique == tech(name) && pair->from == from && pair->to == to &&
            pair->family == V4) {
            assert_int_equal(t->why, SP_WHY_BYPASS);
            assert_true(n < max);
            out[n++] = t;
        }
    }
    return n;
}

static size_t count_all(const struct sp_plan *plan)
{
    size_t n = 0;
    for (size_t i = 0; i < plan->ntests; i++) {
        n += plan->tests[i].why == SP_WHY_BYPASS;
    }
    return n;
}

/* What is left out is said in one line per reason. */
static uint64_t left_out(const struct sp_plan *plan, enum sp_reason reason)
{
    uint64_t n = 0;
    for (size_t i = 0; i < plan->nskips; i++) {
        if (plan->skips[i].reason == sp_reason_str(reason)) {
            assert_true(plan->skips[i].is_tests && !plan->skips[i].is_ports);
            assert_int_equal(n, 0);
            n = plan->skips[i].points;
        }
    }
    return n;
}

/* ... because the topology declares no address that they need. */
static uint64_t without_address(const struct sp_plan *plan)
{
    return left_out(plan, SP_REASON_BYPASS_SOURCE) + left_out(plan, SP_REASON_BYPASS_ROUTER);
}

static bool is_risk(uint16_t port)
{
    const struct sp_risk *risk;
    for (size_t i = 0; (risk = sp_risk_at(i)) != NULL; i++) {
        if (risk->proto == TCP && risk->port == port) {
            return true;
        }
    }
    return false;
}

static void denied_ports_are_asked(void **state)
{
    (void)state;
    struct sp_model *m = shop('B');
    struct sp_plan *plan = sp_ts_plan(m, SP_DEPTH_STANDARD);
    const struct sp_test *tests[SP_PLAN_BYPASS_PORTS];
    sp_ts_check(plan, m);
    /* 1-5431, 5433-7999, 8101-65535: one of each, of the risk list where there is one */
    assert_int_equal(find(plan, WEB1, DB1, "tcp_ack", tests, 3), 3);
    uint16_t ends[] = {5431, 7999, 65535};
    bool seen[3] = {false};
    for (size_t i = 0; i < 3; i++) {
        size_t interval = 0;
        while (tests[i]->port > ends[interval]) {
            interval++;
        }
        assert_false(seen[interval]);
        seen[interval] = true;
        assert_int_equal(tests[i]->expect, SP_EXPECT_DENY);
        assert_int_equal(tests[i]->rule, SP_NONE);
        assert_int_equal(tests[i]->sport, 0);
        assert_true(is_risk(tests[i]->port));
        /* Its ordinary test is beside it. */
        assert_non_null(sp_ts_find_test(plan, WEB1, DB1, V4, TCP, tests[i]->port));
    }
    /* One denied interval, one port. */
    assert_int_equal(find(plan, DB1, WEB1, "tcp_ack", tests, 3), 1);
    /* Neither allowed ones nor a target without a probe. */
    assert_int_equal(find(plan, WEB1, OLD, "tcp_ack", tests, 3), 0);
    assert_true(left_out(plan, SP_REASON_BYPASS_BLIND) > 0);
    assert_true(left_out(plan, SP_REASON_BYPASS_HAZARD) > 0); /* those of class C */
    sp_plan_free(plan);
    sp_mb_free(m);
}

/* At exhaustive depth every denied port of the risk list is asked, each interval's own as well, and
 * what is intrusive as at standard depth. */
static void all_risks_are_asked(void **state)
{
    (void)state;
    struct sp_model *m = shop('C');
    struct sp_plan *plan = sp_ts_plan(m, SP_DEPTH_EXHAUSTIVE);
    const struct sp_test *tests[SP_PLAN_BYPASS_MOST];
    size_t n = find(plan, WEB1, DB1, "tcp_ack", tests, SP_PLAN_BYPASS_MOST);
    size_t risks = 0;
    size_t denied = 0;
    const struct sp_risk *risk;
    for (size_t i = 0; i < n; i++) {
        risks += is_risk(tests[i]->port);
        assert_int_equal(tests[i]->expect, SP_EXPECT_DENY);
    }
    for (size_t i = 0; (risk = sp_risk_at(i)) != NULL; i++) {
        bool is_allowed = risk->port == 5432 || (risk->port >= 8000 && risk->port <= 8100);
        denied += risk->proto == TCP && !is_allowed;
    }
    assert_true(denied > 20);
    assert_int_equal(risks, denied);
    assert_int_equal(n, denied + 3); /* the representative of each denied interval */
    assert_true(find(plan, WEB1, DB1, "frag_tail", tests, SP_PLAN_BYPASS_MOST) <= 3);
    sp_plan_free(plan);
    sp_mb_free(m);
}

/* Another seed asks others, the same seed the same; techniques need not agree. */
static void the_seed_chooses(void **state)
{
    (void)state;
    struct sp_model *m = shop('B');
    uint16_t chosen[2][8][3];
    const char *const names[] = {"tcp_ack", "tcp_fin", "tcp_null", "tcp_xmas"};
    bool by_seed = false, by_technique = false;
    for (uint64_t seed = 1; seed <= 8; seed++) {
        for (size_t again = 0; again < 2; again++) {
            struct sp_plan *plan = sp_ts_planned(
                m, &(struct sp_plan_options){.depth = SP_DEPTH_STANDARD, .seed = seed});
            for (size_t k = 0; k < 4; k++) {
                const struct sp_test *tests[3];
                assert_int_equal(find(plan, WEB1, DB1, names[k], tests, 3), 3);
                for (size_t i = 0; i < 3; i++) {
                    by_technique = by_technique || (k > 0 && tests[i]->port != chosen[again][0][i]);
                    if (k == 0) {
                        chosen[again][seed - 1][i] = tests[i]->port;
                        by_seed = by_seed || (seed > 1 && tests[i]->port != chosen[again][0][i]);
                    }
                }
            }
            sp_plan_free(plan);
        }
    }
    assert_true(by_seed && by_technique);
    assert_memory_equal(chosen[0], chosen[1], sizeof(chosen[0]));
    sp_mb_free(m);
}

/* Every source port a test on one port, which nobody sends from: no flow is another's reverse. */
static void source_ports_are_tests(void **state)
{
    (void)state;
    struct sp_model *m = shop('B');
    size_t n = 0;
    const uint16_t *sports = sp_technique_sports(tech("tcp_sport"), &n);
    assert_true(sports && n == 9);
    for (uint64_t seed = 1; seed < 40; seed++) {
        struct sp_plan *plan =
            sp_ts_planned(m, &(struct sp_plan_options){.depth = SP_DEPTH_STANDARD, .seed = seed});
        const struct sp_test *tests[9];
        assert_int_equal(find(plan, WEB1, DB1, "tcp_sport", tests, 9), n);
        for (size_t i = 0; i < n; i++) {
            assert_int_equal(tests[i]->sport, sports[i]);
            assert_int_equal(tests[i]->port, tests[0]->port);
            assert_int_not_equal(tests[0]->port, sports[i]);
            assert_true(sports[i] < plan->sport_lo || sports[i] > plan->sport_hi);
        }
        sp_plan_free(plan);
    }
    assert_null(sp_technique_sports(tech("tcp_ack"), &n));
    assert_int_equal(n, 0);
    sp_mb_free(m);
}

static void consent_decides(void **state)
{
    (void)state;
    struct sp_model *m = shop('A');
    struct sp_plan *plan = sp_ts_plan(m, SP_DEPTH_STANDARD);
    const struct sp_test *tests[9];
    assert_int_equal(count_all(plan), 0);
    uint64_t all = left_out(plan, SP_REASON_BYPASS_HAZARD);
    assert_true(all > 0);
    sp_plan_free(plan);
    m->limits.hazard = 'B';
    plan = sp_ts_plan(m, SP_DEPTH_STANDARD);
    uint64_t intrusive = left_out(plan, SP_REASON_BYPASS_HAZARD);
    assert_int_equal(count_all(plan) + intrusive + without_address(plan), all);
    assert_true(intrusive > 0);
    sp_plan_free(plan);
    m->limits.hazard = 'C';
    plan = sp_ts_plan(m, SP_DEPTH_STANDARD);
    assert_int_equal(left_out(plan, SP_REASON_BYPASS_HAZARD), 0);
    assert_int_equal(count_all(plan) + without_address(plan), all);
    sp_plan_free(plan);
    m->limits.hazard = 'B';
    m->networks[sp_mb_find_network(m, "data")].hazard = 'A';
    plan = sp_ts_plan(m, SP_DEPTH_STANDARD);
    assert_int_equal(find(plan, WEB1, DB1, "tcp_ack", tests, 3), 0);
    assert_int_equal(find(plan, DB1, WEB1, "tcp_ack", tests, 3), 0);
    assert_int_equal(find(plan, DEV1, WEB1, "tcp_ack", tests, 3), 1);
    assert_true(left_out(plan, SP_REASON_BYPASS_HAZARD) > 0);
    sp_plan_free(plan);
    sp_mb_free(m);
}

static void names_choose(void **state)
{
    (void)state;
    struct sp_model *m = shop('B');
    bool wanted[64] = {false};
    const struct sp_test *tests[9];
    assert_true(sp_technique_count() <= SP_ARRAY_LEN(wanted));
    wanted[tech("tcp_fin")] = true;
    struct sp_plan *plan = sp_ts_planned(
        m, &(struct sp_plan_options){.depth = SP_DEPTH_STANDARD, .seed = 7, .techniques = wanted});
    assert_int_equal(find(plan, WEB1, DB1, "tcp_fin", tests, 3), 3);
    assert_int_equal(count_all(plan), plan->ntests); /* nothing else */
    assert_true(left_out(plan, SP_REASON_BYPASS_LEFT_OUT) > 0);
    assert_int_equal(plan->coverage.intervals_tested, 0);
    assert_int_equal(plan->coverage.denied_tested, 0);
    for (size_t i = 0; i < plan->npairs; i++) { /* a pair without a test starts no probe */
        bool any = false;
        for (size_t t = 0; t < plan->ntests; t++) {
            any = any || plan->tests[t].pair == i;
        }
        assert_true(any);
    }
    sp_plan_free(plan);
    sp_mb_free(m);
}

static void same_coverage(const struct sp_coverage *a, const struct sp_coverage *b)
{
    assert_int_equal(a->pairs_tested, b->pairs_tested);
    assert_int_equal(a->intervals_tested, b->intervals_tested);
    assert_int_equal(a->edges_tested, b->edges_tested);
    assert_int_equal(a->rules_tested, b->rules_tested);
    assert_int_equal(a->enforcements_tested, b->enforcements_tested);
    assert_int_equal(a->denied_tested, b->denied_tested);
    assert_int_equal(a->denied_of, b->denied_of);
}

/* At every depth: they cost, and neither cover anything nor take an ordinary test's place. */
static void they_cost_and_cover_nothing(void **state)
{
    (void)state;
    struct sp_model *m = shop('B');
    bool plain[64];
    for (size_t i = 0; i < sp_technique_count(); i++) {
        plain[i] = !sp_technique_is_bypass(i);
    }
    for (int depth = SP_DEPTH_QUICK; depth <= SP_DEPTH_EXHAUSTIVE; depth++) {
        struct sp_plan_options options = {.depth = (enum sp_depth)depth, .seed = 7};
        struct sp_plan *with = sp_ts_planned(m, &options);
        options.techniques = plain;
        struct sp_plan *without = sp_ts_planned(m, &options);
        size_t n = count_all(with);
        sp_ts_check(with, m);
        assert_int_equal(n > 0, depth != SP_DEPTH_QUICK);
        assert_int_equal(with->ntests, without->ntests + n);
        assert_int_equal(with->nsweeps, without->nsweeps);
        assert_int_equal(with->cost.tests, without->cost.tests + n);
        assert_true(with->cost.packets >= without->cost.packets + n * SP_PLAN_DENY_ATTEMPTS);
        same_coverage(&with->coverage, &without->coverage);
        assert_int_equal(left_out(without, SP_REASON_BYPASS_LEFT_OUT),
                         n + left_out(with, SP_REASON_BYPASS_HAZARD) + without_address(with));
        sp_plan_free(with);
        sp_plan_free(without);
    }
    sp_mb_free(m);
}

static void balancers_are_left_alone(void **state)
{
    (void)state;
    struct sp_model *m = sp_ts_shop();
    m->limits.hazard = 'B';
    uint32_t shop_front = sp_mb_balancer(m, "front", "10.10.9.10");
    sp_mb_listener(m, shop_front, "tcp/443", "web-1,web-2", 8443);
    struct sp_plan *plan = sp_ts_plan(m, SP_DEPTH_STANDARD);
    const struct sp_test *tests[3];
    assert_int_equal(find(plan, DB1, shop_front, "tcp_ack", tests, 3), 0);
    assert_true(left_out(plan, SP_REASON_BYPASS_BALANCED) > 0);
    sp_plan_free(plan);
    sp_mb_free(m);
}

static void a_plan_tells_of_them(void **state)
{
    (void)state;
    struct sp_model *m = shop('B');
    struct sp_plan *plan = sp_ts_plan(m, SP_DEPTH_STANDARD);
    struct sp_buf out;
    char line[80];
    sp_buf_init(&out, 1U << 20);
    sp_plan_print(plan, m, true, &out);
    (void)snprintf(line, sizeof(line), "  bypass        %zu of the tests ask denied ports",
                   count_all(plan));
    assert_non_null(strstr(sp_buf_text(&out), line));
    assert_non_null(strstr(sp_buf_text(&out), "tcp    deny    tcp_xmas: "));
    assert_non_null(strstr(sp_buf_text(&out), " from 4500"));
    assert_non_null(strstr(sp_buf_text(&out), "bypass techniques need a probe at both ends"));
    assert_string_equal(sp_why_str(SP_WHY_BYPASS), "bypass");
    sp_buf_release(&out);
    sp_plan_free(plan);
    sp_mb_free(m);
}

static void out_of_memory(void **state)
{
    (void)state;
    struct sp_model *m = shop('B');
    struct sp_policy *policy = NULL;
    assert_int_equal(sp_policy_new(m, &policy), SP_OK);
    const struct sp_plan_options options = {.depth = SP_DEPTH_STANDARD, .seed = 7};
    for (unsigned long n = 1;; n++) {
        struct sp_plan *plan = NULL;
        sp_mem_fail_at(n, 0);
        enum sp_rc rc = sp_plan_new(policy, m, &options, &plan, NULL);
        sp_mem_fail_at(0, 0);
        if (rc == SP_OK) {
            sp_plan_free(plan);
            break;
        }
        assert_int_equal(rc, SP_E_NOMEM);
    }
    sp_policy_free(policy);
    sp_mb_free(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(denied_ports_are_asked),
        cmocka_unit_test(all_risks_are_asked),
        cmocka_unit_test(the_seed_chooses),
        cmocka_unit_test(source_ports_are_tests),
        cmocka_unit_test(consent_decides),
        cmocka_unit_test(names_choose),
        cmocka_unit_test(they_cost_and_cover_nothing),
        cmocka_unit_test(balancers_are_left_alone),
        cmocka_unit_test(a_plan_tells_of_them),
        cmocka_unit_test(out_of_memory),
    };
    return cmocka_run_group_tests_name("plan_bypass", tests, NULL, NULL);
}
