/* SPDX-License-Identifier: Apache-2.0
 *
 * Lints of what is declared of nodes: what nobody will look at. */
#include <string.h>

#include "topologies/check.h"
#include "topologies/floor.h"

static void check_floor(const struct sp_model *m, const struct sp_floor *floor,
                        struct sp_problems *problems)
{
    size_t probes = 0;
    size_t hosts = 0;
    const char *blind = NULL;
    for (size_t h = 0; h < m->nhosts; h++) {
        if (sp_bits_get(&floor->hosts, h)) {
            hosts++;
            probes += m->hosts[h].via != NULL;
            blind = m->hosts[h].via ? blind : m->hosts[h].name;
        }
    }
    if (floor->nlines == 0) {
        sp_check_add(problems, false, floor->pos, "nodes", floor->name,
                     "nothing is declared of '%s'", floor->name);
    } else if (hosts == 0) {
        sp_check_add(problems, false, floor->pos, "nodes", floor->name, "'%s' selects no host",
                     floor->name);
    } else if (probes == 0) {
        sp_check_add(problems, false, floor->pos, "nodes", floor->name,
                     "no host of '%s' has a probe: nobody can look at what is declared of it",
                     floor->name);
    } else if (blind && floor->level != SP_LEVEL_ANY) {
        sp_check_add(problems, false, floor->pos, "nodes", floor->name,
                     "the host '%s' has no probe: nobody can look at what is declared of it",
                     blind);
    }
    const struct sp_floor_line *drift = sp_floor_find(floor, SP_FLOOR_DRIFT);
    if (drift && probes == 1) {
        sp_check_add(problems, false, drift->pos, "nodes", floor->name,
                     "drift is what differs between hosts, but only one of '%s' has a probe",
                     floor->name);
    }
}

void sp_check_floors(const struct sp_model *model, struct sp_problems *problems)
{
    for (size_t i = 0; i < model->nfloors; i++) {
        check_floor(model, &model->floors[i], problems);
    }
}
