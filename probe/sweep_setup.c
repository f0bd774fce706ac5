/* SPDX-License-Identifier: Apache-2.0
 *
 * Sweeps and guards before they begin: what is ordered, and what ARM says of it. A wrong order is
 * told and changes nothing. Everything here belongs to struct sp_sweeps and is freed with the
 * batch. */
#include <string.h>

#include "probe/base/mem.h"
#include "probe/engine_state.h"
#include "probe/hearing.h"

#define SP_IDS 65536U

/* by_id: 0 = nothing, 1 + row of a sweep, or with this bit 1 + row of a guard. */
#define SP_ID_GUARD 0x8000U

_Static_assert(SP_SWEEPS_MAX < SP_ID_GUARD && SP_GUARDS_MAX < SP_ID_GUARD,
               "rows fit beside the bit");

struct sp_sweep *sp_sweeps_find(const struct sp_sweeps *sweeps, uint16_t block, uint16_t *ret_pass)
{
    uint16_t place = sweeps->by_id ? sweeps->by_id[block] : 0;
    if (place == 0 || (place & SP_ID_GUARD) != 0) {
        return NULL;
    }
    struct sp_sweep *sweep = &sweeps->sweeps[place - 1];
    *ret_pass = (uint16_t)(block - sweep->order.block);
    return sweep;
}

struct sp_guard *sp_sweeps_find_guard(const struct sp_sweeps *sweeps, uint16_t block)
{
    uint16_t place = sweeps->by_id ? sweeps->by_id[block] : 0;
    return (place & SP_ID_GUARD) != 0 ? &sweeps->guards[(place & ~SP_ID_GUARD) - 1] : NULL;
}

bool sp_sweeps_hold(const struct sp_sweeps *sweeps, uint32_t first, uint32_t n)
{
    for (uint32_t id = first; sweeps->by_id && id < first + n && id < SP_IDS; id++) {
        if (sweeps->by_id[id] != 0) {
            return true;
        }
    }
    return false;
}

static bool make(struct sp_portset **set)
{
    if (!*set) {
        *set = sp_calloc(1, sizeof(**set));
    }
    return *set != NULL;
}

bool sp_sweep_mark(struct sp_portset **set, uint16_t port)
{
    if (!make(set)) {
        return false;
    }
    sp_portset_add(*set, port);
    return true;
}

/* Are the block ids free: of sweeps, guards and blocks? Makes the index with the first. */
static bool are_free(struct sp_engine *engine, uint32_t first, uint32_t n)
{
    struct sp_sweeps *sweeps = &engine->sweeps;
    if (!sweeps->by_id) {
        sweeps->by_id = sp_calloc(SP_IDS, sizeof(*sweeps->by_id));
    }
    if (!sweeps->by_id || first + n > SP_IDS) {
        return false;
    }
    for (uint32_t id = first; id < first + n; id++) {
        if (sp_batch_find_block(&engine->batch, (uint16_t)id) != SP_NO_ROW) {
            return false;
        }
    }
    return !sp_sweeps_hold(sweeps, first, n);
}

static bool are_reserved(const struct sp_engine *engine, uint32_t lo, uint32_t hi)
{
    return lo <= hi && lo >= engine->order.sport_lo && hi <= engine->order.sport_hi;
}

/* NULL, and why, when it is unknown or not permitted here. */
static const struct sp_technique *find_technique(const struct sp_engine *engine, const char *name,
                                                 uint8_t *ret_refused)
{
    const struct sp_technique_info *info = sp_technique_find(name);
    if (!info || info->hazard > engine->bounds.hazard) {
        *ret_refused = SP_REFUSED_TECHNIQUE;
        return NULL;
    }
    return sp_technique_code(sp_technique_index(info));
}

