/* SPDX-License-Identifier: Apache-2.0
 *
 * Sending, through libnet contexts that are opened once, before privileges are dropped.
 *   raw:  an IP packet through the host's own routing and OUTPUT policy; EPERM means that policy
 * refused it. link: an Ethernet frame on one interface, past the OUTPUT policy; the next hop's
 * address must be resolved. */
#ifndef SP_PACKET_INJECT_H
#define SP_PACKET_INJECT_H

#include <stdbool.h>

#include "probe/base/rc.h"
#include "probe/packet/netlink.h"
#include "probe/packet/packet.h"

struct sp_injector;

/* with_link opens three more handles per Ethernet interface. Needs CAP_NET_RAW. */
enum sp_rc sp_injector_open(const struct sp_netinfo *info, bool with_link,
                            struct sp_injector **ret_injector, struct sp_diag *diag) SP_MUST_CHECK;
void sp_injector_free(struct sp_injector *injector);
bool sp_injector_has_link(const struct sp_injector *injector, uint32_t iface);

/* The descriptor for bursts of this family, of link packets by this interface or of raw ones; -1:
 * none. Of a link it is another one than that of sp_inject_link(), see burst.h. */
int sp_injector_burst_fd(const struct sp_injector *injector, bool is_link, uint8_t family,
                         uint32_t iface);

/* Both return 0 or the errno with which the kernel refused the packet. iface of the raw form is
 * only used for link-local targets (0 = none). */
int sp_inject_raw(struct sp_injector *injector, const struct sp_spec *spec, uint32_t iface);
int sp_inject_link(struct sp_injector *injector, const struct sp_spec *spec, uint32_t iface,
                   const uint8_t src_mac[static 6], const uint8_t dst_mac[static 6]);

#endif
