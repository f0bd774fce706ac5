/* SPDX-License-Identifier: Apache-2.0
 *
 * The array "sweeps": how each sweep of the plan went. */
#include "reports/formats/json_out.h"
#include "reports/group.h"

void sp_json_sweeps(const struct sp_summary *summary, struct sp_buf *out)
{
    const struct sp_result *result = summary->result;
    const struct sp_plan *plan = result->plan;
    sp_json_open_array(out, "sweeps");
    for (size_t i = 0; i < plan->nsweeps; i++) {
        const struct sp_plan_sweep *sweep = &plan->sweeps[i];
        const struct sp_pair *pair = &plan->pairs[sweep->pair];
        const struct sp_sweep_status *status = &result->sweeps[i];
        struct sp_json json = sp_json_begin();
        char addr[SP_ADDR_STRLEN];
        sp_json_str(&json, "from", sp_model_target_name(result->model, pair->from));
        sp_json_str(&json, "to", sp_model_target_name(result->model, pair->to));
        sp_json_str(&json, "source", sp_addr_str(&pair->src, addr));
        sp_json_str(&json, "destination", sp_addr_str(&pair->dst, addr));
        sp_json_str(&json, "family", sp_family_str(pair->family));
        sp_json_str(&json, "protocol", sp_proto_str(sweep->proto));
        sp_json_bool(&json, "run", status->is_run);
        sp_json_bool(&json, "resumed", status->is_resumed);
        sp_json_u64(&json, "denied", sweep->denied);
        sp_json_u64(&json, "allowed", sweep->allowed);
        sp_json_u64(&json, "passes", status->passes);
        sp_json_str(&json, "injected", status->injected_link ? "link" : "raw");
        sp_json_str(&json, "control", sp_grade_str(status->grade));
        sp_json_u64(&json, "volleys", status->volleys);
        sp_json_u64(&json, "repeats", status->repeats);
        sp_json_u64(&json, "pps_lowest", status->pps_lowest);
        sp_json_u64(&json, "pps_highest", status->pps_highest);
        sp_json_u64(&json, "packets", status->packets);
        sp_json_u64(&json, "beats", status->beats);
        sp_json_u64(&json, "beats_lost", status->beats_lost);
        sp_json_u64(&json, "pilot_sent", status->pilot_sent);
        sp_json_u64(&json, "pilot_refused", status->pilot_refused);
        sp_json_u64(&json, "sent_ms", status->sent_us / 1000);
        sp_json_add_line(out, &json, i);
    }
    sp_json_close_array(out, plan->nsweeps);
}
