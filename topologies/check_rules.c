/* SPDX-License-Identifier: Apache-2.0
 *
 * Lints of rules: those that never match, contradict each other, or say what another one says.
 *
 * Rules are compared in pairs, but only where they can meet: they are sorted by their lowest port,
 * and a pair is looked at only while the port ranges overlap; cheap summaries of the host sets
 * reject most of the rest. A budget bounds what a hostile file can cost. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "probe/base/mem.h"
#include "topologies/check.h"

/* A rule in one direction; an isolation has two of them. What rejects most pairs stands first. */
struct view {
    uint64_t from_fold, to_fold;             /* all words of the set, one over the other */
    uint32_t from_lo, from_hi, to_lo, to_hi; /* words that hold bits, inclusive; lo > hi = empty */
    uint16_t port_lo, port_hi;               /* around all ports */
    uint8_t protos;                          /* bit per protocol; all for "any" */
    bool is_flipped, is_balancer, blocks;
    const struct sp_rule *rule;
    const struct sp_bits *from, *to;
};

/* What the comparison of pairs carries along. */
struct comparing {
    struct sp_problems *problems;
    size_t max_pairs;
    const struct sp_rule *rules; /* the first of them */
    uint8_t *said;               /* per rule: what was said of it; once is enough */
};

static uint64_t range_of(const struct sp_bits *bits, uint32_t *ret_lo, uint32_t *ret_hi)
{
    uint32_t n = (uint32_t)((bits->nbits + 63) / 64);
    uint64_t fold = 0;
    *ret_lo = 1; /* empty: 1 > 0 */
    *ret_hi = 0;
    for (uint32_t i = 0; i < n; i++) {
        if (bits->words[i]) {
            *ret_lo = fold ? *ret_lo : i;
            *ret_hi = i;
            fold |= bits->words[i];
        }
    }
    return fold;
}

static bool blocks(const struct sp_rule *rule)
{
    return rule->kind == SP_RULE_DENY || rule->kind == SP_RULE_ISOLATION;
}

static void make_view(struct view *view, const struct sp_rule *rule, bool flip)
{
    *view = (struct view){.rule = rule, .is_flipped = flip, .port_lo = UINT16_MAX};
    view->is_balancer = strncmp(rule->name, "balancer:", 9) == 0;
    view->blocks = blocks(rule);
    view->from = flip ? &rule->to : &rule->from;
    view->to = flip ? &rule->from : &rule->to;
    view->from_fold = range_of(view->from, &view->from_lo, &view->from_hi);
    view->to_fold = range_of(view->to, &view->to_lo, &view->to_hi);
    for (size_t i = 0; i < rule->nports; i++) {
        const struct sp_portspec *spec = &rule->ports[i];
        view->protos |= spec->proto < SP_PROTO_COUNT ? (uint8_t)(1U << spec->proto) : UINT8_MAX;
        view->port_lo = spec->lo < view->port_lo ? spec->lo : view->port_lo;
        view->port_hi = spec->hi > view->port_hi ? spec->hi : view->port_hi;
    }
}

/* Cheap tests that say for most pairs that there is nothing to say. */
static bool cannot_meet(const struct view *a, const struct view *b)
{
    return (a->from_fold & b->from_fold) == 0 || (a->to_fold & b->to_fold) == 0 ||
           a->from_lo > b->from_hi || b->from_lo > a->from_hi || a->to_lo > b->to_hi ||
           b->to_lo > a->to_hi || (a->protos & b->protos) == 0;
}

static bool cannot_cover(const struct view *inner, const struct view *outer)
{
    return (inner->to_fold & ~outer->to_fold) || (inner->from_fold & ~outer->from_fold) ||
           inner->port_lo < outer->port_lo || inner->port_hi > outer->port_hi ||
           (inner->protos & ~outer->protos);
}

static bool is_empty(const struct view *v)
{
    return v->from_lo > v->from_hi || v->to_lo > v->to_hi;
}

static int by_port(const void *a, const void *b)
{
    const struct view *x = a;
    const struct view *y = b;
    if (x->port_lo != y->port_lo) {
        return x->port_lo < y->port_lo ? -1 : 1;
    }
    return x->rule != y->rule ? (x->rule < y->rule ? -1 : 1) : (int)x->is_flipped - y->is_flipped;
}

