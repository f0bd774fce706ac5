/* SPDX-License-Identifier: Apache-2.0
 *
 * What a tunnel's packet carries: the outer headers of RFC 2003, 4213, 2784 with 2890, 7348 and
 * 8926, read independently of the builder. Bounds-checked; nothing is allocated. */
#include "probe/base/cursor.h"
#include "probe/packet/packet.h"

#define GRE_CHECKSUM 0x8000U
#define GRE_KEY      0x2000U
#define GRE_SEQUENCE 0x1000U
#define GRE_UNKNOWN  0x4fffU /* routing, what is reserved, and the version */
#define VXLAN_HAS_ID 0x08U

static uint32_t read_vni(struct sp_rd *rd)
{
    return sp_rd_u32(rd) >> 8;
}

/* Behind an EtherType; Ethernet frames have another one. */
static bool skip_frame(struct sp_rd *rd, uint16_t type)
{
    if (type == 0x6558) {
        sp_rd_skip(rd, 12);
        type = sp_rd_u16(rd);
    }
    return !rd->bad && (type == 0x0800 || type == 0x86dd);
}

static bool read_gre(struct sp_rd *rd)
{
    uint16_t flags = sp_rd_u16(rd);
    uint16_t type = sp_rd_u16(rd);
    if ((flags & GRE_UNKNOWN) != 0) {
        return false;
    }
    sp_rd_skip(rd, ((flags & GRE_CHECKSUM) != 0 ? 4U : 0U) + ((flags & GRE_KEY) != 0 ? 4U : 0U) +
                       ((flags & GRE_SEQUENCE) != 0 ? 4U : 0U));
    return skip_frame(rd, type);
}

static bool read_vxlan(struct sp_rd *rd, struct sp_unwrapped *out)
{
    uint8_t flags = sp_rd_u8(rd);
    sp_rd_skip(rd, 3);
    out->vni = read_vni(rd);
    return (flags & VXLAN_HAS_ID) != 0 && skip_frame(rd, 0x6558);
}

static bool read_geneve(struct sp_rd *rd, struct sp_unwrapped *out)
{
    uint8_t head = sp_rd_u8(rd);
    sp_rd_skip(rd, 1);
    uint16_t type = sp_rd_u16(rd);
    out->vni = read_vni(rd);
    sp_rd_skip(rd, (size_t)(head & 0x3fU) * 4);
    return head >> 6 == 0 && skip_frame(rd, type);
}

static bool read_udp(struct sp_rd *rd, struct sp_unwrapped *out)
{
    sp_rd_skip(rd, 2);
    uint16_t port = sp_rd_u16(rd);
    sp_rd_skip(rd, 4);
    out->kind = port == SP_PORT_VXLAN    ? SP_WRAP_VXLAN
                : port == SP_PORT_GENEVE ? SP_WRAP_GENEVE
                                         : SP_WRAP_NONE;
    return out->kind == SP_WRAP_VXLAN    ? read_vxlan(rd, out)
           : out->kind == SP_WRAP_GENEVE ? read_geneve(rd, out)
                                         : false;
}

/* The outer IP header; false: a fragment, or none that is read here. Cuts the reader to its
 * length. */
static bool read_outer(struct sp_rd *rd, struct sp_unwrapped *out, uint8_t *ret_proto)
{
    uint8_t first = sp_rd_u8(rd);
    size_t total;
    if (first >> 4 == 4) {
        size_t header = (size_t)(first & 15) * 4;
        sp_rd_skip(rd, 1);
        total = sp_rd_u16(rd);
        sp_rd_skip(rd, 2);
        bool is_cut = (sp_rd_u16(rd) & 0x3fff) != 0;
        sp_rd_skip(rd, 1);
        *ret_proto = sp_rd_u8(rd);
        sp_rd_skip(rd, 2);
        out->src.family = out->dst.family = SP_FAMILY_IPV4;
        sp_rd_bytes(rd, out->src.bytes, 4);
        sp_rd_bytes(rd, out->dst.bytes, 4);
        if (rd->bad || is_cut || header < 20 || total < header) {
            return false;
        }
        sp_rd_skip(rd, header - 20);
    } else if (first >> 4 == 6) {
        sp_rd_skip(rd, 3);
        total = 40U + sp_rd_u16(rd);
        *ret_proto = sp_rd_u8(rd);
        sp_rd_skip(rd, 1);
        out->src.family = out->dst.family = SP_FAMILY_IPV6;
        sp_rd_bytes(rd, out->src.bytes, 16);
        sp_rd_bytes(rd, out->dst.bytes, 16);
    } else {
        return false;
    }
    if (total < rd->len) {
        rd->len = total;
    }
    return !rd->bad;
}

bool sp_pkt_unwrap(const void *bytes, size_t len, struct sp_unwrapped *ret_inner)
{
    struct sp_unwrapped out = {0};
    struct sp_rd rd;
    uint8_t proto = 0;
    bool good = false;
    sp_rd_init(&rd, bytes, len);
    if (!read_outer(&rd, &out, &proto)) {
        return false;
    }
    switch (proto) {
    case 4:
    case 41:
        out.kind = SP_WRAP_IP;
        good = true;
        break;
    case 47:
        out.kind = SP_WRAP_GRE;
        good = read_gre(&rd);
        break;
    case SP_IPPROTO_UDP:
        good = read_udp(&rd, &out);
        break;
    default:
        break;
    }
    out.len = rd.bad ? 0 : sp_rd_left(&rd);
    if (!good || out.len == 0) {
        return false;
    }
    out.ip = rd.data + rd.pos;
    *ret_inner = out;
    return true;
}
