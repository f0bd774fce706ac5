/* SPDX-License-Identifier: Apache-2.0
 *
 * From intent to tests. One walk over the ordered pairs of the selection: what cannot be tested is
 * counted with its reason (plan_tally.c), the rest gets its points (plan_points.c) per pair of
 * addresses and protocol. At exhaustive depth a lane that can be swept is one record in the place
 * of its denied points (plan_sweep.c). The same topology, selection and seed give the same plan. */
#include "topologies/plan.h"

#include <string.h>

#include "probe/base/mem.h"
#include "topologies/plan_priv.h"
#include "topologies/plan_tally.h"

/* Hosts beside each end of one flow that its controls may use. */
#define SP_PARTNERS_MAX 3U

struct planner {
    struct sp_policy *policy;
    const struct sp_model *model;
    struct sp_plan_options options;
    struct sp_plan *plan;
    struct sp_book *book;
    struct sp_tally *tally;
    struct sp_points points[SP_FAMILY_PROTOS];
    struct sp_ports (*open)[2]; /* per target: ports that somebody may use there, tcp and udp */
    uint32_t *slice;            /* sp_slice_table(); exhaustive depth only */
    struct sp_load *loads;      /* sweeps by ordered pair of hosts */
    size_t nloads;
    size_t pairs_cap, tests_cap, sweeps_cap, loads_cap;
    unsigned partners[2]; /* of a plan for one flow: found for its sender, its receiver */
    struct sp_diag *diag;
};

/* All lists of one ordered pair of targets. */
struct lists {
    struct sp_intervals there[SP_PROTO_COUNT];
    struct sp_intervals back[2]; /* tcp, udp */
    /* The reversed pair of addresses and its IP protocols; only where they are tested, too. */
    bool is_mutual;
    struct sp_pair back_pair;
    struct sp_intervals back_ip;
};

static bool in_selection(const struct sp_bits *bits, uint32_t target)
{
    return !bits || sp_bits_get(bits, target);
}

static enum sp_rc load_lists(struct planner *p, uint32_t from, uint32_t to, struct lists *lists)
{
    *lists = (struct lists){0};
    for (unsigned proto = 0; proto < SP_PROTO_COUNT; proto++) {
        lists->there[proto] = sp_policy_pair(p->policy, from, to, (uint8_t)proto);
        if (lists->there[proto].n == 0) {
            return SP_E_NOMEM;
        }
    }
    for (uint8_t proto = 0; p->options.depth != SP_DEPTH_QUICK && proto < 2; proto++) {
        lists->back[proto] = sp_policy_pair(p->policy, to, from, proto);
        if (lists->back[proto].n == 0) {
            return SP_E_NOMEM;
        }
    }
    return SP_OK;
}

static enum sp_rc add_test(struct planner *p, const struct sp_interval *iv, struct sp_point point,
                           uint8_t proto, uint8_t technique)
{
    struct sp_plan *plan = p->plan;
    if (plan->ntests >= p->options.max_tests) {
        return sp_fail(p->diag, SP_E_LIMIT, NULL,
                       "the plan would have more than %llu tests: narrow it with --from and --to, "
                       "or use --depth quick",
                       (unsigned long long)p->options.max_tests);
    }
    if (sp_grow((void **)&plan->tests, plan->ntests, &p->tests_cap, sizeof(*plan->tests)) != 0) {
        return SP_E_NOMEM;
    }
    const struct sp_pair *pair = &plan->pairs[plan->npairs - 1];
    enum sp_rule_action action =
        iv->rule < p->model->nrules ? p->model->rules[iv->rule].action : SP_ACTION_UNSET;
    bool reject =
        action == SP_ACTION_REJECT || (action == SP_ACTION_UNSET && pair->reject_declared);
    plan->tests[plan->ntests++] =
        (struct sp_test){.pair = (uint32_t)(plan->npairs - 1),
                         .rule = iv->rule,
                         .port = point.port,
                         .port_hi = point.port,
                         .proto = proto,
                         .expect = iv->expect,
                         .technique = technique,
                         .why = point.why,
                         .reject_declared = iv->expect == SP_EXPECT_DENY && reject};
    return SP_OK;
}

/* How one pair of addresses is tested in one protocol. */
struct method {
    struct sp_ways ways;
    struct sp_plan_sweep sweep; /* is_swept: in the place of the denied points */
    uint8_t proto;
    bool is_swept;
};

