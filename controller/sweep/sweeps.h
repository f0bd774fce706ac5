/* SPDX-License-Identifier: Apache-2.0
 *
 * The sweeps of a run, for the run that has them. */
#ifndef SP_CONTROLLER_SWEEP_SWEEPS_H
#define SP_CONTROLLER_SWEEP_SWEEPS_H

#include "controller/round.h"
#include "reports/result.h"

struct sp_sweep_found;

/* Sweeps every lane of the plan, round by round. *ret_found has one entry per sweep of the plan and
 * is freed with sp_sweeps_free(); also after an error it holds what was found until then. */
enum sp_rc sp_sweeps_run(struct sp_run_state *run, struct sp_sweep_found **ret_found,
                         struct sp_diag *diag) SP_MUST_CHECK;
void sp_sweeps_free(struct sp_sweep_found *found, size_t n);

#endif
