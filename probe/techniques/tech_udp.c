/* SPDX-License-Identifier: Apache-2.0
 *
 * UDP datagram with a tagged payload (RFC 768). Silence at the sender means nothing for UDP, so the
 * receiver crafts a tagged reply where the flow must work; ICMP port unreachable is rate limited
 * and only explains. */
#include "probe/techniques/technique.h"

static int emit(const struct sp_addr *src, const struct sp_addr *dst, uint16_t sport,
                uint16_t dport, const struct sp_flow *flow, enum sp_tag_kind kind,
                struct sp_tech_io *io)
{
    struct sp_spec spec = {
        .src = *src,
        .dst = *dst,
        .ip_proto = SP_IPPROTO_UDP,
        .sport = sport,
        .dport = dport,
        .ip_id = sp_tag_make(io->keys, flow->block, flow->port).ip_id,
        .payload_len = SP_TAG_BYTES,
    };
    sp_tag_write(io->keys, flow->block, flow->port, kind, io->now_us, spec.payload);
    return io->emit(io, &spec);
}

static int start(const struct sp_flow *flow, struct sp_tech_io *io)
{
    return emit(&flow->src, &flow->dst, flow->sport, flow->port, flow, SP_TAG_PROBE, io);
}

static int reply(const struct sp_flow *arrival, struct sp_tech_io *io)
{
    return emit(&arrival->dst, &arrival->src, arrival->dport, arrival->sport, arrival, SP_TAG_REPLY,
                io);
}

static uint16_t wire_dport(const struct sp_flow *flow)
{
    return flow->port;
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
    return pkt->quoted.dport == flow->port && pkt->quoted.sport == flow->sport;
}

const struct sp_technique sp_tech_udp = {
    .name = "udp",
    .ip_proto4 = SP_IPPROTO_UDP,
    .ip_proto6 = SP_IPPROTO_UDP,
    .start = start,
    .wire_dport = wire_dport,
    .match = match,
    .answer = answer,
    .quoted = quoted,
    .reply = reply,
};
