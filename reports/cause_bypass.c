/* SPDX-License-Identifier: Apache-2.0
 *
 * What a filter does wrong that stops ordinary packets and passes those of a bypass technique. One
 * line per technique; one without a line gets the general words. */
#include <string.h>

#include "probe/base/mem.h"
#include "reports/group.h"

static const struct {
    const char *technique, *cause, *remedy;
} lines[] = {
    {"tcp_ack",
     "a filter on the path passes segments of connections that it never saw begin: it keeps no "
     "state, or its rule for answers matches the ACK flag",
     "let answers back in by connection state (established), and stop every other segment"},
    {"tcp_badsum",
     "a filter on the path has no rule for packets that it cannot make sense of, and passes them",
     "drop what is invalid (a wrong checksum), before the other rules"},
    {"tcp_fin", "a filter on the path stops segments that begin a connection, and no others",
     "stop every segment that is not allowed, whatever its flags, by connection state"},
    {"tcp_null", "a filter on the path stops segments by their flags, and passes one without any",
     "stop every segment that is not allowed, whatever its flags, by connection state"},
    {"tcp_rst", "a filter on the path passes every RST: anybody may end connections behind it",
     "let an RST in only for a connection that exists"},
    {"tcp_sport", "a rule trusts the source port: what is sent from @ passes",
     "let answers back in by connection state, not by their source port @"},
    {"tcp_synack",
     "a filter on the path stops a SYN where it stands alone, and passes one with ACK",
     "stop every segment that is not allowed, whatever its flags, by connection state"},
    {"tcp_xmas", "a filter on the path stops segments by their flags, and forgets some of them",
     "stop every segment that is not allowed, whatever its flags, by connection state"},
    {"udp_badsum",
     "a filter on the path has no rule for packets that it cannot make sense of, and passes them",
     "drop what is invalid (a wrong checksum), before the other rules"},
    {"udp_sport", "a rule trusts the source port: what is sent from @ passes",
     "let answers back in by connection state, not by their source port @"},
};

static size_t line_of(uint8_t technique)
{
    const char *name = sp_technique_name(technique);
    size_t i = 0;
    while (i < SP_ARRAY_LEN(lines) && strcmp(lines[i].technique, name) != 0) {
        i++;
    }
    return i;
}

const char *sp_bypass_cause(uint8_t technique)
{
    size_t i = line_of(technique);
    return i < SP_ARRAY_LEN(lines)
               ? lines[i].cause
               : "a filter on the path stops ordinary packets, and passes those of this technique";
}

const char *sp_bypass_remedy(uint8_t technique)
{
    size_t i = line_of(technique);
    return i < SP_ARRAY_LEN(lines) ? lines[i].remedy
                                   : "look for the rule that this packet slips past";
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
