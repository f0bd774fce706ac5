/* SPDX-License-Identifier: Apache-2.0
 *
 * Packets of protocols without ports: every number is built and read back by the parser, which
 * knows nothing of the builder; headers have the fields and checksums of their own specifications;
 * nothing that is cut short or foreign is misread. */
#include <string.h>

#include "probe/base/ipproto.h"
#include "probe/packet/ipform.h"
#include "tests/support/sp_cmocka.h"
#include "tests/unit/packet/packet_kit.h"

static struct sp_spec spec_of(bool v6, uint8_t ip_proto)
{
    struct sp_spec spec = {.src = kit_addr(v6 ? "2001:db8:1::a" : "10.1.0.1"),
                           .dst = kit_addr(v6 ? "2001:db8:2::b" : "10.2.0.2"),
                           .ip_proto = ip_proto,
                           .ip_id = 77,
                           .sport = 40123,
                           .dport = ip_proto,
                           .payload_len = 28};
    for (size_t i = 0; i < spec.payload_len; i++) {
        spec.payload[i] = (uint8_t)(i * 7 + ip_proto);
    }
    return spec;
}

static uint16_t sum(uint32_t start, const uint8_t *at, size_t len)
{
    uint32_t all = start;
    for (size_t i = 0; i < len; i++) {
        all += i % 2 ? at[i] : (uint32_t)at[i] << 8;
    }
    while (all >> 16) {
        all = (all & 0xffff) + (all >> 16);
    }
    return (uint16_t)all;
}

static void every_protocol_is_read_back(void **state)
{
    (void)state;
    size_t n = 0;
    for (unsigned proto = 0; proto < 256; proto++) {
        for (int v6 = 0; v6 < 2; v6++) {
            if (!sp_ip_is_testable(v6 ? SP_FAMILY_IPV6 : SP_FAMILY_IPV4, (uint16_t)proto)) {
                continue;
            }
            struct sp_spec spec = spec_of(v6, (uint8_t)proto);
            struct kit_bytes bytes;
            struct sp_pkt pkt;
            kit_build(&spec, &bytes);
            assert_true(kit_checksums_ok(bytes.at, bytes.len));
            assert_true(sp_pkt_parse(bytes.at, bytes.len, &pkt));
            assert_int_equal(pkt.ip_proto, proto);
            assert_int_equal(pkt.sport, spec.sport);
            assert_int_equal(pkt.dport, spec.dport);
            assert_int_equal(pkt.payload_len, spec.payload_len);
            assert_memory_equal(pkt.payload, spec.payload, spec.payload_len);
            struct sp_ipform form = sp_ipform_of(pkt.src.family, (uint8_t)proto);
            assert_true(form.tag <= SP_IPFORM_MAX && form.numbers + 4U <= form.tag + 4U);
            for (size_t len = 0; len < bytes.len; len++) { /* cut short: never more than is there */
                memset(&pkt, 0, sizeof(pkt));
                if (sp_pkt_parse(bytes.at, len, &pkt) && pkt.payload) {
                    assert_true(pkt.payload + pkt.payload_len <= bytes.at + len);
                }
            }
            n++;
        }
    }
    assert_int_equal(n, 2 * 256 - 2 * 8 - 7);
}

/* The witnesses see no protocol that cannot be tested. */
static void witnessed_protocols_are_testable(void **state)
{
    (void)state;
    size_t n;
    const uint8_t *numbers = sp_ip_witnessed(&n);
    assert_int_equal(n, 15);
    for (size_t i = 0; i < n; i++) {
        assert_true(i == 0 || numbers[i - 1] < numbers[i]);
        assert_true(sp_ip_is_witnessed(numbers[i]));
        assert_true(sp_ip_is_testable(SP_FAMILY_IPV4, numbers[i]));
        assert_true(sp_ip_is_testable(SP_FAMILY_IPV6, numbers[i]));
    }
    assert_false(sp_ip_is_witnessed(6));
    assert_false(sp_ip_is_witnessed(256 + 47));
    assert_false(sp_ip_is_testable(SP_FAMILY_IPV4, 256 + 47));
    static const uint16_t own[] = {0, 1, 6, 17, 58, 132, 256};
    for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++) {
        assert_false(sp_ip_is_testable(SP_FAMILY_IPV4, own[i]));
        assert_false(sp_ip_is_testable(SP_FAMILY_IPV6, own[i]));
    }
    assert_true(sp_ip_is_testable(SP_FAMILY_IPV4, 44));
    assert_false(sp_ip_is_testable(SP_FAMILY_IPV6, 44)); /* an extension header */
}

