/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "probe/base/mem.h"
#include "reports/escape.h"
#include "tests/support/report_golden.h"
#include "tests/support/sp_cmocka.h"

static const struct sp_format_options at_80 = {.width = 80};

static void test_golden(void **state)
{
    (void)state;
    static const struct sp_format_options quiet = {.width = 80, .verbosity = -1};
    static const struct sp_format_options verbose = {.width = 80, .verbosity = 1};
    static const struct sp_format_options color = {.width = 80, .color = true};
    static const struct sp_format_options ascii = {.width = 60, .ascii = true};
    sp_check_golden(sp_sample_shop(), "text", &at_80, "shop.txt");
    sp_check_golden(sp_sample_shop(), "text", &quiet, "shop-quiet.txt");
    sp_check_golden(sp_sample_shop(), "text", &verbose, "shop-verbose.txt");
    sp_check_golden(sp_sample_shop(), "text", &ascii, "shop-ascii.txt");
    sp_check_golden(sp_sample_balanced(), "text", &at_80, "balanced.txt");
    sp_check_golden(sp_sample_balanced(), "text", &verbose, "balanced-verbose.txt");
    sp_check_golden(sp_sample_clean(), "text", &at_80, "clean.txt");
    sp_check_golden(sp_sample_clean(), "text", &color, "clean-color.txt");
    sp_check_golden(sp_sample_swept_clean(), "text", &at_80, "swept-clean.txt");
    sp_check_golden(sp_sample_swept(), "text", &at_80, "swept.txt");
    sp_check_golden(sp_sample_swept(), "text", &verbose, "swept-verbose.txt");
    sp_check_golden(sp_sample_empty(), "text", &at_80, "empty.txt");
    sp_check_golden(sp_sample_hostile(), "text", &at_80, "hostile.txt");
}

/* Without colour the same words stand there: take the escapes out and compare. */
static void test_color_adds_nothing_else(void **state)
{
    (void)state;
    static const struct sp_format_options color = {.width = 80, .color = true, .verbosity = 1};
    static const struct sp_format_options plain = {.width = 80, .verbosity = 1};
    struct sp_sample *s = sp_sample_shop();
    struct sp_buf with, without, stripped;
    sp_render_sample(s, "text", &color, &with);
    sp_render_sample(s, "text", &plain, &without);
    sp_buf_init(&stripped, 1 << 20);
    size_t escapes = 0;
    for (const char *p = sp_buf_text(&with); *p; p++) {
        if (*p == '\x1b') {
            p += strcspn(p, "m");
            escapes++;
        } else {
            sp_buf_char(&stripped, *p);
        }
    }
    assert_true(escapes > 20);
    assert_int_equal(escapes % 2, 0); /* each style ends */
    assert_string_equal(sp_buf_text(&stripped), sp_buf_text(&without));
    assert_null(strchr(sp_buf_text(&without), '\x1b'));
    sp_buf_release(&with);
    sp_buf_release(&without);
    sp_buf_release(&stripped);
    sp_sample_free(s);
}

/* Only the first line and commands to copy may be wider than the terminal. */
static void check_width(const char *text, size_t width)
{
    bool first = true;
    for (const char *p = text; *p;) {
        size_t len = strcspn(p, "\n");
        char line[512];
        assert_true(len < sizeof(line));
        memcpy(line, p, len);
        line[len] = '\0';
        if (!first && !strstr(line, "    repeat ") && sp_text_columns(line) > width) {
            fail_msg("%zu columns: %s", sp_text_columns(line), line);
        }
        assert_true(len == 0 || line[len - 1] != ' ');
        first = false;
        p += len + (p[len] == '\n');
    }
}

static void test_width(void **state)
{
    (void)state;
    struct sp_sample *s = sp_sample_shop();
    for (unsigned width = 80; width <= 120; width += 20) {
        struct sp_format_options o = {.width = width, .verbosity = 1};
        struct sp_buf out;
        sp_render_sample(s, "text", &o, &out);
        check_width(sp_buf_text(&out), width);
        sp_buf_release(&out);
    }
    sp_sample_free(s);
}

