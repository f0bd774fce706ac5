/* SPDX-License-Identifier: Apache-2.0
 *
 * Which cluster a network belongs to. Where nothing is declared, a top network counts as one
 * cluster: the careful guess, because what may pass inside a cluster only is then expected closed
 * between networks that nothing connects in the declaration. */
#include "probe/base/mem.h"
#include "topologies/names.h"
#include "topologies/preset.h"

/* The network whose `cluster` counts for this one, or its top network. */
static uint32_t nearest(const struct sp_model *m, uint32_t network)
{
    uint32_t at = network;
    for (size_t steps = 0; steps <= m->nnetworks; steps++) {
        if (m->networks[at].cluster || m->networks[at].parent >= m->nnetworks) {
            break;
        }
        at = m->networks[at].parent;
    }
    return at;
}

enum sp_rc sp_clusters_new(const struct sp_model *m, uint32_t **ret_of_network)
{
    struct sp_names names;
    enum sp_rc rc = sp_names_init(&names, m->nnetworks);
    uint32_t *of = sp_calloc(m->nnetworks, sizeof(*of));
    if (rc != SP_OK || !of) {
        sp_free(of);
        sp_names_release(&names);
        return SP_E_NOMEM;
    }
    for (uint32_t i = 0; i < m->nnetworks; i++) {
        of[i] = nearest(m, i);
        const char *cluster = m->networks[of[i]].cluster;
        const struct sp_name *first =
            cluster ? sp_names_add(
                          &names,
                          (struct sp_name){.name = cluster, .kind = SP_NAME_OTHER, .index = of[i]})
                    : NULL;
        of[i] = first ? first->index : of[i];
    }
    sp_names_release(&names);
    *ret_of_network = of;
    return SP_OK;
}

const char *sp_cluster_name(const struct sp_model *m, uint32_t cluster)
{
    const struct sp_network *network = &m->networks[cluster];
    return network->cluster ? network->cluster : network->name;
}
