/* SPDX-License-Identifier: Apache-2.0
 *
 * What the techniques share that send the SYN of tcp_syn inside another packet (techniques.md T10):
 * one to each outer destination, the receiver itself and declared routers. Who takes the outer
 * header off and passes the rest on carries a denied flow past every filter that saw the outer one
 * alone.
 *
 * An arrival is the SYN by itself, at an interface of the receiver (a tunnel device is one, too) or
 * behind its firewall: its outer protocol, by which techniques are told apart, is TCP. The outer
 * packet proves nothing of the flow: one that comes to the receiver still closed is no arrival, and
 * whether its protocol or port may come there is for ip_proto and udp to say. The sender's capture
 * counts a test as sent when it has seen all outer packets leave. */
#ifndef SP_TECHNIQUES_ENCAP_H
#define SP_TECHNIQUES_ENCAP_H

#include "probe/techniques/syn_like.h"

/* EINVAL when there is no outer destination. */
int sp_encap_start(const struct sp_flow *flow, struct sp_tech_io *io, uint8_t kind);

#endif
