/* SPDX-License-Identifier: Apache-2.0
 *
 * How many flows it takes to meet every way that packets may go side by side; see plan.h. */
#include <limits.h>
#include <math.h>

#include "topologies/plan.h"

unsigned sp_plan_flows_for(size_t k)
{
    double share = k > 1 ? 1.0 - 1.0 / (double)k : 0.0;
    double missed = (double)k; /* expected ways that no flow has taken */
    unsigned n = 0;
    for (; missed > 0.05 && n < 100000U; n++) {
        missed *= share;
    }
    return n;
}

unsigned sp_plan_flows_past(size_t k, double p)
{
    double missed = 1.0 - (1.0 - p) / (double)(k > 1 ? k : 1);
    if (missed <= 0) {
        return 1;
    }
    return missed >= 1 ? UINT_MAX : (unsigned)ceil(log(0.001) / log(missed));
}

unsigned sp_plan_ways(const struct sp_model *model, const struct sp_pair *pair)
{
    const struct sp_enforcement *e =
        sp_model_enforcement(model, sp_model_target_network(model, pair->from),
                             sp_model_target_network(model, pair->to));
    unsigned paths = e && e->paths > 1 ? e->paths : 1;
    /* A balancer may pass a denied flow on to any backend, and the way to one of them be open. */
    unsigned backends = 0;
    while (pair->is_balanced && sp_model_receiver(model, pair->to, backends) != SP_NONE) {
        backends++;
    }
    return backends > paths ? backends : paths;
}
