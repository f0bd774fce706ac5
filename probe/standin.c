/* SPDX-License-Identifier: Apache-2.0 */
#include "probe/standin.h"

#include <errno.h>
#include <event2/event.h>
#include <sys/socket.h>

#include "probe/ask.h"
#include "probe/base/clock.h"
#include "probe/base/mem.h"
#include "probe/base/proto.h"
#include "probe/tcpsock.h"

struct connection {
    struct sp_standins *owner;
    struct event *event; /* NULL: a free place */
    int fd;
    bool is_answered;
    uint32_t stay_ms; /* silence that was agreed; 0 = none, and no second answer */
    uint64_t until_us;
    size_t len;
    uint8_t bytes[SP_FORM_HEAD];
};

struct sp_standins {
    struct event_base *base;
    int ask_fd;
    const struct sp_standin_ops *ops;
    void *arg;
    struct listener {
        struct event *event; /* NULL: it is away */
        int fd;              /* -1: it is closed */
        struct sp_addr addr;
        uint16_t port;
    } listeners[SP_ENGINE_MAX_STANDINS];
    size_t nlisteners;
    struct connection connections[SP_STANDIN_CONNECTIONS];
};

enum sp_rc sp_standins_new(struct event_base *base, int ask_fd, const struct sp_standin_ops *ops,
                           void *arg, struct sp_standins **ret_standins)
{
    struct sp_standins *s = sp_calloc(1, sizeof(*s));
    if (!s) {
        return SP_E_NOMEM;
    }
    s->base = base;
    s->ask_fd = ask_fd;
    s->ops = ops;
    s->arg = arg;
    *ret_standins = s;
    return SP_OK;
}

/* With a RST, unless the peer has closed already: either way nothing keeps the port afterwards. */
static void end(struct connection *c, bool peer_closed)
{
    event_free(c->event);
    c->event = NULL;
    sp_tcp_close(c->fd, !peer_closed);
}

static bool wait_on(struct connection *c)
{
    uint64_t now = sp_mono_us();
    uint64_t left = c->until_us > now ? c->until_us - now : 0;
    struct timeval tv = {.tv_sec = (time_t)(left / 1000000),
                         .tv_usec = (suseconds_t)(left % 1000000)};
    return left > 0 && event_add(c->event, &tv) == 0;
}

/* After the answer the peer closes; what else it says is thrown away. */
static bool go_on(struct connection *c)
{
    uint8_t reply[SP_FORM_MAX];
    size_t len = 0;
    if (c->is_answered) {
        c->len = 0;
        return wait_on(c);
    }
    enum sp_stand_act act =
        c->owner->ops->heard(c->owner->arg, c->bytes, c->len, reply, &len, &c->stay_ms);
    if (act == SP_STAND_REPLY) {
        if (send(c->fd, reply, len, MSG_NOSIGNAL | MSG_DONTWAIT) != (ssize_t)len) {
            return false;
        }
        c->is_answered = c->stay_ms == 0;
        c->until_us = sp_mono_us() + (uint64_t)c->stay_ms * 1000 + SP_STANDIN_US;
        c->len = 0;
        if (c->stay_ms > 0) {
            return wait_on(c);
        }
    }
    return act != SP_STAND_CLOSE && c->len < sizeof(c->bytes) && wait_on(c);
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
    struct connection *c = arg;
    if ((what & EV_READ) == 0) {
        end(c, false);
        return;
    }
    ssize_t n = recv(fd, c->bytes + c->len, sizeof(c->bytes) - c->len, MSG_DONTWAIT);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
        if (!wait_on(c)) {
            end(c, false);
        }
        return;
    }
    if (n <= 0) {
        end(c, n == 0);
        return;
    }
    c->len += (size_t)n;
    if (!go_on(c)) {
        end(c, false);
    }
}

static struct connection *find(struct sp_standins *s, bool is_used)
{
    for (size_t i = 0; i < SP_STANDIN_CONNECTIONS; i++) {
        if ((s->connections[i].event != NULL) == is_used) {
            return &s->connections[i];
        }
    }
    return NULL;
}

