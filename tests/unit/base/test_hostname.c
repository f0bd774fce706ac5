/* SPDX-License-Identifier: Apache-2.0 */
#include "probe/base/hostname.h"

#include <string.h>

#include "probe/base/attr.h"
#include "tests/support/sp_cmocka.h"

static void names(void **state)
{
    static const char *const good[][2] = {{"registry.example", "registry.example"},
                                          {"REGISTRY.Example.", "registry.example"},
                                          {"_srv.a-b.example", "_srv.a-b.example"},
                                          {"localhost", "localhost"},
                                          {"3com.example", "3com.example"}};
    static const char *const bad[] = {"",     ".",     "..",          "a..b",     ".a",
                                      "a b",  "a/b",   "-a.example",  "10.0.0.1", "10.0.0",
                                      "a.10", "a:443", "\xc3\xa4.de", "a\nb",     "[::1]"};
    char out[SP_HOSTNAME_STRLEN];
    (void)state;
    for (size_t i = 0; i < SP_ARRAY_LEN(good); i++) {
        assert_true(sp_hostname_normal(good[i][0], out));
        assert_string_equal(out, good[i][1]);
    }
    for (size_t i = 0; i < SP_ARRAY_LEN(bad); i++) {
        if (sp_hostname_normal(bad[i], out)) {
            fail_msg("'%s' is taken for a name", bad[i]);
        }
    }
}

static void lengths(void **state)
{
    char text[400];
    char out[SP_HOSTNAME_STRLEN];
    (void)state;
    memset(text, 'a', sizeof(text));
    text[63] = '\0';
    assert_true(sp_hostname_normal(text, out));
    text[63] = 'a';
    text[64] = '\0';
    assert_false(sp_hostname_normal(text, out));
    for (size_t i = 0; i < sizeof(text); i++) {
        text[i] = i % 2 ? '.' : 'a';
    }
    text[253] = '\0';
    assert_true(sp_hostname_normal(text, out));
    text[253] = '.';
    text[254] = '\0';
    assert_true(sp_hostname_normal(text, out)); /* the dot at its end does not count */
    text[254] = 'a';
    text[255] = '\0';
    assert_false(sp_hostname_normal(text, out));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(names), cmocka_unit_test(lengths)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
