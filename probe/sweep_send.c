/* SPDX-License-Identifier: Apache-2.0
 *
 * Volleys: the packets of sweeps, from templates, in bursts, at their pace, with the beats of the
 * guards between them; see probe/sweep.h. Bounded work each time it is called, so that captures and
 * orders are read in between. Every port of a volley is counted once: sent, refused or failed. */
#include <errno.h>
#include <string.h>

#include "probe/base/clock.h"
#include "probe/base/mem.h"
#include "probe/base/pace.h"
#include "probe/base/volley.h"
#include "probe/engine_state.h"

#define SP_VOLLEY_AT_ONCE  256U     /* packets, before others have their turn */
#define SP_VOLLEY_SKIPS    4096U    /* the same, of ports that are not sent */
#define SP_VOLLEY_AGAIN_US 200U     /* a full queue is looked at again then */
#define SP_VOLLEY_STUCK_US 1000000U /* one that stays full ends the volley */

/* A sweep that this probe sends. */
struct outlet {
    struct sp_sweep *sweep;
    uint32_t first, count; /* the numbers of its ports */
    bool is_armed;
    struct sp_portset_index index;
    struct sp_template link, raw;
    struct sp_burst_to to_link, to_raw;
};

struct slot {
    uint16_t port;
    struct outlet *outlet;
    struct sp_burst_packet packet;
};

enum stage { SP_STAGE_FIRST, SP_STAGE_PORTS, SP_STAGE_LAST };

struct sp_volleys {
    struct outlet *outlets;
    size_t noutlets, narmed;
    uint32_t total;
    size_t nbeating; /* guards that beat with volleys */
    struct sp_rec_volley queue[SP_VOLLEYS_MAX];
    size_t head, nqueue;
    struct sp_pace pace;
    /* the volley that goes on */
    bool is_on;
    struct sp_volley_order order;
    struct sp_rec_volleyed told;
    uint64_t tx_dropped;
    enum stage stage;
    uint32_t next;     /* of its packets */
    unsigned edges;    /* beats that are left of this stage */
    bool is_beating;   /* a beat has begun; */
    size_t beat_guard; /* this guard is the next of it */
    uint32_t beats;    /* of all volleys */
    uint32_t since_beat;
    uint64_t beat_us;
    uint64_t stuck_us; /* since when its queue has been full, 0 = it is not */
    struct slot slots[SP_BURST_MAX];
    size_t nslots;
};

/* ---- what there is to send ---- */

static enum sp_rc make_templates(const struct sp_engine *engine, struct outlet *outlet)
{
    const struct sp_sweep *sweep = outlet->sweep;
    const struct sp_flow flow = {.src = sweep->order.src, .dst = sweep->order.dst};
    struct sp_spec spec;
    sweep->tech->spec(&engine->keys, &flow, 0, &spec);
    outlet->to_raw = sp_burst_to_raw(&sweep->order.dst, sweep->iface);
    enum sp_rc rc = sp_template_make(&spec, NULL, NULL, &outlet->raw, NULL);
    if (rc == SP_OK && (sweep->order.flags & SP_BLOCK_LINK) != 0) {
        outlet->to_link = sp_burst_to_link(sweep->iface, sweep->order.dst.family);
        rc = sp_template_make(&spec, sweep->src_mac, sweep->dst_mac, &outlet->link, NULL);
    }
    return rc;
}

static bool is_sent_from_here(const struct sp_sweep *sweep)
{
    return (sweep->order.flags & SP_BLOCK_SENDER) != 0;
}

static bool beats_with_volleys(const struct sp_guard *guard)
{
    return guard->tech && (guard->order.flags & SP_BLOCK_SENDER) != 0 && guard->order.every_us == 0;
}

/* With the first volley; refused sweeps have their numbers too. */
static struct sp_volleys *prepare(struct sp_engine *engine)
{
    struct sp_sweeps *sweeps = &engine->sweeps;
    struct sp_volleys *v = sp_calloc(1, sizeof(*v));
    struct outlet *outlets = sp_calloc(sweeps->nsweeps, sizeof(*outlets));
    if (!v || !outlets) {
        sp_free(v);
        sp_free(outlets);
        return NULL;
    }
    v->outlets = outlets;
    for (size_t i = 0; i < sweeps->nsweeps; i++) {
        struct sp_sweep *sweep = &sweeps->sweeps[i];
        if (!is_sent_from_here(sweep) || !sweep->send) {
            continue;
        }
        struct outlet *outlet = &outlets[v->noutlets++];
        outlet->sweep = sweep;
        outlet->first = v->total;
        outlet->count = (uint32_t)sp_portset_count(sweep->send);
        sp_portset_index(sweep->send, &outlet->index);
        outlet->is_armed = sweep->tech && make_templates(engine, outlet) == SP_OK;
        v->narmed += outlet->is_armed;
        v->total += outlet->count;
    }
    for (size_t i = 0; i < sweeps->nguards; i++) {
        v->nbeating += beats_with_volleys(&sweeps->guards[i]);
    }
    return v;
}

