/* SPDX-License-Identifier: Apache-2.0 */
#include "reports/checklist.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "probe/base/mem.h"
#include "reports/checklist_priv.h"

#define SP_EXAMPLE_MAX 1024U
/* Who runs Kubernetes; the other hosts of a topology are around it. */
#define SP_NODE_ROLES                                                                              \
    "node nodes worker control-plane controlplane master etcd mgmt management agent agents edge "  \
    "ingress eastwest east-west istiod workload workloads"
/* Who is around it, for certain. */
#define SP_OTHER_ROLES                                                                             \
    "bastion jump client clients operator operators admin monitoring prometheus lb load-balancer " \
    "lb-prober dns resolver ntp registry metadata router logs log-sink siem kms vault dr standby"

size_t sp_part_def_count(void)
{
    return sp_nparts_nodes + sp_nparts_more;
}

const struct sp_part_def *sp_part_def_at(size_t index)
{
    return index < sp_nparts_nodes       ? &sp_parts_nodes[index]
           : index < sp_part_def_count() ? &sp_parts_more[index - sp_nparts_nodes]
                                         : NULL;
}

const char *sp_item_state_str(unsigned state)
{
    static const char *const words[] = {"pass", "fail", "unknown", "not_observable"};
    return state < SP_ARRAY_LEN(words) ? words[state] : NULL;
}

const struct sp_item_part *sp_item_decisive(const struct sp_item *item)
{
    for (size_t i = 0; i < item->nparts; i++) {
        if (item->parts[i].state == item->state) {
            return &item->parts[i];
        }
    }
    return NULL;
}

/* ---- helpers for those who look ---- */

static void keep_example(struct sp_list *list, struct sp_item_part *part, const char *fmt,
                         va_list ap)
{
    char text[SP_EXAMPLE_MAX];
    (void)vsnprintf(text, sizeof(text), fmt, ap);
    sp_free(part->example);
    part->example = sp_strdup(text);
    if (!part->example) {
        list->rc = SP_E_NOMEM;
    }
}

void sp_part_fail(struct sp_list *list, struct sp_item_part *part, uint64_t n, const char *fmt, ...)
{
    if (fmt && part->failed == 0 && n > 0) {
        va_list ap;
        va_start(ap, fmt);
        keep_example(list, part, fmt, ap);
        va_end(ap);
    }
    part->failed += n;
}

void sp_part_open(struct sp_list *list, struct sp_item_part *part, uint64_t n, const char *fmt, ...)
{
    if (fmt && part->failed == 0 && part->unknown == 0 && n > 0) {
        va_list ap;
        va_start(ap, fmt);
        keep_example(list, part, fmt, ap);
        va_end(ap);
    }
    part->unknown += n;
}

bool sp_list_has(const char *list, const char *word)
{
    size_t len = word ? strlen(word) : 0;
    for (const char *at = list; at && *at && len > 0;) {
        size_t n = strcspn(at, " ");
        if (n == len && memcmp(at, word, n) == 0) {
            return true;
        }
        at += n + (at[n] == ' ');
    }
    return false;
}

bool sp_list_role(const struct sp_model *model, uint32_t host, const char *roles)
{
    if (host >= model->nhosts) {
        return false;
    }
    const struct sp_host *h = &model->hosts[host];
    bool has = sp_list_has(roles, h->role);
    for (size_t i = 0; !has && i < h->nlabels; i++) {
        has = strcmp(h->labels[i].key, "role") == 0 && sp_list_has(roles, h->labels[i].value);
    }
    return has;
}

bool sp_list_inside(const struct sp_model *model, uint32_t target)
{
    uint32_t network = target < model->nhosts ? model->hosts[target].network : SP_NONE;
    return network < model->nnetworks &&
           model->networks[sp_model_root_network(model, network)].kind != SP_NET_EXTERNAL &&
           model->networks[network].kind != SP_NET_EXTERNAL;
}

const char *sp_list_zone(const struct sp_model *model, uint32_t host)
{
    uint32_t network = host < model->nhosts ? model->hosts[host].network : SP_NONE;
    for (size_t steps = 0; network < model->nnetworks && steps <= model->nnetworks; steps++) {
        if (model->networks[network].zone) {
            return model->networks[network].zone;
        }
        network = model->networks[network].parent;
    }
    return NULL;
}

static size_t port_number(struct sp_list *list, uint8_t proto, uint16_t port)
{
    size_t i = 0;
    while (i < list->nports && (list->ports[i].proto != proto || list->ports[i].port != port)) {
        i++;
    }
    if (i == SP_LIST_PORTS_MAX) {
        list->too_many = true;
        return 0;
    }
    if (i == list->nports) {
        list->ports[list->nports++] = (struct sp_list_port){.proto = proto, .port = port};
    }
    return i;
}

