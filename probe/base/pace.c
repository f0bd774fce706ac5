/* SPDX-License-Identifier: Apache-2.0 */
#include "probe/base/pace.h"

#include <stdbool.h>

#define SP_SECOND_US 1000000ULL

/* Packets of a group: at least one. */
static uint32_t group(const struct sp_pace *pace)
{
    uint32_t n = (uint32_t)((uint64_t)pace->pps * SP_PACE_STEP_US / SP_SECOND_US);
    return n ? n : 1;
}

void sp_pace_set(struct sp_pace *pace, uint32_t pps, uint64_t now_us)
{
    bool is_late = pace->due_us < now_us;
    if (pace->pps == pps && (!is_late || now_us - pace->due_us <= SP_PACE_STALL_US)) {
        return;
    }
    /* Parts of another rate are of no use, nor is what it was late by. */
    pace->due_us = is_late ? now_us : pace->due_us + (pace->over > 0);
    pace->over = 0;
    pace->pps = pps;
}

uint32_t sp_pace_allowed(struct sp_pace *pace, uint64_t now_us)
{
    if (now_us < pace->due_us || (now_us == pace->due_us && pace->over > 0)) {
        return 0;
    }
    uint64_t late_us = now_us - pace->due_us;
    if (late_us > SP_PACE_STALL_US) {
        pace->due_us = now_us;
        pace->over = 0;
        return 1;
    }
    uint64_t n = 1 + (late_us * pace->pps - pace->over) / SP_SECOND_US;
    uint64_t most = 2ULL * group(pace);
    return (uint32_t)(n < most ? n : most);
}

void sp_pace_take(struct sp_pace *pace, uint32_t packets)
{
    uint64_t over = pace->over + packets * SP_SECOND_US;
    pace->due_us += over / pace->pps;
    pace->over = over % pace->pps;
}

uint64_t sp_pace_next(const struct sp_pace *pace, uint64_t now_us)
{
    uint64_t due = pace->due_us + (pace->over > 0);
    uint64_t rest = ((uint64_t)group(pace) - 1) * SP_SECOND_US / pace->pps;
    due += rest;
    /* Behind: not at once, so that it is caught up with at twice the rate and not in one burst. */
    uint64_t soon = now_us + (rest ? SP_PACE_STEP_US : 1);
    return due > soon ? due : soon;
}
