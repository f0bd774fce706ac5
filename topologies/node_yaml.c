/* SPDX-License-Identifier: Apache-2.0
 *
 * YAML into the node tree through libyaml's events. libyaml accepts duplicate keys, anchors and
 * several documents without a word; here they are errors, because a firewall declaration must mean
 * what it seems to mean. Nothing is ever expanded, so alias bombs cost nothing. */
#include <string.h>
#include <yaml.h>

#include "topologies/loader.h"
#include "topologies/node.h"
#include "topologies/problem.h"

struct reader {
    struct sp_doc *doc;
    struct sp_problems *problems;
    struct sp_node *open[SP_TOPOLOGY_MAX_DEPTH];
    size_t depth;
    const char *key; /* read, its value comes next; NULL = none */
    struct sp_pos key_pos;
    bool is_merge; /* the key is << */
    size_t documents;
};

static struct sp_pos pos_of(const yaml_mark_t *mark)
{
    return (struct sp_pos){.line = (uint32_t)mark->line + 1, .col = (uint32_t)mark->column + 1};
}

static enum sp_rc refuse(struct reader *r, const yaml_event_t *event, const char *text)
{
    sp_problem_add(r->problems, true, pos_of(&event->start_mark), "", "%s", text);
    return SP_E_INVALID;
}

/* Errors about what a node carries; the tree is built all the same, so that the rest is checked. */
static void refuse_extras(struct reader *r, const yaml_event_t *event, const yaml_char_t *anchor,
                          const yaml_char_t *tag)
{
    if (anchor) {
        (void)refuse(r, event, "anchors (&name) are not supported: write the value out");
    }
    if (tag) {
        (void)refuse(r, event, "tags (!name) are not supported: write the plain value");
    }
}

static struct sp_node *parent_of(const struct reader *r)
{
    return r->depth ? r->open[r->depth - 1] : NULL;
}

/* Whether what comes next is a key. */
static bool wants_key(const struct reader *r)
{
    const struct sp_node *parent = parent_of(r);
    return parent && parent->kind == SP_NODE_MAPPING && !r->key;
}

static enum sp_rc attach(struct reader *r, const yaml_event_t *event, enum sp_node_kind kind,
                         struct sp_node **ret_node)
{
    if (wants_key(r)) {
        return refuse(r, event, "a key must be a plain word, not a list or a mapping");
    }
    if (r->doc->nnodes >= SP_DOC_MAX_NODES) {
        return refuse(r, event, "the file holds too many values (the limit is two million)");
    }
    struct sp_node *node = sp_doc_add(r->doc, parent_of(r), kind, pos_of(&event->start_mark));
    if (!node) {
        return SP_E_NOMEM;
    }
    node->key = r->key;
    node->key_pos = r->key_pos;
    node->is_bad = r->is_merge;
    r->is_merge = false;
    r->key = NULL;
    *ret_node = node;
    return SP_OK;
}

static enum sp_rc open_node(struct reader *r, const yaml_event_t *event, enum sp_node_kind kind)
{
    struct sp_node *node = NULL;
    if (r->depth >= SP_TOPOLOGY_MAX_DEPTH) {
        return refuse(r, event, "the file nests deeper than 32 levels");
    }
    enum sp_rc rc = attach(r, event, kind, &node);
    if (rc == SP_OK) {
        r->open[r->depth++] = node;
    }
    return rc;
}

static enum sp_rc read_key(struct reader *r, const yaml_event_t *event, const char *text)
{
    if (event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE && strcmp(text, "<<") == 0) {
        r->is_merge = true;
        (void)refuse(r, event, "merge keys (<<) are not supported: write the keys out");
    }
    r->key = text;
    r->key_pos = pos_of(&event->start_mark);
    return SP_OK;
}

static enum sp_rc read_scalar(struct reader *r, const yaml_event_t *event)
{
    const char *value = (const char *)event->data.scalar.value;
    size_t len = event->data.scalar.length;
    refuse_extras(r, event, event->data.scalar.anchor, event->data.scalar.tag);
    if (memchr(value, '\0', len)) {
        return refuse(r, event, "a NUL character is not allowed in a text");
    }
    const char *text = sp_doc_text(r->doc, value, len);
    if (!text) {
        return SP_E_NOMEM;
    }
    if (wants_key(r)) {
        return read_key(r, event, text);
    }
    struct sp_node *node = NULL;
    enum sp_rc rc = attach(r, event, SP_NODE_SCALAR, &node);
    if (rc == SP_OK) {
        node->text = text;
        node->style =
            event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE ? SP_STYLE_PLAIN : SP_STYLE_QUOTED;
    }
    return rc;
}

