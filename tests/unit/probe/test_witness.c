/* SPDX-License-Identifier: Apache-2.0
 *
 * What a packet counts as: arrival, stray, answer, untagged, or nothing. The unforgivable mistakes
 * are an arrival that is not counted and an absence that looks proven. */
#include <stdlib.h>
#include <string.h>

#include "probe/base/proto.h"
#include "tests/support/sp_cmocka.h"
#include "tests/unit/probe/engine_kit.h"

#define SEND SP_BLOCK_SENDER
#define RECV SP_BLOCK_RECEIVER

static const char *const techs[] = {"icmp_echo", "tcp_syn", "udp"};

/* Blocks 100, 110, 120: received here, one per technique; 200, 210, 220: sent; IPv6 the same at
 * +1000. One shot of each sent block: port 53, source port 40000. */
static struct kit *armed(uint16_t extra_flags)
{
    struct kit *kit = kit_new();
    kit_batch(kit, 100000, 1000, 600000);
    for (uint16_t v6 = 0; v6 < 2; v6++) {
        const char *me = v6 ? KIT_ME6 : KIT_ME;
        const char *peer = v6 ? KIT_PEER6 : KIT_PEER;
        for (uint16_t i = 0; i < 3; i++) {
            kit_block(kit, (uint16_t)(1000 * v6 + 100 + 10 * i), 10, (uint16_t)(RECV | extra_flags),
                      techs[i], peer, me);
        }
        for (uint16_t i = 0; i < 3; i++) {
            kit_block(kit, (uint16_t)(1000 * v6 + 200 + 10 * i), 10, SEND, techs[i], me, peer);
        }
    }
    kit_arm(kit);
    for (uint16_t i = 0; i < 3; i++) {
        kit_shot(kit, (uint16_t)(200 + 10 * i), 53, 40000, 0);
        kit_shot(kit, (uint16_t)(1200 + 10 * i), 53, 40000, 0);
    }
    assert_int_equal(kit_count(kit, SP_REC_ERROR), 0);
    assert_int_equal(kit_count(kit, SP_REC_REFUSED), 0);
    return kit;
}

static struct kit *fired(uint16_t extra_flags)
{
    struct kit *kit = armed(extra_flags);
    kit_fire(kit);
    kit_run(kit, 1000);
    assert_int_equal(kit->nsent, 6);
    return kit;
}

static struct sp_spec to_me(const struct kit *kit, size_t tech, bool v6, uint16_t attempt)
{
    return kit_probe_spec(kit, techs[tech], v6 ? KIT_PEER6 : KIT_PEER, v6 ? KIT_ME6 : KIT_ME,
                          (uint16_t)(1000 * v6 + 100 + 10 * tech + attempt), 53, 41000);
}

static uint16_t block_of(size_t tech, bool v6, uint16_t attempt)
{
    return (uint16_t)(1000 * v6 + 100 + 10 * tech + attempt);
}

static void arrivals(void **state)
{
    (void)state;
    for (size_t tech = 0; tech < 3; tech++) {
        for (int v6 = 0; v6 < 2; v6++) {
            struct kit *kit = fired(0);
            struct sp_spec in = to_me(kit, tech, v6, 3);
            kit_now_us += 5000;
            kit_in(kit, &in);
            kit_now_us += 1000;
            kit_in(kit, &in); /* a copy made by the network */
            kit_host(kit, &in, 2);
            assert_int_equal(kit_count(kit, SP_REC_SEEN), 0); /* told at COLLECT */
            kit_collect(kit);
            const struct sp_rec_seen *nic = kit_seen(kit, SP_SEEN_NIC, block_of(tech, v6, 3), 53);
            const struct sp_rec_seen *host = kit_seen(kit, SP_SEEN_HOST, block_of(tech, v6, 3), 53);
            assert_non_null(nic);
            assert_non_null(host);
            assert_int_equal(nic->count, 2);
            assert_int_equal(host->count, 1);
            assert_int_equal(nic->iface, 2);
            assert_int_equal(nic->ttl, 64);
            assert_int_equal(nic->sport, 41000);
            assert_int_equal(nic->dport, tech == 0 ? block_of(tech, v6, 3) : 53);
            assert_true(nic->at_us >= 5000 && nic->at_us < 7000);
            assert_true(sp_addr_eq(&nic->src, &in.src) && sp_addr_eq(&nic->dst, &in.dst));
            assert_int_equal(kit_count_seen(kit, SP_SEEN_NIC), 1);
            assert_int_equal(kit_count_seen(kit, SP_SEEN_HOST), 1);
            assert_int_equal(kit_count_seen(kit, SP_SEEN_STRAY), 0);
            assert_int_equal(kit_count_seen(kit, SP_SEEN_UNTAGGED), 0);
            kit_free(kit);
        }
    }
}

