/* SPDX-License-Identifier: Apache-2.0
 *
 * Bypass techniques in reports: what they find is told apart, and covers nothing. */
#include <string.h>

#include "probe/base/mem.h"
#include "probe/techniques/registry.h"
#include "reports/formats/format.h"
#include "reports/group.h"
#include "tests/support/sample_result.h"
#include "tests/support/sp_cmocka.h"

#define V4   SP_FAMILY_IPV4
#define V6   SP_FAMILY_IPV6
#define TCP  SP_PROTO_TCP
#define DENY SP_EXPECT_DENY

static uint8_t tech(const char *name)
{
    const struct sp_technique_info *info = sp_technique_find(name);
    assert_non_null(info);
    return (uint8_t)sp_technique_index(info);
}

/* web-1 -> db-1 */
static void plain(struct sp_sample *s, uint8_t family, uint16_t port, struct sp_seen seen)
{
    (void)sp_sample_add(s, SAMPLE_WEB_1, SAMPLE_DB_1, family, TCP, port, DENY, SP_NONE, seen);
}

static void bypass(struct sp_sample *s, const char *name, uint8_t family, uint16_t port,
                   uint16_t sport, struct sp_seen seen)
{
    size_t i = sp_sample_add(s, SAMPLE_WEB_1, SAMPLE_DB_1, family, TCP, port, DENY, SP_NONE, seen);
    s->plan.tests[i].why = SP_WHY_BYPASS;
    s->plan.tests[i].technique = tech(name);
    s->plan.tests[i].sport = sport;
}

static struct sp_summary *summarize(struct sp_sample *s)
{
    struct sp_summary *summary = NULL;
    sp_sample_judge(s);
    assert_int_equal(sp_summary_new(s->result, &summary), SP_OK);
    return summary;
}

static void done(struct sp_summary *summary, struct sp_sample *s)
{
    sp_summary_free(summary);
    sp_sample_free(s);
}

static void they_are_told_apart(void **state)
{
    (void)state;
    struct sp_sample *s = sp_sample_new();
    plain(s, V4, 22, sp_seen_silence());
    plain(s, V4, 23, sp_seen_silence());
    bypass(s, "tcp_ack", V4, 22, 0, sp_seen_leak());
    bypass(s, "tcp_ack", V4, 23, 0, sp_seen_leak());
    bypass(s, "tcp_fin", V4, 22, 0, sp_seen_leak());
    bypass(s, "tcp_null", V4, 22, 0, sp_seen_silence());
    struct sp_summary *summary = summarize(s);
    assert_int_equal(summary->nfindings, 2);
    assert_int_equal(summary->ncauses, 1); /* one mistake shows in both */
    const struct sp_finding *ack = &summary->findings[0];
    assert_int_equal(ack->technique, tech("tcp_ack"));
    assert_string_equal(ack->ports, "22-23");
    assert_null(ack->sports);
    assert_int_equal(ack->cause_kind, SP_CAUSE_STATELESS);
    assert_string_equal(ack->cause, sp_cause_str(SP_CAUSE_STATELESS));
    assert_string_equal(ack->remedy, sp_cause_remedy(SP_CAUSE_STATELESS));
    assert_non_null(strstr(ack->repeat, " --only tcp_ack "));
    assert_string_not_equal(ack->id, summary->findings[1].id);
    done(summary, s);
}

/* A port that leaks to everybody needs no bypass, and what bypasses show says nothing of rules. */
static void causes_are_of_ordinary_tests(void **state)
{
    (void)state;
    struct sp_sample *s = sp_sample_new();
    plain(s, V4, 22, sp_seen_leak());
    plain(s, V4, 9000, sp_seen_silence());
    bypass(s, "tcp_ack", V4, 22, 0, sp_seen_leak());
    bypass(s, "tcp_null", V4, 9000, 0, sp_seen_leak());
    struct sp_summary *summary = summarize(s);
    assert_int_equal(summary->nfindings, 3);
    for (size_t i = 0; i < summary->nfindings; i++) {
        bool is_null = summary->findings[i].technique == tech("tcp_null");
        assert_int_equal(summary->findings[i].cause_kind == SP_CAUSE_STATELESS, is_null);
        assert_int_not_equal(summary->findings[i].cause_kind, SP_CAUSE_NO_FILTER);
    }
    done(summary, s);
    s = sp_sample_new();
    plain(s, V4, 22, sp_seen_leak()); /* IPv6 holds for a bypass only: no twin */
    bypass(s, "tcp_ack", V6, 22, 0, sp_seen_silence());
    summary = summarize(s);
    assert_int_equal(summary->nfindings, 1);
    assert_int_not_equal(summary->findings[0].cause_kind, SP_CAUSE_TWIN_IPV4);
    done(summary, s);
}

static void source_ports_are_named(void **state)
{
    (void)state;
    struct sp_sample *s = sp_sample_new();
    plain(s, V4, 4000, sp_seen_silence());
    bypass(s, "tcp_sport", V4, 4000, 53, sp_seen_leak());
    bypass(s, "tcp_sport", V4, 4000, 20, sp_seen_leak());
    bypass(s, "tcp_sport", V4, 4000, 443, sp_seen_silence());
    struct sp_summary *summary = summarize(s);
    assert_int_equal(summary->nfindings, 1);
    assert_string_equal(summary->findings[0].sports, "20,53");
    assert_string_equal(summary->findings[0].ports, "4000");
    assert_non_null(strstr(summary->findings[0].cause, "20,53"));
    done(summary, s);
}