static void test_ascii_is_ascii(void **state)
{
    (void)state;
    struct sp_format_options o = {.ascii = true, .verbosity = 1};
    struct sp_sample *s = sp_sample_shop();
    struct sp_buf out;
    sp_render_sample(s, "text", &o, &out);
    for (size_t i = 0; i < out.len; i++) {
        assert_true((unsigned char)out.data[i] < 0x80);
    }
    sp_buf_release(&out);
    sp_sample_free(s);
}

/* More than fits is cut, and the cut is told. */
static void test_long_lists(void **state)
{
    (void)state;
    struct sp_sample *s = sp_sample_new();
    for (uint16_t i = 0; i < 70; i++) {
        sp_sample_add(s, SAMPLE_WEB_1, SAMPLE_DB_1, SP_FAMILY_IPV4, SP_PROTO_TCP,
                      (uint16_t)(1000 + 2 * i), SP_EXPECT_DENY, SP_NONE, sp_seen_leak());
    }
    sp_sample_judge(s);
    struct sp_buf out;
    sp_render_sample(s, "text", &at_80, &out);
    assert_non_null(strstr(sp_buf_text(&out), "1094, and 22 more"));
    assert_non_null(strstr(sp_buf_text(&out), "1 finding in 70 checks"));
    sp_buf_release(&out);
    sp_sample_free(s);
}

static void test_many_findings(void **state)
{
    (void)state;
    static char names[60][8];
    struct sp_sample *s = sp_sample_new();
    s->model->rules = sp_reallocarray(s->model->rules, 66, sizeof(*s->model->rules));
    memset(s->model->rules + 6, 0, 60 * sizeof(*s->model->rules));
    for (uint16_t i = 0; i < 60; i++) {
        (void)snprintf(names[i], sizeof(names[i]), "r%u", i);
        s->model->rules[6 + i].name = sp_strdup(names[i]);
        s->model->nrules++;
        sp_sample_add(s, SAMPLE_WEB_1, SAMPLE_DB_1, SP_FAMILY_IPV4, SP_PROTO_TCP, 1000 + i,
                      SP_EXPECT_DENY, 6U + i, sp_seen_leak());
        sp_sample_add(s, SAMPLE_WEB_1, SAMPLE_DB_1, SP_FAMILY_IPV4, SP_PROTO_UDP, 1000 + i,
                      SP_EXPECT_DENY, 6U + i, sp_seen_leak());
    }
    sp_sample_judge(s);
    struct sp_buf out;
    sp_render_sample(s, "text", &at_80, &out);
    assert_non_null(strstr(sp_buf_text(&out), "... and 117 more of this cause: see -v"));
    sp_buf_release(&out);
    struct sp_format_options verbose = {.verbosity = 1};
    sp_render_sample(s, "text", &verbose, &out);
    assert_null(strstr(sp_buf_text(&out), " more: see -v"));
    sp_buf_release(&out);
    sp_sample_free(s);
}

