/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/checklist_world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "probe/base/buf.h"
#include "probe/base/mem.h"
#include "tests/support/sample_result.h"
#include "topologies/loader.h"

struct sp_world {
    struct sp_model *model;
    struct sp_policy *policy;
    struct sp_plan *plan;
    struct sp_result *result;
    struct sp_summary *summary;
    struct sp_checklist *list;
    bool is_borrowed; /* the model, the policy and what the plan points into */
};

static const char topology[] =
    "segproof: 1\n"
    "name: gloo\n"
    "networks:\n"
    "  east: { kind: vpc, cidr: 10.1.0.0/16, owner: acme }\n"
    "  east-a: { in: east, cidr: 10.1.1.0/24, zone: a }\n"
    "  east-b: { in: east, cidr: 10.1.2.0/24, zone: b }\n"
    "  hq: { kind: vpc, cidr: 10.2.0.0/16, owner: acme }\n"
    "  hq-a: { in: hq, cidr: 10.2.1.0/24, zone: a }\n"
    "  hq-b: { in: hq, cidr: 10.2.2.0/24, zone: b }\n"
    "  ops: { kind: vpc, cidr: 10.3.0.0/24, owner: acme }\n"
    "  far: { kind: vpc, cidr: 10.4.0.0/24, owner: acme }\n"
    "  internet: { kind: external, cidr: 0.0.0.0/0 }\n"
    "hosts:\n"
    "  node-1: { network: east-a, address: 10.1.1.11, role: node, probe: { via: netns } }\n"
    "  node-2: { network: east-b, address: 10.1.2.12, role: node, probe: { via: netns } }\n"
    "  gw-1: { network: east-a, address: 10.1.1.21, role: edge, probe: { via: netns } }\n"
    "  gw-2: { network: east-b, address: 10.1.2.22, role: edge, probe: { via: netns } }\n"
    "  cp-1: { network: east-a, address: 10.1.1.31, role: master, probe: { via: netns } }\n"
    "  cp-2: { network: east-b, address: 10.1.2.32, role: master, probe: { via: netns } }\n"
    "  mgmt-1: { network: hq-a, address: 10.2.1.11, role: mgmt, probe: { via: netns } }\n"
    "  mgmt-2: { network: hq-b, address: 10.2.2.12, role: mgmt, probe: { via: netns } }\n"
    "  jump: { network: ops, address: 10.3.0.5, role: bastion, probe: { via: netns } }\n"
    "  mon: { network: ops, address: 10.3.0.6, role: monitoring, probe: { via: netns } }\n"
    "  log: { network: ops, address: 10.3.0.7, role: logs, probe: { via: netns } }\n"
    "  keys: { network: ops, address: 10.3.0.8, role: kms, probe: { via: netns } }\n"
    "  spare: { network: far, address: 10.4.0.9, role: dr, probe: { via: netns } }\n"
    "  out-1: { network: internet, address: 198.51.100.7, probe: { via: netns } }\n"
    "groups:\n"
    "  nodes: [east, hq]\n"
    "policies:\n"
    "  - { name: relay, from: [node-1, node-2], to: [mgmt-1, mgmt-2], allow: [tcp/9900, tcp/4317] }\n"
    "  - { name: ssh, from: jump, to: nodes, allow: tcp/22 }\n"
    "  - { name: metrics, from: mon, to: nodes, allow: [tcp/9100, tcp/10250, tcp/15020] }\n"
    "  - { name: logs, from: nodes, to: log, allow: tcp/6514 }\n"
    "  - { name: keys, from: [cp-1, cp-2], to: keys, allow: tcp/8200 }\n"
    "  - { name: mesh, from: node-1, to: node-2, allow: tcp/15008 }\n"
    "  - { name: recovery, from: spare, to: mgmt-1, allow: tcp/9900 }\n"
    "  - { name: no-ssh, from: 'not:jump', to: nodes, deny: tcp/22 }\n"
    "  - { name: no-metrics, from: 'not:mon', to: nodes, deny: [tcp/9100, tcp/10250, tcp/15020] }\n"
    "  - name: closed\n"
    "    from: any\n"
    "    to: nodes\n"
    "    deny: [tcp/2379, tcp/2380, tcp/6379, tcp/8090, tcp/8443, tcp/8888, tcp/9090, tcp/9091,\n"
    "           tcp/9977, tcp/9988, tcp/10101, tcp/10249, tcp/10255, tcp/10257, tcp/10259,\n"
    "           tcp/15000, tcp/15002, tcp/15004, tcp/15010, tcp/15014, tcp/15053, tcp/15090,\n"
    "           tcp/30000-32767]\n"
    "load_balancers:\n"
    "  shop:\n"
    "    address: [10.1.9.10]\n"
    "    pool: [10.1.9.0/24]\n"
    "    from: out-1\n"
    "    listeners:\n"
    "      - { port: tcp/443, backends: [gw-1, gw-2], backend_port: 8443, source: rewritten }\n"
    "limits: { hazard: B }\n"
    "enforcement:\n"
    "  firewall: { between: [east, hq], layer: network }\n"
    "  policies: { between: [east-a, east-b], layer: host }\n";

