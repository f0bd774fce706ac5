/* SPDX-License-Identifier: Apache-2.0
 *
 * Which ports of a pair are tested. quick: one random port per interval. standard: besides, both
 * edges of every interval that denies or allows, the risk list where it is denied, and mutations:
 * ports that a likely mistake in a rule would open. exhaustive: the same points, and sweeps
 * (plan_sweep.c) in the place of the denied ones. Of the mutations, "wrong protocol", "wrong
 * direction" and "any source" are made here; off-by-one are the edges; the IPv6 twin is the pair of
 * the other family, which is tested alike. */
#include <stdlib.h>
#include <string.h>

#include "probe/base/hash.h"
#include "probe/base/mem.h"
#include "topologies/plan_priv.h"

void sp_points_add(struct sp_points *points, uint32_t port, enum sp_why why)
{
    if (points->no_memory ||
        sp_grow((void **)&points->at, points->n, &points->cap, sizeof(*points->at)) != 0) {
        points->no_memory = true;
        return;
    }
    points->at[points->n++] = (struct sp_point){.port = (uint16_t)port, .why = (uint8_t)why};
}

static bool denied(struct sp_intervals list, uint16_t port)
{
    const struct sp_interval *found = sp_intervals_find(list, port);
    return found && found->expect == SP_EXPECT_DENY;
}

/* A random port of lo..hi outside the reserved source ports; lo when all of them are reserved. */
static uint16_t random_port(const struct sp_point_source *source, uint32_t lo, uint32_t hi)
{
    struct {
        uint8_t src[16], dst[16];
        uint16_t lo, hi;
        uint8_t proto, family, zero[2];
    } what = {.lo = (uint16_t)lo,
              .hi = (uint16_t)hi,
              .proto = source->proto,
              .family = source->pair->family};
    memcpy(what.src, source->pair->src.bytes, sizeof(what.src));
    memcpy(what.dst, source->pair->dst.bytes, sizeof(what.dst));
    struct sp_hash_key key = {source->seed, UINT64_C(0x73656770726f6f66)};
    struct sp_rng rng = {.state = sp_siphash(&key, &what, sizeof(what))};
    uint32_t below_end = hi < source->sport_lo ? hi : source->sport_lo - 1U;
    uint32_t above_start = lo > source->sport_hi ? lo : source->sport_hi + 1U;
    uint32_t below = lo <= below_end ? below_end - lo + 1 : 0;
    uint32_t above = above_start <= hi ? hi - above_start + 1 : 0;
    if (below + above == 0) {
        return (uint16_t)lo;
    }
    uint32_t pick = (uint32_t)sp_rng_below(&rng, below + above);
    return (uint16_t)(pick < below ? lo + pick : above_start + (pick - below));
}

static bool reserved(const struct sp_point_source *source, uint32_t port)
{
    return port >= source->sport_lo && port <= source->sport_hi;
}

static void add_intervals(struct sp_points *points, const struct sp_point_source *source)
{
    bool edges = source->depth != SP_DEPTH_QUICK;
    for (size_t i = 0; i < source->list.n; i++) {
        const struct sp_interval *iv = &source->list.at[i];
        bool inner = edges && iv->expect != SP_EXPECT_PERMIT && iv->hi - iv->lo >= 2;
        uint16_t port = inner ? random_port(source, iv->lo + 1U, iv->hi - 1U)
                              : random_port(source, iv->lo, iv->hi);
        sp_points_add(points, reserved(source, port) ? iv->lo : port, SP_WHY_REPRESENTATIVE);
        if (edges && iv->expect != SP_EXPECT_PERMIT) {
            sp_points_add(points, iv->lo, SP_WHY_EDGE);
            sp_points_add(points, iv->hi, SP_WHY_EDGE);
        }
    }
}

static void add_risks(struct sp_points *points, const struct sp_point_source *source)
{
    const struct sp_risk *risk;
    for (size_t i = 0; (risk = sp_risk_at(i)) != NULL; i++) {
        if (risk->proto == source->proto && denied(source->list, risk->port)) {
            sp_points_add(points, risk->port, SP_WHY_RISK);
        }
    }
}

/* Edges of what is allowed in another list, where this list denies them. */
static void add_mutations(struct sp_points *points, const struct sp_point_source *source,
                          struct sp_intervals other)
{
    for (size_t i = 0; i < other.n; i++) {
        if (other.at[i].expect != SP_EXPECT_ALLOW) {
            continue;
        }
        if (denied(source->list, other.at[i].lo)) {
            sp_points_add(points, other.at[i].lo, SP_WHY_MUTATION);
        }
        if (denied(source->list, other.at[i].hi)) {
            sp_points_add(points, other.at[i].hi, SP_WHY_MUTATION);
        }
    }
}

static int by_port(const void *a, const void *b)
{
    const struct sp_point *x = a, *y = b;
    return x->port != y->port ? x->port - y->port : x->why - y->why;
}