uint64_t sp_list_ports(struct sp_list *list, const char *names)
{
    uint64_t mask = 0;
    for (const char *at = names; at && *at;) {
        size_t n = strcspn(at, " ");
        unsigned port = 0;
        for (size_t i = 4; i < n; i++) { /* behind "tcp/" */
            port = port * 10 + (unsigned)(at[i] - '0');
        }
        uint8_t proto = at[0] == 't' ? SP_PROTO_TCP : SP_PROTO_UDP;
        mask |= UINT64_C(1) << port_number(list, proto, (uint16_t)port);
        at += n + (at[n] == ' ');
    }
    return mask;
}

/* ---- states ---- */

static bool matters(const struct sp_list *list, const struct sp_part_def *def,
                    const struct sp_item_part *part)
{
    struct sp_list copy = *list; /* all ports have their numbers by now */
    if (def->if_open && (sp_list_ports(&copy, def->if_open) & list->opened) == 0) {
        return false;
    }
    bool is_empty = part->held + part->failed + part->unknown + part->not_observable == 0;
    return !is_empty || (def->flags & SP_PART_OPTIONAL) == 0;
}

static uint8_t state_of(const struct sp_list *list, const struct sp_part_def *def,
                        const struct sp_item_part *part)
{
    if (def->kind == SP_PART_ASK) {
        return SP_ITEM_NOT_OBSERVABLE;
    }
    if (!matters(list, def, part)) {
        return SP_ITEM_STATE_COUNT;
    }
    bool is_cut = list->summary->result->interrupted && (def->flags & SP_PART_BY_WORD) == 0;
    return part->failed > 0            ? SP_ITEM_FAIL
           : part->unknown > 0         ? SP_ITEM_UNKNOWN
           : part->not_observable > 0  ? SP_ITEM_NOT_OBSERVABLE
           : part->held > 0 && !is_cut ? SP_ITEM_PASS
                                       : SP_ITEM_UNKNOWN;
}

static uint8_t worse(uint8_t a, uint8_t b)
{
    static const uint8_t rank[] = {[SP_ITEM_PASS] = 1,
                                   [SP_ITEM_FAIL] = 4,
                                   [SP_ITEM_UNKNOWN] = 3,
                                   [SP_ITEM_NOT_OBSERVABLE] = 2,
                                   [SP_ITEM_STATE_COUNT] = 0};
    return rank[a] >= rank[b] ? a : b;
}

/* A line without a part that matters shows nothing. */
static void judge_item(struct sp_item *item)
{
    item->state = SP_ITEM_STATE_COUNT;
    for (size_t i = 0; i < item->nparts; i++) {
        item->state = worse(item->state, item->parts[i].state);
    }
    if (item->state == SP_ITEM_STATE_COUNT) {
        item->state = SP_ITEM_UNKNOWN;
    }
}

/* The states of other lines as a part. */
static void add_items(struct sp_list *list, const struct sp_checklist *out,
                      const struct sp_part_def *def, struct sp_item_part *part)
{
    char id[8];
    for (size_t i = 0; i < SP_ITEM_COUNT; i++) {
        const struct sp_item *item = &out->items[i];
        (void)snprintf(id, sizeof(id), "%u", item->id);
        bool is_all = def->names[0] == '*';
        if (item->id == def->item || (!is_all && !sp_list_has(def->names, id))) {
            continue;
        }
        if (item->state == SP_ITEM_FAIL) {
            sp_part_fail(list, part, 1, "line %s fails", id);
        } else if (item->state == SP_ITEM_UNKNOWN) {
            sp_part_open(list, part, 1, "line %s is unknown", id);
        } else if (item->state == SP_ITEM_NOT_OBSERVABLE) {
            part->not_observable++;
        } else {
            part->held++;
        }
    }
    part->state = state_of(list, def, part);
}

/* Parts of one line stand together in the tables; those that do not matter are left out. Lines made
 * of other lines come after these: line 3 last, for it is made of all. */
