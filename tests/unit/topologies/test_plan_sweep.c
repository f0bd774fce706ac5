/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "probe/base/buf.h"
#include "probe/base/mem.h"
#include "probe/base/portset.h"
#include "tests/support/model_builder.h"
#include "tests/support/sp_cmocka.h"
#include "tests/unit/topologies/plan_support.h"

#define V4  SP_FAMILY_IPV4
#define V6  SP_FAMILY_IPV6
#define TCP SP_PROTO_TCP
#define UDP SP_PROTO_UDP

static const struct sp_plan_sweep *find_sweep(const struct sp_plan *plan, uint32_t from,
                                              uint32_t to, uint8_t family, uint8_t proto)
{
    for (size_t i = 0; i < plan->nsweeps; i++) {
        const struct sp_pair *pair = &plan->pairs[plan->sweeps[i].pair];
        if (pair->from == from && pair->to == to && pair->family == family &&
            plan->sweeps[i].proto == proto) {
            return &plan->sweeps[i];
        }
    }
    return NULL;
}

struct swept {
    struct sp_portset denied, allowed;
};

/* The ports of a sweep; the counts in the plan must be theirs. */
static struct swept ports_of(const struct sp_plan *plan, const struct sp_model *m,
                             const struct sp_plan_sweep *sweep)
{
    struct sp_policy *policy = NULL;
    struct swept swept = {0};
    assert_int_equal(sp_policy_new(m, &policy), SP_OK);
    assert_int_equal(sp_plan_sweep_ports(plan, m, policy, (size_t)(sweep - plan->sweeps),
                                         &swept.denied, &swept.allowed),
                     SP_OK);
    assert_int_equal(sp_portset_count(&swept.denied), sweep->denied);
    assert_int_equal(sp_portset_count(&swept.allowed), sweep->allowed);
    assert_false(sp_portset_has(&swept.denied, 0));
    assert_false(sp_portset_has(&swept.allowed, 0));
    sp_policy_free(policy);
    return swept;
}

static struct sp_model *ruled_shop(void)
{
    struct sp_model *m = sp_ts_shop();
    (void)sp_mb_rule(m, SP_RULE_ALLOW, "web-to-data", "web", "data", "tcp/5432,tcp/8000-8100");
    (void)sp_mb_rule(m, SP_RULE_PERMIT, "monitor", "web", "data", "udp/161,tcp/9100-9109");
    return m;
}

static void every_lane_with_two_probes_is_swept(void **state)
{
    (void)state;
    struct sp_model *m = ruled_shop();
    struct sp_plan *plan = sp_ts_plan(m, SP_DEPTH_EXHAUSTIVE);
    sp_ts_check(plan, m);
    const struct sp_plan_sweep *tcp = find_sweep(plan, WEB1, DB1, V4, TCP);
    const struct sp_plan_sweep *udp = find_sweep(plan, WEB1, DB1, V4, UDP);
    assert_non_null(tcp);
    assert_non_null(udp);
    assert_non_null(find_sweep(plan, WEB1, DB1, V6, TCP));
    assert_non_null(find_sweep(plan, DB1, WEB1, V4, TCP));
    assert_string_equal(sp_technique_at(tcp->technique)->name, "tcp_syn");
    assert_int_equal(sp_technique_at(udp->technique)->proto, UDP);
    assert_int_equal(tcp->allowed, 102);
    assert_int_equal(tcp->denied, 65535 - 102 - 10); /* permitted ports are not asked */
    assert_int_equal(udp->allowed, 0);
    assert_int_equal(udp->denied, 65534);
    struct swept swept = ports_of(plan, m, tcp);
    assert_true(sp_portset_has(&swept.denied, 1));
    assert_true(sp_portset_has(&swept.denied, 65535));
    assert_true(sp_portset_has(&swept.denied, 8101));
    assert_false(sp_portset_has(&swept.denied, 8100));
    assert_true(sp_portset_has(&swept.allowed, 8100));
    assert_false(sp_portset_has(&swept.denied, 9100));
    assert_false(sp_portset_has(&swept.allowed, 9100));
    for (size_t i = 1; i < plan->nsweeps; i++) {
        assert_true(plan->sweeps[i - 1].pair <= plan->sweeps[i].pair);
    }
    sp_plan_free(plan);
    sp_mb_free(m);
}

