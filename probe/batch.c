/* SPDX-License-Identifier: Apache-2.0 */
#include "probe/batch.h"

#include <string.h>

#include "probe/base/mem.h"
#include "probe/engine.h"

static void tables(struct sp_batch_state *batch, struct sp_table *out[5])
{
    out[0] = &batch->shot_by_tag;
    out[1] = &batch->shot_by_tuple;
    out[2] = &batch->arrival_by_tag;
    out[3] = &batch->arrival_by_tuple;
    out[4] = &batch->untagged_by_flow;
}

void sp_batch_state_init(struct sp_batch_state *batch)
{
    struct sp_table *t[5];
    memset(batch, 0, sizeof(*batch));
    tables(batch, t);
    for (int i = 0; i < 5; i++) {
        sp_table_init(t[i]);
    }
}

void sp_batch_state_release(struct sp_batch_state *batch)
{
    struct sp_table *t[5];
    tables(batch, t);
    for (int i = 0; i < 5; i++) {
        sp_table_release(t[i]);
    }
    sp_free(batch->blocks);
    sp_free(batch->outers);
    sp_free(batch->shots);
    sp_free(batch->arrivals);
    sp_free(batch->untagged);
    memset(batch, 0, sizeof(*batch));
}

/* Gives the memory back too: one huge batch must not make the probe big for ever. */
void sp_batch_state_clear(struct sp_batch_state *batch)
{
    sp_batch_state_release(batch);
    sp_batch_state_init(batch);
}

static uint64_t tag_key(uint16_t block, uint16_t port)
{
    return (uint64_t)block << 16 | port;
}

/* A conversation as one end sees it: the peer, its port, our port. */
static uint64_t tuple_key(const struct sp_addr *peer, uint8_t ip_proto, uint16_t peer_port,
                          uint16_t own_port)
{
    /* The address is folded; find_* compare the rest, so a collision cannot join two conversations.
     */
    static const struct sp_hash_key fold = {0x7365677072666f6cULL, 0x645f616464726573ULL};
    uint64_t ports = (uint64_t)ip_proto << 32 | (uint64_t)peer_port << 16 | own_port;
    return sp_siphash(&fold, peer, sizeof(*peer)) ^ ports << 8 ^ ports >> 24;
}

enum sp_rc sp_batch_add_block(struct sp_batch_state *batch, const struct sp_block *block)
{
    if (batch->nblocks >= SP_ENGINE_MAX_BLOCKS) {
        return SP_E_LIMIT;
    }
    if (batch->nblocks && block->first < batch->blocks[batch->nblocks - 1].first) {
        return SP_E_INVALID; /* ids come in rising order, so that find is a binary search */
    }
    if (sp_grow((void **)&batch->blocks, batch->nblocks, &batch->cap_blocks, sizeof(*block)) != 0) {
        return SP_E_NOMEM;
    }
    batch->blocks[batch->nblocks++] = *block;
    return SP_OK;
}

enum sp_rc sp_batch_add_outer(struct sp_batch_state *batch, const struct sp_outer *outer)
{
    struct sp_block *block = batch->nblocks ? &batch->blocks[batch->nblocks - 1] : NULL;
    if (!block || block->nouters >= SP_OUTERS_MAX) {
        return SP_E_INVALID;
    }
    if (sp_grow((void **)&batch->outers, batch->nouters, &batch->cap_outers, sizeof(*outer)) != 0) {
        return SP_E_NOMEM;
    }
    block->outers = block->nouters++ == 0 ? (uint32_t)batch->nouters : block->outers;
    batch->outers[batch->nouters++] = *outer;
    return SP_OK;
}

uint32_t sp_batch_find_block(const struct sp_batch_state *batch, uint16_t id)
{
    size_t lo = 0;
    size_t hi = batch->nblocks;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if (batch->blocks[mid].first <= id) {
            lo = mid + 1;
        } else {
            hi = mid;
        }
    }
    if (lo == 0 || id - batch->blocks[lo - 1].first >= batch->blocks[lo - 1].attempts) {
        return SP_NO_ROW;
    }
    return (uint32_t)(lo - 1);
}

