/* SPDX-License-Identifier: Apache-2.0
 *
 * Lanes and their controls: every test in exactly one lane, and no control that was not seen to
 * work, nor one that guards something else. */
#include "controller/lane.h"

#include <string.h>

#include "probe/base/mem.h"
#include "probe/techniques/registry.h"
#include "tests/support/sp_cmocka.h"

#define PAIRS_MAX 8
#define TESTS_MAX 64

struct world {
    struct sp_plan plan;
    struct sp_pair pairs[PAIRS_MAX];
    struct sp_test tests[TESTS_MAX];
    struct sp_outcome outcomes[TESTS_MAX];
};

static const struct sp_model no_model; /* no balancers */

static struct sp_addr ip(uint8_t last)
{
    const uint8_t bytes[4] = {10, 0, 0, last};
    return sp_addr_from_bytes(SP_FAMILY_IPV4, bytes);
}

static void add_pair(struct world *w, uint32_t from, uint32_t to)
{
    struct sp_pair *p = &w->pairs[w->plan.npairs++];
    *p = (struct sp_pair){.from = from,
                          .to = to,
                          .src = ip((uint8_t)from),
                          .dst = ip((uint8_t)to),
                          .own = ip((uint8_t)to),
                          .src_seen = ip((uint8_t)from),
                          .family = SP_FAMILY_IPV4};
}

static void add_test(struct world *w, uint32_t pair, uint8_t proto, uint16_t port, uint8_t expect)
{
    struct sp_test *t = &w->tests[w->plan.ntests++];
    const struct sp_technique_info *info = sp_technique_for(proto, SP_FAMILY_IPV4);
    assert_non_null(info);
    *t = (struct sp_test){.pair = pair,
                          .proto = proto,
                          .port = port,
                          .expect = expect,
                          .technique = (uint8_t)sp_technique_index(info)};
}

static struct world world(void)
{
    struct world w;
    memset(&w, 0, sizeof(w));
    return w;
}

static void wire_up(struct world *w)
{
    w->plan.pairs = w->pairs;
    w->plan.tests = w->tests;
}

/* Hosts 1 -> 2 with denied and allowed TCP and UDP; 1 -> 3 and 4 -> 2 with allowed TCP; 5 -> 2 has
 * nothing allowed. */
static struct world shop(void)
{
    struct world w = world();
    add_pair(&w, 1, 2);
    add_test(&w, 0, SP_PROTO_TCP, 22, SP_EXPECT_DENY);
    add_test(&w, 0, SP_PROTO_UDP, 53, SP_EXPECT_DENY);
    add_test(&w, 0, SP_PROTO_TCP, 23, SP_EXPECT_DENY);
    add_test(&w, 0, SP_PROTO_TCP, 443, SP_EXPECT_ALLOW);
    add_test(&w, 0, SP_PROTO_TCP, 444, SP_EXPECT_ALLOW);
    add_test(&w, 0, SP_PROTO_TCP, 445, SP_EXPECT_ALLOW);
    add_pair(&w, 1, 3);
    add_test(&w, 1, SP_PROTO_TCP, 80, SP_EXPECT_ALLOW);
    add_pair(&w, 4, 2);
    add_test(&w, 2, SP_PROTO_TCP, 81, SP_EXPECT_ALLOW);
    add_pair(&w, 5, 2);
    add_test(&w, 3, SP_PROTO_TCP, 22, SP_EXPECT_DENY);
    return w;
}

static void every_test_in_one_lane(void **state)
{
    (void)state;
    struct world w = shop();
    struct sp_lanes lanes;
    size_t seen[TESTS_MAX] = {0};
    wire_up(&w);
    assert_int_equal(sp_lanes_build(&no_model, &w.plan, &lanes), SP_OK);
    assert_int_equal(lanes.n, 5); /* 1-2 TCP, 1-2 UDP, 1-3, 4-2, 5-2 */
    for (size_t i = 0; i < lanes.n; i++) {
        const struct sp_lane *lane = &lanes.at[i];
        for (size_t k = 0; k < lane->ntests; k++) {
            const struct sp_test *t = &w.tests[lane->tests[k]];
            seen[lane->tests[k]]++;
            assert_int_equal(t->pair, lane->pair);
            assert_int_equal(t->proto, lane->proto);
            assert_int_equal(t->technique, lane->technique);
            assert_true(k == 0 || lane->tests[k] > lane->tests[k - 1]); /* denies stay first */
        }
    }
    for (size_t i = 0; i < w.plan.ntests; i++) {
        assert_int_equal(seen[i], 1);
    }
    sp_lanes_release(&lanes);
    assert_int_equal(lanes.n, 0);
    struct world none = world();
    wire_up(&none);
    assert_int_equal(sp_lanes_build(&no_model, &none.plan, &lanes), SP_OK);
    assert_int_equal(lanes.n, 0);
    sp_lanes_release(&lanes);
}

