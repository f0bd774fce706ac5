/* SPDX-License-Identifier: Apache-2.0 */
#include "controller/batch_orders.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "probe/base/hash.h"
#include "probe/base/mem.h"
#include "probe/techniques/registry.h"

static struct sp_session *session_of(const struct sp_batch *batch, uint32_t host)
{
    return &batch->fleet->sessions[host];
}

/* A proxy opens connections of its own, also in the other family. */
static bool is_proxy(const struct sp_model *model, uint32_t target)
{
    bool any = false;
    if (target >= model->nhosts) {
        const struct sp_balancer *balancer = &model->balancers[target - model->nhosts];
        for (size_t i = 0; i < balancer->nlisteners; i++) {
            any = any || sp_listener_rewrites(&balancer->listeners[i]);
        }
    }
    return any;
}

/* The address on which a host receives a block: a backend's first of its family, behind a proxy any
 * other if it has none; family NONE when it can receive nothing. */
static struct sp_addr own_of(const struct sp_batch *batch, const struct sp_block_plan *block,
                             uint32_t host)
{
    const struct sp_host *at = &batch->fleet->model->hosts[host];
    if (block->to == host) {
        return block->own;
    }
    for (size_t i = 0; i < at->naddrs; i++) {
        if (at->addrs[i].family == block->dst.family) {
            return at->addrs[i];
        }
    }
    bool crosses = at->naddrs > 0 && is_proxy(batch->fleet->model, block->to);
    return crosses ? at->addrs[0] : (struct sp_addr){0};
}

static uint64_t place_key(const struct sp_addr *addr, uint16_t port)
{
    static const struct sp_hash_key fold = {0x7365677072666f6cULL, 0x7374616e64696e73ULL};
    return sp_siphash(&fold, addr, sizeof(*addr)) ^ port;
}

/* One stand-in, unless somebody listens there or it was ordered before. */
static enum sp_rc send_standin(struct sp_batch *batch, uint32_t host, struct sp_table *sent,
                               const struct sp_addr *addr, uint16_t port)
{
    struct sp_session *session = session_of(batch, host);
    uint64_t key = place_key(addr, port);
    if (sp_table_get(sent, key) != SP_NO_ROW ||
        sp_session_listens(session, SP_PROTO_TCP, port, addr)) {
        return SP_OK;
    }
    struct sp_record record = {.type = SP_REC_STANDIN};
    record.u.standin = (struct sp_rec_standin){
        .batch = batch->id, .proto = SP_PROTO_TCP, .port = port, .addr = *addr};
    if (batch->drill.host == host) {
        record.u.standin.away_us = batch->drill.away_us;
        record.u.standin.back_us = batch->drill.back_us;
        record.u.standin.is_silent = batch->drill.is_silent;
    }
    sp_fleet_send(session, &record);
    return sp_table_put(sent, key, 0);
}

/* Somebody has to take the data of the conversations that end at this host: a service that may get
 * them, else a stand-in listener. A proxy may use any address of a backend, also of the other
 * family. */
static enum sp_rc send_standins(struct sp_batch *batch, uint32_t host)
{
    const struct sp_model *model = batch->fleet->model;
    const struct sp_host *at = &model->hosts[host];
    struct sp_table sent;
    sp_table_init(&sent);
    enum sp_rc rc = SP_OK;
    for (size_t i = 0; i < batch->nshots && rc == SP_OK; i++) {
        const struct sp_shot_seen *shot = &batch->shots[i];
        const struct sp_block_plan *block = &batch->blocks[shot->block];
        uint16_t port = sp_batch_port_at(batch, shot);
        if (!block->talks || !sp_batch_receives(batch, block, host)) {
            continue;
        }
        const struct sp_listener *listener =
            sp_model_listener(model, block->to, SP_PROTO_TCP, shot->port);
        struct sp_addr own = own_of(batch, block, host);
        for (size_t k = 0; k < at->naddrs && rc == SP_OK; k++) {
            bool used = listener ? sp_listener_has(listener, host) &&
                                       (sp_listener_rewrites(listener) ||
                                        at->addrs[k].family == block->dst.family)
                                 : sp_addr_eq(&at->addrs[k], &own);
            rc = used ? send_standin(batch, host, &sent, &at->addrs[k], port) : SP_OK;
        }
    }
    sp_table_release(&sent);
    return rc;
}

