/* SPDX-License-Identifier: Apache-2.0
 *
 * A SYN with IPv4 options (RFC 791 3.1) that move the TCP header from where a filter may expect it,
 * 20 bytes into the packet: no operations, router alert (RFC 2113), record route with two places.
 * Much equipment drops some options whatever the flow, so all three go out; one that arrives is
 * enough. The tag is never in the options. */
#include "probe/techniques/syn_like.h"

static int start(const struct sp_flow *flow, struct sp_tech_io *io)
{
    static const uint8_t no_operation[4] = {1, 1, 1, 1};
    static const uint8_t router_alert[4] = {148, 4, 0, 0};
    static const uint8_t record_route[12] = {7, 11, 4};
    int err = sp_syn_with_options(flow, io, no_operation, sizeof(no_operation));
    if (err == 0) {
        err = sp_syn_with_options(flow, io, router_alert, sizeof(router_alert));
    }
    return err ? err : sp_syn_with_options(flow, io, record_route, sizeof(record_route));
}

const struct sp_technique sp_tech_ip_options = {
    .name = "ip_options",
    .start = start,
    SP_SYN_LIKE,
};
