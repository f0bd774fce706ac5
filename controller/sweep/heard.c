/* SPDX-License-Identifier: Apache-2.0 */
#include "controller/sweep/heard.h"

#include "controller/sweep/state.h"
#include "controller/sweep/volleys.h"
#include "probe/base/clock.h"
#include "probe/base/mem.h"

static struct sp_sweep_lane *lane_of(const struct sp_sweep_batch *sb, uint16_t id,
                                     struct sp_bundle **ret_bundle)
{
    uint16_t row = sb->lane_of_id[id];
    if (row == 0) {
        return NULL;
    }
    *ret_bundle = &sb->bundles[(row - 1) / SP_BUNDLE_LANES];
    return &(*ret_bundle)->lanes[(row - 1) % SP_BUNDLE_LANES];
}

static struct sp_guard_plan *guard_of(const struct sp_sweep_batch *sb, uint16_t id)
{
    uint16_t row = sb->guard_of_id[id];
    return row ? &sb->guards[row - 1] : NULL;
}

static void add_chunk(struct sp_sweep_batch *sb, struct sp_portset **set, uint16_t chunk,
                      const uint8_t bits[static SP_PORTSET_CHUNK_BYTES])
{
    if (!*set) {
        *set = sp_calloc(1, sizeof(**set));
    }
    if (!*set) {
        sb->is_out_of_memory = true;
        return;
    }
    (void)sp_portset_chunk_add(*set, chunk, bits);
}

static void on_volleyed(struct sp_sweep_batch *sb, uint32_t host,
                        const struct sp_rec_volleyed *told)
{
    for (size_t i = 0; i < sb->nbundles; i++) {
        struct sp_bundle *bundle = &sb->bundles[i];
        if (bundle->from != host || told->serial == 0 || told->serial > bundle->nvolleys) {
            continue;
        }
        struct sp_volley *volley = &bundle->volleys[told->serial - 1];
        if (!volley->is_sent) {
            volley->told = *told;
            volley->told_us = sp_mono_us();
            volley->is_sent = true;
            bundle->told_us = volley->told_us;
            bundle->last_beat =
                told->last_beat > bundle->last_beat ? told->last_beat : bundle->last_beat;
            bundle->achieved = sp_volley_rate(volley);
            bundle->waiting--;
            bundle->waiting_ports -= volley->count;
            /* Each beat of a fresh control makes an entry as well. */
            uint64_t beats = told->last_beat - told->first_beat + 1U;
            sp_state_note(sb->book,
                          sp_state_point_between(sb->run->model, bundle->from, bundle->to),
                          volley->told_us, beats * bundle->nlanes);
        }
    }
}

static void on_heard(struct sp_sweep_batch *sb, uint32_t host, const struct sp_rec_heard *heard)
{
    struct sp_guard_plan *guard = guard_of(sb, heard->block);
    if (!guard || heard->chunk >= SP_PORTSET_CHUNKS) {
        return;
    }
    bool sender = host == guard->host;
    bool receiver = guard->flow.is_self ? sender : host == guard->flow.to;
    if (heard->kind == SP_HEARD_LEFT && sender) {
        (void)sp_portset_chunk_add(&guard->left, heard->chunk, heard->bits);
    } else if (heard->kind == SP_HEARD_NIC && receiver) {
        (void)sp_portset_chunk_add(&guard->nic, heard->chunk, heard->bits);
        sb->batch->last_control_us = sp_mono_us();
    } else if (heard->kind == SP_HEARD_HOST && receiver) {
        (void)sp_portset_chunk_add(&guard->host_seen, heard->chunk, heard->bits);
    }
}

static void on_health(struct sp_sweep_batch *sb, uint32_t host, const struct sp_rec_health *health)
{
    struct sp_host_health *known = &sb->health[host];
    uint64_t fresh = health->arrived > known->arrived ? health->arrived - known->arrived : 0;
    known->arrived += fresh;
    known->drops = health->capture_drops + health->softnet_drops;
    known->longest_gap_us = health->longest_gap_us;
    for (size_t i = 0; fresh > 0 && i < sb->nbundles; i++) {
        const struct sp_bundle *bundle = &sb->bundles[i];
        if (bundle->to == host) {
            sp_state_note(sb->book, sp_state_point_between(sb->run->model, bundle->from, host),
                          sp_mono_us(), fresh);
        }
    }
}

static void on_answerer(struct sp_sweep_batch *sb, uint32_t host,
                        const struct sp_rec_answerer *told)
{
    struct sp_bundle *bundle = NULL;
    struct sp_sweep_lane *lane = lane_of(sb, told->block, &bundle);
    if (!lane || bundle->from != host || told->number != lane->nclasses ||
        lane->nclasses >= SP_SWEEP_CLASSES_MAX) {
        return;
    }
    if (!lane->classes) {
        lane->classes = sp_calloc(SP_SWEEP_CLASSES_MAX, sizeof(*lane->classes));
        if (!lane->classes) {
            sb->is_out_of_memory = true;
            return;
        }
    }
    struct sp_answer_class *class = &lane->classes[lane->nclasses++];
    class->answer = told->answer;
    class->code = told->code;
    class->ttl = told->ttl;
    class->addr = told->addr;
    lane->classes_overflow = lane->classes_overflow || told->overflow != 0;
}

