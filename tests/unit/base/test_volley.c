/* SPDX-License-Identifier: Apache-2.0
 *
 * Which ports a volley sends: the same set on every pass, in another order; all volleys together
 * every port once. */
#include <string.h>

#include "probe/base/volley.h"
#include "tests/support/sp_cmocka.h"

#define TOTAL 10007U
#define PART  1000U

static void all_of_them_once(void **state)
{
    (void)state;
    for (uint16_t pass = 0; pass < 3; pass++) {
        static uint8_t seen[TOTAL];
        memset(seen, 0, sizeof(seen));
        for (uint32_t first = 0; first < TOTAL; first += PART) {
            uint32_t count = TOTAL - first < PART ? TOTAL - first : PART;
            struct sp_volley_order order;
            sp_volley_order_init(&order, 77, TOTAL, pass, first, count);
            for (uint32_t k = 0; k < count; k++) {
                uint32_t number = sp_volley_order_at(&order, k);
                assert_true(number < TOTAL);
                seen[number]++;
            }
        }
        for (uint32_t i = 0; i < TOTAL; i++) {
            assert_int_equal(seen[i], 1);
        }
    }
}

static void passes_differ_in_order_alone(void **state)
{
    (void)state;
    struct sp_volley_order orders[3];
    static uint8_t seen[3][TOTAL];
    unsigned same = 0;
    for (uint16_t pass = 0; pass < 3; pass++) {
        sp_volley_order_init(&orders[pass], 4, TOTAL, pass, 3000, PART);
    }
    for (uint32_t k = 0; k < PART; k++) {
        for (unsigned pass = 0; pass < 3; pass++) {
            seen[pass][sp_volley_order_at(&orders[pass], k)] = 1;
        }
        same += sp_volley_order_at(&orders[0], k) == sp_volley_order_at(&orders[1], k);
    }
    assert_memory_equal(seen[0], seen[1], TOTAL);
    assert_memory_equal(seen[0], seen[2], TOTAL);
    assert_true(same < 20);
    for (uint32_t i = 3000; i < 3000 + PART; i++) {
        uint32_t number = sp_volley_order_whole(&orders[1], i);
        assert_int_equal(seen[0][number], 1);
        seen[0][number] = 2;
    }
}

static void other_keys_other_sets(void **state)
{
    (void)state;
    struct sp_volley_order a;
    struct sp_volley_order b;
    unsigned same = 0;
    sp_volley_order_init(&a, 1, TOTAL, 0, 0, PART);
    sp_volley_order_init(&b, 2, TOTAL, 0, 0, PART);
    for (uint32_t k = 0; k < PART; k++) {
        same += sp_volley_order_at(&a, k) == sp_volley_order_at(&b, k);
    }
    assert_true(same < 10);
}

static void the_smallest(void **state)
{
    (void)state;
    struct sp_volley_order order;
    sp_volley_order_init(&order, 9, 1, 0, 0, 1);
    assert_int_equal(sp_volley_order_at(&order, 0), 0);
    sp_volley_order_init(&order, 9, 65536, 31, 65535, 1);
    assert_int_equal(sp_volley_order_at(&order, 0), sp_volley_order_whole(&order, 65535));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_of_them_once),
        cmocka_unit_test(passes_differ_in_order_alone),
        cmocka_unit_test(other_keys_other_sets),
        cmocka_unit_test(the_smallest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
