/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/topologies/topo.h"
#include "topologies/check.h"

/* Loads the base with more text behind it and looks for words; NULL = nothing may be said. */
static void expect(const char *more, bool is_error, const char *pointer, const char *words)
{
    struct sp_buf text;
    sp_buf_init(&text, 1U << 16);
    sp_buf_str(&text, TOPO_BASE);
    sp_buf_str(&text, more);
    struct topo t = topo_load(sp_buf_text(&text));
    const struct sp_problem *p = words ? topo_find(&t, words) : NULL;
    bool ok =
        words ? p && p->is_error == is_error && strcmp(p->pointer, pointer) == 0 && p->pos.line > 0
              : t.problems.n == 0;
    if (!ok) {
        print_error("%s\nexpected: %s\n", more, words ? words : "nothing");
        topo_print_all(&t);
        fail();
    }
    topo_release(&t);
    sp_buf_release(&text);
}

static void expect_all(const char *text, const char *const *words, size_t n)
{
    struct topo t = topo_load(text);
    for (size_t i = 0; i < n; i++) {
        if (!topo_find(&t, words[i])) {
            print_error("missing: %s\n", words[i]);
            topo_print_all(&t);
            fail();
        }
    }
    if (t.problems.n != n) {
        topo_print_all(&t);
        fail_msg("%zu messages instead of %zu", t.problems.n, n);
    }
    topo_release(&t);
}

static void what_is_right_gets_no_message(void **state)
{
    (void)state;
    expect("", false, NULL, NULL);
    expect("policies:\n"
           "  - { name: a, from: web, to: data, allow: tcp/5432 }\n"
           "  - { name: b, from: web, to: data, allow: tcp/5433 }\n"
           "  - { name: c, from: data, to: web, allow: tcp/5432 }\n"
           "  - { name: d, from: web, to: data, deny: tcp/22 }\n"
           "  - { name: e, from: any, to: any, permit: icmp/echo }\n"
           "  - { name: f, from: web, to: data, allow: 'udp/*' }\n"
           "  - { name: g, from: web, to: data, allow: udp/53 }\n"
           "  - { name: h, from: web, to: data, deny: udp/54 }\n",
           false, NULL, NULL);
    /* what a permit or a wildcard allows inside an isolation is only cut, not contradicted */
    expect("isolation: [ [web, data] ]\n"
           "policies: [ { name: a, from: any, to: any, permit: tcp/22 },"
           " { name: b, from: any, to: any, allow: 'udp/*' } ]\n",
           false, NULL, NULL);
}

static void addresses_must_lie_where_they_are_declared(void **state)
{
    (void)state;
    static const char *const words[] = {
        "10.3.0.0/24 lies outside 'prod', which has 10.1.0.0/16, 10.2.0.0/16, fd00::/32, ...",
        "10.1.0.128/25 of 'b' overlaps 10.1.0.0/24 of 'a' (line 5), and both lie in 'prod'",
        "10.1.0.0/26 is already part of 10.1.0.0/24 of the same network",
        "10.9.0.1 lies outside its network 'a', which has 10.1.0.0/24, 10.1.0.0/26",
        "fd00:9::1 lies outside its network 'a'",
        "the address 10.1.0.2 is also that of the host 'h1' on line 11",
        "the address 10.1.0.2 is given twice (h2, line 12)",
        "10.1.0.9 lies in the range of 'a', but the host is declared in 'prod' around it",
    };
    expect_all("segproof: 1\n"
               "name: t\n"
               "networks:\n"
               "  prod: { cidr: [10.1.0.0/16, 10.2.0.0/16, 'fd00::/32', 192.0.2.0/24] }\n"
               "  a: { in: prod, cidr: [10.1.0.0/24, 10.1.0.0/26] }\n"
               "  b: { in: prod, cidr: [10.1.0.128/25, 10.2.0.0/24] }\n"
               "  c: { in: prod, cidr: 10.3.0.0/24 }\n"
               "  other: { cidr: 10.1.0.0/16 }\n"
               "  world: { kind: external, cidr: 0.0.0.0/0 }\n"
               "hosts:\n"
               "  h1: { network: a, address: 10.1.0.2, probe: { via: local } }\n"
               "  h2: { network: a, address: [10.1.0.2, 10.1.0.2], probe: { via: local } }\n"
               "  h3: { network: a, address: [10.9.0.1, 'fd00:9::1'], probe: { via: local } }\n"
               "  h4: { network: prod, address: [10.1.0.9, 10.2.9.9], probe: { via: local } }\n"
               "  o1: { network: other, address: 10.1.0.2, probe: { via: local } }\n"
               "  w1: { network: world, address: 10.1.0.2, probe: { via: local } }\n"
               "  b1: { network: b, address: 10.2.0.1 }\n"
               "  c1: { network: c, address: 10.3.0.1 }\n",
               words, SP_ARRAY_LEN(words));
}

