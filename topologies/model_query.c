/* SPDX-License-Identifier: Apache-2.0
 *
 * Questions to a finished model. Nothing here allocates. A cycle in `in:` is an error of the
 * topology, so walks up the tree end; they are bounded all the same. */
#include <string.h>

#include "topologies/model.h"

#define SP_DEFAULT_HOST_RATE 5000U

size_t sp_model_ntargets(const struct sp_model *model)
{
    return model->nhosts + model->nbalancers;
}

const char *sp_model_target_name(const struct sp_model *model, size_t target)
{
    if (target < model->nhosts) {
        return model->hosts[target].name;
    }
    target -= model->nhosts;
    return target < model->nbalancers ? model->balancers[target].name : "?";
}

uint32_t sp_model_target_network(const struct sp_model *model, size_t target)
{
    return target < model->nhosts ? model->hosts[target].network : SP_NONE;
}

bool sp_model_network_within(const struct sp_model *model, uint32_t a, uint32_t b)
{
    if (b >= model->nnetworks) {
        return false;
    }
    for (size_t steps = 0; a < model->nnetworks && steps <= model->nnetworks; steps++) {
        if (a == b) {
            return true;
        }
        a = model->networks[a].parent;
    }
    return false;
}

static const struct sp_balancer *balancer_of(const struct sp_model *model, uint32_t target)
{
    size_t i = target - model->nhosts;
    return target >= model->nhosts && i < model->nbalancers ? &model->balancers[i] : NULL;
}

uint32_t sp_model_receiver(const struct sp_model *model, uint32_t target, size_t i)
{
    const struct sp_balancer *balancer = balancer_of(model, target);
    if (balancer) {
        return i < balancer->nreceivers ? balancer->receivers[i] : SP_NONE;
    }
    return target < model->nhosts && model->hosts[target].via && i == 0 ? target : SP_NONE;
}

const struct sp_listener *sp_model_listener(const struct sp_model *model, uint32_t target,
                                            uint8_t proto, uint16_t port)
{
    const struct sp_balancer *balancer = balancer_of(model, target);
    for (size_t i = 0; balancer && i < balancer->nlisteners; i++) {
        const struct sp_listener *listener = &balancer->listeners[i];
        if (listener->port.proto == proto && listener->port.lo == port) {
            return listener;
        }
    }
    return NULL;
}

bool sp_listener_has(const struct sp_listener *listener, uint32_t host)
{
    for (size_t i = 0; i < listener->nbackends; i++) {
        if (listener->backends[i] == host) {
            return true;
        }
    }
    return false;
}

bool sp_listener_rewrites(const struct sp_listener *listener)
{
    return strcmp(listener->source, "rewritten") == 0;
}

bool sp_model_data_ok(const struct sp_model *model, uint8_t proto, uint16_t port)
{
    for (size_t s = 0; s < model->nservices; s++) {
        const struct sp_service *service = &model->services[s];
        for (size_t p = 0; service->data_ok && p < service->nports; p++) {
            if (service->ports[p].proto == proto && service->ports[p].lo <= port &&
                port <= service->ports[p].hi) {
                return true;
            }
        }
    }
    return false;
}

uint32_t sp_model_find_host(const struct sp_model *model, const char *name)
{
    for (size_t i = 0; i < model->nhosts; i++) {
        if (strcmp(model->hosts[i].name, name) == 0) {
            return (uint32_t)i;
        }
    }
    return SP_NONE;
}

uint32_t sp_model_root_network(const struct sp_model *model, uint32_t network)
{
    if (network >= model->nnetworks) {
        return SP_NONE;
    }
    for (size_t steps = 0; steps <= model->nnetworks; steps++) {
        uint32_t parent = model->networks[network].parent;
        if (parent >= model->nnetworks) {
            break;
        }
        network = parent;
    }
    return network;
}

/* How many networks lie above this one. */
static size_t depth_of(const struct sp_model *model, uint32_t network)
{
    size_t depth = 0;
    while (network < model->nnetworks && depth <= model->nnetworks) {
        network = model->networks[network].parent;
        depth++;
    }
    return depth;
}

/* The most specific side of an enforcement point that holds this network. */
static bool side_of(const struct sp_model *model, const struct sp_enforcement *point,
                    uint32_t network, size_t *ret_side, size_t *ret_depth)
{
    bool found = false;
    for (size_t i = 0; i < point->nbetween; i++) {
        size_t depth = depth_of(model, point->between[i]);
        if (sp_model_network_within(model, network, point->between[i]) &&
            (!found || depth > *ret_depth)) {
            found = true;
            *ret_side = i;
            *ret_depth = depth;
        }
    }
    return found;
}

/* A point stands between two networks when they lie on different sides of it: with `between: [prod,
 * web]` and web inside prod, two hosts of web are on the same side. */
const struct sp_enforcement *sp_model_enforcement(const struct sp_model *model, uint32_t a,
                                                  uint32_t b)
{
    const struct sp_enforcement *best = NULL;
    size_t best_depth = 0;
    for (size_t i = 0; i < model->nenforcements; i++) {
        const struct sp_enforcement *point = &model->enforcements[i];
        size_t side_a = 0, side_b = 0, depth_a = 0, depth_b = 0;
        if (side_of(model, point, a, &side_a, &depth_a) &&
            side_of(model, point, b, &side_b, &depth_b) && side_a != side_b &&
            depth_a + depth_b > best_depth) {
            best = point;
            best_depth = depth_a + depth_b;
        }
    }
    return best;
}

uint32_t sp_model_host_rate(const struct sp_model *model, uint32_t host)
{
    uint32_t rate = model->limits.max_rate ? model->limits.max_rate : SP_DEFAULT_HOST_RATE;
    uint32_t network = sp_model_target_network(model, host);
    for (size_t steps = 0; network < model->nnetworks && steps <= model->nnetworks; steps++) {
        uint32_t own = model->networks[network].max_rate;
        if (own != 0 && own < rate) {
            rate = own;
        }
        network = model->networks[network].parent;
    }
    return rate;
}

char sp_model_host_hazard(const struct sp_model *model, uint32_t host)
{
    uint32_t network = sp_model_target_network(model, host);
    for (size_t steps = 0; network < model->nnetworks && steps <= model->nnetworks; steps++) {
        if (model->networks[network].hazard != 0) {
            return model->networks[network].hazard;
        }
        network = model->networks[network].parent;
    }
    return model->limits.hazard != 0 ? model->limits.hazard : 'A';
}
