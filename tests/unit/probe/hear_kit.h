/* SPDX-License-Identifier: Apache-2.0
 *
 * The engine kit with sweeps and guards: giving the orders, and reading the sets that are told. */
#ifndef SP_TESTS_HEAR_KIT_H
#define SP_TESTS_HEAR_KIT_H

#include "probe/sweep.h"
#include "tests/unit/probe/engine_kit.h"

/* Source port of pass 0, ports 40000..49999 from the other one, of every sweep here. */
#define HEAR_SPORT 41000
#define HEAR_ALT   42000
/* Source ports of guards. */
#define HEAR_BEAT  43000

void hear_batch(struct kit *kit, uint32_t keep_bytes);
void hear_sweep(struct kit *kit, uint16_t block, uint16_t passes, uint16_t flags, const char *tech,
                const char *src, const char *dst);
void hear_mask(struct kit *kit, uint16_t block, uint8_t kind, uint16_t lo, uint16_t hi);
void hear_guard(struct kit *kit, uint16_t block, uint16_t flags, const char *tech, const char *src,
                const char *dst);
/* Ports that were told of a set: how many, and whether this one. */
size_t hear_told(const struct kit *kit, uint16_t block, uint8_t kind, uint8_t detail);
bool hear_has(const struct kit *kit, uint16_t block, uint8_t kind, uint8_t detail, uint16_t port);
/* Is the beat in the last HEARD record of its chunk? */
bool hear_beat(const struct kit *kit, uint16_t block, uint8_t kind, uint16_t beat);
/* The packet of a pass, from the source port that it has. */
struct sp_spec hear_spec(const struct kit *kit, const char *tech, const char *src, const char *dst,
                         uint16_t block, uint16_t pass, uint16_t port);
const struct sp_rec_health *hear_health(const struct kit *kit); /* the last one, or NULL */

#endif
