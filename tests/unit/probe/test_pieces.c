/* SPDX-License-Identifier: Apache-2.0
 *
 * Tests that are sent in fragments, and those with a source that is not their own: what leaves,
 * what counts as having left and as having come, and what a probe refuses whatever it is told. */
#include <stdio.h>
#include <string.h>

#include "tests/support/sp_cmocka.h"
#include "tests/unit/probe/engine_kit.h"

static struct kit *kit_of(char hazard)
{
    struct kit *kit = kit_new();
    kit->bounds.hazard = hazard;
    kit_restart(kit, 0);
    kit_batch(kit, 1000, 100, 60000);
    return kit;
}

struct train {
    struct sp_spec specs[8];
    size_t n;
};

static int keep(struct sp_tech_io *io, const struct sp_spec *spec)
{
    struct train *train = io->arg;
    train->specs[train->n++] = *spec;
    return 0;
}

/* The fragments that a probe of this batch sends. */
static struct train train_of(const struct kit *kit, const char *name, bool v6, uint16_t block,
                             uint16_t port)
{
    const struct sp_technique_info *info = sp_technique_find(name);
    struct sp_tag_keys keys;
    struct train train = {.n = 0};
    struct sp_tech_io io = {.keys = &keys, .emit = keep, .arg = &train};
    const struct sp_flow flow = {.src = kit_addr(v6 ? KIT_PEER6 : KIT_PEER),
                                 .dst = kit_addr(v6 ? KIT_ME6 : KIT_ME),
                                 .block = block,
                                 .port = port,
                                 .sport = 40005};
    assert_non_null(info);
    sp_tag_keys_init(&keys, kit->key);
    assert_int_equal(sp_technique_code(sp_technique_index(info))->start(&flow, &io), 0);
    return train;
}

static void receive(struct kit *kit, const char *name, bool v6)
{
    kit_block(kit, 7, 4, SP_BLOCK_RECEIVER, name, v6 ? KIT_PEER6 : KIT_PEER, v6 ? KIT_ME6 : KIT_ME);
    kit_arm(kit);
    kit_fire(kit);
    assert_int_equal(kit_count(kit, SP_REC_REFUSED), 0);
}

/* Which pieces come (a set), and what the probe tells of them; -1: nothing. */
static const struct {
    const char *name;
    unsigned come;
    int want;
} rows[] = {
    {"frag_tiny", 7, SP_PIECES_WHOLE},    {"frag_tiny", 1, SP_PIECES_HEAD},
    {"frag_tiny", 2, SP_PIECES_TAIL},     {"frag_tiny", 4, SP_PIECES_TAIL},
    {"frag_tiny", 6, SP_PIECES_TAIL},     {"frag_tiny", 3, SP_PIECES_HEAD},
    {"frag_tiny", 5, SP_PIECES_HEAD},     {"frag_tiny", 0, -1},
    {"frag_overlap", 3, SP_PIECES_WHOLE}, {"frag_overlap", 1, SP_PIECES_HEAD},
    {"frag_overlap", 2, SP_PIECES_TAIL},  {"frag_tail", 1, SP_PIECES_TAIL},
};

static void what_came_is_told_by_pieces(void **state)
{
    (void)state;
    for (size_t r = 0; r < sizeof(rows) / sizeof(rows[0]); r++) {
        for (int v6 = 0; v6 < 2; v6++) {
            struct kit *kit = kit_of('C');
            receive(kit, rows[r].name, v6);
            struct train train = train_of(kit, rows[r].name, v6, 8, 22);
            for (size_t i = train.n; i-- > 0;) { /* also out of order, and twice */
                if ((rows[r].come >> i & 1) != 0) {
                    kit_in(kit, &train.specs[i]);
                    kit_in(kit, &train.specs[i]);
                }
            }
            kit_collect(kit);
            const struct sp_rec_seen *seen = kit_seen(kit, SP_SEEN_NIC, 8, 22);
            assert_int_equal(seen != NULL, rows[r].want >= 0);
            if (seen) {
                assert_int_equal(seen->pieces, rows[r].want);
                assert_int_equal(seen->count, 1);
                assert_int_equal(seen->dport, (rows[r].come & 1) && train.n > 1 ? 22 : 0);
            }
            assert_int_equal(kit_count_seen(kit, SP_SEEN_STRAY), 0);
            assert_int_equal(kit_count_seen(kit, SP_SEEN_UNTAGGED), 0);
            kit_free(kit);
        }
    }
}

