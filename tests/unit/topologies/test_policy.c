/* SPDX-License-Identifier: Apache-2.0 */
#include "topologies/policy.h"

#include <stdio.h>
#include <string.h>

#include "probe/base/hash.h"
#include "probe/base/mem.h"
#include "tests/support/model_builder.h"
#include "tests/support/sp_cmocka.h"
#include "topologies/policy_priv.h"

/* web-1, web-2 (web), db-1, old (data), jump (prod itself), dev-1 (dev). */
static struct sp_model *shop(void)
{
    struct sp_model *m = sp_mb_new();
    (void)sp_mb_network(m, "prod", NULL, SP_NET_VPC, "10.10.0.0/16");
    (void)sp_mb_network(m, "web", "prod", SP_NET_SUBNET, "10.10.1.0/24");
    (void)sp_mb_network(m, "data", "prod", SP_NET_SUBNET, "10.10.2.0/24");
    (void)sp_mb_network(m, "dev", NULL, SP_NET_VPC, "10.20.0.0/16");
    (void)sp_mb_host(m, "web-1", "web", "10.10.1.11", "netns");
    (void)sp_mb_host(m, "web-2", "web", "10.10.1.12", "netns");
    (void)sp_mb_host(m, "db-1", "data", "10.10.2.11", "netns");
    (void)sp_mb_host(m, "old", "data", "10.10.2.99", NULL);
    (void)sp_mb_host(m, "jump", "prod", "10.10.0.5", "netns");
    (void)sp_mb_host(m, "dev-1", "dev", "10.20.0.11", "netns");
    return m;
}
enum { WEB1, WEB2, DB1, OLD, JUMP, DEV1 };

static struct sp_policy *compiled(const struct sp_model *m)
{
    struct sp_policy *policy = NULL;
    assert_int_equal(sp_policy_new(m, &policy), SP_OK);
    return policy;
}

static void check_interval(struct sp_interval got, unsigned lo, unsigned hi, uint8_t expect,
                           uint32_t rule)
{
    assert_int_equal(got.lo, lo);
    assert_int_equal(got.hi, hi);
    assert_int_equal(got.expect, expect);
    assert_int_equal(got.rule, rule);
}

static void no_rule_denies_the_whole_axis(void **state)
{
    (void)state;
    struct sp_model *m = shop();
    struct sp_policy *p = compiled(m);
    for (uint8_t proto = 0; proto < SP_PROTO_COUNT; proto++) {
        struct sp_intervals list = sp_policy_pair(p, WEB1, DB1, proto);
        assert_int_equal(list.n, 1);
        check_interval(list.at[0], sp_proto_min(proto), sp_proto_max(proto), SP_EXPECT_DENY,
                       SP_NONE);
    }
    assert_int_equal(sp_policy_pair(p, WEB1, DB1, SP_PROTO_COUNT).n, 0);
    assert_int_equal(sp_policy_pair(p, 6, DB1, SP_PROTO_TCP).n, 0);
    assert_int_equal(sp_policy_pair(p, WEB1, 6, SP_PROTO_TCP).n, 0);
    assert_null(sp_policy_decide(p, WEB1, DB1, SP_PROTO_TCP, 0));
    assert_null(sp_policy_decide(p, WEB1, DB1, SP_PROTO_IP, 256));
    sp_policy_free(p);
    sp_mb_free(m);
}

