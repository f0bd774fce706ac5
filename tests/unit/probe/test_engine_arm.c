/* SPDX-License-Identifier: Apache-2.0
 *
 * What the engine refuses at ARM, and why: one row per reason. */
#include "tests/support/sp_cmocka.h"
#include "tests/unit/probe/engine_kit.h"

#define SEND SP_BLOCK_SENDER
#define RECV SP_BLOCK_RECEIVER
#define LINK SP_BLOCK_LINK
#define SELF SP_BLOCK_SELF

enum quirk {
    NO_QUIRK,
    NETINFO,
    LISTEN,
    ROUTE,
    GATEWAY,
    LINKS,
    NEIGHBOUR,
    DOWN,
    XDP,
    NO_LINK_BOUND
};

static void apply(struct kit *kit, enum quirk quirk)
{
    kit->no_netinfo = quirk == NETINFO;
    kit->no_listen = quirk == LISTEN;
    kit->no_route = quirk == ROUTE;
    kit->no_gateway = quirk == GATEWAY;
    kit->no_link = quirk == LINKS;
    kit->no_neighbour = quirk == NEIGHBOUR;
    kit->eth1_down = quirk == DOWN;
    kit->eth0_xdp = quirk == XDP;
    if (quirk == NO_LINK_BOUND) {
        kit->bounds.link_injection = false;
        kit_restart(kit, 0);
    }
}

static const struct {
    uint16_t flags;
    const char *tech, *src, *dst;
    enum quirk quirk;
    uint8_t want;
} rows[] = {
    {SEND, "tcp_syn", KIT_ME, KIT_PEER, NO_QUIRK, SP_REFUSED_NONE},
    {SEND, "tcp_syn", KIT_ME6, KIT_PEER6, NO_QUIRK, SP_REFUSED_NONE},
    {RECV, "udp", KIT_PEER, KIT_ME, NO_QUIRK, SP_REFUSED_NONE},
    {SEND, "nonsense", KIT_ME, KIT_PEER, NO_QUIRK, SP_REFUSED_TECHNIQUE},
    {RECV, "", KIT_PEER, KIT_ME, NO_QUIRK, SP_REFUSED_TECHNIQUE},
    /* an address that is nobody's, or somebody else's */
    {SEND, "udp", "10.0.0.9", KIT_PEER, NO_QUIRK, SP_REFUSED_NOT_OWN},
    {RECV, "udp", KIT_PEER, "10.0.0.9", NO_QUIRK, SP_REFUSED_NOT_OWN},
    {SEND, "udp", KIT_ME, KIT_PEER6, NO_QUIRK, SP_REFUSED_NOT_OWN}, /* mixed families */
    {SEND, "udp", KIT_ME6, KIT_PEER, NO_QUIRK, SP_REFUSED_NOT_OWN},
    {SEND, "udp", "10.1.0.1", KIT_PEER, DOWN, SP_REFUSED_IFACE_DOWN},
    {RECV, "udp", KIT_PEER, "10.1.0.1", DOWN, SP_REFUSED_IFACE_DOWN},
    {RECV, "udp", KIT_PEER, KIT_ME, DOWN, SP_REFUSED_NONE}, /* the other interface */
    {RECV, "udp", KIT_PEER, KIT_ME, XDP, SP_REFUSED_XDP},
    /* a backend that sends to its own balancer: it may get the packet back */
    {SEND | RECV, "tcp_syn", KIT_ME, KIT_PEER, NO_QUIRK, SP_REFUSED_NONE},
    {SEND | RECV, "tcp_syn", KIT_ME, KIT_PEER, XDP, SP_REFUSED_XDP},
    {SEND, "udp", KIT_ME, KIT_PEER, XDP, SP_REFUSED_NONE}, /* it sees nothing that leaves */
    {SEND, "udp", KIT_ME, "192.0.2.9", NO_QUIRK, SP_REFUSED_TARGET},
    {SEND, "udp", KIT_ME6, "2001:db8::9", NO_QUIRK, SP_REFUSED_TARGET},
    {SEND, "udp", KIT_ME, KIT_PEER, ROUTE, SP_REFUSED_NO_ROUTE},
    {SEND, "udp", KIT_ME, KIT_PEER, NETINFO, SP_REFUSED_CAPTURE},
    {RECV, "udp", KIT_PEER, KIT_ME, LISTEN, SP_REFUSED_CAPTURE},
    {SEND | SELF, "icmp_echo", KIT_ME, KIT_PEER, NO_QUIRK, SP_REFUSED_NONE},
    {SEND | SELF, "icmp_echo", KIT_ME6, KIT_PEER6, NO_QUIRK, SP_REFUSED_NONE},
    {SEND | SELF, "icmp_echo", KIT_ME, KIT_PEER, GATEWAY, SP_REFUSED_NO_GATEWAY},
    {SEND | SELF, "icmp_echo", KIT_ME, KIT_PEER, ROUTE, SP_REFUSED_NO_ROUTE},
    /* an undeclared next hop gets echoes only */
    {SEND | SELF, "tcp_syn", KIT_ME, KIT_PEER, NO_QUIRK, SP_REFUSED_TECHNIQUE},
    {SEND | SELF, "udp", KIT_ME, KIT_PEER, NO_QUIRK, SP_REFUSED_TECHNIQUE},
    {SEND | LINK, "udp", KIT_ME, KIT_PEER, NO_QUIRK, SP_REFUSED_NONE},
    {SEND | LINK, "udp", KIT_ME, "10.9.0.1", NO_QUIRK, SP_REFUSED_NONE},
    {SEND | LINK, "udp", KIT_ME, KIT_PEER, LINKS, SP_REFUSED_LINK},
    {SEND | LINK, "udp", KIT_ME, KIT_PEER, NEIGHBOUR, SP_REFUSED_LINK},
    {SEND | LINK, "udp", KIT_ME, KIT_PEER, NO_LINK_BOUND, SP_REFUSED_LINK},
};

