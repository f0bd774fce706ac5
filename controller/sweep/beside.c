/* SPDX-License-Identifier: Apache-2.0 */
#include "controller/sweep/beside.h"

#include <math.h>

#include "controller/run_priv.h"
#include "probe/base/mem.h"
#include "probe/base/table.h"

/* Leaks that miss more attempts than this, and more than controls do, come now and then. */
#define SP_ODD_LEAKS 0.02
#define SP_ODD_LEFT  0.001

/* All lanes from one network to another. */
struct path {
    uint64_t tries, missed; /* attempts at ports that leak */
    uint64_t beats, lost;
};

struct paths {
    struct sp_table rows; /* networks from << 32 | to */
    struct path *at;
    size_t n, cap;
};

static uint64_t key_of(const struct sp_run_state *run, size_t sweep)
{
    const struct sp_pair *pair = &run->plan->pairs[run->plan->sweeps[sweep].pair];
    return (uint64_t)sp_model_target_network(run->model, pair->from) << 32 |
           sp_model_target_network(run->model, pair->to);
}

static enum sp_rc add_lane(struct paths *paths, uint64_t key, const struct sp_sweep_found *found)
{
    uint32_t row = sp_table_get(&paths->rows, key);
    if (row == SP_NO_ROW) {
        if (sp_grow((void **)&paths->at, paths->n, &paths->cap, sizeof(*paths->at)) != 0 ||
            sp_table_put(&paths->rows, key, (uint32_t)paths->n) != SP_OK) {
            return SP_E_NOMEM;
        }
        row = (uint32_t)paths->n++;
        paths->at[row] = (struct path){0};
    }
    struct path *path = &paths->at[row];
    path->tries += found->leak_tries;
    path->missed += found->leak_missed;
    path->beats += found->status.beats;
    path->lost += found->status.beats_lost;
    return SP_OK;
}

/* The share of attempts at leaks that did not arrive; 0 where loss explains it. */
static double missed_of(const struct path *path)
{
    double missed = path->tries ? (double)path->missed / (double)path->tries : 0;
    double loss = path->beats ? (double)path->lost / (double)path->beats : 0;
    return missed > SP_ODD_LEAKS && missed > 2 * loss ? missed : 0;
}

static void doubt(struct sp_sweep_found *found, double missed)
{
    for (size_t i = 0; i < found->nspans; i++) {
        struct sp_seen *seen = &found->spans[i].seen;
        bool silent =
            seen->nic == 0 && seen->host == 0 && seen->elsewhere == 0 && seen->rewritten == 0;
        if (silent && seen->unsound == SP_SOUND && pow(missed, seen->attempts) > SP_ODD_LEFT) {
            seen->unsound = SP_UNSOUND_NOW_AND_THEN;
        }
    }
}

enum sp_rc sp_sweep_doubt_beside(const struct sp_run_state *run, struct sp_sweep_found *found)
{
    struct paths paths = {0};
    enum sp_rc rc = SP_OK;
    sp_table_init(&paths.rows);
    for (size_t i = 0; i < run->plan->nsweeps && rc == SP_OK; i++) {
        if (found[i].leak_tries > 0) {
            rc = add_lane(&paths, key_of(run, i), &found[i]);
        }
    }
    for (size_t i = 0; i < run->plan->nsweeps && rc == SP_OK && paths.n > 0; i++) {
        uint32_t row = sp_table_get(&paths.rows, key_of(run, i));
        double missed = row != SP_NO_ROW ? missed_of(&paths.at[row]) : 0;
        if (missed > 0) {
            doubt(&found[i], missed);
        }
    }
    sp_table_release(&paths.rows);
    sp_free(paths.at);
    return rc;
}
