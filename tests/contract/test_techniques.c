/* SPDX-License-Identifier: Apache-2.0
 *
 * What every technique must do, whatever it tests: its packets are well formed and found again by
 * their tag alone, nothing else is ever taken for them, answers are told apart, and a reply goes
 * back the way the packet came. A new line in registry.def is checked without a line here. */
#include <stdlib.h>
#include <string.h>

#include "probe/base/proto.h"
#include "probe/packet/sctpform.h"
#include "tests/contract/tech_kit.h"

static void data_and_code_agree(void **state)
{
    (void)state;
    const struct sp_technique_info *info;
    const char *before = "";
    size_t i;
    for (i = 0; (info = sp_technique_at(i)) != NULL; i++) {
        const struct sp_technique *tech = sp_technique_code(i);
        assert_non_null(tech);
        assert_string_equal(info->name, tech->name);
        assert_true(strcmp(before, info->name) < 0); /* sorted */
        before = info->name;
        assert_true(strlen(info->name) < SP_TECH_NAME_LEN);
        assert_true(info->hazard >= 'A' && info->hazard <= 'C');
        assert_true(info->families != 0 && info->families <= (SP_TECH_IPV4 | SP_TECH_IPV6));
        assert_true(info->packets > 0);
        assert_true(strlen(info->summary) > 5);
        assert_ptr_equal(sp_technique_find(info->name), info);
        assert_int_equal(sp_technique_index(info), i);
        assert_non_null(tech->start);
        assert_non_null(tech->wire_dport);
        assert_non_null(tech->match);
        assert_non_null(tech->answer);
        assert_non_null(tech->quoted);
        bool talks = info->verdict == SP_TECH_VERDICT_CONVERSATION;
        assert_int_equal(talks, tech->on_packet != NULL);
        assert_int_equal(talks, tech->on_timer != NULL);
        assert_int_equal(talks, tech->stop != NULL);
        assert_int_equal(talks, tech->patience_us != 0);
        assert_int_equal(tech->piece != NULL, tech->pieces != 0);
        assert_true(!tech->forges || info->hazard == 'C');
        assert_int_equal(tech->forges, sp_technique_forges(i));
        assert_int_equal(tech->needs_link, sp_technique_needs_link(i));
    }
    assert_int_equal(i, sp_technique_count());
    assert_null(sp_technique_code(i));
    assert_null(sp_technique_find("no such technique"));
}

static const uint16_t blocks[] = {0, 1, 77, 0x8000, 0xffff};
static const uint16_t ports[] = {0, 1, 443, 0xffff};

static void found_again(const struct sp_technique_info *info, const struct sp_technique *tech,
                        bool v6)
{
    struct sp_tag_keys keys = keys_of(1);
    struct sp_tag_keys other = keys_of(2);
    for (size_t i = 0; i < 20; i++) {
        struct sp_flow flow = flow_of(
            v6, blocks[i / 4], tech->proto_by_port ? port_of(tech, (uint16_t)i) : ports[i % 4]);
        struct emitted out = start(tech, &keys, &flow);
        assert_int_equal(out.n, tech->on_packet ? 1 : info->packets);
        for (size_t k = 0; k < out.n; k++) {
            struct kit_bytes bytes;
            struct sp_pkt pkt;
            uint16_t block = 0;
            uint16_t port = 0;
            read_back(&out.specs[k], &bytes, &pkt);
            assert_int_equal(pkt.ip_proto, sp_flow_ip_proto(tech, flow.dst.family, flow.port));
            struct sp_addr forged = forged_of(&flow); /* else no address but the sender's own */
            assert_true(sp_addr_eq(&pkt.src, tech->forges ? &forged : &flow.src));
            assert_true(sp_addr_eq(&pkt.dst, &flow.dst));
            assert_true(v6 || pkt.ip_id != 0);
            assert_true(tech->match(&keys, &pkt, &block, &port));
            assert_int_equal(block, flow.block);
            assert_int_equal(port, flow.port);
            assert_false(tech->match(&other, &pkt, &block, &port));
            bool icmp = pkt.ip_proto == SP_IPPROTO_ICMP || pkt.ip_proto == SP_IPPROTO_ICMP6;
            assert_int_equal(icmp ? pkt.echo_seq : pkt.dport, tech->wire_dport(&flow));
            assert_int_equal(icmp ? pkt.echo_id : pkt.sport, flow.sport);
        }
    }
}

