/* SPDX-License-Identifier: Apache-2.0
 *
 * The blocks of a pcapng file (draft-ietf-opsawg-pcapng, "PCAP Now Generic (pcapng) Capture File
 * Format"): one section, its interfaces, packets. Always little-endian, whatever the machine; times
 * in nanoseconds since 1970. Strings are cut at 65,535 bytes, the most an option holds. Failures
 * are in the buffer's rc.
 *
 * Packets begin at their IP header. LINKTYPE_IPV4 and LINKTYPE_IPV6 say so for one version;
 * LINKTYPE_RAW says it for both, but libpcap (1.10) refuses a file with more than one interface of
 * it, since it compares its own number for that type (12) with the file's (101). */
#ifndef SP_REPORTS_PCAPNG_H
#define SP_REPORTS_PCAPNG_H

#include <stdbool.h>
#include <stdint.h>

#include "probe/base/buf.h"

/* The section header: what wrote it, and a comment about the whole. */
void sp_pcapng_section(struct sp_buf *out, const char *application, const char *comment);
#define SP_LINKTYPE_RAW  101U
#define SP_LINKTYPE_IPV4 228U
#define SP_LINKTYPE_IPV6 229U
/* Interfaces are numbered from 0 in the order in which they are written. */
void sp_pcapng_interface(struct sp_buf *out, const char *name, const char *description,
                         uint16_t linktype, uint32_t snaplen);

struct sp_pcapng_packet {
    uint32_t interface;
    uint64_t at_ns;
    const uint8_t *bytes; /* borrowed */
    uint32_t len, wire_len;
    bool is_outbound;
    const char *comment; /* borrowed */
};
void sp_pcapng_packet(struct sp_buf *out, const struct sp_pcapng_packet *packet);

#endif
