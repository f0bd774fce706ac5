/* SPDX-License-Identifier: Apache-2.0
 *
 * The parser on hostile bytes: every truncation, extension headers, fragments, quotes, options that
 * lie. What it refuses leaves the result untouched; what it accepts lies inside the bytes given. */
#include <stdlib.h>
#include <string.h>

#include "tests/support/sp_cmocka.h"
#include "tests/unit/packet/packet_kit.h"

#define A4 "192.0.2.1"
#define B4 "198.51.100.2"
#define A6 "2001:db8::1"
#define B6 "2001:db8::2"

/* From memory of exactly this length, so that a read past the end is caught by the sanitizer. */
static bool parse(const uint8_t *bytes, size_t len, struct sp_pkt *pkt)
{
    struct sp_pkt before;
    uint8_t *exact = malloc(len ? len : 1);
    assert_non_null(exact);
    memcpy(exact, bytes, len);
    memset(pkt, 0x5a, sizeof(*pkt));
    memcpy(&before, pkt, sizeof(before));
    bool ok = sp_pkt_parse(exact, len, pkt);
    if (!ok) {
        assert_memory_equal(pkt, &before, sizeof(before));
    } else if (pkt->payload_len) {
        assert_true(pkt->payload >= exact && pkt->payload + pkt->payload_len <= exact + len);
    } else {
        assert_null(pkt->payload);
    }
    free(exact);
    return ok;
}

static void tcp(uint8_t *t, size_t options_len)
{
    static const uint8_t head[20] = {0x9c, 0x41, 0x01, 0xbb, 1,    2,    3,    4,
                                     5,    6,    7,    8,    0x50, 0x02, 0xfa, 0xf0};
    memcpy(t, head, sizeof(head));
    t[12] = (uint8_t)((20 + options_len) / 4 << 4);
}

static const uint8_t udp[12] = {0x9c, 0x41, 0x00, 0x35, 0, 12, 0, 0, 'd', 'a', 't', 'a'};

static void every_truncation(void **state)
{
    (void)state;
    for (int i = 0; i < 6; i++) {
        struct sp_spec spec = {.src = kit_addr(i < 3 ? A4 : A6),
                               .dst = kit_addr(i < 3 ? B4 : B6),
                               .sport = 40001,
                               .dport = 53,
                               .tcp_flags = SP_TCP_SYN,
                               .tcp_options = true,
                               .icmp_type = i < 3 ? SP_ICMP_ECHO : SP_ICMP6_ECHO,
                               .payload_len = 28};
        struct kit_bytes b;
        struct sp_pkt pkt;
        spec.ip_proto = i % 3 == 0 ? 6 : i % 3 == 1 ? 17 : i < 3 ? 1 : 58;
        kit_build(&spec, &b);
        size_t header = (i < 3 ? 20 : 40) + (i % 3 == 0 ? 20 : 8);
        for (size_t len = 0; len <= b.len; len++) {
            bool ok = parse(b.at, len, &pkt);
            assert_int_equal(ok, len >= header);
            /* Options that are cut do not become timestamps. */
            if (ok && i % 3 == 0) {
                assert_int_equal(pkt.has_timestamps, len >= header + 16);
            }
        }
    }
}

static void not_ip_at_all(void **state)
{
    (void)state;
    struct sp_pkt pkt;
    uint8_t bytes[64];
    uint8_t t[20];
    tcp(t, 0);
    for (int version = 0; version < 16; version++) {
        size_t len = kit_ip4(bytes, 6, A4, B4, t, sizeof(t));
        bytes[0] = (uint8_t)(version << 4 | 5);
        if (version != 6) {
            assert_int_equal(parse(bytes, len, &pkt), version == 4);
        }
    }
    for (uint8_t words = 0; words < 5; words++) { /* a header shorter than a header */
        size_t len = kit_ip4(bytes, 6, A4, B4, t, sizeof(t));
        bytes[0] = 0x40 | words;
        assert_false(parse(bytes, len, &pkt));
    }
    static const uint8_t others[] = {0, 2, 47, 50, 51, 99, 255};
    for (size_t i = 0; i < sizeof(others); i++) { /* see test_ipform.c */
        size_t len = kit_ip4(bytes, others[i], A4, B4, t, sizeof(t));
        assert_true(parse(bytes, len, &pkt));
        assert_int_equal(pkt.ip_proto, others[i]);
    }
    assert_true(parse(bytes, kit_ip4(bytes, 132, A4, B4, t, sizeof(t)), &pkt));
    /* Each ICMP belongs to its own family. */
    assert_false(parse(bytes, kit_ip4(bytes, 58, A4, B4, t, sizeof(t)), &pkt));
    uint8_t six[80];
    assert_false(parse(six, kit_ip6(six, 1, A6, B6, t, sizeof(t)), &pkt));
}