static enum sp_rc read_alias(struct reader *r, const yaml_event_t *event)
{
    (void)refuse(r, event, "aliases (*name) are not supported: write the value out");
    if (wants_key(r)) {
        return SP_E_INVALID;
    }
    struct sp_node *node = NULL;
    enum sp_rc rc = attach(r, event, SP_NODE_SCALAR, &node);
    if (rc == SP_OK) {
        node->is_bad = true;
    }
    return rc;
}

static enum sp_rc read_event(struct reader *r, const yaml_event_t *event)
{
    /* libyaml's enum also has events of which nothing is to be said. */
    switch ((int)event->type) {
    case YAML_DOCUMENT_START_EVENT:
        return r->documents++ ? refuse(r, event,
                                       "a second document begins here: one file holds "
                                       "one topology")
                              : SP_OK;
    case YAML_ALIAS_EVENT:
        return read_alias(r, event);
    case YAML_SCALAR_EVENT:
        return read_scalar(r, event);
    case YAML_SEQUENCE_START_EVENT:
        refuse_extras(r, event, event->data.sequence_start.anchor, event->data.sequence_start.tag);
        return open_node(r, event, SP_NODE_SEQUENCE);
    case YAML_MAPPING_START_EVENT:
        refuse_extras(r, event, event->data.mapping_start.anchor, event->data.mapping_start.tag);
        return open_node(r, event, SP_NODE_MAPPING);
    case YAML_SEQUENCE_END_EVENT:
    case YAML_MAPPING_END_EVENT:
        r->depth--;
        return SP_OK;
    default:
        return SP_OK;
    }
}

/* The reader's errors carry a byte offset instead of a mark. */
static struct sp_pos pos_at(const char *text, size_t len, size_t offset)
{
    struct sp_pos pos = {.line = 1, .col = 1};
    for (size_t i = 0; i < offset && i < len; i++) {
        if (text[i] == '\n') {
            pos.line++;
            pos.col = 1;
        } else if (((unsigned char)text[i] & 0xc0) != 0x80) {
            pos.col++;
        }
    }
    return pos;
}

static bool is_tab(const char *text, size_t len, const yaml_mark_t *mark)
{
    size_t line = 0, i = 0;
    for (; i < len && line < mark->line; i++) {
        line += text[i] == '\n';
    }
    /* Only indentation stands before it, so columns are bytes. */
    size_t column = 0;
    while (i < len && column < mark->column && text[i] == ' ') {
        i++;
        column++;
    }
    return i < len && column == mark->column && text[i] == '\t';
}

static enum sp_rc syntax_error(struct reader *r, const yaml_parser_t *parser, const char *text,
                               size_t len)
{
    if (parser->error == YAML_MEMORY_ERROR) {
        return SP_E_NOMEM;
    }
    const char *problem = parser->problem ? parser->problem : "cannot be read";
    if (parser->error == YAML_READER_ERROR) {
        sp_problem_add(r->problems, true, pos_at(text, len, parser->problem_offset), "",
                       "this is not YAML in UTF-8: %s", problem);
    } else if (parser->error == YAML_SCANNER_ERROR && is_tab(text, len, &parser->problem_mark)) {
        sp_problem_add(r->problems, true, pos_of(&parser->problem_mark), "",
                       "this is not YAML: a tab cannot indent, use spaces");
    } else if (parser->context) {
        sp_problem_add(r->problems, true, pos_of(&parser->problem_mark), "",
                       "this is not YAML: %s (%s, line %zu)", problem, parser->context,
                       parser->context_mark.line + 1);
    } else {
        sp_problem_add(r->problems, true, pos_of(&parser->problem_mark), "", "this is not YAML: %s",
                       problem);
    }
    return SP_E_INVALID;
}

enum sp_rc sp_doc_read_yaml(struct sp_doc *doc, const char *text, size_t len,
                            struct sp_problems *problems)
{
    struct reader r = {.doc = doc, .problems = problems};
    yaml_parser_t parser;
    if (!yaml_parser_initialize(&parser)) {
        return SP_E_NOMEM;
    }
    yaml_parser_set_encoding(&parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&parser, (const unsigned char *)text, len);
    enum sp_rc rc = SP_OK;
    for (bool more = true; more && rc == SP_OK;) {
        yaml_event_t event;
        if (!yaml_parser_parse(&parser, &event)) {
            rc = syntax_error(&r, &parser, text, len);
            break;
        }
        more = event.type != YAML_STREAM_END_EVENT;
        rc = read_event(&r, &event);
        yaml_event_delete(&event);
    }
    yaml_parser_delete(&parser);
    return rc;
}
