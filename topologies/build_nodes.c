/* SPDX-License-Identifier: Apache-2.0
 *
 * Names, networks, hosts, limits and enforcement points. */
#include <stdio.h>
#include <string.h>

#include "probe/base/mem.h"
#include "topologies/build.h"
#include "topologies/field.h"
#include "topologies/problem.h"

#define DEFAULT_MAX_RATE 5000U
#define DEFAULT_LOSS     0.01

static void take_name(struct sp_build *b, const struct sp_node *node, enum sp_name_kind kind,
                      size_t index, const char *name)
{
    static const char *const words[] = {"network", "host", "group", "load balancer", "name"};
    char quoted[SP_QUOTE_LEN];
    const struct sp_name *taken = sp_names_add(&b->names, (struct sp_name){.name = name,
                                                                           .kind = (uint8_t)kind,
                                                                           .index = (uint32_t)index,
                                                                           .pos = node->key_pos});
    if (taken) {
        sp_node_key_error(b->problems, node,
                          "the name %s belongs to the %s on line %u: names are unique over "
                          "networks, hosts, groups and load balancers",
                          sp_quote(name, quoted), words[taken->kind], (unsigned)taken->pos.line);
    }
}

/* Makes the arrays and gives every network, host, group and balancer its name and index, so that
 * they can refer to each other in any order. */
void sp_build_names(struct sp_build *b)
{
    struct sp_model *m = b->model;
    const struct sp_node *networks = sp_node_get(b->root, "networks");
    const struct sp_node *hosts = sp_node_get(b->root, "hosts");
    const struct sp_node *groups = sp_node_get(b->root, "groups");
    const struct sp_node *balancers = sp_node_get(b->root, "load_balancers");
    size_t counts[] = {sp_build_count(networks), sp_build_count(hosts), sp_build_count(groups),
                       sp_build_count(balancers)};
    m->networks = sp_build_array(b, counts[0], sizeof(*m->networks));
    m->hosts = sp_build_array(b, counts[1], sizeof(*m->hosts));
    m->groups = sp_build_array(b, counts[2], sizeof(*m->groups));
    m->balancers = sp_build_array(b, counts[3], sizeof(*m->balancers));
    b->group_nodes = sp_build_array(b, counts[2], sizeof(*b->group_nodes));
    if (b->rc != SP_OK || (b->rc = sp_names_init(&b->names, counts[0] + counts[1] + counts[2] +
                                                                counts[3])) != SP_OK) {
        return;
    }
    for (const struct sp_node *i = sp_build_first(networks); i; i = sp_build_next(networks, i)) {
        struct sp_network *network = &m->networks[m->nnetworks++];
        *network = (struct sp_network){.name = sp_strdup(i->key), .pos = i->key_pos};
        network->parent = SP_NONE;
        take_name(b, i, SP_NAME_NETWORK, m->nnetworks - 1, i->key);
        b->rc = network->name ? b->rc : SP_E_NOMEM;
    }
    for (const struct sp_node *i = sp_build_first(hosts); i; i = sp_build_next(hosts, i)) {
        struct sp_host *host = &m->hosts[m->nhosts++];
        *host = (struct sp_host){.name = sp_strdup(i->key), .pos = i->key_pos};
        host->network = SP_NONE;
        take_name(b, i, SP_NAME_HOST, m->nhosts - 1, i->key);
        b->rc = host->name ? b->rc : SP_E_NOMEM;
    }
    for (const struct sp_node *i = sp_build_first(groups); i; i = sp_build_next(groups, i)) {
        struct sp_group *group = &m->groups[m->ngroups++];
        *group = (struct sp_group){.name = sp_strdup(i->key), .pos = i->key_pos};
        b->group_nodes[m->ngroups - 1] = i;
        take_name(b, i, SP_NAME_GROUP, m->ngroups - 1, i->key);
        b->rc = group->name ? b->rc : SP_E_NOMEM;
    }
    for (const struct sp_node *i = sp_build_first(balancers); i; i = sp_build_next(balancers, i)) {
        struct sp_balancer *balancer = &m->balancers[m->nbalancers++];
        *balancer = (struct sp_balancer){.name = sp_strdup(i->key), .pos = i->key_pos};
        take_name(b, i, SP_NAME_BALANCER, m->nbalancers - 1, i->key);
        b->rc = balancer->name ? b->rc : SP_E_NOMEM;
    }
}

