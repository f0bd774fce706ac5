/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/topologies/topo.h"

#define EXAMPLES "topologies/examples/"

static struct topo load_file(const char *file)
{
    struct topo t = {0};
    struct sp_diag diag = {0};
    sp_clock_inject(NULL, topo_wall_s);
    t.rc = sp_topology_load_file(file, &t.model, &t.problems, &diag);
    return t;
}

static const struct sp_rule *find_rule(const struct sp_model *m, const char *name)
{
    for (size_t i = 0; i < m->nrules; i++) {
        if (strcmp(m->rules[i].name, name) == 0) {
            return &m->rules[i];
        }
    }
    fail_msg("no rule %s", name);
    return NULL;
}

/* "web-1 web-2": the names of the targets in a set. */
static void expect_set(const struct sp_model *m, const struct sp_bits *bits, const char *expected)
{
    struct sp_buf names;
    sp_buf_init(&names, 4096);
    for (size_t i = 0; i < sp_model_ntargets(m); i++) {
        if (sp_bits_get(bits, i)) {
            sp_buf_fmt(&names, "%s%s", names.len ? " " : "", sp_model_target_name(m, i));
        }
    }
    assert_string_equal(sp_buf_text(&names), expected);
    sp_buf_release(&names);
}

static void the_example_of_the_design_loads(void **state)
{
    (void)state;
    char text[SP_PORTSPEC_STRLEN], addr[SP_ADDR_STRLEN];
    struct topo t = load_file(EXAMPLES "shop.yaml");
    assert_int_equal(t.rc, SP_OK);
    assert_int_equal(t.problems.nerrors, 0);
    const struct sp_model *m = t.model;
    assert_string_equal(m->name, "shop-preprod");
    assert_string_equal(m->file, EXAMPLES "shop.yaml");
    assert_int_equal(strlen(m->sha256), 64);
    assert_string_equal(m->lines[0], "segproof: 1");
    assert_string_equal(m->lines[1], "name: shop-preprod");
    assert_int_equal(m->nnetworks, 5);
    assert_int_equal(m->networks[0].kind, SP_NET_VPC);
    assert_string_equal(m->networks[0].owner, "platform");
    assert_int_equal(m->networks[1].kind, SP_NET_SUBNET);
    assert_int_equal(m->networks[1].parent, 0);
    assert_int_equal(m->networks[1].ncidrs, 2);
    assert_int_equal(m->networks[1].cidrs[1].len, 64);
    assert_string_equal(m->networks[1].zone, "eu-1a");
    assert_int_equal(m->networks[3].hazard, 'C');
    assert_int_equal(m->networks[4].kind, SP_NET_EXTERNAL);
    assert_int_equal(m->nhosts, 7);
    uint32_t db = sp_model_find_host(m, "db-1");
    assert_string_equal(m->hosts[db].via, "ssh");
    assert_string_equal(m->hosts[db].target, "admin@db-1");
    assert_string_equal(m->hosts[db].become, "sudo");
    assert_int_equal(m->hosts[db].naddrs, 1);
    assert_null(m->hosts[sp_model_find_host(m, "old")].via);
    assert_string_equal(m->hosts[0].labels[0].key, "app");
    assert_string_equal(m->hosts[0].labels[0].value, "web");
    assert_string_equal(m->hosts[0].role, "node");
    assert_string_equal(m->hosts[0].via_name, "web-1");
    expect_set(m, &m->groups[0].targets, "db-1 old");
    assert_int_equal(m->nservices, 3);
    assert_int_equal(m->services[1].nports, 2);
    assert_int_equal(m->nrules, 5);
    const struct sp_rule *r = find_rule(m, "web-to-db");
    assert_int_equal(r->kind, SP_RULE_ALLOW);
    expect_set(m, &r->from, "web-1 web-2");
    expect_set(m, &r->to, "db-1 old");
    assert_int_equal(r->nports, 2);
    assert_string_equal(sp_portspec_str(&r->ports[1], text), "tcp/8000-8100");
    assert_string_equal(r->why, "orders");
    assert_string_equal(r->expires, "2027-06-30");
    assert_false(r->is_expired);
    assert_int_equal(r->pos.line, 20);
    r = find_rule(m, "ping");
    expect_set(m, &r->from, "jump");
    expect_set(m, &r->to, "web-1 web-2 db-1 old");
    r = find_rule(m, "no-ssh");
    assert_int_equal(r->kind, SP_RULE_DENY);
    expect_set(m, &r->from, "out-1");
    expect_set(m, &r->to, "web-1 web-2 db-1 old jump dev-1 out-1 shop");
    r = find_rule(m, "isolation:prod-dev");
    assert_int_equal(r->kind, SP_RULE_ISOLATION);
    expect_set(m, &r->from, "web-1 web-2 db-1 old jump");
    expect_set(m, &r->to, "dev-1");
    assert_string_equal(sp_portspec_str(&r->ports[0], text), "any");
    r = find_rule(m, "balancer:shop");
    assert_int_equal(r->kind, SP_RULE_ALLOW);
    expect_set(m, &r->from, "out-1");
    expect_set(m, &r->to, "shop");
    assert_string_equal(sp_portspec_str(&r->ports[0], text), "tcp/443");
    const struct sp_balancer *lb = &m->balancers[0];
    assert_string_equal(sp_addr_str(&lb->addrs[0], addr), "10.10.9.10");
    assert_int_equal(lb->listeners[0].nbackends, 2);
    assert_int_equal(lb->listeners[0].backends[1], 1);
    assert_int_equal(lb->listeners[0].backend_port, 8443);
    assert_string_equal(lb->listeners[0].mode, "l4");
    assert_string_equal(lb->listeners[0].source, "preserved");
    assert_string_equal(lb->listeners[0].proxy_protocol, "none");
    assert_true(lb->listeners[0].max_skew > 0.299 && lb->listeners[0].max_skew < 0.301);
    assert_int_equal(lb->listeners[0].failover_within_ms, 5000);
    assert_int_equal(m->limits.max_rate, 20000);
    assert_int_equal(m->limits.hazard, 'B');
    assert_int_equal(m->nenforcements, 1);
    assert_int_equal(m->enforcements[0].nbetween, 2);
    assert_int_equal(m->enforcements[0].layer, SP_LAYER_NETWORK);
    assert_int_equal(m->enforcements[0].state_capacity, 65536);
    assert_int_equal(m->enforcements[0].generic_timeout_ms, 600000);
    assert_int_equal(m->enforcements[0].syn_timeout_ms, 120000);
    assert_int_equal(m->enforcements[0].udp_timeout_ms, 30000);
    assert_int_equal(m->enforcements[0].paths, 1);
    topo_release(&t);
}

