/* SPDX-License-Identifier: Apache-2.0 */
#include "controller/evidence.h"

#include <event2/event.h>
#include <stdlib.h>
#include <time.h>

#include "probe/base/clock.h"
#include "probe/base/mem.h"

/* Attempts of one test whose packets are fetched, over the whole run. */
#define SP_EVIDENCE_ATTEMPTS 4U
/* Attempts of one flow and rule in a batch. */
#define SP_EVIDENCE_PER_FLOW 64U
/* How long probes may take to hand packets over; after an interrupt, somebody waits. */
#define SP_EVIDENCE_WAIT_US  5000000ULL
#define SP_EVIDENCE_HURRY_US 1000000ULL

struct mark {
    uint8_t told;     /* attempts asked for that speak for a finding */
    bool has_good;    /* and one that shows what should have been */
    bool has_control; /* and the controls around one attempt, for an absence */
    uint32_t good;    /* shot of this batch that could be it, SP_NONE */
    uint32_t good_batch;
};

/* An attempt worth asking for. */
struct candidate {
    uint32_t rank, order;
    uint32_t test, shot;
    uint32_t attempt; /* of the round, SP_NONE */
};

struct sp_evidence_run {
    struct sp_gather gather;
    struct sp_evidence *own; /* of the result; borrowed */
    struct mark *marks;      /* by test */
    uint64_t wall_offset; /* microseconds to add to our monotonic clock: fixed once, so that times
                             of one run never step */
    struct candidate *candidates; /* of the current batch */
    size_t ncandidates, cap_candidates;
    struct sp_table ranks;
};

enum sp_rc sp_evidence_run_new(const struct sp_model *model, const struct sp_plan *plan,
                               struct sp_evidence *into, struct sp_evidence_run **ret_evidence)
{
    struct timespec wall;
    *ret_evidence = NULL;
    if (!into) {
        return SP_OK;
    }
    struct sp_evidence_run *evidence = sp_calloc(1, sizeof(*evidence));
    if (!evidence) {
        return SP_E_NOMEM;
    }
    (void)clock_gettime(CLOCK_REALTIME, &wall);
    evidence->wall_offset =
        (uint64_t)wall.tv_sec * 1000000 + (uint64_t)wall.tv_nsec / 1000 - sp_mono_us();
    sp_table_init(&evidence->ranks);
    evidence->own = into;
    evidence->marks = sp_calloc(plan->ntests, sizeof(*evidence->marks));
    if (!evidence->marks || sp_gather_init(&evidence->gather, model->nhosts, into) != SP_OK) {
        sp_evidence_run_free(evidence);
        return SP_E_NOMEM;
    }
    *ret_evidence = evidence;
    return SP_OK;
}

void sp_evidence_run_free(struct sp_evidence_run *evidence)
{
    if (evidence) {
        sp_gather_release(&evidence->gather);
        sp_table_release(&evidence->ranks);
        sp_free(evidence->candidates);
        sp_free(evidence->marks);
        sp_free(evidence);
    }
}

/* ---- batches ---- */

static void note_controls(const struct sp_batch *batch, struct sp_batch_note *note)
{
    for (size_t i = 0; i < batch->nshots; i++) {
        if ((batch->blocks[batch->shots[i].block].flags & SP_BLOCK_CONTROL) != 0) {
            note->controls++;
            note->controls_left += batch->shots[i].has_left;
            note->controls_arrived += sp_control_delivered(batch, (uint32_t)i);
        }
    }
}

void sp_evidence_note(struct sp_run_state *run, const struct sp_batch *batch)
{
    struct sp_evidence *own = run->evidence ? run->evidence->own : NULL;
    if (!own) {
        return;
    }
    if (sp_grow((void **)&own->batches, own->nbatches, &own->cap_batches, sizeof(*own->batches)) !=
        0) {
        own->lost++;
        return;
    }
    struct sp_batch_note note = {
        .id = batch->id,
        .kind = batch->is_scout ? "scout"
                : batch->guest  ? "sweep"
                                : "tests",
        .fired_us = batch->fired_us ? run->evidence->wall_offset + batch->fired_us : 0,
        .shots = (uint32_t)batch->nshots};
    for (size_t h = 0; h < run->model->nhosts; h++) {
        const struct sp_host_batch *host = &batch->hosts[h];
        note.hosts += host->is_used;
        note.hosts_lost += host->is_used && host->is_lost;
        note.drops += host->drops;
        note.longest_gap_us =
            host->longest_gap_us > note.longest_gap_us ? host->longest_gap_us : note.longest_gap_us;
    }
    note_controls(batch, &note);
    own->batches[own->nbatches++] = note;
}

