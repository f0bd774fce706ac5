/* SPDX-License-Identifier: Apache-2.0
 *
 * The address that some techniques need beside those of both ends. By source route: a router of the
 * sender's own network, which is a host with `role: router`. As a forged source: never one that is
 * not declared, never one of a network that is somebody else's (kind external), and only of a host
 * whose network consents to class C as well: what the receiver answers goes there. A host that may
 * reach the receiver by a rule comes first, because a filter by source address lets it through. */
#include <string.h>

#include "topologies/plan_priv.h"

bool sp_plan_is_external(const struct sp_model *model, uint32_t network)
{
    for (size_t steps = 0; network < model->nnetworks && steps <= model->nnetworks; steps++) {
        if (model->networks[network].kind == SP_NET_EXTERNAL) {
            return true;
        }
        network = model->networks[network].parent;
    }
    return false;
}

static bool may_reach(const struct sp_model *model, uint32_t from, uint32_t to)
{
    for (size_t i = 0; i < model->nrules; i++) {
        const struct sp_rule *rule = &model->rules[i];
        if (rule->kind == SP_RULE_ALLOW && sp_bits_get(&rule->from, from) &&
            sp_bits_get(&rule->to, to)) {
            return true;
        }
    }
    return false;
}

/* The first address of its family that has no translation and is neither end's. */
static const struct sp_addr *usable(const struct sp_host *host, const struct sp_pair *pair)
{
    for (size_t i = 0; i < host->naddrs && host->nseen_as == 0; i++) {
        const struct sp_addr *addr = &host->addrs[i];
        if (addr->family == pair->family && !sp_addr_is_special(addr) &&
            !sp_addr_eq(addr, &pair->src) && !sp_addr_eq(addr, &pair->dst)) {
            return addr;
        }
    }
    return NULL;
}

static bool find_router(const struct sp_model *model, const struct sp_pair *pair,
                        struct sp_addr *ret_addr)
{
    for (uint32_t h = 0; h < model->nhosts; h++) {
        const struct sp_host *host = &model->hosts[h];
        const struct sp_addr *addr = usable(host, pair);
        if (addr && h != pair->from && h != pair->to && host->role &&
            strcmp(host->role, "router") == 0 &&
            host->network == model->hosts[pair->from].network) {
            *ret_addr = *addr;
            return true;
        }
    }
    return false;
}

static bool find_forged(const struct sp_model *model, const struct sp_pair *pair,
                        const struct sp_technique_info *info, struct sp_addr *ret_addr)
{
    bool own = strcmp(info->name, "spoof_own") == 0;
    uint32_t home = model->hosts[pair->from].network;
    bool found = false;
    if (!sp_addr_eq(&pair->src, &pair->src_seen)) {
        return false;
    }
    for (uint32_t h = 0; h < model->nhosts; h++) {
        const struct sp_host *host = &model->hosts[h];
        const struct sp_addr *addr = usable(host, pair);
        if (!addr || h == pair->from || h == pair->to || (host->network == home) != own ||
            sp_plan_is_external(model, host->network) ||
            sp_model_host_hazard(model, h) < info->hazard) {
            continue;
        }
        bool first = may_reach(model, h, pair->to);
        if (!found || first) {
            *ret_addr = *addr;
            found = true;
        }
        if (first) {
            break;
        }
    }
    return found;
}

enum sp_other sp_plan_other(const struct sp_model *model, const struct sp_pair *pair,
                            uint8_t technique, struct sp_addr *ret_addr)
{
    const struct sp_technique_info *info = sp_technique_at(technique);
    *ret_addr = (struct sp_addr){0};
    if (info && sp_technique_forges(technique)) {
        return find_forged(model, pair, info, ret_addr) ? SP_OTHER_SOURCE : SP_OTHER_MISSING;
    }
    if (info && (strcmp(info->name, "ip_lsrr") == 0 || strcmp(info->name, "ip_ssrr") == 0)) {
        bool strict = info->name[3] == 's';
        return find_router(model, pair, ret_addr) ? SP_OTHER_ROUTER
               : strict                           ? SP_OTHER_MISSING
                                                  : SP_OTHER_NONE;
    }
    return SP_OTHER_NONE;
}
