/* SPDX-License-Identifier: Apache-2.0
 *
 * What of a lane is asked once more, how often, and what stays open when nobody asks any more. */
#ifndef SP_CONTROLLER_SWEEP_DOUBT_H
#define SP_CONTROLLER_SWEEP_DOUBT_H

#include "controller/sweep/sweep.h"

/* Was a packet seen anywhere? */
bool sp_seen_has_arrived(const struct sp_seen *seen);
/* Notes the share of attempts at leaking ports that did not arrive, where controls do not explain
 * it: a limiter that spares the controls, or one open path of several, misses as much elsewhere. */
void sp_sweep_note_odd(struct sp_sweep_found *found);
/* The ports of a lane that are asked in the next batch: all of them before the first. Adds. */
enum sp_rc sp_sweep_doubtful(const struct sp_run_state *run, const struct sp_sweep_found *found,
                             uint32_t sweep, struct sp_portset *denied,
                             struct sp_portset *allowed) SP_MUST_CHECK;
/* Passes that the silence of this lane needs; or its allowed ports, when nothing else is asked. */
unsigned sp_sweep_passes(const struct sp_run_state *run, const struct sp_sweep_found *found,
                         uint32_t sweep, bool only_allowed);
/* Whatever is still open now stays so. */
void sp_sweep_close(const struct sp_run_state *run, struct sp_sweep_found *found);

#endif
