/* SPDX-License-Identifier: Apache-2.0
 *
 * What an arrival shows that a plain packet would not: by the name of the technique that sent it.
 */
#include <string.h>

#include "probe/techniques/registry.h"
#include "reports/group.h"

struct known {
    const char *name; /* a whole name, or its beginning where is_family */
    enum sp_cause cause;
    bool is_family;
    bool is_plain; /* asks a flow of its own protocol as anybody would */
};

static const struct known known[] = {
    {"tcp_ack", SP_CAUSE_STATELESS, false, false},
    {"tcp_fin", SP_CAUSE_STATELESS, false, false},
    {"tcp_null", SP_CAUSE_STATELESS, false, false},
    {"tcp_xmas", SP_CAUSE_STATELESS, false, false},
    {"tcp_synack", SP_CAUSE_STATELESS, false, false},
    {"tcp_rst", SP_CAUSE_STATELESS, false, false},
    {"tcp_badsum", SP_CAUSE_BAD_CHECKSUM, false, false},
    {"udp_badsum", SP_CAUSE_BAD_CHECKSUM, false, false},
    {"tcp_sport", SP_CAUSE_SOURCE_PORT, false, false},
    {"udp_sport", SP_CAUSE_SOURCE_PORT, false, false},
    {"frag_", SP_CAUSE_FRAGMENTS, true, false},
    {"ip_options", SP_CAUSE_IP_OPTIONS, false, false},
    {"ip_lsrr", SP_CAUSE_SOURCE_ROUTE, false, false},
    {"ip_ssrr", SP_CAUSE_SOURCE_ROUTE, false, false},
    {"eh_", SP_CAUSE_EXT_HEADERS, true, false},
    {"spoof_", SP_CAUSE_SPOOFED, true, false},
    {"sctp_init", SP_CAUSE_OTHER_PROTOCOLS, false, true},
    {"sctp_cookie", SP_CAUSE_OTHER_PROTOCOLS, false, false},
    {"ip_proto", SP_CAUSE_OTHER_PROTOCOLS, false, true},
    {"encap_", SP_CAUSE_ENCAPSULATED, true, false},
    {"icmp_type", SP_CAUSE_ICMP_TYPES, false, true},
    {"icmp_forged", SP_CAUSE_ICMP_FORGED, false, false},
    {"icmp_related", SP_CAUSE_ICMP_FORGED, false, false},
};

static const struct known *find(const char *name)
{
    for (size_t i = 0; i < SP_ARRAY_LEN(known); i++) {
        bool same = known[i].is_family ? strncmp(name, known[i].name, strlen(known[i].name)) == 0
                                       : strcmp(name, known[i].name) == 0;
        if (same) {
            return &known[i];
        }
    }
    return NULL;
}

enum sp_cause sp_cause_of_name(const char *name, bool *ret_bypass)
{
    const struct known *found = find(name);
    *ret_bypass = found && !found->is_plain;
    return found ? found->cause : SP_CAUSE_COUNT;
}

enum sp_cause sp_cause_technique(uint8_t technique)
{
    bool bypass;
    return sp_cause_of_name(sp_technique_name(technique), &bypass);
}

bool sp_technique_is_bypass(uint8_t technique)
{
    bool bypass;
    (void)sp_cause_of_name(sp_technique_name(technique), &bypass);
    return bypass;
}
