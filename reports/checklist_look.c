/* SPDX-License-Identifier: Apache-2.0
 *
 * What parts of the check list count of the run as a whole: its tests, probes and findings. */
#include <string.h>

#include "reports/checklist_priv.h"
#include "reports/group.h"

/* Every test of the run. */
void sp_look_matrix(struct sp_list *list, struct sp_item_part *part)
{
    const struct sp_counts *counts = &list->summary->counts;
    const struct sp_summary *summary = list->summary;
    part->held += counts->holds;
    if (counts->failed > 0 && summary->nfindings > 0) {
        const struct sp_finding *f = &summary->findings[0];
        sp_part_fail(list, part, counts->failed, "%s -> %s %s %s",
                     sp_model_target_name(list->model, f->from),
                     sp_model_target_name(list->model, f->to), sp_proto_str(f->proto), f->ports);
    } else {
        sp_part_fail(list, part, counts->failed, NULL);
    }
    sp_part_open(list, part, counts->inconclusive, "%llu checks without a conclusion",
                 (unsigned long long)counts->inconclusive);
    sp_part_open(list, part, counts->not_tested, "%llu checks were not carried out",
                 (unsigned long long)counts->not_tested);
    sp_part_open(list, part, counts->not_observable, "%llu checks of silent hosts without a probe",
                 (unsigned long long)counts->not_observable);
}

static void add_share(struct sp_list *list, struct sp_item_part *part, const char *what,
                      uint64_t tested, uint64_t of)
{
    part->held += tested;
    if (of > tested) {
        sp_part_open(list, part, of - tested, "%llu of %llu %s were tested",
                     (unsigned long long)tested, (unsigned long long)of, what);
    }
}

static bool has_family(const struct sp_host *host, uint8_t family)
{
    for (size_t i = 0; i < host->naddrs; i++) {
        if (host->addrs[i].family == family) {
            return true;
        }
    }
    return false;
}

/* Protocols without ports cannot be asked of the address of a balancer: nobody captures there. What
 * was left out of them, but no more than one interval for each sender and address. */
static uint64_t never_asked(const struct sp_list *list)
{
    const struct sp_model *model = list->model;
    const struct sp_plan *plan = list->summary->result->plan;
    uint64_t most = 0;
    uint64_t skipped = 0;
    for (size_t b = 0; b < model->nbalancers; b++) {
        for (size_t a = 0; a < model->balancers[b].naddrs; a++) {
            for (size_t h = 0; h < model->nhosts; h++) {
                most += model->hosts[h].via &&
                        has_family(&model->hosts[h], model->balancers[b].addrs[a].family);
            }
        }
    }
    for (size_t i = 0; i < plan->nskips; i++) {
        const struct sp_skip *skip = &plan->skips[i];
        bool is_plain = !skip->is_ports && !skip->is_tests;
        skipped += is_plain && skip->proto == SP_PROTO_IP ? skip->points : 0;
    }
    return skipped < most ? skipped : most;
}

/* How much of what is declared the run reached. */
void sp_look_reach(struct sp_list *list, struct sp_item_part *part)
{
    const struct sp_coverage *c = &list->summary->coverage;
    uint64_t without = never_asked(list);
    uint64_t intervals = c->intervals_of > without ? c->intervals_of - without : 0;
    add_share(list, part, "pairs of hosts", c->pairs_tested, c->pairs_of);
    add_share(list, part, "declared intervals of ports", c->intervals_tested, intervals);
    add_share(list, part, "rules", c->rules_tested, c->rules_of);
}

