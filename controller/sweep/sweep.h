/* SPDX-License-Identifier: Apache-2.0
 *
 * The sweep of a run: every lane of plan->sweeps, round by round. Between the files of this folder,
 * and for the run that starts it.
 *
 *   sweep.c        the rounds: which lanes, which batch, what is asked again
 *   bundle.c       what one sender sends to one receiver: masks, guards, ids, the numbers of ports
 *   drive.c        volleys while the batch runs: which, how fast, what is repeated
 *   rate.c         how fast
 *   heard.c        what the probes tell
 *   observe.c      from bits to one observation per port, and to ranges
 *   doubt.c        what is asked again
 *   judge.c        ranges to results
 *   proof.c        the packets that prove them
 */
#ifndef SP_CONTROLLER_SWEEP_SWEEP_H
#define SP_CONTROLLER_SWEEP_SWEEP_H

#include "controller/round.h"
#include "controller/span.h"
#include "controller/sweep/rate.h"
#include "probe/base/portset.h"
#include "probe/base/volley.h"
#include "probe/wire/record.h"
#include "reports/result.h"

/* Between two attempts at a denied port (design section 6). */
#define SP_ATTEMPT_GAP_US 1000000U
#define SP_BUNDLE_LANES   16U    /* sweeps that are mixed */
#define SP_CELL_PORTS     512U   /* ports that are counted together: a part of a volley */
#define SP_VOLLEY_PORTS   4096U  /* the most that one volley holds, */
#define SP_VOLLEY_MOST    16384U /* and after some clean ones */
/* How often a cell is tried in one pass before it is left as it is. */
#define SP_VOLLEY_TRIES   30U
#define SP_SWEEP_ATTEMPTS 2U /* passes that a negative stands on at least */

/* What a lane's sweeps have shown so far. */
struct sp_sweep_found {
    struct sp_sweep_span *spans; /* sorted, without gaps over what was asked; owned */
    size_t nspans;
    struct sp_sweep_status status;
    bool is_settled;
    bool needs_raw; /* the link layer is not open to it */
    uint8_t asked;  /* batches that asked it */
    /* Of its last batch: attempts at denied ports that leak, and those that did not arrive; and the
     * greatest share that any batch missed above what its controls lost. */
    uint64_t leak_tries, leak_missed;
    double odd;
    double own_loss; /* that its path loses at any rate */
    uint32_t pps;    /* that its path took, where a higher rate was too high; 0 = unknown */
};

/* A control flow of a batch. */
struct sp_guard_plan {
    uint32_t host; /* who sends it */
    struct sp_control_flow flow;
    uint16_t id;
    uint32_t every_us; /* 0 = with the bundle of its host */
    bool is_steady, is_link;
    bool is_refused;
    uint16_t sport_lo, sport_hi;
    struct sp_portset left, nic, host_seen; /* by beat */
};

/* Answers of one kind. */
struct sp_answer_class {
    uint8_t answer, code, ttl;
    struct sp_addr addr;
    struct sp_portset ports;
};

/* A packet of a sweep that a probe kept and told of. */
struct sp_sweep_sample {
    uint32_t host;
    uint16_t id, port;
    uint8_t kind;  /* enum sp_seen_kind */
    bool is_asked; /* its packet was asked for */
    struct sp_tuple tuple;
};

struct sp_lane_pass {
    struct sp_portset *nic, *host; /* owned, NULL = nothing */
};

/* One sweep in a bundle. */
struct sp_sweep_lane {
    uint32_t sweep; /* index into plan->sweeps */
    const struct sp_plan_sweep *plan;
    const struct sp_pair *pair;
    struct sp_control control;
    struct sp_portset denied, allowed; /* what this batch asks */
    struct sp_portset raw;             /* of these: sent as raw IP */
    uint32_t base, count;              /* numbers of its ports among the bundle's */
    uint16_t id;                       /* of its first pass */
    uint16_t sport, alt_sport, alt_lo, alt_hi;
    bool is_link;
    uint32_t guards[3]; /* index into the batch's: control flow 0, flow 1, flow 0 steady; SP_NONE */
    /* what became of it */
    uint8_t sender_refused, receiver_refused;
    bool is_dead;                             /* its control does not come through any more */
    bool is_state_full;                       /* dead, while a flow that exists goes on */
    unsigned dead_volleys;                    /* in a row */
    unsigned steady_volleys;                  /* of these: the steady flow came through */
    struct sp_rate_step steps[SP_RATE_STEPS]; /* its own beats, by rate */
    uint32_t beats, beats_lost;
    struct sp_lane_pass *passes;                             /* owned; bundle->npasses */
    struct sp_portset *egress, *rewritten, *refused, *stray; /* owned, NULL = none */
    uint32_t stray_host;
    struct sp_answer_class *classes; /* owned */
    size_t nclasses;
    bool classes_overflow;
};

