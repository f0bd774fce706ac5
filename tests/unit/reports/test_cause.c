/* SPDX-License-Identifier: Apache-2.0
 *
 * Each likely cause, from the smallest run that suggests it. */
#include <string.h>

#include "reports/group.h"
#include "tests/support/sample_result.h"
#include "tests/support/sp_cmocka.h"

#define V4    SP_FAMILY_IPV4
#define V6    SP_FAMILY_IPV6
#define TCP   SP_PROTO_TCP
#define UDP   SP_PROTO_UDP
#define DENY  SP_EXPECT_DENY
#define ALLOW SP_EXPECT_ALLOW

static struct sp_sample *s;

static void add(uint32_t from, uint32_t to, uint8_t family, uint8_t proto, uint16_t port,
                uint8_t expect, struct sp_seen seen)
{
    sp_sample_add(s, from, to, family, proto, port, expect, SP_NONE, seen);
}

/* web-1 -> db-1, ipv4, tcp */
static void flow(uint16_t port, uint8_t expect, struct sp_seen seen)
{
    add(SAMPLE_WEB_1, SAMPLE_DB_1, V4, TCP, port, expect, seen);
}

/* The cause of the finding from web-1 to db-1; the sample is freed. */
static void check(enum sp_cause cause)
{
    struct sp_summary *summary = NULL;
    sp_sample_judge(s);
    assert_int_equal(sp_summary_new(s->result, &summary), SP_OK);
    const struct sp_finding *found = NULL;
    for (size_t i = 0; i < summary->nfindings && !found; i++) {
        const struct sp_finding *f = &summary->findings[i];
        found = f->from == SAMPLE_WEB_1 && f->to == SAMPLE_DB_1 ? f : NULL;
    }
    assert_non_null(found);
    if (found->cause_kind != cause) {
        fail_msg("expected: %s; got: %s", sp_cause_str(cause), found->cause);
    }
    assert_string_equal(found->cause, sp_cause_str(cause));
    assert_string_equal(found->remedy, sp_cause_remedy(cause));
    sp_summary_free(summary);
    sp_sample_free(s);
    s = sp_sample_new();
}

static int setup(void **state)
{
    (void)state;
    s = sp_sample_new();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    sp_sample_free(s);
    return 0;
}

static void test_leak_families(void **state)
{
    (void)state;
    add(SAMPLE_WEB_1, SAMPLE_DB_1, V6, TCP, 22, DENY, sp_seen_leak());
    flow(22, DENY, sp_seen_silence());
    check(SP_CAUSE_TWIN_IPV6);
    add(SAMPLE_WEB_1, SAMPLE_DB_1, V6, TCP, 22, DENY, sp_seen_silence());
    flow(22, DENY, sp_seen_leak());
    check(SP_CAUSE_TWIN_IPV4);
    /* Both leak: not the family. */
    add(SAMPLE_WEB_1, SAMPLE_DB_1, V6, TCP, 22, DENY, sp_seen_leak());
    flow(22, DENY, sp_seen_leak());
    check(SP_CAUSE_LET_THROUGH);
    /* echo has another protocol and number in the other family */
    add(SAMPLE_WEB_1, SAMPLE_DB_1, V6, SP_PROTO_ICMP6, SP_PORT_ICMP6_ECHO, DENY, sp_seen_leak());
    add(SAMPLE_WEB_1, SAMPLE_DB_1, V4, SP_PROTO_ICMP, SP_PORT_ICMP_ECHO, DENY, sp_seen_silence());
    check(SP_CAUSE_TWIN_IPV6);
    add(SAMPLE_WEB_1, SAMPLE_DB_1, V4, SP_PROTO_ICMP, SP_PORT_ICMP_ECHO, DENY, sp_seen_leak());
    add(SAMPLE_WEB_1, SAMPLE_DB_1, V6, SP_PROTO_ICMP6, SP_PORT_ICMP6_ECHO, DENY, sp_seen_silence());
    check(SP_CAUSE_TWIN_IPV4);
}

static struct sp_seen behind(struct sp_seen seen, enum sp_proxy proxy)
{
    seen.answer = SP_ANSWER_SYN_ACK;
    seen.proxy = (uint8_t)proxy;
    return seen;
}

