/* SPDX-License-Identifier: Apache-2.0
 *
 * Headers of protocols without ports, written by hand: libnet has no builder for most of them. */
#include <string.h>

#include "probe/base/attr.h"
#include "probe/packet/build_priv.h"
#include "probe/packet/ipform.h"

#define SP_IPPROTO_IGMP 2U
#define SP_IPPROTO_IPIP 4U
#define SP_IPPROTO_IPV6 41U
#define SP_IPPROTO_GRE  47U
#define SP_IPPROTO_ESP  50U
#define SP_IPPROTO_AH   51U
#define SP_IPPROTO_NONE 59U
#define SP_IPPROTO_OSPF 89U
#define SP_IPPROTO_PIM  103U
#define SP_IPPROTO_VRRP 112U
#define SP_INNER_PROTO  253U /* for experiments (RFC 3692) */

struct sp_ipform sp_ipform_of(uint8_t family, uint8_t ip_proto)
{
    static const struct {
        uint8_t ip_proto;
        struct sp_ipform form;
    } forms[] = {
        {SP_IPPROTO_IGMP, {8, 12}}, {SP_IPPROTO_IPIP, {20, 24}}, {SP_IPPROTO_IPV6, {40, 44}},
        {SP_IPPROTO_GRE, {4, 8}},   {SP_IPPROTO_ESP, {4, 8}},    {SP_IPPROTO_AH, {4, 24}},
        {SP_IPPROTO_OSPF, {4, 24}}, {SP_IPPROTO_PIM, {4, 8}},    {SP_IPPROTO_VRRP, {8, 12}}};
    for (size_t i = 0; i < SP_ARRAY_LEN(forms); i++) {
        if (forms[i].ip_proto == ip_proto) {
            bool ospf6 = ip_proto == SP_IPPROTO_OSPF && family == SP_FAMILY_IPV6;
            return ospf6 ? (struct sp_ipform){4, 16} : forms[i].form;
        }
    }
    return (struct sp_ipform){0, 4};
}

/* From the documentation ranges (RFC 5737, 3849), with one hop left: nobody passes it on. */
static void inner_ipv4(uint8_t *out, size_t len)
{
    static const uint8_t head[] = {0x45, 0, 0,   0, 0, 1, 0x40, 0, 1, SP_INNER_PROTO,
                                   0,    0, 192, 0, 2, 1, 192,  0, 2, 2};
    memcpy(out, head, sizeof(head));
    sp_put16(out + 2, len);
    sp_put16(out + 10, sp_sum_fold(sp_sum_add(0, out, sizeof(head))));
}

static void inner_ipv6(uint8_t *out, size_t len)
{
    static const uint8_t head[] = {0x60, 0, 0, 0, 0, 0, SP_INNER_PROTO, 1};
    static const uint8_t net[] = {0x20, 0x01, 0x0d, 0xb8};
    memset(out, 0, 40);
    memcpy(out, head, sizeof(head));
    sp_put16(out + 4, len - 40);
    memcpy(out + 8, net, sizeof(net));
    memcpy(out + 24, net, sizeof(net));
    out[23] = 1;
    out[39] = 2;
}

/* Version 2 (RFC 2328 A.3.1) or 3 (RFC 5340 A.3.1); type 1, of an area that nobody has. */
static void ospf(const struct sp_spec *spec, uint8_t *out, size_t len)
{
    bool v6 = spec->dst.family == SP_FAMILY_IPV6;
    out[0] = v6 ? 3 : 2;
    out[1] = 1;
    sp_put16(out + 2, len);
    memset(out + 8, 0xff, 4);
    if (v6) {
        out[14] = 255; /* instance */
        sp_put16(out + 12,
                 sp_sum_fold(sp_sum_add(sp_sum_pseudo(&spec->src, &spec->dst, spec->ip_proto, len),
                                        out, len)));
    } else {
        sp_put16(out + 12, sp_sum_fold(sp_sum_add(0, out, len)));
    }
}

/* Those fields of the header that hold no number; numbers and payload are in place. */
static void write_header(const struct sp_spec *spec, uint8_t *out, size_t len)
{
    switch (spec->ip_proto) {
    case SP_IPPROTO_IGMP:
        out[0] = 0xf0; /* for experiments (RFC 3228) */
        sp_put16(out + 2, sp_sum_fold(sp_sum_add(0, out, len)));
        break;
    case SP_IPPROTO_IPIP:
        inner_ipv4(out, len);
        break;
    case SP_IPPROTO_IPV6:
        inner_ipv6(out, len);
        break;
    case SP_IPPROTO_GRE:
        sp_put16(out + 2, 0x88b5); /* for local experiments (IEEE 802) */
        break;
    case SP_IPPROTO_ESP:
        sp_put16(out, 0x5347);
        sp_put16(out + 2, 0x7066);
        break;
    case SP_IPPROTO_AH:
        out[0] = SP_IPPROTO_NONE;
        out[1] = 24 / 4 - 2;
        sp_put16(out + 10, 1); /* sequence number; then 12 bytes of integrity check value */
        break;
    case SP_IPPROTO_OSPF:
        ospf(spec, out, len);
        break;
    case SP_IPPROTO_PIM:
        out[0] = 0x20; /* version 2, hello */
        sp_put16(out + 2, sp_sum_fold(sp_sum_add(
                              spec->dst.family == SP_FAMILY_IPV6
                                  ? sp_sum_pseudo(&spec->src, &spec->dst, spec->ip_proto, len)
                                  : 0,
                              out, len)));
        break;
    case SP_IPPROTO_VRRP:
        out[0] = 0x31; /* version 3, advertisement: router 255, the lowest priority */
        out[1] = 255;
        out[2] = 1;
        sp_put16(out + 4, 100);
        sp_put16(out + 6,
                 sp_sum_fold(sp_sum_add(sp_sum_pseudo(&spec->src, &spec->dst, spec->ip_proto, len),
                                        out, len)));
        break;
    default:
        break;
    }
}

size_t sp_ipform_write(const struct sp_spec *spec,
                       uint8_t out[static SP_IPFORM_MAX + sizeof(spec->payload)])
{
    struct sp_ipform form = sp_ipform_of(spec->dst.family, spec->ip_proto);
    size_t len = form.tag + spec->payload_len;
    memset(out, 0, form.tag);
    sp_put16(out + form.numbers, spec->sport);
    sp_put16(out + form.numbers + 2, spec->dport);
    memcpy(out + form.tag, spec->payload, spec->payload_len);
    write_header(spec, out, len);
    return len;
}
