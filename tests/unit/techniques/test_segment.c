/* SPDX-License-Identifier: Apache-2.0
 *
 * Segments of no connection and packets with wrong checksums: what is on the wire, what a device on
 * the path may do to it, and what is an answer to it. */
#include <string.h>

#include "probe/techniques/technique.h"
#include "tests/support/sp_cmocka.h"
#include "tests/unit/packet/packet_kit.h"

static const uint8_t key[32] = {1, 2, 3};
static struct sp_tag_keys keys;

static int keep(struct sp_tech_io *io, const struct sp_spec *spec)
{
    struct sp_spec *out = io->arg;
    *out = *spec;
    return 0;
}

static const struct sp_technique *find(const char *name)
{
    const struct sp_technique_info *info = sp_technique_find(name);
    assert_non_null(info);
    return sp_technique_code(sp_technique_index(info));
}

static struct sp_flow flow_of(bool v6)
{
    return (struct sp_flow){.src = kit_addr(v6 ? "2001:db8:1::a" : "10.1.0.1"),
                            .dst = kit_addr(v6 ? "2001:db8:2::b" : "10.2.0.2"),
                            .block = 77,
                            .port = 22,
                            .sport = 61001};
}

static struct sp_spec spec_of(const char *name, bool v6)
{
    struct sp_flow flow = flow_of(v6);
    struct sp_spec spec = {0};
    struct sp_tech_io io = {.keys = &keys, .now_us = 5, .emit = keep, .arg = &spec};
    sp_tag_keys_init(&keys, key);
    assert_int_equal(find(name)->start(&flow, &io), 0);
    return spec;
}

static bool matches(const char *name, const struct sp_spec *spec)
{
    struct kit_bytes bytes;
    struct sp_pkt pkt;
    uint16_t block = 0, port = 0;
    kit_build(spec, &bytes);
    assert_true(sp_pkt_parse(bytes.at, bytes.len, &pkt));
    bool found = find(name)->match(&keys, &pkt, &block, &port);
    assert_true(!found || (block == 77 && port == 22));
    return found;
}

static const struct {
    const char *name;
    uint8_t flags;
} segments[] = {
    {"tcp_ack", SP_TCP_ACK},
    {"tcp_fin", SP_TCP_FIN},
    {"tcp_null", 0},
    {"tcp_rst", SP_TCP_RST},
    {"tcp_synack", SP_TCP_SYN | SP_TCP_ACK},
    {"tcp_xmas", SP_TCP_FIN | SP_TCP_PSH | SP_TCP_URG},
};

/* Their flags, no data, and the mark by which kernel filters know them, twice. */
static void what_is_on_the_wire(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(segments) / sizeof(segments[0]); i++) {
        for (int v6 = 0; v6 < 2; v6++) {
            const struct sp_spec spec = spec_of(segments[i].name, v6);
            struct kit_bytes bytes;
            struct sp_pkt pkt;
            kit_build(&spec, &bytes);
            assert_true(kit_checksums_ok(bytes.at, bytes.len));
            assert_true(sp_pkt_parse(bytes.at, bytes.len, &pkt));
            assert_int_equal(pkt.tcp_flags, segments[i].flags);
            assert_int_equal(pkt.payload_len, 0);
            assert_int_equal(pkt.sport, 61001);
            assert_true(pkt.has_timestamps);
            assert_int_equal((uint32_t)(pkt.seq + pkt.ack), SP_TAG_MAGIC);
            assert_int_equal((uint32_t)(pkt.seq + pkt.tsecr), SP_TAG_MAGIC);
        }
    }
}

/* URG and PSH are cleared by some devices, and so is an acknowledgement number without ACK. */
static void normalised_segments_are_found(void **state)
{
    (void)state;
    struct sp_spec xmas = spec_of("tcp_xmas", false);
    xmas.tcp_flags = SP_TCP_FIN | SP_TCP_PSH;
    assert_true(matches("tcp_xmas", &xmas));
    xmas.tcp_flags = SP_TCP_FIN;
    assert_true(matches("tcp_xmas", &xmas));
    for (size_t i = 0; i < sizeof(segments) / sizeof(segments[0]); i++) {
        struct sp_spec spec = spec_of(segments[i].name, false);
        spec.ack = 0;
        spec.ttl = 3;
        spec.sport = 1025;
        assert_true(matches(segments[i].name, &spec));
        spec.tsval++;
        assert_false(matches(segments[i].name, &spec));
        spec.tsval--;
        spec.tcp_timestamps = false;
        assert_false(matches(segments[i].name, &spec));
    }
}

/* A SYN is none of them, and none of them is a SYN. */
static void no_segment_is_a_syn(void **state)
{
    (void)state;
    struct sp_spec syn = spec_of("tcp_syn", false);
    for (size_t i = 0; i < sizeof(segments) / sizeof(segments[0]); i++) {
        const struct sp_spec spec = spec_of(segments[i].name, false);
        assert_false(matches("tcp_syn", &spec));
        assert_false(matches("tcp_handshake", &spec));
        assert_false(matches(segments[i].name, &syn));
    }
}

static void wrong_checksums(void **state)
{
    (void)state;
    for (int i = 0; i < 4; i++) {
        bool v6 = i & 1;
        const char *name = i & 2 ? "udp_badsum" : "tcp_badsum";
        struct sp_spec spec = spec_of(name, v6);
        struct kit_bytes bytes;
        kit_build(&spec, &bytes);
        assert_false(kit_checksums_ok(bytes.at, bytes.len));
        assert_true(matches(name, &spec));
        spec.bad_checksum = false; /* and nothing else is wrong with it */
        kit_build(&spec, &bytes);
        assert_true(kit_checksums_ok(bytes.at, bytes.len));
    }
}

/* UDP over IPv4: a sum of 0 means "none", and would be no wrong one. Whatever the packet is. */
static void no_wrong_checksum_is_zero(void **state)
{
    (void)state;
    struct sp_spec spec = spec_of("udp_badsum", false);
    for (unsigned i = 0; i < 65536; i++) {
        struct kit_bytes bytes;
        spec.sport = (uint16_t)i;
        kit_build(&spec, &bytes);
        assert_false(bytes.at[26] == 0 && bytes.at[27] == 0);
        assert_false(kit_checksums_ok(bytes.at, bytes.len));
    }
}

static void source_ports_are_as_ordered(void **state)
{
    (void)state;
    const struct sp_spec spec = spec_of("tcp_sport", false);
    assert_int_equal(spec.sport, 61001); /* the controller says which */
    assert_int_equal(spec.tcp_flags, SP_TCP_SYN);
    assert_int_equal(spec.payload_len, 0);
    size_t n = 0;
    for (size_t i = 0; i < sp_technique_count(); i++) {
        const uint16_t *sports = sp_technique_sports(i, &n);
        bool is_sport = strstr(sp_technique_at(i)->name, "_sport") != NULL;
        assert_int_equal(sports != NULL, is_sport);
        assert_int_equal(n > 0, is_sport);
        for (size_t k = 1; sports && k < n; k++) {
            assert_true(sports[k - 1] < sports[k]);
        }
    }
    assert_null(sp_technique_sports(sp_technique_count(), &n));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_on_the_wire),
        cmocka_unit_test(normalised_segments_are_found),
        cmocka_unit_test(no_segment_is_a_syn),
        cmocka_unit_test(wrong_checksums),
        cmocka_unit_test(no_wrong_checksum_is_zero),
        cmocka_unit_test(source_ports_are_as_ordered),
    };
    return cmocka_run_group_tests_name("segment", tests, NULL, NULL);
}