static void swept_denied_points_are_no_tests(void **state)
{
    (void)state;
    struct sp_model *m = ruled_shop();
    struct sp_plan *plan = sp_ts_plan(m, SP_DEPTH_EXHAUSTIVE);
    struct sp_plan *standard = sp_ts_plan(m, SP_DEPTH_STANDARD);
    size_t others = 0;
    for (size_t i = 0; i < plan->ntests; i++) {
        const struct sp_test *t = &plan->tests[i];
        const struct sp_pair *pair = &plan->pairs[t->pair];
        bool lane = find_sweep(plan, pair->from, pair->to, pair->family, t->proto) != NULL;
        assert_false(lane && t->expect == SP_EXPECT_DENY);
        assert_int_equal(t->port, t->port_hi);
    }
    /* All else is as at standard depth, test by test. */
    for (size_t i = 0; i < standard->ntests; i++) {
        const struct sp_test *t = &standard->tests[i];
        const struct sp_pair *pair = &standard->pairs[t->pair];
        if (t->expect == SP_EXPECT_DENY &&
            find_sweep(plan, pair->from, pair->to, pair->family, t->proto)) {
            continue;
        }
        const struct sp_test *same =
            sp_ts_test(plan, pair->from, pair->to, pair->family, t->proto, t->port);
        assert_int_equal(same->why, t->why);
        others++;
    }
    assert_int_equal(others, plan->ntests);
    assert_non_null(sp_ts_find_test(plan, WEB1, DB1, V4, TCP, 5432));
    assert_non_null(sp_ts_find_test(plan, WEB1, DB1, V4, SP_PROTO_ICMP, SP_PORT_ICMP_ECHO));
    assert_null(sp_ts_find_test(plan, WEB1, DB1, V4, TCP, 22));
    assert_non_null(sp_ts_find_test(plan, WEB1, OLD, V4, TCP, 22)); /* no probe there */
    sp_plan_free(plan);
    sp_plan_free(standard);
    sp_mb_free(m);
}

static void other_depths_have_no_sweeps(void **state)
{
    (void)state;
    struct sp_model *m = ruled_shop();
    for (int depth = SP_DEPTH_QUICK; depth <= SP_DEPTH_STANDARD; depth++) {
        struct sp_plan_options options = {
            .depth = (enum sp_depth)depth, .seed = 7, .slice = {.at = 9, .of = 3}};
        struct sp_plan *plan = sp_ts_planned(m, &options); /* which have no slices either */
        assert_int_equal(plan->nsweeps, 0);
        assert_int_equal(plan->slice.of, 0);
        sp_plan_free(plan);
    }
    sp_mb_free(m);
}

static void what_is_not_swept_is_told(void **state)
{
    (void)state;
    struct sp_model *m = sp_ts_shop();
    (void)sp_mb_balancer(m, "shop", "10.10.9.10");
    sp_mb_listener(m, (uint32_t)m->nhosts, "tcp/443", "web-1,web-2", 8443);
    (void)sp_mb_rule(m, SP_RULE_ALLOW, "shop", "data", "shop", "tcp/443");
    struct sp_plan *plan = sp_ts_plan(m, SP_DEPTH_EXHAUSTIVE);
    uint32_t balancer = (uint32_t)m->nhosts;
    uint64_t asked = 0, tested = 0;
    for (size_t i = 0; i < plan->nsweeps; i++) {
        uint32_t to = plan->pairs[plan->sweeps[i].pair].to;
        assert_true(to != OLD && to != balancer);
        asked += plan->sweeps[i].denied;
    }
    for (size_t i = 0; i < plan->ntests; i++) {
        const struct sp_test *t = &plan->tests[i];
        tested += t->expect == SP_EXPECT_DENY && (t->proto == TCP || t->proto == UDP);
    }
    assert_int_equal(plan->coverage.denied_tested, asked + tested);
    /* What is neither asked by a sweep nor tested is in the list of what is left out. */
    uint64_t left = 0;
    for (size_t i = 0; i < plan->nskips; i++) {
        left += plan->skips[i].is_ports ? plan->skips[i].points : 0;
    }
    assert_int_equal(plan->coverage.denied_of, asked + tested + left);
    assert_true(sp_ts_skipped(plan, SP_REASON_SWEEP_BLIND, TCP) > 0);
    assert_true(sp_ts_skipped(plan, SP_REASON_SWEEP_BALANCED, UDP) > 0);
    assert_true(sp_ts_skipped(plan, SP_REASON_SWEEP_SLICE, TCP) == 0);
    assert_true(sp_ts_skipped(plan, SP_REASON_HAZARD, SP_PROTO_IP) > 0);
    sp_plan_free(plan);
    sp_mb_free(m);
}

