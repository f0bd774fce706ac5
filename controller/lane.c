/* SPDX-License-Identifier: Apache-2.0 */
#include "controller/lane.h"

#include <string.h>

#include "probe/base/mem.h"
#include "probe/techniques/registry.h"

/* ---- lanes ---- */

/* A balancer of mode l7 reads what it passes on, so the tag has to be an HTTP request. */
static bool needs_http(const struct sp_model *model, const struct sp_plan *plan,
                       const struct sp_test *test)
{
    const struct sp_listener *listener =
        sp_model_listener(model, plan->pairs[test->pair].to, test->proto, test->port);
    return listener && sp_technique_talks(test->technique) && strcmp(listener->mode, "l7") == 0;
}

static struct sp_lane *lane_for(struct sp_lanes *lanes, size_t first_of_pair,
                                const struct sp_test *test, bool is_http)
{
    for (size_t i = first_of_pair; i < lanes->n; i++) {
        if (lanes->at[i].proto == test->proto && lanes->at[i].technique == test->technique &&
            lanes->at[i].is_http == is_http) {
            return &lanes->at[i];
        }
    }
    if (sp_grow((void **)&lanes->at, lanes->n, &lanes->cap, sizeof(*lanes->at)) != 0) {
        return NULL;
    }
    struct sp_lane *lane = &lanes->at[lanes->n++];
    *lane = (struct sp_lane){.pair = test->pair,
                             .proto = test->proto,
                             .technique = test->technique,
                             .is_http = is_http,
                             .has_sports = test->sport > 0};
    return lane;
}

enum sp_rc sp_lanes_build(const struct sp_model *model, const struct sp_plan *plan,
                          struct sp_lanes *ret_lanes)
{
    struct sp_lanes lanes = {0};
    size_t first_of_pair = 0;
    for (uint32_t i = 0; i < plan->ntests; i++) {
        const struct sp_test *test = &plan->tests[i];
        if (i > 0 && plan->tests[i - 1].pair != test->pair) {
            first_of_pair = lanes.n;
        }
        struct sp_lane *lane = lane_for(&lanes, first_of_pair, test, needs_http(model, plan, test));
        if (!lane || sp_grow((void **)&lane->tests, lane->ntests, &lane->cap_tests,
                             sizeof(*lane->tests)) != 0) {
            sp_lanes_release(&lanes);
            return SP_E_NOMEM;
        }
        lane->tests[lane->ntests++] = i;
    }
    *ret_lanes = lanes;
    return SP_OK;
}

void sp_lanes_release(struct sp_lanes *lanes)
{
    for (size_t i = 0; i < lanes->n; i++) {
        sp_free(lanes->at[i].tests);
    }
    sp_free(lanes->at);
    memset(lanes, 0, sizeof(*lanes));
}

/* ---- scouting ---- */

static enum sp_rc add_scout(struct sp_scouts *scouts, const struct sp_scouted *scouted)
{
    if (sp_grow((void **)&scouts->at, scouts->n, &scouts->cap, sizeof(*scouted)) != 0) {
        return SP_E_NOMEM;
    }
    scouts->at[scouts->n++] = *scouted;
    return SP_OK;
}

static struct sp_scouted scout_of_pair(const struct sp_pair *pair, uint32_t index,
                                       const struct sp_lane *lane, uint16_t port)
{
    return (struct sp_scouted){.flow = {.from = pair->from,
                                        .to = pair->to,
                                        .src = pair->src,
                                        .dst = pair->dst,
                                        .own = pair->own,
                                        .src_seen = pair->src_seen,
                                        .technique = lane->technique,
                                        .is_http = lane->is_http,
                                        .port = port},
                               .pair = index,
                               .proto = lane->proto};
}

static bool has_self(const struct sp_scouts *scouts, const struct sp_addr *addr)
{
    for (size_t i = 0; i < scouts->n; i++) {
        if (scouts->at[i].flow.is_self && sp_addr_eq(&scouts->at[i].flow.src, addr)) {
            return true;
        }
    }
    return false;
}

/* An echo to the next hop: from own to towards. */
static enum sp_rc add_self(struct sp_scouts *scouts, uint32_t host, const struct sp_addr *own,
                           const struct sp_addr *towards)
{
    bool v6 = own->family == SP_FAMILY_IPV6;
    const struct sp_technique_info *echo = sp_technique_find("icmp_echo");
    if (!echo || has_self(scouts, own)) {
        return SP_OK;
    }
    const struct sp_scouted self = {.flow = {.from = host,
                                             .to = SP_NONE,
                                             .src = *own,
                                             .dst = *towards,
                                             .own = *own,
                                             .technique = (uint8_t)sp_technique_index(echo),
                                             .port = v6 ? SP_PORT_ICMP6_ECHO : SP_PORT_ICMP_ECHO,
                                             .is_self = true},
                                    .pair = SP_NONE,
                                    .proto = v6 ? SP_PROTO_ICMP6 : SP_PROTO_ICMP};
    return add_scout(scouts, &self);
}

