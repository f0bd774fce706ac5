/* SPDX-License-Identifier: Apache-2.0
 *
 * What a template makes is byte for byte what libnet builds of the same spec. */
#include <libnet.h>
#include <string.h>

#include "probe/base/hash.h"
#include "probe/base/mem.h"
#include "probe/packet/template.h"
#include "probe/techniques/technique.h"
#include "tests/support/sp_cmocka.h"
#include "tests/unit/packet/packet_kit.h"

static const uint8_t src_mac[6] = {2, 1, 2, 3, 4, 5};
static const uint8_t dst_mac[6] = {2, 9, 8, 7, 6, 0xff};
static const struct sp_technique *const techniques[] = {&sp_tech_tcp_syn, &sp_tech_udp};

struct world {
    libnet_t *l;
    struct sp_tag_keys keys;
    struct sp_rng rng;
};

static void open_world(struct world *world)
{
    char errbuf[LIBNET_ERRBUF_SIZE];
    uint8_t key[32];
    for (uint8_t i = 0; i < 32; i++) {
        key[i] = (uint8_t)(i * 7 + 1);
    }
    sp_tag_keys_init(&world->keys, key);
    world->rng = (struct sp_rng){4711};
    world->l = libnet_init(LIBNET_NONE, NULL, errbuf);
    assert_non_null(world->l);
}

static struct sp_flow between(bool v6)
{
    return (struct sp_flow){.src = kit_addr(v6 ? "fd00:1::7" : "10.1.2.3"),
                            .dst = kit_addr(v6 ? "fd00:ffff::1:2" : "10.255.0.9")};
}

/* Compares one packet; returns its transport checksum. */
static uint16_t compare(struct world *world, const struct sp_technique *tech,
                        const struct sp_template *template, const struct sp_flow *flow, bool link)
{
    struct sp_spec spec;
    struct sp_built built;
    uint8_t out[SP_TEMPLATE_MAX_BYTES];
    struct sp_tag tag = sp_tag_make(&world->keys, flow->block, flow->port);
    tech->spec(&world->keys, flow, 0, &spec);
    assert_int_equal(
        sp_spec_build(world->l, &spec, link ? src_mac : NULL, link ? dst_mac : NULL, &built, NULL),
        SP_OK);
    sp_template_fill(template, flow->sport, flow->port, &tag, out);
    assert_int_equal(template->len, built.len);
    assert_memory_equal(out, built.bytes, built.len);
    sp_built_free(&built);
    assert_true(kit_checksums_ok(out + template->ip, template->len - template->ip));
    const uint8_t *sum = out + template->transport + (tech == &sp_tech_udp ? 6 : 16);
    return (uint16_t)((unsigned)sum[0] << 8 | sum[1]);
}

static void make(struct world *world, const struct sp_technique *tech, const struct sp_flow *flow,
                 bool link, struct sp_template *ret_template)
{
    struct sp_spec spec;
    tech->spec(&world->keys, flow, 0, &spec);
    assert_int_equal(
        sp_template_make(&spec, link ? src_mac : NULL, link ? dst_mac : NULL, ret_template, NULL),
        SP_OK);
}

static void equals_what_libnet_builds(void **state)
{
    struct world world;
    (void)state;
    open_world(&world);
    for (unsigned kind = 0; kind < 8; kind++) {
        const struct sp_technique *tech = techniques[kind & 1];
        bool link = (kind & 4) != 0;
        struct sp_template template;
        struct sp_flow flow = between((kind & 2) != 0);
        flow.block = 99; /* of the template: any will do */
        flow.port = 99;
        flow.sport = 99;
        make(&world, tech, &flow, link, &template);
        for (int i = 0; i < 4000; i++) {
            uint64_t r = sp_rng_next(&world.rng);
            flow.block = (uint16_t)r;
            flow.port = i == 0 ? 0 : i == 1 ? 65535 : (uint16_t)(r >> 16);
            flow.sport = i == 2 ? 0 : i == 3 ? 65535 : (uint16_t)(r >> 32);
            (void)compare(&world, tech, &template, &flow, link);
        }
    }
    libnet_destroy(world.l);
}

/* Over all source ports a checksum takes every value: that of UDP is never 0, which means none. */
static void every_checksum(void **state)
{
    struct world world;
    (void)state;
    open_world(&world);
    for (unsigned kind = 0; kind < 4; kind++) {
        const struct sp_technique *tech = techniques[kind & 1];
        struct sp_template template;
        struct sp_flow flow = between((kind & 2) != 0);
        unsigned zeros = 0;
        unsigned ones = 0;
        flow.block = 5;
        flow.port = 53;
        make(&world, tech, &flow, false, &template);
        for (uint32_t sport = 0; sport < 65536; sport++) {
            flow.sport = (uint16_t)sport;
            uint16_t sum = compare(&world, tech, &template, &flow, false);
            zeros += sum == 0;
            ones += sum == 0xffff;
        }
        bool is_udp = tech == &sp_tech_udp;
        assert_int_equal(is_udp ? zeros : ones, 0);
        assert_true((is_udp ? ones : zeros) >= 1);
    }
    libnet_destroy(world.l);
}

/* The template itself may have been built with any checksum, the corrected one of UDP too. */
static void any_template(void **state)
{
    struct world world;
    (void)state;
    open_world(&world);
    unsigned corrected = 0;
    for (uint32_t i = 0; i < 65536; i += 1) {
        struct sp_flow flow = between(false);
        struct sp_template template;
        flow.src.bytes[2] = (uint8_t)(i >> 8);
        flow.src.bytes[3] = (uint8_t)i;
        flow.sport = flow.port = 0;
        struct sp_spec spec;
        sp_tech_udp.spec(&world.keys, &flow, 0, &spec);
        assert_int_equal(sp_template_make(&spec, NULL, NULL, &template, NULL), SP_OK);
        const uint8_t *sum = template.bytes + template.transport + 6;
        if (sum[0] == 0xff && sum[1] == 0xff) {
            corrected++;
            for (uint16_t port = 1; port < 500; port++) {
                flow.port = port;
                (void)compare(&world, &sp_tech_udp, &template, &flow, false);
            }
        }
    }
    assert_true(corrected >= 1);
    libnet_destroy(world.l);
}

static void what_cannot_be_one(void **state)
{
    (void)state;
    struct sp_template template = {.len = 77};
    struct sp_diag diag = {0};
    struct sp_flow flow = between(false);
    struct sp_tag_keys keys;
    uint8_t key[32] = {0};
    struct sp_spec spec;
    sp_tag_keys_init(&keys, key);
    sp_tech_tcp_syn.spec(&keys, &flow, 0, &spec);
    spec.tcp_options = false; /* its tag has no place */
    assert_int_equal(sp_template_make(&spec, NULL, NULL, &template, &diag), SP_E_INVALID);
    sp_tech_udp.spec(&keys, &flow, 0, &spec);
    spec.payload_len = SP_TAG_BYTES - 1;
    assert_int_equal(sp_template_make(&spec, NULL, NULL, &template, &diag), SP_E_INVALID);
    spec.payload_len = sizeof(spec.payload);
    assert_int_equal(sp_template_make(&spec, NULL, NULL, &template, &diag), SP_E_LIMIT);
    spec.ip_proto = SP_IPPROTO_ICMP;
    assert_int_equal(sp_template_make(&spec, NULL, NULL, &template, &diag), SP_E_INVALID);
    assert_int_equal(template.len, 77);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equals_what_libnet_builds),
        cmocka_unit_test(every_checksum),
        cmocka_unit_test(any_template),
        cmocka_unit_test(what_cannot_be_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
