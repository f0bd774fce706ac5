/* SPDX-License-Identifier: Apache-2.0 */
#include "controller/gather.h"

#include <stdio.h>
#include <string.h>

#include "probe/base/mem.h"

enum sp_rc sp_gather_init(struct sp_gather *gather, size_t nhosts, struct sp_evidence *into)
{
    *gather = (struct sp_gather){.into = into, .nhosts = nhosts};
    gather->hosts = sp_calloc(nhosts, sizeof(*gather->hosts));
    return gather->hosts ? SP_OK : SP_E_NOMEM;
}

void sp_gather_release(struct sp_gather *gather)
{
    sp_free(gather->wants);
    sp_free(gather->hosts);
    memset(gather, 0, sizeof(*gather));
}

void sp_gather_begin(struct sp_gather *gather, uint32_t batch, uint64_t fired_us)
{
    gather->batch = batch;
    gather->fired_us = fired_us;
    gather->nwants = gather->open = 0;
}

void sp_gather_add(struct sp_gather *gather, const struct sp_want *want)
{
    if (gather->nwants >= SP_GATHER_MAX_WANTS || want->host >= gather->nhosts ||
        sp_grow((void **)&gather->wants, gather->nwants, &gather->cap_wants,
                sizeof(*gather->wants)) != 0) {
        gather->into->lost++;
        return;
    }
    gather->wants[gather->nwants++] = *want;
}

/* The host's oldest open question, NULL when it has none. */
static const struct sp_want *oldest(struct sp_gather *gather, uint32_t host)
{
    size_t *next = &gather->hosts[host].next;
    while (*next < gather->nwants && gather->wants[*next].host != host) {
        (*next)++;
    }
    return *next < gather->nwants ? &gather->wants[*next] : NULL;
}

static void close_question(struct sp_gather *gather, uint32_t host)
{
    struct sp_gather_host *h = &gather->hosts[host];
    h->next++;
    h->taken = 0;
    h->is_partial = false;
    gather->open--;
}

void sp_gather_ask(struct sp_gather *gather)
{
    memset(gather->hosts, 0, gather->nhosts * sizeof(*gather->hosts));
    gather->open = gather->nwants;
}

void sp_gather_give_up(struct sp_gather *gather, uint32_t host)
{
    while (host < gather->nhosts && gather->open > 0 && oldest(gather, host)) {
        close_question(gather, host);
        gather->into->lost++;
    }
}

/* Is this the next part of the packet that is being put together? Its head must not have changed.
 */
static bool goes_on(const struct sp_gather_host *h, const struct sp_rec_packet *part)
{
    const struct sp_rec_packet *head = &h->head;
    return h->is_partial && part->offset == h->have && part->role == head->role &&
           part->iface == head->iface && part->at_us == head->at_us && part->len == head->len &&
           part->wire_len == head->wire_len;
}

static bool is_sane(const struct sp_rec_packet *part)
{
    return part->role < SP_KEPT_END && part->len > 0 && part->len <= SP_KEPT_MAX_BYTES &&
           part->wire_len >= part->len && part->offset < part->len &&
           part->offset % SP_KEPT_PART_BYTES == 0;
}

static void take_part(struct sp_gather *gather, uint32_t host, const struct sp_want *want,
                      const struct sp_rec_packet *part, const char *iface)
{
    struct sp_gather_host *h = &gather->hosts[host];
    if (!is_sane(part) || part->block != want->block || part->port != want->port ||
        h->taken >= SP_GATHER_MAX_PER_WANT || (part->offset > 0 && !goes_on(h, part))) {
        h->is_partial = false;
        return;
    }
    if (part->offset == 0) {
        h->head = *part;
        h->have = 0;
        h->is_partial = true;
    }
    size_t left = (size_t)part->len - part->offset;
    size_t n = left < SP_KEPT_PART_BYTES ? left : SP_KEPT_PART_BYTES;
    memcpy(h->bytes + part->offset, part->bytes, n);
    h->have = (uint16_t)(part->offset + n);
    if (h->have < part->len) {
        return;
    }
    h->is_partial = false;
    h->taken++;
    struct sp_evidence_packet packet = {.at_us = gather->fired_us + part->at_us,
                                        .test = want->test,
                                        .host = host,
                                        .batch = gather->batch,
                                        .attempt = want->attempt,
                                        .len = part->len,
                                        .wire_len = part->wire_len,
                                        .role = part->role,
                                        .is_control = want->is_control,
                                        .by_link = want->by_link};
    (void)snprintf(packet.iface, sizeof(packet.iface), "%s", iface);
    sp_evidence_add(gather->into, &packet, h->bytes);
}

void sp_gather_take(struct sp_gather *gather, uint32_t host, const struct sp_record *record,
                    const char *iface)
{
    const struct sp_want *want =
        host < gather->nhosts && gather->open > 0 ? oldest(gather, host) : NULL;
    if (!want) {
        return; /* nobody asked */
    }
    if (record->type == SP_REC_PACKET && record->u.packet.batch == gather->batch) {
        take_part(gather, host, want, &record->u.packet, iface);
    } else if (record->type == SP_REC_WANTED && record->u.wanted.batch == gather->batch &&
               record->u.wanted.block == want->block && record->u.wanted.port == want->port) {
        gather->into->lost += record->u.wanted.packets == 0 && record->u.wanted.lost > 0;
        close_question(gather, host);
    }
}
