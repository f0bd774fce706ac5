/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/probe/sweep_kit.h"

#include <stdio.h>
#include <string.h>

#include "tests/support/sp_cmocka.h"

#define FOREVER 3600000

struct kit *sk_setup(uint32_t max_pps, uint32_t budget)
{
    struct kit *kit = kit_new();
    kit->bounds.max_pps = 100000000;
    kit_restart(kit, 0);
    kit_batch(kit, max_pps, budget, FOREVER);
    return kit;
}

void sk_sweep_on(struct kit *kit, uint16_t block, const char *tech, uint16_t flags, const char *src,
                 const char *dst)
{
    struct sp_record r = {.type = SP_REC_SWEEP};
    r.u.sweep = (struct sp_rec_sweep){.batch = kit->batch,
                                      .block = block,
                                      .passes = 3,
                                      .flags = flags,
                                      .src = kit_addr(src),
                                      .dst = kit_addr(dst),
                                      .sport = 40100,
                                      .alt_sport = 40200,
                                      .alt_lo = 40000,
                                      .alt_hi = 41000};
    (void)snprintf(r.u.sweep.technique, sizeof(r.u.sweep.technique), "%s", tech);
    kit_order(kit, &r);
}

void sk_mask(struct kit *kit, uint16_t block, uint8_t kind, uint16_t lo, uint16_t hi)
{
    static struct sp_portset set;
    memset(&set, 0, sizeof(set));
    sp_portset_add_range(&set, lo, hi);
    for (uint16_t chunk = 0; chunk < SP_PORTSET_CHUNKS; chunk++) {
        if (!sp_portset_chunk_is_empty(&set, chunk)) {
            struct sp_record r = {.type = SP_REC_MASK};
            r.u.mask = (struct sp_rec_mask){
                .batch = kit->batch, .block = block, .kind = kind, .chunk = chunk};
            (void)sp_portset_chunk_get(&set, chunk, r.u.mask.bits);
            kit_order(kit, &r);
        }
    }
}

/* One to KIT_PEER by link, of the ports lo .. hi. */
void sk_sweep(struct kit *kit, uint16_t block, uint16_t lo, uint16_t hi)
{
    sk_sweep_on(kit, block, "tcp_syn", SP_BLOCK_SENDER | SP_BLOCK_LINK, KIT_ME, KIT_PEER);
    sk_mask(kit, block, SP_MASK_SEND, lo, hi);
}

void sk_guard_on(struct kit *kit, uint16_t block, const char *tech, uint16_t flags, const char *dst,
                 uint32_t every_us)
{
    struct sp_record r = {.type = SP_REC_GUARD};
    r.u.guard = (struct sp_rec_guard){.batch = kit->batch,
                                      .block = block,
                                      .flags = flags,
                                      .src = kit_addr(KIT_ME),
                                      .dst = kit_addr(dst),
                                      .port = 443,
                                      .sport_lo = 40300,
                                      .sport_hi = 40309,
                                      .every_us = every_us};
    (void)snprintf(r.u.guard.technique, sizeof(r.u.guard.technique), "%s", tech);
    kit_order(kit, &r);
}

void sk_guard(struct kit *kit, uint16_t block)
{
    sk_guard_on(kit, block, "tcp_syn", SP_BLOCK_SENDER | SP_BLOCK_LINK, KIT_PEER, 0);
}

void sk_arm_and_fire(struct kit *kit)
{
    kit_arm(kit);
    kit_fire(kit);
}

void sk_volley(struct kit *kit, uint32_t first, uint32_t count, uint16_t pass, uint32_t pps)
{
    struct sp_record r = {.type = SP_REC_VOLLEY};
    r.u.volley = (struct sp_rec_volley){.batch = kit->batch,
                                        .serial = first + 1000,
                                        .pass = pass,
                                        .first = first,
                                        .count = count,
                                        .pps = pps,
                                        .order = 5};
    kit_order(kit, &r);
}

const struct sp_rec_volleyed *sk_told(const struct kit *kit, size_t index)
{
    const struct sp_record *record = kit_told(kit, SP_REC_VOLLEYED, index);
    assert_non_null(record);
    return &record->u.volleyed;
}

void sk_check_counts(const struct kit *kit, uint32_t sent, uint32_t refused, uint32_t failed,
                     int err)
{
    const struct sp_rec_volleyed *v = sk_told(kit, 0);
    assert_int_equal(v->sent, sent);
    assert_int_equal(v->refused, refused);
    assert_int_equal(v->failed, failed);
    assert_int_equal(v->err, err);
}

/* How often each port of a sweep went out in a pass. */
unsigned sk_times(const struct kit *kit, uint16_t block, uint16_t pass, uint16_t port)
{
    struct sp_tag_keys keys;
    unsigned n = 0;
    sp_tag_keys_init(&keys, kit->key);
    for (size_t i = 0; i < kit->nburst; i++) {
        const struct sp_pkt *pkt = &kit->burst[i].pkt;
        uint16_t id;
        uint16_t of;
        if (pkt->dport == port && pkt->ip_proto == SP_IPPROTO_TCP &&
            sp_tag_check(&keys, pkt->seq, pkt->tsval, &id, &of) && id == block + pass) {
            assert_int_equal(of, port);
            n++;
        }
    }
    return n;
}

uint8_t sk_reason(const struct kit *kit, uint16_t block)
{
    for (size_t i = 0; kit_told(kit, SP_REC_REFUSED, i); i++) {
        const struct sp_rec_refused *refused = &kit_told(kit, SP_REC_REFUSED, i)->u.refused;
        if (refused->block == block) {
            return refused->reason;
        }
    }
    return SP_REFUSED_NONE;
}
