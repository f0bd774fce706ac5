/* SPDX-License-Identifier: Apache-2.0
 *
 * What is told while a sweep goes on: beats as they are seen, and never later than what was lost by
 * then. */
#include <stdio.h>
#include <string.h>

#include "probe/hearing.h"
#include "tests/support/sp_cmocka.h"
#include "tests/unit/probe/hear_kit.h"

#define SEND  SP_BLOCK_SENDER
#define RECV  SP_BLOCK_RECEIVER
#define BLOCK 3000
#define CAME  4000 /* guards: received, sent, self */
#define SENT  4001
#define SELF  4002

static struct kit *armed(void)
{
    struct kit *kit = kit_new();
    hear_batch(kit, 0);
    hear_sweep(kit, BLOCK, 2, RECV, "tcp_syn", KIT_PEER, KIT_ME);
    hear_guard(kit, CAME, RECV, "tcp_syn", KIT_PEER, KIT_ME);
    hear_guard(kit, SENT, SEND, "tcp_syn", KIT_ME, KIT_PEER);
    hear_guard(kit, SELF, SEND | RECV | SP_BLOCK_SELF, "icmp_echo", KIT_ME, "10.7.0.1");
    kit_arm(kit);
    kit_fire(kit);
    assert_int_equal(kit_count(kit, SP_REC_ERROR), 0);
    assert_int_equal(kit_count(kit, SP_REC_REFUSED), 0);
    kit_run(kit, 100000);
    kit_forget(kit);
    return kit;
}

static struct sp_spec beat(const struct kit *kit, uint16_t block, uint16_t number)
{
    struct sp_spec spec = kit_probe_spec(kit, "tcp_syn", block == CAME ? KIT_PEER : KIT_ME,
                                         block == CAME ? KIT_ME : KIT_PEER, block, number,
                                         (uint16_t)(HEAR_BEAT + number % 100));
    spec.dport = 443;
    return spec;
}

static void beats_are_told_as_they_come(void **state)
{
    (void)state;
    struct kit *kit = armed();
    for (uint16_t number = 510; number < 514; number++) {
        struct sp_spec in = beat(kit, CAME, number);
        kit_in(kit, &in);
        if (number % 2 == 0) {
            kit_host(kit, &in, 2);
        }
        in = beat(kit, SENT, number);
        kit_out(kit, &in);
    }
    (void)sp_engine_tick(kit->engine);
    for (uint16_t number = 509; number < 515; number++) {
        bool seen = number >= 510 && number < 514;
        assert_int_equal(hear_beat(kit, CAME, SP_HEARD_NIC, number), seen);
        assert_int_equal(hear_beat(kit, CAME, SP_HEARD_HOST, number), seen && number % 2 == 0);
        assert_int_equal(hear_beat(kit, SENT, SP_HEARD_LEFT, number), seen);
        assert_false(hear_beat(kit, CAME, SP_HEARD_LEFT, number));
        assert_false(hear_beat(kit, SENT, SP_HEARD_NIC, number));
    }
    assert_int_equal(kit_count(kit, SP_REC_HEARD), 6); /* two chunks each */
    kit_run(kit, 100000);
    assert_int_equal(kit_count(kit, SP_REC_HEARD), 6); /* nothing twice */
    kit_free(kit);
}

/* A flood of beats is told every 5 ms at most, copies not at all, and nothing is left untold. */
static void beats_are_told_now_and_then(void **state)
{
    (void)state;
    struct kit *kit = armed();
    for (uint16_t number = 0; number < 500; number++) {
        struct sp_spec in = beat(kit, CAME, number);
        kit_in(kit, &in);
        kit_in(kit, &in);
        kit_run(kit, 200);
    }
    assert_in_range(kit_count(kit, SP_REC_HEARD), 19, 22); /* 100 ms */
    struct sp_spec in = beat(kit, CAME, 500);
    kit_in(kit, &in);
    kit_collect(kit);
    for (uint16_t number = 0; number <= 500; number++) {
        assert_true(hear_beat(kit, CAME, SP_HEARD_NIC, number));
    }
    size_t last = 0;
    for (size_t i = 0; i < kit->ntold; i++) {
        last = kit->told[i].type == SP_REC_HEARD ? i : last;
    }
    assert_true(&kit->told[last] < kit_told(kit, SP_REC_COLLECTED, 0));
    kit_free(kit);
}

/* A beat in another technique, or at a probe that only sends them, is heard by nobody. */
static void beats_of_others(void **state)
{
    (void)state;
    struct kit *kit = armed();
    struct sp_spec in = kit_probe_spec(kit, "udp", KIT_PEER, KIT_ME, CAME, 1, HEAR_BEAT);
    kit_in(kit, &in);
    in = kit_probe_spec(kit, "tcp_syn", "10.0.0.9", KIT_ME, SENT, 2, HEAR_BEAT);
    kit_in(kit, &in);
    in = beat(kit, CAME, 3); /* leaving: not ours to send */
    kit_out(kit, &in);
    kit_run(kit, 10000);
    assert_int_equal(kit_count(kit, SP_REC_HEARD), 0);
    kit_collect(kit);
    assert_int_equal(kit_count_seen(kit, SP_SEEN_STRAY), 2);
    kit_free(kit);
}

