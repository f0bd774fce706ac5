/* SPDX-License-Identifier: Apache-2.0 */
#include "controller/sweep/bundle.h"

#include "controller/sweep/state.h"

#include <string.h>

#include "probe/base/hash.h"
#include "probe/base/mem.h"
#include "probe/techniques/registry.h"

/* How often a control flow of a third host beats. */
#define SP_BEAT_EVERY_US 100000U
/* Passes beyond those that are wanted, for volleys beside which controls were lost. */
#define SP_SPARE_PASSES  10U

enum sp_rc sp_sweep_batch_init(struct sp_sweep_batch *sb, size_t nbundles)
{
    sb->bundles = sp_calloc(nbundles, sizeof(*sb->bundles));
    sb->lane_of_id = sp_calloc(65536, sizeof(*sb->lane_of_id));
    sb->guard_of_id = sp_calloc(65536, sizeof(*sb->guard_of_id));
    sb->health = sp_calloc(sb->run->model->nhosts, sizeof(*sb->health));
    return sb->bundles && sb->lane_of_id && sb->guard_of_id && sb->health ? SP_OK : SP_E_NOMEM;
}

static void lane_release(struct sp_sweep_lane *lane, unsigned npasses)
{
    for (unsigned p = 0; lane->passes && p < npasses; p++) {
        sp_free(lane->passes[p].nic);
        sp_free(lane->passes[p].host);
    }
    sp_free(lane->passes);
    sp_free(lane->egress);
    sp_free(lane->rewritten);
    sp_free(lane->refused);
    sp_free(lane->stray);
    sp_free(lane->classes);
}

void sp_sweep_batch_release(struct sp_sweep_batch *sb)
{
    for (size_t i = 0; i < sb->nbundles; i++) {
        struct sp_bundle *bundle = &sb->bundles[i];
        for (size_t k = 0; k < bundle->nlanes; k++) {
            lane_release(&bundle->lanes[k], bundle->npasses);
        }
        sp_free(bundle->lanes);
        sp_free(bundle->cells);
        sp_free(bundle->volleys);
        sp_free(bundle->again);
    }
    sp_free(sb->bundles);
    sp_free(sb->guards);
    sp_free(sb->lane_of_id);
    sp_free(sb->guard_of_id);
    sp_free(sb->health);
    sp_free(sb->samples);
    *sb = (struct sp_sweep_batch){0};
}

struct sp_bundle *sp_bundle_begin(struct sp_sweep_batch *sb, uint32_t from, uint32_t to)
{
    struct sp_bundle *bundle = &sb->bundles[sb->nbundles];
    *bundle = (struct sp_bundle){.from = from, .to = to, .unsound = SP_SOUND};
    bundle->point = sp_state_point_between(sb->run->model, from, to);
    bundle->lanes = sp_calloc(SP_BUNDLE_LANES, sizeof(*bundle->lanes));
    if (!bundle->lanes) {
        return NULL;
    }
    struct sp_rng rng = {sb->run->seed ^ (uint64_t)sb->batch->id << 32 ^ from};
    bundle->order = sp_rng_next(&rng);
    sb->nbundles++;
    return bundle;
}

/* ---- controls ---- */

static bool can_beat(const struct sp_control *control)
{
    for (unsigned k = 0; k < control->nflows; k++) {
        if (sp_technique_talks(control->flows[k].technique) || control->flows[k].is_http) {
            return false; /* a conversation is no packet of the same kind */
        }
    }
    return control->nflows > 0;
}

static void choose_control(const struct sp_run_state *run, struct sp_sweep_lane *lane,
                           unsigned choice)
{
    struct sp_lane as = {.pair = lane->plan->pair,
                         .proto = lane->plan->proto,
                         .technique = lane->plan->technique,
                         .choice = {choice, choice}};
    sp_lane_choose_control(&as, run->model, run->plan, &run->scouts, SP_CONTROL_FOR_DENY);
    unsigned most = as.candidates[0] > as.candidates[1] ? as.candidates[0] : as.candidates[1];
    for (unsigned i = 1; !can_beat(&as.control) && i < most; i++) {
        as.choice[0] = as.choice[1] = choice + i;
        sp_lane_choose_control(&as, run->model, run->plan, &run->scouts, SP_CONTROL_FOR_DENY);
    }
    lane->control = can_beat(&as.control) ? as.control : (struct sp_control){0};
}

