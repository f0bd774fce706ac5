/* SPDX-License-Identifier: Apache-2.0 */
#include "probe/packet/netlink.h"

#include <errno.h>
#include <linux/if_link.h>
#include <linux/neighbour.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "probe/base/mem.h"

#define SP_NL_BUFFER 32768U

struct request {
    struct nlmsghdr head;
    union {
        struct ifinfomsg link;
        struct ifaddrmsg addr;
        struct rtmsg route;
        struct ndmsg neigh;
        char space[256];
    } body;
};

/* Called for every message of an answer; nonzero ends the walk with that code. */
typedef enum sp_rc (*message_fn)(const struct nlmsghdr *msg, void *arg);

/* The walks of linux/netlink.h and rtnetlink.h with lengths that cannot go negative. */
static bool message_ok(const struct nlmsghdr *m, size_t left)
{
    return left >= sizeof(*m) && m->nlmsg_len >= sizeof(*m) && m->nlmsg_len <= left;
}

static const struct nlmsghdr *message_next(const struct nlmsghdr *m, size_t *left)
{
    size_t step = NLMSG_ALIGN(m->nlmsg_len);
    *left -= step < *left ? step : *left;
    return (const struct nlmsghdr *)(const void *)((const char *)m + step);
}

static const struct rtattr *find_attr(const struct rtattr *attr, size_t left, unsigned short type)
{
    while (left >= sizeof(*attr) && attr->rta_len >= sizeof(*attr) && attr->rta_len <= left) {
        if ((attr->rta_type & NLA_TYPE_MASK) == type) {
            return attr;
        }
        size_t step = RTA_ALIGN((size_t)attr->rta_len);
        left -= step < left ? step : left;
        attr = (const struct rtattr *)(const void *)((const char *)attr + step);
    }
    return NULL;
}

static const void *message_body(const struct nlmsghdr *m)
{
    return (const char *)m + NLMSG_HDRLEN;
}

static const void *attr_data(const struct rtattr *attr)
{
    return (const char *)attr + RTA_LENGTH(0);
}

/* The attributes behind a message's fixed part. */
static const struct rtattr *first_attr(const struct nlmsghdr *m, size_t body, size_t *ret_left)
{
    size_t skip = NLMSG_HDRLEN + NLMSG_ALIGN(body);
    *ret_left = m->nlmsg_len > skip ? m->nlmsg_len - skip : 0;
    return (const struct rtattr *)(const void *)((const char *)m + skip);
}

int sp_netlink_open(struct sp_diag *diag)
{
    int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
    struct timeval limit = {.tv_sec = 2};
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)) != 0) {
        (void)sp_fail_errno(diag, "netlink", "cannot ask the kernel for interfaces");
        if (fd >= 0) {
            (void)close(fd);
        }
        return -1;
    }
    return fd;
}

int sp_netlink_monitor(struct sp_diag *diag)
{
    int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE);
    struct sockaddr_nl me = {.nl_family = AF_NETLINK,
                             .nl_groups = RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR};
    if (fd < 0 || bind(fd, (struct sockaddr *)&me, sizeof(me)) != 0) {
        (void)sp_fail_errno(diag, "netlink", "cannot watch the interfaces");
        if (fd >= 0) {
            (void)close(fd);
        }
        return -1;
    }
    return fd;
}

bool sp_netlink_changed(int monitor_fd)
{
    char buf[SP_NL_BUFFER] __attribute__((aligned(8)));
    bool changed = false;
    for (int i = 0; i < 64; i++) {
        ssize_t n = recv(monitor_fd, buf, sizeof(buf), MSG_DONTWAIT);
        if (n <= 0) {
            return changed || (n < 0 && errno == ENOBUFS);
        }
        size_t left = (size_t)n;
        for (const struct nlmsghdr *m = (const struct nlmsghdr *)(const void *)buf;
             message_ok(m, left); m = message_next(m, &left)) {
            changed = changed || m->nlmsg_type == RTM_NEWLINK || m->nlmsg_type == RTM_DELLINK ||
                      m->nlmsg_type == RTM_NEWADDR || m->nlmsg_type == RTM_DELADDR;
        }
    }
    return changed;
}

/* Appends an attribute to a request. */
static void put_attr(struct request *req, unsigned short type, const void *data, size_t len)
{
    struct rtattr *attr = (struct rtattr *)(void *)((char *)req + NLMSG_ALIGN(req->head.nlmsg_len));
    attr->rta_type = type;
    attr->rta_len = (unsigned short)RTA_LENGTH(len);
    memcpy(RTA_DATA(attr), data, len);
    req->head.nlmsg_len = NLMSG_ALIGN(req->head.nlmsg_len) + (uint32_t)RTA_ALIGN(attr->rta_len);
}

