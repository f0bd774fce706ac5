/* SPDX-License-Identifier: Apache-2.0 */
#include <event2/event.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "controller/deployers/deployer.h"
#include "controller/deployers/ssh_script.h"
#include "controller/fleet_priv.h"
#include "probe/base/clock.h"
#include "probe/base/mem.h"

/* A probe on another machine ends when it hears nothing for twice the time-out, at least this. */
#define SP_SILENCE_MIN_MS 6000U

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

/* ---- starting ---- */

static uint64_t silence_limit_ms(const struct sp_fleet *fleet)
{
    uint64_t limit = 2 * fleet->options.timeout_ms;
    return limit < SP_SILENCE_MIN_MS ? SP_SILENCE_MIN_MS : limit;
}

/* The probe's command line: what it may do is fixed here, by the topology, and no order can widen
 * it. */
static char **make_argv(const struct sp_session *session, uint32_t rate,
                        const struct sp_addr *targets, size_t ntargets, char *storage,
                        size_t storage_size)
{
    struct sp_fleet *fleet = session->fleet;
    const struct sp_host *host = &fleet->model->hosts[session->host];
    char **argv = sp_calloc(ntargets + session->nsources + session->ncalls + 12, sizeof(*argv));
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
    SP_ARG("--hazard=%c", sp_model_host_hazard(fleet->model, session->host));
    if (fleet->options.link_injection) {
        SP_ARG("--link-injection");
    }
    if (fleet->options.capture_buffer) {
        SP_ARG("--capture-buffer=%llu", (unsigned long long)fleet->options.capture_buffer);
    }
    if (session->deployer->is_remote) {
        SP_ARG("--silence-limit=%llums", (unsigned long long)silence_limit_ms(fleet));
    }
    if (host->interface) {
        SP_ARG("--interface=%.64s", host->interface);
    }
    for (size_t i = 0; i < ntargets; i++) {
        char text[SP_ADDR_STRLEN];
        SP_ARG("--allow-target=%s", sp_addr_str(&targets[i], text));
    }
    for (size_t i = 0; i < session->nsources; i++) {
        char text[SP_ADDR_STRLEN];
        SP_ARG("--allow-source=%s", sp_addr_str(&session->sources[i], text));
    }
    for (size_t i = 0; i < session->ncalls; i++) {
        argv[n++] = session->calls[i];
    }
#undef SP_ARG
    return argv;
}

/* ---- the image, the heartbeat ---- */

static enum sp_rc need_image(struct sp_fleet *fleet, struct sp_diag *diag)
{
    return fleet->image ? SP_OK : sp_image_read(fleet->probe_path, &fleet->image, diag);
}

/* A probe on another machine cannot see that its connection was cut without a word; it ends when it
 * hears nothing for its limit. */
static void on_heartbeat(evutil_socket_t fd, short what, void *arg)
{
    struct sp_fleet *fleet = arg;
    (void)fd;
    (void)what;
    const struct sp_record alive = {.type = SP_REC_ALIVE, .u.alive.count = ++fleet->beats};
    for (size_t i = 0; i < fleet->model->nhosts; i++) {
        struct sp_session *session = &fleet->sessions[i];
        /* One that does not read gets no pile of them. */
        if (session->is_through && session->stream &&
            sp_stream_waiting(session->stream) < SP_STREAM_HIGH_WATER) {
            sp_stream_send(session->stream, &alive);
        }
    }
}

static enum sp_rc need_heartbeat(struct sp_fleet *fleet)
{
    if (fleet->heartbeat) {
        return SP_OK;
    }
    uint64_t every_ms = silence_limit_ms(fleet) / 6;
    struct timeval tv = {.tv_sec = (time_t)(every_ms / 1000),
                         .tv_usec = (suseconds_t)(every_ms % 1000 * 1000)};
    fleet->heartbeat = event_new(fleet->base, -1, EV_PERSIST, on_heartbeat, fleet);
    return fleet->heartbeat && event_add(fleet->heartbeat, &tv) == 0 ? SP_OK : SP_E_NOMEM;
}

/* ---- starting one ---- */

