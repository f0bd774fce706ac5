/* SPDX-License-Identifier: Apache-2.0
 *
 * The growing buffer: its maximum, its sticky failure, and who owns the memory. */
#include "tests/support/sp_cmocka.h"

#include <string.h>

#include "probe/base/buf.h"
#include "probe/base/mem.h"

static void test_append(void **state)
{
    (void)state;
    struct sp_buf buf;
    sp_buf_init(&buf, 1000);
    assert_string_equal(sp_buf_text(&buf), "");
    sp_buf_str(&buf, "ab");
    sp_buf_char(&buf, 'c');
    sp_buf_fmt(&buf, "%d", 42);
    sp_buf_add(&buf, "d\0e", 3);
    sp_buf_add(&buf, NULL, 0);
    assert_int_equal(buf.rc, SP_OK);
    assert_int_equal(buf.len, 8);
    assert_memory_equal(buf.data, "abc42d\0e", 9);
    sp_buf_release(&buf);
    assert_null(buf.data);
    assert_int_equal(buf.max, 1000);
    sp_buf_str(&buf, "again");
    assert_string_equal(sp_buf_text(&buf), "again");
    sp_buf_release(&buf);
}

static void test_long_format(void **state)
{
    (void)state;
    struct sp_buf buf;
    char text[301];
    memset(text, 'x', 300);
    text[300] = '\0';
    sp_buf_init(&buf, 10000);
    for (int width = 250; width <= 260; width++) { /* around the small buffer inside */
        sp_buf_clear(&buf);
        sp_buf_fmt(&buf, "<%.*s>", width, text);
        assert_int_equal(buf.len, width + 2);
        assert_int_equal(buf.data[buf.len - 1], '>');
        assert_int_equal(buf.data[buf.len], '\0');
    }
    sp_buf_release(&buf);
}

static void test_maximum(void **state)
{
    (void)state;
    struct sp_buf buf;
    sp_buf_init(&buf, 10);
    sp_buf_str(&buf, "0123456789");
    assert_int_equal(buf.rc, SP_OK);
    sp_buf_char(&buf, 'x');
    assert_int_equal(buf.rc, SP_E_LIMIT);
    sp_buf_str(&buf, "");
    assert_int_equal(buf.rc, SP_E_LIMIT); /* sticky */
    assert_string_equal(sp_buf_text(&buf), "0123456789");
    assert_null(sp_buf_take(&buf));
    sp_buf_drain(&buf, 4);
    assert_int_equal(buf.rc, SP_E_LIMIT); /* draining does not forget it either */
    sp_buf_drain(&buf, 400);
    assert_int_equal(buf.rc, SP_E_LIMIT);
    sp_buf_clear(&buf);
    assert_int_equal(buf.rc, SP_OK);
    sp_buf_add(&buf, "x", SIZE_MAX);
    assert_int_equal(buf.rc, SP_E_LIMIT);
    sp_buf_release(&buf);

    sp_buf_init(&buf, 300);
    sp_buf_fmt(&buf, "%0400d", 1);
    assert_int_equal(buf.rc, SP_E_LIMIT);
    assert_int_equal(buf.len, 0);
    sp_buf_release(&buf);

    sp_buf_init(&buf, 0);
    sp_buf_str(&buf, "");
    assert_int_equal(buf.rc, SP_OK);
    sp_buf_char(&buf, 'x');
    assert_int_equal(buf.rc, SP_E_LIMIT);
    sp_buf_release(&buf);

    sp_buf_init(&buf, SIZE_MAX); /* "no limit" must not overflow the sums */
    sp_buf_str(&buf, "abc");
    sp_buf_add(&buf, "x", SIZE_MAX - 2);
    assert_int_equal(buf.rc, SP_E_LIMIT);
    sp_buf_release(&buf);
}

static void test_drain(void **state)
{
    (void)state;
    struct sp_buf buf;
    sp_buf_init(&buf, 100);
    sp_buf_drain(&buf, 5); /* nothing there */
    sp_buf_str(&buf, "abcdef");
    sp_buf_drain(&buf, 0);
    assert_string_equal(sp_buf_text(&buf), "abcdef");
    sp_buf_drain(&buf, 2);
    assert_string_equal(sp_buf_text(&buf), "cdef");
    assert_int_equal(buf.len, 4);
    sp_buf_drain(&buf, 4);
    assert_string_equal(sp_buf_text(&buf), "");
    sp_buf_str(&buf, "x");
    sp_buf_drain(&buf, 100);
    assert_int_equal(buf.len, 0);
    sp_buf_release(&buf);
}

static void test_take(void **state)
{
    (void)state;
    struct sp_buf buf;
    sp_buf_init(&buf, 100);
    sp_buf_str(&buf, "mine");
    char *text = sp_buf_take(&buf);
    assert_string_equal(text, "mine");
    assert_int_equal(buf.len, 0);
    assert_null(buf.data);
    sp_free(text);
    text = sp_buf_take(&buf); /* nothing was appended: an empty text, not NULL */
    assert_string_equal(text, "");
    sp_free(text);
}

static void test_torture(void **state)
{
    (void)state;
    char text[301];
    memset(text, 'x', 300);
    text[300] = '\0';
    for (size_t n = 1;; n++) {
        struct sp_buf buf;
        assert_true(n < 50);
        sp_buf_init(&buf, 10000);
        (void)sp_mem_fail_at(n, 0);
        sp_buf_str(&buf, "abc");
        sp_buf_fmt(&buf, "%s", text);
        sp_buf_str(&buf, text);
        size_t asked = sp_mem_fail_at(0, 0);
        if (asked < n) {
            assert_int_equal(buf.rc, SP_OK);
            assert_int_equal(buf.len, 603);
            sp_buf_release(&buf);
            break;
        }
        assert_int_equal(buf.rc, SP_E_NOMEM);
        assert_null(sp_buf_take(&buf));
        sp_buf_release(&buf);
    }
    struct sp_buf buf;
    sp_buf_init(&buf, 10);
    (void)sp_mem_fail_at(1, 0);
    assert_null(sp_buf_take(&buf));
    (void)sp_mem_fail_at(0, 0);
    assert_int_equal(buf.rc, SP_E_NOMEM);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_append),  cmocka_unit_test(test_long_format),
        cmocka_unit_test(test_maximum), cmocka_unit_test(test_drain),
        cmocka_unit_test(test_take),    cmocka_unit_test(test_torture),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
