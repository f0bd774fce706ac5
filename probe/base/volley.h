/* SPDX-License-Identifier: Apache-2.0
 *
 * What sender and controller of sweeps share: limits, and which port the k-th packet of a volley is
 * (see probe/sweep.h), so that both mean the same set of ports by the same numbers. */
#ifndef SP_BASE_VOLLEY_H
#define SP_BASE_VOLLEY_H

#include <stdbool.h>

#include "probe/base/permute.h"

/* Beats beside a volley, see probe/sweep.h. */
#define SP_GUARD_EDGE    3U
#define SP_GUARD_PACKETS 256U
#define SP_GUARD_MOST    2048U
#define SP_GUARD_SOON_US 10000U
#define SP_GUARD_LATE_US 250000U

/* Limits. */
#define SP_SWEEPS_MAX        512U /* in one batch of one probe */
#define SP_GUARDS_MAX        1024U
#define SP_VOLLEYS_MAX       256U /* waiting to be sent */
#define SP_SWEEP_PASSES_MAX  32U
#define SP_SWEEP_CLASSES_MAX 16U /* kinds of answers that are told apart */
#define SP_SWEEP_BEATS_MAX   65536U

/* Packets of beats are evidence: with it, both ends keep those that this names, many at first and
 * fewer later, so that few are kept and one is never far. */
static inline bool sp_beat_is_kept(uint32_t beat)
{
    return beat < 64 || (beat < 1024 ? beat % 16 == 0 : beat % 128 == 0);
}

struct sp_volley_order {
    struct sp_permutation whole, part;
    uint32_t first;
};

/* total: ports of the sender; first + count <= total, count > 0. */
void sp_volley_order_init(struct sp_volley_order *order, uint64_t key, uint32_t total,
                          uint16_t pass, uint32_t first, uint32_t count);
/* The number of the k-th packet's port among the sender's; k < count. */
uint32_t sp_volley_order_at(const struct sp_volley_order *order, uint32_t k);
/* The number that stands at a place of the whole, whatever the pass: for i in first .. first +
 * count
 * - 1 the set of ports of a volley. */
uint32_t sp_volley_order_whole(const struct sp_volley_order *order, uint32_t i);

#endif
