/* SPDX-License-Identifier: Apache-2.0
 *
 * The files of a cycle: locked by the run that goes on, refused when they are damaged, and told
 * before anything is sent when they cannot be written. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "controller/rolling_priv.h"
#include "probe/base/mem.h"
#include "tests/support/model_builder.h"
#include "tests/support/sp_cmocka.h"
#include "tests/unit/controller/rolling_kit.h"

static void two_runs_at_once(void **state)
{
    (void)state;
    struct sp_rk_run run = {.model = sp_rk_shop("tcp/443"), .parts = 3};
    struct sp_rk_run other = {.model = run.model, .parts = 3};
    sp_rk_begin(&run);
    assert_int_equal(sp_rk_open(&other), SP_E_DENIED);
    sp_policy_free(other.policy);
    (void)sp_rk_end(&run);
    assert_int_equal(sp_rk_once(&other).to_cover, 1);
    sp_mb_free(run.model);
}

static void folders_that_cannot_be_written(void **state)
{
    (void)state;
    static const char *const folders[] = {"/nonexistent", "/dev/null", "/proc/self"};
    struct sp_rk_run run = {.model = sp_rk_shop("tcp/443"), .parts = 3};
    char kept[64];
    memcpy(kept, sp_rk.folder, sizeof(kept));
    for (size_t i = 0; i < 3; i++) {
        (void)snprintf(sp_rk.folder, sizeof(sp_rk.folder), "%s", folders[i]);
        assert_int_equal(sp_rk_open(&run), SP_E_SYSTEM);
        sp_policy_free(run.policy);
    }
    memcpy(sp_rk.folder, kept, sizeof(kept));
    sp_mb_free(run.model);
}

static uint8_t *bytes;
static size_t nbytes;
static char cycle_path[512];

static void read_cycle(const char *path)
{
    if (strstr(path, ".lock")) {
        return;
    }
    FILE *f = fopen(path, "re");
    assert_non_null(f);
    bytes = sp_calloc(65536, 1);
    assert_non_null(bytes);
    nbytes = fread(bytes, 1, 65536, f);
    (void)fclose(f);
    (void)snprintf(cycle_path, sizeof(cycle_path), "%s", path);
}

static void store(const void *data, size_t len)
{
    FILE *f = fopen(cycle_path, "we");
    assert_non_null(f);
    assert_int_equal(fwrite(data, 1, len, f), len);
    (void)fclose(f);
}

static void damaged_files_are_refused(void **state)
{
    (void)state;
    struct sp_diag diag = {0};
    struct sp_rk_run run = {.model = sp_rk_shop("tcp/443"), .parts = 3};
    (void)sp_rk_once(&run);
    sp_rk_each_file(read_cycle);
    assert_int_equal(sp_rolling_check(bytes, nbytes, &diag), SP_OK);
    for (size_t len = 0; len < nbytes; len++) {
        assert_int_equal(sp_rolling_check(bytes, len, &diag), SP_E_INVALID);
    }
    for (size_t at = 0; at < nbytes; at++) {
        bytes[at] ^= (uint8_t)(1U << (at % 8));
        enum sp_rc rc = sp_rolling_check(bytes, nbytes, &diag);
        assert_true(rc == SP_E_INVALID || (rc == SP_E_DENIED && at < 8));
        assert_true(diag.text[0] != '\0');
        bytes[at] ^= (uint8_t)(1U << (at % 8));
    }
    uint64_t sum = sp_rolling_sum(bytes, nbytes - 9); /* a right check over too little */
    for (size_t i = 0; i < 8; i++) {
        bytes[nbytes + i] = bytes[nbytes - 9 + i]; /* kept aside: there is room */
        bytes[nbytes - 9 + i] = (uint8_t)(sum >> (56 - 8 * i));
    }
    assert_int_equal(sp_rolling_check(bytes, nbytes - 1, &diag), SP_E_INVALID);
    memcpy(bytes + nbytes - 9, bytes + nbytes, 8);
    store(bytes, nbytes - 1);
    assert_int_equal(sp_rk_open(&run), SP_E_INVALID);
    sp_policy_free(run.policy);
    store("segproof: 1\n", 12);
    assert_int_equal(sp_rk_open(&run), SP_E_INVALID);
    sp_policy_free(run.policy);
    store("", 0);
    assert_int_equal(sp_rk_open(&run), SP_E_INVALID);
    sp_policy_free(run.policy);
    store(bytes, nbytes);
    assert_int_equal(sp_rk_once(&run).to_cover, 1);
    sp_free(bytes);
    sp_mb_free(run.model);
}