/* By how much the interfaces' own counts of what they dropped grew; unknown counts as many. */
static uint64_t count_tx_dropped(const struct sp_engine *engine, const struct sp_volleys *v)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < v->noutlets; i++) {
        uint32_t iface = v->outlets[i].sweep->iface;
        bool is_new = v->outlets[i].is_armed;
        for (size_t j = 0; j < i && is_new; j++) {
            is_new = !v->outlets[j].is_armed || v->outlets[j].sweep->iface != iface;
        }
        uint64_t n = is_new ? engine->io.tx_dropped(engine->io.arg, iface) : 0;
        sum = n == UINT64_MAX || sum == UINT64_MAX ? UINT64_MAX : sum + n;
    }
    return sum;
}

/* ---- orders, beginning and end ---- */

static void tell(struct sp_engine *engine, const struct sp_rec_volleyed *volleyed)
{
    struct sp_record record = {.type = SP_REC_VOLLEYED, .u.volleyed = *volleyed};
    engine->io.tell(engine->io.arg, &record);
}

/* Nothing of it was or will be sent. */
static void tell_failed(struct sp_engine *engine, const struct sp_rec_volley *order, int err)
{
    uint32_t now = sp_engine_since(engine, sp_mono_us());
    const struct sp_rec_volleyed told = {.batch = order->batch,
                                         .serial = order->serial,
                                         .failed = order->count,
                                         .err = (uint16_t)err,
                                         .first_beat = 1,
                                         .start_us = now,
                                         .end_us = now};
    tell(engine, &told);
}

static bool has_pass(const struct sp_volleys *v, uint16_t pass)
{
    for (size_t i = 0; i < v->noutlets; i++) {
        if (pass >= v->outlets[i].sweep->order.passes) {
            return false;
        }
    }
    return true;
}

void sp_engine_volley(struct sp_engine *engine, const struct sp_rec_volley *order)
{
    struct sp_sweeps *sweeps = &engine->sweeps;
    if (!sweeps->volleys) {
        sweeps->volleys = prepare(engine);
    }
    struct sp_volleys *v = sweeps->volleys;
    int err =
        !v                            ? ENOMEM
        : v->nqueue >= SP_VOLLEYS_MAX ? ENOBUFS
        : order->count == 0 || order->first > v->total || order->count > v->total - order->first
            ? EINVAL
        : !has_pass(v, order->pass) ? EINVAL
                                    : 0;
    if (err) {
        sp_engine_complain(engine, SP_ERR_PROTOCOL, "a volley could not be taken");
        tell_failed(engine, order, err);
    } else if (v->narmed == 0) {
        tell_failed(engine, order, ECANCELED); /* why was told at ARM */
    } else {
        v->queue[(v->head + v->nqueue++) % SP_VOLLEYS_MAX] = *order;
    }
}

static void set_stage(struct sp_volleys *v, enum stage stage)
{
    v->stage = stage;
    v->edges = stage == SP_STAGE_PORTS || v->nbeating == 0 ? 0 : SP_GUARD_EDGE;
}

static void begin(struct sp_engine *engine, struct sp_volleys *v, uint64_t now_us)
{
    const struct sp_rec_volley *order = &v->queue[v->head];
    uint32_t pps = sp_engine_allowed_pps(engine);
    sp_volley_order_init(&v->order, order->order, v->total, order->pass, order->first,
                         order->count);
    sp_pace_set(&v->pace, order->pps && order->pps < pps ? order->pps : pps, now_us);
    v->told = (struct sp_rec_volleyed){.batch = order->batch,
                                       .serial = order->serial,
                                       .first_beat = 1,
                                       .start_us = sp_engine_since(engine, now_us)};
    v->tx_dropped = count_tx_dropped(engine, v);
    v->next = 0;
    v->nslots = 0;
    v->is_beating = false;
    v->since_beat = 0;
    v->beat_us = now_us;
    v->stuck_us = 0;
    v->is_on = true;
    set_stage(v, SP_STAGE_FIRST);
}

