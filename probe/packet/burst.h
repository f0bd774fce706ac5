/* SPDX-License-Identifier: Apache-2.0
 *
 * Finished packets, many with one system call (sendmmsg on libnet's own descriptors). Link
 * packets go by a handle of their own that passes by the queueing discipline and thus by every
 * capture of this host (packet(7), PACKET_QDISC_BYPASS): what is sent this way is not seen leaving.
 */
#ifndef SP_PACKET_BURST_H
#define SP_PACKET_BURST_H

#include <netinet/in.h>

#include "probe/packet/inject.h"
#include "probe/packet/template.h"

#define SP_BURST_MAX 64U

/* Where a packet goes. */
struct sp_burst_to {
    bool is_link;
    uint8_t family;
    uint32_t iface; /* of a link packet, whose frame says the rest */
    socklen_t len;  /* of a raw packet: */
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
    } addr;
};

struct sp_burst_packet {
    const struct sp_burst_to *to; /* borrowed */
    uint16_t len;
    uint8_t bytes[SP_TEMPLATE_MAX_BYTES];
};

struct sp_burst_to sp_burst_to_link(uint32_t iface, uint8_t family);
/* iface is only used for link-local targets. */
struct sp_burst_to sp_burst_to_raw(const struct sp_addr *dst, uint32_t iface);
/* Do packets to both go by one descriptor? */
bool sp_burst_same_way(const struct sp_burst_to *a, const struct sp_burst_to *b);

/* Sends up to SP_BURST_MAX packets that go the same way, in order. Never waits. 0 when all were
 * handed over; else the errno with which the one after *ret_sent of them was refused (EAGAIN or
 * ENOBUFS: the queue is full). */
int sp_inject_burst(struct sp_injector *injector, const struct sp_burst_packet *const *packets,
                    size_t n, size_t *ret_sent);

#endif
