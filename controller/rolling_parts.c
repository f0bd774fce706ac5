/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "controller/rolling_priv.h"
#include "probe/base/clock.h"
#include "probe/base/mem.h"

/* A part that some lane does not let be covered is tried so often out of its turn, then not before
 * the others have had theirs: one port that is never conclusive must not hold up the cycle. */
#define SP_FRUITLESS_MAX 2U

/* ---- which part ---- */

/* Denied ports of a part that no run has covered. */
static uint64_t open_ports(const struct sp_rolling *rolling, size_t part)
{
    uint64_t n = 0;
    for (size_t i = 0; i < rolling->state.nlanes; i++) {
        n += *sp_rolling_cell(rolling, i, part) ? 0 : sp_rolling_weight(rolling, i, part);
    }
    return n;
}

struct sp_slice sp_rolling_next(const struct sp_rolling *rolling)
{
    const struct sp_rolling_state *state = &rolling->state;
    uint32_t oldest = 0;
    uint32_t worst = SP_NONE;
    uint64_t most = 0;
    for (uint32_t k = 0; k < state->nparts; k++) {
        const struct sp_rolling_part *part = &state->parts[k];
        uint64_t n = open_ports(rolling, k);
        if (part->run == 0 && n > 0) { /* never swept: in their order */
            return (struct sp_slice){k, state->nparts, state->key};
        }
        if (n > most && part->fruitless < SP_FRUITLESS_MAX) {
            worst = k;
            most = n;
        }
        oldest = part->at_s < state->parts[oldest].at_s ? k : oldest;
    }
    return (struct sp_slice){worst != SP_NONE ? worst : oldest, state->nparts, state->key};
}

enum sp_rc sp_rolling_resume(struct sp_rolling *rolling, const struct sp_slice *slice,
                             struct sp_diag *diag)
{
    if (slice->of != rolling->state.nparts || slice->key != rolling->state.key ||
        slice->at >= slice->of) {
        return sp_fail(diag, SP_E_INVALID, "--resume",
                       "the cycle of this run has started over since: start a new run with "
                       "--rolling %u",
                       (unsigned)slice->of);
    }
    rolling->slice = *slice;
    return SP_OK;
}

/* ---- what a run covered ---- */

static bool is_conclusive(const struct sp_outcome *outcome)
{
    enum sp_verdict verdict = outcome->judged.verdict;
    return verdict != SP_VERDICT_INCONCLUSIVE && verdict != SP_VERDICT_NOT_TESTED &&
           verdict != SP_VERDICT_NOT_OBSERVABLE;
}

/* Chains the denied tests of each sweep: first[sweep] and next[test] are test + 1, 0 = the end. */
static enum sp_rc chain_tests(const struct sp_result *result, uint32_t *first, uint32_t *next)
{
    struct sp_table sweeps;
    enum sp_rc rc = SP_OK;
    sp_table_init(&sweeps);
    for (size_t i = 0; i < result->plan->nsweeps && rc == SP_OK; i++) {
        const struct sp_plan_sweep *sweep = &result->plan->sweeps[i];
        uint64_t key = (uint64_t)sweep->pair << 16 | (uint64_t)sweep->proto << 8 | sweep->technique;
        rc = sp_table_put(&sweeps, key, (uint32_t)i);
    }
    for (size_t i = 0; i < result->ntests && rc == SP_OK; i++) {
        const struct sp_test *test = &result->tests[i];
        uint64_t key = (uint64_t)test->pair << 16 | (uint64_t)test->proto << 8 | test->technique;
        uint32_t row = test->expect == SP_EXPECT_DENY ? sp_table_get(&sweeps, key) : SP_NO_ROW;
        if (row != SP_NO_ROW) {
            next[i] = first[row];
            first[row] = (uint32_t)i + 1;
        }
    }
    sp_table_release(&sweeps);
    return rc;
}

/* Has every denied port of the part a conclusion? Where ranges overlap, one that has none wins. */
static bool covers(const struct sp_rolling *rolling, const struct sp_result *result, uint32_t test,
                   const uint32_t *next, struct sp_intervals list, uint8_t seen[static 65536])
{
    memset(seen, 0, 65536);
    for (; test; test = next[test - 1]) {
        const struct sp_test *at = &result->tests[test - 1];
        uint8_t mark = is_conclusive(&result->outcomes[test - 1]) ? 1 : 2;
        for (uint32_t port = at->port; port <= at->port_hi; port++) {
            seen[port] |= mark;
        }
    }
    for (size_t i = 0; i < list.n; i++) {
        for (uint32_t port = list.at[i].lo;
             list.at[i].expect == SP_EXPECT_DENY && port <= list.at[i].hi; port++) {
            if (rolling->part_of[port] == rolling->slice.at && seen[port] != 1) {
                return false;
            }
        }
    }
    return true;
}

