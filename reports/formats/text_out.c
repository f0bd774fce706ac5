/* SPDX-License-Identifier: Apache-2.0 */
#include "reports/formats/text_out.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "reports/escape.h"

/* Stands in text->line for a comma within a number, where no line may end. Nothing from outside can
 * be it: control characters are escaped. */
#define SP_TEXT_GROUP     '\x1f'
/* A list of ports longer than this is cut in the text report. */
#define SP_TEXT_MAX_PORTS 240U
#define SP_TEXT_LABEL     11U

void sp_text_styled(struct sp_text *text, enum sp_style style, const char *safe)
{
    static const char *const codes[] = {
        [SP_STYLE_BOLD] = "1",   [SP_STYLE_DIM] = "2",     [SP_STYLE_GOOD] = "32",
        [SP_STYLE_BAD] = "1;31", [SP_STYLE_OPEN] = "1;33",
    };
    if (text->color) {
        sp_buf_fmt(text->out, "\x1b[%sm%s\x1b[0m", codes[style], safe);
    } else {
        sp_buf_str(text->out, safe);
    }
}

void sp_text_heading(struct sp_text *text, const char *title, const char *aside)
{
    sp_buf_char(text->out, '\n');
    sp_text_styled(text, SP_STYLE_BOLD, title);
    if (aside) {
        sp_buf_str(text->out, "  ");
        sp_text_styled(text, SP_STYLE_DIM, aside);
    }
    sp_buf_char(text->out, '\n');
}

const char *sp_text_sign(const struct sp_text *text, uint8_t verdict)
{
    if (sp_verdict_is_finding(verdict)) {
        return text->ascii ? "x" : "\u2717";
    }
    switch ((enum sp_verdict)verdict) {
    case SP_VERDICT_HOLDS:
        return text->ascii ? "+" : "\u2713";
    case SP_VERDICT_INCONCLUSIVE:
        return "?";
    case SP_VERDICT_NOT_OBSERVABLE:
        return "o";
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
    return text->ascii ? "." : "\u00b7";
}

enum sp_style sp_text_style_of(uint8_t verdict)
{
    if (sp_verdict_is_finding(verdict)) {
        return SP_STYLE_BAD;
    }
    if (verdict == SP_VERDICT_INCONCLUSIVE) {
        return SP_STYLE_OPEN;
    }
    return verdict == SP_VERDICT_HOLDS ? SP_STYLE_GOOD : SP_STYLE_DIM;
}

const char *sp_text_word(uint8_t verdict, char out[static 24])
{
    (void)snprintf(out, 24, "%s", sp_verdict_str(verdict));
    for (char *p = out; *p; p++) {
        *p = *p == '_' ? ' ' : (char)toupper((unsigned char)*p);
    }
    return out;
}

/* ------------------------------------------------------------------ paragraphs */

static void pad(struct sp_buf *out, size_t columns)
{
    sp_buf_fmt(out, "%*s", (int)columns, "");
}

/* Bytes up to the next place where a line may end: before a space, or after a comma. */
static size_t word_len(const char *word)
{
    size_t len = strcspn(word, " ,");
    while (word[len] == ',') {
        len++;
    }
    return len;
}

static size_t columns_of(const char *bytes, size_t len)
{
    size_t columns = 0;
    for (size_t i = 0; i < len; i++) {
        columns += ((unsigned char)bytes[i] & 0xc0) != 0x80;
    }
    return columns;
}

/* Empties text->line; a failure there is the report's. */
static void end_line(struct sp_text *text)
{
    if (text->line.rc != SP_OK && text->out->rc == SP_OK) {
        text->out->rc = text->line.rc;
    }
    sp_buf_clear(&text->line);
}

static void write_out(struct sp_buf *out, const char *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        sp_buf_char(out, bytes[i] == SP_TEXT_GROUP ? ',' : bytes[i]);
    }
}

