/* SPDX-License-Identifier: Apache-2.0 */
#include "probe/wire/message.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#define SP_PART_BYTES sizeof(((struct sp_rec_query *)0)->bytes)

/* QUERY and TOLD have the same fields; this is the one place that relies on it. */
_Static_assert(sizeof(struct sp_rec_query) == sizeof(struct sp_rec_told), "same fields");

void sp_message_split(uint8_t type, uint32_t id, uint8_t topic, const char *text, size_t len,
                      void (*put)(void *arg, const struct sp_record *record), void *arg)
{
    size_t at = 0;
    assert(len <= SP_MESSAGE_MAX && (type == SP_REC_QUERY || type == SP_REC_TOLD));
    do {
        size_t n = len - at < SP_PART_BYTES ? len - at : SP_PART_BYTES;
        struct sp_record record = {.type = type};
        record.u.query = (struct sp_rec_query){.id = id,
                                               .topic = topic,
                                               .offset = (uint32_t)at,
                                               .len = (uint16_t)n,
                                               .is_last = at + n == len};
        memcpy(record.u.query.bytes, text + at, n);
        put(arg, &record);
        at += n;
    } while (at < len);
}

void sp_message_done(struct sp_message *message)
{
    sp_buf_release(&message->text);
    *message = (struct sp_message){0};
}

void sp_messages_release(struct sp_messages *messages)
{
    for (size_t i = 0; i < SP_MESSAGES_OPEN; i++) {
        sp_message_done(&messages->at[i]);
    }
}

/* The message that a part belongs to; a first part opens one. NULL: there is no room. */
static struct sp_message *find(struct sp_messages *messages, const struct sp_rec_query *part)
{
    struct sp_message *room = NULL;
    for (size_t i = 0; i < SP_MESSAGES_OPEN; i++) {
        struct sp_message *message = &messages->at[i];
        if (message->is_used && message->id == part->id && message->topic == part->topic) {
            return message;
        }
        room = !message->is_used && !room ? message : room;
    }
    if (room) {
        *room = (struct sp_message){.id = part->id, .topic = part->topic, .is_used = true};
        sp_buf_init(&room->text, SP_MESSAGE_MAX + 1);
    }
    return room;
}

enum sp_rc sp_messages_add(struct sp_messages *messages, uint8_t type,
                           const struct sp_record *record, struct sp_message **ret_whole)
{
    const struct sp_rec_query *part = &record->u.query;
    *ret_whole = NULL;
    if (record->type != type || part->topic >= SP_TOPIC_COUNT || part->len > SP_PART_BYTES ||
        (part->len < SP_PART_BYTES && !part->is_last)) {
        return SP_E_INVALID;
    }
    struct sp_message *message = find(messages, part);
    if (!message) {
        return SP_E_INVALID;
    }
    if (part->offset != message->text.len || message->text.len + part->len > SP_MESSAGE_MAX) {
        sp_message_done(message);
        return SP_E_INVALID;
    }
    sp_buf_add(&message->text, part->bytes, part->len);
    if (message->text.rc != SP_OK) {
        sp_message_done(message);
        return SP_E_NOMEM;
    }
    *ret_whole = part->is_last ? message : NULL;
    return SP_OK;
}

/* ---- fields ---- */

void sp_fields_add_bytes(struct sp_buf *text, const char *key, const void *value, size_t len)
{
    const unsigned char *bytes = value;
    sp_buf_str(text, key);
    sp_buf_char(text, '=');
    for (size_t i = 0; i < len; i++) {
        if (bytes[i] < 0x20U || bytes[i] == 0x7fU || bytes[i] == '%') {
            sp_buf_fmt(text, "%%%02X", bytes[i]);
        } else {
            sp_buf_char(text, (char)bytes[i]);
        }
    }
    sp_buf_char(text, '\n');
}

void sp_fields_add(struct sp_buf *text, const char *key, const char *value)
{
    sp_fields_add_bytes(text, key, value, strlen(value));
}

void sp_fields_add_u64(struct sp_buf *text, const char *key, uint64_t value)
{
    sp_buf_fmt(text, "%s=%llu\n", key, (unsigned long long)value);
}

void sp_fields_init(struct sp_fields *fields, const char *text, size_t len)
{
    *fields = (struct sp_fields){.at = text, .end = text + len};
    sp_buf_init(&fields->value, SP_MESSAGE_MAX + 1);
}

void sp_fields_release(struct sp_fields *fields)
{
    sp_buf_release(&fields->value);
    fields->at = fields->end;
}

static bool read_key(struct sp_fields *fields, const char *equals)
{
    size_t len = (size_t)(equals - fields->at);
    if (len == 0 || len >= SP_MESSAGE_KEY) {
        return false;
    }
    for (size_t i = 0; i < len; i++) {
        char c = fields->at[i];
        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '.')) {
            return false;
        }
        fields->key[i] = c;
    }
    fields->key[len] = '\0';
    return true;
}

static int hex(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* Without the escapes; false: one of them is none, or a byte that must be escaped is not. */
static bool read_value(struct sp_fields *fields, const char *at, const char *end)
{
    sp_buf_clear(&fields->value);
    while (at < end) {
        unsigned char c = (unsigned char)*at++;
        if (c == '%') {
            int high = end - at >= 2 ? hex(at[0]) : -1;
            int low = end - at >= 2 ? hex(at[1]) : -1;
            if (high < 0 || low < 0) {
                return false;
            }
            c = (unsigned char)(high * 16 + low);
            at += 2;
        } else if (c < 0x20U || c == 0x7fU) {
            return false;
        }
        sp_buf_char(&fields->value, (char)c);
    }
    return fields->value.rc == SP_OK;
}

bool sp_fields_next(struct sp_fields *fields)
{
    if (fields->at == fields->end || fields->is_bad) {
        return false;
    }
    size_t left = (size_t)(fields->end - fields->at);
    const char *stop = memchr(fields->at, '\n', left);
    const char *equals = stop ? memchr(fields->at, '=', (size_t)(stop - fields->at)) : NULL;
    if (!equals || !read_key(fields, equals) || !read_value(fields, equals + 1, stop)) {
        fields->is_bad = true;
        return false;
    }
    fields->at = stop + 1;
    return true;
}
