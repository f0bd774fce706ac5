/* SPDX-License-Identifier: Apache-2.0
 *
 * Lints of addresses. Prefixes of one family either nest or are disjoint, so after sorting one
 * sweep with a stack of what encloses the current place finds every overlap. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "probe/base/mem.h"
#include "topologies/check.h"

/* A CIDR of a network, or an address of a host, in the routing domain of its top network. */
struct place {
    struct sp_prefix prefix;
    uint32_t root, network;
    uint32_t host;  /* SP_NONE for a CIDR */
    uint32_t depth; /* of the network, so that a parent comes before a child of the same range */
    struct sp_pos pos;
};

static int by_place(const void *a, const void *b)
{
    const struct place *x = a;
    const struct place *y = b;
    if (x->root != y->root) {
        return x->root < y->root ? -1 : 1;
    }
    int order = sp_addr_cmp(&x->prefix.addr, &y->prefix.addr);
    if (order) {
        return order;
    }
    if (x->prefix.len != y->prefix.len) {
        return x->prefix.len < y->prefix.len ? -1 : 1;
    }
    if ((x->host == SP_NONE) != (y->host == SP_NONE)) {
        return x->host == SP_NONE ? -1 : 1;
    }
    if (x->depth != y->depth) {
        return x->depth < y->depth ? -1 : 1;
    }
    if (x->pos.line != y->pos.line) {
        return x->pos.line < y->pos.line ? -1 : 1;
    }
    return x->pos.col < y->pos.col ? -1 : x->pos.col > y->pos.col;
}

static uint32_t depth_of(const struct sp_model *m, uint32_t network)
{
    uint32_t depth = 0;
    while (network < m->nnetworks && depth <= m->nnetworks) {
        network = m->networks[network].parent;
        depth++;
    }
    return depth;
}

/* All CIDRs that must not overlap, and all addresses of hosts. */
static struct place *collect(const struct sp_model *m, size_t *ret_n)
{
    size_t n = 0;
    for (size_t i = 0; i < m->nnetworks; i++) {
        n += m->networks[i].ncidrs;
    }
    for (size_t i = 0; i < m->nhosts; i++) {
        n += m->hosts[i].naddrs;
    }
    struct place *places = sp_calloc(n, sizeof(*places));
    if (!places) {
        return NULL;
    }
    n = 0;
    for (uint32_t i = 0; i < m->nnetworks; i++) {
        const struct sp_network *network = &m->networks[i];
        for (size_t c = 0; network->kind != SP_NET_EXTERNAL && c < network->ncidrs; c++) {
            places[n++] = (struct place){
                .prefix = network->cidrs[c],
                .root = sp_model_root_network(m, i),
                .network = i,
                .host = SP_NONE,
                .depth = depth_of(m, i),
                .pos = network->cidr_pos ? network->cidr_pos[c] : network->pos,
            };
        }
    }
    for (uint32_t h = 0; h < m->nhosts; h++) {
        const struct sp_host *host = &m->hosts[h];
        for (size_t a = 0; host->network < m->nnetworks && a < host->naddrs; a++) {
            places[n++] = (struct place){
                .prefix = {.addr = host->addrs[a],
                           .len = (uint8_t)(sp_addr_len(&host->addrs[a]) * 8)},
                .root = sp_model_root_network(m, host->network),
                .network = host->network,
                .host = h,
                .pos = host->addr_pos ? host->addr_pos[a] : host->pos,
            };
        }
    }
    *ret_n = n;
    return places;
}

/* True when the two are one network, or one lies inside the other by `in:`. */
static bool are_related(const struct sp_model *m, uint32_t a, uint32_t b)
{
    return sp_model_network_within(m, a, b) || sp_model_network_within(m, b, a);
}

/* A CIDR inside others: they must be its own ancestors. Returns false when it must not enclose
 * anything itself, because that would only repeat the message. */
static bool check_cidr(const struct sp_model *m, const struct place *places, const size_t *stack,
                       size_t depth, const struct place *at, struct sp_problems *problems)
{
    char one[SP_PREFIX_STRLEN], two[SP_PREFIX_STRLEN];
    const struct sp_network *network = &m->networks[at->network];
    for (size_t i = depth; i > 0; i--) {
        const struct place *outer = &places[stack[i - 1]];
        if (outer->network == at->network) {
            sp_check_add(problems, false, at->pos, "networks", network->name,
                         "%s is already part of %s of the same network",
                         sp_prefix_str(&at->prefix, one), sp_prefix_str(&outer->prefix, two));
            return false;
        }
        if (!are_related(m, outer->network, at->network)) {
            sp_check_add(problems, true, at->pos, "networks", network->name,
                         "%s of '%s' overlaps %s of '%s' (line %u), and both lie in '%s'",
                         sp_prefix_str(&at->prefix, one), network->name,
                         sp_prefix_str(&outer->prefix, two), m->networks[outer->network].name,
                         (unsigned)outer->pos.line, m->networks[at->root].name);
            return false;
        }
    }
    return true;
}