static void left_out_techniques_are_not_swept(void **state)
{
    (void)state;
    struct sp_model *m = ruled_shop();
    bool techniques[64] = {false};
    techniques[sp_technique_index(sp_technique_find("tcp_syn"))] = true;
    struct sp_plan *plan =
        sp_ts_planned(m, &(struct sp_plan_options){
                             .depth = SP_DEPTH_EXHAUSTIVE, .seed = 7, .techniques = techniques});
    assert_true(plan->nsweeps > 0);
    for (size_t i = 0; i < plan->nsweeps; i++) {
        assert_int_equal(plan->sweeps[i].proto, TCP);
    }
    sp_plan_free(plan);
    sp_mb_free(m);
}

static void slices_are_an_exact_partition(void **state)
{
    (void)state;
    static const uint32_t counts[] = {1, 2, 3, 7, 64};
    for (size_t c = 0; c < SP_ARRAY_LEN(counts); c++) {
        struct sp_slice slice = {.of = counts[c], .key = 42};
        uint32_t fewest = UINT32_MAX, most = 0;
        static uint8_t owners[65536];
        memset(owners, 0, sizeof(owners));
        for (slice.at = 0; slice.at < slice.of; slice.at++) {
            uint32_t n = 0;
            for (uint32_t port = 0; port <= 65535; port++) {
                bool has = sp_slice_has(&slice, (uint16_t)port);
                owners[port] = (uint8_t)(owners[port] + has);
                n += has;
            }
            fewest = n < fewest ? n : fewest;
            most = n > most ? n : most;
        }
        assert_int_equal(owners[0], 0);
        for (uint32_t port = 1; port <= 65535; port++) {
            assert_int_equal(owners[port], 1);
        }
        assert_true(most - fewest <= 1);
    }
    struct sp_slice whole = {0};
    assert_true(sp_slice_has(&whole, 1));
    assert_false(sp_slice_has(&whole, 0));
    /* Another key, another partition. */
    struct sp_slice a = {.of = 4, .key = 1}, b = {.of = 4, .key = 2};
    uint32_t both = 0;
    for (uint32_t port = 1; port <= 65535; port++) {
        both += sp_slice_has(&a, (uint16_t)port) && sp_slice_has(&b, (uint16_t)port);
    }
    assert_in_range(both, 3600, 4600); /* a sixteenth */
}

static void slices_cover_everything_and_keep_the_points(void **state)
{
    (void)state;
    struct sp_model *m = ruled_shop();
    struct sp_plan *whole = sp_ts_plan(m, SP_DEPTH_EXHAUSTIVE);
    struct swept all = ports_of(whole, m, find_sweep(whole, WEB1, DB1, V4, TCP));
    struct sp_portset together = {0};
    for (uint32_t at = 0; at < 5; at++) {
        struct sp_plan_options options = {
            .depth = SP_DEPTH_EXHAUSTIVE, .seed = 7, .slice = {.at = at, .of = 5, .key = 9}};
        struct sp_plan *plan = sp_ts_planned(m, &options);
        sp_ts_check(plan, m);
        const struct sp_plan_sweep *sweep = find_sweep(plan, WEB1, DB1, V4, TCP);
        struct swept swept = ports_of(plan, m, sweep);
        assert_int_equal(sweep->allowed, 102); /* always all */
        assert_in_range(sweep->denied, 65423 / 5, 65423 / 5 + 40);
        assert_true(sp_portset_has(&swept.denied, 22)); /* points of standard depth */
        assert_true(sp_portset_has(&swept.denied, 8101));
        assert_true(sp_portset_has(&swept.denied, 1));
        sp_portset_unite(&together, &swept.denied);
        assert_true(sp_ts_skipped(plan, SP_REASON_SWEEP_SLICE, TCP) > 0);
        assert_in_range(plan->coverage.denied_ports_swept * 1000, 100, 210);
        sp_plan_free(plan);
    }
    assert_memory_equal(together.bytes, all.denied.bytes, sizeof(together.bytes));
    sp_plan_free(whole);
    sp_mb_free(m);
}

