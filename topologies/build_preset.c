/* SPDX-License-Identifier: Apache-2.0
 *
 * The lines of presets become rules: open to allow, may to permit, closed to deny. Because a deny
 * beats an allow, what the open and may lines of all used presets let pass is taken out of the
 * closed ones first. Lines that speak of clusters become one rule per cluster.
 *
 * Of unequal size, only the sets of hosts can be large; they share the loader's limit. */
#include <stdio.h>
#include <string.h>

#include "probe/base/mem.h"
#include "topologies/build.h"
#include "topologies/build_box.h"
#include "topologies/preset.h"
#include "topologies/problem.h"

struct expanding {
    struct sp_build *b;
    uint32_t *cluster; /* per target, SP_NONE: of none */
    uint32_t *members; /* targets, those of a cluster beside each other */
    uint32_t *first;   /* per cluster, where its members begin; one more for the end */
    struct sp_rule *rules;
    size_t nrules, cap;
    uint64_t bytes; /* of their sets */
    uint64_t work;  /* of comparing them */
};

/* ------------------------------------------------------------------ who */

/* A balancer belongs to the cluster of its backends, where that is one. */
static uint32_t balancer_cluster(const struct sp_model *m, const struct sp_balancer *balancer,
                                 const uint32_t *cluster)
{
    uint32_t found = SP_NONE;
    for (size_t l = 0; l < balancer->nlisteners; l++) {
        for (size_t i = 0; i < balancer->listeners[l].nbackends; i++) {
            uint32_t host = balancer->listeners[l].backends[i];
            if (host >= m->nhosts || (found != SP_NONE && cluster[host] != found)) {
                return SP_NONE;
            }
            found = cluster[host];
        }
    }
    return found;
}

static void find_clusters(struct expanding *x)
{
    const struct sp_model *m = x->b->model;
    uint32_t *of_network = NULL;
    x->cluster = sp_build_array(x->b, sp_model_ntargets(m), sizeof(*x->cluster));
    if (!x->cluster || (x->b->rc = sp_clusters_new(m, &of_network)) != SP_OK) {
        return;
    }
    for (size_t h = 0; h < m->nhosts; h++) {
        uint32_t network = m->hosts[h].network;
        x->cluster[h] = network < m->nnetworks ? of_network[network] : SP_NONE;
    }
    for (size_t i = 0; i < m->nbalancers; i++) {
        x->cluster[m->nhosts + i] = balancer_cluster(m, &m->balancers[i], x->cluster);
    }
    sp_free(of_network);
}

/* Sorts targets by cluster. */
static void find_members(struct expanding *x)
{
    const struct sp_model *m = x->b->model;
    size_t n = sp_model_ntargets(m);
    x->members = sp_build_array(x->b, n, sizeof(*x->members));
    x->first = sp_build_array(x->b, m->nnetworks + 2, sizeof(*x->first));
    if (!x->members || !x->first) {
        return;
    }
    for (size_t t = 0; t < n; t++) { /* two places on: the next loop makes it one */
        if (x->cluster[t] < m->nnetworks) {
            x->first[x->cluster[t] + 2]++;
        }
    }
    for (size_t c = 2; c < m->nnetworks + 2; c++) {
        x->first[c] += x->first[c - 1];
    }
    for (size_t t = 0; t < n; t++) {
        if (x->cluster[t] < m->nnetworks) {
            x->members[x->first[x->cluster[t] + 1]++] = (uint32_t)t;
        }
    }
}

