/* SPDX-License-Identifier: Apache-2.0
 *
 * The memory of one batch: what is put in is found again and nothing else is, also at its limits
 * and when memory runs out. */
#include "probe/batch.h"

#include <string.h>

#include "probe/base/mem.h"
#include "probe/engine.h"
#include "tests/support/sp_cmocka.h"
#include "tests/unit/packet/packet_kit.h"

static const struct sp_technique *tech(const char *name)
{
    return sp_technique_code(sp_technique_index(sp_technique_find(name)));
}

static enum sp_rc add_block(struct sp_batch_state *b, uint16_t first, uint16_t attempts)
{
    const struct sp_block block = {.first = first,
                                   .attempts = attempts,
                                   .tech = tech("udp"),
                                   .src = kit_addr("10.0.0.1"),
                                   .dst = kit_addr("10.0.0.2")};
    return sp_batch_add_block(b, &block);
}

static enum sp_rc add_shot(struct sp_batch_state *b, uint32_t row, uint16_t block, uint16_t port,
                           uint16_t sport)
{
    const struct sp_shot shot = {.block_row = row,
                                 .flow = {.src = kit_addr("10.0.0.1"),
                                          .dst = kit_addr("10.0.0.2"),
                                          .block = block,
                                          .port = port,
                                          .sport = sport}};
    return sp_batch_add_shot(b, &shot, SP_IPPROTO_UDP);
}

static void blocks_by_id(void **state)
{
    (void)state;
    struct sp_batch_state b;
    sp_batch_state_init(&b);
    assert_int_equal(sp_batch_find_block(&b, 0), SP_NO_ROW);
    assert_int_equal(add_block(&b, 5, 3), SP_OK);
    assert_int_equal(add_block(&b, 10, 1), SP_OK);
    assert_int_equal(add_block(&b, 65530, 6), SP_OK);
    assert_int_equal(add_block(&b, 65529, 1), SP_E_INVALID);
    for (uint32_t id = 0; id < 65536; id++) {
        uint32_t want = id >= 65530 ? 2 : id == 10 ? 1 : id >= 5 && id <= 7 ? 0 : SP_NO_ROW;
        assert_int_equal(sp_batch_find_block(&b, (uint16_t)id), want);
    }
    sp_batch_state_release(&b);
}

static void blocks_are_bounded(void **state)
{
    (void)state;
    struct sp_batch_state b;
    sp_batch_state_init(&b);
    for (uint32_t i = 0; i < SP_ENGINE_MAX_BLOCKS; i++) {
        assert_int_equal(add_block(&b, (uint16_t)i, 1), SP_OK);
    }
    assert_int_equal(add_block(&b, 65535, 1), SP_E_LIMIT);
    sp_batch_state_clear(&b);
    assert_int_equal(b.nblocks, 0);
    assert_null(b.blocks);
    assert_int_equal(add_block(&b, 0, 1), SP_OK);
    sp_batch_state_release(&b);
}

static void shots_by_tag_and_conversation(void **state)
{
    (void)state;
    struct sp_batch_state b;
    struct sp_addr peer = kit_addr("10.0.0.2");
    struct sp_addr other = kit_addr("10.0.0.3");
    sp_batch_state_init(&b);
    assert_int_equal(add_block(&b, 0, 1000), SP_OK);
    for (uint16_t i = 0; i < 1000; i++) {
        assert_int_equal(add_shot(&b, 0, i, 53, (uint16_t)(40000 + i)), SP_OK);
    }
    for (uint16_t i = 0; i < 1000; i++) {
        const struct sp_shot *s = sp_batch_shot_by_tag(&b, i, 53);
        assert_non_null(s);
        assert_int_equal(s->flow.block, i);
        assert_ptr_equal(s, sp_batch_shot_by_tuple(&b, &peer, 17, 53, (uint16_t)(40000 + i)));
        assert_null(sp_batch_shot_by_tag(&b, i, 54));
        assert_null(sp_batch_shot_by_tuple(&b, &other, 17, 53, (uint16_t)(40000 + i)));
        assert_null(sp_batch_shot_by_tuple(&b, &peer, 6, 53, (uint16_t)(40000 + i)));
        assert_null(sp_batch_shot_by_tuple(&b, &peer, 17, (uint16_t)(40000 + i), 53));
    }
    sp_batch_state_release(&b);
}

/* Several of the same addresses and ports: the newest leads to all of them. */
static void shots_of_one_conversation(void **state)
{
    (void)state;
    struct sp_batch_state b;
    struct sp_addr peer = kit_addr("10.0.0.2");
    sp_batch_state_init(&b);
    assert_int_equal(add_block(&b, 0, 1000), SP_OK);
    for (uint16_t i = 0; i < 100; i++) {
        assert_int_equal(add_shot(&b, 0, i, 53, i % 2 ? 40001 : 40000), SP_OK);
    }
    const struct sp_shot *s = sp_batch_shot_by_tuple(&b, &peer, 17, 53, 40000);
    for (uint16_t i = 0; i < 50; i++) {
        assert_non_null(s);
        assert_int_equal(s->flow.block, 98 - 2 * i);
        s = sp_batch_older_shot(&b, s);
    }
    assert_null(s);
    sp_batch_state_release(&b);
}

