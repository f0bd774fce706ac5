/* SPDX-License-Identifier: Apache-2.0
 *
 * The blocks of a pcapng file (draft-ietf-opsawg-pcapng, "PCAP Now Generic (pcapng) Capture File
 * Format"): one section, its interfaces, packets. Always little-endian, whatever the machine; times
 * in nanoseconds since 1970; packets begin at their IP header (LINKTYPE_RAW). Strings are cut at
 * 65,535 bytes, the most an option holds. Failures are in the buffer's rc. */
#ifndef SP_REPORTS_PCAPNG_H
#define SP_REPORTS_PCAPNG_H

#include <stdbool.h>
#include <stdint.h>

#include "probe/base/buf.h"

/* The section header: what wrote it, and a comment about the whole. */
void sp_pcapng_section(struct sp_buf *out, const char *application, const char *comment);
/* Interfaces are numbered from 0 in the order in which they are written. */
void sp_pcapng_interface(struct sp_buf *out, const char *name, const char *description,
                         uint32_t snaplen);

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