/* Which points of a list are added: those of its denied intervals, of the others, or what stands
 * for an allowed interval in a conversation. */
enum pick { PICK_DENIES, PICK_ALLOWS, PICK_TALKS, PICK_COUNT };

static bool is_picked(enum pick pick, const struct sp_interval *iv, const struct sp_point *point)
{
    if (pick == PICK_TALKS) {
        return sp_point_stands(iv, point);
    }
    return (iv->expect == SP_EXPECT_DENY) == (pick == PICK_DENIES);
}

static enum sp_rc add_tests(struct planner *p, const struct sp_points *points,
                            struct sp_intervals list, enum pick pick, const struct method *method)
{
    uint8_t proto = method->proto;
    size_t at = 0;
    for (size_t i = 0; i < points->n; i++) {
        while (at < list.n && list.at[at].hi < points->at[i].port) {
            at++;
        }
        if (at < list.n && is_picked(pick, &list.at[at], &points->at[i])) {
            uint8_t technique =
                pick == PICK_TALKS
                    ? method->ways.talk
                    : sp_way_of(&method->ways, proto, list.at[at].expect, points->at[i].port);
            enum sp_rc rc = technique == SP_NO_TECHNIQUE
                                ? SP_OK
                                : add_test(p, &list.at[at], points->at[i], proto, technique);
            if (rc != SP_OK) {
                return rc;
            }
        }
    }
    return SP_OK;
}

static struct sp_point_source source_of(const struct planner *p, const struct sp_pair *pair,
                                        uint8_t proto, const struct lists *lists)
{
    struct sp_point_source source = {.pair = pair,
                                     .proto = proto,
                                     .depth = p->options.depth,
                                     .seed = p->options.seed,
                                     .sport_lo = p->plan->sport_lo,
                                     .sport_hi = p->plan->sport_hi,
                                     .list = lists->there[proto]};
    if (proto == SP_PROTO_TCP || proto == SP_PROTO_UDP) {
        source.twin = lists->there[proto == SP_PROTO_TCP ? SP_PROTO_UDP : SP_PROTO_TCP];
        source.reverse = lists->back[proto == SP_PROTO_TCP ? 0 : 1];
        source.open = &p->open[pair->to][proto == SP_PROTO_TCP ? 0 : 1];
    } else if (proto == SP_PROTO_IP && lists->is_mutual) {
        source.back = &lists->back_pair;
        source.reverse = lists->back_ip;
    }
    return source;
}

static enum sp_rc make_points(struct planner *p, const struct sp_pair *pair, uint8_t proto,
                              const struct lists *lists, bool other_types, struct sp_points *points)
{
    struct sp_point_source source = source_of(p, pair, proto, lists);
    source.other_types = other_types;
    return sp_points_build(points, &source);
}

/* Decides whether a lane is swept; its points are ready. Ports that stay out are told. */
static void choose_sweep(struct planner *p, const struct sp_pair *pair, struct sp_intervals list,
                         const struct sp_points *points, struct method *method)
{
    if (p->options.depth != SP_DEPTH_EXHAUSTIVE || method->ways.deny == SP_NO_TECHNIQUE ||
        (method->proto != SP_PROTO_TCP && method->proto != SP_PROTO_UDP)) {
        return;
    }
    enum sp_reason reason = sp_sweep_hindrance(pair);
    uint32_t asked = sp_points_denied(list, points, NULL);
    if (reason == SP_REASON_NONE) {
        method->sweep =
            (struct sp_plan_sweep){.proto = method->proto, .technique = method->ways.deny};
        sp_sweep_count(list, points, p->slice, &method->sweep);
        method->is_swept = method->sweep.denied + method->sweep.allowed > 0;
        reason = SP_REASON_SWEEP_SLICE;
        asked = method->sweep.denied;
    }
    uint32_t all = sp_intervals_denied(list);
    if (all > asked) {
        sp_tally_skip(p->tally, reason, SP_NONE, pair->family, method->proto, all - asked);
    }
}

