/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/model_builder.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "topologies/plan.h"

/* Plain malloc: the library's fail points must not hit the test's own data. */
static void *more(void *array, size_t n, size_t size)
{
    void *bigger = realloc(array, (n + 1) * size);
    if (!bigger) {
        abort();
    }
    memset((char *)bigger + n * size, 0, size);
    return bigger;
}

#define SP_MB_ADD(array, n) ((array) = more((array), (n), sizeof(*(array))), (n)++, &(array)[(n)-1])

static char *copy(const char *s)
{
    char *out = s ? strdup(s) : NULL;
    if (s && !out) {
        abort();
    }
    return out;
}

static void must(enum sp_rc rc, const struct sp_diag *diag)
{
    if (rc != SP_OK) {
        (void)fprintf(stderr, "model_builder: %s\n", diag->text);
        abort();
    }
}

/* Calls fn for each part of a list with commas. */
static void each(const char *list, void (*fn)(void *a, void *b, const char *part), void *a, void *b)
{
    char part[128];
    while (list && *list) {
        size_t len = strcspn(list, ",");
        if (len >= sizeof(part)) {
            abort();
        }
        memcpy(part, list, len);
        part[len] = '\0';
        fn(a, b, part);
        list += len + (list[len] == ',');
    }
}

struct sp_model *sp_mb_new(void)
{
    struct sp_model *model = calloc(1, sizeof(*model));
    if (!model) {
        abort();
    }
    model->name = copy("built");
    model->file = copy("built.yaml");
    model->limits.max_rate = 5000;
    model->limits.hazard = 'A';
    model->limits.loss = 0.01;
    return model;
}

static void free_rule(struct sp_rule *rule)
{
    free(rule->name);
    sp_bits_release(&rule->from);
    sp_bits_release(&rule->to);
    free(rule->ports);
    free(rule->why);
    free(rule->expires);
}

static void free_host(struct sp_host *host)
{
    free(host->name);
    free(host->addrs);
    for (size_t i = 0; i < host->nlabels; i++) {
        free(host->labels[i].key);
        free(host->labels[i].value);
    }
    free(host->labels);
    free(host->seen_as);
    free(host->via);
}

void sp_mb_free(struct sp_model *model)
{
    for (size_t i = 0; i < model->nnetworks; i++) {
        free(model->networks[i].name);
        free(model->networks[i].cidrs);
    }
    for (size_t i = 0; i < model->nhosts; i++) {
        free_host(&model->hosts[i]);
    }
    for (size_t i = 0; i < model->ngroups; i++) {
        free(model->groups[i].name);
        sp_bits_release(&model->groups[i].targets);
    }
    for (size_t i = 0; i < model->nbalancers; i++) {
        free(model->balancers[i].name);
        free(model->balancers[i].addrs);
        for (size_t k = 0; k < model->balancers[i].nlisteners; k++) {
            free(model->balancers[i].listeners[k].backends);
        }
        free(model->balancers[i].listeners);
    }
    for (size_t i = 0; i < model->nrules; i++) {
        free_rule(&model->rules[i]);
    }
    for (size_t i = 0; i < model->nenforcements; i++) {
        free(model->enforcements[i].name);
        free(model->enforcements[i].between);
    }
    for (size_t i = 0; i < model->nnats; i++) {
        sp_bits_release(&model->nats[i].from);
        sp_bits_release(&model->nats[i].to);
    }
    free(model->networks);
    free(model->hosts);
    free(model->groups);
    free(model->balancers);
    free(model->rules);
    free(model->enforcements);
    free(model->nats);
    free(model->name);
    free(model->file);
    free(model);
}

uint32_t sp_mb_find_network(const struct sp_model *model, const char *name)
{
    for (uint32_t i = 0; i < model->nnetworks; i++) {
        if (strcmp(model->networks[i].name, name) == 0) {
            return i;
        }
    }
    (void)fprintf(stderr, "model_builder: no network %s\n", name);
    abort();
}

static void add_cidr(void *a, void *b, const char *part)
{
    (void)b;
    struct sp_network *network = a;
    struct sp_prefix *cidr = SP_MB_ADD(network->cidrs, network->ncidrs);
    struct sp_diag diag = {.text = "bad CIDR"};
    must(sp_prefix_parse(part, cidr), &diag);
}

uint32_t sp_mb_network(struct sp_model *model, const char *name, const char *in,
                       enum sp_net_kind kind, const char *cidrs)
{
    uint32_t parent = in ? sp_mb_find_network(model, in) : SP_NONE;
    struct sp_network *network = SP_MB_ADD(model->networks, model->nnetworks);
    network->name = copy(name);
    network->kind = kind;
    network->parent = parent;
    each(cidrs, add_cidr, network, NULL);
    return (uint32_t)model->nnetworks - 1;
}

static struct sp_addr address(const char *text)
{
    struct sp_addr addr = {0};
    struct sp_diag diag = {.text = "bad address"};
    must(sp_addr_parse(text, &addr), &diag);
    return addr;
}