/* ---- what to ask for ---- */

static bool can_ask(const struct sp_round *round, uint32_t host)
{
    const struct sp_batch *batch = round->batch;
    return host < round->run->model->nhosts && batch->hosts[host].is_used &&
           !batch->hosts[host].is_lost && batch->hosts[host].is_collected;
}

/* Everybody who may have seen a shot: who sent it, who was to receive it (of a balancer, who got
 * it), and who got it instead. */
static void want_shot(struct sp_round *round, uint32_t test, uint32_t index, bool is_control)
{
    const struct sp_shot_seen *shot = &round->batch->shots[index];
    const struct sp_block_plan *block = &round->batch->blocks[shot->block];
    uint32_t to = shot->arrived_at != SP_NONE ? shot->arrived_at : block->to;
    const uint32_t hosts[3] = {block->from, to, shot->elsewhere};
    for (size_t i = 0; i < SP_ARRAY_LEN(hosts); i++) {
        bool again = (i > 0 && hosts[i] == hosts[0]) || (i > 1 && hosts[i] == hosts[1]);
        if (!again && can_ask(round, hosts[i])) {
            const struct sp_want want = {.host = hosts[i],
                                         .test = test,
                                         .block = (uint16_t)(block->first + shot->attempt),
                                         .port = shot->port,
                                         .attempt = (uint16_t)(shot->attempt + 1),
                                         .is_control = is_control,
                                         .by_link = (block->flags & SP_BLOCK_LINK) != 0};
            sp_gather_add(&round->run->evidence->gather, &want);
        }
    }
}

/* Absence is proven by what did arrive: of each control flow one packet before and one behind. */
static void want_controls(struct sp_round *round, const struct sp_attempt *attempt)
{
    const struct sp_lane *lane = &round->run->lanes.at[attempt->lane];
    const uint32_t around[2] = {attempt->before, attempt->after};
    for (size_t i = 0; i < SP_ARRAY_LEN(around); i++) {
        const struct sp_checkpoint *c =
            around[i] < round->ncheckpoints ? &round->checkpoints[around[i]] : NULL;
        for (unsigned k = 0; c && k < lane->control.nflows; k++) {
            for (uint32_t n = 0; n < c->tries; n++) {
                if (sp_control_delivered(round->batch, c->first[k] + n)) {
                    want_shot(round, attempt->test, c->first[k] + n, true);
                    break;
                }
            }
        }
    }
}

static bool is_service(uint8_t answer)
{
    return answer == SP_ANSWER_SYN_ACK || answer == SP_ANSWER_DATA || answer == SP_ANSWER_ECHO;
}

static bool is_reply(uint8_t answer)
{
    return answer != SP_ANSWER_NONE && answer != SP_ANSWER_UNREACHABLE;
}

/* Does this attempt speak for a finding? */
static bool speaks(const struct sp_round *round, const struct sp_attempt *attempt, bool counts)
{
    const struct sp_run_state *run = round->run;
    const struct sp_shot_seen *shot = &round->batch->shots[attempt->shot];
    const struct sp_test *test = &run->plan->tests[attempt->test];
    if (shot->elsewhere != SP_NONE || shot->is_rewritten) {
        return true;
    }
    if (test->expect == SP_EXPECT_DENY) {
        bool arrived = run->plan->pairs[test->pair].layer == SP_LAYER_HOST
                           ? shot->at_host
                           : shot->at_nic || shot->at_host;
        return arrived || is_service(shot->answer);
    }
    /* Of flows to a balancer all are worth showing: what is wrong may be who got none. */
    bool balanced = run->plan->pairs[test->pair].is_balanced;
    return counts && (balanced || !shot->at_host || !is_reply(shot->answer));
}

