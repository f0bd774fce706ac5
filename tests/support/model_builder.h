/* SPDX-License-Identifier: Apache-2.0
 *
 * Builds topologies in memory, for tests and benchmarks that need a model and no file. A mistake in
 * a test's own data aborts. Add networks, then hosts and groups, then balancers, then rules: a
 * selector sees what was added before it. Free with sp_mb_free. */
#ifndef SP_SUPPORT_MODEL_BUILDER_H
#define SP_SUPPORT_MODEL_BUILDER_H

#include "topologies/model.h"

struct sp_model *sp_mb_new(void);
void sp_mb_free(struct sp_model *model);
/* in may be NULL; cidrs is a list with commas or NULL. Returns the index. */
uint32_t sp_mb_network(struct sp_model *model, const char *name, const char *in,
                       enum sp_net_kind kind, const char *cidrs);
/* addresses: a list with commas; via NULL: no probe. */
uint32_t sp_mb_host(struct sp_model *model, const char *name, const char *network,
                    const char *addresses, const char *via);
void sp_mb_label(struct sp_model *model, uint32_t host, const char *key, const char *value);
void sp_mb_seen_as(struct sp_model *model, uint32_t host, const char *network, const char *address);
void sp_mb_group(struct sp_model *model, const char *name, const char *selector);
/* Returns the target index. */
uint32_t sp_mb_balancer(struct sp_model *model, const char *name, const char *addresses);
/* balancer: a target index; port as "tcp/443". */
void sp_mb_listener(struct sp_model *model, uint32_t balancer, const char *port,
                    const char *backends, uint16_t backend_port);
/* Ports: a list with commas. Returns the rule's index. */
uint32_t sp_mb_rule(struct sp_model *model, enum sp_rule_kind kind, const char *name,
                    const char *from, const char *to, const char *ports);
/* networks: a list with commas. */
uint32_t sp_mb_enforcement(struct sp_model *model, const char *name, const char *networks);
void sp_mb_nat(struct sp_model *model, bool is_dnat, const char *from, const char *to,
               const char *address);
uint32_t sp_mb_find_network(const struct sp_model *model, const char *name);

#endif
