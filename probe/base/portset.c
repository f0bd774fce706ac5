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
