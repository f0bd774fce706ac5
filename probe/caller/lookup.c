/* SPDX-License-Identifier: Apache-2.0 */
#include "probe/caller/lookup.h"

#include <errno.h>
#include <event2/event.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#include "probe/base/clock.h"
#include "probe/base/mem.h"
#include "probe/caller/sock.h"

#define MESSAGE_MAX   65535U
/* Packets that are not the answer, until that is taken for what the server has to say. */
#define STRAYS_MAX    16U
#define RCODE_FAILED  2U
#define RCODE_REFUSED 5U

static void next_try(struct sp_lookup *lookup);

static void close_socket(struct sp_lookup *lookup)
{
    if (lookup->event) {
        event_free(lookup->event);
        lookup->event = NULL;
    }
    if (lookup->fd >= 0) {
        (void)close(lookup->fd);
        lookup->fd = -1;
    }
}

static void finish(struct sp_lookup *lookup, enum sp_lookup_state state)
{
    close_socket(lookup);
    lookup->state = state;
    lookup->done(lookup, lookup->arg);
}

/* This try came to nothing; the last one says why. */
static void give_up(struct sp_lookup *lookup, enum sp_lookup_state why, int error)
{
    lookup->error = error;
    if (lookup->tries >= SP_LOOKUP_TRIES || (lookup->is_over_tcp && !lookup->is_tcp) ||
        (lookup->is_tcp && lookup->tries >= lookup->nservers) ||
        (why != SP_LOOKUP_SILENT && lookup->tries >= lookup->nservers)) {
        finish(lookup, why);
    } else {
        close_socket(lookup);
        next_try(lookup);
    }
}

static void on_socket(evutil_socket_t fd, short what, void *arg);

static bool wait_for(struct sp_lookup *lookup, short what)
{
    if (lookup->event) {
        event_free(lookup->event);
    }
    lookup->event = event_new(lookup->base, lookup->fd, what, on_socket, lookup);
    struct timeval left = sp_sock_left(lookup->until_us);
    return lookup->event && event_add(lookup->event, &left) == 0;
}

/* Opens the socket and sends, or begins to. */
static void open_try(struct sp_lookup *lookup, bool over_tcp, uint32_t ms)
{
    int error = 0;
    size_t len = sp_dns_question(lookup->name, lookup->type, lookup->id, lookup->out + 2);
    lookup->out[0] = (uint8_t)(len >> 8);
    lookup->out[1] = (uint8_t)len;
    lookup->out_at = over_tcp ? 0 : 2;
    lookup->out_len = len + 2;
    lookup->in_len = 0;
    lookup->strays = 0;
    lookup->is_over_tcp = over_tcp;
    lookup->until_us = sp_mono_us() + ms * 1000ULL;
    close_socket(lookup);
    lookup->fd = sp_sock_connect(over_tcp ? SOCK_STREAM : SOCK_DGRAM,
                                 &lookup->servers[lookup->server], SP_DNS_PORT, &error);
    if (lookup->fd < 0) {
        give_up(lookup, SP_LOOKUP_LOCAL, error);
        return;
    }
    lookup->is_own_server = sp_addr_is_loopback(&lookup->servers[lookup->server]) ||
                            sp_sock_is_own(lookup->fd, &lookup->servers[lookup->server]);
    if (!wait_for(lookup, EV_WRITE)) {
        finish(lookup, SP_LOOKUP_LOCAL);
    }
}

static void next_try(struct sp_lookup *lookup)
{
    /* With several servers or none that answers, a step is shared. */
    unsigned shares = lookup->nservers > 2 ? (unsigned)lookup->nservers : 2U;
    if (getrandom(&lookup->id, sizeof(lookup->id), 0) != (ssize_t)sizeof(lookup->id)) {
        finish(lookup, SP_LOOKUP_LOCAL);
        return;
    }
    lookup->server = lookup->tries % lookup->nservers;
    lookup->tries++;
    open_try(lookup, lookup->is_tcp,
             lookup->is_tcp ? lookup->step_ms / (uint32_t)lookup->nservers
                            : lookup->step_ms / shares);
}

static void take(struct sp_lookup *lookup, const uint8_t *bytes, size_t len)
{
    if (!sp_dns_parse(bytes, len, lookup->name, lookup->type, lookup->id, &lookup->answer)) {
        if (lookup->is_over_tcp || ++lookup->strays >= STRAYS_MAX) {
            give_up(lookup, SP_LOOKUP_BROKEN, 0);
        } else if (!wait_for(lookup, EV_READ)) {
            finish(lookup, SP_LOOKUP_LOCAL);
        }
        return;
    }
    if (lookup->answer.is_truncated && !lookup->is_over_tcp) {
        open_try(lookup, true, lookup->step_ms);
        return;
    }
    bool is_useless = lookup->answer.rcode == RCODE_FAILED || lookup->answer.rcode == RCODE_REFUSED;
    if (is_useless && lookup->tries < lookup->nservers) {
        close_socket(lookup);
        next_try(lookup); /* another server may know more */
        return;
    }
    finish(lookup, lookup->answer.is_truncated ? SP_LOOKUP_BROKEN : SP_LOOKUP_ANSWERED);
}

