/* SPDX-License-Identifier: Apache-2.0 */
#include "probe/base/volley.h"

#define SP_GOLDEN 0x9e3779b97f4a7c15ULL

void sp_volley_order_init(struct sp_volley_order *order, uint64_t key, uint32_t total,
                          uint16_t pass, uint32_t first, uint32_t count)
{
    sp_permutation_init(&order->whole, key, total);
    sp_permutation_init(&order->part, key ^ ((uint64_t)pass + 1) * SP_GOLDEN ^ first, count);
    order->first = first;
}

uint32_t sp_volley_order_at(const struct sp_volley_order *order, uint32_t k)
{
    return sp_volley_order_whole(order, order->first + sp_permutation_at(&order->part, k));
}

uint32_t sp_volley_order_whole(const struct sp_volley_order *order, uint32_t i)
{
    return sp_permutation_at(&order->whole, i);
}
