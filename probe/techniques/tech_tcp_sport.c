/* SPDX-License-Identifier: Apache-2.0
 *
 * A TCP SYN from a source port that filters trust (techniques.md T11): a stateless rule that lets
 * answers of a service back in by their source port lets everybody in who sends from there. The
 * controller chooses the port, which nobody may be using at the sender. Otherwise tcp_syn. */
#include "probe/techniques/technique.h"

static int start(const struct sp_flow *flow, struct sp_tech_io *io)
{
    return sp_tech_tcp_syn.start(flow, io);
}

static uint16_t wire_dport(const struct sp_flow *flow)
{
    return sp_flow_wire_port(flow);
}

static bool match(const struct sp_tag_keys *keys, const struct sp_pkt *pkt, uint16_t *ret_block,
                  uint16_t *ret_port)
{
    return sp_tech_tcp_syn.match(keys, pkt, ret_block, ret_port);
}

static enum sp_answer answer(const struct sp_tag_keys *keys, const struct sp_flow *flow,
                             const struct sp_pkt *pkt)
{
    return sp_tech_tcp_syn.answer(keys, flow, pkt);
}

static bool quoted(const struct sp_tag_keys *keys, const struct sp_flow *flow,
                   const struct sp_pkt *pkt)
{
    return sp_tech_tcp_syn.quoted(keys, flow, pkt);
}

const struct sp_technique sp_tech_tcp_sport = {
    .name = "tcp_sport",
    .ip_proto4 = SP_IPPROTO_TCP,
    .ip_proto6 = SP_IPPROTO_TCP,
    .start = start,
    .wire_dport = wire_dport,
    .match = match,
    .answer = answer,
    .quoted = quoted,
};
