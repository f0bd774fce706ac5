/* SPDX-License-Identifier: Apache-2.0
 *
 * JSON (RFC 8259) into the node tree, in one strict pass that knows line and column. A general JSON
 * library keeps no positions and is lenient where a declaration must be exact (duplicate keys,
 * leading zeros, raw control characters, lone surrogates, text after the end). */
#include <string.h>

#include "probe/base/str.h"
#include "topologies/loader.h"
#include "topologies/node.h"
#include "topologies/problem.h"

struct json {
    struct sp_doc *doc;
    struct sp_problems *problems;
    const char *p, *end;
    const char *mark; /* line and col describe this byte; moved on by pos_of() */
    uint32_t line, col;
    char *scratch; /* decoded text; as long as the input, carved from the arena once */
    size_t depth;
};

static struct sp_pos pos_of(struct json *j, const char *at)
{
    for (; j->mark < at; j->mark++) {
        bool is_break =
            *j->mark == '\n' || (*j->mark == '\r' && !(j->mark + 1 < j->end && j->mark[1] == '\n'));
        if (is_break) {
            j->line++;
            j->col = 1;
        } else if (((unsigned char)*j->mark & 0xc0) != 0x80) {
            j->col++;
        }
    }
    return (struct sp_pos){.line = j->line, .col = j->col};
}

static enum sp_rc refuse(struct json *j, const char *at, const char *text)
{
    sp_problem_add(j->problems, true, pos_of(j, at), "",
                   "this is not JSON (a file that begins with { or [ is read as JSON): %s", text);
    return SP_E_INVALID;
}

static void skip_space(struct json *j)
{
    while (j->p < j->end && (*j->p == ' ' || *j->p == '\t' || *j->p == '\n' || *j->p == '\r')) {
        j->p++;
    }
}

static bool accept(struct json *j, char c)
{
    if (j->p < j->end && *j->p == c) {
        j->p++;
        return true;
    }
    return false;
}

/* Four hexadecimal digits; -1 when they are not there. */
static int32_t hex4(const char *p, const char *end)
{
    int32_t v = 0;
    if (end - p < 4) {
        return -1;
    }
    for (int i = 0; i < 4; i++) {
        char c = p[i];
        int32_t digit = c >= '0' && c <= '9'   ? c - '0'
                        : c >= 'a' && c <= 'f' ? c - 'a' + 10
                        : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                               : -1;
        if (digit < 0) {
            return -1;
        }
        v = v << 4 | digit;
    }
    return v;
}

static size_t put_utf8(char *out, uint32_t c)
{
    if (c < 0x80) {
        out[0] = (char)c;
        return 1;
    }
    size_t n = c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    for (size_t i = n - 1; i > 0; i--) {
        out[i] = (char)(0x80 | (c & 0x3f));
        c >>= 6;
    }
    static const unsigned char lead[] = {0, 0, 0xc0, 0xe0, 0xf0};
    out[0] = (char)(lead[n] | c);
    return n;
}

/* \uXXXX with p behind the u; a surrogate needs its other half. */
static enum sp_rc read_unicode(struct json *j, char *out, size_t *n)
{
    const char *escape = j->p - 2;
    int32_t c = hex4(j->p, j->end);
    if (c < 0) {
        return refuse(j, escape, "\\u needs four hexadecimal digits");
    }
    j->p += 4;
    if (c >= 0xd800 && c <= 0xdbff && j->end - j->p >= 6 && j->p[0] == '\\' && j->p[1] == 'u') {
        int32_t low = hex4(j->p + 2, j->end);
        if (low >= 0xdc00 && low <= 0xdfff) {
            c = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
            j->p += 6;
        }
    }
    if (c == 0 || (c >= 0xd800 && c <= 0xdfff)) {
        return refuse(j, escape,
                      c == 0 ? "a NUL character is not allowed in a text"
                             : "half of a surrogate pair");
    }
    *n += put_utf8(out + *n, (uint32_t)c);
    return SP_OK;
}

static enum sp_rc read_escape(struct json *j, char *out, size_t *n)
{
    static const char from[] = "\"\\/bfnrt";
    static const char to[] = "\"\\/\b\f\n\r\t";
    char c = j->p < j->end ? *j->p : '\0';
    const char *found = c ? strchr(from, c) : NULL;
    if (found) {
        out[(*n)++] = to[found - from];
        j->p++;
        return SP_OK;
    }
    if (c != 'u') {
        return refuse(j, j->p - 1, "unknown escape in a text");
    }
    j->p++;
    return read_unicode(j, out, n);
}

/* A string with p behind the opening quote, copied into the arena. */
static enum sp_rc read_string(struct json *j, const char **ret_text)
{
    const char *open = j->p - 1;
    size_t n = 0;
    while (j->p < j->end && *j->p != '"') {
        if (*j->p == '\\') {
            j->p++;
            enum sp_rc rc = read_escape(j, j->scratch, &n);
            if (rc != SP_OK) {
                return rc;
            }
            continue;
        }
        size_t step = sp_utf8_len(j->p, (size_t)(j->end - j->p));
        if (step == 0) {
            return refuse(j, j->p, "a byte that is not UTF-8");
        }
        if ((unsigned char)*j->p < 0x20) {
            return refuse(j, j->p, "a raw control character in a text: is the closing \" missing?");
        }
        memcpy(j->scratch + n, j->p, step);
        n += step;
        j->p += step;
    }
    if (!accept(j, '"')) {
        return refuse(j, open, "the text that begins here has no closing \"");
    }
    *ret_text = sp_doc_text(j->doc, j->scratch, n);
    return *ret_text ? SP_OK : SP_E_NOMEM;
}

