/* SPDX-License-Identifier: Apache-2.0
 *
 * Packets on their way: how far and how large they are sent, who says that they ended, and what a
 * probe between the two ends tells of them. */
#include <stdio.h>
#include <string.h>

#include "tests/support/sp_cmocka.h"
#include "tests/unit/probe/engine_kit.h"

#define ROUTER "10.0.9.9"
#define FAR_A  "10.7.0.1"
#define FAR_B  "10.8.0.1"

/* Block 200, six attempts from TTL 1 on, padded to `bytes`, each from its own source port or all
 * from one. */
static struct kit *fired_from(const char *tech, uint8_t ttl, uint16_t bytes, bool one)
{
    struct kit *kit = kit_new();
    struct sp_record r = {.type = SP_REC_BLOCK};
    kit_batch(kit, 100000, 1000, 600000);
    r.u.block = (struct sp_rec_block){.batch = kit->batch,
                                      .block = 200,
                                      .attempts = 6,
                                      .flags = SP_BLOCK_SENDER,
                                      .src = kit_addr(KIT_ME),
                                      .dst = kit_addr(KIT_PEER),
                                      .ttl = ttl,
                                      .bytes = bytes};
    (void)snprintf(r.u.block.technique, sizeof(r.u.block.technique), "%s", tech);
    kit_order(kit, &r);
    kit_arm(kit);
    for (uint16_t i = 0; i < 6; i++) {
        kit_shot(kit, (uint16_t)(200 + i), 53, (uint16_t)(40000 + (one ? 0 : i)), 0);
    }
    kit_fire(kit);
    kit_run(kit, 1000);
    assert_int_equal(kit->nsent, 6);
    return kit;
}

static struct kit *fired(const char *tech, uint8_t ttl, uint16_t bytes)
{
    return fired_from(tech, ttl, bytes, false);
}

static size_t length_of(const struct sp_spec *spec)
{
    struct kit_bytes b;
    kit_build(spec, &b);
    assert_true(kit_checksums_ok(b.at, b.len));
    return b.len;
}

static void sent_as_ordered(void **state)
{
    (void)state;
    static const char *const techs[] = {"tcp_syn", "udp", "icmp_echo"};
    for (size_t i = 0; i < SP_ARRAY_LEN(techs); i++) {
        struct kit *kit = fired(techs[i], 1, 1400);
        for (uint8_t k = 0; k < 6; k++) {
            assert_int_equal(kit->sent[k].spec.ttl, k + 1);
            assert_int_equal(length_of(&kit->sent[k].spec), 1400);
        }
        kit_free(kit);
        kit = fired(techs[i], 0, 0);
        assert_int_equal(kit->sent[0].spec.ttl, 0); /* the usual one */
        assert_true(length_of(&kit->sent[0].spec) < 100);
        kit_free(kit);
    }
}

/* An ICMP error of a router about a packet that was sent. */
static void error_about(struct kit *kit, uint8_t type, uint8_t code, uint32_t rest,
                        const struct sp_spec *sent)
{
    struct kit_bytes inner;
    uint8_t body[8 + 64] = {type, code, 0, 0, 0, 0, (uint8_t)(rest >> 8), (uint8_t)rest};
    uint8_t bytes[256];
    kit_build(sent, &inner);
    size_t quoted = inner.len < 44 ? inner.len : 44;
    memcpy(body + 8, inner.at, quoted);
    kit_bytes_in(kit, bytes, kit_ip4(bytes, 1, ROUTER, KIT_ME, body, 8 + quoted));
}

static void expired(void **state)
{
    (void)state;
    struct kit *kit = fired("tcp_syn", 1, 0);
    struct sp_spec sent = kit->sent[2].spec;
    error_about(kit, 11, 0, 0, &sent);
    sent = kit->sent[3].spec;
    sent.dst = kit_addr("10.9.9.9"); /* translated on the way: the sequence number finds it */
    error_about(kit, 11, 0, 0, &sent);
    sent = kit->sent[4].spec;
    sent.seq++; /* not ours */
    error_about(kit, 11, 0, 0, &sent);
    kit_collect(kit);
    const struct sp_rec_seen *seen = kit_seen(kit, SP_SEEN_ANSWER, 202, 53);
    struct sp_addr router = kit_addr(ROUTER);
    assert_non_null(seen);
    assert_int_equal(seen->answer, SP_ANSWER_EXPIRED);
    assert_true(sp_addr_eq(&seen->src, &router));
    assert_int_equal(seen->dport, 53);
    assert_int_equal(seen->sport, 40002);
    seen = kit_seen(kit, SP_SEEN_ANSWER, 203, 53);
    assert_non_null(seen);
    struct sp_addr now = kit_addr("10.9.9.9");
    assert_true(sp_addr_eq(&seen->dst, &now));
    assert_null(kit_seen(kit, SP_SEEN_ANSWER, 204, 53));
    kit_free(kit);
    /* Who was not asked how far it is gets no such answer: verdicts know none. */
    kit = fired("tcp_syn", 0, 0);
    sent = kit->sent[2].spec;
    error_about(kit, 11, 0, 0, &sent);
    error_about(kit, 3, 4, 1400, &sent);
    kit_collect(kit);
    seen = kit_seen(kit, SP_SEEN_ANSWER, 202, 53);
    assert_int_equal(seen ? seen->answer : SP_ANSWER_UNREACHABLE, SP_ANSWER_UNREACHABLE);
    kit_free(kit);
}

