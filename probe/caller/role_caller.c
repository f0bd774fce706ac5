/* SPDX-License-Identifier: Apache-2.0 */
#include <event2/event.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include "probe/caller/caller.h"
#include "probe/drop.h"
#include "probe/link/stream.h"
#include "probe/roles.h"
#include "probe/wire/message.h"

/* Descriptors, bytes of memory: what a stranger could make it use is bounded from outside, too. */
#define SP_CALLER_FDS    512U
#define SP_CALLER_MEMORY (512UL << 20)

struct role {
    struct event_base *base;
    struct sp_stream *link;
    struct sp_caller *caller;
    struct sp_messages queries;
};

static void put(void *arg, const struct sp_record *record)
{
    struct role *role = arg;
    if (role->link) {
        sp_stream_send(role->link, record);
    }
}

static void answer(void *arg, uint32_t id, uint8_t topic, const char *text, size_t len)
{
    sp_message_split(SP_REC_TOLD, id, topic, text, len, put, arg);
}

static void on_record(struct sp_stream *stream, const struct sp_record *record, void *arg)
{
    struct role *role = arg;
    struct sp_message *query = NULL;
    (void)stream;
    if (sp_messages_add(&role->queries, SP_REC_QUERY, record, &query) == SP_OK && query) {
        sp_caller_ask(role->caller, query->id, query->topic, sp_buf_text(&query->text),
                      query->text.len);
        sp_message_done(query);
    }
}

static void on_end(struct sp_stream *stream, const char *reason, void *arg)
{
    struct role *role = arg;
    (void)reason;
    sp_stream_free(stream);
    role->link = NULL;
    (void)event_base_loopbreak(role->base);
}

static void limit(int resource, rlim_t most)
{
    const struct rlimit to = {most, most};
    (void)setrlimit((__rlimit_resource_t)resource, &to);
}

int sp_role_caller(const struct sp_probe_options *options)
{
    static const struct sp_stream_ops ops = {.on_record = on_record, .on_end = on_end};
    struct role role = {0};
    struct sp_diag diag;
    if (sp_drop_all(&diag) != SP_OK) {
        (void)fprintf(stderr, "segproof-probe: %s: %s\n", diag.where, diag.text);
        return SP_EXIT_HOPELESS;
    }
    /* Leaving root has undone this. */
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    limit(RLIMIT_NOFILE, SP_CALLER_FDS);
    limit(RLIMIT_FSIZE, 0);
#ifndef __SANITIZE_ADDRESS__
    limit(RLIMIT_AS, SP_CALLER_MEMORY);
#endif
    role.base = event_base_new();
    if (role.base &&
        sp_caller_new(role.base, options->calls, answer, &role, &role.caller) == SP_OK &&
        sp_stream_new(role.base, SP_ROLE_FD, SP_ROLE_FD, &ops, &role, &role.link) == SP_OK) {
        (void)event_base_dispatch(role.base);
    }
    sp_caller_free(role.caller);
    sp_messages_release(&role.queries);
    sp_stream_free(role.link);
    if (role.base) {
        event_base_free(role.base);
    }
    return 0;
}
