/* SPDX-License-Identifier: Apache-2.0
 *
 * A claim: something declared that is not a flow between two hosts: what a node must be, what an
 * endpoint must answer, how a load balancer must behave. It is judged by whoever looked; a run
 * counts it beside its checks, and a report tells it in the same words.
 *
 * Unknown is a verdict, never a pass: whoever could not look, or could not read what he saw, says
 * UNKNOWN. What nobody on the hosts could ever see (a provider's disk encryption) is
 * NOT_OBSERVABLE. */
#ifndef SP_REPORTS_CLAIM_H
#define SP_REPORTS_CLAIM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "probe/base/rc.h"
#include "topologies/model.h"

enum sp_claim_kind {
    SP_CLAIM_NODE,     /* about one host, from what its probe reads there */
    SP_CLAIM_ENDPOINT, /* about a name or service that is no host of the topology */
    SP_CLAIM_BALANCER, /* about a load balancer, beyond the flows to it */
    SP_CLAIM_KIND_COUNT
};

enum sp_claim_verdict {
    SP_CLAIM_HOLDS,          /* seen to be as declared */
    SP_CLAIM_FAILS,          /* seen not to be: a finding, exit 1 */
    SP_CLAIM_UNKNOWN,        /* not seen: the run is incomplete, exit 3 */
    SP_CLAIM_NOT_OBSERVABLE, /* not to be seen from here; ask whom the remedy names. Keeps the exit
                                code */
    SP_CLAIM_NOTE,           /* a fact of which nothing was declared; counted nowhere */
    SP_CLAIM_VERDICT_COUNT
};

struct sp_claim {
    uint8_t kind;         /* enum sp_claim_kind */
    uint8_t verdict;      /* enum sp_claim_verdict */
    uint8_t severity;     /* enum sp_severity; of one that FAILS */
    uint32_t host;        /* whose probe looked, SP_NONE = nobody did */
    uint32_t target;      /* the host or balancer it is about, SP_NONE for an endpoint */
    const char *check;    /* what was looked at, "kernel", "tls_chain"; static, [a-z0-9_], never
                             renamed */
    const char *subject;  /* who it is about, for people: "web-1", "registry.example:443" */
    const char *expected; /* as declared; NULL for a NOTE */
    const char *observed; /* NULL = nothing was */
    const char *source;   /* where it was read: a file, an address; NULL = nowhere in particular */
    const char *cause;    /* a clause: why it is not as declared, or why it is unknown; NULL */
    const char *remedy;   /* what to do; NULL */
    struct sp_pos pos;    /* where it is declared; line 0 = nowhere */
    char *texts;          /* private: what the texts point into */
};

/* Starts zeroed. Owns the texts of its claims. */
struct sp_claims {
    struct sp_claim *at;
    size_t n, cap;
};

/* Adds one and copies its texts, each cut at SP_CLAIM_TEXT_MAX bytes. Texts from outside go in as
 * they are; reports escape them. */
#define SP_CLAIM_TEXT_MAX 1000U
enum sp_rc sp_claims_add(struct sp_claims *claims, const struct sp_claim *claim) SP_MUST_CHECK;
/* By kind, subject, check, host and texts, so that one run gives one report. */
void sp_claims_sort(struct sp_claims *claims);
void sp_claims_release(struct sp_claims *claims);

const char *sp_claim_kind_str(unsigned kind);       /* "node"; NULL past the last */
const char *sp_claim_verdict_str(unsigned verdict); /* "holds"; NULL past the last */

struct sp_counts;
/* Counts one by its verdict; a verdict outside the enum is unknown. */
void sp_counts_add_claim(struct sp_counts *counts, unsigned verdict);

#endif
