/* SPDX-License-Identifier: Apache-2.0
 *
 * The engine's part in techniques whose packets travel inside others (techniques/encap.h): to which
 * outer destinations they may go, which of them were seen leaving, and what a witness makes of one
 * that is still closed (nothing: the tested flow has not come). */
#include <errno.h>
#include <string.h>

#include "probe/base/clock.h"
#include "probe/engine_state.h"

/* ---- orders ---- */

void sp_engine_outer(struct sp_engine *engine, const struct sp_rec_outer *order)
{
    const struct sp_batch_state *batch = &engine->batch;
    uint32_t row = sp_batch_find_block(batch, order->block);
    struct sp_outer outer = {.src = order->src, .dst = order->dst, .vni = order->vni};
    for (unsigned i = 0; i < sizeof(outer.mac); i++) {
        outer.mac[i] = (uint8_t)(order->mac >> (40 - 8 * i));
    }
    bool is_last = row != SP_NO_ROW && row + 1 == batch->nblocks;
    if (!is_last || (batch->blocks[row].flags & SP_BLOCK_SENDER) == 0 || order->vni >= 1U << 24 ||
        order->mac >> 48 != 0 || sp_batch_add_outer(&engine->batch, &outer) != SP_OK) {
        sp_engine_complain(engine, SP_ERR_PROTOCOL, "an outer packet could not be taken");
    }
}

/* ---- before sending ---- */

static uint8_t check_outer(struct sp_engine *engine, const struct sp_block *block,
                           struct sp_outer *outer)
{
    struct sp_route route = {0};
    uint8_t refused = sp_engine_check_own(engine, &outer->src);
    if (refused != SP_REFUSED_NONE && refused != SP_REFUSED_XDP) {
        return refused;
    }
    if (outer->src.family != outer->dst.family || !sp_engine_is_target(engine, &outer->dst)) {
        return SP_REFUSED_OTHER;
    }
    if (engine->io.route(engine->io.arg, &outer->src, &outer->dst, &route) != SP_OK) {
        return SP_REFUSED_NO_ROUTE;
    }
    outer->iface = route.iface;
    if ((block->flags & SP_BLOCK_LINK) == 0) {
        return SP_REFUSED_NONE;
    }
    struct sp_block way = *block;
    way.src = outer->src;
    way.dst = outer->dst;
    refused = sp_engine_resolve(engine, &way, &route);
    memcpy(outer->src_mac, way.src_mac, sizeof(outer->src_mac));
    memcpy(outer->hop_mac, way.dst_mac, sizeof(outer->hop_mac));
    return refused;
}

uint8_t sp_engine_check_outers(struct sp_engine *engine, const struct sp_block *block)
{
    bool fits = block->nouters > 0 && block->tech->wraps != SP_WRAP_NONE &&
                (block->flags & (SP_BLOCK_SELF | SP_BLOCK_FORGED | SP_BLOCK_VIA)) == 0;
    uint8_t refused = fits ? SP_REFUSED_NONE : SP_REFUSED_OTHER;
    for (size_t i = 0; i < block->nouters && refused == SP_REFUSED_NONE; i++) {
        refused = check_outer(engine, block, &engine->batch.outers[block->outers + i]);
    }
    return refused;
}

/* ---- sending ---- */

static size_t find_outer(const struct sp_engine *engine, const struct sp_block *block,
                         const struct sp_addr *dst)
{
    size_t i = 0;
    while (i < block->nouters && !sp_addr_eq(&engine->batch.outers[block->outers + i].dst, dst)) {
        i++;
    }
    return i;
}

int sp_engine_emit_outer(struct sp_engine *engine, const struct sp_block *block,
                         const struct sp_spec *spec)
{
    size_t i = find_outer(engine, block, &spec->wrap.dst);
    if (i == block->nouters) {
        return EINVAL;
    }
    const struct sp_outer *outer = &engine->batch.outers[block->outers + i];
    struct sp_block way = *block;
    way.iface = outer->iface;
    memcpy(way.src_mac, outer->src_mac, sizeof(way.src_mac));
    memcpy(way.dst_mac, outer->hop_mac, sizeof(way.dst_mac));
    return sp_engine_emit(engine, &way, spec);
}

/* ---- witnesses ---- */

/* The row of the block whose packet this is, if its technique wraps; SP_NO_ROW. */
static uint32_t wrapping_row(const struct sp_engine *engine, const struct sp_pkt *pkt,
                             uint16_t *ret_block, uint16_t *ret_port)
{
    const struct sp_technique *tech = sp_engine_match(engine, pkt, ret_block, ret_port);
    uint32_t row = tech ? sp_batch_find_block(&engine->batch, *ret_block) : SP_NO_ROW;
    bool is_wrapping =
        row != SP_NO_ROW && tech->wraps != SP_WRAP_NONE && engine->batch.blocks[row].tech == tech;
    return is_wrapping ? row : SP_NO_ROW;
}

/* A test has left when all its outer packets have. */
static void on_left(struct sp_engine *engine, const struct sp_block *block, struct sp_shot *shot,
                    const struct sp_addr *outer_dst)
{
    size_t i = find_outer(engine, block, outer_dst);
    if (i == block->nouters) {
        return;
    }
    if ((shot->pieces >> i & 1) == 0) {
        shot->pieces |= (uint8_t)(1U << i);
        sp_engine_keep(engine, SP_KEPT_SENT, shot->flow.block, shot->flow.port);
    }
    if (!shot->has_left && shot->pieces == (1U << block->nouters) - 1) {
        shot->has_left = 1;
        shot->left_us = sp_engine_since(engine, sp_mono_us());
    }
}

bool sp_engine_wrapped(struct sp_engine *engine, const struct sp_captured *captured)
{
    struct sp_unwrapped in;
    struct sp_pkt pkt;
    uint16_t id;
    uint16_t port;
    if (!engine->is_wrapping || !sp_pkt_unwrap(captured->ip, captured->len, &in) ||
        !sp_pkt_parse(in.ip, in.len, &pkt)) {
        return false;
    }
    uint32_t row = wrapping_row(engine, &pkt, &id, &port);
    if (row == SP_NO_ROW || engine->batch.blocks[row].tech->wraps != in.kind) {
        return false;
    }
    struct sp_shot *shot = sp_batch_shot_by_tag(&engine->batch, id, port);
    if (shot && (captured->dir == SP_DIR_OUT || captured->is_loopback)) {
        on_left(engine, &engine->batch.blocks[row], shot, &in.dst);
    }
    return true;
}

/* A bridge floods what a tunnel brought it for everybody. */
void sp_engine_flooded(struct sp_engine *engine, const struct sp_captured *captured,
                       const struct sp_pkt *pkt)
{
    uint16_t id;
    uint16_t port;
    if (engine->is_wrapping && sp_netinfo_find(&engine->net, &pkt->dst) &&
        wrapping_row(engine, pkt, &id, &port) != SP_NO_ROW) {
        sp_engine_arrived(engine, sp_engine_match(engine, pkt, &id, &port), pkt, id, port,
                          captured->iface);
    }
}
