/* SPDX-License-Identifier: Apache-2.0
 *
 * The receiver of conversations: SYN and data are one arrival, whoever hands them over; what leaves
 * in answer; stand-ins, who may open them, and to whom they answer. */
#include <errno.h>
#include <string.h>

#include "probe/base/proto.h"
#include "probe/packet/tagform.h"
#include "tests/support/sp_cmocka.h"
#include "tests/unit/probe/engine_kit.h"

#define BLOCK 7
#define PORT  443
#define PROXY "10.0.0.9"

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

static struct kit *receiving(void **state, const char *technique)
{
    struct kit *kit = *state;
    kit_batch(kit, 1000, 100, 60000);
    kit_block(kit, BLOCK, 2, SP_BLOCK_RECEIVER, technique, KIT_PEER, KIT_ME);
    kit_block(kit, 20, 1, SP_BLOCK_SENDER, "tcp_handshake", KIT_ME, KIT_PEER);
    kit_arm(kit);
    kit_fire(kit);
    return kit;
}

static struct sp_tag_keys keys_of(const struct kit *kit)
{
    struct sp_tag_keys keys;
    sp_tag_keys_init(&keys, kit->key);
    return keys;
}

/* A segment with the tag, from src; http: behind a PROXY header, in a request. */
static struct sp_spec data_from(const struct kit *kit, const char *src, uint16_t block, bool http,
                                enum sp_tag_kind kind)
{
    struct sp_tag_keys keys = keys_of(kit);
    struct sp_addr target = kit_addr(KIT_ME);
    struct sp_spec spec = {.src = kit_addr(src),
                           .dst = kit_addr(KIT_ME),
                           .ip_proto = SP_IPPROTO_TCP,
                           .sport = 50000,
                           .dport = 8443,
                           .seq = 1000,
                           .ack = 2000,
                           .tcp_timestamps = true,
                           .tcp_flags = SP_TCP_ACK | SP_TCP_PSH};
    if (http) {
        uint8_t request[SP_FORM_MAX];
        size_t len = sp_form_request(&keys, block, PORT, 1, &target, NULL, request);
        assert_true(15 + len <= sizeof(spec.payload));
        memcpy(spec.payload, "PROXY UNKNOWN\r\n", 15);
        memcpy(spec.payload + 15, request, len);
        spec.payload_len = 15 + len;
    } else {
        sp_tag_write(&keys, block, PORT, kind, 1, spec.payload);
        spec.payload_len = SP_TAG_BYTES;
    }
    return spec;
}

static struct sp_spec backwards(const struct sp_spec *spec)
{
    struct sp_spec back = *spec;
    back.src = spec->dst;
    back.dst = spec->src;
    back.sport = spec->dport;
    back.dport = spec->sport;
    back.seq = spec->ack;
    back.ack = spec->seq + (uint32_t)spec->payload_len;
    back.payload_len = 0;
    return back;
}

static void syn_and_data_are_one_arrival(void **state)
{
    struct kit *kit = receiving(state, "tcp_handshake");
    struct sp_spec syn = kit_probe_spec(kit, "tcp_handshake", KIT_PEER, KIT_ME, BLOCK, PORT, 40001);
    struct sp_spec data = data_from(kit, KIT_PEER, BLOCK, false, SP_TAG_PROBE);
    data.sport = 40001;
    data.dport = PORT;
    data.seq = syn.seq + 1;
    struct sp_spec syn_ack = backwards(&syn);
    syn_ack.tcp_flags = SP_TCP_SYN | SP_TCP_ACK;
    syn_ack.ack = syn.seq + 1;
    struct sp_spec answer = backwards(&data);
    answer.payload_len = 5;
    struct sp_spec bare = data;
    bare.payload_len = 0;
    bare.tcp_flags = SP_TCP_ACK;
    struct sp_spec rst = bare;
    rst.tcp_flags = SP_TCP_RST;
    kit_in(kit, &syn);
    kit_host(kit, &syn, 2);
    kit_out(kit, &syn_ack);
    kit_in(kit, &bare);
    kit_host(kit, &bare, 2);
    for (int i = 0; i < 3; i++) {
        kit_in(kit, &data);
        kit_host(kit, &data, 2);
    }
    kit_out(kit, &answer);
    kit_in(kit, &rst);
    kit_collect(kit);
    const struct sp_rec_seen *nic = kit_seen(kit, SP_SEEN_NIC, BLOCK, PORT);
    const struct sp_rec_seen *host = kit_seen(kit, SP_SEEN_HOST, BLOCK, PORT);
    assert_true(nic && host && nic->count == 1 && host->count == 1);
    assert_true(nic->sport == 40001 && nic->dport == PORT);
    assert_int_equal(kit_seen(kit, SP_SEEN_EGRESS, BLOCK, PORT)->answer, SP_ANSWER_DATA);
    assert_int_equal(kit_count_seen(kit, SP_SEEN_STRAY), 0);
    assert_int_equal(kit_count_seen(kit, SP_SEEN_UNTAGGED), 0);
}

