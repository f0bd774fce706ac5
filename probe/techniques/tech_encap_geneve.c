/* SPDX-License-Identifier: Apache-2.0
 *
 * A SYN in a GENEVE frame without options (RFC 8926), to UDP port 6081 over IPv4 and IPv6. What
 * holds of VNI and inner address is that of encap_vxlan. */
#include "probe/techniques/encap.h"

static int start(const struct sp_flow *flow, struct sp_tech_io *io)
{
    return sp_encap_start(flow, io, SP_WRAP_GENEVE);
}

const struct sp_technique sp_tech_encap_geneve = {
    .name = "encap_geneve",
    .start = start,
    .wraps = SP_WRAP_GENEVE,
    SP_SYN_LIKE,
};