enum sp_rc sp_batch_add_shot(struct sp_batch_state *batch, const struct sp_shot *shot,
                             uint8_t ip_proto)
{
    const struct sp_technique *tech = batch->blocks[shot->block_row].tech;
    if (batch->nshots >= SP_ENGINE_MAX_SHOTS) {
        return SP_E_LIMIT;
    }
    if (sp_grow((void **)&batch->shots, batch->nshots, &batch->cap_shots, sizeof(*shot)) != 0) {
        return SP_E_NOMEM;
    }
    uint32_t row = (uint32_t)batch->nshots;
    batch->shots[batch->nshots] = *shot;
    uint64_t tuple =
        tuple_key(&shot->flow.dst, ip_proto, tech->wire_dport(&shot->flow), shot->flow.sport);
    enum sp_rc rc =
        sp_table_put(&batch->shot_by_tag, tag_key(shot->flow.block, shot->flow.port), row);
    if (rc == SP_OK) {
        rc = sp_table_put(&batch->shot_by_tuple, tuple, row);
    }
    if (rc == SP_OK) {
        batch->nshots++;
    }
    return rc;
}

struct sp_shot *sp_batch_shot_by_tag(const struct sp_batch_state *batch, uint16_t block,
                                     uint16_t port)
{
    uint32_t row = sp_table_get(&batch->shot_by_tag, tag_key(block, port));
    if (row >= batch->nshots) {
        return NULL;
    }
    /* A row that could not be finished for lack of memory may be another's by now. */
    struct sp_shot *shot = &batch->shots[row];
    return shot->flow.block == block && shot->flow.port == port ? shot : NULL;
}

struct sp_shot *sp_batch_shot_by_tuple(const struct sp_batch_state *batch,
                                       const struct sp_addr *peer, uint8_t ip_proto,
                                       uint16_t peer_port, uint16_t own_port)
{
    uint32_t row =
        sp_table_get(&batch->shot_by_tuple, tuple_key(peer, ip_proto, peer_port, own_port));
    if (row >= batch->nshots) {
        return NULL;
    }
    struct sp_shot *shot = &batch->shots[row];
    const struct sp_technique *tech = batch->blocks[shot->block_row].tech;
    uint8_t proto = sp_flow_ip_proto(tech, shot->flow.dst.family, shot->flow.port);
    bool same = sp_addr_eq(&shot->flow.dst, peer) && proto == ip_proto &&
                shot->flow.sport == own_port && tech->wire_dport(&shot->flow) == peer_port;
    return same ? shot : NULL;
}

/* Port of the peer and of this host in an inbound probe packet. */
static void wire_ports(const struct sp_pkt *pkt, uint16_t *ret_sport, uint16_t *ret_dport)
{
    bool icmp = pkt->ip_proto == SP_IPPROTO_ICMP || pkt->ip_proto == SP_IPPROTO_ICMP6;
    *ret_sport = icmp ? pkt->echo_id : pkt->sport;
    *ret_dport = icmp ? pkt->echo_seq : pkt->dport;
}

/* Fills a row from the packet; false when memory is out. */
static bool set_arrival(struct sp_batch_state *batch, uint32_t row, uint16_t block, uint16_t port,
                        uint32_t block_row, const struct sp_pkt *pkt)
{
    struct sp_arrival *a = &batch->arrivals[row];
    memset(a, 0, sizeof(*a));
    a->flow = (struct sp_flow){.src = pkt->src, .dst = pkt->dst, .block = block, .port = port};
    wire_ports(pkt, &a->flow.sport, &a->wire_dport);
    a->block_row = block_row;
    a->ip_proto = pkt->ip_proto;
    a->ttl = pkt->ttl;
    uint64_t tuple = tuple_key(&pkt->src, pkt->ip_proto, a->flow.sport, a->wire_dport);
    return sp_table_put(&batch->arrival_by_tuple, tuple, row) == SP_OK;
}

