/* SPDX-License-Identifier: Apache-2.0 */
#include "probe/caller/bounds.h"

#include <string.h>

#include "probe/base/str.h"

enum sp_rc sp_call_endpoint_parse(const char *text, struct sp_call_endpoint *ret)
{
    struct sp_call_endpoint out = {0};
    char host[SP_HOSTNAME_STRLEN + 2];
    const char *colon = strrchr(text, ':');
    uint64_t port = 0;
    size_t len = colon ? (size_t)(colon - text) : 0;
    if (len == 0 || len >= sizeof(host) || sp_parse_uint(colon + 1, UINT16_MAX, &port) != SP_OK ||
        port == 0) {
        return SP_E_INVALID;
    }
    memcpy(host, text, len);
    host[len] = '\0';
    out.port = (uint16_t)port;
    if (host[0] == '[' && host[len - 1] == ']') {
        host[len - 1] = '\0';
        if (sp_addr_parse(host + 1, &out.addr) != SP_OK || out.addr.family != SP_FAMILY_IPV6) {
            return SP_E_INVALID;
        }
    } else if (strchr(host, ':') ||
               (sp_addr_parse(host, &out.addr) != SP_OK && !sp_hostname_normal(host, out.name))) {
        return SP_E_INVALID;
    }
    *ret = out;
    return SP_OK;
}

bool sp_call_may_name(const struct sp_call_bounds *bounds, const char *name, uint16_t port)
{
    for (size_t i = 0; i < bounds->n; i++) {
        const struct sp_call_endpoint *endpoint = &bounds->endpoints[i];
        if (endpoint->port == port && endpoint->name[0] && strcmp(endpoint->name, name) == 0) {
            return true;
        }
    }
    return false;
}

bool sp_call_may_addr(const struct sp_call_bounds *bounds, const struct sp_addr *addr,
                      uint16_t port)
{
    for (size_t i = 0; i < bounds->n; i++) {
        const struct sp_call_endpoint *endpoint = &bounds->endpoints[i];
        if (endpoint->port == port && endpoint->addr.family != SP_FAMILY_NONE &&
            sp_addr_eq(&endpoint->addr, addr)) {
            return true;
        }
    }
    return false;
}

bool sp_call_may_server(const struct sp_call_bounds *bounds, const struct sp_addr *addr)
{
    for (size_t i = 0; i < bounds->nservers; i++) {
        if (sp_addr_eq(&bounds->servers[i], addr)) {
            return true;
        }
    }
    return false;
}
