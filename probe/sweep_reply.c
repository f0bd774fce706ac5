/* SPDX-License-Identifier: Apache-2.0
 *
 * The replies that the receiver of a sweep crafts where the host gives none, so that the way back
 * is proven: once per port and pass, of expected ports alone. They wait in a ring, for all wait as
 * long. */
#include <errno.h>

#include "probe/base/clock.h"
#include "probe/base/mem.h"
#include "probe/hearing.h"

static bool grow_ring(struct sp_hearing *hearing)
{
    size_t cap = hearing->cap_replies ? 2 * hearing->cap_replies : 256;
    struct sp_sweep_reply *replies =
        cap <= SP_SWEEP_REPLIES_MAX ? sp_calloc(cap, sizeof(*replies)) : NULL;
    if (!replies) {
        return false;
    }
    for (size_t i = 0; i < hearing->nreplies; i++) {
        replies[i] = hearing->replies[(hearing->first_reply + i) % hearing->cap_replies];
    }
    sp_free(hearing->replies);
    hearing->replies = replies;
    hearing->cap_replies = cap;
    hearing->first_reply = 0;
    return true;
}

void sp_engine_sweep_reply(struct sp_engine *engine, const struct sp_sweep *sweep, uint16_t pass,
                           const struct sp_pkt *pkt, uint16_t port)
{
    if ((sweep->order.flags & SP_BLOCK_REPLY) == 0 || !sweep->tech->reply ||
        !sp_in_set(sweep->expected, port)) {
        return;
    }
    struct sp_hearing *hearing = sp_engine_hearing(engine);
    if (!hearing || (hearing->nreplies == hearing->cap_replies && !grow_ring(hearing))) {
        engine->batch.untagged_overflow = true; /* a way back that works may look broken */
        return;
    }
    hearing->replies[(hearing->first_reply + hearing->nreplies++) % hearing->cap_replies] =
        (struct sp_sweep_reply){.sweep = (uint16_t)(sweep - engine->sweeps.sweeps),
                                .pass = pass,
                                .port = port,
                                .sport = pkt->sport,
                                .dport = pkt->dport,
                                .src = pkt->src,
                                .dst = pkt->dst,
                                .due_us = sp_mono_us() + SP_REPLY_AFTER_US};
}

static int emit(struct sp_tech_io *io, const struct sp_spec *spec)
{
    struct sp_engine *engine = io->arg;
    /* Replies always take the host's own way: they stand in for what its stack would send. */
    static const struct sp_block raw = {.first = 0};
    return sp_engine_is_target(engine, &spec->dst) ? sp_engine_emit(engine, &raw, spec) : EACCES;
}

static void craft(struct sp_engine *engine, struct sp_hearing *hearing,
                  const struct sp_sweep_reply *reply, uint64_t now_us)
{
    const struct sp_sweep *sweep = &engine->sweeps.sweeps[reply->sweep];
    struct sp_tech_io io = {.keys = &engine->keys, .now_us = now_us, .emit = emit, .arg = engine};
    const struct sp_flow flow = {.src = reply->src,
                                 .dst = reply->dst,
                                 .block = (uint16_t)(sweep->order.block + reply->pass),
                                 .port = reply->port,
                                 .sport = reply->sport,
                                 .dport = reply->dport};
    struct sp_portset **crafted = sp_engine_set_of(engine, &hearing->crafted, reply->sweep);
    int err = sweep->tech->reply(&flow, &io);
    if (err != 0) {
        const struct sp_rec_seen seen = {.batch = engine->order.batch,
                                         .kind = SP_SEEN_EGRESS,
                                         .block = flow.block,
                                         .port = flow.port,
                                         .count = 1,
                                         .at_us = sp_engine_since(engine, now_us),
                                         .err = (uint16_t)err,
                                         .src = flow.src,
                                         .dst = flow.dst,
                                         .sport = flow.sport,
                                         .dport = flow.dport};
        (void)sp_engine_sample(engine, SP_SAMPLE_REPLY, &seen);
    } else if (crafted) {
        sp_engine_mark(engine, crafted, reply->port);
    } else {
        engine->batch.untagged_overflow = true; /* it may look like the host's own */
    }
}

uint64_t sp_engine_sweep_replies(struct sp_engine *engine, uint64_t now_us)
{
    struct sp_hearing *hearing = engine->sweeps.hearing;
    /* Bounded, so that captured packets are read in between. */
    for (int i = 0; i < 64 && hearing && hearing->nreplies > 0; i++) {
        const struct sp_sweep_reply *reply = &hearing->replies[hearing->first_reply];
        if (reply->due_us > now_us) {
            return reply->due_us;
        }
        if (!sp_in_row(hearing->served, reply->sweep, reply->port)) {
            if (!sp_engine_may_send(engine)) {
                return sp_engine_token_at(engine, now_us);
            }
            craft(engine, hearing, reply, now_us);
        }
        hearing->first_reply = (hearing->first_reply + 1) % hearing->cap_replies;
        hearing->nreplies--;
    }
    return hearing && hearing->nreplies > 0 ? now_us : UINT64_MAX;
}
