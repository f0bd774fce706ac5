/* SPDX-License-Identifier: Apache-2.0
 *
 * Which packets of a sweep are asked for, and to which findings they go: those of ranges that are
 * findings, of each range one before more of any, and never more than there is room for. */
#include <string.h>

#include "controller/sweep/proof.h"
#include "probe/base/mem.h"
#include "tests/support/model_builder.h"
#include "tests/support/sp_cmocka.h"

#define BATCH 5
#define ID    100 /* of the lane's first pass */
#define GUARD 200
#define A     0
#define B     1

struct world {
    struct sp_model *model;
    struct sp_policy *policy;
    struct sp_plan *plan;
    struct sp_result *result;
    struct sp_run_state run;
    struct sp_batch batch;
    struct sp_host_batch hosts[2];
    struct sp_sweep_batch sb;
    struct sp_bundle bundle;
    struct sp_sweep_lane lane;
    struct sp_lane_pass passes[2];
    struct sp_guard_plan guard;
    struct sp_volley volley;
    struct sp_sweep_sample samples[400];
    struct sp_sweep_span spans[400];
    struct sp_sweep_found *found;
    struct sp_gather gather;
    uint32_t sweep;
};

/* a may reach b on tcp/443; one lane, of which both ends take part in a batch of two passes. */
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
    assert_int_equal(sp_evidence_new(w->plan->ntests, &w->result->evidence), SP_OK);
    const struct sp_plan_sweep *sweeps = w->plan->sweeps;
    while (sweeps[w->sweep].proto != SP_PROTO_TCP ||
           w->plan->pairs[sweeps[w->sweep].pair].from != A) {
        w->sweep++;
    }
    w->run = (struct sp_run_state){.model = w->model, .policy = w->policy, .plan = w->plan};
    assert_int_equal(sp_sweep_proof_new(w->result, &w->run.proof), SP_OK);
    for (int i = 0; i < 2; i++) {
        w->hosts[i].is_used = w->hosts[i].is_collected = true;
    }
    w->batch = (struct sp_batch){.id = BATCH, .hosts = w->hosts};
    w->lane.sweep = w->sweep;
    w->lane.plan = &sweeps[w->sweep];
    w->lane.pair = &w->plan->pairs[sweeps[w->sweep].pair];
    w->lane.id = ID;
    w->lane.is_link = true;
    w->lane.passes = w->passes;
    w->lane.guards[0] = 0;
    w->lane.guards[1] = w->lane.guards[2] = SP_NONE;
    for (uint32_t port = 1; port < SP_PORTSET_PORTS; port++) {
        sp_portset_add(port == 443 ? &w->lane.allowed : &w->lane.denied, (uint16_t)port);
    }
    w->lane.raw = w->lane.allowed;
    w->bundle = (struct sp_bundle){.from = A,
                                   .to = B,
                                   .lanes = &w->lane,
                                   .nlanes = 1,
                                   .total = 65535,
                                   .order = 99,
                                   .npasses = 2,
                                   .volleys = &w->volley,
                                   .nvolleys = 1};
    w->volley = (struct sp_volley){.count = 65535, .is_sent = true};
    w->volley.told.first_beat = 0;
    w->volley.told.last_beat = 9;
    w->guard = (struct sp_guard_plan){.host = A, .flow = {.to = B}, .id = GUARD};
    w->sb = (struct sp_sweep_batch){.run = &w->run,
                                    .batch = &w->batch,
                                    .bundles = &w->bundle,
                                    .nbundles = 1,
                                    .guards = &w->guard,
                                    .nguards = 1,
                                    .samples = w->samples};
    w->sb.lane_of_id = sp_calloc(65536, sizeof(*w->sb.lane_of_id));
    w->found = sp_calloc(w->plan->nsweeps, sizeof(*w->found));
    assert_true(w->sb.lane_of_id && w->found);
    w->sb.lane_of_id[ID] = w->sb.lane_of_id[ID + 1] = 1;
    w->found[w->sweep].spans = w->spans;
    assert_int_equal(sp_gather_init(&w->gather, 2, sp_sweep_proof_store(w->run.proof)), SP_OK);
    sp_gather_begin(&w->gather, BATCH, 1000);
    return w;
}

static void end(struct world *w)
{
    sp_gather_release(&w->gather);
    sp_sweep_proof_free(w->run.proof);
    sp_free(w->sb.lane_of_id);
    sp_free(w->found);
    sp_result_free(w->result);
    sp_plan_free(w->plan);
    sp_policy_free(w->policy);
    sp_mb_free(w->model);
    sp_free(w);
}

static void add_span(struct world *w, uint16_t lo, uint16_t hi, uint16_t arrived)
{
    w->spans[w->found[w->sweep].nspans++] =
        (struct sp_sweep_span){.lo = lo,
                               .hi = hi,
                               .seen = {.capture_lossless = true,
                                        .attempts = 2,
                                        .nic = arrived,
                                        .host = arrived,
                                        .elsewhere_host = SP_NONE}};
}

