/* SPDX-License-Identifier: Apache-2.0 */
#include "controller/fleet.h"

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
#include "probe/base/clock.h"
#include "probe/base/mem.h"

/* ---- finding the probe ---- */

static bool find_probe(struct sp_fleet *fleet)
{
    static const char *const beside[] = {"segproof-probe", "../libexec/segproof/segproof-probe"};
    char self[4000];
    if (fleet->options.probe_path) {
        (void)snprintf(fleet->probe_path, sizeof(fleet->probe_path), "%s",
                       fleet->options.probe_path);
        return access(fleet->probe_path, X_OK) == 0;
    }
    ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
    if (n <= 0) {
        return false;
    }
    self[n] = '\0';
    char *slash = strrchr(self, '/');
    if (slash) {
        slash[1] = '\0';
    }
    for (size_t i = 0; i < SP_ARRAY_LEN(beside); i++) {
        (void)snprintf(fleet->probe_path, sizeof(fleet->probe_path), "%s%s", self, beside[i]);
        if (access(fleet->probe_path, X_OK) == 0) {
            return true;
        }
    }
    return false;
}

enum sp_rc sp_fleet_new(const struct sp_model *model, struct event_base *base,
                        const struct sp_fleet_options *options, struct sp_fleet **ret_fleet,
                        struct sp_diag *diag)
{
    struct sp_fleet *fleet = sp_calloc(1, sizeof(*fleet));
    if (!fleet) {
        return sp_fail(diag, SP_E_NOMEM, "fleet", "out of memory");
    }
    fleet->model = model;
    fleet->base = base;
    fleet->options = *options;
    fleet->sessions = sp_calloc(model->nhosts, sizeof(*fleet->sessions));
    if (!fleet->sessions) {
        sp_free(fleet);
        return sp_fail(diag, SP_E_NOMEM, "fleet", "out of memory");
    }
    for (uint32_t i = 0; i < model->nhosts; i++) {
        fleet->sessions[i].host = i;
        fleet->sessions[i].fleet = fleet;
        fleet->sessions[i].err_fd = -1;
    }
    if (!find_probe(fleet)) {
        enum sp_rc rc = sp_fail(
            diag, SP_E_NOTFOUND, "fleet",
            "cannot find segproof-probe beside segproof%s%s: build it, or give --probe PATH",
            options->probe_path ? ": " : "", options->probe_path ? options->probe_path : "");
        sp_fleet_free(fleet);
        return rc;
    }
    *ret_fleet = fleet;
    return SP_OK;
}

/* ---- losing ---- */

/* What the probe wrote to standard error before it ended: often the reason. One line, printable. */
static void read_last_words(struct sp_session *session, char *out, size_t size)
{
    char raw[512];
    ssize_t n = session->err_fd >= 0 ? read(session->err_fd, raw, sizeof(raw) - 1) : 0;
    size_t len = 0;
    for (ssize_t i = 0; i < n && raw[i] != '\n' && len + 1 < size; i++) {
        out[len++] = raw[i] >= 0x20 && raw[i] < 0x7f ? raw[i] : '?';
    }
    out[len] = '\0';
}

static void kill_group(struct sp_session *session)
{
    if (session->pid > 0) {
        (void)kill(-session->pid, SIGKILL);
        while (waitpid(session->pid, NULL, 0) < 0 && errno == EINTR) {
        }
        session->pid = 0;
    }
    if (session->err_fd >= 0) {
        (void)close(session->err_fd);
        session->err_fd = -1;
    }
}

static void tell_state(struct sp_session *session)
{
    if (session->fleet->ops.on_state) {
        session->fleet->ops.on_state(session, session->fleet->ops_arg);
    }
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
    kill_group(session);
    tell_state(session);
}

/* ---- what a probe says of itself ---- */

#define SP_MAX_IFACES 4096U

static void on_hello(struct sp_session *session, const struct sp_rec_hello *hello)
{
    if (hello->protocol != SP_WIRE_VERSION) {
        sp_fleet_lose(
            session,
            "its probe %s speaks protocol %u, this segproof %u: deploy the probe of this version",
            hello->version, (unsigned)hello->protocol, SP_WIRE_VERSION);
        return;
    }
    if (session->state == SP_PROBE_READY) {
        /* A sensor that was killed says nothing before its successor's hello. */
        session->state = SP_PROBE_RESTARTING;
        (void)snprintf(session->reason, sizeof(session->reason), "its sensor was started again");
        tell_state(session);
    }
    session->generation = hello->generation;
    (void)snprintf(session->version, sizeof(session->version), "%s", hello->version);
    session->nown = 0;
    session->nifaces = 0;
    session->nlisteners = 0;
}

static void on_own(struct sp_session *session, const struct sp_rec_own *own)
{
    if (sp_grow((void **)&session->own, session->nown, &session->cap_own, sizeof(*own)) == 0) {
        session->own[session->nown++] = *own;
    }
}

