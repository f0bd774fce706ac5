/* SPDX-License-Identifier: Apache-2.0
 *
 * Causes in the JSON report: the worst first, each with where it lies and the flows that show it.
 */
#include "reports/formats/json_out.h"
#include "reports/group.h"

static void add_flows(const struct sp_summary *summary, const struct sp_cause_group *cause,
                      struct sp_json *json)
{
    const struct sp_model *model = summary->result->model;
    cJSON *flows = sp_json_array(json, "flows");
    for (size_t i = 0; i < cause->nfindings; i++) {
        const struct sp_finding *f = &summary->findings[cause->findings[i]];
        struct sp_json flow = sp_json_begin();
        sp_json_str(&flow, "from", sp_model_target_name(model, f->from));
        sp_json_str(&flow, "to", sp_model_target_name(model, f->to));
        sp_json_str(&flow, "family", sp_family_str(f->family));
        sp_json_str(&flow, "protocol", sp_proto_str(f->proto));
        sp_json_str(&flow, "ports", f->ports);
        sp_json_str(&flow, "technique", sp_technique_name(f->technique));
        sp_json_append_object(json, flows, &flow);
    }
}

void sp_json_causes(const struct sp_summary *summary, struct sp_buf *out)
{
    sp_json_open_array(out, "causes");
    for (size_t i = 0; i < summary->ncauses; i++) {
        const struct sp_cause_group *cause = &summary->causes[i];
        struct sp_json json = sp_json_begin();
        sp_json_str(&json, "cause", cause->cause);
        sp_json_str(&json, "remedy", cause->remedy);
        sp_json_str(&json, "severity", sp_severity_str(cause->severity));
        cJSON *ids = sp_json_array(&json, "findings");
        for (size_t k = 0; k < cause->nfindings; k++) {
            sp_json_append(&json, ids, summary->findings[cause->findings[k]].id);
        }
        sp_json_str(&json, "policy", cause->policy);
        sp_json_str(&json, "verdict", sp_verdict_str((enum sp_verdict)cause->verdict));
        sp_json_str(&json, "where", cause->where);
        sp_json_str(&json, "enforcement",
                    sp_place_enforcement(summary->result->model, &cause->place));
        sp_json_u64(&json, "flow_count", cause->nflows);
        add_flows(summary, cause, &json);
        sp_json_str(&json, "repeat", cause->repeat);
        sp_json_add_line(out, &json, i);
    }
    sp_json_close_array(out, summary->ncauses);
}
