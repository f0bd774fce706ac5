/* SPDX-License-Identifier: Apache-2.0
 *
 * Orders of sweeps for an engine of the kit, and what it tells of them. */
#ifndef SP_TESTS_SWEEP_KIT_H
#define SP_TESTS_SWEEP_KIT_H

#include "probe/sweep.h"
#include "tests/unit/probe/engine_kit.h"

#define SWEEP 100 /* block ids */
#define GUARD 900

/* A kit whose batch has begun. */
struct kit *sk_setup(uint32_t max_pps, uint32_t budget);
/* Three passes, from ports 40100 on; 40000 .. 41000 from 40200 on. No port is asked for yet. */
void sk_sweep_on(struct kit *kit, uint16_t block, const char *tech, uint16_t flags, const char *src,
                 const char *dst);
void sk_mask(struct kit *kit, uint16_t block, uint8_t kind, uint16_t lo, uint16_t hi);
/* One to KIT_PEER by link, of the ports lo .. hi. */
void sk_sweep(struct kit *kit, uint16_t block, uint16_t lo, uint16_t hi);
void sk_guard_on(struct kit *kit, uint16_t block, const char *tech, uint16_t flags, const char *dst,
                 uint32_t every_us);
/* One of SYNs to KIT_PEER by link, with the volleys. */
void sk_guard(struct kit *kit, uint16_t block);
void sk_arm_and_fire(struct kit *kit);
void sk_volley(struct kit *kit, uint32_t first, uint32_t count, uint16_t pass, uint32_t pps);
/* The index-th VOLLEYED; there must be one. */
const struct sp_rec_volleyed *sk_told(const struct kit *kit, size_t index);
/* Of the first one. */
void sk_check_counts(const struct kit *kit, uint32_t sent, uint32_t refused, uint32_t failed,
                     int err);
/* How often a port of a TCP sweep went out in a pass. */
unsigned sk_times(const struct kit *kit, uint16_t block, uint16_t pass, uint16_t port);
/* Why a sweep or guard was refused. */
uint8_t sk_reason(const struct kit *kit, uint16_t block);

#endif