static void nested_networks_may_share_a_range(void **state)
{
    (void)state;
    expect_all("segproof: 1\n"
               "name: t\n"
               "networks:\n"
               "  inner: { in: outer, cidr: 10.0.0.0/8 }\n"
               "  outer: { cidr: [10.0.0.0/8] }\n"
               "  beside: { kind: external, in: outer, cidr: 10.0.0.0/8 }\n"
               "hosts:\n"
               "  h1: { network: inner, address: 10.1.0.2, probe: { via: local } }\n"
               "  h2: { network: inner, address: 10.1.0.3, probe: { via: local } }\n"
               "  h3: { network: beside, address: 10.1.0.4 }\n",
               NULL, 0);
}

static void allow_inside_isolation_is_an_error(void **state)
{
    (void)state;
    expect("isolation: [ [web, data] ]\n"
           "policies: [ { name: p, from: web, to: db-1, allow: tcp/1 } ]\n",
           true, "/policies/0", "'p' allows tcp/1 inside 'isolation:web-data' (line 10)");
    expect("isolation: [ [data, web] ]\n" /* either way */
           "policies: [ { name: p, from: web, to: db-1, allow: [udp/1, tcp/1] } ]\n",
           true, "/policies/0", "'p' allows udp/1 inside 'isolation:data-web' (line 10)");
    expect("isolation: [ [web, 'not:web'] ]\n"
           "load_balancers: { l: { address: 10.9.0.1, from: web, listeners: "
           "[ { port: tcp/1, backends: web-1 } ] } }\n",
           true, "/load_balancers/l", "allows tcp/1 inside 'isolation:web-not:web'");
    expect("isolation: [ [web, data] ]\n"
           "policies: [ { name: p, from: web, to: db-1, permit: tcp/1 } ]\n",
           false, "/policies/0", "the permit of 'p' never takes effect: 'isolation:web-data'");
}

static void isolation_is_reported_once(void **state)
{
    (void)state;
    static const char *const words[] = {
        "'p' allows tcp/1 inside 'isolation:any-any'",
        "both sides of 'isolation:any-any' select the same hosts",
    };
    struct sp_buf text;
    sp_buf_init(&text, 1U << 16);
    sp_buf_str(&text, TOPO_BASE "isolation: [ [any, any] ]\n"
                                "policies: [ { name: p, from: any, to: any, allow: tcp/1 } ]\n");
    expect_all(sp_buf_text(&text), words, SP_ARRAY_LEN(words));
    sp_buf_release(&text);
}

static void deny_wins_and_says_so(void **state)
{
    (void)state;
    expect("policies: [ { name: a, from: web, to: data, allow: tcp/20-30 },"
           " { name: d, from: web-1, to: any, deny: tcp/22 } ]\n",
           false, "/policies/0",
           "'a' allows tcp/20-30 for hosts to which 'd' (line 10) denies it: the deny wins there");
    expect("policies: [ { name: a, from: web-1, to: data, allow: [tcp/22, tcp/23] },"
           " { name: d, from: web, to: any, deny: tcp/20-30 } ]\n",
           false, "/policies/0", "the allow of 'a' never takes effect: 'd' (line 10) denies all");
    expect("policies: [ { name: a, from: web-1, to: data, allow: tcp/22, deny: any } ]\n", false,
           "/policies/0", "the allow of 'a' never takes effect: 'a' (line 10) denies all of it");
}

