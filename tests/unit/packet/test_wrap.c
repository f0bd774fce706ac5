/* SPDX-License-Identifier: Apache-2.0
 *
 * Packets inside others: every byte of the outer headers against the layouts of the RFCs, checksums
 * by code that shares nothing with the builder, and the reader against headers that the builder
 * never writes. */
#include <libnet.h>
#include <stdlib.h>
#include <string.h>

#include "probe/base/mem.h"
#include "tests/support/sp_cmocka.h"
#include "tests/unit/packet/packet_kit.h"

static struct sp_spec spec_of(bool inner6, uint8_t kind, bool outer6)
{
    struct sp_spec spec = {.src = kit_addr(inner6 ? "2001:db8:1::a" : "10.1.2.3"),
                           .dst = kit_addr(inner6 ? "2001:db8:2::b" : "10.4.5.6"),
                           .ip_proto = SP_IPPROTO_TCP,
                           .ip_id = 0xbeef,
                           .sport = 40001,
                           .dport = 22,
                           .seq = 0xcafebabe,
                           .tcp_flags = SP_TCP_SYN,
                           .tcp_options = true,
                           .tsval = 0x11223344};
    spec.wrap = (struct sp_wrap){.kind = kind,
                                 .src = kit_addr(outer6 ? "fd00::1" : "192.0.2.1"),
                                 .dst = kit_addr(outer6 ? "fd00::2" : "192.0.2.2"),
                                 .vni = kind >= SP_WRAP_VXLAN ? 0x12abcd : 0,
                                 .mac = {2, 0, 0x5e, 0x10, 0, 7}};
    return spec;
}

/* Builds both; the outer one must end with the inner one, byte for byte. Returns the length of what
 * stands in front. */
static size_t build_both(const struct sp_spec *spec, struct kit_bytes *all)
{
    struct kit_bytes inner;
    struct sp_spec bare = *spec;
    bare.wrap = (struct sp_wrap){0};
    kit_build(&bare, &inner);
    kit_build(spec, all);
    assert_true(all->len > inner.len);
    assert_true(kit_checksums_ok(inner.at, inner.len));
    assert_memory_equal(all->at + all->len - inner.len, inner.at, inner.len);
    return all->len - inner.len;
}

static uint32_t add(const uint8_t *p, size_t len)
{
    uint32_t sum = 0;
    for (size_t i = 0; i < len; i++) {
        sum += (uint32_t)p[i] << (i % 2 ? 0 : 8);
    }
    return sum;
}

