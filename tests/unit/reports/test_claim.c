/* SPDX-License-Identifier: Apache-2.0
 *
 * Claims: copied, cut between characters, sorted, counted; unknown is never a pass. */
#include <string.h>

#include "probe/base/mem.h"
#include "reports/claim.h"
#include "reports/summary.h"
#include "tests/support/sp_cmocka.h"

static struct sp_claim claim(const char *subject, const char *check, unsigned verdict)
{
    return (struct sp_claim){.kind = SP_CLAIM_NODE,
                             .verdict = (uint8_t)verdict,
                             .host = SP_NONE,
                             .target = SP_NONE,
                             .check = check,
                             .subject = subject,
                             .expected = "x",
                             .observed = "y"};
}

static void test_order_and_copy(void **state)
{
    struct sp_claims claims = {0};
    char subject[] = "web-2";
    struct sp_claim c = claim(subject, "kernel", SP_CLAIM_HOLDS);
    (void)state;
    assert_int_equal(sp_claims_add(&claims, &c), SP_OK);
    subject[4] = '1';
    c.kind = SP_CLAIM_BALANCER;
    assert_int_equal(sp_claims_add(&claims, &c), SP_OK);
    c.kind = SP_CLAIM_NODE;
    assert_int_equal(sp_claims_add(&claims, &c), SP_OK);
    c.check = "fips";
    c.subject = NULL;
    assert_int_equal(sp_claims_add(&claims, &c), SP_OK);
    sp_claims_sort(&claims);
    assert_string_equal(claims.at[0].subject, "");
    assert_string_equal(claims.at[1].subject, "web-1");
    assert_string_equal(claims.at[2].subject, "web-2");
    assert_int_equal(claims.at[3].kind, SP_CLAIM_BALANCER);
    assert_null(claims.at[0].source);
    sp_claims_release(&claims);
    assert_int_equal(claims.n, 0);
}

static void test_cut(void **state)
{
    struct sp_claims claims = {0};
    char text[SP_CLAIM_TEXT_MAX + 10];
    struct sp_claim c = claim("a", "kernel", SP_CLAIM_NOTE);
    (void)state;
    memset(text, 'a', sizeof(text));
    text[SP_CLAIM_TEXT_MAX - 1] = '\xc3'; /* a character that the cut would split */
    text[SP_CLAIM_TEXT_MAX] = '\xbc';
    text[sizeof(text) - 1] = '\0';
    c.observed = text;
    assert_int_equal(sp_claims_add(&claims, &c), SP_OK);
    assert_int_equal(strlen(claims.at[0].observed), SP_CLAIM_TEXT_MAX - 1);
    sp_claims_release(&claims);
}

static void conclude(unsigned verdict, uint64_t checks, enum sp_overall overall, int code)
{
    struct sp_counts counts = {.holds = checks};
    int is = -1;
    sp_counts_add_claim(&counts, verdict);
    assert_int_equal(sp_counts_conclude(&counts, false, &is), overall);
    assert_int_equal(is, code);
}

static void test_what_follows(void **state)
{
    (void)state;
    conclude(SP_CLAIM_HOLDS, 1, SP_OVERALL_HOLDS, 0);
    conclude(SP_CLAIM_HOLDS, 0, SP_OVERALL_HOLDS, 0);
    conclude(SP_CLAIM_FAILS, 1, SP_OVERALL_FAILS, 1);
    conclude(SP_CLAIM_UNKNOWN, 1, SP_OVERALL_INCOMPLETE, 3);
    conclude(SP_CLAIM_VERDICT_COUNT, 1, SP_OVERALL_INCOMPLETE, 3); /* none: unknown */
    conclude(SP_CLAIM_NOT_OBSERVABLE, 1, SP_OVERALL_HOLDS, 0);
    conclude(SP_CLAIM_NOTE, 1, SP_OVERALL_HOLDS, 0);
    conclude(SP_CLAIM_NOTE, 0, SP_OVERALL_INCOMPLETE, 3); /* nothing was shown */
    conclude(SP_CLAIM_NOT_OBSERVABLE, 0, SP_OVERALL_INCOMPLETE, 3);
}

static void test_no_memory(void **state)
{
    struct sp_claim c = claim("a", "kernel", SP_CLAIM_HOLDS);
    enum sp_rc rc = SP_E_NOMEM;
    (void)state;
    for (unsigned n = 1; rc != SP_OK && n < 20; n++) {
        struct sp_claims claims = {0};
        (void)sp_mem_fail_at(n, 0);
        rc = sp_claims_add(&claims, &c);
        (void)sp_mem_fail_at(0, 0);
        assert_true(rc == SP_OK ? claims.n == 1 : rc == SP_E_NOMEM && claims.n == 0);
        sp_claims_release(&claims);
    }
    assert_int_equal(rc, SP_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_order_and_copy),
        cmocka_unit_test(test_cut),
        cmocka_unit_test(test_what_follows),
        cmocka_unit_test(test_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
