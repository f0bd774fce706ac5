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
    {"eh_dstopts", "a filter on the path does not look behind IPv6 destination options",
     "match the protocol behind extension headers, or drop packets that have them"},
    {"eh_frag", "a filter on the path does not look behind an IPv6 fragment header",
     "match the protocol behind extension headers, and put fragments together before filtering"},
    {"eh_hopopts", "a filter on the path does not look behind IPv6 hop-by-hop options",
     "match the protocol behind extension headers, or drop packets that have them"},
    {"eh_routing", "a filter on the path does not look behind an IPv6 routing header",
     "drop routing headers, of type 0 everywhere, and match the protocol behind the others"},
    {"frag_overlap",
     "a filter on the path takes fragments one by one, and passes two of which the second undoes "
     "the first",
     "put fragments together before filtering (connection tracking does), and drop those that "
     "overlap"},
    {"frag_tail", "a filter on the path passes later fragments unseen",
     "put fragments together before filtering (connection tracking does)"},
    {"frag_tiny",
     "a filter on the path takes fragments one by one, and passes a SYN whose flags are not in the "
     "first",
     "put fragments together before filtering (connection tracking does)"},
    {"ip_lsrr", "a router on the path takes source routes: its filter may see its own address only",
     "drop packets with source routes (Linux: accept_source_route = 0)"},
    {"ip_options", "a filter on the path looks for the ports where they are without IPv4 options",
     "drop packets with IPv4 options, or match behind them"},
    {"ip_ssrr", "a router on the path takes source routes: its filter may see its own address only",
     "drop packets with source routes (Linux: accept_source_route = 0)"},
    {"spoof_other",
     "who forwards it does not look on which side a source address belongs: a rule by source "
     "address protects from nobody",
     "filter source addresses where they enter (strict reverse path, BCP 38)"},
    {"spoof_own",
     "a rule passes it by its source address, and any host of that subnet can write that address",
     "bind addresses to ports or machines in the sender's subnet (source guard), or do not trust "
     "single addresses in it"},
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

const char *sp_fragment_cause(uint8_t parts)
{
    return parts == SP_PIECES_TAIL
               ? "fragments without a head pass: a filter on the path lets later fragments through "
                 "unseen, though nobody can put these together"
               : "a filter on the path decides fragment by fragment, and passes the first of one "
                 "that it should have stopped";
}

const char *sp_fragment_remedy(uint8_t parts)
{
    return parts == SP_PIECES_TAIL
               ? "put fragments together before filtering (connection tracking does), or drop those "
                 "that begin in the middle"
               : "put fragments together before filtering (connection tracking does)";
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
