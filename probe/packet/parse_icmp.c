/* SPDX-License-Identifier: Apache-2.0 */
#include "probe/packet/icmpform.h"
#include "probe/packet/parse_priv.h"

void sp_parse_icmp_form(const struct sp_rd *rd, size_t start, struct sp_pkt *pkt)
{
    bool v6 = pkt->ip_proto == SP_IPPROTO_ICMP6;
    struct sp_icmpform form = sp_icmpform_of(v6 ? SP_FAMILY_IPV6 : SP_FAMILY_IPV4, pkt->icmp_type);
    size_t len = rd->len - start;
    if (len < form.tag + SP_TAG_BYTES) {
        return;
    }
    pkt->payload = rd->data + start + form.tag;
    pkt->payload_len = len - form.tag;
    struct sp_rd numbers;
    sp_rd_init(&numbers, rd->data + start, len);
    sp_rd_skip(&numbers, form.has_id ? 4 : form.tag + SP_TAG_BYTES);
    uint16_t id = sp_rd_u16(&numbers);
    uint16_t seq = sp_rd_u16(&numbers);
    if (!numbers.bad) {
        pkt->echo_id = id;
        pkt->echo_seq = seq;
    }
}
