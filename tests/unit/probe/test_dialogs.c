/* SPDX-License-Identifier: Apache-2.0
 *
 * Conversations in the engine: the handshake from both ends, lost and forged packets, the end of
 * each, and what bounds them. */
#include <errno.h>
#include <string.h>

#include "probe/packet/tagform.h"
#include "tests/support/sp_cmocka.h"
#include "tests/unit/probe/engine_kit.h"

#define BLOCK 7
#define PORT  443
#define SPORT 40001
#define ISS   0x01020304U /* of the peer */

static int setup(void **state)
{
    *state = kit_new();
    return 0;
}

static int teardown(void **state)
{
    kit_free(*state);
    return 0;
}

static struct kit *armed(void **state, uint16_t flags, bool v6, uint32_t budget)
{
    struct kit *kit = *state;
    kit_batch(kit, 100000, budget, 60000);
    kit_block(kit, BLOCK, 500, flags, "tcp_handshake", v6 ? KIT_ME6 : KIT_ME,
              v6 ? KIT_PEER6 : KIT_PEER);
    kit_arm(kit);
    assert_null(kit_told(kit, SP_REC_REFUSED, 0));
    return kit;
}

static struct kit *begun(void **state, uint16_t flags, bool v6)
{
    struct kit *kit = armed(state, SP_BLOCK_SENDER | flags, v6, 100);
    kit_shot(kit, BLOCK, PORT, SPORT, 0);
    kit_fire(kit);
    kit_run(kit, 1000);
    assert_int_equal(kit->nsent, 1);
    assert_int_equal(kit->sent[0].spec.tcp_flags, SP_TCP_SYN);
    assert_int_equal(kit->holds, 1);
    return kit;
}

/* A packet of the peer's in answer to what was sent last. */
static struct sp_spec answer_to(const struct sp_spec *sent, uint8_t flags, uint32_t seq,
                                uint32_t ack)
{
    return (struct sp_spec){.src = sent->dst,
                            .dst = sent->src,
                            .ip_proto = SP_IPPROTO_TCP,
                            .ttl = 61,
                            .sport = sent->dport,
                            .dport = sent->sport,
                            .seq = seq,
                            .ack = ack,
                            .tcp_flags = flags,
                            .tcp_timestamps = true,
                            .tsval = 99,
                            .tsecr = sent->tsval};
}

static struct sp_spec syn_ack(const struct kit *kit)
{
    const struct sp_spec *syn = &kit->sent[0].spec;
    struct sp_spec spec = answer_to(syn, SP_TCP_SYN | SP_TCP_ACK, ISS, syn->seq + 1);
    spec.tcp_options = true;
    return spec;
}

/* Of an established conversation: acknowledges so many bytes of data. */
static struct sp_spec peer_says(const struct kit *kit, uint8_t flags, uint32_t bytes,
                                const char *text)
{
    const struct sp_spec *syn = &kit->sent[0].spec;
    struct sp_spec spec = answer_to(syn, flags, ISS + 1, syn->seq + 1 + bytes);
    spec.payload_len = strlen(text);
    memcpy(spec.payload, text, spec.payload_len);
    return spec;
}

static void established(struct kit *kit)
{
    struct sp_spec back = syn_ack(kit);
    kit_in(kit, &back);
    kit_run(kit, 10000);
    assert_int_equal(kit->nsent, 3);
}

static const struct sp_rec_seen *ended(struct kit *kit)
{
    assert_int_equal(kit->holds, 0);
    assert_non_null(kit_told(kit, SP_REC_DONE, 0));
    kit_collect(kit);
    assert_int_equal(kit_count_seen(kit, SP_SEEN_STRAY), 0);
    assert_int_equal(kit_count_seen(kit, SP_SEEN_UNTAGGED), 0);
    return kit_seen(kit, SP_SEEN_ANSWER, BLOCK, PORT);
}

