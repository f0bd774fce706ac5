/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/sample_result.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "probe/base/mem.h"
#include "probe/techniques/registry.h"

static void *must(void *p)
{
    if (!p) {
        abort();
    }
    return p;
}

static void must_ok(enum sp_rc rc)
{
    if (rc != SP_OK) {
        abort();
    }
}

/* ------------------------------------------------------------------ the declared shop */

static void fill_networks(struct sp_model *model)
{
    static const struct {
        const char *name;
        enum sp_net_kind kind;
        uint32_t parent;
    } networks[] = {{"prod", SP_NET_VPC, SP_NONE},
                    {"web", SP_NET_SUBNET, 0},
                    {"data", SP_NET_SUBNET, 0},
                    {"dev", SP_NET_VPC, SP_NONE},
                    {"internet", SP_NET_EXTERNAL, SP_NONE}};
    model->nnetworks = SP_ARRAY_LEN(networks);
    model->networks = must(sp_calloc(model->nnetworks, sizeof(*model->networks)));
    for (size_t i = 0; i < model->nnetworks; i++) {
        model->networks[i].name = must(sp_strdup(networks[i].name));
        model->networks[i].kind = networks[i].kind;
        model->networks[i].parent = networks[i].parent;
    }
}

static void fill_hosts(struct sp_model *model)
{
    static const struct {
        const char *name, *v4, *v6, *via;
        uint32_t network;
    } hosts[] = {
        {"web-1", "10.10.1.11", "fd00:10:1::11", "netns", 1},
        {"web-2", "10.10.1.12", "fd00:10:1::12", "netns", 1},
        {"db-1", "10.10.2.11", "fd00:10:2::11", "ssh", 2},
        {"old", "10.10.2.99", NULL, NULL, 2},
        {"jump", "10.10.0.5", "fd00:10::5", "netns", 0},
        {"dev-1", "10.20.0.11", "fd00:20::11", "netns", 3},
        {"out-1", "198.51.100.7", "2001:db8::7", "tls", 4},
    };
    model->nhosts = SP_ARRAY_LEN(hosts);
    model->hosts = must(sp_calloc(model->nhosts, sizeof(*model->hosts)));
    for (size_t i = 0; i < model->nhosts; i++) {
        struct sp_host *host = &model->hosts[i];
        host->name = must(sp_strdup(hosts[i].name));
        host->network = hosts[i].network;
        host->via = hosts[i].via ? must(sp_strdup(hosts[i].via)) : NULL;
        host->addrs = must(sp_calloc(2, sizeof(*host->addrs)));
        must_ok(sp_addr_parse(hosts[i].v4, &host->addrs[host->naddrs++]));
        if (hosts[i].v6) {
            must_ok(sp_addr_parse(hosts[i].v6, &host->addrs[host->naddrs++]));
        }
    }
}

static void add_rule(struct sp_model *model, const char *name, enum sp_rule_kind kind,
                     uint32_t line, const uint32_t *from, const uint32_t *to, const char *ports[2])
{
    struct sp_rule *rule = &model->rules[model->nrules++];
    rule->name = must(sp_strdup(name));
    rule->kind = kind;
    rule->pos = (struct sp_pos){.line = line, .col = 5};
    must_ok(sp_bits_init(&rule->from, sp_model_ntargets(model)));
    must_ok(sp_bits_init(&rule->to, sp_model_ntargets(model)));
    for (; *from != SP_NONE; from++) {
        sp_bits_set(&rule->from, *from);
    }
    for (; *to != SP_NONE; to++) {
        sp_bits_set(&rule->to, *to);
    }
    rule->ports = must(sp_calloc(2, sizeof(*rule->ports)));
    for (size_t i = 0; i < 2 && ports[i]; i++) {
        must_ok(sp_portspec_parse(ports[i], &rule->ports[rule->nports++], NULL));
    }
}

#define TARGETS(...)                                                                               \
    (const uint32_t[])                                                                             \
    {                                                                                              \
        __VA_ARGS__, SP_NONE                                                                       \
    }