static void scouts(struct world *w, struct sp_lanes *lanes, struct sp_scouts *out)
{
    wire_up(w);
    assert_int_equal(sp_lanes_build(&no_model, &w->plan, lanes), SP_OK);
    assert_int_equal(sp_scouts_build(&no_model, &w->plan, lanes, w->outcomes, out), SP_OK);
}

static size_t count_selfs(const struct sp_scouts *s, uint8_t host)
{
    struct sp_addr a = ip(host);
    size_t n = 0;
    for (size_t i = 0; i < s->n; i++) {
        n += s->at[i].flow.is_self && sp_addr_eq(&s->at[i].flow.src, &a);
    }
    return n;
}

static void candidates(void **state)
{
    (void)state;
    struct world w = shop();
    struct sp_lanes lanes;
    struct sp_scouts s;
    w.outcomes[3].not_tested = "left out"; /* 1-2 tcp/443 */
    scouts(&w, &lanes, &s);
    for (uint8_t host = 1; host <= 5; host++) {
        assert_int_equal(count_selfs(&s, host), 1); /* once each, however many pairs */
    }
    size_t flows = 0;
    for (size_t i = 0; i < s.n; i++) {
        const struct sp_scouted *c = &s.at[i];
        if (c->flow.is_self) {
            assert_int_equal(c->flow.to, SP_NONE);
            assert_int_equal(c->pair, SP_NONE);
            continue;
        }
        flows++;
        assert_int_not_equal(c->flow.port, 443);
        assert_int_not_equal(c->flow.port, 22); /* a denied flow is never sent as a control */
        assert_int_not_equal(c->flow.port, 23);
    }
    assert_int_equal(flows, 4); /* 444 and 445, 80, 81 */
    sp_scouts_release(&s);
    sp_lanes_release(&lanes);
}

static void one_sided_pairs(void **state)
{
    (void)state;
    struct world w = shop();
    struct sp_lanes lanes;
    struct sp_scouts s;
    for (size_t i = 0; i < w.plan.npairs; i++) {
        w.pairs[i].one_sided = w.pairs[i].to == 2;
    }
    scouts(&w, &lanes, &s);
    assert_int_equal(count_selfs(&s, 2), 0); /* nobody there to send an echo */
    for (size_t i = 0; i < s.n; i++) {
        assert_true(s.at[i].flow.is_self || s.at[i].flow.to != 2);
    }
    for (size_t i = 0; i < s.n; i++) {
        s.at[i].sent = s.at[i].nic = s.at[i].host = 3;
    }
    sp_lane_choose_control(&lanes.at[4], &no_model, &w.plan, &s, SP_CONTROL_FOR_DENY); /* 5 -> 2 */
    assert_int_equal(lanes.at[4].control.grade, SP_GRADE_SELF);
    assert_int_equal(lanes.at[4].control.nflows, 1);
    sp_scouts_release(&s);
    sp_lanes_release(&lanes);
}

static void deliver(struct sp_scouts *s, uint32_t from, uint32_t to, bool self, uint16_t nic,
                    uint16_t host)
{
    size_t n = 0;
    for (size_t i = 0; i < s->n; i++) {
        struct sp_control_flow *f = &s->at[i].flow;
        if (f->from == from && f->is_self == self && (self || f->to == to)) {
            s->at[i].sent = 3;
            s->at[i].nic = nic;
            s->at[i].host = host;
            n++;
        }
    }
    assert_true(n > 0);
}

static void nothing_delivered_no_control(void **state)
{
    (void)state;
    struct world w = shop();
    struct sp_lanes lanes;
    struct sp_scouts s;
    scouts(&w, &lanes, &s);
    for (size_t i = 0; i < s.n; i++) {
        s.at[i].sent = 3;
    }
    for (size_t i = 0; i < lanes.n; i++) {
        lanes.at[i].control.grade = SP_GRADE_PAIR; /* from an earlier choice */
        sp_lane_choose_control(&lanes.at[i], &no_model, &w.plan, &s, SP_CONTROL_FOR_DENY);
        assert_int_equal(lanes.at[i].control.grade, SP_GRADE_NONE);
        assert_int_equal(lanes.at[i].control.nflows, 0);
    }
    sp_scouts_release(&s);
    sp_lanes_release(&lanes);
}