static void a_slice_that_is_not_there_is_refused(void **state)
{
    (void)state;
    struct sp_model *m = ruled_shop();
    struct sp_policy *policy = NULL;
    struct sp_plan *plan = NULL;
    struct sp_diag diag = {0};
    assert_int_equal(sp_policy_new(m, &policy), SP_OK);
    struct sp_plan_options options = {.depth = SP_DEPTH_EXHAUSTIVE, .slice = {.at = 3, .of = 3}};
    assert_int_equal(sp_plan_new(policy, m, &options, &plan, &diag), SP_E_INVALID);
    assert_non_null(strstr(diag.text, "no slice 4 of 3"));
    sp_policy_free(policy);
    sp_mb_free(m);
}

static void coverage_counts_what_is_asked(void **state)
{
    (void)state;
    struct sp_model *m = ruled_shop();
    struct sp_bits from = {0}, to = {0};
    assert_int_equal(sp_select(m, "web", &from, NULL), SP_OK);
    assert_int_equal(sp_select(m, "db-1", &to, NULL), SP_OK);
    struct sp_plan *plan =
        sp_ts_planned(m, &(struct sp_plan_options){
                             .depth = SP_DEPTH_EXHAUSTIVE, .seed = 7, .from = &from, .to = &to});
    const struct sp_coverage *c = &plan->coverage;
    assert_int_equal(c->denied_tested, c->denied_of);
    assert_true(c->denied_ports_swept >= 1.0);
    assert_int_equal(c->denied_of, 3 * (65535 - 112 + 65534));
    assert_int_equal(c->rules_tested, 2);
    assert_int_equal(plan->cost.tests, plan->ntests + 3 * (65423 + 102 + 65534));
    sp_plan_free(plan);
    sp_bits_release(&from);
    sp_bits_release(&to);
    sp_mb_free(m);
}

/* n hosts in a subnet each, nothing allowed, one address each. */
static struct sp_model *islands(unsigned n)
{
    struct sp_model *m = sp_mb_new();
    char name[16], prefix[24], host[16], addr[24];
    for (unsigned i = 0; i < n; i++) {
        (void)snprintf(name, sizeof(name), "net-%u", i);
        (void)snprintf(prefix, sizeof(prefix), "10.%u.%u.0/24", i / 250, i % 250);
        (void)snprintf(host, sizeof(host), "host-%u", i);
        (void)snprintf(addr, sizeof(addr), "10.%u.%u.1", i / 250, i % 250);
        (void)sp_mb_network(m, name, NULL, SP_NET_VPC, prefix);
        (void)sp_mb_host(m, host, name, addr, "netns");
    }
    return m;
}

