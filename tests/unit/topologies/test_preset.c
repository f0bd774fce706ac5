/* SPDX-License-Identifier: Apache-2.0
 *
 * `use`: roles, what lines become, what closed lines leave out, clusters, and every message. */
#include "tests/unit/topologies/topo.h"
#include "topologies/explain.h"
#include "topologies/preset.h"

/* Two clusters and an office; m-1 and m-2 manage, e-1 and w-1 work. */
#define BASE(uses)                                                                                 \
    "segproof: 1\n"                                                                                \
    "name: t\n"                                                                                    \
    "networks:\n"                                                                                  \
    "  mgmt-vpc: { cidr: 10.1.0.0/16, cluster: mgmt }\n"                                           \
    "  mgmt-net: { in: mgmt-vpc, cidr: 10.1.1.0/24 }\n"                                            \
    "  east: { cidr: 10.2.0.0/16, cluster: east }\n"                                               \
    "  west: { cidr: 10.3.0.0/16, cluster: west }\n"                                               \
    "  office: { cidr: 10.9.0.0/16 }\n"                                                            \
    "hosts:\n"                                                                                     \
    "  m-1: { network: mgmt-net, address: 10.1.1.1, role: mgmt, probe: { via: local } }\n"         \
    "  m-2: { network: mgmt-net, address: 10.1.1.2, role: mgmt, probe: { via: local } }\n"         \
    "  e-1: { network: east, address: 10.2.0.1, role: node, labels: { role: istiod },"             \
    " probe: { via: local } }\n"                                                                   \
    "  e-2: { network: east, address: 10.2.0.2, role: node, probe: { via: local } }\n"             \
    "  e-api: { network: east, address: 10.2.0.9, role: control-plane }\n"                         \
    "  w-1: { network: west, address: 10.3.0.1, labels: { role: node }, probe: { via: local } }\n" \
    "  pc: { network: office, address: 10.9.0.1, labels: { team: ops }, probe: { via: local } }\n" uses

static uint32_t host(const struct topo *t, const char *name)
{
    uint32_t h = sp_model_find_host(t->model, name);
    assert_int_not_equal(h, SP_NONE);
    return h;
}

/* What is expected of a flow, and by which rule ("" by default). */
static void expect(const struct topo *t, const char *from, const char *to, uint16_t port,
                   enum sp_expect wanted, const char *rule)
{
    struct sp_policy *policy = NULL;
    assert_int_equal(sp_policy_new(t->model, &policy), SP_OK);
    const struct sp_interval *iv =
        sp_policy_decide(policy, host(t, from), host(t, to), SP_PROTO_TCP, port);
    assert_non_null(iv);
    const char *name = iv->rule == SP_NONE ? "" : t->model->rules[iv->rule].name;
    if (iv->expect != wanted || strcmp(name, rule) != 0) {
        print_error("%s -> %s tcp/%u: %d by '%s'\n", from, to, port, iv->expect, name);
    }
    assert_int_equal(iv->expect, wanted);
    assert_string_equal(name, rule);
    sp_policy_free(policy);
}

static struct topo good(const char *text)
{
    struct topo t = topo_load(text);
    if (t.rc != SP_OK) {
        topo_print_all(&t);
    }
    assert_int_equal(t.rc, SP_OK);
    return t;
}

static void says(const struct topo *t, bool is_error, uint32_t line, const char *pointer,
                 const char *words)
{
    const struct sp_problem *p = topo_find(t, words);
    if (!p) {
        topo_print_all(t);
    }
    if (!p) {
        fail_msg("nothing says '%s'", words);
        return;
    }
    assert_int_equal(p->is_error, is_error);
    assert_int_equal(p->pos.line, line);
    assert_string_equal(p->pointer, pointer);
}

