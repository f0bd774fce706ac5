/* SPDX-License-Identifier: Apache-2.0
 *
 * The source ports of a run. No test may be the reverse of another one's tuple, so source ports
 * come from a range in which no port is ever tested; sweeps, which test every port, keep reversed
 * tuples apart themselves. Verdicts change only where a rule begins or
 * ends: those ports, their neighbours, the ends of the axis and the risk list are kept out; random
 * ports avoid the range afterwards. The choice depends on the topology and the depth alone. */
#include <string.h>

#include "topologies/plan_priv.h"

static const struct sp_risk risks[] = {
#define SP_RISK(proto, port, why) {SP_PROTO_##proto, port, why},
#include "topologies/risk.def"
#undef SP_RISK
};

const struct sp_risk *sp_risk_at(size_t i)
{
    return i < SP_ARRAY_LEN(risks) ? &risks[i] : NULL;
}

#define SP_SPORTS_WANTED 4096U
#define SP_SPORTS_LEAST  256U
#define SP_SPORTS_SWEPT  1024U /* a sweep takes a fresh one per volley and pass */

struct port_map {
    uint64_t used[65536 / 64];
};

static void use(struct port_map *map, uint32_t port)
{
    if (port <= 65535) {
        map->used[port / 64] |= UINT64_C(1) << (port % 64);
    }
}

static bool is_used(const struct port_map *map, uint32_t port)
{
    return (map->used[port / 64] >> (port % 64) & 1) != 0;
}

static void use_rule(struct port_map *map, const struct sp_rule *rule)
{
    for (size_t i = 0; i < rule->nports; i++) {
        const struct sp_portspec *spec = &rule->ports[i];
        if (spec->proto == SP_PROTO_TCP || spec->proto == SP_PROTO_UDP ||
            spec->proto == SP_PROTO_SCTP) {
            use(map, spec->lo);
            use(map, spec->hi);
            use(map, spec->lo - 1U);
            use(map, spec->hi + 1U);
        }
    }
}

/* The widest free range within lo..hi; the lowest of several. Returns its width. */
static uint32_t widest(const struct port_map *map, uint32_t lo, uint32_t hi, uint32_t *ret_lo)
{
    uint32_t best = 0, run = 0;
    for (uint32_t port = lo; port <= hi; port++) {
        run = is_used(map, port) ? 0 : run + 1;
        if (run > best) {
            best = run;
            *ret_lo = port + 1 - run;
        }
    }
    return best;
}

enum sp_rc sp_plan_sports(const struct sp_model *model, enum sp_depth depth, uint16_t *ret_lo,
                          uint16_t *ret_hi, struct sp_diag *diag)
{
    /* Best first: above the ephemeral ports of Linux, below them, then wherever there is room. */
    static const struct {
        uint16_t lo, hi, least;
        bool swept; /* tried at exhaustive depth only */
    } zones[] = {
        {61000, 65534, SP_SPORTS_WANTED, false}, {10000, 32767, SP_SPORTS_WANTED, false},
        {61000, 65534, SP_SPORTS_SWEPT, true},   {10000, 32767, SP_SPORTS_SWEPT, true},
        {1024, 65534, SP_SPORTS_SWEPT, true},    {61000, 65534, SP_SPORTS_LEAST, false},
        {10000, 32767, SP_SPORTS_LEAST, false},  {1024, 65534, SP_SPORTS_LEAST, false},
    };
    struct port_map map = {0};
    use(&map, 0);
    use(&map, 1);
    use(&map, 65535);
    for (size_t i = 0; i < SP_ARRAY_LEN(risks); i++) {
        if (risks[i].proto == SP_PROTO_TCP || risks[i].proto == SP_PROTO_UDP ||
            risks[i].proto == SP_PROTO_SCTP) {
            use(&map, risks[i].port);
        }
    }
    for (size_t r = 0; r < model->nrules; r++) {
        use_rule(&map, &model->rules[r]);
    }
    for (size_t b = 0; b < model->nbalancers; b++) {
        for (size_t i = 0; i < model->balancers[b].nlisteners; i++) {
            use(&map, model->balancers[b].listeners[i].backend_port);
        }
    }
    for (size_t z = 0; z < SP_ARRAY_LEN(zones); z++) {
        uint32_t lo = 0;
        if (zones[z].swept && depth != SP_DEPTH_EXHAUSTIVE) {
            continue;
        }
        uint32_t width = widest(&map, zones[z].lo, zones[z].hi, &lo);
        if (width >= zones[z].least) {
            width = width < SP_SPORTS_WANTED ? width : SP_SPORTS_WANTED;
            *ret_lo = (uint16_t)lo;
            *ret_hi = (uint16_t)(lo + width - 1);
            return SP_OK;
        }
    }
    return sp_fail(diag, SP_E_LIMIT, NULL,
                   "no %u neighbouring ports are free for use as source ports: the policies name "
                   "ports all over the range; merge port lists into ranges",
                   SP_SPORTS_LEAST);
}
