/* SPDX-License-Identifier: Apache-2.0
 *
 * An IPv6 SYN in an IPv4 packet of protocol 41 (RFC 4213), between the IPv4 addresses of the two
 * hosts: IPv6 where only the IPv4 rules were written. */
#include "probe/techniques/encap.h"

static int start(const struct sp_flow *flow, struct sp_tech_io *io)
{
    return sp_encap_start(flow, io, SP_WRAP_IP);
}

const struct sp_technique sp_tech_encap_6in4 = {
    .name = "encap_6in4",
    .start = start,
    .wraps = SP_WRAP_IP,
    SP_SYN_LIKE,
};