/* A probe sends and captures for the addresses that its host is declared to have, or refuses. */
void sp_look_probes(struct sp_list *list, struct sp_item_part *part)
{
    const struct sp_result *result = list->summary->result;
    for (size_t h = 0; h < list->model->nhosts; h++) {
        const struct sp_host *host = &list->model->hosts[h];
        if (!host->via) {
            continue;
        }
        if (result->hosts[h].wanted && result->hosts[h].ok) {
            part->held++;
        } else {
            sp_part_open(list, part, 1, "%s: %s", host->name,
                         result->hosts[h].wanted ? result->hosts[h].reason
                                                 : "its probe was not needed");
        }
    }
    for (size_t i = 0; i < list->summary->nentries; i++) {
        const struct sp_entry *e = &list->summary->entries[i];
        enum sp_unsound reason = result->outcomes[e->test].judged.reason;
        if (reason == SP_UNSOUND_SENDER_ARM || reason == SP_UNSOUND_RECEIVER_ARM) {
            sp_part_open(list, part, 1, "%s: %s",
                         sp_model_target_name(list->model,
                                              reason == SP_UNSOUND_SENDER_ARM ? e->from : e->to),
                         sp_unsound_str(reason));
        }
    }
}

/* Each cluster, which is what stands in one top network, has a probe that lived. */
void sp_look_clusters(struct sp_list *list, struct sp_item_part *part)
{
    const struct sp_model *model = list->model;
    const struct sp_result *result = list->summary->result;
    for (uint32_t n = 0; n < model->nnetworks; n++) {
        bool has_node = false;
        bool has_live = false;
        bool is_cut = false;
        for (uint32_t h = 0; h < model->nhosts; h++) {
            if (sp_bits_get(&list->nodes, h) &&
                sp_model_root_network(model, model->hosts[h].network) == n) {
                has_node = true;
                has_live = has_live || (result->hosts[h].wanted && result->hosts[h].ok);
                is_cut = is_cut || (model->hosts[h].via && !result->hosts[h].wanted);
            }
        }
        if (has_live) {
            part->held++;
        } else if (has_node && (is_cut || result->interrupted)) {
            sp_part_open(list, part, 1, "no probe of %s was needed", model->networks[n].name);
        } else if (has_node) {
            sp_part_fail(list, part, 1, "no probe of %s took part", model->networks[n].name);
        }
    }
}

/* Denied flows between hosts inside were asked with each protocol, over each family that they have:
 * a family is left out where no two networks have hosts with it. */
void sp_look_protocols(struct sp_list *list, struct sp_item_part *part)
{
    static const uint8_t asked[][2] = {
        {SP_FAMILY_IPV4, SP_PROTO_TCP},  {SP_FAMILY_IPV4, SP_PROTO_UDP},
        {SP_FAMILY_IPV4, SP_PROTO_ICMP}, {SP_FAMILY_IPV6, SP_PROTO_TCP},
        {SP_FAMILY_IPV6, SP_PROTO_UDP},  {SP_FAMILY_IPV6, SP_PROTO_ICMP6}};
    const struct sp_model *model = list->model;
    uint32_t first[2] = {SP_NONE, SP_NONE}; /* a network with a host of the family */
    bool both[2] = {false, false};
    uint64_t told[SP_ARRAY_LEN(asked)] = {0};
    for (uint32_t h = 0; h < model->nhosts; h++) {
        for (size_t a = 0; sp_list_inside(model, h) && a < model->hosts[h].naddrs; a++) {
            size_t f = model->hosts[h].addrs[a].family == SP_FAMILY_IPV6;
            uint32_t network = model->hosts[h].network;
            both[f] = both[f] || (first[f] != SP_NONE && first[f] != network);
            first[f] = first[f] == SP_NONE ? network : first[f];
        }
    }
    for (size_t i = 0; i < list->summary->nentries; i++) {
        const struct sp_entry *e = &list->summary->entries[i];
        for (size_t k = 0; e->expect == SP_EXPECT_DENY && k < SP_ARRAY_LEN(asked); k++) {
            told[k] += asked[k][0] == e->family && asked[k][1] == e->proto &&
                       sp_verdict_is_conclusive(e->verdict);
        }
    }
    for (size_t k = 0; k < SP_ARRAY_LEN(asked); k++) {
        if (!both[asked[k][0] == SP_FAMILY_IPV6]) {
            continue;
        }
        if (told[k] > 0) {
            part->held++;
        } else {
            sp_part_open(list, part, 1, "no denied %s was asked over %s", sp_proto_str(asked[k][1]),
                         sp_family_str(asked[k][0]));
        }
    }
}

