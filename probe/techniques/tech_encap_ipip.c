/* SPDX-License-Identifier: Apache-2.0
 *
 * A SYN in an IPv4 packet of protocol 4 (IP in IP, RFC 2003). Any host with an IP-in-IP device
 * without a fixed remote end takes it from anybody. */
#include "probe/techniques/encap.h"

static int start(const struct sp_flow *flow, struct sp_tech_io *io)
{
    return sp_encap_start(flow, io, SP_WRAP_IP);
}

const struct sp_technique sp_tech_encap_ipip = {
    .name = "encap_ipip",
    .start = start,
    .wraps = SP_WRAP_IP,
    SP_SYN_LIKE,
};
