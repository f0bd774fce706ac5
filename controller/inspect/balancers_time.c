/* SPDX-License-Identifier: Apache-2.0
 *
 * How a balancer behaves over time: what happens when a backend goes away and comes back, and to
 * connections on which nobody speaks. Only our own stand-in listeners ever go away. */
#include <stdio.h>

#include "controller/inspect/balancers.h"
#include "controller/round_priv.h"
#include "probe/base/mem.h"
#include "reports/summary.h"

#define BEFORE_US     1000000U /* of ordinary conversations before the drill */
#define AFTER_US      2000000U /* beyond failover_within, for it to come back */
#define STEP_LEAST_US 20000U
#define STEP_MOST_US  250000U
#define IDLE_TALKS    2U

static bool is_stopped(const struct sp_lb *lb)
{
    return lb->run->stop_flag && *lb->run->stop_flag;
}

/* ---- the failover drill ---- */

/* A backend that is ours to take away; SP_NONE: there is none. */
static uint32_t victim_of(const struct sp_lb *lb)
{
    for (size_t i = 0; i < lb->listener->nbackends; i++) {
        uint32_t host = lb->listener->backends[i];
        if (lb->run->fleet->sessions[host].state == SP_PROBE_READY && !sp_lb_is_service(lb, host)) {
            return host;
        }
    }
    return SP_NONE;
}

static void count_drill(const struct sp_batch *batch, uint32_t block, uint32_t victim,
                        uint32_t within_us, struct sp_lb_drill *drill)
{
    for (size_t i = 0; i < batch->nshots; i++) {
        const struct sp_shot_seen *shot = &batch->shots[i];
        if (shot->block != block || !shot->has_left) {
            continue;
        }
        uint32_t at_us = shot->sent_us;
        bool lost = !sp_lb_is_served(shot);
        bool there = shot->arrived_at == victim || shot->heard_at == victim;
        if (at_us < drill->away_us) {
            /* One that was under way when it went is nobody's fault. */
            drill->before++;
            drill->before_lost += lost && at_us + drill->step_us + 100000U < drill->away_us;
        } else if (at_us < drill->back_us) {
            bool late = at_us > drill->away_us + within_us;
            drill->during++;
            drill->during_lost += lost;
            drill->last_lost_us = lost && at_us > drill->last_lost_us ? at_us : drill->last_lost_us;
            drill->late_lost += late && lost;
            drill->late_there += late && there;
        } else {
            drill->after_there += there && !lost;
        }
    }
}

