/* SPDX-License-Identifier: Apache-2.0
 *
 * What a sweep found is read back as it was written, field by field, and nothing else is. */
#include "controller/span.h"

#include <string.h>

#include "probe/base/cursor.h"
#include "tests/support/sp_cmocka.h"

/* Every field has another value, so that none can stand for another. */
static struct sp_sweep_span sample(void)
{
    return (struct sp_sweep_span){
        .lo = 1025,
        .hi = 2049,
        .grade = SP_GRADE_SPLIT,
        .injected_link = true,
        .seen = {.unsound = SP_UNSOUND_ATTEMPTS,
                 .sender_policy = true,
                 .capture_lossless = true,
                 .attempts = 3001,
                 .nic = 3002,
                 .host = 3003,
                 .opened = 3004,
                 .answer_left = 3005,
                 .answered = 3006,
                 .elsewhere = 3007,
                 .elsewhere_host = 70008,
                 .rewritten = 3009,
                 .captured = {.src = {SP_FAMILY_IPV4, {10, 1, 2, 3}},
                              .dst = {SP_FAMILY_IPV6, {0xfd, 1, 2, 3, [15] = 4}},
                              .sport = 3010,
                              .dport = 3011},
                 .answer = SP_ANSWER_RST,
                 .answer_code = 13,
                 .answerer = SP_ANSWERER_BEFORE,
                 .answerer_addr = {SP_FAMILY_IPV4, {10, 9, 8, 7}},
                 .backends = 3012,
                 .backends_reached = 3013,
                 .backends_blind = 3014,
                 .foreign = 3015,
                 .proxy = SP_PROXY_OTHER}};
}

static struct sp_sweep_status status_sample(void)
{
    return (struct sp_sweep_status){.injected_link = true,
                                    .grade = SP_GRADE_PAIR,
                                    .passes = 2,
                                    .volleys = 301,
                                    .repeats = 302,
                                    .pps_lowest = 303,
                                    .pps_highest = 304,
                                    .packets = 5000000001,
                                    .beats = 306,
                                    .beats_lost = 305,
                                    .pilot_sent = 308,
                                    .pilot_refused = 307,
                                    .sent_us = 5000000002};
}

static void same_seen(const struct sp_seen *a, const struct sp_seen *b)
{
    assert_int_equal(a->unsound, b->unsound);
    assert_int_equal(a->sender_policy, b->sender_policy);
    assert_int_equal(a->capture_lossless, b->capture_lossless);
    assert_int_equal(a->attempts, b->attempts);
    assert_int_equal(a->nic, b->nic);
    assert_int_equal(a->host, b->host);
    assert_int_equal(a->opened, b->opened);
    assert_int_equal(a->answer_left, b->answer_left);
    assert_int_equal(a->answered, b->answered);
    assert_int_equal(a->elsewhere, b->elsewhere);
    assert_int_equal(a->elsewhere_host, b->elsewhere_host);
    assert_int_equal(a->rewritten, b->rewritten);
    assert_true(sp_addr_eq(&a->captured.src, &b->captured.src));
    assert_true(sp_addr_eq(&a->captured.dst, &b->captured.dst));
    assert_int_equal(a->captured.sport, b->captured.sport);
    assert_int_equal(a->captured.dport, b->captured.dport);
    assert_int_equal(a->answer, b->answer);
    assert_int_equal(a->answer_code, b->answer_code);
    assert_int_equal(a->answerer, b->answerer);
    assert_true(sp_addr_eq(&a->answerer_addr, &b->answerer_addr));
    assert_int_equal(a->backends, b->backends);
    assert_int_equal(a->backends_reached, b->backends_reached);
    assert_int_equal(a->backends_blind, b->backends_blind);
    assert_int_equal(a->foreign, b->foreign);
    assert_int_equal(a->proxy, b->proxy);
    assert_int_equal(a->loss_confirmed, b->loss_confirmed);
}

static enum sp_rc read_span(const struct sp_buf *text, size_t len, struct sp_sweep_span *ret_span)
{
    struct sp_rd rd;
    sp_rd_init(&rd, text->data, len);
    enum sp_rc rc = sp_span_decode(&rd, ret_span);
    assert_true(rc != SP_OK || sp_rd_left(&rd) == 0);
    return rc;
}

static void a_span_comes_back(void **state)
{
    (void)state;
    struct sp_sweep_span span = sample();
    struct sp_sweep_span back;
    for (unsigned bits = 0; bits < 8; bits++) {
        struct sp_buf text;
        span.seen.sender_policy = (bits & 1) != 0;
        span.seen.capture_lossless = (bits & 2) != 0;
        span.seen.loss_confirmed = (bits & 4) != 0;
        sp_buf_init(&text, 4096);
        sp_span_encode(&span, &text);
        assert_int_equal(text.len, SP_SPAN_BYTES);
        assert_int_equal(read_span(&text, text.len, &back), SP_OK);
        assert_int_equal(back.lo, span.lo);
        assert_int_equal(back.hi, span.hi);
        assert_int_equal(back.grade, span.grade);
        assert_int_equal(back.injected_link, span.injected_link);
        same_seen(&span.seen, &back.seen);
        for (size_t len = 0; len < text.len; len++) {
            assert_int_equal(read_span(&text, len, &back), SP_E_INVALID);
        }
        sp_buf_release(&text);
    }
}