#define PORTS(a, b)                                                                                \
    (const char *[2])                                                                              \
    {                                                                                              \
        a, b                                                                                       \
    }

static void fill_rules(struct sp_model *model)
{
    const uint32_t *everybody = TARGETS(SAMPLE_WEB_1, SAMPLE_WEB_2, SAMPLE_DB_1, SAMPLE_OLD,
                                        SAMPLE_JUMP, SAMPLE_DEV_1, SAMPLE_OUT_1, SAMPLE_SHOP);
    const uint32_t *web = TARGETS(SAMPLE_WEB_1, SAMPLE_WEB_2);
    const uint32_t *data = TARGETS(SAMPLE_DB_1, SAMPLE_OLD);
    const uint32_t *jump = TARGETS(SAMPLE_JUMP);
    const uint32_t *out = TARGETS(SAMPLE_OUT_1);
    model->rules = must(sp_calloc(6, sizeof(*model->rules)));
    add_rule(model, "web-to-db", SP_RULE_ALLOW, 24, web, data, PORTS("tcp/5432", "tcp/8000-8100"));
    add_rule(model, "ping", SP_RULE_ALLOW, 25, jump,
             TARGETS(SAMPLE_WEB_1, SAMPLE_WEB_2, SAMPLE_DB_1, SAMPLE_OLD),
             PORTS("icmp/echo", "icmp6/echo"));
    add_rule(model, "no-ssh", SP_RULE_DENY, 26, out, everybody, PORTS("tcp/22", NULL));
    add_rule(model, "monitor", SP_RULE_PERMIT, 27, jump, data, PORTS("tcp/9100", NULL));
    add_rule(model, "isolation:prod-dev", SP_RULE_ISOLATION, 28,
             TARGETS(SAMPLE_WEB_1, SAMPLE_WEB_2, SAMPLE_DB_1, SAMPLE_OLD, SAMPLE_JUMP),
             TARGETS(SAMPLE_DEV_1), PORTS("any", NULL));
    add_rule(model, "balancer:shop", SP_RULE_ALLOW, 30, out, TARGETS(SAMPLE_SHOP),
             PORTS("tcp/443", NULL));
}

static void fill_listener(struct sp_balancer *balancer, const char *port, uint32_t second,
                          uint16_t backend_port, const char *mode, const char *source)
{
    struct sp_listener *listener = &balancer->listeners[balancer->nlisteners++];
    must_ok(sp_portspec_parse(port, &listener->port, NULL));
    listener->backends = must(sp_calloc(2, sizeof(uint32_t)));
    listener->nbackends = 2;
    listener->backends[0] = SAMPLE_WEB_1;
    listener->backends[1] = second;
    listener->backend_port = backend_port;
    listener->mode = must(sp_strdup(mode));
    listener->source = must(sp_strdup(source));
    listener->proxy_protocol = must(sp_strdup("none"));
    listener->max_skew = -1.0;
}

static void fill_listeners(struct sp_balancer *balancer)
{
    balancer->listeners = must(sp_calloc(2, sizeof(*balancer->listeners)));
    fill_listener(balancer, "tcp/443", SAMPLE_WEB_2, 8443, "l4", "preserved");
    fill_listener(balancer, "tcp/80", SAMPLE_OLD, 8080, "l7", "rewritten");
    balancer->receivers = must(sp_calloc(2, sizeof(uint32_t)));
    balancer->nreceivers = 2;
    balancer->receivers[0] = SAMPLE_WEB_1;
    balancer->receivers[1] = SAMPLE_WEB_2;
}

