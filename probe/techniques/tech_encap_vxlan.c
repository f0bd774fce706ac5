/* SPDX-License-Identifier: Apache-2.0
 *
 * A SYN in a VXLAN frame (RFC 7348), to UDP port 4789 over IPv4 and IPv6. VXLAN has no
 * authentication: whoever reaches its port from anywhere sends into the segment behind it. The
 * device takes frames of its own VNI only, and passes on as IP those to its own address: the
 * topology may name both (hosts.*.tunnel). A broadcast frame is bridged, and taken in by the host
 * itself, never routed. */
#include "probe/techniques/encap.h"

static int start(const struct sp_flow *flow, struct sp_tech_io *io)
{
    return sp_encap_start(flow, io, SP_WRAP_VXLAN);
}

const struct sp_technique sp_tech_encap_vxlan = {
    .name = "encap_vxlan",
    .start = start,
    .wraps = SP_WRAP_VXLAN,
    SP_SYN_LIKE,
};
