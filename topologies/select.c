/* SPDX-License-Identifier: Apache-2.0
 *
 * Selectors of the command line: names of networks (with all inside them), hosts, groups and
 * balancers, label:k=v, any, not:x, and lists with commas. A list selects what its positive terms
 * select (everything when it has none) without what its not: terms select. Errors name the part
 * that is wrong in their text; where it was written, the caller knows. */
#include <stdio.h>
#include <string.h>

#include "probe/base/mem.h"
#include "probe/base/str.h"
#include "topologies/plan.h"

#define SP_SELECT_TERM_MAX 255U

static void add_all(const struct sp_model *model, struct sp_bits *bits)
{
    for (size_t i = 0; i < sp_model_ntargets(model); i++) {
        sp_bits_set(bits, i);
    }
}

static void add_bits(struct sp_bits *bits, const struct sp_bits *more)
{
    for (size_t i = 0; i < more->nbits; i++) {
        if (sp_bits_get(more, i)) {
            sp_bits_set(bits, i);
        }
    }
}

/* The nearest known name within a third of its length, for "did you mean". */
struct nearest {
    const char *wanted;
    const char *name;
    size_t distance;
};

static void offer(struct nearest *best, const char *name)
{
    size_t distance = sp_edit_distance(best->wanted, name);
    size_t most = strlen(best->wanted) / 3 + 1;
    if (distance <= most && distance < best->distance) {
        best->distance = distance;
        best->name = name;
    }
}

static enum sp_rc unknown_name(const struct sp_model *model, const char *name, struct sp_diag *diag)
{
    struct nearest best = {.wanted = name, .distance = SIZE_MAX};
    for (size_t i = 0; i < model->nnetworks; i++) {
        offer(&best, model->networks[i].name);
    }
    for (size_t i = 0; i < sp_model_ntargets(model); i++) {
        offer(&best, sp_model_target_name(model, i));
    }
    for (size_t i = 0; i < model->ngroups; i++) {
        offer(&best, model->groups[i].name);
    }
    if (best.name) {
        return sp_fail(diag, SP_E_INVALID, NULL, "there is no '%s'; did you mean '%s'?", name,
                       best.name);
    }
    return sp_fail(diag, SP_E_INVALID, NULL,
                   "there is no '%s': name a network, host, group or balancer of the topology, or "
                   "write label:key=value, any or not:name",
                   name);
}

static bool add_network(const struct sp_model *model, const char *name, struct sp_bits *bits)
{
    for (uint32_t n = 0; n < model->nnetworks; n++) {
        if (strcmp(model->networks[n].name, name) != 0) {
            continue;
        }
        for (size_t h = 0; h < model->nhosts; h++) {
            if (sp_model_network_within(model, model->hosts[h].network, n)) {
                sp_bits_set(bits, h);
            }
        }
        return true;
    }
    return false;
}

static enum sp_rc add_name(const struct sp_model *model, const char *name, struct sp_bits *bits,
                           struct sp_diag *diag)
{
    if (add_network(model, name, bits)) {
        return SP_OK;
    }
    for (size_t i = 0; i < sp_model_ntargets(model); i++) {
        if (strcmp(sp_model_target_name(model, i), name) == 0) {
            sp_bits_set(bits, i);
            return SP_OK;
        }
    }
    for (size_t i = 0; i < model->ngroups; i++) {
        if (strcmp(model->groups[i].name, name) == 0) {
            add_bits(bits, &model->groups[i].targets);
            return SP_OK;
        }
    }
    return unknown_name(model, name, diag);
}

