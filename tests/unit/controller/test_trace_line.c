/* SPDX-License-Identifier: Apache-2.0
 *
 * Kept packets as lines: read whole, cut at every byte, and of nobody's making. */
#include <string.h>

#include "controller/trace/session.h"
#include "tests/support/sp_cmocka.h"

/* A SYN with MSS 1460 from 10.1.0.11:40001 to 10.2.0.11:5432. */
static const uint8_t syn[] = {0x45, 0,    0,    44, 0,  1,  0x40, 0, 64, 6,    0,
                              0,    10,   1,    0,  11, 10, 2,    0, 11, 0x9c, 0x41,
                              0x15, 0x38, 0,    0,  0,  1,  0,    0, 0,  0,    0x60,
                              0x02, 0xfa, 0xf0, 0,  0,  0,  0,    2, 4,  0x05, 0xb4};

static void add(struct sp_evidence *evidence, const uint8_t *bytes, size_t len, uint8_t role,
                uint64_t at_us)
{
    const struct sp_evidence_packet packet = {.at_us = at_us,
                                              .len = (uint16_t)len,
                                              .wire_len = (uint16_t)len,
                                              .role = role,
                                              .iface = "eth0"};
    sp_evidence_add(evidence, &packet, bytes);
}

static void lines(void **state)
{
    (void)state;
    struct sp_evidence *evidence = NULL;
    uint8_t clamped[sizeof(syn)];
    struct sp_trace trace = {0};
    memcpy(clamped, syn, sizeof(syn));
    clamped[sizeof(syn) - 2] = 0x04;
    clamped[8] = 62;
    assert_int_equal(sp_evidence_new(1, &evidence), SP_OK);
    add(evidence, clamped, sizeof(clamped), SP_KEPT_ARRIVED, 1500);
    add(evidence, syn, sizeof(syn), SP_KEPT_SENT, 1000);
    sp_trace_add_packets(&trace, evidence, 0);
    sp_trace_add_packets(&trace, evidence, 7); /* there is none */
    assert_int_equal(trace.npackets, 2);
    assert_string_equal(trace.packets[0].text, "10.1.0.11.40001 > 10.2.0.11.5432 tcp S ttl 64");
    assert_int_equal(trace.packets[0].at_us, 0);
    assert_int_equal(trace.packets[1].at_us, 500);
    assert_int_equal(trace.mss_sent, 1460);
    assert_int_equal(trace.mss_seen, 1204);
    sp_evidence_free(evidence);
}

static void hostile(void **state)
{
    (void)state;
    uint8_t bytes[sizeof(syn)];
    for (size_t len = 1; len <= sizeof(syn); len++) {
        for (unsigned first = 0; first < 256; first += 5) {
            struct sp_evidence *evidence = NULL;
            struct sp_trace trace = {0};
            memcpy(bytes, syn, sizeof(syn));
            bytes[0] = (uint8_t)first;
            bytes[41] = (uint8_t)first; /* the length of an option */
            assert_int_equal(sp_evidence_new(1, &evidence), SP_OK);
            add(evidence, bytes, len, SP_KEPT_SENT, 1);
            sp_trace_add_packets(&trace, evidence, 0);
            assert_int_equal(trace.npackets, 1);
            assert_true(strlen(trace.packets[0].text) > 0);
            sp_evidence_free(evidence);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines),
        cmocka_unit_test(hostile),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
