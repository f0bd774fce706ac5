/* SPDX-License-Identifier: Apache-2.0
 *
 * What every report format must do, whichever it is: a new line in reports/formats/registry.def is
 * tested by being there. */
#include <string.h>

#include "probe/base/mem.h"
#include "probe/base/str.h"
#include "reports/formats/format.h"
#include "tests/support/sample_result.h"
#include "tests/support/sp_cmocka.h"

#define SP_OUT_MAX (256U << 20)

static const struct sp_format_options all_options[] = {
    {0},
    {.width = 80, .verbosity = -1},
    {.width = 1, .verbosity = 1},
    {.width = 4000000000U, .verbosity = 1, .ascii = true},
};

static struct sp_summary *summarize(const struct sp_sample *sample)
{
    struct sp_summary *summary = NULL;
    assert_int_equal(sp_summary_new(sample->result, &summary), SP_OK);
    return summary;
}

static void test_registry(void **state)
{
    (void)state;
    assert_true(sp_format_count() > 0);
    for (size_t i = 0; i < sp_format_count(); i++) {
        const struct sp_format *f = sp_format_at(i);
        assert_non_null(f->render);
        assert_true(strlen(f->name) > 0 &&
                    strspn(f->name, "abcdefghijklmnopqrstuvwxyz0123456789_") == strlen(f->name));
        assert_int_equal(f->extension[0], '.');
        assert_true(strlen(f->summary) > 5);
        assert_ptr_equal(sp_format_find(f->name), f);
        assert_true(i == 0 || strcmp(sp_format_at(i - 1)->name, f->name) < 0);
    }
    assert_null(sp_format_at(sp_format_count()));
    assert_null(sp_format_find("no such format"));
}

/* Renders and checks what holds for every report: text in UTF-8 that ends in a line end, and
 * nothing a terminal would act on. */
static void check_render(const struct sp_format *f, const struct sp_summary *summary,
                         const struct sp_format_options *options)
{
    struct sp_buf out;
    sp_buf_init(&out, SP_OUT_MAX);
    sp_buf_str(&out, "kept");
    assert_int_equal(f->render(summary, options, &out), SP_OK);
    assert_memory_equal(out.data, "kept", 4);
    assert_true(out.len > 5);
    assert_int_equal(strlen(out.data), out.len);
    assert_true(sp_utf8_valid(out.data, out.len));
    assert_int_equal(out.data[out.len - 1], '\n');
    for (size_t i = 0; i < out.len; i++) {
        unsigned char c = (unsigned char)out.data[i];
        if ((c < 0x20 && c != '\n') || c == 0x7f ||
            (c == 0xc2 && (unsigned char)out.data[i + 1] <= 0x9f)) {
            fail_msg("%s: control character 0x%02x passed", f->name, c);
        }
    }
    sp_buf_release(&out);
}

static void check_all(struct sp_sample *sample)
{
    struct sp_summary *summary = summarize(sample);
    for (size_t i = 0; i < sp_format_count(); i++) {
        check_render(sp_format_at(i), summary, NULL);
        for (size_t o = 0; o < SP_ARRAY_LEN(all_options); o++) {
            check_render(sp_format_at(i), summary, &all_options[o]);
        }
    }
    sp_summary_free(summary);
    sp_sample_free(sample);
}

static void test_runs(void **state)
{
    (void)state;
    check_all(sp_sample_empty());
    check_all(sp_sample_clean());
    check_all(sp_sample_shop());
}

static void test_hostile_names(void **state)
{
    (void)state;
    check_all(sp_sample_hostile());
}

