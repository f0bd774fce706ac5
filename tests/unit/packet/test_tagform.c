/* SPDX-License-Identifier: Apache-2.0
 *
 * Tags inside conversations: raw, in HTTP, behind PROXY headers; every truncation; and what is
 * none.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "probe/packet/tagform.h"
#include "tests/support/sp_cmocka.h"
#include "tests/unit/packet/packet_kit.h"

static struct sp_tag_keys keys_of(uint8_t seed)
{
    uint8_t key[32];
    struct sp_tag_keys keys;
    memset(key, seed, sizeof(key));
    sp_tag_keys_init(&keys, key);
    return keys;
}

/* A buffer of exactly the given length, so that a sanitizer sees every byte read past it. */
static enum sp_form_state read_exact(const struct sp_tag_keys *keys, const void *bytes, size_t len,
                                     struct sp_form *form)
{
    uint8_t *copy = malloc(len ? len : 1);
    assert_non_null(copy);
    memcpy(copy, bytes, len);
    enum sp_form_state state = sp_form_read(keys, copy, len, form);
    free(copy);
    return state;
}

static size_t with_front(const char *front, size_t nfront, const uint8_t *body, size_t n,
                         uint8_t out[static SP_FORM_HEAD])
{
    memcpy(out, front, nfront);
    memcpy(out + nfront, body, n);
    return nfront + n;
}

static const char v2[] = "\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c"
                         "\x0a\0\0\1\x0a\0\0\2\x9c\x40\x01\xbb";

static const struct {
    const char *text;
    size_t len;
} fronts[] = {
    {"", 0},
    {"PROXY TCP4 10.0.0.1 10.0.0.2 40000 443\r\n", 40},
    {"PROXY UNKNOWN\r\n", 15},
    {v2, sizeof(v2) - 1},
    {"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0", 16},
};

/* Whatever is cut off: PART until the tag is there, then TAG, never NONE and never another tag. */
static void grows(const uint8_t *bytes, size_t len, size_t needed, bool http, enum sp_tag_kind kind)
{
    struct sp_tag_keys keys = keys_of(7);
    struct sp_tag_keys other = keys_of(8);
    for (size_t n = 0; n <= len; n++) {
        struct sp_form form = {.kind = SP_TAG_PROBE};
        enum sp_form_state state = read_exact(&keys, bytes, n, &form);
        assert_int_equal(state, n < needed ? SP_FORM_PART : SP_FORM_TAG);
        if (state == SP_FORM_TAG) {
            assert_true(form.block == 300 && form.port == 8443 && form.is_http == http);
            assert_int_equal(form.kind, kind);
            assert_int_equal(form.is_whole, n == len);
        }
    }
    struct sp_form form;
    assert_int_equal(read_exact(&other, bytes, len, &form), SP_FORM_NONE);
}

static void every_form_is_read(void **state)
{
    (void)state;
    struct sp_tag_keys keys = keys_of(7);
    struct sp_addr targets[] = {kit_addr("10.0.0.2"), kit_addr("2001:db8:1:2:3:4:5:6")};
    for (size_t i = 0; i < sizeof(fronts) / sizeof(fronts[0]); i++) {
        uint8_t body[SP_FORM_MAX];
        uint8_t all[SP_FORM_HEAD];
        sp_tag_write(&keys, 300, 8443, SP_TAG_PROBE, 5, body);
        size_t n = with_front(fronts[i].text, fronts[i].len, body, SP_TAG_BYTES, all);
        grows(all, n, n, false, SP_TAG_PROBE);
        for (size_t t = 0; t < 2; t++) {
            size_t len = sp_form_request(&keys, 300, 8443, 5, &targets[t], NULL, body);
            assert_true(len > 100 && len < SP_FORM_MAX);
            n = with_front(fronts[i].text, fronts[i].len, body, len, all);
            grows(all, n, fronts[i].len + 16 + 12 + 56, true, SP_TAG_PROBE);
        }
    }
}

