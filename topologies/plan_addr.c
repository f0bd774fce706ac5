/* SPDX-License-Identifier: Apache-2.0
 *
 * From two targets to pairs of addresses: which address the sender uses (declared translations),
 * whether it means one host only from where the sender stands, and what enforces the border between
 * the two networks.
 *
 * An address is ambiguous when another target declares it too (unless the receiver is in the
 * sender's own VPC and the other is not: there the local one answers), or when it lies inside the
 * sender's own VPC while the receiver does not. `external` networks may overlap anything. */
#include <stdlib.h>
#include <string.h>

#include "probe/base/mem.h"
#include "topologies/plan_priv.h"

struct entry {
    struct sp_addr addr;
    uint32_t target;
    uint32_t network; /* seen_as: only there; SP_NONE: the target's own address */
};

struct sp_book {
    const struct sp_model *model; /* borrowed */
    struct entry *entries;        /* sorted by address */
    size_t nentries;
    uint32_t *root; /* per network: its top network */
    /* Enforcement from one network to every other, filled when asked for. */
    uint32_t *row; /* index + 1, 0: not asked for, SP_NONE: no point */
    uint32_t row_network;
};

size_t sp_target_naddrs(const struct sp_model *model, uint32_t target)
{
    return target < model->nhosts ? model->hosts[target].naddrs
                                  : model->balancers[target - model->nhosts].naddrs;
}

static const struct sp_addr *target_addr(const struct sp_model *model, uint32_t target, size_t i)
{
    return target < model->nhosts ? &model->hosts[target].addrs[i]
                                  : &model->balancers[target - model->nhosts].addrs[i];
}

static int by_addr(const void *a, const void *b)
{
    const struct entry *x = a, *y = b;
    int order = sp_addr_cmp(&x->addr, &y->addr);
    if (order != 0) {
        return order;
    }
    return (x->target > y->target) - (x->target < y->target);
}

static enum sp_rc list_entries(struct sp_book *book)
{
    const struct sp_model *model = book->model;
    size_t n = 0, total = 0;
    for (uint32_t t = 0; t < sp_model_ntargets(model); t++) {
        total += sp_target_naddrs(model, t);
        total += t < model->nhosts ? model->hosts[t].nseen_as : 0;
    }
    book->entries = sp_calloc(total, sizeof(*book->entries));
    if (!book->entries) {
        return SP_E_NOMEM;
    }
    for (uint32_t t = 0; t < sp_model_ntargets(model); t++) {
        for (size_t i = 0; i < sp_target_naddrs(model, t); i++) {
            book->entries[n++] =
                (struct entry){.addr = *target_addr(model, t, i), .target = t, .network = SP_NONE};
        }
        for (size_t i = 0; t < model->nhosts && i < model->hosts[t].nseen_as; i++) {
            const struct sp_seen_as *seen = &model->hosts[t].seen_as[i];
            book->entries[n++] =
                (struct entry){.addr = seen->addr, .target = t, .network = seen->network};
        }
    }
    book->nentries = n;
    if (n > 1) {
        qsort(book->entries, n, sizeof(*book->entries), by_addr);
    }
    return SP_OK;
}

enum sp_rc sp_book_new(const struct sp_model *model, struct sp_book **ret_book)
{
    struct sp_book *book = sp_calloc(1, sizeof(*book));
    if (!book) {
        return SP_E_NOMEM;
    }
    book->model = model;
    book->row_network = SP_NONE;
    book->root = sp_calloc(model->nnetworks, sizeof(*book->root));
    book->row = sp_calloc(model->nnetworks, sizeof(*book->row));
    if (!book->root || !book->row || list_entries(book) != SP_OK) {
        sp_book_free(book);
        return SP_E_NOMEM;
    }
    for (uint32_t n = 0; n < model->nnetworks; n++) {
        book->root[n] = sp_model_root_network(model, n);
    }
    *ret_book = book;
    return SP_OK;
}

void sp_book_free(struct sp_book *book)
{
    if (book) {
        sp_free(book->entries);
        sp_free(book->root);
        sp_free(book->row);
        sp_free(book);
    }
}

static uint32_t root_of(const struct sp_book *book, uint32_t target)
{
    uint32_t network = sp_model_target_network(book->model, target);
    return network < book->model->nnetworks ? book->root[network] : SP_NONE;
}

