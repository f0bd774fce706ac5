/* SPDX-License-Identifier: Apache-2.0
 *
 * Conversations with a listener: what is held, and what is counted of it. A balancer that checks
 * the health of its backends passes nothing on before it has seen our stand-in listeners, which
 * stand for one batch only: what does not hold is looked at once more with a longer start. */
#include <stdio.h>

#include "controller/inspect/balancers.h"
#include "controller/inspect/chi.h"
#include "controller/round_priv.h"
#include "probe/base/mem.h"
#include "probe/techniques/registry.h"

#define LEAD_US      200000U
#define LEAD_LONG_US 2000000U
#define LEAD_MAX_US  20000000U
/* The least between two conversations of a client: a capture shows answers 30 ms late, and
 * stand-ins hold 64 at a time. */
#define STEP_MIN_US  5000U
#define TALK_PACKETS 7U
#define TALKS_MIN    12U
#define HELLOS       4U
#define MUTES        4U

enum { ROW_PLAIN, ROW_HELLO, ROW_HAIRPIN, ROWS };

/* What was said on one way. */
struct row {
    struct sp_lb_tally tallies[ROWS];
    uint32_t block, hello;
    uint32_t *hairpins; /* blocks, one per backend; SP_NONE = it does not take part */
};

struct talk {
    struct sp_lb *lb;
    struct sp_batch *batch;
    struct row *rows; /* lb->nways */
};

bool sp_lb_way_of(const struct sp_lb *lb, uint32_t client, const struct sp_addr *dst,
                  struct sp_lb_way *ret_way)
{
    const struct sp_host *host = &lb->model->hosts[client];
    size_t i = 0;
    while (i < host->naddrs && host->addrs[i].family != dst->family) {
        i++;
    }
    if (i == host->naddrs) {
        return false;
    }
    *ret_way = (struct sp_lb_way){
        .client = client, .src = host->addrs[i], .src_seen = host->addrs[i], .dst = *dst};
    for (size_t p = 0; p < lb->run->plan->npairs; p++) {
        const struct sp_pair *pair = &lb->run->plan->pairs[p];
        if (pair->from == client && pair->to == lb->model->nhosts + lb->index &&
            sp_addr_eq(&pair->dst, dst) && sp_addr_eq(&pair->src, &ret_way->src)) {
            ret_way->src_seen = pair->src_seen; /* by a declared translation */
        }
    }
    return true;
}

uint32_t sp_lb_step_us(const struct sp_lb *lb, uint32_t client)
{
    double step = sp_round_spacing_us(lb->run, client) * TALK_PACKETS;
    return step > STEP_MIN_US ? step < 1e6 ? (uint32_t)step : 1000000U : STEP_MIN_US;
}

uint32_t sp_lb_add(const struct sp_lb *lb, struct sp_batch *batch, const struct sp_lb_way *way,
                   const struct sp_lb_plan *plan, uint64_t *at_us)
{
    const struct sp_technique_info *info = sp_technique_find("tcp_handshake");
    bool is_http = sp_lb_is_word(lb->listener->mode, "l7") &&
                   (plan->flags & (SP_BLOCK_HELLO | SP_BLOCK_MUTE)) == 0;
    if (!info || plan->n == 0 || plan->n > UINT16_MAX) {
        return SP_NONE;
    }
    const struct sp_block_plan block = {
        .from = way->client,
        .to = (uint32_t)lb->model->nhosts + lb->index,
        .src = way->src,
        .dst = way->dst,
        .own = way->dst,
        .src_seen = way->src_seen,
        .technique = (uint8_t)sp_technique_index(info),
        .attempts = (uint16_t)plan->n,
        .pause_ms = plan->pause_ms,
        .talks = (plan->flags & SP_BLOCK_MUTE) == 0,
        .flags = (uint16_t)(plan->flags | (is_http ? SP_BLOCK_HTTP : 0U) |
                            (lb->run->link_injection ? SP_BLOCK_LINK : 0U))};
    uint32_t row = sp_batch_add_block(batch, &block);
    for (uint32_t i = 0; row != SP_NONE && i < plan->n; i++) {
        uint16_t port = lb->listener->port.lo;
        uint16_t sport =
            sp_ledger_take(lb->run->ledger, &way->src, &way->dst, SP_PROTO_TCP, port, false);
        if (sport == 0 || *at_us > UINT32_MAX / 2 ||
            sp_batch_add_shot(batch, row, (uint16_t)i, port, sport, (uint32_t)*at_us) == SP_NONE) {
            return SP_NONE;
        }
        *at_us += plan->step_us;
    }
    return row;
}

