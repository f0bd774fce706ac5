/* SPDX-License-Identifier: Apache-2.0
 *
 * What a peer says first, byte by byte. */
#include <string.h>

#include "probe/caller/talk.h"
#include "tests/support/sp_cmocka.h"

struct head {
    bool is_all;
    uint8_t kind;
    unsigned status;
    char location[64];
};

static struct head read_bytes(const char *bytes, size_t len)
{
    struct head h = {0};
    h.is_all = sp_talk_read_head(bytes, len, &h.kind, &h.status, h.location, sizeof(h.location));
    return h;
}

static struct head read_text(const char *text)
{
    return read_bytes(text, strlen(text));
}

static void responses(void **state)
{
    struct head h = read_text("HTTP/1.1 200 OK\r\nServer: x\r\n\r\nbody");
    (void)state;
    assert_true(h.is_all);
    assert_int_equal(h.kind, SP_TALK_HTTP_HEAD);
    assert_int_equal(h.status, 200);
    assert_string_equal(h.location, "");
    h = read_text("HTTP/1.0 302 \nLOCATION: \thttps://b.example/\x01x \r\n\n");
    assert_int_equal(h.status, 302);
    assert_string_equal(h.location, "https://b.example/?x?");
    h = read_text("HTTP/1.1 103 Early\r\nLink: x\r\n\r\nHTTP/1.1 404 No\r\n\r\n");
    assert_true(h.is_all);
    assert_int_equal(h.status, 404);
    h = read_text("HTTP/1.1 200 OK\r\nServer: x\r\n");
    assert_false(h.is_all);
    assert_int_equal(h.status, 200);
    assert_int_equal(read_text("HTTP/x.1 200 OK\r\n\r\n").status, 0);
    assert_int_equal(read_text("HTTP/1.1 20x OK\r\n\r\n").status, 0);
    assert_int_equal(read_text("HTTP/1.1 099 OK\r\n\r\n").status, 0);
}

static void other_protocols(void **state)
{
    (void)state;
    assert_int_equal(read_bytes("\x15\x03\x01\0\2\2\x46", 7).kind, SP_TALK_TLS_BYTES);
    assert_int_equal(read_bytes("\0\0\0\4\0\0\0\0\0", 9).kind, SP_TALK_H2_FRAMES);
    assert_int_equal(read_bytes("\0\0\x06\4\0\0\0\0\0\0\3\0\0\0\x64", 15).kind, SP_TALK_H2_FRAMES);
    assert_int_equal(read_bytes("\0\0\x08\7\0\0\0\0\0", 9).kind, SP_TALK_H2_AWAY);
    assert_int_equal(read_bytes("\0\0\1\4\0\0\0\0\0", 9).kind, SP_TALK_OTHER_BYTES);
    assert_int_equal(read_bytes("\0\0\0\4\0\0\0\0\1", 9).kind, SP_TALK_OTHER_BYTES);
    assert_int_equal(read_text("220 mail.example").kind, SP_TALK_OTHER_BYTES);
    assert_int_equal(read_bytes("", 0).kind, SP_TALK_NO_BYTES);
    assert_false(read_bytes("\x15", 1).is_all);
}

/* However it is cut, nothing is read beyond it, and no prefix says more than the whole. */
static void every_cut(void **state)
{
    static const char text[] = "HTTP/1.1 301 Moved\r\nLocation: https://b.example/\r\n\r\n";
    (void)state;
    for (size_t n = 0; n < sizeof(text) - 1; n++) {
        char *copy = malloc(n ? n : 1);
        assert_non_null(copy);
        memcpy(copy, text, n);
        struct head h = read_bytes(copy, n);
        assert_false(h.is_all);
        assert_string_equal(h.location, "");
        free(copy);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(responses),
                                       cmocka_unit_test(other_protocols),
                                       cmocka_unit_test(every_cut)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
