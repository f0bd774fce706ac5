/* SPDX-License-Identifier: Apache-2.0
 *
 * How long the path remembers a conversation in which nobody says anything (techniques.md T21):
 * many are opened at once and say something, each is silent for another time, then it goes on with
 * data, which the other end answers. Of TCP flows that are allowed and arrive, between hosts
 * that consent to class B; stand-ins take the data where nobody listens, as in any conversation. */
#include "controller/run_priv.h"
#include "controller/trace/session.h"
#include "probe/techniques/registry.h"

/* Silences that are tried, besides none; and conversations of each: one may be lost by chance. */
#define SP_IDLE_STEPS   14U
#define SP_IDLE_EACH    2U
#define SP_IDLE_STEP_US 10000U

static const struct sp_technique_info *conversation(void)
{
    for (size_t i = 0; i < sp_technique_count(); i++) {
        if (sp_technique_talks(i)) {
            return sp_technique_at(i);
        }
    }
    return NULL;
}

static const char *why_not(const struct sp_traced *traced, const struct sp_run_state *run)
{
    const struct sp_trace *t = &traced->trace;
    const struct sp_pair *pair = t->pair;
    if (t->test->proto != SP_PROTO_TCP || !conversation()) {
        return "only TCP has conversations that can be silent";
    }
    if (t->test->expect == SP_EXPECT_DENY) {
        return "it is denied";
    }
    if (pair->one_sided || pair->to >= run->model->nhosts) {
        return "nobody looks at the receiver";
    }
    if (t->nic == 0 && t->flows.again_passed == 0) {
        return "it does not arrive";
    }
    if (sp_model_host_hazard(run->model, pair->from) < 'B' ||
        sp_model_host_hazard(run->model, pair->to) < 'B') {
        return "conversations need hazard class B in both networks (hazard: B)";
    }
    if (sp_run_is_service(run, pair, t->test->proto, t->test->port)) {
        return "a real service listens there, and it is not marked `data: ok`";
    }
    return NULL;
}

static enum sp_rc add_silences(struct sp_traced *traced, struct sp_run_state *run,
                               struct sp_batch *batch, uint32_t idle_ms)
{
    struct sp_trace *t = &traced->trace;
    struct sp_control_flow flow = sp_trace_flow(t->pair, t->test);
    double least = sp_round_spacing_us(run, flow.from) * conversation()->packets;
    double step = least > SP_IDLE_STEP_US ? least : SP_IDLE_STEP_US;
    flow.technique = (uint8_t)sp_technique_index(conversation());
    traced->talks.first = (uint32_t)batch->nblocks;
    for (uint32_t i = 0; i <= SP_IDLE_STEPS; i++) {
        struct sp_block_plan plan = sp_trace_block(&flow, SP_IDLE_EACH);
        plan.talks = true;
        plan.pause_ms = (uint32_t)((uint64_t)idle_ms * i / SP_IDLE_STEPS);
        t->idle[i] = (struct sp_trace_idle){.silent_ms = plan.pause_ms};
        uint32_t block = sp_batch_add_block(batch, &plan);
        for (uint16_t k = 0; k < SP_IDLE_EACH; k++) {
            double at = step * (k * (SP_IDLE_STEPS + 1) + i);
            if (block == SP_NONE ||
                !sp_trace_add_shot(run, batch, block, k, flow.port, (uint32_t)at)) {
                return SP_E_LIMIT;
            }
        }
    }
    traced->talks.n = SP_IDLE_STEPS + 1;
    return SP_OK;
}

static void take_silences(struct sp_traced *traced, const struct sp_batch *batch)
{
    struct sp_trace *t = &traced->trace;
    const struct sp_host_batch *receiver = &batch->hosts[t->pair->to];
    if (batch->is_stopped || receiver->has_drops || receiver->is_lost) {
        t->no_idle = "it was interrupted, a probe was lost, or its capture dropped packets";
        return;
    }
    for (size_t i = 0; i < batch->nshots; i++) {
        const struct sp_shot_seen *shot = &batch->shots[i];
        if (shot->block < traced->talks.first ||
            shot->block >= traced->talks.first + traced->talks.n) {
            continue;
        }
        if (shot->no_standin) {
            t->no_idle = "no stand-in listener could be opened at the receiver";
            return;
        }
        struct sp_trace_idle *idle = &t->idle[shot->block - traced->talks.first];
        bool open = shot->answer == SP_ANSWER_DATA; /* data went both ways */
        bool survived =
            open && (idle->silent_ms == 0 || (shot->answer_code & SP_ANSWER_LASTED) != 0);
        idle->opened = (uint8_t)(idle->opened + open);
        idle->survived = (uint8_t)(idle->survived + survived);
        idle->reset = (uint8_t)(idle->reset +
                                (open && !survived && (shot->answer_code & SP_ANSWER_RESET) != 0));
    }
    t->nidle = traced->talks.n;
}

enum sp_rc sp_trace_idle(struct sp_trace_session *session, struct sp_run_state *run,
                         struct sp_diag *diag)
{
    struct sp_batch *batch = NULL;
    enum sp_rc rc = sp_round_new_batch(run, &batch);
    for (size_t i = 0; rc == SP_OK && i < session->n; i++) {
        struct sp_traced *traced = &session->traced[i];
        traced->talks = (struct sp_trace_trains){0};
        if (!sp_trace_can(traced, run)) {
            continue;
        }
        traced->trace.no_idle = why_not(traced, run);
        rc = traced->trace.no_idle ? SP_OK : add_silences(traced, run, batch, session->idle_ms);
    }
    if (rc == SP_OK && batch->nshots > 0) {
        rc = sp_batch_run(batch, diag);
        sp_round_add_counters(run, batch);
    }
    for (size_t i = 0; rc == SP_OK && i < session->n; i++) {
        if (session->traced[i].talks.n > 0) {
            take_silences(&session->traced[i], batch);
        }
    }
    sp_batch_free(batch);
    return rc;
}