bool sp_lb_is_served(const struct sp_shot_seen *shot)
{
    return shot->answer == SP_ANSWER_DATA && (shot->answer_code & SP_ANSWER_UNSERVED) == 0;
}

static bool is_source(const struct sp_lb *lb, const struct sp_lb_way *way,
                      const struct sp_addr *src)
{
    bool is_client = sp_addr_eq(src, &way->src_seen);
    if (!sp_listener_rewrites(lb->listener)) {
        return is_client;
    }
    for (size_t i = 0; i < lb->balancer->nsources; i++) {
        if (sp_addr_eq(src, &lb->balancer->sources[i])) {
            return true;
        }
    }
    return lb->balancer->nsources == 0 && !is_client;
}

static void count_heard(const struct sp_lb_way *way, const struct sp_shot_seen *shot,
                        struct sp_lb_tally *tally)
{
    tally->heard++;
    tally->changed += shot->is_changed;
    tally->heads[shot->head < SP_HEAD_END ? shot->head : SP_HEAD_BAD]++;
    if (shot->told.family != SP_FAMILY_NONE && !sp_addr_eq(&shot->told, &way->src_seen) &&
        !sp_addr_eq(&shot->told, &way->src)) {
        tally->other_client++;
        tally->named = shot->told;
    }
}

static void count_arrival(const struct sp_lb *lb, const struct sp_lb_way *way,
                          const struct sp_shot_seen *shot, struct sp_lb_tally *tally)
{
    uint32_t host = shot->is_heard ? shot->heard_at : shot->arrived_at;
    tally->arrived++;
    for (size_t i = 0; tally->backends && i < lb->listener->nbackends; i++) {
        tally->backends[i] += lb->listener->backends[i] == host;
    }
    bool known = shot->seen_src.family != SP_FAMILY_NONE;
    bool good = !known || is_source(lb, way, &shot->seen_src);
    tally->other_source += !good;
    if (known && (!good || tally->other_source == 0)) {
        tally->source = shot->seen_src;
    }
}

static void count(const struct sp_lb *lb, const struct sp_batch *batch, uint32_t block,
                  const struct sp_lb_way *way, struct sp_lb_tally *tally)
{
    for (size_t i = 0; block != SP_NONE && i < batch->nshots; i++) {
        const struct sp_shot_seen *shot = &batch->shots[i];
        if (shot->block != block) {
            continue;
        }
        bool arrived = shot->at_nic || shot->at_host || shot->is_heard;
        bool answered = shot->answer == SP_ANSWER_SYN_ACK || shot->answer == SP_ANSWER_DATA;
        bool served = sp_lb_is_served(shot);
        bool is_own = shot->arrived_at == way->client || shot->heard_at == way->client;
        tally->sent += shot->has_left || arrived || answered;
        tally->answered += answered;
        tally->refused += shot->answer == SP_ANSWER_RST || shot->answer == SP_ANSWER_UNREACHABLE;
        tally->served += served;
        tally->foreign += shot->elsewhere != SP_NONE;
        tally->tls += (shot->answer_code & SP_ANSWER_TLS) != 0 && answered;
        tally->own += is_own;
        tally->own_served += is_own && served;
        if (shot->is_heard) {
            count_heard(way, shot, tally);
        }
        if (arrived) {
            count_arrival(lb, way, shot, tally);
        }
    }
}

/* ---- one batch ---- */

static bool wants_skew(const struct sp_listener *listener)
{
    return (listener->max_skew >= 0 || listener->weights) &&
           !sp_lb_is_word(listener->affinity, "source");
}

