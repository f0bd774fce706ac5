/* SPDX-License-Identifier: Apache-2.0
 *
 * What techniques share that send the SYN of tcp_syn or the datagram of udp with something unusual
 * around it: the packet and everything about its answers are those of the plain technique, so that
 * only what is unusual can make the difference. Whose packet it is, its block tells. */
#ifndef SP_TECHNIQUES_SYN_LIKE_H
#define SP_TECHNIQUES_SYN_LIKE_H

#include "probe/techniques/technique.h"

struct sp_spec sp_syn_spec(const struct sp_tag_keys *keys, const struct sp_flow *flow);
uint16_t sp_syn_wire_dport(const struct sp_flow *flow);
bool sp_syn_match(const struct sp_tag_keys *keys, const struct sp_pkt *pkt, uint16_t *ret_block,
                  uint16_t *ret_port);
enum sp_answer sp_syn_answer(const struct sp_tag_keys *keys, const struct sp_flow *flow,
                             const struct sp_pkt *pkt);
bool sp_syn_quoted(const struct sp_tag_keys *keys, const struct sp_flow *flow,
                   const struct sp_pkt *pkt);
/* Sends the SYN with these IPv4 options. */
int sp_syn_with_options(const struct sp_flow *flow, struct sp_tech_io *io, const uint8_t *options,
                        uint8_t len);
/* The same with a source route of this type (131 loose, 137 strict): from the router io.via, or,
 * where there is none, with the receiver as its only hop. */
int sp_syn_by_route(const struct sp_flow *flow, struct sp_tech_io *io, uint8_t type);
/* The same with one IPv6 extension header. */
int sp_syn_with_header(const struct sp_flow *flow, struct sp_tech_io *io, uint8_t type,
                       uint8_t routing_type);

#define SP_SYN_LIKE                                                                                \
    .ip_proto4 = SP_IPPROTO_TCP, .ip_proto6 = SP_IPPROTO_TCP, .wire_dport = sp_syn_wire_dport,     \
    .match = sp_syn_match, .answer = sp_syn_answer, .quoted = sp_syn_quoted

#endif
