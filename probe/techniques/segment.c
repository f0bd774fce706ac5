/* SPDX-License-Identifier: Apache-2.0 */
#include "probe/techniques/segment.h"

static void make_spec(const struct sp_tag_keys *keys, const struct sp_flow *flow, uint8_t flags,
                      struct sp_spec *ret_spec)
{
    struct sp_tag tag = sp_tag_make(keys, flow->block, flow->port);
    *ret_spec = (struct sp_spec){
        .src = flow->src,
        .dst = flow->dst,
        .ip_proto = SP_IPPROTO_TCP,
        .ip_id = tag.ip_id,
        .sport = flow->sport,
        .dport = sp_flow_wire_port(flow),
        .seq = tag.seq,
        .ack = SP_TAG_MAGIC - tag.seq,
        .tcp_flags = flags,
        .tcp_timestamps = true,
        .tsval = tag.tsval,
        .tsecr = SP_TAG_MAGIC - tag.seq,
    };
}

int sp_segment_start(const struct sp_flow *flow, struct sp_tech_io *io, uint8_t flags)
{
    struct sp_spec packet;
    make_spec(io->keys, flow, flags, &packet);
    return io->emit(io, &packet);
}

bool sp_segment_match(const struct sp_tag_keys *keys, const struct sp_pkt *pkt, uint8_t mask,
                      uint8_t flags, uint16_t *ret_block, uint16_t *ret_port)
{
    return (pkt->tcp_flags & mask) == flags && pkt->has_timestamps &&
           sp_tag_check(keys, pkt->seq, pkt->tsval, ret_block, ret_port);
}

enum sp_answer sp_segment_answer(const struct sp_tag_keys *keys, const struct sp_flow *flow,
                                 const struct sp_pkt *pkt, uint8_t flags)
{
    uint32_t seq = sp_tag_seal(keys, flow->block, flow->port);
    if ((pkt->tcp_flags & (SP_TCP_SYN | SP_TCP_RST)) != SP_TCP_RST) {
        return SP_ANSWER_NONE;
    }
    bool by_seq = (flags & SP_TCP_ACK) != 0 && pkt->seq == SP_TAG_MAGIC - seq;
    bool by_ack = (pkt->tcp_flags & SP_TCP_ACK) != 0 && (pkt->ack == seq || pkt->ack == seq + 1);
    return by_seq || by_ack ? SP_ANSWER_RST : SP_ANSWER_NONE;
}

bool sp_segment_quoted(const struct sp_tag_keys *keys, const struct sp_flow *flow,
                       const struct sp_pkt *pkt)
{
    return pkt->quoted.seq == sp_tag_seal(keys, flow->block, flow->port);
}

uint16_t sp_segment_dport(const struct sp_flow *flow)
{
    return sp_flow_wire_port(flow);
}
