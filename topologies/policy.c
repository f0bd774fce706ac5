/* SPDX-License-Identifier: Apache-2.0
 *
 * The policy compiler. Per class of targets there are two rows of bits over "slots": the rules that
 * select it as sender and those that select it as receiver. A slot is a rule in one direction; an
 * isolation has two. The AND of two rows is the set of rules of a pair; each set is swept once per
 * protocol and kept. Lookups compare whole sets, never only their hash. */
#include "topologies/policy.h"

#include <string.h>

#include "probe/base/hash.h"
#include "probe/base/mem.h"
#include "topologies/policy_priv.h"

#define SP_POLICY_CHUNK_BYTES (256U << 10)

struct chunk {
    struct chunk *next;
    size_t used, cap; /* bytes of data */
    uint32_t data[];
};

struct slot {
    uint64_t mark; /* random; the hash of a set is the sum of its marks */
    uint32_t rule;
    uint8_t protos; /* bit set of enum sp_proto: it says something about them */
    bool isolates;
};

/* One kept list: its key (rules of the set) and, right behind it, its intervals. */
struct kept {
    const uint32_t *key;
    uint32_t nkey, nintervals;
    uint32_t hash;
    uint8_t proto, rest;
};

_Static_assert(_Alignof(struct sp_interval) <= sizeof(uint32_t) &&
                   sizeof(struct sp_interval) % sizeof(uint32_t) == 0,
               "intervals are kept in memory cut in uint32_t");

struct sp_policy {
    const struct sp_model *model; /* borrowed */
    size_t ntargets, nclasses, nslots, nwords;
    uint32_t *class_of;  /* per target */
    uint32_t *class_net; /* per class; SP_NONE: balancers */
    struct slot *slots;  /* in rising order of rules */
    uint64_t *from, *to; /* per class: nwords */
    uint64_t *wide;      /* slots that select every host on both sides */
    /* The rules of the class pair asked for last. */
    uint32_t last_from, last_to;
    uint32_t isolated_by; /* the lowest isolation among them, SP_NONE */
    size_t nset;
    uint32_t *set; /* slots */
    uint32_t *key; /* scratch: rules of the set on one protocol */
    struct sp_sweep_item *items, *heap;
    struct sp_interval *out;
    size_t nitems_cap; /* places in items and heap; out has SP_SWEEP_ROOM of it */
    /* What was swept before. */
    struct kept *kept;
    size_t nkept, kept_cap;
    uint32_t *table; /* index into kept + 1, 0 = free; table_cap is a power of two */
    size_t table_cap;
    struct chunk *chunks;
};

static void set_bit(uint64_t *words, size_t i)
{
    words[i / 64] |= UINT64_C(1) << (i % 64);
}

/* Sets the slot in the row of every class that the set selects. */
static void mark_classes(const struct sp_policy *policy, uint64_t *rows, const struct sp_bits *set,
                         size_t slot)
{
    size_t n = set->nbits < policy->ntargets ? set->nbits : policy->ntargets;
    for (size_t w = 0; w * 64 < n; w++) {
        for (uint64_t word = set->words[w]; word; word &= word - 1) {
            size_t target = w * 64 + (size_t)__builtin_ctzll(word);
            if (target < n) {
                set_bit(rows + policy->class_of[target] * policy->nwords, slot);
            }
        }
    }
}

static bool selects_all_hosts(const struct sp_model *model, const struct sp_bits *set)
{
    size_t h = 0;
    while (h < model->nhosts && sp_bits_get(set, h)) {
        h++;
    }
    return h == model->nhosts;
}