/* Who answers for others explains more than what the rules look like. */
static void test_proxies(void **state)
{
    (void)state;
    flow(22, DENY, behind(sp_seen_leak(), SP_PROXY_SYN));
    flow(23, DENY, behind(sp_seen_leak(), SP_PROXY_SYN));
    check(SP_CAUSE_PROXY_PASSES);
    flow(22, DENY, behind(sp_seen_leak(), SP_PROXY_OTHER));
    check(SP_CAUSE_RELAY);
    flow(22, DENY, behind(sp_seen_leak(), SP_PROXY_SYN)); /* not all of them */
    flow(23, DENY, sp_seen_leak());
    check(SP_CAUSE_NO_FILTER);
    flow(22, DENY, behind(sp_seen_silence(), SP_PROXY_NONE));
    check(SP_CAUSE_PROXY);
    flow(22, DENY, behind(sp_seen_silence(), SP_PROXY_OTHER));
    check(SP_CAUSE_PROXY);
    flow(22, DENY, behind(sp_seen_silence(), SP_PROXY_SYN));
    check(SP_CAUSE_PROXY_ENDS);
}

static void test_leak_rules(void **state)
{
    (void)state;
    flow(22, DENY, sp_seen_leak());
    flow(3389, DENY, sp_seen_leak());
    check(SP_CAUSE_NO_FILTER);
    flow(8000, ALLOW, sp_seen_works());
    flow(8001, DENY, sp_seen_leak());
    flow(22, DENY, sp_seen_silence());
    check(SP_CAUSE_TOO_WIDE);
    flow(8000, ALLOW, sp_seen_works());
    flow(7999, DENY, sp_seen_leak());
    check(SP_CAUSE_TOO_WIDE);
    /* Not every leak of the opening stands beside an allowed port. */
    flow(8000, ALLOW, sp_seen_works());
    flow(8001, DENY, sp_seen_leak());
    flow(7000, DENY, sp_seen_leak());
    flow(23, DENY, sp_seen_silence());
    check(SP_CAUSE_LET_THROUGH);
    add(SAMPLE_WEB_1, SAMPLE_DB_1, V4, TCP, 53, ALLOW, sp_seen_works());
    add(SAMPLE_WEB_1, SAMPLE_DB_1, V4, UDP, 53, DENY, sp_seen_leak());
    check(SP_CAUSE_OTHER_PROTOCOL);
    add(SAMPLE_WEB_1, SAMPLE_DB_1, V4, UDP, 53, ALLOW, sp_seen_works());
    flow(53, DENY, sp_seen_leak());
    check(SP_CAUSE_OTHER_PROTOCOL);
    add(SAMPLE_DB_1, SAMPLE_WEB_1, V4, TCP, 22, ALLOW, sp_seen_works());
    flow(22, DENY, sp_seen_leak());
    check(SP_CAUSE_BOTH_WAYS);
    add(SAMPLE_JUMP, SAMPLE_DB_1, V4, TCP, 22, ALLOW, sp_seen_works());
    flow(22, DENY, sp_seen_leak());
    check(SP_CAUSE_ANY_SOURCE);
    add(SAMPLE_JUMP, SAMPLE_DB_1, V4, TCP, 23, ALLOW, sp_seen_works());
    flow(22, DENY, sp_seen_leak());
    check(SP_CAUSE_LET_THROUGH);
    flow(22, DENY, sp_seen_leak());
    s->plan.pairs[0].layer = SP_LAYER_HOST;
    check(SP_CAUSE_HOST_OPEN);
    struct sp_seen stray = sp_seen_silence();
    stray.elsewhere = 2;
    flow(22, DENY, stray);
    check(SP_CAUSE_ELSEWHERE);
}

