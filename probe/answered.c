/* SPDX-License-Identifier: Apache-2.0
 *
 * Which of several packets of one conversation an inbound packet answers: a flow may be sent more
 * than once from the same source port, each time with a tag of its own. */
#include "probe/engine_state.h"

uint8_t sp_engine_answer_of(const struct sp_engine *engine, const struct sp_shot *shot,
                            const struct sp_pkt *pkt, bool quoted)
{
    const struct sp_technique *tech = engine->batch.blocks[shot->block_row].tech;
    if (quoted) {
        return tech->quoted(&engine->keys, &shot->flow, pkt) ? SP_ANSWER_UNREACHABLE
                                                             : SP_ANSWER_NONE;
    }
    return (uint8_t)tech->answer(&engine->keys, &shot->flow, pkt);
}

struct sp_shot *sp_engine_answered(const struct sp_engine *engine, struct sp_shot *newest,
                                   const struct sp_pkt *pkt, bool quoted)
{
    struct sp_shot *sent = NULL;
    for (struct sp_shot *shot = newest; shot; shot = sp_batch_older_shot(&engine->batch, shot)) {
        if (!shot->is_sent) {
            continue;
        }
        sent = sent ? sent : shot;
        if (engine->batch.blocks[shot->block_row].tech->on_packet ||
            sp_engine_answer_of(engine, shot, pkt, quoted) != SP_ANSWER_NONE) {
            return shot;
        }
    }
    return sent;
}
