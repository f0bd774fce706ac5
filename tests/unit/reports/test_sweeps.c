/* SPDX-License-Identifier: Apache-2.0
 *
 * Ranges of ports in a result: a range says what its ports would say one by one, what nobody told
 * is never a pass, and many ranges stay cheap. */
#include <string.h>
#include <time.h>

#include "probe/base/hash.h"
#include "probe/base/mem.h"
#include "probe/techniques/registry.h"
#include "reports/group.h"
#include "tests/support/report_golden.h"
#include "tests/support/sp_cmocka.h"

#define V4    SP_FAMILY_IPV4
#define V6    SP_FAMILY_IPV6
#define TCP   SP_PROTO_TCP
#define UDP   SP_PROTO_UDP
#define DENY  SP_EXPECT_DENY
#define ALLOW SP_EXPECT_ALLOW

static struct sp_summary *summarize(const struct sp_sample *s)
{
    struct sp_summary *summary = NULL;
    assert_int_equal(sp_summary_new(s->result, &summary), SP_OK);
    return summary;
}

static void add_range(struct sp_sample *s, uint32_t pair, uint8_t proto, uint16_t lo, uint16_t hi,
                      uint8_t expect, uint32_t rule, const struct sp_seen *seen)
{
    struct sp_case what = {.expect = expect, .layer = SP_LAYER_NETWORK};
    struct sp_test test = {
        .pair = pair,
        .rule = rule,
        .port = lo,
        .port_hi = hi,
        .proto = proto,
        .expect = expect,
        .technique = (uint8_t)sp_technique_index(sp_technique_for(proto, V4)),
        .why = SP_WHY_SWEPT,
    };
    struct sp_outcome outcome = {
        .seen = *seen, .judged = sp_judge(&what, seen), .grade = SP_GRADE_PAIR};
    assert_int_equal(sp_result_add(s->result, &test, &outcome), SP_OK);
}

/* ---- a range is its ports ---- */

#define PORTS 24U

/* What was declared and seen of one port. */
struct cell {
    uint8_t expect, kind;
    uint32_t rule;
};

static struct sp_seen seen_of(const struct cell *cell)
{
    struct sp_seen works = sp_seen_swept_works();
    if (cell->expect != DENY) {
        return cell->kind == 0  ? sp_seen_silence()
               : cell->kind < 4 ? works
                                : sp_seen_unsound(SP_UNSOUND_CONTROL_LOST);
    }
    return cell->kind < 2    ? sp_seen_leak()
           : cell->kind == 4 ? sp_seen_unsound(SP_UNSOUND_STATE_FULL)
                             : sp_seen_silence();
}

static bool same_cell(const struct cell *a, const struct cell *b)
{
    struct sp_seen x = seen_of(a), y = seen_of(b);
    return a->expect == b->expect && a->rule == b->rule && x.nic == y.nic &&
           x.unsound == y.unsound && x.attempts == y.attempts;
}

static void fill_cells(struct sp_rng *rng, struct cell cells[PORTS])
{
    for (size_t i = 0; i < PORTS; i++) {
        if (i == 0 || sp_rng_below(rng, 4) == 0) {
            cells[i].expect = (uint8_t)sp_rng_below(rng, 3);
            cells[i].rule = cells[i].expect == DENY ? SP_NONE : SAMPLE_RULE_WEB_TO_DB;
        } else {
            cells[i] = cells[i - 1];
        }
        if (i == 0 || sp_rng_below(rng, 3) == 0) {
            cells[i].kind = (uint8_t)sp_rng_below(rng, 5);
        }
    }
}

static const struct {
    uint32_t from, to;
    uint8_t family, proto;
} lanes[] = {{SAMPLE_WEB_1, SAMPLE_DB_1, V4, TCP}, {SAMPLE_WEB_1, SAMPLE_DB_1, V6, TCP},
             {SAMPLE_WEB_1, SAMPLE_DB_1, V4, UDP}, {SAMPLE_DB_1, SAMPLE_WEB_1, V4, TCP},
             {SAMPLE_DEV_1, SAMPLE_DB_1, V4, TCP}, {SAMPLE_DEV_1, SAMPLE_WEB_1, V4, TCP}};

