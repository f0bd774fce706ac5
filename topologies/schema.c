/* SPDX-License-Identifier: Apache-2.0 */
#include "topologies/schema.h"

#include <string.h>

#include "probe/base/buf.h"
#include "topologies/field.h"

struct writer {
    struct sp_buf *out;
    unsigned indent;
    bool is_first; /* of its object or array: no comma before it */
};

static void put_string(struct sp_buf *out, const char *text)
{
    sp_buf_char(out, '"');
    for (; *text; text++) {
        if (*text == '"' || *text == '\\') {
            sp_buf_char(out, '\\');
        }
        sp_buf_char(out, *text);
    }
    sp_buf_char(out, '"');
}

/* A new line for the next member or item. */
static void next(struct writer *w)
{
    sp_buf_fmt(w->out, "%s\n%*s", w->is_first ? "" : ",", (int)w->indent * 2, "");
    w->is_first = false;
}

static void open_with(struct writer *w, char bracket)
{
    sp_buf_char(w->out, bracket);
    w->indent++;
    w->is_first = true;
}

static void close_with(struct writer *w, char bracket)
{
    w->indent--;
    sp_buf_fmt(w->out, "\n%*s%c", (int)w->indent * 2, "", bracket);
    w->is_first = false;
}

static void key(struct writer *w, const char *name)
{
    next(w);
    put_string(w->out, name);
    sp_buf_str(w->out, ": ");
}

static void member(struct writer *w, const char *name, const char *value)
{
    key(w, name);
    put_string(w->out, value);
}

static void member_uint(struct writer *w, const char *name, uint64_t value)
{
    key(w, name);
    sp_buf_fmt(w->out, "%llu", (unsigned long long)value);
}

static void words(struct writer *w, const char *name, const char *const *values)
{
    key(w, name);
    for (const char *const *v = values; *v; v++) {
        sp_buf_str(w->out, v == values ? "[" : ", ");
        put_string(w->out, *v);
    }
    sp_buf_char(w->out, ']');
}

static void put_shape(struct writer *w, const struct sp_shape *shape, const char *help);

static void put_scalar(struct writer *w, const struct sp_shape *shape)
{
    static const char *const label_types[] = {"string", "number", "boolean", NULL};
    static const char *const duration_types[] = {"string", "integer", NULL};
    const struct sp_scalar_kind *kind = sp_scalar_kind(shape->kind);
    switch ((int)shape->kind) { /* the other scalars are plain strings */
    case SP_SHAPE_ENUM:
        words(w, "enum", shape->values);
        return;
    case SP_SHAPE_INT:
        member(w, "type", "integer");
        member_uint(w, "minimum", shape->min);
        member_uint(w, "maximum", shape->max);
        return;
    case SP_SHAPE_RATIO:
        member(w, "type", "number");
        member_uint(w, "minimum", 0);
        member_uint(w, "maximum", 1);
        return;
    case SP_SHAPE_FLAG:
        member(w, "type", "boolean");
        return;
    case SP_SHAPE_TEXT:
        member(w, "type", "string");
        member_uint(w, "minLength", 1);
        member_uint(w, "maxLength", 1000);
        return;
    case SP_SHAPE_LABEL_VALUE:
        words(w, "type", label_types);
        break;
    case SP_SHAPE_DURATION:
        words(w, "type", duration_types);
        member_uint(w, "minimum", 0);
        break;
    default:
        member(w, "type", "string");
        break;
    }
    member(w, "pattern", kind->pattern);
}

static void put_choice(struct writer *w, const struct sp_shape *shape)
{
    key(w, shape->exactly_one ? "oneOf" : "anyOf");
    open_with(w, '[');
    for (const char *const *c = shape->choice; *c; c++) {
        next(w);
        sp_buf_str(w->out, "{ \"required\": [");
        put_string(w->out, *c);
        sp_buf_str(w->out, "] }");
    }
    close_with(w, ']');
}

static void put_object(struct writer *w, const struct sp_shape *shape)
{
    member(w, "type", "object");
    key(w, "additionalProperties");
    sp_buf_str(w->out, "false");
    bool has_required = false;
    for (const struct sp_field *f = shape->fields; f->name; f++) {
        if (f->is_required) {
            if (!has_required) {
                key(w, "required");
            }
            sp_buf_str(w->out, has_required ? ", " : "[");
            put_string(w->out, f->name);
            has_required = true;
        }
    }
    sp_buf_str(w->out, has_required ? "]" : "");
    if (shape->choice) {
        put_choice(w, shape);
    }
    key(w, "properties");
    open_with(w, '{');
    for (const struct sp_field *f = shape->fields; f->name; f++) {
        key(w, f->name);
        put_shape(w, f->shape, f->help);
    }
    close_with(w, '}');
}

static void put_map(struct writer *w, const struct sp_shape *shape)
{
    member(w, "type", "object");
    member_uint(w, "minProperties", shape->min);
    member_uint(w, "maxProperties", shape->max);
    key(w, "propertyNames");
    put_shape(w, shape->key, NULL);
    key(w, "additionalProperties");
    put_shape(w, shape->item, NULL);
}

static void put_list(struct writer *w, const struct sp_shape *shape)
{
    member(w, "type", "array");
    member_uint(w, "minItems", shape->min);
    member_uint(w, "maxItems", shape->max);
    key(w, "items");
    put_shape(w, shape->item, NULL);
}

/* anyOf: the item, or the other shape (a list of items where there is none). */
static void put_alternatives(struct writer *w, const struct sp_shape *shape)
{
    key(w, "anyOf");
    open_with(w, '[');
    next(w);
    put_shape(w, shape->item, NULL);
    next(w);
    if (shape->other) {
        put_shape(w, shape->other, NULL);
    } else {
        open_with(w, '{');
        put_list(w, shape);
        close_with(w, '}');
    }
    close_with(w, ']');
}

static void put_shape(struct writer *w, const struct sp_shape *shape, const char *help)
{
    open_with(w, '{');
    if (help) {
        member(w, "description", help);
    }
    switch ((int)shape->kind) { /* every scalar goes to default */
    case SP_SHAPE_OBJECT:
        put_object(w, shape);
        break;
    case SP_SHAPE_MAP:
        put_map(w, shape);
        break;
    case SP_SHAPE_LIST:
        put_list(w, shape);
        break;
    case SP_SHAPE_ONE_OR_LIST:
    case SP_SHAPE_EITHER:
        put_alternatives(w, shape);
        break;
    default:
        put_scalar(w, shape);
        break;
    }
    close_with(w, '}');
}

void sp_topology_schema(struct sp_buf *out)
{
    struct writer w = {.out = out};
    open_with(&w, '{');
    member(&w, "$schema", "https://json-schema.org/draft/2020-12/schema");
    member(&w, "$id", "urn:segproof:topology:1");
    member(&w, "title", "segproof topology");
    member(&w, "description",
           "The declared segmentation of a network: segments, hosts, and what may cross");
    put_object(&w, &sp_topology_shape);
    close_with(&w, '}');
    sp_buf_char(out, '\n');
}
