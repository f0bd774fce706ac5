/* SPDX-License-Identifier: Apache-2.0
 *
 * The rate at which the traced flow begins to lose packets (techniques.md T22): trains of it, each
 * twice as fast as the one before, up to what its sender may send. Only of a flow that is allowed
 * and arrives, between hosts that consent to class B, and to a port that no service listens on that
 * is not marked `data: ok`: a real one would have to answer all of it.
 *
 * The trains follow each other without a pause, so that what a token bucket holds in reserve is
 * used up by the slow ones. Source ports are used again and again: state tables get no more entries
 * than SP_RATE_PORTS. */
#include "controller/run_priv.h"
#include "controller/trace/session.h"
#include "probe/base/mem.h"
#include "probe/techniques/registry.h"

#define SP_RATE_TRAIN_US 350000U
#define SP_RATE_REST_US  1000000U /* between two pairs of addresses */
#define SP_RATE_MOST     10000U   /* packets/s, whatever else is allowed */
#define SP_RATE_LEAST    8U       /* packets of a train */
#define SP_RATE_PORTS    64U

/* Packets/s of the nth of the trains that end with the highest rate. */
static uint32_t rate_of(uint32_t most, size_t nth)
{
    return most >> (SP_TRACE_MAX_RATES - 1 - nth);
}

static const char *why_not(const struct sp_traced *traced, const struct sp_run_state *run)
{
    const struct sp_trace *t = &traced->trace;
    const struct sp_pair *pair = t->pair;
    if (t->test->expect == SP_EXPECT_DENY) {
        return "it is denied, and only allowed flows are sent that often";
    }
    if (pair->one_sided || pair->to >= run->model->nhosts) {
        return "nobody looks at the receiver";
    }
    if (t->nic == 0) {
        return "it does not arrive";
    }
    if (sp_model_host_hazard(run->model, pair->from) < 'B' ||
        sp_model_host_hazard(run->model, pair->to) < 'B') {
        return "it needs hazard class B in both networks (hazard: B)";
    }
    if (sp_run_is_service(run, pair, t->test->proto, t->test->port)) {
        return "a real service listens there, and it is not marked `data: ok`";
    }
    return NULL;
}

static enum sp_rc add_train(const struct sp_control_flow *flow, struct sp_batch *batch,
                            const uint16_t sports[static SP_RATE_PORTS], uint32_t pps,
                            double *at_us)
{
    uint16_t n = (uint16_t)((uint64_t)pps * SP_RATE_TRAIN_US / 1000000);
    struct sp_block_plan plan = sp_trace_block(flow, n);
    uint32_t block = sp_batch_add_block(batch, &plan);
    for (uint16_t i = 0; i < n; i++) {
        if (block == SP_NONE ||
            sp_batch_add_shot(batch, block, i, flow->port, sports[i % SP_RATE_PORTS],
                              (uint32_t)*at_us) == SP_NONE) {
            return SP_E_LIMIT;
        }
        *at_us += 1e6 / pps;
    }
    return SP_OK;
}

