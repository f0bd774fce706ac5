/* SPDX-License-Identifier: Apache-2.0 */
#include "reports/result.h"

#include "probe/base/mem.h"
#include "tests/support/sp_cmocka.h"

/* Host 0 to host 1; host 0 to a balancer on tcp/443 with hosts 1 and 2 behind it, allowed and
 * denied. */
static uint32_t backends[] = {1, 2};
static struct sp_listener listener = {
    .port = {.proto = SP_PROTO_TCP, .lo = 443, .hi = 443}, .backends = backends, .nbackends = 2};
static struct sp_balancer balancer = {.listeners = &listener, .nlisteners = 1};
static struct sp_model model = {.nhosts = 3, .balancers = &balancer, .nbalancers = 1};
static struct sp_pair pairs[] = {{.to = 1}, {.to = 3, .is_balanced = true}};
static struct sp_test tests_of_plan[] = {
    {.pair = 0, .proto = SP_PROTO_TCP, .port = 443, .expect = SP_EXPECT_ALLOW},
    {.pair = 1, .proto = SP_PROTO_TCP, .port = 443, .expect = SP_EXPECT_ALLOW},
    {.pair = 1, .proto = SP_PROTO_TCP, .port = 22, .expect = SP_EXPECT_DENY}};
static struct sp_plan plan = {
    .pairs = pairs, .npairs = 2, .tests = tests_of_plan, .ntests = SP_ARRAY_LEN(tests_of_plan)};

static void test_flows_are_counted_by_backend(void **state)
{
    (void)state;
    struct sp_result *result = NULL;
    assert_ptr_equal(sp_result_listener(&model, &plan, &plan.tests[1]), &listener);
    assert_null(sp_result_listener(&model, &plan, &plan.tests[0]));
    assert_null(sp_result_listener(&model, &plan, &plan.tests[2]));
    pairs[1].one_sided = true;
    assert_null(sp_result_listener(&model, &plan, &plan.tests[1]));
    pairs[1].one_sided = false;
    assert_int_equal(sp_result_new(&model, &plan, &result), SP_OK);
    assert_null(result->outcomes[0].backend_flows);
    assert_non_null(result->outcomes[1].backend_flows);
    assert_int_equal(result->outcomes[1].backend_flows[1], 0);
    assert_null(result->outcomes[2].backend_flows);
    sp_result_free(result);
}

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
        cmocka_unit_test(test_flows_are_counted_by_backend),
        cmocka_unit_test(test_nothing_passes_unjudged),
        cmocka_unit_test(test_out_of_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
