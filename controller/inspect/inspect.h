/* SPDX-License-Identifier: Apache-2.0
 *
 * What a run looks at beside the flows of its plan: nodes, endpoints, the behaviour of balancers.
 * Everything ends as claims of the result (reports/claim.h). One file per kind, with the two
 * functions of struct sp_inspector; it looks after all flows are judged, with the same probes. */
#ifndef SP_CONTROLLER_INSPECT_H
#define SP_CONTROLLER_INSPECT_H

#include "controller/run.h"
#include "reports/claim.h"

struct sp_inspect {
    bool kinds[SP_CLAIM_KIND_COUNT]; /* that are to be looked at: --only, --skip */
    struct sp_bits from, to;         /* targets that were selected; no bits = all */
    struct sp_result *result;        /* borrowed; gets the claims */
};

struct sp_inspector {
    /* Sets the bit of every host whose probe is needed for what is declared and selected. */
    void (*want)(const struct sp_inspect *inspect, const struct sp_model *model,
                 struct sp_bits *hosts);
    /* Before the probes start: what else they may do for it; NULL = nothing. */
    enum sp_rc (*allow)(const struct sp_inspect *inspect, struct sp_fleet *fleet);
    /* Looks, and adds one claim for each thing that is declared and selected, also where nobody
     * could look. Leaves without a word when the fleet's stop flag is set: what was not looked at
     * is UNKNOWN. */
    enum sp_rc (*look)(const struct sp_inspect *inspect, struct sp_run_state *run,
                       struct sp_diag *diag);
};
extern const struct sp_inspector sp_inspect_nodes;
extern const struct sp_inspector sp_inspect_endpoints;
extern const struct sp_inspector sp_inspect_balancers;
/* Does the host stand where the balancer's health checks come from, and are any declared? */
bool sp_inspect_is_prober(const struct sp_model *model, const struct sp_balancer *balancer,
                          uint32_t host);

/* Is a target selected as one end (from), as the other (to), or as either? */
bool sp_inspect_is_from(const struct sp_inspect *inspect, uint32_t target);
bool sp_inspect_is_to(const struct sp_inspect *inspect, uint32_t target);

/* "nodes", "endpoints", "balancers": what --only and --skip call a kind; NULL past the last. */
const char *sp_inspect_kind_name(unsigned kind);

/* Hosts whose probes are needed; the bits are made here, for the caller to release. */
enum sp_rc sp_inspect_wants(const struct sp_inspect *inspect, const struct sp_model *model,
                            struct sp_bits *ret_hosts) SP_MUST_CHECK;
/* For sp_run_options.before and .after: arg is the struct sp_inspect. */
enum sp_rc sp_inspect_allow(void *arg, struct sp_fleet *fleet) SP_MUST_CHECK;
enum sp_rc sp_inspect_run(void *arg, struct sp_run_state *run, struct sp_diag *diag) SP_MUST_CHECK;
void sp_inspect_release(struct sp_inspect *inspect);

#endif
