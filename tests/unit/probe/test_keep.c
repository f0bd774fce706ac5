/* SPDX-License-Identifier: Apache-2.0
 *
 * Kept packets: found again in order, bounded whatever comes, no kind able to push out another; and
 * how the engine keeps them past COLLECT and hands them over. */
#include <string.h>

#include "probe/base/mem.h"
#include "probe/base/proto.h"
#include "probe/keep.h"
#include "tests/support/sp_cmocka.h"
#include "tests/unit/probe/engine_kit.h"

/* ---- the store ---- */

struct found {
    struct sp_kept kept[64];
    uint8_t first[64];
    size_t n;
};

static void on_found(void *arg, const struct sp_kept *kept, const uint8_t *bytes)
{
    struct found *found = arg;
    assert_true(found->n < 64);
    found->kept[found->n] = *kept;
    found->first[found->n++] = bytes[kept->len - 1];
}

/* An IPv4 packet of a length of its own choosing. */
static void add(struct sp_keep *keep, uint16_t block, uint16_t port, uint8_t role, size_t len,
                uint16_t told, uint8_t last)
{
    uint8_t ip[2048] = {0x45, 0, (uint8_t)(told >> 8), (uint8_t)told};
    ip[len - 1] = last;
    const struct sp_kept head = {
        .at_us = 7, .iface = 3, .block = block, .port = port, .role = role};
    sp_keep_add(keep, &head, ip, len);
}

static void found_in_order(void **state)
{
    struct sp_keep keep;
    struct found found = {0};
    (void)state;
    sp_keep_init(&keep);
    sp_keep_start(&keep, SP_KEEP_MAX_BYTES);
    for (uint16_t port = 1; port <= 2000; port++) {
        add(&keep, 9, port, SP_KEPT_SENT, 60, 60, (uint8_t)port);
        add(&keep, 9, port, SP_KEPT_ANSWER, 61, 61, (uint8_t)(port + 1));
        add(&keep, 10, port, SP_KEPT_ARRIVED, 62, 62, 0);
        add(&keep, 9, port, SP_KEPT_SENT, 63, 63, (uint8_t)(port + 2));
    }
    for (uint16_t port = 1; port <= 2000; port++) {
        found.n = 0;
        assert_int_equal(sp_keep_each(&keep, 9, port, on_found, &found), 3);
        for (uint8_t i = 0; i < 3; i++) {
            assert_int_equal(found.kept[i].len, i == 2 ? 63 : 60 + i);
            assert_int_equal(found.first[i], (uint8_t)(port + i));
            assert_int_equal(found.kept[i].iface, 3);
            assert_int_equal(found.kept[i].at_us, 7);
        }
        assert_int_equal(found.kept[0].role, SP_KEPT_SENT);
        assert_int_equal(found.kept[1].role, SP_KEPT_ANSWER);
    }
    assert_int_equal(sp_keep_each(&keep, 11, 1, on_found, &found), 0);
    assert_int_equal(keep.lost, 0);
    sp_keep_release(&keep);
    assert_int_equal(sp_keep_each(&keep, 9, 1, on_found, &found), 0);
}

static void cut(void **state)
{
    static const struct {
        size_t len;
        uint16_t told, want_len, want_wire;
    } cases[] = {
        {192, 1500, 192, 1500}, /* the capture cut it */
        {60, 40, 40, 40},       /* padding of the link */
        {300, 300, 192, 300},   /* more than a capture gives */
        {100, 0, 100, 100},     /* tells no length */
        {3, 40, 3, 3},          /* not even a head */
    };
    (void)state;
    for (size_t i = 0; i < SP_ARRAY_LEN(cases); i++) {
        struct sp_keep keep;
        struct found found = {0};
        sp_keep_init(&keep);
        sp_keep_start(&keep, 65536);
        add(&keep, 1, 1, SP_KEPT_SENT, cases[i].len, cases[i].told, 0);
        assert_int_equal(sp_keep_each(&keep, 1, 1, on_found, &found), 1);
        assert_int_equal(found.kept[0].len, cases[i].want_len);
        assert_int_equal(found.kept[0].wire_len, cases[i].want_wire);
        sp_keep_release(&keep);
    }
    /* IPv6 tells what follows its head. */
    uint8_t ip6[100] = {0x60, 0, 0, 0, 0, 20};
    struct sp_keep keep;
    struct found found = {0};
    const struct sp_kept head = {.role = SP_KEPT_SENT};
    sp_keep_init(&keep);
    sp_keep_start(&keep, 65536);
    sp_keep_add(&keep, &head, ip6, sizeof(ip6));
    assert_int_equal(sp_keep_each(&keep, 0, 0, on_found, &found), 1);
    assert_int_equal(found.kept[0].len, 60);
    sp_keep_release(&keep);
}

