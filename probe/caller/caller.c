/* SPDX-License-Identifier: Apache-2.0 */
#include "probe/caller/caller.h"

#include "probe/base/mem.h"
#include "probe/wire/message.h"

struct sp_caller {
    struct event_base *base;
    const struct sp_call_bounds *bounds;
    sp_caller_answer_fn answer;
    void *arg;
};

enum sp_rc sp_caller_new(struct event_base *base, const struct sp_call_bounds *bounds,
                         sp_caller_answer_fn answer, void *arg, struct sp_caller **ret_caller)
{
    struct sp_caller *caller = sp_calloc(1, sizeof(*caller));
    if (!caller) {
        return SP_E_NOMEM;
    }
    *caller = (struct sp_caller){.base = base, .bounds = bounds, .answer = answer, .arg = arg};
    *ret_caller = caller;
    return SP_OK;
}

void sp_caller_free(struct sp_caller *caller)
{
    sp_free(caller);
}

void sp_caller_ask(struct sp_caller *caller, uint32_t id, uint8_t topic, const char *text,
                   size_t len)
{
    struct sp_buf out;
    (void)text;
    (void)len;
    sp_buf_init(&out, SP_MESSAGE_MAX);
    sp_fields_add(&out, "error", "this probe does not know what that is about");
    caller->answer(caller->arg, id, topic, sp_buf_text(&out), out.len);
    sp_buf_release(&out);
}
