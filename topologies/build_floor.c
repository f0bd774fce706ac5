/* SPDX-License-Identifier: Apache-2.0
 *
 * What nodes must be (`nodes:`), by role, host or selector. */
#include <string.h>

#include "probe/base/mem.h"
#include "topologies/build.h"
#include "topologies/floor.h"
#include "topologies/problem.h"

static bool has_role(const struct sp_model *m, const char *role, struct sp_bits *hosts)
{
    bool found = false;
    for (size_t h = 0; h < m->nhosts; h++) {
        if (m->hosts[h].role && strcmp(m->hosts[h].role, role) == 0) {
            found = true;
            if (hosts) {
                sp_bits_set(hosts, h);
            }
        }
    }
    return found;
}

static void unknown_key(struct sp_build *b, const struct sp_node *node)
{
    char quoted[SP_QUOTE_LEN];
    char hint[SP_SUGGEST_LEN];
    struct sp_suggest suggest;
    const struct sp_model *m = b->model;
    sp_suggest_init(&suggest, node->key);
    for (size_t i = 0; i < m->nhosts; i++) {
        if (m->hosts[i].role) {
            sp_suggest_try(&suggest, m->hosts[i].role);
        }
        sp_suggest_try(&suggest, m->hosts[i].name);
    }
    for (size_t i = 0; i < m->ngroups; i++) {
        sp_suggest_try(&suggest, m->groups[i].name);
    }
    for (size_t i = 0; i < m->nnetworks; i++) {
        sp_suggest_try(&suggest, m->networks[i].name);
    }
    sp_node_key_error(b->problems, node, "%s is no role of a host, and no host, group or network%s",
                      sp_quote(node->key, quoted), sp_suggest_str(&suggest, hint));
}

/* Which hosts the key of an entry means. False after an error. */
static bool select_hosts(struct sp_build *b, const struct sp_node *node, struct sp_floor *floor)
{
    char quoted[SP_QUOTE_LEN];
    const char *key = node->key;
    const struct sp_name *name = sp_names_find(&b->names, key);
    bool is_role = has_role(b->model, key, NULL);
    struct sp_node word = {.kind = SP_NODE_SCALAR,
                           .text = key,
                           .key = key,
                           .pos = node->key_pos,
                           .key_pos = node->key_pos,
                           .parent = node->parent};
    if (is_role && name) {
        sp_node_key_error(b->problems, node,
                          "%s is the role of a host and also a name: give one of them another word",
                          sp_quote(key, quoted));
        return false;
    }
    if (is_role) {
        floor->level = SP_LEVEL_ROLE;
        if (sp_bits_init(&floor->hosts, sp_model_ntargets(b->model)) != SP_OK) {
            b->rc = SP_E_NOMEM;
            return false;
        }
        return has_role(b->model, key, &floor->hosts);
    }
    if (!name && !strchr(key, ':') && strcmp(key, "any") != 0) {
        unknown_key(b, node);
        return false;
    }
    if (name && name->kind == SP_NAME_BALANCER) {
        sp_node_key_error(b->problems, node, "%s is a load balancer, but nodes are hosts",
                          sp_quote(key, quoted));
        return false;
    }
    floor->level = name && name->kind == SP_NAME_HOST ? SP_LEVEL_HOST
                   : strcmp(key, "any") == 0          ? SP_LEVEL_ANY
                                                      : SP_LEVEL_SELECTOR;
    return sp_build_select_senders(b, &word, &floor->hosts);
}

static bool add_word(struct sp_build *b, struct sp_floor_line *line, const struct sp_node *node)
{
    char *word = sp_build_text(b, node);
    if (word) {
        line->words[line->nwords++] = word;
    }
    return word != NULL;
}

static void build_words(struct sp_build *b, const struct sp_node *node, struct sp_floor_line *line)
{
    const struct sp_node *file = NULL;
    const struct sp_node *list = node;
    if (node->kind == SP_NODE_MAPPING) { /* kube_bench */
        file = sp_node_get(node, "file");
        list = sp_node_get(node, "allow");
    }
    line->words = sp_build_array(b, sp_build_count(list) + 1, sizeof(*line->words));
    if (!line->words || (file && !add_word(b, line, file))) {
        return;
    }
    for (const struct sp_node *i = sp_build_first(list); i; i = sp_build_next(list, i)) {
        if (!add_word(b, line, i)) {
            return;
        }
    }
}

static bool has_word(const struct sp_floor_line *line, const char *word)
{
    for (size_t i = 0; i < line->nwords; i++) {
        if (strcmp(line->words[i], word) == 0) {
            return true;
        }
    }
    return false;
}

/* What the form alone does not tell. */
static void check_line(struct sp_build *b, const struct sp_node *node,
                       const struct sp_floor_line *line)
{
    char quoted[SP_QUOTE_LEN];
    const char *alone = line->check == SP_FLOOR_DISK_ENCRYPTION ? "provider"
                        : line->check == SP_FLOOR_DRIFT         ? "none"
                        : line->check == SP_FLOOR_LSM_LABEL     ? "confined"
                                                                : NULL;
    if (alone && line->nwords > 1 && has_word(line, alone)) {
        sp_node_error(b->problems, node, "`%s` says it all: write it alone, or leave it out",
                      alone);
    }
    if (line->check == SP_FLOOR_MITIGATIONS && has_word(line, "false")) {
        sp_node_error(b->problems, node,
                      "nobody needs a processor without mitigations: write true, or leave it out");
    }
    for (size_t i = 0; line->check == SP_FLOOR_LISTENERS && i < line->nwords; i++) {
        struct sp_portspec spec;
        if (sp_portspec_parse(line->words[i], &spec, NULL) == SP_OK && spec.proto != SP_PROTO_TCP &&
            spec.proto != SP_PROTO_UDP) {
            sp_node_error(b->problems, node, "%s is no tcp or udp port: only these are looked at",
                          sp_quote(line->words[i], quoted));
        }
    }
}

static unsigned check_of(const char *key)
{
    unsigned check = 0;
    while (check < SP_FLOOR_COUNT && strcmp(sp_floor_key(check), key) != 0) {
        check++;
    }
    return check;
}

void sp_build_floors(struct sp_build *b)
{
    const struct sp_node *all = sp_node_get(b->root, "nodes");
    b->model->floors = sp_build_array(b, sp_build_count(all), sizeof(*b->model->floors));
    if (!b->model->floors || !all) {
        return;
    }
    for (const struct sp_node *i = sp_build_first(all); i && b->rc == SP_OK;
         i = sp_build_next(all, i)) {
        struct sp_floor *floor = &b->model->floors[b->model->nfloors++];
        *floor = (struct sp_floor){.name = sp_strdup(i->key), .pos = i->key_pos};
        floor->lines = sp_build_array(b, sp_build_count(i), sizeof(*floor->lines));
        b->rc = floor->name ? b->rc : SP_E_NOMEM;
        if (b->rc != SP_OK || !select_hosts(b, i, floor)) {
            continue;
        }
        for (const struct sp_node *k = sp_build_first(i); k && b->rc == SP_OK;
             k = sp_build_next(i, k)) {
            unsigned check = check_of(k->key);
            if (check == SP_FLOOR_COUNT) {
                continue; /* an unknown key: said by the validation */
            }
            struct sp_floor_line *line = &floor->lines[floor->nlines++];
            *line = (struct sp_floor_line){.check = (uint8_t)check, .pos = k->key_pos};
            build_words(b, k, line);
            check_line(b, k, line);
        }
    }
}
