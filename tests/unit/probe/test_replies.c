/* SPDX-License-Identifier: Apache-2.0
 *
 * The receiver's side of an answer: what was seen leaving, and the replies that the probe crafts.
 * A flow that must be denied is never answered by us. */
#include <string.h>

#include "tests/support/sp_cmocka.h"
#include "tests/unit/probe/engine_kit.h"

static struct kit *receiver(const char *tech, uint16_t flags, bool v6)
{
    struct kit *kit = kit_new();
    kit_batch(kit, 100000, 1000, 600000);
    kit_block(kit, 10, 50, (uint16_t)(SP_BLOCK_RECEIVER | flags), tech, v6 ? KIT_PEER6 : KIT_PEER,
              v6 ? KIT_ME6 : KIT_ME);
    kit_arm(kit);
    kit_fire(kit);
    assert_int_equal(kit_count(kit, SP_REC_REFUSED) + kit_count(kit, SP_REC_ERROR), 0);
    return kit;
}

static struct sp_spec arrive(struct kit *kit, const char *tech, bool v6, uint16_t id, bool host)
{
    struct sp_spec in =
        kit_probe_spec(kit, tech, v6 ? KIT_PEER6 : KIT_PEER, v6 ? KIT_ME6 : KIT_ME, id, 53, 41000);
    kit_in(kit, &in);
    if (host) {
        kit_host(kit, &in, 2);
    }
    return in;
}

static void no_reply_without_the_flag(void **state)
{
    (void)state;
    static const uint16_t flags[] = {0, SP_BLOCK_CONTROL, SP_BLOCK_LINK,
                                     SP_BLOCK_CONTROL | SP_BLOCK_LINK};
    static const char *const techs[] = {"icmp_echo", "tcp_syn", "udp"};
    for (size_t i = 0; i < 12; i++) {
        struct kit *kit = receiver(techs[i % 3], flags[i / 3], false);
        (void)arrive(kit, techs[i % 3], false, 10, true);
        kit_run(kit, 5000000);
        assert_int_equal(kit->nsent, 0);
        kit_collect(kit);
        assert_int_equal(kit->nsent, 0);
        assert_int_equal(kit_count_seen(kit, SP_SEEN_HOST), 1);
        assert_int_equal(kit_count_seen(kit, SP_SEEN_EGRESS), 0);
        kit_free(kit);
    }
}

static void reply_after_60_ms_along_the_reversed_flow(void **state)
{
    (void)state;
    static const char *const techs[] = {"tcp_syn", "udp"};
    for (size_t i = 0; i < 4; i++) {
        bool v6 = i / 2;
        struct kit *kit = receiver(techs[i % 2], SP_BLOCK_REPLY, v6);
        kit_run(kit, 1000);
        struct sp_spec in = arrive(kit, techs[i % 2], v6, 10, true);
        uint64_t arrived = kit_now_us;
        kit_run(kit, 59000);
        assert_int_equal(kit->nsent, 0);
        kit_run(kit, 5000000);
        assert_int_equal(kit->nsent, 1);
        assert_true(kit->sent[0].at_us - arrived >= 60000 && kit->sent[0].at_us - arrived < 65000);
        const struct sp_spec *reply = &kit->sent[0].spec;
        assert_true(sp_addr_eq(&reply->src, &in.dst) && sp_addr_eq(&reply->dst, &in.src));
        assert_int_equal(reply->sport, in.dport);
        assert_int_equal(reply->dport, in.sport);
        assert_int_equal(reply->ip_proto, in.ip_proto);
        assert_false(kit->sent[0].is_link);
        kit_out(kit, reply);
        kit_collect(kit);
        const struct sp_rec_seen *egress = kit_seen(kit, SP_SEEN_EGRESS, 10, 53);
        assert_non_null(egress);
        assert_int_equal(egress->answer, SP_ANSWER_CRAFTED); /* even a RST: we know whose it is */
        assert_int_equal(egress->err, 0);
        kit_free(kit);
    }
}

/* A source that was translated on the way to an address that nobody declared is no target. */
static void no_reply_to_an_undeclared_source(void **state)
{
    (void)state;
    struct kit *kit = receiver("udp", SP_BLOCK_REPLY, false);
    struct sp_spec in = kit_probe_spec(kit, "udp", "192.0.2.9", KIT_ME, 10, 53, 41000);
    kit_in(kit, &in);
    kit_host(kit, &in, 2);
    kit_run(kit, 5000000);
    assert_int_equal(kit->nsent, 0);
    kit_collect(kit);
    assert_non_null(kit_seen(kit, SP_SEEN_HOST, 10, 53));
    kit_free(kit);
}

