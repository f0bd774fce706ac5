/* SPDX-License-Identifier: Apache-2.0
 *
 * Load balancers: addresses, listeners, and which hosts stand behind them. */
#include <string.h>

#include "probe/base/mem.h"
#include "topologies/build.h"
#include "topologies/problem.h"

/* Backends are hosts; a network or group stands for the hosts in it. */
static void build_backends(struct sp_build *b, const struct sp_node *node,
                           struct sp_listener *listener)
{
    struct sp_bits targets;
    if (!node || !sp_build_select(b, node, &targets)) {
        return;
    }
    size_t n = sp_bits_count(&targets);
    b->nbackends += n;
    if (b->nbackends > SP_BUILD_MAX_BACKENDS) {
        sp_node_error(b->problems, node,
                      "with these, the load balancers have more than %u backends: split the "
                      "topology",
                      SP_BUILD_MAX_BACKENDS);
        sp_bits_release(&targets);
        return;
    }
    listener->backends = sp_build_array(b, n, sizeof(*listener->backends));
    for (size_t i = 0; listener->backends && i < targets.nbits; i++) {
        if (!sp_bits_get(&targets, i)) {
            continue;
        }
        if (i >= b->model->nhosts) {
            char quoted[SP_QUOTE_LEN];
            sp_node_error(b->problems, node, "%s is a load balancer, but backends are hosts",
                          sp_quote(sp_model_target_name(b->model, i), quoted));
            break;
        }
        listener->backends[listener->nbackends++] = (uint32_t)i;
    }
    sp_bits_release(&targets);
}

static char *word_or(struct sp_build *b, const struct sp_node *node, const char *otherwise)
{
    char *text = node ? sp_build_text(b, node) : sp_strdup(otherwise);
    b->rc = text ? b->rc : SP_E_NOMEM;
    return text;
}

/* "weights": by the names of backends. */
static void build_weights(struct sp_build *b, const struct sp_node *node,
                          struct sp_listener *listener)
{
    if (!node || !listener->backends) {
        return;
    }
    listener->weights = sp_build_array(b, listener->nbackends, sizeof(*listener->weights));
    for (size_t i = 0; listener->weights && i < listener->nbackends; i++) {
        listener->weights[i] = 1;
    }
    for (const struct sp_node *w = sp_build_first(node); listener->weights && w;
         w = sp_build_next(node, w)) {
        size_t i = 0;
        while (i < listener->nbackends &&
               strcmp(b->model->hosts[listener->backends[i]].name, w->key) != 0) {
            i++;
        }
        if (i < listener->nbackends) {
            listener->weights[i] = (uint32_t)sp_build_uint(w, 1);
        } else {
            char quoted[SP_QUOTE_LEN];
            sp_node_key_error(b->problems, w, "%s is no backend of this listener",
                              sp_quote(w->key, quoted));
        }
    }
}

static void build_health(struct sp_build *b, const struct sp_node *node,
                         struct sp_listener *listener)
{
    struct sp_health *health = &listener->health;
    if (!node) {
        return;
    }
    const struct sp_node *protocol = sp_node_get(node, "protocol");
    const struct sp_node *path = sp_node_get(node, "path");
    health->is_declared = true;
    health->pos = node->pos;
    health->is_http = protocol ? strcmp(protocol->text, "http") == 0
                               : path != NULL || sp_node_get(node, "status") != NULL;
    if (!health->is_http && (path || sp_node_get(node, "status"))) {
        sp_node_error(b->problems, node, "`path` and `status` belong to protocol http");
    }
    health->port = (uint16_t)sp_build_uint(sp_node_get(node, "port"), listener->backend_port);
    health->status = (uint16_t)sp_build_uint(sp_node_get(node, "status"), 200);
    health->path = health->is_http ? word_or(b, path, "/") : NULL;
}

/* How it behaves towards many connections, and over time. */
static void build_behaviour(struct sp_build *b, const struct sp_node *node,
                            struct sp_listener *listener)
{
    build_weights(b, sp_node_get(node, "weights"), listener);
    listener->failover = sp_build_text(b, sp_node_get(node, "failover"));
    listener->tls = sp_build_text(b, sp_node_get(node, "tls"));
    listener->hairpin = sp_build_text(b, sp_node_get(node, "hairpin"));
    listener->affinity = sp_build_text(b, sp_node_get(node, "affinity"));
    listener->cross_zone = sp_build_text(b, sp_node_get(node, "cross_zone"));
    listener->idle_timeout_ms = sp_build_ms(sp_node_get(node, "idle_timeout"), 0);
    build_health(b, sp_node_get(node, "health"), listener);
}

