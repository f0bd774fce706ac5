/* SPDX-License-Identifier: Apache-2.0
 *
 * The life of a batch in the engine: phases, orders that make no sense, expiry, counters, memory.
 */
#include <string.h>

#include "probe/base/mem.h"
#include "tests/support/sp_cmocka.h"
#include "tests/unit/probe/engine_kit.h"

#define SEND SP_BLOCK_SENDER
#define RECV SP_BLOCK_RECEIVER

static void whole_life(void **state)
{
    (void)state;
    struct kit *kit = kit_new();
    assert_true(sp_engine_tick(kit->engine) == UINT64_MAX);
    kit_batch(kit, 1000, 100, 60000);
    assert_false(sp_engine_is_armed(kit->engine));
    kit_block(kit, 10, 2, SEND, "tcp_syn", KIT_ME, KIT_PEER);
    kit_block(kit, 12, 2, RECV, "udp", KIT_PEER, KIT_ME);
    kit_arm(kit);
    assert_true(sp_engine_is_armed(kit->engine));
    assert_true(kit->is_listening);
    assert_int_equal(kit_count(kit, SP_REC_ARMED), 1);
    assert_int_equal(kit_told(kit, SP_REC_ARMED, 0)->u.armed.refused, 0);
    assert_int_equal(kit_told(kit, SP_REC_ARMED, 0)->u.armed.batch, 42);
    kit_shot(kit, 10, 443, 40001, 0);
    kit_shot(kit, 11, 443, 40002, 500000);
    assert_int_equal(kit->nsent, 0); /* nothing leaves before FIRE */
    kit_fire(kit);
    kit_run(kit, 400000);
    assert_int_equal(kit->nsent, 1);
    assert_int_equal(kit_count(kit, SP_REC_DONE), 0);
    kit_run(kit, 200000);
    assert_int_equal(kit->nsent, 2);
    assert_int_equal(kit_count(kit, SP_REC_DONE), 1);
    assert_int_equal(kit_told(kit, SP_REC_DONE, 0)->u.done.sent, 2);
    kit_out(kit, &kit->sent[0].spec);
    kit_run(kit, 1000000);
    assert_int_equal(kit_count(kit, SP_REC_DONE), 1);
    kit->counters = (struct sp_counters){.captured = 9, .capture_drops = 0, .softnet_drops = 0};
    kit_collect(kit);
    const struct sp_rec_seen *left = kit_seen(kit, SP_SEEN_LEFT, 10, 443);
    const struct sp_rec_seen *sent = kit_seen(kit, SP_SEEN_SENT, 11, 443);
    assert_non_null(left);
    assert_non_null(sent);
    assert_int_equal(left->sport, 40001);
    assert_true(sent->at_us >= 500000 && sent->at_us < 560000);
    assert_int_equal(kit_count_seen(kit, SP_SEEN_LEFT) + kit_count_seen(kit, SP_SEEN_SENT), 2);
    const struct sp_record *end = kit_told(kit, SP_REC_COLLECTED, 0);
    assert_non_null(end);
    assert_ptr_equal(end, &kit->told[kit->ntold - 1]);
    assert_int_equal(end->u.collected.captured, 9);
    assert_int_equal(end->u.collected.capture_drops, 0);
    assert_int_equal(end->u.collected.sent, 2);
    assert_int_equal(end->u.collected.untagged_overflow, 0);
    assert_false(kit->is_listening);
    assert_false(sp_engine_is_armed(kit->engine));
    assert_true(sp_engine_tick(kit->engine) == UINT64_MAX);
    kit_free(kit);
}

static struct sp_record plain(uint8_t type, uint32_t batch)
{
    struct sp_record r = {.type = type};
    memcpy((char *)&r + offsetof(struct sp_record, u), &batch, sizeof(batch));
    return r;
}

/* phase: 0 idle, 1 setup, 2 armed, 3 fired */
static void reach(struct kit *kit, int phase)
{
    if (phase >= 1) {
        kit_batch(kit, 1000, 100, 60000);
        kit_block(kit, 10, 2, SEND, "tcp_syn", KIT_ME, KIT_PEER);
    }
    if (phase >= 2) {
        kit_arm(kit);
    }
    if (phase >= 3) {
        kit_fire(kit);
    }
    kit_forget(kit);
}

