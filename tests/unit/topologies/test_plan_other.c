/* SPDX-License-Identifier: Apache-2.0
 *
 * Whose address a test may write beside those of its two ends: forged sources, and routers on the
 * way. A wrong one would send packets in the name of somebody who never agreed to it. */
#include "tests/support/model_builder.h"
#include "tests/support/sp_cmocka.h"
#include "tests/unit/topologies/plan_support.h"

#include <stdio.h>

#include "probe/base/mem.h"

static uint8_t tech(const char *name)
{
    const struct sp_technique_info *info = sp_technique_find(name);
    assert_non_null(info);
    return (uint8_t)sp_technique_index(info);
}

static struct sp_addr address(const char *text)
{
    struct sp_addr addr;
    assert_int_equal(sp_addr_parse(text, &addr), SP_OK);
    return addr;
}

static struct sp_pair pair_of(uint32_t from, const char *src, uint32_t to, const char *dst)
{
    struct sp_pair pair = {.from = from, .to = to, .src = address(src), .dst = address(dst)};
    pair.own = pair.dst;
    pair.src_seen = pair.src;
    pair.family = pair.src.family;
    return pair;
}

static void expect(const struct sp_model *m, const struct sp_pair *pair, const char *name,
                   enum sp_other want, const char *want_addr)
{
    struct sp_addr addr;
    char text[SP_ADDR_STRLEN] = "";
    enum sp_other got = sp_plan_other(m, pair, tech(name), &addr);
    if (addr.family != SP_FAMILY_NONE) {
        (void)sp_addr_str(&addr, text);
    }
    assert_int_equal(got, want);
    assert_string_equal(text, want_addr);
}

static struct sp_model *consenting(void)
{
    struct sp_model *m = sp_ts_shop();
    m->limits.hazard = 'C';
    return m;
}

static void others_need_none(void **state)
{
    (void)state;
    struct sp_model *m = consenting();
    struct sp_pair pair = pair_of(WEB1, "10.10.1.11", DB1, "10.10.2.11");
    expect(m, &pair, "tcp_syn", SP_OTHER_NONE, "");
    expect(m, &pair, "frag_tail", SP_OTHER_NONE, "");
    expect(m, &pair, "ip_options", SP_OTHER_NONE, "");
    sp_mb_free(m);
}

static void forged_sources_are_declared(void **state)
{
    (void)state;
    struct sp_model *m = consenting();
    struct sp_pair pair = pair_of(WEB1, "10.10.1.11", DB1, "10.10.2.11");
    struct sp_pair six = pair_of(WEB1, "fd00:10:1::11", DB1, "fd00:10:2::11");
    expect(m, &pair, "spoof_own", SP_OTHER_SOURCE, "10.10.1.12");
    expect(m, &pair, "spoof_other", SP_OTHER_SOURCE, "10.10.2.99"); /* never the receiver's own */
    /* web-2 and old have no address of the family, db-1 is the receiver */
    expect(m, &six, "spoof_own", SP_OTHER_MISSING, "");
    expect(m, &six, "spoof_other", SP_OTHER_MISSING, "");
    /* of a host that a rule lets through comes first */
    (void)sp_mb_rule(m, SP_RULE_ALLOW, "dev", "dev-1", "data", "udp/53");
    expect(m, &pair, "spoof_other", SP_OTHER_SOURCE, "10.20.0.11");
    sp_mb_free(m);
}

static void who_is_forged_has_to_agree(void **state)
{
    (void)state;
    struct sp_model *m = consenting();
    struct sp_pair pair = pair_of(WEB1, "10.10.1.11", DB1, "10.10.2.11");
    (void)sp_mb_rule(m, SP_RULE_ALLOW, "dev", "dev-1", "data", "udp/53");
    m->networks[sp_mb_find_network(m, "dev")].hazard = 'B';
    expect(m, &pair, "spoof_other", SP_OTHER_SOURCE, "10.10.2.99");
    m->networks[sp_mb_find_network(m, "dev")].hazard = 0;
    m->networks[sp_mb_find_network(m, "dev")].kind = SP_NET_EXTERNAL; /* somebody else's */
    expect(m, &pair, "spoof_other", SP_OTHER_SOURCE, "10.10.2.99");
    m->networks[sp_mb_find_network(m, "data")].kind = SP_NET_EXTERNAL;
    expect(m, &pair, "spoof_other", SP_OTHER_MISSING, "");
    sp_mb_free(m);
}

/* Behind a translation nobody can say whose address it would become. */
static void translations_are_left_alone(void **state)
{
    (void)state;
    struct sp_model *m = consenting();
    struct sp_pair pair = pair_of(WEB1, "10.10.1.11", DB1, "10.10.2.11");
    pair.src_seen = address("10.10.1.99");
    expect(m, &pair, "spoof_own", SP_OTHER_MISSING, "");
    pair.src_seen = pair.src;
    sp_mb_seen_as(m, WEB2, "data", "10.10.1.77");
    expect(m, &pair, "spoof_own", SP_OTHER_MISSING, "");
    sp_mb_free(m);
}

static void source_routes_begin_with_a_router(void **state)
{
    (void)state;
    struct sp_model *m = consenting();
    struct sp_pair pair = pair_of(WEB1, "10.10.1.11", DB1, "10.10.2.11");
    expect(m, &pair, "ip_lsrr", SP_OTHER_NONE, ""); /* the receiver itself is the hop */
    expect(m, &pair, "ip_ssrr", SP_OTHER_MISSING, "");
    m->hosts[DEV1].role = sp_strdup("router"); /* of another network */
    expect(m, &pair, "ip_ssrr", SP_OTHER_MISSING, "");
    m->hosts[WEB2].role = sp_strdup("edge");
    expect(m, &pair, "ip_lsrr", SP_OTHER_NONE, "");
    sp_free(m->hosts[WEB2].role);
    m->hosts[WEB2].role = sp_strdup("router");
    expect(m, &pair, "ip_lsrr", SP_OTHER_ROUTER, "10.10.1.12");
    expect(m, &pair, "ip_ssrr", SP_OTHER_ROUTER, "10.10.1.12");
    sp_free(m->hosts[WEB2].role);
    sp_free(m->hosts[DEV1].role);
    m->hosts[WEB2].role = m->hosts[DEV1].role = NULL;
    sp_mb_free(m);
}

/* Where the host's own firewall is judged, what no host takes in would always seem to be stopped.
 */
static void a_lone_fragment_tests_no_host(void **state)
{
    (void)state;
    struct sp_model *m = consenting();
    struct sp_pair pair = pair_of(WEB1, "10.10.1.11", DB1, "10.10.2.11");
    assert_int_equal(sp_bypass_hindrance(m, NULL, &pair, tech("frag_tail")), SP_REASON_NONE);
    pair.layer = SP_LAYER_HOST;
    assert_int_equal(sp_bypass_hindrance(m, NULL, &pair, tech("frag_tail")), SP_REASON_BYPASS_HOST);
    assert_int_equal(sp_bypass_hindrance(m, NULL, &pair, tech("frag_tiny")), SP_REASON_NONE);
    sp_mb_free(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(others_need_none),
        cmocka_unit_test(forged_sources_are_declared),
        cmocka_unit_test(who_is_forged_has_to_agree),
        cmocka_unit_test(translations_are_left_alone),
        cmocka_unit_test(source_routes_begin_with_a_router),
        cmocka_unit_test(a_lone_fragment_tests_no_host),
    };
    return cmocka_run_group_tests_name("plan_other", tests, NULL, NULL);
}
