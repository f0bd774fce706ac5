/* SPDX-License-Identifier: Apache-2.0 */
#include "probe/techniques/syn_like.h"

#include <errno.h>
#include <string.h>

struct sp_spec sp_syn_spec(const struct sp_tag_keys *keys, const struct sp_flow *flow)
{
    struct sp_spec spec;
    sp_tech_tcp_syn.spec(keys, flow, 0, &spec);
    return spec;
}

uint16_t sp_syn_wire_dport(const struct sp_flow *flow)
{
    return sp_tech_tcp_syn.wire_dport(flow);
}

bool sp_syn_match(const struct sp_tag_keys *keys, const struct sp_pkt *pkt, uint16_t *ret_block,
                  uint16_t *ret_port)
{
    return sp_tech_tcp_syn.match(keys, pkt, ret_block, ret_port);
}

enum sp_answer sp_syn_answer(const struct sp_tag_keys *keys, const struct sp_flow *flow,
                             const struct sp_pkt *pkt)
{
    return sp_tech_tcp_syn.answer(keys, flow, pkt);
}

bool sp_syn_quoted(const struct sp_tag_keys *keys, const struct sp_flow *flow,
                   const struct sp_pkt *pkt)
{
    return sp_tech_tcp_syn.quoted(keys, flow, pkt);
}

static int with_options(const struct sp_flow *flow, struct sp_tech_io *io, const uint8_t *options,
                        uint8_t len, const struct sp_addr *via)
{
    struct sp_spec spec = sp_syn_spec(io->keys, flow);
    if (flow->dst.family != SP_FAMILY_IPV4 || len > SP_ODD_OPTIONS) {
        return EINVAL;
    }
    memcpy(spec.odd.options, options, len);
    spec.odd.options_len = len;
    if (via) {
        spec.odd.via = *via;
    }
    return io->emit(io, &spec);
}

int sp_syn_with_options(const struct sp_flow *flow, struct sp_tech_io *io, const uint8_t *options,
                        uint8_t len)
{
    return with_options(flow, io, options, len, NULL);
}

int sp_syn_by_route(const struct sp_flow *flow, struct sp_tech_io *io, uint8_t type)
{
    uint8_t route[8] = {1, type, 7, 4}; /* no operation; the route, from its first hop on */
    memcpy(route + 4, flow->dst.bytes, 4);
    return with_options(flow, io, route, sizeof(route), io->via);
}

int sp_syn_with_header(const struct sp_flow *flow, struct sp_tech_io *io, uint8_t type,
                       uint8_t routing_type)
{
    struct sp_spec spec = sp_syn_spec(io->keys, flow);
    if (flow->dst.family != SP_FAMILY_IPV6) {
        return EINVAL;
    }
    spec.odd.chain[0] = type;
    spec.odd.chain_len = 1;
    spec.odd.routing_type = routing_type;
    spec.odd.id = spec.tsval; /* any will do; translators take a fresh one (RFC 6946) */
    return io->emit(io, &spec);
}