/* Sends a request and walks its answer (one message, or a dump up to NLMSG_DONE). */
static enum sp_rc ask(int fd, struct request *req, message_fn on_message, void *arg,
                      struct sp_diag *diag)
{
    char buf[SP_NL_BUFFER] __attribute__((aligned(8)));
    static const struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};
    bool dump = (req->head.nlmsg_flags & NLM_F_DUMP) == NLM_F_DUMP;
    while (recv(fd, buf, sizeof(buf), MSG_DONTWAIT) > 0) { /* left over from an answer cut short */
    }
    if (sendto(fd, req, req->head.nlmsg_len, 0, (const struct sockaddr *)&kernel, sizeof(kernel)) <
        0) {
        return sp_fail_errno(diag, "netlink", "cannot ask the kernel");
    }
    for (int i = 0; i < 4096; i++) {
        ssize_t n = recv(fd, buf, sizeof(buf), 0);
        if (n < 0) {
            return sp_fail_errno(diag, "netlink", "no answer from the kernel");
        }
        size_t left = (size_t)n;
        for (const struct nlmsghdr *m = (const struct nlmsghdr *)(const void *)buf;
             message_ok(m, left); m = message_next(m, &left)) {
            if (m->nlmsg_type == NLMSG_DONE) {
                return SP_OK;
            }
            if (m->nlmsg_type == NLMSG_ERROR) {
                const struct nlmsgerr *e = message_body(m);
                errno = -e->error;
                return sp_fail(diag, SP_E_NOTFOUND, "netlink", "%s", strerrordesc_np(-e->error));
            }
            enum sp_rc rc = on_message(m, arg);
            if (rc != SP_OK || !dump) {
                return rc;
            }
        }
    }
    return sp_fail(diag, SP_E_LIMIT, "netlink", "the kernel's answer does not end");
}

static struct sp_addr attr_addr(const struct rtattr *attr, uint8_t af)
{
    struct sp_addr addr = {0};
    size_t want = af == AF_INET ? 4 : 16;
    if (attr && RTA_PAYLOAD(attr) >= want) {
        addr.family = af == AF_INET ? SP_FAMILY_IPV4 : SP_FAMILY_IPV6;
        memcpy(addr.bytes, attr_data(attr), want);
    }
    return addr;
}

static bool has_xdp(const struct rtattr *xdp)
{
    if (!xdp) {
        return false;
    }
    const struct rtattr *mode =
        find_attr(attr_data(xdp), (size_t)RTA_PAYLOAD(xdp), IFLA_XDP_ATTACHED);
    return mode && *(const uint8_t *)attr_data(mode) != XDP_ATTACHED_NONE;
}

static enum sp_rc on_link(const struct nlmsghdr *msg, void *arg)
{
    struct sp_netinfo *info = arg;
    if (msg->nlmsg_type != RTM_NEWLINK || info->nifaces >= SP_IFACES_MAX) {
        return SP_OK;
    }
    const struct ifinfomsg *link = message_body(msg);
    size_t left;
    const struct rtattr *first = first_attr(msg, sizeof(*link), &left);
    const struct rtattr *name = find_attr(first, left, IFLA_IFNAME);
    const struct rtattr *mac = find_attr(first, left, IFLA_ADDRESS);
    const struct rtattr *mtu = find_attr(first, left, IFLA_MTU);
    struct sp_iface *iface = &info->ifaces[info->nifaces++];
    iface->index = (uint32_t)link->ifi_index;
    iface->is_loopback = (link->ifi_flags & IFF_LOOPBACK) != 0;
    iface->is_up = (link->ifi_flags & IFF_UP) != 0 && (link->ifi_flags & IFF_RUNNING) != 0;
    iface->is_ethernet = link->ifi_type == ARPHRD_ETHER;
    iface->has_xdp = has_xdp(find_attr(first, left, IFLA_XDP));
    if (name) {
        size_t len = strnlen(attr_data(name), RTA_PAYLOAD(name));
        memcpy(iface->name, attr_data(name),
               len < sizeof(iface->name) ? len : sizeof(iface->name) - 1);
    }
    if (mac && RTA_PAYLOAD(mac) == sizeof(iface->mac)) {
        memcpy(iface->mac, attr_data(mac), sizeof(iface->mac));
    }
    if (mtu && RTA_PAYLOAD(mtu) >= sizeof(iface->mtu)) {
        memcpy(&iface->mtu, attr_data(mtu), sizeof(iface->mtu));
    }
    return SP_OK;
}

