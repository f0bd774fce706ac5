/* SPDX-License-Identifier: Apache-2.0
 *
 * What a probe told of one port of an endpoint, read from its answer (the sections are described in
 * probe/caller/call.h). The answer comes from the least trusted process of a probe: every word is
 * checked, what is too much or makes no sense is an error, and then nothing of it is used. */
#ifndef SP_CONTROLLER_ENDPOINT_SEEN_H
#define SP_CONTROLLER_ENDPOINT_SEEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "probe/base/addr.h"

#define SP_SEEN_LOOKUPS 8U
#define SP_SEEN_TALKS   192U
#define SP_SEEN_ADDRS   32U
#define SP_SEEN_NAME    208U /* bytes of a name in a certificate, with its NUL */
#define SP_SEEN_TEXT    128U

enum sp_seen_lookup_state {
    SP_SEEN_ANSWERED,
    SP_SEEN_NO_ANSWER,
    SP_SEEN_TURNED_AWAY,
    SP_SEEN_NONSENSE,
    SP_SEEN_NOT_SENT,
    SP_SEEN_LOOKUP_STATES
};

struct sp_seen_lookup {
    bool is_v6, by_tcp, is_again, is_own, has_state;
    uint8_t state; /* enum sp_seen_lookup_state */
    uint8_t rcode;
    struct sp_addr server;
    uint32_t total;
    struct sp_addr addrs[SP_SEEN_ADDRS];
    size_t naddrs;
};

enum sp_seen_mode {
    SP_SEEN_TCP,
    SP_SEEN_TLS,
    SP_SEEN_HTTP,
    SP_SEEN_HTTPS,
    SP_SEEN_CLEAR,
    SP_SEEN_H2,
    SP_SEEN_MODES
};

enum sp_seen_reached {
    SP_SEEN_REACHED_NOTHING,
    SP_SEEN_REACHED_TCP,
    SP_SEEN_REACHED_TLS,
    SP_SEEN_REACHED_ANSWER,
    SP_SEEN_REACHES
};

enum sp_seen_stop {
    SP_SEEN_DONE,
    SP_SEEN_RST,
    SP_SEEN_ICMP,
    SP_SEEN_SILENT,
    SP_SEEN_SLOW,
    SP_SEEN_NO_ROUTE,
    SP_SEEN_LOCAL,
    SP_SEEN_CLOSED,
    SP_SEEN_ALERT,
    SP_SEEN_BROKEN,
    SP_SEEN_SPECIAL,
    SP_SEEN_STOPS
};

enum sp_seen_bytes {
    SP_SEEN_NO_BYTES,
    SP_SEEN_HTTP_HEAD,
    SP_SEEN_H2_FRAMES,
    SP_SEEN_H2_AWAY,
    SP_SEEN_TLS_BYTES,
    SP_SEEN_OTHER_BYTES,
    SP_SEEN_BYTES
};

struct sp_seen_talk {
    uint8_t mode, reached, stop, bytes; /* the enums above */
    bool has_end;                       /* reached and stop were told */
    struct sp_addr addr;
    uint8_t icmp_type, icmp_code;
    struct sp_addr icmp_from;
    char reason[SP_SEEN_TEXT];
    uint32_t ms;
    bool is_own; /* the address is the prober's own */
    unsigned status;
    char location[608];
    /* TLS; "" = not told */
    char version[16], cipher[64], alpn[64];
    char subject[SP_SEEN_NAME], issuer[SP_SEEN_NAME];
    char names[600]; /* with commas */
    uint64_t nnames; /* all there are */
    bool has_dates, has_chain_dates;
    uint64_t from, until, chain_from, chain_until;
    bool has_fits, fits;
    char store[16];
    bool has_good, is_good;
    char why[SP_SEEN_TEXT];
    char top[SP_SEEN_NAME], top_issuer[SP_SEEN_NAME];
};

struct sp_endpoint_seen {
    bool is_read; /* an answer came and could be read */
    bool is_whole;
    char error[256]; /* why there is none */
    struct sp_seen_lookup lookups[SP_SEEN_LOOKUPS];
    size_t nlookups;
    struct sp_seen_talk talks[SP_SEEN_TALKS];
    size_t ntalks;
    uint32_t left; /* addresses that were not talked to */
};

/* Fills *ret_seen whatever comes. SP_E_NOMEM is the only failure. */
enum sp_rc sp_endpoint_read(const char *text, size_t len,
                            struct sp_endpoint_seen *ret_seen) SP_MUST_CHECK;

#endif
