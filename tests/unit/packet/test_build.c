/* SPDX-License-Identifier: Apache-2.0
 *
 * What libnet builds is what was asked for, as the parser reads it and as an independent checksum
 * sees it. */
#include <libnet.h>
#include <string.h>

#include "tests/support/sp_cmocka.h"
#include "tests/unit/packet/packet_kit.h"

static struct sp_spec spec_of(uint8_t proto, bool v6)
{
    struct sp_spec spec = {.src = kit_addr(v6 ? "2001:db8:1::a" : "10.1.2.3"),
                           .dst = kit_addr(v6 ? "2001:db8:2::b" : "10.4.5.6"),
                           .ip_proto = proto,
                           .ip_id = 0xbeef,
                           .sport = 40001,
                           .dport = 443,
                           .seq = 0xcafebabe,
                           .ack = 0x01020304,
                           .tcp_flags = SP_TCP_SYN,
                           .tcp_options = true,
                           .tsval = 0x11223344,
                           .tsecr = 0x55667788,
                           .icmp_type = v6 ? SP_ICMP6_ECHO : SP_ICMP_ECHO,
                           .echo_id = 0x7777,
                           .echo_seq = 0x8888};
    return spec;
}

static void check(const struct sp_spec *spec)
{
    struct kit_bytes b;
    struct sp_pkt pkt;
    kit_build(spec, &b);
    assert_true(kit_checksums_ok(b.at, b.len));
    assert_true(sp_pkt_parse(b.at, b.len, &pkt));
    assert_true(sp_addr_eq(&pkt.src, &spec->src));
    assert_true(sp_addr_eq(&pkt.dst, &spec->dst));
    assert_int_equal(pkt.ip_proto, spec->ip_proto);
    assert_int_equal(pkt.ttl, spec->ttl ? spec->ttl : 64);
    assert_int_equal(pkt.ip_id, spec->dst.family == SP_FAMILY_IPV4 ? spec->ip_id : 0);
    assert_false(pkt.is_fragment);
    assert_int_equal(pkt.payload_len, spec->payload_len);
    if (spec->payload_len) {
        assert_memory_equal(pkt.payload, spec->payload, spec->payload_len);
    } else {
        assert_null(pkt.payload);
    }
    if (spec->ip_proto == SP_IPPROTO_TCP || spec->ip_proto == SP_IPPROTO_UDP) {
        assert_int_equal(pkt.sport, spec->sport);
        assert_int_equal(pkt.dport, spec->dport);
    } else {
        assert_int_equal(pkt.icmp_type, spec->icmp_type);
        assert_int_equal(pkt.icmp_code, spec->icmp_code);
        assert_int_equal(pkt.echo_id, spec->echo_id);
        assert_int_equal(pkt.echo_seq, spec->echo_seq);
        assert_false(pkt.is_icmp_error);
    }
    if (spec->ip_proto == SP_IPPROTO_TCP) {
        assert_int_equal(pkt.seq, spec->seq);
        assert_int_equal(pkt.ack, spec->ack);
        assert_int_equal(pkt.tcp_flags, spec->tcp_flags);
        assert_int_equal(pkt.window, 64240);
        assert_int_equal(pkt.has_timestamps, spec->tcp_options);
        assert_int_equal(pkt.tsval, spec->tcp_options ? spec->tsval : 0);
        assert_int_equal(pkt.tsecr, spec->tcp_options ? spec->tsecr : 0);
    }
}

static void every_protocol_family_and_payload(void **state)
{
    (void)state;
    for (int v6 = 0; v6 < 2; v6++) {
        const uint8_t protos[] = {SP_IPPROTO_TCP, SP_IPPROTO_UDP,
                                  v6 ? SP_IPPROTO_ICMP6 : SP_IPPROTO_ICMP};
        for (size_t p = 0; p < 3; p++) {
            for (size_t len = 0; len <= 64; len++) { /* odd lengths are what checksums get wrong */
                struct sp_spec spec = spec_of(protos[p], v6);
                spec.payload_len = len;
                memset(spec.payload, 0xab, len);
                check(&spec);
                spec.tcp_options = false;
                spec.ttl = (uint8_t)(1 + len * 3);
                spec.tcp_flags = SP_TCP_RST | SP_TCP_ACK;
                check(&spec);
            }
        }
    }
}

/* The options are a Linux SYN's, byte for byte. */
static void syn_looks_like_linux(void **state)
{
    (void)state;
    static const uint8_t want[20] = {2,    4,    0x05, 0xb4, 4,    2,    8, 10, 0x11, 0x22,
                                     0x33, 0x44, 0x55, 0x66, 0x77, 0x88, 1, 3,  3,    7};
    struct sp_spec spec = spec_of(SP_IPPROTO_TCP, false);
    struct kit_bytes b;
    kit_build(&spec, &b);
    assert_int_equal(b.len, 60);
    assert_int_equal(b.at[0], 0x45);
    assert_int_equal(b.at[6] & 0x40, 0x40); /* do not fragment */
    assert_memory_equal(b.at + 40, want, 20);
}

