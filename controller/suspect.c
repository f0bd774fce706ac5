/* SPDX-License-Identifier: Apache-2.0 */
#include "controller/suspect.h"

#include <event2/event.h>
#include <math.h>

#include "probe/base/clock.h"
#include "probe/base/mem.h"
#include "probe/base/table.h"

/* Passes over suspects, as long as they bring new leaks. */
#define SP_SUSPECT_ROUNDS 4U
/* Before each of them: a limiter of one packet a second has recovered. */
#define SP_SUSPECT_GAP_US 1100000U
/* An attempt that loss explains with less than this was missed for another reason. */
#define SP_CHANCE_MISSED  0.01

/* Where leaks are, by network of the sender and of the receiver. */
struct suspects {
    struct sp_run_state *run;
    bool *from, *to;     /* networks and one more, for hosts in none */
    struct sp_table odd; /* from << 32 | to: a leak came only now and then */
    size_t leaks;
    bool is_still_new; /* the last pass brought another leak */
};

static size_t row_of(const struct suspects *s, uint32_t target)
{
    uint32_t network = sp_model_target_network(s->run->model, target);
    return network < s->run->model->nnetworks ? network : s->run->model->nnetworks;
}

static uint64_t path_of(const struct suspects *s, const struct sp_lane *lane)
{
    const struct sp_pair *pair = &s->run->plan->pairs[lane->pair];
    return (uint64_t)row_of(s, pair->from) << 32 | row_of(s, pair->to);
}

static bool is_denied(const struct sp_run_state *run, uint32_t test)
{
    return run->plan->tests[test].expect == SP_EXPECT_DENY && !run->outcomes[test].not_tested;
}

static bool has_leaked(const struct sp_run_state *run, const struct sp_lane *lane, uint32_t test)
{
    const struct sp_tally *tally = &run->tallies[test];
    bool host_layer = run->plan->pairs[lane->pair].layer == SP_LAYER_HOST;
    return is_denied(run, test) &&
           (tally->elsewhere > 0 || (host_layer ? tally->host : tally->nic) > 0);
}

/* Whether attempts of a leak did not arrive, and neither the loss that its controls saw nor
 * declared parallel paths explain that. */
static bool came_now_and_then(const struct sp_run_state *run, const struct sp_lane *lane,
                              uint32_t test)
{
    const struct sp_tally *tally = &run->tallies[test];
    double loss = lane->control_sent ? (double)lane->control_lost / lane->control_sent : 0;
    struct sp_need need = sp_attempts_needed(run, lane);
    bool one_path = need.flows == need.passes;
    return one_path && tally->missed > 0 && pow(loss, tally->missed) < SP_CHANCE_MISSED;
}

/* Notes where leaks are. */
static enum sp_rc mark_leaks(struct suspects *s)
{
    const struct sp_run_state *run = s->run;
    size_t before = s->leaks;
    enum sp_rc rc = SP_OK;
    s->leaks = 0;
    for (size_t i = 0; i < run->lanes.n; i++) {
        const struct sp_lane *lane = &run->lanes.at[i];
        const struct sp_pair *pair = &run->plan->pairs[lane->pair];
        for (size_t k = 0; k < lane->ntests && rc == SP_OK; k++) {
            if (!has_leaked(run, lane, lane->tests[k])) {
                continue;
            }
            s->leaks++;
            s->from[row_of(s, pair->from)] = true;
            s->to[row_of(s, pair->to)] = true;
            if (came_now_and_then(run, lane, lane->tests[k])) {
                rc = sp_table_put(&s->odd, path_of(s, lane), 0);
            }
        }
    }
    s->is_still_new = s->leaks > before;
    return rc;
}

/* It would hold, or would have before it became one. */
static bool is_suspect(const struct suspects *s, const struct sp_lane *lane, uint32_t test)
{
    const struct sp_run_state *run = s->run;
    const struct sp_pair *pair = &run->plan->pairs[lane->pair];
    const struct sp_tally *tally = &run->tallies[test];
    return is_denied(run, test) && !pair->one_sided && tally->counted > 0 &&
           (tally->is_sound || tally->asked_passes > 0) && !has_leaked(run, lane, test) &&
           (s->from[row_of(s, pair->from)] || s->to[row_of(s, pair->to)]);
}

