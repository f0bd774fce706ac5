/* SPDX-License-Identifier: Apache-2.0
 *
 * Counters with a place for every host, reason and rule, made before the walk, so that counting
 * cannot fail. */
#include "topologies/plan_tally.h"

#include "probe/base/mem.h"

#define SP_TALLY_FAMILIES 3U /* all, ipv4, ipv6 */

struct sp_tally {
    const struct sp_model *model; /* borrowed */
    struct sp_coverage coverage;
    uint64_t tests, packets;
    bool any_deny, any_allow;
    uint64_t *intrusive; /* packets per host of techniques of hazard class C */
    bool any_paths;      /* an enforcement point declares several */
    bool *rule_tested;
    uint64_t *sent, *received; /* packets per host */
    struct sp_bits net_pairs;  /* from network * nnetworks + to network: has a test */
    /* Skips: those of many by reason, family and protocol; those of one target by reason. */
    uint64_t many[SP_REASON_COUNT][SP_TALLY_FAMILIES][SP_PROTO_COUNT + 1];
    uint64_t *single[SP_REASON_COUNT][SP_TALLY_FAMILIES]; /* per target; NULL where never used */
};

/* Reasons that count ports. */
static bool is_ports(enum sp_reason reason)
{
    return reason == SP_REASON_SWEEP_BALANCED || reason == SP_REASON_SWEEP_BLIND ||
           reason == SP_REASON_SWEEP_SLICE || reason == SP_REASON_PORTLESS;
}

/* Reasons that count tests of bypass techniques. */
static bool is_tests(enum sp_reason reason)
{
    return reason >= SP_REASON_BYPASS_HAZARD && reason <= SP_REASON_BYPASS_OUTER;
}

/* Reasons that lie in one target. */
static bool is_single(enum sp_reason reason)
{
    return reason == SP_REASON_SOURCE_PROBE || reason == SP_REASON_AMBIGUOUS ||
           reason == SP_REASON_UNTRANSLATED;
}

static size_t family_slot(uint8_t family)
{
    return family == SP_FAMILY_IPV4 ? 1 : family == SP_FAMILY_IPV6 ? 2 : 0;
}

enum sp_rc sp_tally_new(const struct sp_model *model, struct sp_tally **ret_tally)
{
    struct sp_tally *tally = sp_calloc(1, sizeof(*tally));
    if (!tally) {
        return SP_E_NOMEM;
    }
    tally->model = model;
    for (size_t i = 0; i < model->nenforcements; i++) {
        tally->any_paths = tally->any_paths || model->enforcements[i].paths > 1;
    }
    tally->rule_tested = sp_calloc(model->nrules, sizeof(*tally->rule_tested));
    tally->sent = sp_calloc(model->nhosts, sizeof(*tally->sent));
    tally->received = sp_calloc(model->nhosts, sizeof(*tally->received));
    tally->intrusive = sp_calloc(model->nhosts, sizeof(*tally->intrusive));
    bool ok = tally->rule_tested && tally->sent && tally->received && tally->intrusive &&
              sp_bits_init(&tally->net_pairs, model->nnetworks * model->nnetworks) == SP_OK;
    for (size_t r = 0; r < SP_REASON_COUNT; r++) {
        for (size_t f = 0; ok && is_single((enum sp_reason)r) && f < SP_TALLY_FAMILIES; f++) {
            tally->single[r][f] = sp_calloc(sp_model_ntargets(model), sizeof(uint64_t));
            ok = tally->single[r][f] != NULL;
        }
    }
    if (!ok) {
        sp_tally_free(tally);
        return SP_E_NOMEM;
    }
    *ret_tally = tally;
    return SP_OK;
}

void sp_tally_free(struct sp_tally *tally)
{
    if (!tally) {
        return;
    }
    for (size_t r = 0; r < SP_REASON_COUNT; r++) {
        for (size_t f = 0; f < SP_TALLY_FAMILIES; f++) {
            sp_free(tally->single[r][f]);
        }
    }
    sp_free(tally->rule_tested);
    sp_free(tally->sent);
    sp_free(tally->received);
    sp_free(tally->intrusive);
    sp_bits_release(&tally->net_pairs);
    sp_free(tally);
}

static uint64_t edges_of(const struct sp_interval *iv)
{
    if (iv->expect == SP_EXPECT_PERMIT) {
        return 0;
    }
    return iv->lo == iv->hi ? 1 : 2;
}