static void ip_options_and_link_padding(void **state)
{
    (void)state;
    uint8_t bytes[128];
    struct sp_pkt pkt;
    uint8_t body[64] = {1, 1, 1, 0};
    memcpy(body + 4, udp, sizeof(udp));
    size_t len = kit_ip4(bytes, 17, A4, B4, body, 4 + sizeof(udp));
    bytes[0] = 0x46;
    memset(bytes + len, 0xee, 20); /* Ethernet padding is not payload */
    assert_true(parse(bytes, len + 20, &pkt));
    assert_int_equal(pkt.dport, 53);
    assert_int_equal(pkt.payload_len, 4);
    bytes[0] = 0x4f; /* options longer than the packet */
    assert_false(parse(bytes, len, &pkt));
    len = kit_ip6(bytes, 17, A6, B6, udp, sizeof(udp));
    memset(bytes + len, 0xee, 20);
    assert_true(parse(bytes, len + 20, &pkt));
    assert_int_equal(pkt.payload_len, 4);
    /* A total length of 0 is what an offloading host shows of its own packets. */
    len = kit_ip4(bytes, 17, A4, B4, udp, sizeof(udp));
    bytes[2] = bytes[3] = 0;
    assert_true(parse(bytes, len, &pkt));
    assert_int_equal(pkt.payload_len, 4);
}

static void ipv4_fragments(void **state)
{
    (void)state;
    uint8_t bytes[128];
    struct sp_pkt pkt;
    size_t len = kit_ip4(bytes, 17, A4, B4, udp, sizeof(udp));
    bytes[6] = 0x40; /* do not fragment: none */
    assert_true(parse(bytes, len, &pkt));
    assert_false(pkt.is_fragment);
    bytes[6] = 0x20; /* the first of several */
    assert_true(parse(bytes, len, &pkt));
    assert_true(pkt.is_fragment);
    for (int offset = 1; offset < 0x2000; offset <<= 1) { /* later ones have no ports to read */
        bytes[6] = (uint8_t)(offset >> 8);
        bytes[7] = (uint8_t)offset;
        assert_false(parse(bytes, len, &pkt));
        bytes[6] |= 0x20;
        assert_false(parse(bytes, len, &pkt));
    }
}

static void ipv6_extension_headers(void **state)
{
    (void)state;
    static const uint8_t kinds[] = {0, 43, 60};
    uint8_t bytes[512];
    struct sp_pkt pkt;
    for (size_t chain = 1; chain <= 10; chain++) {
        uint8_t body[256] = {0};
        for (size_t i = 0; i < chain; i++) {
            body[i * 8] = i + 1 < chain ? kinds[(i + 1) % 3] : 17;
            body[i * 8 + 1] = 0;
        }
        memcpy(body + chain * 8, udp, sizeof(udp));
        size_t len = kit_ip6(bytes, kinds[0], A6, B6, body, chain * 8 + sizeof(udp));
        bool ok = parse(bytes, len, &pkt);
        assert_int_equal(ok, chain <= 8); /* bounded */
        if (ok) {
            assert_int_equal(pkt.ip_proto, 17);
            assert_int_equal(pkt.dport, 53);
            assert_int_equal(pkt.payload_len, 4);
        }
        for (size_t cut = 0; cut < len; cut++) {
            assert_int_equal(parse(bytes, cut, &pkt), chain <= 8 && cut >= len - 4);
        }
    }
    uint8_t lying[24] = {17, 255}; /* a header longer than the packet */
    memcpy(lying + 8, udp, sizeof(udp));
    assert_false(parse(bytes, kit_ip6(bytes, 60, A6, B6, lying, sizeof(lying)), &pkt));
}

static void ipv6_fragments(void **state)
{
    (void)state;
    uint8_t bytes[128];
    struct sp_pkt pkt;
    uint8_t body[8 + sizeof(udp)] = {17, 0, 0, 0, 1, 2, 3, 4};
    memcpy(body + 8, udp, sizeof(udp));
    size_t len = kit_ip6(bytes, 44, A6, B6, body, sizeof(body));
    assert_true(parse(bytes, len, &pkt)); /* an atomic fragment is a whole packet (RFC 6946) */
    assert_false(pkt.is_fragment);
    assert_int_equal(pkt.dport, 53);
    bytes[43] = 1; /* more to come */
    assert_true(parse(bytes, len, &pkt));
    assert_true(pkt.is_fragment);
    bytes[43] = 8;
    assert_false(parse(bytes, len, &pkt));
    bytes[43] = 0;
    bytes[42] = 0x80;
    assert_false(parse(bytes, len, &pkt));
    /* An atomic one behind the first of several does not make it whole. */
    uint8_t two[16 + sizeof(udp)] = {44, 0, 0, 1, 0, 0, 0, 0, 17};
    memcpy(two + 16, udp, sizeof(udp));
    assert_true(parse(bytes, kit_ip6(bytes, 44, A6, B6, two, sizeof(two)), &pkt));
    assert_true(pkt.is_fragment);
}