static bool same_flow(const struct sp_control_flow *a, const struct sp_control_flow *b)
{
    return a->from == b->from && a->to == b->to && a->technique == b->technique &&
           a->port == b->port && a->is_self == b->is_self && sp_addr_eq(&a->src, &b->src) &&
           sp_addr_eq(&a->dst, &b->dst);
}

/* The guard that beats like this, new if there is none yet. SP_NONE: no room. */
static uint32_t guard_for(struct sp_sweep_batch *sb, const struct sp_guard_plan *wanted)
{
    for (size_t i = 0; i < sb->nguards; i++) {
        const struct sp_guard_plan *guard = &sb->guards[i];
        if (guard->host == wanted->host && guard->every_us == wanted->every_us &&
            guard->is_steady == wanted->is_steady && guard->is_link == wanted->is_link &&
            same_flow(&guard->flow, &wanted->flow)) {
            return (uint32_t)i;
        }
    }
    if (sb->batch->next_id >= SP_BATCH_MAX_BLOCKS ||
        sp_grow((void **)&sb->guards, sb->nguards, &sb->cap_guards, sizeof(*sb->guards)) != 0) {
        return SP_NONE;
    }
    struct sp_guard_plan *guard = &sb->guards[sb->nguards];
    *guard = *wanted;
    guard->id = (uint16_t)sb->batch->next_id++;
    guard->sport_lo = sb->run->plan->sport_lo;
    guard->sport_hi = sb->run->plan->sport_hi;
    sb->guard_of_id[guard->id] = (uint16_t)++sb->nguards;
    return (uint32_t)(sb->nguards - 1);
}

static bool add_guards(struct sp_sweep_batch *sb, struct sp_sweep_lane *lane)
{
    lane->guards[0] = lane->guards[1] = lane->guards[2] = SP_NONE;
    for (unsigned k = 0; k < lane->control.nflows; k++) {
        const struct sp_control_flow *flow = &lane->control.flows[k];
        struct sp_guard_plan guard = {.host = flow->from,
                                      .flow = *flow,
                                      .is_link = lane->is_link,
                                      .every_us = k > 0 ? SP_BEAT_EVERY_US : 0};
        if ((lane->guards[k] = guard_for(sb, &guard)) == SP_NONE) {
            return false;
        }
        guard.is_steady = true;
        if (k == 0 && !flow->is_self && (lane->guards[2] = guard_for(sb, &guard)) == SP_NONE) {
            return false;
        }
    }
    return true;
}

/* ---- lanes ---- */

/* Source ports: the reserved range in quarters, two for each direction of a pair of hosts. A packet
 * i -> j goes from the first quarter, and from the second where its port lies in the third; one
 * j -> i from the third, and from the fourth where its port lies in the second. Then no packet of
 * one direction is the reverse of one of the other, whatever the runs. */
static bool choose_sports(const struct sp_run_state *run, struct sp_sweep_lane *lane,
                          uint16_t npasses)
{
    uint32_t quarter = (run->plan->sport_hi - run->plan->sport_lo + 1U) / 4;
    const struct sp_pair *pair = lane->pair;
    bool first = pair->from < pair->to;
    uint16_t lo[4];
    bool is_fresh;
    for (unsigned i = 0; i < 4; i++) {
        lo[i] = (uint16_t)(run->plan->sport_lo + i * quarter);
    }
    uint16_t main = lo[first ? 0 : 2];
    uint16_t other = lo[first ? 1 : 3];
    lane->alt_lo = lo[first ? 2 : 1];
    lane->alt_hi = (uint16_t)(lane->alt_lo + quarter - 1);
    return sp_ledger_take_sports(run->ledger, &pair->src, &pair->dst, lane->plan->proto,
                                 (struct sp_sports){main, (uint16_t)(main + quarter - 1), npasses},
                                 &lane->sport, &is_fresh) &&
           sp_ledger_take_sports(
               run->ledger, &pair->src, &pair->dst, lane->plan->proto,
               (struct sp_sports){other, (uint16_t)(other + quarter - 1), npasses},
               &lane->alt_sport, &is_fresh);
}