/* How many plain conversations on each way. */
static uint32_t plain_talks(const struct sp_listener *listener)
{
    uint32_t n = sp_plan_flows_for(listener->nbackends);
    n = n < TALKS_MIN ? TALKS_MIN : n;
    if (wants_skew(listener)) {
        double skew = listener->max_skew >= 0 ? listener->max_skew : SP_LB_USUAL_SKEW;
        uint32_t need =
            sp_chi_sample(listener->weights, listener->nbackends, skew > 0.02 ? skew : 0.02);
        n = need > n ? need : n;
    }
    return n < SP_LB_MAX_TALKS ? n : SP_LB_MAX_TALKS;
}

/* Every backend that has a probe as a client of its own balancer. */
static void add_hairpins(struct talk *talk, const struct sp_lb_way *way, struct row *row)
{
    struct sp_lb *lb = talk->lb;
    uint32_t n = 2 * sp_plan_flows_for(lb->listener->nbackends);
    for (size_t i = 0; lb->listener->hairpin && i < lb->listener->nbackends; i++) {
        uint32_t host = lb->listener->backends[i];
        struct sp_lb_way own;
        uint64_t at_us = lb->lead_us;
        row->hairpins[i] = SP_NONE;
        if (lb->run->fleet->sessions[host].state == SP_PROBE_READY &&
            sp_lb_way_of(lb, host, &way->dst, &own)) {
            const struct sp_lb_plan plan = {.n = n < 20 ? 20 : n,
                                            .step_us = 3 * sp_lb_step_us(lb, host)};
            row->hairpins[i] = sp_lb_add(lb, talk->batch, &own, &plan, &at_us);
        }
    }
}

static void add_rows(struct talk *talk)
{
    struct sp_lb *lb = talk->lb;
    uint64_t at_us = lb->why ? 0 : lb->lead_us;
    for (size_t w = 0; w < lb->nways; w++) {
        const struct sp_lb_way *way = &lb->ways[w];
        struct row *row = &talk->rows[w];
        row->block = row->hello = SP_NONE;
        if (way->client == SP_NONE) {
            continue;
        }
        uint32_t step_us = sp_lb_step_us(lb, way->client);
        struct sp_lb_plan plan = {.n = plain_talks(lb->listener), .step_us = step_us};
        if (lb->why) {
            plan = (struct sp_lb_plan){.flags = SP_BLOCK_MUTE, .n = MUTES, .step_us = 10 * step_us};
        }
        row->block = sp_lb_add(lb, talk->batch, way, &plan, &at_us);
        if (lb->listener->tls && !lb->why) {
            plan =
                (struct sp_lb_plan){.flags = SP_BLOCK_HELLO, .n = HELLOS, .step_us = 10 * step_us};
            row->hello = sp_lb_add(lb, talk->batch, way, &plan, &at_us);
        }
        if (!lb->why) {
            add_hairpins(talk, way, row);
        }
    }
}

static void count_rows(struct talk *talk)
{
    struct sp_lb *lb = talk->lb;
    for (size_t w = 0; w < lb->nways; w++) {
        struct row *row = &talk->rows[w];
        count(lb, talk->batch, row->block, &lb->ways[w], &row->tallies[ROW_PLAIN]);
        count(lb, talk->batch, row->hello, &lb->ways[w], &row->tallies[ROW_HELLO]);
        for (size_t i = 0; lb->ways[w].client != SP_NONE && !lb->why && lb->listener->hairpin &&
                           i < lb->listener->nbackends;
             i++) {
            struct sp_lb_way own;
            if (sp_lb_way_of(lb, lb->listener->backends[i], &lb->ways[w].dst, &own)) {
                count(lb, talk->batch, row->hairpins[i], &own, &row->tallies[ROW_HAIRPIN]);
            }
        }
    }
}

static void free_rows(struct talk *talk)
{
    for (size_t w = 0; talk->rows && w < talk->lb->nways; w++) {
        sp_free(talk->rows[w].tallies[ROW_PLAIN].backends);
        sp_free(talk->rows[w].hairpins);
    }
    sp_free(talk->rows);
    talk->rows = NULL;
}

