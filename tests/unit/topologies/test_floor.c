/* SPDX-License-Identifier: Apache-2.0
 *
 * What is declared of nodes: versions, sizes and shares; whom an entry means, and which one is
 * nearest; every mistake with its place. */
#include <stdio.h>

#include "tests/unit/topologies/topo.h"
#include "topologies/floor.h"

static void test_versions(void **state)
{
    static const struct {
        const char *have, *want;
        bool is_enough;
    } cases[] = {
        {"5.15.0-91-generic", "5.15", true},
        {"5.15.0-91-generic", "5.15.0", true},
        {"5.15.0-91-generic", "5.15.1", false},
        {"5.15.0-91-generic", "5.15.0-90", true},
        {"5.15.0-91-generic", "5.15.0-92", false},
        {"5.4.0", "5.15", false},
        {"5.15", "5.4", true},
        {"6.1.0-18-amd64", "5.15", true},
        {"10.0", "9.9", true},
        {"4.18.0-553.el8_10.x86_64", "4.18.0-553", true},
        {"4.18.0-553.el8_10.x86_64", "4.18.0-554", false},
        {"6", "6.0.0", true},
        {"6", "6.0.1", false},
        {"6.1.0-rc4", "6.1", false},
        {"6.1.0-rc4", "6.1.0", false},
        {"6.1.0-rc4", "6.1.0-rc3", true},
        {"6.1.0", "6.1.0-rc3", true},
        {"6.1.0-rc4", "6.0", true},
        {"6.1.1-rc1", "6.1", true},
        {"", "0.0.1", false},
        {"junk", "1", false},
        {"6.18.44-fc-v657", "6.18.44", true},
        {"99999999999999999999999999.1", "5", true},
    };
    (void)state;
    for (size_t i = 0; i < SP_ARRAY_LEN(cases); i++) {
        if (sp_version_at_least(cases[i].have, cases[i].want) != cases[i].is_enough) {
            fail_msg("%s >= %s", cases[i].have, cases[i].want);
        }
    }
    assert_true(sp_version_fits("5.15.0-91-generic", ">=5.15"));
    assert_true(sp_version_fits("5.15.0-91-generic", "5.15.0-91-generic"));
    assert_false(sp_version_fits("5.15.0-91-generic", "5.15"));
    assert_false(sp_version_fits("", ">=0"));
    assert_false(sp_version_fits("unknown", ">=0"));
}

static void test_numbers(void **state)
{
    static const char *const bad[] = {"", "4", "4%%", "101%", "%", "04%", "-1%", "4 %"};
    uint64_t bytes = 0;
    unsigned percent = 0;
    uint16_t low = 0;
    uint16_t high = 0;
    (void)state;
    assert_int_equal(sp_size_parse("4GiB", &bytes), SP_OK);
    assert_int_equal(bytes, UINT64_C(4) << 30);
    assert_int_equal(sp_size_parse("16GB", &bytes), SP_OK);
    assert_int_equal(bytes, UINT64_C(16000000000));
    assert_int_equal(sp_size_parse("12", &bytes), SP_OK);
    assert_int_equal(bytes, 12);
    assert_int_not_equal(sp_size_parse("4Gib", &bytes), SP_OK);
    assert_int_not_equal(sp_size_parse("GiB", &bytes), SP_OK);
    assert_int_not_equal(sp_size_parse("99999999999TiB", &bytes), SP_OK);
    assert_int_equal(bytes, 12);
    assert_int_equal(sp_percent_parse("20%", &percent), SP_OK);
    assert_int_equal(percent, 20);
    for (size_t i = 0; i < SP_ARRAY_LEN(bad); i++) {
        assert_int_not_equal(sp_percent_parse(bad[i], &percent), SP_OK);
    }
    assert_int_equal(sp_range_parse("1-65535", &low, &high), SP_OK);
    assert_int_equal(low, 1);
    assert_int_equal(high, 65535);
    assert_int_not_equal(sp_range_parse("5-4", &low, &high), SP_OK);
    assert_int_not_equal(sp_range_parse("1-65536", &low, &high), SP_OK);
    assert_int_not_equal(sp_range_parse("1", &low, &high), SP_OK);
    assert_int_not_equal(sp_range_parse("-2", &low, &high), SP_OK);
}

