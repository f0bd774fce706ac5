/* SPDX-License-Identifier: Apache-2.0
 *
 * A TCP SYN with a wrong checksum (techniques.md T4): every host drops it without a word, and a
 * filter that calls it invalid, and has no rule for what is invalid, passes it on. Whoever answers
 * it stands before the destination and did not look. Otherwise tcp_syn. */
#include "probe/techniques/technique.h"

static int start(const struct sp_flow *flow, struct sp_tech_io *io)
{
    struct sp_spec packet;
    sp_tech_tcp_syn.spec(io->keys, flow, io->now_us, &packet);
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

const struct sp_technique sp_tech_tcp_badsum = {
    .name = "tcp_badsum",
    .ip_proto4 = SP_IPPROTO_TCP,
    .ip_proto6 = SP_IPPROTO_TCP,
    .start = start,
    .wire_dport = wire_dport,
    .match = match,
    .answer = answer,
    .quoted = quoted,
};
