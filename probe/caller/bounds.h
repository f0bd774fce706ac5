/* SPDX-License-Identifier: Apache-2.0
 *
 * Whom the caller may talk to: fixed on the probe's own command line, and no question can widen it.
 * Without an entry it talks to nobody. */
#ifndef SP_PROBE_CALLER_BOUNDS_H
#define SP_PROBE_CALLER_BOUNDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "probe/base/addr.h"
#include "probe/base/hostname.h"

struct sp_call_endpoint {
    char name[SP_HOSTNAME_STRLEN]; /* normal; "" where it is an address */
    struct sp_addr addr;           /* family NONE where it is a name */
    uint16_t port;
};

struct sp_call_bounds {
    struct sp_call_endpoint *endpoints;
    size_t n;
    struct sp_addr *servers; /* name servers, beside those of the host itself */
    size_t nservers;
};

/* "registry.example:443", "192.0.2.1:443", "[2001:db8::1]:443". */
enum sp_rc sp_call_endpoint_parse(const char *text, struct sp_call_endpoint *ret) SP_MUST_CHECK;
/* name is normal. */
bool sp_call_may_name(const struct sp_call_bounds *bounds, const char *name, uint16_t port);
bool sp_call_may_addr(const struct sp_call_bounds *bounds, const struct sp_addr *addr,
                      uint16_t port);
bool sp_call_may_server(const struct sp_call_bounds *bounds, const struct sp_addr *addr);

#endif
