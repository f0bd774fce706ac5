/* SPDX-License-Identifier: Apache-2.0
 *
 * A round: one batch with its timetable. For every lane in it: control packets, attempts, control
 * packets again, at the rates that the hosts allow, no receiver from two senders at once. After the
 * batch has run, the attempts are counted into the tallies of their tests. */
#ifndef SP_CONTROLLER_ROUND_H
#define SP_CONTROLLER_ROUND_H

#include "controller/lane.h"
#include "controller/ledger.h"

enum sp_round_kind {
    SP_ROUND_SCOUT, /* candidates of controls, nothing else */
    SP_ROUND_DENY,  /* attempts at least a second apart */
    SP_ROUND_ALLOW  /* SP_PLAN_ALLOW_ATTEMPTS quick tries */
};

struct sp_journal;
struct sp_progress_info;

/* What every round of a run shares. */
struct sp_run_state {
    const struct sp_model *model;
    struct sp_policy *policy;
    const struct sp_plan *plan;
    struct sp_fleet *fleet;
    struct sp_ledger *ledger;
    struct sp_outcome *outcomes; /* of the result: plan->ntests */
    struct sp_tally *tallies;    /* plan->ntests */
    struct sp_lanes lanes;
    struct sp_scouts scouts;
    uint8_t *baseline_ttl; /* plan->npairs: TTL of the receiver's own answers at the sender, 0 = not
                              seen */
    uint64_t run_id;
    uint64_t seed;
    uint32_t next_batch;
    uint32_t round; /* a lane takes part in a round once, however many batches the round needs */
    uint32_t max_rtt_us;
    double slow; /* 1 = at the allowed rates; doubled after a round in which a capture dropped */
    bool link_injection;
    const volatile bool *stop_flag;
    const volatile bool *pause_flag; /* nothing new is sent while it is set; may be NULL */
    unsigned attempts_min;           /* passes that a negative must have; 0 = by design */
    struct sp_journal *journal;      /* see controller/journal.h; NULL = none */
    bool sweep_link;                 /* the bulk of sweeps is injected at the link layer */
    void (*on_progress)(void *arg, uint64_t done_us, uint64_t of_us); /* of the batch that runs */
    void *progress_arg;
    /* Tells who started the run where it stands (controller/progress.h); may be NULL. */
    void (*tell)(void *arg, const struct sp_progress_info *info);
    void *tell_arg;
    uint64_t packets_sent, packets_captured, capture_drops;
    struct sp_host_status *hosts;     /* of the result: model->nhosts */
    struct sp_sweep_found *swept;     /* by sweep of the plan, NULL = nothing yet */
    struct sp_sweep_proof *proof;     /* see controller/sweep/proof.h; NULL = none is wanted */
    struct sp_evidence_run *evidence; /* see controller/evidence.h; NULL = none is wanted */
};

/* Sends each candidate control twice and notes what was delivered. */
enum sp_rc sp_round_scout(struct sp_run_state *run, struct sp_diag *diag) SP_MUST_CHECK;
/* One round over the lanes that have unsettled tests of this kind. *ret_left tells whether lanes
 * had to be left for a further round because the batch was full. */
enum sp_rc sp_round_run(struct sp_run_state *run, enum sp_round_kind kind, unsigned attempts,
                        bool *ret_left, struct sp_diag *diag) SP_MUST_CHECK;
/* What a negative of this lane needs (design section 6): passes at least a second apart, against
 * loss, and flows with a source port each, against parallel paths of which one may be open. */
struct sp_need {
    unsigned passes; /* 0 = the path loses too much */
    unsigned flows;
};
/* Passes of a negative on a path that loses nothing. */
unsigned sp_attempts_least(const struct sp_run_state *run);
struct sp_need sp_attempts_needed(const struct sp_run_state *run, const struct sp_lane *lane);
/* Flows of one test in one pass. */
uint16_t sp_flows_per_pass(const struct sp_run_state *run, const struct sp_lane *lane);
/* Passes that this test still lacks. */
unsigned sp_passes_lacking(const struct sp_run_state *run, const struct sp_lane *lane,
                           const struct sp_tally *tally);

#endif
