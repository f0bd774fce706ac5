/* SPDX-License-Identifier: Apache-2.0 */
#include "probe/engine.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "probe/base/clock.h"
#include "probe/base/ipproto.h"
#include "probe/base/mem.h"
#include "probe/engine_state.h"

enum sp_rc sp_engine_new(const struct sp_engine_io *io, const struct sp_bounds *bounds,
                         uint32_t generation, struct sp_engine **ret_engine)
{
    struct sp_engine *engine = sp_calloc(1, sizeof(*engine));
    if (!engine) {
        return SP_E_NOMEM;
    }
    engine->io = *io;
    engine->bounds = *bounds;
    engine->generation = generation;
    sp_batch_state_init(&engine->batch);
    sp_keep_init(&engine->keep);
    *ret_engine = engine;
    return SP_OK;
}

/* Nothing of a batch outlives it: no conversation, no stand-in. */
static void end_batch(struct sp_engine *engine)
{
    sp_engine_dialogs_end(engine);
    sp_engine_unstand(engine);
}

void sp_engine_free(struct sp_engine *engine)
{
    if (engine) {
        end_batch(engine);
        sp_free(engine->dialogs);
        sp_free(engine->standins);
        sp_sweeps_clear(&engine->sweeps);
        sp_batch_state_release(&engine->batch);
        sp_keep_release(&engine->keep);
        sp_engine_transits_end(engine);
        sp_netinfo_release(&engine->net);
        sp_free(engine);
    }
}

bool sp_engine_is_armed(const struct sp_engine *engine)
{
    return engine->phase >= SP_PHASE_ARMED;
}

uint32_t sp_engine_since(const struct sp_engine *engine, uint64_t now_us)
{
    uint64_t d = engine->fired_us && now_us > engine->fired_us ? now_us - engine->fired_us : 0;
    return d > UINT32_MAX ? UINT32_MAX : (uint32_t)d;
}

void sp_engine_complain(struct sp_engine *engine, enum sp_error_code code, const char *text)
{
    struct sp_record record = {.type = SP_REC_ERROR};
    record.u.error.code = (uint16_t)code;
    record.u.error.generation = engine->generation;
    (void)snprintf(record.u.error.text, sizeof(record.u.error.text), "%s", text);
    engine->io.tell(engine->io.arg, &record);
}

/* ---- setting a batch up ---- */

static void on_batch(struct sp_engine *engine, const struct sp_rec_batch *order)
{
    if (order->generation != engine->generation) {
        sp_engine_complain(engine, SP_ERR_IFACE, "the order was for an earlier sensor");
        return;
    }
    end_batch(engine);
    (void)engine->io.listen(engine->io.arg, false, 0, 0);
    sp_batch_state_clear(&engine->batch);
    sp_sweeps_clear(&engine->sweeps);
    sp_keep_start(&engine->keep, order->keep_bytes);
    sp_engine_transits_end(engine);
    engine->order = *order;
    sp_tag_keys_init(&engine->keys, order->key);
    engine->phase = SP_PHASE_SETUP;
    engine->expires_us = sp_mono_us() + (uint64_t)order->lifetime_ms * 1000;
    engine->fired_us = 0;
    engine->next_shot = 0;
    engine->next_again = 0;
    engine->is_watching = false;
    engine->is_wrapping = false;
    engine->replies_due = 0;
    engine->sent = engine->failed = 0;
    engine->is_done_told = false;
    engine->longest_gap_us = 0;
    engine->neighbour_waits = 3;
    engine->path[0] = '\0';
}

static void on_block(struct sp_engine *engine, const struct sp_rec_block *order)
{
    const struct sp_technique_info *info = sp_technique_find(order->technique);
    struct sp_block block = {.first = order->block,
                             .attempts = order->attempts,
                             .flags = order->flags,
                             .src = order->src,
                             .dst = order->dst,
                             .other = order->other,
                             .ttl = order->ttl,
                             .bytes = order->bytes,
                             .pause_ms = order->pause_ms};
    if (info && info->hazard <= engine->bounds.hazard) {
        block.tech = sp_technique_code(sp_technique_index(info));
        block.flags |= block.tech->needs_link ? SP_BLOCK_LINK : 0U;
        block.hazard = info->hazard;
        engine->is_wrapping = engine->is_wrapping || block.tech->wraps != SP_WRAP_NONE;
    } else {
        block.refused = SP_REFUSED_TECHNIQUE;
    }
    engine->is_watching = engine->is_watching || (block.flags & SP_BLOCK_WATCH) != 0;
    if (order->attempts == 0 || (uint32_t)order->block + order->attempts > SP_ENGINE_MAX_BLOCKS ||
        sp_sweeps_hold(&engine->sweeps, order->block, order->attempts) ||
        sp_batch_add_block(&engine->batch, &block) != SP_OK) {
        sp_engine_complain(engine, SP_ERR_PROTOCOL, "a block could not be taken");
    }
}