/* A million packets sent: the memory does not grow, and what arrives still has its place. */
static void flood(void **state)
{
    struct sp_keep keep;
    struct found found = {0};
    (void)state;
    sp_keep_init(&keep);
    sp_keep_start(&keep, SP_KEEP_MAX_BYTES);
    size_t before = sp_mem_fail_at(0, 0);
    (void)before;
    for (uint32_t i = 0; i < 1000000; i++) {
        add(&keep, (uint16_t)(i >> 16), (uint16_t)i, SP_KEPT_SENT, 192, 192, 1);
    }
    assert_int_equal(sp_mem_fail_at(0, 0), 0); /* it asked for no more memory */
    assert_true(keep.lost > 900000);
    uint32_t lost = keep.lost;
    for (uint16_t port = 1; port <= 4000; port++) {
        add(&keep, 60000, port, port % 7 ? SP_KEPT_ARRIVED : SP_KEPT_STRAY, 192, 192, 2);
        add(&keep, 60000, port, SP_KEPT_REPLY, 192, 192, 3);
    }
    assert_int_equal(keep.lost, lost);
    for (uint16_t port = 1; port <= 4000; port++) {
        found.n = 0;
        assert_int_equal(sp_keep_each(&keep, 60000, port, on_found, &found), 2);
        assert_int_equal(found.first[0], 2);
        assert_int_equal(found.first[1], 3);
    }
    /* And the other way round: arrivals cannot take the places of what is sent. */
    found.n = 0;
    assert_int_equal(sp_keep_each(&keep, 0, 0, on_found, &found), 1); /* first come, first kept */
    sp_keep_release(&keep);
}

static void bounds(void **state)
{
    struct sp_keep keep;
    struct found found = {0};
    (void)state;
    sp_keep_init(&keep);
    for (uint32_t bytes = 0; bytes < 20000; bytes += 97) {
        sp_keep_start(&keep, bytes);
        for (uint16_t i = 0; i < 300; i++) {
            add(&keep, i, i, (uint8_t)(i % SP_KEPT_END), 1 + i % 192u, (uint16_t)(1 + i % 192u), 1);
        }
    }
    /* No more of one role than its share, the others unharmed. */
    sp_keep_start(&keep, 65536);
    for (int i = 0; i < 40; i++) {
        add(&keep, 5, 5, SP_KEPT_ANSWER, 60, 60, 1);
    }
    add(&keep, 5, 5, SP_KEPT_SENT, 60, 60, 1);
    add(&keep, 5, 5, SP_KEPT_END, 60, 60, 1);
    add(&keep, 5, 5, 255, 60, 60, 1);
    assert_int_equal(sp_keep_each(&keep, 5, 5, on_found, &found), SP_KEEP_PER_ROLE + 1);
    /* Without memory nothing is kept and nothing breaks. */
    (void)sp_mem_fail_at(1, 0);
    sp_keep_start(&keep, 65536);
    (void)sp_mem_fail_at(0, 0);
    assert_null(keep.memory);
    add(&keep, 5, 5, SP_KEPT_SENT, 60, 60, 1);
    assert_int_equal(sp_keep_each(&keep, 5, 5, on_found, &found), 0);
    sp_keep_release(&keep);
}

/* ---- the engine ---- */

static void batch(struct kit *kit, uint32_t keep_bytes)
{
    struct sp_record record = {.type = SP_REC_BATCH};
    record.u.batch = (struct sp_rec_batch){.batch = ++kit->batch,
                                           .sport_lo = 40000,
                                           .sport_hi = 50000,
                                           .max_pps = 100000,
                                           .budget = 100,
                                           .lifetime_ms = 5000,
                                           .keep_bytes = keep_bytes};
    memcpy(record.u.batch.key, kit->key, sizeof(kit->key));
    kit_order(kit, &record);
}

