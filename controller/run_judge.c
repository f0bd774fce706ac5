/* SPDX-License-Identifier: Apache-2.0
 *
 * From the tally of a test to what the judge is asked, and his verdict. */
#include <string.h>

#include "controller/run_priv.h"
#include "probe/techniques/registry.h"

uint8_t sp_run_place_answerer(const struct sp_run_state *run, const struct sp_pair *pair,
                              uint8_t answer, uint8_t ttl, const struct sp_addr *answerer)
{
    uint8_t baseline_ttl = run->baseline_ttl[pair - run->plan->pairs];
    if (answer == SP_ANSWER_NONE) {
        return SP_ANSWERER_UNKNOWN;
    }
    if (pair->is_balanced && sp_addr_eq(answerer, &pair->dst)) {
        return SP_ANSWERER_DESTINATION; /* the balancer, which may be the first hop */
    }
    bool off_link = !sp_session_is_on_link(&run->fleet->sessions[pair->from], &pair->dst);
    bool is_dst = sp_addr_eq(answerer, &pair->dst);
    if (!is_dst) {
        const struct sp_host *to =
            pair->to < run->model->nhosts ? &run->model->hosts[pair->to] : NULL;
        for (size_t i = 0; to && i < to->naddrs; i++) {
            if (sp_addr_eq(&to->addrs[i], answerer)) {
                return SP_ANSWERER_UNKNOWN;
            }
        }
        return SP_ANSWERER_BEFORE;
    }
    if (baseline_ttl) {
        return ttl > baseline_ttl    ? SP_ANSWERER_BEFORE
               : ttl == baseline_ttl ? SP_ANSWERER_DESTINATION
                                     : SP_ANSWERER_UNKNOWN;
    }
    /* No answer of the destination to compare with: a TTL that no router has touched, from an
     * address behind one, was set by the first hop. */
    bool untouched = ttl == 64 || ttl == 128 || ttl == 255;
    return off_link && untouched ? SP_ANSWERER_BEFORE : SP_ANSWERER_UNKNOWN;
}

static enum sp_unsound soundness(const struct sp_test *test, const struct sp_tally *tally)
{
    bool deny = test->expect == SP_EXPECT_DENY;
    if (deny ? tally->is_sound : tally->is_settled && tally->counted > 0) {
        return SP_SOUND;
    }
    if (tally->unsound != SP_SOUND) {
        return (enum sp_unsound)tally->unsound;
    }
    return tally->fired == 0 ? SP_UNSOUND_INTERRUPTED : SP_UNSOUND_ATTEMPTS;
}

/* Backends that have no probe, of any listener: what a balancer passes on, wherever, they may get.
 */
static uint16_t count_blind(const struct sp_model *model, uint32_t target)
{
    uint16_t n = 0;
    size_t b = target - model->nhosts;
    for (size_t l = 0; l < model->balancers[b].nlisteners; l++) {
        const struct sp_listener *listener = &model->balancers[b].listeners[l];
        for (size_t i = 0; i < listener->nbackends; i++) {
            n = (uint16_t)(n + !model->hosts[listener->backends[i]].via);
        }
    }
    return n;
}

static void count_backends(struct sp_run_state *run, uint32_t index)
{
    struct sp_outcome *outcome = &run->outcomes[index];
    const struct sp_pair *pair = &run->plan->pairs[run->plan->tests[index].pair];
    if (pair->is_balanced && run->plan->tests[index].expect == SP_EXPECT_DENY) {
        outcome->seen.backends_blind = count_blind(run->model, pair->to);
        return;
    }
    const struct sp_listener *listener =
        sp_result_listener(run->model, run->plan, &run->plan->tests[index]);
    for (size_t i = 0; listener && i < listener->nbackends; i++) {
        if (run->model->hosts[listener->backends[i]].via) {
            outcome->seen.backends++;
            outcome->seen.backends_reached =
                (uint16_t)(outcome->seen.backends_reached + (outcome->backend_flows[i] > 0));
        } else {
            outcome->seen.backends_blind++;
        }
    }
}

/* No host answers a segment with a wrong checksum: who does stands before the destination. What the
 * sender's own kernel refuses is an error of the test: that no such packet can leave here says
 * nothing of one that another host sends. */
static void judge_bypass(const struct sp_test *test, struct sp_seen *seen)
{
    const char *name = sp_technique_at(test->technique)->name;
    bool is_spoiled = strcmp(name, "tcp_badsum") == 0 || strcmp(name, "udp_badsum") == 0;
    if (is_spoiled && seen->answer != SP_ANSWER_NONE) {
        seen->answerer = SP_ANSWERER_BEFORE;
    }
    if (seen->sender_policy) {
        seen->sender_policy = false;
        seen->unsound = SP_UNSOUND_SENDER_POLICY;
    }
}

void sp_run_judge(struct sp_run_state *run, const struct sp_lane *lane, uint32_t index)
{
    const struct sp_test *test = &run->plan->tests[index];
    const struct sp_pair *pair = &run->plan->pairs[test->pair];
    const struct sp_tally *tally = &run->tallies[index];
    struct sp_outcome *outcome = &run->outcomes[index];
    if (outcome->not_tested) {
        outcome->judged = (struct sp_judgement){.verdict = SP_VERDICT_NOT_TESTED};
        return;
    }
    /* What no listener passes on ends at the balancer itself, where nobody looks. */
    bool at_balancer = pair->is_balanced && test->expect != SP_EXPECT_DENY &&
                       !sp_result_listener(run->model, run->plan, test);
    const struct sp_case what = {.expect = test->expect,
                                 .layer = pair->layer,
                                 .reject_declared = test->reject_declared,
                                 .one_sided = pair->one_sided || at_balancer,
                                 .balanced = pair->is_balanced};
    outcome->seen = (struct sp_seen){
        .unsound = soundness(test, tally),
        .sender_policy = tally->fired > 0 && tally->refused_policy == tally->fired,
        .capture_lossless = true, /* a round with drops does not count, see round_count.c */
        .attempts = tally->counted,
        .nic = tally->nic,
        .host = tally->host,
        .opened = tally->opened,
        .answer_left = tally->answer_left,
        .answered = tally->answered,
        .elsewhere = tally->elsewhere,
        .elsewhere_host = tally->elsewhere ? tally->elsewhere_host : SP_NONE,
        .rewritten = tally->rewritten,
        .captured = tally->captured,
        .answer = tally->answer,
        .answer_code = tally->answer_code,
        .answerer_addr = tally->answerer,
        .answerer =
            sp_run_place_answerer(run, pair, tally->answer, tally->answer_ttl, &tally->answerer),
        .foreign = tally->foreign,
        .loss_confirmed = tally->lossy_rounds >= 2};
    if (test->why == SP_WHY_BYPASS) {
        judge_bypass(test, &outcome->seen);
    }
    count_backends(run, index);
    sp_run_apply_unmasked(tally, &what, &outcome->seen);
    if (outcome->seen.sender_policy) {
        outcome->seen.unsound =
            SP_SOUND; /* the kernel's word is proof enough; row 4 and row 10 judge it */
    }
    outcome->judged = sp_judge(&what, &outcome->seen);
    outcome->grade = test->expect == SP_EXPECT_DENY ? lane->deny_grade : lane->control.grade;
    outcome->control_sent =
        (uint16_t)(lane->control_sent > UINT16_MAX ? UINT16_MAX : lane->control_sent);
    outcome->control_lost =
        (uint16_t)(lane->control_lost > UINT16_MAX ? UINT16_MAX : lane->control_lost);
    outcome->injected_link = run->link_injection;
}
