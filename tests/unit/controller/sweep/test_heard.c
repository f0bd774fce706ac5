/* SPDX-License-Identifier: Apache-2.0
 *
 * What probes tell is not trusted: a record counts where its batch, its block, its pass and its
 * teller fit, and no other changes anything. */
#include "controller/sweep/heard.h"

#include <string.h>

#include "controller/sweep/drive.h"
#include "controller/sweep/volleys.h"
#include "probe/base/hash.h"
#include "probe/base/mem.h"
#include "tests/support/sp_cmocka.h"
#include "tests/unit/controller/sweep/sweep_kit.h"

#define BATCH 5
#define HIT   (uint16_t)(3 * SP_CHUNK_PORTS + 9) /* the port or beat that records name */

static struct sp_record swept(uint16_t block, uint8_t kind)
{
    struct sp_record record = {.type = SP_REC_SWEPT};
    record.u.swept = (struct sp_rec_swept){.batch = BATCH, .block = block, .kind = kind};
    record.u.swept.chunk = HIT / SP_CHUNK_PORTS;
    record.u.swept.bits[HIT % SP_CHUNK_PORTS / 8] = 1U << HIT % 8;
    return record;
}

static struct sp_record heard(uint16_t block, uint8_t kind)
{
    struct sp_record record = {.type = SP_REC_HEARD};
    record.u.heard = (struct sp_rec_heard){.batch = BATCH, .block = block, .kind = kind};
    record.u.heard.chunk = HIT / SP_CHUNK_PORTS;
    record.u.heard.bits[HIT % SP_CHUNK_PORTS / 8] = 1U << HIT % 8;
    return record;
}

static struct sp_record health(uint64_t arrived, uint64_t capture, uint64_t softnet)
{
    struct sp_record record = {.type = SP_REC_HEALTH};
    record.u.health = (struct sp_rec_health){.batch = BATCH,
                                             .arrived = arrived,
                                             .capture_drops = capture,
                                             .softnet_drops = softnet,
                                             .longest_gap_us = 77};
    return record;
}

static struct sp_record answerer(uint16_t block, uint8_t number)
{
    struct sp_record record = {.type = SP_REC_ANSWERER};
    record.u.answerer = (struct sp_rec_answerer){
        .batch = BATCH, .block = block, .number = number, .answer = SP_ANSWER_RST, .ttl = 60};
    return record;
}

static struct sp_record refused(uint16_t block)
{
    struct sp_record record = {.type = SP_REC_REFUSED};
    record.u.refused =
        (struct sp_rec_refused){.batch = BATCH, .block = block, .reason = SP_REFUSED_CAPTURE};
    return record;
}

static struct sp_record seen(uint16_t block, uint8_t kind)
{
    struct sp_record record = {.type = SP_REC_SEEN};
    record.u.seen = (struct sp_rec_seen){.batch = BATCH, .block = block, .kind = kind, .port = HIT};
    return record;
}

static struct sp_record volleyed(uint32_t serial)
{
    struct sp_record record = {.type = SP_REC_VOLLEYED};
    record.u.volleyed = (struct sp_rec_volleyed){.batch = BATCH,
                                                 .serial = serial,
                                                 .sent = 64,
                                                 .last_beat = 5,
                                                 .start_us = 1000,
                                                 .end_us = 11000};
    return record;
}

static bool has(const struct sp_portset *set)
{
    return set && sp_portset_has(set, HIT);
}

static struct sp_portset **set_of(struct sp_sweep_lane *lane, uint8_t kind, unsigned pass)
{
    return kind == SP_SWEPT_NIC         ? &lane->passes[pass].nic
           : kind == SP_SWEPT_HOST      ? &lane->passes[pass].host
           : kind == SP_SWEPT_EGRESS    ? &lane->egress
           : kind == SP_SWEPT_REWRITTEN ? &lane->rewritten
           : kind == SP_SWEPT_REFUSED   ? &lane->refused
                                        : &lane->stray;
}