/* Which ports go through the sender's own policy: those that must work, and a sample. */
static void choose_raw(const struct sp_run_state *run, struct sp_sweep_lane *lane)
{
    lane->raw = lane->allowed;
    struct sp_rng rng = {run->seed ^ lane->sweep};
    for (unsigned i = 0; lane->is_link && i < SP_SWEEP_PILOT; i++) {
        uint32_t port = sp_portset_next(&lane->denied, (uint32_t)sp_rng_below(&rng, 65536));
        if (port < SP_PORTSET_PORTS) {
            sp_portset_add(&lane->raw, (uint16_t)port);
        }
    }
}

enum sp_rc sp_bundle_add(struct sp_sweep_batch *sb, struct sp_bundle *bundle, uint32_t sweep,
                         const struct sp_portset *denied, const struct sp_portset *allowed,
                         unsigned passes, unsigned choice, bool is_link)
{
    const struct sp_run_state *run = sb->run;
    struct sp_sweep_lane *lane = &bundle->lanes[bundle->nlanes];
    unsigned most = passes + SP_SPARE_PASSES;
    most = most < SP_SWEEP_PASSES_MAX ? most : SP_SWEEP_PASSES_MAX;
    bundle->npasses = bundle->npasses > most ? bundle->npasses : (uint16_t)most;
    bundle->passes_wanted =
        bundle->passes_wanted > passes ? bundle->passes_wanted : (uint16_t)passes;
    if (bundle->nlanes == SP_BUNDLE_LANES ||
        sb->batch->next_id + SP_SWEEP_PASSES_MAX + 3 > SP_BATCH_MAX_BLOCKS) {
        return SP_E_LIMIT;
    }
    *lane = (struct sp_sweep_lane){.sweep = sweep,
                                   .plan = &run->plan->sweeps[sweep],
                                   .pair = &run->plan->pairs[run->plan->sweeps[sweep].pair],
                                   .denied = *denied,
                                   .allowed = *allowed,
                                   .is_link = is_link,
                                   .stray_host = SP_NONE};
    choose_control(run, lane, choice);
    choose_raw(run, lane);
    lane->count = (uint32_t)(sp_portset_count(denied) + sp_portset_count(allowed));
    bundle->nlanes++;
    return add_guards(sb, lane) ? SP_OK : SP_E_NOMEM;
}

/* Passes are known when all lanes are there; then ids can be given. */
enum sp_rc sp_bundle_finish(struct sp_sweep_batch *sb, struct sp_bundle *bundle, uint32_t ceiling,
                            uint32_t cell, double own_loss)
{
    for (size_t i = 0; i < bundle->nlanes; i++) {
        struct sp_sweep_lane *lane = &bundle->lanes[i];
        lane->id = (uint16_t)sb->batch->next_id;
        for (unsigned p = 0; p < bundle->npasses; p++) {
            sb->lane_of_id[sb->batch->next_id++] =
                (uint16_t)(1 + (size_t)(bundle - sb->bundles) * SP_BUNDLE_LANES + i);
        }
        if (!choose_sports(sb->run, lane, bundle->npasses)) {
            return SP_E_NOMEM;
        }
        lane->base = bundle->total;
        bundle->total += lane->count;
        lane->passes = sp_calloc(bundle->npasses, sizeof(*lane->passes));
        if (!lane->passes) {
            return SP_E_NOMEM;
        }
    }
    bundle->cell = cell;
    bundle->ncells = (bundle->total + cell - 1) / cell;
    bundle->cells = sp_calloc((size_t)bundle->npasses * bundle->ncells, sizeof(*bundle->cells));
    sp_rate_init(&bundle->rate, ceiling, own_loss);
    return bundle->cells ? SP_OK : SP_E_NOMEM;
}

/* ---- orders ---- */

static void send_mask(struct sp_session *session, uint32_t batch, uint16_t id, uint8_t kind,
                      const struct sp_portset *ports)
{
    for (uint16_t chunk = 0; chunk < SP_PORTSET_CHUNKS; chunk++) {
        struct sp_record record = {.type = SP_REC_MASK};
        record.u.mask =
            (struct sp_rec_mask){.batch = batch, .block = id, .kind = kind, .chunk = chunk};
        if (!sp_portset_chunk_is_empty(ports, chunk) &&
            sp_portset_chunk_get(ports, chunk, record.u.mask.bits)) {
            sp_fleet_send(session, &record);
        }
    }
}

