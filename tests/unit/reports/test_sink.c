/* SPDX-License-Identifier: Apache-2.0 */
#include "reports/sink.h"

#include <dirent.h>
#include <errno.h>
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

static void ignore(int signo)
{
    const struct sigaction action = {.sa_handler = SIG_IGN};
    (void)sigaction(signo, &action, NULL);
}

static char folder[64];
static char path[128];

static int setup(void **state)
{
    (void)state;
    (void)snprintf(folder, sizeof(folder), "/tmp/sp-sink-XXXXXX");
    if (!mkdtemp(folder)) {
        return -1;
    }
    (void)snprintf(path, sizeof(path), "%s/report.json", folder);
    return 0;
}

/* Removes the folder and tells how many files were in it. */
static size_t sweep(void)
{
    size_t n = 0;
    DIR *dir = opendir(folder);
    for (struct dirent *e; dir && (e = readdir(dir)) != NULL;) {
        if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0) {
            (void)unlinkat(dirfd(dir), e->d_name, 0);
            n++;
        }
    }
    if (dir) {
        (void)closedir(dir);
    }
    (void)rmdir(folder);
    return n;
}

static int teardown(void **state)
{
    (void)state;
    (void)sweep();
    return 0;
}

static enum sp_rc put(const char *where, const char *text, struct sp_diag *diag)
{
    struct sp_buf buf;
    sp_buf_init(&buf, 1 << 20);
    sp_buf_str(&buf, text);
    enum sp_rc rc = sp_sink_write_file(where, &buf, diag);
    sp_buf_release(&buf);
    return rc;
}

static void check_content(const char *where, const char *want)
{
    char got[256] = "";
    int fd = open(where, O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(read(fd, got, sizeof(got) - 1), (ssize_t)strlen(want));
    assert_string_equal(got, want);
    (void)close(fd);
}

static void test_new_and_again(void **state)
{
    (void)state;
    struct stat st;
    mode_t old = umask(027);
    assert_int_equal(put(path, "one", NULL), SP_OK);
    (void)umask(old);
    check_content(path, "one");
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0640);
    assert_int_equal(chmod(path, 0604), 0);
    assert_int_equal(put(path, "the second", NULL), SP_OK);
    check_content(path, "the second");
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0604);
    assert_int_equal(put(path, "", NULL), SP_OK);
    check_content(path, "");
    assert_int_equal(sweep(), 1);
}

static void test_relative_name(void **state)
{
    (void)state;
    char here[256];
    assert_non_null(getcwd(here, sizeof(here)));
    assert_int_equal(chdir(folder), 0);
    enum sp_rc rc = put("plain.txt", "x", NULL);
    assert_int_equal(chdir(here), 0);
    assert_int_equal(rc, SP_OK);
    assert_int_equal(sweep(), 1);
}

/* The longest name there is leaves no room for an ending of our own. */
static void test_longest_name(void **state)
{
    (void)state;
    char where[512];
    (void)snprintf(where, sizeof(where), "%s/%0255d", folder, 1);
    assert_int_equal(put(where, "x", NULL), SP_OK);
    check_content(where, "x");
    assert_int_equal(sweep(), 1);
}

static void test_link_keeps_pointing(void **state)
{
    (void)state;
    char link_path[128];
    struct stat st;
    (void)snprintf(link_path, sizeof(link_path), "%s/link", folder);
    assert_int_equal(put(path, "old", NULL), SP_OK);
    assert_int_equal(symlink(path, link_path), 0);
    assert_int_equal(put(link_path, "new", NULL), SP_OK);
    check_content(path, "new");
    assert_int_equal(lstat(link_path, &st), 0);
    assert_true(S_ISLNK(st.st_mode));
    assert_int_equal(sweep(), 2);
}

/* A disk that is full in the middle of the report: the old one stays, whole. */
static void test_full_in_the_middle(void **state)
{
    (void)state;
    char big[9000];
    struct sp_diag diag = {0};
    struct rlimit was, small;
    memset(big, 'x', sizeof(big) - 1);
    big[sizeof(big) - 1] = '\0';
    assert_int_equal(put(path, "the old report", NULL), SP_OK);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &was), 0);
    small = was;
    small.rlim_cur = 4096;
    ignore(SIGXFSZ);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    enum sp_rc rc = put(path, big, &diag);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &was), 0);
    assert_int_equal(rc, SP_E_SYSTEM);
    assert_int_equal(diag.saved_errno, EFBIG);
    assert_string_equal(diag.where, path);
    assert_non_null(strstr(diag.text, "File too large"));
    check_content(path, "the old report");
    assert_int_equal(sweep(), 1);
}

