/* SPDX-License-Identifier: Apache-2.0
 *
 * The engine with bypass techniques: which source ports it takes, how slowly it sends what is
 * intrusive, and what it makes of segments that arrive. */
#include <string.h>

#include "probe/base/proto.h"
#include "probe/engine_state.h"
#include "tests/support/sp_cmocka.h"
#include "tests/unit/probe/engine_kit.h"

static struct kit *start(const char *tech, uint16_t flags)
{
    struct kit *kit = kit_new();
    kit->bounds.hazard = 'B';
    kit_restart(kit, 0);
    kit_batch(kit, 1000, 100, 600000);
    kit_block(kit, 0, 50, flags, tech, flags & SP_BLOCK_SENDER ? KIT_ME : KIT_PEER,
              flags & SP_BLOCK_SENDER ? KIT_PEER : KIT_ME);
    kit_arm(kit);
    kit_forget(kit);
    return kit;
}

static void only_its_own_source_ports(void **state)
{
    (void)state;
    static const struct {
        const char *tech;
        uint16_t sport;
        bool taken;
    } rows[] = {
        {"tcp_sport", 53, true},  {"tcp_sport", 4500, true}, {"tcp_sport", 22, false},
        {"tcp_sport", 54, false}, {"udp_sport", 123, true},  {"tcp_sport", 40000, true},
        {"tcp_syn", 53, false},   {"tcp_ack", 443, false},   {"udp", 53, false},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct kit *kit = start(rows[i].tech, SP_BLOCK_SENDER);
        kit_shot(kit, 0, 2222, rows[i].sport, 0);
        assert_int_equal(kit_count(kit, SP_REC_ERROR), rows[i].taken ? 0 : 1);
        kit_fire(kit);
        kit_run(kit, 100000);
        assert_int_equal(kit->nsent, rows[i].taken ? 1 : 0);
        if (rows[i].taken) {
            assert_int_equal(kit->sent[0].spec.sport, rows[i].sport);
        }
        kit_free(kit);
    }
}

static void class_b_needs_consent(void **state)
{
    (void)state;
    struct kit *kit = kit_new(); /* bound to class A */
    kit_batch(kit, 1000, 100, 600000);
    kit_block(kit, 0, 1, SP_BLOCK_SENDER, "tcp_ack", KIT_ME, KIT_PEER);
    kit_arm(kit);
    const struct sp_record *refused = kit_told(kit, SP_REC_REFUSED, 0);
    assert_non_null(refused);
    assert_int_equal(refused->u.refused.reason, SP_REFUSED_TECHNIQUE);
    kit_free(kit);
}

/* Ten a second, whatever was ordered, also across batches. */
static void intrusive_packets_go_out_slowly(void **state)
{
    (void)state;
    struct kit *kit = start("tcp_ack", SP_BLOCK_SENDER);
    for (int batch = 0; batch < 2; batch++) {
        if (batch > 0) {
            kit_collect(kit);
            kit_forget(kit);
            kit_batch(kit, 1000, 100, 600000);
            kit_block(kit, 0, 50, SP_BLOCK_SENDER, "tcp_ack", KIT_ME, KIT_PEER);
            kit_arm(kit);
        }
        kit->engine->batch.blocks[0].hazard = 'C';
        for (uint16_t i = 0; i < 11; i++) {
            kit_shot(kit, i, 22, (uint16_t)(40000 + i), 0);
        }
        kit_fire(kit);
        kit_run(kit, 1000000);
        assert_in_range(kit->nsent, 8, 11);
        for (size_t i = 1; i < kit->nsent; i++) {
            assert_true(kit->sent[i].at_us - kit->sent[i - 1].at_us >= 100000);
        }
        kit_run(kit, 1000000);
        assert_int_equal(kit->nsent, 11);
        assert_int_equal(kit_count(kit, SP_REC_DONE), 1);
    }
    kit_free(kit);
}

static void a_segment_arrives_and_is_answered(void **state)
{
    (void)state;
    static const char *const names[] = {"tcp_ack", "tcp_fin",    "tcp_null",
                                        "tcp_rst", "tcp_synack", "tcp_xmas"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        struct kit *kit = start(names[i], SP_BLOCK_RECEIVER);
        kit_fire(kit);
        const struct sp_spec in = kit_probe_spec(kit, names[i], KIT_PEER, KIT_ME, 3, 22, 40000);
        kit_in(kit, &in);
        kit_in(kit, &in); /* a copy counts as one */
        kit_host(kit, &in, 2);
        const struct sp_spec rst = {.src = in.dst,
                                    .dst = in.src,
                                    .ip_proto = SP_IPPROTO_TCP,
                                    .sport = 22,
                                    .dport = 40000,
                                    .seq = in.ack,
                                    .ack = in.seq,
                                    .tcp_flags = SP_TCP_RST | SP_TCP_ACK};
        kit_out(kit, &rst);
        kit_collect(kit);
        const struct sp_rec_seen *nic = kit_seen(kit, SP_SEEN_NIC, 3, 22);
        assert_non_null(nic);
        assert_int_equal(nic->count, 2);
        assert_non_null(kit_seen(kit, SP_SEEN_HOST, 3, 22));
        const struct sp_rec_seen *egress = kit_seen(kit, SP_SEEN_EGRESS, 3, 22);
        assert_non_null(egress);
        assert_int_equal(egress->answer, SP_ANSWER_RST);
        assert_int_equal(kit_count_seen(kit, SP_SEEN_UNTAGGED), 0);
        kit_free(kit);
    }
}

/* Without its timestamps it is not surely ours, and too likely to be ignored. Established traffic
 * of the host's own is neither. */
static void a_stripped_segment_makes_doubt(void **state)
{
    (void)state;
    struct kit *kit = start("tcp_ack", SP_BLOCK_RECEIVER);
    kit_fire(kit);
    struct sp_spec in = kit_probe_spec(kit, "tcp_ack", KIT_PEER, KIT_ME, 3, 22, 40000);
    in.tcp_timestamps = false;
    kit_in(kit, &in);
    struct sp_spec other = in;
    other.dport = 23; /* its number names another port */
    kit_in(kit, &other);
    other = in;
    other.seq ^= 0x10000;
    kit_in(kit, &other);
    kit_collect(kit);
    assert_null(kit_seen(kit, SP_SEEN_NIC, 3, 22));
    assert_int_equal(kit_count_seen(kit, SP_SEEN_UNTAGGED), 1);
    for (size_t i = 0; i < kit->ntold; i++) {
        const struct sp_rec_seen *seen = &kit->told[i].u.seen;
        if (kit->told[i].type == SP_REC_SEEN && seen->kind == SP_SEEN_UNTAGGED) {
            assert_int_equal(seen->port, 22);
            assert_int_equal(seen->code, SP_PROTO_TCP);
        }
    }
    kit_free(kit);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_its_own_source_ports),
        cmocka_unit_test(class_b_needs_consent),
        cmocka_unit_test(intrusive_packets_go_out_slowly),
        cmocka_unit_test(a_segment_arrives_and_is_answered),
        cmocka_unit_test(a_stripped_segment_makes_doubt),
    };
    return cmocka_run_group_tests_name("bypass", tests, NULL, NULL);
}