/* A full proxy: its own SYN without a tag, then our data, from its address. */
static void a_proxied_conversation_arrives(void **state)
{
    for (int http = 0; http < 2; http++) {
        struct kit *kit = receiving(state, "tcp_handshake");
        struct sp_tag_keys keys = keys_of(kit);
        struct sp_spec data = data_from(kit, PROXY, BLOCK, http, SP_TAG_PROBE);
        struct sp_spec syn = data;
        syn.tcp_flags = SP_TCP_SYN;
        syn.payload_len = 0;
        struct sp_form form = {.kind = SP_TAG_PROBE, .block = BLOCK, .port = PORT, .is_http = http};
        struct sp_spec reply = backwards(&data);
        reply.payload_len = sp_form_reply(&keys, &form, 1, reply.payload);
        kit_in(kit, &syn);
        kit_host(kit, &syn, 2);
        kit_in(kit, &data);
        kit_host(kit, &data, 2);
        kit_out(kit, &reply);
        kit_collect(kit);
        const struct sp_rec_seen *nic = kit_seen(kit, SP_SEEN_NIC, BLOCK, PORT);
        struct sp_addr proxy = kit_addr(PROXY);
        assert_true(nic && nic->count == 1 && nic->dport == 8443);
        assert_true(sp_addr_eq(&nic->src, &proxy));
        assert_non_null(kit_seen(kit, SP_SEEN_HOST, BLOCK, PORT));
        assert_int_equal(kit_seen(kit, SP_SEEN_EGRESS, BLOCK, PORT)->answer, SP_ANSWER_DATA);
        assert_int_equal(kit_count_seen(kit, SP_SEEN_UNTAGGED), 0);
        kit_forget(kit);
    }
}

/* Somebody else's connection to the same port is still unexplained. */
static void another_syn_stays_unexplained(void **state)
{
    struct kit *kit = receiving(state, "tcp_handshake");
    struct sp_spec data = data_from(kit, PROXY, BLOCK, false, SP_TAG_PROBE);
    struct sp_spec syn = data;
    syn.tcp_flags = SP_TCP_SYN;
    syn.payload_len = 0;
    kit_in(kit, &syn);
    syn.sport++;
    kit_in(kit, &syn);
    kit_in(kit, &data);
    kit_in(kit, &data);
    kit_collect(kit);
    assert_int_equal(kit_count_seen(kit, SP_SEEN_UNTAGGED), 1);
    for (size_t i = 0; i < kit->ntold; i++) {
        if (kit->told[i].type == SP_REC_SEEN && kit->told[i].u.seen.kind == SP_SEEN_UNTAGGED) {
            assert_int_equal(kit->told[i].u.seen.count, 1);
        }
    }
}

/* A reply's tag is no arrival, a block that is not here is a stray, other keys are nothing. */
static void other_data_is_no_arrival(void **state)
{
    struct kit *kit = receiving(state, "tcp_handshake");
    struct sp_spec data = data_from(kit, PROXY, BLOCK, false, SP_TAG_REPLY);
    kit_in(kit, &data);
    kit_host(kit, &data, 2);
    data = data_from(kit, PROXY, BLOCK, false, SP_TAG_PROBE);
    data.payload[9] ^= 1;
    kit_in(kit, &data);
    data = data_from(kit, PROXY, 99, true, SP_TAG_PROBE);
    kit_in(kit, &data);
    kit_collect(kit);
    assert_int_equal(kit_count_seen(kit, SP_SEEN_NIC) + kit_count_seen(kit, SP_SEEN_HOST), 0);
    assert_int_equal(kit_count_seen(kit, SP_SEEN_STRAY), 1);
    assert_non_null(kit_seen(kit, SP_SEEN_STRAY, 99, PORT));
}

