/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/packet/packet_kit.h"

#include <libnet.h>
#include <string.h>

#include "tests/support/sp_cmocka.h"

void kit_build(const struct sp_spec *spec, struct kit_bytes *out)
{
    char errbuf[LIBNET_ERRBUF_SIZE];
    struct sp_built built;
    struct sp_diag diag = {0};
    libnet_t *l = libnet_init(LIBNET_NONE, NULL, errbuf);
    assert_non_null(l);
    assert_int_equal(sp_spec_build(l, spec, NULL, NULL, &built, &diag), SP_OK);
    assert_true(built.len <= SP_SPEC_MAX_BYTES + spec->pad && built.len <= KIT_MAX);
    memcpy(out->at, built.bytes, built.len);
    out->len = built.len;
    sp_built_free(&built);
    assert_null(built.bytes);
    sp_built_free(&built);
    libnet_destroy(l);
}

static uint32_t add(uint32_t sum, const uint8_t *p, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        sum += (uint32_t)p[i] << (i % 2 ? 0 : 8);
    }
    return sum;
}

static uint16_t fold(uint32_t sum)
{
    while (sum >> 16) {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    return (uint16_t)sum;
}

/* IGMP, OSPFv2 and PIM sum up the packet; of the others test_ipform.c knows more. */
static bool has_no_sum(uint8_t proto)
{
    return proto != 1 && proto != 6 && proto != 17 && proto != 58;
}

bool kit_checksums_ok(const uint8_t *ip, size_t len)
{
    if (ip[0] >> 4 == 4) {
        size_t header = (size_t)(ip[0] & 15) * 4;
        size_t body = len - header;
        uint32_t pseudo = add(0, ip + 12, 8) + ip[9] + (uint32_t)body;
        bool transport =
            has_no_sum(ip[9]) || fold(add(ip[9] == 1 ? 0 : pseudo, ip + header, body)) == 0xffff;
        return fold(add(0, ip, header)) == 0xffff && transport &&
               ((size_t)ip[2] << 8 | ip[3]) == len;
    }
    bool whole = ((size_t)ip[4] << 8 | ip[5]) == len - 40;
    size_t at = 40;
    uint8_t next = ip[6];
    while (next == 0 || next == 43 || next == 44 || next == 60) { /* extension headers */
        size_t step = next == 44 ? 8 : ((size_t)ip[at + 1] + 1) * 8;
        next = ip[at];
        at += step;
    }
    size_t body = len - at;
    uint32_t pseudo = add(0, ip + 8, 32) + next + (uint32_t)body;
    /* RFC 8200 8.1: a zero UDP checksum is not legal over IPv6. */
    bool zero_udp = next == 17 && ip[at + 6] == 0 && ip[at + 7] == 0;
    return whole && !zero_udp && (has_no_sum(next) || fold(add(pseudo, ip + at, body)) == 0xffff);
}

struct sp_addr kit_addr(const char *text)
{
    struct sp_addr addr;
    assert_int_equal(sp_addr_parse(text, &addr), SP_OK);
    return addr;
}

size_t kit_ip4(uint8_t *out, uint8_t proto, const char *src, const char *dst, const void *body,
               size_t len)
{
    struct sp_addr s = kit_addr(src);
    struct sp_addr d = kit_addr(dst);
    memset(out, 0, 20);
    out[0] = 0x45;
    out[2] = (uint8_t)((20 + len) >> 8);
    out[3] = (uint8_t)(20 + len);
    out[8] = 61;
    out[9] = proto;
    memcpy(out + 12, s.bytes, 4);
    memcpy(out + 16, d.bytes, 4);
    memcpy(out + 20, body, len);
    return 20 + len;
}

size_t kit_ip6(uint8_t *out, uint8_t next, const char *src, const char *dst, const void *body,
               size_t len)
{
    struct sp_addr s = kit_addr(src);
    struct sp_addr d = kit_addr(dst);
    memset(out, 0, 40);
    out[0] = 0x60;
    out[4] = (uint8_t)(len >> 8);
    out[5] = (uint8_t)len;
    out[6] = next;
    out[7] = 61;
    memcpy(out + 8, s.bytes, 16);
    memcpy(out + 24, d.bytes, 16);
    memcpy(out + 40, body, len);
    return 40 + len;
}
