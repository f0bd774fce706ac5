/* SPDX-License-Identifier: Apache-2.0
 *
 * What counted conversations say of a balancer: each fault, its healthy twin, and that nothing seen
 * never holds. */
#include <stdio.h>
#include <string.h>

#include "controller/inspect/balancers.h"
#include "tests/support/sp_cmocka.h"

static struct sp_network networks[] = {
    {.name = (char[]){"a"}, .zone = (char[]){"z1"}, .parent = SP_NONE},
    {.name = (char[]){"b"}, .zone = (char[]){"z2"}, .parent = SP_NONE},
    {.name = (char[]){"in-a"}, .parent = 0},
};
static struct sp_host hosts[] = {
    {.name = (char[]){"w1"}, .network = 2},
    {.name = (char[]){"w2"}, .network = 1},
};
static const struct sp_model model = {
    .networks = networks, .nnetworks = 3, .hosts = hosts, .nhosts = 2};
static uint32_t backends[] = {0, 1};
static uint32_t counts[2];

static struct sp_listener listener(void)
{
    static char preserved[] = "preserved";
    static char none[] = "none";
    return (struct sp_listener){.backends = backends,
                                .nbackends = 2,
                                .source = preserved,
                                .proxy_protocol = none,
                                .max_skew = -1};
}

static struct sp_lb_tally tally(uint32_t w1, uint32_t w2)
{
    counts[0] = w1;
    counts[1] = w2;
    uint32_t n = w1 + w2;
    struct sp_lb_tally all = {.sent = n ? n : 10,
                              .answered = n,
                              .served = n,
                              .arrived = n,
                              .heard = n,
                              .backends = counts};
    all.heads[SP_HEAD_NONE] = n;
    return all;
}

/* Every verdict but HOLDS has its reason and what to do. */
static void said_is(const struct sp_lb_said *said, unsigned verdict)
{
    if (said->verdict != verdict) {
        print_error("%s: %s\n", said->observed, said->cause ? said->cause : "-");
    }
    assert_int_equal(said->verdict, verdict);
    assert_true(verdict == SP_CLAIM_HOLDS || (said->cause && said->remedy));
}

#define SAYS(verdict, fn, ...)                                                                     \
    do {                                                                                           \
        struct sp_lb_said said_ = {0};                                                             \
        fn(__VA_ARGS__, &said_);                                                                   \
        said_is(&said_, verdict);                                                                  \
    } while (0)

static void nothing_seen_never_holds(void **state)
{
    (void)state;
    struct sp_lb_tally none = tally(0, 0);
    struct sp_listener l = listener();
    struct sp_addr addr = {0};
    struct sp_lb_drill drill = {0};
    struct sp_lb_idle idle = {.short_ms = 1, .long_ms = 2};
    SAYS(SP_CLAIM_UNKNOWN, sp_lb_judge_source, &l, &none);
    SAYS(SP_CLAIM_UNKNOWN, sp_lb_judge_proxy, &l, &none);
    SAYS(SP_CLAIM_UNKNOWN, sp_lb_judge_skew, &model, &l, &none);
    SAYS(SP_CLAIM_UNKNOWN, sp_lb_judge_affinity, &model, &l, &none);
    SAYS(SP_CLAIM_UNKNOWN, sp_lb_judge_zones, &model, &l, &addr, &none);
    l.tls = (char[]){"terminated"};
    SAYS(SP_CLAIM_UNKNOWN, sp_lb_judge_tls, &l, &none);
    l.tls = (char[]){"passthrough"};
    SAYS(SP_CLAIM_UNKNOWN, sp_lb_judge_tls, &l, &none);
    none.sent = 0;
    l.hairpin = (char[]){"works"};
    SAYS(SP_CLAIM_UNKNOWN, sp_lb_judge_hairpin, &l, &none);
    l.hairpin = (char[]){"blocked"};
    SAYS(SP_CLAIM_UNKNOWN, sp_lb_judge_hairpin, &l, &none);
    SAYS(SP_CLAIM_UNKNOWN, sp_lb_judge_present, &none);
    SAYS(SP_CLAIM_UNKNOWN, sp_lb_judge_drill, &l, &drill);
    SAYS(SP_CLAIM_UNKNOWN, sp_lb_judge_idle, &l, &idle);
}

static void addresses(void **state)
{
    (void)state;
    struct sp_lb_tally t = tally(3, 3);
    SAYS(SP_CLAIM_HOLDS, sp_lb_judge_present, &t);
    t = (struct sp_lb_tally){.sent = 4, .refused = 4};
    SAYS(SP_CLAIM_FAILS, sp_lb_judge_present, &t);
    t.refused = 0;
    SAYS(SP_CLAIM_FAILS, sp_lb_judge_present, &t);
}