static void report_cells(struct cell cells[][PORTS], bool merged, struct sp_buf *json,
                         struct sp_buf *text)
{
    static const struct sp_format_options verbose = {.width = 100, .verbosity = 1};
    struct sp_sample *s = sp_sample_new();
    for (size_t k = 0; k < SP_ARRAY_LEN(lanes); k++) {
        (void)sp_sample_pair(s, lanes[k].from, lanes[k].to, lanes[k].family);
    }
    sp_sample_judge(s);
    s->plan.depth = SP_DEPTH_EXHAUSTIVE;
    s->plan.coverage.intervals_tested = s->plan.coverage.edges_tested = 1000;
    s->plan.coverage.denied_of = SP_ARRAY_LEN(lanes) * PORTS;
    s->result->policy = NULL;
    for (size_t k = 0; k < SP_ARRAY_LEN(lanes); k++) {
        uint32_t pair = sp_sample_pair(s, lanes[k].from, lanes[k].to, lanes[k].family);
        for (size_t lo = 0, hi; lo < PORTS; lo = hi + 1) {
            for (hi = lo;
                 merged && hi + 1 < PORTS && same_cell(&cells[k][lo], &cells[k][hi + 1]);) {
                hi++;
            }
            struct sp_seen seen = seen_of(&cells[k][lo]);
            add_range(s, pair, lanes[k].proto, (uint16_t)(lo + 1), (uint16_t)(hi + 1),
                      cells[k][lo].expect, cells[k][lo].rule, &seen);
        }
    }
    sp_render_sample(s, "json", NULL, json);
    sp_render_sample(s, "text", &verbose, text);
    sp_sample_free(s);
}

/* Byte by byte the same report: counts, lists, causes, coverage, matrix. */
static void test_a_range_is_its_ports(void **state)
{
    (void)state;
    struct sp_rng rng = {20261123};
    size_t findings = 0;
    for (int round = 0; round < 400; round++) {
        struct cell cells[SP_ARRAY_LEN(lanes)][PORTS];
        struct sp_buf json[2], text[2];
        for (size_t k = 0; k < SP_ARRAY_LEN(lanes); k++) {
            fill_cells(&rng, cells[k]);
        }
        report_cells(cells, false, &json[0], &text[0]);
        report_cells(cells, true, &json[1], &text[1]);
        assert_string_equal(sp_buf_text(&json[0]), sp_buf_text(&json[1]));
        assert_string_equal(sp_buf_text(&text[0]), sp_buf_text(&text[1]));
        findings += strstr(sp_buf_text(&json[0]), "one port too wide") != NULL;
        for (int i = 0; i < 2; i++) {
            sp_buf_release(&json[i]);
            sp_buf_release(&text[i]);
        }
    }
    assert_in_range(findings, 1, 399); /* causes were looked for */
}

/* ---- causes ---- */

/* Ports of one flow of a made-up result. */
struct piece {
    uint32_t from, to;
    uint8_t family, proto;
    uint16_t lo, hi;
    uint8_t expect;
    bool arrives;
};