/* What was deployed becomes the session's stream. */
static enum sp_rc attach(struct sp_session *session, struct sp_deployed *deployed)
{
    struct sp_fleet *fleet = session->fleet;
    session->pid = deployed->pid;
    session->err_fd = deployed->err_fd;
    session->state = SP_PROBE_STARTING;
    sp_fleet_listen(session);
    enum sp_rc rc = sp_stream_new(fleet->base, deployed->io_fd, deployed->io_fd,
                                  &sp_fleet_stream_ops, session, &session->stream);
    if (rc == SP_OK && deployed->marker[0]) {
        sp_stream_expect(session->stream, deployed->marker);
    }
    if (rc == SP_OK && deployed->lead) {
        rc = sp_stream_send_bytes(session->stream, deployed->lead, deployed->lead_len,
                                  fleet->image->bytes, fleet->image->len);
    }
    return rc;
}

static void start_now(struct sp_session *session, const struct sp_addr *targets, size_t ntargets)
{
    struct sp_fleet *fleet = session->fleet;
    const struct sp_host *host = &fleet->model->hosts[session->host];
    const struct sp_deployer *deployer = session->deployer;
    struct sp_deployed deployed = {0};
    struct sp_diag diag = {0};
    size_t size = 512 + (ntargets + session->nsources) * (SP_ADDR_STRLEN + 16);
    char *storage = sp_calloc(size, 1);
    char **argv = storage ? make_argv(session, sp_model_host_rate(fleet->model, session->host),
                                      targets, ntargets, storage, size)
                          : NULL;
    enum sp_rc rc = argv ? SP_OK : SP_E_NOMEM;
    if (rc == SP_OK && deployer->is_remote) {
        rc = need_image(fleet, &diag);
        rc = rc == SP_OK ? need_heartbeat(fleet) : rc;
    }
    const struct sp_deploy_help help = {.image = fleet->image,
                                        .ssh_config = fleet->options.ssh_config,
                                        .timeout_ms = fleet->options.timeout_ms};
    if (rc == SP_OK) {
        rc = deployer->start(host, argv, &help, &deployed, &diag);
    }
    sp_free(argv);
    sp_free(storage);
    session->deadline_us = sp_mono_us() + fleet->options.timeout_ms * 1000;
    if (rc != SP_OK) {
        sp_fleet_lose(session, "%s", rc == SP_E_NOMEM ? "out of memory" : diag.text);
        return;
    }
    if (attach(session, &deployed) != SP_OK) {
        sp_fleet_lose(session, "out of memory");
    }
    sp_free(deployed.lead);
}

static size_t count_starting_remotes(const struct sp_fleet *fleet)
{
    size_t n = 0;
    for (size_t i = 0; i < fleet->model->nhosts; i++) {
        const struct sp_session *session = &fleet->sessions[i];
        n += session->state == SP_PROBE_STARTING && session->deployer->is_remote &&
             !session->is_queued;
    }
    return n;
}

enum sp_rc sp_fleet_allow_source(struct sp_fleet *fleet, uint32_t host,
                                 const struct sp_addr *source)
{
    struct sp_session *session = &fleet->sessions[host];
    for (size_t i = 0; i < session->nsources; i++) {
        if (sp_addr_eq(&session->sources[i], source)) {
            return SP_OK;
        }
    }
    if (sp_grow((void **)&session->sources, session->nsources, &session->cap_sources,
                sizeof(*session->sources)) != 0) {
        return SP_E_NOMEM;
    }
    session->sources[session->nsources++] = *source;
    return SP_OK;
}

static enum sp_rc allow_call(struct sp_fleet *fleet, uint32_t host, const char *option)
{
    struct sp_session *session = &fleet->sessions[host];
    for (size_t i = 0; i < session->ncalls; i++) {
        if (strcmp(session->calls[i], option) == 0) {
            return SP_OK;
        }
    }
    char *own = sp_strdup(option);
    if (!own || sp_grow((void **)&session->calls, session->ncalls, &session->cap_calls,
                        sizeof(*session->calls)) != 0) {
        sp_free(own);
        return SP_E_NOMEM;
    }
    session->calls[session->ncalls++] = own;
    return SP_OK;
}

enum sp_rc sp_fleet_allow_endpoint(struct sp_fleet *fleet, uint32_t host, const char *name,
                                   uint16_t port)
{
    char option[320];
    bool is_v6 = strchr(name, ':') != NULL;
    int n = snprintf(option, sizeof(option), "--allow-endpoint=%s%s%s:%u", is_v6 ? "[" : "", name,
                     is_v6 ? "]" : "", (unsigned)port);
    return n > 0 && (size_t)n < sizeof(option) ? allow_call(fleet, host, option) : SP_E_LIMIT;
}

