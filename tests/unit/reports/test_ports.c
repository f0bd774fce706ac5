/* SPDX-License-Identifier: Apache-2.0 */
#include "reports/group.h"
#include "tests/support/sp_cmocka.h"

static void check_range(uint8_t proto, uint16_t lo, uint16_t hi, const char *want)
{
    struct sp_buf out;
    sp_buf_init(&out, 1000);
    sp_ports_range(&out, proto, lo, hi);
    assert_string_equal(sp_buf_text(&out), want);
    sp_buf_release(&out);
}

static void test_range(void **state)
{
    (void)state;
    check_range(SP_PROTO_TCP, 22, 22, "22");
    check_range(SP_PROTO_TCP, 22, 23, "22-23");
    check_range(SP_PROTO_UDP, 1, 65535, "1-65535");
    check_range(SP_PROTO_IP, 47, 50, "47-50");
    check_range(SP_PROTO_ICMP, SP_PORT_ICMP_ECHO, SP_PORT_ICMP_ECHO, "echo");
    check_range(SP_PROTO_ICMP, 8 << 8, 8 << 8 | 255, "echo");
    check_range(SP_PROTO_ICMP, 9 << 8, 9 << 8 | 255, "9");
    check_range(SP_PROTO_ICMP, 3 << 8 | 4, 3 << 8 | 4, "3.4");
    check_range(SP_PROTO_ICMP6, 0, 127 << 8 | 255, "0.0-127.255");
    check_range(SP_PROTO_ICMP, 3 << 8 | 1, 3 << 8 | 2, "3.1-3.2");
}

static bool is_odd(const struct sp_entry *entry, const void *ctx)
{
    (void)ctx;
    return entry->port % 2 == 1;
}

static void check_list(const uint16_t *ports, size_t n, bool odd_only, const char *want)
{
    struct sp_entry entries[16] = {0};
    struct sp_buf out;
    for (size_t i = 0; i < n; i++) {
        entries[i].port = entries[i].port_hi = ports[i];
    }
    sp_buf_init(&out, 1000);
    sp_ports_of(&out, entries, n, odd_only ? is_odd : NULL, NULL);
    assert_string_equal(sp_buf_text(&out), want);
    sp_buf_release(&out);
}
#define LIST(...)                                                                                  \
    (const uint16_t[]){__VA_ARGS__}, sizeof((uint16_t[]){__VA_ARGS__}) / sizeof(uint16_t)

static void test_list(void **state)
{
    (void)state;
    check_list(NULL, 0, false, "");
    check_list(LIST(22), false, "22");
    check_list(LIST(22, 22, 22), false, "22"); /* several addresses */
    check_list(LIST(22, 23), false, "22-23");
    check_list(LIST(22, 24), false, "22,24"); /* 23 was not tested */
    check_list(LIST(1, 2, 2, 3, 8000, 8001, 65535), false, "1-3,8000-8001,65535");
    check_list(LIST(65534, 65535), false, "65534-65535");
    check_list(LIST(1, 2, 3), true, "1,3");
    check_list(LIST(2, 4), true, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_range),
        cmocka_unit_test(test_list),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
