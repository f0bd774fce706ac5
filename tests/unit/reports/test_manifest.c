/* SPDX-License-Identifier: Apache-2.0
 *
 * Manifests of made-up runs: what is written is read and found right; what was changed, removed,
 * moved or made up is found, whichever byte it is; and so is what the judge would not say. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "probe/base/mem.h"
#include "reports/manifest_check.h"
#include "tests/support/sample_result.h"
#include "tests/support/sp_cmocka.h"

static const struct sp_manifest_how how = {.fingerprint = "SHA256:x", .only = "tcp_syn,udp"};

struct made {
    struct sp_sample *sample;
    struct sp_buf text;
    struct sp_seal seal;
};

static struct made make(struct sp_sample *sample)
{
    struct made made = {.sample = sample};
    struct sp_summary *summary = NULL;
    struct sp_manifest_files files = {0};
    struct sp_buf content;
    struct sp_result *result = sample->result;
    sp_buf_init(&made.text, 16U << 20);
    sp_buf_init(&content, 64);
    sp_buf_str(&content, "x");
    if (!result->evidence) {
        assert_int_equal(sp_evidence_new(result->ntests, &result->evidence), SP_OK);
    }
    result->packets_sent = result->packets_captured = result->capture_drops = 0;
    for (size_t i = 0; i < result->model->nhosts; i++) { /* as a run adds them up */
        result->packets_sent += result->hosts[i].wanted ? result->hosts[i].packets_sent : 0;
        result->packets_captured += result->hosts[i].wanted ? result->hosts[i].packets_captured : 0;
        result->capture_drops += result->hosts[i].wanted ? result->hosts[i].capture_drops : 0;
    }
    assert_int_equal(sp_summary_new(result, &summary), SP_OK);
    assert_int_equal(sp_manifest_files_add(&files, SP_MANIFEST_TOPOLOGY, &content, 0), SP_OK);
    assert_int_equal(sp_manifest_write(summary, &how, &files, &made.text, &made.seal), SP_OK);
    sp_manifest_files_release(&files);
    sp_buf_release(&content);
    sp_summary_free(summary);
    return made;
}

static void drop(struct made *made)
{
    sp_buf_release(&made->text);
    sp_sample_free(made->sample);
}

/* How many differences there are; the first is shown in *ret_first. */
static uint64_t differences(const char *text, size_t len, const struct sp_seal *seal,
                            struct sp_difference *ret_first)
{
    struct sp_check check;
    assert_int_equal(sp_check_init(&check, NULL, NULL), SP_OK);
    assert_int_equal(sp_check_manifest(&check, text, len), SP_OK);
    if (seal) {
        sp_check_seal(&check, seal);
    }
    uint64_t n = check.all_differences;
    if (n > 0 && ret_first) {
        *ret_first = check.differences[0];
    }
    sp_check_release(&check);
    return n;
}

static struct sp_seal named(struct sp_seal seal)
{
    (void)snprintf(seal.fingerprint, sizeof(seal.fingerprint), "%s", how.fingerprint);
    return seal;
}

static void matches(struct sp_sample *sample)
{
    struct made made = make(sample);
    struct sp_seal seal = named(made.seal);
    struct sp_difference first = {0};
    if (differences(made.text.data, made.text.len, &seal, &first) > 0) {
        fail_msg("%zu: %s: %s", first.line, first.field, first.text);
    }
    drop(&made);
}

static void what_is_written_is_right(void **state)
{
    (void)state;
    matches(sp_sample_shop());
    matches(sp_sample_clean());
    matches(sp_sample_empty());
    matches(sp_sample_balanced());
    matches(sp_sample_swept());
    matches(sp_sample_swept_clean());
    matches(sp_sample_hostile());
    matches(sp_sample_big(3000));
}

static void every_byte_counts(void **state)
{
    struct made made = make(sp_sample_shop());
    struct sp_seal seal = named(made.seal);
    (void)state;
    for (size_t i = 0; i < made.text.len; i += 1 + i % 5) {
        char was = made.text.data[i];
        made.text.data[i] = (char)(was ^ 1 << i % 8);
        assert_true(differences(made.text.data, made.text.len, &seal, NULL) > 0);
        made.text.data[i] = was;
    }
    for (size_t n = 0; n < made.text.len; n += 97) {
        assert_true(differences(made.text.data, n, &seal, NULL) > 0);
    }
    assert_true(differences(made.text.data, made.text.len - 1, &seal, NULL) > 0);
    assert_int_equal(differences(made.text.data, made.text.len, &seal, NULL), 0);
    drop(&made);
}

