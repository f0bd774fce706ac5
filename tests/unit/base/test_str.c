/* SPDX-License-Identifier: Apache-2.0
 *
 * Strict numbers, durations, UTF-8, edit distance. */
#include "tests/support/sp_cmocka.h"

#include <string.h>

#include "probe/base/str.h"

static void test_uint(void **state)
{
    (void)state;
    uint64_t v = 0;
    assert_int_equal(sp_parse_uint("0", 0, &v), SP_OK);
    assert_int_equal(v, 0);
    assert_int_equal(sp_parse_uint("65535", 65535, &v), SP_OK);
    assert_int_equal(v, 65535);
    assert_int_equal(sp_parse_uint("18446744073709551615", UINT64_MAX, &v), SP_OK);
    assert_true(v == UINT64_MAX);

    v = 7;
    assert_int_equal(sp_parse_uint("65536", 65535, &v), SP_E_LIMIT);
    assert_int_equal(sp_parse_uint("18446744073709551616", UINT64_MAX, &v), SP_E_LIMIT);
    assert_int_equal(sp_parse_uint("99999999999999999999999", UINT64_MAX, &v), SP_E_LIMIT);
    static const char *const bad[] = {"",   "-1", "+1", " 1", "1 ",  "01",      "00",
                                      "0x", "1a", "1.", "1,", "1e3", "\xd9\xa1"};
    for (size_t i = 0; i < SP_ARRAY_LEN(bad); i++) {
        assert_int_equal(sp_parse_uint(bad[i], UINT64_MAX, &v), SP_E_INVALID);
    }
    assert_int_equal(v, 7); /* untouched on failure */
}

static void test_duration(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        uint64_t ms;
    } good[] = {{"250ms", 250}, {"5s", 5000}, {"10m", 600000}, {"1h", 3600000},
                {"7", 7000},    {"0", 0},     {"0ms", 0},      {"8760h", 8760ULL * 3600000}};
    for (size_t i = 0; i < SP_ARRAY_LEN(good); i++) {
        uint64_t ms = 1;
        assert_int_equal(sp_parse_duration_ms(good[i].text, &ms), SP_OK);
        assert_true(ms == good[i].ms);
    }
    uint64_t ms = 7;
    static const char *const bad[] = {"",    "s",   "5 s",  "5S",  "-5s", "5d",
                                      "5ss", "05s", "1.5s", " 5s", "5s ", "5sm"};
    for (size_t i = 0; i < SP_ARRAY_LEN(bad); i++) {
        assert_int_equal(sp_parse_duration_ms(bad[i], &ms), SP_E_INVALID);
    }
    assert_int_equal(sp_parse_duration_ms("8761h", &ms), SP_E_LIMIT);
    assert_int_equal(sp_parse_duration_ms("31536001", &ms), SP_E_LIMIT);
    assert_int_equal(sp_parse_duration_ms("18446744073709551615h", &ms), SP_E_LIMIT);
    assert_int_equal(sp_parse_duration_ms("99999999999999999999999999s", &ms), SP_E_INVALID);
    assert_int_equal(ms, 7);
}

/* Decodes by the definition, so that every sequence of up to four bytes can be compared. */
static size_t utf8_by_definition(const unsigned char *s, size_t len)
{
    for (size_t n = 1; n <= 4 && n <= len; n++) {
        static const unsigned char lead_mask[] = {0, 0x80, 0xe0, 0xf0, 0xf8};
        static const unsigned char lead[] = {0, 0x00, 0xc0, 0xe0, 0xf0};
        static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
        if ((s[0] & lead_mask[n]) != lead[n]) {
            continue;
        }
        uint32_t c = n == 1 ? s[0] : s[0] & (unsigned char)~lead_mask[n] & 0x3f;
        for (size_t i = 1; i < n; i++) {
            if ((s[i] & 0xc0) != 0x80) {
                return 0;
            }
            c = c << 6 | (s[i] & 0x3f);
        }
        return c < least[n] || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff) ? 0 : n;
    }
    return 0;
}

static void test_utf8_all_leads(void **state)
{
    (void)state;
    static const unsigned char tail[] = {0x00, 0x41, 0x7f, 0x80, 0x8f, 0x90,
                                         0x9f, 0xa0, 0xbf, 0xc0, 0xff};
    for (unsigned first = 0; first < 256; first++) {
        for (unsigned second = 0; second < 256; second++) {
            for (size_t t = 0; t < SP_ARRAY_LEN(tail); t++) {
                unsigned char s[4] = {(unsigned char)first, (unsigned char)second, tail[t], 0x80};
                for (size_t len = 0; len <= 4; len++) {
                    size_t got = sp_utf8_len((const char *)s, len);
                    if (got != utf8_by_definition(s, len)) {
                        fail_msg("%02x %02x %02x 80, len %zu: %zu", first, second, tail[t], len,
                                 got);
                    }
                }
            }
        }
    }
}

static void test_utf8_text(void **state)
{
    (void)state;
    assert_true(sp_utf8_valid("", 0));
    assert_true(sp_utf8_valid("plain", 5));
    assert_true(sp_utf8_valid("gr\xc3\xbc\xc3\x9f", 6));
    assert_true(sp_utf8_valid("\xf0\x9f\x94\x92", 4));
    assert_true(sp_utf8_valid("a\0b", 3));
    assert_false(sp_utf8_valid("gr\xfc", 3));
    assert_false(sp_utf8_valid("ok\xc3", 3));       /* cut off */
    assert_false(sp_utf8_valid("\xc0\xaf", 2));     /* overlong '/' */
    assert_false(sp_utf8_valid("\xed\xa0\x80", 3)); /* surrogate */
    assert_false(sp_utf8_valid("\xf4\x90\x80\x80", 4));
}

static void test_edit_distance(void **state)
{
    (void)state;
    assert_int_equal(sp_edit_distance("", ""), 0);
    assert_int_equal(sp_edit_distance("same", "same"), 0);
    assert_int_equal(sp_edit_distance("", "abc"), 3);
    assert_int_equal(sp_edit_distance("abc", ""), 3);
    assert_int_equal(sp_edit_distance("kitten", "sitting"), 3);
    assert_int_equal(sp_edit_distance("sitting", "kitten"), 3);
    assert_int_equal(sp_edit_distance("netwrok", "network"), 2);
    char longest[65];
    memset(longest, 'x', sizeof(longest));
    longest[63] = '\0';
    assert_int_equal(sp_edit_distance(longest, longest), 0);
    assert_int_equal(sp_edit_distance(longest, "x"), 62);
    longest[63] = 'x';
    longest[64] = '\0';
    assert_true(sp_edit_distance(longest, "x") == SIZE_MAX);
    assert_true(sp_edit_distance("x", longest) == SIZE_MAX);
}

static void test_hex(void **state)
{
    (void)state;
    char out[9];
    sp_hex("\x00\x7f\x80\xff", 4, out);
    assert_string_equal(out, "007f80ff");
    sp_hex("", 0, out);
    assert_string_equal(out, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_uint),           cmocka_unit_test(test_duration),
        cmocka_unit_test(test_utf8_all_leads), cmocka_unit_test(test_utf8_text),
        cmocka_unit_test(test_edit_distance),  cmocka_unit_test(test_hex),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
