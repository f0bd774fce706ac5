/* SPDX-License-Identifier: Apache-2.0 */
#include <event2/event.h>
#include <stdio.h>
#include <string.h>

#include "controller/journal.h"
#include "controller/progress.h"
#include "controller/round_priv.h"
#include "controller/run_priv.h"
#include "controller/sweep/beside.h"
#include "controller/sweep/bundle.h"
#include "controller/sweep/doubt.h"
#include "controller/sweep/drive.h"
#include "controller/sweep/heard.h"
#include "controller/sweep/judge.h"
#include "controller/sweep/observe.h"
#include "controller/sweep/proof.h"
#include "controller/sweep/state.h"
#include "controller/sweep/sweeps.h"
#include "probe/base/mem.h"
#include "topologies/tournament.h"

/* Batches that ask a lane, the first among them. */
#define SP_SWEEP_BATCHES 4U
/* Packets a second for allowed ports that did not always arrive: slow enough to blame the path. */
#define SP_ALLOWED_PPS   1000U

struct sweeps {
    struct sp_run_state *run;
    struct sp_sweep_found *found;
    struct sp_state_book book;
    uint64_t done, of; /* ports times passes, for the progress */
    struct sp_sweep_batch *now;
    unsigned turn; /* how often all lanes have had their chance */
};

static bool stopped(const struct sweeps *s)
{
    return s->run->stop_flag && *s->run->stop_flag;
}

void sp_sweeps_free(struct sp_sweep_found *found, size_t n)
{
    for (size_t i = 0; found && i < n; i++) {
        sp_free(found[i].spans);
    }
    sp_free(found);
}

/* ---- one batch ---- */

static uint32_t ceiling_of(const struct sweeps *s, const struct sp_match *matches, size_t n,
                           const struct sp_match *match, bool is_slow)
{
    const struct sp_model *model = s->run->model;
    uint32_t rate = sp_model_host_rate(model, match->from);
    uint32_t point = sp_state_point_between(model, match->from, match->to);
    uint32_t share = 0;
    for (size_t i = 0; point != SP_NONE && i < n; i++) {
        share += sp_state_point_between(model, matches[i].from, matches[i].to) == point;
    }
    if (point != SP_NONE && model->enforcements[point].max_rate > 0) {
        uint32_t most = model->enforcements[point].max_rate / (share ? share : 1);
        rate = most < rate ? most : rate;
    }
    for (unsigned i = 0; i < s->turn; i++) {
        rate = rate > 2 * SP_RATE_LOWEST ? rate / 2 : rate; /* what had trouble goes slower */
    }
    rate = is_slow && rate > SP_ALLOWED_PPS ? SP_ALLOWED_PPS : rate;
    return rate ? rate : 1;
}

/* Ports that are counted together: half a second's at most, and few of a small state table. */
static uint32_t cell_of(const struct sweeps *s, const struct sp_match *match, uint32_t ceiling)
{
    uint32_t point = sp_state_point_between(s->run->model, match->from, match->to);
    uint32_t capacity = point != SP_NONE ? s->book.points[point].capacity : 0;
    uint32_t cell = SP_CELL_PORTS;
    while (cell > 16 && (cell > ceiling / 2 || (capacity > 0 && cell > capacity / 8))) {
        cell /= 2;
    }
    return cell;
}

/* The first sweep between two hosts: the plan has them by sender and receiver. */
static uint32_t first_between(const struct sp_plan *plan, uint32_t from, uint32_t to)
{
    size_t lo = 0;
    size_t hi = plan->nsweeps;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        const struct sp_pair *pair = &plan->pairs[plan->sweeps[mid].pair];
        bool before = pair->from != from ? pair->from < from : pair->to < to;
        lo = before ? mid + 1 : lo;
        hi = before ? hi : mid;
    }
    return (uint32_t)lo;
}

/* All open lanes between two hosts, as one bundle. Those that find no room wait for the next turn.
 */
