/* SPDX-License-Identifier: Apache-2.0
 *
 * Services, policies, isolations, what balancers allow, and translation. A policy with several of
 * allow, permit and deny becomes several rules of the same name. */
#include <stdio.h>
#include <string.h>

#include "probe/base/buf.h"
#include "probe/base/clock.h"
#include "probe/base/mem.h"
#include "topologies/build.h"
#include "topologies/problem.h"

static struct sp_portspec *build_ports(struct sp_build *b, const struct sp_node *node,
                                       size_t *ret_n)
{
    struct sp_portspec *ports = sp_build_array(b, sp_build_count(node), sizeof(*ports));
    size_t n = 0;
    for (const struct sp_node *i = ports ? sp_build_first(node) : NULL; i;
         i = sp_build_next(node, i)) {
        n += sp_portspec_parse(i->text, &ports[n], NULL) == SP_OK;
    }
    *ret_n = n;
    return ports;
}

void sp_build_services(struct sp_build *b)
{
    struct sp_model *m = b->model;
    const struct sp_node *all = sp_node_get(b->root, "services");
    size_t n = sp_build_count(all);
    m->services = sp_build_array(b, n, sizeof(*m->services));
    if (b->rc != SP_OK || (b->rc = sp_names_init(&b->services, n)) != SP_OK) {
        return;
    }
    for (const struct sp_node *i = sp_build_first(all); i && b->rc == SP_OK;
         i = sp_build_next(all, i)) {
        struct sp_portspec spec;
        char quoted[SP_QUOTE_LEN];
        if (sp_portspec_parse(i->key, &spec, NULL) == SP_OK) {
            sp_node_key_error(b->problems, i, "%s already means a protocol: choose another name",
                              sp_quote(i->key, quoted));
            continue;
        }
        struct sp_service *service = &m->services[m->nservices++];
        bool is_mapping = i->kind == SP_NODE_MAPPING;
        const struct sp_node *ports = is_mapping ? sp_node_get(i, "ports") : i;
        service->pos = i->key_pos;
        service->name = sp_strdup(i->key);
        service->data_ok = is_mapping && sp_node_get(i, "data");
        service->ports = build_ports(b, ports, &service->nports);
        b->rc = service->name ? b->rc : SP_E_NOMEM;
        (void)sp_names_add(&b->services, (struct sp_name){.name = i->key,
                                                          .kind = SP_NAME_OTHER,
                                                          .index = (uint32_t)(m->nservices - 1),
                                                          .pos = i->key_pos});
    }
}

static bool unknown_port(struct sp_build *b, const struct sp_node *node, const char *reason)
{
    char quoted[SP_QUOTE_LEN];
    char hint[SP_SUGGEST_LEN];
    struct sp_suggest suggest;
    sp_suggest_init(&suggest, node->text);
    bool is_listed = b->problems->nerrors < SP_PROBLEMS_MAX; /* else nobody will read it */
    for (size_t i = 0; is_listed && i < b->model->nservices; i++) {
        sp_suggest_try(&suggest, b->model->services[i].name);
    }
    sp_node_error(b->problems, node, "%s is neither a service of this topology nor a port%s%s%s",
                  sp_quote(node->text, quoted), sp_suggest_str(&suggest, hint),
                  suggest.best ? "" : ": ", suggest.best ? "" : reason);
    return false;
}

/* Ports and names of services, in order. False after an error. */
static bool build_rule_ports(struct sp_build *b, const struct sp_node *node, struct sp_rule *rule)
{
    bool ok = true;
    size_t cap = 0;
    void *array = NULL;
    for (const struct sp_node *i = sp_build_first(node); i; i = sp_build_next(node, i)) {
        const struct sp_name *name = sp_names_find(&b->services, i->text);
        struct sp_portspec one;
        const struct sp_portspec *from = &one;
        size_t n = 1;
        if (name) {
            from = b->model->services[name->index].ports;
            n = b->model->services[name->index].nports;
        } else if (sp_portspec_parse(i->text, &one, NULL) != SP_OK) {
            ok = unknown_port(b, i, "write tcp/443, udp/53, icmp/echo or any");
            continue;
        }
        b->nports += n;
        if (b->nports > SP_BUILD_MAX_PORTS) {
            sp_node_error(b->problems, node,
                          "with these, the policies name more than %u ports: use ranges",
                          SP_BUILD_MAX_PORTS);
            return false;
        }
        for (size_t k = 0; k < n; k++) {
            if (sp_grow(&array, rule->nports, &cap, sizeof(*rule->ports)) != 0) {
                b->rc = SP_E_NOMEM;
                rule->ports = array;
                return false;
            }
            rule->ports = array;
            rule->ports[rule->nports++] = from[k];
        }
    }
    return ok && rule->nports > 0;
}

