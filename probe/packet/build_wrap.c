/* SPDX-License-Identifier: Apache-2.0
 *
 * Outer headers around a packet, as a tunnel's end would write them: IP in IP (RFC 2003), IPv6 in
 * IPv4 (RFC 4213), GRE without options (RFC 2784), VXLAN (RFC 7348) and GENEVE without options
 * (RFC 8926), over IPv4 and IPv6. The inner packet is what libnet built, byte for byte. Pure; no
 * allocation.
 *
 * UDP checksums: over IPv4 VXLAN sends zero (RFC 7348 5), GENEVE a real one (RFC 8926 3.3); over
 * IPv6 both send a real one, since zero needs the receiver's consent (RFC 6935, RFC 6936). The UDP
 * source port is a hash of the inner flow, from the dynamic ports (RFC 7348 5).
 *
 * VXLAN and GENEVE carry Ethernet. The inner frame comes from a locally administered address that
 * is no device's, so that no bridge learns a wrong place for one that exists. */
#include <string.h>

#include "probe/base/hash.h"
#include "probe/packet/build_priv.h"

#define IP4_BYTES  20U
#define IP6_BYTES  40U
#define UDP_BYTES  8U
#define GRE_BYTES  4U
#define VNI_BYTES  8U /* of VXLAN and of GENEVE */
#define ETH_BYTES  14U
#define PROTO_IPIP 4U
#define PROTO_IPV6 41U
#define PROTO_GRE  47U
#define TYPE_IP4   0x0800U
#define TYPE_IP6   0x86ddU
#define TYPE_ETHER 0x6558U /* transparent Ethernet bridging (RFC 7637) */

static uint16_t type_of(uint8_t family)
{
    return family == SP_FAMILY_IPV4 ? TYPE_IP4 : TYPE_IP6;
}

static bool is_udp(uint8_t kind)
{
    return kind == SP_WRAP_VXLAN || kind == SP_WRAP_GENEVE;
}

/* Between the outer IP header and the inner one. */
static size_t tunnel_len(uint8_t kind)
{
    return is_udp(kind) ? UDP_BYTES + VNI_BYTES + ETH_BYTES : kind == SP_WRAP_GRE ? GRE_BYTES : 0;
}

static uint8_t outer_proto(const struct sp_spec *spec)
{
    return is_udp(spec->wrap.kind)              ? SP_IPPROTO_UDP
           : spec->wrap.kind == SP_WRAP_GRE     ? PROTO_GRE
           : spec->dst.family == SP_FAMILY_IPV4 ? PROTO_IPIP
                                                : PROTO_IPV6;
}

static uint16_t flow_port(const struct sp_spec *spec)
{
    struct {
        uint8_t src[16], dst[16];
        uint16_t sport, dport;
        uint8_t ip_proto, zero[3];
    } flow = {.sport = spec->sport, .dport = spec->dport, .ip_proto = spec->ip_proto};
    static const struct sp_hash_key key = {UINT64_C(0x656e747265636f75),
                                           UINT64_C(0x74657220706f7274)};
    memcpy(flow.src, spec->src.bytes, sizeof(flow.src));
    memcpy(flow.dst, spec->dst.bytes, sizeof(flow.dst));
    return (uint16_t)(49152U + sp_siphash(&key, &flow, sizeof(flow)) % 16384U);
}

static void put_ip4(const struct sp_spec *spec, uint8_t *out, size_t total)
{
    const struct sp_wrap *wrap = &spec->wrap;
    out[0] = 0x45;
    sp_put16(out + 2, total);
    sp_put16(out + 4, spec->ip_id);
    out[6] = 0x40; /* do not fragment */
    out[8] = 64;
    out[9] = outer_proto(spec);
    memcpy(out + 12, wrap->src.bytes, 4);
    memcpy(out + 16, wrap->dst.bytes, 4);
    sp_put16(out + 10, sp_sum_fold(sp_sum_add(0, out, IP4_BYTES)));
}

