/* SPDX-License-Identifier: Apache-2.0
 *
 * How much silence a negative needs: p^n <= 0.001 in passes for the loss, and (1 - 1/k)^n <= 0.001
 * in flows for k parallel paths. */
#include <math.h>
#include <string.h>

#include "controller/round.h"
#include "tests/support/sp_cmocka.h"

/* Two networks with a host each, and an enforcement point between them. */
struct world {
    struct sp_model model;
    struct sp_network networks[2];
    struct sp_host hosts[2];
    struct sp_enforcement point;
    uint32_t between[2];
    struct sp_plan plan;
    struct sp_pair pair;
    struct sp_lane lane;
    struct sp_run_state run;
};

static void set_up(struct world *w, uint32_t paths, uint32_t sent, uint32_t lost)
{
    memset(w, 0, sizeof(*w));
    w->networks[0].parent = w->networks[1].parent = SP_NONE;
    w->hosts[1].network = w->between[1] = 1;
    w->point = (struct sp_enforcement){.between = w->between, .nbetween = 2, .paths = paths};
    w->model = (struct sp_model){.networks = w->networks,
                                 .nnetworks = 2,
                                 .hosts = w->hosts,
                                 .nhosts = 2,
                                 .enforcements = &w->point,
                                 .nenforcements = 1};
    w->pair = (struct sp_pair){.from = 0, .to = 1};
    w->plan = (struct sp_plan){.pairs = &w->pair, .npairs = 1};
    w->lane = (struct sp_lane){.control_sent = sent, .control_lost = lost};
    w->run = (struct sp_run_state){.model = &w->model, .plan = &w->plan};
}

static void test_numbers(void **state)
{
    (void)state;
    static const struct {
        uint32_t paths, sent, lost;
        unsigned passes, flows, per_pass;
    } rows[] = {
        {1, 0, 0, 2, 2, 1},      {1, 100, 0, 2, 2, 1},    {1, 100, 5, 3, 3, 1},
        {1, 100, 50, 10, 10, 1}, {1, 100, 70, 20, 20, 1}, {1, 100, 71, 0, 0, 1}, /* too lossy */
        {1, 100, 100, 0, 0, 1},  {2, 100, 0, 2, 10, 5},   {4, 100, 0, 2, 25, 13},
        {8, 0, 0, 2, 52, 26},    {4, 100, 5, 3, 26, 9},   {64, 0, 0, 2, 439, 220},
        {1024, 0, 0, 0, 0, 1}, /* more source ports than there are */
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct world w;
        set_up(&w, rows[i].paths, rows[i].sent, rows[i].lost);
        struct sp_need need = sp_attempts_needed(&w.run, &w.lane);
        assert_int_equal(need.passes, rows[i].passes);
        assert_int_equal(need.flows, rows[i].flows);
        assert_int_equal(sp_flows_per_pass(&w.run, &w.lane), rows[i].per_pass);
    }
}

/* Every backend with a probe is a path that a balancer may choose. */
static void test_balancer(void **state)
{
    (void)state;
    struct world w;
    uint32_t receivers[4] = {0};
    struct sp_balancer balancer = {.receivers = receivers, .nreceivers = 4};
    set_up(&w, 1, 0, 0);
    w.model.balancers = &balancer;
    w.model.nbalancers = 1;
    w.pair.to = 2;
    w.pair.is_balanced = true;
    struct sp_need need = sp_attempts_needed(&w.run, &w.lane);
    assert_int_equal(need.passes, 2);
    assert_int_equal(need.flows, 25);
    balancer.nreceivers = 1;
    need = sp_attempts_needed(&w.run, &w.lane);
    assert_int_equal(need.flows, 2);
}

/* Whatever is declared and lost, the chance to miss the open path stays below 0.1 %. */
static void test_chance(void **state)
{
    (void)state;
    for (uint32_t paths = 1; paths <= 256; paths++) {
        for (uint32_t lost = 0; lost <= 60; lost += 5) {
            struct world w;
            set_up(&w, paths, 100, lost);
            struct sp_need need = sp_attempts_needed(&w.run, &w.lane);
            if (need.passes == 0) {
                continue;
            }
            double p = lost / 100.0;
            assert_true(need.passes >= 2 && need.flows >= need.passes);
            assert_true(pow(p, need.passes) <= 0.001 + 1e-12);
            assert_true(pow(1 - (1 - p) / paths, need.flows) <= 0.001 + 1e-12);
            assert_true((unsigned)sp_flows_per_pass(&w.run, &w.lane) * need.passes >= need.flows);
        }
    }
}

static void test_lacking(void **state)
{
    (void)state;
    static const struct {
        uint32_t paths;
        uint16_t counted, passes, asked;
        unsigned lacking;
    } rows[] = {
        {1, 0, 0, 0, 2},  {1, 1, 1, 0, 1},  {1, 2, 2, 0, 0},  {1, 2, 2, 3, 1},
        {1, 3, 3, 3, 0},  {4, 0, 0, 0, 2},  {4, 13, 1, 0, 1}, {4, 26, 2, 0, 0},
        {4, 25, 1, 0, 1}, {4, 20, 2, 0, 1}, {4, 26, 2, 3, 1}, {4, 5, 2, 0, 2},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct world w;
        set_up(&w, rows[i].paths, 100, 0);
        const struct sp_tally tally = {
            .counted = rows[i].counted, .passes = rows[i].passes, .asked_passes = rows[i].asked};
        assert_int_equal(sp_passes_lacking(&w.run, &w.lane, &tally), rows[i].lacking);
    }
}

/* A path that loses too much lacks nothing that could be sent, and never proves anything. */
static void test_hopeless(void **state)
{
    (void)state;
    struct world w;
    set_up(&w, 1, 100, 90);
    const struct sp_tally tally = {.counted = 50, .passes = 50};
    assert_int_equal(sp_attempts_needed(&w.run, &w.lane).passes, 0);
    assert_int_equal(sp_passes_lacking(&w.run, &w.lane, &tally), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_numbers),  cmocka_unit_test(test_balancer),
        cmocka_unit_test(test_chance),   cmocka_unit_test(test_lacking),
        cmocka_unit_test(test_hopeless),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
