/* SPDX-License-Identifier: Apache-2.0 */
#include "controller/sweep/proof.h"

#include "controller/evidence.h"
#include "probe/base/mem.h"
#include "probe/base/table.h"

/* Shots of an allowed range of which both ends are asked, in a batch. */
#define SP_PROOF_DECLARED 2U

/* A shot whose packets were asked for: the "test" of its packets in the store. */
struct key {
    uint32_t sweep;
    uint16_t port;
    uint32_t next; /* of the same sweep, SP_NO_ROW */
};

struct sp_sweep_proof {
    struct sp_evidence *store;
    struct key *keys;
    size_t nkeys, cap_keys;
    uint32_t *first;        /* key by sweep, SP_NO_ROW */
    struct sp_table counts; /* shots asked for, by sweep and the first port of the range */
};

/* One lane, while what to ask is chosen. */
struct view {
    struct sp_sweep_proof *proof;
    struct sp_gather *gather;
    struct sp_sweep_batch *sb;
    const struct sp_bundle *bundle;
    const struct sp_sweep_lane *lane;
    struct sp_intervals intervals;
};

enum sp_rc sp_sweep_proof_new(const struct sp_result *result, struct sp_sweep_proof **ret_proof)
{
    *ret_proof = NULL;
    if (!result->evidence || result->plan->nsweeps == 0) {
        return SP_OK;
    }
    struct sp_sweep_proof *proof = sp_calloc(1, sizeof(*proof));
    if (!proof) {
        return SP_E_NOMEM;
    }
    sp_table_init(&proof->counts);
    proof->first = sp_calloc(result->plan->nsweeps, sizeof(*proof->first));
    if (!proof->first || sp_evidence_new(0, &proof->store) != SP_OK) {
        sp_sweep_proof_free(proof);
        return SP_E_NOMEM;
    }
    for (size_t i = 0; i < result->plan->nsweeps; i++) {
        proof->first[i] = SP_NO_ROW;
    }
    *ret_proof = proof;
    return SP_OK;
}

void sp_sweep_proof_free(struct sp_sweep_proof *proof)
{
    if (proof) {
        sp_evidence_free(proof->store);
        sp_table_release(&proof->counts);
        sp_free(proof->keys);
        sp_free(proof->first);
        sp_free(proof);
    }
}

struct sp_evidence *sp_sweep_proof_store(struct sp_sweep_proof *proof)
{
    return proof->store;
}

/* ---- which ports ---- */

static const struct sp_sweep_span *span_of(const struct sp_sweep_found *found, uint16_t port)
{
    size_t lo = 0;
    size_t hi = found->nspans;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if (found->spans[mid].hi < port) {
            lo = mid + 1;
        } else {
            hi = mid;
        }
    }
    return lo < found->nspans && found->spans[lo].lo <= port ? &found->spans[lo] : NULL;
}

/* Would the range be a finding as it stands? */
static bool is_finding(const struct view *view, const struct sp_sweep_span *span,
                       const struct sp_interval *iv)
{
    const struct sp_case what = {.expect = iv->expect, .layer = view->lane->pair->layer};
    return iv->expect != SP_EXPECT_PERMIT &&
           sp_verdict_is_finding(sp_judge(&what, &span->seen).verdict);
}

/* Is there room for one more shot of this range, and of this rule? Counts it. */
static bool take_room(const struct view *view, const struct sp_interval *iv, uint16_t first_port,
                      uint32_t most)
{
    struct sp_table *counts = &view->proof->counts;
    uint64_t sweep = view->lane->sweep;
    uint64_t of_range = sweep << 16 | first_port;
    uint64_t of_rule = 1ULL << 63 | sweep << 32 | iv->rule;
    uint32_t n = sp_table_get(counts, of_range);
    uint32_t all = sp_table_get(counts, of_rule);
    n = n == SP_NO_ROW ? 0 : n;
    all = all == SP_NO_ROW ? 0 : all;
    return n < most && all < SP_PROOF_PER_RULE && sp_table_put(counts, of_range, n + 1) == SP_OK &&
           sp_table_put(counts, of_rule, all + 1) == SP_OK;
}

static enum sp_rc new_key(const struct view *view, uint16_t port, uint32_t *ret_key)
{
    struct sp_sweep_proof *proof = view->proof;
    uint32_t *first = &proof->first[view->lane->sweep];
    if (proof->nkeys >= SP_EVIDENCE_MAX_PACKETS ||
        sp_grow((void **)&proof->keys, proof->nkeys, &proof->cap_keys, sizeof(*proof->keys)) != 0 ||
        sp_evidence_grow(proof->store, proof->nkeys + 1) != SP_OK) {
        return SP_E_NOMEM;
    }
    proof->keys[proof->nkeys] =
        (struct key){.sweep = view->lane->sweep, .port = port, .next = *first};
    *first = *ret_key = (uint32_t)proof->nkeys++;
    return SP_OK;
}