static bool is_word(const struct sp_node *node, const char *word)
{
    return node && strcmp(node->text, word) == 0;
}

static void build_network(struct sp_build *b, const struct sp_node *node,
                          struct sp_network *network)
{
    const struct sp_node *in = sp_node_get(node, "in");
    const struct sp_node *kind = sp_node_get(node, "kind");
    const struct sp_node *within = sp_node_get(node, "within");
    const struct sp_node *hazard = sp_node_get(node, "hazard");
    const struct sp_node *cluster = sp_node_get(node, "cluster");
    network->kind = is_word(kind, "external") ? SP_NET_EXTERNAL
                    : is_word(kind, "subnet") ? SP_NET_SUBNET
                    : is_word(kind, "vpc")    ? SP_NET_VPC
                    : in                      ? SP_NET_SUBNET
                                              : SP_NET_VPC;
    network->within = is_word(within, "open")     ? SP_WITHIN_OPEN
                      : is_word(within, "closed") ? SP_WITHIN_CLOSED
                                                  : SP_WITHIN_UNTESTED;
    network->parent = in ? sp_build_network_ref(b, in) : SP_NONE;
    network->cidrs =
        sp_build_prefixes(b, sp_node_get(node, "cidr"), &network->ncidrs, &network->cidr_pos);
    network->owner = sp_build_text(b, sp_node_get(node, "owner"));
    network->zone = sp_build_text(b, sp_node_get(node, "zone"));
    network->cluster = sp_build_text(b, cluster);
    network->cluster_pos = cluster ? cluster->pos : (struct sp_pos){0};
    network->hazard = hazard ? hazard->text[0] : '\0';
    network->max_rate = (uint32_t)sp_build_uint(sp_node_get(node, "max_rate"), 0);
}

/* Follows `in:` from every network once; a network met again on the way up closes a circle, which
 * is reported and cut there. */
static void cut_circles(struct sp_build *b, const struct sp_node *networks)
{
    struct sp_model *m = b->model;
    uint32_t *seen = sp_build_array(b, m->nnetworks, sizeof(*seen));
    if (!seen) {
        return;
    }
    size_t index = 0;
    for (const struct sp_node *i = sp_build_first(networks); i; i = sp_build_next(networks, i)) {
        uint32_t mark = (uint32_t)++index;
        uint32_t at = mark - 1;
        while (at != SP_NONE && seen[at] == 0) {
            seen[at] = mark;
            uint32_t up = m->networks[at].parent;
            if (up != SP_NONE && seen[up] == mark) {
                char quoted[SP_QUOTE_LEN];
                sp_problem_add(b->problems, true, m->networks[at].pos, "/networks",
                               "the network %s lies inside itself, by way of its `in:`",
                               sp_quote(m->networks[at].name, quoted));
                m->networks[at].parent = SP_NONE;
                break;
            }
            at = up;
        }
    }
    sp_free(seen);
}

/* Many walks climb from a network to its top: a bound keeps them short. Needs a tree. */
static void limit_depth(struct sp_build *b)
{
    struct sp_model *m = b->model;
    for (size_t i = 0; i < m->nnetworks; i++) {
        uint32_t up = m->networks[i].parent;
        for (unsigned depth = 1; up != SP_NONE && depth < SP_BUILD_MAX_NETWORK_DEPTH; depth++) {
            up = m->networks[up].parent;
        }
        if (up != SP_NONE) {
            sp_problem_add(b->problems, true, m->networks[i].pos, "/networks",
                           "networks nest deeper than %u levels at '%s'",
                           SP_BUILD_MAX_NETWORK_DEPTH, m->networks[i].name);
            m->networks[i].parent = SP_NONE;
        }
    }
}