/* Controls look like what they guard: conversations are candidates only where the plain packets of
 * the pair are none. */
static bool has_plain_sibling(const struct sp_lanes *lanes, size_t index,
                              const struct sp_plan *plan)
{
    const struct sp_lane *lane = &lanes->at[index];
    if (!sp_technique_talks(lane->technique)) {
        return false;
    }
    for (size_t i = 0; i < lanes->n; i++) {
        const struct sp_lane *other = &lanes->at[i];
        for (size_t k = 0; other->pair == lane->pair && other->proto == lane->proto &&
                           !sp_technique_talks(other->technique) && k < other->ntests;
             k++) {
            if (plan->tests[other->tests[k]].expect == SP_EXPECT_ALLOW) {
                return true;
            }
        }
    }
    return false;
}

static enum sp_rc scout_lane(struct sp_scouts *scouts, const struct sp_plan *plan,
                             const struct sp_lane *lane, const struct sp_outcome *outcomes)
{
    const struct sp_pair *pair = &plan->pairs[lane->pair];
    uint32_t picks[2] = {SP_NONE, SP_NONE};
    for (size_t i = 0; i < lane->ntests; i++) {
        uint32_t t = lane->tests[i];
        if (plan->tests[t].expect == SP_EXPECT_ALLOW && !outcomes[t].not_tested) {
            picks[picks[0] == SP_NONE ? 0 : 1] = t;
        }
    }
    enum sp_rc rc = SP_OK;
    for (size_t i = 0; i < 2 && rc == SP_OK; i++) {
        if (picks[i] != SP_NONE && !pair->one_sided) {
            const struct sp_scouted s =
                scout_of_pair(pair, lane->pair, lane, plan->tests[picks[i]].port);
            rc = add_scout(scouts, &s);
        }
    }
    return rc;
}

/* Each end of a pair; of a balancer, every backend that may receive. */
static enum sp_rc add_selves(struct sp_scouts *scouts, const struct sp_model *model,
                             const struct sp_pair *pair)
{
    enum sp_rc rc = add_self(scouts, pair->from, &pair->src, &pair->dst);
    if (rc != SP_OK || pair->one_sided || !pair->is_balanced) {
        return rc != SP_OK || pair->one_sided
                   ? rc
                   : add_self(scouts, pair->to, &pair->own, &pair->src_seen);
    }
    uint32_t host;
    for (size_t i = 0; (host = sp_model_receiver(model, pair->to, i)) != SP_NONE; i++) {
        const struct sp_host *at = &model->hosts[host];
        for (size_t k = 0; k < at->naddrs && rc == SP_OK; k++) {
            rc = at->addrs[k].family == pair->family
                     ? add_self(scouts, host, &at->addrs[k], &pair->src_seen)
                     : SP_OK;
        }
    }
    return rc;
}

enum sp_rc sp_scouts_build(const struct sp_model *model, const struct sp_plan *plan,
                           const struct sp_lanes *lanes, const struct sp_outcome *outcomes,
                           struct sp_scouts *ret_scouts)
{
    struct sp_scouts scouts = {0};
    enum sp_rc rc = SP_OK;
    for (size_t i = 0; i < plan->npairs && rc == SP_OK; i++) {
        rc = add_selves(&scouts, model, &plan->pairs[i]);
    }
    for (size_t i = 0; i < lanes->n && rc == SP_OK; i++) {
        rc = has_plain_sibling(lanes, i, plan) ? SP_OK
                                               : scout_lane(&scouts, plan, &lanes->at[i], outcomes);
    }
    if (rc != SP_OK) {
        sp_scouts_release(&scouts);
        return rc;
    }
    *ret_scouts = scouts;
    return SP_OK;
}

void sp_scouts_release(struct sp_scouts *scouts)
{
    sp_free(scouts->at);
    memset(scouts, 0, sizeof(*scouts));
}

/* ---- choosing ---- */

struct wanted {
    uint32_t pair;             /* this pair only, SP_NONE = any */
    const struct sp_addr *src; /* from this address, NULL = any */
    const struct sp_addr *own; /* to this address, NULL = any */
    uint8_t proto;             /* SP_PROTO_COUNT = any */
    bool self;
};

static bool fits(const struct sp_scouted *s, const struct wanted *w)
{
    bool proto = w->self || w->proto == SP_PROTO_COUNT || s->proto == w->proto;
    return s->flow.is_self == w->self && proto && (w->pair == SP_NONE || s->pair == w->pair) &&
           (!w->src || sp_addr_eq(&s->flow.src, w->src)) &&
           (!w->own || sp_addr_eq(&s->flow.own, w->own));
}

/* How good a candidate is: 0 = never delivered; past the host's firewall beats only at the NIC. */
static unsigned quality(const struct sp_scouted *s)
{
    return s->nic == 0 ? 0 : (s->host == s->sent ? 4U : s->host ? 3U : s->nic == s->sent ? 2U : 1U);
}