static void allow_cuts_the_axis(void **state)
{
    (void)state;
    struct sp_model *m = shop();
    uint32_t r = sp_mb_rule(m, SP_RULE_ALLOW, "web-to-db", "web", "db-1,old",
                            "tcp/5432,tcp/8000-8100,tcp/65535,tcp/1");
    struct sp_policy *p = compiled(m);
    struct sp_intervals list = sp_policy_pair(p, WEB2, OLD, SP_PROTO_TCP);
    assert_int_equal(list.n, 7);
    check_interval(list.at[0], 1, 1, SP_EXPECT_ALLOW, r);
    check_interval(list.at[1], 2, 5431, SP_EXPECT_DENY, SP_NONE);
    check_interval(list.at[2], 5432, 5432, SP_EXPECT_ALLOW, r);
    check_interval(list.at[3], 5433, 7999, SP_EXPECT_DENY, SP_NONE);
    check_interval(list.at[4], 8000, 8100, SP_EXPECT_ALLOW, r);
    check_interval(list.at[5], 8101, 65534, SP_EXPECT_DENY, SP_NONE);
    check_interval(list.at[6], 65535, 65535, SP_EXPECT_ALLOW, r);
    /* Nothing the other way, nothing on udp, nothing from others. */
    assert_int_equal(sp_policy_pair(p, OLD, WEB2, SP_PROTO_TCP).n, 1);
    assert_int_equal(sp_policy_pair(p, WEB2, OLD, SP_PROTO_UDP).n, 1);
    assert_int_equal(sp_policy_pair(p, DEV1, OLD, SP_PROTO_TCP).n, 1);
    /* One list for the same question about the same classes. */
    assert_ptr_equal(list.at, sp_policy_pair(p, WEB1, DB1, SP_PROTO_TCP).at);
    assert_int_equal(sp_policy_decide(p, WEB1, DB1, SP_PROTO_TCP, 8050)->expect, SP_EXPECT_ALLOW);
    assert_int_equal(sp_policy_decide(p, WEB1, DB1, SP_PROTO_TCP, 8101)->expect, SP_EXPECT_DENY);
    sp_policy_free(p);
    sp_mb_free(m);
}

static void precedence_is_isolation_deny_allow_permit(void **state)
{
    (void)state;
    struct sp_model *m = shop();
    uint32_t permit = sp_mb_rule(m, SP_RULE_PERMIT, "p", "web", "data", "tcp/100-600");
    uint32_t wild = sp_mb_rule(m, SP_RULE_ALLOW, "w", "web", "data", "tcp/*");
    uint32_t allow = sp_mb_rule(m, SP_RULE_ALLOW, "a", "web", "data", "tcp/200-500");
    uint32_t allow2 = sp_mb_rule(m, SP_RULE_ALLOW, "a2", "web", "data", "tcp/450-550");
    uint32_t deny = sp_mb_rule(m, SP_RULE_DENY, "d", "any", "data", "tcp/300-400");
    struct sp_policy *p = compiled(m);
    struct sp_intervals list = sp_policy_pair(p, WEB1, DB1, SP_PROTO_TCP);
    assert_int_equal(list.n, 8);
    check_interval(list.at[0], 1, 99, SP_EXPECT_PERMIT, wild);
    check_interval(list.at[1], 100, 199, SP_EXPECT_PERMIT, permit); /* lowest index of a kind */
    check_interval(list.at[2], 200, 299, SP_EXPECT_ALLOW, allow);
    check_interval(list.at[3], 300, 400, SP_EXPECT_DENY, deny);
    check_interval(list.at[4], 401, 500, SP_EXPECT_ALLOW, allow);
    check_interval(list.at[5], 501, 550, SP_EXPECT_ALLOW, allow2);
    check_interval(list.at[6], 551, 600, SP_EXPECT_PERMIT, permit);
    check_interval(list.at[7], 601, 65535, SP_EXPECT_PERMIT, wild);
    sp_policy_free(p);
    uint32_t isolation = sp_mb_rule(m, SP_RULE_ISOLATION, "isolation:data-web", "data", "web", "");
    p = compiled(m);
    for (uint8_t proto = 0; proto < SP_PROTO_COUNT; proto++) { /* both ways, every protocol */
        struct sp_intervals there = sp_policy_pair(p, WEB1, DB1, proto);
        struct sp_intervals back = sp_policy_pair(p, DB1, WEB1, proto);
        assert_int_equal(there.n, 1);
        assert_int_equal(back.n, 1);
        check_interval(there.at[0], sp_proto_min(proto), sp_proto_max(proto), SP_EXPECT_DENY,
                       isolation);
        check_interval(back.at[0], sp_proto_min(proto), sp_proto_max(proto), SP_EXPECT_DENY,
                       isolation);
    }
    assert_int_equal(sp_policy_decide(p, WEB1, JUMP, SP_PROTO_TCP, 9)->rule, SP_NONE);
    sp_policy_free(p);
    sp_mb_free(m);
}

