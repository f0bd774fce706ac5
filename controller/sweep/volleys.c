/* SPDX-License-Identifier: Apache-2.0 */
#include "controller/sweep/volleys.h"

#include <string.h>

#include "controller/sweep/state.h"
#include "probe/base/clock.h"
#include "probe/base/mem.h"

/* How long a beat may take on top of two round-trip times: a capture is 30 ms late at most. */
#define SP_BEAT_PATIENCE_US 150000U
/* Clocks of other senders began at their own FIRE, a few milliseconds apart. */
#define SP_BEAT_MARGIN_US   150000U
/* Volleys in a row, at a low rate, in which a lane's control did not come through at all. */
#define SP_DEAD_VOLLEYS     4U
#define SP_DEAD_STEADY      3U

bool sp_volley_send(struct sp_sweep_batch *sb, struct sp_bundle *bundle, size_t first, uint32_t n)
{
    if (sp_grow((void **)&bundle->volleys, bundle->nvolleys, &bundle->cap_volleys,
                sizeof(*bundle->volleys)) != 0) {
        sb->is_out_of_memory = true;
        return false;
    }
    uint32_t cell = (uint32_t)(first % bundle->ncells);
    uint32_t from = cell * bundle->cell;
    uint32_t to = from + n * bundle->cell;
    to = to < bundle->total ? to : bundle->total;
    struct sp_volley *volley = &bundle->volleys[bundle->nvolleys++];
    *volley = (struct sp_volley){.serial = ++bundle->next_serial,
                                 .pass = (uint16_t)(first / bundle->ncells),
                                 .first = from,
                                 .count = to - from,
                                 .pps = bundle->rate.now,
                                 .epoch = bundle->rate.epoch,
                                 .ordered_us = sp_mono_us(),
                                 .drops_before = sb->health[bundle->to].drops};
    bool is_repeat = false;
    for (uint32_t i = 0; i < n; i++) {
        struct sp_cell_pass *at = &bundle->cells[first + i];
        is_repeat = is_repeat || at->tries > 0;
        at->is_out = true;
        at->tries++;
    }
    bundle->repeats += is_repeat;
    bundle->outstanding++;
    bundle->outstanding_ports += volley->count;
    bundle->waiting++;
    bundle->waiting_ports += volley->count;
    struct sp_record record = {.type = SP_REC_VOLLEY};
    record.u.volley = (struct sp_rec_volley){.batch = sb->batch->id,
                                             .serial = volley->serial,
                                             .pass = volley->pass,
                                             .first = volley->first,
                                             .count = volley->count,
                                             .pps = volley->pps,
                                             .order = bundle->order};
    sp_fleet_send(&sb->run->fleet->sessions[bundle->from], &record);
    return true;
}

/* ---- controls ---- */

/* What the beats first .. last of a guard say. */
struct beats {
    uint32_t left, lost;
    bool is_whole; /* all of them came */
};

static struct beats count_beats(const struct sp_guard_plan *guard, uint32_t first, uint32_t last)
{
    struct beats beats = {.is_whole = true};
    for (uint32_t b = first; b <= last && b < SP_SWEEP_BEATS_MAX; b++) {
        bool left = sp_portset_has(&guard->left, (uint16_t)b);
        bool came = sp_portset_has(&guard->nic, (uint16_t)b);
        beats.left += left;
        beats.lost += left && !came;
        beats.is_whole = beats.is_whole && left && came;
    }
    return beats;
}

/* The beats of a third host's guard around a volley. */
static void beats_around(const struct sp_guard_plan *guard, const struct sp_volley *volley,
                         uint32_t *ret_first, uint32_t *ret_last)
{
    uint32_t start = volley->told.start_us;
    *ret_first = start > SP_BEAT_MARGIN_US ? (start - SP_BEAT_MARGIN_US) / guard->every_us : 0;
    *ret_last = (volley->told.end_us + SP_BEAT_MARGIN_US) / guard->every_us + 1;
}

/* Did a beat come through at each edge? */
static bool edges_good(const struct sp_guard_plan *guard, uint32_t first, uint32_t last)
{
    uint32_t n = SP_GUARD_EDGE;
    struct beats front = count_beats(guard, first, first + n - 1);
    struct beats back = count_beats(guard, last + 1 > n ? last + 1 - n : 0, last);
    return last >= first && front.left > front.lost && back.left > back.lost;
}

