/* SPDX-License-Identifier: Apache-2.0
 *
 * From bits to verdicts: whatever the probes saw, a denied port holds only where enough of its
 * attempts count, nothing of it arrived anywhere, and its receiver lost nothing. */
#include <string.h>

#include "controller/sweep/judge.h"
#include "controller/sweep/observe.h"
#include "probe/base/hash.h"
#include "probe/base/mem.h"
#include "probe/base/volley.h"
#include "tests/support/model_builder.h"
#include "tests/support/sp_cmocka.h"

#define A      0
#define B      1
#define CELL   512U
#define PASSES 3U

struct world {
    struct sp_model *model;
    struct sp_policy *policy;
    struct sp_plan *plan;
    struct sp_result *result;
    struct sp_fleet fleet;
    struct sp_session sessions[2];
    struct sp_run_state run;
    struct sp_batch batch;
    struct sp_host_batch hosts[2];
    struct sp_host_health health[2];
    struct sp_sweep_batch sb;
    struct sp_bundle bundle;
    struct sp_sweep_lane lane;
    struct sp_lane_pass passes[PASSES];
    struct sp_answer_class classes[2];
    struct sp_guard_plan guard;
    struct sp_sweep_found *found;
    uint32_t sweep;
};

/* a may reach b on tcp/443; every cell of the lane counts in the first two of three passes. */
static struct world *start(void)
{
    struct world *w = sp_calloc(1, sizeof(*w));
    assert_non_null(w);
    w->model = sp_mb_new();
    (void)sp_mb_network(w->model, "left", NULL, SP_NET_VPC, "10.10.1.0/24");
    (void)sp_mb_network(w->model, "right", NULL, SP_NET_VPC, "10.10.2.0/24");
    (void)sp_mb_host(w->model, "a", "left", "10.10.1.11", "netns");
    (void)sp_mb_host(w->model, "b", "right", "10.10.2.11", "netns");
    (void)sp_mb_rule(w->model, SP_RULE_ALLOW, "https", "left", "right", "tcp/443");
    const struct sp_plan_options options = {.depth = SP_DEPTH_EXHAUSTIVE, .seed = 7};
    assert_int_equal(sp_policy_new(w->model, &w->policy), SP_OK);
    assert_int_equal(sp_plan_new(w->policy, w->model, &options, &w->plan, NULL), SP_OK);
    assert_int_equal(sp_result_new(w->model, w->plan, &w->result), SP_OK);
    const struct sp_plan_sweep *sweeps = w->plan->sweeps;
    while (sweeps[w->sweep].proto != SP_PROTO_TCP ||
           w->plan->pairs[sweeps[w->sweep].pair].from != A) {
        w->sweep++;
    }
    w->fleet = (struct sp_fleet){.model = w->model, .sessions = w->sessions};
    w->run = (struct sp_run_state){.model = w->model,
                                   .policy = w->policy,
                                   .plan = w->plan,
                                   .fleet = &w->fleet,
                                   .baseline_ttl = sp_calloc(w->plan->npairs, 1)};
    for (int i = 0; i < 2; i++) {
        w->hosts[i].is_used = w->hosts[i].is_collected = true;
    }
    w->batch = (struct sp_batch){.id = 5, .hosts = w->hosts, .fleet = &w->fleet};
    w->lane = (struct sp_sweep_lane){.sweep = w->sweep,
                                     .plan = &sweeps[w->sweep],
                                     .pair = &w->plan->pairs[sweeps[w->sweep].pair],
                                     .control = {.grade = SP_GRADE_PAIR, .nflows = 1},
                                     .is_link = true,
                                     .guards = {0, SP_NONE, SP_NONE},
                                     .stray_host = SP_NONE,
                                     .passes = w->passes,
                                     .classes = w->classes};
    for (uint32_t port = 1; port < SP_PORTSET_PORTS; port++) {
        sp_portset_add(port == 443 ? &w->lane.allowed : &w->lane.denied, (uint16_t)port);
    }
    w->lane.raw = w->lane.allowed;
    w->lane.count = 65535;
    w->bundle = (struct sp_bundle){.from = A,
                                   .to = B,
                                   .lanes = &w->lane,
                                   .nlanes = 1,
                                   .total = 65535,
                                   .order = 99,
                                   .npasses = PASSES,
                                   .passes_wanted = 2,
                                   .cell = CELL,
                                   .ncells = 128};
    w->bundle.cells = sp_calloc((size_t)PASSES * 128, sizeof(*w->bundle.cells));
    w->guard = (struct sp_guard_plan){.host = A, .flow = {.to = B}};
    sp_portset_add(&w->guard.nic, 0);
    sp_portset_add(&w->guard.host_seen, 0);
    w->sb = (struct sp_sweep_batch){.run = &w->run,
                                    .batch = &w->batch,
                                    .bundles = &w->bundle,
                                    .nbundles = 1,
                                    .guards = &w->guard,
                                    .nguards = 1,
                                    .health = w->health};
    w->found = sp_calloc(w->plan->nsweeps, sizeof(*w->found));
    assert_true(w->found && w->bundle.cells && w->run.baseline_ttl);
    for (uint32_t i = 0; i < 2 * w->bundle.ncells; i++) {
        w->bundle.cells[i].step[0] = 41;
        w->bundle.cells[i].tries = 1;
    }
    return w;
}