static void both_formats_give_one_model(void **state)
{
    (void)state;
    struct topo a = load_file(EXAMPLES "minimal.yaml");
    struct topo b = load_file(EXAMPLES "minimal.json");
    assert_int_equal(a.rc, SP_OK);
    assert_int_equal(b.rc, SP_OK);
    assert_int_equal(a.problems.n, 0);
    assert_int_equal(b.problems.n, 0);
    assert_int_equal(a.model->nhosts, b.model->nhosts);
    for (size_t i = 0; i < a.model->nhosts; i++) {
        assert_string_equal(a.model->hosts[i].name, b.model->hosts[i].name);
        assert_true(sp_addr_eq(&a.model->hosts[i].addrs[0], &b.model->hosts[i].addrs[0]));
        assert_string_equal(a.model->hosts[i].target, b.model->hosts[i].target);
    }
    assert_int_equal(a.model->nrules, 1);
    assert_int_equal(b.model->nrules, 1);
    assert_string_equal(a.model->rules[0].why, b.model->rules[0].why);
    assert_string_not_equal(a.model->sha256, b.model->sha256);
    topo_release(&a);
    topo_release(&b);
}

/* Every key there is. */
static const char every_key[] =
    "segproof: 1\n"
    "name: t\n"
    "networks:\n"
    "  prod: { cidr: 10.0.0.0/8, max_rate: 100, within: closed }\n"
    "  web: { in: prod, cidr: 10.1.0.0/24, within: open, hazard: B }\n"
    "  data: { in: prod, cidr: 10.2.0.0/24 }\n"
    "  far: { kind: vpc, cidr: 10.0.0.0/8 }\n"
    "hosts:\n"
    "  a: { network: web, address: 10.1.0.1, labels: { app.io/tier: 1, on: true, x: 'y' },\n"
    "       tunnel: { vni: 16777215, mac: 02:00:5e:10:00:01 },\n"
    "       seen_as: { far: 192.0.2.1, data: [192.0.2.2, 'fd00::2'] },\n"
    "       probe: { via: tls, name: a-probe, interface: eth0.5 } }\n"
    "  b: { network: data, address: 10.2.0.1, probe: { via: netns } }\n"
    "  c: { network: far, address: 10.3.0.1 }\n"
    "groups: { all: [b, inner], inner: [a, lb], single: c }\n"
    "services: { web: [tcp/80, tcp/443], any-udp: udp/*, db: { ports: tcp/5432, data: ok } }\n"
    "policies:\n"
    "  - { name: p, from: all, to: 'not:c', allow: [web, tcp/22, any-udp], permit: any, deny: db,\n"
    "      action: reject, expires: 2026-11-22 }\n"
    "  - { name: q, from: [web, not:b, 'label:app.io/tier=1'], to: ['not:a', 'not:lb'],\n"
    "      permit: gre, action: drop, expires: 2026-11-23 }\n"
    "load_balancers:\n"
    "  lb: { address: [192.0.2.10, 'fd00::10'], pool: [192.0.2.0/24, 'fd00::/64'], from: any,\n"
    "        listeners: [ { port: udp/53, backends: [web, b], mode: l7, source: rewritten,\n"
    "                       proxy_protocol: v2 } ] }\n"
    "nat:\n"
    "  - { from: a, to: c, snat: 192.0.2.7 }\n"
    "  - { from: c, to: [a, b], dnat: 'fd00::7' }\n"
    "limits: { loss: 0.05 }\n"
    "enforcement:\n"
    "  fw: { between: [web, data], layer: host, action: reject, max_rate: 5, paths: 2,\n"
    "        generic_timeout: 250ms, syn_timeout: 5s, udp_timeout: 1m }\n"
    "  edge: { between: [prod, far], action: drop }\n";

