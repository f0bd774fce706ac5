/* SPDX-License-Identifier: Apache-2.0
 *
 * A keyed permutation of 0 .. n-1 without memory: a balanced Feistel network over the next even
 * number of bits, walked until it falls into the range (Black, Rogaway 2002). Sender and controller
 * compute the same order from the same key. Not for secrets: it only has to look unrelated to the
 * order of ports, and to that of any other key. */
#ifndef SP_BASE_PERMUTE_H
#define SP_BASE_PERMUTE_H

#include <stdint.h>

#define SP_PERMUTE_ROUNDS 4U

struct sp_permutation {
    uint32_t n;
    uint32_t half_mask;
    unsigned half_bits;
    uint32_t keys[SP_PERMUTE_ROUNDS];
};

/* n > 0. */
void sp_permutation_init(struct sp_permutation *permutation, uint64_t key, uint32_t n);
/* Where i goes; i < n. */
uint32_t sp_permutation_at(const struct sp_permutation *permutation, uint32_t i);

#endif
