/* SPDX-License-Identifier: Apache-2.0
 *
 * What a run found: the material of every report format. The controller fills it; nothing here
 * knows a probe. */
#ifndef SP_REPORTS_RESULT_H
#define SP_REPORTS_RESULT_H

#include "reports/evidence.h"
#include "reports/verdict.h"
#include "topologies/plan.h"

/* One test and what became of it. */
struct sp_outcome {
    struct sp_seen seen;
    struct sp_judgement judged;
    uint8_t grade;         /* enum sp_grade of the control it rests on */
    uint16_t control_sent; /* control packets around it */
    uint16_t control_lost;
    bool injected_link; /* else raw IP */
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
    struct sp_outcome *outcomes;  /* plan->ntests */
    struct sp_host_status *hosts; /* model->nhosts */
    uint64_t packets_sent, packets_captured, capture_drops;
    struct sp_evidence *evidence; /* owned; NULL = not asked for */
};

/* Every test starts as inconclusive (interrupted), so one that nobody judges is never a pass. */
enum sp_rc sp_result_new(const struct sp_model *model, const struct sp_plan *plan,
                         struct sp_result **ret_result) SP_MUST_CHECK;
/* The listener whose backends an allowed test of a balancer must reach; NULL for all others. */
const struct sp_listener *sp_result_listener(const struct sp_model *model,
                                             const struct sp_plan *plan,
                                             const struct sp_test *test);
void sp_result_free(struct sp_result *result);

#endif
