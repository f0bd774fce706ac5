/* SPDX-License-Identifier: Apache-2.0
 *
 * Which tests are left alone because of who listens at their end, and what the judge is told of a
 * balancer's backends. */
#include <string.h>

#include "controller/run_priv.h"
#include "probe/base/mem.h"
#include "probe/techniques/registry.h"
#include "tests/support/sp_cmocka.h"

#define HOSTS  3U
#define SHOP   HOSTS
#define CLIENT 2U

static struct {
    char via[8], mode[4];
    struct sp_addr addrs[HOSTS];
    struct sp_host hosts[HOSTS];
    uint32_t backends[2], receivers[2];
    struct sp_listener listener;
    struct sp_balancer balancer;
    struct sp_portspec ports;
    struct sp_service service;
    struct sp_model model;
    struct sp_pair pair;
    struct sp_test test;
    struct sp_plan plan;
    struct sp_session sessions[HOSTS];
    struct sp_fleet fleet;
    struct sp_listening listening;
    struct sp_outcome outcome;
    struct sp_tally tally;
    uint8_t baseline;
    uint16_t flows[2];
    struct sp_rec_own own;
    struct sp_run_state run;
} w;

static struct sp_addr ip(uint8_t last)
{
    const uint8_t bytes[4] = {10, 0, 0, last};
    return sp_addr_from_bytes(SP_FAMILY_IPV4, bytes);
}

/* An allowed conversation of the client with a target; class B. */
static int setup(void **state)
{
    (void)state;
    memset(&w, 0, sizeof(w));
    (void)memcpy(w.via, "local", 6);
    (void)memcpy(w.mode, "l4", 3);
    for (uint32_t h = 0; h < HOSTS; h++) {
        w.addrs[h] = ip((uint8_t)(h + 1));
        w.hosts[h] =
            (struct sp_host){.via = w.via, .addrs = &w.addrs[h], .naddrs = 1, .network = SP_NONE};
    }
    w.backends[1] = w.receivers[1] = 1;
    w.listener = (struct sp_listener){.port = {.proto = SP_PROTO_TCP, .lo = 443, .hi = 443},
                                      .backends = w.backends,
                                      .nbackends = 2,
                                      .backend_port = 8443,
                                      .mode = w.mode};
    w.balancer = (struct sp_balancer){
        .listeners = &w.listener, .nlisteners = 1, .receivers = w.receivers, .nreceivers = 2};
    w.service = (struct sp_service){.ports = &w.ports, .nports = 1, .data_ok = true};
    w.model = (struct sp_model){.hosts = w.hosts,
                                .nhosts = HOSTS,
                                .balancers = &w.balancer,
                                .nbalancers = 1,
                                .services = &w.service,
                                .nservices = 1,
                                .limits = {.hazard = 'B'}};
    w.pair = (struct sp_pair){.from = CLIENT,
                              .to = SHOP,
                              .family = SP_FAMILY_IPV4,
                              .is_balanced = true,
                              .src = ip(3),
                              .src_seen = ip(3),
                              .dst = ip(99),
                              .own = ip(99)};
    w.test = (struct sp_test){.proto = SP_PROTO_TCP,
                              .port = 443,
                              .expect = SP_EXPECT_ALLOW,
                              .technique =
                                  (uint8_t)sp_technique_index(sp_technique_find("tcp_handshake"))};
    w.plan = (struct sp_plan){.pairs = &w.pair, .npairs = 1, .tests = &w.test, .ntests = 1};
    w.fleet = (struct sp_fleet){.model = &w.model, .sessions = w.sessions};
    w.outcome.backend_flows = w.flows;
    w.run = (struct sp_run_state){.model = &w.model,
                                  .plan = &w.plan,
                                  .fleet = &w.fleet,
                                  .outcomes = &w.outcome,
                                  .tallies = &w.tally,
                                  .baseline_ttl = &w.baseline};
    return 0;
}

