/* SPDX-License-Identifier: Apache-2.0
 *
 * How a session ends: given up, ended by itself, or stopped with the run. */
#include <errno.h>
#include <event2/event.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "controller/deployers/deployer.h"
#include "controller/fleet_priv.h"
#include "probe/base/clock.h"
#include "probe/base/mem.h"

/* How long a program whose stream has ended may take to say why and to end. */
#define SP_END_US         1500000ULL
/* How long probes may take to stop: here, and at the other end of a connection. */
#define SP_STOP_MS        500
#define SP_STOP_REMOTE_MS 2000

/* ---- what it says on standard error ---- */

static void keep_words(struct sp_session *session, const char *bytes, size_t len)
{
    size_t max = sizeof(session->words) - 1;
    if (len > max / 2) {
        bytes += len - max / 2;
        len = max / 2;
    }
    if (session->nwords + len > max) { /* the first half goes */
        size_t gone = session->nwords + len - max > max / 2 ? session->nwords : max / 2;
        gone = gone > session->nwords ? session->nwords : gone;
        memmove(session->words, session->words + gone, session->nwords - gone);
        session->nwords -= gone;
    }
    for (size_t i = 0; i < len; i++) {
        char c = bytes[i];
        session->words[session->nwords++] = c == '\n' || (c >= 0x20 && c < 0x7f) ? c : '?';
    }
    session->words[session->nwords] = '\0';
}

/* False at its end. */
static bool read_words(struct sp_session *session)
{
    char bytes[1024];
    for (int i = 0; i < 64 && session->err_fd >= 0; i++) {
        ssize_t n = read(session->err_fd, bytes, sizeof(bytes));
        if (n > 0) {
            keep_words(session, bytes, (size_t)n);
        } else if (n == 0 || errno != EINTR) {
            return n < 0 && errno == EAGAIN;
        }
    }
    return session->err_fd >= 0;
}

static void on_words(evutil_socket_t fd, short what, void *arg)
{
    struct sp_session *session = arg;
    (void)fd;
    (void)what;
    if (!read_words(session)) {
        (void)event_del(session->err_event);
    }
}

void sp_fleet_listen(struct sp_session *session)
{
    session->err_event =
        event_new(session->fleet->base, session->err_fd, EV_READ | EV_PERSIST, on_words, session);
    if (session->err_event) {
        (void)event_add(session->err_event, NULL);
    } /* else it is read at the end only */
}

/* ---- losing ---- */

