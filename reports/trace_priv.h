/* SPDX-License-Identifier: Apache-2.0
 *
 * Shared by the parts that conclude: trace_cause.c (the whole, the two ends, sizes and loss),
 * trace_stop.c (on the way there) and trace_path.c (many flows, rates, silence); and the parts of
 * the picture and the JSON that tell those. */
#ifndef SP_REPORTS_TRACE_PRIV_H
#define SP_REPORTS_TRACE_PRIV_H

#include "reports/trace.h"

const char *sp_trace_name(const struct sp_trace *t, uint32_t target);
void sp_trace_say(char *out, size_t size, const char *fmt, ...) SP_PRINTF(3, 4);
#define SP_SENTENCE(t, ...) sp_trace_say((t)->sentence, sizeof((t)->sentence), __VA_ARGS__)
#define SP_REMEDY(t, ...)   sp_trace_say((t)->remedy, sizeof((t)->remedy), __VA_ARGS__)

static inline void sp_trace_conclude(struct sp_trace *t, enum sp_trace_cause cause,
                                     enum sp_trace_place place, size_t hop)
{
    t->cause = cause;
    t->place = place;
    t->hop = hop;
}

static inline bool sp_trace_is_denied(const struct sp_trace *t)
{
    return t->test->expect == SP_EXPECT_DENY;
}

/* trace_path.c: true when it named the cause. */
bool sp_trace_explain_flows(struct sp_trace *t);   /* first packets, parallel paths */
bool sp_trace_explain_rate(struct sp_trace *t);    /* of a flow that works */
bool sp_trace_explain_silence(struct sp_trace *t); /* of a flow that works */
/* How many hops the flow has been shown to reach; the place in front of a hop. */
size_t sp_trace_reached(const struct sp_trace *t);
const char *sp_trace_before_str(const struct sp_trace *t, size_t hop, char *out);

/* Did a host's probe see the flow, or its answer, come in or go out? ret_pass may be NULL. */
bool sp_trace_passed(const struct sp_trace *t, uint32_t host, bool is_out, bool is_answer,
                     const struct sp_trace_pass **ret_pass);
bool sp_trace_is_loop(const struct sp_trace *t);
void sp_trace_explain_loop(struct sp_trace *t);
/* It never came to the receiver: who stopped it, and where. */
void sp_trace_explain_stopped(struct sp_trace *t);
void sp_trace_explain_rewritten(struct sp_trace *t);

/* trace_path_text.c, trace_path_json.c */
struct sp_text;
void sp_trace_path_text(struct sp_text *text, const struct sp_trace *t);
struct sp_json;
void sp_trace_path_json(struct sp_json *to, const struct sp_trace *t);
void sp_trace_hop_paths_json(struct sp_json *to, const struct sp_trace_hop *hop);

#endif
