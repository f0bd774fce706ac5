/* SPDX-License-Identifier: Apache-2.0
 *
 * Tests that travel inside other packets: where outer packets may go, when such a test has left,
 * and that only what comes out of a tunnel is an arrival. */
#include <stdio.h>
#include <string.h>

#include "tests/support/sp_cmocka.h"
#include "tests/unit/probe/engine_kit.h"

static struct kit *kit_of(char hazard)
{
    struct kit *kit = kit_new();
    kit->bounds.hazard = hazard;
    kit_restart(kit, 0);
    kit_batch(kit, 1000, 100, 60000);
    return kit;
}

static void give_outer(struct kit *kit, uint16_t block, const char *src, const char *dst,
                       uint32_t vni, uint64_t mac)
{
    struct sp_record r = {.type = SP_REC_OUTER};
    r.u.outer = (struct sp_rec_outer){
        .batch = kit->batch, .block = block, .src = kit_addr(src), .vni = vni, .mac = mac};
    r.u.outer.dst = kit_addr(dst);
    kit_order(kit, &r);
}

static uint8_t refusal_of(struct kit *kit)
{
    kit_arm(kit);
    const struct sp_record *told = kit_told(kit, SP_REC_REFUSED, 0);
    return told ? told->u.refused.reason : (uint8_t)SP_REFUSED_NONE;
}

/* One outer destination of a block from this host to the peer. */
static uint8_t refusal(char hazard, const char *name, const char *src, const char *dst)
{
    struct kit *kit = kit_of(hazard);
    bool v6 = strcmp(name, "encap_6in4") == 0;
    kit_block(kit, 7, 2, SP_BLOCK_SENDER, name, v6 ? KIT_ME6 : KIT_ME, v6 ? KIT_PEER6 : KIT_PEER);
    if (src) {
        give_outer(kit, 7, src, dst, 0, 0);
    }
    uint8_t reason = refusal_of(kit);
    kit_free(kit);
    return reason;
}

static void outer_destinations_are_bounded(void **state)
{
    (void)state;
    assert_int_equal(refusal('C', "encap_gre", KIT_ME, KIT_PEER), SP_REFUSED_NONE);
    assert_int_equal(refusal('C', "encap_gre", KIT_ME, "10.0.0.254"), SP_REFUSED_NONE);
    assert_int_equal(refusal('B', "encap_gre", KIT_ME, KIT_PEER), SP_REFUSED_TECHNIQUE);
    /* none; not in the allow list; not from here; of two families; by a technique without any */
    assert_int_equal(refusal('C', "encap_gre", NULL, NULL), SP_REFUSED_OTHER);
    assert_int_equal(refusal('C', "encap_gre", KIT_ME, "192.0.2.1"), SP_REFUSED_OTHER);
    assert_int_equal(refusal('C', "encap_gre", "10.0.0.9", KIT_PEER), SP_REFUSED_NOT_OWN);
    assert_int_equal(refusal('C', "encap_gre", KIT_ME, KIT_PEER6), SP_REFUSED_OTHER);
    assert_int_equal(refusal('C', "tcp_syn", KIT_ME, KIT_PEER), SP_REFUSED_OTHER);
    /* IPv6 inside, IPv4 outside */
    assert_int_equal(refusal('C', "encap_6in4", KIT_ME, KIT_PEER), SP_REFUSED_NONE);
    struct kit *kit = kit_of('C');
    kit->no_route = true;
    kit_block(kit, 7, 2, SP_BLOCK_SENDER, "encap_gre", KIT_ME, KIT_PEER);
    give_outer(kit, 7, KIT_ME, KIT_PEER, 0, 0);
    assert_int_equal(refusal_of(kit), SP_REFUSED_NO_ROUTE);
    kit_free(kit);
}

