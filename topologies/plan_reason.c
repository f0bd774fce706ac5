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
        [SP_REASON_BALANCER] =
            "balancer reachability is judged by its backends; not in this version's techniques",
        [SP_REASON_FAMILY] = "the two have no address of the same family",
        [SP_REASON_AMBIGUOUS] = "ambiguous address",
        [SP_REASON_SPECIAL] = "loopback, link-local and multicast addresses are never tested",
        [SP_REASON_UNTRANSLATED] =
            "another address of the host has a declared translation where the sender stands",
        [SP_REASON_NO_TECHNIQUE] = "no technique for this protocol in this version",
        [SP_REASON_ICMP_TYPE] = "no technique for this ICMP type in this version",
        [SP_REASON_LEFT_OUT] = "its technique is left out by --only or --skip",
        [SP_REASON_HAZARD] = "the hazard class of its technique is not allowed in both networks",
    };
    return reason < SP_REASON_COUNT ? texts[reason] : "?";
}

enum sp_reason sp_reason_pair(const struct sp_policy *policy, const struct sp_model *model,
                              uint32_t from, uint32_t to)
{
    if (sp_policy_untested(policy, from, to)) {
        return SP_REASON_SUBNET;
    }
    if (!model->hosts[from].via) {
        return SP_REASON_SOURCE_PROBE;
    }
    return to >= model->nhosts ? SP_REASON_BALANCER : SP_REASON_NONE;
}

/* What a network's owner consents to: its own word, else that of what it lies in. */
static char hazard_of(const struct sp_model *model, uint32_t host)
{
    uint32_t network = sp_model_target_network(model, host);
    for (size_t steps = 0; network < model->nnetworks && steps <= model->nnetworks; steps++) {
        if (model->networks[network].hazard != 0) {
            return model->networks[network].hazard;
        }
        network = model->networks[network].parent;
    }
    if (model->limits.hazard != 0) {
        return model->limits.hazard;
    }
    return 'A';
}

bool sp_hazard_allowed(const struct sp_model *model, uint32_t from, uint32_t to, char hazard)
{
    return hazard <= hazard_of(model, from) && hazard <= hazard_of(model, to);
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

uint8_t sp_family_proto(uint8_t family, size_t i)
{
    static const uint8_t protos[SP_FAMILY_PROTOS] = {SP_PROTO_TCP, SP_PROTO_UDP, SP_PROTO_ICMP,
                                                     SP_PROTO_SCTP, SP_PROTO_IP};
    uint8_t proto = protos[i % SP_FAMILY_PROTOS];
    return proto == SP_PROTO_ICMP && family == SP_FAMILY_IPV6 ? (uint8_t)SP_PROTO_ICMP6 : proto;
}
