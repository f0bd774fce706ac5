/* SPDX-License-Identifier: Apache-2.0
 *
 * SCTP packets of one chunk (RFC 9260 3): what a technique sends and what answers it. The tag is
 * the value of a parameter that receivers skip without a word (its type begins with the bits 10),
 * the cookie of a COOKIE ECHO, or the reason in an ABORT. */
#ifndef SP_PACKET_SCTPFORM_H
#define SP_PACKET_SCTPFORM_H

#include "probe/packet/packet.h"

#define SP_SCTP_INIT        1U
#define SP_SCTP_INIT_ACK    2U
#define SP_SCTP_ABORT       6U
#define SP_SCTP_COOKIE_ECHO 10U

/* Offsets of the tag behind the IP header. */
#define SP_SCTP_TAG_COOKIE 16U
#define SP_SCTP_TAG_ABORT  20U
#define SP_SCTP_TAG_INIT   36U

#define SP_SCTPFORM_MAX (SP_SCTP_TAG_INIT + sizeof(((struct sp_spec *)0)->payload))

/* Writes the packet with its checksum; the payload's length must be a multiple of 4. Returns its
 * length. */
size_t sp_sctpform_write(const struct sp_spec *spec, uint8_t out[static SP_SCTPFORM_MAX]);

#endif