static enum sp_rc run_once(struct talk *talk, struct sp_diag *diag)
{
    struct sp_lb *lb = talk->lb;
    free_rows(talk);
    talk->rows = sp_calloc(lb->nways, sizeof(*talk->rows));
    bool good = talk->rows != NULL;
    for (size_t w = 0; good && w < lb->nways; w++) {
        struct row *row = &talk->rows[w];
        row->tallies[ROW_PLAIN].backends =
            sp_calloc(lb->listener->nbackends, sizeof(*row->tallies[ROW_PLAIN].backends));
        row->hairpins = sp_calloc(lb->listener->nbackends, sizeof(*row->hairpins));
        good = row->tallies[ROW_PLAIN].backends && row->hairpins;
    }
    enum sp_rc rc = good ? sp_round_new_batch(lb->run, &talk->batch) : SP_E_NOMEM;
    if (rc == SP_OK) {
        talk->batch->keep_bytes = 0;
        add_rows(talk);
        rc = talk->batch->nshots > 0 ? sp_batch_run(talk->batch, diag) : SP_OK;
        if (rc == SP_OK) {
            count_rows(talk);
            sp_round_add_counters(lb->run, talk->batch);
        }
        sp_batch_free(talk->batch);
        talk->batch = NULL;
    }
    return rc;
}

/* ---- what it says ---- */

/* NULL: nothing of this check is declared for the listener, and nothing is to be said of it. */
struct check {
    const char *name;
    char expected[160];
    bool is_share; /* it depends on which backends take part */
    struct sp_lb_said said;
};

static void expect_skew(const struct sp_lb *lb, struct check *check)
{
    const struct sp_listener *listener = lb->listener;
    double most = listener->max_skew >= 0 ? listener->max_skew : SP_LB_USUAL_SKEW;
    size_t n = (size_t)snprintf(check->expected, sizeof(check->expected),
                                "shares within %.0f %% of ", 100 * most);
    for (size_t i = 0; listener->weights && i < listener->nbackends && n + 12 < 150; i++) {
        n += (size_t)snprintf(check->expected + n, sizeof(check->expected) - n, "%s%u",
                              i > 0 ? ":" : "", listener->weights[i]);
    }
    if (!listener->weights && n < sizeof(check->expected)) {
        (void)snprintf(check->expected + n, sizeof(check->expected) - n, "even ones");
    }
}

static void expect(struct check *check, const char *name, const char *word)
{
    check->name = name;
    (void)snprintf(check->expected, sizeof(check->expected), "%s", word ? word : "");
}

#define CHECKS 7U

/* All that conversations on one way say; how many checks. */
static size_t judge_row(const struct sp_lb *lb, const struct sp_lb_way *way, struct row *row,
                        struct check checks[static CHECKS])
{
    const struct sp_listener *listener = lb->listener;
    const struct sp_lb_tally *plain = &row->tallies[ROW_PLAIN];
    size_t n = 0;
    if (listener->has_source || plain->arrived > 0) {
        expect(&checks[n], "source", listener->source);
        sp_lb_judge_source(listener, plain, &checks[n++].said);
    }
    if (listener->has_proxy_protocol || plain->heard > 0) {
        expect(&checks[n], "proxy_protocol", listener->proxy_protocol);
        sp_lb_judge_proxy(listener, plain, &checks[n++].said);
    }
    if (wants_skew(listener)) {
        expect(&checks[n], "skew", NULL);
        expect_skew(lb, &checks[n]);
        checks[n].is_share = true;
        sp_lb_judge_skew(lb->model, listener, plain, &checks[n++].said);
    }
    if (listener->affinity) {
        expect(&checks[n], "affinity", listener->affinity);
        checks[n].is_share = !sp_lb_is_word(listener->affinity, "source");
        sp_lb_judge_affinity(lb->model, listener, plain, &checks[n++].said);
    }
    if (listener->cross_zone) {
        expect(&checks[n], "cross_zone", listener->cross_zone);
        checks[n].is_share = sp_lb_is_word(listener->cross_zone, "on");
        sp_lb_judge_zones(lb->model, listener, &way->dst, plain, &checks[n++].said);
    }
    for (size_t i = 0; i < n && plain->arrived == 0 && sp_lb_is_word(listener->tls, "terminated");
         i++) {
        sp_lb_unknown(&checks[i].said,
                      "the balancer ends TLS, and conversations of clear text do not pass it",
                      "look at it behind the TLS, or on a listener without");
        checks[i].said.verdict = SP_CLAIM_NOT_OBSERVABLE;
    }
    if (listener->tls) {
        expect(&checks[n], "tls_mode", listener->tls);
        sp_lb_judge_tls(listener, &row->tallies[ROW_HELLO], &checks[n++].said);
    }
    if (listener->hairpin) {
        expect(&checks[n], "hairpin", listener->hairpin);
        checks[n].is_share = true;
        sp_lb_judge_hairpin(listener, &row->tallies[ROW_HAIRPIN], &checks[n++].said);
    }
    return n;
}