/* How many sets of a lane have anything. */
static unsigned marked(struct sp_sweep_lane *lane, unsigned npasses)
{
    unsigned n = 0;
    for (unsigned p = 0; p < npasses; p++) {
        n += (lane->passes[p].nic != NULL) + (lane->passes[p].host != NULL);
    }
    return n + (lane->egress != NULL) + (lane->rewritten != NULL) + (lane->refused != NULL) +
           (lane->stray != NULL);
}

/* Who may tell what: the sender that its kernel refused, the receiver what came, anybody else what
 * strayed to him. */
static void sets_are_told_by_those_who_know(void **state)
{
    (void)state;
    for (uint8_t kind = 0; kind <= SP_SWEPT_END; kind++) {
        for (uint32_t host = 0; host < SP_SK_HOSTS; host++) {
            struct sp_sk *sk = sp_sk_start(0);
            struct sp_bundle *bundle = sp_sk_bundle(sk, (struct sp_sk_wish){.nlanes = 2});
            struct sp_sweep_lane *lane = &bundle->lanes[1];
            unsigned pass = kind == SP_SWEPT_HOST ? bundle->npasses - 1U : 1;
            sp_sk_tell(sk, host, swept((uint16_t)(lane->id + pass), kind));
            bool knows = kind == SP_SWEPT_REFUSED ? host == SP_SK_A
                         : kind == SP_SWEPT_STRAY ? host == SP_SK_C
                                                  : host == SP_SK_B && kind < SP_SWEPT_STRAY;
            bool turned = kind == SP_SWEPT_STRAY && host == SP_SK_B; /* it came in another shape */
            assert_int_equal(marked(lane, bundle->npasses), knows || turned);
            assert_true(!knows || has(*set_of(lane, kind, pass)));
            assert_true(!turned || has(lane->rewritten));
            assert_int_equal(lane->stray_host, knows && kind == SP_SWEPT_STRAY ? SP_SK_C : SP_NONE);
            assert_int_equal(marked(&bundle->lanes[0], bundle->npasses), 0);
            sp_sk_end(sk);
        }
    }
}

static void blocks_and_chunks_that_are_none_change_nothing(void **state)
{
    (void)state;
    struct sp_sk *sk = sp_sk_start(0);
    struct sp_bundle *bundle = sp_sk_bundle(sk, (struct sp_sk_wish){0});
    struct sp_sweep_lane *lane = bundle->lanes;
    const struct sp_guard_plan *guard = &sk->sb.guards[lane->guards[0]];
    const uint16_t blocks[] = {0, guard->id, (uint16_t)(lane->id + bundle->npasses), 65535};
    const uint16_t chunks[] = {SP_PORTSET_CHUNKS, 255, 65535};
    struct sp_guard_plan before = *guard;
    for (int i = 0; i < 4; i++) {
        for (uint32_t host = 0; host < SP_SK_HOSTS; host++) {
            for (uint8_t kind = 0; kind <= SP_SWEPT_END; kind++) {
                sp_sk_tell(sk, host, swept(blocks[i], kind));
            }
            sp_sk_tell(sk, host, answerer(blocks[i], 0));
            sp_sk_tell(sk, host, seen(blocks[i], SP_SEEN_STRAY));
        }
    }
    for (int i = 0; i < 3; i++) {
        struct sp_record record = swept(lane->id, SP_SWEPT_NIC);
        record.u.swept.chunk = chunks[i];
        sp_sk_tell(sk, SP_SK_B, record);
        record = heard(guard->id, SP_HEARD_NIC);
        record.u.heard.chunk = chunks[i];
        sp_sk_tell(sk, SP_SK_B, record);
    }
    sp_sk_tell(sk, SP_SK_B, heard(lane->id, SP_HEARD_NIC));
    sp_sk_tell(sk, SP_SK_B, heard(0, SP_HEARD_NIC));
    assert_int_equal(marked(lane, bundle->npasses), 0);
    assert_int_equal(lane->nclasses + sk->sb.nsamples, 0);
    assert_memory_equal(guard, &before, sizeof(before));
    assert_int_equal(sk->batch.last_control_us, 0);
    sp_sk_end(sk);
}

