/* SPDX-License-Identifier: Apache-2.0 */
#include "reports/escape.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "probe/base/str.h"

#define SP_REPLACEMENT "\xef\xbf\xbd" /* U+FFFD */

/* One character of the text. */
struct glyph {
    const char *bytes;
    size_t len;
    uint32_t code; /* U+FFFD for a byte that starts no character */
    bool bad;
};

static struct glyph next_glyph(const char *text, size_t left)
{
    size_t len = sp_utf8_len(text, left);
    if (len == 0) {
        return (struct glyph){.bytes = SP_REPLACEMENT, .len = 1, .code = 0xfffd, .bad = true};
    }
    static const uint8_t mask[] = {0, 0x7f, 0x1f, 0x0f, 0x07};
    uint32_t code = (uint8_t)text[0] & mask[len];
    for (size_t i = 1; i < len; i++) {
        code = code << 6 | ((uint8_t)text[i] & 0x3fU);
    }
    return (struct glyph){.bytes = text, .len = len, .code = code};
}

static void add_glyph(struct sp_buf *out, const struct glyph *glyph)
{
    if (glyph->bad) {
        sp_buf_str(out, SP_REPLACEMENT);
    } else {
        sp_buf_add(out, glyph->bytes, glyph->len);
    }
}

static bool is_c0(uint32_t code)
{
    return code < 0x20;
}

static bool is_del_or_c1(uint32_t code)
{
    return code >= 0x7f && code <= 0x9f;
}

/* Marks, embeddings, overrides and isolates of Unicode UAX 9, and the line separators: they make
 * a line read as another than it is. */
static bool is_deceptive(uint32_t code)
{
    return code == 0x061c || code == 0x200e || code == 0x200f || code == 0xfeff ||
           (code >= 0x2028 && code <= 0x202e) || (code >= 0x2066 && code <= 0x2069);
}

void sp_escape_xml(struct sp_buf *out, const char *text)
{
    size_t left = strlen(text);
    while (left > 0) {
        struct glyph glyph = next_glyph(text, left);
        uint32_t c = glyph.code;
        if (c == '&') {
            sp_buf_str(out, "&amp;");
        } else if (c == '<') {
            sp_buf_str(out, "&lt;");
        } else if (c == '>') {
            sp_buf_str(out, "&gt;");
        } else if (c == '"') {
            sp_buf_str(out, "&quot;");
        } else if (c == '\'') {
            sp_buf_str(out, "&#39;");
        } else if (c == '\t' || c == '\n' || c == '\r') {
            sp_buf_char(out, ' ');
        } else if (!is_c0(c) && !is_del_or_c1(c) && c != 0xfffe && c != 0xffff) {
            add_glyph(out, &glyph);
        }
        text += glyph.len;
        left -= glyph.len;
    }
}

void sp_escape_terminal(struct sp_buf *out, const char *text)
{
    size_t left = strlen(text);
    while (left > 0) {
        struct glyph glyph = next_glyph(text, left);
        if (is_c0(glyph.code) || is_del_or_c1(glyph.code)) {
            sp_buf_fmt(out, "\\x%02x", (unsigned)glyph.code);
        } else if (is_deceptive(glyph.code)) {
            sp_buf_fmt(out, "\\u{%04x}", (unsigned)glyph.code);
        } else {
            add_glyph(out, &glyph);
        }
        text += glyph.len;
        left -= glyph.len;
    }
}

void sp_escape_utf8(struct sp_buf *out, const char *text)
{
    size_t left = strlen(text);
    while (left > 0) {
        struct glyph glyph = next_glyph(text, left);
        glyph.bad = glyph.bad || is_del_or_c1(glyph.code);
        add_glyph(out, &glyph);
        text += glyph.len;
        left -= glyph.len;
    }
}

size_t sp_text_columns(const char *text)
{
    size_t columns = 0;
    for (const char *p = text; *p; p++) {
        columns += ((unsigned char)*p & 0xc0) != 0x80;
    }
    return columns;
}
