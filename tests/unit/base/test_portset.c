/* SPDX-License-Identifier: Apache-2.0
 *
 * Sets of ports against a plain array of booleans. */
#include <string.h>

#include "probe/base/attr.h"
#include "probe/base/hash.h"
#include "probe/base/portset.h"
#include "tests/support/sp_cmocka.h"

#define PORTS SP_PORTSET_PORTS

static void check(const struct sp_portset *set, const bool *plain)
{
    struct sp_portset_index index;
    uint32_t n = 0;
    uint32_t next = sp_portset_next(set, 0);
    sp_portset_index(set, &index);
    for (uint32_t port = 0; port < PORTS; port++) {
        assert_int_equal(sp_portset_has(set, (uint16_t)port), plain[port]);
        if (plain[port]) {
            assert_int_equal(next, port);
            assert_int_equal(sp_portset_nth(set, &index, n), port);
            next = sp_portset_next(set, port + 1);
            n++;
        }
    }
    assert_int_equal(next, PORTS);
    assert_int_equal(sp_portset_count(set), n);
}

static void random_sets(void **state)
{
    (void)state;
    struct sp_rng rng = {1};
    for (uint32_t some = 1; some <= PORTS; some *= 4) {
        static struct sp_portset set;
        static bool plain[PORTS];
        memset(&set, 0, sizeof(set));
        memset(plain, 0, sizeof(plain));
        for (uint32_t i = 0; i < some; i++) {
            uint16_t port = (uint16_t)sp_rng_next(&rng);
            sp_portset_add(&set, port);
            plain[port] = true;
        }
        check(&set, plain);
        for (uint32_t i = 0; i < some / 2; i++) {
            uint16_t port = (uint16_t)sp_rng_next(&rng);
            sp_portset_remove(&set, port);
            plain[port] = false;
        }
        check(&set, plain);
    }
}

static void ranges(void **state)
{
    (void)state;
    static const uint16_t rows[][2] = {{0, 65535}, {0, 0},     {65535, 65535}, {7, 8},   {8, 15},
                                       {1, 65534}, {511, 512}, {63, 64},       {80, 80}, {9, 3}};
    for (size_t i = 0; i < SP_ARRAY_LEN(rows); i++) {
        static struct sp_portset set;
        static bool plain[PORTS];
        memset(&set, 0, sizeof(set));
        memset(plain, 0, sizeof(plain));
        sp_portset_add_range(&set, rows[i][0], rows[i][1]);
        for (uint32_t port = rows[i][0]; port <= rows[i][1]; port++) {
            plain[port] = true;
        }
        check(&set, plain);
    }
}

static void chunks(void **state)
{
    (void)state;
    static struct sp_portset set;
    static struct sp_portset copy;
    uint8_t bits[SP_PORTSET_CHUNK_BYTES] = {0};
    sp_portset_add(&set, 0);
    sp_portset_add(&set, 511);
    sp_portset_add(&set, 512);
    sp_portset_add(&set, 65535);
    assert_false(sp_portset_chunk_is_empty(&set, 0));
    assert_false(sp_portset_chunk_is_empty(&set, 1));
    assert_true(sp_portset_chunk_is_empty(&set, 2));
    assert_false(sp_portset_chunk_is_empty(&set, SP_PORTSET_CHUNKS - 1));
    assert_true(sp_portset_chunk_is_empty(&set, SP_PORTSET_CHUNKS));
    assert_true(sp_portset_chunk_get(&set, 0, bits));
    assert_int_equal(bits[0], 1); /* the wire's order: the least significant bit first */
    assert_int_equal(bits[63], 128);
    for (uint16_t chunk = 0; chunk < SP_PORTSET_CHUNKS; chunk++) {
        assert_true(sp_portset_chunk_get(&set, chunk, bits));
        assert_true(sp_portset_chunk_add(&copy, chunk, bits));
    }
    assert_memory_equal(&set, &copy, sizeof(set));
    assert_false(sp_portset_chunk_get(&set, SP_PORTSET_CHUNKS, bits));
    assert_false(sp_portset_chunk_add(&set, SP_PORTSET_CHUNKS, bits));
    assert_memory_equal(&set, &copy, sizeof(set));
    memset(&copy, 0, sizeof(copy));
    sp_portset_add(&copy, 77);
    sp_portset_unite(&copy, &set);
    assert_int_equal(sp_portset_count(&copy), 5);
    assert_true(sp_portset_has(&copy, 77) && sp_portset_has(&copy, 65535));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_sets),
        cmocka_unit_test(ranges),
        cmocka_unit_test(chunks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
