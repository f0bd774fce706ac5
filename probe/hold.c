/* SPDX-License-Identifier: Apache-2.0 */
#include "probe/hold.h"

#include <errno.h>
#include <linux/filter.h>
#include <sys/socket.h>
#include <unistd.h>

#include "probe/sockaddr.h"

static int open_one(const struct sp_addr *addr, uint16_t port, uint32_t iface, int *ret_fd)
{
    struct sock_filter drop[] = {BPF_STMT(BPF_RET | BPF_K, 0)};
    const struct sock_fprog program = {1, drop};
    struct sockaddr_storage name;
    int one = 1;
    socklen_t len = sp_sockaddr(addr, port, iface, &name);
    int fd = socket(name.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) {
        return errno;
    }
    /* The filter comes first: there is no moment in which the port could accept anything. */
    if (setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program)) != 0 ||
        (name.ss_family == AF_INET6 &&
         setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one)) != 0) ||
        bind(fd, (struct sockaddr *)&name, len) != 0 || listen(fd, 1) != 0) {
        int err = errno;
        (void)close(fd);
        return err;
    }
    *ret_fd = fd;
    return 0;
}

static struct sp_hold *find(struct sp_holds *holds, const struct sp_addr *addr, uint16_t port)
{
    for (size_t i = 0; i < SP_ENGINE_MAX_DIALOGS; i++) {
        struct sp_hold *hold = &holds->at[i];
        if (hold->users && hold->port == port && sp_addr_eq(&hold->addr, addr)) {
            return hold;
        }
    }
    return NULL;
}

int sp_hold_take(struct sp_holds *holds, const struct sp_addr *addr, uint16_t port, uint32_t iface)
{
    struct sp_hold *hold = find(holds, addr, port);
    if (hold) {
        hold->users++;
        return 0;
    }
    for (size_t i = 0; i < SP_ENGINE_MAX_DIALOGS; i++) {
        hold = &holds->at[i];
        if (hold->users == 0) {
            int err = open_one(addr, port, iface, &hold->fd);
            if (err == 0) {
                hold->addr = *addr;
                hold->port = port;
                hold->users = 1;
            }
            return err;
        }
    }
    return EMFILE;
}

void sp_hold_release(struct sp_holds *holds, const struct sp_addr *addr, uint16_t port)
{
    struct sp_hold *hold = find(holds, addr, port);
    if (hold && --hold->users == 0) {
        (void)close(hold->fd);
    }
}

void sp_holds_close(struct sp_holds *holds)
{
    for (size_t i = 0; i < SP_ENGINE_MAX_DIALOGS; i++) {
        if (holds->at[i].users) {
            holds->at[i].users = 0;
            (void)close(holds->at[i].fd);
        }
    }
}
