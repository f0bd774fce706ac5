/* SPDX-License-Identifier: Apache-2.0 */
#include "reports/formats/json_out.h"
#include "reports/summary.h"

static const char *target_name(const struct sp_model *model, uint32_t target)
{
    return target < sp_model_ntargets(model) ? sp_model_target_name(model, target) : NULL;
}

void sp_json_claims(const struct sp_summary *summary, struct sp_buf *out)
{
    const struct sp_claims *claims = &summary->result->claims;
    const struct sp_model *model = summary->result->model;
    sp_json_open_array(out, "claims");
    for (size_t i = 0; i < claims->n; i++) {
        const struct sp_claim *claim = &claims->at[i];
        struct sp_json json = sp_json_begin();
        const char *verdict = sp_claim_verdict_str(claim->verdict);
        bool fails = claim->verdict == SP_CLAIM_FAILS;
        sp_json_str(&json, "kind", sp_claim_kind_str(claim->kind));
        sp_json_str(&json, "check", claim->check);
        sp_json_str(&json, "subject", claim->subject);
        sp_json_str(&json, "verdict", verdict ? verdict : "unknown");
        sp_json_str(&json, "severity", fails ? sp_severity_str(claim->severity) : NULL);
        sp_json_str(&json, "host", target_name(model, claim->host));
        sp_json_str(&json, "target", target_name(model, claim->target));
        sp_json_str(&json, "expected", claim->expected);
        sp_json_str(&json, "observed", claim->observed);
        sp_json_str(&json, "source", claim->source);
        sp_json_str(&json, "cause", claim->cause);
        sp_json_str(&json, "remedy", claim->remedy);
        sp_json_u64(&json, "line", claim->pos.line);
        sp_json_add_line(out, &json, i);
    }
    sp_json_close_array(out, claims->n);
}

void sp_json_claim_counts(const struct sp_summary *summary, struct sp_json *json)
{
    const struct sp_counts *counts = &summary->counts;
    struct sp_json claims = sp_json_begin();
    sp_json_u64(&claims, "holds", counts->claims_held);
    sp_json_u64(&claims, "fails", counts->claims_failed);
    sp_json_u64(&claims, "unknown", counts->claims_unknown);
    sp_json_u64(&claims, "not_observable", counts->claims_not_observable);
    sp_json_object(json, "claims", &claims);
}