static void end(struct world *w)
{
    for (unsigned p = 0; p < PASSES; p++) {
        sp_free(w->passes[p].nic);
        sp_free(w->passes[p].host);
    }
    sp_free(w->lane.egress);
    sp_free(w->lane.rewritten);
    sp_free(w->lane.refused);
    sp_free(w->lane.stray);
    for (size_t i = 0; i < w->plan->nsweeps; i++) {
        sp_free(w->found[i].spans);
    }
    sp_free(w->found);
    sp_free(w->bundle.cells);
    sp_free(w->run.baseline_ttl);
    sp_result_free(w->result);
    sp_plan_free(w->plan);
    sp_policy_free(w->policy);
    sp_mb_free(w->model);
    sp_free(w);
}

static void mark(struct sp_portset **set, uint16_t port)
{
    *set = *set ? *set : sp_calloc(1, sizeof(**set));
    assert_non_null(*set);
    sp_portset_add(*set, port);
}

static void arrive(struct world *w, unsigned pass, uint16_t port)
{
    mark(&w->passes[pass].nic, port);
    mark(&w->passes[pass].host, port);
}

static void judge(struct world *w)
{
    assert_int_equal(sp_sweep_observe(&w->sb, w->found), SP_OK);
    assert_int_equal(sp_sweep_judge(&w->run, w->found, w->result), SP_OK);
}

/* The verdict of a port of the lane, by the result's ranges. */
static const struct sp_outcome *outcome_of(const struct world *w, uint16_t port)
{
    const struct sp_outcome *found = NULL;
    for (size_t i = w->plan->ntests; i < w->result->ntests; i++) {
        const struct sp_test *test = &w->result->tests[i];
        if (test->pair == w->lane.plan->pair && test->proto == SP_PROTO_TCP && test->port <= port &&
            test->port_hi >= port) {
            assert_null(found); /* each port once */
            found = &w->result->outcomes[i];
        }
    }
    assert_non_null(found);
    return found;
}

static enum sp_verdict verdict_of(const struct world *w, uint16_t port)
{
    return outcome_of(w, port)->judged.verdict;
}

static uint32_t cell_of(const struct world *w, uint16_t port)
{
    struct sp_volley_order order;
    sp_volley_order_init(&order, w->bundle.order, w->bundle.total, 0, 0, w->bundle.total);
    for (uint32_t i = 0; i < w->bundle.total; i++) {
        if (sp_volley_order_whole(&order, i) == port - 1U) { /* ports 1.. are numbered 0.. */
            return i / CELL;
        }
    }
    fail();
    return 0;
}