/* Hosts with roles: two nodes and an edge. */
#define ROLES                                                                                      \
    "segproof: 1\n"                                                                                \
    "name: t\n"                                                                                    \
    "networks: { web: { cidr: 10.1.0.0/24 } }\n"                                                   \
    "hosts:\n"                                                                                     \
    "  n1: { network: web, address: 10.1.0.1, role: node, labels: { app: x }, probe: { via: "      \
    "local } }\n"                                                                                  \
    "  n2: { network: web, address: 10.1.0.2, role: node, probe: { via: local } }\n"               \
    "  out: { network: web, address: 10.1.0.3, role: edge, probe: { via: local } }\n"              \
    "groups: { all: [n1, n2] }\n"                                                                  \
    "nodes:\n"

static void test_nearest(void **state)
{
    struct topo t = topo_load(ROLES "  any: { kernel: '>=4', cpus: 1, public_address: false }\n"
                                    "  node: { kernel: '>=5', public_address: false }\n"
                                    "  n1: { kernel: ['>=6', 6.1-special] }\n"
                                    "  'label:app=x': { cpus: 2 }\n"
                                    "  all: { cpus: 3, fips: true }\n");
    (void)state;
    topo_print_all(&t);
    assert_int_equal(t.rc, SP_OK);
    assert_int_equal(t.model->nfloors, 5);
    const struct sp_floor *any = &t.model->floors[0];
    const struct sp_floor *node = &t.model->floors[1];
    const struct sp_floor *own = &t.model->floors[2];
    const struct sp_floor *label = &t.model->floors[3];
    const struct sp_floor *group = &t.model->floors[4];
    assert_int_equal(own->lines[0].nwords, 2);
    assert_string_equal(own->lines[0].words[1], "6.1-special");
    assert_int_equal(own->lines[0].pos.line, 12);
    assert_true(sp_floor_counts(t.model, own, SP_FLOOR_KERNEL, 0));
    assert_false(sp_floor_counts(t.model, node, SP_FLOOR_KERNEL, 0));
    assert_true(sp_floor_counts(t.model, node, SP_FLOOR_KERNEL, 1));
    assert_false(sp_floor_counts(t.model, any, SP_FLOOR_KERNEL, 1));
    assert_true(sp_floor_counts(t.model, any, SP_FLOOR_KERNEL, 2));
    assert_false(sp_floor_counts(t.model, any, SP_FLOOR_CPUS, 0));
    assert_true(sp_floor_counts(t.model, label, SP_FLOOR_CPUS, 0)); /* equally near: both */
    assert_true(sp_floor_counts(t.model, group, SP_FLOOR_CPUS, 0));
    assert_false(sp_floor_counts(t.model, group, SP_FLOOR_OS, 0));
    assert_true(sp_floor_counts(t.model, node, SP_FLOOR_PUBLIC_ADDRESS, 0));
    /* What edge hosts are for. */
    assert_false(sp_floor_counts(t.model, any, SP_FLOOR_PUBLIC_ADDRESS, 2));
    topo_release(&t);
}

static void test_edge_by_name(void **state)
{
    struct topo t =
        topo_load(ROLES "  edge: { public_address: false, listeners: [] }\n"
                        "  n1: { kube_bench: { file: a.json, allow: [1.1.1, 4.2.6] } }\n"
                        "  n2: { kube_bench: b.json, disk_encryption: provider }\n");
    (void)state;
    topo_print_all(&t);
    assert_int_equal(t.rc, SP_OK);
    assert_true(sp_floor_counts(t.model, &t.model->floors[0], SP_FLOOR_PUBLIC_ADDRESS, 2));
    assert_int_equal(sp_floor_find(&t.model->floors[0], SP_FLOOR_LISTENERS)->nwords, 0);
    assert_int_equal(t.model->floors[1].lines[0].nwords, 3);
    assert_string_equal(t.model->floors[1].lines[0].words[0], "a.json");
    assert_string_equal(t.model->floors[1].lines[0].words[2], "4.2.6");
    assert_int_equal(t.model->floors[2].lines[0].nwords, 1);
    topo_release(&t);
}

