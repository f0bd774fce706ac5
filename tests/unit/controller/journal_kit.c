/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/controller/journal_kit.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "probe/base/clock.h"
#include "probe/base/mem.h"
#include "tests/support/sp_cmocka.h"

struct sp_jk sp_jk;

static uint64_t wall(void)
{
    return SP_JK_WALL;
}

static struct sp_addr ip(uint8_t last)
{
    return (struct sp_addr){SP_FAMILY_IPV4, {10, 0, 0, last}};
}

int sp_jk_setup(void **state)
{
    (void)state;
    memset(&sp_jk, 0, sizeof(sp_jk));
    sp_clock_inject(NULL, wall);
    (void)snprintf(sp_jk.folder, sizeof(sp_jk.folder), "/tmp/sp-journal-XXXXXX");
    if (!mkdtemp(sp_jk.folder)) {
        return -1;
    }
    (void)snprintf(sp_jk.path, sizeof(sp_jk.path), "%s/%s.journal", sp_jk.folder, SP_JK_ID);
    memset(sp_jk.model.sha256, 'a', 64);
    sp_jk.model.nhosts = 4;
    sp_jk.pairs[0] = (struct sp_pair){.from = 0, .to = 1, .src = ip(1), .dst = ip(2)};
    sp_jk.pairs[1] = (struct sp_pair){.from = 1, .to = 0, .src = ip(2), .dst = ip(1)};
    for (uint32_t i = 0; i < 3; i++) {
        sp_jk.sweeps[i] = (struct sp_plan_sweep){
            .pair = i / 2, .proto = (uint8_t)(i % 2), .denied = 65000 - i, .allowed = i};
    }
    sp_jk.plan = (struct sp_plan){.pairs = sp_jk.pairs,
                                  .npairs = 2,
                                  .sweeps = sp_jk.sweeps,
                                  .nsweeps = 3,
                                  .depth = SP_DEPTH_EXHAUSTIVE,
                                  .seed = 77,
                                  .slice = {.at = 2, .of = 7, .key = 99}};
    (void)snprintf(sp_jk.head.run_id, sizeof(sp_jk.head.run_id), SP_JK_ID);
    return 0;
}

int sp_jk_teardown(void **state)
{
    (void)state;
    DIR *dir = opendir(sp_jk.folder);
    struct dirent *entry;
    sp_clock_inject(NULL, NULL);
    while (dir && (entry = readdir(dir)) != NULL) {
        char path[512];
        (void)snprintf(path, sizeof(path), "%s/%s", sp_jk.folder, entry->d_name);
        if (entry->d_name[0] != '.') {
            (void)unlink(path);
        }
    }
    if (dir) {
        (void)closedir(dir);
    }
    return rmdir(sp_jk.folder);
}

/* As many ranges as the sweep's number, each with its own observation. */
static size_t spans_of(size_t sweep, struct sp_sweep_span spans[3])
{
    for (size_t i = 0; i < sweep; i++) {
        spans[i] = (struct sp_sweep_span){.lo = (uint16_t)(100 * i + 1),
                                          .hi = (uint16_t)(100 * i + 50),
                                          .grade = SP_GRADE_PAIR,
                                          .seen = {.attempts = (uint16_t)(sweep + 2),
                                                   .nic = (uint16_t)i,
                                                   .capture_lossless = true,
                                                   .elsewhere_host = SP_NONE}};
    }
    return sweep;
}

void sp_jk_append(struct sp_journal *journal, size_t sweep)
{
    struct sp_sweep_span spans[3];
    struct sp_sweep_status status = {.passes = (uint16_t)(sweep + 2), .packets = 1000 + sweep};
    size_t n = spans_of(sweep, spans);
    assert_int_equal(sp_journal_append(journal, sweep, &status, spans, n, NULL), SP_OK);
}

void sp_jk_check(const struct sp_journal *journal, size_t sweep)
{
    struct sp_sweep_span want[3];
    struct sp_sweep_span *spans = NULL;
    struct sp_sweep_status status;
    size_t n = 0;
    assert_true(sp_journal_has(journal, sweep));
    assert_int_equal(sp_journal_get(journal, sweep, &status, &spans, &n, NULL), SP_OK);
    assert_int_equal(status.passes, sweep + 2);
    assert_int_equal(status.packets, 1000 + sweep);
    assert_true(status.is_resumed);
    assert_int_equal(n, spans_of(sweep, want));
    for (size_t i = 0; i < n; i++) {
        assert_int_equal(spans[i].lo, want[i].lo);
        assert_int_equal(spans[i].hi, want[i].hi);
        assert_int_equal(spans[i].seen.attempts, want[i].seen.attempts);
        assert_int_equal(spans[i].seen.nic, want[i].seen.nic);
    }
    sp_free(spans);
}

struct sp_journal *sp_jk_begun(size_t n)
{
    struct sp_journal *journal = NULL;
    (void)unlink(sp_jk.path);
    assert_int_equal(
        sp_journal_create(sp_jk.folder, &sp_jk.head, &sp_jk.model, &sp_jk.plan, &journal, NULL),
        SP_OK);
    for (size_t i = 0; i < n; i++) {
        sp_jk_append(journal, i);
    }
    return journal;
}

void sp_jk_write(size_t n)
{
    sp_journal_free(sp_jk_begun(n));
}

struct sp_journal *sp_jk_open(enum sp_rc rc)
{
    struct sp_journal *journal = NULL;
    struct sp_diag diag = {0};
    assert_int_equal(sp_journal_open(sp_jk.folder, SP_JK_ID, &sp_jk.model, &journal, &diag), rc);
    assert_int_equal(journal != NULL, rc == SP_OK);
    assert_int_equal(diag.text[0] != '\0', rc != SP_OK);
    return journal;
}

uint8_t *sp_jk_read(const char *path, size_t *ret_len)
{
    struct stat st;
    FILE *f = fopen(path, "re");
    assert_non_null(f);
    assert_int_equal(fstat(fileno(f), &st), 0);
    uint8_t *bytes = sp_calloc((size_t)st.st_size, 1);
    assert_non_null(bytes);
    *ret_len = fread(bytes, 1, (size_t)st.st_size, f);
    assert_int_equal(*ret_len, st.st_size);
    (void)fclose(f);
    return bytes;
}

void sp_jk_store(const char *path, const void *bytes, size_t len)
{
    FILE *f = fopen(path, "we");
    assert_non_null(f);
    assert_int_equal(fwrite(bytes, 1, len, f), len);
    assert_int_equal(fclose(f), 0);
    assert_int_equal(chmod(path, 0600), 0);
}
