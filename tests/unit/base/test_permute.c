/* SPDX-License-Identifier: Apache-2.0
 *
 * The keyed permutation: each number once, at every size; unrelated to the order of numbers, and
 * between keys. */
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "probe/base/attr.h"
#include "probe/base/permute.h"
#include "tests/support/sp_cmocka.h"

static void check_bijection(uint64_t key, uint32_t n)
{
    struct sp_permutation p;
    bool *seen = calloc(n, sizeof(*seen));
    assert_non_null(seen);
    sp_permutation_init(&p, key, n);
    for (uint32_t i = 0; i < n; i++) {
        uint32_t at = sp_permutation_at(&p, i);
        assert_true(at < n);
        assert_false(seen[at]);
        seen[at] = true;
    }
    free(seen);
}

static void each_number_once(void **state)
{
    (void)state;
    for (uint32_t n = 1; n <= 600; n++) {
        check_bijection(n, n);
        check_bijection(0, n);
    }
    static const uint32_t sizes[] = {1023,  1024,  1025,   4095,   4096,   4097,    65535,
                                     65536, 65537, 131070, 262144, 262145, 1048577, 2097152};
    for (size_t i = 0; i < SP_ARRAY_LEN(sizes); i++) {
        check_bijection(0x1234567890abcdefULL + i, sizes[i]);
    }
}

/* How many numbers stay where they are, or beside their neighbour: about one of each, if it looks
 * like chance. */
static void looks_like_chance(void **state)
{
    (void)state;
    const uint32_t n = 65536;
    for (uint64_t key = 0; key < 8; key++) {
        struct sp_permutation p;
        struct sp_permutation other;
        uint32_t fixed = 0;
        uint32_t neighbours = 0;
        uint32_t same = 0;
        sp_permutation_init(&p, key, n);
        sp_permutation_init(&other, key + 1, n);
        for (uint32_t i = 0; i < n; i++) {
            uint32_t at = sp_permutation_at(&p, i);
            uint32_t next = sp_permutation_at(&p, (i + 1) % n);
            fixed += at == i;
            neighbours += next == at + 1;
            same += at == sp_permutation_at(&other, i);
        }
        assert_true(fixed < 20 && neighbours < 20 && same < 20);
    }
}

/* No part of the range is hit in bursts: of every 256 in a row about 16 fall into each sixteenth.
 */
static void spreads(void **state)
{
    (void)state;
    static const uint32_t sizes[] = {65536, 131070, 40000};
    for (size_t k = 0; k < SP_ARRAY_LEN(sizes); k++) {
        struct sp_permutation p;
        double worst = 0;
        double sum = 0;
        uint32_t windows = sizes[k] / 256;
        sp_permutation_init(&p, 99, sizes[k]);
        for (uint32_t w = 0; w < windows; w++) {
            unsigned in[16] = {0};
            double chi = 0;
            for (uint32_t i = 0; i < 256; i++) {
                in[(uint64_t)sp_permutation_at(&p, w * 256 + i) * 16 / sizes[k]]++;
            }
            for (unsigned c = 0; c < 16; c++) {
                chi += (in[c] - 16.0) * (in[c] - 16.0) / 16.0;
            }
            worst = chi > worst ? chi : worst;
            sum += chi;
        }
        /* 15 degrees of freedom: mean 15; beyond 55 once in 500,000. */
        assert_true(worst < 55);
        assert_true(sum / windows > 12 && sum / windows < 18);
    }
}

static void same_key_same_order(void **state)
{
    (void)state;
    struct sp_permutation a;
    struct sp_permutation b;
    sp_permutation_init(&a, 5, 1000);
    sp_permutation_init(&b, 5, 1000);
    for (uint32_t i = 0; i < 1000; i++) {
        assert_int_equal(sp_permutation_at(&a, i), sp_permutation_at(&b, i));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_number_once),
        cmocka_unit_test(looks_like_chance),
        cmocka_unit_test(spreads),
        cmocka_unit_test(same_key_same_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
