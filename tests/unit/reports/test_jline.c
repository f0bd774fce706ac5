/* SPDX-License-Identifier: Apache-2.0
 *
 * One line of JSON: what is read, what is refused and with which words, every truncation. */
#include <stdio.h>
#include <string.h>

#include "probe/base/buf.h"
#include "probe/base/mem.h"
#include "reports/jline.h"
#include "tests/support/sp_cmocka.h"

static struct sp_jline line;

static enum sp_rc parse(const char *text)
{
    struct sp_diag diag = {0};
    enum sp_rc rc = sp_jline_parse(&line, text, strlen(text), &diag);
    assert_true((rc == SP_OK) == (diag.text[0] == '\0'));
    return rc;
}

static void refused(const char *text, const char *words)
{
    struct sp_diag diag = {0};
    assert_int_equal(sp_jline_parse(&line, text, strlen(text), &diag), SP_E_INVALID);
    if (!strstr(diag.text, words)) {
        fail_msg("%s: %s", text, diag.text);
    }
}

static void reads(void **state)
{
    (void)state;
    assert_int_equal(parse("{}"), SP_OK);
    assert_int_equal(
        parse("{\"n\":18446744073709551615,\"ok\":true,\"no\":false,\"seen\":{\"nic\":0,"
              "\"who\":\"a\\\"\\\\\\n\\u001b\xc3\xa9\"},\"t\":\"\"}"),
        SP_OK);
    assert_true(sp_jline_num(&line, "n", UINT64_MAX) == UINT64_MAX);
    assert_true(sp_jline_bool(&line, "ok"));
    assert_false(sp_jline_bool(&line, "no"));
    assert_true(sp_jline_has(&line, "seen.nic"));
    assert_int_equal(sp_jline_num(&line, "seen.nic", 5), 0);
    assert_string_equal(sp_jline_str(&line, "seen.who"), "a\"\\\n\x1b\xc3\xa9");
    assert_string_equal(sp_jline_opt_str(&line, "t"), "");
    assert_null(sp_jline_opt_str(&line, "absent"));
    sp_jline_end(&line);
    assert_false(line.is_bad);
}

static void refuses(void **state)
{
    static const struct {
        const char *text, *words;
    } bad[] = {
        {"", "an object is expected"},
        {"[]", "an object is expected"},
        {" {}", "an object is expected"},
        {"{} ", "something follows"},
        {"{\"a\":1}{", "something follows"},
        {"{\"a\": 1}", "a value is expected"},
        {"{\"a\":1,}", "name of a field"},
        {"{\"a\":1 }", "a comma"},
        {"{\"a\":-1}", "a value is expected"},
        {"{\"a\":01}", "begins with 0"},
        {"{\"a\":1.5}", "a comma"},
        {"{\"a\":1e3}", "a comma"},
        {"{\"a\":18446744073709551616}", "too large"},
        {"{\"a\":111111111111111111111111111111}", "too large"},
        {"{\"a\":null}", "a value is expected"},
        {"{\"a\":[1]}", "a value is expected"},
        {"{\"a\":tru}", "a value is expected"},
        {"{\"a\":1,\"a\":2}", "twice"},
        {"{\"a\":{\"b\":1},\"a\":{\"b\":2}}", "twice"},
        {"{\"a\":{\"b\":{}}}", "too deep"},
        {"{\"A\":1}", "no name"},
        {"{\"\":1}", "no name"},
        {"{\"a.b\":1}", "no name"},
        {"{\"abcdefghijklmnopqrstuvwxyz\":1}", "no name"},
        {"{a:1}", "name of a field"},
        {"{\"a\":\"\\u0000\"}", "escape"},
        {"{\"a\":\"\\u00e9\"}", "escape"},
        {"{\"a\":\"\\u001B\"}", "escape"},
        {"{\"a\":\"\\/\"}", "escape"},
        {"{\"a\":\"\\", "escape"},
        {"{\"a\":\"\x01\"}", "a byte"},
        {"{\"a\":\"\x7f\"}", "a byte"},
        {"{\"a\":\"\xff\"}", "a byte"},
        {"{\"a\":\"\xc3\"}", "a byte"},
        {"{\"a\":\"b", "does not end"},
    };
    (void)state;
    for (size_t i = 0; i < SP_ARRAY_LEN(bad); i++) {
        refused(bad[i].text, bad[i].words);
    }
}

static void every_truncation(void **state)
{
    static const char good[] = "{\"n\":1,\"s\":\"x\\n\xc3\xa9\",\"in\":{\"b\":true,\"c\":7}}";
    (void)state;
    for (size_t n = 0; n < sizeof(good) - 1; n++) {
        char *copy = sp_strndup(good, n); /* so that a sanitizer sees what lies behind */
        assert_non_null(copy);
        assert_int_equal(sp_jline_parse(&line, copy, n, NULL), SP_E_INVALID);
        sp_free(copy);
    }
    assert_int_equal(parse(good), SP_OK);
}

static void limits(void **state)
{
    struct sp_buf text;
    (void)state;
    sp_buf_init(&text, 1U << 20);
    sp_buf_str(&text, "{\"a\":\"");
    while (text.len + 2 < SP_JLINE_MAX_BYTES) {
        sp_buf_char(&text, 'x');
    }
    sp_buf_str(&text, "\"}");
    assert_int_equal(sp_jline_parse(&line, text.data, text.len, NULL), SP_OK);
    assert_int_equal(strlen(sp_jline_str(&line, "a")), SP_JLINE_MAX_BYTES - 8);
    sp_buf_char(&text, ' ');
    assert_int_equal(sp_jline_parse(&line, text.data, text.len, NULL), SP_E_LIMIT);
    sp_buf_clear(&text);
    sp_buf_char(&text, '{');
    for (unsigned i = 0; i <= SP_JLINE_MAX_FIELDS; i++) {
        sp_buf_fmt(&text, "%s\"f%u\":%u", i ? "," : "", i, i);
    }
    sp_buf_char(&text, '}');
    refused(text.data, "too many fields");
    sp_buf_release(&text);
}

static void asks(void **state)
{
    (void)state;
    assert_int_equal(parse("{\"a\":\"x\",\"b\":300,\"c\":1}"), SP_OK);
    assert_int_equal(sp_jline_num(&line, "b", 255), 0);
    assert_true(line.is_bad);
    assert_string_equal(line.diag.where, "b");
    assert_non_null(strstr(line.diag.text, "above 255"));
    (void)sp_jline_str(&line, "none"); /* the first word stays */
    assert_string_equal(line.diag.where, "b");
    assert_int_equal(parse("{\"a\":\"x\"}"), SP_OK);
    assert_string_equal(sp_jline_str(&line, "z"), "");
    assert_string_equal(line.diag.text, "is missing");
    assert_int_equal(parse("{\"a\":\"x\"}"), SP_OK);
    assert_int_equal(sp_jline_num(&line, "a", 9), 0);
    assert_string_equal(line.diag.text, "must be a number");
    assert_int_equal(parse("{\"a\":\"x\",\"b\":1}"), SP_OK);
    (void)sp_jline_str(&line, "a");
    sp_jline_end(&line);
    assert_true(line.is_bad);
    assert_string_equal(line.diag.where, "b");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads),  cmocka_unit_test(refuses), cmocka_unit_test(every_truncation),
        cmocka_unit_test(limits), cmocka_unit_test(asks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
