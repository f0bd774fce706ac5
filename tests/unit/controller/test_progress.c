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

/* Three steps of two stages, a second each. */
static void run(int verbosity, char out[static 1024])
{
    FILE *file = tmpfile();
    assert_non_null(file);
    (void)fflush(stderr);
    int kept = dup(STDERR_FILENO);
    assert_true(dup2(fileno(file), STDERR_FILENO) >= 0);
    sp_clock_inject(mono, NULL);
    struct sp_progress progress;
    sp_progress_init(&progress, verbosity);
    step(&progress, "one", 0, 4);
    now_us += 1000000;
    step(&progress, "one", 3, 4);
    now_us += 500000;
    step(&progress, "two", 0, 9);
    now_us += 250000;
    sp_progress_end(&progress);
    sp_clock_inject(NULL, NULL);
    (void)fflush(stderr);
    (void)dup2(kept, STDERR_FILENO);
    (void)close(kept);
    rewind(file);
    out[fread(out, 1, 1023, file)] = '\0';
    (void)fclose(file);
}

static void levels(void **state)
{
    (void)state;
    char out[1024];
    run(-1, out);
    assert_string_equal(out, "");
    run(0, out);
    assert_string_equal(out, "segproof: one ... (at 0.0 s)\nsegproof: two ... (at 1.5 s)\n");
    run(1, out);
    assert_string_equal(out, "segproof: one: 3 of 4, 1.50 s\nsegproof: two: 0 of 9, 0.25 s\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(levels)};
    return cmocka_run_group_tests_name("progress", tests, NULL, NULL);
}