static void conclude(struct sp_list *list, struct sp_checklist *out)
{
    size_t ndefs = sp_part_def_count();
    for (size_t d = 0; d < ndefs; d++) {
        const struct sp_part_def *def = sp_part_def_at(d);
        struct sp_item *item = &out->items[def->item - 1];
        struct sp_item_part *part = &list->parts[d];
        if (def->kind != SP_PART_ITEMS) {
            part->state = state_of(list, def, part);
        }
        if (item->nparts == 0) {
            item->parts = &out->parts[out->nparts];
        }
        if (part->state != SP_ITEM_STATE_COUNT) {
            out->parts[out->nparts++] = *part;
            item->nparts++;
        } else {
            sp_free(part->example);
        }
        *part = (struct sp_item_part){0};
    }
    for (int round = 0; round < 3; round++) { /* plain lines, lines of lines, the line of all */
        for (size_t d = 0; d < ndefs; d++) {
            const struct sp_part_def *def = sp_part_def_at(d);
            struct sp_item *item = &out->items[def->item - 1];
            int turn = def->kind != SP_PART_ITEMS ? 0 : def->names[0] == '*' ? 2 : 1;
            if (turn == round && turn > 0) {
                add_items(list, out, def, &item->parts[0]);
            }
            if (turn == round) {
                judge_item(item);
            }
        }
    }
    for (size_t i = 0; i < SP_ITEM_COUNT; i++) {
        out->of[out->items[i].state]++;
    }
}

/* ---- the whole ---- */

static enum sp_rc find_nodes(struct sp_list *list)
{
    const struct sp_model *model = list->model;
    enum sp_rc rc = sp_bits_init(&list->nodes, model->nhosts + 1);
    bool any = false;
    for (uint32_t h = 0; rc == SP_OK && h < model->nhosts; h++) {
        any = any || sp_list_role(model, h, SP_NODE_ROLES);
    }
    for (uint32_t h = 0; rc == SP_OK && h < model->nhosts; h++) {
        bool is_node =
            any ? sp_list_role(model, h, SP_NODE_ROLES) : !sp_list_role(model, h, SP_OTHER_ROLES);
        if (is_node && sp_list_inside(model, h)) {
            sp_bits_set(&list->nodes, h);
        }
    }
    return rc;
}

static void look_all(struct sp_list *list)
{
    size_t ndefs = sp_part_def_count();
    for (size_t d = 0; d < ndefs; d++) {
        const struct sp_part_def *def = sp_part_def_at(d);
        list->parts[d] = (struct sp_item_part){.what = def->what, .hint = def->hint};
        (void)sp_list_ports(list, def->if_open);
        if (def->kind <= SP_PART_OPEN) {
            (void)sp_list_ports(list, def->names);
        }
    }
    sp_list_flows(list);
    sp_list_claims(list);
    for (size_t d = 0; d < ndefs && list->rc == SP_OK; d++) {
        const struct sp_part_def *def = sp_part_def_at(d);
        if (def->kind == SP_PART_LOOK) {
            def->look(list, &list->parts[d]);
        }
    }
    if (list->too_many && list->rc == SP_OK) {
        list->rc = SP_E_LIMIT;
    }
}

static struct sp_checklist *new_list(size_t ndefs)
{
    struct sp_checklist *out = sp_calloc(1, sizeof(*out));
    if (!out) {
        return NULL;
    }
    out->parts = sp_calloc(ndefs, sizeof(*out->parts));
    if (!out->parts) {
        sp_free(out);
        return NULL;
    }
    for (size_t i = 0; i < SP_ITEM_COUNT; i++) {
        const struct sp_item_def *def = &sp_items[i];
        out->items[i] = (struct sp_item){
            .id = (unsigned)i + 1, .statement = def->statement, .how = def->how, .ask = def->ask};
    }
    return out;
}

enum sp_rc sp_checklist_new(const struct sp_summary *summary, struct sp_checklist **ret_list)
{
    size_t ndefs = sp_part_def_count();
    struct sp_list list = {.summary = summary, .model = summary->result->model};
    struct sp_checklist *out = new_list(ndefs);
    list.parts = sp_calloc(ndefs, sizeof(*list.parts));
    list.rc = out && list.parts ? find_nodes(&list) : SP_E_NOMEM;
    if (list.rc == SP_OK) {
        look_all(&list);
    }
    if (list.rc == SP_OK) {
        conclude(&list, out);
    }
    for (size_t d = 0; list.parts && d < ndefs; d++) {
        sp_free(list.parts[d].example);
    }
    sp_free(list.parts);
    sp_bits_release(&list.nodes);
    if (list.rc != SP_OK) {
        sp_checklist_free(out);
        return list.rc;
    }
    *ret_list = out;
    return SP_OK;
}

void sp_checklist_free(struct sp_checklist *list)
{
    if (list) {
        for (size_t i = 0; i < list->nparts; i++) {
            sp_free(list->parts[i].example);
        }
        sp_free(list->parts);
        sp_free(list);
    }
}
