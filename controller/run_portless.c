/* SPDX-License-Identifier: Apache-2.0
 *
 * Protocols without ports and earlier runs: a firewall that remembers such a protocol by its two
 * addresses would let the other direction pass, and segproof would find a leak that it made itself.
 * Within one run the plan asks one direction only (topologies/plan_portless.c). */
#include "controller/run_priv.h"
#include "probe/techniques/registry.h"

/* Linux's nf_conntrack_generic_timeout, and what AWS documents for its security groups. */
#define SP_GENERIC_TIMEOUT_S 600U

static uint64_t remembered_s(const struct sp_model *model, const struct sp_pair *pair)
{
    const struct sp_enforcement *e =
        sp_model_enforcement(model, sp_model_target_network(model, pair->from),
                             sp_model_target_network(model, pair->to));
    return e && e->generic_timeout_ms ? (e->generic_timeout_ms + 999) / 1000 : SP_GENERIC_TIMEOUT_S;
}

void sp_run_leave_remembered(struct sp_run_state *run)
{
    for (size_t i = 0; i < run->plan->ntests; i++) {
        const struct sp_test *test = &run->plan->tests[i];
        const struct sp_pair *pair = &run->plan->pairs[test->pair];
        if (test->proto != SP_PROTO_IP || run->outcomes[i].not_tested) {
            continue;
        }
        uint32_t age = sp_ledger_portless_age(run->ledger, &pair->own, &pair->src, test->port);
        if (age <= remembered_s(run->model, pair)) {
            run->outcomes[i].not_tested = "an earlier run sent this protocol in the other "
                                          "direction, and a firewall may still remember it";
            run->tallies[i].is_settled = true;
        }
    }
}