/* Open questions are cut in the same way; unknown and huge numbers stay readable. */
static void test_corners(void **state)
{
    (void)state;
    struct sp_sample *s = sp_sample_new();
    static const uint32_t hosts[] = {SAMPLE_WEB_1, SAMPLE_DB_1, SAMPLE_JUMP, SAMPLE_DEV_1,
                                     SAMPLE_OUT_1};
    for (size_t i = 0; i < 5; i++) {
        for (size_t k = 0; k < 5; k++) {
            for (uint8_t proto = SP_PROTO_TCP; proto <= SP_PROTO_ICMP && i != k; proto++) {
                sp_sample_add(s, hosts[i], hosts[k], SP_FAMILY_IPV4, proto, 2048, SP_EXPECT_DENY,
                              SP_NONE, sp_seen_unsound(SP_UNSOUND_NO_CONTROL));
            }
        }
    }
    struct sp_seen refused = sp_seen_silence();
    refused.attempts = 0;
    refused.sender_policy = true;
    sp_sample_add(s, SAMPLE_WEB_1, SAMPLE_DB_1, SP_FAMILY_IPV4, SP_PROTO_TCP, 5432, SP_EXPECT_ALLOW,
                  0, refused);
    struct sp_seen rejected = sp_seen_silence();
    rejected.answer = SP_ANSWER_UNREACHABLE;
    rejected.answer_code = 13;
    rejected.answered = 2;
    sp_sample_add(s, SAMPLE_WEB_2, SAMPLE_DB_1, SP_FAMILY_IPV4, SP_PROTO_TCP, 5432, SP_EXPECT_ALLOW,
                  0, rejected);
    struct sp_seen one_sided = sp_seen_silence();
    one_sided.answer = SP_ANSWER_SYN_ACK;
    one_sided.answered = 1;
    one_sided.answerer = SP_ANSWERER_DESTINATION;
    sp_sample_add(s, SAMPLE_WEB_1, SAMPLE_OLD, SP_FAMILY_IPV4, SP_PROTO_TCP, 22, SP_EXPECT_DENY,
                  SP_NONE, one_sided);
    struct sp_seen rewritten = sp_seen_works();
    rewritten.rewritten = 21;
    sp_sample_add(s, SAMPLE_WEB_1, SAMPLE_DB_1, SP_FAMILY_IPV4, SP_PROTO_TCP, 8000, SP_EXPECT_ALLOW,
                  0, rewritten);
    struct sp_seen lossy = sp_seen_works();
    lossy.host = 20;
    sp_sample_add(s, SAMPLE_WEB_1, SAMPLE_DB_1, SP_FAMILY_IPV4, SP_PROTO_TCP, 8001, SP_EXPECT_ALLOW,
                  0, lossy);
    size_t silent = sp_sample_add(s, SAMPLE_WEB_1, SAMPLE_DB_1, SP_FAMILY_IPV4, SP_PROTO_TCP, 8300,
                                  SP_EXPECT_DENY, SP_NONE, sp_seen_silence());
    s->grades[silent] = SP_GRADE_SELF;
    sp_sample_judge(s);
    s->result->interrupted = true;
    s->result->hosts[SAMPLE_JUMP].ok = false;
    struct sp_buf out;
    sp_render_sample(s, "text", NULL, &out);
    const char *text = sp_buf_text(&out);
    assert_non_null(strstr(text, "... and 10 more: see -v"));
    assert_non_null(strstr(text, "interrupted, "));
    assert_non_null(strstr(text, "its own firewall refused to send"));
    assert_non_null(strstr(text, "got an ICMP unreachable (code 13)"));
    assert_non_null(strstr(text, "has no probe: this is seen from one side only"));
    assert_non_null(strstr(text, "arrived with other addresses or ports than declared"));
    assert_non_null(strstr(text, "jump: no reason given"));
    assert_non_null(strstr(text, "(self): 1; 1 with"));
    sp_buf_release(&out);
    sp_sample_free(s);
}

static struct sp_seen rewritten_as(const char *src, const char *dst)
{
    struct sp_seen seen = sp_seen_works();
    seen.rewritten = 21;
    seen.captured = (struct sp_tuple){.sport = 40001, .dport = 8443};
    assert_int_equal(sp_addr_parse(src, &seen.captured.src), SP_OK);
    assert_int_equal(sp_addr_parse(dst, &seen.captured.dst), SP_OK);
    return seen;
}

