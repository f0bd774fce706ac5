/* SPDX-License-Identifier: Apache-2.0
 *
 * Packets of protocols without ports: a short well-formed header of the protocol, two numbers that
 * stand in for ports (so that an answer or a quote finds its flow), the tag. Where a field of the
 * header may hold any value the numbers stand there, within the 8 bytes that every ICMP error
 * quotes; else behind the header. Nothing in such a packet makes a host do anything: an inner
 * packet has a hop limit of 1 and addresses for documentation, a VRRP advertisement a TTL that RFC
 * 5798 7.1 refuses, an OSPF packet an area that is nobody's. Sources: RFC 2003, 2473, 2784, 4303,
 * 4302, 2328, 5340, 7761, 5798, 3228. */
#ifndef SP_PACKET_IPFORM_H
#define SP_PACKET_IPFORM_H

#include "probe/packet/packet.h"

/* Offsets behind the IP header. */
struct sp_ipform {
    uint8_t numbers; /* of the two 16-bit numbers */
    uint8_t tag;
};

#define SP_IPFORM_MAX 44U /* the largest tag offset */

struct sp_ipform sp_ipform_of(uint8_t family, uint8_t ip_proto);
/* Writes everything behind the IP header: header, spec->sport, spec->dport, payload. Returns its
 * length. */
size_t sp_ipform_write(const struct sp_spec *spec,
                       uint8_t out[static SP_IPFORM_MAX + sizeof(((struct sp_spec *)0)->payload)]);

#endif