/* How many attempts of the same flow and rule were considered before this one: of each finding the
 * first few are asked for before any gets more. */
static uint32_t rank_of(struct sp_evidence_run *evidence, const struct sp_round *round,
                        const struct candidate *candidate)
{
    const struct sp_shot_seen *shot = &round->batch->shots[candidate->shot];
    const struct sp_test *test = &round->run->plan->tests[candidate->test];
    /* What happened to it: tests of one rule that fail in other ways are other findings. */
    uint64_t kind = (uint64_t)shot->at_nic | (uint64_t)shot->at_host << 1 |
                    (uint64_t)shot->is_rewritten << 2 |
                    (uint64_t)(shot->elsewhere != SP_NONE) << 3 |
                    (uint64_t)is_reply(shot->answer) << 4 | (uint64_t)is_reply(shot->egress) << 5;
    uint64_t flow = (uint64_t)test->pair * SP_PROTO_COUNT + test->proto;
    uint64_t key = flow << 38 | (uint64_t)test->rule << 6 | kind;
    uint32_t seen = sp_table_get(&evidence->ranks, key);
    uint32_t rank = seen == SP_NO_ROW ? 0 : seen + 1;
    return sp_table_put(&evidence->ranks, key, rank) == SP_OK ? rank : SP_EVIDENCE_PER_FLOW;
}

static void add_candidate(struct sp_round *round, struct candidate candidate)
{
    struct sp_evidence_run *evidence = round->run->evidence;
    candidate.rank = rank_of(evidence, round, &candidate);
    candidate.order = (uint32_t)evidence->ncandidates;
    if (candidate.rank >= SP_EVIDENCE_PER_FLOW ||
        sp_grow((void **)&evidence->candidates, evidence->ncandidates, &evidence->cap_candidates,
                sizeof(*evidence->candidates)) != 0) {
        evidence->gather.into->lost++; /* others are proof enough */
        return;
    }
    evidence->candidates[evidence->ncandidates++] = candidate;
}

void sp_evidence_consider_shot(struct sp_round *round, uint32_t test, uint32_t shot)
{
    if (round->run->evidence) {
        add_candidate(round, (struct candidate){.test = test, .shot = shot, .attempt = SP_NONE});
    }
}

void sp_evidence_consider(struct sp_round *round, const struct sp_attempt *attempt, bool counts)
{
    struct sp_evidence_run *evidence = round->run->evidence;
    uint8_t expect = round->run->plan->tests[attempt->test].expect;
    if (!evidence || expect == SP_EXPECT_PERMIT) {
        return; /* what is only permitted is never a finding */
    }
    struct mark *mark = &evidence->marks[attempt->test];
    if (mark->good_batch != round->batch->id) {
        mark->good_batch = round->batch->id;
        mark->good = SP_NONE;
    }
    if (!speaks(round, attempt, counts)) {
        bool good = expect != SP_EXPECT_DENY && counts;
        mark->good = good && mark->good == SP_NONE ? attempt->shot : mark->good;
    } else if (mark->told < SP_EVIDENCE_ATTEMPTS) {
        mark->told++;
        add_candidate(round, (struct candidate){.test = attempt->test,
                                                .shot = attempt->shot,
                                                .attempt = (uint32_t)(attempt - round->attempts)});
    }
}

/* Does the finding rest on something that did not arrive? */
static bool is_absent(const struct sp_round *round, const struct sp_attempt *attempt)
{
    const struct sp_shot_seen *shot = &round->batch->shots[attempt->shot];
    bool deny = round->run->plan->tests[attempt->test].expect == SP_EXPECT_DENY;
    return !shot->at_host && !(deny && (shot->at_nic || shot->elsewhere != SP_NONE));
}

static int by_rank(const void *pa, const void *pb)
{
    const struct candidate *a = pa;
    const struct candidate *b = pb;
    if (a->rank != b->rank) {
        return a->rank < b->rank ? -1 : 1;
    }
    return a->order < b->order ? -1 : a->order > b->order;
}

