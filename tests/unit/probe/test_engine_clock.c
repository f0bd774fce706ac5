/* SPDX-License-Identifier: Apache-2.0
 *
 * Two engines whose clocks are minutes apart, either way: times in records are counted from each
 * one's own FIRE, nothing is too old or too early, and a batch lives as long as it was told to. */
#include "tests/support/sp_cmocka.h"
#include "tests/unit/probe/engine_kit.h"

#define MINUTE 60000000ULL

/* A probe and what its clock shows. */
struct end {
    struct kit *kit;
    uint64_t now_us;
};

static struct end new_end(uint64_t now_us)
{
    struct end end = {.kit = kit_new(), .now_us = now_us};
    kit_now_us = now_us;
    kit_restart(end.kit, 0);
    return end;
}

/* What follows is done by this end, by its own clock. */
static struct kit *at(const struct end *end)
{
    kit_now_us = end->now_us;
    return end->kit;
}

static void arm_and_fire(struct end *end, uint16_t flags, const char *src, const char *dst)
{
    struct kit *kit = at(end);
    kit_batch(kit, 1000, 100, 60000);
    kit_block(kit, 7, 2, flags, "tcp_syn", src, dst);
    kit_arm(kit);
    assert_int_equal(kit_count(kit, SP_REC_ARMED), 1);
    if (flags == SP_BLOCK_SENDER) {
        kit_shot(kit, 7, 22, 40001, 200000);
        kit_shot(kit, 8, 22, 40002, 1300000);
    }
    kit_fire(kit);
}

static void pass(struct end *end, uint64_t us)
{
    kit_run(at(end), us);
    end->now_us = kit_now_us;
}

static void both_ends_agree(void **state)
{
    (void)state;
    static const uint64_t starts[][2] = {{MINUTE, MINUTE},
                                         {MINUTE, 11 * MINUTE},
                                         {11 * MINUTE, MINUTE},
                                         {1, 100000 * MINUTE},
                                         {100000 * MINUTE, 1}};
    for (size_t i = 0; i < sizeof(starts) / sizeof(starts[0]); i++) {
        struct end from = new_end(starts[i][0]);
        struct end to = new_end(starts[i][1]);
        arm_and_fire(&from, SP_BLOCK_SENDER, KIT_ME, KIT_PEER);
        arm_and_fire(&to, SP_BLOCK_RECEIVER, KIT_PEER, KIT_ME);
        size_t carried = 0;
        for (unsigned step = 0; step < 20; step++) {
            pass(&from, 100000);
            pass(&to, 100000);
            for (; carried < from.kit->nsent; carried++) {
                struct sp_spec spec = from.kit->sent[carried].spec;
                kit_out(at(&from), &spec);
                spec.src = kit_addr(KIT_PEER); /* both kits are the same host */
                spec.dst = kit_addr(KIT_ME);
                kit_in(at(&to), &spec);
                kit_host(at(&to), &spec, 2);
            }
        }
        assert_int_equal(carried, 2);
        kit_collect(at(&from));
        kit_collect(at(&to));
        static const uint32_t sent_at[] = {200000, 1300000};
        for (uint16_t shot = 0; shot < 2; shot++) {
            uint16_t id = (uint16_t)(7 + shot);
            const struct sp_rec_seen *left = kit_seen(from.kit, SP_SEEN_LEFT, id, 22);
            const struct sp_rec_seen *nic = kit_seen(to.kit, SP_SEEN_NIC, id, 22);
            assert_non_null(left);
            assert_non_null(nic);
            assert_non_null(kit_seen(to.kit, SP_SEEN_HOST, id, 22));
            assert_in_range(left->at_us, sent_at[shot], sent_at[shot] + 1000);
            assert_in_range(nic->at_us, sent_at[shot], sent_at[shot] + 200000);
        }
        assert_int_equal(kit_count_seen(to.kit, SP_SEEN_UNTAGGED), 0);
        kit_free(from.kit);
        kit_free(to.kit);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_ends_agree),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
