/* SPDX-License-Identifier: Apache-2.0 */
#include "controller/inspect/inspect.h"

/* NULL: this version looks at nothing of that kind. */
static const struct sp_inspector *const inspectors[SP_CLAIM_KIND_COUNT] = {
    [SP_CLAIM_NODE] = &sp_inspect_nodes,
    [SP_CLAIM_ENDPOINT] = &sp_inspect_endpoints,
    [SP_CLAIM_BALANCER] = &sp_inspect_balancers,
};

const char *sp_inspect_kind_name(unsigned kind)
{
    static const char *const names[SP_CLAIM_KIND_COUNT] = {"nodes", "endpoints", "balancers"};
    return kind < SP_CLAIM_KIND_COUNT ? names[kind] : NULL;
}

bool sp_inspect_is_from(const struct sp_inspect *inspect, uint32_t target)
{
    return inspect->from.nbits == 0 || sp_bits_get(&inspect->from, target);
}

bool sp_inspect_is_to(const struct sp_inspect *inspect, uint32_t target)
{
    return inspect->to.nbits == 0 || sp_bits_get(&inspect->to, target);
}

enum sp_rc sp_inspect_wants(const struct sp_inspect *inspect, const struct sp_model *model,
                            struct sp_bits *ret_hosts)
{
    enum sp_rc rc = sp_bits_init(ret_hosts, model->nhosts);
    for (size_t k = 0; k < SP_CLAIM_KIND_COUNT && rc == SP_OK; k++) {
        if (inspectors[k] && inspect->kinds[k]) {
            inspectors[k]->want(inspect, model, ret_hosts);
        }
    }
    return rc;
}

enum sp_rc sp_inspect_allow(void *arg, struct sp_fleet *fleet)
{
    const struct sp_inspect *inspect = arg;
    enum sp_rc rc = SP_OK;
    for (size_t k = 0; k < SP_CLAIM_KIND_COUNT && rc == SP_OK; k++) {
        if (inspectors[k] && inspectors[k]->allow && inspect->kinds[k]) {
            rc = inspectors[k]->allow(inspect, fleet);
        }
    }
    return rc;
}

enum sp_rc sp_inspect_run(void *arg, struct sp_run_state *run, struct sp_diag *diag)
{
    const struct sp_inspect *inspect = arg;
    enum sp_rc rc = SP_OK;
    for (size_t k = 0; k < SP_CLAIM_KIND_COUNT && rc == SP_OK; k++) {
        if (inspectors[k] && inspect->kinds[k]) {
            rc = inspectors[k]->look(inspect, run, diag);
        }
    }
    sp_claims_sort(&inspect->result->claims);
    return rc;
}

void sp_inspect_release(struct sp_inspect *inspect)
{
    sp_bits_release(&inspect->from);
    sp_bits_release(&inspect->to);
}
