/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/topologies/topo.h"

static void nothing_can_be_freed(void **state)
{
    (void)state;
    sp_model_free(NULL);
    struct sp_model *empty = sp_calloc(1, sizeof(*empty));
    assert_non_null(empty);
    sp_model_free(empty);
}

static void bits_hold_targets(void **state)
{
    (void)state;
    struct sp_bits bits;
    for (size_t n = 0; n <= 130; n += 13) {
        assert_int_equal(sp_bits_init(&bits, n), SP_OK);
        assert_int_equal(sp_bits_count(&bits), 0);
        for (size_t i = 0; i < n; i += 3) {
            sp_bits_set(&bits, i);
        }
        sp_bits_set(&bits, n); /* outside: nothing happens */
        for (size_t i = 0; i < n + 70; i++) {
            assert_int_equal(sp_bits_get(&bits, i), i < n && i % 3 == 0);
        }
        assert_int_equal(sp_bits_count(&bits), (n + 2) / 3);
        sp_bits_release(&bits);
        assert_false(sp_bits_get(&bits, 0));
    }
}

static void questions_are_answered(void **state)
{
    (void)state;
    struct topo t = topo_load("segproof: 1\nname: t\nnetworks:\n"
                              "  prod: { cidr: 10.0.0.0/8, max_rate: 300 }\n"
                              "  web: { in: prod, cidr: 10.1.0.0/24, max_rate: 200 }\n"
                              "  data: { in: prod, cidr: 10.2.0.0/24 }\n"
                              "  dev: { cidr: 172.16.0.0/12 }\n"
                              "hosts:\n"
                              "  w: { network: web, address: 10.1.0.1, probe: { via: tls } }\n"
                              "  d: { network: data, address: 10.2.0.1, probe: { via: tls } }\n"
                              "  x: { network: dev, address: 172.16.0.1, probe: { via: tls } }\n"
                              "load_balancers: { lb: { address: 10.9.0.1, from: any, listeners:\n"
                              "  [ { port: tcp/1, backends: w } ] } }\n"
                              "enforcement:\n"
                              "  edge: { between: [prod, dev] }\n"
                              "  inner: { between: [web, data], layer: host }\n"
                              "limits: { max_rate: 1000 }\n");
    assert_int_equal(t.rc, SP_OK);
    const struct sp_model *m = t.model;
    assert_int_equal(sp_model_ntargets(m), 4);
    assert_string_equal(sp_model_target_name(m, 1), "d");
    assert_string_equal(sp_model_target_name(m, 3), "lb");
    assert_int_equal(sp_model_target_network(m, 1), 2);
    assert_int_equal(sp_model_target_network(m, 3), SP_NONE);
    assert_int_equal(sp_model_find_host(m, "x"), 2);
    assert_int_equal(sp_model_find_host(m, "lb"), SP_NONE);
    assert_true(sp_model_network_within(m, 1, 0));
    assert_true(sp_model_network_within(m, 1, 1));
    assert_false(sp_model_network_within(m, 0, 1));
    assert_false(sp_model_network_within(m, 3, 0));
    assert_int_equal(sp_model_root_network(m, 2), 0);
    assert_int_equal(sp_model_root_network(m, 3), 3);
    assert_int_equal(sp_model_root_network(m, SP_NONE), SP_NONE);
    assert_string_equal(sp_model_enforcement(m, 1, 2)->name, "inner");
    assert_string_equal(sp_model_enforcement(m, 3, 1)->name, "edge");
    assert_null(sp_model_enforcement(m, 1, 1));
    assert_null(sp_model_enforcement(m, 0, 1));
    assert_int_equal(sp_model_host_rate(m, 0), 200);
    assert_int_equal(sp_model_host_rate(m, 1), 300);
    assert_int_equal(sp_model_host_rate(m, 2), 1000);
    topo_release(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_can_be_freed),
        cmocka_unit_test(bits_hold_targets),
        cmocka_unit_test(questions_are_answered),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
