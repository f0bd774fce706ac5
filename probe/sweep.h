/* SPDX-License-Identifier: Apache-2.0
 *
 * Sweeps: every port of a flow, sent as fast as the path takes it and remembered as bits, not as a
 * list of packets. A batch may hold sweeps beside its blocks and shots.
 *
 * A sweep is one pair of addresses in one protocol (SP_REC_SWEEP), at its sender and its receiver.
 * All sweeps that a probe sends in a batch are mixed: the ports of their SEND masks, one sweep
 * after the other in the order of their records, are numbered 0 .. n-1. A volley (SP_REC_VOLLEY)
 * sends the numbers first .. first + count - 1 of a permutation of these, in an order of its own,
 * so that the same numbers always make the same set of ports, whatever the pass, and no
 * two passes have the same order: probe/base/volley.h.
 *
 * Guards (SP_REC_GUARD) are control flows: packets of the same kind on a flow that works, called
 * beats, numbered from 0. Guards without a period beat together: SP_GUARD_EDGE beats begin and end
 * a volley; within it there is one after SP_GUARD_PACKETS packets but not sooner than
 * SP_GUARD_SOON_US after the last, one after SP_GUARD_MOST packets in any case, and one after
 * SP_GUARD_LATE_US without one. */
#ifndef SP_PROBE_SWEEP_H
#define SP_PROBE_SWEEP_H

#include <stdbool.h>

#include "probe/base/portset.h"
#include "probe/base/volley.h"
#include "probe/techniques/technique.h"
#include "probe/wire/record.h"

/* The answers of one kind to a sweep, at its sender. */
struct sp_sweep_class {
    uint8_t answer, code, ttl;
    struct sp_addr addr;
    struct sp_portset *ports; /* owned */
};

/* What arrived of one pass; NULL = nothing. */
struct sp_sweep_pass {
    struct sp_portset *nic, *host; /* owned */
};

struct sp_sweep {
    struct sp_rec_sweep order;
    const struct sp_technique *tech; /* NULL = refused */
    uint8_t refused;                 /* enum sp_refusal */
    /* at the sender */
    uint32_t iface;
    uint8_t src_mac[6], dst_mac[6]; /* link injection */
    struct sp_portset *send, *raw;  /* masks as ordered; owned, NULL = empty */
    struct sp_portset *not_allowed; /* refused by the kernel (EPERM); owned, NULL = none */
    struct sp_sweep_class *classes; /* owned */
    size_t nclasses;
    bool classes_overflow;
    /* at the receiver */
    struct sp_portset *expected;           /* owned, NULL = empty */
    struct sp_sweep_pass *passes;          /* order.passes, owned, made with the first arrival */
    struct sp_portset *egress, *rewritten; /* owned, NULL = none */
    /* anywhere else, and where the address or family is not the declared one */
    struct sp_portset *stray;
};

struct sp_guard {
    struct sp_rec_guard order;
    const struct sp_technique *tech;
    uint8_t refused;
    uint32_t iface;
    uint8_t src_mac[6], dst_mac[6];
    struct sp_addr hop; /* SELF: the next hop it found */
    uint32_t beats;     /* sent so far; every_us == 0: those of the volleys, for all alike */
    uint64_t due_us;    /* of the next one; every_us > 0 */
    struct sp_portset *seen[SP_HEARD_END]; /* by number; owned, NULL = none */
    bool is_news[SP_HEARD_END][SP_PORTSET_CHUNKS];
};

struct sp_volleys; /* what the sender has still to send, and its token bucket: sweep_send.c */

/* All of one batch. Empty (all zero) between batches. */
struct sp_sweeps {
    struct sp_sweep *sweeps;
    size_t nsweeps, cap_sweeps;
    struct sp_guard *guards;
    size_t nguards, cap_guards;
    uint16_t *by_id; /* 65536, made with the first of either; see the two functions below */
    struct sp_volleys *volleys;
    uint64_t arrived;           /* packets of sweeps that came to this receiver */
    uint64_t health_us;         /* when HEALTH was told last */
    struct sp_hearing *hearing; /* owned; what the witnesses keep beside: probe/hearing.h */
};

struct sp_engine;

/* The sweep that holds this block id, and which of its passes; the guard of this id. NULL: none. */
struct sp_sweep *sp_sweeps_find(const struct sp_sweeps *sweeps, uint16_t block, uint16_t *ret_pass);
struct sp_guard *sp_sweeps_find_guard(const struct sp_sweeps *sweeps, uint16_t block);
/* Does a sweep or a guard hold one of these ids? */
bool sp_sweeps_hold(const struct sp_sweeps *sweeps, uint32_t first, uint32_t n);
/* The source port of one packet. No second one: alt_sport 0. */
static inline uint16_t sp_sweep_sport(const struct sp_rec_sweep *order, uint16_t pass,
                                      uint16_t port)
{
    bool is_alt = order->alt_sport != 0 && port >= order->alt_lo && port <= order->alt_hi;
    return (uint16_t)((is_alt ? order->alt_sport : order->sport) + pass);
}
/* Adds a bit to a set that is made with its first; false when memory is out. */
bool sp_sweep_mark(struct sp_portset **set, uint16_t port);

/* sweep_setup.c: orders before ARM, what ARM checks (refusals are told), and the end. */
void sp_engine_sweep(struct sp_engine *engine, const struct sp_rec_sweep *order);
void sp_engine_mask(struct sp_engine *engine, const struct sp_rec_mask *order);
void sp_engine_guard(struct sp_engine *engine, const struct sp_rec_guard *order);
uint32_t sp_engine_arm_sweeps(struct sp_engine *engine, bool capture_ok); /* how many refused */
void sp_sweeps_clear(struct sp_sweeps *sweeps);

/* sweep_send.c: volleys and beats. Sends what is due; returns when to come again, UINT64_MAX when
 * nothing is left. */
void sp_engine_volley(struct sp_engine *engine, const struct sp_rec_volley *order);
uint64_t sp_engine_volleys(struct sp_engine *engine, uint64_t now_us);
/* Tells the volleys that are not over as cut off (ECANCELED); nothing more is sent. */
void sp_engine_volleys_end(struct sp_engine *engine);
void sp_volleys_free(struct sp_volleys *volleys);

/* sweep_hear.c, sweep_answer.c: packets. Each returns whether the packet was one of a sweep or a
 * guard (and has been counted), so that nobody else looks at it. tech NULL: it carries no tag. */
bool sp_engine_sweep_arrival(struct sp_engine *engine, const struct sp_technique *tech,
                             const struct sp_pkt *pkt, uint16_t block, uint16_t port,
                             uint32_t iface, bool at_host);
bool sp_engine_sweep_out(struct sp_engine *engine, const struct sp_technique *tech,
                         const struct sp_pkt *pkt, uint16_t block, uint16_t port);
bool sp_engine_sweep_answer(struct sp_engine *engine, const struct sp_pkt *pkt);
/* sweep_reply.c: crafts the replies that are due; returns when to come again, UINT64_MAX when
 * nothing is left. */
uint64_t sp_engine_sweep_replies(struct sp_engine *engine, uint64_t now_us);

/* sweep_tell.c: what is told while it goes on (returns when to come again), and at COLLECT. */
uint64_t sp_engine_tell_heard(struct sp_engine *engine, uint64_t now_us);
void sp_engine_tell_swept(struct sp_engine *engine);

#endif
