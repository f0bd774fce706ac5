/* SPDX-License-Identifier: Apache-2.0
 *
 * Packets put together from their parts, for the question they answer, and nothing else taken in:
 * no part out of order, no length that lies, no answer that nobody asked for. */
#include <string.h>

#include "controller/gather.h"
#include "probe/base/mem.h"
#include "tests/support/sp_cmocka.h"

#define BATCH 7

struct world {
    struct sp_evidence *evidence;
    struct sp_gather gather;
};

static void ask(struct world *w, uint32_t host, uint32_t test, uint16_t block, bool is_control)
{
    const struct sp_want want = {.host = host,
                                 .test = test,
                                 .block = block,
                                 .port = 22,
                                 .attempt = 1,
                                 .is_control = is_control};
    sp_gather_add(&w->gather, &want);
}

/* Host 0 is asked for blocks 10 and 11, host 1 for 10; for tests 0, 1, 0. */
static struct world start(void)
{
    struct world w = {0};
    assert_int_equal(sp_evidence_new(4, &w.evidence), SP_OK);
    assert_int_equal(sp_gather_init(&w.gather, 3, w.evidence), SP_OK);
    sp_gather_begin(&w.gather, BATCH, 1000000);
    ask(&w, 0, 0, 10, false);
    ask(&w, 1, 0, 10, false);
    ask(&w, 0, 1, 11, true);
    sp_gather_ask(&w.gather);
    assert_int_equal(w.gather.open, 3);
    return w;
}

static void end(struct world *w)
{
    sp_gather_release(&w->gather);
    sp_evidence_free(w->evidence);
}

static struct sp_record part(uint16_t block, uint16_t len, uint16_t offset)
{
    struct sp_record record = {.type = SP_REC_PACKET};
    record.u.packet = (struct sp_rec_packet){.batch = BATCH,
                                             .block = block,
                                             .port = 22,
                                             .role = SP_KEPT_SENT,
                                             .iface = 2,
                                             .at_us = 5,
                                             .len = len,
                                             .wire_len = len,
                                             .offset = offset};
    for (unsigned i = 0; i < SP_KEPT_PART_BYTES; i++) {
        record.u.packet.bytes[i] = (uint8_t)(offset + i);
    }
    return record;
}

static void take(struct world *w, uint32_t host, struct sp_record record)
{
    sp_gather_take(&w->gather, host, &record, "eth0");
}

static void wanted(struct world *w, uint32_t host, uint16_t block, uint32_t packets, uint32_t lost)
{
    struct sp_record record = {.type = SP_REC_WANTED};
    record.u.wanted = (struct sp_rec_wanted){
        .batch = BATCH, .block = block, .port = 22, .packets = packets, .lost = lost};
    sp_gather_take(&w->gather, host, &record, "");
}

static void whole(void **state)
{
    (void)state;
    for (uint16_t len = 1; len <= SP_KEPT_MAX_BYTES; len++) {
        struct world w = start();
        for (uint16_t at = 0; at < len; at += SP_KEPT_PART_BYTES) {
            assert_int_equal(w.evidence->nrows, 0);
            take(&w, 0, part(10, len, at));
        }
        assert_int_equal(w.evidence->nrows, 1);
        const struct sp_evidence_packet *p = &w.evidence->rows[0].packet;
        assert_int_equal(p->len, len);
        assert_int_equal(p->at_us, 1000005);
        assert_int_equal(p->test, 0);
        assert_int_equal(p->host, 0);
        assert_int_equal(p->batch, BATCH);
        assert_string_equal(p->iface, "eth0");
        for (uint16_t i = 0; i < len; i++) {
            assert_int_equal((uint8_t)w.evidence->bytes.data[i], (uint8_t)i);
        }
        end(&w);
    }
}

/* What comes belongs to the host's oldest open question. */
static void in_order(void **state)
{
    (void)state;
    struct world w = start();
    take(&w, 0, part(10, 40, 0));
    take(&w, 0, part(11, 40, 0)); /* not yet its turn */
    assert_int_equal(w.evidence->nrows, 1);
    wanted(&w, 0, 11, 1, 0); /* nor this */
    assert_int_equal(w.gather.open, 3);
    wanted(&w, 0, 10, 1, 0);
    take(&w, 0, part(10, 40, 0)); /* its question is closed */
    take(&w, 0, part(11, 40, 0));
    assert_int_equal(w.evidence->nrows, 2);
    assert_int_equal(w.evidence->rows[1].packet.test, 1);
    assert_true(w.evidence->rows[1].packet.is_control);
    wanted(&w, 0, 11, 1, 0);
    take(&w, 0, part(11, 40, 0)); /* nobody asks any more */
    wanted(&w, 0, 11, 1, 0);
    assert_int_equal(w.gather.open, 1);
    take(&w, 1, part(10, 40, 0));
    wanted(&w, 1, 10, 1, 0);
    assert_int_equal(w.gather.open, 0);
    take(&w, 1, part(10, 40, 0));
    assert_int_equal(w.evidence->nrows, 3);
    assert_int_equal(w.evidence->lost, 0);
    end(&w);
}

