/* SPDX-License-Identifier: Apache-2.0
 *
 * Parts about flows: one walk over all tests, which stand grouped by sender, receiver and family.
 *
 * "Is closed" needs more than that no test found it open: with SP_PART_WAYS each host with a probe
 * must have asked each host in scope of another network, over each family that both have; what
 * nobody asked is looked up in the policy, and unless that allows it by declaration it is unknown.
 * Memory: some bits per host and part. */
#include <stdio.h>
#include <string.h>

#include "probe/base/mem.h"
#include "reports/checklist_priv.h"
#include "reports/group.h"

struct flow {
    const struct sp_part_def *def;
    struct sp_item_part *part;
    uint64_t mask;       /* its ports; 0 = all */
    struct sp_bits who;  /* hosts: may reach it, or must be able to */
    struct sp_bits to;   /* hosts in scope as target */
    struct sp_bits from; /* and as source */
    uint64_t ways;       /* of a pair of hosts and a family, that were asked */
    bool is_on;          /* of the group of tests at hand */
};

struct walk {
    struct sp_list *list;
    struct flow *flows;
    size_t n;
};

static void fill_scope(const struct sp_list *list, struct flow *flow)
{
    const struct sp_model *model = list->model;
    const struct sp_part_def *def = flow->def;
    for (uint32_t h = 0; h < model->nhosts; h++) {
        bool inside = sp_list_inside(model, h);
        bool is_edge = (def->flags & SP_PART_NO_EDGE) && sp_list_role(model, h, SP_EDGE_ROLES);
        if (sp_list_role(model, h, def->who)) {
            sp_bits_set(&flow->who, h);
        }
        bool is_odd = (def->flags & SP_PART_ON_NODES) && !sp_bits_get(&list->nodes, h);
        if (inside && !is_edge && !is_odd && (!def->to || sp_list_role(model, h, def->to))) {
            sp_bits_set(&flow->to, h);
        }
        bool is_there = inside ? !(def->flags & SP_PART_OUTSIDE) : !(def->flags & SP_PART_INSIDE);
        if (model->hosts[h].via && is_there) {
            sp_bits_set(&flow->from, h);
        }
    }
}

static enum sp_rc begin(struct walk *walk)
{
    struct sp_list *list = walk->list;
    size_t ndefs = sp_part_def_count();
    walk->flows = sp_calloc(ndefs, sizeof(*walk->flows));
    enum sp_rc rc = walk->flows ? SP_OK : SP_E_NOMEM;
    for (size_t d = 0; rc == SP_OK && d < ndefs; d++) {
        const struct sp_part_def *def = sp_part_def_at(d);
        if (def->kind > SP_PART_OPEN) {
            continue;
        }
        struct flow *flow = &walk->flows[walk->n++];
        size_t nbits = list->model->nhosts + 1;
        *flow = (struct flow){.def = def, .part = &list->parts[d]};
        flow->mask = sp_list_ports(list, def->names);
        if (sp_bits_init(&flow->who, nbits) || sp_bits_init(&flow->to, nbits) ||
            sp_bits_init(&flow->from, nbits)) {
            rc = SP_E_NOMEM;
        } else {
            fill_scope(list, flow);
        }
    }
    return rc;
}

/* ---- one test ---- */

/* Of a range its first port, as if each port had a test of its own. */
static void tell(const struct walk *walk, struct flow *flow, const struct sp_entry *e, bool fails,
                 const char *why)
{
    struct sp_list *list = walk->list;
    uint64_t n = flow->mask ? 1 : sp_entry_checks(e);
    struct sp_portspec spec = {.proto = e->proto, .lo = e->port, .hi = e->port};
    char ports[SP_PORTSPEC_STRLEN];
    const char *from = sp_model_target_name(list->model, e->from);
    const char *to = sp_model_target_name(list->model, e->to);
    const char *family = sp_family_str(e->family);
    if (fails) {
        sp_part_fail(list, flow->part, n, "%s -> %s %s %s: %s", from, to,
                     sp_portspec_str(&spec, ports), family, why);
    } else {
        sp_part_open(list, flow->part, n, "%s -> %s %s %s: %s", from, to,
                     sp_portspec_str(&spec, ports), family, why);
    }
}

