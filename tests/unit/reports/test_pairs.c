/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "reports/group.h"
#include "tests/support/report_golden.h"
#include "tests/support/sp_cmocka.h"

#define V4  SP_FAMILY_IPV4
#define TCP SP_PROTO_TCP

static void test_row(void **state)
{
    (void)state;
    struct sp_sample *s = sp_sample_shop();
    struct sp_summary *summary = NULL;
    assert_int_equal(sp_summary_new(s->result, &summary), SP_OK);
    const struct sp_pair_row *row = &summary->pairs[0];
    assert_int_equal(row->from, SAMPLE_WEB_1);
    assert_int_equal(row->to, SAMPLE_DB_1);
    assert_string_equal(row->allowed, "5432,8000-8100");
    assert_string_equal(row->denied, "1-5431,5433-7999,8101-65535");
    assert_string_equal(row->permitted, "");
    assert_string_equal(row->tested, "5432,7999-8000,8100-8101");
    assert_string_equal(row->delivered, "5432,8000,8100-8101");
    assert_string_equal(row->leaks, "8101");
    assert_string_equal(row->failing, "");
    assert_int_equal(row->verdict, SP_VERDICT_LEAK);
    assert_int_equal(row->grade, SP_GRADE_SPLIT);
    assert_int_equal(row->tests, 5);
    assert_int_equal(row->holds, 4);
    assert_int_equal(row->failed, 1);
    /* A test without a conclusion is not "tested". */
    row = &summary->pairs[1];
    assert_int_equal(row->to, SAMPLE_OLD);
    assert_string_equal(row->tested, "");
    assert_int_equal(row->verdict, SP_VERDICT_INCONCLUSIVE);
    assert_int_equal(row->inconclusive, 1);
    sp_summary_free(summary);
    /* Without a policy the lists name tested points only. */
    s->result->policy = NULL;
    assert_int_equal(sp_summary_new(s->result, &summary), SP_OK);
    assert_string_equal(summary->pairs[0].allowed, "5432,8000,8100");
    assert_string_equal(summary->pairs[0].denied, "7999,8101");
    sp_summary_free(summary);
    sp_sample_free(s);
}

static void test_weakest_grade_and_loss(void **state)
{
    (void)state;
    struct sp_sample *s = sp_sample_new();
    for (uint16_t port = 1; port <= 3; port++) {
        sp_sample_add(s, SAMPLE_WEB_1, SAMPLE_DB_1, V4, TCP, port, SP_EXPECT_DENY, SP_NONE,
                      sp_seen_silence());
    }
    s->grades[1] = SP_GRADE_SELF;
    s->grades[2] = SP_GRADE_SPLIT;
    struct sp_seen lossy = sp_seen_works();
    lossy.host = 20;
    sp_sample_add(s, SAMPLE_WEB_1, SAMPLE_DB_1, V4, TCP, 5432, SP_EXPECT_ALLOW, 0, lossy);
    s->grades[3] = SP_GRADE_NONE; /* an arrival needs no control */
    sp_sample_add(s, SAMPLE_WEB_2, SAMPLE_DB_1, V4, TCP, 5432, SP_EXPECT_ALLOW, 0, sp_seen_works());
    sp_sample_judge(s);
    struct sp_summary *summary = NULL;
    assert_int_equal(sp_summary_new(s->result, &summary), SP_OK);
    assert_int_equal(summary->pairs[0].grade, SP_GRADE_SELF);
    assert_true(summary->pairs[0].lossy);
    assert_int_equal(summary->pairs[1].grade, SP_GRADE_PAIR);
    assert_false(summary->pairs[1].lossy);
    assert_int_equal(summary->counts.lossy, 1);
    sp_summary_free(summary);
    sp_sample_free(s);
}

