/* SPDX-License-Identifier: Apache-2.0
 *
 * Facts of nodes, read by their probes without any privilege. */
#include <stdio.h>
#include <string.h>

#include "controller/ask.h"
#include "controller/inspect/inspect.h"
#include "controller/round.h"
#include "probe/base/mem.h"

#define SP_FACTS_TIMEOUT_MS 5000U
#define SP_FACTS_AT_ONCE    1U

static bool is_wanted(const struct sp_inspect *inspect, const struct sp_model *model, uint32_t host)
{
    return model->hosts[host].via &&
           (sp_inspect_is_from(inspect, host) || sp_inspect_is_to(inspect, host));
}

static void want(const struct sp_inspect *inspect, const struct sp_model *model,
                 struct sp_bits *hosts)
{
    /* Nothing is declared of nodes that would need a probe of its own. */
    (void)inspect;
    (void)model;
    (void)hosts;
}

/* One fact as a note. */
static enum sp_rc note(struct sp_result *result, uint32_t host, const char *check,
                       const char *observed, const char *source)
{
    struct sp_claim claim = {.kind = SP_CLAIM_NODE,
                             .verdict = SP_CLAIM_NOTE,
                             .host = host,
                             .target = host,
                             .check = check,
                             .subject = result->model->hosts[host].name,
                             .observed = observed,
                             .source = source};
    return sp_claims_add(&result->claims, &claim);
}

static enum sp_rc take_answer(struct sp_result *result, const struct sp_question *question)
{
    struct sp_fields fields;
    enum sp_rc rc = SP_OK;
    sp_fields_init(&fields, sp_buf_text(&question->answer), question->answer.len);
    while (rc == SP_OK && sp_fields_next(&fields)) {
        if (strcmp(fields.key, "kernel") == 0) {
            rc = note(result, question->host, "kernel", sp_buf_text(&fields.value), "uname");
        }
    }
    sp_fields_release(&fields);
    return rc;
}

static enum sp_rc look(const struct sp_inspect *inspect, struct sp_run_state *run,
                       struct sp_diag *diag)
{
    struct sp_question *questions = sp_calloc(run->model->nhosts, sizeof(*questions));
    size_t n = 0;
    if (!questions) {
        return sp_fail(diag, SP_E_NOMEM, "nodes", "out of memory");
    }
    for (uint32_t h = 0; h < run->model->nhosts; h++) {
        if (run->fleet->sessions[h].state == SP_PROBE_READY && is_wanted(inspect, run->model, h)) {
            questions[n++] = (struct sp_question){
                .host = h, .topic = SP_TOPIC_FACTS, .text = "", .timeout_ms = SP_FACTS_TIMEOUT_MS};
        }
    }
    enum sp_rc rc = sp_ask_all(run->fleet, questions, n, SP_FACTS_AT_ONCE);
    for (size_t i = 0; i < n && rc == SP_OK; i++) {
        if (questions[i].state == SP_TOLD_WHOLE) {
            rc = take_answer(inspect->result, &questions[i]);
        }
    }
    sp_questions_release(questions, n);
    sp_free(questions);
    return rc == SP_OK ? SP_OK : sp_fail(diag, rc, "nodes", "%s", sp_rc_str(rc));
}

const struct sp_inspector sp_inspect_nodes = {.want = want, .look = look};