static bool any_has(const struct sp_prefix *prefixes, size_t n, const struct sp_addr *addr)
{
    for (size_t i = 0; i < n; i++) {
        if (sp_prefix_has(&prefixes[i], addr)) {
            return true;
        }
    }
    return false;
}

bool sp_engine_is_target(const struct sp_engine *engine, const struct sp_addr *addr)
{
    return any_has(engine->bounds.targets, engine->bounds.ntargets, addr);
}

uint8_t sp_engine_check_own(const struct sp_engine *engine, const struct sp_addr *addr)
{
    const struct sp_own *own = sp_netinfo_find(&engine->net, addr);
    const struct sp_iface *iface = own ? sp_netinfo_iface(&engine->net, own->iface) : NULL;
    if (!iface) {
        return SP_REFUSED_NOT_OWN;
    }
    if (!iface->is_up && !iface->is_loopback) {
        return SP_REFUSED_IFACE_DOWN;
    }
    return iface->has_xdp ? SP_REFUSED_XDP : SP_REFUSED_NONE;
}

/* The next hop of a self control: towards the target, else the default route's. */
static uint8_t find_gateway(struct sp_engine *engine, struct sp_block *block,
                            struct sp_route *route)
{
    if (route->gateway.family == SP_FAMILY_NONE) {
        /* Only looked up, never sent to: any address outside every local network (RFC 5737, RFC
         * 3849). */
        struct sp_addr far;
        const char *text = block->dst.family == SP_FAMILY_IPV4 ? "192.0.2.1" : "2001:db8::1";
        if (sp_addr_parse(text, &far) != SP_OK ||
            engine->io.route(engine->io.arg, &block->src, &far, route) != SP_OK) {
            return SP_REFUSED_NO_GATEWAY;
        }
    }
    if (route->gateway.family != block->dst.family) {
        return SP_REFUSED_NO_GATEWAY;
    }
    block->dst = route->gateway;
    return SP_REFUSED_NONE;
}

/* Asks for the next hop's address; when the kernel does not have it yet, an echo makes it ask. */
uint8_t sp_engine_resolve(struct sp_engine *engine, struct sp_block *block,
                          const struct sp_route *route)
{
    const struct sp_iface *iface = sp_netinfo_iface(&engine->net, route->iface);
    const struct sp_addr *hop = route->gateway.family ? &route->gateway : &block->dst;
    if (!iface || !engine->bounds.link_injection ||
        !engine->io.can_link(engine->io.arg, route->iface)) {
        return SP_REFUSED_LINK;
    }
    memcpy(block->src_mac, iface->mac, sizeof(block->src_mac));
    if (engine->io.neighbour(engine->io.arg, route->iface, hop, block->dst_mac) == SP_OK) {
        return SP_REFUSED_NONE;
    }
    bool v6 = hop->family == SP_FAMILY_IPV6;
    struct sp_spec echo = {.src = block->src,
                           .dst = *hop,
                           .ip_id = 1,
                           .echo_id = engine->order.sport_lo,
                           .ip_proto = v6 ? SP_IPPROTO_ICMP6 : SP_IPPROTO_ICMP,
                           .icmp_type = v6 ? SP_ICMP6_ECHO : SP_ICMP_ECHO};
    if (engine->neighbour_waits == 0 ||
        engine->io.send_raw(engine->io.arg, &echo, route->iface) != 0) {
        return SP_REFUSED_LINK;
    }
    engine->neighbour_waits--;
    for (int i = 0; i < 30; i++) {
        struct timespec pause = {.tv_nsec = 10000000};
        (void)nanosleep(&pause, NULL);
        if (engine->io.neighbour(engine->io.arg, route->iface, hop, block->dst_mac) == SP_OK) {
            engine->neighbour_waits++;
            return SP_REFUSED_NONE;
        }
    }
    return SP_REFUSED_LINK;
}