/* The next hop's echo reply, and nobody else's. */
static void the_next_hop_answers(void **state)
{
    (void)state;
    struct kit *kit = armed();
    struct sp_spec echo =
        kit_probe_spec(kit, "icmp_echo", KIT_ME, "10.0.0.254", SELF, 9, HEAR_BEAT);
    kit_out(kit, &echo);
    struct sp_spec reply = echo;
    reply.src = kit_addr("10.7.0.1"); /* dst of the order, but not the next hop towards it */
    reply.dst = echo.src;
    reply.icmp_type = SP_ICMP_ECHO_REPLY;
    kit_in(kit, &reply);
    kit_run(kit, 10000);
    assert_true(hear_beat(kit, SELF, SP_HEARD_LEFT, 9));
    assert_false(hear_beat(kit, SELF, SP_HEARD_NIC, 9));
    reply.src = echo.dst;
    reply.payload[10] ^= 1; /* a forged tag */
    kit_in(kit, &reply);
    kit_run(kit, 10000);
    assert_false(hear_beat(kit, SELF, SP_HEARD_NIC, 9));
    reply.payload[10] ^= 1;
    kit_in(kit, &reply);
    kit_run(kit, 10000);
    assert_true(hear_beat(kit, SELF, SP_HEARD_NIC, 9));
    kit_free(kit);
}

static void health_is_told(void **state)
{
    (void)state;
    struct kit *kit = armed();
    for (uint16_t i = 0; i < 1000; i++) {
        struct sp_spec in =
            hear_spec(kit, "tcp_syn", KIT_PEER, KIT_ME, BLOCK, 0, (uint16_t)(1 + i));
        kit_in(kit, &in);
        kit_run(kit, 500);
    }
    assert_in_range(kit_count(kit, SP_REC_HEALTH), 8, 11); /* 500 ms */
    kit_run(kit, 100000);
    assert_int_equal(hear_health(kit)->arrived, 1000);
    kit_forget(kit);
    kit_run(kit, 1000000);
    assert_int_equal(kit_count(kit, SP_REC_HEALTH), 0); /* no news */
    kit->counters.softnet_drops = 7;
    kit_run(kit, 60000);
    assert_int_equal(hear_health(kit)->softnet_drops, 7);
    kit->counters.capture_drops = UINT64_MAX; /* unknown is never none */
    kit_run(kit, 60000);
    assert_int_equal(hear_health(kit)->capture_drops, UINT32_MAX);
    kit_free(kit);
}

/* The controller must not take a volley for clean before it knows what was lost. */
static void losses_before_beats(void **state)
{
    (void)state;
    struct kit *kit = armed();
    struct sp_spec in = beat(kit, CAME, 1);
    kit_in(kit, &in);
    kit->counters.capture_drops = 3;
    (void)sp_engine_tick(kit->engine);
    assert_int_equal(kit->told[0].type, SP_REC_HEALTH);
    assert_int_equal(kit->told[0].u.health.capture_drops, 3);
    assert_int_equal(kit->told[1].type, SP_REC_HEARD);
    kit_forget(kit);
    kit_now_us += 300000; /* stopped */
    in = beat(kit, CAME, 2);
    kit_in(kit, &in);
    (void)sp_engine_tick(kit->engine);
    assert_int_equal(kit->told[0].type, SP_REC_HEALTH);
    assert_true(kit->told[0].u.health.longest_gap_us >= 300000);
    assert_int_equal(kit->told[1].type, SP_REC_HEARD);
    kit_free(kit);
}

/* Nothing of a batch is told in the next one. */
static void the_next_batch_is_empty(void **state)
{
    (void)state;
    struct kit *kit = armed();
    struct sp_spec in = hear_spec(kit, "tcp_syn", KIT_PEER, KIT_ME, BLOCK, 0, 80);
    kit_in(kit, &in);
    in = beat(kit, CAME, 1);
    kit_in(kit, &in);
    kit_collect(kit);
    assert_true(hear_has(kit, BLOCK, SP_SWEPT_NIC, 0, 80));
    kit_forget(kit);
    hear_batch(kit, 0);
    hear_sweep(kit, BLOCK, 2, RECV, "tcp_syn", KIT_PEER, KIT_ME);
    hear_guard(kit, CAME, RECV, "tcp_syn", KIT_PEER, KIT_ME);
    kit_arm(kit);
    kit_fire(kit);
    kit_run(kit, 100000);
    kit_collect(kit);
    assert_int_equal(kit_count(kit, SP_REC_SWEPT), 0);
    assert_int_equal(kit_count(kit, SP_REC_HEARD), 0);
    assert_int_equal(hear_health(kit) != NULL, false);
    assert_int_equal(kit_count(kit, SP_REC_SEEN), 0);
    kit_free(kit);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(beats_are_told_as_they_come),
        cmocka_unit_test(beats_are_told_now_and_then),
        cmocka_unit_test(beats_of_others),
        cmocka_unit_test(the_next_hop_answers),
        cmocka_unit_test(health_is_told),
        cmocka_unit_test(losses_before_beats),
        cmocka_unit_test(the_next_batch_is_empty),
    };
    return cmocka_run_group_tests_name("sweep_tell", tests, NULL, NULL);
}
