/* SPDX-License-Identifier: Apache-2.0
 *
 * One message for people: the place, the words, the source line and a caret under the place.
 * Columns in positions count code points, as libyaml does; the caret is placed by the width that
 * terminals give each character. Control characters, bidirectional overrides and bytes that are not
 * UTF-8 become visible escapes, so that a hostile file cannot drive a terminal. */
#include <string.h>

#include "probe/base/buf.h"
#include "probe/base/str.h"
#include "topologies/loader.h"
#include "topologies/problem.h"

#define WINDOW       96U /* columns of source shown; longer lines are cut around the caret */
#define BEFORE_CARET 60U /* of these, at most so many stand left of the caret */
#define TAB_COLUMNS  4U
#define COLOR_BOLD   "\x1b[1m"
#define COLOR_RED    "\x1b[1;31m"
#define COLOR_YELLOW "\x1b[1;33m"
#define COLOR_GREEN  "\x1b[1;32m"
#define COLOR_NONE   "\x1b[0m"

static uint32_t decode(const char *bytes, size_t len)
{
    const unsigned char *s = (const unsigned char *)bytes;
    switch (len) {
    case 2:
        return (uint32_t)(s[0] & 0x1f) << 6 | (s[1] & 0x3f);
    case 3:
        return (uint32_t)(s[0] & 0x0f) << 12 | (uint32_t)(s[1] & 0x3f) << 6 | (s[2] & 0x3f);
    case 4:
        return (uint32_t)(s[0] & 0x07) << 18 | (uint32_t)(s[1] & 0x3f) << 12 |
               (uint32_t)(s[2] & 0x3f) << 6 | (s[3] & 0x3f);
    default:
        return s[0];
    }
}

struct range {
    uint32_t lo, hi;
};

static bool in_ranges(uint32_t c, const struct range *ranges, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (c >= ranges[i].lo && c <= ranges[i].hi) {
            return true;
        }
    }
    return false;
}

/* C0, C1, line separators, bidirectional controls, byte order mark: never sent to a terminal. */
static bool is_unsafe(uint32_t c)
{
    static const struct range unsafe[] = {{0, 0x1f},        {0x7f, 0x9f},     {0x200e, 0x200f},
                                          {0x2028, 0x202e}, {0x2066, 0x2069}, {0xfeff, 0xfeff}};
    return in_ranges(c, unsafe, SP_ARRAY_LEN(unsafe));
}

/* The common wide and zero-width blocks (Unicode TR 11, combining marks). */
static size_t width_of(uint32_t c)
{
    static const struct range wide[] = {
        {0x1100, 0x115f},   {0x2e80, 0xa4cf},   {0xac00, 0xd7a3},   {0xf900, 0xfaff},
        {0xfe30, 0xfe6f},   {0xff00, 0xff60},   {0xffe0, 0xffe6},   {0x1f300, 0x1f64f},
        {0x1f680, 0x1f6ff}, {0x1f900, 0x1f9ff}, {0x20000, 0x3fffd},
    };
    static const struct range zero[] = {
        {0x300, 0x36f}, {0x200b, 0x200d}, {0x20d0, 0x20ff}, {0xfe00, 0xfe0f}};
    if (in_ranges(c, zero, SP_ARRAY_LEN(zero))) {
        return 0;
    }
    return in_ranges(c, wide, SP_ARRAY_LEN(wide)) ? 2 : 1;
}

/* Prints the first character of bytes; returns its length and adds its columns. */
static size_t print_char(const char *bytes, size_t len, struct sp_buf *out, size_t *columns)
{
    size_t n = sp_utf8_len(bytes, len);
    uint32_t c = decode(bytes, n);
    if (n == 1 && c == '\t') {
        sp_buf_str(out, "    ");
        *columns += TAB_COLUMNS;
    } else if (n == 0 || (n == 1 && is_unsafe(c))) {
        sp_buf_fmt(out, "\\x%02x", (unsigned)(unsigned char)*bytes);
        *columns += 4;
        n = 1;
    } else if (is_unsafe(c)) {
        sp_buf_fmt(out, "\\u%04x", (unsigned)c);
        *columns += 6;
    } else {
        sp_buf_add(out, bytes, n);
        *columns += width_of(c);
    }
    return n;
}

