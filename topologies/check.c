/* SPDX-License-Identifier: Apache-2.0 */
#include "topologies/check.h"

#include <stdio.h>
#include <string.h>

#include "probe/base/mem.h"
#include "topologies/problem.h"

#define MAX_PAIRS 100000000U /* of rules: 14,000 that all overlap */

void sp_check_add(struct sp_problems *problems, bool is_error, struct sp_pos pos,
                  const char *section, const char *name, const char *fmt, ...)
{
    char pointer[160];
    va_list ap;
    /* Names hold no '/' and no '~': nothing to escape. */
    (void)snprintf(pointer, sizeof(pointer), "/%s/%s", section, name);
    va_start(ap, fmt);
    sp_problem_addv(problems, is_error, pos, pointer, fmt, ap);
    va_end(ap);
}

void sp_check_add_rule(struct sp_problems *problems, bool is_error, const struct sp_rule *rule,
                       const char *fmt, ...)
{
    char pointer[160];
    va_list ap;
    if (strncmp(rule->name, "balancer:", 9) == 0) {
        (void)snprintf(pointer, sizeof(pointer), "/load_balancers/%s", rule->name + 9);
    } else if (rule->source) {
        (void)snprintf(pointer, sizeof(pointer), "/use/%u", (unsigned)rule->index);
    } else {
        (void)snprintf(pointer, sizeof(pointer), "/%s/%u",
                       rule->kind == SP_RULE_ISOLATION ? "isolation" : "policies",
                       (unsigned)rule->index);
    }
    va_start(ap, fmt);
    sp_problem_addv(problems, is_error, rule->pos, pointer, fmt, ap);
    va_end(ap);
}

static void check_networks(const struct sp_model *m, struct sp_problems *problems)
{
    bool *has_hosts = sp_calloc(m->nnetworks, sizeof(*has_hosts));
    if (!has_hosts) {
        problems->rc = SP_E_NOMEM;
        return;
    }
    for (size_t h = 0; h < m->nhosts; h++) {
        uint32_t at = m->hosts[h].network;
        while (at < m->nnetworks && !has_hosts[at]) {
            has_hosts[at] = true;
            at = m->networks[at].parent;
        }
    }
    for (size_t i = 0; i < m->nnetworks; i++) {
        const struct sp_network *network = &m->networks[i];
        if (!has_hosts[i]) {
            sp_check_add(problems, false, network->pos, "networks", network->name,
                         "no host stands in the network '%s': nothing there can be tested",
                         network->name);
        }
        char hazard = network->hazard;
        uint32_t up = network->parent;
        for (size_t steps = 0; !hazard && up < m->nnetworks && steps < m->nnetworks; steps++) {
            hazard = m->networks[up].hazard;
            up = m->networks[up].parent;
        }
        hazard = hazard ? hazard : m->limits.hazard;
        if (has_hosts[i] && network->kind == SP_NET_EXTERNAL && hazard == 'C') {
            sp_check_add(problems, false, network->pos, "networks", network->name,
                         "intrusive techniques (hazard C) may run against '%s', which is "
                         "somebody else's network: set hazard: A or B there",
                         network->name);
        }
    }
    sp_free(has_hosts);
}

static void check_hosts(const struct sp_model *m, struct sp_problems *problems)
{
    bool was_clean = problems->nerrors == 0;
    size_t probes = 0;
    for (size_t h = 0; h < m->nhosts; h++) {
        const struct sp_host *host = &m->hosts[h];
        probes += host->via != NULL;
        if (!was_clean) {
            continue;
        }
        if (host->network >= m->nnetworks) {
            sp_check_add(problems, true, host->pos, "hosts", host->name,
                         "the host '%s' stands in no network", host->name);
        }
        if (host->naddrs == 0) {
            sp_check_add(problems, true, host->pos, "hosts", host->name,
                         "the host '%s' has no address", host->name);
        }
    }
    struct sp_pos pos = m->nhosts ? m->hosts[0].pos : (struct sp_pos){0};
    if (was_clean && probes == 0) {
        sp_problem_add(problems, true, pos, "/hosts",
                       "no host has a probe, so nothing can be tested: give at least two hosts "
                       "one, such as probe: { via: ssh, target: admin@host }");
    } else if (was_clean && probes == 1) {
        sp_problem_add(problems, false, pos, "/hosts",
                       "only one host has a probe: no packet can be followed from end to end");
    }
}

static void check_enforcements(const struct sp_model *m, struct sp_problems *problems)
{
    for (size_t i = 0; i < m->nenforcements; i++) {
        const struct sp_enforcement *point = &m->enforcements[i];
        for (size_t a = 0; a < point->nbetween; a++) {
            size_t b = 0;
            while (b < a && point->between[b] != point->between[a]) {
                b++;
            }
            if (b < a) {
                sp_check_add(problems, true, point->pos, "enforcement", point->name,
                             "'%s' stands between the network '%s' and itself", point->name,
                             m->networks[point->between[a]].name);
                break;
            }
        }
    }
}

void sp_check(const struct sp_model *model, struct sp_problems *problems)
{
    bool was_clean = problems->nerrors == 0;
    check_hosts(model, problems);
    if (was_clean) {
        check_networks(model, problems);
    }
    check_enforcements(model, problems);
    sp_check_addresses(model, problems);
    sp_check_balancers(model, problems);
    if (was_clean) {
        sp_check_floors(model, problems);
    }
    sp_check_rules(model, was_clean, MAX_PAIRS, problems);
    if (was_clean) {
        sp_check_presets(model, problems);
    }
}
