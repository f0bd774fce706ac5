/* SPDX-License-Identifier: Apache-2.0 */
#include "controller/sweep/drive.h"

#include <math.h>

#include "controller/run_priv.h"
#include "controller/sweep/state.h"
#include "controller/sweep/volleys.h"
#include "probe/base/clock.h"
#include "probe/base/mem.h"

#define SP_DRIVE_EVERY_US 2000U
/* What waits at the sender: as much as it sends in this time, and some volleys at least. */
#define SP_AHEAD_US       50000U
#define SP_AHEAD_VOLLEYS  3U
/* A volley is no longer than this, so that a lost beat costs little. */
#define SP_VOLLEY_US      250000U
/* Clean volleys after which one may hold twice as much: the controls at its edges cost time. */
#define SP_VOLLEY_TRUST   2U
/* The loss up to which two passes are enough: its square is 0.001. */
#define SP_LOSS_FLOOR     0.0316
#define SP_CHANCE_LEFT    0.001
#define SP_BEATS_END      65000U
/* What a probe may take for one volley beyond the time that its packets take at the ordered rate.
 */
#define SP_FROZEN_US      15000000U

/* ---- what counts ---- */

static struct sp_cell_pass *cell_at(const struct sp_bundle *bundle, unsigned pass, uint32_t cell)
{
    return &bundle->cells[(size_t)pass * bundle->ncells + cell];
}

static double lane_loss(const struct sp_bundle *bundle, const struct sp_sweep_lane *lane,
                        uint8_t step)
{
    struct sp_rate_step sum = {0};
    for (unsigned i = step > 0 ? step - 1U : 0; i <= step + 1U && i < SP_RATE_STEPS; i++) {
        sum.sent += lane->steps[i].sent;
        sum.lost += lane->steps[i].lost;
    }
    double own = sum.sent ? (double)sum.lost / sum.sent : 0;
    double all = sp_rate_loss(&bundle->rate, step);
    return own > all ? own : all;
}

unsigned sp_cell_attempts(const struct sp_bundle *bundle, const struct sp_sweep_lane *lane,
                          uint32_t cell, bool *ret_is_enough)
{
    size_t k = (size_t)(lane - bundle->lanes);
    double left = 0;
    unsigned n = 0;
    /* One pass is enough only where that was asked for, and nothing was ever lost. */
    double floor = bundle->passes_wanted > 1 ? SP_LOSS_FLOOR : SP_CHANCE_LEFT;
    for (unsigned p = 0; p < bundle->npasses; p++) {
        uint8_t step = cell_at(bundle, p, cell)->step[k];
        if (step > 0) {
            double loss = lane_loss(bundle, lane, (uint8_t)(step - 1));
            left += log(loss > floor ? loss : floor);
            n++;
        }
    }
    *ret_is_enough = n >= bundle->passes_wanted && left <= log(SP_CHANCE_LEFT) + 0.01;
    return n;
}

static bool is_live(const struct sp_sweep_lane *lane)
{
    return lane->control.nflows > 0 && !lane->is_dead && lane->sender_refused == 0 &&
           lane->receiver_refused == 0;
}

static bool has_live(const struct sp_bundle *bundle)
{
    bool any = false;
    for (size_t i = 0; i < bundle->nlanes; i++) {
        any = any || is_live(&bundle->lanes[i]);
    }
    return any;
}

/* Nothing more is to be done for a cell in this pass. */
static bool is_done(const struct sp_bundle *bundle, unsigned pass, uint32_t cell)
{
    const struct sp_cell_pass *at = cell_at(bundle, pass, cell);
    bool all = at->tries > 0 && !at->is_out;
    for (size_t i = 0; i < bundle->nlanes && at->tries < SP_VOLLEY_TRIES; i++) {
        all = all && (!is_live(&bundle->lanes[i]) || at->step[i] > 0);
    }
    return all;
}

static bool is_lacking(const struct sp_bundle *bundle, uint32_t cell)
{
    bool enough = true;
    for (size_t i = 0; i < bundle->nlanes && enough; i++) {
        if (is_live(&bundle->lanes[i])) {
            (void)sp_cell_attempts(bundle, &bundle->lanes[i], cell, &enough);
        }
    }
    return !enough;
}

/* ---- ordering ---- */