static size_t digits(struct json *j)
{
    const char *start = j->p;
    while (j->p < j->end && *j->p >= '0' && *j->p <= '9') {
        j->p++;
    }
    return (size_t)(j->p - start);
}

static bool number(struct json *j)
{
    (void)accept(j, '-');
    const char *first = j->p;
    size_t n = digits(j);
    if (n == 0 || (n > 1 && *first == '0')) {
        return false;
    }
    if (accept(j, '.') && digits(j) == 0) {
        return false;
    }
    if (accept(j, 'e') || accept(j, 'E')) {
        if (!accept(j, '+')) {
            (void)accept(j, '-');
        }
        return digits(j) > 0;
    }
    return true;
}

/* A number, true, false or null, kept as it was written. */
static enum sp_rc read_literal(struct json *j, const char **ret_text)
{
    static const char *const words[] = {"true", "false", "null"};
    const char *start = j->p;
    size_t left = (size_t)(j->end - start);
    for (size_t i = 0; i < SP_ARRAY_LEN(words); i++) {
        size_t n = strlen(words[i]);
        if (left >= n && memcmp(start, words[i], n) == 0) {
            j->p += n;
        }
    }
    if (j->p == start && !number(j)) {
        return refuse(j, start,
                      start == j->end ? "the file ends in the middle"
                                      : "a value was expected here");
    }
    *ret_text = sp_doc_text(j->doc, start, (size_t)(j->p - start));
    return *ret_text ? SP_OK : SP_E_NOMEM;
}

static enum sp_rc read_value(struct json *j, struct sp_node *parent, struct sp_node **ret_node);

static enum sp_rc read_member(struct json *j, struct sp_node *mapping)
{
    const char *key = NULL;
    skip_space(j);
    struct sp_pos key_pos = pos_of(j, j->p);
    if (!accept(j, '"')) {
        return refuse(j, j->p,
                      j->p == j->end ? "the file ends in the middle"
                                     : "a key in double quotes was expected here");
    }
    enum sp_rc rc = read_string(j, &key);
    if (rc != SP_OK) {
        return rc;
    }
    skip_space(j);
    if (!accept(j, ':')) {
        return refuse(j, j->p, "a ':' was expected here");
    }
    struct sp_node *value = NULL;
    rc = read_value(j, mapping, &value);
    if (rc == SP_OK) {
        value->key = key;
        value->key_pos = key_pos;
    }
    return rc;
}

/* The members of a list or an object, with p behind the opening bracket. */
static enum sp_rc read_children(struct json *j, struct sp_node *node)
{
    bool is_object = node->kind == SP_NODE_MAPPING;
    char close = is_object ? '}' : ']';
    if (++j->depth > SP_TOPOLOGY_MAX_DEPTH) {
        return refuse(j, j->p - 1, "the file nests deeper than 32 levels");
    }
    skip_space(j);
    if (!accept(j, close)) {
        do {
            struct sp_node *child = NULL;
            enum sp_rc rc = is_object ? read_member(j, node) : read_value(j, node, &child);
            if (rc != SP_OK) {
                return rc;
            }
            skip_space(j);
        } while (accept(j, ','));
        if (!accept(j, close)) {
            return refuse(j, j->p,
                          j->p == j->end ? "the file ends in the middle"
                          : is_object    ? "a ',' or the closing } was expected here"
                                         : "a ',' or the closing ] was expected here");
        }
    }
    j->depth--;
    return SP_OK;
}

static enum sp_rc read_value(struct json *j, struct sp_node *parent, struct sp_node **ret_node)
{
    skip_space(j);
    enum sp_node_kind kind = j->p == j->end ? SP_NODE_SCALAR
                             : *j->p == '{' ? SP_NODE_MAPPING
                             : *j->p == '[' ? SP_NODE_SEQUENCE
                                            : SP_NODE_SCALAR;
    if (j->doc->nnodes >= SP_DOC_MAX_NODES) {
        return refuse(j, j->p, "the file holds too many values (the limit is two million)");
    }
    struct sp_node *node = sp_doc_add(j->doc, parent, kind, pos_of(j, j->p));
    if (!node) {
        return SP_E_NOMEM;
    }
    *ret_node = node;
    if (kind != SP_NODE_SCALAR) {
        j->p++;
        return read_children(j, node);
    }
    if (accept(j, '"')) {
        node->style = SP_STYLE_QUOTED;
        return read_string(j, &node->text);
    }
    node->style = SP_STYLE_LITERAL;
    return read_literal(j, &node->text);
}

enum sp_rc sp_doc_read_json(struct sp_doc *doc, const char *text, size_t len,
                            struct sp_problems *problems)
{
    struct json j = {.doc = doc, .problems = problems, .p = text, .end = text + len};
    j.mark = text;
    j.line = j.col = 1;
    j.scratch = sp_doc_text(doc, text, len);
    if (!j.scratch) {
        return SP_E_NOMEM;
    }
    struct sp_node *root = NULL;
    enum sp_rc rc = read_value(&j, NULL, &root);
    if (rc == SP_OK) {
        skip_space(&j);
        if (j.p != j.end) {
            rc = refuse(&j, j.p, "there is text after the end of the document");
        }
    }
    return rc;
}
