/* SPDX-License-Identifier: Apache-2.0 */
#include "probe/base/crc32c.h"

/* Bit by bit: of the packets that carry one there are few, and they are short. */
uint32_t sp_crc32c(const void *bytes, size_t len)
{
    const uint8_t *at = bytes;
    uint32_t crc = UINT32_MAX;
    for (size_t i = 0; i < len; i++) {
        crc ^= at[i];
        for (int bit = 0; bit < 8; bit++) {
            crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78U : 0);
        }
    }
    return ~crc;
}
