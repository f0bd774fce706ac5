/* SPDX-License-Identifier: Apache-2.0
 *
 * Bundles: every lane has its numbers, its ids and its controls; both ends are told the same, and
 * nobody else anything; what does not fit is left out, and nothing leaks without memory. */
#include <string.h>

#include "controller/sweep/drive.h"
#include "probe/base/mem.h"
#include "probe/techniques/registry.h"
#include "tests/support/sp_cmocka.h"
#include "tests/unit/controller/sweep/sweep_kit.h"

static uint8_t technique(const char *name)
{
    const struct sp_technique_info *info = sp_technique_find(name);
    assert_non_null(info);
    return (uint8_t)sp_technique_index(info);
}

static struct sp_scouted *scouted(struct sp_sk *sk, uint32_t from, uint8_t proto, bool is_self)
{
    for (size_t i = 0; i < sk->run.scouts.n; i++) {
        struct sp_scouted *at = &sk->run.scouts.at[i];
        if (at->flow.from == from && at->flow.is_self == is_self &&
            (is_self || at->proto == proto)) {
            return at;
        }
    }
    fail_msg("nothing was scouted");
    return NULL;
}

static void add_scout(struct sp_sk *sk, const struct sp_scouted *more)
{
    struct sp_scouts *scouts = &sk->run.scouts;
    assert_int_equal(sp_grow((void **)&scouts->at, scouts->n, &scouts->cap, sizeof(*scouts->at)),
                     0);
    scouts->at[scouts->n++] = *more;
}

static void lanes_have_numbers_and_ids_of_their_own(void **state)
{
    (void)state;
    struct sp_sk *sk = sp_sk_start(0);
    const struct sp_bundle *bundle =
        sp_sk_bundle(sk, (struct sp_sk_wish){.nlanes = 2, .ports = 100, .cell = 64});
    const struct sp_bundle *back =
        sp_sk_bundle(sk, (struct sp_sk_wish){.from = SP_SK_B, .to = SP_SK_A, .ports = 64});
    assert_int_equal(bundle->total, 200);
    assert_int_equal(bundle->ncells, 4); /* 64 64 64 8 */
    assert_int_equal(back->ncells, 1);
    assert_int_equal(bundle->lanes[0].base, 0);
    assert_int_equal(bundle->lanes[1].base, 100);
    assert_int_equal(bundle->lanes[1].count, 100);
    assert_int_equal(bundle->unsound, SP_SOUND);
    assert_int_not_equal(bundle->order, back->order);
    size_t lanes = 0;
    size_t guards = 0;
    for (uint32_t id = 0; id < 65536; id++) {
        assert_true(sk->sb.lane_of_id[id] == 0 || sk->sb.guard_of_id[id] == 0);
        lanes += sk->sb.lane_of_id[id] > 0;
        guards += sk->sb.guard_of_id[id] > 0;
    }
    assert_int_equal(lanes, 3 * 12); /* two passes and ten spare ones each */
    assert_int_equal(guards, sk->sb.nguards);
    assert_int_equal(sk->sb.lane_of_id[0], 0);
    for (unsigned p = 0; p < bundle->npasses; p++) {
        assert_int_equal(sk->sb.lane_of_id[bundle->lanes[0].id + p], 1);
        assert_int_equal(sk->sb.lane_of_id[bundle->lanes[1].id + p], 2);
        assert_int_equal(sk->sb.lane_of_id[back->lanes[0].id + p], 1 + SP_BUNDLE_LANES);
    }
    for (size_t i = 0; i < sk->sb.nguards; i++) {
        assert_int_equal(sk->sb.guard_of_id[sk->sb.guards[i].id], i + 1);
    }
    sp_sk_end(sk);
}

