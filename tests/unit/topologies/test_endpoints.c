/* SPDX-License-Identifier: Apache-2.0
 *
 * Endpoints from the file to the model: what is read, what is left to its default, what is wrong.
 */
#include "tests/unit/topologies/topo.h"
#include "topologies/endpoint.h"

#define WORLD(endpoints)                                                                           \
    "segproof: 1\nname: e\nnetworks: { n: { cidr: 10.0.0.0/8 } }\n"                                \
    "hosts:\n  h: { network: n, address: 10.0.0.1, probe: { via: local } }\n"                      \
    "  old: { network: n, address: 10.0.0.2, probe: none }\n"                                      \
    "services: { web: [tcp/443, tcp/8443], dns: udp/53 }\n"                                        \
    "endpoints:\n" endpoints

static void everything(void **state)
{
    struct topo t = topo_load(WORLD(
        "  r: { host: GCR.io., address: [192.0.2.1, '2001:db8::1'], ports: [web, tcp/443, tcp/80], "
        "from: [h, old], expect: open, tls: { sni: a.example, alpn: [h2, http/1.1], ca: ca.crt, "
        "issuer: O=Google, min_days: 14, cleartext: allowed }, http: { path: /v2/, status: [200, "
        "401] }, redirects: [Storage.example], dns: { server: 10.0.0.53, transport: [udp, tcp] }, "
        "timeout: 3s, why: images }\n"));
    (void)state;
    if (t.rc != SP_OK) {
        topo_print_all(&t);
    }
    assert_int_equal(t.rc, SP_OK);
    assert_int_equal(t.model->nendpoints, 1);
    const struct sp_endpoint *e = &t.model->endpoints[0];
    assert_string_equal(e->name, "r");
    assert_string_equal(e->host, "gcr.io");
    assert_int_equal(e->naddrs, 2);
    assert_int_equal(e->nports, 3); /* each once */
    assert_int_equal(e->ports[1], 8443);
    assert_int_equal(sp_bits_count(&e->from), 2);
    assert_true(e->is_tls && e->is_clear_allowed && !e->is_closed);
    assert_string_equal(e->sni, "a.example");
    assert_int_equal(e->nalpn, 2);
    assert_string_equal(e->ca, "ca.crt");
    assert_string_equal(e->issuer, "O=Google");
    assert_int_equal(e->min_days, 14);
    assert_string_equal(e->path, "/v2/");
    assert_int_equal(e->nstatus, 2);
    assert_int_equal(e->status[1], 401);
    assert_string_equal(e->redirects[0], "storage.example");
    assert_int_equal(e->nservers, 1);
    assert_true(e->by_udp && e->by_tcp);
    assert_int_equal(e->step_ms, 3000);
    topo_release(&t);
}

static void defaults(void **state)
{
    struct topo t = topo_load(WORLD(
        "  a: { host: 192.0.2.1, ports: tcp/9900, tls: required }\n"
        "  b: { host: b.example, ports: tcp/80, http: { path: / }, dns: { transport: tcp } }\n"
        "  c: { host: b.example, ports: tcp/80, tls: { ca: system } }\n"));
    (void)state;
    assert_int_equal(t.rc, SP_OK);
    const struct sp_endpoint *e = t.model->endpoints;
    assert_int_equal(e[0].addr.family, SP_FAMILY_IPV4);
    assert_true(e[0].is_tls && !e[0].is_clear_allowed);
    assert_null(e[0].path);
    assert_int_equal(sp_bits_count(&e[0].from), 1); /* who has a probe */
    assert_int_equal(e[0].step_ms, SP_ENDPOINT_DEFAULT_STEP_MS);
    assert_int_equal(e[1].nstatus, 1);
    assert_int_equal(e[1].status[0], 200);
    assert_true(e[1].by_tcp && !e[1].by_udp);
    assert_null(e[2].ca);
    assert_true(e[2].by_udp && !e[2].by_tcp);
    topo_release(&t);
}