/* ---- forging: lines with a right chain ---- */

static void rechain(const char *text, struct sp_buf *out)
{
    char prev[SP_SHA256_STRLEN] = SP_MANIFEST_NO_PREV;
    for (unsigned n = 1; *text; n++) {
        const char *end = strchr(text, '\n');
        const char *body = strstr(text, "\"type\"");
        assert_true(end && body && body < end);
        size_t start = out->len;
        sp_buf_fmt(out, "{\"n\":%u,\"prev\":\"%s\",%.*s", n, prev, (int)(end - body), body);
        assert_int_equal(sp_sha256(out->data + start, out->len - start, prev), SP_OK);
        sp_buf_char(out, '\n');
        text = end + 1;
    }
}

/* Replaces the first `from` behind `mark` by `to`, makes the chain right, and returns the first
 * difference. */
static struct sp_difference forged(const struct made *made, const char *mark, const char *from,
                                   const char *to)
{
    struct sp_difference first = {0};
    struct sp_buf text;
    struct sp_buf out;
    sp_buf_init(&text, 16U << 20);
    sp_buf_init(&out, 16U << 20);
    const char *at = strstr(made->text.data, mark);
    at = at ? strstr(at, from) : NULL;
    assert_non_null(at);
    sp_buf_add(&text, made->text.data, (size_t)(at - made->text.data));
    sp_buf_str(&text, to);
    sp_buf_str(&text, at + strlen(from));
    rechain(sp_buf_text(&text), &out);
    uint64_t n = differences(out.data, out.len, NULL, &first);
    assert_true(n > 0 || first.text[0] == '\0');
    sp_buf_release(&text);
    sp_buf_release(&out);
    return first;
}

static void verdicts_are_judged_anew(void **state)
{
    static const char *const lies[] = {"holds", "blocked", "inconclusive", "not_observable"};
    struct made made = make(sp_sample_shop());
    (void)state;
    assert_string_equal(forged(&made, "\"test\":0", "\"test\":0", "\"test\":0").text, "");
    for (size_t i = 0; i < SP_ARRAY_LEN(lies); i++) {
        char to[64];
        (void)snprintf(to, sizeof(to), "\"verdict\":\"%s\"", lies[i]);
        struct sp_difference d = forged(&made, "\"type\":\"test\"", "\"verdict\":\"leak\"", to);
        assert_true(d.line > 0);
        assert_true(strcmp(d.field, "verdict") == 0 || strcmp(d.field, "finding") == 0);
    }
    struct sp_difference d = forged(&made, "\"type\":\"test\"", "\"verdict\":\"holds\",\"row\":7",
                                    "\"verdict\":\"holds\",\"row\":6");
    assert_string_equal(d.field, "row");
    assert_string_equal(d.text, "says 6, but by what was seen it is 7");
    d = forged(&made, "\"type\":\"test\"", "\"attempts\":2,\"nic\":0", "\"attempts\":2,\"nic\":1");
    assert_string_equal(d.field, "verdict");
    assert_string_equal(d.text, "says holds, but by what was seen it is leak");
    d = forged(&made, "\"type\":\"test\"", "\"attempts\":2,\"nic\":0", "\"attempts\":0,\"nic\":0");
    assert_string_equal(d.text, "says holds, but by what was seen it is inconclusive");
    d = forged(&made, "\"type\":\"test\"", "\"capture_lossless\":true,\"attempts\":2,\"nic\":0",
               "\"attempts\":2,\"nic\":0");
    assert_string_equal(d.text, "says holds, but by what was seen it is inconclusive");
    drop(&made);
}

