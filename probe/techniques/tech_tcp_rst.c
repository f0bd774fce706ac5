/* SPDX-License-Identifier: Apache-2.0
 *
 * A TCP RST of no connection (techniques.md T4): filters often let any RST pass, and so anybody end
 * the connections behind them. It is sent from a reserved port, to end none. Nobody answers it. */
#include "probe/techniques/segment.h"

#define FLAGS SP_TCP_RST

static int start(const struct sp_flow *flow, struct sp_tech_io *io)
{
    return sp_segment_start(flow, io, FLAGS);
}

static bool match(const struct sp_tag_keys *keys, const struct sp_pkt *pkt, uint16_t *ret_block,
                  uint16_t *ret_port)
{
    return sp_segment_match(keys, pkt, SP_TCP_SYN | SP_TCP_RST, SP_TCP_RST, ret_block, ret_port);
}

static enum sp_answer answer(const struct sp_tag_keys *keys, const struct sp_flow *flow,
                             const struct sp_pkt *pkt)
{
    return sp_segment_answer(keys, flow, pkt, FLAGS);
}

const struct sp_technique sp_tech_tcp_rst = {
    .name = "tcp_rst",
    .ip_proto4 = SP_IPPROTO_TCP,
    .ip_proto6 = SP_IPPROTO_TCP,
    .start = start,
    .wire_dport = sp_segment_dport,
    .match = match,
    .answer = answer,
    .quoted = sp_segment_quoted,
};
