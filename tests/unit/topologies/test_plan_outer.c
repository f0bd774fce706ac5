/* SPDX-License-Identifier: Apache-2.0
 *
 * Where packets that carry others are sent to. A destination too few would make a test hold that
 * nobody asked, one too many would send to whom nobody consented for. */
#include "tests/support/model_builder.h"
#include "tests/support/sp_cmocka.h"
#include "tests/unit/topologies/plan_support.h"

#include <stdio.h>

#include "probe/base/mem.h"

static size_t tech(const char *name)
{
    const struct sp_technique_info *info = sp_technique_find(name);
    assert_non_null(info);
    return sp_technique_index(info);
}

static struct sp_addr address(const char *text)
{
    struct sp_addr addr;
    assert_int_equal(sp_addr_parse(text, &addr), SP_OK);
    return addr;
}

static struct sp_pair pair_of(const char *src, const char *dst)
{
    struct sp_pair pair = {.from = WEB1, .to = DB1, .src = address(src), .dst = address(dst)};
    pair.own = pair.dst;
    pair.src_seen = pair.src;
    pair.family = pair.src.family;
    return pair;
}

static const char four[] = "10.10.1.11", four_to[] = "10.10.2.11";
static const char six[] = "fd00:10:1::11", six_to[] = "fd00:10:2::11";

/* The outer destinations, separated by blanks. */
static void expect(const struct sp_model *m, const struct sp_pair *pair, const char *name,
                   const char *src, const char *want)
{
    struct sp_plan_outer outers[SP_PLAN_OUTERS];
    char text[256] = "";
    int at = 0;
    size_t n = sp_plan_outers(m, pair, tech(name), outers);
    for (size_t i = 0; i < n; i++) {
        char one[SP_ADDR_STRLEN];
        assert_string_equal(sp_addr_str(&outers[i].src, one), src);
        at += snprintf(text + at, sizeof(text) - (size_t)at, "%s%s", i ? " " : "",
                       sp_addr_str(&outers[i].dst, one));
    }
    assert_string_equal(text, want);
    assert_int_equal(sp_plan_packets(m, pair, tech(name)),
                     n > 0 ? n : sp_technique_find(name)->packets);
}

static struct sp_model *consenting(void)
{
    struct sp_model *m = sp_ts_shop();
    m->limits.hazard = 'C';
    return m;
}

static void make_router(struct sp_model *m, uint32_t host)
{
    sp_free(m->hosts[host].role);
    m->hosts[host].role = sp_strdup("router");
}

static void free_model(struct sp_model *m)
{
    for (size_t h = 0; h < m->nhosts; h++) { /* the builder gives hosts no roles */
        sp_free(m->hosts[h].role);
        m->hosts[h].role = NULL;
    }
    sp_mb_free(m);
}

static void the_receiver_itself(void **state)
{
    (void)state;
    struct sp_model *m = consenting();
    struct sp_pair pair4 = pair_of(four, four_to);
    struct sp_pair pair6 = pair_of(six, six_to);
    expect(m, &pair4, "encap_ipip", four, four_to);
    expect(m, &pair4, "encap_gre", four, four_to);
    expect(m, &pair6, "encap_vxlan", six, six_to);
    expect(m, &pair6, "encap_geneve", six, six_to);
    expect(m, &pair6, "encap_6in4", four, four_to);
    expect(m, &pair4, "tcp_syn", "", "");
    expect(m, &pair4, "frag_tiny", "", "");
    /* without IPv4 there is no outer packet for IPv6 inside */
    m->hosts[DB1].addrs[0] = m->hosts[DB1].addrs[1];
    expect(m, &pair6, "encap_6in4", "", "");
    assert_int_equal(sp_bypass_hindrance(m, NULL, &pair6, tech("encap_6in4")),
                     SP_REASON_BYPASS_OUTER);
    assert_int_equal(sp_bypass_hindrance(m, NULL, &pair6, tech("encap_gre")), SP_REASON_NONE);
    free_model(m);
}

static void routers_by_their_network(void **state)
{
    (void)state;
    struct sp_model *m = consenting();
    struct sp_pair pair = pair_of(four, four_to);
    make_router(m, DEV1);
    expect(m, &pair, "encap_gre", four, "10.10.2.11 10.20.0.11");
    make_router(m, WEB2);
    expect(m, &pair, "encap_gre", four, "10.10.2.11 10.10.1.12 10.20.0.11");
    make_router(m, OLD); /* has no probe; there is room for three */
    expect(m, &pair, "encap_gre", four, "10.10.2.11 10.10.2.99 10.10.1.12");
    make_router(m, WEB1); /* neither end is a router between the two */
    make_router(m, DB1);
    expect(m, &pair, "encap_gre", four, "10.10.2.11 10.10.2.99 10.10.1.12");
    /* they have no address of the family */
    struct sp_pair pair6 = pair_of(six, six_to);
    expect(m, &pair6, "encap_gre", six, six_to);
    expect(m, &pair6, "encap_6in4", four, "10.10.2.11 10.10.2.99 10.10.1.12");
    free_model(m);
}

static void who_is_sent_to_has_to_agree(void **state)
{
    (void)state;
    struct sp_model *m = consenting();
    struct sp_pair pair = pair_of(four, four_to);
    make_router(m, DEV1);
    m->networks[sp_mb_find_network(m, "dev")].hazard = 'B';
    expect(m, &pair, "encap_gre", four, four_to);
    m->networks[sp_mb_find_network(m, "dev")].hazard = 0;
    m->networks[sp_mb_find_network(m, "dev")].kind = SP_NET_EXTERNAL; /* somebody else's */
    expect(m, &pair, "encap_gre", four, four_to);
    free_model(m);
}

static void translations_are_left_alone(void **state)
{
    (void)state;
    struct sp_model *m = consenting();
    struct sp_pair pair = pair_of(four, four_to);
    make_router(m, WEB2);
    sp_mb_seen_as(m, WEB2, "data", "10.10.1.77");
    expect(m, &pair, "encap_gre", four, four_to);
    pair.src_seen = address("10.10.1.99");
    expect(m, &pair, "encap_gre", "", "");
    pair.src_seen = pair.src;
    pair.own = address("10.10.2.98");
    expect(m, &pair, "encap_gre", "", "");
    assert_int_equal(sp_bypass_hindrance(m, NULL, &pair, tech("encap_gre")),
                     SP_REASON_BYPASS_OUTER);
    free_model(m);
}

static void tunnels_are_of_their_host(void **state)
{
    (void)state;
    struct sp_model *m = consenting();
    struct sp_pair pair = pair_of(four, four_to);
    struct sp_plan_outer outers[SP_PLAN_OUTERS];
    make_router(m, WEB2);
    m->hosts[WEB2].tunnel_vni = 4096;
    m->hosts[WEB2].tunnel_mac = 7;
    m->hosts[DB1].tunnel_vni = 1;
    assert_int_equal(sp_plan_outers(m, &pair, tech("encap_vxlan"), outers), 2);
    assert_true(outers[0].vni == 1 && outers[0].mac == 0);
    assert_true(outers[1].vni == 4096 && outers[1].mac == 7);
    free_model(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_receiver_itself),
        cmocka_unit_test(routers_by_their_network),
        cmocka_unit_test(who_is_sent_to_has_to_agree),
        cmocka_unit_test(translations_are_left_alone),
        cmocka_unit_test(tunnels_are_of_their_host),
    };
    return cmocka_run_group_tests_name("plan_outer", tests, NULL, NULL);
}
