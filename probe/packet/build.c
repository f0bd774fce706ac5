/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include <libnet.h>

#include "probe/base/mem.h"
#include "probe/packet/build_priv.h"
#include "probe/packet/icmpform.h"
#include "probe/packet/ipform.h"
#include "probe/packet/packet.h"
#include "probe/packet/sctpform.h"

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
    return libnet_build_tcp(spec->sport, spec->dport, spec->seq, spec->ack, spec->tcp_flags,
                            spec->window ? spec->window : 64240, 0, 0,
                            (uint16_t)(header + body.len), body.bytes, body.len, l, 0);
}

static int build_portless(libnet_t *l, const struct sp_spec *spec)
{
    uint8_t bytes[SP_IPFORM_MAX + sizeof(spec->payload)];
    size_t len = sp_ipform_write(spec, bytes);
    return libnet_build_data(bytes, (uint32_t)len, l, 0);
}

static bool is_echo(const struct sp_spec *spec)
{
    return spec->ip_proto == SP_IPPROTO_ICMP6
               ? spec->icmp_type == SP_ICMP6_ECHO || spec->icmp_type == SP_ICMP6_ECHO_REPLY
               : spec->icmp_type == SP_ICMP_ECHO || spec->icmp_type == SP_ICMP_ECHO_REPLY;
}

static bool has_icmp_form(const struct sp_spec *spec)
{
    return (spec->ip_proto == SP_IPPROTO_ICMP || spec->ip_proto == SP_IPPROTO_ICMP6) &&
           !is_echo(spec);
}

static int build_icmp_form(libnet_t *l, const struct sp_spec *spec)
{
    uint8_t bytes[SP_ICMPFORM_MAX];
    size_t len = sp_icmpform_write(spec, bytes);
    return libnet_build_data(bytes, (uint32_t)len, l, 0);
}

static int build_sctp(libnet_t *l, const struct sp_spec *spec)
{
    uint8_t bytes[SP_SCTPFORM_MAX];
    size_t len = sp_sctpform_write(spec, bytes);
    return libnet_build_data(bytes, (uint32_t)len, l, 0);
}

static int build_transport(libnet_t *l, const struct sp_spec *spec, uint8_t *all)
{
    const struct body body = {.len = (uint32_t)spec->payload_len + spec->pad,
                              .bytes = spec->payload_len + spec->pad > 0 ? all : NULL};
    bool v6 = spec->dst.family == SP_FAMILY_IPV6;
    if (spec->ip_proto == (v6 ? SP_IPPROTO_ICMP : SP_IPPROTO_ICMP6)) {
        return -1; /* the other family's */
    }
    if (has_icmp_form(spec)) {
        return build_icmp_form(l, spec);
    }
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
                                        spec->echo_seq, body.len ? all : NULL, body.len, l, 0);
    case SP_IPPROTO_SCTP:
        return build_sctp(l, spec);
    default:
        return build_portless(l, spec);
    }
}