static void test_short_form(void **state)
{
    (void)state;
    struct topo t = good(BASE("use: [gloo-mesh]\n"));
    assert_int_equal(t.model->uses->n, 4); /* with kubernetes, istio, istio-multicluster */
    expect(&t, "e-1", "m-1", 9900, SP_EXPECT_ALLOW, "preset:gloo-mesh/relay");
    expect(&t, "w-1", "m-2", 4317, SP_EXPECT_ALLOW, "preset:gloo-mesh/telemetry");
    expect(&t, "m-1", "m-2", 6379, SP_EXPECT_PERMIT, "preset:gloo-mesh/redis");
    expect(&t, "e-1", "m-1", 6379, SP_EXPECT_DENY, "preset:gloo-mesh/redis-closed");
    expect(&t, "pc", "m-1", 8090, SP_EXPECT_DENY, "preset:gloo-mesh/dashboard-closed");
    expect(&t, "m-1", "e-1", 443, SP_EXPECT_DENY, "preset:gloo-mesh/mgmt-to-workload-closed");
    expect(&t, "e-api", "e-1", 15017, SP_EXPECT_ALLOW, "preset:istio/istiod-webhook");
    expect(&t, "pc", "m-1", 9900, SP_EXPECT_DENY, "");
    topo_release(&t);
}

/* In a cluster is not between clusters. */
static void test_scope(void **state)
{
    (void)state;
    struct topo t = good(BASE("use: [gloo-mesh]\n"));
    expect(&t, "e-2", "e-1", 9977, SP_EXPECT_PERMIT, "preset:gloo-mesh/agent-inside");
    expect(&t, "w-1", "e-1", 9977, SP_EXPECT_DENY, "preset:gloo-mesh/agent-closed");
    expect(&t, "e-2", "e-1", 15012, SP_EXPECT_ALLOW, "preset:istio/xds");
    expect(&t, "w-1", "e-1", 15012, SP_EXPECT_DENY, "");
    expect(&t, "e-2", "e-1", 15010, SP_EXPECT_PERMIT, "preset:istio/istiod-inside");
    expect(&t, "w-1", "e-1", 15010, SP_EXPECT_DENY, "preset:istio/istiod-plaintext-closed");
    topo_release(&t);
}

static void test_roles(void **state)
{
    (void)state;
    struct topo t = good(BASE("use:\n"
                              "  - preset: gloo-mesh\n"
                              "    roles:\n"
                              "      mgmt: [m-1]\n"
                              "      agents: [east, not:e-api]\n"
                              "      operators: 'label:team=ops'\n"));
    expect(&t, "e-1", "m-1", 9900, SP_EXPECT_ALLOW, "preset:gloo-mesh/relay");
    expect(&t, "e-1", "m-2", 9900, SP_EXPECT_DENY, "");
    expect(&t, "w-1", "m-1", 9900, SP_EXPECT_DENY, "");
    expect(&t, "pc", "m-1", 8090, SP_EXPECT_PERMIT, "preset:gloo-mesh/dashboard");
    const struct sp_use_role *role = sp_uses_role(t.model->uses, "collectors");
    assert_non_null(role);
    assert_string_equal(role->stand_in, "agents");
    assert_int_equal(sp_bits_count(&role->targets), 2);
    assert_true(sp_uses_role(t.model->uses, "mgmt")->is_mapped);
    assert_null(sp_uses_role(t.model->uses, "no-such"));
    topo_release(&t);
}

/* A role's else is only for where nobody has it, and a mapped one is as it is mapped. */
static void test_stand_in(void **state)
{
    (void)state;
    struct topo t = good(BASE("use: [ { preset: gloo-mesh, roles: { redis: pc } } ]\n"));
    expect(&t, "m-1", "pc", 6379, SP_EXPECT_DENY, "preset:gloo-mesh/redis-closed");
    expect(&t, "e-1", "pc", 6379, SP_EXPECT_DENY, "preset:gloo-mesh/redis-closed");
    topo_release(&t);
}

/* Ports of one line that other lines open are cut out of it, and the rest stays closed by name. */
static void test_cut(void **state)
{
    (void)state;
    struct topo t = good(BASE("use:\n"
                              "  - preset: gloo-mesh\n"
                              "    roles: { bastion: m-1 }\n"));
    expect(&t, "m-1", "e-1", 22, SP_EXPECT_PERMIT, "preset:kubernetes/ssh");
    expect(&t, "m-1", "e-1", 21, SP_EXPECT_DENY, "preset:gloo-mesh/mgmt-to-workload-closed");
    expect(&t, "m-1", "e-1", 23, SP_EXPECT_DENY, "preset:gloo-mesh/mgmt-to-workload-closed");
    expect(&t, "m-2", "e-1", 22, SP_EXPECT_DENY, "preset:kubernetes/ssh-closed");
    topo_release(&t);
}