static enum sp_rc run_drill(struct sp_lb *lb, uint32_t victim, struct sp_diag *diag)
{
    uint64_t within_us = lb->listener->failover_within_ms * 1000;
    uint32_t away_us = lb->lead_us + BEFORE_US;
    uint32_t back_us = away_us + (uint32_t)(within_us + within_us / 2) + 1000000U;
    uint32_t end_us = back_us + (uint32_t)within_us + AFTER_US;
    uint32_t *blocks = sp_calloc(lb->nways, sizeof(*blocks));
    struct sp_batch *batch = NULL;
    enum sp_rc rc = blocks ? sp_round_new_batch(lb->run, &batch) : SP_E_NOMEM;
    uint32_t step_us = (uint32_t)(within_us / 50);
    step_us = step_us < STEP_LEAST_US  ? STEP_LEAST_US
              : step_us > STEP_MOST_US ? STEP_MOST_US
                                       : step_us;
    for (size_t w = 0; rc == SP_OK && w < lb->nways; w++) {
        blocks[w] = SP_NONE;
        if (lb->ways[w].client == SP_NONE) {
            continue;
        }
        uint32_t least = (uint32_t)lb->nways * sp_lb_step_us(lb, lb->ways[w].client);
        step_us = step_us < least ? least : step_us;
    }
    for (size_t w = 0; rc == SP_OK && w < lb->nways; w++) {
        uint64_t at_us = lb->lead_us + w * step_us / lb->nways;
        const struct sp_lb_plan plan = {.n = (end_us - lb->lead_us) / step_us, .step_us = step_us};
        if (lb->ways[w].client != SP_NONE) {
            blocks[w] = sp_lb_add(lb, batch, &lb->ways[w], &plan, &at_us);
        }
    }
    if (rc == SP_OK) {
        batch->keep_bytes = 0;
        batch->drill =
            (struct sp_batch_drill){.host = victim,
                                    .away_us = away_us,
                                    .back_us = back_us,
                                    .is_silent = sp_lb_is_word(lb->listener->failover, "silent")};
        rc = batch->nshots > 0 ? sp_batch_run(batch, diag) : SP_OK;
    }
    for (size_t w = 0; rc == SP_OK && !is_stopped(lb) && w < lb->nways; w++) {
        struct sp_lb_drill drill = {.away_us = away_us, .back_us = back_us, .step_us = step_us};
        struct sp_lb_said said = {0};
        char expected[96];
        if (lb->ways[w].client == SP_NONE) {
            continue;
        }
        count_drill(batch, blocks[w], victim, (uint32_t)within_us, &drill);
        sp_lb_judge_drill(lb->listener, &drill, &said);
        (void)snprintf(expected, sizeof(expected), "a lost backend is left out within %.2f s",
                       (double)within_us / 1e6);
        rc = sp_lb_claim(lb, "failover", &lb->ways[w].dst, expected, &said);
    }
    if (rc == SP_OK) {
        sp_round_add_counters(lb->run, batch);
    }
    sp_batch_free(batch);
    sp_free(blocks);
    return rc;
}

enum sp_rc sp_lb_drill(struct sp_lb *lb, struct sp_diag *diag)
{
    char expected[96];
    struct sp_lb_said said = {0};
    uint64_t within_ms = lb->listener->failover_within_ms;
    if (within_ms == 0 || is_stopped(lb)) {
        return SP_OK;
    }
    (void)snprintf(expected, sizeof(expected), "a lost backend is left out within %.2f s",
                   (double)within_ms / 1e3);
    if (lb->why) {
        return sp_lb_claim_unseen(lb, "failover", expected);
    }
    uint32_t victim = victim_of(lb);
    if (lb->listener->nbackends < 2) {
        sp_lb_unknown(&said, "it has one backend only: nobody can take over",
                      "declare a second backend");
        said.verdict = SP_CLAIM_FAILS;
        said.severity = SP_SEVERITY_HIGH;
    } else if (victim == SP_NONE) {
        sp_lb_unknown(&said,
                      "real services listen on all its backends, and a drill takes only stand-in "
                      "listeners away",
                      "verify while the port of a backend is free");
        said.verdict = SP_CLAIM_NOT_OBSERVABLE;
    } else if (within_ms > SP_LB_MAX_WAIT_MS) {
        sp_lb_unknown(&said, "a run does not wait longer than a minute",
                      "drill it by hand, or declare a shorter time");
    } else {
        return run_drill(lb, victim, diag);
    }
    return sp_lb_claim(lb, "failover", NULL, expected, &said);
}

/* ---- idle connections ---- */

static enum sp_lb_end end_of(const struct sp_shot_seen *shot)
{
    uint8_t code = shot->answer_code;
    if (shot->answer != SP_ANSWER_DATA) {
        return SP_LB_NOT_HELD;
    }
    bool is_reset = (code & SP_ANSWER_RESET) != 0;
    if ((code & SP_ANSWER_LASTED) != 0) {
        return SP_LB_LASTED;
    }
    if ((code & SP_ANSWER_CLOSED) != 0) {
        return is_reset ? SP_LB_RESET : SP_LB_CLOSED;
    }
    return is_reset ? SP_LB_FORGOTTEN : SP_LB_DROPPED;
}