static void other_batches_change_nothing(void **state)
{
    (void)state;
    struct sp_sk *sk = sp_sk_start(0);
    struct sp_bundle *bundle = sp_sk_bundle(sk, (struct sp_sk_wish){0});
    struct sp_sweep_lane *lane = bundle->lanes;
    struct sp_guard_plan *guard = &sk->sb.guards[lane->guards[0]];
    assert_true(sp_volley_send(&sk->sb, bundle, 0, 1));
    for (int mine = 0; mine < 2; mine++) {
        sk->batch.id = mine ? BATCH : BATCH + 1;
        sp_sk_tell(sk, SP_SK_A, volleyed(1));
        sp_sk_tell(sk, SP_SK_B, heard(guard->id, SP_HEARD_NIC));
        sp_sk_tell(sk, SP_SK_B, health(3, 0, 0));
        sp_sk_tell(sk, SP_SK_A, answerer(lane->id, 0));
        sp_sk_tell(sk, SP_SK_B, swept(lane->id, SP_SWEPT_NIC));
        sp_sk_tell(sk, SP_SK_B, refused(lane->id));
        sp_sk_tell(sk, SP_SK_B, seen(lane->id, SP_SEEN_NIC));
        assert_int_equal(bundle->volleys[0].is_sent, mine);
        assert_int_equal(sp_portset_count(&guard->nic), mine);
        assert_int_equal(sk->sb.health[SP_SK_B].arrived, mine ? 3 : 0);
        assert_int_equal(lane->nclasses, mine);
        assert_int_equal(marked(lane, bundle->npasses), mine);
        assert_int_equal(lane->receiver_refused, mine ? SP_REFUSED_CAPTURE : 0);
        assert_int_equal(sk->sb.nsamples, mine);
    }
    sp_sk_end(sk);
}

static void beats_are_told_by_those_who_know(void **state)
{
    (void)state;
    for (uint8_t kind = 0; kind <= SP_HEARD_END; kind++) {
        for (uint32_t host = 0; host < SP_SK_HOSTS; host++) {
            struct sp_sk *sk = sp_sk_start(0);
            const struct sp_sweep_lane *lane = sp_sk_bundle(sk, (struct sp_sk_wish){0})->lanes;
            const struct sp_guard_plan *guard = &sk->sb.guards[lane->guards[0]];
            sp_sk_tell(sk, host, heard(guard->id, kind));
            bool left = kind == SP_HEARD_LEFT && host == SP_SK_A;
            bool nic = kind == SP_HEARD_NIC && host == SP_SK_B;
            bool behind = kind == SP_HEARD_HOST && host == SP_SK_B;
            assert_int_equal(sp_portset_count(&guard->left), left);
            assert_int_equal(sp_portset_count(&guard->nic), nic);
            assert_int_equal(sp_portset_count(&guard->host_seen), behind);
            assert_true(has(&guard->left) == left && has(&guard->nic) == nic);
            assert_int_equal(sk->batch.last_control_us, nic ? sk->now_us : 0);
            assert_int_equal(sp_portset_count(&sk->sb.guards[lane->guards[2]].nic), 0);
            sp_sk_end(sk);
        }
    }
    /* Who asks his own next hop tells of both ends; nobody else does. */
    struct sp_sk *sk = sp_sk_start(0);
    const struct sp_bundle *bundle =
        sp_sk_bundle(sk, (struct sp_sk_wish){.from = SP_SK_C, .to = SP_SK_A});
    const struct sp_guard_plan *self = &sk->sb.guards[bundle->lanes->guards[0]];
    sp_sk_tell(sk, SP_SK_A, heard(self->id, SP_HEARD_NIC));
    assert_int_equal(sp_portset_count(&self->nic), 0);
    sp_sk_tell(sk, SP_SK_C, heard(self->id, SP_HEARD_NIC));
    assert_int_equal(sp_portset_count(&self->nic), 1);
    sp_sk_end(sk);
}