/* Reassembled on the way, or by the host: a whole packet of the technique. */
static void one_that_was_put_together_is_whole(void **state)
{
    (void)state;
    struct kit *kit = kit_of('C');
    receive(kit, "frag_tiny", false);
    struct train train = train_of(kit, "frag_tiny", false, 8, 22);
    struct sp_spec whole = train.specs[0];
    whole.odd = (struct sp_odd){0};
    kit_in(kit, &whole);
    kit_host(kit, &whole, 2);
    kit_collect(kit);
    assert_non_null(kit_seen(kit, SP_SEEN_NIC, 8, 22));
    assert_int_equal(kit_seen(kit, SP_SEEN_NIC, 8, 22)->pieces, SP_PIECES_WHOLE);
    assert_non_null(kit_seen(kit, SP_SEEN_HOST, 8, 22));
    kit_free(kit);
}

/* Nobody's: another batch, another host, leaving, a block of another technique. Weak ones (the
 * first of tiny ones over IPv4) do not count at a probe that was not told of them; others are
 * strays. */
static void what_is_not_this_probes(void **state)
{
    (void)state;
    struct kit *kit = kit_of('C');
    receive(kit, "frag_tiny", false);
    struct train train = train_of(kit, "frag_tiny", false, 8, 22);
    struct sp_spec other = train.specs[1];
    other.dst = kit_addr(KIT_PEER);
    kit_in(kit, &other);
    kit_out(kit, &train.specs[1]);
    kit->key[0] ^= 1;
    struct train foreign = train_of(kit, "frag_tiny", false, 8, 22);
    kit->key[0] ^= 1;
    for (size_t i = 0; i < foreign.n; i++) {
        kit_in(kit, &foreign.specs[i]);
    }
    struct train strange = train_of(kit, "frag_tiny", false, 900, 22);
    kit_in(kit, &strange.specs[0]);
    kit_collect(kit);
    assert_int_equal(kit_count(kit, SP_REC_SEEN), 0);
    kit_free(kit);

    kit = kit_of('C');
    receive(kit, "frag_tiny", false);
    kit_in(kit, &strange.specs[2]);
    struct train tail = train_of(kit, "frag_tail", false, 8, 22); /* block 8 is frag_tiny's */
    kit_in(kit, &tail.specs[0]);
    kit_collect(kit);
    assert_int_equal(kit_count_seen(kit, SP_SEEN_STRAY), 2);
    assert_int_equal(kit_count_seen(kit, SP_SEEN_NIC), 0);
    kit_free(kit);
}

/* An attempt counts when all of its fragments were seen leaving. All go past the host's own stack.
 */
static void a_train_has_left_when_all_of_it_has(void **state)
{
    (void)state;
    for (size_t missing = 0; missing <= 3; missing++) {
        struct kit *kit = kit_of('C');
        kit_block(kit, 7, 4, SP_BLOCK_SENDER, "frag_tiny", KIT_ME, KIT_PEER);
        kit_arm(kit);
        kit_shot(kit, 8, 22, 40005, 0);
        kit_fire(kit);
        kit_run(kit, 1000);
        assert_int_equal(kit->nsent, 3);
        for (size_t i = 0; i < 3; i++) {
            assert_true(kit->sent[i].is_link);
            if (i != missing) {
                struct sp_spec spec = kit->sent[i].spec;
                kit_out(kit, &spec);
            }
        }
        kit_collect(kit);
        assert_int_equal(kit_seen(kit, SP_SEEN_LEFT, 8, 22) != NULL, missing == 3);
        assert_int_equal(kit_seen(kit, SP_SEEN_SENT, 8, 22) != NULL, missing != 3);
        kit_free(kit);
    }
}

/* Every packet of a test takes its time, not only the first: 10 packets a second stay 10. */
static void many_packets_keep_the_rate(void **state)
{
    (void)state;
    struct kit *kit = kit_new();
    kit->bounds.hazard = 'C';
    kit_restart(kit, 0);
    kit_batch(kit, 10, 100, 60000);
    kit_block(kit, 7, 8, SP_BLOCK_SENDER, "frag_tiny", KIT_ME, KIT_PEER);
    kit_arm(kit);
    for (uint16_t i = 0; i < 8; i++) {
        kit_shot(kit, (uint16_t)(7 + i), 22, (uint16_t)(40001 + i), 0);
    }
    kit_fire(kit);
    kit_run(kit, 1000000);
    assert_in_range(kit->nsent, 9, 13);
    kit_run(kit, 1500000);
    assert_int_equal(kit->nsent, 24);
    kit_free(kit);
}

/* ---- forged sources ---- */

