/* SPDX-License-Identifier: Apache-2.0
 *
 * The sender's side of the witnesses: what answers a shot, what only looks like it, and packets of
 * a host to itself. */
#include <string.h>

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

static struct sp_spec swapped(const struct sp_spec *spec)
{
    struct sp_spec back = *spec;
    back.src = spec->dst;
    back.dst = spec->src;
    back.sport = spec->dport;
    back.dport = spec->sport;
    return back;
}

static const struct sp_spec *sent_of(const struct kit *kit, uint8_t proto)
{
    for (size_t i = 0; i < kit->nsent; i++) {
        if (kit->sent[i].spec.ip_proto == proto) {
            return &kit->sent[i].spec;
        }
    }
    fail();
    return NULL;
}

static uint8_t answer_to(struct kit *kit, uint16_t block)
{
    kit_collect(kit);
    const struct sp_rec_seen *a = kit_seen(kit, SP_SEEN_ANSWER, block, 53);
    assert_int_equal(kit_count_seen(kit, SP_SEEN_NIC), 0); /* an answer is never an arrival */
    assert_int_equal(kit_count_seen(kit, SP_SEEN_STRAY), 0);
    return a ? a->answer : (uint8_t)SP_ANSWER_NONE;
}

static void tcp_answers(void **state)
{
    (void)state;
    static const struct {
        uint8_t flags;
        uint32_t ack; /* past seq */
        uint8_t want;
    } rows[] = {{SP_TCP_SYN | SP_TCP_ACK, 1, SP_ANSWER_SYN_ACK},
                {SP_TCP_SYN | SP_TCP_ACK, 2, SP_ANSWER_NONE},
                {SP_TCP_RST | SP_TCP_ACK, 1, SP_ANSWER_RST},
                {SP_TCP_RST | SP_TCP_ACK, 0, SP_ANSWER_RST},
                {SP_TCP_RST | SP_TCP_ACK, 5, SP_ANSWER_NONE}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct kit *kit = fired(0);
        const struct sp_spec *syn = sent_of(kit, SP_IPPROTO_TCP);
        struct sp_spec back = swapped(syn);
        back.tcp_flags = rows[i].flags;
        back.ack = syn->seq + rows[i].ack;
        back.seq = 99;
        back.tsval = 99;
        kit_in(kit, &back);
        assert_int_equal(answer_to(kit, 210), rows[i].want);
        kit_free(kit);
    }
}

/* Two packets of the same addresses and ports: each gets the answer that acknowledges it, also when
 * the other has been sent since. */
static void answers_of_one_conversation(void **state)
{
    (void)state;
    struct kit *kit = armed(0);
    kit_shot(kit, 211, 53, 40000, 100);
    kit_shot(kit, 212, 53, 40000, 5000000); /* not sent yet: it gets none */
    kit_fire(kit);
    kit_run(kit, 1000);
    assert_int_equal(kit->nsent, 7);
    for (size_t i = 0; i < 2; i++) {
        const struct sp_spec *syn = i ? &kit->sent[6].spec : sent_of(kit, SP_IPPROTO_TCP);
        struct sp_spec back = swapped(syn);
        back.tcp_flags = i ? SP_TCP_RST | SP_TCP_ACK : SP_TCP_SYN | SP_TCP_ACK;
        back.ack = syn->seq + 1;
        kit_in(kit, &back);
    }
    kit_collect(kit);
    assert_int_equal(kit_seen(kit, SP_SEEN_ANSWER, 210, 53)->answer, SP_ANSWER_SYN_ACK);
    assert_int_equal(kit_seen(kit, SP_SEEN_ANSWER, 211, 53)->answer, SP_ANSWER_RST);
    assert_int_equal(kit_count_seen(kit, SP_SEEN_ANSWER), 2);
    assert_int_equal(kit_count_seen(kit, SP_SEEN_UNTAGGED), 0);
    kit_free(kit);
}

static void udp_answers(void **state)
{
    (void)state;
    struct kit *kit = fired(0);
    struct sp_spec back = swapped(sent_of(kit, SP_IPPROTO_UDP));
    memset(back.payload, 'x', sizeof(back.payload));
    kit_in(kit, &back);
    assert_int_equal(answer_to(kit, 220), SP_ANSWER_DATA);
    kit_free(kit);
    kit = fired(0);
    back = swapped(sent_of(kit, SP_IPPROTO_UDP)); /* an echo service sends our tag back */
    kit_in(kit, &back);
    kit_host(kit, &back, 2);
    assert_int_equal(answer_to(kit, 220), SP_ANSWER_DATA);
    kit_free(kit);
}

static void a_mirrored_syn_is_nothing(void **state)
{
    (void)state;
    struct kit *kit = fired(0);
    struct sp_spec back = swapped(sent_of(kit, SP_IPPROTO_TCP));
    kit_in(kit, &back);
    kit_host(kit, &back, 2);
    assert_int_equal(answer_to(kit, 210), SP_ANSWER_NONE);
    kit_free(kit);
}

static void answers_of_another_conversation(void **state)
{
    (void)state;
    struct kit *kit = fired(0);
    struct sp_spec back = swapped(sent_of(kit, SP_IPPROTO_UDP));
    memset(back.payload, 'x', sizeof(back.payload));
    struct sp_spec other = back;
    other.src = kit_addr("10.0.0.3"); /* not who was asked */
    kit_in(kit, &other);
    other = back;
    other.sport = 54;
    kit_in(kit, &other);
    other = back;
    other.dport = 40001;
    kit_in(kit, &other);
    assert_int_equal(answer_to(kit, 220), SP_ANSWER_NONE);
    kit_free(kit);
}

