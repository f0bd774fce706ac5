/* SPDX-License-Identifier: Apache-2.0 */
#include "controller/batch.h"

#include <event2/event.h>
#include <stdlib.h>
#include <string.h>

#include "controller/batch_orders.h"
#include "controller/batch_seen.h"
#include "probe/base/clock.h"
#include "probe/base/hash.h"
#include "probe/base/mem.h"
#include "probe/techniques/registry.h"

/* A probe forgets a batch that nobody ends; its sweeps may take a day. */
#define SP_GUEST_LIFETIME_MS 86400000U
/* How long a probe may take to answer an order before it counts as frozen. */
#define SP_ANSWER_US         5000000ULL
#define SP_LAST_WORDS_US     1000000U
#define SP_DRAIN_MIN_US      200000U
/* After a scout's last control: a capture is 30 ms late at most, and nothing is judged by it. */
#define SP_DRAIN_SCOUT_US    100000U
/* How long a control may be on its way before it counts as lost. */
#define SP_CONTROL_WAIT_US   500000U

enum sp_rc sp_batch_new(struct sp_fleet *fleet, uint64_t run, uint32_t id, uint16_t sport_lo,
                        uint16_t sport_hi, struct sp_batch **ret_batch)
{
    struct sp_batch *batch = sp_calloc(1, sizeof(*batch));
    if (!batch) {
        return SP_E_NOMEM;
    }
    batch->fleet = fleet;
    batch->run = run;
    batch->id = id;
    batch->sport_lo = sport_lo;
    batch->sport_hi = sport_hi;
    batch->drill.host = SP_NONE;
    sp_table_init(&batch->by_tag);
    batch->hosts = sp_calloc(fleet->model->nhosts, sizeof(*batch->hosts));
    batch->block_of_id = sp_calloc(65536, sizeof(*batch->block_of_id));
    if (!batch->hosts || !batch->block_of_id) {
        sp_batch_free(batch);
        return SP_E_NOMEM;
    }
    *ret_batch = batch;
    return SP_OK;
}

void sp_batch_free(struct sp_batch *batch)
{
    if (batch) {
        sp_table_release(&batch->by_tag);
        sp_free(batch->blocks);
        sp_free(batch->shots);
        sp_free(batch->untagged);
        sp_free(batch->transits);
        sp_free(batch->hosts);
        sp_free(batch->block_of_id);
        sp_free(batch);
    }
}

uint32_t sp_batch_add_block(struct sp_batch *batch, const struct sp_block_plan *block)
{
    if (batch->next_id + block->attempts > SP_BATCH_MAX_BLOCKS ||
        sp_grow((void **)&batch->blocks, batch->nblocks, &batch->cap_blocks, sizeof(*block)) != 0) {
        return SP_NONE;
    }
    uint32_t row = (uint32_t)batch->nblocks++;
    struct sp_block_plan *added = &batch->blocks[row];
    *added = *block;
    added->first = (uint16_t)batch->next_id;
    added->sender_refused = added->receiver_refused = SP_REFUSED_NONE;
    for (uint32_t i = 0; i < block->attempts; i++) {
        batch->block_of_id[batch->next_id + i] = row;
    }
    batch->next_id += block->attempts;
    batch->hosts[block->from].is_used = true;
    uint32_t host;
    for (size_t i = 0; (host = sp_model_receiver(batch->fleet->model, block->to, i)) != SP_NONE;
         i++) {
        batch->hosts[host].is_used = true;
    }
    return row;
}

uint32_t sp_batch_add_shot(struct sp_batch *batch, uint32_t block, uint16_t attempt, uint16_t port,
                           uint16_t sport, uint32_t at_us)
{
    if (batch->nshots >= SP_BATCH_MAX_SHOTS ||
        sp_grow((void **)&batch->shots, batch->nshots, &batch->cap_shots, sizeof(*batch->shots)) !=
            0) {
        return SP_NONE;
    }
    uint32_t index = (uint32_t)batch->nshots;
    batch->shots[index] = (struct sp_shot_seen){.block = block,
                                                .attempt = attempt,
                                                .port = port,
                                                .sport = sport,
                                                .at_us = at_us,
                                                .elsewhere = SP_NONE,
                                                .arrived_at = SP_NONE,
                                                .heard_at = SP_NONE};
    uint16_t id = (uint16_t)(batch->blocks[block].first + attempt);
    if (sp_table_put(&batch->by_tag, (uint64_t)id << 16 | port, index) != SP_OK) {
        return SP_NONE;
    }
    struct sp_host_batch *sender = &batch->hosts[batch->blocks[block].from];
    uint32_t end_us = at_us + batch->blocks[block].pause_ms * 1000U;
    sender->last_at_us = end_us > sender->last_at_us ? end_us : sender->last_at_us;
    batch->nshots++;
    return index;
}

