/* SPDX-License-Identifier: Apache-2.0 */
#include "probe/caller/talk.h"

#include <errno.h>
#include <event2/event.h>
#include <openssl/err.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "probe/base/clock.h"
#include "probe/wire/message.h"

static void on_socket(evutil_socket_t fd, short what, void *arg);
static void go_on(struct sp_talk *talk);

static void close_socket(struct sp_talk *talk)
{
    if (talk->event) {
        event_free(talk->event);
        talk->event = NULL;
    }
    SSL_free(talk->ssl);
    talk->ssl = NULL;
    if (talk->fd >= 0) {
        (void)close(talk->fd);
        talk->fd = -1;
    }
}

static void finish(struct sp_talk *talk, enum sp_talk_stop stop)
{
    talk->stop = (uint8_t)stop;
    ERR_clear_error();
    close_socket(talk);
    talk->done(talk, talk->arg);
}

static void wait_for(struct sp_talk *talk, short what)
{
    if (talk->event) {
        event_free(talk->event);
    }
    talk->event = event_new(talk->how->base, talk->fd, what, on_socket, talk);
    struct timeval left = sp_sock_left(talk->until_us);
    if (!talk->event || event_add(talk->event, &left) != 0) {
        finish(talk, SP_TALK_LOCAL);
    }
}

static void next_step(struct sp_talk *talk)
{
    talk->until_us = sp_mono_us() + talk->how->step_ms * 1000ULL;
}

static bool is_local_error(int error)
{
    return error == ENETUNREACH || error == EHOSTUNREACH || error == EADDRNOTAVAIL ||
           error == ENETDOWN;
}

/* Its neighbour did not answer: the kernel says so with an ICMP error of its own. */
static bool is_no_neighbour(const struct sp_talk *talk)
{
    const struct sp_sock_icmp *icmp = &talk->icmp;
    return talk->addr.family == SP_FAMILY_IPV4 ? icmp->type == 3 && icmp->code == 1
                                               : icmp->type == 1 && icmp->code == 3;
}

static void fail_connect(struct sp_talk *talk, int error)
{
    talk->error = error;
    if (sp_sock_icmp(talk->fd, &talk->icmp)) {
        bool is_own = sp_sock_is_own(talk->fd, &talk->icmp.from);
        bool is_alone = is_own && is_no_neighbour(talk);
        (void)snprintf(talk->reason, sizeof(talk->reason), "%s",
                       is_alone ? "its neighbour does not answer"
                       : is_own ? "from this host itself"
                                : "");
        finish(talk, is_alone ? SP_TALK_SILENT : SP_TALK_ICMP);
    } else if (error == EHOSTUNREACH) {
        (void)snprintf(talk->reason, sizeof(talk->reason), "its neighbour does not answer");
        finish(talk, SP_TALK_SILENT);
    } else {
        finish(talk, error == ECONNREFUSED || error == ECONNRESET ? SP_TALK_RST
                     : error == ETIMEDOUT                         ? SP_TALK_SILENT
                     : is_local_error(error)                      ? SP_TALK_NO_ROUTE
                                                                  : SP_TALK_LOCAL);
    }
}

/* ---- TLS ---- */

static void fail_tls(struct sp_talk *talk, int result)
{
    int why = SSL_get_error(talk->ssl, result);
    int saved = errno;
    unsigned long code = ERR_peek_last_error();
    int reason = ERR_GET_REASON(code);
    if (why == SSL_ERROR_ZERO_RETURN || reason == SSL_R_UNEXPECTED_EOF_WHILE_READING ||
        (why == SSL_ERROR_SYSCALL && saved != ECONNRESET && saved != EPIPE)) {
        finish(talk, SP_TALK_CLOSED);
    } else if (why == SSL_ERROR_SYSCALL) {
        finish(talk, SP_TALK_RST);
    } else {
        sp_tls_reason(talk->reason, sizeof(talk->reason));
        bool is_alert = ERR_GET_LIB(code) == ERR_LIB_SSL && reason >= SSL_AD_REASON_OFFSET;
        finish(talk, is_alert ? SP_TALK_ALERT : SP_TALK_BROKEN);
    }
}

/* 1: done; 0: it waits; -1: it has ended. */
static int turn_tls(struct sp_talk *talk, int result)
{
    if (result > 0) {
        return 1;
    }
    int why = SSL_get_error(talk->ssl, result);
    if (why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE) {
        wait_for(talk, why == SSL_ERROR_WANT_READ ? EV_READ : EV_WRITE);
        return 0;
    }
    return -1;
}