/* How often a cell was asked in one pass, and by what. */
struct sp_cell_pass {
    uint8_t step[SP_BUNDLE_LANES]; /* 1 + rate step of the volley that counts; 0 = none yet */
    uint8_t tries;
    bool is_out;
    uint32_t end_us; /* of the last volley, since FIRE */
};

struct sp_volley {
    uint32_t bundle, serial;
    uint16_t pass;
    uint32_t first, count; /* of the permuted numbers */
    uint32_t pps, epoch;
    bool is_sent, is_judged;
    struct sp_rec_volleyed told;
    uint64_t ordered_us, told_us; /* by our clock */
    uint64_t drops_before;        /* of the receiver, when it was ordered */
};

/* All that one sender sends to one receiver in a batch. */
struct sp_bundle {
    uint32_t from, to;
    uint32_t point;              /* the enforcement point between them, SP_NONE */
    struct sp_sweep_lane *lanes; /* owned */
    size_t nlanes;
    uint32_t total; /* ports of all lanes */
    uint64_t order; /* key of the permutation */
    uint16_t npasses, passes_wanted;
    uint32_t gap_us; /* between two passes of a port */
    uint32_t cell, ncells;
    struct sp_cell_pass *cells; /* [npasses][ncells]; owned */
    struct sp_rate rate;
    struct sp_volley *volleys;                /* owned */
    size_t nvolleys, cap_volleys, first_open; /* those before are judged */
    size_t next;                              /* pass * ncells + cell of the next in order */
    uint32_t *again; /* cells to be sent again: pass * ncells + cell; owned, a ring */
    size_t again_first, nagain, cap_again;
    uint32_t next_serial, outstanding; /* volleys and ports that are under way */
    uint32_t outstanding_ports;
    uint32_t waiting, waiting_ports; /* of these: not sent yet */
    uint32_t achieved;               /* packets a second of the last volley; 0 = none yet */
    uint64_t told_us;                /* when the sender told of its last volley */
    uint32_t last_beat;              /* the highest that it told of */
    bool is_over;                    /* nothing left, or nothing to be had */
    uint8_t unsound;                 /* enum sp_unsound: why it ended early; else SP_SOUND */
    unsigned drops;                  /* volleys beside which the receiver dropped packets */
    uint32_t repeats, pps_lowest, pps_highest;
    uint64_t packets, sent_us;
};

/* Losses that a receiver has told so far, by host. */
struct sp_host_health {
    uint64_t arrived, drops;
    uint32_t longest_gap_us;
};

struct sp_sweep_batch {
    struct sp_run_state *run;
    struct sp_batch *batch;
    struct sp_bundle *bundles; /* owned */
    size_t nbundles;
    struct sp_guard_plan *guards; /* owned */
    size_t nguards, cap_guards;
    uint16_t *lane_of_id;  /* 65536: 1 + bundle * SP_BUNDLE_LANES + lane; guards: see below */
    uint16_t *guard_of_id; /* 65536: 1 + index */
    struct sp_host_health *health; /* model->nhosts */
    struct sp_sweep_sample *samples;
    size_t nsamples, cap_samples;
    struct sp_state_book *book; /* borrowed */
    bool is_out_of_memory;
};

/* Everything of a run's sweeps that outlives a batch. */
struct sp_sweeps_run {
    struct sp_run_state *run;
    struct sp_sweep_found *found; /* plan->nsweeps */
};

#endif
