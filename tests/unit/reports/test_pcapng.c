/* SPDX-License-Identifier: Apache-2.0
 *
 * The bytes of every block, written out by hand from draft-ietf-opsawg-pcapng: lengths at both
 * ends, padding, little-endian numbers, options closed. */
#include <string.h>

#include "probe/base/mem.h"
#include "reports/pcapng.h"
#include "tests/support/sp_cmocka.h"

static void same(const struct sp_buf *buf, const uint8_t *want, size_t len)
{
    assert_int_equal(buf->rc, SP_OK);
    assert_int_equal(buf->len, len);
    assert_memory_equal(buf->data, want, len);
}

static void section(void **state)
{
    static const uint8_t want[] = {
        0x0a, 0x0d, 0x0d, 0x0a, 52,   0,    0,    0,    /* type, length */
        0x4d, 0x3c, 0x2b, 0x1a, 1,    0,    0,    0,    /* byte order, version 1.0 */
        0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, /* section length: not told */
        1,    0,    3,    0,    'a',  '=',  'b',  0,    /* opt_comment, padded by one */
        4,    0,    8,    0,    's',  'e',  'g',  'p',  'r', 'o', 'o', 'f', /* shb_userappl */
        0,    0,    0,    0,                                                /* opt_endofopt */
        52,   0,    0,    0};
    struct sp_buf buf;
    (void)state;
    sp_buf_init(&buf, 1000);
    sp_pcapng_section(&buf, "segproof", "a=b");
    same(&buf, want, sizeof(want));
    sp_buf_release(&buf);
}

static void interface(void **state)
{
    static const uint8_t want[] = {
        1,   0, 0, 0, 56,  0,   0,   0,                   /* type, length */
        228, 0, 0, 0, 192, 0,   0,   0,                   /* LINKTYPE_IPV4, reserved, snap length */
        2,   0, 6, 0, 'b', ':', 'e', 't', 'h', '0', 0, 0, /* if_name, padded by two */
        3,   0, 5, 0, 'p', 'r', 'o', 'b', 'e', 0,   0, 0, /* if_description, padded by three */
        9,   0, 1, 0, 9,   0,   0,   0,                   /* if_tsresol: 10^-9 */
        0,   0, 0, 0, 56,  0,   0,   0};
    struct sp_buf buf;
    (void)state;
    sp_buf_init(&buf, 1000);
    sp_pcapng_interface(&buf, "b:eth0", "probe", SP_LINKTYPE_IPV4, 192);
    same(&buf, want, sizeof(want));
    sp_buf_release(&buf);
}

static void packet(void **state)
{
    static const uint8_t bytes[] = {0x45, 1, 2, 3, 4};
    static const uint8_t want[] = {
        6,    0,    0,    0,    60,   0,    0,    0,    /* type, length */
        1,    0,    0,    0,                            /* interface */
        0x67, 0x45, 0x23, 0x01, 0xef, 0xcd, 0xab, 0x89, /* time: high half, low half */
        5,    0,    0,    0,    0xdc, 5,    0,    0,    /* captured 5 of 1,500 */
        0x45, 1,    2,    3,    4,    0,    0,    0,    /* padded by three */
        1,    0,    4,    0,    'x',  '=',  '1',  '2',  /* opt_comment, no padding */
        2,    0,    4,    0,    2,    0,    0,    0,    /* epb_flags: outbound */
        0,    0,    0,    0,    60,   0,    0,    0};
    struct sp_pcapng_packet p = {.interface = 1,
                                 .at_ns = 0x0123456789abcdefULL,
                                 .bytes = bytes,
                                 .len = sizeof(bytes),
                                 .wire_len = 1500,
                                 .is_outbound = true,
                                 .comment = "x=12"};
    struct sp_buf buf;
    (void)state;
    sp_buf_init(&buf, 1000);
    sp_pcapng_packet(&buf, &p);
    same(&buf, want, sizeof(want));
    p.is_outbound = false;
    sp_buf_clear(&buf);
    sp_pcapng_packet(&buf, &p);
    assert_int_equal(buf.data[sizeof(want) - 12], 1); /* inbound */
    sp_buf_release(&buf);
}

static uint32_t at32(const struct sp_buf *buf, size_t at)
{
    const uint8_t *p = (const uint8_t *)buf->data + at;
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

/* Every length of a packet and of its comment gives a block of whole words. */
static void padding(void **state)
{
    uint8_t bytes[16] = {0x45};
    char comment[16];
    struct sp_buf buf;
    (void)state;
    for (uint32_t len = 0; len < 16; len++) {
        for (size_t words = 0; words < 16; words++) {
            memset(comment, 'c', sizeof(comment));
            comment[words] = '\0';
            const struct sp_pcapng_packet p = {.bytes = bytes, .len = len, .comment = comment};
            sp_buf_init(&buf, 1000);
            sp_pcapng_packet(&buf, &p);
            assert_int_equal(buf.len % 4, 0);
            assert_int_equal(at32(&buf, 4), buf.len);
            assert_int_equal(at32(&buf, buf.len - 4), buf.len);
            sp_buf_release(&buf);
        }
    }
}

/* An option holds 65,535 bytes; a longer text is cut, not within a character. */
static void long_text(void **state)
{
    static char text[70001];
    struct sp_buf buf;
    (void)state;
    memset(text, 'a', 70000);
    text[65534] = (char)0xc3; /* the two bytes of one character, across the limit */
    text[65535] = (char)0xa9;
    sp_buf_init(&buf, 200000);
    sp_pcapng_section(&buf, "s", text);
    assert_int_equal(buf.rc, SP_OK);
    assert_int_equal(at32(&buf, 24) >> 16, 65534);
    assert_int_equal(at32(&buf, 4), buf.len);
    sp_buf_release(&buf);
}

static void too_big(void **state)
{
    struct sp_buf buf;
    (void)state;
    for (size_t max = 1; max < 52; max++) {
        sp_buf_init(&buf, max);
        sp_pcapng_section(&buf, "segproof", "a=b");
        assert_int_equal(buf.rc, SP_E_LIMIT);
        sp_buf_release(&buf);
    }
    for (size_t n = 1; n < 6; n++) {
        sp_buf_init(&buf, 1000);
        (void)sp_mem_fail_at(n, 1);
        sp_pcapng_section(&buf, "segproof", "a=b");
        (void)sp_mem_fail_at(0, 0);
        assert_true(buf.rc == SP_E_NOMEM || buf.len == 52);
        sp_buf_release(&buf);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(section), cmocka_unit_test(interface), cmocka_unit_test(packet),
        cmocka_unit_test(padding), cmocka_unit_test(long_text), cmocka_unit_test(too_big),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
