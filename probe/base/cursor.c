/* SPDX-License-Identifier: Apache-2.0 */
#include "probe/base/cursor.h"

#include <string.h>

void sp_rd_bytes(struct sp_rd *rd, void *out, size_t len)
{
    const uint8_t *at = sp_rd_view(rd, len);
    if (at) {
        memcpy(out, at, len);
    } else if (len) {
        memset(out, 0, len);
    }
}

uint64_t sp_rd_u64(struct sp_rd *rd)
{
    const uint8_t *at = sp_rd_view(rd, 8);
    uint64_t v = 0;
    for (size_t i = 0; at && i < 8; i++) {
        v = v << 8 | at[i];
    }
    return v;
}

void sp_wr_init(struct sp_wr *wr, void *data, size_t cap)
{
    wr->data = data;
    wr->cap = cap;
    wr->pos = 0;
    wr->bad = false;
}

void sp_wr_bytes(struct sp_wr *wr, const void *bytes, size_t len)
{
    if (wr->bad || len > wr->cap - wr->pos) {
        wr->bad = true;
        return;
    }
    if (len) {
        memcpy(wr->data + wr->pos, bytes, len);
    }
    wr->pos += len;
}

static void wr_be(struct sp_wr *wr, uint64_t v, size_t len)
{
    uint8_t be[8];
    for (size_t i = 0; i < len; i++) {
        be[i] = (uint8_t)(v >> (8 * (len - 1 - i)));
    }
    sp_wr_bytes(wr, be, len);
}

void sp_wr_u8(struct sp_wr *wr, uint8_t v)
{
    wr_be(wr, v, 1);
}

void sp_wr_u16(struct sp_wr *wr, uint16_t v)
{
    wr_be(wr, v, 2);
}

void sp_wr_u32(struct sp_wr *wr, uint32_t v)
{
    wr_be(wr, v, 4);
}

void sp_wr_u64(struct sp_wr *wr, uint64_t v)
{
    wr_be(wr, v, 8);
}
