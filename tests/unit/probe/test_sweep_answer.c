/* SPDX-License-Identifier: Apache-2.0
 *
 * What comes back to the sender of a sweep, what leaves its receiver, and the replies that this one
 * crafts. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "probe/hearing.h"
#include "tests/support/sp_cmocka.h"
#include "tests/unit/probe/hear_kit.h"

#define SEND  SP_BLOCK_SENDER
#define RECV  SP_BLOCK_RECEIVER
#define REPLY SP_BLOCK_REPLY
#define TCP   3000 /* sent here */
#define UDP   3100
#define TCP6  3200
#define CAME  3300 /* udp, received here */
#define CAMET 3400 /* tcp_syn, received here */
#define GUARD 4000

static struct kit *armed(void)
{
    struct kit *kit = kit_new();
    hear_batch(kit, 1U << 20);
    hear_sweep(kit, TCP, 3, SEND, "tcp_syn", KIT_ME, KIT_PEER);
    hear_sweep(kit, UDP, 3, SEND, "udp", KIT_ME, KIT_PEER);
    hear_sweep(kit, TCP6, 3, SEND, "tcp_syn", KIT_ME6, KIT_PEER6);
    hear_sweep(kit, CAME, 3, RECV | REPLY, "udp", KIT_PEER, KIT_ME);
    hear_sweep(kit, CAMET, 3, RECV, "tcp_syn", KIT_PEER, KIT_ME);
    static const uint16_t sent[] = {TCP, UDP, TCP6};
    for (size_t i = 0; i < 3; i++) {
        hear_mask(kit, sent[i], SP_MASK_SEND, 1, 1000);
        hear_mask(kit, sent[i], SP_MASK_SEND, 40000, 40100);
    }
    hear_mask(kit, CAME, SP_MASK_EXPECTED, 53, 60);
    hear_guard(kit, GUARD, SEND, "udp", KIT_ME, KIT_PEER);
    kit_arm(kit);
    kit_fire(kit);
    assert_int_equal(kit_count(kit, SP_REC_ERROR), 0);
    assert_int_equal(kit_count(kit, SP_REC_REFUSED), 0);
    return kit;
}

static struct sp_spec sent(const struct kit *kit, uint16_t block, uint16_t pass, uint16_t port)
{
    bool v6 = block == TCP6;
    return hear_spec(kit, block == UDP ? "udp" : "tcp_syn", v6 ? KIT_ME6 : KIT_ME,
                     v6 ? KIT_PEER6 : KIT_PEER, block, pass, port);
}

/* The reverse of a SYN: with these flags, acknowledging seq + ahead. */
static struct sp_spec tcp_answer(const struct sp_spec *to, uint8_t flags, uint32_t ahead)
{
    return (struct sp_spec){.src = to->dst,
                            .dst = to->src,
                            .ip_proto = SP_IPPROTO_TCP,
                            .sport = to->dport,
                            .dport = to->sport,
                            .seq = 99,
                            .ack = to->seq + ahead,
                            .ttl = 60,
                            .tcp_flags = flags};
}

static struct sp_spec udp_answer(const struct sp_spec *to)
{
    return (struct sp_spec){.src = to->dst,
                            .dst = to->src,
                            .ip_proto = SP_IPPROTO_UDP,
                            .sport = to->dport,
                            .dport = to->sport,
                            .payload = "hello",
                            .payload_len = 5};
}

/* An unreachable of this code from an address, quoting the packet. */
static void unreachable_in(struct kit *kit, const struct sp_spec *about, const char *from,
                           const char *to, uint8_t code, enum sp_direction dir)
{
    struct kit_bytes quote;
    struct kit_bytes b;
    bool v6 = about->dst.family == SP_FAMILY_IPV6;
    kit_build(about, &quote);
    struct sp_spec head = {.src = kit_addr(from),
                           .dst = kit_addr(to),
                           .ip_proto = v6 ? SP_IPPROTO_ICMP6 : SP_IPPROTO_ICMP,
                           .icmp_type = v6 ? SP_ICMP6_ECHO : SP_ICMP_ECHO,
                           .payload_len = quote.len < 60 ? quote.len : 60};
    memcpy(head.payload, quote.at, head.payload_len);
    kit_build(&head, &b);
    size_t icmp = v6 ? 40 : 20; /* the echo's header has the error's length */
    b.at[icmp] = v6 ? SP_ICMP6_UNREACHABLE : SP_ICMP_UNREACHABLE;
    b.at[icmp + 1] = code;
    const struct sp_captured c = {.dir = dir, .iface = 2, .ip = b.at, .len = b.len};
    sp_engine_captured(kit->engine, &c);
}