/* Have all beats come that say something about this volley? */
static bool is_heard(const struct sp_sweep_batch *sb, const struct sp_bundle *bundle,
                     const struct sp_volley *volley)
{
    for (size_t i = 0; i < bundle->nlanes; i++) {
        const struct sp_sweep_lane *lane = &bundle->lanes[i];
        for (unsigned k = 0; k < SP_ARRAY_LEN(lane->guards) && !lane->is_dead; k++) {
            if (lane->guards[k] == SP_NONE) {
                continue;
            }
            const struct sp_guard_plan *guard = &sb->guards[lane->guards[k]];
            uint32_t first = volley->told.first_beat;
            uint32_t last = volley->told.last_beat;
            if (guard->every_us > 0) {
                beats_around(guard, volley, &first, &last);
            }
            if (!count_beats(guard, first, last).is_whole) {
                return false;
            }
        }
    }
    return true;
}

/* ---- judging ---- */

struct judged {
    uint32_t sent, lost; /* beats of all lanes that live */
    bool is_hurt;
    bool good[SP_BUNDLE_LANES];
};

static void note_dead(struct sp_sweep_batch *sb, const struct sp_bundle *bundle,
                      struct sp_sweep_lane *lane, const struct sp_volley *volley,
                      struct beats fresh)
{
    bool slow = volley->pps <= bundle->rate.ceiling / 16 || volley->pps <= 1000;
    if (fresh.left > fresh.lost) {
        lane->dead_volleys = lane->steady_volleys = 0;
    } else if (slow && fresh.left > 0) {
        lane->dead_volleys++;
        if (lane->guards[2] != SP_NONE) {
            struct beats steady = count_beats(&sb->guards[lane->guards[2]], volley->told.first_beat,
                                              volley->told.last_beat);
            lane->steady_volleys += steady.left > 0 && steady.lost == 0;
        }
    }
    lane->is_dead = lane->dead_volleys >= SP_DEAD_VOLLEYS;
    lane->is_state_full = lane->is_dead && lane->steady_volleys >= SP_DEAD_STEADY;
}

static void judge_lane(struct sp_sweep_batch *sb, struct sp_bundle *bundle, size_t i,
                       const struct sp_volley *volley, struct judged *judged)
{
    struct sp_sweep_lane *lane = &bundle->lanes[i];
    if (lane->control.nflows == 0 || lane->is_dead || lane->sender_refused ||
        lane->receiver_refused) {
        return;
    }
    const struct sp_guard_plan *guard = &sb->guards[lane->guards[0]];
    uint32_t first = volley->told.first_beat;
    uint32_t last = volley->told.last_beat;
    struct beats beats = count_beats(guard, first, last);
    bool edges = edges_good(guard, first, last);
    note_dead(sb, bundle, lane, volley, beats);
    if (lane->guards[1] != SP_NONE) {
        const struct sp_guard_plan *other = &sb->guards[lane->guards[1]];
        beats_around(other, volley, &first, &last);
        struct beats more = count_beats(other, first, last);
        edges = edges && more.left > more.lost;
        beats.left += more.left;
        beats.lost += more.lost;
    }
    lane->beats += beats.left;
    lane->beats_lost += beats.lost;
    struct sp_rate_step *step = &lane->steps[sp_rate_step_of(volley->pps)];
    step->sent += beats.left;
    step->lost += beats.lost;
    judged->sent += beats.left;
    judged->lost += beats.lost;
    judged->good[i] = edges && !sp_rate_is_excess(&bundle->rate, beats.left, beats.lost);
}

static bool push_again(struct sp_bundle *bundle, uint32_t cell)
{
    if (!bundle->again) {
        bundle->cap_again = (size_t)bundle->npasses * bundle->ncells;
        bundle->again = sp_calloc(bundle->cap_again, sizeof(*bundle->again));
        if (!bundle->again) {
            return false;
        }
    }
    if (bundle->nagain == bundle->cap_again) {
        return false; /* each cell and pass is in it once at most */
    }
    bundle->again[(bundle->again_first + bundle->nagain++) % bundle->cap_again] = cell;
    return true;
}