/* Between ARM and FIRE packets count already: the sender's clock is not ours. */
static void an_early_arrival_counts(void **state)
{
    (void)state;
    struct kit *kit = armed(0);
    struct sp_spec in = to_me(kit, 1, false, 0);
    kit_in(kit, &in);
    kit_fire(kit);
    kit_collect(kit);
    assert_non_null(kit_seen(kit, SP_SEEN_NIC, 110, 53));
    kit_free(kit);
}

/* Its time is not counted from the FIRE of an earlier batch. */
static void an_early_arrival_of_the_next_batch(void **state)
{
    (void)state;
    struct kit *kit = fired(0);
    kit_run(kit, 5000000);
    kit_collect(kit);
    kit_forget(kit);
    kit_batch(kit, 100000, 1000, 600000);
    kit_block(kit, 120, 1, RECV, "udp", KIT_PEER, KIT_ME);
    kit_arm(kit);
    struct sp_spec in = to_me(kit, 2, false, 0);
    kit_in(kit, &in);
    kit_collect(kit);
    const struct sp_rec_seen *nic = kit_seen(kit, SP_SEEN_NIC, 120, 53);
    assert_non_null(nic);
    assert_int_equal(nic->at_us, 0);
    kit_free(kit);
}

static void nothing_counts_outside_a_batch(void **state)
{
    (void)state;
    struct kit *kit = kit_new();
    struct sp_spec in = to_me(kit, 2, false, 0);
    kit_in(kit, &in);
    kit_host(kit, &in, 2);
    kit_batch(kit, 1000, 10, 60000);
    kit_block(kit, 120, 1, RECV, "udp", KIT_PEER, KIT_ME);
    kit_in(kit, &in); /* not armed yet */
    kit_host(kit, &in, 2);
    kit_arm(kit);
    kit_collect(kit);
    assert_int_equal(kit_count(kit, SP_REC_SEEN), 0);
    kit_free(kit);
}

/* Leaving, transit, other MACs, other destinations: never an arrival. */
static void what_never_counts(void **state)
{
    (void)state;
    for (size_t tech = 0; tech < 3; tech++) {
        struct kit *kit = fired(0);
        struct sp_spec in = to_me(kit, tech, false, 0);
        kit_capture(kit, &in, SP_DIR_OUT, 2, false);
        kit_capture(kit, &in, SP_DIR_OTHER, 2, false);
        struct sp_spec transit = in;
        transit.dst = kit_addr("10.0.0.77"); /* routed through this host */
        kit_in(kit, &transit);
        kit_out(kit, &transit);
        struct sp_spec copy = kit->sent[0].spec; /* our own, leaving */
        kit_out(kit, &copy);
        kit_collect(kit);
        assert_int_equal(kit_count_seen(kit, SP_SEEN_NIC), 0);
        assert_int_equal(kit_count_seen(kit, SP_SEEN_HOST), 0);
        assert_int_equal(kit_count_seen(kit, SP_SEEN_STRAY), 0);
        assert_int_equal(kit_count_seen(kit, SP_SEEN_UNTAGGED), 0);
        assert_int_equal(kit_count_seen(kit, SP_SEEN_LEFT), 1);
        kit_free(kit);
    }
}