static void neighbours_with_one_rule_are_one_interval(void **state)
{
    (void)state;
    struct sp_model *m = shop();
    uint32_t a =
        sp_mb_rule(m, SP_RULE_ALLOW, "a", "web", "data", "tcp/10-19,tcp/20-29,tcp/15-25,tcp/30");
    uint32_t b = sp_mb_rule(m, SP_RULE_ALLOW, "b", "web", "data", "tcp/31,udp/5,any");
    struct sp_policy *p = compiled(m);
    struct sp_intervals list = sp_policy_pair(p, WEB1, DB1, SP_PROTO_TCP);
    assert_int_equal(list.n, 4);
    check_interval(list.at[0], 1, 9, SP_EXPECT_PERMIT, b);
    check_interval(list.at[1], 10, 30, SP_EXPECT_ALLOW, a);
    check_interval(list.at[2], 31, 31, SP_EXPECT_ALLOW, b); /* same rule, but not a wildcard */
    check_interval(list.at[3], 32, 65535, SP_EXPECT_PERMIT, b);
    list = sp_policy_pair(p, WEB1, DB1, SP_PROTO_IP);
    assert_int_equal(list.n, 1);
    check_interval(list.at[0], 0, 255, SP_EXPECT_PERMIT, b);
    sp_policy_free(p);
    sp_mb_free(m);
}

static void icmp_types_and_codes_are_points(void **state)
{
    (void)state;
    struct sp_model *m = shop();
    uint32_t a = sp_mb_rule(m, SP_RULE_ALLOW, "ping", "jump", "web", "icmp/echo,icmp/3.4,gre");
    struct sp_policy *p = compiled(m);
    struct sp_intervals list = sp_policy_pair(p, JUMP, WEB1, SP_PROTO_ICMP);
    assert_int_equal(list.n, 5);
    check_interval(list.at[0], 0, 3 * 256 + 3, SP_EXPECT_DENY, SP_NONE);
    check_interval(list.at[1], 3 * 256 + 4, 3 * 256 + 4, SP_EXPECT_ALLOW, a);
    check_interval(list.at[3], 8 * 256, 8 * 256 + 255, SP_EXPECT_ALLOW, a);
    assert_int_equal(sp_policy_decide(p, JUMP, WEB1, SP_PROTO_IP, 47)->expect, SP_EXPECT_ALLOW);
    assert_int_equal(sp_policy_decide(p, JUMP, WEB1, SP_PROTO_ICMP6, SP_PORT_ICMP6_ECHO)->expect,
                     SP_EXPECT_DENY);
    sp_policy_free(p);
    sp_mb_free(m);
}

static void classes_hold_targets_of_one_membership(void **state)
{
    (void)state;
    struct sp_model *m = shop();
    (void)sp_mb_balancer(m, "lb", "10.10.9.10");
    struct sp_policy *p = compiled(m);
    assert_int_equal(sp_policy_classes(p), 5); /* four networks and the balancers */
    assert_int_equal(sp_policy_class_of(p, WEB1), sp_policy_class_of(p, WEB2));
    assert_int_not_equal(sp_policy_class_of(p, WEB1), sp_policy_class_of(p, JUMP));
    assert_int_equal(sp_policy_class_of(p, 7), SP_NONE);
    sp_policy_free(p);
    (void)sp_mb_rule(m, SP_RULE_ALLOW, "a", "web-1,db-1,old", "any", "tcp/1");
    (void)sp_mb_rule(m, SP_RULE_DENY, "b", "any", "old", "tcp/2");
    p = compiled(m);
    assert_int_equal(sp_policy_classes(p), 7);
    assert_int_not_equal(sp_policy_class_of(p, WEB1), sp_policy_class_of(p, WEB2));
    assert_int_not_equal(sp_policy_class_of(p, DB1), sp_policy_class_of(p, OLD));
    sp_policy_free(p);
    sp_mb_free(m);
}

