/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <event2/event.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "probe/base/clock.h"
#include "probe/base/mem.h"
#include "probe/drop.h"
#include "probe/hold.h"
#include "probe/link/stream.h"
#include "probe/listeners.h"
#include "probe/packet/hostsock.h"
#include "probe/packet/inject.h"
#include "probe/roles.h"
#include "probe/standin.h"

#define SP_HOST_EVERY_US 1000

struct sensor {
    struct event_base *base;
    struct sp_stream *stream;
    struct sp_capture *capture;
    struct sp_hostsock hostsocks[SP_HOSTSOCKS];
    struct event *host_events[SP_HOSTSOCKS];
    bool is_polled[SP_HOSTSOCKS]; /* read by host_timer, not by its event */
    struct event *capture_event, *tick_event, *monitor_event, *host_timer;
    struct sp_injector *injector;
    struct sp_engine *engine;
    struct sp_holds holds;
    struct sp_standins *standins;
    struct sp_netinfo net; /* as told in HELLO */
    int netlink, monitor;
    unsigned generation;
    int exit_code;
};

static void tell(void *arg, const struct sp_record *record)
{
    struct sensor *s = arg;
    sp_stream_send(s->stream, record);
}

/* Says why and ends the loop; what waits to be written is flushed by run(). */
static void give_up(struct sensor *s, enum sp_error_code code, const char *text, int exit_code)
{
    struct sp_record record = {.type = SP_REC_ERROR};
    record.u.error.code = (uint16_t)code;
    record.u.error.generation = s->generation;
    (void)snprintf(record.u.error.text, sizeof(record.u.error.text), "%.79s", text);
    sp_stream_send(s->stream, &record);
    s->exit_code = exit_code;
    (void)event_base_loopbreak(s->base);
}

/* ---- what the engine does to the world ---- */

static int send_raw(void *arg, const struct sp_spec *spec, uint32_t iface)
{
    return sp_inject_raw(((struct sensor *)arg)->injector, spec, iface);
}

static int send_link(void *arg, const struct sp_spec *spec, uint32_t iface,
                     const uint8_t src_mac[static 6], const uint8_t dst_mac[static 6])
{
    return sp_inject_link(((struct sensor *)arg)->injector, spec, iface, src_mac, dst_mac);
}

static int burst(void *arg, const struct sp_burst_packet *const *packets, size_t n,
                 size_t *ret_sent)
{
    return sp_inject_burst(((struct sensor *)arg)->injector, packets, n, ret_sent);
}

static uint64_t tx_dropped(void *arg, uint32_t iface)
{
    return sp_iface_tx_dropped(((struct sensor *)arg)->netlink, iface);
}

static bool can_link(void *arg, uint32_t iface)
{
    return sp_injector_has_link(((struct sensor *)arg)->injector, iface);
}

static enum sp_rc read_netinfo(void *arg, struct sp_netinfo *ret_info)
{
    return sp_netinfo_read(((struct sensor *)arg)->netlink, ret_info, NULL);
}

static enum sp_rc get_route(void *arg, const struct sp_addr *src, const struct sp_addr *dst,
                            struct sp_route *ret_route)
{
    return sp_route_get(((struct sensor *)arg)->netlink, src, dst, ret_route, NULL);
}

static enum sp_rc get_neighbour(void *arg, uint32_t iface, const struct sp_addr *addr,
                                uint8_t ret_mac[static 6])
{
    return sp_neighbour_get(((struct sensor *)arg)->netlink, iface, addr, ret_mac, NULL);
}

static enum sp_rc set_listening(void *arg, bool on, uint16_t lo, uint16_t hi)
{
    struct sensor *s = arg;
    enum sp_rc rc = sp_capture_filter(s->capture, on, lo, hi, NULL);
    return rc == SP_OK ? sp_hostsocks_filter(s->hostsocks, on, NULL) : rc;
}

static void want_pieces(void *arg, bool wanted)
{
    sp_capture_want_pieces(((struct sensor *)arg)->capture, wanted);
}

static int hold(void *arg, const struct sp_addr *addr, uint16_t port, uint32_t iface)
{
    return sp_hold_take(&((struct sensor *)arg)->holds, addr, port, iface);
}

static void release_hold(void *arg, const struct sp_addr *addr, uint16_t port)
{
    sp_hold_release(&((struct sensor *)arg)->holds, addr, port);
}

static int stand(void *arg, const struct sp_addr *addr, uint16_t port, uint32_t iface)
{
    return sp_standins_open(((struct sensor *)arg)->standins, addr, port, iface);
}

static void stand_away(void *arg, const struct sp_addr *addr, uint16_t port, bool is_silent)
{
    sp_standins_away(((struct sensor *)arg)->standins, addr, port, is_silent);
}

