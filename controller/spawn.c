/* SPDX-License-Identifier: Apache-2.0 */
#include "controller/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

/* What the child tells over the report pipe when it cannot become the program; a closed pipe means
 * that it did. */
struct report {
    int stage; /* 1 namespace, 2 descriptors, 3 exec */
    int err;
};

static void fail_child(int report_fd, int stage)
{
    const struct report report = {stage, errno};
    (void)!write(report_fd, &report, sizeof(report));
    _exit(127);
}

static void child(char *const *argv, int netns_fd, int io, int err, int report_fd)
{
    sigset_t none;
    (void)setsid();
    if (netns_fd >= 0 && setns(netns_fd, CLONE_NEWNET) != 0) {
        fail_child(report_fd, 1);
    }
    if (dup2(io, STDIN_FILENO) < 0 || dup2(io, STDOUT_FILENO) < 0 || dup2(err, STDERR_FILENO) < 0) {
        fail_child(report_fd, 2);
    }
    (void)sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
    (void)execv(argv[0], argv);
    fail_child(report_fd, 3);
}

static enum sp_rc read_report(int report_fd, pid_t pid, const char *program, struct sp_diag *diag)
{
    static const char *const stages[] = {"", "cannot enter the network namespace",
                                         "cannot set up its descriptors", ""};
    struct report report;
    ssize_t n;
    do {
        n = read(report_fd, &report, sizeof(report));
    } while (n < 0 && errno == EINTR);
    if (n != (ssize_t)sizeof(report)) {
        return SP_OK;
    }
    (void)waitpid(pid, NULL, 0);
    errno = report.err;
    if (report.stage == 3) {
        return sp_fail_errno(diag, program, "cannot start %s", program);
    }
    return sp_fail_errno(diag, program, "%s%s", stages[report.stage],
                         report.err == EPERM ? " (run it as root)" : "");
}

static void close_pair(int pair[2])
{
    for (int i = 0; i < 2; i++) {
        if (pair[i] >= 0) {
            (void)close(pair[i]);
        }
    }
}

enum sp_rc sp_spawn(char *const *argv, int netns_fd, struct sp_deployed *ret_deployed,
                    struct sp_diag *diag)
{
    int io[2] = {-1, -1};
    int err[2] = {-1, -1};
    int report[2] = {-1, -1};
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, io) != 0 || pipe2(err, O_CLOEXEC) != 0 ||
        pipe2(report, O_CLOEXEC) != 0) {
        enum sp_rc rc = sp_fail_errno(diag, argv[0], "cannot make its channels");
        close_pair(io);
        close_pair(err);
        close_pair(report);
        return rc;
    }
    pid_t pid = fork();
    if (pid == 0) {
        child(argv, netns_fd, io[1], err[1], report[1]);
    }
    int saved = errno;
    (void)close(io[1]);
    (void)close(err[1]);
    (void)close(report[1]);
    enum sp_rc rc;
    if (pid < 0) {
        errno = saved;
        rc = sp_fail_errno(diag, argv[0], "cannot fork");
    } else {
        rc = read_report(report[0], pid, argv[0], diag);
    }
    (void)close(report[0]);
    if (rc != SP_OK) {
        (void)close(io[0]);
        (void)close(err[0]);
        return rc;
    }
    (void)fcntl(err[0], F_SETFL, O_NONBLOCK);
    *ret_deployed = (struct sp_deployed){.pid = pid, .io_fd = io[0], .err_fd = err[0]};
    return SP_OK;
}
