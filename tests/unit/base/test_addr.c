/* SPDX-License-Identifier: Apache-2.0
 *
 * Addresses and prefixes as text and as sets. */
#include "tests/support/sp_cmocka.h"

#include <string.h>

#include "probe/base/addr.h"

static struct sp_addr addr(const char *text)
{
    struct sp_addr a;
    if (sp_addr_parse(text, &a) != SP_OK) {
        fail_msg("'%s' is an address", text);
    }
    return a;
}

static struct sp_prefix prefix(const char *text)
{
    struct sp_prefix p;
    if (sp_prefix_parse(text, &p) != SP_OK) {
        fail_msg("'%s' is a prefix", text);
    }
    return p;
}

static void test_parse_and_print(void **state)
{
    (void)state;
    /* text, and how RFC 5952 prints it */
    static const char *const good[][2] = {
        {"10.0.0.1", "10.0.0.1"},
        {"0.0.0.0", "0.0.0.0"},
        {"255.255.255.255", "255.255.255.255"},
        {"::", "::"},
        {"::1", "::1"},
        {"FD00:10:0:0:0:0:0:11", "fd00:10::11"},
        {"2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1"},
        {"2001:0db8::0001", "2001:db8::1"},
        {"2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"},
        {"::ffff:10.0.0.1", "::ffff:10.0.0.1"},
        {"ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255",
         "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"},
    };
    char out[SP_ADDR_STRLEN];
    for (size_t i = 0; i < SP_ARRAY_LEN(good); i++) {
        struct sp_addr a = addr(good[i][0]);
        assert_string_equal(sp_addr_str(&a, out), good[i][1]);
        struct sp_addr again = addr(out);
        assert_true(sp_addr_eq(&a, &again));
    }
    struct sp_addr none = {0};
    assert_string_equal(sp_addr_str(&none, out), "-");
}

static void test_bad_addresses(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        " 10.0.0.1",
        "10.0.0.1 ",
        "10.0.0",
        "10.0.0.256",
        "10.0.0.01",
        "010.0.0.1",
        "0x0a.0.0.1",
        "10.0.0.1.1",
        "10.0.0.-1",
        "fe80::1%eth0",
        ":::",
        "1::2::3",
        "12345::",
        "g::",
        "[::1]",
        "host",
        "10.0.0.1/32",
        "1:2:3:4:5:6:7:8:9",
    };
    struct sp_addr a = {.family = 77};
    for (size_t i = 0; i < SP_ARRAY_LEN(bad); i++) {
        if (sp_addr_parse(bad[i], &a) == SP_OK) {
            fail_msg("'%s' is no address", bad[i]);
        }
        assert_int_equal(a.family, 77); /* untouched on failure */
    }
}

static void test_prefixes(void **state)
{
    (void)state;
    static const char *const good[][2] = {
        {"10.0.0.0/8", "10.0.0.0/8"},     {"0.0.0.0/0", "0.0.0.0/0"},
        {"10.1.2.3", "10.1.2.3/32"},      {"10.1.2.3/32", "10.1.2.3/32"},
        {"10.128.0.0/9", "10.128.0.0/9"}, {"::/0", "::/0"},
        {"fd00:10::/32", "fd00:10::/32"}, {"::1", "::1/128"},
        {"fe80::/10", "fe80::/10"},
    };
    char out[SP_PREFIX_STRLEN];
    for (size_t i = 0; i < SP_ARRAY_LEN(good); i++) {
        struct sp_prefix p = prefix(good[i][0]);
        assert_string_equal(sp_prefix_str(&p, out), good[i][1]);
    }
    static const char *const bad[] = {
        "10.0.0.0/33",
        "10.0.0.0/",
        "10.0.0.0/08",
        "10.0.0.0/8 ",
        "10.0.0.0/-1",
        "10.0.0.0/8/8",
        "10.0.0.1/8",
        "10.64.0.0/9",
        "::/129",
        "::1/127",
        "fd00::1/64",
        "/8",
        "",
        "x/8",
        "10.0.0.0/a",
        "::/99999999999999999999",
        "10.0.0.0/00",
        "1111:2222:3333:4444:5555:6666:7777:8888:9999:1111/1",
    };
    struct sp_prefix p = {.len = 77};
    for (size_t i = 0; i < SP_ARRAY_LEN(bad); i++) {
        if (sp_prefix_parse(bad[i], &p) == SP_OK) {
            fail_msg("'%s' is no prefix", bad[i]);
        }
        assert_int_equal(p.len, 77);
    }
}

/* Membership against a slow, obvious definition: the first len bits are the same. */
static bool has_slowly(const struct sp_prefix *p, const struct sp_addr *a)
{
    if (p->addr.family != a->family) {
        return false;
    }
    for (unsigned bit = 0; bit < p->len; bit++) {
        unsigned mask = 0x80U >> (bit % 8);
        if ((p->addr.bytes[bit / 8] & mask) != (a->bytes[bit / 8] & mask)) {
            return false;
        }
    }
    return true;
}