static void volleys_are_told_once_by_their_sender(void **state)
{
    (void)state;
    struct sp_sk *sk = sp_sk_start(0);
    struct sp_bundle *bundle = sp_sk_bundle(sk, (struct sp_sk_wish){0});
    assert_true(sp_volley_send(&sk->sb, bundle, 0, 1));
    assert_true(sp_volley_send(&sk->sb, bundle, 1, 2));
    sk->now_us += 20000;
    sp_sk_tell(sk, SP_SK_B, volleyed(1));
    sp_sk_tell(sk, SP_SK_C, volleyed(1));
    sp_sk_tell(sk, SP_SK_A, volleyed(0));
    sp_sk_tell(sk, SP_SK_A, volleyed(3));
    sp_sk_tell(sk, SP_SK_A, volleyed(UINT32_MAX));
    assert_int_equal(bundle->waiting, 2);
    assert_int_equal(bundle->told_us, 0);
    sp_sk_tell(sk, SP_SK_A, volleyed(1));
    assert_int_equal(bundle->waiting, 1);
    assert_int_equal(bundle->waiting_ports, 128);
    assert_int_equal(bundle->achieved, 6400); /* 64 in 10 ms */
    assert_int_equal(bundle->last_beat, 5);
    assert_true(bundle->told_us == sk->now_us && bundle->volleys[0].told_us == sk->now_us);
    assert_true(bundle->volleys[0].is_sent && !bundle->volleys[1].is_sent);
    struct sp_record again = volleyed(1);
    again.u.volleyed.sent = 1;
    sp_sk_tell(sk, SP_SK_A, again);
    assert_int_equal(bundle->waiting, 1);
    assert_int_equal(bundle->volleys[0].told.sent, 64);
    sp_sk_end(sk);
}

/* Packets that came, and beats, are entries of state tables: each once. */
static void health_is_counted_once(void **state)
{
    (void)state;
    struct sp_sk *sk = sp_sk_start(10000);
    struct sp_bundle *bundle = sp_sk_bundle(sk, (struct sp_sk_wish){.nlanes = 2});
    const struct sp_host_health *b = &sk->sb.health[SP_SK_B];
    const struct sp_state_point *point = &sk->book.points[bundle->point];
    sp_sk_tell(sk, SP_SK_B, health(100, 2, 3));
    assert_int_equal(b->arrived, 100);
    assert_int_equal(b->drops, 5);
    assert_int_equal(b->longest_gap_us, 77);
    assert_int_equal(point->alive, 100);
    sp_sk_tell(sk, SP_SK_B, health(100, 2, 4));
    sp_sk_tell(sk, SP_SK_B, health(60, 2, 4)); /* late */
    assert_int_equal(b->arrived, 100);
    assert_int_equal(b->drops, 6);
    assert_int_equal(point->alive, 100);
    sp_sk_tell(sk, SP_SK_B, health(150, 2, 4));
    assert_int_equal(b->arrived, 150);
    assert_int_equal(point->alive, 150);
    sp_sk_tell(sk, SP_SK_C, health(1000, 1, 0)); /* nothing is sent there */
    sp_sk_tell(sk, SP_SK_A, health(1000, 1, 0));
    assert_int_equal(point->alive, 150);
    assert_int_equal(b->drops, 6);
    assert_true(sp_volley_send(&sk->sb, bundle, 0, 1));
    sp_sk_tell(sk, SP_SK_A, volleyed(1));
    assert_int_equal(point->alive, 150 + 2 * 6); /* beats 0 .. 5 of each lane's fresh control */
    struct sp_record none = volleyed(2);
    none.u.volleyed.first_beat = 6;
    assert_true(sp_volley_send(&sk->sb, bundle, 1, 1));
    sp_sk_tell(sk, SP_SK_A, none); /* 6 .. 5 */
    assert_int_equal(point->alive, 150 + 2 * 6);
    sp_sk_tell(sk, SP_SK_B, health(UINT64_MAX, 2, 4));
    assert_int_equal(sp_state_room(&sk->book, bundle->point, sk->now_us, 0), 0);
    sp_sk_end(sk);
}