static const struct sp_rec_answerer *answerer(const struct kit *kit, uint16_t block, uint8_t answer)
{
    for (size_t i = 0; i < kit->ntold; i++) {
        const struct sp_rec_answerer *a = &kit->told[i].u.answerer;
        if (kit->told[i].type == SP_REC_ANSWERER && a->block == block && a->answer == answer) {
            return a;
        }
    }
    return NULL;
}

/* ---- at the sender ---- */

static void tcp_answers(void **state)
{
    (void)state;
    static const uint16_t blocks[] = {TCP, TCP6};
    for (size_t i = 0; i < 2; i++) {
        struct kit *kit = armed();
        const char *peer = i ? KIT_PEER6 : KIT_PEER;
        struct sp_spec out = sent(kit, blocks[i], 0, 80);
        struct sp_spec in = tcp_answer(&out, SP_TCP_SYN | SP_TCP_ACK, 1);
        kit_in(kit, &in);
        kit_in(kit, &in);
        out = sent(kit, blocks[i], 2, 40001); /* from the other source port */
        in = tcp_answer(&out, SP_TCP_SYN | SP_TCP_ACK, 1);
        kit_in(kit, &in);
        out = sent(kit, blocks[i], 1, 81);
        in = tcp_answer(&out, SP_TCP_RST | SP_TCP_ACK, 1);
        kit_in(kit, &in);
        out = sent(kit, blocks[i], 1, 82);
        in = tcp_answer(&out, SP_TCP_RST | SP_TCP_ACK, 0);
        kit_in(kit, &in);
        out = sent(kit, blocks[i], 1, 83);
        unreachable_in(kit, &out, i ? "fd00:9::9" : "10.9.9.9", i ? KIT_ME6 : KIT_ME, 13,
                       SP_DIR_IN);
        kit_collect(kit);
        const struct sp_rec_answerer *open = answerer(kit, blocks[i], SP_ANSWER_SYN_ACK);
        const struct sp_rec_answerer *closed = answerer(kit, blocks[i], SP_ANSWER_RST);
        const struct sp_rec_answerer *gone = answerer(kit, blocks[i], SP_ANSWER_UNREACHABLE);
        assert_non_null(open);
        assert_non_null(closed);
        assert_non_null(gone);
        assert_int_equal(kit_count(kit, SP_REC_ANSWERER), 3);
        struct sp_addr addr = kit_addr(peer);
        assert_true(sp_addr_eq(&open->addr, &addr));
        assert_int_equal(open->ttl, 60);
        assert_int_equal(open->overflow, 0);
        assert_int_equal(gone->code, 13);
        addr = kit_addr(i ? "fd00:9::9" : "10.9.9.9");
        assert_true(sp_addr_eq(&gone->addr, &addr));
        assert_int_equal(hear_told(kit, blocks[i], SP_SWEPT_ANSWER, open->number), 2);
        assert_true(hear_has(kit, blocks[i], SP_SWEPT_ANSWER, open->number, 80));
        assert_true(hear_has(kit, blocks[i], SP_SWEPT_ANSWER, open->number, 40001));
        assert_int_equal(hear_told(kit, blocks[i], SP_SWEPT_ANSWER, closed->number), 2);
        assert_true(hear_has(kit, blocks[i], SP_SWEPT_ANSWER, gone->number, 83));
        assert_non_null(kit_seen(kit, SP_SEEN_ANSWER, blocks[i], 80));
        /* An ANSWERER stands before its ports. */
        size_t at = 0;
        while (kit->told[at].type != SP_REC_SWEPT) {
            at++;
        }
        assert_int_equal(kit->told[at - 1].type, SP_REC_ANSWERER);
        kit_free(kit);
    }
}

