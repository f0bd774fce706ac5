/* SPDX-License-Identifier: Apache-2.0
 *
 * Starting a program: its channels, its session, and failures that are reported instead of a
 * program that ends at once. */
#include "controller/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/support/sp_cmocka.h"

static struct sp_deployed run(char *script)
{
    char shell[] = "/bin/sh";
    char option[] = "-c";
    char *argv[] = {shell, option, script, NULL};
    struct sp_deployed d = {0};
    struct sp_diag diag = {0};
    if (sp_spawn(argv, -1, &d, &diag) != SP_OK) {
        fail_msg("%s: %s", diag.where, diag.text);
    }
    return d;
}

/* Reads to the end, at most five seconds. */
static void read_all(int fd, char *out, size_t size)
{
    size_t n = 0;
    for (int i = 0; i < 500; i++) {
        struct pollfd p = {.fd = fd, .events = POLLIN};
        (void)poll(&p, 1, 10);
        ssize_t got = p.revents ? read(fd, out + n, size - 1 - n) : -1;
        if (got == 0) {
            break;
        }
        n += got > 0 ? (size_t)got : 0;
    }
    out[n] = '\0';
}

static int end(struct sp_deployed *d)
{
    int status = -1;
    (void)close(d->io_fd);
    (void)close(d->err_fd);
    assert_int_equal(waitpid(d->pid, &status, 0), d->pid);
    return status;
}

static void channels(void **state)
{
    (void)state;
    char script[] = "read line; echo \"got $line\"; echo oops >&2";
    char text[256];
    struct sp_deployed d = run(script);
    assert_int_equal(write(d.io_fd, "hello\n", 6), 6);
    read_all(d.io_fd, text, sizeof(text));
    assert_string_equal(text, "got hello\n");
    read_all(d.err_fd, text, sizeof(text));
    assert_string_equal(text, "oops\n");
    assert_true((fcntl(d.io_fd, F_GETFD) & FD_CLOEXEC) != 0);
    assert_true((fcntl(d.err_fd, F_GETFD) & FD_CLOEXEC) != 0);
    assert_int_equal(end(&d), 0);
}

/* It gets its three descriptors and nothing else of ours. */
static void no_descriptor_leaks(void **state)
{
    (void)state;
    char script[] = "ls /proc/self/fd | tr '\\n' ' '";
    char text[256];
    /* What we were started with ourselves is not what this is about. */
    (void)close_range(3, ~0U, CLOSE_RANGE_CLOEXEC);
    int ours = open("/dev/null", O_RDONLY | O_CLOEXEC);
    struct sp_deployed first = run(script);
    struct sp_deployed d = run(script);
    read_all(first.io_fd, text, sizeof(text)); /* a closed channel would be its death */
    read_all(d.io_fd, text, sizeof(text));
    assert_string_equal(text, "0 1 2 3 "); /* 3: ls reading the list */
    assert_int_equal(end(&d), 0);
    assert_int_equal(end(&first), 0);
    (void)close(ours);
}

/* A group of its own: one kill reaches whatever it started. */
static void its_own_group(void **state)
{
    (void)state;
    char script[] = "sleep 100 & echo $!; wait";
    char text[64] = {0};
    struct sp_deployed d = run(script);
    struct pollfd p = {.fd = d.io_fd, .events = POLLIN};
    assert_int_equal(poll(&p, 1, 5000), 1);
    assert_true(read(d.io_fd, text, sizeof(text) - 1) > 0);
    assert_int_equal(getpgid(d.pid), d.pid);
    assert_int_equal(getsid(d.pid), d.pid);
    assert_int_equal(kill(-d.pid, SIGKILL), 0);
    read_all(d.io_fd, text, sizeof(text)); /* ends only when the sleeper is gone too */
    int status = end(&d);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

static void signals_are_not_inherited_blocked(void **state)
{
    (void)state;
    char script[] = "grep SigBlk /proc/self/status";
    char text[128];
    sigset_t set;
    sigset_t old;
    (void)sigemptyset(&set);
    (void)sigaddset(&set, SIGTERM);
    (void)sigprocmask(SIG_BLOCK, &set, &old);
    struct sp_deployed d = run(script);
    (void)sigprocmask(SIG_SETMASK, &old, NULL);
    read_all(d.io_fd, text, sizeof(text));
    assert_string_equal(text, "SigBlk:\t0000000000000000\n");
    assert_int_equal(end(&d), 0);
}

static void failures_are_reported(void **state)
{
    (void)state;
    static const struct {
        const char *program;
        int err;
    } rows[] = {{"/nonexistent/program", ENOENT}, {"/dev/null", EACCES}, {"/", EACCES}};
    for (size_t i = 0; i < 3; i++) {
        char program[64];
        char *argv[] = {program, NULL};
        struct sp_deployed d = {.pid = -7};
        struct sp_diag diag = {0};
        (void)snprintf(program, sizeof(program), "%s", rows[i].program);
        assert_int_equal(sp_spawn(argv, -1, &d, &diag), SP_E_SYSTEM);
        assert_int_equal(d.pid, -7);
        assert_int_equal(diag.saved_errno, rows[i].err);
        assert_non_null(strstr(diag.text, "cannot start"));
        assert_string_equal(diag.where, program);
        assert_int_equal(waitpid(-1, NULL, WNOHANG), -1); /* no child is left over */
    }
}

static void a_namespace(void **state)
{
    (void)state;
    char program[] = "/bin/readlink";
    char what[] = "/proc/self/ns/net";
    char *argv[] = {program, what, NULL};
    struct sp_deployed d;
    struct sp_diag diag = {0};
    int file = open("/dev/null", O_RDONLY | O_CLOEXEC);
    assert_int_equal(sp_spawn(argv, file, &d, &diag), SP_E_SYSTEM); /* not a namespace */
    assert_non_null(strstr(diag.text, "namespace"));
    (void)close(file);
    int home = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
    if (unshare(CLONE_NEWNET) != 0) {
        (void)close(home);
        skip();
    }
    char want[64] = {0};
    char text[64];
    assert_true(readlink(what, want, sizeof(want) - 2) > 0);
    want[strlen(want)] = '\n';
    int made = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
    assert_int_equal(setns(home, CLONE_NEWNET), 0);
    assert_int_equal(sp_spawn(argv, made, &d, &diag), SP_OK);
    read_all(d.io_fd, text, sizeof(text));
    assert_string_equal(text, want);
    assert_int_equal(end(&d), 0);
    (void)close(made);
    (void)close(home);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(channels),
        cmocka_unit_test(no_descriptor_leaks),
        cmocka_unit_test(its_own_group),
        cmocka_unit_test(signals_are_not_inherited_blocked),
        cmocka_unit_test(failures_are_reported),
        cmocka_unit_test(a_namespace),
    };
    return cmocka_run_group_tests_name("spawn", tests, NULL, NULL);
}