static void passes_are_those_of_the_lane_that_needs_most(void **state)
{
    (void)state;
    struct sp_sk *sk = sp_sk_start(0);
    struct sp_portset denied;
    struct sp_portset allowed;
    sp_sk_ports(&(struct sp_sk_wish){0}, &denied, &allowed);
    struct sp_bundle *bundle = sp_bundle_begin(&sk->sb, SP_SK_A, SP_SK_B);
    static const unsigned passes[] = {3, 2, 5, 1};
    for (int i = 0; i < 4; i++) {
        uint8_t proto = i % 2 ? SP_PROTO_UDP : SP_PROTO_TCP;
        uint32_t sweep = sp_sk_sweep(sk, SP_SK_A, SP_SK_B, proto);
        assert_int_equal(
            sp_bundle_add(&sk->sb, bundle, sweep, &denied, &allowed, passes[i], 0, false), SP_OK);
    }
    assert_int_equal(bundle->passes_wanted, 5);
    assert_int_equal(bundle->npasses, 15);
    uint32_t sweep = sp_sk_sweep(sk, SP_SK_A, SP_SK_B, SP_PROTO_TCP);
    assert_int_equal(sp_bundle_add(&sk->sb, bundle, sweep, &denied, &allowed, 30, 0, false), SP_OK);
    assert_int_equal(bundle->npasses, SP_SWEEP_PASSES_MAX);
    sp_sk_end(sk);
}

/* One flow with the volleys; the same as a flow that exists, to tell a full state table. */
static void a_control_of_the_pair_beats_twice(void **state)
{
    (void)state;
    struct sp_sk *sk = sp_sk_start(0);
    struct sp_bundle *bundle = sp_sk_bundle(sk, (struct sp_sk_wish){.nlanes = 2});
    const struct sp_sweep_lane *lane = &bundle->lanes[0];
    const struct sp_guard_plan *fresh = &sk->sb.guards[lane->guards[0]];
    const struct sp_guard_plan *steady = &sk->sb.guards[lane->guards[2]];
    assert_int_equal(lane->control.grade, SP_GRADE_PAIR);
    assert_int_equal(lane->guards[1], SP_NONE);
    assert_true(fresh->host == SP_SK_A && fresh->flow.to == SP_SK_B && fresh->flow.port == 443);
    assert_true(!fresh->is_steady && fresh->every_us == 0);
    assert_true(steady->is_steady && steady->every_us == 0 && steady->flow.port == 443);
    assert_int_equal(sk->sb.guards[bundle->lanes[1].guards[0]].flow.port, 53);
    assert_int_equal(sk->sb.nguards, 4);
    /* One that is injected elsewhere is another one; the same one is shared. */
    struct sp_portset denied;
    struct sp_portset allowed;
    sp_sk_ports(&(struct sp_sk_wish){0}, &denied, &allowed);
    struct sp_bundle *more = sp_bundle_begin(&sk->sb, SP_SK_A, SP_SK_B);
    uint32_t sweep = lane->sweep;
    assert_int_equal(sp_bundle_add(&sk->sb, more, sweep, &denied, &allowed, 2, 0, false), SP_OK);
    assert_int_equal(more->lanes[0].guards[0], lane->guards[0]);
    assert_int_equal(sk->sb.nguards, 4);
    assert_int_equal(sp_bundle_add(&sk->sb, more, sweep, &denied, &allowed, 2, 0, true), SP_OK);
    assert_int_equal(sk->sb.nguards, 6);
    assert_true(sk->sb.guards[more->lanes[1].guards[0]].is_link);
    /* Who asks again takes another flow, if there is one. */
    struct sp_scouted other = *scouted(sk, SP_SK_A, SP_PROTO_TCP, false);
    other.flow.port = 444;
    add_scout(sk, &other);
    assert_int_equal(sp_bundle_add(&sk->sb, more, sweep, &denied, &allowed, 2, 1, false), SP_OK);
    assert_int_equal(sk->sb.nguards, 8);
    assert_int_equal(sk->sb.guards[more->lanes[2].guards[0]].flow.port, 444);
    sp_sk_end(sk);
}