/* No deny of a preset meets an allow or permit of one: on every pair and every port that they name.
 */
static void test_no_contradiction_inside(void **state)
{
    (void)state;
    struct topo t = good(BASE("use: [gloo-mesh-gateway, istio-sidecar, istio-ambient]\n"));
    const struct sp_model *m = t.model;
    size_t pairs = 0;
    for (size_t a = 0; a < m->nrules; a++) {
        for (size_t d = 0; d < m->nrules; d++) {
            const struct sp_rule *pass = &m->rules[a], *deny = &m->rules[d];
            if (pass->kind == SP_RULE_DENY || deny->kind != SP_RULE_DENY) {
                continue;
            }
            for (size_t f = 0; f < m->nhosts; f++) {
                for (size_t to = 0; to < m->nhosts; to++) {
                    bool both = sp_bits_get(&pass->from, f) && sp_bits_get(&deny->from, f) &&
                                sp_bits_get(&pass->to, to) && sp_bits_get(&deny->to, to);
                    for (size_t p = 0; both && p < pass->nports * deny->nports; p++) {
                        const struct sp_portspec *x = &pass->ports[p % pass->nports];
                        const struct sp_portspec *y = &deny->ports[p / pass->nports];
                        assert_false(x->proto == y->proto && x->lo <= y->hi && y->lo <= x->hi);
                    }
                    pairs += both;
                }
            }
        }
    }
    assert_true(pairs > 10); /* they met on other ports */
    topo_release(&t);
}

/* Nodes of one subnet: lines of presets are tested, and close nothing else between them. */
static void test_same_subnet(void **state)
{
    (void)state;
    struct topo t = good(BASE("use: [gloo-mesh]\n"));
    expect(&t, "e-2", "e-1", 5000, SP_EXPECT_PERMIT, "");
    expect(&t, "e-2", "e-1", 10255, SP_EXPECT_PERMIT, ""); /* a neighbour is no other */
    expect(&t, "w-1", "e-1", 10255, SP_EXPECT_DENY, "preset:kubernetes/kubelet-read-only-closed");
    expect(&t, "m-1", "m-2", 5000, SP_EXPECT_PERMIT, "");
    expect(&t, "w-1", "e-1", 5000, SP_EXPECT_DENY, "");
    struct sp_policy *policy = NULL;
    struct sp_buf out;
    sp_buf_init(&out, 1U << 20);
    assert_int_equal(sp_policy_new(t.model, &policy), SP_OK);
    assert_null(sp_policy_untested(policy, host(&t, "e-2"), host(&t, "e-1")));
    assert_int_equal(sp_explain(policy, t.model, "e-2", "e-1", "tcp/5000", &out, NULL), SP_OK);
    assert_non_null(strstr(sp_buf_text(&out), "presets decide their own ports only"));
    sp_buf_clear(&out);
    assert_int_equal(sp_explain(policy, t.model, "e-1", "m-1", "tcp/9900", &out, NULL), SP_OK);
    assert_non_null(strstr(sp_buf_text(&out), "(source: docs.solo.io/"));
    sp_buf_release(&out);
    sp_policy_free(policy);
    topo_release(&t);
    /* A policy of the owner names them: then all else is closed, as ever. */
    t = good(BASE("use: [gloo-mesh]\n"
                  "policies: [ { name: own, from: e-2, to: e-1, allow: tcp/80 } ]\n"));
    expect(&t, "e-2", "e-1", 5000, SP_EXPECT_DENY, "");
    expect(&t, "e-1", "e-2", 5000, SP_EXPECT_PERMIT, "");
    topo_release(&t);
    t = good(BASE("use: [gloo-mesh]\n"
                  "policies: [ { name: ping, from: any, to: any, allow: icmp/echo } ]\n"));
    expect(&t, "e-2", "e-1", 5000, SP_EXPECT_PERMIT, "");
    topo_release(&t);
    t = good("segproof: 1\nname: t\nnetworks: { a: { cidr: 10.1.0.0/16, within: closed } }\n"
             "hosts:\n  x: { network: a, address: 10.1.0.1, role: node, probe: { via: local } }\n"
             "  y: { network: a, address: 10.1.0.2, role: node, probe: { via: local } }\n"
             "use: [kubernetes]\n");
    expect(&t, "x", "y", 10255, SP_EXPECT_DENY, "preset:kubernetes/kubelet-read-only-closed");
    expect(&t, "x", "y", 10250, SP_EXPECT_PERMIT, "preset:kubernetes/kubelet-metrics");
    expect(&t, "x", "y", 5000, SP_EXPECT_DENY, "");
    topo_release(&t);
}

