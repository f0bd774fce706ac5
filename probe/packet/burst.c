/* SPDX-License-Identifier: Apache-2.0 */
#include "probe/packet/burst.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>

struct sp_burst_to sp_burst_to_link(uint32_t iface, uint8_t family)
{
    return (struct sp_burst_to){.is_link = true, .family = family, .iface = iface};
}

struct sp_burst_to sp_burst_to_raw(const struct sp_addr *dst, uint32_t iface)
{
    struct sp_burst_to to = {.family = dst->family};
    if (dst->family == SP_FAMILY_IPV4) {
        to.len = sizeof(to.addr.v4);
        to.addr.v4.sin_family = AF_INET;
        memcpy(&to.addr.v4.sin_addr, dst->bytes, 4);
    } else {
        to.len = sizeof(to.addr.v6);
        to.addr.v6.sin6_family = AF_INET6;
        memcpy(&to.addr.v6.sin6_addr, dst->bytes, 16);
        to.addr.v6.sin6_scope_id = IN6_IS_ADDR_LINKLOCAL(&to.addr.v6.sin6_addr) ? iface : 0;
    }
    return to;
}

bool sp_burst_same_way(const struct sp_burst_to *a, const struct sp_burst_to *b)
{
    return a->is_link == b->is_link && a->family == b->family &&
           (!a->is_link || a->iface == b->iface);
}

int sp_inject_burst(struct sp_injector *injector, const struct sp_burst_packet *const *packets,
                    size_t n, size_t *ret_sent)
{
    struct mmsghdr messages[SP_BURST_MAX];
    struct iovec parts[SP_BURST_MAX];
    const struct sp_burst_to *to = packets[0]->to;
    *ret_sent = 0;
    int fd = sp_injector_burst_fd(injector, to->is_link, to->family, to->iface);
    if (fd < 0) {
        return to->is_link ? ENODEV : EAFNOSUPPORT;
    }
    n = n < SP_BURST_MAX ? n : SP_BURST_MAX;
    for (size_t i = 0; i < n; i++) {
        const struct sp_burst_packet *packet = packets[i];
        /* The kernel only reads both; its interface is not const-correct. */
        const void *bytes = packet->bytes;
        parts[i] = (struct iovec){.iov_len = packet->len};
        memcpy(&parts[i].iov_base, &bytes, sizeof(bytes));
        messages[i] = (struct mmsghdr){.msg_hdr = {.msg_iov = &parts[i], .msg_iovlen = 1}};
        if (!to->is_link) {
            const void *addr = &packet->to->addr;
            messages[i].msg_hdr.msg_namelen = packet->to->len;
            memcpy(&messages[i].msg_hdr.msg_name, &addr, sizeof(addr));
        }
    }
    while (*ret_sent < n) {
        int sent = sendmmsg(fd, messages + *ret_sent, (unsigned)(n - *ret_sent), MSG_DONTWAIT);
        if (sent > 0) {
            *ret_sent += (size_t)sent; /* why it ended early, the next call tells */
        } else if (sent == 0 || errno != EINTR) {
            return sent == 0 ? EAGAIN : errno;
        }
    }
    return 0;
}
