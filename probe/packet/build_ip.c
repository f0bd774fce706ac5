/* SPDX-License-Identifier: Apache-2.0
 *
 * Packets that are unusual at the IP layer: IPv4 options (RFC 791 3.1), IPv6 extension headers (RFC
 * 8200 4), and fragments of either, cut wherever a test wants them, also where no stack would.
 * libnet has built the plain packet, checksums and all; what changes here is only what stands
 * between the IP header and the transport header, and which part of the rest is taken. Pure; no
 * allocation. */
#include <string.h>

#include "probe/base/cursor.h"
#include "probe/packet/packet.h"

#define IP4_BYTES 20U
#define IP6_BYTES 40U

bool sp_odd_is_any(const struct sp_odd *odd)
{
    return odd->options_len > 0 || odd->chain_len > 0 || odd->to > 0;
}

/* RFC 1071. */
static uint16_t checksum(const uint8_t *bytes, size_t len)
{
    uint32_t sum = 0;
    for (size_t i = 0; i + 1 < len; i += 2) {
        sum += (uint32_t)bytes[i] << 8 | bytes[i + 1];
    }
    sum = (sum & 0xffff) + (sum >> 16);
    return (uint16_t) ~(sum + (sum >> 16));
}

/* Which part of a body of `len` bytes goes out; false when it does not have that part. */
static bool part_of(const struct sp_odd *odd, size_t len, size_t *ret_from, size_t *ret_to)
{
    bool is_cut = odd->to > 0;
    *ret_from = is_cut ? odd->from : 0;
    *ret_to = is_cut ? odd->to : len;
    return *ret_from < *ret_to && *ret_to <= len && *ret_from % 8 == 0;
}

static size_t apply4(const struct sp_spec *spec, const uint8_t *ip, size_t len, struct sp_wr *wr)
{
    const struct sp_odd *odd = &spec->odd;
    size_t from;
    size_t to;
    size_t header = IP4_BYTES + odd->options_len;
    if (len < IP4_BYTES || odd->options_len > SP_ODD_OPTIONS || odd->options_len % 4 != 0 ||
        odd->chain_len > 0 || !part_of(odd, len - IP4_BYTES, &from, &to)) {
        return 0;
    }
    uint8_t head[IP4_BYTES + SP_ODD_OPTIONS] = {0};
    memcpy(head, ip, IP4_BYTES);
    memcpy(head + IP4_BYTES, odd->options, odd->options_len);
    size_t total = header + to - from;
    head[0] = (uint8_t)(0x40 | header / 4);
    head[2] = (uint8_t)(total >> 8);
    head[3] = (uint8_t)total;
    if (odd->to > 0) {
        uint16_t place = (uint16_t)(from / 8 | (odd->is_more ? 0x2000U : 0U));
        head[6] = (uint8_t)(place >> 8);
        head[7] = (uint8_t)place;
    }
    if (odd->via.family == SP_FAMILY_IPV4) {
        memcpy(head + 16, odd->via.bytes, 4);
    }
    head[10] = head[11] = 0;
    uint16_t sum = checksum(head, header);
    head[10] = (uint8_t)(sum >> 8);
    head[11] = (uint8_t)sum;
    sp_wr_bytes(wr, head, header);
    sp_wr_bytes(wr, ip + IP4_BYTES + from, to - from);
    return total;
}

static size_t eh_len(uint8_t type)
{
    return type == SP_EH_ROUTING ? 24 : 8;
}

/* One extension header; `next` is what follows it. Options are six bytes of padding (PadN). */
static void put_eh(struct sp_wr *wr, const struct sp_spec *spec, uint8_t type, uint8_t next)
{
    static const uint8_t padding[6] = {1, 4};
    const struct sp_odd *odd = &spec->odd;
    sp_wr_u8(wr, next);
    switch (type) {
    case SP_EH_ROUTING: /* one address, that of the receiver, and no segment left */
        sp_wr_u8(wr, 2);
        sp_wr_u8(wr, odd->routing_type);
        sp_wr_u8(wr, 0);
        sp_wr_u32(wr, 0);
        sp_wr_bytes(wr, spec->dst.bytes, 16);
        break;
    case SP_EH_FRAGMENT: /* with neither offset nor more to come: an atomic fragment (RFC 6946) */
        sp_wr_u8(wr, 0);
        sp_wr_u16(wr, (uint16_t)(odd->to > 0 ? odd->from | (odd->is_more ? 1U : 0U) : 0U));
        sp_wr_u32(wr, odd->id);
        break;
    default:
        sp_wr_u8(wr, 0);
        sp_wr_bytes(wr, padding, sizeof(padding));
        break;
    }
}

static size_t apply6(const struct sp_spec *spec, const uint8_t *ip, size_t len, struct sp_wr *wr)
{
    const struct sp_odd *odd = &spec->odd;
    uint8_t chain[SP_ODD_CHAIN + 1];
    size_t n = odd->chain_len;
    size_t from;
    size_t to;
    size_t extra = 0;
    if (len < IP6_BYTES || n > SP_ODD_CHAIN || odd->options_len > 0 ||
        !part_of(odd, len - IP6_BYTES, &from, &to)) {
        return 0;
    }
    memcpy(chain, odd->chain, SP_ODD_CHAIN);
    if (odd->to > 0) {
        chain[n++] = SP_EH_FRAGMENT;
    }
    for (size_t i = 0; i < n; i++) {
        extra += eh_len(chain[i]);
    }
    size_t body = extra + to - from;
    uint8_t head[IP6_BYTES];
    memcpy(head, ip, IP6_BYTES);
    head[4] = (uint8_t)(body >> 8);
    head[5] = (uint8_t)body;
    head[6] = n > 0 ? chain[0] : ip[6];
    sp_wr_bytes(wr, head, IP6_BYTES);
    for (size_t i = 0; i < n; i++) {
        put_eh(wr, spec, chain[i], i + 1 < n ? chain[i + 1] : ip[6]);
    }
    sp_wr_bytes(wr, ip + IP6_BYTES + from, to - from);
    return IP6_BYTES + body;
}

size_t sp_odd_apply(const struct sp_spec *spec, const uint8_t *ip, size_t len, uint8_t *out,
                    size_t at, size_t room)
{
    bool v4 = spec->dst.family == SP_FAMILY_IPV4;
    size_t most = (v4 ? IP4_BYTES + SP_ODD_OPTIONS : IP6_BYTES + 24U * (SP_ODD_CHAIN + 1)) + len;
    if (at >= room || most > room - at) {
        return 0;
    }
    struct sp_wr wr;
    sp_wr_init(&wr, out + at, room - at);
    size_t n = v4 ? apply4(spec, ip, len, &wr) : apply6(spec, ip, len, &wr);
    return n > 0 ? at + n : 0;
}
