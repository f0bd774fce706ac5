/* SPDX-License-Identifier: Apache-2.0
 *
 * What reports say of a cycle of runs and of --attempts, and that they say nothing of it elsewhere.
 */
#include <string.h>

#include "tests/support/report_golden.h"
#include "tests/support/sp_cmocka.h"

static void expect(struct sp_sample *s, const char *format, const char *text, bool wanted)
{
    static const struct sp_format_options wide = {.width = 200};
    struct sp_buf out;
    sp_render_sample(s, format, &wide, &out);
    if ((strstr(sp_buf_text(&out), text) != NULL) != wanted) {
        fail_msg("'%s' %s in: %s", text, wanted ? "is not" : "is", sp_buf_text(&out));
    }
    sp_buf_release(&out);
}

static void a_cycle_on_its_way(void **state)
{
    (void)state;
    struct sp_sample *s = sp_sample_swept_clean();
    expect(s, "json", "rolling", false);
    expect(s, "text", "rolling", false);
    s->result->rolling = (struct sp_rolling_status){
        .parts = 7, .part = 3, .covered = 3.0 / 7, .since_s = 1795132800, .to_cover = 4};
    expect(s, "json",
           "\"rolling\":{\"parts\":7,\"part\":3,\"covered\":0.428571,"
           "\"since\":\"2026-11-20T00:00:00Z\",\"complete\":false,\"to_cover\":4}",
           true);
    expect(s, "text",
           "part 3 of 7; 42.8571 % of the denied ports have been swept since 2026-11-20; 4 more",
           true);
    s->result->rolling.to_cover = 1;
    expect(s, "text", "; 1 more run covers all", true);
    sp_sample_free(s);
}

static void a_cycle_at_its_end(void **state)
{
    (void)state;
    struct sp_sample *s = sp_sample_swept_clean();
    s->result->rolling = (struct sp_rolling_status){
        .parts = 2, .part = 2, .covered = 1, .since_s = 1795132800, .is_complete = true};
    expect(s, "json", "\"covered\":1.000000,", true);
    expect(s, "json", "\"complete\":true,\"to_cover\":0", true);
    expect(s, "text",
           "100.0000 % of the denied ports have been swept since 2026-11-20: all of them", true);
    sp_sample_free(s);
}

/* Nothing was conclusive: there is no day to name. */
static void a_cycle_without_a_run(void **state)
{
    (void)state;
    struct sp_sample *s = sp_sample_swept_clean();
    s->result->rolling = (struct sp_rolling_status){.parts = 7, .part = 1, .to_cover = 7};
    expect(s, "json", "\"since\":null", true);
    expect(s, "text", "have been swept; 7 more runs", true);
    sp_sample_free(s);
}

static void attempts_are_told(void **state)
{
    (void)state;
    struct sp_sample *s = sp_sample_swept_clean();
    expect(s, "json", "\"attempts\":", false);
    expect(s, "text", "were tried", false);
    s->result->attempts_min = 1;
    expect(s, "json", ",\"attempts\":1", true);
    expect(s, "text", "tried once only (--attempts 1)", true);
    s->result->attempts_min = 5;
    expect(s, "text", "denied flows were tried 5 times at least", true);
    sp_sample_free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_cycle_on_its_way), cmocka_unit_test(a_cycle_at_its_end),
        cmocka_unit_test(a_cycle_without_a_run), cmocka_unit_test(attempts_are_told)};
    return cmocka_run_group_tests_name("fmt_rolling", tests, NULL, NULL);
}
