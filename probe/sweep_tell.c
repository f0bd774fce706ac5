/* SPDX-License-Identifier: Apache-2.0
 *
 * What is told of sweeps: while they go on, the beats that were seen and what this probe lost; at
 * COLLECT everything, as sets of ports of which only the chunks that are not empty are told. */
#include <string.h>

#include "probe/base/clock.h"
#include "probe/base/mem.h"
#include "probe/hearing.h"

#define SP_HEARD_EVERY_US  5000U
#define SP_HEALTH_EVERY_US 50000U
/* The engine ticks every 50 ms when nothing happens: only a longer gap is one. */
#define SP_GAP_US          60000U

/* ---- while it goes on ---- */

/* Tells what was lost when it has grown; also what arrived when that is due. Always before the
 * beats: whoever hears the last beat of a volley knows then what was lost up to it. */
static void tell_health(struct sp_engine *engine, struct sp_hearing *hearing, uint64_t now_us,
                        bool is_due)
{
    const struct sp_counters *at_arm = &engine->at_arm;
    struct sp_counters now = engine->io.counters(engine->io.arg);
    struct sp_record record = {.type = SP_REC_HEALTH};
    record.u.health = (struct sp_rec_health){
        .batch = engine->order.batch,
        .at_us = sp_engine_since(engine, now_us),
        .arrived = engine->sweeps.arrived,
        .capture_drops = sp_engine_grown(at_arm->capture_drops, now.capture_drops),
        .softnet_drops = sp_engine_grown(at_arm->softnet_drops, now.softnet_drops),
        .longest_gap_us = engine->longest_gap_us,
    };
    const struct sp_rec_health *is = &record.u.health;
    const struct sp_rec_health *was = &hearing->told;
    bool worse = is->capture_drops != was->capture_drops ||
                 is->softnet_drops != was->softnet_drops ||
                 (is->longest_gap_us > SP_GAP_US && is->longest_gap_us != was->longest_gap_us);
    if (worse || (is_due && is->arrived != was->arrived)) {
        hearing->told = record.u.health;
        engine->io.tell(engine->io.arg, &record);
    }
    if (is_due || worse) {
        engine->sweeps.health_us = now_us;
    }
}

static void tell_beats(struct sp_engine *engine, struct sp_guard *guard, enum sp_heard_kind kind)
{
    for (uint16_t chunk = 0; chunk < SP_PORTSET_CHUNKS; chunk++) {
        if (!guard->is_news[kind][chunk]) {
            continue;
        }
        struct sp_record record = {.type = SP_REC_HEARD};
        record.u.heard = (struct sp_rec_heard){.batch = engine->order.batch,
                                               .block = guard->order.block,
                                               .kind = (uint8_t)kind,
                                               .chunk = chunk};
        guard->is_news[kind][chunk] = false;
        if (guard->seen[kind] &&
            sp_portset_chunk_get(guard->seen[kind], chunk, record.u.heard.bits)) {
            engine->io.tell(engine->io.arg, &record);
        }
    }
}

static void tell_news(struct sp_engine *engine, struct sp_hearing *hearing, uint64_t now_us)
{
    for (size_t i = 0; i < engine->sweeps.nguards; i++) {
        for (int kind = 0; kind < SP_HEARD_END; kind++) {
            tell_beats(engine, &engine->sweeps.guards[i], (enum sp_heard_kind)kind);
        }
    }
    hearing->is_heard_news = false;
    hearing->heard_us = now_us;
}

uint64_t sp_engine_tell_heard(struct sp_engine *engine, uint64_t now_us)
{
    struct sp_sweeps *sweeps = &engine->sweeps;
    if (sweeps->nsweeps == 0 && sweeps->nguards == 0) {
        return UINT64_MAX;
    }
    struct sp_hearing *hearing = sp_engine_hearing(engine);
    if (!hearing) {
        return now_us + SP_HEALTH_EVERY_US;
    }
    bool heard = hearing->is_heard_news && now_us >= hearing->heard_us + SP_HEARD_EVERY_US;
    bool health = now_us >= sweeps->health_us + SP_HEALTH_EVERY_US;
    if (heard || health) {
        tell_health(engine, hearing, now_us, health);
    }
    if (heard) {
        tell_news(engine, hearing, now_us);
    }
    uint64_t next = sweeps->health_us + SP_HEALTH_EVERY_US;
    uint64_t beats = hearing->heard_us + SP_HEARD_EVERY_US;
    return hearing->is_heard_news && beats < next ? beats : next;
}

