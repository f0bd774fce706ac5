/* SPDX-License-Identifier: Apache-2.0
 *
 * What a run does with bypass techniques: lanes and controls, source ports that are given, services
 * of the sender, and what the judge is told. */
#include <string.h>

#include "controller/ledger.h"
#include "controller/round_priv.h"
#include "controller/run_priv.h"
#include "probe/base/mem.h"
#include "probe/techniques/registry.h"
#include "tests/support/model_builder.h"
#include "tests/support/sp_cmocka.h"

enum { A, B, HOSTS };

static struct {
    struct sp_model *model;
    struct sp_policy *policy;
    struct sp_plan *plan;
    struct sp_session sessions[HOSTS];
    struct sp_fleet fleet;
    struct sp_listening listening;
    struct sp_run_state run;
} w;

static uint8_t tech(const char *name)
{
    const struct sp_technique_info *info = sp_technique_find(name);
    assert_non_null(info);
    return (uint8_t)sp_technique_index(info);
}

/* a -> b: allowed tcp/80 and udp/53; class B. Only these techniques are wanted. */
static void plan_with(const char *const *names, size_t n)
{
    bool wanted[64] = {false};
    assert_true(sp_technique_count() <= SP_ARRAY_LEN(wanted));
    for (size_t i = 0; i < n; i++) {
        wanted[tech(names[i])] = true;
    }
    struct sp_bits from = {0};
    assert_int_equal(sp_select(w.model, "a", &from, NULL), SP_OK);
    const struct sp_plan_options options = {
        .depth = SP_DEPTH_STANDARD, .seed = 3, .from = &from, .techniques = wanted};
    assert_int_equal(sp_plan_new(w.policy, w.model, &options, &w.plan, NULL), SP_OK);
    sp_bits_release(&from);
    w.fleet = (struct sp_fleet){.model = w.model, .sessions = w.sessions};
    w.run = (struct sp_run_state){
        .model = w.model, .policy = w.policy, .plan = w.plan, .fleet = &w.fleet, .slow = 1};
    w.run.outcomes = sp_calloc(w.plan->ntests, sizeof(*w.run.outcomes));
    w.run.tallies = sp_calloc(w.plan->ntests, sizeof(*w.run.tallies));
    w.run.baseline_ttl = sp_calloc(w.plan->npairs, 1);
    assert_int_equal(sp_lanes_build(w.model, w.plan, &w.run.lanes), SP_OK);
    assert_int_equal(sp_ledger_open(NULL, w.plan->sport_lo, w.plan->sport_hi, 1, &w.run.ledger),
                     SP_OK);
}

static int setup(void **state)
{
    (void)state;
    memset(&w, 0, sizeof(w));
    w.model = sp_mb_new();
    w.model->limits.hazard = 'B';
    (void)sp_mb_network(w.model, "left", NULL, SP_NET_SUBNET, "10.0.1.0/24");
    (void)sp_mb_network(w.model, "right", NULL, SP_NET_SUBNET, "10.0.2.0/24");
    (void)sp_mb_host(w.model, "a", "left", "10.0.1.1", "netns");
    (void)sp_mb_host(w.model, "b", "right", "10.0.2.1", "netns");
    (void)sp_mb_rule(w.model, SP_RULE_ALLOW, "ok", "a", "b", "tcp/80,udp/53");
    assert_int_equal(sp_policy_new(w.model, &w.policy), SP_OK);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    sp_lanes_release(&w.run.lanes);
    sp_scouts_release(&w.run.scouts);
    sp_ledger_free(w.run.ledger);
    sp_free(w.run.outcomes);
    sp_free(w.run.tallies);
    sp_free(w.run.baseline_ttl);
    sp_plan_free(w.plan);
    sp_policy_free(w.policy);
    sp_mb_free(w.model);
    return 0;
}

static void serve(uint32_t host, uint8_t proto, uint16_t port)
{
    w.listening =
        (struct sp_listening){.proto = proto, .port = port, .addr = w.model->hosts[host].addrs[0]};
    w.sessions[host].listeners = &w.listening;
    w.sessions[host].nlisteners = 1;
}

/* Tests that differ in their source port alone share a lane, and every shot has a name of its own.
 */
static void source_ports_share_a_lane(void **state)
{
    (void)state;
    static const char *const names[] = {"tcp_sport", "tcp_ack"};
    plan_with(names, 2);
    assert_int_equal(w.run.lanes.n, 2);
    for (size_t i = 0; i < w.run.lanes.n; i++) {
        struct sp_lane *lane = &w.run.lanes.at[i];
        bool is_sport = lane->technique == tech("tcp_sport");
        assert_int_equal(lane->has_sports, is_sport);
        assert_int_equal(lane->ntests, is_sport ? 9 : 2);
        assert_int_equal(sp_round_variants(lane), is_sport ? 9 : 1);
    }
}