static void time_follows_the_tournament(void **state)
{
    (void)state;
    struct sp_model *m = islands(4);
    m->limits.max_rate = 10000;
    struct sp_plan *plan = sp_ts_plan(m, SP_DEPTH_EXHAUSTIVE);
    assert_int_equal(plan->nsweeps, 12 * 2);
    uint64_t each = 2 * 2 * 65535; /* packets of one host to another */
    each += 2 * ((2 * 65535 * 3 + 99) / 100);
    struct sp_plan *standard = sp_ts_plan(m, SP_DEPTH_STANDARD);
    /* Three rounds, in which all send at once. */
    uint64_t sweeping = (3 * each + 9999) / 10000;
    assert_in_range(plan->cost.seconds, sweeping, sweeping + standard->cost.seconds + 1);
    assert_true(plan->cost.packets >= 12 * each);
    /* A shared firewall: all four through it at the same time. */
    sp_plan_free(plan);
    (void)sp_mb_enforcement(m, "fw", "net-0,net-1,net-2,net-3");
    m->enforcements[0].max_rate = 20000;
    plan = sp_ts_plan(m, SP_DEPTH_EXHAUSTIVE);
    sweeping = (12 * each + 19999) / 20000;
    assert_in_range(plan->cost.seconds, sweeping, sweeping + standard->cost.seconds + 1);
    sp_plan_free(plan);
    /* Several paths: more passes. */
    m->enforcements[0].paths = 2;
    plan = sp_ts_plan(m, SP_DEPTH_EXHAUSTIVE);
    assert_true(plan->cost.packets > 12 * each * 4);
    sp_plan_free(plan);
    /* As fast as it goes: what is left are the seconds between attempts. */
    m->enforcements[0].paths = 1;
    m->enforcements[0].max_rate = 0;
    m->limits.max_rate = 10000000;
    plan = sp_ts_plan(m, SP_DEPTH_EXHAUSTIVE);
    assert_in_range(plan->cost.seconds, 3, 3 + standard->cost.seconds + 1);
    sp_plan_free(plan);
    sp_plan_free(standard);
    sp_mb_free(m);
}

/* Pairs of hosts that have nothing to do with each other are swept at the same time. */
static void what_can_run_at_once_does(void **state)
{
    (void)state;
    struct sp_model *m = islands(20);
    struct sp_load loads[20];
    uint64_t seconds = 0;
    m->limits.max_rate = 1000;
    for (uint32_t i = 0; i < 20; i++) {
        loads[i] = (struct sp_load){
            .from = i, .to = 19 - i, .point = SP_NONE, .packets = 10000, .passes = 2};
    }
    assert_int_equal(sp_sweep_seconds(m, loads, 20, &seconds), SP_OK);
    assert_in_range(seconds, 10, 20);   /* one round, or two */
    for (uint32_t i = 0; i < 19; i++) { /* one host that all others send to */
        loads[i] =
            (struct sp_load){.from = i, .to = 19, .point = SP_NONE, .packets = 10000, .passes = 2};
    }
    assert_int_equal(sp_sweep_seconds(m, loads, 19, &seconds), SP_OK);
    assert_int_equal(seconds, 190);
    sp_mb_free(m);
}

static void a_big_fleet_costs_lanes_not_ports(void **state)
{
    (void)state;
    struct sp_model *m = islands(120);
    struct sp_plan *plan = sp_ts_plan(m, SP_DEPTH_EXHAUSTIVE);
    assert_int_equal(plan->nsweeps, 120 * 119 * 2);
    assert_int_equal(plan->ntests, 120 * 119); /* echo */
    assert_int_equal(plan->cost.tests, 120 * 119 * (1 + 2 * 65535ULL));
    sp_plan_free(plan);
    sp_mb_free(m);
}

static void has_text(const char *text, const char *words)
{
    if (!strstr(text, words)) {
        fail_msg("'%s' is not in:\n%s", words, text);
    }
}

static void the_plan_tells_its_sweeps(void **state)
{
    (void)state;
    struct sp_model *m = islands(2);
    struct sp_buf out;
    sp_buf_init(&out, 1 << 20);
    struct sp_plan *plan = sp_ts_plan(m, SP_DEPTH_EXHAUSTIVE);
    sp_plan_print(plan, m, false, &out);
    has_text(sp_buf_text(&out), "  tests         262,142 (262,142 must be denied, 0 must work");
    has_text(sp_buf_text(&out), "  sweeps        4 of 262,140 ports in all, each a test: every "
                                "denied and every\n                allowed port\n");
    has_text(sp_buf_text(&out), "are kept for the run and tested by sweeps only\n");
    has_text(sp_buf_text(&out), "100.0000 % of the denied");
    has_text(sp_buf_text(&out), "ip intervals        the hazard class of its technique");
    sp_plan_free(plan);
    sp_buf_clear(&out);
    struct sp_plan_options options = {
        .depth = SP_DEPTH_EXHAUSTIVE, .seed = 7, .slice = {.at = 1, .of = 4}};
    plan = sp_ts_planned(m, &options);
    sp_plan_print(plan, m, false, &out);
    has_text(sp_buf_text(&out), "slice 2 of 4 of the\n                denied ports, and all");
    has_text(sp_buf_text(&out), "denied tcp ports    left to the other slices");
    sp_buf_release(&out);
    sp_plan_free(plan);
    sp_mb_free(m);
}

