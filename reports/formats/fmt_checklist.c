/* SPDX-License-Identifier: Apache-2.0
 *
 * The check list for people: how many lines pass, and each line with what decides it. -q keeps the
 * count and the lines that fail, -v adds every part of every line with what was counted. */
#include <string.h>

#include "reports/checklist.h"
#include "reports/formats/text_out.h"

#define SP_LINE_MAX (1U << 20)

static const struct look {
    const char *word;
    uint8_t like; /* the verdict of a flow that looks the same */
} looks[SP_ITEM_STATE_COUNT] = {
    [SP_ITEM_PASS] = {"pass", SP_VERDICT_HOLDS},
    [SP_ITEM_FAIL] = {"FAIL", SP_VERDICT_LEAK},
    [SP_ITEM_UNKNOWN] = {"UNKNOWN", SP_VERDICT_INCONCLUSIVE},
    [SP_ITEM_NOT_OBSERVABLE] = {"not observable", SP_VERDICT_NOT_OBSERVABLE},
};

static void sign(struct sp_text *text, unsigned state)
{
    uint8_t like = looks[state].like;
    sp_text_styled(text, sp_text_style_of(like), sp_text_sign(text, like));
    sp_buf_char(text->out, ' ');
    sp_text_styled(text, sp_text_style_of(like), looks[state].word);
}

static void first_line(struct sp_text *text, const struct sp_checklist *list)
{
    const uint64_t *of = list->of;
    sp_buf_fmt(&text->line,
               "CHECKLIST  %u of %u lines pass, %u fail, %u unknown, %u not observable",
               (unsigned)of[SP_ITEM_PASS], SP_ITEM_COUNT, (unsigned)of[SP_ITEM_FAIL],
               (unsigned)of[SP_ITEM_UNKNOWN], (unsigned)of[SP_ITEM_NOT_OBSERVABLE]);
    sp_text_wrap(text, 0, 11);
    if (text->summary->result->interrupted && text->verbosity >= 0) {
        sp_text_add(text, "The run was interrupted: no line passes on what it measured.");
        sp_text_wrap(text, 0, 11);
    }
}

static void add_number(struct sp_text *text, const char **comma, uint64_t n, const char *word)
{
    if (n > 0) {
        sp_text_add(text, *comma);
        sp_text_add_number(text, n);
        sp_buf_fmt(&text->line, " %s", word);
        *comma = ", ";
    }
}

/* "tcp/22 is closed: 11 hold, 1 fails: web-1 -> db-1 tcp/22 ipv4: leak" */
static void add_part(struct sp_text *text, const struct sp_item_part *part)
{
    const char *comma = ": ";
    sp_text_add(text, part->what);
    add_number(text, &comma, part->held, "as declared");
    add_number(text, &comma, part->failed, "not");
    add_number(text, &comma, part->unknown, "unknown");
    add_number(text, &comma, part->not_observable, "not observable");
    if (part->example && part->state != SP_ITEM_PASS) {
        sp_text_add(text, "; ");
        sp_text_add_outside(text, part->example);
    }
}

static void show_part(struct sp_text *text, const struct sp_item_part *part)
{
    sp_buf_str(text->out, "     ");
    if (text->verbosity > 0) {
        sign(text, part->state);
        sp_text_add(text, " ");
    }
    add_part(text, part);
    sp_text_wrap(text, 5, 7);
    if (part->hint && part->state != SP_ITEM_PASS && part->state != SP_ITEM_FAIL) {
        sp_text_add(text, part->hint);
        sp_text_field(text, "to do");
    }
}

static void show_item(struct sp_text *text, const struct sp_item *item)
{
    sp_buf_fmt(text->out, "%2u ", item->id);
    sign(text, item->state);
    sp_buf_fmt(&text->line, "  %s", item->statement);
    sp_text_wrap(text, 5 + strlen(looks[item->state].word), 5);
    if (text->verbosity > 0) {
        for (size_t i = 0; i < item->nparts; i++) {
            show_part(text, &item->parts[i]);
        }
    } else if (item->state != SP_ITEM_PASS && sp_item_decisive(item)) {
        show_part(text, sp_item_decisive(item));
    }
    if (item->ask && item->state != SP_ITEM_PASS && item->state != SP_ITEM_FAIL) {
        sp_text_add(text, item->ask);
        sp_text_field(text, "ask");
    }
}

static enum sp_rc render(const struct sp_summary *summary, const struct sp_format_options *options,
                         struct sp_buf *out)
{
    static const struct sp_format_options none = {0};
    const struct sp_format_options *o = options ? options : &none;
    struct sp_checklist *list = NULL;
    enum sp_rc rc = sp_checklist_new(summary, &list);
    if (rc != SP_OK) {
        out->rc = out->rc == SP_OK ? rc : out->rc;
        return out->rc;
    }
    struct sp_text text = {
        .summary = summary,
        .out = out,
        .width = o->width == 0     ? 100U
                 : o->width < 40U  ? 40U
                 : o->width > 120U ? 120U
                                   : o->width,
        .verbosity = o->verbosity,
        .color = o->color,
        .ascii = o->ascii,
    };
    sp_buf_init(&text.line, SP_LINE_MAX);
    first_line(&text, list);
    for (size_t i = 0; i < SP_ITEM_COUNT; i++) {
        if (o->verbosity >= 0 || list->items[i].state == SP_ITEM_FAIL) {
            show_item(&text, &list->items[i]);
        }
    }
    sp_buf_release(&text.line);
    sp_checklist_free(list);
    return out->rc;
}

const struct sp_format sp_fmt_checklist = {
    .name = "checklist",
    .extension = ".txt",
    .summary = "the 39 lines of what to secure below Gloo Mesh Gateway, and what is proven of each",
    .render = render,
};
