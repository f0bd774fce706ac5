/* SPDX-License-Identifier: Apache-2.0
 *
 * The conversations of the engine: where they are kept, whose packet is whose, when the next one is
 * due. What is said in them is the technique's. Every packet of a conversation takes its token and
 * counts against the budget, like a shot. At most SP_ENGINE_MAX_DIALOGS go on at the same time; one
 * more is refused with EMFILE, and its shot says so. */
#include <errno.h>
#include <string.h>

#include "probe/base/clock.h"
#include "probe/base/mem.h"
#include "probe/engine_state.h"

/* It goes into a request as it is: nothing that could end its line. */
void sp_engine_path(struct sp_engine *engine, const struct sp_rec_path *order)
{
    size_t n = 0;
    while (order->path[n] > ' ' && order->path[n] <= '~') {
        n++;
    }
    if (order->path[0] != '/' || order->path[n] != '\0') {
        sp_engine_complain(engine, SP_ERR_PROTOCOL, "a path could not be taken");
        return;
    }
    memcpy(engine->path, order->path, n + 1);
}

struct emitter {
    struct sp_engine *engine;
    const struct sp_block *block;
};

static int emit(struct sp_tech_io *io, const struct sp_spec *spec)
{
    struct emitter *emitter = io->arg;
    return sp_engine_emit(emitter->engine, emitter->block, spec);
}

static struct sp_dialog_slot *free_slot(struct sp_engine *engine)
{
    for (size_t i = 0; i < SP_ENGINE_MAX_DIALOGS; i++) {
        if (!engine->dialogs[i].is_used) {
            return &engine->dialogs[i];
        }
    }
    return NULL;
}

int sp_engine_dialog_begin(struct sp_engine *engine, struct sp_shot *shot, uint64_t now_us)
{
    const struct sp_block *block = &engine->batch.blocks[shot->block_row];
    struct emitter emitter = {engine, block};
    struct sp_tech_io io = {.keys = &engine->keys, .now_us = now_us, .emit = emit, .arg = &emitter};
    if (!engine->dialogs) {
        engine->dialogs = sp_calloc(SP_ENGINE_MAX_DIALOGS, sizeof(*engine->dialogs));
        if (!engine->dialogs) {
            return ENOMEM;
        }
    }
    struct sp_dialog_slot *slot = free_slot(engine);
    if (!slot) {
        return EMFILE;
    }
    int err = engine->io.hold(engine->io.arg, &shot->flow.src, shot->flow.sport, block->iface);
    if (err) {
        return err == EPERM ? EACCES : err; /* EPERM of a shot is its host's own policy */
    }
    err = block->tech->start(&shot->flow, &io);
    if (err) {
        engine->io.release(engine->io.arg, &shot->flow.src, shot->flow.sport);
        return err;
    }
    uint64_t until_us = now_us + block->tech->patience_us;
    *slot = (struct sp_dialog_slot){
        .shot = (uint32_t)(shot - engine->batch.shots),
        .is_used = true,
        .dialog = {.is_http = (block->flags & SP_BLOCK_HTTP) != 0,
                   .is_mute = (block->flags & SP_BLOCK_MUTE) != 0,
                   .is_hello = (block->flags & SP_BLOCK_HELLO) != 0,
                   .path = engine->path[0] ? engine->path : NULL,
                   .pause_ms = block->pause_ms,
                   .begun_us = now_us,
                   .until_us = until_us,
                   .due_us = until_us},
    };
    shot->dialog = (uint16_t)(slot - engine->dialogs + 1);
    if (engine->ndialogs++ == 0 || until_us < engine->dialogs_due_us) {
        engine->dialogs_due_us = until_us;
    }
    return 0;
}

static void end(struct sp_engine *engine, struct sp_dialog_slot *slot)
{
    struct sp_shot *shot = &engine->batch.shots[slot->shot];
    engine->io.release(engine->io.arg, &shot->flow.src, shot->flow.sport);
    shot->dialog = 0;
    slot->is_used = false;
    engine->ndialogs--;
}

