/* SPDX-License-Identifier: Apache-2.0
 *
 * From intent to tests: which packets are to be sent between which addresses, what each must do,
 * and what will not be tested and why. A plan is data: it sends nothing. */
#ifndef SP_TOPOLOGIES_PLAN_H
#define SP_TOPOLOGIES_PLAN_H

#include "topologies/policy.h"

enum sp_depth { SP_DEPTH_QUICK, SP_DEPTH_STANDARD };
enum sp_why { SP_WHY_REPRESENTATIVE, SP_WHY_EDGE, SP_WHY_RISK, SP_WHY_MUTATION };

/* One ordered pair of addresses of one family. */
struct sp_pair {
    uint32_t from, to; /* targets; from is always a host with a probe */
    struct sp_addr src,
        dst;            /* dst is the address the sender uses (its declared translation, if any) */
    struct sp_addr own; /* dst as the receiver owns it; differs from dst only when translated */
    uint8_t family;
    uint8_t layer;        /* enum sp_layer */
    bool reject_declared; /* a rule or enforcement declares action: reject */
    bool one_sided;       /* the receiver has no probe */
};

struct sp_test {
    uint32_t pair;
    uint32_t rule; /* deciding rule or SP_NONE = default deny */
    uint16_t port;
    uint8_t proto;     /* enum sp_proto */
    uint8_t expect;    /* enum sp_expect */
    uint8_t technique; /* index into the technique registry */
    uint8_t why;       /* enum sp_why */
};

/* What is left out, grouped by reason. */
struct sp_skip {
    uint32_t from, to;  /* SP_NONE = many */
    uint8_t family;     /* 0 = all */
    uint8_t proto;      /* SP_PROTO_COUNT = all */
    uint64_t points;    /* how many pairs (proto == COUNT) or intervals this stands for */
    const char *reason; /* borrowed, static */
};

struct sp_plan_options {
    enum sp_depth depth;
    uint64_t seed;                   /* random representatives and order */
    const struct sp_bits *from, *to; /* NULL = all; targets */
    const bool *techniques;          /* NULL = all; indexed like the registry */
};

struct sp_coverage {
    uint64_t pairs_tested, pairs_of;
    uint64_t intervals_tested, intervals_of;
    uint64_t rules_tested, rules_of;
    uint64_t edges_tested, edges_of;
    uint64_t enforcements_tested, enforcements_of;
    double
        denied_ports_swept; /* share of the denied tcp and udp space with a test of its own, 0..1 */
};

struct sp_cost {
    uint64_t tests;
    uint64_t packets; /* all attempts and controls, without repeats */
    uint64_t seconds; /* at the allowed rates, rounded up */
};

struct sp_plan {
    struct sp_pair *pairs;
    size_t npairs;
    struct sp_test *tests; /* grouped by pair; within a pair deny before allow */
    size_t ntests;
    struct sp_skip *skips;
    size_t nskips;
    struct sp_coverage coverage;
    struct sp_cost cost;
    enum sp_depth depth;
    uint64_t seed;
    uint16_t sport_lo,
        sport_hi; /* source ports reserved for the run: none of them is ever tested */
};

/* Numbers of design section 6 that price a plan and drive a run. */
#define SP_PLAN_DENY_ATTEMPTS  2U
#define SP_PLAN_ALLOW_ATTEMPTS 21U

enum sp_rc sp_plan_new(struct sp_policy *policy, const struct sp_model *model,
                       const struct sp_plan_options *options, struct sp_plan **ret_plan,
                       struct sp_diag *diag) SP_MUST_CHECK;
void sp_plan_free(struct sp_plan *plan);

/* Resolves a command-line selector ("web", "label:app=web", "any", "not:dev", "web,db-1") to
 * targets. */
enum sp_rc sp_select(const struct sp_model *model, const char *text, struct sp_bits *ret_targets,
                     struct sp_diag *diag) SP_MUST_CHECK;

const char *sp_depth_str(enum sp_depth depth);
const char *sp_expect_str(uint8_t expect);
const char *sp_why_str(uint8_t why);

#endif
