/* SPDX-License-Identifier: Apache-2.0
 *
 * The engine's sending: shots at their times, never faster than the token bucket allows. */
#include "probe/engine_state.h"

struct emitter {
    struct sp_engine *engine;
    const struct sp_block *block;
    uint16_t attempt;
    unsigned n; /* packets so far */
};

/* What TCP, UDP and ICMP echo packets have without payload, options included. */
static size_t bare_len(const struct sp_spec *spec)
{
    size_t ip = spec->dst.family == SP_FAMILY_IPV4 ? 20 : 40;
    size_t options = spec->tcp_options ? 20 : spec->tcp_timestamps ? 12 : 0;
    return ip + (spec->ip_proto == SP_IPPROTO_TCP ? 20 + options : 8) + spec->payload_len;
}

/* How far it shall go, and how large it shall be. */
static void shape(const struct sp_block *block, uint16_t attempt, struct sp_spec *spec)
{
    if (block->ttl) {
        unsigned ttl = (unsigned)block->ttl + attempt;
        spec->ttl = (uint8_t)(ttl < 255 ? ttl : 255);
    }
    if (block->bytes > bare_len(spec)) {
        spec->pad = (uint16_t)(block->bytes - bare_len(spec));
    }
}

/* The first packet of a shot has its token already; every other one takes its own, which those that
 * come later have to wait for. */
static int emit(struct sp_tech_io *io, const struct sp_spec *spec)
{
    struct emitter *emitter = io->arg;
    struct sp_spec shaped = *spec;
    shape(emitter->block, emitter->attempt, &shaped);
    emitter->engine->tokens -= emitter->n++ > 0 ? 1 : 0;
    return shaped.wrap.kind != SP_WRAP_NONE
               ? sp_engine_emit_outer(emitter->engine, emitter->block, &shaped)
               : sp_engine_emit(emitter->engine, emitter->block, &shaped);
}

static const struct sp_addr *other_of(const struct sp_block *block, unsigned flag)
{
    return (block->flags & flag) != 0 ? &block->other : NULL;
}

static const struct sp_outer *outers_of(const struct sp_engine *engine,
                                        const struct sp_block *block)
{
    return block->nouters > 0 ? &engine->batch.outers[block->outers] : NULL;
}

/* What is intrusive goes out slowly, whatever it was ordered to do. Returns when it may, 0: now. */
static uint64_t intrusive_at(const struct sp_engine *engine, const struct sp_block *block,
                             uint64_t now)
{
    return block->hazard >= 'C' && engine->intrusive_us > now ? engine->intrusive_us : 0;
}

static void note_intrusive(struct sp_engine *engine, const struct sp_block *block, uint32_t packets,
                           uint64_t now)
{
    if (block->hazard >= 'C') {
        engine->intrusive_us = now + (uint64_t)SP_INTRUSIVE_US * (packets > 0 ? packets : 1);
    }
}

static void send_shot(struct sp_engine *engine, struct sp_shot *shot, uint64_t now)
{
    uint32_t before = engine->sent;
    const struct sp_block *block = &engine->batch.blocks[shot->block_row];
    struct emitter emitter = {
        .engine = engine, .block = block, .attempt = (uint16_t)(shot->flow.block - block->first)};
    struct sp_tech_io io = {.keys = &engine->keys,
                            .now_us = now,
                            .forged = other_of(block, SP_BLOCK_FORGED),
                            .via = other_of(block, SP_BLOCK_VIA),
                            .outers = outers_of(engine, block),
                            .nouters = block->nouters,
                            .emit = emit,
                            .arg = &emitter};
    shot->err =
        (uint16_t)(emitter.block->tech->on_packet ? sp_engine_dialog_begin(engine, shot, now)
                                                  : emitter.block->tech->start(&shot->flow, &io));
    shot->sent_us = sp_engine_since(engine, now);
    shot->is_sent = 1;
    note_intrusive(engine, emitter.block, engine->sent - before, now);
}