/* How it arrived is told with ports, without them where there are none, and for both families. */
static void test_captured(void **state)
{
    (void)state;
    struct sp_sample *s = sp_sample_new();
    for (unsigned v6 = 0; v6 < 2; v6++) {
        uint8_t family = v6 ? SP_FAMILY_IPV6 : SP_FAMILY_IPV4;
        uint8_t ping = v6 ? SP_PROTO_ICMP6 : SP_PROTO_ICMP;
        struct sp_seen seen =
            v6 ? rewritten_as("fd00::9", "fd00::3") : rewritten_as("198.51.100.9", "10.1.2.3");
        sp_sample_add(s, SAMPLE_WEB_1, SAMPLE_DB_1, family, SP_PROTO_TCP, 8000, SP_EXPECT_ALLOW, 0,
                      seen);
        sp_sample_add(s, SAMPLE_JUMP, SAMPLE_WEB_1, family, ping,
                      v6 ? SP_PORT_ICMP6_ECHO : SP_PORT_ICMP_ECHO, SP_EXPECT_ALLOW,
                      SAMPLE_RULE_PING, seen);
    }
    sp_sample_judge(s);
    struct sp_buf out;
    sp_render_sample(s, "text", NULL, &out);
    const char *text = sp_buf_text(&out);
    assert_non_null(strstr(text, "arrived as 198.51.100.9:40001 -> 10.1.2.3:8443 and "));
    assert_non_null(strstr(text, "[fd00::9]:40001"));
    assert_non_null(strstr(text, "[fd00::3]:8443, not as"));
    assert_non_null(strstr(text, "arrived as 198.51.100.9 -> 10.1.2.3, not as declared"));
    assert_non_null(strstr(text, "arrived as fd00::9 -> fd00::3, not as declared"));
    sp_buf_release(&out);
    sp_sample_free(s);
}

/* Made of one denied flow that holds on each of these grades. */
static void check_proof(const uint8_t *grades, size_t n, const char *first, const char *proof)
{
    struct sp_sample *s = sp_sample_new();
    for (size_t i = 0; i < n; i++) {
        sp_sample_add(s, SAMPLE_WEB_1, SAMPLE_DB_1, SP_FAMILY_IPV4, SP_PROTO_TCP,
                      (uint16_t)(100 + i), SP_EXPECT_DENY, SP_NONE, sp_seen_silence());
        s->grades[i] = grades[i];
    }
    sp_sample_judge(s);
    struct sp_format_options wide = {.width = 120};
    struct sp_buf out;
    sp_render_sample(s, "text", &wide, &out);
    char line[256];
    (void)snprintf(line, sizeof(line), "HOLDS  %s\n", first);
    if (!strstr(sp_buf_text(&out), line)) {
        fail_msg("no '%s' in: %s", line, sp_buf_text(&out));
    }
    (void)snprintf(line, sizeof(line), "\nOf what holds: %s\n", proof);
    if (!strstr(sp_buf_text(&out), line)) {
        fail_msg("no '%s' in: %s", line, sp_buf_text(&out));
    }
    sp_buf_release(&out);
    sp_sample_free(s);
}

/* What rests on less than a control across the path is told in the very first line. */
static void test_proof(void **state)
{
    (void)state;
    static const uint8_t all[] = {SP_GRADE_PAIR, SP_GRADE_SPLIT, SP_GRADE_SELF, SP_GRADE_NONE};
    check_proof(all, 1, "1 of 1 check holds",
                "denied, with a control between the two hosts (pair): 1");
    check_proof(all, 2, "2 of 2 checks hold",
                "denied, with a control between the two hosts (pair): 1; beside them (split): 1");
    check_proof(all + 1, 1, "1 of 1 check holds",
                "denied, with a control beside the two hosts (split): 1");
    check_proof(all + 1, 2, "2 of 2 checks hold, 1 of them with the path unproven",
                "denied, with a control beside the two hosts (split): 1; at each end only, path "
                "unproven (self): 1");
    check_proof(all + 2, 2, "2 of 2 checks hold, 2 of them with the path unproven",
                "denied, with a control at each end only, path unproven (self): 1; without a "
                "control: 1");
    check_proof(all + 3, 1, "1 of 1 check holds, 1 of them with the path unproven",
                "denied, without a control: 1");
}

static void add_leak(struct sp_sample *s, uint32_t from, uint8_t family, uint8_t proto,
                     uint16_t port, const char *answerer)
{
    struct sp_seen seen = sp_seen_leak();
    seen.answered = 2;
    seen.answerer = SP_ANSWERER_DESTINATION;
    assert_int_equal(sp_addr_parse(answerer, &seen.answerer_addr), SP_OK);
    sp_sample_add(s, from, SAMPLE_DB_1, family, proto, port, SP_EXPECT_DENY, SP_NONE, seen);
}