static void only_the_bound_interface(void **state)
{
    (void)state;
    static const char *const names[] = {NULL, "eth0", "eth1", "gone0"};
    for (uint32_t i = 0; i < 4; i++) {
        struct kit *kit = kit_new();
        kit->bounds.interface = names[i];
        kit_restart(kit, 0);
        kit_batch(kit, 1000, 10, 60000);
        kit_block(kit, 120, 5, RECV, "udp", KIT_PEER, KIT_ME);
        kit_arm(kit);
        kit_fire(kit);
        for (uint32_t iface = 2; iface < 4; iface++) {
            struct sp_spec in =
                kit_probe_spec(kit, "udp", KIT_PEER, KIT_ME, (uint16_t)(118 + iface), 53, 41000);
            kit_capture(kit, &in, SP_DIR_IN, iface, false);
            kit_host(kit, &in, iface);
        }
        kit_collect(kit);
        for (uint32_t iface = 2; iface < 4; iface++) {
            uint16_t id = (uint16_t)(118 + iface);
            bool counts = i == 0 || (i < 3 && iface == i + 1);
            assert_int_equal(kit_seen(kit, SP_SEEN_NIC, id, 53) != NULL, counts);
            assert_int_equal(kit_seen(kit, SP_SEEN_HOST, id, 53) != NULL, counts);
        }
        kit_free(kit);
    }
}

/* A tagged packet that is not this probe's to receive is told, as what it is. */
static void strays(void **state)
{
    (void)state;
    for (size_t tech = 0; tech < 3; tech++) {
        struct kit *kit = fired(0);
        struct sp_spec in = kit_probe_spec(kit, techs[tech], KIT_PEER, KIT_ME, 5000, 53, 41000);
        kit_in(kit, &in); /* a block that this probe was never told of */
        kit_host(kit, &in, 2);
        struct sp_spec other = /* the right block, in another technique */
            kit_probe_spec(kit, techs[tech], KIT_PEER, KIT_ME, block_of((tech + 1) % 3, false, 0),
                           53, 41000);
        kit_in(kit, &other);
        kit_collect(kit);
        const struct sp_rec_seen *stray = kit_seen(kit, SP_SEEN_STRAY, 5000, 53);
        assert_non_null(stray);
        assert_int_equal(stray->count, 2);
        assert_true(sp_addr_eq(&stray->src, &in.src));
        assert_int_equal(kit_count_seen(kit, SP_SEEN_STRAY), 2);
        assert_int_equal(kit_count_seen(kit, SP_SEEN_NIC), 0);
        kit_free(kit);
    }
}

/* A stray that came first does not hide the real arrival (nor does its sender answer for it). */
static void a_stray_does_not_hide_an_arrival(void **state)
{
    (void)state;
    struct kit *kit = fired(0);
    struct sp_spec stray = kit_probe_spec(kit, "udp", "10.6.6.6", KIT_ME, 110, 53, 666);
    kit_in(kit, &stray); /* block 110 is tcp_syn's */
    struct sp_spec in = to_me(kit, 1, false, 0);
    kit_in(kit, &in);
    kit_host(kit, &in, 2);
    kit_collect(kit);
    const struct sp_rec_seen *nic = kit_seen(kit, SP_SEEN_NIC, 110, 53);
    assert_non_null(nic);
    assert_int_equal(nic->count, 1);
    assert_int_equal(nic->sport, 41000);
    assert_true(sp_addr_eq(&nic->src, &in.src));
    assert_non_null(kit_seen(kit, SP_SEEN_HOST, 110, 53));
    kit_free(kit);
}

