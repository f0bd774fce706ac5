/* SPDX-License-Identifier: Apache-2.0
 *
 * A result put in order for people: counts, the overall verdict and exit code, findings, notes,
 * what stayed open, pairs, the matrix of segments, causes and coverage. Every report format is made
 * from this and from the result it borrows; both model, plan and result must outlive it.
 *
 * Everything is sorted, so one result gives one report. A test may be a range of ports: it counts
 * as many checks as it has ports, and no port of it is looked at by itself. Limits: memory grows
 * with the tests (32 bytes each) and with what was found. */
#ifndef SP_REPORTS_SUMMARY_H
#define SP_REPORTS_SUMMARY_H

#include "reports/result.h"

enum sp_overall { SP_OVERALL_HOLDS, SP_OVERALL_FAILS, SP_OVERALL_INCOMPLETE };

enum sp_severity { SP_SEVERITY_LOW, SP_SEVERITY_MEDIUM, SP_SEVERITY_HIGH, SP_SEVERITY_CRITICAL };

/* One test, with what it is sorted and grouped by. */
struct sp_entry {
    uint32_t from, to;      /* targets */
    uint32_t rule;          /* SP_NONE = default deny */
    uint32_t test;          /* index into result->tests and result->outcomes */
    uint16_t port, port_hi; /* inclusive; port <= port_hi */
    uint8_t family, proto, technique, expect;
    uint8_t verdict; /* enum sp_verdict, always in range */
    bool is_note;
    bool is_bypass;   /* asks in another way than the ordinary test of its port, and besides it */
    uint32_t opening; /* what sp_opening_of() says, while findings are grouped; else 0 */
};

/* Where a change would be made: see place.h. */
struct sp_place {
    uint8_t kind; /* enum sp_place_kind */
    uint32_t a, b;
};

/* Ports lo .. hi. */
struct sp_port_span {
    uint16_t lo, hi;
    bool is_bypass; /* asks in another way than the ordinary test of its port, and besides it */
};

/* In checks: a range of ports is as many. */
struct sp_counts {
    uint64_t checks; /* judged: holds + failed + inconclusive */
    uint64_t holds;  /* permits that only earn a note are among them */
    uint64_t failed; /* tests whose verdict is a finding; nfindings groups them */
    uint64_t inconclusive;
    uint64_t not_observable; /* silent targets without a probe */
    uint64_t not_tested;     /* planned and not carried out */
    uint64_t notes;
    uint64_t lossy;
    uint64_t by_syn_proxy; /* allowed flows that hold, though a SYN proxy answers on the path */
    uint64_t by_grade[SP_GRADE_PAIR + 1]; /* denied flows that hold, by the control they rest on */
    uint64_t by_arrival;                  /* allowed flows that hold: arrival is its own proof */
    uint64_t on_one_attempt; /* denied flows that hold, of which one attempt alone counts */
    uint64_t unswept;        /* of the inconclusive: ports of sweeps that the result is silent on */
    uint64_t probes_failed;
    /* Claims (claim.h) by verdict; none of them is among the checks. */
    uint64_t claims_held, claims_failed, claims_unknown, claims_not_observable;
};

/* Tests that share from, to, family, protocol, technique, expectation, rule and verdict, and of
 * leaks the opening: two rules that open two ports make two findings. */
struct sp_finding {
    char id[17]; /* see sp_finding_id */
    enum sp_verdict verdict;
    enum sp_severity severity;
    uint32_t from, to, rule;
    uint8_t family, proto, technique, expect;
    uint8_t grade;              /* the weakest among the tests */
    char *ports;                /* "22,8000-8100" */
    struct sp_port_span *spans; /* the same, rising, in pieces that may touch */
    size_t nspans;
    char *sports;      /* the source ports that it is about, "53,123"; NULL = any */
    uint8_t parts;     /* enum sp_pieces: the most that came of a test that is sent in fragments */
    uint32_t tests;    /* how many checks */
    uint32_t sample;   /* the test that shows it best; the rest of this struct speaks of it */
    uint16_t attempts; /* that count */
    uint16_t delivered;
    const char *sender;   /* what the sender got back: sp_answer_str, static */
    const char *receiver; /* "none", "nic_only", "intact", "rewritten", "elsewhere", "foreign" (who
                             is no backend served it), "no_probe", "later_fragments",
                             "first_fragments" (of a test in fragments no more came) */
    const char *egress;   /* the answer that left the receiver, or "none" */
    char *where;          /* who else got it, who refused it, or which backends never got it; NULL =
                             unknown */
    const char *policy;   /* the rule's name or "default deny"; borrowed */
    char *line;           /* "shop.yaml:41"; the file alone for default deny */
    const char *injected; /* how its packets were sent: "raw", "link" (a sweep: but for its pilot),
                             "raw, link" where tests differ; static */
    uint8_t cause_kind;   /* enum sp_cause */
    uint32_t opening;     /* of leaks that a rule for ports explains, else SP_NONE */
    uint32_t group;       /* the cause that it belongs to; SP_NONE for a note */
    uint8_t depth;        /* enum sp_depth, the narrowest at which it is tested again */
    bool by_link;         /* and the command says how to send */
    char *cause;          /* a clause; names whoever it speaks of */
    char *remedy;
    char *repeat;            /* a command line */
    char *evidence;          /* the name of its file, "leak-1.pcapng"; NULL = none */
    const char *no_evidence; /* why there is none, though it was asked for; static */
    uint32_t *proof;         /* of its tests, those of which there are packets */
    size_t nproof;
};