static void every_key_of_nodes_reaches_the_model(void **state)
{
    (void)state;
    struct topo t = topo_load(every_key);
    char addr[SP_ADDR_STRLEN];
    assert_int_equal(t.rc, SP_OK);
    const struct sp_model *m = t.model;
    assert_int_equal(m->networks[0].kind, SP_NET_VPC);
    assert_int_equal(m->networks[0].within, SP_WITHIN_CLOSED);
    assert_int_equal(m->networks[1].kind, SP_NET_SUBNET);
    assert_int_equal(m->networks[1].within, SP_WITHIN_OPEN);
    assert_int_equal(m->networks[1].hazard, 'B');
    assert_int_equal(m->networks[2].within, SP_WITHIN_UNTESTED);
    assert_int_equal(m->networks[0].max_rate, 100);
    const struct sp_host *a = &m->hosts[0];
    assert_int_equal(a->nlabels, 3);
    assert_string_equal(a->labels[1].value, "true");
    assert_int_equal(a->nseen_as, 3);
    assert_int_equal(a->seen_as[0].network, 3);
    assert_string_equal(sp_addr_str(&a->seen_as[2].addr, addr), "fd00::2");
    assert_string_equal(a->via, "tls");
    assert_string_equal(a->via_name, "a-probe");
    assert_string_equal(a->interface, "eth0.5");
    assert_int_equal(a->tunnel_vni, 16777215);
    assert_true(a->tunnel_mac == UINT64_C(0x02005e100001));
    assert_null(m->hosts[1].via_name);
    topo_release(&t);
}

