/* SPDX-License-Identifier: Apache-2.0
 *
 * Silence beside leaks that come only now and then. */
#ifndef SP_CONTROLLER_SWEEP_BESIDE_H
#define SP_CONTROLLER_SWEEP_BESIDE_H

#include "controller/sweep/sweep.h"

/* When all lanes have been asked: where leaks between two networks come only now and then (their
 * `odd`), something limits what gets through, and a lane that it left without a leak is no better
 * than its neighbours. What stayed silent there, and not often enough to mean
 * something, is in doubt. found: one per sweep of the plan. */
enum sp_rc sp_sweep_doubt_beside(const struct sp_run_state *run,
                                 struct sp_sweep_found *found) SP_MUST_CHECK;

#endif
