/* SPDX-License-Identifier: Apache-2.0
 *
 * Bit sets over targets. A set owns its words; reading past the end is false, writing there does
 * nothing. Bits past nbits in the last word stay zero, so whole words may be compared. */
#include <string.h>

#include "probe/base/mem.h"
#include "topologies/model.h"

enum sp_rc sp_bits_init(struct sp_bits *bits, size_t nbits)
{
    uint64_t *words = sp_calloc(nbits / 64 + 1, sizeof(*words));
    if (!words) {
        *bits = (struct sp_bits){0};
        return SP_E_NOMEM;
    }
    *bits = (struct sp_bits){.words = words, .nbits = nbits};
    return SP_OK;
}

void sp_bits_release(struct sp_bits *bits)
{
    sp_free(bits->words);
    *bits = (struct sp_bits){0};
}

bool sp_bits_get(const struct sp_bits *bits, size_t i)
{
    return i < bits->nbits && (bits->words[i / 64] >> (i % 64) & 1) != 0;
}

void sp_bits_set(struct sp_bits *bits, size_t i)
{
    if (i < bits->nbits) {
        bits->words[i / 64] |= UINT64_C(1) << (i % 64);
    }
}

size_t sp_bits_count(const struct sp_bits *bits)
{
    size_t n = 0;
    for (size_t i = 0; i < (bits->nbits + 63) / 64; i++) {
        n += (size_t)__builtin_popcountll(bits->words[i]);
    }
    return n;
}
