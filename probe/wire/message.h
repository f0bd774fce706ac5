/* SPDX-License-Identifier: Apache-2.0
 *
 * Questions and answers that are longer than a record: a message is a text that travels in the
 * parts of QUERY records (controller to probe) or TOLD records (probe to controller). Its parts
 * come in order; parts of different messages may come between them.
 *
 * The text is lines of "key=value": keys are [a-z0-9_.], a value is any bytes, of which those below
 * 0x20, 0x7f and '%' are written as %XX. A key may come again; order means what the topic says.
 *
 * Messages come from the other side of a privilege or trust line, so everything is bounded: a
 * message by SP_MESSAGE_MAX bytes, and how many may be unfinished by SP_MESSAGES_OPEN. */
#ifndef SP_WIRE_MESSAGE_H
#define SP_WIRE_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "probe/base/buf.h"
#include "probe/wire/record.h"

#define SP_MESSAGE_MAX   65536U
#define SP_MESSAGES_OPEN 64U
#define SP_MESSAGE_KEY   32U /* bytes of a key, with its NUL */

/* What a message is about; both ways. */
enum sp_topic {
    SP_TOPIC_FACTS, /* what the probe's host is: answered by the link */
    SP_TOPIC_CALL,  /* an ordinary conversation with an endpoint: by a process of its own */
    SP_TOPIC_SERVE, /* listeners that answer such conversations: by a process of its own */
    SP_TOPIC_COUNT
};

/* Cuts a text into records of that type (SP_REC_QUERY or SP_REC_TOLD) and hands each to put. An
 * empty text is one record. Text beyond SP_MESSAGE_MAX is an assert. */
void sp_message_split(uint8_t type, uint32_t id, uint8_t topic, const char *text, size_t len,
                      void (*put)(void *arg, const struct sp_record *record), void *arg);

struct sp_message {
    uint32_t id;
    uint8_t topic;
    bool is_used;
    struct sp_buf text;
};

/* Messages that are on their way here. Zeroed = none. */
struct sp_messages {
    struct sp_message at[SP_MESSAGES_OPEN];
};

/* Adds a part: SP_OK and *ret_whole is the message when that was its last part (borrowed until the
 * next call; release it with sp_message_done), else NULL. SP_E_INVALID: a part out of order, or
 * too much; what there was of the message is forgotten. */
enum sp_rc sp_messages_add(struct sp_messages *messages, uint8_t type,
                           const struct sp_record *record,
                           struct sp_message **ret_whole) SP_MUST_CHECK;
void sp_message_done(struct sp_message *message);
void sp_messages_release(struct sp_messages *messages);

/* Writing: one line. */
void sp_fields_add(struct sp_buf *text, const char *key, const char *value);
void sp_fields_add_bytes(struct sp_buf *text, const char *key, const void *value, size_t len);
void sp_fields_add_u64(struct sp_buf *text, const char *key, uint64_t value);

/* Reading: line by line. */
struct sp_fields {
    const char *at, *end;
    bool is_bad; /* a line was none */
    char key[SP_MESSAGE_KEY];
    struct sp_buf value; /* without the escapes; may hold any byte */
};
void sp_fields_init(struct sp_fields *fields, const char *text, size_t len);
/* The next line; false at the end, and at a line that is none. */
bool sp_fields_next(struct sp_fields *fields);
void sp_fields_release(struct sp_fields *fields);

#endif
