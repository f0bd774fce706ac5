/* SPDX-License-Identifier: Apache-2.0 */
#include "controller/sweep/observe.h"

#include <string.h>

#include "controller/round_priv.h"
#include "controller/run_priv.h"
#include "controller/sweep/drive.h"
#include "probe/base/mem.h"
#include "probe/base/volley.h"

/* What one lane is looked at with. */
struct view {
    struct sp_sweep_batch *sb;
    const struct sp_round *round; /* for what came without a tag */
    const struct sp_table *untagged;
    struct sp_bundle *bundle;
    struct sp_sweep_lane *lane;
    const uint32_t *cell_of; /* by the number of a port in its bundle */
    uint8_t *class_of;       /* 65536: 1 + class of its answer */
    unsigned attempts;       /* of every cell that has enough, the least */
    bool is_host_proven;
    uint8_t unsound; /* of the whole lane */
    uint8_t lacking; /* of cells that have not enough */
    const struct sp_sweep_found *before;
    size_t at; /* in its spans */
};

/* ---- the lane as a whole ---- */

static uint8_t of_refusal(uint8_t reason, bool sender)
{
    if (reason == SP_REFUSED_NO_ROUTE || (sender && reason == SP_REFUSED_IFACE_DOWN)) {
        return SP_UNSOUND_NO_ROUTE;
    }
    if (!sender && (reason == SP_REFUSED_XDP || reason == SP_REFUSED_IFACE_DOWN)) {
        return SP_UNSOUND_INTERFACE;
    }
    return sender ? SP_UNSOUND_SENDER_ARM : SP_UNSOUND_RECEIVER_ARM;
}

static uint8_t unsound_of(const struct view *view)
{
    const struct sp_sweep_lane *lane = view->lane;
    const struct sp_host_batch *hosts = view->sb->batch->hosts;
    uint32_t from = view->bundle->from;
    uint32_t to = view->bundle->to;
    if (hosts[from].is_lost || hosts[to].is_lost) {
        return hosts[from].is_lost      ? SP_UNSOUND_SENDER_LOST
               : hosts[to].is_interface ? SP_UNSOUND_INTERFACE
                                        : SP_UNSOUND_RECEIVER_LOST;
    }
    if (lane->receiver_refused || lane->sender_refused) {
        return lane->receiver_refused ? of_refusal(lane->receiver_refused, false)
                                      : of_refusal(lane->sender_refused, true);
    }
    if (lane->control.nflows == 0) {
        return SP_UNSOUND_NO_CONTROL;
    }
    if (lane->is_dead) {
        return lane->is_state_full ? SP_UNSOUND_STATE_FULL : SP_UNSOUND_CONTROL_LOST;
    }
    /* The last counters came with COLLECTED: what grew after the last volley was judged belongs to
     * nobody, and so to all. */
    if (!hosts[to].is_collected || hosts[to].drops > view->sb->health[to].drops) {
        return hosts[to].is_collected ? SP_UNSOUND_CAPTURE_DROPS : SP_UNSOUND_RECEIVER_LOST;
    }
    return SP_SOUND;
}

static uint8_t lacking_of(const struct view *view)
{
    return view->sb->batch->is_stopped  ? SP_UNSOUND_INTERRUPTED
           : view->bundle->drops > 0    ? SP_UNSOUND_CAPTURE_DROPS
           : view->lane->beats_lost > 0 ? SP_UNSOUND_CONTROL_LOST
                                        : SP_UNSOUND_ATTEMPTS;
}

/* The fewest attempts of the cells that have enough; 0 when none has. */
static unsigned least_attempts(const struct view *view)
{
    unsigned least = 0;
    for (uint32_t c = 0; c < view->bundle->ncells; c++) {
        bool enough;
        unsigned n = sp_cell_attempts(view->bundle, view->lane, c, &enough);
        least = enough && (least == 0 || n < least) ? n : least;
    }
    return least;
}

/* Was the witness behind the receiver's firewall awake? Every control that came to the interface
 * and is meant for this host was seen there as well. */
static bool is_host_proven(const struct view *view)
{
    const struct sp_sweep_lane *lane = view->lane;
    for (unsigned k = 0; k < lane->control.nflows; k++) {
        const struct sp_guard_plan *guard = &view->sb->guards[lane->guards[k]];
        if (guard->flow.to != view->bundle->to) {
            continue;
        }
        uint32_t beat = sp_portset_next(&guard->nic, 0);
        bool proven = beat < SP_PORTSET_PORTS;
        for (; proven && beat < SP_PORTSET_PORTS; beat = sp_portset_next(&guard->nic, beat + 1)) {
            proven = sp_portset_has(&guard->host_seen, (uint16_t)beat);
        }
        return proven;
    }
    return false;
}

