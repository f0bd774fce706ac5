/* SPDX-License-Identifier: Apache-2.0
 *
 * `use`: which presets a topology uses, with those that they build on, and which hosts have the
 * roles in them. A role means the same in all presets, so it is mapped once for all of them. */
#include <string.h>

#include "probe/base/mem.h"
#include "topologies/build.h"
#include "topologies/preset.h"
#include "topologies/problem.h"

/* More than there can be: one for each preset of this build. */
static struct sp_use *find_use(const struct sp_uses *uses, const char *name)
{
    for (size_t i = 0; i < uses->n; i++) {
        if (strcmp(uses->at[i].preset->name, name) == 0) {
            return &uses->at[i];
        }
    }
    return NULL;
}

static void unknown_preset(struct sp_build *b, const struct sp_node *node)
{
    char quoted[SP_QUOTE_LEN];
    char hint[SP_SUGGEST_LEN];
    struct sp_suggest suggest;
    sp_suggest_init(&suggest, node->text);
    for (size_t i = 0; i < sp_preset_count(); i++) {
        sp_suggest_try(&suggest, sp_preset_name_at(i));
    }
    sp_node_error(b->problems, node, "there is no preset %s%s%s", sp_quote(node->text, quoted),
                  sp_suggest_str(&suggest, hint),
                  suggest.best ? "" : ": `segproof check --presets` lists them");
}

/* Adds a preset and, before it, what it builds on. like: where it is named. */
static void add_use(struct sp_build *b, const char *name, const struct sp_use *like, bool is_named)
{
    struct sp_uses *uses = b->model->uses;
    struct sp_preset *preset = NULL;
    if (find_use(uses, name) || b->rc != SP_OK) {
        return;
    }
    b->rc = sp_preset_new(name, &preset);
    if (b->rc != SP_OK) {
        return;
    }
    for (const struct sp_node *i = preset->with ? sp_build_first(preset->with) : NULL; i;
         i = sp_build_next(preset->with, i)) {
        add_use(b, i->text, like, false);
    }
    struct sp_use_flow *flows = sp_build_array(b, preset->nflows, sizeof(*flows));
    if (!flows || uses->n >= sp_preset_count()) {
        sp_free(flows);
        sp_preset_free(preset);
        return;
    }
    uses->at[uses->n++] = (struct sp_use){.pos = like->pos,
                                          .index = like->index,
                                          .is_named = is_named,
                                          .preset = preset,
                                          .flows = flows};
}

/* The preset's name in an item of `use`, or NULL after an error. */
static const struct sp_node *name_of(const struct sp_node *item)
{
    return item->kind == SP_NODE_MAPPING ? sp_node_get(item, "preset") : item;
}

static void add_item(struct sp_build *b, const struct sp_node *item)
{
    const struct sp_node *name = name_of(item);
    size_t len = 0;
    if (!name) {
        return;
    }
    if (!sp_preset_text(name->text, &len)) {
        unknown_preset(b, name);
        return;
    }
    struct sp_use *known = find_use(b->model->uses, name->text);
    if (known && known->is_named) {
        char quoted[SP_QUOTE_LEN];
        sp_node_error(b->problems, name, "the preset %s is already used on line %u",
                      sp_quote(name->text, quoted), (unsigned)known->pos.line);
        return;
    }
    struct sp_use like = {.pos = name->pos, .index = item->index};
    if (known) { /* another preset builds on it, and now it is named as well */
        known->pos = like.pos;
        known->index = like.index;
        known->is_named = true;
        return;
    }
    add_use(b, name->text, &like, true);
}

/* ------------------------------------------------------------------ roles */

static struct sp_use_role *find_role(struct sp_uses *uses, const char *name)
{
    for (size_t i = 0; i < uses->nroles; i++) {
        if (strcmp(uses->roles[i].name, name) == 0) {
            return &uses->roles[i];
        }
    }
    return NULL;
}

/* Every role of every preset, once. */
static void collect_roles(struct sp_build *b)
{
    struct sp_uses *uses = b->model->uses;
    size_t n = 0;
    for (size_t i = 0; i < uses->n; i++) {
        n += uses->at[i].preset->nroles;
    }
    uses->roles = sp_build_array(b, n, sizeof(*uses->roles));
    for (size_t i = 0; uses->roles && i < uses->n; i++) {
        const struct sp_preset *preset = uses->at[i].preset;
        for (size_t r = 0; r < preset->nroles && b->rc == SP_OK; r++) {
            if (!find_role(uses, preset->roles[r].name)) {
                struct sp_use_role *role = &uses->roles[uses->nroles++];
                role->name = preset->roles[r].name;
                b->rc = sp_bits_init(&role->targets, sp_model_ntargets(b->model));
            }
        }
    }
}

static void map_role(struct sp_build *b, const struct sp_node *node)
{
    struct sp_uses *uses = b->model->uses;
    struct sp_use_role *role = find_role(uses, node->key);
    char quoted[SP_QUOTE_LEN];
    if (!role) {
        char hint[SP_SUGGEST_LEN];
        struct sp_suggest suggest;
        sp_suggest_init(&suggest, node->key);
        for (size_t i = 0; i < uses->nroles; i++) {
            sp_suggest_try(&suggest, uses->roles[i].name);
        }
        sp_node_key_error(b->problems, node, "no preset used here has a role %s%s",
                          sp_quote(node->key, quoted), sp_suggest_str(&suggest, hint));
        return;
    }
    if (role->is_mapped) {
        sp_node_key_error(b->problems, node,
                          "the role %s is mapped twice: it means the same in all presets, so map "
                          "it once",
                          sp_quote(node->key, quoted));
        return;
    }
    struct sp_bits targets;
    if (sp_build_select(b, node, &targets)) {
        sp_bits_release(&role->targets);
        role->targets = targets;
    }
    role->is_mapped = true;
}

