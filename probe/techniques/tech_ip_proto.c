/* SPDX-License-Identifier: Apache-2.0
 *
 * Any IP protocol that has neither ports nor ICMP types: GRE, ESP, AH, tunnels, routing protocols,
 * 253 ... The flow's port is the protocol number. A tagged payload stands behind a short header of
 * the protocol (packet/ipform.h). Hosts answer such packets with nothing, or with an ICMP error, so
 * the receiver crafts a tagged reply where the flow must work. Firewalls track these protocols by
 * addresses alone: a packet in one direction opens the other for minutes, so a plan never asks both
 * (topologies/plan_portless.c). */
#include "probe/techniques/technique.h"

static void fill(const struct sp_tag_keys *keys, const struct sp_flow *flow, enum sp_tag_kind kind,
                 uint64_t now_us, struct sp_spec *out)
{
    out->ip_proto = (uint8_t)flow->port;
    out->ip_id = sp_tag_make(keys, flow->block, flow->port).ip_id;
    out->payload_len = SP_TAG_BYTES;
    sp_tag_write(keys, flow->block, flow->port, kind, now_us, out->payload);
}

static uint16_t wire_dport(const struct sp_flow *flow)
{
    return sp_flow_wire_port(flow);
}

static int start(const struct sp_flow *flow, struct sp_tech_io *io)
{
    struct sp_spec packet = {
        .src = flow->src, .dst = flow->dst, .sport = flow->sport, .dport = wire_dport(flow)};
    fill(io->keys, flow, SP_TAG_PROBE, io->now_us, &packet);
    return io->emit(io, &packet);
}

static int reply(const struct sp_flow *arrival, struct sp_tech_io *io)
{
    struct sp_spec packet = {
        .src = arrival->dst, .dst = arrival->src, .sport = arrival->dport, .dport = arrival->sport};
    fill(io->keys, arrival, SP_TAG_REPLY, io->now_us, &packet);
    return io->emit(io, &packet);
}

/* The tag names the protocol, too: in another one it is not this flow's packet. */
static bool is_ours(const struct sp_tag_keys *keys, const struct sp_pkt *pkt, enum sp_tag_kind want,
                    uint16_t *ret_block, uint16_t *ret_port)
{
    enum sp_tag_kind kind;
    return sp_tag_read(keys, pkt->payload, pkt->payload_len, &kind, ret_block, ret_port) &&
           kind == want && *ret_port == pkt->ip_proto;
}

static bool match(const struct sp_tag_keys *keys, const struct sp_pkt *pkt, uint16_t *ret_block,
                  uint16_t *ret_port)
{
    return is_ours(keys, pkt, SP_TAG_PROBE, ret_block, ret_port);
}

/* Only a reply of ours is an answer: whatever else comes in this protocol is not about the flow. */
static enum sp_answer answer(const struct sp_tag_keys *keys, const struct sp_flow *flow,
                             const struct sp_pkt *pkt)
{
    uint16_t block;
    uint16_t port;
    bool ours = is_ours(keys, pkt, SP_TAG_REPLY, &block, &port) && block == flow->block &&
                port == flow->port;
    return ours ? SP_ANSWER_CRAFTED : SP_ANSWER_NONE;
}

static bool quoted(const struct sp_tag_keys *keys, const struct sp_flow *flow,
                   const struct sp_pkt *pkt)
{
    (void)keys;
    return pkt->quoted.ip_proto == flow->port && pkt->quoted.dport == sp_flow_wire_port(flow) &&
           pkt->quoted.sport == flow->sport;
}

const struct sp_technique sp_tech_ip_proto = {
    .name = "ip_proto",
    .proto_by_port = true,
    .start = start,
    .wire_dport = wire_dport,
    .match = match,
    .answer = answer,
    .quoted = quoted,
    .reply = reply,
};
