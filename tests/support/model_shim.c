/* SPDX-License-Identifier: Apache-2.0
 *
 * Plain stand-ins for the few functions of topologies/ that reports calls, compiled only where the
 * library sp_topologies does not exist. */
#include <string.h>

#include "probe/base/mem.h"
#include "topologies/plan.h"

enum sp_rc sp_bits_init(struct sp_bits *bits, size_t nbits)
{
    bits->words = sp_calloc(nbits / 64 + 1, sizeof(*bits->words));
    bits->nbits = nbits;
    return bits->words ? SP_OK : SP_E_NOMEM;
}

void sp_bits_release(struct sp_bits *bits)
{
    sp_free(bits->words);
    memset(bits, 0, sizeof(*bits));
}

bool sp_bits_get(const struct sp_bits *bits, size_t i)
{
    return i < bits->nbits && (bits->words[i / 64] >> (i % 64) & 1) != 0;
}

void sp_bits_set(struct sp_bits *bits, size_t i)
{
    bits->words[i / 64] |= UINT64_C(1) << (i % 64);
}

size_t sp_model_ntargets(const struct sp_model *model)
{
    return model->nhosts + model->nbalancers;
}

const char *sp_model_target_name(const struct sp_model *model, size_t target)
{
    return target < model->nhosts ? model->hosts[target].name
                                  : model->balancers[target - model->nhosts].name;
}

uint32_t sp_model_target_network(const struct sp_model *model, size_t target)
{
    return target < model->nhosts ? model->hosts[target].network : SP_NONE;
}

const struct sp_enforcement *sp_model_enforcement(const struct sp_model *model, uint32_t a,
                                                  uint32_t b)
{
    for (size_t i = 0; i < model->nenforcements; i++) {
        const uint32_t *between = model->enforcements[i].between;
        if ((between[0] == a && between[1] == b) || (between[0] == b && between[1] == a)) {
            return &model->enforcements[i];
        }
    }
    return NULL;
}

void sp_model_free(struct sp_model *model)
{
    for (size_t i = 0; i < model->nnetworks; i++) {
        sp_free(model->networks[i].name);
    }
    for (size_t i = 0; i < model->nhosts; i++) {
        sp_free(model->hosts[i].name);
        sp_free(model->hosts[i].via);
        sp_free(model->hosts[i].addrs);
    }
    for (size_t i = 0; i < model->nrules; i++) {
        sp_free(model->rules[i].name);
        sp_free(model->rules[i].ports);
        sp_bits_release(&model->rules[i].from);
        sp_bits_release(&model->rules[i].to);
    }
    for (size_t i = 0; i < model->nbalancers; i++) {
        sp_free(model->balancers[i].name);
        sp_free(model->balancers[i].addrs);
        sp_bits_release(&model->balancers[i].from);
    }
    for (size_t i = 0; i < model->nenforcements; i++) {
        sp_free(model->enforcements[i].name);
        sp_free(model->enforcements[i].between);
    }
    sp_free(model->networks);
    sp_free(model->hosts);
    sp_free(model->rules);
    sp_free(model->balancers);
    sp_free(model->enforcements);
    sp_free(model->name);
    sp_free(model->file);
    sp_free(model);
}

/* One pair's intervals at a time is enough for a report. */
struct sp_policy {
    const struct sp_model *model;
    struct sp_interval *intervals;
    size_t cap;
};

enum sp_rc sp_policy_new(const struct sp_model *model, struct sp_policy **ret_policy)
{
    *ret_policy = sp_calloc(1, sizeof(**ret_policy));
    if (!*ret_policy) {
        return SP_E_NOMEM;
    }
    (*ret_policy)->model = model;
    return SP_OK;
}

void sp_policy_free(struct sp_policy *policy)
{
    if (policy) {
        sp_free(policy->intervals);
        sp_free(policy);
    }
}

/* How strong a rule is on one point; 0 = it does not apply. */
static int strength(const struct sp_rule *rule, uint32_t from, uint32_t to, uint8_t proto,
                    uint32_t port)
{
    bool there = sp_bits_get(&rule->from, from) && sp_bits_get(&rule->to, to);
    bool back = rule->kind == SP_RULE_ISOLATION && sp_bits_get(&rule->from, to) &&
                sp_bits_get(&rule->to, from);
    static const int order[] = {
        [SP_RULE_PERMIT] = 1, [SP_RULE_ALLOW] = 2, [SP_RULE_DENY] = 3, [SP_RULE_ISOLATION] = 4};
    for (size_t i = 0; i < rule->nports && (there || back); i++) {
        const struct sp_portspec *spec = &rule->ports[i];
        if ((spec->proto == proto || spec->proto == SP_PROTO_COUNT) && port >= spec->lo &&
            port <= spec->hi) {
            return order[rule->kind];
        }
    }
    return 0;
}

/* The first port above this one at which some rule begins or has ended. */
static uint32_t next_port(const struct sp_model *model, uint8_t proto, uint32_t port)
{
    uint32_t next = sp_proto_max(proto) + 1U;
    for (size_t r = 0; r < model->nrules; r++) {
        for (size_t i = 0; i < model->rules[r].nports; i++) {
            const struct sp_portspec *spec = &model->rules[r].ports[i];
            uint32_t end = spec->hi + 1U;
            next = spec->lo > port && spec->lo < next ? spec->lo : next;
            next = end > port && end < next ? end : next;
        }
    }
    return next;
}

struct sp_intervals sp_policy_pair(struct sp_policy *policy, uint32_t from, uint32_t to,
                                   uint8_t proto)
{
    static const uint8_t expects[] = {SP_EXPECT_DENY, SP_EXPECT_PERMIT, SP_EXPECT_ALLOW,
                                      SP_EXPECT_DENY, SP_EXPECT_DENY};
    size_t n = 0;
    for (uint32_t port = sp_proto_min(proto), next; port <= sp_proto_max(proto); port = next) {
        int best = 0;
        uint32_t rule = SP_NONE;
        next = next_port(policy->model, proto, port);
        for (size_t r = 0; r < policy->model->nrules; r++) {
            int mine = strength(&policy->model->rules[r], from, to, proto, port);
            if (mine > best) {
                best = mine;
                rule = (uint32_t)r;
            }
        }
        if (n > 0 && policy->intervals[n - 1].rule == rule) {
            policy->intervals[n - 1].hi = (uint16_t)(next - 1);
            continue;
        }
        if (sp_grow((void **)&policy->intervals, n, &policy->cap, sizeof(*policy->intervals))) {
            return (struct sp_intervals){0};
        }
        policy->intervals[n++] = (struct sp_interval){.lo = (uint16_t)port,
                                                      .hi = (uint16_t)(next - 1),
                                                      .expect = expects[best],
                                                      .rule = rule};
    }
    return (struct sp_intervals){.at = policy->intervals, .n = n};
}

const char *sp_depth_str(enum sp_depth depth)
{
    return depth == SP_DEPTH_QUICK ? "quick" : "standard";
}

const char *sp_expect_str(uint8_t expect)
{
    return expect == SP_EXPECT_ALLOW ? "allow" : expect == SP_EXPECT_PERMIT ? "permit" : "deny";
}
