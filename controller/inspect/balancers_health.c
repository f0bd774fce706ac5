/* SPDX-License-Identifier: Apache-2.0
 *
 * The way on which a balancer asks whether its backends are well: the declared port, path and
 * status, asked from a host of the segment that its declared sources belong to. The real service
 * answers; whoever declares how a balancer asks has declared that it is asked. */
#include <stdio.h>

#include "controller/inspect/balancers.h"
#include "controller/round_priv.h"
#include "probe/base/mem.h"
#include "probe/base/proto.h"
#include "probe/techniques/registry.h"
#include "reports/summary.h"

#define ASKS    3U
#define STEP_US 50000U

/* What came of asking one backend. */
struct asked {
    uint32_t host, block;
    uint16_t status;
    bool answered, served, refused, left;
};

bool sp_inspect_is_prober(const struct sp_model *model, const struct sp_balancer *balancer,
                          uint32_t host)
{
    bool is_asking = false;
    bool is_in = false;
    uint32_t at = model->hosts[host].network;
    for (size_t l = 0; l < balancer->nlisteners; l++) {
        is_asking = is_asking || balancer->listeners[l].health.is_declared;
    }
    for (size_t c = 0; at != SP_NONE && c < model->networks[at].ncidrs; c++) {
        for (size_t i = 0; i < balancer->nsources; i++) {
            is_in = is_in || sp_prefix_has(&model->networks[at].cidrs[c], &balancer->sources[i]);
        }
    }
    return is_asking && is_in && model->hosts[host].via != NULL;
}

/* A prober that is no backend itself, if there is one. */
static uint32_t find_prober(const struct sp_lb *lb)
{
    uint32_t found = SP_NONE;
    for (uint32_t h = 0; h < lb->model->nhosts; h++) {
        bool better = found == SP_NONE || sp_listener_has(lb->listener, found);
        if (better && lb->run->fleet->sessions[h].state == SP_PROBE_READY &&
            sp_inspect_is_prober(lb->model, lb->balancer, h)) {
            found = h;
        }
    }
    return found;
}

static uint32_t add_backend(struct sp_lb *lb, struct sp_batch *batch, uint32_t prober,
                            uint32_t host, uint64_t *at_us)
{
    const struct sp_host *at = &lb->model->hosts[host];
    const struct sp_technique_info *info = sp_technique_find("tcp_handshake");
    struct sp_lb_way way = {.client = SP_NONE};
    for (size_t i = 0; i < at->naddrs && way.client == SP_NONE; i++) {
        if (!sp_lb_way_of(lb, prober, &at->addrs[i], &way)) {
            way.client = SP_NONE;
        }
    }
    if (way.client == SP_NONE || host == prober || !info) {
        return SP_NONE;
    }
    const struct sp_health *health = &lb->listener->health;
    const struct sp_block_plan block = {.from = prober,
                                        .to = SP_NONE,
                                        .src = way.src,
                                        .dst = way.dst,
                                        .own = way.dst,
                                        .src_seen = way.src,
                                        .technique = (uint8_t)sp_technique_index(info),
                                        .attempts = ASKS,
                                        .flags = health->is_http ? SP_BLOCK_HTTP : SP_BLOCK_MUTE};
    uint32_t row = sp_batch_add_block(batch, &block);
    for (uint16_t i = 0; row != SP_NONE && i < ASKS; i++) {
        uint16_t sport =
            sp_ledger_take(lb->run->ledger, &way.src, &way.dst, SP_PROTO_TCP, health->port, false);
        if (sport == 0 ||
            sp_batch_add_shot(batch, row, i, health->port, sport, (uint32_t)*at_us) == SP_NONE) {
            return SP_NONE;
        }
        *at_us += STEP_US;
    }
    return row;
}

static void count(const struct sp_batch *batch, struct asked *asked)
{
    for (size_t i = 0; asked->block != SP_NONE && i < batch->nshots; i++) {
        const struct sp_shot_seen *shot = &batch->shots[i];
        if (shot->block != asked->block) {
            continue;
        }
        asked->left = asked->left || shot->has_left;
        asked->answered =
            asked->answered || shot->answer == SP_ANSWER_SYN_ACK || shot->answer == SP_ANSWER_DATA;
        asked->refused = asked->refused || shot->answer == SP_ANSWER_RST ||
                         shot->answer == SP_ANSWER_UNREACHABLE;
        asked->status = shot->status ? shot->status : asked->status;
    }
}

static bool is_listening(const struct sp_lb *lb, uint32_t host)
{
    const struct sp_host *at = &lb->model->hosts[host];
    bool listens = lb->run->fleet->sessions[host].state != SP_PROBE_READY; /* nobody knows */
    for (size_t i = 0; i < at->naddrs; i++) {
        listens = listens || sp_session_listens(&lb->run->fleet->sessions[host], SP_PROTO_TCP,
                                                lb->listener->health.port, &at->addrs[i]);
    }
    return listens;
}

