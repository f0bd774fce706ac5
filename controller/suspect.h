/* SPDX-License-Identifier: Apache-2.0
 *
 * Suspects: denied flows that would hold, next to others that leaked. A rate limiter that spares
 * the control lets the first probes of a pass through and eats the rest, so silence beside a leak
 * is asked again, with time for such a limiter to recover, until a pass brings no new leak.
 *
 * Where a leak itself came only now and then although its controls lost nothing (a limiter, or
 * parallel paths that nobody declared), the silence of its neighbours proves nothing: they are
 * inconclusive. An ordinary leak costs one more pass. */
#ifndef SP_CONTROLLER_SUSPECT_H
#define SP_CONTROLLER_SUSPECT_H

#include "controller/round.h"

/* After the rounds of denied flows. */
enum sp_rc sp_suspects_run(struct sp_run_state *run, struct sp_diag *diag) SP_MUST_CHECK;

#endif