static void controls_of_others_beat_by_themselves(void **state)
{
    (void)state;
    struct sp_sk *sk = sp_sk_start(0);
    /* Nothing is allowed from a to c: it goes out to b, and in from b. */
    const struct sp_sweep_lane *split =
        sp_sk_bundle(sk, (struct sp_sk_wish){.to = SP_SK_C, .first = SP_PROTO_UDP})->lanes;
    assert_int_equal(split->control.grade, SP_GRADE_SPLIT);
    const struct sp_guard_plan *out = &sk->sb.guards[split->guards[0]];
    const struct sp_guard_plan *in = &sk->sb.guards[split->guards[1]];
    assert_true(out->host == SP_SK_A && out->flow.to == SP_SK_B && out->every_us == 0);
    assert_true(in->host == SP_SK_B && in->flow.to == SP_SK_C && in->every_us > 0);
    assert_int_not_equal(split->guards[2], SP_NONE);
    assert_false(in->is_steady);
    /* The same flow with the volleys of its own sender is another control. */
    const struct sp_sweep_lane *own =
        sp_sk_bundle(sk, (struct sp_sk_wish){.from = SP_SK_B, .to = SP_SK_C, .first = SP_PROTO_UDP})
            ->lanes;
    assert_int_equal(own->control.grade, SP_GRADE_PAIR);
    assert_int_not_equal(own->guards[0], split->guards[1]);
    assert_int_equal(sk->sb.guards[own->guards[0]].every_us, 0);
    /* Nothing in TCP besides that: each end asks its next hop, which has no entry anywhere. */
    const struct sp_sweep_lane *self =
        sp_sk_bundle(sk, (struct sp_sk_wish){.from = SP_SK_C, .to = SP_SK_A})->lanes;
    assert_int_equal(self->control.grade, SP_GRADE_SELF);
    assert_true(sk->sb.guards[self->guards[0]].flow.is_self);
    assert_int_equal(sk->sb.guards[self->guards[0]].host, SP_SK_C);
    assert_int_equal(sk->sb.guards[self->guards[1]].host, SP_SK_A);
    assert_int_equal(self->guards[2], SP_NONE);
    sp_sk_end(sk);
}

static void conversations_guard_no_packets(void **state)
{
    (void)state;
    for (int what = 0; what < 4; what++) {
        struct sp_sk *sk = sp_sk_start(0);
        struct sp_scouted *talks = scouted(sk, SP_SK_A, SP_PROTO_TCP, false);
        struct sp_scouted more = *talks;
        talks->flow.is_http = what == 1;
        talks->flow.technique = what == 1 ? talks->flow.technique : technique("tcp_handshake");
        if (what >= 2) { /* there is another, which does not; or does as well */
            more.flow.port = 444;
            more.flow.technique = technique(what == 2 ? "tcp_syn" : "tcp_handshake");
            add_scout(sk, &more);
        }
        const struct sp_sweep_lane *lane = sp_sk_bundle(sk, (struct sp_sk_wish){0})->lanes;
        assert_int_equal(lane->control.nflows, what == 2 ? 1 : 0);
        assert_int_equal(sk->sb.nguards, what == 2 ? 2 : 0);
        if (what == 2) {
            assert_int_equal(sk->sb.guards[lane->guards[0]].flow.port, 444);
        } else {
            assert_int_equal(lane->guards[0], SP_NONE);
        }
        sp_sk_end(sk);
    }
}

/* Past the sender's own OUTPUT policy goes the bulk, never what must work, and not all of it. */
static void pilots_go_the_common_way(void **state)
{
    (void)state;
    struct sp_sk *sk = sp_sk_start(0);
    const struct sp_sweep_lane *raw = sp_sk_bundle(sk, (struct sp_sk_wish){.ports = 20000})->lanes;
    const struct sp_sweep_lane *link =
        sp_sk_bundle(sk, (struct sp_sk_wish){.is_link = true, .ports = 20000})->lanes;
    assert_memory_equal(&raw->raw, &raw->allowed, sizeof(raw->raw));
    size_t pilots = sp_portset_count(&link->raw) - sp_portset_count(&link->allowed);
    assert_true(pilots > SP_SWEEP_PILOT / 4 && pilots <= SP_SWEEP_PILOT);
    for (uint32_t port = 0; port < SP_PORTSET_PORTS; port++) {
        bool allowed = sp_portset_has(&link->allowed, (uint16_t)port);
        bool denied = sp_portset_has(&link->denied, (uint16_t)port);
        bool is_raw = sp_portset_has(&link->raw, (uint16_t)port);
        assert_true(is_raw ? allowed || denied : !allowed);
    }
    sp_sk_end(sk);
}

