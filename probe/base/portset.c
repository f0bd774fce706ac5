/* SPDX-License-Identifier: Apache-2.0 */
#include "probe/base/portset.h"

#include <string.h>

#include "probe/base/attr.h"

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

/* The bits of each byte, in that byte; and with the bytes below it, which takes one multiplication.
 */
static uint64_t bits_of_bytes(uint64_t v)
{
    v -= v >> 1 & 0x5555555555555555ULL;
    v = (v & 0x3333333333333333ULL) + (v >> 2 & 0x3333333333333333ULL);
    return (v + (v >> 4)) & 0x0f0f0f0f0f0f0f0fULL;
}

static uint64_t bits_up_to_bytes(uint64_t v)
{
    return bits_of_bytes(v) * 0x0101010101010101ULL;
}

void sp_portset_index(const struct sp_portset *set, struct sp_portset_index *ret_index)
{
    uint32_t n = 0;
    for (uint32_t word = 0; word < SP_ARRAY_LEN(ret_index->before); word++) {
        ret_index->before[word] = (uint16_t)n; /* before the last word at most 65472 */
        n += (uint32_t)(bits_up_to_bytes(word_at(set, word)) >> 56);
    }
    ret_index->count = n;
}

/* The word that holds the n-th port. Most sets have few holes or are spread evenly: the first guess
 * is near. */
static uint32_t find_word(const struct sp_portset_index *index, uint32_t n)
{
    const uint32_t words = SP_ARRAY_LEN(index->before);
    uint32_t word = (uint32_t)((uint64_t)n * words / index->count);
    for (int i = 0; i < 4; i++) {
        if (index->before[word] > n) {
            word--;
        } else if (word + 1 < words && index->before[word + 1] <= n) {
            word++;
        } else {
            return word;
        }
    }
    word = 0;
    for (uint32_t step = words / 2; step > 0; step /= 2) {
        word += index->before[word + step] <= n ? step : 0;
    }
    return word;
}

uint16_t sp_portset_nth(const struct sp_portset *set, const struct sp_portset_index *index,
                        uint32_t n)
{
    uint32_t word = find_word(index, n);
    n -= index->before[word];
    uint64_t bits = word_at(set, word);
    uint64_t sums = bits_up_to_bytes(bits);
    uint32_t at = 0; /* the byte: a search as above */
    for (uint32_t step = 4; step > 0; step /= 2) {
        at += (uint8_t)(sums >> (8 * (at + step) - 8)) <= n ? step : 0;
    }
    n -= at ? (uint8_t)(sums >> (8 * at - 8)) : 0;
    uint32_t byte = (uint8_t)(bits >> 8 * at);
    for (; n > 0; n--) {
        byte &= byte - 1; /* without its lowest bit */
    }
    return (uint16_t)(word * 64 + at * 8 + (uint32_t)__builtin_ctz(byte));
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
