/* SPDX-License-Identifier: Apache-2.0
 *
 * "load_balancers" of the JSON report: per listener who used it, and what each backend received. */
#include "reports/formats/format.h"
#include "reports/formats/json_out.h"
#include "reports/group.h"

void sp_json_captured(struct sp_json *json, uint8_t proto, const struct sp_tuple *captured)
{
    char text[SP_ADDR_STRLEN];
    bool has_ports = proto == SP_PROTO_TCP || proto == SP_PROTO_UDP;
    if (captured->src.family == SP_FAMILY_NONE) {
        return;
    }
    struct sp_json tuple = sp_json_begin();
    sp_json_str(&tuple, "src", sp_addr_str(&captured->src, text));
    if (has_ports) {
        sp_json_u64(&tuple, "sport", captured->sport);
    }
    sp_json_str(&tuple, "dst", sp_addr_str(&captured->dst, text));
    if (has_ports) {
        sp_json_u64(&tuple, "dport", captured->dport);
    }
    sp_json_object(json, "captured", &tuple);
}

/* A backend without a probe got nobody knows how many flows: null. */
static void add_backends(struct sp_json *json, const struct sp_result *result,
                         const struct sp_listener *listener, uint32_t test)
{
    const uint16_t *flows = result->outcomes[test].backend_flows;
    cJSON *array = sp_json_array(json, "backends");
    for (size_t i = 0; i < listener->nbackends; i++) {
        const struct sp_host *host = &result->model->hosts[listener->backends[i]];
        struct sp_json backend = sp_json_begin();
        sp_json_str(&backend, "host", host->name);
        sp_json_bool(&backend, "probe", host->via != NULL);
        if (host->via && flows) {
            sp_json_u64(&backend, "flows", flows[i]);
        } else {
            sp_json_str(&backend, "flows", NULL);
        }
        sp_json_append_object(json, array, &backend);
    }
}

/* Why there is no conclusion, else NULL. */
static const char *reason_of(const struct sp_outcome *outcome)
{
    if (outcome->judged.verdict == SP_VERDICT_NOT_TESTED) {
        return outcome->not_tested;
    }
    return outcome->judged.verdict == SP_VERDICT_INCONCLUSIVE
               ? sp_unsound_str(outcome->judged.reason)
               : NULL;
}

static void add_client(struct sp_json *json, cJSON *clients, const struct sp_result *result,
                       const struct sp_listener *listener, const struct sp_served *row)
{
    const struct sp_outcome *outcome = &result->outcomes[row->test];
    const struct sp_seen *seen = &outcome->seen;
    char text[SP_ADDR_STRLEN];
    struct sp_json client = sp_json_begin();
    sp_json_str(&client, "from", sp_model_target_name(result->model, row->from));
    sp_json_str(&client, "address", sp_addr_str(&row->addr, text));
    sp_json_str(&client, "family", sp_family_str(row->addr.family));
    sp_json_str(&client, "verdict", sp_verdict_str(outcome->judged.verdict));
    sp_json_str(&client, "reason", reason_of(outcome));
    sp_json_u64(&client, "flows", seen->attempts);
    sp_json_u64(&client, "answered", seen->answered);
    add_backends(&client, result, listener, row->test);
    sp_json_u64(&client, "foreign", seen->foreign);
    sp_json_u64(&client, "elsewhere", seen->elsewhere);
    sp_json_str(&client, "elsewhere_host",
                seen->elsewhere > 0 && seen->elsewhere_host < result->model->nhosts
                    ? result->model->hosts[seen->elsewhere_host].name
                    : NULL);
    sp_json_u64(&client, "rewritten", seen->rewritten);
    sp_json_captured(&client, listener->port.proto, &seen->captured);
    sp_json_append_object(json, clients, &client);
}

static void add_listener(struct sp_json *json, cJSON *array, const struct sp_summary *summary,
                         uint32_t balancer, uint32_t index)
{
    const struct sp_result *result = summary->result;
    const struct sp_listener *listener = &result->model->balancers[balancer].listeners[index];
    char text[SP_PORTSPEC_STRLEN];
    struct sp_json made = sp_json_begin();
    sp_json_str(&made, "port", sp_portspec_str(&listener->port, text));
    sp_json_str(&made, "mode", listener->mode);
    sp_json_str(&made, "source", listener->source);
    sp_json_u64(&made, "backend_port", listener->backend_port);
    sp_json_u64(&made, "flows_needed", sp_plan_flows_for(listener->nbackends));
    cJSON *clients = sp_json_array(&made, "clients");
    for (size_t i = 0; i < summary->nserved; i++) {
        const struct sp_served *row = &summary->served[i];
        if (row->balancer == balancer && row->listener == index) {
            add_client(&made, clients, result, listener, row);
        }
    }
    sp_json_append_object(json, array, &made);
}

void sp_json_balancers(const struct sp_summary *summary, struct sp_buf *out)
{
    const struct sp_model *model = summary->result->model;
    sp_json_open_array(out, "load_balancers");
    for (uint32_t i = 0; i < model->nbalancers; i++) {
        const struct sp_balancer *balancer = &model->balancers[i];
        uint8_t worst = SP_VERDICT_NOT_TESTED;
        uint64_t tests = 0;
        char text[SP_ADDR_STRLEN];
        for (size_t k = 0; k < summary->npairs; k++) {
            if (summary->pairs[k].to == model->nhosts + i) {
                worst = sp_verdict_worse(worst, summary->pairs[k].verdict);
                tests += summary->pairs[k].tests;
            }
        }
        struct sp_json json = sp_json_begin();
        sp_json_str(&json, "name", balancer->name);
        cJSON *addresses = sp_json_array(&json, "addresses");
        for (size_t k = 0; k < balancer->naddrs; k++) {
            sp_json_append(&json, addresses, sp_addr_str(&balancer->addrs[k], text));
        }
        sp_json_u64(&json, "tests", tests);
        sp_json_str(&json, "verdict", sp_verdict_str(worst));
        cJSON *listeners = sp_json_array(&json, "listeners");
        for (uint32_t k = 0; k < balancer->nlisteners; k++) {
            add_listener(&json, listeners, summary, i, k);
        }
        sp_json_add_line(out, &json, i);
    }
    sp_json_close_array(out, model->nbalancers);
}