/* With --only the plan holds no allowed flow: the policy's own are scouted. */
static void controls_come_from_the_policy(void **state)
{
    (void)state;
    static const char *const names[] = {"tcp_ack", "udp_sport"};
    plan_with(names, 2);
    assert_int_equal(sp_scouts_build(w.model, w.plan, &w.run.lanes, w.run.outcomes, &w.run.scouts),
                     SP_OK);
    size_t selves = w.run.scouts.n;
    assert_int_equal(sp_scouts_add_unplanned(&w.run, &w.run.scouts), SP_OK);
    assert_int_equal(w.run.scouts.n, selves + 2);
    const struct sp_scouted *tcp = &w.run.scouts.at[selves];
    const struct sp_scouted *udp = &w.run.scouts.at[selves + 1];
    assert_int_equal(tcp->flow.technique, tech("tcp_syn"));
    assert_int_equal(tcp->flow.port, 80);
    assert_int_equal(udp->flow.technique, tech("udp"));
    assert_int_equal(udp->flow.port, 53);
    /* A lane whose declared flow was not delivered has no control, not a weaker one. */
    struct sp_lane *lane = &w.run.lanes.at[0];
    for (size_t i = 0; i < selves; i++) {
        w.run.scouts.at[i].sent = w.run.scouts.at[i].nic = w.run.scouts.at[i].host = 2;
    }
    sp_lane_choose_control(lane, w.model, w.plan, &w.run.scouts, SP_CONTROL_FOR_DENY);
    assert_int_equal(lane->control.nflows, 0);
    w.run.scouts.at[selves].sent = w.run.scouts.at[selves].nic = 2;
    sp_lane_choose_control(lane, w.model, w.plan, &w.run.scouts, SP_CONTROL_FOR_DENY);
    assert_int_equal(lane->control.grade, SP_GRADE_PAIR);
}

/* Planned flows are enough, and a real service gets no data for the sake of a control. */
static void controls_leave_services_alone(void **state)
{
    (void)state;
    static const char *const names[] = {"tcp_syn", "tcp_ack", "udp_sport"};
    plan_with(names, 3);
    serve(B, SP_PROTO_UDP, 53);
    assert_int_equal(sp_scouts_build(w.model, w.plan, &w.run.lanes, w.run.outcomes, &w.run.scouts),
                     SP_OK);
    size_t before = w.run.scouts.n;
    assert_int_equal(sp_scouts_add_unplanned(&w.run, &w.run.scouts), SP_OK);
    assert_int_equal(w.run.scouts.n, before);
}

static void controls_when_memory_is_out(void **state)
{
    (void)state;
    static const char *const names[] = {"tcp_ack"};
    plan_with(names, 1);
    for (unsigned long n = 1;; n++) {
        sp_mem_fail_at(n, 0);
        enum sp_rc rc = sp_scouts_add_unplanned(&w.run, &w.run.scouts);
        sp_mem_fail_at(0, 0);
        if (rc == SP_OK) {
            break;
        }
        assert_int_equal(rc, SP_E_NOMEM);
    }
    assert_int_equal(w.run.scouts.n, 1);
}

static uint32_t test_with_sport(uint16_t sport)
{
    for (uint32_t i = 0; i < w.plan->ntests; i++) {
        if (w.plan->tests[i].sport == sport) {
            return i;
        }
    }
    fail_msg("no test from %u", sport);
    return 0;
}

static void services_of_the_sender_keep_their_ports(void **state)
{
    (void)state;
    static const char *const names[] = {"tcp_sport"};
    plan_with(names, 1);
    serve(A, SP_PROTO_TCP, 443);
    sp_run_leave_services(&w.run);
    for (uint32_t i = 0; i < w.plan->ntests; i++) {
        assert_int_equal(w.run.outcomes[i].not_tested != NULL, w.plan->tests[i].sport == 443);
    }
    assert_true(w.run.tallies[test_with_sport(443)].is_settled);
    assert_false(w.run.tallies[test_with_sport(53)].is_settled);
}

