/* SPDX-License-Identifier: Apache-2.0
 *
 * Where a change would be made: the enforcement point that a pair of hosts passes; where none is
 * declared, the two segments; or one host or load balancer. */
#ifndef SP_REPORTS_PLACE_H
#define SP_REPORTS_PLACE_H

#include "probe/base/buf.h"
#include "reports/summary.h"

enum sp_place_kind {
    SP_PLACE_ENFORCEMENT, /* a = index into model->enforcements */
    SP_PLACE_SEGMENTS,    /* from network a to network b */
    SP_PLACE_HOST,        /* target a: its own firewall */
    SP_PLACE_BALANCER,    /* target a */
};

/* The place of a pair's path. */
struct sp_place sp_place_of(const struct sp_model *model, const struct sp_pair *pair);
struct sp_place sp_place_host(uint32_t target);
/* Negative, 0 or positive. */
int sp_place_cmp(const struct sp_place *a, const struct sp_place *b);
/* "fw-1", "web -> data", "db-1", "shop": names from outside. */
void sp_place_str(const struct sp_model *model, const struct sp_place *place, struct sp_buf *out);
/* "the firewall fw-1", "the path", ...: what kind of place it is, for people. Static. */
const char *sp_place_words(const struct sp_place *place);
/* The declared name of the enforcement point, or NULL. */
const char *sp_place_enforcement(const struct sp_model *model, const struct sp_place *place);

#endif
