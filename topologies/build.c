/* SPDX-License-Identifier: Apache-2.0 */
#include "topologies/build.h"

#include <string.h>

#include "probe/base/mem.h"
#include "probe/base/str.h"
#include "topologies/field.h"

void *sp_build_array(struct sp_build *build, size_t n, size_t size)
{
    void *array = sp_calloc(n, size);
    if (!array) {
        build->rc = SP_E_NOMEM;
    }
    return array;
}

char *sp_build_text(struct sp_build *build, const struct sp_node *node)
{
    if (!node) {
        return NULL;
    }
    char *text = sp_strdup(node->text);
    if (!text) {
        build->rc = SP_E_NOMEM;
    }
    return text;
}

uint64_t sp_build_uint(const struct sp_node *node, uint64_t otherwise)
{
    uint64_t v = otherwise;
    return node && sp_parse_uint(node->text, UINT64_MAX, &v) == SP_OK ? v : otherwise;
}

uint64_t sp_build_ms(const struct sp_node *node, uint64_t otherwise)
{
    uint64_t ms = 0;
    return node && sp_parse_duration_ms(node->text, &ms) == SP_OK ? ms : otherwise;
}

double sp_build_ratio(const struct sp_node *node, double otherwise)
{
    double v = otherwise;
    return node && sp_parse_ratio(node->text, &v) ? v : otherwise;
}

static const struct sp_node *good(const struct sp_node *item)
{
    while (item && item->is_bad) {
        item = item->next;
    }
    return item;
}

const struct sp_node *sp_build_first(const struct sp_node *node)
{
    if (!node || node->kind == SP_NODE_SCALAR) {
        return node;
    }
    return good(node->first);
}

const struct sp_node *sp_build_next(const struct sp_node *node, const struct sp_node *item)
{
    return item == node ? NULL : good(item->next);
}

size_t sp_build_count(const struct sp_node *node)
{
    size_t n = 0;
    for (const struct sp_node *i = sp_build_first(node); i; i = sp_build_next(node, i)) {
        n++;
    }
    return n;
}

struct sp_addr *sp_build_addrs(struct sp_build *build, const struct sp_node *node, size_t *ret_n,
                               struct sp_pos **ret_pos)
{
    size_t n = sp_build_count(node);
    struct sp_addr *addrs = sp_build_array(build, n, sizeof(*addrs));
    struct sp_pos *pos = sp_build_array(build, n, sizeof(*pos));
    if (!addrs || !pos) {
        sp_free(addrs);
        sp_free(pos);
        return NULL;
    }
    size_t used = 0;
    for (const struct sp_node *i = sp_build_first(node); i; i = sp_build_next(node, i)) {
        if (sp_addr_parse(i->text, &addrs[used]) == SP_OK) {
            pos[used++] = i->pos;
        }
    }
    *ret_n = used;
    *ret_pos = pos;
    return addrs;
}

struct sp_prefix *sp_build_prefixes(struct sp_build *build, const struct sp_node *node,
                                    size_t *ret_n, struct sp_pos **ret_pos)
{
    size_t n = sp_build_count(node);
    struct sp_prefix *prefixes = sp_build_array(build, n, sizeof(*prefixes));
    struct sp_pos *pos = sp_build_array(build, n, sizeof(*pos));
    if (!prefixes || !pos) {
        sp_free(prefixes);
        sp_free(pos);
        return NULL;
    }
    size_t used = 0;
    for (const struct sp_node *i = sp_build_first(node); i; i = sp_build_next(node, i)) {
        if (sp_prefix_parse(i->text, &prefixes[used]) == SP_OK) {
            pos[used++] = i->pos;
        }
    }
    *ret_n = used;
    *ret_pos = pos;
    return prefixes;
}

/* Every rule has two bit sets over all targets: a file may be small and this still huge. */
static bool fits(struct sp_build *build)
{
    static const char *const kinds[] = {"allow", "permit", "deny"};
    const struct sp_node *policies = sp_node_get(build->root, "policies");
    const struct sp_node *isolation = sp_node_get(build->root, "isolation");
    uint64_t sets = (uint64_t)build->model->ngroups + 3 * (uint64_t)build->model->nbalancers;
    for (const struct sp_node *i = sp_build_first(policies); i; i = sp_build_next(policies, i)) {
        for (size_t k = 0; k < SP_ARRAY_LEN(kinds); k++) {
            sets += sp_node_has(i, kinds[k]) ? 2 : 0;
        }
    }
    sets += isolation ? (uint64_t)isolation->n * 2 : 0;
    sets += sp_build_count(sp_node_get(build->root, "nodes"));
    uint64_t bytes = sets * (sp_model_ntargets(build->model) / 64 + 1) * 8;
    if (bytes <= SP_BUILD_MAX_SELECTOR_BYTES) {
        return true;
    }
    sp_node_error(build->problems, policies ? policies : build->root,
                  "%zu hosts and balancers with this many policies, isolations and groups would "
                  "need %llu MiB of memory (the limit is %llu): split the topology",
                  sp_model_ntargets(build->model), (unsigned long long)(bytes >> 20),
                  (unsigned long long)(SP_BUILD_MAX_SELECTOR_BYTES >> 20));
    return false;
}

enum sp_rc sp_build_model(struct sp_build *build)
{
    static void (*const stages[])(struct sp_build *) = {
        sp_build_names,        sp_build_networks, sp_build_hosts,    sp_build_limits,
        sp_build_enforcements, sp_build_index,    sp_build_services,
    };
    static void (*const selecting[])(struct sp_build *) = {
        sp_build_groups, sp_build_balancers, sp_build_rules,  sp_build_nats,
        sp_build_uses,   sp_build_presets,   sp_build_floors,
    };
    for (size_t i = 0; i < SP_ARRAY_LEN(stages) && build->rc == SP_OK; i++) {
        stages[i](build);
    }
    if (build->rc == SP_OK && fits(build)) {
        for (size_t i = 0; i < SP_ARRAY_LEN(selecting) && build->rc == SP_OK; i++) {
            selecting[i](build);
        }
    }
    return build->rc;
}

void sp_build_release(struct sp_build *build)
{
    sp_names_release(&build->names);
    sp_names_release(&build->services);
    sp_free(build->labels);
    sp_free(build->walk_hosts);
    sp_free(build->walk_start);
    sp_free(build->walk_end);
    sp_free(build->group_nodes);
    sp_free(build->group_state);
}