/* b has sent from the tested port to the source port: a firewall may take ours for its answer. */
static void reversed_flows_are_not_sent(void **state)
{
    (void)state;
    static const char *const names[] = {"tcp_sport"};
    plan_with(names, 1);
    const struct sp_pair *pair = &w.plan->pairs[0];
    uint16_t port = w.plan->tests[0].port;
    assert_false(sp_ledger_opens(w.run.ledger, &pair->src, &pair->dst, SP_PROTO_TCP, 53, port));
    assert_int_equal(sp_ledger_note(w.run.ledger, &pair->dst, &pair->src, SP_PROTO_TCP, port, 53),
                     port);
    assert_int_equal(sp_ledger_note(w.run.ledger, &pair->dst, &pair->src, SP_PROTO_TCP, port, 53),
                     port); /* again */
    assert_true(sp_ledger_opens(w.run.ledger, &pair->src, &pair->dst, SP_PROTO_TCP, 53, port));
    assert_false(sp_ledger_opens(w.run.ledger, &pair->src, &pair->dst, SP_PROTO_UDP, 53, port));
    assert_false(sp_ledger_opens(w.run.ledger, &pair->src, &pair->dst, SP_PROTO_TCP, 20, port));
    sp_run_leave_services(&w.run);
    for (uint32_t i = 0; i < w.plan->ntests; i++) {
        assert_int_equal(w.run.outcomes[i].not_tested != NULL, w.plan->tests[i].sport == 53);
    }
}

/* The first test of this technique, with two sound attempts that nobody saw arrive. */
static struct sp_tally *silent(const char *name, uint32_t *ret_test)
{
    static const char *const names[] = {"tcp_badsum", "tcp_fin"};
    plan_with(names, 2);
    *ret_test = 0;
    while (w.plan->tests[*ret_test].technique != tech(name)) {
        (*ret_test)++;
    }
    struct sp_tally *tally = &w.run.tallies[*ret_test];
    *tally = (struct sp_tally){.fired = 2, .counted = 2, .is_sound = true, .is_settled = true};
    tally->answerer = w.plan->pairs[0].dst;
    return tally;
}

static struct sp_judgement judge(uint32_t test, uint8_t layer)
{
    const struct sp_lane lane = {.deny_grade = SP_GRADE_PAIR};
    w.plan->pairs[0].layer = layer;
    sp_run_judge(&w.run, &lane, test);
    return w.run.outcomes[test].judged;
}

/* No host answers a wrong checksum, whoever's address it carries. */
static void who_answers_a_wrong_checksum(void **state)
{
    (void)state;
    uint32_t test;
    struct sp_tally *tally = silent("tcp_badsum", &test);
    assert_int_equal(judge(test, SP_LAYER_NETWORK).verdict, SP_VERDICT_HOLDS);
    tally->answer = SP_ANSWER_SYN_ACK;
    assert_int_equal(judge(test, SP_LAYER_NETWORK).verdict, SP_VERDICT_PROXIED);
    assert_int_equal(judge(test, SP_LAYER_NETWORK).row, 5);
    tally->answer = SP_ANSWER_RST;
    assert_int_equal(judge(test, SP_LAYER_NETWORK).verdict, SP_VERDICT_HOLDS);
    assert_int_equal(judge(test, SP_LAYER_NETWORK).by, SP_BY_ANSWERER);
    tally->nic = 1;
    assert_int_equal(judge(test, SP_LAYER_NETWORK).verdict, SP_VERDICT_LEAK);
}

/* Of other segments an RST may be the destination's. */
static void who_answers_a_segment(void **state)
{
    (void)state;
    uint32_t test;
    struct sp_tally *tally = silent("tcp_fin", &test);
    tally->answer = SP_ANSWER_RST;
    tally->answer_ttl = 60;
    assert_int_equal(judge(test, SP_LAYER_NETWORK).verdict, SP_VERDICT_INCONCLUSIVE);
}

/* What the own kernel refuses never holds, whatever the layer. */
static void a_refusal_of_the_own_kernel(void **state)
{
    (void)state;
    uint32_t test;
    struct sp_tally *tally = silent("tcp_fin", &test);
    tally->refused_policy = 2;
    tally->counted = 0;
    tally->is_sound = false;
    for (uint8_t layer = SP_LAYER_NETWORK; layer <= SP_LAYER_HOST; layer++) {
        struct sp_judgement judged = judge(test, layer);
        assert_int_equal(judged.verdict, SP_VERDICT_INCONCLUSIVE);
        assert_int_equal(judged.reason, SP_UNSOUND_SENDER_POLICY);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(source_ports_share_a_lane, setup, teardown),
        cmocka_unit_test_setup_teardown(controls_come_from_the_policy, setup, teardown),
        cmocka_unit_test_setup_teardown(controls_leave_services_alone, setup, teardown),
        cmocka_unit_test_setup_teardown(controls_when_memory_is_out, setup, teardown),
        cmocka_unit_test_setup_teardown(services_of_the_sender_keep_their_ports, setup, teardown),
        cmocka_unit_test_setup_teardown(reversed_flows_are_not_sent, setup, teardown),
        cmocka_unit_test_setup_teardown(who_answers_a_wrong_checksum, setup, teardown),
        cmocka_unit_test_setup_teardown(who_answers_a_segment, setup, teardown),
        cmocka_unit_test_setup_teardown(a_refusal_of_the_own_kernel, setup, teardown),
    };
    return cmocka_run_group_tests_name("bypass", tests, NULL, NULL);
}
