/* SPDX-License-Identifier: Apache-2.0
 *
 * Which ICMP types and codes of a pair are tested. Always the echo request. Where other types are
 * asked: of a denied interval those of the risk list, or its first one; of any other its first one;
 * at exhaustive depth every denied type. Redirects and neighbour discovery belong to one link, and
 * are asked by nobody. */
#include "topologies/plan_priv.h"

bool sp_icmp_is_askable(uint8_t proto, uint32_t port)
{
    uint32_t type = port >> 8;
    if (proto == SP_PROTO_ICMP6) {
        return port != SP_PORT_ICMP6_ECHO && !(type >= 133 && type <= 137) && type != 141 &&
               type != 142 && type != 148 && type != 149;
    }
    return port != SP_PORT_ICMP_ECHO && type != 5;
}

/* The first askable one; its code is 0 unless the interval begins with another. False: none. */
static bool first_of(uint8_t proto, const struct sp_interval *iv, uint32_t *ret_port)
{
    for (uint32_t port = iv->lo; port <= iv->hi; port = (port | 0xff) + 1) {
        uint32_t other = port == (proto == SP_PROTO_ICMP6 ? SP_PORT_ICMP6_ECHO : SP_PORT_ICMP_ECHO);
        if (!other && sp_icmp_is_askable(proto, port)) {
            *ret_port = port;
            return true;
        }
    }
    return false;
}

static void add_interval(struct sp_points *points, const struct sp_point_source *source,
                         const struct sp_interval *iv)
{
    size_t before = points->n;
    bool deny = iv->expect == SP_EXPECT_DENY;
    const struct sp_risk *risk;
    for (size_t i = 0; deny && (risk = sp_risk_at(i)) != NULL; i++) {
        bool enough = source->depth == SP_DEPTH_QUICK && points->n > before;
        if (risk->proto == source->proto && risk->port >= iv->lo && risk->port <= iv->hi &&
            !enough) {
            sp_points_add(points, risk->port,
                          points->n > before ? SP_WHY_RISK : SP_WHY_REPRESENTATIVE);
        }
    }
    uint32_t port;
    if (points->n == before && first_of(source->proto, iv, &port)) {
        sp_points_add(points, port, SP_WHY_REPRESENTATIVE);
    }
    for (uint32_t at = iv->lo; deny && source->depth == SP_DEPTH_EXHAUSTIVE && at <= iv->hi;
         at = (at | 0xff) + 1) {
        if (sp_icmp_is_askable(source->proto, at)) {
            sp_points_add(points, at, SP_WHY_MUTATION);
        }
    }
}

enum sp_rc sp_icmp_points(struct sp_points *points, const struct sp_point_source *source)
{
    bool v6 = source->proto == SP_PROTO_ICMP6;
    uint16_t echo = v6 ? SP_PORT_ICMP6_ECHO : SP_PORT_ICMP_ECHO;
    sp_points_add(points, echo, SP_WHY_REPRESENTATIVE);
    for (size_t i = 0; source->other_types && i < source->list.n; i++) {
        const struct sp_interval *iv = &source->list.at[i];
        bool is_echo = iv->lo >> 8 == echo >> 8 && iv->hi >> 8 == echo >> 8 && iv->lo <= echo;
        if (!is_echo) {
            add_interval(points, source, iv);
        }
    }
    sp_points_sort(points);
    return points->no_memory ? SP_E_NOMEM : SP_OK;
}
