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
};

static const struct known known[] = {
    {"tcp_ack", SP_CAUSE_STATELESS, false},
    {"tcp_fin", SP_CAUSE_STATELESS, false},
    {"tcp_null", SP_CAUSE_STATELESS, false},
    {"tcp_xmas", SP_CAUSE_STATELESS, false},
    {"tcp_synack", SP_CAUSE_STATELESS, false},
    {"tcp_rst", SP_CAUSE_STATELESS, false},
    {"tcp_badsum", SP_CAUSE_BAD_CHECKSUM, false},
    {"udp_badsum", SP_CAUSE_BAD_CHECKSUM, false},
    {"tcp_sport", SP_CAUSE_SOURCE_PORT, false},
    {"udp_sport", SP_CAUSE_SOURCE_PORT, false},
    {"frag_", SP_CAUSE_FRAGMENTS, true},
    {"ip_options", SP_CAUSE_IP_OPTIONS, false},
    {"ip_lsrr", SP_CAUSE_SOURCE_ROUTE, false},
    {"ip_ssrr", SP_CAUSE_SOURCE_ROUTE, false},
    {"eh_", SP_CAUSE_EXT_HEADERS, true},
    {"spoof_", SP_CAUSE_SPOOFED, true},
    {"sctp_init", SP_CAUSE_OTHER_PROTOCOLS, false},
    {"sctp_cookie", SP_CAUSE_OTHER_PROTOCOLS, false},
    {"ip_proto", SP_CAUSE_OTHER_PROTOCOLS, false},
    {"encap_", SP_CAUSE_ENCAPSULATED, true},
    {"icmp_type", SP_CAUSE_ICMP_TYPES, false},
    {"icmp_forged", SP_CAUSE_ICMP_FORGED, false},
    {"icmp_related", SP_CAUSE_ICMP_FORGED, false},
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

enum sp_cause sp_cause_of_name(const char *name)
{
    const struct known *found = find(name);
    return found ? found->cause : SP_CAUSE_COUNT;
}

enum sp_cause sp_cause_technique(uint8_t technique, bool is_bypass)
{
    enum sp_cause cause = sp_cause_of_name(sp_technique_name(technique));
    return cause == SP_CAUSE_COUNT && is_bypass ? SP_CAUSE_BYPASS : cause;
}

enum sp_cause sp_cause_of_parts(enum sp_cause cause, uint8_t parts)
{
    if (cause != SP_CAUSE_FRAGMENTS || parts == SP_PIECES_WHOLE) {
        return cause;
    }
    return parts == SP_PIECES_TAIL ? SP_CAUSE_FRAGMENT_TAILS : SP_CAUSE_FRAGMENT_HEADS;
}

enum sp_rc sp_bypass_sports(const struct sp_result *result, const struct sp_entry *entries,
                            size_t n, char **ret_sports)
{
    uint64_t used[65536 / 64] = {0};
    struct sp_buf buf;
    bool any = false;
    sp_buf_init(&buf, SP_PORTS_MAX_BYTES);
    for (size_t i = 0; i < n; i++) {
        uint16_t sport = result->tests[entries[i].test].sport;
        used[sport / 64] |= sport > 0 ? UINT64_C(1) << (sport % 64) : 0;
    }
    for (uint32_t port = 1; port <= UINT16_MAX; port++) {
        if ((used[port / 64] >> (port % 64) & 1) != 0) {
            sp_buf_fmt(&buf, "%s%u", any ? "," : "", (unsigned)port);
            any = true;
        }
    }
    enum sp_rc rc = buf.rc;
    *ret_sports = any ? sp_buf_take(&buf) : NULL;
    sp_buf_release(&buf);
    return rc == SP_OK && any && !*ret_sports ? SP_E_NOMEM : rc;
}
