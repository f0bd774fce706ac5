/* SPDX-License-Identifier: Apache-2.0
 *
 * Load balancers, beyond the flows to them: their addresses, and how their listeners behave. Data
 * goes only to stand-in listeners (hazard class B) and to services marked `data: ok`; where neither
 * is possible, what was declared is not observable, and a claim says so. */
#include "controller/inspect/balancers.h"

#include <stdio.h>
#include <string.h>

#include "controller/round.h"
#include "probe/base/mem.h"
#include "probe/base/proto.h"
#include "reports/summary.h"

static bool is_ready(const struct sp_lb *lb, uint32_t host)
{
    return lb->run->fleet->sessions[host].state == SP_PROBE_READY;
}

/* ---- claims ---- */

static void subject_of(const struct sp_lb *lb, const struct sp_addr *addr, char *out, size_t size)
{
    char text[SP_ADDR_STRLEN], port[SP_PORTSPEC_STRLEN];
    if (lb->listener && addr) {
        (void)snprintf(out, size, "%s %s at %s", lb->balancer->name,
                       sp_portspec_str(&lb->listener->port, port), sp_addr_str(addr, text));
    } else if (lb->listener) {
        (void)snprintf(out, size, "%s %s", lb->balancer->name,
                       sp_portspec_str(&lb->listener->port, port));
    } else {
        (void)snprintf(out, size, "%s%s%s", lb->balancer->name, addr ? " " : "",
                       addr ? sp_addr_str(addr, text) : "");
    }
}

enum sp_rc sp_lb_claim(struct sp_lb *lb, const char *check, const struct sp_addr *addr,
                       const char *expected, const struct sp_lb_said *said)
{
    char subject[200];
    uint32_t host = SP_NONE;
    subject_of(lb, addr, subject, sizeof(subject));
    for (size_t w = 0; addr && w < lb->nways; w++) {
        host = sp_addr_eq(&lb->ways[w].dst, addr) ? lb->ways[w].client : host;
    }
    const struct sp_claim claim = {.kind = SP_CLAIM_BALANCER,
                                   .verdict = said->verdict,
                                   .severity = said->severity,
                                   .host = host,
                                   .target = (uint32_t)lb->model->nhosts + lb->index,
                                   .check = check,
                                   .subject = subject,
                                   .expected = expected,
                                   .observed = said->observed[0] ? said->observed : NULL,
                                   .cause = said->cause,
                                   .remedy = said->remedy,
                                   .pos = lb->listener ? lb->listener->pos : lb->balancer->pos};
    return sp_claims_add(&lb->inspect->result->claims, &claim);
}

enum sp_rc sp_lb_claim_unseen(struct sp_lb *lb, const char *check, const char *expected)
{
    struct sp_lb_said said = {.verdict =
                                  lb->is_consent ? SP_CLAIM_NOT_OBSERVABLE : SP_CLAIM_UNKNOWN,
                              .cause = lb->why,
                              .remedy = lb->help};
    return sp_lb_claim(lb, check, NULL, expected, &said);
}

/* ---- who can look ---- */

bool sp_lb_is_service(const struct sp_lb *lb, uint32_t host)
{
    const struct sp_host *at = &lb->model->hosts[host];
    bool listens = false;
    for (size_t i = 0; i < at->naddrs; i++) {
        listens = listens || sp_session_listens(&lb->run->fleet->sessions[host], SP_PROTO_TCP,
                                                lb->listener->backend_port, &at->addrs[i]);
    }
    return listens;
}

static void refuse(struct sp_lb *lb, bool is_consent, const char *why, const char *help)
{
    if (!lb->why) {
        lb->why = why;
        lb->help = help;
        lb->is_consent = is_consent;
    }
}

/* A backend that would get our data: may it? */
static void check_backend(struct sp_lb *lb, uint32_t host)
{
    const struct sp_host *at = &lb->model->hosts[host];
    if (!at->via) {
        refuse(lb, true,
               "a backend has no probe, and may run a real service that is not marked `data: ok`",
               "give every backend a probe, or mark the service on its port with `data: ok`");
    } else if (!is_ready(lb, host)) {
        refuse(lb, false, "the probe of a backend is not there", "see what the fleet says of it");
    } else if (sp_lb_is_service(lb, host)) {
        refuse(lb, true, "a real service listens on a backend, and is not marked `data: ok`",
               "mark the service on the backends' port with `data: ok`, or verify while the port "
               "is free");
    } else if (sp_model_host_hazard(lb->model, host) < 'B') {
        refuse(lb, true, "it needs stand-in listeners on the backends, which are of hazard class B",
               "allow `hazard: B` for the networks of the backends");
    }
}

static bool any_client(const struct sp_lb *lb)
{
    bool any = false;
    for (size_t w = 0; w < lb->nways; w++) {
        any = any || lb->ways[w].client != SP_NONE;
    }
    return any;
}

