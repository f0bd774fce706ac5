/* SPDX-License-Identifier: Apache-2.0
 *
 * Reads back what evidence_file.c writes: one section, interfaces, packets with comments. Strict:
 * what our own writer never writes is refused (draft-ietf-opsawg-pcapng, see pcapng.c). The bytes
 * are untrusted. */
#include <string.h>

#include "reports/manifest.h"
#include "reports/pcapng.h"

#define SP_BLOCK_SECTION   0x0a0d0d0aU
#define SP_BLOCK_INTERFACE 1U
#define SP_BLOCK_PACKET    6U
#define SP_BYTE_ORDER      0x1a2b3c4dU
#define SP_OPT_END         0U
#define SP_OPT_COMMENT     1U
#define SP_INTERFACES_MAX  65536U

struct reader {
    const uint8_t *bytes;
    size_t len;
    const char *run_id, *id;
    const struct sp_proof_flow *flows;
    size_t nflows;
    uint32_t ninterfaces;
    struct sp_packets found;
    const char *wrong;
};

static uint32_t get16(const uint8_t *at)
{
    return (uint32_t)at[0] | (uint32_t)at[1] << 8;
}

static uint32_t get32(const uint8_t *at)
{
    return get16(at) | get16(at + 2) << 16;
}

static bool refuse(struct reader *r, const char *wrong)
{
    r->wrong = wrong;
    return false;
}

/* ---- comments ---- */

/* The value of a word that our comments have without quotes. */
static bool has_word(const char *comment, size_t len, const char *key, const char *value)
{
    size_t nkey = strlen(key);
    size_t nvalue = strlen(value);
    for (size_t i = 0; i + nkey + nvalue <= len; i++) {
        bool starts = i == 0 || comment[i - 1] == ' ';
        if (starts && memcmp(comment + i, key, nkey) == 0) {
            size_t end = i + nkey + nvalue; /* the first of its name counts */
            return memcmp(comment + i + nkey, value, nvalue) == 0 &&
                   (end == len || comment[end] == ' ');
        }
    }
    return false;
}

static bool find_comment(const uint8_t *at, size_t len, const char **ret_comment, size_t *ret_len)
{
    *ret_comment = NULL;
    *ret_len = 0;
    while (len >= 4) {
        uint32_t code = get16(at);
        size_t size = get16(at + 2);
        size_t padded = (size + 3) & ~(size_t)3;
        if (code == SP_OPT_END) {
            return size == 0 && len == 4;
        }
        if (padded > len - 4) {
            return false;
        }
        if (code == SP_OPT_COMMENT && !*ret_comment) {
            *ret_comment = (const char *)at + 4;
            *ret_len = size;
        }
        at += 4 + padded;
        len -= 4 + padded;
    }
    return false; /* the end of options is always written */
}

/* ---- packets ---- */

/* Both addresses of an IP packet; false: it is none. */
static bool addresses(const uint8_t *at, size_t len, struct sp_addr *src, struct sp_addr *dst)
{
    if (len >= 20 && at[0] >> 4 == 4) {
        *src = sp_addr_from_bytes(SP_FAMILY_IPV4, at + 12);
        *dst = sp_addr_from_bytes(SP_FAMILY_IPV4, at + 16);
        return true;
    }
    if (len >= 40 && at[0] >> 4 == 6) {
        *src = sp_addr_from_bytes(SP_FAMILY_IPV6, at + 8);
        *dst = sp_addr_from_bytes(SP_FAMILY_IPV6, at + 24);
        return true;
    }
    return false;
}

static bool is_of_finding(const struct reader *r, const struct sp_addr *src,
                          const struct sp_addr *dst)
{
    for (size_t i = 0; i < r->nflows; i++) {
        for (size_t k = 0; k < SP_ARRAY_LEN(r->flows[i].addrs); k++) {
            const struct sp_addr *addr = &r->flows[i].addrs[k];
            if (addr->family != SP_FAMILY_NONE &&
                (sp_addr_eq(addr, src) || sp_addr_eq(addr, dst))) {
                return true;
            }
        }
    }
    return false;
}

static bool read_packet(struct reader *r, const uint8_t *body, size_t len)
{
    struct sp_addr src;
    struct sp_addr dst;
    const char *comment = NULL;
    size_t ncomment = 0;
    uint32_t captured = len >= 20 ? get32(body + 12) : 0;
    size_t padded = ((size_t)captured + 3) & ~(size_t)3;
    if (len < 20 || padded > len - 20 || get32(body) >= r->ninterfaces) {
        return refuse(r, "a packet is longer than its block, or of no interface");
    }
    if (!find_comment(body + 20 + padded, len - 20 - padded, &comment, &ncomment) || !comment) {
        return refuse(r, "a packet has no comment that says what it is");
    }
    if (r->run_id && !has_word(comment, ncomment, "run=", r->run_id)) {
        return refuse(r, "a packet is of another run");
    }
    if (r->id && !has_word(comment, ncomment, "check=", r->id)) {
        return refuse(r, "a packet belongs to another finding");
    }
    r->found.total++;
    bool is_plain = !has_word(comment, ncomment, "role=", "control") &&
                    !has_word(comment, ncomment, "role=", "stray");
    if (!addresses(body + 20, captured, &src, &dst)) {
        return refuse(r, "a packet is not IP");
    }
    if (is_plain) {
        r->found.plain++;
        r->found.matching += is_of_finding(r, &src, &dst);
    }
    return true;
}

static bool read_block(struct reader *r, size_t at, uint32_t type, size_t len)
{
    const uint8_t *body = r->bytes + at + 8;
    size_t inner = len - 12;
    if (at == 0) {
        return (type == SP_BLOCK_SECTION && inner >= 16 && get32(body) == SP_BYTE_ORDER) ||
               refuse(r, "it does not begin as a pcapng file of segproof does");
    }
    if (type == SP_BLOCK_INTERFACE && inner >= 8 && r->ninterfaces < SP_INTERFACES_MAX) {
        uint32_t link = get16(body);
        r->ninterfaces++;
        return link == SP_LINKTYPE_RAW || link == SP_LINKTYPE_IPV4 || link == SP_LINKTYPE_IPV6 ||
               refuse(r, "an interface is not one of IP packets");
    }
    return type == SP_BLOCK_PACKET ? read_packet(r, body, inner)
                                   : refuse(r, "it holds a block that segproof never writes");
}

enum sp_rc sp_packets_read(const uint8_t *bytes, size_t len, const char *run_id, const char *id,
                           const struct sp_proof_flow *flows, size_t nflows,
                           struct sp_packets *ret_packets, struct sp_diag *diag)
{
    struct reader r = {
        .bytes = bytes, .len = len, .run_id = run_id, .id = id, .flows = flows, .nflows = nflows};
    size_t at = 0;
    bool good = len > 0 || refuse(&r, "it is empty");
    while (good && at < len) {
        size_t left = len - at;
        size_t size = left >= 12 ? get32(bytes + at + 4) : 0;
        if (size < 12 || size % 4 != 0 || size > left || get32(bytes + at + size - 4) != size) {
            good = refuse(&r, "a block is cut off or has a wrong length");
        } else {
            good = read_block(&r, at, get32(bytes + at), size);
            at += size;
        }
    }
    if (!good) {
        return sp_fail(diag, SP_E_INVALID, "", "%s", r.wrong);
    }
    *ret_packets = r.found;
    return SP_OK;
}
