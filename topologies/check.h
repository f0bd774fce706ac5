/* SPDX-License-Identifier: Apache-2.0
 *
 * Lints what a topology means, beyond its form: addresses that cannot be, rules that contradict
 * each other or never take effect. Works on any model, also an imported one. */
#ifndef SP_TOPOLOGIES_CHECK_H
#define SP_TOPOLOGIES_CHECK_H

#include "topologies/model.h"

/* Adds errors and warnings, unsorted. When problems already holds errors, the model may be
 * incomplete: lints about what is missing are left out then. Out of memory is problems->rc. */
void sp_check(const struct sp_model *model, struct sp_problems *problems);

/* The parts of it, in their files. is_complete: nothing of the topology was left out. */
void sp_check_addresses(const struct sp_model *model, struct sp_problems *problems);
void sp_check_floors(const struct sp_model *model, struct sp_problems *problems);
void sp_check_balancers(const struct sp_model *model, struct sp_problems *problems);
/* max_pairs bounds how many pairs of rules are compared; what is left out is said. */
void sp_check_rules(const struct sp_model *model, bool is_complete, size_t max_pairs,
                    struct sp_problems *problems);
/* Roles nobody has, clusters, ports of balancers that presets reserve. Needs a complete model. */
void sp_check_presets(const struct sp_model *model, struct sp_problems *problems);

/* Adds a message about a rule: its policy, isolation, balancer or preset. */
void sp_check_add_rule(struct sp_problems *problems, bool is_error, const struct sp_rule *rule,
                       const char *fmt, ...) SP_PRINTF(4, 5);
/* Adds a message about /section/name. */
void sp_check_add(struct sp_problems *problems, bool is_error, struct sp_pos pos,
                  const char *section, const char *name, const char *fmt, ...) SP_PRINTF(6, 7);

#endif