static const struct sp_enforcement *enforcement(struct sp_book *book, uint32_t a, uint32_t b)
{
    size_t n = book->model->nnetworks;
    if (a >= n || b >= n) {
        return NULL;
    }
    if (book->row_network != a) {
        memset(book->row, 0, n * sizeof(*book->row));
        book->row_network = a;
    }
    if (book->row[b] == 0) {
        const struct sp_enforcement *point = sp_model_enforcement(book->model, a, b);
        book->row[b] = point ? (uint32_t)(point - book->model->enforcements) + 1 : SP_NONE;
    }
    return book->row[b] == SP_NONE ? NULL : &book->model->enforcements[book->row[b] - 1];
}

uint32_t sp_book_enforcement(struct sp_book *book, uint32_t from_network, uint32_t to_network)
{
    const struct sp_enforcement *point = enforcement(book, from_network, to_network);
    return point ? (uint32_t)(point - book->model->enforcements) : SP_NONE;
}

/* How an address of a host is rewritten for a partner. */
struct rewrite {
    bool declared; /* some address of this family is */
    bool found;    /* this one is */
    struct sp_addr addr;
};

/* The k-th address of a family is seen as the k-th declared one of that family, in the most
 * specific network that holds the partner. share: one declared address stands for all that have
 * none of their own (a source behind one address). */
static struct rewrite seen_from(const struct sp_model *model, const struct sp_host *host,
                                uint8_t family, size_t k, uint32_t partner_network, bool share)
{
    struct rewrite out = {0};
    uint32_t best = SP_NONE;
    for (size_t i = 0; i < host->nseen_as; i++) {
        const struct sp_seen_as *seen = &host->seen_as[i];
        if (seen->addr.family == family &&
            sp_model_network_within(model, partner_network, seen->network) &&
            (best == SP_NONE || sp_model_network_within(model, seen->network, best))) {
            best = seen->network;
        }
    }
    if (best == SP_NONE) {
        return out;
    }
    out.declared = true;
    size_t nth = 0;
    for (size_t i = 0; i < host->nseen_as; i++) {
        const struct sp_seen_as *seen = &host->seen_as[i];
        if (seen->addr.family != family || seen->network != best) {
            continue;
        }
        if (nth == k || (share && nth < k)) {
            out.found = true;
            out.addr = seen->addr;
        }
        nth++;
    }
    return out;
}

/* A `nat:` entry for this pair and family; dnat serves the first address of the family only. */
static struct rewrite by_nat(const struct sp_model *model, uint32_t from, uint32_t to,
                             uint8_t family, size_t k, bool is_dnat)
{
    struct rewrite out = {0};
    for (size_t i = 0; i < model->nnats && !out.declared; i++) {
        const struct sp_nat *nat = &model->nats[i];
        if (nat->is_dnat == is_dnat && nat->addr.family == family &&
            sp_bits_get(&nat->from, from) && sp_bits_get(&nat->to, to)) {
            out.declared = true;
            out.found = !is_dnat || k == 0;
            out.addr = nat->addr;
        }
    }
    return out;
}

/* The position of address i of a target among those of its family. */
static size_t rank_in_family(const struct sp_model *model, uint32_t target, size_t i)
{
    size_t rank = 0;
    uint8_t family = target_addr(model, target, i)->family;
    for (size_t j = 0; j < i; j++) {
        rank += target_addr(model, target, j)->family == family;
    }
    return rank;
}

/* Whether another target that declares the address makes it ambiguous for this sender. */
static bool rivals(const struct sp_book *book, const struct entry *other, uint32_t from,
                   uint32_t to, bool translated)
{
    uint32_t home = root_of(book, from);
    if (other->target == to) {
        return false;
    }
    if (other->network != SP_NONE) {
        return sp_model_network_within(book->model, sp_model_target_network(book->model, from),
                                       other->network);
    }
    bool other_is_local = home != SP_NONE && root_of(book, other->target) == home;
    bool receiver_is_local = home != SP_NONE && root_of(book, to) == home;
    if (root_of(book, other->target) == SP_NONE || other_is_local) {
        return true;
    }
    return !translated && !receiver_is_local;
}