static void set_technique(char out[static 16], uint8_t technique)
{
    const char *name = sp_technique_at(technique)->name;
    size_t len = strlen(name);
    memcpy(out, name, len < 15 ? len + 1 : 15);
}

static void send_lane(const struct sp_sweep_batch *sb, const struct sp_bundle *bundle,
                      const struct sp_sweep_lane *lane, struct sp_session *session)
{
    bool sender = session->host == bundle->from;
    struct sp_record record = {.type = SP_REC_SWEEP};
    struct sp_rec_sweep *sweep = &record.u.sweep;
    *sweep = (struct sp_rec_sweep){.batch = sb->batch->id,
                                   .block = lane->id,
                                   .passes = bundle->npasses,
                                   .flags = sender ? SP_BLOCK_SENDER : SP_BLOCK_RECEIVER,
                                   .src = sender ? lane->pair->src : lane->pair->src_seen,
                                   .dst = sender ? lane->pair->dst : lane->pair->own,
                                   .sport = lane->sport,
                                   .alt_sport = lane->alt_sport,
                                   .alt_lo = lane->alt_lo,
                                   .alt_hi = lane->alt_hi};
    sweep->flags |= sender && lane->is_link ? SP_BLOCK_LINK : 0U;
    sweep->flags |= !sender && lane->plan->proto == SP_PROTO_UDP ? SP_BLOCK_REPLY : 0U;
    sweep->flags |=
        !sender && !sp_addr_eq(&lane->pair->src, &lane->pair->src_seen) ? SP_BLOCK_TRANSLATED : 0U;
    set_technique(sweep->technique, lane->plan->technique);
    sp_fleet_send(session, &record);
    if (sender) {
        struct sp_portset all = lane->denied;
        sp_portset_unite(&all, &lane->allowed);
        send_mask(session, sb->batch->id, lane->id, SP_MASK_SEND, &all);
        send_mask(session, sb->batch->id, lane->id, SP_MASK_RAW, &lane->raw);
    } else {
        send_mask(session, sb->batch->id, lane->id, SP_MASK_EXPECTED, &lane->allowed);
    }
}

static void send_guard(const struct sp_sweep_batch *sb, const struct sp_guard_plan *guard,
                       struct sp_session *session)
{
    const struct sp_control_flow *flow = &guard->flow;
    bool sender = session->host == guard->host;
    bool receiver = flow->is_self ? sender : session->host == flow->to;
    if (!sender && !receiver) {
        return;
    }
    struct sp_record record = {.type = SP_REC_GUARD};
    struct sp_rec_guard *order = &record.u.guard;
    *order = (struct sp_rec_guard){.batch = sb->batch->id,
                                   .block = guard->id,
                                   .src = sender ? flow->src : flow->src_seen,
                                   .dst = sender ? flow->dst : flow->own,
                                   .port = flow->port,
                                   .sport_lo = guard->sport_lo,
                                   .sport_hi = guard->sport_hi,
                                   .every_us = guard->every_us};
    order->flags =
        (uint16_t)((sender ? SP_BLOCK_SENDER : 0U) | (receiver ? SP_BLOCK_RECEIVER : 0U) |
                   (flow->is_self ? SP_BLOCK_SELF : 0U) |
                   (guard->is_steady ? SP_BLOCK_STEADY : 0U) |
                   (sender && guard->is_link ? SP_BLOCK_LINK : 0U));
    set_technique(order->technique, flow->technique);
    sp_fleet_send(session, &record);
}

void sp_sweep_send_setup(const struct sp_sweep_batch *sb, uint32_t host)
{
    struct sp_session *session = &sb->run->fleet->sessions[host];
    for (size_t i = 0; i < sb->nbundles; i++) {
        const struct sp_bundle *bundle = &sb->bundles[i];
        for (size_t k = 0; (host == bundle->from || host == bundle->to) && k < bundle->nlanes;
             k++) {
            send_lane(sb, bundle, &bundle->lanes[k], session);
        }
    }
    for (size_t i = 0; i < sb->nguards; i++) {
        send_guard(sb, &sb->guards[i], session);
    }
}