/* What both sets hold: 0, 1 (then ret_only is it) or 2 for more. */
static int meet(const struct sp_bits *a, const struct sp_bits *b, size_t lo, size_t hi,
                size_t *ret_only)
{
    int found = 0;
    for (size_t i = lo; i <= hi; i++) {
        uint64_t both = a->words[i] & b->words[i];
        if (both == 0) {
            continue;
        }
        *ret_only = i * 64 + (size_t)__builtin_ctzll(both);
        if (found || (both & (both - 1)) != 0) {
            return 2;
        }
        found = 1;
    }
    return found;
}

static uint32_t larger(uint32_t a, uint32_t b)
{
    return a > b ? a : b;
}

static uint32_t smaller(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

/* Whether a host can send to another one under both. */
static bool flows_meet(const struct view *a, const struct view *b)
{
    size_t sender = 0, receiver = 0;
    uint32_t lo = larger(a->to_lo, b->to_lo), hi = smaller(a->to_hi, b->to_hi);
    int to = lo <= hi ? meet(a->to, b->to, lo, hi, &receiver) : 0;
    if (to == 0) {
        return false;
    }
    lo = larger(a->from_lo, b->from_lo);
    hi = smaller(a->from_hi, b->from_hi);
    int from = lo <= hi ? meet(a->from, b->from, lo, hi, &sender) : 0;
    return from > 1 || (from == 1 && (to > 1 || sender != receiver));
}

static bool is_subset(const struct sp_bits *a, const struct sp_bits *b, size_t lo, size_t hi)
{
    for (size_t i = lo; i <= hi; i++) {
        if (a->words[i] & ~b->words[i]) {
            return false;
        }
    }
    return true;
}

static bool flows_inside(const struct view *inner, const struct view *outer)
{
    return inner->from_lo >= outer->from_lo && inner->from_hi <= outer->from_hi &&
           inner->to_lo >= outer->to_lo && inner->to_hi <= outer->to_hi &&
           is_subset(inner->from, outer->from, inner->from_lo, inner->from_hi) &&
           is_subset(inner->to, outer->to, inner->to_lo, inner->to_hi);
}

static bool ports_meet(const struct sp_portspec *a, const struct sp_portspec *b)
{
    if (a->proto >= SP_PROTO_COUNT || b->proto >= SP_PROTO_COUNT) {
        return true;
    }
    return a->proto == b->proto && a->lo <= b->hi && b->lo <= a->hi;
}

static bool ports_inside(const struct sp_portspec *inner, const struct sp_portspec *outer)
{
    return outer->proto >= SP_PROTO_COUNT ||
           (inner->proto == outer->proto && inner->lo >= outer->lo && inner->hi <= outer->hi);
}

/* An allow that must work; wildcards act as permit. */
static bool is_demand(const struct sp_rule *rule, const struct sp_portspec *spec)
{
    return rule->kind == SP_RULE_ALLOW && !spec->is_wild;
}

/* Whether every port of inner is in one of outer's that says at least as much. */
static bool all_ports_inside(const struct sp_rule *inner, const struct sp_rule *outer)
{
    for (size_t i = 0; i < inner->nports; i++) {
        size_t o = 0;
        while (o < outer->nports && (!ports_inside(&inner->ports[i], &outer->ports[o]) ||
                                     (!blocks(outer) && is_demand(inner, &inner->ports[i]) &&
                                      !is_demand(outer, &outer->ports[o])))) {
            o++;
        }
        if (o == outer->nports) {
            return false;
        }
    }
    return true;
}

/* The first demanded port of an allow that the block takes away, or NULL. */
static const struct sp_portspec *lost_port(const struct sp_rule *pass, const struct sp_rule *block)
{
    for (size_t i = 0; i < pass->nports; i++) {
        for (size_t k = 0; is_demand(pass, &pass->ports[i]) && k < block->nports; k++) {
            if (ports_meet(&pass->ports[i], &block->ports[k])) {
                return &pass->ports[i];
            }
        }
    }
    return NULL;
}

/* Twice per rule at most: that another denies all of it, that another says all of it. */
static void say_useless(const struct comparing *c, const struct sp_rule *rule,
                        const struct sp_rule *other)
{
    static const char *const words[] = {"deny", "allow", "permit", "isolation"};
    bool is_denied = !blocks(rule) && blocks(other);
    uint8_t bit = is_denied ? 1 : 2;
    uint8_t *said = &c->said[rule - c->rules];
    if (!(*said & bit)) {
        *said |= bit;
        sp_check_add_rule(c->problems, false, rule,
                          "the %s of '%s' %s: '%s' (line %u) %s all of it", words[rule->kind],
                          rule->name, is_denied ? "never takes effect" : "says nothing new",
                          other->name, (unsigned)other->pos.line, is_denied ? "denies" : "covers");
    }
}

/* One that lets pass against one that blocks. */
static void compare_opposed(const struct comparing *c, const struct view *pass,
                            const struct view *block)
{
    char port[SP_PORTSPEC_STRLEN];
    const struct sp_rule *allow = pass->rule;
    const struct sp_rule *deny = block->rule;
    if (!flows_meet(pass, block) || (allow->source && allow->kind == SP_RULE_PERMIT)) {
        return; /* that nothing comes of what a preset permits is no contradiction */
    }
    const struct sp_portspec *lost = lost_port(allow, deny);
    bool is_useless = flows_inside(pass, block) && all_ports_inside(allow, deny);
    if (!is_useless && !lost) {
        return;
    }
    if (block->is_flipped) { /* the other direction has said it already */
        struct view straight;
        make_view(&straight, deny, false);
        if (is_useless ? flows_inside(pass, &straight) : flows_meet(pass, &straight)) {
            return;
        }
    }
    if (lost && deny->kind == SP_RULE_ISOLATION) {
        sp_check_add_rule(c->problems, true, allow,
                          "'%s' allows %s inside '%s' (line %u), where nothing may pass",
                          allow->name, sp_portspec_str(lost, port), deny->name,
                          (unsigned)deny->pos.line);
    } else if (is_useless) {
        say_useless(c, allow, deny);
    } else {
        sp_check_add_rule(
            c->problems, false, allow,
            "'%s' allows %s for hosts to which '%s' (line %u) denies it: the deny wins there",
            allow->name, sp_portspec_str(lost, port), deny->name, (unsigned)deny->pos.line);
    }
}

/* Whether outer makes inner superfluous. Both block, or both let pass. */
static bool is_covered(const struct view *inner, const struct view *outer)
{
    if (inner->is_flipped || inner->is_balancer || cannot_cover(inner, outer)) {
        return false;
    }
    if (inner->rule->kind == SP_RULE_ISOLATION && outer->rule->kind != SP_RULE_ISOLATION) {
        return false; /* a deny works one way only */
    }
    return flows_inside(inner, outer) && all_ports_inside(inner->rule, outer->rule);
}

static void compare_alike(const struct comparing *c, const struct view *a, const struct view *b)
{
    if (a->rule == b->rule || a->rule->source || b->rule->source) {
        return; /* presets agree with each other and with their user: nothing to tidy up */
    }
    const struct view *early = a->rule < b->rule ? a : b;
    const struct view *late = early == a ? b : a;
    if (is_covered(late, early)) {
        say_useless(c, late->rule, early->rule);
    } else if (is_covered(early, late)) {
        say_useless(c, early->rule, late->rule);
    }
}

static void compare_all(const struct comparing *c, struct view *views, size_t n)
{
    size_t budget = c->max_pairs;
    qsort(views, n, sizeof(*views), by_port);
    for (size_t i = 0; i < n; i++) {
        const struct view *a = &views[i];
        for (size_t j = i + 1; j < n && views[j].port_lo <= a->port_hi; j++) {
            const struct view *b = &views[j];
            if (budget-- == 0) {
                sp_check_add_rule(
                    c->problems, false, a->rule,
                    "too many rules overlap: not all of them were compared with each other");
                return;
            }
            if (cannot_meet(a, b)) {
                continue;
            }
            size_t effort = (a->rule->nports * b->rule->nports + a->from->nbits / 64) / 16;
            budget -= effort < budget ? effort : budget;
            if (a->blocks == b->blocks) {
                compare_alike(c, a, b);
            } else if (a->blocks) {
                compare_opposed(c, b, a);
            } else {
                compare_opposed(c, a, b);
            }
        }
    }
}

/* Who has an address of each family. */
struct families {
    struct sp_bits v4, v6;
};

static bool shares(const struct view *v, const struct sp_bits *family)
{
    size_t only = 0;
    return meet(v->from, family, v->from_lo, v->from_hi, &only) &&
           meet(v->to, family, v->to_lo, v->to_hi, &only);
}

static void check_families(const struct view *v, const struct families *families,
                           struct sp_problems *problems)
{
    const struct sp_rule *rule = v->rule;
    bool v4 = shares(v, &families->v4), v6 = shares(v, &families->v6);
    for (size_t i = 0; i < rule->nports; i++) {
        char port[SP_PORTSPEC_STRLEN];
        uint8_t proto = rule->ports[i].proto;
        bool can = proto == SP_PROTO_ICMP ? v4 : proto == SP_PROTO_ICMP6 ? v6 : v4 || v6;
        if (!can) {
            sp_check_add_rule(problems, false, rule,
                              "%s of '%s' never matches: no sender and receiver %s",
                              sp_portspec_str(&rule->ports[i], port), rule->name,
                              proto == SP_PROTO_ICMP    ? "both have an IPv4 address"
                              : proto == SP_PROTO_ICMP6 ? "both have an IPv6 address"
                                                        : "have addresses of one family");
        }
    }
}

static void check_alone(const struct view *v, const struct families *families,
                        struct sp_problems *problems)
{
    const struct sp_rule *rule = v->rule;
    size_t sender = 0, receiver = 1;
    if (is_empty(v)) {
        sp_check_add_rule(problems, false, rule, "'%s' never matches: its %s selects no host",
                          rule->name,
                          rule->kind == SP_RULE_ISOLATION
                              ? (v->from_lo > v->from_hi ? "first side" : "second side")
                          : v->from_lo > v->from_hi ? "`from`"
                                                    : "`to`");
        return;
    }
    if (meet(v->from, v->from, v->from_lo, v->from_hi, &sender) == 1 &&
        meet(v->to, v->to, v->to_lo, v->to_hi, &receiver) == 1 && sender == receiver) {
        sp_check_add_rule(problems, false, rule, "'%s' never matches: it only speaks of one host",
                          rule->name);
    } else if (rule->kind == SP_RULE_ISOLATION) {
        struct view back;
        make_view(&back, rule, true);
        uint32_t lo = larger(v->from_lo, back.from_lo), hi = smaller(v->from_hi, back.from_hi);
        if (lo <= hi && meet(v->from, back.from, lo, hi, &sender)) {
            sp_check_add_rule(
                problems, false, rule,
                "both sides of '%s' select the same hosts: these are isolated from each other "
                "too",
                rule->name);
        }
    } else if (!blocks(rule)) {
        check_families(v, families, problems);
    }
}

static void check_expired(const struct sp_model *m, struct sp_problems *problems)
{
    for (size_t i = 0; i < m->nrules; i++) {
        const struct sp_rule *rule = &m->rules[i];
        bool is_first = i == 0 || strcmp(m->rules[i - 1].name, rule->name) != 0;
        if (rule->is_expired && is_first) {
            sp_check_add_rule(problems, false, rule, "'%s' expired on %s; it still counts",
                              rule->name, rule->expires ? rule->expires : "an unknown day");
        }
    }
}

static bool find_families(const struct sp_model *m, struct families *ret)
{
    size_t n = sp_model_ntargets(m);
    if (sp_bits_init(&ret->v4, n) != SP_OK || sp_bits_init(&ret->v6, n) != SP_OK) {
        return false;
    }
    for (size_t t = 0; t < n; t++) {
        bool is_host = t < m->nhosts;
        const struct sp_addr *addrs =
            is_host ? m->hosts[t].addrs : m->balancers[t - m->nhosts].addrs;
        size_t naddrs = is_host ? m->hosts[t].naddrs : m->balancers[t - m->nhosts].naddrs;
        for (size_t a = 0; a < naddrs; a++) {
            sp_bits_set(addrs[a].family == SP_FAMILY_IPV4 ? &ret->v4 : &ret->v6, t);
        }
    }
    return true;
}

void sp_check_rules(const struct sp_model *m, bool is_complete, size_t max_pairs,
                    struct sp_problems *problems)
{
    struct families families = {0};
    struct view *views = sp_calloc(2 * m->nrules, sizeof(*views));
    uint8_t *said = sp_calloc(m->nrules, sizeof(*said));
    size_t n = 0;
    if (!views || !said || !find_families(m, &families)) {
        problems->rc = SP_E_NOMEM;
        goto out;
    }
    for (size_t i = 0; i < m->nrules; i++) {
        const struct sp_rule *rule = &m->rules[i];
        make_view(&views[n], rule, false);
        if (is_complete && !rule->source) {
            check_alone(&views[n], &families, problems);
        }
        if (is_empty(&views[n])) {
            continue;
        }
        n++;
        if (rule->kind == SP_RULE_ISOLATION) {
            make_view(&views[n++], rule, true);
        }
    }
    compare_all(
        &(struct comparing){
            .problems = problems, .max_pairs = max_pairs, .rules = m->rules, .said = said},
        views, n);
    check_expired(m, problems);
out:
    sp_bits_release(&families.v4);
    sp_bits_release(&families.v6);
    sp_free(views);
    sp_free(said);
}