static void choose(struct sp_lane *lane, const struct world *w, const struct sp_scouts *s,
                   enum sp_grade want)
{
    sp_lane_choose_control(lane, &no_model, &w->plan, s, SP_CONTROL_FOR_DENY);
    assert_int_equal(lane->control.grade, want);
    static const unsigned flows[] = {
        [SP_GRADE_NONE] = 0, [SP_GRADE_SELF] = 2, [SP_GRADE_SPLIT] = 2, [SP_GRADE_PAIR] = 1};
    assert_int_equal(lane->control.nflows, flows[want]);
}

/* 1 -> 2 in TCP: the pair's own flow is declared, so nothing weaker ever stands in for it. */
static void a_declared_flow_must_work(void **state)
{
    (void)state;
    struct world w = shop();
    struct sp_lanes lanes;
    struct sp_scouts s;
    scouts(&w, &lanes, &s);
    deliver(&s, 1, 0, true, 3, 3);
    deliver(&s, 2, 0, true, 3, 3);
    deliver(&s, 1, 3, false, 3, 3);
    deliver(&s, 4, 2, false, 3, 3);
    choose(&lanes.at[0], &w, &s, SP_GRADE_NONE);
    assert_int_equal(lanes.at[0].candidates[0], 0);
    /* An allowed flow that does not arrive is blocked: that each end works is proof enough. */
    sp_lane_choose_control(&lanes.at[0], &no_model, &w.plan, &s, SP_CONTROL_FOR_ALLOW);
    assert_int_equal(lanes.at[0].control.grade, SP_GRADE_SPLIT);
    deliver(&s, 1, 2, false, 3, 3);
    choose(&lanes.at[0], &w, &s, SP_GRADE_PAIR);
    assert_int_equal(lanes.at[0].candidates[0], 2);
    assert_int_equal(lanes.at[0].candidates[1], 0);
    assert_int_equal(lanes.at[0].control.flows[0].from, 1);
    assert_int_equal(lanes.at[0].control.flows[0].to, 2);
    sp_scouts_release(&s);
    sp_lanes_release(&lanes);
}

/* 5 -> 2: nothing is declared between them, nor from 5; others reach 2. */
static void grades(void **state)
{
    (void)state;
    struct world w = shop();
    struct sp_lanes lanes;
    struct sp_scouts s;
    add_pair(&w, 5, 6); /* 5 -> 6 UDP is allowed: says nothing about TCP */
    add_test(&w, 4, SP_PROTO_UDP, 53, SP_EXPECT_ALLOW);
    scouts(&w, &lanes, &s);
    struct sp_lane *lane = &lanes.at[4];
    deliver(&s, 2, 0, true, 3, 3);
    deliver(&s, 5, 6, false, 3, 3);
    choose(lane, &w, &s, SP_GRADE_NONE); /* one end alone, and what reaches 2 does not work */
    deliver(&s, 5, 0, true, 3, 3);
    choose(lane, &w, &s, SP_GRADE_NONE);
    deliver(&s, 4, 2, false, 3, 3);
    choose(lane, &w, &s, SP_GRADE_SELF); /* the weaker end decides */
    assert_true(lane->control.flows[0].is_self);
    assert_int_equal(lane->control.flows[0].from, 5);
    assert_int_equal(lane->control.flows[1].from, 4);
    sp_scouts_release(&s);
    sp_lanes_release(&lanes);
}