/* Why it is left alone; NULL when it may run. */
static const char *why(void)
{
    sp_run_leave_services(&w.run);
    assert_int_equal(w.tally.is_settled, w.outcome.not_tested != NULL);
    return w.outcome.not_tested;
}

static void says(const char *words)
{
    const char *text = why();
    if (!text || !strstr(text, words)) {
        fail_msg("expected: %s; got: %s", words, text ? text : "may run");
    }
}

static void to_host(uint32_t host)
{
    w.pair.to = host;
    w.pair.is_balanced = false;
    w.pair.dst = w.pair.own = w.addrs[host];
}

static void serve(uint32_t host, uint8_t proto, uint16_t port)
{
    w.listening = (struct sp_listening){.proto = proto, .port = port, .addr = w.addrs[host]};
    w.sessions[host].listeners = &w.listening;
    w.sessions[host].nlisteners = 1;
}

static void mark(uint16_t port)
{
    w.ports = (struct sp_portspec){.proto = SP_PROTO_TCP, .lo = port, .hi = port};
}

static void plain_packets_always_run(void **state)
{
    (void)state;
    w.test.technique = (uint8_t)sp_technique_index(sp_technique_find("tcp_syn"));
    w.model.limits.hazard = 'A';
    serve(1, SP_PROTO_TCP, 8443);
    assert_null(why());
    w.test.technique = (uint8_t)sp_technique_index(sp_technique_find("tcp_handshake"));
    w.pair.one_sided = true;
    assert_null(why());
}

static void conversations_need_class_b(void **state)
{
    (void)state;
    assert_null(why());
    w.model.limits.hazard = 'A';
    says("a stand-in listener needs hazard class B");
    mark(8443); /* a service by declaration, though nothing listens yet */
    assert_null(why());
    mark(443); /* or named by the port that clients use */
    assert_null(why());
    mark(80);
    says("class B");
    to_host(1);
    says("class B");
    w.model.limits.hazard = 'B';
    assert_null(why());
}

static void services_are_left_alone(void **state)
{
    (void)state;
    serve(1, SP_PROTO_TCP, 8443);
    says("a real service listens there");
    mark(8443);
    assert_null(why());
    mark(1);
    serve(1, SP_PROTO_TCP, 443); /* not where the balancer goes */
    assert_null(why());
    serve(1, SP_PROTO_UDP, 8443);
    assert_null(why());
    serve(CLIENT, SP_PROTO_TCP, 8443); /* no backend */
    assert_null(why());
    to_host(1);
    serve(1, SP_PROTO_TCP, 443);
    says("a real service listens there");
}

static void datagrams_are_data(void **state)
{
    (void)state;
    to_host(1);
    w.model.limits.hazard = 'A';
    w.test.proto = SP_PROTO_UDP;
    w.test.technique = (uint8_t)sp_technique_index(sp_technique_find("udp"));
    assert_null(why()); /* nobody has to take it */
    serve(1, SP_PROTO_UDP, 443);
    says("a real service listens there");
}

static void backends_without_a_probe_stop_it(void **state)
{
    (void)state;
    w.hosts[0].via = NULL;
    w.receivers[0] = 1;
    w.balancer.nreceivers = 1;
    says("a backend without a probe");
    mark(8443);
    assert_null(why());
}

/* Only the backends of the listener count, not those of another one. */
static void other_listeners_do_not_matter(void **state)
{
    (void)state;
    w.listener.nbackends = 1; /* host 0 */
    serve(1, SP_PROTO_TCP, 8443);
    assert_null(why());
}

static void services_are_known(void **state)
{
    (void)state;
    assert_false(sp_run_is_service(&w.run, &w.pair, SP_PROTO_TCP, 8443));
    serve(1, SP_PROTO_TCP, 8443);
    assert_true(sp_run_is_service(&w.run, &w.pair, SP_PROTO_TCP, 8443));
    mark(8443);
    assert_false(sp_run_is_service(&w.run, &w.pair, SP_PROTO_TCP, 8443));
}

