/* SPDX-License-Identifier: Apache-2.0 */
#include "probe/base/clock.h"

#include <stddef.h>
#include <string.h>
#include <time.h>

static uint64_t (*injected_mono)(void);
static uint64_t (*injected_wall)(void);

void sp_clock_inject(uint64_t (*mono_us)(void), uint64_t (*wall_s)(void))
{
    injected_mono = mono_us;
    injected_wall = wall_s;
}

uint64_t sp_mono_us(void)
{
    if (injected_mono) {
        return injected_mono();
    }
    struct timespec ts;
    (void)clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * 1000000U + (uint64_t)ts.tv_nsec / 1000U;
}

uint64_t sp_wall_s(void)
{
    if (injected_wall) {
        return injected_wall();
    }
    struct timespec ts;
    (void)clock_gettime(CLOCK_REALTIME, &ts);
    return (uint64_t)ts.tv_sec;
}

void sp_wall_str(uint64_t wall_s, char out[static 24])
{
    time_t t = (time_t)wall_s;
    struct tm tm;
    memset(&tm, 0, sizeof(tm));
    if (!gmtime_r(&t, &tm) || strftime(out, 24, "%Y-%m-%dT%H:%M:%SZ", &tm) == 0) {
        out[0] = '\0';
    }
}