static enum sp_rc add_ramp(struct sp_traced *traced, struct sp_run_state *run,
                           struct sp_batch *batch, double *at_us)
{
    struct sp_trace *t = &traced->trace;
    const struct sp_control_flow flow = sp_trace_flow(t->pair, t->test);
    const struct sp_technique_info *info = sp_technique_at(flow.technique);
    double allowed = 1e6 / sp_round_spacing_us(run, flow.from) / info->packets;
    uint32_t most = allowed > SP_RATE_MOST ? SP_RATE_MOST : (uint32_t)allowed;
    uint16_t sports[SP_RATE_PORTS];
    enum sp_rc rc = SP_OK;
    t->no_rates = why_not(traced, run);
    if (!t->no_rates && (uint64_t)most * SP_RATE_TRAIN_US / 1000000 < SP_RATE_LEAST) {
        t->no_rates = "its sender may send too few packets a second (limits: max_rate)";
    }
    if (t->no_rates) {
        return SP_OK;
    }
    for (size_t i = 0; i < SP_RATE_PORTS; i++) {
        sports[i] =
            sp_ledger_take(run->ledger, &flow.src, &flow.dst, info->proto, flow.port, false);
        if (sports[i] == 0) {
            return SP_E_LIMIT;
        }
    }
    traced->trains.first = (uint32_t)batch->nblocks;
    for (size_t i = 0; rc == SP_OK && i < SP_TRACE_MAX_RATES; i++) {
        uint32_t pps = rate_of(most, i);
        if ((uint64_t)pps * SP_RATE_TRAIN_US / 1000000 >= SP_RATE_LEAST) {
            rc = add_train(&flow, batch, sports, pps, at_us);
            traced->trains.n++;
        }
    }
    *at_us += SP_RATE_REST_US;
    return rc;
}

/* What went out of one train, when, and what of it came. */
struct train {
    uint16_t sent, arrived;
    uint32_t first_us, last_us;
};

static void take_ramp(struct sp_traced *traced, const struct sp_batch *batch)
{
    struct sp_trace *t = &traced->trace;
    struct train trains[SP_TRACE_MAX_RATES] = {{0}};
    const struct sp_host_batch *ends[2] = {&batch->hosts[t->pair->from],
                                           &batch->hosts[t->pair->to]};
    for (size_t i = 0; i < SP_ARRAY_LEN(ends); i++) {
        if (ends[i]->has_drops || ends[i]->is_lost) {
            t->no_rates = "a probe was lost, or its capture dropped packets, at these rates";
            return;
        }
    }
    for (size_t i = 0; i < batch->nshots; i++) {
        const struct sp_shot_seen *shot = &batch->shots[i];
        if (shot->block < traced->trains.first ||
            shot->block >= traced->trains.first + traced->trains.n || !shot->is_sent ||
            shot->err != 0) {
            continue;
        }
        struct train *train = &trains[shot->block - traced->trains.first];
        bool first = train->sent == 0 || shot->sent_us < train->first_us;
        train->first_us = first ? shot->sent_us : train->first_us;
        train->last_us = shot->sent_us > train->last_us ? shot->sent_us : train->last_us;
        train->arrived = (uint16_t)(train->arrived + (shot->at_nic || shot->at_host));
        train->sent++;
    }
    for (size_t i = 0; i < traced->trains.n; i++) {
        const struct train *train = &trains[i];
        if (train->sent >= SP_RATE_LEAST && train->last_us > train->first_us) {
            uint64_t pps =
                (train->sent - 1ULL) * 1000000 / (uint64_t)(train->last_us - train->first_us);
            t->rates[t->nrates++] = (struct sp_trace_rate){
                .pps = (uint32_t)pps, .sent = train->sent, .arrived = train->arrived};
        }
    }
}

enum sp_rc sp_trace_rates(struct sp_trace_session *session, struct sp_run_state *run,
                          struct sp_diag *diag)
{
    struct sp_batch *batch = NULL;
    double at_us = 0;
    enum sp_rc rc = sp_round_new_batch(run, &batch);
    for (size_t i = 0; rc == SP_OK && i < session->n; i++) {
        session->traced[i].trains = (struct sp_trace_trains){0};
        if (sp_trace_can(&session->traced[i], run)) {
            rc = add_ramp(&session->traced[i], run, batch, &at_us);
        }
    }
    if (rc == SP_OK && batch->nshots > 0) {
        batch->keep_bytes = 0; /* nobody asks for so many packets */
        rc = sp_batch_run(batch, diag);
        sp_round_add_counters(run, batch);
    }
    for (size_t i = 0; rc == SP_OK && i < session->n; i++) {
        if (session->traced[i].trains.n > 0) {
            take_ramp(&session->traced[i], batch);
        }
    }
    sp_batch_free(batch);
    return rc;
}
