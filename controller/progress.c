/* SPDX-License-Identifier: Apache-2.0 */
#include "controller/progress.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "probe/base/clock.h"

void sp_progress_init(struct sp_progress *progress, int verbosity)
{
    const char *term = getenv("TERM");
    const char *ci = getenv("CI");
    *progress = (struct sp_progress){.is_off = verbosity<0, .is_verbose = verbosity> 0,
                                     .started_us = sp_mono_us()};
    progress->is_terminal = isatty(STDERR_FILENO) == 1 && !(term && strcmp(term, "dumb") == 0) &&
                            !(ci && strcmp(ci, "true") == 0);
}

static void draw_bar(const struct sp_progress *progress, const char *stage, uint64_t done,
                     uint64_t of)
{
    char bar[25];
    size_t full = of ? (size_t)(done * (sizeof(bar) - 1) / of) : 0;
    for (size_t i = 0; i + 1 < sizeof(bar); i++) {
        bar[i] = i < full ? '#' : '.';
    }
    bar[sizeof(bar) - 1] = '\0';
    double s = (double)(sp_mono_us() - progress->started_us) / 1e6;
    (void)fprintf(stderr, "\r\x1b[K%-18s [%s] %3u%%  %.1f s", stage, bar,
                  of ? (unsigned)(done * 100 / of) : 0, s);
    (void)fflush(stderr);
}

static void wipe(const struct sp_progress *progress)
{
    if (progress->is_terminal) {
        (void)fputs("\r\x1b[K", stderr);
    }
}

/* -v: what the stage that ends here did. */
static void end_stage(const struct sp_progress *progress, uint64_t now)
{
    if (progress->is_verbose && progress->stage[0]) {
        wipe(progress);
        (void)fprintf(stderr, "segproof: %s: %llu of %llu, %.2f s\n", progress->stage,
                      (unsigned long long)progress->done, (unsigned long long)progress->of,
                      (double)(now - progress->stage_us) / 1e6);
    }
}

void sp_progress_step(void *arg, const char *stage, uint64_t done, uint64_t of)
{
    struct sp_progress *progress = arg;
    if (progress->is_off) {
        return;
    }
    uint64_t now = sp_mono_us();
    bool same = strcmp(progress->stage, stage) == 0;
    if (!same) {
        end_stage(progress, now);
        progress->stage_us = now;
    }
    if (progress->is_terminal && (!same || now - progress->drawn_us > 100000)) {
        draw_bar(progress, stage, done, of);
        progress->drawn_us = now;
    } else if (!same && !progress->is_verbose) {
        (void)fprintf(stderr, "segproof: %s ... (at %.1f s)\n", stage,
                      (double)(now - progress->started_us) / 1e6);
    }
    progress->done = done;
    progress->of = of;
    (void)snprintf(progress->stage, sizeof(progress->stage), "%s", stage);
}

void sp_progress_end(struct sp_progress *progress)
{
    if (!progress->is_off) {
        end_stage(progress, sp_mono_us());
        wipe(progress);
    }
}
