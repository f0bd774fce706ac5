/* SPDX-License-Identifier: Apache-2.0
 *
 * ICMP and ICMPv6 echo request with a tagged payload (RFC 792, RFC 4443 4.1). The host's kernel
 * answers by itself and echoes the tag. NAT may rewrite the identifier; sequence number and data
 * survive. */
#include "probe/techniques/technique.h"

static int start(const struct sp_flow *flow, struct sp_tech_io *io)
{
    bool v6 = flow->dst.family == SP_FAMILY_IPV6;
    struct sp_spec spec = {
        .src = flow->src,
        .dst = flow->dst,
        .ip_proto = v6 ? SP_IPPROTO_ICMP6 : SP_IPPROTO_ICMP,
        .ip_id = sp_tag_make(io->keys, flow->block, flow->port).ip_id,
        .icmp_type = v6 ? SP_ICMP6_ECHO : SP_ICMP_ECHO,
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

static bool is_type(const struct sp_pkt *pkt, uint8_t v4, uint8_t v6)
{
    return pkt->icmp_type == (pkt->ip_proto == SP_IPPROTO_ICMP6 ? v6 : v4);
}

static bool match(const struct sp_tag_keys *keys, const struct sp_pkt *pkt, uint16_t *ret_block,
                  uint16_t *ret_port)
{
    enum sp_tag_kind kind;
    return is_type(pkt, SP_ICMP_ECHO, SP_ICMP6_ECHO) &&
           sp_tag_read(keys, pkt->payload, pkt->payload_len, &kind, ret_block, ret_port) &&
           kind == SP_TAG_PROBE;
}

static enum sp_answer answer(const struct sp_tag_keys *keys, const struct sp_flow *flow,
                             const struct sp_pkt *pkt)
{
    enum sp_tag_kind kind;
    uint16_t block;
    uint16_t port;
    bool ours = is_type(pkt, SP_ICMP_ECHO_REPLY, SP_ICMP6_ECHO_REPLY) &&
                sp_tag_read(keys, pkt->payload, pkt->payload_len, &kind, &block, &port) &&
                block == flow->block && port == flow->port;
    return ours ? SP_ANSWER_ECHO : SP_ANSWER_NONE;
}

static bool quoted(const struct sp_tag_keys *keys, const struct sp_flow *flow,
                   const struct sp_pkt *pkt)
{
    (void)keys;
    return pkt->quoted.sport == flow->sport && pkt->quoted.dport == flow->block;
}

const struct sp_technique sp_tech_icmp_echo = {
    .name = "icmp_echo",
    .ip_proto4 = SP_IPPROTO_ICMP,
    .ip_proto6 = SP_IPPROTO_ICMP6,
    .start = start,
    .wire_dport = wire_dport,
    .match = match,
    .answer = answer,
    .quoted = quoted,
};