/* All who have one of the roles; `others` is every host. is_from: balancers never send. */
static enum sp_rc select_roles(struct sp_build *b, const struct sp_node *roles, bool is_from,
                               struct sp_bits *ret)
{
    const struct sp_model *m = b->model;
    enum sp_rc rc = sp_bits_init(ret, sp_model_ntargets(m));
    for (const struct sp_node *i = sp_build_first(roles); i && rc == SP_OK;
         i = sp_build_next(roles, i)) {
        bool is_others = strcmp(i->text, "others") == 0;
        const struct sp_use_role *role = sp_uses_role(m->uses, i->text);
        for (size_t t = 0; t < (is_from ? m->nhosts : ret->nbits); t++) {
            if (is_others || (role && sp_bits_get(&role->targets, t))) {
                sp_bits_set(ret, t);
            }
        }
    }
    return rc;
}

/* ------------------------------------------------------------------ rules */

static enum sp_rc add_rule(struct expanding *x, const struct sp_use *use,
                           const struct sp_preset_flow *flow, struct sp_box *box)
{
    static const enum sp_rule_kind kinds[] = {[SP_PRESET_OPEN] = SP_RULE_ALLOW,
                                              [SP_PRESET_MAY] = SP_RULE_PERMIT,
                                              [SP_PRESET_CLOSED] = SP_RULE_DENY};
    char name[160];
    void *array = x->rules;
    if (!sp_bits_have_pair(&box->from, &box->to)) {
        return SP_OK;
    }
    x->bytes += sizeof(uint64_t) * 2 * (box->from.nbits / 64 + 1);
    if (x->bytes > SP_BUILD_MAX_SELECTOR_BYTES) {
        return SP_E_LIMIT;
    }
    if (sp_grow(&array, x->nrules, &x->cap, sizeof(*x->rules)) != 0) {
        return SP_E_NOMEM;
    }
    x->rules = array;
    (void)snprintf(name, sizeof(name), "preset:%s/%s", use->preset->name, flow->name);
    struct sp_rule rule = {.pos = use->pos,
                           .index = use->index,
                           .kind = kinds[flow->kind],
                           .name = sp_strdup(name),
                           .why = sp_strdup(flow->why),
                           .source = flow->source};
    if (!rule.name || !rule.why) {
        sp_free(rule.name);
        sp_free(rule.why);
        return SP_E_NOMEM;
    }
    rule.from = box->from;
    rule.to = box->to;
    rule.ports = box->ports;
    rule.nports = box->nports;
    *box = (struct sp_box){0};
    x->rules[x->nrules++] = rule;
    return SP_OK;
}

/* The part of a set inside a cluster, or outside of it. */
static enum sp_rc part_of(const struct expanding *x, const struct sp_bits *all, uint32_t cluster,
                          bool is_inside, struct sp_bits *ret)
{
    enum sp_rc rc = sp_bits_init(ret, all->nbits);
    for (size_t i = 0; rc == SP_OK && !is_inside && i < (all->nbits + 63) / 64; i++) {
        ret->words[i] = all->words[i];
    }
    for (uint32_t i = x->first[cluster]; rc == SP_OK && i < x->first[cluster + 1]; i++) {
        uint32_t t = x->members[i];
        if (is_inside && sp_bits_get(all, t)) {
            sp_bits_set(ret, t);
        } else if (!is_inside) {
            ret->words[t / 64] &= ~(UINT64_C(1) << (t % 64));
        }
    }
    return rc;
}

/* One box per cluster that receives. */
static enum sp_rc split_clusters(const struct expanding *x, const struct sp_preset_flow *flow,
                                 const struct sp_bits *from, const struct sp_bits *to,
                                 struct sp_boxes *boxes)
{
    struct sp_bits seen;
    enum sp_rc rc = sp_bits_init(&seen, x->b->model->nnetworks);
    bool same = flow->scope == SP_SCOPE_SAME_CLUSTER;
    for (size_t t = 0; t < to->nbits && rc == SP_OK; t++) {
        uint32_t cluster = x->cluster[t];
        bool is_new = sp_bits_get(to, t) && cluster < seen.nbits && !sp_bits_get(&seen, cluster);
        struct sp_bits some = {0}, receivers = {0};
        if (!is_new) {
            continue;
        }
        sp_bits_set(&seen, cluster);
        boxes->work += 4 * (to->nbits / 64 + 1);
        rc = boxes->work > SP_BOXES_MAX_WORK ? SP_E_LIMIT : SP_OK;
        rc = rc != SP_OK ? rc : part_of(x, from, cluster, same, &some);
        rc = rc == SP_OK ? part_of(x, to, cluster, true, &receivers) : rc;
        rc = rc == SP_OK ? sp_boxes_add(boxes, &some, &receivers, flow->ports, flow->nports) : rc;
        sp_bits_release(&some);
        sp_bits_release(&receivers);
    }
    sp_bits_release(&seen);
    return rc;
}