/* Asks one more pass of every suspect after new leaks, else only of those that did not get a sound
 * one. Returns of how many. */
static size_t reopen(const struct suspects *s)
{
    const struct sp_run_state *run = s->run;
    size_t n = 0;
    for (size_t i = 0; i < run->lanes.n; i++) {
        const struct sp_lane *lane = &run->lanes.at[i];
        for (size_t k = 0; k < lane->ntests; k++) {
            struct sp_tally *tally = &run->tallies[lane->tests[k]];
            if (!is_suspect(s, lane, lane->tests[k])) {
                continue;
            }
            if (tally->is_settled && s->is_still_new) {
                tally->asked_passes = (uint16_t)(tally->passes + 1);
                tally->is_sound = tally->is_settled = false;
            }
            n += !tally->is_settled;
        }
    }
    return n;
}

/* Settles all suspects. What stayed silent where leaks come only now and then is in doubt, and all
 * of it while leaks kept coming. */
static void close_suspects(const struct suspects *s, bool is_stopped)
{
    const struct sp_run_state *run = s->run;
    for (size_t i = 0; i < run->lanes.n; i++) {
        const struct sp_lane *lane = &run->lanes.at[i];
        bool is_odd = sp_table_get(&s->odd, path_of(s, lane)) != SP_NO_ROW;
        for (size_t k = 0; k < lane->ntests; k++) {
            struct sp_tally *tally = &run->tallies[lane->tests[k]];
            if (!is_suspect(s, lane, lane->tests[k])) {
                continue;
            }
            if (s->is_still_new || is_odd) {
                tally->is_sound = false;
                tally->unsound =
                    is_stopped && !is_odd ? SP_UNSOUND_INTERRUPTED : SP_UNSOUND_NOW_AND_THEN;
            }
            tally->is_settled = true;
        }
    }
}

static bool stopped(const struct sp_run_state *run)
{
    return run->stop_flag && *run->stop_flag;
}

static void pause_for(const struct sp_run_state *run, uint64_t us)
{
    uint64_t until = sp_mono_us() + us;
    for (uint64_t now = sp_mono_us(); now < until && !stopped(run); now = sp_mono_us()) {
        uint64_t rest = until - now < 50000 ? until - now : 50000;
        struct timeval tv = {.tv_usec = (suseconds_t)rest};
        (void)event_base_loopexit(run->fleet->base, &tv);
        (void)event_base_loop(run->fleet->base, EVLOOP_ONCE);
    }
}

static enum sp_rc one_pass(struct suspects *s, struct sp_diag *diag)
{
    bool left = true;
    enum sp_rc rc = SP_OK;
    s->run->round++;
    while (left && rc == SP_OK && !stopped(s->run)) {
        rc = sp_round_run(s->run, SP_ROUND_DENY, 1, &left, diag);
    }
    return rc != SP_OK ? rc : mark_leaks(s);
}

enum sp_rc sp_suspects_run(struct sp_run_state *run, struct sp_diag *diag)
{
    struct suspects s = {.run = run};
    sp_table_init(&s.odd);
    s.from = sp_calloc(run->model->nnetworks + 1, sizeof(*s.from));
    s.to = sp_calloc(run->model->nnetworks + 1, sizeof(*s.to));
    enum sp_rc rc = s.from && s.to ? mark_leaks(&s) : SP_E_NOMEM;
    for (unsigned round = 0; s.leaks > 0 && rc == SP_OK && round < SP_SUSPECT_ROUNDS; round++) {
        if (stopped(run) || reopen(&s) == 0) {
            break;
        }
        pause_for(run, SP_SUSPECT_GAP_US);
        rc = one_pass(&s, diag);
    }
    if (rc == SP_OK) {
        close_suspects(&s, stopped(run));
    }
    sp_table_release(&s.odd);
    sp_free(s.from);
    sp_free(s.to);
    return rc == SP_E_NOMEM ? sp_fail(diag, rc, "suspects", "out of memory") : rc;
}
