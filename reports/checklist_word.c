/* SPDX-License-Identifier: Apache-2.0
 *
 * What parts of the check list count of the declared topology alone: no packet can change it. */
#include <string.h>

#include "probe/base/mem.h"
#include "reports/checklist_priv.h"

/* A provider answers for each top network, and networks, hosts and clusters have their names. */
void sp_word_named(struct sp_list *list, struct sp_item_part *part)
{
    const struct sp_model *model = list->model;
    for (uint32_t n = 0; n < model->nnetworks; n++) {
        const struct sp_network *network = &model->networks[n];
        if (network->parent != SP_NONE || network->kind == SP_NET_EXTERNAL) {
            continue;
        }
        if (network->owner) {
            part->held++;
        } else {
            sp_part_open(list, part, 1, "%s has no owner", network->name);
        }
    }
}

/* Addresses of hosts in the ranges of their networks. */
void sp_word_inside(struct sp_list *list, struct sp_item_part *part)
{
    const struct sp_model *model = list->model;
    for (uint32_t h = 0; h < model->nhosts; h++) {
        const struct sp_host *host = &model->hosts[h];
        if (!sp_list_inside(model, h)) {
            continue;
        }
        const struct sp_network *network = &model->networks[host->network];
        for (size_t a = 0; a < host->naddrs; a++) {
            bool is_in = false;
            for (size_t c = 0; c < network->ncidrs; c++) {
                is_in = is_in || sp_prefix_has(&network->cidrs[c], &host->addrs[a]);
            }
            if (is_in) {
                part->held++;
            } else if (network->ncidrs > 0) {
                sp_part_fail(list, part, 1, "%s is outside of %s", host->name, network->name);
            } else {
                sp_part_open(list, part, 1, "%s has no cidr", network->name);
            }
        }
    }
}

/* A small letter, then small letters, digits and '-': the name becomes one in certificates. */
static bool is_legal(const char *name)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyz";
    static const char rest[] = "abcdefghijklmnopqrstuvwxyz0123456789-";
    size_t n = strlen(name);
    return n > 0 && strchr(letters, name[0]) && strspn(name, rest) == n && name[n - 1] != '-';
}

/* Clusters are top networks with nodes: one with the management server, and workload clusters. */
void sp_word_clusters(struct sp_list *list, struct sp_item_part *part)
{
    const struct sp_model *model = list->model;
    bool *is_cluster = sp_calloc(model->nnetworks + 1, sizeof(*is_cluster));
    bool has_mgmt = false;
    bool has_workload = false;
    if (!is_cluster) {
        list->rc = SP_E_NOMEM;
        return;
    }
    for (uint32_t h = 0; h < model->nhosts; h++) {
        uint32_t root = sp_model_root_network(model, model->hosts[h].network);
        if (sp_bits_get(&list->nodes, h) && root < model->nnetworks) {
            is_cluster[root] = true;
            has_mgmt = has_mgmt || sp_list_role(model, h, "mgmt management");
            has_workload = has_workload || sp_list_role(model, h,
                                                        "node nodes worker agent agents workload "
                                                        "workloads");
        }
    }
    for (uint32_t n = 0; n < model->nnetworks; n++) {
        if (is_cluster[n] && is_legal(model->networks[n].name)) {
            part->held++;
        } else if (is_cluster[n]) {
            sp_part_fail(list, part, 1, "the name '%s' is not legal", model->networks[n].name);
        }
    }
    if (!has_mgmt) {
        sp_part_open(list, part, 1, "no host has the role mgmt");
    }
    if (!has_workload) {
        sp_part_open(list, part, 1, "no host has the role node");
    }
    sp_free(is_cluster);
}

static bool are_apart(const struct sp_model *model, uint32_t a, uint32_t b)
{
    for (size_t i = 0; i < model->networks[a].ncidrs; i++) {
        for (size_t k = 0; k < model->networks[b].ncidrs; k++) {
            if (sp_prefix_overlaps(&model->networks[a].cidrs[i], &model->networks[b].cidrs[k])) {
                return false;
            }
        }
    }
    return true;
}

