/* SPDX-License-Identifier: Apache-2.0
 *
 * The journal of a run: what was finished comes back as it was, and what does not belong to this
 * run, this topology and this plan is refused. Files that are damaged: test_journal_file.c. */
#include "controller/journal.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "probe/base/mem.h"
#include "tests/support/sp_cmocka.h"
#include "tests/unit/controller/journal_kit.h"

static void what_was_finished_comes_back(void **state)
{
    (void)state;
    struct stat st;
    sp_jk_write(3);
    assert_int_equal(stat(sp_jk.path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    struct sp_journal *journal = sp_jk_open(SP_OK);
    assert_int_equal(sp_journal_match(journal, &sp_jk.plan, NULL), SP_OK);
    assert_int_equal(sp_journal_count(journal), 3);
    for (size_t i = 0; i < 3; i++) {
        sp_jk_check(journal, i);
    }
    assert_false(sp_journal_has(journal, 3));
    sp_journal_free(journal);
    sp_journal_free(NULL);
}

static void a_run_goes_on_twice(void **state)
{
    (void)state;
    sp_jk_write(1);
    struct sp_journal *journal = sp_jk_open(SP_OK);
    assert_false(sp_journal_has(journal, 2));
    sp_jk_append(journal, 2);
    sp_jk_check(journal, 0);
    sp_jk_check(journal, 2);
    sp_journal_free(journal);
    journal = sp_jk_open(SP_OK);
    assert_int_equal(sp_journal_count(journal), 2);
    sp_jk_append(journal, 1);
    for (size_t i = 0; i < 3; i++) {
        sp_jk_check(journal, i);
    }
    sp_journal_free(journal);
}

/* A sweep that is written down again: the later one counts. */
static void the_later_one_counts(void **state)
{
    (void)state;
    struct sp_sweep_span old = {.lo = 9, .hi = 9, .seen = {.nic = 7}};
    struct sp_sweep_status status = {.passes = 1};
    struct sp_journal *journal = sp_jk_begun(0);
    assert_int_equal(sp_journal_append(journal, 1, &status, &old, 1, NULL), SP_OK);
    sp_jk_append(journal, 1);
    assert_int_equal(sp_journal_count(journal), 1);
    sp_jk_check(journal, 1);
    sp_journal_free(journal);
    journal = sp_jk_open(SP_OK);
    assert_int_equal(sp_journal_count(journal), 1);
    sp_jk_check(journal, 1);
    sp_journal_free(journal);
}

static void how_it_was_made_comes_back(void **state)
{
    (void)state;
    char from[] = "web,label:app=x";
    char empty[] = "";
    char syn[] = "tcp_syn";
    char udp[] = "udp";
    char *only[] = {syn, udp};
    char *skip[] = {udp};
    sp_jk.head.from = from;
    sp_jk.head.to = empty;
    sp_jk.head.only = only;
    sp_jk.head.nonly = 2;
    sp_jk.head.skip = skip;
    sp_jk.head.nskip = 1;
    sp_jk.head.attempts_min = 5;
    sp_jk.head.link_injection = true;
    sp_jk_write(0);
    struct sp_journal *journal = sp_jk_open(SP_OK);
    const struct sp_journal_head *head = sp_journal_head(journal);
    assert_string_equal(head->run_id, SP_JK_ID);
    assert_string_equal(head->topology_sha256, sp_jk.model.sha256);
    assert_int_equal(head->started_s, SP_JK_WALL);
    assert_int_equal(head->seed, 77);
    assert_int_equal(head->depth, SP_DEPTH_EXHAUSTIVE);
    assert_int_equal(head->attempts_min, 5);
    assert_true(head->link_injection);
    assert_int_equal(head->rolling, 7);
    assert_int_equal(head->slice.at, 2);
    assert_int_equal(head->slice.of, 7);
    assert_int_equal(head->slice.key, 99);
    assert_int_equal(head->nsweeps, 3);
    assert_string_equal(head->from, from);
    assert_string_equal(head->to, "");
    assert_int_equal(head->nonly, 2);
    assert_string_equal(head->only[1], "udp");
    assert_int_equal(head->nskip, 1);
    assert_string_equal(head->skip[0], "udp");
    sp_journal_free(journal);
    memset(&sp_jk.head.from, 0, sizeof(char *) * 2);
    sp_jk_write(0);
    journal = sp_jk_open(SP_OK);
    assert_null(sp_journal_head(journal)->from);
    assert_null(sp_journal_head(journal)->to);
    sp_journal_free(journal);
}

static void another_topology_is_refused(void **state)
{
    (void)state;
    sp_jk_write(2);
    sp_jk.model.sha256[63] = 'b';
    (void)sp_jk_open(SP_E_DENIED);
    sp_jk.model.sha256[63] = 'a';
    sp_journal_free(sp_jk_open(SP_OK)); /* refusing it has changed nothing */
}

static void another_plan_is_refused(void **state)
{
    (void)state;
    struct sp_diag diag = {0};
    sp_jk_write(2);
    struct sp_journal *journal = sp_jk_open(SP_OK);
    uint32_t *const fields[] = {&sp_jk.sweeps[2].denied, &sp_jk.sweeps[0].allowed,
                                &sp_jk.sweeps[1].pair, &sp_jk.pairs[0].to};
    for (size_t i = 0; i < 4; i++) {
        *fields[i] ^= 1;
        assert_int_equal(sp_journal_match(journal, &sp_jk.plan, &diag), SP_E_DENIED);
        assert_true(diag.text[0] != '\0');
        *fields[i] ^= 1;
    }
    uint8_t *const bytes[] = {&sp_jk.sweeps[2].proto, &sp_jk.sweeps[2].technique,
                              &sp_jk.pairs[1].src.bytes[3], &sp_jk.pairs[1].dst.bytes[0]};
    for (size_t i = 0; i < 4; i++) {
        *bytes[i] ^= 1;
        assert_int_equal(sp_journal_match(journal, &sp_jk.plan, NULL), SP_E_DENIED);
        *bytes[i] ^= 1;
    }
    sp_jk.plan.nsweeps = 2;
    assert_int_equal(sp_journal_match(journal, &sp_jk.plan, NULL), SP_E_DENIED);
    sp_jk.plan.nsweeps = 3;
    assert_int_equal(sp_journal_match(journal, &sp_jk.plan, NULL), SP_OK);
    sp_journal_free(journal);
}

static void a_run_at_its_end_is_gone(void **state)
{
    (void)state;
    struct stat st;
    struct sp_journal *journal = sp_jk_begun(3);
    sp_journal_finish(journal);
    assert_int_not_equal(stat(sp_jk.path, &st), 0);
    sp_journal_free(journal);
    (void)sp_jk_open(SP_E_NOTFOUND);
    /* One that could not be removed says that it is over. */
    char aside[160];
    (void)snprintf(aside, sizeof(aside), "%s.aside", sp_jk.path);
    journal = sp_jk_begun(1);
    assert_int_equal(rename(sp_jk.path, aside), 0);
    sp_journal_finish(journal);
    sp_journal_free(journal);
    assert_int_equal(rename(aside, sp_jk.path), 0);
    (void)sp_jk_open(SP_E_DENIED);
}

static void two_runs_at_once(void **state)
{
    (void)state;
    struct sp_journal *journal = sp_jk_begun(1);
    struct sp_journal *other = NULL;
    (void)sp_jk_open(SP_E_DENIED);
    assert_int_equal(
        sp_journal_create(sp_jk.folder, &sp_jk.head, &sp_jk.model, &sp_jk.plan, &other, NULL),
        SP_E_SYSTEM); /* its name is taken */
    (void)snprintf(sp_jk.head.run_id, sizeof(sp_jk.head.run_id), "fedcba9876543210");
    assert_int_equal(
        sp_journal_create(sp_jk.folder, &sp_jk.head, &sp_jk.model, &sp_jk.plan, &other, NULL),
        SP_OK);
    sp_jk_append(other, 2);
    sp_jk_append(journal, 1);
    sp_journal_free(other);
    sp_journal_free(journal);
    journal = sp_jk_open(SP_OK);
    assert_int_equal(sp_journal_count(journal), 2);
    (void)sp_jk_open(SP_E_DENIED); /* who resumes holds it as well */
    sp_journal_free(journal);
}

static void who_may_have_written_it(void **state)
{
    (void)state;
    char aside[160];
    sp_jk_write(1);
    assert_int_equal(chmod(sp_jk.path, 0620), 0);
    (void)sp_jk_open(SP_E_DENIED);
    assert_int_equal(chmod(sp_jk.path, 0644), 0);
    sp_journal_free(sp_jk_open(SP_OK));
    (void)snprintf(aside, sizeof(aside), "%s.aside", sp_jk.path);
    assert_int_equal(rename(sp_jk.path, aside), 0);
    assert_int_equal(symlink(aside, sp_jk.path), 0);
    (void)sp_jk_open(SP_E_SYSTEM);
    assert_int_equal(unlink(sp_jk.path), 0);
    assert_int_equal(mkfifo(sp_jk.path, 0600), 0);
    (void)sp_jk_open(SP_E_DENIED); /* and does not wait for a writer */
    assert_int_equal(unlink(sp_jk.path), 0);
    (void)snprintf(sp_jk.path, sizeof(sp_jk.path), "%s/%s", sp_jk.folder,
                   "fedcba9876543210.journal");
    assert_int_equal(rename(aside, sp_jk.path), 0);
    struct sp_journal *journal = NULL;
    assert_int_equal(
        sp_journal_open(sp_jk.folder, "fedcba9876543210", &sp_jk.model, &journal, NULL),
        SP_E_INVALID); /* renamed */
}

static void names_that_are_no_run(void **state)
{
    (void)state;
    static const char *const ids[] = {"",
                                      ".",
                                      "0123456789ABCDEF",
                                      "0123456789abcde",
                                      "0123456789abcdef0",
                                      "../0123456789abcdef",
                                      "0123456789abcdef/",
                                      "0123456789abcdeg"};
    struct sp_journal *journal = NULL;
    struct sp_diag diag = {0};
    sp_jk_write(0);
    for (size_t i = 0; i < sizeof(ids) / sizeof(ids[0]); i++) {
        assert_int_equal(sp_journal_open(sp_jk.folder, ids[i], &sp_jk.model, &journal, &diag),
                         SP_E_INVALID);
        assert_true(diag.text[0] != '\0');
    }
    assert_int_equal(
        sp_journal_open(sp_jk.folder, "aaaaaaaaaaaaaaaa", &sp_jk.model, &journal, &diag),
        SP_E_NOTFOUND);
    assert_non_null(strstr(diag.text, SP_JK_ID)); /* what could be meant */
    assert_int_equal(
        sp_journal_open("/nonexistent", "aaaaaaaaaaaaaaaa", &sp_jk.model, &journal, &diag),
        SP_E_NOTFOUND);
}

/* ---- disks ---- */

/* The descriptor under which this process has the file open. */
static int fd_of(const char *path)
{
    for (int fd = 3; fd < 200; fd++) {
        char name[64];
        char target[256];
        (void)snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
        ssize_t n = readlink(name, target, sizeof(target) - 1);
        if (n > 0) {
            target[n] = '\0';
            if (strcmp(target, path) == 0) {
                return fd;
            }
        }
    }
    return -1;
}

static void a_full_disk(void **state)
{
    (void)state;
    struct sp_sweep_status status = {0};
    struct sp_diag diag = {0};
    struct sp_journal *journal = sp_jk_begun(1);
    int fd = fd_of(sp_jk.path);
    int full = open("/dev/full", O_RDWR | O_CLOEXEC);
    int kept = fcntl(fd, F_DUPFD_CLOEXEC, 100);
    assert_true(fd >= 0 && full >= 0 && kept >= 0);
    assert_int_equal(dup3(full, fd, O_CLOEXEC), fd);
    assert_int_equal(sp_journal_append(journal, 1, &status, NULL, 0, &diag), SP_E_SYSTEM);
    assert_non_null(strstr(diag.text, "No space left"));
    assert_int_equal(sp_journal_append(journal, 2, &status, NULL, 0, &diag), SP_E_SYSTEM);
    assert_string_equal(diag.text, ""); /* told once */
    assert_int_equal(dup3(kept, fd, O_CLOEXEC), fd);
    (void)close(full);
    (void)close(kept);
    sp_jk_check(journal, 0);
    assert_false(sp_journal_has(journal, 1));
    sp_journal_free(journal);
    journal = sp_jk_open(SP_OK);
    assert_int_equal(sp_journal_count(journal), 1);
    sp_journal_free(journal);
}

/* Half of an entry fits: it is taken back, and the next one finds the file as it was. */
static void a_disk_with_little_room(void **state)
{
    (void)state;
    struct sp_sweep_status status = {0};
    struct sp_sweep_span spans[100] = {0};
    struct rlimit old;
    struct stat st;
    struct sp_diag diag = {0};
    struct sp_journal *journal = sp_jk_begun(2);
    assert_int_equal(stat(sp_jk.path, &st), 0);
    void (*handler)(int) = signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
    struct rlimit low = {.rlim_cur = (rlim_t)st.st_size + 500, .rlim_max = old.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &low), 0);
    enum sp_rc rc = sp_journal_append(journal, 2, &status, spans, 100, &diag);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
    (void)signal(SIGXFSZ, handler);
    assert_int_equal(rc, SP_E_SYSTEM);
    assert_true(diag.text[0] != '\0');
    off_t size = st.st_size;
    assert_int_equal(stat(sp_jk.path, &st), 0);
    assert_int_equal(st.st_size, size);
    assert_false(sp_journal_has(journal, 2));
    sp_jk_append(journal, 2); /* room was made */
    sp_journal_free(journal);
    journal = sp_jk_open(SP_OK);
    for (size_t i = 0; i < 3; i++) {
        sp_jk_check(journal, i);
    }
    sp_journal_free(journal);
}

static void folders_that_cannot_be_written(void **state)
{
    (void)state;
    static const char *const folders[] = {"/nonexistent", "/dev/null", "/proc/self"};
    for (size_t i = 0; i < 3; i++) {
        struct sp_journal *journal = NULL;
        struct sp_diag diag = {0};
        assert_int_equal(
            sp_journal_create(folders[i], &sp_jk.head, &sp_jk.model, &sp_jk.plan, &journal, &diag),
            SP_E_SYSTEM);
        assert_null(journal);
        assert_true(diag.text[0] != '\0');
        sp_journal_prune(folders[i]);
    }
}

static void what_cannot_be_written_down(void **state)
{
    (void)state;
    struct sp_sweep_status status = {0};
    struct sp_journal *journal = sp_jk_begun(0);
    assert_int_equal(sp_journal_append(journal, 3, &status, NULL, 0, NULL), SP_E_INVALID);
    assert_int_equal(sp_journal_append(journal, 0, &status, NULL, SP_SPANS_MAX + 1, NULL),
                     SP_E_INVALID);
    sp_journal_free(journal);
    journal = NULL;
    sp_jk.plan.nsweeps = 0;
    assert_int_equal(
        sp_journal_create(sp_jk.folder, &sp_jk.head, &sp_jk.model, &sp_jk.plan, &journal, NULL),
        SP_E_INVALID);
}

/* As many ranges as a sweep can have. */
static void the_most_ranges(void **state)
{
    (void)state;
    struct sp_sweep_status status = {0};
    struct sp_sweep_span *back = NULL;
    size_t n = 0;
    struct sp_sweep_span *spans = sp_calloc(SP_SPANS_MAX, sizeof(*spans));
    assert_non_null(spans);
    for (uint32_t i = 0; i < SP_SPANS_MAX; i++) {
        spans[i].lo = spans[i].hi = (uint16_t)(i + 1);
        spans[i].seen.nic = (uint16_t)(i % 3);
    }
    struct sp_journal *journal = sp_jk_begun(0);
    assert_int_equal(sp_journal_append(journal, 1, &status, spans, SP_SPANS_MAX, NULL), SP_OK);
    sp_journal_free(journal);
    journal = sp_jk_open(SP_OK);
    assert_int_equal(sp_journal_get(journal, 1, &status, &back, &n, NULL), SP_OK);
    assert_int_equal(n, SP_SPANS_MAX);
    assert_int_equal(back[65534].hi, 65535);
    sp_free(back);
    sp_free(spans);
    sp_journal_free(journal);
}

/* A host that the topology does not have would be looked up beyond the end. */
static void a_host_that_is_not_there(void **state)
{
    (void)state;
    struct sp_sweep_status status = {0};
    struct sp_sweep_span span = {.lo = 1, .hi = 1, .seen = {.elsewhere = 1, .elsewhere_host = 4}};
    struct sp_sweep_span *back = NULL;
    struct sp_diag diag = {0};
    size_t n = 0;
    struct sp_journal *journal = sp_jk_begun(0);
    assert_int_equal(sp_journal_append(journal, 0, &status, &span, 1, NULL), SP_OK);
    assert_int_equal(sp_journal_get(journal, 0, &status, &back, &n, &diag), SP_E_INVALID);
    assert_null(back);
    assert_true(diag.text[0] != '\0');
    span.seen.elsewhere_host = 3;
    assert_int_equal(sp_journal_append(journal, 0, &status, &span, 1, NULL), SP_OK);
    assert_int_equal(sp_journal_get(journal, 0, &status, &back, &n, NULL), SP_OK);
    sp_free(back);
    sp_journal_free(journal);
}

/* ---- the folder ---- */

static void set_age(const char *path, uint64_t age_s)
{
    struct timespec times[2] = {{.tv_sec = (time_t)(SP_JK_WALL - age_s)},
                                {.tv_sec = (time_t)(SP_JK_WALL - age_s)}};
    assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
}

static void count_one(void *arg, const char *run_id)
{
    (*(size_t *)arg)++;
    assert_int_equal(strlen(run_id), 16);
}

static void old_ones_are_removed(void **state)
{
    (void)state;
    struct stat st;
    size_t n = 0;
    char other[128];
    (void)snprintf(other, sizeof(other), "%s/mine.journal", sp_jk.folder);
    sp_jk_store(other, "x", 1);
    set_age(other, SP_JOURNAL_KEEP_S * 2);
    struct sp_journal *journal = sp_jk_begun(1);
    set_age(sp_jk.path, SP_JOURNAL_KEEP_S * 2);
    sp_journal_prune(sp_jk.folder); /* somebody writes to it */
    assert_int_equal(stat(sp_jk.path, &st), 0);
    sp_journal_list(sp_jk.folder, count_one, &n);
    assert_int_equal(n, 1);
    sp_journal_free(journal);
    set_age(sp_jk.path, SP_JOURNAL_KEEP_S);
    sp_journal_prune(sp_jk.folder); /* just young enough */
    assert_int_equal(stat(sp_jk.path, &st), 0);
    set_age(sp_jk.path, SP_JOURNAL_KEEP_S + 1);
    sp_journal_prune(sp_jk.folder);
    assert_int_not_equal(stat(sp_jk.path, &st), 0);
    assert_int_equal(stat(other, &st), 0); /* not ours */
}

static void default_folders(void **state)
{
    (void)state;
    char out[256];
    char want[256];
    struct stat st;
    char *old = getenv("XDG_STATE_HOME");
    char *kept = old ? strdup(old) : NULL;
    assert_int_equal(setenv("XDG_STATE_HOME", sp_jk.folder, 1), 0);
    assert_true(sp_journal_default_folder(out, sizeof(out)));
    (void)snprintf(want, sizeof(want), "%s/segproof/runs", sp_jk.folder);
    assert_string_equal(out, want);
    assert_int_equal(stat(want, &st), 0);
    assert_true(S_ISDIR(st.st_mode));
    assert_int_equal(st.st_mode & 0777, 0700);
    assert_false(sp_journal_default_folder(out, 8));
    assert_int_equal(rmdir(want), 0);
    (void)snprintf(want, sizeof(want), "%s/segproof", sp_jk.folder);
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
    char from[] = "web";
    char *only[] = {from, from};
    bool failed = true;
    sp_jk.head.from = from;
    sp_jk.head.only = only;
    sp_jk.head.nonly = 2;
    for (size_t n = 1; failed; n++) {
        struct sp_journal *journal = NULL;
        struct sp_sweep_status status = {0};
        struct sp_sweep_span span = {.lo = 1, .hi = 2};
        struct sp_sweep_span *back = NULL;
        size_t nback = 0;
        (void)unlink(sp_jk.path);
        (void)sp_mem_fail_at(n, 0);
        enum sp_rc rc =
            sp_journal_create(sp_jk.folder, &sp_jk.head, &sp_jk.model, &sp_jk.plan, &journal, NULL);
        rc = rc == SP_OK ? sp_journal_append(journal, 1, &status, &span, 1, NULL) : rc;
        sp_journal_free(journal);
        journal = NULL;
        rc = rc == SP_OK ? sp_journal_open(sp_jk.folder, SP_JK_ID, &sp_jk.model, &journal, NULL)
                         : rc;
        rc = rc == SP_OK ? sp_journal_get(journal, 1, &status, &back, &nback, NULL) : rc;
        failed = sp_mem_fail_at(0, 0) >= n;
        assert_true(rc == SP_OK || (failed && rc == SP_E_NOMEM));
        sp_free(back);
        sp_journal_free(journal);
    }
}

#define EACH(test) cmocka_unit_test_setup_teardown(test, sp_jk_setup, sp_jk_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {EACH(what_was_finished_comes_back),
                                       EACH(a_run_goes_on_twice),
                                       EACH(the_later_one_counts),
                                       EACH(how_it_was_made_comes_back),
                                       EACH(another_topology_is_refused),
                                       EACH(another_plan_is_refused),
                                       EACH(a_run_at_its_end_is_gone),
                                       EACH(two_runs_at_once),
                                       EACH(who_may_have_written_it),
                                       EACH(names_that_are_no_run),
                                       EACH(a_full_disk),
                                       EACH(a_disk_with_little_room),
                                       EACH(folders_that_cannot_be_written),
                                       EACH(what_cannot_be_written_down),
                                       EACH(the_most_ranges),
                                       EACH(a_host_that_is_not_there),
                                       EACH(old_ones_are_removed),
                                       EACH(default_folders),
                                       EACH(torture)};
    return cmocka_run_group_tests_name("journal", tests, NULL, NULL);
}
