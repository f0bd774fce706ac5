/* SPDX-License-Identifier: Apache-2.0
 *
 * TCP SYN without payload (RFC 9293): proves whether a new TCP flow crosses. The SYN looks like a
 * Linux host's, so that nothing drops it for its looks. A listener answers SYN/ACK (our kernel
 * resets it at once, which cleans the state up), a closed port RST. Tag: sequence number, TSval,
 * IPv4 ID. */
#include "probe/techniques/technique.h"

static void spec(const struct sp_tag_keys *keys, const struct sp_flow *flow, uint64_t now_us,
                 struct sp_spec *ret_spec)
{
    struct sp_tag tag = sp_tag_make(keys, flow->block, flow->port);
    (void)now_us;
    *ret_spec = (struct sp_spec){
        .src = flow->src,
        .dst = flow->dst,
        .ip_proto = SP_IPPROTO_TCP,
        .ip_id = tag.ip_id,
        .sport = flow->sport,
        .dport = sp_flow_wire_port(flow),
        .seq = tag.seq,
        .tcp_flags = SP_TCP_SYN,
        .tcp_options = true,
        .tsval = tag.tsval,
    };
}

static int start(const struct sp_flow *flow, struct sp_tech_io *io)
{
    struct sp_spec packet;
    spec(io->keys, flow, io->now_us, &packet);
    return io->emit(io, &packet);
}

static uint16_t wire_dport(const struct sp_flow *flow)
{
    return sp_flow_wire_port(flow);
}

static bool match(const struct sp_tag_keys *keys, const struct sp_pkt *pkt, uint16_t *ret_block,
                  uint16_t *ret_port)
{
    return (pkt->tcp_flags & (SP_TCP_SYN | SP_TCP_ACK | SP_TCP_RST)) == SP_TCP_SYN &&
           pkt->has_timestamps && sp_tag_check(keys, pkt->seq, pkt->tsval, ret_block, ret_port);
}

static enum sp_answer answer(const struct sp_tag_keys *keys, const struct sp_flow *flow,
                             const struct sp_pkt *pkt)
{
    uint32_t seq = sp_tag_seal(keys, flow->block, flow->port);
    uint8_t flags = pkt->tcp_flags & (SP_TCP_SYN | SP_TCP_ACK | SP_TCP_RST);
    if (flags == (SP_TCP_SYN | SP_TCP_ACK) && pkt->ack == seq + 1) {
        return SP_ANSWER_SYN_ACK;
    }
    /* Some stacks acknowledge the sequence number itself (techniques.md T1). */
    if (flags == (SP_TCP_RST | SP_TCP_ACK) && (pkt->ack == seq + 1 || pkt->ack == seq)) {
        return SP_ANSWER_RST;
    }
    return SP_ANSWER_NONE;
}

static bool quoted(const struct sp_tag_keys *keys, const struct sp_flow *flow,
                   const struct sp_pkt *pkt)
{
    return pkt->quoted.seq == sp_tag_seal(keys, flow->block, flow->port);
}

static int reply(const struct sp_flow *arrival, struct sp_tech_io *io)
{
    struct sp_spec spec = {
        .src = arrival->dst,
        .dst = arrival->src,
        .ip_proto = SP_IPPROTO_TCP,
        .ip_id = 1,
        .sport = arrival->dport,
        .dport = arrival->sport,
        .ack = sp_tag_seal(io->keys, arrival->block, arrival->port) + 1,
        .tcp_flags = SP_TCP_RST | SP_TCP_ACK,
    };
    return io->emit(io, &spec);
}

const struct sp_technique sp_tech_tcp_syn = {
    .name = "tcp_syn",
    .ip_proto4 = SP_IPPROTO_TCP,
    .ip_proto6 = SP_IPPROTO_TCP,
    .start = start,
    .spec = spec,
    .wire_dport = wire_dport,
    .match = match,
    .answer = answer,
    .quoted = quoted,
    .reply = reply,
};
