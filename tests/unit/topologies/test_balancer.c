/* SPDX-License-Identifier: Apache-2.0
 *
 * Load balancers from the file to the plan: who can receive, how each flow is tested, what stands
 * in the way, and how plan and explain tell it. */
#include "tests/unit/topologies/plan_support.h"
#include "tests/unit/topologies/topo.h"
#include "topologies/explain.h"

/* web-1, web-2, db-1 as in TOPO_BASE, then old without a probe; targets behind the hosts. */
enum { W1, W2, DB, GONE, LB, BLIND };

#define WORLD(more)                                                                                \
    TOPO_BASE "  old: { network: data, address: 10.2.0.99, probe: none }\n"                        \
              "load_balancers:\n"                                                                  \
              "  lb: { address: [10.9.0.1, 'fd00:9::1'], from: data, listeners: [\n"               \
              "    { port: tcp/443, backends: web, backend_port: 8443 },\n"                        \
              "    { port: udp/53, backends: web-1 },\n"                                           \
              "    { port: tcp/80, backends: [web-2, old], mode: l7, source: rewritten } ] }\n"    \
              "  blind: { address: 10.9.0.2, from: data, listeners: [\n"                           \
              "    { port: tcp/443, backends: old } ] }\n" more

static struct topo load(const char *text)
{
    struct topo t = topo_load(text);
    if (t.rc != SP_OK) {
        topo_print_all(&t);
    }
    assert_int_equal(t.rc, SP_OK);
    return t;
}

static uint8_t index_of(const char *technique)
{
    const struct sp_technique_info *info = sp_technique_find(technique);
    assert_non_null(info);
    return (uint8_t)sp_technique_index(info);
}

static void receivers_are_backends_with_a_probe(void **state)
{
    (void)state;
    struct topo t = load(WORLD(""));
    const struct sp_model *m = t.model;
    assert_int_equal(sp_model_receiver(m, LB, 0), W1); /* once, though in two listeners */
    assert_int_equal(sp_model_receiver(m, LB, 1), W2);
    assert_int_equal(sp_model_receiver(m, LB, 2), SP_NONE);
    assert_int_equal(sp_model_receiver(m, BLIND, 0), SP_NONE);
    assert_int_equal(sp_model_receiver(m, DB, 0), DB);
    assert_int_equal(sp_model_receiver(m, DB, 1), SP_NONE);
    assert_int_equal(sp_model_receiver(m, GONE, 0), SP_NONE); /* no probe */
    assert_int_equal(sp_model_receiver(m, 99, 0), SP_NONE);
    assert_int_equal(sp_model_receiver(m, SP_NONE, 0), SP_NONE);
    topo_release(&t);
}

static void listeners_are_found(void **state)
{
    (void)state;
    struct topo t = load(WORLD(""));
    const struct sp_model *m = t.model;
    const struct sp_listener *https = sp_model_listener(m, LB, SP_PROTO_TCP, 443);
    assert_ptr_equal(https, &m->balancers[0].listeners[0]);
    assert_ptr_equal(sp_model_listener(m, LB, SP_PROTO_TCP, 80), &m->balancers[0].listeners[2]);
    assert_null(sp_model_listener(m, LB, SP_PROTO_UDP, 443));
    assert_null(sp_model_listener(m, LB, SP_PROTO_TCP, 8443)); /* the backends' port */
    assert_null(sp_model_listener(m, W1, SP_PROTO_TCP, 443));
    assert_null(sp_model_listener(m, SP_NONE, SP_PROTO_TCP, 443));
    assert_true(sp_listener_has(https, W1) && sp_listener_has(https, W2));
    assert_false(sp_listener_has(https, DB) || sp_listener_has(https, SP_NONE));
    assert_string_equal(https->mode, "l4");
    assert_string_equal(https->source, "preserved");
    assert_int_equal(https->backend_port, 8443);
    topo_release(&t);
}

