/* SPDX-License-Identifier: Apache-2.0 */
#include "probe/link/stream.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/util.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "probe/base/mem.h"

struct sp_stream {
    struct bufferevent *in;
    struct bufferevent *out; /* the same object when one descriptor serves both ways */
    struct sp_stream_ops ops;
    void *arg;
    bool is_dispatching, is_dead, is_freed;
    /* While a marker is expected; "" when records come. */
    char marker[SP_STREAM_MARKER_MAX + 1];
    size_t skipped;
    char noise[81]; /* the last line that was skipped */
    bool noise_ended;
};

static void end(struct sp_stream *stream, const char *reason)
{
    if (!stream->is_dead) {
        stream->is_dead = true;
        (void)bufferevent_disable(stream->in, EV_READ);
        stream->ops.on_end(stream, reason, stream->arg);
    }
}

static void destroy(struct sp_stream *stream)
{
    if (stream->out && stream->out != stream->in) {
        bufferevent_free(stream->out);
    }
    if (stream->in) {
        bufferevent_free(stream->in);
    }
    sp_free(stream);
}

/* ---- before the records ---- */

static void keep_noise(struct sp_stream *stream, const uint8_t *bytes, size_t len)
{
    size_t n = strlen(stream->noise);
    for (size_t i = 0; i < len; i++) {
        if (bytes[i] == '\n' || bytes[i] == '\r') {
            stream->noise_ended = true;
            continue;
        }
        if (stream->noise_ended) {
            stream->noise_ended = false;
            n = 0;
        }
        if (n + 1 < sizeof(stream->noise)) {
            stream->noise[n++] = bytes[i] >= 0x20 && bytes[i] < 0x7f ? (char)bytes[i] : '?';
        }
    }
    stream->noise[n] = '\0';
}

static void skip(struct sp_stream *stream, struct evbuffer *input, size_t len)
{
    uint8_t bytes[512];
    while (len > 0 && !stream->is_dead) {
        int n = evbuffer_remove(input, bytes, len < sizeof(bytes) ? len : sizeof(bytes));
        if (n <= 0) {
            return;
        }
        keep_noise(stream, bytes, (size_t)n);
        len -= (size_t)n;
        stream->skipped += (size_t)n;
        if (stream->skipped > SP_STREAM_NOISE_MAX) {
            end(stream, "more than 64 KiB came before the probe did");
        }
    }
}

/* One marker; false when none is complete. */
static bool next_marker(struct sp_stream *stream, struct evbuffer *input)
{
    size_t len = strlen(stream->marker);
    size_t have = evbuffer_get_length(input);
    struct evbuffer_ptr at = evbuffer_search(input, stream->marker, len, NULL);
    if (at.pos < 0) {
        skip(stream, input, have > len - 1 ? have - (len - 1) : 0);
        return false;
    }
    skip(stream, input, (size_t)at.pos);
    uint8_t text[2 * SP_STREAM_MARKER_MAX + 1];
    ev_ssize_t n = stream->is_dead ? -1 : evbuffer_copyout(input, text, sizeof(text) - 1);
    if (n < (ev_ssize_t)len) {
        return false;
    }
    const uint8_t *newline = memchr(text, '\n', (size_t)n);
    if (!newline) {
        bool is_noise = (size_t)n == sizeof(text) - 1;
        skip(stream, input, is_noise ? len : 0);
        return is_noise;
    }
    size_t line = (size_t)(newline - text);
    (void)evbuffer_drain(input, line + 1);
    text[line] = '\0';
    if (stream->ops.on_marker(stream, (const char *)text + len, stream->arg)) {
        stream->marker[0] = '\0';
        bufferevent_setwatermark(stream->in, EV_READ, SP_RECORD_BYTES, 256UL * SP_RECORD_BYTES * 4);
    }
    return true;
}

void sp_stream_expect(struct sp_stream *stream, const char *marker)
{
    (void)snprintf(stream->marker, sizeof(stream->marker), "%s", marker);
    bufferevent_setwatermark(stream->in, EV_READ, 0, 256UL * SP_RECORD_BYTES * 4);
}

const char *sp_stream_noise(const struct sp_stream *stream)
{
    return stream->noise;
}

enum sp_rc sp_stream_send_bytes(struct sp_stream *stream, const void *lead, size_t lead_len,
                                const void *body, size_t body_len)
{
    struct evbuffer *output = bufferevent_get_output(stream->out);
    if (evbuffer_add(output, lead, lead_len) != 0 ||
        (body_len > 0 && evbuffer_add_reference(output, body, body_len, NULL, NULL) != 0)) {
        return SP_E_NOMEM;
    }
    return SP_OK;
}

/* ---- records ---- */

