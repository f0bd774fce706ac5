/* SPDX-License-Identifier: Apache-2.0 */
#include "reports/summary.h"
#include "tests/support/sample_result.h"
#include "tests/support/sp_cmocka.h"

#define V4  SP_FAMILY_IPV4
#define TCP SP_PROTO_TCP

/* Two pairs with two tests each; those of the second pair are as given. */
static struct sp_sample *two_pairs(struct sp_seen first, struct sp_seen second)
{
    struct sp_sample *s = sp_sample_new();
    sp_sample_add(s, SAMPLE_WEB_1, SAMPLE_DB_1, V4, TCP, 22, SP_EXPECT_DENY, SP_NONE,
                  sp_seen_silence());
    sp_sample_add(s, SAMPLE_WEB_1, SAMPLE_DB_1, V4, TCP, 5432, SP_EXPECT_ALLOW,
                  SAMPLE_RULE_WEB_TO_DB, sp_seen_works());
    sp_sample_add(s, SAMPLE_DEV_1, SAMPLE_DB_1, V4, TCP, 22, SP_EXPECT_DENY, SAMPLE_RULE_ISOLATION,
                  first);
    sp_sample_add(s, SAMPLE_DEV_1, SAMPLE_DB_1, V4, TCP, 23, SP_EXPECT_DENY, SP_NONE, second);
    sp_sample_judge(s);
    s->plan.coverage = (struct sp_coverage){.pairs_tested = 2,
                                            .pairs_of = 5,
                                            .intervals_tested = 4,
                                            .intervals_of = 9,
                                            .rules_tested = 2,
                                            .rules_of = 6,
                                            .edges_tested = 4,
                                            .edges_of = 8,
                                            .enforcements_tested = 1,
                                            .enforcements_of = 1,
                                            .denied_tested = 3,
                                            .denied_of = 5,
                                            .denied_ports_swept = 0.6};
    return s;
}

static struct sp_coverage coverage_of(struct sp_sample *s)
{
    struct sp_summary *summary = NULL;
    assert_int_equal(sp_summary_new(s->result, &summary), SP_OK);
    struct sp_coverage coverage = summary->coverage;
    sp_summary_free(summary);
    sp_sample_free(s);
    return coverage;
}

static void test_all_concluded(void **state)
{
    (void)state;
    struct sp_coverage c = coverage_of(two_pairs(sp_seen_silence(), sp_seen_leak()));
    assert_int_equal(c.pairs_tested, 2);
    assert_int_equal(c.pairs_of, 5);
    assert_int_equal(c.intervals_tested, 4);
    assert_int_equal(c.rules_tested, 2);
    assert_int_equal(c.edges_tested, 4);
    assert_int_equal(c.enforcements_tested, 1);
    assert_true(c.denied_ports_swept > 0.599 && c.denied_ports_swept < 0.601);
}

static void test_partly_concluded(void **state)
{
    (void)state;
    struct sp_seen open = sp_seen_unsound(SP_UNSOUND_NO_CONTROL);
    struct sp_coverage c = coverage_of(two_pairs(open, sp_seen_silence()));
    assert_int_equal(c.pairs_tested, 2); /* one test of the pair has a conclusion */
    assert_int_equal(c.intervals_tested, 3);
    assert_int_equal(c.rules_tested, 1); /* the isolation has none */
    assert_int_equal(c.edges_tested, 3);
    assert_true(c.denied_ports_swept > 0.399 && c.denied_ports_swept < 0.401);
    c = coverage_of(two_pairs(open, open));
    assert_int_equal(c.pairs_tested, 1);
    assert_int_equal(c.intervals_tested, 2);
}

static void test_nothing_concluded(void **state)
{
    (void)state;
    struct sp_sample *s = two_pairs(sp_seen_silence(), sp_seen_silence());
    for (size_t i = 0; i < s->plan.ntests; i++) {
        s->result->outcomes[i].judged.verdict = SP_VERDICT_INCONCLUSIVE;
    }
    struct sp_coverage c = coverage_of(s);
    assert_int_equal(c.pairs_tested, 0);
    assert_int_equal(c.intervals_tested, 0);
    assert_int_equal(c.rules_tested, 0);
    assert_int_equal(c.edges_tested, 0);
    assert_int_equal(c.enforcements_tested, 0);
    assert_true(c.denied_ports_swept < 0.000001);
    assert_int_equal(c.pairs_of, 5);
}

static void test_share_out_of_range(void **state)
{
    (void)state;
    struct sp_sample *s = two_pairs(sp_seen_silence(), sp_seen_silence());
    s->plan.coverage.denied_of = 2; /* less than has a conclusion */
    s->plan.coverage.pairs_tested = UINT64_MAX;
    struct sp_coverage c = coverage_of(s);
    assert_true(c.denied_ports_swept > 0.999999 && c.denied_ports_swept <= 1.0);
    assert_int_equal(c.denied_tested, 2);
    s = two_pairs(sp_seen_silence(), sp_seen_silence());
    s->plan.coverage.denied_of = 0;
    assert_true(coverage_of(s).denied_ports_swept < 0.000001);
    assert_true(c.pairs_tested == UINT64_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_concluded),
        cmocka_unit_test(test_partly_concluded),
        cmocka_unit_test(test_nothing_concluded),
        cmocka_unit_test(test_share_out_of_range),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