static void silence_between_good_controls_holds(void **state)
{
    (void)state;
    struct world *w = start();
    for (unsigned p = 0; p < 2; p++) {
        arrive(w, p, 443);
    }
    mark(&w->lane.egress, 443);
    w->classes[0] = (struct sp_answer_class){.answer = SP_ANSWER_RST, .ttl = 60};
    w->classes[0].addr = w->lane.pair->dst;
    sp_portset_add(&w->classes[0].ports, 443);
    w->lane.nclasses = 1;
    judge(w);
    assert_int_equal(verdict_of(w, 1), SP_VERDICT_HOLDS);
    assert_int_equal(verdict_of(w, 65535), SP_VERDICT_HOLDS);
    assert_int_equal(verdict_of(w, 443), SP_VERDICT_HOLDS);
    assert_int_equal(outcome_of(w, 80)->seen.attempts, 2);
    assert_int_equal(w->run.baseline_ttl[w->lane.plan->pair], 60);
    end(w);
}

static void arrivals_leak_with_their_exact_ports(void **state)
{
    (void)state;
    struct world *w = start();
    for (uint16_t port = 3000; port <= 3010; port++) {
        arrive(w, 0, port);
        arrive(w, 1, port);
    }
    mark(&w->lane.stray, 5000);
    w->lane.stray_host = A;
    mark(&w->lane.rewritten, 6000);
    judge(w);
    assert_int_equal(verdict_of(w, 2999), SP_VERDICT_HOLDS);
    assert_int_equal(verdict_of(w, 3000), SP_VERDICT_LEAK);
    assert_int_equal(verdict_of(w, 3010), SP_VERDICT_LEAK);
    assert_int_equal(verdict_of(w, 3011), SP_VERDICT_HOLDS);
    assert_int_equal(verdict_of(w, 5000), SP_VERDICT_LEAK);
    assert_int_equal(verdict_of(w, 6000), SP_VERDICT_LEAK);
    assert_int_equal(verdict_of(w, 443), SP_VERDICT_BLOCKED);
    end(w);
}

/* What spoils the whole lane. */
static void no_lane_holds_that_was_not_watched(void **state)
{
    (void)state;
    for (int what = 0; what < 9; what++) {
        struct world *w = start();
        w->hosts[A].is_lost = what == 0;
        w->hosts[B].is_lost = what == 1;
        w->hosts[B].drops = what == 2 ? 1 : 0; /* more than was known when volleys were judged */
        w->hosts[B].is_collected = what != 3;
        w->lane.control.nflows = what == 4 ? 0 : 1;
        w->lane.is_dead = what == 5;
        w->lane.sender_refused = what == 6 ? SP_REFUSED_LINK : 0;
        w->lane.receiver_refused = what == 7 ? SP_REFUSED_NOT_OWN : 0;
        w->hosts[B].untagged_overflow = what == 8;
        judge(w);
        assert_int_equal(verdict_of(w, 22), SP_VERDICT_INCONCLUSIVE);
        end(w);
    }
}

static void one_attempt_is_not_enough(void **state)
{
    (void)state;
    struct world *w = start();
    uint32_t cell = cell_of(w, 8080);
    w->bundle.cells[w->bundle.ncells + cell].step[0] = 0; /* its second pass does not count */
    judge(w);
    assert_int_equal(verdict_of(w, 8080), SP_VERDICT_INCONCLUSIVE);
    end(w);
    w = start();
    w->bundle.cells[w->bundle.ncells + cell].step[0] = 0;
    w->bundle.cells[2 * w->bundle.ncells + cell].step[0] = 41; /* but a third one does */
    judge(w);
    assert_int_equal(verdict_of(w, 8080), SP_VERDICT_HOLDS);
    end(w);
}

