/* SPDX-License-Identifier: Apache-2.0
 *
 * Presets: the flows that a product needs open, and those that it needs closed, each with its
 * source. They are YAML files in presets/, embedded at build time, one line of presets/registry.def
 * each; presets/README.md tells their keys. A topology names them under `use`.
 *
 * A preset owns its document; every text and node in it is borrowed from there, until
 * sp_preset_free. A model owns the presets that it uses. */
#ifndef SP_TOPOLOGIES_PRESET_H
#define SP_TOPOLOGIES_PRESET_H

#include "topologies/node.h"

enum sp_preset_kind {
    SP_PRESET_OPEN,   /* becomes allow */
    SP_PRESET_MAY,    /* becomes permit */
    SP_PRESET_CLOSED, /* becomes deny, without what an open or may flow of a used preset lets pass
                       */
};

enum sp_preset_scope { SP_SCOPE_ALL, SP_SCOPE_SAME_CLUSTER, SP_SCOPE_OTHER_CLUSTERS };

struct sp_preset_role {
    const char *name, *help;
    const struct sp_node *hosts; /* a host has the role when its `role` or label `role` is one */
    const char *or_else;         /* the role that stands in where nobody has this one, or NULL */
    bool is_needed;              /* worth a warning when nobody has it */
    bool one_cluster;            /* its hosts belong to one cluster */
};

struct sp_preset_flow {
    const char *name, *why, *source;
    const struct sp_node *from, *to; /* roles; from may be `others`, see build_preset.c */
    enum sp_preset_kind kind;
    enum sp_preset_scope scope;
    struct sp_portspec *ports;
    size_t nports;
};

/* Ports that no listener of a balancer should have. */
struct sp_preset_reserved {
    const char *why, *source;
    const struct sp_node *ports, *but; /* but may be NULL */
};

struct sp_preset_repository {
    const char *host, *why, *source;
};

struct sp_preset {
    struct sp_doc doc;
    const char *name, *summary;
    const struct sp_node *with; /* the presets that it builds on, or NULL */
    struct sp_preset_role *roles;
    size_t nroles;
    struct sp_preset_flow *flows;
    size_t nflows;
    struct sp_preset_reserved *reserved;
    size_t nreserved;
    struct sp_preset_repository *repositories;
    size_t nrepositories;
    const char *names_why, *names_source; /* the rule for names of clusters; NULL = none */
};

/* ---- what this build holds, sorted by name ---- */
size_t sp_preset_count(void);
/* NULL past the end. */
const char *sp_preset_name_at(size_t index);
/* The file as it is; NULL when there is no such preset. */
const char *sp_preset_text(const char *name, size_t *ret_len);

/* Reads one. SP_E_NOTFOUND: there is none of that name. SP_E_INVALID: its file is wrong, which the
 * contract test of presets excludes. */
enum sp_rc sp_preset_new(const char *name, struct sp_preset **ret_preset) SP_MUST_CHECK;
/* The same from a text; everything that is wrong with it goes into problems. */
enum sp_rc sp_preset_parse(const char *text, size_t len, struct sp_preset **ret_preset,
                           struct sp_problems *problems) SP_MUST_CHECK;
void sp_preset_free(struct sp_preset *preset);

/* By name, SP_NONE when there is none. */
uint32_t sp_preset_find_role(const struct sp_preset *preset, const char *name);
/* "open", "may", "closed". */
const char *sp_preset_kind_str(enum sp_preset_kind kind);

/* ---- a preset in a model ---- */

/* Why a flow has no rule. */
enum sp_use_state {
    SP_USE_COVERED,
    SP_USE_WITHOUT, /* the topology leaves it out */
    SP_USE_NO_FROM, /* nobody has a role it comes from */
    SP_USE_NO_TO,   /* nobody has a role it goes to */
    SP_USE_NO_PAIR, /* they have, but no two hosts are left between which it could pass */
};

struct sp_use_flow {
    enum sp_use_state state;
    size_t first_rule, nrules; /* in model->rules */
};

struct sp_use {
    struct sp_pos pos;         /* of its name in the topology, or of the preset that builds on it */
    uint32_t index;            /* its place in `use` */
    bool is_named;             /* there; else a preset that is named there builds on it */
    struct sp_preset *preset;  /* owned */
    struct sp_use_flow *flows; /* as in the preset */
};

/* A role means the same in all presets of a topology. */
struct sp_use_role {
    const char *name;     /* borrowed from a preset */
    const char *stand_in; /* the role whose hosts these are, or NULL */
    bool is_mapped;       /* by the topology's `roles` */
    struct sp_bits targets;
};

/* All presets of a topology, those that are named and those they build on. */
struct sp_uses {
    struct sp_use *at;
    size_t n;
    struct sp_use_role *roles;
    size_t nroles;
};

void sp_uses_free(struct sp_uses *uses);
/* NULL when no preset of them has it. */
const struct sp_use_role *sp_uses_role(const struct sp_uses *uses, const char *name);
/* Does anybody have it? */
bool sp_uses_has(const struct sp_uses *uses, const char *role);

struct sp_buf;
/* Why a flow has no rule, in words; only for one that has none. */
void sp_use_state_print(const struct sp_use *use, size_t flow_index, struct sp_buf *out);
/* For people: every line of every preset that the model uses. Nothing when it uses none. */
void sp_uses_print(const struct sp_model *model, struct sp_buf *out);

/* ---- clusters (cluster.c) ---- */

/* For every network, the network that stands for its cluster: two networks are in one cluster when
 * the nearest `cluster` on the way up is the same; without one, the top network is the cluster. */
enum sp_rc sp_clusters_new(const struct sp_model *model, uint32_t **ret_of_network) SP_MUST_CHECK;
/* The name of the cluster that a network stands for. */
const char *sp_cluster_name(const struct sp_model *model, uint32_t cluster);

#endif
