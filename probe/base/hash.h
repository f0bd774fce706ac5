/* SPDX-License-Identifier: Apache-2.0
 *
 * SipHash-2-4 (Aumasson, Bernstein 2012): the keyed 64-bit MAC of the tag, and the hash of every
 * table whose keys an outsider can choose. */
#ifndef SP_BASE_HASH_H
#define SP_BASE_HASH_H

#include <stddef.h>
#include <stdint.h>

struct sp_hash_key {
    uint64_t k0, k1;
};

uint64_t sp_siphash(const struct sp_hash_key *key, const void *data, size_t len);
/* Fills the buffer from the kernel's random source; cannot fail after boot. */
void sp_random_bytes(void *out, size_t len);

/* A small generator for seeded choices: SplitMix64 (Steele, Lea, Flood 2014). Not for secrets. */
struct sp_rng {
    uint64_t state;
};
uint64_t sp_rng_next(struct sp_rng *rng);
/* Uniform in 0..bound-1 without modulo bias; bound > 0. */
uint64_t sp_rng_below(struct sp_rng *rng, uint64_t bound);

#endif
