/* SPDX-License-Identifier: Apache-2.0 */
#include "topologies/node.h"

#include <stdlib.h>
#include <string.h>

#include "probe/base/mem.h"
#include "topologies/problem.h"

#define CHUNK_BYTES (64U << 10)
#define FEW_KEYS    8U

struct sp_chunk {
    struct sp_chunk *next;
    size_t used, size;
    uint64_t space[]; /* uint64_t: aligned for nodes */
};

static void *take(struct sp_doc *doc, size_t bytes)
{
    size_t need = (bytes + 7) & ~(size_t)7;
    struct sp_chunk *chunk = doc->chunks;
    if (!chunk || chunk->size - chunk->used < need) {
        size_t size = need > CHUNK_BYTES / 4 ? need : CHUNK_BYTES;
        struct sp_chunk *fresh = sp_calloc(1, sizeof(*fresh) + size);
        if (!fresh) {
            return NULL;
        }
        fresh->size = size;
        if (chunk && size != CHUNK_BYTES) { /* a big text: the open chunk stays in use */
            fresh->next = chunk->next;
            chunk->next = fresh;
        } else {
            fresh->next = chunk;
            doc->chunks = fresh;
        }
        chunk = fresh;
    }
    void *p = (char *)chunk->space + chunk->used;
    chunk->used += need;
    return p;
}

char *sp_doc_text(struct sp_doc *doc, const char *bytes, size_t len)
{
    char *copy = take(doc, len + 1);
    if (copy) {
        memcpy(copy, bytes, len);
        copy[len] = '\0';
    }
    return copy;
}

struct sp_node *sp_doc_add(struct sp_doc *doc, struct sp_node *parent, enum sp_node_kind kind,
                           struct sp_pos pos)
{
    struct sp_node *node = take(doc, sizeof(*node));
    if (!node) {
        return NULL;
    }
    *node = (struct sp_node){.kind = (uint8_t)kind, .pos = pos, .parent = parent, .text = ""};
    doc->nnodes++;
    if (!parent) {
        doc->root = node;
        return node;
    }
    node->index = parent->n++;
    if (parent->last) {
        parent->last->next = node;
    } else {
        parent->first = node;
    }
    parent->last = node;
    return node;
}

void sp_doc_release(struct sp_doc *doc)
{
    while (doc->chunks) {
        struct sp_chunk *next = doc->chunks->next;
        sp_free(doc->chunks);
        doc->chunks = next;
    }
    *doc = (struct sp_doc){0};
}

static const struct sp_node *member(const struct sp_node *mapping, const char *key)
{
    if (mapping->kind == SP_NODE_MAPPING) {
        for (const struct sp_node *m = mapping->first; m; m = m->next) {
            if (strcmp(m->key, key) == 0) {
                return m;
            }
        }
    }
    return NULL;
}

const struct sp_node *sp_node_get(const struct sp_node *mapping, const char *key)
{
    const struct sp_node *found = member(mapping, key);
    return found && !found->is_bad ? found : NULL;
}

bool sp_node_has(const struct sp_node *mapping, const char *key)
{
    return member(mapping, key) != NULL;
}

bool sp_node_is_null(const struct sp_node *node)
{
    static const char *const nulls[] = {"", "~", "null", "Null", "NULL"};
    if (node->kind != SP_NODE_SCALAR || node->style == SP_STYLE_QUOTED) {
        return false;
    }
    for (size_t i = 0; i < SP_ARRAY_LEN(nulls); i++) {
        if (strcmp(node->text, nulls[i]) == 0) {
            return true;
        }
    }
    return false;
}

/* Puts one step of a pointer in front of what is there; false when it does not fit. */
static bool put_step(char *out, size_t *start, const char *step)
{
    size_t at = *start;
    for (size_t i = strlen(step); i > 0; i--) {
        char c = step[i - 1];
        bool escape = c == '~' || c == '/';
        if (at < (escape ? 3U : 2U)) {
            return false;
        }
        out[--at] = c == '~' ? '0' : c == '/' ? '1' : c;
        if (escape) {
            out[--at] = '~';
        }
    }
    if (at < 1) {
        return false;
    }
    out[--at] = '/';
    *start = at;
    return true;
}

static const char *digits_of(uint32_t v, char out[static 12])
{
    size_t at = 11;
    out[at] = '\0';
    do {
        out[--at] = (char)('0' + v % 10);
        v /= 10;
    } while (v);
    return out + at;
}

