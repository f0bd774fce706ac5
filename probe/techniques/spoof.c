/* SPDX-License-Identifier: Apache-2.0 */
#include "probe/techniques/spoof.h"

#include <errno.h>

int sp_spoof_start(const struct sp_flow *flow, struct sp_tech_io *io)
{
    struct sp_spec spec;
    if (!io->forged || io->forged->family != flow->dst.family) {
        return EINVAL;
    }
    sp_tech_udp.spec(io->keys, flow, io->now_us, &spec);
    spec.src = *io->forged;
    return io->emit(io, &spec);
}

uint16_t sp_spoof_wire_dport(const struct sp_flow *flow)
{
    return sp_tech_udp.wire_dport(flow);
}

bool sp_spoof_match(const struct sp_tag_keys *keys, const struct sp_pkt *pkt, uint16_t *ret_block,
                    uint16_t *ret_port)
{
    return sp_tech_udp.match(keys, pkt, ret_block, ret_port);
}

enum sp_answer sp_spoof_answer(const struct sp_tag_keys *keys, const struct sp_flow *flow,
                               const struct sp_pkt *pkt)
{
    return sp_tech_udp.answer(keys, flow, pkt);
}

bool sp_spoof_quoted(const struct sp_tag_keys *keys, const struct sp_flow *flow,
                     const struct sp_pkt *pkt)
{
    return sp_tech_udp.quoted(keys, flow, pkt);
}