/* Cells that were asked more often than others do not stand out. */
static void spare_passes_make_no_ranges(void **state)
{
    (void)state;
    struct world *w = start();
    w->bundle.cells[2 * w->bundle.ncells + cell_of(w, 8080)].step[0] = 41;
    judge(w);
    assert_int_equal(outcome_of(w, 8080)->seen.attempts, 2);
    end(w);
}

/* Why there were too few: what the user can do about it differs. */
static void too_few_attempts_have_a_reason(void **state)
{
    (void)state;
    static const enum sp_unsound why[] = {SP_UNSOUND_ATTEMPTS, SP_UNSOUND_CONTROL_LOST,
                                          SP_UNSOUND_CAPTURE_DROPS, SP_UNSOUND_INTERRUPTED};
    for (unsigned what = 0; what < 4; what++) {
        struct world *w = start();
        w->lane.beats_lost = what >= 1;
        w->bundle.drops = what >= 2;
        w->batch.is_stopped = what >= 3;
        w->bundle.cells[cell_of(w, 8080)].step[0] = 0;
        judge(w);
        assert_int_equal(verdict_of(w, 8080), SP_VERDICT_INCONCLUSIVE);
        assert_int_equal(outcome_of(w, 8080)->seen.unsound, why[what]);
        end(w);
    }
    /* What never left lacks no attempt: it was the sender's own policy. */
    struct world *w = start();
    for (uint32_t i = 0; i < w->bundle.ncells; i++) {
        w->bundle.cells[i].step[0] = 0;
    }
    mark(&w->lane.refused, 8080);
    judge(w);
    assert_int_equal(outcome_of(w, 8081)->seen.unsound, SP_UNSOUND_ATTEMPTS);
    assert_true(outcome_of(w, 8080)->seen.sender_policy);
    assert_int_equal(outcome_of(w, 8080)->seen.unsound, SP_SOUND);
    assert_int_not_equal(verdict_of(w, 8080), SP_VERDICT_HOLDS);
    end(w);
}

/* Something else came to that port, or answers had no room: silence there proves nothing. */
static void what_may_have_been_seen_does_not_hold(void **state)
{
    (void)state;
    struct world *w = start();
    struct sp_untagged_seen untagged = {.host = B,
                                        .proto = SP_PROTO_TCP,
                                        .port = 22,
                                        .count = 1,
                                        .src = w->lane.pair->src,
                                        .dst = w->lane.pair->own};
    w->batch.untagged = &untagged;
    w->batch.nuntagged = 1;
    judge(w);
    assert_int_equal(verdict_of(w, 22), SP_VERDICT_INCONCLUSIVE);
    assert_int_equal(verdict_of(w, 23), SP_VERDICT_HOLDS);
    end(w);
    w = start();
    w->lane.nclasses = 1;
    w->classes[0] = (struct sp_answer_class){.answer = SP_ANSWER_UNREACHABLE, .ttl = 60};
    sp_portset_add(&w->classes[0].ports, 22);
    w->lane.classes_overflow = true;
    judge(w);
    assert_int_equal(outcome_of(w, 23)->seen.unsound, SP_UNSOUND_ANSWERER);
    assert_int_equal(verdict_of(w, 23), SP_VERDICT_INCONCLUSIVE);
    assert_int_equal(outcome_of(w, 22)->seen.unsound, SP_SOUND);
    end(w);
}

static void more_loss_needs_more_attempts(void **state)
{
    (void)state;
    struct world *w = start();
    w->lane.steps[40] = (struct sp_rate_step){.sent = 100, .lost = 10};
    judge(w);
    assert_int_equal(verdict_of(w, 22), SP_VERDICT_INCONCLUSIVE); /* 0.1 ^ 2 */
    end(w);
    w = start();
    w->lane.steps[40] = (struct sp_rate_step){.sent = 100, .lost = 9};
    for (uint32_t i = 0; i < w->bundle.ncells; i++) {
        w->bundle.cells[2 * w->bundle.ncells + i].step[0] = 41;
    }
    judge(w);
    assert_int_equal(verdict_of(w, 22), SP_VERDICT_HOLDS); /* 0.09 ^ 3 */
    end(w);
}

