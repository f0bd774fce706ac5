/* SPDX-License-Identifier: Apache-2.0
 *
 * Rounds in which each host sends to one and receives from one other. Pure. */
#ifndef SP_CONTROLLER_SWEEP_TOURNAMENT_H
#define SP_CONTROLLER_SWEEP_TOURNAMENT_H

#include <stddef.h>
#include <stdint.h>

#include "probe/base/rc.h"

struct sp_match {
    uint32_t from, to; /* below nhosts */
    uint32_t round;    /* out: from 0 */
};

/* Gives every match a round and sorts them by round. Where all hosts meet each other, round r is
 * i -> i + r + 1 (mod n): n - 1 rounds, the least there can be; else rounds are filled greedily in
 * that order, at most twice as many as the busiest host has matches. Several matches of the same
 * two hosts fall into different rounds. *ret_rounds: how many. */
enum sp_rc sp_tournament(struct sp_match *matches, size_t n, size_t nhosts,
                         uint32_t *ret_rounds) SP_MUST_CHECK;

#endif