uint32_t sp_engine_allowed_pps(const struct sp_engine *engine)
{
    uint32_t pps = engine->order.max_pps;
    if (engine->bounds.max_pps && engine->bounds.max_pps < pps) {
        pps = engine->bounds.max_pps;
    }
    return pps ? pps : 1;
}

void sp_engine_refill(struct sp_engine *engine, uint64_t now)
{
    double pps = sp_engine_allowed_pps(engine);
    double burst = pps / 50 > 1 ? pps / 50 : 1; /* 20 ms worth */
    engine->tokens += (double)(now - engine->tokens_us) * pps / 1e6;
    engine->tokens = engine->tokens > burst ? burst : engine->tokens;
    engine->tokens_us = now;
}

bool sp_engine_may_send(struct sp_engine *engine)
{
    if (engine->tokens < 1) {
        return false;
    }
    engine->tokens -= 1;
    return true;
}

uint64_t sp_engine_token_at(const struct sp_engine *engine, uint64_t now_us)
{
    return now_us + 1 + (uint64_t)((1 - engine->tokens) * 1e6 / sp_engine_allowed_pps(engine));
}

/* Sends once more what was not answered and is asked for twice: some firewalls drop the first
 * packet of every flow and pass its retransmission. Returns when to come again, UINT64_MAX: all
 * done. */
static uint64_t fire_again(struct sp_engine *engine, uint64_t now)
{
    for (int i = 0; i < 4096 && engine->next_again < engine->next_shot; i++) {
        struct sp_shot *shot = &engine->batch.shots[engine->next_again];
        const struct sp_block *block = &engine->batch.blocks[shot->block_row];
        bool wanted = (block->flags & SP_BLOCK_AGAIN) != 0 && shot->flow.block == block->first &&
                      shot->err == 0 && shot->answer == SP_ANSWER_NONE;
        uint64_t due = engine->fired_us + shot->sent_us + SP_AGAIN_US;
        if (wanted && due > now) {
            return due;
        }
        if (wanted && !sp_engine_may_send(engine)) {
            return sp_engine_token_at(engine, now);
        }
        engine->next_again++;
        if (wanted) {
            struct emitter emitter = {.engine = engine, .block = block};
            struct sp_tech_io io = {.keys = &engine->keys,
                                    .now_us = now,
                                    .forged = other_of(block, SP_BLOCK_FORGED),
                                    .via = other_of(block, SP_BLOCK_VIA),
                                    .emit = emit,
                                    .arg = &emitter};
            (void)block->tech->start(&shot->flow, &io);
            shot->again_us = sp_engine_since(engine, now);
        }
    }
    return engine->next_again < engine->next_shot ? now : UINT64_MAX;
}

uint64_t sp_engine_fire_due(struct sp_engine *engine, uint64_t now)
{
    /* Bounded, so that captured packets are read in between. */
    for (int i = 0; i < 64 && engine->next_shot < engine->batch.nshots; i++) {
        struct sp_shot *shot = &engine->batch.shots[engine->next_shot];
        uint64_t due = engine->fired_us + shot->at_us;
        if (due > now) {
            uint64_t again = fire_again(engine, now);
            return again < due ? again : due;
        }
        uint64_t slow = intrusive_at(engine, &engine->batch.blocks[shot->block_row], now);
        if (slow) {
            return slow;
        }
        if (!sp_engine_may_send(engine)) {
            return sp_engine_token_at(engine, now);
        }
        engine->next_shot++;
        send_shot(engine, shot, now);
    }
    if (engine->next_shot < engine->batch.nshots) {
        return now;
    }
    uint64_t again = fire_again(engine, now);
    if (again != UINT64_MAX) {
        return again;
    }
    if (!engine->is_done_told && engine->ndialogs == 0) {
        struct sp_record record = {.type = SP_REC_DONE};
        record.u.done.batch = engine->order.batch;
        record.u.done.sent = engine->sent;
        record.u.done.failed = engine->failed;
        engine->io.tell(engine->io.arg, &record);
        engine->is_done_told = true;
    }
    return UINT64_MAX;
}
