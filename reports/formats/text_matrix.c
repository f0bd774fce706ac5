/* SPDX-License-Identifier: Apache-2.0
 *
 * The matrix of segments: senders down, receivers across. A cell shows the worst that was found and
 * how many checks say so. What is wider than the terminal goes on in further blocks of columns. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "reports/escape.h"
#include "reports/formats/text_out.h"

#define SP_MATRIX_NAME 16U /* columns of a longer name */
#define SP_MATRIX_CELL 7U  /* "x 1,234" */
/* Beyond this the matrix helps nobody on a terminal. */
#define SP_MATRIX_MAX  60U

/* A name made safe and cut to fit; tells how many columns it takes. */
static size_t fit_name(struct sp_text *text, const char *name, struct sp_buf *out)
{
    sp_buf_clear(out);
    sp_escape_terminal(out, name);
    if (out->rc != SP_OK && text->out->rc == SP_OK) {
        text->out->rc = out->rc; /* the next name clears it */
    }
    if (sp_text_columns(sp_buf_text(out)) <= SP_MATRIX_NAME) {
        return sp_text_columns(sp_buf_text(out));
    }
    size_t columns = 0;
    size_t len = 0;
    const char *safe = sp_buf_text(out);
    while (columns < SP_MATRIX_NAME - 1) {
        len++;
        while (((unsigned char)safe[len] & 0xc0) == 0x80) {
            len++;
        }
        columns++;
    }
    if (out->rc == SP_OK) {
        out->len = len;
        out->data[len] = '\0';
    }
    sp_buf_str(out, text->ascii ? "~" : "\u2026");
    return SP_MATRIX_NAME;
}

static uint64_t count_of(const struct sp_cell *cell)
{
    if (sp_verdict_is_finding(cell->worst)) {
        return cell->failed;
    }
    switch ((enum sp_verdict)cell->worst) {
    case SP_VERDICT_HOLDS:
        return cell->holds;
    case SP_VERDICT_INCONCLUSIVE:
        return cell->inconclusive;
    case SP_VERDICT_NOT_OBSERVABLE:
        return cell->not_observable;
    case SP_VERDICT_LEAK:
    case SP_VERDICT_BLOCKED:
    case SP_VERDICT_RETURN_BLOCKED:
    case SP_VERDICT_HOST_FILTERED:
    case SP_VERDICT_MISDELIVERED:
    case SP_VERDICT_PARTIAL:
    case SP_VERDICT_PROXIED:
    case SP_VERDICT_NOT_TESTED:
    case SP_VERDICT_COUNT:
        break;
    }
    return 0;
}

static void show_cell(struct sp_text *text, const struct sp_cell *cell, size_t width)
{
    char number[24] = "";
    uint8_t worst = cell ? cell->worst : (uint8_t)SP_VERDICT_NOT_TESTED;
    uint64_t count = cell ? count_of(cell) : 0;
    if (count >= 10000000) {
        (void)snprintf(number, sizeof(number), " %" PRIu64 "M", count / 1000000);
    } else if (count >= 100000) {
        (void)snprintf(number, sizeof(number), " %" PRIu64 "k", count / 1000);
    } else if (count > 0) {
        (void)snprintf(number, sizeof(number), " %" PRIu64, count);
    }
    char safe[32];
    (void)snprintf(safe, sizeof(safe), "%s%s", sp_text_sign(text, worst), number);
    sp_buf_fmt(text->out, "  %*s", (int)(width - sp_text_columns(safe)), "");
    sp_text_styled(text, sp_text_style_of(worst), safe);
}