void sp_points_sort(struct sp_points *points)
{
    size_t n = 0;
    if (points->n > 1) {
        qsort(points->at, points->n, sizeof(*points->at), by_port);
    }
    for (size_t i = 0; i < points->n; i++) {
        if (n == 0 || points->at[n - 1].port != points->at[i].port) {
            points->at[n++] = points->at[i];
        }
    }
    points->n = n;
}

enum sp_rc sp_points_build(struct sp_points *points, const struct sp_point_source *source)
{
    points->n = 0;
    points->yielded = 0;
    points->no_memory = false;
    if (source->proto == SP_PROTO_IP) {
        return sp_portless_points(points, source);
    }
    if (source->proto == SP_PROTO_ICMP || source->proto == SP_PROTO_ICMP6) {
        return sp_icmp_points(points, source);
    }
    add_intervals(points, source);
    if (source->depth != SP_DEPTH_QUICK) {
        add_risks(points, source);
        add_mutations(points, source, source->twin);
        add_mutations(points, source, source->reverse);
        for (size_t i = 0; source->open && i < source->open->n; i++) {
            if (denied(source->list, source->open->at[i])) {
                sp_points_add(points, source->open->at[i], SP_WHY_MUTATION);
            }
        }
    }
    if (points->no_memory) {
        return SP_E_NOMEM;
    }
    sp_points_sort(points);
    return SP_OK;
}

enum sp_rc sp_points_narrow(struct sp_points *points, struct sp_intervals list, int32_t port,
                            unsigned allowed)
{
    size_t n = 0;
    size_t at = 0;
    if (port >= 0) {
        sp_points_add(points, (uint16_t)port, SP_WHY_REPRESENTATIVE);
        sp_points_sort(points);
    }
    for (size_t i = 0; i < points->n; i++) {
        while (at < list.n && list.at[at].hi < points->at[i].port) {
            at++;
        }
        bool is_it = port >= 0 && points->at[i].port == port;
        bool works = at < list.n && list.at[at].expect == SP_EXPECT_ALLOW;
        if (is_it || (works && allowed > 0)) {
            allowed -= !is_it;
            points->at[n++] = points->at[i];
        }
    }
    points->n = n;
    return points->no_memory ? SP_E_NOMEM : SP_OK;
}

bool sp_point_stands(const struct sp_interval *iv, const struct sp_point *point)
{
    return iv->expect == SP_EXPECT_ALLOW && point->why == SP_WHY_REPRESENTATIVE;
}

void sp_points_release(struct sp_points *points)
{
    sp_free(points->at);
    *points = (struct sp_points){0};
}

static int by_value(const void *a, const void *b)
{
    const uint16_t *x = a, *y = b;
    return *x - *y;
}

static enum sp_rc add_port(struct sp_ports *ports, uint16_t port)
{
    if (sp_grow((void **)&ports->at, ports->n, &ports->cap, sizeof(*ports->at)) != 0) {
        return SP_E_NOMEM;
    }
    ports->at[ports->n++] = port;
    return SP_OK;
}

/* Ports on which balancers reach this host; a client that goes around the balancer must not. */
static enum sp_rc add_backend_ports(const struct sp_model *model, uint32_t target, uint8_t proto,
                                    struct sp_ports *ports)
{
    for (size_t b = 0; b < model->nbalancers; b++) {
        const struct sp_balancer *balancer = &model->balancers[b];
        for (size_t i = 0; i < balancer->nlisteners; i++) {
            const struct sp_listener *listener = &balancer->listeners[i];
            if (listener->port.proto != proto || listener->backend_port == 0 ||
                !sp_listener_has(listener, target)) {
                continue;
            }
            if (add_port(ports, listener->backend_port) != SP_OK) {
                return SP_E_NOMEM;
            }
        }
    }
    return SP_OK;
}

enum sp_rc sp_ports_open(const struct sp_model *model, uint32_t target, uint8_t proto,
                         struct sp_ports *ports)
{
    for (size_t r = 0; r < model->nrules; r++) {
        const struct sp_rule *rule = &model->rules[r];
        if (rule->kind != SP_RULE_ALLOW || !sp_bits_get(&rule->to, target)) {
            continue;
        }
        for (size_t i = 0; i < rule->nports; i++) {
            const struct sp_portspec *spec = &rule->ports[i];
            if (spec->proto != proto || spec->is_wild) {
                continue;
            }
            if (add_port(ports, spec->lo) != SP_OK || add_port(ports, spec->hi) != SP_OK) {
                return SP_E_NOMEM;
            }
        }
    }
    if (add_backend_ports(model, target, proto, ports) != SP_OK) {
        return SP_E_NOMEM;
    }
    size_t n = 0;
    if (ports->n > 1) {
        qsort(ports->at, ports->n, sizeof(*ports->at), by_value);
    }
    for (size_t i = 0; i < ports->n; i++) {
        if (n == 0 || ports->at[n - 1] != ports->at[i]) {
            ports->at[n++] = ports->at[i];
        }
    }
    ports->n = n;
    return SP_OK;
}

void sp_ports_release(struct sp_ports *ports)
{
    sp_free(ports->at);
    *ports = (struct sp_ports){0};
}