/* The cause of the finding on web-1 -> db-1. */
static enum sp_cause cause_of(const struct piece *pieces, size_t n)
{
    struct sp_sample *s = sp_sample_new();
    for (size_t i = 0; i < n; i++) {
        (void)sp_sample_pair(s, pieces[i].from, pieces[i].to, pieces[i].family);
    }
    sp_sample_judge(s);
    for (size_t i = 0; i < n; i++) {
        const struct piece *p = &pieces[i];
        struct sp_seen seen = !p->arrives          ? sp_seen_silence()
                              : p->expect == ALLOW ? sp_seen_swept_works()
                                                   : sp_seen_leak();
        add_range(s, sp_sample_pair(s, p->from, p->to, p->family), p->proto, p->lo, p->hi,
                  p->expect, p->expect == ALLOW ? (uint32_t)SAMPLE_RULE_WEB_TO_DB : SP_NONE, &seen);
    }
    struct sp_summary *summary = summarize(s);
    enum sp_cause cause = SP_CAUSE_COUNT;
    for (size_t i = 0; i < summary->nfindings; i++) {
        const struct sp_finding *f = &summary->findings[i];
        if (f->from == SAMPLE_WEB_1 && f->to == SAMPLE_DB_1 && f->family == V4 && f->proto == TCP) {
            cause = (enum sp_cause)f->cause_kind;
        }
    }
    sp_summary_free(summary);
    sp_sample_free(s);
    return cause;
}

#define FLOW4 SAMPLE_WEB_1, SAMPLE_DB_1, V4, TCP
#define FLOW6 SAMPLE_WEB_1, SAMPLE_DB_1, V6, TCP
#define CHECK_CAUSE(cause, ...)                                                                    \
    do {                                                                                           \
        const struct piece pieces[] = {                                                            \
            {FLOW4, 100, 101, DENY, true}, {FLOW4, 1, 99, DENY, false}, __VA_ARGS__};              \
        assert_int_equal(cause_of(pieces, SP_ARRAY_LEN(pieces)), cause);                           \
    } while (0)

static void test_causes_need_every_port(void **state)
{
    (void)state;
    CHECK_CAUSE(SP_CAUSE_TWIN_IPV4, {FLOW6, 1, 200, DENY, false});
    CHECK_CAUSE(SP_CAUSE_TWIN_IPV4, {FLOW6, 90, 100, DENY, false}, {FLOW6, 101, 110, DENY, false});
    CHECK_CAUSE(SP_CAUSE_LET_THROUGH, {FLOW6, 1, 100, DENY, false}, {FLOW6, 102, 200, DENY, false});
    CHECK_CAUSE(SP_CAUSE_LET_THROUGH, {FLOW6, 101, 200, DENY, false});
    CHECK_CAUSE(SP_CAUSE_LET_THROUGH, {FLOW6, 1, 100, DENY, false}, {FLOW6, 101, 101, DENY, true});
    CHECK_CAUSE(SP_CAUSE_OTHER_PROTOCOL,
                {SAMPLE_WEB_1, SAMPLE_DB_1, V4, UDP, 50, 150, ALLOW, true});
    CHECK_CAUSE(SP_CAUSE_LET_THROUGH, {SAMPLE_WEB_1, SAMPLE_DB_1, V4, UDP, 50, 100, ALLOW, true});
    CHECK_CAUSE(SP_CAUSE_BOTH_WAYS, {SAMPLE_DB_1, SAMPLE_WEB_1, V4, TCP, 100, 101, ALLOW, true});
    CHECK_CAUSE(SP_CAUSE_LET_THROUGH, {SAMPLE_DB_1, SAMPLE_WEB_1, V4, TCP, 101, 101, ALLOW, true});
    /* Two others, who may use one port each. */
    CHECK_CAUSE(SP_CAUSE_ANY_SOURCE, {SAMPLE_JUMP, SAMPLE_DB_1, V4, TCP, 100, 100, ALLOW, true},
                {SAMPLE_DEV_1, SAMPLE_DB_1, V4, TCP, 101, 101, ALLOW, true});
    CHECK_CAUSE(SP_CAUSE_LET_THROUGH, {SAMPLE_JUMP, SAMPLE_DB_1, V4, TCP, 100, 100, ALLOW, true});
    /* Two ports, both beside what is opened; and two of which one is not. */
    CHECK_CAUSE(SP_CAUSE_TOO_WIDE, {FLOW4, 102, 200, ALLOW, true}, {FLOW4, 99, 99, ALLOW, true});
    CHECK_CAUSE(SP_CAUSE_TOO_FAR, {FLOW4, 102, 200, ALLOW, true});
    CHECK_CAUSE(SP_CAUSE_TOO_FAR, {FLOW4, 102, 103, DENY, true}, {FLOW4, 104, 104, ALLOW, true});
    CHECK_CAUSE(SP_CAUSE_LET_THROUGH, {FLOW4, 102, 104, DENY, false},
                {FLOW4, 105, 109, ALLOW, true});
}

