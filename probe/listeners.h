/* SPDX-License-Identifier: Apache-2.0
 *
 * Which ports of this host have a listener (proc(5): /proc/net/{tcp,udp}{,6}), so that tagged
 * payload is never sent to a real service. */
#ifndef SP_PROBE_LISTENERS_H
#define SP_PROBE_LISTENERS_H

#include "probe/base/addr.h"

#define SP_LISTENERS_MAX 8192U /* told at most */

struct sp_listener_seen {
    uint8_t proto; /* enum sp_proto: TCP or UDP */
    uint16_t port;
    struct sp_addr addr; /* all zero bytes: every address of the family */
};

void sp_listeners_read(void (*fn)(const struct sp_listener_seen *seen, void *arg), void *arg);
/* One line of such a file; false when it is no listener. Exposed for the tests. */
bool sp_listener_parse(const char *line, uint8_t proto, uint8_t family,
                       struct sp_listener_seen *ret_seen);

#endif
