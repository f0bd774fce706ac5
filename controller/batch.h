/* SPDX-License-Identifier: Apache-2.0
 *
 * One batch over the fleet: arm -> fire -> drain -> collect (design section 6), and what every
 * witness saw of every shot. The scheduler fills it with blocks and shots, sp_batch_run carries it
 * out, the judge reads it.
 *
 * A block is one (sender, receiver, family, technique) with so many attempts; a shot is one packet
 * of it. Everything is found by index; nothing here knows of verdicts. */
#ifndef SP_CONTROLLER_BATCH_H
#define SP_CONTROLLER_BATCH_H

#include "controller/fleet.h"
#include "probe/base/table.h"
#include "probe/wire/record.h"
#include "topologies/plan.h"

#define SP_BATCH_MAX_BLOCKS 65000U
#define SP_BATCH_MAX_SHOTS  400000U
/* A probe's memory for the packets of one batch; each takes some 80 bytes. */
#define SP_BATCH_KEEP_BYTES (4U << 20)

struct sp_block_plan {
    uint32_t from, to;       /* host and target; to == SP_NONE: no probe there, or a self control */
    struct sp_addr src, dst; /* as the sender writes them */
    struct sp_addr src_seen, own; /* the same as the receiver sees them, by declaration */
    struct sp_addr other;         /* with SP_BLOCK_FORGED or SP_BLOCK_VIA */
    struct sp_plan_outer outers[SP_PLAN_OUTERS]; /* of a technique whose packets travel inside */
    uint8_t nouters;
    uint8_t technique; /* registry index */
    uint16_t flags;    /* SP_BLOCK_CONTROL, REPLY, LINK, SELF; the ends are set here */
    uint16_t attempts;
    bool talks;        /* a conversation: whoever receives must have somebody who takes its data */
    uint8_t ttl;       /* of the first attempt, one more with each; 0 = the usual */
    uint16_t bytes;    /* packets are padded to so many; 0 = they are not */
    bool is_watched;   /* the batch's watchers tell when these packets pass them */
    uint32_t pause_ms; /* of a conversation, between its two times of data; 0 = it has one */
    /* filled by the batch */
    uint16_t first;
    uint8_t sender_refused, receiver_refused; /* enum sp_refusal */
};

struct sp_shot_seen {
    uint32_t block;   /* row */
    uint16_t attempt; /* within the block */
    uint16_t port, sport;
    uint32_t at_us; /* planned, since FIRE */
    /* what was seen */
    bool is_sent, has_left, at_nic, at_host, is_rewritten;
    bool is_repeated;    /* the sender sent it once more, a second later (SP_BLOCK_AGAIN) */
    uint16_t err;        /* errno of the sender's kernel */
    uint16_t egress_err; /* errno of the receiver's crafted reply */
    uint8_t answer, answer_code, answer_ttl;
    uint8_t egress; /* enum sp_answer that left the receiver */
    struct sp_addr answerer;
    uint32_t sent_us, rtt_us;
    uint32_t nic_count, host_count;
    uint8_t pieces;          /* enum sp_pieces: what of it came to the interface */
    uint32_t elsewhere;      /* host that captured it instead, SP_NONE */
    struct sp_addr seen_src; /* of its arrival */
    uint32_t arrived_at;     /* the receiver: a balancer's is the backend that got it; SP_NONE */
    bool no_standin;         /* nobody could take its data there: it is not sent */
    bool opened; /* a conversation whose SYN came through; at_nic and at_host: its data */
    struct sp_tuple captured; /* an arrival's own addresses and ports, where they are not the
                                 declared ones */
    /* Interfaces (their index) where it left, its answer came in, it arrived, and the answer left;
     * 0 = unknown. */
    uint32_t left_iface, answer_iface, nic_iface, egress_iface;
    uint8_t nic_ttl;           /* of its arrival at the interface */
    uint32_t nic_us;           /* since FIRE */
    struct sp_tuple quoted;    /* of an answer EXPIRED: the packet as it came to who answered */
    uint32_t mtu;              /* of an answer TOO_BIG */
    uint32_t silent_ms;        /* of a conversation that was ended in its pause */
    uint16_t status;           /* of an HTTP answer; 0 = it was none */
    bool is_heard, is_changed; /* a stand-in took its data; other bytes than were sent */
    uint32_t heard_at;         /* which host's; SP_NONE */
    uint8_t head;              /* enum sp_head, when is_heard */
    struct sp_addr told;       /* the client that the head names; family NONE: nobody */
};

/* A backend whose stand-ins go away for a while. */
struct sp_batch_drill {
    uint32_t host; /* SP_NONE = nobody's */
    uint32_t away_us, back_us;
    bool is_silent;
};