/* Only what passed the host's firewall is answered: a NIC arrival alone is not. */
static void no_reply_to_what_the_host_dropped(void **state)
{
    (void)state;
    struct kit *kit = receiver("udp", SP_BLOCK_REPLY, false);
    (void)arrive(kit, "udp", false, 10, false);
    kit_run(kit, 5000000);
    assert_int_equal(kit->nsent, 0);
    kit_free(kit);
}

static void copies_get_one_reply(void **state)
{
    (void)state;
    struct kit *kit = receiver("udp", SP_BLOCK_REPLY, false);
    for (int i = 0; i < 20; i++) {
        (void)arrive(kit, "udp", false, 10, true);
        kit_run(kit, 10000);
    }
    kit_run(kit, 1000000);
    assert_int_equal(kit->nsent, 1);
    kit_free(kit);
}

static void no_reply_to_strays_and_forgeries(void **state)
{
    (void)state;
    struct kit *kit = receiver("udp", SP_BLOCK_REPLY, false);
    (void)arrive(kit, "udp", false, 5000, true);
    (void)arrive(kit, "tcp_syn", false, 10, true); /* the wrong technique for the block */
    struct sp_spec in = kit_probe_spec(kit, "udp", KIT_PEER, KIT_ME, 11, 53, 41000);
    in.payload[9] ^= 4;
    kit_in(kit, &in);
    kit_host(kit, &in, 2);
    kit_run(kit, 1000000);
    assert_int_equal(kit->nsent, 0);
    kit_free(kit);
}

static struct sp_spec host_answer(const struct sp_spec *in, uint8_t tcp_flags)
{
    struct sp_spec out = *in;
    out.src = in->dst;
    out.dst = in->src;
    out.sport = in->dport;
    out.dport = in->sport;
    out.tcp_flags = tcp_flags;
    out.ack = in->seq + 1;
    out.seq = 7;
    out.tsval = 7;
    return out;
}

static void no_reply_where_the_host_answered(void **state)
{
    (void)state;
    static const struct {
        const char *tech;
        uint8_t flags, want;
    } rows[] = {{"tcp_syn", SP_TCP_SYN | SP_TCP_ACK, SP_ANSWER_SYN_ACK},
                {"tcp_syn", SP_TCP_RST | SP_TCP_ACK, SP_ANSWER_RST},
                {"udp", 0, SP_ANSWER_DATA}};
    for (size_t i = 0; i < 3; i++) {
        struct kit *kit = receiver(rows[i].tech, SP_BLOCK_REPLY, false);
        struct sp_spec in = arrive(kit, rows[i].tech, false, 10, true);
        struct sp_spec out = host_answer(&in, rows[i].flags);
        if (i == 2) {
            memset(out.payload, 'd', sizeof(out.payload));
        }
        kit_run(kit, 10000);
        kit_out(kit, &out);
        kit_run(kit, 1000000);
        assert_int_equal(kit->nsent, 0);
        kit_collect(kit);
        assert_int_equal(kit_seen(kit, SP_SEEN_EGRESS, 10, 53)->answer, rows[i].want);
        kit_free(kit);
    }
}

/* An echo service at the receiver sends our tag back: an answer of the host. */
static void an_echo_service_is_an_answer(void **state)
{
    (void)state;
    struct kit *kit = receiver("udp", SP_BLOCK_REPLY, false);
    struct sp_spec in = arrive(kit, "udp", false, 10, true);
    struct sp_spec out = host_answer(&in, 0);
    kit_out(kit, &out);
    kit_run(kit, 1000000);
    assert_int_equal(kit->nsent, 0);
    kit_collect(kit);
    assert_int_equal(kit_seen(kit, SP_SEEN_EGRESS, 10, 53)->answer, SP_ANSWER_DATA);
    kit_free(kit);
}

static void an_echo_reply_is_seen_leaving(void **state)
{
    (void)state;
    for (int v6 = 0; v6 < 2; v6++) {
        struct kit *kit = receiver("icmp_echo", SP_BLOCK_REPLY, v6);
        struct sp_spec in = arrive(kit, "icmp_echo", v6, 10, true);
        struct sp_spec out = host_answer(&in, 0);
        out.icmp_type = v6 ? SP_ICMP6_ECHO_REPLY : SP_ICMP_ECHO_REPLY;
        kit_out(kit, &out);
        kit_run(kit, 1000000);
        kit_collect(kit);
        assert_int_equal(kit->nsent, 0);
        assert_int_equal(kit_seen(kit, SP_SEEN_EGRESS, 10, 53)->answer, SP_ANSWER_ECHO);
        kit_free(kit);
    }
}

