/* SPDX-License-Identifier: Apache-2.0
 *
 * Which IP protocols of a pair are tested, of those that have no ports: per interval a random one
 * and the outermost, those of the risk list, at exhaustive depth every one that is denied.
 * Firewalls remember such a protocol by its two addresses alone, and let the other direction pass
 * for minutes (Linux and AWS: 600 s). A run is shorter, so of a protocol and two addresses it asks
 * one direction: what a rule denies before what a rule allows before what is denied by default, and
 * the seed decides between equals. */
#include <string.h>

#include "probe/base/hash.h"
#include "probe/base/ipproto.h"
#include "topologies/plan_priv.h"

/* What is allowed is judged behind the receiver's firewall, and so is everything at a host's own
 * layer: there a probe sees some protocols only. */
static bool needs_witness(const struct sp_pair *pair, uint8_t expect)
{
    return expect != SP_EXPECT_DENY || pair->layer == SP_LAYER_HOST;
}

static bool can_ask(const struct sp_pair *pair, uint8_t expect, uint32_t number)
{
    return sp_ip_is_testable(pair->family, (uint16_t)number) &&
           (!needs_witness(pair, expect) || sp_ip_is_witnessed((uint16_t)number));
}

enum sp_reason sp_portless_hindrance(const struct sp_pair *pair, const struct sp_interval *iv)
{
    enum sp_reason reason = SP_REASON_IP_NUMBER;
    for (uint32_t n = iv->lo; n <= iv->hi; n++) {
        if (can_ask(pair, iv->expect, n)) {
            return SP_REASON_NONE;
        }
        if (sp_ip_is_testable(pair->family, (uint16_t)n)) {
            reason = SP_REASON_IP_WITNESS;
        }
    }
    return reason;
}

/* ---- one direction ---- */

static void add_interval(struct sp_points *points, const struct sp_point_source *source,
                         const struct sp_interval *iv, struct sp_rng *rng)
{
    uint16_t numbers[256];
    size_t n = 0;
    for (uint32_t i = iv->lo; i <= iv->hi && i < 256; i++) {
        if (can_ask(source->pair, iv->expect, i)) {
            numbers[n++] = (uint16_t)i;
        }
    }
    if (n == 0) {
        return;
    }
    sp_points_add(points, numbers[sp_rng_below(rng, n)], SP_WHY_REPRESENTATIVE);
    if (source->depth == SP_DEPTH_QUICK || iv->expect == SP_EXPECT_PERMIT) {
        return;
    }
    sp_points_add(points, numbers[0], numbers[0] == iv->lo ? SP_WHY_EDGE : SP_WHY_MUTATION);
    sp_points_add(points, numbers[n - 1], numbers[n - 1] == iv->hi ? SP_WHY_EDGE : SP_WHY_MUTATION);
    bool all = source->depth == SP_DEPTH_EXHAUSTIVE && iv->expect == SP_EXPECT_DENY;
    for (size_t i = 0; all && i < n; i++) {
        sp_points_add(points, numbers[i], SP_WHY_MUTATION);
    }
}

static void add_direction(struct sp_points *points, const struct sp_point_source *source)
{
    struct {
        uint8_t src[16], dst[16];
    } what;
    memcpy(what.src, source->pair->src.bytes, sizeof(what.src));
    memcpy(what.dst, source->pair->own.bytes, sizeof(what.dst));
    const struct sp_hash_key key = {source->seed, UINT64_C(0x706f72746c657373)};
    struct sp_rng rng = {.state = sp_siphash(&key, &what, sizeof(what))};
    for (size_t i = 0; i < source->list.n; i++) {
        add_interval(points, source, &source->list.at[i], &rng);
    }
    const struct sp_risk *risk;
    for (size_t i = 0; source->depth != SP_DEPTH_QUICK && (risk = sp_risk_at(i)) != NULL; i++) {
        const struct sp_interval *iv =
            risk->proto == SP_PROTO_IP ? sp_intervals_find(source->list, risk->port) : NULL;
        if (iv && iv->expect == SP_EXPECT_DENY && can_ask(source->pair, iv->expect, risk->port)) {
            sp_points_add(points, risk->port, SP_WHY_RISK);
        }
    }
    sp_points_sort(points);
}

/* ---- both ---- */

static unsigned weight(struct sp_intervals list, uint16_t number)
{
    const struct sp_interval *iv = sp_intervals_find(list, number);
    if (!iv || iv->expect == SP_EXPECT_PERMIT) {
        return 0;
    }
    return iv->expect == SP_EXPECT_ALLOW ? 2 : iv->rule == SP_NONE ? 1 : 3;
}

/* A number of one direction, unlike that of the other. */
static uint64_t lot(uint64_t seed, const struct sp_addr *src, const struct sp_addr *dst,
                    uint16_t number)
{
    struct {
        uint8_t src[16], dst[16];
        uint16_t number;
    } what = {.number = number};
    memcpy(what.src, src->bytes, sizeof(what.src));
    memcpy(what.dst, dst->bytes, sizeof(what.dst));
    const struct sp_hash_key key = {seed, UINT64_C(0x646972656374696f)};
    return sp_siphash(&key, &what, sizeof(what));
}

static bool yields(const struct sp_point_source *here, const struct sp_point_source *there,
                   uint16_t number)
{
    unsigned mine = weight(here->list, number);
    unsigned other = weight(there->list, number);
    if (mine != other) {
        return mine < other;
    }
    return lot(here->seed, &here->pair->src, &here->pair->own, number) <
           lot(here->seed, &here->pair->own, &here->pair->src, number);
}

static bool has_point(const struct sp_points *points, uint16_t port)
{
    for (size_t i = 0; i < points->n; i++) {
        if (points->at[i].port == port) {
            return true;
        }
    }
    return false;
}

enum sp_rc sp_portless_points(struct sp_points *points, const struct sp_point_source *source)
{
    struct sp_points back = {0};
    add_direction(points, source);
    if (source->back) {
        struct sp_point_source there = *source;
        there.pair = source->back;
        there.list = source->reverse;
        add_direction(&back, &there);
        size_t n = 0;
        for (size_t i = 0; i < points->n; i++) {
            uint16_t number = points->at[i].port;
            if (has_point(&back, number) && yields(source, &there, number)) {
                points->yielded++;
            } else {
                points->at[n++] = points->at[i];
            }
        }
        points->n = n;
    }
    bool no_memory = points->no_memory || back.no_memory;
    sp_points_release(&back);
    return no_memory ? SP_E_NOMEM : SP_OK;
}