static void answers_come_in_classes(void **state)
{
    (void)state;
    struct sp_sk *sk = sp_sk_start(0);
    struct sp_bundle *bundle = sp_sk_bundle(sk, (struct sp_sk_wish){0});
    struct sp_sweep_lane *lane = bundle->lanes;
    sp_sk_tell(sk, SP_SK_A, swept(lane->id, SP_SWEPT_ANSWER)); /* of a class that is not there */
    sp_sk_tell(sk, SP_SK_A, answerer(lane->id, 1));            /* out of turn */
    sp_sk_tell(sk, SP_SK_B, answerer(lane->id, 0));
    assert_int_equal(lane->nclasses, 0);
    for (uint8_t i = 0; i < SP_SWEEP_CLASSES_MAX + 3; i++) {
        struct sp_record record = answerer(lane->id, i);
        record.u.answerer.code = i;
        record.u.answerer.overflow = i == 4;
        sp_sk_tell(sk, SP_SK_A, record);
        sp_sk_tell(sk, SP_SK_A, answerer(lane->id, 0)); /* told already */
    }
    assert_int_equal(lane->nclasses, SP_SWEEP_CLASSES_MAX);
    assert_true(lane->classes_overflow);
    struct sp_record record = swept(lane->id, SP_SWEPT_ANSWER);
    record.u.swept.detail = SP_SWEEP_CLASSES_MAX;
    sp_sk_tell(sk, SP_SK_A, record);
    record.u.swept.detail = 3;
    sp_sk_tell(sk, SP_SK_B, record);
    for (size_t i = 0; i < lane->nclasses; i++) {
        assert_int_equal(lane->classes[i].code, i);
        assert_int_equal(sp_portset_count(&lane->classes[i].ports), 0);
    }
    sp_sk_tell(sk, SP_SK_A, record);
    assert_true(has(&lane->classes[3].ports));
    sp_sk_end(sk);
}

static void refusals_are_of_one_end(void **state)
{
    (void)state;
    struct sp_sk *sk = sp_sk_start(0);
    struct sp_bundle *bundle = sp_sk_bundle(sk, (struct sp_sk_wish){.nlanes = 2});
    struct sp_sweep_lane *lane = &bundle->lanes[0];
    sp_sk_tell(sk, SP_SK_C, refused(lane->id));
    sp_sk_tell(sk, SP_SK_A, refused(0));
    assert_int_equal(lane->sender_refused + lane->receiver_refused, 0);
    sp_sk_tell(sk, SP_SK_A, refused(lane->id));
    assert_true(lane->sender_refused == SP_REFUSED_CAPTURE && lane->receiver_refused == 0);
    sp_sk_tell(sk, SP_SK_B, refused(bundle->lanes[1].id));
    assert_true(bundle->lanes[1].sender_refused == 0 &&
                bundle->lanes[1].receiver_refused == SP_REFUSED_CAPTURE);
    sp_sk_tell(sk, SP_SK_A, refused(sk->sb.guards[0].id));
    assert_true(sk->sb.guards[0].is_refused && !sk->sb.guards[1].is_refused);
    sp_sk_end(sk);
}

static void packets_that_were_kept_are_noted(void **state)
{
    (void)state;
    struct sp_sk *sk = sp_sk_start(0);
    struct sp_sweep_lane *lane = sp_sk_bundle(sk, (struct sp_sk_wish){0})->lanes;
    size_t want = 0;
    for (uint8_t kind = 0; kind <= SP_SEEN_END; kind++) {
        for (uint32_t host = 0; host < SP_SK_HOSTS; host++) {
            sp_sk_tell(sk, host, seen(lane->id, kind));
            want += kind == SP_SEEN_NIC || kind == SP_SEEN_STRAY ||
                    (kind == SP_SEEN_ANSWER && host == SP_SK_A);
            assert_int_equal(sk->sb.nsamples, want);
            if (kind < SP_SEEN_STRAY || (kind == SP_SEEN_STRAY && host < SP_SK_C)) {
                assert_null(lane->stray);
            }
        }
    }
    assert_true(has(lane->stray));
    assert_int_equal(lane->stray_host, SP_SK_C);
    for (size_t i = 0; i < SP_SAMPLES_MAX + 5; i++) {
        sp_sk_tell(sk, SP_SK_B, seen(lane->id, SP_SEEN_NIC));
    }
    assert_int_equal(sk->sb.nsamples, SP_SAMPLES_MAX);
    /* Where no more are kept, what strayed strayed nevertheless. */
    struct sp_record record = seen(lane->id, SP_SEEN_STRAY);
    record.u.seen.port = 7;
    sp_sk_tell(sk, SP_SK_C, record);
    assert_true(sp_portset_has(lane->stray, 7));
    sp_sk_end(sk);
}

