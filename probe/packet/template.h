/* SPDX-License-Identifier: Apache-2.0
 *
 * One packet that libnet built once, of which each copy gets its own ports and tag: what a sweep
 * sends. Only what differs is written; the checksums are those of the rest, to which the new words
 * are added (RFC 1624: the old ones are zero here). The result is byte for byte what
 * sp_spec_build() makes of the same spec.
 *
 *   TCP SYN with options: ports, sequence number, TSval at option byte 8, IPv4 ID
 *   UDP: ports, c and m of the payload tag (tag.h), IPv4 ID; the rest of the payload stays, the
 *        tag's send time too */
#ifndef SP_PACKET_TEMPLATE_H
#define SP_PACKET_TEMPLATE_H

#include "probe/packet/packet.h"
#include "probe/packet/tag.h"

#define SP_TEMPLATE_MAX_BYTES 128U

struct sp_template {
    uint8_t bytes[SP_TEMPLATE_MAX_BYTES];
    uint16_t len, ip, transport; /* bytes in all; where the headers begin */
    uint8_t ip_proto;
    bool is_ipv4;
    uint16_t ip_sum, sum; /* of the words that do not change, not complemented */
};

/* Of a spec of a technique that sweeps; ports and tag in it do not matter. With link-layer
 * addresses it is a frame, with NULL an IP packet. Needs no privilege. SP_E_INVALID: its tag stands
 * somewhere else. */
enum sp_rc sp_template_make(const struct sp_spec *spec, const uint8_t *src_mac,
                            const uint8_t *dst_mac, struct sp_template *ret_template,
                            struct sp_diag *diag) SP_MUST_CHECK;
/* Writes the packet, template->len bytes. */
void sp_template_fill(const struct sp_template *template, uint16_t sport, uint16_t dport,
                      const struct sp_tag *tag, uint8_t out[static SP_TEMPLATE_MAX_BYTES]);

#endif
