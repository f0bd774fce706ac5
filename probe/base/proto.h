/* SPDX-License-Identifier: Apache-2.0
 *
 * The protocols a flow can have, and what a "port" means in each: a 16-bit number on one axis, so
 * that every protocol is judged by the same interval code.
 *   tcp, udp, sctp  the destination port (0..65535; 0 is never tested)
 *   icmp, icmp6     type << 8 | code
 *   ip              the protocol number (0..255) of everything else */
#ifndef SP_BASE_PROTO_H
#define SP_BASE_PROTO_H

#include <stddef.h>
#include <stdint.h>

#include "probe/base/rc.h"

enum sp_proto {
    SP_PROTO_TCP,
    SP_PROTO_UDP,
    SP_PROTO_ICMP,
    SP_PROTO_ICMP6,
    SP_PROTO_SCTP,
    SP_PROTO_IP,
    SP_PROTO_COUNT
};

#define SP_PORTSPEC_STRLEN 32

/* A set of destinations in one protocol, or in all of them. */
struct sp_portspec {
    uint8_t proto;   /* enum sp_proto; SP_PROTO_COUNT means every protocol ("any") */
    uint8_t is_wild; /* written as "any" or with a star: an allow acts as permit */
    uint16_t lo, hi; /* inclusive, on the protocol's axis */
};

const char *sp_proto_str(uint8_t proto); /* "tcp" */
uint16_t sp_proto_max(uint8_t proto);    /* 65535, or 255 for ip */
uint16_t sp_proto_min(uint8_t proto);    /* 1 for tcp, udp, sctp (port 0 is reserved); else 0 */
/* The name of one point: "22", "echo", "3.4", "47". */
const char *sp_proto_port_str(uint8_t proto, uint16_t port, char out[static SP_PORTSPEC_STRLEN]);

/* Parses tcp/22, tcp/8000-8100, a star for all ports of a protocol, icmp/echo, icmp/3.4,
 * icmp6/echo, gre, esp, ip/47 and any. Ports 0 and 65536, reversed ranges, unknown names and the
 * numbers of protocols that have a name of their own here (ip/6) are errors with the reason in
 * diag. */
enum sp_rc sp_portspec_parse(const char *text, struct sp_portspec *ret_spec,
                             struct sp_diag *diag) SP_MUST_CHECK;
const char *sp_portspec_str(const struct sp_portspec *spec, char out[static SP_PORTSPEC_STRLEN]);

/* ICMP echo request on the axis. */
#define SP_PORT_ICMP_ECHO  ((uint16_t)(8U << 8))
#define SP_PORT_ICMP6_ECHO ((uint16_t)(128U << 8))

#endif