static void within_decides_about_one_subnet(void **state)
{
    (void)state;
    struct sp_model *m = shop();
    uint32_t lb = sp_mb_balancer(m, "lb", "10.10.9.10");
    (void)sp_mb_rule(m, SP_RULE_DENY, "wide", "any", "any", "tcp/22");
    struct sp_policy *p = compiled(m);
    assert_string_equal(sp_policy_untested(p, WEB1, WEB1), "a host and itself");
    assert_non_null(strstr(sp_policy_untested(p, WEB1, WEB2), "same subnet"));
    assert_non_null(sp_policy_untested(p, WEB1, 99));
    assert_non_null(sp_policy_untested(p, 99, WEB1));
    assert_null(sp_policy_untested(p, WEB1, DB1));
    assert_null(sp_policy_untested(p, WEB1, JUMP)); /* a child and its parent are not one subnet */
    assert_non_null(strstr(sp_policy_untested(p, lb, WEB1), "never a source"));
    assert_null(sp_policy_untested(p, WEB1, lb));
    sp_policy_free(p);

    m->networks[sp_mb_find_network(m, "web")].within = SP_WITHIN_CLOSED;
    p = compiled(m);
    assert_null(sp_policy_untested(p, WEB1, WEB2));
    assert_int_equal(sp_policy_decide(p, WEB1, WEB2, SP_PROTO_TCP, 80)->expect, SP_EXPECT_DENY);
    sp_policy_free(p);

    m->networks[sp_mb_find_network(m, "web")].within = SP_WITHIN_OPEN;
    p = compiled(m);
    assert_null(sp_policy_untested(p, WEB1, WEB2));
    const struct sp_interval *open = sp_policy_decide(p, WEB1, WEB2, SP_PROTO_TCP, 80);
    assert_int_equal(open->expect, SP_EXPECT_PERMIT);
    assert_int_equal(open->rule, SP_NONE);
    assert_int_equal(sp_policy_decide(p, WEB1, WEB2, SP_PROTO_TCP, 22)->expect, SP_EXPECT_DENY);
    assert_int_equal(sp_policy_decide(p, WEB1, DB1, SP_PROTO_TCP, 80)->expect, SP_EXPECT_DENY);
    sp_policy_free(p);

    m->networks[sp_mb_find_network(m, "web")].within = SP_WITHIN_UNTESTED;
    (void)sp_mb_rule(m, SP_RULE_ALLOW, "cluster", "web-1", "web-2", "tcp/7946");
    p = compiled(m);
    assert_null(sp_policy_untested(p, WEB1, WEB2));
    assert_non_null(sp_policy_untested(p, WEB2, WEB1));
    sp_policy_free(p);
    sp_mb_free(m);
}

static bool collect(void *ctx, uint32_t rule)
{
    uint32_t *seen = ctx;
    seen[++seen[0]] = rule;
    return seen[0] < 3;
}

static void rules_of_a_pair_are_visited_once(void **state)
{
    (void)state;
    struct sp_model *m = shop();
    (void)sp_mb_rule(m, SP_RULE_ALLOW, "no", "dev", "data", "tcp/1");
    uint32_t a = sp_mb_rule(m, SP_RULE_ALLOW, "a", "web", "any", "tcp/1");
    uint32_t i = sp_mb_rule(m, SP_RULE_ISOLATION, "isolation:self", "prod", "prod", "");
    uint32_t b = sp_mb_rule(m, SP_RULE_ALLOW, "b", "web", "any", "tcp/1");
    (void)sp_mb_rule(m, SP_RULE_ALLOW, "c", "web", "any", "tcp/1");
    struct sp_policy *p = compiled(m);
    uint32_t seen[5] = {0};
    sp_policy_each_rule(p, WEB1, DB1, collect, seen);
    assert_int_equal(seen[0], 3);
    assert_int_equal(seen[1], a);
    assert_int_equal(seen[2], i);
    assert_int_equal(seen[3], b);
    seen[0] = 0;
    sp_policy_each_rule(p, WEB1, 77, collect, seen);
    assert_int_equal(seen[0], 0);
    sp_policy_free(p);
    sp_mb_free(m);
}

/* The slow and obvious way to decide a point, against which the sweep is held. */
static void by_hand(const struct sp_model *m, uint32_t from, uint32_t to, uint8_t proto,
                    uint16_t port, uint8_t *ret_expect, uint32_t *ret_rule)
{
    uint64_t best = UINT64_MAX;
    for (uint32_t r = 0; r < m->nrules; r++) {
        const struct sp_rule *rule = &m->rules[r];
        bool there = sp_bits_get(&rule->from, from) && sp_bits_get(&rule->to, to);
        bool back = rule->kind == SP_RULE_ISOLATION && sp_bits_get(&rule->from, to) &&
                    sp_bits_get(&rule->to, from);
        if (rule->kind == SP_RULE_ISOLATION && (there || back)) {
            best = r < best ? r : best;
        }
        for (size_t i = 0; rule->kind != SP_RULE_ISOLATION && there && i < rule->nports; i++) {
            const struct sp_portspec *s = &rule->ports[i];
            if (s->proto != SP_PROTO_COUNT && (s->proto != proto || port < s->lo || port > s->hi)) {
                continue;
            }
            uint64_t level = rule->kind == SP_RULE_DENY                   ? 1
                             : rule->kind == SP_RULE_ALLOW && !s->is_wild ? 2
                                                                          : 3;
            uint64_t rank = level << 32 | r;
            best = rank < best ? rank : best;
        }
    }
    *ret_rule = best == UINT64_MAX ? SP_NONE : (uint32_t)best;
    *ret_expect = best == UINT64_MAX || best >> 32 <= 1 ? SP_EXPECT_DENY
                  : best >> 32 == 2                     ? SP_EXPECT_ALLOW
                                                        : SP_EXPECT_PERMIT;
}