static void packets_are_found_again(void **state)
{
    (void)state;
    each(found_again);
}

/* Another source, another port, another TTL, another echo id: translation does not hide a tag. */
static void translated(const struct sp_technique_info *info, const struct sp_technique *tech,
                       bool v6)
{
    (void)info;
    struct sp_tag_keys keys = keys_of(1);
    struct sp_flow flow = flow_of(v6, 9, port_of(tech, 443));
    struct sp_spec spec = start(tech, &keys, &flow).specs[0];
    struct kit_bytes bytes;
    struct sp_pkt pkt;
    uint16_t block;
    uint16_t port;
    spec.src = kit_addr(v6 ? "2001:db8:9::9" : "192.0.2.9");
    spec.dst = kit_addr(v6 ? "2001:db8:8::8" : "192.0.2.8");
    spec.sport = 1;
    spec.dport = 2;
    spec.echo_id = 3;
    spec.ttl = 4;
    spec.ip_id = 5;
    read_back(&spec, &bytes, &pkt);
    assert_true(tech->match(&keys, &pkt, &block, &port));
    assert_int_equal(block, 9);
    assert_int_equal(port, flow.port);
}

static void translation_does_not_hide_the_tag(void **state)
{
    (void)state;
    each(translated);
}

/* Whatever bit of the packet is flipped: it is either not ours any more, or still names the same
 * packet (the bit was not part of the tag). At least 64 bits must be part of it. */