static void on_connection(evutil_socket_t fd, short what, void *arg)
{
    struct sp_standins *s = arg;
    (void)what;
    int got = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (got < 0) {
        struct connection *other = errno == EMFILE || errno == ENFILE ? find(s, true) : NULL;
        if (other) {
            end(other, false); /* makes room, so that this does not come back for ever */
        }
        return;
    }
    struct connection *c = find(s, false);
    struct event *event = c ? event_new(s->base, got, EV_READ, on_readable, c) : NULL;
    if (!event) {
        sp_tcp_close(got, true);
        return;
    }
    c->owner = s;
    c->event = event;
    c->fd = got;
    c->is_answered = false;
    c->stay_ms = 0;
    c->len = 0;
    c->until_us = sp_mono_us() + SP_STANDIN_US;
    if (!wait_on(c)) {
        end(c, false);
    }
}

static struct listener *find_listener(struct sp_standins *s, const struct sp_addr *addr,
                                      uint16_t port)
{
    for (size_t i = 0; i < s->nlisteners; i++) {
        if (s->listeners[i].port == port && sp_addr_eq(&s->listeners[i].addr, addr)) {
            return &s->listeners[i];
        }
    }
    return NULL;
}

int sp_standins_open(struct sp_standins *s, const struct sp_addr *addr, uint16_t port,
                     uint32_t iface)
{
    int fd = -1;
    struct listener *known = find_listener(s, addr, port);
    if (known && known->fd >= 0) {
        sp_tcp_close(known->fd, false);
        known->fd = -1;
    }
    if (!known && s->nlisteners >= SP_ENGINE_MAX_STANDINS) {
        return ENOBUFS;
    }
    int err = sp_tcp_listen(addr, port, iface, SP_TCP_STANDIN, &fd);
    if (err == EACCES && s->ask_fd >= 0) {
        const struct sp_ask ask = {
            .proto = SP_PROTO_TCP, .port = port, .iface = iface, .addr = *addr};
        err = sp_ask_parent(s->ask_fd, &ask, &fd);
    }
    if (err) {
        return err;
    }
    struct event *event = event_new(s->base, fd, EV_READ | EV_PERSIST, on_connection, s);
    if (!event || event_add(event, NULL) != 0) {
        if (event) {
            event_free(event);
        }
        sp_tcp_close(fd, false);
        return ENOMEM;
    }
    struct listener *listener = known ? known : &s->listeners[s->nlisteners++];
    *listener = (struct listener){.event = event, .fd = fd, .addr = *addr, .port = port};
    return 0;
}

void sp_standins_away(struct sp_standins *s, const struct sp_addr *addr, uint16_t port,
                      bool is_silent)
{
    struct listener *listener = find_listener(s, addr, port);
    if (!listener || !listener->event) {
        return;
    }
    event_free(listener->event);
    listener->event = NULL;
    if (!is_silent || !sp_tcp_mute(listener->fd, addr->family)) {
        sp_tcp_close(listener->fd, false);
        listener->fd = -1;
    }
    for (size_t i = 0; i < SP_STANDIN_CONNECTIONS; i++) {
        if (s->connections[i].event) {
            end(&s->connections[i], false);
        }
    }
}

void sp_standins_close(struct sp_standins *s)
{
    for (size_t i = 0; i < s->nlisteners; i++) {
        if (s->listeners[i].event) {
            event_free(s->listeners[i].event);
        }
        if (s->listeners[i].fd >= 0) {
            sp_tcp_close(s->listeners[i].fd, false);
        }
    }
    s->nlisteners = 0;
    for (size_t i = 0; i < SP_STANDIN_CONNECTIONS; i++) {
        if (s->connections[i].event) {
            end(&s->connections[i], false);
        }
    }
}

void sp_standins_free(struct sp_standins *s)
{
    if (s) {
        sp_standins_close(s);
        sp_free(s);
    }
}