static void they_cover_nothing(void **state)
{
    (void)state;
    struct sp_sample *s = sp_sample_new();
    plain(s, V4, 22, sp_seen_unsound(SP_UNSOUND_CONTROL_LOST));
    bypass(s, "tcp_ack", V4, 22, 0, sp_seen_silence());
    bypass(s, "tcp_fin", V4, 23, 0, sp_seen_leak());
    struct sp_summary *summary = summarize(s);
    assert_int_equal(summary->npairs, 1);
    assert_string_equal(summary->pairs[0].tested, "");
    assert_string_equal(summary->pairs[0].delivered, "");
    assert_string_equal(summary->pairs[0].leaks, "23"); /* a finding is one */
    assert_int_equal(summary->pairs[0].tests, 3);
    assert_int_equal(summary->pairs[0].verdict, SP_VERDICT_LEAK);
    assert_int_equal(summary->coverage.denied_tested, 0);
    assert_int_equal(summary->coverage.pairs_tested, 0);
    assert_int_equal(summary->coverage.intervals_tested, 0);
    assert_int_equal(summary->coverage.enforcements_tested, 0);
    assert_int_equal(summary->counts.checks, 3);
    assert_int_equal(summary->counts.holds, 1);
    assert_int_equal(summary->nbypasses, 2);
    assert_int_equal(summary->bypasses[0].technique, tech("tcp_ack"));
    assert_int_equal(summary->bypasses[0].family, V4);
    assert_int_equal(summary->bypasses[0].tests, 1);
    assert_int_equal(summary->bypasses[0].holds, 1);
    assert_int_equal(summary->bypasses[1].failed, 1);
    done(summary, s);
}

static void formats_name_the_technique(void **state)
{
    (void)state;
    static const char *const wanted[][2] = {
        {"json", "\"technique\":\"tcp_sport\",\"source_ports\":\"53\""},
        {"json", "{\"technique\":\"tcp_ack\",\"family\":\"ipv6\",\"tests\":1,\"holds\":1,"
                 "\"failed\":0,\"inconclusive\":0,\"not_tested\":0}"},
        {"text", "  by tcp_sport"},
        {"text", "3 of 3 checks that ask denied ports in 2 other ways"},
        {"text", "tcp_ack ipv6: 1 hold, 0 fail, 0 inconclusive, 0 not tested"},
        {"junit", "by tcp_sport"},
    };
    struct sp_sample *s = sp_sample_new();
    plain(s, V4, 4000, sp_seen_silence());
    bypass(s, "tcp_sport", V4, 4000, 53, sp_seen_leak());
    bypass(s, "tcp_ack", V4, 4000, 0, sp_seen_silence());
    bypass(s, "tcp_ack", V6, 4000, 0, sp_seen_silence());
    struct sp_summary *summary = summarize(s);
    for (size_t i = 0; i < SP_ARRAY_LEN(wanted); i++) {
        const struct sp_format *format = sp_format_find(wanted[i][0]);
        const struct sp_format_options options = {.verbosity = 1};
        struct sp_buf out;
        sp_buf_init(&out, 1U << 20);
        assert_non_null(format);
        assert_int_equal(format->render(summary, &options, &out), SP_OK);
        if (!strstr(sp_buf_text(&out), wanted[i][1])) {
            fail_msg("%s: no %s in\n%s", wanted[i][0], wanted[i][1], sp_buf_text(&out));
        }
        sp_buf_release(&out);
    }
    done(summary, s);
}

/* Every bypass technique has words of its own, or gets the general ones; never none. */
static void every_technique_has_words(void **state)
{
    (void)state;
    for (size_t i = 0; i < sp_technique_count(); i++) {
        enum sp_cause cause = sp_cause_technique((uint8_t)i, true);
        assert_true(cause < SP_CAUSE_COUNT);
        assert_true(strlen(sp_cause_str(cause)) > 20);
        assert_true(strlen(sp_cause_remedy(cause)) > 20);
        bool is_bypass = sp_technique_at(i)->verdict == SP_TECH_VERDICT_BYPASS;
        assert_true(!is_bypass || cause != SP_CAUSE_BYPASS); /* words of its own */
    }
}

static void out_of_memory(void **state)
{
    (void)state;
    struct sp_sample *s = sp_sample_new();
    plain(s, V4, 4000, sp_seen_silence());
    bypass(s, "tcp_sport", V4, 4000, 53, sp_seen_leak());
    sp_sample_judge(s);
    for (unsigned long n = 1;; n++) {
        struct sp_summary *summary = NULL;
        sp_mem_fail_at(n, 0);
        enum sp_rc rc = sp_summary_new(s->result, &summary);
        sp_mem_fail_at(0, 0);
        if (rc == SP_OK) {
            sp_summary_free(summary);
            break;
        }
        assert_int_equal(rc, SP_E_NOMEM);
    }
    sp_sample_free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(they_are_told_apart),
        cmocka_unit_test(causes_are_of_ordinary_tests),
        cmocka_unit_test(source_ports_are_named),
        cmocka_unit_test(they_cover_nothing),
        cmocka_unit_test(formats_name_the_technique),
        cmocka_unit_test(every_technique_has_words),
        cmocka_unit_test(out_of_memory),
    };
    return cmocka_run_group_tests_name("bypass", tests, NULL, NULL);
}