static void whole(void **state, bool v6, bool http)
{
    struct kit *kit = begun(state, http ? SP_BLOCK_HTTP : 0, v6);
    const struct sp_spec *syn = &kit->sent[0].spec;
    assert_true(kit->lo == 40000 && kit->hi == 49999);
    kit_out(kit, syn);
    established(kit);
    const struct sp_spec *ack = &kit->sent[1].spec;
    const struct sp_spec *data = &kit->sent[2].spec;
    assert_int_equal(ack->tcp_flags, SP_TCP_ACK);
    assert_int_equal(ack->payload_len, 0);
    assert_int_equal(ack->seq, syn->seq + 1);
    assert_int_equal(ack->ack, ISS + 1);
    assert_int_equal(ack->tsval, syn->tsval); /* a SYN proxy makes its own SYN from it */
    assert_int_equal(ack->tsecr, 99);
    assert_true(ack->tcp_timestamps && !ack->tcp_options);
    assert_int_equal(data->tcp_flags, SP_TCP_ACK | SP_TCP_PSH);
    assert_int_equal(data->seq, syn->seq + 1);
    assert_true(kit->sent[2].at_us - kit->sent[1].at_us >= 2000);
    assert_int_equal(memcmp(data->payload, http ? "GET / HT" : "SGpf", 4), 0);
    kit_out(kit, ack);
    kit_out(kit, data);
    struct sp_spec reply = peer_says(kit, SP_TCP_ACK, (uint32_t)data->payload_len, "HTTP/1.1 200");
    kit_in(kit, &reply);
    kit_run(kit, 1000);
    assert_int_equal(kit->nsent, 4);
    assert_int_equal(kit->sent[3].spec.tcp_flags, SP_TCP_RST);
    assert_int_equal(kit->sent[3].spec.seq, syn->seq + 1 + data->payload_len);
    kit_run(kit, 2000000);
    assert_int_equal(kit->nsent, 4);
    assert_int_equal(kit_told(kit, SP_REC_DONE, 0)->u.done.sent, 4);
    const struct sp_rec_seen *seen = ended(kit);
    assert_int_equal(seen->answer, SP_ANSWER_DATA);
    assert_int_equal(seen->code, SP_ANSWER_DATA_ACKED);
    assert_int_equal(seen->ttl, 61);
    assert_int_equal(seen->at_us, 1000); /* the round trip of the SYN */
    assert_non_null(kit_seen(kit, SP_SEEN_LEFT, BLOCK, PORT));
    assert_int_equal(kit_told(kit, SP_REC_COLLECTED, 0)->u.collected.sent, 4);
}

static void a_whole_conversation(void **state)
{
    whole(state, false, false);
}

static void a_whole_conversation_over_ipv6(void **state)
{
    whole(state, true, false);
}

static void a_whole_conversation_in_http(void **state)
{
    whole(state, false, true);
}

static void a_whole_conversation_in_http_over_ipv6(void **state)
{
    whole(state, true, true);
}

static void silence_ends_with_a_reset(void **state)
{
    struct kit *kit = begun(state, 0, false);
    kit_run(kit, 600000);
    assert_int_equal(kit->nsent, 1);
    assert_null(kit_told(kit, SP_REC_DONE, 0)); /* the conversation goes on */
    kit_run(kit, 200000);
    assert_int_equal(kit->nsent, 2);
    assert_int_equal(kit->sent[1].spec.tcp_flags, SP_TCP_RST);
    assert_int_equal(kit->sent[1].spec.seq, kit->sent[0].spec.seq + 1);
    struct sp_spec late = syn_ack(kit);
    kit_in(kit, &late); /* evidence all the same */
    kit_run(kit, 1000000);
    assert_int_equal(kit->nsent, 2);
    assert_int_equal(ended(kit)->answer, SP_ANSWER_SYN_ACK);
}

