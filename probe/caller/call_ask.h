/* SPDX-License-Identifier: Apache-2.0
 *
 * A question of SP_TOPIC_CALL, read and checked against the bounds; private to the caller. */
#ifndef SP_PROBE_CALLER_CALL_ASK_H
#define SP_PROBE_CALLER_CALL_ASK_H

#include "probe/caller/call.h"
#include "probe/caller/lookup.h"

#define SP_CALL_STEP_MIN_MS 100U
#define SP_CALL_STEP_MAX_MS 60000U
#define SP_CALL_PATH_MAX    512U
#define SP_CALL_ALPN_MAX    256U

struct sp_call_ask {
    char name[SP_HOSTNAME_STRLEN]; /* normal; "" = addresses only */
    char sni[SP_HOSTNAME_STRLEN];
    struct sp_addr addrs[SP_CALL_ADDRS];
    size_t naddrs;
    uint16_t port;
    struct sp_addr servers[SP_LOOKUP_SERVERS];
    size_t nservers;
    bool by_udp, by_tcp;
    bool is_tls, is_clear, is_http;
    char path[SP_CALL_PATH_MAX + 1];
    unsigned char alpn[SP_CALL_ALPN_MAX]; /* in wire format (RFC 7301 3.1) */
    size_t alpn_len;
    char *ca; /* NULL: the host's own store */
    size_t ca_len;
    uint32_t step_ms;
};

enum sp_rc sp_call_ask_read(const struct sp_call_bounds *bounds, const char *text, size_t len,
                            struct sp_call_ask *ret_ask, struct sp_diag *diag) SP_MUST_CHECK;
void sp_call_ask_release(struct sp_call_ask *ask);

#endif
