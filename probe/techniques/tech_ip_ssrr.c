/* SPDX-License-Identifier: Apache-2.0
 *
 * A SYN with strict source routing (RFC 791 3.1), by way of a declared router, which sends it on to
 * the receiver. Nothing should forward it (RFC 7126 4.4). Without a router to begin with, every one
 * that knows the option must refuse it, and nothing would be shown. */
#include "probe/techniques/syn_like.h"

static int start(const struct sp_flow *flow, struct sp_tech_io *io)
{
    return sp_syn_by_route(flow, io, 137);
}

const struct sp_technique sp_tech_ip_ssrr = {
    .name = "ip_ssrr",
    .start = start,
    .routes = true,
    SP_SYN_LIKE,
};
