/* SPDX-License-Identifier: Apache-2.0 */
#include "controller/round.h"

#include <stdlib.h>
#include <string.h>

#include "controller/evidence.h"
#include "controller/round_priv.h"
#include "probe/base/hash.h"
#include "probe/base/mem.h"
#include "probe/techniques/registry.h"

/* Attempts of one test are at least this far apart (design section 6: 1 s), with a little more for
 * timers. */
#define SP_PASS_GAP_US   1050000.0
/* Control packets stand at most this far apart, in time and packets (design section 6: 1 s, 5,000).
 */
#define SP_CHUNK_US      400000.0
#define SP_CHUNK_PACKETS 2000U

/* A lane on the timetable. */
struct slot {
    uint32_t lane;
    uint32_t block;      /* row of its tests */
    uint32_t control[2]; /* rows of its control flows */
    uint16_t used[2];    /* attempts handed out of those */
    uint32_t *tests;     /* of this round, in the order of the next pass */
    size_t ntests;
    uint32_t chunk; /* attempts between checkpoints */
    uint16_t tries;
    uint16_t per_pass; /* attempts of a test in one pass: flows, or all for allowed flows */
    double start_us;   /* within a pass */
    bool placed;
};

struct timetable {
    struct sp_round *round;
    struct slot *slots;
    size_t nslots;
    unsigned passes;
    unsigned attempts;         /* of an allowed flow, at least */
    double *send_us, *recv_us; /* per host: when it is free again */
    double span_us, longest_us;
    struct sp_rng rng;
};

static bool wanted(const struct sp_run_state *run, enum sp_round_kind kind, uint32_t test)
{
    bool deny = run->plan->tests[test].expect == SP_EXPECT_DENY;
    return !run->tallies[test].is_settled && deny == (kind == SP_ROUND_DENY);
}

/* ---- the timetable ---- */

/* Control packets of a lane at one moment. Returns the row, SP_NONE when out of memory, ports or
 * places. */
static uint32_t add_checkpoint(struct timetable *t, struct slot *slot, double *at_us)
{
    struct sp_round *round = t->round;
    const struct sp_lane *lane = &round->run->lanes.at[slot->lane];
    if (sp_grow((void **)&round->checkpoints, round->ncheckpoints, &round->cap_checkpoints,
                sizeof(*round->checkpoints)) != 0) {
        return SP_NONE;
    }
    struct sp_checkpoint *c = &round->checkpoints[round->ncheckpoints];
    *c = (struct sp_checkpoint){
        .lane = slot->lane, .first = {SP_NONE, SP_NONE}, .tries = slot->tries};
    double at = *at_us;
    for (unsigned k = 0; k < lane->control.nflows; k++) {
        const struct sp_control_flow *flow = &lane->control.flows[k];
        double step =
            sp_round_spacing_us(round->run, flow->from) * sp_technique_at(flow->technique)->packets;
        for (uint16_t i = 0; i < slot->tries; i++) {
            uint32_t shot = sp_round_add_shot(round, slot->control[k], slot->used[k]++, flow->port,
                                              at + step * i);
            if (shot == SP_NONE) {
                return SP_NONE;
            }
            c->first[k] = i == 0 ? shot : c->first[k];
        }
        double end = at + step * slot->tries;
        *at_us = end > *at_us ? end : *at_us;
    }
    return (uint32_t)round->ncheckpoints++;
}

static bool add_attempt(struct sp_round *round, const struct sp_attempt *attempt)
{
    if (attempt->shot == SP_NONE || sp_grow((void **)&round->attempts, round->nattempts,
                                            &round->cap_attempts, sizeof(*round->attempts)) != 0) {
        return false;
    }
    round->attempts[round->nattempts++] = *attempt;
    round->run->tallies[attempt->test].fired++;
    return true;
}

static void shuffle(struct sp_rng *rng, uint32_t *at, size_t n)
{
    for (size_t i = n; i > 1; i--) {
        size_t j = (size_t)sp_rng_below(rng, i);
        uint32_t swap = at[i - 1];
        at[i - 1] = at[j];
        at[j] = swap;
    }
}

/* One pass over a lane from at_us on: checkpoint, attempts, checkpoint ... Returns when it ends, <
 * 0 on failure. */
