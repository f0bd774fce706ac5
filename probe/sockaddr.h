/* SPDX-License-Identifier: Apache-2.0
 *
 * From our addresses to the kernel's (ip(7), ipv6(7)). */
#ifndef SP_PROBE_SOCKADDR_H
#define SP_PROBE_SOCKADDR_H

#include <netinet/in.h>
#include <sys/socket.h>

#include "probe/base/addr.h"

/* iface is only used for link-local addresses. Returns the length. */
socklen_t sp_sockaddr(const struct sp_addr *addr, uint16_t port, uint32_t iface,
                      struct sockaddr_storage *ret_name);

#endif
