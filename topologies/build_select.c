/* SPDX-License-Identifier: Apache-2.0
 *
 * Selectors become bit sets of targets: a name of a network (with all inside it), a host, a group
 * or a balancer; label:key=value; any; not: before one of these. In a list, what `not:` selects is
 * taken away from what the others select together; a list of `not:` alone starts from any. */
#include <stdlib.h>
#include <string.h>

#include "probe/base/mem.h"
#include "topologies/build.h"
#include "topologies/problem.h"

static int by_label(const void *a, const void *b)
{
    const struct sp_label_at *x = a;
    const struct sp_label_at *y = b;
    int order = strcmp(x->key, y->key);
    order = order ? order : strcmp(x->value, y->value);
    return order ? order : x->host < y->host ? -1 : x->host > y->host;
}

static void index_labels(struct sp_build *b)
{
    const struct sp_model *m = b->model;
    size_t n = 0;
    for (size_t h = 0; h < m->nhosts; h++) {
        n += m->hosts[h].nlabels;
    }
    b->labels = sp_build_array(b, n, sizeof(*b->labels));
    if (!b->labels) {
        return;
    }
    for (size_t h = 0; h < m->nhosts; h++) {
        for (size_t i = 0; i < m->hosts[h].nlabels; i++) {
            b->labels[b->nlabels++] = (struct sp_label_at){
                m->hosts[h].labels[i].key, m->hosts[h].labels[i].value, (uint32_t)h};
        }
    }
    qsort(b->labels, b->nlabels, sizeof(*b->labels), by_label);
}

/* Networks with every parent before its children: climbs from each to the first one that is already
 * placed, then turns the climb round. */
static void parents_first(const struct sp_model *m, uint32_t *order, uint32_t *placed)
{
    size_t n = 0;
    for (uint32_t i = 0; i < m->nnetworks; i++) {
        size_t lo = n;
        for (uint32_t at = i; at != SP_NONE && !placed[at]; at = m->networks[at].parent) {
            placed[at] = 1;
            order[n++] = at;
        }
        for (size_t hi = n; lo + 1 < hi; lo++) {
            uint32_t swap = order[lo];
            order[lo] = order[--hi];
            order[hi] = swap;
        }
    }
}

/* total: hosts of each network with all inside it. next: where its next child's stretch begins. */
static void fill_walk(struct sp_build *b, const uint32_t *order, uint32_t *total, uint32_t *next)
{
    const struct sp_model *m = b->model;
    uint32_t top = 0;
    for (size_t h = 0; h < m->nhosts; h++) {
        if (m->hosts[h].network != SP_NONE) {
            total[m->hosts[h].network]++;
        }
    }
    for (size_t i = m->nnetworks; i > 0; i--) {
        uint32_t parent = m->networks[order[i - 1]].parent;
        if (parent != SP_NONE) {
            total[parent] += total[order[i - 1]];
        }
    }
    for (size_t i = 0; i < m->nnetworks; i++) {
        uint32_t parent = m->networks[order[i]].parent;
        uint32_t *from = parent == SP_NONE ? &top : &next[parent];
        b->walk_start[order[i]] = next[order[i]] = *from;
        *from += total[order[i]];
        b->walk_end[order[i]] = *from;
    }
    /* A network's own hosts fill its stretch from the back, its children stand at the front. */
    for (size_t h = 0; h < m->nhosts; h++) {
        uint32_t network = m->hosts[h].network;
        if (network != SP_NONE) {
            b->walk_hosts[b->walk_start[network] + --total[network]] = (uint32_t)h;
        }
    }
}

/* Numbers hosts so that those of a network and of all networks inside it are neighbours. */
static void index_walk(struct sp_build *b)
{
    const struct sp_model *m = b->model;
    uint32_t *total = sp_build_array(b, m->nnetworks, sizeof(*total));
    uint32_t *next = sp_build_array(b, m->nnetworks, sizeof(*next));
    uint32_t *order = sp_build_array(b, m->nnetworks, sizeof(*order));
    b->walk_hosts = sp_build_array(b, m->nhosts, sizeof(*b->walk_hosts));
    b->walk_start = sp_build_array(b, m->nnetworks, sizeof(*b->walk_start));
    b->walk_end = sp_build_array(b, m->nnetworks, sizeof(*b->walk_end));
    if (b->rc == SP_OK) {
        parents_first(m, order, b->walk_end); /* walk_end only marks here; it is filled below */
        fill_walk(b, order, total, next);
    }
    sp_free(total);
    sp_free(next);
    sp_free(order);
}