static void what_is_no_answer(void **state)
{
    (void)state;
    struct kit *kit = armed();
    struct sp_spec out = sent(kit, TCP, 0, 80);
    struct sp_spec in = tcp_answer(&out, SP_TCP_SYN | SP_TCP_ACK, 2); /* not our number */
    kit_in(kit, &in);
    in = tcp_answer(&out, SP_TCP_SYN | SP_TCP_ACK, 1);
    in.src = kit_addr("10.0.0.9"); /* somebody else */
    kit_in(kit, &in);
    in = tcp_answer(&out, SP_TCP_SYN | SP_TCP_ACK, 1);
    in.dport++; /* of another pass */
    kit_in(kit, &in);
    in = tcp_answer(&out, SP_TCP_SYN | SP_TCP_ACK, 1);
    in.dport = HEAR_ALT; /* not where port 80 is sent from */
    kit_in(kit, &in);
    out = sent(kit, TCP, 0, 2000); /* a port that is not sent to */
    in = tcp_answer(&out, SP_TCP_SYN | SP_TCP_ACK, 1);
    kit_in(kit, &in);
    out = sent(kit, TCP, 0, 80);
    in = tcp_answer(&out, SP_TCP_SYN | SP_TCP_ACK, 1);
    kit_out(kit, &in); /* not coming in */
    out.seq++;
    unreachable_in(kit, &out, KIT_PEER, KIT_ME, 3, SP_DIR_IN); /* not our packet */
    kit_collect(kit);
    assert_int_equal(kit_count(kit, SP_REC_ANSWERER), 0);
    assert_int_equal(kit_count(kit, SP_REC_SWEPT), 0);
    kit_free(kit);
}

static void udp_answers(void **state)
{
    (void)state;
    struct kit *kit = armed();
    struct sp_spec out = sent(kit, UDP, 0, 53);
    struct sp_spec in = udp_answer(&out);
    kit_in(kit, &in);
    out = sent(kit, UDP, 1, 7);
    in = out; /* an echo service */
    in.src = out.dst;
    in.dst = out.src;
    in.sport = out.dport;
    in.dport = out.sport;
    kit_in(kit, &in);
    out = sent(kit, UDP, 0, 9);
    unreachable_in(kit, &out, KIT_PEER, KIT_ME, 3, SP_DIR_IN);
    out = sent(kit, UDP, 0, 10); /* a reply that the other probe crafted */
    in = udp_answer(&out);
    struct sp_tag_keys keys;
    sp_tag_keys_init(&keys, kit->key);
    sp_tag_write(&keys, UDP, 10, SP_TAG_REPLY, 0, in.payload);
    in.payload_len = SP_TAG_BYTES;
    kit_in(kit, &in);
    kit_collect(kit);
    const struct sp_rec_answerer *data = answerer(kit, UDP, SP_ANSWER_DATA);
    assert_non_null(data);
    assert_int_equal(hear_told(kit, UDP, SP_SWEPT_ANSWER, data->number), 2);
    assert_non_null(answerer(kit, UDP, SP_ANSWER_UNREACHABLE));
    const struct sp_rec_answerer *crafted = answerer(kit, UDP, SP_ANSWER_CRAFTED);
    assert_non_null(crafted);
    assert_true(hear_has(kit, UDP, SP_SWEPT_ANSWER, crafted->number, 10));
    assert_int_equal(kit_count_seen(kit, SP_SEEN_UNTAGGED), 0);
    assert_int_equal(kit_count_seen(kit, SP_SEEN_STRAY), 0);
    assert_int_equal(hear_told(kit, UDP, SP_SWEPT_STRAY, 0), 0);
    kit_free(kit);
}

static void too_many_kinds_of_answers(void **state)
{
    (void)state;
    struct kit *kit = armed();
    for (uint16_t i = 0; i < SP_SWEEP_CLASSES_MAX + 5; i++) {
        struct sp_spec out = sent(kit, TCP, 0, (uint16_t)(100 + i));
        struct sp_spec in = tcp_answer(&out, SP_TCP_SYN | SP_TCP_ACK, 1);
        in.ttl = (uint8_t)(20 + i);
        kit_in(kit, &in);
    }
    kit_collect(kit);
    assert_int_equal(kit_count(kit, SP_REC_ANSWERER), SP_SWEEP_CLASSES_MAX);
    assert_int_equal(kit_told(kit, SP_REC_ANSWERER, 0)->u.answerer.overflow, 1);
    kit_free(kit);
}

