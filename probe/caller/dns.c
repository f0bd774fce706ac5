/* SPDX-License-Identifier: Apache-2.0 */
#include "probe/caller/dns.h"

#include <string.h>

#define HEADER   12U
#define CLASS_IN 1U
#define CNAME    5U
#define FLAG_QR  0x8000U
#define FLAG_TC  0x0200U
#define FLAG_RD  0x0100U
#define RCODE    0x000fU
#define OPCODE   0x7800U
/* More steps than a name of 255 bytes can have. */
#define STEPS    260U

static uint16_t get16(const uint8_t *at)
{
    return (uint16_t)(at[0] << 8 | at[1]);
}

static void put16(uint8_t *at, uint16_t value)
{
    at[0] = (uint8_t)(value >> 8);
    at[1] = (uint8_t)value;
}

size_t sp_dns_question(const char *name, uint16_t type, uint16_t id,
                       uint8_t out[static SP_DNS_QUESTION_MAX])
{
    size_t at = HEADER;
    memset(out, 0, HEADER);
    put16(out, id);
    put16(out + 2, FLAG_RD);
    put16(out + 4, 1);
    while (*name) {
        size_t len = strcspn(name, ".");
        out[at++] = (uint8_t)len;
        memcpy(out + at, name, len);
        at += len;
        name += len + (name[len] == '.');
    }
    out[at++] = 0;
    put16(out + at, type);
    put16(out + at + 2, CLASS_IN);
    return at + 4;
}

static char plain(uint8_t c)
{
    if (c >= 'A' && c <= 'Z') {
        return (char)(c - 'A' + 'a');
    }
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_' ? (char)c : '?';
}

/* The name at *at as text (what no host's name holds becomes '?'); *at moves behind it. */
static bool read_name(const uint8_t *bytes, size_t len, size_t *at,
                      char out[static SP_HOSTNAME_STRLEN])
{
    size_t pos = *at;
    size_t n = 0;
    bool has_jumped = false;
    for (unsigned step = 0; step < STEPS && pos < len; step++) {
        uint8_t label = bytes[pos];
        if (label == 0) {
            *at = has_jumped ? *at : pos + 1;
            out[n > 0 ? n - 1 : 0] = '\0';
            return true;
        }
        if ((label & 0xc0U) == 0xc0U) {
            size_t to = pos + 1 < len ? get16(bytes + pos) & 0x3fffU : len;
            if (to >= pos) {
                return false;
            }
            *at = has_jumped ? *at : pos + 2;
            has_jumped = true;
            pos = to;
            continue;
        }
        if (label > 63 || pos + 1 + label > len || n + label + 1U >= SP_HOSTNAME_STRLEN) {
            return false;
        }
        for (size_t i = 0; i < label; i++) {
            out[n++] = plain(bytes[pos + 1 + i]);
        }
        out[n++] = '.';
        pos += label + 1U;
    }
    return false;
}

struct entry {
    char owner[SP_HOSTNAME_STRLEN];
    uint16_t type;
    size_t data, len; /* of its data */
};

static bool read_entry(const uint8_t *bytes, size_t len, size_t *at, struct entry *entry)
{
    if (!read_name(bytes, len, at, entry->owner) || *at + 10 > len) {
        return false;
    }
    entry->type = get16(bytes + *at + 2) == CLASS_IN ? get16(bytes + *at) : 0;
    entry->len = get16(bytes + *at + 8);
    entry->data = *at + 10;
    *at = entry->data + entry->len;
    return *at <= len;
}

/* The name that owner stands for, as far as the answer says. */
static bool follow(const uint8_t *bytes, size_t len, size_t at, unsigned count, char *owner)
{
    struct entry entry;
    for (unsigned i = 0; i < count; i++) {
        if (!read_entry(bytes, len, &at, &entry)) {
            return false;
        }
        if (entry.type == CNAME && strcmp(entry.owner, owner) == 0) {
            size_t data = entry.data;
            return read_name(bytes, len, &data, owner);
        }
    }
    return false;
}

static bool collect(const uint8_t *bytes, size_t len, size_t at, unsigned count, const char *owner,
                    uint16_t type, struct sp_dns_answer *answer)
{
    enum sp_family family = type == SP_DNS_A ? SP_FAMILY_IPV4 : SP_FAMILY_IPV6;
    size_t size = type == SP_DNS_A ? 4 : 16;
    struct entry entry;
    for (unsigned i = 0; i < count; i++) {
        if (!read_entry(bytes, len, &at, &entry)) {
            return answer->is_truncated; /* the rest was cut off, and that was said */
        }
        if (entry.type != type || entry.len != size || strcmp(entry.owner, owner) != 0) {
            continue;
        }
        struct sp_addr addr = sp_addr_from_bytes(family, bytes + entry.data);
        size_t k = 0;
        while (k < answer->n && !sp_addr_eq(&answer->addrs[k], &addr)) {
            k++;
        }
        if (k == answer->n || answer->n == SP_DNS_ADDRS) {
            answer->total++;
        }
        if (k == answer->n && answer->n < SP_DNS_ADDRS) {
            answer->addrs[answer->n++] = addr;
        }
    }
    return true;
}

bool sp_dns_parse(const uint8_t *bytes, size_t len, const char *name, uint16_t type, uint16_t id,
                  struct sp_dns_answer *ret_answer)
{
    char owner[SP_HOSTNAME_STRLEN];
    size_t at = HEADER;
    *ret_answer = (struct sp_dns_answer){0};
    if (len < HEADER || get16(bytes) != id || get16(bytes + 4) != 1) {
        return false;
    }
    uint16_t flags = get16(bytes + 2);
    unsigned count = get16(bytes + 6);
    if (!(flags & FLAG_QR) || (flags & OPCODE) || !read_name(bytes, len, &at, owner) ||
        strcmp(owner, name) != 0 || at + 4 > len || get16(bytes + at) != type ||
        get16(bytes + at + 2) != CLASS_IN) {
        return false;
    }
    at += 4;
    ret_answer->rcode = (uint8_t)(flags & RCODE);
    ret_answer->is_truncated = (flags & FLAG_TC) != 0;
    for (unsigned i = 0; i < SP_DNS_ALIASES && follow(bytes, len, at, count, owner); i++) {
    }
    return collect(bytes, len, at, count, owner, type, ret_answer);
}
