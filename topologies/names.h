/* SPDX-License-Identifier: Apache-2.0
 *
 * A hash table from names to what they name. Keys are borrowed. The hash is keyed with random
 * bytes, so that no file can be written to make it slow. */
#ifndef SP_TOPOLOGIES_NAMES_H
#define SP_TOPOLOGIES_NAMES_H

#include "probe/base/hash.h"
#include "topologies/model.h"

enum sp_name_kind { SP_NAME_NETWORK, SP_NAME_HOST, SP_NAME_GROUP, SP_NAME_BALANCER, SP_NAME_OTHER };

struct sp_name {
    const char *name; /* NULL = free place */
    uint8_t kind;     /* enum sp_name_kind */
    uint32_t index;
    struct sp_pos pos;
};

struct sp_names {
    struct sp_name *slots;
    size_t nslots, n;
    struct sp_hash_key key;
};

/* Room for n names is made at once. */
enum sp_rc sp_names_init(struct sp_names *names, size_t n) SP_MUST_CHECK;
void sp_names_release(struct sp_names *names);
/* Adds a name; when it is taken, returns who has it and adds nothing. */
const struct sp_name *sp_names_add(struct sp_names *names, struct sp_name name);
const struct sp_name *sp_names_find(const struct sp_names *names, const char *name);

#endif
