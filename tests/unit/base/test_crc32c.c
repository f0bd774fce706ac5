/* SPDX-License-Identifier: Apache-2.0
 *
 * CRC32c against the vectors of RFC 3720 B.4 and the check value that everybody quotes. */
#include "probe/base/crc32c.h"

#include <string.h>

#include "tests/support/sp_cmocka.h"

static void vectors(void **state)
{
    (void)state;
    uint8_t bytes[48] = {0};
    assert_int_equal(sp_crc32c("", 0), 0);
    assert_int_equal(sp_crc32c("123456789", 9), 0xe3069283);
    assert_int_equal(sp_crc32c(bytes, 32), 0x8a9136aa);
    memset(bytes, 0xff, 32);
    assert_int_equal(sp_crc32c(bytes, 32), 0x62a8ab43);
    for (uint8_t i = 0; i < 32; i++) {
        bytes[i] = i;
    }
    assert_int_equal(sp_crc32c(bytes, 32), 0x46dd794e);
    for (uint8_t i = 0; i < 32; i++) {
        bytes[i] = (uint8_t)(31 - i);
    }
    assert_int_equal(sp_crc32c(bytes, 32), 0x113fdb5c);
    static const uint8_t read_command[48] = {
        0x01, 0xc0, [16] = 0x14, [22] = 0x04, [27] = 0x14, [31] = 0x18, [32] = 0x28, [40] = 0x02};
    assert_int_equal(sp_crc32c(read_command, 48), 0xd9963a56);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(vectors),
    };
    return cmocka_run_group_tests_name("crc32c", tests, NULL, NULL);
}