static struct sp_pkt pkt_from(const char *src, uint16_t sport, uint16_t dport)
{
    return (struct sp_pkt){.src = kit_addr(src),
                           .dst = kit_addr("10.0.0.1"),
                           .ip_proto = SP_IPPROTO_UDP,
                           .sport = sport,
                           .dport = dport,
                           .ttl = 9};
}

static void arrivals_by_tag_and_conversation(void **state)
{
    (void)state;
    struct sp_batch_state b;
    struct sp_pkt pkt = pkt_from("10.0.0.2", 41000, 53);
    sp_batch_state_init(&b);
    struct sp_arrival *a = sp_batch_arrival(&b, 7, 53, 3, &pkt);
    assert_non_null(a);
    assert_int_equal(a->ttl, 9);
    a->nic_count = 4;
    struct sp_pkt again = pkt_from("10.0.0.9", 1, 2); /* the same tag: the same arrival */
    a = sp_batch_arrival(&b, 7, 53, 3, &again);
    assert_int_equal(a->nic_count, 4);
    assert_int_equal(b.narrivals, 1);
    assert_ptr_equal(sp_batch_arrival_by_tuple(&b, &pkt.src, 17, 41000, 53), a);
    assert_null(sp_batch_arrival_by_tuple(&b, &again.src, 17, 41000, 53));
    assert_null(sp_batch_arrival_by_tuple(&b, &pkt.src, 17, 41001, 53));
    assert_null(sp_batch_arrival_by_tuple(&b, &pkt.src, 6, 41000, 53));
    sp_batch_state_release(&b);
}

/* A row that could not be finished must not be found under the tag that it was meant for. */
static void a_failed_row_is_nobodys(void **state)
{
    (void)state;
    size_t failures = 0;
    for (size_t n = 1; n < 40; n++) {
        struct sp_batch_state b;
        struct sp_pkt one = pkt_from("10.0.0.2", 41000, 53);
        struct sp_pkt two = pkt_from("10.0.0.2", 41001, 54);
        sp_batch_state_init(&b);
        (void)sp_mem_fail_at(n, 0);
        struct sp_arrival *first = sp_batch_arrival(&b, 1, 53, 0, &one);
        (void)sp_mem_fail_at(0, 0);
        struct sp_arrival *second = sp_batch_arrival(&b, 2, 54, 0, &two);
        assert_non_null(second);
        assert_int_equal(second->flow.block, 2);
        if (!first) {
            failures++;
            first = sp_batch_arrival(&b, 1, 53, 0, &one);
            assert_non_null(first);
            assert_int_equal(first->flow.block, 1);
            assert_int_equal(b.narrivals, 2);
        }
        sp_batch_state_release(&b);
        sp_batch_state_init(&b);
        assert_int_equal(add_block(&b, 0, 10), SP_OK);
        (void)sp_mem_fail_at(n, 0);
        enum sp_rc rc = add_shot(&b, 0, 1, 53, 40000);
        (void)sp_mem_fail_at(0, 0);
        assert_int_equal(add_shot(&b, 0, 2, 54, 40001), SP_OK);
        const struct sp_shot *shot = sp_batch_shot_by_tag(&b, 1, 53);
        assert_int_equal(shot != NULL, rc == SP_OK);
        assert_true(rc == SP_OK || rc == SP_E_NOMEM);
        sp_batch_state_release(&b);
    }
    assert_true(failures >= 2);
}

static void untagged_out_of_memory_is_admitted(void **state)
{
    (void)state;
    size_t failures = 0;
    for (size_t n = 1; n < 10; n++) {
        struct sp_batch_state b;
        const struct sp_untagged seen = {
            .src = kit_addr("10.0.0.9"), .dst = kit_addr("10.0.0.1"), .port = 1, .proto = 1};
        sp_batch_state_init(&b);
        (void)sp_mem_fail_at(n, 0);
        sp_batch_count_untagged(&b, &seen);
        (void)sp_mem_fail_at(0, 0);
        assert_int_equal(b.nuntagged + b.untagged_overflow, 1);
        failures += b.untagged_overflow;
        sp_batch_count_untagged(&b, &seen);
        assert_int_equal(b.nuntagged, 1);
        assert_int_equal(b.untagged[0].count, 2 - b.untagged_overflow);
        sp_batch_state_release(&b);
    }
    assert_true(failures >= 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(blocks_by_id),
        cmocka_unit_test(blocks_are_bounded),
        cmocka_unit_test(shots_by_tag_and_conversation),
        cmocka_unit_test(shots_of_one_conversation),
        cmocka_unit_test(arrivals_by_tag_and_conversation),
        cmocka_unit_test(a_failed_row_is_nobodys),
        cmocka_unit_test(untagged_out_of_memory_is_admitted),
    };
    return cmocka_run_group_tests_name("batch", tests, NULL, NULL);
}