static void must(bool good, const char *what)
{
    if (!good) {
        (void)fprintf(stderr, "checklist_world: %s\n", what);
        abort();
    }
}

static void load(struct sp_world *world, const struct sp_world_change *change)
{
    struct sp_buf text;
    struct sp_problems problems = {0};
    const char *rest = topology;
    const char *at;
    sp_buf_init(&text, 1U << 20);
    must(!change->find || strstr(topology, change->find), "the topology has no such words");
    while (change->find && (at = strstr(rest, change->find)) != NULL) {
        sp_buf_add(&text, rest, (size_t)(at - rest));
        sp_buf_str(&text, change->put);
        rest = at + strlen(change->find);
    }
    sp_buf_str(&text, rest);
    enum sp_rc rc =
        sp_topology_load_text("gloo.yaml", sp_buf_text(&text), text.len, &world->model, &problems);
    for (size_t i = 0; rc != SP_OK && i < problems.n; i++) {
        (void)fprintf(stderr, "%u: %s\n", problems.at[i].pos.line, problems.at[i].text);
    }
    must(rc == SP_OK, "the topology is wrong");
    sp_problems_release(&problems);
    sp_buf_release(&text);
}

/* ---- tests ---- */

static bool is_meant(const struct sp_world *world, const struct sp_world_change *change,
                     size_t test)
{
    const struct sp_test *t = &world->plan->tests[test];
    const struct sp_pair *pair = &world->plan->pairs[t->pair];
    const char *from = sp_model_target_name(world->model, pair->from);
    const char *to = sp_model_target_name(world->model, pair->to);
    return change->flow != WORLD_AS_DECLARED && (!change->from || !strcmp(change->from, from)) &&
           (!change->to || !strcmp(change->to, to)) &&
           (change->port == 0 || (change->port == t->port && change->proto == t->proto));
}

static void make_plan(struct sp_world *world)
{
    const struct sp_plan_options options = {.depth = SP_DEPTH_STANDARD, .seed = 7};
    struct sp_diag diag = {0};
    must(sp_policy_new(world->model, &world->policy) == SP_OK, "no policy");
    must(sp_plan_new(world->policy, world->model, &options, &world->plan, &diag) == SP_OK,
         diag.text);
}

/* The plan of the base, with a list of tests of its own. */
static void borrow(struct sp_world *world, const struct sp_world *base)
{
    world->is_borrowed = true;
    world->model = base->model;
    world->policy = base->policy;
    world->plan = sp_calloc(1, sizeof(*world->plan));
    must(world->plan != NULL, "no memory");
    *world->plan = *base->plan;
    world->plan->tests = sp_calloc(base->plan->ntests, sizeof(*base->plan->tests));
    must(world->plan->tests != NULL, "no memory");
    memcpy(world->plan->tests, base->plan->tests, base->plan->ntests * sizeof(*base->plan->tests));
}