/* Option lists that lie about their lengths: never a timestamp, never a hang, the rest is read. */
static void tcp_options_abused(void **state)
{
    (void)state;
    static const struct {
        uint8_t bytes[40];
        size_t len;
        bool timestamps;
    } lists[] = {
        {{8, 10, 1, 2, 3, 4, 5, 6, 7, 8, 1, 1}, 12, true},
        {{1, 1, 8, 10, 1, 2, 3, 4, 5, 6, 7, 8}, 12, true},
        {{0, 1, 8, 10, 1, 2, 3, 4, 5, 6, 7, 8}, 12, false}, /* after the end */
        {{8, 9, 1, 2, 3, 4, 5, 6, 7, 1, 1, 1}, 12, false},  /* one byte short */
        {{8, 11, 1, 2, 3, 4, 5, 6, 7, 8, 9, 1}, 12, false},
        {{8, 0, 8, 10, 1, 2, 3, 4, 5, 6, 7, 8}, 12, false}, /* length 0 */
        {{8, 1, 8, 10, 1, 2, 3, 4, 5, 6, 7, 8}, 12, false},
        {{2, 255, 8, 10, 1, 2, 3, 4, 5, 6, 7, 8}, 12, false},
        {{1, 1, 1, 1, 8, 10, 1, 2, 3, 4, 5, 6}, 12, false}, /* runs into the payload */
        {{1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 8}, 12, false},  /* no length at all */
        {{3, 3, 7, 8, 10, 0, 0, 0, 1, 0, 0, 0, 0, 1, 1, 1}, 16, true},
    };
    for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
        uint8_t t[20 + 40 + 8];
        uint8_t bytes[128];
        struct sp_pkt pkt;
        tcp(t, lists[i].len);
        memcpy(t + 20, lists[i].bytes, lists[i].len);
        memset(t + 20 + lists[i].len, 0x77, 8);
        assert_true(parse(bytes, kit_ip4(bytes, 6, A4, B4, t, 28 + lists[i].len), &pkt));
        assert_int_equal(pkt.has_timestamps, lists[i].timestamps);
        assert_int_equal(pkt.payload_len, 8);
        if (!lists[i].timestamps) {
            assert_int_equal(pkt.tsval, 0);
        }
    }
    uint8_t bytes[64];
    uint8_t t[20];
    struct sp_pkt pkt;
    tcp(t, 0);
    for (uint8_t words = 0; words < 16; words++) {
        t[12] = (uint8_t)(words << 4);
        assert_int_equal(parse(bytes, kit_ip4(bytes, 6, A4, B4, t, sizeof(t)), &pkt), words >= 5);
    }
}

/* An error quotes a packet of ours; as much as it holds is believed, no more. */
static void icmp_quotes(void **state)
{
    (void)state;
    for (int v6 = 0; v6 < 2; v6++) {
        uint8_t t[20];
        uint8_t body[8 + 40 + 20] = {(uint8_t)(v6 ? 1 : 3), 13};
        uint8_t bytes[256];
        struct sp_pkt pkt;
        tcp(t, 0);
        size_t quote = v6 ? kit_ip6(body + 8, 6, A6, B6, t, sizeof(t))
                          : kit_ip4(body + 8, 6, A4, B4, t, sizeof(t));
        size_t ip = v6 ? 40 : 20;
        for (size_t len = 4; len <= 8 + quote; len++) {
            size_t n =
                v6 ? kit_ip6(bytes, 58, B6, A6, body, len) : kit_ip4(bytes, 1, B4, A4, body, len);
            assert_true(parse(bytes, n, &pkt)); /* an error without a usable quote is still ICMP */
            assert_int_equal(pkt.icmp_code, 13);
            assert_int_equal(pkt.is_icmp_error, len >= 8 + ip + 4);
            if (len >= 8 + ip + 8) {
                assert_int_equal(pkt.quoted.sport, 40001);
                assert_int_equal(pkt.quoted.dport, 443);
                assert_int_equal(pkt.quoted.seq, 0x01020304);
                assert_int_equal(pkt.quoted.ip_proto, 6);
                struct sp_addr want = kit_addr(v6 ? A6 : A4);
                assert_true(sp_addr_eq(&pkt.quoted.src, &want));
            } else {
                assert_int_equal(pkt.quoted.seq, 0);
            }
        }
        for (size_t len = 0; len < 4; len++) {
            size_t n =
                v6 ? kit_ip6(bytes, 58, B6, A6, body, len) : kit_ip4(bytes, 1, B4, A4, body, len);
            assert_false(parse(bytes, n, &pkt));
        }
    }
}