static void unstand(void *arg)
{
    sp_standins_close(((struct sensor *)arg)->standins);
}

static enum sp_stand_act on_heard(void *arg, const uint8_t *bytes, size_t len,
                                  uint8_t reply[static SP_FORM_MAX], size_t *ret_reply_len,
                                  uint32_t *ret_stay_ms)
{
    return sp_engine_stand_heard(((struct sensor *)arg)->engine, bytes, len, reply, ret_reply_len,
                                 ret_stay_ms);
}

static struct sp_counters counters(void *arg)
{
    struct sensor *s = arg;
    uint64_t nic = sp_capture_drops(s->capture);
    uint64_t host = sp_hostsocks_drops(s->hostsocks);
    bool known = nic != UINT64_MAX && host != UINT64_MAX;
    return (struct sp_counters){.captured = sp_capture_count(s->capture),
                                .capture_drops = known ? nic + host : UINT64_MAX,
                                .softnet_drops = sp_softnet_drops()};
}

/* ---- events ---- */

static void schedule(struct sensor *s)
{
    uint64_t wait = sp_engine_tick(s->engine);
    if (wait == UINT64_MAX) {
        (void)event_del(s->tick_event);
        return;
    }
    struct timeval tv = {.tv_sec = (time_t)(wait / 1000000),
                         .tv_usec = (suseconds_t)(wait % 1000000)};
    (void)event_add(s->tick_event, &tv);
}

static void on_tick(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    schedule(arg);
}

static void on_captured(const struct sp_captured *captured, void *arg)
{
    sp_engine_captured(((struct sensor *)arg)->engine, captured);
}

static bool read_capture(struct sensor *s)
{
    struct sp_diag diag;
    if (sp_capture_dispatch(s->capture, on_captured, s, &diag) != SP_OK) {
        give_up(s, SP_ERR_CAPTURE, diag.text, SP_EXIT_RESTART);
        return false;
    }
    return true;
}

/* All that waits now; bounded, because more may come for ever. */
static void drain_capture(struct sensor *s)
{
    uint64_t before = UINT64_MAX;
    for (int i = 0; i < 256 && before != sp_capture_count(s->capture); i++) {
        before = sp_capture_count(s->capture);
        if (!read_capture(s)) {
            return;
        }
    }
}

static void on_capture(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    (void)read_capture(arg);
    schedule(arg); /* a conversation may have to go on */
}

static void on_host_packet(const struct sp_pkt *pkt, uint32_t iface, void *arg)
{
    sp_engine_host(((struct sensor *)arg)->engine, pkt, iface);
}

static size_t read_host(struct sensor *s, int i)
{
    return s->hostsocks[i].fd >= 0 ? sp_hostsock_read(&s->hostsocks[i], on_host_packet, s) : 0;
}

static void drain_hostsocks(struct sensor *s)
{
    for (int i = 0; i < SP_HOSTSOCKS; i++) {
        for (int n = 0; n < 64 && read_host(s, i) > 0; n++) {
        }
    }
}

static void look_again(struct sensor *s)
{
    const struct timeval tv = {.tv_usec = SP_HOST_EVERY_US};
    (void)event_add(s->host_timer, &tv);
}

/* Where packets come thick, waking up for each costs more than reading it: a socket that had some
 * is read every millisecond instead, until it has none. */
static void on_host(evutil_socket_t fd, short what, void *arg)
{
    struct sensor *s = arg;
    (void)what;
    for (int i = 0; i < SP_HOSTSOCKS; i++) {
        if (s->hostsocks[i].fd == fd && read_host(s, i) > 0) {
            (void)event_del(s->host_events[i]);
            s->is_polled[i] = true;
            look_again(s);
        }
    }
    schedule(s);
}

static void on_host_timer(evutil_socket_t fd, short what, void *arg)
{
    struct sensor *s = arg;
    bool again = false;
    (void)fd;
    (void)what;
    for (int i = 0; i < SP_HOSTSOCKS; i++) {
        if (!s->is_polled[i]) {
            continue;
        }
        s->is_polled[i] = read_host(s, i) > 0 || event_add(s->host_events[i], NULL) != 0;
        again = again || s->is_polled[i];
    }
    if (again) {
        look_again(s);
    }
    schedule(s);
}

/* Only what could spoil a measurement counts: an interface that was there went down, came up,
 * vanished, was replaced, or lost one of its addresses. */
static bool spoils(const struct sp_netinfo *before, const struct sp_netinfo *now)
{
    for (size_t i = 0; i < before->nifaces; i++) {
        const struct sp_iface *was = &before->ifaces[i];
        const struct sp_iface *is = sp_netinfo_iface(now, was->index);
        if (!was->is_loopback &&
            (!is || is->is_up != was->is_up || memcmp(is->mac, was->mac, 6) != 0 ||
             is->has_xdp != was->has_xdp)) {
            return true;
        }
    }
    for (size_t i = 0; i < before->nown; i++) {
        if (!sp_addr_is_special(&before->own[i].addr) &&
            !sp_netinfo_find(now, &before->own[i].addr)) {
            return true;
        }
    }
    return false;
}

