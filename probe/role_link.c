/* SPDX-License-Identifier: Apache-2.0 */
#include <event2/event.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "probe/caller/relay.h"
#include "probe/drop.h"
#include "probe/facts/facts.h"
#include "probe/link/stream.h"
#include "probe/roles.h"
#include "probe/wire/message.h"

struct link {
    struct event_base *base;
    struct sp_stream *controller; /* NULL after its end */
    struct sp_stream *sensor;     /* NULL while the parent starts a new one */
    struct event *control;
    bool is_over;          /* the parent is gone, or has given the sensor up */
    struct event *silence; /* NULL without a limit */
    struct timeval silence_limit;
    struct sp_messages queries; /* that are on their way here */
    struct sp_relay relay;      /* those that are answered by a process of their own */
};

static void complain(struct link *l, const char *text)
{
    struct sp_record record = {.type = SP_REC_ERROR};
    record.u.error.code = SP_ERR_INTERNAL;
    (void)snprintf(record.u.error.text, sizeof(record.u.error.text), "%s", text);
    if (l->controller) {
        sp_stream_send(l->controller, &record);
    }
}

/* Only orders go down, only observations come up: a confused or hostile peer cannot turn the line
 * around. */
static bool is_order(uint8_t type)
{
    return (type >= SP_REC_BATCH && type <= SP_REC_STOP) || type == SP_REC_STANDIN ||
           type == SP_REC_PATH || type == SP_REC_WANT ||
           (type >= SP_REC_SWEEP && type <= SP_REC_VOLLEY) || type == SP_REC_OUTER;
}

static void put(void *arg, const struct sp_record *record)
{
    struct link *l = arg;
    if (l->controller) {
        sp_stream_send(l->controller, record);
    }
}

static void answer(void *arg, uint32_t id, uint8_t topic, const char *text, size_t len)
{
    sp_message_split(SP_REC_TOLD, id, topic, text, len, put, arg);
}

/* Questions about this host are answered here, where there is no privilege to lose; those that
 * need words from strangers, elsewhere. */
static void on_query(struct link *l, const struct sp_record *record)
{
    struct sp_message *query = NULL;
    if (sp_messages_add(&l->queries, SP_REC_QUERY, record, &query) != SP_OK) {
        complain(l, "a question could not be understood");
        return;
    }
    if (!query) {
        return;
    }
    if (query->topic != SP_TOPIC_FACTS) {
        sp_relay_ask(&l->relay, query);
        sp_message_done(query);
        return;
    }
    struct sp_buf text;
    sp_buf_init(&text, SP_MESSAGE_MAX);
    sp_facts_tell("", sp_buf_text(&query->text), query->text.len, &text);
    if (text.rc != SP_OK) {
        const char *why = text.rc == SP_E_NOMEM ? "out of memory" : "the answer is too long";
        sp_buf_clear(&text);
        sp_fields_add(&text, "error", why);
    }
    answer(l, query->id, query->topic, sp_buf_text(&text), text.len);
    sp_buf_release(&text);
    sp_message_done(query);
}

static void on_from_controller(struct sp_stream *stream, const struct sp_record *record, void *arg)
{
    struct link *l = arg;
    (void)stream;
    if (l->silence) {
        (void)event_add(l->silence, &l->silence_limit);
    }
    if (record->type == SP_REC_STOP) {
        (void)event_base_loopbreak(l->base);
    } else if (record->type == SP_REC_ALIVE) {
        return; /* it is for us alone */
    } else if (record->type == SP_REC_QUERY) {
        on_query(l, record);
    } else if (!is_order(record->type)) {
        complain(l, "a record that is not an order came from the controller");
    } else if (l->sensor) {
        sp_stream_send(l->sensor, record);
        if (sp_stream_waiting(l->sensor) > SP_STREAM_HIGH_WATER) {
            sp_stream_pause(stream, true);
        }
    }
}

static void on_from_sensor(struct sp_stream *stream, const struct sp_record *record, void *arg)
{
    struct link *l = arg;
    if (is_order(record->type)) {
        complain(l, "the sensor sent an order");
    } else if (l->controller) {
        sp_stream_send(l->controller, record);
        if (sp_stream_waiting(l->controller) > SP_STREAM_HIGH_WATER) {
            sp_stream_pause(stream, true);
        }
    }
}

static void on_controller_end(struct sp_stream *stream, const char *reason, void *arg)
{
    struct link *l = arg;
    (void)reason;
    sp_stream_free(stream);
    l->controller = NULL;
    (void)event_base_loopbreak(l->base); /* the controller is gone: so are we */
}

static void give_up(evutil_socket_t fd, short what, void *arg)
{
    struct link *l = arg;
    (void)fd;
    (void)what;
    complain(l, "the probe's sensor could not be kept running");
    (void)event_base_loopbreak(l->base);
}

static void on_sensor_end(struct sp_stream *stream, const char *reason, void *arg)
{
    struct link *l = arg;
    (void)reason;
    sp_stream_free(stream);
    l->sensor = NULL;
    if (l->is_over) {
        give_up(-1, 0, l);
    }
    if (l->controller) {
        sp_stream_pause(l->controller, false);
    }
}

