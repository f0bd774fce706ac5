/* SPDX-License-Identifier: Apache-2.0
 *
 * Lints of endpoints. */
#include "topologies/check.h"
#include "topologies/endpoint.h"

/* A SYN is sent again after a second. */
#define CLOSED_STEP_MIN_MS 2000U

static bool has_prober(const struct sp_model *m, const struct sp_endpoint *e)
{
    for (size_t h = 0; h < m->nhosts; h++) {
        if (m->hosts[h].via && sp_bits_get(&e->from, h)) {
            return true;
        }
    }
    return false;
}

static void check_one(const struct sp_model *m, const struct sp_endpoint *e,
                      struct sp_problems *problems)
{
    bool is_name = e->addr.family == SP_FAMILY_NONE;
    if (e->from.nbits > 0 && !has_prober(m, e)) {
        sp_check_add(problems, false, e->pos, "endpoints", e->name,
                     "none of the hosts that '%s' is looked at from has a probe, so nobody looks",
                     e->name);
    }
    if (e->is_closed && (e->is_tls || e->path || e->nredirects > 0)) {
        sp_check_add(problems, true, e->pos, "endpoints", e->name,
                     "'%s' is declared closed, so it answers nothing: leave tls, http and "
                     "redirects out",
                     e->name);
    }
    if (e->is_closed && e->step_ms < CLOSED_STEP_MIN_MS) {
        sp_check_add(
            problems, true, e->pos, "endpoints", e->name,
            "the time-out of '%s' is too short to show that it is closed: give it at least "
            "2s, so that more than one packet is sent",
            e->name);
    }
    if (e->nredirects > 0 && !e->path) {
        sp_check_add(problems, true, e->pos, "endpoints", e->name,
                     "the redirects of '%s' come in answers to a request: give it http, such as "
                     "http: { path: / }",
                     e->name);
    }
    if (!is_name && (e->nservers > 0 || e->by_tcp)) {
        sp_check_add(problems, true, e->pos, "endpoints", e->name,
                     "the host of '%s' is an address, which no name server is asked for: leave dns "
                     "out",
                     e->name);
    }
    if (is_name && e->is_closed && e->naddrs == 0) {
        sp_check_add(problems, false, e->pos, "endpoints", e->name,
                     "'%s' can be shown to be closed only where its name resolves: give it an "
                     "address, too",
                     e->name);
    }
}

void sp_check_endpoints(const struct sp_model *m, struct sp_problems *problems)
{
    for (size_t i = 0; i < m->nendpoints; i++) {
        check_one(m, &m->endpoints[i], problems);
    }
}