static void out_of_memory(void **state)
{
    (void)state;
    struct sp_model *m = ruled_shop();
    struct sp_plan_options options = {
        .depth = SP_DEPTH_EXHAUSTIVE, .seed = 7, .slice = {.at = 1, .of = 4}};
    enum sp_rc rc = SP_E_NOMEM;
    for (size_t n = 1; rc != SP_OK; n++) {
        struct sp_policy *policy = NULL;
        struct sp_plan *plan = NULL;
        struct sp_portset denied = {0}, allowed = {0};
        (void)sp_mem_fail_at(n, 0);
        rc = sp_policy_new(m, &policy);
        if (rc == SP_OK) {
            rc = sp_plan_new(policy, m, &options, &plan, NULL);
        }
        if (rc == SP_OK) {
            rc = sp_plan_sweep_ports(plan, m, policy, 0, &denied, &allowed);
        }
        (void)sp_mem_fail_at(0, 0);
        assert_true(rc == SP_OK || rc == SP_E_NOMEM);
        assert_true(n < 10000);
        sp_plan_free(plan);
        sp_policy_free(policy);
    }
    sp_mb_free(m);
}

static void source_ports_are_many(void **state)
{
    (void)state;
    struct sp_model *m = sp_ts_shop();
    /* 300 ports of room above 61000, 2000 below the ephemeral ports. */
    (void)sp_mb_rule(m, SP_RULE_ALLOW, "a", "web", "data", "tcp/61300-65000");
    char ports[32];
    for (unsigned port = 61300; port < 65534; port += 300) {
        (void)snprintf(ports, sizeof(ports), "udp/%u", port);
        (void)sp_mb_rule(m, SP_RULE_ALLOW, ports, "web", "data", ports);
    }
    for (unsigned port = 10000; port < 32767; port += 2000) {
        (void)snprintf(ports, sizeof(ports), "udp/%u", port);
        (void)sp_mb_rule(m, SP_RULE_ALLOW, ports, "web", "data", ports);
    }
    uint16_t lo = 0, hi = 0;
    assert_int_equal(sp_plan_sports(m, SP_DEPTH_STANDARD, &lo, &hi, NULL), SP_OK);
    assert_true(lo >= 61000 && hi - lo < 1024);
    assert_int_equal(sp_plan_sports(m, SP_DEPTH_EXHAUSTIVE, &lo, &hi, NULL), SP_OK);
    assert_true(hi - lo + 1 >= 1024);
    sp_mb_free(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_lane_with_two_probes_is_swept),
        cmocka_unit_test(swept_denied_points_are_no_tests),
        cmocka_unit_test(other_depths_have_no_sweeps),
        cmocka_unit_test(what_is_not_swept_is_told),
        cmocka_unit_test(left_out_techniques_are_not_swept),
        cmocka_unit_test(slices_are_an_exact_partition),
        cmocka_unit_test(slices_cover_everything_and_keep_the_points),
        cmocka_unit_test(a_slice_that_is_not_there_is_refused),
        cmocka_unit_test(coverage_counts_what_is_asked),
        cmocka_unit_test(time_follows_the_tournament),
        cmocka_unit_test(what_can_run_at_once_does),
        cmocka_unit_test(a_big_fleet_costs_lanes_not_ports),
        cmocka_unit_test(the_plan_tells_its_sweeps),
        cmocka_unit_test(out_of_memory),
        cmocka_unit_test(source_ports_are_many),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
