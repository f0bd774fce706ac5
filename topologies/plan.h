/* SPDX-License-Identifier: Apache-2.0
 *
 * From intent to tests: which packets are to be sent between which addresses, what each must do,
 * and what will not be tested and why. A plan is data: it sends nothing. */
#ifndef SP_TOPOLOGIES_PLAN_H
#define SP_TOPOLOGIES_PLAN_H

#include "topologies/policy.h"

enum sp_depth { SP_DEPTH_QUICK, SP_DEPTH_STANDARD, SP_DEPTH_EXHAUSTIVE };
enum sp_why {
    SP_WHY_REPRESENTATIVE,
    SP_WHY_EDGE,
    SP_WHY_RISK,
    SP_WHY_MUTATION,
    SP_WHY_SWEPT, /* a range of ports that a sweep found alike; never in a plan */
    SP_WHY_BYPASS /* a denied port asked in another way, besides its own test */
};

/* One ordered pair of addresses of one family. */
struct sp_pair {
    uint32_t from, to; /* targets; from is always a host with a probe */
    struct sp_addr src,
        dst;            /* dst is the address the sender uses (its declared translation, if any) */
    struct sp_addr own; /* dst as the receiver owns it; differs from dst only when translated */
    struct sp_addr src_seen; /* src as the receiver sees it: its declared translation, if any */
    uint8_t family;
    uint8_t layer;        /* enum sp_layer */
    bool reject_declared; /* the enforcement point declares action: reject; rules: see the test */
    bool one_sided;       /* the receiver (of a balancer: every backend) has no probe */
    bool is_balanced;     /* to is a balancer: its backends receive */
};

struct sp_test {
    uint32_t pair;
    uint32_t rule;          /* deciding rule or SP_NONE = default deny */
    uint16_t port, port_hi; /* the ports port .. port_hi; in a plan both are the same */
    uint16_t sport;         /* the source port that it is about; 0 = any of the run's own */
    uint8_t proto;          /* enum sp_proto */
    uint8_t expect;         /* enum sp_expect */
    uint8_t technique;      /* index into the technique registry */
    uint8_t why;            /* enum sp_why */
    bool reject_declared;   /* denied, and its rule or else the enforcement declares reject */
};

/* All ports of one protocol between one pair of addresses, both with a probe: at exhaustive depth
 * in the place of tests of its denied points. Its allowed ports are swept besides their tests;
 * permitted ones are not asked. */
struct sp_plan_sweep {
    uint32_t pair;
    uint8_t proto;            /* SP_PROTO_TCP or SP_PROTO_UDP */
    uint8_t technique;        /* registry index */
    uint32_t denied, allowed; /* how many ports it asks */
};

/* Part `at` of `of` of the denied ports, chosen by a keyed permutation: `of` runs with the same key
 * and every `at` ask each port. of == 0: everything. */
struct sp_slice {
    uint32_t at, of;
    uint64_t key;
};

/* What is left out, grouped by reason. */
struct sp_skip {
    uint32_t from, to;  /* SP_NONE = many */
    uint8_t family;     /* 0 = all */
    uint8_t proto;      /* SP_PROTO_COUNT = all */
    bool is_ports;      /* points counts denied ports */
    bool is_tests;      /* points counts tests of bypass techniques; neither: */
    uint64_t points;    /* how many pairs (proto == COUNT) or intervals this stands for */
    const char *reason; /* borrowed, static */
};

/* One flow alone, with what can serve as its controls: allowed flows between the same two hosts,
 * or, with partners, of each of them with somebody else. */
struct sp_plan_focus {
    uint32_t from, to; /* targets */
    uint8_t proto;
    uint16_t port;  /* icmp/echo: over IPv6 its twin */
    uint8_t family; /* 0 = all that the two share */
    bool with_partners;
};