/* An address beside both ends, only where the order says so, the technique is one for it, and this
 * probe was started with leave for it: a source that is not this host's own, of class C; or the
 * router that a source route begins with, which is sent to. */
static uint8_t check_other(const struct sp_engine *engine, const struct sp_block *block)
{
    bool forges = (block->flags & SP_BLOCK_FORGED) != 0;
    bool routes = (block->flags & SP_BLOCK_VIA) != 0;
    const struct sp_bounds *bounds = &engine->bounds;
    if (!forges && !routes && !block->tech->forges) {
        return SP_REFUSED_NONE;
    }
    bool may_forge =
        bounds->hazard >= 'C' && any_has(bounds->sources, bounds->nsources, &block->other);
    bool may_route = block->tech->routes && sp_engine_is_target(engine, &block->other);
    bool good = forges == block->tech->forges && (!forges || may_forge) && (!routes || may_route) &&
                (block->flags & SP_BLOCK_SELF) == 0 && block->other.family == block->dst.family;
    return good ? SP_REFUSED_NONE : SP_REFUSED_OTHER;
}

static uint8_t check_sender(struct sp_engine *engine, struct sp_block *block)
{
    struct sp_route route = {0};
    uint8_t refused = sp_engine_check_own(engine, &block->src);
    if (refused == SP_REFUSED_XDP) {
        refused = SP_REFUSED_NONE; /* an XDP program sees no outgoing packets */
    }
    if (refused == SP_REFUSED_NONE) {
        refused = check_other(engine, block);
    }
    if (refused != SP_REFUSED_NONE) {
        return refused;
    }
    if (block->src.family != block->dst.family) {
        return SP_REFUSED_NOT_OWN; /* it would go out under an address that is nobody's */
    }
    if ((block->flags & SP_BLOCK_SELF) == 0 && !sp_engine_is_target(engine, &block->dst)) {
        return SP_REFUSED_TARGET;
    }
    if ((block->flags & SP_BLOCK_SELF) != 0 && block->tech->ip_proto4 != SP_IPPROTO_ICMP) {
        return SP_REFUSED_TECHNIQUE; /* an undeclared next hop gets echoes and nothing else */
    }
    if (block->tech->wraps != SP_WRAP_NONE || block->nouters > 0) {
        return sp_engine_check_outers(engine, block);
    }
    if (engine->io.route(engine->io.arg, &block->src, &block->dst, &route) != SP_OK) {
        return SP_REFUSED_NO_ROUTE;
    }
    if ((block->flags & SP_BLOCK_SELF) != 0) {
        refused = find_gateway(engine, block, &route);
    }
    block->iface = route.iface;
    if (refused == SP_REFUSED_NONE && (block->flags & SP_BLOCK_LINK) != 0) {
        refused = sp_engine_resolve(engine, block, &route);
    }
    return refused;
}

uint8_t sp_engine_check(struct sp_engine *engine, struct sp_block *block)
{
    uint8_t refused = block->refused;
    if (refused == SP_REFUSED_NONE && (block->flags & SP_BLOCK_SENDER) != 0) {
        refused = check_sender(engine, block);
    }
    if (refused == SP_REFUSED_NONE && (block->flags & SP_BLOCK_RECEIVER) != 0) {
        /* A backend that sends to its own balancer may get it back: dst is the balancer's. */
        bool is_both = (block->flags & SP_BLOCK_SENDER) != 0;
        refused = sp_engine_check_own(engine, is_both ? &block->src : &block->dst);
    }
    return refused;
}

void sp_engine_tell_refused(struct sp_engine *engine, uint16_t block, uint8_t reason)
{
    struct sp_record record = {.type = SP_REC_REFUSED};
    record.u.refused.batch = engine->order.batch;
    record.u.refused.block = block;
    record.u.refused.reason = reason;
    engine->io.tell(engine->io.arg, &record);
}