/* Time exceeded and packet too big, and what only looks like them. */
static void icmp_on_the_path(void **state)
{
    (void)state;
    static const struct {
        bool v6;
        uint8_t type, code;
        bool expired, too_big;
    } rows[] = {{false, 11, 0, true, false}, {false, 11, 1, false, false},
                {false, 3, 4, false, true},  {false, 3, 13, false, false},
                {true, 3, 0, true, false},   {true, 3, 1, false, false},
                {true, 2, 0, false, true},   {true, 1, 4, false, false}};
    for (size_t i = 0; i < SP_ARRAY_LEN(rows); i++) {
        bool v6 = rows[i].v6;
        uint8_t t[20];
        uint8_t body[8 + 40 + 20] = {rows[i].type, rows[i].code, 0, 0, 0, 1, 0x05, 0x78};
        uint8_t bytes[256];
        struct sp_pkt pkt;
        tcp(t, 0);
        size_t quote = v6 ? kit_ip6(body + 8, 6, A6, B6, t, sizeof(t))
                          : kit_ip4(body + 8, 6, A4, B4, t, sizeof(t));
        size_t n = v6 ? kit_ip6(bytes, 58, B6, A6, body, 8 + quote)
                      : kit_ip4(bytes, 1, B4, A4, body, 8 + quote);
        assert_true(parse(bytes, n, &pkt));
        assert_int_equal(sp_pkt_is_expired(&pkt), rows[i].expired);
        assert_int_equal(sp_pkt_is_too_big(&pkt), rows[i].too_big);
        assert_int_equal(pkt.mtu, v6 ? 0x10578 : 0x578);
    }
}

static void icmp_quote_of_an_echo(void **state)
{
    (void)state;
    static const uint8_t echo[8] = {8, 0, 0, 0, 0x77, 0x77, 0x88, 0x88};
    uint8_t body[8 + 28] = {11, 0};
    uint8_t bytes[128];
    struct sp_pkt pkt;
    size_t n = kit_ip4(body + 8, 1, A4, B4, echo, sizeof(echo));
    assert_true(parse(bytes, kit_ip4(bytes, 1, B4, A4, body, 8 + n), &pkt));
    assert_true(pkt.is_icmp_error);
    assert_int_equal(pkt.quoted.sport, 0x7777);
    assert_int_equal(pkt.quoted.dport, 0x8888);
    body[8 + 7] = 1; /* a quoted later fragment has no ports */
    assert_true(parse(bytes, kit_ip4(bytes, 1, B4, A4, body, 8 + n), &pkt));
    assert_false(pkt.is_icmp_error);
}

static void transport_alone(void **state)
{
    (void)state;
    struct sp_pkt pkt = {.ip_proto = 17, .src = kit_addr(A6), .dst = kit_addr(B6)};
    assert_true(sp_pkt_parse_transport(udp, sizeof(udp), &pkt));
    assert_int_equal(pkt.dport, 53);
    assert_memory_equal(pkt.payload, "data", 4);
    for (size_t len = 0; len < 8; len++) {
        assert_false(sp_pkt_parse_transport(udp, len, &pkt));
    }
}

/* Random bytes behind a plausible start: nothing may crash or claim bytes that are not there. */
static void noise(void **state)
{
    (void)state;
    uint32_t x = 12345;
    for (int i = 0; i < 20000; i++) {
        uint8_t bytes[96];
        struct sp_pkt pkt;
        for (size_t k = 0; k < sizeof(bytes); k++) {
            x = x * 1664525 + 1013904223;
            bytes[k] = (uint8_t)(x >> 24);
        }
        bytes[0] = i % 2 ? 0x45 : 0x60;
        (void)parse(bytes, x % sizeof(bytes), &pkt);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_truncation),
        cmocka_unit_test(not_ip_at_all),
        cmocka_unit_test(ip_options_and_link_padding),
        cmocka_unit_test(ipv4_fragments),
        cmocka_unit_test(ipv6_extension_headers),
        cmocka_unit_test(ipv6_fragments),
        cmocka_unit_test(tcp_options_abused),
        cmocka_unit_test(icmp_quotes),
        cmocka_unit_test(icmp_on_the_path),
        cmocka_unit_test(icmp_quote_of_an_echo),
        cmocka_unit_test(transport_alone),
        cmocka_unit_test(noise),
    };
    return cmocka_run_group_tests_name("parse", tests, NULL, NULL);
}