void sp_build_index(struct sp_build *b)
{
    index_labels(b);
    if (b->rc == SP_OK) {
        index_walk(b);
    }
}

static void unknown_name(struct sp_build *b, const struct sp_node *node, const char *name,
                         bool only_networks)
{
    char quoted[SP_QUOTE_LEN];
    char hint[SP_SUGGEST_LEN];
    struct sp_suggest suggest;
    sp_suggest_init(&suggest, name);
    const struct sp_model *m = b->model;
    bool is_listed = b->problems->nerrors < SP_PROBLEMS_MAX; /* else nobody will read it */
    for (size_t i = 0; is_listed && i < m->nnetworks; i++) {
        sp_suggest_try(&suggest, m->networks[i].name);
    }
    for (size_t i = 0; is_listed && !only_networks && i < sp_model_ntargets(m); i++) {
        sp_suggest_try(&suggest, sp_model_target_name(m, i));
    }
    for (size_t i = 0; is_listed && !only_networks && i < m->ngroups; i++) {
        sp_suggest_try(&suggest, m->groups[i].name);
    }
    sp_node_error(b->problems, node, "%s is not %s of this topology%s", sp_quote(name, quoted),
                  only_networks ? "a network" : "a network, host, group or load balancer",
                  sp_suggest_str(&suggest, hint));
}

uint32_t sp_build_network_ref(struct sp_build *b, const struct sp_node *node)
{
    const struct sp_name *name = sp_names_find(&b->names, node->text);
    if (name && name->kind == SP_NAME_NETWORK) {
        return name->index;
    }
    unknown_name(b, node, node->text, true);
    return SP_NONE;
}

static void set_all(struct sp_bits *bits)
{
    for (size_t i = 0; i < bits->nbits / 64; i++) {
        bits->words[i] = UINT64_MAX;
    }
    if (bits->nbits % 64) { /* bits past the end stay zero */
        bits->words[bits->nbits / 64] = (UINT64_C(1) << (bits->nbits % 64)) - 1;
    }
}

static bool add_label(struct sp_build *b, const struct sp_node *node, const char *text,
                      struct sp_bits *bits)
{
    const char *equals = strchr(text, '=');
    char *key = equals ? sp_strndup(text, (size_t)(equals - text)) : NULL;
    if (!key) {
        b->rc = SP_E_NOMEM; /* validation saw the '=' */
        return false;
    }
    struct sp_label_at wanted = {.key = key, .value = equals + 1, .host = 0};
    size_t lo = 0;
    for (size_t hi = b->nlabels; lo < hi;) {
        size_t mid = lo + (hi - lo) / 2;
        if (by_label(&b->labels[mid], &wanted) < 0) {
            lo = mid + 1;
        } else {
            hi = mid;
        }
    }
    bool found = false;
    for (; lo < b->nlabels && strcmp(b->labels[lo].key, key) == 0 &&
           strcmp(b->labels[lo].value, wanted.value) == 0;
         lo++) {
        sp_bits_set(bits, b->labels[lo].host);
        found = true;
    }
    if (!found) {
        char pointer[SP_NODE_POINTER_LEN];
        char quoted[SP_QUOTE_LEN];
        sp_problem_add(b->problems, false, node->pos, sp_node_pointer(node, pointer),
                       "no host has the label %s", sp_quote(text, quoted));
    }
    sp_free(key);
    return true;
}

static bool resolve_group(struct sp_build *b, uint32_t index, const struct sp_node *user);