/* Every segment to the reserved ports is wanted only where this probe holds conversations. */
static enum sp_rc start_listening(struct sp_engine *engine)
{
    bool talks = false;
    bool pieces = false;
    for (size_t i = 0; i < engine->batch.nblocks; i++) {
        const struct sp_block *block = &engine->batch.blocks[i];
        talks = talks ||
                (block->tech && block->tech->on_packet && (block->flags & SP_BLOCK_SENDER) != 0);
        pieces = pieces || (block->tech && block->tech->piece);
    }
    if (engine->io.want_pieces) {
        engine->io.want_pieces(engine->io.arg, pieces);
    }
    return engine->io.listen(engine->io.arg, true, talks ? engine->order.sport_lo : 0,
                             talks ? engine->order.sport_hi : 0);
}

static void on_arm(struct sp_engine *engine)
{
    uint32_t refusals = 0;
    sp_netinfo_release(&engine->net);
    enum sp_rc rc = engine->io.netinfo(engine->io.arg, &engine->net);
    bool capture_ok = rc == SP_OK && start_listening(engine) == SP_OK;
    engine->only_iface = 0;
    if (engine->bounds.interface) {
        engine->only_iface = UINT32_MAX;
        for (size_t i = 0; i < engine->net.nifaces; i++) {
            if (strcmp(engine->net.ifaces[i].name, engine->bounds.interface) == 0) {
                engine->only_iface = engine->net.ifaces[i].index;
            }
        }
    }
    for (size_t i = 0; i < engine->batch.nblocks; i++) {
        struct sp_block *block = &engine->batch.blocks[i];
        if (!capture_ok) {
            block->refused = SP_REFUSED_CAPTURE;
        }
        block->refused = sp_engine_check(engine, block);
        if (block->refused != SP_REFUSED_NONE) {
            sp_engine_tell_refused(engine, block->first, block->refused);
            refusals++;
        }
    }
    refusals += sp_engine_arm_sweeps(engine, capture_ok);
    sp_engine_stand(engine);
    engine->at_arm = engine->io.counters(engine->io.arg);
    engine->phase = SP_PHASE_ARMED;
    engine->last_tick_us = 0;
    struct sp_record record = {.type = SP_REC_ARMED};
    record.u.armed.batch = engine->order.batch;
    record.u.armed.refused = refusals;
    engine->io.tell(engine->io.arg, &record);
}

/* A source port of the run's own, or one that the technique is about. */
static bool is_sport(const struct sp_engine *engine, const struct sp_block *block, uint16_t sport)
{
    size_t n = 0;
    const struct sp_technique_info *info =
        block->tech ? sp_technique_find(block->tech->name) : NULL;
    const uint16_t *sports = info ? sp_technique_sports(sp_technique_index(info), &n) : NULL;
    for (size_t i = 0; i < n; i++) {
        if (sports[i] == sport) {
            return true;
        }
    }
    return sport >= engine->order.sport_lo && sport <= engine->order.sport_hi;
}

static void on_shot(struct sp_engine *engine, const struct sp_rec_shot *order)
{
    uint32_t row = sp_batch_find_block(&engine->batch, order->block);
    const struct sp_block *block = row == SP_NO_ROW ? NULL : &engine->batch.blocks[row];
    size_t n = engine->batch.nshots;
    if (!block || (block->flags & SP_BLOCK_SENDER) == 0 || !is_sport(engine, block, order->sport) ||
        (n && order->at_us < engine->batch.shots[n - 1].at_us) || n >= engine->order.budget ||
        (block->tech && block->tech->proto_by_port &&
         !sp_ip_is_testable(block->dst.family, order->port))) {
        sp_engine_complain(engine, SP_ERR_PROTOCOL,
                           "a shot is out of order, of no block, or over the budget");
        return;
    }
    if (block->refused != SP_REFUSED_NONE || !block->tech) {
        return; /* told at ARM */
    }
    struct sp_shot shot = {.block_row = row, .at_us = order->at_us};
    shot.flow = (struct sp_flow){.src = block->src,
                                 .dst = block->dst,
                                 .block = order->block,
                                 .port = order->port,
                                 .sport = order->sport};
    uint8_t proto = sp_flow_ip_proto(block->tech, block->dst.family, order->port);
    if (sp_batch_add_shot(&engine->batch, &shot, proto) != SP_OK) {
        sp_engine_complain(engine, SP_ERR_INTERNAL, "out of memory for shots");
    }
}