static void what_another_rule_says_is_superfluous(void **state)
{
    (void)state;
    expect("policies: [ { name: a, from: web, to: data, allow: tcp/20-30 },"
           " { name: b, from: web-1, to: db-1, allow: [tcp/22, tcp/30] } ]\n",
           false, "/policies/1", "the allow of 'b' says nothing new: 'a' (line 10) covers all");
    expect("policies: [ { name: a, from: web-1, to: db-1, deny: tcp/22 },"
           " { name: b, from: any, to: any, deny: any } ]\n",
           false, "/policies/0", "the deny of 'a' says nothing new: 'b' (line 10) covers all");
    expect("policies: [ { name: a, from: web, to: data, permit: any },"
           " { name: b, from: web, to: db-1, permit: udp/53 } ]\n",
           false, "/policies/1", "the permit of 'b' says nothing new");
    expect("isolation: [ [web, data], [db-1, web-1] ]\n", false, "/isolation/1",
           "the isolation of 'isolation:db-1-web-1' says nothing new");
    expect("isolation: [ [web, data] ]\n"
           "policies: [ { name: a, from: db-1, to: web-1, deny: tcp/22 } ]\n",
           false, "/policies/0", "the deny of 'a' says nothing new: 'isolation:web-data'");
    /* of two that are the same, only the later one */
    static const char *const words[] = {"the allow of 'b' says nothing new: 'a'"};
    expect_all(TOPO_BASE "policies: [ { name: a, from: web, to: data, allow: tcp/22 },"
                         " { name: b, from: web, to: data, allow: tcp/22 } ]\n",
               words, 1);
}

static void rules_that_never_match_are_named(void **state)
{
    (void)state;
    expect("groups: { none: ['not:any'] }\n"
           "policies: [ { name: a, from: none, to: data, allow: tcp/1 } ]\n",
           false, "/policies/0", "'a' never matches: its `from` selects no host");
    expect("policies: [ { name: a, from: web, to: 'label:x=y', deny: tcp/1 } ]\n", false,
           "/policies/0", "'a' never matches: its `to` selects no host");
    expect("policies: [ { name: a, from: web, to: 'label:x=y', deny: tcp/1 } ]\n", false,
           "/policies/0/to", "no host has the label 'x=y'");
    expect("isolation: [ ['label:x=y', web] ]\n", false, "/isolation/0",
           "never matches: its first side selects no host");
    expect("isolation: [ [web, 'label:x=y'] ]\n", false, "/isolation/0",
           "never matches: its second side selects no host");
    expect("policies: [ { name: a, from: data, to: db-1, allow: tcp/1 } ]\n", false, "/policies/0",
           "'a' never matches: it only speaks of one host");
    expect("policies: [ { name: a, from: web, to: data, allow: icmp6/echo } ]\n", false,
           "/policies/0",
           "icmp6/echo of 'a' never matches: no sender and receiver both have an IPv6 address");
}

static void balancers_are_checked(void **state)
{
#define LB(more)                                                                                   \
    "limits: { hazard: B }\nload_balancers: { l: { address: 10.9.0.1, from: web, " more " } }\n"
    (void)state;
    expect(LB("listeners: [ { port: tcp/1, backends: web } ]"), false, NULL, NULL);
    expect(LB("pool: 10.8.0.0/16, listeners: [ { port: tcp/1, backends: web } ]"), false,
           "/load_balancers/l", "10.9.0.1 lies outside the pool of 'l'");
    expect(LB("listeners: [ { port: tcp/1, backends: 'label:a=b' } ]"), true, "/load_balancers/l",
           "the listener tcp/1 of 'l' has no backend");
    expect(LB("listeners: [ { port: tcp/1, backends: web }, { port: tcp/1, backends: db-1 } ]"),
           true, "/load_balancers/l", "10.9.0.1 tcp/1 is offered twice, by 'l' and by 'l'");
    expect("load_balancers: { l: { address: 10.1.0.11, from: web, listeners: "
           "[ { port: tcp/1, backends: web } ] } }\n",
           false, "/load_balancers/l", "10.1.0.11 is also the address of the host 'web-1'");
#undef LB
}