static void random_rules(struct sp_model *m, struct sp_rng *rng)
{
    static const char *const who[] = {"any",  "web",   "data",      "prod",   "dev",
                                      "jump", "web-1", "old,web-2", "not:dev"};
    static const char *const wild[] = {"any", "tcp/*", "icmp/echo", "ip/*"};
    size_t n = sp_rng_below(rng, 60);
    for (size_t i = 0; i < n; i++) {
        char ports[64];
        unsigned lo = 1 + (unsigned)sp_rng_below(rng, 60);
        unsigned hi = lo + (unsigned)sp_rng_below(rng, 8);
        if (sp_rng_below(rng, 12) == 0) {
            (void)snprintf(ports, sizeof(ports), "%s,udp/%u", wild[sp_rng_below(rng, 4)], lo);
        } else {
            /* 71 and up: protocols without an axis of their own */
            (void)snprintf(ports, sizeof(ports), "tcp/%u-%u,tcp/%u,ip/%u", lo, hi, hi + 1, 70 + lo);
        }
        unsigned kind = (unsigned)sp_rng_below(rng, 40);
        (void)sp_mb_rule(m,
                         kind == 0   ? SP_RULE_ISOLATION
                         : kind < 8  ? SP_RULE_DENY
                         : kind < 16 ? SP_RULE_PERMIT
                                     : SP_RULE_ALLOW,
                         "r", who[sp_rng_below(rng, SP_ARRAY_LEN(who))],
                         who[sp_rng_below(rng, SP_ARRAY_LEN(who))], ports);
    }
}

static void check_list(const struct sp_model *m, struct sp_intervals list, uint32_t from,
                       uint32_t to, uint8_t proto)
{
    assert_true(list.n > 0);
    assert_int_equal(list.at[0].lo, sp_proto_min(proto));
    assert_int_equal(list.at[list.n - 1].hi, sp_proto_max(proto));
    for (size_t i = 0; i < list.n; i++) {
        assert_true(list.at[i].lo <= list.at[i].hi);
        if (i > 0) { /* no gap, and maximal */
            assert_int_equal(list.at[i].lo, list.at[i - 1].hi + 1);
            assert_false(list.at[i].expect == list.at[i - 1].expect &&
                         list.at[i].rule == list.at[i - 1].rule);
        }
    }
    for (unsigned port = sp_proto_min(proto); port <= 255; port++) {
        uint8_t expect;
        uint32_t rule;
        by_hand(m, from, to, proto, (uint16_t)port, &expect, &rule);
        const struct sp_interval *got = sp_intervals_find(list, (uint16_t)port);
        assert_non_null(got);
        assert_int_equal(got->expect, expect);
        assert_int_equal(got->rule, rule);
    }
}

static void sweep_agrees_with_the_obvious_way(void **state)
{
    (void)state;
    struct sp_rng rng = {.state = 42};
    for (int round = 0; round < 60; round++) {
        struct sp_model *m = shop();
        random_rules(m, &rng);
        struct sp_policy *p = compiled(m);
        for (uint32_t from = 0; from < 6; from++) {
            for (uint32_t to = 0; to < 6; to++) {
                for (uint8_t proto = 0; proto < SP_PROTO_COUNT; proto++) {
                    check_list(m, sp_policy_pair(p, from, to, proto), from, to, proto);
                }
            }
        }
        /* The same class means the same lists. */
        for (uint32_t a = 0; a < 6; a++) {
            for (uint32_t b = 0; b < 6; b++) {
                if (sp_policy_class_of(p, a) == sp_policy_class_of(p, b)) {
                    assert_ptr_equal(sp_policy_pair(p, a, JUMP, SP_PROTO_TCP).at,
                                     sp_policy_pair(p, b, JUMP, SP_PROTO_TCP).at);
                }
            }
        }
        sp_policy_free(p);
        sp_mb_free(m);
    }
}

