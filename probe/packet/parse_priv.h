/* SPDX-License-Identifier: Apache-2.0
 *
 * Between the files of the parser only: what follows the IP header of protocols with a file of
 * their own. */
#ifndef SP_PACKET_PARSE_PRIV_H
#define SP_PACKET_PARSE_PRIV_H

#include "probe/base/cursor.h"
#include "probe/packet/packet.h"

/* A protocol without ports: the two numbers and the payload of packet/ipform.h, as far as they are
 * there. Of a foreign packet they mean nothing. */
void sp_parse_portless(struct sp_rd *rd, struct sp_pkt *pkt);
/* An ICMP message other than echo, from its first byte at start on: its payload and the two numbers
 * of packet/icmpform.h, as far as they are there. */
void sp_parse_icmp_form(const struct sp_rd *rd, size_t start, struct sp_pkt *pkt);
/* From the common header on; false when the first chunk's header is not there. */
bool sp_parse_sctp(struct sp_rd *rd, struct sp_pkt *pkt);

#endif
