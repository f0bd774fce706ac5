/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "tests/unit/topologies/topo.h"
#include "topologies/field.h"

static bool is_valid(const struct sp_shape *shape, const char *text, struct sp_diag *why)
{
    *why = (struct sp_diag){0};
    return sp_scalar_kind(shape->kind)->is_valid(shape, text, why);
}

static void expect_kind(enum sp_shape_kind kind, const char *const *good, const char *const *bad)
{
    const struct sp_shape shape = {.kind = kind, .min = 1, .max = 100};
    struct sp_diag why;
    for (; *good; good++) {
        if (!is_valid(&shape, *good, &why)) {
            fail_msg("refused: '%s' %s", *good, why.text);
        }
    }
    for (; *bad; bad++) {
        if (is_valid(&shape, *bad, &why)) {
            fail_msg("accepted: '%s'", *bad);
        }
    }
}

#define LIST(...)                                                                                  \
    (const char *const[])                                                                          \
    {                                                                                              \
        __VA_ARGS__, NULL                                                                          \
    }

static void each_kind_takes_what_it_should(void **state)
{
    (void)state;
    expect_kind(SP_SHAPE_TEXT, LIST("a", "two words", "h\xc3\xb4te"), LIST("", "a\nb", "\x7f"));
    expect_kind(SP_SHAPE_NAME, LIST("a", "web-1", "1.2_3", "anyone"),
                LIST("", "-a", ".a", "a b", "a/b", "a:b", "a,b", "any", "h\xc3\xb4te"));
    expect_kind(SP_SHAPE_LABEL_KEY, LIST("app", "app.kubernetes.io/name"),
                LIST("", "/a", "a=b", "a b"));
    expect_kind(SP_SHAPE_LABEL_VALUE, LIST("web", "1.2", "_x", "a:b@c+d"), LIST("", "a b", "-a"));
    expect_kind(
        SP_SHAPE_INT, LIST("1", "100"),
        LIST("", "0", "101", "-1", "+1", "01", "1.0", "1e1", "0x1", "99999999999999999999"));
    expect_kind(
        SP_SHAPE_RATIO, LIST("0", "1", "0.5", "1.0", "0.000000000001"),
        LIST("", "1.1", "2", ".5", "1.", "-0.1", "1e-3", "0.0000000000001", "1000000000", "0,5"));
    expect_kind(SP_SHAPE_ADDR, LIST("10.0.0.1", "fd00::1", "2001:db8::"),
                LIST("", "10.0.0", "10.0.0.256", "010.0.0.1", "10.0.0.1 ", "fe80::1%eth0",
                     "fe80::1", "127.0.0.1", "::1", "0.0.0.0", "::", "224.0.0.1", "ff02::1",
                     "169.254.1.1", "host"));
    expect_kind(SP_SHAPE_PREFIX, LIST("10.0.0.0/8", "0.0.0.0/0", "::/0", "10.0.0.1", "fd00::/8"),
                LIST("", "10.0.0.0/33", "10.0.0.1/8", "10.0.0.0/", "10.0.0.0/08", "/8", "x/8",
                     "fd00::/129", "fd00::1/64",
                     "1111111111111111111111111111111111111111111111111111/8"));
    expect_kind(SP_SHAPE_PORT, LIST("tcp/443", "udp/1-65535", "any", "gre", "icmp/3.4", "ip/47"),
                LIST("", "443", "https", "tcp/0", "tcp/65536", "tcp/", "TCP/1",
                     "tcp/"
                     "111111111111111111111111111111111111111111111111111111111111111111111"));
    expect_kind(SP_SHAPE_PORTS, LIST("tcp/443", "https", "any"), LIST("", "tcp/0", "a b", "-x"));
    expect_kind(SP_SHAPE_DURATION, LIST("0", "5", "250ms", "5s", "10m", "1h"),
                LIST("", "5 s", "s", "5d", "8761h", "-5s"));
    expect_kind(SP_SHAPE_DATE, LIST("2027-06-30", "2024-02-29", "2000-02-29"),
                LIST("", "2027-06-31", "2027-02-29", "1900-02-29", "2027-13-01", "2027-00-01",
                     "2027-01-00", "27-06-30", "2027-6-30", "2027-06-30x", "2027/06/30"));
    expect_kind(SP_SHAPE_SELECTOR,
                LIST("any", "web", "not:web", "not:any", "label:a=b", "not:label:a/b=c"),
                LIST("", "not:", "label:", "label:a", "label:=b", "label:a=", "not:not:web", "a b",
                     "label:a b=c"));
    expect_kind(SP_SHAPE_SSH_TARGET, LIST("web-1", "admin@10.0.0.1", "root@[fd00::1]"),
                LIST("", "-oProxyCommand=x", "a b", "a;b", "$(x)", "a@b`c`"));
    expect_kind(SP_SHAPE_INTERFACE, LIST("eth0", "bond0.100", "veth@if3"),
                LIST("", "-eth0", "a b", "an-interface-too-long", "../x"));
    expect_kind(SP_SHAPE_MAC, LIST("02:00:5e:10:00:01", "FE:ff:FF:00:9a:0A"),
                LIST("", "02:00:5e:10:00", "02:00:5e:10:00:1", "02:00:5e:10:00:01:",
                     "02-00-5e-10-00-01", "02:00:5e:10:00:0g", "00:00:00:00:00:00",
                     "01:00:5e:00:00:01", "ff:ff:ff:ff:ff:ff", "020:0:5e:10:00:01"));
}

static void lengths_have_bounds(void **state)
{
    (void)state;
    static const struct {
        enum sp_shape_kind kind;
        size_t max;
    } kinds[] = {
        {SP_SHAPE_TEXT, 1000},       {SP_SHAPE_NAME, 63},        {SP_SHAPE_LABEL_KEY, 253},
        {SP_SHAPE_LABEL_VALUE, 253}, {SP_SHAPE_SSH_TARGET, 253}, {SP_SHAPE_INTERFACE, 15},
        {SP_SHAPE_SELECTOR, 63},
    };
    char text[1100];
    for (size_t i = 0; i < SP_ARRAY_LEN(kinds); i++) {
        const struct sp_shape shape = {.kind = kinds[i].kind};
        struct sp_diag why;
        memset(text, 'x', sizeof(text));
        text[kinds[i].max] = '\0';
        assert_true(is_valid(&shape, text, &why));
        text[kinds[i].max] = 'x';
        text[kinds[i].max + 1] = '\0';
        assert_false(is_valid(&shape, text, &why));
    }
    memset(text, 'x', sizeof(text)); /* a label's key inside a selector */
    memcpy(text, "label:", 6);
    memcpy(text + 300, "=b", 3);
    struct sp_diag why;
    assert_false(is_valid(&(const struct sp_shape){.kind = SP_SHAPE_SELECTOR}, text, &why));
}

static void every_kind_has_words(void **state)
{
    (void)state;
    for (int kind = 0; kind < SP_SHAPE_SCALARS; kind++) {
        const struct sp_scalar_kind *k = sp_scalar_kind((enum sp_shape_kind)kind);
        assert_non_null(k->what);
        assert_non_null(k->is_valid);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_kind_takes_what_it_should),
        cmocka_unit_test(lengths_have_bounds),
        cmocka_unit_test(every_kind_has_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