/* Lost data goes out again, the same bytes, until it is acknowledged; then no more. */
static void lost_data_is_sent_again(void **state)
{
    struct kit *kit = begun(state, 0, false);
    established(kit);
    kit_run(kit, 100000);
    assert_int_equal(kit->nsent, 4);
    kit_run(kit, 100000);
    assert_int_equal(kit->nsent, 5);
    assert_memory_equal(&kit->sent[2].spec, &kit->sent[3].spec, sizeof(struct sp_spec));
    struct sp_spec ack = peer_says(kit, SP_TCP_ACK, SP_TAG_BYTES, "");
    kit_in(kit, &ack);
    kit_run(kit, 200000);
    assert_int_equal(kit->nsent, 5);
    kit_run(kit, 1000000);
    assert_int_equal(kit->nsent, 6);
    assert_int_equal(kit->sent[5].spec.tcp_flags, SP_TCP_RST);
    assert_int_equal(kit->sent[5].spec.seq, kit->sent[0].spec.seq + 1 + SP_TAG_BYTES);
    const struct sp_rec_seen *seen = ended(kit);
    assert_int_equal(seen->answer, SP_ANSWER_SYN_ACK);
    assert_int_equal(seen->code, SP_ANSWER_DATA_ACKED);
}

static void data_that_nobody_takes_is_given_up(void **state)
{
    struct kit *kit = begun(state, 0, false);
    established(kit);
    kit_run(kit, 3000000);
    assert_int_equal(kit->nsent, 7); /* SYN, ACK, four times data, RST: never more */
    assert_int_equal(kit->sent[6].spec.tcp_flags, SP_TCP_RST);
    assert_int_equal(kit->sent[6].spec.seq, kit->sent[0].spec.seq + 1);
    const struct sp_rec_seen *seen = ended(kit);
    assert_int_equal(seen->answer, SP_ANSWER_SYN_ACK);
    assert_int_equal(seen->code, 0);
}

/* What a service says before our data is not an answer to it. */
static void a_greeting_is_no_answer(void **state)
{
    struct kit *kit = begun(state, 0, false);
    established(kit);
    struct sp_spec hello = peer_says(kit, SP_TCP_ACK, 0, "SSH-2.0-x");
    kit_in(kit, &hello);
    kit_run(kit, 3000000);
    assert_int_equal(ended(kit)->answer, SP_ANSWER_SYN_ACK);
}

static void a_syn_proxy_shows(void **state)
{
    struct kit *kit = begun(state, 0, false);
    struct kit_bytes bytes;
    struct sp_spec back = syn_ack(kit);
    back.ttl = 64;
    kit_build(&back, &bytes);
    bytes.at[20 + 14] = bytes.at[20 + 15] = 0; /* window */
    kit_bytes_in(kit, bytes.at, bytes.len);
    kit_run(kit, 10000);
    struct sp_spec reply = peer_says(kit, SP_TCP_ACK, SP_TAG_BYTES, "SGpf");
    kit_in(kit, &reply);
    kit_run(kit, 10000);
    const struct sp_rec_seen *seen = ended(kit);
    assert_int_equal(seen->answer, SP_ANSWER_DATA);
    assert_int_equal(seen->code,
                     SP_ANSWER_WINDOW_ZERO | SP_ANSWER_TTL_CHANGED | SP_ANSWER_DATA_ACKED);
    assert_int_equal(seen->ttl, 61);
}

/* It had shaken hands for somebody who refuses: whose numbers it has never matched. */
static void whom_a_syn_proxy_calls_may_refuse(void **state)
{
    struct kit *kit = begun(state, 0, false);
    const struct sp_spec *syn = &kit->sent[0].spec;
    struct sp_spec back = syn_ack(kit);
    kit_in(kit, &back);
    kit_run(kit, 1000);
    assert_int_equal(kit->nsent, 2);
    struct sp_spec rst = answer_to(syn, SP_TCP_RST | SP_TCP_ACK, 0, syn->seq + 1000);
    kit_in(kit, &rst); /* whoever does not know our number changes nothing */
    assert_int_equal(kit->holds, 1);
    rst.ack = syn->seq + 1;
    kit_in(kit, &rst);
    kit_run(kit, 2000000);
    assert_int_equal(kit->nsent, 2);
    const struct sp_rec_seen *seen = ended(kit);
    assert_int_equal(seen->answer, SP_ANSWER_SYN_ACK);
    assert_int_equal(seen->code, SP_ANSWER_RESET);
}

