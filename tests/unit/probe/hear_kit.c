/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/probe/hear_kit.h"

#include <stdio.h>
#include <string.h>

#include "tests/support/sp_cmocka.h"

void hear_batch(struct kit *kit, uint32_t keep_bytes)
{
    struct sp_record r = {.type = SP_REC_BATCH};
    r.u.batch = (struct sp_rec_batch){.batch = kit->batch,
                                      .sport_lo = 40000,
                                      .sport_hi = 49999,
                                      .max_pps = 100000,
                                      .budget = 100000,
                                      .lifetime_ms = 600000,
                                      .keep_bytes = keep_bytes};
    memcpy(r.u.batch.key, kit->key, 32);
    kit_order(kit, &r);
}

void hear_sweep(struct kit *kit, uint16_t block, uint16_t passes, uint16_t flags, const char *tech,
                const char *src, const char *dst)
{
    struct sp_record r = {.type = SP_REC_SWEEP};
    r.u.sweep = (struct sp_rec_sweep){.batch = kit->batch,
                                      .block = block,
                                      .passes = passes,
                                      .flags = flags,
                                      .src = kit_addr(src),
                                      .dst = kit_addr(dst),
                                      .sport = HEAR_SPORT,
                                      .alt_sport = HEAR_ALT,
                                      .alt_lo = 40000,
                                      .alt_hi = 49999};
    (void)snprintf(r.u.sweep.technique, sizeof(r.u.sweep.technique), "%s", tech);
    kit_order(kit, &r);
}

void hear_mask(struct kit *kit, uint16_t block, uint8_t kind, uint16_t lo, uint16_t hi)
{
    struct sp_portset set = {{0}};
    sp_portset_add_range(&set, lo, hi);
    for (uint16_t chunk = 0; chunk < SP_PORTSET_CHUNKS; chunk++) {
        struct sp_record r = {.type = SP_REC_MASK};
        r.u.mask =
            (struct sp_rec_mask){.batch = kit->batch, .block = block, .kind = kind, .chunk = chunk};
        if (!sp_portset_chunk_is_empty(&set, chunk)) {
            assert_true(sp_portset_chunk_get(&set, chunk, r.u.mask.bits));
            kit_order(kit, &r);
        }
    }
}

void hear_guard(struct kit *kit, uint16_t block, uint16_t flags, const char *tech, const char *src,
                const char *dst)
{
    struct sp_record r = {.type = SP_REC_GUARD};
    r.u.guard = (struct sp_rec_guard){.batch = kit->batch,
                                      .block = block,
                                      .flags = flags,
                                      .src = kit_addr(src),
                                      .dst = kit_addr(dst),
                                      .port = 443,
                                      .sport_lo = HEAR_BEAT,
                                      .sport_hi = HEAR_BEAT + 99};
    (void)snprintf(r.u.guard.technique, sizeof(r.u.guard.technique), "%s", tech);
    kit_order(kit, &r);
}

static bool is_of(const struct sp_record *told, uint16_t block, uint8_t kind, uint8_t detail)
{
    const struct sp_rec_swept *swept = &told->u.swept;
    return told->type == SP_REC_SWEPT && swept->block == block && swept->kind == kind &&
           swept->detail == detail;
}

size_t hear_told(const struct kit *kit, uint16_t block, uint8_t kind, uint8_t detail)
{
    struct sp_portset set = {{0}};
    for (size_t i = 0; i < kit->ntold; i++) {
        const struct sp_rec_swept *swept = &kit->told[i].u.swept;
        if (is_of(&kit->told[i], block, kind, detail)) {
            assert_true(sp_portset_chunk_is_empty(&set, swept->chunk)); /* each chunk once */
            assert_true(sp_portset_chunk_add(&set, swept->chunk, swept->bits));
            assert_false(sp_portset_chunk_is_empty(&set, swept->chunk));
        }
    }
    return sp_portset_count(&set);
}

bool hear_has(const struct kit *kit, uint16_t block, uint8_t kind, uint8_t detail, uint16_t port)
{
    for (size_t i = 0; i < kit->ntold; i++) {
        const struct sp_rec_swept *swept = &kit->told[i].u.swept;
        if (is_of(&kit->told[i], block, kind, detail) && swept->chunk == port / SP_CHUNK_PORTS &&
            (swept->bits[port % SP_CHUNK_PORTS / 8] >> (port % 8) & 1) != 0) {
            return true;
        }
    }
    return false;
}

bool hear_beat(const struct kit *kit, uint16_t block, uint8_t kind, uint16_t beat)
{
    bool has = false;
    for (size_t i = 0; i < kit->ntold; i++) {
        const struct sp_rec_heard *heard = &kit->told[i].u.heard;
        if (kit->told[i].type == SP_REC_HEARD && heard->block == block && heard->kind == kind &&
            heard->chunk == beat / SP_CHUNK_PORTS) {
            has = (heard->bits[beat % SP_CHUNK_PORTS / 8] >> (beat % 8) & 1) != 0;
        }
    }
    return has;
}

struct sp_spec hear_spec(const struct kit *kit, const char *tech, const char *src, const char *dst,
                         uint16_t block, uint16_t pass, uint16_t port)
{
    uint16_t sport = port >= 40000 && port <= 49999 ? HEAR_ALT : HEAR_SPORT;
    return kit_probe_spec(kit, tech, src, dst, (uint16_t)(block + pass), port,
                          (uint16_t)(sport + pass));
}

const struct sp_rec_health *hear_health(const struct kit *kit)
{
    const struct sp_rec_health *last = NULL;
    for (size_t i = 0; i < kit->ntold; i++) {
        last = kit->told[i].type == SP_REC_HEALTH ? &kit->told[i].u.health : last;
    }
    return last;
}
