/* SPDX-License-Identifier: Apache-2.0
 *
 * Ordinary sockets of the caller. */
#ifndef SP_PROBE_CALLER_SOCK_H
#define SP_PROBE_CALLER_SOCK_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/time.h>

#include "probe/base/addr.h"

/* A socket that does not block, connected or about to be; -1 and *ret_error. It keeps ICMP errors
 * for sp_sock_icmp. */
int sp_sock_connect(int type, const struct sp_addr *addr, uint16_t port, int *ret_error);
/* Is this end of a connected socket at that address, too? */
bool sp_sock_is_own(int fd, const struct sp_addr *addr);

struct sp_sock_icmp {
    uint8_t type, code;
    struct sp_addr from;
};
/* The ICMP error that ended it; false when none did (a RST, for one). */
bool sp_sock_icmp(int fd, struct sp_sock_icmp *ret_icmp);

/* Until a point of the monotonic clock; never 0, so that a timer still turns. */
struct timeval sp_sock_left(uint64_t until_us);

#endif