/* ---- who receives ---- */

bool sp_batch_receives(const struct sp_batch *batch, const struct sp_block_plan *block,
                       uint32_t host)
{
    uint32_t receiver;
    for (size_t i = 0; (receiver = sp_model_receiver(batch->fleet->model, block->to, i)) != SP_NONE;
         i++) {
        if (receiver == host) {
            return true;
        }
    }
    return false;
}

uint16_t sp_batch_port_at(const struct sp_batch *batch, const struct sp_shot_seen *shot)
{
    const struct sp_block_plan *block = &batch->blocks[shot->block];
    uint8_t proto = sp_technique_at(block->technique)->proto;
    const struct sp_listener *listener =
        sp_model_listener(batch->fleet->model, block->to, proto, shot->port);
    return listener ? listener->backend_port : shot->port;
}

/* ---- waiting ---- */

static struct sp_session *session_of(const struct sp_batch *batch, uint32_t host)
{
    return &batch->fleet->sessions[host];
}

typedef bool (*host_done_fn)(const struct sp_host_batch *host);

static bool is_armed(const struct sp_host_batch *host)
{
    return host->is_armed;
}

static bool is_done(const struct sp_host_batch *host)
{
    return host->is_done;
}

static bool is_collected(const struct sp_host_batch *host)
{
    return host->is_collected;
}

static bool all(const struct sp_batch *batch, host_done_fn done)
{
    for (size_t h = 0; h < batch->fleet->model->nhosts; h++) {
        const struct sp_host_batch *host = &batch->hosts[h];
        if (host->is_used && !host->is_lost && !done(host)) {
            return false;
        }
    }
    return true;
}

static uint32_t last_shot_us(const struct sp_batch *batch)
{
    uint32_t last = 0;
    for (size_t h = 0; h < batch->fleet->model->nhosts; h++) {
        last = batch->hosts[h].last_at_us > last ? batch->hosts[h].last_at_us : last;
    }
    return last;
}

static void turn(struct sp_batch *batch, uint64_t max_us)
{
    struct timeval tv = {.tv_sec = (time_t)(max_us / 1000000),
                         .tv_usec = (suseconds_t)(max_us % 1000000)};
    (void)event_base_loopexit(batch->fleet->base, &tv);
    (void)event_base_loop(batch->fleet->base, EVLOOP_ONCE);
    batch->is_stopped = batch->is_stopped || (batch->stop_flag && *batch->stop_flag);
    if (batch->on_progress && batch->fired_us && !batch->guest) {
        uint64_t of = last_shot_us(batch) + SP_DRAIN_MIN_US;
        uint64_t done = sp_mono_us() - batch->fired_us;
        batch->on_progress(batch->progress_arg, done < of ? done : of, of);
    }
}

static bool wait_hosts(struct sp_batch *batch, host_done_fn done, uint64_t timeout_us,
                       const char *what)
{
    uint64_t until = sp_mono_us() + timeout_us;
    while (!all(batch, done) && !batch->is_stopped && sp_mono_us() < until) {
        turn(batch, 20000);
    }
    if (batch->is_stopped) {
        return false;
    }
    for (uint32_t h = 0; h < batch->fleet->model->nhosts; h++) {
        struct sp_host_batch *host = &batch->hosts[h];
        if (host->is_used && !host->is_lost && !done(host)) {
            sp_fleet_lose_silent(session_of(batch, h), what);
        }
    }
    return true;
}

/* After an interrupt: a short time for what has been seen already. */
static void last_words(struct sp_batch *batch)
{
    uint64_t until = sp_mono_us() + SP_LAST_WORDS_US;
    while (!all(batch, is_collected) && sp_mono_us() < until) {
        turn(batch, 20000);
    }
}