/* Fields and sums, by their specifications. */
static void headers_are_well_formed(void **state)
{
    (void)state;
    for (int v6 = 0; v6 < 2; v6++) {
        struct kit_bytes b;
        struct sp_spec spec = spec_of(v6, 4);
        size_t ip = v6 ? 40 : 20;
        const uint8_t *h = b.at + ip;
        kit_build(&spec, &b); /* IPv4 in IP: total length, header sum, one hop left */
        assert_int_equal(h[0], 0x45);
        assert_int_equal(h[2] << 8 | h[3], b.len - ip);
        assert_int_equal(h[8], 1);
        assert_int_equal(sum(0, h, 20), 0xffff);
        spec = spec_of(v6, 41);
        kit_build(&spec, &b); /* IPv6 in IP */
        assert_int_equal(h[0] >> 4, 6);
        assert_int_equal(h[4] << 8 | h[5], b.len - ip - 40);
        assert_int_equal(h[7], 1);
        spec = spec_of(v6, 47);
        kit_build(&spec, &b); /* GRE version 0 without options, of no protocol that anybody takes */
        assert_int_equal(h[0], 0);
        assert_int_equal(h[1], 0);
        assert_int_equal(h[2] << 8 | h[3], 0x88b5);
        spec = spec_of(v6, 50);
        kit_build(&spec, &b); /* ESP: an SPI above the reserved 255 */
        assert_int_not_equal(h[0], 0);
        spec = spec_of(v6, 51);
        kit_build(&spec, &b); /* AH: its length in 32-bit words, minus 2; a multiple of 8 bytes */
        assert_int_equal((h[1] + 2) * 4, 24);
        assert_int_equal(h[0], 59);
        spec = spec_of(v6, 112);
        kit_build(&spec, &b); /* VRRP version 3, summed with the pseudo header */
        uint32_t pseudo = 112 + (uint32_t)(b.len - ip);
        pseudo += v6 ? sum(0, b.at + 8, 32) : sum(0, b.at + 12, 8);
        assert_int_equal(h[0], 0x31);
        assert_int_equal(sum(pseudo, h, b.len - ip), 0xffff);
        assert_int_not_equal(b.at[v6 ? 7 : 8], 255); /* no router takes it */
        spec = spec_of(v6, 89);
        kit_build(&spec, &b); /* OSPF: length and sum */
        pseudo = 89 + (uint32_t)(b.len - ip) + sum(0, b.at + 8, 32);
        assert_int_equal(h[0], v6 ? 3 : 2);
        assert_int_equal(h[2] << 8 | h[3], b.len - ip);
        assert_int_equal(sum(v6 ? pseudo : 0, h, b.len - ip), 0xffff);
        spec = spec_of(v6, 103);
        kit_build(&spec, &b); /* PIM version 2 */
        pseudo = 103 + (uint32_t)(b.len - ip) + sum(0, b.at + 8, 32);
        assert_int_equal(h[0] >> 4, 2);
        assert_int_equal(sum(v6 ? pseudo : 0, h, b.len - ip), 0xffff);
    }
}

static void what_is_too_short_has_no_numbers(void **state)
{
    (void)state;
    uint8_t bytes[64];
    struct sp_pkt pkt;
    const uint8_t body[8] = {1, 2, 3, 4, 5, 6, 7, 8};
    size_t len = kit_ip4(bytes, 47, "10.1.0.1", "10.2.0.2", body, 7);
    assert_true(sp_pkt_parse(bytes, len, &pkt)); /* foreign, but there: it may be untagged */
    assert_int_equal(pkt.sport, 0);
    assert_null(pkt.payload);
    len = kit_ip4(bytes, 47, "10.1.0.1", "10.2.0.2", body, 8);
    assert_true(sp_pkt_parse(bytes, len, &pkt));
    assert_int_equal(pkt.sport, 5 << 8 | 6);
    assert_null(pkt.payload);
    len = kit_ip4(bytes, 132, "10.1.0.1", "10.2.0.2", body, 8);
    assert_false(sp_pkt_parse(bytes, len, &pkt));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_protocol_is_read_back),
        cmocka_unit_test(witnessed_protocols_are_testable),
        cmocka_unit_test(headers_are_well_formed),
        cmocka_unit_test(what_is_too_short_has_no_numbers),
    };
    return cmocka_run_group_tests_name("ipform", tests, NULL, NULL);
}
