/* SPDX-License-Identifier: Apache-2.0
 *
 * A SYN behind an IPv6 routing header without segments left: type 2 (RFC 6275), and type 0, which
 * nothing should forward any more (RFC 5095). The receiver skips either. Both go out; one that
 * arrives is enough. */
#include "probe/techniques/syn_like.h"

static int start(const struct sp_flow *flow, struct sp_tech_io *io)
{
    int err = sp_syn_with_header(flow, io, SP_EH_ROUTING, 2);
    return err ? err : sp_syn_with_header(flow, io, SP_EH_ROUTING, 0);
}

const struct sp_technique sp_tech_eh_routing = {
    .name = "eh_routing",
    .start = start,
    SP_SYN_LIKE,
};
