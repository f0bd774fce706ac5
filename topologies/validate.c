/* SPDX-License-Identifier: Apache-2.0
 *
 * Holds a tree against the table of field.h and reports every deviation at once. What is wrong is
 * marked bad, so that later stages skip it without a second message. */
#include <stdio.h>
#include <string.h>

#include "topologies/field.h"
#include "topologies/problem.h"

static const char *kind_word(const struct sp_node *node)
{
    return node->kind == SP_NODE_MAPPING    ? "a mapping"
           : node->kind == SP_NODE_SEQUENCE ? "a list"
           : sp_node_is_null(node)          ? "nothing"
                                            : "a single value";
}

static const char *shape_word(const struct sp_shape *shape)
{
    if (shape->what) {
        return shape->what;
    }
    switch ((int)shape->kind) { /* every scalar goes to default */
    case SP_SHAPE_OBJECT:
    case SP_SHAPE_MAP:
        return "a mapping (key: value)";
    case SP_SHAPE_LIST:
        return "a list";
    case SP_SHAPE_ONE_OR_LIST:
        return shape_word(shape->item);
    case SP_SHAPE_EITHER:
        return "something else";
    default:
        return sp_scalar_kind(shape->kind)->what;
    }
}

static void wrong_kind(const struct sp_shape *shape, struct sp_node *node,
                       struct sp_problems *problems)
{
    node->is_bad = true;
    if (sp_node_is_null(node)) {
        sp_node_error(problems, node, "there is no value here: write %s, or leave the key out",
                      shape_word(shape));
    } else {
        sp_node_error(problems, node, "this is %s, but must be %s%s", kind_word(node),
                      shape_word(shape),
                      shape->kind == SP_SHAPE_ONE_OR_LIST ? ", or a list of such" : "");
    }
}

static bool is_number(const struct sp_shape *shape)
{
    return shape->kind == SP_SHAPE_INT || shape->kind == SP_SHAPE_RATIO;
}

/* Whether the way it is written fits: a number must not be quoted, JSON's 5 and true are no text.
 */
static bool style_fits(const struct sp_shape *shape, const struct sp_node *node)
{
    if (is_number(shape) || shape->kind == SP_SHAPE_FLAG) {
        return node->style != SP_STYLE_QUOTED;
    }
    return node->style != SP_STYLE_LITERAL || shape->kind == SP_SHAPE_LABEL_VALUE ||
           shape->kind == SP_SHAPE_DURATION;
}

static void validate_scalar(const struct sp_shape *shape, struct sp_node *node,
                            struct sp_problems *problems)
{
    struct sp_diag why = {0};
    char quoted[SP_QUOTE_LEN];
    if (node->kind != SP_NODE_SCALAR || sp_node_is_null(node)) {
        wrong_kind(shape, node, problems);
        return;
    }
    if (!style_fits(shape, node)) {
        node->is_bad = true;
        sp_node_error(problems, node,
                      is_number(shape) ? "%s is a text, but must be a number: remove the quotes"
                      : shape->kind == SP_SHAPE_FLAG
                          ? "%s is a text, but must be true or false: remove the quotes"
                          : "%s is not a text: put it in double quotes",
                      sp_quote(node->text, quoted));
        return;
    }
    if (sp_scalar_kind(shape->kind)->is_valid(shape, node->text, &why)) {
        return;
    }
    node->is_bad = true;
    if (why.text[0] && why.where[0]) {
        sp_node_error(problems, node, "%s", why.text);
    } else if (why.text[0]) {
        sp_node_error(problems, node, "%s %s", sp_quote(node->text, quoted), why.text);
    } else {
        sp_node_error(problems, node, "%s is not %s", sp_quote(node->text, quoted),
                      shape_word(shape));
    }
}

static void unknown_key(const struct sp_shape *shape, const struct sp_node *member,
                        struct sp_problems *problems)
{
    char quoted[SP_QUOTE_LEN];
    char hint[SP_SUGGEST_LEN];
    struct sp_suggest suggest;
    sp_suggest_init(&suggest, member->key);
    bool is_listed = problems->nerrors < SP_PROBLEMS_MAX; /* else nobody will read it */
    for (const struct sp_field *f = shape->fields; is_listed && f->name; f++) {
        sp_suggest_try(&suggest, f->name);
    }
    sp_node_key_error(problems, member, "the key %s is unknown here%s",
                      sp_quote(member->key, quoted), sp_suggest_str(&suggest, hint));
}