static void test_blocked(void **state)
{
    (void)state;
    struct sp_seen silent = sp_seen_silence();
    struct sp_seen refused = silent;
    refused.attempts = 0;
    refused.sender_policy = true;
    flow(8000, ALLOW, refused);
    check(SP_CAUSE_SENDER_POLICY);
    flow(8100, ALLOW, silent);
    flow(8000, ALLOW, sp_seen_works());
    flow(8101, DENY, silent);
    check(SP_CAUSE_TOO_NARROW);
    /* The port below, over the middle of the range; nothing denied lies between them. */
    flow(8000, ALLOW, silent);
    flow(7999, DENY, silent);
    flow(8050, ALLOW, sp_seen_works());
    flow(8101, DENY, silent);
    check(SP_CAUSE_TOO_NARROW);
    /* What works is another range, of the same rule or of another one. */
    flow(22, ALLOW, silent);
    flow(23, DENY, silent);
    flow(8000, ALLOW, sp_seen_works());
    check(SP_CAUSE_DROPPED);
    flow(22, ALLOW, sp_seen_works());
    flow(79, DENY, silent);
    flow(80, ALLOW, silent);
    check(SP_CAUSE_DROPPED);
    sp_sample_add(s, SAMPLE_WEB_1, SAMPLE_DB_1, V4, TCP, 79, ALLOW, SAMPLE_RULE_WEB_TO_DB,
                  sp_seen_works());
    flow(80, ALLOW, silent);
    flow(81, DENY, silent);
    check(SP_CAUSE_DROPPED);
    /* The same end of the range, and no port of it works. */
    flow(8100, ALLOW, silent);
    flow(8000, ALLOW, silent);
    flow(8101, DENY, silent);
    check(SP_CAUSE_NO_WAY);
    flow(8050, ALLOW, silent); /* no edge of the range */
    flow(8000, ALLOW, sp_seen_works());
    flow(8101, DENY, silent);
    check(SP_CAUSE_DROPPED);
    flow(443, ALLOW, silent);
    add(SAMPLE_WEB_1, SAMPLE_DB_1, V6, TCP, 443, ALLOW, sp_seen_works());
    check(SP_CAUSE_TWIN_IPV4);
    add(SAMPLE_WEB_1, SAMPLE_DB_1, V6, TCP, 443, ALLOW, silent);
    flow(443, ALLOW, sp_seen_works());
    check(SP_CAUSE_TWIN_IPV6);
    struct sp_seen rejected = silent;
    rejected.answer = SP_ANSWER_UNREACHABLE;
    rejected.answer_code = 13;
    rejected.answered = 2;
    flow(443, ALLOW, rejected);
    check(SP_CAUSE_REJECTED);
    flow(8100, ALLOW, rejected); /* whatever else would explain it */
    flow(8000, ALLOW, sp_seen_works());
    flow(8101, DENY, silent);
    check(SP_CAUSE_REJECTED);
    flow(443, ALLOW, rejected);
    add(SAMPLE_WEB_1, SAMPLE_DB_1, V6, TCP, 443, ALLOW, sp_seen_works());
    check(SP_CAUSE_REJECTED);
    flow(443, ALLOW, silent);
    flow(80, ALLOW, silent);
    check(SP_CAUSE_NO_WAY);
    flow(443, ALLOW, silent);
    check(SP_CAUSE_DROPPED);
}

/* What works beside a flow that gets nothing. */
static void test_where(void **state)
{
    (void)state;
    struct sp_seen silent = sp_seen_silence();
    add(SAMPLE_DEV_1, SAMPLE_DB_1, V4, TCP, 443, ALLOW, sp_seen_works());
    flow(443, ALLOW, silent);
    check(SP_CAUSE_NOT_FROM_HERE);
    add(SAMPLE_DEV_1, SAMPLE_DB_1, V4, TCP, 444, ALLOW, sp_seen_works());
    flow(443, ALLOW, silent);
    check(SP_CAUSE_DROPPED);
    add(SAMPLE_WEB_1, SAMPLE_OLD, V4, TCP, 443, ALLOW, sp_seen_works());
    flow(443, ALLOW, silent);
    check(SP_CAUSE_NOT_TO_HERE);
    add(SAMPLE_WEB_1, SAMPLE_OLD, V4, TCP, 443, ALLOW, sp_seen_works());
    flow(443, ALLOW, silent);
    flow(8443, ALLOW, sp_seen_works()); /* then it is no matter of the address */
    check(SP_CAUSE_DROPPED);
    add(SAMPLE_WEB_1, SAMPLE_DEV_1, V4, TCP, 443, ALLOW, sp_seen_works()); /* another segment */
    flow(443, ALLOW, silent);
    check(SP_CAUSE_DROPPED);
    add(SAMPLE_WEB_1, SAMPLE_DB_1, V4, SP_PROTO_IP, 99, ALLOW, silent);
    check(SP_CAUSE_DROPPED);
    add(SAMPLE_WEB_1, SAMPLE_DB_1, V4, SP_PROTO_IP, 99, ALLOW, silent);
    flow(443, ALLOW, sp_seen_works());
    check(SP_CAUSE_IP_PROTOCOL);
    static const struct {
        uint8_t family, code;
        enum sp_cause cause;
    } told[] = {
        {V4, 0, SP_CAUSE_NO_ADDRESS}, {V4, 1, SP_CAUSE_NO_ADDRESS}, {V4, 3, SP_CAUSE_REJECTED},
        {V4, 13, SP_CAUSE_REJECTED},  {V6, 0, SP_CAUSE_NO_ADDRESS}, {V6, 1, SP_CAUSE_REJECTED},
        {V6, 3, SP_CAUSE_NO_ADDRESS},
    };
    for (size_t i = 0; i < SP_ARRAY_LEN(told); i++) {
        struct sp_seen refused = silent;
        refused.answer = SP_ANSWER_UNREACHABLE;
        refused.answer_code = told[i].code;
        refused.answered = 2;
        add(SAMPLE_WEB_1, SAMPLE_DB_1, told[i].family, TCP, 443, ALLOW, refused);
        check(told[i].cause);
    }
}

