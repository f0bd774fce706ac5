/* SPDX-License-Identifier: Apache-2.0
 *
 * The only thing the sensor can ask of the parent: a listening TCP socket on a port for which it
 * has no privilege itself (stand-ins below 1024). One fixed-size message over a private socket
 * pair, answered by errno and, when that is 0, the descriptor. The parent opens the socket and
 * forgets it: it never accepts or reads. What is asked is bounded in number and rate, so that a
 * sensor that was taken over gains little. */
#ifndef SP_PROBE_ASK_H
#define SP_PROBE_ASK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "probe/base/addr.h"

#define SP_ASK_BYTES 32U
#define SP_ASK_BURST 64U     /* at once */
#define SP_ASK_EVERY 125000U /* microseconds until one more is allowed */

struct sp_ask {
    uint8_t proto; /* SP_PROTO_TCP */
    uint16_t port;
    uint32_t iface;
    struct sp_addr addr;
};

void sp_ask_encode(const struct sp_ask *ask, uint8_t out[static SP_ASK_BYTES]);
/* Strict: length, magic, protocol, family, a port that is not 0, an address that is not the
 * wildcard, and zeros where nothing stands. */
bool sp_ask_decode(const uint8_t *bytes, size_t len, struct sp_ask *ret_ask);

/* The parent's side. */
struct sp_ask_limit {
    uint64_t spent_us; /* a zeroed struct allows the whole burst */
};
/* Reads one message and answers it; false when the other end is gone. is_permitted: stand-ins are
 * of class B. */
bool sp_ask_serve(int fd, bool is_permitted, struct sp_ask_limit *limit);

/* The sensor's side: waits for the answer, at most a second. 0 or errno. */
int sp_ask_parent(int fd, const struct sp_ask *ask, int *ret_fd);

#endif
