/* SPDX-License-Identifier: Apache-2.0
 *
 * The process that holds ordinary conversations: looks names up, connects, speaks TLS and HTTP, as
 * any program of its host could, and tells how far it got. It parses what strangers send, so it has
 * no privilege, no raw socket and no word with the sensor; its questions come from the link and its
 * answers go there, as texts (probe/wire/message.h).
 *
 * A question of SP_TOPIC_CALL is answered by call.h. SP_TOPIC_SERVE has no answer yet. */
#ifndef SP_PROBE_CALLER_CALLER_H
#define SP_PROBE_CALLER_CALLER_H

#include "probe/base/buf.h"
#include "probe/caller/bounds.h"

struct event_base;
struct sp_caller;

/* Hands out the answer to a question. */
typedef void (*sp_caller_answer_fn)(void *arg, uint32_t id, uint8_t topic, const char *text,
                                    size_t len);

enum sp_rc sp_caller_new(struct event_base *base, const struct sp_call_bounds *bounds,
                         sp_caller_answer_fn answer, void *arg,
                         struct sp_caller **ret_caller) SP_MUST_CHECK;
void sp_caller_free(struct sp_caller *caller);
/* A question, answered at once or later. */
void sp_caller_ask(struct sp_caller *caller, uint32_t id, uint8_t topic, const char *text,
                   size_t len);

#endif