/* Does all of it hold? With claims, each is added. */
static enum sp_rc judge(struct talk *talk, bool with_claims, bool *ret_good)
{
    struct sp_lb *lb = talk->lb;
    enum sp_rc rc = SP_OK;
    bool came = false; /* data of any way */
    for (size_t w = 0; w < lb->nways; w++) {
        came = came || talk->rows[w].tallies[ROW_PLAIN].arrived > 0;
    }
    *ret_good = true; /* as far as health checks that were not done yet could have spoilt it */
    for (size_t w = 0; w < lb->nways && rc == SP_OK; w++) {
        struct check checks[CHECKS] = {0};
        size_t n = lb->why || lb->ways[w].client == SP_NONE
                       ? 0
                       : judge_row(lb, &lb->ways[w], &talk->rows[w], checks);
        for (size_t i = 0; i < n && rc == SP_OK; i++) {
            bool is_shaky = checks[i].said.verdict == SP_CLAIM_FAILS && checks[i].is_share;
            is_shaky = is_shaky || (checks[i].said.verdict == SP_CLAIM_UNKNOWN && !came);
            *ret_good = *ret_good && !is_shaky;
            if (with_claims) {
                rc = sp_lb_claim(lb, checks[i].name, &lb->ways[w].dst, checks[i].expected,
                                 &checks[i].said);
            }
        }
    }
    return rc;
}

static void add_present(struct sp_lb *lb, const struct talk *talk)
{
    for (size_t w = 0; w < lb->nways; w++) {
        const struct sp_lb_tally *plain = &talk->rows[w].tallies[ROW_PLAIN];
        struct sp_lb_tally *all = &lb->present[w];
        all->sent += plain->sent;
        all->answered += plain->answered;
        all->refused += plain->refused;
        all->arrived += plain->arrived;
    }
}

/* Where no clear text comes through, the rest of what is declared cannot be seen by it. */
static void find_hindrance(struct sp_lb *lb, const struct talk *talk)
{
    bool came = false;
    for (size_t w = 0; w < lb->nways; w++) {
        const struct sp_lb_tally *plain = &talk->rows[w].tallies[ROW_PLAIN];
        came = came || plain->arrived > 0 || plain->served > 0;
    }
    if (came || lb->why) {
        return;
    }
    lb->is_consent = sp_lb_is_word(lb->listener->tls, "terminated");
    lb->why = lb->is_consent
                  ? "the balancer ends TLS, and conversations of clear text do not pass it"
                  : "no conversation came through the balancer";
    lb->help = lb->is_consent ? "look at it behind the TLS, or on a listener without"
                              : "see the verdict of its listener's flow, and its list of backends";
}

static bool is_stopped(const struct sp_lb *lb)
{
    return lb->run->stop_flag && *lb->run->stop_flag;
}

enum sp_rc sp_lb_talk(struct sp_lb *lb, struct sp_diag *diag)
{
    static const uint32_t leads[] = {LEAD_US, LEAD_LONG_US, LEAD_MAX_US};
    struct talk talk = {.lb = lb};
    bool good = false;
    enum sp_rc rc = SP_OK;
    /* The longest one only where health checks are declared. */
    size_t tries = lb->why ? 1 : lb->listener->health.is_declared ? 3 : 2;
    for (size_t i = 0; i < tries && rc == SP_OK && !good && !is_stopped(lb); i++) {
        lb->lead_us = leads[i];
        rc = run_once(&talk, diag);
        rc = rc == SP_OK ? judge(&talk, false, &good) : rc;
    }
    if (rc == SP_OK && talk.rows && !is_stopped(lb)) {
        add_present(lb, &talk);
        rc = judge(&talk, true, &good);
        find_hindrance(lb, &talk);
    }
    free_rows(&talk);
    return rc == SP_E_NOMEM ? sp_fail(diag, rc, "balancers", "out of memory") : rc;
}