/* ---- what is asked ---- */

static bool can_ask(const struct view *view, uint32_t host)
{
    const struct sp_batch *batch = view->sb->batch;
    return host < view->sb->run->model->nhosts && batch->hosts[host].is_used &&
           !batch->hosts[host].is_lost && batch->hosts[host].is_collected;
}

static void want(const struct view *view, uint32_t key, uint32_t host, uint16_t id, uint16_t port)
{
    const struct sp_sweep_lane *lane = view->lane;
    if (can_ask(view, host)) {
        sp_gather_add(
            view->gather,
            &(const struct sp_want){.host = host,
                                    .test = key,
                                    .block = id,
                                    .port = port,
                                    .attempt = (uint16_t)(id - lane->id + 1),
                                    .by_link = lane->is_link && !sp_portset_has(&lane->raw, port)});
    }
}

static void want_beat(const struct view *view, uint32_t key, const struct sp_guard_plan *guard,
                      uint32_t beat)
{
    uint32_t receiver = guard->flow.is_self ? guard->host : guard->flow.to;
    const uint32_t hosts[2] = {guard->host, receiver};
    for (size_t i = 0; i < (receiver == guard->host ? 1U : 2U); i++) {
        if (can_ask(view, hosts[i])) {
            sp_gather_add(view->gather, &(const struct sp_want){.host = hosts[i],
                                                                .test = key,
                                                                .block = guard->id,
                                                                .port = (uint16_t)beat,
                                                                .attempt = 1,
                                                                .is_control = true,
                                                                .by_link = guard->is_link});
        }
    }
}

/* Absence is proven by what did arrive: of each control flow the beat that came through next before
 * a volley, and the one next behind. */
static void want_beats(const struct view *view, uint32_t key, const struct sp_volley *volley)
{
    const struct sp_sweep_lane *lane = view->lane;
    for (size_t k = 0; k < SP_ARRAY_LEN(lane->guards); k++) {
        if (lane->guards[k] == SP_NONE) {
            continue;
        }
        const struct sp_guard_plan *guard = &view->sb->guards[lane->guards[k]];
        uint32_t start = guard->every_us ? volley->told.start_us / guard->every_us
                                         : volley->told.first_beat + SP_GUARD_EDGE - 1;
        uint32_t end = guard->every_us ? volley->told.end_us / guard->every_us + 1
                       : volley->told.last_beat > SP_GUARD_EDGE
                           ? volley->told.last_beat - SP_GUARD_EDGE + 1
                           : 0;
        uint32_t before = SP_NONE;
        uint32_t after = SP_NONE;
        for (uint32_t b = sp_portset_next(&guard->nic, 0);
             b < SP_SWEEP_BEATS_MAX && after == SP_NONE; b = sp_portset_next(&guard->nic, b + 1)) {
            bool usable = sp_beat_is_kept(b) && sp_portset_has(&guard->left, (uint16_t)b);
            before = usable && b <= start ? b : before;
            after = usable && b >= end && b > start ? b : after;
        }
        if (before != SP_NONE) {
            want_beat(view, key, guard, before);
        }
        if (after != SP_NONE) {
            want_beat(view, key, guard, after);
        }
    }
}

/* Where in the order of its bundle a port of the lane stands. */
static uint32_t place_of(const struct view *view, uint16_t port)
{
    const struct sp_sweep_lane *lane = view->lane;
    const struct sp_bundle *bundle = view->bundle;
    struct sp_volley_order order;
    uint32_t number = lane->base;
    for (uint32_t p = 0; p < port; p++) {
        number += sp_portset_has(&lane->denied, (uint16_t)p) ||
                  sp_portset_has(&lane->allowed, (uint16_t)p);
    }
    sp_volley_order_init(&order, bundle->order, bundle->total, 0, 0, bundle->total);
    for (uint32_t i = 0; i < bundle->total; i++) {
        if (sp_volley_order_whole(&order, i) == number) {
            return i;
        }
    }
    return SP_NONE;
}

/* The last volley of a pass that had the port. */
static const struct sp_volley *volley_of(const struct view *view, uint32_t place, unsigned pass)
{
    const struct sp_volley *last = NULL;
    for (size_t i = 0; i < view->bundle->nvolleys; i++) {
        const struct sp_volley *volley = &view->bundle->volleys[i];
        if (volley->pass == pass && volley->is_sent && place >= volley->first &&
            place - volley->first < volley->count) {
            last = volley;
        }
    }
    return last;
}

