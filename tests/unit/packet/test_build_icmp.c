/* SPDX-License-Identifier: Apache-2.0
 *
 * ICMP of every type and code: built, summed up right, read back by the parser, found where a
 * filter looks for its tag; an error's quote is a whole datagram from the receiver. */
#include <string.h>

#include "probe/packet/icmpform.h"
#include "tests/support/sp_cmocka.h"
#include "tests/unit/packet/packet_kit.h"

static struct sp_spec spec_of(bool v6, unsigned type, unsigned code)
{
    struct sp_spec spec = {.src = kit_addr(v6 ? "2001:db8:1::a" : "10.1.0.1"),
                           .dst = kit_addr(v6 ? "2001:db8:2::b" : "10.2.0.2"),
                           .ip_proto = v6 ? SP_IPPROTO_ICMP6 : SP_IPPROTO_ICMP,
                           .ip_id = 77,
                           .icmp_type = (uint8_t)type,
                           .icmp_code = (uint8_t)code,
                           .echo_id = 40123,
                           .echo_seq = 300,
                           .payload_len = SP_TAG_BYTES};
    for (size_t i = 0; i < SP_TAG_BYTES; i++) {
        spec.payload[i] = (uint8_t)(i * 5 + type);
    }
    return spec;
}

static bool is_filtered_at(bool v6, uint8_t tag)
{
    for (size_t i = 0; i < SP_ICMPFORM_TAGS; i++) {
        if (sp_icmpform_tags[v6][i] == tag) {
            return i == 0 || sp_icmpform_tags[v6][i - 1] <= tag;
        }
    }
    return false;
}

static void every_type_is_read_back(void **state)
{
    (void)state;
    for (unsigned at = 0; at < 2 * 65536; at += 51) { /* every type, codes from all over */
        bool v6 = at >= 65536;
        struct sp_spec spec = spec_of(v6, at >> 8 & 0xff, at & 0xff);
        struct kit_bytes bytes;
        struct sp_pkt pkt;
        kit_build(&spec, &bytes);
        assert_true(kit_checksums_ok(bytes.at, bytes.len));
        assert_true(sp_pkt_parse(bytes.at, bytes.len, &pkt));
        assert_int_equal(pkt.icmp_type, spec.icmp_type);
        assert_int_equal(pkt.icmp_code, spec.icmp_code);
        assert_int_equal(pkt.echo_id, spec.echo_id);
        assert_int_equal(pkt.echo_seq, spec.echo_seq);
        assert_true(pkt.payload_len >= SP_TAG_BYTES);
        assert_memory_equal(pkt.payload, spec.payload, SP_TAG_BYTES);
        struct sp_icmpform form = sp_icmpform_of(pkt.src.family, pkt.icmp_type);
        assert_int_equal(pkt.payload - bytes.at, (v6 ? 40 : 20) + form.tag);
        assert_true(is_filtered_at(v6, form.tag));
        for (size_t len = 0; len < bytes.len; len++) {
            memset(&pkt, 0, sizeof(pkt));
            if (sp_pkt_parse(bytes.at, len, &pkt) && pkt.payload) {
                assert_true(pkt.payload + pkt.payload_len <= bytes.at + len);
            }
        }
    }
}

static void an_error_quotes_a_whole_datagram(void **state)
{
    (void)state;
    static const uint8_t errors[2][4] = {{3, 4, 11, 12}, {1, 2, 3, 4}};
    for (int v6 = 0; v6 < 2; v6++) {
        for (size_t i = 0; i < 4; i++) {
            struct sp_spec spec = spec_of(v6, errors[v6][i], 0);
            struct kit_bytes bytes;
            struct sp_pkt pkt;
            kit_build(&spec, &bytes);
            size_t at = (v6 ? 40 : 20) + 8;
            assert_true(kit_checksums_ok(bytes.at + at, bytes.len - at));
            assert_true(sp_pkt_parse(bytes.at + at, bytes.len - at, &pkt));
            assert_true(sp_addr_eq(&pkt.src, &spec.dst));
            assert_true(sp_addr_eq(&pkt.dst, &spec.src));
            assert_int_equal(pkt.ip_proto, SP_IPPROTO_UDP);
            assert_int_equal(pkt.sport, spec.echo_id);
            assert_int_equal(pkt.dport, spec.echo_id);
            assert_true(sp_pkt_parse(bytes.at, bytes.len, &pkt));
            bool is_told = v6 || errors[0][i] != 4; /* source quench has been retired: no quote */
            assert_int_equal(pkt.is_icmp_error, is_told);
        }
    }
}

static void fields_do_no_harm(void **state)
{
    (void)state;
    struct kit_bytes b;
    struct sp_spec spec = spec_of(false, 9, 0);
    const uint8_t *m = b.at + 20;
    kit_build(&spec, &b);
    assert_int_equal(m[4], 1); /* one router, two words each, lifetime 0, the least preference */
    assert_int_equal(m[5], 2);
    assert_int_equal(m[6] << 8 | m[7], 0);
    assert_int_equal(m[12], 0x80);
    spec = spec_of(false, 3, 4);
    kit_build(&spec, &b);
    assert_int_equal(m[6] << 8 | m[7], 1500);
    spec = spec_of(true, 2, 0);
    kit_build(&spec, &b);
    assert_int_equal(b.at[46] << 8 | b.at[47], 1500);
    spec = spec_of(true, 131, 0);
    kit_build(&spec, &b);
    assert_int_equal(b.at[48], 0xff); /* a multicast group */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_type_is_read_back),
        cmocka_unit_test(an_error_quotes_a_whole_datagram),
        cmocka_unit_test(fields_do_no_harm),
    };
    return cmocka_run_group_tests_name("build_icmp", tests, NULL, NULL);
}
