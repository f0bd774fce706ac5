/* SPDX-License-Identifier: Apache-2.0
 *
 * What a plan does with load balancers: how many tests each listener has, how many flows each of
 * them takes, and what keeps them from being run. */
#include "probe/base/buf.h"
#include "probe/base/mem.h"
#include "topologies/plan_priv.h"

#define SP_BALANCER_INDENT 6U

/* Where the listener stands in the list; the list holds one entry per listener of the model. */
static size_t index_of(const struct sp_model *model, uint32_t balancer,
                       const struct sp_listener *listener)
{
    size_t at = 0;
    for (uint32_t i = 0; i < balancer; i++) {
        at += model->balancers[i].nlisteners;
    }
    return at + (size_t)(listener - model->balancers[balancer].listeners);
}

enum sp_rc sp_plan_listeners(const struct sp_plan *plan, const struct sp_model *model,
                             struct sp_listener_plan **ret_listeners, size_t *ret_n)
{
    size_t n = 0;
    for (size_t i = 0; i < model->nbalancers; i++) {
        n += model->balancers[i].nlisteners;
    }
    struct sp_listener_plan *list = sp_calloc(n, sizeof(*list));
    if (!list) {
        return SP_E_NOMEM;
    }
    for (uint32_t b = 0; b < model->nbalancers; b++) {
        const struct sp_balancer *balancer = &model->balancers[b];
        for (uint32_t l = 0; l < balancer->nlisteners; l++) {
            const struct sp_listener *listener = &balancer->listeners[l];
            list[index_of(model, b, listener)] = (struct sp_listener_plan){
                .balancer = b,
                .listener = l,
                .flows = sp_plan_flows_for(listener->nbackends),
                .untested =
                    balancer->nreceivers > 0 ? sp_listener_hindrance(model, listener) : NULL};
        }
    }
    for (size_t i = 0; i < plan->ntests; i++) {
        const struct sp_test *test = &plan->tests[i];
        uint32_t to = plan->pairs[test->pair].to;
        const struct sp_listener *listener =
            test->expect == SP_EXPECT_DENY ? NULL
                                           : sp_model_listener(model, to, test->proto, test->port);
        if (listener) {
            list[index_of(model, to - (uint32_t)model->nhosts, listener)].tests++;
        }
    }
    *ret_listeners = list;
    *ret_n = n;
    return SP_OK;
}

static void print_listener(const struct sp_model *model, const struct sp_listener_plan *plan,
                           struct sp_buf *out)
{
    const struct sp_balancer *balancer = &model->balancers[plan->balancer];
    const struct sp_listener *listener = &balancer->listeners[plan->listener];
    char port[SP_PORTSPEC_STRLEN];
    size_t blind = 0;
    for (size_t i = 0; i < listener->nbackends; i++) {
        blind += model->hosts[listener->backends[i]].via == NULL;
    }
    struct sp_buf line;
    sp_buf_init(&line, SP_PLAN_LINE_MAX);
    sp_buf_fmt(&line, "  %s %s  ", balancer->name, sp_portspec_str(&listener->port, port));
    if (plan->untested) {
        sp_buf_fmt(&line, "NOT TESTED (%llu test%s): %s", (unsigned long long)plan->tests,
                   plan->tests == 1 ? "" : "s", plan->untested);
    } else if (blind == listener->nbackends) {
        sp_buf_fmt(&line, "%llu test%s; no backend has a probe: the address must answer",
                   (unsigned long long)plan->tests, plan->tests == 1 ? "" : "s");
    } else {
        sp_buf_fmt(&line, "%llu test%s, each of %u flows or more", (unsigned long long)plan->tests,
                   plan->tests == 1 ? "" : "s",
                   plan->flows > SP_PLAN_ALLOW_ATTEMPTS ? plan->flows : SP_PLAN_ALLOW_ATTEMPTS);
        sp_buf_fmt(&line, " (%u meet all %zu backends with 95%%)", plan->flows,
                   listener->nbackends);
        if (blind > 0) {
            sp_buf_fmt(&line, "; %zu backend%s without a probe", blind, blind == 1 ? "" : "s");
        }
        if (!sp_listener_data_ok(model, listener)) {
            sp_buf_str(&line, "; not run where a real service listens that is not marked "
                              "`data: ok`");
        }
    }
    sp_plan_end_line(out, &line, SP_BALANCER_INDENT, false);
    sp_buf_release(&line);
}

void sp_plan_print_balancers(const struct sp_plan *plan, const struct sp_model *model,
                             struct sp_buf *out)
{
    struct sp_listener_plan *list = NULL;
    size_t n = 0;
    if (sp_plan_listeners(plan, model, &list, &n) != SP_OK) {
        out->rc = out->rc == SP_OK ? SP_E_NOMEM : out->rc;
        return;
    }
    bool any = false;
    for (size_t i = 0; i < n; i++) {
        if (list[i].tests > 0) {
            sp_buf_str(out, any ? "" : "Load balancers\n");
            print_listener(model, &list[i], out);
            any = true;
        }
    }
    sp_free(list);
}