static void every_key_of_rules_reaches_the_model(void **state)
{
    (void)state;
    char addr[SP_ADDR_STRLEN];
    struct topo t = topo_load(every_key);
    assert_int_equal(t.rc, SP_OK);
    const struct sp_model *m = t.model;
    expect_set(m, &m->groups[0].targets, "a b lb");
    expect_set(m, &m->groups[2].targets, "c");
    assert_true(m->services[2].data_ok);
    assert_false(m->services[0].data_ok);
    /* one policy with three keys: three rules of one name, deny first */
    assert_int_equal(m->nrules, 5);
    static const enum sp_rule_kind kinds[] = {SP_RULE_DENY, SP_RULE_ALLOW, SP_RULE_PERMIT};
    for (size_t i = 0; i < 3; i++) {
        assert_string_equal(m->rules[i].name, "p");
        assert_int_equal(m->rules[i].kind, kinds[i]);
        assert_int_equal(m->rules[i].action, SP_ACTION_REJECT);
        assert_int_equal(m->rules[i].index, 0);
        assert_true(m->rules[i].is_expired);     /* the day before */
        expect_set(m, &m->rules[i].from, "a b"); /* a balancer never sends */
        expect_set(m, &m->rules[i].to, "a b lb");
    }
    assert_int_equal(m->rules[1].nports, 4);
    assert_true(m->rules[1].ports[3].is_wild);
    assert_false(m->rules[1].ports[2].is_wild);
    const struct sp_rule *q = &m->rules[3];
    expect_set(m, &q->from, "a");
    expect_set(m, &q->to, "b c");
    assert_int_equal(q->action, SP_ACTION_DROP);
    assert_false(q->is_expired); /* the last day still stands */
    const struct sp_balancer *lb = &m->balancers[0];
    assert_int_equal(lb->npool, 2);
    expect_set(m, &lb->from, "a b c");
    assert_int_equal(lb->listeners[0].backend_port, 53);
    assert_string_equal(lb->listeners[0].mode, "l7");
    assert_string_equal(lb->listeners[0].source, "rewritten");
    assert_string_equal(lb->listeners[0].proxy_protocol, "v2");
    assert_true(lb->listeners[0].max_skew < 0);
    assert_int_equal(lb->listeners[0].failover_within_ms, 0);
    assert_int_equal(m->nnats, 2);
    assert_false(m->nats[0].is_dnat);
    assert_string_equal(sp_addr_str(&m->nats[0].addr, addr), "192.0.2.7");
    assert_true(m->nats[1].is_dnat);
    expect_set(m, &m->nats[1].to, "a b");
    assert_int_equal(m->limits.max_rate, 5000);
    assert_int_equal(m->limits.hazard, 'A');
    assert_true(m->limits.loss > 0.049 && m->limits.loss < 0.051);
    assert_int_equal(m->enforcements[0].layer, SP_LAYER_HOST);
    assert_int_equal(m->enforcements[0].action, SP_ACTION_REJECT);
    assert_int_equal(m->enforcements[0].paths, 2);
    assert_int_equal(m->enforcements[0].generic_timeout_ms, 250);
    assert_int_equal(m->enforcements[0].syn_timeout_ms, 5000);
    assert_int_equal(m->enforcements[0].udp_timeout_ms, 60000);
    assert_int_equal(m->enforcements[1].action, SP_ACTION_DROP);
    topo_release(&t);
}

static void networks_include_all_inside_them(void **state)
{
    (void)state;
    /* declared upside down, so that the order of the file cannot help */
    struct topo t = topo_load("segproof: 1\nname: t\nnetworks:\n"
                              "  c: { in: b, cidr: 10.1.1.0/24 }\n"
                              "  b: { in: a, cidr: 10.1.0.0/16 }\n"
                              "  d: { in: a, cidr: 10.2.0.0/16 }\n"
                              "  a: { cidr: 10.0.0.0/8 }\n"
                              "  e: { cidr: 172.16.0.0/12 }\n"
                              "hosts:\n"
                              "  h-a: { network: a, address: 10.0.0.1, probe: { via: local } }\n"
                              "  h-c: { network: c, address: 10.1.1.1, probe: { via: local } }\n"
                              "  h-e: { network: e, address: 172.16.0.1 }\n"
                              "  h-d: { network: d, address: 10.2.0.1 }\n"
                              "  h-b: { network: b, address: 10.1.0.1 }\n"
                              "  h-c2: { network: c, address: 10.1.1.2 }\n"
                              "groups: { a-all: a, b-all: b, c-all: c, d-all: d, e-all: e }\n");
    static const char *const sets[] = {"h-a h-c h-d h-b h-c2", "h-c h-b h-c2", "h-c h-c2", "h-d",
                                       "h-e"};
    assert_int_equal(t.rc, SP_OK);
    for (size_t i = 0; i < 5; i++) {
        expect_set(t.model, &t.model->groups[i].targets, sets[i]);
    }
    topo_release(&t);
}