/* Tests without a conclusion that share their reason and their pair, or the host at fault. */
struct sp_open {
    enum sp_unsound reason;
    uint32_t host;     /* whose fault it is, SP_NONE = the pair's; then the next four count */
    uint32_t from, to; /* both SP_NONE when it is nobody's: everything that was not finished */
    uint8_t family, proto, technique;
    bool never_ready;   /* the host has no probe at all: detail tells why */
    char *ports;        /* NULL for a host's fault, and for nobody's */
    const char *detail; /* the host's own words, or NULL; borrowed, from outside: escape it */
    uint64_t tests;
};

/* What was left out, by reason. */
struct sp_untested {
    const char *reason; /* static */
    uint32_t host;      /* a target without a probe, or SP_NONE */
    uint64_t tests;     /* planned checks */
    uint64_t pairs;     /* never planned */
    uint64_t intervals; /* never planned */
    uint64_t ports;     /* denied ones that no sweep asks */
};

/* One ordered pair of targets, family and protocol. */
struct sp_pair_row {
    uint32_t from, to;
    uint8_t family, proto;
    uint8_t verdict; /* the worst; holds covers `tested` only */
    uint8_t grade;   /* the weakest control behind its denied flows that hold */
    bool lossy;
    char *allowed, *permitted, *denied; /* declared intervals (tested points without a policy) */
    char *tested;                       /* ports with a conclusion, by ordinary tests */
    char *leaks;                        /* of these, what leaks */
    char *failing;                      /* and what is any other finding */
    char *delivered;                    /* ports of which something arrived, of these tests */
    char *syn_proxy;                    /* ports before which a SYN proxy answers */
    uint32_t tests, holds, failed, inconclusive;
    uint32_t held_by[SP_BY_ANSWERER + 1]; /* who stopped the denied flows that hold */
};

/* A row and column of the matrix: a network with tested hosts, or all balancers together. */
struct sp_segment {
    uint32_t network; /* SP_NONE = the balancers */
    const char *name; /* borrowed */
};

struct sp_cell {
    uint32_t from, to; /* segments */
    uint8_t worst;     /* enum sp_verdict */
    uint64_t holds, failed, inconclusive, not_observable, not_tested;
};

/* Findings that one change would end: see causes.c. Every finding is in exactly one. */
struct sp_cause_group {
    uint8_t kind;               /* enum sp_cause */
    uint8_t verdict;            /* the worst of its findings */
    enum sp_severity severity;  /* of the worst finding, and how many hosts it is about */
    struct sp_place place;      /* where the change is to be made */
    const char *cause, *remedy; /* borrowed from its first finding */
    const char *policy;         /* what all its findings break, or NULL; borrowed */
    char *where;                /* the name of the place */
    char *repeat;               /* a command line that tests all of it again */
    uint32_t *findings;         /* indexes, rising: the worst first */
    size_t nfindings;
    size_t nflows; /* different hosts, families and protocols */
};

/* What one client saw of one listener of a load balancer, at one address of it: an allowed or
 * permitted test. */
struct sp_served {
    uint32_t balancer; /* index into model->balancers */
    uint32_t listener; /* index into its listeners */
    struct sp_addr addr;
    uint32_t from; /* host */
    uint32_t test;
};

/* What the tests of one bypass technique came to, in one family. */
struct sp_technique_row {
    uint8_t technique, family;
    uint64_t tests, holds, failed, inconclusive, not_tested;
};

struct sp_summary {
    const struct sp_result *result; /* borrowed */
    struct sp_counts counts;
    struct sp_coverage coverage; /* the plan's, less what gave no conclusion */
    enum sp_overall overall;
    int exit_code;            /* 0, 1 or 3 */
    struct sp_entry *entries; /* every test, by from, to, family, proto, port, test; a sweep adds
                                 ranges, so entries may overlap */
    size_t nentries;
    struct sp_finding *findings; /* the worst first */
    size_t nfindings;
    struct sp_finding *notes;
    size_t nnotes;
    struct sp_open *open;
    size_t nopen;
    struct sp_untested *untested;
    size_t nuntested;
    struct sp_pair_row *pairs;
    size_t npairs;
    struct sp_segment *segments;
    size_t nsegments;
    struct sp_cell *cells; /* by from, to; only cells with tests */
    size_t ncells;
    struct sp_cause_group *causes;
    size_t ncauses;
    struct sp_served *served; /* by balancer, listener, address, client */
    size_t nserved;
    struct sp_technique_row *bypasses; /* by technique and family; only those with tests */
    size_t nbypasses;
};

/* How many checks an entry stands for. */
static inline uint32_t sp_entry_checks(const struct sp_entry *entry)
{
    return (uint32_t)entry->port_hi - entry->port + 1U;
}

/* Counts one test that stands for n checks. Verdicts outside the enum count as inconclusive. */
void sp_counts_add(struct sp_counts *counts, const struct sp_outcome *outcome, uint8_t expect,
                   uint64_t n);
/* counts.checks, once everything is added; and what follows from all of it, claims too. */
enum sp_overall sp_counts_conclude(struct sp_counts *counts, bool interrupted, int *ret_exit_code);

enum sp_rc sp_summary_new(const struct sp_result *result,
                          struct sp_summary **ret_summary) SP_MUST_CHECK;
void sp_summary_free(struct sp_summary *summary);

/* NULL when the cell has no tests. */
const struct sp_cell *sp_summary_cell(const struct sp_summary *summary, uint32_t from, uint32_t to);

const char *sp_overall_str(enum sp_overall overall);
const char *sp_severity_str(enum sp_severity severity);

#endif
