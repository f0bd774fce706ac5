/* SPDX-License-Identifier: Apache-2.0 */
#include "reports/jline.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "probe/base/str.h"

#define SP_JLINE_DEPTH 2U

struct parser {
    const char *bytes;
    size_t len, at;
    struct sp_jline *line;
    size_t used; /* of line->text */
    char outer[SP_JLINE_KEY_MAX + 1];
    const char *wrong;
};

static bool stop(struct parser *p, const char *wrong)
{
    p->wrong = p->wrong ? p->wrong : wrong;
    return false;
}

static bool take(struct parser *p, char c)
{
    if (p->at < p->len && p->bytes[p->at] == c) {
        p->at++;
        return true;
    }
    return false;
}

static bool take_word(struct parser *p, const char *word)
{
    size_t n = strlen(word);
    if (p->len - p->at >= n && memcmp(p->bytes + p->at, word, n) == 0) {
        p->at += n;
        return true;
    }
    return false;
}

static int hex_of(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* What follows a backslash: only what a string cannot hold otherwise. 0: nothing good. */
static char unescape(struct parser *p)
{
    static const char from[] = "\"\\bfnrt";
    static const char into[] = "\"\\\b\f\n\r\t";
    char c = p->at < p->len ? p->bytes[p->at++] : '\0';
    const char *found = c ? strchr(from, c) : NULL;
    if (found) {
        return into[found - from];
    }
    if (c != 'u' || p->len - p->at < 4 || memcmp(p->bytes + p->at, "00", 2) != 0) {
        return '\0';
    }
    int hi = hex_of(p->bytes[p->at + 2]);
    int lo = hex_of(p->bytes[p->at + 3]);
    p->at += 4;
    return hi < 0 || hi > 1 || lo < 0 ? '\0' : (char)(hi << 4 | lo);
}

/* A string behind its first quote, into the line's memory. */
static const char *take_string(struct parser *p)
{
    char *out = p->line->text + p->used;
    size_t n = 0;
    while (p->at < p->len && p->bytes[p->at] != '"') {
        size_t step = sp_utf8_len(p->bytes + p->at, p->len - p->at);
        unsigned char c = (unsigned char)p->bytes[p->at];
        if (step == 0 || c < 32 || c == 127) {
            (void)stop(p, "a byte that no string here can hold");
            return NULL;
        }
        if (c == '\\') {
            p->at++;
            out[n] = unescape(p);
            if (out[n++] == '\0') {
                (void)stop(p, "an escape that is never written");
                return NULL;
            }
            continue;
        }
        memcpy(out + n, p->bytes + p->at, step);
        n += step;
        p->at += step;
    }
    if (!take(p, '"')) {
        (void)stop(p, "a string does not end");
        return NULL;
    }
    out[n] = '\0';
    p->used += n + 1; /* never more than the line has: it lost two quotes */
    return out;
}

static bool take_number(struct parser *p, uint64_t *ret_number)
{
    char digits[24];
    size_t n = 0;
    while (p->at + n < p->len && p->bytes[p->at + n] >= '0' && p->bytes[p->at + n] <= '9') {
        n++;
    }
    if (n == 0 || n >= sizeof(digits)) {
        return stop(p, n == 0 ? "a value is expected here" : "a number is too large");
    }
    memcpy(digits, p->bytes + p->at, n);
    digits[n] = '\0';
    if (sp_parse_uint(digits, UINT64_MAX, ret_number) != SP_OK) {
        return stop(p, "a number is too large, or begins with 0");
    }
    p->at += n;
    return true;
}

static bool take_key(struct parser *p, char out[static SP_JLINE_KEY_MAX + 1])
{
    size_t n = 0;
    if (!take(p, '"')) {
        return stop(p, "the name of a field is expected here");
    }
    while (p->at < p->len && p->bytes[p->at] != '"') {
        char c = p->bytes[p->at++];
        bool good = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
        if (!good || n >= SP_JLINE_KEY_MAX) {
            return stop(p, "this is no name of a field");
        }
        out[n++] = c;
    }
    out[n] = '\0';
    return (n > 0 && take(p, '"') && take(p, ':')) || stop(p, "this is no name of a field");
}

static struct sp_jfield *find(struct sp_jline *line, const char *key)
{
    for (size_t i = 0; i < line->n; i++) {
        if (strcmp(line->fields[i].key, key) == 0) {
            return &line->fields[i];
        }
    }
    return NULL;
}

static bool take_object(struct parser *p, unsigned depth);

static bool take_field(struct parser *p, unsigned depth)
{
    char key[SP_JLINE_KEY_MAX + 1];
    struct sp_jline *line = p->line;
    if (!take_key(p, key)) {
        return false;
    }
    if (p->at < p->len && p->bytes[p->at] == '{') {
        if (depth + 1 >= SP_JLINE_DEPTH) {
            return stop(p, "objects lie too deep");
        }
        (void)snprintf(p->outer, sizeof(p->outer), "%s", key);
        bool good = take_object(p, depth + 1);
        p->outer[0] = '\0';
        return good;
    }
    if (line->n >= SP_JLINE_MAX_FIELDS) {
        return stop(p, "there are too many fields");
    }
    struct sp_jfield field = {.kind = SP_JSTRING};
    (void)snprintf(field.key, sizeof(field.key), "%s%s%s", p->outer, p->outer[0] ? "." : "", key);
    if (find(line, field.key)) {
        return stop(p, "this field stands here twice");
    }
    if (take(p, '"')) {
        field.text = take_string(p);
    } else if (take_word(p, "true") || take_word(p, "false")) {
        field.kind = SP_JBOOL;
        field.number = p->bytes[p->at - 2] == 'u'; /* tr-u-e, fal-s-e */
    } else {
        field.kind = SP_JNUMBER;
        (void)take_number(p, &field.number);
    }
    line->fields[line->n++] = field;
    return !p->wrong;
}

static bool take_object(struct parser *p, unsigned depth)
{
    if (!take(p, '{')) {
        return stop(p, "an object is expected here");
    }
    if (take(p, '}')) {
        return true;
    }
    do {
        if (!take_field(p, depth)) {
            return false;
        }
    } while (take(p, ','));
    return take(p, '}') || stop(p, "a comma or the end of an object is expected here");
}

enum sp_rc sp_jline_parse(struct sp_jline *line, const char *bytes, size_t len,
                          struct sp_diag *diag)
{
    struct parser p = {.bytes = bytes, .len = len, .line = line};
    line->n = 0;
    line->is_bad = false;
    if (len > SP_JLINE_MAX_BYTES) {
        return sp_fail(diag, SP_E_LIMIT, "", "the line is longer than %u bytes",
                       SP_JLINE_MAX_BYTES);
    }
    if (take_object(&p, 0) && p.at < p.len) {
        (void)stop(&p, "something follows the object");
    }
    return p.wrong ? sp_fail(diag, SP_E_INVALID, "", "is no JSON of a manifest: at byte %zu, %s",
                             p.at + 1, p.wrong)
                   : SP_OK;
}

/* ---- asking ---- */

void sp_jline_refuse(struct sp_jline *line, const char *key, const char *fmt, ...)
{
    char text[sizeof(line->diag.text)];
    va_list ap;
    if (line->is_bad) {
        return;
    }
    va_start(ap, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    line->is_bad = true;
    (void)sp_fail(&line->diag, SP_E_INVALID, key, "%s", text);
}

static struct sp_jfield *ask(struct sp_jline *line, const char *key, enum sp_jkind kind)
{
    static const char *const kinds[] = {"a string", "a number", "true or false"};
    struct sp_jfield *field = find(line, key);
    if (field) {
        field->is_used = true;
        if (field->kind != kind) {
            sp_jline_refuse(line, key, "must be %s", kinds[kind]);
            return NULL;
        }
    }
    return field;
}

bool sp_jline_has(struct sp_jline *line, const char *key)
{
    return find(line, key) != NULL;
}

const char *sp_jline_opt_str(struct sp_jline *line, const char *key)
{
    const struct sp_jfield *field = ask(line, key, SP_JSTRING);
    return field ? field->text : NULL;
}

const char *sp_jline_str(struct sp_jline *line, const char *key)
{
    const char *text = sp_jline_opt_str(line, key);
    if (!text) {
        sp_jline_refuse(line, key, "is missing");
    }
    return text ? text : "";
}

uint64_t sp_jline_num(struct sp_jline *line, const char *key, uint64_t max)
{
    const struct sp_jfield *field = ask(line, key, SP_JNUMBER);
    if (field && field->number > max) {
        sp_jline_refuse(line, key, "is above %llu", (unsigned long long)max);
        return 0;
    }
    return field ? field->number : 0;
}

bool sp_jline_bool(struct sp_jline *line, const char *key)
{
    const struct sp_jfield *field = ask(line, key, SP_JBOOL);
    return field && field->number != 0;
}

void sp_jline_end(struct sp_jline *line)
{
    for (size_t i = 0; i < line->n; i++) {
        if (!line->fields[i].is_used) {
            sp_jline_refuse(line, line->fields[i].key, "nobody knows this field");
            return;
        }
    }
}
