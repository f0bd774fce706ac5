/* SPDX-License-Identifier: Apache-2.0 */
#include "probe/techniques/fragments.h"

#include "probe/base/cursor.h"

uint16_t sp_cut_window(const struct sp_tag *tag)
{
    uint16_t window = (uint16_t)(tag->mac >> 48);
    return window ? window : 1; /* the builder takes 0 for its own default */
}

struct sp_spec sp_cut_spec(const struct sp_tag_keys *keys, const struct sp_flow *flow)
{
    struct sp_tag tag = sp_tag_make(keys, flow->block, flow->port);
    struct sp_spec spec = sp_syn_spec(keys, flow);
    spec.ack = tag.seq;
    spec.tsecr = tag.seq;
    spec.window = sp_cut_window(&tag);
    spec.odd.id = tag.tsval;
    return spec;
}

int sp_cut_emit(const struct sp_spec *whole, struct sp_tech_io *io, uint16_t from, uint16_t to,
                bool is_more)
{
    struct sp_spec spec = *whole;
    spec.odd.from = from;
    spec.odd.to = to;
    spec.odd.is_more = is_more;
    return io->emit(io, &spec);
}

uint32_t sp_cut_u32(const struct sp_pkt *pkt, size_t at)
{
    struct sp_rd rd;
    sp_rd_init(&rd, pkt->payload, pkt->payload_len);
    sp_rd_skip(&rd, at);
    return sp_rd_u32(&rd);
}

uint16_t sp_cut_u16(const struct sp_pkt *pkt, size_t at)
{
    struct sp_rd rd;
    sp_rd_init(&rd, pkt->payload, pkt->payload_len);
    sp_rd_skip(&rd, at);
    return sp_rd_u16(&rd);
}

bool sp_cut_read(const struct sp_tag_keys *keys, const struct sp_pkt *pkt, size_t at,
                 struct sp_tag *ret_tag, struct sp_piece *ret_piece)
{
    if (pkt->payload_len < at + 4) {
        return false;
    }
    *ret_piece = (struct sp_piece){0};
    sp_tag_unseal(keys, sp_cut_u32(pkt, at), &ret_piece->block, &ret_piece->port);
    *ret_tag = sp_tag_make(keys, ret_piece->block, ret_piece->port);
    return true;
}

bool sp_cut_has_id(const struct sp_pkt *pkt, const struct sp_tag *tag)
{
    return pkt->src.family == SP_FAMILY_IPV4 ? pkt->frag_id == tag->ip_id
                                             : pkt->frag_id == tag->tsval;
}
