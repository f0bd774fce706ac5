/* SPDX-License-Identifier: Apache-2.0
 *
 * Which tests a part of the check list is about. */
#include <string.h>

#include "reports/checklist_priv.h"

bool sp_take_preset(const struct sp_list *list, const struct sp_entry *entry)
{
    const struct sp_model *model = list->model;
    return entry->rule < model->nrules &&
           strncmp(model->rules[entry->rule].name, "preset:", 7) == 0;
}

bool sp_take_to_balancer(const struct sp_list *list, const struct sp_entry *entry)
{
    return entry->to >= list->model->nhosts;
}

/* Back from whom a flow is allowed to: answers pass, new flows must not. Any rule of which the two
 * are ends, the other way round. */
bool sp_take_reverse(const struct sp_list *list, const struct sp_entry *entry)
{
    const struct sp_model *model = list->model;
    for (size_t r = 0; r < model->nrules; r++) {
        const struct sp_rule *rule = &model->rules[r];
        if (rule->kind == SP_RULE_ALLOW && sp_bits_get(&rule->from, entry->to) &&
            sp_bits_get(&rule->to, entry->from)) {
            return true;
        }
    }
    return false;
}

bool sp_take_zones(const struct sp_list *list, const struct sp_entry *entry)
{
    const char *a = sp_list_zone(list->model, entry->from);
    const char *b = sp_list_zone(list->model, entry->to);
    return a && b && strcmp(a, b) != 0;
}