static void put_ip6(const struct sp_spec *spec, uint8_t *out, size_t body)
{
    const struct sp_wrap *wrap = &spec->wrap;
    out[0] = 0x60;
    sp_put16(out + 4, body);
    out[6] = outer_proto(spec);
    out[7] = 64;
    memcpy(out + 8, wrap->src.bytes, 16);
    memcpy(out + 24, wrap->dst.bytes, 16);
}

static void put_vni(uint8_t *out, uint32_t vni)
{
    out[0] = (uint8_t)(vni >> 16);
    out[1] = (uint8_t)(vni >> 8);
    out[2] = (uint8_t)vni;
}

/* UDP, the tunnel's header and the inner frame's; the inner packet stands behind them. */
static void put_frame(const struct sp_spec *spec, uint8_t *out, size_t body)
{
    static const uint8_t everybody[6] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
    static const uint8_t nobody[6] = {0};
    static const uint8_t own[6] = {0x02, 0x53, 0x47, 0x70, 0x66, 0x01};
    const struct sp_wrap *wrap = &spec->wrap;
    bool is_geneve = wrap->kind == SP_WRAP_GENEVE;
    uint8_t *head = out + UDP_BYTES;
    uint8_t *frame = head + VNI_BYTES;
    sp_put16(out, flow_port(spec));
    sp_put16(out + 2, is_geneve ? SP_PORT_GENEVE : SP_PORT_VXLAN);
    sp_put16(out + 4, body);
    if (is_geneve) {
        sp_put16(head + 2, TYPE_ETHER);
    } else {
        head[0] = 0x08; /* the VNI is valid */
    }
    put_vni(head + 4, wrap->vni);
    memcpy(frame, memcmp(wrap->mac, nobody, 6) == 0 ? everybody : wrap->mac, 6);
    memcpy(frame + 6, own, 6);
    sp_put16(frame + 12, type_of(spec->dst.family));
    if (is_geneve || wrap->dst.family == SP_FAMILY_IPV6) {
        uint32_t pseudo = sp_sum_pseudo(&wrap->src, &wrap->dst, SP_IPPROTO_UDP, body);
        uint16_t sum = sp_sum_fold(sp_sum_add(pseudo, out, body));
        sp_put16(out + 6, sum ? sum : 0xffff);
    }
}

size_t sp_wrap_apply(const struct sp_spec *spec, const uint8_t *inner, size_t len, uint8_t *out,
                     size_t at, size_t room)
{
    const struct sp_wrap *wrap = &spec->wrap;
    bool v4 = wrap->dst.family == SP_FAMILY_IPV4;
    size_t ip = v4 ? IP4_BYTES : IP6_BYTES;
    size_t headers = ip + tunnel_len(wrap->kind);
    bool has_addrs = wrap->dst.family != SP_FAMILY_NONE && wrap->src.family == wrap->dst.family;
    /* What IP in IP means over IPv6 (RFC 2473) no technique asks. */
    bool is_known = wrap->kind > SP_WRAP_NONE && wrap->kind < SP_WRAP_END &&
                    (wrap->kind != SP_WRAP_IP || v4) && wrap->vni < 1U << 24;
    if (!is_known || !has_addrs || len == 0 || at > room || headers + len > room - at ||
        headers + len > UINT16_MAX) {
        return 0;
    }
    uint8_t *head = out + at;
    memset(head, 0, headers);
    memcpy(head + headers, inner, len);
    size_t body = headers - ip + len;
    if (v4) {
        put_ip4(spec, head, ip + body);
    } else {
        put_ip6(spec, head, body);
    }
    if (is_udp(wrap->kind)) {
        put_frame(spec, head + ip, body);
    } else if (wrap->kind == SP_WRAP_GRE) {
        sp_put16(head + ip + 2, type_of(spec->dst.family));
    }
    return at + headers + len;
}
