/* SPDX-License-Identifier: Apache-2.0
 *
 * Sending: which shots are taken, the budget, the pace. */
#include <errno.h>
#include <string.h>

#include "tests/support/sp_cmocka.h"
#include "tests/unit/probe/engine_kit.h"

static void start(struct kit *kit, uint32_t pps, uint32_t budget)
{
    kit_batch(kit, pps, budget, 600000);
    kit_block(kit, 0, 1000, SP_BLOCK_SENDER, "udp", KIT_ME, KIT_PEER);
    kit_block(kit, 1000, 1, SP_BLOCK_RECEIVER, "udp", KIT_PEER, KIT_ME);
    kit_arm(kit);
    kit_forget(kit);
}

static void shots_that_are_not_taken(void **state)
{
    (void)state;
    static const struct {
        uint16_t block, sport;
        uint32_t at_us;
        bool taken;
    } rows[] = {
        {0, 40000, 1000, true},
        {0, 49999, 1000, true},
        {999, 40000, 1000, true},
        {0, 39999, 1000, false}, /* source ports that are not reserved */
        {0, 50000, 1000, false},
        {0, 0, 1000, false},
        {0, 40000, 999, false},     /* back in time */
        {1000, 40000, 1000, false}, /* not the sender */
        {1001, 40000, 1000, false}, /* no such block */
        {65535, 40000, 1000, false},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct kit *kit = kit_new();
        start(kit, 1000, 100);
        kit_shot(kit, 0, 1, 40001, 1000);
        kit_shot(kit, rows[i].block, 2, rows[i].sport, rows[i].at_us);
        assert_int_equal(kit_count(kit, SP_REC_ERROR), rows[i].taken ? 0 : 1);
        kit_fire(kit);
        kit_run(kit, 1000000);
        assert_int_equal(kit->nsent, rows[i].taken ? 2 : 1);
        kit_free(kit);
    }
}

/* The first attempt's SYN goes out again a second later, the same packet, unless it was answered.
 */
static void unanswered_is_sent_again(void **state)
{
    (void)state;
    for (int answered = 0; answered < 2; answered++) {
        struct kit *kit = kit_new();
        kit_batch(kit, 1000, 100, 600000);
        kit_block(kit, 0, 2, SP_BLOCK_SENDER | SP_BLOCK_AGAIN, "tcp_syn", KIT_ME, KIT_PEER);
        kit_block(kit, 10, 2, SP_BLOCK_SENDER, "tcp_syn", KIT_ME, KIT_PEER);
        kit_arm(kit);
        kit_forget(kit);
        kit_shot(kit, 0, 22, 40000, 0);  /* the first attempt */
        kit_shot(kit, 10, 22, 40001, 0); /* of a block that is not asked for twice */
        kit_shot(kit, 1, 22, 40002, 1200000);
        kit_fire(kit);
        kit_run(kit, 500000);
        assert_int_equal(kit->nsent, 2);
        const struct sp_spec first = kit->sent[0].spec;
        if (answered) {
            const struct sp_spec rst = {.src = first.dst,
                                        .dst = first.src,
                                        .sport = first.dport,
                                        .dport = first.sport,
                                        .ack = first.seq + 1,
                                        .tcp_flags = SP_TCP_RST | SP_TCP_ACK,
                                        .ip_proto = SP_IPPROTO_TCP};
            kit_in(kit, &rst);
        }
        kit_run(kit, 600000);
        assert_int_equal(kit->nsent, answered ? 2 : 3);
        if (!answered) {
            assert_memory_equal(&kit->sent[2].spec, &first, sizeof(first));
        }
        assert_int_equal(kit_count(kit, SP_REC_DONE), 0);
        kit_run(kit, 2000000);
        assert_int_equal(kit->nsent, answered ? 3 : 4);
        assert_int_equal(kit_count(kit, SP_REC_DONE), 1);
        kit_collect(kit);
        assert_int_equal(kit_seen(kit, SP_SEEN_SENT, 0, 22)->count, answered ? 1 : 2);
        assert_int_equal(kit_seen(kit, SP_SEEN_SENT, 10, 22)->count, 1);
        kit_free(kit);
    }
}

static void the_budget_holds(void **state)
{
    (void)state;
    struct kit *kit = kit_new();
    start(kit, 100000, 5);
    for (uint16_t i = 0; i < 9; i++) {
        kit_shot(kit, i, 53, 40000, 0);
    }
    assert_int_equal(kit_count(kit, SP_REC_ERROR), 4);
    kit_fire(kit);
    kit_run(kit, 1000000);
    assert_int_equal(kit->nsent, 5);
    kit_free(kit);
}

/* Replies and shots share it: nothing leaves once it is spent. */
static void the_budget_includes_replies(void **state)
{
    (void)state;
    struct kit *kit = kit_new();
    kit_batch(kit, 100000, 1, 600000);
    kit_block(kit, 0, 10, SP_BLOCK_RECEIVER | SP_BLOCK_REPLY, "udp", KIT_PEER, KIT_ME);
    kit_arm(kit);
    kit_fire(kit);
    for (uint16_t i = 0; i < 3; i++) {
        struct sp_spec in = kit_probe_spec(kit, "udp", KIT_PEER, KIT_ME, i, 53, 40000);
        kit_in(kit, &in);
        kit_host(kit, &in, 2);
    }
    kit_run(kit, 1000000);
    assert_int_equal(kit->nsent, 1);
    kit_collect(kit);
    size_t over = 0;
    for (uint16_t i = 0; i < 3; i++) {
        const struct sp_rec_seen *e = kit_seen(kit, SP_SEEN_EGRESS, i, 53);
        over += e && e->err == EDQUOT;
    }
    assert_int_equal(over, 2);
    kit_free(kit);
}