/* Of several, the one that came furthest: a lost packet is no timeout. */
static void count_idle(const struct sp_batch *batch, uint32_t block, size_t which,
                       struct sp_lb_idle *idle)
{
    for (size_t i = 0; i < batch->nshots; i++) {
        const struct sp_shot_seen *shot = &batch->shots[i];
        if (shot->block != block) {
            continue;
        }
        enum sp_lb_end end = end_of(shot);
        bool better = idle->ends[which] == SP_LB_NOT_HELD ||
                      (end != SP_LB_NOT_HELD && end < idle->ends[which]);
        if (better) {
            uint32_t pause = which == 0 ? idle->short_ms : idle->long_ms;
            idle->ends[which] = end;
            idle->ended_ms[which] = shot->silent_ms > 0 ? shot->silent_ms : pause;
        }
    }
}

static enum sp_rc run_idle(struct sp_lb *lb, const char *expected, struct sp_diag *diag)
{
    uint32_t timeout_ms = (uint32_t)lb->listener->idle_timeout_ms;
    struct sp_lb_idle idle = {.short_ms = timeout_ms - timeout_ms / 5,
                              .long_ms = timeout_ms + timeout_ms / 4 + 1000U};
    uint32_t(*blocks)[2] = sp_calloc(lb->nways, sizeof(*blocks));
    struct sp_batch *batch = NULL;
    uint64_t at_us = lb->lead_us;
    enum sp_rc rc = blocks ? sp_round_new_batch(lb->run, &batch) : SP_E_NOMEM;
    for (size_t w = 0; rc == SP_OK && w < lb->nways; w++) {
        for (size_t i = 0; i < 2; i++) {
            const struct sp_lb_plan plan = {.n = IDLE_TALKS,
                                            .step_us = 50000,
                                            .pause_ms = i == 0 ? idle.short_ms : idle.long_ms};
            blocks[w][i] = lb->ways[w].client == SP_NONE
                               ? SP_NONE
                               : sp_lb_add(lb, batch, &lb->ways[w], &plan, &at_us);
        }
    }
    if (rc == SP_OK) {
        batch->keep_bytes = 0;
        rc = batch->nshots > 0 ? sp_batch_run(batch, diag) : SP_OK;
    }
    for (size_t w = 0; rc == SP_OK && !is_stopped(lb) && w < lb->nways; w++) {
        struct sp_lb_idle seen = idle;
        struct sp_lb_said said = {0};
        if (lb->ways[w].client == SP_NONE) {
            continue;
        }
        count_idle(batch, blocks[w][0], 0, &seen);
        count_idle(batch, blocks[w][1], 1, &seen);
        sp_lb_judge_idle(lb->listener, &seen, &said);
        rc = sp_lb_claim(lb, "idle_timeout", &lb->ways[w].dst, expected, &said);
    }
    if (rc == SP_OK) {
        sp_round_add_counters(lb->run, batch);
    }
    sp_batch_free(batch);
    sp_free(blocks);
    return rc;
}

enum sp_rc sp_lb_idle(struct sp_lb *lb, struct sp_diag *diag)
{
    char expected[96];
    struct sp_lb_said said = {0};
    uint64_t timeout_ms = lb->listener->idle_timeout_ms;
    if (timeout_ms == 0 || is_stopped(lb)) {
        return SP_OK;
    }
    (void)snprintf(expected, sizeof(expected), "an idle connection lasts %.1f s, and not longer",
                   (double)timeout_ms / 1e3);
    if (lb->why) {
        return sp_lb_claim_unseen(lb, "idle_timeout", expected);
    }
    if (timeout_ms > SP_LB_MAX_WAIT_MS) {
        sp_lb_unknown(&said, "a run does not wait longer than a minute",
                      "measure it by hand; make clients send keepalives more often than that");
    } else if (sp_lb_is_word(lb->listener->mode, "l7")) {
        sp_lb_unknown(&said, "a request of HTTP ends its connection", "declare it of l4 listeners");
        said.verdict = SP_CLAIM_NOT_OBSERVABLE;
    } else {
        return run_idle(lb, expected, diag);
    }
    return sp_lb_claim(lb, "idle_timeout", NULL, expected, &said);
}