static void on_fire(struct sp_engine *engine)
{
    engine->fired_us = sp_mono_us();
    engine->phase = SP_PHASE_FIRED;
}

uint64_t sp_engine_grown(uint64_t before, uint64_t now)
{
    return before == UINT64_MAX || now == UINT64_MAX || now < before ? UINT32_MAX : now - before;
}

static void on_collect(struct sp_engine *engine)
{
    end_batch(engine);
    sp_engine_volleys_end(engine);
    sp_engine_tell_seen(engine);
    sp_engine_tell_swept(engine);
    sp_engine_tell_transits(engine);
    struct sp_counters now = engine->io.counters(engine->io.arg);
    (void)engine->io.listen(engine->io.arg, false, 0, 0);
    struct sp_record record = {.type = SP_REC_COLLECTED};
    record.u.collected = (struct sp_rec_collected){
        .batch = engine->order.batch,
        .generation = engine->generation,
        .captured = now.captured - engine->at_arm.captured,
        .capture_drops = sp_engine_grown(engine->at_arm.capture_drops, now.capture_drops),
        .softnet_drops = sp_engine_grown(engine->at_arm.softnet_drops, now.softnet_drops),
        .sent = engine->sent,
        .longest_gap_us = engine->longest_gap_us,
        .untagged_overflow = engine->batch.untagged_overflow,
    };
    engine->io.tell(engine->io.arg, &record);
    sp_batch_state_clear(&engine->batch);
    sp_sweeps_clear(&engine->sweeps);
    sp_engine_transits_end(engine);
    engine->phase = SP_PHASE_IDLE;
}

/* The phases in which an order makes sense, as a bit set. */
static uint32_t phases_of(uint8_t type)
{
    if (type == SP_REC_BLOCK || type == SP_REC_STANDIN || type == SP_REC_PATH ||
        type == SP_REC_ARM || type == SP_REC_SWEEP || type == SP_REC_MASK || type == SP_REC_GUARD ||
        type == SP_REC_OUTER) {
        return 1U << SP_PHASE_SETUP;
    }
    if (type == SP_REC_SHOT || type == SP_REC_FIRE) {
        return 1U << SP_PHASE_ARMED;
    }
    if (type == SP_REC_VOLLEY) {
        return 1U << SP_PHASE_FIRED;
    }
    if (type == SP_REC_WANT) {
        return 1U << SP_PHASE_IDLE;
    }
    return type == SP_REC_COLLECT ? 1U << SP_PHASE_ARMED | 1U << SP_PHASE_FIRED : ~0U;
}

static uint32_t batch_of(const struct sp_record *record)
{
    /* Every order but BATCH begins with the batch it belongs to. */
    switch (record->type) {
    case SP_REC_BLOCK:
        return record->u.block.batch;
    case SP_REC_OUTER:
        return record->u.outer.batch;
    case SP_REC_STANDIN:
        return record->u.standin.batch;
    case SP_REC_PATH:
        return record->u.path.batch;
    case SP_REC_ARM:
        return record->u.arm.batch;
    case SP_REC_SHOT:
        return record->u.shot.batch;
    case SP_REC_FIRE:
        return record->u.fire.batch;
    case SP_REC_COLLECT:
        return record->u.collect.batch;
    case SP_REC_WANT:
        return record->u.want.batch;
    case SP_REC_SWEEP:
        return record->u.sweep.batch;
    case SP_REC_MASK:
        return record->u.mask.batch;
    case SP_REC_GUARD:
        return record->u.guard.batch;
    case SP_REC_VOLLEY:
        return record->u.volley.batch;
    default:
        return 0;
    }
}