/* When a cell may be sent in a pass: UINT32_MAX when it is not to be sent at all (yet). */
static uint32_t when(const struct sp_bundle *bundle, unsigned pass, uint32_t cell)
{
    if (pass == 0) {
        return 0;
    }
    return is_done(bundle, pass - 1, cell)
               ? cell_at(bundle, pass - 1, cell)->end_us + bundle->gap_us
               : UINT32_MAX;
}

/* Later passes are only for cells that lack something; past those that do not. */
static void skip_complete(struct sp_bundle *bundle)
{
    while (bundle->next < (size_t)bundle->npasses * bundle->ncells) {
        unsigned pass = (unsigned)(bundle->next / bundle->ncells);
        uint32_t cell = (uint32_t)(bundle->next % bundle->ncells);
        bool wanted = pass < bundle->passes_wanted && (pass == 0 || has_live(bundle));
        if (wanted || (pass > 0 && !is_done(bundle, pass - 1, cell)) ||
            (pass > 0 && has_live(bundle) && is_lacking(bundle, cell))) {
            return;
        }
        bundle->next++;
        /* Done by nobody, and not waited for. */
        cell_at(bundle, pass, cell)->tries = SP_VOLLEY_TRIES;
    }
}

static uint32_t cells_of_volley(const struct sp_bundle *bundle)
{
    uint32_t risk = sp_rate_risk(&bundle->rate);
    uint64_t ports = (uint64_t)bundle->rate.now * SP_VOLLEY_US / 1000000;
    uint32_t twice = bundle->rate.clean / SP_VOLLEY_TRUST; /* each doubles it */
    uint64_t limit = twice < 8 ? (uint64_t)SP_VOLLEY_PORTS << twice : SP_VOLLEY_MOST;
    limit = limit < SP_VOLLEY_MOST ? limit : SP_VOLLEY_MOST;
    ports = ports < limit ? ports : limit;
    uint64_t cells = ports > bundle->cell ? ports / bundle->cell : 1;
    return (uint32_t)(cells < risk ? cells : risk);
}

/* Takes cells that follow each other from the queue of repeats, else from the order. Returns how
 * many; 0: none may be sent now. */
static uint32_t take_cells(struct sp_bundle *bundle, uint64_t since_us, uint32_t most,
                           size_t *ret_first)
{
    uint32_t n = 0;
    if (bundle->nagain > 0) {
        *ret_first = bundle->again[bundle->again_first];
        while (n < most && bundle->nagain > 0 &&
               bundle->again[bundle->again_first] == *ret_first + n &&
               (n == 0 || (*ret_first + n) % bundle->ncells != 0)) {
            bundle->again_first = (bundle->again_first + 1) % bundle->cap_again;
            bundle->nagain--;
            n++;
        }
        return n;
    }
    skip_complete(bundle);
    *ret_first = bundle->next;
    while (n < most && bundle->next < (size_t)bundle->npasses * bundle->ncells &&
           (n == 0 || bundle->next % bundle->ncells != 0)) {
        unsigned pass = (unsigned)(bundle->next / bundle->ncells);
        uint32_t cell = (uint32_t)(bundle->next % bundle->ncells);
        bool wanted = pass < bundle->passes_wanted ||
                      (is_done(bundle, pass - 1, cell) && is_lacking(bundle, cell));
        if (!wanted || when(bundle, pass, cell) > since_us) {
            break;
        }
        bundle->next++;
        n++;
    }
    return n;
}

/* Ports that may be under way besides, as far as state tables go. */
static uint32_t room_of(const struct sp_sweep_batch *sb, const struct sp_bundle *bundle)
{
    uint64_t under_way = 0;
    for (size_t i = 0; i < sb->nbundles; i++) {
        under_way += sb->bundles[i].point == bundle->point ? sb->bundles[i].outstanding_ports : 0;
    }
    return sp_state_room(sb->book, bundle->point, sp_mono_us(), under_way);
}

static bool order_one(struct sp_sweep_batch *sb, struct sp_bundle *bundle, uint64_t since_us)
{
    uint32_t pps = bundle->achieved && bundle->achieved < bundle->rate.now ? bundle->achieved
                                                                           : bundle->rate.now;
    uint64_t ahead = bundle->achieved ? (uint64_t)pps * SP_AHEAD_US / 1000000 : 0;
    uint32_t room = room_of(sb, bundle) / bundle->cell;
    uint32_t most = cells_of_volley(bundle);
    size_t first;
    if ((bundle->waiting >= SP_AHEAD_VOLLEYS && bundle->waiting_ports >= ahead) ||
        bundle->outstanding >= SP_VOLLEYS_MAX / 2 || room == 0) {
        return false;
    }
    uint32_t n = take_cells(bundle, since_us, most < room ? most : room, &first);
    return n > 0 && sp_volley_send(sb, bundle, first, n);
}

