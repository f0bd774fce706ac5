/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "probe/base/mem.h"
#include "tests/support/model_builder.h"
#include "tests/support/sp_cmocka.h"
#include "topologies/plan.h"

/* Targets in order: web-1 web-2 db-1 dev-1 lb. */
static int setup(void **state)
{
    struct sp_model *m = sp_mb_new();
    (void)sp_mb_network(m, "prod", NULL, SP_NET_VPC, "10.10.0.0/16");
    (void)sp_mb_network(m, "web", "prod", SP_NET_SUBNET, "10.10.1.0/24");
    (void)sp_mb_network(m, "data", "prod", SP_NET_SUBNET, "10.10.2.0/24");
    (void)sp_mb_network(m, "dev", NULL, SP_NET_VPC, "10.20.0.0/16");
    uint32_t web = sp_mb_host(m, "web-1", "web", "10.10.1.11", "netns");
    (void)sp_mb_host(m, "web-2", "web", "10.10.1.12", "netns");
    uint32_t db = sp_mb_host(m, "db-1", "data", "10.10.2.11", "netns");
    (void)sp_mb_host(m, "dev-1", "dev", "10.20.0.11", "netns");
    sp_mb_label(m, web, "app", "web");
    sp_mb_label(m, web, "tier", "front");
    sp_mb_label(m, db, "app", "postgres");
    (void)sp_mb_balancer(m, "lb", "10.10.9.10");
    sp_mb_group(m, "front", "web-2,lb");
    *state = m;
    return 0;
}

static int teardown(void **state)
{
    sp_mb_free(*state);
    return 0;
}

/* The selection as text: a letter per target, '-' where it is not in. */
static void check(const struct sp_model *m, const char *selector, const char *want)
{
    struct sp_bits bits = {0};
    struct sp_diag diag = {0};
    char got[6] = "-----";
    assert_int_equal(sp_select(m, selector, &bits, &diag), SP_OK);
    assert_int_equal(bits.nbits, 5);
    for (size_t i = 0; i < 5; i++) {
        if (sp_bits_get(&bits, i)) {
            got[i] = "12dvl"[i];
        }
    }
    assert_string_equal(got, want);
    sp_bits_release(&bits);
}

static void names_and_lists_select(void **state)
{
    check(*state, "web-1", "1----");
    check(*state, "web", "12---");
    check(*state, "prod", "12d--"); /* descendants too */
    check(*state, "lb", "----l");
    check(*state, "front", "-2--l");
    check(*state, "any", "12dvl");
    check(*state, "label:app=web", "1----");
    check(*state, "web,db-1", "12d--");
    check(*state, "web,not:web-2", "1----");
    check(*state, "not:web-2,web", "1----"); /* order never matters */
    check(*state, "not:prod", "---vl");
    check(*state, "not:prod,not:lb", "---v-");
    check(*state, "not:label:app=postgres", "12-vl");
    check(*state, "not:any", "-----");
}

static void check_bad(const struct sp_model *m, const char *selector, enum sp_rc rc,
                      const char *words)
{
    struct sp_bits bits = {0};
    struct sp_diag diag = {0};
    assert_int_equal(sp_select(m, selector, &bits, &diag), rc);
    assert_null(bits.words);
    assert_string_equal(diag.where, ""); /* the text names it already */
    if (!strstr(diag.text, words)) {
        fail_msg("'%s' is not in '%s'", words, diag.text);
    }
}

static void mistakes_are_explained(void **state)
{
    check_bad(*state, "wbe-1", SP_E_INVALID, "there is no 'wbe-1'; did you mean 'web-1'?");
    check_bad(*state, "fornt", SP_E_INVALID, "did you mean 'front'?");
    check_bad(*state, "web,daat", SP_E_INVALID, "did you mean 'data'?");
    check_bad(*state, "zzzzzzz", SP_E_INVALID, "name a network, host, group or balancer");
    check_bad(*state, "", SP_E_INVALID, "empty part");
    check_bad(*state, "web,,dev", SP_E_INVALID, "empty part");
    check_bad(*state, "web,", SP_E_INVALID, "empty part");
    check_bad(*state, "label:app", SP_E_INVALID, "write label:key=value");
    check_bad(*state, "label:=x", SP_E_INVALID, "write label:key=value");
    check_bad(*state, "label:app=", SP_E_INVALID, "write label:key=value");
    check_bad(*state, "label:app=wb", SP_E_INVALID, "did you mean label:app=web?");
    check_bad(*state, "label:ap=web", SP_E_INVALID, "no host has the label ap=web");
    check_bad(*state, "not:", SP_E_INVALID, "there is no '");
    char name[400];
    memset(name, 'a', sizeof(name) - 1);
    name[sizeof(name) - 1] = '\0';
    check_bad(*state, name, SP_E_LIMIT, "at most 255 bytes");
    memset(name + 200, '\0', 1);
    check_bad(*state, name, SP_E_INVALID, "there is no '");
}

static void out_of_memory_is_told(void **state)
{
    for (size_t n = 1;; n++) {
        struct sp_bits bits = {0};
        struct sp_diag diag = {0};
        (void)sp_mem_fail_at(n, 0);
        enum sp_rc rc = sp_select(*state, "web,not:web-2", &bits, &diag);
        (void)sp_mem_fail_at(0, 0);
        if (rc == SP_OK) {
            assert_int_equal(n, 3);
            sp_bits_release(&bits);
            break;
        }
        assert_int_equal(rc, SP_E_NOMEM);
        assert_null(bits.words);
        assert_string_equal(diag.text, "out of memory");
    }
}

static void bits_keep_to_their_size(void **state)
{
    (void)state;
    struct sp_bits bits;
    assert_int_equal(sp_bits_init(&bits, 65), SP_OK);
    sp_bits_set(&bits, 0);
    sp_bits_set(&bits, 64);
    sp_bits_set(&bits, 65); /* outside: nothing */
    sp_bits_set(&bits, 127);
    assert_int_equal(sp_bits_count(&bits), 2);
    assert_true(sp_bits_get(&bits, 64));
    assert_false(sp_bits_get(&bits, 1));
    assert_false(sp_bits_get(&bits, 65));
    sp_bits_release(&bits);
    assert_int_equal(sp_bits_count(&bits), 0);
    assert_false(sp_bits_get(&bits, 0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(names_and_lists_select, setup, teardown),
        cmocka_unit_test_setup_teardown(mistakes_are_explained, setup, teardown),
        cmocka_unit_test_setup_teardown(out_of_memory_is_told, setup, teardown),
        cmocka_unit_test(bits_keep_to_their_size),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