static void print_safe(const char *text, struct sp_buf *out)
{
    size_t len = strlen(text);
    size_t columns = 0;
    for (size_t i = 0; i < len;) {
        i += print_char(text + i, len - i, out, &columns);
    }
}

/* Finds line number (1-based); breaks are \n, \r\n and \r as YAML has them. */
static bool find_line(const char *text, size_t len, uint32_t line, const char **ret_start,
                      size_t *ret_len)
{
    const char *p = text;
    const char *end = text + len;
    for (uint32_t n = 1;; n++) {
        const char *stop = p;
        while (stop < end && *stop != '\n' && *stop != '\r') {
            stop++;
        }
        if (n == line) {
            *ret_start = p;
            *ret_len = (size_t)(stop - p);
            return true;
        }
        if (stop == end) {
            return false;
        }
        p = stop + (stop[0] == '\r' && stop + 1 < end && stop[1] == '\n' ? 2 : 1);
    }
}

/* The byte at which code point number col (1-based) begins, at most len. */
static size_t byte_of_column(const char *line, size_t len, uint32_t col)
{
    size_t i = 0;
    for (uint32_t c = 1; c < col && i < len; c++) {
        size_t n = sp_utf8_len(line + i, len - i);
        i += n ? n : 1;
    }
    return i;
}

/* Moves back from byte `at` by at most `most` characters. */
static size_t step_back(const char *line, size_t at, size_t most)
{
    while (at > 0 && most > 0) {
        at--;
        while (at > 0 && ((unsigned char)line[at] & 0xc0) == 0x80) {
            at--;
        }
        most--;
    }
    return at;
}

static void print_source(const char *line, size_t len, struct sp_pos pos, bool color,
                         struct sp_buf *out)
{
    if (len >= 3 && pos.line == 1 && memcmp(line, "\xef\xbb\xbf", 3) == 0) {
        line += 3; /* a byte order mark is no column */
        len -= 3;
    }
    size_t at = byte_of_column(line, len, pos.col ? pos.col : 1);
    size_t start = step_back(line, at, BEFORE_CARET);
    size_t columns = 0;
    sp_buf_fmt(out, "%5u | ", (unsigned)pos.line);
    if (start > 0) {
        sp_buf_str(out, "...");
        columns = 3;
    }
    size_t caret = columns;
    size_t i = start;
    while (i < len && columns < WINDOW) {
        if (i <= at) {
            caret = columns;
        }
        i += print_char(line + i, len - i, out, &columns);
    }
    if (at >= i) {
        caret = columns;
    }
    sp_buf_fmt(out, "%s\n      | %*s%s^%s\n", i < len ? "..." : "", (int)caret, "",
               color ? COLOR_GREEN : "", color ? COLOR_NONE : "");
}

void sp_problem_print(const struct sp_problem *problem, const char *file, const char *text,
                      size_t len, bool color, struct sp_buf *out)
{
    sp_buf_str(out, color ? COLOR_BOLD : "");
    print_safe(file, out);
    if (problem->pos.line) {
        sp_buf_fmt(out, ":%u:%u", (unsigned)problem->pos.line, (unsigned)problem->pos.col);
    }
    sp_buf_str(out, ":");
    sp_buf_str(out, color ? COLOR_NONE " " : " ");
    if (problem->pointer[0]) {
        print_safe(problem->pointer, out);
        sp_buf_str(out, ": ");
    }
    if (color) {
        sp_buf_str(out, problem->is_error ? COLOR_RED : COLOR_YELLOW);
    }
    sp_buf_str(out, problem->is_error ? "error:" : "warning:");
    sp_buf_str(out, color ? COLOR_NONE " " : " ");
    print_safe(problem->text, out);
    sp_buf_char(out, '\n');

    const char *line = NULL;
    size_t line_len = 0;
    if (text && problem->pos.line && find_line(text, len, problem->pos.line, &line, &line_len)) {
        print_source(line, line_len, problem->pos, color, out);
    }
}