static void want_candidates(struct sp_round *round)
{
    struct sp_evidence_run *evidence = round->run->evidence;
    qsort(evidence->candidates, evidence->ncandidates, sizeof(*evidence->candidates), by_rank);
    for (size_t i = 0; i < evidence->ncandidates; i++) {
        const struct candidate *candidate = &evidence->candidates[i];
        struct mark *mark = &evidence->marks[candidate->test];
        want_shot(round, candidate->test, candidate->shot, false);
        if (candidate->attempt == SP_NONE) {
            continue;
        }
        const struct sp_attempt *attempt = &round->attempts[candidate->attempt];
        if (is_absent(round, attempt) && !mark->has_control) {
            mark->has_control = true;
            want_controls(round, attempt);
        }
        if (!mark->has_good && mark->good != SP_NONE) {
            mark->has_good = true;
            want_shot(round, attempt->test, mark->good, false);
        }
    }
    evidence->ncandidates = 0;
    sp_table_release(&evidence->ranks);
    sp_table_init(&evidence->ranks);
}

/* ---- fetching ---- */

static const char *iface_name(const struct sp_session *session, uint32_t index)
{
    for (size_t i = 0; i < session->nifaces; i++) {
        if (session->ifaces[i].index == index) {
            return session->ifaces[i].name;
        }
    }
    return "unknown";
}

static void on_record(struct sp_session *session, const struct sp_record *record, void *arg)
{
    const char *iface =
        record->type == SP_REC_PACKET ? iface_name(session, record->u.packet.iface) : "";
    sp_gather_take(arg, session->host, record, iface);
}

static void on_state(struct sp_session *session, void *arg)
{
    if (session->state != SP_PROBE_READY) {
        sp_gather_give_up(arg, session->host);
    }
}

struct sp_gather *sp_evidence_open(struct sp_run_state *run, const struct sp_batch *batch,
                                   struct sp_evidence *into)
{
    struct sp_evidence_run *evidence = run->evidence;
    evidence->gather.into = into ? into : evidence->own;
    sp_gather_begin(&evidence->gather, batch->id, evidence->wall_offset + batch->fired_us);
    return &evidence->gather;
}

void sp_evidence_ask(struct sp_run_state *run)
{
    static const struct sp_fleet_ops ops = {.on_record = on_record, .on_state = on_state};
    struct sp_fleet *fleet = run->fleet;
    struct sp_gather *gather = &run->evidence->gather;
    sp_gather_ask(gather);
    fleet->ops = ops;
    fleet->ops_arg = gather;
    for (size_t i = 0; i < gather->nwants; i++) {
        const struct sp_want *want = &gather->wants[i];
        struct sp_record record = {.type = SP_REC_WANT};
        record.u.want =
            (struct sp_rec_want){.batch = gather->batch, .block = want->block, .port = want->port};
        if (fleet->sessions[want->host].state == SP_PROBE_READY) {
            sp_fleet_send(&fleet->sessions[want->host], &record);
        } else {
            sp_gather_give_up(gather, want->host);
        }
    }
    uint64_t start = sp_mono_us();
    while (gather->open > 0) {
        bool hurry = run->stop_flag && *run->stop_flag;
        struct timeval tv = {.tv_usec = 20000};
        if (sp_mono_us() - start > (hurry ? SP_EVIDENCE_HURRY_US : SP_EVIDENCE_WAIT_US)) {
            gather->into->lost += gather->open;
            break;
        }
        (void)event_base_loopexit(fleet->base, &tv);
        (void)event_base_loop(fleet->base, EVLOOP_ONCE);
    }
    gather->open = 0;
    gather->into = run->evidence->own;
    fleet->ops = (struct sp_fleet_ops){0};
}

void sp_evidence_fetch(struct sp_round *round)
{
    struct sp_evidence_run *evidence = round->run->evidence;
    if (evidence && evidence->ncandidates > 0) {
        (void)sp_evidence_open(round->run, round->batch, NULL);
        want_candidates(round);
        sp_evidence_ask(round->run);
    }
}
