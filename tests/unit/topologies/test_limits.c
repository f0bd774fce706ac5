/* SPDX-License-Identifier: Apache-2.0
 *
 * The loader at its limits: cut, oversized, hostile and unreadable input, and no memory. */
#include <stdio.h>
#include <unistd.h>

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

static struct sp_buf read_file(const char *file)
{
    struct sp_buf text;
    struct sp_problems none = {0};
    assert_int_equal(sp_topology_read(file, &text, &none, NULL), SP_OK);
    return text;
}

static void expect(const char *more, const char *pointer, const char *words)
{
    struct sp_buf text;
    sp_buf_init(&text, 1U << 20);
    sp_buf_str(&text, TOPO_BASE);
    sp_buf_str(&text, more);
    struct topo t = topo_load(sp_buf_text(&text));
    const struct sp_problem *p = topo_find(&t, words);
    assert_non_null(p);
    assert_string_equal(p->pointer, pointer);
    topo_release(&t);
    sp_buf_release(&text);
}

static void groups_have_bounds(void **state)
{
    (void)state;
    struct sp_buf text;
    sp_buf_init(&text, 1U << 20);
    sp_buf_str(&text, "groups:\n");
    for (int i = 0; i < 40; i++) {
        sp_buf_fmt(&text, "  g%d: g%d\n", i, i + 1);
    }
    sp_buf_str(&text, "  g40: web-1\n");
    expect(sp_buf_text(&text), "/groups/g31", "groups nest deeper than 32");
    sp_buf_release(&text);
    expect("groups: { a: b, b: c, c: a }\n", "/groups/c", "the group 'a' contains itself");
}

static void networks_have_bounds(void **state)
{
    (void)state;
    struct sp_buf text;
    sp_buf_init(&text, 1U << 20);
    sp_buf_str(&text, "segproof: 1\nname: t\nnetworks:\n  n0: { cidr: 10.0.0.0/8 }\n");
    for (int i = 1; i < 40; i++) {
        sp_buf_fmt(&text, "  n%d: { in: n%d, cidr: 10.0.0.0/8 }\n", i, i - 1);
    }
    sp_buf_str(&text, "hosts: { h: { network: n39, address: 10.0.0.1, probe: { via: local } } }\n");
    struct topo t = topo_load(sp_buf_text(&text));
    assert_non_null(topo_find(&t, "networks nest deeper than 32 levels at 'n32'"));
    topo_release(&t);
    sp_buf_release(&text);
    t = topo_load("segproof: 1\nname: t\nnetworks:\n  a: { in: a, cidr: 10.0.0.0/8 }\n"
                  "hosts: { h: { network: a, address: 10.0.0.1, probe: { via: local } } }\n");
    assert_non_null(topo_find(&t, "the network 'a' lies inside itself"));
    topo_release(&t);
}

static void too_much_memory_is_refused_in_words(void **state)
{
    (void)state;
    struct sp_buf text;
    sp_buf_init(&text, SP_TOPOLOGY_MAX_BYTES);
    sp_buf_str(&text, "segproof: 1\nname: t\nnetworks: { n: { cidr: 10.0.0.0/8 } }\nhosts:\n");
    for (unsigned i = 0; i < 60000; i++) {
        sp_buf_fmt(&text, "  h%u: {network: n, address: 10.%u.%u.%u, probe: {via: tls}}\n", i,
                   i >> 16, i >> 8 & 255, i & 255);
    }
    sp_buf_str(&text, "policies:\n");
    for (unsigned i = 0; i < 40000; i++) {
        sp_buf_fmt(&text, "  - {name: p%u, from: h1, to: h2, allow: tcp/1}\n", i);
    }
    struct topo t = topo_load(sp_buf_text(&text));
    assert_int_equal(t.rc, SP_E_INVALID);
    const struct sp_problem *p = topo_find(&t, "split the topology");
    assert_non_null(p);
    assert_string_equal(p->pointer, "/policies");
    topo_release(&t);
    sp_buf_release(&text);
}

