/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/topologies/topo.h"
#include "topologies/problem.h"

static void quotes_are_cut_and_escaped(void **state)
{
    (void)state;
    char out[SP_QUOTE_LEN];
    char longer[300];
    assert_string_equal(sp_quote("web", out), "'web'");
    assert_string_equal(sp_quote("", out), "''");
    assert_string_equal(sp_quote("a\x1b[31m\x7f\xff", out), "'a\\x1b[31m\\x7f\\xff'");
    memset(longer, 'x', sizeof(longer));
    longer[sizeof(longer) - 1] = '\0';
    assert_true(strlen(sp_quote(longer, out)) < SP_QUOTE_LEN);
    assert_non_null(strstr(out, "x...'"));
    for (size_t i = 0; i + 3 < sizeof(longer); i += 3) { /* cut between characters only */
        memcpy(longer + i, "\xe6\xbc\xa2", 3);
    }
    longer[297] = '\0';
    assert_non_null(strstr(sp_quote(longer, out), "\xe6\xbc\xa2...'"));
}

static void suggestions_are_near(void **state)
{
    (void)state;
    struct sp_suggest s;
    char out[SP_SUGGEST_LEN];
    sp_suggest_init(&s, "netwroks");
    sp_suggest_try(&s, "hosts");
    sp_suggest_try(&s, "networks");
    sp_suggest_try(&s, "network");
    assert_string_equal(sp_suggest_str(&s, out), "; did you mean 'networks'?");
    sp_suggest_init(&s, "web");
    sp_suggest_try(&s, "production");
    sp_suggest_try(&s, "db");
    assert_string_equal(sp_suggest_str(&s, out), "");
    sp_suggest_init(&s, "b"); /* nothing in common is no help */
    sp_suggest_try(&s, "a");
    assert_string_equal(sp_suggest_str(&s, out), "");
    sp_suggest_init(&s, "webx");
    for (int i = 0; i < 5000; i++) {
        sp_suggest_try(&s, "other-name");
    }
    sp_suggest_try(&s, "web"); /* beyond what is looked at */
    assert_null(s.best);
}

static void only_the_first_of_many_are_kept(void **state)
{
    (void)state;
    struct sp_problems p = {0};
    for (unsigned i = 0; i < SP_PROBLEMS_MAX + 10; i++) {
        sp_problem_add(&p, false, (struct sp_pos){.line = 1000 - i, .col = 1}, "/x", "w%u", i);
    }
    sp_problem_add(&p, true, (struct sp_pos){.line = 1, .col = 1}, "/y", "an error");
    assert_int_equal(p.nwarnings, SP_PROBLEMS_MAX + 10);
    assert_int_equal(p.nerrors, 1); /* a flood of warnings does not hide it */
    assert_int_equal(p.n, SP_PROBLEMS_MAX + 2);
    assert_string_equal(p.at[SP_PROBLEMS_MAX].text, "only the first 500 warnings are listed");
    sp_problems_sort(&p);
    assert_string_equal(p.at[0].text, "an error");
    for (size_t i = 1; i < p.n; i++) {
        assert_true(p.at[i - 1].pos.line <= p.at[i].pos.line);
    }
    for (unsigned i = 0; i < SP_PROBLEMS_MAX; i++) {
        sp_problem_add(&p, true, (struct sp_pos){.line = 1, .col = 1}, "/y", "an error");
    }
    assert_string_equal(p.at[p.n - 1].text, "only the first 500 errors are listed");
    sp_problems_release(&p);
    assert_int_equal(p.n, 0);
}

static void equal_places_keep_their_order(void **state)
{
    (void)state;
    struct sp_problems p = {0};
    sp_problem_add(&p, true, (struct sp_pos){.line = 2, .col = 2}, "", "a");
    sp_problem_add(&p, true, (struct sp_pos){.line = 2, .col = 2}, "", "b");
    sp_problem_add(&p, true, (struct sp_pos){.line = 2, .col = 1}, "", "c");
    sp_problems_sort(&p);
    assert_string_equal(p.at[0].text, "c");
    assert_string_equal(p.at[1].text, "a");
    assert_string_equal(p.at[2].text, "b");
    sp_problems_release(&p);
}

static void a_lost_message_is_known(void **state)
{
    (void)state;
    for (size_t n = 1; n <= 3; n++) {
        struct sp_problems p = {0};
        sp_mem_fail_at(n, 0);
        sp_problem_add(&p, true, (struct sp_pos){0}, "/x", "text");
        sp_mem_fail_at(0, 0);
        assert_int_equal(p.rc, SP_E_NOMEM);
        assert_int_equal(p.nerrors, 1);
        assert_int_equal(p.n, 0);
        sp_problems_release(&p);
    }
}

/* Prints one message about a place in text. */
static char *printed(const char *text, uint32_t line, uint32_t col, bool color)
{
    struct sp_problem problem = {.is_error = true, .pos = {line, col}};
    char pointer[] = "/p", words[] = "w";
    struct sp_buf out;
    problem.pointer = pointer;
    problem.text = words;
    sp_buf_init(&out, 1 << 20);
    sp_problem_print(&problem, "f", text, text ? strlen(text) : 0, color, &out);
    char *result = sp_buf_take(&out);
    assert_non_null(result);
    return result;
}

