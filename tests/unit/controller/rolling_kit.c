/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/controller/rolling_kit.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "probe/base/clock.h"
#include "probe/base/portset.h"
#include "tests/support/model_builder.h"
#include "tests/support/sp_cmocka.h"

struct sp_rk sp_rk;

static uint64_t wall(void)
{
    return sp_rk.wall_s;
}

int sp_rk_setup(void **state)
{
    (void)state;
    sp_rk.wall_s = 1800000000;
    sp_clock_inject(NULL, wall);
    (void)snprintf(sp_rk.folder, sizeof(sp_rk.folder), "/tmp/sp-rolling-XXXXXX");
    return mkdtemp(sp_rk.folder) ? 0 : -1;
}

/* Calls what with every file of the sp_rk.folder. */
void sp_rk_each_file(void (*what)(const char *path))
{
    DIR *dir = opendir(sp_rk.folder);
    struct dirent *entry;
    while (dir && (entry = readdir(dir)) != NULL) {
        char path[512];
        (void)snprintf(path, sizeof(path), "%s/%s", sp_rk.folder, entry->d_name);
        if (entry->d_name[0] != '.') {
            what(path);
        }
    }
    if (dir) {
        (void)closedir(dir);
    }
}

void sp_rk_remove(const char *path)
{
    (void)unlink(path);
}

int sp_rk_teardown(void **state)
{
    (void)state;
    sp_clock_inject(NULL, NULL);
    sp_rk_each_file(sp_rk_remove);
    return rmdir(sp_rk.folder);
}

/* Two hosts that may talk https, and a third that is kept away from both. */
struct sp_model *sp_rk_shop(const char *open_ports)
{
    struct sp_model *m = sp_mb_new();
    (void)sp_mb_network(m, "web", NULL, SP_NET_VPC, "10.10.1.0/24");
    (void)sp_mb_network(m, "data", NULL, SP_NET_VPC, "10.10.2.0/24");
    (void)sp_mb_host(m, "web-1", "web", "10.10.1.11", "netns");
    (void)sp_mb_host(m, "db-1", "data", "10.10.2.11", "netns");
    (void)sp_mb_rule(m, SP_RULE_ALLOW, "https", "web", "data", open_ports);
    return m;
}

/* ---- one run ---- */

struct sp_plan *sp_rk_plan(struct sp_rk_run *run, struct sp_slice slice)
{
    struct sp_plan *plan = NULL;
    const struct sp_plan_options options = {
        .depth = SP_DEPTH_EXHAUSTIVE, .seed = 7, .slice = slice};
    assert_int_equal(sp_plan_new(run->policy, run->model, &options, &plan, NULL), SP_OK);
    assert_true(plan->nsweeps > 0 && plan->nsweeps <= SP_RK_LANES_MAX);
    return plan;
}

enum sp_rc sp_rk_open(struct sp_rk_run *run)
{
    struct sp_diag diag = {0};
    const struct sp_rolling_what what = {.parts = run->parts};
    assert_int_equal(sp_policy_new(run->model, &run->policy), SP_OK);
    struct sp_plan *whole = sp_rk_plan(run, (struct sp_slice){0});
    enum sp_rc rc =
        sp_rolling_open(sp_rk.folder, &what, run->model, run->policy, whole, &run->rolling, &diag);
    assert_int_equal(rc != SP_OK, diag.text[0] != '\0');
    sp_plan_free(whole);
    return rc;
}

static void add_range(struct sp_rk_run *run, size_t sweep, uint32_t lo, uint32_t hi,
                      enum sp_verdict verdict)
{
    const struct sp_plan_sweep *of = &run->plan->sweeps[sweep];
    const struct sp_test test = {.pair = of->pair,
                                 .rule = SP_NONE,
                                 .port = (uint16_t)lo,
                                 .port_hi = (uint16_t)hi,
                                 .proto = of->proto,
                                 .expect = SP_EXPECT_DENY,
                                 .technique = of->technique,
                                 .why = SP_WHY_SWEPT};
    const struct sp_outcome outcome = {.judged = {.verdict = verdict}};
    assert_int_equal(sp_result_add(run->result, &test, &outcome), SP_OK);
}

/* A port of the part, in the middle of the set. */
static uint32_t victim_of(const struct sp_rk_run *run, const struct sp_portset *denied)
{
    uint32_t port = sp_portset_next(denied, 30000);
    while (!sp_slice_has(&run->plan->slice, (uint16_t)port)) {
        port = sp_portset_next(denied, port + 1);
    }
    return port;
}

static void sweep_lane(struct sp_rk_run *run, size_t sweep)
{
    struct sp_portset denied = {{0}};
    struct sp_portset allowed = {{0}};
    enum sp_rk_trouble trouble = sweep == run->lane ? run->trouble : SP_RK_FINE;
    assert_int_equal(
        sp_plan_sweep_ports(run->plan, run->model, run->policy, sweep, &denied, &allowed), SP_OK);
    uint32_t victim = victim_of(run, &denied);
    run->result->sweeps[sweep].is_run = trouble != SP_RK_NOT_RUN;
    for (uint32_t lo = sp_portset_next(&denied, 0); lo < 65536 && trouble != SP_RK_NOT_RUN;) {
        uint32_t hi = lo;
        bool is_victim = trouble != SP_RK_FINE && lo == victim;
        while (!is_victim && hi < 65535 && sp_portset_has(&denied, (uint16_t)(hi + 1)) &&
               !(trouble != SP_RK_FINE && hi + 1 == victim)) {
            hi++;
        }
        if (!is_victim) {
            add_range(run, sweep, lo, hi, SP_VERDICT_HOLDS);
        } else if (trouble != SP_RK_FORGOTTEN) {
            add_range(run, sweep, lo, hi,
                      trouble == SP_RK_LEAKS ? SP_VERDICT_LEAK : SP_VERDICT_INCONCLUSIVE);
        }
        lo = sp_portset_next(&denied, hi + 1);
    }
    if (trouble == SP_RK_OVERLAPPED) {
        add_range(run, sweep, 1, 65535, SP_VERDICT_HOLDS);
    }
}

/* Begins a run of the cycle that goes as said. */
void sp_rk_begin(struct sp_rk_run *run)
{
    assert_int_equal(sp_rk_open(run), SP_OK);
    run->plan = sp_rk_plan(run, sp_rolling_next(run->rolling));
    assert_int_equal(sp_result_new(run->model, run->plan, &run->result), SP_OK);
    run->result->policy = run->policy;
    run->result->finished_s = sp_rk.wall_s;
    (void)snprintf(run->result->run_id, sizeof(run->result->run_id), "%016llx",
                   (unsigned long long)sp_rk.wall_s);
    for (size_t i = 0; i < run->plan->nsweeps; i++) {
        sweep_lane(run, i);
    }
}

struct sp_rolling_status sp_rk_end(struct sp_rk_run *run)
{
    assert_int_equal(sp_rolling_record(run->rolling, run->result), SP_OK);
    assert_int_equal(sp_rolling_save(run->rolling, NULL), SP_OK);
    struct sp_rolling_status status = sp_rolling_status(run->rolling);
    sp_result_free(run->result);
    sp_plan_free(run->plan);
    sp_rolling_free(run->rolling);
    sp_policy_free(run->policy);
    run->result = NULL;
    run->plan = NULL;
    run->rolling = NULL;
    run->policy = NULL;
    sp_rk.wall_s += 86400;
    return status;
}

struct sp_rolling_status sp_rk_once(struct sp_rk_run *run)
{
    sp_rk_begin(run);
    return sp_rk_end(run);
}