/* An allowed range does not do what it should: what left, what came of it, and, where nothing did,
 * the controls around it. One port stands for the range. */
static enum sp_rc want_declared(const struct view *view, const struct sp_sweep_span *span,
                                uint16_t port)
{
    const struct sp_sweep_lane *lane = view->lane;
    uint32_t key = 0;
    unsigned asked = 0;
    for (unsigned pass = 0; pass < view->bundle->npasses && asked < SP_PROOF_DECLARED; pass++) {
        const struct sp_portset *nic = lane->passes[pass].nic;
        bool came = nic && sp_portset_has(nic, port);
        if (span->seen.nic > 0 && !came && pass + 1 < view->bundle->npasses) {
            continue;
        }
        enum sp_rc rc = asked == 0 ? new_key(view, port, &key) : SP_OK;
        if (rc != SP_OK) {
            return rc;
        }
        want(view, key, view->bundle->from, (uint16_t)(lane->id + pass), port);
        if (came) {
            want(view, key, view->bundle->to, (uint16_t)(lane->id + pass), port);
        } else if (asked == 0) {
            uint32_t place = place_of(view, port);
            const struct sp_volley *volley = volley_of(view, place, pass);
            if (volley) {
                want_beats(view, key, volley);
            }
        }
        asked++;
    }
    return SP_OK;
}

static bool is_asked(const struct sp_sweep_lane *lane, uint16_t port, uint8_t expect)
{
    return sp_portset_has(expect == SP_EXPECT_DENY ? &lane->denied : &lane->allowed, port);
}

/* The first port of a range that this batch asked. */
static uint32_t first_asked(const struct view *view, uint32_t lo, uint32_t hi, uint8_t expect)
{
    while (lo <= hi && !is_asked(view->lane, (uint16_t)lo, expect)) {
        lo++;
    }
    return lo <= hi ? lo : SP_PORTSET_PORTS;
}

static const struct sp_sweep_lane *lane_of(const struct sp_sweep_batch *sb, uint16_t id,
                                           size_t *ret_bundle)
{
    uint16_t row = sb->lane_of_id[id];
    if (row == 0) {
        return NULL;
    }
    *ret_bundle = (size_t)(row - 1) / SP_BUNDLE_LANES;
    return &sb->bundles[*ret_bundle].lanes[(row - 1) % SP_BUNDLE_LANES];
}

static enum sp_rc look_at(struct view *view, size_t bundle, const struct sp_sweep_lane *lane)
{
    const struct sp_run_state *run = view->sb->run;
    view->bundle = &view->sb->bundles[bundle];
    view->lane = lane;
    view->intervals =
        sp_policy_pair(run->policy, lane->pair->from, lane->pair->to, lane->plan->proto);
    return view->intervals.n > 0 ? SP_OK : SP_E_NOMEM;
}

static enum sp_rc choose_declared(const struct view *view, const struct sp_sweep_found *found)
{
    enum sp_rc rc = SP_OK;
    for (size_t i = 0; i < view->intervals.n; i++) {
        const struct sp_interval *iv = &view->intervals.at[i];
        for (size_t k = 0; iv->expect == SP_EXPECT_ALLOW && k < found->nspans && rc == SP_OK; k++) {
            const struct sp_sweep_span *span = &found->spans[k];
            uint32_t lo = span->lo > iv->lo ? span->lo : iv->lo;
            uint32_t hi = span->hi < iv->hi ? span->hi : iv->hi;
            uint32_t port = lo <= hi && is_finding(view, span, iv)
                                ? first_asked(view, lo, hi, iv->expect)
                                : SP_PORTSET_PORTS;
            if (port < SP_PORTSET_PORTS && take_room(view, iv, (uint16_t)lo, SP_PROOF_DECLARED)) {
                rc = want_declared(view, span, (uint16_t)port);
            }
        }
    }
    return rc;
}

/* A packet that a probe kept and told of, on a port of a range that is a finding. most: shots of
 * one range. */
static enum sp_rc choose_sample(const struct view *view, const struct sp_sweep_found *found,
                                struct sp_sweep_sample *sample, uint32_t most)
{
    const struct sp_sweep_span *span = span_of(found, sample->port);
    const struct sp_interval *iv = sp_intervals_find(view->intervals, sample->port);
    if (!span || !iv || !is_finding(view, span, iv)) {
        return SP_OK;
    }
    uint32_t lo = span->lo > iv->lo ? span->lo : iv->lo;
    /* Answers are few, and of a proxy they are all there is: they are never crowded out. */
    bool is_answer = sample->kind == SP_SEEN_ANSWER;
    uint32_t key;
    if (!is_answer && !take_room(view, iv, (uint16_t)lo, most)) {
        return SP_OK;
    }
    sample->is_asked = true;
    enum sp_rc rc = new_key(view, sample->port, &key);
    if (rc == SP_OK) {
        want(view, key, sample->host, sample->id, sample->port);
        if (!is_answer && sp_portset_has(&view->lane->raw, sample->port)) {
            want(view, key, view->bundle->from, sample->id, sample->port);
        }
    }
    return rc;
}

