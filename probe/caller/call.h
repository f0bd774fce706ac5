/* SPDX-License-Identifier: Apache-2.0
 *
 * A question of SP_TOPIC_CALL: one port of one endpoint, by a name, by addresses, or both. The name
 * is looked up, all its addresses are talked to, the name is looked up again, and addresses that
 * came new are talked to as well. Everything takes SP_CALL_STEPS steps at most.
 *
 * Fields of the question (those in brackets may be missing, those with * may come again):
 *   [name] [addr*] port [server*] [transport*: udp, tcp] [step_ms]
 *   [tls: 1] [sni] [alpn*] [ca: PEM] [path: an HTTP request for it] [clear: 1]
 * Of the answer: "error", or sections that begin with "lookup" (a type) or "talk" (a mode):
 *   lookup: .transport .server .own .state .rcode .over_tcp .total .addr* .again
 *   talk: .addr .reached .stop .icmp .from .reason .ms .own, of HTTP .kind .status .location, of
 * TLS those of tls.c and at the end "done": 1, or 0 when time ran out. .left = addresses that were
 * not talked to. */
#ifndef SP_PROBE_CALLER_CALL_H
#define SP_PROBE_CALLER_CALL_H

#include "probe/base/buf.h"
#include "probe/caller/bounds.h"

#define SP_CALL_STEPS   24U
#define SP_CALL_ADDRS   32U
#define SP_CALL_AT_ONCE 32U /* conversations */

struct event_base;
struct sp_call;

struct sp_call_place {
    struct event_base *base;
    const struct sp_call_bounds *bounds;
    const char *resolv_conf; /* the file of this host's name servers */
};

/* done is called once, later: out holds the answer and is borrowed; the call may be freed inside.
 * SP_E_INVALID, SP_E_DENIED: the question is none, or asks too much; diag says what. */
enum sp_rc sp_call_new(const struct sp_call_place *place, const char *text, size_t len,
                       void (*done)(struct sp_call *call, struct sp_buf *out, void *arg), void *arg,
                       struct sp_call **ret_call, struct sp_diag *diag) SP_MUST_CHECK;
void sp_call_free(struct sp_call *call);

#endif