struct sp_arrival *sp_batch_arrival(struct sp_batch_state *batch, uint16_t block, uint16_t port,
                                    uint32_t block_row, const struct sp_pkt *pkt)
{
    uint64_t key = tag_key(block, port);
    uint32_t row = sp_table_get(&batch->arrival_by_tag, key);
    if (row < batch->narrivals && batch->arrivals[row].flow.block == block &&
        batch->arrivals[row].flow.port == port) {
        struct sp_arrival *known = &batch->arrivals[row];
        if (known->block_row != SP_NO_ROW || block_row == SP_NO_ROW) {
            return known;
        }
        /* A stray (say, the tag copied into another protocol) must not hide the real arrival. */
        return set_arrival(batch, row, block, port, block_row, pkt) ? known : NULL;
    }
    if (batch->narrivals >= SP_ENGINE_MAX_SHOTS ||
        sp_grow((void **)&batch->arrivals, batch->narrivals, &batch->cap_arrivals,
                sizeof(*batch->arrivals)) != 0) {
        return NULL;
    }
    row = (uint32_t)batch->narrivals;
    if (!set_arrival(batch, row, block, port, block_row, pkt) ||
        sp_table_put(&batch->arrival_by_tag, key, row) != SP_OK) {
        return NULL;
    }
    batch->narrivals++;
    return &batch->arrivals[row];
}

struct sp_arrival *sp_batch_arrival_by_tuple(const struct sp_batch_state *batch,
                                             const struct sp_addr *peer, uint8_t ip_proto,
                                             uint16_t peer_port, uint16_t own_port)
{
    uint32_t row =
        sp_table_get(&batch->arrival_by_tuple, tuple_key(peer, ip_proto, peer_port, own_port));
    if (row >= batch->narrivals) {
        return NULL;
    }
    struct sp_arrival *a = &batch->arrivals[row];
    bool same = sp_addr_eq(&a->flow.src, peer) && a->ip_proto == ip_proto &&
                a->flow.sport == peer_port && a->wire_dport == own_port;
    return same ? a : NULL;
}

static uint64_t untagged_key(const struct sp_untagged *u)
{
    static const struct sp_hash_key fold = {0x7365677072666f6cULL, 0x756e746167676564ULL};
    uint8_t text[2 * sizeof(struct sp_addr) + 3];
    memcpy(text, &u->src, sizeof(u->src));
    memcpy(text + sizeof(u->src), &u->dst, sizeof(u->dst));
    uint8_t *p = text + 2 * sizeof(struct sp_addr);
    p[0] = u->proto;
    p[1] = (uint8_t)(u->port >> 8);
    p[2] = (uint8_t)u->port;
    return sp_siphash(&fold, text, sizeof(text));
}

void sp_batch_count_untagged(struct sp_batch_state *batch, const struct sp_untagged *seen)
{
    struct sp_untagged entry = *seen;
    for (int pass = 0; pass < 2; pass++) {
        uint64_t key = untagged_key(&entry);
        uint32_t row = sp_table_get(&batch->untagged_by_flow, key);
        if (row < batch->nuntagged) {
            batch->untagged[row].count++;
            return;
        }
        /* The second half of the places is for ports whose sources are too many to tell apart. */
        size_t room = pass == 0 ? SP_ENGINE_MAX_UNTAGGED / 2 : SP_ENGINE_MAX_UNTAGGED;
        if (batch->nuntagged < room) {
            if (sp_grow((void **)&batch->untagged, batch->nuntagged, &batch->cap_untagged,
                        sizeof(entry)) == 0 &&
                sp_table_put(&batch->untagged_by_flow, key, (uint32_t)batch->nuntagged) == SP_OK) {
                entry.count = 1;
                batch->untagged[batch->nuntagged++] = entry;
                return;
            }
            break;
        }
        entry.src = (struct sp_addr){0};
    }
    batch->untagged_overflow = true;
}

void sp_batch_explain_untagged(struct sp_batch_state *batch, const struct sp_untagged *seen)
{
    uint32_t row = sp_table_get(&batch->untagged_by_flow, untagged_key(seen));
    if (row < batch->nuntagged && batch->untagged[row].count > 0) {
        batch->untagged[row].count--;
    }
}