/* Until the last control arrived, or is lost; then max(200 ms, 2 RTT) more (design section 6). */
static void drain(struct sp_batch *batch)
{
    uint64_t start = sp_mono_us();
    uint64_t patience = SP_CONTROL_WAIT_US + 2ULL * batch->max_rtt_us;
    while (batch->controls_out > 0 && !batch->is_stopped && sp_mono_us() - start < patience) {
        turn(batch, 10000);
    }
    uint64_t least = batch->is_scout ? SP_DRAIN_SCOUT_US : SP_DRAIN_MIN_US;
    uint64_t rest = 2ULL * batch->max_rtt_us > least ? 2ULL * batch->max_rtt_us : least;
    /* A guest knows when its last control came, and ends no sooner. */
    bool known = batch->last_control_us > start || (batch->guest && batch->last_control_us > 0);
    uint64_t from = known ? batch->last_control_us : start;
    while (!batch->is_stopped && sp_mono_us() < from + rest) {
        uint64_t now = sp_mono_us();
        turn(batch, from + rest > now ? from + rest - now : 0);
    }
}

/* The packets that one probe may send: those of its techniques, with what a conversation sends
 * again, and a crafted reply to every shot of others. */
static uint32_t budget_of(const struct sp_batch *batch)
{
    size_t n = 16 + batch->nshots;
    for (size_t i = 0; i < batch->nshots; i++) {
        const struct sp_block_plan *block = &batch->blocks[batch->shots[i].block];
        n += (size_t)(block->pause_ms > 0 ? 4 : 2) * sp_technique_at(block->technique)->packets;
    }
    return (uint32_t)n;
}

/* The guest goes on for as long as it wants to. */
static void drive(struct sp_batch *batch)
{
    uint64_t wait = 0;
    while (batch->guest && !batch->is_stopped && wait != UINT64_MAX) {
        wait = batch->guest->drive(batch->guest->arg, sp_mono_us());
        if (wait != UINT64_MAX) {
            turn(batch, wait);
        }
    }
}

static enum sp_rc carry_out(struct sp_batch *batch)
{
    struct sp_rec_batch head = {.batch = batch->id,
                                .run = batch->run,
                                .sport_lo = batch->sport_lo,
                                .sport_hi = batch->sport_hi,
                                .budget = budget_of(batch),
                                .keep_bytes = batch->keep_bytes};
    uint32_t last_us = last_shot_us(batch);
    head.lifetime_ms = last_us / 1000 * 2 + 60000;
    if (batch->guest) {
        head.budget = batch->guest->budget;
        head.lifetime_ms = SP_GUEST_LIFETIME_MS;
    }
    sp_random_bytes(head.key, sizeof(head.key));
    /* Every probe listens, also those without a part: a packet that went astray must be seen. */
    for (uint32_t h = 0; h < batch->fleet->model->nhosts; h++) {
        if (session_of(batch, h)->state == SP_PROBE_READY) {
            batch->hosts[h].is_used = true;
        }
    }
    for (uint32_t h = 0; h < batch->fleet->model->nhosts; h++) {
        struct sp_host_batch *host = &batch->hosts[h];
        if (host->is_used && session_of(batch, h)->state != SP_PROBE_READY) {
            host->is_lost = true;
        }
        if (host->is_used && !host->is_lost && sp_batch_send_setup(batch, h, &head) != SP_OK) {
            return SP_E_NOMEM;
        }
    }
    if (!wait_hosts(batch, is_armed, SP_ANSWER_US, "arming")) {
        return SP_OK;
    }
    enum sp_rc rc = sp_batch_send_shots(batch);
    if (rc != SP_OK) {
        return rc;
    }
    batch->fired_us = sp_mono_us();
    sp_batch_send_all(batch, SP_REC_FIRE);
    drive(batch);
    if (wait_hosts(batch, is_done, (uint64_t)last_us * 2 + SP_ANSWER_US, "sending")) {
        drain(batch);
    }
    /* Collecting ends the sending, too; what an interrupted batch saw until then still counts. */
    sp_batch_send_all(batch, SP_REC_COLLECT);
    if (batch->is_stopped) {
        last_words(batch);
    } else {
        (void)wait_hosts(batch, is_collected, SP_ANSWER_US, "collecting");
    }
    return SP_OK;
}

enum sp_rc sp_batch_run(struct sp_batch *batch, struct sp_diag *diag)
{
    for (size_t i = 0; i < batch->nshots; i++) {
        const struct sp_block_plan *block = &batch->blocks[batch->shots[i].block];
        if ((block->flags & SP_BLOCK_CONTROL) != 0 && block->to != SP_NONE) { /* not self */
            batch->controls_out++;
        }
    }
    batch->fleet->ops = sp_batch_seen_ops;
    batch->fleet->ops_arg = batch;
    enum sp_rc rc = carry_out(batch);
    batch->fleet->ops = (struct sp_fleet_ops){0};
    return rc == SP_OK ? SP_OK : sp_fail(diag, rc, "batch", "%s", sp_rc_str(rc));
}
