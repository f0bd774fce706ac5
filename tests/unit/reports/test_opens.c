/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "reports/group.h"
#include "tests/support/report_golden.h"
#include "tests/support/sp_cmocka.h"

#define V4  SP_FAMILY_IPV4
#define TCP SP_PROTO_TCP

static void add(struct sp_sample *s, uint32_t from, uint32_t to, uint16_t port, enum sp_unsound why)
{
    sp_sample_add(s, from, to, V4, TCP, port, SP_EXPECT_DENY, SP_NONE, sp_seen_unsound(why));
}

static void test_open(void **state)
{
    (void)state;
    struct sp_sample *s = sp_sample_new();
    add(s, SAMPLE_WEB_1, SAMPLE_DB_1, 22, SP_UNSOUND_RECEIVER_LOST);
    add(s, SAMPLE_WEB_2, SAMPLE_DB_1, 23, SP_UNSOUND_RECEIVER_LOST); /* the same host's fault */
    add(s, SAMPLE_DB_1, SAMPLE_WEB_1, 24, SP_UNSOUND_SENDER_LOST);   /* another reason */
    add(s, SAMPLE_WEB_1, SAMPLE_JUMP, 80, SP_UNSOUND_NO_CONTROL);
    add(s, SAMPLE_WEB_1, SAMPLE_JUMP, 81, SP_UNSOUND_NO_CONTROL);
    add(s, SAMPLE_WEB_1, SAMPLE_JUMP, 82, SP_UNSOUND_UNTAGGED); /* the same pair, another reason */
    sp_sample_judge(s);
    (void)snprintf(s->result->hosts[SAMPLE_DB_1].reason, sizeof(s->result->hosts[0].reason),
                   "killed");
    s->result->outcomes[5].judged.reason = SP_SOUND; /* then what was seen names the reason */
    struct sp_summary *summary = NULL;
    assert_int_equal(sp_summary_new(s->result, &summary), SP_OK);
    assert_int_equal(summary->nopen, 4);
    const struct sp_open *o = summary->open;
    assert_int_equal(o[0].host, SAMPLE_DB_1);
    assert_int_equal(o[0].reason, SP_UNSOUND_SENDER_LOST);
    assert_int_equal(o[0].tests, 1);
    assert_int_equal(o[1].host, SAMPLE_DB_1);
    assert_int_equal(o[1].reason, SP_UNSOUND_RECEIVER_LOST);
    assert_int_equal(o[1].tests, 2);
    assert_string_equal(o[1].detail, "killed");
    assert_null(o[1].ports);
    assert_int_equal(o[2].host, SP_NONE);
    assert_int_equal(o[2].reason, SP_UNSOUND_NO_CONTROL);
    assert_string_equal(o[2].ports, "80-81");
    assert_null(o[2].detail);
    assert_int_equal(o[3].reason, SP_UNSOUND_UNTAGGED);
    assert_string_equal(o[3].ports, "82");
    sp_summary_free(summary);
    sp_sample_free(s);
}

