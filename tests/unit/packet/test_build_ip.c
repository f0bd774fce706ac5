/* SPDX-License-Identifier: Apache-2.0
 *
 * Packets that are odd at the IP layer, as the parser and an independent checksum see them: options
 * and extension headers change nothing behind them, and fragments put together again are the packet
 * that was cut. */
#include <stdlib.h>
#include <string.h>

#include "tests/support/sp_cmocka.h"
#include "tests/unit/packet/packet_kit.h"

static struct sp_spec spec_of(bool v6, uint8_t proto)
{
    struct sp_spec spec = {.src = kit_addr(v6 ? "2001:db8:1::a" : "10.1.2.3"),
                           .dst = kit_addr(v6 ? "2001:db8:2::b" : "10.4.5.6"),
                           .ip_proto = proto,
                           .ip_id = 0xbeef,
                           .sport = 40001,
                           .dport = 443,
                           .seq = 0xcafebabe,
                           .tcp_flags = SP_TCP_SYN,
                           .tcp_options = true,
                           .tsval = 0x11223344,
                           .tsecr = 0x55667788,
                           .payload_len = proto == SP_IPPROTO_UDP ? 29 : 0,
                           .odd = {.id = 0x01020304}};
    memset(spec.payload, 0x5a, sizeof(spec.payload));
    return spec;
}

/* The parser finds the same transport behind whatever stands in front of it. */
static void check_same(const struct sp_spec *spec, size_t extra)
{
    struct kit_bytes plain_bytes;
    struct kit_bytes bytes;
    struct sp_pkt plain;
    struct sp_pkt pkt;
    struct sp_spec without = *spec;
    without.odd = (struct sp_odd){0};
    kit_build(&without, &plain_bytes);
    kit_build(spec, &bytes);
    assert_int_equal(bytes.len, plain_bytes.len + extra);
    assert_true(kit_checksums_ok(bytes.at, bytes.len));
    assert_true(sp_pkt_parse(plain_bytes.at, plain_bytes.len, &plain));
    assert_true(sp_pkt_parse(bytes.at, bytes.len, &pkt));
    assert_true(sp_addr_eq(&pkt.src, &plain.src) && sp_addr_eq(&pkt.dst, &plain.dst));
    assert_int_equal(pkt.ip_proto, plain.ip_proto);
    assert_int_equal(pkt.ttl, plain.ttl);
    assert_int_equal(pkt.ip_id, plain.ip_id);
    assert_int_equal(pkt.sport, plain.sport);
    assert_int_equal(pkt.dport, plain.dport);
    assert_int_equal(pkt.seq, plain.seq);
    assert_int_equal(pkt.tsval, plain.tsval);
    assert_int_equal(pkt.tcp_flags, plain.tcp_flags);
    assert_int_equal(pkt.payload_len, plain.payload_len);
    assert_false(pkt.is_fragment);
    assert_false(sp_pkt_parse_piece(bytes.at, bytes.len, &pkt));
    /* Behind the IP header not a byte is another one. */
    size_t transport = plain_bytes.len - (spec->dst.family == SP_FAMILY_IPV4 ? 20 : 40);
    assert_memory_equal(bytes.at + bytes.len - transport,
                        plain_bytes.at + plain_bytes.len - transport, transport);
}

static void options_of_every_length(void **state)
{
    (void)state;
    for (uint8_t len = 4; len <= SP_ODD_OPTIONS; len += 4) {
        struct sp_spec spec = spec_of(false, len % 8 ? SP_IPPROTO_TCP : SP_IPPROTO_UDP);
        struct kit_bytes bytes;
        memset(spec.odd.options, 1, len);
        spec.odd.options[0] = 7; /* record route over all of it */
        spec.odd.options[1] = (uint8_t)(len - 1);
        spec.odd.options[2] = 4;
        spec.odd.options_len = len;
        check_same(&spec, len);
        kit_build(&spec, &bytes);
        assert_int_equal(bytes.at[0], 0x45 + len / 4);
        assert_memory_equal(bytes.at + 20, spec.odd.options, len);
    }
}