/* Rules before `until` let pass: a closed line leaves that out. */
static enum sp_rc take_away(const struct expanding *x, const struct sp_preset_flow *flow,
                            struct sp_boxes *boxes, size_t until)
{
    enum sp_rc rc = SP_OK;
    for (size_t i = 0; i < until && rc == SP_OK; i++) {
        const struct sp_rule *rule = &x->rules[i];
        if (sp_portspecs_meet(flow->ports, flow->nports, rule->ports, rule->nports)) {
            rc = sp_boxes_subtract(boxes, rule);
        }
    }
    return rc;
}

static bool says_others(const struct sp_preset_flow *flow)
{
    for (const struct sp_node *i = sp_build_first(flow->from); i;
         i = sp_build_next(flow->from, i)) {
        if (strcmp(i->text, "others") == 0) {
            return true;
        }
    }
    return false;
}

/* Neighbours in a network are no `others`, unless it says that it is closed inside: between them
 * nobody declared anything to stand that could close a port. */
static enum sp_rc spare_neighbours(const struct expanding *x, const struct sp_bits *to,
                                   struct sp_boxes *boxes)
{
    const struct sp_model *m = x->b->model;
    struct sp_portspec any = {.proto = SP_PROTO_COUNT, .is_wild = 1, .hi = UINT16_MAX};
    struct sp_bits seen;
    enum sp_rc rc = sp_bits_init(&seen, m->nnetworks);
    for (size_t t = 0; t < m->nhosts && rc == SP_OK; t++) {
        uint32_t network = m->hosts[t].network;
        if (!sp_bits_get(to, t) || network >= m->nnetworks || sp_bits_get(&seen, network) ||
            m->networks[network].within == SP_WITHIN_CLOSED) {
            continue;
        }
        struct sp_rule inside = {.ports = &any, .nports = 1};
        sp_bits_set(&seen, network);
        rc = sp_bits_init(&inside.from, to->nbits);
        for (uint32_t i = x->b->walk_start[network]; rc == SP_OK && i < x->b->walk_end[network];
             i++) {
            uint32_t h = x->b->walk_hosts[i]; /* of it, or of one inside it */
            if (m->hosts[h].network == network) {
                sp_bits_set(&inside.from, h);
            }
        }
        inside.to = inside.from;
        rc = rc == SP_OK ? sp_boxes_subtract(boxes, &inside) : rc;
        sp_bits_release(&inside.from);
    }
    sp_bits_release(&seen);
    return rc;
}

