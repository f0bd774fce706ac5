/* SPDX-License-Identifier: Apache-2.0
 *
 * Protocols without ports: a firewall that remembers such a protocol by its two addresses would let
 * the other direction pass, and segproof would find a leak that it made itself. So nothing is asked
 * whose reverse an earlier run sent not long ago, and within one run a protocol goes one way
 * between two addresses: of ip_proto the plan asks one direction only (topologies/plan_portless.c);
 * outer packets of techniques that wrap theirs (IP in IP, GRE) keep to it, and among themselves the
 * first test of the plan decides. */
#include "controller/run_priv.h"
#include "probe/base/hash.h"
#include "probe/base/table.h"
#include "probe/techniques/registry.h"

/* Linux's nf_conntrack_generic_timeout, and what AWS documents for its security groups. */
#define SP_GENERIC_TIMEOUT_S 600U
#define SP_PROTO_NUMBER_UDP  17U

static uint64_t remembered_s(const struct sp_model *model, const struct sp_pair *pair)
{
    const struct sp_enforcement *e =
        sp_model_enforcement(model, sp_model_target_network(model, pair->from),
                             sp_model_target_network(model, pair->to));
    return e && e->generic_timeout_ms ? (e->generic_timeout_ms + 999) / 1000 : SP_GENERIC_TIMEOUT_S;
}

static void leave(struct sp_run_state *run, size_t test, const char *why)
{
    run->outcomes[test].not_tested = why;
    run->tallies[test].is_settled = true;
}

static const char earlier_run[] = "an earlier run sent this protocol in the other "
                                  "direction, and a firewall may still remember it";
static const char same_run[] = "this run sends the outer protocol in the other direction, and a "
                               "firewall may remember it (--from and --to choose one direction)";

/* One direction of a protocol between two addresses. */
static uint64_t way_key(const struct sp_addr *src, const struct sp_addr *dst, uint16_t number)
{
    static const struct sp_hash_key fold = {UINT64_C(0x7365677072666f6c),
                                            UINT64_C(0x6f6e652077617900)};
    struct {
        struct sp_addr src, dst;
        uint16_t number;
    } way = {.src = *src, .dst = *dst, .number = number};
    return sp_siphash(&fold, &way, sizeof(way));
}

static enum sp_rc settle_plain(struct sp_run_state *run, size_t i, struct sp_table *ways)
{
    const struct sp_test *test = &run->plan->tests[i];
    const struct sp_pair *pair = &run->plan->pairs[test->pair];
    uint32_t age = sp_ledger_portless_age(run->ledger, &pair->own, &pair->src, test->port);
    if (age <= remembered_s(run->model, pair)) {
        leave(run, i, earlier_run);
        return SP_OK;
    }
    return sp_table_put(ways, way_key(&pair->src, &pair->own, test->port), 0);
}

static enum sp_rc settle_wrapped(struct sp_run_state *run, size_t i, uint8_t number,
                                 struct sp_table *ways)
{
    const struct sp_test *test = &run->plan->tests[i];
    const struct sp_pair *pair = &run->plan->pairs[test->pair];
    struct sp_plan_outer outers[SP_PLAN_OUTERS];
    size_t n = sp_plan_outers(run->model, pair, test->technique, outers);
    for (size_t k = 0; k < n; k++) {
        const struct sp_plan_outer *o = &outers[k];
        if (sp_table_get(ways, way_key(&o->dst, &o->src, number)) != SP_NO_ROW) {
            leave(run, i, same_run);
            return SP_OK;
        }
        uint32_t age = sp_ledger_portless_age(run->ledger, &o->dst, &o->src, number);
        if (age <= remembered_s(run->model, pair)) {
            leave(run, i, earlier_run);
            return SP_OK;
        }
    }
    enum sp_rc rc = SP_OK;
    for (size_t k = 0; k < n && rc == SP_OK; k++) {
        rc = sp_table_put(ways, way_key(&outers[k].src, &outers[k].dst, number), 0);
    }
    return rc;
}

enum sp_rc sp_run_leave_remembered(struct sp_run_state *run)
{
    struct sp_table ways;
    enum sp_rc rc = SP_OK;
    sp_table_init(&ways);
    for (int pass = 0; pass < 2; pass++) {
        for (size_t i = 0; i < run->plan->ntests && rc == SP_OK; i++) {
            const struct sp_test *test = &run->plan->tests[i];
            uint8_t outer = sp_technique_outer(test->technique);
            if (run->outcomes[i].not_tested) {
                continue;
            }
            if (pass == 0 && test->proto == SP_PROTO_IP) {
                rc = settle_plain(run, i, &ways);
            } else if (pass == 1 && outer != 0 && outer != SP_PROTO_NUMBER_UDP) {
                rc = settle_wrapped(run, i, outer, &ways);
            }
        }
    }
    sp_table_release(&ways);
    return rc;
}