/* Ranges overlap only where one network holds the other. */
void sp_word_overlap(struct sp_list *list, struct sp_item_part *part)
{
    const struct sp_model *model = list->model;
    for (uint32_t a = 0; a < model->nnetworks; a++) {
        if (model->networks[a].kind == SP_NET_EXTERNAL) {
            continue;
        }
        if (model->networks[a].ncidrs == 0) {
            sp_part_open(list, part, 1, "%s has no cidr", model->networks[a].name);
            continue;
        }
        bool is_good = true;
        for (uint32_t b = 0; b < a; b++) {
            if (model->networks[b].kind != SP_NET_EXTERNAL && !are_apart(model, a, b) &&
                !sp_model_network_within(model, a, b) && !sp_model_network_within(model, b, a)) {
                is_good = false;
                sp_part_fail(list, part, 1, "%s and %s", model->networks[b].name,
                             model->networks[a].name);
            }
        }
        part->held += is_good;
    }
}

/* Reserved: Istio's sidecars 15000-15090 but for gateways', NodePorts, Azure's host (udp/65330). */
static bool is_reserved(const struct sp_portspec *port)
{
    static const uint16_t gateways[] = {15008, 15012, 15017, 15021};
    for (size_t i = 0; i < SP_ARRAY_LEN(gateways); i++) {
        if (port->lo == gateways[i] && port->hi == gateways[i]) {
            return false;
        }
    }
    return (port->lo <= 15090 && port->hi >= 15000) || (port->lo <= 32767 && port->hi >= 30000) ||
           (port->proto == SP_PROTO_UDP && port->lo <= 65330 && port->hi >= 65330);
}

void sp_word_reserved(struct sp_list *list, struct sp_item_part *part)
{
    const struct sp_model *model = list->model;
    for (size_t b = 0; b < model->nbalancers; b++) {
        const struct sp_balancer *balancer = &model->balancers[b];
        for (size_t i = 0; i < balancer->nlisteners; i++) {
            const struct sp_portspec *port = &balancer->listeners[i].port;
            char text[SP_PORTSPEC_STRLEN];
            if (is_reserved(port)) {
                sp_part_fail(list, part, 1, "%s %s", balancer->name, sp_portspec_str(port, text));
            } else {
                part->held++;
            }
        }
    }
}

/* Addresses of balancers come from their pools. */
void sp_word_pool(struct sp_list *list, struct sp_item_part *part)
{
    const struct sp_model *model = list->model;
    for (size_t b = 0; b < model->nbalancers; b++) {
        const struct sp_balancer *balancer = &model->balancers[b];
        if (balancer->npool == 0 || balancer->naddrs == 0) {
            sp_part_open(list, part, 1, "%s has no %s", balancer->name,
                         balancer->npool == 0 ? "pool" : "address");
            continue;
        }
        for (size_t a = 0; a < balancer->naddrs; a++) {
            char text[SP_ADDR_STRLEN];
            bool is_in = false;
            for (size_t p = 0; p < balancer->npool; p++) {
                is_in = is_in || sp_prefix_has(&balancer->pool[p], &balancer->addrs[a]);
            }
            if (is_in) {
                part->held++;
            } else {
                sp_part_fail(list, part, 1, "%s has %s", balancer->name,
                             sp_addr_str(&balancer->addrs[a], text));
            }
        }
    }
}

/* Two members at least of each role that must go on without one, and behind each listener. */
void sp_word_replicas(struct sp_list *list, struct sp_item_part *part)
{
    static const char *const roles[] = {"control-plane controlplane master",
                                        "etcd",
                                        "mgmt management",
                                        "edge ingress",
                                        "eastwest east-west",
                                        "istiod",
                                        "redis"};
    const struct sp_model *model = list->model;
    for (size_t r = 0; r < SP_ARRAY_LEN(roles); r++) {
        size_t members = 0;
        for (uint32_t h = 0; h < model->nhosts; h++) {
            members += sp_list_role(model, h, roles[r]);
        }
        if (members == 1) {
            sp_part_fail(list, part, 1, "one host alone has the role %.*s",
                         (int)strcspn(roles[r], " "), roles[r]);
        }
        part->held += members > 1;
    }
    for (size_t b = 0; b < model->nbalancers; b++) {
        for (size_t i = 0; i < model->balancers[b].nlisteners; i++) {
            if (model->balancers[b].listeners[i].nbackends > 1) {
                part->held++;
            } else {
                sp_part_fail(list, part, 1, "a listener of %s has one backend alone",
                             model->balancers[b].name);
            }
        }
    }
}