static void add_sample(struct world *w, uint32_t host, uint16_t port, uint8_t kind)
{
    w->samples[w->sb.nsamples++] =
        (struct sp_sweep_sample){.host = host, .id = ID, .port = port, .kind = kind};
}

static void choose(struct world *w)
{
    assert_int_equal(sp_sweep_proof_choose(&w->sb, w->found, &w->gather), SP_OK);
}

static size_t count(const struct world *w, uint32_t host, uint16_t block, uint16_t port)
{
    size_t n = 0;
    for (size_t i = 0; i < w->gather.nwants; i++) {
        const struct sp_want *want = &w->gather.wants[i];
        n += want->host == host && want->block == block && want->port == port;
    }
    return n;
}

static void a_leak_is_asked_for_at_who_saw_it(void **state)
{
    (void)state;
    struct world *w = start();
    add_span(w, 1, 21, 0);
    add_span(w, 22, 22, 2);
    add_sample(w, B, 22, SP_SEEN_NIC);
    add_sample(w, B, 9, SP_SEEN_NIC); /* of a range that is no finding */
    choose(w);
    assert_int_equal(w->gather.nwants, 1);
    assert_int_equal(count(w, B, ID, 22), 1);
    assert_true(w->gather.wants[0].by_link);
    assert_int_equal(w->gather.wants[0].attempt, 1);
    /* What went through the sender's own policy was kept there as well, and is not of the link. */
    sp_gather_begin(&w->gather, BATCH, 1000);
    sp_portset_add(&w->lane.raw, 22);
    w->samples[0].is_asked = false;
    choose(w);
    assert_int_equal(w->gather.nwants, 2);
    assert_int_equal(count(w, A, ID, 22), 1);
    assert_false(w->gather.wants[0].by_link || w->gather.wants[1].by_link);
    end(w);
}

static void nobody_is_asked_who_is_gone(void **state)
{
    (void)state;
    struct world *w = start();
    add_span(w, 22, 22, 2);
    add_sample(w, B, 22, SP_SEEN_NIC);
    w->hosts[B].is_lost = true;
    choose(w);
    assert_int_equal(w->gather.nwants, 0);
    end(w);
}

static void each_range_comes_first_with_one(void **state)
{
    (void)state;
    struct world *w = start();
    add_span(w, 1000, 1999, 2);
    for (uint16_t port = 1000; port < 1300; port++) {
        add_sample(w, B, port, SP_SEEN_NIC);
    }
    for (uint16_t port = 3000; port < 3050; port = (uint16_t)(port + 2)) {
        add_span(w, port, port, 2);
        add_sample(w, B, port, SP_SEEN_NIC);
    }
    choose(w);
    assert_int_equal(w->gather.nwants, SP_PROOF_PER_RANGE + 25);
    for (uint16_t port = 3000; port < 3050; port = (uint16_t)(port + 2)) {
        assert_int_equal(count(w, B, ID, port), 1);
    }
    choose(w); /* a later batch finds no more room for that range */
    assert_int_equal(w->gather.nwants, SP_PROOF_PER_RANGE + 25);
    end(w);
}

static void a_rule_has_an_end(void **state)
{
    (void)state;
    struct world *w = start();
    for (uint16_t port = 3000; port < 3400; port = (uint16_t)(port + 2)) {
        add_span(w, port, port, 2);
        add_sample(w, B, port, SP_SEEN_NIC);
    }
    choose(w);
    assert_int_equal(w->gather.nwants, SP_PROOF_PER_RULE);
    end(w);
}

/* Beats 0 .. 9 left; the first came, and the last, and one in the middle did not. */
static void beat(struct world *w)
{
    for (uint16_t b = 0; b < 10; b++) {
        sp_portset_add(&w->guard.left, b);
        if (b != 5) {
            sp_portset_add(&w->guard.nic, b);
        }
    }
}

static void an_absence_is_shown_between_two_controls(void **state)
{
    (void)state;
    struct world *w = start();
    beat(w);
    add_span(w, 1, 442, 0);
    add_span(w, 443, 443, 0);
    choose(w);
    assert_int_equal(count(w, A, ID, 443), 1);
    assert_int_equal(count(w, B, ID, 443), 0);
    for (uint32_t host = A; host <= B; host++) {
        assert_int_equal(count(w, host, GUARD, 2), 1); /* the edge in front, and the one behind */
        assert_int_equal(count(w, host, GUARD, 7), 1);
    }
    for (size_t i = 0; i < w->gather.nwants; i++) {
        assert_int_equal(w->gather.wants[i].is_control, w->gather.wants[i].block == GUARD);
        assert_false(w->gather.wants[i].by_link);
    }
    end(w);
}

