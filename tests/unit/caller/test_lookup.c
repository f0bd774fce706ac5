/* SPDX-License-Identifier: Apache-2.0
 *
 * The name servers of a host, and a lookup without any. */
#include "probe/caller/lookup.h"

#include <string.h>

#include "tests/support/sp_cmocka.h"

static void resolv_conf(void **state)
{
    static const char text[] =
        "# nameserver 10.0.0.9\nnameserver 10.0.0.1\nnameserver\t fd00::1 \r\n"
        "nameserverx 10.0.0.2\nnameserver fe80::1%eth0\nsearch a.example\n"
        "nameserver 10.0.0.3";
    struct sp_addr out[SP_LOOKUP_SERVERS];
    (void)state;
    assert_int_equal(sp_lookup_servers(text, sizeof(text) - 1, out), 3);
    assert_int_equal(out[0].bytes[3], 1);
    assert_int_equal(out[1].family, SP_FAMILY_IPV6);
    assert_int_equal(out[2].bytes[3], 3);
    for (size_t n = 0; n < sizeof(text); n++) {
        assert_true(sp_lookup_servers(text, n, out) <= 3);
    }
}

static void on_done(struct sp_lookup *lookup, void *arg)
{
    unsigned *calls = arg;
    assert_int_equal(lookup->state, SP_LOOKUP_LOCAL);
    ++*calls;
}

static void nobody_to_ask(void **state)
{
    unsigned calls = 0;
    struct sp_lookup lookup = {
        .name = "a.example", .type = SP_DNS_A, .step_ms = 100, .done = on_done, .arg = &calls};
    (void)state;
    sp_lookup_start(&lookup);
    assert_int_equal(calls, 1);
    sp_lookup_release(&lookup);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(resolv_conf),
                                       cmocka_unit_test(nobody_to_ask)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