static unsigned count(const struct sp_scouts *scouts, const struct wanted *w)
{
    unsigned n = 0;
    for (size_t i = 0; i < scouts->n; i++) {
        n += fits(&scouts->at[i], w) && quality(&scouts->at[i]) > 0;
    }
    return n;
}

/* Whether such a flow is declared at all, delivered or not. */
static bool is_declared(const struct sp_scouts *scouts, const struct wanted *w)
{
    for (size_t i = 0; i < scouts->n; i++) {
        if (fits(&scouts->at[i], w)) {
            return true;
        }
    }
    return false;
}

/* The choice-th best candidate (cyclic), NULL when none was delivered. */
static const struct sp_scouted *best(const struct sp_scouts *scouts, const struct wanted *w,
                                     unsigned choice)
{
    unsigned n = count(scouts, w);
    size_t skip = n ? choice % n : 0;
    for (unsigned q = 4; n && q > 0; q--) {
        for (size_t i = 0; i < scouts->n; i++) {
            if (fits(&scouts->at[i], w) && quality(&scouts->at[i]) == q && skip-- == 0) {
                return &scouts->at[i];
            }
        }
    }
    return NULL;
}

/* A backend's own control: it shows that one of those who could have received was there. */
static const struct sp_scouted *best_of_backends(const struct sp_scouts *scouts,
                                                 const struct sp_model *model,
                                                 const struct sp_pair *pair, unsigned choice)
{
    uint32_t host;
    size_t n = 0;
    const struct sp_scouted *found = NULL;
    for (size_t i = 0; (host = sp_model_receiver(model, pair->to, i)) != SP_NONE; i++) {
        for (size_t k = 0; k < scouts->n; k++) {
            const struct sp_scouted *s = &scouts->at[k];
            if (s->flow.is_self && s->flow.from == host && s->flow.src.family == pair->family &&
                quality(s) > 0 && n++ <= choice) {
                found = s;
            }
        }
    }
    return found;
}

void sp_lane_choose_control(struct sp_lane *lane, const struct sp_model *model,
                            const struct sp_plan *plan, const struct sp_scouts *scouts,
                            enum sp_control_for purpose)
{
    const struct sp_pair *pair = &plan->pairs[lane->pair];
    struct sp_control *control = &lane->control;
    *control = (struct sp_control){0};
    const struct wanted by_pair = {.pair = lane->pair, .proto = lane->proto};
    const struct sp_scouted *direct =
        pair->one_sided ? NULL : best(scouts, &by_pair, lane->choice[0]);
    if (direct) {
        *control =
            (struct sp_control){.grade = SP_GRADE_PAIR, .nflows = 1, .flows = {direct->flow}};
        lane->candidates[0] = count(scouts, &by_pair);
        lane->candidates[1] = 0;
        return;
    }
    lane->candidates[0] = lane->candidates[1] = 0;
    /* For a denied flow, a weaker control stands in for one that is not declared, never for one
     * that does not work: behind a dead path everything would hold. An allowed flow that does not
     * arrive behind a dead path is blocked all the same. */
    bool strict = purpose == SP_CONTROL_FOR_DENY;
    if (strict && is_declared(scouts, &by_pair)) {
        return;
    }
    const struct wanted outward = {.pair = SP_NONE, .src = &pair->src, .proto = lane->proto};
    /* Behind a balancer's address stands what its listeners offer: they show that it is alive. */
    const struct wanted inward = {.pair = SP_NONE,
                                  .own = &pair->own,
                                  .proto = pair->is_balanced ? SP_PROTO_COUNT : lane->proto};
    const struct wanted self_src = {.pair = SP_NONE, .src = &pair->src, .self = true};
    const struct wanted self_own = {.pair = SP_NONE, .src = &pair->own, .self = true};
    const struct sp_scouted *out = best(scouts, &outward, lane->choice[0]);
    const struct sp_scouted *in = best(scouts, &inward, lane->choice[1]);
    bool split = out && in;
    lane->candidates[0] = count(scouts, &outward);
    lane->candidates[1] = count(scouts, &inward);
    if (!out && !(strict && is_declared(scouts, &outward))) {
        out = best(scouts, &self_src, 0);
    }
    if (!in && pair->is_balanced && !strict) {
        in = best_of_backends(scouts, model, pair, lane->choice[1]);
    } else if (!in && !pair->is_balanced && !(strict && is_declared(scouts, &inward))) {
        in = best(scouts, &self_own, 0);
    }
    if (pair->one_sided && out) {
        /* Nobody listens at the other end: only the sender can be shown to work. */
        *control = (struct sp_control){.grade = SP_GRADE_SELF, .nflows = 1, .flows = {out->flow}};
    } else if (out && in) {
        *control = (struct sp_control){.grade = split ? SP_GRADE_SPLIT : SP_GRADE_SELF,
                                       .nflows = 2,
                                       .flows = {out->flow, in->flow}};
    }
}