/* ---- what nobody told ---- */

static void test_a_silent_result_is_no_pass(void **state)
{
    (void)state;
    struct sp_sample *s = sp_sample_new();
    (void)sp_sample_add(s, SAMPLE_WEB_1, SAMPLE_DB_1, V4, TCP, 5432, ALLOW, SAMPLE_RULE_WEB_TO_DB,
                        sp_seen_works());
    size_t sweep = sp_sample_sweep(s, SAMPLE_WEB_1, SAMPLE_DB_1, V4, TCP);
    sp_sample_judge(s);
    struct sp_summary *summary = summarize(s);
    assert_int_equal(summary->counts.unswept, 65535);
    assert_int_equal(summary->counts.inconclusive, 65535);
    assert_int_equal(summary->counts.checks, 65536);
    assert_int_equal(summary->exit_code, 3);
    assert_int_equal(summary->nopen, 1);
    assert_int_equal(summary->open[0].reason, SP_UNSOUND_NOT_SWEPT);
    assert_int_equal(summary->open[0].tests, 65535);
    sp_summary_free(summary);
    /* Part of it is told, twice and overlapping: each port counts once. */
    struct sp_seen silence = sp_seen_silence();
    uint32_t pair = s->plan.sweeps[sweep].pair;
    add_range(s, pair, TCP, 1, 100, DENY, SP_NONE, &silence);
    add_range(s, pair, TCP, 51, 150, DENY, SP_NONE, &silence);
    add_range(s, pair, TCP, 60, 70, DENY, SP_NONE, &silence);
    add_range(s, pair, TCP, 65535, 65535, DENY, SP_NONE, &silence);
    summary = summarize(s);
    assert_int_equal(summary->counts.unswept, 65535 - 151);
    assert_int_equal(summary->exit_code, 3);
    sp_summary_free(summary);
    /* Then all of it is, port by port. */
    size_t before = s->result->ntests;
    assert_int_equal(sp_result_add_unswept(s->result, s->policy, SP_UNSOUND_NOT_SWEPT), SP_OK);
    uint64_t ports = 0;
    for (size_t i = before; i < s->result->ntests; i++) {
        const struct sp_test *t = &s->result->tests[i];
        const struct sp_interval *iv =
            sp_policy_decide(s->policy, SAMPLE_WEB_1, SAMPLE_DB_1, TCP, t->port);
        assert_int_equal(t->expect, iv->expect);
        assert_int_equal(t->rule, iv->rule);
        assert_true(t->port_hi <= iv->hi && t->port > 150 && t->port_hi < 65535);
        assert_int_equal(s->result->outcomes[i].judged.verdict, SP_VERDICT_INCONCLUSIVE);
        ports += t->port_hi - t->port + 1U;
    }
    assert_int_equal(ports, 65535 - 151);
    summary = summarize(s);
    assert_int_equal(summary->counts.unswept, 0);
    assert_int_equal(summary->counts.inconclusive, 65535 - 151);
    sp_summary_free(summary);
    before = s->result->ntests; /* nothing is left to add */
    assert_int_equal(sp_result_add_unswept(s->result, s->policy, SP_UNSOUND_NOT_SWEPT), SP_OK);
    assert_int_equal(s->result->ntests, before);
    sp_sample_free(s);
}

