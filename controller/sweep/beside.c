/* SPDX-License-Identifier: Apache-2.0 */
#include "controller/sweep/beside.h"

#include <math.h>

#include "controller/run_priv.h"
#include "probe/base/mem.h"
#include "probe/base/table.h"

#define SP_ODD_LEFT 0.001

/* From one network to another: the largest share of attempts at leaks that did not arrive though
 * controls did. */
struct paths {
    struct sp_table rows; /* networks from << 32 | to */
    double *odd;          /* owned */
    size_t n, cap;
};

static uint64_t key_of(const struct sp_run_state *run, size_t sweep)
{
    const struct sp_pair *pair = &run->plan->pairs[run->plan->sweeps[sweep].pair];
    return (uint64_t)sp_model_target_network(run->model, pair->from) << 32 |
           sp_model_target_network(run->model, pair->to);
}

static enum sp_rc add_lane(struct paths *paths, uint64_t key, double odd)
{
    uint32_t row = sp_table_get(&paths->rows, key);
    if (row == SP_NO_ROW) {
        if (sp_grow((void **)&paths->odd, paths->n, &paths->cap, sizeof(*paths->odd)) != 0 ||
            sp_table_put(&paths->rows, key, (uint32_t)paths->n) != SP_OK) {
            return SP_E_NOMEM;
        }
        row = (uint32_t)paths->n++;
        paths->odd[row] = 0;
    }
    paths->odd[row] = odd > paths->odd[row] ? odd : paths->odd[row];
    return SP_OK;
}

static void doubt(struct sp_sweep_found *found, double odd)
{
    for (size_t i = 0; i < found->nspans; i++) {
        struct sp_seen *seen = &found->spans[i].seen;
        bool silent =
            seen->nic == 0 && seen->host == 0 && seen->elsewhere == 0 && seen->rewritten == 0;
        if (silent && seen->unsound == SP_SOUND && pow(odd, seen->attempts) > SP_ODD_LEFT) {
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
        if (found[i].odd > 0) {
            rc = add_lane(&paths, key_of(run, i), found[i].odd);
        }
    }
    for (size_t i = 0; i < run->plan->nsweeps && rc == SP_OK && paths.n > 0; i++) {
        uint32_t row = sp_table_get(&paths.rows, key_of(run, i));
        if (row != SP_NO_ROW) {
            doubt(&found[i], paths.odd[row]);
        }
    }
    sp_table_release(&paths.rows);
    sp_free(paths.odd);
    return rc;
}
