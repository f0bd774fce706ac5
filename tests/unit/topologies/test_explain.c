/* SPDX-License-Identifier: Apache-2.0 */
#include "topologies/explain.h"

#include <stdio.h>
#include <string.h>

#include "probe/base/buf.h"
#include "probe/base/mem.h"
#include "tests/support/model_builder.h"
#include "tests/support/sp_cmocka.h"

/* web-1 web-2 (web), db-1, old without a probe (data), dev-1 (dev), lb. */
static struct sp_model *shop(void)
{
    struct sp_model *m = sp_mb_new();
    (void)sp_mb_network(m, "prod", NULL, SP_NET_VPC, "10.10.0.0/16,fd00:10::/32");
    (void)sp_mb_network(m, "web", "prod", SP_NET_SUBNET, "10.10.1.0/24,fd00:10:1::/64");
    (void)sp_mb_network(m, "data", "prod", SP_NET_SUBNET, "10.10.2.0/24,fd00:10:2::/64");
    (void)sp_mb_network(m, "dev", NULL, SP_NET_VPC, "10.20.0.0/16");
    (void)sp_mb_network(m, "void", NULL, SP_NET_VPC, "10.30.0.0/16");
    (void)sp_mb_host(m, "web-1", "web", "10.10.1.11,fd00:10:1::11", "netns");
    (void)sp_mb_host(m, "web-2", "web", "10.10.1.12,fd00:10:1::12", "netns");
    (void)sp_mb_host(m, "db-1", "data", "10.10.2.11,fd00:10:2::11", "netns");
    (void)sp_mb_host(m, "old", "data", "10.10.2.99", NULL);
    (void)sp_mb_host(m, "dev-1", "dev", "10.20.0.11", "netns");
    (void)sp_mb_balancer(m, "lb", "10.10.9.10");
    return m;
}

/* Runs an explanation and holds it against the whole text. */
static void check(struct sp_model *m, const char *from, const char *to, const char *ports,
                  const char *want)
{
    struct sp_policy *policy = NULL;
    struct sp_buf out;
    struct sp_diag diag = {0};
    assert_int_equal(sp_policy_new(m, &policy), SP_OK);
    sp_buf_init(&out, 1 << 16);
    if (sp_explain(policy, m, from, to, ports, &out, &diag) != SP_OK) {
        fail_msg("%s", diag.text);
    }
    assert_string_equal(sp_buf_text(&out), want);
    sp_buf_release(&out);
    sp_policy_free(policy);
}

static void the_deciding_rule_and_the_losers_are_named(void **state)
{
    (void)state;
    struct sp_model *m = shop();
    (void)sp_mb_rule(m, SP_RULE_ALLOW, "web-to-db", "web", "data", "tcp/20-25");
    uint32_t deny = sp_mb_rule(m, SP_RULE_DENY, "no-ssh", "any", "db-1", "tcp/22");
    (void)sp_mb_rule(m, SP_RULE_DENY, "no-ssh-2", "any", "db-1", "tcp/22-23");
    (void)sp_mb_rule(m, SP_RULE_PERMIT, "maybe", "web", "data", "tcp/21");
    (void)sp_mb_rule(m, SP_RULE_ALLOW, "all", "web", "data", "udp/1,any");
    (void)sp_mb_rule(m, SP_RULE_ALLOW, "udp-only", "web", "data", "udp/22");
    m->rules[deny].why = strdup("keys only");
    m->rules[deny].expires = strdup("2024-01-31");
    m->rules[deny].is_expired = true;
    check(m, "web-1", "db-1", "tcp/22",
          "web-1 -> db-1 tcp/22: denied\n"
          "  by deny \"no-ssh\" (built.yaml:102); why: keys only; expired 2024-01-31, but an "
          "expired rule still counts\n"
          "  would match too: allow \"web-to-db\" (built.yaml:101), but deny beats allow\n"
          "  would match too: deny \"no-ssh-2\" (built.yaml:103), but an earlier rule says "
          "the same\n"
          "  would match too: allow \"all\" (built.yaml:105), but deny beats permit\n"
          "  tested: this very port, at standard depth\n"
          "  ipv4: 10.10.1.11 -> 10.10.2.11\n"
          "  ipv6: fd00:10:1::11 -> fd00:10:2::11\n"
          "  no enforcement point is declared; a denied packet is looked for at the receiver's "
          "network card\n");
    check(m, "web-1", "old", "tcp/21",
          "web-1 -> old tcp/21: allowed: it must work\n"
          "  by allow \"web-to-db\" (built.yaml:101)\n"
          "  would match too: permit \"maybe\" (built.yaml:104), but allow beats permit\n"
          "  would match too: allow \"all\" (built.yaml:105), but a wildcard only permits, and "
          "allow beats permit\n"
          "  tested: by samples of tcp/20-25, not surely this very port\n"
          "  ipv4: 10.10.1.11 -> 10.10.2.99\n"
          "  no enforcement point is declared; a denied packet is looked for at the receiver's "
          "network card\n"
          "  the receiver has no probe: evidence from the sender's side only\n");
    (void)sp_mb_rule(m, SP_RULE_ISOLATION, "isolation:web-data", "web", "data", "");
    check(m, "db-1", "web-1", "gre",
          "db-1 -> web-1 ip/47: denied\n"
          "  by isolation:web-data (built.yaml:107)\n"
          "  not tested: the hazard class of its technique is not allowed in both networks\n"
          "  ipv4: 10.10.2.11 -> 10.10.1.11\n"
          "  ipv6: fd00:10:2::11 -> fd00:10:1::11\n"
          "  no enforcement point is declared; a denied packet is looked for at the receiver's "
          "network card\n");
    sp_mb_free(m);
}

