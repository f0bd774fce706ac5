/* SPDX-License-Identifier: Apache-2.0
 *
 * An SCTP COOKIE ECHO of no association (techniques.md T8): passes filters that stop INIT alone.
 * Whoever has no such association drops it or answers with an ABORT. */
#include "probe/packet/sctpform.h"
#include "probe/techniques/sctp.h"

static int start(const struct sp_flow *flow, struct sp_tech_io *io)
{
    return sp_sctp_start(flow, io, SP_SCTP_COOKIE_ECHO);
}

static bool match(const struct sp_tag_keys *keys, const struct sp_pkt *pkt, uint16_t *ret_block,
                  uint16_t *ret_port)
{
    return sp_sctp_match(keys, pkt, SP_SCTP_COOKIE_ECHO, ret_block, ret_port);
}

const struct sp_technique sp_tech_sctp_cookie = {
    .name = "sctp_cookie",
    .ip_proto4 = SP_IPPROTO_SCTP,
    .ip_proto6 = SP_IPPROTO_SCTP,
    .start = start,
    .wire_dport = sp_sctp_dport,
    .match = match,
    .answer = sp_sctp_answer,
    .quoted = sp_sctp_quoted,
};
