/* SPDX-License-Identifier: Apache-2.0
 *
 * Lints of presets: roles that nobody has, names and numbers of clusters, listeners on ports that
 * are somebody else's. */
#include <stdio.h>
#include <string.h>

#include "probe/base/buf.h"
#include "probe/base/mem.h"
#include "topologies/build.h"
#include "topologies/check.h"
#include "topologies/preset.h"

#define MAX_WORDS 700U
#define MAX_NAMED 6U /* names in one message */

static void say_at(const struct sp_use *use, struct sp_problems *problems, bool is_error,
                   const char *text)
{
    char pointer[32];
    (void)snprintf(pointer, sizeof(pointer), "/use/%u", (unsigned)use->index);
    sp_problem_add(problems, is_error, use->pos, pointer, "%s", text);
}

static bool names_role(const struct sp_node *roles, const char *role)
{
    for (const struct sp_node *i = sp_build_first(roles); i; i = sp_build_next(roles, i)) {
        if (strcmp(i->text, role) == 0) {
            return true;
        }
    }
    return false;
}

/* The lines of all presets that a missing role takes out, as far as they fit. */
static void add_lost(const struct sp_uses *uses, const char *role, struct sp_buf *text)
{
    size_t n = 0;
    for (size_t u = 0; u < uses->n; u++) {
        const struct sp_preset *preset = uses->at[u].preset;
        for (size_t f = 0; f < preset->nflows; f++) {
            enum sp_use_state state = uses->at[u].flows[f].state;
            const struct sp_preset_flow *flow = &preset->flows[f];
            bool lost = (state == SP_USE_NO_FROM && names_role(flow->from, role)) ||
                        (state == SP_USE_NO_TO && names_role(flow->to, role));
            if (lost && n < MAX_NAMED) {
                sp_buf_fmt(text, "%s%s", n ? ", " : "", flow->name);
            }
            n += lost;
        }
    }
    if (n > MAX_NAMED) {
        sp_buf_fmt(text, " and %zu more", n - MAX_NAMED);
    }
    sp_buf_str(text, n == 0 ? "no line is lost" : n == 1 ? " is not covered" : " are not covered");
}

static void check_roles(const struct sp_uses *uses, const struct sp_use *use,
                        struct sp_problems *problems)
{
    for (size_t r = 0; use->is_named && r < use->preset->nroles; r++) {
        const struct sp_preset_role *role = &use->preset->roles[r];
        const struct sp_node *word = sp_build_first(role->hosts);
        struct sp_buf text;
        if (!role->is_needed || sp_uses_has(uses, role->name)) {
            continue;
        }
        sp_buf_init(&text, 8192);
        sp_buf_fmt(&text,
                   "the preset %s needs the role '%s' (%s), which nobody has: ", use->preset->name,
                   role->name, role->help);
        add_lost(uses, role->name, &text);
        sp_buf_fmt(&text,
                   "; give hosts `role: %s` or the label role=%s, or name them under `roles`",
                   word ? word->text : role->name, word ? word->text : role->name);
        problems->rc = text.rc == SP_OK ? problems->rc : text.rc;
        say_at(use, problems, false, sp_buf_text(&text));
        sp_buf_release(&text);
    }
}

/* ------------------------------------------------------------------ clusters */

/* A label of a host name, beginning with a letter: it goes into certificates. */
static bool is_label(const char *name)
{
    size_t len = strlen(name);
    return len > 0 && len <= 63 && name[0] >= 'a' && name[0] <= 'z' && name[len - 1] != '-' &&
           strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-") == len;
}

static void check_names(const struct sp_model *m, const struct sp_use *use,
                        struct sp_problems *problems)
{
    for (size_t i = 0; use->preset->names_why && i < m->nnetworks; i++) {
        const struct sp_network *network = &m->networks[i];
        if (network->cluster && !is_label(network->cluster)) {
            sp_check_add(problems, true, network->cluster_pos, "networks", network->name,
                         "'%s' cannot be the name of a cluster of %s: %s", network->cluster,
                         use->preset->name, use->preset->names_why);
        }
    }
}

/* Is some network above, or the network itself, said to be of a cluster? */
static bool is_declared(const struct sp_model *m, uint32_t cluster)
{
    return m->networks[cluster].cluster != NULL;
}