void sp_tally_intent(struct sp_tally *tally, uint8_t family, const struct sp_intervals *lists)
{
    for (size_t i = 0; i < SP_FAMILY_PROTOS; i++) {
        const struct sp_intervals *list = &lists[sp_family_proto(family, i)];
        tally->coverage.intervals_of += list->n;
        for (size_t k = 0; k < list->n; k++) {
            tally->coverage.edges_of += edges_of(&list->at[k]);
        }
    }
}

void sp_tally_skip(struct sp_tally *tally, enum sp_reason reason, uint32_t who, uint8_t family,
                   uint8_t proto, uint64_t points)
{
    if (who < sp_model_ntargets(tally->model) && is_single(reason)) {
        tally->single[reason][family_slot(family)][who] += points;
    } else {
        tally->many[reason][family_slot(family)][proto] += points;
    }
}

/* How often each test of a kind is sent: flows, in so many passes between controls, and packets
 * that go out again. */
struct effort {
    uint64_t flows, passes, again;
};

/* Tests of one kind: attempts, controls and the load that they put on both ends. */
static void add_cost(struct sp_tally *tally, const struct sp_pair *pair, uint64_t tests,
                     struct effort effort, uint8_t technique)
{
    const struct sp_technique_info *info = sp_technique_at(technique);
    if (tests == 0 || !info) {
        return;
    }
    uint64_t controls = (uint64_t)SP_PLAN_CONTROL_PACKETS * SP_PLAN_CHECKPOINTS;
    uint64_t n =
        tests * (effort.flows * sp_plan_packets(tally->model, pair, technique) + effort.again) +
        effort.passes * controls;
    tally->tests += tests;
    tally->packets += n;
    tally->sent[pair->from] += n;
    uint32_t host;
    for (size_t i = 0; (host = sp_model_receiver(tally->model, pair->to, i)) != SP_NONE; i++) {
        tally->received[host] += n;
    }
}

/* Flows enough for parallel ways, and the first SYN once more. */
static struct effort deny_effort(const struct sp_tally *tally, const struct sp_pair *pair,
                                 uint8_t proto)
{
    bool many = pair->is_balanced || tally->any_paths;
    unsigned flows = many ? sp_plan_flows_past(sp_plan_ways(tally->model, pair), 0) : 0;
    return (struct effort){.flows = flows > SP_PLAN_DENY_ATTEMPTS ? flows : SP_PLAN_DENY_ATTEMPTS,
                           .passes = SP_PLAN_DENY_ATTEMPTS,
                           .again = proto == SP_PROTO_TCP};
}

/* Attempts of one allowed test: a balancer's backends all want to be met. */
static struct effort allow_effort(const struct sp_model *model, const struct sp_pair *pair,
                                  uint8_t proto)
{
    uint64_t attempts = SP_PLAN_ALLOW_ATTEMPTS;
    const struct sp_balancer *balancer =
        pair->is_balanced && !pair->one_sided ? &model->balancers[pair->to - model->nhosts] : NULL;
    for (size_t i = 0; balancer && i < balancer->nlisteners; i++) {
        const struct sp_listener *listener = &balancer->listeners[i];
        unsigned flows = listener->port.proto == proto ? sp_plan_flows_for(listener->nbackends) : 0;
        attempts = flows > attempts ? flows : attempts;
    }
    return (struct effort){.flows = attempts, .passes = attempts};
}

void sp_tally_bypass(struct sp_tally *tally, const struct sp_pair *pair, uint8_t technique,
                     uint64_t tests)
{
    const struct sp_technique_info *info = sp_technique_at(technique);
    const struct effort effort = deny_effort(tally, pair, SP_PROTO_COUNT);
    add_cost(tally, pair, tests, effort, technique);
    tally->any_deny = tally->any_deny || tests > 0;
    if (info && info->hazard >= 'C') {
        tally->intrusive[pair->from] +=
            tests * effort.flows * sp_plan_packets(tally->model, pair, technique);
    }
}

uint32_t sp_tally_passes(const struct sp_tally *tally, const struct sp_pair *pair)
{
    return (uint32_t)deny_effort(tally, pair, SP_PROTO_COUNT).flows;
}

uint64_t sp_tally_sweep_packets(const struct sp_plan_sweep *sweep, uint32_t passes)
{
    uint64_t n = (uint64_t)passes * ((uint64_t)sweep->denied + sweep->allowed);
    return n + (n * SP_PLAN_GUARD_PERCENT + 99) / 100;
}

/* Both ends are loaded by the rounds of the tournament, not by the tests: plan_time.c. */
static void add_sweep(struct sp_tally *tally, const struct sp_pair *pair,
                      const struct sp_plan_sweep *sweep)
{
    tally->tests += (uint64_t)sweep->denied + sweep->allowed;
    tally->coverage.denied_tested += sweep->denied;
    tally->packets += sp_tally_sweep_packets(sweep, sp_tally_passes(tally, pair));
}

