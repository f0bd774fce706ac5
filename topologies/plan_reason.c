/* SPDX-License-Identifier: Apache-2.0
 *
 * Why something is not tested, in one place, so that a plan and an explanation say the same. */
#include "topologies/plan_priv.h"

const char *sp_reason_str(enum sp_reason reason)
{
    static const char *const texts[SP_REASON_COUNT] = {
        [SP_REASON_NONE] = "tested",
        [SP_REASON_SUBNET] = "same subnet, no `within:` and no policy that names the two",
        [SP_REASON_SOURCE_PROBE] = "the source has no probe",
        [SP_REASON_FAMILY] = "the two have no address of the same family",
        [SP_REASON_AMBIGUOUS] = "ambiguous address",
        [SP_REASON_SPECIAL] = "loopback, link-local and multicast addresses are never tested",
        [SP_REASON_UNTRANSLATED] =
            "another address of the host has a declared translation where the sender stands",
        [SP_REASON_NO_TECHNIQUE] = "no technique for this protocol in this version",
        [SP_REASON_ICMP_TYPE] = "redirects and neighbour discovery are not asked in this version",
        [SP_REASON_LEFT_OUT] = "its technique is left out by --only or --skip",
        [SP_REASON_HAZARD] = "the hazard class of its technique is not allowed in both networks",
        [SP_REASON_SWEEP_BALANCED] =
            "a load balancer's ports are not swept: its control is a conversation",
        [SP_REASON_SWEEP_BLIND] = "the ports of a target without a probe are not swept",
        [SP_REASON_SWEEP_SLICE] = "left to the other slices of a rolling sweep",
        [SP_REASON_PORTLESS] =
            "the other direction is tested, and a firewall may remember it longer than a run takes "
            "(--from and --to choose one direction)",
        [SP_REASON_PORTLESS_END] = "without ports, only a target with a probe can be asked",
        [SP_REASON_IP_NUMBER] = "no IP protocol of its own, or one whose header is not built",
        [SP_REASON_IP_WITNESS] =
            "no probe of this version sees these IP protocols behind the host's firewall",
        [SP_REASON_BYPASS_HAZARD] =
            "bypass techniques whose hazard class is not allowed in both networks",
        [SP_REASON_BYPASS_LEFT_OUT] = "bypass techniques that --only or --skip leaves out",
        [SP_REASON_BYPASS_BLIND] = "bypass techniques need a probe at both ends",
        [SP_REASON_BYPASS_BALANCED] =
            "bypass techniques are not tried on a load balancer's address",
        [SP_REASON_BYPASS_HOST] =
            "no host takes a lone fragment in, so that its own firewall (layer: "
            "host) cannot be tested with one",
        [SP_REASON_BYPASS_SOURCE] =
            "no other declared host, of class C, has an address that could be forged",
        [SP_REASON_BYPASS_ROUTER] =
            "no host of the sender's network has `role: router` for a source route to begin with",
        [SP_REASON_BYPASS_OUTER] =
            "no address that an outer packet could go to (translated ones are left alone)",
    };
    return reason < SP_REASON_COUNT ? texts[reason] : "?";
}

enum sp_reason sp_reason_pair(const struct sp_policy *policy, const struct sp_model *model,
                              uint32_t from, uint32_t to)
{
    if (sp_policy_untested(policy, from, to)) {
        return SP_REASON_SUBNET;
    }
    return model->hosts[from].via ? SP_REASON_NONE : SP_REASON_SOURCE_PROBE;
}

bool sp_hazard_allowed(const struct sp_model *model, uint32_t from, uint32_t to, char hazard)
{
    bool allowed = hazard <= sp_model_host_hazard(model, from);
    /* A balancer passes on to its backends: all of them have to consent. */
    uint32_t host;
    allowed = allowed && (to >= model->nhosts || hazard <= sp_model_host_hazard(model, to));
    for (size_t i = 0; allowed && (host = sp_model_receiver(model, to, i)) != SP_NONE; i++) {
        allowed = hazard <= sp_model_host_hazard(model, host);
    }
    return allowed;
}

enum sp_reason sp_reason_proto(const struct sp_model *model, const bool *wanted, uint32_t from,
                               uint32_t to, uint8_t proto, uint8_t family, uint8_t *ret_technique)
{
    const struct sp_technique_info *info = sp_technique_for(proto, family);
    if (!info) {
        return SP_REASON_NO_TECHNIQUE;
    }
    size_t index = sp_technique_index(info);
    if (wanted && !wanted[index]) {
        return SP_REASON_LEFT_OUT;
    }
    if (!sp_hazard_allowed(model, from, to, info->hazard)) {
        return SP_REASON_HAZARD;
    }
    *ret_technique = (uint8_t)index;
    return SP_REASON_NONE;
}