static void test_membership(void **state)
{
    (void)state;
    static const char *const addrs[] = {"10.0.0.0",  "10.255.255.255", "11.0.0.0", "9.255.255.255",
                                        "10.10.1.1", "10.10.2.1",      "::",       "fd00:10::1",
                                        "fd00:11::", "0.0.0.0"};
    static const char *const prefixes[] = {"10.0.0.0/8",   "10.10.1.0/24", "10.10.1.1/32",
                                           "0.0.0.0/0",    "::/0",         "fd00:10::/32",
                                           "fd00:10::/31", "10.0.0.0/7",   "10.10.0.0/15"};
    for (size_t i = 0; i < SP_ARRAY_LEN(prefixes); i++) {
        struct sp_prefix p = prefix(prefixes[i]);
        for (size_t j = 0; j < SP_ARRAY_LEN(addrs); j++) {
            struct sp_addr a = addr(addrs[j]);
            assert_int_equal(sp_prefix_has(&p, &a), has_slowly(&p, &a));
        }
    }
    struct sp_prefix p = prefix("10.0.0.0/8");
    struct sp_addr in = addr("10.9.9.9");
    struct sp_addr out = addr("11.0.0.0");
    assert_true(sp_prefix_has(&p, &in));
    assert_false(sp_prefix_has(&p, &out));
    p.len = 200; /* a length that no address has holds nothing and reads nothing */
    assert_false(sp_prefix_has(&p, &in));
}

static void test_contains_overlaps(void **state)
{
    (void)state;
    struct sp_prefix big = prefix("10.0.0.0/8");
    struct sp_prefix small = prefix("10.10.0.0/16");
    struct sp_prefix other = prefix("10.11.0.0/16");
    struct sp_prefix all6 = prefix("::/0");
    assert_true(sp_prefix_contains(&big, &small));
    assert_false(sp_prefix_contains(&small, &big));
    assert_true(sp_prefix_contains(&big, &big));
    assert_false(sp_prefix_contains(&all6, &small));
    assert_true(sp_prefix_overlaps(&big, &small));
    assert_true(sp_prefix_overlaps(&small, &big));
    assert_false(sp_prefix_overlaps(&small, &other));
    assert_false(sp_prefix_overlaps(&all6, &big));
}

static void test_order(void **state)
{
    (void)state;
    static const char *const sorted[] = {"0.0.0.1", "10.0.0.1", "10.0.0.2", "255.0.0.0",
                                         "::",      "::1",      "fd00::",   "ff02::1"};
    for (size_t i = 0; i < SP_ARRAY_LEN(sorted); i++) {
        for (size_t j = 0; j < SP_ARRAY_LEN(sorted); j++) {
            struct sp_addr a = addr(sorted[i]);
            struct sp_addr b = addr(sorted[j]);
            int cmp = sp_addr_cmp(&a, &b);
            assert_int_equal((cmp > 0) - (cmp < 0), (i > j) - (i < j));
            assert_int_equal(sp_addr_eq(&a, &b), i == j);
        }
    }
}

static void test_special(void **state)
{
    (void)state;
    static const char *const special[] = {"0.0.0.0",
                                          "127.0.0.1",
                                          "127.9.9.9",
                                          "169.254.1.1",
                                          "224.0.0.1",
                                          "239.1.1.1",
                                          "169.254.169.253",
                                          "255.255.255.255",
                                          "240.0.0.1",
                                          "::",
                                          "::1",
                                          "fe80::1",
                                          "febf::1",
                                          "ff02::1",
                                          "ff0e::1",
                                          "::ffff:10.0.0.1"};
    static const char *const plain[] = {
        "10.0.0.1", "128.0.0.1", "169.253.1.1", "223.255.255.255", "fd00::1",        "2001:db8::1",
        "fec0::1",  "::2",       "126.0.0.1",   "169.255.0.1",     "169.254.169.254"};
    for (size_t i = 0; i < SP_ARRAY_LEN(special); i++) {
        struct sp_addr a = addr(special[i]);
        if (!sp_addr_is_special(&a)) {
            fail_msg("%s is special", special[i]);
        }
    }
    for (size_t i = 0; i < SP_ARRAY_LEN(plain); i++) {
        struct sp_addr a = addr(plain[i]);
        if (sp_addr_is_special(&a)) {
            fail_msg("%s is not special", plain[i]);
        }
        assert_false(sp_addr_is_loopback(&a));
    }
    struct sp_addr lo4 = addr("127.0.0.1");
    struct sp_addr lo6 = addr("::1");
    struct sp_addr none = {0};
    assert_true(sp_addr_is_loopback(&lo4));
    assert_true(sp_addr_is_loopback(&lo6));
    assert_false(sp_addr_is_loopback(&none));
    assert_true(sp_addr_is_special(&none));
}

static void test_bytes(void **state)
{
    (void)state;
    uint8_t raw[16] = {10, 1, 2, 3, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9};
    struct sp_addr want = addr("10.1.2.3");
    struct sp_addr got = sp_addr_from_bytes(SP_FAMILY_IPV4, raw);
    assert_memory_equal(&got, &want, sizeof(want)); /* the rest is zero */
    assert_int_equal(sp_addr_len(&got), 4);
    got = sp_addr_from_bytes(SP_FAMILY_IPV6, raw);
    assert_int_equal(sp_addr_len(&got), 16);
    assert_memory_equal(got.bytes, raw, 16);
    got = sp_addr_from_bytes(SP_FAMILY_NONE, raw);
    assert_int_equal(sp_addr_len(&got), 0);
    assert_string_equal(sp_family_str(SP_FAMILY_IPV4), "ipv4");
    assert_string_equal(sp_family_str(SP_FAMILY_IPV6), "ipv6");
    assert_string_equal(sp_family_str(SP_FAMILY_NONE), "none");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parse_and_print),   cmocka_unit_test(test_bad_addresses),
        cmocka_unit_test(test_prefixes),          cmocka_unit_test(test_membership),
        cmocka_unit_test(test_contains_overlaps), cmocka_unit_test(test_order),
        cmocka_unit_test(test_special),           cmocka_unit_test(test_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
