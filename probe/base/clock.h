/* SPDX-License-Identifier: Apache-2.0
 *
 * Time. Durations and deadlines use the monotonic clock; the wall clock only labels reports. Tests
 * inject both. */
#ifndef SP_BASE_CLOCK_H
#define SP_BASE_CLOCK_H

#include <stdint.h>

uint64_t sp_mono_us(void); /* CLOCK_MONOTONIC, microseconds */
uint64_t sp_wall_s(void);  /* seconds since 1970-01-01T00:00:00Z */
/* "2026-11-23T12:30:00Z" (RFC 3339) into out; empty beyond the year 9999. */
void sp_wall_str(uint64_t wall_s, char out[static 24]);

/* Tests only: replaces both clocks; NULL restores the real ones. */
void sp_clock_inject(uint64_t (*mono_us)(void), uint64_t (*wall_s)(void));

#endif
