/* SPDX-License-Identifier: Apache-2.0
 *
 * The engine's side of stand-in listeners: which may be opened, and to whom they answer. The
 * sockets are standin.c's. They are of class B, stand on one address and a port that nobody uses,
 * and answer only whoever carries a tag of this batch for a conversation that ends here. */
#include <errno.h>

#include "probe/base/clock.h"
#include "probe/base/mem.h"
#include "probe/base/proto.h"
#include "probe/engine_state.h"

static void refuse(struct sp_engine *engine, const struct sp_rec_standin *order, int err)
{
    struct sp_record record = {.type = SP_REC_UNSTOOD};
    record.u.unstood = (struct sp_rec_unstood){.batch = engine->order.batch,
                                               .proto = order->proto,
                                               .port = order->port,
                                               .addr = order->addr,
                                               .err = (uint16_t)err};
    engine->io.tell(engine->io.arg, &record);
}

void sp_engine_standin(struct sp_engine *engine, const struct sp_rec_standin *order)
{
    for (size_t i = 0; i < engine->nstandins; i++) {
        const struct sp_rec_standin *known = &engine->standins[i].order;
        if (known->proto == order->proto && known->port == order->port &&
            sp_addr_eq(&known->addr, &order->addr)) {
            return; /* ordered twice is wanted once */
        }
    }
    int err = engine->bounds.hazard < 'B'                   ? EPERM
              : order->proto != SP_PROTO_TCP                ? EPROTONOSUPPORT
              : order->port == 0                            ? EINVAL
              : engine->nstandins >= SP_ENGINE_MAX_STANDINS ? ENOBUFS
              : sp_grow((void **)&engine->standins, engine->nstandins, &engine->cap_standins,
                        sizeof(*engine->standins)) != 0
                  ? ENOMEM
                  : 0;
    if (err) {
        refuse(engine, order, err);
        return;
    }
    engine->standins[engine->nstandins++] = (struct sp_stand){.order = *order};
}

void sp_engine_stand(struct sp_engine *engine)
{
    for (size_t i = 0; i < engine->nstandins; i++) {
        const struct sp_rec_standin *order = &engine->standins[i].order;
        const struct sp_own *own = sp_netinfo_find(&engine->net, &order->addr);
        int err = own ? engine->io.stand(engine->io.arg, &order->addr, order->port, own->iface)
                      : EADDRNOTAVAIL;
        engine->standins[i].iface = own ? own->iface : 0;
        engine->standins[i].is_away = engine->standins[i].is_back = err != 0;
        if (err) {
            refuse(engine, order, err);
        }
    }
}

void sp_engine_unstand(struct sp_engine *engine)
{
    if (engine->nstandins > 0) {
        engine->io.unstand(engine->io.arg);
        engine->nstandins = 0;
    }
}

uint64_t sp_engine_stands_due(struct sp_engine *engine, uint64_t now_us)
{
    uint64_t next = UINT64_MAX;
    for (size_t i = 0; i < engine->nstandins; i++) {
        struct sp_stand *stand = &engine->standins[i];
        const struct sp_rec_standin *order = &stand->order;
        if (order->back_us <= order->away_us || stand->is_back || !engine->io.stand_away) {
            continue;
        }
        if (!stand->is_away && now_us >= engine->fired_us + order->away_us) {
            engine->io.stand_away(engine->io.arg, &order->addr, order->port, order->is_silent != 0);
            stand->is_away = true;
        }
        if (stand->is_away && now_us >= engine->fired_us + order->back_us) {
            int err = engine->io.stand(engine->io.arg, &order->addr, order->port, stand->iface);
            stand->is_back = true;
            if (err) {
                refuse(engine, order, err);
            }
        }
        uint64_t due = engine->fired_us + (stand->is_away ? order->back_us : order->away_us);
        next = !stand->is_back && due < next ? due : next;
    }
    return next;
}

/* Only a stand-in reads a conversation from its first byte: what stood before the tag. */
static void tell_heard(struct sp_engine *engine, const struct sp_form *form)
{
    struct sp_record record = {.type = SP_REC_SEEN};
    record.u.seen =
        (struct sp_rec_seen){.batch = engine->order.batch,
                             .kind = SP_SEEN_HEARD,
                             .block = form->block,
                             .port = form->port,
                             .count = 1,
                             .at_us = sp_engine_since(engine, sp_mono_us()),
                             .answer = form->is_changed ? SP_ANSWER_DATA : SP_ANSWER_NONE,
                             .code = form->head,
                             .src = form->told};
    engine->io.tell(engine->io.arg, &record);
}

enum sp_stand_act sp_engine_stand_heard(struct sp_engine *engine, const uint8_t *bytes, size_t len,
                                        uint8_t reply[static SP_FORM_MAX], size_t *ret_reply_len,
                                        uint32_t *ret_stay_ms)
{
    struct sp_form form;
    if (!sp_engine_is_armed(engine)) {
        return SP_STAND_CLOSE;
    }
    enum sp_form_state state = sp_form_read(&engine->keys, bytes, len, &form);
    if (state != SP_FORM_TAG) {
        return state == SP_FORM_PART ? SP_STAND_WAIT : SP_STAND_CLOSE;
    }
    uint32_t row = sp_batch_find_block(&engine->batch, form.block);
    const struct sp_block *block = row == SP_NO_ROW ? NULL : &engine->batch.blocks[row];
    if (form.kind != SP_TAG_PROBE || !block || (block->flags & SP_BLOCK_RECEIVER) == 0 ||
        block->refused != SP_REFUSED_NONE || !block->tech->on_packet) {
        return SP_STAND_CLOSE;
    }
    if (!form.is_whole) {
        return SP_STAND_WAIT;
    }
    tell_heard(engine, &form);
    *ret_stay_ms = block->pause_ms;
    *ret_reply_len = sp_form_reply(&engine->keys, &form, sp_mono_us(), reply);
    return SP_STAND_REPLY;
}
