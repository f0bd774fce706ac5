/* SPDX-License-Identifier: Apache-2.0
 *
 * Bounds-checked big-endian reading and writing with a sticky error: a read past the end gives 0
 * and sets bad, so a parser reads straight through and checks once. No alignment is assumed. What a
 * packet is read with stands here, so that the compiler can put it into the parser. */
#ifndef SP_BASE_CURSOR_H
#define SP_BASE_CURSOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sp_rd {
    const uint8_t *data; /* borrowed */
    size_t len;
    size_t pos;
    bool bad; /* a read went past the end */
};

static inline void sp_rd_init(struct sp_rd *rd, const void *data, size_t len)
{
    *rd = (struct sp_rd){.data = (const uint8_t *)data, .len = len};
}

/* A borrowed view of len bytes; NULL when they are not there (bad is set) or data is NULL. */
static inline const uint8_t *sp_rd_view(struct sp_rd *rd, size_t len)
{
    if (rd->bad || len > rd->len - rd->pos) {
        rd->bad = true;
        return NULL;
    }
    const uint8_t *at = rd->data ? rd->data + rd->pos : NULL;
    rd->pos += len;
    return at;
}

static inline void sp_rd_skip(struct sp_rd *rd, size_t len)
{
    (void)sp_rd_view(rd, len);
}

static inline size_t sp_rd_left(const struct sp_rd *rd)
{
    return rd->bad ? 0 : rd->len - rd->pos;
}

static inline uint8_t sp_rd_u8(struct sp_rd *rd)
{
    const uint8_t *at = sp_rd_view(rd, 1);
    return at ? at[0] : 0;
}

static inline uint16_t sp_rd_u16(struct sp_rd *rd)
{
    const uint8_t *at = sp_rd_view(rd, 2);
    return at ? (uint16_t)(at[0] << 8 | at[1]) : 0;
}

static inline uint32_t sp_rd_u32(struct sp_rd *rd)
{
    const uint8_t *at = sp_rd_view(rd, 4);
    return at ? (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3] : 0;
}

uint64_t sp_rd_u64(struct sp_rd *rd);
/* Copies len bytes to out; zeroes out when they are not there. */
void sp_rd_bytes(struct sp_rd *rd, void *out, size_t len);

struct sp_wr {
    uint8_t *data; /* borrowed */
    size_t cap;
    size_t pos;
    bool bad; /* a write did not fit */
};

void sp_wr_init(struct sp_wr *wr, void *data, size_t cap);
void sp_wr_u8(struct sp_wr *wr, uint8_t v);
void sp_wr_u16(struct sp_wr *wr, uint16_t v);
void sp_wr_u32(struct sp_wr *wr, uint32_t v);
void sp_wr_u64(struct sp_wr *wr, uint64_t v);
void sp_wr_bytes(struct sp_wr *wr, const void *bytes, size_t len);

#endif
