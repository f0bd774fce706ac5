/* SPDX-License-Identifier: Apache-2.0
 *
 * Listening TCP sockets on one address of this host, never on all of them (ip(7), ipv6(7)). */
#ifndef SP_PROBE_TCPSOCK_H
#define SP_PROBE_TCPSOCK_H

#include <stdbool.h>
#include <stdint.h>

#include "probe/base/addr.h"

enum sp_tcp_kind {
    SP_TCP_STANDIN, /* accepts; connections that linger from before do not matter */
    SP_TCP_HOLD,    /* takes a port and drops everything that comes, without a word */
};

/* iface is only used for link-local addresses. 0 or errno; EADDRINUSE: somebody listens there. */
int sp_tcp_listen(const struct sp_addr *addr, uint16_t port, uint32_t iface, enum sp_tcp_kind kind,
                  int *ret_fd);
/* Makes the stack drop without an answer what comes for this listener; false: it cannot be. */
bool sp_tcp_mute(int fd, uint8_t family);
/* Closes a connection; abruptly: with a RST, so that no TIME_WAIT keeps the port. */
void sp_tcp_close(int fd, bool abruptly);

#endif