static void a_split_control(void **state)
{
    (void)state;
    struct world w = shop();
    struct sp_lanes lanes;
    struct sp_scouts s;
    add_pair(&w, 5, 6);
    add_test(&w, 4, SP_PROTO_TCP, 90, SP_EXPECT_ALLOW);
    scouts(&w, &lanes, &s);
    struct sp_lane *lane = &lanes.at[4]; /* 5 -> 2 again */
    deliver(&s, 5, 0, true, 3, 3);
    deliver(&s, 5, 6, false, 3, 3);
    deliver(&s, 1, 3, false, 3, 3);
    choose(lane, &w, &s, SP_GRADE_NONE); /* what reaches 3 and 6 says nothing of 2 */
    deliver(&s, 5, 6, false, 0, 0);
    deliver(&s, 4, 2, false, 3, 3);
    choose(lane, &w, &s, SP_GRADE_NONE); /* 5 -> 6 is declared and does not work */
    deliver(&s, 5, 6, false, 3, 0);
    choose(lane, &w, &s, SP_GRADE_SPLIT);
    assert_int_equal(lane->control.flows[0].from, 5);
    assert_int_equal(lane->control.flows[0].to, 6);
    assert_int_equal(lane->control.flows[1].from, 4);
    assert_int_equal(lane->control.flows[1].to, 2);
    sp_scouts_release(&s);
    sp_lanes_release(&lanes);
}

/* The best candidate first; the next choice is another one, and it goes round. */
static void choices(void **state)
{
    (void)state;
    struct world w = shop();
    struct sp_lanes lanes;
    struct sp_scouts s;
    scouts(&w, &lanes, &s);
    struct sp_scouted *two[2] = {NULL, NULL};
    for (size_t i = 0; i < s.n; i++) {
        if (s.at[i].pair == 0) {
            two[two[0] ? 1 : 0] = &s.at[i];
        }
    }
    assert_non_null(two[1]);
    two[0]->sent = two[1]->sent = 3;
    two[0]->nic = 3; /* the host's own firewall drops it */
    two[1]->nic = two[1]->host = 3;
    struct sp_lane *lane = &lanes.at[0];
    for (unsigned choice = 0; choice < 4; choice++) {
        lane->choice[0] = choice;
        sp_lane_choose_control(lane, &no_model, &w.plan, &s, SP_CONTROL_FOR_DENY);
        assert_int_equal(lane->control.grade, SP_GRADE_PAIR);
        assert_int_equal(lane->control.flows[0].port, two[choice % 2 ? 0 : 1]->flow.port);
    }
    two[1]->nic = two[1]->host = 0;
    sp_lane_choose_control(lane, &no_model, &w.plan, &s, SP_CONTROL_FOR_DENY);
    assert_int_equal(lane->control.flows[0].port, two[0]->flow.port);
    sp_scouts_release(&s);
    sp_lanes_release(&lanes);
}

/* The two flows of a split control are chosen one by one. */
static void choices_of_a_split(void **state)
{
    (void)state;
    struct world w = shop();
    struct sp_lanes lanes;
    struct sp_scouts s;
    add_pair(&w, 5, 6);
    add_test(&w, 4, SP_PROTO_TCP, 90, SP_EXPECT_ALLOW);
    add_test(&w, 4, SP_PROTO_TCP, 91, SP_EXPECT_ALLOW);
    scouts(&w, &lanes, &s);
    struct sp_lane *lane = &lanes.at[4]; /* 5 -> 2 */
    deliver(&s, 5, 6, false, 3, 3);
    deliver(&s, 4, 2, false, 3, 3);
    choose(lane, &w, &s, SP_GRADE_SPLIT);
    assert_int_equal(lane->candidates[0], 2);
    uint16_t out = lane->control.flows[0].port;
    uint16_t in = lane->control.flows[1].port;
    lane->choice[0] = 1;
    choose(lane, &w, &s, SP_GRADE_SPLIT);
    assert_int_not_equal(lane->control.flows[0].port, out);
    assert_int_equal(lane->control.flows[1].port, in);
    sp_scouts_release(&s);
    sp_lanes_release(&lanes);
}

/* ---- load balancers ---- */

/* Hosts 0..9, balancer 10: tcp/443 (l4) and tcp/80 (l7) to host 2. */
static uint32_t behind[] = {2};
static struct sp_listener listeners[] = {
    {.port = {.proto = SP_PROTO_TCP, .lo = 443, .hi = 443},
     .backends = behind,
     .nbackends = 1,
     .backend_port = 443,
     .mode = (char *)(uintptr_t) "l4"},
    {.port = {.proto = SP_PROTO_TCP, .lo = 80, .hi = 80},
     .backends = behind,
     .nbackends = 1,
     .backend_port = 80,
     .mode = (char *)(uintptr_t) "l7"},
};
static struct sp_balancer balancer = {
    .listeners = listeners, .nlisteners = 2, .receivers = behind, .nreceivers = 1};