static void add_slot(struct sp_policy *policy, size_t slot, uint32_t index, bool reversed)
{
    const struct sp_rule *rule = &policy->model->rules[index];
    policy->slots[slot].rule = index;
    policy->slots[slot].isolates = rule->kind == SP_RULE_ISOLATION;
    mark_classes(policy, policy->from, reversed ? &rule->to : &rule->from, slot);
    mark_classes(policy, policy->to, reversed ? &rule->from : &rule->to, slot);
    if (selects_all_hosts(policy->model, &rule->from) &&
        selects_all_hosts(policy->model, &rule->to)) {
        set_bit(policy->wide, slot);
    }
    for (unsigned proto = 0; proto < SP_PROTO_COUNT; proto++) {
        bool says = rule->kind == SP_RULE_ISOLATION;
        for (size_t i = 0; i < rule->nports && !says; i++) {
            uint32_t lo, hi;
            says = sp_portspec_on(&rule->ports[i], (uint8_t)proto, &lo, &hi);
        }
        if (says) {
            policy->slots[slot].protos |= (uint8_t)(1U << proto);
        }
    }
}

static enum sp_rc make_rows(struct sp_policy *policy)
{
    const struct sp_model *model = policy->model;
    policy->nslots = model->nrules;
    for (size_t r = 0; r < model->nrules; r++) {
        policy->nslots += model->rules[r].kind == SP_RULE_ISOLATION;
    }
    policy->nwords = policy->nslots / 64 + 1;
    policy->slots = sp_calloc(policy->nslots, sizeof(*policy->slots));
    policy->set = sp_calloc(policy->nslots, sizeof(*policy->set));
    policy->key = sp_calloc(policy->nslots + 1, sizeof(*policy->key));
    policy->from = sp_calloc(policy->nclasses * policy->nwords, sizeof(*policy->from));
    policy->to = sp_calloc(policy->nclasses * policy->nwords, sizeof(*policy->to));
    policy->wide = sp_calloc(policy->nwords, sizeof(*policy->wide));
    if (!policy->slots || !policy->set || !policy->key || !policy->from || !policy->to ||
        !policy->wide) {
        return SP_E_NOMEM;
    }
    struct sp_rng rng;
    sp_random_bytes(&rng.state, sizeof(rng.state));
    for (size_t i = 0; i < policy->nslots; i++) {
        policy->slots[i].mark = sp_rng_next(&rng);
    }
    size_t slot = 0;
    for (uint32_t r = 0; r < model->nrules; r++) {
        add_slot(policy, slot++, r, false);
        if (model->rules[r].kind == SP_RULE_ISOLATION) {
            add_slot(policy, slot++, r, true);
        }
    }
    return SP_OK;
}

static enum sp_rc make_classes(struct sp_policy *policy)
{
    policy->ntargets = sp_model_ntargets(policy->model);
    policy->class_of = sp_calloc(policy->ntargets, sizeof(*policy->class_of));
    if (!policy->class_of) {
        return SP_E_NOMEM;
    }
    enum sp_rc rc = sp_policy_classify(policy->model, policy->class_of, &policy->nclasses);
    if (rc == SP_OK) {
        policy->class_net = sp_calloc(policy->nclasses, sizeof(*policy->class_net));
        rc = policy->class_net ? SP_OK : SP_E_NOMEM;
    }
    for (size_t t = 0; rc == SP_OK && t < policy->ntargets; t++) {
        policy->class_net[policy->class_of[t]] = sp_model_target_network(policy->model, t);
    }
    return rc;
}

enum sp_rc sp_policy_new(const struct sp_model *model, struct sp_policy **ret_policy)
{
    struct sp_policy *policy = sp_calloc(1, sizeof(*policy));
    if (!policy) {
        return SP_E_NOMEM;
    }
    policy->model = model;
    policy->last_from = policy->last_to = SP_NONE;
    enum sp_rc rc = make_classes(policy);
    if (rc == SP_OK) {
        rc = make_rows(policy);
    }
    if (rc != SP_OK) {
        sp_policy_free(policy);
        return rc;
    }
    *ret_policy = policy;
    return SP_OK;
}

void sp_policy_free(struct sp_policy *policy)
{
    if (!policy) {
        return;
    }
    while (policy->chunks) {
        struct chunk *next = policy->chunks->next;
        sp_free(policy->chunks);
        policy->chunks = next;
    }
    sp_free(policy->class_of);
    sp_free(policy->class_net);
    sp_free(policy->slots);
    sp_free(policy->set);
    sp_free(policy->key);
    sp_free(policy->from);
    sp_free(policy->to);
    sp_free(policy->wide);
    sp_free(policy->items);
    sp_free(policy->heap);
    sp_free(policy->out);
    sp_free(policy->kept);
    sp_free(policy->table);
    sp_free(policy);
}

