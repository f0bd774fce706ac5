/* SPDX-License-Identifier: Apache-2.0
 *
 * A whole verification: probes up, scout, denies, allows, repeats where the evidence was not sound,
 * verdicts. */
#ifndef SP_CONTROLLER_RUN_H
#define SP_CONTROLLER_RUN_H

#include "controller/fleet.h"
#include "controller/journal.h"
#include "controller/progress.h"
#include "reports/result.h"
#include "topologies/plan.h"

struct sp_run_state;

struct sp_run_options {
    struct sp_fleet_options fleet;
    const char *ledger_path; /* NULL = keep none */
    uint64_t timeout_ms;     /* for the probes to get ready */
    bool inject_link;        /* everything past the senders' own OUTPUT policy; with
                                fleet.link_injection alone only the bulk of sweeps, and techniques
                                that need it */
    bool sweep_raw;          /* not even the bulk of sweeps */
    uint64_t run_id;         /* 0 = a random one */
    const volatile bool *stop_flag;
    const volatile bool *pause_flag; /* nothing new is sent while it is set; NULL = never */
    unsigned attempts_min;           /* passes that a negative has at least; 0 = by design */
    struct sp_journal *journal;      /* takes finished sweeps down, gives those of the run that is
                                        resumed; NULL = none */
    /* Before the probes start: says what else they may do, beside the plan; NULL = nothing. */
    enum sp_rc (*before)(void *arg, struct sp_fleet *fleet);
    /* More to measure when everything is judged, with the same probes; NULL = nothing. */
    enum sp_rc (*after)(void *arg, struct sp_run_state *run, struct sp_diag *diag);
    void *after_arg;            /* of both */
    const struct sp_bits *also; /* hosts that it needs, beside those of the plan; NULL = none */
    /* Told now and then. May be NULL. */
    void (*progress)(void *arg, const struct sp_progress_info *info);
    void *progress_arg;
};

/* Fills result (made with sp_result_new for this model and plan). SP_OK even when hosts failed or
 * the run was interrupted: the result says so. An error means that nothing could be measured at
 * all. */
enum sp_rc sp_run(const struct sp_model *model, struct sp_policy *policy,
                  const struct sp_plan *plan, const struct sp_run_options *options,
                  struct sp_result *result, struct sp_diag *diag) SP_MUST_CHECK;

#endif