static void test_without(void **state)
{
    (void)state;
    struct topo t = good(BASE("use: [ { preset: gloo-mesh, without: [redis-closed] } ]\n"));
    expect(&t, "e-1", "m-1", 6379, SP_EXPECT_DENY, "");
    struct sp_buf out;
    sp_buf_init(&out, 1U << 20);
    sp_uses_print(t.model, &out);
    assert_non_null(strstr(sp_buf_text(&out), "not covered: redis-closed: left out by `without`"));
    assert_non_null(strstr(sp_buf_text(&out), "not covered: vm: nobody has the role vms"));
    assert_non_null(strstr(sp_buf_text(&out), "  open   relay: agents -> relay tcp/9900\n"));
    assert_non_null(strstr(sp_buf_text(&out), "Preset gloo-mesh (line 17): 12 of 14 lines"));
    sp_buf_release(&out);
    topo_release(&t);
}

static void test_source(void **state)
{
    (void)state;
    struct topo t = good(BASE("use: [kubernetes]\n"));
    assert_true(t.model->nrules > 5);
    for (size_t i = 0; i < t.model->nrules; i++) {
        const struct sp_rule *rule = &t.model->rules[i];
        assert_non_null(rule->source);
        assert_non_null(rule->why);
        assert_int_equal(rule->pos.line, 17);
        assert_memory_equal(rule->name, "preset:kubernetes/", 18);
    }
    for (size_t f = 0; f < t.model->uses->at[0].preset->nflows; f++) {
        const struct sp_use_flow *flow = &t.model->uses->at[0].flows[f];
        assert_true((flow->state == SP_USE_COVERED) == (flow->nrules > 0));
        for (size_t r = 0; r < flow->nrules; r++) {
            const char *name = t.model->rules[flow->first_rule + r].name;
            assert_string_equal(name + 18, t.model->uses->at[0].preset->flows[f].name);
        }
    }
    topo_release(&t);
}

/* ------------------------------------------------------------------ messages */

static void test_unknown(void **state)
{
    (void)state;
    struct topo t = topo_load(BASE("use: [gloo-mehs, what-is-this]\n"));
    says(&t, true, 17, "/use/0", "there is no preset 'gloo-mehs'; did you mean 'gloo-mesh'?");
    says(&t, true, 17, "/use/1", "`segproof check --presets` lists them");
    topo_release(&t);
    t = topo_load(BASE("use:\n"
                       "  - preset: gloo-mesh\n"
                       "    roles: { agnets: east, mgmt: nobody-there }\n"
                       "    without: [relai]\n"
                       "  - gloo-mesh\n"
                       "  - { preset: istio, roles: { mgmt: m-1 } }\n"));
    says(&t, true, 19, "/use/0/roles/agnets", "role 'agnets'; did you mean 'agents'?");
    says(&t, true, 19, "/use/0/roles/mgmt", "'nobody-there' is not a network, host");
    says(&t, true, 20, "/use/0/without/0", "line 'relai'; did you mean 'relay'?");
    says(&t, true, 21, "/use/1", "'gloo-mesh' is already used on line 18");
    says(&t, true, 22, "/use/2/roles/mgmt", "mapped twice");
    topo_release(&t);
}

static void test_missing_role(void **state)
{
    (void)state;
    struct topo t = good(BASE("use: [istio-multicluster]\n"));
    says(&t, false, 17, "/use/0", "needs the role 'eastwest'");
    says(&t, false, 17, "/use/0", "eastwest, eastwest-control are not covered");
    assert_null(topo_find(&t, "'vms'")); /* not needed */
    topo_release(&t);
}

