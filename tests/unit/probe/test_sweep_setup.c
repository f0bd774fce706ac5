/* SPDX-License-Identifier: Apache-2.0
 *
 * Orders of sweeps: what is taken, what ARM refuses, the limits, and memory that is out. */
#include <errno.h>

#include "probe/base/mem.h"
#include "tests/support/sp_cmocka.h"
#include "tests/unit/probe/sweep_kit.h"

static void what_is_not_taken(void **state)
{
    (void)state;
    struct kit *kit = sk_setup(1000, 1000);
    sk_sweep(kit, SWEEP, 1, 10);
    sk_guard(kit, GUARD);
    assert_int_equal(kit_count(kit, SP_REC_ERROR), 0);
    sk_sweep(kit, SWEEP + 2, 20,
             29); /* its ids are the first one's; so it is the mask's, of no pass 0 */
    assert_int_equal(kit_count(kit, SP_REC_ERROR), 2);
    sk_guard(kit, GUARD);
    sk_guard(kit, SWEEP);
    sk_sweep_on(kit, 65534, "tcp_syn", SP_BLOCK_SENDER, KIT_ME, KIT_PEER); /* past the last id */
    sk_mask(kit, 777, SP_MASK_SEND, 1, 1);
    sk_mask(kit, SWEEP, SP_MASK_END, 1, 1);
    assert_int_equal(kit_count(kit, SP_REC_ERROR), 7);
    kit_block(kit, 50, 10, SP_BLOCK_SENDER, "udp", KIT_ME, KIT_PEER);
    sk_sweep_on(kit, 55, "tcp_syn", SP_BLOCK_SENDER, KIT_ME, KIT_PEER); /* a block's */
    assert_int_equal(kit_count(kit, SP_REC_ERROR), 8);
    kit_block(kit, SWEEP - 1, 2, SP_BLOCK_SENDER, "udp", KIT_ME, KIT_PEER); /* and the other way */
    kit_block(kit, GUARD, 1, SP_BLOCK_SENDER, "udp", KIT_ME, KIT_PEER);
    assert_int_equal(kit_count(kit, SP_REC_ERROR), 10);
    struct sp_record r = {.type = SP_REC_SWEEP};
    r.u.sweep = (struct sp_rec_sweep){.batch = kit->batch,
                                      .block = 3000,
                                      .passes = 2,
                                      .flags = SP_BLOCK_SENDER,
                                      .technique = "tcp_syn",
                                      .src = kit_addr(KIT_ME),
                                      .dst = kit_addr(KIT_PEER),
                                      .sport = 49999}; /* the second pass is not reserved */
    kit_order(kit, &r);
    r.u.sweep.sport = 39999;
    kit_order(kit, &r);
    r.u.sweep.sport = 40000;
    r.u.sweep.alt_sport = 49999;
    kit_order(kit, &r);
    r.u.sweep.alt_sport = 0;
    r.u.sweep.passes = 0;
    kit_order(kit, &r);
    r.u.sweep.passes = SP_SWEEP_PASSES_MAX + 1;
    kit_order(kit, &r);
    assert_int_equal(kit_count(kit, SP_REC_ERROR), 15);
    sk_volley(kit, 0, 10, 0, 0); /* not fired */
    assert_int_equal(kit_count(kit, SP_REC_ERROR), 16);
    assert_int_equal(kit_count(kit, SP_REC_VOLLEYED), 0);
    sk_arm_and_fire(kit);
    sk_mask(kit, SWEEP, SP_MASK_SEND, 11, 11); /* too late */
    assert_int_equal(kit_count(kit, SP_REC_ERROR), 17);
    static const uint32_t bad[][3] = {{0, 0, 0},  {0, 11, 0},         {10, 1, 0},
                                      {11, 1, 0}, {UINT32_MAX, 2, 0}, {0, UINT32_MAX, 0},
                                      {0, 1, 3}};
    for (size_t i = 0; i < SP_ARRAY_LEN(bad); i++) {
        kit_forget(kit);
        sk_volley(kit, bad[i][0], bad[i][1], (uint16_t)bad[i][2], 0);
        assert_int_equal(kit_count(kit, SP_REC_ERROR), 1);
        sk_check_counts(kit, 0, 0, bad[i][1], EINVAL);
    }
    kit_run(kit, 1000000);
    assert_int_equal(kit->burst_total, 0);
    kit_forget(kit);
    sk_volley(kit, 0, 10, 0, 0); /* all of it did no harm */
    kit_run(kit, 1000000);
    sk_check_counts(kit, 10, 0, 0, 0);
    kit_free(kit);
}