static void check_one_cluster(const struct sp_model *m, const struct sp_use *use,
                              const struct sp_preset_role *preset_role, const uint32_t *clusters,
                              struct sp_problems *problems)
{
    const struct sp_use_role *role = sp_uses_role(m->uses, preset_role->name);
    uint32_t first = SP_NONE;
    for (size_t h = 0; role && h < m->nhosts; h++) {
        uint32_t cluster = clusters[m->hosts[h].network];
        if (!sp_bits_get(&role->targets, h) || cluster == first) {
            continue;
        }
        if (first != SP_NONE) {
            char text[MAX_WORDS];
            (void)snprintf(text, sizeof(text),
                           "hosts with the role '%s' belong to more than one cluster, to '%s' and "
                           "to '%s': %s has one management cluster%s",
                           role->name, sp_cluster_name(m, first), sp_cluster_name(m, cluster),
                           use->preset->name,
                           is_declared(m, first) && is_declared(m, cluster)
                               ? ""
                               : "; networks say with the key `cluster` to which they belong");
            say_at(use, problems, false, text);
            return;
        }
        first = cluster;
    }
}

/* Without any `cluster`, top networks count as clusters, which should be known. */
static void check_undeclared(const struct sp_model *m, const uint32_t *clusters,
                             struct sp_problems *problems)
{
    struct sp_buf text;
    size_t n = 0;
    sp_buf_init(&text, 16384);
    for (uint32_t i = 0; i < m->nnetworks; i++) {
        if (is_declared(m, i)) {
            n = 0;
            break;
        }
        if (clusters[i] == i) {
            if (n < MAX_NAMED) {
                sp_buf_fmt(&text, "%s%s", n ? ", " : "", m->networks[i].name);
            }
            n++;
        }
    }
    if (n > 1) {
        char words[MAX_WORDS];
        (void)snprintf(words, sizeof(words),
                       "no network says which cluster it belongs to (key `cluster`), so each of "
                       "the %zu top networks counts as a cluster of its own: %s%s",
                       n, sp_buf_text(&text), n > MAX_NAMED ? ", ..." : "");
        say_at(&m->uses->at[m->uses->n - 1], problems, false, words);
    }
    sp_buf_release(&text);
}

/* ------------------------------------------------------------------ ports of balancers */

static bool lists_port(const struct sp_node *ports, const struct sp_portspec *port)
{
    for (const struct sp_node *i = sp_build_first(ports); i; i = sp_build_next(ports, i)) {
        struct sp_portspec spec;
        if (sp_portspec_parse(i->text, &spec, NULL) == SP_OK && spec.proto == port->proto &&
            spec.lo <= port->lo && port->lo <= spec.hi) {
            return true;
        }
    }
    return false;
}

static void check_listeners(const struct sp_model *m, const struct sp_preset *preset,
                            const struct sp_preset_reserved *reserved, struct sp_problems *problems)
{
    for (size_t i = 0; i < m->nbalancers; i++) {
        const struct sp_balancer *balancer = &m->balancers[i];
        for (size_t l = 0; l < balancer->nlisteners; l++) {
            const struct sp_portspec *port = &balancer->listeners[l].port;
            char text[SP_PORTSPEC_STRLEN];
            if (lists_port(reserved->ports, port) && !lists_port(reserved->but, port)) {
                sp_check_add(problems, false, balancer->pos, "load_balancers", balancer->name,
                             "'%s' listens on %s, which the preset %s reserves: %s (%s)",
                             balancer->name, sp_portspec_str(port, text), preset->name,
                             reserved->why, reserved->source);
            }
        }
    }
}

void sp_check_presets(const struct sp_model *m, struct sp_problems *problems)
{
    uint32_t *clusters = NULL;
    if (!m->uses || m->uses->n == 0 || problems->rc != SP_OK) {
        return;
    }
    problems->rc = sp_clusters_new(m, &clusters);
    if (problems->rc != SP_OK) {
        return;
    }
    for (size_t u = 0; u < m->uses->n; u++) {
        const struct sp_use *use = &m->uses->at[u];
        check_roles(m->uses, use, problems);
        check_names(m, use, problems);
        for (size_t r = 0; r < use->preset->nroles; r++) {
            if (use->preset->roles[r].one_cluster) {
                check_one_cluster(m, use, &use->preset->roles[r], clusters, problems);
            }
        }
        for (size_t r = 0; r < use->preset->nreserved; r++) {
            check_listeners(m, use->preset, &use->preset->reserved[r], problems);
        }
    }
    check_undeclared(m, clusters, problems);
    sp_free(clusters);
}