/* A packet, or its answer, that passed a host between the two ends. */
struct sp_transit_seen {
    uint32_t host, shot;
    uint32_t iface, count, at_us;
    struct sp_tuple tuple;
    uint8_t answer; /* enum sp_answer; NONE = the packet itself */
    uint8_t ttl;
    bool is_out;
};

struct sp_untagged_seen {
    uint32_t host;
    uint8_t proto; /* enum sp_proto */
    uint16_t port;
    struct sp_addr src, dst;
    uint32_t count;
};

/* How a host came through the batch. */
struct sp_host_batch {
    bool is_used, is_armed, is_done, is_collected;
    bool is_lost;      /* killed, frozen, or its sensor was restarted: whatever it saw or did proves
                          nothing */
    bool has_drops;    /* its capture or its softnet queues dropped */
    bool is_interface; /* lost because an interface changed */
    bool untagged_overflow;
    uint32_t longest_gap_us;
    uint64_t sent, captured, drops;
    uint32_t last_at_us; /* of its shots */
};

/* What shares a batch with its shots: the sweeps. */
struct sp_batch_guest {
    void *arg;
    /* Orders for one host, between BATCH and ARM. */
    void (*setup)(void *arg, uint32_t host);
    /* Every record of a host that has part in the batch. */
    void (*on_record)(void *arg, uint32_t host, const struct sp_record *record);
    /* From FIRE on, again and again: microseconds until it wants to be called once more at the
     * latest; UINT64_MAX: it has no more to send. */
    uint64_t (*drive)(void *arg, uint64_t now_us);
    uint32_t budget; /* packets of one probe */
};

struct sp_batch {
    struct sp_fleet *fleet;
    uint32_t id;
    uint64_t run;
    uint16_t sport_lo, sport_hi;
    struct sp_block_plan *blocks;
    size_t nblocks, cap_blocks;
    uint32_t next_id;
    struct sp_shot_seen *shots;
    size_t nshots, cap_shots;
    struct sp_untagged_seen *untagged;
    size_t nuntagged, cap_untagged;
    struct sp_transit_seen *transits;
    size_t ntransits, cap_transits;
    struct sp_batch_drill drill;
    const char *path;               /* borrowed: of HTTP requests; NULL = "/" */
    const struct sp_bits *watchers; /* borrowed: hosts that watch blocks; NULL = none */
    struct sp_host_batch *hosts;    /* model->nhosts */
    uint32_t *block_of_id;          /* 65536 */
    struct sp_table by_tag;
    uint32_t
        max_rtt_us; /* in: largest round-trip time known so far; out: raised by what was seen */
    /* while running */
    uint64_t fired_us;   /* when FIRE was sent, by our clock */
    size_t controls_out; /* control shots not yet seen arriving */
    uint64_t last_control_us;
    uint32_t keep_bytes; /* in: memory for packets at each probe, for evidence; 0 = none */
    bool is_scout;       /* nothing is judged by it */
    bool is_stopped;     /* interrupted */
    const volatile bool *stop_flag;
    const struct sp_batch_guest *guest; /* borrowed; NULL = none */
    /* Told while it runs: how far it is on its timetable. May be NULL. */
    void (*on_progress)(void *arg, uint64_t done_us, uint64_t of_us);
    void *progress_arg;
};

enum sp_rc sp_batch_new(struct sp_fleet *fleet, uint64_t run, uint32_t id, uint16_t sport_lo,
                        uint16_t sport_hi, struct sp_batch **ret_batch) SP_MUST_CHECK;
void sp_batch_free(struct sp_batch *batch);
/* Row of the new block, SP_NONE when it is full or memory is out. */
uint32_t sp_batch_add_block(struct sp_batch *batch, const struct sp_block_plan *block);
/* Index of the new shot, SP_NONE when full. Any order; the batch sorts what it sends. */
uint32_t sp_batch_add_shot(struct sp_batch *batch, uint32_t block, uint16_t attempt, uint16_t port,
                           uint16_t sport, uint32_t at_us);
/* Is this host meant to receive the block: the receiver, or a backend of the balancer? */
bool sp_batch_receives(const struct sp_batch *batch, const struct sp_block_plan *block,
                       uint32_t host);
/* The port on which a shot arrives by declaration: a balancer's backends may use another one. */
uint16_t sp_batch_port_at(const struct sp_batch *batch, const struct sp_shot_seen *shot);
/* Carries it out; returns when everything is collected or has timed out. */
enum sp_rc sp_batch_run(struct sp_batch *batch, struct sp_diag *diag) SP_MUST_CHECK;

#endif
