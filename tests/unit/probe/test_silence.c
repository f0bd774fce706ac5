/* SPDX-License-Identifier: Apache-2.0
 *
 * Conversations that are silent on purpose between their handshake and their data: what state is
 * then left on the path, the data tells. */
#include <string.h>

#include "tests/support/sp_cmocka.h"
#include "tests/unit/probe/engine_kit.h"

#define BLOCK 7
#define PORT  443
#define ISS   0x01020304U /* of the peer */

static struct sp_spec from_peer(const struct kit *kit, uint8_t flags, uint32_t seq)
{
    const struct sp_spec *syn = &kit->sent[0].spec;
    return (struct sp_spec){.src = syn->dst,
                            .dst = syn->src,
                            .ip_proto = SP_IPPROTO_TCP,
                            .ttl = 61,
                            .sport = syn->dport,
                            .dport = syn->sport,
                            .seq = seq,
                            .ack = syn->seq + 1,
                            .tcp_flags = flags,
                            .tcp_options = (flags & SP_TCP_SYN) != 0,
                            .tcp_timestamps = true,
                            .tsval = 99,
                            .tsecr = syn->tsval};
}

/* The handshake is complete, and five seconds of silence begin. */
static struct kit *silent(void)
{
    struct kit *kit = kit_new();
    kit->silent_ms = 5000;
    kit_batch(kit, 100000, 100, 60000);
    kit_block(kit, BLOCK, 1, SP_BLOCK_SENDER, "tcp_handshake", KIT_ME, KIT_PEER);
    kit_arm(kit);
    kit_shot(kit, BLOCK, PORT, 40001, 0);
    kit_fire(kit);
    kit_run(kit, 1000);
    struct sp_spec back = from_peer(kit, SP_TCP_SYN | SP_TCP_ACK, ISS);
    kit_in(kit, &back);
    kit_run(kit, 1000000);
    assert_int_equal(kit->nsent, 2); /* SYN, ACK */
    assert_null(kit_told(kit, SP_REC_DONE, 0));
    return kit;
}

static const struct sp_rec_seen *ended(struct kit *kit)
{
    assert_non_null(kit_told(kit, SP_REC_DONE, 0));
    assert_int_equal(kit->holds, 0);
    kit_collect(kit);
    return kit_seen(kit, SP_SEEN_ANSWER, BLOCK, PORT);
}

static void data_after_the_silence(void **state)
{
    (void)state;
    struct kit *kit = silent();
    kit_run(kit, 3900000);
    assert_int_equal(kit->nsent, 2);
    kit_run(kit, 150000);
    assert_int_equal(kit->nsent, 3);
    assert_int_equal(kit->sent[2].spec.tcp_flags, SP_TCP_ACK | SP_TCP_PSH);
    kit_run(kit, 1000000); /* nobody answers: it is sent again, and given up */
    assert_true(kit->nsent > 4);
    assert_int_equal(kit->sent[kit->nsent - 1].spec.tcp_flags, SP_TCP_RST);
    const struct sp_rec_seen *seen = ended(kit);
    assert_int_equal(seen->answer, SP_ANSWER_SYN_ACK);
    assert_int_equal(seen->code & SP_ANSWER_RESET, 0);
    kit_free(kit);
}

static void cut_in_silence(void **state)
{
    (void)state;
    struct kit *kit = silent();
    struct sp_spec cut = from_peer(kit, SP_TCP_RST, ISS + 1);
    kit_in(kit, &cut);
    kit_run(kit, 6000000);
    assert_int_equal(kit->nsent, 2); /* no data into a connection that is gone */
    assert_int_equal(ended(kit)->code & SP_ANSWER_RESET, SP_ANSWER_RESET);
    kit_free(kit);
}

/* Who is told to stop does not wait. */
static void collected_in_silence(void **state)
{
    (void)state;
    struct kit *kit = silent();
    kit_collect(kit);
    assert_int_equal(kit->nsent, 3);
    assert_int_equal(kit->sent[2].spec.tcp_flags, SP_TCP_RST);
    assert_int_equal(kit->holds, 0);
    kit_free(kit);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(data_after_the_silence),
        cmocka_unit_test(cut_in_silence),
        cmocka_unit_test(collected_in_silence),
    };
    return cmocka_run_group_tests_name("silence", tests, NULL, NULL);
}
