/* SPDX-License-Identifier: Apache-2.0
 *
 * A SYN behind an IPv6 hop-by-hop options header that holds nothing but padding (RFC 8200 4.3). A
 * filter that looks for the protocol in the fixed header finds 0 there, and no port. Routers may
 * drop or slow down such packets for reasons of their own (RFC 9673). */
#include "probe/techniques/syn_like.h"

static int start(const struct sp_flow *flow, struct sp_tech_io *io)
{
    return sp_syn_with_header(flow, io, SP_EH_HOPOPTS, 0);
}

const struct sp_technique sp_tech_eh_hopopts = {
    .name = "eh_hopopts",
    .start = start,
    SP_SYN_LIKE,
};