/* Tests that a change takes away are not planned. */
static void leave_out(struct sp_world *world, const struct sp_world_change *change)
{
    size_t n = 0;
    for (size_t i = 0; i < world->plan->ntests; i++) {
        world->plan->tests[n] = world->plan->tests[i];
        n += !(change->flow == WORLD_GONE && is_meant(world, change, i));
    }
    world->plan->ntests = n;
}

static void judge(struct sp_world *world, const struct sp_world_change *change, size_t i)
{
    const struct sp_test *test = &world->plan->tests[i];
    struct sp_outcome *outcome = &world->result->outcomes[i];
    bool is_open = test->expect != SP_EXPECT_DENY;
    enum sp_world_flow flow = is_meant(world, change, i) ? change->flow : WORLD_AS_DECLARED;
    if (flow == WORLD_BROKEN) {
        is_open = !is_open;
    }
    struct sp_case what = sp_result_case(world->model, world->plan, test);
    const struct sp_listener *listener =
        is_open ? sp_result_listener(world->model, world->plan, test) : NULL;
    outcome->seen = flow == WORLD_UNSOUND            ? sp_seen_unsound(SP_UNSOUND_CONTROL_LOST)
                    : !is_open                       ? sp_seen_silence()
                    : test->expect == SP_EXPECT_DENY ? sp_seen_leak()
                                                     : sp_seen_works();
    if (test->expect == SP_EXPECT_ALLOW && !is_open) {
        outcome->seen.attempts = SP_PLAN_ALLOW_ATTEMPTS;
    }
    for (size_t b = 0; listener && b < listener->nbackends; b++) {
        outcome->backend_flows[b] = 10;
        outcome->seen.backends++;
        outcome->seen.backends_reached++;
    }
    outcome->grade = SP_GRADE_PAIR;
    outcome->judged = sp_judge(&what, &outcome->seen);
}

static void run(struct sp_world *world, const struct sp_world_change *change)
{
    must(sp_result_new(world->model, world->plan, &world->result) == SP_OK, "no result");
    struct sp_result *result = world->result;
    result->policy = world->policy;
    result->interrupted = change->interrupted;
    for (size_t i = 0; i < world->plan->ntests; i++) {
        judge(world, change, i);
    }
    for (size_t h = 0; h < world->model->nhosts; h++) {
        const char *name = world->model->hosts[h].name;
        result->hosts[h].wanted = world->model->hosts[h].via != NULL;
        result->hosts[h].ok =
            !change->sick || strncmp(change->sick, name, strlen(change->sick)) != 0;
        (void)snprintf(result->hosts[h].reason, sizeof(result->hosts[h].reason), "it was lost");
    }
    if (!change->no_evidence) {
        must(sp_evidence_new(world->plan->ntests, &result->evidence) == SP_OK, "no evidence");
    }
}

/* ---- claims ---- */

static void add_claim(struct sp_world *world, const struct sp_world_change *change,
                      enum sp_claim_kind kind, const char *check, const char *subject,
                      uint32_t host, uint32_t target)
{
    bool is_meant = change->check && strcmp(change->check, check) == 0 &&
                    (!change->subject || strstr(subject, change->subject));
    struct sp_claim claim = {.kind = (uint8_t)kind,
                             .verdict = is_meant ? (uint8_t)change->verdict : SP_CLAIM_HOLDS,
                             .host = host,
                             .target = target,
                             .check = check,
                             .subject = subject,
                             .expected = "this",
                             .observed = "that",
                             .cause = is_meant ? "somebody changed it" : NULL};
    if (!is_meant || change->verdict != SP_CLAIM_VERDICT_COUNT) {
        must(sp_claims_add(&world->result->claims, &claim) == SP_OK, "no claim");
    }
}

