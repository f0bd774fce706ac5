/* SPDX-License-Identifier: Apache-2.0 */
#include "probe/base/portset.h"

#include <string.h>

void sp_portset_add_range(struct sp_portset *set, uint16_t lo, uint16_t hi)
{
    for (uint32_t port = lo; port <= hi; port++) {
        if (port % 8 == 0 && port + 7 <= hi) {
            set->bytes[port / 8] = 0xff;
            port += 7;
        } else {
            sp_portset_add(set, (uint16_t)port);
        }
    }
}

size_t sp_portset_count(const struct sp_portset *set)
{
    size_t n = 0;
    for (size_t i = 0; i < sizeof(set->bytes); i++) {
        n += (size_t)__builtin_popcount(set->bytes[i]);
    }
    return n;
}

void sp_portset_unite(struct sp_portset *set, const struct sp_portset *other)
{
    for (size_t i = 0; i < sizeof(set->bytes); i++) {
        set->bytes[i] |= other->bytes[i];
    }
}

uint32_t sp_portset_next(const struct sp_portset *set, uint32_t from)
{
    for (uint32_t port = from; port < SP_PORTSET_PORTS; port++) {
        if (port % 8 == 0 && set->bytes[port / 8] == 0) {
            port += 7;
        } else if (sp_portset_has(set, (uint16_t)port)) {
            return port;
        }
    }
    return SP_PORTSET_PORTS;
}

/* 64 ports, the least in the lowest bit. */
static uint64_t word_at(const struct sp_portset *set, uint32_t word)
{
    uint64_t v;
    memcpy(&v, set->bytes + (size_t)word * sizeof(v), sizeof(v));
    return __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__ ? __builtin_bswap64(v) : v;
}

void sp_portset_index(const struct sp_portset *set, struct sp_portset_index *ret_index)
{
    uint32_t n = 0;
    for (uint32_t chunk = 0; chunk < SP_PORTSET_CHUNKS; chunk++) {
        ret_index->before[chunk] = (uint16_t)n; /* before the last chunk at most 65024 */
        for (uint32_t word = chunk * 8; word < chunk * 8 + 8; word++) {
            n += (uint32_t)__builtin_popcountll(word_at(set, word));
        }
    }
}

uint16_t sp_portset_nth(const struct sp_portset *set, const struct sp_portset_index *index,
                        uint32_t n)
{
    uint32_t chunk = 0;
    for (uint32_t step = SP_PORTSET_CHUNKS / 2; step > 0; step /= 2) {
        chunk += index->before[chunk + step] <= n ? step : 0;
    }
    n -= index->before[chunk];
    uint32_t word = chunk * 8;
    uint64_t bits = word_at(set, word);
    for (uint32_t here = (uint32_t)__builtin_popcountll(bits); n >= here && word < chunk * 8 + 7;
         here = (uint32_t)__builtin_popcountll(bits)) {
        n -= here;
        bits = word_at(set, ++word);
    }
    /* Halves: the lower one, when the bit is in there. */
    uint32_t bit = 0;
    for (uint32_t width = 32; width > 0; width /= 2) {
        uint32_t low = (uint32_t)__builtin_popcountll(bits & ((1ULL << width) - 1));
        if (n >= low) {
            n -= low;
            bit += width;
            bits >>= width;
        }
    }
    return (uint16_t)(word * 64 + bit);
}

bool sp_portset_chunk_is_empty(const struct sp_portset *set, uint16_t chunk)
{
    static const uint8_t none[SP_PORTSET_CHUNK_BYTES];
    return chunk >= SP_PORTSET_CHUNKS ||
           memcmp(set->bytes + (size_t)chunk * sizeof(none), none, sizeof(none)) == 0;
}

bool sp_portset_chunk_get(const struct sp_portset *set, uint16_t chunk,
                          uint8_t out[static SP_PORTSET_CHUNK_BYTES])
{
    if (chunk >= SP_PORTSET_CHUNKS) {
        return false;
    }
    memcpy(out, set->bytes + (size_t)chunk * SP_PORTSET_CHUNK_BYTES, SP_PORTSET_CHUNK_BYTES);
    return true;
}

bool sp_portset_chunk_add(struct sp_portset *set, uint16_t chunk,
                          const uint8_t bits[static SP_PORTSET_CHUNK_BYTES])
{
    if (chunk >= SP_PORTSET_CHUNKS) {
        return false;
    }
    for (size_t i = 0; i < SP_PORTSET_CHUNK_BYTES; i++) {
        set->bytes[(size_t)chunk * SP_PORTSET_CHUNK_BYTES + i] |= bits[i];
    }
    return true;
}
