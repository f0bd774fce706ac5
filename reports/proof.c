/* SPDX-License-Identifier: Apache-2.0
 *
 * Which packets speak for a finding, and what its evidence file is called: the verdict and the
 * finding's number among those of this verdict, so that a name leads back into the report. */
#include <stdio.h>

#include "probe/base/mem.h"
#include "reports/group.h"

enum sp_rc sp_finding_proof(const struct sp_result *result, const struct sp_entry *entries,
                            size_t n, struct sp_finding *finding)
{
    size_t cap = 0;
    for (size_t i = 0; i < n; i++) {
        if (!sp_evidence_has(result->evidence, entries[i].test)) {
            continue;
        }
        if (sp_grow((void **)&finding->proof, finding->nproof, &cap, sizeof(*finding->proof)) !=
            0) {
            return SP_E_NOMEM;
        }
        finding->proof[finding->nproof++] = entries[i].test;
    }
    return SP_OK;
}

/* Were all its ports found by a run that this one goes on with? */
static bool is_taken_over(const struct sp_result *result, const struct sp_finding *finding)
{
    const struct sp_test *test = &result->tests[finding->sample];
    for (size_t i = 0; i < result->plan->nsweeps; i++) {
        const struct sp_plan_sweep *sweep = &result->plan->sweeps[i];
        if (sweep->pair == test->pair && sweep->proto == test->proto) {
            return result->sweeps[i].is_resumed;
        }
    }
    return false;
}

static const char *why_none(const struct sp_result *result, const struct sp_finding *finding)
{
    const struct sp_seen *seen = &result->outcomes[finding->sample].seen;
    if (seen->sender_policy) {
        return "none: the sender's own firewall refused to send, so there is no packet";
    }
    uint8_t why = result->tests[finding->sample].why;
    if (why == SP_WHY_SWEPT && is_taken_over(result, finding)) {
        return "none: taken over from the run that this one resumes, whose packets are gone";
    }
    if (why == SP_WHY_SWEPT) {
        return result->evidence->lost > 0
                   ? "none: its packets were not kept or not fetched: too many others came first"
                   : "none: the probes keep the first packets of a sweep, and none of them is of "
                     "these ports";
    }
    return result->evidence->lost > 0
               ? "none: its packets were not kept or not fetched: too many others came first"
               : "none: no probe has kept a packet of it, for its host was lost";
}

enum sp_rc sp_name_evidence(struct sp_summary *summary)
{
    uint32_t numbers[SP_VERDICT_COUNT] = {0};
    for (size_t i = 0; summary->result->evidence && i < summary->nfindings; i++) {
        struct sp_finding *finding = &summary->findings[i];
        uint32_t number = ++numbers[finding->verdict];
        if (finding->nproof == 0) {
            finding->no_evidence = why_none(summary->result, finding);
            continue;
        }
        char name[SP_EVIDENCE_NAME_MAX];
        (void)snprintf(name, sizeof(name), "%s-%u" SP_EVIDENCE_EXTENSION,
                       sp_verdict_str(finding->verdict), (unsigned)number);
        finding->evidence = sp_strdup(name);
        if (!finding->evidence) {
            return SP_E_NOMEM;
        }
    }
    return SP_OK;
}