/* One flipped bit anywhere in the tag, or keys of another batch: untagged, never an arrival. */
static void forged_tags(void **state)
{
    (void)state;
    for (size_t tech = 0; tech < 3; tech++) {
        for (size_t bit = 0; bit < 136; bit += 5) {
            struct kit *kit = fired(0);
            struct sp_spec in = to_me(kit, tech, false, 0);
            if (tech == 1 && bit < 64) {
                in.seq ^= bit < 32 ? 1U << bit : 0;
                in.tsval ^= bit < 32 ? 0 : 1U << (bit - 32);
            } else if (tech == 1) {
                kit->key[bit % 32] ^= 1; /* not the key that the batch has */
                in = to_me(kit, tech, false, 0);
                if (bit % 32 >= 8 && bit % 32 < 16) {
                    kit_free(kit); /* bytes kept for later: they change nothing yet */
                    continue;
                }
            } else {
                in.payload[bit / 8] ^= (uint8_t)(1 << bit % 8);
            }
            kit_in(kit, &in);
            kit_host(kit, &in, 2);
            kit_collect(kit);
            assert_int_equal(kit_count_seen(kit, SP_SEEN_NIC), 0);
            assert_int_equal(kit_count_seen(kit, SP_SEEN_HOST), 0);
            assert_int_equal(kit_count_seen(kit, SP_SEEN_STRAY), 0);
            assert_int_equal(kit_count_seen(kit, SP_SEEN_UNTAGGED), 1);
            kit_free(kit);
        }
    }
}

static void untagged_packets_are_told(void **state)
{
    (void)state;
    struct kit *kit = fired(0);
    struct sp_spec syn = {.src = kit_addr("10.5.5.5"),
                          .dst = kit_addr(KIT_ME),
                          .ip_proto = SP_IPPROTO_TCP,
                          .sport = 1234,
                          .dport = 443,
                          .tcp_flags = SP_TCP_SYN};
    for (int i = 0; i < 3; i++) {
        syn.sport++;
        kit_in(kit, &syn);
    }
    struct sp_spec reset = syn; /* no SYN: not what a rewritten probe looks like */
    reset.tcp_flags = SP_TCP_RST;
    reset.dport = 444;
    kit_in(kit, &reset);
    struct sp_spec echo = {.src = kit_addr("fd00::5"),
                           .dst = kit_addr(KIT_ME6),
                           .ip_proto = SP_IPPROTO_ICMP6,
                           .icmp_type = SP_ICMP6_ECHO};
    kit_in(kit, &echo);
    kit_collect(kit);
    assert_int_equal(kit_count_seen(kit, SP_SEEN_UNTAGGED), 2);
    const struct sp_rec_seen *u = kit_seen(kit, SP_SEEN_UNTAGGED, 0, 443);
    assert_non_null(u);
    assert_int_equal(u->count, 3);
    assert_int_equal(u->code, SP_PROTO_TCP);
    assert_true(sp_addr_eq(&u->src, &syn.src) && sp_addr_eq(&u->dst, &syn.dst));
    u = kit_seen(kit, SP_SEEN_UNTAGGED, 0, SP_PORT_ICMP6_ECHO);
    assert_non_null(u);
    assert_int_equal(u->code, SP_PROTO_ICMP6);
    kit_free(kit);
}

/* The two ends swapped, or one end twice, are conversations of their own. */
static void untagged_flows_are_told_apart(void **state)
{
    (void)state;
    struct kit *kit = fired(0);
    static const char *const ends[][2] = {
        {KIT_ME, "10.1.0.1"}, {"10.1.0.1", KIT_ME}, {KIT_ME, KIT_ME}, {"10.1.0.1", "10.1.0.1"}};
    for (size_t i = 0; i < 4; i++) {
        struct sp_spec udp = {.src = kit_addr(ends[i][0]),
                              .dst = kit_addr(ends[i][1]),
                              .ip_proto = SP_IPPROTO_UDP,
                              .sport = 1,
                              .dport = 514};
        kit_in(kit, &udp);
    }
    kit_collect(kit);
    assert_int_equal(kit_count_seen(kit, SP_SEEN_UNTAGGED), 4);
    kit_free(kit);
}