static void every_reason(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct kit *kit = kit_new();
        bool refused = rows[i].want != SP_REFUSED_NONE;
        apply(kit, rows[i].quirk);
        kit_batch(kit, 1000, 100, 60000);
        kit_block(kit, 10, 2, rows[i].flags, rows[i].tech, rows[i].src, rows[i].dst);
        kit_arm(kit);
        assert_int_equal(kit_count(kit, SP_REC_REFUSED), refused);
        assert_int_equal(kit_told(kit, SP_REC_ARMED, 0)->u.armed.refused, refused);
        size_t before = kit->nsent; /* an unknown neighbour is asked for */
        if (refused) {
            const struct sp_rec_refused *r = &kit_told(kit, SP_REC_REFUSED, 0)->u.refused;
            assert_int_equal(r->reason, rows[i].want);
            assert_int_equal(r->block, 10);
            assert_int_equal(r->batch, 42);
        }
        if ((rows[i].flags & SEND) != 0) {
            kit_shot(kit, 10, 53, 40000, 0);
            kit_fire(kit);
            kit_run(kit, 100000);
            assert_int_equal(kit->nsent - before, refused ? 0 : 1); /* refused is never sent */
        }
        kit_free(kit);
    }
}

static void refused_receivers_see_nothing(void **state)
{
    (void)state;
    struct kit *kit = kit_new();
    kit->eth0_xdp = true;
    kit_batch(kit, 1000, 100, 60000);
    kit_block(kit, 10, 1, RECV | SP_BLOCK_REPLY, "udp", KIT_PEER, KIT_ME);
    kit_arm(kit);
    kit_fire(kit);
    struct sp_spec in = kit_probe_spec(kit, "udp", KIT_PEER, KIT_ME, 10, 53, 40000);
    kit_in(kit, &in);
    kit_host(kit, &in, 2);
    kit_run(kit, 100000);
    kit_collect(kit);
    assert_int_equal(kit_count_seen(kit, SP_SEEN_NIC), 0);
    assert_int_equal(kit_count_seen(kit, SP_SEEN_STRAY), 1);
    assert_int_equal(kit->nsent, 0);
    kit_free(kit);
}

static void hazard_class_is_bounded(void **state)
{
    (void)state;
    struct kit *kit = kit_new();
    kit->bounds.hazard = 'A' - 1; /* below every class that exists */
    kit_restart(kit, 0);
    kit_batch(kit, 1000, 100, 60000);
    kit_block(kit, 10, 1, SEND, "tcp_syn", KIT_ME, KIT_PEER);
    kit_arm(kit);
    assert_int_equal(kit_told(kit, SP_REC_REFUSED, 0)->u.refused.reason, SP_REFUSED_TECHNIQUE);
    kit_free(kit);
}

