/* SPDX-License-Identifier: Apache-2.0
 *
 * A SYN with loose source routing (RFC 791 3.1): its only hop is the receiver itself, so that it
 * goes to nobody who is not tested. Whatever lets it pass takes source routes, which nothing should
 * (RFC 7126 4.3, 4.4). */
#include <string.h>

#include "probe/techniques/syn_like.h"

static int start(const struct sp_flow *flow, struct sp_tech_io *io)
{
    uint8_t route[8] = {1, 131, 7, 4}; /* no operation; the route, from its first hop on */
    memcpy(route + 4, flow->dst.bytes, 4);
    return sp_syn_with_options(flow, io, route, sizeof(route));
}

const struct sp_technique sp_tech_ip_lsrr = {
    .name = "ip_lsrr",
    .start = start,
    SP_SYN_LIKE,
};
