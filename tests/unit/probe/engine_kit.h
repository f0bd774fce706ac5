/* SPDX-License-Identifier: Apache-2.0
 *
 * A sensor's engine without a sensor: a host of two interfaces, a clock that only moves when told,
 * packets from memory, and everything that the engine said or sent kept for looking at.
 *
 * The host: eth0 (2) 10.0.0.1, fd00::1; eth1 (3) 10.1.0.1; lo (1) 127.0.0.1. Every target of
 * 10.0.0.0/8 and fd00::/8 may be sent to; the next hop is 10.0.0.254 / fd00::fe outside 10.0.0.0/16
 * and fd00::/64. */
#ifndef SP_TESTS_ENGINE_KIT_H
#define SP_TESTS_ENGINE_KIT_H

#include "probe/engine.h"
#include "tests/unit/packet/packet_kit.h"

#define KIT_RECORDS 32768
#define KIT_SENDS   8192
#define KIT_BURST   16384
#define KIT_ME      "10.0.0.1"
#define KIT_ME6     "fd00::1"
#define KIT_PEER    "10.0.0.2"
#define KIT_PEER6   "fd00::2"

/* One packet of a burst. */
struct kit_burst {
    struct sp_pkt pkt; /* its payload is gone */
    bool is_link;
    size_t sent_before; /* packets that went the ordinary way before it */
    uint64_t at_us;
};

struct kit {
    struct sp_engine *engine;
    struct sp_bounds bounds;
    struct sp_prefix targets[2];
    struct sp_record told[KIT_RECORDS];
    size_t ntold;
    struct {
        struct sp_spec spec;
        uint32_t iface;
        bool is_link;
        uint64_t at_us;
    } sent[KIT_SENDS];
    size_t nsent;
    int send_errno; /* what every send returns */
    struct kit_burst burst[KIT_BURST];
    size_t nburst, burst_total, bursts;
    bool is_burst_bound; /* only burst_room packets more, then burst_errno */
    size_t burst_room;
    int burst_errno;
    uint16_t refuse_port; /* packets of bursts to it: refuse_errno */
    int refuse_errno;
    uint64_t tx_dropped;
    bool no_netinfo, no_listen, no_route, no_gateway, no_link, no_neighbour, eth1_down, eth0_xdp;
    bool is_listening;
    unsigned listens;
    uint16_t lo, hi; /* ports of conversations, as listened for */
    unsigned holds;  /* ports held now */
    int hold_errno;  /* what holding a port returns */
    unsigned stands; /* stand-ins open now */
    int stand_errno; /* what opening one returns */
    struct sp_counters counters;
    uint8_t key[32];
    uint32_t batch; /* of the orders */
};

/* Allocated; freed with kit_free(). The clock starts at one second. */
struct kit *kit_new(void);
void kit_free(struct kit *kit);
void kit_restart(struct kit *kit, uint32_t generation);
extern uint64_t kit_now_us;

void kit_order(struct kit *kit, const struct sp_record *record);
void kit_batch(struct kit *kit, uint32_t max_pps, uint32_t budget, uint32_t lifetime_ms);
void kit_block(struct kit *kit, uint16_t id, uint16_t attempts, uint16_t flags, const char *tech,
               const char *src, const char *dst);
void kit_arm(struct kit *kit);
void kit_shot(struct kit *kit, uint16_t block, uint16_t port, uint16_t sport, uint32_t at_us);
void kit_fire(struct kit *kit);
void kit_collect(struct kit *kit);
/* Lets time pass, ticking as the event loop would. */
void kit_run(struct kit *kit, uint64_t us);

/* The packet that a probe of this batch sends. */
struct sp_spec kit_probe_spec(const struct kit *kit, const char *tech, const char *src,
                              const char *dst, uint16_t block, uint16_t port, uint16_t sport);
void kit_capture(struct kit *kit, const struct sp_spec *spec, enum sp_direction dir, uint32_t iface,
                 bool loopback);
void kit_in(struct kit *kit, const struct sp_spec *spec);  /* inbound on eth0 */
void kit_out(struct kit *kit, const struct sp_spec *spec); /* leaving by eth0 */
void kit_bytes_in(struct kit *kit, const uint8_t *bytes, size_t len);
void kit_host(struct kit *kit, const struct sp_spec *spec, uint32_t iface);

/* The index-th record of a type, NULL when there is none. */
const struct sp_record *kit_told(const struct kit *kit, uint8_t type, size_t index);
size_t kit_count(const struct kit *kit, uint8_t type);
/* The SEEN record of a kind for block:port, NULL when there is none. */
const struct sp_rec_seen *kit_seen(const struct kit *kit, uint8_t kind, uint16_t block,
                                   uint16_t port);
size_t kit_count_seen(const struct kit *kit, uint8_t kind);
void kit_forget(struct kit *kit); /* what was told and sent */

#endif
