/* SPDX-License-Identifier: Apache-2.0 */
#include "topologies/names.h"

#include <string.h>

#include "probe/base/mem.h"

enum sp_rc sp_names_init(struct sp_names *names, size_t n)
{
    size_t nslots = 16;
    while (nslots < n * 2) {
        nslots *= 2;
    }
    *names = (struct sp_names){.nslots = nslots};
    sp_random_bytes(&names->key, sizeof(names->key));
    names->slots = sp_calloc(nslots, sizeof(*names->slots));
    return names->slots ? SP_OK : SP_E_NOMEM;
}

void sp_names_release(struct sp_names *names)
{
    sp_free(names->slots);
    *names = (struct sp_names){0};
}

/* The place of a name, or the free place where it belongs. */
static struct sp_name *slot_of(const struct sp_names *names, const char *name)
{
    size_t at = (size_t)sp_siphash(&names->key, name, strlen(name)) & (names->nslots - 1);
    while (names->slots[at].name && strcmp(names->slots[at].name, name) != 0) {
        at = (at + 1) & (names->nslots - 1);
    }
    return &names->slots[at];
}

const struct sp_name *sp_names_add(struct sp_names *names, struct sp_name name)
{
    struct sp_name *slot = slot_of(names, name.name);
    if (slot->name) {
        return slot;
    }
    /* The table was made for at most nslots / 2 names: a free place always stays. */
    *slot = name;
    names->n++;
    return NULL;
}

const struct sp_name *sp_names_find(const struct sp_names *names, const char *name)
{
    const struct sp_name *slot = names->nslots ? slot_of(names, name) : NULL;
    return slot && slot->name ? slot : NULL;
}
