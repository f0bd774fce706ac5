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
#include "probe/standin.h"

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
        const struct sp_rec_standin *known = &engine->standins[i];
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
    engine->standins[engine->nstandins++] = *order;
}

/* Conversations of this batch may be silent for a while. */
static uint64_t patience(const struct sp_engine *engine)
{
    uint64_t most = 0;
    for (size_t i = 0; i < engine->batch.nblocks; i++) {
        const struct sp_block *block = &engine->batch.blocks[i];
        bool counts = (block->flags & SP_BLOCK_RECEIVER) != 0;
        most = counts && block->silent_ms > most ? block->silent_ms : most;
    }
    return most * 1000 + SP_STANDIN_US;
}

void sp_engine_stand(struct sp_engine *engine)
{
    for (size_t i = 0; i < engine->nstandins; i++) {
        const struct sp_rec_standin *order = &engine->standins[i];
        const struct sp_own *own = sp_netinfo_find(&engine->net, &order->addr);
        int err = own ? engine->io.stand(engine->io.arg, &order->addr, order->port, own->iface,
                                         patience(engine))
                      : EADDRNOTAVAIL;
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

enum sp_stand_act sp_engine_stand_heard(const struct sp_engine *engine, const uint8_t *bytes,
                                        size_t len, uint8_t reply[static SP_FORM_MAX],
                                        size_t *ret_reply_len)
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
    *ret_reply_len = sp_form_reply(&engine->keys, &form, sp_mono_us(), reply);
    return SP_STAND_REPLY;
}