static void test_mistakes(void **state)
{
    static const struct {
        const char *line, *words;
    } cases[] = {
        {"nod: { cpus: 1 }", "'nod' is no role of a host, and no host, group or network; did you "
                             "mean 'node'?"},
        {"node: { kernal: '>=5' }", "did you mean 'kernel'?"},
        {"node: { kernel: '>5' }", "compares in another way than >="},
        {"node: { memory: 4G }", "a size such as 4GiB"},
        {"node: { sshd: 'no' }", "must be true or false: remove the quotes"},
        {"node: { sshd: 0 }", "is not true or false"},
        {"node: { conntrack_free: 0.2 }", "a share such as 20%"},
        {"node: { port_range: 60999-32768 }", "a range of ports"},
        {"node: { disk_encryption: [/, provider] }", "`provider` says it all"},
        {"node: { drift: [none, os] }", "`none` says it all"},
        {"node: { drift: fibs }", "use none, kernel"},
        {"node: { disk_encryption: var }", "an absolute path"},
        {"node: { mitigations: false }", "write true, or leave it out"},
        {"node: { listeners: [icmp/echo] }", "no tcp or udp port"},
        {"node: { cpus: 0 }", "out of range"},
        {"node: { lockdown: full }", "use none, integrity or confidentiality"},
        {"node: { kube_bench: { allow: [1.1.1] } }", "the key 'file' is missing"},
        {"node: 7", "must be a mapping"},
    };
    (void)state;
    for (size_t i = 0; i < SP_ARRAY_LEN(cases); i++) {
        char text[1200];
        (void)snprintf(text, sizeof(text), "%s  %s\n", ROLES, cases[i].line);
        struct topo t = topo_load(text);
        const struct sp_problem *problem = topo_find(&t, cases[i].words);
        if (!problem || !problem->is_error) {
            topo_print_all(&t);
            fail_msg("%s: %s", cases[i].line, cases[i].words);
        } else {
            assert_int_equal(problem->pos.line, 10);
        }
        topo_release(&t);
    }
}

static void test_names_of_two_kinds(void **state)
{
    struct topo t = topo_load("segproof: 1\nname: t\nnetworks: { node: { cidr: 10.1.0.0/24 } }\n"
                              "hosts: { a: { network: node, address: 10.1.0.1, role: node, "
                              "probe: { via: local } } }\nnodes: { node: { cpus: 1 } }\n");
    (void)state;
    assert_non_null(topo_find(&t, "is the role of a host and also a name"));
    topo_release(&t);
}

static void test_lints(void **state)
{
    struct topo t = topo_load("segproof: 1\nname: t\nnetworks: { web: { cidr: 10.1.0.0/24 } }\n"
                              "hosts:\n"
                              "  a: { network: web, address: 10.1.0.1, role: node, probe: { via: "
                              "local } }\n"
                              "  b: { network: web, address: 10.1.0.2, role: dark }\n"
                              "  c: { network: web, address: 10.1.0.3, role: node }\n"
                              "nodes:\n"
                              "  dark: { cpus: 1 }\n"
                              "  node: { drift: none }\n"
                              "  a: {}\n");
    (void)state;
    assert_int_equal(t.rc, SP_OK);
    assert_non_null(topo_find(&t, "no host of 'dark' has a probe"));
    assert_non_null(topo_find(&t, "the host 'c' has no probe"));
    assert_non_null(topo_find(&t, "only one of 'node' has a probe"));
    assert_non_null(topo_find(&t, "nothing is declared of 'a'"));
    topo_release(&t);
}

static void test_torture(void **state)
{
    static const char text[] =
        ROLES "  node: { kernel: ['>=5', 6.1], lsm: [a, b], kube_bench: { file: f, allow: 1.1 } }\n"
              "  n1: { drift: none, listeners: [tcp/1, udp/2-3] }\n"
              "  'label:app=x': { sshd: false }\n";
    (void)state;
    for (size_t nth = 1;; nth++) {
        struct sp_model *model = NULL;
        struct sp_problems problems = {0};
        (void)sp_mem_fail_at(nth, 0);
        enum sp_rc rc = sp_topology_load_text("t", text, strlen(text), &model, &problems);
        bool all = sp_mem_fail_at(0, 0) < nth;
        sp_model_free(model);
        sp_problems_release(&problems);
        assert_int_equal(rc, all ? SP_OK : SP_E_NOMEM);
        if (all) {
            break;
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_versions), cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_nearest),  cmocka_unit_test(test_edge_by_name),
        cmocka_unit_test(test_mistakes), cmocka_unit_test(test_names_of_two_kinds),
        cmocka_unit_test(test_lints),    cmocka_unit_test(test_torture),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