struct sp_plan_options {
    enum sp_depth depth;
    uint64_t seed;                     /* random representatives and order */
    const struct sp_bits *from, *to;   /* NULL = all; targets */
    const bool *techniques;            /* NULL = all; indexed like the registry */
    struct sp_slice slice;             /* exhaustive depth only */
    uint64_t max_tests;                /* SP_E_LIMIT above it; 0 = SP_PLAN_MAX_TESTS */
    const struct sp_plan_focus *focus; /* NULL = everything */
};

/* "of" counts what the declaration asks for within the selection: ordered pairs of a host and
 * another target, without those that sp_policy_untested leaves out; their intervals per pair of
 * addresses and protocol; the lower and upper edges of those intervals, without permitted ones (a
 * permit has no edge to prove); all rules and all enforcement points of the model. Tests of bypass
 * techniques cover none of it: they are besides. */
struct sp_coverage {
    uint64_t pairs_tested, pairs_of;
    uint64_t intervals_tested, intervals_of;
    uint64_t rules_tested, rules_of;
    uint64_t edges_tested, edges_of;
    uint64_t enforcements_tested, enforcements_of;
    /* Denied tcp and udp ports of what can be tested, per pair of addresses, and those with a test
     * of their own (an exhaustive plan: or asked by a sweep). */
    uint64_t denied_tested, denied_of;
    double denied_ports_swept; /* the share that they make, 0..1 */
};

struct sp_cost {
    uint64_t tests;   /* a port that a sweep asks is one */
    uint64_t packets; /* all attempts and controls, without repeats */
    uint64_t seconds; /* of the busiest host at its allowed rate, and a second between attempts;
                         then the rounds of the sweeps: plan_time.c */
};

struct sp_plan {
    struct sp_pair *pairs;
    size_t npairs;
    struct sp_test *tests; /* grouped by pair; within a pair deny before allow */
    size_t ntests;
    struct sp_plan_sweep *sweeps; /* by pair; exhaustive depth only */
    size_t nsweeps;
    struct sp_slice slice;
    struct sp_skip *skips;
    size_t nskips;
    struct sp_coverage coverage;
    struct sp_cost cost;
    enum sp_depth depth;
    uint64_t seed;
    bool may_talk; /* conversations were not left out: a SYN/ACK of nobody may be followed up */
    uint16_t sport_lo,
        sport_hi; /* source ports reserved for the run: no test asks one, only sweeps do */
};

/* Numbers of design section 6 that price a plan and drive a run. */
#define SP_PLAN_DENY_ATTEMPTS   2U
#define SP_PLAN_ALLOW_ATTEMPTS  21U
/* Priced as controls: so many packets at both checkpoints of an attempt, per pair and protocol. */
#define SP_PLAN_CONTROL_PACKETS 3U
#define SP_PLAN_CHECKPOINTS     2U
/* Guards beside the packets of a sweep, about. */
#define SP_PLAN_GUARD_PERCENT   3U

/* Denied ports of a pair of addresses and protocol that each bypass technique asks, at most. */
#define SP_PLAN_BYPASS_PORTS  3U
#define SP_PLAN_BYPASS_MOST   96U /* at exhaustive depth, of one that is not intrusive */
/* Packets a second that a host sends with techniques of hazard class C (design section 10). */
#define SP_PLAN_INTRUSIVE_PPS 10U

#define SP_PLAN_MAX_TESTS UINT64_C(50000000)

/* Flows with source ports of their own so that each of k equally likely ways (backends, paths) is
 * taken at least once with a probability of 95 %: the smallest n with k (1 - 1/k)^n <= 0.05. */
unsigned sp_plan_flows_for(size_t k);
/* Flows so that one open way of k is missed with at most 0.001, each flow being lost with p: the
 * smallest n with (1 - (1 - p)/k)^n <= 0.001; UINT_MAX when p is 1. */
unsigned sp_plan_flows_past(size_t k, double p);
/* Ways that a denied flow may take side by side: declared paths, or the backends of a balancer. */
unsigned sp_plan_ways(const struct sp_model *model, const struct sp_pair *pair);

