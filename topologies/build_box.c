/* SPDX-License-Identifier: Apache-2.0 */
#include "topologies/build_box.h"

#include "probe/base/mem.h"

static size_t words_of(const struct sp_bits *bits)
{
    return (bits->nbits + 63) / 64;
}

static enum sp_rc copy_bits(const struct sp_bits *bits, struct sp_bits *ret)
{
    enum sp_rc rc = sp_bits_init(ret, bits->nbits);
    for (size_t i = 0; rc == SP_OK && i < words_of(bits); i++) {
        ret->words[i] = bits->words[i];
    }
    return rc;
}

static bool is_empty(const struct sp_bits *bits)
{
    size_t i = 0;
    while (i < words_of(bits) && bits->words[i] == 0) {
        i++;
    }
    return i == words_of(bits);
}

/* a without b, or what both have. */
static void keep(struct sp_bits *a, const struct sp_bits *b, bool what_both_have)
{
    for (size_t i = 0; i < words_of(a); i++) {
        a->words[i] &= what_both_have ? b->words[i] : ~b->words[i];
    }
}

static bool meets_in(const struct sp_bits *a, const struct sp_bits *b, size_t lo, size_t hi)
{
    while (lo < hi && (a->words[lo] & b->words[lo]) == 0) {
        lo++;
    }
    return lo < hi;
}

static bool meets(const struct sp_bits *a, const struct sp_bits *b)
{
    return meets_in(a, b, 0, words_of(a));
}

static void find_range(const struct sp_bits *bits, uint32_t *ret_lo, uint32_t *ret_hi)
{
    uint32_t lo = 0;
    uint32_t hi = (uint32_t)words_of(bits);
    while (lo < hi && bits->words[lo] == 0) {
        lo++;
    }
    while (hi > lo && bits->words[hi - 1] == 0) {
        hi--;
    }
    *ret_lo = lo;
    *ret_hi = hi;
}

bool sp_bits_have_pair(const struct sp_bits *from, const struct sp_bits *to)
{
    size_t senders = sp_bits_count(from);
    size_t receivers = sp_bits_count(to);
    return senders > 0 && receivers > 0 && (senders > 1 || receivers > 1 || !meets(from, to));
}

static void release_box(struct sp_box *box)
{
    sp_bits_release(&box->from);
    sp_bits_release(&box->to);
    sp_free(box->ports);
    *box = (struct sp_box){0};
}

void sp_boxes_release(struct sp_boxes *boxes)
{
    for (size_t i = 0; i < boxes->n; i++) {
        release_box(&boxes->at[i]);
    }
    sp_free(boxes->at);
    *boxes = (struct sp_boxes){.max_bytes = boxes->max_bytes, .work = boxes->work};
}

/* Takes the box over, also when it fails. */
static enum sp_rc take_box(struct sp_boxes *boxes, struct sp_box *box)
{
    void *array = boxes->at;
    uint64_t bytes = sizeof(uint64_t) * 2 * words_of(&box->from);
    enum sp_rc rc = SP_OK;
    if (boxes->n >= SP_BOXES_MAX || boxes->bytes + bytes > boxes->max_bytes) {
        rc = SP_E_LIMIT;
    } else if (sp_grow(&array, boxes->n, &boxes->cap, sizeof(*boxes->at)) != 0) {
        rc = SP_E_NOMEM;
    }
    if (rc != SP_OK) {
        release_box(box);
        return rc;
    }
    find_range(&box->to, &box->to_lo, &box->to_hi);
    boxes->work += words_of(&box->to);
    boxes->at = array;
    boxes->at[boxes->n++] = *box;
    boxes->bytes += bytes;
    *box = (struct sp_box){0};
    return SP_OK;
}

enum sp_rc sp_boxes_add(struct sp_boxes *boxes, const struct sp_bits *from,
                        const struct sp_bits *to, const struct sp_portspec *ports, size_t nports)
{
    struct sp_box box = {.nports = nports};
    box.ports = nports ? sp_memdup(ports, nports * sizeof(*ports)) : sp_calloc(1, sizeof(*ports));
    if (!box.ports || copy_bits(from, &box.from) != SP_OK || copy_bits(to, &box.to) != SP_OK) {
        release_box(&box);
        return SP_E_NOMEM;
    }
    return take_box(boxes, &box);
}

static bool specs_meet(const struct sp_portspec *a, const struct sp_portspec *b)
{
    if (a->proto >= SP_PROTO_COUNT || b->proto >= SP_PROTO_COUNT) {
        return true;
    }
    return a->proto == b->proto && a->lo <= b->hi && b->lo <= a->hi;
}

bool sp_portspecs_meet(const struct sp_portspec *a, size_t na, const struct sp_portspec *b,
                       size_t nb)
{
    for (size_t i = 0; i < na; i++) {
        for (size_t k = 0; k < nb; k++) {
            if (specs_meet(&a[i], &b[k])) {
                return true;
            }
        }
    }
    return false;
}