/* A packet that is the reverse of another would be let in as its answer. */
static void no_packet_is_the_reverse_of_another(void **state)
{
    (void)state;
    struct sp_sk *sk = sp_sk_start(0);
    const struct sp_bundle *one = sp_sk_bundle(sk, (struct sp_sk_wish){.ports = 100, .passes = 20});
    const struct sp_bundle *two = sp_sk_bundle(
        sk, (struct sp_sk_wish){.from = SP_SK_B, .to = SP_SK_A, .ports = 100, .passes = 20});
    const struct sp_sweep_lane *there = one->lanes;
    const struct sp_sweep_lane *back = two->lanes;
    for (uint32_t d = sk->plan->sport_lo; d <= sk->plan->sport_hi; d++) {
        for (uint16_t p = 0; p < one->npasses * two->npasses; p++) {
            uint32_t s =
                (d >= there->alt_lo && d <= there->alt_hi ? there->alt_sport : there->sport) +
                p % one->npasses;
            uint32_t q = (s >= back->alt_lo && s <= back->alt_hi ? back->alt_sport : back->sport) +
                         p / one->npasses;
            assert_true(s >= sk->plan->sport_lo && s <= sk->plan->sport_hi);
            assert_int_not_equal(q, d);
        }
    }
    sp_sk_end(sk);
}

/* ---- orders ---- */

static size_t count(const struct sp_sk *sk, uint32_t host, uint8_t type)
{
    size_t n = 0;
    for (size_t i = 0; i < sk->norders; i++) {
        n += sk->orders[i].host == host && sk->orders[i].record.type == type;
    }
    return n;
}

static const struct sp_record *order(const struct sp_sk *sk, uint32_t host, uint8_t type,
                                     uint16_t block)
{
    for (size_t i = 0; i < sk->norders; i++) {
        const struct sp_record *record = &sk->orders[i].record;
        uint16_t id = type == SP_REC_SWEEP ? record->u.sweep.block : record->u.guard.block;
        if (sk->orders[i].host == host && record->type == type && id == block) {
            return record;
        }
    }
    fail_msg("it was not ordered");
    return NULL;
}

/* The masks of one kind that a host got for a lane, put together. */
static struct sp_portset mask(const struct sp_sk *sk, uint32_t host, uint16_t block, uint8_t kind)
{
    struct sp_portset set = {0};
    for (size_t i = 0; i < sk->norders; i++) {
        const struct sp_record *record = &sk->orders[i].record;
        if (sk->orders[i].host == host && record->type == SP_REC_MASK &&
            record->u.mask.block == block && record->u.mask.kind == kind) {
            assert_true(sp_portset_chunk_add(&set, record->u.mask.chunk, record->u.mask.bits));
        }
    }
    return set;
}

static void both_ends_are_told_the_same(void **state)
{
    (void)state;
    struct sp_sk *sk = sp_sk_start(0);
    struct sp_bundle *bundle =
        sp_sk_bundle(sk, (struct sp_sk_wish){.nlanes = 2, .ports = 1200, .is_link = true});
    for (uint32_t h = 0; h < SP_SK_HOSTS; h++) {
        sp_sweep_send_setup(&sk->sb, h);
    }
    assert_int_equal(count(sk, SP_SK_A, SP_REC_SWEEP), 2);
    assert_int_equal(count(sk, SP_SK_B, SP_REC_SWEEP), 2);
    assert_int_equal(count(sk, SP_SK_A, SP_REC_GUARD), 4);
    assert_int_equal(count(sk, SP_SK_B, SP_REC_GUARD), 4);
    for (size_t i = 0; i < sk->norders; i++) {
        assert_int_not_equal(sk->orders[i].host, SP_SK_C);
    }
    for (size_t k = 0; k < 2; k++) {
        const struct sp_sweep_lane *lane = &bundle->lanes[k];
        struct sp_rec_sweep a = order(sk, SP_SK_A, SP_REC_SWEEP, lane->id)->u.sweep;
        struct sp_rec_sweep b = order(sk, SP_SK_B, SP_REC_SWEEP, lane->id)->u.sweep;
        assert_int_equal(a.flags, SP_BLOCK_SENDER | SP_BLOCK_LINK);
        assert_int_equal(b.flags, SP_BLOCK_RECEIVER | (k == 1 ? SP_BLOCK_REPLY : 0U));
        assert_string_equal(a.technique, k == 0 ? "tcp_syn" : "udp");
        assert_int_equal(a.passes, bundle->npasses);
        assert_true(sp_addr_eq(&a.dst, &lane->pair->dst) && sp_addr_eq(&b.dst, &lane->pair->own));
        assert_true(a.sport == lane->sport && a.alt_lo == lane->alt_lo);
        b.flags = a.flags;
        assert_memory_equal(&a, &b, sizeof(a));
        struct sp_portset all = lane->denied;
        sp_portset_unite(&all, &lane->allowed);
        struct sp_portset send = mask(sk, SP_SK_A, lane->id, SP_MASK_SEND);
        struct sp_portset raw = mask(sk, SP_SK_A, lane->id, SP_MASK_RAW);
        struct sp_portset expected = mask(sk, SP_SK_B, lane->id, SP_MASK_EXPECTED);
        assert_memory_equal(&send, &all, sizeof(all));
        assert_memory_equal(&raw, &lane->raw, sizeof(raw));
        assert_memory_equal(&expected, &lane->allowed, sizeof(expected));
        const struct sp_guard_plan *guard = &sk->sb.guards[lane->guards[2]];
        assert_int_equal(order(sk, SP_SK_A, SP_REC_GUARD, guard->id)->u.guard.flags,
                         SP_BLOCK_SENDER | SP_BLOCK_STEADY | SP_BLOCK_LINK);
        assert_int_equal(order(sk, SP_SK_B, SP_REC_GUARD, guard->id)->u.guard.flags,
                         SP_BLOCK_RECEIVER | SP_BLOCK_STEADY);
    }
    sp_sk_end(sk);
}

