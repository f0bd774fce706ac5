/* SPDX-License-Identifier: Apache-2.0
 *
 * What a run found: the material of every report format. The controller fills it; nothing here
 * knows a probe. */
#ifndef SP_REPORTS_RESULT_H
#define SP_REPORTS_RESULT_H

#include "reports/claim.h"
#include "reports/evidence.h"
#include "reports/verdict.h"
#include "topologies/plan.h"

/* What became of one test. */
struct sp_outcome {
    struct sp_seen seen;
    struct sp_judgement judged;
    uint8_t grade;         /* enum sp_grade of the control it rests on */
    uint16_t control_sent; /* control packets around it */
    uint16_t control_lost;
    bool injected_link; /* else raw IP */
    uint8_t parts;      /* enum sp_pieces: the most that came of a test that is sent in fragments */
    /* An allowed flow to a balancer: flows that each backend of its listener got, in the order of
     * the listener; owned, NULL for all other tests. */
    uint16_t *backend_flows;
    const char *not_tested; /* static reason when verdict is NOT_TESTED */
};

struct sp_host_status {
    uint32_t host;
    bool wanted;           /* the plan needs its probe */
    bool ok;               /* came up and lasted to the end */
    char reason[480];      /* why not */
    char version[32];      /* of its probe */
    const char *privilege; /* where its probe has CAP_NET_RAW from: "root login", "sudo", ...; NULL:
                              segproof's own; static */
    uint64_t packets_sent, packets_captured, capture_drops;
    char interfaces[256]; /* of its host, "eth0 up, lo up loopback"; "" = its probe never told */
};

/* How a sweep of the plan went. */
struct sp_sweep_status {
    bool is_run;        /* else it was not reached, or taken over from a run that is resumed */
    bool is_resumed;    /* taken over: is_run of an earlier run */
    bool injected_link; /* its bulk; its allowed ports always go as raw IP */
    uint8_t grade;      /* enum sp_grade of its control */
    uint16_t passes;    /* that every port has, at least */
    uint32_t volleys, repeats;          /* of its sender; sent again after loss */
    uint32_t pps_lowest, pps_highest;   /* at which volleys that count were sent */
    uint64_t packets;                   /* of the sweep, without controls */
    uint32_t beats, beats_lost;         /* control packets beside volleys that count */
    uint32_t pilot_sent, pilot_refused; /* link injection: packets that went through the sender's
                                           own OUTPUT policy first, and how many it refused */
    uint64_t sent_us;                   /* time spent sending, its share of the volleys */
};

/* A cycle of runs that sweep one part of the denied ports each. */
struct sp_rolling_status {
    uint32_t parts;    /* 0: this run is none of a cycle */
    uint32_t part;     /* of this run, from 1 */
    double covered;    /* share of the denied ports of all lanes that the cycle has swept, 0..1 */
    uint64_t since_s;  /* the oldest run that counts in it; 0 = none */
    uint32_t to_cover; /* parts that are not swept on every lane: so many runs at least */
    bool is_complete;
};

struct sp_result {
    const struct sp_model *model;   /* borrowed */
    const struct sp_plan *plan;     /* borrowed */
    struct sp_policy *policy;       /* borrowed; NULL = reports list tested points only, not the
                                       declared intervals */
    const char *ssh_config;         /* borrowed; the --ssh-config that repeats the run, or NULL */
    char run_id[17];                /* 16 hex digits */
    uint64_t started_s, finished_s; /* wall clock */
    uint64_t duration_ms;
    bool interrupted;
    /* The plan's tests, then what sweeps found: ranges of ports with one expectation and one
     * observation. */
    struct sp_test *tests;       /* owned */
    struct sp_outcome *outcomes; /* one per test */
    size_t ntests, cap_tests;
    struct sp_sweep_status *sweeps; /* plan->nsweeps */
    struct sp_host_status *hosts;   /* model->nhosts */
    uint64_t packets_sent, packets_captured, capture_drops;
    struct sp_evidence *evidence; /* owned; NULL = not asked for */
    struct sp_rolling_status rolling;
    struct sp_claims claims; /* owned; sorted when the run is over */
    unsigned attempts_min;   /* passes of a negative that were asked for; 0 = by design */
};

/* Every test starts as inconclusive (interrupted), so one that nobody judges is never a pass. */
enum sp_rc sp_result_new(const struct sp_model *model, const struct sp_plan *plan,
                         struct sp_result **ret_result) SP_MUST_CHECK;
/* Adds what a sweep found; the arrays may move. */
enum sp_rc sp_result_add(struct sp_result *result, const struct sp_test *test,
                         const struct sp_outcome *outcome) SP_MUST_CHECK;
/* Adds what a sweep of the plan asks and the result does not speak of, as inconclusive: SP_OK also
 * when nothing is missing. For the end of a run; a summary counts what is missing without it, but
 * cannot tell which ports. */
enum sp_rc sp_result_add_unswept(struct sp_result *result, struct sp_policy *policy,
                                 enum sp_unsound why) SP_MUST_CHECK;
/* The listener whose backends an allowed test of a balancer must reach; NULL for all others. */
const struct sp_listener *sp_result_listener(const struct sp_model *model,
                                             const struct sp_plan *plan,
                                             const struct sp_test *test);
/* What the judge is asked of a test, beside what was seen. */
struct sp_case sp_result_case(const struct sp_model *model, const struct sp_plan *plan,
                              const struct sp_test *test);
void sp_result_free(struct sp_result *result);

#endif
