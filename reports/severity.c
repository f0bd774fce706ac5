/* SPDX-License-Identifier: Apache-2.0
 *
 * The table, in points. A leak:
 *
 *   direction   outward 0   lateral 1   across 2   inward 3
 *   exposed     ICMP -2     ordinary 0  on the risk list +1
 *   declared    isolation +1
 *   scope       more than SP_RISK_MANY_PORTS ports +1
 *
 *   4 and more critical, 2 and 3 high, 0 and 1 medium, below low
 *
 * so that a risky port is high at least wherever it is reached from another host inside, and
 * critical from outside. A leak by a bypass technique is as bad as a plain one where the plain
 * packet holds, since then it is all that is known of the hole, and one step less elsewhere: it
 * takes skill. What does not work: medium, and high for a declared service, since somebody waits
 * for it. What arrives with other addresses than declared: medium. What works in part, or is
 * answered by somebody on the path: low, and medium for a declared service that loses packets or
 * misses a backend. Clients that reach a stranger: high. */
#include "reports/severity.h"

#include "probe/base/proto.h"
#include "reports/group.h"

static enum sp_severity of_points(int points)
{
    if (points >= 4) {
        return SP_SEVERITY_CRITICAL;
    }
    if (points >= 2) {
        return SP_SEVERITY_HIGH;
    }
    return points >= 0 ? SP_SEVERITY_MEDIUM : SP_SEVERITY_LOW;
}

static enum sp_severity leak_severity(const struct sp_risk *risk)
{
    int points =
        risk->direction <= SP_DIRECTION_INWARD ? (int)risk->direction : (int)SP_DIRECTION_INWARD;
    points += risk->exposed == SP_EXPOSED_ECHO ? -2 : risk->exposed == SP_EXPOSED_RISKY ? 1 : 0;
    points += risk->is_isolated ? 1 : 0;
    points += risk->ports > SP_RISK_MANY_PORTS ? 1 : 0;
    enum sp_severity severity = of_points(points);
    if (risk->is_bypass && !risk->plain_holds && severity > SP_SEVERITY_LOW) {
        severity--;
    }
    return severity;
}

enum sp_severity sp_risk_severity(const struct sp_risk *risk)
{
    if (risk->verdict == SP_VERDICT_LEAK) {
        return leak_severity(risk);
    }
    if (risk->is_stranger) {
        return SP_SEVERITY_HIGH;
    }
    if (risk->verdict == SP_VERDICT_PROXIED) {
        return SP_SEVERITY_LOW;
    }
    if (risk->verdict == SP_VERDICT_PARTIAL) {
        return risk->is_missed || risk->is_service ? SP_SEVERITY_MEDIUM : SP_SEVERITY_LOW;
    }
    bool is_lost = risk->verdict != SP_VERDICT_MISDELIVERED;
    return is_lost && risk->is_service ? SP_SEVERITY_HIGH : SP_SEVERITY_MEDIUM;
}

enum sp_severity sp_risk_scope(enum sp_severity worst, size_t hosts)
{
    return hosts > SP_RISK_MANY_HOSTS && worst < SP_SEVERITY_CRITICAL ? worst + 1 : worst;
}

/* ------------------------------------------------------------------ gathering its input */

static bool is_external(const struct sp_model *model, uint32_t target)
{
    uint32_t network = sp_model_target_network(model, target);
    for (size_t steps = 0; network < model->nnetworks && steps <= model->nnetworks; steps++) {
        if (model->networks[network].kind == SP_NET_EXTERNAL) {
            return true;
        }
        network = model->networks[network].parent;
    }
    return false;
}

enum sp_direction sp_risk_direction(const struct sp_model *model, uint32_t from, uint32_t to)
{
    bool to_outside = is_external(model, to);
    if (is_external(model, from)) {
        return to_outside ? SP_DIRECTION_OUTWARD : SP_DIRECTION_INWARD;
    }
    if (to_outside) {
        return SP_DIRECTION_OUTWARD;
    }
    uint32_t source = sp_model_target_network(model, from);
    uint32_t target = sp_model_target_network(model, to);
    if (source >= model->nnetworks || target >= model->nnetworks) {
        return SP_DIRECTION_LATERAL;
    }
    source = sp_model_root_network(model, source);
    target = sp_model_root_network(model, target);
    bool has_vpc =
        model->networks[source].kind == SP_NET_VPC || model->networks[target].kind == SP_NET_VPC;
    return source != target && has_vpc ? SP_DIRECTION_ACROSS : SP_DIRECTION_LATERAL;
}

bool sp_risk_has_port(uint8_t proto, uint16_t lo, uint16_t hi)
{
    static const struct {
        uint8_t proto;
        uint16_t port;
    } risky[] = {
#define SP_RISK(protocol, number, why) {SP_PROTO_##protocol, number},
#include "topologies/risk.def"
#undef SP_RISK
    };
    for (size_t i = 0; i < SP_ARRAY_LEN(risky); i++) {
        if (risky[i].proto == proto && risky[i].port >= lo && risky[i].port <= hi) {
            return true;
        }
    }
    return false;
}

static bool is_service_port(const struct sp_model *model, const struct sp_entry *test)
{
    if (sp_model_listener(model, test->to, test->proto, test->port)) {
        return true;
    }
    for (size_t i = 0; i < model->nservices; i++) {
        const struct sp_service *service = &model->services[i];
        for (size_t k = 0; k < service->nports; k++) {
            const struct sp_portspec *spec = &service->ports[k];
            if (spec->proto == test->proto && !spec->is_wild && spec->lo <= test->port_hi &&
                spec->hi >= test->port) {
                return true;
            }
        }
    }
    return false;
}

struct sp_risk sp_risk_of(const struct sp_result *result, const struct sp_finding *finding,
                          const struct sp_entry *tests, size_t n)
{
    const struct sp_model *model = result->model;
    bool is_icmp = finding->proto == SP_PROTO_ICMP || finding->proto == SP_PROTO_ICMP6;
    struct sp_risk risk = {
        .verdict = (uint8_t)finding->verdict,
        .direction = (uint8_t)sp_risk_direction(model, finding->from, finding->to),
        .exposed = is_icmp ? SP_EXPOSED_ECHO : SP_EXPOSED_ORDINARY,
        .is_isolated = finding->expect == SP_EXPECT_DENY && finding->rule < model->nrules &&
                       model->rules[finding->rule].kind == SP_RULE_ISOLATION,
        .is_stranger = finding->cause_kind == SP_CAUSE_BACKEND_FOREIGN ||
                       finding->cause_kind == SP_CAUSE_BACKEND_UNKNOWN,
        .is_missed = finding->cause_kind == SP_CAUSE_BACKEND_MISSED,
        .ports = finding->tests,
    };
    for (size_t i = 0; i < n; i++) {
        if (sp_risk_has_port(tests[i].proto, tests[i].port, tests[i].port_hi)) {
            risk.exposed = SP_EXPOSED_RISKY;
        }
        risk.is_service = risk.is_service ||
                          (finding->expect == SP_EXPECT_ALLOW && is_service_port(model, &tests[i]));
    }
    return risk;
}