static void settle_cells(struct sp_sweep_batch *sb, struct sp_bundle *bundle,
                         const struct sp_volley *volley, const struct judged *judged, bool counts)
{
    uint32_t first = volley->pass * bundle->ncells + volley->first / bundle->cell;
    uint32_t n = (volley->count + bundle->cell - 1) / bundle->cell;
    uint8_t step = (uint8_t)(1 + sp_rate_step_of(volley->pps));
    for (uint32_t c = first; c < first + n; c++) {
        struct sp_cell_pass *at = &bundle->cells[c];
        bool lacks = false;
        at->is_out = false;
        at->end_us = volley->told.end_us;
        for (size_t i = 0; i < bundle->nlanes; i++) {
            const struct sp_sweep_lane *lane = &bundle->lanes[i];
            if (counts && judged->good[i] && at->step[i] == 0) {
                at->step[i] = step;
            }
            lacks = lacks || (lane->control.nflows > 0 && !lane->is_dead && !lane->sender_refused &&
                              !lane->receiver_refused && at->step[i] == 0);
        }
        if (lacks && at->tries < SP_VOLLEY_TRIES && !push_again(bundle, c)) {
            sb->is_out_of_memory = true;
        }
    }
}

uint32_t sp_volley_rate(const struct sp_volley *volley)
{
    uint64_t us = volley->told.end_us - volley->told.start_us;
    uint64_t pps = us ? (uint64_t)volley->told.sent * 1000000 / us : volley->pps;
    return (uint32_t)(pps < volley->pps ? pps : volley->pps);
}

/* Packets a second that the path was offered since the volley before it. */
static uint32_t offered_rate(const struct sp_bundle *bundle, const struct sp_volley *volley)
{
    uint32_t since = volley->serial > 1 ? bundle->volleys[volley->serial - 2].told.end_us
                                        : volley->told.start_us;
    uint32_t us = volley->told.end_us > since ? volley->told.end_us - since : 0;
    uint64_t pps = us > 0 ? (uint64_t)volley->told.sent * 1000000 / us : volley->pps;
    return (uint32_t)(pps < volley->pps ? pps : volley->pps);
}

static void judge_one(struct sp_sweep_batch *sb, struct sp_bundle *bundle, struct sp_volley *volley)
{
    struct judged judged = {0};
    bool dropped = sb->health[bundle->to].drops != volley->drops_before;
    bool unsent = volley->told.failed > 0 || volley->told.tx_drops > 0;
    for (size_t i = 0; i < bundle->nlanes; i++) {
        judge_lane(sb, bundle, i, volley, &judged);
    }
    bundle->drops += dropped;
    judged.is_hurt = dropped || unsent;
    (void)sp_rate_judge(&bundle->rate,
                        &(struct sp_rate_volley){.pps = volley->pps,
                                                 .epoch = volley->epoch,
                                                 .reached = sp_volley_rate(volley),
                                                 .offered = offered_rate(bundle, volley),
                                                 .sent = judged.sent,
                                                 .lost = judged.lost,
                                                 .is_hurt = judged.is_hurt});
    settle_cells(sb, bundle, volley, &judged, !dropped && !unsent);
    if (!judged.is_hurt) {
        uint32_t pps = sp_volley_rate(volley);
        bool none = bundle->pps_lowest == 0;
        bundle->pps_lowest = none || pps < bundle->pps_lowest ? pps : bundle->pps_lowest;
        bundle->pps_highest = pps > bundle->pps_highest ? pps : bundle->pps_highest;
    }
    bundle->packets += volley->told.sent;
    bundle->sent_us += volley->told.end_us - volley->told.start_us;
    bundle->outstanding--;
    bundle->outstanding_ports -= volley->count;
    volley->is_judged = true;
}

void sp_volleys_judge(struct sp_sweep_batch *sb, struct sp_bundle *bundle, uint64_t now_us)
{
    uint64_t patience = SP_BEAT_PATIENCE_US + 2ULL * sb->batch->max_rtt_us;
    for (size_t i = bundle->first_open; i < bundle->nvolleys; i++) {
        struct sp_volley *volley = &bundle->volleys[i];
        if (!volley->is_sent) {
            break; /* they are sent in turn */
        }
        uint64_t wait = patience;
        for (size_t k = 0; k < bundle->nlanes; k++) {
            wait += bundle->lanes[k].guards[1] != SP_NONE && wait == patience
                        ? 2 * SP_BEAT_MARGIN_US
                        : 0;
        }
        if (volley->is_judged ||
            (!is_heard(sb, bundle, volley) && now_us < volley->told_us + wait)) {
            continue;
        }
        judge_one(sb, bundle, volley);
    }
    while (bundle->first_open < bundle->nvolleys && bundle->volleys[bundle->first_open].is_judged) {
        bundle->first_open++;
    }
}
