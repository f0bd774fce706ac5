/* SPDX-License-Identifier: Apache-2.0
 *
 * Rolling coverage: N runs cover every denied port of every lane once, a lane that is not
 * conclusive somewhere keeps the cycle open until that part is swept again, and what a changed
 * declaration never swept is never covered. */
#include "controller/rolling.h"

#include <stdio.h>
#include <string.h>

#include "probe/base/mem.h"
#include "probe/base/portset.h"
#include "tests/support/model_builder.h"
#include "tests/support/sp_cmocka.h"
#include "tests/unit/controller/rolling_kit.h"

#define PARTS 5U
#define FEW   3U /* where the number does not matter */

/* ---- the proof ---- */

/* Counts, per lane and port, the runs whose part has the port, and that the plan asks it then. */
static void count_ports(const struct sp_rk_run *run, uint8_t counts[SP_RK_LANES_MAX][65536])
{
    for (size_t i = 0; i < run->plan->nsweeps; i++) {
        struct sp_portset denied = {{0}};
        struct sp_portset allowed = {{0}};
        assert_int_equal(
            sp_plan_sweep_ports(run->plan, run->model, run->policy, i, &denied, &allowed), SP_OK);
        const struct sp_pair *pair = &run->plan->pairs[run->plan->sweeps[i].pair];
        for (uint32_t port = 1; port < 65536; port++) {
            const struct sp_interval *iv = sp_policy_decide(
                run->policy, pair->from, pair->to, run->plan->sweeps[i].proto, (uint16_t)port);
            bool is_of_part = sp_slice_has(&run->plan->slice, (uint16_t)port);
            if (iv->expect == SP_EXPECT_DENY && is_of_part) {
                assert_true(sp_portset_has(&denied, (uint16_t)port));
                counts[i][port]++;
            } else if (iv->expect != SP_EXPECT_DENY) {
                counts[i][port] = 1;
            }
        }
    }
}

static void as_many_runs_as_parts_cover_every_port_once(void **state)
{
    (void)state;
    uint8_t(*counts)[65536] = sp_calloc(SP_RK_LANES_MAX, sizeof(*counts));
    struct sp_rk_run run = {.model = sp_rk_shop("tcp/443,udp/53"), .parts = PARTS};
    bool seen[PARTS] = {false};
    double before = 0;
    assert_non_null(counts);
    for (uint32_t i = 0; i < PARTS; i++) {
        sp_rk_begin(&run);
        uint32_t at = run.plan->slice.at;
        assert_true(at < PARTS && !seen[at]);
        seen[at] = true;
        count_ports(&run, counts);
        size_t lanes = run.plan->nsweeps;
        struct sp_rolling_status status = sp_rk_end(&run);
        assert_int_equal(status.parts, PARTS);
        assert_int_equal(status.part, at + 1);
        assert_int_equal(status.to_cover, PARTS - 1 - i);
        assert_int_equal(status.is_complete, i + 1 == PARTS);
        assert_true(status.covered > before && (status.covered < 1) == (i + 1 < PARTS));
        assert_int_equal(status.since_s, 1800000000);
        before = status.covered;
        for (size_t lane = 0; i + 1 == PARTS && lane < lanes; lane++) {
            for (uint32_t port = 1; port < 65536; port++) {
                assert_int_equal(counts[lane][port], 1);
            }
        }
    }
    /* And on: the oldest part comes next, all stays covered, and since moves on. */
    struct sp_rolling_status status = sp_rk_once(&run);
    assert_true(status.is_complete);
    assert_int_equal(status.part, 1);
    assert_int_equal(status.since_s, 1800000000 + 86400);
    assert_int_equal(sp_rk_once(&run).part, 2);
    sp_free(counts);
    sp_mb_free(run.model);
}

/* Whatever keeps a lane from a conclusion in one part keeps the cycle open until the part is swept
 * again. */
static void a_lane_without_a_conclusion_keeps_it_open(void **state)
{
    (void)state;
    static const enum sp_rk_trouble troubles[] = {SP_RK_NOT_RUN, SP_RK_INCONCLUSIVE,
                                                  SP_RK_FORGOTTEN, SP_RK_OVERLAPPED};
    for (size_t t = 0; t < sizeof(troubles) / sizeof(troubles[0]); t++) {
        struct sp_rk_run run = {.model = sp_rk_shop("tcp/443"), .parts = FEW, .lane = 1};
        struct sp_rolling_status status = {0};
        uint32_t part = 0;
        sp_rk_each_file(sp_rk_remove);
        for (uint32_t i = 0; i < FEW; i++) {
            run.trouble = i == 1 ? troubles[t] : SP_RK_FINE;
            status = sp_rk_once(&run);
            part = i == 1 ? status.part : part;
            assert_false(status.is_complete);
        }
        assert_true(status.covered > 0.8 && status.covered < 1);
        assert_int_equal(status.to_cover, 1);
        run.trouble = troubles[t];
        status = sp_rk_once(&run); /* that part again, and again in vain */
        assert_int_equal(status.part, part);
        assert_false(status.is_complete);
        run.trouble = SP_RK_FINE;
        status = sp_rk_once(&run);
        assert_int_equal(status.part, part);
        assert_true(status.is_complete);
        assert_true(status.covered >= 1);
        sp_mb_free(run.model);
    }
}