static struct sp_model *shop_model(void)
{
    struct sp_model *model = must(sp_calloc(1, sizeof(*model)));
    model->name = must(sp_strdup("shop-preprod"));
    model->file = must(sp_strdup("shop.yaml"));
    memset(model->sha256, 'a', 64);
    model->limits.loss = 0.01;
    fill_networks(model);
    fill_hosts(model);
    model->nbalancers = 1;
    model->balancers = must(sp_calloc(1, sizeof(*model->balancers)));
    model->balancers[0].name = must(sp_strdup("shop"));
    model->balancers[0].naddrs = 2;
    model->balancers[0].addrs = must(sp_calloc(2, sizeof(struct sp_addr)));
    must_ok(sp_addr_parse("10.10.9.10", &model->balancers[0].addrs[0]));
    must_ok(sp_addr_parse("fd00:10:9::10", &model->balancers[0].addrs[1]));
    fill_listeners(&model->balancers[0]);
    must_ok(sp_bits_init(&model->balancers[0].from, sp_model_ntargets(model)));
    sp_bits_set(&model->balancers[0].from, SAMPLE_OUT_1);
    fill_rules(model);
    model->nenforcements = 1;
    model->enforcements = must(sp_calloc(1, sizeof(*model->enforcements)));
    model->enforcements[0].name = must(sp_strdup("fw-1"));
    model->enforcements[0].nbetween = 2;
    model->enforcements[0].between = must(sp_calloc(2, sizeof(uint32_t)));
    model->enforcements[0].between[0] = 1;
    model->enforcements[0].between[1] = 2;
    model->enforcements[0].paths = 1;
    return model;
}

/* ------------------------------------------------------------------ tests and what was seen */

struct sp_sample *sp_sample_new(void)
{
    struct sp_sample *sample = must(sp_calloc(1, sizeof(*sample)));
    sample->model = shop_model();
    must_ok(sp_policy_new(sample->model, &sample->policy));
    sample->plan.depth = SP_DEPTH_STANDARD;
    sample->plan.seed = 42;
    return sample;
}

void sp_sample_free(struct sp_sample *sample)
{
    if (sample) {
        sp_result_free(sample->result);
        sp_policy_free(sample->policy);
        sp_model_free(sample->model);
        sp_free(sample->plan.pairs);
        sp_free(sample->plan.tests);
        sp_free(sample->plan.sweeps);
        sp_free(sample->plan.skips);
        sp_free(sample->seen);
        sp_free(sample->flows);
        sp_free(sample->grades);
        sp_free(sample);
    }
}

uint32_t sp_sample_pair(struct sp_sample *sample, uint32_t from, uint32_t to, uint8_t family)
{
    struct sp_plan *plan = &sample->plan;
    const struct sp_model *model = sample->model;
    for (size_t i = plan->npairs; i > 0; i--) {
        const struct sp_pair *pair = &plan->pairs[i - 1];
        if (pair->from == from && pair->to == to && pair->family == family) {
            return (uint32_t)(i - 1);
        }
    }
    if (sp_grow((void **)&plan->pairs, plan->npairs, &sample->pairs_cap, sizeof(*plan->pairs))) {
        abort();
    }
    size_t which = family == SP_FAMILY_IPV6 ? 1 : 0;
    struct sp_pair *pair = &plan->pairs[plan->npairs];
    *pair = (struct sp_pair){.from = from,
                             .to = to,
                             .family = family,
                             .layer = SP_LAYER_NETWORK,
                             .one_sided = to < model->nhosts && model->hosts[to].via == NULL,
                             .is_balanced = to >= model->nhosts,
                             .src = model->hosts[from].addrs[which]};
    pair->dst =
        to < model->nhosts ? model->hosts[to].addrs[which] : model->balancers[0].addrs[which];
    pair->src_seen = pair->src;
    pair->own = pair->dst;
    return (uint32_t)plan->npairs++;
}

size_t sp_sample_add(struct sp_sample *sample, uint32_t from, uint32_t to, uint8_t family,
                     uint8_t proto, uint16_t port, uint8_t expect, uint32_t rule,
                     struct sp_seen seen)
{
    struct sp_plan *plan = &sample->plan;
    const struct sp_technique_info *info = sp_technique_for(proto, family);
    uint32_t pair = sp_sample_pair(sample, from, to, family);
    if (sp_grow((void **)&plan->tests, plan->ntests, &sample->tests_cap, sizeof(*plan->tests)) ||
        sp_grow((void **)&sample->seen, plan->ntests, &sample->seen_cap, sizeof(seen)) ||
        sp_grow((void **)&sample->flows, plan->ntests, &sample->flows_cap,
                sizeof(*sample->flows)) ||
        sp_grow((void **)&sample->grades, plan->ntests, &sample->grades_cap, 1)) {
        abort();
    }
    plan->tests[plan->ntests] =
        (struct sp_test){.pair = pair,
                         .rule = rule,
                         .port = port,
                         .port_hi = port,
                         .proto = proto,
                         .expect = expect,
                         .technique = info ? (uint8_t)sp_technique_index(info) : UINT8_MAX,
                         .why = SP_WHY_EDGE};
    sample->seen[plan->ntests] = seen;
    sample->grades[plan->ntests] = SP_GRADE_PAIR;
    memset(sample->flows[plan->ntests], 0, sizeof(sample->flows[0]));
    return plan->ntests++;
}

