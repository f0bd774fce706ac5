/* SPDX-License-Identifier: Apache-2.0
 *
 * Where a packet that travels inside another one is sent to: whoever may take the outer header off.
 * The receiver itself, and of the declared routers (hosts with `role: router`) up to two: those of
 * the receiver's network first, then those of the sender's, then others. A router's network must
 * consent to the hazard class too, and be nobody else's (kind external). Every attempt asks all of
 * them. Translated addresses are left alone: nobody translates what is inside. */
#include <string.h>

#include "topologies/plan_priv.h"

#define PROTO_IPV6 41U

/* The first address of the family; NULL: none, or nobody can say how it is seen. */
static const struct sp_addr *plain(const struct sp_host *host, uint8_t family)
{
    for (size_t i = 0; i < host->naddrs && host->nseen_as == 0; i++) {
        if (host->addrs[i].family == family && !sp_addr_is_special(&host->addrs[i])) {
            return &host->addrs[i];
        }
    }
    return NULL;
}

struct outers {
    struct sp_plan_outer *at;
    size_t n;
};

static void add(struct outers *outers, const struct sp_addr *src, const struct sp_host *host,
                const struct sp_addr *dst)
{
    bool known = !dst || outers->n >= SP_PLAN_OUTERS;
    for (size_t i = 0; i < outers->n && !known; i++) {
        known = sp_addr_eq(&outers->at[i].dst, dst);
    }
    if (!known) {
        outers->at[outers->n++] = (struct sp_plan_outer){
            .src = *src, .dst = *dst, .vni = host->tunnel_vni, .mac = host->tunnel_mac};
    }
}

static bool is_router(const struct sp_model *model, const struct sp_pair *pair, uint32_t h,
                      char hazard)
{
    const struct sp_host *host = &model->hosts[h];
    return host->role && h != pair->from && h != pair->to && strcmp(host->role, "router") == 0 &&
           !sp_plan_is_external(model, host->network) && sp_model_host_hazard(model, h) >= hazard;
}

size_t sp_plan_outers(const struct sp_model *model, const struct sp_pair *pair, size_t technique,
                      struct sp_plan_outer ret_outers[static SP_PLAN_OUTERS])
{
    uint8_t proto = sp_technique_outer(technique);
    bool is_plain = sp_addr_eq(&pair->src, &pair->src_seen) && sp_addr_eq(&pair->dst, &pair->own);
    if (proto == 0 || !is_plain || pair->to >= model->nhosts) {
        return 0;
    }
    struct outers outers = {.at = ret_outers};
    const struct sp_host *from = &model->hosts[pair->from];
    const struct sp_host *to = &model->hosts[pair->to];
    bool is_other = proto == PROTO_IPV6; /* IPv6 inside, IPv4 outside */
    uint8_t family = is_other ? (uint8_t)SP_FAMILY_IPV4 : pair->family;
    const struct sp_addr *src = is_other ? plain(from, family) : &pair->src;
    if (!src) {
        return 0;
    }
    add(&outers, src, to, is_other ? plain(to, family) : &pair->dst);
    char hazard = sp_technique_at(technique)->hazard;
    uint32_t found[3][SP_PLAN_OUTERS]; /* by rank: the first few in the order of the file */
    size_t nfound[3] = {0};
    for (uint32_t h = 0; h < model->nhosts; h++) {
        const struct sp_host *host = &model->hosts[h];
        int rank = host->network == to->network ? 0 : host->network == from->network ? 1 : 2;
        if (host->role && nfound[rank] < SP_PLAN_OUTERS && plain(host, family) &&
            is_router(model, pair, h, hazard)) {
            found[rank][nfound[rank]++] = h;
        }
    }
    for (int rank = 0; rank < 3; rank++) {
        for (size_t i = 0; i < nfound[rank]; i++) {
            const struct sp_host *host = &model->hosts[found[rank][i]];
            add(&outers, src, host, plain(host, family));
        }
    }
    return outers.n;
}

unsigned sp_plan_packets(const struct sp_model *model, const struct sp_pair *pair, size_t technique)
{
    struct sp_plan_outer outers[SP_PLAN_OUTERS];
    size_t n = sp_plan_outers(model, pair, technique, outers);
    return n > 0 ? (unsigned)n : sp_technique_at(technique)->packets;
}