/* What keeps a balancer from being tested in full, or contradicts itself. */
static void balancers_that_cannot_be_tested_are_told(void **state)
{
#define OLD                                                                                        \
    "  old: { network: data, address: 10.2.0.99, probe: none }\n"                                  \
    "  older: { network: data, address: 10.2.0.98, probe: none }\n"
#define LB(more) "load_balancers: { l: { address: 10.9.0.1, from: web, " more " } }\n"
#define B        "limits: { hazard: B }\n"
#define AT       "/load_balancers/l"
    (void)state;
    expect(OLD B LB("listeners: [ { port: tcp/1, backends: web } ]"), false, NULL, NULL);
    expect(LB("listeners: [ { port: tcp/1, backends: web, backend_port: 81 } ]"), false, AT,
           "allowed flows of the listener tcp/1 of 'l' will not be tested: they need a stand-in "
           "listener on 'web-1' (`hazard: B` for its network), or a service on tcp/81 with `data: "
           "ok`");
    expect(LB("listeners: [ { port: tcp/1, backends: web }, { port: tcp/2, backends: web } ]"),
           false, AT, "the listener tcp/1 (and 1 more) of 'l'");
    expect("services: { s: { ports: tcp/81, data: ok } }\n" LB(
               "listeners: [ { port: tcp/1, backends: web, backend_port: 81 } ]"),
           false, NULL, NULL);
    expect(LB("listeners: [ { port: udp/1, backends: web } ]"), false, NULL, NULL);
    expect(OLD B LB("listeners: [ { port: tcp/1, backends: [old, web-1] } ]"), false, AT,
           "of 'l' will not be tested: the backend 'old' has no probe");
    expect(OLD LB("listeners: [ { port: tcp/1, backends: [web-1, old] } ]"), false, AT,
           "the backend 'old' has no probe");
    expect(OLD B LB("listeners: [ { port: tcp/1, backends: [old, older] } ]"), false, AT,
           "no backend of 'l' has a probe: its address will be judged from the client's side only");
    expect(B LB("sources: 10.9.0.2, listeners: [ { port: tcp/1, backends: web } ]"), false, AT,
           "'l' declares `sources`, but no listener says `source: rewritten`");
    expect(B LB("sources: 10.9.0.2, listeners: [ { port: tcp/1, backends: web, source: rewritten } "
                "]"),
           false, NULL, NULL);
    expect(B LB("sources: 'fd00::2', listeners: [ { port: tcp/1, backends: web, source: rewritten "
                "} ]"),
           false, AT, "fd00::2 of `sources` is of another family than every address of 'l'");
    expect(B LB("listeners: [ { port: tcp/1, backends: web, mode: l7, proxy_protocol: v2 } ]"),
           false, AT, "the listener tcp/1 of 'l' is l7 and sends proxy protocol v2");
    expect(B LB("listeners: [ { port: tcp/1, backends: web, mode: l4, proxy_protocol: v2 } ]"),
           false, NULL, NULL);
#undef OLD
#undef LB
#undef B
#undef AT
}

