/* SPDX-License-Identifier: Apache-2.0
 *
 * The last fragment of a SYN with data, alone: its beginning never goes out, so that nobody can put
 * it together and no service gets anything. It has no ports. What passes it passes whatever comes
 * in later fragments. The fragment holds the tag and nothing else. */
#include "probe/techniques/fragments.h"

#define TAIL_FROM  40U /* the TCP header with its options */
#define TAIL_BYTES 32U /* the tag, filled up to a multiple of 8 */

static int start(const struct sp_flow *flow, struct sp_tech_io *io)
{
    struct sp_spec whole = sp_cut_spec(io->keys, flow);
    whole.payload_len = TAIL_BYTES;
    sp_tag_write(io->keys, flow->block, flow->port, SP_TAG_PROBE, io->now_us, whole.payload);
    return sp_cut_emit(&whole, io, TAIL_FROM, TAIL_FROM + TAIL_BYTES, false);
}

static bool piece(const struct sp_tag_keys *keys, const struct sp_pkt *pkt,
                  struct sp_piece *ret_piece)
{
    enum sp_tag_kind kind;
    *ret_piece = (struct sp_piece){.at = 1};
    return pkt->offset == TAIL_FROM && !pkt->is_more &&
           sp_tag_read(keys, pkt->payload, pkt->payload_len, &kind, &ret_piece->block,
                       &ret_piece->port) &&
           kind == SP_TAG_PROBE;
}

const struct sp_technique sp_tech_frag_tail = {
    .name = "frag_tail",
    .start = start,
    .piece = piece,
    .pieces = 2,
    .needs_link = true,
    SP_SYN_LIKE,
};
