/* SPDX-License-Identifier: Apache-2.0 */
#include "probe/base/table.h"

#include <string.h>

#include "probe/base/hash.h"
#include "probe/base/mem.h"

void sp_table_init(struct sp_table *table)
{
    memset(table, 0, sizeof(*table));
    sp_random_bytes(&table->seed, sizeof(table->seed));
}

void sp_table_release(struct sp_table *table)
{
    sp_free(table->slots);
    table->slots = NULL;
    table->cap = 0;
    table->n = 0;
}

/* The finaliser of SplitMix64 over the seeded key. */
static size_t mix(const struct sp_table *table, uint64_t key)
{
    uint64_t z = key ^ table->seed;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ULL;
    z = (z ^ z >> 27) * 0x94d049bb133111ebULL;
    return (size_t)(z ^ z >> 31);
}

static struct sp_table_slot *find(const struct sp_table *table, uint64_t key)
{
    size_t i = mix(table, key) & (table->cap - 1);
    while (table->slots[i].row != SP_NO_ROW && table->slots[i].key != key) {
        i = (i + 1) & (table->cap - 1);
    }
    return &table->slots[i];
}

uint32_t sp_table_get(const struct sp_table *table, uint64_t key)
{
    return table->cap ? find(table, key)->row : SP_NO_ROW;
}

static enum sp_rc grow(struct sp_table *table)
{
    struct sp_table bigger = *table;
    bigger.cap = table->cap ? table->cap * 2 : 64;
    bigger.slots = sp_calloc(bigger.cap, sizeof(*bigger.slots));
    if (!bigger.slots) {
        return SP_E_NOMEM;
    }
    for (size_t i = 0; i < bigger.cap; i++) {
        bigger.slots[i].row = SP_NO_ROW;
    }
    for (size_t i = 0; i < table->cap; i++) {
        if (table->slots[i].row != SP_NO_ROW) {
            *find(&bigger, table->slots[i].key) = table->slots[i];
        }
    }
    sp_free(table->slots);
    *table = bigger;
    return SP_OK;
}

enum sp_rc sp_table_put(struct sp_table *table, uint64_t key, uint32_t row)
{
    if ((table->n + 1) * 4 > table->cap * 3) {
        enum sp_rc rc = grow(table);
        if (rc != SP_OK) {
            return rc;
        }
    }
    struct sp_table_slot *slot = find(table, key);
    if (slot->row == SP_NO_ROW) {
        table->n++;
    }
    *slot = (struct sp_table_slot){.key = key, .row = row};
    return SP_OK;
}
