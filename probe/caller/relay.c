/* SPDX-License-Identifier: Apache-2.0 */
#include "probe/caller/relay.h"

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "probe/base/mem.h"

static void finish(struct sp_relay *relay, struct sp_relayed *open, const char *text, size_t len)
{
    uint32_t id = open->id;
    uint8_t topic = open->topic;
    sp_free(open->text);
    *open = (struct sp_relayed){0};
    relay->answer(relay->arg, id, topic, text, len);
}

static void fail(struct sp_relay *relay, struct sp_relayed *open, const char *why)
{
    struct sp_buf text;
    sp_buf_init(&text, SP_MESSAGE_MAX);
    sp_fields_add(&text, "error", why);
    finish(relay, open, sp_buf_text(&text), text.len);
    sp_buf_release(&text);
}

static void fail_all(struct sp_relay *relay, const char *why)
{
    for (size_t i = 0; i < SP_ARRAY_LEN(relay->open); i++) {
        if (relay->open[i].is_open) {
            fail(relay, &relay->open[i], why);
        }
    }
}

static void on_record(struct sp_stream *stream, const struct sp_record *record, void *arg)
{
    struct sp_relay *relay = arg;
    struct sp_message *told = NULL;
    (void)stream;
    if (sp_messages_add(&relay->told, SP_REC_TOLD, record, &told) != SP_OK || !told) {
        return; /* a question whose answer is broken is answered when the process ends, or late */
    }
    for (size_t i = 0; i < SP_ARRAY_LEN(relay->open); i++) {
        struct sp_relayed *open = &relay->open[i];
        if (open->is_open && open->id == told->id && open->topic == told->topic) {
            finish(relay, open, sp_buf_text(&told->text), told->text.len);
            break;
        }
    }
    sp_message_done(told);
}

static void on_end(struct sp_stream *stream, const char *reason, void *arg)
{
    struct sp_relay *relay = arg;
    (void)reason;
    sp_stream_free(stream);
    relay->stream = NULL;
    sp_messages_release(&relay->told);
    fail_all(relay, "the process that holds conversations ended unexpectedly");
}

static void put(void *arg, const struct sp_record *record)
{
    sp_stream_send(arg, record);
}

static void send_waiting(struct sp_relay *relay)
{
    for (size_t i = 0; i < SP_ARRAY_LEN(relay->open); i++) {
        struct sp_relayed *open = &relay->open[i];
        if (open->is_open && open->text) {
            sp_message_split(SP_REC_QUERY, open->id, open->topic, open->text, open->len, put,
                             relay->stream);
            sp_free(open->text);
            open->text = NULL;
        }
    }
}

void sp_relay_ask(struct sp_relay *relay, const struct sp_message *query)
{
    static const char byte = SP_CONTROL_CALLER;
    struct sp_relayed *open = relay->open;
    while (open < relay->open + SP_ARRAY_LEN(relay->open) && open->is_open) {
        open++;
    }
    struct sp_relayed none = {.id = query->id, .topic = query->topic};
    if (open == relay->open + SP_ARRAY_LEN(relay->open)) {
        fail(relay, &none, "too many questions at once");
        return;
    }
    *open = (struct sp_relayed){
        .id = query->id, .topic = query->topic, .is_open = true, .len = query->text.len};
    open->text = sp_memdup(sp_buf_text(&query->text), query->text.len + 1);
    if (!open->text) {
        fail(relay, open, "out of memory");
    } else if (relay->stream) {
        send_waiting(relay);
    } else if (!relay->is_asked) {
        relay->is_asked = true;
        if (send(relay->control, &byte, 1, MSG_NOSIGNAL) != 1) {
            sp_relay_take(relay, -1);
        }
    }
}

void sp_relay_take(struct sp_relay *relay, int fd)
{
    static const struct sp_stream_ops ops = {.on_record = on_record, .on_end = on_end};
    relay->is_asked = false;
    sp_stream_free(relay->stream);
    relay->stream = NULL;
    if (fd < 0) {
        fail_all(relay, "the process that holds conversations could not be started");
    } else if (sp_stream_new(relay->base, fd, fd, &ops, relay, &relay->stream) != SP_OK) {
        fail_all(relay, "out of memory");
    } else {
        send_waiting(relay);
    }
}

void sp_relay_release(struct sp_relay *relay)
{
    sp_stream_free(relay->stream);
    relay->stream = NULL;
    sp_messages_release(&relay->told);
    for (size_t i = 0; i < SP_ARRAY_LEN(relay->open); i++) {
        sp_free(relay->open[i].text);
        relay->open[i] = (struct sp_relayed){0};
    }
}