static void test_an_interrupted_run_is_told_in_one_line(void **state)
{
    (void)state;
    struct sp_sample *s = sp_sample_swept_clean();
    (void)sp_sample_sweep(s, SAMPLE_WEB_2, SAMPLE_DB_1, V4, TCP);
    (void)sp_sample_sweep(s, SAMPLE_WEB_2, SAMPLE_DB_1, V4, UDP);
    sp_free(s->result->sweeps);
    s->result->sweeps = sp_calloc(s->plan.nsweeps, sizeof(*s->result->sweeps));
    assert_non_null(s->result->sweeps);
    s->result->interrupted = true;
    assert_int_equal(sp_result_add_unswept(s->result, s->policy, SP_UNSOUND_NOT_SWEPT), SP_OK);
    struct sp_summary *summary = summarize(s);
    assert_int_equal(summary->nopen, 1);
    assert_int_equal(summary->open[0].tests, 2 * 65535);
    assert_int_equal(summary->exit_code, 3);
    struct sp_buf out;
    sp_render_sample(s, "text", NULL, &out);
    assert_non_null(strstr(sp_buf_text(&out), "131,070 checks were not finished when the run"));
    sp_buf_release(&out);
    sp_summary_free(summary);
    sp_sample_free(s);
}

/* ---- counts ---- */

static void test_ranges_count_as_their_ports(void **state)
{
    (void)state;
    struct sp_sample *s = sp_sample_swept();
    struct sp_summary *summary = summarize(s);
    const struct sp_counts *c = &summary->counts;
    assert_int_equal(c->checks, 8 * 65535 + 2);
    assert_int_equal(c->failed, 3 + 1 + 65535 + 1000);
    assert_int_equal(c->inconclusive, 2 * 4096 + 65535);
    assert_int_equal(c->holds, c->checks - c->failed - c->inconclusive);
    assert_int_equal(c->on_one_attempt, 65535);
    assert_int_equal(c->by_arrival, 2 + 101);
    assert_int_equal(summary->coverage.denied_tested, 7 * 65535 - 102 - 8192);
    assert_int_equal(summary->coverage.denied_of, 8 * 65535 - 102);
    sp_summary_free(summary);
    sp_sample_free(s);
}

static const struct sp_finding *find(const struct sp_summary *summary, const char *ports)
{
    for (size_t i = 0; i < summary->nfindings; i++) {
        if (strcmp(summary->findings[i].ports, ports) == 0) {
            return &summary->findings[i];
        }
    }
    fail_msg("no finding on %s", ports);
    return NULL;
}

/* A sweep's finding needs a sweep; what a test of the plan shows as well does not. */
static void test_how_a_finding_is_repeated(void **state)
{
    (void)state;
    struct sp_sample *s = sp_sample_new();
    (void)sp_sample_add(s, SAMPLE_WEB_1, SAMPLE_DB_1, V4, TCP, 8000, ALLOW, SAMPLE_RULE_WEB_TO_DB,
                        sp_seen_silence());
    size_t sweep = sp_sample_sweep(s, SAMPLE_WEB_1, SAMPLE_DB_1, V4, TCP);
    sp_sample_judge(s);
    s->plan.depth = SP_DEPTH_EXHAUSTIVE;
    const struct sp_sample_patch patches[] = {{100, 101, sp_seen_leak()},
                                              {8000, 8010, sp_seen_silence()}};
    sp_sample_found(s, sweep, SP_GRADE_PAIR, patches, SP_ARRAY_LEN(patches));
    struct sp_summary *summary = summarize(s);
    const char *leak = find(summary, "100-101")->repeat;
    const char *blocked = find(summary, "8000-8010")->repeat;
    assert_non_null(strstr(leak, " --depth exhaustive"));
    assert_null(strstr(leak, "--inject"));
    assert_null(strstr(blocked, "--depth"));
    sp_summary_free(summary);
    sp_sample_free(s);
}