static void replies_answer_in_kind(void **state)
{
    (void)state;
    struct sp_tag_keys keys = keys_of(7);
    for (int http = 0; http < 2; http++) {
        struct sp_form form = {.kind = SP_TAG_PROBE, .block = 300, .port = 8443, .is_http = http};
        uint8_t body[SP_FORM_MAX];
        size_t len = sp_form_reply(&keys, &form, 5, body);
        assert_int_equal(memcmp(body, http ? "HTTP/1.1 200 OK\r\n" : "SGpf", 4), 0);
        grows(body, len, http ? 17 + 12 + 56 : len, http, SP_TAG_REPLY);
    }
}

/* As a proxy rewrites it: other case, other white space, other headers in front. */
static void proxies_may_rewrite_the_head(void **state)
{
    (void)state;
    struct sp_tag_keys keys = keys_of(7);
    uint8_t tag[SP_TAG_BYTES];
    char hex[2 * SP_TAG_BYTES + 1];
    static const char *const forms[] = {
        "GET / HTTP/1.0\r\nHost: x\r\nConnection: close\r\nx-segproof:%s\r\n\r\n",
        "GET /a?b HTTP/1.1\nX-SEGPROOF: \t %s \nA: b\n\n",
        "GET / HTTP/1.1\r\nX-Segproof: zz\r\nx-segproof: %s\r\n\r\n",
    };
    static const char *const none[] = {
        "GET / HTTP/1.1\r\nX-Segproo: %s\r\n\r\n",
        "GET / HTTP/1.1\r\nY-X-Segproof: %s\r\n\r\n",
        "GET X-Segproof: %s\r\n\r\n",
        "GET / HTTP/1.1\r\nX-Segproof : %s\r\n\r\n",
        "GET / HTTP/1.1\r\n\r\nX-Segproof: %s\r\n\r\n",
        "POST / HTTP/1.1\r\nX-Segproof: %s\r\n\r\n",
        " GET / HTTP/1.1\r\nX-Segproof: %s\r\n\r\n",
        "PROXY TCP4\r\nPROXY TCP4\r\nGET / HTTP/1.1\r\nX-Segproof: %s\r\n\r\n",
    };
    sp_tag_write(&keys, 300, 8443, SP_TAG_PROBE, 5, tag);
    for (size_t i = 0; i < sizeof(tag); i++) {
        (void)snprintf(hex + 2 * i, 3, i % 2 ? "%02x" : "%02X", tag[i]);
    }
    for (size_t i = 0; i < 3 + sizeof(none) / sizeof(none[0]); i++) {
        char text[400];
        struct sp_form form;
        const char *form_text = i < 3 ? forms[i] : none[i - 3];
        const char *place = strstr(form_text, "%s");
        assert_non_null(place);
        int n = snprintf(text, sizeof(text), "%.*s%s%s", (int)(place - form_text), form_text, hex,
                         place + 2);
        enum sp_form_state got = read_exact(&keys, text, (size_t)n, &form);
        assert_int_equal(got, i < 3 ? SP_FORM_TAG : SP_FORM_NONE);
        if (i >= 3) {
            continue;
        }
        char *at = strstr(text, i == 0 ? hex : hex + 1);
        assert_non_null(at);
        at[20] = at[20] == '0' ? '1' : '0'; /* one digit */
        assert_int_equal(read_exact(&keys, text, (size_t)n, &form), SP_FORM_NONE);
        at[20] = 'g';
        assert_int_equal(read_exact(&keys, text, (size_t)n, &form), SP_FORM_NONE);
    }
}

