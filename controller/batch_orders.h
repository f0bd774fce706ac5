/* SPDX-License-Identifier: Apache-2.0
 *
 * A batch put into orders for its probes. */
#ifndef SP_CONTROLLER_BATCH_ORDERS_H
#define SP_CONTROLLER_BATCH_ORDERS_H

#include "controller/batch.h"

/* BATCH, the host's BLOCKs and STANDINs, ARM. */
enum sp_rc sp_batch_send_setup(struct sp_batch *batch, uint32_t host,
                               const struct sp_rec_batch *head) SP_MUST_CHECK;
/* Every SHOT to its sender, in the order of time. */
enum sp_rc sp_batch_send_shots(struct sp_batch *batch) SP_MUST_CHECK;
/* FIRE or COLLECT, to every host that takes part and is not lost. */
void sp_batch_send_all(struct sp_batch *batch, uint8_t type);

#endif
