/* SPDX-License-Identifier: Apache-2.0
 *
 * Protocols and ports as policies write them. */
#include "tests/support/sp_cmocka.h"

#include <stdio.h>
#include <string.h>

#include "probe/base/proto.h"

static const struct {
    const char *text;
    uint8_t proto;
    uint8_t is_wild;
    uint16_t lo, hi;
    const char *printed; /* NULL: as written */
} good[] = {
    {"tcp/22", SP_PROTO_TCP, 0, 22, 22, NULL},
    {"tcp/1", SP_PROTO_TCP, 0, 1, 1, NULL},
    {"tcp/65535", SP_PROTO_TCP, 0, 65535, 65535, NULL},
    {"tcp/8000-8100", SP_PROTO_TCP, 0, 8000, 8100, NULL},
    {"tcp/1-65535", SP_PROTO_TCP, 0, 1, 65535, NULL},
    {"tcp/80-80", SP_PROTO_TCP, 0, 80, 80, "tcp/80"},
    {"tcp/*", SP_PROTO_TCP, 1, 1, 65535, NULL},
    {"udp/53", SP_PROTO_UDP, 0, 53, 53, NULL},
    {"udp/*", SP_PROTO_UDP, 1, 1, 65535, NULL},
    {"sctp/36412", SP_PROTO_SCTP, 0, 36412, 36412, NULL},
    {"sctp/*", SP_PROTO_SCTP, 1, 1, 65535, NULL},
    {"icmp/echo", SP_PROTO_ICMP, 0, 0x0800, 0x08ff, NULL},
    {"icmp/8", SP_PROTO_ICMP, 0, 0x0800, 0x08ff, "icmp/echo"},
    {"icmp/echo-reply", SP_PROTO_ICMP, 0, 0x0000, 0x00ff, NULL},
    {"icmp/unreachable", SP_PROTO_ICMP, 0, 0x0300, 0x03ff, NULL},
    {"icmp/time-exceeded", SP_PROTO_ICMP, 0, 0x0b00, 0x0bff, NULL},
    {"icmp/timestamp", SP_PROTO_ICMP, 0, 0x0d00, 0x0dff, NULL},
    {"icmp/3.4", SP_PROTO_ICMP, 0, 0x0304, 0x0304, NULL},
    {"icmp/3.0", SP_PROTO_ICMP, 0, 0x0300, 0x0300, NULL},
    {"icmp/255.255", SP_PROTO_ICMP, 0, 0xffff, 0xffff, NULL},
    {"icmp/42", SP_PROTO_ICMP, 0, 0x2a00, 0x2aff, NULL},
    {"icmp/*", SP_PROTO_ICMP, 1, 0, 65535, NULL},
    {"icmp6/echo", SP_PROTO_ICMP6, 0, 0x8000, 0x80ff, NULL},
    {"icmp6/128", SP_PROTO_ICMP6, 0, 0x8000, 0x80ff, "icmp6/echo"},
    {"icmp6/too-big", SP_PROTO_ICMP6, 0, 0x0200, 0x02ff, NULL},
    {"icmp6/1.4", SP_PROTO_ICMP6, 0, 0x0104, 0x0104, NULL},
    {"icmp6/*", SP_PROTO_ICMP6, 1, 0, 65535, NULL},
    {"ip/47", SP_PROTO_IP, 0, 47, 47, NULL},
    {"ip/0", SP_PROTO_IP, 0, 0, 0, NULL},
    {"ip/255", SP_PROTO_IP, 0, 255, 255, NULL},
    {"ip/133-255", SP_PROTO_IP, 0, 133, 255, NULL},
    {"ip/*", SP_PROTO_IP, 1, 0, 255, NULL},
    {"gre", SP_PROTO_IP, 0, 47, 47, "ip/47"},
    {"esp", SP_PROTO_IP, 0, 50, 50, "ip/50"},
    {"ah", SP_PROTO_IP, 0, 51, 51, "ip/51"},
    {"ipip", SP_PROTO_IP, 0, 4, 4, "ip/4"},
    {"vrrp", SP_PROTO_IP, 0, 112, 112, "ip/112"},
    {"any", SP_PROTO_COUNT, 1, 0, 65535, NULL},
};

static void test_good(void **state)
{
    (void)state;
    for (size_t i = 0; i < SP_ARRAY_LEN(good); i++) {
        struct sp_portspec spec = {0};
        struct sp_diag diag = {0};
        char out[SP_PORTSPEC_STRLEN];
        if (sp_portspec_parse(good[i].text, &spec, &diag) != SP_OK) {
            fail_msg("%s: %s", good[i].text, diag.text);
        }
        assert_int_equal(spec.proto, good[i].proto);
        assert_int_equal(spec.is_wild, good[i].is_wild);
        assert_int_equal(spec.lo, good[i].lo);
        assert_int_equal(spec.hi, good[i].hi);
        assert_string_equal(sp_portspec_str(&spec, out),
                            good[i].printed ? good[i].printed : good[i].text);
    }
}