static void offers_are_compared_within_bounds(void **state)
{
    (void)state;
    struct sp_buf text;
    sp_buf_init(&text, 1U << 20);
    sp_buf_str(&text, TOPO_BASE "load_balancers:\n");
    for (unsigned l = 0; l < 2; l++) {
        sp_buf_fmt(&text, "  l%u: { from: web, address: [10.9.%u.1", l, l);
        for (unsigned i = 2; i <= 256; i++) {
            sp_buf_fmt(&text, ", 10.%u.%u.%u", 9, l + 2 * (i / 200), i % 200 + 2);
        }
        sp_buf_str(&text, "], listeners: [\n");
        for (unsigned i = 1; i <= 4000; i++) {
            sp_buf_fmt(&text, "    { port: tcp/%u, backends: web-1 },\n", i);
        }
        sp_buf_str(&text, "  ] }\n");
    }
    struct topo t = topo_load(sp_buf_text(&text));
    assert_int_equal(t.rc, SP_OK);
    assert_non_null(topo_find(&t, "offer too many ports to compare"));
    topo_release(&t);
    sp_buf_release(&text);
}

static void something_must_be_testable(void **state)
{
    (void)state;
#define NETS "segproof: 1\nname: t\nnetworks: { n: { cidr: 10.0.0.0/8 } }\n"
    static const char *const none[] = {"no host has a probe, so nothing can be tested"};
    static const char *const one[] = {"only one host has a probe"};
    expect_all(NETS "hosts: { a: { network: n, address: 10.0.0.1 },"
                    " b: { network: n, address: 10.0.0.2, probe: none } }\n",
               none, 1);
    expect_all(NETS "hosts: { a: { network: n, address: 10.0.0.1, probe: { via: tls } } }\n", one,
               1);
    /* after an error in a probe, a missing one is no news */
    struct topo t =
        topo_load(NETS "hosts: { a: { network: n, address: 10.0.0.1, probe: { via: x } } }\n");
    assert_int_equal(t.problems.n, 1);
    topo_release(&t);
#undef NETS
}

static void the_rest_is_checked(void **state)
{
    (void)state;
    expect("enforcement: { f: { between: [web, data, web] } }\n", true, "/enforcement/f",
           "'f' stands between the network 'web' and itself");
    expect("policies: [ { name: a, from: web, to: data, allow: tcp/1, expires: 2020-02-29 } ]\n",
           false, "/policies/0", "'a' expired on 2020-02-29; it still counts");
    static const char *const words[] = {
        "no host stands in the network 'empty'",
        "intrusive techniques (hazard C) may run against 'world'",
        "intrusive techniques (hazard C) may run against 'far'",
    };
    expect_all("segproof: 1\nname: t\nnetworks:\n"
               "  empty: { cidr: 10.1.0.0/16 }\n"
               "  world: { kind: external, cidr: 0.0.0.0/0 }\n"
               "  near: { kind: external, cidr: 0.0.0.0/0, hazard: B }\n"
               "  up: { cidr: 10.2.0.0/16, hazard: C }\n"
               "  far: { kind: external, in: up, cidr: 10.2.0.0/16 }\n"
               "hosts:\n"
               "  a: { network: world, address: 10.0.0.1, probe: { via: tls } }\n"
               "  b: { network: near, address: 10.0.0.2, probe: { via: tls } }\n"
               "  c: { network: far, address: 10.2.0.2, probe: { via: tls } }\n"
               "limits: { hazard: C }\n",
               words, SP_ARRAY_LEN(words));
}