static void test_evidence_of_a_range(void **state)
{
    (void)state;
    static const uint8_t bytes[] = {0x45, 0, 0,  20, 0, 0,  0,  0,  64, 6,
                                    0,    0, 10, 10, 1, 11, 10, 10, 2,  11};
    struct sp_sample *s = sp_sample_new();
    (void)sp_sample_add(s, SAMPLE_WEB_1, SAMPLE_DB_1, V4, TCP, 5432, ALLOW, SAMPLE_RULE_WEB_TO_DB,
                        sp_seen_works());
    size_t sweep = sp_sample_sweep(s, SAMPLE_WEB_1, SAMPLE_DB_1, V4, TCP);
    sp_sample_judge(s);
    assert_int_equal(sp_evidence_new(s->result->ntests, &s->result->evidence), SP_OK);
    const struct sp_sample_patch patches[] = {{8101, 8103, sp_seen_leak()}};
    sp_sample_found(s, sweep, SP_GRADE_PAIR, patches, 1);
    uint32_t test = 0;
    while (s->result->tests[test].port != 8101) {
        test++;
    }
    struct sp_evidence_packet packet = {.at_us = 1,
                                        .test = test,
                                        .host = SAMPLE_DB_1,
                                        .batch = 1,
                                        .attempt = 1,
                                        .len = sizeof(bytes),
                                        .wire_len = sizeof(bytes),
                                        .role = SP_KEPT_ARRIVED,
                                        .iface = "eth0"};
    sp_evidence_add(s->result->evidence, &packet, bytes);
    packet.test = (uint32_t)s->result->ntests; /* of no test */
    sp_evidence_add(s->result->evidence, &packet, bytes);
    assert_int_equal(s->result->evidence->lost, 1);
    struct sp_summary *summary = summarize(s);
    const struct sp_finding *leak = find(summary, "8101-8103");
    assert_string_equal(leak->evidence, "leak-1.pcapng");
    struct sp_buf out;
    sp_buf_init(&out, 1 << 20);
    assert_int_equal(sp_evidence_render(summary, leak, &out), SP_OK);
    assert_non_null(memmem(out.data, out.len, "flow=tcp/8101-8103 ", 19));
    sp_buf_release(&out);
    sp_summary_free(summary);
    sp_sample_free(s);
}

/* ---- many ranges ---- */

/* Every other port leaks, in both families, both protocols and both directions, and everything that
 * looks ports up has to look. Bounded by comparing sizes, not by a clock: four times the ranges may
 * take ten times as long, but not sixteen. */
static double seconds_for(uint32_t ranges)
{
    struct sp_sample *s = sp_sample_new();
    struct sp_seen leak = sp_seen_leak(), silence = sp_seen_silence();
    uint32_t v4 = sp_sample_pair(s, SAMPLE_WEB_1, SAMPLE_DB_1, V4);
    uint32_t v6 = sp_sample_pair(s, SAMPLE_WEB_1, SAMPLE_DB_1, V6);
    sp_sample_judge(s);
    for (uint32_t i = 0; i < ranges; i++) {
        uint16_t port = (uint16_t)(1 + 2 * i);
        add_range(s, v4, TCP, port, port, DENY, SP_NONE, i == 0 ? &silence : &leak);
        add_range(s, v6, TCP, port, (uint16_t)(port + 1), DENY, SP_NONE, &silence);
    }
    struct timespec begin, end;
    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &begin);
    struct sp_summary *summary = summarize(s);
    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &end);
    assert_int_equal(summary->nfindings, 1);
    assert_true(strlen(summary->findings[0].ports) > 4 * (size_t)ranges);
    assert_int_equal(summary->findings[0].tests, ranges - 1);
    assert_int_equal(summary->findings[0].cause_kind, SP_CAUSE_TWIN_IPV4);
    sp_summary_free(summary);
    sp_sample_free(s);
    return (double)(end.tv_sec - begin.tv_sec) + (double)(end.tv_nsec - begin.tv_nsec) / 1e9;
}

static void test_many_ranges(void **state)
{
    (void)state;
    double few = seconds_for(8000);
    double many = seconds_for(32000);
    print_message("8,000 ranges: %.4f s, 32,000: %.4f s\n", few, many);
    assert_true(many < 10 * few + 0.5);
}