/* Takes one port specification out of n; next has room for 2 * n. "any" on either side takes all:
 * what is left out here is denied all the same, because nothing allows it. */
static size_t cut_ports(const struct sp_portspec *ports, size_t n, const struct sp_portspec *cut,
                        struct sp_portspec *next)
{
    size_t kept = 0;
    for (size_t i = 0; i < n; i++) {
        const struct sp_portspec *spec = &ports[i];
        bool is_any = spec->proto >= SP_PROTO_COUNT || cut->proto >= SP_PROTO_COUNT;
        if (!specs_meet(spec, cut)) {
            next[kept++] = *spec;
            continue;
        }
        if (!is_any && cut->lo > spec->lo) {
            next[kept++] = (struct sp_portspec){
                .proto = spec->proto, .lo = spec->lo, .hi = (uint16_t)(cut->lo - 1)};
        }
        if (!is_any && cut->hi < spec->hi) {
            next[kept++] = (struct sp_portspec){
                .proto = spec->proto, .lo = (uint16_t)(cut->hi + 1), .hi = spec->hi};
        }
    }
    return kept;
}

/* The ports of the box without those of the rule; *ret_n may be 0. NULL when memory is out. */
static struct sp_portspec *ports_left(const struct sp_box *box, const struct sp_rule *rule,
                                      size_t *ret_n)
{
    size_t n = box->nports;
    struct sp_portspec *ports = sp_memdup(box->ports, (n ? n : 1) * sizeof(*ports));
    for (size_t i = 0; ports && i < rule->nports; i++) {
        struct sp_portspec *next = sp_calloc(2 * n, sizeof(*next));
        if (next) {
            n = cut_ports(ports, n, &rule->ports[i], next);
        }
        sp_free(ports);
        ports = next;
    }
    *ret_n = n;
    return ports;
}

/* What is left of a box, in at most three: other receivers, other senders, other ports. Its sets
 * are changed on the way. */
static enum sp_rc split(struct sp_boxes *boxes, struct sp_box *box, const struct sp_rule *rule)
{
    struct sp_bits part = {0};
    size_t n = 0;
    struct sp_portspec *left = ports_left(box, rule, &n);
    enum sp_rc rc = left ? copy_bits(&box->to, &part) : SP_E_NOMEM;
    if (rc == SP_OK) {
        keep(&part, &rule->to, false);
        keep(&box->to, &rule->to, true);
        rc = is_empty(&part) ? SP_OK
                             : sp_boxes_add(boxes, &box->from, &part, box->ports, box->nports);
    }
    sp_bits_release(&part);
    rc = rc == SP_OK ? copy_bits(&box->from, &part) : rc;
    if (rc == SP_OK) {
        keep(&part, &rule->from, false);
        keep(&box->from, &rule->from, true);
        rc =
            is_empty(&part) ? SP_OK : sp_boxes_add(boxes, &part, &box->to, box->ports, box->nports);
    }
    sp_bits_release(&part);
    if (rc == SP_OK && n > 0) {
        rc = sp_boxes_add(boxes, &box->from, &box->to, left, n);
    }
    sp_free(left);
    return rc;
}

enum sp_rc sp_boxes_subtract(struct sp_boxes *boxes, const struct sp_rule *rule)
{
    size_t n = boxes->n; /* what is split comes behind them */
    enum sp_rc rc = SP_OK;
    uint32_t rule_lo, rule_hi;
    find_range(&rule->to, &rule_lo, &rule_hi);
    for (size_t i = 0; i < n && rc == SP_OK; i++) {
        struct sp_box box = boxes->at[i];
        uint32_t lo = box.to_lo > rule_lo ? box.to_lo : rule_lo;
        uint32_t hi = box.to_hi < rule_hi ? box.to_hi : rule_hi;
        boxes->work += 1 + (hi > lo ? hi - lo : 0);
        if (boxes->work > SP_BOXES_MAX_WORK) {
            rc = SP_E_LIMIT;
        } else if (meets_in(&box.to, &rule->to, lo, hi) && meets(&box.from, &rule->from) &&
                   sp_portspecs_meet(box.ports, box.nports, rule->ports, rule->nports)) {
            boxes->at[i] = (struct sp_box){0};
            rc = split(boxes, &box, rule);
            release_box(&box);
        }
    }
    size_t kept = 0;
    boxes->bytes = 0;
    for (size_t i = 0; i < boxes->n; i++) {
        if (boxes->at[i].from.words) {
            boxes->bytes += sizeof(uint64_t) * 2 * words_of(&boxes->at[i].from);
            boxes->at[kept++] = boxes->at[i];
        }
    }
    boxes->n = kept;
    return rc;
}