const char *sp_node_pointer(const struct sp_node *node, char out[static SP_NODE_POINTER_LEN])
{
    char number[12];
    size_t start = SP_NODE_POINTER_LEN - 1;
    out[start] = '\0';
    for (; node->parent; node = node->parent) {
        if (!put_step(out, &start, node->key ? node->key : digits_of(node->index, number))) {
            break;
        }
    }
    return out + start;
}

void sp_node_error(struct sp_problems *problems, const struct sp_node *node, const char *fmt, ...)
{
    char pointer[SP_NODE_POINTER_LEN];
    va_list ap;
    va_start(ap, fmt);
    sp_problem_addv(problems, true, node->pos, sp_node_pointer(node, pointer), fmt, ap);
    va_end(ap);
}

void sp_node_key_error(struct sp_problems *problems, const struct sp_node *node, const char *fmt,
                       ...)
{
    char pointer[SP_NODE_POINTER_LEN];
    va_list ap;
    va_start(ap, fmt);
    sp_problem_addv(problems, true, node->key ? node->key_pos : node->pos,
                    sp_node_pointer(node, pointer), fmt, ap);
    va_end(ap);
}

static int by_key(const void *a, const void *b)
{
    const struct sp_node *x = *(struct sp_node *const *)a;
    const struct sp_node *y = *(struct sp_node *const *)b;
    int order = strcmp(x->key, y->key);
    return order ? order : x->index < y->index ? -1 : x->index > y->index;
}

static void duplicate(struct sp_problems *problems, const struct sp_node *first,
                      struct sp_node *again)
{
    char quoted[SP_QUOTE_LEN];
    again->is_bad = true;
    sp_node_key_error(problems, again, "the key %s was already given on line %u",
                      sp_quote(again->key, quoted), (unsigned)first->key_pos.line);
}

static enum sp_rc refuse_duplicates_in(const struct sp_node *mapping, struct sp_problems *problems)
{
    if (mapping->n <= FEW_KEYS) {
        for (struct sp_node *m = mapping->first; m; m = m->next) {
            const struct sp_node *o = mapping->first;
            while (o != m && strcmp(o->key, m->key) != 0) {
                o = o->next;
            }
            if (o != m) {
                duplicate(problems, o, m);
            }
        }
        return SP_OK;
    }
    struct sp_node **sorted = sp_calloc(mapping->n, sizeof(struct sp_node *));
    if (!sorted) {
        return SP_E_NOMEM;
    }
    size_t n = 0;
    for (struct sp_node *m = mapping->first; m; m = m->next) {
        sorted[n++] = m;
    }
    qsort(sorted, n, sizeof(struct sp_node *), by_key);
    for (size_t i = 1, first = 0; i < n; i++) {
        if (strcmp(sorted[i]->key, sorted[first]->key) == 0) {
            duplicate(problems, sorted[first], sorted[i]);
        } else {
            first = i;
        }
    }
    sp_free(sorted);
    return SP_OK;
}

/* Depth is bounded by SP_TOPOLOGY_MAX_DEPTH, so recursion is safe. */
static enum sp_rc refuse_duplicates(const struct sp_node *node, struct sp_problems *problems)
{
    enum sp_rc rc = SP_OK;
    if (node->kind == SP_NODE_MAPPING) {
        rc = refuse_duplicates_in(node, problems);
    }
    for (const struct sp_node *c = node->first; c && rc == SP_OK; c = c->next) {
        rc = refuse_duplicates(c, problems);
    }
    return rc;
}

enum sp_rc sp_doc_parse(const char *text, size_t len, struct sp_doc *ret_doc,
                        struct sp_problems *problems)
{
    *ret_doc = (struct sp_doc){0};
    if (len >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0) { /* a byte order mark says nothing */
        text += 3;
        len -= 3;
    }
    size_t i = 0;
    while (i < len && strchr(" \t\r\n", text[i]) && text[i]) {
        i++;
    }
    bool is_json = i < len && (text[i] == '{' || text[i] == '[');
    enum sp_rc rc = is_json ? sp_doc_read_json(ret_doc, text, len, problems)
                            : sp_doc_read_yaml(ret_doc, text, len, problems);
    if (rc == SP_OK && ret_doc->root) {
        rc = refuse_duplicates(ret_doc->root, problems);
    }
    return rc == SP_OK && problems->rc != SP_OK ? problems->rc : rc;
}