static void limits(void **state)
{
    (void)state;
    struct kit *kit = sk_setup(1000, 100000);
    for (uint16_t i = 0; i <= SP_SWEEPS_MAX; i++) {
        sk_sweep_on(kit, (uint16_t)(i * 3), "udp", SP_BLOCK_SENDER, KIT_ME, KIT_PEER);
    }
    assert_int_equal(kit_count(kit, SP_REC_ERROR), 1);
    for (uint16_t i = 0; i <= SP_GUARDS_MAX; i++) {
        sk_guard_on(kit, (uint16_t)(10000 + i), "udp", SP_BLOCK_RECEIVER, KIT_PEER, 0);
    }
    assert_int_equal(kit_count(kit, SP_REC_ERROR), 2);
    sk_mask(kit, 0, SP_MASK_SEND, 7, 7);
    sk_mask(kit, 3 * (SP_SWEEPS_MAX - 1), SP_MASK_SEND, 8, 8);
    sk_arm_and_fire(kit);
    kit_forget(kit);
    for (unsigned i = 0; i <= SP_VOLLEYS_MAX; i++) {
        struct sp_record r = {.type = SP_REC_VOLLEY};
        r.u.volley = (struct sp_rec_volley){.batch = kit->batch, .serial = i, .count = 2, .pps = 1};
        sp_engine_order(kit->engine, &r);
    }
    assert_int_equal(kit_count(kit, SP_REC_ERROR), 1);
    sk_check_counts(kit, 0, 0, 2, ENOBUFS);
    assert_int_equal(sk_told(kit, 0)->serial, SP_VOLLEYS_MAX);
    kit_run(kit, 10000000);
    assert_in_range(kit->burst_total, 10, 11);
    kit_collect(kit);
    /* Each is told, what was not sent as failed. */
    assert_int_equal(kit_count(kit, SP_REC_VOLLEYED), SP_VOLLEYS_MAX + 1);
    uint32_t sent = 0;
    uint32_t failed = 0;
    for (size_t i = 1; i <= SP_VOLLEYS_MAX; i++) {
        sent += sk_told(kit, i)->sent;
        failed += sk_told(kit, i)->failed;
        assert_int_equal(sk_told(kit, i)->err, sk_told(kit, i)->failed ? ECANCELED : 0);
    }
    assert_int_equal(sent, kit->burst_total);
    assert_int_equal(sent + failed, 2 * SP_VOLLEYS_MAX);
    kit_run(kit, 1000000);
    assert_int_equal(sent, kit->burst_total);
    kit_free(kit);
}

