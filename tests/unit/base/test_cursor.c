/* SPDX-License-Identifier: Apache-2.0
 *
 * Bounds-checked big-endian reading and writing. */
#include "tests/support/sp_cmocka.h"

#include <string.h>

#include "probe/base/cursor.h"

static const uint8_t bytes[15] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};

static void test_read(void **state)
{
    (void)state;
    struct sp_rd rd;
    sp_rd_init(&rd, bytes, sizeof(bytes));
    assert_int_equal(sp_rd_u8(&rd), 0x01);
    assert_int_equal(sp_rd_u16(&rd), 0x0203);
    assert_int_equal(sp_rd_u32(&rd), 0x04050607);
    assert_true(sp_rd_u64(&rd) == 0x08090a0b0c0d0e0fULL);
    assert_int_equal(sp_rd_left(&rd), 0);
    assert_false(rd.bad);
    assert_int_equal(sp_rd_u8(&rd), 0);
    assert_true(rd.bad);
}

/* The same reads over every truncation: never past the end, and 0 from the first short one on. */
static void test_every_truncation(void **state)
{
    (void)state;
    for (size_t len = 0; len < sizeof(bytes); len++) {
        uint8_t exact[sizeof(bytes)];
        memcpy(exact, bytes, len);
        struct sp_rd rd;
        sp_rd_init(&rd, exact, len);
        uint8_t a = sp_rd_u8(&rd);
        uint16_t b = sp_rd_u16(&rd);
        uint32_t c = sp_rd_u32(&rd);
        uint64_t d = sp_rd_u64(&rd);
        assert_int_equal(a, len >= 1 ? 0x01 : 0);
        assert_int_equal(b, len >= 3 ? 0x0203 : 0);
        assert_int_equal(c, len >= 7 ? 0x04050607 : 0);
        assert_int_equal(d, 0);
        assert_true(rd.bad);
        assert_int_equal(sp_rd_left(&rd), 0);
    }
}

static void test_sticky(void **state)
{
    (void)state;
    struct sp_rd rd;
    sp_rd_init(&rd, bytes, 3);
    assert_int_equal(sp_rd_u32(&rd), 0); /* too long: nothing is consumed, but all is bad now */
    assert_int_equal(sp_rd_u8(&rd), 0);
    assert_true(rd.bad);
}

static void test_bytes_view_skip(void **state)
{
    (void)state;
    struct sp_rd rd;
    uint8_t out[4];
    sp_rd_init(&rd, bytes, sizeof(bytes));
    sp_rd_skip(&rd, 2);
    sp_rd_bytes(&rd, out, 4);
    assert_memory_equal(out, bytes + 2, 4);
    assert_ptr_equal(sp_rd_view(&rd, 3), bytes + 6);
    assert_int_equal(sp_rd_left(&rd), 6);
    assert_ptr_equal(sp_rd_view(&rd, 0), bytes + 9);
    sp_rd_skip(&rd, 6);
    assert_false(rd.bad);
    assert_non_null(sp_rd_view(&rd, 0)); /* at the end, nothing is still there */
    memset(out, 0xaa, sizeof(out));
    sp_rd_bytes(&rd, out, 4);
    assert_memory_equal(out, "\0\0\0\0", 4);
    assert_true(rd.bad);
    assert_null(sp_rd_view(&rd, 0));

    sp_rd_init(&rd, bytes, sizeof(bytes));
    sp_rd_skip(&rd, 5);
    sp_rd_skip(&rd, SIZE_MAX - 2); /* pos + len would wrap around */
    assert_true(rd.bad);
}

static void test_empty(void **state)
{
    (void)state;
    struct sp_rd rd;
    sp_rd_init(&rd, NULL, 0);
    sp_rd_bytes(&rd, NULL, 0);
    assert_null(sp_rd_view(&rd, 0));
    assert_false(rd.bad);
    assert_int_equal(sp_rd_u8(&rd), 0);
    assert_true(rd.bad);
    sp_rd_bytes(&rd, NULL, 0);
}

static void test_write(void **state)
{
    (void)state;
    uint8_t out[20];
    struct sp_wr wr;
    sp_wr_init(&wr, out, sizeof(out));
    sp_wr_u8(&wr, 0x01);
    sp_wr_u16(&wr, 0x0203);
    sp_wr_u32(&wr, 0x04050607);
    sp_wr_u64(&wr, 0x08090a0b0c0d0e0fULL);
    assert_memory_equal(out, bytes, sizeof(bytes));
    sp_wr_bytes(&wr, "abcde", 5);
    sp_wr_bytes(&wr, NULL, 0);
    assert_int_equal(wr.pos, 20);
    assert_false(wr.bad);
    sp_wr_u8(&wr, 1);
    assert_true(wr.bad);
    assert_int_equal(wr.pos, 20);
}

static void test_write_does_not_fit(void **state)
{
    (void)state;
    uint8_t out[4] = {9, 9, 9, 9};
    struct sp_wr wr;
    sp_wr_init(&wr, out, 3);
    sp_wr_u16(&wr, 0x0102);
    sp_wr_u16(&wr, 0x0304); /* no half of it is written */
    sp_wr_u8(&wr, 5);       /* and nothing after it */
    assert_true(wr.bad);
    assert_memory_equal(out, "\1\2\x9\x9", 4);
    sp_wr_init(&wr, out, 4);
    sp_wr_u8(&wr, 1);
    sp_wr_bytes(&wr, bytes, SIZE_MAX);
    assert_true(wr.bad);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_read),
        cmocka_unit_test(test_every_truncation),
        cmocka_unit_test(test_sticky),
        cmocka_unit_test(test_bytes_view_skip),
        cmocka_unit_test(test_empty),
        cmocka_unit_test(test_write),
        cmocka_unit_test(test_write_does_not_fit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