/* At the interface and not behind the firewall: only where a control was seen behind it. */
static void what_the_host_stops_needs_a_witness(void **state)
{
    (void)state;
    for (int awake = 0; awake < 2; awake++) {
        struct world *w = start();
        struct sp_pair *pair = &w->plan->pairs[w->lane.plan->pair];
        pair->layer = SP_LAYER_HOST;
        mark(&w->passes[0].nic, 22);
        mark(&w->passes[1].nic, 22);
        if (!awake) {
            sp_portset_remove(&w->guard.host_seen, 0);
        }
        judge(w);
        assert_int_equal(verdict_of(w, 22), awake ? SP_VERDICT_HOLDS : SP_VERDICT_INCONCLUSIVE);
        end(w);
    }
}

/* Random bits, against an oracle that knows nothing of ranges. */
static void nothing_seen_anywhere_ever_holds(void **state)
{
    (void)state;
    struct sp_rng rng = {20261123};
    for (int round = 0; round < 20; round++) {
        struct world *w = start();
        for (int i = 0; i < 3000; i++) {
            uint16_t port = (uint16_t)(1 + sp_rng_below(&rng, 65535));
            unsigned pass = (unsigned)sp_rng_below(&rng, PASSES);
            switch (sp_rng_below(&rng, 6)) {
            case 0:
                mark(&w->passes[pass].nic, port);
                break;
            case 1:
                mark(&w->passes[pass].host, port);
                break;
            case 2:
                mark(&w->lane.stray, port);
                break;
            case 3:
                mark(&w->lane.rewritten, port);
                break;
            case 4:
                mark(&w->lane.refused, port);
                break;
            default:
                mark(&w->lane.egress, port);
                break;
            }
        }
        for (int i = 0; i < 6; i++) {
            w->bundle.cells[sp_rng_below(&rng, 256)].step[0] = 0;
        }
        judge(w);
        for (int i = 0; i < 3000; i++) {
            uint16_t port = (uint16_t)(1 + sp_rng_below(&rng, 65535));
            bool seen = (w->lane.stray && sp_portset_has(w->lane.stray, port)) ||
                        (w->lane.rewritten && sp_portset_has(w->lane.rewritten, port));
            for (unsigned p = 0; p < PASSES; p++) {
                seen = seen || (w->passes[p].nic && sp_portset_has(w->passes[p].nic, port)) ||
                       (w->passes[p].host && sp_portset_has(w->passes[p].host, port));
            }
            uint32_t cell = i < 300 ? cell_of(w, port) : UINT32_MAX; /* it takes its time */
            bool asked = cell == UINT32_MAX || (w->bundle.cells[cell].step[0] > 0 &&
                                                w->bundle.cells[128 + cell].step[0] > 0);
            if (port != 443 && seen) {
                assert_int_equal(verdict_of(w, port), SP_VERDICT_LEAK);
            } else if (port != 443 && (!asked || sp_portset_has(w->lane.refused, port) ||
                                       sp_portset_has(w->lane.egress, port))) {
                assert_int_not_equal(verdict_of(w, port), SP_VERDICT_HOLDS);
            }
        }
        end(w);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(silence_between_good_controls_holds),
        cmocka_unit_test(arrivals_leak_with_their_exact_ports),
        cmocka_unit_test(no_lane_holds_that_was_not_watched),
        cmocka_unit_test(one_attempt_is_not_enough),
        cmocka_unit_test(spare_passes_make_no_ranges),
        cmocka_unit_test(too_few_attempts_have_a_reason),
        cmocka_unit_test(what_may_have_been_seen_does_not_hold),
        cmocka_unit_test(more_loss_needs_more_attempts),
        cmocka_unit_test(what_the_host_stops_needs_a_witness),
        cmocka_unit_test(nothing_seen_anywhere_ever_holds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
