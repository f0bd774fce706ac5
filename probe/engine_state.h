/* SPDX-License-Identifier: Apache-2.0
 *
 * Shared by the parts of the engine, engine.c (orders and time), engine_fire.c (sending) and
 * witness.c (packets) among them. Nobody else includes it. */
#ifndef SP_PROBE_ENGINE_STATE_H
#define SP_PROBE_ENGINE_STATE_H

#include "probe/batch.h"
#include "probe/engine.h"
#include "probe/keep.h"
#include "probe/sweep.h"

/* How long the receiver waits for the host's own answer before it crafts one: longer than the
 * capture takes to show it, short enough for the reply to be back before the drain ends. */
#define SP_REPLY_AFTER_US 60000U
/* Between shots of hazard class C (design section 10: 10 packets a second). */
#define SP_INTRUSIVE_US   100000U
/* When a packet that nobody answered is sent once more: TCP's first retransmission (RFC 6298). */
#define SP_AGAIN_US       1000000U

enum sp_engine_phase { SP_PHASE_IDLE, SP_PHASE_SETUP, SP_PHASE_ARMED, SP_PHASE_FIRED };

/* One conversation that goes on. */
struct sp_dialog_slot {
    uint32_t shot; /* its row */
    bool is_used;
    struct sp_dialog dialog;
};

/* One stand-in that was ordered. */
struct sp_stand {
    struct sp_rec_standin order;
    uint32_t iface;
    bool is_away, is_back;
};

struct sp_engine {
    struct sp_engine_io io;
    struct sp_bounds bounds;
    uint32_t generation;
    enum sp_engine_phase phase;
    struct sp_rec_batch order; /* the current batch */
    struct sp_tag_keys keys;
    struct sp_batch_state batch;
    struct sp_netinfo net;
    uint32_t only_iface; /* index of bounds.interface, 0 = all, UINT32_MAX = it does not exist */
    struct sp_counters at_arm;
    uint64_t expires_us, fired_us, last_tick_us;
    uint32_t longest_gap_us;
    size_t next_shot;
    size_t next_again;              /* the first shot that may have to be sent once more */
    size_t replies_due;             /* arrivals with reply_pending */
    struct sp_dialog_slot *dialogs; /* SP_ENGINE_MAX_DIALOGS, made with the first one */
    size_t ndialogs;                /* in use */
    char path[80];                  /* of the batch's HTTP requests; empty = "/" */
    uint64_t dialogs_due_us;        /* nothing is due before */
    struct sp_stand *standins;      /* ordered for this batch */
    size_t nstandins, cap_standins;
    uint32_t sent, failed;
    uint64_t intrusive_us; /* no packet of hazard class C before; goes on from batch to batch */
    double tokens;         /* token bucket, packets; goes on from batch to batch */
    uint64_t tokens_us;
    bool is_done_told;
    struct sp_keep keep;               /* packets of the batch that may be asked for */
    const struct sp_captured *at_hand; /* while it is looked at; else NULL */
    unsigned neighbour_waits;          /* bounded waiting for link-layer addresses at ARM */
    struct sp_sweeps sweeps;           /* of the batch */
    bool is_watching;                  /* a block of the batch is to be watched */
    bool is_wrapping;                  /* a technique of the batch wraps its packets */
    struct sp_transits *transits;      /* what passed of blocks to watch; NULL = nothing yet */
};

/* Tells an ERROR record. */
void sp_engine_complain(struct sp_engine *engine, enum sp_error_code code, const char *text);
/* What ARM checks of whoever sends or receives: enum sp_refusal. Fills in the interface, link-layer
 * addresses and the next hop. */
uint8_t sp_engine_check(struct sp_engine *engine, struct sp_block *block);
void sp_engine_tell_refused(struct sp_engine *engine, uint16_t block, uint8_t reason);

/* Of an address to send from or to receive on; and the link-layer address of the next hop. */
uint8_t sp_engine_check_own(const struct sp_engine *engine, const struct sp_addr *addr);
uint8_t sp_engine_resolve(struct sp_engine *engine, struct sp_block *block,
                          const struct sp_route *route);
/* wraps.c: packets inside others. An order; what ARM checks of all of a block; sending one. */
void sp_engine_outer(struct sp_engine *engine, const struct sp_rec_outer *order);
uint8_t sp_engine_check_outers(struct sp_engine *engine, const struct sp_block *block);
int sp_engine_emit_outer(struct sp_engine *engine, const struct sp_block *block,
                         const struct sp_spec *spec);
/* A packet of ours inside another one: never an arrival. False: it is none. */
bool sp_engine_wrapped(struct sp_engine *engine, const struct sp_captured *captured);
/* A packet to everybody on the link: it counts where a tunnel's end may have made it of ours. */
void sp_engine_flooded(struct sp_engine *engine, const struct sp_captured *captured,
                       const struct sp_pkt *pkt);
/* An arrival of this tag. */
void sp_engine_arrived(struct sp_engine *engine, const struct sp_technique *tech,
                       const struct sp_pkt *pkt, uint16_t id, uint16_t port, uint32_t iface);