enum sp_rc sp_batch_send_setup(struct sp_batch *batch, uint32_t host,
                               const struct sp_rec_batch *head)
{
    struct sp_session *session = session_of(batch, host);
    struct sp_record record = {.type = SP_REC_BATCH, .u.batch = *head};
    record.u.batch.generation = session->generation;
    record.u.batch.max_pps = sp_model_host_rate(batch->fleet->model, host);
    sp_fleet_send(session, &record);
    for (size_t i = 0; i < batch->nblocks; i++) {
        const struct sp_block_plan *block = &batch->blocks[i];
        bool sender = block->from == host;
        struct sp_addr own = {0};
        if (sp_batch_receives(batch, block, host)) {
            own = own_of(batch, block, host);
        }
        bool receiver = own.family != SP_FAMILY_NONE;
        bool watches = !sender && !receiver && block->is_watched && batch->watchers &&
                       sp_bits_get(batch->watchers, host);
        if (!sender && !receiver && !watches) {
            continue;
        }
        record = (struct sp_record){.type = SP_REC_BLOCK};
        record.u.block.batch = batch->id;
        record.u.block.block = block->first;
        record.u.block.attempts = block->attempts;
        record.u.block.flags =
            (uint16_t)(block->flags | (sender ? SP_BLOCK_SENDER : 0U) |
                       (receiver ? SP_BLOCK_RECEIVER : 0U) | (watches ? SP_BLOCK_WATCH : 0U));
        record.u.block.ttl = sender ? block->ttl : 0;
        record.u.block.bytes = sender ? block->bytes : 0;
        record.u.block.pause_ms = block->pause_ms;
        (void)memcpy(record.u.block.technique, sp_technique_at(block->technique)->name,
                     strlen(sp_technique_at(block->technique)->name) + 1);
        record.u.block.src = block->src;
        record.u.block.other = block->other;
        record.u.block.dst = sender || watches ? block->dst : own;
        sp_fleet_send(session, &record);
        for (size_t k = 0; sender && k < block->nouters; k++) {
            const struct sp_plan_outer *outer = &block->outers[k];
            record = (struct sp_record){.type = SP_REC_OUTER};
            record.u.outer = (struct sp_rec_outer){.batch = batch->id,
                                                   .block = block->first,
                                                   .src = outer->src,
                                                   .dst = outer->dst,
                                                   .vni = outer->vni,
                                                   .mac = outer->mac};
            sp_fleet_send(session, &record);
        }
    }
    if (batch->path) {
        record = (struct sp_record){.type = SP_REC_PATH};
        record.u.path.batch = batch->id;
        (void)snprintf(record.u.path.path, sizeof(record.u.path.path), "%s", batch->path);
        sp_fleet_send(session, &record);
    }
    enum sp_rc rc = send_standins(batch, host);
    if (batch->guest) {
        batch->guest->setup(batch->guest->arg, host);
    }
    record = (struct sp_record){.type = SP_REC_ARM};
    record.u.arm.batch = batch->id;
    sp_fleet_send(session, &record);
    return rc;
}

struct order {
    uint32_t host, at_us, shot;
};

static int by_host_and_time(const void *a, const void *b)
{
    const struct order *x = a;
    const struct order *y = b;
    if (x->host != y->host) {
        return x->host < y->host ? -1 : 1;
    }
    if (x->at_us != y->at_us) {
        return x->at_us < y->at_us ? -1 : 1;
    }
    return x->shot < y->shot ? -1 : x->shot > y->shot;
}

enum sp_rc sp_batch_send_shots(struct sp_batch *batch)
{
    struct order *orders = sp_calloc(batch->nshots, sizeof(*orders));
    if (!orders) {
        return SP_E_NOMEM;
    }
    for (uint32_t i = 0; i < batch->nshots; i++) {
        orders[i] =
            (struct order){batch->blocks[batch->shots[i].block].from, batch->shots[i].at_us, i};
    }
    qsort(orders, batch->nshots, sizeof(*orders), by_host_and_time);
    for (size_t i = 0; i < batch->nshots; i++) {
        const struct sp_shot_seen *shot = &batch->shots[orders[i].shot];
        if (shot->no_standin) {
            continue; /* a real service may have taken the port: it must get nothing */
        }
        struct sp_record record = {.type = SP_REC_SHOT};
        record.u.shot = (struct sp_rec_shot){
            .batch = batch->id,
            .block = (uint16_t)(batch->blocks[shot->block].first + shot->attempt),
            .port = shot->port,
            .sport = shot->sport,
            .at_us = shot->at_us};
        sp_fleet_send(session_of(batch, orders[i].host), &record);
    }
    sp_free(orders);
    return SP_OK;
}

void sp_batch_send_all(struct sp_batch *batch, uint8_t type)
{
    for (uint32_t h = 0; h < batch->fleet->model->nhosts; h++) {
        struct sp_record record = {.type = type};
        if (type == SP_REC_FIRE) {
            record.u.fire.batch = batch->id;
        } else {
            record.u.collect.batch = batch->id;
        }
        if (batch->hosts[h].is_used && !batch->hosts[h].is_lost) {
            sp_fleet_send(session_of(batch, h), &record);
        }
    }
}
