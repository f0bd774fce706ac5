/* SPDX-License-Identifier: Apache-2.0 */
#include "probe/hold.h"

#include <errno.h>

#include "probe/tcpsock.h"

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
            int err = sp_tcp_listen(addr, port, iface, SP_TCP_HOLD, &hold->fd);
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
        sp_tcp_close(hold->fd, false);
    }
}

void sp_holds_close(struct sp_holds *holds)
{
    for (size_t i = 0; i < SP_ENGINE_MAX_DIALOGS; i++) {
        if (holds->at[i].users) {
            holds->at[i].users = 0;
            sp_tcp_close(holds->at[i].fd, false);
        }
    }
}
