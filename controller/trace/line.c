/* SPDX-License-Identifier: Apache-2.0
 *
 * Kept packets as lines for people, and the MSS of a SYN. The bytes were captured on other machines
 * and may be anything: every read is bounded. (RFC 791, 8200, 9293, 768, 792, 4443) */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controller/trace/session.h"
#include "probe/base/cursor.h"

#define SP_IP_TCP   6U
#define SP_IP_UDP   17U
#define SP_IP_ICMP  1U
#define SP_IP_ICMP6 58U

struct parsed {
    struct sp_addr src, dst;
    uint8_t proto, ttl;
    uint16_t sport, dport, mss;
    uint8_t flags, type, code;
};

static bool parse_ip(struct sp_rd *rd, struct parsed *p)
{
    uint8_t first = sp_rd_u8(rd);
    if (first >> 4 == 4) {
        sp_rd_skip(rd, 7);
        p->ttl = sp_rd_u8(rd);
        p->proto = sp_rd_u8(rd);
        sp_rd_skip(rd, 2);
        p->src.family = p->dst.family = SP_FAMILY_IPV4;
        sp_rd_bytes(rd, p->src.bytes, 4);
        sp_rd_bytes(rd, p->dst.bytes, 4);
        unsigned header = (first & 15U) * 4;
        if (header < 20) {
            return false;
        }
        sp_rd_skip(rd, header - 20);
        return !rd->bad;
    }
    if (first >> 4 == 6) {
        sp_rd_skip(rd, 5);
        p->proto = sp_rd_u8(rd);
        p->ttl = sp_rd_u8(rd);
        p->src.family = p->dst.family = SP_FAMILY_IPV6;
        sp_rd_bytes(rd, p->src.bytes, 16);
        sp_rd_bytes(rd, p->dst.bytes, 16);
        return !rd->bad;
    }
    return false;
}

/* The option of RFC 9293 3.7.1; at most ten options are looked at. */
static uint16_t mss_of(struct sp_rd *rd)
{
    for (int i = 0; i < 10 && !rd->bad; i++) {
        uint8_t kind = sp_rd_u8(rd);
        if (kind == 0) {
            break;
        }
        if (kind == 1) {
            continue;
        }
        uint8_t len = sp_rd_u8(rd);
        if (kind == 2 && len == 4) {
            uint16_t mss = sp_rd_u16(rd);
            return rd->bad ? 0 : mss;
        }
        if (len < 2) {
            break;
        }
        sp_rd_skip(rd, len - 2U);
    }
    return 0;
}

static bool parse(const uint8_t *bytes, size_t len, struct parsed *p)
{
    struct sp_rd rd;
    *p = (struct parsed){0};
    sp_rd_init(&rd, bytes, len);
    if (!parse_ip(&rd, p)) {
        return false;
    }
    if (p->proto == SP_IP_ICMP || p->proto == SP_IP_ICMP6) {
        p->type = sp_rd_u8(&rd);
        p->code = sp_rd_u8(&rd);
        return !rd.bad;
    }
    p->sport = sp_rd_u16(&rd);
    p->dport = sp_rd_u16(&rd);
    bool whole = !rd.bad;
    if (whole && p->proto == SP_IP_TCP) {
        sp_rd_skip(&rd, 9);
        p->flags = sp_rd_u8(&rd);
        whole = !rd.bad;
        sp_rd_skip(&rd, 6);
        p->mss = mss_of(&rd);
    }
    return whole;
}

static const char *kind_of(const struct parsed *p, char out[static 24])
{
    static const struct {
        uint8_t bit;
        char letter;
    } flags[] = {{2, 'S'}, {16, 'A'}, {1, 'F'}, {4, 'R'}, {8, 'P'}};
    size_t n = 0;
    if (p->proto != SP_IP_TCP) {
        (void)snprintf(out, 24, p->proto == SP_IP_UDP ? "udp" : "icmp %u/%u", p->type, p->code);
        return out;
    }
    (void)snprintf(out, 24, "tcp ");
    n = strlen(out);
    for (size_t i = 0; i < SP_ARRAY_LEN(flags); i++) {
        if ((p->flags & flags[i].bit) != 0) {
            out[n++] = flags[i].letter;
        }
    }
    out[n] = '\0';
    return out;
}

static void line_of(const struct parsed *p, char *out, size_t size)
{
    char src[SP_ADDR_STRLEN];
    char dst[SP_ADDR_STRLEN];
    char kind[24];
    (void)sp_addr_str(&p->src, src);
    (void)sp_addr_str(&p->dst, dst);
    (void)kind_of(p, kind);
    if (p->proto == SP_IP_ICMP || p->proto == SP_IP_ICMP6) {
        (void)snprintf(out, size, "%s > %s %s ttl %u", src, dst, kind, p->ttl);
    } else {
        (void)snprintf(out, size, "%s.%u > %s.%u %s ttl %u", src, p->sport, dst, p->dport, kind,
                       p->ttl);
    }
}

/* On the way, a packet is shown where it is told that it passed: not at each port of a bridge. */
static bool is_port_of_bridge(const struct sp_trace *t, const struct sp_evidence_packet *packet)
{
    bool watches = false;
    for (size_t i = 0; i < t->npasses; i++) {
        watches = watches || t->passes[i].host == packet->host;
        if (t->passes[i].host == packet->host && strcmp(t->passes[i].iface, packet->iface) == 0) {
            return false;
        }
    }
    return watches;
}

static int by_time(const void *a, const void *b)
{
    const struct sp_trace_packet *x = a;
    const struct sp_trace_packet *y = b;
    return x->at_us != y->at_us ? (x->at_us < y->at_us ? -1 : 1) : (int)x->role - (int)y->role;
}

void sp_trace_add_packets(struct sp_trace *trace, const struct sp_evidence *packets, uint32_t index)
{
    uint32_t row = index < packets->ntests ? packets->first[index] : UINT32_MAX;
    for (; row < packets->nrows && trace->npackets < SP_TRACE_MAX_PACKETS;
         row = packets->rows[row].next) {
        const struct sp_evidence_row *r = &packets->rows[row];
        const uint8_t *bytes = (const uint8_t *)packets->bytes.data + r->bytes;
        struct parsed parsed;
        if (r->packet.role == SP_KEPT_STRAY && is_port_of_bridge(trace, &r->packet)) {
            continue;
        }
        struct sp_trace_packet *p = &trace->packets[trace->npackets++];
        *p = (struct sp_trace_packet){
            .host = r->packet.host, .at_us = r->packet.at_us, .role = r->packet.role};
        (void)snprintf(p->iface, sizeof(p->iface), "%s", r->packet.iface);
        if (!parse(bytes, r->packet.len, &parsed)) {
            (void)snprintf(p->text, sizeof(p->text), "%u bytes", r->packet.wire_len);
            continue;
        }
        line_of(&parsed, p->text, sizeof(p->text));
        bool is_syn = parsed.proto == SP_IP_TCP && (parsed.flags & 0x16) == 2;
        if (is_syn && r->packet.role == SP_KEPT_SENT) {
            trace->mss_sent = parsed.mss;
        } else if (is_syn && r->packet.role == SP_KEPT_ARRIVED) {
            trace->mss_seen = parsed.mss;
        }
    }
    qsort(trace->packets, trace->npackets, sizeof(trace->packets[0]), by_time);
    for (size_t i = trace->npackets; i-- > 0;) {
        trace->packets[i].at_us -= trace->packets[0].at_us;
    }
}