/* Claims tell whether the receiver's reverse path filter is strict. */
static void test_reverse_path(void **state)
{
    (void)state;
    static const struct {
        uint8_t family, verdict;
        uint32_t target;
        const char *check, *expected, *observed;
        bool is_strict;
    } told[] = {
        {V4, SP_CLAIM_HOLDS, SAMPLE_DB_1, "rp_filter", "strict", "so on 2 interfaces", true},
        {V4, SP_CLAIM_FAILS, SAMPLE_DB_1, "rp_filter", "off", "eth0: strict", true},
        {V4, SP_CLAIM_FAILS, SAMPLE_DB_1, "rp_filter", "strict", "eth0: loose", false},
        {V4, SP_CLAIM_UNKNOWN, SAMPLE_DB_1, "rp_filter", "strict", NULL, false},
        {V4, SP_CLAIM_FAILS, SAMPLE_DB_1, "rp_filter", "off", NULL, false},
        {V4, SP_CLAIM_HOLDS, SAMPLE_DB_1, "lockdown", "strict", "strict", false},
        {V4, SP_CLAIM_HOLDS, SAMPLE_WEB_1, "rp_filter", "strict", "so on 1 interface", false},
        {V6, SP_CLAIM_HOLDS, SAMPLE_DB_1, "rp_filter", "strict", "so on 2 interfaces", false},
    };
    for (size_t i = 0; i < SP_ARRAY_LEN(told); i++) {
        struct sp_result result = {0};
        const struct sp_claim claim = {.kind = SP_CLAIM_NODE,
                                       .verdict = told[i].verdict,
                                       .host = told[i].target,
                                       .target = told[i].target,
                                       .check = told[i].check,
                                       .subject = "x",
                                       .expected = told[i].expected,
                                       .observed = told[i].observed};
        const struct sp_entry test = {.to = SAMPLE_DB_1, .family = told[i].family};
        assert_int_equal(sp_claims_add(&result.claims, &claim), SP_OK);
        assert_int_equal(sp_cause_reverse_path(&result, &test), told[i].is_strict);
        sp_claims_release(&result.claims);
    }
}

static void test_loss(void **state)
{
    (void)state;
    struct sp_seen lossy = sp_seen_works();
    lossy.attempts = 42;
    lossy.loss_confirmed = true;
    add(SAMPLE_WEB_1, SAMPLE_DB_1, V4, UDP, 54, ALLOW, lossy);
    check(SP_CAUSE_LOSS);
    add(SAMPLE_WEB_1, SAMPLE_DB_1, V4, UDP, 161, ALLOW, lossy);
    add(SAMPLE_WEB_1, SAMPLE_DB_1, V4, TCP, 161, ALLOW, sp_seen_works());
    check(SP_CAUSE_LOSS_UDP);
    flow(443, ALLOW, lossy); /* of TCP, UDP tells nothing */
    add(SAMPLE_WEB_1, SAMPLE_DB_1, V4, UDP, 443, ALLOW, sp_seen_works());
    check(SP_CAUSE_LOSS);
    struct sp_seen back = lossy;
    back.nic = back.host = back.answer_left = 42;
    back.answered = 30;
    flow(443, ALLOW, back);
    check(SP_CAUSE_LOSS_BACK);
    back.nic = back.host = back.answer_left = back.answered = 30;
    back.opened = 12; /* conversations whose SYN/ACK was lost */
    flow(443, ALLOW, back);
    check(SP_CAUSE_LOSS_BACK);
    back.opened = 11;
    flow(443, ALLOW, back);
    check(SP_CAUSE_LOSS);
}