static void expect_printed(const char *text, uint32_t line, uint32_t col, const char *expected)
{
    char *out = printed(text, line, col, false);
    assert_string_equal(out, expected);
    sp_free(out);
}

static void the_caret_stands_under_the_place(void **state)
{
    (void)state;
    expect_printed("a: 1\nb: 2\n", 2, 4, "f:2:4: /p: error: w\n    2 | b: 2\n      |    ^\n");
    /* every kind of line break, and the place behind the last character */
    expect_printed("a\r\nb\rc", 2, 2, "f:2:2: /p: error: w\n    2 | b\n      |  ^\n");
    expect_printed("a\r\nb\rc", 3, 1, "f:3:1: /p: error: w\n    3 | c\n      | ^\n");
    /* beyond the file, or no place at all: the words alone */
    expect_printed("a", 7, 1, "f:7:1: /p: error: w\n");
    expect_printed("a", 0, 0, "f: /p: error: w\n");
    expect_printed(NULL, 1, 1, "f:1:1: /p: error: w\n");
    /* a tab takes four columns, an escape as many as it is long */
    expect_printed("\tx", 1, 2, "f:1:2: /p: error: w\n    1 |     x\n      |     ^\n");
    expect_printed("\x1bx", 1, 2, "f:1:2: /p: error: w\n    1 | \\x1bx\n      |     ^\n");
    expect_printed("\xffx", 1, 2, "f:1:2: /p: error: w\n    1 | \\xffx\n      |     ^\n");
    /* code points of two, three, four bytes; wide and zero-width ones; a bidirectional override */
    expect_printed("\xc3\xb4x", 1, 2, "f:1:2: /p: error: w\n    1 | \xc3\xb4x\n      |  ^\n");
    expect_printed("\xe6\xbc\xa2x", 1, 2,
                   "f:1:2: /p: error: w\n    1 | \xe6\xbc\xa2x\n      |   ^\n");
    expect_printed("\xf0\x9f\x98\x80x", 1, 2,
                   "f:1:2: /p: error: w\n    1 | \xf0\x9f\x98\x80x\n      |   ^\n");
    expect_printed("e\xcc\x81x", 1, 3, "f:1:3: /p: error: w\n    1 | e\xcc\x81x\n      |  ^\n");
    expect_printed("\xe2\x80\xaex", 1, 2,
                   "f:1:2: /p: error: w\n    1 | \\u202ex\n      |       ^\n");
    /* a byte order mark is no column */
    expect_printed("\xef\xbb\xbf"
                   "ab",
                   1, 2, "f:1:2: /p: error: w\n    1 | ab\n      |  ^\n");
}

static void a_long_line_is_cut_around_the_caret(void **state)
{
    (void)state;
    char text[5000];
    memset(text, 'x', sizeof(text));
    text[sizeof(text) - 1] = '\0';
    for (uint32_t col = 1; col <= 5000; col += 123) {
        text[col - 1] = '!';
        char *out = printed(text, 1, col, false);
        char *source = strchr(out, '\n') + 1;
        char *under = strchr(source, '\n') + 1;
        assert_true(under - source < 120);
        assert_int_equal(source[strchr(under, '^') - under], '!');
        sp_free(out);
        text[col - 1] = 'x';
    }
    /* cut between characters */
    for (size_t i = 0; i < 4998; i += 3) {
        memcpy(text + i, "\xe6\xbc\xa2", 3);
    }
    text[4998] = '\0';
    char *out = printed(text, 1, 500, false);
    assert_null(strstr(out, "\\x"));
    sp_free(out);
}

static void colours_are_optional(void **state)
{
    (void)state;
    char *out = printed("x", 1, 1, true);
    assert_non_null(strstr(out, "\x1b[1;31merror:\x1b[0m"));
    assert_non_null(strstr(out, "\x1b[1;32m^\x1b[0m"));
    sp_free(out);
    out = printed("x", 1, 1, false);
    assert_null(strchr(out, '\x1b'));
    sp_free(out);
    struct sp_problems p = {0};
    struct sp_buf buf;
    sp_problem_add(&p, false, (struct sp_pos){.line = 1, .col = 1}, "", "w\x1b[2J");
    sp_buf_init(&buf, 4096);
    sp_problem_print(&p.at[0], "f\n", "x", 1, true, &buf);
    assert_non_null(strstr(sp_buf_text(&buf), "f\\x0a"));
    assert_non_null(strstr(sp_buf_text(&buf), "warning:\x1b[0m w\\x1b[2J"));
    sp_buf_release(&buf);
    sp_problems_release(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(quotes_are_cut_and_escaped),
        cmocka_unit_test(suggestions_are_near),
        cmocka_unit_test(only_the_first_of_many_are_kept),
        cmocka_unit_test(equal_places_keep_their_order),
        cmocka_unit_test(a_lost_message_is_known),
        cmocka_unit_test(the_caret_stands_under_the_place),
        cmocka_unit_test(a_long_line_is_cut_around_the_caret),
        cmocka_unit_test(colours_are_optional),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