/* What a guard's target sends back is not foreign traffic. */
static void answers_to_beats(void **state)
{
    (void)state;
    struct kit *kit = armed();
    struct sp_spec in = {.src = kit_addr(KIT_PEER),
                         .dst = kit_addr(KIT_ME),
                         .ip_proto = SP_IPPROTO_UDP,
                         .sport = 443,
                         .dport = HEAR_BEAT + 3,
                         .payload = "data",
                         .payload_len = 4};
    kit_in(kit, &in);
    in.dport = HEAR_BEAT + 100; /* no source port of its */
    kit_in(kit, &in);
    kit_collect(kit);
    assert_int_equal(kit_count_seen(kit, SP_SEEN_UNTAGGED), 1);
    assert_non_null(kit_seen(kit, SP_SEEN_UNTAGGED, 0, HEAR_BEAT + 100));
    kit_free(kit);
}

/* ---- at the receiver ---- */

static void answers_that_leave(void **state)
{
    (void)state;
    for (int translated = 0; translated < 2; translated++) {
        struct kit *kit = kit_new();
        hear_batch(kit, 1U << 20);
        uint16_t flags = translated ? RECV | SP_BLOCK_TRANSLATED : RECV;
        hear_sweep(kit, CAME, 3, flags, "udp", KIT_PEER, KIT_ME);
        hear_sweep(kit, CAMET, 3, flags, "tcp_syn", KIT_PEER, KIT_ME);
        kit_arm(kit);
        kit_fire(kit);
        struct sp_spec tcp[4];
        struct sp_spec udp[4];
        for (uint16_t i = 0; i < 4; i++) {
            uint16_t port = (uint16_t)(80 + i);
            tcp[i] = hear_spec(kit, "tcp_syn", KIT_PEER, KIT_ME, CAMET, 1, port);
            udp[i] = hear_spec(kit, "udp", KIT_PEER, KIT_ME, CAME, 1, port);
            tcp[i].sport = udp[i].sport =
                translated ? (uint16_t)(1024 + i) : (uint16_t)(HEAR_SPORT + 1);
            if (i < 3) {
                kit_in(kit, &tcp[i]);
                kit_in(kit, &udp[i]);
            }
        }
        struct sp_spec out = tcp_answer(&tcp[0], SP_TCP_SYN | SP_TCP_ACK, 1);
        kit_out(kit, &out);
        out = tcp_answer(&tcp[1], SP_TCP_RST | SP_TCP_ACK, 1);
        kit_out(kit, &out);
        out = tcp_answer(&tcp[2], SP_TCP_RST | SP_TCP_ACK, 7); /* not to this packet */
        kit_out(kit, &out);
        out = tcp_answer(&tcp[3], SP_TCP_RST | SP_TCP_ACK, 1); /* to one that never arrived */
        kit_out(kit, &out);
        out = udp_answer(&udp[0]);
        kit_out(kit, &out);
        unreachable_in(kit, &udp[1], KIT_ME, KIT_PEER, 3, SP_DIR_OUT);
        out = udp_answer(&udp[3]);
        kit_out(kit, &out);
        kit_collect(kit);
        assert_int_equal(hear_told(kit, CAMET, SP_SWEPT_EGRESS, 0), 2);
        assert_true(hear_has(kit, CAMET, SP_SWEPT_EGRESS, 0, 80));
        assert_true(hear_has(kit, CAMET, SP_SWEPT_EGRESS, 0, 81));
        assert_int_equal(hear_told(kit, CAME, SP_SWEPT_EGRESS, 0), 2);
        assert_true(hear_has(kit, CAME, SP_SWEPT_EGRESS, 0, 80));
        assert_true(hear_has(kit, CAME, SP_SWEPT_EGRESS, 0, 81));
        kit_free(kit);
    }
}

