/* SPDX-License-Identifier: Apache-2.0
 *
 * Result codes and diagnostics. */
#include "tests/support/sp_cmocka.h"

#include <errno.h>
#include <string.h>

#include "probe/base/rc.h"

static void test_fail_fills(void **state)
{
    (void)state;
    struct sp_diag diag;
    memset(&diag, 0x55, sizeof(diag));
    enum sp_rc rc = sp_fail(&diag, SP_E_LIMIT, "/hosts/a", "%d is more than %s", 7, "six");
    assert_int_equal(rc, SP_E_LIMIT);
    assert_string_equal(diag.where, "/hosts/a");
    assert_string_equal(diag.text, "7 is more than six");
    assert_int_equal(diag.saved_errno, 0);
    assert_int_equal(sp_fail(&diag, SP_E_INVALID, NULL, "x"), SP_E_INVALID);
    assert_string_equal(diag.where, "");
}

static void test_no_diag(void **state)
{
    (void)state;
    assert_int_equal(sp_fail(NULL, SP_E_DENIED, "w", "%s", "x"), SP_E_DENIED);
    errno = EACCES;
    assert_int_equal(sp_fail_errno(NULL, "w", "x"), SP_E_SYSTEM);
    errno = ENOMEM;
    assert_int_equal(sp_fail_errno(NULL, "w", "x"), SP_E_NOMEM);
}

static void test_long_text_is_cut(void **state)
{
    (void)state;
    char longer[1000];
    memset(longer, 'x', sizeof(longer) - 1);
    longer[sizeof(longer) - 1] = '\0';
    struct sp_diag diag;
    (void)sp_fail(&diag, SP_E_INVALID, longer, "%s", longer);
    assert_int_equal(strlen(diag.where), sizeof(diag.where) - 1);
    assert_int_equal(strlen(diag.text), sizeof(diag.text) - 1);
    errno = EACCES;
    (void)sp_fail_errno(&diag, longer, "%s", longer);
    assert_int_equal(strlen(diag.text), sizeof(diag.text) - 1);
}

/* A caller adds context with the words it was given. */
static void test_context(void **state)
{
    (void)state;
    struct sp_diag diag;
    (void)sp_fail(&diag, SP_E_INVALID, "shop.yaml", "no such host");
    (void)sp_fail(&diag, SP_E_INVALID, diag.where, "cannot load: %s (in %s)", diag.text,
                  diag.where);
    assert_string_equal(diag.where, "shop.yaml");
    assert_string_equal(diag.text, "cannot load: no such host (in shop.yaml)");
}

static void test_errno(void **state)
{
    (void)state;
    struct sp_diag diag;
    errno = ENOENT;
    assert_int_equal(sp_fail_errno(&diag, "a.yaml", "cannot open"), SP_E_SYSTEM);
    assert_int_equal(diag.saved_errno, ENOENT);
    assert_string_equal(diag.text, "cannot open: No such file or directory");
    errno = 123456;
    (void)sp_fail_errno(&diag, "", "odd");
    assert_string_equal(diag.text, "odd: unknown error");
}

static void test_names(void **state)
{
    (void)state;
    for (int rc = SP_OK; rc <= SP_E_TIMEOUT; rc++) {
        const char *name = sp_rc_str((enum sp_rc)rc);
        assert_string_not_equal(name, "unknown error");
        for (int other = SP_OK; other < rc; other++) {
            assert_string_not_equal(name, sp_rc_str((enum sp_rc)other));
        }
    }
    assert_string_equal(sp_rc_str((enum sp_rc)999), "unknown error");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fail_fills),
        cmocka_unit_test(test_no_diag),
        cmocka_unit_test(test_long_text_is_cut),
        cmocka_unit_test(test_context),
        cmocka_unit_test(test_errno),
        cmocka_unit_test(test_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
