/* SPDX-License-Identifier: Apache-2.0
 *
 * UDP datagram with a tagged payload (RFC 768). Silence at the sender means nothing for UDP, so the
 * receiver crafts a tagged reply where the flow must work; ICMP port unreachable is rate limited
 * and only explains. */
#include "probe/techniques/technique.h"

static void fill(const struct sp_tag_keys *keys, const struct sp_flow *flow, enum sp_tag_kind kind,
                 uint64_t now_us, struct sp_spec *out)
{
    out->ip_proto = SP_IPPROTO_UDP;
    out->ip_id = sp_tag_make(keys, flow->block, flow->port).ip_id;
    out->payload_len = SP_TAG_BYTES;
    sp_tag_write(keys, flow->block, flow->port, kind, now_us, out->payload);
}

static void spec(const struct sp_tag_keys *keys, const struct sp_flow *flow, uint64_t now_us,
                 struct sp_spec *ret_spec)
{
    *ret_spec = (struct sp_spec){
        .src = flow->src, .dst = flow->dst, .sport = flow->sport, .dport = sp_flow_wire_port(flow)};
    fill(keys, flow, SP_TAG_PROBE, now_us, ret_spec);
}

static int start(const struct sp_flow *flow, struct sp_tech_io *io)
{
    struct sp_spec packet;
    spec(io->keys, flow, io->now_us, &packet);
    return io->emit(io, &packet);
}

static int reply(const struct sp_flow *arrival, struct sp_tech_io *io)
{
    struct sp_spec packet = {
        .src = arrival->dst, .dst = arrival->src, .sport = arrival->dport, .dport = arrival->sport};
    fill(io->keys, arrival, SP_TAG_REPLY, io->now_us, &packet);
    return io->emit(io, &packet);
}

static uint16_t wire_dport(const struct sp_flow *flow)
{
    return sp_flow_wire_port(flow);
}

static bool match(const struct sp_tag_keys *keys, const struct sp_pkt *pkt, uint16_t *ret_block,
                  uint16_t *ret_port)
{
    enum sp_tag_kind kind;
    return sp_tag_read(keys, pkt->payload, pkt->payload_len, &kind, ret_block, ret_port) &&
           kind == SP_TAG_PROBE;
}

static enum sp_answer answer(const struct sp_tag_keys *keys, const struct sp_flow *flow,
                             const struct sp_pkt *pkt)
{
    enum sp_tag_kind kind;
    uint16_t block;
    uint16_t port;
    if (!sp_tag_read(keys, pkt->payload, pkt->payload_len, &kind, &block, &port)) {
        return SP_ANSWER_DATA;
    }
    if (block != flow->block || port != flow->port) {
        return SP_ANSWER_NONE;
    }
    /* A service that sends back what it gets (echo, RFC 862) returns the probe's own tag. */
    return kind == SP_TAG_REPLY ? SP_ANSWER_CRAFTED : SP_ANSWER_DATA;
}

static bool quoted(const struct sp_tag_keys *keys, const struct sp_flow *flow,
                   const struct sp_pkt *pkt)
{
    (void)keys;
    return pkt->quoted.dport == sp_flow_wire_port(flow) && pkt->quoted.sport == flow->sport;
}

const struct sp_technique sp_tech_udp = {
    .name = "udp",
    .ip_proto4 = SP_IPPROTO_UDP,
    .ip_proto6 = SP_IPPROTO_UDP,
    .start = start,
    .spec = spec,
    .wire_dport = wire_dport,
    .match = match,
    .answer = answer,
    .quoted = quoted,
    .reply = reply,
};