static void shares(void **state)
{
    (void)state;
    struct sp_listener l = listener();
    l.max_skew = 0.3;
    struct sp_lb_tally t = tally(190, 170);
    SAYS(SP_CLAIM_HOLDS, sp_lb_judge_skew, &model, &l, &t);
    t = tally(240, 120);
    SAYS(SP_CLAIM_FAILS, sp_lb_judge_skew, &model, &l, &t);
    uint32_t weights[] = {2, 1};
    l.weights = weights;
    t = tally(480, 240);
    SAYS(SP_CLAIM_HOLDS, sp_lb_judge_skew, &model, &l, &t);
    t = tally(360, 360);
    SAYS(SP_CLAIM_FAILS, sp_lb_judge_skew, &model, &l, &t);
    l.weights = NULL;
    t = tally(225, 135); /* not by the weights, and not clearly within what they may be off */
    SAYS(SP_CLAIM_UNKNOWN, sp_lb_judge_skew, &model, &l, &t);
    t = tally(6, 6); /* even, but a dozen shows nothing */
    SAYS(SP_CLAIM_UNKNOWN, sp_lb_judge_skew, &model, &l, &t);
    t = tally(8, 4);
    SAYS(SP_CLAIM_UNKNOWN, sp_lb_judge_skew, &model, &l, &t);
    t = tally(12, 0);
    SAYS(SP_CLAIM_FAILS, sp_lb_judge_skew, &model, &l, &t);
    l.affinity = (char[]){"source"};
    SAYS(SP_CLAIM_HOLDS, sp_lb_judge_affinity, &model, &l, &t);
    l.affinity = (char[]){"none"};
    SAYS(SP_CLAIM_FAILS, sp_lb_judge_affinity, &model, &l, &t);
    t = tally(11, 1);
    SAYS(SP_CLAIM_HOLDS, sp_lb_judge_affinity, &model, &l, &t);
    l.affinity = (char[]){"source"};
    SAYS(SP_CLAIM_FAILS, sp_lb_judge_affinity, &model, &l, &t);
    t = tally(1, 0);
    SAYS(SP_CLAIM_UNKNOWN, sp_lb_judge_affinity, &model, &l, &t);
}

static void headers(void **state)
{
    (void)state;
    struct sp_listener l = listener();
    struct sp_lb_tally t = tally(5, 5);
    SAYS(SP_CLAIM_HOLDS, sp_lb_judge_proxy, &l, &t);
    t.heads[SP_HEAD_NONE] = 9;
    t.heads[SP_HEAD_V1] = 1; /* now and then */
    SAYS(SP_CLAIM_FAILS, sp_lb_judge_proxy, &l, &t);
    l.proxy_protocol = (char[]){"v1"};
    SAYS(SP_CLAIM_FAILS, sp_lb_judge_proxy, &l, &t);
    t.heads[SP_HEAD_NONE] = 0;
    t.heads[SP_HEAD_V1] = 10;
    SAYS(SP_CLAIM_HOLDS, sp_lb_judge_proxy, &l, &t);
    t.other_client = 1;
    SAYS(SP_CLAIM_FAILS, sp_lb_judge_proxy, &l, &t);
    t.other_client = 0;
    l.proxy_protocol = (char[]){"v2"};
    SAYS(SP_CLAIM_FAILS, sp_lb_judge_proxy, &l, &t);
    t.heads[SP_HEAD_V1] = 0;
    t.heads[SP_HEAD_BAD] = 10;
    SAYS(SP_CLAIM_FAILS, sp_lb_judge_proxy, &l, &t);
    t.heard = 0; /* a real service took it */
    SAYS(SP_CLAIM_UNKNOWN, sp_lb_judge_proxy, &l, &t);
    t = tally(5, 5);
    SAYS(SP_CLAIM_HOLDS, sp_lb_judge_source, &l, &t);
    t.other_source = 1;
    SAYS(SP_CLAIM_FAILS, sp_lb_judge_source, &l, &t);
}

static void hellos(void **state)
{
    (void)state;
    struct sp_listener l = listener();
    struct sp_lb_tally passed = tally(2, 2);
    struct sp_lb_tally ended = {.sent = 4, .answered = 4, .served = 4, .tls = 4};
    l.tls = (char[]){"passthrough"};
    SAYS(SP_CLAIM_HOLDS, sp_lb_judge_tls, &l, &passed);
    SAYS(SP_CLAIM_FAILS, sp_lb_judge_tls, &l, &ended);
    l.tls = (char[]){"terminated"};
    SAYS(SP_CLAIM_FAILS, sp_lb_judge_tls, &l, &passed);
    SAYS(SP_CLAIM_HOLDS, sp_lb_judge_tls, &l, &ended);
    passed.changed = 1;
    l.tls = (char[]){"passthrough"};
    SAYS(SP_CLAIM_FAILS, sp_lb_judge_tls, &l, &passed);
}