static void no_targets_no_packets(void **state)
{
    (void)state;
    struct kit *kit = kit_new();
    kit->bounds.ntargets = 0;
    kit_restart(kit, 0);
    kit_batch(kit, 1000, 100, 60000);
    kit_block(kit, 10, 1, SEND, "tcp_syn", KIT_ME, KIT_PEER);
    kit_arm(kit);
    assert_int_equal(kit_told(kit, SP_REC_REFUSED, 0)->u.refused.reason, SP_REFUSED_TARGET);
    kit_free(kit);
}

/* A self control goes to the next hop: the target's where it is routed, else the default one. */
static void self_goes_to_the_next_hop(void **state)
{
    (void)state;
    static const char *const targets[] = {KIT_PEER, "10.9.0.1"};
    for (size_t i = 0; i < 2; i++) {
        struct kit *kit = kit_new();
        kit_batch(kit, 1000, 100, 60000);
        kit_block(kit, 10, 1, SEND | SELF, "icmp_echo", KIT_ME, targets[i]);
        kit_arm(kit);
        kit_shot(kit, 10, 2048, 40000, 0);
        kit_fire(kit);
        struct sp_addr hop = kit_addr("10.0.0.254");
        assert_int_equal(kit->nsent, 1);
        assert_true(sp_addr_eq(&kit->sent[0].spec.dst, &hop));
        struct sp_spec reply = kit->sent[0].spec; /* it answers the echo */
        kit_out(kit, &kit->sent[0].spec);
        reply.src = hop;
        reply.dst = kit_addr(KIT_ME);
        reply.icmp_type = SP_ICMP_ECHO_REPLY;
        kit_now_us += 1500;
        kit_in(kit, &reply);
        kit_collect(kit);
        const struct sp_rec_seen *answer = kit_seen(kit, SP_SEEN_ANSWER, 10, 2048);
        assert_non_null(answer);
        assert_int_equal(answer->answer, SP_ANSWER_ECHO);
        assert_int_equal(answer->at_us, 1500);
        assert_true(sp_addr_eq(&answer->src, &hop));
        assert_non_null(kit_seen(kit, SP_SEEN_LEFT, 10, 2048));
        kit_free(kit);
    }
}

static void link_injection_is_said(void **state)
{
    (void)state;
    struct kit *kit = kit_new();
    kit_batch(kit, 1000, 100, 60000);
    kit_block(kit, 10, 1, SEND | LINK, "udp", KIT_ME, KIT_PEER);
    kit_block(kit, 11, 1, SEND, "udp", KIT_ME, KIT_PEER);
    kit_arm(kit);
    kit_shot(kit, 10, 53, 40000, 0);
    kit_shot(kit, 11, 53, 40001, 0);
    kit_fire(kit);
    kit_run(kit, 10000);
    assert_int_equal(kit->nsent, 2);
    assert_true(kit->sent[0].is_link);
    assert_int_equal(kit->sent[0].iface, 2);
    assert_false(kit->sent[1].is_link);
    kit_free(kit);
}

/* Waiting for neighbours that never answer is bounded, whatever the number of blocks. */
static void dead_neighbours_do_not_hold_it_up(void **state)
{
    (void)state;
    struct kit *kit = kit_new();
    kit->no_neighbour = true;
    kit_batch(kit, 1000, 100, 60000);
    for (uint16_t i = 0; i < 50; i++) {
        kit_block(kit, i, 1, SEND | LINK, "udp", KIT_ME, KIT_PEER);
    }
    kit_arm(kit);
    assert_int_equal(kit_count(kit, SP_REC_REFUSED), 50);
    assert_true(kit->nsent <= 3);
    kit_free(kit);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_reason),
        cmocka_unit_test(refused_receivers_see_nothing),
        cmocka_unit_test(hazard_class_is_bounded),
        cmocka_unit_test(no_targets_no_packets),
        cmocka_unit_test(self_goes_to_the_next_hop),
        cmocka_unit_test(link_injection_is_said),
        cmocka_unit_test(dead_neighbours_do_not_hold_it_up),
    };
    return cmocka_run_group_tests_name("engine arm", tests, NULL, NULL);
}