static void expect(const char *more, uint32_t line, const char *pointer, const char *words)
{
    struct sp_buf text;
    sp_buf_init(&text, 1U << 20);
    sp_buf_str(&text, TOPO_BASE);
    sp_buf_str(&text, more);
    struct topo t = topo_load(sp_buf_text(&text));
    const struct sp_problem *p = topo_find(&t, words);
    if (t.rc != SP_E_INVALID || !p || !p->is_error || strcmp(p->pointer, pointer) != 0 ||
        (line && p->pos.line != line)) {
        print_error("expected %s: %s\n", pointer, words);
        topo_print_all(&t);
        fail();
    }
    topo_release(&t);
    sp_buf_release(&text);
}

static void mistakes_are_named_where_they_stand(void **state)
{
    (void)state;
    expect("polices: []\n", 10, "/polices", "did you mean 'policies'?");
    expect("policies: [ { name: p, from: wbe-1, to: data, allow: tcp/1 } ]\n", 10,
           "/policies/0/from", "did you mean 'web-1'?");
    expect("policies: [ { name: p, from: [web, 5web], to: data, allow: tcp/1 } ]\n", 10,
           "/policies/0/from/1", "'5web' is not a network, host");
    expect("policies: [ { name: p, from: 'not:wbe', to: data, allow: tcp/1 } ]\n", 10,
           "/policies/0/from", "'wbe' is not");
    expect("policies: [ { name: p, from: 'label:app', to: data, allow: tcp/1 } ]\n", 10,
           "/policies/0/from", "write label:key=value");
    expect("policies: [ { name: p, from: web, to: data, allow: tcp/0 } ]\n", 10,
           "/policies/0/allow", "'0' is not a port");
    expect("policies: [ { name: p, from: web, to: data, allow: tcp/65536 } ]\n", 10,
           "/policies/0/allow", "'65536' is not a port");
    expect("policies: [ { name: p, from: web, to: data, allow: 443 } ]\n", 10, "/policies/0/allow",
           "neither a service of this topology nor a port");
    expect("policies: [ { name: p, from: web, to: data, allow: [] } ]\n", 10, "/policies/0/allow",
           "at least 1 must be given");
    expect("policies: [ { name: p, from: web, to: data, allow: tcp/1, action: dorp } ]\n", 10,
           "/policies/0/action", "did you mean 'drop'?");
    expect("policies: [ { name: p, from: web, to: data } ]\n", 10, "/policies/0",
           "at least one of the keys `allow`, `permit` or `deny`");
    expect("nat: [ { from: web, to: data, snat: 10.0.0.1, dnat: 10.0.0.1 } ]\n", 10, "/nat/0",
           "exactly one of the keys `snat` or `dnat`");
    expect("isolation: [ [web] ]\n", 10, "/isolation/0", "this must be a pair such as");
    expect("groups: { g: [h] }\n", 10, "/groups/g/0", "'h' is not a network");
    expect("groups: { web-1: db-1 }\n", 10, "/groups/web-1", "belongs to the host on line 7");
    expect("enforcement: { f: { between: [web, db-1] } }\n", 10, "/enforcement/f/between/1",
           "'db-1' is not a network");
    expect("limits: { loss: 1e-2 }\n", 10, "/limits/loss", "'1e-2' is not a number from 0 to 1");
    expect("limits: { loss: 2 }\n", 10, "/limits/loss", "use 0 to 1");
    expect("limits: { max_rate: 0x10 }\n", 10, "/limits/max_rate", "'0x10' is not a whole number");
    expect("enforcement: { f: { between: [web, data], syn_timeout: now } }\n", 10,
           "/enforcement/f/syn_timeout", "'now' is not a time");
    expect("limits: { max_rate: 99999999 }\n", 10, "/limits/max_rate", "use 1 to 10000000");
    expect("enforcement: { f: { between: [web, data], generic_timeout: 600000m } }\n", 10,
           "/enforcement/f/generic_timeout", "longer than 365 days");
    expect("enforcement: { f: { between: [web, data], generic_timeout: soon } }\n", 10,
           "/enforcement/f/generic_timeout", "'soon' is not a time");
    expect("load_balancers: { l: { address: 10.9.0.1, from: l, listeners: "
           "[ { port: tcp/1, backends: web } ] } }\n",
           10, "/load_balancers/l/from", "never a sender");
    expect("load_balancers: { l: { address: 10.9.0.1, from: web, listeners: "
           "[ { port: tcp/1, backends: any } ] } }\n",
           10, "/load_balancers/l/listeners/0/backends", "'l' is a load balancer");
}