enum sp_rc sp_fleet_allow_nameserver(struct sp_fleet *fleet, uint32_t host,
                                     const struct sp_addr *server)
{
    char option[96];
    char text[SP_ADDR_STRLEN];
    (void)snprintf(option, sizeof(option), "--allow-nameserver=%s", sp_addr_str(server, text));
    return allow_call(fleet, host, option);
}

void sp_fleet_start(struct sp_fleet *fleet, uint32_t host_index, const struct sp_addr *targets,
                    size_t ntargets)
{
    struct sp_session *session = &fleet->sessions[host_index];
    const struct sp_host *host = &fleet->model->hosts[host_index];
    session->deployer = host->via ? sp_deployer_find(host->via) : NULL;
    if (!session->deployer) {
        sp_fleet_lose(session, "this version has no deployer '%s'", host->via ? host->via : "none");
    } else if (session->deployer->is_remote && count_starting_remotes(fleet) >= SP_REMOTE_AT_ONCE) {
        session->targets = sp_memdup(targets, ntargets * sizeof(*targets));
        session->ntargets = ntargets;
        session->is_queued = true;
        session->state = SP_PROBE_STARTING;
        if (!session->targets) {
            sp_fleet_lose(session, "out of memory");
        }
    } else {
        start_now(session, targets, ntargets);
    }
}

void sp_fleet_is_up(struct sp_session *session)
{
    const struct sp_fleet *fleet = session->fleet;
    if (!session->is_up) {
        session->is_up = true;
        session->deadline_us =
            sp_mono_us() +
            (sp_ssh_upload_s(fleet->image, fleet->options.timeout_ms) + 1) * 1000000ULL;
    }
}

/* ---- waiting for them ---- */

static void lose_late(struct sp_session *session)
{
    const struct sp_fleet *fleet = session->fleet;
    const struct sp_host *host = &fleet->model->hosts[session->host];
    unsigned long long ms = fleet->options.timeout_ms;
    if (!session->deployer->is_remote || session->is_through) {
        sp_fleet_lose(session, "its probe did not get ready within %llu ms", ms);
    } else if (!session->is_up) {
        sp_fleet_lose(session,
                      "no connection to %s within %llu ms: wrong address, or a firewall drops ssh; "
                      "--timeout gives it longer",
                      host->target, ms);
    } else {
        sp_fleet_lose(session,
                      "the connection to %s is too slow to carry the probe there: --timeout gives "
                      "it longer",
                      host->target);
    }
}

static void start_queued(struct sp_session *session)
{
    struct sp_addr *targets = session->targets;
    session->targets = NULL;
    session->is_queued = false;
    start_now(session, targets, session->ntargets);
    sp_free(targets);
}

/* Looks after sessions that start or start again; until_us is the time of the latter. True while
 * something is still to come. */
static bool tend(struct sp_fleet *fleet, uint64_t until_us)
{
    bool pending = sp_fleet_tend_ends(fleet);
    size_t starting = count_starting_remotes(fleet);
    for (size_t i = 0; i < fleet->model->nhosts; i++) {
        struct sp_session *session = &fleet->sessions[i];
        if (session->state != SP_PROBE_STARTING && session->state != SP_PROBE_RESTARTING) {
            continue;
        }
        if (session->is_queued && starting < SP_REMOTE_AT_ONCE) {
            start_queued(session);
            starting++;
        }
        bool own = session->state == SP_PROBE_STARTING && session->deployer->is_remote;
        if (!session->is_queued && session->state != SP_PROBE_LOST &&
            sp_mono_us() >= (own ? session->deadline_us : until_us)) {
            lose_late(session);
        }
        pending = pending || session->state != SP_PROBE_LOST;
    }
    return pending;
}

static bool is_stopped(const struct sp_fleet *fleet)
{
    return event_base_got_break(fleet->base) ||
           (fleet->options.stop_flag && *fleet->options.stop_flag);
}

void sp_fleet_wait(struct sp_fleet *fleet, uint64_t timeout_ms)
{
    uint64_t until = sp_mono_us() + timeout_ms * 1000;
    while (tend(fleet, until) && !is_stopped(fleet)) {
        struct timeval tv = {.tv_usec = 20000};
        (void)event_base_loopexit(fleet->base, &tv);
        (void)event_base_loop(fleet->base, EVLOOP_ONCE);
    }
    for (size_t i = 0; i < fleet->model->nhosts; i++) {
        struct sp_session *session = &fleet->sessions[i];
        if (session->state == SP_PROBE_STARTING || session->state == SP_PROBE_RESTARTING) {
            sp_fleet_lose(session, "interrupted before its probe was ready");
        }
    }
}