static void test_full_device(void **state)
{
    (void)state;
    struct sp_diag diag = {0};
    if (access("/dev/full", W_OK) != 0) {
        skip();
    }
    assert_int_equal(put("/dev/full", "report", &diag), SP_E_SYSTEM);
    assert_int_equal(diag.saved_errno, ENOSPC);
    assert_non_null(strstr(diag.text, "No space left on device; make room"));
    struct stat st;
    assert_int_equal(stat("/dev/full", &st), 0);
    assert_true(S_ISCHR(st.st_mode)); /* not replaced by a file */
    assert_int_equal(put("/dev/null", "report", &diag), SP_OK);
}

static void check_failure(const char *where, int error, const char *advice)
{
    struct sp_diag diag = {0};
    assert_int_equal(put(where, "report", &diag), SP_E_SYSTEM);
    assert_int_equal(diag.saved_errno, error);
    if (!strstr(diag.text, advice)) {
        fail_msg("%s", diag.text);
    }
    assert_int_equal(put(where, "report", NULL), SP_E_SYSTEM);
}

static void test_bad_places(void **state)
{
    (void)state;
    char where[512];
    struct sp_diag diag = {0};
    check_failure(folder, EISDIR, "name a file in it");
    (void)snprintf(where, sizeof(where), "%s/none/report", folder);
    check_failure(where, ENOENT, "make the folder first");
    assert_int_equal(put(path, "x", NULL), SP_OK);
    (void)snprintf(where, sizeof(where), "%s/below", path);
    check_failure(where, ENOTDIR, "make the folder first");
    (void)snprintf(where, sizeof(where), "%s/%0256d", folder, 1);
    check_failure(where, ENAMETOOLONG, "not written");
    assert_int_equal(put("", "report", &diag), SP_E_INVALID);
    assert_int_equal(sweep(), 1);
}

static void test_standard_output(void **state)
{
    (void)state;
    int ends[2];
    struct sp_diag diag = {0};
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    (void)fflush(stdout);
    int saved = dup(STDOUT_FILENO);
    assert_int_equal(dup2(ends[1], STDOUT_FILENO), STDOUT_FILENO);
    enum sp_rc rc = put("-", "to a pipe", NULL);
    char got[32] = "";
    ssize_t n = read(ends[0], got, sizeof(got) - 1);
    (void)close(ends[0]);
    ignore(SIGPIPE);
    enum sp_rc broken = put("-", "to nobody", &diag);
    assert_int_equal(dup2(saved, STDOUT_FILENO), STDOUT_FILENO);
    (void)close(saved);
    (void)close(ends[1]);
    assert_int_equal(rc, SP_OK);
    assert_int_equal(n, 9);
    assert_string_equal(got, "to a pipe");
    assert_int_equal(broken, SP_E_SYSTEM);
    assert_int_equal(diag.saved_errno, EPIPE);
    assert_string_equal(diag.where, "standard output");
}

static void test_incomplete_report(void **state)
{
    (void)state;
    struct sp_buf buf;
    struct sp_diag diag = {0};
    sp_buf_init(&buf, 3);
    sp_buf_str(&buf, "too long");
    assert_int_equal(sp_sink_write_file(path, &buf, &diag), SP_E_LIMIT);
    assert_non_null(strstr(diag.text, "limit"));
    sp_buf_release(&buf);
    assert_int_equal(sweep(), 0);
}

static void test_out_of_memory(void **state)
{
    (void)state;
    struct sp_buf buf;
    struct sp_diag diag = {0};
    sp_buf_init(&buf, 100);
    sp_buf_str(&buf, "text");
    sp_mem_fail_at(1, 1);
    enum sp_rc rc = sp_sink_write_file(path, &buf, &diag);
    sp_mem_fail_at(0, 0);
    assert_int_equal(rc, SP_E_NOMEM);
    sp_buf_release(&buf);
    assert_int_equal(sweep(), 0);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(test_new_and_again),       T(test_relative_name),      T(test_longest_name),
        T(test_link_keeps_pointing), T(test_full_in_the_middle), T(test_full_device),
        T(test_bad_places),          T(test_standard_output),    T(test_incomplete_report),
        T(test_out_of_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
