/* SPDX-License-Identifier: Apache-2.0
 *
 * A set of ports, one bit each (8 KiB), and how it travels: in chunks of 512 ports, port p of a
 * chunk in byte p / 8, the least significant bit first. */
#ifndef SP_BASE_PORTSET_H
#define SP_BASE_PORTSET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SP_PORTSET_PORTS       65536U
#define SP_PORTSET_CHUNK       512U
#define SP_PORTSET_CHUNKS      (SP_PORTSET_PORTS / SP_PORTSET_CHUNK)
#define SP_PORTSET_CHUNK_BYTES (SP_PORTSET_CHUNK / 8)

struct sp_portset {
    uint8_t bytes[SP_PORTSET_PORTS / 8];
};

static inline bool sp_portset_has(const struct sp_portset *set, uint16_t port)
{
    return (set->bytes[port / 8] >> (port % 8) & 1) != 0;
}

static inline void sp_portset_add(struct sp_portset *set, uint16_t port)
{
    set->bytes[port / 8] |= (uint8_t)(1U << (port % 8));
}

static inline void sp_portset_remove(struct sp_portset *set, uint16_t port)
{
    set->bytes[port / 8] &= (uint8_t) ~(1U << (port % 8));
}

/* Inclusive. */
void sp_portset_add_range(struct sp_portset *set, uint16_t lo, uint16_t hi);
size_t sp_portset_count(const struct sp_portset *set);
/* Adds all of other. */
void sp_portset_unite(struct sp_portset *set, const struct sp_portset *other);
/* The first port of the set that is not below from; SP_PORTSET_PORTS when there is none. */
uint32_t sp_portset_next(const struct sp_portset *set, uint32_t from);
bool sp_portset_chunk_is_empty(const struct sp_portset *set, uint16_t chunk);
/* How many ports of the set come before each 64th; of a set that does not change any more. */
struct sp_portset_index {
    uint32_t count;
    uint16_t before[SP_PORTSET_PORTS / 64];
};
void sp_portset_index(const struct sp_portset *set, struct sp_portset_index *ret_index);
/* The n-th port of the set in rising order; n < sp_portset_count(). */
uint16_t sp_portset_nth(const struct sp_portset *set, const struct sp_portset_index *index,
                        uint32_t n);
/* Copies a chunk out; adds one to the set. False when there is no such chunk. */
bool sp_portset_chunk_get(const struct sp_portset *set, uint16_t chunk,
                          uint8_t out[static SP_PORTSET_CHUNK_BYTES]);
bool sp_portset_chunk_add(struct sp_portset *set, uint16_t chunk,
                          const uint8_t bits[static SP_PORTSET_CHUNK_BYTES]);

#endif