/* A service that must get no data: a handshake, a moment for what comes next, and a reset. */
static void mute(void **state, bool v6, const char *greeting)
{
    struct kit *kit = begun(state, SP_BLOCK_MUTE, v6);
    struct sp_spec back = syn_ack(kit);
    kit_in(kit, &back);
    kit_run(kit, 10000);
    assert_int_equal(kit->nsent, 2);
    assert_int_equal(kit->sent[1].spec.tcp_flags, SP_TCP_ACK);
    if (greeting) {
        struct sp_spec hello = peer_says(kit, SP_TCP_ACK | SP_TCP_PSH, 0, greeting);
        hello.ttl = 60;
        kit_in(kit, &hello);
    }
    kit_run(kit, 2000000);
    assert_int_equal(kit->nsent, 3);
    assert_int_equal(kit->sent[2].spec.tcp_flags, SP_TCP_RST);
    assert_int_equal(kit->sent[2].spec.seq, kit->sent[0].spec.seq + 1);
    for (size_t i = 0; i < kit->nsent; i++) {
        assert_int_equal(kit->sent[i].spec.payload_len, 0);
    }
    const struct sp_rec_seen *seen = ended(kit);
    assert_int_equal(seen->answer, SP_ANSWER_SYN_ACK);
    assert_int_equal(seen->code, greeting ? SP_ANSWER_TTL_CHANGED : 0);
}

static void a_mute_conversation_sends_no_data(void **state)
{
    mute(state, false, NULL);
}

static void a_mute_conversation_over_ipv6(void **state)
{
    mute(state, true, NULL);
}

static void a_greeting_changes_no_mute_conversation(void **state)
{
    mute(state, false, "220 mail");
}

static void a_closed_port_answers_with_a_reset(void **state)
{
    struct kit *kit = begun(state, 0, false);
    const struct sp_spec *syn = &kit->sent[0].spec;
    struct sp_spec back = answer_to(syn, SP_TCP_RST | SP_TCP_ACK, 0, syn->seq + 1);
    kit_in(kit, &back);
    kit_run(kit, 2000000);
    assert_int_equal(kit->nsent, 1); /* nobody has any state to clean up */
    assert_int_equal(ended(kit)->answer, SP_ANSWER_RST);
}

/* A reset at any later moment ends it, and does not erase that the handshake was completed. */
static void a_reset_ends_it(void **state)
{
    for (int stage = 0; stage < 3; stage++) {
        struct kit *kit = begun(state, 0, false);
        struct sp_spec back = syn_ack(kit);
        kit_in(kit, &back);
        kit_run(kit, stage == 0 ? 1000 : 10000);
        if (stage == 2) {
            struct sp_spec ack = peer_says(kit, SP_TCP_ACK, SP_TAG_BYTES, "");
            kit_in(kit, &ack);
        }
        size_t sent = kit->nsent;
        struct sp_spec rst = peer_says(kit, SP_TCP_RST, 0, "");
        rst.seq = ISS + 100000; /* out of the window: somebody else's */
        kit_in(kit, &rst);
        assert_int_equal(kit->holds, 1);
        rst.seq = ISS + 1;
        kit_in(kit, &rst);
        kit_run(kit, 2000000);
        assert_int_equal(kit->nsent, sent);
        const struct sp_rec_seen *seen = ended(kit);
        assert_int_equal(seen->answer, SP_ANSWER_SYN_ACK);
        assert_int_equal(seen->code & SP_ANSWER_RESET, SP_ANSWER_RESET);
        kit_forget(kit);
    }
}

