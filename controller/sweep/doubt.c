/* SPDX-License-Identifier: Apache-2.0 */
#include "controller/sweep/doubt.h"

#include <math.h>

#include "controller/sweep/judge.h"

/* Passes of a denied lane at most. */
#define SP_PASSES_MOST 20U
/* Leaks that miss more attempts than this, and more than controls do, come now and then. */
#define SP_ODD_LEAKS   0.02

bool sp_seen_has_arrived(const struct sp_seen *seen)
{
    return seen->nic > 0 || seen->host > 0 || seen->elsewhere > 0 || seen->rewritten > 0;
}

/* Could another batch tell more? */
static bool is_curable(uint8_t unsound)
{
    return unsound == SP_UNSOUND_CONTROL_LOST || unsound == SP_UNSOUND_ATTEMPTS ||
           unsound == SP_UNSOUND_CAPTURE_DROPS || unsound == SP_UNSOUND_UNTAGGED ||
           unsound == SP_UNSOUND_NOW_AND_THEN || unsound == SP_UNSOUND_NOT_SENT ||
           unsound == SP_UNSOUND_STATE_FULL;
}

void sp_sweep_note_odd(struct sp_sweep_found *found)
{
    const struct sp_sweep_status *status = &found->status;
    double loss = status->beats ? (double)status->beats_lost / status->beats : 0;
    double missed = found->leak_tries ? (double)found->leak_missed / (double)found->leak_tries : 0;
    if (missed > SP_ODD_LEAKS && missed > 2 * loss && missed > found->odd) {
        found->odd = missed;
    }
}

/* Does the silence of this range stand for anything beside leaks that come only now and then? */
static bool is_enough(const struct sp_sweep_found *found, const struct sp_seen *seen)
{
    return found->odd <= 0 || (found->odd < 1 && pow(found->odd, seen->attempts) <= 0.001);
}

/* Does an allowed port have to be asked (again)? Of the tries that a slow batch made, it may lose
 * as many as the declaration permits. */
static bool is_shaky(const struct sp_run_state *run, const struct sp_sweep_found *found,
                     const struct sp_seen *seen)
{
    unsigned works = seen->host < seen->answered ? seen->host : seen->answered;
    double limit = found->asked > 1 ? run->model->limits.loss * seen->attempts : 0;
    return seen->attempts == 0 || seen->attempts - (double)works > limit;
}

enum sp_rc sp_sweep_doubtful(const struct sp_run_state *run, const struct sp_sweep_found *found,
                             uint32_t sweep, struct sp_portset *denied, struct sp_portset *allowed)
{
    struct sp_portset all_denied = {0};
    struct sp_portset all_allowed = {0};
    struct sp_portset served = {0};
    enum sp_rc rc = sp_sweep_ports(run, sweep, &all_denied, &all_allowed, &served);
    for (size_t i = 0; i < found->nspans && rc == SP_OK; i++) {
        const struct sp_sweep_span *span = &found->spans[i];
        const struct sp_seen *seen = &span->seen;
        bool raw_may =
            seen->unsound == SP_UNSOUND_SENDER_ARM && found->needs_raw && span->injected_link;
        bool open = raw_may || is_curable((uint8_t)seen->unsound) ||
                    (seen->unsound == SP_SOUND && !is_enough(found, seen));
        for (uint32_t port = span->lo; port <= span->hi; port++) {
            bool deny = sp_portset_has(&all_denied, (uint16_t)port);
            bool by_policy = deny && seen->sender_policy && run->sweep_link;
            if (deny && !sp_seen_has_arrived(seen) && (open || by_policy)) {
                sp_portset_add(denied, (uint16_t)port);
            } else if (!deny && sp_portset_has(&all_allowed, (uint16_t)port) &&
                       (is_curable((uint8_t)seen->unsound) || is_shaky(run, found, seen))) {
                sp_portset_add(allowed, (uint16_t)port);
            }
        }
    }
    if (found->nspans == 0) {
        *denied = all_denied;
        *allowed = all_allowed;
    }
    return rc;
}

unsigned sp_sweep_passes(const struct sp_run_state *run, const struct sp_sweep_found *found,
                         uint32_t sweep, bool only_allowed)
{
    const struct sp_pair *pair = &run->plan->pairs[run->plan->sweeps[sweep].pair];
    unsigned ways = sp_plan_ways(run->model, pair);
    unsigned n = run->attempts_min ? run->attempts_min : SP_SWEEP_ATTEMPTS;
    unsigned flows = ways > 1 ? sp_plan_flows_past(ways, 0) : n;
    unsigned odd = found->odd > 0 ? sp_plan_flows_past(1, found->odd) : n;
    n = flows > n ? flows : n;
    n = odd > n ? odd : n;
    n = n < SP_PASSES_MOST ? n : SP_PASSES_MOST;
    return only_allowed && found->asked > 0 ? SP_PLAN_ALLOW_ATTEMPTS : n;
}

void sp_sweep_close(const struct sp_run_state *run, struct sp_sweep_found *found)
{
    for (size_t i = 0; i < found->nspans; i++) {
        struct sp_seen *seen = &found->spans[i].seen;
        if (seen->unsound == SP_SOUND && !sp_seen_has_arrived(seen) && !is_enough(found, seen)) {
            seen->unsound = SP_UNSOUND_NOW_AND_THEN;
        }
        /* Of an allowed port: lost, and lost again when it was asked slowly. */
        seen->loss_confirmed = found->asked > 2 && is_shaky(run, found, seen);
    }
    found->is_settled = true;
}
