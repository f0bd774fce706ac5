/* SPDX-License-Identifier: Apache-2.0
 *
 * A SYN behind an IPv6 destination options header that holds nothing but padding (RFC 8200 4.6). A
 * filter that looks for the protocol in the fixed header finds 60 there, and no port. */
#include "probe/techniques/syn_like.h"

static int start(const struct sp_flow *flow, struct sp_tech_io *io)
{
    return sp_syn_with_header(flow, io, SP_EH_DSTOPTS, 0);
}

const struct sp_technique sp_tech_eh_dstopts = {
    .name = "eh_dstopts",
    .start = start,
    SP_SYN_LIKE,
};
