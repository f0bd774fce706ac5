/* SPDX-License-Identifier: Apache-2.0 */
#include "reports/result.h"

#include <string.h>

#include "probe/base/mem.h"

static enum sp_rc make_backend_flows(struct sp_result *result)
{
    for (size_t i = 0; i < result->plan->ntests; i++) {
        const struct sp_test *test = &result->plan->tests[i];
        const struct sp_listener *listener = sp_result_listener(result->model, result->plan, test);
        if (listener) {
            uint16_t **flows = &result->outcomes[i].backend_flows;
            *flows = sp_calloc(listener->nbackends, sizeof(**flows));
            if (!*flows) {
                return SP_E_NOMEM;
            }
        }
    }
    return SP_OK;
}

const struct sp_listener *sp_result_listener(const struct sp_model *model,
                                             const struct sp_plan *plan, const struct sp_test *test)
{
    const struct sp_pair *pair = &plan->pairs[test->pair];
    return pair->is_balanced && !pair->one_sided && test->expect != SP_EXPECT_DENY
               ? sp_model_listener(model, pair->to, test->proto, test->port)
               : NULL;
}

struct sp_case sp_result_case(const struct sp_model *model, const struct sp_plan *plan,
                              const struct sp_test *test)
{
    const struct sp_pair *pair = &plan->pairs[test->pair];
    /* What no listener passes on ends at the balancer itself, where nobody looks. */
    bool at_balancer = pair->is_balanced && test->expect != SP_EXPECT_DENY &&
                       !sp_result_listener(model, plan, test);
    return (struct sp_case){.expect = test->expect,
                            .layer = pair->layer,
                            .reject_declared = test->reject_declared,
                            .one_sided = pair->one_sided || at_balancer,
                            .balanced = pair->is_balanced};
}

enum sp_rc sp_result_new(const struct sp_model *model, const struct sp_plan *plan,
                         struct sp_result **ret_result)
{
    struct sp_result *result = sp_calloc(1, sizeof(*result));
    if (!result) {
        return SP_E_NOMEM;
    }
    result->model = model;
    result->plan = plan;
    result->outcomes = sp_calloc(plan->ntests, sizeof(*result->outcomes));
    result->tests = sp_calloc(plan->ntests, sizeof(*result->tests));
    result->sweeps = sp_calloc(plan->nsweeps, sizeof(*result->sweeps));
    result->ntests = result->cap_tests = plan->ntests;
    result->hosts = sp_calloc(model->nhosts, sizeof(*result->hosts));
    if (!result->outcomes || !result->tests || !result->sweeps || !result->hosts ||
        make_backend_flows(result) != SP_OK) {
        sp_result_free(result);
        return SP_E_NOMEM;
    }
    if (plan->ntests > 0) {
        memcpy(result->tests, plan->tests, plan->ntests * sizeof(*plan->tests));
    }
    /* Zero would read as "holds": a test that nobody ever judged must not. */
    for (size_t i = 0; i < plan->ntests; i++) {
        struct sp_outcome *outcome = &result->outcomes[i];
        outcome->seen.unsound = SP_UNSOUND_INTERRUPTED;
        outcome->seen.elsewhere_host = SP_NONE;
        outcome->judged = (struct sp_judgement){.verdict = SP_VERDICT_INCONCLUSIVE,
                                                .row = 3,
                                                .noted = SP_VERDICT_INCONCLUSIVE,
                                                .reason = SP_UNSOUND_INTERRUPTED};
    }
    for (size_t i = 0; i < model->nhosts; i++) {
        result->hosts[i].host = (uint32_t)i;
    }
    *ret_result = result;
    return SP_OK;
}

enum sp_rc sp_result_add(struct sp_result *result, const struct sp_test *test,
                         const struct sp_outcome *outcome)
{
    if (result->evidence && sp_evidence_grow(result->evidence, result->ntests + 1) != SP_OK) {
        return SP_E_NOMEM;
    }
    if (result->ntests == result->cap_tests) {
        size_t cap = result->cap_tests < 64 ? 64 : result->cap_tests * 2;
        struct sp_test *tests = sp_calloc(cap, sizeof(*tests));
        struct sp_outcome *outcomes = sp_calloc(cap, sizeof(*outcomes));
        if (!tests || !outcomes) {
            sp_free(tests);
            sp_free(outcomes);
            return SP_E_NOMEM;
        }
        if (result->ntests > 0) {
            memcpy(tests, result->tests, result->ntests * sizeof(*tests));
            memcpy(outcomes, result->outcomes, result->ntests * sizeof(*outcomes));
        }
        sp_free(result->tests);
        sp_free(result->outcomes);
        result->tests = tests;
        result->outcomes = outcomes;
        result->cap_tests = cap;
    }
    result->tests[result->ntests] = *test;
    result->outcomes[result->ntests++] = *outcome;
    return SP_OK;
}

void sp_result_free(struct sp_result *result)
{
    if (!result) {
        return;
    }
    for (size_t i = 0; result->outcomes && i < result->ntests; i++) {
        sp_free(result->outcomes[i].backend_flows);
    }
    sp_free(result->outcomes);
    sp_free(result->tests);
    sp_free(result->sweeps);
    sp_free(result->hosts);
    sp_evidence_free(result->evidence);
    sp_claims_release(&result->claims);
    sp_free(result);
}
