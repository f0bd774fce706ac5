/* SPDX-License-Identifier: Apache-2.0
 *
 * A SYN in three fragments: ports and sequence number, flags and window, the rest (RFC 1858: the
 * "tiny fragment attack"). A filter without state that decides by what is in the packet at hand
 * finds no flags in the first and no ports in the others; whether they pass, the receiver's capture
 * tells fragment by fragment. A stateful filter puts them together first and sees the SYN. */
#include "probe/techniques/fragments.h"

static const struct {
    uint16_t from, to;
} cuts[] = {{0, 8}, {8, 16}, {16, 40}};

static int start(const struct sp_flow *flow, struct sp_tech_io *io)
{
    struct sp_spec whole = sp_cut_spec(io->keys, flow);
    int err = 0;
    for (size_t i = 0; i < SP_ARRAY_LEN(cuts) && err == 0; i++) {
        err = sp_cut_emit(&whole, io, cuts[i].from, cuts[i].to, i + 1 < SP_ARRAY_LEN(cuts));
    }
    return err;
}

static bool piece(const struct sp_tag_keys *keys, const struct sp_pkt *pkt,
                  struct sp_piece *ret_piece)
{
    struct sp_tag tag;
    switch (pkt->offset) {
    case 0:
        if (pkt->payload_len != 8 || !pkt->is_more || !sp_cut_read(keys, pkt, 4, &tag, ret_piece)) {
            return false;
        }
        /* No room for more of the MAC: over IPv4 the port that c names must be on the wire. */
        ret_piece->is_weak = pkt->src.family == SP_FAMILY_IPV4;
        return sp_cut_has_id(pkt, &tag) &&
               (!ret_piece->is_weak || sp_cut_u16(pkt, 2) == ret_piece->port);
    case 8:
        if (pkt->payload_len != 8 || !pkt->is_more || !sp_cut_read(keys, pkt, 0, &tag, ret_piece)) {
            return false;
        }
        ret_piece->at = 1;
        ret_piece->is_weak = !sp_cut_has_id(pkt, &tag);
        return sp_cut_u16(pkt, 6) == sp_cut_window(&tag);
    case 16:
        if (pkt->is_more || !sp_cut_read(keys, pkt, 16, &tag, ret_piece)) {
            return false;
        }
        ret_piece->at = 2;
        return sp_cut_u32(pkt, 12) == tag.tsval;
    default:
        return false;
    }
}

const struct sp_technique sp_tech_frag_tiny = {
    .name = "frag_tiny",
    .start = start,
    .piece = piece,
    .pieces = 7,
    .needs_link = true,
    SP_SYN_LIKE,
};
