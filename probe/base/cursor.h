/* SPDX-License-Identifier: Apache-2.0
 *
 * Bounds-checked big-endian reading and writing with a sticky error: a read past the end gives 0
 * and sets bad, so a parser reads straight through and checks once. No alignment is assumed. */
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

void sp_rd_init(struct sp_rd *rd, const void *data, size_t len);
uint8_t sp_rd_u8(struct sp_rd *rd);
uint16_t sp_rd_u16(struct sp_rd *rd);
uint32_t sp_rd_u32(struct sp_rd *rd);
uint64_t sp_rd_u64(struct sp_rd *rd);
/* Copies len bytes to out; zeroes out when they are not there. */
void sp_rd_bytes(struct sp_rd *rd, void *out, size_t len);
/* A borrowed view of len bytes; NULL when they are not there (bad is set) or data is NULL. */
const uint8_t *sp_rd_view(struct sp_rd *rd, size_t len);
void sp_rd_skip(struct sp_rd *rd, size_t len);
size_t sp_rd_left(const struct sp_rd *rd);

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
