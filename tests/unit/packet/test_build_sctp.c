/* SPDX-License-Identifier: Apache-2.0
 *
 * SCTP packets: built, read back by the parser, with the fields and the checksum of RFC 9260. */
#include <string.h>

#include "probe/base/crc32c.h"
#include "probe/packet/sctpform.h"
#include "probe/packet/tag.h"
#include "tests/support/sp_cmocka.h"
#include "tests/unit/packet/packet_kit.h"

static struct sp_spec spec_of(bool v6, uint8_t chunk)
{
    struct sp_spec spec = {.src = kit_addr(v6 ? "2001:db8:1::a" : "10.1.0.1"),
                           .dst = kit_addr(v6 ? "2001:db8:2::b" : "10.2.0.2"),
                           .ip_proto = SP_IPPROTO_SCTP,
                           .ip_id = 77,
                           .sport = 40123,
                           .dport = 2905,
                           .sctp_chunk = chunk,
                           .sctp_vtag = chunk == SP_SCTP_INIT ? 0 : 0x01020304,
                           .sctp_tag = 0xa1a2a3a4,
                           .payload_len = SP_TAG_BYTES};
    for (size_t i = 0; i < SP_TAG_BYTES; i++) {
        spec.payload[i] = (uint8_t)(i * 5 + chunk);
    }
    return spec;
}

static const uint8_t chunks[] = {SP_SCTP_INIT, SP_SCTP_INIT_ACK, SP_SCTP_ABORT,
                                 SP_SCTP_COOKIE_ECHO};

static void chunks_are_read_back(void **state)
{
    (void)state;
    for (size_t i = 0; i < 2 * sizeof(chunks); i++) {
        bool v6 = i >= sizeof(chunks);
        struct sp_spec spec = spec_of(v6, chunks[i % sizeof(chunks)]);
        struct kit_bytes bytes;
        struct sp_pkt pkt;
        kit_build(&spec, &bytes);
        uint8_t *sctp = bytes.at + (v6 ? 40 : 20);
        size_t len = bytes.len - (v6 ? 40 : 20);
        assert_true(sp_pkt_parse(bytes.at, bytes.len, &pkt));
        assert_int_equal(pkt.sport, spec.sport);
        assert_int_equal(pkt.dport, spec.dport);
        assert_int_equal(pkt.sctp_chunk, spec.sctp_chunk);
        assert_int_equal(pkt.sctp_vtag, spec.sctp_vtag);
        assert_int_equal(pkt.payload_len, SP_TAG_BYTES);
        assert_memory_equal(pkt.payload, spec.payload, SP_TAG_BYTES);
        assert_int_equal(sctp[14] << 8 | sctp[15], len - 12); /* one chunk, whole */
        assert_int_equal(len % 4, 0);
        uint32_t sum =
            (uint32_t)sctp[11] << 24 | (uint32_t)sctp[10] << 16 | (uint32_t)sctp[9] << 8 | sctp[8];
        memset(sctp + 8, 0, 4);
        assert_int_equal(sum, sp_crc32c(sctp, len));
        for (size_t cut = 0; cut < bytes.len; cut++) {
            memset(&pkt, 0, sizeof(pkt));
            if (sp_pkt_parse(bytes.at, cut, &pkt) && pkt.payload) {
                assert_true(pkt.payload + pkt.payload_len <= bytes.at + cut);
            }
        }
    }
}

/* RFC 9260 3.3.2: no tag of 0, at least 1500 bytes of window, a stream each way; the parameter is
 * one that receivers skip and do not report. */
static void an_init_is_legal(void **state)
{
    (void)state;
    struct sp_spec spec = spec_of(false, SP_SCTP_INIT);
    struct kit_bytes b;
    struct sp_pkt pkt;
    const uint8_t *chunk = b.at + 20 + 12;
    kit_build(&spec, &b);
    assert_true(sp_pkt_parse(b.at, b.len, &pkt));
    assert_int_equal(pkt.sctp_tag, spec.sctp_tag);
    assert_int_equal(pkt.sctp_vtag, 0);
    assert_true((chunk[8] << 8 | chunk[9]) > 0 || (chunk[10] << 8 | chunk[11]) >= 1500);
    assert_int_equal(chunk[12] << 8 | chunk[13], 1);
    assert_int_equal(chunk[14] << 8 | chunk[15], 1);
    assert_int_equal(chunk[20] >> 6, 2);
    assert_int_equal(chunk[22] << 8 | chunk[23], 4 + SP_TAG_BYTES);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(chunks_are_read_back),
        cmocka_unit_test(an_init_is_legal),
    };
    return cmocka_run_group_tests_name("build_sctp", tests, NULL, NULL);
}