/* Small texts that repeat a large list. */
static void lists_do_not_multiply(void **state)
{
    (void)state;
    struct sp_buf text;
    sp_buf_init(&text, SP_TOPOLOGY_MAX_BYTES);
    sp_buf_str(&text, "services: { s: [tcp/1");
    for (unsigned i = 2; i <= 4096; i++) {
        sp_buf_fmt(&text, ", tcp/%u", i);
    }
    sp_buf_str(&text, "] }\npolicies: [ { name: p, from: web, to: data, allow: [s");
    for (unsigned i = 1; i < 1000; i++) {
        sp_buf_str(&text, ", s");
    }
    sp_buf_str(&text, "] } ]\n");
    expect(sp_buf_text(&text), "/policies/0/allow", "name more than 4000000 ports");
    sp_buf_clear(&text);
    sp_buf_str(&text, "segproof: 1\nname: t\nnetworks: { n: { cidr: 10.0.0.0/8 } }\nhosts:\n");
    for (unsigned i = 0; i < 2000; i++) {
        sp_buf_fmt(&text, "  h%u: { network: n, address: 10.0.%u.%u, probe: { via: tls } }\n", i,
                   i >> 8, i & 255);
    }
    sp_buf_str(&text, "load_balancers:\n  l: { address: 10.9.0.1, from: h0, listeners: [\n");
    for (unsigned i = 1; i <= 2001; i++) {
        sp_buf_fmt(&text, "    { port: tcp/%u, backends: n },\n", i);
    }
    sp_buf_str(&text, "  ] }\n");
    struct topo t = topo_load(sp_buf_text(&text));
    const struct sp_problem *p = topo_find(&t, "more than 4000000 backends");
    assert_non_null(p);
    assert_string_equal(p->pointer, "/load_balancers/l/listeners/2000/backends");
    topo_release(&t);
    sp_buf_release(&text);
}

static void every_prefix_gives_an_answer(void **state)
{
    (void)state;
    static const char *const files[] = {EXAMPLES "shop.yaml", EXAMPLES "minimal.yaml",
                                        EXAMPLES "minimal.json"};
    sp_clock_inject(NULL, topo_wall_s);
    for (size_t f = 0; f < SP_ARRAY_LEN(files); f++) {
        struct sp_buf text = read_file(files[f]);
        for (size_t len = 0; len < text.len; len++) {
            struct topo t = {0};
            /* a copy of exactly this length, so that a read past its end is seen */
            char *copy = sp_memdup(text.data, len);
            assert_non_null(copy);
            t.rc = sp_topology_load_text("t", copy, len, &t.model, &t.problems);
            assert_true(t.rc == SP_OK || t.rc == SP_E_INVALID);
            assert_int_equal(t.rc == SP_OK, t.model != NULL);
            assert_int_equal(t.rc == SP_OK, t.problems.nerrors == 0);
            /* the beginning of JSON is no JSON */
            assert_true(t.rc == SP_E_INVALID || f < 2 || copy[len - 1] == '}');
            topo_release(&t);
            sp_free(copy);
        }
        sp_buf_release(&text);
    }
}

static void every_failing_allocation_is_survived(void **state)
{
    (void)state;
    struct sp_buf shop = read_file(EXAMPLES "shop.yaml");
    struct sp_buf bad = read_file("tests/golden/topologies/keys.yaml");
    struct sp_buf rules = read_file("tests/golden/topologies/rules.yaml");
    const struct sp_buf *texts[] = {&shop, &bad, &rules};
    sp_clock_inject(NULL, topo_wall_s);
    for (size_t i = 0; i < SP_ARRAY_LEN(texts); i++) {
        for (size_t n = 1;; n++) {
            struct topo t = {0};
            sp_mem_fail_at(n, n % 2);
            t.rc = sp_topology_load_text("t", texts[i]->data, texts[i]->len, &t.model, &t.problems);
            size_t asked = sp_mem_fail_at(0, 0);
            bool failed = asked >= n;
            assert_int_equal(t.rc, failed ? SP_E_NOMEM : i == 0 ? SP_OK : SP_E_INVALID);
            assert_int_equal(t.model != NULL, t.rc == SP_OK);
            topo_release(&t);
            if (!failed) {
                break;
            }
        }
    }
    sp_buf_release(&shop);
    sp_buf_release(&bad);
    sp_buf_release(&rules);
}

/* A file of the given size without content on disk. */
static void make_sparse(char *path, off_t size)
{
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(ftruncate(fd, size), 0);
    assert_int_equal(close(fd), 0);
}

static void files_are_read_with_limits(void **state)
{
    (void)state;
    struct topo t = {0};
    struct sp_diag diag = {0};
    t.rc = sp_topology_load_file("/nonexistent/x.yaml", &t.model, &t.problems, &diag);
    assert_int_equal(t.rc, SP_E_SYSTEM);
    assert_string_equal(diag.where, "/nonexistent/x.yaml");
    assert_non_null(strstr(diag.text, "No such file"));
    t.rc = sp_topology_load_file("/", &t.model, &t.problems, &diag);
    assert_int_equal(t.rc, SP_E_SYSTEM);
    assert_non_null(strstr(diag.text, "directory"));

    char large[] = "/tmp/sp_topology_XXXXXX";
    make_sparse(large, 100 << 20);
    sp_mem_fail_at(100, 0);
    t.rc = sp_topology_load_file(large, &t.model, &t.problems, &diag);
    assert_true(sp_mem_fail_at(0, 0) < 10); /* refused before it is read */
    assert_int_equal(t.rc, SP_E_INVALID);
    assert_non_null(topo_find(&t, "larger than 64 MiB"));
    topo_release(&t);
    assert_int_equal(truncate(large, 1000), 0); /* NULs */
    t = load_file(large);
    assert_int_equal(t.rc, SP_E_INVALID);
    topo_release(&t);
    assert_int_equal(truncate(large, 0), 0);
    t = load_file(large);
    assert_int_equal(t.rc, SP_E_INVALID);
    assert_non_null(topo_find(&t, "the file is empty"));
    topo_release(&t);
    assert_int_equal(unlink(large), 0);

    static char text[1];
    t = (struct topo){0};
    t.rc =
        sp_topology_load_text("t", text, (size_t)SP_TOPOLOGY_MAX_BYTES + 1, &t.model, &t.problems);
    assert_int_equal(t.rc, SP_E_INVALID);
    assert_non_null(topo_find(&t, "larger than 64 MiB"));
    topo_release(&t);
}