static void test_contradictions(void **state)
{
    (void)state;
    struct topo t =
        good(BASE("use: [gloo-mesh]\n"
                  "policies:\n"
                  "  - { name: peek, from: office, to: m-1, allow: [tcp/6379, tcp/1] }\n"
                  "  - { name: shut, from: east, to: mgmt-net, deny: tcp/9900 }\n"));
    says(&t, false, 19, "/policies/0", "'preset:gloo-mesh/redis-closed' (line 17) denies it");
    says(&t, false, 17, "/use/0", "'preset:gloo-mesh/relay' allows tcp/9900");
    topo_release(&t);
    t = topo_load(BASE("use: [gloo-mesh]\nisolation: [ [east, mgmt-net] ]\n"));
    says(&t, true, 17, "/use/0", "inside 'isolation:east-mgmt-net' (line 18)");
    topo_release(&t);
}

static void test_cluster_names(void **state)
{
    (void)state;
#define NAMED(name, preset)                                                                        \
    "segproof: 1\nname: t\nnetworks:\n"                                                            \
    "  a: { cidr: 10.1.0.0/16, cluster: " name " }\n  b: { cidr: 10.2.0.0/16, cluster: b }\n"      \
    "hosts:\n  x: { network: a, address: 10.1.0.1, role: mgmt, probe: { via: local } }\n"          \
    "  y: { network: b, address: 10.2.0.1, role: node, probe: { via: local } }\n"                  \
    "use: [" preset "]\n"
    static const char *const bad[] = {NAMED("east_1", "gloo-mesh"), NAMED("East", "gloo-mesh"),
                                      NAMED("1east", "gloo-mesh"), NAMED("east.1", "gloo-mesh"),
                                      NAMED("east-", "gloo-mesh")};
    for (size_t i = 0; i < SP_ARRAY_LEN(bad); i++) {
        struct topo t = topo_load(bad[i]);
        says(&t, true, 4, "/networks/a", "cannot be the name of a cluster of gloo-mesh");
        topo_release(&t);
    }
    struct topo t = good(NAMED("east-1", "gloo-mesh"));
    topo_release(&t);
    t = good(NAMED("east_1", "kubernetes"));
    topo_release(&t);
}

static void test_clusters(void **state)
{
    (void)state;
    struct topo t = good(BASE("use: [ { preset: gloo-mesh, roles: { mgmt: [m-1, w-1] } } ]\n"));
    says(&t, false, 17, "/use/0", "to 'mgmt' and to 'west': gloo-mesh has one management cluster");
    assert_null(topo_find(&t, "no network says"));
    topo_release(&t);
    t = good("segproof: 1\nname: t\nnetworks:\n"
             "  a: { cidr: 10.1.0.0/16 }\n  b: { cidr: 10.2.0.0/16 }\n"
             "hosts:\n  x: { network: a, address: 10.1.0.1, role: node, probe: { via: local } }\n"
             "  y: { network: b, address: 10.2.0.1, role: node, probe: { via: local } }\n"
             "use: [kubernetes]\n");
    says(&t, false, 9, "/use/0", "each of the 2 top networks counts as a cluster of its own: a, b");
    expect(&t, "x", "y", 10250, SP_EXPECT_DENY, "preset:kubernetes/kubelet-closed");
    topo_release(&t);
    /* The same name in two VPCs is one cluster. */
    t = good("segproof: 1\nname: t\nnetworks:\n"
             "  a: { cidr: 10.1.0.0/16, cluster: c }\n  b: { cidr: 10.2.0.0/16, cluster: c }\n"
             "hosts:\n  x: { network: a, address: 10.1.0.1, role: node, probe: { via: local } }\n"
             "  y: { network: b, address: 10.2.0.1, role: node, probe: { via: local } }\n"
             "use: [kubernetes]\n");
    expect(&t, "x", "y", 10250, SP_EXPECT_PERMIT, "preset:kubernetes/kubelet-metrics");
    topo_release(&t);
}

