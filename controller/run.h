/* SPDX-License-Identifier: Apache-2.0
 *
 * A whole verification: probes up, scout, denies, allows, repeats where the evidence was not sound,
 * verdicts. */
#ifndef SP_CONTROLLER_RUN_H
#define SP_CONTROLLER_RUN_H

#include "controller/fleet.h"
#include "reports/result.h"
#include "topologies/plan.h"

struct sp_run_options {
    struct sp_fleet_options fleet;
    const char *ledger_path; /* NULL = keep none */
    uint64_t timeout_ms;     /* for the probes to get ready */
    bool inject_link;        /* everything past the senders' own OUTPUT policy; with
                                fleet.link_injection alone only the bulk of sweeps */
    unsigned attempts_min;   /* passes that a swept negative stands on; 0 = as designed */
    const volatile bool *stop_flag;
    const volatile bool *pause_flag; /* no volley is ordered while it is set; may be NULL */
    /* Told now and then; done and of are steps of the stage. May be NULL. */
    void (*progress)(void *arg, const char *stage, uint64_t done, uint64_t of);
    void *progress_arg;
};

/* Fills result (made with sp_result_new for this model and plan). SP_OK even when hosts failed or
 * the run was interrupted: the result says so. An error means that nothing could be measured at
 * all. */
enum sp_rc sp_run(const struct sp_model *model, struct sp_policy *policy,
                  const struct sp_plan *plan, const struct sp_run_options *options,
                  struct sp_result *result, struct sp_diag *diag) SP_MUST_CHECK;

#endif
