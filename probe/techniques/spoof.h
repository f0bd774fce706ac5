/* SPDX-License-Identifier: Apache-2.0
 *
 * What the techniques share that write another source address: the tagged datagram of udp, from
 * io.forged. Answers go to whoever has that address, from and to ports that nobody uses, and tell
 * the sender nothing; the receiver's capture decides. */
#ifndef SP_TECHNIQUES_SPOOF_H
#define SP_TECHNIQUES_SPOOF_H

#include "probe/techniques/technique.h"

int sp_spoof_start(const struct sp_flow *flow, struct sp_tech_io *io);
uint16_t sp_spoof_wire_dport(const struct sp_flow *flow);
bool sp_spoof_match(const struct sp_tag_keys *keys, const struct sp_pkt *pkt, uint16_t *ret_block,
                    uint16_t *ret_port);
enum sp_answer sp_spoof_answer(const struct sp_tag_keys *keys, const struct sp_flow *flow,
                               const struct sp_pkt *pkt);
bool sp_spoof_quoted(const struct sp_tag_keys *keys, const struct sp_flow *flow,
                     const struct sp_pkt *pkt);

#define SP_SPOOF_LIKE                                                                              \
    .ip_proto4 = SP_IPPROTO_UDP, .ip_proto6 = SP_IPPROTO_UDP, .start = sp_spoof_start,             \
    .wire_dport = sp_spoof_wire_dport, .match = sp_spoof_match, .answer = sp_spoof_answer,         \
    .quoted = sp_spoof_quoted, .forges = true, .needs_link = true

#endif