static size_t transport_len(const struct sp_spec *spec)
{
    if (has_icmp_form(spec)) {
        uint8_t bytes[SP_ICMPFORM_MAX];
        return sp_icmpform_write(spec, bytes);
    }
    if (spec->ip_proto == SP_IPPROTO_SCTP) {
        uint8_t bytes[SP_SCTPFORM_MAX];
        return sp_sctpform_write(spec, bytes);
    }
    size_t header = spec->ip_proto == SP_IPPROTO_TCP ? (size_t)LIBNET_TCP_H + options_len(spec)
                    : sp_pkt_is_portless(spec->ip_proto)
                        ? sp_ipform_of(spec->dst.family, spec->ip_proto).tag
                        : 8U;
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

/* Puts the packet into the outer one; link is the length of a link header, which stays in front. */
static enum sp_rc make_wrapped(const struct sp_spec *spec, size_t link, struct sp_built *built,
                               struct sp_diag *diag)
{
    size_t room = built->len + SP_WRAP_MAX;
    uint8_t *bytes = sp_calloc(1, room);
    size_t len = 0;
    if (bytes) {
        memcpy(bytes, built->bytes, link);
        if (link > 0) { /* its type is now the outer packet's */
            sp_put16(bytes + 12, spec->wrap.dst.family == SP_FAMILY_IPV4 ? 0x0800 : 0x86dd);
        }
        len = sp_wrap_apply(spec, built->bytes + link, built->len - link, bytes, link, room);
    }
    sp_built_free(built);
    if (len == 0) {
        enum sp_rc rc = bytes ? SP_E_INVALID : SP_E_NOMEM;
        sp_free(bytes);
        return sp_fail(diag, rc, "packet", "the outer headers cannot be built");
    }
    *built = (struct sp_built){.bytes = bytes, .len = len};
    return SP_OK;
}

/* Puts the odd packet in the place of the plain one; link is the length of a link header. */
static enum sp_rc make_odd(const struct sp_spec *spec, size_t link, struct sp_built *built,
                           struct sp_diag *diag)
{
    uint8_t *bytes = sp_calloc(1, link + SP_SPEC_MAX_BYTES);
    size_t len = 0;
    if (bytes) {
        memcpy(bytes, built->bytes, link);
        len = sp_odd_apply(spec, built->bytes + link, built->len - link, bytes, link,
                           link + SP_SPEC_MAX_BYTES);
    }
    sp_built_free(built);
    if (len == 0) {
        enum sp_rc rc = bytes ? SP_E_INVALID : SP_E_NOMEM;
        sp_free(bytes);
        return sp_fail(diag, rc, "packet", "the unusual IP header cannot be built");
    }
    *built = (struct sp_built){.bytes = bytes, .len = len};
    return SP_OK;
}

/* Wrong whatever the packet is, and never 0, which means "none" over UDP. */
static void spoil_checksum(uint8_t *sum)
{
    uint16_t right = (uint16_t)(sum[0] << 8 | sum[1]);
    uint16_t wrong = (uint16_t)(right ^ 0x5a5aU);
    wrong = wrong ? wrong : 0x1234;
    sum[0] = (uint8_t)(wrong >> 8);
    sum[1] = (uint8_t)wrong;
}

enum sp_rc sp_spec_build(struct libnet_context *l, const struct sp_spec *spec,
                         const uint8_t *src_mac, const uint8_t *dst_mac, struct sp_built *ret_built,
                         struct sp_diag *diag)
{
    uint8_t *bytes = NULL;
    uint32_t len = 0;
    uint8_t plain[sizeof(spec->payload)];
    uint8_t *padded = spec->pad > 0 ? sp_calloc(spec->payload_len + spec->pad, 1) : NULL;
    if (spec->pad > 0 && !padded) {
        return sp_fail(diag, SP_E_NOMEM, "packet", "out of memory");
    }
    uint8_t *body = padded ? padded : plain;
    memcpy(body, spec->payload, spec->payload_len);
    libnet_clear_packet(l);
    bool good = build_transport(l, spec, body) >= 0 && build_ip(l, spec) >= 0; /* libnet copies */
    sp_free(padded);
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
    if (spec->bad_checksum) {
        size_t transport = len - transport_len(spec);
        spoil_checksum(bytes + transport + (spec->ip_proto == SP_IPPROTO_TCP ? 16 : 6));
    }
    *ret_built = (struct sp_built){.bytes = bytes, .len = len, .owner = l};
    size_t link = dst_mac ? LIBNET_ETH_H : 0;
    enum sp_rc rc = sp_odd_is_any(&spec->odd) ? make_odd(spec, link, ret_built, diag) : SP_OK;
    return rc == SP_OK && spec->wrap.kind != SP_WRAP_NONE
               ? make_wrapped(spec, link, ret_built, diag)
               : rc;
}

void sp_built_free(struct sp_built *built)
{
    if (built->bytes && built->owner) {
        libnet_adv_free_packet(built->owner, built->bytes); /* knows about libnet's alignment */
    } else {
        sp_free(built->bytes);
    }
    built->bytes = NULL;
}