static void finish(struct sp_engine *engine, struct sp_volleys *v, int err)
{
    uint64_t dropped = count_tx_dropped(engine, v);
    bool known = dropped != UINT64_MAX && v->tx_dropped != UINT64_MAX && dropped >= v->tx_dropped;
    uint64_t drops = known ? dropped - v->tx_dropped : UINT32_MAX;
    v->told.failed = v->queue[v->head].count - v->told.sent - v->told.refused;
    v->told.err = err ? (uint16_t)err : v->told.err;
    v->told.end_us = sp_engine_since(engine, sp_mono_us());
    v->told.tx_drops = drops < UINT32_MAX ? (uint32_t)drops : UINT32_MAX;
    tell(engine, &v->told);
    v->is_on = false;
    v->head = (v->head + 1) % SP_VOLLEYS_MAX;
    v->nqueue--;
}

void sp_engine_volleys_end(struct sp_engine *engine)
{
    struct sp_volleys *v = engine->sweeps.volleys;
    if (v && v->is_on) {
        finish(engine, v, ECANCELED);
    }
    for (; v && v->nqueue > 0; v->nqueue--) {
        tell_failed(engine, &v->queue[v->head], ECANCELED);
        v->head = (v->head + 1) % SP_VOLLEYS_MAX;
    }
}

void sp_volleys_free(struct sp_volleys *volleys)
{
    if (volleys) {
        sp_free(volleys->outlets);
        sp_free(volleys);
    }
}

/* ---- beats ---- */

struct emitter {
    struct sp_engine *engine;
    struct sp_block block;
};

static int emit(struct sp_tech_io *io, const struct sp_spec *spec)
{
    struct emitter *emitter = io->arg;
    return sp_engine_emit(emitter->engine, &emitter->block, spec);
}

static int send_beat(struct sp_engine *engine, const struct sp_guard *guard, uint16_t beat,
                     uint64_t now_us)
{
    const struct sp_rec_guard *order = &guard->order;
    bool is_steady = (order->flags & SP_BLOCK_STEADY) != 0;
    uint32_t range = order->sport_hi - order->sport_lo + 1U;
    struct emitter emitter = {.engine = engine,
                              .block = {.flags = order->flags, .iface = guard->iface}};
    memcpy(emitter.block.src_mac, guard->src_mac, sizeof(guard->src_mac));
    memcpy(emitter.block.dst_mac, guard->dst_mac, sizeof(guard->dst_mac));
    struct sp_tech_io io = {.keys = &engine->keys, .now_us = now_us, .emit = emit, .arg = &emitter};
    const struct sp_flow flow = {
        .src = order->src,
        .dst = (order->flags & SP_BLOCK_SELF) != 0 ? guard->hop : order->dst,
        .block = order->block,
        .port = beat,
        .wire_port = order->port,
        .sport = (uint16_t)(order->sport_lo + (is_steady ? 0 : beat % range)),
    };
    return guard->tech->start(&flow, &io);
}

/* Guards with a period of their own; returns when to come again. A beat that is late is not made
 * up for. */
static uint64_t beat_alone(struct sp_engine *engine, uint64_t now_us)
{
    struct sp_sweeps *sweeps = &engine->sweeps;
    uint64_t next = UINT64_MAX;
    for (size_t i = 0; i < sweeps->nguards; i++) {
        struct sp_guard *guard = &sweeps->guards[i];
        if (!guard->tech || (guard->order.flags & SP_BLOCK_SENDER) == 0 ||
            guard->order.every_us == 0 || guard->beats >= SP_SWEEP_BEATS_MAX) {
            continue;
        }
        guard->due_us = guard->due_us ? guard->due_us : now_us;
        uint64_t due = guard->due_us;
        if (due <= now_us && !sp_engine_may_send(engine)) {
            due = sp_engine_token_at(engine, now_us);
        } else if (due <= now_us) {
            /* One that the kernel refused is not heard, and that is what counts. */
            (void)send_beat(engine, guard, (uint16_t)guard->beats++, now_us);
            guard->due_us += guard->order.every_us;
            if (guard->due_us <= now_us) {
                guard->due_us = now_us + guard->order.every_us;
            }
            due = guard->due_us;
        }
        next = due < next ? due : next;
    }
    return next;
}

/* Is it time for a beat of the volley? */
static bool wants_beat(const struct sp_volleys *v, uint64_t now_us)
{
    if (v->nbeating == 0 || v->stage != SP_STAGE_PORTS) {
        return v->edges > 0;
    }
    uint64_t ago_us = now_us - v->beat_us;
    return v->since_beat >= SP_GUARD_MOST ||
           (v->since_beat >= SP_GUARD_PACKETS && ago_us >= SP_GUARD_SOON_US) ||
           (v->since_beat > 0 && ago_us >= SP_GUARD_LATE_US);
}