static const struct {
    const char *text;
    const char *why;
} bad[] = {
    {"", "is not a port"},
    {"22", "is not a port: write tcp/443"},
    {"tcp", "is not a port"},
    {"ANY", "is not a port"},
    {"tcp/0", "use 1 to 65535"},
    {"udp/0", "use 1 to 65535"},
    {"sctp/0", "use 1 to 65535"},
    {"tcp/65536", "use 1 to 65535"},
    {"tcp/99999999999999999999", "use 1 to 65535"},
    {"tcp/0-10", "use 1 to 65535"},
    {"tcp/10-65536", "use 1 to 65535"},
    {"tcp/10-9", "runs backwards"},
    {"tcp/10-", "is not a port"},
    {"tcp/-10", "is not a port"},
    {"tcp/", "is not a port"},
    {"tcp/022", "is not a port"},
    {"tcp/22 ", "is not a port"},
    {"tcp/22,23", "is not a port"},
    {"tcp/10-20-30", "is not a port"},
    {"tcp/ssh", "is not a port"},
    {"tcp/**", "is not a port"},
    {"TCP/22", "'TCP' is not a protocol: use tcp"},
    {"tc/22", "is not a protocol"},
    {"tcpx/22", "is not a protocol"},
    {"/22", "'' is not a protocol"},
    {"ip/256", "is not a protocol number: use 0 to 255"},
    {"ip/x", "is not a protocol number"},
    {"ip/6", "ip/6 is tcp: write tcp/*"},
    {"ip/17", "ip/17 is udp"},
    {"ip/1", "ip/1 is icmp"},
    {"ip/58", "ip/58 is icmp6"},
    {"ip/132", "ip/132 is sctp"},
    {"ip/2-10", "ip/6 is tcp"},
    {"ip/0-255", "ip/1 is icmp"},
    {"icmp/", "is not an ICMP type"},
    {"icmp/256", "is not an ICMP type"},
    {"icmp/3.256", "is not an ICMP type and code"},
    {"icmp/3.", "is not an ICMP type and code"},
    {"icmp/3.4.5", "is not an ICMP type"},
    {"icmp/3-4", "is not an ICMP type"},
    {"icmp/too-big", "is not an ICMP type"}, /* that one is ICMPv6 */
    {"icmp6/timestamp", "is not an ICMP type"},
};

static void test_bad(void **state)
{
    (void)state;
    for (size_t i = 0; i < SP_ARRAY_LEN(bad); i++) {
        struct sp_portspec spec = {.lo = 7, .hi = 7};
        struct sp_diag diag = {0};
        enum sp_rc rc = sp_portspec_parse(bad[i].text, &spec, &diag);
        if (rc != SP_E_INVALID || !strstr(diag.text, bad[i].why)) {
            fail_msg("'%s' gave %d, '%s'; wanted '%s'", bad[i].text, (int)rc, diag.text,
                     bad[i].why);
        }
        assert_int_equal(spec.lo, 7);
        assert_int_equal(sp_portspec_parse(bad[i].text, &spec, NULL), SP_E_INVALID);
    }
}

/* Every port that is printed is read back as the same port. */
static void test_round_trip(void **state)
{
    (void)state;
    for (uint8_t proto = 0; proto < SP_PROTO_COUNT; proto++) {
        for (unsigned port = sp_proto_min(proto); port <= sp_proto_max(proto); port += 7) {
            struct sp_portspec want = {.proto = proto, .lo = (uint16_t)port, .hi = (uint16_t)port};
            struct sp_portspec spec = {0};
            char out[SP_PORTSPEC_STRLEN];
            static const unsigned own[] = {1, 6, 17, 58, 132};
            int is_own = 0;
            for (size_t i = 0; i < SP_ARRAY_LEN(own); i++) {
                is_own |= proto == SP_PROTO_IP && port == own[i];
            }
            enum sp_rc rc = sp_portspec_parse(sp_portspec_str(&want, out), &spec, NULL);
            assert_int_equal(rc, is_own ? SP_E_INVALID : SP_OK);
            if (!is_own) {
                assert_memory_equal(&spec, &want, sizeof(want));
            }
        }
    }
}

static void test_names(void **state)
{
    (void)state;
    static const char *const names[] = {"tcp", "udp", "icmp", "icmp6", "sctp", "ip", "any"};
    for (uint8_t proto = 0; proto <= SP_PROTO_COUNT; proto++) {
        assert_string_equal(sp_proto_str(proto), names[proto]);
    }
    assert_int_equal(sp_proto_min(SP_PROTO_TCP), 1);
    assert_int_equal(sp_proto_min(SP_PROTO_ICMP), 0);
    assert_int_equal(sp_proto_min(SP_PROTO_IP), 0);
    assert_int_equal(sp_proto_max(SP_PROTO_IP), 255);
    assert_int_equal(sp_proto_max(SP_PROTO_ICMP6), 65535);
}

static void test_port_str(void **state)
{
    (void)state;
    char out[SP_PORTSPEC_STRLEN];
    assert_string_equal(sp_proto_port_str(SP_PROTO_TCP, 22, out), "22");
    assert_string_equal(sp_proto_port_str(SP_PROTO_IP, 47, out), "47");
    assert_string_equal(sp_proto_port_str(SP_PROTO_ICMP, SP_PORT_ICMP_ECHO, out), "echo");
    assert_string_equal(sp_proto_port_str(SP_PROTO_ICMP6, SP_PORT_ICMP6_ECHO, out), "echo");
    assert_string_equal(sp_proto_port_str(SP_PROTO_ICMP, 0x0304, out), "3.4");
    assert_string_equal(sp_proto_port_str(SP_PROTO_ICMP, 0x2a00, out), "42.0");
    struct sp_portspec odd = {.proto = SP_PROTO_ICMP6, .lo = 0x0305, .hi = 0xfffe};
    assert_string_equal(sp_portspec_str(&odd, out), "icmp6/3.5-255.254");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good),       cmocka_unit_test(test_bad),
        cmocka_unit_test(test_round_trip), cmocka_unit_test(test_names),
        cmocka_unit_test(test_port_str),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