static void without_memory_it_says_so(void **state)
{
    (void)state;
    for (int what = 0; what < 4; what++) {
        struct sp_sk *sk = sp_sk_start(0);
        uint16_t id = sp_sk_bundle(sk, (struct sp_sk_wish){0})->lanes->id;
        struct sp_record record = what == 0   ? swept(id, SP_SWEPT_NIC)
                                  : what == 1 ? answerer(id, 0)
                                  : what == 2 ? seen(id, SP_SEEN_NIC)
                                              : seen(id, SP_SEEN_STRAY);
        uint32_t host = what == 1 ? SP_SK_A : what == 3 ? SP_SK_C : SP_SK_B;
        (void)sp_mem_fail_at(1, 0);
        sp_sk_tell(sk, host, record);
        (void)sp_mem_fail_at(0, 0);
        assert_true(sk->sb.is_out_of_memory);
        assert_true(sp_sweep_drive(&sk->sb, sk->now_us) == UINT64_MAX);
        sp_sk_end(sk);
    }
}

/* Anything, by anybody, while it runs: nothing breaks, and numbers stay within their bounds. */
static void make_noise(uint32_t capacity)
{
    static const uint8_t types[] = {SP_REC_VOLLEYED, SP_REC_HEARD, SP_REC_HEALTH, SP_REC_ANSWERER,
                                    SP_REC_SWEPT,    SP_REC_SEEN,  SP_REC_ALIVE};
    struct sp_rng rng = {20261123};
    struct sp_sk *sk = sp_sk_start(capacity);
    struct sp_bundle *bundle = sp_sk_bundle(sk, (struct sp_sk_wish){.nlanes = 2});
    for (int i = 0; i < 100000; i++) {
        struct sp_record record;
        uint8_t *bytes = (uint8_t *)&record;
        for (size_t k = 0; k < sizeof(record); k++) {
            bytes[k] = (uint8_t)sp_rng_below(&rng, k % 3 ? 4 : 256);
        }
        record.type = types[sp_rng_below(&rng, sizeof(types))];
        record.u.seen.batch = BATCH; /* the first field of each */
        if (record.type == SP_REC_VOLLEYED) {
            record.u.volleyed.serial = (uint32_t)sp_rng_below(&rng, bundle->nvolleys + 2);
            record.u.volleyed.last_beat %= i < 90000 ? 60000 : UINT32_MAX; /* then it is over */
        } else if (record.type != SP_REC_HEALTH) {
            uint16_t *block =
                record.type == SP_REC_SEEN ? &record.u.seen.block : &record.u.swept.block;
            *block = (uint16_t)sp_rng_below(&rng, 40);
        }
        sp_sk_tell(sk, (uint32_t)sp_rng_below(&rng, SP_SK_HOSTS), record);
        if (i % 50 == 0) {
            sk->now_us += 10000;
            (void)sp_sweep_drive(&sk->sb, sk->now_us);
        }
        assert_true(bundle->waiting <= bundle->outstanding);
        assert_true(bundle->outstanding <= bundle->nvolleys);
        assert_true(bundle->lanes[0].nclasses <= SP_SWEEP_CLASSES_MAX);
    }
    assert_true(sk->sb.nsamples <= SP_SAMPLES_MAX);
    assert_true(capacity > 0 || (bundle->is_over && bundle->nvolleys > 10));
    sp_sk_end(sk);
}

static void noise_breaks_nothing(void **state)
{
    (void)state;
    make_noise(0);
    make_noise(1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sets_are_told_by_those_who_know),
        cmocka_unit_test(blocks_and_chunks_that_are_none_change_nothing),
        cmocka_unit_test(other_batches_change_nothing),
        cmocka_unit_test(beats_are_told_by_those_who_know),
        cmocka_unit_test(volleys_are_told_once_by_their_sender),
        cmocka_unit_test(health_is_counted_once),
        cmocka_unit_test(answers_come_in_classes),
        cmocka_unit_test(refusals_are_of_one_end),
        cmocka_unit_test(packets_that_were_kept_are_noted),
        cmocka_unit_test(without_memory_it_says_so),
        cmocka_unit_test(noise_breaks_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