/* Adds what one word selects, without its `not:`. */
static bool add_word(struct sp_build *b, const struct sp_node *node, const char *text,
                     struct sp_bits *bits)
{
    if (strcmp(text, "any") == 0) {
        set_all(bits);
        return true;
    }
    if (strncmp(text, "label:", 6) == 0) {
        return add_label(b, node, text + 6, bits);
    }
    const struct sp_name *name = sp_names_find(&b->names, text);
    if (!name) {
        unknown_name(b, node, text, false);
        return false;
    }
    switch (name->kind) {
    case SP_NAME_NETWORK:
        for (uint32_t i = b->walk_start[name->index]; i < b->walk_end[name->index]; i++) {
            sp_bits_set(bits, b->walk_hosts[i]);
        }
        return true;
    case SP_NAME_HOST:
        sp_bits_set(bits, name->index);
        return true;
    case SP_NAME_BALANCER:
        sp_bits_set(bits, b->model->nhosts + name->index);
        return true;
    default:
        break;
    }
    if (!resolve_group(b, name->index, node)) {
        return false;
    }
    const struct sp_bits *group = &b->model->groups[name->index].targets;
    for (size_t i = 0; i < (bits->nbits + 63) / 64; i++) {
        bits->words[i] |= group->words[i];
    }
    return true;
}

bool sp_build_select(struct sp_build *b, const struct sp_node *node, struct sp_bits *ret_targets)
{
    struct sp_bits some = {0}, none = {0};
    size_t n = sp_model_ntargets(b->model);
    bool ok = node != NULL;
    bool has_some = false;
    if (sp_bits_init(&some, n) != SP_OK || sp_bits_init(&none, n) != SP_OK) {
        b->rc = SP_E_NOMEM;
        ok = false;
    }
    if (ok && node->kind == SP_NODE_SEQUENCE && sp_build_count(node) != node->n) {
        ok = false; /* an item is bad: what the rest selects is not what was meant */
    }
    for (const struct sp_node *i = ok ? sp_build_first(node) : NULL; i && b->rc == SP_OK;
         i = sp_build_next(node, i)) {
        bool is_not = strncmp(i->text, "not:", 4) == 0;
        has_some = has_some || !is_not;
        ok = add_word(b, i, i->text + (is_not ? 4 : 0), is_not ? &none : &some) && ok;
    }
    ok = ok && b->rc == SP_OK;
    if (ok && !has_some) {
        set_all(&some);
    }
    for (size_t i = 0; ok && i < (n + 63) / 64; i++) {
        some.words[i] &= ~none.words[i];
    }
    sp_bits_release(&none);
    if (!ok) {
        sp_bits_release(&some);
    }
    *ret_targets = some;
    return ok;
}

bool sp_build_select_senders(struct sp_build *b, const struct sp_node *node,
                             struct sp_bits *ret_targets)
{
    bool ok = true;
    for (const struct sp_node *i = sp_build_first(node); i; i = sp_build_next(node, i)) {
        const struct sp_name *name = sp_names_find(&b->names, i->text);
        if (name && name->kind == SP_NAME_BALANCER) {
            char quoted[SP_QUOTE_LEN];
            sp_node_error(b->problems, i, "%s is a load balancer: it is a target, never a sender",
                          sp_quote(i->text, quoted));
            ok = false;
        }
    }
    if (!sp_build_select(b, node, ret_targets)) {
        return false;
    }
    for (size_t i = b->model->nhosts; i < ret_targets->nbits; i++) {
        ret_targets->words[i / 64] &= ~(UINT64_C(1) << (i % 64));
    }
    if (!ok) {
        sp_bits_release(ret_targets);
    }
    return ok;
}

/* Groups may name groups: each is resolved when first needed. */
static bool resolve_group(struct sp_build *b, uint32_t index, const struct sp_node *user)
{
    struct sp_group *group = &b->model->groups[index];
    if (b->group_state[index] == 2) {
        return group->targets.words != NULL;
    }
    if (b->group_state[index] == 1 || b->group_depth >= SP_BUILD_MAX_GROUP_DEPTH) {
        char quoted[SP_QUOTE_LEN];
        sp_node_error(b->problems, user,
                      b->group_state[index] == 1 ? "the group %s contains itself"
                                                 : "at %s, groups nest deeper than 32",
                      sp_quote(group->name, quoted));
        return false;
    }
    b->group_state[index] = 1;
    b->group_depth++;
    bool ok = sp_build_select(b, b->group_nodes[index], &group->targets);
    b->group_depth--;
    b->group_state[index] = 2;
    return ok;
}

void sp_build_groups(struct sp_build *b)
{
    b->group_state = sp_build_array(b, b->model->ngroups, sizeof(*b->group_state));
    for (size_t i = 0; i < b->model->ngroups && b->rc == SP_OK; i++) {
        (void)resolve_group(b, (uint32_t)i, b->group_nodes[i]);
    }
}
