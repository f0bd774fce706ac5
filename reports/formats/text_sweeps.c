/* SPDX-License-Identifier: Apache-2.0
 *
 * How the sweeps of a run went, put together; -v adds each of them. */
#include <string.h>

#include "probe/base/mem.h"
#include "reports/formats/text_out.h"
#include "reports/group.h"

/* All sweeps that ran. A sender's windows hold all its sweeps to one receiver, so windows are
 * counted once per pair of hosts; the sweeps of such a pair follow each other. */
struct whole {
    uint64_t sweeps, resumed, ports, hosts;
    uint64_t volleys, repeats, pilot_sent, pilot_refused;
    uint64_t by_link;
    uint32_t pps_lowest, pps_highest;
    uint32_t passes; /* the fewest */
};

static bool is_done(const struct sp_sweep_status *status)
{
    return status->is_run || status->is_resumed;
}

/* The windows of the pair of hosts that sweep i begins; *ret_end is behind its last sweep. */
static void add_windows(const struct sp_result *result, size_t i, size_t *ret_end,
                        struct whole *whole)
{
    const struct sp_plan *plan = result->plan;
    const struct sp_pair *first = &plan->pairs[plan->sweeps[i].pair];
    uint32_t volleys = 0;
    uint32_t repeats = 0;
    for (; i < plan->nsweeps; i++) {
        const struct sp_pair *pair = &plan->pairs[plan->sweeps[i].pair];
        const struct sp_sweep_status *status = &result->sweeps[i];
        if (pair->from != first->from || pair->to != first->to) {
            break;
        }
        volleys = status->volleys > volleys ? status->volleys : volleys;
        repeats = status->repeats > repeats ? status->repeats : repeats;
    }
    whole->volleys += volleys;
    whole->repeats += repeats;
    *ret_end = i;
}

static void add_sweep(const struct sp_plan_sweep *sweep, const struct sp_sweep_status *status,
                      struct whole *whole)
{
    whole->sweeps++;
    whole->resumed += status->is_resumed;
    whole->ports += (uint64_t)sweep->denied + sweep->allowed;
    whole->by_link += status->injected_link;
    whole->pilot_sent += status->pilot_sent;
    whole->pilot_refused += status->pilot_refused;
    if (whole->sweeps == 1 || status->passes < whole->passes) {
        whole->passes = status->passes;
    }
    if (status->pps_lowest > 0 &&
        (whole->pps_lowest == 0 || status->pps_lowest < whole->pps_lowest)) {
        whole->pps_lowest = status->pps_lowest;
    }
    whole->pps_highest =
        status->pps_highest > whole->pps_highest ? status->pps_highest : whole->pps_highest;
}

static enum sp_rc gather(const struct sp_result *result, struct whole *whole)
{
    const struct sp_plan *plan = result->plan;
    bool *hosts = sp_calloc(result->model->nhosts, sizeof(*hosts));
    if (!hosts) {
        return SP_E_NOMEM;
    }
    for (size_t i = 0; i < plan->nsweeps; i++) {
        const struct sp_pair *pair = &plan->pairs[plan->sweeps[i].pair];
        if (is_done(&result->sweeps[i])) {
            add_sweep(&plan->sweeps[i], &result->sweeps[i], whole);
            hosts[pair->from] = hosts[pair->to] = true;
        }
    }
    for (size_t i = 0; i < plan->nsweeps;) {
        add_windows(result, i, &i, whole);
    }
    for (size_t h = 0; h < result->model->nhosts; h++) {
        whole->hosts += hosts[h];
    }
    sp_free(hosts);
    return SP_OK;
}

static void add_times(struct sp_text *text, uint32_t n)
{
    if (n == 1 || n == 2) {
        sp_text_add(text, n == 1 ? "once" : "twice");
    } else {
        sp_text_add_count(text, n, "time", "times");
    }
}

static void add_rates(struct sp_text *text, uint32_t lowest, uint32_t highest)
{
    if (highest == 0) {
        return;
    }
    sp_text_add(text, ", at ");
    if (lowest > 0 && lowest < highest) {
        sp_text_add_number(text, lowest);
        sp_text_add(text, " to ");
    }
    sp_text_add_number(text, highest);
    sp_text_add(text, " packets/s");
}

static void add_again(struct sp_text *text, uint64_t volleys, uint64_t repeats)
{
    if (volleys == 0) {
        return;
    }
    sp_text_add(text, "; ");
    if (repeats == 0) {
        sp_text_add(text, "none");
    } else {
        sp_text_add_number(text, repeats);
    }
    sp_text_add(text, " of ");
    sp_text_add_count(text, volleys, "window", "windows");
    sp_text_add(text, repeats == 1 ? " was sent again after loss" : " were sent again after loss");
}