/* The TTL with which the destination's own answers come back: those to ports that arrived, and
 * whose answer was seen leaving. */
static void note_baseline(const struct view *view)
{
    const struct sp_sweep_lane *lane = view->lane;
    uint8_t *baseline = &view->sb->run->baseline_ttl[lane->plan->pair];
    for (size_t c = 0; *baseline == 0 && lane->egress && c < lane->nclasses; c++) {
        const struct sp_answer_class *class = &lane->classes[c];
        for (uint32_t port = sp_portset_next(&class->ports, 0);
             port < SP_PORTSET_PORTS && *baseline == 0 &&
             sp_addr_eq(&class->addr, &lane->pair->dst);
             port = sp_portset_next(&class->ports, port + 1)) {
            *baseline = sp_portset_has(lane->egress, (uint16_t)port) ? class->ttl : 0;
        }
    }
}

/* ---- one port ---- */

static bool has(const struct sp_portset *set, uint16_t port)
{
    return set && sp_portset_has(set, port);
}

static void count_arrivals(const struct view *view, uint16_t port, struct sp_seen *seen)
{
    for (unsigned p = 0; p < view->bundle->npasses; p++) {
        seen->nic = (uint16_t)(seen->nic + has(view->lane->passes[p].nic, port));
        seen->host = (uint16_t)(seen->host + has(view->lane->passes[p].host, port));
    }
}

/* Ports that arrived always are alike, and so are those that arrived now and then. */
static uint16_t rounded(uint16_t n, unsigned attempts)
{
    return (uint16_t)(n == 0 ? 0 : n >= attempts ? attempts : 1);
}

static void note_shape(const struct view *view, uint16_t port, struct sp_seen *seen)
{
    for (size_t i = 0; i < view->sb->nsamples; i++) {
        const struct sp_sweep_sample *sample = &view->sb->samples[i];
        if (sample->kind != SP_SEEN_ANSWER && sample->port == port &&
            sample->id >= view->lane->id && sample->id < view->lane->id + view->bundle->npasses) {
            seen->captured = sample->tuple;
            return;
        }
    }
}

static void note_answer(const struct view *view, uint16_t port, struct sp_seen *seen)
{
    uint8_t row = view->class_of[port];
    if (row > 0) {
        const struct sp_answer_class *class = &view->lane->classes[row - 1];
        seen->answer = class->answer;
        seen->answer_code = class->code;
        seen->answerer_addr = class->addr;
        seen->answerer = sp_run_place_answerer(view->sb->run, view->lane->pair, class->answer,
                                               class->ttl, &class->addr);
        seen->answered = seen->host > 0 ? seen->host : seen->attempts;
    }
    seen->answer_left = has(view->lane->egress, port) ? (seen->nic > 0 ? seen->nic : 1) : 0;
}

static struct sp_sweep_span look(const struct view *view, uint16_t port, uint32_t cell)
{
    const struct sp_sweep_lane *lane = view->lane;
    bool enough;
    unsigned counted = sp_cell_attempts(view->bundle, lane, cell, &enough);
    unsigned attempts = enough ? view->attempts : counted;
    struct sp_sweep_span span = {
        .lo = port,
        .hi = port,
        .grade = lane->control.grade,
        .injected_link = lane->is_link && !sp_portset_has(&lane->allowed, port),
        .seen = {
            .capture_lossless = true, .attempts = (uint16_t)attempts, .elsewhere_host = SP_NONE}};
    struct sp_seen *seen = &span.seen;
    count_arrivals(view, port, seen);
    seen->attempts = seen->attempts == 0 && seen->nic + seen->host > 0 ? 1 : seen->attempts;
    seen->nic = rounded(seen->nic, seen->attempts);
    seen->host = rounded(seen->host, seen->attempts);
    if (has(lane->stray, port)) {
        seen->elsewhere = 1;
        seen->elsewhere_host = lane->stray_host;
        note_shape(view, port, seen);
    }
    if (has(lane->rewritten, port)) {
        seen->rewritten = 1;
        note_shape(view, port, seen);
    }
    note_answer(view, port, seen);
    seen->unsound = view->unsound != SP_SOUND ? view->unsound : !enough ? view->lacking : SP_SOUND;
    if (has(lane->refused, port) && seen->nic + seen->host == 0) {
        seen->sender_policy = true; /* it never left: no attempt */
        seen->attempts = 0;
        seen->unsound = view->unsound == SP_SOUND ? SP_SOUND : view->unsound;
    }
    /* Stopped behind the interface, or nobody looked there? */
    if (seen->unsound == SP_SOUND && seen->nic > 0 && seen->host == 0 && !view->is_host_proven &&
        !sp_portset_has(&lane->allowed, port)) {
        seen->unsound = SP_UNSOUND_CONTROL_LOST;
    }
    if (seen->unsound == SP_SOUND &&
        sp_round_is_untagged(view->round, view->untagged, view->bundle->to, lane->plan->proto,
                             lane->pair->family, port)) {
        seen->unsound = SP_UNSOUND_UNTAGGED;
    }
    if (seen->unsound == SP_SOUND && lane->classes_overflow && view->class_of[port] == 0) {
        seen->unsound =
            SP_UNSOUND_ANSWERER; /* it may have been answered by one there was no room for */
    }
    return span;
}

