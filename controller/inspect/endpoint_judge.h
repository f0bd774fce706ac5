/* SPDX-License-Identifier: Apache-2.0
 *
 * From what a probe told of an endpoint to claims: pure functions.
 *
 * Open: each address of each family stands for itself, and each step for itself. A step that was
 * not taken because the one before it failed is UNKNOWN once, not for everything behind it.
 *
 * Closed holds only when every address was tried, none answered, and something shows that the same
 * host reached somebody at the same time (a control). A RST, or an ICMP error from the address
 * itself, may come from the endpoint: then it was reached, or may have been, and nothing is shown.
 */
#ifndef SP_CONTROLLER_ENDPOINT_JUDGE_H
#define SP_CONTROLLER_ENDPOINT_JUDGE_H

#include "controller/inspect/endpoint_seen.h"
#include "reports/claim.h"
#include "reports/summary.h"
#include "topologies/endpoint.h"

struct sp_endpoint_case {
    const struct sp_model *model;
    const struct sp_endpoint *endpoint;
    uint32_t host;
    uint16_t port;
    uint64_t now_s;
    bool is_first;       /* of its ports: the name is told of once */
    const char *control; /* of a closed one: whom this host reached; NULL = nobody */
    const char *trouble; /* why nobody looked; NULL = somebody did */
    bool is_unprobed;    /* ... because the host has no probe */
};

enum sp_rc sp_endpoint_judge(const struct sp_endpoint_case *what,
                             const struct sp_endpoint_seen *seen,
                             struct sp_claims *claims) SP_MUST_CHECK;

/* Whom the host reached, as words for a control: an address that connected, or a name server that
 * answered before and after. False: nothing shows that it reached anybody. */
bool sp_endpoint_control(const struct sp_endpoint_seen *seen, char *out, size_t size);
/* Somebody else than the host itself answered this connection. */
bool sp_seen_is_reached(const struct sp_seen_talk *talk);

/* Where an HTTP answer leads: "https://host[:port]/path". False: to the same host, or nowhere that
 * can be understood. host is normal. */
struct sp_redirect {
    char host[SP_HOSTNAME_STRLEN];
    uint16_t port;
    bool is_tls;
    char path[513];
};
bool sp_redirect_parse(const char *location, struct sp_redirect *ret_redirect);

/* ---- shared by endpoint_judge.c and endpoint_tls.c ---- */

struct sp_judging {
    const struct sp_endpoint_case *what;
    const struct sp_endpoint_seen *seen;
    struct sp_claims *claims;
    char subject[340];
    char expected[400], observed[900], cause[500]; /* of the claim that is being made */
    char source[SP_ADDR_STRLEN];
    enum sp_rc rc;
};

/* Adds a claim with the texts of j ("" = none) and empties them, source apart. */
void sp_judging_say(struct sp_judging *j, const char *check, enum sp_claim_verdict verdict,
                    enum sp_severity severity, const char *remedy);
/* "nothing came back within 5 s", "reset (RST)": what stopped a conversation. */
void sp_judging_stop(const struct sp_judging *j, const struct sp_seen_talk *talk, char *out,
                     size_t size);
/* The conversation of that mode with that address, NULL when there was none. */
const struct sp_seen_talk *sp_judging_talk(const struct sp_judging *j, const struct sp_addr *addr,
                                           uint8_t mode);
void sp_judging_tls(struct sp_judging *j, const struct sp_seen_talk *talk);
void sp_judging_clear(struct sp_judging *j, const struct sp_seen_talk *talk);
void sp_judging_http(struct sp_judging *j, const struct sp_seen_talk *talk);

#endif