static void on_swept(struct sp_sweep_batch *sb, uint32_t host, const struct sp_rec_swept *swept)
{
    struct sp_bundle *bundle = NULL;
    struct sp_sweep_lane *lane = lane_of(sb, swept->block, &bundle);
    uint16_t pass = lane ? (uint16_t)(swept->block - lane->id) : 0;
    if (!lane || pass >= bundle->npasses || swept->chunk >= SP_PORTSET_CHUNKS) {
        return;
    }
    struct sp_portset **set = NULL;
    bool sender = host == bundle->from;
    bool receiver = host == bundle->to;
    switch (swept->kind) {
    case SP_SWEPT_NIC:
        set = receiver ? &lane->passes[pass].nic : NULL;
        break;
    case SP_SWEPT_HOST:
        set = receiver ? &lane->passes[pass].host : NULL;
        break;
    case SP_SWEPT_EGRESS:
        set = receiver ? &lane->egress : NULL;
        break;
    case SP_SWEPT_REWRITTEN:
        set = receiver ? &lane->rewritten : NULL;
        break;
    case SP_SWEPT_REFUSED:
        set = sender ? &lane->refused : NULL;
        break;
    case SP_SWEPT_STRAY:
        /* At the sender it is a copy of its own; at the receiver it came in another shape. */
        set = receiver ? &lane->rewritten : !sender ? &lane->stray : NULL;
        lane->stray_host = !receiver && !sender ? host : lane->stray_host;
        break;
    case SP_SWEPT_ANSWER:
        if (sender && swept->detail < lane->nclasses) {
            (void)sp_portset_chunk_add(&lane->classes[swept->detail].ports, swept->chunk,
                                       swept->bits);
        }
        break;
    default:
        break;
    }
    if (set) {
        add_chunk(sb, set, swept->chunk, swept->bits);
    }
}

static void on_refused(struct sp_sweep_batch *sb, uint32_t host, const struct sp_rec_refused *told)
{
    struct sp_bundle *bundle = NULL;
    struct sp_sweep_lane *lane = lane_of(sb, told->block, &bundle);
    struct sp_guard_plan *guard = guard_of(sb, told->block);
    if (lane && host == bundle->from) {
        lane->sender_refused = told->reason;
    } else if (lane && host == bundle->to) {
        lane->receiver_refused = told->reason;
    } else if (guard) {
        guard->is_refused = true;
    }
}

/* A probe that was not told of the sweep names the first packets of it one by one, and tells only
 * the rest as a set. */
static void on_stray(struct sp_sweep_batch *sb, struct sp_sweep_lane *lane, uint32_t host,
                     uint16_t port)
{
    if (!lane->stray) {
        lane->stray = sp_calloc(1, sizeof(*lane->stray));
    }
    if (!lane->stray) {
        sb->is_out_of_memory = true;
        return;
    }
    sp_portset_add(lane->stray, port);
    lane->stray_host = host;
}

/* A probe kept this packet: evidence, and the shape in which it came. */
static void on_seen(struct sp_sweep_batch *sb, uint32_t host, const struct sp_rec_seen *seen)
{
    struct sp_bundle *bundle = NULL;
    struct sp_sweep_lane *lane = lane_of(sb, seen->block, &bundle);
    bool is_answer = seen->kind == SP_SEEN_ANSWER && lane && host == bundle->from;
    if (!lane || (seen->kind != SP_SEEN_NIC && seen->kind != SP_SEEN_STRAY && !is_answer)) {
        return;
    }
    if (seen->kind == SP_SEEN_STRAY && host != bundle->from && host != bundle->to) {
        on_stray(sb, lane, host, seen->port);
    }
    if (sb->nsamples >= SP_SAMPLES_MAX) {
        return;
    }
    if (sp_grow((void **)&sb->samples, sb->nsamples, &sb->cap_samples, sizeof(*sb->samples)) != 0) {
        sb->is_out_of_memory = true;
        return;
    }
    sb->samples[sb->nsamples++] = (struct sp_sweep_sample){
        .host = host,
        .id = seen->block,
        .port = seen->port,
        .kind = seen->kind,
        .tuple = {.src = seen->src, .dst = seen->dst, .sport = seen->sport, .dport = seen->dport}};
}

void sp_sweep_heard(struct sp_sweep_batch *sb, uint32_t host, const struct sp_record *record)
{
    uint32_t batch = sb->batch->id;
    if (record->type == SP_REC_VOLLEYED && record->u.volleyed.batch == batch) {
        on_volleyed(sb, host, &record->u.volleyed);
    } else if (record->type == SP_REC_HEARD && record->u.heard.batch == batch) {
        on_heard(sb, host, &record->u.heard);
    } else if (record->type == SP_REC_HEALTH && record->u.health.batch == batch) {
        on_health(sb, host, &record->u.health);
    } else if (record->type == SP_REC_ANSWERER && record->u.answerer.batch == batch) {
        on_answerer(sb, host, &record->u.answerer);
    } else if (record->type == SP_REC_SWEPT && record->u.swept.batch == batch) {
        on_swept(sb, host, &record->u.swept);
    } else if (record->type == SP_REC_REFUSED && record->u.refused.batch == batch) {
        on_refused(sb, host, &record->u.refused);
    } else if (record->type == SP_REC_SEEN && record->u.seen.batch == batch) {
        on_seen(sb, host, &record->u.seen);
    }
}
