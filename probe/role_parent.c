/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "probe/ask.h"
#include "probe/base/clock.h"
#include "probe/base/mem.h"
#include "probe/caller/relay.h"
#include "probe/remove_self.h"
#include "probe/roles.h"

/* A sensor that keeps dying is not started for ever. */
#define SP_RESTARTS_MAX   8U
#define SP_RESTARTS_IN_US 30000000U

struct parent {
    char **argv;
    int control; /* to the link */
    int asked;   /* from the sensor, -1 = closed */
    bool may_stand;
    struct sp_ask_limit limit;
    bool is_link_quiet; /* its end of the control socket is closed */
    pid_t link, sensor;
    pid_t caller;     /* 0 = not asked for yet, or ended */
    unsigned callers; /* how often it was started */
    unsigned generation;
    unsigned restarts;
    uint64_t restarts_since_us;
};

/* Moves a child's channels to where it looks for them; asking < 0: it has only one. */
static bool place(int channel, int asking)
{
    int fd = fcntl(channel, F_DUPFD, SP_ASK_FD + 1);
    int fd2 = asking < 0 ? -1 : fcntl(asking, F_DUPFD, SP_ASK_FD + 1);
    if (fd < 0 || dup2(fd, SP_ROLE_FD) < 0) {
        return false;
    }
    if (asking >= 0 && (fd2 < 0 || dup2(fd2, SP_ASK_FD) < 0)) {
        return false;
    }
    return close_range(asking < 0 ? SP_ASK_FD : SP_ASK_FD + 1, ~0U, 0) == 0;
}

/* In the child: its channels become descriptors 3 and 4, everything above is closed, and it dies
 * with its parent. */
static void become(const struct parent *p, const char *role, int channel, int asking,
                   pid_t parent_pid)
{
    char generation[16];
    size_t n = 0;
    while (p->argv[n]) {
        n++;
    }
    char **argv = sp_calloc(n + 5, sizeof(*argv));
    char role_arg[32];
    (void)snprintf(role_arg, sizeof(role_arg), "--role=%s", role);
    (void)snprintf(generation, sizeof(generation), "--generation=%u", p->generation);
    if (!argv || !place(channel, asking) || prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 ||
        getppid() != parent_pid) {
        _exit(SP_EXIT_HOPELESS);
    }
    argv[0] = p->argv[0];
    argv[1] = role_arg;
    argv[2] = generation;
    memcpy(argv + 3, p->argv + 1, (n - 1) * sizeof(*argv));
    sigset_t none;
    (void)sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
    (void)execv("/proc/self/exe", argv);
    _exit(SP_EXIT_HOPELESS);
}

static pid_t spawn(const struct parent *p, const char *role, int channel, int asking)
{
    pid_t parent_pid = getpid();
    pid_t pid = fork();
    if (pid == 0) {
        become(p, role, channel, asking, parent_pid);
    }
    return pid;
}

/* Hands the link its end of the stream to the new sensor, or to the caller. */
static bool pass(int control, char byte, int fd)
{
    char space[CMSG_SPACE(sizeof(int))] __attribute__((aligned(8)));
    memset(space, 0, sizeof(space));
    struct iovec iov = {&byte, 1};
    struct msghdr msg = {
        .msg_iov = &iov, .msg_iovlen = 1, .msg_control = space, .msg_controllen = sizeof(space)};
    struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(c), &fd, sizeof(fd));
    return sendmsg(control, &msg, MSG_NOSIGNAL) == 1;
}

static void stop_asking(struct parent *p)
{
    if (p->asked >= 0) {
        (void)close(p->asked);
        p->asked = -1;
    }
}

static bool start_sensor(struct parent *p)
{
    int ends[2];
    int asking[2];
    stop_asking(p);
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) {
        return false;
    }
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, asking) != 0) {
        (void)close(ends[0]);
        (void)close(ends[1]);
        return false;
    }
    p->sensor = spawn(p, "sensor", ends[1], asking[1]);
    bool ok = p->sensor > 0 && pass(p->control, SP_CONTROL_SENSOR, ends[0]);
    (void)close(ends[0]);
    (void)close(ends[1]);
    (void)close(asking[1]);
    p->asked = asking[0];
    p->generation++;
    return ok;
}

static void reap(pid_t pid)
{
    if (pid > 0) {
        (void)kill(pid, SIGKILL);
        while (waitpid(pid, NULL, 0) < 0 && errno == EINTR) {
        }
    }
}

/* The process that holds conversations with strangers; only when the link asks, which has seen the
 * end of the one before. One that keeps dying is not started for ever. */
static bool start_caller(struct parent *p)
{
    int ends[2];
    reap(p->caller);
    p->caller = 0;
    if (p->callers >= SP_RESTARTS_MAX ||
        socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) {
        return false;
    }
    p->caller = spawn(p, "caller", ends[1], -1);
    bool ok = p->caller > 0 && pass(p->control, SP_CONTROL_CALLER, ends[0]);
    (void)close(ends[0]);
    (void)close(ends[1]);
    p->callers++;
    return ok;
}