static void release_rule(struct sp_rule *rule)
{
    sp_free(rule->name);
    sp_bits_release(&rule->from);
    sp_bits_release(&rule->to);
    sp_free(rule->ports);
    sp_free(rule->why);
    sp_free(rule->expires);
    *rule = (struct sp_rule){0};
}

static enum sp_rule_action action_of(const struct sp_node *node)
{
    return !node                               ? SP_ACTION_UNSET
           : strcmp(node->text, "reject") == 0 ? SP_ACTION_REJECT
                                               : SP_ACTION_DROP;
}

/* One of allow, permit, deny of one policy. A rule with an error is left out: half of it would mean
 * something else. */
static void build_policy_rule(struct sp_build *b, const struct sp_node *policy,
                              const struct sp_node *ports, enum sp_rule_kind kind,
                              const char *today)
{
    struct sp_rule *rule = &b->model->rules[b->model->nrules];
    const struct sp_node *expires = sp_node_get(policy, "expires");
    rule->pos = policy->pos;
    rule->index = policy->index;
    rule->kind = kind;
    rule->action = action_of(sp_node_get(policy, "action"));
    rule->name = sp_build_text(b, sp_node_get(policy, "name"));
    rule->why = sp_build_text(b, sp_node_get(policy, "why"));
    rule->expires = sp_build_text(b, expires);
    rule->is_expired = expires && strcmp(expires->text, today) < 0;
    bool ok = rule->name != NULL;
    ok = sp_build_select_senders(b, sp_node_get(policy, "from"), &rule->from) && ok;
    ok = sp_build_select(b, sp_node_get(policy, "to"), &rule->to) && ok;
    ok = build_rule_ports(b, ports, rule) && ok;
    if (ok && b->rc == SP_OK) {
        b->model->nrules++;
    } else {
        release_rule(rule);
    }
}

static void build_policy(struct sp_build *b, const struct sp_node *policy, const char *today)
{
    static const struct {
        const char *key;
        enum sp_rule_kind kind;
    } kinds[] = {{"deny", SP_RULE_DENY}, {"allow", SP_RULE_ALLOW}, {"permit", SP_RULE_PERMIT}};
    for (size_t i = 0; i < SP_ARRAY_LEN(kinds); i++) {
        const struct sp_node *ports = sp_node_get(policy, kinds[i].key);
        if (ports) {
            build_policy_rule(b, policy, ports, kinds[i].kind, today);
        }
    }
}

static void build_isolation(struct sp_build *b, const struct sp_node *pair)
{
    struct sp_rule *rule = &b->model->rules[b->model->nrules];
    const struct sp_node *one = sp_build_first(pair);
    const struct sp_node *two = one ? sp_build_next(pair, one) : NULL;
    char name[64 + 2 * 600];
    if (!two) {
        return;
    }
    (void)snprintf(name, sizeof(name), "isolation:%s-%s", one->text, two->text);
    rule->pos = pair->pos;
    rule->index = pair->index;
    rule->kind = SP_RULE_ISOLATION;
    rule->name = sp_strdup(name);
    rule->ports = sp_build_array(b, 1, sizeof(*rule->ports));
    if (!rule->name || !rule->ports) {
        b->rc = SP_E_NOMEM;
        release_rule(rule);
        return;
    }
    rule->ports[0] = (struct sp_portspec){.proto = SP_PROTO_COUNT, .is_wild = 1, .hi = UINT16_MAX};
    rule->nports = 1;
    bool ok = sp_build_select(b, one, &rule->from);
    ok = sp_build_select(b, two, &rule->to) && ok;
    if (ok && b->rc == SP_OK) {
        b->model->nrules++;
    } else {
        release_rule(rule);
    }
}

