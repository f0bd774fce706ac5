/* SPDX-License-Identifier: Apache-2.0
 *
 * An index from a 64-bit key to a row number: open addressing, grows by doubling, never shrinks,
 * keys are not removed. Keys are mixed with a random seed, because some of them come from packets.
 */
#ifndef SP_BASE_TABLE_H
#define SP_BASE_TABLE_H

#include <stddef.h>
#include <stdint.h>

#include "probe/base/rc.h"

#define SP_NO_ROW UINT32_MAX

struct sp_table {
    struct sp_table_slot {
        uint64_t key;
        uint32_t row; /* SP_NO_ROW = empty */
    } * slots;
    size_t cap; /* power of two, or 0 */
    size_t n;
    uint64_t seed;
};

void sp_table_init(struct sp_table *table);
void sp_table_release(struct sp_table *table);
/* SP_NO_ROW when the key is not there. */
uint32_t sp_table_get(const struct sp_table *table, uint64_t key);
/* Sets or replaces. */
enum sp_rc sp_table_put(struct sp_table *table, uint64_t key, uint32_t row) SP_MUST_CHECK;

#endif