/* The next packet of the beat that has begun; 0 or errno, EDQUOT: the budget is used up. */
static int go_on_beating(struct sp_engine *engine, struct sp_volleys *v, uint64_t now_us)
{
    struct sp_sweeps *sweeps = &engine->sweeps;
    while (v->beat_guard < sweeps->nguards && !beats_with_volleys(&sweeps->guards[v->beat_guard])) {
        v->beat_guard++;
    }
    int err = 0;
    if (v->beat_guard < sweeps->nguards) {
        struct sp_guard *guard = &sweeps->guards[v->beat_guard++];
        err = send_beat(engine, guard, (uint16_t)v->beats, now_us);
        guard->beats = v->beats + 1;
    }
    while (v->beat_guard < sweeps->nguards && !beats_with_volleys(&sweeps->guards[v->beat_guard])) {
        v->beat_guard++;
    }
    if (v->beat_guard >= sweeps->nguards) {
        v->told.first_beat = v->told.first_beat > v->told.last_beat ? v->beats : v->told.first_beat;
        v->told.last_beat = v->beats++;
        v->is_beating = false;
        v->edges -= v->edges > 0;
        v->since_beat = 0;
        v->beat_us = now_us;
    }
    return err;
}

/* ---- ports ---- */

static struct outlet *find_outlet(const struct sp_volleys *v, uint32_t number)
{
    size_t lo = 0;
    for (size_t hi = v->noutlets; hi - lo > 1;) {
        size_t mid = (lo + hi) / 2;
        if (v->outlets[mid].first <= number) {
            lo = mid;
        } else {
            hi = mid;
        }
    }
    return &v->outlets[lo];
}

/* Adds the next packet to the burst; false: its sweep was refused, there is none. */
static bool add(const struct sp_engine *engine, struct sp_volleys *v)
{
    uint16_t pass = v->queue[v->head].pass;
    uint32_t number = sp_volley_order_at(&v->order, v->next++);
    struct outlet *outlet = find_outlet(v, number);
    if (!outlet->is_armed) {
        v->told.err = ECANCELED;
        return false;
    }
    const struct sp_sweep *sweep = outlet->sweep;
    struct slot *slot = &v->slots[v->nslots++];
    slot->outlet = outlet;
    slot->port = sp_portset_nth(sweep->send, &outlet->index, number - outlet->first);
    bool is_link = (sweep->order.flags & SP_BLOCK_LINK) != 0 &&
                   !(sweep->raw && sp_portset_has(sweep->raw, slot->port));
    const struct sp_template *template = is_link ? &outlet->link : &outlet->raw;
    struct sp_tag tag =
        sp_tag_make(&engine->keys, (uint16_t)(sweep->order.block + pass), slot->port);
    slot->packet.to = is_link ? &outlet->to_link : &outlet->to_raw;
    slot->packet.len = template->len;
    sp_template_fill(template, sp_sweep_sport(&sweep->order, pass, slot->port), slot->port, &tag,
                     slot->packet.bytes);
    return true;
}

/* One that the kernel did not take, for good. */
static void count_error(struct sp_volleys *v, const struct slot *slot, int err)
{
    if (err == EPERM && sp_sweep_mark(&slot->outlet->sweep->not_allowed, slot->port)) {
        v->told.refused++;
    } else {
        v->told.err = (uint16_t)(err == EPERM ? ENOMEM : err);
    }
}

/* Sends what goes the same way as the first slot of the burst, which then holds only the others.
 * False: a queue is full, everything that is left stays. */
static bool flush_way(struct sp_engine *engine, struct sp_volleys *v)
{
    const struct sp_burst_packet *packets[SP_BURST_MAX];
    struct slot *slots[SP_BURST_MAX];
    bool is_left[SP_BURST_MAX] = {false};
    size_t n = 0;
    int err = 0;
    for (size_t i = 0; i < v->nslots; i++) {
        is_left[i] = !sp_burst_same_way(v->slots[0].packet.to, v->slots[i].packet.to);
        if (!is_left[i]) {
            slots[n] = &v->slots[i];
            packets[n++] = &v->slots[i].packet;
        }
    }
    for (size_t at = 0; at < n;) {
        size_t sent = 0;
        err = engine->io.burst(engine->io.arg, packets + at, n - at, &sent);
        at += sent;
        v->told.sent += (uint32_t)sent;
        engine->sent += (uint32_t)sent;
        if (err == EAGAIN || err == ENOBUFS) {
            for (; at < n; at++) {
                is_left[slots[at] - v->slots] = true;
            }
        } else if (err && at < n) {
            engine->failed++;
            count_error(v, slots[at++], err);
        }
    }
    size_t left = 0;
    for (size_t i = 0; i < v->nslots; i++) {
        if (is_left[i] && left++ != i) {
            v->slots[left - 1] = v->slots[i];
        }
    }
    v->nslots = left;
    return err != EAGAIN && err != ENOBUFS;
}

