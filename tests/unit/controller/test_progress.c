/* SPDX-License-Identifier: Apache-2.0
 *
 * Progress without a terminal: what each level of detail leaves on standard error. */
#include "controller/progress.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "probe/base/clock.h"
#include "tests/support/sp_cmocka.h"

static uint64_t now_us;

static uint64_t mono(void)
{
    return now_us;
}

static void step(struct sp_progress *progress, const char *stage, uint64_t done, uint64_t of)
{
    sp_progress_step(progress, &(struct sp_progress_info){.stage = stage, .done = done, .of = of});
}

/* What the stages leave on standard error, which is a file. */
static void catch (int verbosity, void (*stages)(struct sp_progress *progress),
                   char out[static 1024])
{
    FILE *file = tmpfile();
    assert_non_null(file);
    (void)fflush(stderr);
    int kept = dup(STDERR_FILENO);
    assert_true(dup2(fileno(file), STDERR_FILENO) >= 0);
    sp_clock_inject(mono, NULL);
    struct sp_progress progress;
    now_us = 7000000;
    sp_progress_init(&progress, verbosity);
    stages(&progress);
    sp_progress_end(&progress);
    sp_clock_inject(NULL, NULL);
    (void)fflush(stderr);
    (void)dup2(kept, STDERR_FILENO);
    (void)close(kept);
    rewind(file);
    out[fread(out, 1, 1023, file)] = '\0';
    (void)fclose(file);
}

/* Three steps of two stages, a second each. */
static void two_stages(struct sp_progress *progress)
{
    step(progress, "one", 0, 4);
    now_us += 1000000;
    step(progress, "one", 3, 4);
    now_us += 500000;
    step(progress, "two", 0, 9);
    now_us += 250000;
}

static void levels(void **state)
{
    (void)state;
    char out[1024];
    catch (-1, two_stages, out);
    assert_string_equal(out, "");
    catch (0, two_stages, out);
    assert_string_equal(out, "segproof: one ... (at 0.0 s)\nsegproof: two ... (at 1.5 s)\n");
    catch (1, two_stages, out);
    assert_string_equal(out, "segproof: one: 3 of 4, 1.50 s\nsegproof: two: 0 of 9, 0.25 s\n");
}

static void sweep(struct sp_progress *progress, uint64_t done, uint32_t repeats, bool is_paused)
{
    sp_progress_step(progress, &(struct sp_progress_info){.stage = "sweeping",
                                                          .done = done,
                                                          .of = 100000,
                                                          .pps = 2100,
                                                          .repeats = repeats,
                                                          .is_sweep = true,
                                                          .is_paused = is_paused});
}

/* 1,000 packets a second for 25 s, told ten times a second. */
static void a_sweep_of_25_s(struct sp_progress *progress)
{
    for (uint64_t i = 0; i < 250; i++) {
        sweep(progress, i * 100, i > 150 ? 3 : i > 50, false);
        now_us += 100000;
    }
}

static void lines_of_a_sweep(void **state)
{
    (void)state;
    char out[1024];
    catch (0, a_sweep_of_25_s, out);
    assert_string_equal(
        out, "segproof: sweeping ... (at 0.0 s)\n"
             "segproof: sweeping: 10 %, 2100 packets/s, 1 min 30 s left, 1 window repeated (at "
             "10.0 s)\n"
             "segproof: sweeping: 20 %, 2100 packets/s, 1 min 20 s left, 3 windows repeated (at "
             "20.0 s)\n");
    catch (-1, a_sweep_of_25_s, out);
    assert_string_equal(out, "");
}

static void a_pause(struct sp_progress *progress)
{
    sweep(progress, 0, 0, false);
    now_us += 1000000;
    sweep(progress, 50000, 0, true);
    now_us += 3600000000;
    sweep(progress, 50000, 0, true);
    sweep(progress, 50000, 0, false);
}

/* Told when it begins and when it ends, not in between. */
static void lines_of_a_pause(void **state)
{
    (void)state;
    char out[1024];
    catch (0, a_pause, out);
    assert_string_equal(out, "segproof: sweeping ... (at 0.0 s)\n"
                             "segproof: sweeping: 50 %, paused (SIGUSR1 goes on) (at 1.0 s)\n"
                             "segproof: sweeping: 50 %, 2100 packets/s (at 3601.0 s)\n");
}

static void what_is_left(void **state)
{
    (void)state;
    struct sp_progress_speed speed = {0};
    uint64_t now = 5000000;
    /* An eighth was there before: it says nothing of the speed. */
    for (uint64_t i = 0; i <= 20; i++) {
        sp_progress_speed_note(&speed, now, 10000 + i * 100, false);
        if (i < 10) { /* too soon to say */
            assert_true(sp_progress_speed_left(&speed, 80000) == UINT64_MAX);
        }
        now += 100000;
    }
    assert_int_equal(sp_progress_speed_left(&speed, 80000), 68); /* at 1,000 a second */
    uint64_t done = 12000;
    for (uint64_t i = 0; i < 60; i++) { /* half as fast: after 6 s half of that shows, ... */
        now += 100000;
        done += 50;
        sp_progress_speed_note(&speed, now, done, false);
    }
    assert_true(speed.per_s > 700 && speed.per_s < 800);
    for (uint64_t i = 0; i < 600; i++) { /* ... and after a minute all of it */
        now += 100000;
        done += 50;
        sp_progress_speed_note(&speed, now, done, false);
    }
    assert_true(speed.per_s > 499 && speed.per_s < 502);
    double before = speed.per_s;
    for (uint64_t i = 0; i < 100; i++) { /* a pause is no slowness */
        now += 100000;
        sp_progress_speed_note(&speed, now, done, true);
    }
    now += 1000000;
    sp_progress_speed_note(&speed, now, done + 500, false);
    assert_true(speed.per_s > before - 1 && speed.per_s < before + 1);
    assert_int_equal(sp_progress_speed_left(&speed, done), 0); /* more than was planned */
}

/* Nothing comes forward: nobody knows. */
static void a_standstill(void **state)
{
    (void)state;
    struct sp_progress_speed speed = {0};
    for (uint64_t i = 0; i < 100; i++) {
        sp_progress_speed_note(&speed, 1000000 + i * 100000, 40, false);
        assert_true(sp_progress_speed_left(&speed, 80000) == UINT64_MAX);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(levels), cmocka_unit_test(lines_of_a_sweep),
                                       cmocka_unit_test(lines_of_a_pause),
                                       cmocka_unit_test(what_is_left),
                                       cmocka_unit_test(a_standstill)};
    return cmocka_run_group_tests_name("progress", tests, NULL, NULL);
}
