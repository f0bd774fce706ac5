/* SPDX-License-Identifier: Apache-2.0 */
#include "probe/base/addr.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

enum sp_rc sp_addr_parse(const char *text, struct sp_addr *ret_addr)
{
    struct sp_addr addr = {0};
    if (inet_pton(AF_INET, text, addr.bytes) == 1) {
        addr.family = SP_FAMILY_IPV4;
    } else if (inet_pton(AF_INET6, text, addr.bytes) == 1) {
        addr.family = SP_FAMILY_IPV6;
    } else {
        return SP_E_INVALID;
    }
    *ret_addr = addr;
    return SP_OK;
}

static uint8_t mask_byte(unsigned bits)
{
    return (uint8_t)(bits >= 8 ? 0xffU : 0xff00U >> bits);
}

static bool same_bits(const uint8_t *a, const uint8_t *b, unsigned bits)
{
    unsigned whole = bits / 8;
    if (memcmp(a, b, whole) != 0) {
        return false;
    }
    unsigned rest = bits % 8;
    return rest == 0 || ((a[whole] ^ b[whole]) & mask_byte(rest)) == 0;
}

enum sp_rc sp_prefix_parse(const char *text, struct sp_prefix *ret_prefix)
{
    char host[SP_ADDR_STRLEN];
    const char *slash = strchr(text, '/');
    size_t host_len = slash ? (size_t)(slash - text) : strlen(text);
    if (host_len >= sizeof(host)) {
        return SP_E_INVALID;
    }
    memcpy(host, text, host_len);
    host[host_len] = '\0';
    struct sp_prefix p = {0};
    if (sp_addr_parse(host, &p.addr) != SP_OK) {
        return SP_E_INVALID;
    }
    unsigned max = (unsigned)sp_addr_len(&p.addr) * 8;
    unsigned len = max;
    if (slash) {
        const char *d = slash + 1;
        if (*d < '0' || *d > '9' || (d[0] == '0' && d[1] != '\0')) {
            return SP_E_INVALID;
        }
        len = 0;
        for (; *d >= '0' && *d <= '9' && len <= max; d++) {
            len = len * 10 + (unsigned)(*d - '0');
        }
        if (*d != '\0' || len > max) {
            return SP_E_INVALID;
        }
    }
    for (unsigned i = 0; i < max / 8; i++) {
        unsigned bits = i * 8 >= len ? 0 : len - i * 8;
        if ((p.addr.bytes[i] & (uint8_t)~mask_byte(bits)) != 0) {
            return SP_E_INVALID;
        }
    }
    p.len = (uint8_t)len;
    *ret_prefix = p;
    return SP_OK;
}

const char *sp_addr_str(const struct sp_addr *addr, char out[static SP_ADDR_STRLEN])
{
    int af = addr->family == SP_FAMILY_IPV4 ? AF_INET : AF_INET6;
    if (addr->family == SP_FAMILY_NONE || !inet_ntop(af, addr->bytes, out, SP_ADDR_STRLEN)) {
        (void)snprintf(out, SP_ADDR_STRLEN, "-");
    }
    return out;
}

const char *sp_prefix_str(const struct sp_prefix *prefix, char out[static SP_PREFIX_STRLEN])
{
    char host[SP_ADDR_STRLEN];
    (void)snprintf(out, SP_PREFIX_STRLEN, "%s/%u", sp_addr_str(&prefix->addr, host),
                   (unsigned)prefix->len);
    return out;
}

struct sp_addr sp_addr_from_bytes(enum sp_family family, const void *bytes)
{
    struct sp_addr addr = {.family = (uint8_t)family};
    memcpy(addr.bytes, bytes, sp_addr_len(&addr));
    return addr;
}

size_t sp_addr_len(const struct sp_addr *addr)
{
    switch (addr->family) {
    case SP_FAMILY_IPV4:
        return 4;
    case SP_FAMILY_IPV6:
        return 16;
    default:
        return 0;
    }
}

bool sp_addr_eq(const struct sp_addr *a, const struct sp_addr *b)
{
    return sp_addr_cmp(a, b) == 0;
}

int sp_addr_cmp(const struct sp_addr *a, const struct sp_addr *b)
{
    if (a->family != b->family) {
        return a->family < b->family ? -1 : 1;
    }
    return memcmp(a->bytes, b->bytes, sizeof(a->bytes));
}

bool sp_addr_is_loopback(const struct sp_addr *addr)
{
    static const uint8_t one[16] = {[15] = 1};
    return addr->family == SP_FAMILY_IPV4   ? addr->bytes[0] == 127
           : addr->family == SP_FAMILY_IPV6 ? memcmp(addr->bytes, one, 16) == 0
                                            : false;
}

bool sp_addr_is_special(const struct sp_addr *addr)
{
    static const uint8_t zero[16] = {0};
    if (sp_addr_is_loopback(addr) || memcmp(addr->bytes, zero, sizeof(zero)) == 0) {
        return true;
    }
    if (addr->family == SP_FAMILY_IPV4) {
        bool is_local = addr->bytes[0] == 169 && addr->bytes[1] == 254;
        bool is_metadata = is_local && addr->bytes[2] == 169 && addr->bytes[3] == 254;
        return addr->bytes[0] >= 224 || (is_local && !is_metadata);
    }
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
    return addr->bytes[0] == 0xff || (addr->bytes[0] == 0xfe && (addr->bytes[1] & 0xc0) == 0x80) ||
           memcmp(addr->bytes, mapped, sizeof(mapped)) == 0;
}

bool sp_prefix_has(const struct sp_prefix *prefix, const struct sp_addr *addr)
{
    return prefix->addr.family == addr->family && prefix->len <= sp_addr_len(addr) * 8 &&
           same_bits(prefix->addr.bytes, addr->bytes, prefix->len);
}

bool sp_prefix_contains(const struct sp_prefix *outer, const struct sp_prefix *inner)
{
    return outer->len <= inner->len && sp_prefix_has(outer, &inner->addr);
}

bool sp_prefix_overlaps(const struct sp_prefix *a, const struct sp_prefix *b)
{
    return sp_prefix_contains(a, b) || sp_prefix_contains(b, a);
}

const char *sp_family_str(uint8_t family)
{
    return family == SP_FAMILY_IPV4 ? "ipv4" : family == SP_FAMILY_IPV6 ? "ipv6" : "none";
}
