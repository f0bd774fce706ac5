/* SPDX-License-Identifier: Apache-2.0 */
#include "probe/caller/caller.h"

#include "probe/base/mem.h"
#include "probe/caller/call.h"
#include "probe/wire/message.h"

/* Questions that are being answered. */
#define SP_CALLS_MAX 8U

struct answering {
    struct sp_caller *caller;
    struct sp_call *call; /* NULL = free */
    uint32_t id;
};

struct sp_caller {
    struct sp_call_place place;
    sp_caller_answer_fn answer;
    void *arg;
    struct answering calls[SP_CALLS_MAX];
};

enum sp_rc sp_caller_new(struct event_base *base, const struct sp_call_bounds *bounds,
                         sp_caller_answer_fn answer, void *arg, struct sp_caller **ret_caller)
{
    struct sp_caller *caller = sp_calloc(1, sizeof(*caller));
    if (!caller) {
        return SP_E_NOMEM;
    }
    *caller = (struct sp_caller){
        .place = {.base = base, .bounds = bounds, .resolv_conf = "/etc/resolv.conf"},
        .answer = answer,
        .arg = arg};
    *ret_caller = caller;
    return SP_OK;
}

void sp_caller_free(struct sp_caller *caller)
{
    for (size_t i = 0; caller && i < SP_CALLS_MAX; i++) {
        sp_call_free(caller->calls[i].call);
    }
    sp_free(caller);
}

static void refuse(struct sp_caller *caller, uint32_t id, uint8_t topic, const char *why)
{
    struct sp_buf out;
    sp_buf_init(&out, SP_MESSAGE_MAX);
    sp_fields_add(&out, "error", why);
    caller->answer(caller->arg, id, topic, sp_buf_text(&out), out.len);
    sp_buf_release(&out);
}

static void on_done(struct sp_call *call, struct sp_buf *out, void *arg)
{
    struct answering *at = arg;
    struct sp_caller *caller = at->caller;
    caller->answer(caller->arg, at->id, SP_TOPIC_CALL, sp_buf_text(out), out->len);
    sp_call_free(call);
    at->call = NULL;
}

void sp_caller_ask(struct sp_caller *caller, uint32_t id, uint8_t topic, const char *text,
                   size_t len)
{
    struct sp_diag diag = {0};
    if (topic != SP_TOPIC_CALL) {
        refuse(caller, id, topic, "this probe does not know what that is about");
        return;
    }
    for (size_t i = 0; i < SP_CALLS_MAX; i++) {
        struct answering *at = &caller->calls[i];
        if (!at->call) {
            *at = (struct answering){.caller = caller, .id = id};
            if (sp_call_new(&caller->place, text, len, on_done, at, &at->call, &diag) != SP_OK) {
                at->call = NULL;
                refuse(caller, id, topic, diag.text);
            }
            return;
        }
    }
    refuse(caller, id, topic, "too many questions at once");
}
