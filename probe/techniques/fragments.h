/* SPDX-License-Identifier: Apache-2.0
 *
 * What the techniques share that cut one SYN into fragments. Every fragment says whose it is,
 * because some may be all that arrives. The ID of all of them is from the tag's MAC (IPv4: 16 bits,
 * IPv6: 32). c (tag.h) stands in the sequence number, in the acknowledgement number, which a SYN
 * does not use, and in the timestamp that is echoed; more of the MAC in the window and the
 * timestamp: offset  0: ports, c | 8: c, flags, window | 16: ..., timestamp at 28, c at 32 (of the
 * segment) */
#ifndef SP_TECHNIQUES_FRAGMENTS_H
#define SP_TECHNIQUES_FRAGMENTS_H

#include "probe/techniques/syn_like.h"

/* The whole SYN that is cut; 40 bytes without its IP header. */
struct sp_spec sp_cut_spec(const struct sp_tag_keys *keys, const struct sp_flow *flow);
/* Sends bytes from .. to of it. */
int sp_cut_emit(const struct sp_spec *whole, struct sp_tech_io *io, uint16_t from, uint16_t to,
                bool is_more);
/* The tag of a fragment whose c stands `at` bytes behind its start; false when that is not there.
 */
bool sp_cut_read(const struct sp_tag_keys *keys, const struct sp_pkt *pkt, size_t at,
                 struct sp_tag *ret_tag, struct sp_piece *ret_piece);
/* Does the fragment's ID fit? Something on the path may have given it another one. */
bool sp_cut_has_id(const struct sp_pkt *pkt, const struct sp_tag *tag);
/* A 32 or 16 bit number `at` bytes behind the fragment's start; 0 when it is not there. */
uint32_t sp_cut_u32(const struct sp_pkt *pkt, size_t at);
uint16_t sp_cut_u16(const struct sp_pkt *pkt, size_t at);
/* The window of a SYN that is cut. */
uint16_t sp_cut_window(const struct sp_tag *tag);

#endif