static struct sp_addr address2 = {.family = SP_FAMILY_IPV4, .bytes = {10, 0, 0, 2}};
static struct sp_host ten_hosts[10] = {[2] = {.addrs = &address2, .naddrs = 1}};
static const struct sp_model balanced_model = {
    .hosts = ten_hosts, .nhosts = 10, .balancers = &balancer, .nbalancers = 1};
#define BALANCER 10

static uint8_t technique_index(const char *name)
{
    const struct sp_technique_info *info = sp_technique_find(name);
    assert_non_null(info);
    return (uint8_t)sp_technique_index(info);
}

static void add_talk(struct world *w, uint32_t pair, uint16_t port)
{
    add_test(w, pair, SP_PROTO_TCP, port, SP_EXPECT_ALLOW);
    w->tests[w->plan.ntests - 1].technique = technique_index("tcp_handshake");
}

static void add_balanced(struct world *w, uint32_t from)
{
    add_pair(w, from, BALANCER);
    w->pairs[w->plan.npairs - 1].is_balanced = true;
}

static void modes_have_lanes_of_their_own(void **state)
{
    (void)state;
    struct world w = world();
    struct sp_lanes lanes;
    struct sp_scouts s;
    add_balanced(&w, 1);
    add_test(&w, 0, SP_PROTO_TCP, 22, SP_EXPECT_DENY);
    add_talk(&w, 0, 80);
    add_talk(&w, 0, 443);
    wire_up(&w);
    assert_int_equal(sp_lanes_build(&balanced_model, &w.plan, &lanes), SP_OK);
    assert_int_equal(lanes.n, 3); /* plain, l7, l4 */
    assert_false(lanes.at[0].is_http);
    assert_true(lanes.at[1].is_http);
    assert_int_equal(w.tests[lanes.at[1].tests[0]].port, 80);
    assert_false(lanes.at[2].is_http);
    assert_int_equal(sp_scouts_build(&balanced_model, &w.plan, &lanes, w.outcomes, &s), SP_OK);
    size_t http = 0, plain = 0;
    for (size_t i = 0; i < s.n; i++) {
        assert_false(s.at[i].flow.is_self && s.at[i].flow.from == BALANCER); /* it has no probe */
        http += s.at[i].flow.is_http && s.at[i].flow.port == 80;
        plain += !s.at[i].flow.is_self && !s.at[i].flow.is_http && s.at[i].flow.port == 443;
    }
    assert_int_equal(http, 1);
    assert_int_equal(plain, 1);
    sp_scouts_release(&s);
    sp_lanes_release(&lanes);
}

/* A conversation is a candidate only where the pair has no allowed plain packet. */
static void plain_siblings_are_preferred(void **state)
{
    (void)state;
    for (int has_plain = 0; has_plain <= 1; has_plain++) {
        struct world w = world();
        struct sp_lanes lanes;
        struct sp_scouts s;
        add_pair(&w, 1, 2);
        add_test(&w, 0, SP_PROTO_TCP, 443, has_plain ? SP_EXPECT_ALLOW : SP_EXPECT_DENY);
        add_talk(&w, 0, 444);
        scouts(&w, &lanes, &s);
        size_t talks = 0, others = 0;
        for (size_t i = 0; i < s.n; i++) {
            talks += s.at[i].flow.technique == technique_index("tcp_handshake");
            others += s.at[i].flow.technique == technique_index("tcp_syn");
        }
        assert_int_equal(talks, has_plain ? 0 : 1);
        assert_int_equal(others, has_plain ? 1 : 0);
        sp_scouts_release(&s);
        sp_lanes_release(&lanes);
    }
}

/* The grade of a lane's control; delivered: all candidates, or the echoes alone. */
enum delivered { NOTHING, ECHOES, ALL };

static uint8_t balancer_grade(struct world *w, uint32_t lane, enum delivered delivered,
                              enum sp_control_for purpose)
{
    struct sp_lanes lanes;
    struct sp_scouts s;
    wire_up(w);
    assert_int_equal(sp_lanes_build(&balanced_model, &w->plan, &lanes), SP_OK);
    assert_int_equal(sp_scouts_build(&balanced_model, &w->plan, &lanes, w->outcomes, &s), SP_OK);
    for (size_t i = 0; i < s.n; i++) {
        bool there = delivered == ALL || (delivered == ECHOES && s.at[i].flow.is_self);
        s.at[i].sent = 2;
        s.at[i].nic = s.at[i].host = there ? 2 : 0;
    }
    assert_true(lane < lanes.n);
    sp_lane_choose_control(&lanes.at[lane], &balanced_model, &w->plan, &s, purpose);
    uint8_t grade =
        lanes.at[lane].control.nflows > 0 ? lanes.at[lane].control.grade : (uint8_t)SP_GRADE_NONE;
    if (grade == SP_GRADE_SPLIT) {
        assert_int_equal(lanes.at[lane].control.flows[1].to, BALANCER);
    }
    sp_scouts_release(&s);
    sp_lanes_release(&lanes);
    return grade;
}