/* However many pairs a stopped run leaves, they are one line behind all others. */
static void test_unfinished(void **state)
{
    (void)state;
    struct sp_sample *s = sp_sample_new();
    add(s, SAMPLE_WEB_1, SAMPLE_DB_1, 22, SP_UNSOUND_INTERRUPTED);
    add(s, SAMPLE_WEB_2, SAMPLE_DB_1, 23, SP_UNSOUND_INTERRUPTED);
    add(s, SAMPLE_WEB_2, SAMPLE_JUMP, 22, SP_UNSOUND_NO_CONTROL);
    add(s, SAMPLE_JUMP, SAMPLE_DB_1, 22, SP_UNSOUND_INTERRUPTED);
    sp_sample_judge(s);
    struct sp_summary *summary = NULL;
    assert_int_equal(sp_summary_new(s->result, &summary), SP_OK);
    assert_int_equal(summary->nopen, 2);
    const struct sp_open *o = summary->open;
    assert_int_equal(o[0].reason, SP_UNSOUND_NO_CONTROL);
    assert_int_equal(o[1].reason, SP_UNSOUND_INTERRUPTED);
    assert_int_equal(o[1].tests, 3);
    assert_int_equal(o[1].host, SP_NONE);
    assert_int_equal(o[1].from, SP_NONE);
    assert_int_equal(o[1].to, SP_NONE);
    assert_null(o[1].ports);
    sp_summary_free(summary);
    struct sp_buf out;
    sp_render_sample(s, "text", NULL, &out);
    assert_non_null(
        strstr(sp_buf_text(&out), "\n? 3 checks were not finished when the run stopped\n"));
    sp_buf_release(&out);
    sp_render_sample(s, "json", NULL, &out);
    assert_non_null(strstr(sp_buf_text(&out), "{\"reason\":\"the run stopped before the test was "
                                              "finished\",\"tests\":3}"));
    sp_buf_release(&out);
    sp_sample_free(s);
}

static size_t count_of(const char *text, const char *words)
{
    size_t n = 0;
    for (const char *p = text; (p = strstr(p, words)) != NULL; p++) {
        n++;
    }
    return n;
}

/* A probe that never came up was not lost during a test, and is told of once for both ends. */
static void test_never_ready(void **state)
{
    (void)state;
    struct sp_sample *s = sp_sample_new();
    add(s, SAMPLE_WEB_1, SAMPLE_DB_1, 22, SP_UNSOUND_SENDER_LOST);
    add(s, SAMPLE_WEB_1, SAMPLE_DB_1, 23, SP_UNSOUND_SENDER_LOST);
    add(s, SAMPLE_DB_1, SAMPLE_WEB_1, 22, SP_UNSOUND_RECEIVER_LOST);
    add(s, SAMPLE_DB_1, SAMPLE_JUMP, 22, SP_UNSOUND_SENDER_LOST);
    sp_sample_judge(s);
    for (uint32_t i = 0; i < s->model->nhosts; i++) {
        struct sp_host_status *host = &s->result->hosts[i];
        host->wanted = i == SAMPLE_WEB_1 || i == SAMPLE_DB_1;
        host->ok = false;
        (void)snprintf(host->reason, sizeof(host->reason), "no network namespace n%u", (unsigned)i);
    }
    s->result->hosts[SAMPLE_WEB_1].version[0] = '\0';
    struct sp_summary *summary = NULL;
    assert_int_equal(sp_summary_new(s->result, &summary), SP_OK);
    assert_int_equal(summary->nopen, 2);
    assert_true(summary->open[0].never_ready);
    assert_int_equal(summary->open[0].host, SAMPLE_WEB_1);
    assert_int_equal(summary->open[0].tests, 3);
    assert_false(summary->open[1].never_ready);
    assert_int_equal(summary->open[1].host, SAMPLE_DB_1);
    sp_summary_free(summary);
    struct sp_buf out;
    sp_render_sample(s, "text", NULL, &out);
    const char *text = sp_buf_text(&out);
    assert_non_null(strstr(text, "? web-1: has no probe: no network namespace n0 (3 checks)\n"));
    assert_non_null(strstr(text, "? db-1: the sender's probe was lost during the test: no "));
    assert_null(strstr(text, "PROBES THAT FAILED")); /* nothing to add */
    sp_buf_release(&out);
    sp_render_sample(s, "json", NULL, &out);
    assert_non_null(strstr(sp_buf_text(&out), "{\"reason\":\"the host has no probe\",\"host\":"
                                              "\"web-1\",\"detail\":\"no network namespace n0\""));
    sp_buf_release(&out);
    /* As soon as one works, the list of those that failed stands alone. */
    s->result->hosts[SAMPLE_DB_1].ok = true;
    sp_render_sample(s, "text", NULL, &out);
    assert_non_null(strstr(sp_buf_text(&out), "PROBES THAT FAILED\n"));
    assert_int_equal(count_of(sp_buf_text(&out), "no network namespace n0"), 2);
    sp_buf_release(&out);
    sp_sample_free(s);
}