/* What stood before the tag, and whom it names. */
static void heads_are_named(void **state)
{
    (void)state;
    struct sp_tag_keys keys = keys_of(7);
    static const struct {
        const char *text;
        size_t len;
        enum sp_head head;
        const char *told;
    } cases[] = {
        {"", 0, SP_HEAD_NONE, NULL},
        {"PROXY TCP4 10.0.0.1 10.0.0.2 40000 443\r\n", 40, SP_HEAD_V1, "10.0.0.1"},
        {"PROXY TCP6 fd00::1 fd00::2 40000 443\r\n", 38, SP_HEAD_V1, "fd00::1"},
        {"PROXY UNKNOWN\r\n", 15, SP_HEAD_V1, NULL},
        {v2, sizeof(v2) - 1, SP_HEAD_V2, "10.0.0.1"},
        {"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0", 16, SP_HEAD_V2, NULL},
        {"PROXY TCP4\n", 11, SP_HEAD_BAD, NULL},
        {"PROXY TCP4\r\n", 12, SP_HEAD_BAD, NULL},
        {"PROXY TCP4 10.0.0.1 10.0.0.2 40000 443\n", 39, SP_HEAD_BAD, NULL},
        {"PROXY TCP6 10.0.0.1 10.0.0.2 40000 443\r\n", 40, SP_HEAD_BAD, NULL},
        {"PROXY TCP4 10.0.0.1 fd00::2 40000 443\r\n", 39, SP_HEAD_BAD, NULL},
        {"PROXY TCP4 10.0.0.1 10.0.0.2 40000 66000\r\n", 42, SP_HEAD_BAD, NULL},
        {"PROXY TCP4 10.0.0.1 10.0.0.2 40000 443 x\r\n", 42, SP_HEAD_BAD, NULL},
        {"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\4\1\2\3\4", 20, SP_HEAD_BAD, NULL},
        {"\r\n\r\n\0\r\nQUIT\n\x11\x11\0\0", 16, SP_HEAD_BAD, NULL},
    };
    for (size_t i = 0; i < SP_ARRAY_LEN(cases); i++) {
        for (int hello = 0; hello < 2; hello++) {
            uint8_t body[SP_FORM_MAX];
            uint8_t all[SP_FORM_HEAD];
            struct sp_form form = {.kind = SP_TAG_PROBE};
            size_t len = SP_TAG_BYTES;
            if (hello) {
                len = sp_form_hello(&keys, 300, 8443, 5, body);
            } else {
                sp_tag_write(&keys, 300, 8443, SP_TAG_PROBE, 5, body);
            }
            size_t n = with_front(cases[i].text, cases[i].len, body, len, all);
            assert_int_equal(read_exact(&keys, all, n, &form), SP_FORM_TAG);
            assert_int_equal(form.head, cases[i].head);
            assert_int_equal(form.is_hello, hello);
            assert_true(form.is_whole && !form.is_changed);
            struct sp_addr told = cases[i].told ? kit_addr(cases[i].told) : (struct sp_addr){0};
            assert_true(sp_addr_eq(&form.told, &told));
        }
    }
}

/* A hello is what was sent, every byte of it, or it is told. */
static void hellos_are_compared(void **state)
{
    (void)state;
    struct sp_tag_keys keys = keys_of(7);
    uint8_t body[SP_FORM_MAX + 1];
    struct sp_form form;
    size_t len = sp_form_hello(&keys, 300, 8443, 5, body);
    assert_int_equal((size_t)body[3] << 8 | body[4], len - 5); /* the record's own length */
    for (size_t n = 0; n <= len; n++) {
        enum sp_form_state state_n = read_exact(&keys, body, n, &form);
        assert_int_equal(state_n, n < 11 + SP_TAG_BYTES ? SP_FORM_PART : SP_FORM_TAG);
        assert_true(state_n != SP_FORM_TAG || (form.is_whole == (n == len) && !form.is_changed));
    }
    for (size_t i = 0; i < len; i++) {
        if (i == 11) {
            i += SP_TAG_BYTES; /* the tag has a MAC of its own */
        }
        body[i] ^= 1;
        bool found = read_exact(&keys, body, len, &form) == SP_FORM_TAG;
        assert_true(!found || form.is_changed);
        body[i] ^= 1;
    }
    body[len] = 'x';
    assert_int_equal(read_exact(&keys, body, len + 1, &form), SP_FORM_TAG);
    assert_true(form.is_changed);
    assert_true(sp_form_is_tls_answer((const uint8_t *)"\x16\3\3\0\x40\2", 6));
    assert_true(sp_form_is_tls_answer((const uint8_t *)"\x15\3\3\0\2\2", 6));
    assert_false(sp_form_is_tls_answer((const uint8_t *)"\x16\3\3\0\x40\2", 5));
    assert_false(sp_form_is_tls_answer((const uint8_t *)"HTTP/1.1 400", 12));
}