static void shake_hands(struct sp_talk *talk)
{
    const struct sp_talk_how *how = talk->how;
    static const unsigned char http_alpn[] = "\x08http/1.1";
    if (!talk->ssl) {
        bool is_http = talk->mode == SP_TALK_HTTPS;
        talk->ssl = sp_tls_session(how->tls, talk->fd, how->sni, is_http ? http_alpn : how->alpn,
                                   is_http ? sizeof(http_alpn) - 1 : how->alpn_len);
        if (!talk->ssl) {
            finish(talk, SP_TALK_LOCAL);
            return;
        }
    }
    ERR_clear_error();
    errno = 0;
    int result = SSL_connect(talk->ssl);
    int turn = turn_tls(talk, result);
    if (turn < 0) {
        fail_tls(talk, result);
    } else if (turn > 0) {
        talk->reached = SP_TALK_SECURED;
        sp_tls_tell(how->tls, talk->ssl, how->name, &talk->told);
        next_step(talk);
        go_on(talk);
    }
}

/* ---- the request ---- */

static void make_request(struct sp_talk *talk)
{
    static const char preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0";
    const struct sp_talk_how *how = talk->how;
    if (talk->mode == SP_TALK_H2) {
        talk->out_len = sizeof(preface) - 1;
        memcpy(talk->out, preface, talk->out_len);
        return;
    }
    bool is_default = how->port == (talk->mode == SP_TALK_HTTP ? 80 : 443);
    char port[8] = "";
    if (!is_default) {
        (void)snprintf(port, sizeof(port), ":%u", (unsigned)how->port);
    }
    bool is_v6 = strchr(how->host, ':') != NULL;
    int n = snprintf(talk->out, sizeof(talk->out),
                     "GET %s HTTP/1.1\r\nHost: %s%s%s%s\r\nUser-Agent: segproof\r\nAccept: */*\r\n"
                     "Connection: close\r\n\r\n",
                     how->path, is_v6 ? "[" : "", how->host, is_v6 ? "]" : "", port);
    talk->out_len = n > 0 && (size_t)n < sizeof(talk->out) ? (size_t)n : 0;
}

/* The peer says no more. */
static void end_of_answer(struct sp_talk *talk, enum sp_talk_stop how)
{
    if (talk->in.len > 0) {
        talk->reached = SP_TALK_ANSWERED;
        finish(talk, SP_TALK_DONE);
    } else {
        finish(talk, how);
    }
}

static void receive_some(struct sp_talk *talk)
{
    char chunk[4096];
    ssize_t n;
    ERR_clear_error();
    errno = 0;
    if (talk->ssl) {
        int got = SSL_read(talk->ssl, chunk, sizeof(chunk));
        int turn = turn_tls(talk, got);
        if (turn == 0) {
            return;
        }
        n = turn > 0 ? got : errno == ECONNRESET ? -1 : 0;
    } else {
        n = recv(talk->fd, chunk, sizeof(chunk), 0);
        if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
            wait_for(talk, EV_READ);
            return;
        }
    }
    if (n <= 0) {
        end_of_answer(talk, n < 0 ? SP_TALK_RST : SP_TALK_CLOSED);
        return;
    }
    sp_buf_add(&talk->in, chunk, (size_t)n);
    if (talk->in.rc != SP_OK) {
        finish(talk, talk->in.rc == SP_E_NOMEM ? SP_TALK_LOCAL : SP_TALK_BROKEN);
        return;
    }
    if (sp_talk_read_head(sp_buf_text(&talk->in), talk->in.len, &talk->kind, &talk->status,
                          talk->location, sizeof(talk->location))) {
        end_of_answer(talk, SP_TALK_DONE);
    } else {
        wait_for(talk, EV_READ);
    }
}

static void send_some(struct sp_talk *talk)
{
    const char *from = talk->out + talk->out_at;
    size_t left = talk->out_len - talk->out_at;
    ssize_t n;
    errno = 0;
    if (talk->ssl) {
        int put = SSL_write(talk->ssl, from, (int)left);
        int turn = turn_tls(talk, put);
        if (turn == 0) {
            return;
        }
        if (turn < 0) {
            fail_tls(talk, put);
            return;
        }
        n = put;
    } else {
        n = send(talk->fd, from, left, MSG_NOSIGNAL);
        if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
            wait_for(talk, EV_WRITE);
            return;
        }
    }
    if (n <= 0) {
        finish(talk, SP_TALK_RST);
        return;
    }
    talk->out_at += (size_t)n;
    if (talk->out_at < talk->out_len) {
        wait_for(talk, EV_WRITE);
    } else {
        next_step(talk);
        receive_some(talk);
    }
}