static void fail(struct sp_lb_said *said, enum sp_severity severity, const char *cause,
                 const char *remedy)
{
    said->verdict = SP_CLAIM_FAILS;
    said->severity = (uint8_t)severity;
    said->cause = cause;
    said->remedy = remedy;
}

static void judge(const struct sp_lb *lb, const struct asked *asked, struct sp_lb_said *said)
{
    const struct sp_health *health = &lb->listener->health;
    const char *name = lb->model->hosts[asked->host].name;
    size_t size = sizeof(said->observed);
    if (!asked->left) {
        sp_lb_unknown(said, "nobody could ask: no address of one family, or no route",
                      "give a host of the sources' segment an address of the backends' family");
    } else if (asked->answered && !health->is_http) {
        (void)snprintf(said->observed, size, "%s takes connections", name);
        said->verdict = SP_CLAIM_HOLDS;
    } else if (asked->status > 0) {
        (void)snprintf(said->observed, size, "%s answers with status %u", name, asked->status);
        said->verdict = SP_CLAIM_HOLDS;
        if (asked->status != health->status) {
            fail(said, SP_SEVERITY_HIGH,
                 "the balancer asks for a path that the service answers in another way: it takes "
                 "well backends out (a gateway answers 404 to the path /, say)",
                 "correct the path or the status of the health check, or what the service answers");
        }
    } else if (asked->answered) {
        (void)snprintf(said->observed, size,
                       "%s takes connections and gives no HTTP answer within "
                       "0.7 s",
                       name);
        fail(said, SP_SEVERITY_HIGH,
             "the service does not speak HTTP there, or answers too late: the balancer takes the "
             "backend out",
             "ask by TCP, or for a path and port that answer");
    } else if (asked->refused && !is_listening(lb, asked->host)) {
        (void)snprintf(said->observed, size, "%s refuses: nobody listens on port %u", name,
                       health->port);
        sp_lb_unknown(said,
                      "the service is not there yet; many open no port before a first route is "
                      "configured",
                      "verify once the service runs");
    } else if (asked->refused) {
        (void)snprintf(said->observed, size, "%s refuses connections", name);
        fail(said, SP_SEVERITY_HIGH, "a filter rejects what the balancer asks",
             "allow the health check's port from the balancer's sources");
    } else {
        (void)snprintf(said->observed, size, "%s does not answer", name);
        fail(said, SP_SEVERITY_HIGH,
             "the way of the health check is not open from the segment of the balancer's sources: "
             "all backends look dead to it",
             "allow the health check's port from the balancer's sources to the backends");
    }
}

static enum sp_rc ask_all(struct sp_lb *lb, uint32_t prober, const char *expected,
                          struct sp_diag *diag)
{
    size_t n = lb->listener->nbackends;
    uint64_t at_us = 0;
    struct sp_batch *batch = NULL;
    struct asked *asked = sp_calloc(n ? n : 1, sizeof(*asked));
    enum sp_rc rc = asked ? sp_round_new_batch(lb->run, &batch) : SP_E_NOMEM;
    for (size_t i = 0; rc == SP_OK && i < n; i++) {
        asked[i].host = lb->listener->backends[i];
        asked[i].block = add_backend(lb, batch, prober, asked[i].host, &at_us);
    }
    if (rc == SP_OK) {
        batch->keep_bytes = 0;
        batch->path = lb->listener->health.path;
        rc = batch->nshots > 0 ? sp_batch_run(batch, diag) : SP_OK;
        sp_round_add_counters(lb->run, batch);
    }
    for (size_t i = 0; rc == SP_OK && i < n; i++) {
        struct sp_lb_said said = {0};
        if (asked[i].host == prober && n > 1) {
            continue; /* nobody asks himself by way of the network */
        }
        count(batch, &asked[i]);
        judge(lb, &asked[i], &said);
        rc = sp_lb_claim(lb, "health_path", NULL, expected, &said);
    }
    sp_batch_free(batch);
    sp_free(asked);
    return rc;
}

enum sp_rc sp_lb_health(struct sp_lb *lb, struct sp_diag *diag)
{
    const struct sp_health *health = &lb->listener->health;
    char expected[160];
    struct sp_lb_said said = {0};
    if (!health->is_declared || (lb->run->stop_flag && *lb->run->stop_flag)) {
        return SP_OK;
    }
    if (health->is_http) {
        (void)snprintf(expected, sizeof(expected), "HTTP %u for %s on port %u", health->status,
                       health->path, health->port);
    } else {
        (void)snprintf(expected, sizeof(expected), "connections on port %u", health->port);
    }
    uint32_t prober = find_prober(lb);
    if (prober != SP_NONE) {
        return ask_all(lb, prober, expected, diag);
    }
    sp_lb_unknown(&said,
                  lb->balancer->nsources > 0
                      ? "no probe stands in the segment of the balancer's sources"
                      : "where the balancer asks from is not declared",
                  "declare `sources`, and a host with a probe in their segment");
    said.verdict = SP_CLAIM_NOT_OBSERVABLE;
    return sp_lb_claim(lb, "health_path", NULL, expected, &said);
}