static enum sp_rc add_sweep(struct planner *p, const struct sp_plan_sweep *sweep)
{
    struct sp_plan *plan = p->plan;
    const struct sp_pair *pair = &plan->pairs[plan->npairs - 1];
    struct sp_load *load = p->nloads > 0 ? &p->loads[p->nloads - 1] : NULL;
    if (sp_grow((void **)&plan->sweeps, plan->nsweeps, &p->sweeps_cap, sizeof(*plan->sweeps)) !=
        0) {
        return SP_E_NOMEM;
    }
    plan->sweeps[plan->nsweeps] = *sweep;
    plan->sweeps[plan->nsweeps++].pair = (uint32_t)(plan->npairs - 1);
    if (!load || load->from != pair->from || load->to != pair->to) {
        if (sp_grow((void **)&p->loads, p->nloads, &p->loads_cap, sizeof(*p->loads)) != 0) {
            return SP_E_NOMEM;
        }
        load = &p->loads[p->nloads++];
        *load = (struct sp_load){
            .from = pair->from,
            .to = pair->to,
            .point = sp_book_enforcement(p->book, sp_model_target_network(p->model, pair->from),
                                         sp_model_target_network(p->model, pair->to)),
            .passes = sp_tally_passes(p->tally, pair)};
    }
    load->packets += sp_tally_sweep_packets(sweep, load->passes);
    return SP_OK;
}

/* The tests of one bypass technique; of one that sends from ports of its own, one each. */
static enum sp_rc add_bypass_tests(struct planner *p, const struct sp_point_source *source,
                                   const struct sp_points *points, size_t technique)
{
    const struct sp_pair *pair = &p->plan->pairs[p->plan->npairs - 1];
    uint16_t ports[SP_PLAN_BYPASS_MOST];
    size_t nsports = 0;
    const uint16_t *sports = sp_technique_sports(technique, &nsports);
    size_t variants = nsports > 0 ? nsports : 1;
    size_t n = sp_bypass_ports(source, points, technique, ports);
    enum sp_reason reason =
        n == 0 ? SP_REASON_NONE
               : sp_bypass_hindrance(p->model, p->options.techniques, pair, technique);
    if (reason != SP_REASON_NONE) {
        sp_tally_skip(p->tally, reason, SP_NONE, 0, SP_PROTO_COUNT, (uint64_t)n * variants);
        return SP_OK;
    }
    for (size_t i = 0; i < n; i++) {
        const struct sp_point point = {.port = ports[i], .why = SP_WHY_BYPASS};
        const struct sp_interval *iv = sp_intervals_find(source->list, ports[i]);
        for (size_t k = 0; iv && k < variants; k++) {
            enum sp_rc rc = add_test(p, iv, point, source->proto, (uint8_t)technique);
            if (rc != SP_OK) {
                return rc;
            }
            p->plan->tests[p->plan->ntests - 1].sport = sports ? sports[k] : 0;
        }
    }
    sp_tally_bypass(p->tally, pair, (uint8_t)technique, (uint64_t)n * variants);
    return SP_OK;
}

static bool asks_bypasses(const struct planner *p)
{
    return p->options.depth != SP_DEPTH_QUICK && !p->options.focus;
}

static enum sp_rc add_bypasses(struct planner *p, const struct lists *lists,
                               const struct method *methods, size_t n)
{
    enum sp_rc rc = SP_OK;
    for (size_t i = 0; i < n && asks_bypasses(p); i++) {
        const struct sp_pair *pair = &p->plan->pairs[p->plan->npairs - 1];
        const struct sp_point_source source = source_of(p, pair, methods[i].proto, lists);
        for (size_t t = 0; rc == SP_OK && t < sp_technique_count(); t++) {
            if (sp_bypass_fits(t, pair, methods[i].proto)) {
                rc = add_bypass_tests(p, &source, &p->points[i], t);
            }
        }
    }
    return rc;
}

/* The tests of a pair that has just been added: the denied ones of all protocols, then the others;
 * and its sweeps. */