static void test_others(void **state)
{
    (void)state;
    struct sp_seen seen = sp_seen_silence();
    seen.nic = 2;
    flow(443, ALLOW, seen);
    check(SP_CAUSE_HOST_FILTER);
    seen.host = 2;
    flow(443, ALLOW, seen);
    check(SP_CAUSE_NO_ANSWER);
    seen.answer_left = 2;
    seen.answer = SP_ANSWER_RST;
    flow(443, ALLOW, seen);
    check(SP_CAUSE_WAY_BACK);
    seen = sp_seen_works();
    seen.attempts = 42;
    seen.loss_confirmed = true;
    flow(443, ALLOW, seen);
    check(SP_CAUSE_LOSS);
    seen = sp_seen_works();
    seen.rewritten = 21;
    flow(443, ALLOW, seen);
    check(SP_CAUSE_REWRITTEN);
    seen.elsewhere = 1;
    flow(443, ALLOW, seen);
    check(SP_CAUSE_ELSEWHERE);
    seen = sp_seen_silence();
    seen.answer = SP_ANSWER_DATA;
    flow(443, DENY, seen);
    check(SP_CAUSE_PROXY);
}

static void test_words(void **state)
{
    (void)state;
    for (int cause = 0; cause < SP_CAUSE_COUNT; cause++) {
        assert_true(strlen(sp_cause_str((enum sp_cause)cause)) > 10);
        assert_true(strlen(sp_cause_remedy((enum sp_cause)cause)) > 10);
    }
    assert_string_equal(sp_cause_str(SP_CAUSE_COUNT), "unknown");
    assert_string_equal(sp_cause_remedy(SP_CAUSE_COUNT), "");
}

/* ---- load balancers ---- */

static struct sp_summary *judged(void)
{
    struct sp_summary *summary = NULL;
    sp_sample_judge(s);
    assert_int_equal(sp_summary_new(s->result, &summary), SP_OK);
    return summary;
}

/* The finding to this target from out-1. */
static const struct sp_finding *finding_to(const struct sp_summary *summary, uint32_t to)
{
    for (size_t i = 0; i < summary->nfindings; i++) {
        const struct sp_finding *f = &summary->findings[i];
        if (f->from == SAMPLE_OUT_1 && f->to == to) {
            return f;
        }
    }
    fail_msg("no finding");
    return NULL;
}

/* out-1 -> to; the names are those of the cause and of where. */
static void check_balanced(uint32_t to, enum sp_cause cause, enum sp_severity severity,
                           const char *name, const char *where)
{
    struct sp_summary *summary = judged();
    const struct sp_finding *f = finding_to(summary, to);
    if (f->cause_kind != cause || f->severity != severity) {
        fail_msg("expected: %s; got: %s, %s", sp_cause_str(cause), f->cause,
                 sp_severity_str(f->severity));
    }
    assert_null(strchr(f->cause, '@'));
    assert_null(strchr(f->remedy, '@'));
    assert_true(!name || strstr(f->cause, name) || strstr(f->remedy, name));
    assert_true(where ? f->where && strcmp(f->where, where) == 0 : !f->where);
    sp_summary_free(summary);
    sp_sample_free(s);
    s = sp_sample_new();
}

static size_t served(uint16_t port, struct sp_seen seen, uint16_t first, uint16_t second)
{
    size_t test = sp_sample_add(s, SAMPLE_OUT_1, SAMPLE_SHOP, V4, TCP, port, ALLOW, SP_NONE, seen);
    sp_sample_flows(s, test, first, second);
    return test;
}

