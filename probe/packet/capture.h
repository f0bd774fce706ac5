/* SPDX-License-Identifier: Apache-2.0
 *
 * The NIC witness: one libpcap handle over every interface ("any", LINKTYPE_LINUX_SLL2), so that
 * the kernel itself says of each packet on which interface it was, whether it came in for this
 * host's MAC or went out, and no interface can be forgotten. It sees packets before the host's
 * firewall. Opening needs CAP_NET_RAW; everything later needs nothing. */
#ifndef SP_PACKET_CAPTURE_H
#define SP_PACKET_CAPTURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "probe/base/rc.h"
#include "probe/packet/packet.h"

#define SP_CAPTURE_SNAPLEN      192
/* Of TCP data: a tag may stand behind a PROXY header or a proxy's own HTTP headers. */
#define SP_CAPTURE_SNAPLEN_DATA 768
#define SP_CAPTURE_BUFFER       (4U << 20)
#define SP_CAPTURE_AT_ONCE      1024

enum sp_direction {
    SP_DIR_IN,    /* inbound, to a MAC of this host (or over loopback) */
    SP_DIR_OUT,   /* leaving this host */
    SP_DIR_OTHER, /* to somebody else's MAC, broadcast, multicast */
};

struct sp_captured {
    enum sp_direction dir;
    bool is_flooded;  /* inbound, to a broadcast or multicast MAC; dir is OTHER */
    bool is_loopback; /* seen once, counts as leaving and arriving */
    uint32_t iface;
    const uint8_t *ip; /* from the IP header, borrowed during the callback */
    size_t len;        /* as captured */
};

typedef void (*sp_capture_fn)(const struct sp_captured *captured, void *arg);

struct sp_capture;

enum sp_rc sp_capture_open(size_t buffer_bytes, struct sp_capture **ret_capture,
                           struct sp_diag *diag) SP_MUST_CHECK;
void sp_capture_free(struct sp_capture *capture);
/* For poll: readable when packets wait. */
int sp_capture_fd(const struct sp_capture *capture);
/* From the next sp_capture_filter() on: IPv4 fragments of TCP pass too, first and later ones. */
void sp_capture_want_pieces(struct sp_capture *capture, bool wanted);
/* Of TCP only SYN and RST pass, the mark of a segment of no connection, what may carry a tag (by
 * its first bytes: raw, HTTP, PROXY header) and what is addressed to a port of lo..hi (0, 0: none);
 * all of every other protocol; off = nothing passes (between batches). */
enum sp_rc sp_capture_filter(struct sp_capture *capture, bool on, uint16_t lo, uint16_t hi,
                             struct sp_diag *diag) SP_MUST_CHECK;
/* Hands waiting packets to fn, SP_CAPTURE_AT_ONCE at most, so that a flood does not keep the event
 * loop from orders, timers and sending; what is left keeps the descriptor readable. SP_E_SYSTEM
 * when the capture broke. */
enum sp_rc sp_capture_dispatch(struct sp_capture *capture, sp_capture_fn fn, void *arg,
                               struct sp_diag *diag) SP_MUST_CHECK;
/* Packets that the kernel dropped because nobody read in time; since open. UINT64_MAX: unknown. */
uint64_t sp_capture_drops(struct sp_capture *capture);
/* Packets handed over since open. */
uint64_t sp_capture_count(const struct sp_capture *capture);
/* Drops of the kernel's input queues (/proc/net/softnet_stat), which no capture ever sees; since
 * boot. UINT64_MAX: unknown. */
uint64_t sp_softnet_drops(void);

#endif
