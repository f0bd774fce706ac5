/* SPDX-License-Identifier: Apache-2.0
 *
 * The check list as people and programs get it. */
#include <string.h>

#include "reports/checklist.h"
#include "tests/support/report_golden.h"
#include "tests/support/sp_cmocka.h"

static const struct sp_format_options narrow = {.width = 80};

static void test_golden(void **state)
{
    static const struct sp_format_options verbose = {.width = 100, .verbosity = 1};
    static const struct sp_format_options quiet = {.width = 80, .verbosity = -1};
    (void)state;
    sp_check_golden(sp_sample_shop(), "checklist", &narrow, "checklist.txt");
    sp_check_golden(sp_sample_shop(), "checklist", &verbose, "checklist-verbose.txt");
    sp_check_golden(sp_sample_shop(), "checklist", &quiet, "checklist-quiet.txt");
    sp_check_golden(sp_sample_clean(), "checklist", &narrow, "checklist-clean.txt");
    sp_check_golden(sp_sample_empty(), "checklist", &narrow, "checklist-empty.txt");
    sp_check_golden(sp_sample_hostile(), "checklist", &narrow, "checklist-hostile.txt");
}

/* 39 lines in text and JSON, each with a state, and the count of them. */
static void test_thirty_nine(void **state)
{
    (void)state;
    struct sp_sample *s = sp_sample_shop();
    struct sp_buf out;
    size_t lines = 0;
    sp_render_sample(s, "json", NULL, &out);
    const char *at = strstr(sp_buf_text(&out), "\"checklist\":[");
    assert_non_null(at);
    while ((at = strstr(at, "{\"id\":")) != NULL) {
        lines++;
        at++;
    }
    assert_int_equal(lines, SP_ITEM_COUNT);
    sp_buf_release(&out);
    sp_render_sample(s, "checklist", &narrow, &out);
    assert_non_null(strstr(sp_buf_text(&out), "of 39 lines pass"));
    sp_buf_release(&out);
    sp_sample_free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_golden),
                                       cmocka_unit_test(test_thirty_nine)};
    return cmocka_run_group_tests_name("fmt_checklist", tests, NULL, NULL);
}