void sp_build_networks(struct sp_build *b)
{
    const struct sp_node *networks = sp_node_get(b->root, "networks");
    size_t index = 0;
    for (const struct sp_node *i = sp_build_first(networks); i; i = sp_build_next(networks, i)) {
        build_network(b, i, &b->model->networks[index++]);
    }
    cut_circles(b, networks);
    if (b->rc == SP_OK) {
        limit_depth(b);
    }
}

static void build_labels(struct sp_build *b, const struct sp_node *node, struct sp_host *host)
{
    size_t n = sp_build_count(node);
    host->labels = sp_build_array(b, n, sizeof(*host->labels));
    if (!host->labels) {
        return;
    }
    for (const struct sp_node *i = sp_build_first(node); i; i = sp_build_next(node, i)) {
        struct sp_label *label = &host->labels[host->nlabels++];
        label->key = sp_strdup(i->key);
        label->value = sp_build_text(b, i);
        b->rc = label->key ? b->rc : SP_E_NOMEM;
    }
}

static void build_seen_as(struct sp_build *b, const struct sp_node *node, struct sp_host *host)
{
    size_t n = 0;
    for (const struct sp_node *i = sp_build_first(node); i; i = sp_build_next(node, i)) {
        n += sp_build_count(i);
    }
    host->seen_as = sp_build_array(b, n, sizeof(*host->seen_as));
    if (!host->seen_as) {
        return;
    }
    for (const struct sp_node *i = sp_build_first(node); i; i = sp_build_next(node, i)) {
        char quoted[SP_QUOTE_LEN];
        const struct sp_name *name = sp_names_find(&b->names, i->key);
        if (!name || name->kind != SP_NAME_NETWORK) {
            sp_node_key_error(b->problems, i, "%s is not a network", sp_quote(i->key, quoted));
            continue;
        }
        for (const struct sp_node *a = sp_build_first(i); a; a = sp_build_next(i, a)) {
            struct sp_seen_as *seen = &host->seen_as[host->nseen_as];
            seen->network = name->index;
            host->nseen_as += sp_addr_parse(a->text, &seen->addr) == SP_OK;
        }
    }
}

static void build_probe(struct sp_build *b, const struct sp_node *node, struct sp_host *host)
{
    if (!node || node->kind != SP_NODE_MAPPING) {
        return;
    }
    const struct sp_node *target = sp_node_get(node, "target");
    const struct sp_node *become = sp_node_get(node, "become");
    const struct sp_node *name = sp_node_get(node, "name");
    host->via = sp_build_text(b, sp_node_get(node, "via"));
    host->via_name = sp_build_text(b, name);
    host->target = sp_build_text(b, target);
    host->become = sp_build_text(b, become);
    host->interface = sp_build_text(b, sp_node_get(node, "interface"));
    if (!host->via) {
        return;
    }
    bool is_ssh = strcmp(host->via, "ssh") == 0;
    if (is_ssh && !sp_node_has(node, "target")) {
        sp_node_error(b->problems, node, "via: ssh needs a target, such as target: admin@%s",
                      host->name);
    }
    if (!is_ssh && (target || become)) {
        sp_node_key_error(b->problems, target ? target : become,
                          "this key belongs to via: ssh, not to via: %s", host->via);
    }
    if (name && (is_ssh || strcmp(host->via, "local") == 0)) {
        sp_node_key_error(b->problems, name,
                          "this key belongs to via: netns or via: tls, not to via: %s", host->via);
    }
}

static void build_tunnel(const struct sp_node *node, struct sp_host *host)
{
    const struct sp_node *mac = node ? sp_node_get(node, "mac") : NULL;
    host->tunnel_vni =
        (uint32_t)sp_build_uint(node ? sp_node_get(node, "vni") : NULL, SP_TUNNEL_VNI);
    if (mac && mac->kind == SP_NODE_SCALAR) {
        (void)sp_parse_mac(mac->text, &host->tunnel_mac); /* what is wrong was said before */
    }
}