static void data_and_hazard_are_looked_up(void **state)
{
    (void)state;
    struct topo t = load("segproof: 1\nname: t\nnetworks:\n"
                         "  prod: { cidr: 10.0.0.0/8, hazard: C }\n"
                         "  web: { in: prod, cidr: 10.1.0.0/24 }\n"
                         "  data: { in: prod, cidr: 10.2.0.0/24, hazard: A }\n"
                         "  dev: { cidr: 172.16.0.0/12 }\n"
                         "hosts:\n"
                         "  w: { network: web, address: 10.1.0.1, probe: { via: local } }\n"
                         "  d: { network: data, address: 10.2.0.1, probe: { via: local } }\n"
                         "  x: { network: dev, address: 172.16.0.1, probe: { via: local } }\n"
                         "services:\n"
                         "  a: { ports: [tcp/80, tcp/8000-8100], data: ok }\n"
                         "  b: { ports: [tcp/22] }\n"
                         "limits: { hazard: B }\n");
    assert_int_equal(sp_model_host_hazard(t.model, 0), 'C'); /* of what it lies in */
    assert_int_equal(sp_model_host_hazard(t.model, 1), 'A');
    assert_int_equal(sp_model_host_hazard(t.model, 2), 'B'); /* of the limits */
    assert_true(sp_model_data_ok(t.model, SP_PROTO_TCP, 80));
    assert_true(sp_model_data_ok(t.model, SP_PROTO_TCP, 8000));
    assert_true(sp_model_data_ok(t.model, SP_PROTO_TCP, 8100));
    assert_false(sp_model_data_ok(t.model, SP_PROTO_TCP, 8101));
    assert_false(sp_model_data_ok(t.model, SP_PROTO_UDP, 80));
    assert_false(sp_model_data_ok(t.model, SP_PROTO_TCP, 22)); /* not marked */
    topo_release(&t);
}

static void flows_meet_every_backend(void **state)
{
    (void)state;
    static const struct {
        size_t k;
        unsigned n;
    } known[] = {{2, 6}, {3, 11}, {4, 16}, {8, 39}, {16, 90}, {32, 204}};
    for (size_t i = 0; i < SP_ARRAY_LEN(known); i++) {
        assert_int_equal(sp_plan_flows_for(known[i].k), known[i].n);
    }
    assert_int_equal(sp_plan_flows_for(0), 0);
    assert_int_equal(sp_plan_flows_for(1), 1);
    assert_true(sp_plan_flows_for(SIZE_MAX) <= 100000U); /* ends */
}

/* The ways of one protocol from db-1 to a target. */
static struct sp_ways ways_of(const struct sp_model *m, const bool *wanted, uint32_t to,
                              uint8_t proto, enum sp_reason *ret_reason)
{
    const struct sp_pair pair = {.from = DB,
                                 .to = to,
                                 .family = SP_FAMILY_IPV4,
                                 .is_balanced = to >= m->nhosts,
                                 .one_sided = sp_model_receiver(m, to, 0) == SP_NONE};
    struct sp_ways ways;
    enum sp_reason reason = sp_reason_ways(m, wanted, &pair, proto, &ways);
    if (ret_reason) {
        *ret_reason = reason;
    }
    return ways;
}

static void allowed_flows_of_balancers_are_conversations(void **state)
{
    (void)state;
    struct topo t = load(WORLD(""));
    uint8_t syn = index_of("tcp_syn");
    uint8_t talk = index_of("tcp_handshake");
    struct sp_ways ways = ways_of(t.model, NULL, LB, SP_PROTO_TCP, NULL);
    assert_int_equal(ways.deny, syn);
    assert_int_equal(ways.allow, talk); /* class A: no stand-in is needed to plan it */
    assert_int_equal(ways.talk, SP_NO_TECHNIQUE);
    ways = ways_of(t.model, NULL, LB, SP_PROTO_UDP, NULL);
    assert_int_equal(ways.allow, index_of("udp"));
    assert_int_equal(ways.talk, SP_NO_TECHNIQUE);
    ways = ways_of(t.model, NULL, BLIND, SP_PROTO_TCP, NULL); /* nobody could tell */
    assert_int_equal(ways.allow, syn);
    assert_int_equal(ways.talk, SP_NO_TECHNIQUE);
    ways = ways_of(t.model, NULL, W1, SP_PROTO_TCP, NULL);
    assert_int_equal(ways.allow, syn);
    assert_int_equal(ways.talk, SP_NO_TECHNIQUE); /* a stand-in is class B */
    topo_release(&t);
}

