/* SPDX-License-Identifier: Apache-2.0
 *
 * ICMP and ICMPv6 messages other than echo requests and replies: the type's own fields, the tag,
 * and two numbers by which a packet finds its flow: identifier and sequence number where the type
 * has them, else behind the tag. An error quotes a datagram that nobody ever sent, and the tag is
 * what that datagram is said to carry. Fields say what does no harm: a router with a lifetime of 0,
 * an MTU of 1500. Sources: RFC 792, 950, 1256, 4443, 2710, 4620, 8335. */
#ifndef SP_PACKET_ICMPFORM_H
#define SP_PACKET_ICMPFORM_H

#include "probe/packet/packet.h"
#include "probe/packet/tag.h"

struct sp_icmpform {
    uint8_t tag;   /* its offset in the message */
    bool has_id;   /* identifier and sequence number stand at 4 */
    bool is_error; /* quotes a datagram */
};

/* The offsets that occur, for filters, rising: the last is the errors' of the family. */
#define SP_ICMPFORM_TAGS 4
extern const uint8_t sp_icmpform_tags[2][SP_ICMPFORM_TAGS]; /* IPv4, IPv6 */

#define SP_ICMPFORM_MAX (56U + SP_TAG_BYTES + 4U)

struct sp_icmpform sp_icmpform_of(uint8_t family, uint8_t type);
/* Writes the whole message with its checksum; the payload must be a tag. Returns its length. */
size_t sp_icmpform_write(const struct sp_spec *spec, uint8_t out[static SP_ICMPFORM_MAX]);

#endif