/* Fills policy->set with the slots that apply from one class to another. */
static void load_set(struct sp_policy *policy, uint32_t from, uint32_t to)
{
    if (policy->last_from == from && policy->last_to == to) {
        return;
    }
    const uint64_t *a = policy->from + from * policy->nwords;
    const uint64_t *b = policy->to + to * policy->nwords;
    size_t n = 0;
    policy->isolated_by = SP_NONE;
    for (size_t w = 0; w < policy->nwords; w++) {
        for (uint64_t word = a[w] & b[w]; word; word &= word - 1) {
            uint32_t slot = (uint32_t)(w * 64 + (size_t)__builtin_ctzll(word));
            policy->set[n++] = slot;
            if (policy->slots[slot].isolates && policy->isolated_by == SP_NONE) {
                policy->isolated_by = policy->slots[slot].rule;
            }
        }
    }
    policy->nset = n;
    policy->last_from = from;
    policy->last_to = to;
}

/* The rules of the set that say something about the protocol, once each, and their hash. An
 * isolation silences all others, so its lowest rule alone is the key. */
static size_t make_key(struct sp_policy *policy, uint8_t proto, uint64_t *ret_hash)
{
    size_t n = 0;
    uint64_t hash = 0;
    if (policy->isolated_by != SP_NONE) {
        policy->key[n++] = policy->isolated_by;
        hash = policy->isolated_by;
    } else {
        for (size_t i = 0; i < policy->nset; i++) {
            const struct slot *slot = &policy->slots[policy->set[i]];
            policy->key[n] = slot->rule;
            bool says = (slot->protos >> proto & 1) != 0;
            n += says;
            hash += says ? slot->mark : 0;
        }
    }
    *ret_hash = hash;
    return n;
}

static enum sp_rc room_for_items(struct sp_policy *policy, size_t n)
{
    if (n <= policy->nitems_cap) {
        return SP_OK;
    }
    size_t want = n + n / 2 + 16;
    void *items = sp_reallocarray(policy->items, want, sizeof(*policy->items));
    policy->items = items ? items : policy->items;
    void *heap = sp_reallocarray(policy->heap, want, sizeof(*policy->heap));
    policy->heap = heap ? heap : policy->heap;
    void *out = sp_reallocarray(policy->out, SP_SWEEP_ROOM(want), sizeof(*policy->out));
    policy->out = out ? out : policy->out;
    if (!items || !heap || !out) {
        return SP_E_NOMEM;
    }
    policy->nitems_cap = want;
    return SP_OK;
}

/* Sweeps the rules of the key into policy->out. */
static enum sp_rc sweep_key(struct sp_policy *policy, size_t nkey, uint8_t proto, uint8_t rest,
                            size_t *ret_n)
{
    size_t most = 1;
    for (size_t i = 0; i < nkey; i++) {
        most += policy->model->rules[policy->key[i]].nports + 1;
    }
    enum sp_rc rc = room_for_items(policy, most);
    if (rc != SP_OK) {
        return rc;
    }
    uint32_t min = sp_proto_min(proto), max = sp_proto_max(proto);
    size_t n = 0;
    for (size_t i = 0; i < nkey; i++) {
        uint32_t index = policy->key[i];
        const struct sp_rule *rule = &policy->model->rules[index];
        if (rule->kind == SP_RULE_ISOLATION) {
            policy->items[n++] = (struct sp_sweep_item){.rank = index, .lo = min, .hi = max};
            continue;
        }
        for (size_t p = 0; p < rule->nports; p++) {
            uint32_t lo, hi;
            if (sp_portspec_on(&rule->ports[p], proto, &lo, &hi)) {
                uint64_t strength = sp_rule_strength(rule, &rule->ports[p]);
                policy->items[n++] =
                    (struct sp_sweep_item){.rank = strength << 32 | index, .lo = lo, .hi = hi};
            }
        }
    }
    *ret_n = sp_sweep(policy->items, n, policy->heap, min, max, rest, policy->out);
    return SP_OK;
}