static void refused(void **state)
{
    (void)state;
    struct world w = start();
    struct sp_record bad[12];
    for (size_t i = 0; i < SP_ARRAY_LEN(bad); i++) {
        bad[i] = part(10, 40, 0);
    }
    bad[0].u.packet.batch++;
    bad[1].u.packet.port++;
    bad[2].u.packet.role = SP_KEPT_END;
    bad[3].u.packet.len = 0;
    bad[4].u.packet.len = SP_KEPT_MAX_BYTES + 1;
    bad[5].u.packet.wire_len = 39;
    bad[6].u.packet.offset = 64; /* behind its end */
    bad[7].u.packet.offset = 1;
    bad[8].type = SP_REC_SEEN;
    bad[9].u.packet.len = UINT16_MAX;
    bad[9].u.packet.wire_len = UINT16_MAX;
    bad[10].u.packet.offset = UINT16_MAX - 63;
    bad[11].u.packet.role = 255;
    for (size_t i = 0; i < SP_ARRAY_LEN(bad); i++) {
        take(&w, 0, bad[i]);
        assert_int_equal(w.evidence->nrows, 0);
    }
    take(&w, 2, part(10, 40, 0)); /* was not asked */
    take(&w, 3, part(10, 40, 0)); /* is not there */
    assert_int_equal(w.evidence->nrows, 0);
    assert_int_equal(w.gather.open, 3);
    end(&w);
}

/* A gap, a head that changes, and a packet that is begun again. */
static void broken_parts(void **state)
{
    (void)state;
    struct world w = start();
    take(&w, 0, part(10, 190, 64)); /* without a beginning */
    take(&w, 0, part(10, 190, 0));
    take(&w, 0, part(10, 190, 128)); /* a gap */
    take(&w, 0, part(10, 190, 64));  /* too late */
    take(&w, 0, part(10, 190, 128));
    assert_int_equal(w.evidence->nrows, 0);
    for (int i = 0; i < 5; i++) {
        take(&w, 0, part(10, 190, 0));
        struct sp_record second = part(10, 190, 64);
        second.u.packet.role = i == 0 ? SP_KEPT_REPLY : second.u.packet.role;
        second.u.packet.iface += i == 1;
        second.u.packet.at_us += i == 2;
        second.u.packet.len = (uint16_t)(190 - (i == 3));
        second.u.packet.wire_len = (uint16_t)(190 + (i == 4));
        take(&w, 0, second);
        take(&w, 0, part(10, 190, 128));
        assert_int_equal(w.evidence->nrows, 0);
    }
    take(&w, 0, part(10, 190, 0));
    take(&w, 0, part(10, 190, 0));
    take(&w, 0, part(10, 190, 64));
    take(&w, 0, part(10, 190, 128));
    assert_int_equal(w.evidence->nrows, 1);
    /* What WANTED cuts off does not go on in the next question. */
    take(&w, 0, part(10, 190, 0));
    wanted(&w, 0, 10, 1, 0);
    take(&w, 0, part(11, 190, 64));
    take(&w, 0, part(11, 190, 128));
    assert_int_equal(w.evidence->nrows, 1);
    end(&w);
}

static void bounded(void **state)
{
    (void)state;
    struct world w = start();
    for (unsigned i = 0; i < 1000; i++) {
        take(&w, 0, part(10, 40, 0));
    }
    assert_int_equal(w.evidence->nrows, SP_GATHER_MAX_PER_WANT);
    sp_gather_begin(&w.gather, BATCH + 1, 0);
    for (unsigned i = 0; i < SP_GATHER_MAX_WANTS + 5; i++) {
        ask(&w, 0, 0, 10, false);
    }
    ask(&w, 3, 0, 10, false); /* no such host */
    assert_int_equal(w.gather.nwants, SP_GATHER_MAX_WANTS);
    assert_int_equal(w.evidence->lost, 6);
    end(&w);
}

static void lost(void **state)
{
    (void)state;
    struct world w = start();
    take(&w, 0, part(10, 190, 0));
    sp_gather_give_up(&w.gather, 0);
    assert_int_equal(w.gather.open, 1);
    assert_int_equal(w.evidence->lost, 2);
    take(&w, 0, part(10, 40, 0));
    assert_int_equal(w.evidence->nrows, 0);
    sp_gather_give_up(&w.gather, 0);
    sp_gather_give_up(&w.gather, 2);
    sp_gather_give_up(&w.gather, 99);
    assert_int_equal(w.gather.open, 1);
    wanted(&w, 1, 10, 0, 3); /* it had no room for them */
    assert_int_equal(w.gather.open, 0);
    assert_int_equal(w.evidence->lost, 3);
    end(&w);
}

static void torture(void **state)
{
    struct world w = {0};
    (void)state;
    assert_int_equal(sp_evidence_new(4, &w.evidence), SP_OK);
    (void)sp_mem_fail_at(1, 0);
    assert_int_equal(sp_gather_init(&w.gather, 3, w.evidence), SP_E_NOMEM);
    (void)sp_mem_fail_at(0, 0);
    sp_gather_release(&w.gather);
    assert_int_equal(sp_gather_init(&w.gather, 3, w.evidence), SP_OK);
    sp_gather_begin(&w.gather, BATCH, 0);
    (void)sp_mem_fail_at(1, 0);
    ask(&w, 0, 0, 10, false);
    (void)sp_mem_fail_at(0, 0);
    assert_int_equal(w.gather.nwants, 0);
    assert_int_equal(w.evidence->lost, 1);
    ask(&w, 0, 0, 10, false);
    sp_gather_ask(&w.gather);
    (void)sp_mem_fail_at(1, 0);
    take(&w, 0, part(10, 40, 0));
    (void)sp_mem_fail_at(0, 0);
    assert_int_equal(w.evidence->nrows, 0);
    assert_int_equal(w.evidence->lost, 2);
    end(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whole),        cmocka_unit_test(in_order), cmocka_unit_test(refused),
        cmocka_unit_test(broken_parts), cmocka_unit_test(bounded),  cmocka_unit_test(lost),
        cmocka_unit_test(torture),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