static bool is_lost(const struct sp_sweep_batch *sb, struct sp_bundle *bundle)
{
    const struct sp_host_batch *from = &sb->batch->hosts[bundle->from];
    const struct sp_host_batch *to = &sb->batch->hosts[bundle->to];
    if (from->is_lost || to->is_lost) {
        bundle->unsound = from->is_lost      ? SP_UNSOUND_SENDER_LOST
                          : to->is_interface ? SP_UNSOUND_INTERFACE
                                             : SP_UNSOUND_RECEIVER_LOST;
    }
    return from->is_lost || to->is_lost;
}

/* A sender that does not come to the end of the volley it is at is frozen, or gone. */
static bool is_frozen(const struct sp_bundle *bundle, uint64_t now_us)
{
    for (size_t i = bundle->first_open; i < bundle->nvolleys; i++) {
        const struct sp_volley *volley = &bundle->volleys[i];
        if (!volley->is_sent) {
            uint64_t since =
                volley->ordered_us > bundle->told_us ? volley->ordered_us : bundle->told_us;
            return now_us > since + SP_FROZEN_US + 8ULL * volley->count * 1000000 / volley->pps;
        }
    }
    return false;
}

static bool is_finished(struct sp_bundle *bundle)
{
    if (bundle->outstanding > 0 || bundle->nagain > 0) {
        return false;
    }
    skip_complete(bundle);
    return bundle->next >= (size_t)bundle->npasses * bundle->ncells;
}

static void drive_bundle(struct sp_sweep_batch *sb, struct sp_bundle *bundle, uint64_t now_us)
{
    uint64_t since = now_us - sb->batch->fired_us;
    bool paused = sp_run_is_paused(sb->run);
    sp_volleys_judge(sb, bundle, now_us);
    bool no_beats = bundle->last_beat > SP_BEATS_END; /* what is under way needs some as well */
    if (is_frozen(bundle, now_us)) {
        sp_fleet_lose_silent(&sb->run->fleet->sessions[bundle->from], "sweeping");
    }
    if (is_lost(sb, bundle) || no_beats) {
        bundle->is_over = true;
        return;
    }
    /* The ports of a refused lane stand between all others: without it they are asked anew. */
    for (size_t i = 0; i < bundle->nlanes; i++) {
        bundle->is_over = bundle->is_over || bundle->lanes[i].sender_refused != 0;
    }
    if (bundle->is_over) {
        return;
    }
    if (bundle->rate.is_hopeless || (!has_live(bundle) && bundle->next >= bundle->ncells)) {
        bundle->nagain = 0;
        bundle->next = (size_t)bundle->npasses * bundle->ncells;
    }
    while (!paused && order_one(sb, bundle, since)) {
    }
    bundle->is_over = is_finished(bundle);
}

uint64_t sp_sweep_drive(struct sp_sweep_batch *sb, uint64_t now_us)
{
    bool all = true;
    for (size_t i = 0; i < sb->nbundles; i++) {
        if (!sb->bundles[i].is_over) {
            drive_bundle(sb, &sb->bundles[i], now_us);
        }
        all = all && sb->bundles[i].is_over;
    }
    return all || sb->is_out_of_memory ? UINT64_MAX : SP_DRIVE_EVERY_US;
}

void sp_sweep_progress(const struct sp_sweep_batch *sb, uint64_t *ret_done, uint64_t *ret_of)
{
    *ret_done = *ret_of = 0;
    for (size_t i = 0; i < sb->nbundles; i++) {
        const struct sp_bundle *bundle = &sb->bundles[i];
        uint64_t of = (uint64_t)bundle->total * bundle->passes_wanted;
        uint64_t done = (uint64_t)bundle->next * bundle->cell;
        done = done > bundle->outstanding_ports ? done - bundle->outstanding_ports : 0;
        *ret_of += of;
        *ret_done += bundle->is_over || done > of ? of : done;
    }
}
