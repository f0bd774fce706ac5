/* SPDX-License-Identifier: Apache-2.0
 *
 * What the contract of techniques drives them with: a sender that keeps what they emit, keys, a
 * flow, and packets read back from their bytes. For one test program: everything is static. */
#ifndef SP_TEST_TECH_KIT_H
#define SP_TEST_TECH_KIT_H

#include <string.h>

#include "probe/techniques/technique.h"
#include "tests/support/sp_cmocka.h"
#include "tests/unit/packet/packet_kit.h"

#define PACKETS_MAX 16

struct emitted {
    struct sp_spec specs[PACKETS_MAX];
    size_t n;
    int result;
};

static int emit(struct sp_tech_io *io, const struct sp_spec *spec)
{
    struct emitted *out = io->arg;
    assert_true(out->n < PACKETS_MAX);
    out->specs[out->n++] = *spec;
    return out->result;
}

static struct sp_tag_keys keys_of(uint8_t seed)
{
    uint8_t key[32];
    struct sp_tag_keys keys;
    for (unsigned i = 0; i < sizeof(key); i++) {
        key[i] = (uint8_t)(seed * 31 + i * 13);
    }
    sp_tag_keys_init(&keys, key);
    return keys;
}

static struct sp_flow flow_of(bool v6, uint16_t block, uint16_t port)
{
    return (struct sp_flow){.src = kit_addr(v6 ? "2001:db8:1::a" : "10.1.0.1"),
                            .dst = kit_addr(v6 ? "2001:db8:2::b" : "10.2.0.2"),
                            .block = block,
                            .port = port,
                            .sport = 40123};
}

/* A port that the technique can ask: a protocol number where its axis has those. */
static inline uint16_t port_of(const struct sp_technique *tech, uint16_t port)
{
    static const uint16_t numbers[] = {47, 50, 89, 253};
    bool is_type = strcmp(tech->name, "icmp_type") == 0;
    return tech->proto_by_port ? numbers[port % 4] : is_type ? 13U << 8 : port;
}

/* An address in the sender's subnet that is not its own. */
static struct sp_addr forged_of(const struct sp_flow *flow)
{
    struct sp_addr forged = flow->src;
    forged.bytes[forged.family == SP_FAMILY_IPV4 ? 3 : 15] ^= 0x40;
    return forged;
}

/* Outer destinations, of whatever family the technique's outer packets have. */
static void outers_of(const struct sp_technique *tech, const struct sp_flow *flow,
                      struct sp_outer out[static SP_OUTERS_MAX])
{
    bool v6 = flow->dst.family == SP_FAMILY_IPV6 && tech->wraps != SP_WRAP_IP;
    static const char *const to4[] = {"10.2.0.2", "10.2.0.254", "10.1.0.254"};
    static const char *const to6[] = {"2001:db8:2::b", "2001:db8:2::fe", "2001:db8:1::fe"};
    for (size_t i = 0; i < SP_OUTERS_MAX; i++) {
        out[i] =
            (struct sp_outer){.src = kit_addr(v6 ? "2001:db8:1::a" : "10.1.0.1"),
                              .dst = kit_addr(v6 ? to6[i] : to4[i]),
                              .vni = tech->wraps >= SP_WRAP_VXLAN ? 0x123456U + (uint32_t)i : 0,
                              .mac = {2, 0, 0, 0, 0, (uint8_t)i}};
    }
}

static struct emitted start_closed(const struct sp_technique *tech, const struct sp_tag_keys *keys,
                                   const struct sp_flow *flow)
{
    struct emitted out = {.n = 0};
    struct sp_addr forged = forged_of(flow);
    struct sp_outer outers[SP_OUTERS_MAX];
    outers_of(tech, flow, outers);
    struct sp_tech_io io = {.keys = keys,
                            .now_us = 123456789,
                            .forged = &forged,
                            .outers = outers,
                            .nouters = tech->wraps != SP_WRAP_NONE ? SP_OUTERS_MAX : 0,
                            .emit = emit,
                            .arg = &out};
    assert_int_equal(tech->start(flow, &io), 0);
    return out;
}

/* The test's own packets: what travels inside others is taken out. */
static struct emitted start(const struct sp_technique *tech, const struct sp_tag_keys *keys,
                            const struct sp_flow *flow)
{
    struct emitted out = start_closed(tech, keys, flow);
    for (size_t i = 0; i < out.n; i++) {
        assert_int_equal(out.specs[i].wrap.kind, tech->wraps);
        out.specs[i].wrap = (struct sp_wrap){0};
    }
    return out;
}

static inline void read_back(const struct sp_spec *spec, struct kit_bytes *bytes,
                             struct sp_pkt *pkt)
{
    kit_build(spec, bytes);
    assert_int_equal(kit_checksums_ok(bytes->at, bytes->len), !spec->bad_checksum);
    assert_true(sp_pkt_parse(bytes->at, bytes->len, pkt));
}

static bool runs_on(const struct sp_technique_info *info, bool v6)
{
    return (info->families & (v6 ? SP_TECH_IPV6 : SP_TECH_IPV4)) != 0;
}

/* Calls fn for every technique and family it has; of those that send fragments only in the tests of
 * test_pieces.c. */
static void each(void (*fn)(const struct sp_technique_info *, const struct sp_technique *, bool))
{
    const struct sp_technique_info *info;
    for (size_t i = 0; (info = sp_technique_at(i)) != NULL; i++) {
        for (int v6 = 0; v6 < 2; v6++) {
            if (runs_on(info, v6) && !sp_technique_code(i)->piece) {
                fn(info, sp_technique_code(i), v6);
            }
        }
    }
}

static inline struct sp_spec reversed(const struct sp_spec *spec)
{
    struct sp_spec back = *spec;
    back.src = spec->dst;
    back.dst = spec->src;
    back.sport = spec->dport;
    back.dport = spec->sport;
    return back;
}

#endif