static enum sp_rc record_lanes(struct sp_rolling *rolling, const struct sp_result *result,
                               const uint32_t *first, const uint32_t *next, uint64_t *ret_gained)
{
    struct sp_buf scratch;
    enum sp_rc rc = SP_OK;
    uint8_t *seen = sp_calloc(65536, 1);
    uint64_t at_s = result->finished_s ? result->finished_s : sp_wall_s();
    sp_buf_init(&scratch, 4U << 20);
    for (size_t i = 0; i < result->plan->nsweeps && rc == SP_OK; i++) {
        const struct sp_plan_sweep *sweep = &result->plan->sweeps[i];
        const struct sp_pair *pair = &result->plan->pairs[sweep->pair];
        const struct sp_sweep_status *status = &result->sweeps[i];
        uint8_t id[SP_ROLLING_ID_BYTES];
        struct sp_intervals list =
            sp_policy_pair(result->policy, pair->from, pair->to, sweep->proto);
        rc = seen && list.n
                 ? sp_rolling_lane_id(result->model, result->plan, sweep, list, &scratch, id)
                 : SP_E_NOMEM;
        uint32_t lane = rc == SP_OK ? sp_rolling_find(rolling, id) : SP_NO_ROW;
        if (lane != SP_NO_ROW && (status->is_run || status->is_resumed) &&
            covers(rolling, result, first[i], next, list, seen)) {
            uint32_t *when = sp_rolling_cell(rolling, lane, rolling->slice.at);
            *ret_gained += *when ? 0 : sp_rolling_weight(rolling, lane, rolling->slice.at);
            *when = (uint32_t)at_s;
        }
    }
    sp_buf_release(&scratch);
    sp_free(seen);
    return rc;
}

enum sp_rc sp_rolling_record(struct sp_rolling *rolling, const struct sp_result *result)
{
    struct sp_rolling_part *part = &rolling->state.parts[rolling->slice.at];
    const struct sp_slice *slice = &result->plan->slice;
    uint64_t gained = 0;
    if (slice->of != rolling->slice.of || slice->at != rolling->slice.at ||
        slice->key != rolling->slice.key) {
        return SP_E_INVALID;
    }
    uint32_t *first = sp_calloc(result->plan->nsweeps, sizeof(*first));
    uint32_t *next = sp_calloc(result->ntests, sizeof(*next));
    enum sp_rc rc = first && next ? chain_tests(result, first, next) : SP_E_NOMEM;
    rc = rc == SP_OK ? record_lanes(rolling, result, first, next, &gained) : rc;
    sp_free(first);
    sp_free(next);
    if (rc != SP_OK) {
        return rc;
    }
    part->run = strtoull(result->run_id, NULL, 16);
    part->at_s = result->finished_s ? result->finished_s : sp_wall_s();
    if (gained > 0 || open_ports(rolling, rolling->slice.at) == 0) {
        part->fruitless = 0;
    } else if (!result->interrupted && part->fruitless < UINT8_MAX) {
        part->fruitless++;
    }
    return SP_OK;
}

struct sp_rolling_status sp_rolling_status(const struct sp_rolling *rolling)
{
    const struct sp_rolling_state *state = &rolling->state;
    struct sp_rolling_status status = {.parts = state->nparts, .part = rolling->slice.at + 1};
    uint64_t covered = 0;
    uint64_t all = 0;
    for (size_t k = 0; k < state->nparts; k++) {
        bool is_open = false;
        for (size_t i = 0; i < state->nlanes; i++) {
            uint16_t ports = sp_rolling_weight(rolling, i, k);
            uint32_t at_s = *sp_rolling_cell(rolling, i, k);
            all += ports;
            covered += at_s ? ports : 0;
            is_open = is_open || (ports > 0 && at_s == 0);
            if (ports > 0 && at_s && (status.since_s == 0 || at_s < status.since_s)) {
                status.since_s = at_s;
            }
        }
        status.to_cover += is_open;
    }
    status.is_complete = covered == all;
    status.covered = all ? (double)covered / (double)all : 1.0;
    return status;
}