/* An interval without a test. Protocols that yield to the other direction are counted besides. */
static void skip_interval(struct sp_tally *tally, const struct sp_pair *pair, uint8_t proto,
                          const struct sp_interval *iv, const struct sp_ways *ways)
{
    bool icmp = proto == SP_PROTO_ICMP || proto == SP_PROTO_ICMP6;
    bool is_echo = icmp && sp_way_of(ways, proto, iv->expect, iv->lo) != ways->types;
    enum sp_reason reason = proto == SP_PROTO_IP             ? sp_portless_hindrance(pair, iv)
                            : !icmp || is_echo               ? SP_REASON_LEFT_OUT
                            : ways->types == SP_NO_TECHNIQUE ? (enum sp_reason)ways->types_reason
                                                             : SP_REASON_ICMP_TYPE;
    if (reason != SP_REASON_NONE) {
        sp_tally_skip(tally, reason, SP_NONE, pair->family, proto, 1);
    }
}

void sp_tally_points(struct sp_tally *tally, const struct sp_pair *pair, uint8_t proto,
                     struct sp_intervals list, const struct sp_points *points,
                     const struct sp_ways *ways, const struct sp_plan_sweep *sweep)
{
    uint64_t denies = 0, allows = 0, talks = 0;
    size_t at = 0;
    bool has_ports = proto == SP_PROTO_TCP || proto == SP_PROTO_UDP;
    for (size_t i = 0; i < list.n; i++) {
        const struct sp_interval *iv = &list.at[i];
        bool deny = iv->expect == SP_EXPECT_DENY;
        uint64_t tests = 0, talked = 0;
        for (; at < points->n && points->at[at].port <= iv->hi; at++) {
            uint16_t port = points->at[at].port;
            bool asked = sp_way_of(ways, proto, iv->expect, port) != SP_NO_TECHNIQUE;
            tests += asked;
            tally->coverage.edges_tested +=
                asked && iv->expect != SP_EXPECT_PERMIT && (port == iv->lo || port == iv->hi);
            talked += ways->talk != SP_NO_TECHNIQUE && sp_point_stands(iv, &points->at[at]);
        }
        denies += deny ? tests : 0;
        allows += deny ? 0 : tests;
        talks += talked;
        if (deny && has_ports) {
            tally->coverage.denied_of += iv->hi - iv->lo + 1U;
            tally->coverage.denied_tested += sweep ? 0 : tests;
        }
        if (tests + talked > 0) {
            tally->coverage.intervals_tested++;
            if (iv->rule < tally->model->nrules) {
                tally->rule_tested[iv->rule] = true;
            }
        } else {
            skip_interval(tally, pair, proto, iv, ways);
        }
    }
    if (points->yielded > 0) {
        sp_tally_skip(tally, SP_REASON_PORTLESS, SP_NONE, pair->family, proto, points->yielded);
    }
    const struct effort talk = {.flows = SP_PLAN_ALLOW_ATTEMPTS, .passes = SP_PLAN_ALLOW_ATTEMPTS};
    if (sweep) {
        add_sweep(tally, pair, sweep);
    }
    /* Of ICMP the two techniques cost the same. */
    uint8_t denying = ways->deny != SP_NO_TECHNIQUE ? ways->deny : ways->types;
    uint8_t allowing = ways->allow != SP_NO_TECHNIQUE ? ways->allow : ways->types;
    add_cost(tally, pair, sweep ? 0 : denies, deny_effort(tally, pair, proto), denying);
    add_cost(tally, pair, allows, allow_effort(tally->model, pair, proto), allowing);
    add_cost(tally, pair, talks, talk, ways->talk);
    tally->any_deny = tally->any_deny || (denies > 0 && !sweep);
    tally->any_allow = tally->any_allow || allows + talks > 0;
    uint32_t a = sp_model_target_network(tally->model, pair->from);
    uint32_t b = sp_model_target_network(tally->model, pair->to);
    if (a < tally->model->nnetworks && b < tally->model->nnetworks && denies + allows + talks > 0) {
        sp_bits_set(&tally->net_pairs, a * tally->model->nnetworks + b);
    }
}