static void on_monitor(evutil_socket_t fd, short what, void *arg)
{
    struct sensor *s = arg;
    struct sp_netinfo now;
    (void)what;
    if (!sp_netlink_changed(fd) || sp_netinfo_read(s->netlink, &now, NULL) != SP_OK) {
        return;
    }
    bool bad = spoils(&s->net, &now);
    sp_netinfo_release(&now);
    if (bad) {
        give_up(s, SP_ERR_IFACE, "an interface or an address changed", SP_EXIT_RESTART);
    }
}

static void on_order(struct sp_stream *stream, const struct sp_record *record, void *arg)
{
    struct sensor *s = arg;
    (void)stream;
    if (record->type == SP_REC_STOP) {
        (void)event_base_loopbreak(s->base);
        return;
    }
    if (record->type == SP_REC_COLLECT) {
        drain_capture(s);
        drain_hostsocks(s);
    }
    sp_engine_order(s->engine, record);
    schedule(s);
}

static void on_end(struct sp_stream *stream, const char *reason, void *arg)
{
    struct sensor *s = arg;
    (void)stream;
    (void)reason;
    (void)event_base_loopbreak(s->base);
}

/* ---- start ---- */

static void tell_listener(const struct sp_listener_seen *seen, void *arg)
{
    struct sp_record record = {.type = SP_REC_LISTENER};
    record.u.listener =
        (struct sp_rec_listener){.proto = seen->proto, .port = seen->port, .addr = seen->addr};
    tell(arg, &record);
}

static void say_hello(struct sensor *s)
{
    struct sp_record record = {.type = SP_REC_HELLO};
    record.u.hello = (struct sp_rec_hello){.protocol = SP_WIRE_VERSION,
                                           .generation = s->generation,
                                           .pid = (uint32_t)getpid(),
                                           .is_restart = s->generation > 0};
    (void)snprintf(record.u.hello.version, sizeof(record.u.hello.version), "%s", SP_VERSION);
    (void)gethostname(record.u.hello.hostname, sizeof(record.u.hello.hostname) - 1);
    tell(s, &record);
    for (size_t i = 0; i < s->net.nifaces; i++) {
        const struct sp_iface *iface = &s->net.ifaces[i];
        record = (struct sp_record){.type = SP_REC_IFACE};
        record.u.iface.index = iface->index;
        record.u.iface.mtu = iface->mtu;
        record.u.iface.flags = (iface->is_up ? SP_IFACE_UP : 0) |
                               (iface->is_loopback ? SP_IFACE_LOOPBACK : 0) |
                               (iface->has_xdp ? SP_IFACE_XDP : 0);
        memcpy(record.u.iface.name, iface->name, sizeof(record.u.iface.name));
        tell(s, &record);
    }
    for (size_t i = 0; i < s->net.nown; i++) {
        record = (struct sp_record){.type = SP_REC_OWN};
        record.u.own = (struct sp_rec_own){.iface = s->net.own[i].iface,
                                           .addr = s->net.own[i].addr,
                                           .prefix_len = s->net.own[i].prefix_len};
        tell(s, &record);
    }
    sp_listeners_read(tell_listener, s);
    record = (struct sp_record){.type = SP_REC_READY};
    record.u.ready.generation = s->generation;
    tell(s, &record);
}

static enum sp_rc open_handles(struct sensor *s, const struct sp_probe_options *options,
                               struct sp_diag *diag)
{
    s->netlink = sp_netlink_open(diag);
    s->monitor = s->netlink < 0 ? -1 : sp_netlink_monitor(diag);
    if (s->monitor < 0) {
        return SP_E_SYSTEM;
    }
    enum sp_rc rc = sp_netinfo_read(s->netlink, &s->net, diag);
    if (rc == SP_OK) {
        rc = sp_capture_open(options->capture_buffer, &s->capture, diag);
    }
    if (rc == SP_OK) {
        rc = sp_hostsocks_open(s->hostsocks, diag);
    }
    if (rc == SP_OK) {
        rc = sp_injector_open(&s->net, options->bounds.link_injection, &s->injector, diag);
    }
    return rc;
}

