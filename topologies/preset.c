/* SPDX-License-Identifier: Apache-2.0
 *
 * The embedded presets, and the reader of their files. */
#include "topologies/preset.h"

#include <string.h>

#include "probe/base/mem.h"
#include "topologies/build.h"
#include "topologies/preset_fields.h"

static const struct sp_preset_file *const files[] = {
#define SP_ENTRY(name) &sp_preset_file_##name,
#include "topologies/presets/registry.def"
#undef SP_ENTRY
};

size_t sp_preset_count(void)
{
    return SP_ARRAY_LEN(files);
}

const char *sp_preset_name_at(size_t index)
{
    return index < SP_ARRAY_LEN(files) ? files[index]->name : NULL;
}

const char *sp_preset_text(const char *name, size_t *ret_len)
{
    for (size_t i = 0; i < SP_ARRAY_LEN(files); i++) {
        if (strcmp(files[i]->name, name) == 0) {
            *ret_len = files[i]->len;
            return (const char *)files[i]->bytes;
        }
    }
    return NULL;
}

const char *sp_preset_kind_str(enum sp_preset_kind kind)
{
    static const char *const words[] = {
        [SP_PRESET_OPEN] = "open", [SP_PRESET_MAY] = "may", [SP_PRESET_CLOSED] = "closed"};
    return words[kind];
}

uint32_t sp_preset_find_role(const struct sp_preset *preset, const char *name)
{
    for (size_t i = 0; i < preset->nroles; i++) {
        if (strcmp(preset->roles[i].name, name) == 0) {
            return (uint32_t)i;
        }
    }
    return SP_NONE;
}

void sp_preset_free(struct sp_preset *preset)
{
    if (!preset) {
        return;
    }
    for (size_t i = 0; i < preset->nflows; i++) {
        sp_free(preset->flows[i].ports);
    }
    sp_free(preset->flows);
    sp_free(preset->roles);
    sp_free(preset->reserved);
    sp_free(preset->repositories);
    sp_doc_release(&preset->doc);
    sp_free(preset);
}

/* ------------------------------------------------------------------ reading */

static const char *text_of(const struct sp_node *mapping, const char *key)
{
    const struct sp_node *node = sp_node_get(mapping, key);
    return node ? node->text : NULL;
}

/* An array with one place per item of a list, NULL when memory is out. */
static void *places(const struct sp_node *list, size_t size)
{
    return sp_calloc(sp_build_count(list), size);
}

static enum sp_rc read_roles(struct sp_preset *preset)
{
    const struct sp_node *all = sp_node_get(preset->doc.root, "roles");
    preset->roles = places(all, sizeof(*preset->roles));
    for (const struct sp_node *i = preset->roles ? sp_build_first(all) : NULL; i;
         i = sp_build_next(all, i)) {
        preset->roles[preset->nroles++] = (struct sp_preset_role){
            .name = i->key,
            .help = text_of(i, "help"),
            .hosts = sp_node_get(i, "hosts"),
            .or_else = text_of(i, "else"),
            .is_needed = sp_node_get(i, "needed") != NULL,
            .one_cluster = sp_node_get(i, "clusters") != NULL,
        };
    }
    return preset->roles ? SP_OK : SP_E_NOMEM;
}

static enum sp_rc read_flow(const struct sp_node *node, struct sp_preset_flow *flow)
{
    static const char *const keys[] = {
        [SP_PRESET_OPEN] = "open", [SP_PRESET_MAY] = "may", [SP_PRESET_CLOSED] = "closed"};
    const char *scope = text_of(node, "scope");
    const struct sp_node *ports = NULL;
    for (unsigned kind = 0; !ports && kind < SP_ARRAY_LEN(keys); kind++) {
        ports = sp_node_get(node, keys[kind]);
        flow->kind = (enum sp_preset_kind)kind;
    }
    flow->name = text_of(node, "name");
    flow->why = text_of(node, "why");
    flow->source = text_of(node, "source");
    flow->from = sp_node_get(node, "from");
    flow->to = sp_node_get(node, "to");
    flow->scope = !scope                               ? SP_SCOPE_ALL
                  : strcmp(scope, "same-cluster") == 0 ? SP_SCOPE_SAME_CLUSTER
                                                       : SP_SCOPE_OTHER_CLUSTERS;
    flow->ports = places(ports, sizeof(*flow->ports));
    for (const struct sp_node *i = flow->ports ? sp_build_first(ports) : NULL; i;
         i = sp_build_next(ports, i)) {
        flow->nports += sp_portspec_parse(i->text, &flow->ports[flow->nports], NULL) == SP_OK;
    }
    return flow->ports ? SP_OK : SP_E_NOMEM;
}