static void on_iface(struct sp_session *session, const struct sp_rec_iface *iface)
{
    if (session->nifaces < SP_MAX_IFACES && sp_grow((void **)&session->ifaces, session->nifaces,
                                                    &session->cap_ifaces, sizeof(*iface)) == 0) {
        session->ifaces[session->nifaces++] = *iface;
    }
}

static void on_listener(struct sp_session *session, const struct sp_rec_listener *l)
{
    if (sp_grow((void **)&session->listeners, session->nlisteners, &session->cap_listeners,
                sizeof(*session->listeners)) == 0) {
        session->listeners[session->nlisteners++] =
            (struct sp_listening){.proto = l->proto, .port = l->port, .addr = l->addr};
    }
}

static void on_error(struct sp_session *session, const struct sp_rec_error *error)
{
    switch (error->code) {
    case SP_ERR_IFACE:
        session->state = SP_PROBE_RESTARTING;
        (void)snprintf(session->reason, sizeof(session->reason), "%s", error->text);
        tell_state(session);
        break;
    case SP_ERR_NO_RAW:
        sp_fleet_lose(session,
                      "no CAP_NET_RAW there (%s): run as root or give the probe the capability",
                      error->text);
        break;
    default:
        sp_fleet_lose(session, "%s", error->text);
        break;
    }
}

static void on_record(struct sp_stream *stream, const struct sp_record *record, void *arg)
{
    struct sp_session *session = arg;
    (void)stream;
    switch (record->type) {
    case SP_REC_HELLO:
        on_hello(session, &record->u.hello);
        break;
    case SP_REC_OWN:
        on_own(session, &record->u.own);
        break;
    case SP_REC_LISTENER:
        on_listener(session, &record->u.listener);
        break;
    case SP_REC_IFACE:
        on_iface(session, &record->u.iface);
        break;
    case SP_REC_READY:
        session->state = SP_PROBE_READY;
        tell_state(session);
        break;
    case SP_REC_ERROR:
        on_error(session, &record->u.error);
        break;
    default:
        if (session->fleet->ops.on_record) {
            session->fleet->ops.on_record(session, record, session->fleet->ops_arg);
        }
        break;
    }
}

static void on_end(struct sp_stream *stream, const char *reason, void *arg)
{
    struct sp_session *session = arg;
    char words[120];
    (void)stream;
    read_last_words(session, words, sizeof(words));
    if (words[0]) {
        sp_fleet_lose(session, "its probe ended: %s", words);
    } else if (reason) {
        sp_fleet_lose(session, "its probe's stream broke: %s", reason);
    } else {
        sp_fleet_lose(session, "its probe ended (killed, or its host went away)");
    }
}

/* ---- starting ---- */

/* The probe's command line: what it may do is fixed here, by the topology, and no order can widen
 * it. */
static char **make_argv(struct sp_fleet *fleet, const struct sp_host *host, uint32_t rate,
                        const struct sp_addr *targets, size_t ntargets, char *storage,
                        size_t storage_size)
{
    char **argv = sp_calloc(ntargets + 12, sizeof(*argv));
    size_t n = 0;
    char *p = storage;
    char *end = storage + storage_size;
    if (!argv) {
        return NULL;
    }
#define SP_ARG(...)                                                                                \
    do {                                                                                           \
        int len = snprintf(p, (size_t)(end - p), __VA_ARGS__);                                     \
        argv[n++] = p;                                                                             \
        p += len + 1;                                                                              \
    } while (0)
    argv[n++] = fleet->probe_path;
    SP_ARG("--stdio");
    SP_ARG("--max-pps=%u", rate);
    SP_ARG("--hazard=%c", fleet->options.hazard);
    if (fleet->options.link_injection) {
        SP_ARG("--link-injection");
    }
    if (fleet->options.capture_buffer) {
        SP_ARG("--capture-buffer=%llu", (unsigned long long)fleet->options.capture_buffer);
    }
    if (host->interface) {
        SP_ARG("--interface=%.64s", host->interface);
    }
    for (size_t i = 0; i < ntargets; i++) {
        char text[SP_ADDR_STRLEN];
        SP_ARG("--allow-target=%s", sp_addr_str(&targets[i], text));
    }
#undef SP_ARG
    return argv;
}

void sp_fleet_start(struct sp_fleet *fleet, uint32_t host_index, const struct sp_addr *targets,
                    size_t ntargets)
{
    static const struct sp_stream_ops ops = {.on_record = on_record, .on_end = on_end};
    struct sp_session *session = &fleet->sessions[host_index];
    const struct sp_host *host = &fleet->model->hosts[host_index];
    const struct sp_deployer *deployer = host->via ? sp_deployer_find(host->via) : NULL;
    struct sp_diag diag = {0};
    if (!deployer) {
        sp_fleet_lose(session, "this version has no deployer '%s'", host->via ? host->via : "none");
        return;
    }
    size_t size = 512 + ntargets * (SP_ADDR_STRLEN + 16);
    char *storage = sp_calloc(size, 1);
    char **argv = storage ? make_argv(fleet, host, sp_model_host_rate(fleet->model, host_index),
                                      targets, ntargets, storage, size)
                          : NULL;
    struct sp_deployed deployed;
    enum sp_rc rc = argv ? deployer->start(host, argv, &deployed, &diag) : SP_E_NOMEM;
    sp_free(argv);
    sp_free(storage);
    if (rc != SP_OK) {
        sp_fleet_lose(session, "%.150s", rc == SP_E_NOMEM ? "out of memory" : diag.text);
        return;
    }
    session->pid = deployed.pid;
    session->err_fd = deployed.err_fd;
    session->state = SP_PROBE_STARTING;
    if (sp_stream_new(fleet->base, deployed.io_fd, deployed.io_fd, &ops, session,
                      &session->stream) != SP_OK) {
        sp_fleet_lose(session, "out of memory");
    }
}

