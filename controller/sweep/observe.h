/* SPDX-License-Identifier: Apache-2.0
 *
 * From the bits of a batch to one observation per range of ports, for each of its lanes. */
#ifndef SP_CONTROLLER_SWEEP_OBSERVE_H
#define SP_CONTROLLER_SWEEP_OBSERVE_H

#include "controller/sweep/sweep.h"

/* Silence that stays unproven in more ranges than this makes all the lane's silence unproven: a
 * lane that was cut off in the middle of a permuted order has proven nothing that a person could
 * read. */
#define SP_OPEN_SPANS_MAX 64U

/* Adds what this batch has shown of its lanes to found (by plan sweep). */
enum sp_rc sp_sweep_observe(struct sp_sweep_batch *sb, struct sp_sweep_found *found) SP_MUST_CHECK;

/* Ranges: sorted, not overlapping. Adds a port above all that are there; SP_E_NOMEM. */
enum sp_rc sp_spans_add(struct sp_sweep_found *found, size_t *cap,
                        const struct sp_sweep_span *port) SP_MUST_CHECK;
/* What two batches have shown of one port, put together. */
struct sp_sweep_span sp_span_combine(const struct sp_sweep_span *before,
                                     const struct sp_sweep_span *now, bool is_denied);

#endif
