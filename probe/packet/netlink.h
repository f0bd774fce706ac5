/* SPDX-License-Identifier: Apache-2.0
 *
 * What this host is, asked from the kernel over rtnetlink (RFC 3549, rtnetlink(7)): interfaces with
 * flags and attached XDP, addresses, routes, neighbours. None of it needs a privilege. */
#ifndef SP_PACKET_NETLINK_H
#define SP_PACKET_NETLINK_H

#include <stdbool.h>
#include <stdint.h>

#include "probe/base/addr.h"
#include "probe/base/rc.h"

#define SP_IFACES_MAX    512U  /* interfaces kept of one host */
#define SP_OWN_ADDRS_MAX 4096U /* addresses kept of one host */

struct sp_iface {
    uint32_t index;
    uint32_t mtu;
    char name[16];
    uint8_t mac[6];
    bool is_up; /* IFF_UP and carrier */
    bool is_loopback, is_ethernet, has_xdp;
};

struct sp_own {
    uint32_t iface;
    struct sp_addr addr;
    uint8_t prefix_len;
};

struct sp_netinfo {
    struct sp_iface *ifaces;
    size_t nifaces;
    struct sp_own *own;
    size_t nown;
};

struct sp_route {
    uint32_t iface;
    struct sp_addr gateway; /* family NONE: the target is on the link (or this host itself) */
    bool is_local;
};

/* A request socket; -1 on failure. */
int sp_netlink_open(struct sp_diag *diag);
/* A socket that hears of changes of links and addresses; readable when something changed. */
int sp_netlink_monitor(struct sp_diag *diag);
/* Reads what a monitor socket holds; true when a link or address event was among it (or events were
 * lost). */
bool sp_netlink_changed(int monitor_fd);

enum sp_rc sp_netinfo_read(int fd, struct sp_netinfo *ret_info, struct sp_diag *diag) SP_MUST_CHECK;
void sp_netinfo_release(struct sp_netinfo *info);
const struct sp_own *sp_netinfo_find(const struct sp_netinfo *info, const struct sp_addr *addr);
const struct sp_iface *sp_netinfo_iface(const struct sp_netinfo *info, uint32_t index);

/* Packets that were to leave by an interface and that it dropped, by its own count; UINT64_MAX:
 * unknown. */
uint64_t sp_iface_tx_dropped(int fd, uint32_t iface);

/* SP_E_NOTFOUND when the kernel has no route. */
enum sp_rc sp_route_get(int fd, const struct sp_addr *src, const struct sp_addr *dst,
                        struct sp_route *ret_route, struct sp_diag *diag) SP_MUST_CHECK;
/* The neighbour's link-layer address, SP_E_NOTFOUND when it is not (yet) resolved. */
enum sp_rc sp_neighbour_get(int fd, uint32_t iface, const struct sp_addr *addr,
                            uint8_t ret_mac[static 6], struct sp_diag *diag) SP_MUST_CHECK;

#endif
