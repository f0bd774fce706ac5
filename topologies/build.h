/* SPDX-License-Identifier: Apache-2.0
 *
 * From the validated tree to the model; private to the loader. Every stage goes on after an error,
 * so that all of them are reported; values that validation marked bad are skipped in silence. */
#ifndef SP_TOPOLOGIES_BUILD_H
#define SP_TOPOLOGIES_BUILD_H

#include "topologies/names.h"
#include "topologies/node.h"

/* All bit sets of a model together: beyond this the topology must be split. */
#define SP_BUILD_MAX_SELECTOR_BYTES ((uint64_t)512 << 20)
/* All ports of all rules, and all backends of all listeners: small texts can repeat large lists. */
#define SP_BUILD_MAX_PORTS          4000000U
#define SP_BUILD_MAX_BACKENDS       4000000U
#define SP_BUILD_MAX_GROUP_DEPTH    32U
#define SP_BUILD_MAX_NETWORK_DEPTH  32U

struct sp_label_at { /* one host's label, sorted for binary search */
    const char *key, *value;
    uint32_t host;
};

struct sp_build {
    struct sp_model *model;
    struct sp_problems *problems;
    const struct sp_node *root;
    struct sp_names names, services;
    struct sp_label_at *labels;
    size_t nlabels;
    /* Hosts in the order of a walk down the networks: all hosts inside a network are neighbours. */
    uint32_t *walk_hosts;
    uint32_t *walk_start; /* per network: the first of its hosts in walk_hosts ... */
    uint32_t *walk_end;   /* ... and one behind the last, descendants included */
    const struct sp_node **group_nodes;
    uint8_t *group_state; /* 0 = not yet, 1 = being resolved, 2 = done */
    size_t group_depth;
    size_t nports, nbackends; /* so far */
    enum sp_rc rc;            /* SP_E_NOMEM, sticky */
};

/* Fills build->model from build->root. Errors of the topology are in problems, not in the result.
 */
enum sp_rc sp_build_model(struct sp_build *build) SP_MUST_CHECK;
void sp_build_release(struct sp_build *build);

/* build_select.c */
void sp_build_index(struct sp_build *build); /* labels and walk; needs networks and hosts */
void sp_build_groups(struct sp_build *build);
/* Resolves a selector or a list of them. False after an error (reported); targets is then empty and
 * released. */
bool sp_build_select(struct sp_build *build, const struct sp_node *node,
                     struct sp_bits *ret_targets);
/* The same for who sends: without balancers, and naming one is an error. */
bool sp_build_select_senders(struct sp_build *build, const struct sp_node *node,
                             struct sp_bits *ret_targets);
/* A network by the name in node, SP_NONE after an error. */
uint32_t sp_build_network_ref(struct sp_build *build, const struct sp_node *node);

/* build_nodes.c: what stands in the network */
void sp_build_names(struct sp_build *build);
void sp_build_networks(struct sp_build *build);
void sp_build_hosts(struct sp_build *build);
void sp_build_limits(struct sp_build *build);
void sp_build_enforcements(struct sp_build *build);

/* build_floor.c: what nodes must be */
void sp_build_floors(struct sp_build *build);

/* build_rules.c: what may cross */
void sp_build_services(struct sp_build *build);
void sp_build_balancers(struct sp_build *build);
void sp_build_rules(struct sp_build *build);
void sp_build_nats(struct sp_build *build);

/* build_roles.c: which presets, and who has which role in them */
void sp_build_uses(struct sp_build *build);
/* build_preset.c: their lines become rules; needs the uses, and all other rules */
void sp_build_presets(struct sp_build *build);
/* Is that line left out by a `without`? */
bool sp_build_without(const struct sp_build *build, const char *flow);

/* build.c: values. NULL nodes give the default. */
void *sp_build_array(struct sp_build *build, size_t n, size_t size);
char *sp_build_text(struct sp_build *build, const struct sp_node *node);
uint64_t sp_build_uint(const struct sp_node *node, uint64_t otherwise);
uint64_t sp_build_ms(const struct sp_node *node, uint64_t otherwise);
double sp_build_ratio(const struct sp_node *node, double otherwise);
/* How many good items a value holds: a list's, or 1 for a single one. */
size_t sp_build_count(const struct sp_node *node);
/* Walks them: the first good item, then the next one. */
const struct sp_node *sp_build_first(const struct sp_node *node);
const struct sp_node *sp_build_next(const struct sp_node *node, const struct sp_node *item);
struct sp_addr *sp_build_addrs(struct sp_build *build, const struct sp_node *node, size_t *ret_n,
                               struct sp_pos **ret_pos);
struct sp_prefix *sp_build_prefixes(struct sp_build *build, const struct sp_node *node,
                                    size_t *ret_n, struct sp_pos **ret_pos);

#endif
