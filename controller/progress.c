/* SPDX-License-Identifier: Apache-2.0 */
#include "controller/progress.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
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

/* ---- how fast ---- */

/* A change of speed shows by half after so long. */
#define SP_SPEED_HALF_S  6.0
/* Sooner nothing sensible can be said. */
#define SP_SPEED_SOON_US 1000000U

void sp_progress_speed_note(struct sp_progress_speed *speed, uint64_t now_us, uint64_t done,
                            bool is_paused)
{
    if (speed->first_us == 0 || done < speed->last_done) {
        *speed = (struct sp_progress_speed){now_us, done, now_us, done, 0};
        return;
    }
    uint64_t passed = now_us - speed->last_us;
    if (is_paused) {
        speed->first_us += passed;
        speed->last_us = now_us;
        speed->last_done = done;
        return;
    }
    uint64_t since = now_us - speed->first_us;
    if (passed < 500000 || since < SP_SPEED_SOON_US) {
        return;
    }
    double average = (double)(done - speed->first_done) * 1e6 / (double)since;
    double just_now = (double)(done - speed->last_done) * 1e6 / (double)passed;
    double fresh = 1.0 - exp2(-(double)passed / 1e6 / SP_SPEED_HALF_S);
    speed->per_s = speed->per_s > 0 ? speed->per_s + (just_now - speed->per_s) * fresh : average;
    speed->last_us = now_us;
    speed->last_done = done;
}

uint64_t sp_progress_speed_left(const struct sp_progress_speed *speed, uint64_t of)
{
    double left = of > speed->last_done ? (double)(of - speed->last_done) : 0;
    double s = speed->per_s > 0 ? left / speed->per_s : -1;
    return s >= 0 && s < 1e9 ? (uint64_t)(s + 0.5) : UINT64_MAX;
}

/* ---- what is shown ---- */

/* "45 s", "12 min 5 s", "3 h 20 min". */
static const char *time_str(uint64_t s, char out[static 32])
{
    if (s < 60) {
        (void)snprintf(out, 32, "%u s", (unsigned)s);
    } else if (s < 3600) {
        (void)snprintf(out, 32, "%u min %u s", (unsigned)(s / 60), (unsigned)(s % 60));
    } else {
        (void)snprintf(out, 32, "%llu h %u min", (unsigned long long)(s / 3600),
                       (unsigned)(s / 60 % 60));
    }
    return out;
}

static unsigned percent(uint64_t done, uint64_t of)
{
    return of ? (unsigned)(done < of ? (double)done * 100.0 / (double)of : 100.0) : 0;
}

/* "  21300 packets/s, 1 min 5 s left, 3 windows repeated"; empty when there is nothing to say. */
static void speed_str(const struct sp_progress *progress, const struct sp_progress_info *info,
                      char out[static 128])
{
    char left[32];
    size_t at = 0;
    uint64_t s = sp_progress_speed_left(&progress->speed, info->of);
    out[0] = '\0';
    if (info->is_paused) {
        (void)snprintf(out, 128, ", paused (SIGUSR1 goes on)");
        return;
    }
    if (!info->is_sweep) {
        return;
    }
    at += (size_t)snprintf(out + at, 128 - at, ", %llu packets/s", (unsigned long long)info->pps);
    if (s != UINT64_MAX) {
        at += (size_t)snprintf(out + at, 128 - at, ", %s left", time_str(s, left));
    }
    if (info->repeats) {
        (void)snprintf(out + at, 128 - at, ", %u window%s repeated", (unsigned)info->repeats,
                       info->repeats == 1 ? "" : "s");
    }
}

/* Columns of the terminal; a longer line would wrap and leave its beginning behind. */
static size_t columns(void)
{
    struct winsize size;
    bool known = ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0;
    return known ? size.ws_col : 80;
}

static void draw_bar(const struct sp_progress *progress, const struct sp_progress_info *info)
{
    char bar[25];
    char speed[128];
    char line[256];
    size_t places = info->is_sweep || info->is_paused ? 10 : sizeof(bar) - 1;
    size_t full = (size_t)percent(info->done, info->of) * places / 100;
    for (size_t i = 0; i < places; i++) {
        bar[i] = i < full ? '#' : '.';
    }
    bar[places] = '\0';
    speed_str(progress, info, speed);
    double s = (double)(sp_mono_us() - progress->started_us) / 1e6;
    (void)snprintf(line, sizeof(line), "%-18s [%s] %3u%%  %.1f s%s", info->stage, bar,
                   percent(info->done, info->of), s, speed);
    size_t most = columns() - 1;
    if (strlen(line) > most) {
        line[most < sizeof(line) ? most : sizeof(line) - 1] = '\0';
    }
    (void)fprintf(stderr, "\r\x1b[K%s", line);
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

/* Elsewhere than on a terminal: how far a sweep is, now and then, and when it stops or goes on. */
static void tell_line(struct sp_progress *progress, const struct sp_progress_info *info,
                      uint64_t now)
{
    char speed[128];
    uint64_t every = now - progress->stage_us < 60000000 ? 10000000 : 60000000;
    bool turned = info->is_paused != progress->is_paused;
    bool due = info->is_sweep && !info->is_paused && now - progress->told_us >= every;
    if (!turned && !due) {
        return;
    }
    speed_str(progress, info, speed);
    (void)fprintf(stderr, "segproof: %s: %u %%%s (at %.1f s)\n", info->stage,
                  percent(info->done, info->of), speed, (double)(now - progress->started_us) / 1e6);
    progress->told_us = now;
}

void sp_progress_step(void *arg, const struct sp_progress_info *info)
{
    struct sp_progress *progress = arg;
    if (progress->is_off) {
        return;
    }
    uint64_t now = sp_mono_us();
    bool same = strcmp(progress->stage, info->stage) == 0;
    if (!same) {
        end_stage(progress, now);
        progress->stage_us = progress->told_us = now;
        progress->speed = (struct sp_progress_speed){0};
    }
    sp_progress_speed_note(&progress->speed, now, info->done, info->is_paused);
    bool turned = info->is_paused != progress->is_paused;
    if (progress->is_terminal && (!same || turned || now - progress->drawn_us > 100000)) {
        draw_bar(progress, info);
        progress->drawn_us = now;
    } else if (!progress->is_terminal) {
        if (!same && !progress->is_verbose) {
            (void)fprintf(stderr, "segproof: %s ... (at %.1f s)\n", info->stage,
                          (double)(now - progress->started_us) / 1e6);
        }
        tell_line(progress, info, now);
    }
    progress->done = info->done;
    progress->of = info->of;
    progress->is_paused = info->is_paused;
    (void)snprintf(progress->stage, sizeof(progress->stage), "%s", info->stage);
}

void sp_progress_end(struct sp_progress *progress)
{
    if (!progress->is_off) {
        end_stage(progress, sp_mono_us());
        wipe(progress);
    }
}
