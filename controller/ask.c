/* SPDX-License-Identifier: Apache-2.0 */
#include "controller/ask.h"

#include <event2/event.h>

#include "probe/base/clock.h"
#include "probe/base/mem.h"

/* How often deadlines are looked at. */
#define SP_ASK_TURN_US 20000

struct asking {
    struct sp_fleet *fleet;
    struct sp_question *questions;
    size_t n, left;
    unsigned at_once;
    unsigned *open;               /* by host: questions without an answer */
    struct sp_messages *messages; /* by host: answers on their way */
    enum sp_rc rc;
};

static void settle(struct asking *asking, struct sp_question *question, enum sp_told_state state)
{
    question->state = state;
    asking->open[question->host]--;
    asking->left--;
    question->id = 0;
}

static struct sp_question *find(struct asking *asking, uint32_t host, uint32_t id)
{
    for (size_t i = 0; id > 0 && i < asking->n; i++) {
        if (asking->questions[i].host == host && asking->questions[i].id == id) {
            return &asking->questions[i];
        }
    }
    return NULL;
}

static void on_record(struct sp_session *session, const struct sp_record *record, void *arg)
{
    struct asking *asking = arg;
    struct sp_message *message = NULL;
    if (record->type != SP_REC_TOLD) {
        return; /* the end of a batch, perhaps */
    }
    enum sp_rc rc =
        sp_messages_add(&asking->messages[session->host], SP_REC_TOLD, record, &message);
    struct sp_question *question = find(asking, session->host, record->u.told.id);
    if (rc == SP_E_NOMEM) {
        asking->rc = rc;
    } else if (rc != SP_OK && question) {
        settle(asking, question, SP_TOLD_BAD);
    }
    if (!message) {
        return;
    }
    if (question && question->topic == message->topic) {
        sp_buf_add(&question->answer, message->text.data, message->text.len);
        asking->rc = question->answer.rc != SP_OK ? SP_E_NOMEM : asking->rc;
        settle(asking, question, SP_TOLD_WHOLE);
    }
    sp_message_done(message);
}

static void put(void *arg, const struct sp_record *record)
{
    sp_fleet_send(arg, record);
}

/* Asks what there is room for, gives up what is late or lost. */
static void turn(struct asking *asking, uint32_t *next_id)
{
    uint64_t now = sp_mono_us();
    for (size_t i = 0; i < asking->n; i++) {
        struct sp_question *question = &asking->questions[i];
        struct sp_session *session = &asking->fleet->sessions[question->host];
        bool is_up = session->state == SP_PROBE_READY || session->state == SP_PROBE_RESTARTING;
        if (question->id == 0 && question->deadline_us == 0 && !is_up) {
            question->deadline_us = now;
            question->state = SP_TOLD_LOST;
            asking->left--;
        } else if (question->id == 0 && question->deadline_us == 0 &&
                   asking->open[question->host] < asking->at_once) {
            question->id = (*next_id)++;
            question->deadline_us = now + question->timeout_ms * 1000;
            asking->open[question->host]++;
            sp_message_split(SP_REC_QUERY, question->id, question->topic, question->text,
                             question->len, put, session);
        } else if (question->id > 0 && (!is_up || now >= question->deadline_us)) {
            settle(asking, question, is_up ? SP_TOLD_NONE : SP_TOLD_LOST);
        }
    }
}

enum sp_rc sp_ask_all(struct sp_fleet *fleet, struct sp_question *questions, size_t n,
                      unsigned at_once)
{
    static const struct timeval patience = {.tv_usec = SP_ASK_TURN_US};
    const struct sp_fleet_ops ops = {.on_record = on_record};
    const struct sp_fleet_ops before = fleet->ops;
    void *before_arg = fleet->ops_arg;
    struct asking asking = {
        .fleet = fleet, .questions = questions, .n = n, .left = n, .at_once = at_once};
    /* Late answers to an earlier round must not be taken for these. */
    uint32_t next_id = (uint32_t)(sp_mono_us() & 0x7fffffffU) + 1U;
    asking.open = sp_calloc(fleet->model->nhosts, sizeof(*asking.open));
    asking.messages = sp_calloc(fleet->model->nhosts, sizeof(*asking.messages));
    asking.rc = asking.open && asking.messages ? SP_OK : SP_E_NOMEM;
    for (size_t i = 0; i < n; i++) {
        questions[i].state = SP_TOLD_NONE;
        questions[i].id = 0;
        questions[i].deadline_us = 0;
        sp_buf_init(&questions[i].answer, SP_MESSAGE_MAX + 1);
    }
    fleet->ops = ops;
    fleet->ops_arg = &asking;
    while (asking.rc == SP_OK && asking.left > 0 &&
           !(fleet->options.stop_flag && *fleet->options.stop_flag)) {
        turn(&asking, &next_id);
        if (asking.left > 0) {
            (void)event_base_loopexit(fleet->base, &patience);
            (void)event_base_loop(fleet->base, EVLOOP_ONCE);
        }
    }
    fleet->ops = before;
    fleet->ops_arg = before_arg;
    for (size_t i = 0; asking.messages && i < fleet->model->nhosts; i++) {
        sp_messages_release(&asking.messages[i]);
    }
    sp_free(asking.open);
    sp_free(asking.messages);
    return asking.rc;
}

void sp_questions_release(struct sp_question *questions, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        sp_buf_release(&questions[i].answer);
    }
}