static void add_injection(struct sp_text *text, const struct whole *whole)
{
    if (whole->by_link == 0) {
        sp_text_add(text, "raw IP, through the sender's own policy");
        sp_text_field(text, "sent by");
        return;
    }
    if (whole->by_link < whole->sweeps) {
        sp_text_add(text, "link injection in ");
        sp_text_add_number(text, whole->by_link);
        sp_text_add(text, " of ");
        sp_text_add_count(text, whole->sweeps, "sweep, raw IP", "sweeps, raw IP");
        sp_text_add(text, " in the others; ");
    } else {
        sp_text_add(text, "link injection, ");
    }
    if (whole->pilot_sent == 0) {
        sp_text_add(text, "no pilot through the sender's own policy");
    } else {
        sp_text_add(text, "pilot of ");
        sp_text_add_count(text, whole->pilot_sent, "packet", "packets");
        sp_text_add(text, " through the sender's own policy: ");
        if (whole->pilot_refused == 0) {
            sp_text_add(text, "none");
        } else {
            sp_text_add_number(text, whole->pilot_refused);
        }
        sp_text_add(text, " refused");
    }
    sp_text_field(text, "sent by");
}

static void show_each(struct sp_text *text)
{
    const struct sp_result *result = text->summary->result;
    for (size_t i = 0; i < result->plan->nsweeps; i++) {
        const struct sp_plan_sweep *sweep = &result->plan->sweeps[i];
        const struct sp_pair *pair = &result->plan->pairs[sweep->pair];
        const struct sp_sweep_status *status = &result->sweeps[i];
        sp_text_add(text, "    ");
        sp_text_add_flow(text, pair->from, pair->to, sweep->proto, sp_family_str(pair->family), "");
        sp_text_add(text, "  ");
        sp_text_add_number(text, sweep->denied);
        sp_text_add(text, " denied and ");
        sp_text_add_number(text, sweep->allowed);
        sp_text_add(text, " allowed ports");
        if (!is_done(status)) {
            sp_text_add(text, ", not reached");
        } else {
            sp_text_add(text, ", ");
            add_times(text, status->passes);
            add_rates(text, status->pps_lowest, status->pps_highest);
            sp_text_add(text, status->injected_link ? ", link injection" : ", raw IP");
            sp_text_add(text, ", control ");
            sp_text_add(text, sp_grade_str(status->grade));
            sp_text_add(text, ", ");
            sp_text_add_number(text, status->beats_lost);
            sp_text_add(text, " of ");
            sp_text_add_count(text, status->beats, "control packet lost", "control packets lost");
            sp_text_add(text, status->is_resumed ? ", taken over" : "");
        }
        sp_text_wrap(text, 0, 6);
    }
}

void sp_text_sweeps(struct sp_text *text)
{
    const struct sp_result *result = text->summary->result;
    struct whole whole = {0};
    if (result->plan->nsweeps == 0) {
        return;
    }
    if (gather(result, &whole) != SP_OK) {
        text->out->rc = SP_E_NOMEM;
        return;
    }
    sp_text_heading(text, "SWEEPS", "every port between two probes");
    if (whole.sweeps > 0) {
        sp_text_add_count(text, whole.ports, "port", "ports");
        sp_text_add(text, " between ");
        sp_text_add_count(text, whole.hosts, "host", "hosts");
        if (whole.passes == 0) {
            sp_text_add(text, ", some not tried often enough");
        } else {
            sp_text_add(text, ", each at least ");
            add_times(text, whole.passes);
        }
        add_rates(text, whole.pps_lowest, whole.pps_highest);
        add_again(text, whole.volleys, whole.repeats);
        sp_text_field(text, "swept");
        add_injection(text, &whole);
    }
    if (whole.resumed > 0) {
        sp_text_add_count(text, whole.resumed, "sweep was", "sweeps were");
        sp_text_add(text, " taken over from the run that this one resumes");
        sp_text_field(text, "resumed");
    }
    if (whole.sweeps < result->plan->nsweeps) {
        uint64_t left = result->plan->nsweeps - whole.sweeps;
        sp_text_add_number(text, left);
        sp_text_add(text, " of ");
        sp_text_add_count(text, result->plan->nsweeps, "sweep", "sweeps");
        sp_text_add(text, left == 1 ? " was not reached" : " were not reached");
        sp_text_field(text, "open");
    }
    if (text->verbosity > 0) {
        show_each(text);
    }
}
