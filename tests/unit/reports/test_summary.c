/* SPDX-License-Identifier: Apache-2.0 */
#include "reports/summary.h"

#include "probe/base/mem.h"
#include "tests/support/sample_result.h"
#include "tests/support/sp_cmocka.h"

#define V4 SP_FAMILY_IPV4

static struct sp_summary *summarize(const struct sp_sample *sample)
{
    struct sp_summary *summary = NULL;
    assert_int_equal(sp_summary_new(sample->result, &summary), SP_OK);
    return summary;
}

/* A run of one denied and one allowed test with these outcomes; overall and exit code follow. */
static void check_overall(struct sp_seen denied, struct sp_seen allowed, bool probe_ok,
                          bool interrupted, enum sp_overall overall, int exit_code)
{
    struct sp_sample *s = sp_sample_new();
    sp_sample_add(s, SAMPLE_WEB_1, SAMPLE_DB_1, V4, SP_PROTO_TCP, 22, SP_EXPECT_DENY, SP_NONE,
                  denied);
    sp_sample_add(s, SAMPLE_WEB_1, SAMPLE_DB_1, V4, SP_PROTO_TCP, 5432, SP_EXPECT_ALLOW,
                  SAMPLE_RULE_WEB_TO_DB, allowed);
    sp_sample_judge(s);
    s->result->hosts[SAMPLE_DB_1].ok = probe_ok;
    s->result->interrupted = interrupted;
    struct sp_summary *summary = summarize(s);
    assert_int_equal(summary->overall, overall);
    assert_int_equal(summary->exit_code, exit_code);
    sp_summary_free(summary);
    sp_sample_free(s);
}

static void test_overall(void **state)
{
    (void)state;
    struct sp_seen silence = sp_seen_silence();
    struct sp_seen works = sp_seen_works();
    struct sp_seen open = sp_seen_unsound(SP_UNSOUND_CONTROL_LOST);
    check_overall(silence, works, true, false, SP_OVERALL_HOLDS, 0);
    check_overall(sp_seen_leak(), works, true, false, SP_OVERALL_FAILS, 1);
    check_overall(silence, silence, true, false, SP_OVERALL_FAILS, 1);
    check_overall(open, works, true, false, SP_OVERALL_INCOMPLETE, 3);
    check_overall(silence, works, false, false, SP_OVERALL_INCOMPLETE, 3);
    check_overall(silence, works, true, true, SP_OVERALL_INCOMPLETE, 3);
    /* A finding outranks all that stayed open. */
    check_overall(sp_seen_leak(), open, false, true, SP_OVERALL_FAILS, 1);
}

static void test_nothing_checked(void **state)
{
    (void)state;
    struct sp_sample *s = sp_sample_empty();
    struct sp_summary *summary = summarize(s);
    assert_int_equal(summary->overall, SP_OVERALL_INCOMPLETE);
    assert_int_equal(summary->exit_code, 3);
    assert_int_equal(summary->counts.checks, 0);
    sp_summary_free(summary);
    sp_sample_free(s);

    /* Only silent targets without a probe, and tests left out: still nothing was checked. */
    s = sp_sample_new();
    sp_sample_add(s, SAMPLE_WEB_1, SAMPLE_OLD, V4, SP_PROTO_TCP, 22, SP_EXPECT_DENY, SP_NONE,
                  sp_seen_silence());
    size_t left_out = sp_sample_add(s, SAMPLE_WEB_1, SAMPLE_DB_1, V4, SP_PROTO_TCP, 22,
                                    SP_EXPECT_DENY, SP_NONE, sp_seen_silence());
    sp_sample_judge(s);
    s->result->outcomes[left_out].judged.verdict = SP_VERDICT_NOT_TESTED;
    summary = summarize(s);
    assert_int_equal(summary->exit_code, 3);
    assert_int_equal(summary->counts.not_observable, 1);
    assert_int_equal(summary->counts.not_tested, 1);
    assert_int_equal(summary->counts.holds, 0);
    sp_summary_free(summary);
    sp_sample_free(s);
}