static void a_source_route_stands_as_it_was_given(void **state)
{
    (void)state;
    struct sp_spec spec = spec_of(false, SP_IPPROTO_TCP);
    static const uint8_t route[8] = {1, 131, 7, 4, 10, 4, 5, 6};
    struct kit_bytes bytes;
    memcpy(spec.odd.options, route, sizeof(route));
    spec.odd.options_len = sizeof(route);
    check_same(&spec, sizeof(route));
    kit_build(&spec, &bytes);
    assert_memory_equal(bytes.at + 20, route, sizeof(route));
    /* By way of a router: its address in the header, and the receiver's in the transport's sum. */
    uint8_t before[40];
    struct sp_pkt pkt;
    memcpy(before, bytes.at + 28, sizeof(before));
    spec.odd.via = kit_addr("10.1.2.254");
    kit_build(&spec, &bytes);
    assert_memory_equal(bytes.at + 28, before, sizeof(before));
    assert_true(sp_pkt_parse(bytes.at, bytes.len, &pkt));
    assert_true(sp_addr_eq(&pkt.dst, &spec.odd.via));
    memcpy(bytes.at + 16, spec.dst.bytes, 4); /* the router does that */
    uint32_t sum = 0; /* of the header, its own sum counted in: of that the kit says no more */
    for (size_t i = 0; i < 28; i += 2) {
        sum += (uint32_t)bytes.at[i] << 8 | bytes.at[i + 1];
    }
    assert_true(sum > 0);
}

static void every_chain_of_extension_headers(void **state)
{
    (void)state;
    static const uint8_t types[] = {SP_EH_HOPOPTS, SP_EH_ROUTING, SP_EH_FRAGMENT, SP_EH_DSTOPTS};
    for (unsigned mask = 1; mask < 256; mask++) { /* up to four of four */
        struct sp_spec spec = spec_of(true, mask % 2 ? SP_IPPROTO_TCP : SP_IPPROTO_UDP);
        struct kit_bytes bytes;
        size_t extra = 0;
        spec.odd.chain_len = (uint8_t)(1 + mask % SP_ODD_CHAIN);
        spec.odd.routing_type = mask % 3 ? 2 : 0;
        for (unsigned i = 0; i < spec.odd.chain_len; i++) {
            spec.odd.chain[i] = types[mask >> (2 * i) & 3];
            extra += spec.odd.chain[i] == SP_EH_ROUTING ? 24 : 8;
        }
        check_same(&spec, extra);
        kit_build(&spec, &bytes);
        assert_int_equal(bytes.at[6], spec.odd.chain[0]);
    }
}

/* Cuts at `cut` bytes each, takes the fragments as the parser reads them, and puts them together.
 */
static void cut_and_join(bool v6, uint8_t proto, uint16_t cut, uint8_t eh)
{
    struct sp_spec spec = spec_of(v6, proto);
    struct kit_bytes whole;
    uint8_t joined[KIT_MAX];
    size_t header = v6 ? 40 : 20;
    size_t got = 0;
    kit_build(&spec, &whole);
    size_t body = whole.len - header;
    if (eh) {
        spec.odd.chain[0] = SP_EH_DSTOPTS;
        spec.odd.chain_len = 1;
    }
    for (size_t from = 0; from < body; from += cut) {
        struct kit_bytes bytes;
        struct sp_pkt pkt;
        spec.odd.from = (uint16_t)from;
        spec.odd.to = (uint16_t)(from + cut < body ? from + cut : body);
        spec.odd.is_more = spec.odd.to < body;
        kit_build(&spec, &bytes);
        bool is_piece = from > 0 || spec.odd.is_more;
        assert_int_equal(sp_pkt_parse_piece(bytes.at, bytes.len, &pkt), is_piece);
        if (!is_piece) {
            continue;
        }
        assert_int_equal(pkt.offset, from);
        assert_int_equal(pkt.is_more, spec.odd.is_more);
        assert_int_equal(pkt.frag_id, v6 ? 0x01020304 : 0xbeef);
        assert_int_equal(pkt.ip_proto, proto);
        assert_true(sp_addr_eq(&pkt.src, &spec.src) && sp_addr_eq(&pkt.dst, &spec.dst));
        assert_int_equal(pkt.payload_len, spec.odd.to - spec.odd.from);
        memcpy(joined + from, pkt.payload, pkt.payload_len);
        got += pkt.payload_len;
        struct sp_pkt other;
        assert_true(from == 0 || !sp_pkt_parse(bytes.at, bytes.len, &other));
        if (!v6) {
            assert_int_equal(bytes.at[6] & 0x40, 0); /* fragments must not say: do not fragment */
            assert_int_equal((size_t)bytes.at[2] << 8 | bytes.at[3], bytes.len);
        }
    }
    if (got > 0) {
        assert_int_equal(got, body);
        assert_memory_equal(joined, whole.at + header, body);
    }
}

static void fragments_put_together_are_the_packet(void **state)
{
    (void)state;
    for (uint16_t cut = 8; cut <= 64; cut += 8) {
        cut_and_join(false, SP_IPPROTO_TCP, cut, 0);
        cut_and_join(false, SP_IPPROTO_UDP, cut, 0);
        cut_and_join(true, SP_IPPROTO_TCP, cut, 0);
        cut_and_join(true, SP_IPPROTO_UDP, cut, 1);
    }
}

