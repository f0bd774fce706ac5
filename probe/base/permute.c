/* SPDX-License-Identifier: Apache-2.0 */
#include "probe/base/permute.h"

#include "probe/base/hash.h"

void sp_permutation_init(struct sp_permutation *permutation, uint64_t key, uint32_t n)
{
    struct sp_rng rng = {key};
    permutation->n = n;
    permutation->half_bits = 1;
    while (n > 1U << 2 * permutation->half_bits && permutation->half_bits < 15) {
        permutation->half_bits++;
    }
    /* 2^30 is the most that a shift of 32 bits leaves room for; a bundle has at most 2^21 ports. */
    permutation->half_mask = (1U << permutation->half_bits) - 1;
    for (unsigned i = 0; i < SP_PERMUTE_ROUNDS; i++) {
        permutation->keys[i] = (uint32_t)sp_rng_next(&rng);
    }
}

/* Any function will do for a Feistel network; this one mixes well (the finisher of MurmurHash3). */
static uint32_t mix(uint32_t v, uint32_t key)
{
    v ^= key;
    v *= 0x85ebca6bU;
    v ^= v >> 13;
    v *= 0xc2b2ae35U;
    return v ^ v >> 16;
}

uint32_t sp_permutation_at(const struct sp_permutation *permutation, uint32_t i)
{
    do {
        uint32_t left = i >> permutation->half_bits;
        uint32_t right = i & permutation->half_mask;
        for (unsigned r = 0; r < SP_PERMUTE_ROUNDS; r++) {
            uint32_t next = left ^ (mix(right, permutation->keys[r]) & permutation->half_mask);
            left = right;
            right = next;
        }
        i = left << permutation->half_bits | right;
    } while (i >= permutation->n); /* ends: a permutation's cycle comes back to where it began */
    return i;
}
