/* SPDX-License-Identifier: Apache-2.0 */
#include "reports/group.h"
#include "tests/support/sample_result.h"
#include "tests/support/sp_cmocka.h"

static uint32_t segment(const struct sp_summary *summary, uint32_t network)
{
    for (uint32_t i = 0; i < summary->nsegments; i++) {
        if (summary->segments[i].network == network) {
            return i;
        }
    }
    return SP_NONE;
}

static void test_cells(void **state)
{
    (void)state;
    struct sp_sample *s = sp_sample_shop();
    struct sp_summary *summary = NULL;
    assert_int_equal(sp_summary_new(s->result, &summary), SP_OK);
    assert_int_equal(summary->nsegments, 6);
    assert_string_equal(summary->segments[5].name, "balancers");
    uint32_t web = segment(summary, 1);
    uint32_t data = segment(summary, 2);
    uint32_t dev = segment(summary, 3);
    uint32_t internet = segment(summary, 4);
    /* web-1 and web-2 into db-1 and old, together */
    const struct sp_cell *cell = sp_summary_cell(summary, web, data);
    assert_non_null(cell);
    assert_int_equal(cell->worst, SP_VERDICT_LEAK);
    assert_int_equal(cell->holds, 5);
    assert_int_equal(cell->failed, 3);
    assert_int_equal(cell->inconclusive, 1);
    assert_int_equal(cell->not_observable, 1);
    cell = sp_summary_cell(summary, internet, dev);
    assert_int_equal(cell->worst, SP_VERDICT_NOT_TESTED);
    assert_int_equal(cell->not_tested, 1);
    assert_non_null(sp_summary_cell(summary, internet, 5));
    assert_null(sp_summary_cell(summary, data, web));
    assert_null(sp_summary_cell(summary, 99, 99));
    sp_summary_free(summary);
    sp_sample_free(s);
}

static void test_empty(void **state)
{
    (void)state;
    struct sp_sample *s = sp_sample_empty();
    struct sp_summary *summary = NULL;
    assert_int_equal(sp_summary_new(s->result, &summary), SP_OK);
    assert_int_equal(summary->nsegments, 0);
    assert_int_equal(summary->ncells, 0);
    assert_null(sp_summary_cell(summary, 0, 0));
    sp_summary_free(summary);
    sp_sample_free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cells),
        cmocka_unit_test(test_empty),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