static void orders_in_the_wrong_phase(void **state)
{
    (void)state;
    static const struct {
        uint8_t type, phases; /* bit per phase in which it is right */
    } rows[] = {{SP_REC_BLOCK, 2}, {SP_REC_ARM, 2},      {SP_REC_SHOT, 4},
                {SP_REC_FIRE, 4},  {SP_REC_COLLECT, 12}, {SP_REC_STOP, 0},
                {SP_REC_HELLO, 0}, {SP_REC_SEEN, 0},     {SP_REC_COLLECTED, 0}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        for (int phase = 0; phase < 4; phase++) {
            struct kit *kit = kit_new();
            reach(kit, phase);
            struct sp_record r = plain(rows[i].type, 42);
            if (r.type == SP_REC_BLOCK) {
                r.u.block.block = 20;
                r.u.block.attempts = 1;
            } else if (r.type == SP_REC_SHOT) {
                r.u.shot.block = 10;
                r.u.shot.sport = 40000;
            }
            bool armed = sp_engine_is_armed(kit->engine);
            kit_order(kit, &r);
            bool right = (rows[i].phases & 1 << phase) != 0;
            assert_int_equal(kit_count(kit, SP_REC_ERROR), right ? 0 : 1);
            if (!right) { /* and nothing else happened */
                assert_int_equal(sp_engine_is_armed(kit->engine), armed);
                assert_int_equal(kit->nsent, 0);
                assert_int_equal(kit_told(kit, SP_REC_ERROR, 0)->u.error.code, SP_ERR_PROTOCOL);
            }
            kit_free(kit);
        }
    }
}

static void orders_for_another_batch(void **state)
{
    (void)state;
    static const uint8_t types[] = {SP_REC_BLOCK, SP_REC_ARM, SP_REC_SHOT, SP_REC_FIRE,
                                    SP_REC_COLLECT};
    static const int phases[] = {1, 1, 2, 2, 3};
    for (size_t i = 0; i < 5; i++) {
        struct kit *kit = kit_new();
        reach(kit, phases[i]);
        struct sp_record r = plain(types[i], 43);
        kit_order(kit, &r);
        assert_int_equal(kit_count(kit, SP_REC_ERROR), 1);
        assert_int_equal(kit->ntold, kit_count(kit, SP_REC_ERROR) + kit_count(kit, SP_REC_DONE));
        kit_free(kit);
    }
}

static void an_earlier_sensor(void **state)
{
    (void)state;
    struct kit *kit = kit_new();
    kit_restart(kit, 3);
    kit_batch(kit, 1000, 100, 60000); /* says generation 0 */
    assert_int_equal(kit_told(kit, SP_REC_ERROR, 0)->u.error.code, SP_ERR_IFACE);
    assert_int_equal(kit_told(kit, SP_REC_ERROR, 0)->u.error.generation, 3);
    kit_arm(kit);
    assert_false(sp_engine_is_armed(kit->engine));
    kit_free(kit);
}

static void blocks_that_cannot_be(void **state)
{
    (void)state;
    struct kit *kit = kit_new();
    kit_batch(kit, 1000, 100, 60000);
    kit_block(kit, 10, 0, SEND, "udp", KIT_ME, KIT_PEER);    /* no attempts */
    kit_block(kit, 65535, 2, SEND, "udp", KIT_ME, KIT_PEER); /* past the last id */
    kit_block(kit, 10, 5, SEND, "udp", KIT_ME, KIT_PEER);
    kit_block(kit, 9, 1, SEND, "udp", KIT_ME, KIT_PEER); /* not rising */
    assert_int_equal(kit_count(kit, SP_REC_ERROR), 3);
    kit_block(kit, 65535, 1, SEND, "udp", KIT_ME, KIT_PEER);
    assert_int_equal(kit_count(kit, SP_REC_ERROR), 3);
    kit_free(kit);
}

static void a_batch_expires(void **state)
{
    (void)state;
    for (int phase = 1; phase < 4; phase++) {
        struct kit *kit = kit_new();
        kit_batch(kit, 1000, 100, 5000);
        kit_block(kit, 10, 2, SEND, "udp", KIT_ME, KIT_PEER);
        if (phase >= 2) {
            kit_arm(kit);
            kit_shot(kit, 10, 53, 40000, 6000000);
        }
        if (phase >= 3) {
            kit_fire(kit);
        }
        kit_run(kit, 4999000);
        assert_int_equal(kit_count(kit, SP_REC_ERROR), 0);
        kit_run(kit, 2000000);
        assert_int_equal(kit_count(kit, SP_REC_ERROR), 1);
        assert_int_equal(kit->nsent, 0);
        assert_false(kit->is_listening);
        assert_false(sp_engine_is_armed(kit->engine));
        kit_free(kit);
    }
}

static void a_new_batch_replaces_the_old(void **state)
{
    (void)state;
    struct kit *kit = kit_new();
    reach(kit, 3);
    struct sp_spec old = kit_probe_spec(kit, "udp", KIT_PEER, KIT_ME, 20, 53, 40000);
    kit->batch = 43;
    kit->key[31] ^= 1;
    kit_batch(kit, 1000, 100, 60000);
    assert_false(kit->is_listening);
    kit_block(kit, 20, 1, RECV, "udp", KIT_PEER, KIT_ME);
    kit_arm(kit);
    kit_fire(kit);
    kit_in(kit, &old); /* a late packet of the old keys */
    kit_collect(kit);
    assert_int_equal(kit_count_seen(kit, SP_SEEN_NIC), 0);
    assert_int_equal(kit_count_seen(kit, SP_SEEN_STRAY), 0);
    assert_int_equal(kit_count_seen(kit, SP_SEEN_UNTAGGED), 1);
    kit_free(kit);
}