/* An imported model knows no places and may lack what the loader insists on. */
static void any_model_can_be_checked(void **state)
{
    (void)state;
    char name_n[] = "n", name_m[] = "m", name_a[] = "a", name_b[] = "b", rule[] = "r",
         via[] = "tls";
    struct sp_prefix cidr, cidr2;
    struct sp_addr addr, outside;
    assert_int_equal(sp_prefix_parse("10.0.0.0/24", &cidr), SP_OK);
    assert_int_equal(sp_prefix_parse("10.1.0.0/24", &cidr2), SP_OK);
    assert_int_equal(sp_addr_parse("10.0.0.1", &addr), SP_OK);
    assert_int_equal(sp_addr_parse("10.9.0.1", &outside), SP_OK);
    struct sp_network networks[] = {
        {.name = name_n, .parent = SP_NONE, .cidrs = &cidr, .ncidrs = 1},
        {.name = name_m, .parent = 0, .cidrs = &cidr2, .ncidrs = 1},
    };
    struct sp_host hosts[] = {
        {.name = name_a, .network = 0, .addrs = &outside, .naddrs = 1, .via = via},
        {.name = name_b, .network = SP_NONE, .via = via},
    };
    struct sp_rule rules[] = {{.name = rule, .kind = SP_RULE_ALLOW, .is_expired = true}};
    struct sp_model m = {.networks = networks,
                         .nnetworks = 2,
                         .hosts = hosts,
                         .nhosts = 2,
                         .rules = rules,
                         .nrules = 1,
                         .limits = {.hazard = 'A'}};
    assert_int_equal(sp_bits_init(&rules[0].from, 2), SP_OK);
    assert_int_equal(sp_bits_init(&rules[0].to, 2), SP_OK);
    struct topo t = {0};
    sp_check(&m, &t.problems);
    static const char *const words[] = {
        "the host 'b' stands in no network",
        "the host 'b' has no address",
        "10.9.0.1 lies outside its network 'n'",
        "10.1.0.0/24 lies outside 'n'",
        "its `from` selects no host",
        "'r' expired on an unknown day",
    };
    for (size_t i = 0; i < SP_ARRAY_LEN(words); i++) {
        if (!topo_find(&t, words[i])) {
            topo_print_all(&t);
            fail_msg("missing: %s", words[i]);
        }
    }
    sp_problems_release(&t.problems);
    m.nnetworks = m.nhosts = m.nrules = 0; /* and an empty one */
    sp_check(&m, &t.problems);
    assert_int_equal(t.problems.nerrors, 1);
    sp_problems_release(&t.problems);
    sp_bits_release(&rules[0].from);
    sp_bits_release(&rules[0].to);
}

static void comparing_has_a_budget(void **state)
{
    (void)state;
    struct topo t = topo_load(TOPO_BASE "policies:\n"
                                        "  - { name: a, from: web-1, to: data, allow: tcp/1-9 }\n"
                                        "  - { name: b, from: web-2, to: data, allow: tcp/1-8 }\n"
                                        "  - { name: c, from: web-2, to: web-1, allow: tcp/1-7 }\n"
                                        "  - { name: d, from: web, to: data, deny: tcp/1-9 }\n");
    assert_int_equal(t.rc, SP_OK);
    assert_int_equal(t.problems.nwarnings, 2); /* both allows to data are denied */
    for (size_t pairs = 0; pairs <= 6; pairs++) {
        struct topo again = {0};
        sp_check_rules(t.model, true, pairs, &again.problems);
        bool is_cut = topo_find(&again, "too many rules overlap") != NULL;
        assert_int_equal(is_cut, pairs < 6);
        assert_true(pairs < 6 || again.problems.nwarnings == 2);
        sp_problems_release(&again.problems);
    }
    topo_release(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_right_gets_no_message),
        cmocka_unit_test(addresses_must_lie_where_they_are_declared),
        cmocka_unit_test(nested_networks_may_share_a_range),
        cmocka_unit_test(allow_inside_isolation_is_an_error),
        cmocka_unit_test(isolation_is_reported_once),
        cmocka_unit_test(deny_wins_and_says_so),
        cmocka_unit_test(what_another_rule_says_is_superfluous),
        cmocka_unit_test(rules_that_never_match_are_named),
        cmocka_unit_test(balancers_are_checked),
        cmocka_unit_test(balancers_that_cannot_be_tested_are_told),
        cmocka_unit_test(offers_are_compared_within_bounds),
        cmocka_unit_test(something_must_be_testable),
        cmocka_unit_test(the_rest_is_checked),
        cmocka_unit_test(any_model_can_be_checked),
        cmocka_unit_test(comparing_has_a_budget),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
