/* SPDX-License-Identifier: Apache-2.0
 *
 * Likely causes of an allowed flow that fails, from what works beside it: the same port from other
 * sources, of a neighbour, at another address, and other protocols between the same two; and from
 * which part of a flow is lost. Each tells an operator where not to look. */
#include <string.h>

#include "reports/group.h"
#include "reports/known.h"

static bool works(const struct sp_lookup *lookup, const struct sp_entry *key)
{
    return sp_spans_all(&lookup->flows, key, SP_FACT_ALLOWED_HOLDS);
}

/* Another address of the receiver, in this family. */
static bool works_at_other_address(const struct sp_lookup *lookup, const struct sp_entry *test)
{
    return works(lookup, test);
}

static bool works_for_others(const struct sp_lookup *lookup, const struct sp_entry *test)
{
    struct sp_entry key = *test;
    key.from = SP_NONE; /* anybody; the sender itself is known to fail */
    return sp_spans_all(&lookup->targets, &key, SP_FACT_ALLOWED_HOLDS);
}

/* Does anything allowed work between the two in this family, of protocols first .. last? */
static bool any_works(const struct sp_lookup *lookup, const struct sp_entry *test, uint8_t first,
                      uint8_t last)
{
    struct sp_entry key = *test;
    key.port = 0;
    key.port_hi = UINT16_MAX;
    for (unsigned proto = first; proto <= last; proto++) {
        key.proto = (uint8_t)proto;
        if (sp_spans_any(&lookup->flows, &key, SP_FACT_ALLOWED_HOLDS)) {
            return true;
        }
    }
    return false;
}

/* Nothing reaches the receiver from here, and this port of a host beside it does. */
static bool works_beside(const struct sp_lookup *lookup, const struct sp_model *model,
                         const struct sp_entry *test)
{
    struct sp_entry key = *test;
    if (test->to >= model->nhosts || any_works(lookup, test, 0, SP_PROTO_COUNT - 1)) {
        return false;
    }
    for (uint32_t host = 0; host < model->nhosts; host++) {
        key.to = host;
        if (host != test->to && model->hosts[host].network == model->hosts[test->to].network &&
            works(lookup, &key)) {
            return true;
        }
    }
    return false;
}

/* An IP protocol without ports fails, one that every firewall knows works. */
static bool others_pass(const struct sp_lookup *lookup, const struct sp_entry *test)
{
    if (test->proto != SP_PROTO_IP && test->proto != SP_PROTO_SCTP) {
        return false;
    }
    return any_works(lookup, test, SP_PROTO_TCP, SP_PROTO_ICMP6);
}

enum sp_cause sp_cause_where(const struct sp_lookup *lookup, const struct sp_result *result,
                             const struct sp_entry *tests, size_t n)
{
    bool address = true;
    bool others = true;
    bool beside = true;
    bool protocol = true;
    for (size_t i = 0; i < n && (address || others || beside || protocol); i++) {
        address = address && works_at_other_address(lookup, &tests[i]);
        others = others && works_for_others(lookup, &tests[i]);
        beside = beside && works_beside(lookup, result->model, &tests[i]);
        protocol = protocol && others_pass(lookup, &tests[i]);
    }
    if (address) {
        return SP_CAUSE_ONE_ADDRESS;
    }
    if (beside || others) {
        return beside ? SP_CAUSE_NOT_TO_HERE : SP_CAUSE_NOT_FROM_HERE;
    }
    return protocol ? SP_CAUSE_IP_PROTOCOL : SP_CAUSE_COUNT;
}

bool sp_cause_one_address(const struct sp_lookup *lookup, const struct sp_entry *tests, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct sp_entry twin = tests[i];
        twin.family = twin.family == SP_FAMILY_IPV4 ? SP_FAMILY_IPV6 : SP_FAMILY_IPV4;
        if (!works(lookup, &tests[i]) && !works(lookup, &twin)) {
            return false;
        }
    }
    return n > 0;
}

bool sp_cause_reverse_path(const struct sp_result *result, const struct sp_entry *test)
{
    for (size_t i = 0; i < result->claims.n && test->family == SP_FAMILY_IPV4; i++) {
        const struct sp_claim *claim = &result->claims.at[i];
        if (claim->kind != SP_CLAIM_NODE || claim->target != test->to ||
            strcmp(claim->check, "rp_filter") != 0) {
            continue;
        }
        /* What holds is as expected; what fails says what it is. */
        const char *mode = claim->verdict == SP_CLAIM_HOLDS   ? claim->expected
                           : claim->verdict == SP_CLAIM_FAILS ? claim->observed
                                                              : NULL;
        if (mode && strstr(mode, "strict")) {
            return true;
        }
    }
    return false;
}

enum sp_cause sp_cause_loss(const struct sp_lookup *lookup, const struct sp_result *result,
                            const struct sp_entry *tests, size_t n)
{
    bool back = true;
    bool udp = true;
    for (size_t i = 0; i < n; i++) {
        const struct sp_seen *seen = &result->outcomes[tests[i].test].seen;
        struct sp_entry tcp = tests[i];
        tcp.proto = SP_PROTO_TCP;
        /* Of a conversation that was opened the data never followed: the SYN/ACK was lost. */
        bool arrives = seen->host + seen->opened >= seen->attempts;
        back = back && arrives && seen->answer_left + seen->opened >= seen->attempts;
        udp = udp && !arrives && tests[i].proto == SP_PROTO_UDP && works(lookup, &tcp);
    }
    if (back) {
        return SP_CAUSE_LOSS_BACK;
    }
    return udp ? SP_CAUSE_LOSS_UDP : SP_CAUSE_LOSS;
}

/* ICMP codes by which a router says that there is nobody, not that it forbids. */
bool sp_cause_nobody_there(const struct sp_entry *test, const struct sp_seen *seen)
{
    if (seen->answer != SP_ANSWER_UNREACHABLE) {
        return false;
    }
    return test->family == SP_FAMILY_IPV6
               ? seen->answer_code == 0 || seen->answer_code == 3
               : seen->answer_code <= 1 || seen->answer_code == 6 || seen->answer_code == 7;
}

bool sp_cause_known_address(const struct sp_result *result, const struct sp_entry *tests, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const struct sp_pair *pair = &result->plan->pairs[result->tests[tests[i].test].pair];
        const struct sp_known *known = sp_known_address(&pair->dst);
        if (!known || !known->opened[0]) {
            return false;
        }
    }
    return n > 0;
}

bool sp_cause_masqueraded(const struct sp_result *result, const struct sp_entry *tests, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const struct sp_seen *seen = &result->outcomes[tests[i].test].seen;
        const struct sp_pair *pair = &result->plan->pairs[result->tests[tests[i].test].pair];
        if (seen->rewritten == 0 || sp_addr_eq(&seen->captured.src, &pair->src_seen) ||
            !sp_addr_eq(&seen->captured.dst, &pair->own)) {
            return false;
        }
    }
    return n > 0;
}
