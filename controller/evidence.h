/* SPDX-License-Identifier: Apache-2.0
 *
 * Evidence during a run: which attempts of a batch speak for or against what may become a finding,
 * and fetching their packets from the probes before the next batch begins. Without --evidence there
 * is no struct sp_evidence_run, and every function here does nothing. */
#ifndef SP_CONTROLLER_EVIDENCE_H
#define SP_CONTROLLER_EVIDENCE_H

#include "controller/gather.h"
#include "controller/round_priv.h"

struct sp_evidence_run;

/* NULL into: no evidence is wanted, *ret_evidence is NULL. */
enum sp_rc sp_evidence_run_new(const struct sp_model *model, const struct sp_plan *plan,
                               struct sp_evidence *into,
                               struct sp_evidence_run **ret_evidence) SP_MUST_CHECK;
void sp_evidence_run_free(struct sp_evidence_run *evidence);

/* After a batch: takes down how it went. */
void sp_evidence_note(struct sp_run_state *run, const struct sp_batch *batch);
/* After a batch: looks at an attempt that counts (its absence proves something), or that does not.
 */
void sp_evidence_consider(struct sp_round *round, const struct sp_attempt *attempt, bool counts);
/* A shot outside the attempts of a round (a conversation with whoever answers for a receiver). */
void sp_evidence_consider_shot(struct sp_round *round, uint32_t test, uint32_t shot);
/* Asks the probes for what was considered worth it; waits a bounded time. */
void sp_evidence_fetch(struct sp_round *round);

/* The same for whoever has questions of his own (run->evidence is not NULL): open, sp_gather_add(),
 * ask. into: where the packets go, NULL = to the result. */
struct sp_gather *sp_evidence_open(struct sp_run_state *run, const struct sp_batch *batch,
                                   struct sp_evidence *into);
void sp_evidence_ask(struct sp_run_state *run);

#endif