static size_t count_of(const char *text, const char *words)
{
    size_t n = 0;
    for (const char *p = text; (p = strstr(p, words)) != NULL; p++) {
        n++;
    }
    return n;
}

/* One entry for both families, but only where nothing else than addresses differs. */
static void test_twins(void **state)
{
    (void)state;
    struct sp_sample *s = sp_sample_new();
    static const char v4[] = "10.10.2.11";
    static const char v6[] = "fd00:10:2::11";
    add_leak(s, SAMPLE_WEB_1, SP_FAMILY_IPV4, SP_PROTO_TCP, 22, v4);
    add_leak(s, SAMPLE_WEB_1, SP_FAMILY_IPV4, SP_PROTO_UDP, 22, v4); /* stands between the two */
    add_leak(s, SAMPLE_WEB_1, SP_FAMILY_IPV6, SP_PROTO_TCP, 22, v6);
    add_leak(s, SAMPLE_WEB_2, SP_FAMILY_IPV4, SP_PROTO_TCP, 22, v4); /* another port */
    add_leak(s, SAMPLE_WEB_2, SP_FAMILY_IPV6, SP_PROTO_TCP, 23, v6);
    add_leak(s, SAMPLE_JUMP, SP_FAMILY_IPV4, SP_PROTO_TCP, 22, v4); /* seen otherwise */
    add_leak(s, SAMPLE_JUMP, SP_FAMILY_IPV6, SP_PROTO_TCP, 22, v6);
    s->seen[6].host = 1;
    sp_sample_judge(s);
    struct sp_format_options verbose = {.width = 120, .verbosity = 1};
    struct sp_buf out;
    sp_render_sample(s, "text", &verbose, &out);
    const char *text = sp_buf_text(&out);
    assert_non_null(strstr(text, "FAILS  7 findings of "));
    assert_int_equal(count_of(strstr(text, "\nFINDINGS"), "\n    repeat "), 6);
    assert_non_null(strstr(text, "LEAK  web-1 -> db-1  tcp/22  ipv4 and ipv6  high\n"));
    assert_non_null(strstr(text, "got an RST from 10.10.2.11 and fd00:10:2::11\n"));
    assert_non_null(strstr(text, ", control pair, 2 checks\n"));
    assert_int_equal(count_of(strstr(text, "\nFINDINGS"), "ipv4 and ipv6"), 1);
    sp_buf_release(&out);
    /* One line for each finding all the same where scripts look. */
    struct sp_format_options quiet = {.verbosity = -1};
    sp_render_sample(s, "text", &quiet, &out);
    assert_int_equal(count_of(sp_buf_text(&out), "\n"), 8);
    sp_buf_release(&out);
    sp_sample_free(s);
}

/* What no rule decides has no line to look at. */
static void test_without_a_rule(void **state)
{
    (void)state;
    struct sp_sample *s = sp_sample_new();
    struct sp_seen silent = sp_seen_silence();
    sp_sample_add(s, SAMPLE_WEB_1, SAMPLE_DB_1, SP_FAMILY_IPV4, SP_PROTO_TCP, 22, SP_EXPECT_DENY,
                  SP_NONE, sp_seen_leak());
    sp_sample_add(s, SAMPLE_WEB_1, SAMPLE_WEB_2, SP_FAMILY_IPV4, SP_PROTO_TCP, 22, SP_EXPECT_PERMIT,
                  SP_NONE, silent);
    sp_sample_judge(s);
    struct sp_buf out;
    sp_render_sample(s, "text", &at_80, &out);
    const char *text = sp_buf_text(&out);
    assert_non_null(strstr(text, "    expected   denied by default: no rule allows it\n"));
    assert_non_null(strstr(text, "    expected   permitted by within: open\n"));
    sp_buf_release(&out);
    struct sp_format_options quiet = {.verbosity = -1};
    sp_render_sample(s, "text", &quiet, &out);
    assert_non_null(strstr(sp_buf_text(&out), "  tcp/22  ipv4  high  denied by default: no rule "
                                              "allows it\n"));
    sp_buf_release(&out);
    sp_sample_free(s);
}