/* tcp_syn and tcp_handshake begin with the same packet: the block says which it is. */
static void the_block_tells_the_technique(void **state)
{
    static const char *const names[] = {"tcp_syn", "tcp_handshake"};
    for (size_t i = 0; i < 2; i++) {
        struct kit *kit = receiving(state, names[i]);
        struct sp_spec syn = kit_probe_spec(kit, names[i], KIT_PEER, KIT_ME, BLOCK, PORT, 40001);
        kit_in(kit, &syn);
        kit_host(kit, &syn, 2);
        syn = kit_probe_spec(kit, names[i], KIT_PEER, KIT_ME, 500, PORT, 40002);
        kit_in(kit, &syn);
        struct sp_spec data = data_from(kit, PROXY, BLOCK + 1, false, SP_TAG_PROBE);
        kit_in(kit, &data); /* not what a block of tcp_syn sends */
        kit_collect(kit);
        assert_non_null(kit_seen(kit, SP_SEEN_NIC, BLOCK, PORT));
        assert_non_null(kit_seen(kit, SP_SEEN_HOST, BLOCK, PORT));
        assert_non_null(kit_seen(kit, SP_SEEN_STRAY, 500, PORT));
        assert_non_null(kit_seen(kit, i ? SP_SEEN_NIC : SP_SEEN_STRAY, BLOCK + 1, PORT));
        kit_forget(kit);
    }
}

/* ---- stand-ins ---- */

static void order(struct kit *kit, uint8_t proto, const char *addr, uint16_t port)
{
    struct sp_record r = {.type = SP_REC_STANDIN};
    r.u.standin = (struct sp_rec_standin){
        .batch = kit->batch, .proto = proto, .port = port, .addr = kit_addr(addr)};
    kit_order(kit, &r);
}

static struct kit *consenting(void **state)
{
    struct kit *kit = *state;
    kit->bounds.hazard = 'B';
    kit_restart(kit, 0);
    kit_batch(kit, 1000, 100, 2000);
    kit_block(kit, BLOCK, 1, SP_BLOCK_RECEIVER, "tcp_handshake", KIT_PEER, KIT_ME);
    kit_block(kit, 10, 1, SP_BLOCK_RECEIVER, "udp", KIT_PEER, KIT_ME);
    kit_block(kit, 20, 1, SP_BLOCK_SENDER, "tcp_handshake", KIT_ME, KIT_PEER);
    return kit;
}

static void standins_end_with_the_batch(void **state)
{
    for (int how = 0; how < 4; how++) {
        struct kit *kit = consenting(state);
        order(kit, SP_PROTO_TCP, KIT_ME, 443);
        order(kit, SP_PROTO_TCP, KIT_ME, 443);
        order(kit, SP_PROTO_TCP, KIT_ME6, 443);
        assert_int_equal(kit->stands, 0);
        kit_arm(kit);
        assert_int_equal(kit->stands, 2);
        if (how == 0) {
            kit_collect(kit);
        } else if (how == 1) {
            kit_run(kit, 3000000);
        } else if (how == 2) {
            kit_batch(kit, 1000, 100, 2000);
        } else {
            kit_restart(kit, 1);
        }
        assert_int_equal(kit->stands, 0);
        assert_int_equal(kit_count(kit, SP_REC_UNSTOOD), 0);
        kit_forget(kit);
    }
}

static uint16_t refusal(const struct kit *kit, size_t index)
{
    const struct sp_record *r = kit_told(kit, SP_REC_UNSTOOD, index);
    assert_non_null(r);
    return r->u.unstood.err;
}

static void refusals_are_told(void **state)
{
    struct kit *kit = consenting(state);
    order(kit, SP_PROTO_UDP, KIT_ME, 53);
    order(kit, SP_PROTO_TCP, KIT_ME, 0);
    order(kit, SP_PROTO_TCP, KIT_PEER, 80);
    order(kit, SP_PROTO_TCP, KIT_ME, 80);
    kit->stand_errno = EADDRINUSE;
    kit_arm(kit);
    assert_int_equal(refusal(kit, 0), EPROTONOSUPPORT);
    assert_int_equal(refusal(kit, 1), EINVAL);
    assert_int_equal(refusal(kit, 2), EADDRNOTAVAIL);
    assert_int_equal(refusal(kit, 3), EADDRINUSE);
    assert_int_equal(kit_count(kit, SP_REC_UNSTOOD), 4);
    assert_int_equal(kit_told(kit, SP_REC_UNSTOOD, 3)->u.unstood.port, 80);
    assert_ptr_equal(&kit->told[kit->ntold - 1], kit_told(kit, SP_REC_ARMED, 0));
    order(kit, SP_PROTO_TCP, KIT_ME, 81); /* too late */
    assert_non_null(kit_told(kit, SP_REC_ERROR, 0));
}