static bool has_word(const struct sp_host *host, const char *word)
{
    if (host->role && strcmp(host->role, word) == 0) {
        return true;
    }
    for (size_t i = 0; i < host->nlabels; i++) {
        const struct sp_label *label = &host->labels[i];
        if (label->key && label->value && strcmp(label->key, "role") == 0 &&
            strcmp(label->value, word) == 0) {
            return true;
        }
    }
    return false;
}

/* Hosts whose role or label says so. */
static void fill_role(struct sp_build *b, const struct sp_preset_role *preset_role)
{
    struct sp_use_role *role = find_role(b->model->uses, preset_role->name);
    if (!role || role->is_mapped) {
        return;
    }
    for (size_t h = 0; h < b->model->nhosts; h++) {
        for (const struct sp_node *i = sp_build_first(preset_role->hosts); i;
             i = sp_build_next(preset_role->hosts, i)) {
            if (has_word(&b->model->hosts[h], i->text)) {
                sp_bits_set(&role->targets, h);
            }
        }
    }
}

/* Where nobody has a role, those of another one may stand in. */
static void fill_else(struct sp_build *b, const struct sp_preset_role *preset_role)
{
    struct sp_use_role *role = find_role(b->model->uses, preset_role->name);
    const struct sp_use_role *other =
        preset_role->or_else ? find_role(b->model->uses, preset_role->or_else) : NULL;
    if (!role || !other || role->is_mapped || sp_bits_count(&role->targets) > 0 ||
        sp_bits_count(&other->targets) == 0) {
        return;
    }
    role->stand_in = other->name;
    for (size_t t = 0; t < other->targets.nbits; t++) {
        if (sp_bits_get(&other->targets, t)) {
            sp_bits_set(&role->targets, t);
        }
    }
}

static void each_role(struct sp_build *b,
                      void (*fn)(struct sp_build *, const struct sp_preset_role *))
{
    const struct sp_uses *uses = b->model->uses;
    for (size_t i = 0; i < uses->n; i++) {
        for (size_t r = 0; r < uses->at[i].preset->nroles; r++) {
            fn(b, &uses->at[i].preset->roles[r]);
        }
    }
}

/* ------------------------------------------------------------------ without */

bool sp_build_without(const struct sp_build *b, const char *flow)
{
    const struct sp_node *use = sp_node_get(b->root, "use");
    for (const struct sp_node *i = sp_build_first(use); i; i = sp_build_next(use, i)) {
        const struct sp_node *without =
            i->kind == SP_NODE_MAPPING ? sp_node_get(i, "without") : NULL;
        for (const struct sp_node *w = sp_build_first(without); w; w = sp_build_next(without, w)) {
            if (strcmp(w->text, flow) == 0) {
                return true;
            }
        }
    }
    return false;
}

static void check_without(struct sp_build *b, const struct sp_node *without)
{
    const struct sp_uses *uses = b->model->uses;
    for (const struct sp_node *w = sp_build_first(without); w; w = sp_build_next(without, w)) {
        char quoted[SP_QUOTE_LEN];
        char hint[SP_SUGGEST_LEN];
        struct sp_suggest suggest;
        bool found = false;
        sp_suggest_init(&suggest, w->text);
        for (size_t i = 0; i < uses->n; i++) {
            for (size_t f = 0; f < uses->at[i].preset->nflows; f++) {
                found = found || strcmp(uses->at[i].preset->flows[f].name, w->text) == 0;
                sp_suggest_try(&suggest, uses->at[i].preset->flows[f].name);
            }
        }
        if (!found) {
            sp_node_error(b->problems, w, "no preset used here has a line %s%s",
                          sp_quote(w->text, quoted), sp_suggest_str(&suggest, hint));
        }
    }
}

void sp_build_uses(struct sp_build *b)
{
    const struct sp_node *use = sp_node_get(b->root, "use");
    if (!use) {
        return;
    }
    b->model->uses = sp_build_array(b, 1, sizeof(*b->model->uses));
    if (!b->model->uses) {
        return;
    }
    b->model->uses->at = sp_build_array(b, sp_preset_count(), sizeof(*b->model->uses->at));
    for (const struct sp_node *i = sp_build_first(use); i && b->rc == SP_OK;
         i = sp_build_next(use, i)) {
        add_item(b, i);
    }
    if (b->rc != SP_OK) {
        return;
    }
    collect_roles(b);
    for (const struct sp_node *i = sp_build_first(use); i && b->rc == SP_OK;
         i = sp_build_next(use, i)) {
        const struct sp_node *roles = i->kind == SP_NODE_MAPPING ? sp_node_get(i, "roles") : NULL;
        for (const struct sp_node *r = sp_build_first(roles); r && b->rc == SP_OK;
             r = sp_build_next(roles, r)) {
            map_role(b, r);
        }
        check_without(b, i->kind == SP_NODE_MAPPING ? sp_node_get(i, "without") : NULL);
    }
    if (b->rc == SP_OK) {
        each_role(b, fill_role);
        each_role(b, fill_else);
        each_role(b, fill_else); /* collectors stand on agents, which stand on nodes */
    }
}
