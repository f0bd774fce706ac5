/* SPDX-License-Identifier: Apache-2.0
 *
 * How long the sweeps of a plan take, at the rates that the topology allows.
 *
 * Sweeps run in the rounds of a tournament (tournament.h), in each of which a host sends to one and
 * receives from one other. A round begins when the one before has ended, and takes
 *
 *     T = the longest of  packets / min(rate of sender, rate of receiver)     per sender
 *         and of  packets of all senders through it / max_rate                per enforcement point
 *     max(T, (P - 1) seconds + T / P)                              P passes, a second apart
 *
 * All of them together are the sum. What a round costs besides (orders, draining, results, volleys
 * that are sent again) is not in it. */
#include <math.h>
#include <stdlib.h>

#include "probe/base/mem.h"
#include "topologies/plan_priv.h"
#include "topologies/tournament.h"

static int by_hosts(const void *pa, const void *pb)
{
    const struct sp_load *a = pa, *b = pb;
    if (a->from != b->from) {
        return a->from < b->from ? -1 : 1;
    }
    return (a->to > b->to) - (a->to < b->to);
}

struct clock {
    const struct sp_model *model;
    const struct sp_load *loads; /* by hosts */
    size_t n;
    struct sp_match *matches; /* by round */
    uint64_t *through;        /* packets of this round, per enforcement point */
};

static const struct sp_load *load_of(const struct clock *clock, const struct sp_match *match)
{
    const struct sp_load key = {.from = match->from, .to = match->to};
    return bsearch(&key, clock->loads, clock->n, sizeof(key), by_hosts);
}

/* The matches first .. end - 1 are one round. */
static double round_seconds(const struct clock *clock, size_t first, size_t end)
{
    const struct sp_model *model = clock->model;
    double longest = 0;
    uint32_t passes = 1;
    for (size_t i = first; i < end; i++) {
        const struct sp_load *load = load_of(clock, &clock->matches[i]);
        uint32_t out = sp_model_host_rate(model, load->from);
        uint32_t in = sp_model_host_rate(model, load->to);
        double need = (double)load->packets / (out < in ? out : in);
        longest = need > longest ? need : longest;
        passes = load->passes > passes ? load->passes : passes;
        if (load->point != SP_NONE && model->enforcements[load->point].max_rate > 0) {
            uint64_t *through = &clock->through[load->point];
            *through += load->packets;
            need = (double)*through / model->enforcements[load->point].max_rate;
            longest = need > longest ? need : longest;
        }
    }
    for (size_t i = first; i < end; i++) {
        const struct sp_load *load = load_of(clock, &clock->matches[i]);
        if (load->point != SP_NONE) {
            clock->through[load->point] = 0;
        }
    }
    double apart = (passes - 1) + longest / passes;
    return longest > apart ? longest : apart;
}

enum sp_rc sp_sweep_seconds(const struct sp_model *model, struct sp_load *loads, size_t n,
                            uint64_t *ret_seconds)
{
    struct clock clock = {.model = model, .loads = loads, .n = n};
    uint32_t rounds = 0;
    double sum = 0;
    *ret_seconds = 0;
    if (n == 0) {
        return SP_OK;
    }
    qsort(loads, n, sizeof(*loads), by_hosts);
    clock.matches = sp_calloc(n, sizeof(*clock.matches));
    clock.through = sp_calloc(model->nenforcements, sizeof(*clock.through));
    enum sp_rc rc = clock.matches && clock.through ? SP_OK : SP_E_NOMEM;
    for (size_t i = 0; rc == SP_OK && i < n; i++) {
        clock.matches[i] = (struct sp_match){.from = loads[i].from, .to = loads[i].to};
    }
    if (rc == SP_OK) {
        rc = sp_tournament(clock.matches, n, model->nhosts, &rounds);
    }
    for (size_t i = 0, end; rc == SP_OK && i < n; i = end) {
        for (end = i + 1; end < n && clock.matches[end].round == clock.matches[i].round;) {
            end++;
        }
        sum += round_seconds(&clock, i, end);
    }
    sp_free(clock.matches);
    sp_free(clock.through);
    *ret_seconds = (uint64_t)ceil(sum);
    return rc;
}
