/* SPDX-License-Identifier: Apache-2.0
 *
 * Controls of bypass techniques. They ask denied flows only, so their controls are allowed flows of
 * the pair and protocol, sent with its ordinary technique. Where the plan has none, because --only
 * leaves the technique out, such flows are taken from the policy: a lane whose declared flows were
 * not even tried would rest on a weaker control than there is, and hold behind a dead path. */
#include "controller/run_priv.h"
#include "probe/base/mem.h"
#include "probe/base/proto.h"
#include "probe/techniques/registry.h"

#define SP_UNPLANNED_MAX 2U /* candidates of a lane, as the scout has of its own tests */

static enum sp_rc add(struct sp_scouts *scouts, const struct sp_scouted *scouted)
{
    if (sp_grow((void **)&scouts->at, scouts->n, &scouts->cap, sizeof(*scouted)) != 0) {
        return SP_E_NOMEM;
    }
    scouts->at[scouts->n++] = *scouted;
    return SP_OK;
}

/* A port of the interval that the technique can send to and that no real service would get data
 * on; false: none. */
static bool pick_port(const struct sp_run_state *run, const struct sp_pair *pair, uint8_t proto,
                      const struct sp_interval *iv, uint16_t *ret_port)
{
    if (iv->expect != SP_EXPECT_ALLOW) {
        return false;
    }
    if (proto == SP_PROTO_TCP || proto == SP_PROTO_UDP || proto == SP_PROTO_SCTP) {
        *ret_port = iv->lo ? iv->lo : iv->hi;
        return *ret_port > 0 &&
               (proto != SP_PROTO_UDP || !sp_run_is_service(run, pair, proto, *ret_port));
    }
    *ret_port = proto == SP_PROTO_ICMP ? SP_PORT_ICMP_ECHO : SP_PORT_ICMP6_ECHO;
    return (proto == SP_PROTO_ICMP || proto == SP_PROTO_ICMP6) && iv->lo <= *ret_port &&
           *ret_port <= iv->hi;
}

static enum sp_rc add_lane(const struct sp_run_state *run, const struct sp_lane *lane,
                           struct sp_scouts *scouts)
{
    const struct sp_pair *pair = &run->plan->pairs[lane->pair];
    const struct sp_technique_info *info = sp_technique_for(lane->proto, pair->family);
    struct sp_intervals list = sp_policy_pair(run->policy, pair->from, pair->to, lane->proto);
    enum sp_rc rc = list.n > 0 ? SP_OK : SP_E_NOMEM;
    unsigned n = 0;
    for (size_t i = 0; info && rc == SP_OK && i < list.n && n < SP_UNPLANNED_MAX; i++) {
        uint16_t port = 0;
        if (!pick_port(run, pair, lane->proto, &list.at[i], &port)) {
            continue;
        }
        n++;
        const struct sp_scouted scouted = {.flow = {.from = pair->from,
                                                    .to = pair->to,
                                                    .src = pair->src,
                                                    .dst = pair->dst,
                                                    .own = pair->own,
                                                    .src_seen = pair->src_seen,
                                                    .technique = (uint8_t)sp_technique_index(info),
                                                    .port = port},
                                           .pair = lane->pair,
                                           .proto = lane->proto};
        rc = add(scouts, &scouted);
    }
    return rc;
}

enum sp_rc sp_scouts_add_unplanned(const struct sp_run_state *run, struct sp_scouts *scouts)
{
    uint8_t *has = sp_calloc(run->plan->npairs, sizeof(*has)); /* protocols, a bit each */
    enum sp_rc rc = has ? SP_OK : SP_E_NOMEM;
    for (size_t i = 0; rc == SP_OK && i < scouts->n; i++) {
        if (scouts->at[i].pair < run->plan->npairs) {
            has[scouts->at[i].pair] |= (uint8_t)(1U << scouts->at[i].proto);
        }
    }
    for (size_t i = 0; rc == SP_OK && i < run->lanes.n; i++) {
        const struct sp_lane *lane = &run->lanes.at[i];
        uint8_t bit = (uint8_t)(1U << lane->proto);
        if (sp_technique_is_bypass(lane->technique) && (has[lane->pair] & bit) == 0) {
            has[lane->pair] |= bit;
            rc = add_lane(run, lane, scouts);
        }
    }
    sp_free(has);
    return rc;
}
