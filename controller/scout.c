/* SPDX-License-Identifier: Apache-2.0
 *
 * The scout: before anything is tested, each candidate control is sent twice. What was delivered
 * can serve as a control; what was not, cannot. */
#include "controller/round_priv.h"
#include "probe/base/mem.h"
#include "probe/techniques/registry.h"

#define SP_SCOUT_TRIES 2U

static enum sp_rc scout_batch(struct sp_run_state *run, struct sp_batch *batch, size_t from,
                              size_t *ret_to)
{
    struct sp_round round = {.run = run, .kind = SP_ROUND_SCOUT, .batch = batch};
    double *at_us = sp_calloc(run->model->nhosts, sizeof(*at_us));
    size_t i = from;
    if (!at_us) {
        return SP_E_NOMEM;
    }
    enum sp_rc rc = SP_OK;
    for (;
         i < run->scouts.n && batch->next_id + SP_SCOUT_TRIES < SP_BATCH_MAX_BLOCKS && rc == SP_OK;
         i++) {
        const struct sp_control_flow *flow = &run->scouts.at[i].flow;
        uint32_t block = sp_round_add_control(&round, flow, SP_SCOUT_TRIES);
        for (uint16_t k = 0; k < SP_SCOUT_TRIES && rc == SP_OK; k++) {
            at_us[flow->from] +=
                sp_round_spacing_us(run, flow->from) * sp_technique_at(flow->technique)->packets;
            rc = block != SP_NONE && sp_round_add_shot(&round, block, k, flow->port,
                                                       at_us[flow->from]) != SP_NONE
                     ? SP_OK
                     : SP_E_NOMEM;
        }
    }
    sp_free(at_us);
    *ret_to = i;
    return rc;
}

enum sp_rc sp_round_scout(struct sp_run_state *run, struct sp_diag *diag)
{
    size_t done = 0;
    while (done < run->scouts.n && !(run->stop_flag && *run->stop_flag)) {
        struct sp_batch *batch = NULL;
        size_t end = done;
        enum sp_rc rc = sp_round_new_batch(run, &batch);
        if (rc == SP_OK) {
            batch->is_scout = true;
            rc = scout_batch(run, batch, done, &end);
        }
        if (rc == SP_OK) {
            rc = sp_batch_run(batch, diag);
        }
        for (size_t s = 0; rc == SP_OK && s < batch->nshots; s++) {
            struct sp_scouted *scouted = &run->scouts.at[done + batch->shots[s].block];
            bool self = scouted->flow.is_self;
            scouted->sent++;
            scouted->nic = (uint16_t)(scouted->nic + sp_control_delivered(batch, (uint32_t)s));
            bool host = self ? sp_control_delivered(batch, (uint32_t)s) : batch->shots[s].at_host;
            scouted->host = (uint16_t)(scouted->host + host);
        }
        if (rc == SP_OK) {
            run->max_rtt_us = batch->max_rtt_us;
            sp_round_add_counters(run, batch);
        }
        sp_batch_free(batch);
        if (rc != SP_OK) {
            return rc == SP_E_NOMEM ? sp_fail(diag, rc, "scout", "out of memory") : rc;
        }
        done = end;
    }
    return SP_OK;
}
