/* SPDX-License-Identifier: Apache-2.0
 *
 * The data of the techniques: what every line of registry.def must hold, and how it is found. */
#include "tests/support/sp_cmocka.h"

#include <string.h>

#include "probe/base/addr.h"
#include "probe/base/proto.h"
#include "probe/techniques/registry.h"

static void test_every_line(void **state)
{
    (void)state;
    const char *before = "";
    assert_true(sp_technique_count() >= 3);
    for (size_t i = 0; i < sp_technique_count(); i++) {
        const struct sp_technique_info *info = sp_technique_at(i);
        assert_non_null(info);
        size_t len = strlen(info->name);
        if (strcmp(before, info->name) >= 0) {
            fail_msg("%s stands after %s", info->name, before);
        }
        before = info->name;
        assert_in_range(len, 2, SP_TECH_NAME_LEN - 1);
        assert_int_equal(strspn(info->name, "abcdefghijklmnopqrstuvwxyz0123456789_"), len);
        assert_in_range(info->hazard, 'A', 'C');
        assert_in_range(info->families, 1, SP_TECH_IPV4 | SP_TECH_IPV6);
        assert_true(info->proto < SP_PROTO_COUNT);
        assert_int_not_equal(info->proto, SP_PROTO_ICMP6); /* SP_PROTO_ICMP stands for both */
        assert_true(info->packets >= 1);
        assert_true(strlen(info->summary) > 5);
    }
    assert_null(sp_technique_at(sp_technique_count()));
    assert_null(sp_technique_at(SIZE_MAX));
}

static void test_find(void **state)
{
    (void)state;
    for (size_t i = 0; i < sp_technique_count(); i++) {
        const struct sp_technique_info *info = sp_technique_at(i);
        assert_ptr_equal(sp_technique_find(info->name), info);
        assert_int_equal(sp_technique_index(info), i);
    }
    assert_null(sp_technique_find(""));
    assert_null(sp_technique_find("tcp"));
    assert_null(sp_technique_find("tcp_syn "));
    assert_null(sp_technique_find("TCP_SYN"));
}

static const char *name_for(uint8_t proto, uint8_t family)
{
    const struct sp_technique_info *info = sp_technique_for(proto, family);
    return info ? info->name : "none";
}

static void test_default_techniques(void **state)
{
    (void)state;
    assert_string_equal(name_for(SP_PROTO_TCP, SP_FAMILY_IPV4), "tcp_syn");
    assert_string_equal(name_for(SP_PROTO_TCP, SP_FAMILY_IPV6), "tcp_syn");
    assert_string_equal(name_for(SP_PROTO_UDP, SP_FAMILY_IPV4), "udp");
    assert_string_equal(name_for(SP_PROTO_UDP, SP_FAMILY_IPV6), "udp");
    assert_string_equal(name_for(SP_PROTO_ICMP, SP_FAMILY_IPV4), "icmp_echo");
    assert_string_equal(name_for(SP_PROTO_ICMP6, SP_FAMILY_IPV6), "icmp_echo");
    /* a protocol of the other family has no technique */
    assert_string_equal(name_for(SP_PROTO_ICMP, SP_FAMILY_IPV6), "none");
    assert_string_equal(name_for(SP_PROTO_ICMP6, SP_FAMILY_IPV4), "none");
    assert_string_equal(name_for(SP_PROTO_COUNT, SP_FAMILY_IPV4), "none");
    /* whatever is found fits what was asked for */
    for (uint8_t proto = 0; proto < SP_PROTO_COUNT; proto++) {
        for (int v6 = 0; v6 < 2; v6++) {
            const struct sp_technique_info *info =
                sp_technique_for(proto, v6 ? SP_FAMILY_IPV6 : SP_FAMILY_IPV4);
            if (info) {
                assert_true((info->families & (v6 ? SP_TECH_IPV6 : SP_TECH_IPV4)) != 0);
                assert_int_equal(info->verdict, SP_TECH_VERDICT_FLOW);
            }
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_line),
        cmocka_unit_test(test_find),
        cmocka_unit_test(test_default_techniques),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
