/* SPDX-License-Identifier: Apache-2.0 */
#include "probe/packet/parse_priv.h"

#include "probe/packet/ipform.h"

void sp_parse_portless(struct sp_rd *rd, struct sp_pkt *pkt)
{
    struct sp_ipform form = sp_ipform_of(pkt->src.family, pkt->ip_proto);
    size_t start = rd->pos;
    sp_rd_skip(rd, form.numbers);
    uint16_t sport = sp_rd_u16(rd);
    uint16_t dport = sp_rd_u16(rd);
    if (!rd->bad) {
        pkt->sport = sport;
        pkt->dport = dport;
    }
    size_t left = rd->len - start;
    if (!rd->bad && left > form.tag) {
        pkt->payload = rd->data + start + form.tag;
        pkt->payload_len = left - form.tag;
    }
}