void sp_build_hosts(struct sp_build *b)
{
    const struct sp_node *hosts = sp_node_get(b->root, "hosts");
    size_t index = 0;
    for (const struct sp_node *i = sp_build_first(hosts); i; i = sp_build_next(hosts, i)) {
        struct sp_host *host = &b->model->hosts[index++];
        const struct sp_node *network = sp_node_get(i, "network");
        host->network = network ? sp_build_network_ref(b, network) : SP_NONE;
        host->addrs = sp_build_addrs(b, sp_node_get(i, "address"), &host->naddrs, &host->addr_pos);
        host->role = sp_build_text(b, sp_node_get(i, "role"));
        build_labels(b, sp_node_get(i, "labels"), host);
        build_tunnel(sp_node_get(i, "tunnel"), host);
        build_seen_as(b, sp_node_get(i, "seen_as"), host);
        build_probe(b, sp_node_get(i, "probe"), host);
    }
}

void sp_build_limits(struct sp_build *b)
{
    struct sp_limits *limits = &b->model->limits;
    *limits = (struct sp_limits){.max_rate = DEFAULT_MAX_RATE, .hazard = 'A', .loss = DEFAULT_LOSS};
    const struct sp_node *node = sp_node_get(b->root, "limits");
    if (node) {
        const struct sp_node *hazard = sp_node_get(node, "hazard");
        limits->max_rate = (uint32_t)sp_build_uint(sp_node_get(node, "max_rate"), limits->max_rate);
        limits->hazard = hazard ? hazard->text[0] : limits->hazard;
        limits->loss = sp_build_ratio(sp_node_get(node, "loss"), limits->loss);
    }
}

static enum sp_rule_action action_of(const struct sp_node *node)
{
    return is_word(node, "drop")     ? SP_ACTION_DROP
           : is_word(node, "reject") ? SP_ACTION_REJECT
                                     : SP_ACTION_UNSET;
}

void sp_build_enforcements(struct sp_build *b)
{
    struct sp_model *m = b->model;
    const struct sp_node *all = sp_node_get(b->root, "enforcement");
    m->enforcements = sp_build_array(b, sp_build_count(all), sizeof(*m->enforcements));
    if (!m->enforcements) {
        return;
    }
    for (const struct sp_node *i = sp_build_first(all); i; i = sp_build_next(all, i)) {
        struct sp_enforcement *point = &m->enforcements[m->nenforcements++];
        const struct sp_node *between = sp_node_get(i, "between");
        point->pos = i->key_pos;
        point->name = sp_strdup(i->key);
        b->rc = point->name ? b->rc : SP_E_NOMEM;
        point->between = sp_build_array(b, sp_build_count(between), sizeof(*point->between));
        if (!point->between) {
            return;
        }
        for (const struct sp_node *n = sp_build_first(between); n; n = sp_build_next(between, n)) {
            uint32_t network = sp_build_network_ref(b, n);
            if (network != SP_NONE) {
                point->between[point->nbetween++] = network;
            }
        }
        point->layer = is_word(sp_node_get(i, "layer"), "host") ? SP_LAYER_HOST : SP_LAYER_NETWORK;
        point->action = action_of(sp_node_get(i, "action"));
        point->state_capacity = (uint32_t)sp_build_uint(sp_node_get(i, "state_capacity"), 0);
        point->max_rate = (uint32_t)sp_build_uint(sp_node_get(i, "max_rate"), 0);
        point->generic_timeout_ms = sp_build_ms(sp_node_get(i, "generic_timeout"), 0);
        point->syn_timeout_ms =
            sp_build_ms(sp_node_get(i, "syn_timeout"), SP_DEFAULT_SYN_TIMEOUT_MS);
        point->udp_timeout_ms =
            sp_build_ms(sp_node_get(i, "udp_timeout"), SP_DEFAULT_UDP_TIMEOUT_MS);
        point->paths = (uint32_t)sp_build_uint(sp_node_get(i, "paths"), 1);
    }
}