static enum sp_rc choose_samples(struct view *view, const struct sp_sweep_found *found,
                                 uint32_t most)
{
    struct sp_sweep_batch *sb = view->sb;
    enum sp_rc rc = SP_OK;
    for (size_t i = 0; i < sb->nsamples && rc == SP_OK; i++) {
        size_t bundle;
        struct sp_sweep_sample *sample = &sb->samples[i];
        const struct sp_sweep_lane *lane = lane_of(sb, sample->id, &bundle);
        if (lane && !sample->is_asked) {
            rc = look_at(view, bundle, lane);
            rc = rc == SP_OK ? choose_sample(view, &found[lane->sweep], sample, most) : rc;
        }
    }
    return rc;
}

enum sp_rc sp_sweep_proof_choose(struct sp_sweep_batch *sb, const struct sp_sweep_found *found,
                                 struct sp_gather *gather)
{
    struct view view = {.proof = sb->run->proof, .gather = gather, .sb = sb};
    /* One packet of every range first, then more of each. */
    enum sp_rc rc = choose_samples(&view, found, 1);
    if (rc == SP_OK) {
        rc = choose_samples(&view, found, SP_PROOF_PER_RANGE);
    }
    for (size_t b = 0; b < sb->nbundles; b++) {
        for (size_t k = 0; k < sb->bundles[b].nlanes && rc == SP_OK; k++) {
            const struct sp_sweep_lane *lane = &sb->bundles[b].lanes[k];
            rc = look_at(&view, b, lane);
            if (rc == SP_OK && lane->passes) {
                rc = choose_declared(&view, &found[lane->sweep]);
            }
        }
    }
    return rc;
}

enum sp_rc sp_sweep_proof_fetch(struct sp_sweep_batch *sb, const struct sp_sweep_found *found)
{
    struct sp_run_state *run = sb->run;
    if (!run->proof || !run->evidence) {
        return SP_OK;
    }
    struct sp_gather *gather = sp_evidence_open(run, sb->batch, run->proof->store);
    enum sp_rc rc = sp_sweep_proof_choose(sb, found, gather);
    sp_evidence_ask(run);
    return rc;
}

/* ---- the end ---- */

static void copy(const struct sp_sweep_proof *proof, uint32_t key, uint32_t test,
                 struct sp_evidence *into)
{
    const struct sp_evidence *store = proof->store;
    for (uint32_t row = store->first[key]; row != SP_NO_ROW; row = store->rows[row].next) {
        struct sp_evidence_packet packet = store->rows[row].packet;
        packet.test = test;
        sp_evidence_add(into, &packet, (const uint8_t *)store->bytes.data + store->rows[row].bytes);
    }
}

/* Finds the sweep of a swept test; tests follow each other as their sweeps do. */
static uint32_t sweep_of(const struct sp_plan *plan, const struct sp_test *test, uint32_t near)
{
    for (size_t i = 0; i < plan->nsweeps; i++) {
        uint32_t at = (uint32_t)((near + i) % plan->nsweeps);
        if (plan->sweeps[at].pair == test->pair && plan->sweeps[at].proto == test->proto) {
            return at;
        }
    }
    return SP_NONE;
}

void sp_sweep_proof_attach(const struct sp_sweep_proof *proof, struct sp_result *result)
{
    uint32_t sweep = 0;
    if (!proof) {
        return;
    }
    result->evidence->lost += proof->store->lost;
    for (size_t i = result->plan->ntests; i < result->ntests; i++) {
        const struct sp_test *test = &result->tests[i];
        uint32_t its = test->why == SP_WHY_SWEPT ? sweep_of(result->plan, test, sweep) : SP_NONE;
        if (its == SP_NONE || !sp_verdict_is_finding(result->outcomes[i].judged.verdict)) {
            continue;
        }
        sweep = its;
        for (uint32_t key = proof->first[its]; key != SP_NO_ROW; key = proof->keys[key].next) {
            if (proof->keys[key].port >= test->port && proof->keys[key].port <= test->port_hi) {
                copy(proof, key, (uint32_t)i, result->evidence);
            }
        }
    }
}
