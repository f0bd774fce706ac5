/* SPDX-License-Identifier: Apache-2.0
 *
 * A SYN as an atomic fragment: a fragment header with neither offset nor more to come (RFC 6946). A
 * filter that takes it for a fragment of something, or does not look behind the header, has no
 * port. */
#include "probe/techniques/syn_like.h"

static int start(const struct sp_flow *flow, struct sp_tech_io *io)
{
    return sp_syn_with_header(flow, io, SP_EH_FRAGMENT, 0);
}

const struct sp_technique sp_tech_eh_frag = {
    .name = "eh_frag",
    .start = start,
    SP_SYN_LIKE,
};
