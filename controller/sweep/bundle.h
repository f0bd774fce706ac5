/* SPDX-License-Identifier: Apache-2.0
 *
 * Bundles: what one sender sends to one receiver in a batch, made from lanes of the plan. */
#ifndef SP_CONTROLLER_SWEEP_BUNDLE_H
#define SP_CONTROLLER_SWEEP_BUNDLE_H

#include "controller/sweep/sweep.h"

/* Denied ports of a lane that go through the sender's own OUTPUT policy where the bulk does not. */
#define SP_SWEEP_PILOT 64U

/* Room in a batch for so many bundles at most; sb is zero but for run, batch and book. */
enum sp_rc sp_sweep_batch_init(struct sp_sweep_batch *sb, size_t nbundles) SP_MUST_CHECK;
void sp_sweep_batch_release(struct sp_sweep_batch *sb);
/* Begins the next bundle; NULL when there is no room. */
struct sp_bundle *sp_bundle_begin(struct sp_sweep_batch *sb, uint32_t from, uint32_t to);
/* Adds a lane that asks these ports. passes: how many every port gets at least. SP_E_LIMIT: the
 * batch has no block ids left for it. */
enum sp_rc sp_bundle_add(struct sp_sweep_batch *sb, struct sp_bundle *bundle, uint32_t sweep,
                         const struct sp_portset *denied, const struct sp_portset *allowed,
                         unsigned passes, unsigned choice, bool is_link) SP_MUST_CHECK;
/* All lanes are there: numbers the ports, sets the rate's ceiling.
 * own_loss: what the path is known to lose at any rate. */
enum sp_rc sp_bundle_finish(struct sp_sweep_batch *sb, struct sp_bundle *bundle, uint32_t ceiling,
                            uint32_t cell, double own_loss) SP_MUST_CHECK;
/* Sends a host what it needs to know of the batch's sweeps: after BATCH, before ARM. */
void sp_sweep_send_setup(const struct sp_sweep_batch *sb, uint32_t host);

#endif
