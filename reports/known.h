/* SPDX-License-Identifier: Apache-2.0
 *
 * What is known of ports and addresses beyond their numbers: known_ports.def. It tells what a
 * finding means for those who run the network; no verdict and no severity depends on it. */
#ifndef SP_REPORTS_KNOWN_H
#define SP_REPORTS_KNOWN_H

#include "probe/base/buf.h"
#include "probe/base/proto.h"
#include "reports/summary.h"

/* Texts are static; "" = nothing to tell. */
struct sp_known {
    uint8_t proto; /* enum sp_proto; SP_PROTO_COUNT for an address */
    uint16_t port;
    const char *address; /* of an address, else NULL */
    const char *word;    /* that the policy must say, or "" */
    const char *name;    /* what listens there */
    const char *closed;  /* what stops while it is closed */
    const char *opened;  /* what it means that it is open to strangers */
};

/* NULL when nothing is known. */
const struct sp_known *sp_known_port(uint8_t proto, uint16_t port);
const struct sp_known *sp_known_address(const struct sp_addr *addr);
/* Whether a text says the word, whatever its case; text may be NULL. */
bool sp_known_says(const char *text, const char *word);

/* Adds to out what is known of the finding's ports, or of the address it is about: "; so cp does
 * not reach ...", or nothing. Of more than SP_KNOWN_MOST_PORTS ports nothing is told: then the
 * finding is about no service. */
#define SP_KNOWN_MOST_PORTS 16U
#define SP_KNOWN_MOST_NAMES 3U
void sp_known_tell(const struct sp_result *result, const struct sp_finding *finding,
                   struct sp_buf *out);

#endif