static void hairpins(void **state)
{
    (void)state;
    struct sp_listener l = listener();
    l.hairpin = (char[]){"works"};
    struct sp_lb_tally t = {.sent = 40, .served = 40, .own = 20, .own_served = 20};
    SAYS(SP_CLAIM_HOLDS, sp_lb_judge_hairpin, &l, &t);
    t.served = 20; /* only when it picks somebody else */
    t.own_served = 0;
    SAYS(SP_CLAIM_FAILS, sp_lb_judge_hairpin, &l, &t);
    t.served = 0;
    SAYS(SP_CLAIM_FAILS, sp_lb_judge_hairpin, &l, &t);
    l.hairpin = (char[]){"blocked"};
    SAYS(SP_CLAIM_HOLDS, sp_lb_judge_hairpin, &l, &t);
    t.served = 1;
    SAYS(SP_CLAIM_FAILS, sp_lb_judge_hairpin, &l, &t);
}

static void drills(void **state)
{
    (void)state;
    struct sp_listener l = listener();
    const struct sp_lb_drill good = {.away_us = 1000000,
                                     .back_us = 4000000,
                                     .before = 20,
                                     .during = 60,
                                     .during_lost = 5,
                                     .last_lost_us = 1400000,
                                     .after_there = 10,
                                     .step_us = 50000};
    SAYS(SP_CLAIM_HOLDS, sp_lb_judge_drill, &l, &good);
    struct sp_lb_drill bad = good;
    bad.late_lost = 1;
    SAYS(SP_CLAIM_FAILS, sp_lb_judge_drill, &l, &bad);
    bad = good;
    bad.after_there = 0; /* some take minutes before they trust a backend again */
    SAYS(SP_CLAIM_UNKNOWN, sp_lb_judge_drill, &l, &bad);
    bad = good;
    bad.during_lost = 60;
    SAYS(SP_CLAIM_FAILS, sp_lb_judge_drill, &l, &bad);
    bad = good;
    bad.before_lost = 5; /* it was broken before */
    SAYS(SP_CLAIM_UNKNOWN, sp_lb_judge_drill, &l, &bad);
}

static void idle_ones(void **state)
{
    (void)state;
    struct sp_listener l = listener();
    struct sp_lb_idle idle = {.short_ms = 4000, .long_ms = 7000};
    static const enum sp_lb_end ends[] = {SP_LB_CLOSED, SP_LB_RESET, SP_LB_FORGOTTEN,
                                          SP_LB_DROPPED};
    for (size_t i = 0; i < 4; i++) {
        idle.ends[0] = SP_LB_LASTED;
        idle.ends[1] = ends[i];
        SAYS(SP_CLAIM_HOLDS, sp_lb_judge_idle, &l, &idle);
        idle.ends[0] = ends[i];
        SAYS(SP_CLAIM_FAILS, sp_lb_judge_idle, &l, &idle);
    }
    idle.ends[0] = idle.ends[1] = SP_LB_LASTED;
    SAYS(SP_CLAIM_FAILS, sp_lb_judge_idle, &l, &idle);
}

static void zones(void **state)
{
    (void)state;
    struct sp_listener l = listener();
    struct sp_addr addr;
    struct sp_lb_tally both = tally(6, 6);
    assert_int_equal(sp_addr_parse("10.0.1.9", &addr), SP_OK);
    l.cross_zone = (char[]){"on"};
    SAYS(SP_CLAIM_UNKNOWN, sp_lb_judge_zones, &model, &l, &addr, &both); /* nobody's zone */
    struct sp_prefix cidr;
    assert_int_equal(sp_prefix_parse("10.0.1.0/24", &cidr), SP_OK);
    networks[0].cidrs = &cidr;
    networks[0].ncidrs = 1;
    SAYS(SP_CLAIM_HOLDS, sp_lb_judge_zones, &model, &l, &addr, &both);
    l.cross_zone = (char[]){"off"};
    SAYS(SP_CLAIM_FAILS, sp_lb_judge_zones, &model, &l, &addr, &both);
    struct sp_lb_tally own = tally(12, 0);
    SAYS(SP_CLAIM_HOLDS, sp_lb_judge_zones, &model, &l, &addr, &own);
    l.cross_zone = (char[]){"on"};
    SAYS(SP_CLAIM_FAILS, sp_lb_judge_zones, &model, &l, &addr, &own);
    networks[0].ncidrs = 0;
    networks[0].cidrs = NULL;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_seen_never_holds),
        cmocka_unit_test(addresses),
        cmocka_unit_test(shares),
        cmocka_unit_test(headers),
        cmocka_unit_test(hellos),
        cmocka_unit_test(hairpins),
        cmocka_unit_test(drills),
        cmocka_unit_test(idle_ones),
        cmocka_unit_test(zones),
    };
    return cmocka_run_group_tests_name("balancers_judge", tests, NULL, NULL);
}
