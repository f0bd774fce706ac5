/* SPDX-License-Identifier: Apache-2.0
 *
 * Allocation: zeroed, overflow-safe, and failing on demand. */
#include "tests/support/sp_cmocka.h"

#include <string.h>

#include "probe/base/mem.h"

static void test_zeroed(void **state)
{
    (void)state;
    unsigned char *p = sp_calloc(16, 4);
    assert_non_null(p);
    for (int i = 0; i < 64; i++) {
        assert_int_equal(p[i], 0);
    }
    sp_free(p);
    p = sp_calloc(0, 8);
    assert_non_null(p); /* NULL means failure only */
    assert_int_equal(p[0], 0);
    sp_free(p);
    p = sp_calloc(8, 0);
    assert_non_null(p);
    sp_free(p);
    sp_free(NULL);
    assert_null(sp_calloc(SIZE_MAX / 2, 3));
}

static void test_reallocarray(void **state)
{
    (void)state;
    char *p = sp_reallocarray(NULL, 4, 1);
    assert_non_null(p);
    memcpy(p, "abc", 4);
    char *bigger = sp_reallocarray(p, 1000, 2);
    assert_non_null(bigger);
    assert_string_equal(bigger, "abc");
    assert_null(sp_reallocarray(bigger, SIZE_MAX / 2, 3));
    assert_string_equal(bigger, "abc"); /* still there after a failure */
    bigger = sp_reallocarray(bigger, 0, 2);
    assert_non_null(bigger); /* shrinking to nothing does not free */
    sp_free(bigger);
    p = sp_reallocarray(NULL, 5, 0);
    assert_non_null(p);
    sp_free(p);
}

static void test_copies(void **state)
{
    (void)state;
    const char src[] = "segment";
    char *s = sp_strdup(src);
    assert_string_equal(s, src);
    assert_ptr_not_equal(s, src);
    sp_free(s);
    s = sp_strndup("abcdef", 3);
    assert_string_equal(s, "abc");
    sp_free(s);
    s = sp_strndup("ab", 30);
    assert_string_equal(s, "ab");
    sp_free(s);
    const char unterminated[2] = {'x', 'y'};
    s = sp_strndup(unterminated, 2);
    assert_string_equal(s, "xy");
    sp_free(s);
    s = sp_memdup("a\0b", 3);
    assert_memory_equal(s, "a\0b", 3);
    sp_free(s);
    s = sp_memdup(NULL, 0);
    assert_non_null(s);
    sp_free(s);
}

static void test_grow(void **state)
{
    (void)state;
    void *array = NULL;
    size_t cap = 0;
    for (size_t n = 0; n < 100; n++) {
        size_t before = cap;
        assert_int_equal(sp_grow(&array, n, &cap, sizeof(size_t)), 0);
        assert_true(cap > n);
        assert_true(before == cap || before == n); /* only when it is full */
        ((size_t *)array)[n] = n;
    }
    for (size_t n = 0; n < 100; n++) {
        assert_int_equal(((size_t *)array)[n], n);
    }
    assert_int_equal(cap, 128);
    assert_int_equal(sp_grow(&array, 1000, &cap, sizeof(size_t)), 0); /* a jump */
    assert_int_equal(cap, 1024);

    void *was = array;
    assert_int_equal(sp_grow(&array, SIZE_MAX, &cap, 1), -1);
    assert_int_equal(sp_grow(&array, SIZE_MAX / 4, &cap, 1024), -1);
    (void)sp_mem_fail_at(1, 0);
    assert_int_equal(sp_grow(&array, 1024, &cap, sizeof(size_t)), -1);
    (void)sp_mem_fail_at(0, 0);
    assert_ptr_equal(array, was);
    assert_int_equal(cap, 1024);
    sp_free(array);
}

/* Every allocating function asks once, so a torture loop reaches every call. */
static unsigned failures(void)
{
    unsigned failed = 0;
    void *made[5];
    made[0] = sp_calloc(1, 1);
    made[1] = sp_strdup("a");
    made[2] = sp_strndup("a", 1);
    made[3] = sp_memdup("a", 1);
    made[4] = sp_reallocarray(NULL, 1, 1);
    for (unsigned i = 0; i < 5; i++) {
        failed |= made[i] ? 0U : 1U << i;
        sp_free(made[i]);
    }
    return failed;
}

static void test_fail_point(void **state)
{
    (void)state;
    for (unsigned n = 1; n <= 5; n++) {
        (void)sp_mem_fail_at(n, 0);
        assert_int_equal(failures(), 1U << (n - 1));
        (void)sp_mem_fail_at(n, 1);
        assert_int_equal(failures(), (0x1fU << (n - 1)) & 0x1fU);
    }
    assert_int_equal(sp_mem_fail_at(6, 0), 5); /* how many were asked for */
    assert_int_equal(failures(), 0);
    (void)sp_mem_fail_at(0, 0);
    assert_int_equal(failures(), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_zeroed),     cmocka_unit_test(test_reallocarray),
        cmocka_unit_test(test_copies),     cmocka_unit_test(test_grow),
        cmocka_unit_test(test_fail_point),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