/* A verdict on a flow that must, or must not, pass. */
static void count(const struct walk *walk, struct flow *flow, const struct sp_entry *e)
{
    const struct sp_outcome *outcome = &walk->list->summary->result->outcomes[e->test];
    uint64_t n = flow->mask ? 1 : sp_entry_checks(e);
    if (sp_verdict_is_finding((enum sp_verdict)e->verdict)) {
        char word[64];
        (void)snprintf(word, sizeof(word), "%s", sp_verdict_str((enum sp_verdict)e->verdict));
        for (char *p = word; *p; p++) {
            *p = *p == '_' ? ' ' : *p;
        }
        tell(walk, flow, e, true, word);
    } else if (e->verdict == SP_VERDICT_HOLDS) {
        flow->part->held += e->is_bypass ? 0 : n; /* shows more, but not this */
    } else {
        tell(walk, flow, e, false,
             e->verdict == SP_VERDICT_NOT_OBSERVABLE ? "silent, and it has no probe"
             : e->verdict == SP_VERDICT_NOT_TESTED && outcome->not_tested
                 ? outcome->not_tested
                 : sp_unsound_str(outcome->judged.reason));
    }
}

static void add_closed(const struct walk *walk, struct flow *flow, const struct sp_entry *e)
{
    const struct sp_list *list = walk->list;
    if ((e->to < list->model->nhosts && !sp_bits_get(&flow->to, e->to)) ||
        !sp_bits_get(&flow->from, e->from) || (e->to >= list->model->nhosts && flow->def->to)) {
        return;
    }
    if (e->expect == SP_EXPECT_DENY) {
        count(walk, flow, e);
        return;
    }
    bool may = (flow->def->flags & SP_PART_MAY) != 0 || flow->mask == 0 ||
               sp_bits_get(&flow->who, e->from);
    char why[256];
    if (!may) {
        (void)snprintf(why, sizeof(why), "%s by %s",
                       e->expect == SP_EXPECT_ALLOW ? "declared open" : "permitted",
                       sp_rule_name(list->model, e->rule, e->expect));
        tell(walk, flow, e, e->expect == SP_EXPECT_ALLOW, why);
    }
}

static void add_open(const struct walk *walk, struct flow *flow, const struct sp_entry *e)
{
    if (e->expect != SP_EXPECT_ALLOW || e->is_bypass || !sp_bits_get(&flow->from, e->from) ||
        (flow->def->who && !sp_bits_get(&flow->who, e->from)) ||
        (flow->def->to && !sp_bits_get(&flow->to, e->to))) {
        return;
    }
    count(walk, flow, e);
}

/* Bits of the ports of an entry that some part names. */
static uint64_t bits_of(const struct sp_list *list, const struct sp_entry *e)
{
    uint64_t bits = 0;
    for (size_t i = 0; i < list->nports; i++) {
        bool is_in = list->ports[i].proto == e->proto && list->ports[i].port >= e->port &&
                     list->ports[i].port <= e->port_hi;
        bits |= is_in ? UINT64_C(1) << i : 0;
    }
    return bits;
}

/* Of a range that a sweep found alike each port counts for itself. */
static void add(const struct walk *walk, struct flow *flow, const struct sp_entry *e, uint64_t bits)
{
    struct sp_list *list = walk->list;
    if (!flow->is_on || (flow->def->takes && !flow->def->takes(list, e))) {
        return;
    }
    struct sp_entry one = *e;
    uint64_t todo = flow->mask ? flow->mask & bits : 1;
    for (size_t i = 0; todo != 0; i++, todo >>= 1) {
        if ((todo & 1) == 0) {
            continue;
        }
        if (flow->mask) {
            one.port = one.port_hi = list->ports[i].port;
        }
        if (flow->def->kind == SP_PART_CLOSED) {
            add_closed(walk, flow, &one);
        } else {
            add_open(walk, flow, &one);
        }
    }
}

/* ---- what was not asked ---- */

/* A port of a way that no test is about: what the declaration says of it. True = all is said. */
static bool is_declared(const struct walk *walk, struct flow *flow, const struct sp_entry *e,
                        size_t port)
{
    struct sp_list *list = walk->list;
    const struct sp_list_port *p = &list->ports[port];
    struct sp_policy *policy = list->summary->result->policy;
    const struct sp_interval *iv =
        policy ? sp_policy_decide(policy, e->from, e->to, p->proto, p->port) : NULL;
    struct sp_entry missing = *e;
    missing.proto = p->proto;
    missing.port = missing.port_hi = p->port;
    if (!iv || iv->expect == SP_EXPECT_DENY) {
        tell(walk, flow, &missing, false, "was not asked");
        return false;
    }
    missing.expect = iv->expect;
    missing.rule = iv->rule;
    add_closed(walk, flow, &missing);
    return true;
}

