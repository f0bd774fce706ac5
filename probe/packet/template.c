/* SPDX-License-Identifier: Apache-2.0 */
#include "probe/packet/template.h"

#include <libnet.h>
#include <string.h>

#define SP_ETHERNET_BYTES 14U
#define SP_IPV4_BYTES     20U
#define SP_IPV6_BYTES     40U

/* Places from the transport header on. */
#define SP_TCP_SEQ      4U
#define SP_TCP_CHECKSUM 16U
#define SP_TCP_TSVAL    28U
#define SP_UDP_CHECKSUM 6U
#define SP_UDP_SEAL     12U
#define SP_UDP_MAC      16U

static void put16(uint8_t *at, uint16_t v)
{
    at[0] = (uint8_t)(v >> 8);
    at[1] = (uint8_t)v;
}

static void put32(uint8_t *at, uint32_t v)
{
    put16(at, (uint16_t)(v >> 16));
    put16(at + 2, (uint16_t)v);
}

static uint16_t get16(const uint8_t *at)
{
    return (uint16_t)((unsigned)at[0] << 8 | at[1]);
}

static uint16_t fold(uint64_t sum)
{
    sum = (sum & 0xffffffffU) + (sum >> 32);
    sum = (sum & 0xffff) + (sum >> 16); /* 33 bits before it, at most 2^17 - 1 + 0xffff after */
    sum = (sum & 0xffff) + (sum >> 16);
    sum = (sum & 0xffff) + (sum >> 16);
    return (uint16_t)sum;
}

/* A context without a socket. */
static enum sp_rc build(const struct sp_spec *spec, const uint8_t *src_mac, const uint8_t *dst_mac,
                        struct sp_template *t, struct sp_diag *diag)
{
    char errbuf[LIBNET_ERRBUF_SIZE] = "";
    struct sp_built built;
    libnet_t *l = libnet_init(LIBNET_NONE, NULL, errbuf);
    if (!l) {
        return sp_fail(diag, SP_E_NOMEM, "packet", "%.200s", errbuf);
    }
    enum sp_rc rc = sp_spec_build(l, spec, src_mac, dst_mac, &built, diag);
    if (rc == SP_OK && built.len > sizeof(t->bytes)) {
        rc = sp_fail(diag, SP_E_LIMIT, "packet", "it is too long for a sweep");
        sp_built_free(&built);
    } else if (rc == SP_OK) {
        memcpy(t->bytes, built.bytes, built.len);
        t->len = (uint16_t)built.len;
        sp_built_free(&built);
    }
    libnet_destroy(l);
    return rc;
}

enum sp_rc sp_template_make(const struct sp_spec *spec, const uint8_t *src_mac,
                            const uint8_t *dst_mac, struct sp_template *ret_template,
                            struct sp_diag *diag)
{
    struct sp_template t = {.ip_proto = spec->ip_proto,
                            .is_ipv4 = spec->dst.family == SP_FAMILY_IPV4};
    struct sp_spec plain = *spec;
    bool is_tcp = spec->ip_proto == SP_IPPROTO_TCP && spec->tcp_options;
    bool is_udp = spec->ip_proto == SP_IPPROTO_UDP && spec->payload_len >= SP_TAG_BYTES;
    if (!is_tcp && !is_udp) {
        return sp_fail(diag, SP_E_INVALID, "packet", "a sweep of this kind is not known");
    }
    plain.sport = plain.dport = plain.ip_id = 0;
    plain.seq = plain.tsval = 0;
    memset(plain.payload + SP_UDP_SEAL - 8, 0, 12);
    enum sp_rc rc = build(&plain, src_mac, dst_mac, &t, diag);
    if (rc != SP_OK) {
        return rc;
    }
    t.ip = dst_mac ? SP_ETHERNET_BYTES : 0;
    t.transport = (uint16_t)(t.ip + (t.is_ipv4 ? SP_IPV4_BYTES : SP_IPV6_BYTES));
    t.ip_sum = t.is_ipv4 ? (uint16_t)~get16(t.bytes + t.ip + 10) : 0;
    /* A UDP sum of 0xffff may stand for 0 (RFC 768): both are the same number here. */
    t.sum = (uint16_t)~get16(t.bytes + t.transport + (is_tcp ? SP_TCP_CHECKSUM : SP_UDP_CHECKSUM));
    *ret_template = t;
    return SP_OK;
}

void sp_template_fill(const struct sp_template *template, uint16_t sport, uint16_t dport,
                      const struct sp_tag *tag, uint8_t out[static SP_TEMPLATE_MAX_BYTES])
{
    uint8_t *transport = out + template->transport;
    uint64_t sum = (uint64_t) template->sum + sport + dport;
    memcpy(out, template->bytes, SP_TEMPLATE_MAX_BYTES);
    if (template->is_ipv4) {
        put16(out + template->ip + 4, tag->ip_id);
        put16(out + template->ip + 10, (uint16_t)~fold((uint64_t) template->ip_sum + tag->ip_id));
    }
    put16(transport, sport);
    put16(transport + 2, dport);
    /* Words of 32 bits add up to the same as their halves: 2^16 is 1 modulo 2^16 - 1. */
    if (template->ip_proto == SP_IPPROTO_TCP) {
        sum += (uint64_t)tag->seq + tag->tsval;
        put32(transport + SP_TCP_SEQ, tag->seq);
        put32(transport + SP_TCP_TSVAL, tag->tsval);
        put16(transport + SP_TCP_CHECKSUM, (uint16_t)~fold(sum));
        return;
    }
    sum += (uint64_t)tag->seq + (tag->mac >> 32) + (uint32_t)tag->mac;
    put32(transport + SP_UDP_SEAL, tag->seq);
    put32(transport + SP_UDP_MAC, (uint32_t)(tag->mac >> 32));
    put32(transport + SP_UDP_MAC + 4, (uint32_t)tag->mac);
    uint16_t folded = fold(sum);
    put16(transport + SP_UDP_CHECKSUM, folded == 0xffff ? 0xffff : (uint16_t)~folded);
}
