/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "probe/packet/ipform.h"
#include "probe/packet/parse_priv.h"

/* TCP options (RFC 9293 3.1, RFC 7323 for timestamps). A malformed list ends the walk. */
static void parse_tcp_options(struct sp_rd *rd, size_t len, struct sp_pkt *pkt)
{
    size_t end = rd->pos + len;
    while (!rd->bad && rd->pos < end) {
        uint8_t kind = sp_rd_u8(rd);
        if (kind == 0) {
            break;
        }
        if (kind == 1) {
            continue;
        }
        uint8_t olen = sp_rd_u8(rd);
        if (rd->bad || olen < 2 || rd->pos + olen - 2 > end) {
            break;
        }
        if (kind == 8 && olen == 10) {
            pkt->tsval = sp_rd_u32(rd);
            pkt->tsecr = sp_rd_u32(rd);
            pkt->has_timestamps = !rd->bad;
        } else {
            sp_rd_skip(rd, olen - 2U);
        }
    }
}

static void set_payload(struct sp_rd *rd, struct sp_pkt *pkt)
{
    pkt->payload_len = sp_rd_left(rd);
    pkt->payload = pkt->payload_len ? rd->data + rd->pos : NULL;
}

static bool parse_tcp(struct sp_rd *rd, struct sp_pkt *pkt)
{
    size_t start = rd->pos;
    pkt->sport = sp_rd_u16(rd);
    pkt->dport = sp_rd_u16(rd);
    pkt->seq = sp_rd_u32(rd);
    pkt->ack = sp_rd_u32(rd);
    size_t header = (size_t)(sp_rd_u8(rd) >> 4) * 4;
    pkt->tcp_flags = sp_rd_u8(rd) & 0x3f;
    pkt->window = sp_rd_u16(rd);
    sp_rd_skip(rd, 4);
    if (rd->bad || header < 20) {
        return false;
    }
    size_t have = rd->len - start;
    size_t options = (header < have ? header : have) - 20;
    parse_tcp_options(rd, options, pkt);
    rd->bad = false;
    rd->pos = start + (header < have ? header : have);
    set_payload(rd, pkt);
    return true;
}

static bool parse_ip(struct sp_rd *rd, struct sp_pkt *pkt);

/* The packet that an ICMP error quotes: addresses, ports and the TCP sequence number, as far as
 * they are there. */
static void parse_quote(struct sp_rd *rd, struct sp_pkt *pkt)
{
    struct sp_pkt inner = {0};
    if (!parse_ip(rd, &inner) || inner.offset != 0) {
        return;
    }
    pkt->quoted.src = inner.src;
    pkt->quoted.dst = inner.dst;
    pkt->quoted.ip_proto = inner.ip_proto;
    bool echo = inner.ip_proto == SP_IPPROTO_ICMP || inner.ip_proto == SP_IPPROTO_ICMP6;
    if (echo) {
        sp_rd_skip(rd, 4);
    } else if (sp_pkt_is_portless(inner.ip_proto)) {
        sp_rd_skip(rd, sp_ipform_of(inner.src.family, inner.ip_proto).numbers);
    }
    pkt->quoted.sport = sp_rd_u16(rd);
    pkt->quoted.dport = sp_rd_u16(rd);
    bool whole = !rd->bad;
    if (inner.ip_proto == SP_IPPROTO_TCP) {
        pkt->quoted.seq = sp_rd_u32(rd);
    }
    pkt->is_icmp_error = whole;
}

