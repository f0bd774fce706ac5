/* SPDX-License-Identifier: Apache-2.0
 *
 * The key of an installation: made once, for its owner alone; what is no good key is refused. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "controller/sign_key.h"
#include "reports/sink.h"
#include "tests/support/sp_cmocka.h"

static char root[64];

static int make_root(void **state)
{
    (void)state;
    (void)snprintf(root, sizeof(root), "/tmp/sp-key-XXXXXX");
    return mkdtemp(root) && setenv("XDG_STATE_HOME", root, 1) == 0 ? 0 : -1;
}

static const char *in_root(const char *name)
{
    static char path[300];
    (void)snprintf(path, sizeof(path), "%s/%s", root, name);
    return path;
}

static int drop_root(void **state)
{
    static const char *const names[] = {"segproof/evidence.key", "segproof/evidence.pub", "file"};
    (void)state;
    for (size_t i = 0; i < SP_ARRAY_LEN(names); i++) {
        (void)unlink(in_root(names[i]));
    }
    (void)rmdir(in_root("segproof"));
    return rmdir(root);
}

static void fingerprint(const struct sp_key *key, char out[static SP_FINGERPRINT_STRLEN])
{
    assert_non_null(key);
    assert_int_equal(sp_key_fingerprint(key, out), SP_OK);
}

static void own(void **state)
{
    char a[SP_FINGERPRINT_STRLEN];
    char b[SP_FINGERPRINT_STRLEN];
    struct sp_key *key = NULL;
    struct sp_diag diag = {0};
    struct stat st;
    (void)state;
    assert_false(sp_sign_key_own(a));
    assert_int_not_equal(access(in_root("segproof"), F_OK), 0); /* looking makes nothing */
    assert_int_equal(sp_sign_key_open(NULL, &key, &diag), SP_OK);
    fingerprint(key, a);
    sp_key_free(key);
    assert_int_equal(stat(in_root("segproof/evidence.key"), &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    assert_int_equal(st.st_nlink, 1);
    assert_int_equal(sp_sign_key_open(NULL, &key, &diag), SP_OK);
    fingerprint(key, b);
    sp_key_free(key);
    assert_string_equal(a, b);
    assert_true(sp_sign_key_own(b));
    assert_string_equal(a, b);
    assert_int_equal(sp_sign_key_public(in_root("segproof/evidence.pub"), &key, &diag), SP_OK);
    fingerprint(key, b);
    sp_key_free(key);
    assert_string_equal(a, b);
    /* Another key gets another public half. */
    assert_int_equal(unlink(in_root("segproof/evidence.key")), 0);
    assert_int_equal(sp_sign_key_open(NULL, &key, &diag), SP_OK);
    fingerprint(key, b);
    sp_key_free(key);
    assert_string_not_equal(a, b);
    assert_int_equal(sp_sign_key_public(in_root("segproof/evidence.pub"), &key, &diag), SP_OK);
    fingerprint(key, a);
    sp_key_free(key);
    assert_string_equal(a, b);
    /* A key that others may read is no secret any more, and is not quietly replaced. */
    assert_int_equal(chmod(in_root("segproof/evidence.key"), 0640), 0);
    assert_int_equal(sp_sign_key_open(NULL, &key, &diag), SP_E_DENIED);
    assert_non_null(strstr(diag.text, "others may read"));
    assert_false(sp_sign_key_own(b));
}

static void bad(void **state)
{
    struct sp_key *key = NULL;
    struct sp_diag diag = {0};
    struct sp_buf text;
    (void)state;
    assert_int_equal(sp_sign_key_open(in_root("none"), &key, &diag), SP_E_SYSTEM);
    assert_non_null(strstr(diag.text, "No such file"));
    assert_int_equal(sp_sign_key_open(root, &key, &diag), SP_E_INVALID);
    assert_int_equal(sp_sign_key_open("/dev/null", &key, &diag), SP_E_INVALID);
    sp_buf_init(&text, 1U << 16);
    while (text.len <= SP_KEY_MAX_BYTES) {
        sp_buf_str(&text, "no key at all\n");
    }
    assert_int_equal(sp_sink_write_file(in_root("file"), &text, &diag), SP_OK);
    assert_int_equal(chmod(in_root("file"), 0600), 0);
    assert_int_equal(sp_sign_key_open(in_root("file"), &key, &diag), SP_E_INVALID);
    assert_non_null(strstr(diag.text, "too large"));
    assert_int_equal(sp_sign_key_public(in_root("file"), &key, &diag), SP_E_INVALID);
    sp_buf_release(&text);
    assert_null(key);
    /* No folder for it, and none can be made: "state" is a file. */
    assert_int_equal(setenv("XDG_STATE_HOME", in_root("file"), 1), 0);
    assert_int_equal(sp_sign_key_open(NULL, &key, &diag), SP_E_SYSTEM);
    assert_non_null(strstr(diag.text, "--sign-key"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(own, make_root, drop_root),
        cmocka_unit_test_setup_teardown(bad, make_root, drop_root),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