static void bad_orders_are_refused(void **state)
{
    (void)state;
    struct kit *kit = kit_of('C');
    kit_block(kit, 7, 2, SP_BLOCK_SENDER, "encap_vxlan", KIT_ME, KIT_PEER);
    kit_block(kit, 20, 2, SP_BLOCK_SENDER, "encap_vxlan", KIT_ME, KIT_PEER);
    give_outer(kit, 7, KIT_ME, KIT_PEER, 0, 0);  /* not the last block */
    give_outer(kit, 30, KIT_ME, KIT_PEER, 0, 0); /* of no block */
    give_outer(kit, 20, KIT_ME, KIT_PEER, 1U << 24, 0);
    give_outer(kit, 20, KIT_ME, KIT_PEER, 0, UINT64_C(1) << 48);
    assert_int_equal(kit_count(kit, SP_REC_ERROR), 4);
    for (int i = 0; i < 3; i++) {
        give_outer(kit, 20, KIT_ME, KIT_PEER, 0, 0);
    }
    assert_int_equal(kit_count(kit, SP_REC_ERROR), 4);
    give_outer(kit, 20, KIT_ME, KIT_PEER, 0, 0); /* a fourth */
    assert_int_equal(kit_count(kit, SP_REC_ERROR), 5);
    kit_block(kit, 40, 2, SP_BLOCK_RECEIVER, "encap_vxlan", KIT_PEER, KIT_ME);
    give_outer(kit, 40, KIT_ME, KIT_PEER, 0, 0); /* who receives sends none */
    assert_int_equal(kit_count(kit, SP_REC_ERROR), 6);
    kit_free(kit);
}

/* Two destinations: a test has left when both packets have; with one refused it has not. */
static void left_when_all_have(void **state)
{
    (void)state;
    static const char *const names[] = {"encap_gre", "encap_vxlan", "encap_geneve", "encap_ipip",
                                        "encap_6in4"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        struct kit *kit = kit_of('C');
        bool v6 = strcmp(names[i], "encap_6in4") == 0;
        kit_block(kit, 7, 2, SP_BLOCK_SENDER, names[i], v6 ? KIT_ME6 : KIT_ME,
                  v6 ? KIT_PEER6 : KIT_PEER);
        give_outer(kit, 7, KIT_ME, KIT_PEER, 9, UINT64_C(0x020000000001));
        give_outer(kit, 7, KIT_ME, "10.0.0.254", 10, 0);
        assert_int_equal(refusal_of(kit), SP_REFUSED_NONE);
        kit_shot(kit, 8, 22, 40005, 0);
        kit_fire(kit);
        kit_run(kit, 500000);
        assert_int_equal(kit->nsent, 2);
        for (size_t k = 0; k < 2; k++) {
            const struct sp_wrap *wrap = &kit->sent[k].spec.wrap;
            struct sp_addr dst = kit_addr(k ? "10.0.0.254" : KIT_PEER);
            assert_true(sp_addr_eq(&wrap->dst, &dst));
            assert_int_equal(wrap->vni, 9 + k);
            assert_int_equal(wrap->mac[0], k ? 0 : 2);
            assert_int_equal(wrap->mac[5], k ? 0 : 1);
        }
        kit_free(kit);
    }
}

static void seen_leaving(unsigned which, bool left)
{
    struct kit *kit = kit_of('C');
    kit_block(kit, 7, 2, SP_BLOCK_SENDER, "encap_vxlan", KIT_ME, KIT_PEER);
    give_outer(kit, 7, KIT_ME, KIT_PEER, 1, 0);
    give_outer(kit, 7, KIT_ME, "10.0.0.254", 1, 0);
    assert_int_equal(refusal_of(kit), SP_REFUSED_NONE);
    kit_shot(kit, 8, 22, 40005, 0);
    kit_fire(kit);
    kit_run(kit, 500000);
    assert_int_equal(kit->nsent, 2);
    for (size_t k = 0; k < 2; k++) {
        if ((which >> k & 1) != 0) {
            kit_out(kit, &kit->sent[k].spec);
            kit_out(kit, &kit->sent[k].spec);
        }
    }
    if ((which & 4) != 0) { /* the inner one by itself, or inside something else, is none of them */
        struct sp_spec bare = kit->sent[0].spec;
        bare.wrap.kind = SP_WRAP_GRE;
        kit_out(kit, &bare);
        bare = kit->sent[0].spec;
        bare.wrap.dst = kit_addr("10.0.0.77");
        kit_out(kit, &bare);
    }
    kit_collect(kit);
    assert_int_equal(kit_seen(kit, SP_SEEN_LEFT, 8, 22) != NULL, left);
    assert_int_equal(kit_seen(kit, SP_SEEN_SENT, 8, 22) != NULL, !left);
    kit_free(kit);
}

static void one_of_two_is_not_enough(void **state)
{
    (void)state;
    seen_leaving(0, false);
    seen_leaving(1, false);
    seen_leaving(2, false);
    seen_leaving(3, true);
    seen_leaving(5, false);
}