static void test_around_a_balancer(void **state)
{
    (void)state;
    add(SAMPLE_OUT_1, SAMPLE_WEB_2, V4, TCP, 8443, DENY, sp_seen_leak());
    check_balanced(SAMPLE_WEB_2, SP_CAUSE_AROUND, SP_SEVERITY_HIGH, "shop", NULL);
    add(SAMPLE_OUT_1, SAMPLE_WEB_2, V4, TCP, 8444, DENY, sp_seen_leak()); /* not its port */
    check_balanced(SAMPLE_WEB_2, SP_CAUSE_LET_THROUGH, SP_SEVERITY_HIGH, NULL, NULL);
    add(SAMPLE_OUT_1, SAMPLE_WEB_2, V4, TCP, 8080, DENY, sp_seen_leak()); /* of web-1 and old */
    check_balanced(SAMPLE_WEB_2, SP_CAUSE_LET_THROUGH, SP_SEVERITY_CRITICAL, NULL, NULL);
    add(SAMPLE_OUT_1, SAMPLE_WEB_1, V4, UDP, 8443, DENY, sp_seen_leak());
    check_balanced(SAMPLE_WEB_1, SP_CAUSE_LET_THROUGH, SP_SEVERITY_HIGH, NULL, NULL);
}

static void test_address_of_a_balancer_is_open(void **state)
{
    (void)state;
    struct sp_seen answered = sp_seen_silence();
    answered.answer = SP_ANSWER_SYN_ACK;
    answered.answered = 2;
    add(SAMPLE_OUT_1, SAMPLE_SHOP, V4, TCP, 22, DENY, answered);
    check_balanced(SAMPLE_SHOP, SP_CAUSE_BALANCER_PORT, SP_SEVERITY_CRITICAL, "shop", NULL);
    add(SAMPLE_OUT_1, SAMPLE_SHOP, V4, TCP, 80, DENY, answered);
    check_balanced(SAMPLE_SHOP, SP_CAUSE_BALANCER_CLIENT, SP_SEVERITY_CRITICAL, "shop", NULL);
    struct sp_seen stray = sp_seen_silence();
    stray.elsewhere = 2;
    stray.elsewhere_host = SAMPLE_DB_1;
    add(SAMPLE_OUT_1, SAMPLE_SHOP, V4, TCP, 80, DENY, stray);
    check_balanced(SAMPLE_SHOP, SP_CAUSE_ELSEWHERE, SP_SEVERITY_CRITICAL, NULL, "db-1");
}

static void test_backends_of_a_balancer(void **state)
{
    (void)state;
    struct sp_seen missed = sp_seen_works();
    missed.attempts = missed.nic = missed.host = missed.answered = 42;
    missed.loss_confirmed = true;
    served(443, missed, 0, 42);
    check_balanced(SAMPLE_SHOP, SP_CAUSE_BACKEND_MISSED, SP_SEVERITY_MEDIUM, "web-1", "web-1");
    struct sp_seen lossy = missed;
    lossy.host = lossy.nic = lossy.answered = 30;
    served(443, lossy, 15, 15);
    check_balanced(SAMPLE_SHOP, SP_CAUSE_LOSS, SP_SEVERITY_MEDIUM, NULL, NULL);
    struct sp_seen foreign = sp_seen_works();
    foreign.host = foreign.nic = 20;
    foreign.foreign = 1;
    served(443, foreign, 10, 10);
    check_balanced(SAMPLE_SHOP, SP_CAUSE_BACKEND_UNKNOWN, SP_SEVERITY_HIGH, "shop", NULL);
    struct sp_seen stray = sp_seen_works();
    stray.elsewhere = 1;
    stray.elsewhere_host = SAMPLE_DB_1;
    served(443, stray, 10, 10);
    check_balanced(SAMPLE_SHOP, SP_CAUSE_BACKEND_FOREIGN, SP_SEVERITY_HIGH, "db-1", "db-1");
    stray.elsewhere_host = SP_NONE;
    served(443, stray, 10, 10);
    check_balanced(SAMPLE_SHOP, SP_CAUSE_BACKEND_FOREIGN, SP_SEVERITY_HIGH, "another probe", NULL);
}

