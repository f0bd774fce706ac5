/* SPDX-License-Identifier: Apache-2.0
 *
 * Which denied ports bypass techniques ask, and why some do not run. They ask a few ports of every
 * pair of addresses that has a probe at both ends, in the place of none of its tests: what they
 * find lies in how a filter looks at packets, not in which ports it opens. The choice depends on
 * the seed, the pair and the technique, so that techniques and runs do not all ask the same. */
#include <stdlib.h>
#include <string.h>

#include "probe/base/hash.h"
#include "topologies/plan_priv.h"

bool sp_bypass_fits(size_t technique, const struct sp_pair *pair, uint8_t proto)
{
    const struct sp_technique_info *info = sp_technique_at(technique);
    uint8_t of = proto == SP_PROTO_ICMP6 ? (uint8_t)SP_PROTO_ICMP : proto;
    uint8_t bit = pair->family == SP_FAMILY_IPV4 ? SP_TECH_IPV4 : SP_TECH_IPV6;
    return sp_technique_is_bypass(technique) && info->proto == of && (info->families & bit) != 0;
}

enum sp_reason sp_bypass_hindrance(const struct sp_model *model, const bool *wanted,
                                   const struct sp_pair *pair, size_t technique)
{
    if (pair->is_balanced) {
        return SP_REASON_BYPASS_BALANCED;
    }
    if (pair->one_sided) {
        return SP_REASON_BYPASS_BLIND;
    }
    if (wanted && !wanted[technique]) {
        return SP_REASON_BYPASS_LEFT_OUT;
    }
    char hazard = sp_technique_at(technique)->hazard;
    if (!sp_hazard_allowed(model, pair->from, pair->to, hazard)) {
        return SP_REASON_BYPASS_HAZARD;
    }
    if (pair->layer == SP_LAYER_HOST && technique < sp_technique_count() &&
        strcmp(sp_technique_at(technique)->name, "frag_tail") == 0) {
        return SP_REASON_BYPASS_HOST;
    }
    struct sp_addr other;
    if (sp_plan_other(model, pair, (uint8_t)technique, &other) == SP_OTHER_MISSING) {
        return sp_technique_forges(technique) ? SP_REASON_BYPASS_SOURCE : SP_REASON_BYPASS_ROUTER;
    }
    struct sp_plan_outer outers[SP_PLAN_OUTERS];
    if (sp_technique_outer(technique) != 0 && sp_plan_outers(model, pair, technique, outers) == 0) {
        return SP_REASON_BYPASS_OUTER;
    }
    return SP_REASON_NONE;
}

/* One denied interval with the port that stands for it. */
struct candidate {
    uint64_t order;
    uint16_t port;
    bool is_risk;
};

static int by_order(const void *pa, const void *pb)
{
    const struct candidate *a = pa, *b = pb;
    if (a->is_risk != b->is_risk) {
        return a->is_risk ? -1 : 1;
    }
    return (a->order > b->order) - (a->order < b->order);
}

static bool is_risk(uint8_t proto, uint16_t port)
{
    const struct sp_risk *risk;
    for (size_t i = 0; (risk = sp_risk_at(i)) != NULL; i++) {
        if (risk->proto == proto && risk->port == port) {
            return true;
        }
    }
    return false;
}

static uint64_t order_of(const struct sp_point_source *source, size_t technique, uint16_t port)
{
    struct {
        uint8_t src[16], dst[16];
        uint16_t port;
        uint8_t proto, family, technique, zero[3];
    } what = {.port = port,
              .proto = source->proto,
              .family = source->pair->family,
              .technique = (uint8_t)technique};
    memcpy(what.src, source->pair->src.bytes, sizeof(what.src));
    memcpy(what.dst, source->pair->dst.bytes, sizeof(what.dst));
    struct sp_hash_key key = {source->seed, UINT64_C(0x6279706173736573)};
    return sp_siphash(&key, &what, sizeof(what));
}

/* A technique that sends from ports of its own cannot send from fresh ones: it asks the random
 * port of an interval, which is another one in every run, and none that it also sends from, so that
 * no flow is the reverse of another. */
static bool is_barred(const struct sp_point *point, const uint16_t *sports, size_t nsports)
{
    for (size_t i = 0; i < nsports; i++) {
        if (sports[i] == point->port) {
            return true;
        }
    }
    return nsports > 0 && point->why != SP_WHY_REPRESENTATIVE;
}

static size_t add_best(struct candidate *best, size_t n, size_t most, struct candidate candidate)
{
    best[n++] = candidate;
    qsort(best, n, sizeof(*best), by_order);
    return n > most ? most : n;
}

size_t sp_bypass_ports(const struct sp_point_source *source, const struct sp_points *points,
                       size_t technique, uint16_t out[static SP_PLAN_BYPASS_MOST])
{
    struct candidate best[SP_PLAN_BYPASS_MOST + 1];
    size_t n = 0, at = 0, nsports = 0;
    const uint16_t *sports = sp_technique_sports(technique, &nsports);
    bool is_all = source->depth == SP_DEPTH_EXHAUSTIVE && nsports == 0 &&
                  sp_technique_at(technique)->hazard < 'C';
    size_t most = nsports > 0 ? 1 : is_all ? SP_PLAN_BYPASS_MOST : SP_PLAN_BYPASS_PORTS;
    for (size_t i = 0; i < source->list.n; i++) {
        const struct sp_interval *iv = &source->list.at[i];
        struct candidate of = {0};
        bool any = false;
        for (; at < points->n && points->at[at].port <= iv->hi; at++) {
            const struct sp_point *point = &points->at[at];
            struct candidate c = {.order = order_of(source, technique, point->port),
                                  .port = point->port,
                                  .is_risk = nsports == 0 && is_risk(source->proto, point->port)};
            bool may = c.is_risk || point->why == SP_WHY_REPRESENTATIVE;
            bool is_asked =
                iv->expect == SP_EXPECT_DENY && may && !is_barred(point, sports, nsports);
            if (is_asked && is_all) {
                n = add_best(best, n, most, c);
            } else if (is_asked && (!any || by_order(&c, &of) < 0)) {
                of = c;
                any = true;
            }
        }
        if (any) {
            n = add_best(best, n, most, of);
        }
    }
    for (size_t i = 0; i < n; i++) {
        out[i] = best[i].port;
    }
    return n;
}