/* An address inside a subnet of its own network belongs there; one given twice is nobody's. */
static void check_host_place(const struct sp_model *m, const struct place *inner,
                             const struct place *before, const struct place *at,
                             struct sp_problems *problems)
{
    char text[SP_ADDR_STRLEN];
    const struct sp_host *host = &m->hosts[at->host];
    (void)sp_addr_str(&at->prefix.addr, text);
    if (before && before->host != SP_NONE && before->root == at->root &&
        sp_addr_eq(&before->prefix.addr, &at->prefix.addr)) {
        const char *other = m->hosts[before->host].name;
        sp_check_add(problems, true, at->pos, "hosts", host->name,
                     before->host == at->host
                         ? "the address %s is given twice (%s, line %u)"
                         : "the address %s is also that of the host '%s' on line %u",
                     text, other, (unsigned)before->pos.line);
    }
    if (inner && inner->network != at->network &&
        sp_model_network_within(m, inner->network, at->network)) {
        sp_check_add(problems, false, at->pos, "hosts", host->name,
                     "%s lies in the range of '%s', but the host is declared in '%s' around it: "
                     "rules for '%s' do not select it",
                     text, m->networks[inner->network].name, m->networks[at->network].name,
                     m->networks[inner->network].name);
    }
}

static void check_overlaps(const struct sp_model *m, struct sp_problems *problems)
{
    size_t n = 0;
    struct place *places = collect(m, &n);
    size_t *stack = places ? sp_calloc(n, sizeof(*stack)) : NULL;
    if (!places || !stack) {
        sp_free(places);
        problems->rc = SP_E_NOMEM;
        return;
    }
    qsort(places, n, sizeof(*places), by_place);
    size_t depth = 0;
    for (size_t i = 0; i < n; i++) {
        const struct place *at = &places[i];
        while (depth && (places[stack[depth - 1]].root != at->root ||
                         !sp_prefix_contains(&places[stack[depth - 1]].prefix, &at->prefix))) {
            depth--;
        }
        if (at->host != SP_NONE) {
            check_host_place(m, depth ? &places[stack[depth - 1]] : NULL, i ? at - 1 : NULL, at,
                             problems);
        } else if (check_cidr(m, places, stack, depth, at, problems)) {
            stack[depth++] = i;
        }
    }
    sp_free(places);
    sp_free(stack);
}

static bool inside_any(const struct sp_prefix *outer, size_t n, const struct sp_prefix *inner)
{
    for (size_t i = 0; i < n; i++) {
        if (sp_prefix_contains(&outer[i], inner)) {
            return true;
        }
    }
    return false;
}

/* "10.0.0.0/8, fd00::/8", cut when there are many. */
static const char *list_prefixes(const struct sp_prefix *prefixes, size_t n, char out[static 160])
{
    size_t at = 0;
    out[0] = '\0';
    for (size_t i = 0; i < n; i++) {
        char one[SP_PREFIX_STRLEN];
        int added = snprintf(out + at, 160 - at, "%s%s", i ? ", " : "",
                             i == 3 ? "..." : sp_prefix_str(&prefixes[i], one));
        if (added < 0 || (size_t)added >= 160 - at || i == 3) {
            break;
        }
        at += (size_t)added;
    }
    return out;
}

static void check_inside(const struct sp_model *m, struct sp_problems *problems)
{
    char list[160], one[SP_PREFIX_STRLEN];
    for (size_t i = 0; i < m->nnetworks; i++) {
        const struct sp_network *child = &m->networks[i];
        if (child->parent >= m->nnetworks || child->kind == SP_NET_EXTERNAL ||
            m->networks[child->parent].ncidrs == 0) {
            continue;
        }
        const struct sp_network *parent = &m->networks[child->parent];
        for (size_t c = 0; c < child->ncidrs; c++) {
            if (!inside_any(parent->cidrs, parent->ncidrs, &child->cidrs[c])) {
                sp_check_add(problems, true, child->cidr_pos ? child->cidr_pos[c] : child->pos,
                             "networks", child->name, "%s lies outside '%s', which has %s",
                             sp_prefix_str(&child->cidrs[c], one), parent->name,
                             list_prefixes(parent->cidrs, parent->ncidrs, list));
            }
        }
    }
    for (size_t h = 0; h < m->nhosts; h++) {
        const struct sp_host *host = &m->hosts[h];
        if (host->network >= m->nnetworks || m->networks[host->network].ncidrs == 0) {
            continue;
        }
        const struct sp_network *network = &m->networks[host->network];
        for (size_t a = 0; a < host->naddrs; a++) {
            struct sp_prefix whole = {.addr = host->addrs[a],
                                      .len = (uint8_t)(sp_addr_len(&host->addrs[a]) * 8)};
            if (!inside_any(network->cidrs, network->ncidrs, &whole)) {
                sp_check_add(problems, true, host->addr_pos ? host->addr_pos[a] : host->pos,
                             "hosts", host->name, "%s lies outside its network '%s', which has %s",
                             sp_addr_str(&host->addrs[a], one), network->name,
                             list_prefixes(network->cidrs, network->ncidrs, list));
            }
        }
    }
}

void sp_check_addresses(const struct sp_model *model, struct sp_problems *problems)
{
    check_inside(model, problems);
    check_overlaps(model, problems);
}