static void what_came_to_the_interface_is_shown_there(void **state)
{
    (void)state;
    struct world *w = start();
    beat(w);
    w->passes[0].nic = w->passes[1].nic = &w->lane.allowed;
    add_span(w, 443, 443, 2);
    w->spans[0].seen.host = 0;
    choose(w);
    for (uint16_t pass = 0; pass < 2; pass++) {
        assert_int_equal(count(w, A, (uint16_t)(ID + pass), 443), 1);
        assert_int_equal(count(w, B, (uint16_t)(ID + pass), 443), 1);
    }
    assert_int_equal(w->gather.nwants, 4);
    end(w);
}

static void what_works_is_not_asked_for(void **state)
{
    (void)state;
    struct world *w = start();
    beat(w);
    add_span(w, 1, 442, 0);
    add_span(w, 443, 443, 2);
    w->spans[1].seen.answered = w->spans[1].seen.answer_left = 2;
    w->spans[1].seen.answer = SP_ANSWER_RST;
    w->spans[1].seen.answerer = SP_ANSWERER_DESTINATION;
    choose(w);
    assert_int_equal(w->gather.nwants, 0);
    end(w);
}

/* ---- the end ---- */

static uint32_t add_test(struct world *w, uint16_t lo, uint16_t hi, enum sp_verdict verdict)
{
    const struct sp_plan_sweep *sweep = &w->plan->sweeps[w->sweep];
    const struct sp_test test = {.pair = sweep->pair,
                                 .rule = SP_NONE,
                                 .port = lo,
                                 .port_hi = hi,
                                 .proto = sweep->proto,
                                 .expect = SP_EXPECT_DENY,
                                 .technique = sweep->technique,
                                 .why = SP_WHY_SWEPT};
    const struct sp_outcome outcome = {.judged = {.verdict = verdict}};
    assert_int_equal(sp_result_add(w->result, &test, &outcome), SP_OK);
    return (uint32_t)w->result->ntests - 1;
}

static void packets_go_to_the_finding_of_their_port(void **state)
{
    (void)state;
    struct world *w = start();
    add_span(w, 22, 22, 2);
    add_span(w, 80, 90, 2);
    add_sample(w, B, 22, SP_SEEN_NIC);
    add_sample(w, B, 85, SP_SEEN_NIC);
    add_sample(w, B, 90, SP_SEEN_NIC);
    choose(w);
    assert_int_equal(w->gather.nwants, 3);
    static const uint8_t bytes[4] = {0x45, 0, 0, 4};
    for (size_t i = 0; i < w->gather.nwants; i++) {
        const struct sp_evidence_packet packet = {.test = w->gather.wants[i].test,
                                                  .host = B,
                                                  .attempt = w->gather.wants[i].port,
                                                  .len = sizeof(bytes),
                                                  .role = SP_KEPT_ARRIVED};
        sp_evidence_add(sp_sweep_proof_store(w->run.proof), &packet, bytes);
    }
    uint32_t before = add_test(w, 1, 21, SP_VERDICT_HOLDS);
    uint32_t one = add_test(w, 22, 22, SP_VERDICT_LEAK);
    uint32_t some = add_test(w, 80, 89, SP_VERDICT_LEAK);
    uint32_t cured = add_test(w, 90, 90, SP_VERDICT_HOLDS);
    uint32_t none = add_test(w, 91, 95, SP_VERDICT_LEAK);
    sp_sweep_proof_attach(w->run.proof, w->result);
    const struct sp_evidence *evidence = w->result->evidence;
    assert_true(sp_evidence_has(evidence, one) && sp_evidence_has(evidence, some));
    assert_false(sp_evidence_has(evidence, before) || sp_evidence_has(evidence, cured) ||
                 sp_evidence_has(evidence, none));
    assert_int_equal(evidence->nrows, 2);
    assert_int_equal(evidence->rows[evidence->first[one]].packet.attempt, 22);
    assert_int_equal(evidence->rows[evidence->first[some]].packet.attempt, 85);
    assert_memory_equal(evidence->bytes.data + evidence->rows[evidence->first[some]].bytes, bytes,
                        sizeof(bytes));
    end(w);
}

static void without_evidence_there_is_nothing(void **state)
{
    (void)state;
    struct world *w = start();
    struct sp_sweep_proof *proof;
    struct sp_result result = {.plan = w->plan};
    assert_int_equal(sp_sweep_proof_new(&result, &proof), SP_OK);
    assert_null(proof);
    sp_sweep_proof_attach(NULL, &result);
    sp_sweep_proof_free(NULL);
    end(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_leak_is_asked_for_at_who_saw_it),
        cmocka_unit_test(nobody_is_asked_who_is_gone),
        cmocka_unit_test(each_range_comes_first_with_one),
        cmocka_unit_test(a_rule_has_an_end),
        cmocka_unit_test(an_absence_is_shown_between_two_controls),
        cmocka_unit_test(what_came_to_the_interface_is_shown_there),
        cmocka_unit_test(what_works_is_not_asked_for),
        cmocka_unit_test(packets_go_to_the_finding_of_their_port),
        cmocka_unit_test(without_evidence_there_is_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