static void want(struct kit *kit, uint16_t block, uint16_t port)
{
    struct sp_record record = {.type = SP_REC_WANT};
    record.u.want = (struct sp_rec_want){.batch = kit->batch, .block = block, .port = port};
    kit_forget(kit);
    kit_order(kit, &record);
}

/* One shot sent and one packet received, collected. */
static struct kit *collected(uint32_t keep_bytes)
{
    struct kit *kit = kit_new();
    batch(kit, keep_bytes);
    kit_block(kit, 100, 10, SP_BLOCK_RECEIVER, "tcp_syn", KIT_PEER, KIT_ME);
    kit_block(kit, 200, 10, SP_BLOCK_SENDER, "tcp_syn", KIT_ME, KIT_PEER);
    kit_arm(kit);
    kit_shot(kit, 200, 22, 40000, 0);
    kit_fire(kit);
    kit_run(kit, 1000);
    struct sp_spec out = kit_probe_spec(kit, "tcp_syn", KIT_ME, KIT_PEER, 200, 22, 40000);
    kit_out(kit, &out);
    kit_out(kit, &out); /* seen on two interfaces: the first is enough */
    struct sp_spec in = kit_probe_spec(kit, "tcp_syn", KIT_PEER, KIT_ME, 103, 80, 41000);
    kit_in(kit, &in);
    kit_in(kit, &in); /* a copy */
    struct sp_spec stray = kit_probe_spec(kit, "tcp_syn", KIT_PEER, KIT_ME, 900, 81, 41000);
    kit_in(kit, &stray);
    struct sp_spec rst = {.src = out.dst,
                          .dst = out.src,
                          .sport = 22,
                          .dport = 40000,
                          .ack = out.seq + 1,
                          .tcp_flags = SP_TCP_RST | SP_TCP_ACK,
                          .ip_proto = SP_IPPROTO_TCP};
    kit_in(kit, &rst);
    kit_collect(kit);
    assert_int_equal(kit_count(kit, SP_REC_ERROR), 0);
    return kit;
}

static void handed_over(void **state)
{
    static const struct {
        uint16_t block, port;
        uint8_t roles[2];
        uint32_t n;
    } cases[] = {{200, 22, {SP_KEPT_SENT, SP_KEPT_ANSWER}, 2},
                 {103, 80, {SP_KEPT_ARRIVED}, 1},
                 {900, 81, {SP_KEPT_STRAY}, 1},
                 {201, 22, {0}, 0}};
    (void)state;
    struct kit *kit = collected(SP_KEEP_MAX_BYTES);
    for (size_t i = 0; i < SP_ARRAY_LEN(cases); i++) {
        want(kit, cases[i].block, cases[i].port);
        assert_int_equal(kit_count(kit, SP_REC_WANTED), 1);
        const struct sp_rec_wanted *all = &kit_told(kit, SP_REC_WANTED, 0)->u.wanted;
        assert_int_equal(all->packets, cases[i].n);
        assert_int_equal(all->block, cases[i].block);
        assert_int_equal(all->port, cases[i].port);
        assert_int_equal(all->batch, kit->batch);
        size_t whole = 0;
        for (size_t k = 0; k < kit_count(kit, SP_REC_PACKET); k++) {
            const struct sp_rec_packet *p = &kit_told(kit, SP_REC_PACKET, k)->u.packet;
            assert_int_equal(p->role, cases[i].roles[whole]);
            assert_int_equal(p->block, cases[i].block);
            assert_int_equal(p->iface, 2);
            assert_int_equal(p->bytes[0] >> 4, p->offset == 0 ? 4 : p->bytes[0] >> 4);
            whole += p->offset + SP_KEPT_PART_BYTES >= p->len;
        }
        assert_int_equal(whole, cases[i].n);
    }
    kit_free(kit);
}