void sp_sample_flows(struct sp_sample *sample, size_t test, uint16_t first, uint16_t second)
{
    sample->flows[test][0] = first;
    sample->flows[test][1] = second;
}

/* What the backends got, as the controller counts it. */
static void fill_backends(struct sp_sample *sample, size_t test)
{
    struct sp_result *result = sample->result;
    struct sp_outcome *outcome = &result->outcomes[test];
    const struct sp_listener *listener =
        sp_result_listener(sample->model, &sample->plan, &sample->plan.tests[test]);
    for (size_t i = 0; listener && i < listener->nbackends; i++) {
        outcome->backend_flows[i] = sample->flows[test][i];
        if (sample->model->hosts[listener->backends[i]].via) {
            outcome->seen.backends++;
            outcome->seen.backends_reached =
                (uint16_t)(outcome->seen.backends_reached + (sample->flows[test][i] > 0));
        } else {
            outcome->seen.backends_blind++;
        }
    }
}

void sp_sample_judge(struct sp_sample *sample)
{
    struct sp_plan *plan = &sample->plan;
    must_ok(sp_result_new(sample->model, plan, &sample->result));
    struct sp_result *result = sample->result;
    (void)snprintf(result->run_id, sizeof(result->run_id), "0123456789abcdef");
    result->policy = sample->policy;
    result->started_s = 1795437000; /* 2026-11-23T12:30:00Z */
    result->finished_s = result->started_s + 41;
    result->duration_ms = 41250;
    result->packets_sent = 1234;
    result->packets_captured = 1200;
    uint64_t denied = 0;
    for (size_t i = 0; i < plan->ntests; i++) {
        const struct sp_pair *pair = &plan->pairs[plan->tests[i].pair];
        denied += plan->tests[i].expect == SP_EXPECT_DENY &&
                  (plan->tests[i].proto == SP_PROTO_TCP || plan->tests[i].proto == SP_PROTO_UDP);
        struct sp_case what = {.expect = plan->tests[i].expect,
                               .layer = pair->layer,
                               .reject_declared = pair->reject_declared,
                               .one_sided = pair->one_sided,
                               .balanced = pair->is_balanced};
        result->outcomes[i].seen = sample->seen[i];
        fill_backends(sample, i);
        result->outcomes[i].judged = sp_judge(&what, &result->outcomes[i].seen);
        result->outcomes[i].grade = sample->grades[i];
    }
    for (size_t i = 0; i < sample->model->nhosts; i++) {
        struct sp_host_status *host = &result->hosts[i];
        host->wanted = sample->model->hosts[i].via != NULL && plan->ntests > 0;
        host->ok = host->wanted;
        host->packets_sent = host->wanted ? 100 : 0;
        (void)snprintf(host->version, sizeof(host->version), "0.1.0");
    }
    plan->coverage = (struct sp_coverage){.pairs_tested = plan->npairs,
                                          .pairs_of = plan->npairs + 2,
                                          .intervals_tested = plan->ntests,
                                          .intervals_of = plan->ntests + 5,
                                          .rules_tested = 5,
                                          .rules_of = 6,
                                          .edges_tested = plan->ntests,
                                          .edges_of = plan->ntests + 3,
                                          .enforcements_tested = 1,
                                          .enforcements_of = 1,
                                          .denied_tested = denied,
                                          .denied_of = 4 * denied,
                                          .denied_ports_swept = 0.25};
}