static void test_culprit(void **state)
{
    (void)state;
    static const enum sp_unsound senders[] = {SP_UNSOUND_SENDER_LOST, SP_UNSOUND_SENDER_ARM,
                                              SP_UNSOUND_NO_ROUTE};
    static const enum sp_unsound receivers[] = {SP_UNSOUND_RECEIVER_LOST, SP_UNSOUND_RECEIVER_ARM,
                                                SP_UNSOUND_CAPTURE_DROPS, SP_UNSOUND_INTERFACE,
                                                SP_UNSOUND_STANDIN};
    size_t named = 0;
    for (int why = SP_SOUND; why <= SP_UNSOUND_COUNT; why++) {
        named += sp_open_culprit((enum sp_unsound)why, 1, 2) != SP_NONE;
    }
    assert_int_equal(named, SP_ARRAY_LEN(senders) + SP_ARRAY_LEN(receivers));
    for (size_t i = 0; i < SP_ARRAY_LEN(senders); i++) {
        assert_int_equal(sp_open_culprit(senders[i], 1, 2), 1);
    }
    for (size_t i = 0; i < SP_ARRAY_LEN(receivers); i++) {
        assert_int_equal(sp_open_culprit(receivers[i], 1, 2), 2);
    }
}

static void test_untested(void **state)
{
    (void)state;
    static const struct sp_skip skips[] = {
        {.proto = SP_PROTO_COUNT, .points = 3, .reason = "same subnet"},
        {.proto = SP_PROTO_SCTP, .points = 7, .reason = "no technique"},
        {.proto = SP_PROTO_COUNT, .points = 2, .reason = "same subnet"},
        {.proto = SP_PROTO_TCP, .points = 1, .reason = NULL},
    };
    struct sp_sample *s = sp_sample_new();
    for (uint16_t port = 22; port < 25; port++) {
        sp_sample_add(s, SAMPLE_WEB_1, port == 24 ? SAMPLE_OLD : SAMPLE_DB_1, V4, TCP, port,
                      SP_EXPECT_DENY, SP_NONE, sp_seen_silence());
    }
    sp_sample_judge(s);
    s->result->outcomes[0].judged.verdict = SP_VERDICT_NOT_TESTED;
    s->result->outcomes[0].not_tested = "no technique";
    s->result->outcomes[1].judged.verdict = SP_VERDICT_NOT_TESTED;
    struct sp_plan plan = s->plan;
    plan.skips = (struct sp_skip *)(uintptr_t)skips;
    plan.nskips = SP_ARRAY_LEN(skips);
    s->result->plan = &plan;
    struct sp_summary *summary = NULL;
    assert_int_equal(sp_summary_new(s->result, &summary), SP_OK);
    assert_int_equal(summary->nuntested, 4);
    const struct sp_untested *u = summary->untested;
    assert_string_equal(u[0].reason, "no technique");
    assert_int_equal(u[0].tests, 1);
    assert_int_equal(u[0].intervals, 7);
    assert_string_equal(u[1].reason, "no reason given");
    assert_int_equal(u[1].tests, 1);
    assert_int_equal(u[1].intervals, 1);
    assert_string_equal(u[2].reason, "same subnet");
    assert_int_equal(u[2].pairs, 5);
    assert_int_equal(u[3].host, SAMPLE_OLD);
    assert_int_equal(u[3].tests, 1);
    sp_summary_free(summary);
    sp_sample_free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_open),        cmocka_unit_test(test_unfinished),
        cmocka_unit_test(test_never_ready), cmocka_unit_test(test_culprit),
        cmocka_unit_test(test_untested),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
