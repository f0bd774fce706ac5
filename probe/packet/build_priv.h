/* SPDX-License-Identifier: Apache-2.0
 *
 * What the headers that are written by hand have in common: big-endian numbers and the internet
 * checksum. */
#ifndef SP_PACKET_BUILD_PRIV_H
#define SP_PACKET_BUILD_PRIV_H

#include "probe/packet/packet.h"

static inline void sp_put16(uint8_t *at, size_t value)
{
    at[0] = (uint8_t)(value >> 8);
    at[1] = (uint8_t)value;
}

/* The sum of RFC 1071, not yet folded. */
static inline uint32_t sp_sum_add(uint32_t sum, const uint8_t *at, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        sum += i % 2 ? at[i] : (uint32_t)at[i] << 8;
    }
    return sum;
}

static inline uint16_t sp_sum_fold(uint32_t sum)
{
    while (sum >> 16) {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    return (uint16_t)~sum;
}

/* The longest headers in front of an inner packet: IPv6, UDP, GENEVE, Ethernet. */
#define SP_WRAP_MAX (40U + 8U + 8U + 14U)

/* Addresses, length and protocol, which some protocols sum up too (RFC 8200 8.1). */
static inline uint32_t sp_sum_pseudo(const struct sp_addr *src, const struct sp_addr *dst,
                                     uint8_t ip_proto, size_t len)
{
    size_t n = dst->family == SP_FAMILY_IPV4 ? 4 : 16;
    return sp_sum_add(sp_sum_add((uint32_t)len + ip_proto, src->bytes, n), dst->bytes, n);
}

#endif
