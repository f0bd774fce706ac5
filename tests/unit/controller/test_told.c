/* SPDX-License-Identifier: Apache-2.0
 *
 * What probes tell of their hosts, read back: good lists, every truncation of one, and lists that
 * are none. */
#include <string.h>

#include "controller/inspect/told.h"
#include "probe/base/buf.h"
#include "probe/base/mem.h"
#include "tests/support/sp_cmocka.h"

static const char good[] = "fact=kernel\nsource=/proc/x\nvalue=6.1.0\n"
                           "fact=lsm\nof=selinux\nsource=/sys/y\nvalue=active\nvalue=enforcing\n"
                           "later=of a newer probe\n"
                           "fact=fips\nsource=/proc/z\nunknown=there is no such file\n"
                           "fact=modules\nsource=/proc/modules\nvalue=a\ncut=1\n";

static void test_good(void **state)
{
    struct sp_told_list list = {0};
    (void)state;
    assert_int_equal(sp_told_read(good, strlen(good), &list), SP_OK);
    assert_int_equal(list.n, 4);
    assert_string_equal(sp_told_find(&list, "kernel", NULL)->values[0], "6.1.0");
    assert_null(sp_told_find(&list, "lsm", NULL));
    assert_null(sp_told_find(&list, "kernel", "x"));
    assert_string_equal(sp_told_find(&list, "lsm", "selinux")->values[1], "enforcing");
    assert_string_equal(sp_told_find(&list, "fips", NULL)->unknown, "there is no such file");
    assert_true(sp_told_find(&list, "modules", NULL)->is_cut);
    assert_false(sp_told_find(&list, "kernel", NULL)->is_cut);
    sp_told_release(&list);
}

static void test_bad(void **state)
{
    static const char *const bad[] = {
        "value=x\n",
        "source=/x\n",
        "fact=a\nvalue=x\nsource=/x\n",
        "fact=a\n",
        "fact=a\nsource=/x\nsource=/x\n",
        "fact=a\nof=x\nof=x\nsource=/x\n",
        "fact=a\nsource=/x\nvalue=1\nunknown=why\n",
        "fact=a\nsource=/x\nunknown=why\nvalue=1\n",
        "fact=a\nsource=/x\nvalue=1\nfact=a\nsource=/x\nvalue=2\n",
        "fact=a\nof=b\nsource=/x\nvalue=1\nfact=a\nof=b\nsource=/x\nvalue=2\n",
        "error=a\nerror=b\n",
        "Fact=a\n",
        "fact=a\nsource=/x\nvalue=%zz\n",
        "no line",
    };
    (void)state;
    for (size_t i = 0; i < SP_ARRAY_LEN(bad); i++) {
        struct sp_told_list list = {0};
        if (sp_told_read(bad[i], strlen(bad[i]), &list) != SP_E_INVALID) {
            fail_msg("%s", bad[i]);
        }
        sp_told_release(&list);
    }
}

static void test_truncations(void **state)
{
    (void)state;
    for (size_t len = 0; len < strlen(good); len++) {
        struct sp_told_list list = {0};
        char *copy = sp_memdup(good, len);
        assert_non_null(copy);
        enum sp_rc rc = sp_told_read(copy, len, &list);
        assert_true(rc == SP_OK || rc == SP_E_INVALID);
        sp_told_release(&list);
        sp_free(copy);
    }
}

static void test_too_many(void **state)
{
    struct sp_told_list list = {0};
    struct sp_buf text;
    (void)state;
    sp_buf_init(&text, 1U << 20);
    for (unsigned i = 0; i <= SP_TOLD_FACTS_MAX; i++) {
        sp_buf_fmt(&text, "fact=f%u\nsource=/x\n", i);
    }
    assert_int_equal(sp_told_read(sp_buf_text(&text), text.len, &list), SP_E_INVALID);
    sp_told_release(&list);
    sp_buf_release(&text);
}

static void test_torture(void **state)
{
    (void)state;
    for (size_t nth = 1;; nth++) {
        struct sp_told_list list = {0};
        (void)sp_mem_fail_at(nth, 0);
        enum sp_rc rc = sp_told_read(good, strlen(good), &list);
        bool all = sp_mem_fail_at(0, 0) < nth;
        sp_told_release(&list);
        assert_int_equal(rc, all ? SP_OK : SP_E_NOMEM);
        if (all) {
            break;
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good),        cmocka_unit_test(test_bad),
        cmocka_unit_test(test_truncations), cmocka_unit_test(test_too_many),
        cmocka_unit_test(test_torture),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