/* bytes of lasting memory, aligned for uint32_t. */
static uint32_t *carve(struct sp_policy *policy, size_t bytes)
{
    struct chunk *chunk = policy->chunks;
    if (!chunk || chunk->cap - chunk->used < bytes) {
        size_t cap = bytes > SP_POLICY_CHUNK_BYTES ? bytes : SP_POLICY_CHUNK_BYTES;
        chunk = sp_calloc(1, sizeof(*chunk) + cap);
        if (!chunk) {
            return NULL;
        }
        *chunk = (struct chunk){.next = policy->chunks, .cap = cap};
        policy->chunks = chunk;
    }
    uint32_t *at = chunk->data + chunk->used / sizeof(uint32_t);
    chunk->used += bytes;
    return at;
}

/* Doubles the table before it is 3/4 full. */
static enum sp_rc room_in_table(struct sp_policy *policy)
{
    if (policy->nkept < policy->table_cap / 4 * 3) {
        return SP_OK;
    }
    size_t cap = policy->table_cap ? policy->table_cap * 2 : 256;
    uint32_t *table = sp_calloc(cap, sizeof(*table));
    if (!table) {
        return SP_E_NOMEM;
    }
    for (size_t i = 0; i < policy->nkept; i++) {
        size_t at = policy->kept[i].hash & (cap - 1);
        while (table[at] != 0) {
            at = (at + 1) & (cap - 1);
        }
        table[at] = (uint32_t)i + 1;
    }
    sp_free(policy->table);
    policy->table = table;
    policy->table_cap = cap;
    return SP_OK;
}

static struct sp_intervals view(const struct kept *kept)
{
    return (struct sp_intervals){
        .at = (const struct sp_interval *)(const void *)(kept->key + kept->nkey),
        .n = kept->nintervals};
}

/* Sweeps a set that was not seen before and keeps the result at table place at. */
static struct sp_intervals keep(struct sp_policy *policy, struct kept entry, size_t at)
{
    struct sp_intervals none = {0};
    size_t n = 0;
    if (sweep_key(policy, entry.nkey, entry.proto, entry.rest, &n) != SP_OK ||
        sp_grow((void **)&policy->kept, policy->nkept, &policy->kept_cap, sizeof(*policy->kept)) !=
            0) {
        return none;
    }
    size_t key_bytes = entry.nkey * sizeof(*policy->key);
    size_t bytes = n * sizeof(*policy->out);
    uint32_t *memory = carve(policy, key_bytes + bytes);
    if (!memory) {
        return none;
    }
    if (key_bytes > 0) {
        memcpy(memory, policy->key, key_bytes);
    }
    memcpy(memory + entry.nkey, policy->out, bytes);
    entry.key = memory;
    entry.nintervals = (uint32_t)n;
    policy->kept[policy->nkept] = entry;
    policy->table[at] = (uint32_t)++policy->nkept;
    return view(&entry);
}

/* Inside a network that says nothing of itself, presets decide their own ports and no more: their
 * lines name nodes that share a subnet, and nobody declared that these be closed to each other. For
 * the set that was loaded last. */
static bool only_presets_name(const struct sp_policy *policy)
{
    bool has_preset = false;
    for (size_t i = 0; i < policy->nset; i++) {
        uint32_t slot = policy->set[i];
        bool is_wide = (policy->wide[slot / 64] >> (slot % 64) & 1) != 0;
        bool is_preset = policy->model->rules[policy->slots[slot].rule].source != NULL;
        if (!is_preset && !is_wide) {
            return false;
        }
        has_preset = has_preset || is_preset;
    }
    return has_preset;
}

