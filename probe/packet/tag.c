/* SPDX-License-Identifier: Apache-2.0 */
#include "probe/packet/tag.h"

#include <string.h>

#include "probe/base/cursor.h"

static uint16_t rol(uint16_t v, unsigned n)
{
    return (uint16_t)((unsigned)v << n | (unsigned)v >> (16 - n));
}

static uint16_t ror(uint16_t v, unsigned n)
{
    return (uint16_t)((unsigned)v >> n | (unsigned)v << (16 - n));
}

/* One round of Speck32: (x, y) -> ((x >>> 7) + y ^ k, (y <<< 2) ^ x'). */
static void round_forward(uint16_t *x, uint16_t *y, uint16_t k)
{
    *x = (uint16_t)((ror(*x, 7) + *y) ^ k);
    *y = rol(*y, 2) ^ *x;
}

static void round_back(uint16_t *x, uint16_t *y, uint16_t k)
{
    *y = ror(*y ^ *x, 2);
    *x = rol((uint16_t)((*x ^ k) - *y), 7);
}

void sp_tag_keys_init(struct sp_tag_keys *keys, const uint8_t key[static 32])
{
    struct sp_rd rd;
    uint16_t l[3 + SP_ARRAY_LEN(keys->round_keys)];
    sp_rd_init(&rd, key, 32);
    for (int i = 2; i >= 0; i--) {
        l[i] = sp_rd_u16(&rd);
    }
    keys->round_keys[0] = sp_rd_u16(&rd);
    for (size_t i = 0; i + 1 < SP_ARRAY_LEN(keys->round_keys); i++) {
        uint16_t x = l[i];
        uint16_t y = keys->round_keys[i];
        round_forward(&x, &y, (uint16_t)i);
        l[i + 3] = x;
        keys->round_keys[i + 1] = y;
    }
    sp_rd_skip(&rd, 8); /* kept for a second block key */
    keys->mac.k0 = sp_rd_u64(&rd);
    keys->mac.k1 = sp_rd_u64(&rd);
}

uint32_t sp_tag_seal(const struct sp_tag_keys *keys, uint16_t block, uint16_t port)
{
    uint16_t x = block;
    uint16_t y = port;
    for (size_t i = 0; i < SP_ARRAY_LEN(keys->round_keys); i++) {
        round_forward(&x, &y, keys->round_keys[i]);
    }
    return (uint32_t)x << 16 | y;
}

void sp_tag_unseal(const struct sp_tag_keys *keys, uint32_t c, uint16_t *ret_block,
                   uint16_t *ret_port)
{
    uint16_t x = (uint16_t)(c >> 16);
    uint16_t y = (uint16_t)c;
    for (size_t i = SP_ARRAY_LEN(keys->round_keys); i-- > 0;) {
        round_back(&x, &y, keys->round_keys[i]);
    }
    *ret_block = x;
    *ret_port = y;
}

static uint64_t mac(const struct sp_tag_keys *keys, uint16_t block, uint16_t port,
                    enum sp_tag_kind kind)
{
    const uint8_t text[5] = {(uint8_t)(block >> 8), (uint8_t)block, (uint8_t)(port >> 8),
                             (uint8_t)port, (uint8_t)kind};
    return sp_siphash(&keys->mac, text, sizeof(text));
}

struct sp_tag sp_tag_make(const struct sp_tag_keys *keys, uint16_t block, uint16_t port)
{
    uint64_t m = mac(keys, block, port, SP_TAG_PROBE);
    uint16_t ip_id = (uint16_t)(m >> 32);
    return (struct sp_tag){
        .seq = sp_tag_seal(keys, block, port),
        .tsval = (uint32_t)m,
        .ip_id = ip_id ? ip_id : 1,
        .mac = m,
    };
}

bool sp_tag_check(const struct sp_tag_keys *keys, uint32_t seq, uint32_t tsval, uint16_t *ret_block,
                  uint16_t *ret_port)
{
    uint16_t block;
    uint16_t port;
    sp_tag_unseal(keys, seq, &block, &port);
    if (tsval != (uint32_t)mac(keys, block, port, SP_TAG_PROBE)) {
        return false;
    }
    *ret_block = block;
    *ret_port = port;
    return true;
}

void sp_tag_write(const struct sp_tag_keys *keys, uint16_t block, uint16_t port,
                  enum sp_tag_kind kind, uint64_t sent_us, uint8_t out[static SP_TAG_BYTES])
{
    struct sp_wr wr;
    sp_wr_init(&wr, out, SP_TAG_BYTES);
    sp_wr_u32(&wr, SP_TAG_MAGIC);
    sp_wr_u32(&wr, sp_tag_seal(keys, block, port));
    sp_wr_u64(&wr, mac(keys, block, port, kind));
    sp_wr_u8(&wr, (uint8_t)kind);
    sp_wr_bytes(&wr, "\0\0\0", 3);
    sp_wr_u64(&wr, sent_us);
}

bool sp_tag_read(const struct sp_tag_keys *keys, const uint8_t *payload, size_t len,
                 enum sp_tag_kind *ret_kind, uint16_t *ret_block, uint16_t *ret_port)
{
    struct sp_rd rd;
    sp_rd_init(&rd, payload, len);
    uint32_t magic = sp_rd_u32(&rd);
    uint32_t c = sp_rd_u32(&rd);
    uint64_t m = sp_rd_u64(&rd);
    uint8_t kind = sp_rd_u8(&rd);
    if (rd.bad || magic != SP_TAG_MAGIC || (kind != SP_TAG_PROBE && kind != SP_TAG_REPLY)) {
        return false;
    }
    uint16_t block;
    uint16_t port;
    sp_tag_unseal(keys, c, &block, &port);
    if (m != mac(keys, block, port, (enum sp_tag_kind)kind)) {
        return false;
    }
    *ret_kind = (enum sp_tag_kind)kind;
    *ret_block = block;
    *ret_port = port;
    return true;
}