/* What is asked of protocols without ports depends on the direction, of ICMP on the risk list. */
static void protocols_without_ports_say_what_is_asked(void **state)
{
    (void)state;
    struct sp_model *m = shop();
    m->limits.hazard = 'B';
    (void)sp_mb_rule(m, SP_RULE_ALLOW, "a", "dev", "db-1", "icmp/echo");
    static const struct {
        const char *ports, *tested;
    } rows[] = {
        {"icmp/echo", "  tested: by an echo request\n"},
        {"icmp/13.0", "  tested: this very type and code, at standard depth\n"},
        {"icmp/200.0", "  tested: by samples of icmp/9.0-255.255, not surely this very port\n"},
        {"icmp/5.1", "  not tested: redirects and neighbour discovery are not asked"},
        {"gre", "  tested: by samples of ip/0-255, each in one direction per run\n"},
        {"ip/33", "  not tested: no IP protocol of its own, or one whose header is not built\n"},
        {"sctp/2905", "  tested: this very port, at standard depth\n"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct sp_policy *policy = NULL;
        struct sp_buf out;
        struct sp_diag diag = {0};
        assert_int_equal(sp_policy_new(m, &policy), SP_OK);
        sp_buf_init(&out, 1 << 16);
        assert_int_equal(sp_explain(policy, m, "dev-1", "db-1", rows[i].ports, &out, &diag), SP_OK);
        if (!strstr(sp_buf_text(&out), rows[i].tested)) {
            fail_msg("'%s' is not in:\n%s", rows[i].tested, sp_buf_text(&out));
        }
        sp_buf_release(&out);
        sp_policy_free(policy);
    }
    sp_mb_free(m);
}

static void a_range_has_an_answer_per_interval(void **state)
{
    (void)state;
    struct sp_model *m = shop();
    (void)sp_mb_rule(m, SP_RULE_ALLOW, "a", "dev", "db-1", "tcp/100-200,tcp/*,icmp/echo");
    uint32_t fw = sp_mb_enforcement(m, "fw", "dev,prod");
    m->enforcements[fw].layer = SP_LAYER_HOST;
    m->enforcements[fw].pos.line = 9;
    check(m, "dev-1", "db-1", "tcp/150-300",
          "dev-1 -> db-1 tcp/150-200: allowed: it must work\n"
          "  by allow \"a\" (built.yaml:101)\n"
          "  tested: by samples of tcp/100-200\n"
          "dev-1 -> db-1 tcp/201-300: permitted: it may work\n"
          "  by allow \"a\" (built.yaml:101); a wildcard only permits\n"
          "  tested: by samples of tcp/201-65535\n"
          "  ipv4: 10.20.0.11 -> 10.10.2.11\n"
          "  enforced by fw (built.yaml:9); a denied packet is looked for behind the receiver's "
          "own firewall\n");
    check(m, "dev-1", "db-1", "icmp/echo",
          "dev-1 -> db-1 icmp/echo: allowed: it must work\n"
          "  by allow \"a\" (built.yaml:101)\n"
          "  tested: by an echo request\n"
          "  ipv4: 10.20.0.11 -> 10.10.2.11\n"
          "  enforced by fw (built.yaml:9); a denied packet is looked for behind the receiver's "
          "own firewall\n");
    check(m, "dev-1", "db-1", "icmp/3.4",
          "dev-1 -> db-1 icmp/3.4: denied\n"
          "  by default: no rule says anything about it\n"
          "  not tested: the hazard class of its technique is not allowed in both networks\n"
          "  ipv4: 10.20.0.11 -> 10.10.2.11\n"
          "  enforced by fw (built.yaml:9); a denied packet is looked for behind the receiver's "
          "own firewall\n");
    check(m, "dev-1", "db-1", "icmp6/echo",
          "dev-1 -> db-1 icmp6/echo: denied\n"
          "  by default: no rule says anything about it\n"
          "  not tested: the two have no address of the same family\n"
          "  ipv4: 10.20.0.11 -> 10.10.2.11\n"
          "  enforced by fw (built.yaml:9); a denied packet is looked for behind the receiver's "
          "own firewall\n");
    sp_mb_free(m);
}

static void any_port_walks_all_protocols(void **state)
{
    (void)state;
    struct sp_model *m = shop();
    (void)sp_mb_rule(m, SP_RULE_ALLOW, "a", "web", "data", "icmp/echo,sctp/9");
    struct sp_policy *policy = NULL;
    struct sp_explanation *e = NULL;
    assert_int_equal(sp_policy_new(m, &policy), SP_OK);
    assert_int_equal(sp_explanation_new(policy, m, "web-1", "db-1", "any", &e, NULL), SP_OK);
    assert_int_equal(e->nanswers, 1);
    assert_int_equal(e->npairs, 1);
    assert_int_equal(e->answers[0].npaths, 2);
    /* tcp, udp, icmp 3, icmp6, sctp 3, ip */
    assert_int_equal(e->answers[0].npieces, 10);
    const struct sp_explain_piece *echo = &e->answers[0].pieces[3];
    assert_int_equal(echo->proto, SP_PROTO_ICMP);
    assert_int_equal(echo->lo, SP_PORT_ICMP_ECHO);
    assert_int_equal(echo->expect, SP_EXPECT_ALLOW);
    assert_null(echo->untested);
    assert_true(echo->matches[0].decides);
    assert_non_null(e->answers[0].pieces[2].untested);
    struct sp_buf out;
    sp_buf_init(&out, 1 << 16);
    sp_explanation_print(e, m, &out);
    assert_non_null(strstr(sp_buf_text(&out), "icmp/0.0-7.255: denied"));
    assert_non_null(strstr(sp_buf_text(&out), "ip/0-255: denied"));
    sp_buf_release(&out);
    sp_explanation_free(e);
    sp_policy_free(policy);
    sp_mb_free(m);
}

static void groups_give_one_answer_or_one_per_member(void **state)
{
    (void)state;
    struct sp_model *m = shop();
    (void)sp_mb_rule(m, SP_RULE_ALLOW, "a", "web", "data", "tcp/443,tcp/80");
    (void)sp_mb_rule(m, SP_RULE_DENY, "b", "web-2", "db-1", "tcp/80");
    check(m, "web", "db-1", "tcp/443",
          "web -> db-1 tcp/443: allowed: it must work\n"
          "  by allow \"a\" (built.yaml:101)\n"
          "  tested: this very port, at standard depth\n"
          "  no enforcement point is declared; a denied packet is looked for at the receiver's "
          "network card\n");
    check(m, "web", "db-1", "tcp/80",
          "web-1 -> db-1 tcp/80: allowed: it must work\n"
          "  by allow \"a\" (built.yaml:101)\n"
          "  tested: this very port, at standard depth\n"
          "  ipv4: 10.10.1.11 -> 10.10.2.11\n"
          "  ipv6: fd00:10:1::11 -> fd00:10:2::11\n"
          "  no enforcement point is declared; a denied packet is looked for at the receiver's "
          "network card\n"
          "web-2 -> db-1 tcp/80: denied\n"
          "  by deny \"b\" (built.yaml:102)\n"
          "  would match too: allow \"a\" (built.yaml:101), but deny beats allow\n"
          "  tested: this very port, at standard depth\n"
          "  ipv4: 10.10.1.12 -> 10.10.2.11\n"
          "  ipv6: fd00:10:1::12 -> fd00:10:2::11\n"
          "  no enforcement point is declared; a denied packet is looked for at the receiver's "
          "network card\n");
    for (unsigned i = 0; i < 5; i++) {
        static const char *const names[] = {"x-0", "x-1", "x-2", "x-3", "x-4"};
        static const char *const addrs[] = {"10.20.1.1", "10.20.1.2", "10.20.1.3", "10.20.1.4",
                                            "10.20.1.5"};
        (void)sp_mb_host(m, names[i], "dev", addrs[i], "netns");
    }
    struct sp_policy *policy = NULL;
    struct sp_buf out;
    assert_int_equal(sp_policy_new(m, &policy), SP_OK);
    sp_buf_init(&out, 1 << 16);
    assert_int_equal(sp_explain(policy, m, "dev,web-1", "old", "tcp/80", &out, NULL), SP_OK);
    assert_non_null(strstr(sp_buf_text(&out),
                           "dev-1 -> old, x-0 -> old, x-1 -> old, x-2 -> old and 2 more pairs "));
    sp_buf_clear(&out);
    assert_int_equal(sp_explain(policy, m, "dev,not:x-4,web-1", "old", "tcp/80", &out, NULL),
                     SP_OK);
    assert_non_null(strstr(sp_buf_text(&out), "x-2 -> old and 1 more pair "));
    sp_buf_release(&out);
    sp_policy_free(policy);
    sp_mb_free(m);
}

static void what_is_not_tested_is_said(void **state)
{
    (void)state;
    struct sp_model *m = shop();
    const char *end = "  no enforcement point is declared; a denied packet is looked for at the "
                      "receiver's network card\n";
    char want[512];
    (void)snprintf(want, sizeof(want),
                   "old -> dev-1 udp/53: denied\n"
                   "  by default: no rule says anything about it\n"
                   "  not tested: the source has no probe\n"
                   "  ipv4: 10.10.2.99 -> 10.20.0.11\n%s",
                   end);
    check(m, "old", "dev-1", "udp/53", want);
    (void)snprintf(want, sizeof(want),
                   "web-1 -> web-1 udp/53: denied\n"
                   "  by default: no rule says anything about it\n"
                   "  not tested: a host and itself\n"
                   "  ipv4: 10.10.1.11 -> 10.10.1.11\n"
                   "  ipv6: fd00:10:1::11 -> fd00:10:1::11\n%s",
                   end);
    check(m, "web-1", "web-1", "udp/53", want);
    (void)snprintf(want, sizeof(want),
                   "lb -> web-1 udp/53: denied\n"
                   "  by default: no rule says anything about it\n"
                   "  not tested: a balancer is never a source\n%s",
                   end);
    check(m, "lb", "web-1", "udp/53", want);
    m->networks[sp_mb_find_network(m, "web")].within = SP_WITHIN_OPEN;
    check(m, "web", "web", "udp/53",
          "web -> web udp/53: permitted: it may work\n"
          "  by default: their network says `within: open`\n"
          "  tested: by samples of udp/1-65535, not surely this very port\n"
          "  no enforcement point is declared; a denied packet is looked for at the receiver's "
          "network card\n");
    sp_mb_seen_as(m, 4, "prod", "192.0.2.4");
    (void)sp_mb_host(m, "thief", "void", "10.10.2.11", "netns");
    (void)snprintf(want, sizeof(want),
                   "dev-1 -> db-1 tcp/22: denied\n"
                   "  by default: no rule says anything about it\n"
                   "  not tested: ambiguous address\n"
                   "  ipv4: 10.20.0.11 -> 10.10.2.11, seen as coming from 192.0.2.4 (not tested: "
                   "ambiguous address)\n%s",
                   end);
    check(m, "dev-1", "db-1", "tcp/22", want);
    (void)snprintf(want, sizeof(want),
                   "old -> dev-1 tcp/22: denied\n"
                   "  by default: no rule says anything about it\n"
                   "  not tested: the source has no probe\n"
                   "  ipv4: 10.10.2.99 -> 192.0.2.4, which is 10.20.0.11 there\n%s",
                   end);
    check(m, "old", "dev-1", "tcp/22", want);
    sp_mb_free(m);
}

static void services_are_ports(void **state)
{
    (void)state;
    struct sp_model *m = shop();
    struct sp_portspec ports[2];
    assert_int_equal(sp_portspec_parse("tcp/53", &ports[0], NULL), SP_OK);
    assert_int_equal(sp_portspec_parse("udp/53", &ports[1], NULL), SP_OK);
    char name[] = "dns";
    struct sp_service dns = {.name = name, .ports = ports, .nports = 2};
    m->services = &dns;
    m->nservices = 1;
    struct sp_policy *policy = NULL;
    struct sp_explanation *e = NULL;
    assert_int_equal(sp_policy_new(m, &policy), SP_OK);
    assert_int_equal(sp_explanation_new(policy, m, "web-1", "db-1", "dns", &e, NULL), SP_OK);
    assert_int_equal(e->answers[0].npieces, 2);
    assert_int_equal(e->answers[0].pieces[1].proto, SP_PROTO_UDP);
    sp_explanation_free(e);
    sp_policy_free(policy);
    m->services = NULL;
    m->nservices = 0;
    sp_mb_free(m);
}

static void check_bad(struct sp_policy *policy, const struct sp_model *m, const char *from,
                      const char *to, const char *ports, enum sp_rc rc, const char *words)
{
    struct sp_diag diag = {0};
    struct sp_buf out;
    sp_buf_init(&out, 1 << 16);
    assert_int_equal(sp_explain(policy, m, from, to, ports, &out, &diag), rc);
    assert_int_equal(out.len, 0);
    assert_string_equal(diag.where, "");
    if (!strstr(diag.text, words)) {
        fail_msg("'%s' is not in '%s'", words, diag.text);
    }
    sp_buf_release(&out);
}

static void mistakes_are_explained(void **state)
{
    (void)state;
    struct sp_model *m = shop();
    for (unsigned i = 0; i < 70; i++) {
        char name[16], addr[24];
        (void)snprintf(name, sizeof(name), "h-%u", i);
        (void)snprintf(addr, sizeof(addr), "10.20.3.%u", i + 1);
        (void)sp_mb_host(m, name, "dev", addr, "netns");
    }
    struct sp_policy *policy = NULL;
    assert_int_equal(sp_policy_new(m, &policy), SP_OK);
    check_bad(policy, m, "wbe-1", "db-1", "tcp/22", SP_E_INVALID, "did you mean 'web-1'?");
    check_bad(policy, m, "web-1", "bd-1", "tcp/22", SP_E_INVALID, "did you mean");
    check_bad(policy, m, "web-1", "db-1", "tcp/0", SP_E_INVALID, "not a port");
    check_bad(policy, m, "web-1", "db-1", "nonsense", SP_E_INVALID,
              "'nonsense' is neither a port nor the name of a service: write tcp/443");
    check_bad(policy, m, "void", "db-1", "tcp/22", SP_E_INVALID, "'void' selects no host");
    check_bad(policy, m, "web-1", "void", "tcp/22", SP_E_INVALID, "'void' selects no host");
    check_bad(policy, m, "any", "any", "tcp/22", SP_E_LIMIT, "name fewer");
    /* A text that has no room is an error, not half an answer. */
    struct sp_buf small;
    sp_buf_init(&small, 10);
    assert_int_not_equal(sp_explain(policy, m, "web-1", "db-1", "tcp/22", &small, NULL), SP_OK);
    sp_buf_release(&small);
    sp_policy_free(policy);
    sp_mb_free(m);
}

static void out_of_memory_is_told(void **state)
{
    (void)state;
    struct sp_model *m = shop();
    for (unsigned i = 0; i < 12; i++) {
        (void)sp_mb_rule(m, i % 2 ? SP_RULE_DENY : SP_RULE_ALLOW, "r", "web",
                         i < 6 ? "db-1" : "data", "tcp/22,udp/1-9");
    }
    struct sp_policy *policy = NULL;
    size_t n = 1;
    for (bool failed = true; failed; n++) {
        struct sp_buf out;
        struct sp_diag diag = {0};
        assert_int_equal(sp_policy_new(m, &policy), SP_OK);
        sp_buf_init(&out, 1 << 16);
        (void)sp_mem_fail_at(n, 0);
        enum sp_rc rc = sp_explain(policy, m, "web", "data", "any", &out, &diag);
        (void)sp_mem_fail_at(0, 0);
        failed = rc != SP_OK;
        if (failed) {
            assert_int_equal(rc, SP_E_NOMEM);
            assert_string_equal(diag.text, "out of memory");
        }
        sp_buf_release(&out);
        sp_policy_free(policy);
    }
    assert_true(n > 40);
    sp_explanation_free(NULL);
    sp_mb_free(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_deciding_rule_and_the_losers_are_named),
        cmocka_unit_test(protocols_without_ports_say_what_is_asked),
        cmocka_unit_test(a_range_has_an_answer_per_interval),
        cmocka_unit_test(any_port_walks_all_protocols),
        cmocka_unit_test(groups_give_one_answer_or_one_per_member),
        cmocka_unit_test(what_is_not_tested_is_said),
        cmocka_unit_test(services_are_ports),
        cmocka_unit_test(mistakes_are_explained),
        cmocka_unit_test(out_of_memory_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
