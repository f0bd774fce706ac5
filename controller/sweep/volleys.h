/* SPDX-License-Identifier: Apache-2.0
 *
 * Single volleys: sent, and judged by their controls. */
#ifndef SP_CONTROLLER_SWEEP_VOLLEYS_H
#define SP_CONTROLLER_SWEEP_VOLLEYS_H

#include "controller/sweep/sweep.h"

/* Orders n cells of one pass beginning with first (pass * ncells + cell). False: out of memory. */
bool sp_volley_send(struct sp_sweep_batch *sb, struct sp_bundle *bundle, size_t first, uint32_t n);
/* How fast it was sent in fact: the kernel may take less than what was ordered. */
uint32_t sp_volley_rate(const struct sp_volley *volley);
/* Judges the volleys whose controls have all come, or will not come any more. */
void sp_volleys_judge(struct sp_sweep_batch *sb, struct sp_bundle *bundle, uint64_t now_us);

#endif