/* A UDP checksum that comes out as 0 is written as ffff: over IPv6, receivers and stateful
 * firewalls drop a zero one (RFC 8200 8.1), and the packet would look blocked. */
static void udp_checksum_is_never_zero(void **state)
{
    (void)state;
    for (int v6 = 0; v6 < 2; v6++) {
        struct sp_spec spec = spec_of(SP_IPPROTO_UDP, v6);
        struct kit_bytes b;
        spec.payload_len = 2;
        memset(spec.payload, 0, 2);
        kit_build(&spec, &b);
        size_t at = v6 ? 46 : 26;
        /* Putting the checksum into the payload makes the sum ffff, hence the checksum 0. */
        spec.payload[0] = b.at[at];
        spec.payload[1] = b.at[at + 1];
        kit_build(&spec, &b);
        assert_int_equal(b.at[at], 0xff);
        assert_int_equal(b.at[at + 1], 0xff);
        assert_true(kit_checksums_ok(b.at, b.len));
    }
}

static void ethernet_goes_in_front(void **state)
{
    (void)state;
    static const uint8_t from[6] = {2, 0, 0, 0, 0, 1};
    static const uint8_t to[6] = {2, 0, 0, 0, 0, 2};
    char errbuf[LIBNET_ERRBUF_SIZE];
    for (int v6 = 0; v6 < 2; v6++) {
        struct sp_spec spec = spec_of(SP_IPPROTO_UDP, v6);
        struct sp_built built;
        struct sp_pkt pkt;
        libnet_t *l = libnet_init(LIBNET_NONE, NULL, errbuf);
        assert_non_null(l);
        for (int again = 0; again < 3; again++) { /* one context serves many packets */
            assert_int_equal(sp_spec_build(l, &spec, from, to, &built, NULL), SP_OK);
            assert_memory_equal(built.bytes, to, 6);
            assert_memory_equal(built.bytes + 6, from, 6);
            assert_int_equal(built.bytes[12] << 8 | built.bytes[13], v6 ? 0x86dd : 0x0800);
            assert_true(kit_checksums_ok(built.bytes + 14, built.len - 14));
            assert_true(sp_pkt_parse(built.bytes + 14, built.len - 14, &pkt));
            sp_built_free(&built);
        }
        libnet_destroy(l);
    }
}

static void unknown_protocol(void **state)
{
    (void)state;
    char errbuf[LIBNET_ERRBUF_SIZE];
    struct sp_spec spec = spec_of(58, false); /* ICMPv6 over IPv4 */
    struct sp_built built = {0};
    struct sp_diag diag = {0};
    libnet_t *l = libnet_init(LIBNET_NONE, NULL, errbuf);
    assert_int_equal(sp_spec_build(l, &spec, NULL, NULL, &built, &diag), SP_E_INVALID);
    assert_null(built.bytes);
    assert_true(diag.text[0] != '\0');
    libnet_destroy(l);
}

/* Zeros behind the payload, and every checksum still right. */
static void padding(void **state)
{
    (void)state;
    static const uint8_t protos[] = {SP_IPPROTO_TCP, SP_IPPROTO_UDP, SP_IPPROTO_ICMP};
    for (size_t i = 0; i < SP_ARRAY_LEN(protos); i++) {
        for (int v6 = 0; v6 < 2; v6++) {
            bool is_icmp6 = protos[i] == SP_IPPROTO_ICMP && v6;
            struct sp_spec spec = spec_of(is_icmp6 ? SP_IPPROTO_ICMP6 : protos[i], v6);
            struct kit_bytes plain;
            struct kit_bytes padded;
            struct sp_pkt pkt;
            spec.payload_len = 28;
            memset(spec.payload, 0xa5, 28);
            kit_build(&spec, &plain);
            spec.pad = 1333;
            kit_build(&spec, &padded);
            assert_int_equal(padded.len, plain.len + 1333);
            assert_true(kit_checksums_ok(padded.at, padded.len));
            assert_true(sp_pkt_parse(padded.at, padded.len, &pkt));
            assert_int_equal(pkt.payload_len, 28 + 1333);
            assert_memory_equal(pkt.payload, spec.payload, 28);
            assert_int_equal(pkt.payload[28 + 1332], 0);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_protocol_family_and_payload),
        cmocka_unit_test(syn_looks_like_linux),
        cmocka_unit_test(udp_checksum_is_never_zero),
        cmocka_unit_test(ethernet_goes_in_front),
        cmocka_unit_test(unknown_protocol),
        cmocka_unit_test(padding),
    };
    return cmocka_run_group_tests_name("build", tests, NULL, NULL);
}