static void test_balancers(void **state)
{
    (void)state;
    struct topo t =
        good(BASE("use:\n"
                  "  - { preset: gloo-mesh, roles: { relay: relay-lb, eastwest: e-lb } }\n"
                  "load_balancers:\n"
                  "  relay-lb: { address: 10.1.200.1, from: [east, west], listeners:"
                  " [ { port: tcp/9900, backends: [m-1, m-2] } ] }\n"
                  "  e-lb: { address: 10.2.200.1, from: west, listeners:"
                  " [ { port: tcp/15443, backends: [e-1] }, { port: tcp/15021, backends: [e-1] },"
                  " { port: tcp/15090, backends: [e-1] }, { port: tcp/30001, backends: [e-1] },"
                  " { port: udp/65330, backends: [e-1] } ] }\n"));
    says(&t, false, 21, "/load_balancers/e-lb",
         "'e-lb' listens on tcp/15090, which the preset istio");
    says(&t, false, 21, "/load_balancers/e-lb", "tcp/30001, which the preset kubernetes reserves");
    says(&t, false, 21, "/load_balancers/e-lb", "udp/65330");
    assert_null(topo_find(&t, "listens on tcp/15021"));
    assert_null(topo_find(&t, "listens on tcp/15443"));
    /* The balancer of the east is of the east: only the west may use it as an east-west gateway. */
    struct sp_policy *policy = NULL;
    assert_int_equal(sp_policy_new(t.model, &policy), SP_OK);
    uint32_t lb = (uint32_t)t.model->nhosts + 1;
    const struct sp_interval *iv =
        sp_policy_decide(policy, host(&t, "w-1"), lb, SP_PROTO_TCP, 15443);
    assert_int_equal(iv->expect, SP_EXPECT_ALLOW);
    iv = sp_policy_decide(policy, host(&t, "e-2"), lb, SP_PROTO_TCP, 15443);
    assert_int_equal(iv->expect, SP_EXPECT_DENY);
    sp_policy_free(policy);
    topo_release(&t);
}

/* A file that would make more rules than anybody can mean is refused, soon. */
static void test_limit(void **state)
{
    (void)state;
    struct sp_buf text;
    sp_buf_init(&text, 4U << 20);
    sp_buf_str(&text, "segproof: 1\nname: t\nnetworks:\n");
    for (unsigned i = 0; i < 4200; i++) {
        sp_buf_fmt(&text, "  n%u: { cidr: 10.%u.%u.0/24, cluster: c%u }\n", i, i / 250, i % 250, i);
    }
    sp_buf_str(&text, "hosts:\n");
    for (unsigned i = 0; i < 4200; i++) {
        sp_buf_fmt(
            &text,
            "  h%u: { network: n%u, address: 10.%u.%u.1, role: node, probe: { via: local } }\n", i,
            i, i / 250, i % 250);
    }
    sp_buf_str(&text, "use: [istio-sidecar]\n");
    assert_int_equal(text.rc, SP_OK);
    struct topo t = topo_load(sp_buf_text(&text));
    assert_int_equal(t.rc, SP_E_INVALID);
    says(&t, true, 8405, "/use", "too many rules: split the topology");
    topo_release(&t);
    sp_buf_release(&text);
}

/* Whatever allocation fails, nothing leaks and nothing half-built comes out. */
static void test_memory(void **state)
{
    (void)state;
    const char *text = BASE("use: [ { preset: gloo-mesh-gateway, roles: { operators: pc } } ]\n");
    enum sp_rc rc = SP_E_NOMEM;
    for (size_t n = 1; rc != SP_OK; n += n < 200 ? 1 : 7) {
        struct sp_model *model = NULL;
        struct sp_problems problems = {0};
        (void)sp_mem_fail_at(n, 0);
        rc = sp_topology_load_text("t.yaml", text, strlen(text), &model, &problems);
        (void)sp_mem_fail_at(0, 0);
        assert_true((rc == SP_OK) == (model != NULL));
        sp_model_free(model);
        sp_problems_release(&problems);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_short_form),    cmocka_unit_test(test_scope),
        cmocka_unit_test(test_roles),         cmocka_unit_test(test_stand_in),
        cmocka_unit_test(test_cut),           cmocka_unit_test(test_no_contradiction_inside),
        cmocka_unit_test(test_same_subnet),   cmocka_unit_test(test_without),
        cmocka_unit_test(test_source),        cmocka_unit_test(test_unknown),
        cmocka_unit_test(test_missing_role),  cmocka_unit_test(test_contradictions),
        cmocka_unit_test(test_cluster_names), cmocka_unit_test(test_clusters),
        cmocka_unit_test(test_balancers),     cmocka_unit_test(test_limit),
        cmocka_unit_test(test_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