static void a_status_comes_back(void **state)
{
    (void)state;
    struct sp_sweep_status status = status_sample();
    struct sp_sweep_status back;
    struct sp_buf text;
    struct sp_rd rd;
    sp_buf_init(&text, 4096);
    sp_status_encode(&status, &text);
    assert_int_equal(text.len, SP_STATUS_BYTES);
    sp_rd_init(&rd, text.data, text.len);
    assert_int_equal(sp_status_decode(&rd, &back), SP_OK);
    assert_int_equal(sp_rd_left(&rd), 0);
    assert_true(back.is_resumed && !back.is_run);
    assert_int_equal(back.injected_link, status.injected_link);
    assert_int_equal(back.grade, status.grade);
    assert_int_equal(back.passes, status.passes);
    assert_int_equal(back.volleys, status.volleys);
    assert_int_equal(back.repeats, status.repeats);
    assert_int_equal(back.pps_lowest, status.pps_lowest);
    assert_int_equal(back.pps_highest, status.pps_highest);
    assert_int_equal(back.packets, status.packets);
    assert_int_equal(back.beats, status.beats);
    assert_int_equal(back.beats_lost, status.beats_lost);
    assert_int_equal(back.pilot_sent, status.pilot_sent);
    assert_int_equal(back.pilot_refused, status.pilot_refused);
    assert_int_equal(back.sent_us, status.sent_us);
    for (size_t len = 0; len < text.len; len++) {
        sp_rd_init(&rd, text.data, len);
        assert_int_equal(sp_status_decode(&rd, &back), SP_E_INVALID);
    }
    sp_buf_release(&text);
}

/* What no sweep can have found. */
static void nonsense_is_refused(void **state)
{
    (void)state;
    struct sp_sweep_span bad[10];
    struct sp_sweep_span back;
    for (size_t i = 0; i < 10; i++) {
        bad[i] = sample();
    }
    bad[0].hi = bad[0].lo - 1;
    bad[1].grade = SP_GRADE_PAIR + 1;
    bad[2].seen.unsound = SP_UNSOUND_COUNT;
    bad[3].seen.answer = SP_ANSWER_END;
    bad[4].seen.answerer = SP_ANSWERER_BEFORE + 1;
    bad[5].seen.proxy = SP_PROXY_COUNT;
    bad[6].seen.captured.src.family = 5;
    bad[7].seen.captured.src.bytes[4] = 1; /* IPv4 has four bytes */
    bad[8].seen.answerer_addr.family = SP_FAMILY_NONE;
    bad[9].seen.captured.dst.family = 255;
    for (size_t i = 0; i < 10; i++) {
        struct sp_buf text;
        sp_buf_init(&text, 4096);
        sp_span_encode(&bad[i], &text);
        assert_int_equal(read_span(&text, text.len, &back), SP_E_INVALID);
        sp_buf_release(&text);
    }
    struct sp_sweep_span span = sample();
    struct sp_buf text;
    sp_buf_init(&text, 4096);
    sp_span_encode(&span, &text);
    text.data[5] = 2; /* a bool */
    assert_int_equal(read_span(&text, text.len, &back), SP_E_INVALID);
    text.data[5] = 1;
    text.data[7] = 8; /* a flag that there is not */
    assert_int_equal(read_span(&text, text.len, &back), SP_E_INVALID);
    sp_buf_release(&text);
}

static void a_nonsense_status_is_refused(void **state)
{
    (void)state;
    struct sp_sweep_status bad[3] = {status_sample(), status_sample(), status_sample()};
    bad[0].grade = SP_GRADE_PAIR + 1;
    bad[1].beats_lost = bad[1].beats + 1;
    bad[2].pilot_refused = bad[2].pilot_sent + 1;
    for (size_t i = 0; i < 3; i++) {
        struct sp_sweep_status back;
        struct sp_buf text;
        struct sp_rd rd;
        sp_buf_init(&text, 4096);
        sp_status_encode(&bad[i], &text);
        sp_rd_init(&rd, text.data, text.len);
        assert_int_equal(sp_status_decode(&rd, &back), SP_E_INVALID);
        sp_buf_release(&text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_span_comes_back), cmocka_unit_test(a_status_comes_back),
        cmocka_unit_test(nonsense_is_refused), cmocka_unit_test(a_nonsense_status_is_refused)};
    return cmocka_run_group_tests_name("span", tests, NULL, NULL);
}
