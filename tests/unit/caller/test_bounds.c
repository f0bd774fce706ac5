/* SPDX-License-Identifier: Apache-2.0
 *
 * Whom the caller may talk to: what is not named exactly is not allowed. */
#include "probe/caller/bounds.h"

#include <string.h>

#include "tests/support/sp_cmocka.h"

static struct sp_addr addr(const char *text)
{
    struct sp_addr a;
    assert_int_equal(sp_addr_parse(text, &a), SP_OK);
    return a;
}

static void entries(void **state)
{
    static const char *const bad[] = {"",      "a",        "a:",      "a:0",    "a:65536",
                                      "a:x",   ":443",     "::1:443", "[::1]",  "[10.0.0.1]:1",
                                      "a b:1", "10.0.0:1", "[a]:443", "a:443 ", "a:+1"};
    struct sp_call_endpoint e;
    (void)state;
    assert_int_equal(sp_call_endpoint_parse("Registry.Example.:443", &e), SP_OK);
    assert_string_equal(e.name, "registry.example");
    assert_int_equal(e.port, 443);
    assert_int_equal(e.addr.family, SP_FAMILY_NONE);
    assert_int_equal(sp_call_endpoint_parse("192.0.2.1:1", &e), SP_OK);
    assert_int_equal(e.addr.family, SP_FAMILY_IPV4);
    assert_string_equal(e.name, "");
    assert_int_equal(sp_call_endpoint_parse("[2001:db8::1]:65535", &e), SP_OK);
    assert_int_equal(e.addr.family, SP_FAMILY_IPV6);
    for (size_t i = 0; i < SP_ARRAY_LEN(bad); i++) {
        if (sp_call_endpoint_parse(bad[i], &e) == SP_OK) {
            fail_msg("'%s' is taken for an endpoint", bad[i]);
        }
    }
}

static void only_what_is_named(void **state)
{
    struct sp_call_endpoint list[2];
    struct sp_addr server = addr("10.0.0.53");
    const struct sp_call_bounds none = {0};
    (void)state;
    assert_int_equal(sp_call_endpoint_parse("registry.example:443", &list[0]), SP_OK);
    assert_int_equal(sp_call_endpoint_parse("192.0.2.1:443", &list[1]), SP_OK);
    const struct sp_call_bounds bounds = {
        .endpoints = list, .n = 2, .servers = &server, .nservers = 1};
    struct sp_addr there = addr("192.0.2.1");
    struct sp_addr other = addr("192.0.2.2");
    assert_true(sp_call_may_name(&bounds, "registry.example", 443));
    assert_false(sp_call_may_name(&bounds, "registry.example", 80));
    assert_false(sp_call_may_name(&bounds, "a.registry.example", 443));
    assert_false(sp_call_may_name(&bounds, "", 443)); /* the entry of the address has no name */
    assert_true(sp_call_may_addr(&bounds, &there, 443));
    assert_false(sp_call_may_addr(&bounds, &there, 80));
    assert_false(sp_call_may_addr(&bounds, &other, 443));
    assert_false(sp_call_may_addr(&bounds, &(struct sp_addr){0}, 443));
    assert_true(sp_call_may_server(&bounds, &server));
    assert_false(sp_call_may_server(&bounds, &there));
    assert_false(sp_call_may_name(&none, "registry.example", 443));
    assert_false(sp_call_may_server(&none, &server));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(entries),
                                       cmocka_unit_test(only_what_is_named)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
