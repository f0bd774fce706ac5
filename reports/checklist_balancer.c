/* SPDX-License-Identifier: Apache-2.0
 *
 * What parts of the check list count of load balancers: their addresses, and the ways round them.
 */
#include "reports/checklist_priv.h"

/* Each address of each balancer was reached by an allowed client. */
void sp_look_addresses(struct sp_list *list, struct sp_item_part *part)
{
    const struct sp_model *model = list->model;
    const struct sp_summary *summary = list->summary;
    for (size_t b = 0; b < model->nbalancers; b++) {
        const struct sp_balancer *balancer = &model->balancers[b];
        for (size_t a = 0; a < balancer->naddrs; a++) {
            char text[SP_ADDR_STRLEN];
            unsigned found = 0; /* 1 = held, 2 = failed */
            (void)sp_addr_str(&balancer->addrs[a], text);
            for (size_t i = 0; i < summary->nserved; i++) {
                const struct sp_served *served = &summary->served[i];
                if (served->balancer == b && sp_addr_cmp(&served->addr, &balancer->addrs[a]) == 0) {
                    enum sp_verdict verdict =
                        summary->result->outcomes[served->test].judged.verdict;
                    found |= verdict == SP_VERDICT_HOLDS ? 1U : 0U;
                    found |= sp_verdict_is_finding(verdict) ? 2U : 0U;
                }
            }
            if (found & 2U) {
                sp_part_fail(list, part, 1, "%s at %s", balancer->name, text);
            } else if (found & 1U) {
                part->held++;
            } else {
                sp_part_open(list, part, 1, "nobody reached %s at %s", balancer->name, text);
            }
        }
    }
}

/* The first test from one target to another; tests stand sorted by these. */
static size_t first_of(const struct sp_summary *summary, uint32_t from, uint32_t to)
{
    size_t lo = 0;
    size_t hi = summary->nentries;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        const struct sp_entry *e = &summary->entries[mid];
        if (e->from < from || (e->from == from && e->to < to)) {
            lo = mid + 1;
        } else {
            hi = mid;
        }
    }
    return lo;
}

/* One client, one backend, and the port behind the balancer: what all families say together. */
static void look_way(struct sp_list *list, struct sp_item_part *part, uint32_t from, uint32_t to,
                     uint8_t proto, uint16_t port)
{
    const struct sp_summary *summary = list->summary;
    const char *client = sp_model_target_name(list->model, from);
    const char *backend = sp_model_target_name(list->model, to);
    bool fails = false;
    bool is_open = false;
    bool holds = false;
    for (size_t i = first_of(summary, from, to); i < summary->nentries; i++) {
        const struct sp_entry *e = &summary->entries[i];
        if (e->from != from || e->to != to) {
            break;
        }
        if (e->proto != proto || port < e->port || port > e->port_hi) {
            continue;
        }
        bool is_found = sp_verdict_is_finding((enum sp_verdict)e->verdict);
        bool is_denied = e->expect == SP_EXPECT_DENY;
        fails = fails || (is_denied ? is_found : e->expect == SP_EXPECT_ALLOW);
        is_open = is_open || !is_denied || (!is_found && e->verdict != SP_VERDICT_HOLDS);
        holds = holds || (is_denied && !e->is_bypass && e->verdict == SP_VERDICT_HOLDS);
    }
    if (fails) {
        sp_part_fail(list, part, 1, "%s -> %s %s/%u is open", client, backend, sp_proto_str(proto),
                     (unsigned)port);
    } else if (is_open || !holds) {
        sp_part_open(list, part, 1, "%s -> %s %s/%u was not shown to be closed", client, backend,
                     sp_proto_str(proto), (unsigned)port);
    } else {
        part->held++;
    }
}

/* Clients reach backends through the balancer only: each client with a probe asked each. */
void sp_look_round(struct sp_list *list, struct sp_item_part *part)
{
    const struct sp_model *model = list->model;
    for (size_t b = 0; b < model->nbalancers; b++) {
        const struct sp_balancer *balancer = &model->balancers[b];
        for (size_t i = 0; i < balancer->nlisteners; i++) {
            const struct sp_listener *listener = &balancer->listeners[i];
            for (uint32_t h = 0; h < model->nhosts; h++) {
                for (size_t k = 0; k < listener->nbackends; k++) {
                    if (model->hosts[h].via && sp_bits_get(&balancer->from, h) &&
                        !sp_listener_has(listener, h)) {
                        look_way(list, part, h, listener->backends[k], listener->port.proto,
                                 listener->backend_port);
                    }
                }
            }
        }
    }
}
