/* SPDX-License-Identifier: Apache-2.0 */
#include "probe/base/ipproto.h"

#include "probe/base/addr.h"
#include "probe/base/attr.h"

/* Tunnels, VPNs, routing and redundancy protocols, and the two numbers for experiments (RFC 3692):
 * what a policy names in practice. An open socket keeps the kernel from answering "protocol
 * unreachable", so there is none for the rest. */
static const uint8_t witnessed[] = {4,  41,  46,  47,  50,  51,  88, 89,
                                    97, 103, 108, 112, 115, 253, 254};

bool sp_ip_is_testable(uint8_t family, uint16_t number)
{
    static const uint8_t own[] = {0, 1, 6, 17, 33, 58, 132, 136};
    /* Hop-by-hop, routing, fragment, no next header, destination options, mobility, HIP, shim6. */
    static const uint8_t extensions[] = {0, 43, 44, 59, 60, 135, 139, 140};
    bool ok = number <= 255;
    for (size_t i = 0; i < SP_ARRAY_LEN(own); i++) {
        ok = ok && number != own[i];
    }
    for (size_t i = 0; family == SP_FAMILY_IPV6 && i < SP_ARRAY_LEN(extensions); i++) {
        ok = ok && number != extensions[i];
    }
    return ok;
}

bool sp_ip_is_witnessed(uint16_t number)
{
    for (size_t i = 0; i < SP_ARRAY_LEN(witnessed); i++) {
        if (witnessed[i] == number) {
            return true;
        }
    }
    return false;
}

const uint8_t *sp_ip_witnessed(size_t *ret_n)
{
    *ret_n = SP_ARRAY_LEN(witnessed);
    return witnessed;
}