/* Which answer a port had: the strongest. */
static void sort_answers(struct view *view)
{
    memset(view->class_of, 0, SP_PORTSET_PORTS);
    for (size_t c = 0; c < view->lane->nclasses; c++) {
        const struct sp_answer_class *class = &view->lane->classes[c];
        for (uint32_t port = sp_portset_next(&class->ports, 0); port < SP_PORTSET_PORTS;
             port = sp_portset_next(&class->ports, port + 1)) {
            uint8_t had = view->class_of[port];
            if (had == 0 || sp_answer_strength(class->answer) >
                                sp_answer_strength(view->lane->classes[had - 1].answer)) {
                view->class_of[port] = (uint8_t)(c + 1);
            }
        }
    }
}

/* A leak that comes only now and then says how much else may have been missed. */
static void count_leak(const struct view *view, uint16_t port, uint32_t cell,
                       struct sp_sweep_found *now)
{
    size_t k = (size_t)(view->lane - view->bundle->lanes);
    for (unsigned p = 0; p < view->bundle->npasses; p++) {
        if (view->bundle->cells[(size_t)p * view->bundle->ncells + cell].step[k] > 0) {
            now->leak_tries++;
            now->leak_missed += !has(view->lane->passes[p].nic, port);
        }
    }
}

/* ---- all ports of a lane ---- */

static const struct sp_sweep_span *before_of(struct view *view, uint16_t port)
{
    const struct sp_sweep_found *before = view->before;
    while (view->at < before->nspans && before->spans[view->at].hi < port) {
        view->at++;
    }
    return view->at < before->nspans && before->spans[view->at].lo <= port
               ? &before->spans[view->at]
               : NULL;
}

static bool is_open(const struct sp_sweep_span *span)
{
    const struct sp_seen *seen = &span->seen;
    return seen->unsound != SP_SOUND && seen->nic == 0 && seen->host == 0 && seen->elsewhere == 0 &&
           seen->rewritten == 0;
}

/* Many small ranges that stay open make all silence open. */
static enum sp_rc close_ranks(struct sp_sweep_found *found)
{
    size_t n = 0;
    uint8_t why = SP_SOUND;
    for (size_t i = 0; i < found->nspans; i++) {
        if (is_open(&found->spans[i])) {
            n++;
            why = (uint8_t)found->spans[i].seen.unsound;
        }
    }
    if (n <= SP_OPEN_SPANS_MAX) {
        return SP_OK;
    }
    struct sp_sweep_found closed = {0};
    size_t cap = 0;
    enum sp_rc rc = SP_OK;
    for (size_t i = 0; i < found->nspans && rc == SP_OK; i++) {
        struct sp_sweep_span span = found->spans[i];
        struct sp_seen *seen = &span.seen;
        if (seen->nic + seen->host + seen->elsewhere + seen->rewritten == 0) {
            seen->unsound = why;
            seen->attempts = 0;
            seen->answered = 0;
            seen->sender_policy = false;
        }
        rc = sp_spans_add(&closed, &cap, &span);
    }
    sp_free(found->spans);
    found->spans = closed.spans;
    found->nspans = closed.nspans;
    return rc;
}