static bool parse_icmp(struct sp_rd *rd, struct sp_pkt *pkt)
{
    size_t start = rd->pos;
    pkt->icmp_type = sp_rd_u8(rd);
    pkt->icmp_code = sp_rd_u8(rd);
    sp_rd_skip(rd, 2);
    if (rd->bad) {
        return false;
    }
    bool v6 = pkt->ip_proto == SP_IPPROTO_ICMP6;
    bool echo = v6 ? pkt->icmp_type == SP_ICMP6_ECHO || pkt->icmp_type == SP_ICMP6_ECHO_REPLY
                   : pkt->icmp_type == SP_ICMP_ECHO || pkt->icmp_type == SP_ICMP_ECHO_REPLY;
    bool error =
        v6 ? pkt->icmp_type >= 1 && pkt->icmp_type <= 4
           : pkt->icmp_type == SP_ICMP_UNREACHABLE || pkt->icmp_type == 11 || pkt->icmp_type == 12;
    if (echo) {
        pkt->echo_id = sp_rd_u16(rd);
        pkt->echo_seq = sp_rd_u16(rd);
        if (rd->bad) {
            return false;
        }
        set_payload(rd, pkt);
    } else {
        sp_parse_icmp_form(rd, start, pkt);
        if (error) {
            uint32_t rest = sp_rd_u32(rd); /* unused but for the MTU: its lower half over IPv4 */
            pkt->mtu = v6 ? rest : rest & 0xffff;
            parse_quote(rd, pkt);
            rd->bad = false;
        }
    }
    return true;
}

static bool parse_transport(struct sp_rd *rd, struct sp_pkt *pkt)
{
    switch (pkt->ip_proto) {
    case SP_IPPROTO_TCP:
        return parse_tcp(rd, pkt);
    case SP_IPPROTO_UDP:
        pkt->sport = sp_rd_u16(rd);
        pkt->dport = sp_rd_u16(rd);
        sp_rd_skip(rd, 4);
        if (rd->bad) {
            return false;
        }
        set_payload(rd, pkt);
        return true;
    case SP_IPPROTO_ICMP:
        return pkt->src.family != SP_FAMILY_IPV6 && parse_icmp(rd, pkt);
    case SP_IPPROTO_ICMP6:
        return pkt->src.family != SP_FAMILY_IPV4 && parse_icmp(rd, pkt);
    case SP_IPPROTO_SCTP:
        return sp_parse_sctp(rd, pkt);
    default:
        if (!sp_pkt_is_portless(pkt->ip_proto)) {
            return false;
        }
        sp_parse_portless(rd, pkt);
        return true;
    }
}

/* IPv4 (RFC 791 3.1). The reader is cut to the total length, so that link padding is not payload.
 */
static bool parse_ipv4(struct sp_rd *rd, struct sp_pkt *pkt)
{
    size_t start = rd->pos;
    size_t header = (size_t)(sp_rd_u8(rd) & 15) * 4;
    sp_rd_skip(rd, 1);
    size_t total = sp_rd_u16(rd);
    pkt->ip_id = sp_rd_u16(rd);
    uint16_t frag = sp_rd_u16(rd);
    pkt->is_fragment = (frag & 0x3fff) != 0;
    pkt->is_more = (frag & 0x2000) != 0;
    pkt->offset = (uint16_t)((frag & 0x1fff) * 8);
    pkt->frag_id = pkt->ip_id;
    pkt->ttl = sp_rd_u8(rd);
    pkt->ip_proto = sp_rd_u8(rd);
    sp_rd_skip(rd, 2);
    pkt->src.family = SP_FAMILY_IPV4;
    sp_rd_bytes(rd, pkt->src.bytes, 4);
    pkt->dst.family = SP_FAMILY_IPV4;
    sp_rd_bytes(rd, pkt->dst.bytes, 4);
    if (rd->bad || header < 20) {
        return false;
    }
    sp_rd_skip(rd, header - 20);
    if (total >= header && start + total < rd->len) {
        rd->len = start + total;
    }
    return !rd->bad;
}