void sp_engine_order(struct sp_engine *engine, const struct sp_record *record)
{
    if (record->type == SP_REC_BATCH) {
        on_batch(engine, &record->u.batch);
        return;
    }
    if (engine->generation > 0 && engine->order.batch == 0) {
        return; /* meant for the sensor before this one; the controller knows that it is gone */
    }
    if ((phases_of(record->type) & 1U << engine->phase) == 0 ||
        batch_of(record) != engine->order.batch) {
        sp_engine_complain(engine, SP_ERR_PROTOCOL,
                           "an order came in the wrong phase or for another batch");
        return;
    }
    if (record->type == SP_REC_BLOCK) {
        on_block(engine, &record->u.block);
    } else if (record->type == SP_REC_OUTER) {
        sp_engine_outer(engine, &record->u.outer);
    } else if (record->type == SP_REC_STANDIN) {
        sp_engine_standin(engine, &record->u.standin);
    } else if (record->type == SP_REC_PATH) {
        sp_engine_path(engine, &record->u.path);
    } else if (record->type == SP_REC_ARM) {
        on_arm(engine);
    } else if (record->type == SP_REC_SHOT) {
        on_shot(engine, &record->u.shot);
    } else if (record->type == SP_REC_FIRE) {
        on_fire(engine);
    } else if (record->type == SP_REC_COLLECT) {
        on_collect(engine);
    } else if (record->type == SP_REC_WANT) {
        sp_engine_want(engine, &record->u.want);
    } else if (record->type == SP_REC_SWEEP) {
        sp_engine_sweep(engine, &record->u.sweep);
    } else if (record->type == SP_REC_MASK) {
        sp_engine_mask(engine, &record->u.mask);
    } else if (record->type == SP_REC_GUARD) {
        sp_engine_guard(engine, &record->u.guard);
    } else if (record->type == SP_REC_VOLLEY) {
        sp_engine_volley(engine, &record->u.volley);
    } else {
        sp_engine_complain(engine, SP_ERR_PROTOCOL, "not an order");
    }
}

/* ---- time ---- */

int sp_engine_emit(struct sp_engine *engine, const struct sp_block *block,
                   const struct sp_spec *spec)
{
    if (engine->sent >= engine->order.budget) {
        return EDQUOT;
    }
    bool link = (block->flags & SP_BLOCK_LINK) != 0;
    int err = link ? engine->io.send_link(engine->io.arg, spec, block->iface, block->src_mac,
                                          block->dst_mac)
                   : engine->io.send_raw(engine->io.arg, spec, block->iface);
    if (err == 0) {
        engine->sent++;
    } else {
        engine->failed++;
    }
    return err;
}

uint64_t sp_engine_tick(struct sp_engine *engine)
{
    uint64_t now = sp_mono_us();
    if (engine->phase == SP_PHASE_IDLE) {
        return sp_engine_forget_kept(engine, now);
    }
    if (now >= engine->expires_us) {
        end_batch(engine);
        (void)engine->io.listen(engine->io.arg, false, 0, 0);
        sp_batch_state_clear(&engine->batch);
        sp_sweeps_clear(&engine->sweeps);
        sp_keep_release(&engine->keep);
        sp_engine_transits_end(engine);
        engine->phase = SP_PHASE_IDLE;
        sp_engine_complain(engine, SP_ERR_PROTOCOL, "the batch expired");
        return UINT64_MAX;
    }
    if (engine->last_tick_us && now - engine->last_tick_us > engine->longest_gap_us) {
        uint64_t gap = now - engine->last_tick_us;
        engine->longest_gap_us = gap > UINT32_MAX ? UINT32_MAX : (uint32_t)gap;
    }
    engine->last_tick_us = now;
    uint64_t next = engine->expires_us;
    if (engine->phase == SP_PHASE_FIRED) {
        sp_engine_refill(engine, now);
        /* Replies first: a full schedule of shots must not starve them. */
        uint64_t reply = sp_engine_replies(engine, now);
        uint64_t dialog = sp_engine_dialogs(engine, now);
        uint64_t shot = sp_engine_fire_due(engine, now);
        next = dialog < next ? dialog : next;
        next = shot < next ? shot : next;
        next = reply < next ? reply : next;
        uint64_t stand = sp_engine_stands_due(engine, now);
        next = stand < next ? stand : next;
        uint64_t volley = sp_engine_volleys(engine, now);
        next = volley < next ? volley : next;
    }
    if (sp_engine_is_armed(engine)) {
        uint64_t heard = sp_engine_tell_heard(engine, now);
        next = heard < next ? heard : next;
    }
    /* Sending took its time. Even an idle engine ticks, so that a gap in its life (a stopped
     * process) is noticed. */
    now = sp_mono_us();
    uint64_t wait = next > now ? next - now : 0;
    return wait > 50000 ? 50000 : wait;
}