/* Keeps the strongest answer; the first one says how long the way is. */
static void note(struct sp_engine *engine, struct sp_shot *shot, uint8_t answer, uint8_t flags,
                 const struct sp_pkt *pkt, uint64_t now_us)
{
    if (sp_answer_strength(answer) > sp_answer_strength(shot->answer)) {
        if (sp_answer_strength(shot->answer) < sp_answer_strength(SP_ANSWER_SYN_ACK)) {
            shot->answer_us = sp_engine_since(engine, now_us);
        }
        shot->answer = answer;
        shot->ttl = pkt->ttl;
        shot->answerer = pkt->src;
        shot->code = 0;
    }
    if (shot->answer == SP_ANSWER_SYN_ACK || shot->answer == SP_ANSWER_DATA) {
        shot->code |= flags;
    }
}

void sp_engine_dialog_packet(struct sp_engine *engine, struct sp_shot *shot,
                             const struct sp_pkt *pkt, uint64_t now_us)
{
    const struct sp_technique *tech = engine->batch.blocks[shot->block_row].tech;
    bool unserved = sp_form_is_server_error(pkt->payload, pkt->payload_len);
    uint8_t more = unserved ? SP_ANSWER_UNSERVED : 0;
    if (shot->dialog == 0) { /* over: a late answer is one all the same */
        uint8_t late = (uint8_t)tech->answer(&engine->keys, &shot->flow, pkt);
        note(engine, shot, late, more, pkt, now_us);
        return;
    }
    struct sp_dialog_slot *slot = &engine->dialogs[shot->dialog - 1];
    struct sp_dialog *dialog = &slot->dialog;
    struct emitter emitter = {engine, &engine->batch.blocks[shot->block_row]};
    struct sp_tech_io io = {.keys = &engine->keys, .now_us = now_us, .emit = emit, .arg = &emitter};
    tech->on_packet(dialog, &shot->flow, pkt, &io);
    note(engine, shot, dialog->answer, dialog->flags | more, pkt, now_us);
    shot->silent_ms = dialog->silent_ms;
    shot->status = dialog->status;
    if (dialog->state == SP_DIALOG_OVER) {
        end(engine, slot);
    } else if (dialog->due_us < engine->dialogs_due_us) {
        engine->dialogs_due_us = dialog->due_us;
    }
}

uint64_t sp_engine_dialogs(struct sp_engine *engine, uint64_t now_us)
{
    if (engine->ndialogs == 0) {
        return UINT64_MAX;
    }
    if (engine->dialogs_due_us > now_us) {
        return engine->dialogs_due_us;
    }
    uint64_t next = UINT64_MAX;
    for (size_t i = 0; i < SP_ENGINE_MAX_DIALOGS && engine->ndialogs > 0; i++) {
        struct sp_dialog_slot *slot = &engine->dialogs[i];
        if (!slot->is_used) {
            continue;
        }
        if (slot->dialog.due_us <= now_us) {
            if (!sp_engine_may_send(engine)) {
                return sp_engine_token_at(engine, now_us);
            }
            const struct sp_shot *shot = &engine->batch.shots[slot->shot];
            struct emitter emitter = {engine, &engine->batch.blocks[shot->block_row]};
            struct sp_tech_io io = {
                .keys = &engine->keys, .now_us = now_us, .emit = emit, .arg = &emitter};
            emitter.block->tech->on_timer(&slot->dialog, &shot->flow, &io);
        }
        if (slot->dialog.state == SP_DIALOG_OVER) {
            end(engine, slot);
        } else if (slot->dialog.due_us < next) {
            next = slot->dialog.due_us;
        }
    }
    engine->dialogs_due_us = next;
    return next;
}

void sp_engine_dialogs_end(struct sp_engine *engine)
{
    for (size_t i = 0; i < SP_ENGINE_MAX_DIALOGS && engine->ndialogs > 0; i++) {
        struct sp_dialog_slot *slot = &engine->dialogs[i];
        if (!slot->is_used) {
            continue;
        }
        /* Without a token it is left to the host's own stack: once the port is released, that
         * answers the peer's next packet with a RST. */
        if (sp_engine_may_send(engine)) {
            const struct sp_shot *shot = &engine->batch.shots[slot->shot];
            struct emitter emitter = {engine, &engine->batch.blocks[shot->block_row]};
            struct sp_tech_io io = {
                .keys = &engine->keys, .now_us = sp_mono_us(), .emit = emit, .arg = &emitter};
            emitter.block->tech->stop(&slot->dialog, &shot->flow, &io);
        }
        end(engine, slot);
    }
}