static void translated_lanes_and_selves_are_told_as_such(void **state)
{
    (void)state;
    struct sp_sk *sk = sp_sk_start(0);
    uint32_t sweep = sp_sk_sweep(sk, SP_SK_C, SP_SK_A, SP_PROTO_TCP);
    struct sp_pair *pair = &sk->plan->pairs[sk->plan->sweeps[sweep].pair];
    pair->src_seen.bytes[3] = 99;
    struct sp_bundle *bundle =
        sp_sk_bundle(sk, (struct sp_sk_wish){.from = SP_SK_C, .to = SP_SK_A});
    for (uint32_t h = 0; h < SP_SK_HOSTS; h++) {
        sp_sweep_send_setup(&sk->sb, h);
    }
    const struct sp_sweep_lane *lane = bundle->lanes;
    const struct sp_rec_sweep *b = &order(sk, SP_SK_A, SP_REC_SWEEP, lane->id)->u.sweep;
    assert_int_equal(b->flags, SP_BLOCK_RECEIVER | SP_BLOCK_TRANSLATED);
    assert_int_equal(b->src.bytes[3], 99);
    assert_int_equal(order(sk, SP_SK_C, SP_REC_SWEEP, lane->id)->u.sweep.flags, SP_BLOCK_SENDER);
    assert_int_equal(order(sk, SP_SK_C, SP_REC_SWEEP, lane->id)->u.sweep.src.bytes[3],
                     pair->src.bytes[3]);
    assert_int_equal(count(sk, SP_SK_A, SP_REC_GUARD), 1); /* each its own */
    assert_int_equal(count(sk, SP_SK_C, SP_REC_GUARD), 1);
    const struct sp_guard_plan *guard = &sk->sb.guards[lane->guards[1]];
    assert_int_equal(order(sk, SP_SK_A, SP_REC_GUARD, guard->id)->u.guard.flags,
                     SP_BLOCK_SENDER | SP_BLOCK_RECEIVER | SP_BLOCK_SELF);
    assert_true(order(sk, SP_SK_A, SP_REC_GUARD, guard->id)->u.guard.every_us > 0);
    sp_sk_end(sk);
}

/* ---- limits ---- */

