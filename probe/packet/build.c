/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include <libnet.h>

#include "probe/base/mem.h"
#include "probe/packet/packet.h"

/* The options of a Linux SYN: MSS 1460, SACK permitted, timestamps, NOP, window scale 7. Devices
 * that normalise or fingerprint SYNs then see nothing unusual. */
static void syn_options(const struct sp_spec *spec, uint8_t out[static 20])
{
    static const uint8_t head[] = {2, 4, 0x05, 0xb4, 4, 2, 8, 10};
    static const uint8_t tail[] = {1, 3, 3, 7};
    memcpy(out, head, sizeof(head));
    for (unsigned i = 0; i < 4; i++) {
        out[8 + i] = (uint8_t)(spec->tsval >> (24 - 8 * i));
        out[12 + i] = (uint8_t)(spec->tsecr >> (24 - 8 * i));
    }
    memcpy(out + 16, tail, sizeof(tail));
}

/* NOP, NOP, timestamps: what Linux puts into every segment after the SYN. */
static void later_options(const struct sp_spec *spec, uint8_t out[static 12])
{
    uint8_t syn[20];
    syn_options(spec, syn);
    out[0] = out[1] = 1;
    memcpy(out + 2, syn + 6, 10);
}

static uint32_t options_len(const struct sp_spec *spec)
{
    return spec->tcp_options ? 20 : spec->tcp_timestamps ? 12 : 0;
}

/* What follows the transport header: the payload and its padding. */
struct body {
    const uint8_t *bytes; /* NULL = none */
    uint32_t len;
};

static int build_tcp(libnet_t *l, const struct sp_spec *spec, struct body body)
{
    uint8_t options[20];
    uint32_t noptions = options_len(spec);
    uint16_t header = (uint16_t)(LIBNET_TCP_H + noptions);
    if (spec->tcp_options) {
        syn_options(spec, options);
    } else if (spec->tcp_timestamps) {
        later_options(spec, options);
    }
    if (noptions && libnet_build_tcp_options(options, noptions, l, 0) < 0) {
        return -1;
    }
    return libnet_build_tcp(spec->sport, spec->dport, spec->seq, spec->ack, spec->tcp_flags, 64240,
                            0, 0, (uint16_t)(header + body.len), body.bytes, body.len, l, 0);
}

static int build_transport(libnet_t *l, const struct sp_spec *spec, uint8_t *all)
{
    const struct body body = {.bytes = all, .len = (uint32_t)spec->payload_len + spec->pad};
    switch (spec->ip_proto) {
    case SP_IPPROTO_TCP:
        return build_tcp(l, spec, body);
    case SP_IPPROTO_UDP:
        return libnet_build_udp(spec->sport, spec->dport, (uint16_t)(LIBNET_UDP_H + body.len), 0,
                                body.bytes, body.len, l, 0);
    case SP_IPPROTO_ICMP:
        return libnet_build_icmpv4_echo(spec->icmp_type, spec->icmp_code, 0, spec->echo_id,
                                        spec->echo_seq, body.bytes, body.len, l, 0);
    case SP_IPPROTO_ICMP6:
        return libnet_build_icmpv6_echo(spec->icmp_type, spec->icmp_code, 0, spec->echo_id,
                                        spec->echo_seq, all, body.len, l, 0);
    default:
        return -1;
    }
}

static size_t transport_len(const struct sp_spec *spec)
{
    size_t header =
        spec->ip_proto == SP_IPPROTO_TCP ? (size_t)LIBNET_TCP_H + options_len(spec) : 8U;
    return header + spec->payload_len + spec->pad;
}

static int build_ip(libnet_t *l, const struct sp_spec *spec)
{
    uint8_t ttl = spec->ttl ? spec->ttl : 64;
    size_t len = transport_len(spec);
    if (spec->dst.family == SP_FAMILY_IPV4) {
        uint32_t src;
        uint32_t dst;
        memcpy(&src, spec->src.bytes, 4);
        memcpy(&dst, spec->dst.bytes, 4);
        return libnet_build_ipv4((uint16_t)(LIBNET_IPV4_H + len), 0, spec->ip_id, IP_DF, ttl,
                                 spec->ip_proto, 0, src, dst, NULL, 0, l, 0);
    }
    struct libnet_in6_addr src6;
    struct libnet_in6_addr dst6;
    memcpy(&src6, spec->src.bytes, 16);
    memcpy(&dst6, spec->dst.bytes, 16);
    return libnet_build_ipv6(0, 0, (uint16_t)len, spec->ip_proto, ttl, src6, dst6, NULL, 0, l, 0);
}

/* libnet leaves a sum that comes out as 0, which means "none" over IPv4 (RFC 768) and is dropped
 * over IPv6 (RFC 8200 8.1): the packet would look blocked. */
static void fix_udp_checksum(uint8_t *udp)
{
    if (udp[6] == 0 && udp[7] == 0) {
        udp[6] = udp[7] = 0xff;
    }
}

enum sp_rc sp_spec_build(struct libnet_context *l, const struct sp_spec *spec,
                         const uint8_t *src_mac, const uint8_t *dst_mac, struct sp_built *ret_built,
                         struct sp_diag *diag)
{
    uint8_t *bytes = NULL;
    uint32_t len = 0;
    uint8_t small[sizeof(spec->payload)]; /* libnet's builders are not all const-correct */
    uint8_t *large = NULL;
    uint8_t *body = spec->payload_len ? small : NULL;
    if (spec->pad > 0) {
        body = large = sp_calloc(spec->payload_len + spec->pad, 1);
        if (!large) {
            return sp_fail(diag, SP_E_NOMEM, "packet", "out of memory");
        }
    }
    if (body) {
        memcpy(body, spec->payload, spec->payload_len);
    }
    libnet_clear_packet(l);
    bool good = build_transport(l, spec, body) >= 0 && build_ip(l, spec) >= 0; /* libnet copies */
    sp_free(large);
    if (!good) {
        return sp_fail(diag, SP_E_INVALID, "packet", "libnet cannot build it: %s",
                       libnet_geterror(l));
    }
    if (dst_mac) {
        uint16_t type = spec->dst.family == SP_FAMILY_IPV4 ? 0x0800 : 0x86dd;
        if (libnet_build_ethernet(dst_mac, src_mac, type, NULL, 0, l, 0) < 0) {
            return sp_fail(diag, SP_E_INVALID, "packet", "libnet cannot build it: %s",
                           libnet_geterror(l));
        }
    }
    if (libnet_pblock_coalesce(l, &bytes, &len) < 0) {
        return sp_fail(diag, SP_E_NOMEM, "packet", "libnet cannot assemble it: %s",
                       libnet_geterror(l));
    }
    if (spec->ip_proto == SP_IPPROTO_UDP) {
        size_t udp = len - spec->payload_len - spec->pad - LIBNET_UDP_H;
        fix_udp_checksum(bytes + udp);
    }
    *ret_built = (struct sp_built){.bytes = bytes, .len = len, .owner = l};
    return SP_OK;
}

void sp_built_free(struct sp_built *built)
{
    if (built->bytes) {
        libnet_adv_free_packet(built->owner, built->bytes); /* knows about libnet's alignment */
        built->bytes = NULL;
    }
}