static enum sp_rc add_pair_tests(struct planner *p, const struct lists *lists,
                                 const struct method *methods, size_t n)
{
    for (int pick = 0; pick < PICK_COUNT; pick++) {
        for (size_t i = 0; i < n; i++) {
            const struct method *m = &methods[i];
            enum sp_rc rc =
                pick == PICK_DENIES && m->is_swept
                    ? SP_OK
                    : add_tests(p, &p->points[i], lists->there[m->proto], (enum pick)pick, m);
            if (rc != SP_OK) {
                return rc;
            }
        }
        enum sp_rc rc = pick == PICK_DENIES ? add_bypasses(p, lists, methods, n) : SP_OK;
        if (rc != SP_OK) {
            return rc;
        }
    }
    for (size_t i = 0; i < n; i++) {
        enum sp_rc rc = methods[i].is_swept ? add_sweep(p, &methods[i].sweep) : SP_OK;
        if (rc != SP_OK) {
            return rc;
        }
    }
    return SP_OK;
}

static bool has_bypass(const struct planner *p, const struct sp_pair *pair, uint8_t proto)
{
    for (size_t t = 0; asks_bypasses(p) && t < sp_technique_count(); t++) {
        if (sp_bypass_fits(t, pair, proto)) {
            return true;
        }
    }
    return false;
}

static bool is_focus(const struct planner *p, uint32_t from, uint32_t to)
{
    return from == p->options.focus->from && to == p->options.focus->to;
}

/* A plan for one flow: that flow, and two that must work per list; of partners one. */
static enum sp_rc narrow(const struct planner *p, const struct sp_pair *pair,
                         struct sp_intervals list, struct method *method, struct sp_points *points)
{
    const struct sp_plan_focus *focus = p->options.focus;
    bool is_own = is_focus(p, pair->from, pair->to);
    bool is_twin = focus->proto == SP_PROTO_ICMP && method->proto == SP_PROTO_ICMP6;
    bool is_it = is_own && (method->proto == focus->proto || is_twin);
    if (!is_it) {
        method->ways.deny = SP_NO_TECHNIQUE;
    }
    method->ways.talk = SP_NO_TECHNIQUE;
    int32_t port = !is_it ? -1 : is_twin ? SP_PORT_ICMP6_ECHO : focus->port;
    return sp_points_narrow(points, list, port, is_own ? 2 : 1);
}

/* Of a plan for one flow: is this pair of targets part of it? */
static bool focus_takes(const struct planner *p, uint32_t from, uint32_t to)
{
    const struct sp_plan_focus *focus = p->options.focus;
    bool is_partner = from == focus->from ? p->partners[0] < SP_PARTNERS_MAX
                                          : to == focus->to && p->partners[1] < SP_PARTNERS_MAX;
    return is_focus(p, from, to) || (focus->with_partners && is_partner);
}

/* Tests one pair of addresses: points per protocol first. */
static enum sp_rc plan_pair(struct planner *p, const struct sp_pair *pair,
                            const struct lists *lists, bool *tested)
{
    struct sp_plan *plan = p->plan;
    struct method methods[SP_FAMILY_PROTOS];
    size_t n = 0, tests = plan->ntests, sweeps = plan->nsweeps;
    for (size_t i = 0; i < SP_FAMILY_PROTOS; i++) {
        struct method *m = &methods[n];
        *m = (struct method){.proto = sp_family_proto(pair->family, i)};
        struct sp_intervals list = lists->there[m->proto];
        enum sp_reason reason =
            sp_reason_ways(p->model, p->options.techniques, pair, m->proto, &m->ways);
        if (reason != SP_REASON_NONE) {
            sp_tally_skip(p->tally, reason, SP_NONE, pair->family, m->proto, list.n);
            if (!has_bypass(p, pair, m->proto)) {
                continue;
            }
        }
        enum sp_rc rc =
            make_points(p, pair, m->proto, lists, m->ways.types != SP_NO_TECHNIQUE, &p->points[n]);
        if (rc == SP_OK && p->options.focus) {
            rc = narrow(p, pair, list, m, &p->points[n]);
        }
        if (rc != SP_OK) {
            return rc;
        }
        if (reason == SP_REASON_NONE) {
            choose_sweep(p, pair, list, &p->points[n], m);
            sp_tally_points(p->tally, pair, m->proto, list, &p->points[n], &m->ways,
                            m->is_swept ? &m->sweep : NULL);
        }
        n++;
    }
    if (n == 0) {
        return SP_OK;
    }
    if (plan->npairs >= SP_NONE ||
        sp_grow((void **)&plan->pairs, plan->npairs, &p->pairs_cap, sizeof(*plan->pairs)) != 0) {
        return SP_E_NOMEM;
    }
    plan->pairs[plan->npairs++] = *pair;
    enum sp_rc rc = add_pair_tests(p, lists, methods, n);
    bool any = plan->ntests > tests || plan->nsweeps > sweeps;
    plan->npairs -= !any; /* a pair without tests starts no probes */
    *tested = *tested || any;
    return rc;
}

