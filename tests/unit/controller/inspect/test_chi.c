/* SPDX-License-Identifier: Apache-2.0
 *
 * Chi-square against the critical values that tables print, and against what must never be. */
#include <math.h>

#include "controller/inspect/chi.h"
#include "tests/support/sp_cmocka.h"

static void critical_values(void **state)
{
    (void)state;
    /* NIST/SEMATECH e-Handbook 1.3.6.7.4, upper-tail critical values. */
    static const struct {
        unsigned freedom;
        double p, value;
    } table[] = {
        {1, 0.10, 2.706},     {1, 0.05, 3.841},     {1, 0.01, 6.635},    {1, 0.001, 10.828},
        {2, 0.05, 5.991},     {2, 0.001, 13.816},   {3, 0.05, 7.815},    {3, 0.01, 11.345},
        {5, 0.05, 11.070},    {9, 0.001, 27.877},   {10, 0.05, 18.307},  {20, 0.01, 37.566},
        {50, 0.001, 86.661},  {100, 0.05, 124.342}, {1, 0.975, 0.00098}, {10, 0.975, 3.247},
        {100, 0.975, 74.222},
    };
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        double p = sp_chi_tail(table[i].value, table[i].freedom);
        assert_true(fabs(p - table[i].p) < table[i].p * 0.01 + 1e-6);
    }
    assert_true(sp_chi_tail(0, 3) >= 1 && sp_chi_tail(-1, 3) >= 1 && sp_chi_tail(5, 0) >= 1);
    assert_true(sp_chi_tail(1e6, 3) < 1e-300);
    for (int i = 0; i < 240; i++) {
        assert_true(sp_chi_tail(i * 0.25, 4) >= sp_chi_tail(i * 0.25 + 0.25, 4));
    }
}

static void counts_against_weights(void **state)
{
    (void)state;
    const uint32_t even[] = {50, 50};
    const uint32_t tilted[] = {60, 40};
    const uint32_t two_to_one[] = {200, 100};
    const uint32_t weights[] = {2, 1};
    const uint32_t none[] = {0, 0};
    struct sp_chi chi = sp_chi_test(even, NULL, 2);
    assert_true(chi.p >= 1 && chi.worst <= 0 && chi.freedom == 1);
    chi = sp_chi_test(tilted, NULL, 2);
    assert_true(fabs(chi.statistic - 4) < 1e-9 && fabs(chi.p - 0.0455) < 0.0001);
    assert_true(fabs(chi.worst - 0.2) < 1e-9);
    chi = sp_chi_test(two_to_one, weights, 2);
    assert_true(chi.p >= 1);
    chi = sp_chi_test(two_to_one, NULL, 2);
    assert_true(chi.p < 1e-7 && fabs(chi.worst - 1.0 / 3) < 1e-9);
    chi = sp_chi_test(none, NULL, 2);
    assert_true(chi.p >= 1 && chi.freedom == 0);
    assert_true(sp_chi_test(even, NULL, 1).p >= 1);
}

static void samples_have_power(void **state)
{
    (void)state;
    /* 99 of 100: at the border of what is to be found, five and a half deviations are seen. */
    uint32_t n = sp_chi_sample(NULL, 2, 0.3);
    assert_in_range(n, 340, 360);
    uint32_t counts[] = {(uint32_t)(n * 0.65), (uint32_t)(n * 0.35)};
    assert_true(sp_chi_test(counts, NULL, 2).p < SP_CHI_SIGNIFICANCE);
    assert_true(sp_chi_sample(NULL, 2, 0.1) > 9 * n - 50);
    const uint32_t weights[] = {9, 1};
    assert_true(sp_chi_sample(weights, 2, 0.3) > sp_chi_sample(NULL, 2, 0.3));
    assert_int_equal(sp_chi_sample(NULL, 2, 0), UINT32_MAX);
    assert_true(sp_chi_sample(NULL, 1, 0.3) >= 10);
    assert_true(sp_chi_sample(NULL, 10, 1) >= 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(critical_values),
        cmocka_unit_test(counts_against_weights),
        cmocka_unit_test(samples_have_power),
    };
    return cmocka_run_group_tests_name("chi", tests, NULL, NULL);
}