static void too_many_are_refused(void **state)
{
    struct kit *kit = consenting(state);
    for (uint16_t i = 0; i <= SP_ENGINE_MAX_STANDINS; i++) {
        order(kit, SP_PROTO_TCP, KIT_ME, (uint16_t)(1000 + i));
    }
    assert_int_equal(refusal(kit, 0), ENOBUFS);
    kit_arm(kit);
    assert_int_equal(kit->stands, SP_ENGINE_MAX_STANDINS);
}

static void without_consent_there_are_none(void **state)
{
    struct kit *kit = *state; /* class A */
    kit_batch(kit, 1000, 100, 2000);
    order(kit, SP_PROTO_TCP, KIT_ME, 443);
    kit_arm(kit);
    assert_int_equal(refusal(kit, 0), EPERM);
    assert_int_equal(kit->stands, 0);
}

static void only_a_tag_of_ours_is_answered(void **state)
{
    struct kit *kit = consenting(state);
    struct sp_tag_keys keys = keys_of(kit);
    uint8_t reply[SP_FORM_MAX];
    size_t len = 0;
    uint32_t stay_ms = 0;
    struct sp_spec data = data_from(kit, PROXY, BLOCK, false, SP_TAG_PROBE);
#define HEARD(n) sp_engine_stand_heard(kit->engine, data.payload, (n), reply, &len, &stay_ms)
    assert_int_equal(HEARD(SP_TAG_BYTES), SP_STAND_CLOSE); /* not armed */
    kit_arm(kit);
    for (size_t n = 0; n < SP_TAG_BYTES; n++) {
        assert_int_equal(HEARD(n), SP_STAND_WAIT);
    }
    assert_int_equal(HEARD(SP_TAG_BYTES), SP_STAND_REPLY);
    struct sp_form form;
    assert_int_equal(sp_form_read(&keys, reply, len, &form), SP_FORM_TAG);
    assert_true(form.kind == SP_TAG_REPLY && form.block == BLOCK && form.port == PORT);
    data.payload[10] ^= 1;
    assert_int_equal(HEARD(SP_TAG_BYTES), SP_STAND_CLOSE);
    data = data_from(kit, PROXY, BLOCK, false, SP_TAG_REPLY);
    assert_int_equal(HEARD(SP_TAG_BYTES), SP_STAND_CLOSE);
    static const uint16_t others[] = {10, 20, 99}; /* not a conversation, sent by us, unknown */
    for (size_t i = 0; i < 3; i++) {
        data = data_from(kit, PROXY, others[i], false, SP_TAG_PROBE);
        assert_int_equal(HEARD(SP_TAG_BYTES), SP_STAND_CLOSE);
    }
    data = data_from(kit, PROXY, BLOCK, true, SP_TAG_PROBE);
    assert_int_equal(HEARD(data.payload_len - 1), SP_STAND_WAIT); /* the whole request first */
    assert_int_equal(HEARD(data.payload_len), SP_STAND_REPLY);
    assert_memory_equal(reply, "HTTP/1.1 200 OK\r\n", 17);
    kit_collect(kit);
    assert_int_equal(HEARD(data.payload_len), SP_STAND_CLOSE);
}

int main(void)
{
#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(syn_and_data_are_one_arrival),
        TEST(a_proxied_conversation_arrives),
        TEST(another_syn_stays_unexplained),
        TEST(other_data_is_no_arrival),
        TEST(the_block_tells_the_technique),
        TEST(standins_end_with_the_batch),
        TEST(refusals_are_told),
        TEST(too_many_are_refused),
        TEST(without_consent_there_are_none),
        TEST(only_a_tag_of_ours_is_answered),
    };
    return cmocka_run_group_tests_name("stands", tests, NULL, NULL);
}