static void on_controller_drained(struct sp_stream *stream, void *arg)
{
    struct link *l = arg;
    (void)stream;
    if (l->sensor) {
        sp_stream_pause(l->sensor, false);
    }
}

static void on_sensor_drained(struct sp_stream *stream, void *arg)
{
    struct link *l = arg;
    (void)stream;
    if (l->controller) {
        sp_stream_pause(l->controller, false);
    }
}

static const struct sp_stream_ops sensor_ops = {
    .on_record = on_from_sensor, .on_end = on_sensor_end, .on_drained = on_sensor_drained};
static const struct sp_stream_ops controller_ops = {.on_record = on_from_controller,
                                                    .on_end = on_controller_end,
                                                    .on_drained = on_controller_drained};

static void take_sensor(struct link *l, int fd)
{
    sp_stream_free(l->sensor);
    l->sensor = NULL;
    if (sp_stream_new(l->base, fd, fd, &sensor_ops, l, &l->sensor) != SP_OK) {
        (void)event_base_loopbreak(l->base);
    }
}

/* The parent hands over the stream to a new sensor or to the caller (SCM_RIGHTS), has no caller to
 * give, or is gone. */
static void on_control(evutil_socket_t fd, short what, void *arg)
{
    struct link *l = arg;
    char byte;
    char space[CMSG_SPACE(sizeof(int))] __attribute__((aligned(8)));
    struct iovec iov = {&byte, 1};
    struct msghdr msg = {
        .msg_iov = &iov, .msg_iovlen = 1, .msg_control = space, .msg_controllen = sizeof(space)};
    (void)what;
    ssize_t n = recvmsg(fd, &msg, MSG_CMSG_CLOEXEC);
    const struct cmsghdr *c = n == 1 ? CMSG_FIRSTHDR(&msg) : NULL;
    if (n == 1 && !c && byte == SP_CONTROL_REFUSED) {
        sp_relay_take(&l->relay, -1);
        return;
    }
    if (!c || c->cmsg_type != SCM_RIGHTS) {
        /* What the last sensor said, why above all, is still to be passed on; one that lives on
         * without its parent ends with us. */
        const struct timeval patience = {.tv_usec = 200000};
        (void)event_del(l->control);
        l->is_over = true;
        if (!l->sensor || event_base_once(l->base, -1, EV_TIMEOUT, give_up, l, &patience) != 0) {
            give_up(-1, 0, l);
        }
        return;
    }
    int child_fd;
    memcpy(&child_fd, CMSG_DATA(c), sizeof(child_fd));
    if (byte == SP_CONTROL_CALLER) {
        sp_relay_take(&l->relay, child_fd);
    } else {
        take_sensor(l, child_fd);
    }
}

/* A connection that was cut without a word closes nothing on this side: a controller that is silent
 * for that long counts as gone. */
static void on_silence(evutil_socket_t fd, short what, void *arg)
{
    struct link *l = arg;
    (void)fd;
    (void)what;
    sp_stream_free(l->controller);
    l->controller = NULL;
    (void)event_base_loopbreak(l->base);
}

static bool watch_silence(struct link *l, uint64_t limit_ms)
{
    if (limit_ms == 0) {
        return true;
    }
    l->silence_limit = (struct timeval){.tv_sec = (time_t)(limit_ms / 1000),
                                        .tv_usec = (suseconds_t)(limit_ms % 1000 * 1000)};
    l->silence = event_new(l->base, -1, 0, on_silence, l);
    return l->silence && event_add(l->silence, &l->silence_limit) == 0;
}

static void flush(struct link *l)
{
    for (int i = 0; i < 100 && l->controller && sp_stream_waiting(l->controller) > 0; i++) {
        struct timeval tv = {.tv_usec = 5000};
        (void)event_base_loopexit(l->base, &tv);
        (void)event_base_dispatch(l->base);
    }
}

int sp_role_link(const struct sp_probe_options *options)
{
    struct link l = {0};
    struct sp_diag diag;
    if (sp_drop_all(&diag) != SP_OK) {
        (void)fprintf(stderr, "segproof-probe: %s: %s\n", diag.where, diag.text);
        return SP_EXIT_HOPELESS;
    }
    l.base = event_base_new();
    if (!l.base || sp_stream_new(l.base, STDIN_FILENO, STDOUT_FILENO, &controller_ops, &l,
                                 &l.controller) != SP_OK) {
        return SP_EXIT_HOPELESS;
    }
    l.relay = (struct sp_relay){.base = l.base, .control = SP_ROLE_FD, .answer = answer, .arg = &l};
    l.control = event_new(l.base, SP_ROLE_FD, EV_READ | EV_PERSIST, on_control, &l);
    if (l.control && event_add(l.control, NULL) == 0 &&
        watch_silence(&l, options->silence_limit_ms)) {
        (void)event_base_dispatch(l.base);
        flush(&l);
    }
    if (l.control) {
        event_free(l.control);
    }
    if (l.silence) {
        event_free(l.silence);
    }
    sp_messages_release(&l.queries);
    sp_relay_release(&l.relay);
    sp_stream_free(l.sensor);
    sp_stream_free(l.controller);
    event_base_free(l.base);
    return 0;
}
