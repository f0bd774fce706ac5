/* SPDX-License-Identifier: Apache-2.0
 *
 * The link's side of the caller: questions that the link must not answer itself go to a process of
 * their own, which the parent starts when the first one comes. What that process says is taken
 * apart and put together again before it goes on; a process that ends leaves no question open. */
#ifndef SP_PROBE_CALLER_RELAY_H
#define SP_PROBE_CALLER_RELAY_H

#include <stdbool.h>

#include "probe/link/stream.h"
#include "probe/wire/message.h"

/* The bytes on the control socket between the parent and the link. */
#define SP_CONTROL_SENSOR  's' /* to the link, with the stream to a new sensor */
#define SP_CONTROL_CALLER  'c' /* to the parent: start one; to the link, with its stream */
#define SP_CONTROL_REFUSED 'n' /* to the link: there is no caller */

struct sp_relayed {
    uint32_t id;
    uint8_t topic;
    bool is_open;
    char *text; /* that waits for the process; NULL once it was sent */
    size_t len;
};

struct sp_relay {
    struct event_base *base;
    int control; /* to the parent; borrowed */
    /* Told of every question once, with the lines of its answer. */
    void (*answer)(void *arg, uint32_t id, uint8_t topic, const char *text, size_t len);
    void *arg;
    /* private */
    struct sp_stream *stream;
    bool is_asked; /* the parent is about to start it */
    struct sp_messages told;
    struct sp_relayed open[SP_MESSAGES_OPEN];
};

void sp_relay_ask(struct sp_relay *relay, const struct sp_message *query);
/* The parent has started it: takes the descriptor. fd < 0: it would not. */
void sp_relay_take(struct sp_relay *relay, int fd);
void sp_relay_release(struct sp_relay *relay);

#endif