/* Of a conversation every packet is kept, also those that carry no tag. */
static void conversation(void **state)
{
    (void)state;
    struct kit *kit = kit_new();
    kit->bounds.hazard = 'B';
    kit_restart(kit, 0);
    batch(kit, SP_KEEP_MAX_BYTES);
    kit_block(kit, 200, 10, SP_BLOCK_SENDER, "tcp_handshake", KIT_ME, KIT_PEER);
    kit_arm(kit);
    kit_shot(kit, 200, 22, 40000, 0);
    kit_fire(kit);
    kit_run(kit, 1000);
    assert_int_equal(kit->nsent, 1);
    kit_out(kit, &kit->sent[0].spec);
    const struct sp_spec syn_ack = {.src = kit->sent[0].spec.dst,
                                    .dst = kit->sent[0].spec.src,
                                    .sport = 22,
                                    .dport = 40000,
                                    .seq = 1000,
                                    .ack = kit->sent[0].spec.seq + 1,
                                    .tcp_flags = SP_TCP_SYN | SP_TCP_ACK,
                                    .ip_proto = SP_IPPROTO_TCP};
    kit_in(kit, &syn_ack);
    kit_run(kit, 900000);
    assert_true(kit->nsent >= 4); /* SYN, ACK, data, and its end */
    struct sp_spec last = kit->sent[kit->nsent - 1].spec;
    assert_true((last.tcp_flags & SP_TCP_RST) != 0);
    kit_out(kit, &kit->sent[2].spec);
    kit_out(kit, &last);
    kit_collect(kit);
    want(kit, 200, 22);
    assert_int_equal(kit_told(kit, SP_REC_WANTED, 0)->u.wanted.packets, 4);
    size_t roles[SP_KEPT_END] = {0};
    for (size_t i = 0; i < kit_count(kit, SP_REC_PACKET); i++) {
        const struct sp_rec_packet *p = &kit_told(kit, SP_REC_PACKET, i)->u.packet;
        roles[p->role] += p->offset == 0;
    }
    assert_int_equal(roles[SP_KEPT_SENT], 3);
    assert_int_equal(roles[SP_KEPT_ANSWER], 1);
    kit_free(kit);
}

static void not_asked_for(void **state)
{
    (void)state;
    struct kit *kit = collected(0);
    want(kit, 200, 22);
    assert_int_equal(kit_count(kit, SP_REC_PACKET), 0);
    assert_int_equal(kit_told(kit, SP_REC_WANTED, 0)->u.wanted.packets, 0);
    kit_free(kit);
}

static void out_of_place(void **state)
{
    (void)state;
    struct kit *kit = kit_new();
    batch(kit, SP_KEEP_MAX_BYTES);
    kit_arm(kit);
    want(kit, 1, 1); /* the batch is still running */
    assert_int_equal(kit_count(kit, SP_REC_ERROR), 1);
    assert_int_equal(kit_count(kit, SP_REC_WANTED), 0);
    kit_free(kit);
    kit = collected(SP_KEEP_MAX_BYTES);
    kit->batch++;
    want(kit, 200, 22); /* another batch's */
    assert_int_equal(kit_count(kit, SP_REC_ERROR), 1);
    assert_int_equal(kit_count(kit, SP_REC_PACKET), 0);
    kit_free(kit);
}

/* Kept until the next batch, or until this one's lifetime is over: without a word, since nothing is
 * wrong. */
static void forgotten(void **state)
{
    (void)state;
    struct kit *kit = collected(SP_KEEP_MAX_BYTES);
    kit_run(kit, 4000000);
    want(kit, 200, 22);
    assert_int_equal(kit_count(kit, SP_REC_PACKET), 2);
    kit_run(kit, 2000000);
    want(kit, 200, 22);
    assert_int_equal(kit_count(kit, SP_REC_PACKET), 0);
    assert_int_equal(kit_count(kit, SP_REC_WANTED), 1);
    assert_int_equal(kit_count(kit, SP_REC_ERROR), 0);
    kit_free(kit);
    kit = collected(SP_KEEP_MAX_BYTES);
    batch(kit, SP_KEEP_MAX_BYTES);
    kit_arm(kit);
    kit_fire(kit);
    kit_collect(kit);
    want(kit, 200, 22);
    assert_int_equal(kit_count(kit, SP_REC_PACKET), 0);
    assert_int_equal(kit_told(kit, SP_REC_WANTED, 0)->u.wanted.packets, 0);
    kit_free(kit);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(found_in_order), cmocka_unit_test(cut),
        cmocka_unit_test(flood),          cmocka_unit_test(bounds),
        cmocka_unit_test(handed_over),    cmocka_unit_test(not_asked_for),
        cmocka_unit_test(conversation),   cmocka_unit_test(out_of_place),
        cmocka_unit_test(forgotten),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