static void a_leak_is_a_conclusion(void **state)
{
    (void)state;
    struct sp_rk_run run = {.model = sp_rk_shop("tcp/443"), .parts = 2, .trouble = SP_RK_LEAKS};
    (void)sp_rk_once(&run);
    assert_true(sp_rk_once(&run).is_complete);
    sp_mb_free(run.model);
}

/* A port that is never conclusive must not keep the other parts from their turn. */
static void a_hopeless_part_holds_nothing_up(void **state)
{
    (void)state;
    struct sp_rk_run run = {.model = sp_rk_shop("tcp/443"), .parts = FEW, .lane = 1};
    size_t runs[FEW] = {0};
    uint32_t hopeless = UINT32_MAX;
    for (size_t i = 0; i < (size_t)6 * FEW; i++) {
        sp_rk_begin(&run);
        hopeless = i == 0 ? run.plan->slice.at : hopeless;
        bool is_hopeless = run.plan->slice.at == hopeless;
        runs[run.plan->slice.at]++;
        if (is_hopeless) { /* whoever swept it knows of nothing */
            run.result->sweeps[1].is_run = false;
        }
        struct sp_rolling_status status = sp_rk_end(&run);
        assert_false(status.is_complete);
    }
    for (uint32_t k = 0; k < FEW; k++) {
        assert_true(runs[k] >= 5 && runs[k] <= 9);
    }
    sp_mb_free(run.model);
}

/* ---- what a cycle survives ---- */

static void unrelated_runs_leave_it_alone(void **state)
{
    (void)state;
    struct sp_rk_run run = {.model = sp_rk_shop("tcp/443"), .parts = FEW};
    struct sp_rk_run other = {.model = sp_rk_shop("tcp/80"), .parts = 3};
    sp_free(other.model->name);
    other.model->name = sp_strdup("other");
    for (uint32_t i = 0; i < FEW; i++) {
        assert_int_equal(sp_rk_once(&run).to_cover, FEW - 1 - i);
        (void)sp_rk_once(&other);
    }
    assert_true(sp_rk_once(&run).is_complete);
    sp_mb_free(run.model);
    sp_mb_free(other.model);
}

/* Each selection has a cycle of its own. */
static void selections_are_apart(void **state)
{
    (void)state;
    static const char *const both[] = {"a", "b"};
    const struct sp_rolling_what whats[] = {
        {.parts = 3},
        {.parts = 3, .from = "web"},
        {.parts = 3, .to = "web"},
        {.parts = 3, .from = ""},
        {.parts = 3, .from = "we", .to = "b"},
        {.parts = 3, .only = both, .nonly = 1},
        {.parts = 3, .only = both, .nonly = 2},
        {.parts = 3, .skip = both, .nskip = 1},
        {.parts = 3, .only = both, .nonly = 1, .skip = both + 1, .nskip = 1},
    };
    struct sp_rk_run run = {.model = sp_rk_shop("tcp/443"), .parts = 3};
    struct sp_rolling *cycles[sizeof(whats) / sizeof(whats[0])];
    assert_int_equal(sp_policy_new(run.model, &run.policy), SP_OK);
    struct sp_plan *whole = sp_rk_plan(&run, (struct sp_slice){0});
    for (size_t i = 0; i < sizeof(whats) / sizeof(whats[0]); i++) {
        assert_int_equal(sp_rolling_open(sp_rk.folder, &whats[i], run.model, run.policy, whole,
                                         &cycles[i], NULL),
                         SP_OK); /* no lock of another is in the way */
    }
    for (size_t i = 0; i < sizeof(whats) / sizeof(whats[0]); i++) {
        sp_rolling_free(cycles[i]);
    }
    sp_plan_free(whole);
    sp_policy_free(run.policy);
    sp_mb_free(run.model);
}

static const char *news_of(struct sp_rk_run *run, char out[static 256])
{
    assert_int_equal(sp_rk_open(run), SP_OK);
    (void)snprintf(out, 256, "%s", sp_rolling_news(run->rolling));
    sp_rolling_free(run->rolling);
    sp_policy_free(run->policy);
    return out;
}