/* ---- step by step ---- */

static void go_on(struct sp_talk *talk)
{
    bool needs_tls = talk->mode == SP_TALK_TLS || talk->mode == SP_TALK_HTTPS;
    if (talk->mode == SP_TALK_TCP ||
        (talk->mode == SP_TALK_TLS && talk->reached == SP_TALK_SECURED)) {
        finish(talk, SP_TALK_DONE);
    } else if (needs_tls && talk->reached < SP_TALK_SECURED) {
        shake_hands(talk);
    } else if (talk->out_at < talk->out_len) {
        send_some(talk);
    } else {
        receive_some(talk);
    }
}

static void on_connected(struct sp_talk *talk)
{
    int error = 0;
    socklen_t len = sizeof(error);
    if (getsockopt(talk->fd, SOL_SOCKET, SO_ERROR, &error, &len) != 0 || error != 0) {
        fail_connect(talk, error);
        return;
    }
    talk->reached = SP_TALK_CONNECTED;
    talk->is_own = sp_sock_is_own(talk->fd, &talk->addr);
    talk->connect_ms = (uint32_t)((sp_mono_us() - talk->since_us) / 1000);
    next_step(talk);
    go_on(talk);
}

static void on_socket(evutil_socket_t fd, short what, void *arg)
{
    struct sp_talk *talk = arg;
    (void)fd;
    if (what & EV_TIMEOUT) {
        bool has_bytes = talk->in.len > 0 || (talk->ssl && talk->reached < SP_TALK_SECURED &&
                                              BIO_number_read(SSL_get_rbio(talk->ssl)) > 0);
        finish(talk, has_bytes ? SP_TALK_SLOW : SP_TALK_SILENT);
    } else if (talk->reached == SP_TALK_NOTHING) {
        on_connected(talk);
    } else {
        go_on(talk);
    }
}

void sp_talk_start(struct sp_talk *talk)
{
    int error = 0;
    talk->fd = -1;
    sp_buf_init(&talk->told, SP_MESSAGE_MAX);
    sp_buf_init(&talk->in, SP_TALK_HEAD_MAX);
    if (sp_addr_is_special(&talk->addr)) {
        finish(talk, SP_TALK_SPECIAL);
        return;
    }
    make_request(talk);
    talk->since_us = sp_mono_us();
    next_step(talk);
    talk->fd = sp_sock_connect(SOCK_STREAM, &talk->addr, talk->how->port, &error);
    if (talk->fd < 0) {
        talk->error = error;
        finish(talk, is_local_error(error) ? SP_TALK_NO_ROUTE : SP_TALK_LOCAL);
        return;
    }
    wait_for(talk, EV_WRITE);
}

void sp_talk_release(struct sp_talk *talk)
{
    if (talk->how) {
        close_socket(talk);
        sp_buf_release(&talk->told);
        sp_buf_release(&talk->in);
        talk->how = NULL;
    }
}

/* ---- names ---- */

const char *sp_talk_mode_str(unsigned mode)
{
    static const char *const names[SP_TALK_MODE_COUNT] = {"tcp",   "tls",   "http",
                                                          "https", "clear", "h2"};
    return mode < SP_TALK_MODE_COUNT ? names[mode] : NULL;
}

const char *sp_talk_reached_str(unsigned reached)
{
    static const char *const names[SP_TALK_REACHED_COUNT] = {"nothing", "tcp", "tls", "answer"};
    return reached < SP_TALK_REACHED_COUNT ? names[reached] : NULL;
}

const char *sp_talk_stop_str(unsigned stop)
{
    static const char *const names[SP_TALK_STOP_COUNT] = {"done",  "rst",      "icmp",   "silent",
                                                          "slow",  "no_route", "local",  "closed",
                                                          "alert", "broken",   "special"};
    return stop < SP_TALK_STOP_COUNT ? names[stop] : NULL;
}

const char *sp_talk_kind_str(unsigned kind)
{
    static const char *const names[SP_TALK_KIND_COUNT] = {"none",    "http", "h2",
                                                          "h2_away", "tls",  "other"};
    return kind < SP_TALK_KIND_COUNT ? names[kind] : NULL;
}