static enum sp_rc add_bundle(struct sweeps *s, struct sp_sweep_batch *sb,
                             const struct sp_match *matches, size_t n, const struct sp_match *match)
{
    struct sp_run_state *run = s->run;
    struct sp_bundle *bundle = NULL;
    bool is_slow = s->turn > 0;
    double own_loss = 0;
    uint32_t known = UINT32_MAX; /* what the path is known to take */
    enum sp_rc rc = SP_OK;
    for (uint32_t i = first_between(run->plan, match->from, match->to);
         i < run->plan->nsweeps && rc == SP_OK; i++) {
        const struct sp_pair *pair = &run->plan->pairs[run->plan->sweeps[i].pair];
        struct sp_sweep_found *found = &s->found[i];
        if (pair->from != match->from || pair->to != match->to) {
            break;
        }
        if (found->is_settled || found->asked > s->turn ||
            (bundle && bundle->nlanes == SP_BUNDLE_LANES)) {
            continue;
        }
        struct sp_portset denied = {0};
        struct sp_portset allowed = {0};
        rc = sp_sweep_doubtful(run, found, i, &denied, &allowed);
        size_t ndenied = sp_portset_count(&denied);
        if (rc != SP_OK || ndenied + sp_portset_count(&allowed) == 0) {
            found->is_settled = true; /* nothing to ask */
            continue;
        }
        bundle = bundle ? bundle : sp_bundle_begin(sb, match->from, match->to);
        bool link = run->sweep_link && pair->layer != SP_LAYER_HOST && !found->needs_raw;
        rc = bundle
                 ? sp_bundle_add(sb, bundle, i, &denied, &allowed,
                                 sp_sweep_passes(run, found, i, ndenied == 0), found->asked, link)
                 : SP_E_NOMEM;
        if (rc == SP_OK) {
            found->asked++;
            is_slow = is_slow && ndenied == 0;
            own_loss = found->own_loss > own_loss ? found->own_loss : own_loss;
            known = found->pps > 0 && found->pps < known ? found->pps : known;
        }
    }
    rc = rc == SP_E_LIMIT ? SP_OK : rc;
    if (bundle && rc == SP_OK) {
        bundle->gap_us = is_slow ? 0 : SP_ATTEMPT_GAP_US; /* allowed flows are tried quickly */
        uint32_t ceiling = ceiling_of(s, matches, n, match, is_slow);
        ceiling = known < ceiling ? known : ceiling;
        rc = sp_bundle_finish(sb, bundle, ceiling, cell_of(s, match, ceiling), own_loss);
    }
    return rc;
}

static void tell(const struct sweeps *s, uint64_t done, bool is_paused)
{
    struct sp_progress_info info = {.stage = "sweeping",
                                    .done = s->done + done,
                                    .of = s->of > s->done + done ? s->of : s->done + done,
                                    .is_sweep = true,
                                    .is_paused = is_paused};
    for (size_t i = 0; s->now && i < s->now->nbundles; i++) {
        info.repeats += s->now->bundles[i].repeats;
        info.pps += s->now->bundles[i].is_over ? 0 : s->now->bundles[i].rate.now;
    }
    if (s->run->tell) {
        s->run->tell(s->run->tell_arg, &info);
    }
}

static void on_setup(void *arg, uint32_t host)
{
    sp_sweep_send_setup(((struct sweeps *)arg)->now, host);
}

static void on_record(void *arg, uint32_t host, const struct sp_record *record)
{
    sp_sweep_heard(((struct sweeps *)arg)->now, host, record);
}

static uint64_t on_drive(void *arg, uint64_t now_us)
{
    struct sweeps *s = arg;
    uint64_t done;
    uint64_t of;
    uint64_t wait = sp_sweep_drive(s->now, now_us);
    sp_sweep_progress(s->now, &done, &of);
    tell(s, done, sp_run_is_paused(s->run));
    return wait;
}

/* What stayed open may be answered by a run that goes on later. */
static bool is_concluded(const struct sp_sweep_found *found)
{
    bool open = false;
    for (size_t i = 0; i < found->nspans; i++) {
        const struct sp_seen *seen = &found->spans[i].seen;
        open = open || (seen->unsound != SP_SOUND && !sp_seen_has_arrived(seen));
    }
    return !open;
}

/* So that a run that goes on later need not ask it again. What was cut off is not finished. */
static void write_down(const struct sweeps *s, uint32_t sweep)
{
    const struct sp_sweep_found *found = &s->found[sweep];
    struct sp_diag diag = {0};
    if (s->run->journal && !stopped(s) && is_concluded(found) &&
        sp_journal_append(s->run->journal, sweep, &found->status, found->spans, found->nspans,
                          &diag) != SP_OK &&
        diag.text[0]) {
        (void)fprintf(stderr, "segproof: warning: %s: %s\n", diag.where, diag.text);
    }
}

/* A leak that did not always arrive says of a lane that is taken over what sp_sweep_note_odd() said
 * of it.
 */
