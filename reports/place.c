/* SPDX-License-Identifier: Apache-2.0 */
#include "reports/place.h"

#include "reports/group.h"

struct sp_place sp_place_host(uint32_t target)
{
    return (struct sp_place){.kind = SP_PLACE_HOST, .a = target, .b = SP_NONE};
}

struct sp_place sp_place_of(const struct sp_model *model, const struct sp_pair *pair)
{
    uint32_t from = sp_model_target_network(model, pair->from);
    uint32_t to = sp_model_target_network(model, pair->to);
    if (pair->is_balanced || pair->to >= model->nhosts) {
        return (struct sp_place){.kind = SP_PLACE_BALANCER, .a = pair->to, .b = SP_NONE};
    }
    if (pair->layer == SP_LAYER_HOST) {
        return sp_place_host(pair->to);
    }
    const struct sp_enforcement *point = sp_model_enforcement(model, from, to);
    if (point) {
        return (struct sp_place){.kind = SP_PLACE_ENFORCEMENT,
                                 .a = (uint32_t)(point - model->enforcements),
                                 .b = SP_NONE};
    }
    return (struct sp_place){.kind = SP_PLACE_SEGMENTS, .a = from, .b = to};
}

int sp_place_cmp(const struct sp_place *a, const struct sp_place *b)
{
    SP_CMP(a->kind, b->kind);
    SP_CMP(a->a, b->a);
    SP_CMP(a->b, b->b);
    return 0;
}

static const char *network_name(const struct sp_model *model, uint32_t network)
{
    return network < model->nnetworks ? model->networks[network].name : "?";
}

void sp_place_str(const struct sp_model *model, const struct sp_place *place, struct sp_buf *out)
{
    switch ((enum sp_place_kind)place->kind) {
    case SP_PLACE_ENFORCEMENT:
        sp_buf_str(out, model->enforcements[place->a].name);
        break;
    case SP_PLACE_SEGMENTS:
        sp_buf_fmt(out, "%s -> %s", network_name(model, place->a), network_name(model, place->b));
        break;
    case SP_PLACE_HOST:
    case SP_PLACE_BALANCER:
        sp_buf_str(out, sp_model_target_name(model, place->a));
        break;
    }
}

const char *sp_place_words(const struct sp_place *place)
{
    switch ((enum sp_place_kind)place->kind) {
    case SP_PLACE_ENFORCEMENT:
        return "enforcement point ";
    case SP_PLACE_SEGMENTS:
        return "the path ";
    case SP_PLACE_HOST:
        return "host ";
    case SP_PLACE_BALANCER:
        return "load balancer ";
    }
    return "";
}

const char *sp_place_enforcement(const struct sp_model *model, const struct sp_place *place)
{
    return place->kind == SP_PLACE_ENFORCEMENT ? model->enforcements[place->a].name : NULL;
}
