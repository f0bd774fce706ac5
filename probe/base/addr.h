/* SPDX-License-Identifier: Apache-2.0
 *
 * IPv4 and IPv6 addresses and prefixes as plain values. An IPv4 address uses the first 4 bytes; the
 * rest is zero, so memcmp of the whole struct is a total order. Text forms: RFC 4291 2.2, RFC 5952
 * (printing), RFC 4632 (CIDR). */
#ifndef SP_BASE_ADDR_H
#define SP_BASE_ADDR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "probe/base/rc.h"

enum sp_family { SP_FAMILY_NONE = 0, SP_FAMILY_IPV4 = 4, SP_FAMILY_IPV6 = 6 };

struct sp_addr {
    uint8_t family; /* enum sp_family */
    uint8_t bytes[16];
};

struct sp_prefix {
    struct sp_addr addr;
    uint8_t len; /* bits, 0..32 or 0..128 */
};

/* Both ends of one packet; of ICMP the addresses alone say something. src.family NONE: unknown. */
struct sp_tuple {
    struct sp_addr src, dst;
    uint16_t sport, dport;
};

#define SP_ADDR_STRLEN   46
#define SP_PREFIX_STRLEN 50

/* Exact text only: no surrounding space, no zone, no leading zeros in IPv4. */
enum sp_rc sp_addr_parse(const char *text, struct sp_addr *ret_addr) SP_MUST_CHECK;
/* "10.0.0.0/8"; host bits must be zero. A bare address is a full-length prefix. */
enum sp_rc sp_prefix_parse(const char *text, struct sp_prefix *ret_prefix) SP_MUST_CHECK;

const char *sp_addr_str(const struct sp_addr *addr, char out[static SP_ADDR_STRLEN]);
const char *sp_prefix_str(const struct sp_prefix *prefix, char out[static SP_PREFIX_STRLEN]);

struct sp_addr sp_addr_from_bytes(enum sp_family family, const void *bytes);
size_t sp_addr_len(const struct sp_addr *addr); /* 4, 16 or 0 */
bool sp_addr_eq(const struct sp_addr *a, const struct sp_addr *b);
int sp_addr_cmp(const struct sp_addr *a, const struct sp_addr *b);
/* Loopback, link-local, multicast, unspecified, broadcast or IPv4-mapped: never a tested address.
 * 169.254.169.254 is not: the metadata service of clouds, which their routers carry on. */
bool sp_addr_is_special(const struct sp_addr *addr);
bool sp_addr_is_loopback(const struct sp_addr *addr);

bool sp_prefix_has(const struct sp_prefix *prefix, const struct sp_addr *addr);
bool sp_prefix_contains(const struct sp_prefix *outer, const struct sp_prefix *inner);
bool sp_prefix_overlaps(const struct sp_prefix *a, const struct sp_prefix *b);
const char *sp_family_str(uint8_t family); /* "ipv4", "ipv6" */

#endif