static bool has(const struct sp_network *network, const struct sp_addr *addr)
{
    for (size_t i = 0; i < network->ncidrs; i++) {
        if (sp_prefix_has(&network->cidrs[i], addr)) {
            return true;
        }
    }
    return false;
}

static bool in_senders_vpc(const struct sp_book *book, uint32_t from, uint32_t to,
                           const struct sp_addr *dst)
{
    const struct sp_model *model = book->model;
    uint32_t home = root_of(book, from), away = root_of(book, to);
    if (home == SP_NONE || away == SP_NONE || home == away ||
        model->networks[home].kind == SP_NET_EXTERNAL) {
        return false;
    }
    if (model->networks[home].ncidrs > 0) { /* a parent's prefixes contain its children's */
        return has(&model->networks[home], dst);
    }
    for (size_t n = 0; n < model->nnetworks; n++) {
        if (book->root[n] == home && has(&model->networks[n], dst)) {
            return true;
        }
    }
    return false;
}

static bool ambiguous(const struct sp_book *book, uint32_t from, uint32_t to,
                      const struct sp_addr *dst, bool translated)
{
    size_t lo = 0, hi = book->nentries;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if (sp_addr_cmp(&book->entries[mid].addr, dst) < 0) {
            lo = mid + 1;
        } else {
            hi = mid;
        }
    }
    for (; lo < book->nentries && sp_addr_eq(&book->entries[lo].addr, dst); lo++) {
        if (rivals(book, &book->entries[lo], from, to, translated)) {
            return true;
        }
    }
    return !translated && in_senders_vpc(book, from, to, dst);
}

/* dst, own and src_seen by declaration. False: this address has no translation, others have. */
static bool translate(const struct sp_model *model, struct sp_pair *pair, size_t i, size_t j)
{
    size_t src_rank = rank_in_family(model, pair->from, i);
    size_t dst_rank = rank_in_family(model, pair->to, j);
    uint32_t from_network = sp_model_target_network(model, pair->from);
    uint32_t to_network = sp_model_target_network(model, pair->to);
    struct rewrite dst = {0};
    if (pair->to < model->nhosts) {
        dst =
            seen_from(model, &model->hosts[pair->to], pair->family, dst_rank, from_network, false);
    }
    if (!dst.declared) {
        dst = by_nat(model, pair->from, pair->to, pair->family, dst_rank, true);
    }
    struct rewrite src =
        seen_from(model, &model->hosts[pair->from], pair->family, src_rank, to_network, true);
    if (!src.declared) {
        src = by_nat(model, pair->from, pair->to, pair->family, src_rank, false);
    }
    pair->dst = dst.found ? dst.addr : pair->own;
    pair->src_seen = src.found ? src.addr : pair->src;
    return !dst.declared || dst.found;
}

bool sp_book_pair(struct sp_book *book, uint32_t from, uint32_t to, size_t i, size_t j,
                  struct sp_pair *ret_pair, enum sp_reason *ret_reason)
{
    const struct sp_model *model = book->model;
    const struct sp_addr *src = target_addr(model, from, i);
    const struct sp_addr *own = target_addr(model, to, j);
    if (src->family != own->family) {
        return false;
    }
    struct sp_pair pair = {.from = from, .to = to, .src = *src, .own = *own, .family = src->family};
    bool has_address = translate(model, &pair, i, j);
    const struct sp_enforcement *point =
        enforcement(book, sp_model_target_network(model, from), sp_model_target_network(model, to));
    pair.layer = point ? (uint8_t)point->layer : (uint8_t)SP_LAYER_NETWORK;
    pair.reject_declared = point && point->action == SP_ACTION_REJECT;
    pair.one_sided = sp_model_receiver(model, to, 0) == SP_NONE;
    pair.is_balanced = to >= model->nhosts;
    bool translated = !sp_addr_eq(&pair.dst, &pair.own);
    *ret_reason = SP_REASON_NONE;
    if (sp_addr_is_special(&pair.src) || sp_addr_is_special(&pair.dst)) {
        *ret_reason = SP_REASON_SPECIAL;
    } else if (!has_address) {
        *ret_reason = SP_REASON_UNTRANSLATED;
    } else if (ambiguous(book, from, to, &pair.dst, translated)) {
        *ret_reason = SP_REASON_AMBIGUOUS;
    }
    *ret_pair = pair;
    return true;
}