static void the_peer_closes(void **state)
{
    struct kit *kit = begun(state, 0, false);
    established(kit);
    struct sp_spec fin = peer_says(kit, SP_TCP_FIN | SP_TCP_ACK, SP_TAG_BYTES, "");
    kit_in(kit, &fin);
    kit_run(kit, 1000);
    assert_int_equal(kit->nsent, 4);
    assert_int_equal(kit->sent[3].spec.tcp_flags, SP_TCP_RST);
    assert_int_equal(ended(kit)->code, SP_ANSWER_DATA_ACKED);
}

/* Whoever did not see the SYN cannot answer it; whoever did not see the SYN/ACK cannot go on. */
static void forged_packets_change_nothing(void **state)
{
    struct kit *kit = begun(state, 0, false);
    static const int32_t off[] = {-1, 1, 1000, 0x40000000};
    for (size_t i = 0; i < 4; i++) {
        struct sp_spec back = syn_ack(kit);
        back.ack = (uint32_t)((int64_t)back.ack + off[i]);
        kit_in(kit, &back);
    }
    struct sp_spec data = peer_says(kit, SP_TCP_ACK, 0, "hello"); /* before any handshake */
    kit_in(kit, &data);
    struct sp_spec rst = peer_says(kit, SP_TCP_RST, 0, "");
    kit_in(kit, &rst);
    kit_run(kit, 1000);
    assert_int_equal(kit->nsent, 1);
    established(kit);
    for (size_t i = 0; i < 4; i++) {
        data = peer_says(kit, SP_TCP_ACK, SP_TAG_BYTES, "hello");
        data.ack = (uint32_t)((int64_t)data.ack + off[i]);
        data.ack -= i == 0 ? SP_TAG_BYTES : 0; /* -1 - 28: before our first byte */
        kit_in(kit, &data);
        data = peer_says(kit, SP_TCP_ACK, SP_TAG_BYTES, "hello");
        data.seq += 0x10000;
        kit_in(kit, &data);
    }
    struct sp_spec other = syn_ack(kit); /* two that answer: the first one counts */
    other.seq = 77;
    kit_in(kit, &other);
    kit_run(kit, 3000000);
    assert_int_equal(kit->sent[3].spec.ack, ISS + 1);
    const struct sp_rec_seen *seen = ended(kit);
    assert_int_equal(seen->answer, SP_ANSWER_SYN_ACK);
    assert_int_equal(seen->code, 0);
}

static void the_end_of_the_batch_resets(void **state)
{
    for (int how = 0; how < 3; how++) {
        struct kit *kit = begun(state, 0, false);
        established(kit);
        if (how == 0) {
            kit_collect(kit);
        } else if (how == 1) {
            kit_batch(kit, 1000, 10, 60000);
        } else {
            kit_run(kit, 500000);
            kit_now_us += 60000000; /* stopped, and gone on after the expiry */
            (void)sp_engine_tick(kit->engine);
        }
        assert_int_equal(kit->sent[kit->nsent - 1].spec.tcp_flags, SP_TCP_RST);
        assert_int_equal(kit->holds, 0);
        kit_forget(kit);
    }
    struct kit *kit = begun(state, 0, false);
    kit_restart(kit, 1); /* the engine's own end */
    assert_int_equal(kit->sent[kit->nsent - 1].spec.tcp_flags, SP_TCP_RST);
    assert_int_equal(kit->holds, 0);
}

static const struct sp_rec_seen *refused_by(struct kit *kit, uint16_t port)
{
    kit_run(kit, 3000000);
    kit_collect(kit);
    return kit_seen(kit, SP_SEEN_SENT, BLOCK, port);
}

static void a_port_that_is_taken_is_told(void **state)
{
    struct kit *kit = armed(state, SP_BLOCK_SENDER, false, 100);
    kit->hold_errno = EADDRINUSE;
    kit_shot(kit, BLOCK, PORT, SPORT, 0);
    kit_fire(kit);
    assert_int_equal(refused_by(kit, PORT)->err, EADDRINUSE);
    assert_int_equal(kit->nsent, 0);
}