/* Does the plan ask the other direction, too? Then its pair of addresses and IP protocols are
 * needed. */
static enum sp_rc load_mutual(struct planner *p, const struct sp_pair *pair, size_t i, size_t j,
                              struct lists *lists)
{
    uint8_t technique;
    enum sp_reason why;
    lists->is_mutual =
        pair->to < p->model->nhosts && in_selection(p->options.from, pair->to) &&
        in_selection(p->options.to, pair->from) &&
        sp_reason_pair(p->policy, p->model, pair->to, pair->from) == SP_REASON_NONE &&
        sp_reason_proto(p->model, p->options.techniques, pair->from, pair->to, SP_PROTO_IP,
                        pair->family, &technique) == SP_REASON_NONE &&
        sp_book_pair(p->book, pair->to, pair->from, j, i, &lists->back_pair, &why) &&
        why == SP_REASON_NONE;
    if (lists->is_mutual && lists->back_ip.n == 0) {
        lists->back_ip = sp_policy_pair(p->policy, pair->to, pair->from, SP_PROTO_IP);
        return lists->back_ip.n == 0 ? SP_E_NOMEM : SP_OK;
    }
    return SP_OK;
}

/* All pairs of addresses of two targets. reason: why none of them can be tested. */
static enum sp_rc plan_targets(struct planner *p, uint32_t from, uint32_t to, enum sp_reason reason)
{
    struct lists lists;
    enum sp_rc rc = load_lists(p, from, to, &lists);
    bool tested = false, any = false;
    for (size_t i = 0; rc == SP_OK && i < sp_target_naddrs(p->model, from); i++) {
        for (size_t j = 0; rc == SP_OK && j < sp_target_naddrs(p->model, to); j++) {
            struct sp_pair pair;
            enum sp_reason why;
            if (!sp_book_pair(p->book, from, to, i, j, &pair, &why) ||
                (p->options.focus && p->options.focus->family &&
                 p->options.focus->family != pair.family)) {
                continue;
            }
            any = true;
            sp_tally_intent(p->tally, pair.family, lists.there);
            if (reason == SP_REASON_NONE && why != SP_REASON_NONE) {
                sp_tally_skip(p->tally, why, to, pair.family, SP_PROTO_COUNT, 1);
            } else if (reason == SP_REASON_NONE) {
                rc = load_mutual(p, &pair, i, j, &lists);
                rc = rc == SP_OK ? plan_pair(p, &pair, &lists, &tested) : rc;
            }
        }
    }
    if (reason == SP_REASON_NONE && !any) {
        reason = SP_REASON_FAMILY;
    }
    if (reason != SP_REASON_NONE) {
        uint32_t who = reason == SP_REASON_SOURCE_PROBE ? from : SP_NONE;
        sp_tally_skip(p->tally, reason, who, 0, SP_PROTO_COUNT, 1);
    }
    p->plan->coverage.pairs_of++;
    p->plan->coverage.pairs_tested += tested;
    return rc;
}

static enum sp_rc walk(struct planner *p)
{
    uint32_t ntargets = (uint32_t)sp_model_ntargets(p->model);
    for (uint32_t from = 0; from < p->model->nhosts; from++) {
        if (!in_selection(p->options.from, from)) {
            continue;
        }
        for (uint32_t to = 0; to < ntargets; to++) {
            if (from == to || !in_selection(p->options.to, to) ||
                (p->options.focus && !focus_takes(p, from, to))) {
                continue;
            }
            size_t tests = p->plan->ntests;
            enum sp_reason reason = sp_reason_pair(p->policy, p->model, from, to);
            if (reason == SP_REASON_SUBNET) {
                sp_tally_skip(p->tally, reason, SP_NONE, 0, SP_PROTO_COUNT, 1);
                continue;
            }
            enum sp_rc rc = plan_targets(p, from, to, reason);
            if (rc != SP_OK) {
                return rc;
            }
            if (p->options.focus && p->plan->ntests > tests) {
                p->partners[from != p->options.focus->from]++;
            }
        }
    }
    return SP_OK;
}