static void flipped(const struct sp_technique_info *info, const struct sp_technique *tech, bool v6)
{
    (void)info;
    struct sp_tag_keys keys = keys_of(1);
    struct sp_flow flow = flow_of(v6, 300, port_of(tech, 8080));
    struct sp_spec spec = start(tech, &keys, &flow).specs[0];
    struct kit_bytes bytes;
    struct sp_pkt pkt;
    size_t refused = 0;
    spec.odd = (struct sp_odd){0}; /* other headers are no part of any tag */
    read_back(&spec, &bytes, &pkt);
    for (size_t bit = v6 ? 320 : 160; bit < bytes.len * 8; bit++) {
        uint16_t block = 0;
        uint16_t port = 0;
        bytes.at[bit / 8] ^= (uint8_t)(1 << bit % 8);
        if (!sp_pkt_parse(bytes.at, bytes.len, &pkt) || !tech->match(&keys, &pkt, &block, &port)) {
            refused++;
        } else {
            assert_int_equal(block, flow.block);
            assert_int_equal(port, flow.port);
        }
        bytes.at[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    assert_true(refused >= 64);
    for (size_t len = 0; len < bytes.len; len++) { /* cut short: never another packet */
        uint16_t block = flow.block;
        uint16_t port = flow.port;
        if (sp_pkt_parse(bytes.at, len, &pkt) && tech->match(&keys, &pkt, &block, &port)) {
            assert_int_equal(block, flow.block);
            assert_int_equal(port, flow.port);
        }
    }
}

static void a_flipped_bit_is_refused(void **state)
{
    (void)state;
    each(flipped);
}

/* A segment of no connection: only its tag, not its flags, tells it from an answer. */
static bool is_segment(const struct sp_technique_info *info, const struct sp_spec *spec)
{
    return info->verdict == SP_TECH_VERDICT_BYPASS && spec->ip_proto == SP_IPPROTO_TCP &&
           spec->tcp_flags != SP_TCP_SYN;
}

/* What a device on the path may make of such flags: PSH and URG set or cleared. */
static bool reaches_as(uint8_t sent, uint8_t seen)
{
    uint8_t mask = SP_TCP_SYN | SP_TCP_RST | SP_TCP_FIN | SP_TCP_ACK;
    bool rst = (sent & SP_TCP_RST) != 0 && (seen & (SP_TCP_RST | SP_TCP_SYN)) == SP_TCP_RST;
    return rst || (sent & mask) == (seen & mask);
}

/* Two techniques of one outer protocol must not take each other's packets (but those that begin
 * with the same packet, or with one that a device on the path makes the same; they then name the
 * same block, which tells them apart), nor an answer of any kind for a probe. */
static void confused(const struct sp_technique_info *info, const struct sp_technique *tech, bool v6)
{
    struct sp_tag_keys keys = keys_of(1);
    struct sp_flow flow = flow_of(v6, 300, port_of(tech, 8080));
    struct sp_spec spec = start(tech, &keys, &flow).specs[0];
    struct kit_bytes bytes;
    struct sp_pkt pkt;
    uint16_t block;
    uint16_t port;
    const struct sp_technique *other;
    read_back(&spec, &bytes, &pkt);
    for (size_t i = 0; (other = sp_technique_code(i)) != NULL; i++) {
        if (other != tech && sp_tech_takes(other, pkt.src.family, pkt.ip_proto)) {
            bool is_syn = pkt.ip_proto == SP_IPPROTO_TCP && pkt.tcp_flags == SP_TCP_SYN;
            bool bypass = info->verdict == SP_TECH_VERDICT_BYPASS || sp_technique_is_bypass(i);
            bool same = other->match(&keys, &pkt, &block, &port);
            assert_true(!same || is_syn || bypass);
            assert_true(!same || (block == flow.block && port == flow.port));
        }
    }
    static const uint8_t flags[] = {
        SP_TCP_SYN | SP_TCP_ACK, SP_TCP_RST, SP_TCP_RST | SP_TCP_ACK, SP_TCP_ACK, SP_TCP_FIN, 0};
    for (size_t i = 0; i < sizeof(flags) && spec.ip_proto == SP_IPPROTO_TCP; i++) {
        struct sp_spec answer = spec;
        answer.tcp_flags = flags[i];
        read_back(&answer, &bytes, &pkt);
        bool own = is_segment(info, &spec) && reaches_as(spec.tcp_flags, flags[i]);
        assert_int_equal(tech->match(&keys, &pkt, &block, &port), own);
    }
    if (spec.ip_proto == SP_IPPROTO_ICMP || spec.ip_proto == SP_IPPROTO_ICMP6) {
        struct sp_spec answer = spec;
        answer.icmp_type = v6 ? SP_ICMP6_ECHO_REPLY : SP_ICMP_ECHO_REPLY;
        read_back(&answer, &bytes, &pkt);
        assert_false(tech->match(&keys, &pkt, &block, &port));
    }
}

static void nothing_else_is_taken_for_it(void **state)
{
    (void)state;
    each(confused);
}

static uint8_t answer_of(const struct sp_technique *tech, const struct sp_tag_keys *keys,
                         const struct sp_flow *flow, const struct sp_spec *spec)
{
    struct kit_bytes bytes;
    struct sp_pkt pkt;
    read_back(spec, &bytes, &pkt);
    return (uint8_t)tech->answer(keys, flow, &pkt);
}

static void tcp_answers(const struct sp_technique *tech, const struct sp_tag_keys *keys,
                        const struct sp_flow *flow, const struct sp_spec *spec)
{
    static const struct {
        uint8_t flags;
        int8_t ack;
        uint8_t want;
    } rows[] = {
        {SP_TCP_SYN | SP_TCP_ACK, 1, SP_ANSWER_SYN_ACK},
        {SP_TCP_SYN | SP_TCP_ACK, 0, SP_ANSWER_NONE},
        {SP_TCP_SYN | SP_TCP_ACK, 2, SP_ANSWER_NONE},
        {SP_TCP_SYN | SP_TCP_ACK, -1, SP_ANSWER_NONE},
        {SP_TCP_RST | SP_TCP_ACK, 1, SP_ANSWER_RST},
        {SP_TCP_RST | SP_TCP_ACK, 0, SP_ANSWER_RST},
        {SP_TCP_RST | SP_TCP_ACK, 2, SP_ANSWER_NONE},
        {SP_TCP_RST | SP_TCP_ACK, -1, SP_ANSWER_NONE},
        {SP_TCP_ACK, 1, SP_ANSWER_NONE},
        {SP_TCP_SYN, 1, SP_ANSWER_NONE},
        {SP_TCP_SYN | SP_TCP_ACK | SP_TCP_RST, 1, SP_ANSWER_NONE},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct sp_spec back = reversed(spec);
        back.tcp_flags = rows[i].flags;
        back.ack = spec->seq + (uint32_t)rows[i].ack;
        back.seq = 0x12345678;
        back.payload_len = 0;
        assert_int_equal(answer_of(tech, keys, flow, &back), rows[i].want);
    }
}

/* An RST answers a segment with the number that it acknowledged, where it did, or acknowledges its
 * sequence number; nothing else is an answer. */
static void segment_answers(const struct sp_technique *tech, const struct sp_tag_keys *keys,
                            const struct sp_flow *flow, const struct sp_spec *spec)
{
    bool has_ack = (spec->tcp_flags & SP_TCP_ACK) != 0;
    const struct {
        uint32_t flags, seq, ack, want;
    } rows[] = {
        {SP_TCP_RST, spec->ack, 0, has_ack ? SP_ANSWER_RST : SP_ANSWER_NONE},
        {SP_TCP_RST, spec->ack + 1, 0, SP_ANSWER_NONE},
        {SP_TCP_RST, 0, spec->seq, SP_ANSWER_NONE}, /* its ACK flag is not set */
        {SP_TCP_RST | SP_TCP_ACK, 0, spec->seq, SP_ANSWER_RST},
        {SP_TCP_RST | SP_TCP_ACK, 0, spec->seq + 1, SP_ANSWER_RST},
        {SP_TCP_RST | SP_TCP_ACK, 0, spec->seq + 2, SP_ANSWER_NONE},
        {SP_TCP_RST | SP_TCP_ACK, 0, spec->seq - 1, SP_ANSWER_NONE},
        {SP_TCP_SYN | SP_TCP_ACK, spec->ack, spec->seq + 1, SP_ANSWER_NONE},
        {SP_TCP_ACK, spec->ack, spec->seq + 1, SP_ANSWER_NONE},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct sp_spec back = reversed(spec);
        back.tcp_flags = (uint8_t)rows[i].flags;
        back.seq = rows[i].seq;
        back.ack = rows[i].ack;
        assert_int_equal(answer_of(tech, keys, flow, &back), rows[i].want);
    }
}

static void payload_answers(const struct sp_technique *tech, const struct sp_tag_keys *keys,
                            const struct sp_flow *flow, const struct sp_spec *spec)
{
    bool udp = spec->ip_proto == SP_IPPROTO_UDP;
    bool v6 = flow->dst.family == SP_FAMILY_IPV6;
    struct sp_spec back = reversed(spec);
    struct sp_flow other = *flow;
    back.icmp_type = v6 ? SP_ICMP6_ECHO_REPLY : SP_ICMP_ECHO_REPLY;
    assert_int_equal(answer_of(tech, keys, flow, &back), udp ? SP_ANSWER_DATA : SP_ANSWER_ECHO);
    other.block++;
    assert_int_equal(answer_of(tech, keys, &other, &back), SP_ANSWER_NONE);
    other = *flow;
    other.port++;
    assert_int_equal(answer_of(tech, keys, &other, &back), SP_ANSWER_NONE);
    if (!udp) {
        back.icmp_type = v6 ? SP_ICMP6_ECHO : SP_ICMP_ECHO;
        assert_int_equal(answer_of(tech, keys, flow, &back), SP_ANSWER_NONE);
        back.icmp_type = v6 ? SP_ICMP6_ECHO_REPLY : SP_ICMP_ECHO_REPLY;
    }
    back.payload[10] ^= 1; /* not the tag any more */
    assert_int_equal(answer_of(tech, keys, flow, &back), udp ? SP_ANSWER_DATA : SP_ANSWER_NONE);
    back.payload_len = 0;
    assert_int_equal(answer_of(tech, keys, flow, &back), udp ? SP_ANSWER_DATA : SP_ANSWER_NONE);
}

/* INIT ACK and ABORT, by the verification tag, which only who got the packet knows. */
static void sctp_answers(const struct sp_technique *tech, const struct sp_tag_keys *keys,
                         const struct sp_flow *flow, const struct sp_spec *spec)
{
    static const struct {
        uint8_t chunk, want;
    } rows[] = {{SP_SCTP_INIT_ACK, SP_ANSWER_SYN_ACK},
                {SP_SCTP_ABORT, SP_ANSWER_RST},
                {SP_SCTP_INIT, SP_ANSWER_NONE},
                {SP_SCTP_COOKIE_ECHO, SP_ANSWER_NONE},
                {0, SP_ANSWER_NONE}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct sp_spec back = reversed(spec);
        back.sctp_chunk = rows[i].chunk;
        back.sctp_vtag = spec->sctp_tag ? spec->sctp_tag : spec->sctp_vtag;
        assert_int_equal(answer_of(tech, keys, flow, &back), rows[i].want);
        back.sctp_vtag++;
        assert_int_equal(answer_of(tech, keys, flow, &back), SP_ANSWER_NONE);
    }
}

static void answers(const struct sp_technique_info *info, const struct sp_technique *tech, bool v6)
{
    struct sp_tag_keys keys = keys_of(1);
    struct sp_flow flow = flow_of(v6, 300, port_of(tech, 8080));
    struct sp_spec spec = start(tech, &keys, &flow).specs[0];
    if (is_segment(info, &spec)) {
        segment_answers(tech, &keys, &flow, &spec);
    } else if (info->proto == SP_PROTO_SCTP) {
        sctp_answers(tech, &keys, &flow, &spec);
    } else if (info->proto == SP_PROTO_TCP) {
        tcp_answers(tech, &keys, &flow, &spec);
    } else if (tech->proto_by_port || sp_technique_is_one_way(sp_technique_index(info))) {
        struct sp_spec back = reversed(&spec); /* nobody echoes it: only the crafted reply counts */
        assert_int_equal(answer_of(tech, &keys, &flow, &back), SP_ANSWER_NONE);
    } else {
        payload_answers(tech, &keys, &flow, &spec);
    }
}

static void answers_are_told_apart(void **state)
{
    (void)state;
    each(answers);
}

static void replies(const struct sp_technique_info *info, const struct sp_technique *tech, bool v6)
{
    struct sp_tag_keys keys = keys_of(1);
    struct sp_tag_keys other_keys = keys_of(2);
    struct sp_flow flow = flow_of(v6, 300, port_of(tech, 8080));
    struct emitted out = {.n = 0};
    struct sp_tech_io io = {.keys = &keys, .emit = emit, .arg = &out};
    struct kit_bytes bytes;
    struct sp_pkt pkt;
    uint16_t block;
    uint16_t port;
    if (!tech->reply) {
        return;
    }
    flow.dport = 8443; /* translated on the way: the translation knows no other port */
    assert_int_equal(tech->reply(&flow, &io), 0);
    read_back(&out.specs[0], &bytes, &pkt);
    assert_int_equal(pkt.sport, 8443);
    flow.dport = tech->wire_dport(&flow);
    out.n = 0;
    assert_int_equal(tech->reply(&flow, &io), 0);
    assert_int_equal(out.n, 1);
    read_back(&out.specs[0], &bytes, &pkt);
    assert_true(sp_addr_eq(&pkt.src, &flow.dst) && sp_addr_eq(&pkt.dst, &flow.src));
    assert_int_equal(pkt.sport, tech->wire_dport(&flow));
    assert_int_equal(pkt.dport, flow.sport);
    assert_true(v6 || pkt.ip_id != 0);
    uint8_t want = info->proto == SP_PROTO_TCP ? SP_ANSWER_RST : SP_ANSWER_CRAFTED;
    assert_int_equal(tech->answer(&keys, &flow, &pkt), want);
    assert_int_not_equal(tech->answer(&other_keys, &flow, &pkt), want);
    struct sp_flow other = flow;
    other.block++;
    assert_int_not_equal(tech->answer(&keys, &other, &pkt), want);
    assert_false(tech->match(&keys, &pkt, &block, &port)); /* a reply is never an arrival */
    out.result = 13;
    out.n = 0;
    assert_int_equal(tech->reply(&flow, &io), 13);
}

static void replies_go_back_the_same_way(void **state)
{
    (void)state;
    each(replies);
}

static void quotes(const struct sp_technique_info *info, const struct sp_technique *tech, bool v6)
{
    (void)info;
    struct sp_tag_keys keys = keys_of(1);
    struct sp_tag_keys other_keys = keys_of(2);
    struct sp_flow flow = flow_of(v6, 300, port_of(tech, 8080));
    struct sp_flow other = flow_of(v6, 301, port_of(tech, 8081));
    struct sp_spec spec = start(tech, &keys, &flow).specs[0];
    struct kit_bytes quote;
    uint8_t body[512] = {(uint8_t)(v6 ? 1 : 3), 1};
    uint8_t bytes[1024];
    struct sp_pkt pkt;
    kit_build(&spec, &quote);
    memcpy(body + 8, quote.at, quote.len);
    if (v6 && sp_technique_is_one_way(sp_technique_index(info))) {
        return; /* of a type without an identifier; and no error quotes an error (RFC 4443 2.4) */
    }
    /* A router quotes at least the header and 8 bytes (RFC 792): that must be enough. */
    size_t len = 8 + (v6 ? 40 : 20) + 8;
    if (sp_odd_is_any(&spec.odd)) {
        len = 8 + quote.len; /* the header is longer; IPv6 quotes as much as fits (RFC 4443 2.4) */
    }
    len = v6 ? kit_ip6(bytes, 58, "2001:db8::fe", "2001:db8:1::a", body, len)
             : kit_ip4(bytes, 1, "10.1.0.254", "10.1.0.1", body, len);
    assert_true(sp_pkt_parse(bytes, len, &pkt));
    assert_true(pkt.is_icmp_error);
    assert_true(tech->quoted(&keys, &flow, &pkt));
    assert_false(tech->quoted(&keys, &other, &pkt));
    if (spec.ip_proto == SP_IPPROTO_TCP) {
        assert_false(tech->quoted(&other_keys, &flow, &pkt));
    }
}

static void errors_quote_the_flow(void **state)
{
    (void)state;
    each(quotes);
}

static void refusals(const struct sp_technique_info *info, const struct sp_technique *tech, bool v6)
{
    (void)info;
    struct sp_tag_keys keys = keys_of(1);
    struct sp_flow flow = flow_of(v6, 300, port_of(tech, 8080));
    struct emitted out = {.result = 1};
    struct sp_addr forged = forged_of(&flow);
    struct sp_outer outers[SP_OUTERS_MAX];
    outers_of(tech, &flow, outers);
    struct sp_tech_io io = {.keys = &keys,
                            .forged = &forged,
                            .outers = outers,
                            .nouters = tech->wraps != SP_WRAP_NONE ? SP_OUTERS_MAX : 0,
                            .emit = emit,
                            .arg = &out};
    assert_int_equal(tech->start(&flow, &io), 1);
    assert_int_equal(out.n, 1); /* what is refused once is not asked again */
}

static void a_refusal_of_the_kernel_is_passed_on(void **state)
{
    (void)state;
    each(refusals);
}

/* ---- conversations ---- */

/* Drives one to its end against a peer that accepts and answers; every packet must be well formed
 * and of the flow, and the one with data must be found again by its tag. */
static void talked(const struct sp_technique_info *info, const struct sp_technique *tech, bool v6,
                   bool http)
{
    struct sp_tag_keys keys = keys_of(1);
    struct sp_tag_keys other = keys_of(2);
    struct sp_flow flow = flow_of(v6, 300, port_of(tech, 8080));
    struct emitted out = {.n = 0};
    struct sp_tech_io io = {.keys = &keys, .now_us = 1000, .emit = emit, .arg = &out};
    struct sp_dialog dialog = {.is_http = http, .begun_us = 1000};
    size_t with_data = 0;
    dialog.until_us = dialog.due_us = 1000 + tech->patience_us;
    assert_int_equal(tech->start(&flow, &io), 0);
    size_t seen = 0;
    while (dialog.state != SP_DIALOG_OVER) {
        assert_true(out.n <= (size_t)2 * info->packets);
        if (out.n > seen) { /* the peer: SYN/ACK, then an answer to data */
            seen = out.n;
            const struct sp_spec *last = &out.specs[out.n - 1];
            struct kit_bytes bytes;
            struct sp_pkt pkt;
            struct sp_spec back = reversed(last);
            bool syn = last->tcp_flags == SP_TCP_SYN;
            back.seq = syn ? 5000 : 5001;
            back.ack = last->seq + (syn ? 1 : (uint32_t)last->payload_len);
            back.tcp_flags = syn ? SP_TCP_SYN | SP_TCP_ACK : SP_TCP_ACK | SP_TCP_PSH;
            uint16_t block = 0;
            uint16_t port = 0;
            read_back(last, &bytes, &pkt);
            assert_true(sp_addr_eq(&pkt.src, &flow.src) && sp_addr_eq(&pkt.dst, &flow.dst));
            assert_true(pkt.sport == flow.sport && pkt.dport == tech->wire_dport(&flow));
            assert_false(tech->match(&other, &pkt, &block, &port));
            assert_int_equal(tech->match(&keys, &pkt, &block, &port), syn || last->payload_len > 0);
            if (syn || last->payload_len > 0) {
                assert_true(block == flow.block && port == flow.port);
                with_data += !syn;
                read_back(&back, &bytes, &pkt);
                tech->on_packet(&dialog, &flow, &pkt, &io);
            }
        } else {
            assert_true(dialog.due_us >= io.now_us);
            io.now_us = dialog.due_us;
            tech->on_timer(&dialog, &flow, &io);
        }
    }
    assert_int_equal(with_data, 1);
    assert_int_equal(out.n, info->packets);
    assert_int_equal(dialog.answer, SP_ANSWER_DATA);
    assert_int_equal(dialog.flags, SP_ANSWER_DATA_ACKED);
    assert_true((out.specs[out.n - 1].tcp_flags & SP_TCP_RST) != 0);
}

static void talks(const struct sp_technique_info *info, const struct sp_technique *tech, bool v6)
{
    if (tech->on_packet) {
        talked(info, tech, v6, false);
        talked(info, tech, v6, true);
    }
}

static void conversations_come_to_an_end(void **state)
{
    (void)state;
    each(talks);
}

/* A SYN that tests a denied flow carries no data: real services are left alone. */
static void a_syn_has_no_payload(void **state)
{
    (void)state;
    const struct sp_technique_info *info = sp_technique_for(SP_PROTO_TCP, SP_FAMILY_IPV4);
    struct sp_tag_keys keys = keys_of(1);
    struct sp_flow flow = flow_of(false, 1, 22);
    assert_non_null(info);
    struct emitted out = start(sp_technique_code(sp_technique_index(info)), &keys, &flow);
    assert_int_equal(out.specs[0].payload_len, 0);
    assert_int_equal(out.specs[0].tcp_flags, SP_TCP_SYN);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(data_and_code_agree),
        cmocka_unit_test(packets_are_found_again),
        cmocka_unit_test(translation_does_not_hide_the_tag),
        cmocka_unit_test(a_flipped_bit_is_refused),
        cmocka_unit_test(nothing_else_is_taken_for_it),
        cmocka_unit_test(answers_are_told_apart),
        cmocka_unit_test(replies_go_back_the_same_way),
        cmocka_unit_test(errors_quote_the_flow),
        cmocka_unit_test(a_refusal_of_the_kernel_is_passed_on),
        cmocka_unit_test(conversations_come_to_an_end),
        cmocka_unit_test(a_syn_has_no_payload),
    };
    return cmocka_run_group_tests_name("techniques", tests, NULL, NULL);
}