static void add_node_claims(struct sp_world *world, const struct sp_world_change *change)
{
    static const char *const checks[] = {"kernel",
                                         "os",
                                         "fips",
                                         "lsm",
                                         "mitigations",
                                         "virtualisation",
                                         "memory",
                                         "cpus",
                                         "disk_encryption",
                                         "sshd",
                                         "rp_filter",
                                         "forwarding",
                                         "port_range",
                                         "public_address",
                                         "zone",
                                         "drift",
                                         "kube_bench"};
    for (uint32_t h = 0; h < 8; h++) { /* the hosts that are nodes */
        for (size_t c = 0; c < SP_ARRAY_LEN(checks); c++) {
            add_claim(world, change, SP_CLAIM_NODE, checks[c], world->model->hosts[h].name, h, h);
        }
    }
}

static void add_claims(struct sp_world *world, const struct sp_world_change *change)
{
    static const struct {
        const char *subject, *checks[5];
    } endpoints[] = {
        {"gcr.io:443", {"dns", "tcp", "tls_chain", "tls_issuer"}},
        {"shop.example:443", {"dns", "tcp"}},
        {"mgmt-1:9900", {"tls_chain", "tls_name", "tls_expiry", "cleartext"}},
        {"mgmt-1:4317", {"tls"}},
        {"mgmt-1:6379", {"closed"}},
        {"node-1:10250", {"http_status"}},
    };
    static const char *const checks[] = {"skew",         "proxy_protocol",  "tls_mode",
                                         "hairpin",      "health_path",     "idle_timeout",
                                         "failover",     "cross_zone",      "reserved_port",
                                         "address_pool", "address_present", "source"};
    static const uint32_t seers[] = {0, 1, 6, 7}; /* a host in each network with nodes */
    add_node_claims(world, change);
    for (size_t e = 0; e < SP_ARRAY_LEN(endpoints); e++) {
        for (size_t c = 0; endpoints[e].checks[c]; c++) {
            for (size_t s = 0; s < SP_ARRAY_LEN(seers); s++) {
                add_claim(world, change, SP_CLAIM_ENDPOINT, endpoints[e].checks[c],
                          endpoints[e].subject, seers[s], SP_NONE);
            }
        }
    }
    for (size_t c = 0; c < SP_ARRAY_LEN(checks) && world->model->nbalancers > 0; c++) {
        add_claim(world, change, SP_CLAIM_BALANCER, checks[c], "shop", SP_NONE,
                  (uint32_t)world->model->nhosts);
    }
    sp_claims_sort(&world->result->claims);
}

/* ---- the whole ---- */

struct sp_world *sp_world_new(const struct sp_world_change *change, const struct sp_world *base)
{
    static const struct sp_world_change nothing = {0};
    const struct sp_world_change *c = change ? change : &nothing;
    struct sp_world *world = sp_calloc(1, sizeof(*world));
    must(world != NULL, "no memory");
    if (base && !c->find) {
        borrow(world, base);
    } else {
        load(world, c);
        make_plan(world);
    }
    leave_out(world, c);
    run(world, c);
    add_claims(world, c);
    must(sp_summary_new(world->result, &world->summary) == SP_OK, "no summary");
    must(sp_checklist_new(world->summary, &world->list) == SP_OK, "no list");
    return world;
}

void sp_world_free(struct sp_world *world)
{
    sp_checklist_free(world->list);
    sp_summary_free(world->summary);
    sp_result_free(world->result);
    if (world->is_borrowed) {
        sp_free(world->plan->tests);
        sp_free(world->plan);
    } else {
        sp_plan_free(world->plan);
        sp_policy_free(world->policy);
        sp_model_free(world->model);
    }
    sp_free(world);
}

const struct sp_checklist *sp_world_list(const struct sp_world *world)
{
    return world->list;
}

const struct sp_summary *sp_world_summary(const struct sp_world *world)
{
    return world->summary;
}
