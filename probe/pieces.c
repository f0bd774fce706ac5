/* SPDX-License-Identifier: Apache-2.0
 *
 * Fragments at the witnesses: which train they are a piece of, and what of it came. A train has
 * left when all of its pieces were seen leaving; it arrives with its first piece, and the mask of
 * those that came tells whether anybody could put it together. Fragments are hostile like every
 * packet: their tag decides, and one whose tag has too few bits counts for a block of this probe
 * only. */
#include "probe/base/clock.h"
#include "probe/engine_state.h"

static uint32_t own_row(const struct sp_engine *engine, const struct sp_technique *tech,
                        const struct sp_piece *piece, uint16_t role)
{
    uint32_t row = sp_batch_find_block(&engine->batch, piece->block);
    if (row == SP_NO_ROW) {
        return SP_NO_ROW;
    }
    const struct sp_block *block = &engine->batch.blocks[row];
    bool mine =
        block->tech == tech && block->refused == SP_REFUSED_NONE && (block->flags & role) != 0;
    return mine ? row : SP_NO_ROW;
}

static void on_out(struct sp_engine *engine, const struct sp_technique *tech,
                   const struct sp_piece *piece)
{
    struct sp_shot *shot = own_row(engine, tech, piece, SP_BLOCK_SENDER) == SP_NO_ROW
                               ? NULL
                               : sp_batch_shot_by_tag(&engine->batch, piece->block, piece->port);
    unsigned bit = 1U << piece->at;
    if (!shot || (shot->pieces & bit) != 0) {
        return;
    }
    shot->pieces |= (uint8_t)bit;
    sp_engine_keep(engine, SP_KEPT_SENT, piece->block, piece->port);
    if (shot->pieces == tech->pieces) {
        shot->has_left = 1;
        shot->left_us = sp_engine_since(engine, sp_mono_us());
    }
}

static void on_in(struct sp_engine *engine, const struct sp_technique *tech,
                  const struct sp_piece *piece, const struct sp_pkt *pkt, uint32_t iface)
{
    uint32_t row = own_row(engine, tech, piece, SP_BLOCK_RECEIVER);
    unsigned bit = 1U << piece->at;
    if (row == SP_NO_ROW && piece->is_weak) {
        return;
    }
    struct sp_arrival *a = sp_batch_arrival(&engine->batch, piece->block, piece->port, row, pkt);
    if (!a) {
        engine->batch.untagged_overflow = true; /* out of memory: absence proves nothing any more */
        return;
    }
    if (a->nic_count == 0) {
        a->nic_count = 1;
        a->nic_us = sp_engine_since(engine, sp_mono_us());
        a->iface = iface;
        a->ttl = pkt->ttl;
    }
    if (pkt->offset == 0) {
        a->flow.sport = pkt->sport;
        a->wire_dport = pkt->dport;
    }
    if ((a->pieces & bit) == 0) {
        a->pieces |= (uint8_t)bit;
        sp_engine_keep(engine, row == SP_NO_ROW ? SP_KEPT_STRAY : SP_KEPT_ARRIVED, piece->block,
                       piece->port);
    }
}

/* The ports of a first fragment; later ones have none. */
static void read_ports(struct sp_pkt *pkt)
{
    const uint8_t *p = pkt->payload;
    if (pkt->offset == 0 && pkt->payload_len >= 4) {
        pkt->sport = (uint16_t)(p[0] << 8 | p[1]);
        pkt->dport = (uint16_t)(p[2] << 8 | p[3]);
    }
}

bool sp_engine_piece(struct sp_engine *engine, const struct sp_captured *captured)
{
    struct sp_pkt pkt;
    struct sp_piece piece;
    const struct sp_technique *tech;
    if (!sp_pkt_parse_piece(captured->ip, captured->len, &pkt)) {
        return false;
    }
    for (size_t i = 0; (tech = sp_technique_code(i)) != NULL; i++) {
        bool v4 = pkt.src.family == SP_FAMILY_IPV4;
        if (!tech->piece || (v4 ? tech->ip_proto4 : tech->ip_proto6) != pkt.ip_proto ||
            !tech->piece(&engine->keys, &pkt, &piece)) {
            continue;
        }
        read_ports(&pkt);
        if (captured->dir == SP_DIR_OUT || captured->is_loopback) {
            on_out(engine, tech, &piece);
        }
        if (captured->dir == SP_DIR_IN && sp_netinfo_find(&engine->net, &pkt.dst)) {
            on_in(engine, tech, &piece, &pkt, captured->iface);
        }
        return true;
    }
    return false;
}

uint8_t sp_engine_pieces_of(const struct sp_engine *engine, const struct sp_arrival *arrival)
{
    const struct sp_technique *tech =
        arrival->block_row == SP_NO_ROW ? NULL : engine->batch.blocks[arrival->block_row].tech;
    if (arrival->pieces == 0) {
        return SP_PIECES_WHOLE;
    }
    if ((arrival->pieces & 1) == 0) {
        return SP_PIECES_TAIL;
    }
    return tech && arrival->pieces == tech->pieces ? SP_PIECES_WHOLE : SP_PIECES_HEAD;
}