/* Marks the enforcement points between whose networks something is tested. */
static enum sp_rc count_enforcements(struct sp_tally *tally)
{
    const struct sp_model *model = tally->model;
    bool *done = sp_calloc(model->nenforcements, sizeof(*done));
    if (!done) {
        return SP_E_NOMEM;
    }
    tally->coverage.enforcements_of = model->nenforcements;
    size_t n = model->nnetworks;
    for (size_t w = 0; model->nenforcements > 0 && w * 64 < n * n; w++) {
        for (uint64_t word = tally->net_pairs.words[w]; word; word &= word - 1) {
            size_t i = w * 64 + (size_t)__builtin_ctzll(word);
            const struct sp_enforcement *point =
                sp_model_enforcement(model, (uint32_t)(i / n), (uint32_t)(i % n));
            if (point && !done[point - model->enforcements]) {
                done[point - model->enforcements] = true;
                tally->coverage.enforcements_tested++;
            }
        }
    }
    sp_free(done);
    return SP_OK;
}

static uint64_t seconds(const struct sp_tally *tally)
{
    uint64_t longest = 0;
    for (uint32_t h = 0; h < tally->model->nhosts; h++) {
        uint64_t load = tally->sent[h] > tally->received[h] ? tally->sent[h] : tally->received[h];
        uint64_t rate = sp_model_host_rate(tally->model, h);
        uint64_t need = (load + rate - 1) / rate;
        need += tally->intrusive[h] / SP_PLAN_INTRUSIVE_PPS;
        longest = need > longest ? need : longest;
    }
    uint64_t rounds = (tally->any_deny ? SP_PLAN_DENY_ATTEMPTS : 0U) +
                      (tally->any_allow ? SP_PLAN_ALLOW_ATTEMPTS : 0U);
    return longest + (rounds > 0 ? rounds - 1 : 0);
}

static enum sp_rc add_skip(struct sp_plan *plan, size_t *cap, struct sp_skip skip)
{
    if (sp_grow((void **)&plan->skips, plan->nskips, cap, sizeof(*plan->skips)) != 0) {
        return SP_E_NOMEM;
    }
    plan->skips[plan->nskips++] = skip;
    return SP_OK;
}

static enum sp_rc list_skips(const struct sp_tally *tally, struct sp_plan *plan)
{
    static const uint8_t families[SP_TALLY_FAMILIES] = {0, SP_FAMILY_IPV4, SP_FAMILY_IPV6};
    size_t cap = 0;
    enum sp_rc rc = SP_OK;
    for (size_t r = 0; r < SP_REASON_COUNT; r++) {
        const char *reason = sp_reason_str((enum sp_reason)r);
        for (size_t f = 0; f < SP_TALLY_FAMILIES; f++) {
            struct sp_skip skip = {
                .from = SP_NONE, .to = SP_NONE, .family = families[f], .reason = reason};
            for (uint8_t proto = 0; rc == SP_OK && proto <= SP_PROTO_COUNT; proto++) {
                skip.proto = proto;
                skip.is_ports = is_ports((enum sp_reason)r);
                skip.is_tests = is_tests((enum sp_reason)r);
                skip.points = tally->many[r][f][proto];
                rc = skip.points ? add_skip(plan, &cap, skip) : SP_OK;
            }
            size_t n = tally->single[r][f] ? sp_model_ntargets(tally->model) : 0;
            for (uint32_t t = 0; rc == SP_OK && t < n; t++) {
                skip.from = r == SP_REASON_SOURCE_PROBE ? t : SP_NONE;
                skip.to = r == SP_REASON_SOURCE_PROBE ? SP_NONE : t;
                skip.proto = SP_PROTO_COUNT;
                skip.points = tally->single[r][f][t];
                rc = skip.points ? add_skip(plan, &cap, skip) : SP_OK;
            }
        }
    }
    return rc;
}

enum sp_rc sp_tally_finish(struct sp_tally *tally, uint64_t sweep_seconds, struct sp_plan *plan)
{
    struct sp_coverage *coverage = &tally->coverage;
    coverage->rules_of = tally->model->nrules;
    for (size_t r = 0; r < tally->model->nrules; r++) {
        coverage->rules_tested += tally->rule_tested[r];
    }
    coverage->pairs_tested = plan->coverage.pairs_tested;
    coverage->pairs_of = plan->coverage.pairs_of;
    coverage->denied_ports_swept =
        coverage->denied_of > 0 ? (double)coverage->denied_tested / (double)coverage->denied_of : 0;
    enum sp_rc rc = count_enforcements(tally);
    if (rc != SP_OK) {
        return rc;
    }
    plan->coverage = *coverage;
    plan->cost = (struct sp_cost){.tests = tally->tests,
                                  .packets = tally->packets,
                                  .seconds = seconds(tally) + sweep_seconds};
    return list_skips(tally, plan);
}