static void test_counts(void **state)
{
    (void)state;
    struct sp_sample *s = sp_sample_shop();
    s->result->outcomes[0].judged.lossy = true; /* a finding: does not count as a lossy hold */
    struct sp_summary *summary = summarize(s);
    const struct sp_counts *c = &summary->counts;
    assert_int_equal(c->checks, 24);
    assert_int_equal(c->holds, 7);
    assert_int_equal(c->failed, 13);
    assert_int_equal(c->inconclusive, 4);
    assert_int_equal(c->not_observable, 1);
    assert_int_equal(c->not_tested, 1);
    assert_int_equal(c->notes, 1);
    assert_int_equal(c->lossy, 0);
    assert_int_equal(c->probes_failed, 1);
    assert_int_equal(c->by_arrival, 4);
    assert_int_equal(c->by_grade[SP_GRADE_PAIR], 1);
    assert_int_equal(c->by_grade[SP_GRADE_SPLIT], 1);
    assert_int_equal(c->by_grade[SP_GRADE_SELF], 0);
    assert_int_equal(c->holds, c->by_arrival + c->by_grade[SP_GRADE_PAIR] +
                                   c->by_grade[SP_GRADE_SPLIT] + c->notes);
    assert_int_equal(c->checks + c->not_observable + c->not_tested, s->plan.ntests);
    assert_int_equal(summary->nfindings, 9);
    sp_summary_free(summary);
    sp_sample_free(s);
}

/* What no version of the judge writes must not become a pass on the way. */
static void test_values_out_of_range(void **state)
{
    (void)state;
    struct sp_sample *s = sp_sample_clean();
    s->result->outcomes[0].judged.verdict = (enum sp_verdict)99;
    s->result->outcomes[1].grade = 77;
    s->result->tests[2].rule = 1234;
    s->result->tests[2].technique = 200;
    s->result->tests[1].expect = 9;
    struct sp_summary *summary = summarize(s);
    assert_int_equal(summary->counts.inconclusive, 1);
    assert_int_equal(summary->counts.holds, 2);
    assert_int_equal(summary->exit_code, 3);
    for (size_t i = 0; i < summary->nentries; i++) {
        assert_int_not_equal(summary->entries[i].rule, 1234);
    }
    sp_summary_free(summary);
    s->result->tests[0].pair = 4711;
    assert_int_equal(sp_summary_new(s->result, &summary), SP_E_INVALID);
    s->result->tests[0].pair = 0;
    s->plan.pairs[0].to = 99;
    assert_int_equal(sp_summary_new(s->result, &summary), SP_E_INVALID);
    sp_sample_free(s);
}

static void test_sorted_and_repeatable(void **state)
{
    (void)state;
    struct sp_sample *s = sp_sample_shop();
    struct sp_summary *a = summarize(s);
    struct sp_summary *b = summarize(s);
    assert_int_equal(a->nfindings, b->nfindings);
    for (size_t i = 0; i < a->nfindings; i++) {
        assert_string_equal(a->findings[i].id, b->findings[i].id);
        if (i > 0) {
            assert_true(a->findings[i].severity <= a->findings[i - 1].severity);
        }
    }
    for (size_t i = 1; i < a->nentries; i++) {
        const struct sp_entry *e = &a->entries[i];
        assert_true(e[-1].from < e->from || (e[-1].from == e->from && e[-1].to <= e->to));
    }
    sp_summary_free(a);
    sp_summary_free(b);
    sp_sample_free(s);
}

static void test_out_of_memory(void **state)
{
    (void)state;
    struct sp_sample *s = sp_sample_shop();
    for (size_t n = 1;; n++) {
        struct sp_summary *summary = NULL;
        sp_mem_fail_at(n, 0);
        enum sp_rc rc = sp_summary_new(s->result, &summary);
        size_t asked = sp_mem_fail_at(0, 0);
        sp_summary_free(summary);
        if (asked < n) {
            assert_int_equal(rc, SP_OK);
            assert_true(n > 50);
            break;
        }
        assert_int_equal(rc, SP_E_NOMEM);
        assert_null(summary);
    }
    sp_sample_free(s);
}

static void test_words(void **state)
{
    (void)state;
    assert_string_equal(sp_overall_str(SP_OVERALL_HOLDS), "holds");
    assert_string_equal(sp_overall_str(SP_OVERALL_FAILS), "fails");
    assert_string_equal(sp_overall_str(SP_OVERALL_INCOMPLETE), "incomplete");
    assert_string_equal(sp_overall_str((enum sp_overall)9), "unknown");
    assert_string_equal(sp_severity_str(SP_SEVERITY_LOW), "low");
    assert_string_equal(sp_severity_str(SP_SEVERITY_CRITICAL), "critical");
    assert_string_equal(sp_severity_str((enum sp_severity)9), "unknown");
    sp_summary_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_overall),
        cmocka_unit_test(test_nothing_checked),
        cmocka_unit_test(test_counts),
        cmocka_unit_test(test_values_out_of_range),
        cmocka_unit_test(test_sorted_and_repeatable),
        cmocka_unit_test(test_out_of_memory),
        cmocka_unit_test(test_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
