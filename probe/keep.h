/* SPDX-License-Identifier: Apache-2.0
 *
 * The packets of one batch that the capture saw and that may become evidence: found again by block
 * and port. Everything lies in one piece of memory whose size is fixed when the batch begins, so
 * nothing that comes from the network can make it grow. First come, first kept. Packets sent,
 * packets that arrived, and answers have a share each: a flood of one kind cannot push out the
 * others. One shot may have several packets of a role (a handshake has), up to SP_KEEP_PER_ROLE.
 *
 * Memory that is not written to is never touched, so a batch with few packets costs little. */
#ifndef SP_PROBE_KEEP_H
#define SP_PROBE_KEEP_H

#include <stddef.h>
#include <stdint.h>

#include "probe/wire/record.h"

#define SP_KEEP_MAX_BYTES (4U << 20)
#define SP_KEEP_PER_ROLE  8U

struct sp_kept {
    uint32_t at_us; /* since FIRE */
    uint32_t iface;
    uint16_t block, port;
    uint16_t len;      /* bytes kept, from the IP header on */
    uint16_t wire_len; /* that the packet had */
    uint8_t role;      /* enum sp_kept_role */
};

enum sp_keep_share { SP_SHARE_SENT, SP_SHARE_ARRIVED, SP_SHARE_ANSWERS, SP_SHARE_END };

struct sp_keep {
    uint8_t *memory; /* NULL: nothing is kept */
    uint32_t nbuckets;
    struct {
        uint32_t at, end;
    } shares[SP_SHARE_END];
    uint32_t lost; /* packets there was no room for */
};

void sp_keep_init(struct sp_keep *keep);
/* Forgets everything, then makes room; max_bytes is cut to SP_KEEP_MAX_BYTES. 0, too little, and no
 * memory all mean that nothing is kept. */
void sp_keep_start(struct sp_keep *keep, uint32_t max_bytes);
void sp_keep_release(struct sp_keep *keep);

/* Copies a packet as it was captured, at most SP_KEPT_MAX_BYTES of it and without the padding of
 * its link; of head, len and wire_len are set here. */
void sp_keep_add(struct sp_keep *keep, const struct sp_kept *head, const uint8_t *ip, size_t len);

typedef void (*sp_keep_fn)(void *arg, const struct sp_kept *kept, const uint8_t *bytes);
/* Hands every packet of a shot to fn, in the order in which they came; returns how many. */
uint32_t sp_keep_each(const struct sp_keep *keep, uint16_t block, uint16_t port, sp_keep_fn fn,
                      void *arg);

#endif