static void a_refusal_is_an_error(void **state)
{
    (void)state;
    struct kit *kit = kit_of('C');
    kit->send_errno = 1; /* EPERM */
    kit_block(kit, 7, 2, SP_BLOCK_SENDER, "encap_gre", KIT_ME, KIT_PEER);
    give_outer(kit, 7, KIT_ME, KIT_PEER, 0, 0);
    give_outer(kit, 7, KIT_ME, "10.0.0.254", 0, 0);
    assert_int_equal(refusal_of(kit), SP_REFUSED_NONE);
    kit_shot(kit, 8, 22, 40005, 0);
    kit_fire(kit);
    kit_run(kit, 500000);
    kit_collect(kit);
    const struct sp_rec_seen *seen = kit_seen(kit, SP_SEEN_SENT, 8, 22);
    assert_non_null(seen);
    assert_int_equal(seen->err, 1);
    kit_free(kit);
}

/* ---- receiving ---- */

static struct kit *receiver(const char *name)
{
    struct kit *kit = kit_of('C');
    kit_block(kit, 7, 2, SP_BLOCK_RECEIVER, name, KIT_PEER, KIT_ME);
    assert_int_equal(refusal_of(kit), SP_REFUSED_NONE);
    kit_fire(kit);
    return kit;
}

static struct sp_spec inner_spec(const struct kit *kit)
{
    return kit_probe_spec(kit, "tcp_syn", KIT_PEER, KIT_ME, 8, 22, 40005);
}

/* Still closed it says nothing, not even that something without a tag came. */
static void closed_is_no_arrival(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        uint8_t kind;
    } rows[] = {{"encap_ipip", SP_WRAP_IP},
                {"encap_gre", SP_WRAP_GRE},
                {"encap_vxlan", SP_WRAP_VXLAN},
                {"encap_geneve", SP_WRAP_GENEVE}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct kit *kit = receiver(rows[i].name);
        struct sp_spec spec = inner_spec(kit);
        spec.wrap = (struct sp_wrap){
            .kind = rows[i].kind, .src = kit_addr(KIT_PEER), .dst = kit_addr(KIT_ME), .vni = 0};
        kit_in(kit, &spec);
        kit_collect(kit);
        assert_int_equal(kit_count(kit, SP_REC_SEEN), 0);
        kit_free(kit);
        /* and by itself, from whichever device, it has come */
        kit = receiver(rows[i].name);
        spec = inner_spec(kit);
        kit_capture(kit, &spec, SP_DIR_IN, 3, false);
        kit_host(kit, &spec, 3);
        kit_collect(kit);
        assert_non_null(kit_seen(kit, SP_SEEN_NIC, 8, 22));
        assert_non_null(kit_seen(kit, SP_SEEN_HOST, 8, 22));
        kit_free(kit);
    }
}

/* What a bridge floods counts of these techniques, to an address of this host; of others never. */
static void flooded(const char *name, const char *dst, bool want)
{
    struct kit *kit = receiver(name);
    struct sp_spec spec = inner_spec(kit);
    struct kit_bytes bytes;
    spec.dst = kit_addr(dst);
    kit_build(&spec, &bytes);
    const struct sp_captured captured = {
        .dir = SP_DIR_OTHER, .is_flooded = true, .iface = 2, .ip = bytes.at, .len = bytes.len};
    sp_engine_captured(kit->engine, &captured);
    kit_collect(kit);
    assert_int_equal(kit_seen(kit, SP_SEEN_NIC, 8, 22) != NULL, want);
    assert_int_equal(kit_count(kit, SP_REC_SEEN), want);
    kit_free(kit);
}

static void frames_for_everybody(void **state)
{
    (void)state;
    flooded("encap_vxlan", KIT_ME, true);
    flooded("encap_vxlan", KIT_PEER, false);
    flooded("tcp_syn", KIT_ME, false);
    flooded("frag_tiny", KIT_ME, false);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(outer_destinations_are_bounded),
        cmocka_unit_test(bad_orders_are_refused),
        cmocka_unit_test(left_when_all_have),
        cmocka_unit_test(one_of_two_is_not_enough),
        cmocka_unit_test(a_refusal_is_an_error),
        cmocka_unit_test(closed_is_no_arrival),
        cmocka_unit_test(frames_for_everybody),
    };
    return cmocka_run_group_tests_name("wraps", tests, NULL, NULL);
}