static void find_why(struct sp_lb *lb)
{
    const struct sp_listener *listener = lb->listener;
    bool data_ok = sp_model_data_ok(lb->model, SP_PROTO_TCP, listener->backend_port) ||
                   sp_model_data_ok(lb->model, SP_PROTO_TCP, listener->port.lo);
    lb->why = NULL;
    if (listener->port.proto != SP_PROTO_TCP) {
        refuse(lb, true, "how a balancer behaves is measured with TCP conversations",
               "look at it by hand");
    }
    if (lb->balancer->naddrs == 0) {
        refuse(lb, true, "the balancer has no address yet", "declare its address once it is given");
    } else if (!any_client(lb)) {
        refuse(lb, true, "no host that may use it has a probe (and was selected)",
               "give a host of its `from` a probe");
    }
    for (size_t i = 0; !data_ok && i < listener->nbackends; i++) {
        check_backend(lb, listener->backends[i]);
    }
}

static bool is_backend(const struct sp_balancer *balancer, uint32_t host)
{
    bool is = false;
    for (size_t l = 0; l < balancer->nlisteners; l++) {
        is = is || sp_listener_has(&balancer->listeners[l], host);
    }
    return is;
}

/* A client for each address: of its family, better no backend. */
static void find_clients(struct sp_lb *lb)
{
    for (size_t a = 0; a < lb->nways; a++) {
        struct sp_lb_way *way = &lb->ways[a];
        *way = (struct sp_lb_way){.client = SP_NONE, .dst = lb->balancer->addrs[a]};
        uint32_t nhosts = (uint32_t)lb->model->nhosts;
        for (uint32_t k = 0; k < 2 * nhosts && way->client == SP_NONE; k++) {
            bool second = k >= nhosts;
            uint32_t host = second ? k - nhosts : k;
            struct sp_lb_way found;
            if (sp_bits_get(&lb->balancer->from, host) && sp_inspect_is_from(lb->inspect, host) &&
                is_ready(lb, host) && is_backend(lb->balancer, host) == second &&
                sp_lb_way_of(lb, host, &lb->balancer->addrs[a], &found)) {
                *way = found;
            }
        }
    }
}

/* ---- addresses ---- */

static enum sp_rc claim_pool(struct sp_lb *lb, const struct sp_addr *addr)
{
    struct sp_lb_said said = {.verdict = SP_CLAIM_HOLDS};
    char expected[400] = "inside ";
    char text[SP_PREFIX_STRLEN];
    size_t n = strlen(expected);
    bool inside = false;
    for (size_t i = 0; i < lb->balancer->npool; i++) {
        inside = inside || sp_prefix_has(&lb->balancer->pool[i], addr);
        if (n + SP_PREFIX_STRLEN + 2 < sizeof(expected)) {
            n += (size_t)snprintf(expected + n, sizeof(expected) - n, "%s%s", i > 0 ? ", " : "",
                                  sp_prefix_str(&lb->balancer->pool[i], text));
        }
    }
    (void)sp_addr_str(addr, said.observed);
    if (!inside) {
        said.verdict = SP_CLAIM_FAILS;
        said.severity = SP_SEVERITY_MEDIUM;
        said.cause = "the address was not taken from the pool: filters that are written for the "
                     "pool do not know it";
        said.remedy = "give the balancer an address of its pool, or correct the pool";
    }
    return sp_lb_claim(lb, "address_pool", addr, expected, &said);
}

static enum sp_rc claim_addresses(struct sp_lb *lb)
{
    enum sp_rc rc = SP_OK;
    bool has_tcp = false;
    lb->listener = NULL;
    for (size_t l = 0; l < lb->balancer->nlisteners; l++) {
        has_tcp = has_tcp || lb->balancer->listeners[l].port.proto == SP_PROTO_TCP;
    }
    if (lb->balancer->is_pending) {
        const struct sp_lb_said said = {
            .verdict = SP_CLAIM_FAILS,
            .severity = SP_SEVERITY_HIGH,
            .observed = "pending",
            .cause = "the provider has given it no address: no quota, no pool, no controller for "
                     "balancers in this cluster, or it is not ready yet",
            .remedy = "look at the events of the service or balancer, then declare its address"};
        rc = sp_lb_claim(lb, "address_present", NULL, "an address", &said);
    }
    for (size_t a = 0; a < lb->nways && rc == SP_OK; a++) {
        struct sp_lb_said said = {0};
        const struct sp_addr *addr = &lb->balancer->addrs[a];
        if (lb->ways[a].client != SP_NONE && has_tcp) {
            sp_lb_judge_present(&lb->present[a], &said);
        } else {
            sp_lb_unknown(&said,
                          has_tcp ? "no host that may use it has a probe and an address of its "
                                    "family (and was selected)"
                                  : "it has no listener of TCP",
                          has_tcp ? "give a host of its `from` a probe" : "look at it by hand");
            said.verdict = SP_CLAIM_NOT_OBSERVABLE;
        }
        rc = sp_lb_claim(lb, "address_present", addr, "answers its clients", &said);
        if (rc == SP_OK && lb->balancer->npool > 0) {
            rc = claim_pool(lb, addr);
        }
    }
    return rc;
}