static void test_sources_of_a_balancer(void **state)
{
    (void)state;
    struct sp_seen seen = sp_seen_works();
    seen.rewritten = 21;
    assert_int_equal(sp_addr_parse("10.10.9.2", &seen.captured.src), SP_OK);
    served(443, seen, 11, 10); /* source: preserved */
    check_balanced(SAMPLE_SHOP, SP_CAUSE_SOURCE_REWRITTEN, SP_SEVERITY_MEDIUM, "shop", NULL);
    served(80, seen, 21, 0); /* source: rewritten */
    check_balanced(SAMPLE_SHOP, SP_CAUSE_SOURCE_OTHER, SP_SEVERITY_MEDIUM, "shop", NULL);
    assert_int_equal(sp_addr_parse("198.51.100.7", &seen.captured.src),
                     SP_OK); /* the client's own: another port */
    served(443, seen, 11, 10);
    check_balanced(SAMPLE_SHOP, SP_CAUSE_SOURCE_OTHER, SP_SEVERITY_MEDIUM, "shop", NULL);
}

static void test_balancers_that_block(void **state)
{
    (void)state;
    struct sp_seen seen = sp_seen_silence();
    seen.attempts = 42;
    served(443, seen, 0, 0);
    check_balanced(SAMPLE_SHOP, SP_CAUSE_BALANCER_SILENT, SP_SEVERITY_HIGH, "shop", NULL);
    seen.answer = SP_ANSWER_SYN_ACK;
    seen.answered = 42;
    served(443, seen, 0, 0);
    check_balanced(SAMPLE_SHOP, SP_CAUSE_BACKENDS_DEAD, SP_SEVERITY_HIGH, "shop", NULL);
    seen.answer = SP_ANSWER_UNREACHABLE; /* a firewall before it */
    seen.answer_code = 13;
    seen.answerer = SP_ANSWERER_BEFORE;
    assert_int_equal(sp_addr_parse("10.0.0.1", &seen.answerer_addr), SP_OK);
    served(443, seen, 0, 0);
    check_balanced(SAMPLE_SHOP, SP_CAUSE_REJECTED, SP_SEVERITY_HIGH, NULL, "10.0.0.1");
    struct sp_seen policy = sp_seen_silence();
    policy.attempts = 0;
    policy.sender_policy = true;
    served(443, policy, 0, 0);
    check_balanced(SAMPLE_SHOP, SP_CAUSE_SENDER_POLICY, SP_SEVERITY_HIGH, NULL, NULL);
}

/* One repair each: two clients that miss one backend are one cause, two backends are two. */
static void test_causes_name_one_repair(void **state)
{
    (void)state;
    struct sp_seen missed = sp_seen_works();
    missed.attempts = missed.nic = missed.host = missed.answered = 42;
    missed.loss_confirmed = true;
    served(443, missed, 0, 42);
    size_t test = sp_sample_add(s, SAMPLE_JUMP, SAMPLE_SHOP, V4, TCP, 443, ALLOW, SP_NONE, missed);
    sp_sample_flows(s, test, 0, 42);
    test = sp_sample_add(s, SAMPLE_DEV_1, SAMPLE_SHOP, V4, TCP, 443, ALLOW, SP_NONE, missed);
    sp_sample_flows(s, test, 42, 0);
    struct sp_summary *summary = judged();
    assert_int_equal(summary->nfindings, 3);
    assert_int_equal(summary->ncauses, 2);
    assert_int_equal(summary->causes[0].nfindings, 2);
    assert_non_null(strstr(summary->causes[0].cause, "web-1"));
    assert_non_null(strstr(summary->causes[1].cause, "web-2"));
    sp_summary_free(summary);
    sp_sample_free(s);
    s = sp_sample_new();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_around_a_balancer),
        cmocka_unit_test(test_address_of_a_balancer_is_open),
        cmocka_unit_test(test_backends_of_a_balancer),
        cmocka_unit_test(test_sources_of_a_balancer),
        cmocka_unit_test(test_balancers_that_block),
        cmocka_unit_test(test_causes_name_one_repair),
        cmocka_unit_test(test_leak_families),
        cmocka_unit_test(test_leak_rules),
        cmocka_unit_test(test_proxies),
        cmocka_unit_test(test_blocked),
        cmocka_unit_test(test_where),
        cmocka_unit_test(test_loss),
        cmocka_unit_test(test_reverse_path),
        cmocka_unit_test(test_others),
        cmocka_unit_test(test_words),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
