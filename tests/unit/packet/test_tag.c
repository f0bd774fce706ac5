/* SPDX-License-Identifier: Apache-2.0
 *
 * The tag: the cipher against its published vector, and that nothing but an untouched tag of the
 * same batch is ever taken for ours. */
#include <string.h>

#include "probe/packet/tag.h"
#include "tests/support/sp_cmocka.h"

/* Beaulieu et al. 2013, appendix C, Speck32/64: key 1918 1110 0908 0100, 6574 694c -> a868 42f2. */
static const uint8_t official[32] = {0x19, 0x18, 0x11, 0x10, 0x09, 0x08, 0x01, 0x00, 9,  9, 9,
                                     9,    9,    9,    9,    9,    1,    2,    3,    4,  5, 6,
                                     7,    8,    9,    10,   11,   12,   13,   14,   15, 16};

static struct sp_tag_keys keys_of(uint8_t first)
{
    uint8_t key[32];
    struct sp_tag_keys keys;
    for (unsigned i = 0; i < sizeof(key); i++) {
        key[i] = (uint8_t)(first + i * 7);
    }
    sp_tag_keys_init(&keys, key);
    return keys;
}

static void official_vector(void **state)
{
    (void)state;
    struct sp_tag_keys keys;
    uint16_t block;
    uint16_t port;
    sp_tag_keys_init(&keys, official);
    assert_int_equal(sp_tag_seal(&keys, 0x6574, 0x694c), 0xa86842f2);
    sp_tag_unseal(&keys, 0xa86842f2, &block, &port);
    assert_int_equal(block, 0x6574);
    assert_int_equal(port, 0x694c);
}

static void seal_is_a_permutation(void **state)
{
    (void)state;
    struct sp_tag_keys keys = keys_of(3);
    for (uint32_t x = 0; x < 200000; x++) {
        uint32_t v = x * 2654435761U;
        uint16_t block;
        uint16_t port;
        uint32_t c = sp_tag_seal(&keys, (uint16_t)(v >> 16), (uint16_t)v);
        sp_tag_unseal(&keys, c, &block, &port);
        assert_int_equal((uint32_t)block << 16 | port, v);
    }
}

static void header_tag(void **state)
{
    (void)state;
    struct sp_tag_keys keys = keys_of(1);
    struct sp_tag_keys other = keys_of(2);
    static const uint16_t edges[] = {0, 1, 443, 0x7fff, 0x8000, 0xffff};
    for (size_t i = 0; i < 36; i++) {
        uint16_t b = edges[i / 6];
        uint16_t p = edges[i % 6];
        uint16_t block = 7;
        uint16_t port = 7;
        struct sp_tag tag = sp_tag_make(&keys, b, p);
        assert_int_not_equal(tag.ip_id, 0);
        assert_true(sp_tag_check(&keys, tag.seq, tag.tsval, &block, &port));
        assert_int_equal(block, b);
        assert_int_equal(port, p);
        block = 7;
        assert_false(sp_tag_check(&other, tag.seq, tag.tsval, &block, &port));
        for (int bit = 0; bit < 32; bit++) {
            assert_false(sp_tag_check(&keys, tag.seq ^ 1U << bit, tag.tsval, &block, &port));
            assert_false(sp_tag_check(&keys, tag.seq, tag.tsval ^ 1U << bit, &block, &port));
        }
        assert_int_equal(block, 7); /* untouched when it is not ours */
    }
}

/* The field is never 0, or the kernel would fill in its own: found where the MAC's bits are 0. */
static void ip_id_is_never_zero(void **state)
{
    (void)state;
    struct sp_tag_keys keys = keys_of(5);
    size_t ones = 0;
    for (uint32_t x = 0; x < 400000; x++) {
        struct sp_tag tag = sp_tag_make(&keys, (uint16_t)(x >> 16), (uint16_t)x);
        assert_int_not_equal(tag.ip_id, 0);
        ones += tag.ip_id == 1;
    }
    assert_true(ones > 0);
}

static void payload_tag(void **state)
{
    (void)state;
    struct sp_tag_keys keys = keys_of(1);
    struct sp_tag_keys other = keys_of(2);
    for (int kind = SP_TAG_PROBE; kind <= SP_TAG_REPLY; kind++) {
        uint8_t bytes[64] = {0};
        enum sp_tag_kind got = SP_TAG_PROBE;
        uint16_t block = 0;
        uint16_t port = 0;
        sp_tag_write(&keys, 0x1234, 0xfedc, (enum sp_tag_kind)kind, 0x0102030405060708ULL, bytes);
        assert_memory_equal(bytes, "SGpf", 4);
        assert_memory_equal(bytes + 20, "\1\2\3\4\5\6\7\10", 8);
        assert_true(sp_tag_read(&keys, bytes, SP_TAG_BYTES, &got, &block, &port));
        assert_int_equal(got, kind);
        assert_int_equal(block, 0x1234);
        assert_int_equal(port, 0xfedc);
        assert_true(sp_tag_read(&keys, bytes, sizeof(bytes), &got, &block, &port));
        assert_false(sp_tag_read(&other, bytes, SP_TAG_BYTES, &got, &block, &port));
        for (size_t bit = 0; bit < (size_t)17 * 8; bit++) { /* magic, c, m, kind */
            bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
            assert_false(sp_tag_read(&keys, bytes, SP_TAG_BYTES, &got, &block, &port));
            bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
        }
        for (size_t len = 0; len < 17; len++) {
            assert_false(sp_tag_read(&keys, bytes, len, &got, &block, &port));
        }
        bytes[16] ^= SP_TAG_PROBE ^ SP_TAG_REPLY; /* a probe never passes for a reply */
        assert_false(sp_tag_read(&keys, bytes, SP_TAG_BYTES, &got, &block, &port));
    }
}

static void no_payload(void **state)
{
    (void)state;
    struct sp_tag_keys keys = keys_of(1);
    enum sp_tag_kind kind;
    uint16_t block;
    uint16_t port;
    assert_false(sp_tag_read(&keys, NULL, 0, &kind, &block, &port));
}

/* Both kinds of tag name one packet with different MAC bits, so one cannot be cut out of the
 * other. */
static void kinds_have_their_own_mac(void **state)
{
    (void)state;
    struct sp_tag_keys keys = keys_of(9);
    uint8_t probe[SP_TAG_BYTES];
    uint8_t reply[SP_TAG_BYTES];
    sp_tag_write(&keys, 1, 2, SP_TAG_PROBE, 0, probe);
    sp_tag_write(&keys, 1, 2, SP_TAG_REPLY, 0, reply);
    assert_memory_equal(probe, reply, 8);
    assert_memory_not_equal(probe + 8, reply + 8, 8);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(official_vector),
        cmocka_unit_test(seal_is_a_permutation),
        cmocka_unit_test(header_tag),
        cmocka_unit_test(ip_id_is_never_zero),
        cmocka_unit_test(payload_tag),
        cmocka_unit_test(no_payload),
        cmocka_unit_test(kinds_have_their_own_mac),
    };
    return cmocka_run_group_tests_name("tag", tests, NULL, NULL);
}