struct sp_seen sp_seen_silence(void)
{
    return (struct sp_seen){.capture_lossless = true, .attempts = 2, .elsewhere_host = SP_NONE};
}

struct sp_seen sp_seen_leak(void)
{
    struct sp_seen seen = sp_seen_silence();
    seen.nic = seen.host = seen.answer_left = 2;
    seen.answer = SP_ANSWER_RST;
    return seen;
}

struct sp_seen sp_seen_works(void)
{
    struct sp_seen seen = sp_seen_silence();
    seen.attempts = seen.nic = seen.host = seen.answer_left = seen.answered = 21;
    seen.answer = SP_ANSWER_SYN_ACK;
    seen.answerer = SP_ANSWERER_DESTINATION;
    return seen;
}

struct sp_seen sp_seen_unsound(enum sp_unsound why)
{
    struct sp_seen seen = sp_seen_silence();
    seen.unsound = why;
    return seen;
}

/* ------------------------------------------------------------------ whole runs */

#define V4    SP_FAMILY_IPV4
#define V6    SP_FAMILY_IPV6
#define TCP   SP_PROTO_TCP
#define DENY  SP_EXPECT_DENY
#define ALLOW SP_EXPECT_ALLOW

static void add_leaks(struct sp_sample *s)
{
    static const uint16_t ports[] = {22, 5432, 8000, 8001, 8002};
    for (size_t i = 0; i < SP_ARRAY_LEN(ports); i++) {
        sp_sample_add(s, SAMPLE_DEV_1, SAMPLE_DB_1, V4, TCP, ports[i], DENY, SAMPLE_RULE_ISOLATION,
                      sp_seen_leak());
    }
    sp_sample_add(s, SAMPLE_OUT_1, SAMPLE_WEB_1, V4, TCP, 22, DENY, SAMPLE_RULE_NO_SSH,
                  sp_seen_silence());
    sp_sample_add(s, SAMPLE_OUT_1, SAMPLE_WEB_1, V6, TCP, 22, DENY, SAMPLE_RULE_NO_SSH,
                  sp_seen_leak());
    sp_sample_add(s, SAMPLE_WEB_1, SAMPLE_DB_1, V4, TCP, 8101, DENY, SP_NONE, sp_seen_leak());
    struct sp_seen proxied = sp_seen_silence();
    proxied.answer = SP_ANSWER_SYN_ACK;
    proxied.answered = 2;
    proxied.answerer = SP_ANSWERER_BEFORE;
    must_ok(sp_addr_parse("10.20.0.1", &proxied.answerer_addr));
    sp_sample_add(s, SAMPLE_DEV_1, SAMPLE_WEB_1, V4, TCP, 443, DENY, SAMPLE_RULE_ISOLATION,
                  proxied);
}

static void add_failing_allows(struct sp_sample *s)
{
    struct sp_seen silent = sp_seen_silence();
    silent.attempts = 21;
    sp_sample_add(s, SAMPLE_WEB_2, SAMPLE_DB_1, V4, TCP, 5432, ALLOW, SAMPLE_RULE_WEB_TO_DB,
                  silent);
    sp_sample_add(s, SAMPLE_WEB_2, SAMPLE_DB_1, V4, TCP, 8000, ALLOW, SAMPLE_RULE_WEB_TO_DB,
                  sp_seen_works());
    struct sp_seen part = sp_seen_works();
    part.attempts = 42;
    part.loss_confirmed = true;
    sp_sample_add(s, SAMPLE_WEB_2, SAMPLE_DB_1, V4, TCP, 8050, ALLOW, SAMPLE_RULE_WEB_TO_DB, part);
    struct sp_seen back = sp_seen_works();
    back.answered = 0;
    back.answer = SP_ANSWER_ECHO;
    sp_sample_add(s, SAMPLE_JUMP, SAMPLE_WEB_1, V4, SP_PROTO_ICMP, SP_PORT_ICMP_ECHO, ALLOW,
                  SAMPLE_RULE_PING, back);
    struct sp_seen nic = silent;
    nic.nic = 21;
    sp_sample_add(s, SAMPLE_JUMP, SAMPLE_DB_1, V4, SP_PROTO_ICMP, SP_PORT_ICMP_ECHO, ALLOW,
                  SAMPLE_RULE_PING, nic);
    struct sp_seen stray = silent;
    stray.elsewhere = 21;
    stray.elsewhere_host = SAMPLE_DEV_1;
    stray.captured = (struct sp_tuple){.sport = 40001, .dport = 8443};
    must_ok(sp_addr_parse("198.51.100.9", &stray.captured.src));
    must_ok(sp_addr_parse("10.20.0.11", &stray.captured.dst));
    sp_sample_add(s, SAMPLE_OUT_1, SAMPLE_SHOP, V4, TCP, 443, ALLOW, SAMPLE_RULE_SHOP, stray);
    sp_sample_add(s, SAMPLE_JUMP, SAMPLE_DB_1, V4, TCP, 9100, SP_EXPECT_PERMIT, SAMPLE_RULE_MONITOR,
                  silent);
}