static enum sp_rc on_addr(const struct nlmsghdr *msg, void *arg)
{
    struct sp_netinfo *info = arg;
    if (msg->nlmsg_type != RTM_NEWADDR || info->nown >= SP_OWN_ADDRS_MAX) {
        return SP_OK;
    }
    const struct ifaddrmsg *am = message_body(msg);
    size_t left;
    const struct rtattr *first = first_attr(msg, sizeof(*am), &left);
    const struct rtattr *local = find_attr(first, left, IFA_LOCAL);
    const struct rtattr *address = find_attr(first, left, IFA_ADDRESS);
    struct sp_addr addr = attr_addr(local ? local : address, am->ifa_family);
    if (addr.family != SP_FAMILY_NONE) {
        info->own[info->nown++] =
            (struct sp_own){.iface = am->ifa_index, .addr = addr, .prefix_len = am->ifa_prefixlen};
    }
    return SP_OK;
}

static struct request new_request(uint16_t type, uint16_t flags, size_t body)
{
    struct request req = {0};
    req.head.nlmsg_type = type;
    req.head.nlmsg_flags = (uint16_t)(NLM_F_REQUEST | flags);
    req.head.nlmsg_len = (uint32_t)NLMSG_LENGTH(body);
    return req;
}

enum sp_rc sp_netinfo_read(int fd, struct sp_netinfo *ret_info, struct sp_diag *diag)
{
    struct sp_netinfo info = {0};
    info.ifaces = sp_calloc(SP_IFACES_MAX, sizeof(*info.ifaces));
    info.own = sp_calloc(SP_OWN_ADDRS_MAX, sizeof(*info.own));
    if (!info.ifaces || !info.own) {
        sp_netinfo_release(&info);
        return sp_fail(diag, SP_E_NOMEM, "netlink", "out of memory");
    }
    struct request links = new_request(RTM_GETLINK, NLM_F_DUMP, sizeof(struct ifinfomsg));
    struct request addrs = new_request(RTM_GETADDR, NLM_F_DUMP, sizeof(struct ifaddrmsg));
    enum sp_rc rc = ask(fd, &links, on_link, &info, diag);
    if (rc == SP_OK) {
        rc = ask(fd, &addrs, on_addr, &info, diag);
    }
    if (rc != SP_OK) {
        sp_netinfo_release(&info);
        return rc;
    }
    *ret_info = info;
    return SP_OK;
}

static enum sp_rc on_stats(const struct nlmsghdr *msg, void *arg)
{
    size_t left;
    const struct rtattr *first = first_attr(msg, sizeof(struct ifinfomsg), &left);
    const struct rtattr *stats =
        msg->nlmsg_type == RTM_NEWLINK ? find_attr(first, left, IFLA_STATS64) : NULL;
    struct rtnl_link_stats64 counts;
    if (!stats || RTA_PAYLOAD(stats) < offsetof(struct rtnl_link_stats64, multicast)) {
        return SP_E_NOTFOUND;
    }
    memcpy(&counts, attr_data(stats), offsetof(struct rtnl_link_stats64, multicast));
    *(uint64_t *)arg = counts.tx_dropped;
    return SP_OK;
}

uint64_t sp_iface_tx_dropped(int fd, uint32_t iface)
{
    uint64_t dropped = UINT64_MAX;
    struct request req = new_request(RTM_GETLINK, 0, sizeof(struct ifinfomsg));
    req.body.link.ifi_index = (int)iface;
    return ask(fd, &req, on_stats, &dropped, NULL) == SP_OK ? dropped : UINT64_MAX;
}

void sp_netinfo_release(struct sp_netinfo *info)
{
    sp_free(info->ifaces);
    sp_free(info->own);
    memset(info, 0, sizeof(*info));
}

const struct sp_own *sp_netinfo_find(const struct sp_netinfo *info, const struct sp_addr *addr)
{
    for (size_t i = 0; i < info->nown; i++) {
        if (sp_addr_eq(&info->own[i].addr, addr)) {
            return &info->own[i];
        }
    }
    return NULL;
}

const struct sp_iface *sp_netinfo_iface(const struct sp_netinfo *info, uint32_t index)
{
    for (size_t i = 0; i < info->nifaces; i++) {
        if (info->ifaces[i].index == index) {
            return &info->ifaces[i];
        }
    }
    return NULL;
}