static void build_balancer_rule(struct sp_build *b, size_t index)
{
    const struct sp_balancer *balancer = &b->model->balancers[index];
    struct sp_rule *rule = &b->model->rules[b->model->nrules];
    if (!balancer->from.words || balancer->nlisteners == 0) {
        return; /* an error was reported there */
    }
    struct sp_buf name;
    sp_buf_init(&name, 256);
    sp_buf_fmt(&name, "balancer:%s", balancer->name);
    rule->pos = balancer->pos;
    rule->index = (uint32_t)index;
    rule->kind = SP_RULE_ALLOW;
    rule->name = sp_buf_take(&name);
    sp_buf_release(&name);
    rule->ports = sp_build_array(b, balancer->nlisteners, sizeof(*rule->ports));
    rule->from.nbits = rule->to.nbits = balancer->from.nbits;
    rule->from.words = sp_memdup(balancer->from.words, (balancer->from.nbits / 64 + 1) * 8);
    if (sp_bits_init(&rule->to, balancer->from.nbits) != SP_OK || !rule->name || !rule->ports ||
        !rule->from.words) {
        b->rc = SP_E_NOMEM;
        release_rule(rule);
        return;
    }
    sp_bits_set(&rule->to, b->model->nhosts + index);
    for (size_t i = 0; i < balancer->nlisteners; i++) {
        rule->ports[rule->nports++] = balancer->listeners[i].port;
    }
    b->model->nrules++;
}

void sp_build_rules(struct sp_build *b)
{
    const struct sp_node *policies = sp_node_get(b->root, "policies");
    const struct sp_node *isolation = sp_node_get(b->root, "isolation");
    struct sp_names seen;
    char today[24];
    b->model->rules = sp_build_array(
        b, 3 * sp_build_count(policies) + sp_build_count(isolation) + b->model->nbalancers,
        sizeof(*b->model->rules));
    if (b->rc != SP_OK || (b->rc = sp_names_init(&seen, sp_build_count(policies))) != SP_OK) {
        return;
    }
    sp_wall_str(sp_wall_s(), today);
    today[10] = '\0'; /* the day alone */
    for (const struct sp_node *i = sp_build_first(policies); i && b->rc == SP_OK;
         i = sp_build_next(policies, i)) {
        const struct sp_node *name = sp_node_get(i, "name");
        const struct sp_name *taken =
            name ? sp_names_add(&seen, (struct sp_name){.name = name->text, .pos = name->pos})
                 : NULL;
        if (taken) {
            char quoted[SP_QUOTE_LEN];
            sp_node_error(b->problems, name, "the policy on line %u is already named %s",
                          (unsigned)taken->pos.line, sp_quote(name->text, quoted));
        }
        build_policy(b, i, today);
    }
    sp_names_release(&seen);
    for (const struct sp_node *i = sp_build_first(isolation); i && b->rc == SP_OK;
         i = sp_build_next(isolation, i)) {
        build_isolation(b, i);
    }
    for (size_t i = 0; i < b->model->nbalancers && b->rc == SP_OK; i++) {
        build_balancer_rule(b, i);
    }
}

void sp_build_nats(struct sp_build *b)
{
    struct sp_model *m = b->model;
    const struct sp_node *all = sp_node_get(b->root, "nat");
    m->nats = sp_build_array(b, sp_build_count(all), sizeof(*m->nats));
    for (const struct sp_node *i = m->nats ? sp_build_first(all) : NULL; i && b->rc == SP_OK;
         i = sp_build_next(all, i)) {
        struct sp_nat *nat = &m->nats[m->nnats];
        const struct sp_node *dnat = sp_node_get(i, "dnat");
        const struct sp_node *addr = dnat ? dnat : sp_node_get(i, "snat");
        nat->pos = i->pos;
        nat->is_dnat = dnat != NULL;
        bool ok = addr && sp_addr_parse(addr->text, &nat->addr) == SP_OK;
        ok = sp_build_select_senders(b, sp_node_get(i, "from"), &nat->from) && ok;
        ok = sp_build_select(b, sp_node_get(i, "to"), &nat->to) && ok;
        if (ok) {
            m->nnats++;
        } else {
            sp_bits_release(&nat->from);
            sp_bits_release(&nat->to);
        }
    }
}
