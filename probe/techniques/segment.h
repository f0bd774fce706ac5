/* SPDX-License-Identifier: Apache-2.0
 *
 * What out-of-state TCP segments share (techniques.md T3, T4): they belong to no connection, carry
 * no data, and look like a Linux host's later segments (NOP, NOP, timestamps). Tag: sequence
 * number, TSval, IPv4 ID. Their acknowledgement number and TSecr each add up to SP_TAG_MAGIC with
 * the sequence number: by that, kernel filters tell them from the established traffic of a host,
 * whichever of the two is normalised on the way. */
#ifndef SP_TECHNIQUES_SEGMENT_H
#define SP_TECHNIQUES_SEGMENT_H

#include "probe/techniques/technique.h"

int sp_segment_start(const struct sp_flow *flow, struct sp_tech_io *io, uint8_t flags);
/* Tagged, and of the flags in mask exactly those in flags? What mask leaves out a device on the
 * path may have set or cleared. */
bool sp_segment_match(const struct sp_tag_keys *keys, const struct sp_pkt *pkt, uint8_t mask,
                      uint8_t flags, uint16_t *ret_block, uint16_t *ret_port);
/* RFC 9293 3.5.2: an RST is all that such a segment may be answered with: with our acknowledgement
 * number where we sent one, else acknowledging our sequence number (and the FIN). */
enum sp_answer sp_segment_answer(const struct sp_tag_keys *keys, const struct sp_flow *flow,
                                 const struct sp_pkt *pkt, uint8_t flags);
bool sp_segment_quoted(const struct sp_tag_keys *keys, const struct sp_flow *flow,
                       const struct sp_pkt *pkt);
uint16_t sp_segment_dport(const struct sp_flow *flow);

#endif
