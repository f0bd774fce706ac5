/* SPDX-License-Identifier: Apache-2.0
 *
 * Ports of this host that are held while a crafted TCP conversation uses them. The host's stack
 * knows nothing of the conversation and would answer the peer's SYN/ACK with a RST; a listening
 * socket that drops everything (tcpsock.c) takes the segment without a word, and no firewall is
 * touched. It also keeps everybody else off the port. Needs no privilege
 * above port 1023. */
#ifndef SP_PROBE_HOLD_H
#define SP_PROBE_HOLD_H

#include "probe/base/addr.h"
#include "probe/engine.h"

struct sp_hold {
    struct sp_addr addr;
    uint16_t port;
    unsigned users; /* 0: a free place */
    int fd;
};

struct sp_holds {
    struct sp_hold at[SP_ENGINE_MAX_DIALOGS];
};

/* A zeroed struct is empty. One port may be held several times. 0 or errno; EADDRINUSE: somebody
 * else has it. */
int sp_hold_take(struct sp_holds *holds, const struct sp_addr *addr, uint16_t port, uint32_t iface);
void sp_hold_release(struct sp_holds *holds, const struct sp_addr *addr, uint16_t port);
void sp_holds_close(struct sp_holds *holds);

#endif