void sp_text_wrap(struct sp_text *text, size_t at, size_t indent)
{
    const char *rest = sp_buf_text(&text->line);
    size_t column = at;
    bool fresh = true; /* nothing on this line yet that a break could follow */
    while (*rest) {
        size_t spaces = strspn(rest, " ");
        size_t len = word_len(rest + spaces);
        size_t columns = columns_of(rest + spaces, len);
        if (len == 0) {
            break;
        }
        if (!fresh && column + spaces + columns > text->width) {
            sp_buf_char(text->out, '\n');
            pad(text->out, indent);
            column = indent;
            spaces = 0;
            rest += strspn(rest, " ");
        }
        write_out(text->out, rest, spaces + len);
        rest += spaces + len;
        column += spaces + columns;
        fresh = false;
    }
    sp_buf_char(text->out, '\n');
    end_line(text);
}

void sp_text_flush(struct sp_text *text)
{
    const char *line = sp_buf_text(&text->line);
    write_out(text->out, line, strlen(line));
    end_line(text);
}

void sp_text_field(struct sp_text *text, const char *label)
{
    sp_buf_str(text->out, "    ");
    sp_text_styled(text, SP_STYLE_DIM, label);
    pad(text->out, SP_TEXT_LABEL > strlen(label) ? SP_TEXT_LABEL - strlen(label) : 1);
    sp_text_wrap(text, 4 + SP_TEXT_LABEL, 4 + SP_TEXT_LABEL);
}

/* ------------------------------------------------------------------ words */

void sp_text_add(struct sp_text *text, const char *safe)
{
    sp_buf_str(&text->line, safe);
}

void sp_text_add_outside(struct sp_text *text, const char *hostile)
{
    sp_escape_terminal(&text->line, hostile);
}

void sp_text_add_end(struct sp_text *text, const struct sp_addr *addr, bool has_port, uint16_t port)
{
    char name[SP_ADDR_STRLEN];
    (void)sp_addr_str(addr, name);
    if (!has_port) {
        sp_text_add(text, name);
    } else {
        sp_buf_fmt(&text->line, addr->family == SP_FAMILY_IPV6 ? "[%s]:%u" : "%s:%u", name,
                   (unsigned)port);
    }
}

void sp_text_add_number(struct sp_text *text, uint64_t number)
{
    char digits[24];
    int len = snprintf(digits, sizeof(digits), "%" PRIu64, number);
    for (int i = 0; i < len; i++) {
        if (i > 0 && (len - i) % 3 == 0) {
            sp_buf_char(&text->line, SP_TEXT_GROUP);
        }
        sp_buf_char(&text->line, digits[i]);
    }
}

void sp_text_add_count(struct sp_text *text, uint64_t number, const char *one, const char *many)
{
    sp_text_add_number(text, number);
    sp_buf_char(&text->line, ' ');
    sp_buf_str(&text->line, number == 1 ? one : many);
}

void sp_text_add_ports(struct sp_text *text, const char *ports)
{
    sp_text_add_some_ports(text, ports, SP_TEXT_MAX_PORTS);
}

void sp_text_add_some_ports(struct sp_text *text, const char *ports, size_t most_bytes)
{
    size_t len = strlen(ports);
    size_t shown = len;
    if (len > most_bytes) {
        for (shown = most_bytes; shown > 0 && ports[shown] != ',';) {
            shown--;
        }
    }
    sp_buf_add(&text->line, ports, shown);
    if (shown < len) {
        size_t more = 0;
        for (const char *p = ports + shown; *p; p++) {
            more += *p == ',';
        }
        sp_text_add(text, ", and ");
        sp_text_add_number(text, more);
        sp_text_add(text, " more");
    }
}

void sp_text_add_flow(struct sp_text *text, uint32_t from, uint32_t to, uint8_t proto,
                      const char *family, const char *ports)
{
    const struct sp_model *model = text->summary->result->model;
    sp_text_add_outside(text, sp_model_target_name(model, from));
    sp_text_add(text, " -> ");
    sp_text_add_outside(text, sp_model_target_name(model, to));
    sp_buf_fmt(&text->line, "  %s", sp_proto_str(proto));
    if (ports[0]) {
        sp_buf_char(&text->line, '/');
        sp_text_add_ports(text, ports);
    }
    sp_buf_fmt(&text->line, "  %s", family);
}
