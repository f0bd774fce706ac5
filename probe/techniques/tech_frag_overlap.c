/* SPDX-License-Identifier: Apache-2.0
 *
 * Two fragments that overlap (RFC 1858: the "overlapping fragment attack"). The first looks like a
 * segment of a connection that exists: it has the acknowledgement flag. The second begins at the
 * acknowledgement number and turns it into a SYN. A filter without state that passes "established"
 * segments and later fragments passes both; who puts them together and prefers what came last has a
 * new connection. Whoever reassembles should drop them (RFC 5722, RFC 8200 4.5). */
#include "probe/techniques/fragments.h"

static int start(const struct sp_flow *flow, struct sp_tech_io *io)
{
    struct sp_spec second = sp_cut_spec(io->keys, flow);
    struct sp_spec first = second;
    first.tcp_flags = SP_TCP_ACK;
    first.ack = second.tsval;
    int err = sp_cut_emit(&first, io, 0, 24, true);
    return err ? err : sp_cut_emit(&second, io, 8, 40, false);
}

static bool piece(const struct sp_tag_keys *keys, const struct sp_pkt *pkt,
                  struct sp_piece *ret_piece)
{
    struct sp_tag tag;
    if (pkt->offset == 0) {
        return pkt->is_more && pkt->payload_len == 24 &&
               sp_cut_read(keys, pkt, 4, &tag, ret_piece) && sp_cut_u32(pkt, 8) == tag.tsval;
    }
    if (pkt->offset != 8 || pkt->is_more || !sp_cut_read(keys, pkt, 0, &tag, ret_piece)) {
        return false;
    }
    ret_piece->at = 1;
    return sp_cut_u32(pkt, 20) == tag.tsval;
}

const struct sp_technique sp_tech_frag_overlap = {
    .name = "frag_overlap",
    .start = start,
    .piece = piece,
    .pieces = 3,
    .needs_link = true,
    SP_SYN_LIKE,
};
