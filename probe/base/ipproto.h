/* SPDX-License-Identifier: Apache-2.0
 *
 * The IP protocols of the ip axis (base/proto.h): which can be tested at all, and which a probe
 * sees behind its host's firewall. Both programs must agree on it: a plan never asks what no probe
 * can answer. Numbers: IANA "Assigned Internet Protocol Numbers". */
#ifndef SP_BASE_IPPROTO_H
#define SP_BASE_IPPROTO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* False for 0 (no protocol at all), for protocols that have an axis of their own (tcp, udp, icmp,
 * icmp6, sctp), for IPv6 extension headers (they are no protocol of their own), and for DCCP and
 * UDP-Lite, whose headers are not built: a firewall that checks them would drop ours as malformed.
 */
bool sp_ip_is_testable(uint8_t family, uint16_t number);
/* Does a probe hold a raw socket of this protocol, the witness behind the host's INPUT rules? */
bool sp_ip_is_witnessed(uint16_t number);
/* Those protocols, rising. */
const uint8_t *sp_ip_witnessed(size_t *ret_n);

#endif
