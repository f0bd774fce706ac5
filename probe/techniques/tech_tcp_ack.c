/* SPDX-License-Identifier: Apache-2.0
 *
 * A TCP ACK of no connection (techniques.md T3): passes filters that keep no state, and those that
 * take a connection up in its middle, as Linux does by default. Whoever gets it answers RST. */
#include "probe/techniques/segment.h"

#define FLAGS SP_TCP_ACK

static int start(const struct sp_flow *flow, struct sp_tech_io *io)
{
    return sp_segment_start(flow, io, FLAGS);
}

static bool match(const struct sp_tag_keys *keys, const struct sp_pkt *pkt, uint16_t *ret_block,
                  uint16_t *ret_port)
{
    return sp_segment_match(keys, pkt, SP_TCP_SYN | SP_TCP_RST | SP_TCP_FIN | SP_TCP_ACK,
                            SP_TCP_ACK, ret_block, ret_port);
}

static enum sp_answer answer(const struct sp_tag_keys *keys, const struct sp_flow *flow,
                             const struct sp_pkt *pkt)
{
    return sp_segment_answer(keys, flow, pkt, FLAGS);
}

const struct sp_technique sp_tech_tcp_ack = {
    .name = "tcp_ack",
    .ip_proto4 = SP_IPPROTO_TCP,
    .ip_proto6 = SP_IPPROTO_TCP,
    .start = start,
    .wire_dport = sp_segment_dport,
    .match = match,
    .answer = answer,
    .quoted = sp_segment_quoted,
};