static void hosts_talk_where_both_networks_consent(void **state)
{
    (void)state;
    struct topo t = load(WORLD("limits: { hazard: B }\n"));
    struct sp_ways ways = ways_of(t.model, NULL, W1, SP_PROTO_TCP, NULL);
    assert_int_equal(ways.allow, index_of("tcp_syn"));
    assert_int_equal(ways.talk, index_of("tcp_handshake"));
    ways = ways_of(t.model, NULL, GONE, SP_PROTO_TCP, NULL);
    assert_int_equal(ways.talk, SP_NO_TECHNIQUE);
    t.model->networks[0].hazard = 'A'; /* web */
    ways = ways_of(t.model, NULL, W1, SP_PROTO_TCP, NULL);
    assert_int_equal(ways.talk, SP_NO_TECHNIQUE);
    assert_true(sp_hazard_allowed(t.model, DB, DB, 'B'));
    assert_false(sp_hazard_allowed(t.model, DB, LB, 'B')); /* its backends have to consent */
    assert_true(sp_hazard_allowed(t.model, DB, LB, 'A'));
    topo_release(&t);
}

static void left_out_ways_are_left_out(void **state)
{
    (void)state;
    struct topo t = load(WORLD("limits: { hazard: B }\n"));
    bool *wanted = sp_calloc(sp_technique_count(), sizeof(*wanted));
    enum sp_reason reason;
    assert_non_null(wanted);
    struct sp_ways ways = ways_of(t.model, wanted, LB, SP_PROTO_TCP, &reason);
    assert_int_equal(reason, SP_REASON_LEFT_OUT);
    wanted[index_of("tcp_syn")] = true;
    ways = ways_of(t.model, wanted, LB, SP_PROTO_TCP, &reason);
    assert_int_equal(reason, SP_REASON_NONE);
    assert_int_equal(ways.deny, index_of("tcp_syn"));
    assert_int_equal(ways.allow, SP_NO_TECHNIQUE); /* a SYN does not show who got it */
    wanted[index_of("tcp_syn")] = false;
    wanted[index_of("tcp_handshake")] = true;
    ways = ways_of(t.model, wanted, LB, SP_PROTO_TCP, &reason);
    assert_int_equal(reason, SP_REASON_NONE);
    assert_int_equal(ways.deny, SP_NO_TECHNIQUE);
    assert_int_equal(ways.allow, index_of("tcp_handshake"));
    ways = ways_of(t.model, wanted, W1, SP_PROTO_TCP, &reason);
    assert_int_equal(ways.allow, SP_NO_TECHNIQUE);
    assert_int_equal(ways.talk, index_of("tcp_handshake"));
    sp_free(wanted);
    topo_release(&t);
}

static size_t tests_of(const struct sp_plan *plan, uint32_t from, uint32_t to, uint16_t port,
                       uint8_t expect, const char *technique)
{
    size_t n = 0;
    for (size_t i = 0; i < plan->ntests; i++) {
        const struct sp_test *test = &plan->tests[i];
        const struct sp_pair *pair = &plan->pairs[test->pair];
        n += pair->from == from && pair->to == to && test->proto == SP_PROTO_TCP &&
             test->port == port && test->expect == expect && test->technique == index_of(technique);
    }
    return n;
}

static void plans_hold_conversations(void **state)
{
    (void)state;
    struct topo t = load(WORLD("policies: [ { from: data, to: web-1, allow: tcp/5432, name: p } ]\n"
                               "limits: { hazard: B }\n"));
    struct sp_plan *plan = sp_ts_plan(t.model, SP_DEPTH_STANDARD);
    assert_int_equal(tests_of(plan, DB, LB, 443, SP_EXPECT_ALLOW, "tcp_handshake"), 1);
    assert_int_equal(tests_of(plan, DB, LB, 443, SP_EXPECT_ALLOW, "tcp_syn"), 0);
    assert_int_equal(tests_of(plan, DB, LB, 8443, SP_EXPECT_DENY, "tcp_handshake"), 0);
    assert_true(tests_of(plan, DB, LB, 444, SP_EXPECT_DENY, "tcp_syn") > 0); /* its edge */
    /* web-1 reaches both families of the address, and may not use it. */
    assert_int_equal(tests_of(plan, W1, LB, 443, SP_EXPECT_DENY, "tcp_syn"), 2);
    assert_int_equal(tests_of(plan, W1, LB, 443, SP_EXPECT_DENY, "tcp_handshake"), 0);
    /* Around the balancer. */
    assert_int_equal(tests_of(plan, DB, W1, 8443, SP_EXPECT_DENY, "tcp_syn"), 1);
    /* Hosts: the plain packet and, where both networks consent, one conversation beside it. */
    assert_int_equal(tests_of(plan, DB, W1, 5432, SP_EXPECT_ALLOW, "tcp_syn"), 1);
    assert_int_equal(tests_of(plan, DB, W1, 5432, SP_EXPECT_ALLOW, "tcp_handshake"), 1);
    const struct sp_pair *pair = sp_ts_pair(plan, DB, LB, SP_FAMILY_IPV4);
    assert_true(pair->is_balanced && !pair->one_sided);
    pair = sp_ts_pair(plan, DB, BLIND, SP_FAMILY_IPV4);
    assert_true(pair->is_balanced && pair->one_sided);
    sp_plan_free(plan);
    topo_release(&t);
}

