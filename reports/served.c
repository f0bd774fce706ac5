/* SPDX-License-Identifier: Apache-2.0
 *
 * What the clients of load balancers saw: one row per client, listener and address of a balancer,
 * in an order that people read. */
#include <stdlib.h>

#include "probe/base/mem.h"
#include "reports/group.h"

static int cmp_served(const void *pa, const void *pb)
{
    const struct sp_served *a = pa;
    const struct sp_served *b = pb;
    SP_CMP(a->balancer, b->balancer);
    SP_CMP(a->listener, b->listener);
    int order = sp_addr_cmp(&a->addr, &b->addr);
    if (order != 0) {
        return order;
    }
    SP_CMP(a->from, b->from);
    SP_CMP(a->test, b->test);
    return 0;
}

/* The listener that an allowed or permitted test speaks to, also when no backend has a probe. */
static bool find_served(const struct sp_result *result, uint32_t test, struct sp_served *ret_row)
{
    const struct sp_test *t = &result->tests[test];
    const struct sp_pair *pair = &result->plan->pairs[t->pair];
    const struct sp_listener *listener =
        t->expect == SP_EXPECT_DENY ? NULL
                                    : sp_model_listener(result->model, pair->to, t->proto, t->port);
    if (!listener) {
        return false;
    }
    uint32_t balancer = pair->to - (uint32_t)result->model->nhosts;
    *ret_row = (struct sp_served){
        .balancer = balancer,
        .listener = (uint32_t)(listener - result->model->balancers[balancer].listeners),
        .addr = pair->dst,
        .from = pair->from,
        .test = test};
    return true;
}

enum sp_rc sp_group_served(struct sp_summary *summary)
{
    const struct sp_result *result = summary->result;
    size_t cap = 0;
    for (uint32_t i = 0; i < result->ntests; i++) {
        struct sp_served row;
        if (!find_served(result, i, &row)) {
            continue;
        }
        if (sp_grow((void **)&summary->served, summary->nserved, &cap, sizeof(row)) != 0) {
            return SP_E_NOMEM;
        }
        summary->served[summary->nserved++] = row;
    }
    if (summary->nserved > 0) {
        qsort(summary->served, summary->nserved, sizeof(*summary->served), cmp_served);
    }
    return SP_OK;
}

bool sp_served_missed(const struct sp_result *result, uint32_t test, size_t most,
                      struct sp_buf *out)
{
    const struct sp_listener *listener =
        sp_result_listener(result->model, result->plan, &result->tests[test]);
    const uint16_t *flows = result->outcomes[test].backend_flows;
    size_t n = 0;
    for (size_t i = 0; listener && flows && i < listener->nbackends; i++) {
        const struct sp_host *host = &result->model->hosts[listener->backends[i]];
        if (!host->via || flows[i] > 0) {
            continue;
        }
        if (n++ < most) {
            sp_buf_fmt(out, "%s%s", n > 1 ? ", " : "", host->name);
        }
    }
    if (n > most) {
        sp_buf_fmt(out, " and %zu more", n - most);
    }
    return n > 0;
}
