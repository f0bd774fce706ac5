/* SPDX-License-Identifier: Apache-2.0 */
#include "probe/techniques/sctp.h"

#include "probe/packet/sctpform.h"

/* Never 0, which SCTP forbids. */
static uint32_t tag_of(const struct sp_tag_keys *keys, uint16_t block, uint16_t port)
{
    uint32_t tag = sp_tag_seal(keys, block, port);
    return tag ? tag : 1;
}

static void fill(const struct sp_tag_keys *keys, const struct sp_flow *flow, enum sp_tag_kind kind,
                 uint64_t now_us, struct sp_spec *out)
{
    out->ip_proto = SP_IPPROTO_SCTP;
    out->ip_id = sp_tag_make(keys, flow->block, flow->port).ip_id;
    out->payload_len = SP_TAG_BYTES;
    sp_tag_write(keys, flow->block, flow->port, kind, now_us, out->payload);
}

int sp_sctp_start(const struct sp_flow *flow, struct sp_tech_io *io, uint8_t chunk)
{
    struct sp_spec packet = {.src = flow->src,
                             .dst = flow->dst,
                             .sport = flow->sport,
                             .dport = sp_flow_wire_port(flow),
                             .sctp_chunk = chunk};
    uint32_t tag = tag_of(io->keys, flow->block, flow->port);
    packet.sctp_tag = chunk == SP_SCTP_INIT ? tag : 0;
    packet.sctp_vtag = chunk == SP_SCTP_INIT ? 0 : tag;
    fill(io->keys, flow, SP_TAG_PROBE, io->now_us, &packet);
    return io->emit(io, &packet);
}

int sp_sctp_reply(const struct sp_flow *arrival, struct sp_tech_io *io)
{
    struct sp_spec packet = {.src = arrival->dst,
                             .dst = arrival->src,
                             .sport = arrival->dport,
                             .dport = arrival->sport,
                             .sctp_chunk = SP_SCTP_ABORT,
                             .sctp_vtag = tag_of(io->keys, arrival->block, arrival->port)};
    fill(io->keys, arrival, SP_TAG_REPLY, io->now_us, &packet);
    return io->emit(io, &packet);
}

uint16_t sp_sctp_dport(const struct sp_flow *flow)
{
    return sp_flow_wire_port(flow);
}

bool sp_sctp_match(const struct sp_tag_keys *keys, const struct sp_pkt *pkt, uint8_t chunk,
                   uint16_t *ret_block, uint16_t *ret_port)
{
    enum sp_tag_kind kind;
    return pkt->sctp_chunk == chunk &&
           sp_tag_read(keys, pkt->payload, pkt->payload_len, &kind, ret_block, ret_port) &&
           kind == SP_TAG_PROBE;
}

enum sp_answer sp_sctp_answer(const struct sp_tag_keys *keys, const struct sp_flow *flow,
                              const struct sp_pkt *pkt)
{
    enum sp_tag_kind kind;
    uint16_t block;
    uint16_t port;
    if (pkt->sctp_vtag != tag_of(keys, flow->block, flow->port)) {
        return SP_ANSWER_NONE;
    }
    if (pkt->sctp_chunk == SP_SCTP_INIT_ACK) {
        return SP_ANSWER_SYN_ACK;
    }
    if (pkt->sctp_chunk != SP_SCTP_ABORT) {
        return SP_ANSWER_NONE;
    }
    bool ours = sp_tag_read(keys, pkt->payload, pkt->payload_len, &kind, &block, &port) &&
                kind == SP_TAG_REPLY && block == flow->block && port == flow->port;
    return ours ? SP_ANSWER_CRAFTED : SP_ANSWER_RST;
}

bool sp_sctp_quoted(const struct sp_tag_keys *keys, const struct sp_flow *flow,
                    const struct sp_pkt *pkt)
{
    (void)keys;
    return pkt->quoted.dport == sp_flow_wire_port(flow) && pkt->quoted.sport == flow->sport;
}
