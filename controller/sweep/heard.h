/* SPDX-License-Identifier: Apache-2.0
 *
 * What the probes tell of sweeps, sorted into the lanes, guards and volleys of a batch. Records are
 * as trustworthy as the probe that sent them: only a lane's own ends can speak for it, and nothing
 * grows beyond what was ordered. */
#ifndef SP_CONTROLLER_SWEEP_HEARD_H
#define SP_CONTROLLER_SWEEP_HEARD_H

#include "controller/sweep/sweep.h"

/* Packets of which a probe told that it kept them. */
#define SP_SAMPLES_MAX 8192U

void sp_sweep_heard(struct sp_sweep_batch *sb, uint32_t host, const struct sp_record *record);

#endif