static void many_backends_cost_more_flows(void **state)
{
    (void)state;
    struct topo t = load(WORLD(""));
    struct sp_bits only = {0};
    assert_int_equal(sp_bits_init(&only, sp_model_ntargets(t.model)), SP_OK);
    sp_bits_set(&only, LB);
    const struct sp_plan_options options = {.depth = SP_DEPTH_QUICK, .seed = 7, .to = &only};
    struct sp_plan *plan = sp_ts_planned(t.model, &options);
    uint64_t few = plan->cost.packets;
    sp_plan_free(plan);
    struct sp_listener *listener = &t.model->balancers[0].listeners[0];
    size_t was = listener->nbackends;
    uint32_t *backends = listener->backends;
    uint32_t many[16];
    for (size_t i = 0; i < 16; i++) {
        many[i] = W1;
    }
    listener->backends = many;
    listener->nbackends = 16;
    plan = sp_ts_planned(t.model, &options);
    /* 90 - 21 more attempts of two conversations and their controls */
    size_t packets = sp_technique_find("tcp_handshake")->packets;
    assert_int_equal(plan->cost.packets - few,
                     (90 - 21) * (2 * packets + SP_PLAN_CONTROL_PACKETS * SP_PLAN_CHECKPOINTS));
    listener->backends = backends;
    listener->nbackends = was;
    sp_plan_free(plan);
    sp_bits_release(&only);
    topo_release(&t);
}

static char *printed_plan(const struct sp_model *m)
{
    struct sp_plan *plan = sp_ts_plan(m, SP_DEPTH_QUICK);
    struct sp_buf out;
    sp_buf_init(&out, 1U << 20);
    sp_plan_print(plan, m, false, &out);
    char *text = sp_buf_take(&out);
    assert_non_null(text);
    sp_buf_release(&out);
    sp_plan_free(plan);
    return text;
}

static void has(const char *text, const char *words)
{
    if (!strstr(text, words)) {
        fail_msg("missing: %s\nin: %s", words, text);
    }
}

static void plans_tell_what_listeners_need(void **state)
{
    (void)state;
    struct topo t = load(WORLD("limits: { hazard: B }\n"));
    char *text = printed_plan(t.model);
    has(text, "Load balancers\n");
    has(text, "  lb tcp/443  1 test, each of 21 flows or more (6 meet all 2 backends with 95%)");
    has(text, "  lb tcp/80  NOT TESTED (1 test): a backend without a probe");
    has(text, "  blind tcp/443  1 test; no backend has a probe: the address must answer");
    sp_free(text);
    topo_release(&t);
    t = load(WORLD(""));
    text = printed_plan(t.model);
    has(text, "  lb tcp/443  NOT TESTED (1 test): its data needs a service marked `data: ok`");
    sp_free(text);
    topo_release(&t);
    t = load(WORLD("services: { s: { ports: [tcp/8443, tcp/80], data: ok } }\n"));
    text = printed_plan(t.model);
    has(text, "  lb tcp/443  1 test, each of 21 flows or more (6 meet all 2 backends with 95%)\n");
    has(text, "  lb tcp/80  1 test, each of 21 flows or more (6 meet all 2 backends with 95%);");
    sp_free(text);
    topo_release(&t);
    t = load(TOPO_BASE);
    text = printed_plan(t.model);
    assert_null(strstr(text, "Load balancers"));
    sp_free(text);
    topo_release(&t);
}