/* ICMP unreachable from anywhere on the path, quoting our packet. */
static void unreachable_answers(void **state)
{
    (void)state;
    for (size_t tech = 0; tech < 3; tech++) {
        for (int v6 = 0; v6 < 2; v6++) {
            struct kit *kit = fired(0);
            uint16_t id = (uint16_t)(1000 * v6 + 200 + 10 * tech);
            struct kit_bytes quote;
            uint8_t body[256] = {(uint8_t)(v6 ? 1 : 3), (uint8_t)(v6 ? 1 : 13)};
            uint8_t bytes[512];
            struct sp_spec spec = kit_probe_spec(kit, techs[tech], v6 ? KIT_ME6 : KIT_ME,
                                                 v6 ? KIT_PEER6 : KIT_PEER, id, 53, 40000);
            kit_build(&spec, &quote);
            memcpy(body + 8, quote.at, quote.len);
            size_t n = v6 ? kit_ip6(bytes, 58, "fd00::fe", KIT_ME6, body, 8 + quote.len)
                          : kit_ip4(bytes, 1, "10.0.0.254", KIT_ME, body, 8 + quote.len);
            body[1] = 0;
            kit_bytes_in(kit, bytes, n);
            kit_collect(kit);
            const struct sp_rec_seen *a = kit_seen(kit, SP_SEEN_ANSWER, id, 53);
            assert_non_null(a);
            assert_int_equal(a->answer, SP_ANSWER_UNREACHABLE);
            assert_int_equal(a->code, v6 ? 1 : 13);
            assert_int_equal(a->ttl, 61);
            struct sp_addr who = kit_addr(v6 ? "fd00::fe" : "10.0.0.254");
            assert_true(sp_addr_eq(&a->src, &who));
            assert_int_equal(kit_count_seen(kit, SP_SEEN_ANSWER), 1);
            kit_free(kit);
        }
    }
}

/* A forged unreachable does not know the sequence number. */
static void forged_unreachable(void **state)
{
    (void)state;
    struct kit *kit = fired(0);
    struct kit_bytes quote;
    uint8_t body[256] = {3, 13};
    uint8_t bytes[512];
    struct sp_spec spec = *sent_of(kit, SP_IPPROTO_TCP);
    spec.seq ^= 1;
    kit_build(&spec, &quote);
    memcpy(body + 8, quote.at, quote.len);
    kit_bytes_in(kit, bytes, kit_ip4(bytes, 1, "10.0.0.254", KIT_ME, body, 8 + quote.len));
    assert_int_equal(answer_to(kit, 210), SP_ANSWER_NONE);
    kit_free(kit);
}

/* The strongest answer is kept, whatever the order. */
static void the_strongest_answer_wins(void **state)
{
    (void)state;
    for (int order = 0; order < 2; order++) {
        struct kit *kit = fired(0);
        const struct sp_spec *syn = sent_of(kit, SP_IPPROTO_TCP);
        struct sp_spec back = swapped(syn);
        back.ack = syn->seq + 1;
        for (int i = 0; i < 2; i++) {
            back.tcp_flags = (i == order ? SP_TCP_RST : SP_TCP_SYN) | SP_TCP_ACK;
            kit_in(kit, &back);
        }
        assert_int_equal(answer_to(kit, 210), SP_ANSWER_SYN_ACK);
        kit_free(kit);
    }
}

static void loopback_leaves_and_arrives(void **state)
{
    (void)state;
    struct kit *kit = kit_new();
    kit_batch(kit, 1000, 10, 60000);
    for (uint16_t i = 0; i < 3; i++) {
        kit_block(kit, (uint16_t)(i * 10), 1, SEND | RECV, techs[i], KIT_ME, KIT_ME);
    }
    kit_arm(kit);
    for (uint16_t i = 0; i < 3; i++) {
        kit_shot(kit, (uint16_t)(i * 10), 53, 40000, 0);
    }
    kit_fire(kit);
    kit_run(kit, 10000);
    assert_int_equal(kit->nsent, 3);
    for (uint16_t i = 0; i < 3; i++) {
        kit_capture(kit, &kit->sent[i].spec, SP_DIR_IN, 1, true);
        kit_host(kit, &kit->sent[i].spec, 1);
    }
    kit_collect(kit);
    for (uint16_t i = 0; i < 3; i++) {
        assert_non_null(kit_seen(kit, SP_SEEN_LEFT, (uint16_t)(i * 10), 53));
        assert_non_null(kit_seen(kit, SP_SEEN_NIC, (uint16_t)(i * 10), 53));
        assert_non_null(kit_seen(kit, SP_SEEN_HOST, (uint16_t)(i * 10), 53));
    }
    kit_free(kit);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tcp_answers),
        cmocka_unit_test(answers_of_one_conversation),
        cmocka_unit_test(udp_answers),
        cmocka_unit_test(a_mirrored_syn_is_nothing),
        cmocka_unit_test(answers_of_another_conversation),
        cmocka_unit_test(unreachable_answers),
        cmocka_unit_test(forged_unreachable),
        cmocka_unit_test(the_strongest_answer_wins),
        cmocka_unit_test(loopback_leaves_and_arrives),
    };
    return cmocka_run_group_tests_name("answers", tests, NULL, NULL);
}