static void validate_choice(const struct sp_shape *shape, struct sp_node *node,
                            struct sp_problems *problems)
{
    size_t have = 0;
    char list[96] = "";
    size_t n = 0;
    for (const char *const *c = shape->choice; *c; c++) {
        have += sp_node_has(node, *c);
        int added = snprintf(list + n, sizeof(list) - n, "%s`%s`",
                             c == shape->choice ? ""
                             : c[1]             ? ", "
                                                : " or ",
                             *c);
        n += added > 0 && (size_t)added < sizeof(list) - n ? (size_t)added : 0;
    }
    if (have == 0 || (shape->exactly_one && have > 1)) {
        node->is_bad = true;
        sp_node_error(problems, node, "%s of the keys %s is needed here",
                      shape->exactly_one ? "exactly one" : "at least one", list);
    }
}

static void validate_object(const struct sp_shape *shape, struct sp_node *node,
                            struct sp_problems *problems)
{
    for (struct sp_node *m = node->first; m; m = m->next) {
        const struct sp_field *f = shape->fields;
        while (f->name && strcmp(f->name, m->key) != 0) {
            f++;
        }
        if (f->name) {
            sp_validate(f->shape, m, problems);
        } else {
            unknown_key(shape, m, problems);
        }
    }
    for (const struct sp_field *f = shape->fields; f->name; f++) {
        if (f->is_required && !sp_node_has(node, f->name)) {
            sp_node_key_error(problems, node, "the key '%s' is missing (%s)", f->name, f->help);
        }
    }
    if (shape->choice) {
        validate_choice(shape, node, problems);
    }
}

static void validate_map(const struct sp_shape *shape, struct sp_node *node,
                         struct sp_problems *problems)
{
    const struct sp_scalar_kind *key = sp_scalar_kind(shape->key->kind);
    char quoted[SP_QUOTE_LEN];
    for (struct sp_node *m = node->first; m; m = m->next) {
        struct sp_diag why = {0};
        bool is_bad = !m->is_bad && !key->is_valid(shape->key, m->key, &why);
        if (is_bad) {
            sp_node_key_error(problems, m, why.text[0] ? "%s %s" : "%s is not %s",
                              sp_quote(m->key, quoted), why.text[0] ? why.text : key->what);
        }
        sp_validate(shape->item, m, problems);
        m->is_bad = m->is_bad || is_bad;
    }
}

static void validate_members(const struct sp_shape *shape, struct sp_node *node,
                             struct sp_problems *problems)
{
    if (shape->kind == SP_SHAPE_MAP) {
        validate_map(shape, node, problems);
    } else {
        for (struct sp_node *c = node->first; c; c = c->next) {
            sp_validate(shape->item, c, problems);
        }
    }
    const char *noun = shape->kind == SP_SHAPE_MAP ? "entries" : "items";
    if (node->n >= shape->min && node->n <= shape->max) {
        return;
    }
    node->is_bad = true;
    if (shape->what) {
        sp_node_error(problems, node, "there are %u %s here, but this must be %s",
                      (unsigned)node->n, noun, shape->what);
    } else if (node->n < shape->min) {
        sp_node_error(problems, node, "there are %u %s here, but at least %u must be given",
                      (unsigned)node->n, noun, (unsigned)shape->min);
    } else {
        sp_node_error(problems, node, "there are %u %s here, but at most %u are allowed",
                      (unsigned)node->n, noun, (unsigned)shape->max);
    }
}

void sp_validate(const struct sp_shape *shape, struct sp_node *node, struct sp_problems *problems)
{
    if (node->is_bad) { /* a duplicate, an alias: said when it was read */
        return;
    }
    switch ((int)shape->kind) { /* every scalar goes to default */
    case SP_SHAPE_OBJECT:
        if (node->kind == SP_NODE_MAPPING) {
            validate_object(shape, node, problems);
        } else {
            wrong_kind(shape, node, problems);
        }
        break;
    case SP_SHAPE_MAP:
    case SP_SHAPE_LIST:
        if (node->kind == (shape->kind == SP_SHAPE_MAP ? SP_NODE_MAPPING : SP_NODE_SEQUENCE)) {
            validate_members(shape, node, problems);
        } else {
            wrong_kind(shape, node, problems);
        }
        break;
    case SP_SHAPE_ONE_OR_LIST:
        if (node->kind == SP_NODE_SEQUENCE) {
            validate_members(shape, node, problems);
        } else if (node->kind == SP_NODE_SCALAR && !sp_node_is_null(node)) {
            sp_validate(shape->item, node, problems);
        } else {
            wrong_kind(shape, node, problems);
        }
        break;
    case SP_SHAPE_EITHER:
        /* `other` is the object of the two. */
        if (node->kind == SP_NODE_MAPPING) {
            sp_validate(shape->other, node, problems);
        } else if (sp_node_is_null(node) ||
                   (node->kind == SP_NODE_SEQUENCE && shape->item->kind != SP_SHAPE_ONE_OR_LIST)) {
            wrong_kind(shape, node, problems);
        } else {
            sp_validate(shape->item, node, problems);
        }
        break;
    default:
        validate_scalar(shape, node, problems);
        break;
    }
}