static enum sp_rc add_label(const struct sp_model *model, const char *term, struct sp_bits *bits,
                            struct sp_diag *diag)
{
    const char *equals = strchr(term, '=');
    if (!equals || equals == term || equals[1] == '\0') {
        return sp_fail(diag, SP_E_INVALID, NULL, "'label:%s' is not a label: write label:key=value",
                       term);
    }
    size_t key_len = (size_t)(equals - term);
    bool found = false;
    struct nearest best = {.wanted = equals + 1, .distance = SIZE_MAX};
    for (size_t h = 0; h < model->nhosts; h++) {
        for (size_t i = 0; i < model->hosts[h].nlabels; i++) {
            const struct sp_label *label = &model->hosts[h].labels[i];
            if (strlen(label->key) != key_len || strncmp(label->key, term, key_len) != 0) {
                continue;
            }
            offer(&best, label->value);
            if (strcmp(label->value, equals + 1) == 0) {
                sp_bits_set(bits, h);
                found = true;
            }
        }
    }
    if (found) {
        return SP_OK;
    }
    if (best.name) {
        return sp_fail(diag, SP_E_INVALID, NULL,
                       "no host has the label %s: did you mean label:%.*s=%s?", term, (int)key_len,
                       term, best.name);
    }
    return sp_fail(diag, SP_E_INVALID, NULL, "no host has the label %s", term);
}

static enum sp_rc add_term(const struct sp_model *model, const char *term, struct sp_bits *bits,
                           struct sp_diag *diag)
{
    if (strcmp(term, "any") == 0) {
        add_all(model, bits);
        return SP_OK;
    }
    if (strncmp(term, "label:", 6) == 0) {
        return add_label(model, term + 6, bits, diag);
    }
    return add_name(model, term, bits, diag);
}

struct selection {
    struct sp_bits in, out;
    bool has_in;
};

/* Cuts the term that starts at *text out of the list and moves behind it. */
static enum sp_rc next_term(const char *whole, const char **text, char *term, struct sp_diag *diag)
{
    size_t len = strcspn(*text, ",");
    if (len == 0) {
        return sp_fail(diag, SP_E_INVALID, NULL,
                       "the selector '%s' has an empty part: separate names with single commas",
                       whole);
    }
    if (len > SP_SELECT_TERM_MAX) {
        return sp_fail(diag, SP_E_LIMIT, NULL, "a name in a selector has at most %u bytes",
                       SP_SELECT_TERM_MAX);
    }
    memcpy(term, *text, len);
    term[len] = '\0';
    *text += len;
    return SP_OK;
}

static enum sp_rc select_all(const struct sp_model *model, const char *text, struct selection *sel,
                             struct sp_diag *diag)
{
    const char *at = text;
    for (;;) {
        char term[SP_SELECT_TERM_MAX + 1];
        enum sp_rc rc = next_term(text, &at, term, diag);
        if (rc != SP_OK) {
            return rc;
        }
        bool negative = strncmp(term, "not:", 4) == 0;
        sel->has_in = sel->has_in || !negative;
        rc = negative ? add_term(model, term + 4, &sel->out, diag)
                      : add_term(model, term, &sel->in, diag);
        if (rc != SP_OK || *at == '\0') {
            return rc;
        }
        at++;
    }
}

enum sp_rc sp_select(const struct sp_model *model, const char *text, struct sp_bits *ret_targets,
                     struct sp_diag *diag)
{
    struct selection sel = {0};
    size_t n = sp_model_ntargets(model);
    enum sp_rc rc = sp_bits_init(&sel.in, n);
    if (rc == SP_OK) {
        rc = sp_bits_init(&sel.out, n);
    }
    rc = rc == SP_OK ? select_all(model, text, &sel, diag)
                     : sp_fail(diag, rc, NULL, "out of memory");
    if (rc == SP_OK) {
        if (!sel.has_in) {
            add_all(model, &sel.in);
        }
        for (size_t w = 0; w * 64 < n; w++) {
            sel.in.words[w] &= ~sel.out.words[w];
        }
        *ret_targets = sel.in;
        sel.in = (struct sp_bits){0};
    }
    sp_bits_release(&sel.in);
    sp_bits_release(&sel.out);
    return rc;
}