static enum sp_rc add_events(struct sensor *s, struct sp_diag *diag)
{
    s->capture_event =
        event_new(s->base, sp_capture_fd(s->capture), EV_READ | EV_PERSIST, on_capture, s);
    s->monitor_event = event_new(s->base, s->monitor, EV_READ | EV_PERSIST, on_monitor, s);
    s->tick_event = event_new(s->base, -1, 0, on_tick, s);
    s->host_timer = event_new(s->base, -1, 0, on_host_timer, s);
    bool ok = s->capture_event && s->monitor_event && s->tick_event && s->host_timer &&
              event_add(s->capture_event, NULL) == 0 && event_add(s->monitor_event, NULL) == 0;
    for (int i = 0; ok && i < SP_HOSTSOCKS; i++) {
        if (s->hostsocks[i].fd >= 0) {
            s->host_events[i] =
                event_new(s->base, s->hostsocks[i].fd, EV_READ | EV_PERSIST, on_host, s);
            ok = s->host_events[i] && event_add(s->host_events[i], NULL) == 0;
        }
    }
    return ok ? SP_OK : sp_fail(diag, SP_E_NOMEM, "sensor", "cannot set up events");
}

static void release(struct sensor *s)
{
    struct event *events[] = {s->capture_event, s->monitor_event, s->tick_event, s->host_timer};
    for (size_t i = 0; i < SP_ARRAY_LEN(events); i++) {
        if (events[i]) {
            event_free(events[i]);
        }
    }
    for (int i = 0; i < SP_HOSTSOCKS; i++) {
        if (s->host_events[i]) {
            event_free(s->host_events[i]);
        }
    }
    sp_engine_free(s->engine);
    sp_holds_close(&s->holds);
    sp_standins_free(s->standins);
    sp_injector_free(s->injector);
    sp_hostsocks_close(s->hostsocks);
    sp_capture_free(s->capture);
    sp_netinfo_release(&s->net);
    sp_stream_free(s->stream);
    if (s->base) {
        event_base_free(s->base);
    }
}

/* Gives what waits a bounded time to reach the link. */
static void flush(struct sensor *s)
{
    for (int i = 0; i < 200 && sp_stream_waiting(s->stream) > 0; i++) {
        struct timeval tv = {.tv_usec = 5000};
        (void)event_base_loopexit(s->base, &tv);
        (void)event_base_dispatch(s->base);
    }
}

/* Timers to the microsecond: the pace of packets stands on them. */
static struct event_base *new_base(void)
{
    struct event_config *config = event_config_new();
    struct event_base *base = NULL;
    if (config && event_config_set_flag(config, EVENT_BASE_FLAG_PRECISE_TIMER) == 0) {
        base = event_base_new_with_config(config);
    }
    if (config) {
        event_config_free(config);
    }
    return base;
}

int sp_role_sensor(const struct sp_probe_options *options)
{
    static const struct sp_stream_ops stream_ops = {.on_record = on_order, .on_end = on_end};
    static const struct sp_standin_ops standin_ops = {.heard = on_heard};
    struct sensor s = {.netlink = -1, .monitor = -1, .generation = options->generation};
    struct sp_diag diag = {0};
    for (int i = 0; i < SP_HOSTSOCKS; i++) {
        s.hostsocks[i].fd = -1;
    }
    const struct sp_engine_io io = {
        .arg = &s,
        .tell = tell,
        .send_raw = send_raw,
        .send_link = send_link,
        .burst = burst,
        .tx_dropped = tx_dropped,
        .can_link = can_link,
        .netinfo = read_netinfo,
        .route = get_route,
        .neighbour = get_neighbour,
        .listen = set_listening,
        .want_pieces = want_pieces,
        .hold = hold,
        .release = release_hold,
        .counters = counters,
        .stand = stand,
        .stand_away = stand_away,
        .unstand = unstand,
    };
    s.base = new_base();
    if (!s.base ||
        sp_stream_new(s.base, SP_ROLE_FD, SP_ROLE_FD, &stream_ops, &s, &s.stream) != SP_OK) {
        release(&s);
        return SP_EXIT_HOPELESS;
    }
    enum sp_rc rc = open_handles(&s, options, &diag);
    if (rc == SP_OK) {
        rc = sp_drop_all(&diag);
    }
    if (rc == SP_OK) {
        rc = sp_engine_new(&io, &options->bounds, options->generation, &s.engine);
    }
    if (rc == SP_OK) {
        rc = sp_standins_new(s.base, SP_ASK_FD, &standin_ops, &s, &s.standins);
    }
    if (rc == SP_OK) {
        rc = add_events(&s, &diag);
    }
    if (rc == SP_OK) {
        say_hello(&s);
        (void)event_base_dispatch(s.base);
    } else {
        char text[80];
        (void)snprintf(text, sizeof(text), "%.20s: %.56s", diag.where, diag.text);
        give_up(&s, rc == SP_E_DENIED ? SP_ERR_NO_RAW : SP_ERR_CAPTURE, text, SP_EXIT_HOPELESS);
    }
    flush(&s);
    int code = s.exit_code;
    release(&s);
    return code;
}
