/* SPDX-License-Identifier: Apache-2.0
 *
 * Classes of targets: two targets are in one class when they stand in the same network and the same
 * rules select them on the same sides. Found by splitting: each side of each rule splits the
 * classes that it selects in part, so the cost is the number of selected targets and the result is
 * exact (no hashing). */
#include <string.h>

#include "probe/base/mem.h"
#include "topologies/policy_priv.h"

struct splitter {
    uint32_t *class_of; /* per target */
    uint32_t *size;     /* members per class; this and the next three have room for all targets */
    uint32_t *hit;      /* members that the set at hand selects, 0 between sets */
    uint32_t *moved_to; /* the class its selected members go to, valid while hit != 0 */
    uint32_t *touched;  /* classes with hit != 0 */
    size_t ntargets, nclasses, ntouched;
};

/* Calls fn for every target in the set. */
static void each_target(struct splitter *s, const struct sp_bits *set,
                        void (*fn)(struct splitter *s, size_t target))
{
    size_t n = set->nbits < s->ntargets ? set->nbits : s->ntargets;
    for (size_t w = 0; w * 64 < n; w++) {
        for (uint64_t word = set->words[w]; word; word &= word - 1) {
            size_t target = w * 64 + (size_t)__builtin_ctzll(word);
            if (target < n) {
                fn(s, target);
            }
        }
    }
}

static void count_hit(struct splitter *s, size_t target)
{
    uint32_t c = s->class_of[target];
    if (s->hit[c]++ == 0) {
        s->moved_to[c] = SP_NONE;
        s->touched[s->ntouched++] = c;
    }
}

static void move_hit(struct splitter *s, size_t target)
{
    uint32_t c = s->class_of[target];
    if (s->hit[c] == s->size[c]) {
        return; /* the whole class is selected: nothing to split */
    }
    if (s->moved_to[c] == SP_NONE) {
        uint32_t fresh = (uint32_t)s->nclasses++;
        s->size[fresh] = s->hit[c];
        s->moved_to[c] = fresh;
    }
    s->class_of[target] = s->moved_to[c];
}

static void split(struct splitter *s, const struct sp_bits *set)
{
    s->ntouched = 0;
    each_target(s, set, count_hit);
    each_target(s, set, move_hit);
    for (size_t i = 0; i < s->ntouched; i++) {
        uint32_t c = s->touched[i];
        if (s->moved_to[c] != SP_NONE) {
            s->size[c] -= s->hit[c];
        }
        s->hit[c] = 0;
    }
}

/* First classes: one per network, and one for the balancers. */
static enum sp_rc by_network(struct splitter *s, const struct sp_model *model)
{
    uint32_t *first = sp_calloc(model->nnetworks + 1, sizeof(*first));
    if (!first) {
        return SP_E_NOMEM;
    }
    for (size_t i = 0; i < s->ntargets; i++) {
        uint32_t net = sp_model_target_network(model, i);
        size_t slot = net < model->nnetworks ? net : model->nnetworks;
        if (first[slot] == 0) {
            first[slot] = (uint32_t)++s->nclasses;
        }
        s->class_of[i] = first[slot] - 1;
        s->size[first[slot] - 1]++;
    }
    sp_free(first);
    return SP_OK;
}

enum sp_rc sp_policy_classify(const struct sp_model *model, uint32_t *class_of, size_t *ret_n)
{
    size_t n = sp_model_ntargets(model);
    struct splitter s = {.ntargets = n};
    s.class_of = class_of;
    s.size = sp_calloc(n + 1, sizeof(*s.size));
    s.hit = sp_calloc(n + 1, sizeof(*s.hit));
    s.moved_to = sp_calloc(n + 1, sizeof(*s.moved_to));
    s.touched = sp_calloc(n + 1, sizeof(*s.touched));
    bool room = s.size && s.hit && s.moved_to && s.touched;
    enum sp_rc rc = room ? by_network(&s, model) : SP_E_NOMEM;
    if (rc == SP_OK) {
        for (size_t r = 0; r < model->nrules; r++) {
            split(&s, &model->rules[r].from);
            split(&s, &model->rules[r].to);
        }
        *ret_n = s.nclasses;
    }
    sp_free(s.size);
    sp_free(s.hit);
    sp_free(s.moved_to);
    sp_free(s.touched);
    return rc;
}
