/* SPDX-License-Identifier: Apache-2.0
 *
 * Asking probes for kept packets, and putting together what they hand over. Pure: no socket, no
 * clock. A probe answers its WANTs in order, each with PACKETs and one WANTED, so what comes
 * belongs to the oldest question still open; whatever does not fit it (another shot, a gap, a
 * length that lies, more than a probe can have kept) is left out. Nothing a probe says can make it
 * grow beyond SP_GATHER_MAX_WANTS questions with SP_GATHER_MAX_PER_WANT packets each. */
#ifndef SP_CONTROLLER_GATHER_H
#define SP_CONTROLLER_GATHER_H

#include "probe/wire/record.h"
#include "reports/evidence.h"

#define SP_GATHER_MAX_WANTS    8000U
#define SP_GATHER_MAX_PER_WANT 64U

/* One question: what has this host kept of that shot? */
struct sp_want {
    uint32_t host, test;
    uint16_t block, port;
    uint16_t attempt; /* from 1 */
    bool is_control;
    bool by_link; /* how it was sent */
};

struct sp_gather {
    struct sp_evidence *into; /* borrowed */
    uint32_t batch;
    uint64_t fired_us; /* since 1970, by the controller's clock */
    struct sp_want *wants;
    size_t nwants, cap_wants;
    size_t open; /* questions of which WANTED is still to come */
    struct sp_gather_host {
        size_t next;     /* the first want that may be this host's oldest open one */
        uint32_t taken;  /* packets of it */
        bool is_partial; /* a packet is being put together */
        struct sp_rec_packet head;
        uint16_t have;
        uint8_t bytes[SP_KEPT_MAX_BYTES];
    } * hosts;
    size_t nhosts;
};

enum sp_rc sp_gather_init(struct sp_gather *gather, size_t nhosts,
                          struct sp_evidence *into) SP_MUST_CHECK;
void sp_gather_release(struct sp_gather *gather);
/* Forgets the questions; the next ones are of this batch. */
void sp_gather_begin(struct sp_gather *gather, uint32_t batch, uint64_t fired_us);
/* Adds a question; over the limit, or without memory, it counts as lost evidence. */
void sp_gather_add(struct sp_gather *gather, const struct sp_want *want);
/* All questions are added and about to be sent: counts the open ones. */
void sp_gather_ask(struct sp_gather *gather);
/* A PACKET or WANTED of a host; other records are ignored. iface: the name of the packet's
 * interface there. */
void sp_gather_take(struct sp_gather *gather, uint32_t host, const struct sp_record *record,
                    const char *iface);
/* That host will answer nothing more. */
void sp_gather_give_up(struct sp_gather *gather, uint32_t host);

#endif