/* A silent target without a probe keeps the pair from "holds". */
static void test_one_sided(void **state)
{
    (void)state;
    struct sp_sample *s = sp_sample_new();
    struct sp_seen answered = sp_seen_works();
    answered.nic = answered.host = answered.answer_left = 0;
    sp_sample_add(s, SAMPLE_WEB_1, SAMPLE_OLD, V4, TCP, 5432, SP_EXPECT_ALLOW, 0, answered);
    sp_sample_add(s, SAMPLE_WEB_1, SAMPLE_OLD, V4, TCP, 22, SP_EXPECT_DENY, SP_NONE,
                  sp_seen_silence());
    sp_sample_judge(s);
    struct sp_summary *summary = NULL;
    assert_int_equal(sp_summary_new(s->result, &summary), SP_OK);
    assert_int_equal(summary->pairs[0].verdict, SP_VERDICT_NOT_OBSERVABLE);
    assert_string_equal(summary->pairs[0].tested, "5432");
    assert_string_equal(summary->pairs[0].delivered, "5432");
    sp_summary_free(summary);
    sp_sample_free(s);
}

/* Leaks stand apart from whatever else is wrong with the pair. */
static void test_what_fails(void **state)
{
    (void)state;
    struct sp_sample *s = sp_sample_new();
    for (uint16_t port = 20; port <= 24; port++) {
        sp_sample_add(s, SAMPLE_WEB_1, SAMPLE_DB_1, V4, TCP, port, SP_EXPECT_DENY, SP_NONE,
                      port == 22 || port == 23 ? sp_seen_leak() : sp_seen_silence());
    }
    sp_sample_add(s, SAMPLE_WEB_1, SAMPLE_DB_1, V4, TCP, 5432, SP_EXPECT_ALLOW, 0,
                  sp_seen_silence());
    sp_sample_add(s, SAMPLE_WEB_2, SAMPLE_DB_1, V4, TCP, 5432, SP_EXPECT_ALLOW, 0,
                  sp_seen_silence());
    sp_sample_judge(s);
    struct sp_summary *summary = NULL;
    assert_int_equal(sp_summary_new(s->result, &summary), SP_OK);
    assert_string_equal(summary->pairs[0].leaks, "22-23");
    assert_string_equal(summary->pairs[0].failing, "5432");
    assert_string_equal(summary->pairs[1].leaks, "");
    assert_string_equal(summary->pairs[1].failing, "5432");
    sp_summary_free(summary);
    static const struct sp_format_options verbose = {.width = 120, .verbosity = 1};
    struct sp_buf out;
    sp_render_sample(s, "text", &verbose, &out);
    const char *pairs = strstr(sp_buf_text(&out), "PAIRS");
    assert_non_null(pairs);
    assert_non_null(strstr(pairs, "web-1 -> db-1  tcp  ipv4  leaks: 22-23; fails: 5432; tested: "
                                  "20-24,5432  control "));
    assert_non_null(strstr(pairs, "web-2 -> db-1  tcp  ipv4  fails: 5432; tested: 5432  control "));
    sp_buf_release(&out);
    sp_sample_free(s);
}

static void test_worse(void **state)
{
    (void)state;
    static const uint8_t order[] = {
        SP_VERDICT_NOT_TESTED,     SP_VERDICT_HOLDS,         SP_VERDICT_NOT_OBSERVABLE,
        SP_VERDICT_INCONCLUSIVE,   SP_VERDICT_PROXIED,       SP_VERDICT_PARTIAL,
        SP_VERDICT_RETURN_BLOCKED, SP_VERDICT_HOST_FILTERED, SP_VERDICT_BLOCKED,
        SP_VERDICT_MISDELIVERED,   SP_VERDICT_LEAK,
    };
    assert_int_equal(SP_ARRAY_LEN(order), SP_VERDICT_COUNT);
    for (size_t a = 0; a < SP_ARRAY_LEN(order); a++) {
        for (size_t b = 0; b < SP_ARRAY_LEN(order); b++) {
            assert_int_equal(sp_verdict_worse(order[a], order[b]), order[a > b ? a : b]);
        }
    }
    assert_true(sp_verdict_is_conclusive(SP_VERDICT_HOLDS));
    assert_true(sp_verdict_is_conclusive(SP_VERDICT_PROXIED));
    assert_false(sp_verdict_is_conclusive(SP_VERDICT_INCONCLUSIVE));
    assert_false(sp_verdict_is_conclusive(SP_VERDICT_NOT_OBSERVABLE));
    assert_false(sp_verdict_is_conclusive(SP_VERDICT_NOT_TESTED));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_row),       cmocka_unit_test(test_weakest_grade_and_loss),
        cmocka_unit_test(test_one_sided), cmocka_unit_test(test_what_fails),
        cmocka_unit_test(test_worse),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
