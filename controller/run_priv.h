/* SPDX-License-Identifier: Apache-2.0
 *
 * Shared by the parts of a run: run.c (its phases), run_services.c (what must not be tested) and
 * run_judge.c (verdicts). */
#ifndef SP_CONTROLLER_RUN_PRIV_H
#define SP_CONTROLLER_RUN_PRIV_H

#include "controller/round.h"

/* Settles every test whose payload would reach a real service as not tested. */
void sp_run_leave_services(struct sp_run_state *run);
/* Judges one test of a lane into its outcome. */
void sp_run_judge(struct sp_run_state *run, const struct sp_lane *lane, uint32_t index);

#endif