/* May packets go there at all? */
bool sp_engine_is_target(const struct sp_engine *engine, const struct sp_addr *addr);
/* Emits through the block's way (raw or link), counts against the budget. */
int sp_engine_emit(struct sp_engine *engine, const struct sp_block *block,
                   const struct sp_spec *spec);
/* Fills the token bucket up to now. */
void sp_engine_refill(struct sp_engine *engine, uint64_t now);
/* Sends the shots that are due and allowed, and tells when all are; returns when to come again,
 * UINT64_MAX when nothing is left. */
uint64_t sp_engine_fire_due(struct sp_engine *engine, uint64_t now);
/* Takes one packet from the token bucket; false: not now, see sp_engine_token_at(). */
bool sp_engine_may_send(struct sp_engine *engine);
/* The rate that both the batch and this probe permit. */
uint32_t sp_engine_allowed_pps(const struct sp_engine *engine);
/* When the next packet may be sent. */
uint64_t sp_engine_token_at(const struct sp_engine *engine, uint64_t now_us);
/* By how much a counter of drops grew; unknown (UINT64_MAX) counts as many, never as none. */
uint64_t sp_engine_grown(uint64_t before, uint64_t now);
/* Time since FIRE (since ARM before it), as it goes into records. */
uint32_t sp_engine_since(const struct sp_engine *engine, uint64_t now_us);
/* Crafts the replies that are due. Returns when the next one is due, UINT64_MAX for none. */
uint64_t sp_engine_replies(struct sp_engine *engine, uint64_t now_us);
/* What the requests of the batch's conversations ask for. */
void sp_engine_path(struct sp_engine *engine, const struct sp_rec_path *order);
/* A conversation begins: its port is held and its first packet sent. 0 or errno. */
int sp_engine_dialog_begin(struct sp_engine *engine, struct sp_shot *shot, uint64_t now_us);
/* A packet of the peer's of a conversation, going on or over; what it answers stands in the shot.
 */
void sp_engine_dialog_packet(struct sp_engine *engine, struct sp_shot *shot,
                             const struct sp_pkt *pkt, uint64_t now_us);
/* Does what is due in the conversations; returns when to come again, UINT64_MAX for never. */
uint64_t sp_engine_dialogs(struct sp_engine *engine, uint64_t now_us);
/* Ends all of them now; as far as rate and budget allow, each with the packet that cleans up. */
void sp_engine_dialogs_end(struct sp_engine *engine);
/* Stand-in listeners: ordered before ARM, opened at ARM, closed with the batch. */
void sp_engine_standin(struct sp_engine *engine, const struct sp_rec_standin *order);
void sp_engine_stand(struct sp_engine *engine);
void sp_engine_unstand(struct sp_engine *engine);
/* Stand-ins that are to go or to come back now; returns when the next one is, UINT64_MAX for never.
 */
uint64_t sp_engine_stands_due(struct sp_engine *engine, uint64_t now_us);
/* A fragment: of a train of ours? False: it may be the first part of another packet. */
bool sp_engine_piece(struct sp_engine *engine, const struct sp_captured *captured);
/* What came of an arrival that is sent in fragments: enum sp_pieces. */
uint8_t sp_engine_pieces_of(const struct sp_engine *engine, const struct sp_arrival *arrival);
/* What a packet from the peer of this shot answers (enum sp_answer); quoted: by an ICMP error. */
uint8_t sp_engine_answer_of(const struct sp_engine *engine, const struct sp_shot *shot,
                            const struct sp_pkt *pkt, bool quoted);
/* Of several shots with the same addresses and ports, the newest that it answers; else the newest
 * that was sent; NULL = none was. */
struct sp_shot *sp_engine_answered(const struct sp_engine *engine, struct sp_shot *newest,
                                   const struct sp_pkt *pkt, bool quoted);
/* Tells what the witnesses saw, one SEEN record each. */
void sp_engine_tell_seen(struct sp_engine *engine);
/* Keeps the packet at hand, as one of this shot's. */
void sp_engine_keep(struct sp_engine *engine, uint8_t role, uint16_t block, uint16_t port);
/* path.c: packets on their way. What an ICMP error that is no destination unreachable says of a
 * packet of ours; false when it is none of them. */
bool sp_engine_path_error(struct sp_engine *engine, const struct sp_pkt *pkt);
/* A packet that was captured, of a block that this probe watches? */
void sp_engine_transit(struct sp_engine *engine, const struct sp_captured *captured,
                       const struct sp_pkt *pkt);
void sp_engine_tell_transits(struct sp_engine *engine);
void sp_engine_transits_end(struct sp_engine *engine);
/* The technique of whose packets of this batch it is, by tag and block; NULL = nobody's. */
const struct sp_technique *sp_engine_match(const struct sp_engine *engine, const struct sp_pkt *pkt,
                                           uint16_t *ret_block, uint16_t *ret_port);
/* Answers a WANT. */
void sp_engine_want(struct sp_engine *engine, const struct sp_rec_want *want);
/* Forgets kept packets whose batch has expired; returns when to come again. */
uint64_t sp_engine_forget_kept(struct sp_engine *engine, uint64_t now_us);

#endif
