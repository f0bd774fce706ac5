/* SPDX-License-Identifier: Apache-2.0
 *
 * ICMP and ICMPv6 of every type and code but the echo request (RFC 792, 4443; RFC 4890 says what a
 * firewall should do with each). The flow's port is type << 8 | code; packet/icmpform.h says where
 * the tag is. Errors are forged: they quote a datagram that was never sent, so that nothing but a
 * rule lets them through. Nobody answers them, and none of them is a question whose answer would
 * prove a way back: they are judged by their arrival alone. */
#include "probe/base/proto.h"
#include "probe/techniques/technique.h"

static int start(const struct sp_flow *flow, struct sp_tech_io *io)
{
    bool v6 = flow->dst.family == SP_FAMILY_IPV6;
    struct sp_spec spec = {
        .src = flow->src,
        .dst = flow->dst,
        .ip_proto = v6 ? SP_IPPROTO_ICMP6 : SP_IPPROTO_ICMP,
        .ip_id = sp_tag_make(io->keys, flow->block, flow->port).ip_id,
        .icmp_type = (uint8_t)(flow->port >> 8),
        .icmp_code = (uint8_t)flow->port,
        .echo_id = flow->sport,
        .echo_seq = flow->block,
        .payload_len = SP_TAG_BYTES,
    };
    sp_tag_write(io->keys, flow->block, flow->port, SP_TAG_PROBE, io->now_us, spec.payload);
    return io->emit(io, &spec);
}

static uint16_t wire_dport(const struct sp_flow *flow)
{
    return flow->block;
}

/* The tag names type and code, too: an echo request that comes back as a reply is another's. */
static bool match(const struct sp_tag_keys *keys, const struct sp_pkt *pkt, uint16_t *ret_block,
                  uint16_t *ret_port)
{
    enum sp_tag_kind kind;
    bool v6 = pkt->ip_proto == SP_IPPROTO_ICMP6;
    return pkt->icmp_type != (v6 ? SP_ICMP6_ECHO : SP_ICMP_ECHO) &&
           sp_tag_read(keys, pkt->payload, pkt->payload_len, &kind, ret_block, ret_port) &&
           kind == SP_TAG_PROBE && *ret_port == (pkt->icmp_type << 8 | pkt->icmp_code);
}

static enum sp_answer answer(const struct sp_tag_keys *keys, const struct sp_flow *flow,
                             const struct sp_pkt *pkt)
{
    (void)keys;
    (void)flow;
    (void)pkt;
    return SP_ANSWER_NONE;
}

static bool quoted(const struct sp_tag_keys *keys, const struct sp_flow *flow,
                   const struct sp_pkt *pkt)
{
    (void)keys;
    return pkt->quoted.sport == flow->sport && pkt->quoted.dport == flow->block;
}

const struct sp_technique sp_tech_icmp_type = {
    .name = "icmp_type",
    .ip_proto4 = SP_IPPROTO_ICMP,
    .ip_proto6 = SP_IPPROTO_ICMP6,
    .start = start,
    .wire_dport = wire_dport,
    .match = match,
    .answer = answer,
    .quoted = quoted,
};