void sp_engine_sweep(struct sp_engine *engine, const struct sp_rec_sweep *order)
{
    struct sp_sweeps *sweeps = &engine->sweeps;
    uint32_t more = order->passes ? order->passes - 1U : 0;
    bool is_sender = (order->flags & SP_BLOCK_SENDER) != 0;
    bool ok = order->passes > 0 && order->passes <= SP_SWEEP_PASSES_MAX &&
              sweeps->nsweeps < SP_SWEEPS_MAX && are_free(engine, order->block, order->passes);
    if (ok && is_sender) {
        ok = are_reserved(engine, order->sport, order->sport + more) &&
             (order->alt_sport == 0 ||
              are_reserved(engine, order->alt_sport, order->alt_sport + more));
    }
    if (!ok || sp_grow((void **)&sweeps->sweeps, sweeps->nsweeps, &sweeps->cap_sweeps,
                       sizeof(*sweeps->sweeps)) != 0) {
        sp_engine_complain(engine, SP_ERR_PROTOCOL, "a sweep could not be taken");
        return;
    }
    struct sp_sweep *sweep = &sweeps->sweeps[sweeps->nsweeps++];
    *sweep = (struct sp_sweep){.order = *order};
    sweep->tech = find_technique(engine, order->technique, &sweep->refused);
    if (sweep->tech && !sweep->tech->spec) {
        sweep->tech = NULL;
        sweep->refused = SP_REFUSED_TECHNIQUE;
    }
    for (uint32_t id = order->block; id < (uint32_t)order->block + order->passes; id++) {
        sweeps->by_id[id] = (uint16_t)sweeps->nsweeps;
    }
}

void sp_engine_mask(struct sp_engine *engine, const struct sp_rec_mask *order)
{
    uint16_t pass = 0;
    struct sp_sweep *sweep = sp_sweeps_find(&engine->sweeps, order->block, &pass);
    struct sp_portset **set = !sweep || pass != 0               ? NULL
                              : order->kind == SP_MASK_SEND     ? &sweep->send
                              : order->kind == SP_MASK_RAW      ? &sweep->raw
                              : order->kind == SP_MASK_EXPECTED ? &sweep->expected
                                                                : NULL;
    if (!set || order->chunk >= SP_PORTSET_CHUNKS || !make(set)) {
        sp_engine_complain(engine, SP_ERR_PROTOCOL, "a mask could not be taken");
        return;
    }
    (void)sp_portset_chunk_add(*set, order->chunk, order->bits); /* there is such a chunk */
}

void sp_engine_guard(struct sp_engine *engine, const struct sp_rec_guard *order)
{
    struct sp_sweeps *sweeps = &engine->sweeps;
    bool is_sender = (order->flags & SP_BLOCK_SENDER) != 0;
    if (sweeps->nguards >= SP_GUARDS_MAX || !are_free(engine, order->block, 1) ||
        (is_sender && !are_reserved(engine, order->sport_lo, order->sport_hi)) ||
        sp_grow((void **)&sweeps->guards, sweeps->nguards, &sweeps->cap_guards,
                sizeof(*sweeps->guards)) != 0) {
        sp_engine_complain(engine, SP_ERR_PROTOCOL, "a guard could not be taken");
        return;
    }
    struct sp_guard *guard = &sweeps->guards[sweeps->nguards++];
    *guard = (struct sp_guard){.order = *order};
    guard->tech = find_technique(engine, order->technique, &guard->refused);
    /* A conversation is no beat, and port 0 would mean the beat's own number. */
    if (guard->tech && (guard->tech->on_packet ||
                        (order->port == 0 && guard->tech->ip_proto4 != SP_IPPROTO_ICMP))) {
        guard->tech = NULL;
        guard->refused = SP_REFUSED_TECHNIQUE;
    }
    sweeps->by_id[order->block] = (uint16_t)(SP_ID_GUARD | (unsigned)sweeps->nguards);
}

/* ---- ARM ---- */