static void what_cannot_be_is_refused(void **state)
{
    (void)state;
    uint8_t out[SP_SPEC_MAX_BYTES];
    struct sp_spec v4 = spec_of(false, SP_IPPROTO_TCP);
    struct sp_spec v6 = spec_of(true, SP_IPPROTO_TCP);
    struct kit_bytes b4;
    struct kit_bytes b6;
    struct sp_spec bad;
    kit_build(&v4, &b4);
    kit_build(&v6, &b6);
    v4.odd.options_len = 4;
    assert_int_equal(sp_odd_apply(&v4, b4.at, b4.len, out, 0, sizeof(out)), b4.len + 4);
    assert_int_equal(sp_odd_apply(&v4, b4.at, b4.len, out, 14, sizeof(out)), b4.len + 18);
    assert_int_equal(sp_odd_apply(&v4, b4.at, b4.len, out, 0, b4.len), 0); /* no room */
    assert_int_equal(sp_odd_apply(&v4, b4.at, 19, out, 0, sizeof(out)), 0);
    assert_int_equal(sp_odd_apply(&v6, b6.at, 39, out, 0, sizeof(out)), 0);
    assert_int_equal(sp_odd_apply(&v4, b4.at, b4.len, out, sizeof(out), sizeof(out)), 0);
    bad = v4;
    bad.odd.options_len = 3;
    assert_int_equal(sp_odd_apply(&bad, b4.at, b4.len, out, 0, sizeof(out)), 0);
    bad.odd.options_len = 44;
    assert_int_equal(sp_odd_apply(&bad, b4.at, b4.len, out, 0, sizeof(out)), 0);
    bad = v6;
    bad.odd.options_len = 4; /* IPv6 has none */
    assert_int_equal(sp_odd_apply(&bad, b6.at, b6.len, out, 0, sizeof(out)), 0);
    bad = v6;
    bad.odd.chain_len = SP_ODD_CHAIN + 1;
    assert_int_equal(sp_odd_apply(&bad, b6.at, b6.len, out, 0, sizeof(out)), 0);
    bad = v4;
    bad.odd.chain_len = 1; /* IPv4 has none */
    assert_int_equal(sp_odd_apply(&bad, b4.at, b4.len, out, 0, sizeof(out)), 0);
    bad = v4;
    bad.odd.from = 4;
    bad.odd.to = 16; /* not a multiple of 8 */
    assert_int_equal(sp_odd_apply(&bad, b4.at, b4.len, out, 0, sizeof(out)), 0);
    bad.odd.from = 16; /* nothing in it */
    assert_int_equal(sp_odd_apply(&bad, b4.at, b4.len, out, 0, sizeof(out)), 0);
    bad.odd.to = 48; /* more than there is */
    assert_int_equal(sp_odd_apply(&bad, b4.at, b4.len, out, 0, sizeof(out)), 0);
    bad.odd.to = 40;
    assert_int_equal(sp_odd_apply(&bad, b4.at, b4.len, out, 0, sizeof(out)), 24 + 24);
}

/* Cut short anywhere, and every byte of the headers changed: the parser stays inside. (A sanitizer
 * says when it does not.) */
static void the_parser_stays_inside(void **state)
{
    (void)state;
    for (int v6 = 0; v6 < 2; v6++) {
        struct sp_spec spec = spec_of(v6, SP_IPPROTO_TCP);
        struct kit_bytes bytes;
        struct sp_pkt pkt;
        spec.odd.from = 8;
        spec.odd.to = 40;
        spec.odd.chain[0] = SP_EH_ROUTING;
        spec.odd.chain_len = v6 ? 1 : 0;
        kit_build(&spec, &bytes);
        uint8_t *copy = malloc(bytes.len);
        assert_non_null(copy);
        for (size_t len = 0; len <= bytes.len; len++) {
            for (size_t at = 0; at < len; at++) {
                memcpy(copy + bytes.len - len, bytes.at, len);
                copy[bytes.len - len + at] ^= 0xff;
                if (sp_pkt_parse_piece(copy + bytes.len - len, len, &pkt)) {
                    assert_true(pkt.payload_len <= len);
                }
                (void)sp_pkt_parse(copy + bytes.len - len, len, &pkt);
            }
        }
        free(copy);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(options_of_every_length),
        cmocka_unit_test(a_source_route_stands_as_it_was_given),
        cmocka_unit_test(every_chain_of_extension_headers),
        cmocka_unit_test(fragments_put_together_are_the_packet),
        cmocka_unit_test(what_cannot_be_is_refused),
        cmocka_unit_test(the_parser_stays_inside),
    };
    return cmocka_run_group_tests_name("build_ip", tests, NULL, NULL);
}
