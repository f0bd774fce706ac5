/* SPDX-License-Identifier: Apache-2.0
 *
 * From what sweeps found to the tests and outcomes of a result. */
#ifndef SP_CONTROLLER_SWEEP_JUDGE_H
#define SP_CONTROLLER_SWEEP_JUDGE_H

#include "controller/sweep/sweep.h"

/* Judges every range of every lane of the plan, and adds it to the result: what was never asked as
 * not swept, what must not be asked as not tested. */
enum sp_rc sp_sweep_judge(struct sp_run_state *run, const struct sp_sweep_found *found,
                          struct sp_result *result) SP_MUST_CHECK;
/* The ports of a lane that may be asked; those with a real service behind them go to *ret_served.
 * The sets are added to. */
enum sp_rc sp_sweep_ports(const struct sp_run_state *run, uint32_t sweep, struct sp_portset *denied,
                          struct sp_portset *allowed, struct sp_portset *served) SP_MUST_CHECK;

#endif
