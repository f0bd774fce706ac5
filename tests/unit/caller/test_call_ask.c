/* SPDX-License-Identifier: Apache-2.0
 *
 * Questions: every field checked, nothing beyond the bounds. */
#include "probe/caller/call_ask.h"

#include <stdio.h>
#include <string.h>

#include "tests/support/sp_cmocka.h"

static enum sp_rc ask(const char *text, struct sp_call_ask *ret)
{
    struct sp_call_endpoint list[2];
    struct sp_addr server;
    struct sp_diag diag = {0};
    assert_int_equal(sp_call_endpoint_parse("registry.example:443", &list[0]), SP_OK);
    assert_int_equal(sp_call_endpoint_parse("192.0.2.1:443", &list[1]), SP_OK);
    assert_int_equal(sp_addr_parse("10.0.0.53", &server), SP_OK);
    const struct sp_call_bounds bounds = {
        .endpoints = list, .n = 2, .servers = &server, .nservers = 1};
    enum sp_rc rc = sp_call_ask_read(&bounds, text, strlen(text), ret, &diag);
    assert_int_equal(rc == SP_OK, diag.text[0] == '\0');
    return rc;
}

static void a_whole_question(void **state)
{
    struct sp_call_ask q;
    (void)state;
    assert_int_equal(ask("name=Registry.example.\naddr=192.0.2.1\nport=443\nserver=10.0.0.53\n"
                         "transport=tcp\nstep_ms=250\ntls=1\nsni=a.example\nalpn=h2\n"
                         "alpn=http/1.1\nca=x%0Ay\npath=/v2/\nclear=1\n",
                         &q),
                     SP_OK);
    assert_string_equal(q.name, "registry.example");
    assert_string_equal(q.sni, "a.example");
    assert_int_equal(q.naddrs, 1);
    assert_int_equal(q.port, 443);
    assert_int_equal(q.nservers, 1);
    assert_false(q.by_udp);
    assert_true(q.by_tcp && q.is_tls && q.is_clear && q.is_http);
    assert_int_equal(q.step_ms, 250);
    assert_int_equal(q.alpn_len, 12);
    assert_memory_equal(q.alpn, "\x02h2\x08http/1.1", 12);
    assert_string_equal(q.ca, "x\ny");
    assert_string_equal(q.path, "/v2/");
    sp_call_ask_release(&q);
}

static void what_is_wrong(void **state)
{
    static const char *const bad[] = {
        "",
        "port=443\n",
        "name=registry.example\n",
        "name=registry.example\nport=0\n",
        "name=registry.example\nport=443\nstep_ms=1\n",
        "name=registry.example\nport=443\nstep_ms=9999999\n",
        "name=registry.example\nport=443\ntransport=icmp\n",
        "name=registry.example\nport=443\nunknown=1\n",
        "name=registry.example\nport=443\npath=v2\n",
        "name=registry.example\nport=443\npath=/a%0D%0AX: y\n",
        "name=registry.example\nport=443\npath=/a b\n",
        "name=registry.example\nport=443\nalpn=\n",
        "name=registry.example\nport=443\nname=a%00b\n",
        "name=registry.example\nport=443\nno line",
        "name=-\nport=443\n",
    };
    static const char *const denied[] = {
        "name=registry.example\nport=80\n",
        "name=other.example\nport=443\n",
        "addr=192.0.2.2\nport=443\n",
        "name=registry.example\naddr=192.0.2.2\nport=443\n",
        "name=registry.example\nport=443\nserver=10.0.0.54\n",
    };
    struct sp_call_ask q;
    (void)state;
    for (size_t i = 0; i < SP_ARRAY_LEN(bad); i++) {
        if (ask(bad[i], &q) != SP_E_INVALID) {
            fail_msg("number %zu is taken for a question", i);
        }
    }
    for (size_t i = 0; i < SP_ARRAY_LEN(denied); i++) {
        if (ask(denied[i], &q) != SP_E_DENIED) {
            fail_msg("number %zu is allowed", i);
        }
    }
}

static void too_much(void **state)
{
    char text[8192] = "name=registry.example\nport=443\n";
    struct sp_call_ask q;
    (void)state;
    for (unsigned i = 0; i <= SP_CALL_ADDRS; i++) {
        (void)snprintf(text + strlen(text), sizeof(text) - strlen(text), "addr=192.0.2.1\n");
    }
    assert_int_equal(ask(text, &q), SP_E_INVALID);
    (void)snprintf(text, sizeof(text), "name=registry.example\nport=443\npath=/%0600d\n", 0);
    assert_int_equal(ask(text, &q), SP_E_INVALID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(a_whole_question),
                                       cmocka_unit_test(what_is_wrong), cmocka_unit_test(too_much)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
