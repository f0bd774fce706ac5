/* SPDX-License-Identifier: Apache-2.0
 *
 * The first packet of an SCTP association (RFC 9260 5.1): INIT ACK says open, ABORT closed. Many
 * hosts have no SCTP at all and answer nothing, so the receiver crafts an ABORT where the flow must
 * work. */
#include "probe/packet/sctpform.h"
#include "probe/techniques/sctp.h"

static int start(const struct sp_flow *flow, struct sp_tech_io *io)
{
    return sp_sctp_start(flow, io, SP_SCTP_INIT);
}

static bool match(const struct sp_tag_keys *keys, const struct sp_pkt *pkt, uint16_t *ret_block,
                  uint16_t *ret_port)
{
    return sp_sctp_match(keys, pkt, SP_SCTP_INIT, ret_block, ret_port);
}

const struct sp_technique sp_tech_sctp_init = {
    .name = "sctp_init",
    .ip_proto4 = SP_IPPROTO_SCTP,
    .ip_proto6 = SP_IPPROTO_SCTP,
    .start = start,
    .wire_dport = sp_sctp_dport,
    .match = match,
    .answer = sp_sctp_answer,
    .quoted = sp_sctp_quoted,
    .reply = sp_sctp_reply,
};
