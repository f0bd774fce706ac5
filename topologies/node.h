/* SPDX-License-Identifier: Apache-2.0
 *
 * A parsed document: one tree for YAML (through libyaml's events) and JSON (RFC 8259), where every
 * value and every key knows its line and column. What the formats leave to the reader is decided
 * here: duplicate keys, anchors, aliases, merge keys, tags and further documents are errors; plain
 * scalars stay text until a field says what they are.
 *
 * The document owns all nodes and texts in one arena; nodes are valid until sp_doc_release. */
#ifndef SP_TOPOLOGIES_NODE_H
#define SP_TOPOLOGIES_NODE_H

#include "topologies/model.h"

#define SP_DOC_MAX_NODES    2000000U
#define SP_NODE_POINTER_LEN 512

enum sp_node_kind { SP_NODE_SCALAR, SP_NODE_SEQUENCE, SP_NODE_MAPPING };
enum sp_node_style {
    SP_STYLE_PLAIN,   /* YAML without quotes: the field decides what it is */
    SP_STYLE_QUOTED,  /* YAML in quotes or a block, a JSON string: always text */
    SP_STYLE_LITERAL, /* a JSON number, true, false, null: never text */
};

struct sp_node {
    uint8_t kind;   /* enum sp_node_kind */
    uint8_t style;  /* enum sp_node_style, of a scalar */
    bool is_bad;    /* an error was reported here: whoever comes later skips it in silence */
    uint32_t index; /* its place in its parent */
    uint32_t n;     /* children */
    struct sp_pos pos, key_pos;
    const char *key;  /* NULL unless a member of a mapping */
    const char *text; /* of a scalar, without NUL inside */
    struct sp_node *parent, *first, *last, *next;
};

struct sp_chunk;
struct sp_doc {
    struct sp_node *root; /* NULL for an empty document */
    struct sp_chunk *chunks;
    size_t nnodes;
};

/* Reads text into a tree. SP_OK: there is a tree, problems may hold errors all the same.
 * SP_E_INVALID: problems says why there is none. Release the document in every case. */
enum sp_rc sp_doc_parse(const char *text, size_t len, struct sp_doc *ret_doc,
                        struct sp_problems *problems) SP_MUST_CHECK;
void sp_doc_release(struct sp_doc *doc);

/* The member of a mapping, or NULL when it is missing or bad. */
const struct sp_node *sp_node_get(const struct sp_node *mapping, const char *key);
/* Whether the key is there at all, good or bad. */
bool sp_node_has(const struct sp_node *mapping, const char *key);
/* A scalar that means "no value" in YAML 1.2 core or JSON. */
bool sp_node_is_null(const struct sp_node *node);
/* The JSON pointer (RFC 6901); a very long one loses its beginning. */
const char *sp_node_pointer(const struct sp_node *node, char out[static SP_NODE_POINTER_LEN]);
/* Adds an error about a value, or about its key. */
void sp_node_error(struct sp_problems *problems, const struct sp_node *node, const char *fmt, ...)
    SP_PRINTF(3, 4);
void sp_node_key_error(struct sp_problems *problems, const struct sp_node *node, const char *fmt,
                       ...) SP_PRINTF(3, 4);

/* For the readers of the two formats. */
struct sp_node *sp_doc_add(struct sp_doc *doc, struct sp_node *parent, enum sp_node_kind kind,
                           struct sp_pos pos);
char *sp_doc_text(struct sp_doc *doc, const char *bytes, size_t len);
enum sp_rc sp_doc_read_yaml(struct sp_doc *doc, const char *text, size_t len,
                            struct sp_problems *problems) SP_MUST_CHECK;
enum sp_rc sp_doc_read_json(struct sp_doc *doc, const char *text, size_t len,
                            struct sp_problems *problems) SP_MUST_CHECK;

#endif
