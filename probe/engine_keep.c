/* SPDX-License-Identifier: Apache-2.0
 *
 * The engine's side of the evidence: which packets it keeps, and handing them over. They outlive
 * COLLECT, until the next batch begins or the batch's lifetime ends. */
#include <string.h>

#include "probe/base/clock.h"
#include "probe/engine_state.h"

_Static_assert(SP_KEPT_MAX_BYTES >= SP_CAPTURE_SNAPLEN, "packets are kept as they are captured");

void sp_engine_keep(struct sp_engine *engine, uint8_t role, uint16_t block, uint16_t port)
{
    const struct sp_captured *captured = engine->at_hand;
    if (captured) {
        const struct sp_kept head = {.at_us = sp_engine_since(engine, sp_mono_us()),
                                     .iface = captured->iface,
                                     .block = block,
                                     .port = port,
                                     .role = role};
        sp_keep_add(&engine->keep, &head, captured->ip, captured->len);
    }
}

uint64_t sp_engine_forget_kept(struct sp_engine *engine, uint64_t now_us)
{
    if (!engine->keep.memory) {
        return UINT64_MAX;
    }
    if (now_us >= engine->expires_us) {
        sp_keep_release(&engine->keep);
        return UINT64_MAX;
    }
    return engine->expires_us - now_us;
}

/* One packet, in as many parts as it takes. */
static void tell_packet(void *arg, const struct sp_kept *kept, const uint8_t *bytes)
{
    struct sp_engine *engine = arg;
    for (uint16_t offset = 0; offset < kept->len; offset += SP_KEPT_PART_BYTES) {
        size_t left = (size_t)kept->len - offset;
        struct sp_record record = {.type = SP_REC_PACKET};
        record.u.packet = (struct sp_rec_packet){.batch = engine->order.batch,
                                                 .block = kept->block,
                                                 .port = kept->port,
                                                 .role = kept->role,
                                                 .iface = kept->iface,
                                                 .at_us = kept->at_us,
                                                 .len = kept->len,
                                                 .wire_len = kept->wire_len,
                                                 .offset = offset};
        memcpy(record.u.packet.bytes, bytes + offset,
               left < SP_KEPT_PART_BYTES ? left : SP_KEPT_PART_BYTES);
        engine->io.tell(engine->io.arg, &record);
    }
}

void sp_engine_want(struct sp_engine *engine, const struct sp_rec_want *want)
{
    uint32_t n = sp_keep_each(&engine->keep, want->block, want->port, tell_packet, engine);
    struct sp_record record = {.type = SP_REC_WANTED};
    record.u.wanted = (struct sp_rec_wanted){.batch = want->batch,
                                             .block = want->block,
                                             .port = want->port,
                                             .packets = n,
                                             .lost = engine->keep.lost};
    engine->io.tell(engine->io.arg, &record);
}
