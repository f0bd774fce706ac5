/* SPDX-License-Identifier: Apache-2.0
 *
 * Silence beside leaks that come now and then: in doubt between the same two networks, in every
 * lane, and nowhere else; what was asked often enough stays. */
#include "controller/sweep/beside.h"

#include <string.h>

#include "controller/run_priv.h"
#include "probe/base/mem.h"
#include "tests/support/sp_cmocka.h"

#define LANES 4U

struct world {
    struct sp_model model;
    struct sp_host hosts[3];
    struct sp_plan plan;
    struct sp_pair pairs[2];
    struct sp_plan_sweep sweeps[LANES];
    struct sp_sweep_found found[LANES];
    struct sp_sweep_span spans[LANES];
    struct sp_run_state run;
};

/* Lanes 0, 1 and 2 from network 0 to network 1; lane 3 from network 0 to network 2. Each has one
 * silent range of two attempts. */
static void make(struct world *w)
{
    memset(w, 0, sizeof(*w));
    for (uint32_t h = 0; h < 3; h++) {
        w->hosts[h].network = h;
    }
    w->model.hosts = w->hosts;
    w->model.nhosts = 3;
    w->model.nnetworks = 3;
    w->pairs[0] = (struct sp_pair){.from = 0, .to = 1};
    w->pairs[1] = (struct sp_pair){.from = 0, .to = 2};
    w->plan.pairs = w->pairs;
    w->plan.npairs = 2;
    w->plan.sweeps = w->sweeps;
    w->plan.nsweeps = LANES;
    for (uint32_t i = 0; i < LANES; i++) {
        w->sweeps[i].pair = i == 3;
        w->spans[i] = (struct sp_sweep_span){.lo = 1, .hi = 9, .seen = {.attempts = 2}};
        w->found[i].spans = &w->spans[i];
        w->found[i].nspans = 1;
        w->found[i].status.beats = 1000;
    }
    w->run.model = &w->model;
    w->run.plan = &w->plan;
}

static bool is_doubted(const struct world *w, unsigned lane)
{
    return w->spans[lane].seen.unsound == SP_UNSOUND_NOW_AND_THEN;
}

static void test_no_leak(void **state)
{
    (void)state;
    struct world w;
    make(&w);
    assert_int_equal(sp_sweep_doubt_beside(&w.run, w.found), SP_OK);
    for (unsigned i = 0; i < LANES; i++) {
        assert_int_equal(w.spans[i].seen.unsound, SP_SOUND);
    }
}

static void test_now_and_then(void **state)
{
    (void)state;
    struct world w;
    make(&w);
    w.found[0].odd = 0.5;
    w.spans[2].seen.attempts = 10;
    assert_int_equal(sp_sweep_doubt_beside(&w.run, w.found), SP_OK);
    assert_true(is_doubted(&w, 0));
    assert_true(is_doubted(&w, 1));  /* it had no leak itself */
    assert_false(is_doubted(&w, 2)); /* half of the attempts, ten times: less than 0.001 */
    assert_false(is_doubted(&w, 3)); /* another network */
}

static void test_the_oddest_leak_counts(void **state)
{
    (void)state;
    struct world w;
    make(&w);
    w.found[0].odd = 0.02; /* twice is enough against that */
    assert_int_equal(sp_sweep_doubt_beside(&w.run, w.found), SP_OK);
    assert_false(is_doubted(&w, 0) || is_doubted(&w, 1));
    w.found[1].odd = 1;
    w.found[2].odd = 0.02;
    assert_int_equal(sp_sweep_doubt_beside(&w.run, w.found), SP_OK);
    assert_true(is_doubted(&w, 0) && is_doubted(&w, 1) && is_doubted(&w, 2));
    assert_false(is_doubted(&w, 3));
}

static void test_what_arrived_or_is_told_already_stays(void **state)
{
    (void)state;
    struct world w;
    make(&w);
    w.found[0].odd = 0.5;
    w.spans[0].seen.nic = 1;
    w.spans[1].seen.elsewhere = 1;
    w.spans[2].seen.unsound = SP_UNSOUND_CONTROL_LOST;
    assert_int_equal(sp_sweep_doubt_beside(&w.run, w.found), SP_OK);
    assert_false(is_doubted(&w, 0) || is_doubted(&w, 1) || is_doubted(&w, 2));
}

static void test_out_of_memory(void **state)
{
    (void)state;
    struct world w;
    bool failed = true;
    for (uint64_t n = 1; failed; n++) {
        assert_true(n < 100);
        make(&w);
        w.found[0].odd = 0.5;
        sp_mem_fail_at(n, 0);
        enum sp_rc rc = sp_sweep_doubt_beside(&w.run, w.found);
        failed = rc != SP_OK;
        sp_mem_fail_at(0, 0);
        assert_true(rc == SP_OK || rc == SP_E_NOMEM);
    }
    assert_true(is_doubted(&w, 1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_no_leak),
        cmocka_unit_test(test_now_and_then),
        cmocka_unit_test(test_the_oddest_leak_counts),
        cmocka_unit_test(test_what_arrived_or_is_told_already_stays),
        cmocka_unit_test(test_out_of_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