static void lines_end_in_any_way(void **state)
{
    (void)state;
    struct topo t =
        topo_load("segproof: 1\r\nname: t\r\nnetworks: { n: { cidr: 10.0.0.0/8 } }\r\n"
                  "hosts:\r\n  h: { network: n, address: 10.0.0.1, probe: { via: tls } }");
    assert_int_equal(t.rc, SP_OK);
    assert_int_equal(t.model->nlines, 5);
    assert_string_equal(t.model->lines[0], "segproof: 1");
    assert_string_equal(t.model->lines[3], "hosts:");
    assert_non_null(strstr(t.model->lines[4], "via: tls"));
    /* SHA-256 is of the bytes as they are: known from sha256sum */
    topo_release(&t);
    t = topo_load(TOPO_BASE);
    assert_string_equal(t.model->sha256,
                        "e15fc7006cb74dc585089106349949258859891cd31bba170f6d5700d9f040ff");
    topo_release(&t);
}

/* A model gives back the bytes that it was loaded from, whatever its line breaks are. */
static void the_source_comes_back(void **state)
{
    static const char *const texts[] = {
        TOPO_BASE,
        "segproof: 1\r\nname: t\r\n\r\nnetworks:\n  a: { cidr: 10.0.0.0/8 }\n\n\n"
        "hosts:\r\n  h: { network: a, address: 10.0.0.1, probe: { via: local } }\r\n"
        "  i: { network: a, address: 10.0.0.2, probe: { via: local } }\n# end",
        "{\"segproof\": 1, \"name\": \"t\",\r\n \"networks\": {\"a\": {\"cidr\": \"10.0.0.0/8\"}},\n"
        "\"hosts\": {\"h\": {\"network\": \"a\", \"address\": \"10.0.0.1\", \"probe\": {\"via\": "
        "\"local\"}},\n \"i\": {\"network\": \"a\", \"address\": \"10.0.0.2\", \"probe\": {\"via\": "
        "\"local\"}}}}\r\n"};
    struct sp_buf out;
    (void)state;
    sp_buf_init(&out, SP_TOPOLOGY_MAX_BYTES);
    for (size_t i = 0; i < SP_ARRAY_LEN(texts); i++) {
        struct topo t = topo_load(texts[i]);
        assert_non_null(t.model);
        sp_buf_clear(&out);
        assert_int_equal(sp_topology_source(t.model, &out), SP_OK);
        assert_string_equal(sp_buf_text(&out), texts[i]);
        t.model->sha256[0] ^= 1; /* what does not fit its hash is not given out */
        sp_buf_clear(&out);
        assert_int_equal(sp_topology_source(t.model, &out), SP_E_INVALID);
        topo_release(&t);
    }
    sp_buf_release(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_example_of_the_design_loads),
        cmocka_unit_test(both_formats_give_one_model),
        cmocka_unit_test(the_source_comes_back),
        cmocka_unit_test(every_key_of_nodes_reaches_the_model),
        cmocka_unit_test(every_key_of_rules_reaches_the_model),
        cmocka_unit_test(networks_include_all_inside_them),
        cmocka_unit_test(mistakes_are_named_where_they_stand),
        cmocka_unit_test(lines_end_in_any_way),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
