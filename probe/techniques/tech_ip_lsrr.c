/* SPDX-License-Identifier: Apache-2.0
 *
 * A SYN with loose source routing (RFC 791 3.1): by way of a declared router, which sends it on to
 * the receiver, so that a filter there may have looked at the wrong address; without one, the only
 * hop is the receiver itself. Nothing should forward either (RFC 7126 4.3). */
#include "probe/techniques/syn_like.h"

static int start(const struct sp_flow *flow, struct sp_tech_io *io)
{
    return sp_syn_by_route(flow, io, 131);
}

const struct sp_technique sp_tech_ip_lsrr = {
    .name = "ip_lsrr",
    .start = start,
    .routes = true,
    SP_SYN_LIKE,
};