static void recall_odd(struct sp_sweep_found *found)
{
    const struct sp_sweep_status *status = &found->status;
    for (size_t i = 0; i < found->nspans; i++) {
        const struct sp_seen *seen = &found->spans[i].seen;
        if (seen->nic > 0 && seen->nic < seen->attempts &&
            status->beats_lost * 50U < status->beats) {
            double missed = 1.0 - (double)seen->nic / seen->attempts;
            found->odd = missed > found->odd ? missed : found->odd;
        }
    }
}

/* Sweeps that the run that is resumed has finished. */
static enum sp_rc take_over(struct sweeps *s, struct sp_diag *diag)
{
    enum sp_rc rc = SP_OK;
    for (size_t i = 0; s->run->journal && i < s->run->plan->nsweeps && rc == SP_OK; i++) {
        struct sp_sweep_found *found = &s->found[i];
        if (sp_journal_has(s->run->journal, i)) {
            rc = sp_journal_get(s->run->journal, i, &found->status, &found->spans, &found->nspans,
                                diag);
            found->is_settled = rc == SP_OK;
            recall_odd(found);
        }
    }
    return rc;
}

/* Is nothing left that another batch could cure? */
static enum sp_rc settle_lanes(struct sweeps *s, const struct sp_sweep_batch *sb)
{
    enum sp_rc rc = SP_OK;
    for (size_t i = 0; i < sb->nbundles; i++) {
        for (size_t k = 0; k < sb->bundles[i].nlanes && rc == SP_OK; k++) {
            const struct sp_sweep_lane *lane = &sb->bundles[i].lanes[k];
            struct sp_sweep_found *found = &s->found[lane->sweep];
            struct sp_portset denied = {0};
            struct sp_portset allowed = {0};
            if (lane->sender_refused == SP_REFUSED_LINK) {
                found->needs_raw = true;
            }
            sp_sweep_note_odd(found);
            rc = sp_sweep_doubtful(s->run, found, lane->sweep, &denied, &allowed);
            if (sp_portset_count(&denied) + sp_portset_count(&allowed) == 0 ||
                found->asked >= SP_SWEEP_BATCHES) {
                sp_sweep_close(s->run, found);
                write_down(s, lane->sweep);
            }
        }
    }
    return rc;
}

static uint64_t packets_of(const struct sp_sweep_batch *sb)
{
    uint64_t n = 0;
    for (size_t i = 0; i < sb->nbundles; i++) {
        n += (uint64_t)sb->bundles[i].total * (sb->bundles[i].passes_wanted + SP_VOLLEY_TRIES);
    }
    return n * 2 + 1000000; /* beats, and repeats */
}

static void save_ledger(const struct sweeps *s)
{
    struct sp_diag diag = {0};
    if (sp_ledger_save(s->run->ledger, &diag) != SP_OK && s->turn == 0) {
        (void)fprintf(stderr, "segproof: warning: %s: %s\n", diag.where, diag.text);
    }
}

static enum sp_rc run_batch(struct sweeps *s, const struct sp_match *matches, size_t n,
                            struct sp_diag *diag)
{
    struct sp_run_state *run = s->run;
    struct sp_sweep_batch sb = {.run = run, .book = &s->book};
    enum sp_rc rc = sp_round_new_batch(run, &sb.batch);
    struct sp_batch *batch = sb.batch;
    if (rc == SP_OK) {
        rc = sp_sweep_batch_init(&sb, n);
    }
    for (size_t i = 0; i < n && rc == SP_OK; i++) {
        rc = add_bundle(s, &sb, matches, n, &matches[i]);
    }
    if (rc == SP_OK && sb.nbundles > 0) {
        uint64_t budget = packets_of(&sb);
        const struct sp_batch_guest guest = {.arg = s,
                                             .setup = on_setup,
                                             .on_record = on_record,
                                             .drive = on_drive,
                                             .budget = budget < UINT32_MAX ? (uint32_t)budget
                                                                           : UINT32_MAX};
        s->now = &sb;
        batch->guest = &guest;
        save_ledger(s); /* whoever is killed now has sent them */
        rc = sp_batch_run(batch, diag);
        s->now = NULL;
        rc = rc == SP_OK && sb.is_out_of_memory ? SP_E_NOMEM : rc;
        if (rc == SP_OK) {
            run->max_rtt_us = batch->max_rtt_us;
            sp_round_add_counters(run, batch);
            rc = sp_sweep_observe(&sb, s->found);
        }
        batch->guest = NULL;
        if (rc == SP_OK) {
            rc = sp_sweep_proof_fetch(&sb, s->found);
        }
        uint64_t done;
        uint64_t of;
        sp_sweep_progress(&sb, &done, &of);
        s->done += of;
        if (rc == SP_OK) {
            rc = settle_lanes(s, &sb);
        }
    }
    sp_sweep_batch_release(&sb);
    sp_batch_free(batch);
    return rc;
}