static void what_does_not_fit_is_left_out(void **state)
{
    (void)state;
    struct sp_sk *sk = sp_sk_start(0);
    struct sp_portset denied;
    struct sp_portset allowed;
    sp_sk_ports(&(struct sp_sk_wish){.ports = 8}, &denied, &allowed);
    uint32_t sweep = sp_sk_sweep(sk, SP_SK_A, SP_SK_B, SP_PROTO_TCP);
    struct sp_bundle *bundle = sp_bundle_begin(&sk->sb, SP_SK_A, SP_SK_B);
    for (unsigned i = 0; i < SP_BUNDLE_LANES; i++) {
        assert_int_equal(sp_bundle_add(&sk->sb, bundle, sweep, &denied, &allowed, 2, 0, false),
                         SP_OK);
    }
    assert_int_equal(sp_bundle_add(&sk->sb, bundle, sweep, &denied, &allowed, 2, 0, false),
                     SP_E_LIMIT);
    assert_int_equal(bundle->nlanes, SP_BUNDLE_LANES);
    assert_int_equal(sp_bundle_finish(&sk->sb, bundle, 1000, 16, 0), SP_OK);
    /* Ids of a lane's passes and of its three guards must be left. */
    struct sp_bundle *more = sp_bundle_begin(&sk->sb, SP_SK_B, SP_SK_A);
    sk->batch.next_id = SP_BATCH_MAX_BLOCKS - SP_SWEEP_PASSES_MAX - 2;
    assert_int_equal(sp_bundle_add(&sk->sb, more, sweep, &denied, &allowed, 2, 0, false),
                     SP_E_LIMIT);
    assert_int_equal(more->nlanes, 0);
    sk->batch.next_id--;
    assert_int_equal(sp_bundle_add(&sk->sb, more, sweep, &denied, &allowed, 22, 0, true), SP_OK);
    assert_int_equal(sp_bundle_finish(&sk->sb, more, 1000, 16, 0), SP_OK);
    assert_true(sk->batch.next_id <= SP_BATCH_MAX_BLOCKS);
    /* A bundle that got nothing is over at once. */
    struct sp_bundle *none = sp_bundle_begin(&sk->sb, SP_SK_C, SP_SK_A);
    assert_int_equal(sp_bundle_add(&sk->sb, none, sweep, &denied, &allowed, 2, 0, false),
                     SP_E_LIMIT);
    assert_int_equal(sp_bundle_finish(&sk->sb, none, 1000, 16, 0), SP_OK);
    bundle->is_over = more->is_over = true;
    assert_true(sp_sweep_drive(&sk->sb, sk->now_us) == UINT64_MAX);
    assert_true(none->is_over);
    sp_sk_end(sk);
}

static enum sp_rc build(struct sp_sk *sk)
{
    struct sp_portset denied;
    struct sp_portset allowed;
    sp_sk_ports(&(struct sp_sk_wish){0}, &denied, &allowed);
    enum sp_rc rc = sp_sweep_batch_init(&sk->sb, 1);
    struct sp_bundle *bundle = rc == SP_OK ? sp_bundle_begin(&sk->sb, SP_SK_A, SP_SK_B) : NULL;
    rc = rc == SP_OK && !bundle ? SP_E_NOMEM : rc;
    for (int i = 0; i < 2 && rc == SP_OK; i++) {
        uint32_t sweep = sp_sk_sweep(sk, SP_SK_A, SP_SK_B, i ? SP_PROTO_UDP : SP_PROTO_TCP);
        rc = sp_bundle_add(&sk->sb, bundle, sweep, &denied, &allowed, 2, 0, false);
    }
    return rc == SP_OK ? sp_bundle_finish(&sk->sb, bundle, 1000, 64, 0) : rc;
}

static void without_memory_nothing_leaks(void **state)
{
    (void)state;
    for (int sticky = 0; sticky < 2; sticky++) {
        enum sp_rc rc = SP_E_NOMEM;
        size_t nth = 0;
        while (rc != SP_OK) {
            struct sp_sk *sk = sp_sk_start(0);
            sp_sweep_batch_release(&sk->sb);
            sk->sb =
                (struct sp_sweep_batch){.run = &sk->run, .batch = &sk->batch, .book = &sk->book};
            (void)sp_mem_fail_at(++nth, sticky);
            rc = build(sk);
            size_t asked = sp_mem_fail_at(0, 0);
            assert_true(rc == (asked < nth ? SP_OK : SP_E_NOMEM));
            sp_sweep_batch_release(&sk->sb);
            assert_true(!sk->sb.bundles && !sk->sb.guards && sk->sb.nbundles == 0);
            sp_sk_end(sk); /* what is empty may be released again */
            assert_true(nth < 100);
        }
        assert_true(nth > 10);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lanes_have_numbers_and_ids_of_their_own),
        cmocka_unit_test(passes_are_those_of_the_lane_that_needs_most),
        cmocka_unit_test(a_control_of_the_pair_beats_twice),
        cmocka_unit_test(controls_of_others_beat_by_themselves),
        cmocka_unit_test(conversations_guard_no_packets),
        cmocka_unit_test(pilots_go_the_common_way),
        cmocka_unit_test(no_packet_is_the_reverse_of_another),
        cmocka_unit_test(both_ends_are_told_the_same),
        cmocka_unit_test(translated_lanes_and_selves_are_told_as_such),
        cmocka_unit_test(what_does_not_fit_is_left_out),
        cmocka_unit_test(without_memory_nothing_leaks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