static void controls_of_a_balancer(void **state)
{
    (void)state;
    /* Its client has an allowed flow of its own. */
    struct world pair = world();
    add_balanced(&pair, 1);
    add_test(&pair, 0, SP_PROTO_TCP, 22, SP_EXPECT_DENY);
    add_talk(&pair, 0, 443);
    assert_int_equal(balancer_grade(&pair, 0, ALL, SP_CONTROL_FOR_DENY), SP_GRADE_PAIR);
    assert_int_equal(balancer_grade(&pair, 0, NOTHING, SP_CONTROL_FOR_DENY),
                     SP_GRADE_NONE); /* it does not work */

    /* Another client shows that the address is alive, in whatever protocol; this one reaches a
     * host. */
    struct world split = world();
    add_balanced(&split, 3);
    add_test(&split, 0, SP_PROTO_UDP, 53, SP_EXPECT_DENY);
    add_balanced(&split, 1);
    add_talk(&split, 1, 443);
    add_pair(&split, 3, 4);
    add_test(&split, 2, SP_PROTO_UDP, 53, SP_EXPECT_ALLOW);
    assert_int_equal(balancer_grade(&split, 0, ALL, SP_CONTROL_FOR_DENY), SP_GRADE_SPLIT);

    /* Nobody can show it: no echo of its own stands in, and nothing holds. */
    struct world none = world();
    add_balanced(&none, 3);
    add_test(&none, 0, SP_PROTO_TCP, 22, SP_EXPECT_DENY);
    add_pair(&none, 3, 4);
    add_test(&none, 1, SP_PROTO_TCP, 80, SP_EXPECT_ALLOW);
    assert_int_equal(balancer_grade(&none, 0, ALL, SP_CONTROL_FOR_DENY), SP_GRADE_NONE);

    /* An allowed flow to an address that is dead: the client and a backend are there. */
    assert_int_equal(balancer_grade(&pair, 1, ECHOES, SP_CONTROL_FOR_ALLOW), SP_GRADE_SELF);
    assert_int_equal(balancer_grade(&pair, 1, NOTHING, SP_CONTROL_FOR_ALLOW), SP_GRADE_NONE);
    assert_int_equal(balancer_grade(&pair, 0, ECHOES, SP_CONTROL_FOR_DENY), SP_GRADE_NONE);
}

static void torture(void **state)
{
    (void)state;
    struct world w = shop();
    wire_up(&w);
    bool failed = true;
    for (size_t n = 1; failed; n++) {
        struct sp_lanes lanes = {0};
        struct sp_scouts s = {0};
        (void)sp_mem_fail_at(n, 0);
        enum sp_rc rc = sp_lanes_build(&no_model, &w.plan, &lanes);
        if (rc == SP_OK) {
            rc = sp_scouts_build(&no_model, &w.plan, &lanes, w.outcomes, &s);
        }
        failed = sp_mem_fail_at(0, 0) >= n;
        assert_int_equal(rc, failed ? SP_E_NOMEM : SP_OK);
        sp_scouts_release(&s);
        sp_lanes_release(&lanes);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_test_in_one_lane),
        cmocka_unit_test(candidates),
        cmocka_unit_test(one_sided_pairs),
        cmocka_unit_test(nothing_delivered_no_control),
        cmocka_unit_test(a_declared_flow_must_work),
        cmocka_unit_test(grades),
        cmocka_unit_test(a_split_control),
        cmocka_unit_test(choices),
        cmocka_unit_test(choices_of_a_split),
        cmocka_unit_test(modes_have_lanes_of_their_own),
        cmocka_unit_test(plain_siblings_are_preferred),
        cmocka_unit_test(controls_of_a_balancer),
        cmocka_unit_test(torture),
    };
    return cmocka_run_group_tests_name("lane", tests, NULL, NULL);
}
