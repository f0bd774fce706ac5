/* SPDX-License-Identifier: Apache-2.0
 *
 * Who answers for others (techniques.md T2). A SYN proxy, a firewall or a tarpit answers a SYN that
 * the receiver never saw; only what follows the handshake tells whether the flow crosses. So a test
 * that was answered by SYN/ACK and did not arrive is followed by a few whole conversations on the
 * same flow: if one arrives, the flow crosses, and a denied one leaks. Real services get no data:
 * a target without a probe is held a conversation without any, and where a real service listens, or
 * a load balancer chooses who is served, nothing is tried. */
#include "controller/evidence.h"
#include "controller/run_priv.h"
#include "probe/base/mem.h"
#include "probe/techniques/registry.h"

#define SP_UNMASK_TRIES  3U
#define SP_UNMASK_APART  50000.0
/* Of one batch. Tests that do not fit keep the verdict that their SYNs gave them: never "holds". */
#define SP_UNMASK_MAX_US 600e6

static bool is_masked(const struct sp_run_state *run, uint32_t index)
{
    const struct sp_test *test = &run->plan->tests[index];
    const struct sp_tally *tally = &run->tallies[index];
    const struct sp_pair *pair = &run->plan->pairs[test->pair];
    bool arrived = tally->nic > 0 || tally->host > 0 || tally->elsewhere > 0;
    return test->proto == SP_PROTO_TCP && !sp_technique_talks(test->technique) &&
           !sp_technique_is_bypass(test->technique) && !arrived && !pair->is_balanced &&
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

/* The conversations of a lane, without data and with; a block each, when the first test needs it.
 */
struct talks {
    uint32_t lane;
    uint32_t blocks[2];
};

/* False when the batch is full. */
static bool follow(struct sp_round *round, struct talks *talks, uint32_t index, double *at_us)
{
    const struct sp_run_state *run = round->run;
    const struct sp_lane *lane = &run->lanes.at[talks->lane];
    const struct sp_test *test = &run->plan->tests[index];
    const struct sp_pair *pair = &run->plan->pairs[test->pair];
    /* Nobody knows who serves where no probe stands, or at a balancer's own address. */
    bool unknown = pair->one_sided || pair->is_balanced;
    bool mute = unknown && !sp_model_data_ok(run->model, test->proto, test->port);
    uint32_t *block = &talks->blocks[mute];
    if (*block == SP_NONE) {
        *block = sp_round_add_conversation(round, lane, conversation(), mute, SP_UNMASK_TRIES);
    }
    bool fits = *block != SP_NONE && *at_us < SP_UNMASK_MAX_US;
    for (uint16_t i = 0; fits && i < SP_UNMASK_TRIES; i++) {
        double at = *at_us + SP_UNMASK_APART * i;
        fits =
            add_try(round, talks->lane, index, sp_round_add_shot(round, *block, i, test->port, at));
    }
    run->tallies[index].unmasked.is_mute = mute;
    *at_us += SP_UNMASK_TRIES * sp_round_spacing_us(run, pair->from) *
              sp_technique_at(conversation())->packets;
    return fits;
}

/* Did an answer of the receiver's own come back? The handshake may be the proxy's, and so may the
 * acknowledgement of data, but for a SYN proxy that offers no window until its back side is open.
 * Its RST is told from the receiver's by the receiver's own capture. A target without a probe shows
 * no more than that somebody took the data. */
static bool came_back(const struct sp_shot_seen *shot, bool is_blind)
{
    bool acked = (shot->answer_code & SP_ANSWER_DATA_ACKED) != 0 &&
                 (is_blind || (shot->answer_code & SP_ANSWER_WINDOW_ZERO) != 0);
    bool refused = shot->egress == SP_ANSWER_RST && (shot->answer_code & SP_ANSWER_RESET) != 0;
    return shot->answer == SP_ANSWER_DATA || acked || refused;
}

static void count(struct sp_round *round, const struct sp_attempt *try)
{
    struct sp_tally *tally = &round->run->tallies[try->test];
    struct sp_unmasked *unmasked = &tally->unmasked;
    const struct sp_shot_seen *shot = &round->batch->shots[try->shot];
    bool held = shot->answer == SP_ANSWER_SYN_ACK || shot->answer == SP_ANSWER_DATA;
    bool arrived = shot->at_nic || shot->at_host;
    bool elsewhere = shot->elsewhere != SP_NONE;
    bool is_blind = round->batch->blocks[shot->block].to == SP_NONE;
    unmasked->tried = (uint16_t)(unmasked->tried + (shot->has_left || arrived || elsewhere));
    unmasked->held = (uint16_t)(unmasked->held + held);
    unmasked->nic = (uint16_t)(unmasked->nic + arrived);
    unmasked->host = (uint16_t)(unmasked->host + shot->at_host);
    unmasked->left = (uint16_t)(unmasked->left + (shot->egress != SP_ANSWER_NONE));
    unmasked->back = (uint16_t)(unmasked->back + (held && came_back(shot, is_blind)));
    unmasked->elsewhere = (uint16_t)(unmasked->elsewhere + elsewhere);
    tally->rewritten = (uint16_t)(tally->rewritten + (arrived && shot->is_rewritten));
    if (held) {
        unmasked->flags |= shot->answer_code;
    }
    if (elsewhere) {
        tally->elsewhere++;
        tally->elsewhere_host = shot->elsewhere;
    }
    if (tally->captured.src.family == SP_FAMILY_NONE) {
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
        struct talks talks = {.lane = l, .blocks = {SP_NONE, SP_NONE}};
        for (size_t k = 0; fits && k < lane->ntests; k++) {
            fits = !is_masked(run, lane->tests[k]) ||
                   follow(&round, &talks, lane->tests[k], &at_us[from]);
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

/* What stands on the path. Only where the receiver's own capture missed what was answered, or where
 * the answer carries the mark, is it known that somebody does. */
static uint8_t proxy_of(const struct sp_unmasked *unmasked, bool one_sided, bool is_rewritten)
{
    bool is_marked = (unmasked->flags & SP_ANSWER_WINDOW_ZERO) != 0;
    if (unmasked->held == 0) {
        return SP_PROXY_NONE;
    }
    if (one_sided) {
        return is_marked ? SP_PROXY_SYN : SP_PROXY_NONE;
    }
    /* Who passes on our very SYN is a SYN proxy; others make a connection of their own. */
    return is_marked || (unmasked->nic > 0 && !is_rewritten) ? SP_PROXY_SYN : SP_PROXY_OTHER;
}

/* Without a probe at the target: a whole conversation that nothing gives away. Data that nobody
 * acknowledges gives away that nobody is there to take it. */
static bool is_destination(const struct sp_unmasked *unmasked)
{
    return unmasked->held > 0 && (unmasked->flags & SP_ANSWER_TTL_CHANGED) == 0 &&
           (unmasked->is_mute || unmasked->back > 0);
}

void sp_run_apply_unmasked(const struct sp_tally *tally, const struct sp_case *what,
                           struct sp_seen *seen)
{
    const struct sp_unmasked *unmasked = &tally->unmasked;
    bool allow = what->expect == SP_EXPECT_ALLOW || what->expect == SP_EXPECT_PERMIT;
    if (unmasked->nic > 0 || unmasked->host > 0 || unmasked->elsewhere > 0) {
        /* The SYNs before were not the receiver's to get: the conversations are the attempts. */
        seen->attempts = unmasked->tried;
        seen->nic = unmasked->nic;
        seen->host = unmasked->host;
        seen->answer_left = unmasked->left;
        seen->answered = allow ? unmasked->back : unmasked->held;
        seen->loss_confirmed = false;
    } else if (what->one_sided && unmasked->held > 0 && !unmasked->is_mute) {
        seen->attempts = unmasked->tried; /* a handshake is no answer where data was offered */
        seen->answered = unmasked->back;
        seen->loss_confirmed = false;
    }
    seen->proxy = proxy_of(unmasked, what->one_sided, tally->rewritten > 0);
    if (unmasked->held > 0 && (unmasked->flags & SP_ANSWER_WINDOW_ZERO) != 0) {
        seen->answerer = SP_ANSWERER_BEFORE;
    } else if (what->one_sided && unmasked->tried > 0 && seen->answerer != SP_ANSWERER_BEFORE) {
        seen->answerer = is_destination(unmasked) ? SP_ANSWERER_DESTINATION : SP_ANSWERER_UNKNOWN;
    }
}