/* True: more is to come. */
static bool send_some(struct sp_lookup *lookup)
{
    ssize_t n = send(lookup->fd, lookup->out + lookup->out_at, lookup->out_len - lookup->out_at,
                     MSG_NOSIGNAL);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
        return true;
    }
    if (n < 0) {
        give_up(lookup, SP_LOOKUP_REFUSED, errno);
        return false;
    }
    lookup->out_at += (size_t)n;
    return true;
}

static void receive_some(struct sp_lookup *lookup)
{
    ssize_t n = recv(lookup->fd, lookup->in + lookup->in_len, MESSAGE_MAX + 2 - lookup->in_len, 0);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
        if (!wait_for(lookup, EV_READ)) {
            finish(lookup, SP_LOOKUP_LOCAL);
        }
        return;
    }
    if (n < 0) {
        give_up(lookup, SP_LOOKUP_REFUSED, errno);
        return;
    }
    if (!lookup->is_over_tcp) {
        take(lookup, lookup->in, (size_t)n);
        return;
    }
    lookup->in_len += (size_t)n;
    size_t need = lookup->in_len >= 2 ? (size_t)(lookup->in[0] << 8 | lookup->in[1]) + 2 : 2;
    if (lookup->in_len >= need && need > 2) {
        take(lookup, lookup->in + 2, need - 2);
    } else if (n == 0 || need == 2) {
        if (n > 0 && lookup->in_len < 2 && wait_for(lookup, EV_READ)) {
            return;
        }
        give_up(lookup, SP_LOOKUP_BROKEN, 0); /* closed early, or an empty message */
    } else if (!wait_for(lookup, EV_READ)) {
        finish(lookup, SP_LOOKUP_LOCAL);
    }
}

static void on_socket(evutil_socket_t fd, short what, void *arg)
{
    struct sp_lookup *lookup = arg;
    (void)fd;
    if (what & EV_TIMEOUT) {
        give_up(lookup,
                lookup->in_len > 0 || lookup->strays > 0 ? SP_LOOKUP_BROKEN : SP_LOOKUP_SILENT, 0);
    } else if (what & EV_WRITE) {
        if (send_some(lookup)) {
            bool is_sent = lookup->out_at == lookup->out_len;
            if (!wait_for(lookup, is_sent ? EV_READ : EV_WRITE)) {
                finish(lookup, SP_LOOKUP_LOCAL);
            }
        }
    } else {
        receive_some(lookup);
    }
}

void sp_lookup_start(struct sp_lookup *lookup)
{
    lookup->fd = -1;
    lookup->in = sp_calloc(MESSAGE_MAX + 2, 1);
    if (!lookup->in || lookup->nservers == 0) {
        finish(lookup, SP_LOOKUP_LOCAL);
    } else {
        next_try(lookup);
    }
}

void sp_lookup_release(struct sp_lookup *lookup)
{
    if (lookup->in) { /* it was started */
        close_socket(lookup);
        sp_free(lookup->in);
        lookup->in = NULL;
    }
}

const char *sp_lookup_state_str(unsigned state)
{
    static const char *const names[SP_LOOKUP_STATE_COUNT] = {"running", "answered", "silent",
                                                             "refused", "broken",   "local"};
    return state < SP_LOOKUP_STATE_COUNT ? names[state] : NULL;
}

size_t sp_lookup_servers(const char *text, size_t len, struct sp_addr out[static SP_LOOKUP_SERVERS])
{
    static const char word[] = "nameserver";
    const char *end = text + len;
    size_t n = 0;
    while (text < end && n < SP_LOOKUP_SERVERS) {
        const char *stop = memchr(text, '\n', (size_t)(end - text));
        stop = stop ? stop : end;
        char addr[64];
        const char *at = text + strlen(word);
        if ((size_t)(stop - text) > strlen(word) && memcmp(text, word, strlen(word)) == 0 &&
            (*at == ' ' || *at == '\t')) {
            while (at < stop && (*at == ' ' || *at == '\t')) {
                at++;
            }
            size_t size = 0;
            while (at < stop && *at != ' ' && *at != '\t' && *at != '\r' &&
                   size < sizeof(addr) - 1) {
                addr[size++] = *at++;
            }
            addr[size] = '\0';
            n += sp_addr_parse(addr, &out[n]) == SP_OK;
        }
        text = stop < end ? stop + 1 : end;
    }
    return n;
}