static void add_addr(void *a, void *b, const char *part)
{
    struct sp_addr **addrs = a;
    size_t *n = b;
    *SP_MB_ADD(*addrs, *n) = address(part);
}

uint32_t sp_mb_host(struct sp_model *model, const char *name, const char *network,
                    const char *addresses, const char *via)
{
    struct sp_host *host = SP_MB_ADD(model->hosts, model->nhosts);
    host->name = copy(name);
    host->network = sp_mb_find_network(model, network);
    host->via = copy(via);
    host->pos.line = (uint32_t)model->nhosts;
    each(addresses, add_addr, &host->addrs, &host->naddrs);
    return (uint32_t)model->nhosts - 1;
}

void sp_mb_label(struct sp_model *model, uint32_t index, const char *key, const char *value)
{
    struct sp_host *host = &model->hosts[index];
    struct sp_label *label = SP_MB_ADD(host->labels, host->nlabels);
    label->key = copy(key);
    label->value = copy(value);
}

void sp_mb_seen_as(struct sp_model *model, uint32_t index, const char *network, const char *text)
{
    struct sp_host *host = &model->hosts[index];
    struct sp_seen_as *seen = SP_MB_ADD(host->seen_as, host->nseen_as);
    seen->network = sp_mb_find_network(model, network);
    seen->addr = address(text);
}

static struct sp_bits selected(const struct sp_model *model, const char *selector)
{
    struct sp_bits bits = {0};
    struct sp_diag diag = {0};
    must(sp_select(model, selector, &bits, &diag), &diag);
    return bits;
}

void sp_mb_group(struct sp_model *model, const char *name, const char *selector)
{
    struct sp_bits bits = selected(model, selector);
    struct sp_group *group = SP_MB_ADD(model->groups, model->ngroups);
    group->name = copy(name);
    group->targets = bits;
}

uint32_t sp_mb_balancer(struct sp_model *model, const char *name, const char *addresses)
{
    struct sp_balancer *balancer = SP_MB_ADD(model->balancers, model->nbalancers);
    balancer->name = copy(name);
    each(addresses, add_addr, &balancer->addrs, &balancer->naddrs);
    return (uint32_t)(sp_model_ntargets(model) - 1);
}

void sp_mb_listener(struct sp_model *model, uint32_t target, const char *port, const char *backends,
                    uint16_t backend_port)
{
    struct sp_balancer *balancer = &model->balancers[target - model->nhosts];
    struct sp_bits bits = selected(model, backends);
    struct sp_listener *listener = SP_MB_ADD(balancer->listeners, balancer->nlisteners);
    struct sp_diag diag = {0};
    must(sp_portspec_parse(port, &listener->port, &diag), &diag);
    listener->backend_port = backend_port;
    for (uint32_t h = 0; h < model->nhosts; h++) {
        if (sp_bits_get(&bits, h)) {
            *SP_MB_ADD(listener->backends, listener->nbackends) = h;
        }
    }
    sp_bits_release(&bits);
}

static void add_port(void *a, void *b, const char *part)
{
    (void)b;
    struct sp_rule *rule = a;
    struct sp_diag diag = {0};
    must(sp_portspec_parse(part, SP_MB_ADD(rule->ports, rule->nports), &diag), &diag);
}

uint32_t sp_mb_rule(struct sp_model *model, enum sp_rule_kind kind, const char *name,
                    const char *from, const char *to, const char *ports)
{
    struct sp_bits senders = selected(model, from), receivers = selected(model, to);
    struct sp_rule *rule = SP_MB_ADD(model->rules, model->nrules);
    rule->name = copy(name);
    rule->kind = kind;
    rule->from = senders;
    rule->to = receivers;
    rule->pos.line = 100 + (uint32_t)model->nrules;
    each(ports, add_port, rule, NULL);
    return (uint32_t)model->nrules - 1;
}

static void add_side(void *a, void *b, const char *part)
{
    struct sp_enforcement *point = a;
    *SP_MB_ADD(point->between, point->nbetween) = sp_mb_find_network(b, part);
}

uint32_t sp_mb_enforcement(struct sp_model *model, const char *name, const char *networks)
{
    struct sp_enforcement *point = SP_MB_ADD(model->enforcements, model->nenforcements);
    point->name = copy(name);
    point->paths = 1;
    point->syn_timeout_ms = SP_DEFAULT_SYN_TIMEOUT_MS;
    point->udp_timeout_ms = SP_DEFAULT_UDP_TIMEOUT_MS;
    each(networks, add_side, point, model);
    return (uint32_t)model->nenforcements - 1;
}

void sp_mb_nat(struct sp_model *model, bool is_dnat, const char *from, const char *to,
               const char *text)
{
    struct sp_bits senders = selected(model, from), receivers = selected(model, to);
    struct sp_nat *nat = SP_MB_ADD(model->nats, model->nnats);
    *nat = (struct sp_nat){
        .from = senders, .to = receivers, .is_dnat = is_dnat, .addr = address(text)};
}
