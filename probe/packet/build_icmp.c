/* SPDX-License-Identifier: Apache-2.0 */
#include "probe/packet/icmpform.h"

#include <string.h>

#include "probe/packet/build_priv.h"

const uint8_t sp_icmpform_tags[2][SP_ICMPFORM_TAGS] = {{8, 20, 20, 36}, {8, 20, 24, 56}};

static struct sp_icmpform form4(uint8_t type)
{
    bool is_error = type == 3 || type == 4 || type == 5 || type == 11 || type == 12;
    bool has_id = type == 0 || type == 8 || (type >= 13 && type <= 18) || type == 42 || type == 43;
    bool is_long = type == 9 || type == 13 || type == 14 || type == 17 || type == 18 ||
                   type == 42 || type == 43;
    return (struct sp_icmpform){.tag = is_error  ? 36
                                       : is_long ? 20
                                                 : 8,
                                .has_id = has_id,
                                .is_error = is_error};
}

static struct sp_icmpform form6(uint8_t type)
{
    bool is_error = type >= 1 && type <= 4;
    bool has_id = type == 128 || type == 129 || type == 160 || type == 161;
    bool has_addr = (type >= 130 && type <= 136) || type == 139 || type == 140;
    bool is_long = type == 160 || type == 161;
    return (struct sp_icmpform){.tag = is_error   ? 56
                                       : has_addr ? 24
                                       : is_long  ? 20
                                                  : 8,
                                .has_id = has_id,
                                .is_error = is_error};
}

struct sp_icmpform sp_icmpform_of(uint8_t family, uint8_t type)
{
    return family == SP_FAMILY_IPV6 ? form6(type) : form4(type);
}

/* A datagram from the receiver to us, between two ports that are nobody's. */
static void write_quote(const struct sp_spec *spec, uint8_t *out, size_t len)
{
    bool v6 = spec->dst.family == SP_FAMILY_IPV6;
    uint8_t *udp = out + (v6 ? 40 : 20);
    size_t datagram = len - (v6 ? 40 : 20);
    if (v6) {
        out[0] = 0x60;
        sp_put16(out + 4, datagram);
        out[6] = SP_IPPROTO_UDP;
        out[7] = 63;
        memcpy(out + 8, spec->dst.bytes, 16);
        memcpy(out + 24, spec->src.bytes, 16);
    } else {
        out[0] = 0x45;
        sp_put16(out + 2, len);
        sp_put16(out + 4, spec->ip_id);
        out[6] = 0x40;
        out[8] = 63;
        out[9] = SP_IPPROTO_UDP;
        memcpy(out + 12, spec->dst.bytes, 4);
        memcpy(out + 16, spec->src.bytes, 4);
        sp_put16(out + 10, sp_sum_fold(sp_sum_add(0, out, 20)));
    }
    sp_put16(udp, spec->echo_id);
    sp_put16(udp + 2, spec->echo_id);
    sp_put16(udp + 4, datagram);
    uint32_t sum = sp_sum_pseudo(&spec->dst, &spec->src, SP_IPPROTO_UDP, datagram);
    uint16_t folded = sp_sum_fold(sp_sum_add(sum, udp, datagram));
    sp_put16(udp + 6, folded ? folded : 0xffff);
}

/* An interface, by its number (RFC 8335 2.1). */
static void write_extension(uint8_t *out)
{
    static const uint8_t extension[] = {0x20, 0, 0, 0, 0, 8, 3, 2, 0, 0, 0, 1};
    memcpy(out, extension, sizeof(extension));
}

static void write_fields4(const struct sp_spec *spec, uint8_t *out)
{
    static const uint8_t router[] = {1, 2, 0, 0, 192, 0, 2, 1, 0x80, 0, 0, 0};
    if (spec->icmp_type == 9) { /* one router, RFC 5737, gone, never a default */
        memcpy(out + 4, router, sizeof(router));
    } else if (spec->icmp_type == 42) {
        write_extension(out + 8);
    } else if (spec->icmp_type == 3 && spec->icmp_code == 4) {
        sp_put16(out + 6, 1500);
    }
}

static void write_fields6(const struct sp_spec *spec, uint8_t *out)
{
    if (spec->icmp_type == 2) {
        sp_put16(out + 6, 1500);
    } else if (spec->icmp_type == 160) {
        write_extension(out + 8);
    } else if (spec->icmp_type >= 130 && spec->icmp_type <= 132) { /* a group that nobody is in */
        out[8] = 0xff;
        out[9] = 0x0e;
        out[22] = 0x0d;
        out[23] = 0xb8;
    }
}

size_t sp_icmpform_write(const struct sp_spec *spec, uint8_t out[static SP_ICMPFORM_MAX])
{
    bool v6 = spec->dst.family == SP_FAMILY_IPV6;
    struct sp_icmpform form = sp_icmpform_of(spec->dst.family, spec->icmp_type);
    size_t len = form.tag + SP_TAG_BYTES + (form.has_id ? 0U : 4U);
    memset(out, 0, len);
    out[0] = spec->icmp_type;
    out[1] = spec->icmp_code;
    memcpy(out + form.tag, spec->payload, SP_TAG_BYTES);
    uint8_t *numbers = out + (form.has_id ? 4 : form.tag + SP_TAG_BYTES);
    sp_put16(numbers, spec->echo_id);
    sp_put16(numbers + 2, spec->echo_seq);
    if (v6) {
        write_fields6(spec, out);
    } else {
        write_fields4(spec, out);
    }
    if (form.is_error) {
        write_quote(spec, out + 8, len - 8);
    }
    uint32_t sum = v6 ? sp_sum_pseudo(&spec->src, &spec->dst, SP_IPPROTO_ICMP6, len) : 0;
    sp_put16(out + 2, sp_sum_fold(sp_sum_add(sum, out, len)));
    return len;
}
