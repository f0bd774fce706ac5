/* SPDX-License-Identifier: Apache-2.0
 *
 * Who answers for others (techniques.md T2). A SYN proxy, a firewall or a tarpit answers a SYN that
 * the receiver never saw; only what follows the handshake tells whether the flow crosses. So a test
 * that was answered by SYN/ACK and did not arrive is followed by a few whole conversations on the
 * same flow: if one arrives, the flow crosses, and a denied one leaks. Real services get no data:
 * a target without a probe is held a conversation without any, and behind a declared service
 * nothing is tried. */
#include "controller/evidence.h"
#include "controller/run_priv.h"
#include "probe/base/mem.h"
#include "probe/techniques/registry.h"

#define SP_UNMASK_TRIES 3U
#define SP_UNMASK_APART 50000.0

static bool is_masked(const struct sp_run_state *run, uint32_t index)
{
    const struct sp_test *test = &run->plan->tests[index];
    const struct sp_tally *tally = &run->tallies[index];
    const struct sp_pair *pair = &run->plan->pairs[test->pair];
    bool arrived = tally->nic > 0 || tally->host > 0 || tally->elsewhere > 0;
    return test->proto == SP_PROTO_TCP && !sp_technique_talks(test->technique) && !arrived &&
           tally->answer == SP_ANSWER_SYN_ACK && !run->outcomes[index].not_tested &&
           !(!pair->one_sided && sp_run_is_service(run, pair, test->proto, test->port));
}

static uint8_t conversation(void)
{
    for (size_t i = 0; i < sp_technique_count(); i++) {
        if (sp_technique_talks(i)) {
            return (uint8_t)i;
        }
    }
    return 0;
}

static bool add_try(struct sp_round *round, uint32_t lane, uint32_t test, uint32_t shot)
{
    if (shot == SP_NONE || sp_grow((void **)&round->attempts, round->nattempts,
                                   &round->cap_attempts, sizeof(*round->attempts)) != 0) {
        return false;
    }
    round->attempts[round->nattempts++] = (struct sp_attempt){
        .test = test, .lane = lane, .shot = shot, .before = SP_NONE, .after = SP_NONE};
    return true;
}

/* False when the batch is full: what is left out keeps the verdict that its SYN gave it. */
static bool follow(struct sp_round *round, uint32_t lane_index, uint32_t index, double *at_us)
{
    const struct sp_run_state *run = round->run;
    const struct sp_lane *lane = &run->lanes.at[lane_index];
    const struct sp_test *test = &run->plan->tests[index];
    const struct sp_pair *pair = &run->plan->pairs[test->pair];
    /* Nobody knows who serves where no probe stands, or at a balancer's own address. */
    bool unknown = pair->one_sided || pair->is_balanced;
    bool mute = unknown && !sp_model_data_ok(run->model, test->proto, test->port);
    uint32_t block = sp_round_add_conversation(round, lane, conversation(), mute, SP_UNMASK_TRIES);
    bool fits = block != SP_NONE;
    for (uint16_t i = 0; fits && i < SP_UNMASK_TRIES; i++) {
        double at = *at_us + SP_UNMASK_APART * i;
        fits =
            add_try(round, lane_index, index, sp_round_add_shot(round, block, i, test->port, at));
    }
    *at_us += sp_round_spacing_us(run, pair->from) * sp_technique_at(conversation())->packets;
    return fits;
}

static void count(struct sp_round *round, const struct sp_attempt *try)
{
    struct sp_tally *tally = &round->run->tallies[try->test];
    struct sp_unmasked *unmasked = &tally->unmasked;
    const struct sp_shot_seen *shot = &round->batch->shots[try->shot];
    bool held = shot->answer == SP_ANSWER_SYN_ACK || shot->answer == SP_ANSWER_DATA;
    bool arrived = shot->at_nic || shot->at_host;
    unmasked->held = (uint16_t)(unmasked->held + held);
    unmasked->arrived = (uint16_t)(unmasked->arrived + arrived);
    unmasked->host = (uint16_t)(unmasked->host + shot->at_host);
    tally->rewritten = (uint16_t)(tally->rewritten + shot->is_rewritten);
    if (held) {
        unmasked->flags |= shot->answer_code;
    }
    if (shot->elsewhere != SP_NONE) {
        unmasked->elsewhere++;
        tally->elsewhere++;
        tally->elsewhere_host = shot->elsewhere;
    }
    if (shot->is_rewritten || shot->elsewhere != SP_NONE) {
        tally->captured = shot->captured;
    }
    sp_evidence_consider_shot(round, try->test, try->shot);
}

static enum sp_rc carry_out(struct sp_round *round, struct sp_diag *diag)
{
    enum sp_rc rc = round->nattempts > 0 ? sp_batch_run(round->batch, diag) : SP_OK;
    if (rc != SP_OK || round->nattempts == 0) {
        return rc;
    }
    for (size_t i = 0; i < round->nattempts; i++) {
        count(round, &round->attempts[i]);
    }
    sp_evidence_fetch(round);
    sp_round_add_counters(round->run, round->batch);
    return SP_OK;
}

enum sp_rc sp_run_unmask(struct sp_run_state *run, struct sp_diag *diag)
{
    struct sp_round round = {.run = run, .kind = SP_ROUND_DENY}; /* source ports must be fresh */
    double *at_us = sp_calloc(run->model->nhosts, sizeof(*at_us));
    bool fits = run->plan->may_talk;
    enum sp_rc rc = at_us ? sp_round_new_batch(run, &round.batch) : SP_E_NOMEM;
    for (uint32_t l = 0; rc == SP_OK && fits && l < run->lanes.n; l++) {
        const struct sp_lane *lane = &run->lanes.at[l];
        uint32_t from = run->plan->pairs[lane->pair].from;
        for (size_t k = 0; fits && k < lane->ntests; k++) {
            fits =
                !is_masked(run, lane->tests[k]) || follow(&round, l, lane->tests[k], &at_us[from]);
        }
    }
    if (rc == SP_OK) {
        rc = carry_out(&round, diag);
    }
    sp_batch_free(round.batch);
    sp_free(round.attempts);
    sp_free(at_us);
    return rc == SP_E_NOMEM ? sp_fail(diag, rc, "unmask", "out of memory") : rc;
}

void sp_run_apply_unmasked(const struct sp_tally *tally, struct sp_seen *seen)
{
    const struct sp_unmasked *unmasked = &tally->unmasked;
    if (unmasked->held == 0 && unmasked->arrived == 0 && unmasked->host == 0) {
        return;
    }
    seen->nic = (uint16_t)(seen->nic + unmasked->arrived);
    if (unmasked->held > 0 && unmasked->host >= unmasked->held) {
        /* Whoever answers passes on all that is completed: so many SYNs would have arrived. */
        seen->host = seen->answered > unmasked->host ? seen->answered : unmasked->host;
    } else {
        seen->host = (uint16_t)(seen->host + unmasked->host);
    }
    seen->is_proxied = true;
    if ((unmasked->flags & SP_ANSWER_WINDOW_ZERO) != 0) {
        seen->answerer = SP_ANSWERER_BEFORE;
    } else if (seen->answerer == SP_ANSWERER_UNKNOWN &&
               (unmasked->flags & SP_ANSWER_TTL_CHANGED) == 0) {
        seen->answerer = SP_ANSWERER_DESTINATION;
    }
}
