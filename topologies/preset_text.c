/* SPDX-License-Identifier: Apache-2.0
 *
 * What `segproof check` says about presets: every line with its ends, its reason and its source,
 * and the lines that are not covered, with why. */
#include <string.h>

#include "probe/base/buf.h"
#include "topologies/build.h"
#include "topologies/preset.h"

#define NAMED_HOSTS 5U

static void print_ends(const struct sp_node *roles, struct sp_buf *out)
{
    for (const struct sp_node *i = sp_build_first(roles); i; i = sp_build_next(roles, i)) {
        sp_buf_fmt(out, "%s%s", i == sp_build_first(roles) ? "" : ", ", i->text);
    }
}

/* "nobody has the role 'vms'", "nobody has one of the roles a, b". */
static void print_nobody(const struct sp_node *roles, struct sp_buf *out)
{
    bool is_one = sp_build_count(roles) == 1;
    sp_buf_str(out, is_one ? "nobody has the role " : "nobody has one of the roles ");
    print_ends(roles, out);
}

void sp_use_state_print(const struct sp_use *use, size_t flow_index, struct sp_buf *out)
{
    const struct sp_preset_flow *flow = &use->preset->flows[flow_index];
    switch (use->flows[flow_index].state) {
    case SP_USE_WITHOUT:
        sp_buf_str(out, "left out by `without`");
        return;
    case SP_USE_NO_FROM:
        print_nobody(flow->from, out);
        return;
    case SP_USE_NO_TO:
        print_nobody(flow->to, out);
        return;
    case SP_USE_NO_PAIR:
        sp_buf_str(out, flow->scope == SP_SCOPE_OTHER_CLUSTERS
                            ? "no two hosts with these roles are in different clusters"
                        : flow->kind == SP_PRESET_CLOSED
                            ? "nobody is left to whom it is closed"
                            : "no two hosts with these roles are there, or in one cluster");
        return;
    case SP_USE_COVERED:
        break;
    }
}

static void print_flow(const struct sp_preset_flow *flow, struct sp_buf *out)
{
    char text[SP_PORTSPEC_STRLEN];
    sp_buf_fmt(out, "  %-6s %s: ", sp_preset_kind_str(flow->kind), flow->name);
    print_ends(flow->from, out);
    sp_buf_str(out, " -> ");
    print_ends(flow->to, out);
    for (size_t i = 0; i < flow->nports; i++) {
        sp_buf_fmt(out, "%s%s", i ? "," : " ", sp_portspec_str(&flow->ports[i], text));
    }
    sp_buf_str(out, flow->scope == SP_SCOPE_SAME_CLUSTER     ? " inside a cluster\n"
                    : flow->scope == SP_SCOPE_OTHER_CLUSTERS ? " between clusters\n"
                                                             : "\n");
    sp_buf_fmt(out, "         %s\n         source: %s\n", flow->why, flow->source);
}

static void print_role(const struct sp_model *m, const struct sp_use_role *role, struct sp_buf *out)
{
    size_t n = sp_bits_count(&role->targets);
    size_t named = 0;
    sp_buf_fmt(out, "  %s", role->name);
    if (role->stand_in) {
        sp_buf_fmt(out, " (as %s)", role->stand_in);
    }
    sp_buf_str(out, n ? ": " : ": nobody");
    for (size_t t = 0; t < role->targets.nbits && named < NAMED_HOSTS; t++) {
        if (sp_bits_get(&role->targets, t)) {
            sp_buf_fmt(out, "%s%s", named ? ", " : "", sp_model_target_name(m, t));
            named++;
        }
    }
    if (n > named) {
        sp_buf_fmt(out, " and %zu more", n - named);
    }
    sp_buf_char(out, '\n');
}

static void print_use(const struct sp_use *use, struct sp_buf *out)
{
    const struct sp_preset *preset = use->preset;
    size_t covered = 0;
    for (size_t f = 0; f < preset->nflows; f++) {
        covered += use->flows[f].state == SP_USE_COVERED;
    }
    sp_buf_fmt(out, "Preset %s (line %u%s): %zu of %zu lines covered\n", preset->name,
               (unsigned)use->pos.line, use->is_named ? "" : ", built upon there", covered,
               preset->nflows);
    for (size_t f = 0; f < preset->nflows; f++) {
        if (use->flows[f].state == SP_USE_COVERED) {
            print_flow(&preset->flows[f], out);
        }
    }
    for (size_t f = 0; f < preset->nflows; f++) {
        if (use->flows[f].state != SP_USE_COVERED) {
            sp_buf_fmt(out, "  not covered: %s: ", preset->flows[f].name);
            sp_use_state_print(use, f, out);
            sp_buf_char(out, '\n');
        }
    }
    for (size_t i = 0; i < preset->nrepositories; i++) {
        const struct sp_preset_repository *host = &preset->repositories[i];
        sp_buf_fmt(out,
                   "  not covered: nodes -> %s tcp/443, which is a name\n"
                   "         %s\n         source: %s\n",
                   host->host, host->why, host->source);
    }
}

void sp_uses_print(const struct sp_model *m, struct sp_buf *out)
{
    if (!m->uses || m->uses->n == 0) {
        return;
    }
    for (size_t u = 0; u < m->uses->n; u++) {
        print_use(&m->uses->at[u], out);
    }
    sp_buf_str(out, "Roles\n");
    for (size_t r = 0; r < m->uses->nroles; r++) {
        print_role(m, &m->uses->roles[r], out);
    }
}
