/* SPDX-License-Identifier: Apache-2.0 */
#include "topologies/model.h"

#include "probe/base/mem.h"
#include "topologies/floor.h"
#include "topologies/preset.h"

static void release_host(struct sp_host *host)
{
    for (size_t i = 0; i < host->nlabels; i++) {
        sp_free(host->labels[i].key);
        sp_free(host->labels[i].value);
    }
    sp_free(host->name);
    sp_free(host->addrs);
    sp_free(host->addr_pos);
    sp_free(host->role);
    sp_free(host->labels);
    sp_free(host->seen_as);
    sp_free(host->via);
    sp_free(host->via_name);
    sp_free(host->target);
    sp_free(host->become);
    sp_free(host->interface);
}

static void release_rule(struct sp_rule *rule)
{
    sp_free(rule->name);
    sp_bits_release(&rule->from);
    sp_bits_release(&rule->to);
    sp_free(rule->ports);
    sp_free(rule->why);
    sp_free(rule->expires);
}

static void release_balancer(struct sp_balancer *balancer)
{
    for (size_t i = 0; i < balancer->nlisteners; i++) {
        struct sp_listener *listener = &balancer->listeners[i];
        sp_free(listener->backends);
        sp_free(listener->mode);
        sp_free(listener->source);
        sp_free(listener->proxy_protocol);
        sp_free(listener->weights);
        sp_free(listener->failover);
        sp_free(listener->tls);
        sp_free(listener->hairpin);
        sp_free(listener->affinity);
        sp_free(listener->cross_zone);
        sp_free(listener->health.path);
    }
    sp_free(balancer->name);
    sp_free(balancer->addrs);
    sp_free(balancer->addr_pos);
    sp_free(balancer->pool);
    sp_free(balancer->sources);
    sp_free(balancer->receivers);
    sp_bits_release(&balancer->from);
    sp_free(balancer->listeners);
}

static void release_named(struct sp_model *model)
{
    for (size_t i = 0; i < model->nnetworks; i++) {
        struct sp_network *network = &model->networks[i];
        sp_free(network->name);
        sp_free(network->cidrs);
        sp_free(network->cidr_pos);
        sp_free(network->owner);
        sp_free(network->zone);
        sp_free(network->cluster);
    }
    for (size_t i = 0; i < model->nhosts; i++) {
        release_host(&model->hosts[i]);
    }
    for (size_t i = 0; i < model->ngroups; i++) {
        sp_free(model->groups[i].name);
        sp_bits_release(&model->groups[i].targets);
    }
    for (size_t i = 0; i < model->nservices; i++) {
        sp_free(model->services[i].name);
        sp_free(model->services[i].ports);
    }
    sp_free(model->networks);
    sp_free(model->hosts);
    sp_free(model->groups);
    sp_free(model->services);
}

void sp_model_free(struct sp_model *model)
{
    if (!model) {
        return;
    }
    release_named(model);
    for (size_t i = 0; i < model->nrules; i++) {
        release_rule(&model->rules[i]);
    }
    for (size_t i = 0; i < model->nbalancers; i++) {
        release_balancer(&model->balancers[i]);
    }
    for (size_t i = 0; i < model->nnats; i++) {
        sp_bits_release(&model->nats[i].from);
        sp_bits_release(&model->nats[i].to);
    }
    for (size_t i = 0; i < model->nenforcements; i++) {
        sp_free(model->enforcements[i].name);
        sp_free(model->enforcements[i].between);
    }
    for (size_t i = 0; i < model->nfloors; i++) {
        sp_floor_release(&model->floors[i]);
    }
    sp_free(model->floors);
    sp_free(model->rules);
    sp_free(model->balancers);
    sp_free(model->nats);
    sp_free(model->enforcements);
    sp_uses_free(model->uses);
    if (model->nlines) {
        sp_free(model->lines[0]);
    }
    sp_free(model->lines);
    sp_free(model->name);
    sp_free(model->file);
    sp_free(model);
}