struct sp_intervals sp_policy_pair(struct sp_policy *policy, uint32_t from, uint32_t to,
                                   uint8_t proto)
{
    struct sp_intervals none = {0};
    if (from >= policy->ntargets || to >= policy->ntargets || proto >= SP_PROTO_COUNT ||
        room_in_table(policy) != SP_OK) {
        return none;
    }
    uint32_t a = policy->class_of[from], b = policy->class_of[to];
    uint32_t net = policy->class_net[a];
    bool is_same = net < policy->model->nnetworks && net == policy->class_net[b];
    enum sp_within within = is_same ? policy->model->networks[net].within : SP_WITHIN_CLOSED;
    load_set(policy, a, b);
    bool open =
        within == SP_WITHIN_OPEN || (within == SP_WITHIN_UNTESTED && only_presets_name(policy));
    uint64_t hash = 0;
    struct kept entry = {.nkey = (uint32_t)make_key(policy, proto, &hash),
                         .proto = proto,
                         .rest = open ? SP_EXPECT_PERMIT : SP_EXPECT_DENY};
    size_t key_bytes = entry.nkey * sizeof(*policy->key);
    hash = (hash + ((uint64_t)proto << 2) + entry.rest) * UINT64_C(0x9e3779b97f4a7c15);
    entry.hash = (uint32_t)(hash >> 32);
    size_t at = entry.hash & (policy->table_cap - 1);
    for (; policy->table[at] != 0; at = (at + 1) & (policy->table_cap - 1)) {
        const struct kept *old = &policy->kept[policy->table[at] - 1];
        if (old->hash == entry.hash && old->proto == proto && old->rest == entry.rest &&
            old->nkey == entry.nkey &&
            (key_bytes == 0 || memcmp(old->key, policy->key, key_bytes) == 0)) {
            return view(old);
        }
    }
    return keep(policy, entry, at);
}

const struct sp_interval *sp_intervals_find(struct sp_intervals list, uint16_t port)
{
    size_t lo = 0, hi = list.n;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if (list.at[mid].hi < port) {
            lo = mid + 1;
        } else {
            hi = mid;
        }
    }
    return lo < list.n && list.at[lo].lo <= port ? &list.at[lo] : NULL;
}

const struct sp_interval *sp_policy_decide(struct sp_policy *policy, uint32_t from, uint32_t to,
                                           uint8_t proto, uint16_t port)
{
    return sp_intervals_find(sp_policy_pair(policy, from, to, proto), port);
}

const char *sp_policy_untested(const struct sp_policy *policy, uint32_t from, uint32_t to)
{
    const struct sp_model *model = policy->model;
    if (from >= policy->ntargets || to >= policy->ntargets) {
        return "no such target";
    }
    if (from == to) {
        return "a host and itself";
    }
    if (from >= model->nhosts) {
        return "a balancer is never a source";
    }
    uint32_t a = policy->class_of[from], b = policy->class_of[to];
    uint32_t net = policy->class_net[a];
    if (net >= model->nnetworks || net != policy->class_net[b] ||
        model->networks[net].within != SP_WITHIN_UNTESTED) {
        return NULL;
    }
    const uint64_t *x = policy->from + a * policy->nwords;
    const uint64_t *y = policy->to + b * policy->nwords;
    for (size_t w = 0; w < policy->nwords; w++) {
        if ((x[w] & y[w] & ~policy->wide[w]) != 0) {
            return NULL;
        }
    }
    return "same subnet, no `within:` and no policy that names the two";
}

size_t sp_policy_classes(const struct sp_policy *policy)
{
    return policy->nclasses;
}

uint32_t sp_policy_class_of(const struct sp_policy *policy, uint32_t target)
{
    return target < policy->ntargets ? policy->class_of[target] : SP_NONE;
}

void sp_policy_each_rule(struct sp_policy *policy, uint32_t from, uint32_t to,
                         bool (*fn)(void *ctx, uint32_t rule), void *ctx)
{
    if (from >= policy->ntargets || to >= policy->ntargets) {
        return;
    }
    load_set(policy, policy->class_of[from], policy->class_of[to]);
    uint32_t before = SP_NONE;
    for (size_t i = 0; i < policy->nset; i++) {
        uint32_t rule = policy->slots[policy->set[i]].rule;
        if (rule != before && !fn(ctx, rule)) {
            return;
        }
        before = rule;
    }
}