static void build_listener(struct sp_build *b, const struct sp_node *node,
                           struct sp_balancer *balancer)
{
    const struct sp_node *port = sp_node_get(node, "port");
    struct sp_portspec spec = {0};
    if (!port || sp_portspec_parse(port->text, &spec, NULL) != SP_OK) {
        return;
    }
    if (spec.lo != spec.hi || sp_proto_min(spec.proto) == 0 || spec.proto >= SP_PROTO_COUNT) {
        char quoted[SP_QUOTE_LEN];
        sp_node_error(b->problems, port,
                      "%s is not one tcp, udp or sctp port: give each port a "
                      "listener of its own",
                      sp_quote(port->text, quoted));
        return;
    }
    struct sp_listener *listener = &balancer->listeners[balancer->nlisteners++];
    listener->port = spec;
    build_backends(b, sp_node_get(node, "backends"), listener);
    listener->backend_port = (uint16_t)sp_build_uint(sp_node_get(node, "backend_port"), spec.lo);
    listener->mode = word_or(b, sp_node_get(node, "mode"), "l4");
    listener->source = word_or(b, sp_node_get(node, "source"), "preserved");
    listener->proxy_protocol = word_or(b, sp_node_get(node, "proxy_protocol"), "none");
    listener->pos = node->pos;
    listener->has_source = sp_node_get(node, "source") != NULL;
    listener->has_proxy_protocol = sp_node_get(node, "proxy_protocol") != NULL;
    build_behaviour(b, node, listener);
    listener->max_skew = sp_build_ratio(sp_node_get(node, "max_skew"), -1.0);
    listener->failover_within_ms = sp_build_ms(sp_node_get(node, "failover_within"), 0);
}

/* The backends with a probe, over all listeners. */
static void build_receivers(struct sp_build *b, struct sp_balancer *balancer)
{
    struct sp_bits seen;
    if (sp_bits_init(&seen, b->model->nhosts) != SP_OK) {
        b->rc = SP_E_NOMEM;
        return;
    }
    for (size_t l = 0; balancer->listeners && l < balancer->nlisteners; l++) {
        const uint32_t *backends = balancer->listeners[l].backends;
        for (size_t i = 0; backends && i < balancer->listeners[l].nbackends; i++) {
            uint32_t host = backends[i];
            if (b->model->hosts[host].via) {
                sp_bits_set(&seen, host);
            }
        }
    }
    balancer->receivers = sp_build_array(b, sp_bits_count(&seen), sizeof(*balancer->receivers));
    for (uint32_t h = 0; balancer->receivers && h < b->model->nhosts; h++) {
        if (sp_bits_get(&seen, h)) {
            balancer->receivers[balancer->nreceivers++] = h;
        }
    }
    sp_bits_release(&seen);
}

void sp_build_balancers(struct sp_build *b)
{
    const struct sp_node *all = sp_node_get(b->root, "load_balancers");
    size_t index = 0;
    for (const struct sp_node *i = sp_build_first(all); i && b->rc == SP_OK;
         i = sp_build_next(all, i)) {
        struct sp_balancer *balancer = &b->model->balancers[index++];
        const struct sp_node *listeners = sp_node_get(i, "listeners");
        const struct sp_node *from = sp_node_get(i, "from");
        struct sp_pos *pool_pos = NULL;
        balancer->addrs =
            sp_build_addrs(b, sp_node_get(i, "address"), &balancer->naddrs, &balancer->addr_pos);
        balancer->is_pending =
            balancer->naddrs < sp_build_count(sp_node_get(i, "address")) || balancer->naddrs == 0;
        balancer->pool = sp_build_prefixes(b, sp_node_get(i, "pool"), &balancer->npool, &pool_pos);
        sp_free(pool_pos);
        struct sp_pos *sources_pos = NULL;
        balancer->sources =
            sp_build_addrs(b, sp_node_get(i, "sources"), &balancer->nsources, &sources_pos);
        sp_free(sources_pos);
        if (from) {
            (void)sp_build_select_senders(b, from, &balancer->from);
        }
        balancer->listeners =
            sp_build_array(b, sp_build_count(listeners), sizeof(*balancer->listeners));
        for (const struct sp_node *l = balancer->listeners ? sp_build_first(listeners) : NULL; l;
             l = sp_build_next(listeners, l)) {
            build_listener(b, l, balancer);
        }
        build_receivers(b, balancer);
    }
}
