/* SPDX-License-Identifier: Apache-2.0 */
#include "probe/sockaddr.h"

#include <string.h>

socklen_t sp_sockaddr(const struct sp_addr *addr, uint16_t port, uint32_t iface,
                      struct sockaddr_storage *ret_name)
{
    memset(ret_name, 0, sizeof(*ret_name));
    if (addr->family == SP_FAMILY_IPV4) {
        struct sockaddr_in *sin = (struct sockaddr_in *)ret_name;
        sin->sin_family = AF_INET;
        sin->sin_port = htons(port);
        memcpy(&sin->sin_addr, addr->bytes, 4);
        return sizeof(*sin);
    }
    struct sockaddr_in6 *sin6 = (struct sockaddr_in6 *)ret_name;
    sin6->sin6_family = AF_INET6;
    sin6->sin6_port = htons(port);
    memcpy(&sin6->sin6_addr, addr->bytes, 16);
    sin6->sin6_scope_id = IN6_IS_ADDR_LINKLOCAL(&sin6->sin6_addr) ? iface : 0;
    return sizeof(*sin6);
}