/* The address that a technique needs between this pair beside those of the two. */
enum sp_other {
    SP_OTHER_NONE,    /* it needs none */
    SP_OTHER_SOURCE,  /* that it writes in the place of its own */
    SP_OTHER_ROUTER,  /* that its source route begins with */
    SP_OTHER_MISSING, /* the topology declares none that fits: it cannot run */
};
enum sp_other sp_plan_other(const struct sp_model *model, const struct sp_pair *pair,
                            uint8_t technique, struct sp_addr *ret_addr);

/* An outer packet that carries a test's own, and what it is told about where the tunnel ends. */
struct sp_plan_outer {
    struct sp_addr src, dst;
    uint32_t vni;
    uint64_t mac; /* of the inner frame's destination, 48 bits; 0 = broadcast */
};
#define SP_PLAN_OUTERS 3U /* at most: as probes take them */
/* Those of one attempt; 0: the technique sends none, or there is no address that one could go to.
 */
size_t sp_plan_outers(const struct sp_model *model, const struct sp_pair *pair, size_t technique,
                      struct sp_plan_outer ret_outers[static SP_PLAN_OUTERS]);
/* Packets of one test and attempt between this pair. */
unsigned sp_plan_packets(const struct sp_model *model, const struct sp_pair *pair,
                         size_t technique);

/* SP_E_LIMIT: too many tests (the message tells how to narrow the plan), or no free range of source
 * ports is left. */
enum sp_rc sp_plan_new(struct sp_policy *policy, const struct sp_model *model,
                       const struct sp_plan_options *options, struct sp_plan **ret_plan,
                       struct sp_diag *diag) SP_MUST_CHECK;
void sp_plan_free(struct sp_plan *plan);

bool sp_slice_has(const struct sp_slice *slice, uint16_t port);
/* The ports that a sweep of the plan asks: denied ones (with a slice, its part of them and the
 * points of standard depth), and allowed ones. Adds to the sets. */
struct sp_portset;
enum sp_rc sp_plan_sweep_ports(const struct sp_plan *plan, const struct sp_model *model,
                               struct sp_policy *policy, size_t sweep, struct sp_portset *denied,
                               struct sp_portset *allowed) SP_MUST_CHECK;

struct sp_buf;
/* A share of 0..1 in percent, "0.0385": rounded down, so that 100 means all. One way for plan and
 * report. */
#define SP_PERCENT_STRLEN 16
const char *sp_percent_str(double share, char out[static SP_PERCENT_STRLEN]);

/* What a plan does with one listener of a balancer. */
struct sp_listener_plan {
    uint32_t balancer;    /* index into model->balancers */
    uint32_t listener;    /* index into its listeners */
    uint64_t tests;       /* allowed and permitted: one per client and address */
    unsigned flows;       /* that each takes to meet every backend */
    const char *untested; /* why they will be settled without a packet; NULL = they run */
};

/* Counts the tests of every listener, in the order of the model. *ret_listeners is freed with
 * sp_free(); one entry per listener. */
enum sp_rc sp_plan_listeners(const struct sp_plan *plan, const struct sp_model *model,
                             struct sp_listener_plan **ret_listeners, size_t *ret_n) SP_MUST_CHECK;

/* The plan for people, in 80 columns where words allow it: tests, packets, time, coverage, and what
 * is not tested and why. verbose adds every pair with its ports, and every skip by host. */
void sp_plan_print(const struct sp_plan *plan, const struct sp_model *model, bool verbose,
                   struct sp_buf *out);

/* Resolves a command-line selector ("web", "label:app=web", "any", "not:dev", "web,db-1") to
 * targets. */
enum sp_rc sp_select(const struct sp_model *model, const char *text, struct sp_bits *ret_targets,
                     struct sp_diag *diag) SP_MUST_CHECK;

const char *sp_depth_str(enum sp_depth depth);
const char *sp_expect_str(uint8_t expect);
const char *sp_why_str(uint8_t why);

#endif