static void on_read(struct bufferevent *bev, void *arg)
{
    struct sp_stream *stream = arg;
    struct evbuffer *input = bufferevent_get_input(bev);
    uint8_t bytes[SP_RECORD_BYTES];
    stream->is_dispatching = true;
    while (!stream->is_dead && !stream->is_freed && stream->marker[0] &&
           next_marker(stream, input)) {
    }
    while (!stream->marker[0] && !stream->is_dead && !stream->is_freed &&
           evbuffer_get_length(input) >= sizeof(bytes)) {
        struct sp_record record;
        struct sp_diag diag;
        if (evbuffer_remove(input, bytes, sizeof(bytes)) != (int)sizeof(bytes)) {
            break;
        }
        if (sp_record_decode(bytes, &record, &diag) != SP_OK) {
            char reason[sizeof(diag.where) + sizeof(diag.text) + 4];
            (void)snprintf(reason, sizeof(reason), "%s: %s", diag.where, diag.text);
            end(stream, reason);
            break;
        }
        stream->ops.on_record(stream, &record, stream->arg);
    }
    stream->is_dispatching = false;
    if (stream->is_freed) {
        destroy(stream);
    }
}

static void on_write(struct bufferevent *bev, void *arg)
{
    struct sp_stream *stream = arg;
    (void)bev;
    if (stream->ops.on_drained) {
        stream->ops.on_drained(stream, stream->arg);
    }
}

/* The rest of what came before a probe that never did; false when the stream was freed. */
static bool skip_rest(struct sp_stream *stream)
{
    struct evbuffer *input = bufferevent_get_input(stream->in);
    stream->is_dispatching = true; /* it may be told of the end, and free the stream */
    skip(stream, input, evbuffer_get_length(input));
    stream->is_dispatching = false;
    if (stream->is_freed) {
        destroy(stream);
        return false;
    }
    return true;
}

static void on_event(struct bufferevent *bev, short what, void *arg)
{
    struct sp_stream *stream = arg;
    int err = EVUTIL_SOCKET_ERROR();
    (void)bev;
    if ((what & BEV_EVENT_WRITING) != 0 && stream->marker[0]) {
        return; /* it takes no more: what it says about that can still be read, up to its end */
    }
    if (stream->marker[0] && !skip_rest(stream)) {
        return;
    }
    if (what & BEV_EVENT_ERROR) {
        end(stream, evutil_socket_error_to_string(err));
    } else if (what & BEV_EVENT_EOF) {
        end(stream, evbuffer_get_length(bufferevent_get_input(stream->in))
                        ? "the stream ended inside a record"
                        : NULL);
    }
}

static struct bufferevent *wrap(struct event_base *base, int fd)
{
    if (evutil_make_socket_nonblocking(fd) != 0) {
        return NULL;
    }
    return bufferevent_socket_new(base, fd, BEV_OPT_CLOSE_ON_FREE);
}

enum sp_rc sp_stream_new(struct event_base *base, int in_fd, int out_fd,
                         const struct sp_stream_ops *ops, void *arg, struct sp_stream **ret_stream)
{
    struct sp_stream *stream = sp_calloc(1, sizeof(*stream));
    if (stream) {
        stream->ops = *ops;
        stream->arg = arg;
        stream->in = wrap(base, in_fd);
        stream->out = !stream->in || out_fd == in_fd ? stream->in : wrap(base, out_fd);
    }
    if (!stream || !stream->in || !stream->out) {
        if (!stream || !stream->in) {
            (void)close(in_fd);
        }
        if (out_fd != in_fd) {
            (void)close(out_fd);
        }
        if (stream) {
            destroy(stream);
        }
        return SP_E_NOMEM;
    }
    bufferevent_setcb(stream->in, on_read, stream->in == stream->out ? on_write : NULL, on_event,
                      stream);
    if (stream->out != stream->in) {
        bufferevent_setcb(stream->out, NULL, on_write, on_event, stream);
        (void)bufferevent_enable(stream->out, EV_WRITE);
        (void)bufferevent_disable(stream->out, EV_READ);
    }
    bufferevent_setwatermark(stream->in, EV_READ, SP_RECORD_BYTES, 256UL * SP_RECORD_BYTES * 4);
    bufferevent_setwatermark(stream->out, EV_WRITE, SP_STREAM_HIGH_WATER / 2, 0);
    (void)bufferevent_enable(stream->in, EV_READ);
    *ret_stream = stream;
    return SP_OK;
}

void sp_stream_free(struct sp_stream *stream)
{
    if (!stream) {
        return;
    }
    stream->is_dead = true;
    if (stream->is_dispatching) {
        stream->is_freed = true; /* on_read is on the stack: it destroys */
    } else {
        destroy(stream);
    }
}

void sp_stream_send(struct sp_stream *stream, const struct sp_record *record)
{
    uint8_t bytes[SP_RECORD_BYTES];
    sp_record_encode(record, bytes);
    (void)bufferevent_write(stream->out, bytes, sizeof(bytes));
}

size_t sp_stream_waiting(const struct sp_stream *stream)
{
    return evbuffer_get_length(bufferevent_get_output(stream->out));
}

void sp_stream_pause(struct sp_stream *stream, bool paused)
{
    if (paused) {
        (void)bufferevent_disable(stream->in, EV_READ);
    } else if (!stream->is_dead) {
        (void)bufferevent_enable(stream->in, EV_READ);
        /* Inside its own on_record, the loop of on_read goes on by itself. */
        if (!stream->is_dispatching &&
            evbuffer_get_length(bufferevent_get_input(stream->in)) >= SP_RECORD_BYTES) {
            bufferevent_trigger(stream->in, EV_READ, 0);
        }
    }
}