/* Packets of one flow that differ in their TTL: TCP's number tells which one expired. */
static void expired_of_one_flow(void **state)
{
    (void)state;
    struct kit *kit = fired_from("tcp_syn", 1, 0, true);
    struct sp_spec sent = kit->sent[1].spec;
    error_about(kit, 11, 0, 0, &sent);
    sent = kit->sent[5].spec;
    error_about(kit, 11, 0, 0, &sent);
    kit_collect(kit);
    assert_int_equal(kit_count_seen(kit, SP_SEEN_ANSWER), 2);
    assert_non_null(kit_seen(kit, SP_SEEN_ANSWER, 201, 53));
    assert_non_null(kit_seen(kit, SP_SEEN_ANSWER, 205, 53));
    kit_free(kit);
}

static void too_big(void **state)
{
    (void)state;
    struct kit *kit = fired("udp", 0, 1500);
    struct sp_spec sent = kit->sent[0].spec;
    error_about(kit, 3, 4, 1400, &sent);
    kit_collect(kit);
    const struct sp_rec_seen *seen = kit_seen(kit, SP_SEEN_ANSWER, 200, 53);
    assert_non_null(seen);
    assert_int_equal(seen->answer, SP_ANSWER_TOO_BIG);
    assert_int_equal(seen->count, 1400);
    kit_free(kit);
}

static const struct sp_rec_seen *transit(const struct kit *kit, bool is_out, uint8_t answer)
{
    for (size_t i = 0; i < kit->ntold; i++) {
        const struct sp_rec_seen *seen = &kit->told[i].u.seen;
        if (kit->told[i].type == SP_REC_SEEN && seen->kind == SP_SEEN_TRANSIT &&
            seen->code == is_out && seen->answer == answer) {
            return seen;
        }
    }
    return NULL;
}

/* A probe on a router: never an arrival, told by interface and direction, with its answers. */
static void watched(void **state)
{
    (void)state;
    for (int watch = 0; watch < 2; watch++) {
        struct kit *kit = kit_new();
        kit_batch(kit, 100000, 1000, 600000);
        kit_block(kit, 300, 4, watch ? SP_BLOCK_WATCH : 0, "tcp_syn", FAR_A, FAR_B);
        kit_arm(kit);
        kit_fire(kit);
        struct sp_spec syn = kit_probe_spec(kit, "tcp_syn", FAR_A, FAR_B, 300, 443, 41000);
        kit_capture(kit, &syn, SP_DIR_IN, 2, false);
        kit_capture(kit, &syn, SP_DIR_IN, 2, false);
        kit_capture(kit, &syn, SP_DIR_OTHER, 2, false); /* for somebody else's link address */
        kit_capture(kit, &syn, SP_DIR_OUT, 3, false);
        struct sp_spec rst = {.src = syn.dst,
                              .dst = syn.src,
                              .ip_proto = SP_IPPROTO_TCP,
                              .sport = 443,
                              .dport = 41000,
                              .ack = syn.seq + 1,
                              .tcp_flags = SP_TCP_RST | SP_TCP_ACK};
        kit_capture(kit, &rst, SP_DIR_IN, 3, false);
        rst.ack++; /* of another conversation */
        kit_capture(kit, &rst, SP_DIR_OUT, 2, false);
        kit_collect(kit);
        assert_int_equal(kit_count_seen(kit, SP_SEEN_NIC), 0);
        assert_int_equal(kit_count_seen(kit, SP_SEEN_STRAY), 0);
        assert_int_equal(kit_count_seen(kit, SP_SEEN_TRANSIT), watch ? 3 : 0);
        if (watch) {
            assert_int_equal(transit(kit, false, SP_ANSWER_NONE)->count, 2);
            assert_int_equal(transit(kit, false, SP_ANSWER_NONE)->iface, 2);
            assert_int_equal(transit(kit, true, SP_ANSWER_NONE)->iface, 3);
            assert_int_equal(transit(kit, false, SP_ANSWER_RST)->iface, 3);
            assert_null(transit(kit, true, SP_ANSWER_RST));
        }
        kit_free(kit);
    }
}

/* Bounded, and what is over it makes absence prove nothing. */
static void many(void **state)
{
    (void)state;
    struct kit *kit = kit_new();
    kit_batch(kit, 100000, 1000, 600000);
    kit_block(kit, 300, 2000, SP_BLOCK_WATCH, "tcp_syn", FAR_A, FAR_B);
    kit_arm(kit);
    kit_fire(kit);
    for (uint16_t i = 0; i < 2000; i++) {
        struct sp_spec syn =
            kit_probe_spec(kit, "tcp_syn", FAR_A, FAR_B, (uint16_t)(300 + i), 443, 41000);
        kit_capture(kit, &syn, SP_DIR_IN, 2, false);
    }
    kit_collect(kit);
    assert_int_equal(kit_count_seen(kit, SP_SEEN_TRANSIT), 1024);
    assert_int_equal(kit_told(kit, SP_REC_COLLECTED, 0)->u.collected.untagged_overflow, 1);
    kit_free(kit);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sent_as_ordered),
        cmocka_unit_test(expired),
        cmocka_unit_test(too_big),
        cmocka_unit_test(watched),
        cmocka_unit_test(many),
        cmocka_unit_test(expired_of_one_flow),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