static void what_is_wrong(void **state)
{
    static const struct {
        const char *text, *words;
    } rows[] = {
        {WORLD("  a: { ports: tcp/443 }\n"), "'host' is missing"},
        {WORLD("  a: { host: a.example }\n"), "'ports' is missing"},
        {WORLD("  a: { host: 'a b', ports: tcp/443 }\n"), "is not a name such as"},
        {WORLD("  a: { host: 127.0.0.1, ports: tcp/443 }\n"), "cannot be tested"},
        {WORLD("  a: { host: a.example, ports: udp/443 }\n"), "is not a single tcp port"},
        {WORLD("  a: { host: a.example, ports: tcp/1-9 }\n"), "is not a single tcp port"},
        {WORLD("  a: { host: a.example, ports: dns }\n"), "is not a single tcp port"},
        {WORLD("  a: { host: a.example, ports: wob }\n"), "neither a service"},
        {WORLD("  a: { host: a.example, ports: tcp/1, from: nobody }\n"), "nobody"},
        {WORLD("  a: { host: a.example, ports: tcp/1, expect: shut }\n"), "open or closed"},
        {WORLD("  a: { host: a.example, ports: tcp/1, tls: yes }\n"), "required"},
        {WORLD("  a: { host: a.example, ports: tcp/1, tls: { sni: 192.0.2.1 } }\n"), "SNI"},
        {WORLD("  a: { host: a.example, ports: tcp/1, tls: { snj: a } }\n"), "did you mean 'sni'"},
        {WORLD("  a: { host: a.example, ports: tcp/1, tls: { min_days: 9999 } }\n"),
         "out of range"},
        {WORLD("  a: { host: a.example, ports: tcp/1, http: { path: v2 } }\n"), "path such as"},
        {WORLD("  a: { host: a.example, ports: tcp/1, http: { path: /, status: 99 } }\n"),
         "out of range"},
        {WORLD("  a: { host: a.example, ports: tcp/1, redirects: b.example }\n"), "give it http"},
        {WORLD("  a: { host: a.example, ports: tcp/1, http: { path: / }, redirects: 192.0.2.1 }\n"),
         "redirects lead to names"},
        {WORLD("  a: { host: a.example, ports: tcp/1, timeout: 10ms }\n"), "100ms to 60s"},
        {WORLD("  a: { host: a.example, ports: tcp/1, timeout: 61s }\n"), "100ms to 60s"},
        {WORLD("  a: { host: a.example, ports: tcp/1, dns: { transport: quic } }\n"), "udp or tcp"},
        {WORLD("  a: { host: 192.0.2.1, ports: tcp/1, dns: { server: 10.0.0.1 } }\n"),
         "no name server is asked for"},
        {WORLD("  a: { host: 192.0.2.1, ports: tcp/1, expect: closed, tls: required }\n"),
         "answers nothing"},
        {WORLD("  a: { host: 192.0.2.1, ports: tcp/1, expect: closed, timeout: 1s }\n"),
         "at least 2s"},
    };
    (void)state;
    for (size_t i = 0; i < SP_ARRAY_LEN(rows); i++) {
        struct topo t = topo_load(rows[i].text);
        const struct sp_problem *problem = topo_find(&t, rows[i].words);
        if (!problem || !problem->is_error) {
            topo_print_all(&t);
            fail_msg("row %zu: nothing is said of '%s'", i, rows[i].words);
            return;
        }
        assert_int_equal(problem->pos.line, 9);
        topo_release(&t);
    }
}

static void warnings(void **state)
{
    struct topo t = topo_load(WORLD("  a: { host: a.example, ports: tcp/1, expect: closed }\n"
                                    "  b: { host: a.example, ports: tcp/1, from: old }\n"));
    (void)state;
    assert_int_equal(t.rc, SP_OK);
    assert_non_null(topo_find(&t, "give it an address"));
    assert_non_null(topo_find(&t, "nobody looks"));
    topo_release(&t);
}

/* Every allocation fails once: nothing leaks, nothing is half there. */
static void out_of_memory(void **state)
{
    static const char text[] = WORLD(
        "  r: { host: a.example, ports: web, address: 192.0.2.1, tls: { sni: b.example, alpn: h2, "
        "ca: c, issuer: d }, http: { path: / }, redirects: c.example, dns: { server: 10.0.0.1 } }\n");
    (void)state;
    for (size_t nth = 1; nth < 5000; nth++) {
        struct sp_model *model = NULL;
        struct sp_problems problems = {0};
        (void)sp_mem_fail_at(nth, 1);
        enum sp_rc rc = sp_topology_load_text("t.yaml", text, sizeof(text) - 1, &model, &problems);
        (void)sp_mem_fail_at(0, 0);
        assert_true(rc == SP_OK || rc == SP_E_NOMEM);
        sp_model_free(model);
        sp_problems_release(&problems);
        if (rc == SP_OK) {
            return;
        }
    }
    fail_msg("it never had enough");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(everything), cmocka_unit_test(defaults),
                                       cmocka_unit_test(what_is_wrong), cmocka_unit_test(warnings),
                                       cmocka_unit_test(out_of_memory)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