/* Port unreachable may be rate limited and is the weakest of answers: told, and still replied to.
 */
static void unreachable_is_weaker_than_a_reply(void **state)
{
    (void)state;
    struct kit *kit = receiver("udp", SP_BLOCK_REPLY, false);
    struct sp_spec in = arrive(kit, "udp", false, 10, true);
    struct kit_bytes quote;
    uint8_t body[256] = {3, 3};
    uint8_t bytes[512];
    kit_build(&in, &quote);
    memcpy(body + 8, quote.at, quote.len);
    size_t n = kit_ip4(bytes, 1, KIT_ME, KIT_PEER, body, 8 + quote.len);
    const struct sp_captured c = {.dir = SP_DIR_OUT, .iface = 2, .ip = bytes, .len = n};
    sp_engine_captured(kit->engine, &c);
    kit_run(kit, 1000000);
    assert_int_equal(kit->nsent, 1);
    kit_collect(kit);
    const struct sp_rec_seen *egress = kit_seen(kit, SP_SEEN_EGRESS, 10, 53);
    assert_int_equal(egress->answer, SP_ANSWER_UNREACHABLE); /* the reply was not seen leaving */
    assert_int_equal(egress->code, 3);
    kit_free(kit);
}

static void a_reply_that_the_kernel_refuses_is_told(void **state)
{
    (void)state;
    struct kit *kit = receiver("udp", SP_BLOCK_REPLY, false);
    kit->send_errno = 1;
    (void)arrive(kit, "udp", false, 10, true);
    kit_run(kit, 1000000);
    kit_collect(kit);
    const struct sp_rec_seen *egress = kit_seen(kit, SP_SEEN_EGRESS, 10, 53);
    assert_non_null(egress);
    assert_int_equal(egress->err, 1);
    assert_int_equal(egress->answer, SP_ANSWER_NONE);
    kit_free(kit);
}

/* Replies keep the pace that bounds everything the probe sends. */
static void replies_keep_the_pace(void **state)
{
    (void)state;
    struct kit *kit = kit_new();
    kit->bounds.max_pps = 20;
    kit_restart(kit, 0);
    kit_batch(kit, 100000, 1000, 600000);
    kit_block(kit, 10, 50, SP_BLOCK_RECEIVER | SP_BLOCK_REPLY, "udp", KIT_PEER, KIT_ME);
    kit_arm(kit);
    kit_fire(kit);
    for (uint16_t i = 10; i < 60; i++) {
        (void)arrive(kit, "udp", false, i, true);
    }
    kit_run(kit, 1030000);
    assert_true(kit->nsent >= 19 && kit->nsent <= 22);
    kit_run(kit, 3000000);
    assert_int_equal(kit->nsent, 50);
    kit_free(kit);
}

/* An outgoing packet of somebody else is nobody's answer. */
static void other_packets_leaving(void **state)
{
    (void)state;
    struct kit *kit = receiver("tcp_syn", 0, false);
    struct sp_spec in = arrive(kit, "tcp_syn", false, 10, true);
    struct sp_spec out = host_answer(&in, SP_TCP_SYN | SP_TCP_ACK);
    out.dport++;
    kit_out(kit, &out);
    out = host_answer(&in, SP_TCP_SYN | SP_TCP_ACK);
    out.ack++;
    kit_out(kit, &out);
    out = host_answer(&in, SP_TCP_SYN | SP_TCP_ACK);
    kit_in(kit, &out); /* inbound: not leaving */
    kit_collect(kit);
    assert_null(kit_seen(kit, SP_SEEN_EGRESS, 10, 53));
    kit_free(kit);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_reply_without_the_flag),
        cmocka_unit_test(reply_after_60_ms_along_the_reversed_flow),
        cmocka_unit_test(no_reply_to_an_undeclared_source),
        cmocka_unit_test(no_reply_to_what_the_host_dropped),
        cmocka_unit_test(copies_get_one_reply),
        cmocka_unit_test(no_reply_to_strays_and_forgeries),
        cmocka_unit_test(no_reply_where_the_host_answered),
        cmocka_unit_test(an_echo_service_is_an_answer),
        cmocka_unit_test(an_echo_reply_is_seen_leaving),
        cmocka_unit_test(unreachable_is_weaker_than_a_reply),
        cmocka_unit_test(a_reply_that_the_kernel_refuses_is_told),
        cmocka_unit_test(replies_keep_the_pace),
        cmocka_unit_test(other_packets_leaving),
    };
    return cmocka_run_group_tests_name("replies", tests, NULL, NULL);
}