/* In no second do more packets leave than the stricter of both limits says, with at most the 20 ms
 * of burst on top; and the allowance is used. */
static void the_pace_holds(void **state)
{
    (void)state;
    static const struct {
        uint32_t bound, order, want;
    } rows[] = {{1000000, 1, 1}, {1000000, 10, 10}, {1000000, 100, 100}, {100, 5000, 100},
                {1000, 0, 1},    {0, 500, 500},     {5000, 5000, 5000}};
    for (size_t r = 0; r < sizeof(rows) / sizeof(rows[0]); r++) {
        struct kit *kit = kit_new();
        uint32_t n = rows[r].want * 3 < 4000 ? rows[r].want * 3 : 4000;
        kit->bounds.max_pps = rows[r].bound;
        kit_restart(kit, 0);
        start(kit, rows[r].order, 100000);
        for (uint32_t i = 0; i < n; i++) {
            kit_shot(kit, (uint16_t)(i % 1000), (uint16_t)(1 + i / 1000), 40000, 0);
        }
        assert_int_equal(kit_count(kit, SP_REC_ERROR), 0);
        kit_fire(kit);
        uint64_t fired = kit_now_us;
        kit_run(kit, 5000000);
        assert_int_equal(kit->nsent, n);
        uint32_t burst = rows[r].want / 50 > 1 ? rows[r].want / 50 : 1;
        for (size_t i = 0; i + rows[r].want + burst < n; i++) {
            assert_true(kit->sent[i + rows[r].want + burst].at_us - kit->sent[i].at_us >= 999000);
        }
        double took = (double)(kit->sent[n - 1].at_us - fired) / 1e6;
        assert_true(took <= 1.1 * n / rows[r].want + 0.05);
        kit_free(kit);
    }
}

/* The allowance does not start anew with every batch. */
static void batches_share_the_pace(void **state)
{
    (void)state;
    struct kit *kit = kit_new();
    kit->bounds.max_pps = 10;
    kit_restart(kit, 0);
    size_t sent = 0;
    for (int i = 0; i < 20; i++) {
        start(kit, 10, 100);
        kit_shot(kit, 0, 1, 40000, 0);
        kit_shot(kit, 1, 1, 40000, 0);
        kit_fire(kit);
        kit_run(kit, 10000);
        sent += kit->nsent;
        kit_collect(kit);
    }
    assert_true(sent <= 3); /* 0.2 s at 10 a second, and one of burst */
    kit_free(kit);
}

static void shots_keep_their_time(void **state)
{
    (void)state;
    struct kit *kit = kit_new();
    start(kit, 10000, 1000);
    for (uint16_t i = 0; i < 100; i++) {
        kit_shot(kit, i, 53, 40000, (uint32_t)i * 25000);
    }
    kit_fire(kit);
    uint64_t fired = kit_now_us;
    kit_run(kit, 3000000);
    assert_int_equal(kit->nsent, 100);
    for (uint16_t i = 0; i < 100; i++) {
        uint64_t at = kit->sent[i].at_us - fired;
        assert_true(at >= (uint64_t)i * 25000 && at <= (uint64_t)i * 25000 + 2000);
    }
    kit_free(kit);
}

static void what_the_kernel_refuses_is_told(void **state)
{
    (void)state;
    struct kit *kit = kit_new();
    start(kit, 10000, 1000);
    kit->send_errno = EPERM;
    kit_shot(kit, 3, 53, 40000, 0);
    kit_fire(kit);
    kit_run(kit, 10000);
    const struct sp_rec_done *done = &kit_told(kit, SP_REC_DONE, 0)->u.done;
    assert_int_equal(done->sent, 0);
    assert_int_equal(done->failed, 1);
    kit_collect(kit);
    const struct sp_rec_seen *sent = kit_seen(kit, SP_SEEN_SENT, 3, 53);
    assert_non_null(sent);
    assert_int_equal(sent->err, EPERM);
    assert_int_equal(kit_told(kit, SP_REC_COLLECTED, 0)->u.collected.sent, 0);
    kit_free(kit);
}

/* A batch without shots (a pure receiver) is done at once. */
static void nothing_to_send(void **state)
{
    (void)state;
    struct kit *kit = kit_new();
    start(kit, 10000, 1000);
    kit_fire(kit);
    assert_int_equal(kit_count(kit, SP_REC_DONE), 1);
    kit_free(kit);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shots_that_are_not_taken),
        cmocka_unit_test(unanswered_is_sent_again),
        cmocka_unit_test(the_budget_holds),
        cmocka_unit_test(the_budget_includes_replies),
        cmocka_unit_test(the_pace_holds),
        cmocka_unit_test(batches_share_the_pace),
        cmocka_unit_test(shots_keep_their_time),
        cmocka_unit_test(what_the_kernel_refuses_is_told),
        cmocka_unit_test(nothing_to_send),
    };
    return cmocka_run_group_tests_name("engine fire", tests, NULL, NULL);
}