/* Checks that are right over content that is not. */
static void nonsense_is_refused(void **state)
{
    (void)state;
    struct sp_rolling_state cycle;
    struct sp_rolling_state back;
    assert_int_equal(sp_rolling_state_init(&cycle, SP_ROLLING_MOST + 1, 1), SP_E_LIMIT);
    assert_int_equal(sp_rolling_state_init(&cycle, 1, 1), SP_E_LIMIT);
    assert_int_equal(sp_rolling_state_init(&cycle, 2, SP_ROLLING_CELLS_MAX), SP_E_LIMIT);
    assert_int_equal(sp_rolling_state_init(&cycle, 2, 3), SP_OK);
    cycle.key = 5;
    cycle.parts[1] = (struct sp_rolling_part){.run = 6, .at_s = 7, .fruitless = 8};
    cycle.ids[2][15] = 9;
    cycle.covered_s[5] = 10;
    for (uint32_t parts = 1; parts < 4; parts++) {
        struct sp_buf text;
        sp_buf_init(&text, 65536);
        uint32_t nparts = cycle.nparts;
        cycle.nparts = parts == 2 ? 2 : 1; /* one part is no cycle */
        sp_rolling_encode(&cycle, &text);
        cycle.nparts = nparts;
        enum sp_rc rc = sp_rolling_decode((uint8_t *)text.data, text.len, &back);
        assert_int_equal(rc, parts == 2 ? SP_OK : SP_E_INVALID);
        if (rc == SP_OK) {
            assert_int_equal(back.key, 5);
            assert_int_equal(back.parts[1].run, 6);
            assert_int_equal(back.parts[1].at_s, 7);
            assert_int_equal(back.parts[1].fruitless, 8);
            assert_int_equal(back.nlanes, 3);
            assert_int_equal(back.ids[2][15], 9);
            assert_int_equal(back.covered_s[5], 10);
            sp_rolling_state_release(&back);
        }
        sp_buf_release(&text);
    }
    sp_rolling_state_release(&cycle);
}

static void default_folders(void **state)
{
    (void)state;
    char out[256];
    char want[256];
    char *old = getenv("XDG_STATE_HOME");
    char *kept = old ? strdup(old) : NULL;
    assert_int_equal(setenv("XDG_STATE_HOME", sp_rk.folder, 1), 0);
    assert_true(sp_rolling_default_folder(out, sizeof(out)));
    (void)snprintf(want, sizeof(want), "%s/segproof/rolling", sp_rk.folder);
    assert_string_equal(out, want);
    assert_int_equal(rmdir(want), 0);
    (void)snprintf(want, sizeof(want), "%s/segproof", sp_rk.folder);
    assert_int_equal(rmdir(want), 0);
    if (kept) {
        (void)setenv("XDG_STATE_HOME", kept, 1);
    } else {
        (void)unsetenv("XDG_STATE_HOME");
    }
    free(kept);
}

static void torture(void **state)
{
    (void)state;
    struct sp_rk_run run = {.model = sp_rk_shop("tcp/443"), .parts = 3};
    const struct sp_rolling_what what = {.parts = 3, .from = "web"};
    bool failed = true;
    sp_rk_begin(&run);
    struct sp_plan *whole = sp_rk_plan(&run, (struct sp_slice){0});
    for (size_t n = 1; failed; n++) {
        struct sp_rolling *rolling = NULL;
        (void)sp_mem_fail_at(n, 0);
        enum sp_rc rc =
            sp_rolling_open(sp_rk.folder, &what, run.model, run.policy, whole, &rolling, NULL);
        if (rc == SP_OK) {
            rc = sp_rolling_save(rolling, NULL);
            assert_true(rc == SP_OK || rc == SP_E_NOMEM);
            struct sp_slice slice = run.plan->slice;
            run.plan->slice = sp_rolling_next(rolling);
            rc = rc == SP_OK ? sp_rolling_record(rolling, run.result) : rc;
            run.plan->slice = slice;
        }
        failed = sp_mem_fail_at(0, 0) >= n;
        assert_true(rc == SP_OK || (rc == SP_E_NOMEM && failed));
        sp_rolling_free(rolling);
    }
    sp_plan_free(whole);
    (void)sp_rk_end(&run);
    sp_mb_free(run.model);
}

#define EACH(test) cmocka_unit_test_setup_teardown(test, sp_rk_setup, sp_rk_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        EACH(two_runs_at_once),          EACH(folders_that_cannot_be_written),
        EACH(damaged_files_are_refused), EACH(nonsense_is_refused),
        EACH(default_folders),           EACH(torture)};
    return cmocka_run_group_tests_name("rolling_file", tests, NULL, NULL);
}
