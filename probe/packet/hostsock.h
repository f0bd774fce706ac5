/* SPDX-License-Identifier: Apache-2.0
 *
 * The HOST witness: unbound raw IP sockets get a copy of what passed the host's INPUT rules, with
 * no listener needed (raw(7): copies are made after the local-in hook). One socket per protocol and
 * family, of the protocols without ports only the common ones (base/ipproto.h). A kernel filter
 * lets through only TCP SYNs and payloads that begin with the tag's magic, over TCP also those that
 * may carry it further on; the tag itself is checked by the caller. */
#ifndef SP_PACKET_HOSTSOCK_H
#define SP_PACKET_HOSTSOCK_H

#include <stdbool.h>

#include "probe/base/rc.h"
#include "probe/packet/packet.h"

/* TCP, UDP, ICMP and SCTP, then sp_ip_witnessed(); each in both families. */
#define SP_HOSTSOCKS 38

struct sp_hostsock {
    int fd; /* -1 when the host has no such family */
    uint8_t family, ip_proto;
};

enum sp_rc sp_hostsocks_open(struct sp_hostsock socks[static SP_HOSTSOCKS],
                             struct sp_diag *diag) SP_MUST_CHECK;
void sp_hostsocks_close(struct sp_hostsock socks[static SP_HOSTSOCKS]);
/* off = nothing passes (between batches). */
enum sp_rc sp_hostsocks_filter(const struct sp_hostsock socks[static SP_HOSTSOCKS], bool on,
                               struct sp_diag *diag) SP_MUST_CHECK;

typedef void (*sp_hostsock_fn)(const struct sp_pkt *pkt, uint32_t iface, void *arg);
/* Reads what waits on one socket and hands over what parses; bounded. Returns how many packets were
 * read. */
size_t sp_hostsock_read(const struct sp_hostsock *sock, sp_hostsock_fn fn, void *arg);
/* Packets that the kernel dropped because nobody read in time; since open. UINT64_MAX: unknown. */
uint64_t sp_hostsocks_drops(const struct sp_hostsock socks[static SP_HOSTSOCKS]);

#endif