static void add_open(struct sp_sample *s)
{
    sp_sample_add(s, SAMPLE_WEB_1, SAMPLE_OLD, V4, TCP, 22, DENY, SP_NONE, sp_seen_silence());
    sp_sample_add(s, SAMPLE_WEB_1, SAMPLE_OLD, V4, TCP, 5432, ALLOW, SAMPLE_RULE_WEB_TO_DB,
                  sp_seen_silence());
    sp_sample_add(s, SAMPLE_DEV_1, SAMPLE_WEB_2, V4, TCP, 80, DENY, SAMPLE_RULE_ISOLATION,
                  sp_seen_unsound(SP_UNSOUND_RECEIVER_LOST));
    sp_sample_add(s, SAMPLE_DEV_1, SAMPLE_WEB_2, V4, TCP, 443, DENY, SAMPLE_RULE_ISOLATION,
                  sp_seen_unsound(SP_UNSOUND_RECEIVER_LOST));
    sp_sample_add(s, SAMPLE_DEV_1, SAMPLE_JUMP, V4, TCP, 22, DENY, SAMPLE_RULE_ISOLATION,
                  sp_seen_unsound(SP_UNSOUND_CONTROL_LOST));
}

static void add_skips(struct sp_sample *s)
{
    s->plan.nskips = 2;
    s->plan.skips = must(sp_calloc(2, sizeof(*s->plan.skips)));
    s->plan.skips[0] = (struct sp_skip){.from = SP_NONE,
                                        .to = SP_NONE,
                                        .proto = SP_PROTO_COUNT,
                                        .points = 2,
                                        .reason = "same subnet and no `within:`"};
    s->plan.skips[1] = (struct sp_skip){.from = SP_NONE,
                                        .to = SP_NONE,
                                        .proto = SP_PROTO_SCTP,
                                        .points = 40,
                                        .reason = "no technique for this protocol yet"};
}

struct sp_sample *sp_sample_shop(void)
{
    struct sp_sample *s = sp_sample_new();
    add_leaks(s);
    static const uint16_t works[] = {5432, 8000, 8100};
    for (size_t i = 0; i < SP_ARRAY_LEN(works); i++) {
        sp_sample_add(s, SAMPLE_WEB_1, SAMPLE_DB_1, V4, TCP, works[i], ALLOW, SAMPLE_RULE_WEB_TO_DB,
                      sp_seen_works());
    }
    size_t split = sp_sample_add(s, SAMPLE_WEB_1, SAMPLE_DB_1, V4, TCP, 7999, DENY, SP_NONE,
                                 sp_seen_silence());
    s->grades[split] = SP_GRADE_SPLIT;
    add_failing_allows(s);
    add_open(s);
    size_t skipped = sp_sample_add(s, SAMPLE_OUT_1, SAMPLE_DEV_1, V4, TCP, 443, DENY, SP_NONE,
                                   sp_seen_silence());
    add_skips(s);
    sp_sample_judge(s);
    s->result->outcomes[skipped].judged =
        (struct sp_judgement){.verdict = SP_VERDICT_NOT_TESTED}; /* as a run judges it */
    s->result->outcomes[skipped].not_tested = "ambiguous address";
    s->result->hosts[SAMPLE_WEB_2].ok = false;
    (void)snprintf(s->result->hosts[SAMPLE_WEB_2].reason,
                   sizeof(s->result->hosts[SAMPLE_WEB_2].reason),
                   "its namespace vanished while it ran");
    return s;
}

