/* SPDX-License-Identifier: Apache-2.0 */
#include "probe/packet/parse_priv.h"
#include "probe/packet/sctpform.h"

bool sp_parse_sctp(struct sp_rd *rd, struct sp_pkt *pkt)
{
    pkt->sport = sp_rd_u16(rd);
    pkt->dport = sp_rd_u16(rd);
    pkt->sctp_vtag = sp_rd_u32(rd);
    sp_rd_skip(rd, 4);
    pkt->sctp_chunk = sp_rd_u8(rd);
    sp_rd_skip(rd, 3);
    if (rd->bad) {
        return false;
    }
    size_t skip = 0; /* from the end of the chunk's header to the tag */
    if (pkt->sctp_chunk == SP_SCTP_INIT || pkt->sctp_chunk == SP_SCTP_INIT_ACK) {
        pkt->sctp_tag = sp_rd_u32(rd);
        skip = 16; /* the other fields, and the header of the first parameter */
    } else if (pkt->sctp_chunk == SP_SCTP_ABORT) {
        skip = 4;
    } else if (pkt->sctp_chunk != SP_SCTP_COOKIE_ECHO) {
        return true;
    }
    sp_rd_skip(rd, skip);
    pkt->payload_len = sp_rd_left(rd);
    pkt->payload = pkt->payload_len ? rd->data + rd->pos : NULL;
    rd->bad = false;
    return true;
}