/* IPv6 (RFC 8200 3, 4): at most 8 extension headers. */
static bool parse_ipv6(struct sp_rd *rd, struct sp_pkt *pkt)
{
    size_t start = rd->pos;
    sp_rd_skip(rd, 4);
    size_t total = 40U + sp_rd_u16(rd);
    uint8_t next = sp_rd_u8(rd);
    pkt->ttl = sp_rd_u8(rd);
    pkt->src.family = SP_FAMILY_IPV6;
    sp_rd_bytes(rd, pkt->src.bytes, 16);
    pkt->dst.family = SP_FAMILY_IPV6;
    sp_rd_bytes(rd, pkt->dst.bytes, 16);
    if (rd->bad) {
        return false;
    }
    if (start + total < rd->len) {
        rd->len = start + total;
    }
    for (int i = 0; i < 8; i++) {
        if (next == 44) { /* fragment */
            next = sp_rd_u8(rd);
            sp_rd_skip(rd, 1);
            uint16_t place = sp_rd_u16(rd);
            /* Neither offset nor more to come: a whole packet that only carries the header, as
             * translators make them (RFC 6946). */
            pkt->is_fragment = pkt->is_fragment || (place & 0xfff9) != 0;
            pkt->is_more = pkt->is_more || (place & 1) != 0;
            pkt->frag_id = sp_rd_u32(rd);
            if ((place & 0xfff8) != 0) {
                pkt->offset = place & 0xfff8;
                break; /* what follows is the middle of something */
            }
        } else if (next == 0 || next == 43 ||
                   next == 60) { /* hop-by-hop, routing, destination options */
            next = sp_rd_u8(rd);
            sp_rd_skip(rd, (size_t)sp_rd_u8(rd) * 8 + 6);
        } else {
            break;
        }
    }
    pkt->ip_proto = next;
    bool is_bounded = next != 0 && next != 43 && next != 44 && next != 60;
    return !rd->bad && is_bounded;
}

static bool parse_ip(struct sp_rd *rd, struct sp_pkt *pkt)
{
    if (sp_rd_left(rd) == 0) {
        return false;
    }
    switch (rd->data[rd->pos] >> 4) {
    case 4:
        return parse_ipv4(rd, pkt);
    case 6:
        return parse_ipv6(rd, pkt);
    default:
        return false;
    }
}

bool sp_pkt_parse(const void *bytes, size_t len, struct sp_pkt *ret_pkt)
{
    struct sp_pkt pkt = {0};
    struct sp_rd rd;
    sp_rd_init(&rd, bytes, len);
    if (!parse_ip(&rd, &pkt) || pkt.offset != 0 || !parse_transport(&rd, &pkt)) {
        return false;
    }
    *ret_pkt = pkt;
    return true;
}

bool sp_pkt_parse_piece(const void *bytes, size_t len, struct sp_pkt *ret_pkt)
{
    struct sp_pkt pkt = {0};
    struct sp_rd rd;
    sp_rd_init(&rd, bytes, len);
    if (!parse_ip(&rd, &pkt) || !pkt.is_fragment) {
        return false;
    }
    set_payload(&rd, &pkt);
    *ret_pkt = pkt;
    return true;
}

bool sp_pkt_parse_transport(const void *bytes, size_t len, struct sp_pkt *pkt)
{
    struct sp_rd rd;
    sp_rd_init(&rd, bytes, len);
    return parse_transport(&rd, pkt);
}

bool sp_pkt_is_unreachable(const struct sp_pkt *pkt)
{
    return pkt->is_icmp_error &&
           pkt->icmp_type ==
               (pkt->ip_proto == SP_IPPROTO_ICMP ? SP_ICMP_UNREACHABLE : SP_ICMP6_UNREACHABLE);
}

bool sp_pkt_is_expired(const struct sp_pkt *pkt)
{
    bool v4 = pkt->ip_proto == SP_IPPROTO_ICMP;
    return pkt->is_icmp_error && pkt->icmp_code == 0 && pkt->icmp_type == (v4 ? 11 : 3);
}

bool sp_pkt_is_too_big(const struct sp_pkt *pkt)
{
    bool v4 = pkt->ip_proto == SP_IPPROTO_ICMP;
    return pkt->is_icmp_error && (v4 ? pkt->icmp_type == SP_ICMP_UNREACHABLE && pkt->icmp_code == 4
                                     : pkt->icmp_type == 2);
}