/* ---- what the judge is told ---- */

static void tally_of(uint16_t counted, uint16_t host, uint16_t answered)
{
    w.tally = (struct sp_tally){.fired = counted,
                                .counted = counted,
                                .nic = host,
                                .host = host,
                                .answered = answered,
                                .answer = SP_ANSWER_DATA,
                                .lossy_rounds = 2,
                                .is_settled = true,
                                .is_sound = true};
}

static void backends_are_counted_for_the_judge(void **state)
{
    (void)state;
    const struct sp_lane lane = {
        .control = {.grade = SP_GRADE_SPLIT}, .deny_grade = SP_GRADE_PAIR, .control_sent = 70000};
    tally_of(21, 21, 21);
    w.flows[0] = 21;
    sp_run_judge(&w.run, &lane, 0);
    assert_int_equal(w.outcome.judged.verdict, SP_VERDICT_PARTIAL);
    assert_int_equal(w.outcome.seen.backends, 2);
    assert_int_equal(w.outcome.seen.backends_reached, 1);
    assert_int_equal(w.outcome.seen.backends_blind, 0);
    assert_int_equal(w.outcome.grade, SP_GRADE_SPLIT);
    assert_int_equal(w.outcome.control_sent, UINT16_MAX);
    w.flows[1] = 1;
    sp_run_judge(&w.run, &lane, 0);
    assert_int_equal(w.outcome.judged.verdict, SP_VERDICT_HOLDS);
    w.tally.foreign = 1;
    sp_run_judge(&w.run, &lane, 0);
    assert_int_equal(w.outcome.judged.verdict, SP_VERDICT_MISDELIVERED);
    w.hosts[1].via = NULL;
    sp_run_judge(&w.run, &lane, 0);
    assert_int_equal(w.outcome.seen.backends_blind, 1);
    assert_int_equal(w.outcome.judged.verdict, SP_VERDICT_HOLDS);
}

static void denied_flows_to_a_balancer_are_judged(void **state)
{
    (void)state;
    const struct sp_lane lane = {.deny_grade = SP_GRADE_PAIR};
    w.test.expect = SP_EXPECT_DENY;
    w.outcome.backend_flows = NULL;
    tally_of(2, 0, 2);
    sp_run_judge(&w.run, &lane, 0);
    assert_int_equal(w.outcome.judged.verdict, SP_VERDICT_LEAK); /* somebody serves */
    w.tally.answered = 0;
    w.tally.answer = SP_ANSWER_NONE;
    sp_run_judge(&w.run, &lane, 0);
    assert_int_equal(w.outcome.judged.verdict, SP_VERDICT_HOLDS);
    assert_int_equal(w.outcome.grade, SP_GRADE_PAIR);
    w.tally.refused_policy = w.tally.fired;
    w.tally.counted = 0;
    sp_run_judge(&w.run, &lane, 0);
    assert_int_equal(w.outcome.judged.reason, SP_UNSOUND_SENDER_POLICY);
}

static void what_is_not_sound_is_told(void **state)
{
    (void)state;
    const struct sp_lane lane = {0};
    w.test.expect = SP_EXPECT_DENY;
    sp_run_judge(&w.run, &lane, 0); /* nothing was fired */
    assert_int_equal(w.outcome.judged.reason, SP_UNSOUND_INTERRUPTED);
    w.tally.fired = 1;
    sp_run_judge(&w.run, &lane, 0);
    assert_int_equal(w.outcome.judged.reason, SP_UNSOUND_ATTEMPTS);
    w.tally.unsound = SP_UNSOUND_STANDIN;
    sp_run_judge(&w.run, &lane, 0);
    assert_int_equal(w.outcome.judged.reason, SP_UNSOUND_STANDIN);
    w.outcome.not_tested = "left alone";
    sp_run_judge(&w.run, &lane, 0);
    assert_int_equal(w.outcome.judged.verdict, SP_VERDICT_NOT_TESTED);
}