struct sp_sample *sp_sample_clean(void)
{
    struct sp_sample *s = sp_sample_new();
    sp_sample_add(s, SAMPLE_WEB_1, SAMPLE_DB_1, V4, TCP, 5432, ALLOW, SAMPLE_RULE_WEB_TO_DB,
                  sp_seen_works());
    sp_sample_add(s, SAMPLE_WEB_1, SAMPLE_DB_1, V4, TCP, 22, DENY, SP_NONE, sp_seen_silence());
    sp_sample_add(s, SAMPLE_DEV_1, SAMPLE_DB_1, V4, TCP, 22, DENY, SAMPLE_RULE_ISOLATION,
                  sp_seen_silence());
    sp_sample_judge(s);
    return s;
}

struct sp_sample *sp_sample_empty(void)
{
    struct sp_sample *s = sp_sample_new();
    sp_sample_judge(s);
    return s;
}

static void rename_to(char **name, const char *hostile)
{
    sp_free(*name);
    *name = must(sp_strdup(hostile));
}

struct sp_sample *sp_sample_hostile(void)
{
    struct sp_sample *s = sp_sample_shop();
    rename_to(&s->model->name, "<script>alert(1)</script>&\"'\x1b[31m]]>");
    rename_to(&s->model->file, "-o \x1b]0;pwned\x07.yaml");
    rename_to(&s->model->hosts[SAMPLE_DB_1].name, "db\x1b[2J<b>&\"'\xff\xc3(");
    rename_to(&s->model->hosts[SAMPLE_DEV_1].name, "dev\r\n\xc2\x9b"
                                                   "31m\xe2\x80\xae"
                                                   "txt");
    rename_to(&s->model->hosts[SAMPLE_WEB_2].name, "w;$(reboot)`id`\t\x7f");
    rename_to(&s->model->networks[2].name, "data\x1b[1m</testcase>\xf4\x90\x80\x80");
    rename_to(&s->model->rules[SAMPLE_RULE_ISOLATION].name, "iso\"><!--\x01\x08\xed\xa0\x80");
    (void)snprintf(s->result->hosts[SAMPLE_WEB_2].reason,
                   sizeof(s->result->hosts[SAMPLE_WEB_2].reason),
                   "ssh: \x1b[31mno\x1b[0m <host> & \"key\"\r\n\xfe\xff");
    (void)snprintf(s->result->hosts[SAMPLE_DB_1].version,
                   sizeof(s->result->hosts[SAMPLE_DB_1].version), "9\x1b[5m\xff");
    return s;
}

struct sp_sample *sp_sample_big(size_t ntests)
{
    static const uint32_t hosts[] = {SAMPLE_WEB_1, SAMPLE_WEB_2, SAMPLE_DB_1,
                                     SAMPLE_JUMP,  SAMPLE_DEV_1, SAMPLE_OUT_1};
    struct sp_sample *s = sp_sample_new();
    struct sp_seen lost = sp_seen_unsound(SP_UNSOUND_CONTROL_LOST);
    for (size_t i = 0; i < ntests; i++) {
        uint32_t from = hosts[i % 6];
        uint32_t to = hosts[(i / 6 + i % 6 + 1) % 6];
        uint16_t port = (uint16_t)(1 + i / 30 * 2);
        if (from == to) {
            to = SAMPLE_OLD;
        }
        sp_sample_add(s, from, to, V4, i % 2 ? TCP : (uint8_t)SP_PROTO_UDP, port, DENY,
                      i % 3 ? SP_NONE : (uint32_t)SAMPLE_RULE_NO_SSH,
                      i % 5 == 0   ? sp_seen_leak()
                      : i % 7 == 0 ? lost
                                   : sp_seen_silence());
    }
    sp_sample_judge(s);
    return s;
}