/* Kills the group, reaps its leader; its status, -1 if it had not ended by itself. */
static int kill_group(struct sp_session *session)
{
    int status = -1;
    siginfo_t info = {0};
    if (session->pid > 0) {
        bool ended = waitid(P_PID, (id_t)session->pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0 &&
                     info.si_pid == session->pid;
        int got = -1;
        (void)kill(-session->pid, SIGKILL);
        while (waitpid(session->pid, &got, 0) < 0 && errno == EINTR) {
        }
        session->pid = 0;
        status = ended ? got : -1;
    }
    if (session->err_event) {
        event_free(session->err_event);
        session->err_event = NULL;
    }
    if (session->err_fd >= 0) {
        (void)read_words(session);
        (void)close(session->err_fd);
        session->err_fd = -1;
    }
    return status;
}

void sp_fleet_lose(struct sp_session *session, const char *fmt, ...)
{
    if (session->state == SP_PROBE_LOST) {
        return;
    }
    va_list ap;
    va_start(ap, fmt);
    (void)vsnprintf(session->reason, sizeof(session->reason), fmt, ap);
    va_end(ap);
    session->state = SP_PROBE_LOST;
    sp_stream_free(session->stream);
    session->stream = NULL;
    session->is_queued = false;
    sp_free(session->targets);
    session->targets = NULL;
    (void)kill_group(session);
    sp_fleet_tell_state(session);
}

void sp_fleet_lose_silent(struct sp_session *session, const char *what)
{
    if (session->deployer && session->deployer->is_remote) {
        sp_fleet_lose(session,
                      "the connection to %s was lost, or its probe is frozen: it stopped answering "
                      "(%s)",
                      session->fleet->model->hosts[session->host].target, what);
    } else {
        sp_fleet_lose(session, "its probe stopped answering (%s): frozen or cut off", what);
    }
}

/* ---- ending by itself ---- */

void sp_fleet_begin_end(struct sp_session *session, const char *reason)
{
    if (session->state == SP_PROBE_LOST) {
        return;
    }
    const char *noise = sp_stream_noise(session->stream);
    session->was_ready = session->state == SP_PROBE_READY || session->state == SP_PROBE_RESTARTING;
    session->state = SP_PROBE_LOST;
    (void)snprintf(session->reason, sizeof(session->reason), "its probe ended");
    (void)snprintf(session->broken, sizeof(session->broken), "%s", reason ? reason : "");
    (void)snprintf(session->noise, sizeof(session->noise), "%s", noise);
    sp_stream_free(session->stream);
    session->stream = NULL;
    session->is_dying = true;
    session->deadline_us = sp_mono_us() + SP_END_US;
    sp_fleet_tell_state(session);
}

static void explain(struct sp_session *session, int status)
{
    const struct sp_host *host = &session->fleet->model->hosts[session->host];
    const struct sp_ended ended = {.words = session->words,
                                   .noise = session->noise,
                                   .status = status,
                                   .was_ready = session->was_ready};
    if (session->broken[0] && status == -1) {
        (void)snprintf(session->reason, sizeof(session->reason), "its probe's stream broke: %s",
                       session->broken);
    } else if (session->deployer->explain) {
        session->deployer->explain(host, &ended, session->reason, sizeof(session->reason));
    } else if (session->words[0]) {
        (void)snprintf(session->reason, sizeof(session->reason), "its probe ended: %.*s",
                       (int)strcspn(session->words, "\n"), session->words);
    } else {
        (void)snprintf(session->reason, sizeof(session->reason),
                       session->broken[0] ? "its probe's stream broke: %s"
                                          : "its probe ended (killed, or its host went away)%s",
                       session->broken);
    }
}

bool sp_fleet_tend_ends(struct sp_fleet *fleet)
{
    bool pending = false;
    for (size_t i = 0; i < fleet->model->nhosts; i++) {
        struct sp_session *session = &fleet->sessions[i];
        siginfo_t info = {0};
        if (!session->is_dying) {
            continue;
        }
        bool ended = waitid(P_PID, (id_t)session->pid, &info, WEXITED | WNOHANG | WNOWAIT) != 0 ||
                     info.si_pid == session->pid;
        if (ended || sp_mono_us() >= session->deadline_us) {
            explain(session, kill_group(session));
            session->is_dying = false;
        }
        pending = pending || session->is_dying;
    }
    return pending;
}

void sp_fleet_settle(struct sp_fleet *fleet)
{
    while (sp_fleet_tend_ends(fleet)) {
        struct timeval tv = {.tv_usec = 10000};
        (void)event_base_loopexit(fleet->base, &tv);
        (void)event_base_loop(fleet->base, EVLOOP_ONCE);
    }
}

/* ---- stopping ---- */

/* False while one still runs that is worth waiting for. */
static bool all_gone(struct sp_fleet *fleet, bool remotes)
{
    bool gone = true;
    for (size_t i = 0; i < fleet->model->nhosts; i++) {
        struct sp_session *session = &fleet->sessions[i];
        siginfo_t info = {0};
        if (session->pid <= 0 || (remotes && !session->is_through)) {
            continue;
        }
        gone =
            gone && (waitid(P_PID, (id_t)session->pid, &info, WEXITED | WNOHANG | WNOWAIT) != 0 ||
                     info.si_pid == session->pid);
    }
    return gone;
}

/* Asked, then given a moment; the closed stream tells a probe that missed the order. */
static void stop_all(struct sp_fleet *fleet)
{
    const struct sp_record stop = {.type = SP_REC_STOP};
    for (size_t i = 0; i < fleet->model->nhosts; i++) {
        sp_fleet_send(&fleet->sessions[i], &stop);
    }
    for (int i = 0; i < 3; i++) {
        (void)event_base_loop(fleet->base, EVLOOP_NONBLOCK);
    }
    for (size_t i = 0; i < fleet->model->nhosts; i++) {
        sp_stream_free(fleet->sessions[i].stream);
        fleet->sessions[i].stream = NULL;
    }
    (void)event_base_loop(fleet->base, EVLOOP_NONBLOCK); /* libevent closes them in its loop */
    for (int ms = 0; ms < SP_STOP_REMOTE_MS; ms += 5) {
        if (all_gone(fleet, ms >= SP_STOP_MS)) {
            return;
        }
        struct timespec pause = {.tv_nsec = 5000000};
        (void)nanosleep(&pause, NULL);
    }
}

void sp_fleet_free(struct sp_fleet *fleet)
{
    if (!fleet) {
        return;
    }
    fleet->ops = (struct sp_fleet_ops){0};
    if (fleet->heartbeat) {
        event_free(fleet->heartbeat);
    }
    stop_all(fleet);
    for (size_t i = 0; i < fleet->model->nhosts; i++) {
        (void)kill_group(&fleet->sessions[i]);
        sp_free(fleet->sessions[i].own);
        sp_free(fleet->sessions[i].ifaces);
        sp_free(fleet->sessions[i].listeners);
        sp_free(fleet->sessions[i].targets);
        sp_free(fleet->sessions[i].sources);
        for (size_t k = 0; k < fleet->sessions[i].ncalls; k++) {
            sp_free(fleet->sessions[i].calls[k]);
        }
        sp_free(fleet->sessions[i].calls);
    }
    sp_image_free(fleet->image);
    sp_free(fleet->sessions);
    sp_free(fleet);
}