/* 0, or EAGAIN: a queue is full, or the errno with which the volley ends. */
static int flush(struct sp_engine *engine, struct sp_volleys *v, uint64_t now_us)
{
    while (v->nslots > 0) {
        size_t before = v->nslots;
        if (!flush_way(engine, v)) {
            v->stuck_us = v->stuck_us && before == v->nslots ? v->stuck_us : now_us;
            return now_us - v->stuck_us > SP_VOLLEY_STUCK_US ? ENOBUFS : EAGAIN;
        }
        v->stuck_us = 0;
    }
    return 0;
}

/* ---- time ---- */

/* Does the next thing, which may cost a packet. 0, EAGAIN (a queue is full), or how the volley
 * ended: its errno, ENODATA: well. */
static int step(struct sp_engine *engine, struct sp_volleys *v, uint64_t now_us, uint32_t *used,
                uint32_t *skips)
{
    if (v->is_beating) {
        (*used)++;
        int err = go_on_beating(engine, v, now_us);
        return err == EDQUOT ? err : 0;
    }
    if (wants_beat(v, now_us)) {
        int err = flush(engine, v, now_us);
        v->is_beating = err == 0;
        v->beat_guard = 0;
        return err == 0 && v->beats >= SP_SWEEP_BEATS_MAX ? EOVERFLOW : err;
    }
    if (v->stage == SP_STAGE_FIRST) {
        set_stage(v, SP_STAGE_PORTS);
    }
    if (v->next < v->queue[v->head].count) {
        if (v->nslots == SP_BURST_MAX) {
            return flush(engine, v, now_us);
        }
        if (engine->sent + v->nslots >= engine->order.budget) {
            int err = flush(engine, v, now_us);
            return err ? err : engine->sent >= engine->order.budget ? EDQUOT : 0;
        }
        bool is_added = add(engine, v);
        v->since_beat += is_added;
        *(is_added ? used : skips) += 1;
        return 0;
    }
    int err = flush(engine, v, now_us);
    if (err == 0 && v->stage == SP_STAGE_PORTS) {
        set_stage(v, SP_STAGE_LAST);
        return 0;
    }
    return err ? err : ENODATA;
}

/* Does what comes next cost a packet? */
static bool costs(const struct sp_volleys *v, uint64_t now_us)
{
    return v->is_beating || v->next < v->queue[v->head].count || wants_beat(v, now_us);
}

uint64_t sp_engine_volleys(struct sp_engine *engine, uint64_t now_us)
{
    uint64_t next = beat_alone(engine, now_us);
    struct sp_volleys *v = engine->sweeps.volleys;
    uint32_t skips = 0;
    uint32_t all = 0;
    while (v && v->nqueue > 0) {
        if (!v->is_on) {
            begin(engine, v, now_us);
        }
        uint32_t before = engine->sent;
        uint32_t used = 0;
        uint32_t most = sp_pace_allowed(&v->pace, now_us);
        most = engine->tokens < most ? (uint32_t)engine->tokens : most;
        bool is_bound = most >= SP_VOLLEY_AT_ONCE - all;
        most = is_bound ? SP_VOLLEY_AT_ONCE - all : most;
        int err = 0;
        while (err == 0 && skips < SP_VOLLEY_SKIPS && (used < most || !costs(v, now_us))) {
            err = step(engine, v, now_us, &used, &skips);
        }
        if (err == 0) {
            err = flush(engine, v, now_us);
        }
        all += used;
        sp_pace_take(&v->pace, used);
        engine->tokens -= used;
        uint32_t burst = engine->sent - before;
        v->told.longest_burst = burst > v->told.longest_burst ? burst : v->told.longest_burst;
        if (err == EAGAIN) {
            uint64_t again = now_us + SP_VOLLEY_AGAIN_US;
            return again < next ? again : next;
        }
        if (err) {
            finish(engine, v, err == ENODATA ? 0 : err);
        } else if (is_bound || skips >= SP_VOLLEY_SKIPS) {
            return now_us;
        } else {
            uint64_t paced = sp_pace_next(&v->pace, now_us);
            uint64_t token = engine->tokens < 1 ? sp_engine_token_at(engine, now_us) : 0;
            paced = paced > token ? paced : token;
            return paced < next ? paced : next;
        }
    }
    return next;
}