/* ---- rounds ---- */

/* The pairs of hosts that have open lanes. */
static enum sp_rc list_matches(const struct sweeps *s, struct sp_match **ret_matches, size_t *ret_n)
{
    const struct sp_plan *plan = s->run->plan;
    struct sp_match *matches = sp_calloc(plan->nsweeps, sizeof(*matches));
    size_t n = 0;
    if (!matches) {
        return SP_E_NOMEM;
    }
    for (size_t i = 0; i < plan->nsweeps; i++) {
        const struct sp_pair *pair = &plan->pairs[plan->sweeps[i].pair];
        bool lost = s->run->fleet->sessions[pair->from].state == SP_PROBE_LOST ||
                    s->run->fleet->sessions[pair->to].state == SP_PROBE_LOST;
        bool same = n > 0 && matches[n - 1].from == pair->from && matches[n - 1].to == pair->to;
        if (!s->found[i].is_settled && !lost && !same) {
            matches[n++] = (struct sp_match){.from = pair->from, .to = pair->to};
        }
    }
    *ret_matches = matches;
    *ret_n = n;
    return SP_OK;
}

static enum sp_rc one_turn(struct sweeps *s, size_t *ret_n, struct sp_diag *diag)
{
    struct sp_match *matches = NULL;
    uint32_t rounds = 0;
    enum sp_rc rc = list_matches(s, &matches, ret_n);
    if (rc == SP_OK) {
        rc = sp_tournament(matches, *ret_n, s->run->model->nhosts, &rounds);
    }
    for (size_t first = 0, end; first < *ret_n && rc == SP_OK && !stopped(s); first = end) {
        for (end = first; end < *ret_n && matches[end].round == matches[first].round;) {
            end++;
        }
        sp_fleet_wait(s->run->fleet, 3000); /* sensors that restart come back */
        rc = run_batch(s, matches + first, end - first, diag);
    }
    sp_free(matches);
    return rc;
}

static size_t count_unasked(const struct sweeps *s)
{
    size_t n = 0;
    for (size_t i = 0; i < s->run->plan->nsweeps; i++) {
        n += !s->found[i].is_settled && s->found[i].asked == 0;
    }
    return n;
}

static void count_all(struct sweeps *s)
{
    for (uint32_t i = 0; i < s->run->plan->nsweeps; i++) {
        const struct sp_plan_sweep *sweep = &s->run->plan->sweeps[i];
        s->of += s->found[i].is_settled ? 0
                                        : (uint64_t)(sweep->denied + sweep->allowed) *
                                              sp_sweep_passes(s->run, &s->found[i], i, false);
    }
}

enum sp_rc sp_sweeps_run(struct sp_run_state *run, struct sp_sweep_found **ret_found,
                         struct sp_diag *diag)
{
    struct sweeps s = {.run = run};
    size_t n = 1;
    s.found = sp_calloc(run->plan->nsweeps, sizeof(*s.found));
    enum sp_rc rc = s.found ? sp_state_book_init(&s.book, run->model) : SP_E_NOMEM;
    *ret_found = s.found;
    if (rc == SP_OK) {
        rc = take_over(&s, diag);
    }
    if (rc == SP_OK) {
        count_all(&s);
    }
    for (s.turn = 0; s.turn < SP_SWEEP_BATCHES && n > 0 && rc == SP_OK && !stopped(&s); s.turn++) {
        size_t unasked;
        do { /* a bundle has room for so many lanes only */
            unasked = count_unasked(&s);
            rc = one_turn(&s, &n, diag);
        } while (rc == SP_OK && !stopped(&s) && s.turn == 0 && count_unasked(&s) > 0 &&
                 count_unasked(&s) < unasked);
    }
    for (size_t i = 0; s.found && i < run->plan->nsweeps; i++) {
        if (!s.found[i].is_settled) {
            sp_sweep_close(run, &s.found[i]); /* cut off: what is in doubt stays so */
        }
    }
    rc = rc == SP_OK ? sp_sweep_doubt_beside(run, s.found) : rc;
    sp_state_book_release(&s.book);
    return rc == SP_E_NOMEM ? sp_fail(diag, rc, "sweep", "out of memory") : rc;
}
