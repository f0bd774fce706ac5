/* SPDX-License-Identifier: Apache-2.0
 *
 * Packets as values: what to build (struct sp_spec) and what was read (struct sp_pkt). The builder
 * uses libnet, the parser is written independently, so that each checks the other in the tests. */
#ifndef SP_PACKET_PACKET_H
#define SP_PACKET_PACKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "probe/base/addr.h"
#include "probe/base/rc.h"

#define SP_IPPROTO_ICMP  1U
#define SP_IPPROTO_TCP   6U
#define SP_IPPROTO_UDP   17U
#define SP_IPPROTO_ICMP6 58U
#define SP_IPPROTO_SCTP  132U

#define SP_TCP_FIN 0x01U
#define SP_TCP_SYN 0x02U
#define SP_TCP_RST 0x04U
#define SP_TCP_PSH 0x08U
#define SP_TCP_ACK 0x10U
#define SP_TCP_URG 0x20U

#define SP_ICMP_ECHO_REPLY   0U
#define SP_ICMP_UNREACHABLE  3U
#define SP_ICMP_ECHO         8U
#define SP_ICMP6_UNREACHABLE 1U
#define SP_ICMP6_ECHO        128U
#define SP_ICMP6_ECHO_REPLY  129U

/* The longest packet a technique of this version builds (headers, options and payload). */
#define SP_SPEC_MAX_BYTES 320U

/* One packet to build. Fields of other protocols are ignored. */
struct sp_spec {
    struct sp_addr src, dst;
    uint8_t ip_proto;
    uint8_t ttl; /* 0 = 64 */
    uint16_t ip_id;
    uint16_t sport, dport;
    uint32_t seq, ack; /* TCP */
    uint8_t tcp_flags; /* SP_TCP_* */
    bool tcp_options;  /* MSS, SACK permitted, timestamps, window scale: as Linux sends in a SYN */
    bool tcp_timestamps; /* timestamps alone, as in every later segment */
    uint32_t tsval, tsecr;
    bool bad_checksum;            /* TCP, UDP: a wrong one */
    uint8_t sctp_chunk;           /* the only one: packet/sctpform.h */
    uint32_t sctp_vtag, sctp_tag; /* verification tag; initiate tag */
    uint8_t icmp_type, icmp_code;
    uint16_t echo_id, echo_seq;
    uint8_t payload[192];
    size_t payload_len;
};

/* One packet read; pointers are borrowed from the captured bytes. */
struct sp_pkt {
    struct sp_addr src, dst;
    uint8_t ip_proto; /* after IPv6 extension headers */
    uint8_t ttl;
    uint16_t ip_id;
    bool is_fragment; /* the first fragment of several; later ones do not parse */
    uint16_t sport, dport;
    uint32_t seq, ack;
    uint8_t tcp_flags;
    uint16_t window;
    bool has_timestamps;
    uint32_t tsval, tsecr;
    uint8_t sctp_chunk; /* the first */
    uint32_t sctp_vtag, sctp_tag;
    uint8_t icmp_type, icmp_code;
    uint16_t echo_id, echo_seq;
    const uint8_t *payload; /* may be cut by the snap length */
    size_t payload_len;
    bool is_icmp_error; /* quoted says of which packet (only what the quote holds) */
    struct {
        struct sp_addr src, dst;
        uint8_t ip_proto;
        uint16_t sport, dport; /* ICMP echo: id in sport, seq in dport */
        uint32_t seq;          /* TCP */
    } quoted;
};

/* Neither ports nor ICMP: a packet of the ip axis (base/proto.h). */
static inline bool sp_pkt_is_portless(uint8_t ip_proto)
{
    return ip_proto != SP_IPPROTO_TCP && ip_proto != SP_IPPROTO_UDP &&
           ip_proto != SP_IPPROTO_ICMP && ip_proto != SP_IPPROTO_ICMP6 &&
           ip_proto != SP_IPPROTO_SCTP;
}

/* Parses from the IP header on (RFC 791, 8200, 9293, 768, 792, 4443; other protocols:
 * packet/ipform.h). Bounds-checked; false when it is not a whole IP + transport header. */
bool sp_pkt_parse(const void *bytes, size_t len, struct sp_pkt *ret_pkt);
/* An ICMP or ICMPv6 destination unreachable that quotes a packet? */
bool sp_pkt_is_unreachable(const struct sp_pkt *pkt);
/* From the transport header on, for sockets that hide the IP header; the caller gives addresses and
 * protocol in *pkt. */
bool sp_pkt_parse_transport(const void *bytes, size_t len, struct sp_pkt *pkt);

struct libnet_context;
/* Builds with libnet into the context and returns its coalesced bytes, which the caller frees with
 * sp_built_free(). The context must be of raw type (or LIBNET_NONE, which needs no privilege);
 * dst_mac and src_mac, when given, put an Ethernet header in front (link type). */
struct sp_built {
    uint8_t *bytes;
    size_t len;
    void *owner; /* the libnet context */
};
enum sp_rc sp_spec_build(struct libnet_context *l, const struct sp_spec *spec,
                         const uint8_t *src_mac, const uint8_t *dst_mac, struct sp_built *ret_built,
                         struct sp_diag *diag) SP_MUST_CHECK;
void sp_built_free(struct sp_built *built);

#endif
