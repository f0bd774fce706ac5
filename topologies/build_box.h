/* SPDX-License-Identifier: Apache-2.0
 *
 * Sets of flows as boxes: senders x receivers x ports. Used to take what presets let pass away from
 * what presets close, exactly: a deny beats an allow, so nothing of it may be left in. */
#ifndef SP_TOPOLOGIES_BUILD_BOX_H
#define SP_TOPOLOGIES_BUILD_BOX_H

#include "topologies/model.h"

/* However many clusters and roles there are, a line of a preset does not fall apart further. */
#define SP_BOXES_MAX 4096U

struct sp_box {
    struct sp_bits from, to;
    struct sp_portspec *ports;
    size_t nports;
    uint32_t to_lo, to_hi; /* words of `to` that hold bits, one past the last */
};

/* Words of bits that all comparisons for one topology may look at: about a second. */
#define SP_BOXES_MAX_WORK 1000000000U

/* Starts zeroed, with max_bytes for all sets of bits together. */
struct sp_boxes {
    struct sp_box *at;
    size_t n, cap;
    uint64_t bytes, max_bytes;
    uint64_t work; /* so far; may be carried on from other boxes */
};

/* Copies. SP_E_LIMIT: too many. The sets have the same number of bits. */
enum sp_rc sp_boxes_add(struct sp_boxes *boxes, const struct sp_bits *from,
                        const struct sp_bits *to, const struct sp_portspec *ports,
                        size_t nports) SP_MUST_CHECK;
/* Takes every flow of the rule out of the boxes. */
enum sp_rc sp_boxes_subtract(struct sp_boxes *boxes, const struct sp_rule *rule) SP_MUST_CHECK;
void sp_boxes_release(struct sp_boxes *boxes);
/* Is some port in both lists? */
bool sp_portspecs_meet(const struct sp_portspec *a, size_t na, const struct sp_portspec *b,
                       size_t nb);
/* Can a host send to another target under these two sets? */
bool sp_bits_have_pair(const struct sp_bits *from, const struct sp_bits *to);

#endif