static void fields_are_strict(void **state)
{
    static const struct {
        const char *mark, *from, *to, *field, *words;
    } lies[] = {
        {"\"type\":\"test\"", "\"expect\":\"deny\"", "\"expect\":\"maybe\"", "expect", "none that"},
        {"\"type\":\"test\"", "\"expect\":\"deny\",", "", "expect", "is missing"},
        {"\"type\":\"test\"", "\"test\":0", "\"test\":1", "test", "is not 0"},
        {"\"type\":\"test\"", "\"port\":", "\"ports\":", "ports", "nobody knows"},
        {"\"type\":\"test\"", "\"attempts\":2", "\"attempts\":65536", "seen.attempts", "above"},
        {"\"type\":\"test\"", "\"src\":\"", "\"src\":\"x", "src", "no address"},
        {"\"type\":\"finding\"", "\"checks\":", "\"checks\":9", "checks", "its tests stand for"},
        {"\"type\":\"finding\"", "\"technique\":\"", "\"technique\":\"x", "", "another flow"},
        {"\"type\":\"finding\"", "\"finding\":1", "\"finding\":2", "finding", "is not 1"},
        {"\"type\":\"file\"", "topology.yaml", "../topology.yaml", "name", "no name"},
        {"\"type\":\"file\"", "topology.yaml", "leak-1.pcapng", "name", "no finding"},
        {"\"type\":\"end\"", "\"checks\":", "\"checks\":1", "counts.checks", "by the lines before"},
        {"\"type\":\"end\"", "\"verdict\":\"fails\"", "\"verdict\":\"holds\"", "verdict", "fails"},
        {"\"type\":\"end\"", "\"test\":", "\"test\":1", "lines.test", "by the lines before"},
        {"\"type\":\"run\"", SP_MANIFEST_FORMAT, "segproof-evidence/2", "format", "wrote it"},
        {"\"type\":\"host\"", "\"type\":\"host\"", "\"type\":\"guest\"", "type", "none that"},
        {"\"type\":\"host\"", "\"type\":\"host\"", "\"type\":\"run\"", "type", "may not stand"},
        {"\"type\":\"host\"", "\"ok\":", "\"okay\":", "ok", "is missing"},
    };
    struct made made = make(sp_sample_shop());
    (void)state;
    for (size_t i = 0; i < SP_ARRAY_LEN(lies); i++) {
        struct sp_difference d = forged(&made, lies[i].mark, lies[i].from, lies[i].to);
        if (strcmp(d.field, lies[i].field) != 0 || !strstr(d.text, lies[i].words)) {
            fail_msg("%zu: line %zu: %s: %s", i, d.line, d.field, d.text);
        }
    }
    drop(&made);
}

/* A port that a sweep asks and no test speaks of is no pass. */
static void swept_ports_are_told(void **state)
{
    struct made made = make(sp_sample_swept_clean());
    (void)state;
    struct sp_difference d = forged(&made, "\"type\":\"sweep\"", "\"allowed\":", "\"allowed\":1");
    assert_string_equal(d.field, "counts.checks");
    drop(&made);
}

static void the_chain(void **state)
{
    struct made made = make(sp_sample_shop());
    struct sp_difference d = {0};
    struct sp_seal seal = named(made.seal);
    (void)state;
    char *second = strchr(made.text.data, '\n') + 1;
    char *third = strchr(second, '\n') + 1;
    struct sp_buf text;
    sp_buf_init(&text, 16U << 20);
    sp_buf_add(&text, made.text.data, (size_t)(second - made.text.data));
    sp_buf_str(&text, third);
    assert_true(differences(text.data, text.len, &seal, &d) > 0);
    assert_int_equal(d.line, 2);
    assert_string_equal(d.field, "n");
    /* A name in a line that no check reads closely: only the chain knows. */
    sp_buf_clear(&text);
    sp_buf_str(&text, made.text.data);
    char *only = strstr(text.data, "tcp_syn,udp");
    assert_non_null(only);
    only[0] = 'x';
    assert_int_equal(differences(text.data, text.len, NULL, &d), 1);
    assert_int_equal(d.line, 1);
    assert_non_null(strstr(d.text, "line 2 names another SHA-256"));
    /* The last line, which no line follows: only the signature knows. */
    sp_buf_clear(&text);
    sp_buf_str(&text, made.text.data);
    char *drops = strstr(strstr(text.data, "\"type\":\"end\""), "\"packets_not_kept\"");
    if (!drops) {
        text.data[text.len - 2] = ',';
        text.data[text.len - 1] = '"';
        sp_buf_str(&text, "packets_not_kept\":7}\n");
    }
    assert_int_equal(differences(text.data, text.len, NULL, NULL), 0);
    assert_int_equal(differences(text.data, text.len, &seal, &d), 1);
    assert_non_null(strstr(d.text, "its last line is not the one that was signed"));
    sp_buf_release(&text);
    seal.lines++;
    assert_int_equal(differences(made.text.data, made.text.len, &seal, &d), 1);
    assert_non_null(strstr(d.text, "were signed"));
    drop(&made);
}