static uint8_t check_sweep(struct sp_engine *engine, struct sp_sweep *sweep)
{
    struct sp_block block = {.first = sweep->order.block,
                             .attempts = sweep->order.passes,
                             .flags = sweep->order.flags,
                             .tech = sweep->tech,
                             .src = sweep->order.src,
                             .dst = sweep->order.dst};
    if ((block.flags & SP_BLOCK_SELF) != 0) {
        return SP_REFUSED_TECHNIQUE; /* nobody declared the next hop's ports */
    }
    uint8_t refused = sp_engine_check(engine, &block);
    sweep->iface = block.iface;
    memcpy(sweep->src_mac, block.src_mac, sizeof(sweep->src_mac));
    memcpy(sweep->dst_mac, block.dst_mac, sizeof(sweep->dst_mac));
    return refused;
}

static uint8_t check_guard(struct sp_engine *engine, struct sp_guard *guard)
{
    struct sp_block block = {.first = guard->order.block,
                             .attempts = 1,
                             .flags = guard->order.flags,
                             .tech = guard->tech,
                             .src = guard->order.src,
                             .dst = guard->order.dst};
    uint8_t refused = sp_engine_check(engine, &block);
    guard->iface = block.iface;
    memcpy(guard->src_mac, block.src_mac, sizeof(guard->src_mac));
    memcpy(guard->dst_mac, block.dst_mac, sizeof(guard->dst_mac));
    guard->hop = (block.flags & SP_BLOCK_SELF) != 0 ? block.dst : (struct sp_addr){0};
    return refused;
}

uint32_t sp_engine_arm_sweeps(struct sp_engine *engine, bool capture_ok)
{
    struct sp_sweeps *sweeps = &engine->sweeps;
    uint32_t refusals = 0;
    for (size_t i = 0; i < sweeps->nsweeps; i++) {
        struct sp_sweep *sweep = &sweeps->sweeps[i];
        sweep->refused = !capture_ok                         ? SP_REFUSED_CAPTURE
                         : sweep->refused == SP_REFUSED_NONE ? check_sweep(engine, sweep)
                                                             : sweep->refused;
        if (sweep->refused != SP_REFUSED_NONE) {
            sweep->tech = NULL;
            sp_engine_tell_refused(engine, sweep->order.block, sweep->refused);
            refusals++;
        }
    }
    for (size_t i = 0; i < sweeps->nguards; i++) {
        struct sp_guard *guard = &sweeps->guards[i];
        guard->refused = !capture_ok                         ? SP_REFUSED_CAPTURE
                         : guard->refused == SP_REFUSED_NONE ? check_guard(engine, guard)
                                                             : guard->refused;
        if (guard->refused != SP_REFUSED_NONE) {
            guard->tech = NULL;
            sp_engine_tell_refused(engine, guard->order.block, guard->refused);
            refusals++;
        }
    }
    return refusals;
}

/* ---- the end ---- */

static void release_sweep(struct sp_sweep *sweep)
{
    struct sp_portset *sets[] = {sweep->send,     sweep->raw,    sweep->not_allowed,
                                 sweep->expected, sweep->egress, sweep->rewritten,
                                 sweep->stray};
    for (size_t i = 0; i < SP_ARRAY_LEN(sets); i++) {
        sp_free(sets[i]);
    }
    for (size_t i = 0; i < sweep->nclasses; i++) {
        sp_free(sweep->classes[i].ports);
    }
    sp_free(sweep->classes);
    for (size_t i = 0; sweep->passes && i < sweep->order.passes; i++) {
        sp_free(sweep->passes[i].nic);
        sp_free(sweep->passes[i].host);
    }
    sp_free(sweep->passes);
}

void sp_sweeps_clear(struct sp_sweeps *sweeps)
{
    sp_hearing_free(sweeps);
    for (size_t i = 0; i < sweeps->nsweeps; i++) {
        release_sweep(&sweeps->sweeps[i]);
    }
    for (size_t i = 0; i < sweeps->nguards; i++) {
        for (size_t kind = 0; kind < SP_HEARD_END; kind++) {
            sp_free(sweeps->guards[i].seen[kind]);
        }
    }
    sp_free(sweeps->sweeps);
    sp_free(sweeps->guards);
    sp_free(sweeps->by_id);
    sp_volleys_free(sweeps->volleys);
    memset(sweeps, 0, sizeof(*sweeps));
}