/* A matrix wider than the terminal goes on below; one of very many segments is left to JSON. */
static void test_wide_matrix(void **state)
{
    (void)state;
    struct sp_format_options narrow = {.width = 40};
    struct sp_sample *s = sp_sample_shop();
    sp_free(s->model->networks[2].name);
    s->model->networks[2].name = sp_strdup("a-very-long-n\xc3\xa4me-of-a-segment");
    struct sp_buf out;
    sp_render_sample(s, "text", &narrow, &out);
    const char *matrix = strstr(sp_buf_text(&out), "SEGMENTS");
    assert_non_null(strstr(matrix, "  a-very-long-n\xc3\xa4m\xe2\x80\xa6  "));
    check_width(matrix, 40);
    sp_buf_release(&out);
    sp_sample_free(s);

    s = sp_sample_new();
    s->model->nnetworks = 70;
    s->model->networks = sp_reallocarray(s->model->networks, 70, sizeof(*s->model->networks));
    s->model->nhosts = 70;
    s->model->hosts = sp_reallocarray(s->model->hosts, 70, sizeof(*s->model->hosts));
    for (uint32_t i = 5; i < 70; i++) {
        s->model->networks[i] = s->model->networks[4];
        s->model->networks[i].name = sp_strdup("n");
    }
    for (uint32_t i = 7; i < 70; i++) {
        memset(&s->model->hosts[i], 0, sizeof(s->model->hosts[i]));
        s->model->hosts[i].name = sp_strdup("h");
        s->model->hosts[i].addrs = sp_calloc(2, sizeof(struct sp_addr));
        s->model->hosts[i].naddrs = 2;
        s->model->hosts[i].network = i;
        sp_sample_add(s, i, SAMPLE_DB_1, SP_FAMILY_IPV4, SP_PROTO_TCP, 22, SP_EXPECT_DENY, SP_NONE,
                      sp_seen_silence());
    }
    sp_sample_judge(s);
    s->result->policy = NULL;
    sp_render_sample(s, "text", &narrow, &out);
    assert_non_null(strstr(sp_buf_text(&out), "64 segments do not fit here"));
    sp_buf_release(&out);
    sp_sample_free(s);
}

static void test_big_numbers(void **state)
{
    (void)state;
    struct sp_sample *s = sp_sample_big(3500);
    s->plan.coverage.intervals_of = 1234567;
    s->result->duration_ms = 3661900;
    struct sp_buf out;
    sp_render_sample(s, "text", &at_80, &out);
    assert_non_null(strstr(sp_buf_text(&out), " of 3,"));
    assert_non_null(strstr(sp_buf_text(&out), " of 1,234,567"));
    assert_non_null(strstr(sp_buf_text(&out), "3661.9 s"));
    sp_buf_release(&out);
    /* No line ends within a number, whatever the width. */
    for (unsigned width = 40; width <= 120; width++) {
        struct sp_format_options o = {.width = width};
        sp_render_sample(s, "text", &o, &out);
        const char *proof = strstr(sp_buf_text(&out), "Of what holds: ");
        const char *end = strstr(proof, "\n\n");
        for (const char *p = proof; p < end; p++) {
            assert_false(*p == ',' && p[1] == '\n' && p[-1] >= '0' && p[-1] <= '9');
        }
        assert_null(strchr(sp_buf_text(&out), '\x1f'));
        sp_buf_release(&out);
    }
    sp_sample_free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_golden),         cmocka_unit_test(test_color_adds_nothing_else),
        cmocka_unit_test(test_width),          cmocka_unit_test(test_ascii_is_ascii),
        cmocka_unit_test(test_long_lists),     cmocka_unit_test(test_many_findings),
        cmocka_unit_test(test_corners),        cmocka_unit_test(test_wide_matrix),
        cmocka_unit_test(test_captured),       cmocka_unit_test(test_big_numbers),
        cmocka_unit_test(test_proof),          cmocka_unit_test(test_twins),
        cmocka_unit_test(test_without_a_rule),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