static bool any_pending(const struct sp_fleet *fleet)
{
    for (size_t i = 0; i < fleet->model->nhosts; i++) {
        enum sp_probe_state state = fleet->sessions[i].state;
        if (state == SP_PROBE_STARTING || state == SP_PROBE_RESTARTING) {
            return true;
        }
    }
    return false;
}

void sp_fleet_wait(struct sp_fleet *fleet, uint64_t timeout_ms)
{
    uint64_t until = sp_mono_us() + timeout_ms * 1000;
    while (any_pending(fleet) && sp_mono_us() < until && !event_base_got_break(fleet->base)) {
        struct timeval tv = {.tv_usec = 20000};
        (void)event_base_loopexit(fleet->base, &tv);
        (void)event_base_loop(fleet->base, EVLOOP_ONCE);
    }
    for (size_t i = 0; i < fleet->model->nhosts; i++) {
        struct sp_session *session = &fleet->sessions[i];
        if (session->state == SP_PROBE_STARTING || session->state == SP_PROBE_RESTARTING) {
            sp_fleet_lose(session, "its probe did not get ready within %llu ms",
                          (unsigned long long)timeout_ms);
        }
    }
}

void sp_fleet_send(struct sp_session *session, const struct sp_record *record)
{
    if (session->stream) {
        sp_stream_send(session->stream, record);
    }
}

/* ---- stopping ---- */

static bool all_gone(struct sp_fleet *fleet)
{
    bool gone = true;
    for (size_t i = 0; i < fleet->model->nhosts; i++) {
        struct sp_session *session = &fleet->sessions[i];
        if (session->pid > 0 && waitpid(session->pid, NULL, WNOHANG) == session->pid) {
            session->pid = 0;
        }
        gone = gone && session->pid <= 0;
    }
    return gone;
}

void sp_fleet_free(struct sp_fleet *fleet)
{
    const struct sp_record stop = {.type = SP_REC_STOP};
    if (!fleet) {
        return;
    }
    fleet->ops = (struct sp_fleet_ops){0};
    for (size_t i = 0; i < fleet->model->nhosts; i++) {
        struct sp_session *session = &fleet->sessions[i];
        sp_fleet_send(session, &stop);
    }
    /* Asked, then given half a second; the closed stream tells a probe that missed the order. */
    for (int i = 0; i < 3; i++) {
        (void)event_base_loop(fleet->base, EVLOOP_NONBLOCK);
    }
    for (size_t i = 0; i < fleet->model->nhosts; i++) {
        sp_stream_free(fleet->sessions[i].stream);
        fleet->sessions[i].stream = NULL;
    }
    for (int i = 0; i < 100 && !all_gone(fleet); i++) {
        struct timespec pause = {.tv_nsec = 5000000};
        (void)nanosleep(&pause, NULL);
    }
    for (size_t i = 0; i < fleet->model->nhosts; i++) {
        kill_group(&fleet->sessions[i]);
        sp_free(fleet->sessions[i].own);
        sp_free(fleet->sessions[i].ifaces);
        sp_free(fleet->sessions[i].listeners);
    }
    sp_free(fleet->sessions);
    sp_free(fleet);
}

/* ---- asking ---- */

bool sp_session_listens(const struct sp_session *session, uint8_t proto, uint16_t port,
                        const struct sp_addr *addr)
{
    static const uint8_t any[16] = {0};
    for (size_t i = 0; i < session->nlisteners; i++) {
        const struct sp_listening *l = &session->listeners[i];
        /* A listener on [::] takes IPv4, too, unless it says otherwise, which /proc does not show.
         */
        bool every = memcmp(l->addr.bytes, any, 16) == 0 &&
                     (l->addr.family == addr->family || l->addr.family == SP_FAMILY_IPV6);
        if (l->proto == proto && l->port == port && (every || sp_addr_eq(&l->addr, addr))) {
            return true;
        }
    }
    return false;
}

bool sp_session_is_on_link(const struct sp_session *session, const struct sp_addr *addr)
{
    for (size_t i = 0; i < session->nown; i++) {
        const struct sp_prefix prefix = {.addr = session->own[i].addr,
                                         .len = session->own[i].prefix_len};
        if (sp_prefix_has(&prefix, addr)) {
            return true;
        }
    }
    return false;
}