static enum sp_rc expand_flow(struct expanding *x, const struct sp_use *use, size_t index,
                              size_t npassing)
{
    const struct sp_preset_flow *flow = &use->preset->flows[index];
    struct sp_use_flow *state = &use->flows[index];
    struct sp_boxes boxes = {.max_bytes = SP_BUILD_MAX_SELECTOR_BYTES, .work = x->work};
    struct sp_bits from = {0}, to = {0};
    enum sp_rc rc = select_roles(x->b, flow->from, true, &from);
    rc = rc == SP_OK ? select_roles(x->b, flow->to, false, &to) : rc;
    state->state = sp_build_without(x->b, flow->name)         ? SP_USE_WITHOUT
                   : rc == SP_OK && sp_bits_count(&from) == 0 ? SP_USE_NO_FROM
                   : rc == SP_OK && sp_bits_count(&to) == 0   ? SP_USE_NO_TO
                                                              : SP_USE_COVERED;
    state->first_rule = x->nrules;
    if (rc == SP_OK && state->state == SP_USE_COVERED) {
        rc = flow->scope == SP_SCOPE_ALL
                 ? sp_boxes_add(&boxes, &from, &to, flow->ports, flow->nports)
                 : split_clusters(x, flow, &from, &to, &boxes);
        if (rc == SP_OK && says_others(flow)) {
            rc = spare_neighbours(x, &to, &boxes);
        }
        if (rc == SP_OK && flow->kind == SP_PRESET_CLOSED) {
            rc = take_away(x, flow, &boxes, npassing);
        }
        for (size_t i = 0; i < boxes.n && rc == SP_OK; i++) {
            rc = add_rule(x, use, flow, &boxes.at[i]);
        }
        state->nrules = x->nrules - state->first_rule;
        state->state = state->nrules > 0 ? SP_USE_COVERED : SP_USE_NO_PAIR;
    }
    x->work = boxes.work;
    sp_boxes_release(&boxes);
    sp_bits_release(&from);
    sp_bits_release(&to);
    return rc;
}

/* Open and may lines first: closed ones need to know all of them. */
static enum sp_rc expand(struct expanding *x)
{
    const struct sp_uses *uses = x->b->model->uses;
    enum sp_rc rc = SP_OK;
    for (unsigned pass = 0; pass < 2; pass++) {
        size_t npassing = x->nrules;
        for (size_t u = 0; u < uses->n; u++) {
            const struct sp_use *use = &uses->at[u];
            for (size_t f = 0; f < use->preset->nflows && rc == SP_OK; f++) {
                bool is_closed = use->preset->flows[f].kind == SP_PRESET_CLOSED;
                rc = is_closed == (pass == 1) ? expand_flow(x, use, f, npassing) : rc;
            }
        }
    }
    return rc;
}

/* Behind all other rules of the model. */
static void append(struct expanding *x)
{
    struct sp_model *m = x->b->model;
    size_t first = m->nrules;
    void *array = sp_reallocarray(m->rules, first + x->nrules, sizeof(*m->rules));
    if (!array) {
        x->b->rc = SP_E_NOMEM;
        return;
    }
    m->rules = array;
    for (size_t i = 0; i < x->nrules; i++) {
        m->rules[m->nrules++] = x->rules[i];
    }
    x->nrules = 0;
    for (size_t u = 0; u < m->uses->n; u++) {
        for (size_t f = 0; f < m->uses->at[u].preset->nflows; f++) {
            m->uses->at[u].flows[f].first_rule += first;
        }
    }
}

void sp_build_presets(struct sp_build *b)
{
    struct expanding x = {.b = b};
    if (!b->model->uses) {
        return;
    }
    find_clusters(&x);
    if (b->rc == SP_OK) {
        find_members(&x);
    }
    enum sp_rc rc = b->rc == SP_OK ? expand(&x) : b->rc;
    if (rc == SP_E_LIMIT) {
        sp_node_error(b->problems, sp_node_get(b->root, "use"),
                      "with these hosts and roles, the lines of the presets fall apart into too "
                      "many rules: split the topology");
    } else if (rc == SP_OK && x.nrules > 0) {
        append(&x);
    } else {
        b->rc = rc;
    }
    for (size_t i = 0; i < x.nrules; i++) {
        sp_free(x.rules[i].name);
        sp_free(x.rules[i].why);
        sp_free(x.rules[i].ports);
        sp_bits_release(&x.rules[i].from);
        sp_bits_release(&x.rules[i].to);
    }
    sp_free(x.rules);
    sp_free(x.cluster);
    sp_free(x.members);
    sp_free(x.first);
}