static void standard_input_is_a_file_too(void **state)
{
    (void)state;
    int fds[2];
    int keep = dup(STDIN_FILENO);
    assert_int_equal(pipe(fds), 0);
    assert_int_equal(write(fds[1], TOPO_BASE, strlen(TOPO_BASE)), (ssize_t)strlen(TOPO_BASE));
    assert_int_equal(close(fds[1]), 0);
    assert_int_equal(dup2(fds[0], STDIN_FILENO), STDIN_FILENO);
    struct topo t = load_file("-");
    assert_int_equal(t.rc, SP_OK);
    topo_release(&t);
    if (keep >= 0) {
        (void)dup2(keep, STDIN_FILENO);
        (void)close(keep);
    }
    (void)close(fds[0]);
}

static void only_a_mapping_is_a_topology(void **state)
{
    (void)state;
    static const char *const texts[] = {"- a\n", "word\n", "[]", "~\n", "null"};
    for (size_t i = 0; i < SP_ARRAY_LEN(texts); i++) {
        struct topo t = topo_load(texts[i]);
        assert_int_equal(t.rc, SP_E_INVALID);
        assert_int_equal(t.problems.nerrors, 1);
        topo_release(&t);
    }
    struct topo t = topo_load("{}");
    assert_int_equal(t.problems.nerrors, 4); /* the four keys that are required */
    topo_release(&t);
}

static void bombs_cost_nothing(void **state)
{
    (void)state;
    struct topo t = topo_load("a: &a [x, x, x, x, x, x, x, x, x]\n"
                              "b: &b [*a, *a, *a, *a, *a, *a, *a, *a, *a]\n"
                              "c: &c [*b, *b, *b, *b, *b, *b, *b, *b, *b]\n"
                              "d: [*c, *c, *c, *c, *c, *c, *c, *c, *c]\n");
    assert_int_equal(t.rc, SP_E_INVALID);
    assert_non_null(topo_find(&t, "aliases (*name) are not supported"));
    topo_release(&t);
}

static void a_large_topology_loads(void **state)
{
    (void)state;
    struct sp_buf text;
    sp_buf_init(&text, SP_TOPOLOGY_MAX_BYTES);
    sp_buf_str(&text, "segproof: 1\nname: large\nnetworks:\n");
    for (unsigned i = 0; i < 500; i++) {
        sp_buf_fmt(&text, "  n%u: { cidr: 10.%u.%u.0/24 }\n", i, i / 250, i % 250);
    }
    sp_buf_str(&text, "hosts:\n");
    for (unsigned i = 0; i < 2000; i++) {
        sp_buf_fmt(&text, "  h%u: { network: n%u, address: 10.%u.%u.%u, probe: { via: tls } }\n", i,
                   i % 500, i % 500 / 250, i % 500 % 250, i / 500 + 1);
    }
    sp_buf_str(&text, "policies:\n");
    for (unsigned i = 0; i < 10000; i++) {
        sp_buf_fmt(&text, "  - { name: p%u, from: n%u, to: [n%u, h%u], allow: tcp/%u }\n", i,
                   i % 500, (i * 7 + 1) % 500, i % 2000, i % 60000 + 1);
    }
    struct topo t = topo_load(sp_buf_text(&text));
    assert_int_equal(t.rc, SP_OK);
    assert_int_equal(t.model->nrules, 10000);
    assert_int_equal(sp_bits_count(&t.model->rules[1].from), 4);
    topo_release(&t);
    sp_buf_release(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(groups_have_bounds),
        cmocka_unit_test(networks_have_bounds),
        cmocka_unit_test(too_much_memory_is_refused_in_words),
        cmocka_unit_test(lists_do_not_multiply),
        cmocka_unit_test(every_prefix_gives_an_answer),
        cmocka_unit_test(every_failing_allocation_is_survived),
        cmocka_unit_test(files_are_read_with_limits),
        cmocka_unit_test(standard_input_is_a_file_too),
        cmocka_unit_test(only_a_mapping_is_a_topology),
        cmocka_unit_test(bombs_cost_nothing),
        cmocka_unit_test(a_large_topology_loads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