static void names_of_values(void **state)
{
    static const unsigned counts[SP_NAMED_COUNT] = {[SP_NAMED_VERDICT] = SP_VERDICT_COUNT,
                                                    [SP_NAMED_UNSOUND] = SP_UNSOUND_COUNT,
                                                    [SP_NAMED_EXPECT] = 3,
                                                    [SP_NAMED_LAYER] = 2,
                                                    [SP_NAMED_ANSWER] = SP_ANSWER_END,
                                                    [SP_NAMED_ANSWERER] = 3,
                                                    [SP_NAMED_PROXY] = SP_PROXY_COUNT,
                                                    [SP_NAMED_BY] = SP_BY_ANSWERER + 1,
                                                    [SP_NAMED_GRADE] = SP_GRADE_PAIR + 1,
                                                    [SP_NAMED_PROTO] = SP_PROTO_COUNT,
                                                    [SP_NAMED_WHY] = SP_WHY_SWEPT + 1};
    (void)state;
    for (unsigned naming = SP_NAMED_VERDICT; naming < SP_NAMED_COUNT; naming++) {
        for (unsigned value = 0; value < counts[naming]; value++) {
            unsigned found = UINT32_MAX;
            const char *name = sp_named_str((enum sp_naming)naming, value);
            assert_non_null(name); /* a value without a name cannot be written: give it one */
            assert_true(sp_named_find((enum sp_naming)naming, name, &found));
            assert_int_equal(found, value);
        }
        assert_null(sp_named_str((enum sp_naming)naming, 200));
    }
}

static void out_of_memory(void **state)
{
    struct made made = make(sp_sample_shop());
    (void)state;
    for (size_t n = 1;; n++) {
        struct sp_check check;
        sp_mem_fail_at(n, 0);
        enum sp_rc rc = sp_check_init(&check, NULL, NULL);
        rc = rc == SP_OK ? sp_check_manifest(&check, made.text.data, made.text.len) : rc;
        size_t asked = sp_mem_fail_at(0, 0);
        uint64_t wrong = check.all_differences;
        sp_check_release(&check);
        if (asked < n) {
            assert_int_equal(rc, SP_OK);
            assert_int_equal(wrong, 0);
            break;
        }
        /* A key of a group is made in memory, too: without it, it is another one. */
        assert_true(rc == SP_E_NOMEM || wrong > 0);
    }
    drop(&made);
}

static void names_of_files(void **state)
{
    (void)state;
    assert_true(sp_manifest_is_file("topology.yaml"));
    assert_true(sp_manifest_is_file("trace.json"));
    assert_false(sp_manifest_is_file("trace-1.json"));
    assert_true(sp_manifest_is_file("leak-12.pcapng"));
    assert_false(sp_manifest_is_file(""));
    assert_false(sp_manifest_is_file("manifest.sig"));
    assert_false(sp_manifest_is_file("../leak-1.pcapng"));
    assert_false(sp_manifest_is_file("leak-1.pcapng/"));
    assert_false(sp_manifest_is_file("leak-00000000000000000000000000000000000000000000000000000000"
                                     "000000.pcapng"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_written_is_right), cmocka_unit_test(every_byte_counts),
        cmocka_unit_test(verdicts_are_judged_anew), cmocka_unit_test(fields_are_strict),
        cmocka_unit_test(swept_ports_are_told),     cmocka_unit_test(the_chain),
        cmocka_unit_test(names_of_values),          cmocka_unit_test(out_of_memory),
        cmocka_unit_test(names_of_files),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