/* ---- at COLLECT ---- */

static void tell_set(struct sp_engine *engine, uint16_t block, enum sp_swept_kind kind,
                     uint8_t detail, const struct sp_portset *set)
{
    for (uint16_t chunk = 0; set && chunk < SP_PORTSET_CHUNKS; chunk++) {
        struct sp_record record = {.type = SP_REC_SWEPT};
        record.u.swept = (struct sp_rec_swept){.batch = engine->order.batch,
                                               .block = block,
                                               .kind = (uint8_t)kind,
                                               .detail = detail,
                                               .chunk = chunk};
        if (!sp_portset_chunk_is_empty(set, chunk) &&
            sp_portset_chunk_get(set, chunk, record.u.swept.bits)) {
            engine->io.tell(engine->io.arg, &record);
        }
    }
}

static void tell_classes(struct sp_engine *engine, const struct sp_sweep *sweep)
{
    for (size_t i = 0; i < sweep->nclasses; i++) {
        const struct sp_sweep_class *class = &sweep->classes[i];
        struct sp_record record = {.type = SP_REC_ANSWERER};
        record.u.answerer = (struct sp_rec_answerer){.batch = engine->order.batch,
                                                     .block = sweep->order.block,
                                                     .number = (uint8_t)i,
                                                     .answer = class->answer,
                                                     .code = class->code,
                                                     .ttl = class->ttl,
                                                     .addr = class->addr,
                                                     .overflow = sweep->classes_overflow};
        engine->io.tell(engine->io.arg, &record);
        tell_set(engine, sweep->order.block, SP_SWEPT_ANSWER, (uint8_t)i, class->ports);
    }
}

static void tell_sweep(struct sp_engine *engine, const struct sp_sweep *sweep)
{
    uint16_t block = sweep->order.block;
    for (uint16_t pass = 0; sweep->passes && pass < sweep->order.passes; pass++) {
        uint16_t id = (uint16_t)(block + pass);
        tell_set(engine, id, SP_SWEPT_NIC, 0, sweep->passes[pass].nic);
        tell_set(engine, id, SP_SWEPT_HOST, 0, sweep->passes[pass].host);
    }
    tell_set(engine, block, SP_SWEPT_EGRESS, 0, sweep->egress);
    tell_set(engine, block, SP_SWEPT_REWRITTEN, 0, sweep->rewritten);
    tell_set(engine, block, SP_SWEPT_STRAY, 0, sweep->stray);
    tell_set(engine, block, SP_SWEPT_REFUSED, 0, sweep->not_allowed);
    tell_classes(engine, sweep);
}

void sp_engine_tell_swept(struct sp_engine *engine)
{
    struct sp_sweeps *sweeps = &engine->sweeps;
    struct sp_hearing *hearing = sweeps->hearing;
    if (hearing && (sweeps->nsweeps > 0 || sweeps->nguards > 0)) {
        uint64_t now = sp_mono_us();
        tell_health(engine, hearing, now, true);
        tell_news(engine, hearing, now);
    }
    for (size_t i = 0; hearing && i < hearing->nsamples; i++) {
        struct sp_record record = {.type = SP_REC_SEEN};
        record.u.seen = hearing->samples[i];
        engine->io.tell(engine->io.arg, &record);
    }
    for (size_t i = 0; i < sweeps->nsweeps; i++) {
        tell_sweep(engine, &sweeps->sweeps[i]);
    }
    for (size_t i = 0; hearing && i < hearing->nunknown; i++) {
        const struct sp_unknown *unknown = &hearing->unknown[i];
        tell_set(engine, unknown->block, SP_SWEPT_STRAY, 0, unknown->ports);
    }
}