static double run_lane(struct timetable *t, struct slot *slot, unsigned pass, double at_us)
{
    struct sp_round *round = t->round;
    const struct sp_run_state *run = round->run;
    const struct sp_lane *lane = &run->lanes.at[slot->lane];
    double step = sp_round_step_us(round, lane);
    uint32_t before = add_checkpoint(t, slot, &at_us);
    size_t first_open = round->nattempts;
    uint32_t since = 0;
    for (uint16_t turn = 0; turn < slot->per_pass; turn++) {
        shuffle(&t->rng, slot->tests, slot->ntests);
        for (size_t i = 0; i < slot->ntests; i++) {
            uint32_t test = slot->tests[i];
            unsigned nth = (unsigned)pass * slot->per_pass + turn;
            struct sp_attempt a = {.test = test,
                                   .lane = slot->lane,
                                   .before = before,
                                   .after = SP_NONE,
                                   .pass = (uint64_t)run->next_batch << 16 | (pass + 1)};
            a.shot = sp_round_add_attempt(round, lane, slot->block, nth, test, at_us);
            at_us += step;
            if (before == SP_NONE || !add_attempt(round, &a)) {
                return -1;
            }
            bool last = turn + 1 == slot->per_pass && i + 1 == slot->ntests;
            if (++since == slot->chunk || last) {
                before = add_checkpoint(t, slot, &at_us);
                since = 0;
                for (; first_open < round->nattempts; first_open++) {
                    round->attempts[first_open].after = before;
                }
            }
        }
    }
    return before == SP_NONE ? -1 : at_us;
}

/* The free lane that can start first, and when; so no receiver has two senders at once. */
static struct slot *next_slot(struct timetable *t, double *ret_start)
{
    const struct sp_model *model = t->round->run->model;
    struct slot *best = NULL;
    for (size_t i = 0; i < t->nslots; i++) {
        struct slot *slot = &t->slots[i];
        if (slot->placed) {
            continue;
        }
        const struct sp_pair *pair =
            &t->round->run->plan->pairs[t->round->run->lanes.at[slot->lane].pair];
        double start = t->send_us[pair->from];
        uint32_t host;
        for (size_t k = 0; (host = sp_model_receiver(model, pair->to, k)) != SP_NONE; k++) {
            start = t->recv_us[host] > start ? t->recv_us[host] : start;
        }
        if (!best || start < *ret_start) {
            best = slot;
            *ret_start = start;
        }
    }
    return best;
}

/* The first pass places the lanes; later passes repeat the places, with the tests in another order.
 */
static bool fill(struct timetable *t)
{
    struct slot *slot;
    double start = 0;
    while ((slot = next_slot(t, &start)) != NULL) {
        const struct sp_pair *pair =
            &t->round->run->plan->pairs[t->round->run->lanes.at[slot->lane].pair];
        double end = run_lane(t, slot, 0, start);
        if (end < 0) {
            return false;
        }
        slot->placed = true;
        slot->start_us = start;
        t->send_us[pair->from] = end;
        uint32_t host;
        for (size_t k = 0; (host = sp_model_receiver(t->round->run->model, pair->to, k)) != SP_NONE;
             k++) {
            t->recv_us[host] = end;
        }
        t->span_us = end > t->span_us ? end : t->span_us;
        t->longest_us = end - start > t->longest_us ? end - start : t->longest_us;
    }
    double gap = SP_PASS_GAP_US + t->longest_us;
    double period = t->span_us > gap ? t->span_us : gap;
    for (unsigned pass = 1; pass < t->passes; pass++) {
        for (size_t i = 0; i < t->nslots; i++) {
            if (run_lane(t, &t->slots[i], pass, t->slots[i].start_us + period * pass) < 0) {
                return false;
            }
        }
    }
    return true;
}

