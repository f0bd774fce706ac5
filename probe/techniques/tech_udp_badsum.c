/* SPDX-License-Identifier: Apache-2.0
 *
 * A UDP datagram with a wrong checksum: see tech_tcp_badsum.c. Otherwise udp. */
#include "probe/techniques/technique.h"

static int start(const struct sp_flow *flow, struct sp_tech_io *io)
{
    struct sp_spec packet;
    sp_tech_udp.spec(io->keys, flow, io->now_us, &packet);
    packet.bad_checksum = true;
    return io->emit(io, &packet);
}

static uint16_t wire_dport(const struct sp_flow *flow)
{
    return sp_flow_wire_port(flow);
}

static bool match(const struct sp_tag_keys *keys, const struct sp_pkt *pkt, uint16_t *ret_block,
                  uint16_t *ret_port)
{
    return sp_tech_udp.match(keys, pkt, ret_block, ret_port);
}

static enum sp_answer answer(const struct sp_tag_keys *keys, const struct sp_flow *flow,
                             const struct sp_pkt *pkt)
{
    return sp_tech_udp.answer(keys, flow, pkt);
}

static bool quoted(const struct sp_tag_keys *keys, const struct sp_flow *flow,
                   const struct sp_pkt *pkt)
{
    return sp_tech_udp.quoted(keys, flow, pkt);
}

const struct sp_technique sp_tech_udp_badsum = {
    .name = "udp_badsum",
    .ip_proto4 = SP_IPPROTO_UDP,
    .ip_proto6 = SP_IPPROTO_UDP,
    .start = start,
    .wire_dport = wire_dport,
    .match = match,
    .answer = answer,
    .quoted = quoted,
};
