/* SPDX-License-Identifier: Apache-2.0
 *
 * Parts about claims. A claim that is not there is unknown: for each node or each balancer, where a
 * part asks that of every one, and for each of its names. */
#include <string.h>

#include "probe/base/mem.h"
#include "reports/checklist_priv.h"

/* Does a subject hold one of the words, or with "!" in front none of them? */
static bool is_about(const char *words, const char *subject)
{
    bool without = words && words[0] == '!';
    const char *at = without ? words + 1 : words;
    bool found = false;
    while (at && *at && !found) {
        char word[64];
        size_t n = strcspn(at, " ");
        if (n < sizeof(word)) {
            memcpy(word, at, n);
            word[n] = '\0';
            found = subject && strstr(subject, word) != NULL;
        }
        at += n + (at[n] == ' ');
    }
    return !words || found != without;
}

static bool matches(const struct sp_part_def *def, const struct sp_claim *claim)
{
    return claim->kind == def->claim_kind && claim->verdict != SP_CLAIM_NOTE &&
           sp_list_has(def->names, claim->check) && is_about(def->subject, claim->subject);
}

static void add(struct sp_list *list, struct sp_item_part *part, const struct sp_claim *claim)
{
    switch (claim->verdict) {
    case SP_CLAIM_HOLDS:
        part->held++;
        break;
    case SP_CLAIM_FAILS:
        sp_part_fail(list, part, 1, "%s %s: %s", claim->subject, claim->check,
                     claim->observed ? claim->observed
                     : claim->cause  ? claim->cause
                                     : "not as declared");
        break;
    case SP_CLAIM_NOT_OBSERVABLE:
        part->not_observable++;
        break;
    default:
        sp_part_open(list, part, 1, "%s %s: %s", claim->subject, claim->check,
                     claim->cause ? claim->cause : "was not seen");
    }
}

/* The place of a word in a list; SP_NAMES_MAX when it is not there. */
#define SP_NAMES_MAX 8U
static size_t place_of(const char *list, const char *word)
{
    size_t place = 0;
    for (const char *at = list; *at; place++) {
        size_t n = strcspn(at, " ");
        if (strlen(word) == n && memcmp(at, word, n) == 0) {
            return place < SP_NAMES_MAX ? place : SP_NAMES_MAX;
        }
        at += n + (at[n] == ' ');
    }
    return SP_NAMES_MAX;
}

/* Of each target, and behind them of all together: a bit for each name that has a claim. */
static uint8_t *gather(struct sp_list *list, const struct sp_part_def *def)
{
    const struct sp_claims *claims = &list->summary->result->claims;
    size_t ntargets = sp_model_ntargets(list->model);
    uint8_t *told = sp_calloc(ntargets + 1, 1);
    for (size_t i = 0; told && i < claims->n; i++) {
        const struct sp_claim *claim = &claims->at[i];
        size_t place = matches(def, claim) ? place_of(def->names, claim->check) : SP_NAMES_MAX;
        uint8_t bit = place < SP_NAMES_MAX ? (uint8_t)(1U << place) : 0;
        told[ntargets] |= bit;
        if (claim->target < ntargets) {
            told[claim->target] |= bit;
        }
    }
    if (!told) {
        list->rc = SP_E_NOMEM;
    }
    return told;
}

/* One must have a claim of each name, or with SP_PART_ANY of one. SP_NONE: somebody must. */
static void need(struct sp_list *list, const struct sp_part_def *def, struct sp_item_part *part,
                 const uint8_t *told, uint32_t target)
{
    const char *who = target == SP_NONE ? "" : sp_model_target_name(list->model, target);
    const char *colon = target == SP_NONE ? "" : ": ";
    uint8_t bits = told[target == SP_NONE ? sp_model_ntargets(list->model) : target];
    if (def->flags & SP_PART_ANY) {
        if (bits == 0) {
            sp_part_open(list, part, 1, "%s%snothing is declared of it", who, colon);
        }
        return;
    }
    size_t place = 0;
    for (const char *at = def->names; *at; place++) {
        size_t n = strcspn(at, " ");
        if (place >= SP_NAMES_MAX || !(bits >> place & 1)) {
            sp_part_open(list, part, 1, "%s%s%.*s is not declared", who, colon, (int)n, at);
        }
        at += n + (at[n] == ' ');
    }
}

static void need_all(struct sp_list *list, const struct sp_part_def *def, struct sp_item_part *part)
{
    size_t nhosts = list->model->nhosts;
    uint8_t *told = gather(list, def);
    if (!told) {
        return;
    }
    if (def->flags & SP_PART_NODES) {
        for (uint32_t h = 0; h < nhosts; h++) {
            bool is_out =
                (def->flags & SP_PART_NO_EDGE) && sp_list_role(list->model, h, SP_EDGE_ROLES);
            if (sp_bits_get(&list->nodes, h) && !is_out) {
                need(list, def, part, told, h);
            }
        }
    } else if (def->flags & SP_PART_BALANCERS) {
        for (size_t b = 0; b < list->model->nbalancers; b++) {
            need(list, def, part, told, (uint32_t)(nhosts + b));
        }
    } else {
        need(list, def, part, told, SP_NONE);
    }
    sp_free(told);
}

/* From how many networks it was seen, and from which with nodes not. */
static void need_places(struct sp_list *list, const struct sp_part_def *def,
                        struct sp_item_part *part)
{
    const struct sp_model *model = list->model;
    const struct sp_claims *claims = &list->summary->result->claims;
    bool *from = sp_calloc(model->nnetworks + 1, sizeof(*from));
    size_t places = 0;
    if (!from) {
        list->rc = SP_E_NOMEM;
        return;
    }
    for (size_t i = 0; i < claims->n; i++) {
        uint32_t host = matches(def, &claims->at[i]) ? claims->at[i].host : SP_NONE;
        uint32_t network = host < model->nhosts ? model->hosts[host].network : SP_NONE;
        if (network < model->nnetworks && !from[network]) {
            from[network] = true;
            places++;
        }
    }
    if ((def->flags & SP_PART_TWO) && places < 2) {
        sp_part_open(list, part, 1, "seen from %zu of 2 networks", places);
    }
    for (uint32_t h = 0; (def->flags & SP_PART_PLACES) && places > 0 && h < model->nhosts; h++) {
        uint32_t network = model->hosts[h].network;
        if (network < model->nnetworks && sp_bits_get(&list->nodes, h) && !from[network]) {
            from[network] = true;
            sp_part_open(list, part, 1, "nobody in %s looked", model->networks[network].name);
        }
    }
    sp_free(from);
}

void sp_list_claims(struct sp_list *list)
{
    const struct sp_claims *claims = &list->summary->result->claims;
    size_t ndefs = sp_part_def_count();
    for (size_t d = 0; d < ndefs && list->rc == SP_OK; d++) {
        const struct sp_part_def *def = sp_part_def_at(d);
        struct sp_item_part *part = &list->parts[d];
        if (def->kind != SP_PART_CLAIMS) {
            continue;
        }
        for (size_t i = 0; i < claims->n; i++) {
            if (matches(def, &claims->at[i])) {
                add(list, part, &claims->at[i]);
            }
        }
        bool is_there = part->held + part->failed + part->unknown + part->not_observable > 0;
        if (is_there || (def->flags & SP_PART_OPTIONAL) == 0) {
            need_all(list, def, part);
            need_places(list, def, part);
        }
    }
}
