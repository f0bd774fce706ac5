/* SPDX-License-Identifier: Apache-2.0 */
#include "controller/fleet.h"

#include <stdio.h>
#include <string.h>

#include "controller/deployers/deployer.h"
#include "controller/fleet_priv.h"
#include "probe/base/mem.h"

/* ---- what a probe says of itself ---- */

void sp_fleet_tell_state(struct sp_session *session)
{
    if (session->fleet->ops.on_state) {
        session->fleet->ops.on_state(session, session->fleet->ops_arg);
    }
}

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
        sp_fleet_tell_state(session);
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

#define SP_MAX_IFACES 4096U

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
        sp_fleet_tell_state(session);
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
        sp_fleet_tell_state(session);
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
    (void)stream;
    sp_fleet_begin_end(arg, reason);
}

static bool on_marker(struct sp_stream *stream, const char *text, void *arg)
{
    struct sp_session *session = arg;
    (void)stream;
    switch (session->deployer->on_marker(text, &session->privilege)) {
    case SP_MARKER_RUN:
        session->is_through = true;
        return true;
    case SP_MARKER_UP:
        sp_fleet_is_up(session);
        return false;
    case SP_MARKER_UNKNOWN:
        break;
    }
    return false;
}

const struct sp_stream_ops sp_fleet_stream_ops = {
    .on_record = on_record, .on_end = on_end, .on_marker = on_marker};

void sp_fleet_send(struct sp_session *session, const struct sp_record *record)
{
    if (session->stream) {
        sp_stream_send(session->stream, record);
    }
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