/* ICMP of other types than echo: SP_REASON_NONE when its technique may run. */
static enum sp_reason other_types(const struct sp_model *model, const bool *wanted,
                                  const struct sp_pair *pair, uint8_t *ret_technique)
{
    const struct sp_technique_info *info = sp_technique_find("icmp_type");
    *ret_technique = SP_NO_TECHNIQUE;
    if (!info) {
        return SP_REASON_NO_TECHNIQUE;
    }
    if (wanted && !wanted[sp_technique_index(info)]) {
        return SP_REASON_LEFT_OUT;
    }
    if (pair->one_sided || pair->is_balanced) {
        return SP_REASON_PORTLESS_END;
    }
    if (!sp_hazard_allowed(model, pair->from, pair->to, info->hazard)) {
        return SP_REASON_HAZARD;
    }
    *ret_technique = (uint8_t)sp_technique_index(info);
    return SP_REASON_NONE;
}

uint8_t sp_way_of(const struct sp_ways *ways, uint8_t proto, uint8_t expect, uint16_t port)
{
    uint16_t echo = proto == SP_PROTO_ICMP6 ? SP_PORT_ICMP6_ECHO : SP_PORT_ICMP_ECHO;
    if ((proto == SP_PROTO_ICMP || proto == SP_PROTO_ICMP6) && port != echo) {
        return ways->types;
    }
    return expect == SP_EXPECT_DENY ? ways->deny : ways->allow;
}

/* The technique that carries data both ways, if it may run between these two. */
static uint8_t conversation(const struct sp_model *model, const bool *wanted,
                            const struct sp_pair *pair, uint8_t proto)
{
    const struct sp_technique_info *info =
        proto == SP_PROTO_TCP ? sp_technique_find("tcp_handshake") : NULL;
    if (!info || pair->one_sided || (wanted && !wanted[sp_technique_index(info)]) ||
        !sp_hazard_allowed(model, pair->from, pair->to, info->hazard)) {
        return SP_NO_TECHNIQUE;
    }
    return (uint8_t)sp_technique_index(info);
}

enum sp_reason sp_reason_ways(const struct sp_model *model, const bool *wanted,
                              const struct sp_pair *pair, uint8_t proto, struct sp_ways *ret_ways)
{
    uint8_t plain = SP_NO_TECHNIQUE;
    enum sp_reason reason =
        sp_reason_proto(model, wanted, pair->from, pair->to, proto, pair->family, &plain);
    if (reason == SP_REASON_NONE && proto == SP_PROTO_IP &&
        (pair->one_sided || pair->is_balanced)) {
        reason = SP_REASON_PORTLESS_END;
        plain = SP_NO_TECHNIQUE;
    }
    uint8_t talk = conversation(model, wanted, pair, proto);
    bool whole = pair->is_balanced && proto == SP_PROTO_TCP && !pair->one_sided;
    *ret_ways =
        (struct sp_ways){.deny = plain, .allow = whole ? talk : plain, .talk = SP_NO_TECHNIQUE};
    ret_ways->types = SP_NO_TECHNIQUE;
    if (proto == SP_PROTO_ICMP || proto == SP_PROTO_ICMP6) {
        ret_ways->types_reason = (uint8_t)other_types(model, wanted, pair, &ret_ways->types);
    }
    /* Who takes the data of a conversation with a host is a stand-in listener: class B. */
    if (!whole && sp_hazard_allowed(model, pair->from, pair->to, 'B')) {
        ret_ways->talk = talk;
    }
    bool any = ret_ways->deny != SP_NO_TECHNIQUE || ret_ways->allow != SP_NO_TECHNIQUE ||
               ret_ways->talk != SP_NO_TECHNIQUE || ret_ways->types != SP_NO_TECHNIQUE;
    return any ? SP_REASON_NONE : reason;
}

bool sp_listener_data_ok(const struct sp_model *model, const struct sp_listener *listener)
{
    return sp_model_data_ok(model, listener->port.proto, listener->backend_port) ||
           sp_model_data_ok(model, listener->port.proto, listener->port.lo);
}

const char *sp_listener_hindrance(const struct sp_model *model, const struct sp_listener *listener)
{
    if (sp_listener_data_ok(model, listener)) {
        return NULL;
    }
    for (size_t i = 0; i < listener->nbackends; i++) {
        if (!model->hosts[listener->backends[i]].via) {
            return "a backend without a probe may run a real service, which is not marked "
                   "`data: ok`";
        }
    }
    for (size_t i = 0; listener->port.proto == SP_PROTO_TCP && i < listener->nbackends; i++) {
        if (sp_model_host_hazard(model, listener->backends[i]) < 'B') {
            return "its data needs a service marked `data: ok`, or hazard class B for stand-in "
                   "listeners on the backends";
        }
    }
    return NULL;
}

uint8_t sp_family_proto(uint8_t family, size_t i)
{
    static const uint8_t protos[SP_FAMILY_PROTOS] = {SP_PROTO_TCP, SP_PROTO_UDP, SP_PROTO_ICMP,
                                                     SP_PROTO_SCTP, SP_PROTO_IP};
    uint8_t proto = protos[i % SP_FAMILY_PROTOS];
    return proto == SP_PROTO_ICMP && family == SP_FAMILY_IPV6 ? (uint8_t)SP_PROTO_ICMP6 : proto;
}