/* The nodes stand in two zones at least, and no zone holds all of a role that has two members. */
void sp_word_zones(struct sp_list *list, struct sp_item_part *part)
{
    const struct sp_model *model = list->model;
    for (uint32_t h = 0; h < model->nhosts; h++) {
        const char *zone = sp_list_zone(model, h);
        const char *role = model->hosts[h].role;
        size_t members = 1;
        bool is_spread = false;
        bool is_dark = false; /* a member of its role has no zone: that is told of it */
        if (!sp_bits_get(&list->nodes, h)) {
            continue;
        }
        for (uint32_t k = 0; k < model->nhosts && zone && !is_spread; k++) {
            const char *other = sp_list_zone(model, k);
            const char *its = model->hosts[k].role;
            bool is_same = role && its ? strcmp(role, its) == 0 : role == its;
            if (k != h && sp_bits_get(&list->nodes, k) && is_same) {
                members++;
                is_spread = is_spread || (other && strcmp(zone, other) != 0);
                is_dark = is_dark || !other;
            }
        }
        if (!zone) {
            sp_part_open(list, part, 1, "%s has no zone", model->hosts[h].name);
        } else if (members > 1 && !is_spread && !is_dark) {
            sp_part_fail(list, part, 1, "%s holds every host of the role %s", zone,
                         role ? role : "node");
        } else {
            part->held += is_spread;
        }
    }
}

/* It names such a port and no range around it, or somebody who gathers logs. */
static bool is_sink_rule(const struct sp_list *list, const struct sp_rule *rule)
{
    struct sp_list copy = {0};
    (void)sp_list_ports(&copy, SP_SINK_PORTS);
    for (size_t i = 0; i < rule->nports; i++) {
        for (size_t k = 0; k < copy.nports; k++) {
            if (rule->ports[i].proto == copy.ports[k].proto &&
                rule->ports[i].lo == copy.ports[k].port &&
                rule->ports[i].hi == copy.ports[k].port) {
                return true;
            }
        }
    }
    for (uint32_t h = 0; h < list->model->nhosts; h++) {
        if (sp_bits_get(&rule->to, h) && sp_list_role(list->model, h, SP_SINK_ROLES)) {
            return true;
        }
    }
    return false;
}

/* From each network with nodes a rule allows logs or metrics out. Nothing at all is not known:
 * whoever declares some has thought of it, and left the rest out. */
void sp_word_sinks(struct sp_list *list, struct sp_item_part *part)
{
    const struct sp_model *model = list->model;
    bool *has = sp_calloc(model->nnetworks + 1, sizeof(*has));
    bool *nodes = sp_calloc(model->nnetworks + 1, sizeof(*nodes));
    bool any = false;
    if (!has || !nodes) {
        list->rc = SP_E_NOMEM;
    }
    for (size_t r = 0; list->rc == SP_OK && r < model->nrules; r++) {
        const struct sp_rule *rule = &model->rules[r];
        bool is_sink = rule->kind == SP_RULE_ALLOW && is_sink_rule(list, rule);
        for (uint32_t h = 0; is_sink && h < model->nhosts; h++) {
            if (sp_bits_get(&rule->from, h) && model->hosts[h].network < model->nnetworks) {
                has[model->hosts[h].network] = true;
                any = any || sp_list_inside(model, h);
            }
        }
    }
    for (uint32_t h = 0; list->rc == SP_OK && h < model->nhosts; h++) {
        if (sp_bits_get(&list->nodes, h)) {
            nodes[model->hosts[h].network] = true;
        }
    }
    for (uint32_t n = 0; list->rc == SP_OK && n < model->nnetworks; n++) {
        if (nodes[n] && has[n]) {
            part->held++;
        } else if (nodes[n] && any) {
            sp_part_fail(list, part, 1, "%s has none", model->networks[n].name);
        } else if (nodes[n]) {
            sp_part_open(list, part, 1, "no rule lets logs or metrics out");
        }
    }
    sp_free(has);
    sp_free(nodes);
}
