/* SPDX-License-Identifier: Apache-2.0
 *
 * How the records of the probes get into a running batch; used by batch.c alone. */
#ifndef SP_CONTROLLER_BATCH_SEEN_H
#define SP_CONTROLLER_BATCH_SEEN_H

#include "controller/batch.h"

extern const struct sp_fleet_ops sp_batch_seen_ops;

#endif