static void a_changed_declaration_is_not_covered(void **state)
{
    (void)state;
    char news[256];
    struct sp_rk_run run = {.model = sp_rk_shop("tcp/443"), .parts = 2};
    (void)sp_rk_once(&run);
    struct sp_rolling_status status = sp_rk_once(&run);
    assert_true(status.is_complete);
    assert_string_equal(news_of(&run, news), "");
    sp_mb_free(run.model);
    /* One port less is open from web to data; the other way and udp are as they were. */
    run.model = sp_rk_shop("tcp/444");
    assert_non_null(strstr(news_of(&run, news), "1 of 4 lanes"));
    status = sp_rk_once(&run);
    assert_false(status.is_complete);
    assert_int_equal(status.to_cover, 1);
    assert_true(status.covered > 0.8);
    assert_true(sp_rk_once(&run).is_complete);
    sp_mb_free(run.model);
    /* Another address is another lane, both ways and in both protocols. */
    run.model = sp_rk_shop("tcp/444");
    assert_int_equal(sp_addr_parse("10.10.2.12", &run.model->hosts[1].addrs[0]), SP_OK);
    assert_non_null(strstr(news_of(&run, news), "everywhere"));
    status = sp_rk_once(&run);
    assert_true(status.covered < 0.6);
    assert_int_equal(status.to_cover, 1);
    sp_mb_free(run.model);
}

static void another_number_of_parts_starts_over(void **state)
{
    (void)state;
    char news[256];
    struct sp_rk_run run = {.model = sp_rk_shop("tcp/443"), .parts = 2};
    (void)sp_rk_once(&run);
    (void)sp_rk_once(&run);
    run.parts = 3;
    assert_non_null(strstr(news_of(&run, news), "2 parts"));
    assert_string_equal(news_of(&run, news), ""); /* said once */
    struct sp_rolling_status status = sp_rk_once(&run);
    assert_int_equal(status.part, 1);
    assert_int_equal(status.to_cover, 2);
    assert_true(status.covered < 0.5);
    sp_mb_free(run.model);
}

/* A clock that was set back since: no part lies in the future. */
static void a_clock_that_was_set_back(void **state)
{
    (void)state;
    struct sp_rk_run run = {.model = sp_rk_shop("tcp/443"), .parts = 2};
    (void)sp_rk_once(&run);
    sp_rk.wall_s -= (uint64_t)10 * 86400;
    uint64_t now = sp_rk.wall_s;
    struct sp_rolling_status status = sp_rk_once(&run);
    assert_true(status.is_complete);
    assert_int_equal(status.since_s, now);
    sp_mb_free(run.model);
}

static void an_interrupted_run_goes_on(void **state)
{
    (void)state;
    struct sp_diag diag = {0};
    struct sp_rk_run run = {.model = sp_rk_shop("tcp/443"), .parts = 3, .trouble = SP_RK_NOT_RUN};
    sp_rk_begin(&run);
    struct sp_slice slice = run.plan->slice;
    run.result->interrupted = true;
    assert_false(sp_rk_end(&run).is_complete);
    run.trouble = SP_RK_FINE;
    (void)sp_rk_once(&run); /* another run in between takes a part that none has begun */
    assert_int_equal(sp_rk_open(&run), SP_OK);
    assert_int_equal(sp_rolling_resume(run.rolling, &slice, &diag), SP_OK);
    assert_int_equal(sp_rolling_status(run.rolling).part, slice.at + 1);
    slice.key++;
    assert_int_equal(sp_rolling_resume(run.rolling, &slice, &diag), SP_E_INVALID);
    assert_true(diag.text[0] != '\0');
    sp_rolling_free(run.rolling);
    sp_policy_free(run.policy);
    sp_mb_free(run.model);
}

/* A result of another part says nothing of this one. */
static void a_result_of_another_part(void **state)
{
    (void)state;
    struct sp_rk_run run = {.model = sp_rk_shop("tcp/443"), .parts = 3};
    sp_rk_begin(&run);
    run.plan->slice.at++;
    assert_int_equal(sp_rolling_record(run.rolling, run.result), SP_E_INVALID);
    run.plan->slice.at--;
    run.plan->slice.key++;
    assert_int_equal(sp_rolling_record(run.rolling, run.result), SP_E_INVALID);
    run.plan->slice.key--;
    assert_int_equal(sp_rk_end(&run).to_cover, 2);
    sp_mb_free(run.model);
}

#define EACH(test) cmocka_unit_test_setup_teardown(test, sp_rk_setup, sp_rk_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {EACH(as_many_runs_as_parts_cover_every_port_once),
                                       EACH(a_lane_without_a_conclusion_keeps_it_open),
                                       EACH(a_leak_is_a_conclusion),
                                       EACH(a_hopeless_part_holds_nothing_up),
                                       EACH(unrelated_runs_leave_it_alone),
                                       EACH(selections_are_apart),
                                       EACH(a_changed_declaration_is_not_covered),
                                       EACH(another_number_of_parts_starts_over),
                                       EACH(a_clock_that_was_set_back),
                                       EACH(an_interrupted_run_goes_on),
                                       EACH(a_result_of_another_part)};
    return cmocka_run_group_tests_name("rolling", tests, NULL, NULL);
}
