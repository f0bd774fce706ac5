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

/* IPv6 extension headers (RFC 8200 4) */
#define SP_EH_HOPOPTS  0U
#define SP_EH_ROUTING  43U
#define SP_EH_FRAGMENT 44U
#define SP_EH_DSTOPTS  60U

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

/* What is unusual about a packet at its IP layer (build_ip.c). The transport header and its
 * checksum are those of the plain packet from spec.src to spec.dst. */
#define SP_ODD_OPTIONS 40U
#define SP_ODD_CHAIN   4U
struct sp_odd {
    uint8_t options[SP_ODD_OPTIONS]; /* IPv4 options as they go out; a multiple of 4 */
    uint8_t options_len;
    struct sp_addr via;          /* IPv4: where it is sent to first, unless its family is NONE */
    uint8_t chain[SP_ODD_CHAIN]; /* IPv6 extension headers, SP_EH_*, in order */
    uint8_t chain_len;
    uint8_t routing_type; /* of SP_EH_ROUTING; no segments left, so that dst is the last hop */
    /* A fragment: bytes from .. to of what follows the headers above (both 0: not one). `from` is a
     * multiple of 8, and so is `to` unless the packet ends there. IPv4 has its ID in ip_id. */
    uint16_t from, to;
    bool is_more; /* more fragments are said to follow */
    uint32_t id;  /* IPv6, also of SP_EH_FRAGMENT in a chain */
};

/* An outer packet that carries the one to build (build_wrap.c). */
enum sp_wrap_kind {
    SP_WRAP_NONE,
    SP_WRAP_IP,     /* IP in IP (RFC 2003), IPv6 in IPv4 (RFC 4213): protocols 4 and 41 */
    SP_WRAP_GRE,    /* RFC 2784 */
    SP_WRAP_VXLAN,  /* RFC 7348, to port 4789 */
    SP_WRAP_GENEVE, /* RFC 8926, to port 6081 */
    SP_WRAP_END
};
#define SP_PORT_VXLAN  4789U
#define SP_PORT_GENEVE 6081U

struct sp_wrap {
    uint8_t kind;            /* enum sp_wrap_kind; NONE = the packet goes as it is */
    struct sp_addr src, dst; /* the outer ones, of one family; the inner ones are those of spec */
    uint32_t vni;            /* VXLAN, GENEVE: 24 bits */
    uint8_t mac[6];          /* VXLAN, GENEVE: the inner frame's destination; zero = broadcast */
};

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
    uint16_t window; /* TCP; 0 = 64240, as Linux sends in a SYN */
    uint8_t payload[192];
    size_t payload_len;
    uint16_t pad;      /* zero bytes behind the payload */
    struct sp_odd odd; /* what is unusual at the IP layer; all zero: nothing */
    struct sp_wrap wrap;
};

/* Where its IP header is addressed to: the outer one, where it has one. */
static inline const struct sp_addr *sp_spec_to(const struct sp_spec *spec)
{
    return spec->wrap.kind != SP_WRAP_NONE ? &spec->wrap.dst : &spec->dst;
}

/* One packet read; pointers are borrowed from the captured bytes. */
struct sp_pkt {
    struct sp_addr src, dst;
    uint8_t ip_proto; /* after IPv6 extension headers */
    uint8_t ttl;
    uint16_t ip_id;
    bool is_fragment; /* one of several; by sp_pkt_parse() the first of them, later ones do not
                         parse */
    bool is_more;     /* fragments: more follow */
    uint16_t offset;  /* fragments: of the first byte; 0 is the first fragment */
    uint32_t frag_id; /* fragments; IPv4: the ID */
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
    uint32_t mtu; /* that a packet-too-big names (RFC 1191, RFC 4443 3.2) */
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
/* A fragment, first or later: what stands in the IP headers, and everything behind them as payload.
 * False when it is not one. */
bool sp_pkt_parse_piece(const void *bytes, size_t len, struct sp_pkt *ret_pkt);
/* The packet inside another one, by the same headers as SP_WRAP_* (and a GRE key, checksum or
 * sequence number, and options of GENEVE); ip points into the bytes given. */
struct sp_unwrapped {
    uint8_t kind; /* enum sp_wrap_kind */
    struct sp_addr src, dst;
    uint32_t vni;
    const uint8_t *ip;
    size_t len; /* may be cut by the snap length */
};
/* False when it carries none: another protocol, a fragment, a header that is cut or unknown. One
 * layer only. */
bool sp_pkt_unwrap(const void *bytes, size_t len, struct sp_unwrapped *ret_inner);
/* An ICMP or ICMPv6 destination unreachable that quotes a packet? */
bool sp_pkt_is_unreachable(const struct sp_pkt *pkt);
/* An ICMP or ICMPv6 time exceeded in transit that quotes a packet (RFC 792, RFC 4443 3.3)? */
bool sp_pkt_is_expired(const struct sp_pkt *pkt);
/* Says that the quoted packet was too big for a link, and must not be fragmented? */
bool sp_pkt_is_too_big(const struct sp_pkt *pkt);
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
    void *owner; /* the libnet context; NULL: plain memory */
};
/* The packet of `len` bytes that libnet built from the IP header on, made as odd as spec.odd says;
 * its IP header is `at` bytes behind the start of out, which has `room`. Returns the length of all,
 * 0 when spec.odd asks for what cannot be (a part that is not there, options that are too long). */
size_t sp_odd_apply(const struct sp_spec *spec, const uint8_t *ip, size_t len, uint8_t *out,
                    size_t at, size_t room);
bool sp_odd_is_any(const struct sp_odd *odd);
/* Puts the outer headers that spec.wrap asks for in front of the inner packet of `len` bytes, at
 * out + at. Returns the length of all, 0 when they cannot be (no such kind, families that differ or
 * do not fit, no room). */
size_t sp_wrap_apply(const struct sp_spec *spec, const uint8_t *inner, size_t len, uint8_t *out,
                     size_t at, size_t room);
enum sp_rc sp_spec_build(struct libnet_context *l, const struct sp_spec *spec,
                         const uint8_t *src_mac, const uint8_t *dst_mac, struct sp_built *ret_built,
                         struct sp_diag *diag) SP_MUST_CHECK;
void sp_built_free(struct sp_built *built);

#endif