/* Takes a lane into the batch if it still fits. */
static enum sp_rc take_lane(struct timetable *t, uint32_t lane_index, bool *ret_fits)
{
    struct sp_round *round = t->round;
    struct sp_run_state *run = round->run;
    struct sp_lane *lane = &run->lanes.at[lane_index];
    struct slot *slot = &t->slots[t->nslots];
    *slot = (struct slot){.lane = lane_index,
                          .tries = sp_round_tries(lane),
                          .per_pass = round->kind == SP_ROUND_DENY
                                          ? sp_flows_per_pass(run, lane)
                                          : (uint16_t)sp_round_flows(run, lane, t->attempts)};
    slot->tests = sp_calloc(lane->ntests, sizeof(*slot->tests));
    if (!slot->tests) {
        return SP_E_NOMEM;
    }
    for (size_t i = 0; lane->round != run->round && i < lane->ntests; i++) {
        if (wanted(run, round->kind, lane->tests[i])) {
            slot->tests[slot->ntests++] = lane->tests[i];
        }
    }
    double step = sp_round_step_us(round, lane);
    double chunk = SP_CHUNK_US / step;
    slot->chunk = chunk > SP_CHUNK_PACKETS ? SP_CHUNK_PACKETS : chunk < 1 ? 1 : (uint32_t)chunk;
    size_t per_pass = slot->ntests * slot->per_pass;
    size_t checkpoints = ((per_pass + slot->chunk - 1) / slot->chunk + 1) * t->passes;
    size_t controls = checkpoints * slot->tries;
    size_t own = (size_t)slot->per_pass * t->passes * sp_round_variants(lane);
    size_t ids = own + controls * lane->control.nflows;
    size_t shots = per_pass * t->passes + controls * lane->control.nflows;
    *ret_fits = slot->ntests == 0 || (round->batch->next_id + ids <= SP_BATCH_MAX_BLOCKS &&
                                      round->batch->nshots + shots <= SP_BATCH_MAX_SHOTS &&
                                      controls < UINT16_MAX && own < UINT16_MAX);
    if (slot->ntests == 0 || !*ret_fits) {
        sp_free(slot->tests);
        return SP_OK;
    }
    slot->block = sp_round_add_tests(round, lane, (uint16_t)own);
    for (unsigned k = 0; k < lane->control.nflows; k++) {
        slot->control[k] = sp_round_add_control(round, &lane->control.flows[k], (uint16_t)controls);
    }
    lane->round = run->round;
    t->nslots++;
    return SP_OK;
}

static void release(struct sp_round *round, struct timetable *t)
{
    for (size_t i = 0; i < t->nslots; i++) {
        sp_free(t->slots[i].tests);
    }
    sp_free(t->slots);
    sp_free(t->send_us);
    sp_free(t->recv_us);
    sp_free(round->checkpoints);
    sp_free(round->attempts);
    sp_batch_free(round->batch);
}

enum sp_rc sp_round_run(struct sp_run_state *run, enum sp_round_kind kind, unsigned attempts,
                        bool *ret_left, struct sp_diag *diag)
{
    struct sp_round round = {.run = run, .kind = kind};
    struct timetable t = {.round = &round,
                          .passes = kind == SP_ROUND_DENY ? attempts : 1,
                          .attempts = attempts,
                          .rng = {run->seed + run->next_batch * 0x9e3779b97f4a7c15ULL}};
    *ret_left = false;
    enum sp_rc rc = sp_round_new_batch(run, &round.batch);
    t.slots = sp_calloc(run->lanes.n, sizeof(*t.slots));
    t.send_us = sp_calloc(run->model->nhosts, sizeof(*t.send_us));
    t.recv_us = sp_calloc(run->model->nhosts, sizeof(*t.recv_us));
    uint32_t *order = sp_calloc(run->lanes.n, sizeof(*order));
    if (rc == SP_OK && (!t.slots || !t.send_us || !t.recv_us || !order)) {
        rc = SP_E_NOMEM;
    }
    for (uint32_t i = 0; rc == SP_OK && i < run->lanes.n; i++) {
        order[i] = i;
    }
    if (rc == SP_OK) {
        shuffle(&t.rng, order, run->lanes.n);
    }
    for (size_t i = 0; rc == SP_OK && i < run->lanes.n; i++) {
        bool fits = true;
        rc = take_lane(&t, order[i], &fits);
        *ret_left = *ret_left || !fits;
    }
    sp_free(order);
    *ret_left = *ret_left && t.nslots > 0; /* what does not even fit alone never will */
    if (rc == SP_OK && t.nslots > 0) {
        rc = fill(&t) ? sp_batch_run(round.batch, diag)
                      : sp_fail(diag, SP_E_LIMIT, "round",
                                "no fresh source port is left, or memory is out");
        if (rc == SP_OK) {
            run->max_rtt_us = round.batch->max_rtt_us;
            rc = sp_round_count(&round);
            sp_evidence_fetch(&round);
        }
    }
    release(&round, &t);
    return rc == SP_E_NOMEM ? sp_fail(diag, rc, "round", "out of memory") : rc;
}
