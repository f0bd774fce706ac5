/* SPDX-License-Identifier: Apache-2.0 */
#include "reports/escape.h"

#include <string.h>

#include "probe/base/hash.h"
#include "probe/base/str.h"
#include "tests/support/sp_cmocka.h"

typedef void (*escape_fn)(struct sp_buf *out, const char *text);

static void check(escape_fn escape, const char *text, const char *want)
{
    struct sp_buf out;
    sp_buf_init(&out, 4096);
    sp_buf_char(&out, '|'); /* it appends */
    escape(&out, text);
    assert_string_equal(sp_buf_text(&out) + 1, want);
    sp_buf_release(&out);
}

#define BAD "\xef\xbf\xbd"

static void test_xml(void **state)
{
    (void)state;
    check(sp_escape_xml, "", "");
    check(sp_escape_xml, "plain \xc3\xa9 \xf0\x9f\x98\x80", "plain \xc3\xa9 \xf0\x9f\x98\x80");
    check(sp_escape_xml, "<a href=\"x\">&'</a>",
          "&lt;a href=&quot;x&quot;&gt;&amp;&#39;&lt;/a&gt;");
    check(sp_escape_xml, "a\nb\tc\rd", "a b c d");
    check(sp_escape_xml,
          "\x1b[31m\x01\x7f\xc2\x9b"
          "x",
          "[31mx");
    check(sp_escape_xml, "\xef\xbf\xbe\xef\xbf\xbf", ""); /* U+FFFE, U+FFFF */
    check(sp_escape_xml, "\xff<\xc3", BAD "&lt;" BAD);
    check(sp_escape_xml, "]]>", "]]&gt;");
}

static void test_terminal(void **state)
{
    (void)state;
    check(sp_escape_terminal, "plain <&> \xc3\xa9", "plain <&> \xc3\xa9");
    check(sp_escape_terminal, "\x1b[2J\x07\r\n\t\x7f", "\\x1b[2J\\x07\\x0d\\x0a\\x09\\x7f");
    check(sp_escape_terminal,
          "\xc2\x9b"
          "31m",
          "\\x9b31m"); /* CSI as one character */
    check(sp_escape_terminal,
          "a\xe2\x80\xae"
          "b\xe2\x81\xa6\xe2\x80\xa8\xef\xbb\xbf\xd8\x9c",
          "a\\u{202e}b\\u{2066}\\u{2028}\\u{feff}\\u{061c}");
    check(sp_escape_terminal, "\x9b\xff", BAD BAD);
}

static void test_utf8(void **state)
{
    (void)state;
    check(sp_escape_utf8, "a\x1b\n\"<\xc3\xa9", "a\x1b\n\"<\xc3\xa9");
    check(sp_escape_utf8, "\x7f\xc2\x85\xed\xa0\x80", BAD BAD BAD BAD BAD);
}

/* Whatever comes in, well-formed text comes out, and nothing that moves a cursor. */
static void test_random_bytes(void **state)
{
    (void)state;
    static const escape_fn escapes[] = {sp_escape_xml, sp_escape_terminal, sp_escape_utf8};
    struct sp_rng rng = {.state = 7};
    for (int round = 0; round < 20000; round++) {
        char text[24];
        size_t len = (size_t)sp_rng_below(&rng, sizeof(text));
        for (size_t i = 0; i < len; i++) {
            text[i] = (char)(1 + sp_rng_below(&rng, 255));
        }
        text[len] = '\0';
        for (size_t e = 0; e < 3; e++) {
            struct sp_buf out;
            sp_buf_init(&out, 4096);
            escapes[e](&out, text);
            assert_int_equal(out.rc, SP_OK);
            assert_true(sp_utf8_valid(sp_buf_text(&out), out.len));
            for (size_t i = 0; i < out.len; i++) {
                unsigned char c = (unsigned char)out.data[i];
                assert_true(c != 0x7f && (c >= 0x20 || e == 2));
                assert_false(c == 0xc2 && (unsigned char)out.data[i + 1] <= 0x9f);
            }
            sp_buf_release(&out);
        }
    }
}

static void test_columns(void **state)
{
    (void)state;
    assert_int_equal(sp_text_columns(""), 0);
    assert_int_equal(sp_text_columns("abc"), 3);
    assert_int_equal(sp_text_columns("\xc3\xa9\xe2\x9c\x97"), 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_xml),     cmocka_unit_test(test_terminal),
        cmocka_unit_test(test_utf8),    cmocka_unit_test(test_random_bytes),
        cmocka_unit_test(test_columns),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
