/* SPDX-License-Identifier: Apache-2.0
 *
 * Which rule decides a flow, and why not another: the answer to `segproof explain`, without a
 * packet. */
#ifndef SP_TOPOLOGIES_EXPLAIN_H
#define SP_TOPOLOGIES_EXPLAIN_H

#include "topologies/plan.h"

struct sp_buf;

/* More ordered pairs than this are not explained at once. */
#define SP_EXPLAIN_MAX_PAIRS 4096U

/* A rule that matches some of the ports asked for. */
struct sp_explain_match {
    uint32_t rule;
    uint8_t acts_as; /* enum sp_rule_kind: an allow with a wildcard acts as permit */
    bool decides;
    const char *loses; /* borrowed, static; NULL when it decides */
};

/* A stretch of the ports asked for with one answer. */
struct sp_explain_piece {
    uint8_t proto;
    uint16_t lo, hi;
    uint8_t expect;                   /* enum sp_expect */
    uint32_t rule;                    /* SP_NONE: no rule, see by_default */
    const char *by_default;           /* borrowed, static; NULL when a rule decides */
    struct sp_explain_match *matches; /* the deciding rule first, then the others by index */
    size_t nmatches, matches_cap;
    const char *untested; /* borrowed, static: why a plan would leave it out; NULL = tested */
    struct sp_interval interval; /* the maximal interval that it lies in */
    /* The balancer's listener that the piece is, allowed or permitted; NULL for all others. Then
     * flows is how many it takes to meet every backend. */
    const struct sp_listener *listener; /* borrowed from the model */
    unsigned flows;
    bool talks;         /* tested by conversations: the data shows which backend answered */
    bool tested_itself; /* a plan of standard depth has a test for this very port (lo == hi) */
};

/* A pair of addresses between the first two members. */
struct sp_explain_path {
    struct sp_pair pair;
    const char *untested; /* borrowed, static; NULL = usable */
};

struct sp_explain_member {
    uint32_t from, to; /* targets */
};

struct sp_explain_answer {
    struct sp_explain_member *members; /* the pairs that this answer is true of, at least one */
    size_t nmembers, members_cap;
    struct sp_explain_piece *pieces; /* sorted by protocol and port */
    size_t npieces, pieces_cap;
    struct sp_explain_path *paths; /* of members[0] */
    size_t npaths, paths_cap;
    const struct sp_enforcement *enforcement; /* borrowed from the model; may be NULL */
    const char *untested;                     /* why the whole pair is not tested, or NULL */
};

struct sp_explanation {
    char *from, *to, *ports; /* as asked */
    struct sp_explain_answer *answers;
    size_t nanswers, answers_cap;
    size_t npairs;
};

/* from and to are selectors (sp_select), ports a port ("tcp/22", "any") or the name of a service.
 * Pairs with the same answer are put together. SP_E_INVALID: unknown name or port, or nothing is
 * selected; SP_E_LIMIT: too many pairs. */
enum sp_rc sp_explanation_new(struct sp_policy *policy, const struct sp_model *model,
                              const char *from, const char *to, const char *ports,
                              struct sp_explanation **ret_explanation,
                              struct sp_diag *diag) SP_MUST_CHECK;
void sp_explanation_free(struct sp_explanation *explanation);
void sp_explanation_print(const struct sp_explanation *explanation, const struct sp_model *model,
                          struct sp_buf *out);

/* Both at once, as text. */
enum sp_rc sp_explain(struct sp_policy *policy, const struct sp_model *model, const char *from,
                      const char *to, const char *ports, struct sp_buf *out_text,
                      struct sp_diag *diag) SP_MUST_CHECK;

#endif