static void a_refused_syn_holds_nothing(void **state)
{
    struct kit *kit = armed(state, SP_BLOCK_SENDER, false, 100);
    kit->send_errno = EPERM;
    kit_shot(kit, BLOCK, PORT, SPORT, 0);
    kit_fire(kit);
    assert_int_equal(refused_by(kit, PORT)->err, EPERM);
    assert_int_equal(kit->holds, 0);
}

static void too_many_at_once_are_told(void **state)
{
    struct kit *kit = armed(state, SP_BLOCK_SENDER, false, 10000);
    for (uint16_t i = 0; i <= SP_ENGINE_MAX_DIALOGS; i++) {
        kit_shot(kit, BLOCK, (uint16_t)(1000 + i), (uint16_t)(41000 + i), 0);
    }
    kit_fire(kit);
    kit_run(kit, 100000);
    assert_int_equal(kit->nsent, SP_ENGINE_MAX_DIALOGS);
    assert_int_equal(kit->holds, SP_ENGINE_MAX_DIALOGS);
    for (size_t i = 0; i < SP_ENGINE_MAX_DIALOGS; i += 2) { /* every other one is answered */
        const struct sp_spec *syn = &kit->sent[i].spec;
        struct sp_spec back = answer_to(syn, SP_TCP_SYN | SP_TCP_ACK, ISS, syn->seq + 1);
        kit_in(kit, &back);
    }
    assert_int_equal(refused_by(kit, 1000 + SP_ENGINE_MAX_DIALOGS)->err, EMFILE);
    assert_int_equal(kit->nsent, SP_ENGINE_MAX_DIALOGS / 2 * (2 + 7));
    assert_int_equal(kit_count_seen(kit, SP_SEEN_ANSWER), SP_ENGINE_MAX_DIALOGS / 2);
    assert_int_equal(kit->holds, 0);
}

static void every_packet_counts_against_the_budget(void **state)
{
    struct kit *kit = armed(state, SP_BLOCK_SENDER, false, 3);
    kit_shot(kit, BLOCK, PORT, SPORT, 0);
    kit_fire(kit);
    kit_run(kit, 1000);
    established(kit);
    kit_run(kit, 3000000);
    assert_int_equal(kit->nsent, 3);
    assert_int_equal(kit->holds, 0);
    assert_int_equal(ended(kit)->answer, SP_ANSWER_SYN_ACK);
}

/* Ten packets a second: however many conversations want to go on, never more. */
static void every_packet_takes_a_token(void **state)
{
    struct kit *kit = *state;
    kit_batch(kit, 10, 1000, 60000);
    kit_block(kit, BLOCK, 1, SP_BLOCK_SENDER, "tcp_handshake", KIT_ME, KIT_PEER);
    kit_arm(kit);
    for (uint16_t i = 0; i < 4; i++) {
        kit_shot(kit, BLOCK, (uint16_t)(1000 + i), (uint16_t)(41000 + i), 0);
    }
    kit_fire(kit);
    for (int i = 0; i < 600; i++) {
        kit_run(kit, 10000);
        for (size_t k = 0; k < kit->nsent && i < 100; k++) {
            const struct sp_spec *syn = &kit->sent[k].spec;
            if (syn->tcp_flags == SP_TCP_SYN) {
                struct sp_spec back = answer_to(syn, SP_TCP_SYN | SP_TCP_ACK, ISS, syn->seq + 1);
                kit_in(kit, &back);
            }
        }
    }
    assert_true(kit->nsent > 10);
    for (size_t i = 1; i < kit->nsent; i++) {
        assert_true(kit->sent[i].at_us - kit->sent[i - 1].at_us >= 99000);
    }
    assert_int_equal(kit->holds, 0);
}

