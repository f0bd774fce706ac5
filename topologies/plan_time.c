/* SPDX-License-Identifier: Apache-2.0
 *
 * How long the sweeps of a plan take, at the rates that the topology allows.
 *
 * Sweeps run in rounds of a tournament: of n hosts, host i sends to host i + r (mod n) in round r,
 * so that each sends to one and receives from one other; rounds 1 .. n - 1 hold every ordered pair.
 * A round begins when the one before has ended, and takes
 *
 *     T(r) = max over its senders of  packets / min(rate of sender, rate of receiver)
 *            and over its enforcement points of  packets of all senders through it / max_rate
 *     time of round r = max(T(r), (P - 1) seconds + T(r) / P)     P passes, a second apart
 *
 * and all of them their sum. What a round costs besides (orders, draining, results) is not in it.
 */
#include <math.h>
#include <stdlib.h>

#include "probe/base/mem.h"
#include "topologies/plan_priv.h"

struct clock {
    const struct sp_model *model;
    uint32_t *number;  /* of a host among the n that take part */
    uint64_t *through; /* packets of this round, per enforcement point */
    uint32_t n;
};

/* Hosts that take part get numbers in their order. */
static void number_hosts(struct clock *clock, const struct sp_load *loads, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        clock->number[loads[i].from] = clock->number[loads[i].to] = 1;
    }
    for (size_t h = 0; h < clock->model->nhosts; h++) {
        clock->number[h] = clock->number[h] ? clock->n++ : 0;
    }
}

static int by_round(const void *pa, const void *pb)
{
    const struct sp_load *a = pa, *b = pb;
    return (a->round > b->round) - (a->round < b->round);
}

static double round_seconds(struct clock *clock, const struct sp_load *loads, size_t n)
{
    const struct sp_model *model = clock->model;
    double longest = 0;
    uint32_t passes = 1;
    for (size_t i = 0; i < n; i++) {
        const struct sp_load *load = &loads[i];
        uint32_t out = sp_model_host_rate(model, load->from);
        uint32_t in = sp_model_host_rate(model, load->to);
        double need = (double)load->packets / (out < in ? out : in);
        longest = need > longest ? need : longest;
        passes = load->passes > passes ? load->passes : passes;
        if (load->point != SP_NONE) {
            clock->through[load->point] += load->packets;
        }
    }
    for (size_t i = 0; i < n; i++) {
        uint32_t rate =
            loads[i].point != SP_NONE ? model->enforcements[loads[i].point].max_rate : 0;
        double need = rate > 0 ? (double)clock->through[loads[i].point] / rate : 0;
        longest = need > longest ? need : longest;
    }
    for (size_t i = 0; i < n; i++) {
        if (loads[i].point != SP_NONE) {
            clock->through[loads[i].point] = 0;
        }
    }
    double apart = (passes - 1) + longest / passes;
    return longest > apart ? longest : apart;
}

enum sp_rc sp_sweep_seconds(const struct sp_model *model, struct sp_load *loads, size_t n,
                            uint64_t *ret_seconds)
{
    struct clock clock = {.model = model};
    double sum = 0;
    *ret_seconds = 0;
    if (n == 0) {
        return SP_OK;
    }
    clock.number = sp_calloc(model->nhosts, sizeof(*clock.number));
    clock.through = sp_calloc(model->nenforcements, sizeof(*clock.through));
    if (!clock.number || !clock.through) {
        sp_free(clock.number);
        sp_free(clock.through);
        return SP_E_NOMEM;
    }
    number_hosts(&clock, loads, n);
    for (size_t i = 0; i < n; i++) {
        uint32_t from = clock.number[loads[i].from], to = clock.number[loads[i].to];
        loads[i].round = (to + clock.n - from) % clock.n;
    }
    qsort(loads, n, sizeof(*loads), by_round);
    for (size_t i = 0, end; i < n; i = end) {
        for (end = i + 1; end < n && loads[end].round == loads[i].round;) {
            end++;
        }
        sum += round_seconds(&clock, loads + i, end - i);
    }
    sp_free(clock.number);
    sp_free(clock.through);
    *ret_seconds = (uint64_t)ceil(sum);
    return SP_OK;
}