static uint8_t refusal(char hazard, uint16_t flags, const char *name, const char *forged)
{
    struct kit *kit = kit_new();
    struct sp_prefix sources[2];
    assert_int_equal(sp_prefix_parse("10.0.0.8/30", &sources[0]), SP_OK);
    assert_int_equal(sp_prefix_parse("fd00::9", &sources[1]), SP_OK);
    kit->bounds.hazard = hazard;
    kit->bounds.sources = sources;
    kit->bounds.nsources = 2;
    kit_restart(kit, 0);
    kit_batch(kit, 1000, 100, 60000);
    struct sp_record r = {.type = SP_REC_BLOCK};
    r.u.block = (struct sp_rec_block){.batch = kit->batch,
                                      .block = 7,
                                      .attempts = 1,
                                      .flags = flags,
                                      .src = kit_addr(KIT_ME),
                                      .dst = kit_addr(KIT_PEER)};
    if (forged) {
        r.u.block.other = kit_addr(forged);
    }
    (void)snprintf(r.u.block.technique, sizeof(r.u.block.technique), "%s", name);
    kit_order(kit, &r);
    kit_arm(kit);
    kit_shot(kit, 7, 9, 40005, 0);
    kit_fire(kit);
    kit_run(kit, 1000);
    const struct sp_record *told = kit_told(kit, SP_REC_REFUSED, 0);
    uint8_t reason = told ? told->u.refused.reason : (uint8_t)SP_REFUSED_NONE;
    assert_int_equal(kit->nsent, reason == SP_REFUSED_NONE);
    if (reason == SP_REFUSED_NONE && sp_technique_find(name)->hazard == 'C') {
        struct sp_addr want = kit_addr(forged);
        assert_true(sp_addr_eq(&kit->sent[0].spec.src, &want));
    }
    kit_free(kit);
    return reason;
}

static void a_forged_source_has_to_be_granted_and_declared(void **state)
{
    (void)state;
    const uint16_t send = SP_BLOCK_SENDER;
    const uint16_t forge = SP_BLOCK_SENDER | SP_BLOCK_FORGED;
    assert_int_equal(refusal('C', forge, "spoof_own", "10.0.0.9"), SP_REFUSED_NONE);
    assert_int_equal(refusal('B', forge, "spoof_own", "10.0.0.9"), SP_REFUSED_TECHNIQUE);
    assert_int_equal(refusal('A', forge, "spoof_own", "10.0.0.9"), SP_REFUSED_TECHNIQUE);
    /* not asked for, or by a technique that has no business with it */
    assert_int_equal(refusal('C', send, "spoof_own", "10.0.0.9"), SP_REFUSED_OTHER);
    assert_int_equal(refusal('C', forge, "udp", "10.0.0.9"), SP_REFUSED_OTHER);
    assert_int_equal(refusal('C', send, "udp", "10.0.0.9"), SP_REFUSED_NONE);
    /* one that it may not forge, though it may send there; nobody's, none, another family */
    assert_int_equal(refusal('C', forge, "spoof_own", "10.0.0.77"), SP_REFUSED_OTHER);
    assert_int_equal(refusal('C', forge, "spoof_own", "192.0.2.1"), SP_REFUSED_OTHER);
    assert_int_equal(refusal('C', forge, "spoof_own", NULL), SP_REFUSED_OTHER);
    assert_int_equal(refusal('C', forge, "spoof_own", "fd00::9"), SP_REFUSED_OTHER);
    /* the sender's own address is still checked */
    struct kit *kit = kit_of('C');
    kit_block(kit, 7, 1, forge, "spoof_own", "10.0.0.9", KIT_PEER);
    kit_arm(kit);
    assert_int_equal(kit_told(kit, SP_REC_REFUSED, 0)->u.refused.reason, SP_REFUSED_NOT_OWN);
    kit_free(kit);
}

/* A source route by way of a router: for the techniques that route, and a declared one. */
static void a_router_on_the_way_has_to_be_declared(void **state)
{
    (void)state;
    const uint16_t via = SP_BLOCK_SENDER | SP_BLOCK_VIA;
    assert_int_equal(refusal('B', via, "ip_lsrr", "10.0.0.254"), SP_REFUSED_NONE);
    assert_int_equal(refusal('B', via, "ip_lsrr", "192.0.2.1"), SP_REFUSED_OTHER);
    assert_int_equal(refusal('B', via, "ip_lsrr", NULL), SP_REFUSED_OTHER);
    assert_int_equal(refusal('B', via, "tcp_syn", "10.0.0.254"), SP_REFUSED_OTHER);
    assert_int_equal(refusal('A', via, "ip_lsrr", "10.0.0.254"), SP_REFUSED_TECHNIQUE);
    assert_int_equal(refusal('C', via, "spoof_own", "10.0.0.9"), SP_REFUSED_OTHER);
    assert_int_equal(refusal('C', via | SP_BLOCK_FORGED, "ip_lsrr", "10.0.0.9"), SP_REFUSED_OTHER);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_came_is_told_by_pieces),
        cmocka_unit_test(one_that_was_put_together_is_whole),
        cmocka_unit_test(what_is_not_this_probes),
        cmocka_unit_test(a_train_has_left_when_all_of_it_has),
        cmocka_unit_test(many_packets_keep_the_rate),
        cmocka_unit_test(a_forged_source_has_to_be_granted_and_declared),
        cmocka_unit_test(a_router_on_the_way_has_to_be_declared),
    };
    return cmocka_run_group_tests_name("pieces", tests, NULL, NULL);
}
