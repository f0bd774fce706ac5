/* SPDX-License-Identifier: Apache-2.0 */
#include "probe/tcpsock.h"

#include <errno.h>
#include <linux/filter.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define SP_BACKLOG 64

static socklen_t name_of(const struct sp_addr *addr, uint16_t port, uint32_t iface,
                         struct sockaddr_storage *ret_name)
{
    memset(ret_name, 0, sizeof(*ret_name));
    if (addr->family == SP_FAMILY_IPV4) {
        struct sockaddr_in *sin = (struct sockaddr_in *)ret_name;
        sin->sin_family = AF_INET;
        sin->sin_port = htons(port);
        memcpy(&sin->sin_addr, addr->bytes, 4);
        return sizeof(*sin);
    }
    struct sockaddr_in6 *sin6 = (struct sockaddr_in6 *)ret_name;
    sin6->sin6_family = AF_INET6;
    sin6->sin6_port = htons(port);
    memcpy(&sin6->sin6_addr, addr->bytes, 16);
    sin6->sin6_scope_id = IN6_IS_ADDR_LINKLOCAL(&sin6->sin6_addr) ? iface : 0;
    return sizeof(*sin6);
}

/* Before Linux 6.18.y a filter
 * does that without any privilege; later kernels want CAP_NET_ADMIN for one on a TCP socket, which
 * the sensor has not. A minimal TTL of 255 (RFC 5082) does the same for whatever was routed, and
 * for neighbours whose stack does not start at 255: nearly all. Either is enough, so both are
 * tried. */
bool sp_tcp_mute(int fd, uint8_t addr_family)
{
    struct sock_filter drop[] = {BPF_STMT(BPF_RET | BPF_K, 0)};
    const struct sock_fprog program = {1, drop};
    int most = 255;
    bool v6 = addr_family == SP_FAMILY_IPV6;
    bool filtered = setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program)) == 0;
    bool limited = setsockopt(fd, v6 ? IPPROTO_IPV6 : IPPROTO_IP, v6 ? IPV6_MINHOPCOUNT : IP_MINTTL,
                              &most, sizeof(most)) == 0;
    return filtered || limited;
}

static bool set_up(int fd, sa_family_t family, enum sp_tcp_kind kind)
{
    int one = 1;
    if (family == AF_INET6 && setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one)) != 0) {
        return false;
    }
    /* Before the port is taken: there is no moment in which it could accept. */
    return kind == SP_TCP_HOLD
               ? sp_tcp_mute(fd, family == AF_INET6 ? SP_FAMILY_IPV6 : SP_FAMILY_IPV4)
               : setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) == 0;
}

int sp_tcp_listen(const struct sp_addr *addr, uint16_t port, uint32_t iface, enum sp_tcp_kind kind,
                  int *ret_fd)
{
    struct sockaddr_storage name;
    socklen_t len = name_of(addr, port, iface, &name);
    int fd = socket(name.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) {
        return errno;
    }
    if (!set_up(fd, name.ss_family, kind) || bind(fd, (struct sockaddr *)&name, len) != 0 ||
        listen(fd, SP_BACKLOG) != 0) {
        int err = errno;
        (void)close(fd);
        return err;
    }
    *ret_fd = fd;
    return 0;
}

void sp_tcp_close(int fd, bool abruptly)
{
    const struct linger now = {.l_onoff = 1, .l_linger = 0};
    if (abruptly) {
        (void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
    }
    (void)close(fd);
}
