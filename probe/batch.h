/* SPDX-License-Identifier: Apache-2.0
 *
 * The memory of one batch inside the sensor: blocks, shots, arrivals, untagged packets, and how to
 * find them by what a packet carries. Rows are kept until the next batch. */
#ifndef SP_PROBE_BATCH_H
#define SP_PROBE_BATCH_H

#include "probe/base/table.h"
#include "probe/techniques/technique.h"

struct sp_block {
    uint16_t first, attempts, flags;
    const struct sp_technique *tech; /* NULL = refused */
    struct sp_addr src, dst;         /* SELF: dst is the next hop once armed */
    uint32_t iface;
    uint8_t src_mac[6], dst_mac[6]; /* link injection */
    uint8_t refused;                /* enum sp_refusal */
    struct sp_addr other;           /* with SP_BLOCK_FORGED or SP_BLOCK_VIA */
    char hazard;                    /* of its technique */
    uint8_t ttl;                    /* of the first attempt, one more with each; 0 = the usual */
    uint16_t bytes;                 /* the IP packet is padded to so many; 0 = it is not */
    uint32_t pause_ms;              /* of a conversation; 0 = there is none */
    uint8_t nouters;                /* of a sender whose technique wraps */
    uint32_t outers;                /* the first of them in the batch */
};

struct sp_shot {
    struct sp_flow flow;
    uint32_t block_row;
    uint32_t at_us, sent_us, left_us; /* since FIRE */
    uint32_t answer_us;
    uint32_t left_iface, answer_iface; /* where it left, and its answer came in; 0 = unknown */
    uint32_t older; /* 1 + the row of the shot before it with the same addresses and ports, or 0 */
    uint32_t again_us; /* when it was sent once more, 0 = it was not */
    struct sp_addr answerer;
    uint16_t err;
    uint16_t dialog; /* 1 + its place among the engine's dialogs, 0 = none goes on */
    uint8_t is_sent, has_left, answer, code, ttl;
    uint8_t pieces;         /* fragments, or outer packets, seen leaving */
    struct sp_tuple quoted; /* of an answer EXPIRED */
    uint32_t mtu;           /* of an answer TOO_BIG */
    uint16_t status;        /* of an HTTP answer */
    uint32_t silent_ms;     /* of a conversation that the peer ended in its pause */
};

struct sp_arrival {
    struct sp_flow
        flow; /* as captured: addresses and ports on the wire; block and port from the tag */
    uint32_t block_row; /* SP_NO_ROW: a stray */
    uint16_t wire_dport;
    uint8_t ip_proto, ttl;
    uint32_t
        iface; /* of a bridge and its port, or the like, the one that got it last: the bridge */
    uint32_t nic_count, host_count;
    uint32_t nic_us, host_us;
    bool nic_data, host_data; /* one of the packets carried data: not only a SYN */
    uint8_t pieces;           /* fragments that came, by number */
    uint32_t egress_iface;    /* where its answer left; 0 = unknown */
    uint8_t egress;           /* enum sp_answer seen leaving */
    uint8_t egress_code;
    uint8_t reply_pending; /* a crafted reply is due at reply_us */
    uint8_t is_crafted;    /* our reply was handed to the kernel */
    uint16_t reply_err;
    uint32_t reply_us;
};

struct sp_untagged {
    struct sp_addr src, dst; /* src NONE: many sources */
    uint16_t port;           /* on the protocol's axis */
    uint8_t proto;           /* enum sp_proto */
    uint32_t count, first_us;
};

struct sp_batch_state {
    struct sp_block *blocks;
    size_t nblocks, cap_blocks;
    struct sp_outer *outers;
    size_t nouters, cap_outers;
    struct sp_shot *shots;
    size_t nshots, cap_shots;
    struct sp_arrival *arrivals;
    size_t narrivals, cap_arrivals;
    struct sp_untagged *untagged;
    size_t nuntagged, cap_untagged;
    bool untagged_overflow;
    struct sp_table shot_by_tag, shot_by_tuple, arrival_by_tag, arrival_by_tuple, untagged_by_flow;
};

void sp_batch_state_init(struct sp_batch_state *batch);
void sp_batch_state_release(struct sp_batch_state *batch);
void sp_batch_state_clear(struct sp_batch_state *batch);

enum sp_rc sp_batch_add_block(struct sp_batch_state *batch,
                              const struct sp_block *block) SP_MUST_CHECK;
/* One of the last block. */
enum sp_rc sp_batch_add_outer(struct sp_batch_state *batch,
                              const struct sp_outer *outer) SP_MUST_CHECK;
/* The block that holds this id, SP_NO_ROW when none does. */
uint32_t sp_batch_find_block(const struct sp_batch_state *batch, uint16_t id);
enum sp_rc sp_batch_add_shot(struct sp_batch_state *batch, const struct sp_shot *shot,
                             uint8_t ip_proto) SP_MUST_CHECK;
struct sp_shot *sp_batch_shot_by_tag(const struct sp_batch_state *batch, uint16_t block,
                                     uint16_t port);
/* The newest of these addresses and ports. */
struct sp_shot *sp_batch_shot_by_tuple(const struct sp_batch_state *batch,
                                       const struct sp_addr *peer, uint8_t ip_proto,
                                       uint16_t peer_port, uint16_t own_port);
/* The shot before this one of the same addresses and ports; NULL = it is the first. */
struct sp_shot *sp_batch_older_shot(const struct sp_batch_state *batch, const struct sp_shot *shot);
/* Finds the arrival of a tag or makes it from the packet; NULL when memory is out. */
struct sp_arrival *sp_batch_arrival(struct sp_batch_state *batch, uint16_t block, uint16_t port,
                                    uint32_t block_row, const struct sp_pkt *pkt);
struct sp_arrival *sp_batch_arrival_by_tuple(const struct sp_batch_state *batch,
                                             const struct sp_addr *peer, uint8_t ip_proto,
                                             uint16_t peer_port, uint16_t own_port);
void sp_batch_count_untagged(struct sp_batch_state *batch, const struct sp_untagged *seen);
/* One of these is explained now: a later packet of the same connection carried the tag. */
void sp_batch_explain_untagged(struct sp_batch_state *batch, const struct sp_untagged *seen);

#endif
