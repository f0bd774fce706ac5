/* SPDX-License-Identifier: Apache-2.0
 *
 * What the contract of techniques drives them with: a sender that keeps what they emit, keys, a
 * flow, and packets read back from their bytes. For one test program: everything is static. */
#ifndef SP_TEST_TECH_KIT_H
#define SP_TEST_TECH_KIT_H

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

static struct emitted start(const struct sp_technique *tech, const struct sp_tag_keys *keys,
                            const struct sp_flow *flow)
{
    struct emitted out = {.n = 0};
    struct sp_tech_io io = {.keys = keys, .now_us = 123456789, .emit = emit, .arg = &out};
    assert_int_equal(tech->start(flow, &io), 0);
    return out;
}

static void read_back(const struct sp_spec *spec, struct kit_bytes *bytes, struct sp_pkt *pkt)
{
    kit_build(spec, bytes);
    assert_int_equal(kit_checksums_ok(bytes->at, bytes->len), !spec->bad_checksum);
    assert_true(sp_pkt_parse(bytes->at, bytes->len, pkt));
}

static bool runs_on(const struct sp_technique_info *info, bool v6)
{
    return (info->families & (v6 ? SP_TECH_IPV6 : SP_TECH_IPV4)) != 0;
}

/* Calls fn for every technique and family it has. */
static void each(void (*fn)(const struct sp_technique_info *, const struct sp_technique *, bool))
{
    const struct sp_technique_info *info;
    for (size_t i = 0; (info = sp_technique_at(i)) != NULL; i++) {
        for (int v6 = 0; v6 < 2; v6++) {
            if (runs_on(info, v6)) {
                fn(info, sp_technique_code(i), v6);
            }
        }
    }
}

static struct sp_spec reversed(const struct sp_spec *spec)
{
    struct sp_spec back = *spec;
    back.src = spec->dst;
    back.dst = spec->src;
    back.sport = spec->dport;
    back.dport = spec->sport;
    return back;
}

#endif
