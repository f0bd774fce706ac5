/* SPDX-License-Identifier: Apache-2.0 */
#include "reports/result.h"

#include "probe/base/mem.h"
#include "tests/support/sp_cmocka.h"

static struct sp_model model = {.nhosts = 3};
static struct sp_plan plan = {.ntests = 2};

static void test_nothing_passes_unjudged(void **state)
{
    (void)state;
    struct sp_result *result = NULL;
    assert_int_equal(sp_result_new(&model, &plan, &result), SP_OK);
    assert_ptr_equal(result->model, &model);
    assert_ptr_equal(result->plan, &plan);
    for (size_t i = 0; i < plan.ntests; i++) {
        assert_int_equal(result->outcomes[i].judged.verdict, SP_VERDICT_INCONCLUSIVE);
        assert_int_equal(result->outcomes[i].judged.reason, SP_UNSOUND_INTERRUPTED);
        assert_int_equal(result->outcomes[i].seen.unsound, SP_UNSOUND_INTERRUPTED);
        assert_int_equal(result->outcomes[i].seen.elsewhere_host, SP_NONE);
    }
    for (uint32_t i = 0; i < model.nhosts; i++) {
        assert_int_equal(result->hosts[i].host, i);
        assert_false(result->hosts[i].ok);
    }
    sp_result_free(result);
    sp_result_free(NULL);
}

static void test_out_of_memory(void **state)
{
    (void)state;
    for (size_t n = 1;; n++) {
        struct sp_result *result = NULL;
        sp_mem_fail_at(n, 0);
        enum sp_rc rc = sp_result_new(&model, &plan, &result);
        size_t asked = sp_mem_fail_at(0, 0);
        sp_result_free(result);
        if (asked < n) {
            assert_int_equal(rc, SP_OK);
            assert_true(n > 3);
            return;
        }
        assert_int_equal(rc, SP_E_NOMEM);
        assert_null(result);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nothing_passes_unjudged),
        cmocka_unit_test(test_out_of_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
