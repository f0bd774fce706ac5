/* SPDX-License-Identifier: Apache-2.0
 *
 * Packets that prove what sweeps find. Which ranges become findings is known at the end of the run
 * only, while probes forget a batch's packets when the next begins: after each batch the packets of
 * ranges that would be findings as they stand are fetched and set aside, each with its sweep and
 * port; at the end they are attached to the tests of the result that their ports lie in.
 *
 * Limits: SP_PROOF_PER_RANGE shots of one range and SP_PROOF_PER_RULE of one rule over the run,
 * SP_GATHER_MAX_WANTS questions in a batch, and those of struct sp_evidence. Without --evidence
 * there is no struct sp_sweep_proof, and every function here does nothing. */
#ifndef SP_CONTROLLER_SWEEP_PROOF_H
#define SP_CONTROLLER_SWEEP_PROOF_H

#include "controller/gather.h"
#include "controller/sweep/sweep.h"

/* Shots of one range under one rule whose packets are fetched. */
#define SP_PROOF_PER_RANGE 8U
/* Of all ranges that one rule decides, in one sweep. */
#define SP_PROOF_PER_RULE  64U

/* NULL result->evidence: none is wanted, *ret_proof is NULL. */
enum sp_rc sp_sweep_proof_new(const struct sp_result *result,
                              struct sp_sweep_proof **ret_proof) SP_MUST_CHECK;
void sp_sweep_proof_free(struct sp_sweep_proof *proof);

/* After sp_sweep_observe(), before the next batch: fetches, waiting a bounded time. */
enum sp_rc sp_sweep_proof_fetch(struct sp_sweep_batch *sb,
                                const struct sp_sweep_found *found) SP_MUST_CHECK;
/* The questions of a batch; what sp_sweep_proof_fetch() asks. */
enum sp_rc sp_sweep_proof_choose(struct sp_sweep_batch *sb, const struct sp_sweep_found *found,
                                 struct sp_gather *gather) SP_MUST_CHECK;
/* Where sp_sweep_proof_choose() wants the answers. */
struct sp_evidence *sp_sweep_proof_store(struct sp_sweep_proof *proof);
/* After sp_sweep_judge(): to the result's evidence. */
void sp_sweep_proof_attach(const struct sp_sweep_proof *proof, struct sp_result *result);

#endif