static void paths_and_statuses(void **state)
{
    (void)state;
    struct sp_tag_keys keys = keys_of(7);
    struct sp_addr target = kit_addr("2001:db8:1111:2222:3333:4444:5555:6666");
    uint8_t body[SP_FORM_MAX];
    char path[65];
    memset(path, 'a', sizeof(path));
    path[0] = '/';
    path[64] = '\0';
    size_t len = sp_form_request(&keys, 1, 65535, 5, &target, path, body);
    assert_memory_equal(body + len - 4, "\r\n\r\n", 4); /* whole, if need be without a tag */
    assert_memory_equal(body, "GET /aaaa", 9);
    len = sp_form_request(&keys, 1, 80, 5, &target, "/healthz", body);
    assert_memory_equal(body, "GET /healthz HTTP/1.1\r\nX-Segproof: ", 35);
    assert_memory_equal(body + len - 4, "\r\n\r\n", 4);
    assert_int_equal(sp_form_status((const uint8_t *)"HTTP/1.1 204 No", 15), 204);
    assert_int_equal(sp_form_status((const uint8_t *)"HTTP/1.0 404", 12), 404);
    assert_int_equal(sp_form_status((const uint8_t *)"HTTP/1.0 40", 11), 0);
    assert_int_equal(sp_form_status((const uint8_t *)"HTTP/1.0 4x4", 12), 0);
    assert_int_equal(sp_form_status((const uint8_t *)"SSH-2.0-OpenS", 13), 0);
}

static void server_errors(void **state)
{
    (void)state;
    static const char *const yes[] = {"HTTP/1.1 503 Service Unavailable\r\n", "HTTP/1.0 500",
                                      "HTTP/1.1 5"};
    static const char *const no[] = {"HTTP/1.1 200 OK\r\n", "HTTP/1.1 404", "HTTP/1.1 ",
                                     "HTTP/2 503",          "503",          "",
                                     "http/1.1 503"};
    for (size_t i = 0; i < SP_ARRAY_LEN(yes); i++) {
        assert_true(sp_form_is_server_error((const uint8_t *)yes[i], strlen(yes[i])));
        assert_false(sp_form_is_server_error((const uint8_t *)yes[i], 9)); /* cut */
    }
    for (size_t i = 0; i < SP_ARRAY_LEN(no); i++) {
        assert_false(sp_form_is_server_error((const uint8_t *)no[i], strlen(no[i])));
    }
    assert_false(sp_form_is_server_error(NULL, 0));
}

static void what_is_too_long_is_none(void **state)
{
    (void)state;
    struct sp_tag_keys keys = keys_of(7);
    struct sp_form form;
    uint8_t big[SP_FORM_HEAD + 100];
    static const char *const heads[] = {"GET / HTTP/1.1\r\nA: ", "PROXY TCP4 ",
                                        "\r\n\r\n\0\r\nQUIT\n\x21\x11\xff\xff"};
    static const size_t lens[] = {19, 11, 16};
    for (size_t i = 0; i < 3; i++) {
        memset(big, 'x', sizeof(big));
        memcpy(big, heads[i], lens[i]);
        assert_int_equal(read_exact(&keys, big, sizeof(big), &form), SP_FORM_NONE);
        assert_int_equal(read_exact(&keys, big, SP_FORM_HEAD, &form), SP_FORM_NONE);
        assert_int_equal(read_exact(&keys, big, 100, &form), i == 2 ? SP_FORM_NONE : SP_FORM_PART);
    }
    memset(big, 'x', sizeof(big));
    memcpy(big, v2, 12);
    big[12] = 0x11; /* version 1 */
    big[14] = big[15] = 0;
    assert_int_equal(read_exact(&keys, big, 100, &form), SP_FORM_NONE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_form_is_read),       cmocka_unit_test(heads_are_named),
        cmocka_unit_test(hellos_are_compared),      cmocka_unit_test(paths_and_statuses),
        cmocka_unit_test(replies_answer_in_kind),   cmocka_unit_test(proxies_may_rewrite_the_head),
        cmocka_unit_test(what_is_too_long_is_none), cmocka_unit_test(server_errors),
    };
    return cmocka_run_group_tests_name("tagform", tests, NULL, NULL);
}