/* The tests of one sender, receiver and family. */
static void end_group(const struct walk *walk, const struct sp_entry *e, uint64_t seen)
{
    const struct sp_model *model = walk->list->model;
    if (e->to >= model->nhosts || model->hosts[e->from].network == model->hosts[e->to].network) {
        return;
    }
    for (size_t i = 0; i < walk->n; i++) {
        struct flow *flow = &walk->flows[i];
        if (flow->def->kind != SP_PART_CLOSED || (flow->def->flags & SP_PART_WAYS) == 0 ||
            !flow->is_on || !sp_bits_get(&flow->to, e->to) || !sp_bits_get(&flow->from, e->from)) {
            continue;
        }
        uint64_t missing = flow->mask & ~seen;
        for (size_t port = 0; missing != 0; port++, missing >>= 1) {
            if (missing & 1) {
                (void)is_declared(walk, flow, e, port);
            }
        }
        flow->ways++;
    }
}

static bool has_family(const struct sp_host *host, uint8_t family)
{
    for (size_t i = 0; i < host->naddrs; i++) {
        if (host->addrs[i].family == family) {
            return true;
        }
    }
    return false;
}

/* Ways from each source to each target of another network, over one family. */
static enum sp_rc expect_ways(const struct walk *walk, const struct flow *flow, uint8_t family,
                              uint64_t *total)
{
    const struct sp_model *model = walk->list->model;
    uint64_t *of_network = sp_calloc(model->nnetworks + 1, sizeof(*of_network));
    uint64_t sources = 0;
    if (!of_network) {
        return SP_E_NOMEM;
    }
    for (uint32_t h = 0; h < model->nhosts; h++) {
        if (sp_bits_get(&flow->from, h) && has_family(&model->hosts[h], family) &&
            model->hosts[h].network < model->nnetworks) {
            of_network[model->hosts[h].network]++;
            sources++;
        }
    }
    for (uint32_t h = 0; h < model->nhosts; h++) {
        if (sp_bits_get(&flow->to, h) && has_family(&model->hosts[h], family) &&
            model->hosts[h].network < model->nnetworks) {
            *total += sources - of_network[model->hosts[h].network];
        }
    }
    sp_free(of_network);
    return SP_OK;
}

static void end_ways(const struct walk *walk)
{
    struct sp_list *list = walk->list;
    for (size_t i = 0; i < walk->n && list->rc == SP_OK; i++) {
        struct flow *flow = &walk->flows[i];
        uint64_t wanted = 0;
        if ((flow->def->flags & SP_PART_WAYS) == 0) {
            continue;
        }
        list->rc = expect_ways(walk, flow, SP_FAMILY_IPV4, &wanted);
        if (list->rc == SP_OK) {
            list->rc = expect_ways(walk, flow, SP_FAMILY_IPV6, &wanted);
        }
        if (wanted > flow->ways) {
            sp_part_open(list, flow->part, wanted - flow->ways,
                         "%llu of %llu ways between hosts were not asked at all",
                         (unsigned long long)(wanted - flow->ways), (unsigned long long)wanted);
        }
    }
}

/* ---- the walk ---- */

static void walk_group(const struct walk *walk, size_t first, size_t end)
{
    struct sp_list *list = walk->list;
    const struct sp_entry *entries = list->summary->entries;
    uint64_t seen = 0;
    for (size_t i = 0; i < walk->n; i++) {
        const struct sp_part_def *def = walk->flows[i].def;
        walk->flows[i].is_on = !def->pair || def->pair(list, &entries[first]);
    }
    for (size_t k = first; k < end; k++) {
        const struct sp_entry *e = &entries[k];
        uint64_t bits = bits_of(list, e);
        seen |= e->is_bypass ? 0 : bits;
        list->opened |= e->expect != SP_EXPECT_DENY ? bits : 0;
        for (size_t i = 0; i < walk->n; i++) {
            struct flow *flow = &walk->flows[i];
            if (flow->mask == 0 || (flow->mask & bits) != 0) {
                add(walk, flow, e, bits);
            }
        }
    }
    end_group(walk, &entries[first], seen);
}

void sp_list_flows(struct sp_list *list)
{
    struct walk walk = {.list = list};
    const struct sp_summary *summary = list->summary;
    list->rc = begin(&walk);
    for (size_t first = 0; list->rc == SP_OK && first < summary->nentries;) {
        const struct sp_entry *a = &summary->entries[first];
        size_t end = first + 1;
        while (end < summary->nentries && summary->entries[end].from == a->from &&
               summary->entries[end].to == a->to && summary->entries[end].family == a->family) {
            end++;
        }
        walk_group(&walk, first, end);
        first = end;
    }
    if (list->rc == SP_OK) {
        end_ways(&walk);
    }
    for (size_t i = 0; i < walk.n; i++) {
        sp_bits_release(&walk.flows[i].who);
        sp_bits_release(&walk.flows[i].to);
        sp_bits_release(&walk.flows[i].from);
    }
    sp_free(walk.flows);
}