static enum sp_rc read_flows(struct sp_preset *preset)
{
    const struct sp_node *all = sp_node_get(preset->doc.root, "flows");
    preset->flows = places(all, sizeof(*preset->flows));
    enum sp_rc rc = preset->flows ? SP_OK : SP_E_NOMEM;
    for (const struct sp_node *i = sp_build_first(all); i && rc == SP_OK;
         i = sp_build_next(all, i)) {
        rc = read_flow(i, &preset->flows[preset->nflows++]);
    }
    return rc;
}

static enum sp_rc read_rest(struct sp_preset *preset)
{
    const struct sp_node *root = preset->doc.root;
    const struct sp_node *reserved = sp_node_get(root, "reserved");
    const struct sp_node *repositories = sp_node_get(root, "repositories");
    const struct sp_node *cluster_names = sp_node_get(root, "cluster_names");
    preset->name = text_of(root, "name");
    preset->summary = text_of(root, "summary");
    preset->with = sp_node_get(root, "with");
    preset->names_why = cluster_names ? text_of(cluster_names, "why") : NULL;
    preset->names_source = cluster_names ? text_of(cluster_names, "source") : NULL;
    preset->reserved = places(reserved, sizeof(*preset->reserved));
    preset->repositories = places(repositories, sizeof(*preset->repositories));
    if (!preset->reserved || !preset->repositories) {
        return SP_E_NOMEM;
    }
    for (const struct sp_node *i = sp_build_first(reserved); i; i = sp_build_next(reserved, i)) {
        preset->reserved[preset->nreserved++] =
            (struct sp_preset_reserved){.why = text_of(i, "why"),
                                        .source = text_of(i, "source"),
                                        .ports = sp_node_get(i, "ports"),
                                        .but = sp_node_get(i, "but")};
    }
    for (const struct sp_node *i = sp_build_first(repositories); i;
         i = sp_build_next(repositories, i)) {
        preset->repositories[preset->nrepositories++] = (struct sp_preset_repository){
            .host = text_of(i, "host"), .why = text_of(i, "why"), .source = text_of(i, "source")};
    }
    return SP_OK;
}

enum sp_rc sp_preset_parse(const char *text, size_t len, struct sp_preset **ret_preset,
                           struct sp_problems *problems)
{
    struct sp_preset *preset = sp_calloc(1, sizeof(*preset));
    if (!preset) {
        return SP_E_NOMEM;
    }
    enum sp_rc rc = sp_doc_parse(text, len, &preset->doc, problems);
    if (rc == SP_OK && !preset->doc.root) {
        sp_problem_add(problems, true, (struct sp_pos){0}, "", "the preset is empty");
    } else if (rc == SP_OK) {
        sp_validate(&sp_preset_shape, preset->doc.root, problems);
    }
    if (rc == SP_OK) {
        rc = problems->rc != SP_OK ? problems->rc : problems->nerrors ? SP_E_INVALID : SP_OK;
    }
    rc = rc == SP_OK ? read_roles(preset) : rc;
    rc = rc == SP_OK ? read_flows(preset) : rc;
    rc = rc == SP_OK ? read_rest(preset) : rc;
    if (rc != SP_OK) {
        sp_preset_free(preset);
        return rc;
    }
    *ret_preset = preset;
    return SP_OK;
}

enum sp_rc sp_preset_new(const char *name, struct sp_preset **ret_preset)
{
    struct sp_problems problems = {0};
    size_t len = 0;
    const char *text = sp_preset_text(name, &len);
    enum sp_rc rc = text ? sp_preset_parse(text, len, ret_preset, &problems) : SP_E_NOTFOUND;
    sp_problems_release(&problems);
    return rc;
}

void sp_uses_free(struct sp_uses *uses)
{
    if (!uses) {
        return;
    }
    for (size_t i = 0; i < uses->n; i++) {
        sp_free(uses->at[i].flows);
        sp_preset_free(uses->at[i].preset);
    }
    for (size_t i = 0; i < uses->nroles; i++) {
        sp_bits_release(&uses->roles[i].targets);
    }
    sp_free(uses->at);
    sp_free(uses->roles);
    sp_free(uses);
}

const struct sp_use_role *sp_uses_role(const struct sp_uses *uses, const char *name)
{
    for (size_t i = 0; i < uses->nroles; i++) {
        if (strcmp(uses->roles[i].name, name) == 0) {
            return &uses->roles[i];
        }
    }
    return NULL;
}

bool sp_uses_has(const struct sp_uses *uses, const char *name)
{
    const struct sp_use_role *role = sp_uses_role(uses, name);
    return role && sp_bits_count(&role->targets) > 0;
}
