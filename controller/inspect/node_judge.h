/* SPDX-License-Identifier: Apache-2.0
 *
 * Is a host what is declared of it? One line of a floor (topologies/floor.h) against what its probe
 * told. Pure: no probe, no file. What is not known never holds. */
#ifndef SP_INSPECT_NODE_JUDGE_H
#define SP_INSPECT_NODE_JUDGE_H

#include "controller/inspect/told.h"
#include "probe/base/buf.h"
#include "reports/claim.h"
#include "topologies/floor.h"

/* Addresses that a probe tells of its host, at most. */
#define SP_NODE_ADDRS_MAX 4096U

/* Starts with the questions filled in; the answers come out. */
struct sp_node_look {
    const struct sp_model *model;
    uint32_t host;
    const struct sp_floor_line *line;
    const struct sp_told_list *told;
    const struct sp_addr *addrs; /* that the host has, as its probe's sensor told */
    size_t naddrs;
    /* answers */
    uint8_t verdict;        /* enum sp_claim_verdict */
    struct sp_buf observed; /* "" = nothing was */
    struct sp_buf cause;    /* "" = none */
    const char *source;     /* borrowed from told, or static; NULL */
    const char *remedy;     /* static; NULL */
};

void sp_node_look_init(struct sp_node_look *look);
void sp_node_look_release(struct sp_node_look *look);
/* Everything but drift and kube_bench. Out of memory is SP_E_NOMEM. */
enum sp_rc sp_node_judge(struct sp_node_look *look) SP_MUST_CHECK;

const char *sp_node_check_name(unsigned check); /* of the claims: "conntrack" */
uint8_t sp_node_severity(unsigned check);
/* What is declared, for people. */
void sp_node_expected(const struct sp_floor_line *line, struct sp_buf *out);

/* node_judge_net.c: what concerns its connections */
void sp_node_judge_listeners(struct sp_node_look *look);
void sp_node_judge_sshd(struct sp_node_look *look);
void sp_node_judge_rp_filter(struct sp_node_look *look);
void sp_node_judge_forwarding(struct sp_node_look *look);
void sp_node_judge_conntrack(struct sp_node_look *look);
void sp_node_judge_port_range(struct sp_node_look *look);
void sp_node_judge_public(struct sp_node_look *look);

/* The fact, when it is known and has a value; else NULL, and the look is UNKNOWN and says why. */
const struct sp_told *sp_node_known(struct sp_node_look *look, const char *name, const char *of);
/* Sets the verdict; a worse one that stands already is kept. */
void sp_node_is(struct sp_node_look *look, enum sp_claim_verdict verdict);
bool sp_node_wants(const struct sp_node_look *look, const char *word); /* one of the words */
void sp_node_observe(struct sp_node_look *look, const char *fmt, ...) SP_PRINTF(2, 3);
/* The first cause stands. */
void sp_node_because(struct sp_node_look *look, const char *fmt, ...) SP_PRINTF(2, 3);

#endif