/* Once per port and pass, later than the host would answer, only where it is expected. */
static void replies_are_crafted(void **state)
{
    (void)state;
    struct kit *kit = armed();
    for (uint16_t pass = 0; pass < 2; pass++) {
        struct sp_spec in = hear_spec(kit, "udp", KIT_PEER, KIT_ME, CAME, pass, 53);
        kit_in(kit, &in);
        kit_host(kit, &in, 2);
        kit_host(kit, &in, 2);
        in = hear_spec(kit, "udp", KIT_PEER, KIT_ME, CAME, pass, 61); /* not expected */
        kit_host(kit, &in, 2);
        kit_run(kit, SP_REPLY_AFTER_US - 5000);
        assert_int_equal(kit->nsent, pass);
        kit_run(kit, 10000);
        assert_int_equal(kit->nsent, pass + 1);
        const struct sp_spec *reply = &kit->sent[pass].spec;
        assert_false(kit->sent[pass].is_link);
        assert_int_equal(reply->sport, 53);
        assert_int_equal(reply->dport, HEAR_SPORT + pass);
        enum sp_tag_kind kind;
        uint16_t block;
        uint16_t port;
        struct sp_tag_keys keys;
        sp_tag_keys_init(&keys, kit->key);
        assert_true(sp_tag_read(&keys, reply->payload, reply->payload_len, &kind, &block, &port));
        assert_int_equal(kind, SP_TAG_REPLY);
        assert_int_equal(block, CAME + pass);
        assert_int_equal(port, 53);
        struct sp_spec out = *reply;
        kit_out(kit, &out);
    }
    kit_collect(kit);
    assert_true(hear_has(kit, CAME, SP_SWEPT_EGRESS, 0, 53));
    kit_free(kit);
}

/* Not where the host has answered itself, not to where nothing may be sent, not over the budget. */
static void replies_that_are_not_crafted(void **state)
{
    (void)state;
    for (int why = 0; why < 4; why++) {
        struct kit *kit = armed();
        struct sp_spec in =
            hear_spec(kit, "udp", why == 1 ? "192.0.2.9" : KIT_PEER, KIT_ME, CAME, 0, 53);
        kit_in(kit, &in);
        kit_host(kit, &in, 2);
        if (why == 0) {
            struct sp_spec out = udp_answer(&in);
            kit_out(kit, &out);
        }
        kit->send_errno = why == 2 ? EPERM : 0;
        kit_run(kit, 2 * SP_REPLY_AFTER_US);
        assert_int_equal(kit->nsent, why == 3);
        kit_collect(kit);
        const struct sp_rec_seen *failed = kit_seen(kit, SP_SEEN_EGRESS, CAME, 53);
        assert_int_equal(failed != NULL, why == 1 || why == 2);
        assert_int_equal(failed ? failed->err : 0, why == 1 ? EACCES : why == 2 ? EPERM : 0);
        kit_free(kit);
    }
}

/* Many at once wait for the token bucket; none is forgotten. */
static void replies_keep_the_rate(void **state)
{
    (void)state;
    struct kit *kit = kit_new();
    struct sp_record r = {.type = SP_REC_BATCH};
    r.u.batch = (struct sp_rec_batch){.batch = kit->batch,
                                      .sport_lo = 40000,
                                      .sport_hi = 49999,
                                      .max_pps = 1000,
                                      .budget = 1500,
                                      .lifetime_ms = 600000};
    memcpy(r.u.batch.key, kit->key, 32);
    kit_order(kit, &r);
    hear_sweep(kit, CAME, 1, RECV | REPLY, "udp", KIT_PEER, KIT_ME);
    hear_mask(kit, CAME, SP_MASK_EXPECTED, 1, 2000);
    kit_arm(kit);
    kit_fire(kit);
    for (uint16_t port = 1; port <= 2000; port++) {
        struct sp_spec in = hear_spec(kit, "udp", KIT_PEER, KIT_ME, CAME, 0, port);
        kit_host(kit, &in, 2);
    }
    kit_run(kit, SP_REPLY_AFTER_US + 500000);
    assert_in_range(kit->nsent, 480, 540);
    kit_run(kit, 3000000);
    assert_int_equal(kit->nsent, 1500);
    assert_int_equal(kit->sent[1499].spec.sport, 1500);
    kit_free(kit);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tcp_answers),           cmocka_unit_test(what_is_no_answer),
        cmocka_unit_test(udp_answers),           cmocka_unit_test(too_many_kinds_of_answers),
        cmocka_unit_test(answers_to_beats),      cmocka_unit_test(answers_that_leave),
        cmocka_unit_test(replies_are_crafted),   cmocka_unit_test(replies_that_are_not_crafted),
        cmocka_unit_test(replies_keep_the_rate),
    };
    return cmocka_run_group_tests_name("sweep_answer", tests, NULL, NULL);
}
