/* SPDX-License-Identifier: Apache-2.0
 *
 * Volleys and beats. */
#include "probe/base/mem.h"
#include "probe/engine_state.h"

void sp_engine_volley(struct sp_engine *engine, const struct sp_rec_volley *order)
{
    (void)engine;
    (void)order;
}

uint64_t sp_engine_volleys(struct sp_engine *engine, uint64_t now_us)
{
    (void)engine;
    (void)now_us;
    return UINT64_MAX;
}

void sp_engine_volleys_end(struct sp_engine *engine)
{
    (void)engine;
}

void sp_volleys_free(struct sp_volleys *volleys)
{
    sp_free(volleys);
}