/* Drops since ARM; a counter that cannot be read, or that ran backwards, never looks like none. */
static void drops_are_never_forgotten(void **state)
{
    (void)state;
    static const struct {
        uint64_t before, after, want;
    } rows[] = {{7, 7, 0},
                {7, 9, 2},
                {UINT64_MAX, UINT64_MAX, UINT32_MAX},
                {7, UINT64_MAX, UINT32_MAX},
                {UINT64_MAX, 7, UINT32_MAX},
                {9, 7, UINT32_MAX}};
    for (size_t i = 0; i < 12; i++) {
        struct kit *kit = kit_new();
        uint64_t *counter = i % 2 ? &kit->counters.capture_drops : &kit->counters.softnet_drops;
        *counter = rows[i / 2].before;
        reach(kit, 3);
        *counter = rows[i / 2].after;
        kit_collect(kit);
        const struct sp_rec_collected *c = &kit_told(kit, SP_REC_COLLECTED, 0)->u.collected;
        assert_true((i % 2 ? c->capture_drops : c->softnet_drops) == rows[i / 2].want);
        assert_true((i % 2 ? c->softnet_drops : c->capture_drops) == 0);
        kit_free(kit);
    }
}

/* A sensor that was stopped (SIGSTOP, a busy host) says how long it was blind. */
static void a_gap_is_told(void **state)
{
    (void)state;
    struct kit *kit = kit_new();
    reach(kit, 3);
    kit_run(kit, 1000000);
    kit_now_us += 3000000;
    kit_run(kit, 1000000);
    kit_collect(kit);
    uint32_t gap = kit_told(kit, SP_REC_COLLECTED, 0)->u.collected.longest_gap_us;
    assert_true(gap >= 3000000 && gap <= 3050000);
    kit_free(kit);
    kit = kit_new();
    reach(kit, 3);
    kit_run(kit, 3000000);
    kit_collect(kit);
    assert_true(kit_told(kit, SP_REC_COLLECTED, 0)->u.collected.longest_gap_us <= 50001);
    kit_free(kit);
}

static void one_batch(struct kit *kit)
{
    reach(kit, 1);
    kit_block(kit, 20, 4, RECV | SP_BLOCK_REPLY, "udp", KIT_PEER, KIT_ME);
    kit_arm(kit);
    kit_shot(kit, 10, 443, 40001, 0);
    kit_fire(kit);
    struct sp_spec in = kit_probe_spec(kit, "udp", KIT_PEER, KIT_ME, 20, 53, 40000);
    kit_in(kit, &in);
    kit_host(kit, &in, 2);
    in.payload[8] ^= 1;
    kit_in(kit, &in);
    kit_run(kit, 100000);
    kit_collect(kit);
}

/* Every allocation fails in turn: no crash, no leak, the batch ends, and an arrival that could not
 * be kept is never silently an absence. */
static void torture(void **state)
{
    (void)state;
    bool failed = true;
    for (size_t n = 1; failed; n++) {
        struct kit *kit = kit_new();
        (void)sp_mem_fail_at(n, 0);
        one_batch(kit);
        failed = sp_mem_fail_at(0, 0) >= n;
        const struct sp_record *end = kit_told(kit, SP_REC_COLLECTED, 0);
        assert_non_null(end);
        bool told = kit_seen(kit, SP_SEEN_NIC, 20, 53) != NULL;
        bool doubt = end->u.collected.untagged_overflow != 0 || kit_count(kit, SP_REC_ERROR) > 0 ||
                     kit_count(kit, SP_REC_REFUSED) > 0;
        assert_true(told || doubt);
        if (!failed) {
            assert_true(told && !doubt);
            assert_true(kit_seen(kit, SP_SEEN_HOST, 20, 53) != NULL);
            assert_true(n > 10);
        }
        kit_forget(kit); /* and it works again */
        one_batch(kit);
        assert_non_null(kit_seen(kit, SP_SEEN_NIC, 20, 53));
        kit_free(kit);
    }
    struct sp_engine *engine = NULL;
    const struct sp_engine_io io = {0};
    const struct sp_bounds bounds = {0};
    (void)sp_mem_fail_at(1, 0);
    assert_int_equal(sp_engine_new(&io, &bounds, 0, &engine), SP_E_NOMEM);
    (void)sp_mem_fail_at(0, 0);
    sp_engine_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whole_life),
        cmocka_unit_test(orders_in_the_wrong_phase),
        cmocka_unit_test(orders_for_another_batch),
        cmocka_unit_test(an_earlier_sensor),
        cmocka_unit_test(blocks_that_cannot_be),
        cmocka_unit_test(a_batch_expires),
        cmocka_unit_test(a_new_batch_replaces_the_old),
        cmocka_unit_test(drops_are_never_forgotten),
        cmocka_unit_test(a_gap_is_told),
        cmocka_unit_test(torture),
    };
    return cmocka_run_group_tests_name("engine", tests, NULL, NULL);
}