/* Who answered: the address, something before it, or nobody knows. */
static void answerers_are_placed(void **state)
{
    (void)state;
    const struct sp_lane lane = {0};
    struct {
        struct sp_addr from;
        uint8_t ttl, baseline, placed;
    } cases[] = {
        {ip(50), 60, 0, SP_ANSWERER_BEFORE},      {ip(2), 60, 0, SP_ANSWERER_DESTINATION},
        {ip(2), 60, 60, SP_ANSWERER_DESTINATION}, {ip(2), 63, 60, SP_ANSWERER_BEFORE},
        {ip(2), 50, 60, SP_ANSWERER_UNKNOWN},     {ip(2), 64, 0, SP_ANSWERER_BEFORE},
        {ip(7), 64, 0, SP_ANSWERER_UNKNOWN},
    };
    struct sp_addr two[] = {ip(2), ip(7)};
    to_host(1);
    w.hosts[1].addrs = two;
    w.hosts[1].naddrs = 2;
    cases[1].placed = SP_ANSWERER_UNKNOWN; /* behind a router, nothing to compare with */
    for (size_t i = 0; i < SP_ARRAY_LEN(cases); i++) {
        tally_of(21, 0, 21);
        w.tally.answer = SP_ANSWER_RST;
        w.tally.answerer = cases[i].from;
        w.tally.answer_ttl = cases[i].ttl;
        w.baseline = cases[i].baseline;
        sp_run_judge(&w.run, &lane, 0);
        if (w.outcome.seen.answerer != cases[i].placed) {
            fail_msg("case %zu: placed %u", i, w.outcome.seen.answerer);
        }
    }
    /* On the own link no router stands between: a TTL that none has touched is as it should be. */
    w.sessions[CLIENT].own = &w.own;
    w.sessions[CLIENT].nown = 1;
    w.own = (struct sp_rec_own){.addr = ip(3), .prefix_len = 24};
    static const uint8_t ttls[] = {255, 128, 64, 63, 1};
    for (size_t i = 0; i < SP_ARRAY_LEN(ttls); i++) {
        w.baseline = 0;
        w.tally.answerer = ip(2);
        w.tally.answer_ttl = ttls[i];
        sp_run_judge(&w.run, &lane, 0);
        assert_int_equal(w.outcome.seen.answerer, SP_ANSWERER_UNKNOWN);
        w.sessions[CLIENT].nown = 0; /* behind a router: only what that router sent is untouched */
        sp_run_judge(&w.run, &lane, 0);
        assert_int_equal(w.outcome.seen.answerer,
                         ttls[i] >= 64 ? SP_ANSWERER_BEFORE : SP_ANSWERER_UNKNOWN);
        w.sessions[CLIENT].nown = 1;
    }
    w.tally.answer = SP_ANSWER_NONE;
    sp_run_judge(&w.run, &lane, 0);
    assert_int_equal(w.outcome.seen.answerer, SP_ANSWERER_UNKNOWN);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(plain_packets_always_run, setup),
        cmocka_unit_test_setup(conversations_need_class_b, setup),
        cmocka_unit_test_setup(services_are_left_alone, setup),
        cmocka_unit_test_setup(datagrams_are_data, setup),
        cmocka_unit_test_setup(backends_without_a_probe_stop_it, setup),
        cmocka_unit_test_setup(other_listeners_do_not_matter, setup),
        cmocka_unit_test_setup(services_are_known, setup),
        cmocka_unit_test_setup(backends_are_counted_for_the_judge, setup),
        cmocka_unit_test_setup(denied_flows_to_a_balancer_are_judged, setup),
        cmocka_unit_test_setup(what_is_not_sound_is_told, setup),
        cmocka_unit_test_setup(answerers_are_placed, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