static uint16_t fold(uint32_t sum)
{
    while (sum >> 16) {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    return (uint16_t)sum;
}

static void check_ip4(const struct kit_bytes *all, uint8_t proto)
{
    const uint8_t want[20] = {0x45,
                              0,
                              (uint8_t)(all->len >> 8),
                              (uint8_t)all->len,
                              0xbe,
                              0xef,
                              0x40,
                              0,
                              64,
                              proto,
                              all->at[10],
                              all->at[11],
                              192,
                              0,
                              2,
                              1,
                              192,
                              0,
                              2,
                              2};
    assert_memory_equal(all->at, want, sizeof(want));
    assert_int_equal(fold(add(all->at, 20)), 0xffff);
}

static void check_ip6(const struct kit_bytes *all, uint8_t proto)
{
    size_t body = all->len - 40;
    uint8_t want[40] = {0x60, 0, 0, 0, (uint8_t)(body >> 8), (uint8_t)body, proto, 64};
    want[8] = want[24] = 0xfd;
    want[23] = 1;
    want[39] = 2;
    assert_memory_equal(all->at, want, sizeof(want));
}

static void ip_in_ip(void **state)
{
    (void)state;
    for (int inner6 = 0; inner6 < 2; inner6++) {
        struct sp_spec spec = spec_of(inner6, SP_WRAP_IP, false);
        struct kit_bytes all;
        assert_int_equal(build_both(&spec, &all), 20);
        check_ip4(&all, inner6 ? 41 : 4);
    }
}

static void gre(void **state)
{
    (void)state;
    for (int i = 0; i < 4; i++) {
        bool inner6 = i & 1;
        bool outer6 = i & 2;
        struct sp_spec spec = spec_of(inner6, SP_WRAP_GRE, outer6);
        struct kit_bytes all;
        size_t ip = outer6 ? 40 : 20;
        assert_int_equal(build_both(&spec, &all), ip + 4);
        const uint8_t want[4] = {0, 0, inner6 ? 0x86 : 0x08, inner6 ? 0xdd : 0};
        assert_memory_equal(all.at + ip, want, sizeof(want));
        if (outer6) {
            check_ip6(&all, 47);
        } else {
            check_ip4(&all, 47);
        }
    }
}

/* RFC 7348 5 and RFC 8926 3.4: UDP, eight bytes, an Ethernet header. */
static void frames(void **state)
{
    (void)state;
    for (int i = 0; i < 8; i++) {
        bool inner6 = i & 1;
        bool outer6 = i & 2;
        bool geneve = i & 4;
        struct sp_spec spec = spec_of(inner6, geneve ? SP_WRAP_GENEVE : SP_WRAP_VXLAN, outer6);
        struct kit_bytes all;
        size_t ip = outer6 ? 40 : 20;
        assert_int_equal(build_both(&spec, &all), ip + 8 + 8 + 14);
        const uint8_t *udp = all.at + ip;
        size_t body = all.len - ip;
        uint32_t sport = (uint32_t)udp[0] << 8 | udp[1];
        assert_in_range(sport, 49152, 65535);
        const uint8_t ports[4] = {geneve ? 0x17 : 0x12, geneve ? 0xc1 : 0xb5, (uint8_t)(body >> 8),
                                  (uint8_t)body};
        assert_memory_equal(udp + 2, ports, sizeof(ports));
        const uint8_t vxlan_head[8] = {8, 0, 0, 0, 0x12, 0xab, 0xcd, 0};
        const uint8_t geneve_head[8] = {0, 0, 0x65, 0x58, 0x12, 0xab, 0xcd, 0};
        assert_memory_equal(udp + 8, geneve ? geneve_head : vxlan_head, 8);
        const uint8_t frame[14] = {2,
                                   0,
                                   0x5e,
                                   0x10,
                                   0,
                                   7,
                                   2,
                                   0x53,
                                   0x47,
                                   0x70,
                                   0x66,
                                   1,
                                   inner6 ? 0x86 : 0x08,
                                   inner6 ? 0xdd : 0};
        assert_memory_equal(udp + 16, frame, sizeof(frame));
        if (!geneve && !outer6) {
            assert_int_equal(udp[6] << 8 | udp[7], 0);
            check_ip4(&all, 17);
            continue;
        }
        uint32_t pseudo = add(all.at + (outer6 ? 8 : 12), outer6 ? 32 : 8) + 17 + (uint32_t)body;
        assert_int_not_equal(udp[6] << 8 | udp[7], 0);
        assert_int_equal(fold(pseudo + add(udp, body)), 0xffff);
        if (outer6) {
            check_ip6(&all, 17);
        } else {
            check_ip4(&all, 17);
        }
    }
}

/* The source port is of the inner flow, and of nothing else; without an address in the tunnel the
 * frame goes to everybody. */
static void of_the_flow(void **state)
{
    (void)state;
    struct sp_spec spec = spec_of(false, SP_WRAP_VXLAN, false);
    struct kit_bytes one;
    struct kit_bytes two;
    size_t others = 0;
    kit_build(&spec, &one);
    spec.seq++;
    spec.wrap.vni = 5;
    memset(spec.wrap.mac, 0, sizeof(spec.wrap.mac));
    kit_build(&spec, &two);
    assert_memory_equal(one.at + 20, two.at + 20, 2);
    const uint8_t everybody[6] = {255, 255, 255, 255, 255, 255};
    assert_memory_equal(two.at + 36, everybody, 6);
    for (uint16_t i = 1; i <= 16; i++) {
        spec.sport = (uint16_t)(40001 + i);
        kit_build(&spec, &two);
        others += memcmp(one.at + 20, two.at + 20, 2) != 0;
    }
    assert_true(others >= 15);
}

/* A UDP sum that comes out as 0 is sent as 0xffff: 65,536 flows have such a one among them. */
static void a_sum_of_zero(void **state)
{
    (void)state;
    struct sp_spec spec = spec_of(false, SP_WRAP_GENEVE, true);
    struct kit_bytes inner;
    struct sp_spec bare = spec;
    bare.wrap = (struct sp_wrap){0};
    kit_build(&bare, &inner);
    size_t full = 0;
    for (uint32_t vni = 0; vni < 1U << 16; vni++) { /* only the VNI changes, and with it the sum */
        uint8_t out[KIT_MAX];
        spec.wrap.vni = vni << 8;
        size_t len = sp_wrap_apply(&spec, inner.at, inner.len, out, 0, sizeof(out));
        assert_int_equal(len, inner.len + 70);
        assert_true(out[46] != 0 || out[47] != 0);
        if (out[46] == 0xff && out[47] == 0xff) {
            uint32_t pseudo = add(out + 8, 32) + 17 + (uint32_t)(len - 40);
            assert_int_equal(fold(pseudo + add(out + 40, len - 40)), 0xffff);
            full++;
        }
    }
    assert_true(full > 0);
}

static void behind_a_link_header(void **state)
{
    (void)state;
    static const uint8_t from[6] = {2, 1, 1, 1, 1, 1};
    static const uint8_t to[6] = {2, 2, 2, 2, 2, 2};
    char errbuf[LIBNET_ERRBUF_SIZE];
    for (int outer6 = 0; outer6 < 2; outer6++) {
        struct sp_spec spec = spec_of(true, outer6 ? SP_WRAP_GRE : SP_WRAP_IP, outer6);
        struct kit_bytes all;
        struct sp_built built;
        libnet_t *l = libnet_init(LIBNET_NONE, NULL, errbuf);
        assert_non_null(l);
        kit_build(&spec, &all);
        assert_int_equal(sp_spec_build(l, &spec, from, to, &built, NULL), SP_OK);
        assert_int_equal(built.len, all.len + 14);
        assert_memory_equal(built.bytes, to, 6);
        assert_memory_equal(built.bytes + 6, from, 6);
        assert_int_equal(built.bytes[12] << 8 | built.bytes[13], outer6 ? 0x86dd : 0x0800);
        assert_memory_equal(built.bytes + 14, all.at, all.len);
        sp_built_free(&built);
        libnet_destroy(l);
    }
}

/* What cannot be is refused, and nothing is left behind. */
static void refused(void **state)
{
    (void)state;
    char errbuf[LIBNET_ERRBUF_SIZE];
    libnet_t *l = libnet_init(LIBNET_NONE, NULL, errbuf);
    struct sp_built built;
    struct sp_diag diag = {0};
    assert_non_null(l);
    for (int i = 0; i < 6; i++) {
        struct sp_spec spec = spec_of(false, SP_WRAP_VXLAN, false);
        if (i == 0) {
            spec.wrap.kind = SP_WRAP_END;
        } else if (i == 1) {
            spec.wrap.vni = 1U << 24;
        } else if (i == 2) {
            spec.wrap.dst = (struct sp_addr){0};
        } else if (i == 3) {
            spec.wrap.src = kit_addr("fd00::1");
        } else if (i == 4) { /* IP in IP over IPv6: nobody asks it */
            spec = spec_of(false, SP_WRAP_IP, true);
        } else {
            (void)sp_mem_fail_at(1, 0);
        }
        enum sp_rc rc = sp_spec_build(l, &spec, NULL, NULL, &built, &diag);
        (void)sp_mem_fail_at(0, 0);
        assert_int_equal(rc, i == 5 ? SP_E_NOMEM : SP_E_INVALID);
    }
    libnet_destroy(l);
    struct sp_spec spec = spec_of(false, SP_WRAP_GRE, false);
    uint8_t inner[40] = {0x45};
    uint8_t out[100];
    assert_int_equal(sp_wrap_apply(&spec, inner, 40, out, 0, 64), 64);
    assert_int_equal(sp_wrap_apply(&spec, inner, 40, out, 0, 63), 0);
    assert_int_equal(sp_wrap_apply(&spec, inner, 40, out, 14, 78), 78);
    assert_int_equal(sp_wrap_apply(&spec, inner, 40, out, 14, 77), 0);
    assert_int_equal(sp_wrap_apply(&spec, inner, 40, out, 101, 100), 0);
    assert_int_equal(sp_wrap_apply(&spec, inner, 0, out, 0, 100), 0);
}

/* ---- reading ---- */

static void read_back(void **state)
{
    (void)state;
    for (int i = 0; i < 16; i++) {
        bool inner6 = i & 1;
        bool outer6 = i & 2;
        uint8_t kind = (uint8_t)(SP_WRAP_IP + i / 4);
        if (kind == SP_WRAP_IP && outer6) {
            continue;
        }
        struct sp_spec spec = spec_of(inner6, kind, outer6);
        struct kit_bytes all;
        struct sp_unwrapped in;
        size_t before = build_both(&spec, &all);
        assert_true(sp_pkt_unwrap(all.at, all.len, &in));
        assert_int_equal(in.kind, kind);
        assert_true(sp_addr_eq(&in.src, &spec.wrap.src) && sp_addr_eq(&in.dst, &spec.wrap.dst));
        assert_int_equal(in.vni, spec.wrap.vni);
        assert_ptr_equal(in.ip, all.at + before);
        assert_int_equal(in.len, all.len - before);
        memset(all.at + all.len, 0x5a, 20); /* link padding belongs to nothing */
        assert_true(sp_pkt_unwrap(all.at, all.len + 20, &in));
        assert_int_equal(in.len, all.len - before);
        for (size_t len = 0; len < all.len; len++) { /* cut: the headers are there or it is none */
            uint8_t *exact = malloc(len ? len : 1);
            assert_non_null(exact);
            memcpy(exact, all.at, len);
            assert_int_equal(sp_pkt_unwrap(exact, len, &in), len > before);
            if (len > before) {
                assert_ptr_equal(in.ip, exact + before);
                assert_int_equal(in.len, len - before);
            }
            free(exact);
        }
    }
}

/* Headers that others write, and those that nobody reads. */
static void other_headers(void **state)
{
    (void)state;
    static const struct {
        uint8_t proto;
        uint8_t bytes[40];
        size_t len;  /* of the bytes */
        size_t skip; /* to the inner packet, 0 = it is none */
    } rows[] = {
        {47, {0x20, 0, 0x08, 0, 1, 2, 3, 4, 0x45}, 12, 8},                             /* a key */
        {47, {0xb0, 0, 0x86, 0xdd, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 0x60}, 20, 16}, /* all */
        {47, {0, 0, 0x65, 0x58, [16] = 0x08, [18] = 0x45}, 22, 18},                    /* a frame */
        {47, {0, 0, 0x88, 0xb5, 0x45}, 12, 0},                                         /* no IP */
        {47, {0, 1, 0x08, 0, 0x45}, 12, 0},    /* version 1: PPTP */
        {47, {0x40, 0, 0x08, 0, 0x45}, 12, 0}, /* routing */
        {17, {1, 1, 0x12, 0xb5, 0, 0, 0, 0, 0x08, [28] = 0x08, [30] = 0x45}, 34, 30},
        {17, {1, 1, 0x12, 0xb5, 0, 0, 0, 0, 0x00, [28] = 0x08, [30] = 0x45}, 34, 0}, /* no VNI */
        {17, {1, 1, 0x12, 0xb6, 0, 0, 0, 0, 0x08, [28] = 0x08, [30] = 0x45}, 34, 0}, /* port */
        {17, {1, 1, 0x17, 0xc1, 0, 0, 0, 0, 0x01, 0, 0x08, 0, [20] = 0x45}, 24, 20}, /* option */
        {17, {1, 1, 0x17, 0xc1, 0, 0, 0, 0, 0x40, 0, 0x08, 0, [16] = 0x45}, 24, 0},  /* version */
        {17, {1, 1, 0x17, 0xc1, 0, 0, 0, 0, 0x3f, 0, 0x08, 0, [16] = 0x45}, 24, 0},  /* too long */
        {4, {0x45}, 4, 4 - 4},                                                       /* see below */
        {6, {0x45}, 24, 0},
        {94, {0x45}, 24, 0},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        uint8_t bytes[128];
        struct sp_unwrapped in;
        size_t len =
            kit_ip4(bytes, rows[i].proto, "10.0.0.1", "10.0.0.2", rows[i].bytes, rows[i].len);
        bool is_ip = rows[i].proto == 4; /* nothing stands in between */
        assert_int_equal(sp_pkt_unwrap(bytes, len, &in), rows[i].skip > 0 || is_ip);
        if (rows[i].skip > 0 || is_ip) {
            assert_ptr_equal(in.ip, bytes + 20 + rows[i].skip);
        }
        bytes[6] = 0x20; /* a fragment is none */
        assert_false(sp_pkt_unwrap(bytes, len, &in));
        bytes[6] = 0;
        bytes[3] = 19; /* shorter than its own header */
        assert_false(sp_pkt_unwrap(bytes, len, &in));
    }
    struct sp_unwrapped in;
    assert_false(sp_pkt_unwrap("", 0, &in));
    assert_false(sp_pkt_unwrap("\x55\x00\x00", 3, &in));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ip_in_ip),      cmocka_unit_test(gre),
        cmocka_unit_test(frames),        cmocka_unit_test(of_the_flow),
        cmocka_unit_test(a_sum_of_zero), cmocka_unit_test(behind_a_link_header),
        cmocka_unit_test(refused),       cmocka_unit_test(read_back),
        cmocka_unit_test(other_headers),
    };
    return cmocka_run_group_tests_name("wrap", tests, NULL, NULL);
}