/* Every allocation fails once; nothing leaks, and nothing half made is handed out. */
static void test_out_of_memory(void **state)
{
    (void)state;
    static const char *const formats[] = {"text", "json", "junit", "checklist"};
    struct sp_sample *s = sp_sample_swept();
    struct sp_summary *summary = NULL;
    enum sp_rc rc = SP_E_NOMEM;
    for (size_t n = 1; rc != SP_OK; n++) {
        (void)sp_mem_fail_at(n, 0);
        rc = sp_summary_new(s->result, &summary);
        (void)sp_mem_fail_at(0, 0);
        assert_true(rc == SP_OK || rc == SP_E_NOMEM);
        assert_true(n < 10000);
    }
    for (size_t f = 0; f < SP_ARRAY_LEN(formats); f++) {
        rc = SP_E_NOMEM;
        for (size_t n = 1; rc != SP_OK; n++) {
            struct sp_buf out;
            sp_buf_init(&out, 64U << 20);
            (void)sp_mem_fail_at(n, 0);
            rc = sp_format_find(formats[f])->render(summary, NULL, &out);
            (void)sp_mem_fail_at(0, 0);
            assert_int_equal(rc, out.rc);
            assert_true(rc == SP_OK || rc == SP_E_NOMEM);
            assert_true(n < 100000);
            sp_buf_release(&out);
        }
    }
    sp_summary_free(summary);
    sp_sample_free(s);
    rc = SP_E_NOMEM;
    for (size_t n = 1; rc != SP_OK; n++) {
        s = sp_sample_new();
        (void)sp_sample_sweep(s, SAMPLE_WEB_1, SAMPLE_DB_1, V4, TCP);
        sp_sample_judge(s);
        assert_int_equal(sp_evidence_new(s->result->ntests, &s->result->evidence), SP_OK);
        (void)sp_mem_fail_at(n, 0);
        rc = sp_result_add_unswept(s->result, s->policy, SP_UNSOUND_NOT_SWEPT);
        (void)sp_mem_fail_at(0, 0);
        assert_true(rc == SP_OK || rc == SP_E_NOMEM);
        assert_true(n < 1000);
        sp_sample_free(s);
    }
}

static void test_a_long_list_in_junit(void **state)
{
    (void)state;
    struct sp_sample *s = sp_sample_new();
    struct sp_seen leak = sp_seen_leak();
    uint32_t pair = sp_sample_pair(s, SAMPLE_WEB_1, SAMPLE_DB_1, V4);
    sp_sample_judge(s);
    for (uint16_t port = 1; port < 2000; port = (uint16_t)(port + 2)) {
        add_range(s, pair, TCP, port, port, DENY, SP_NONE, &leak);
    }
    struct sp_buf out;
    sp_render_sample(s, "junit", NULL, &out);
    const char *message = strstr(sp_buf_text(&out), "message=\"leak on tcp/1,3,5,");
    assert_non_null(message);
    assert_in_range(strcspn(strchr(message, '"') + 1, "\""), 150, 230);
    assert_non_null(strstr(message, ",...\">"));
    assert_non_null(strstr(message, ",1997,1999, finding ")); /* all of them below */
    sp_buf_release(&out);
    sp_sample_free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_range_is_its_ports),
        cmocka_unit_test(test_causes_need_every_port),
        cmocka_unit_test(test_a_silent_result_is_no_pass),
        cmocka_unit_test(test_an_interrupted_run_is_told_in_one_line),
        cmocka_unit_test(test_ranges_count_as_their_ports),
        cmocka_unit_test(test_how_a_finding_is_repeated),
        cmocka_unit_test(test_evidence_of_a_range),
        cmocka_unit_test(test_many_ranges),
        cmocka_unit_test(test_a_long_list_in_junit),
        cmocka_unit_test(test_out_of_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