/* A hostile flood is bounded in memory, and admitted: it makes absence doubtful, not proven. */
static void a_flood_is_bounded_and_told(void **state)
{
    (void)state;
    struct kit *kit = fired(0);
    struct kit_bytes b;
    struct sp_spec udp = {.src = kit_addr("10.5.5.5"),
                          .dst = kit_addr(KIT_ME),
                          .ip_proto = SP_IPPROTO_UDP,
                          .sport = 1,
                          .dport = 9};
    kit_build(&udp, &b);
    for (uint32_t i = 0; i < 500000; i++) {
        b.at[12] = (uint8_t)(i >> 16); /* source address */
        b.at[14] = (uint8_t)(i >> 8);
        b.at[15] = (uint8_t)i;
        kit_bytes_in(kit, b.at, b.len);
    }
    kit_collect(kit);
    assert_true(kit_count_seen(kit, SP_SEEN_UNTAGGED) <= SP_ENGINE_MAX_UNTAGGED);
    uint64_t sum = 0;
    size_t nameless = 0;
    for (size_t i = 0; i < kit->ntold; i++) {
        if (kit->told[i].type == SP_REC_SEEN && kit->told[i].u.seen.kind == SP_SEEN_UNTAGGED) {
            sum += kit->told[i].u.seen.count;
            nameless += kit->told[i].u.seen.src.family == SP_FAMILY_NONE;
        }
    }
    assert_true(sum == 500000); /* many sources on one port: counted, without their names */
    assert_int_equal(nameless, 1);
    assert_int_equal(kit_told(kit, SP_REC_COLLECTED, 0)->u.collected.untagged_overflow, 0);
    kit_forget(kit);
    kit_free(kit);
    kit = fired(0);
    for (uint32_t i = 0; i < 65536; i++) { /* many ports: too many to tell apart */
        b.at[22] = (uint8_t)(i >> 8);
        b.at[23] = (uint8_t)i;
        kit_bytes_in(kit, b.at, b.len);
    }
    kit_collect(kit);
    assert_true(kit_count_seen(kit, SP_SEEN_UNTAGGED) <= SP_ENGINE_MAX_UNTAGGED);
    assert_int_equal(kit_told(kit, SP_REC_COLLECTED, 0)->u.collected.untagged_overflow, 1);
    kit_free(kit);
}

/* A control's arrival is told at once, and again at the end. */
static void controls_are_told_at_once(void **state)
{
    (void)state;
    struct kit *kit = fired(SP_BLOCK_CONTROL);
    struct sp_spec in = to_me(kit, 2, false, 0);
    kit_in(kit, &in);
    kit_in(kit, &in);
    assert_int_equal(kit_count_seen(kit, SP_SEEN_NIC), 1);
    kit_collect(kit);
    assert_int_equal(kit_count_seen(kit, SP_SEEN_NIC), 2);
    kit_free(kit);
}

/* A first fragment carries the whole tag: it did get through. */
static void fragments_with_a_tag_count(void **state)
{
    (void)state;
    struct kit *kit = fired(0);
    struct kit_bytes b;
    struct sp_spec in = to_me(kit, 2, false, 0);
    kit_build(&in, &b);
    b.at[6] = 0x20; /* more fragments */
    kit_bytes_in(kit, b.at, b.len);
    kit_collect(kit);
    assert_non_null(kit_seen(kit, SP_SEEN_NIC, 120, 53));
    kit_free(kit);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(arrivals),
        cmocka_unit_test(an_early_arrival_counts),
        cmocka_unit_test(an_early_arrival_of_the_next_batch),
        cmocka_unit_test(nothing_counts_outside_a_batch),
        cmocka_unit_test(what_never_counts),
        cmocka_unit_test(only_the_bound_interface),
        cmocka_unit_test(strays),
        cmocka_unit_test(a_stray_does_not_hide_an_arrival),
        cmocka_unit_test(forged_tags),
        cmocka_unit_test(untagged_packets_are_told),
        cmocka_unit_test(untagged_flows_are_told_apart),
        cmocka_unit_test(a_flood_is_bounded_and_told),
        cmocka_unit_test(controls_are_told_at_once),
        cmocka_unit_test(fragments_with_a_tag_count),
    };
    return cmocka_run_group_tests_name("witness", tests, NULL, NULL);
}