/* The link asks for one thing only. */
static void serve_link(struct parent *p)
{
    static const char refused = SP_CONTROL_REFUSED;
    char byte = 0;
    ssize_t n = recv(p->control, &byte, 1, MSG_DONTWAIT);
    if (n == 0) {
        p->is_link_quiet = true;
    } else if (n == 1 && byte == SP_CONTROL_CALLER && !start_caller(p)) {
        (void)send(p->control, &refused, 1, MSG_NOSIGNAL | MSG_DONTWAIT);
    }
}

static bool may_restart(struct parent *p, int status)
{
    if (WIFEXITED(status) &&
        (WEXITSTATUS(status) == SP_EXIT_HOPELESS || WEXITSTATUS(status) == 0)) {
        return false;
    }
    uint64_t now = sp_mono_us();
    if (now - p->restarts_since_us > SP_RESTARTS_IN_US) {
        p->restarts_since_us = now;
        p->restarts = 0;
    }
    if (++p->restarts > SP_RESTARTS_MAX) {
        return false;
    }
    struct timespec pause = {.tv_nsec = 20000000L * (long)p->restarts};
    (void)nanosleep(&pause, NULL);
    return true;
}

/* The link says goodbye to the controller when the control socket closes: give it a moment. */
static void end_link(struct parent *p)
{
    (void)close(p->control);
    for (int i = 0; i < 100; i++) {
        if (waitpid(p->link, NULL, WNOHANG) == p->link) {
            return;
        }
        struct timespec pause = {.tv_nsec = 10000000};
        (void)nanosleep(&pause, NULL);
    }
    reap(p->link);
}

/* Waits until a child ended or the probe is told to, and serves the sensor meanwhile. False: told
 * to end. */
static bool wait_for_children(struct parent *p, int signals)
{
    struct signalfd_siginfo info;
    struct pollfd fds[] = {{.fd = signals, .events = POLLIN},
                           {.fd = p->asked, .events = POLLIN},
                           {.fd = p->is_link_quiet ? -1 : p->control, .events = POLLIN}};
    if (poll(fds, SP_ARRAY_LEN(fds), -1) < 0) {
        return true;
    }
    if (fds[2].revents) {
        serve_link(p);
    }
    if (fds[1].revents && !sp_ask_serve(p->asked, p->may_stand, &p->limit)) {
        stop_asking(p);
    }
    return read(signals, &info, sizeof(info)) != (ssize_t)sizeof(info) || info.ssi_signo == SIGCHLD;
}

static int supervise(struct parent *p, int signals)
{
    for (;;) {
        if (!wait_for_children(p, signals)) {
            reap(p->sensor);
            reap(p->caller);
            reap(p->link);
            return 0;
        }
        int status;
        pid_t pid;
        while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
            if (pid == p->link) {
                reap(p->sensor);
                reap(p->caller);
                return 0;
            }
            if (pid == p->caller) {
                p->caller = 0; /* the link has seen it end */
            }
            if (pid == p->sensor) {
                p->sensor = 0;
                if (!may_restart(p, status) || !start_sensor(p)) {
                    end_link(p);
                    reap(p->caller);
                    reap(p->sensor);
                    return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : 1;
                }
            }
        }
    }
}

int sp_role_parent(const struct sp_probe_options *options, char **argv)
{
    struct parent p = {.argv = argv, .asked = -1, .may_stand = options->bounds.hazard >= 'B'};
    int ends[2];
    sigset_t signals;
    struct sp_diag diag;
    if (options->remove_self && sp_remove_self("/proc/self/exe", &diag) != SP_OK) {
        (void)fprintf(stderr, "segproof-probe: %s: %s\n", diag.where, diag.text);
        return 1;
    }
    (void)sigemptyset(&signals);
    (void)sigaddset(&signals, SIGCHLD);
    (void)sigaddset(&signals, SIGTERM);
    (void)sigaddset(&signals, SIGINT);
    (void)sigaddset(&signals, SIGHUP);
    (void)sigprocmask(SIG_BLOCK, &signals, NULL);
    int signal_fd = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
    if (signal_fd < 0 || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) {
        (void)fprintf(stderr, "segproof-probe: cannot set up its processes: %s\n",
                      strerrordesc_np(errno));
        return 1;
    }
    p.control = ends[0];
    p.link = spawn(&p, "link", ends[1], -1);
    (void)close(ends[1]);
    if (p.link < 0 || !start_sensor(&p)) {
        (void)fprintf(stderr, "segproof-probe: cannot start its processes: %s\n",
                      strerrordesc_np(errno));
        reap(p.sensor);
        reap(p.link);
        return 1;
    }
    /* Standard input and output are the link's alone. */
    (void)close(STDIN_FILENO);
    (void)close(STDOUT_FILENO);
    return supervise(&p, signal_fd);
}