static void refusals(void **state)
{
    (void)state;
    struct kit *kit = sk_setup(1000, 1000);
    const uint16_t link = SP_BLOCK_SENDER | SP_BLOCK_LINK;
    sk_sweep_on(kit, 0, "tcp_syn", link, KIT_ME, "192.0.2.1");
    sk_sweep_on(kit, 10, "tcp_syn", link, "10.0.0.77", KIT_PEER);
    sk_sweep_on(kit, 20, "icmp_echo", link, KIT_ME, KIT_PEER);
    sk_sweep_on(kit, 30, "tcp_handshake", link, KIT_ME, KIT_PEER);
    sk_sweep_on(kit, 40, "no_such", link, KIT_ME, KIT_PEER);
    sk_sweep_on(kit, 50, "tcp_syn", link | SP_BLOCK_SELF, KIT_ME, KIT_PEER);
    sk_sweep_on(kit, 60, "tcp_syn", SP_BLOCK_RECEIVER, KIT_PEER, "10.0.0.77");
    sk_sweep_on(kit, 70, "tcp_syn", SP_BLOCK_RECEIVER, KIT_PEER, KIT_ME);
    sk_sweep_on(kit, 80, "tcp_syn", link, KIT_ME, KIT_PEER);
    sk_guard_on(kit, 900, "tcp_handshake", link, KIT_PEER, 0);
    sk_guard_on(kit, 901, "tcp_syn", link, "192.0.2.1", 0);
    sk_guard_on(kit, 902, "icmp_echo", SP_BLOCK_SENDER | SP_BLOCK_SELF, "10.9.0.1", 0);
    sk_guard_on(kit, 903, "udp", SP_BLOCK_SENDER | SP_BLOCK_SELF, "10.9.0.1", 0);
    kit_arm(kit);
    static const uint8_t want[] = {SP_REFUSED_TARGET,    SP_REFUSED_NOT_OWN,   SP_REFUSED_TECHNIQUE,
                                   SP_REFUSED_TECHNIQUE, SP_REFUSED_TECHNIQUE, SP_REFUSED_TECHNIQUE,
                                   SP_REFUSED_NOT_OWN,   SP_REFUSED_NONE,      SP_REFUSED_NONE};
    for (uint16_t i = 0; i < SP_ARRAY_LEN(want); i++) {
        assert_int_equal(sk_reason(kit, (uint16_t)(i * 10)), want[i]);
    }
    assert_int_equal(sk_reason(kit, 900), SP_REFUSED_TECHNIQUE);
    assert_int_equal(sk_reason(kit, 901), SP_REFUSED_TARGET);
    assert_int_equal(sk_reason(kit, 902), SP_REFUSED_NONE);
    assert_int_equal(sk_reason(kit, 903), SP_REFUSED_TECHNIQUE);
    assert_int_equal(kit_told(kit, SP_REC_ARMED, 0)->u.armed.refused, 10);
    kit_free(kit);

    kit = sk_setup(1000, 1000);
    kit->no_link = true;
    sk_sweep(kit, SWEEP, 1, 10);
    sk_guard(kit, GUARD);
    sk_arm_and_fire(kit);
    assert_int_equal(sk_reason(kit, SWEEP), SP_REFUSED_LINK);
    assert_int_equal(sk_reason(kit, GUARD), SP_REFUSED_LINK);
    sk_volley(kit, 0, 10, 0, 0); /* nobody waits for it forever */
    sk_check_counts(kit, 0, 0, 10, ECANCELED);
    assert_int_equal(kit_count(kit, SP_REC_ERROR), 0);
    kit_free(kit);

    kit = sk_setup(1000, 1000);
    kit->no_listen = true;
    sk_sweep(kit, SWEEP, 1, 10);
    kit_arm(kit);
    assert_int_equal(sk_reason(kit, SWEEP), SP_REFUSED_CAPTURE);
    kit_free(kit);
}

/* The numbers of a refused sweep stay its own: what is sent of the others is the same. */
static void one_of_two_refused(void **state)
{
    (void)state;
    struct kit *kit = sk_setup(100000, 100000);
    sk_sweep_on(kit, SWEEP, "tcp_syn", SP_BLOCK_SENDER, KIT_ME, "192.0.2.1");
    sk_mask(kit, SWEEP, SP_MASK_SEND, 1, 5000);
    sk_sweep(kit, 200, 1, 100);
    sk_arm_and_fire(kit);
    sk_volley(kit, 0, 5100, 0, 0);
    kit_run(kit, 1000000);
    sk_check_counts(kit, 100, 0, 5000, ECANCELED);
    for (uint16_t port = 1; port <= 100; port++) {
        assert_int_equal(sk_times(kit, 200, 0, port), 1);
    }
    kit_free(kit);
}

/* Every allocation fails once: what cannot be taken is told, and nothing leaks. */
static void out_of_memory(void **state)
{
    (void)state;
    for (size_t nth = 1; nth < 40; nth++) {
        struct kit *kit = sk_setup(100000, 1000);
        (void)sp_mem_fail_at(nth, 0);
        sk_sweep(kit, SWEEP, 1, 10);
        sk_mask(kit, SWEEP, SP_MASK_RAW, 1, 2);
        sk_guard(kit, GUARD);
        sk_arm_and_fire(kit);
        kit->refuse_port = 5;
        kit->refuse_errno = EPERM;
        sk_volley(kit, 0, 10, 0, 0);
        kit_run(kit, 100000);
        size_t asked = sp_mem_fail_at(0, 0);
        assert_int_equal(kit_count(kit, SP_REC_VOLLEYED), 1);
        const struct sp_rec_volleyed *v = sk_told(kit, 0);
        assert_int_equal(v->sent + v->refused + v->failed, 10);
        kit_free(kit);
        if (asked < nth) {
            return; /* nothing failed any more */
        }
        assert_true(nth < 39);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_not_taken), cmocka_unit_test(limits),
        cmocka_unit_test(refusals),          cmocka_unit_test(one_of_two_refused),
        cmocka_unit_test(out_of_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
