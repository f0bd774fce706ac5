/* SPDX-License-Identifier: Apache-2.0
 *
 * Volleys while a batch runs. A volley counts, for each lane in it, when the beats of the lane's
 * controls came through at both its edges and none was lost in between (none above what the path
 * loses at any rate), the sender's kernel took every packet, and the receiver dropped nothing.
 * Otherwise its ports are sent again, slower. */
#ifndef SP_CONTROLLER_SWEEP_DRIVE_H
#define SP_CONTROLLER_SWEEP_DRIVE_H

#include "controller/sweep/sweep.h"

/* Judges what came back and orders what is next. Microseconds until it wants to be called again,
 * UINT64_MAX when nothing is left to do. */
uint64_t sp_sweep_drive(struct sp_sweep_batch *sb, uint64_t now_us);
/* The passes that count for a cell of a lane, and whether they prove absence: the chance that loss
 * explains the silence of all of them is at most 0.001. */
unsigned sp_cell_attempts(const struct sp_bundle *bundle, const struct sp_sweep_lane *lane,
                          uint32_t cell, bool *ret_is_enough);
/* How far the batch is, in ports and passes. */
void sp_sweep_progress(const struct sp_sweep_batch *sb, uint64_t *ret_done, uint64_t *ret_of);

#endif
