/* SPDX-License-Identifier: Apache-2.0 */
#include "probe/caller/sock.h"

#include <errno.h>
#include <linux/errqueue.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "probe/base/clock.h"

union address {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
};

static socklen_t to_sockaddr(const struct sp_addr *addr, uint16_t port, union address *out)
{
    memset(out, 0, sizeof(*out));
    if (addr->family == SP_FAMILY_IPV4) {
        out->v4.sin_family = AF_INET;
        out->v4.sin_port = htons(port);
        memcpy(&out->v4.sin_addr, addr->bytes, 4);
        return sizeof(out->v4);
    }
    out->v6.sin6_family = AF_INET6;
    out->v6.sin6_port = htons(port);
    memcpy(&out->v6.sin6_addr, addr->bytes, 16);
    return sizeof(out->v6);
}

static struct sp_addr from_sockaddr(const union address *in)
{
    return in->any.sa_family == AF_INET    ? sp_addr_from_bytes(SP_FAMILY_IPV4, &in->v4.sin_addr)
           : in->any.sa_family == AF_INET6 ? sp_addr_from_bytes(SP_FAMILY_IPV6, &in->v6.sin6_addr)
                                           : (struct sp_addr){0};
}

int sp_sock_connect(int type, const struct sp_addr *addr, uint16_t port, int *ret_error)
{
    static const int on = 1;
    union address to;
    socklen_t len = to_sockaddr(addr, port, &to);
    int fd = socket(to.any.sa_family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) {
        *ret_error = errno;
        return -1;
    }
    if (to.any.sa_family == AF_INET) {
        (void)setsockopt(fd, IPPROTO_IP, IP_RECVERR, &on, sizeof(on));
    } else {
        (void)setsockopt(fd, IPPROTO_IPV6, IPV6_RECVERR, &on, sizeof(on));
    }
    if (connect(fd, &to.any, len) != 0 && errno != EINPROGRESS) {
        *ret_error = errno;
        (void)close(fd);
        return -1;
    }
    return fd;
}

bool sp_sock_is_own(int fd, const struct sp_addr *addr)
{
    union address own = {.v6 = {0}};
    socklen_t len = sizeof(own);
    if (getsockname(fd, &own.any, &len) != 0) {
        return false;
    }
    struct sp_addr here = from_sockaddr(&own);
    return sp_addr_eq(&here, addr);
}

bool sp_sock_icmp(int fd, struct sp_sock_icmp *ret_icmp)
{
    char space[512] __attribute__((aligned(8)));
    char byte[256];
    for (unsigned tries = 0; tries < 8; tries++) {
        struct iovec iov = {byte, sizeof(byte)};
        struct msghdr msg = {.msg_iov = &iov,
                             .msg_iovlen = 1,
                             .msg_control = space,
                             .msg_controllen = sizeof(space)};
        if (recvmsg(fd, &msg, MSG_ERRQUEUE | MSG_DONTWAIT) < 0) {
            return false;
        }
        for (struct cmsghdr *c = CMSG_FIRSTHDR(&msg); c; c = CMSG_NXTHDR(&msg, c)) {
            struct {
                struct sock_extended_err err;
                union address from;
            } got;
            size_t len = c->cmsg_len - CMSG_LEN(0);
            bool is_error = (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_RECVERR) ||
                            (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_RECVERR);
            if (!is_error || len < sizeof(got.err)) {
                continue;
            }
            memset(&got, 0, sizeof(got));
            memcpy(&got, CMSG_DATA(c), len < sizeof(got) ? len : sizeof(got));
            if (got.err.ee_origin == SO_EE_ORIGIN_ICMP || got.err.ee_origin == SO_EE_ORIGIN_ICMP6) {
                ret_icmp->type = got.err.ee_type;
                ret_icmp->code = got.err.ee_code;
                ret_icmp->from = from_sockaddr(&got.from);
                return true;
            }
        }
    }
    return false;
}

struct timeval sp_sock_left(uint64_t until_us)
{
    uint64_t now = sp_mono_us();
    uint64_t left = until_us > now ? until_us - now : 1;
    return (struct timeval){.tv_sec = (time_t)(left / 1000000),
                            .tv_usec = (suseconds_t)(left % 1000000)};
}