static enum sp_rc observe_lane(struct view *view, struct sp_sweep_found *found)
{
    struct sp_sweep_found now = {0};
    size_t cap = 0;
    uint32_t number = view->lane->base;
    enum sp_rc rc = SP_OK;
    view->before = found;
    view->at = 0;
    view->unsound = unsound_of(view);
    view->is_host_proven = is_host_proven(view);
    note_baseline(view);
    view->lacking = lacking_of(view);
    view->attempts = least_attempts(view);
    sort_answers(view);
    for (uint32_t port = 0; port < SP_PORTSET_PORTS && rc == SP_OK; port++) {
        bool denied = sp_portset_has(&view->lane->denied, (uint16_t)port);
        bool asked = denied || sp_portset_has(&view->lane->allowed, (uint16_t)port);
        const struct sp_sweep_span *before = before_of(view, (uint16_t)port);
        struct sp_sweep_span span;
        if (!asked && !before) {
            continue;
        }
        if (asked) {
            uint32_t cell = view->cell_of[number++];
            span = look(view, (uint16_t)port, cell);
            if (denied && span.seen.nic > 0) {
                count_leak(view, (uint16_t)port, cell, &now);
            }
            span = before ? sp_span_combine(before, &span, denied) : span;
        } else {
            span = *before;
        }
        span.lo = span.hi = (uint16_t)port;
        rc = sp_spans_add(&now, &cap, &span);
    }
    sp_free(found->spans);
    found->spans = now.spans;
    found->nspans = now.nspans;
    found->leak_tries = now.leak_tries;
    found->leak_missed = now.leak_missed;
    return rc == SP_OK ? close_ranks(found) : rc;
}

static void note_status(const struct view *view, struct sp_sweep_found *found)
{
    const struct sp_sweep_lane *lane = view->lane;
    const struct sp_bundle *bundle = view->bundle;
    struct sp_sweep_status *status = &found->status;
    found->own_loss = bundle->rate.own_loss > 0 ? bundle->rate.own_loss : found->own_loss;
    found->pps = bundle->rate.bad == 0                  ? found->pps
                 : bundle->rate.good > bundle->rate.now ? bundle->rate.good
                                                        : bundle->rate.now;
    status->is_run = true;
    status->injected_link = lane->is_link;
    status->grade = lane->control.grade;
    /* Later batches ask few ports, and those more often. */
    if (view->attempts > 0 && (status->passes == 0 || view->attempts < status->passes)) {
        status->passes = (uint16_t)view->attempts;
    }
    status->volleys += (uint32_t)bundle->nvolleys;
    status->repeats += bundle->repeats;
    if (bundle->pps_lowest &&
        (status->pps_lowest == 0 || bundle->pps_lowest < status->pps_lowest)) {
        status->pps_lowest = bundle->pps_lowest;
    }
    status->pps_highest =
        bundle->pps_highest > status->pps_highest ? bundle->pps_highest : status->pps_highest;
    status->packets += bundle->total ? bundle->packets * lane->count / bundle->total : 0;
    status->sent_us += bundle->total ? bundle->sent_us * lane->count / bundle->total : 0;
    status->beats += lane->beats;
    status->beats_lost += lane->beats_lost;
    for (uint32_t port = sp_portset_next(&lane->raw, 0); lane->is_link && port < SP_PORTSET_PORTS;
         port = sp_portset_next(&lane->raw, port + 1)) {
        status->pilot_sent++;
        status->pilot_refused += has(lane->refused, (uint16_t)port);
    }
}

/* In which cell every port of the bundle was sent. */
static uint32_t *cells_of(const struct sp_bundle *bundle)
{
    uint32_t *cell_of = sp_calloc(bundle->total, sizeof(*cell_of));
    struct sp_volley_order order;
    if (cell_of && bundle->total > 0) {
        sp_volley_order_init(&order, bundle->order, bundle->total, 0, 0, bundle->total);
        for (uint32_t i = 0; i < bundle->total; i++) {
            cell_of[sp_volley_order_whole(&order, i)] = i / bundle->cell;
        }
    }
    return cell_of;
}

enum sp_rc sp_sweep_observe(struct sp_sweep_batch *sb, struct sp_sweep_found *found)
{
    struct sp_table untagged;
    struct sp_round round = {.run = sb->run, .kind = SP_ROUND_DENY, .batch = sb->batch};
    uint8_t *class_of = sp_calloc(SP_PORTSET_PORTS, 1);
    sp_table_init(&untagged);
    enum sp_rc rc = class_of ? sp_round_collect_untagged(&round, &untagged) : SP_E_NOMEM;
    for (size_t i = 0; i < sb->nbundles && rc == SP_OK; i++) {
        struct sp_bundle *bundle = &sb->bundles[i];
        uint32_t *cell_of = cells_of(bundle);
        rc = cell_of ? SP_OK : SP_E_NOMEM;
        for (size_t k = 0; k < bundle->nlanes && rc == SP_OK; k++) {
            struct view view = {.sb = sb,
                                .round = &round,
                                .untagged = &untagged,
                                .bundle = bundle,
                                .lane = &bundle->lanes[k],
                                .cell_of = cell_of,
                                .class_of = class_of};
            struct sp_sweep_found *of = &found[bundle->lanes[k].sweep];
            rc = observe_lane(&view, of);
            note_status(&view, of);
        }
        sp_free(cell_of);
    }
    sp_free(class_of);
    sp_table_release(&untagged);
    return rc;
}