/* Names that a format could not have escaped by luck: the tag must never stand there as it is. */
static void test_no_tag_in_markup(void **state)
{
    (void)state;
    struct sp_sample *sample = sp_sample_hostile();
    struct sp_summary *summary = summarize(sample);
    for (size_t i = 0; i < sp_format_count(); i++) {
        const struct sp_format *f = sp_format_at(i);
        bool is_markup = strcmp(f->extension, ".xml") == 0 || strcmp(f->extension, ".html") == 0;
        struct sp_buf out;
        sp_buf_init(&out, SP_OUT_MAX);
        assert_int_equal(f->render(summary, NULL, &out), SP_OK);
        assert_true(!is_markup || (!strstr(out.data, "<script>alert") && !strstr(out.data, "<b>") &&
                                   !strstr(out.data, "\"><!--") && !strstr(out.data, "<host>")));
        sp_buf_release(&out);
    }
    sp_summary_free(summary);
    sp_sample_free(sample);
}

static void test_same_again(void **state)
{
    (void)state;
    struct sp_sample *sample = sp_sample_shop();
    struct sp_summary *summary = summarize(sample);
    for (size_t i = 0; i < sp_format_count(); i++) {
        struct sp_buf one, two;
        sp_buf_init(&one, SP_OUT_MAX);
        sp_buf_init(&two, SP_OUT_MAX);
        assert_int_equal(sp_format_at(i)->render(summary, NULL, &one), SP_OK);
        assert_int_equal(sp_format_at(i)->render(summary, NULL, &two), SP_OK);
        assert_string_equal(sp_buf_text(&one), sp_buf_text(&two));
        sp_buf_release(&one);
        sp_buf_release(&two);
    }
    sp_summary_free(summary);
    sp_sample_free(sample);
}

/* Every allocation fails in turn: a clean error, no leak, and never half a report called whole. */
static void test_out_of_memory(void **state)
{
    (void)state;
    static const struct sp_format_options verbose = {.verbosity = 1};
    struct sp_sample *sample = sp_sample_shop();
    struct sp_summary *summary = summarize(sample);
    for (size_t i = 0; i < sp_format_count(); i++) {
        /* Rows repeat: behind the first of them a step of 7 still meets every kind of call. */
        for (size_t n = 1;; n += n < 300 ? 1 : 7) {
            struct sp_buf out;
            sp_buf_init(&out, SP_OUT_MAX);
            sp_mem_fail_at(n, 0);
            enum sp_rc rc = sp_format_at(i)->render(summary, &verbose, &out);
            size_t asked = sp_mem_fail_at(0, 0);
            enum sp_rc kept = out.rc;
            sp_buf_release(&out);
            if (asked < n) {
                assert_int_equal(rc, SP_OK);
                assert_true(n > 3);
                break;
            }
            if (rc != SP_E_NOMEM || kept != SP_E_NOMEM) {
                fail_msg("%s: allocation %zu failed and render said %s", sp_format_at(i)->name, n,
                         sp_rc_str(rc));
            }
        }
    }
    sp_summary_free(summary);
    sp_sample_free(sample);
}

static void test_too_small_a_buffer(void **state)
{
    (void)state;
    struct sp_sample *sample = sp_sample_shop();
    struct sp_summary *summary = summarize(sample);
    for (size_t i = 0; i < sp_format_count(); i++) {
        for (size_t max = 0; max < 2000; max += 7) {
            struct sp_buf out;
            sp_buf_init(&out, max);
            assert_int_equal(sp_format_at(i)->render(summary, NULL, &out), SP_E_LIMIT);
            sp_buf_release(&out);
        }
    }
    sp_summary_free(summary);
    sp_sample_free(sample);
}

static void test_big_run(void **state)
{
    (void)state;
    struct sp_sample *sample = sp_sample_big(20000);
    struct sp_summary *summary = summarize(sample);
    assert_int_equal(summary->nentries, 20000);
    for (size_t i = 0; i < sp_format_count(); i++) {
        check_render(sp_format_at(i), summary, NULL);
        check_render(sp_format_at(i), summary, &all_options[2]);
    }
    sp_summary_free(summary);
    sp_sample_free(sample);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_registry),           cmocka_unit_test(test_runs),
        cmocka_unit_test(test_hostile_names),      cmocka_unit_test(test_no_tag_in_markup),
        cmocka_unit_test(test_same_again),         cmocka_unit_test(test_out_of_memory),
        cmocka_unit_test(test_too_small_a_buffer), cmocka_unit_test(test_big_run),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
