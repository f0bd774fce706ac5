/* SPDX-License-Identifier: Apache-2.0
 *
 * Real services are left alone (design section 6): which tests must not run because of who listens
 * at their end. */
#include "controller/run_priv.h"
#include "probe/techniques/registry.h"

/* Does a real service stand where the test's packets end? Any address of the family will do for a
 * backend: the balancer decides. */
static bool is_served(const struct sp_run_state *run, const struct sp_pair *pair, uint32_t host,
                      uint8_t proto, uint16_t port)
{
    const struct sp_session *session = &run->fleet->sessions[host];
    const struct sp_host *at = &run->model->hosts[host];
    bool served = !pair->is_balanced && sp_session_listens(session, proto, port, &pair->own);
    for (size_t i = 0; pair->is_balanced && i < at->naddrs; i++) {
        served = served || (at->addrs[i].family == pair->family &&
                            sp_session_listens(session, proto, port, &at->addrs[i]));
    }
    return served;
}

bool sp_run_is_service(const struct sp_run_state *run, const struct sp_pair *pair, uint8_t proto,
                       uint16_t port)
{
    uint32_t host;
    bool served = false;
    for (size_t i = 0; (host = sp_model_receiver(run->model, pair->to, i)) != SP_NONE; i++) {
        served = served || is_served(run, pair, host, proto, port);
    }
    return served && !sp_model_data_ok(run->model, proto, port);
}

/* Tagged payload never goes to a real service that is not marked for it, and a conversation needs
 * somebody who takes it (design section 6). NULL: the test may run. */
static const char *why_not(const struct sp_run_state *run, const struct sp_test *test)
{
    const struct sp_pair *pair = &run->plan->pairs[test->pair];
    if (test->sport > 0) {
        if (sp_session_listens(&run->fleet->sessions[pair->from], test->proto, test->sport,
                               &pair->src)) {
            return "a service of the sender uses the source port that would be tried";
        }
        if (sp_ledger_opens(run->ledger, &pair->src, &pair->dst, test->proto, test->sport,
                            test->port)) {
            return "an earlier test was its reverse, and a firewall may still remember it";
        }
    }
    bool talks = sp_technique_talks(test->technique);
    if (pair->one_sided || (!talks && test->proto != SP_PROTO_UDP)) {
        return NULL;
    }
    const struct sp_listener *listener =
        sp_model_listener(run->model, pair->to, test->proto, test->port);
    if (pair->is_balanced && talks && !listener) {
        return "the balancer itself serves there, and tagged data would reach a real service";
    }
    uint16_t port = listener ? listener->backend_port : test->port;
    if (sp_model_data_ok(run->model, test->proto, port) ||
        sp_model_data_ok(run->model, test->proto, test->port)) {
        return NULL;
    }
    for (size_t i = 0; listener && i < listener->nbackends; i++) {
        if (!run->model->hosts[listener->backends[i]].via) {
            return "a backend without a probe may run a real service, which is not marked "
                   "`data: ok`";
        }
    }
    uint32_t host;
    for (size_t i = 0; (host = sp_model_receiver(run->model, pair->to, i)) != SP_NONE; i++) {
        if (listener && !sp_listener_has(listener, host)) {
            continue;
        }
        if (is_served(run, pair, host, test->proto, port)) {
            return "a real service listens there, and it is not marked `data: ok`";
        }
        if (talks && sp_model_host_hazard(run->model, host) < 'B') {
            return "nothing listens there, and a stand-in listener needs hazard class B";
        }
    }
    return NULL;
}

void sp_run_leave_services(struct sp_run_state *run)
{
    for (size_t i = 0; i < run->plan->ntests; i++) {
        run->outcomes[i].not_tested = why_not(run, &run->plan->tests[i]);
        run->tallies[i].is_settled = run->outcomes[i].not_tested != NULL;
    }
}
