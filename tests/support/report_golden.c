/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/report_golden.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/sp_cmocka.h"

void sp_render_sample(const struct sp_sample *sample, const char *format,
                      const struct sp_format_options *options, struct sp_buf *ret_out)
{
    struct sp_summary *summary = NULL;
    const struct sp_format *f = sp_format_find(format);
    assert_non_null(f);
    assert_int_equal(sp_summary_new(sample->result, &summary), SP_OK);
    sp_buf_init(ret_out, 64U << 20);
    assert_int_equal(f->render(summary, options, ret_out), SP_OK);
    sp_summary_free(summary);
}

static void hide_version(const struct sp_buf *got, struct sp_buf *out)
{
    static const char mark[] = "\"version\":\"" SP_VERSION "\"";
    const char *rest = sp_buf_text(got);
    const char *at;
    while ((at = strstr(rest, mark)) != NULL) {
        sp_buf_add(out, rest, (size_t)(at - rest));
        sp_buf_str(out, "\"version\":\"@VERSION@\"");
        rest = at + sizeof(mark) - 1;
    }
    sp_buf_str(out, rest);
}

static void read_file(const char *path, struct sp_buf *out)
{
    char chunk[4096];
    FILE *f = fopen(path, "rb");
    if (!f) {
        fail_msg("cannot open %s: run once with SP_UPDATE_GOLDEN=1", path);
        return;
    }
    for (size_t n; (n = fread(chunk, 1, sizeof(chunk), f)) > 0;) {
        sp_buf_add(out, chunk, n);
    }
    (void)fclose(f);
}

/* Fails with the first line that differs. */
static void check_lines(const char *path, const char *got, const char *want)
{
    for (int line = 1; *got || *want; line++) {
        size_t got_len = strcspn(got, "\n");
        size_t want_len = strcspn(want, "\n");
        if (got_len != want_len || memcmp(got, want, got_len) != 0 ||
            got[got_len] != want[want_len]) {
            fail_msg("%s:%d\n  got:  %.*s\n  want: %.*s", path, line, (int)got_len, got,
                     (int)want_len, want);
        }
        got += got_len + (got[got_len] == '\n');
        want += want_len + (want[want_len] == '\n');
    }
}

void sp_assert_golden(const char *file, const struct sp_buf *got)
{
    char path[256];
    struct sp_buf text, want;
    (void)snprintf(path, sizeof(path), "tests/golden/formats/%s", file);
    sp_buf_init(&text, 64U << 20);
    sp_buf_init(&want, 64U << 20);
    hide_version(got, &text);
    if (getenv("SP_UPDATE_GOLDEN")) {
        FILE *f = fopen(path, "wb");
        assert_non_null(f);
        assert_int_equal(fwrite(sp_buf_text(&text), 1, text.len, f), text.len);
        assert_int_equal(fclose(f), 0);
    }
    read_file(path, &want);
    check_lines(path, sp_buf_text(&text), sp_buf_text(&want));
    sp_buf_release(&text);
    sp_buf_release(&want);
}

void sp_check_golden(struct sp_sample *sample, const char *format,
                     const struct sp_format_options *options, const char *file)
{
    struct sp_buf out;
    sp_render_sample(sample, format, options, &out);
    sp_assert_golden(file, &out);
    sp_buf_release(&out);
    sp_sample_free(sample);
}
