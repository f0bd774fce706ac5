/* SPDX-License-Identifier: Apache-2.0
 *
 * The two clocks, and how tests replace them. */
#include "tests/support/sp_cmocka.h"

#include <string.h>

#include "probe/base/clock.h"

static uint64_t fake_mono(void)
{
    return 12345;
}

static uint64_t fake_wall(void)
{
    return 67890;
}

static void test_real_clocks(void **state)
{
    (void)state;
    uint64_t a = sp_mono_us();
    uint64_t b = sp_mono_us();
    assert_true(b >= a);
    assert_true(sp_wall_s() > 1700000000U); /* after November 2023, when this was written */
}

static void test_injected(void **state)
{
    (void)state;
    sp_clock_inject(fake_mono, fake_wall);
    assert_int_equal(sp_mono_us(), 12345);
    assert_int_equal(sp_wall_s(), 67890);
    sp_clock_inject(NULL, NULL);
    assert_true(sp_wall_s() > 1700000000U);
}

static void test_text(void **state)
{
    (void)state;
    static const struct {
        uint64_t wall_s;
        const char *text;
    } cases[] = {
        {0, "1970-01-01T00:00:00Z"},
        {951782400, "2000-02-29T00:00:00Z"},
        {1795437000, "2026-11-23T12:30:00Z"},
        {4107542399, "2100-02-28T23:59:59Z"}, /* 2100 is no leap year */
        {4107542400, "2100-03-01T00:00:00Z"},
        {253402300799, "9999-12-31T23:59:59Z"},
        {UINT64_MAX / 2, ""},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char out[24];
        memset(out, 'x', sizeof(out));
        sp_wall_str(cases[i].wall_s, out);
        assert_string_equal(out, cases[i].text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_real_clocks),
        cmocka_unit_test(test_injected),
        cmocka_unit_test(test_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