/* Explains db-1 -> to, and looks for the words; without for words that must not be there. */
static void explains(const char *topology, const char *to, const char *port, const char *words,
                     const char *without)
{
    struct topo t = load(topology);
    struct sp_policy *policy = NULL;
    struct sp_buf out;
    sp_buf_init(&out, 1U << 20);
    assert_int_equal(sp_policy_new(t.model, &policy), SP_OK);
    assert_int_equal(sp_explain(policy, t.model, "db-1", to, port, &out, NULL), SP_OK);
    has(sp_buf_text(&out), words);
    if (without && strstr(sp_buf_text(&out), without)) {
        fail_msg("should not be there: %s\nin: %s", without, sp_buf_text(&out));
    }
    sp_buf_release(&out);
    sp_policy_free(policy);
    topo_release(&t);
}

static void explanations_tell_who_must_receive(void **state)
{
    (void)state;
#define B  "limits: { hazard: B }\n"
#define OK "services: { s: { ports: [tcp/8443, tcp/80], data: ok } }\n"
    explains(WORLD(B), "lb", "tcp/443",
             "  a load balancer passes it on to web-1 or web-2 at tcp/8443 (mode l4, source "
             "preserved)\n",
             "not tested: ");
    explains(WORLD(B), "lb", "tcp/443", "tested: by conversations", NULL);
    explains(WORLD(B), "lb", "tcp/443", "with 6 flows or more, every backend must receive", NULL);
    explains(WORLD(B), "lb", "tcp/443", "stand-in listeners on the backends (hazard class B)",
             NULL);
    explains(WORLD(OK), "lb", "tcp/443", "which is marked `data: ok`", "not tested");
    explains(WORLD(""), "lb", "tcp/443", "  not tested: its data needs a service marked",
             "tested: by");
    explains(WORLD(B), "lb", "tcp/80", "  not tested: a backend without a probe", "tested: by");
    explains(WORLD(OK), "lb", "tcp/80", "every backend with a probe must receive", NULL);
    explains(WORLD(""), "lb", "udp/53", "tested: by tagged packets", NULL);
    explains(WORLD(""), "blind", "tcp/443",
             "tested: the address must answer; no backend has a probe", NULL);
    explains(WORLD(""), "lb", "tcp/444", "denied", "a load balancer passes it on");
#undef B
#undef OK
}

static void sources_are_read(void **state)
{
    (void)state;
    struct topo t = load(TOPO_BASE "load_balancers: { lb: { address: 10.9.0.1, from: web, sources: "
                                   "[10.9.0.2, 10.9.0.3],\n  listeners: [ { port: tcp/1, backends: "
                                   "web, source: rewritten } ] } }\n");
    char text[SP_ADDR_STRLEN];
    assert_int_equal(t.model->balancers[0].nsources, 2);
    assert_string_equal(sp_addr_str(&t.model->balancers[0].sources[1], text), "10.9.0.3");
    topo_release(&t);
}

static void out_of_memory_is_told(void **state)
{
    (void)state;
    struct topo t = load(WORLD(""));
    struct sp_plan *plan = sp_ts_plan(t.model, SP_DEPTH_QUICK);
    struct sp_buf out;
    (void)sp_mem_fail_at(1, 0);
    sp_buf_init(&out, 1U << 20);
    sp_plan_print_balancers(plan, t.model, &out);
    assert_int_equal(out.rc, SP_E_NOMEM);
    (void)sp_mem_fail_at(0, 0);
    sp_buf_release(&out);
    sp_plan_free(plan);
    topo_release(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(receivers_are_backends_with_a_probe),
        cmocka_unit_test(listeners_are_found),
        cmocka_unit_test(data_and_hazard_are_looked_up),
        cmocka_unit_test(flows_meet_every_backend),
        cmocka_unit_test(allowed_flows_of_balancers_are_conversations),
        cmocka_unit_test(hosts_talk_where_both_networks_consent),
        cmocka_unit_test(left_out_ways_are_left_out),
        cmocka_unit_test(plans_hold_conversations),
        cmocka_unit_test(many_backends_cost_more_flows),
        cmocka_unit_test(plans_tell_what_listeners_need),
        cmocka_unit_test(explanations_tell_who_must_receive),
        cmocka_unit_test(sources_are_read),
        cmocka_unit_test(out_of_memory_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