/* The ports that are open to somebody, per target. */
static enum sp_rc load_open(struct planner *p)
{
    p->open = sp_calloc(sp_model_ntargets(p->model), sizeof(*p->open));
    enum sp_rc rc = p->open ? SP_OK : SP_E_NOMEM;
    for (uint32_t t = 0; rc == SP_OK && t < sp_model_ntargets(p->model); t++) {
        if (!in_selection(p->options.to, t) || p->options.depth == SP_DEPTH_QUICK) {
            continue;
        }
        rc = sp_ports_open(p->model, t, SP_PROTO_TCP, &p->open[t][0]);
        if (rc == SP_OK) {
            rc = sp_ports_open(p->model, t, SP_PROTO_UDP, &p->open[t][1]);
        }
    }
    return rc;
}

static void planner_release(struct planner *p)
{
    for (size_t t = 0; p->open && t < sp_model_ntargets(p->model); t++) {
        sp_ports_release(&p->open[t][0]);
        sp_ports_release(&p->open[t][1]);
    }
    for (size_t i = 0; i < SP_FAMILY_PROTOS; i++) {
        sp_points_release(&p->points[i]);
    }
    sp_free(p->open);
    sp_free(p->slice);
    sp_free(p->loads);
    sp_book_free(p->book);
    sp_tally_free(p->tally);
}

static enum sp_rc make_plan(struct planner *p)
{
    enum sp_rc rc =
        sp_plan_sports(p->model, p->options.depth, &p->plan->sport_lo, &p->plan->sport_hi, p->diag);
    uint64_t seconds = 0;
    if (rc == SP_OK) {
        rc = sp_book_new(p->model, &p->book);
    }
    if (rc == SP_OK) {
        rc = sp_tally_new(p->model, &p->tally);
    }
    if (rc == SP_OK) {
        rc = load_open(p);
    }
    if (rc == SP_OK && p->options.depth == SP_DEPTH_EXHAUSTIVE) {
        rc = sp_slice_table(&p->plan->slice, &p->slice);
    }
    if (rc == SP_OK) {
        rc = walk(p);
    }
    if (rc == SP_OK) {
        rc = sp_sweep_seconds(p->model, p->loads, p->nloads, &seconds);
    }
    return rc == SP_OK ? sp_tally_finish(p->tally, seconds, p->plan) : rc;
}

enum sp_rc sp_plan_new(struct sp_policy *policy, const struct sp_model *model,
                       const struct sp_plan_options *options, struct sp_plan **ret_plan,
                       struct sp_diag *diag)
{
    struct planner p = {.policy = policy, .model = model, .options = *options, .diag = diag};
    bool is_sliced = options->depth == SP_DEPTH_EXHAUSTIVE && options->slice.of > 0;
    if (is_sliced && options->slice.at >= options->slice.of) {
        return sp_fail(diag, SP_E_INVALID, NULL, "there is no slice %u of %u",
                       (unsigned)options->slice.at + 1U, (unsigned)options->slice.of);
    }
    if (p.options.max_tests == 0) {
        p.options.max_tests = SP_PLAN_MAX_TESTS;
    }
    p.plan = sp_calloc(1, sizeof(*p.plan));
    if (!p.plan) {
        return sp_fail(diag, SP_E_NOMEM, NULL, "out of memory while planning");
    }
    p.plan->depth = options->depth;
    p.plan->seed = options->seed;
    if (is_sliced) {
        p.plan->slice = options->slice;
    }
    for (size_t i = 0; i < sp_technique_count(); i++) {
        bool wanted = !options->techniques || options->techniques[i];
        p.plan->may_talk = p.plan->may_talk || (wanted && sp_technique_talks(i));
    }
    enum sp_rc rc = make_plan(&p);
    planner_release(&p);
    if (rc != SP_OK) {
        sp_plan_free(p.plan);
        return rc == SP_E_NOMEM ? sp_fail(diag, rc, NULL, "out of memory while planning") : rc;
    }
    *ret_plan = p.plan;
    return SP_OK;
}

void sp_plan_free(struct sp_plan *plan)
{
    if (plan) {
        sp_free(plan->pairs);
        sp_free(plan->tests);
        sp_free(plan->sweeps);
        sp_free(plan->skips);
        sp_free(plan);
    }
}
