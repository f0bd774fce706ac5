/* SPDX-License-Identifier: Apache-2.0
 *
 * A SYN behind a GRE header without key, checksum and sequence number (RFC 2784), over IPv4 and
 * IPv6. */
#include "probe/techniques/encap.h"

static int start(const struct sp_flow *flow, struct sp_tech_io *io)
{
    return sp_encap_start(flow, io, SP_WRAP_GRE);
}

const struct sp_technique sp_tech_encap_gre = {
    .name = "encap_gre",
    .start = start,
    .wraps = SP_WRAP_GRE,
    SP_SYN_LIKE,
};