/* ---- one balancer ---- */

/* Everything declared of a listener that conversations would show. */
static enum sp_rc claim_unseen(struct sp_lb *lb)
{
    const struct sp_listener *listener = lb->listener;
    char skew[32] = "";
    if (listener->max_skew >= 0) {
        (void)snprintf(skew, sizeof(skew), "at most %.0f %%", 100 * listener->max_skew);
    }
    const struct {
        const char *check, *expected;
        bool is_declared;
    } all[] = {
        {"source", listener->source, listener->has_source},
        {"proxy_protocol", listener->proxy_protocol, listener->has_proxy_protocol},
        {"skew", skew[0] ? skew : "the declared weights",
         listener->max_skew >= 0 || listener->weights},
        {"affinity", listener->affinity, listener->affinity != NULL},
        {"cross_zone", listener->cross_zone, listener->cross_zone != NULL},
        {"tls_mode", listener->tls, listener->tls != NULL},
        {"hairpin", listener->hairpin, listener->hairpin != NULL},
    };
    enum sp_rc rc = SP_OK;
    for (size_t i = 0; i < SP_ARRAY_LEN(all) && rc == SP_OK; i++) {
        if (all[i].is_declared) {
            rc = sp_lb_claim_unseen(lb, all[i].check, all[i].expected);
        }
    }
    return rc;
}

static enum sp_rc look_at_listener(struct sp_lb *lb, struct sp_diag *diag)
{
    find_why(lb);
    enum sp_rc rc = lb->why ? claim_unseen(lb) : SP_OK;
    if (rc == SP_OK && lb->listener->port.proto == SP_PROTO_TCP && any_client(lb)) {
        rc = sp_lb_talk(lb, diag);
    }
    if (rc == SP_OK) {
        rc = sp_lb_drill(lb, diag);
    }
    if (rc == SP_OK) {
        rc = sp_lb_idle(lb, diag);
    }
    return rc == SP_OK ? sp_lb_health(lb, diag) : rc;
}

static enum sp_rc look_at(struct sp_lb *lb, struct sp_diag *diag)
{
    lb->nways = lb->balancer->naddrs;
    lb->ways = sp_calloc(lb->nways ? lb->nways : 1, sizeof(*lb->ways));
    lb->present = sp_calloc(lb->nways ? lb->nways : 1, sizeof(*lb->present));
    enum sp_rc rc = lb->ways && lb->present ? SP_OK : SP_E_NOMEM;
    if (rc == SP_OK) {
        find_clients(lb);
    }
    for (size_t l = 0; l < lb->balancer->nlisteners && rc == SP_OK; l++) {
        lb->listener = &lb->balancer->listeners[l];
        rc = look_at_listener(lb, diag);
    }
    if (rc == SP_OK) {
        rc = claim_addresses(lb);
    }
    sp_free(lb->ways);
    sp_free(lb->present);
    return rc;
}

/* ---- the inspector ---- */

static bool is_selected(const struct sp_inspect *inspect, const struct sp_model *model,
                        size_t balancer)
{
    return sp_inspect_is_to(inspect, (uint32_t)(model->nhosts + balancer));
}

static void want(const struct sp_inspect *inspect, const struct sp_model *model,
                 struct sp_bits *hosts)
{
    for (size_t b = 0; b < model->nbalancers; b++) {
        const struct sp_balancer *balancer = &model->balancers[b];
        uint8_t families = 0; /* of clients that were found */
        for (uint32_t h = 0; is_selected(inspect, model, b) && h < model->nhosts; h++) {
            const struct sp_host *host = &model->hosts[h];
            uint8_t has = 0;
            for (size_t i = 0; i < host->naddrs; i++) {
                has |= (uint8_t)(1U << host->addrs[i].family);
            }
            bool may =
                host->via && sp_bits_get(&balancer->from, h) && sp_inspect_is_from(inspect, h);
            if (sp_inspect_is_prober(model, balancer, h) ||
                (host->via && is_backend(balancer, h))) {
                sp_bits_set(hosts, h);
            } else if (may && (has & ~families) != 0) {
                sp_bits_set(hosts, h);
                families |= has;
            }
        }
    }
}

static enum sp_rc look(const struct sp_inspect *inspect, struct sp_run_state *run,
                       struct sp_diag *diag)
{
    enum sp_rc rc = SP_OK;
    for (uint32_t b = 0; b < run->model->nbalancers && rc == SP_OK; b++) {
        struct sp_lb lb = {.inspect = inspect,
                           .run = run,
                           .model = run->model,
                           .index = b,
                           .balancer = &run->model->balancers[b]};
        if (is_selected(inspect, run->model, b)) {
            rc = look_at(&lb, diag);
        }
    }
    return rc == SP_E_NOMEM ? sp_fail(diag, rc, "balancers", "out of memory") : rc;
}

const struct sp_inspector sp_inspect_balancers = {.want = want, .look = look};
