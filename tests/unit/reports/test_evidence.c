/* SPDX-License-Identifier: Apache-2.0
 *
 * Evidence: bounded, found by test; a file holds the packets of its finding, all of them, in order,
 * and says of each what it is. Files are read back here by a reader of its own. */
#include <stdio.h>
#include <string.h>

#include "probe/base/mem.h"
#include "reports/evidence.h"
#include "reports/formats/format.h"
#include "reports/group.h"
#include "reports/pcapng.h"
#include "tests/support/sample_result.h"
#include "tests/support/sp_cmocka.h"

/* ---- a reader ---- */

struct told {
    char section[1024];
    char names[8][64];
    uint16_t linktypes[8];
    size_t nnames;
    struct {
        uint32_t interface, len, wire_len, flags;
        uint64_t at_ns;
        char comment[512];
        uint8_t first;
    } packets[64];
    size_t npackets;
};

static uint32_t u32(const uint8_t *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static const uint8_t *option(const uint8_t *at, const uint8_t *end, uint16_t code, size_t *ret_len)
{
    while (at + 4 <= end) {
        uint32_t head = u32(at);
        size_t len = head >> 16;
        if ((head & 0xffff) == 0) {
            assert_int_equal(len, 0);
            assert_ptr_equal(at + 4, end);
            return NULL;
        }
        assert_true(at + 4 + len <= end);
        if ((head & 0xffff) == code) {
            *ret_len = len;
            return at + 4;
        }
        at += 4 + (len + 3) / 4 * 4;
    }
    fail_msg("options without an end");
    return NULL;
}

static void copy_option(const uint8_t *at, const uint8_t *end, uint16_t code, char *out,
                        size_t size)
{
    size_t len = 0;
    const uint8_t *text = option(at, end, code, &len);
    assert_non_null(text);
    assert_true(len < size);
    memcpy(out, text, len);
    out[len] = '\0';
}

static void read_back(const struct sp_buf *buf, struct told *told)
{
    const uint8_t *at = (const uint8_t *)buf->data;
    const uint8_t *stop = at + buf->len;
    size_t len = 0;
    memset(told, 0, sizeof(*told));
    while (at < stop) {
        uint32_t size = u32(at + 4);
        const uint8_t *end = at + size - 4;
        assert_true(size >= 12 && size % 4 == 0 && at + size <= stop);
        assert_int_equal(u32(end), size);
        if (u32(at) == 0x0a0d0d0a) {
            assert_ptr_equal(at, buf->data);
            copy_option(at + 24, end, 1, told->section, sizeof(told->section));
        } else if (u32(at) == 1) {
            assert_int_equal(told->npackets, 0);
            told->linktypes[told->nnames] = (uint16_t)u32(at + 8);
            copy_option(at + 16, end, 2, told->names[told->nnames++], 64);
            const uint8_t *resolution = option(at + 16, end, 9, &len);
            assert_true(resolution && len == 1 && *resolution == 9);
        } else {
            assert_int_equal(u32(at), 6);
            assert_true(told->npackets < 64);
            size_t n = told->npackets++;
            told->packets[n].interface = u32(at + 8);
            assert_true(told->packets[n].interface < told->nnames);
            told->packets[n].at_ns = (uint64_t)u32(at + 12) << 32 | u32(at + 16);
            told->packets[n].len = u32(at + 20);
            told->packets[n].wire_len = u32(at + 24);
            assert_true(told->packets[n].len <= told->packets[n].wire_len);
            told->packets[n].first = at[28];
            const uint8_t *options = at + 28 + (told->packets[n].len + 3) / 4 * 4;
            copy_option(options, end, 1, told->packets[n].comment, 512);
            const uint8_t *flags = option(options, end, 2, &len);
            assert_true(flags && len == 4);
            told->packets[n].flags = u32(flags);
        }
        at += size;
    }
}

/* ---- the store ---- */

static void add(struct sp_evidence *evidence, uint32_t test, uint32_t host, uint8_t role,
                uint64_t at_us, bool is_control, uint8_t first)
{
    uint8_t bytes[61] = {first};
    struct sp_evidence_packet packet = {.at_us = at_us,
                                        .test = test,
                                        .host = host,
                                        .batch = 3,
                                        .attempt = 2,
                                        .len = sizeof(bytes),
                                        .wire_len = 1400,
                                        .role = role,
                                        .is_control = is_control,
                                        .iface = "eth0"};
    sp_evidence_add(evidence, &packet, bytes);
}

static void store(void **state)
{
    struct sp_evidence *evidence = NULL;
    (void)state;
    assert_int_equal(sp_evidence_new(3, &evidence), SP_OK);
    add(evidence, 1, 0, SP_KEPT_SENT, 1, false, 0x45);
    add(evidence, 3, 0, SP_KEPT_SENT, 1, false, 0x45); /* no such test */
    add(evidence, 1, 0, SP_KEPT_END, 1, false, 0x45);  /* no such role */
    const struct sp_evidence_packet big = {.len = SP_KEPT_MAX_BYTES + 1};
    sp_evidence_add(evidence, &big, (const uint8_t *)"");
    assert_int_equal(evidence->lost, 3);
    assert_true(sp_evidence_has(evidence, 1));
    assert_false(sp_evidence_has(evidence, 0));
    assert_false(sp_evidence_has(evidence, 3));
    assert_false(sp_evidence_has(NULL, 0));
    for (uint32_t i = 0; i < SP_EVIDENCE_MAX_PACKETS + 10; i++) {
        add(evidence, 2, 0, SP_KEPT_SENT, i, false, 0x45);
    }
    assert_int_equal(evidence->nrows, SP_EVIDENCE_MAX_PACKETS);
    assert_int_equal(evidence->lost, 14);
    assert_true(evidence->bytes.len <= SP_EVIDENCE_MAX_BYTES);
    sp_evidence_free(evidence);
    sp_evidence_free(NULL);
}

static void names(void **state)
{
    static const char *const good[] = {"leak-1.pcapng", "return_blocked-12.pcapng",
                                       "host_filtered-7.pcapng"};
    static const char *const bad[] = {
        "leak-.pcapng", "leak-1.pcapng.bak", "leak1.pcapng",   "leaks-1.pcapng",
        "leak-1.pcap",  "xleak-1.pcapng",    "leak-1x.pcapng", "",
        ".pcapng",      "leak-1.pcapngx",    "notes.txt"};
    (void)state;
    for (size_t i = 0; i < SP_ARRAY_LEN(good); i++) {
        assert_true(sp_evidence_is_name(good[i]));
    }
    for (size_t i = 0; i < SP_ARRAY_LEN(bad); i++) {
        assert_false(sp_evidence_is_name(bad[i]));
    }
}

/* ---- files ---- */

/* A sample in which every test that is a finding has what left and, two of them, what came. */
static struct sp_sample *shop(struct sp_summary **ret_summary)
{
    struct sp_sample *sample = sp_sample_shop();
    struct sp_result *result = sample->result;
    assert_int_equal(sp_evidence_new(result->plan->ntests, &result->evidence), SP_OK);
    for (uint32_t t = 0; t < result->plan->ntests; t++) {
        const struct sp_pair *pair = &result->plan->pairs[result->plan->tests[t].pair];
        uint8_t first = pair->family == SP_FAMILY_IPV6 ? 0x60 : 0x45;
        if (result->outcomes[t].judged.verdict == SP_VERDICT_LEAK && pair->to < SAMPLE_SHOP) {
            /* not in the order of their times; the control twice, once for each of two tests */
            add(result->evidence, t, pair->to, SP_KEPT_ARRIVED, 2000, false, first);
            add(result->evidence, t, pair->from, SP_KEPT_ANSWER, 4000, false, first);
            add(result->evidence, t, pair->from, SP_KEPT_SENT, 1000, false, first);
            add(result->evidence, t, pair->to, SP_KEPT_REPLY, 3000, false, first);
            add(result->evidence, t, pair->from, SP_KEPT_SENT, 500, true, first);
            add(result->evidence, t, pair->from, SP_KEPT_SENT, 500, true, first);
        }
    }
    assert_int_equal(sp_summary_new(result, ret_summary), SP_OK);
    return sample;
}

static void file(void **state)
{
    static const char *const roles[] = {"role=control control=sent ", "role=sent ", "role=seen-at ",
                                        "role=reply ", "role=answer "};
    static const uint32_t flags[] = {2, 2, 1, 2, 1};
    static struct told told;
    struct sp_summary *summary = NULL;
    struct sp_sample *sample = shop(&summary);
    unsigned files = 0;
    unsigned leaks = 0;
    (void)state;
    for (size_t i = 0; i < summary->nfindings; i++) {
        struct sp_finding *finding = &summary->findings[i];
        struct sp_buf out;
        char name[64];
        sp_buf_init(&out, SP_EVIDENCE_FILE_MAX_BYTES);
        leaks += finding->verdict == SP_VERDICT_LEAK;
        if (!finding->evidence) {
            assert_non_null(finding->no_evidence);
            assert_int_equal(sp_evidence_render(summary, finding, &out), SP_E_NOTFOUND);
            sp_buf_release(&out);
            continue;
        }
        (void)snprintf(name, sizeof(name), "leak-%u.pcapng", leaks);
        assert_string_equal(finding->evidence, name);
        assert_true(sp_evidence_is_name(name));
        assert_int_equal(sp_evidence_render(summary, finding, &out), SP_OK);
        read_back(&out, &told);
        assert_non_null(strstr(told.section, summary->result->model->sha256));
        assert_non_null(strstr(told.section, "run="));
        assert_int_equal(told.nnames, 2);
        assert_int_equal(told.linktypes[0],
                         finding->family == SP_FAMILY_IPV6 ? SP_LINKTYPE_IPV6 : SP_LINKTYPE_IPV4);
        assert_int_equal(told.npackets % 5, finding->nproof == 1 ? 0 : told.npackets % 5);
        for (size_t k = 0; finding->nproof == 1 && k < told.npackets; k++) {
            assert_non_null(strstr(told.packets[k].comment, roles[k]));
            assert_int_equal(told.packets[k].flags, flags[k]);
            assert_int_equal(told.packets[k].wire_len, 1400);
            assert_int_equal(told.packets[k].len, 61);
            assert_non_null(strstr(told.packets[k].comment, finding->id));
            assert_non_null(strstr(told.packets[k].comment, "verdict=leak expected=deny rule="));
            assert_non_null(strstr(told.packets[k].comment, " attempt=2 batch=3"));
        }
        for (size_t k = 1; k < told.npackets; k++) {
            assert_true(told.packets[k - 1].at_ns <= told.packets[k].at_ns);
        }
        files++;
        sp_buf_release(&out);
    }
    assert_true(files >= 2);
    sp_summary_free(summary);
    sp_sample_free(sample);
}

/* Something translated between the families: one interface, so that every reader takes it. */
static void both_families(void **state)
{
    static struct told told;
    struct sp_summary *summary = NULL;
    struct sp_sample *sample = shop(&summary);
    struct sp_buf out;
    (void)state;
    for (size_t i = 0; i < summary->nfindings; i++) {
        struct sp_finding *finding = &summary->findings[i];
        if (finding->evidence) {
            add(sample->result->evidence, finding->proof[0], SAMPLE_JUMP, SP_KEPT_STRAY, 9000,
                false, finding->family == SP_FAMILY_IPV6 ? 0x45 : 0x60);
            sp_buf_init(&out, SP_EVIDENCE_FILE_MAX_BYTES);
            assert_int_equal(sp_evidence_render(summary, finding, &out), SP_OK);
            read_back(&out, &told);
            assert_int_equal(told.nnames, 1);
            assert_int_equal(told.linktypes[0], SP_LINKTYPE_RAW);
            assert_non_null(
                strstr(told.packets[told.npackets - 1].comment, "role=stray host=jump"));
            sp_buf_release(&out);
        }
    }
    sp_summary_free(summary);
    sp_sample_free(sample);
}

/* Names from outside stay within their word. */
static void hostile_names(void **state)
{
    static struct told told;
    struct sp_sample *sample = sp_sample_hostile();
    struct sp_result *result = sample->result;
    struct sp_summary *summary = NULL;
    size_t n = 0;
    (void)state;
    assert_int_equal(sp_evidence_new(result->plan->ntests, &result->evidence), SP_OK);
    for (uint32_t t = 0; t < result->plan->ntests; t++) {
        add(result->evidence, t, 0, SP_KEPT_SENT, 1, false, 0x45);
        (void)snprintf(result->evidence->rows[t].packet.iface, 16, "e\n\x1b[31m\"=");
    }
    assert_int_equal(sp_summary_new(result, &summary), SP_OK);
    for (size_t i = 0; i < summary->nfindings; i++) {
        struct sp_buf out;
        sp_buf_init(&out, SP_EVIDENCE_FILE_MAX_BYTES);
        assert_int_equal(sp_evidence_render(summary, &summary->findings[i], &out), SP_OK);
        read_back(&out, &told);
        for (const char *p = told.packets[0].comment; *p; p++) {
            assert_true((uint8_t)*p >= 0x20 && *p != 0x7f);
        }
        n += told.npackets;
        sp_buf_release(&out);
    }
    assert_true(n > 0);
    sp_summary_free(summary);
    sp_sample_free(sample);
}

/* What reports say of it. */
static void in_reports(void **state)
{
    static const char *const formats[] = {"json", "text"};
    struct sp_summary *summary = NULL;
    struct sp_sample *sample = shop(&summary);
    const struct sp_format_options how = {.verbosity = 1};
    (void)state;
    for (size_t i = 0; i < SP_ARRAY_LEN(formats); i++) {
        struct sp_buf out;
        sp_buf_init(&out, 1U << 24);
        assert_int_equal(sp_format_find(formats[i])->render(summary, &how, &out), SP_OK);
        assert_non_null(strstr(sp_buf_text(&out), "leak-1.pcapng"));
        assert_int_equal(strstr(sp_buf_text(&out), "none: no probe has kept") != NULL, i == 1);
        sp_buf_release(&out);
    }
    sp_summary_free(summary);
    sp_sample_free(sample);
}

static void torture(void **state)
{
    struct sp_summary *summary = NULL;
    struct sp_sample *sample = shop(&summary);
    (void)state;
    for (size_t i = 0; i < summary->nfindings; i++) {
        enum sp_rc rc = SP_E_NOMEM;
        for (size_t n = 1; summary->findings[i].evidence && rc != SP_OK; n++) {
            struct sp_buf out;
            sp_buf_init(&out, SP_EVIDENCE_FILE_MAX_BYTES);
            (void)sp_mem_fail_at(n, 0);
            rc = sp_evidence_render(summary, &summary->findings[i], &out);
            (void)sp_mem_fail_at(0, 0);
            assert_true(rc == SP_OK || rc == SP_E_NOMEM);
            assert_true(n < 10000);
            sp_buf_release(&out);
        }
    }
    struct sp_evidence *evidence = NULL;
    for (size_t n = 1; n <= 3; n++) {
        (void)sp_mem_fail_at(n, 0);
        assert_int_equal(sp_evidence_new(5, &evidence), SP_E_NOMEM);
        (void)sp_mem_fail_at(0, 0);
    }
    assert_int_equal(sp_evidence_new(5, &evidence), SP_OK);
    for (size_t n = 1; n <= 2; n++) {
        (void)sp_mem_fail_at(n, 0);
        add(evidence, 1, 0, SP_KEPT_SENT, 1, false, 0x45);
        (void)sp_mem_fail_at(0, 0);
    }
    assert_true(evidence->lost > 0);
    sp_evidence_free(evidence);
    struct sp_summary *again = NULL;
    enum sp_rc rc = SP_E_NOMEM;
    for (size_t n = 1; rc != SP_OK; n++) {
        (void)sp_mem_fail_at(n, 0);
        rc = sp_summary_new(sample->result, &again);
        (void)sp_mem_fail_at(0, 0);
        assert_true(n < 100000);
    }
    sp_summary_free(again);
    sp_summary_free(summary);
    sp_sample_free(sample);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(store),         cmocka_unit_test(names),
        cmocka_unit_test(file),          cmocka_unit_test(both_families),
        cmocka_unit_test(hostile_names), cmocka_unit_test(in_reports),
        cmocka_unit_test(torture),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