/* Firewalls between networks, and policies on hosts: each kind is declared and was tested. */
void sp_look_layers(struct sp_list *list, struct sp_item_part *part)
{
    const struct sp_model *model = list->model;
    const struct sp_coverage *c = &list->summary->coverage;
    bool has[2] = {false, false};
    for (size_t i = 0; i < model->nenforcements; i++) {
        has[model->enforcements[i].layer == SP_LAYER_HOST] = true;
    }
    part->held += c->enforcements_tested;
    if (!has[0]) {
        sp_part_open(list, part, 1, "no firewall between networks is declared");
    }
    if (!has[1]) {
        sp_part_open(list, part, 1, "no policy on hosts is declared");
    }
    if (c->enforcements_of > c->enforcements_tested) {
        sp_part_open(list, part, c->enforcements_of - c->enforcements_tested,
                     "%llu of %llu enforcement points were tested",
                     (unsigned long long)c->enforcements_tested,
                     (unsigned long long)c->enforcements_of);
    }
}

/* Each line of a preset that says what must be open or closed was tested at least once. */
void sp_look_presets(struct sp_list *list, struct sp_item_part *part)
{
    const struct sp_model *model = list->model;
    struct sp_bits seen = {0};
    if (sp_bits_init(&seen, model->nrules + 1) != SP_OK) {
        list->rc = SP_E_NOMEM;
        return;
    }
    for (size_t i = 0; i < list->summary->nentries; i++) {
        const struct sp_entry *e = &list->summary->entries[i];
        if (e->rule < model->nrules && sp_verdict_is_conclusive(e->verdict)) {
            sp_bits_set(&seen, e->rule);
        }
    }
    for (size_t r = 0; r < model->nrules; r++) {
        const struct sp_rule *rule = &model->rules[r];
        if (strncmp(rule->name, "preset:", 7) != 0 || rule->kind == SP_RULE_PERMIT) {
            continue;
        }
        if (sp_bits_get(&seen, r)) {
            part->held++;
        } else {
            sp_part_open(list, part, 1, "%s has no test with a conclusion", rule->name);
        }
    }
    sp_bits_release(&seen);
}

/* A finding says what it is likely to come from and what to change. */
void sp_look_causes(struct sp_list *list, struct sp_item_part *part)
{
    const struct sp_summary *summary = list->summary;
    for (size_t i = 0; i < summary->nfindings; i++) {
        const struct sp_finding *f = &summary->findings[i];
        if (f->cause && f->remedy && f->repeat) {
            part->held++;
        } else {
            sp_part_fail(list, part, 1, "%s -> %s %s has no cause",
                         sp_model_target_name(list->model, f->from),
                         sp_model_target_name(list->model, f->to), f->ports);
        }
    }
    const struct sp_claims *claims = &summary->result->claims;
    for (size_t i = 0; i < claims->n; i++) {
        if (claims->at[i].verdict != SP_CLAIM_FAILS) {
            continue;
        }
        if (claims->at[i].cause || claims->at[i].remedy) {
            part->held++;
        } else {
            sp_part_fail(list, part, 1, "%s %s has no cause", claims->at[i].subject,
                         claims->at[i].check);
        }
    }
    if (summary->counts.checks == 0 && claims->n == 0) {
        sp_part_open(list, part, 1, "nothing was tested");
    } else if (part->failed == 0) {
        part->held++; /* nothing is unexplained */
    }
}

/* Packets for each finding, for support to look at. */
void sp_look_evidence(struct sp_list *list, struct sp_item_part *part)
{
    const struct sp_summary *summary = list->summary;
    if (!summary->result->evidence) {
        sp_part_open(list, part, 1, "no evidence was kept");
        return;
    }
    part->held++;
    for (size_t i = 0; i < summary->nfindings; i++) {
        const struct sp_finding *f = &summary->findings[i];
        if (f->evidence) {
            part->held++;
        } else {
            sp_part_open(list, part, 1, "%s -> %s %s: no packets of it were kept",
                         sp_model_target_name(list->model, f->from),
                         sp_model_target_name(list->model, f->to), f->ports);
        }
    }
}