static void a_receiver_listens_for_no_ports(void **state)
{
    struct kit *kit = *state;
    kit_batch(kit, 1000, 10, 60000);
    kit_block(kit, BLOCK, 1, SP_BLOCK_RECEIVER, "tcp_handshake", KIT_PEER, KIT_ME);
    kit_arm(kit);
    assert_true(kit->is_listening && kit->lo == 0 && kit->hi == 0);
}

/* A control's first news is its data, and a proxy may bring it in the other family. */
static void a_syn_alone_is_no_conversation(void **state)
{
    struct kit *kit = *state;
    struct sp_tag_keys keys;
    sp_tag_keys_init(&keys, kit->key);
    for (int v6 = 0; v6 <= 1; v6++) {
        kit_batch(kit, 1000, 10, 60000);
        kit_block(kit, BLOCK, 1, SP_BLOCK_RECEIVER | SP_BLOCK_CONTROL, "tcp_handshake", KIT_PEER,
                  KIT_ME);
        kit_arm(kit);
        kit_fire(kit);
        kit_forget(kit);
        struct sp_spec in = kit_probe_spec(kit, "tcp_handshake", v6 ? KIT_PEER6 : KIT_PEER,
                                           v6 ? KIT_ME6 : KIT_ME, BLOCK, PORT, SPORT);
        sp_tag_keys_init(&keys, kit->key);
        kit_in(kit, &in);
        kit_host(kit, &in, 2);
        assert_int_equal(kit_count_seen(kit, SP_SEEN_NIC), 0);
        in.tcp_flags = SP_TCP_ACK | SP_TCP_PSH;
        in.tcp_options = false;
        in.payload_len = SP_TAG_BYTES;
        sp_tag_write(&keys, BLOCK, PORT, SP_TAG_PROBE, 5, in.payload);
        kit_in(kit, &in);
        assert_int_equal(kit_seen(kit, SP_SEEN_NIC, BLOCK, PORT)->code, 1);
        kit_in(kit, &in); /* sent again */
        assert_int_equal(kit_count_seen(kit, SP_SEEN_NIC), 1);
        kit_forget(kit);
        kit_collect(kit);
        assert_int_equal(kit_seen(kit, SP_SEEN_NIC, BLOCK, PORT)->count, 1);
        assert_int_equal(kit_seen(kit, SP_SEEN_NIC, BLOCK, PORT)->code, 1);
        assert_int_equal(kit_seen(kit, SP_SEEN_HOST, BLOCK, PORT)->code, 0);
        kit_forget(kit);
    }
}

int main(void)
{
#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_whole_conversation),
        TEST(a_whole_conversation_over_ipv6),
        TEST(a_whole_conversation_in_http),
        TEST(a_whole_conversation_in_http_over_ipv6),
        TEST(silence_ends_with_a_reset),
        TEST(lost_data_is_sent_again),
        TEST(data_that_nobody_takes_is_given_up),
        TEST(a_greeting_is_no_answer),
        TEST(a_syn_proxy_shows),
        TEST(whom_a_syn_proxy_calls_may_refuse),
        TEST(a_mute_conversation_sends_no_data),
        TEST(a_mute_conversation_over_ipv6),
        TEST(a_greeting_changes_no_mute_conversation),
        TEST(a_closed_port_answers_with_a_reset),
        TEST(a_reset_ends_it),
        TEST(the_peer_closes),
        TEST(forged_packets_change_nothing),
        TEST(the_end_of_the_batch_resets),
        TEST(a_port_that_is_taken_is_told),
        TEST(a_refused_syn_holds_nothing),
        TEST(too_many_at_once_are_told),
        TEST(every_packet_counts_against_the_budget),
        TEST(every_packet_takes_a_token),
        TEST(a_receiver_listens_for_no_ports),
        TEST(a_syn_alone_is_no_conversation),
    };
    return cmocka_run_group_tests_name("dialogs", tests, NULL, NULL);
}
