/* SPDX-License-Identifier: Apache-2.0
 *
 * A made-up run against a load balancer: everything that it can do wrong. */
#include <stdlib.h>

#include "probe/techniques/registry.h"
#include "tests/support/sample_result.h"

#define V4    SP_FAMILY_IPV4
#define V6    SP_FAMILY_IPV6
#define TCP   SP_PROTO_TCP
#define DENY  SP_EXPECT_DENY
#define ALLOW SP_EXPECT_ALLOW

static void parse(const char *text, struct sp_addr *ret_addr)
{
    if (sp_addr_parse(text, ret_addr) != SP_OK) {
        abort();
    }
}

static void add_served(struct sp_sample *s, uint32_t from, uint8_t family, uint16_t port,
                       struct sp_seen seen, uint16_t first, uint16_t second)
{
    size_t test =
        sp_sample_add(s, from, SAMPLE_SHOP, family, TCP, port, ALLOW, SAMPLE_RULE_SHOP, seen);
    sp_sample_flows(s, test, first, second);
    s->plan.tests[test].technique = (uint8_t)sp_technique_index(sp_technique_find("tcp_handshake"));
}

static struct sp_seen seen_of(uint16_t attempts, uint16_t arrived)
{
    struct sp_seen seen = sp_seen_works();
    seen.attempts = attempts;
    seen.nic = seen.host = seen.answered = arrived;
    seen.answer_left = 0;
    seen.answer = SP_ANSWER_DATA;
    seen.loss_confirmed = attempts > 21;
    return seen;
}

static void add_served_wrong(struct sp_sample *s)
{
    struct sp_seen foreign = seen_of(21, 16);
    foreign.answered = 21;
    foreign.foreign = 5;
    add_served(s, SAMPLE_DEV_1, V4, 443, foreign, 9, 7);
    struct sp_seen rewritten = seen_of(21, 21);
    rewritten.rewritten = 21;
    rewritten.captured = (struct sp_tuple){.sport = 40001, .dport = 8443};
    parse("10.10.9.2", &rewritten.captured.src);
    parse("10.10.1.11", &rewritten.captured.dst);
    add_served(s, SAMPLE_DB_1, V4, 443, rewritten, 11, 10);
    struct sp_seen dead = seen_of(42, 0);
    dead.answered = 42;
    dead.answer = SP_ANSWER_RST;
    add_served(s, SAMPLE_WEB_1, V4, 443, dead, 0, 0);
    dead.answered = 0;
    dead.answer = SP_ANSWER_NONE;
    add_served(s, SAMPLE_WEB_2, V4, 443, dead, 0, 0);
    struct sp_seen stray = seen_of(21, 16);
    stray.elsewhere = 5;
    stray.elsewhere_host = SAMPLE_DB_1;
    add_served(s, SAMPLE_OUT_1, V4, 80, stray, 16, 0);
    struct sp_seen filtered = seen_of(42, 0);
    filtered.nic = 42;
    add_served(s, SAMPLE_DB_1, V4, 80, filtered, 0, 0);
}

struct sp_sample *sp_sample_balanced(void)
{
    struct sp_sample *s = sp_sample_new();
    add_served(s, SAMPLE_OUT_1, V4, 443, seen_of(21, 21), 11, 10);
    add_served(s, SAMPLE_JUMP, V4, 443, seen_of(42, 42), 42, 0);
    add_served_wrong(s);
    const uint32_t alike[] = {SAMPLE_OUT_1, SAMPLE_JUMP, SAMPLE_DEV_1, SAMPLE_DB_1};
    for (size_t i = 0; i < SP_ARRAY_LEN(alike); i++) {
        add_served(s, alike[i], V6, 443, seen_of(21, 21), (uint16_t)(12 - i), (uint16_t)(9 + i));
    }
    struct sp_seen blind = seen_of(21, 10);
    blind.answered = 21;
    blind.foreign = 11;
    add_served(s, SAMPLE_JUMP, V4, 80, blind, 10, 0);
    add_served(s, SAMPLE_DEV_1, V4, 80, sp_seen_unsound(SP_UNSOUND_STANDIN), 0, 0);
    struct sp_seen served = sp_seen_silence();
    served.answer = SP_ANSWER_SYN_ACK;
    served.answered = 2;
    sp_sample_add(s, SAMPLE_DEV_1, SAMPLE_SHOP, V4, TCP, 22, DENY, SP_NONE, served);
    sp_sample_add(s, SAMPLE_WEB_2, SAMPLE_SHOP, V4, TCP, 80, DENY, SP_NONE, sp_seen_leak());
    sp_sample_add(s, SAMPLE_OUT_1, SAMPLE_WEB_1, V4, TCP, 8443, DENY, SP_NONE, sp_seen_leak());
    sp_sample_add(s, SAMPLE_OUT_1, SAMPLE_WEB_1, V4, TCP, 22, DENY, SAMPLE_RULE_NO_SSH,
                  sp_seen_silence());
    sp_sample_judge(s);
    return s;
}