static enum sp_rc on_route(const struct nlmsghdr *msg, void *arg)
{
    struct sp_route *route = arg;
    if (msg->nlmsg_type != RTM_NEWROUTE) {
        return SP_E_NOTFOUND;
    }
    const struct rtmsg *rt = message_body(msg);
    size_t left;
    const struct rtattr *first = first_attr(msg, sizeof(*rt), &left);
    if (rt->rtm_type != RTN_UNICAST && rt->rtm_type != RTN_LOCAL) {
        return SP_E_NOTFOUND; /* unreachable, prohibit, blackhole */
    }
    const struct rtattr *oif = find_attr(first, left, RTA_OIF);
    if (oif) {
        memcpy(&route->iface, attr_data(oif), sizeof(route->iface));
    }
    route->is_local = rt->rtm_type == RTN_LOCAL;
    route->gateway = attr_addr(find_attr(first, left, RTA_GATEWAY), rt->rtm_family);
    const struct rtattr *via = find_attr(first, left, RTA_VIA);
    if (via && RTA_PAYLOAD(via) ==
                   sizeof(struct rtvia) + 16) { /* IPv4 route over an IPv6 next hop (RFC 5549) */
        const struct rtvia *v = attr_data(via);
        route->gateway = sp_addr_from_bytes(SP_FAMILY_IPV6, v->rtvia_addr);
    }
    return SP_OK;
}

enum sp_rc sp_route_get(int fd, const struct sp_addr *src, const struct sp_addr *dst,
                        struct sp_route *ret_route, struct sp_diag *diag)
{
    struct request req = new_request(RTM_GETROUTE, 0, sizeof(struct rtmsg));
    size_t len = sp_addr_len(dst);
    req.body.route.rtm_family = dst->family == SP_FAMILY_IPV4 ? AF_INET : AF_INET6;
    req.body.route.rtm_dst_len = (unsigned char)(len * 8);
    put_attr(&req, RTA_DST, dst->bytes, len);
    if (src && src->family == dst->family) {
        req.body.route.rtm_src_len = (unsigned char)(len * 8);
        put_attr(&req, RTA_SRC, src->bytes, len);
    }
    struct sp_route route = {0};
    enum sp_rc rc = ask(fd, &req, on_route, &route, diag);
    if (rc == SP_OK) {
        *ret_route = route;
    }
    return rc;
}

struct neighbour_query {
    uint32_t iface;
    struct sp_addr addr;
    uint8_t mac[6];
    bool found;
};

static enum sp_rc on_neighbour(const struct nlmsghdr *msg, void *arg)
{
    struct neighbour_query *query = arg;
    const struct ndmsg *nd = message_body(msg);
    if (msg->nlmsg_type != RTM_NEWNEIGH || (uint32_t)nd->ndm_ifindex != query->iface) {
        return SP_OK;
    }
    size_t left;
    const struct rtattr *first = first_attr(msg, sizeof(*nd), &left);
    struct sp_addr addr = attr_addr(find_attr(first, left, NDA_DST), nd->ndm_family);
    const struct rtattr *mac = find_attr(first, left, NDA_LLADDR);
    bool usable =
        (nd->ndm_state & (NUD_REACHABLE | NUD_STALE | NUD_DELAY | NUD_PROBE | NUD_PERMANENT)) != 0;
    if (usable && mac && RTA_PAYLOAD(mac) == sizeof(query->mac) &&
        sp_addr_eq(&addr, &query->addr)) {
        memcpy(query->mac, attr_data(mac), sizeof(query->mac));
        query->found = true;
    }
    return SP_OK;
}

enum sp_rc sp_neighbour_get(int fd, uint32_t iface, const struct sp_addr *addr,
                            uint8_t ret_mac[static 6], struct sp_diag *diag)
{
    struct request req = new_request(RTM_GETNEIGH, NLM_F_DUMP, sizeof(struct ndmsg));
    req.body.neigh.ndm_family = addr->family == SP_FAMILY_IPV4 ? AF_INET : AF_INET6;
    struct neighbour_query query = {.iface = iface, .addr = *addr};
    enum sp_rc rc = ask(fd, &req, on_neighbour, &query, diag);
    if (rc == SP_OK && !query.found) {
        return sp_fail(diag, SP_E_NOTFOUND, "netlink", "the neighbour is not resolved");
    }
    if (rc == SP_OK) {
        memcpy(ret_mac, query.mac, sizeof(query.mac));
    }
    return rc;
}
