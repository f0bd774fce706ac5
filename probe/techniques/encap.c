/* SPDX-License-Identifier: Apache-2.0 */
#include "probe/techniques/encap.h"

#include <errno.h>
#include <string.h>

int sp_encap_start(const struct sp_flow *flow, struct sp_tech_io *io, uint8_t kind)
{
    int err = io->nouters > 0 ? 0 : EINVAL;
    for (size_t i = 0; i < io->nouters && err == 0; i++) {
        const struct sp_outer *outer = &io->outers[i];
        struct sp_spec spec = sp_syn_spec(io->keys, flow);
        spec.wrap =
            (struct sp_wrap){.kind = kind, .src = outer->src, .dst = outer->dst, .vni = outer->vni};
        memcpy(spec.wrap.mac, outer->mac, sizeof(spec.wrap.mac));
        err = io->emit(io, &spec);
    }
    return err;
}
