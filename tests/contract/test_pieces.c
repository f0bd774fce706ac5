/* SPDX-License-Identifier: Apache-2.0
 *
 * What every technique must do that sends fragments: each one is found again by itself, with the
 * keys of its batch only, as the piece that it is, also when bytes of it are changed or missing;
 * and put together they are a packet of the technique, or of nobody's. */
#include <stdlib.h>
#include <string.h>

#include "probe/techniques/technique.h"
#include "tests/support/sp_cmocka.h"
#include "tests/unit/packet/packet_kit.h"

struct emitted {
    struct sp_spec specs[8];
    size_t n;
};

static int emit(struct sp_tech_io *io, const struct sp_spec *spec)
{
    struct emitted *out = io->arg;
    assert_true(out->n < 8);
    out->specs[out->n++] = *spec;
    return 0;
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

static struct emitted start(const struct sp_technique *tech, const struct sp_tag_keys *keys,
                            bool v6, uint16_t block, uint16_t port)
{
    struct emitted out = {.n = 0};
    struct sp_flow flow = {.src = kit_addr(v6 ? "2001:db8:1::a" : "10.1.0.1"),
                           .dst = kit_addr(v6 ? "2001:db8:2::b" : "10.2.0.2"),
                           .block = block,
                           .port = port,
                           .sport = 40123};
    struct sp_tech_io io = {.keys = keys, .now_us = 77, .emit = emit, .arg = &out};
    assert_int_equal(tech->start(&flow, &io), 0);
    return out;
}

static void each(void (*fn)(const struct sp_technique *, const struct sp_technique_info *, bool))
{
    const struct sp_technique *tech;
    size_t found = 0;
    for (size_t i = 0; (tech = sp_technique_code(i)) != NULL; i++) {
        const struct sp_technique_info *info = sp_technique_at(i);
        for (int v6 = 0; v6 < 2 && tech->piece; v6++) {
            if ((info->families & (v6 ? SP_TECH_IPV6 : SP_TECH_IPV4)) != 0) {
                fn(tech, info, v6);
                found++;
            }
        }
    }
    assert_true(found > 0);
}

static bool read_piece(const struct sp_technique *tech, const struct sp_tag_keys *keys,
                       const uint8_t *bytes, size_t len, struct sp_piece *ret_piece)
{
    struct sp_pkt pkt;
    return sp_pkt_parse_piece(bytes, len, &pkt) && tech->piece(keys, &pkt, ret_piece);
}

static void found(const struct sp_technique *tech, const struct sp_technique_info *info, bool v6)
{
    static const uint16_t blocks[] = {0, 1, 300, 0xffff};
    static const uint16_t ports[] = {1, 22, 443, 0xffff};
    struct sp_tag_keys keys = keys_of(1);
    struct sp_tag_keys other = keys_of(2);
    for (size_t i = 0; i < 16; i++) {
        struct emitted out = start(tech, &keys, v6, blocks[i / 4], ports[i % 4]);
        unsigned mask = 0;
        assert_int_equal(out.n, info->packets);
        for (size_t k = 0; k < out.n; k++) {
            struct kit_bytes bytes;
            struct sp_piece piece;
            struct sp_pkt pkt;
            kit_build(&out.specs[k], &bytes);
            assert_true(sp_pkt_parse_piece(bytes.at, bytes.len, &pkt));
            assert_int_equal(pkt.ip_proto, v6 ? tech->ip_proto6 : tech->ip_proto4);
            assert_true(tech->piece(&keys, &pkt, &piece));
            assert_int_equal(piece.block, blocks[i / 4]);
            assert_int_equal(piece.port, ports[i % 4]);
            assert_int_equal(piece.at == 0, pkt.offset == 0);
            mask |= 1U << piece.at;
            assert_false(tech->piece(&other, &pkt, &piece));
        }
        assert_int_equal(mask, tech->pieces);
    }
}

static void every_fragment_is_found_again(void **state)
{
    (void)state;
    each(found);
}

/* A flipped bit, a cut: not ours, or still the same piece. With weak ones, too, 32 bits count. */
static void changed(const struct sp_technique *tech, const struct sp_technique_info *info, bool v6)
{
    struct sp_tag_keys keys = keys_of(1);
    struct emitted out = start(tech, &keys, v6, 300, 8080);
    (void)info;
    for (size_t k = 0; k < out.n; k++) {
        struct kit_bytes bytes;
        struct sp_piece want;
        struct sp_piece piece;
        size_t refused = 0;
        kit_build(&out.specs[k], &bytes);
        assert_true(read_piece(tech, &keys, bytes.at, bytes.len, &want));
        for (size_t bit = 0; bit < bytes.len * 8; bit++) {
            bytes.at[bit / 8] ^= (uint8_t)(1 << bit % 8);
            if (!read_piece(tech, &keys, bytes.at, bytes.len, &piece)) {
                refused++;
            } else {
                assert_true(piece.block == want.block && piece.port == want.port);
                assert_int_equal(piece.at, want.at);
            }
            bytes.at[bit / 8] ^= (uint8_t)(1 << bit % 8);
        }
        assert_true(refused >= 64);
        for (size_t len = 0; len < bytes.len; len++) {
            if (read_piece(tech, &keys, bytes.at, len, &piece)) {
                assert_true(piece.block == want.block && piece.at == want.at);
            }
        }
    }
}

static void a_changed_fragment_is_refused(void **state)
{
    (void)state;
    each(changed);
}

/* Something on the path gives fragments another ID, or another address. All but a first fragment
 * that has no room for more of the tag are found all the same. */
static void translated(const struct sp_technique *tech, const struct sp_technique_info *info,
                       bool v6)
{
    struct sp_tag_keys keys = keys_of(1);
    struct emitted out = start(tech, &keys, v6, 300, 8080);
    (void)info;
    for (size_t k = 0; k < out.n; k++) {
        struct kit_bytes bytes;
        struct sp_piece want;
        struct sp_piece piece;
        kit_build(&out.specs[k], &bytes);
        assert_true(read_piece(tech, &keys, bytes.at, bytes.len, &want));
        out.specs[k].src = kit_addr(v6 ? "2001:db8:9::9" : "192.0.2.9");
        out.specs[k].ip_id = 5;
        out.specs[k].odd.id = 5;
        kit_build(&out.specs[k], &bytes);
        if (read_piece(tech, &keys, bytes.at, bytes.len, &piece)) {
            assert_true(piece.block == want.block && piece.at == want.at);
        } else {
            assert_int_equal(want.at, 0);
            assert_int_equal(bytes.len, v6 ? 40 + 8 + 8 : 20 + 8);
        }
    }
}

static void translation_does_not_hide_it(void **state)
{
    (void)state;
    each(translated);
}

static void confused(const struct sp_technique *tech, const struct sp_technique_info *info, bool v6)
{
    struct sp_tag_keys keys = keys_of(1);
    struct emitted out = start(tech, &keys, v6, 300, 8080);
    const struct sp_technique *other;
    (void)info;
    for (size_t i = 0; (other = sp_technique_code(i)) != NULL; i++) {
        for (size_t k = 0; k < out.n && other != tech; k++) {
            struct kit_bytes bytes;
            struct sp_piece piece;
            struct sp_pkt pkt;
            uint16_t block;
            uint16_t port;
            kit_build(&out.specs[k], &bytes);
            assert_false(other->piece && read_piece(other, &keys, bytes.at, bytes.len, &piece));
            assert_false(sp_pkt_parse(bytes.at, bytes.len, &pkt) &&
                         other->match(&keys, &pkt, &block, &port));
        }
    }
}

static void no_other_technique_takes_it(void **state)
{
    (void)state;
    each(confused);
}

/* Whoever reassembles, the later of what overlaps counting, has a packet that is found again, or,
 * where the beginning never went out, none. */
static void joined(const struct sp_technique *tech, const struct sp_technique_info *info, bool v6)
{
    struct sp_tag_keys keys = keys_of(1);
    struct emitted out = start(tech, &keys, v6, 300, 8080);
    uint8_t body[256] = {0};
    uint8_t packet[512];
    size_t end = 0;
    struct sp_pkt pkt;
    uint16_t block = 0;
    uint16_t port = 0;
    (void)info;
    for (size_t k = 0; k < out.n; k++) {
        struct kit_bytes bytes;
        kit_build(&out.specs[k], &bytes);
        assert_true(sp_pkt_parse_piece(bytes.at, bytes.len, &pkt));
        memcpy(body + pkt.offset, pkt.payload, pkt.payload_len);
        end = pkt.is_more ? end : pkt.offset + pkt.payload_len;
    }
    size_t len = v6 ? kit_ip6(packet, 6, "2001:db8:1::a", "2001:db8:2::b", body, end)
                    : kit_ip4(packet, 6, "10.1.0.1", "10.2.0.2", body, end);
    if ((tech->pieces & 1) != 0) {
        assert_true(sp_pkt_parse(packet, len, &pkt));
        assert_true(tech->match(&keys, &pkt, &block, &port));
        assert_true(block == 300 && port == 8080 && pkt.dport == 8080 && pkt.sport == 40123);
        assert_int_equal(pkt.tcp_flags, SP_TCP_SYN);
        assert_int_equal(pkt.payload_len, 0); /* real services are left alone */
        packet[10] = packet[11] = 0;          /* of its header's own sum the kit makes none */
        struct kit_bytes plain;
        struct sp_spec whole = out.specs[out.n - 1];
        whole.odd = (struct sp_odd){0};
        kit_build(&whole, &plain);
        assert_true(kit_checksums_ok(plain.at, plain.len));
        assert_memory_equal(body, plain.at + plain.len - end, end);
    }
}

static void together_they_are_a_syn(void **state)
{
    (void)state;
    each(joined);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_fragment_is_found_again),
        cmocka_unit_test(a_changed_fragment_is_refused),
        cmocka_unit_test(translation_does_not_hide_it),
        cmocka_unit_test(no_other_technique_takes_it),
        cmocka_unit_test(together_they_are_a_syn),
    };
    return cmocka_run_group_tests_name("pieces", tests, NULL, NULL);
}