static void many_lists_are_all_kept(void **state)
{
    (void)state;
    struct sp_model *m = sp_mb_new();
    (void)sp_mb_network(m, "n", NULL, SP_NET_VPC, "10.0.0.0/8");
    m->networks[0].within = SP_WITHIN_CLOSED;
    enum { N = 40 };
    for (unsigned i = 0; i < N; i++) {
        char name[16], addr[24];
        (void)snprintf(name, sizeof(name), "h%u", i);
        (void)snprintf(addr, sizeof(addr), "10.0.0.%u", i + 1);
        (void)sp_mb_host(m, name, "n", addr, "netns");
    }
    for (unsigned i = 0; i < N; i++) { /* every pair gets a set of its own, and a long list */
        char name[16];
        (void)snprintf(name, sizeof(name), "h%u", i);
        char ports[512];
        size_t len = 0;
        for (unsigned k = 0; k < 20; k++) {
            len += (size_t)snprintf(ports + len, sizeof(ports) - len, "%stcp/%u", k ? "," : "",
                                    1 + 2 * i + 200 * k);
        }
        (void)sp_mb_rule(m, SP_RULE_ALLOW, "out", name, "any", ports);
        (void)sp_mb_rule(m, SP_RULE_DENY, "in", "any", name, ports);
    }
    struct sp_policy *p = compiled(m);
    struct sp_intervals first[N * N];
    for (int pass = 0; pass < 2; pass++) {
        for (uint32_t a = 0; a < N; a++) {
            for (uint32_t b = 0; b < N; b++) {
                struct sp_intervals list = sp_policy_pair(p, a, b, SP_PROTO_TCP);
                if (pass == 0) {
                    first[a * N + b] = list;
                } else {
                    assert_ptr_equal(list.at, first[a * N + b].at);
                    check_list(m, list, a, b, SP_PROTO_TCP);
                }
            }
        }
    }
    sp_policy_free(p);
    sp_mb_free(m);
}

static void out_of_memory_is_told(void **state)
{
    (void)state;
    struct sp_model *m = shop();
    char ports[600] = "tcp/1";
    for (unsigned k = 1; k < 40; k++) {
        size_t len = strlen(ports);
        (void)snprintf(ports + len, sizeof(ports) - len, ",tcp/%u", 1 + 3 * k);
    }
    (void)sp_mb_rule(m, SP_RULE_ALLOW, "a", "web", "data", ports);
    (void)sp_mb_rule(m, SP_RULE_ISOLATION, "isolation:prod-dev", "prod", "dev", "");
    size_t failures = 0;
    for (size_t n = 1;; n++) {
        (void)sp_mem_fail_at(n, 0);
        struct sp_policy *p = NULL;
        enum sp_rc rc = sp_policy_new(m, &p);
        bool failed = rc != SP_OK;
        if (failed) {
            assert_int_equal(rc, SP_E_NOMEM);
            assert_null(p);
        } else {
            for (uint8_t proto = 0; proto < SP_PROTO_COUNT; proto++) {
                struct sp_intervals list = sp_policy_pair(p, WEB1, DB1, proto);
                failed = failed || list.n == 0;
                if (list.n == 0) { /* the next try works */
                    list = sp_policy_pair(p, WEB1, DB1, proto);
                    check_list(m, list, WEB1, DB1, proto);
                }
            }
            sp_policy_free(p);
        }
        (void)sp_mem_fail_at(0, 0);
        if (!failed) {
            break;
        }
        failures++;
    }
    assert_true(failures > 10);
    sp_policy_free(NULL);
    sp_mb_free(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_rule_denies_the_whole_axis),
        cmocka_unit_test(allow_cuts_the_axis),
        cmocka_unit_test(precedence_is_isolation_deny_allow_permit),
        cmocka_unit_test(neighbours_with_one_rule_are_one_interval),
        cmocka_unit_test(icmp_types_and_codes_are_points),
        cmocka_unit_test(classes_hold_targets_of_one_membership),
        cmocka_unit_test(within_decides_about_one_subnet),
        cmocka_unit_test(rules_of_a_pair_are_visited_once),
        cmocka_unit_test(sweep_agrees_with_the_obvious_way),
        cmocka_unit_test(many_lists_are_all_kept),
        cmocka_unit_test(out_of_memory_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