static void show_legend(struct sp_text *text)
{
    static const struct {
        uint8_t verdict;
        const char *word;
    } legend[] = {{SP_VERDICT_LEAK, "finding"},
                  {SP_VERDICT_INCONCLUSIVE, "inconclusive"},
                  {SP_VERDICT_NOT_OBSERVABLE, "no probe there"},
                  {SP_VERDICT_HOLDS, "holds"},
                  {SP_VERDICT_NOT_TESTED, "not tested"}};
    size_t column = 0;
    for (size_t i = 0; i < SP_ARRAY_LEN(legend); i++) {
        size_t wide = 5 + strlen(legend[i].word);
        if (column > 0 && column + wide > text->width) {
            sp_buf_char(text->out, '\n');
            column = 0;
        }
        sp_buf_str(text->out, column == 0 ? "    " : "   ");
        column += column == 0 ? wide + 1 : wide;
        sp_text_styled(text, sp_text_style_of(legend[i].verdict),
                       sp_text_sign(text, legend[i].verdict));
        sp_buf_fmt(text->out, " %s", legend[i].word);
    }
    sp_buf_char(text->out, '\n');
}

/* The segments that send or that receive, in order. */
struct side {
    uint32_t at[SP_MATRIX_MAX];
    size_t n;
};

static void list_sides(const struct sp_summary *summary, struct side *rows, struct side *columns)
{
    uint8_t sends[SP_MATRIX_MAX] = {0};
    uint8_t receives[SP_MATRIX_MAX] = {0};
    for (size_t i = 0; i < summary->ncells; i++) {
        sends[summary->cells[i].from] = 1;
        receives[summary->cells[i].to] = 1;
    }
    rows->n = columns->n = 0;
    for (uint32_t i = 0; i < summary->nsegments; i++) {
        if (sends[i]) {
            rows->at[rows->n++] = i;
        }
        if (receives[i]) {
            columns->at[columns->n++] = i;
        }
    }
}

/* The places first..last-1 of columns. */
static void show_block(struct sp_text *text, const struct side *rows, const struct side *columns,
                       size_t first, size_t last, size_t left_width, const size_t *widths,
                       struct sp_buf *name)
{
    const struct sp_summary *summary = text->summary;
    sp_buf_fmt(text->out, "    %*s", (int)left_width, "");
    for (size_t c = first; c < last; c++) {
        size_t used = fit_name(text, summary->segments[columns->at[c]].name, name);
        sp_buf_fmt(text->out, "  %*s%s", (int)(widths[c] - used), "", sp_buf_text(name));
    }
    sp_buf_char(text->out, '\n');
    for (size_t r = 0; r < rows->n; r++) {
        size_t used = fit_name(text, summary->segments[rows->at[r]].name, name);
        sp_buf_fmt(text->out, "    %s%*s", sp_buf_text(name), (int)(left_width - used), "");
        for (size_t c = first; c < last; c++) {
            show_cell(text, sp_summary_cell(summary, rows->at[r], columns->at[c]), widths[c]);
        }
        sp_buf_char(text->out, '\n');
    }
}

void sp_text_matrix(struct sp_text *text)
{
    const struct sp_summary *summary = text->summary;
    size_t widths[SP_MATRIX_MAX];
    size_t left_width = 0;
    struct side rows, columns;
    struct sp_buf name;
    if (summary->nsegments == 0) {
        return;
    }
    sp_text_heading(text, "SEGMENTS", "senders down, receivers across");
    if (summary->nsegments > SP_MATRIX_MAX) {
        sp_buf_fmt(text->out, "    %zu segments do not fit here: see --report json=FILE\n",
                   summary->nsegments);
        return;
    }
    list_sides(summary, &rows, &columns);
    sp_buf_init(&name, 1U << 16);
    for (size_t i = 0; i < rows.n; i++) {
        size_t used = fit_name(text, summary->segments[rows.at[i]].name, &name);
        left_width = used > left_width ? used : left_width;
    }
    for (size_t i = 0; i < columns.n; i++) {
        size_t used = fit_name(text, summary->segments[columns.at[i]].name, &name);
        widths[i] = used > SP_MATRIX_CELL ? used : SP_MATRIX_CELL;
    }
    for (size_t first = 0, last; first < columns.n; first = last) {
        size_t used = 4 + left_width + 2 + widths[first];
        for (last = first + 1; last < columns.n && used + 2 + widths[last] <= text->width; last++) {
            used += 2 + widths[last];
        }
        if (first > 0) {
            sp_buf_char(text->out, '\n');
        }
        show_block(text, &rows, &columns, first, last, left_width, widths, &name);
    }
    sp_buf_release(&name);
    show_legend(text);
}
